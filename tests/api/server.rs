//! Tests of the settings of a library server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;
use std::{fs, thread};

use openkitchen::{Limits, Request, Response, Routes, Scheduling, Server, get, routes};

/// Clients that try to connect.
const CLIENTS: usize = 200;

/// How many clients can connect to a server that accepts none. The kernel completes connections while
/// the backlog has room, and one more. It ignores the next client.
fn connected(address: SocketAddr) -> usize {
    let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
    let clients: Vec<TcpStream> = (0..CLIENTS).map_while(connect).collect();
    clients.len()
}

#[test]
fn the_backlog_is_long_or_as_the_caller_has_set_it() {
    let allowed = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    let allowed: usize = allowed.trim().parse().unwrap();

    let server = Server::bind("127.0.0.1:0").unwrap();
    assert_eq!(connected(server.address().unwrap()), CLIENTS.min(allowed + 1));

    let server = Server::from_listener(TcpListener::bind("127.0.0.1:0").unwrap());
    assert_eq!(connected(server.address().unwrap()), 129, "std's backlog, and one connection more");
}

#[test]
fn a_non_blocking_listener_of_the_caller_is_made_blocking() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let same = listener.try_clone().unwrap();
    let server = Server::from_listener(listener).start(&ROUTES, ()).unwrap();
    // proc_pid_fdinfo(5): the flags of open(2), in octal. O_NONBLOCK is 04000.
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", same.as_raw_fd())).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    assert_eq!(u32::from_str_radix(flags.trim(), 8).unwrap() & 0o4000, 0);
    drop(server);
}

/// The response to a request on a new connection, and the open connection.
fn ask(address: SocketAddr) -> (String, TcpStream) {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let (mut response, mut buffer) = (Vec::new(), [0; 4096]);
    while !response.windows(4).any(|end| end == b"\r\n\r\n") {
        let length = client.read(&mut buffer).unwrap();
        assert!(length > 0, "the connection ended: {}", response.escape_ascii());
        response.extend_from_slice(&buffer[..length]);
    }
    (String::from_utf8(response).unwrap(), client)
}

#[test]
fn all_addresses_are_bound_with_one_port_and_share_the_limits_and_the_stop() {
    let names: [SocketAddr; 3] =
        ["127.0.0.1:0", "127.0.0.2:0", "127.0.0.1:0"].map(|name| name.parse().unwrap());
    let server = Server::bind(&names[..]).unwrap();
    let server = server.limits(Limits { connections: 1, ..Limits::default() });
    let addresses = server.addresses().unwrap();
    let port = addresses[0].port();
    assert_eq!(addresses, [("127.0.0.1", port), ("127.0.0.2", port)].map(address));
    assert_eq!(server.address().unwrap(), addresses[0]);
    let server = server.start(&ROUTES, ()).unwrap();
    for _ in 0..20 {
        // One connection is allowed, so each new one closes the idle one at the other address.
        let mut before: Option<TcpStream> = None;
        for &address in &addresses {
            // On a busy machine a new one may be refused before the idle one has ended.
            let responses = std::iter::repeat_with(|| ask(address));
            let mut served = responses.skip_while(|(text, _)| text.starts_with("HTTP/1.1 503 "));
            let (response, client) = served.next().unwrap();
            assert!(response.starts_with("HTTP/1.1 200 "), "{address}: {response}");
            if let Some(mut before) = before.replace(client) {
                let mut rest = String::new();
                before.read_to_string(&mut rest).expect("the end of the connection");
                assert!(["", "0 0"].contains(&&*rest), "{rest}");
            }
        }
    }
    drop(server);
    for address in addresses {
        assert!(TcpStream::connect(address).is_err(), "{address} is still open");
    }
}

#[test]
fn an_address_that_cannot_be_bound_is_left_out_unless_it_is_the_only_one() {
    for _ in 0..20 {
        let taken = TcpListener::bind("127.0.0.2:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let names = [("127.0.0.1", port), ("127.0.0.2", port)].map(address);
        assert!(Server::bind(names[1]).is_err());
        // Another test may have taken the port at the first address.
        if let Ok(server) = Server::bind(&names[..]) {
            assert_eq!(server.addresses().unwrap(), [names[0]]);
            return;
        }
    }
    panic!("20 ports were taken");
}

fn address((ip, port): (&str, u16)) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port)
}

static ROUTES: Routes = routes(&[get("/", policies)]);

/// The scheduling policies of the thread that runs this handler, and of a thread that it spawns.
fn policies(_: &Request) -> Response {
    let spawned = thread::spawn(policy).join().unwrap();
    Response::text(format!("{} {spawned}", policy()))
}

/// The scheduling policy of this thread: 0 is SCHED_OTHER, and 3 is SCHED_BATCH.
fn policy() -> u32 {
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
    // proc_pid_stat(5): the policy is field 41, and field 3 follows the name in brackets.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().nth(41 - 3).unwrap().parse().unwrap()
}

#[test]
fn a_worker_has_the_scheduling_policy_of_its_server_and_a_handlers_thread_inherits_it() {
    let normal = Server::bind("127.0.0.1:0").unwrap();
    let batch = Server::bind("127.0.0.1:0").unwrap().scheduling(Scheduling::Batch);
    for (server, expected) in [(normal, "0 0"), (batch, "3 3")] {
        let server = server.start(&ROUTES, ()).unwrap();
        let mut client = TcpStream::connect(server.address()).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).unwrap();
        assert!(response.ends_with(&format!("\r\n\r\n{expected}")), "{expected}: {response}");
    }
    assert_eq!(policy(), 0, "the policy is set by the workers alone");
}

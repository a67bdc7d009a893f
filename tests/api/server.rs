//! Tests of the settings of a library server.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};
use std::{fs, thread};

use openkitchen::{
    Limits, Request, Response, Routes, Scheduling, Server, Stopper, get, post, routes,
};

/// Clients that try to connect.
#[cfg(target_os = "linux")]
const CLIENTS: usize = 200;

/// How many clients can connect to a server that accepts none. The kernel completes connections while
/// the backlog has room, and one more. It ignores the next client.
#[cfg(target_os = "linux")]
fn connected(address: SocketAddr) -> usize {
    let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
    let clients: Vec<TcpStream> = (0..CLIENTS).map_while(connect).collect();
    clients.len()
}

#[test]
#[cfg(target_os = "linux")]
fn the_backlog_is_long_or_as_the_caller_has_set_it() {
    let allowed = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    let allowed: usize = allowed.trim().parse().unwrap();

    let server = Server::bind("127.0.0.1:0").unwrap();
    assert_eq!(connected(server.address().unwrap()), CLIENTS.min(allowed + 1));

    let server = Server::from_listener(TcpListener::bind("127.0.0.1:0").unwrap());
    assert_eq!(connected(server.address().unwrap()), 129, "std's backlog, and one connection more");
}

#[test]
#[cfg(target_os = "linux")]
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

static STREAMS: Routes<Stopper> = routes(&[get("/looks", looks), get("/waits", waits)]);

/// A stream without end, which looks before each byte whether the server is stopping.
fn looks(request: &Request<Stopper>) -> Response {
    Response::stream("text/plain", Endless(request.state().clone(), Duration::ZERO))
}

/// A stream without end, which waits a minute for each byte.
fn waits(request: &Request<Stopper>) -> Response {
    let stream = Endless(request.state().clone(), Duration::from_secs(60));
    Response::stream("text/plain", (&b"x"[..]).chain(stream))
}

/// Gives a byte after each time, until the server is stopping.
struct Endless(Stopper, Duration);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let is_stopping = if self.1.is_zero() { self.0.is_stopping() } else { self.0.wait(self.1) };
        buffer[0] = b'x';
        Ok(usize::from(!is_stopping))
    }
}

#[test]
fn a_stream_without_end_sees_that_the_server_is_stopping_and_does_not_delay_the_drop() {
    for path in ["/looks", "/waits"] {
        let server = Server::bind("127.0.0.1:0").unwrap();
        let stopper = server.stopper();
        let server = server.start(&STREAMS, stopper.clone()).unwrap();
        let mut client = BufReader::new(TcpStream::connect(server.address()).unwrap());
        write!(client.get_mut(), "GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        // The head is read up to the first chunk, so the stream has begun.
        let begins = client.by_ref().lines().map(Result::unwrap).any(|line| line == "1");
        let reader = thread::spawn(move || {
            let mut rest = Vec::new();
            client.read_to_end(&mut rest).map(|_| rest)
        });
        assert!(begins && !stopper.is_stopping());
        let since = Instant::now();
        drop(server);
        assert!(since.elapsed() < Duration::from_secs(2), "{path}: {:?}", since.elapsed());
        let rest = reader.join().unwrap().unwrap();
        assert!(rest.ends_with(b"\r\n0\r\n\r\n"), "{path}: the last chunk arrives");
    }
}

#[test]
fn a_server_does_not_start_if_one_request_may_have_more_bytes_than_all_of_them() {
    static ROUTES: Routes = routes(&[get("/", |_| Response::text(""))]);
    let of_all = Limits { memory: Some(20_000), content: 20_000, ..Limits::default() };
    for (limits, error) in [
        (of_all.clone(), None),
        (Limits { content: 20_001, ..of_all.clone() }, Some("content of one request, 20001 bytes")),
        (Limits { head: 20_001, ..of_all }, Some("head of one request, 20001 bytes")),
        // The default is 64 MiB at most.
        (Limits { content: 65 << 20, ..Limits::default() }, Some("content of one request")),
    ] {
        let server = || Server::bind("127.0.0.1:0").unwrap().limits(limits.clone());
        let Some(error) = error else {
            drop(server().start(&ROUTES, ()).unwrap());
            continue;
        };
        let errors = [server().start(&ROUTES, ()).err(), server().run(&ROUTES, &()).err()];
        for text in errors.map(|error| error.unwrap().to_string()) {
            let is_whole = text.contains(error) && text.contains("above the limit on the memory");
            assert!(is_whole && text.contains("; raise `memory` or lower `"), "{text}");
        }
    }
}

#[test]
fn every_byte_of_a_request_is_kept_for_a_row_that_asks_and_the_head_for_others() {
    static ROUTES: Routes = routes(&[post("/all", raw).keep_raw(), post("/head", raw)]);
    fn raw(request: &Request) -> Response {
        let (raw, content) = (request.raw().escape_ascii(), request.content().escape_ascii());
        Response::text(format!("{raw} and {content}"))
    }
    let server = Server::bind("127.0.0.1:0").unwrap().start(&ROUTES, ()).unwrap();
    for (framing, body) in [
        ("Content-Length: 5\r\nConnection: close\r\n\r\n", "hello"),
        (
            "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
            "2;a\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\n\r\n",
        ),
    ] {
        for path in ["/all", "/head"] {
            let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\n{framing}");
            let mut client = TcpStream::connect(server.address()).unwrap();
            client.write_all(format!("{head}{body}").as_bytes()).unwrap();
            let mut response = String::new();
            client.read_to_string(&mut response).unwrap();
            let kept = if path == "/all" { head + body } else { head };
            let expected = format!("\r\n\r\n{} and hello", kept.as_bytes().escape_ascii());
            assert!(response.ends_with(&expected), "{expected}: {response}");
        }
    }
}

static WRITES: Routes = routes(&[get("/", |_: &Request| {
    Response::written("a/b", |out| {
        let results: Vec<bool> =
            (0..2000).map(|_| out.write_all(&[b'x'; 64 * 1024]).is_err()).collect();
        assert!(results.is_sorted() && results[1999], "a write after an error");
        Ok(())
    })
})]);

#[test]
fn nothing_follows_a_write_of_content_that_has_failed() {
    let limits = Limits { write_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = Server::bind("127.0.0.1:0").unwrap().limits(limits);
    let server = server.start(&WRITES, ()).unwrap();
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    // The server's first write that finds no room fails after its time.
    thread::sleep(Duration::from_millis(1500));
    let mut received = Vec::new();
    let _ = client.read_to_end(&mut received);
    let head = received.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    let chunk = [&b"4000\r\n"[..], &[b'x'; 16 * 1024], b"\r\n"].concat();
    for (number, sent) in received[head..].chunks(chunk.len()).enumerate() {
        assert!(chunk.starts_with(sent), "chunk {number}");
    }
    server.stop().unwrap();
}

//! Tests of a server in a test: its handle, its start and stop, the scoped variant, and that
//! nothing of it is left.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use std::{panic, thread};

use openkitchen::observe::KeptExchange;
use openkitchen::{
    Fault, Limits, Request, Response, Routes, Server, ServerHandle, Stopper, get, post, routes,
};

use crate::support::client::Client;
use crate::support::process::{TIMEOUT, is_started_by_a_test, this_test_program};
use crate::support::resources::Resources;

static COUNT: Routes<AtomicUsize> = routes(&[get("/", count)]);

fn count(request: &Request<AtomicUsize>) -> Response {
    Response::text(request.state().fetch_add(1, Ordering::SeqCst).to_string())
}

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

fn start() -> ServerHandle<AtomicUsize> {
    Server::bind("127.0.0.1:0").unwrap().start(&COUNT, AtomicUsize::new(0)).unwrap()
}

/// The text of the response to a request on a new connection, and the connection.
fn ask<S>(server: &ServerHandle<S>) -> (String, Client) {
    let mut client = Client::connect(server.address());
    client.send(GET);
    (client.response().text().to_owned(), client)
}

#[test]
fn the_handle_has_the_url_the_state_and_a_stop() {
    let server = start();
    let address = server.address();
    assert_eq!(server.url("/a?b"), format!("http://127.0.0.1:{}/a?b", address.port()));
    assert_eq!(server.url("a"), server.url("/a"));
    assert_eq!((ask(&server).0, server.state().load(Ordering::SeqCst)), ("0".into(), 1));
    server.stop().unwrap();
    assert!(std::net::TcpStream::connect(address).is_err());
    let everywhere = Server::bind("0.0.0.0:0").unwrap().start(&COUNT, AtomicUsize::new(0)).unwrap();
    let port = everywhere.address().port();
    assert_eq!(everywhere.url("/"), format!("http://127.0.0.1:{port}/"));
}

#[test]
fn an_open_connection_delays_the_stop_by_less_than_a_tenth_of_a_second() {
    let post = "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";
    // An idle connection; one that was refused and lingers; one that is closed and lingers; no
    // request.
    for request in [GET, "GET / HTTP/1.1\r\nHost : h\r\n\r\n", post, ""] {
        let fastest = (0..3).map(|_| {
            let server = start();
            let mut client = Client::connect(server.address());
            if !request.is_empty() {
                client.send(request);
                client.response();
            }
            let since = Instant::now();
            server.stop().unwrap();
            let took = since.elapsed();
            assert_eq!(client.read_to_end(), b"");
            took
        });
        let fastest = fastest.min().unwrap();
        assert!(fastest < Duration::from_millis(100), "{request:?}: {fastest:?}");
    }
}

/// What a client may have sent when its server is stopped, and how much is answered before.
const PARTS: [(&str, usize); 7] = [
    ("", 0),
    ("GET / HT", 0),
    ("GET / HTTP/1.1\r\nHost: h\r\n", 0),
    ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc", 0),
    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 0),
    ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 1),
    ("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\n", 1),
];

static COUNT_ALL: Routes<AtomicUsize> = routes(&[get("/", count), post("/", count)]);

/// How the connections of these exchanges ended.
fn ends(kept: &[KeptExchange]) -> Vec<String> {
    kept.iter().flat_map(|it| &it.ends).map(ToString::to_string).collect()
}

#[test]
fn a_connection_that_waits_for_a_request_or_for_its_rest_is_closed_at_once() {
    for (bytes, answered) in PARTS {
        let mut times = (0..10).map(|_| {
            let server = Server::bind("127.0.0.1:0").unwrap().keep(10);
            let exchanges = server.exchanges();
            let server = server.start(&COUNT_ALL, AtomicUsize::new(0)).unwrap();
            let mut client = Client::connect(server.address());
            client.send(bytes);
            (0..answered).for_each(|_| assert_eq!(client.response().status, 200));
            let has_arrived = || {
                let numbers = exchanges.numbers().into_iter();
                let kept = numbers.filter_map(|number| exchanges.get(number));
                kept.map(|kept| kept.request.total()).sum::<u64>() == bytes.len() as u64
            };
            let since = Instant::now();
            while !has_arrived() || exchanges.connections().is_empty() {
                assert!(since.elapsed() < TIMEOUT);
                thread::yield_now();
            }
            let since = Instant::now();
            server.stop().unwrap();
            let took = since.elapsed();
            assert_eq!(client.read_to_end(), b"", "nothing is wrong with the request: {bytes:?}");
            // The client has sent no FIN.
            let expected: &[&str] = if bytes.is_empty() { &[] } else { &["server closed"] };
            assert_eq!(ends(&exchanges.all()), expected, "{bytes:?}");
            took
        });
        // On a busy machine one of ten times is enough.
        assert!(times.any(|took| took < Duration::from_millis(40)), "{bytes:?}: not at once");
    }
}

#[test]
fn a_request_that_has_arrived_is_answered_before_the_stop() {
    for request in
        [GET.to_owned(), GET.replace("HTTP/1.1", &format!("HTTP/1.1\r\nX: {:10000}", "y"))]
    {
        for _ in 0..20 {
            let server = start();
            let mut client = Client::connect(server.address());
            client.send(&request);
            server.stop().unwrap();
            assert_eq!(client.response().text(), "0");
        }
    }
}

#[test]
fn two_hundred_servers_with_an_idle_client_each_do_not_wait_for_their_clients() {
    let servers: Vec<_> = (0..200).map(|_| start()).collect();
    let clients: Vec<Client> = servers.iter().map(|server| ask(server).1).collect();
    let since = Instant::now();
    drop(servers);
    // Each takes 50 ms if it waits for a client.
    assert!(since.elapsed() < TIMEOUT / 2, "{:?}", since.elapsed());
    for mut client in clients {
        assert_eq!(client.read_to_end(), b"");
    }
}

#[test]
fn a_test_that_panics_stops_its_server() {
    let (address, _) = panic::catch_unwind(|| {
        let server = start();
        panic::panic_any((server.address(), server.url("/")));
    })
    .unwrap_err()
    .downcast::<(std::net::SocketAddr, String)>()
    .map(|it| *it)
    .unwrap();
    assert!(std::net::TcpStream::connect(address).is_err());
    let (routes, state) = (Routes::new(vec![get("/", count)]).unwrap(), AtomicUsize::new(0));
    let server = Server::bind("127.0.0.1:0").unwrap();
    let address = server.address().unwrap();
    let scoped = panic::AssertUnwindSafe(|| {
        server.scoped(&routes, &state, |server| {
            assert_eq!(ask(server).0, "0");
            panic::panic_any("as the test wants");
        })
    });
    let result: Result<Result<(), _>, _> = panic::catch_unwind(scoped);
    assert!(result.is_err_and(|panic| panic.downcast_ref() == Some(&"as the test wants")));
    assert!(std::net::TcpStream::connect(address).is_err());
    assert_eq!(state.into_inner(), 1);
}

#[test]
fn a_scoped_server_borrows_its_table_and_its_state() {
    let (routes, state) = (Routes::new(vec![get("/", count)]).unwrap(), AtomicUsize::new(7));
    let server = Server::bind("127.0.0.1:0").unwrap().keep(1);
    let text = server.scoped(&routes, &state, |server| {
        let (text, _) = ask(server);
        assert_eq!(server.exchanges().wait_for(1, TIMEOUT).len(), 1);
        assert_eq!(server.state().load(Ordering::SeqCst), 8);
        text
    });
    assert_eq!((text.unwrap(), state.into_inner()), ("7".into(), 8));
}

static PANICS: Routes = routes(&[
    get("/", |_: &Request| Response::text("well")),
    get("/text", |_: &Request| panic!("as the test wants")),
    get("/assert", |request: &Request| {
        assert_eq!(request.field("X-A"), Some("1"), "the field");
        Response::text("")
    }),
    get("/written", |_: &Request| Response::written("a/b", |_| panic!("while it writes"))),
    get("/reader", |_: &Request| Response::stream("a/b", PanickingReader)),
])
.fallback(|_, _| panic!("the fallback's"));

struct PanickingReader;

impl Read for PanickingReader {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        panic!("while it is read");
    }
}

#[test]
fn a_handler_that_panics_is_an_error_of_the_stop() {
    let server = || Server::bind("127.0.0.1:0").unwrap();
    let get =
        |target: &str| format!("GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let ask = |address, target: &str| {
        let mut client = Client::connect(address);
        client.send(get(target));
        client.read_to_end()
    };
    for (target, expected) in [
        ("/", ""),
        ("/text", "the handler of GET /text panicked: as the test wants"),
        (
            "/assert",
            "the handler of GET /assert panicked: assertion `left == right` failed: the field",
        ),
        ("/written", "the handler of GET /written panicked: while it writes"),
        ("/reader", "the handler of GET /reader panicked: while it is read"),
        ("/missing", "the fallback handler panicked: the fallback's"),
    ] {
        let started = server().start(&PANICS, ()).unwrap();
        ask(started.address(), target);
        // The server goes on, and the first panic is told.
        assert!(ask(started.address(), "/").ends_with(b"\r\n\r\nwell"));
        if !expected.is_empty() {
            ask(started.address(), "/text");
        }
        let error = started.stop().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with(expected) && error.is_empty() == expected.is_empty(), "{error}");
        let scoped = server().scoped(&PANICS, &(), |server| ask(server.address(), target).len());
        let error = scoped.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with(expected) && error.is_empty() == expected.is_empty(), "{error}");
    }
}

#[test]
fn a_test_that_panics_prints_the_exchanges_and_a_drop_prints_that_a_handler_has_panicked() {
    let output = |name: &str| {
        // The harness captures what is printed, and shows it for a test that fails.
        let mut command = Command::new(std::env::current_exe().unwrap());
        let name = format!("handle::{name}");
        let output = command.args(["--exact", &name, "--ignored"]).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        (output.status.success(), stdout + &String::from_utf8_lossy(&output.stderr))
    };
    for name in ["fails_with_a_handle", "fails_with_a_scoped_server"] {
        let (is_passed, text) = output(name);
        let exchanges = "the exchanges of the server at 127.0.0.1:";
        assert!(!is_passed && text.contains(exchanges), "{text}");
        assert!(text.contains("\nGET /text HTTP/1.1\nHost: h\n\n<<< "), "{text}");
        let panic = "\nthe handler of GET /text panicked: as the test wants\n";
        assert_eq!(text.matches(panic).count(), 1, "{text}");
        assert_eq!(text.matches(exchanges).count(), 1, "nothing for a handle before: {text}");
    }
    let (is_passed, text) = output("fails_after_a_drop");
    let panic = "\nthe handler of GET /text panicked: as the test wants\n";
    assert!(!is_passed && text.contains(panic) && !text.contains("the exchanges of"), "{text}");
}

fn ask_text<S>(server: &ServerHandle<S>) {
    let mut client = Client::connect(server.address());
    client.send("GET /text HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.response().status, 500);
}

#[test]
#[ignore = "run by a test above, since it fails"]
fn fails_with_a_handle() {
    drop(Server::bind("127.0.0.1:0").unwrap().keep(9).start(&PANICS, ()).unwrap());
    let server = Server::bind("127.0.0.1:0").unwrap().keep(9).start(&PANICS, ()).unwrap();
    ask_text(&server);
    panic!("the test fails");
}

#[test]
#[ignore = "run by a test above, since it fails"]
fn fails_with_a_scoped_server() {
    let server = Server::bind("127.0.0.1:0").unwrap().keep(9);
    let _ = server.scoped(&PANICS, &(), |server| {
        ask_text(server);
        panic!("the test fails");
    });
}

#[test]
#[ignore = "run by a test above, since it fails"]
fn fails_after_a_drop() {
    let server = Server::bind("127.0.0.1:0").unwrap().keep(9).start(&PANICS, ()).unwrap();
    ask_text(&server);
    drop(server);
    panic!("the test fails");
}

#[test]
fn a_client_under_test_may_panic_with_the_handle() {
    let server = start();
    let client_under_test = || assert_eq!(ask(&server).0, "another text");
    assert!(panic::catch_unwind(client_under_test).is_err());
    assert_eq!(ask(&server).0, "1");
}

/// Opens when the test says so. A handler waits in it.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    changed: Condvar,
    entered: AtomicBool,
}

impl Gate {
    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

fn wait(request: &Request<Arc<Gate>>) -> Response {
    let gate = request.state();
    gate.entered.store(true, Ordering::SeqCst);
    drop(gate.changed.wait_while(gate.is_open.lock().unwrap(), |is_open| !*is_open).unwrap());
    Response::text("late")
}

static WAIT: Routes<Arc<Gate>> = routes(&[get("/", wait)]);

/// A server with a short grace time, and a client that waits for the handler.
fn waiting(gate: &Arc<Gate>) -> Server {
    gate.entered.store(false, Ordering::SeqCst);
    let limits = Limits { grace: Duration::from_millis(50), ..Limits::default() };
    Server::bind("127.0.0.1:0").unwrap().limits(limits)
}

fn until_entered(gate: &Gate, address: std::net::SocketAddr) -> Client {
    let mut client = Client::connect(address);
    client.send(GET);
    while !gate.entered.load(Ordering::SeqCst) {
        thread::yield_now();
    }
    client
}

#[test]
fn a_handler_that_does_not_return_is_left_behind_after_the_grace_time() {
    let gate = Arc::new(Gate::default());
    let server = waiting(&gate).keep(1);
    let exchanges = server.exchanges();
    let server = server.start(&WAIT, Arc::clone(&gate)).unwrap();
    let address = server.address();
    let mut client = until_entered(&gate, address);
    let since = Instant::now();
    let error = server.stop().unwrap_err();
    assert!(error.to_string().contains("left behind"), "{error}");
    assert!(since.elapsed() >= Duration::from_millis(50) && since.elapsed() < TIMEOUT);
    // Its connection is cut off, and no other is accepted.
    assert_eq!(client.read_to_end(), b"");
    assert!(std::net::TcpStream::connect(address).is_err());
    gate.open();
    // The response cannot be written. The client has done nothing.
    let kept = exchanges.wait_for(1, TIMEOUT);
    assert_eq!(ends(&kept), ["server closed"]);
}

#[test]
fn a_scoped_server_waits_for_a_handler_that_does_not_return_and_the_log_says_so() {
    if !is_started_by_a_test() {
        let output = this_test_program(
            "handle::a_scoped_server_waits_for_a_handler_that_does_not_return_and_the_log_says_so",
        )
        .env("RUST_LOG", "warn")
        .output()
        .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        assert!(stderr.contains(" not returned within the grace time"), "{stderr}");
        return;
    }
    env_logger::init();
    let (gate, is_over) = (Arc::new(Gate::default()), AtomicBool::new(false));
    let server = waiting(&gate);
    thread::scope(|scope| {
        let address = server.address().unwrap();
        let (gate, is_over) = (&gate, &is_over);
        let served = scope.spawn(move || {
            let result = server.scoped(&WAIT, gate, |server| until_entered(gate, server.address()));
            is_over.store(true, Ordering::SeqCst);
            result.map(drop)
        });
        while !gate.entered.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        // The port is closed when the stop has begun; the grace time is over some time after that.
        while std::net::TcpStream::connect(address).is_ok() {}
        thread::sleep(Duration::from_millis(200));
        assert!(!is_over.load(Ordering::SeqCst));
        gate.open();
        served.join().unwrap().unwrap();
    });
}

#[test]
fn two_hundred_servers_run_at_once_each_with_a_state_of_its_own() {
    let servers: Vec<ServerHandle<AtomicUsize>> = (0..200).map(|_| start()).collect();
    let mut clients = Vec::new();
    for round in 0..2 {
        for server in &servers {
            let (text, client) = ask(server);
            assert_eq!(text, round.to_string());
            clients.push(client);
        }
    }
    let ports: std::collections::HashSet<u16> =
        servers.iter().map(|server| server.address().port()).collect();
    assert_eq!(ports.len(), 200);
}

static ENDLESS: Routes<Stopper> = routes(&[get("/steps", stalled), get("/stream", ticks)]);

fn stalled(_: &Request<Stopper>) -> Response {
    Response::text("never").fault(Fault::StallAfter(0, Duration::from_secs(3600)))
}

fn ticks(request: &Request<Stopper>) -> Response {
    let stopper = request.state().clone();
    Response::written("a/b", move |out| {
        while !stopper.wait(Duration::from_millis(1)) {
            out.write_all(b"tick")?;
            out.flush()?;
        }
        Ok(())
    })
}

#[test]
fn a_response_without_end_delays_the_stop_by_less_than_a_tenth_of_a_second() {
    for path in ["/steps", "/stream"] {
        let fastest = (0..3).map(|_| {
            let server = Server::bind("127.0.0.1:0").unwrap();
            let stopper = server.stopper();
            let server = server.start(&ENDLESS, stopper).unwrap();
            let client = Client::connect(server.address());
            write!(&client.stream, "GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
            let mut head = [0; 12];
            (&client.stream).read_exact(&mut head).unwrap();
            assert_eq!(&head, b"HTTP/1.1 200");
            // The client keeps its socket open, and reads no more.
            let since = Instant::now();
            server.stop().unwrap();
            since.elapsed()
        });
        let fastest = fastest.min().unwrap();
        assert!(fastest < Duration::from_millis(100), "{path}: {fastest:?}");
    }
}

static UNREAD: Routes<Stopper> = routes(&[
    get("/stream", |request: &Request<Stopper>| {
        let stopper = request.state().clone();
        Response::written("a/b", move |out| {
            while !stopper.is_stopping() {
                out.write_all(&[b'x'; 64 * 1024])?;
            }
            Ok(())
        })
    }),
    get("/bytes", |_: &Request<Stopper>| Response::bytes("a/b", vec![b'x'; 30_000_000])),
    get("/reset", |_: &Request<Stopper>| {
        Response::bytes("a/b", vec![b'x'; 300_000]).fault(Fault::ResetAfter(300_000))
    }),
]);

#[test]
fn a_client_that_does_not_read_delays_the_stop_by_less_than_a_tenth_of_a_second() {
    if !cfg!(target_os = "linux") {
        return; // other systems do not tell what has arrived
    }
    for path in ["/stream", "/bytes", "/reset"] {
        let fastest = (0..3).map(|_| {
            let server = Server::bind("127.0.0.1:0").unwrap().keep_first(10, 0);
            let (stopper, exchanges) = (server.stopper(), server.exchanges());
            let server = server.start(&UNREAD, stopper).unwrap();
            let mut client = Client::connect(server.address());
            client.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
            (&client.stream).read_exact(&mut [0; 12]).unwrap();
            // The handler has returned, and the buffers of both sockets are full.
            let sent = || exchanges.get(1).map_or(0, |kept| kept.response.total());
            let (mut before, since) = (0, Instant::now());
            while sent() == 0 || sent() != before {
                assert!(since.elapsed() < TIMEOUT);
                before = sent();
                thread::sleep(Duration::from_millis(20));
            }
            let since = Instant::now();
            server.stop().unwrap();
            since.elapsed()
        });
        let fastest = fastest.min().unwrap();
        assert!(fastest < Duration::from_millis(100), "{path}: {fastest:?}");
    }
}

#[test]
fn a_reset_comes_after_the_bytes_before_it_also_if_the_client_is_slow() {
    if !cfg!(target_os = "linux") {
        return; // other systems do not tell what has arrived
    }
    let server = Server::bind("127.0.0.1:0").unwrap();
    let stopper = server.stopper();
    let server = server.start(&UNREAD, stopper).unwrap();
    let mut client = Client::connect(server.address());
    client.send("GET /reset HTTP/1.1\r\nHost: h\r\n\r\n");
    thread::sleep(Duration::from_millis(1300));
    let (mut received, mut buffer) = (Vec::new(), [0; 1000]);
    let end = loop {
        match (&client.stream).read(&mut buffer) {
            Ok(0) => break None,
            Ok(length) => received.extend_from_slice(&buffer[..length]),
            Err(error) => break Some(error.kind()),
        }
    };
    assert_eq!(end, Some(std::io::ErrorKind::ConnectionReset));
    let content = received.iter().rev().take_while(|&&byte| byte == b'x').count();
    assert_eq!(content, 300_000);
}

#[test]
fn times_without_a_limit_are_no_fault() {
    let longest = Limits {
        head_timeout: Duration::MAX,
        content_timeout: Duration::MAX,
        idle_timeout: Duration::MAX,
        write_timeout: Duration::MAX,
        grace: Duration::MAX,
        ..Limits::default()
    };
    let server = Server::bind("127.0.0.1:0").unwrap().limits(longest);
    let server = server.start(&COUNT_ALL, AtomicUsize::new(0)).unwrap();
    let (text, mut client) = ask(&server);
    assert_eq!(text, "0");
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n");
    client.send("x");
    assert_eq!(client.response().text(), "1");
    server.stop().unwrap();
}

#[test]
fn a_server_that_cannot_serve_is_an_error_of_its_start() {
    if !cfg!(unix) {
        return;
    }
    if !is_started_by_a_test() {
        let test = this_test_program("handle::a_server_that_cannot_serve_is_an_error_of_its_start");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]).arg(test.get_program());
        let variables = test.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let output = shell.args(test.get_args()).env_clear().envs(variables).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let servers = [(); 2].map(|()| Server::bind("127.0.0.1:0").unwrap());
    let mut taken = Vec::new();
    let mut take_all = || taken.extend((0..).map_while(|_| std::fs::File::open("/dev/null").ok()));
    take_all();
    let [started, scoped] = servers;
    let error = started.start(&COUNT, AtomicUsize::new(0)).map(drop).unwrap_err();
    assert!(error.to_string().starts_with("cannot serve: "), "{error}");
    take_all(); // those that the first server has given back
    let error = scoped.scoped(&COUNT, &AtomicUsize::new(0), |_| ()).unwrap_err();
    assert!(error.to_string().starts_with("cannot serve: "), "{error}");
}

#[test]
fn a_thousand_servers_in_a_row_leave_nothing() {
    if !is_started_by_a_test() {
        let name = "handle::a_thousand_servers_in_a_row_leave_nothing";
        let output = this_test_program(name).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let mut before = None;
    for round in 0..1000 {
        let server = start();
        if round % 10 == 0 {
            assert_eq!(ask(&server).0, "0");
        }
        server.stop().unwrap();
        before.get_or_insert_with(|| Resources::of(std::process::id()));
    }
    // The system removes a thread a moment after it was joined.
    let (before, since) = (before.unwrap(), Instant::now());
    loop {
        let after = Resources::of(std::process::id());
        if after.descriptors <= before.descriptors && after.threads <= before.threads {
            break;
        }
        assert!(since.elapsed() < TIMEOUT, "{before}; after 1,000 servers {after}");
        thread::yield_now();
    }
}

#[test]
fn a_server_that_keeps_nothing_says_what_to_call() {
    let server = start();
    let asked = panic::AssertUnwindSafe(|| drop(server.exchanges().all()));
    let panic = panic::catch_unwind(asked).unwrap_err();
    let text = panic.downcast_ref::<&str>().unwrap();
    assert!(text.contains("call `Server::keep`"), "{text}");
}

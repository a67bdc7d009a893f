//! Who is silent, slow or busy keeps nobody else out: below the cap, a new client is always served.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use openkitchen::{Request, Response, Routes, Server, ServerHandle, get, routes};

/// Far more than an answer takes, and less than any deadline of the server that could come to help.
const AT_ONCE: Duration = Duration::from_secs(5);

static ROUTES: Routes<Arc<Gate>> = routes(&[get("/", quick), get("/slow", slow)]);

/// Holds the slow handlers until it is opened.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

fn quick(_: &Request<Arc<Gate>>) -> Response {
    Response::text("quick")
}

fn slow(request: &Request<Arc<Gate>>) -> Response {
    let Gate { is_open, opened } = &**request.state();
    let is_open = is_open.lock().unwrap();
    drop(opened.wait_timeout_while(is_open, AT_ONCE, |is_open| !*is_open).unwrap());
    Response::text("slow")
}

fn server(gate: &Arc<Gate>) -> ServerHandle {
    Server::bind("127.0.0.1:0").unwrap().start(&ROUTES, Arc::clone(gate)).unwrap()
}

fn connect(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(AT_ONCE)).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// A new client's whole visit.
#[track_caller]
fn is_served(address: SocketAddr) {
    let mut stream = connect(address, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, at once");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer:?}");
}

#[test]
fn silent_connections_slow_heads_and_slow_handlers_keep_nobody_out() {
    let gate = Arc::new(Gate::default());
    let server = server(&gate);
    let address = server.address();
    let mut others = Vec::new();
    for _ in 0..60 {
        others.push(connect(address, b""));
        others.push(connect(address, b"GET / HTTP/1.1\r\nHo"));
        others.push(connect(address, b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n"));
        is_served(address);
    }
    // The server ends when its handlers have: let them go.
    *gate.is_open.lock().unwrap() = true;
    gate.opened.notify_all();
    drop(others);
}

#[test]
fn many_short_visits_beside_long_ones_are_all_served() {
    let server = server(&Arc::default());
    let address = server.address();
    let until = Instant::now() + Duration::from_secs(2);
    thread::scope(|scope| {
        for visitor in 0..8 {
            scope.spawn(move || {
                let mut kept = Vec::new();
                for visit in 0.. {
                    if Instant::now() > until {
                        break;
                    }
                    is_served(address);
                    if visit % 5 == visitor % 5 {
                        kept.push(connect(address, b"GET / HT"));
                    }
                    if kept.len() > 12 {
                        kept.clear();
                    }
                }
            });
        }
    });
}

//! Tests of accepting: silent clients, slow clients and busy handlers do not delay a new client, as long
//! as the connection limit is not reached.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use openkitchen::{Request, Response, Routes, Server, ServerHandle, get, routes};

/// The longest wait for a response. It allows for a busy machine. It is less than each timeout of the
/// server that could end a slow connection and so hide a fault.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

static ROUTES: Routes<Arc<Gate>> = routes(&[get("/", quick), get("/slow", slow)]);

/// Keeps the slow handlers waiting until it is opened.
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
    drop(opened.wait_timeout_while(is_open, RESPONSE_TIMEOUT, |is_open| !*is_open).unwrap());
    Response::text("slow")
}

fn server(gate: &Arc<Gate>) -> ServerHandle {
    Server::bind("127.0.0.1:0").unwrap().start(&ROUTES, Arc::clone(gate)).unwrap()
}

fn connect(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(RESPONSE_TIMEOUT)).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

/// Sends one request on a new connection. The response must arrive in time.
#[track_caller]
fn assert_served(address: SocketAddr) {
    let mut stream = connect(address, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("a response in time");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response:?}");
}

#[test]
fn silent_connections_slow_heads_and_slow_handlers_do_not_delay_a_new_client() {
    let gate = Arc::new(Gate::default());
    let server = server(&gate);
    let address = server.address();
    let mut others = Vec::new();
    for _ in 0..60 {
        others.push(connect(address, b""));
        others.push(connect(address, b"GET / HTTP/1.1\r\nHo"));
        others.push(connect(address, b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_served(address);
    }
    // The server stops only after its handlers have returned.
    *gate.is_open.lock().unwrap() = true;
    gate.opened.notify_all();
    drop(others);
}

#[test]
fn short_connections_beside_long_ones_are_all_served() {
    let server = server(&Arc::default());
    let address = server.address();
    let until = Instant::now() + Duration::from_secs(2);
    thread::scope(|scope| {
        for client in 0..8 {
            scope.spawn(move || {
                let mut kept = Vec::new();
                for exchange in 0.. {
                    if Instant::now() > until {
                        break;
                    }
                    assert_served(address);
                    if exchange % 5 == client % 5 {
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

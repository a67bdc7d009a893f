//! Tests of accepting: silent clients, slow clients and busy handlers do not delay a new client, as
//! long as the connection limit is not reached.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use openkitchen::{Limits, Request, Response, Routes, Server, ServerHandle, get, routes};

use crate::support::latency::Latencies;
use crate::support::process::TIMEOUT;

/// The longest wait for a response. It allows for a busy machine. It is less than each timeout of
/// the server that could end a slow connection and so hide a fault.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest wait of a slow handler. Only a test that fails lets it pass.
const HANDLER_TIMEOUT: Duration = Duration::from_secs(60);

/// The clients of the long test.
const SILENT: usize = 1_000;
const SLOW_HEADS: usize = 1_000;
const SLOW_HANDLERS: usize = 64;
const EXCHANGES: usize = 2_000;

static ROUTES: Routes<Arc<Gate>> = routes(&[get("/", quick), get("/slow", slow)]);

/// Keeps the slow handlers waiting until it is opened, and counts them.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
    handlers: AtomicUsize,
}

impl Gate {
    /// Lets the handlers return. The server stops only after they have returned.
    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

fn quick(_: &Request<Arc<Gate>>) -> Response {
    Response::text("quick")
}

fn slow(request: &Request<Arc<Gate>>) -> Response {
    let Gate { is_open, opened, handlers } = &**request.state();
    handlers.fetch_add(1, Ordering::SeqCst);
    let is_open = is_open.lock().unwrap();
    drop(opened.wait_timeout_while(is_open, HANDLER_TIMEOUT, |is_open| !*is_open).unwrap());
    Response::text("slow")
}

fn server(gate: &Arc<Gate>, limits: Limits) -> ServerHandle<Arc<Gate>> {
    let server = Server::bind("127.0.0.1:0").unwrap().limits(limits);
    server.start(&ROUTES, Arc::clone(gate)).unwrap()
}

fn connect(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).unwrap();
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
    let server = server(&gate, Limits::default());
    let address = server.address();
    let mut others = Vec::new();
    for _ in 0..60 {
        others.push(connect(address, b""));
        others.push(connect(address, b"GET / HTTP/1.1\r\nHo"));
        others.push(connect(address, b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_served(address);
    }
    gate.open();
    drop(others);
}

#[test]
fn short_connections_beside_long_ones_are_all_served() {
    let server = server(&Arc::default(), Limits::default());
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

fn measure_new_clients(address: SocketAddr) -> Latencies {
    let mut latencies = Latencies::default();
    (0..EXCHANGES).for_each(|_| latencies.measure(address));
    latencies
}

#[test]
#[ignore = "long: make soak"]
fn silent_and_slow_clients_and_64_slow_handlers_do_not_delay_new_clients() {
    let gate = Arc::new(Gate::default());
    let limits = Limits { connections: 2_100, head_timeout: 6 * TIMEOUT, ..Limits::default() };
    let server = server(&gate, limits);
    let address = server.address();
    println!("new clients of an idle server:     {}", measure_new_clients(address));

    let mut during_connects = Latencies::default();
    let mut open = |count, bytes: &[u8]| -> Vec<TcpStream> {
        let connect_and_measure = |number| {
            if number % 16 == 0 {
                during_connects.measure(address);
            }
            connect(address, bytes)
        };
        (0..count).map(connect_and_measure).collect()
    };
    let slow_handlers = open(SLOW_HANDLERS, b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
    let silent = open(SILENT, b"");
    let mut slow_heads = open(SLOW_HEADS, b"GET / HTTP/1.1\r\nX: ");
    println!("while the slow clients connect:    {during_connects}");

    let is_over = AtomicBool::new(false);
    let beside_all = thread::scope(|scope| {
        let send_slowly = || {
            while !is_over.load(Ordering::Relaxed) {
                let sent = slow_heads.iter_mut().filter_map(|head| head.write_all(b"x").ok());
                assert_eq!(sent.count(), SLOW_HEADS, "no head has timed out yet");
                thread::sleep(Duration::from_millis(100));
            }
        };
        scope.spawn(send_slowly);
        let latencies = measure_new_clients(address);
        is_over.store(true, Ordering::Relaxed);
        latencies
    });
    println!("beside all of the slow clients:    {beside_all}");
    assert_eq!(gate.handlers.load(Ordering::SeqCst), SLOW_HANDLERS);
    assert!(during_connects.are_in_time() && beside_all.are_in_time());

    gate.open();
    drop((slow_handlers, silent));
}

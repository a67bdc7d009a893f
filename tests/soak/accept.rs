//! Accepting under load: 2,000 silent or slow clients and 64 busy handlers do not delay new clients, as
//! long as the connection limit is not reached. tests/accept.rs is the short version.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use openkitchen::{Limits, Request, Response, Routes, Server, get, routes};

use super::measure::Latencies;
use super::process::TIMEOUT;

const SILENT: usize = 1_000;
const SLOW_HEADS: usize = 1_000;
const SLOW_HANDLERS: usize = 64;
const EXCHANGES: usize = 2_000;

static ROUTES: Routes<Arc<Gate>> = routes(&[get("/", quick), get("/slow", slow)]);

/// Keeps the slow handlers waiting until it is opened, at most for a minute, and counts them.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
    handlers: AtomicUsize,
}

fn quick(_: &Request<Arc<Gate>>) -> Response {
    Response::text("quick")
}

fn slow(request: &Request<Arc<Gate>>) -> Response {
    let Gate { is_open, opened, handlers } = &**request.state();
    handlers.fetch_add(1, Ordering::SeqCst);
    let is_open = is_open.lock().unwrap();
    drop(opened.wait_timeout_while(is_open, 6 * TIMEOUT, |is_open| !*is_open).unwrap());
    Response::text("slow")
}

fn connect(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).unwrap();
    stream.write_all(bytes).unwrap();
    stream
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
    let server = Server::bind("127.0.0.1:0").unwrap().limits(limits);
    let server = server.start(&ROUTES, Arc::clone(&gate)).unwrap();
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

    // The server stops only after its handlers have returned.
    *gate.is_open.lock().unwrap() = true;
    gate.opened.notify_all();
    drop((slow_handlers, silent));
}

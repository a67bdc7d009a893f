//! Below the cap, nobody is kept out by those who are silent, slow or busy, however many they are.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use openkitchen::{Limits, Request, Response, Routes, Server, get, routes};

use super::figures::Waits;
use super::process::TIMEOUT;

const SILENT: usize = 1_000;
const SLOW_HEADS: usize = 1_000;
const SLOW_HANDLERS: usize = 64;
const VISITS: usize = 2_000;

static ROUTES: Routes<Arc<Gate>> = routes(&[get("/", quick), get("/slow", slow)]);

/// Holds the slow handlers until it is opened, or for a minute, and counts them.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
    held: AtomicUsize,
}

fn quick(_: &Request<Arc<Gate>>) -> Response {
    Response::text("quick")
}

fn slow(request: &Request<Arc<Gate>>) -> Response {
    let Gate { is_open, opened, held } = &**request.state();
    held.fetch_add(1, Ordering::SeqCst);
    let is_open = is_open.lock().unwrap();
    drop(opened.wait_timeout_while(is_open, 6 * TIMEOUT, |is_open| !*is_open).unwrap());
    Response::text("slow")
}

fn connect(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

fn visits(address: SocketAddr) -> Waits {
    let mut waits = Waits::default();
    (0..VISITS).for_each(|_| waits.visit(address));
    waits
}

#[test]
#[ignore = "long: make soak"]
fn two_thousand_who_are_silent_or_slow_and_64_slow_handlers_keep_nobody_out() {
    let gate = Arc::new(Gate::default());
    let limits = Limits { connections: 2_100, head_timeout: 6 * TIMEOUT, ..Limits::default() };
    let server = Server::bind("127.0.0.1:0").unwrap().limits(limits);
    let server = server.start(&ROUTES, Arc::clone(&gate)).unwrap();
    let address = server.address();
    println!("new clients of an empty house: {}", visits(address));

    let mut coming = Waits::default();
    let mut crowd = |count, bytes: &[u8]| -> Vec<TcpStream> {
        let join = |number| {
            if number % 16 == 0 {
                coming.visit(address);
            }
            connect(address, bytes)
        };
        (0..count).map(join).collect()
    };
    let slow_handlers = crowd(SLOW_HANDLERS, b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
    let silent = crowd(SILENT, b"");
    let mut slow_heads = crowd(SLOW_HEADS, b"GET / HTTP/1.1\r\nX: ");
    println!("while the crowd comes in:      {coming}");

    let is_over = AtomicBool::new(false);
    let staying = thread::scope(|scope| {
        let drip = || {
            while !is_over.load(Ordering::Relaxed) {
                let sent = slow_heads.iter_mut().filter_map(|head| head.write_all(b"x").ok());
                assert_eq!(sent.count(), SLOW_HEADS, "none of them is late yet");
                thread::sleep(Duration::from_millis(100));
            }
        };
        scope.spawn(drip);
        let staying = visits(address);
        is_over.store(true, Ordering::Relaxed);
        staying
    });
    println!("beside all of them:            {staying}");
    assert_eq!(gate.held.load(Ordering::SeqCst), SLOW_HANDLERS);
    assert!(coming.are_well() && staying.are_well());

    // The server ends when its handlers have: let them go.
    *gate.is_open.lock().unwrap() = true;
    gate.opened.notify_all();
    drop((slow_handlers, silent));
}

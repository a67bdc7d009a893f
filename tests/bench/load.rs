//! # The load
//!
//! Two threads, or one for every two cores, share the connections. Each thread goes round its
//! connections: it reads the response on one, sends the next request there, and turns to the next. So
//! each connection has a request in flight almost all the time, and no thread has to be woken for each
//! response.
//!
//! Three designs with `std` alone were compared with wrk, which waits with epoll. The numbers are ratios
//! to a floor on two cores, for tiny_http, hyper and nginx.
//!
//! ```text
//!                                                keep-alive         short connections
//! wrk                                            0.65, 1.46, 1.57   0.48, 0.68, 0.81
//! this design                                    0.66, 1.38, 1.31   0.58, 0.84, 0.91
//! send on all connections, then read on all      0.57, 1.37, 1.26   good servers look alike
//! a thread for each connection                   0.58, 1.03, 0.90
//! ```
//! This design is closest to wrk. It shows smaller differences, and on keep-alive it puts hyper above
//! nginx. In the last design the wake-ups of the load hide those of the server.
//!
//! The load takes no more of the processor than wrk: 8.5 us for a request on keep-alive and 37 us on
//! short connections, where wrk takes 9 us and 41 us. This server sends both as many responses in a
//! second, within the noise of the machine. But the load sees a response only when the turn of its
//! connection has come. So the latencies are upper bounds, up to twice those that wrk measures, except
//! on one connection.
//!
//! A connection without a response does not hold up the others: after a short timeout the thread polls
//! all its connections, until it has found the responses that arrived meanwhile. No response in all of
//! the second half is an error. So is a response that has not the length of the first one, or does not
//! begin with a 200.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Barrier, RwLock};
use std::thread;
use std::time::{Duration, Instant};

/// How long a client waits to connect and to read, if it waits for one response only.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a thread of the load waits for one connection, before it polls all of them.
const READ_TIMEOUT: Duration = Duration::from_millis(20);

/// A pause when no connection has a response.
const POLL_PAUSE: Duration = Duration::from_millis(1);

/// Bytes of a client's stack: a burst has a thread for each of a thousand clients.
const STACK_BYTES: usize = 64 * 1024;

/// The first bytes of every good response.
const OK: &[u8] = b"HTTP/1.1 200 ";

/// What each connection sends and receives.
pub struct Load {
    pub address: SocketAddr,
    /// The bytes of one write: `depth` requests.
    pub requests: Vec<u8>,
    pub depth: usize,
    /// The length of one response.
    pub response_bytes: usize,
    /// Whether each request has a connection of its own.
    pub closes: bool,
}

/// The result of a load.
#[derive(Default)]
pub struct Outcome {
    pub answered: usize,
    pub errors: usize,
    pub duration: Duration,
    /// Time from before the write, or the connect, until the response is complete. Sorted.
    pub latencies: Vec<Duration>,
}

/// One of the load's connections, and those that replace it.
struct Connection {
    stream: Option<TcpStream>,
    read_timeout: Duration,
    /// Whether a read returns at once if there is nothing to read.
    is_polled: bool,
    sent_at: Instant,
    /// A buffer for all responses to one write, and how many of its bytes are received.
    responses: Vec<u8>,
    received: usize,
}

impl Load {
    /// Sends requests as quickly as the responses arrive, over `connections`, for `duration`.
    pub fn run(&self, connections: usize, duration: Duration) -> Outcome {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        let threads = (cores / 2).clamp(2, 16).min(connections);
        let (start, mut all) = (&Barrier::new(threads), Outcome::default());
        thread::scope(|scope| {
            let share =
                |thread| connections / threads + usize::from(thread < connections % threads);
            let spawn =
                |thread| scope.spawn(move || self.run_thread(share(thread), duration, start));
            let running: Vec<_> = (0..threads).map(spawn).collect();
            for thread in running {
                all.add(thread.join().expect("a thread of the load does not panic"));
            }
        });
        all.latencies.sort_unstable();
        all
    }

    fn run_thread(&self, share: usize, duration: Duration, start: &Barrier) -> Outcome {
        let mut outcome = Outcome::default();
        let mut connections: Vec<_> = (0..share).map(|_| self.connection(READ_TIMEOUT)).collect();
        if !self.closes {
            connections.iter_mut().for_each(|connection| connection.open(self.address));
        }
        start.wait();
        let started = Instant::now();
        connections.iter_mut().for_each(|connection| self.send(connection));
        let mut silent = 0; // connections in a row without a response
        for place in (0..share).cycle() {
            outcome.duration = started.elapsed();
            if outcome.duration >= duration {
                break;
            }
            let connection = &mut connections[place];
            match self.receive(connection) {
                Ok(()) => {
                    outcome.answered += self.depth;
                    outcome.latencies.push(connection.sent_at.elapsed());
                    connection.poll(false);
                }
                Err(error) if error.kind() != ErrorKind::WouldBlock => {
                    outcome.errors += self.depth;
                    connection.stream = None;
                }
                Err(_) if connection.is_polled => {
                    silent += 1;
                    if silent % share == 0 {
                        thread::sleep(POLL_PAUSE);
                    }
                    continue;
                }
                Err(_) => {
                    // The other responses may have arrived meanwhile.
                    connections.iter_mut().for_each(|connection| connection.poll(true));
                    continue;
                }
            }
            silent = 0;
            self.send(connection);
        }
        let is_late = |connection: &&Connection| connection.sent_at.elapsed() > duration / 2;
        outcome.errors += connections.iter().filter(is_late).count() * self.depth;
        outcome
    }

    /// `clients` that connect at the same moment, each in a thread of its own.
    pub fn burst(&self, clients: usize) -> Outcome {
        let (gate, mut all) = (RwLock::new(()), Outcome::default());
        thread::scope(|scope| {
            let closed = gate.write().expect("no thread has used the gate before");
            let client = || {
                drop(gate.read());
                let start = Instant::now();
                let stream = self.exchange()?;
                io::Result::Ok((stream, start.elapsed()))
            };
            let builder = || thread::Builder::new().stack_size(STACK_BYTES);
            let spawn = |_| builder().spawn_scoped(scope, client);
            let waiting: Vec<_> = (0..clients).map(spawn).collect();
            let start = Instant::now();
            drop(closed);
            let mut open = Vec::new(); // until all clients have a response
            for client in waiting {
                match client.map(|thread| thread.join().expect("a client does not panic")) {
                    Ok(Ok((stream, latency))) => {
                        open.push(stream);
                        all.latencies.push(latency);
                    }
                    Ok(Err(_)) | Err(_) => all.errors += 1,
                }
            }
            all.duration = start.elapsed();
        });
        all.latencies.sort_unstable();
        all
    }

    /// Opens connections that have one exchange each and then stay idle. Stops at the first error.
    pub fn open_idle(&self, connections: usize) -> Vec<TcpStream> {
        (0..connections).map_while(|_| self.exchange().ok()).collect()
    }

    /// Runs new clients with one exchange each, one after the other. Stops at the first error.
    pub fn run_new_clients(&self, clients: usize) -> Outcome {
        let mut outcome = Outcome::default();
        while outcome.errors == 0 && outcome.latencies.len() < clients {
            outcome.time(|| self.exchange().map(drop));
        }
        outcome
    }

    /// One exchange on a new connection.
    fn exchange(&self) -> io::Result<TcpStream> {
        let mut connection = self.connection(CLIENT_TIMEOUT);
        self.send(&mut connection);
        self.receive(&mut connection)?;
        connection.stream.ok_or_else(|| ErrorKind::NotConnected.into())
    }

    fn connection(&self, read_timeout: Duration) -> Connection {
        Connection {
            stream: None,
            read_timeout,
            is_polled: false,
            sent_at: Instant::now(),
            responses: vec![0; self.response_bytes * self.depth],
            received: 0,
        }
    }

    /// Sends the requests, on a new connection if there is none. [`Load::receive`] reports an error.
    fn send(&self, connection: &mut Connection) {
        connection.sent_at = Instant::now();
        connection.received = 0;
        if connection.stream.is_none() {
            connection.open(self.address);
        }
        let sent = connection.stream.as_mut().map(|stream| stream.write_all(&self.requests));
        if !matches!(sent, Some(Ok(()))) {
            connection.stream = None;
        }
    }

    /// Reads the responses. Returns `Ok` when they are complete.
    fn receive(&self, connection: &mut Connection) -> io::Result<()> {
        let stream = connection.stream.as_mut().ok_or(ErrorKind::NotConnected)?;
        while connection.received < connection.responses.len() {
            let read = stream.read(&mut connection.responses[connection.received..])?;
            connection.received += match read {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => count,
            };
        }
        let mut responses = connection.responses.chunks(self.response_bytes);
        let are_good = responses.all(|response| response.starts_with(OK));
        let is_over = !self.closes || stream.read(&mut [0])? == 0;
        if self.closes {
            connection.stream = None;
        }
        if are_good && is_over { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
    }
}

impl Connection {
    /// Connects. On an error the stream is `None`.
    fn open(&mut self, address: SocketAddr) {
        self.stream = open(address, self.read_timeout).ok();
        self.is_polled = false;
    }

    fn poll(&mut self, is_polled: bool) {
        if let (true, Some(stream)) = (is_polled != self.is_polled, &self.stream) {
            // It fails only for an invalid descriptor.
            let _ = stream.set_nonblocking(is_polled);
            self.is_polled = is_polled;
        }
    }
}

fn open(address: SocketAddr, read_timeout: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, CLIENT_TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(read_timeout))?;
    Ok(stream)
}

impl Outcome {
    fn add(&mut self, other: Outcome) {
        self.answered += other.answered;
        self.errors += other.errors;
        self.duration = self.duration.max(other.duration);
        self.latencies.extend(other.latencies);
    }

    /// Calls a function, and adds the time it takes as a latency.
    pub fn time(&mut self, act: impl FnOnce() -> io::Result<()>) {
        let start = Instant::now();
        match act() {
            Ok(()) => self.latencies.push(start.elapsed()),
            Err(_) => self.errors += 1,
        }
        self.latencies.sort_unstable();
    }

    /// The latency in microseconds that `percent` of all latencies do not exceed.
    pub fn percentile(&self, percent: usize) -> f64 {
        let place = self.latencies.len() * percent / 100;
        self.latencies.get(place).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
    }
}

/// The response to one request on a new connection, byte for byte. Content-Length says where it ends.
pub fn first_response(address: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let (mut stream, mut response) = (open(address, CLIENT_TIMEOUT)?, Vec::new());
    stream.write_all(request)?;
    let mut reader = BufReader::new(stream);
    while !response.ends_with(b"\r\n\r\n") {
        if reader.read_until(b'\n', &mut response)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    let head = String::from_utf8_lossy(&response).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|length| length.parse::<usize>().ok());
    let (true, Some(length)) = (response.starts_with(OK), length) else {
        let line = head.lines().next().unwrap_or_default();
        return Err(io::Error::other(format!("its response is {line}")));
    };
    let start = response.len();
    response.resize(start + length, 0);
    reader.read_exact(&mut response[start..])?;
    Ok(response)
}

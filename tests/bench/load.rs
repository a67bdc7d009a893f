//! # The load
//!
//! Two threads, or one for every two cores, share the connections among them. Each goes round its
//! own: it takes the answer of one, asks again there, and turns to the next. So every connection has
//! a request on its way at almost any time, and nobody needs to be woken for each answer.
//!
//! Three ways to do it with `std` alone were set beside wrk, which waits with epoll, on two cores, by
//! the ratios of known servers to a floor (tiny_http, hyper, nginx; wrk: 0.65, 1.46, 1.57 on
//! keep-alive, 0.48, 0.68, 0.81 on short connections). This one gave 0.66, 1.38, 1.31 and 0.58, 0.84,
//! 0.91: the same order, a little closer together, since the load takes more of the shared cores. To
//! ask everywhere and then to listen everywhere gave 0.57, 1.37, 1.26 and made good servers look
//! alike on short connections; a thread for each connection gave 0.58, 1.03, 0.90, for its own
//! wake-ups cover the server's.
//!
//! Every answer is as long as the first and begins with a 200, or it is an error, and so is silence.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Barrier, RwLock};
use std::thread;
use std::time::{Duration, Instant};

/// Silence after which an answer counts as lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client's stack, where there is a thread for each of a thousand of them.
const STACK: usize = 64 * 1024;

/// What each connection does.
pub struct Load {
    /// What goes out in one write: one request, or more.
    pub requests: Vec<u8>,
    pub depth: usize,
    /// The length of one answer.
    pub answer: usize,
    /// Whether each request has a connection of its own.
    pub closes: bool,
}

/// What came of it.
#[derive(Default)]
pub struct Outcome {
    pub answered: usize,
    pub errors: usize,
    pub took: Duration,
    /// How long each waited: from before the write, or the connect, until the answer is whole.
    pub waits: Vec<Duration>,
}

impl Load {
    /// Asks as quickly as the answers come, over so many connections, for so long.
    pub fn run(&self, address: SocketAddr, connections: usize, lasts: Duration) -> Outcome {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        let threads = (cores / 2).clamp(2, 16).min(connections);
        let (start, mut all) = (Barrier::new(threads), Outcome::default());
        thread::scope(|scope| {
            let share =
                |thread| connections / threads + usize::from(thread < connections % threads);
            let start = &start;
            let running: Vec<_> = (0..threads)
                .map(|thread| {
                    scope.spawn(move || self.go_round(address, share(thread), lasts, start))
                })
                .collect();
            for thread in running {
                all.add(thread.join().expect("a thread of the load does not panic"));
            }
        });
        all.waits.sort_unstable();
        all
    }

    fn go_round(
        &self,
        address: SocketAddr,
        share: usize,
        lasts: Duration,
        start: &Barrier,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let mut answers = vec![0; self.answer * self.depth];
        let opened = || if self.closes { None } else { open(address).ok() };
        let mut lines: Vec<_> = (0..share).map(|_| (opened(), Instant::now())).collect();
        start.wait();
        let began = Instant::now();
        for (stream, asked) in &mut lines {
            *asked = Instant::now();
            self.ask(address, stream);
        }
        loop {
            for (stream, asked) in &mut lines {
                let heard = self.hear(stream, &mut answers);
                let now = Instant::now();
                if heard.is_ok() {
                    outcome.answered += self.depth;
                    outcome.waits.push(now - *asked);
                } else {
                    outcome.errors += self.depth;
                }
                if heard.is_err() || self.closes {
                    *stream = None;
                }
                outcome.took = now - began;
                if outcome.took >= lasts {
                    return outcome;
                }
                *asked = now;
                self.ask(address, stream);
            }
        }
    }

    /// As many clients as that connect at the same moment, each in a thread of its own.
    pub fn burst(&self, address: SocketAddr, clients: usize) -> Outcome {
        let (gate, mut all) = (RwLock::new(()), Outcome::default());
        thread::scope(|scope| {
            let shut = gate.write().expect("nobody has held the gate before");
            let client = || {
                drop(gate.read());
                let asked = Instant::now();
                let mut stream = None;
                self.ask(address, &mut stream);
                let heard = self.hear(&mut stream, &mut vec![0; self.answer * self.depth]);
                heard.map(|()| (stream, asked.elapsed()))
            };
            let spawn = |_| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, client);
            let waiting: Vec<_> = (0..clients).map(spawn).collect();
            let began = Instant::now();
            drop(shut);
            let mut open = Vec::new(); // until all are answered
            for client in waiting {
                match client.map(|thread| thread.join().expect("a client does not panic")) {
                    Ok(Ok((stream, wait))) => {
                        open.push(stream);
                        all.waits.push(wait);
                    }
                    Ok(Err(_)) | Err(_) => all.errors += 1,
                }
            }
            all.took = began.elapsed();
        });
        all.waits.sort_unstable();
        all
    }

    /// Connections that were answered once and are then left open, as far as there are such.
    pub fn hold(&self, address: SocketAddr, connections: usize) -> Vec<TcpStream> {
        (0..connections).map_while(|_| self.answered_once(address).ok()).collect()
    }

    /// One request and its answer.
    pub fn answered_once(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let mut stream = None;
        self.ask(address, &mut stream);
        self.hear(&mut stream, &mut vec![0; self.answer * self.depth])?;
        stream.ok_or_else(|| ErrorKind::NotConnected.into())
    }

    /// Sends, on a new connection where there is none. What fails here is missed in [`Load::hear`].
    fn ask(&self, address: SocketAddr, stream: &mut Option<TcpStream>) {
        if stream.is_none() {
            *stream = open(address).ok();
        }
        let sent = stream.as_mut().map(|stream| stream.write_all(&self.requests));
        if !matches!(sent, Some(Ok(()))) {
            *stream = None;
        }
    }

    fn hear(&self, stream: &mut Option<TcpStream>, answers: &mut [u8]) -> io::Result<()> {
        let stream = stream.as_mut().ok_or(ErrorKind::NotConnected)?;
        stream.read_exact(answers)?;
        let are_good =
            answers.chunks(self.answer).all(|answer| answer.starts_with(b"HTTP/1.1 200 "));
        let is_over = !self.closes || stream.read(&mut [0])? == 0;
        if are_good && is_over { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
    }
}

fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

impl Outcome {
    fn add(&mut self, other: Outcome) {
        self.answered += other.answered;
        self.errors += other.errors;
        self.took = self.took.max(other.took);
        self.waits.extend(other.waits);
    }

    /// Does it, and takes the time.
    pub fn time(&mut self, act: impl FnOnce() -> io::Result<()>) {
        let began = Instant::now();
        match act() {
            Ok(()) => self.waits.push(began.elapsed()),
            Err(_) => self.errors += 1,
        }
        self.waits.sort_unstable();
    }

    /// The wait in microseconds that so many of a hundred did not exceed.
    pub fn percentile(&self, of_hundred: usize) -> f64 {
        let place = self.waits.len() * of_hundred / 100;
        self.waits.get(place).map_or(f64::NAN, |wait| wait.as_secs_f64() * 1e6)
    }
}

/// The first answer to a request, byte for byte: its head, and content of the length it tells.
pub fn first_answer(address: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let (mut stream, mut answer) = (open(address)?, Vec::new());
    stream.write_all(request)?;
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        answer.extend_from_slice(&byte);
    }
    let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize =
        length.and_then(|length| length.parse().ok()).ok_or(ErrorKind::InvalidData)?;
    let start = answer.len();
    answer.resize(start + length, 0);
    stream.read_exact(&mut answer[start..])?;
    Ok(answer)
}

//! # The load
//!
//! Two threads, or one for every two cores, share the connections among them. Each goes round its
//! own: it takes the answer of one, asks again there, and turns to the next. So every connection has
//! a request on its way at almost any time, and nobody needs to be woken for each answer.
//!
//! Three ways to do it with `std` alone were set beside wrk, which waits with epoll, on two cores, by
//! the ratios of known servers to a floor (tiny_http, hyper, nginx; wrk: 0.65, 1.46, 1.57 on
//! keep-alive, 0.48, 0.68, 0.81 on short connections). This one gave 0.66, 1.38, 1.31 and 0.58, 0.84,
//! 0.91: the same order, a little closer together. To ask everywhere and then to listen everywhere
//! gave 0.57, 1.37, 1.26 and made good servers look alike on short connections; a thread for each
//! connection gave 0.58, 1.03, 0.90, for its own wake-ups cover the server's.
//!
//! The load holds the servers up no more than wrk does. For a request it takes 8.5 us of the processor
//! on keep-alive and 37 us on short connections, where wrk takes 9 us and 41 us, and within the
//! machine's noise this server gives both as many answers in a second. An answer is seen when its
//! turn has come, though: the waits are upper bounds, up to twice those that wrk sees, but where
//! there is one connection.
//!
//! Who is silent for long does not hold up the others: they are looked at in passing until all that
//! were answered meanwhile are found. Silence in all of the second half is an error, and so is every
//! answer that is not as long as the first, or does not begin with a 200.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Barrier, RwLock};
use std::thread;
use std::time::{Duration, Instant};

/// Silence after which an answer counts as lost, where it is all that is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Silence after which the load turns to others.
const TURN: Duration = Duration::from_millis(20);

/// A pause when all are silent.
const MOMENT: Duration = Duration::from_millis(1);

/// A client's stack, where there is a thread for each of a thousand of them.
const STACK: usize = 64 * 1024;

/// How every good answer begins.
const OK: &[u8] = b"HTTP/1.1 200 ";

/// What each connection does.
pub struct Load {
    pub address: SocketAddr,
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

/// One of the load's connections, and those that come after it in its place.
struct Line {
    stream: Option<TcpStream>,
    /// How long it waits for the next byte.
    patience: Duration,
    /// Whether it is looked at in passing, and not waited for at all.
    is_polled: bool,
    asked: Instant,
    /// The answers, as far as they have come.
    answers: Vec<u8>,
    heard: usize,
}

impl Load {
    /// Asks as quickly as the answers come, over so many connections, for so long.
    pub fn run(&self, connections: usize, lasts: Duration) -> Outcome {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        let threads = (cores / 2).clamp(2, 16).min(connections);
        let (start, mut all) = (&Barrier::new(threads), Outcome::default());
        thread::scope(|scope| {
            let share =
                |thread| connections / threads + usize::from(thread < connections % threads);
            let go = |thread| scope.spawn(move || self.go_round(share(thread), lasts, start));
            let running: Vec<_> = (0..threads).map(go).collect();
            for thread in running {
                all.add(thread.join().expect("a thread of the load does not panic"));
            }
        });
        all.waits.sort_unstable();
        all
    }

    fn go_round(&self, share: usize, lasts: Duration, start: &Barrier) -> Outcome {
        let mut outcome = Outcome::default();
        let mut lines: Vec<Line> = (0..share).map(|_| self.line(TURN)).collect();
        if !self.closes {
            lines.iter_mut().for_each(|line| line.open(self.address));
        }
        start.wait();
        let began = Instant::now();
        lines.iter_mut().for_each(|line| self.ask(line));
        let mut silent = 0; // so many in a row
        for place in (0..share).cycle() {
            outcome.took = began.elapsed();
            if outcome.took >= lasts {
                break;
            }
            let line = &mut lines[place];
            match self.hear(line) {
                Ok(()) => {
                    outcome.answered += self.depth;
                    outcome.waits.push(line.asked.elapsed());
                    line.poll(false);
                }
                Err(error) if error.kind() != ErrorKind::WouldBlock => {
                    outcome.errors += self.depth;
                    line.stream = None;
                }
                Err(_) if line.is_polled => {
                    silent += 1;
                    if silent % share == 0 {
                        thread::sleep(MOMENT);
                    }
                    continue;
                }
                Err(_) => {
                    // The others may have been answered meanwhile.
                    lines.iter_mut().for_each(|line| line.poll(true));
                    continue;
                }
            }
            silent = 0;
            self.ask(line);
        }
        let is_late = |line: &&Line| line.asked.elapsed() > lasts / 2;
        outcome.errors += lines.iter().filter(is_late).count() * self.depth;
        outcome
    }

    /// As many clients as that connect at the same moment, each in a thread of its own.
    pub fn burst(&self, clients: usize) -> Outcome {
        let (gate, mut all) = (RwLock::new(()), Outcome::default());
        thread::scope(|scope| {
            let shut = gate.write().expect("nobody has held the gate before");
            let client = || {
                drop(gate.read());
                let asked = Instant::now();
                let stream = self.answered_once()?;
                io::Result::Ok((stream, asked.elapsed()))
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
    pub fn hold(&self, connections: usize) -> Vec<TcpStream> {
        (0..connections).map_while(|_| self.answered_once().ok()).collect()
    }

    /// New clients, one after the other, until one finds no answer.
    pub fn ask_anew(&self, clients: usize) -> Outcome {
        let mut outcome = Outcome::default();
        while outcome.errors == 0 && outcome.waits.len() < clients {
            outcome.time(|| self.answered_once().map(drop));
        }
        outcome
    }

    /// One request and its answer.
    fn answered_once(&self) -> io::Result<TcpStream> {
        let mut line = self.line(PATIENCE);
        self.ask(&mut line);
        self.hear(&mut line)?;
        line.stream.ok_or_else(|| ErrorKind::NotConnected.into())
    }

    fn line(&self, patience: Duration) -> Line {
        let answers = vec![0; self.answer * self.depth];
        Line { stream: None, patience, is_polled: false, asked: Instant::now(), answers, heard: 0 }
    }

    /// Sends, on a new connection where there is none. What fails here is missed in [`Load::hear`].
    fn ask(&self, line: &mut Line) {
        line.asked = Instant::now();
        line.heard = 0;
        if line.stream.is_none() {
            line.open(self.address);
        }
        let sent = line.stream.as_mut().map(|stream| stream.write_all(&self.requests));
        if !matches!(sent, Some(Ok(()))) {
            line.stream = None;
        }
    }

    /// Takes what has come of the answers; once they are whole, it is over.
    fn hear(&self, line: &mut Line) -> io::Result<()> {
        let stream = line.stream.as_mut().ok_or(ErrorKind::NotConnected)?;
        while line.heard < line.answers.len() {
            line.heard += match stream.read(&mut line.answers[line.heard..])? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => count,
            };
        }
        let are_good = line.answers.chunks(self.answer).all(|answer| answer.starts_with(OK));
        let is_over = !self.closes || stream.read(&mut [0])? == 0;
        if self.closes {
            line.stream = None;
        }
        if are_good && is_over { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
    }
}

impl Line {
    /// Where it fails there is no connection.
    fn open(&mut self, address: SocketAddr) {
        self.stream = open(address, self.patience).ok();
        self.is_polled = false;
    }

    fn poll(&mut self, is_polled: bool) {
        if let (true, Some(stream)) = (is_polled != self.is_polled, &self.stream) {
            // It fails on nothing but a descriptor that is none.
            let _ = stream.set_nonblocking(is_polled);
            self.is_polled = is_polled;
        }
    }
}

/// `patience`: how long a read waits.
fn open(address: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(patience))?;
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
    let (mut stream, mut answer) = (open(address, PATIENCE)?, Vec::new());
    stream.write_all(request)?;
    let mut reader = BufReader::new(stream);
    while !answer.ends_with(b"\r\n\r\n") {
        if reader.read_until(b'\n', &mut answer)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|length| length.parse::<usize>().ok());
    let (true, Some(length)) = (answer.starts_with(OK), length) else {
        let line = head.lines().next().unwrap_or_default();
        return Err(io::Error::other(format!("it said {line}")));
    };
    let start = answer.len();
    answer.resize(start + length, 0);
    reader.read_exact(&mut answer[start..])?;
    Ok(answer)
}

//! # Mock: plays the server of a transcript, to test a client
//!
//! What does a client do when the response is cut, never arrives, or is not HTTP?
//!
//! ```text
//! >>>
//! GET / HTTP/1.1
//! Host: h
//!
//! <<<
//! HTTP/1.1 200 OK
//! Content-Length: 100
//!
//! only this\
//! --- server closed          curl: (18) transfer closed with 91 bytes remaining to read
//! ```
//! Rule: the server waits until as many messages are complete as the transcript has, because no two
//! clients send the same fields; then it reports what differs. What the server sends is exact: each
//! block is one write, after the waits of the transcript, and then the event.
//!
//! ```
//! # use std::io::{Read, Write};
//! # use std::net::{TcpListener, TcpStream};
//! # use std::thread;
//! use openkitchen::Mock;
//! use openkitchen::play::mock::MockVerdict;
//!
//! let page = ">>>\nGET / HTTP/1.1\nHost: h\n\n<<<\nHTTP/1.1 204 No Content\n\n--- server closed\n";
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let mock = thread::spawn(move || Mock::parse(page)?.play(listener, |line| println!("{line}")));
//! # fn client_under_test(address: std::net::SocketAddr) -> std::io::Result<String> {
//! #     let mut client = TcpStream::connect(address)?;
//! #     client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
//! #     let mut response = String::new();
//! #     client.read_to_string(&mut response)?;
//! #     Ok(response)
//! # }
//!
//! assert_eq!(client_under_test(address)?, "HTTP/1.1 204 No Content\r\n\r\n");
//! assert_eq!(mock.join().unwrap()?, MockVerdict::AsWritten);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! Each connection is played by a thread of its own: the first that is accepted as the first in the
//! transcript, and so on. It is closed at once after its last step. A mock that loops keeps it, if
//! HTTP does, and the next request on it plays it again: clients that pool their connections need
//! no `Connection: close` in the page. [`Answers`](answers::Answers) are for a server with
//! handlers, where only the responses are data. Left out: the order between two connections.  Next:
//! `watch`.

pub mod answers;
mod connection;
mod differ;
mod session;

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::script;
use crate::message::counted::counted;
use crate::message::dialogue::Side;
use connection::MockConnection;
use session::{MockOutcome, SessionOptions};

/// The pause after a failed `accept`.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(10);

/// A time that can be added to the clock.
const MAX_TIMEOUT: Duration = Duration::from_secs(86_400 * 365);

/// How the connections of a mock went: the worst of them, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum MockVerdict {
    /// Each client did what the transcript has.
    #[default]
    AsWritten,
    /// A client did not connect, send or read in time.
    TimedOut,
    /// A client sent something else than the transcript has.
    Different,
}

/// A server that plays the server's side of a transcript.
pub struct Mock {
    connections: Vec<MockConnection>,
    loops: bool,
    timeout: Duration,
    verdict: Arc<SharedVerdict>,
}

/// The verdict so far, for another thread.
#[derive(Default)]
pub struct SharedVerdict(AtomicU8);

impl SharedVerdict {
    /// The verdict so far.
    pub fn get(&self) -> MockVerdict {
        match self.0.load(Ordering::SeqCst) {
            0 => MockVerdict::AsWritten,
            1 => MockVerdict::TimedOut,
            _ => MockVerdict::Different,
        }
    }

    /// Makes the verdict at least as bad as this one.
    pub fn raise(&self, to: MockVerdict) {
        self.0.fetch_max(to as u8, Ordering::SeqCst);
    }
}

impl Mock {
    /// Parses a transcript, and makes a mock of its server.
    ///
    /// # Errors
    /// A sentence with the line: it is no transcript, it leaves out bytes that the server sends, or it has no
    /// connection to play.
    pub fn parse(text: &str) -> Result<Mock, String> {
        let transcript = script::parse(text, Side::Server)?;
        let connections = MockConnection::all(&transcript.items);
        if connections.is_empty() {
            return Err("line 1: expected a connection to play, such as >>> or <<<".into());
        }
        let (loops, timeout, verdict) = (false, Duration::from_secs(30), Arc::default());
        Ok(Mock { connections, loops, timeout, verdict })
    }

    /// Plays again for each new connection, and for the next request on a connection that HTTP keeps
    /// open, without end. A connection on which a client sends nothing is no difference: some open one
    /// more than they use.
    pub fn looping(self) -> Mock {
        Mock { loops: true, ..self }
    }

    /// Sets the longest wait for the client: to connect, to send, to read. It is 30 seconds if not set, and
    /// a year at most.
    pub fn timeout(self, timeout: Duration) -> Mock {
        Mock { timeout: timeout.min(MAX_TIMEOUT), ..self }
    }

    /// The verdict so far, for another thread.
    pub fn verdict(&self) -> Arc<SharedVerdict> {
        Arc::clone(&self.verdict)
    }

    /// Accepts as many connections as the transcript has, or any number if it loops, and plays each in a
    /// thread of its own. Each connection that is over is reported, in lines of text.
    ///
    /// # Errors
    /// A sentence: a thread cannot be created.
    pub fn play(
        self,
        listener: TcpListener,
        report: impl Fn(&str) + Clone + Send + 'static,
    ) -> Result<MockVerdict, String> {
        self.play_on(vec![listener], report)
    }

    /// Does the same on several listeners: the connections are those of all of them. When the
    /// transcript is played, a listener on which no more connection arrives stays open.
    ///
    /// # Errors
    /// See [`Mock::play`].
    pub fn play_on(
        self,
        listeners: Vec<TcpListener>,
        report: impl Fn(&str) + Clone + Send + 'static,
    ) -> Result<MockVerdict, String> {
        self.accept(listeners, report)
            .map_err(|error| format!("cannot create a thread for a connection: {error}"))
    }

    fn accept(
        self,
        listeners: Vec<TcpListener>,
        report: impl Fn(&str) + Clone + Send + 'static,
    ) -> io::Result<MockVerdict> {
        let Mock { connections, loops, timeout, verdict } = self;
        let options = SessionOptions { timeout, may_keep: loops };
        let wanted = if loops { usize::MAX } else { connections.len() };
        let (accepted, streams) = mpsc::sync_channel(0);
        for listener in listeners {
            let accepted = accepted.clone();
            // The thread owns the listener, so the port is closed after the last connection.
            thread::Builder::new().name("accept".into()).spawn(move || {
                for _ in 0..wanted {
                    let stream = loop {
                        match listener.accept() {
                            Ok((stream, _)) => break stream,
                            // The connection was reset already, or no descriptor is free.
                            Err(_) => thread::sleep(ACCEPT_RETRY_DELAY),
                        }
                    };
                    if accepted.send(stream).is_err() {
                        return;
                    }
                }
            })?;
        }
        let mut sessions: Vec<JoinHandle<()>> = Vec::new();
        let connections = Arc::new(connections);
        for number in 0..wanted {
            let next = loop {
                match streams.recv_timeout(timeout) {
                    // A client may open its next connection when the one before is finished.
                    Err(RecvTimeoutError::Timeout)
                        if loops || sessions.iter().any(|session| !session.is_finished()) => {}
                    next => break next,
                }
            };
            let Ok(stream) = next else {
                let due = counted(connections.len(), "connection was", "connections were");
                let count = sessions.len();
                report(&format!("{count} of {due} opened, then none for {timeout:?}"));
                verdict.raise(MockVerdict::TimedOut);
                break;
            };
            let (connections, verdict) = (Arc::clone(&connections), Arc::clone(&verdict));
            let report = report.clone();
            let play = move || {
                play_sessions(&stream, number, &connections, options, &verdict, &report);
            };
            sessions.push(thread::Builder::new().name("session".into()).spawn(play)?);
            if loops {
                sessions.clear(); // there may be many, and none is joined
            }
        }
        for session in sessions {
            if session.join().is_err() {
                verdict.raise(MockVerdict::Different); // the panic was printed on stderr
            }
        }
        Ok(verdict.get())
    }
}

/// Plays one connection, and again for each further request if it is kept. Reports how each ended, in
/// lines of text. `number` counts the accepted connections from 0.
fn play_sessions(
    stream: &TcpStream,
    number: usize,
    connections: &[MockConnection],
    options: SessionOptions,
    verdict: &SharedVerdict,
    report: &impl Fn(&str),
) {
    let script = &connections[number % connections.len()];
    let mut name = match number < connections.len() {
        true => format!("@{}", script.number),
        false => format!("@{} as connection {}", script.number, number + 1),
    };
    for round in 1_u64.. {
        let outcome = session::play(stream, script, options);
        let MockOutcome { differences, timed_out, is_unused, is_kept } = outcome;
        if is_unused && options.may_keep {
            report(&format!("{name}: nothing was played, because the client sent no byte\n"));
            return;
        }
        match (differences.is_empty(), timed_out.is_none()) {
            (true, true) => {}
            (true, false) => verdict.raise(MockVerdict::TimedOut),
            (false, _) => verdict.raise(MockVerdict::Different),
        }
        let mut remarks: Vec<String> = differences.into_iter().chain(timed_out).collect();
        if remarks.is_empty() {
            remarks.push("as written".into());
        }
        report(&remarks.iter().map(|remark| format!("{name}: {remark}\n")).collect::<String>());
        if !is_kept || !session::has_next_request(stream, options.timeout) {
            return;
        }
        if round == 1 {
            name += ", again";
        }
    }
}

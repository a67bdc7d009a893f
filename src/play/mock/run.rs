//! # A mock that plays: it accepts connections, and plays each in a thread of its own
//!
//! ```text
//! MockRun       accepts; a thread for each connection
//! StartedMock   a run beside a test
//! ```
//! Everything that waits for a client ends when the mock is stopped: the thread in `accept`, a read, and,
//! after a moment, a write to a client that does not read.  Next: `session`.

use std::io;
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::connection::MockConnection;
use super::control::MockControl;
use super::differ::MockDifference;
use super::report::{MockEvent, MockReport, MockVerdict, MockedConnection};
use super::session::{self, MockOutcome, MockSocket, SessionOptions};
use crate::message::counted::counted;
use crate::message::dialogue::Side;
use crate::net::connections::Identity;
use crate::net::observer::{End, Observer, Tapped};
use crate::net::start_error::StartError;
use crate::observe::follower::{end_event, lock};
use crate::play::crossed::{Crossed, MAX_KEPT_BYTES};
use crate::sys::{self, Listener};
use crate::transcript::Transcript;

/// The pause after a failed `accept`.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(10);

/// How often a stop looks whether the threads in `accept` are over.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The time for a connection of a started mock to itself, which wakes its thread in `accept`.
const WAKE_TIMEOUT: Duration = Duration::from_millis(100);

/// The time in which the connections of a mock that loops end after its last request.
const FINISH_TIME: Duration = Duration::from_secs(1);

/// A mock that runs beside a test: see [`Mock::start`](super::Mock::start).
/// [`finish`](StartedMock::finish) tells how it went.
///
/// Dropped without `finish`, it stops at once, and does not wait for a client that has not come. If a
/// client has sent something else than the transcript has, the drop panics with the report, so that the
/// test fails. If the test panics already, the drop prints the report on stderr instead.
#[must_use = "dropping the mock stops it; `finish` tells how it went"]
pub struct StartedMock {
    address: SocketAddr,
    run: Arc<MockRun>,
    kept: Arc<Mutex<MockReport>>,
    thread: Option<JoinHandle<()>>,
}

impl StartedMock {
    /// Starts this mock on this listener.
    pub(super) fn new(setup: MockSetup, listener: Listener) -> Result<StartedMock, StartError> {
        let failed = |error: io::Error| StartError::new("cannot start the mock", error);
        let address = listener.address().map_err(failed)?;
        let shutter = Mutex::new(sys::as_stream(&listener).map_err(failed)?);
        let waker = Some(MockWaker { address, shutter });
        let run = Arc::new(MockRun { waker, ..MockRun::new(setup) });
        let kept = Arc::new(Mutex::new(MockReport::default()));
        let (played, events) = (Arc::clone(&run), Arc::clone(&kept));
        let play = move || {
            let report = move |event| lock(&events).add(event);
            if let Err(error) = played.accept(vec![listener], report) {
                log::error!("the mock has stopped: {error}");
                played.control.raise(MockVerdict::TimedOut);
            }
        };
        let thread = sys::spawn("mock", play).map_err(failed)?;
        Ok(StartedMock { address, run, kept, thread: Some(thread) })
    }

    /// The address, with the port that the system has chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, such as `http://127.0.0.1:41233/menu`.
    ///
    /// ```
    /// # use openkitchen::Mock;
    /// let mock = Mock::parse("<<<\nHTTP/1.1 204 No Content\n\n")?.start()?;
    /// assert_eq!(mock.url("/menu"), format!("http://{}/menu", mock.address()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until the transcript is played, or until a client has not done its part in time: what
    /// differed, and what the client sent, byte for byte. A mock that loops is stopped.
    ///
    /// ```
    /// # use openkitchen::{Client, Mock};
    /// let mock = Mock::parse(">>>\nGET / HTTP/1.1\n\n<<<\nHTTP/1.1 204 No Content\n\n")?.start()?;
    /// # let mut client = Client::connect(mock.address())?;
    /// # client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    /// # client.response()?;
    /// // ... the client under test sends its request to `mock.url("/")` ...
    /// let played = mock.finish();
    /// assert!(played.passed(), "{played}");
    /// assert_eq!(played.received(), b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn finish(mut self) -> MockReport {
        match self.run.options.may_keep {
            true => self.run.stop(FINISH_TIME),
            false => self.run.control.begin_finish(),
        }
        self.join();
        mem::take(&mut *lock(&self.kept))
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            self.run.control.raise(MockVerdict::Different); // the panic was printed on stderr
        }
        lock(&self.kept).verdict = self.run.control.verdict();
    }
}

impl Drop for StartedMock {
    #[allow(clippy::print_stderr, reason = "a test that fails shows it, as it shows its panic")]
    fn drop(&mut self) {
        if self.thread.is_none() {
            return;
        }
        self.run.stop(Duration::ZERO);
        self.join();
        let report = mem::take(&mut *lock(&self.kept));
        match thread::panicking() {
            true if report.connections.is_empty() => {}
            true => eprintln!("the mock at {}: {report}", self.address),
            false if report.verdict() == MockVerdict::Different => {
                panic!("the mock was dropped without `finish`: {report}")
            }
            false => {}
        }
    }
}

/// What the thread that starts the sessions waits for.
enum Arrival {
    /// A client has connected.
    Opened(TcpStream, SocketAddr),
    /// A connection has its first byte, and so its transcript.
    Begun,
    /// The mock was stopped, so no client is accepted any more.
    Stopped,
}

/// A connection that is being played.
struct RunningSession {
    thread: JoinHandle<()>,
    /// Its socket, which the session closes.
    stream: Weak<TcpStream>,
    /// Whether it has its first byte, if the mock waits for that.
    has_begun: Arc<AtomicBool>,
}

/// What a mock plays, and how.
pub(super) struct MockSetup {
    pub connections: Vec<MockConnection>,
    /// How many transcripts they are of.
    pub pages: usize,
    pub options: SessionOptions,
    pub control: Arc<MockControl>,
    pub observers: Vec<Arc<dyn Observer>>,
}

/// A mock that plays.
pub(super) struct MockRun {
    connections: Vec<MockConnection>,
    options: SessionOptions,
    control: Arc<MockControl>,
    observers: Vec<Arc<dyn Observer>>,
    /// Whether each request takes the next transcript, also on a connection that is kept.
    takes_turns: bool,
    /// Whether a connection takes its transcript at its first byte. A client may open a spare one before,
    /// on which it sends nothing.
    waits_for_bytes: bool,
    /// How many connections of the transcripts were begun.
    begun: AtomicUsize,
    /// Wakes the thread of a started mock in `accept`.
    waker: Option<MockWaker>,
}

/// What ends an `accept` that waits.
struct MockWaker {
    address: SocketAddr,
    /// The listener. On Linux, its `shutdown` ends the wait.
    shutter: Mutex<Option<TcpStream>>,
}

impl MockWaker {
    fn wake(&self) {
        let shut = |socket: &TcpStream| socket.shutdown(Shutdown::Both).is_ok();
        if !lock(&self.shutter).as_ref().is_some_and(shut) {
            // On other systems a connection ends it.
            drop(TcpStream::connect_timeout(&self.address, WAKE_TIMEOUT));
        }
    }

    /// Lets go of the listener, so that the port is closed when its thread does so too.
    fn drop_shutter(&self) {
        lock(&self.shutter).take();
    }
}

impl MockRun {
    pub(super) fn new(setup: MockSetup) -> MockRun {
        let MockSetup { connections, pages, options, control, observers } = setup;
        let begun = AtomicUsize::new(0);
        let clients_begin = connections.iter().all(MockConnection::begins_with_client);
        let takes_turns = options.may_keep && pages > 1 && clients_begin;
        // The connections of one transcript are told apart by their order, so they cannot wait.
        let is_one_each = !options.may_keep && pages == connections.len();
        let clients_ask = connections.iter().all(MockConnection::begins_with_bytes);
        let waits_for_bytes = takes_turns || (is_one_each && clients_ask);
        let waker = None;
        MockRun {
            connections,
            options,
            control,
            observers,
            takes_turns,
            waits_for_bytes,
            begun,
            waker,
        }
    }

    /// Ends each wait of a started mock, and its connections within this time.
    fn stop(&self, time: Duration) {
        self.control.begin_stop();
        self.waker.iter().for_each(MockWaker::wake);
        self.control.stop(time);
    }

    pub(super) fn accept(
        self: &Arc<MockRun>,
        listeners: Vec<Listener>,
        report: impl Fn(MockEvent) + Clone + Send + 'static,
    ) -> io::Result<MockVerdict> {
        let (loops, timeout) = (self.options.may_keep, self.options.timeout);
        let wanted = if loops { usize::MAX } else { self.connections.len() };
        let most = if self.waits_for_bytes { usize::MAX } else { wanted };
        let (accepted, arrivals) = mpsc::sync_channel(0);
        let mut acceptors = Vec::new();
        for listener in listeners {
            let (accepted, run) = (accepted.clone(), Arc::clone(self));
            // The thread owns the listener, so the port is closed after the last connection.
            let accept = move || {
                for _ in 0..most {
                    let next = loop {
                        match listener.accept() {
                            Ok(next) => break next,
                            Err(_) if run.control.is_stopping() => {
                                return drop(accepted.send(Arrival::Stopped));
                            }
                            // The connection was reset already, or no descriptor is free.
                            Err(_) => thread::sleep(ACCEPT_RETRY_DELAY),
                        }
                    };
                    let (stream, peer) = next;
                    let arrival = Arrival::Opened(stream, peer);
                    let is_stopping = run.control.is_stopping();
                    let arrival = if is_stopping { Arrival::Stopped } else { arrival };
                    if accepted.send(arrival).is_err() || is_stopping {
                        return;
                    }
                }
                run.waker.iter().for_each(MockWaker::drop_shutter);
            };
            acceptors.push(sys::spawn("accept", accept)?);
        }
        let mut sessions: Vec<RunningSession> = Vec::new();
        let (mut count, mut begun) = (0, 0);
        while begun < wanted {
            let next = loop {
                match arrivals.recv_timeout(timeout) {
                    // A client may open its next connection when the one before is finished.
                    Err(RecvTimeoutError::Timeout)
                        if loops || sessions.iter().any(|it| !it.thread.is_finished()) => {}
                    next => break next,
                }
            };
            let (stream, peer) = match next {
                Ok(Arrival::Opened(stream, peer)) => (stream, peer),
                Ok(Arrival::Begun) => {
                    begun += 1;
                    continue;
                }
                Ok(Arrival::Stopped) | Err(_) => {
                    if !self.control.is_stopping() {
                        let due = self.connections.len();
                        let due = counted(due, "connection was", "connections were");
                        let what = if count > begun { "begun" } else { "opened" };
                        let missing = format!("{begun} of {due} {what}, then none for {timeout:?}");
                        report(MockEvent::Missing(missing));
                        self.control.raise(MockVerdict::TimedOut);
                    }
                    break;
                }
            };
            count += 1;
            begun += usize::from(!self.waits_for_bytes);
            let stream = Arc::new(stream);
            self.control.opened(&stream);
            let (run, report) = (Arc::clone(self), report.clone());
            let identity = Identity { number: count as u64, peer };
            let index = match self.waits_for_bytes {
                true => None, // not known yet
                false => Some(self.begun.fetch_add(1, Ordering::SeqCst)),
            };
            let (accepted, has_begun) = (accepted.clone(), Arc::new(AtomicBool::new(false)));
            let (socket, is_taken) = (Arc::downgrade(&stream), Arc::clone(&has_begun));
            let begin = move || {
                is_taken.store(true, Ordering::SeqCst);
                drop(accepted.send(Arrival::Begun));
            };
            let play = move || run.play_connection(&stream, identity, index, begin, &report);
            let thread = sys::spawn("session", play)?;
            sessions.push(RunningSession { thread, stream: socket, has_begun });
            // There may be many.
            let (over, open) = sessions.into_iter().partition(|it| it.thread.is_finished());
            self.join(over);
            sessions = open;
        }
        // Each transcript is taken. So a connection without a byte gets nothing, and one that comes now is
        // closed at once, and not when the last one ends.
        let waits = |it: &&RunningSession| !it.has_begun.load(Ordering::SeqCst);
        for spare in sessions.iter().filter(waits).filter(|_| self.waits_for_bytes && !loops) {
            spare.stream.upgrade().map(|stream| stream.shutdown(Shutdown::Both));
        }
        while sessions.iter().any(|it| !it.thread.is_finished()) {
            drop(arrivals.recv_timeout(STOP_POLL_INTERVAL));
        }
        self.join(sessions);
        drop(arrivals);
        if let Some(waker) = &self.waker {
            self.control.begin_stop();
            while acceptors.iter().any(|acceptor| !acceptor.is_finished()) {
                waker.wake();
                thread::sleep(STOP_POLL_INTERVAL);
            }
            acceptors.into_iter().for_each(|acceptor| self.join_thread(acceptor));
        }
        Ok(self.control.verdict())
    }

    fn join(&self, sessions: Vec<RunningSession>) {
        sessions.into_iter().for_each(|session| self.join_thread(session.thread));
    }

    fn join_thread(&self, thread: JoinHandle<()>) {
        if thread.join().is_err() {
            self.control.raise(MockVerdict::Different); // the panic was printed on stderr
        }
    }

    /// Plays the connection of the transcript with this index, and again for each further request if it
    /// is kept. Reports how each ended.
    fn play_connection(
        &self,
        stream: &TcpStream,
        client: Identity,
        index: Option<usize>,
        begin: impl Fn(),
        report: &impl Fn(MockEvent),
    ) {
        let log = Arc::new(CrossedLog::default());
        let mut observers = self.observers.clone();
        observers.push(Arc::clone(&log) as Arc<dyn Observer>);
        let tap = Tapped::new(stream, client, &observers);
        let mut socket = Some(MockSocket { stream, tap, control: &self.control });
        let connection = usize::try_from(client.number).unwrap_or(usize::MAX);
        let mut index = index.unwrap_or_default();
        if self.waits_for_bytes {
            // A connection on which nothing is sent takes no transcript.
            let has_request = socket
                .as_mut()
                .is_some_and(|open| session::has_next_request(open, self.options.timeout));
            if !has_request {
                drop(socket);
                let (crossed, received, left_out) = log.take();
                return report(MockEvent::Played(MockedConnection {
                    connection,
                    name: format!("connection {connection}"),
                    verdict: MockVerdict::AsWritten,
                    differences: Vec::new(),
                    notes: Vec::new(),
                    is_unused: true,
                    crossed,
                    received,
                    left_out,
                }));
            }
            index = self.begun.fetch_add(1, Ordering::SeqCst);
            begin();
            if !self.options.may_keep && index >= self.connections.len() {
                return; // each transcript is taken
            }
        }
        for round in 1_u64.. {
            let script = &self.connections[index % self.connections.len()];
            let Some(open) = &mut socket else { return };
            let outcome = session::play(open, script, &self.options);
            let MockOutcome { differences, timed_out, is_unused, is_kept } = outcome;
            if !is_kept {
                socket = None; // the tap sees the end
            }
            let is_unused = is_unused && self.options.may_keep;
            let verdict = match (differences.is_empty(), timed_out.is_none()) {
                _ if is_unused => MockVerdict::AsWritten,
                (true, true) => MockVerdict::AsWritten,
                (true, false) => MockVerdict::TimedOut,
                (false, _) => MockVerdict::Different,
            };
            self.control.raise(verdict);
            let timed_out = timed_out.map(MockDifference::new);
            let is_first = round == 1 && index < self.connections.len();
            let (crossed, received, left_out) = log.take();
            report(MockEvent::Played(MockedConnection {
                connection,
                name: self.name(script, index, round),
                verdict,
                differences: match is_unused {
                    true => Vec::new(),
                    false => differences.into_iter().chain(timed_out).collect(),
                },
                notes: if is_first { script.notes.clone() } else { Vec::new() },
                is_unused,
                crossed,
                received,
                left_out,
            }));
            let Some(open) = &mut socket else { return };
            if !session::has_next_request(open, self.options.timeout) {
                return;
            }
            if self.takes_turns {
                index = self.begun.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// What a report calls a connection that was played.
    fn name(&self, script: &MockConnection, index: usize, round: u64) -> String {
        let page = if script.page.is_empty() { "" } else { " " };
        let mut name = format!("{}{page}@{}", script.page, script.number);
        if index >= self.connections.len() && (round == 1 || self.takes_turns) {
            let what = if self.takes_turns { "for request" } else { "as connection" };
            name += &format!(" {what} {}", index + 1);
        }
        if round > 1 && !self.takes_turns {
            name += ", again";
        }
        name
    }
}

/// Keeps what crosses one connection.
#[derive(Default)]
struct CrossedLog(Mutex<LoggedBytes>);

struct LoggedBytes {
    crossed: Crossed,
    /// What the client has sent. It is kept apart, so that a long response leaves no byte of it out.
    received: Vec<u8>,
    /// How many bytes the client has sent after these.
    left_out: u64,
    server_ended: bool,
}

impl Default for LoggedBytes {
    fn default() -> LoggedBytes {
        let crossed = Crossed::new(1);
        LoggedBytes { crossed, received: Vec::new(), left_out: 0, server_ended: false }
    }
}

impl CrossedLog {
    /// What has crossed since the last call, and what of it the client has sent: the first bytes, and how
    /// many followed.
    fn take(&self) -> (Transcript, Vec<u8>, u64) {
        let logged = &mut *lock(&self.0);
        let server_ended = logged.server_ended;
        let LoggedBytes { crossed, received, left_out, .. } =
            mem::replace(logged, LoggedBytes { server_ended, ..LoggedBytes::default() });
        (crossed.transcript(), received, left_out)
    }
}

impl Observer for CrossedLog {
    fn received(&self, _: u64, bytes: &[u8]) {
        let logged = &mut *lock(&self.0);
        logged.crossed.bytes(Side::Client, bytes, Instant::now());
        let room = MAX_KEPT_BYTES - logged.received.len();
        let (kept, rest) = bytes.split_at(bytes.len().min(room));
        logged.received.extend_from_slice(kept);
        logged.left_out += rest.len() as u64;
    }

    fn sent(&self, _: u64, bytes: &[u8]) {
        lock(&self.0).crossed.bytes(Side::Server, bytes, Instant::now());
    }

    fn ended(&self, _: u64, end: End) {
        let logged = &mut *lock(&self.0);
        logged.crossed.event(end_event(end, logged.server_ended));
        logged.server_ended |= end.side() == Side::Server;
    }
}

//! # A session of `mock`: plays the server's side of one connection
//!
//! ```text
//! peek      the bytes that have arrived, and stay in the socket
//! read      those of them that the next step of the transcript has
//! ```
//! Rule: the session looks at bytes with `peek`, and reads only those that it has understood. So a request
//! that no step awaits is left for the next session.
//!
//! What follows the last step? A client may keep the connection for its next request. The session ends
//! the connection at once, so that this request is not awaited in vain; or, if the mock loops and HTTP
//! keeps the connection (RFC 9112 section 9.3), it leaves the request unread, for the next session.

use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::answers::delivery_step;
use super::connection::{AwaitedRequest, MockConnection};
use super::control::MockControl;
use super::differ::{self, MockDifference, RequestRules};
use crate::message::counted::counted;
use crate::message::dialogue::{Dialogue, Progress, Side};
use crate::message::head::Version;
use crate::message::persistence::Persistence;
use crate::message::requests::RequestCollector;
use crate::message::steps::DeliveryStep;
use crate::message::visible::Visible;
use crate::net::observer::Tapped;
use crate::net::steps::{self, AfterStep};
use crate::play::turns::{Step, ToReceive};
use crate::sys;
use crate::transcript::Assertion;
use crate::transcript::judge::{self, Judged};

/// How long the server still reads after its last step, if the client does not close its side. In this
/// time the client reads the rest, before the socket is closed.
const LINGER: Duration = Duration::from_millis(500);

/// The same, if the test waits for the end and all that was sent has arrived.
const LINGER_AT_FINISH: Duration = Duration::from_millis(50);

/// How often a server that lingers looks whether the test waits.
const LINGER_SLICE: Duration = Duration::from_millis(10);

/// Bytes of one read at most.
const READ_BYTES: usize = 64 * 1024;

/// Bytes that are kept if the client sends more than the transcript has: enough to show a difference.
const MAX_SURPLUS_BYTES: usize = 64 * 1024;

/// Bytes that are kept of requests whose bytes the transcript does not have, because it has assertions.
const MAX_JUDGED_BYTES: usize = 1024 * 1024;

/// Bytes of the surplus that are printed.
const SHOWN_BYTES: usize = 60;

/// How a session ended.
pub(super) struct MockOutcome {
    /// What was not as in the transcript.
    pub differences: Vec<MockDifference>,
    /// What the client did not do in time.
    pub timed_out: Option<String>,
    /// Whether the client has sent no byte before it closed the connection or was silent, and got none.
    pub is_unused: bool,
    /// Whether the connection is kept for the next request.
    pub is_kept: bool,
}

/// Why a session stopped before its last step.
enum MockStop {
    /// The client did not act in time; what was awaited.
    Stalled(String),
    /// The client closed or reset the connection; what was left to do.
    ClientLeft(String),
}

/// How a connection is played.
#[derive(Clone, Debug)]
pub(super) struct SessionOptions {
    /// The longest wait for the client.
    pub timeout: Duration,
    /// Whether the connection is kept for the next request, if HTTP keeps it.
    pub may_keep: bool,
    /// What of a request must be as in the transcript.
    pub rules: RequestRules,
}

/// A connection of a client: the socket, and the tap around it.
pub(super) struct MockSocket<'a> {
    pub stream: &'a TcpStream,
    pub tap: Tapped<'a, &'a TcpStream>,
    /// Says whether the mock is to stop: then each wait ends.
    pub control: &'a MockControl,
}

/// Plays a connection of the transcript.
pub(super) fn play(
    socket: &mut MockSocket<'_>,
    script: &MockConnection,
    options: &SessionOptions,
) -> MockOutcome {
    let mut session = Session {
        socket,
        script,
        options,
        is_kept: false,
        must_close: false,
        must_confirm: false,
        dialogue: Dialogue::new(),
        received: Vec::new(),
        request_ends: Vec::new(),
        heads: 0,
        requests: RequestCollector::default(),
        judged: Judged::default(),
        is_cut: false,
        untrue: Vec::new(),
        surplus: Vec::new(),
    };
    let stop = session.play().err();
    session.outcome(stop)
}

struct Session<'s, 'a> {
    socket: &'s mut MockSocket<'a>,
    script: &'s MockConnection,
    options: &'s SessionOptions,
    /// Whether the connection is kept after the last step.
    is_kept: bool,
    /// Whether a head says that the connection closes.
    must_close: bool,
    /// Whether the client speaks HTTP/1.0, and so takes the connection for closed unless a response
    /// says `keep-alive`.
    must_confirm: bool,
    /// What has crossed the connection.
    dialogue: Dialogue,
    /// What the client has sent, up to the last step.
    received: Vec<u8>,
    /// The end of each complete request in it.
    request_ends: Vec<u64>,
    /// The heads of requests in it, and the whole requests.
    heads: usize,
    requests: RequestCollector,
    /// The requests that assertions were tested on.
    judged: Judged,
    /// Whether more was received than is kept.
    is_cut: bool,
    /// The assertions that are not true, each in a sentence.
    untrue: Vec<String>,
    /// What the client sent and no step reads.
    surplus: Vec<u8>,
}

impl Session<'_, '_> {
    fn play(&mut self) -> Result<(), MockStop> {
        // Each write is sent at once, as a segment of its own. If the system refuses, the bytes arrive
        // all the same.
        let _ = self.socket.stream.set_nodelay(true);
        let _ = self.socket.stream.set_write_timeout(Some(self.options.timeout));
        let steps = &self.script.steps;
        for (at, step) in steps.iter().enumerate() {
            if let Some(awaited) = self.script.awaits.iter().find(|awaited| awaited.before == at) {
                self.read_request(awaited)?;
            }
            match step {
                Step::Open => {}
                // The server reads until the client has sent, so it needs no wait of the client.
                Step::Wait { by: Side::Client, .. } | Step::Silent { next: Side::Client, .. } => {}
                Step::Receive(ToReceive { position, .. }) => {
                    self.read(|session| {
                        session.has_reached(position)
                            || session.script.has_head_as_written(
                                position.total,
                                &session.received,
                                &session.request_ends,
                            )
                    })?;
                }
                Step::Assert { about, answered, assertions } => {
                    if *about == Side::Client {
                        self.judged.skip_requests(*answered);
                    }
                    self.read(|session| session.has_requests(*about, assertions))?;
                    self.test_assertions(*about, assertions);
                }
                Step::Send { bytes, .. } => self.write(bytes)?,
                Step::Silent { time, .. } => self.stall(*time),
                Step::Wait { .. } | Step::HalfClose => {
                    // A half-close fails if the client has closed before.
                    delivery_step(step).into_iter().for_each(|step| drop(self.take(&step)));
                }
                Step::Reset => return self.reset(),
                Step::Close => {
                    self.close();
                    return Ok(());
                }
                Step::AwaitEnd(_) => {
                    let is_assert = |step: &Step| matches!(step, Step::Assert { .. });
                    self.await_end(steps[at + 1..].iter().all(is_assert))?;
                }
            }
        }
        self.is_kept = self.options.may_keep && self.is_persistent();
        if !self.is_kept {
            self.close();
        }
        Ok(())
    }

    /// Waits until the client closes its side. If this is the last step, a further request ends the wait
    /// too: the client waits for its answer, and does not close.
    fn await_end(&mut self, is_last: bool) -> Result<(), MockStop> {
        let has_ended = match is_last && self.script.has_bytes() {
            true => !matches!(self.peek(&mut [0], self.options.timeout), Peek::Silence),
            false => self.read_rest(self.options.timeout),
        };
        match has_ended {
            true => Ok(()),
            false => Err(MockStop::Stalled("the client did not close the connection".into())),
        }
    }

    /// Whether each request is answered, and HTTP keeps the connection after that (RFC 9112 section 9.3).
    fn is_persistent(&self) -> bool {
        let is_lost = |side| self.dialogue.reader(side).is_lost();
        let says_end = |step: &Step| match step {
            Step::HalfClose => true,
            Step::Assert { assertions, .. } => assertions.contains(&Assertion::Closed),
            _ => false,
        };
        self.dialogue.requests() > 0
            && !self.dialogue.is_in_flight()
            && !is_lost(Side::Client)
            && !is_lost(Side::Server)
            && !self.must_close
            && !self.must_confirm
            && !self.script.steps.iter().any(says_end)
    }

    /// Ends the connection. What the client still sends is read, so that it gets no reset.
    fn close(&mut self) {
        drop(self.take(&DeliveryStep::HalfClose)); // fails if the client has closed before
        let since = Instant::now();
        while !self.read_rest(LINGER_SLICE) && !self.has_lingered(since.elapsed()) {}
    }

    fn has_lingered(&self, time: Duration) -> bool {
        let MockSocket { stream, control, .. } = &*self.socket;
        // Other systems do not tell what has arrived.
        let has_arrived = || cfg!(target_os = "linux") && sys::unacknowledged(stream) == 0;
        match control.is_finishing() && time >= LINGER_AT_FINISH && has_arrived() {
            true => true,
            false => control.is_stopping() || time >= LINGER,
        }
    }

    /// Reads until the client has sent enough. It may take the timeout to begin, and then as long again.
    fn read(&mut self, is_enough: impl Fn(&Self) -> bool) -> Result<(), MockStop> {
        let surplus = match self.script.has_assertions() {
            true => MAX_JUDGED_BYTES,
            false => MAX_SURPLUS_BYTES,
        };
        let limit = self.script.expected.len().saturating_add(surplus as u64);
        let mut buffer = vec![0; READ_BYTES];
        let timeout = self.options.timeout;
        let mut since: Option<Instant> = None;
        while !is_enough(self) {
            let left = timeout.saturating_sub(since.map_or(Duration::ZERO, |it| it.elapsed()));
            let seen = match self.peek(&mut buffer, left) {
                Peek::Bytes(length) if !left.is_zero() => &buffer[..length],
                Peek::Bytes(_) | Peek::Silence => {
                    return Err(MockStop::Stalled(self.request_so_far()));
                }
                Peek::End => return Err(MockStop::ClientLeft(self.request_so_far())),
            };
            since.get_or_insert_with(Instant::now);
            let room = limit.saturating_sub(self.received.len() as u64);
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let mut used = 0;
            while !is_enough(self)
                && let Some(range) = self.dialogue.next(Side::Client, &seen[used..])
            {
                let bytes = &seen[used..used + range.length];
                if let Some(head) = &range.head {
                    self.heads += 1;
                    let persistence = Persistence::of_fields(head.version, head.fields());
                    self.must_close |= persistence == Persistence::Close;
                    self.must_confirm |= head.version == Version::Http10;
                }
                self.requests.take(&range, &bytes[..bytes.len().min(room.saturating_sub(used))]);
                used += range.length;
                let total = self.dialogue.progress(Side::Client).total;
                self.request_ends.extend(range.ends_message.then_some(total));
            }
            self.is_cut |= used > room;
            self.received.extend_from_slice(&seen[..used.min(room)]);
            self.consume(&mut buffer[..used]);
        }
        Ok(())
    }

    /// Reads until any request is there, or cannot come any more.
    fn read_request(&mut self, awaited: &AwaitedRequest) -> Result<(), MockStop> {
        self.read(|session| {
            let received = match awaited.is_head_enough {
                true => session.heads,
                false => session.requests.whole().len(),
            };
            received >= awaited.number || session.is_lost()
        })?;
        if self.is_lost() {
            let what = match self.dialogue.reader(Side::Client).beyond() {
                Some(what) => format!("more than is followed here: {what}"),
                None => "no HTTP request".to_owned(),
            };
            self.untrue.push(format!("request {} is {what}", awaited.number));
        }
        Ok(())
    }

    /// Whether the client has sent what is no HTTP, so that no request can follow.
    fn is_lost(&self) -> bool {
        self.dialogue.reader(Side::Client).is_lost()
    }

    /// Whether the requests that assertions of a group are about are there, or cannot come any more.
    fn has_requests(&self, about: Side, assertions: &[Assertion]) -> bool {
        let first = match about {
            Side::Client => self.judged.requests(),
            Side::Server => self.judged.responses(),
        };
        let Some(nth) = on_requests(about, assertions).map(judge::nth).max() else { return true };
        self.requests.whole().len() >= first + nth || self.is_lost()
    }

    /// Tests those of these assertions that are about requests.
    fn test_assertions(&mut self, about: Side, assertions: &[Assertion]) {
        let requests = self.requests.whole();
        let mut judged = self.judged;
        let group = judged.next(about, requests, &[]);
        for assertion in on_requests(about, assertions) {
            if let Err(found) = group.judge(assertion) {
                let cut = if self.is_cut { " (only the first MiB is tested)" } else { "" };
                self.untrue.push(format!("`{assertion}` is not true: {found}{cut}"));
            }
        }
        if about == Side::Server {
            let sent = self.dialogue.progress(Side::Server).finals;
            judged = self.judged;
            judged.count_responses(usize::try_from(sent).unwrap_or(usize::MAX));
        }
        self.judged = judged;
    }

    fn has_reached(&self, position: &Progress) -> bool {
        self.dialogue.progress(Side::Client).has_reached(position)
    }

    fn request_so_far(&self) -> String {
        let end = self.request_ends.last().map_or(0, |&end| end as usize);
        let length = self.received.len().saturating_sub(end);
        let number = self.request_ends.len() + 1;
        let [one, many] = ["byte", "bytes"].map(|bytes| format!("{bytes} of request {number}"));
        let received = counted(length, &format!("{one} was"), &format!("{many} were"));
        format!("{received} received, and it is not complete")
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), MockStop> {
        let length = bytes.len();
        for head in
            self.dialogue.follow(Side::Server, bytes).iter().filter_map(|it| it.head.as_ref())
        {
            let persistence = Persistence::of_fields(head.version, head.fields());
            self.must_close |= persistence == Persistence::Close;
            self.must_confirm &= !head.fields().has_member("connection", "keep-alive");
        }
        match self.take(&DeliveryStep::Bytes(bytes.to_vec().into())) {
            Ok(_) => Ok(()),
            // After the stop the connection is shut.
            Err(error) if is_timeout(&error) || self.socket.control.is_stopping() => {
                let bytes = counted(length, "byte", "bytes");
                Err(MockStop::Stalled(format!("the client does not read {bytes}")))
            }
            Err(_) => {
                let bytes = counted(length, "byte was", "bytes were");
                Err(MockStop::ClientLeft(format!("{bytes} not sent")))
            }
        }
    }

    /// Takes a step, as a server takes those of a response.
    fn take(&mut self, step: &DeliveryStep) -> io::Result<AfterStep> {
        let MockSocket { tap, control, .. } = &mut *self.socket;
        steps::take(tap, step, self.options.timeout, &mut 0, || control.is_stopping())
    }

    /// Sends nothing for this time. It ends early if the client closes the connection.
    fn stall(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        if matches!(self.peek(&mut [0], time), Peek::Bytes(_)) {
            let left = deadline.saturating_duration_since(Instant::now());
            let _ = self.take(&DeliveryStep::Wait(left)); // it does not fail
        }
    }

    fn reset(&mut self) -> Result<(), MockStop> {
        let has_left = matches!(self.peek(&mut [0], Duration::ZERO), Peek::End);
        match has_left || self.take(&DeliveryStep::Reset).is_err() {
            true => Err(MockStop::ClientLeft("the server was to reset the connection".into())),
            false => Ok(()),
        }
    }

    /// Reads what still arrives, at most for this time. Returns whether the client has closed its side.
    /// If the socket were closed with unread bytes, the kernel would send RST, and the client could
    /// lose the response.
    fn read_rest(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.peek(&mut buffer, left) {
                Peek::End => return true,
                Peek::Silence => return false,
                Peek::Bytes(length) => {
                    self.consume(&mut buffer[..length]);
                    let room = MAX_SURPLUS_BYTES.saturating_sub(self.surplus.len());
                    self.surplus.extend_from_slice(&buffer[..length.min(room)]);
                }
            }
        }
    }

    fn peek(&mut self, buffer: &mut [u8], time: Duration) -> Peek {
        let peeked = peek(self.socket.stream, buffer, time, self.socket.control);
        if matches!(peeked, Peek::End) {
            let _ = self.socket.tap.read(&mut [0]); // the tap sees the end
        }
        peeked
    }

    /// Reads bytes that `peek` has seen. If there was a reset since then, the next `peek` reports it.
    fn consume(&mut self, seen: &mut [u8]) {
        let _ = self.socket.tap.read_exact(seen);
    }

    fn outcome(&self, stop: Option<MockStop>) -> MockOutcome {
        let mut differences: Vec<MockDifference> =
            self.untrue.iter().map(MockDifference::new).collect();
        if !self.script.has_assertions() {
            let (received, rules) = (&self.received, &self.options.rules);
            let difference =
                differ::first_difference(self.script, received, &self.request_ends, rules);
            differences.extend(difference);
        }
        let has_more = self.surplus.iter().any(|byte| !b"\r\n".contains(byte));
        if has_more && self.script.has_bytes() {
            let shown = &self.surplus[..self.surplus.len().min(SHOWN_BYTES)];
            let length = counted(self.surplus.len(), "byte", "bytes");
            let more = format!("the client sent more, {length}: {}", Visible(shown));
            differences.push(MockDifference::new(more));
        }
        let has_crossed = !self.received.is_empty()
            || !self.surplus.is_empty()
            || self.dialogue.progress(Side::Server).total > 0;
        let is_unused = stop.is_some() && !has_crossed;
        let mut timed_out = None;
        match stop {
            Some(MockStop::Stalled(what)) if self.socket.control.is_stopping() => {
                timed_out = Some(format!("the mock was stopped: {what}"));
            }
            Some(MockStop::Stalled(what)) => {
                timed_out = Some(format!("timed out after {:?}: {what}", self.options.timeout));
            }
            Some(MockStop::ClientLeft(what)) => {
                let early = format!("the client closed the connection early: {what}");
                differences.push(MockDifference::new(early));
            }
            None => {}
        }
        MockOutcome { differences, timed_out, is_unused, is_kept: self.is_kept }
    }
}

/// Waits for the next request on a connection that was kept. Returns false if the client has closed it
/// or sends none in time.
pub(super) fn has_next_request(socket: &mut MockSocket<'_>, timeout: Duration) -> bool {
    let next = peek(socket.stream, &mut [0], timeout, socket.control);
    if matches!(next, Peek::End) {
        let _ = socket.tap.read(&mut [0]); // the tap sees the end
    }
    matches!(next, Peek::Bytes(_))
}

enum Peek {
    Bytes(usize),
    /// No byte in time, or the mock is to stop.
    Silence,
    /// The client has closed its side, or reset the connection.
    End,
}

/// Looks at the received bytes without reading them, and waits for the first one. A mock that is to
/// stop has shut the reading half, and so ends the wait.
fn peek(stream: &TcpStream, buffer: &mut [u8], time: Duration, control: &MockControl) -> Peek {
    let is_stopping = || control.is_stopping();
    let since = Instant::now();
    loop {
        let left = time.saturating_sub(if is_stopping() { time } else { since.elapsed() });
        let slice = sys::read_slice(left);
        // std refuses a timeout of zero, since the system would wait for ever.
        let _ = stream.set_read_timeout(Some(slice.max(Duration::from_millis(1))));
        return match stream.peek(buffer) {
            Ok(0) if is_stopping() => Peek::Silence,
            Ok(0) => Peek::End,
            Ok(length) => Peek::Bytes(length),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if is_timeout(&error) && slice < left => continue,
            Err(error) if sys::is_shut(&error) => Peek::Silence,
            Err(error) if is_timeout(&error) => Peek::Silence,
            Err(_) => Peek::End,
        };
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Those assertions of a group that are about requests.
fn on_requests(about: Side, assertions: &[Assertion]) -> impl Iterator<Item = &Assertion> {
    assertions.iter().filter(move |assertion| assertion.about(about) == Some(Side::Client))
}

//! # Plays the client's side of a case, and compares what the server does
//!
//! Each step of the client is one of [`Turns`]. Where the client must wait, it waits for whole messages,
//! not for equal ones: what a response must be, only assertions say. If the transcript has none, it waits
//! for the bytes of the transcript.
//!
//! No wait is longer than the timeout plus the time that the transcript gives the server. So
//! `--- silent 10s` before a 408 is not slept through, but added to the timeout.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::case::Case;
use super::connection::{
    CheckState, CheckedConnection, ReceivedBound, counted_responses, different, end_of,
    no_response, require_complete, require_well_formed,
};
use crate::message::dialogue::Progress;
use crate::message::persistence::Persistence;
use crate::message::responses::ReceivedResponse;
use crate::play::clients::{ClientEvent, ClientEventKind, Clients, Ended, EventSource};
use crate::play::connect;
use crate::play::difference::Difference;
use crate::play::send::SendOutcome;
use crate::play::turns::{Step, ToReceive, Turn, Turns};
use crate::transcript::judge::{self, Found};
use crate::transcript::{
    Assertion, Block, Bytes, Event, EventKind, Item, Note, Side, Transcript, notes,
};

/// How long the client reads after the last expected byte: there must be no further bytes.
const SURPLUS_WAIT: Duration = Duration::from_millis(50);

/// The server under test.
pub struct CheckTarget {
    /// Its address, as `host:port`.
    pub authority: String,
    /// The socket addresses of that.
    pub addresses: Vec<SocketAddr>,
    /// The longest wait for anything, if the transcript does not give more time.
    pub timeout: Duration,
}

impl CheckTarget {
    /// The server at this address. The longest wait is two seconds.
    pub fn new(address: SocketAddr) -> CheckTarget {
        let timeout = Duration::from_secs(2);
        CheckTarget { authority: address.to_string(), addresses: vec![address], timeout }
    }
}

/// How a case went, as it was played.
#[derive(Debug, PartialEq)]
pub enum CheckOutcome {
    /// The server did what the transcript says.
    Passed,
    /// The case is about our lesson site, and this server has no such route; the status of its response.
    Skipped(u16),
    /// The server sent more than is followed here, so it is not known whether the case passes.
    NotFollowed(&'static str),
    /// The transcript does not say what the server should send, so nothing was sent.
    NothingToJudge,
    /// The server did something else.
    Failed {
        /// The first difference.
        difference: Difference,
        /// The number of the connection that has it.
        connection: u32,
        /// Whether something was sent and no byte was received.
        is_silent: bool,
    },
    /// No connection; the reason.
    Unreachable(String),
}

/// A case that was played: how it went, and what crossed.
#[derive(Debug, PartialEq)]
pub struct PlayedCase {
    /// How it went.
    pub outcome: CheckOutcome,
    /// What the server did with the requests. `None` if none was sent on a connection that was kept.
    pub answer: Option<SendOutcome>,
    /// What crossed, in order.
    pub crossed: Vec<SideBytes>,
    /// What happened besides, in order: waits of the client, and ends of connections.
    pub events: Vec<PlayedEvent>,
    /// The server's name for its software: the field `Server`, or else `X-Powered-By`.
    pub software: Option<String>,
}

/// Bytes of one side of a connection, until the other side sends or another connection is used.
#[derive(Clone, Debug, PartialEq)]
pub struct SideBytes {
    /// The number of the connection.
    pub connection: u32,
    /// The side that sent them.
    pub from: Side,
    /// The bytes; of the server's, the first 4 KiB.
    pub bytes: Vec<u8>,
    /// How many there were.
    pub length: usize,
    /// The time from the bytes before them on the connection, or from its start, to the first of them.
    pub took: Duration,
}

/// Something that happened besides bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlayedEvent {
    /// The number of the connection.
    pub connection: u32,
    /// What happened.
    pub kind: EventKind,
    /// How many [`SideBytes`] were before it.
    pub after: usize,
}

impl PlayedCase {
    /// What crossed and happened, as a transcript.
    pub fn transcript(&self) -> Transcript {
        let mut items = Vec::new();
        for index in 0..=self.crossed.len() {
            let events = self.events.iter().filter(|event| event.after == index);
            items.extend(events.map(|&PlayedEvent { connection, kind, .. }| {
                Item::Event(Event { connection, kind, note: Note::default() })
            }));
            items.extend(self.crossed.get(index).map(SideBytes::item));
        }
        Transcript { items }
    }
}

impl SideBytes {
    fn item(&self) -> Item {
        let SideBytes { connection, from, bytes, length, took } = self;
        let note = Note::new(&notes::crossed(*length as u64, 1, *took));
        let mut shown = Bytes::raw(bytes);
        shown.push_left_out((length - bytes.len()) as u64);
        Item::Block(Block { connection: *connection, from: *from, note, bytes: shown })
    }
}

/// What is kept of what crosses.
struct Kept {
    /// Bytes that are taken on one connection, and events that may wait for the player. With the
    /// largest reads, those are as many bytes.
    bound: ReceivedBound,
    queued_events: usize,
    /// Bytes of one side at a time, if it is the server's.
    bytes: usize,
    /// The pause after which bytes of the same side count as the next ones.
    pause: Duration,
}

/// Enough to show a head.
const HEADS: Kept =
    Kept { bound: ReceivedBound::JUDGED, queued_events: 256, bytes: 4096, pause: Duration::MAX };

/// For a case that is shown whole: what a server sends slowly is seen to come in pieces.
const WHOLE: Kept = Kept { bytes: 64 * 1024, pause: Duration::from_millis(50), ..HEADS };

/// The same for a person to look at: of more, nothing would be shown.
const SHOWN: Kept = Kept { bound: ReceivedBound::SHOWN, queued_events: 16, ..WHOLE };

/// Changes of side or connection after which what the server sends is not kept any more.
const MAX_CROSSED: usize = 1024;

/// Plays a case on new connections.
pub fn play(case: &Case, target: &CheckTarget) -> CheckOutcome {
    play_and_keep(case, target).outcome
}

/// Plays a case on new connections, and keeps what crosses.
pub fn play_and_keep(case: &Case, target: &CheckTarget) -> PlayedCase {
    CheckPlayer::new(case, target, HEADS).finish(|_| {})
}

/// Plays a case on new connections, and keeps what crosses, of each side up to 64 KiB. Where a response
/// says that the connection ends, it waits for the end.
pub fn play_to_end(case: &Case, target: &CheckTarget) -> PlayedCase {
    CheckPlayer::new(case, target, WHOLE).finish(CheckPlayer::await_ends)
}

/// Plays a case on new connections for a person to look at, and keeps what crosses, of each connection
/// up to 1 MiB. Where a response says that the connection ends, it waits for the end.
pub fn play_to_show(case: &Case, target: &CheckTarget) -> PlayedCase {
    CheckPlayer::new(case, target, SHOWN).finish(CheckPlayer::await_ends)
}

/// The connections on which the transcript shows bytes of the server.
fn shown(case: &Case) -> BTreeSet<u32> {
    let mut shown = BTreeSet::new();
    for item in &case.items {
        if let Item::Block(block) = item
            && block.from == Side::Server
        {
            shown.insert(block.connection);
        }
    }
    shown
}

/// The name that a server gives its software.
fn software(state: &CheckState) -> Option<String> {
    let response = state.responses.finals().first()?;
    let value = |name| response.values(name).into_iter().next();
    value("server").or_else(|| value("x-powered-by"))
}

/// Why a case stopped before its end.
enum PlayStop {
    Difference(Difference),
    Unreachable(String),
}

impl From<Difference> for PlayStop {
    fn from(difference: Difference) -> PlayStop {
        PlayStop::Difference(difference)
    }
}

struct CheckPlayer<'a> {
    case: &'a Case,
    target: &'a CheckTarget,
    clients: Clients<CheckState>,
    /// The connections on which the transcript shows bytes of the server.
    shown: BTreeSet<u32>,
    /// The connection that was played last.
    last: u32,
    /// Whether the server had time to send.
    has_waited: bool,
    crossed: Vec<SideBytes>,
    events: Vec<PlayedEvent>,
    /// When each connection was opened, or bytes last crossed it.
    last_bytes: BTreeMap<u32, Instant>,
    kept: Kept,
    /// The status of the last response before each group of assertions, with its connection.
    statuses: Vec<(u32, u16)>,
}

impl<'a> CheckPlayer<'a> {
    fn new(case: &'a Case, target: &'a CheckTarget, kept: Kept) -> CheckPlayer<'a> {
        CheckPlayer {
            case,
            target,
            clients: Clients::new(target.addresses.clone(), target.timeout, kept.queued_events),
            shown: shown(case),
            last: 1,
            has_waited: false,
            crossed: Vec::new(),
            events: Vec::new(),
            last_bytes: BTreeMap::new(),
            kept,
            statuses: Vec::new(),
        }
    }

    /// Plays the case, then does `after`.
    fn finish(mut self, after: impl Fn(&mut Self)) -> PlayedCase {
        let is_played = !self.case.has_nothing_to_judge;
        let (outcome, software) = match is_played {
            false => (CheckOutcome::NothingToJudge, None),
            true => {
                let stop = self.play().err();
                let software = self.clients.iter().find_map(|(_, client)| software(&client.state));
                (self.outcome(stop), software)
            }
        };
        after(&mut self);
        let answer = self.answer();
        let CheckPlayer { crossed, events, .. } = self;
        PlayedCase { outcome, answer, crossed, events, software }
    }

    /// What the server did with the requests, on all connections that the client has not closed.
    fn answer(&self) -> Option<SendOutcome> {
        let asked = || self.clients.iter().filter(|(_, client)| !client.state.sent.is_empty());
        let is_answered = |state: &CheckState| {
            let finals = state.responses.finals();
            finals.iter().any(|response| response.is_whole)
        };
        asked().next()?;
        Some(if asked().any(|(_, client)| is_answered(&client.state)) {
            SendOutcome::Answered
        } else if asked().any(|(_, client)| client.is_open()) {
            SendOutcome::Silent
        } else {
            SendOutcome::Closed
        })
    }

    /// Waits for the end of each connection on which the last response says that it ends, or bytes are
    /// no response.
    fn await_ends(&mut self) {
        let ends = |state: &CheckState| {
            if state.responses.fault().is_some() {
                return true;
            }
            let head = state.responses.finals().last().and_then(ReceivedResponse::outline);
            head.is_some_and(|head| {
                Persistence::of_fields(head.version, head.fields()) == Persistence::Close
            })
        };
        let ending: Vec<u32> = self
            .clients
            .iter()
            .filter(|(_, client)| client.is_open() && ends(&client.state))
            .map(|(number, _)| number)
            .collect();
        for number in ending {
            self.take_while(number, self.target.timeout, |_| true);
        }
    }

    fn play(&mut self) -> Result<(), PlayStop> {
        for Turn { connection, step } in Turns::new(&self.case.items, Side::Client) {
            self.step(connection, step)?;
        }
        if !self.case.has_assertions {
            let numbers: Vec<u32> = self.clients.iter().map(|(number, _)| number).collect();
            for number in numbers {
                self.compare_expected(number)?;
                self.compare_end(number)?;
            }
        }
        if self.case.has_one_status {
            self.compare_statuses()?;
        }
        Ok(())
    }

    fn outcome(&mut self, stop: Option<PlayStop>) -> CheckOutcome {
        let (difference, connection) = match stop {
            None => return CheckOutcome::Passed,
            Some(PlayStop::Unreachable(why)) => return CheckOutcome::Unreachable(why),
            Some(PlayStop::Difference(difference)) => (difference, self.last),
        };
        let Some(client) = self.clients.get_mut(connection) else {
            return CheckOutcome::Failed { difference, connection, is_silent: false };
        };
        let state = &client.state;
        if let Some(what) = state.beyond() {
            return CheckOutcome::NotFollowed(what);
        }
        match state.responses.finals().last().map(|response| response.status) {
            // Not found, not allowed, not implemented.
            Some(status @ (404 | 405 | 501)) if self.case.is_about_site => {
                CheckOutcome::Skipped(status)
            }
            _ => {
                let is_silent = self.has_waited && !state.sent.is_empty() && state.got().is_empty();
                CheckOutcome::Failed { difference, connection, is_silent }
            }
        }
    }

    /// Keeps that something happened besides bytes.
    fn keep_event(&mut self, connection: u32, kind: EventKind) {
        if self.events.len() < MAX_CROSSED {
            self.events.push(PlayedEvent { connection, kind, after: self.crossed.len() });
        }
    }

    /// Keeps bytes that have crossed.
    fn keep(&mut self, connection: u32, from: Side, bytes: &[u8], at: Instant) {
        let before = self.last_bytes.insert(connection, at).unwrap_or(at);
        let took = at.saturating_duration_since(before);
        let is_same = |it: &SideBytes| {
            it.connection == connection && it.from == from && took < self.kept.pause
        };
        if !self.crossed.last().is_some_and(is_same) {
            if from == Side::Server && self.crossed.len() >= MAX_CROSSED {
                return;
            }
            self.crossed.push(SideBytes { connection, from, bytes: Vec::new(), length: 0, took });
        }
        let Some(last) = self.crossed.last_mut() else { return };
        let room = match from {
            Side::Client => bytes.len(),
            Side::Server => self.kept.bytes.saturating_sub(last.bytes.len()),
        };
        last.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        last.length += bytes.len();
    }

    /// Tests that all groups of assertions were about responses with one status.
    fn compare_statuses(&self) -> Result<(), PlayStop> {
        let Some(&(connection, first)) = self.statuses.first() else { return Ok(()) };
        match self.statuses.iter().find(|(_, status)| *status != first) {
            None => Ok(()),
            Some((_, other)) => {
                let expected = format!("status {first}, as on @{connection}");
                Err(Difference::new(expected, format!("status {other}")).into())
            }
        }
    }

    fn step(&mut self, number: u32, step: Step) -> Result<(), PlayStop> {
        let client = self.client(number)?;
        match step {
            Step::Open => self.keep_event(number, EventKind::Open),
            Step::Send { bytes, .. } => self.send(number, &bytes)?,
            Step::Receive(ToReceive { bytes, position, is_awaited, .. }) => {
                client.state.expected.append(bytes);
                match is_awaited {
                    true if self.case.has_assertions => self.await_messages(number, &position)?,
                    true => self.compare_expected(number)?,
                    false => {}
                }
            }
            Step::Wait { time, by: Side::Server } | Step::Silent { time, next: Side::Server } => {
                client.state.extra_time += time;
            }
            Step::Wait { time, .. } => {
                self.keep_event(number, EventKind::Wait(time.into()));
                thread::sleep(time);
            }
            Step::Silent { time, .. } => {
                self.take_while(number, time, |_| true);
                self.keep_event(number, EventKind::Silent(time.into()));
            }
            Step::HalfClose => {
                client.half_close();
                self.keep_event(number, EventKind::HalfClose(Side::Client));
            }
            Step::Close => {
                self.clients.remove(number);
                self.keep_event(number, EventKind::Closed(Side::Client));
            }
            Step::Reset => {
                self.clients.reset(number);
                self.clients.remove(number);
                self.keep_event(number, EventKind::Reset(Side::Client));
            }
            Step::AwaitEnd(kind) => client.state.end = Some(kind),
            Step::Assert { about, answered, assertions } => {
                if about == Side::Client {
                    client.state.judged.skip_requests(answered);
                }
                self.test_assertions(number, about, answered, &assertions)?;
            }
        }
        Ok(())
    }

    /// Returns the connection with that number, and opens it if it is new.
    fn client(&mut self, number: u32) -> Result<&mut CheckedConnection, PlayStop> {
        self.last = number;
        self.last_bytes.entry(number).or_insert_with(Instant::now);
        let opened = self.clients.open(number);
        let client = opened.map_err(|error| PlayStop::Unreachable(connect::why(&error)))?;
        client.state.bound = self.kept.bound;
        Ok(client)
    }

    /// Returns the longest wait for the next bytes on that connection.
    fn timeout(&mut self, number: u32) -> Result<Duration, PlayStop> {
        let extra_time = self.client(number)?.state.extra_time;
        Ok(self.target.timeout.saturating_add(extra_time))
    }

    /// Sends bytes. If they cannot be sent, the server may have responded early and closed. That is no
    /// failure of the case: the response decides.
    fn send(&mut self, number: u32, bytes: &[u8]) -> Result<(), PlayStop> {
        let timeout = self.target.timeout;
        let client = self.client(number)?;
        client.state.extra_time = Duration::ZERO;
        client.state.sent.extend_from_slice(bytes);
        client.state.responses.sent(bytes);
        self.keep(number, Side::Client, bytes, Instant::now());
        let client = self.client(number)?;
        let (mut rest, mut last) = (bytes, Instant::now());
        while !rest.is_empty() {
            match client.write(rest) {
                Some(0) => break,
                Some(length) => (rest, last) = (&rest[length..], Instant::now()),
                None if last.elapsed() < timeout => {}
                None => break,
            }
        }
        client.is_write_closed |= !rest.is_empty();
        Ok(())
    }

    /// Takes what happens as long as the connection is open and `wanted` is true of it, at most for this
    /// time.
    fn take_while(
        &mut self,
        number: u32,
        time: Duration,
        wanted: impl Fn(&mut CheckState) -> bool,
    ) {
        self.has_waited = true;
        let deadline = Instant::now() + time;
        while let Some(client) = self.clients.get_mut(number) {
            let state = &mut client.state;
            let may_grow = !state.is_too_long() && client.ended == Ended::Open;
            if !may_grow || !wanted(state) {
                return;
            }
            let Some(ClientEvent { source, kind, at }) = self.clients.next(Some(deadline)) else {
                return;
            };
            let EventSource::Connection { number, .. } = source else { continue };
            match kind {
                ClientEventKind::Bytes(bytes) => self.keep(number, Side::Server, &bytes, at),
                ClientEventKind::End => self.keep_event(number, EventKind::Closed(Side::Server)),
                ClientEventKind::Reset => self.keep_event(number, EventKind::Reset(Side::Server)),
            }
        }
    }

    /// Waits until the responses have reached this position of the transcript.
    fn await_messages(&mut self, number: u32, position: &Progress) -> Result<(), PlayStop> {
        let timeout = self.timeout(number)?;
        let has_reached = |state: &CheckState| {
            state.responses.dialogue().progress(Side::Server).has_reached(position)
        };
        self.take_while(number, timeout, |state| {
            !has_reached(state) && state.responses.can_go_on()
        });
        let client = self.client(number)?;
        require_well_formed(client)?;
        // Within a message and after a switch, the transcript says nothing about the bytes of another
        // server.
        let says_nothing = !position.has_messages() || position.is_unframed();
        if has_reached(&client.state) || says_nothing {
            return Ok(());
        }
        let expected = "a response here, before the client sends more";
        Err(no_response(expected, client, timeout).into())
    }

    /// Waits for the bytes that the transcript has shown so far, and compares them.
    fn compare_expected(&mut self, number: u32) -> Result<(), PlayStop> {
        let timeout = self.timeout(number)?;
        self.take_while(number, timeout, |state| {
            (state.got().len() as u64) < state.expected.len() && !state.differs()
        });
        let client = self.client(number)?;
        let differs = client.state.differs();
        let CheckState { equal, expected, .. } = &client.state;
        if !differs && equal.expected == expected.len() {
            return Ok(());
        }
        let got = client.state.got();
        if differs {
            return Err(different(client, (got, equal.received), timeout).into());
        }
        let length = usize::try_from(expected.len()).unwrap_or(usize::MAX);
        let got = &got[..got.len().min(length)];
        Err(different(client, (got, got.len()), timeout).into())
    }

    /// Tests that the server sends no further bytes, and that the connection ends as the transcript
    /// says, if it says it.
    fn compare_end(&mut self, number: u32) -> Result<(), PlayStop> {
        let timeout = self.timeout(number)?;
        let client = self.client(number)?;
        let (end, equal) = (client.state.end, client.state.equal);
        let time = if end.is_some() { timeout } else { SURPLUS_WAIT };
        self.take_while(number, time, |state| state.got().len() == equal.received);
        let client = self.client(number)?;
        let got = client.state.got();
        if equal.received < got.len() {
            return Err(different(client, (got, equal.received), timeout).into());
        }
        let is_as_expected = match end {
            Some(EventKind::Reset(_)) => client.ended == Ended::Reset,
            Some(_) => client.ended == Ended::Closed,
            None => true,
        };
        match end {
            Some(kind) if !is_as_expected => {
                Err(Difference::new(kind.to_string(), end_of(client, timeout)).into())
            }
            _ => Ok(()),
        }
    }

    /// Tests assertions on the messages of this side since the last assertions.
    fn test_assertions(
        &mut self,
        number: u32,
        about: Side,
        answered: usize,
        assertions: &[Assertion],
    ) -> Result<(), PlayStop> {
        let timeout = self.timeout(number)?;
        let judged = self.client(number)?.state.judged;
        let wanted = judged.responses() + assertions.iter().map(judge::nth).max().unwrap_or(0);
        // A server may answer pipelined requests in one write. What the transcript shows below the group is
        // for the next one.
        let limit = match self.shown.contains(&number) {
            true => wanted.max(answered),
            false => usize::MAX,
        };
        if about == Side::Server {
            self.take_while(number, timeout, |state| {
                state.responses.finals().len() < wanted && state.responses.can_go_on()
            });
            let client = self.client(number)?;
            require_well_formed(client)?;
            if client.state.responses.finals().len() < wanted && client.state.is_cut() {
                client.state.responses.end(); // the head of the response is enough
            }
            require_complete(client)?;
        }
        self.count_as_judged(number, about, limit)?;
        for assertion in assertions {
            let differs = |got: String| Difference::new(assertion.to_string(), got);
            let client = self.client(number)?;
            match client.state.group(&mut judged.clone(), about).judge(assertion) {
                Ok(()) => {}
                Err(Found::Responses(_)) => {
                    return Err(no_response(assertion.to_string(), client, timeout).into());
                }
                Err(Found::Requests(count)) => {
                    return Err(differs(format!("{count} whole requests were sent")).into());
                }
                Err(found) => return Err(Difference::assertion(assertion, &found).into()),
            }
            match *assertion {
                Assertion::Closed => {
                    self.take_while(number, timeout, |_| true);
                    let client = self.client(number)?;
                    if client.ended == Ended::Open {
                        return Err(differs(end_of(client, timeout)).into());
                    }
                }
                Assertion::Open(time) => {
                    self.take_while(number, timeout, |state| !state.responses.is_answered());
                    self.take_while(number, time.into(), |_| true);
                    let client = self.client(number)?;
                    if client.ended != Ended::Open {
                        return Err(differs(end_of(client, timeout)).into());
                    }
                }
                Assertion::Message { .. } => {}
            }
        }
        if about == Side::Client {
            return Ok(());
        }
        require_well_formed(self.client(number)?)?;
        self.count_as_judged(number, about, limit)?;
        let state = &self.client(number)?.state;
        let responses = state.responses.finals().len();
        let allowed = state.responses.allowed_responses();
        if responses as u64 > allowed {
            let expected =
                format!("one response for each request: {}", counted_responses(allowed as usize));
            return Err(Difference::new(expected, counted_responses(responses)).into());
        }
        let judged = &state.responses.finals()[..state.judged.responses()];
        let last = judged.last().map(|response| (number, response.status));
        self.statuses.extend(last);
        Ok(())
    }

    /// Counts the messages of this side so far as judged; of the responses, so many at most.
    fn count_as_judged(&mut self, number: u32, about: Side, limit: usize) -> Result<(), PlayStop> {
        let state = &mut self.client(number)?.state;
        let mut judged = state.judged;
        match about {
            Side::Client => {
                state.group(&mut judged, about);
            }
            Side::Server => judged.count_responses(state.responses.finals().len().min(limit)),
        }
        state.judged = judged;
        Ok(())
    }
}

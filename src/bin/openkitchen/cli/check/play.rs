//! # Plays the client's side of a case, and compares what the server does
//!
//! The client sends what the transcript has. Where the transcript shows a response, the client waits
//! for one. Then the responses are compared.
//!
//! The client waits for whole messages, not for equal ones: what a response must be, only assertions
//! say. If the transcript has assertions, events of the server are not awaited. A reset by the client
//! is played as a close: [`raw_client`] uses std only, and std cannot reset a connection.
//!
//! No wait is longer than `--timeout` plus the time that the transcript gives the server. So
//! `--- silent 10s` before a 408 is not slept through, but added to the timeout.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use openkitchen::message::responses::ResponseCollector;
use openkitchen::transcript::judge::{self, Found};
use openkitchen::transcript::{Assertion, Block, Event, EventKind, Item, Side};

use super::case::Case;
use super::difference::{Difference, RECEIVED};
use super::expected::ExpectedBytes;
use super::raw_client::{self, Ended, MAX_RECEIVED_BYTES};
use crate::cli::address;
use crate::cli::script::next_side;

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

/// A connection, with its state in the transcript.
type PlayedClient = raw_client::RawClient<PlayState>;

/// What the transcript has shown of a connection so far.
#[derive(Default)]
pub struct PlayState {
    /// The bytes that it shows from the server.
    expected: ExpectedBytes,
    /// The number of final responses that its assertions were tested on.
    tested: usize,
    /// The time that it gives the server, since the client last sent.
    extra_time: Duration,
}

/// The result of a case.
pub enum CheckOutcome {
    /// The server did what the transcript says.
    Passed,
    /// The case is about our lesson site, and this server has no such route; the status of its response.
    Skipped(u16),
    /// The server did something else.
    Failed {
        /// The first difference.
        difference: Difference,
        /// What had been sent on that connection.
        sent: Vec<u8>,
        /// Whether something was sent and no byte was received.
        is_silent: bool,
    },
    /// No connection; the reason.
    Unreachable(String),
}

/// Plays a case on new connections.
pub fn play(case: &Case, target: &CheckTarget) -> CheckOutcome {
    let mut player = CheckPlayer { case, target, clients: BTreeMap::new(), last: 1 };
    let Err(stop) = player.play() else { return CheckOutcome::Passed };
    let difference = match stop {
        PlayStop::Difference(difference) => difference,
        PlayStop::Unreachable(why) => return CheckOutcome::Unreachable(why),
    };
    let Some(client) = player.clients.get(&player.last) else {
        return CheckOutcome::Failed { difference, sent: Vec::new(), is_silent: false };
    };
    match client.responses.finals().last().map(|response| response.status) {
        // Not found, not allowed, not implemented.
        Some(status @ (404 | 405 | 501)) if case.is_about_site => CheckOutcome::Skipped(status),
        _ => {
            let is_silent = !client.sent.is_empty() && client.got().is_empty();
            CheckOutcome::Failed { difference, sent: client.sent.clone(), is_silent }
        }
    }
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
    clients: BTreeMap<u32, PlayedClient>,
    /// The connection that was played last: assertions are tested on its responses.
    last: u32,
}

impl CheckPlayer<'_> {
    fn play(&mut self) -> Result<(), PlayStop> {
        let items = &self.case.items[..];
        for (at, item) in items.iter().enumerate() {
            self.item(item, &items[at + 1..])?;
        }
        if !self.case.has_assertions {
            let numbers: Vec<u32> = self.clients.keys().copied().collect();
            for number in numbers {
                let end = last_end(items, number);
                self.compare_expected(number)?;
                self.compare_end(number, end)?;
            }
        }
        Ok(())
    }

    /// Returns the client with that number, and connects it if it is new.
    fn client(&mut self, number: u32) -> Result<&mut PlayedClient, PlayStop> {
        self.last = number;
        match self.clients.entry(number) {
            Entry::Occupied(client) => Ok(client.into_mut()),
            Entry::Vacant(entry) => {
                let CheckTarget { addresses, timeout, .. } = self.target;
                let stream = address::connect(addresses, *timeout);
                let client = stream.and_then(|stream| PlayedClient::new(stream, *timeout));
                let client = client.map_err(|error| PlayStop::Unreachable(address::why(&error)));
                Ok(entry.insert(client?))
            }
        }
    }

    /// Returns the client with that number, and the longest wait for its next bytes.
    fn client_and_timeout(
        &mut self,
        number: u32,
    ) -> Result<(&mut PlayedClient, Duration), PlayStop> {
        let timeout = self.target.timeout;
        let client = self.client(number)?;
        let timeout = timeout.saturating_add(client.noted.extra_time);
        Ok((client, timeout))
    }

    fn item(&mut self, item: &Item, rest: &[Item]) -> Result<(), PlayStop> {
        match item {
            Item::Prose(_) => {}
            Item::Block(block) if block.from == Side::Client => {
                let bytes = block.bytes.expand().unwrap_or_default();
                let client = self.client(block.connection)?;
                client.noted.extra_time = Duration::ZERO;
                client.send(&bytes);
            }
            Item::Block(block) => self.server_block(block, rest)?,
            Item::Event(event) => self.event(event, rest)?,
            Item::Assertions(assertions) => self.test_assertions(assertions)?,
        }
        Ok(())
    }

    /// Adds the server's bytes to the expected ones, and waits for them if the client acts next.
    fn server_block(&mut self, block: &Block, rest: &[Item]) -> Result<(), PlayStop> {
        let number = block.connection;
        self.client(number)?.noted.expected.push(&block.bytes);
        let next = rest.iter().find(|item| is_next_step(item, number));
        let client_acts_next = next.is_some_and(|item| match item {
            Item::Block(next) => next.from == Side::Client,
            Item::Event(next) => is_of_client(next.kind),
            _ => false,
        });
        match client_acts_next {
            true if self.case.has_assertions => self.await_messages(number),
            true => self.compare_expected(number),
            false => Ok(()),
        }
    }

    fn event(&mut self, event: &Event, rest: &[Item]) -> Result<(), PlayStop> {
        let number = event.connection;
        match event.kind {
            EventKind::Open => self.client(number).map(|_| ()),
            EventKind::HalfClose(Side::Client) => self.client(number).map(PlayedClient::half_close),
            EventKind::Closed(Side::Client) | EventKind::Reset(Side::Client) => {
                self.client(number)?;
                self.clients.remove(&number);
                Ok(())
            }
            EventKind::Wait(time) | EventKind::Silent(time) => {
                let (client, time) = (self.client(number)?, Duration::from(time));
                match (next_side(rest, number), event.kind) {
                    (Some(Side::Server), _) => client.noted.extra_time += time,
                    (Some(Side::Client), EventKind::Wait(_)) => thread::sleep(time),
                    (None, EventKind::Wait(_)) => {}
                    (_, _) => client.read_while(time, |_| true),
                }
                Ok(())
            }
            EventKind::HalfClose(Side::Server)
            | EventKind::Closed(Side::Server)
            | EventKind::Reset(Side::Server) => self.client(number).map(|_| ()),
        }
    }

    /// Waits for as many whole messages as the transcript shows; if it shows none, for as many bytes.
    fn await_messages(&mut self, number: u32) -> Result<(), PlayStop> {
        let (client, timeout) = self.client_and_timeout(number)?;
        let count =
            |responses: &ResponseCollector| responses.finals().len() + responses.interims().len();
        let messages = count(&expected_responses(client));
        let is_received = |client: &PlayedClient| match messages {
            0 => client.got().len() as u64 >= client.noted.expected.len(),
            // A server may send the final response where the transcript shows an interim one.
            _ => count(&client.responses) >= messages || client.responses.is_answered(),
        };
        client.read_while(timeout, |client| {
            !is_received(client) && client.responses.fault().is_none()
        });
        require_well_formed(client)?;
        if messages == 0 || is_received(client) {
            return Ok(());
        }
        let expected = "a response here, before the client sends more";
        Err(Difference::new(expected, received_so_far(client, timeout)).into())
    }

    /// Waits for the bytes that the transcript has shown so far, and compares them.
    fn compare_expected(&mut self, number: u32) -> Result<(), PlayStop> {
        let (client, timeout) = self.client_and_timeout(number)?;
        client.read_while(timeout, |client| {
            let expected = &client.noted.expected;
            (client.got().len() as u64) < expected.len()
                && expected.difference_so_far(client.got()).is_none()
        });
        let length = usize::try_from(client.noted.expected.len()).unwrap_or(usize::MAX);
        let got = &client.got()[..client.got().len().min(length)];
        compare(client, got, timeout)
    }

    /// Tests that the server sends no further bytes, and that the connection ends as the transcript
    /// says, if it says it.
    fn compare_end(&mut self, number: u32, end: Option<EventKind>) -> Result<(), PlayStop> {
        let (client, timeout) = self.client_and_timeout(number)?;
        let length = client.got().len();
        let time = if end.is_some() { timeout } else { SURPLUS_WAIT };
        client.read_while(time, |client| client.got().len() == length);
        compare(client, client.got(), timeout)?;
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

    /// Tests assertions on the responses since the last assertions.
    fn test_assertions(&mut self, assertions: &[Assertion]) -> Result<(), PlayStop> {
        let (client, timeout) = self.client_and_timeout(self.last)?;
        let tested = client.noted.tested;
        let wanted = tested + assertions.iter().map(judge::nth).max().unwrap_or(0);
        client.read_while(timeout, |client| {
            client.responses.finals().len() < wanted && client.responses.fault().is_none()
        });
        require_well_formed(client)?;
        require_complete(client)?;
        client.noted.tested = client.responses.finals().len();
        for assertion in assertions {
            let responses = client.responses.finals().get(tested..).unwrap_or_default();
            let differs = |got: String| Difference::new(assertion.to_string(), got);
            match judge::judge(assertion, responses) {
                Ok(()) => {}
                Err(Found::Responses(_)) => {
                    return Err(differs(received_so_far(client, timeout)).into());
                }
                Err(found) => return Err(Difference::assertion(assertion, &found).into()),
            }
            match *assertion {
                Assertion::Closed => {
                    client.read_while(timeout, |_| true);
                    if client.ended == Ended::Open {
                        return Err(differs(end_of(client, timeout)).into());
                    }
                }
                Assertion::Open(time) => {
                    client.read_while(timeout, |client| !client.responses.is_answered());
                    client.read_while(time.into(), |_| true);
                    if client.ended != Ended::Open {
                        return Err(differs(end_of(client, timeout)).into());
                    }
                }
                Assertion::Response { .. } => {}
            }
        }
        require_well_formed(client)?;
        let allowed = client.responses.allowed_responses();
        let responses = client.responses.finals().len();
        client.noted.tested = client.noted.tested.max(responses);
        if responses as u64 > allowed {
            let expected = format!("one response for each request: {}", counted(allowed as usize));
            return Err(Difference::new(expected, counted(responses)).into());
        }
        Ok(())
    }
}

/// Returns how the server ends that connection in the transcript, if it does.
fn last_end(items: &[Item], number: u32) -> Option<EventKind> {
    items.iter().rev().find_map(|item| match item {
        Item::Event(event) if event.connection == number => match event.kind {
            EventKind::HalfClose(Side::Server)
            | EventKind::Closed(Side::Server)
            | EventKind::Reset(Side::Server) => Some(event.kind),
            _ => None,
        },
        _ => None,
    })
}

/// Whether an item is a block, or an event of the client, on that connection.
fn is_next_step(item: &Item, number: u32) -> bool {
    match item {
        Item::Block(block) => block.connection == number,
        Item::Event(event) => event.connection == number && is_of_client(event.kind),
        _ => false,
    }
}

fn is_of_client(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::HalfClose(Side::Client)
            | EventKind::Closed(Side::Client)
            | EventKind::Reset(Side::Client)
    )
}

/// Returns the responses that the transcript shows, as far as it has their bytes.
fn expected_responses(client: &PlayedClient) -> ResponseCollector {
    let mut responses = ResponseCollector::new();
    responses.sent(&client.sent);
    responses.received(&client.noted.expected.known());
    responses
}

/// Fails if the received bytes are not responses.
fn require_well_formed(client: &PlayedClient) -> Result<(), PlayStop> {
    match client.responses.fault() {
        Some(fault) => Err(Difference::rule(fault.rule, client.got(), fault.at).into()),
        None if client.got().len() >= MAX_RECEIVED_BYTES => {
            Err(Difference::new("less than 16 MiB on a connection", "16 MiB, and more").into())
        }
        None => Ok(()),
    }
}

/// Fails if the end of the connection has cut a response, unless the transcript shows such a response.
fn require_complete(client: &PlayedClient) -> Result<(), PlayStop> {
    if client.ended == Ended::Open {
        return Ok(());
    }
    let may_be_cut = || {
        let mut responses = expected_responses(client);
        responses.end();
        responses.incomplete().is_some()
    };
    if client.responses.incomplete().is_some() && !may_be_cut() {
        let expected = "the whole content that the head promises";
        return Err(Difference::new(expected, incomplete_response(client)).into());
    }
    Ok(())
}

/// Describes the last response, which is not complete.
fn incomplete_response(client: &PlayedClient) -> String {
    let Some(response) = client.responses.incomplete() else {
        return format!("{} bytes, and no complete head", client.got().len());
    };
    let received = response.content.len();
    let length = match response.values("content-length").first() {
        Some(length) => format!("Content-Length: {length}, and {received} bytes"),
        None => format!("{received} bytes, and not the end of the content"),
    };
    match client.ended {
        Ended::Open => length,
        _ => format!("{length} before the connection ended"),
    }
}

/// Describes what was received in place of the expected response.
fn received_so_far(client: &PlayedClient, timeout: Duration) -> String {
    let seconds = timeout.as_secs_f64();
    let count = client.responses.finals().len();
    let is_incomplete = !client.responses.rest().is_empty();
    match client.ended {
        Ended::Closed if client.got().is_empty() => {
            "the server closed the connection without a byte".to_owned()
        }
        Ended::Reset if client.got().is_empty() => "the server reset the connection".to_owned(),
        Ended::Open if client.got().is_empty() => format!("nothing in {seconds} s"),
        Ended::Open if is_incomplete => {
            format!("after {seconds} s: {}", incomplete_response(client))
        }
        _ if is_incomplete => incomplete_response(client),
        Ended::Open => format!("{}, and nothing more in {seconds} s", counted(count)),
        _ => format!("{}, then the connection ended", counted(count)),
    }
}

fn counted(responses: usize) -> String {
    if responses == 1 { "1 response".to_owned() } else { format!("{responses} responses") }
}

/// Describes how the connection ended, or that it is open.
fn end_of(client: &PlayedClient, timeout: Duration) -> String {
    match client.ended {
        Ended::Open => format!("still open after {} s", timeout.as_secs_f64()),
        Ended::Closed => "the server closed the connection".to_owned(),
        Ended::Reset => "the server reset the connection".to_owned(),
    }
}

/// Compares received bytes with those that the transcript shows.
fn compare(client: &PlayedClient, got: &[u8], timeout: Duration) -> Result<(), PlayStop> {
    let Some(at) = client.noted.expected.difference(got) else { return Ok(()) };
    // Up to this byte both sides are equal, except a Date and left-out bytes; so the received ones are
    // shown for both.
    let expected = [&got[..at], &client.noted.expected.known_from(at, 64)[..]].concat();
    let mut difference = Difference::bytes("", (&expected, got), at, RECEIVED);
    if at == got.len() {
        difference.got = difference.got.trim_end_matches("(nothing)").to_owned();
        difference.got += &match client.ended {
            Ended::Open => format!("(nothing more in {} s)", timeout.as_secs_f64()),
            _ => format!("({})", end_of(client, timeout)),
        };
    }
    Err(difference.into())
}

//! The client's side of a page, played: what it says is sent is sent; where it shows an answer, one is
//! waited for; and what came must be what it says.
//!
//! What the client waits for are whole messages, never equal ones: a stranger's answer is its own
//! affair until the assertions are read. `server` events wait for nothing where assertions judge. A reset by
//! the client is played as a close, for std has no call that resets.
//!
//! No wait is longer than `--timeout`, but for the time that the page itself says the server takes:
//! `--- silent 10s` before a 408 is not slept through, and is granted on top.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use openkitchen::transcript::judge::{self, Found};
use openkitchen::transcript::{Assertion, Block, Event, EventKind, Item, Side};

use super::case::Case;
use super::difference::Difference;
use super::expected::ExpectedBytes;
use super::raw_client::{self, Ended, MOST};
use crate::cli::address;
use crate::cli::script::next_side;

/// How long a connection is watched once all is there that the page shows: nothing more may come.
const AFTERWARDS: Duration = Duration::from_millis(50);

/// Where the server is, and how patient one is with it.
pub struct CheckTarget {
    /// The address, as it was said.
    pub said: String,
    /// Where that is.
    pub addresses: Vec<SocketAddr>,
    /// The longest wait for anything that the page does not say takes longer.
    pub timeout: Duration,
}

/// A connection, and what the page says of it.
type PlayedClient = raw_client::RawClient<PlayState>;

/// What the page says of a connection, so far.
#[derive(Default)]
pub struct PlayState {
    /// What it shows from the server.
    expected: ExpectedBytes,
    /// How many final answers its assertions have spoken of.
    answered: usize,
    /// How long it says the server is silent, since the client spoke last.
    granted: Duration,
}

/// How a case went.
pub enum CheckOutcome {
    /// As its page says.
    Passed,
    /// It is about our lesson site, and this server has no such door; the status that says so.
    Elsewhere(u16),
    /// Otherwise.
    Failed {
        /// Where the two differ.
        fault: Difference,
        /// What had been sent on that connection.
        sent: Vec<u8>,
        /// Whether something was sent and nothing came back.
        is_silent: bool,
    },
    /// Nobody could be reached.
    Unreachable(String),
}

/// Plays a case on fresh connections.
pub fn play(case: &Case, door: &CheckTarget) -> CheckOutcome {
    let mut player = CheckPlayer { case, door, lines: BTreeMap::new(), last: 1 };
    let Err(stop) = player.all() else { return CheckOutcome::Passed };
    let fault = match stop {
        PlayStop::Difference(fault) => fault,
        PlayStop::Unreachable(why) => return CheckOutcome::Unreachable(why),
    };
    let Some(line) = player.lines.get(&player.last) else {
        return CheckOutcome::Failed { fault, sent: Vec::new(), is_silent: false };
    };
    let answers = judge::finals(&line.sent, &line.got, line.ended != Ended::Open);
    match answers.last().map(|answer| answer.status) {
        // Not found, not allowed, not implemented.
        Some(status @ (404 | 405 | 501)) if case.is_about_site => CheckOutcome::Elsewhere(status),
        _ => {
            let is_silent = !line.sent.is_empty() && line.got.is_empty();
            CheckOutcome::Failed { fault, sent: line.sent.clone(), is_silent }
        }
    }
}

/// Why a page was not played to its end.
enum PlayStop {
    Difference(Difference),
    Unreachable(String),
}

impl From<Difference> for PlayStop {
    fn from(fault: Difference) -> PlayStop {
        PlayStop::Difference(fault)
    }
}

struct CheckPlayer<'a> {
    case: &'a Case,
    door: &'a CheckTarget,
    lines: BTreeMap<u32, PlayedClient>,
    /// The connection that was spoken of last: assertions are on its answers.
    last: u32,
}

impl CheckPlayer<'_> {
    fn all(&mut self) -> Result<(), PlayStop> {
        let items = &self.case.items[..];
        for (at, item) in items.iter().enumerate() {
            self.item(item, &items[at + 1..])?;
        }
        if !self.case.has_assertions {
            let numbers: Vec<u32> = self.lines.keys().copied().collect();
            for number in numbers {
                let end = last_end(items, number);
                self.settle(number)?;
                self.no_more(number, end)?;
            }
        }
        Ok(())
    }

    /// The line of that number; the first to speak of it connects.
    fn line(&mut self, number: u32) -> Result<&mut PlayedClient, PlayStop> {
        self.last = number;
        match self.lines.entry(number) {
            Entry::Occupied(line) => Ok(line.into_mut()),
            Entry::Vacant(place) => {
                let CheckTarget { addresses, timeout, .. } = self.door;
                let stream = address::connect(addresses, *timeout);
                let line = stream.and_then(|stream| PlayedClient::new(stream, *timeout));
                Ok(place.insert(line.map_err(|error| PlayStop::Unreachable(address::why(&error)))?))
            }
        }
    }

    /// The line of that number, and how long one waits for what comes next on it.
    fn patience(&mut self, number: u32) -> Result<(&mut PlayedClient, Duration), PlayStop> {
        let timeout = self.door.timeout;
        let line = self.line(number)?;
        let patience = timeout.saturating_add(line.noted.granted);
        Ok((line, patience))
    }

    fn item(&mut self, item: &Item, behind: &[Item]) -> Result<(), PlayStop> {
        match item {
            Item::Prose(_) => {}
            Item::Block(block) if block.from == Side::Client => {
                let bytes = block.bytes.expand().unwrap_or_default();
                let line = self.line(block.connection)?;
                line.noted.granted = Duration::ZERO;
                line.send(&bytes);
            }
            Item::Block(block) => self.shown(block, behind)?,
            Item::Event(event) => self.event(event, behind)?,
            Item::Assertions(assertions) => self.judge(assertions)?,
        }
        Ok(())
    }

    /// The page shows bytes from the server. They are waited for where the client goes on behind them.
    fn shown(&mut self, block: &Block, behind: &[Item]) -> Result<(), PlayStop> {
        let number = block.connection;
        self.line(number)?.noted.expected.push(&block.bytes);
        let next = behind.iter().find(|item| speaks_on(item, number));
        let goes_on = next.is_some_and(|item| match item {
            Item::Block(next) => next.from == Side::Client,
            Item::Event(next) => is_of_client(next.kind),
            _ => false,
        });
        match goes_on {
            true if self.case.has_assertions => self.wait(number),
            true => self.settle(number),
            false => Ok(()),
        }
    }

    fn event(&mut self, event: &Event, behind: &[Item]) -> Result<(), PlayStop> {
        let number = event.connection;
        match event.kind {
            EventKind::Open => self.line(number).map(|_| ()),
            EventKind::HalfClose(Side::Client) => self.line(number).map(PlayedClient::half_close),
            EventKind::Closed(Side::Client) | EventKind::Reset(Side::Client) => {
                self.line(number)?;
                self.lines.remove(&number);
                Ok(())
            }
            EventKind::Wait(time) | EventKind::Silent(time) => {
                let (line, time) = (self.line(number)?, Duration::from(time));
                match (next_side(behind, number), event.kind) {
                    (Some(Side::Server), _) => line.noted.granted += time,
                    (Some(Side::Client), EventKind::Wait(_)) => thread::sleep(time),
                    (None, EventKind::Wait(_)) => {}
                    (_, _) => line.read_while(time, |_| true),
                }
                Ok(())
            }
            EventKind::HalfClose(Side::Server)
            | EventKind::Closed(Side::Server)
            | EventKind::Reset(Side::Server) => self.line(number).map(|_| ()),
        }
    }

    /// Waits for as many whole messages as the page shows, or for bytes, where it shows none.
    fn wait(&mut self, number: u32) -> Result<(), PlayStop> {
        let (line, timeout) = self.patience(number)?;
        let messages = judge::ends(&line.sent, &line.noted.expected.known()).len();
        let is_here = |line: &PlayedClient| match messages {
            0 => line.got.len() as u64 >= line.noted.expected.len(),
            // A server may answer finally where the page shows an interim answer.
            _ => {
                judge::ends(&line.sent, &line.got).len() >= messages
                    || judge::is_answered(&line.sent, &line.got)
            }
        };
        line.read_while(timeout, |line| !is_here(line) && broken(line).is_none());
        sound(line)?;
        if messages == 0 || is_here(line) {
            return Ok(());
        }
        let expected = "an answer here, before the client goes on";
        Err(Difference::new(expected, state(line, timeout)).into())
    }

    /// Waits for the bytes that the page has shown so far, and compares them.
    fn settle(&mut self, number: u32) -> Result<(), PlayStop> {
        let (line, timeout) = self.patience(number)?;
        line.read_while(timeout, |line| {
            let expected = &line.noted.expected;
            (line.got.len() as u64) < expected.len()
                && expected.difference_so_far(&line.got).is_none()
        });
        let length = usize::try_from(line.noted.expected.len()).unwrap_or(usize::MAX);
        let got = &line.got[..line.got.len().min(length)];
        differ(line, got, timeout)
    }

    /// Nothing more comes, and the connection ends as the page says, where it does.
    fn no_more(&mut self, number: u32, end: Option<EventKind>) -> Result<(), PlayStop> {
        let (line, timeout) = self.patience(number)?;
        let length = line.got.len();
        let time = if end.is_some() { timeout } else { AFTERWARDS };
        line.read_while(time, |line| line.got.len() == length);
        differ(line, &line.got, timeout)?;
        let is_so = match end {
            Some(EventKind::Reset(_)) => line.ended == Ended::Reset,
            Some(_) => line.ended == Ended::Closed,
            None => true,
        };
        match end {
            Some(kind) if !is_so => {
                Err(Difference::new(kind.to_string(), end_of(line, timeout)).into())
            }
            _ => Ok(()),
        }
    }

    /// Judges assertions on the answers since the last assertions.
    fn judge(&mut self, assertions: &[Assertion]) -> Result<(), PlayStop> {
        let (line, timeout) = self.patience(self.last)?;
        let answered = line.noted.answered;
        let wanted = answered + assertions.iter().map(judge::nth).max().unwrap_or(0);
        let finals =
            |line: &PlayedClient| judge::finals(&line.sent, &line.got, line.ended != Ended::Open);
        line.read_while(timeout, |line| finals(line).len() < wanted && broken(line).is_none());
        sound(line)?;
        whole(line)?;
        let answers = finals(line);
        line.noted.answered = answers.len();
        let answers = answers.get(answered..).unwrap_or_default();
        for assertion in assertions {
            match judge::judge(assertion, answers) {
                Ok(()) => {}
                Err(Found::Responses(_)) => {
                    return Err(Difference::new(assertion.to_string(), state(line, timeout)).into());
                }
                Err(found) => return Err(Difference::assertion(assertion, &found).into()),
            }
            match *assertion {
                Assertion::Closed => {
                    line.read_while(timeout, |_| true);
                    if line.ended == Ended::Open {
                        return Err(
                            Difference::new(assertion.to_string(), end_of(line, timeout)).into()
                        );
                    }
                }
                Assertion::Open(time) => {
                    line.read_while(timeout, |line| !judge::is_answered(&line.sent, &line.got));
                    line.read_while(time.into(), |_| true);
                    if line.ended != Ended::Open {
                        return Err(
                            Difference::new(assertion.to_string(), end_of(line, timeout)).into()
                        );
                    }
                }
                Assertion::Response { .. } => {}
            }
        }
        sound(line)?;
        let begun = usize::from(judge::ends_within_a_head(&line.sent));
        let (asked, came) = (judge::methods(&line.sent).len() + begun, finals(line).len());
        line.noted.answered = line.noted.answered.max(came);
        if came > asked {
            let expected = format!("an answer for each request, so {asked}");
            return Err(Difference::new(expected, format!("{came} answers")).into());
        }
        Ok(())
    }
}

/// How the page says the server ends that connection, if it does.
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

/// Whether an item is the next step on that connection.
fn speaks_on(item: &Item, number: u32) -> bool {
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

fn broken(line: &PlayedClient) -> Option<(usize, &'static str)> {
    judge::broken(&line.sent, &line.got, line.ended != Ended::Open)
}

/// What came are answers, as far as it came.
fn sound(line: &PlayedClient) -> Result<(), PlayStop> {
    match broken(line) {
        Some((at, rule)) => Err(Difference::rule(rule, &line.got, at).into()),
        None if line.got.len() >= MOST => {
            Err(Difference::new("an answer of a size that a lesson can have", "16 MiB, and more")
                .into())
        }
        None => Ok(()),
    }
}

/// No answer is cut short by the end of the connection, unless the page shows one that is.
fn whole(line: &PlayedClient) -> Result<(), PlayStop> {
    if line.ended == Ended::Open {
        return Ok(());
    }
    let is_cut = |bytes: &[u8]| {
        judge::finals(&line.sent, bytes, true).last().is_some_and(|answer| !answer.is_whole)
    };
    if is_cut(&line.got) && !is_cut(&line.noted.expected.known()) {
        return Err(
            Difference::new("the whole content that the head promises", unfinished(line)).into()
        );
    }
    Ok(())
}

/// What came of an answer that is not whole.
fn unfinished(line: &PlayedClient) -> String {
    let answers = judge::finals(&line.sent, &line.got, true);
    let Some(answer) = answers.last().filter(|answer| !answer.is_whole) else {
        return format!("{} bytes, and no whole head", line.got.len());
    };
    let length = match answer.values("content-length").first() {
        Some(length) => format!("Content-Length: {length}, and {} bytes", answer.content.len()),
        None => format!("{} bytes, and not the end of the content", answer.content.len()),
    };
    match line.ended {
        Ended::Open => length,
        _ => format!("{length} before the connection ended"),
    }
}

/// What there is instead of an answer.
fn state(line: &PlayedClient, timeout: Duration) -> String {
    let seconds = timeout.as_secs_f64();
    let count = judge::finals(&line.sent, &line.got, false).len();
    let is_within =
        judge::ends(&line.sent, &line.got).last().is_none_or(|&end| end < line.got.len());
    match line.ended {
        Ended::Closed if line.got.is_empty() => "the server closed without a word".to_owned(),
        Ended::Reset if line.got.is_empty() => "the server broke the connection off".to_owned(),
        Ended::Open if line.got.is_empty() => format!("nothing, in {seconds} s"),
        Ended::Open if is_within => format!("after {seconds} s: {}", unfinished(line)),
        _ if is_within => unfinished(line),
        Ended::Open => format!("{}, and nothing more in {seconds} s", answers(count)),
        _ => format!("{}, then the connection ended", answers(count)),
    }
}

fn answers(count: usize) -> String {
    if count == 1 { "1 answer".to_owned() } else { format!("{count} answers") }
}

/// How the connection ended, or that it did not.
fn end_of(line: &PlayedClient, timeout: Duration) -> String {
    match line.ended {
        Ended::Open => format!("still open after {} s", timeout.as_secs_f64()),
        Ended::Closed => "the server closed".to_owned(),
        Ended::Reset => "the server broke the connection off".to_owned(),
    }
}

/// Compares what came with what the page shows.
fn differ(line: &PlayedClient, got: &[u8], timeout: Duration) -> Result<(), PlayStop> {
    let Some(at) = line.noted.expected.difference(got) else { return Ok(()) };
    // The same bytes stand before that one on both sides, up to a Date or what was left out.
    let expected = [&got[..at], &line.noted.expected.behind(at, 64)[..]].concat();
    let mut fault = Difference::bytes("", (&expected, got), at, "what came");
    if at == got.len() {
        fault.got = fault.got.trim_end_matches("(nothing)").to_owned();
        fault.got += &match line.ended {
            Ended::Open => format!("(nothing more in {} s)", timeout.as_secs_f64()),
            _ => format!("({})", end_of(line, timeout)),
        };
    }
    Err(fault.into())
}

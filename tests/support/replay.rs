//! Plays a page against a server: sends the client's blocks, and compares what the server does with the
//! page.

use std::any::Any;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use openkitchen::message::visible::Visible;
use openkitchen::transcript::{Assertion, Block, Event, EventKind, Item, Side, judge, subjects};
use openkitchen::{Observer, ServerHandle};

use super::differ;
use super::pace::{Gate, IN_ONE_WRITE, Pace};
use super::page::Page;
use super::replay_client::{Ended, ReplayClient};

/// The time in which an expected response must arrive. Only a fault makes a test wait this long.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The time for which a connection that a page leaves open must stay open and silent.
const SILENCE_AT_END: Duration = Duration::from_millis(20);

/// Starts the server of a fixture.
pub type Start = fn(fixture: &str, Option<Arc<dyn Observer>>) -> Started;

/// A running server of a fixture, whatever the state of its handlers is.
pub struct Started {
    pub address: SocketAddr,
    handle: Box<dyn Any>,
}

impl<S: 'static> From<ServerHandle<S>> for Started {
    fn from(handle: ServerHandle<S>) -> Started {
        Started { address: handle.address(), handle: Box::new(handle) }
    }
}

/// Plays a page against a new server.
///
/// # Errors
/// Says where the server differs from the page.
pub fn replay(page: &Page, pace: Pace, start: Start) -> Result<(), String> {
    let mut replay = Replay::new(page, pace, start);
    let items = &page.transcript.items;
    for (item, about) in items.iter().zip(subjects(items)) {
        match item {
            Item::Assertions(assertions) => replay.judge(about, assertions)?,
            item => replay.play(item)?,
        }
    }
    replay.end()
}

/// A server and its clients. The fields are dropped in this order, so the clients close first.
pub struct Replay {
    clients: BTreeMap<u32, ReplayClient>,
    server: Started,
    gate: Option<Arc<Gate>>,
    pace: Pace,
    /// The connection of the last item. Assertions are about its responses.
    last: u32,
}

impl Replay {
    /// Starts the server of the page's fixture. Only the slow paces need an observer, so
    /// [`Pace::Whole`] tests a server without one.
    pub fn new(page: &Page, pace: Pace, start: Start) -> Replay {
        let gate = (pace != Pace::Whole).then(Arc::<Gate>::default);
        let observer = gate.clone().map(|gate| gate as Arc<dyn Observer>);
        let server = start(page.fixture(), observer);
        Replay { clients: BTreeMap::new(), server, gate, pace, last: 1 }
    }

    /// Returns the client of this connection, and connects it if it is new.
    pub fn client(&mut self, connection: u32) -> Result<&mut ReplayClient, String> {
        self.last = connection;
        if !self.clients.contains_key(&connection) {
            let client = ReplayClient::connect(self.server.address, RESPONSE_TIMEOUT);
            let client = client.map_err(|error| format!("could not connect: {error}\n"))?;
            self.clients.insert(connection, client);
        }
        self.clients.get_mut(&connection).ok_or_else(String::new)
    }

    /// Returns all clients, with the numbers of their connections.
    pub fn clients(&self) -> impl Iterator<Item = (u32, &ReplayClient)> {
        self.clients.iter().map(|(&connection, client)| (connection, client))
    }

    /// Plays one item of a page. Assertions are judged by [`Replay::judge`].
    pub fn play(&mut self, item: &Item) -> Result<(), String> {
        match item {
            Item::Prose(_) | Item::Assertions(_) => Ok(()),
            Item::Block(block) if block.from == Side::Client => self.send(block),
            Item::Block(block) => {
                let expected = block.bytes.expand().ok_or("bytes were left out of a block\n")?;
                expect(self.client(block.connection)?, &expected)
            }
            Item::Event(event) => self.event(event),
        }
    }

    fn send(&mut self, block: &Block) -> Result<(), String> {
        let bytes = block.bytes.expand().ok_or("bytes were left out of a block\n")?;
        let in_one_write = block.note.as_str() == IN_ONE_WRITE;
        let pace = if in_one_write { Pace::Whole } else { self.pace };
        let gate = self.gate.clone();
        let client = self.client(block.connection)?;
        for write in pace.writes(&bytes) {
            // A server that has refused early may have closed. Then the rest cannot be sent.
            let is_sent = client.send(write);
            if let (true, Some(gate)) = (is_sent, &gate)
                && !gate.wait(client.address, client.sent)
            {
                return Err(format!("the server does not read byte {}\n", client.sent));
            }
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<(), String> {
        let client = self.client(event.connection)?;
        match event.kind {
            EventKind::Open => Ok(()),
            EventKind::HalfClose(Side::Client) => {
                client.half_close();
                Ok(())
            }
            EventKind::Closed(Side::Client) => {
                self.clients.remove(&event.connection);
                Ok(())
            }
            EventKind::Closed(Side::Server) => expect_end(client, Ended::Closed),
            EventKind::Reset(Side::Server) => expect_end(client, Ended::Reset),
            EventKind::Wait(time) => {
                thread::sleep(time.into());
                Ok(())
            }
            EventKind::Silent(time) => expect_silence(client, time.into()),
            kind => Err(format!("the runner cannot play `{kind}`\n")),
        }
    }

    /// Judges assertions about the messages of this side since the last assertions.
    fn judge(&mut self, about: Side, assertions: &[Assertion]) -> Result<(), String> {
        let client = self.client(self.last)?;
        let judged = client.judged_messages;
        if about == Side::Server {
            let wanted = judged.responses() + assertions.iter().map(judge::nth).max().unwrap_or(0);
            client.read_while(RESPONSE_TIMEOUT, |client| client.received.finals().len() < wanted);
            if let Some(fault) = client.received.fault() {
                let rest = Visible(&client.got()[fault.at..]);
                return Err(format!("bytes that are no response: {}: {rest}\n", fault.rule));
            }
            client.judged = client.got().len();
        }
        let ReplayClient { received, judged_messages, .. } = client;
        judged_messages.next(about, received.requests(), received.finals());
        for assertion in assertions {
            let ReplayClient { received, .. } = client;
            let group = judged.clone().next(about, received.requests(), received.finals());
            group
                .judge(assertion)
                .map_err(|found| format!("`{assertion}` is not true: {found}\n"))?;
            match assertion {
                Assertion::Closed => expect_end(client, Ended::Closed)?,
                Assertion::Open(time) => expect_silence(client, (*time).into())?,
                Assertion::Message { .. } => {}
            }
        }
        Ok(())
    }

    /// Checks that the server does nothing that the page does not show.
    fn end(mut self) -> Result<(), String> {
        let mut open = self.clients.values_mut().filter(|client| !client.is_end_judged);
        open.try_for_each(|client| expect_silence(client, SILENCE_AT_END))
    }
}

/// Checks that these bytes are received next.
fn expect(client: &mut ReplayClient, expected: &[u8]) -> Result<(), String> {
    let mut same = 0;
    client.read_while(RESPONSE_TIMEOUT, |client| {
        let got = client.unjudged();
        let more =
            expected[same..].iter().zip(&got[same..]).take_while(|(one, other)| one == other);
        same += more.count();
        same == got.len() && same < expected.len()
    });
    let length = client.unjudged().len().min(expected.len());
    let got = &client.unjudged()[..length];
    let Some(at) = differ::first(expected, got) else {
        client.judged += length;
        return Ok(());
    };
    let what = match (at == length, client.ended) {
        (true, Ended::Open) => "the server sent no more bytes",
        (true, Ended::Closed) => "the server closed",
        (true, Ended::Reset) => "the server reset the connection",
        _ => "the server sent other bytes",
    };
    Err(format!("{what}:\n{}", differ::shown(expected, client.unjudged(), at)))
}

/// Checks that no more bytes are received, and that the connection ends in this way.
fn expect_end(client: &mut ReplayClient, expected: Ended) -> Result<(), String> {
    client.read_while(RESPONSE_TIMEOUT, |client| client.unjudged().is_empty());
    client.is_end_judged = true;
    expect_no_more(client)?;
    if client.ended == expected {
        return Ok(());
    }
    let is = |ended| match ended {
        Ended::Open => "is open",
        Ended::Closed => "was closed in order",
        Ended::Reset => "was reset",
    };
    Err(format!("the connection {}, where the page says it {}\n", is(client.ended), is(expected)))
}

/// Checks that no more bytes are received in this time, and that the connection stays open.
fn expect_silence(client: &mut ReplayClient, time: Duration) -> Result<(), String> {
    client.read_while(time, |client| client.unjudged().is_empty());
    expect_no_more(client)?;
    match client.ended {
        Ended::Open => Ok(()),
        _ => Err("the server ended a connection that the page leaves open\n".to_string()),
    }
}

fn expect_no_more(client: &ReplayClient) -> Result<(), String> {
    match differ::first(&[], client.unjudged()) {
        None => Ok(()),
        Some(at) => {
            let shown = differ::shown(&[], client.unjudged(), at);
            Err(format!("the server sent more bytes:\n{shown}"))
        }
    }
}

//! # Turns: what one side of a transcript does, step by step
//!
//! A transcript says "send this after the response". When is that, if the server sends other bytes than
//! the file has, and TCP cuts them anywhere?
//!
//! ```text
//! >>> POST, Expect: 100-continue      Send
//! <<< 100 Continue                    Receive: an interim response; the client acts next, so it waits
//! >>> the content                     Send
//! --- server closed                   AwaitEnd
//! ```
//! Rule: the items are played from the top. The played side waits where the other side has sent and it
//! acts next on that connection. It waits for as many messages as the transcript has
//! ([`Progress::has_reached`]), never for equal bytes.  Next: `connect`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::expected::{ByteSpan, ExpectedBytes};
use crate::message::dialogue::{Dialogue, Progress, Side};
use crate::transcript::{Assertion, Block, Event, EventKind, Item, subjects};

/// One step, on one connection.
#[derive(Debug)]
pub struct Turn {
    /// The number of the connection. For assertions, the one that was played last.
    pub connection: u32,
    /// What the played side does.
    pub step: Step,
}

/// What the played side does, or awaits.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The connection is opened, if no step before has done so.
    Open,
    /// Sends bytes in one write. `is_last` says that the side sends no more on this connection.
    Send { bytes: Vec<u8>, is_last: bool },
    /// The other side sends.
    Receive(ToReceive),
    /// A wait of the side that acts next, which is the played side if none does.
    Wait { time: Duration, by: Side },
    /// Neither side sends for this time; then `next` acts, which is the played side if none does.
    Silent { time: Duration, next: Side },
    /// Closes its half: it sends no more.
    HalfClose,
    /// Closes the connection.
    Close,
    /// Resets the connection.
    Reset,
    /// The other side ends the connection, or its direction of it, in this way.
    AwaitEnd(EventKind),
    /// Tests assertions on the messages of the side `about` since the last ones. `answered` is how many final
    /// responses the transcript has above them.
    Assert { about: Side, answered: usize, assertions: Vec<Assertion> },
}

/// What the other side sends in one block.
#[derive(Clone, Debug, PartialEq)]
pub struct ToReceive {
    /// The bytes that the transcript has.
    pub bytes: ExpectedBytes,
    /// The position of the transcript after them.
    pub position: Progress,
    /// The end of each message that is complete with these bytes, as an offset in all bytes that this
    /// side sends on the connection.
    pub message_ends: Vec<u64>,
    /// Whether the played side acts next on this connection, and so must wait.
    pub is_awaited: bool,
}

/// Iterates over the steps of one side.
pub struct Turns<'a> {
    /// The items of the steps that follow.
    items: &'a [Item],
    /// What each item of the transcript is about.
    subjects: Vec<Side>,
    played: Side,
    /// What has crossed each connection in the transcript.
    dialogues: BTreeMap<u32, Dialogue>,
    /// The connection of the last step.
    last: u32,
}

impl<'a> Turns<'a> {
    /// The steps of this side of a transcript.
    pub fn new(items: &'a [Item], played: Side) -> Turns<'a> {
        Turns { items, subjects: subjects(items), played, dialogues: BTreeMap::new(), last: 1 }
    }

    fn block(&mut self, block: &Block) -> Step {
        let dialogue = self.dialogues.entry(block.connection).or_default();
        let mut bytes = ExpectedBytes::default();
        bytes.push(&block.bytes);
        let message_ends = follow(dialogue, block.from, &bytes);
        let position = *dialogue.progress(block.from);
        if block.from == self.played {
            let bytes = bytes.known().to_vec();
            let is_last = !self.items.iter().any(|item| {
                matches!(item, Item::Block(next)
                    if next.connection == block.connection && next.from == block.from)
            });
            return Step::Send { bytes, is_last };
        }
        let is_awaited = self.acts_next(block.connection);
        Step::Receive(ToReceive { bytes, position, message_ends, is_awaited })
    }

    fn event(&self, event: &Event) -> Step {
        match event.kind {
            EventKind::Open => Step::Open,
            EventKind::Wait(time) => {
                Step::Wait { time: time.into(), by: self.next_side(event.connection) }
            }
            EventKind::Silent(time) => {
                Step::Silent { time: time.into(), next: self.next_side(event.connection) }
            }
            EventKind::HalfClose(side) if side == self.played => Step::HalfClose,
            EventKind::Closed(side) if side == self.played => Step::Close,
            EventKind::Reset(side) if side == self.played => Step::Reset,
            EventKind::HalfClose(_) | EventKind::Closed(_) | EventKind::Reset(_) => {
                Step::AwaitEnd(event.kind)
            }
        }
    }

    /// Whether the next block on this connection, or an event before it, is of the played side.
    fn acts_next(&self, connection: u32) -> bool {
        let next = self.items.iter().find_map(|item| match item {
            Item::Block(block) if block.connection == connection => Some(block.from),
            Item::Event(event) if event.connection == connection => {
                side_of(event.kind).filter(|&side| side == self.played)
            }
            _ => None,
        });
        next == Some(self.played)
    }

    /// The side of the next block on this connection. If no block follows, of the next event.
    fn next_side(&self, connection: u32) -> Side {
        let blocks = self.items.iter().filter_map(|item| match item {
            Item::Block(block) if block.connection == connection => Some(block.from),
            _ => None,
        });
        let events = self.items.iter().filter_map(|item| match item {
            Item::Event(event) if event.connection == connection => side_of(event.kind),
            _ => None,
        });
        blocks.chain(events).next().unwrap_or(self.played)
    }
}

impl Iterator for Turns<'_> {
    type Item = Turn;

    fn next(&mut self) -> Option<Turn> {
        loop {
            let (item, rest) = self.items.split_first()?;
            let index = self.subjects.len() - self.items.len();
            self.items = rest;
            let step = match item {
                Item::Prose(_) => continue,
                Item::Assertions(assertions) => {
                    let dialogue = self.dialogues.entry(self.last).or_default();
                    let answered = dialogue.progress(Side::Server).finals;
                    Step::Assert {
                        about: self.subjects[index],
                        answered: usize::try_from(answered).unwrap_or(usize::MAX),
                        assertions: assertions.clone(),
                    }
                }
                Item::Block(block) => {
                    self.last = block.connection;
                    self.block(block)
                }
                Item::Event(event) => {
                    self.last = event.connection;
                    self.event(event)
                }
            };
            return Some(Turn { connection: self.last, step });
        }
    }
}

/// The side that ends the connection with this event.
fn side_of(kind: EventKind) -> Option<Side> {
    match kind {
        EventKind::HalfClose(side) | EventKind::Closed(side) | EventKind::Reset(side) => Some(side),
        EventKind::Open | EventKind::Wait(_) | EventKind::Silent(_) => None,
    }
}

/// Follows the bytes of a block. Returns the end of each message that is complete with them.
fn follow(dialogue: &mut Dialogue, from: Side, bytes: &ExpectedBytes) -> Vec<u64> {
    let mut ends = Vec::new();
    for span in bytes.spans() {
        match span {
            ByteSpan::Known(known) => {
                let mut rest = &known[..];
                while let Some(range) = dialogue.next(from, rest) {
                    rest = &rest[range.length..];
                    ends.extend(range.ends_message.then(|| dialogue.progress(from).total));
                }
            }
            ByteSpan::LeftOut(count) => {
                let finals = dialogue.progress(from).finals;
                dialogue.skip(from, *count);
                let Progress { finals: now, total, .. } = *dialogue.progress(from);
                ends.extend((now > finals).then_some(total));
            }
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use crate::transcript::Transcript;

    use super::*;

    const TEXT: &str = "# t\n--- @2 open\n>>>\nGET / HTTP/1.1\n\n>>>\nGET / HT\\\n--- wait 1s\n\
        >>>\nTP/1.1\n\n--- wait 200ms\n<<<\nHTTP/1.1 204 N\n\n--- server half-close\n\
        <<< @2\n\\{2 \"x\"}\\\n--- silent 2s\n--- client closed\n--- @2 wait 1s\n\
        --- @2 server reset\n\n???\nclosed\n";

    /// The steps on one connection, in short.
    fn steps(played: Side, number: u32) -> Vec<String> {
        let items = Transcript::parse(TEXT).unwrap().items;
        let turns = Turns::new(&items, played).filter(|turn| turn.connection == number);
        let name = |turn: Turn| match turn.step {
            Step::Send { bytes, is_last } => format!("send {} {is_last}", bytes.len()),
            Step::Receive(ToReceive { bytes, position, message_ends, is_awaited }) => {
                let (length, finals) = (bytes.len(), position.finals);
                format!("receive {length} {finals} {message_ends:?} {is_awaited}")
            }
            Step::Wait { time, by } => format!("wait {time:?} {by}"),
            Step::Silent { time, next } => format!("silent {time:?} {next}"),
            Step::AwaitEnd(kind) => format!("await {kind}"),
            Step::Assert { about, answered, assertions } => {
                format!("assert {about:?} {answered} {assertions:?}")
            }
            other => format!("{other:?}"),
        };
        turns.map(name).collect()
    }

    #[test]
    fn the_client_waits_where_it_acts_next() {
        assert_eq!(
            steps(Side::Client, 1),
            [
                "send 18 false",
                "send 8 false",
                "wait 1s client",
                "send 10 true",
                "wait 200ms server",
                "receive 18 1 [18] true",
                "await server half-close",
                "silent 2s client",
                "Close",
            ]
        );
        assert_eq!(
            steps(Side::Client, 2),
            [
                "Open",
                "receive 2 0 [] false",
                "wait 1s server",
                "await server reset",
                "assert Server 0 [Closed]"
            ]
        );
    }

    #[test]
    fn the_server_waits_for_whole_requests() {
        assert_eq!(
            steps(Side::Server, 1),
            [
                "receive 18 1 [18] false",
                "receive 8 1 [] false",
                "wait 1s client",
                "receive 10 2 [36] true",
                "wait 200ms server",
                "send 18 true",
                "HalfClose",
                "silent 2s client",
                "await client closed",
            ]
        );
        assert_eq!(
            steps(Side::Server, 2),
            ["Open", "send 2 true", "wait 1s server", "Reset", "assert Server 0 [Closed]"]
        );
    }

    #[test]
    fn left_out_bytes_count_as_content() {
        let text = "<<<\nHTTP/1.1 200 OK\nContent-Length: 8412\n\n\\{8412 bytes}\\\n>>>\nx\n";
        let items = Transcript::parse(text).unwrap().items;
        let first = Turns::new(&items, Side::Client).next().expect("a turn");
        let Step::Receive(shown) = first.step else { panic!("{first:?}") };
        assert_eq!((shown.position.finals, shown.message_ends), (1, vec![41 + 8412]));
    }
}

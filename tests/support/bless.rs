//! Writes what the server does into the pages: `BLESS=1 cargo test --test exchanges`.
//!
//! A page is played whole. Each block of the server and each end of the connection is replaced by what
//! the server did. What the page does not show is added before its assertions and at its end, so a new
//! page needs no responses. An empty `<<<` between two blocks of the client makes the client wait for a
//! response. In a lesson, only the blocks and ends that it has are replaced. Read the difference before
//! you commit it.

use std::time::Duration;

use openkitchen::Transcript;
use openkitchen::transcript::{Block, Bytes, Event, EventKind, Item, Note, Side};

use super::pace::Pace;
use super::page::Page;
use super::replay::{Replay, Start};
use super::replay_client::{Ended, ReplayClient};

/// The silence after which the server is done. With the timeouts of the impatient fixture it is longer,
/// and it is short if all requests are answered and the client sends more.
const QUIET: Duration = Duration::from_millis(300);
const QUIET_WITH_DEADLINES: Duration = Duration::from_millis(900);
const QUIET_WHEN_ANSWERED: Duration = Duration::from_millis(10);

/// So many equal bytes are written as a repeat.
const MIN_REPEAT: usize = 200;

/// Returns the page's transcript with what the server did in place of what was expected.
pub fn bless(page: &Page, start: Start) -> Result<Transcript, String> {
    let replay = Replay::new(page, Pace::Whole, start);
    let mut blesser = Blesser { replay, page, items: Vec::new() };
    let mut rest = &page.transcript.items[..];
    while let [item, after @ ..] = rest {
        let count = rest.iter().take_while(|next| is_from_server(next, item)).count();
        let (blocks, after_blocks) = rest.split_at(count);
        rest = after;
        match item {
            Item::Block(block) if count > 0 => {
                let connection = block.connection;
                let goes_on = after_blocks.iter().any(|next| is_from_client(next, connection));
                blesser.write_received(connection, blocks, goes_on)?;
                rest = after_blocks;
            }
            Item::Event(Event {
                connection,
                kind: EventKind::Closed(Side::Server) | EventKind::Reset(Side::Server),
                ..
            }) => blesser.write_received(*connection, &[], false)?,
            Item::Assertions(_) => {
                blesser.write_rest()?;
                blesser.items.push(item.clone());
            }
            other => {
                blesser.replay.play(other)?;
                blesser.items.push(other.clone());
            }
        }
    }
    blesser.write_rest()?;
    Ok(Transcript { items: blesser.items })
}

/// Whether this is a block of the server on the connection of `first`.
fn is_from_server(item: &Item, first: &Item) -> bool {
    match (item, first) {
        (Item::Block(block), Item::Block(first)) => {
            block.from == Side::Server && block.connection == first.connection
        }
        _ => false,
    }
}

fn is_from_client(item: &Item, connection: u32) -> bool {
    matches!(item, Item::Block(block)
        if block.from == Side::Client && block.connection == connection)
}

struct Blesser<'a> {
    replay: Replay,
    page: &'a Page,
    items: Vec<Item>,
}

impl Blesser<'_> {
    /// Writes what the server did on all connections and the page does not show.
    fn write_rest(&mut self) -> Result<(), String> {
        let connections: Vec<u32> =
            self.replay.clients().map(|(connection, _)| connection).collect();
        connections.into_iter().try_for_each(|connection| match self.page.is_lesson() {
            true => self.skip_received(connection),
            false => self.write_received(connection, &[], false),
        })
    }

    /// Skips what the server did. A lesson shows only a part of it.
    fn skip_received(&mut self, connection: u32) -> Result<(), String> {
        let client = self.replay.client(connection)?;
        read_until_quiet(client, QUIET, false);
        client.judged = client.got().len();
        Ok(())
    }

    /// Waits for what the server does on a connection, and writes it. If the bytes are those of the `old`
    /// blocks, it keeps these. `goes_on` says whether the client sends more.
    fn write_received(
        &mut self,
        connection: u32,
        old: &[Item],
        goes_on: bool,
    ) -> Result<(), String> {
        let quiet = if self.page.fixture() == "impatient" { QUIET_WITH_DEADLINES } else { QUIET };
        let client = self.replay.client(connection)?;
        read_until_quiet(client, quiet, goes_on);
        let got = client.unjudged().to_vec();
        let start = client.judged;
        client.judged = client.got().len();
        let responses = client.received.interims().iter().chain(client.received.finals());
        let mut ends: Vec<usize> = responses.map(|response| response.span.end).collect();
        ends.sort_unstable();
        let ended = if client.is_end_judged { Ended::Open } else { client.ended };
        client.is_end_judged |= client.ended != Ended::Open;

        let note = || Note::new("");
        if !got.is_empty() && bytes_of(old).is_some_and(|bytes| bytes == got) {
            self.items.extend_from_slice(old);
        } else {
            // Each response is a block, because each is a write.
            let inner = ends.into_iter().filter(|&end| end > start && end < start + got.len());
            let cuts: Vec<usize> = inner.map(|end| end - start).chain([got.len()]).collect();
            let mut from = 0;
            for cut in cuts.into_iter().filter(|_| !got.is_empty()) {
                let (side, bytes) = (Side::Server, with_repeats(&got[from..cut])?);
                self.items.push(Item::Block(Block { connection, from: side, note: note(), bytes }));
                from = cut;
            }
        }
        let kind = match ended {
            Ended::Open => return Ok(()),
            Ended::Closed => EventKind::Closed(Side::Server),
            Ended::Reset => EventKind::Reset(Side::Server),
        };
        self.items.push(Item::Event(Event { connection, kind, note: note() }));
        Ok(())
    }
}

fn read_until_quiet(client: &mut ReplayClient, quiet: Duration, goes_on: bool) {
    loop {
        let (known, answered) = (client.got().len(), client.received.is_answered());
        let time = if goes_on && answered { QUIET_WHEN_ANSWERED } else { quiet };
        client.read_while(time, |client| client.got().len() == known);
        if client.got().len() == known {
            return;
        }
    }
}

/// Returns all bytes of these blocks; `None` if an item is not a block or leaves bytes out.
fn bytes_of(blocks: &[Item]) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    for item in blocks {
        let Item::Block(block) = item else { return None };
        all.extend(block.bytes.expand()?);
    }
    Some(all)
}

/// Makes the bytes of a block, with repeats for long runs of one byte.
fn with_repeats(got: &[u8]) -> Result<Bytes, String> {
    let mut bytes = Bytes::new();
    for run in got.chunk_by(|one, next| one == next) {
        match run {
            [first, ..] if run.len() >= MIN_REPEAT => bytes
                .push_repeat(run.len() as u64, &[*first])
                .map_err(|error| format!("{error}\n"))?,
            _ => bytes.push_raw(run),
        }
    }
    Ok(bytes)
}

//! What came, written into the page: `BLESS=1 cargo test --test exchanges`.
//!
//! A page is played whole, and where it speaks of the server, what the server did is put in the place
//! of what it says: blocks, and the end of the connection. Where it says nothing, that is at its
//! assertions and at its end. So a new page needs no answers; an empty `<<<` says where one is to be
//! waited for between two blocks of the client. Of a lesson only what it shows is written again. Who
//! blesses has to read the difference.

use std::time::Duration;

use openkitchen::Transcript;
use openkitchen::transcript::{Block, Bytes, Event, EventKind, Item, Note, Side, judge};

use super::pace::Pace;
use super::page::Page;
use super::raw_client::Ended;
use super::replay::{Line, Stage, unjudged};

/// When nothing has come for so long, nothing more will. The impatient fixture takes a while, but
/// not where all is answered and the page goes on.
const QUIET: Duration = Duration::from_millis(300);
const QUIET_WITH_DEADLINES: Duration = Duration::from_millis(900);
const QUIET_WHEN_ANSWERED: Duration = Duration::from_millis(10);

/// A run of one byte that is written as a repeat.
const RUN: usize = 200;

/// The page with what came in the place of what was expected.
pub fn bless(page: &Page) -> Result<Transcript, String> {
    let mut scribe = Scribe { stage: Stage::new(page, Pace::Whole), page, items: Vec::new() };
    let mut rest = &page.transcript.items[..];
    while let [item, after @ ..] = rest {
        let run = rest.iter().take_while(|next| is_from_server(next, item)).count();
        let (blocks, behind) = rest.split_at(run);
        rest = after;
        match item {
            Item::Block(block) if run > 0 => {
                let connection = block.connection;
                let goes_on = behind.iter().any(|next| is_from_client(next, connection));
                scribe.take(connection, blocks, goes_on)?;
                rest = behind;
            }
            Item::Event(Event {
                connection,
                kind: EventKind::Closed(Side::Server) | EventKind::Reset(Side::Server),
                ..
            }) => scribe.take(*connection, &[], false)?,
            Item::Assertions(_) => {
                scribe.take_all()?;
                scribe.items.push(item.clone());
            }
            other => {
                scribe.stage.play(other)?;
                scribe.items.push(other.clone());
            }
        }
    }
    scribe.take_all()?;
    Ok(Transcript { items: scribe.items })
}

/// Whether this is a block of the server, on the connection of that one.
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

struct Scribe<'a> {
    stage: Stage,
    page: &'a Page,
    items: Vec<Item>,
}

impl Scribe<'_> {
    /// What is still to be said of all connections.
    fn take_all(&mut self) -> Result<(), String> {
        let connections: Vec<u32> = self.stage.lines().map(|(connection, _)| connection).collect();
        connections.into_iter().try_for_each(|connection| match self.page.is_lesson() {
            true => self.pass_over(connection),
            false => self.take(connection, &[], false),
        })
    }

    /// A lesson shows of the server what its writer chose to show.
    fn pass_over(&mut self, connection: u32) -> Result<(), String> {
        let line = self.stage.line(connection)?;
        read_until_quiet(line, QUIET, false);
        line.noted.judged = line.got.len();
        Ok(())
    }

    /// Waits for what the server does on a connection, and writes it down; as it was written before,
    /// where it is the same.
    fn take(&mut self, connection: u32, before: &[Item], goes_on: bool) -> Result<(), String> {
        let quiet = if self.page.fixture() == "impatient" { QUIET_WITH_DEADLINES } else { QUIET };
        let line = self.stage.line(connection)?;
        read_until_quiet(line, quiet, goes_on);
        let got = unjudged(line).to_vec();
        let start = std::mem::replace(&mut line.noted.judged, line.got.len());
        let ends = judge::ends(&line.sent, &line.got);
        let ended = if line.noted.end { Ended::Open } else { line.ended };
        line.noted.end |= line.ended != Ended::Open;

        let note = || Note::new("");
        if !got.is_empty() && bytes_of(before).is_some_and(|bytes| bytes == got) {
            self.items.extend_from_slice(before);
        } else {
            // A block for each answer, as each is a write.
            let inner = ends.into_iter().filter(|&end| end > start && end < start + got.len());
            let cuts: Vec<usize> = inner.map(|end| end - start).chain([got.len()]).collect();
            let mut from = 0;
            for cut in cuts.into_iter().filter(|_| !got.is_empty()) {
                let (side, bytes) = (Side::Server, in_runs(&got[from..cut])?);
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

fn read_until_quiet(line: &mut Line, quiet: Duration, goes_on: bool) {
    loop {
        let (known, answered) = (line.got.len(), judge::is_answered(&line.sent, &line.got));
        let time = if goes_on && answered { QUIET_WHEN_ANSWERED } else { quiet };
        line.read_while(time, |line| line.got.len() == known);
        if line.got.len() == known {
            return;
        }
    }
}

/// All bytes of some blocks.
fn bytes_of(blocks: &[Item]) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    for item in blocks {
        let Item::Block(block) = item else { return None };
        all.extend(block.bytes.expand()?);
    }
    Some(all)
}

/// Bytes for a page, where a hundred kilobytes of `x` are a line.
fn in_runs(got: &[u8]) -> Result<Bytes, String> {
    let mut bytes = Bytes::new();
    for run in got.chunk_by(|one, next| one == next) {
        match run {
            [first, ..] if run.len() >= RUN => bytes
                .push_repeat(run.len() as u64, &[*first])
                .map_err(|error| format!("{error}\n"))?,
            _ => bytes.push_raw(run),
        }
    }
    Ok(bytes)
}

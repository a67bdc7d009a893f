//! A conversation that went otherwise than foretold: as short as it will be, and written down.

use std::time::{Duration, Instant};

use openkitchen::Transcript;
use openkitchen::transcript::{Block, Bytes, Event, EventKind, Item, Note, Prose, Side, TooLong};

use super::client::{Conversation, Ended, Fault, Piece, Then};
use super::oracle::predict;

/// Time for making it short. A conversation that fails by silence takes its while.
const TIME: Duration = Duration::from_secs(10);

/// Leaves bytes and cuts out as long as something goes wrong. `hold` tells whether it does.
pub fn shorten(
    conversation: Conversation,
    fault: Fault,
    hold: impl Fn(&Conversation) -> Result<(), Fault>,
) -> (Conversation, Fault) {
    let since = Instant::now();
    let kind = kind_of(&fault).to_owned();
    let (mut shortest, mut fault) = (conversation, fault);
    let mut fails = |shorter: Conversation, shortest: &mut Conversation| match hold(&shorter) {
        Err(found) if kind_of(&found) == kind && since.elapsed() < TIME => {
            (*shortest, fault) = (shorter, found);
            true
        }
        _ => false,
    };
    let whole = Piece { bytes: shortest.bytes(), then: Then::GoOn };
    fails(Conversation { pieces: vec![whole], ..shortest }, &mut shortest);
    fails(Conversation { waits_at_end: false, ..shortest.clone() }, &mut shortest);
    let mut size = shortest.bytes().len().div_ceil(2);
    while size > 0 && since.elapsed() < TIME {
        let mut at = 0;
        while at < shortest.bytes().len() {
            if !fails(without(&shortest, at, size), &mut shortest) {
                at += size;
            }
        }
        size /= 2;
    }
    (shortest, fault)
}

/// What went wrong, whichever answer it was.
fn kind_of(fault: &Fault) -> &str {
    match fault.why.split_once(", ") {
        Some((answer, kind)) if answer.starts_with("answer ") => kind,
        _ => &fault.why,
    }
}

/// The conversation without so many bytes from there on.
fn without(conversation: &Conversation, from: usize, count: usize) -> Conversation {
    let mut at = 0;
    let mut shorter = conversation.clone();
    for piece in &mut shorter.pieces {
        piece.bytes.retain(|_| {
            at += 1;
            !(from..from + count).contains(&(at - 1))
        });
    }
    shorter.pieces.retain(|piece| !piece.bytes.is_empty());
    shorter
}

/// The page, with what came where it should have come otherwise.
pub fn page(seed: u64, conversation: &Conversation, fault: &Fault) -> String {
    let prose = |text: &str| Item::Prose(Prose::new(text));
    let block = |from, note: &str, bytes: &[u8]| {
        let (note, bytes) = (Note::new(note), with_repeats(bytes));
        Item::Block(Block { connection: 1, from, note, bytes })
    };
    let event = |kind| Item::Event(Event { connection: 1, kind, note: Note::default() });

    let mut items = vec![prose(&fault.why)];
    let due = predict(&conversation.bytes(), true);
    for answer in &due.answers {
        let (statuses, connection) = (&answer.statuses, answer.connection);
        items.push(prose(&format!("due: {statuses:?} {connection:?} {}", answer.why.join(", "))));
    }
    items.push(prose(&format!("as found: SEED={seed} CONVERSATIONS=1")));
    for piece in &conversation.pieces {
        items.push(block(Side::Client, &piece.then.to_string(), &piece.bytes));
    }
    if conversation.waits_at_end {
        items.push(prose("before the half-close, all that is due has to come"));
    }
    items.push(event(EventKind::HalfClose(Side::Client)));
    if !fault.came.is_empty() {
        items.push(block(Side::Server, "", &fault.came));
    }
    match fault.end {
        Some(Ended::Closed) => items.push(event(EventKind::Closed(Side::Server))),
        Some(Ended::Reset) => items.push(event(EventKind::Reset(Side::Server))),
        None => {}
    }
    Transcript { items }.to_string()
}

/// These bytes, with a long run of the same one as a repeat.
fn with_repeats(bytes: &[u8]) -> Bytes {
    let mut all = Bytes::new();
    for run in bytes.chunk_by(|one, other| one == other) {
        let is_long = run.len() > 40;
        if !is_long || all.push_repeat(run.len() as u64, &run[..1]) == Err(TooLong) {
            all.push_raw(run);
        }
    }
    all
}

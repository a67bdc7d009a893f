//! Shrinks a conversation that failed, and prints it as a transcript.

use std::time::{Duration, Instant};

use openkitchen::Transcript;
use openkitchen::transcript::{Block, Bytes, Event, EventKind, Item, Note, Prose, Side, TooLong};

use super::client::{ClientWrite, ConnectionEnd, Conversation, Failure, WaitFor};
use super::predict::predict;

/// Time for shrinking. A conversation that fails by a timeout takes that time in each try.
const SHRINK_TIME: Duration = Duration::from_secs(10);

/// A run of one byte that is longer than this is printed as a repeat.
const LONGEST_RUN: usize = 40;

/// Removes writes and bytes from a conversation as long as it fails in the same way. `run` runs a
/// conversation.
pub fn shrink(
    conversation: Conversation,
    failure: Failure,
    run: impl Fn(&Conversation) -> Result<(), Failure>,
) -> (Conversation, Failure) {
    let start = Instant::now();
    let kind = kind_of(&failure).to_owned();
    let (mut shortest, mut failure) = (conversation, failure);
    let mut fails = |shorter: Conversation, shortest: &mut Conversation| match run(&shorter) {
        Err(found) if kind_of(&found) == kind && start.elapsed() < SHRINK_TIME => {
            (*shortest, failure) = (shorter, found);
            true
        }
        _ => false,
    };
    let whole = ClientWrite { bytes: shortest.bytes(), wait: WaitFor::Nothing };
    fails(Conversation { writes: vec![whole], ..shortest }, &mut shortest);
    fails(Conversation { waits_at_end: false, ..shortest.clone() }, &mut shortest);
    let mut size = shortest.bytes().len().div_ceil(2);
    while size > 0 && start.elapsed() < SHRINK_TIME {
        let mut at = 0;
        while at < shortest.bytes().len() {
            if !fails(without(&shortest, at, size), &mut shortest) {
                at += size;
            }
        }
        size /= 2;
    }
    (shortest, failure)
}

/// The reason, without the number of the response.
fn kind_of(failure: &Failure) -> &str {
    match failure.why.split_once(", ") {
        Some((response, kind)) if response.starts_with("response ") => kind,
        _ => &failure.why,
    }
}

/// The conversation without `count` bytes from the offset `from`.
fn without(conversation: &Conversation, from: usize, count: usize) -> Conversation {
    let mut at = 0;
    let mut shorter = conversation.clone();
    for write in &mut shorter.writes {
        write.bytes.retain(|_| {
            at += 1;
            !(from..from + count).contains(&(at - 1))
        });
    }
    shorter.writes.retain(|write| !write.bytes.is_empty());
    shorter
}

/// The conversation as a transcript: the prediction as prose, and what the client sent and received.
pub fn transcript(seed: u64, conversation: &Conversation, failure: &Failure) -> String {
    let prose = |text: &str| Item::Prose(Prose::new(text));
    let block = |from, note: &str, bytes: &[u8]| {
        let (note, bytes) = (Note::new(note), with_repeats(bytes));
        Item::Block(Block { connection: 1, from, note, bytes })
    };
    let event = |kind| Item::Event(Event { connection: 1, kind, note: Note::default() });

    let mut items = vec![prose(&failure.why)];
    for due in &predict(&conversation.bytes(), true).responses {
        let (statuses, connection) = (&due.statuses, due.connection);
        items.push(prose(&format!("expected: {statuses:?} {connection:?} {}", due.why.join(", "))));
    }
    items.push(prose(&format!("before it was shrunk: SEED={seed} CONVERSATIONS=1")));
    for write in &conversation.writes {
        items.push(block(Side::Client, &write.wait.to_string(), &write.bytes));
    }
    if conversation.waits_at_end {
        items.push(prose("the client waits for all responses before it half-closes"));
    }
    items.push(event(EventKind::HalfClose(Side::Client)));
    if !failure.received.is_empty() {
        items.push(block(Side::Server, "", &failure.received));
    }
    match failure.end {
        Some(ConnectionEnd::Closed) => items.push(event(EventKind::Closed(Side::Server))),
        Some(ConnectionEnd::Reset) => items.push(event(EventKind::Reset(Side::Server))),
        None => {}
    }
    Transcript { items }.to_string()
}

/// These bytes, with each long run of one byte as a repeat.
fn with_repeats(bytes: &[u8]) -> Bytes {
    let mut all = Bytes::new();
    for run in bytes.chunk_by(|one, other| one == other) {
        let is_long = run.len() > LONGEST_RUN;
        if !is_long || all.push_repeat(run.len() as u64, &run[..1]) == Err(TooLong) {
            all.push_raw(run);
        }
    }
    all
}

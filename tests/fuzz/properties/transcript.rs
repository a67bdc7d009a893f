//! Transcripts: printing and parsing change nothing, whatever bytes a transcript has.

use openkitchen::Transcript;
use openkitchen::transcript::{
    Assertion, Block, Bytes, Event, EventKind, Fact, Item, Millis, Note, Printer, Prose, Side,
};

use super::Random;

pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match Transcript::parse(&text) {
        Ok(transcript) => printing_and_parsing_change_nothing(&transcript),
        Err(error) => {
            assert!((1..=text.lines().count()).contains(&error.line), "{error}");
            assert!((1..=error.text.chars().count() + 1).contains(&error.column), "{error}");
            let shown = error.to_string();
            assert!(!shown.lines().any(|line| line.contains(char::is_control)), "{error:?}");
        }
    }
    printing_and_parsing_change_nothing(&transcript_of(bytes, &text));
}

/// Printed and parsed, a transcript is the same, and its text has no invisible characters.
pub fn printing_and_parsing_change_nothing(transcript: &Transcript) {
    let text = transcript.to_string();
    assert_eq!(Transcript::parse(&text).as_ref(), Ok(transcript), "{text}");
    for line in text.split_terminator('\n') {
        assert_eq!(line, line.trim_end(), "a line ends in invisible characters");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    let (mut printer, mut live) = (Printer::new(), String::new());
    transcript.items.iter().for_each(|item| printer.print(item, &mut live));
    assert_eq!(live, text);
}

/// A transcript with these bytes everywhere that bytes or text can be.
fn transcript_of(bytes: &[u8], text: &str) -> Transcript {
    let (before, after) = bytes.split_at(Random::from(bytes).below(bytes.len() + 1));
    let mut parts = Bytes::raw(before);
    // A repeat that is too long is refused, and changes nothing.
    let _ = parts.push_repeat(bytes.len() as u64, after);
    parts.push_left_out(before.len() as u64);
    parts.push_raw(after);
    let connection = bytes.len() as u32;
    let facts = [Fact::Body, Fact::BodyContains, Fact::TargetIs, Fact::TargetContains];
    let assertions = facts.map(|fact| Assertion::first(fact(bytes.to_vec())));
    let block = |from, bytes| Item::Block(Block { connection, from, note: Note::new(text), bytes });
    let kind = EventKind::Wait(Millis(bytes.len() as u64));
    Transcript {
        items: vec![
            Item::Prose(Prose::new(text)),
            block(Side::Client, Bytes::raw(bytes)),
            Item::Assertions(assertions.into()),
            block(Side::Server, parts),
            Item::Event(Event { connection, kind, note: Note::new(text) }),
        ],
    }
}

//! What is read as a transcript survives its page, whatever it holds.

use openkitchen::Transcript;
use openkitchen::transcript::Side;
use openkitchen::transcript::{Block, Bytes, Event, EventKind, Item, Millis, Note, Printer, Prose};

use super::Random;

pub fn holds(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match Transcript::parse(&text) {
        Ok(page) => it_survives_its_page(&page),
        Err(error) => {
            assert!((1..=text.lines().count()).contains(&error.line), "{error}");
            assert!(!error.to_string().contains(char::is_control), "{error:?}");
        }
    }
    it_survives_its_page(&page_of(bytes, &text));
}

/// To print and parse is to get the same page, and the text of it shows all that is in it.
pub fn it_survives_its_page(page: &Transcript) {
    let text = page.to_string();
    assert_eq!(Transcript::parse(&text).as_ref(), Ok(page), "{text}");
    for line in text.split_terminator('\n') {
        assert_eq!(line, line.trim_end(), "something stands where nobody sees it");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    let (mut printer, mut live) = (Printer::new(), String::new());
    page.items.iter().for_each(|item| printer.print(item, &mut live));
    assert_eq!(live, text);
}

/// A page that holds these bytes in each place that bytes or text can have.
fn page_of(bytes: &[u8], text: &str) -> Transcript {
    let (before, behind) = bytes.split_at(Random::from(bytes).below(bytes.len() + 1));
    let mut pieces = Bytes::raw(before);
    // What would be too long is refused, and leaves the bytes as they were.
    let _ = pieces.push_repeat(bytes.len() as u64, behind);
    pieces.push_left_out(before.len() as u64);
    pieces.push_raw(behind);
    let connection = bytes.len() as u32;
    let block = |from, bytes| Item::Block(Block { connection, from, note: Note::new(text), bytes });
    let kind = EventKind::Wait(Millis(bytes.len() as u64));
    Transcript {
        items: vec![
            Item::Prose(Prose::new(text)),
            block(Side::Client, Bytes::raw(bytes)),
            block(Side::Server, pieces),
            Item::Event(Event { connection, kind, note: Note::new(text) }),
        ],
    }
}

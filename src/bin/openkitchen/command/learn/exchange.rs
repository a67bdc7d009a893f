//! Prints what crossed for a lesson, with its explanations.

use std::collections::{BTreeMap, HashSet};

use openkitchen::message::dialogue::Dialogue;
use openkitchen::message::reader::Part;
use openkitchen::transcript::explain::{ConnectionExplainer, FirstUses, Remark};
use openkitchen::transcript::{Block, Bytes, Event, Item, Transcript};

use super::screen::{Screen, is_of_client};

/// Bytes of content in one read that are shown whole; of more, [`MAX_START`] bytes are.
const MAX_CONTENT: usize = 1000;

/// Bytes at the start of longer content that are shown at most, up to the end of a line.
const MAX_START: usize = 240;

/// Explanations that are remembered, so that each is printed once.
const MAX_EXPLAINED: usize = 4096;

/// What was explained so far. Two elements that mean the same, such as two reason phrases, are
/// explained once.
#[derive(Default)]
pub struct Explained {
    meanings: HashSet<String>,
    words: FirstUses,
}

impl Explained {
    /// Returns the remarks that are new, and after them the meanings of words that are. A fault
    /// always is.
    fn new_of(&mut self, mut remarks: Vec<Remark>) -> Vec<Remark> {
        remarks.retain(|remark| {
            let has_room = self.meanings.len() < MAX_EXPLAINED;
            remark.is_fault || (has_room && self.meanings.insert(remark.text.clone()))
        });
        self.words.explain_in(remarks)
    }
}

/// Prints the items of a transcript, each with what is new about it. What the client sends before
/// the first answer was shown before: of it, only the explanations are printed.
pub fn print(transcript: &Transcript, explained: &mut Explained, screen: &mut Screen) {
    let mut explainers = BTreeMap::<u32, ConnectionExplainer>::new();
    let mut dialogues = BTreeMap::<u32, Dialogue>::new();
    let before = transcript.items.iter().take_while(|item| is_of_client(item)).count();
    let mut is_request_explained = false;
    for (index, item) in transcript.items.iter().enumerate() {
        if index == before {
            if is_request_explained {
                screen.gap();
            }
            screen.line("What comes back:");
        }
        let remarks = match item {
            Item::Block(block) => {
                let bytes = block.bytes.expand().unwrap_or_default();
                let dialogue = dialogues.entry(block.connection).or_default();
                let shown = Item::Block(shortened(block, &bytes, dialogue));
                if index >= before {
                    screen.item(&shown);
                }
                let explainer = explainers.entry(block.connection).or_default();
                explainer.explain_bytes(block.from, &bytes)
            }
            Item::Event(Event { connection, kind, .. }) => {
                if index >= before {
                    screen.item(item);
                }
                explainers.entry(*connection).or_default().explain_event(*kind)
            }
            Item::Prose(_) | Item::Assertions(_) => Vec::new(),
        };
        let columns = screen.columns() - "# ".len();
        let new = explained.new_of(remarks);
        let lines: Vec<String> = new.iter().flat_map(|remark| remark.lines(columns)).collect();
        if index < before && !lines.is_empty() && !is_request_explained {
            is_request_explained = true;
            screen.line("About the request:");
        }
        screen.remarks(lines.into_iter());
    }
}

/// Returns the block with the middle and the end of long content left out.
fn shortened(block: &Block, bytes: &[u8], dialogue: &mut Dialogue) -> Block {
    let (mut shown, mut rest) = (Bytes::new(), bytes);
    while let Some(range) = dialogue.next(block.from, rest) {
        let (now, later) = rest.split_at(range.length);
        rest = later;
        let is_long = range.part == Part::Content && now.len() > MAX_CONTENT;
        let start = if is_long { start_of(now) } else { now };
        shown.push_raw(start);
        shown.push_left_out((now.len() - start.len()) as u64);
    }
    Block { bytes: shown, note: block.note.clone(), ..*block }
}

/// The first lines of long content, or nothing if the first line is too long.
fn start_of(content: &[u8]) -> &[u8] {
    let end = content[..MAX_START].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    &content[..end]
}

#[cfg(test)]
mod tests {
    use openkitchen::transcript::{Note, Side};

    use super::*;

    #[test]
    fn long_content_is_shown_by_its_first_lines_and_its_length() {
        let lines = "a line of text\n".repeat(100);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", lines.len());
        let bytes = (head.clone() + &lines).into_bytes();
        let (from, note) = (Side::Server, Note::default());
        let block = Block { connection: 1, from, note, bytes: Bytes::raw(&bytes) };
        let shown = shortened(&block, &bytes, &mut Dialogue::new());
        assert_eq!(shown.bytes.len(), block.bytes.len());
        let text = Item::Block(shown).to_string();
        assert!(text.ends_with("a line of text\\n\n\\{1260 bytes}\\\n"), "{text}");
    }
}

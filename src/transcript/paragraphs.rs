//! The prose at the top of a transcript, as paragraphs.
//!
//! ```text
//! # A request without Host is refused                the title: a paragraph of its own
//! # RFC 9112 section 3.2: "A server MUST ..."        the clause: likewise
//! #
//! # One address can be many sites, so the            text, up to an empty line
//! # client says which one it means.
//! #
//! # needs: lesson 14                                 a key begins a paragraph, too
//! # next: Count the Host fields before
//! # anything else.
//! ```

use super::model::Item;

/// The words that begin a paragraph with a meaning for a program, where a colon and a space follow.
const KEYS: [&str; 10] =
    ["about", "only", "needs", "same", "next", "predict", "answer", "right", "because", "keep"];

/// Returns the paragraphs of the prose at the top, each as one line.
pub fn paragraphs(items: &[Item]) -> Vec<String> {
    let lines = items.iter().map_while(|item| match item {
        Item::Prose(line) => Some(line.as_str()),
        _ => None,
    });
    let (mut paragraphs, mut goes_on) = (Vec::<String>::new(), false);
    for (index, line) in lines.enumerate() {
        let is_alone = index == 0 || line.starts_with("RFC ") && !goes_on;
        match paragraphs.last_mut() {
            Some(paragraph) if goes_on && key(line).is_none() && !line.is_empty() => {
                paragraph.push(' ');
                paragraph.push_str(line);
            }
            _ if line.is_empty() => {}
            _ => paragraphs.push(line.to_owned()),
        }
        goes_on = !is_alone && !line.is_empty();
    }
    paragraphs
}

/// Returns the key that a paragraph begins with, and the text after it; `None` if it has none.
pub fn key(paragraph: &str) -> Option<(&'static str, &str)> {
    let (word, text) = paragraph.split_once(": ")?;
    let key = KEYS.into_iter().find(|&key| key == word)?;
    Some((key, text.trim_start()))
}

/// Returns the texts of the paragraphs with this key.
pub fn with_key<'a>(paragraphs: &'a [String], wanted: &str) -> impl Iterator<Item = &'a str> {
    let keys = paragraphs.iter().filter_map(|paragraph| key(paragraph));
    keys.filter(move |(key, _)| *key == wanted).map(|(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Transcript;

    #[test]
    fn an_empty_line_ends_a_paragraph_and_a_key_begins_one() {
        let text = "# A title\n# RFC 9112 section 5.1: why\n# More,\n# and more.\n#\n# In RFC\n\
                    # RFC 9110 it says so.\n# next: Do this,\n# and that.\n# needs: lesson 14\n\
                    # note: no key\n#\n# answer: 17\n\n>>>\n# within no prose\n";
        let items = Transcript::parse(text).expect("a transcript").items;
        let paragraphs = paragraphs(&items);
        assert_eq!(
            paragraphs,
            [
                "A title",
                "RFC 9112 section 5.1: why",
                "More, and more.",
                "In RFC RFC 9110 it says so.",
                "next: Do this, and that.",
                "needs: lesson 14 note: no key",
                "answer: 17",
            ]
        );
        assert_eq!(with_key(&paragraphs, "next").collect::<Vec<_>>(), ["Do this, and that."]);
        assert_eq!(key("A title: with a colon"), None);
    }
}

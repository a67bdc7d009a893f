//! # Explaining the words of explanations
//!
//! A learner meets words such as "target" and "origin" in explanations. The first use of each is
//! followed by what it means:
//!
//! ```text
//! GET: asks for the current representation of the target; ... (RFC 9110 section 9.3.1)
//! (representation: the bytes that stand for a resource at this moment, ...)
//! (target: what a request is about: ...)
//! ```
//! Left out: the words of these meanings, which would make a chain.
//! The words and their meanings are those of [`words`]. Next: [`pasted`](mod@super::pasted).

use super::remark::Remark;
use crate::message::caret::INDENT;
use crate::transcript::glossary::{Row, words};

/// Remembers which words have been explained.
#[derive(Debug)]
pub struct FirstUses {
    unexplained: Vec<Row>,
}

impl Default for FirstUses {
    fn default() -> FirstUses {
        FirstUses { unexplained: words().collect() }
    }
}

impl FirstUses {
    /// Adds remarks after each one that is the first to use a word. The words of the added remarks
    /// are not explained: that would be a chain of them.
    pub fn explain_in(&mut self, remarks: Vec<Remark>) -> Vec<Remark> {
        let mut with_words = Vec::with_capacity(remarks.len());
        for remark in remarks {
            let Remark { span, about, text, .. } = remark.clone();
            with_words.push(remark);
            let rows = self.unexplained.iter();
            let mut used: Vec<(usize, Row)> =
                rows.filter_map(|&row| Some((use_of(&text, row.0)?, row))).collect();
            used.sort_by_key(|&(at, _)| at);
            for (_, (word, _, meaning)) in used {
                if !about.eq_ignore_ascii_case(word) {
                    self.unexplained.retain(|row| row.0 != word);
                    let text = format!("({word}: {meaning})");
                    with_words.push(Remark::new(span.clone(), text, ""));
                }
            }
        }
        with_words
    }
}

/// Returns where a text has this word, as it is or with an `s` or `d`, or with `ies` for its `y`.
/// The bytes that a picture shows do not count.
fn use_of(text: &str, word: &str) -> Option<usize> {
    let is_end =
        |next: Option<char>| next.is_none_or(|next| !next.is_alphanumeric() && next != '-');
    let stem = word.strip_suffix('y');
    let plural = stem.map(|stem| format!("{stem}ies"));
    if let Some(at) = plural.and_then(|plural| use_of(text, &plural)) {
        return Some(at);
    }
    let mut found = text.match_indices(word).map(|(at, _)| at);
    found.find(|&at| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        let line = before.rsplit('\n').next().unwrap_or_default();
        let after_end = after.strip_prefix(['s', 'd']).filter(|after| is_end(after.chars().next()));
        is_end(before.chars().next_back())
            && is_end(after_end.unwrap_or(after).chars().next())
            && !line.starts_with(INDENT)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(first_uses: &mut FirstUses, text: &str) -> Vec<String> {
        let remarks = first_uses.explain_in(vec![Remark::new(0..1, text, "")]);
        remarks.into_iter().map(|remark| remark.text).collect()
    }

    #[test]
    fn the_first_use_of_a_word_is_followed_by_its_meaning_and_the_second_is_not() {
        let mut first_uses = FirstUses::default();
        // The meaning of a word uses others, such as host, which the text does not have.
        let added = texts(&mut first_uses, "two origins");
        assert!(added.len() == 2 && added[1].starts_with("(origin: "), "{added:#?}");
        let added = texts(&mut first_uses, "an origin and a host");
        assert!(added.len() == 2 && added[1].starts_with("(host: "), "{added:#?}");
        assert_eq!(texts(&mut first_uses, "an origin and a host"), ["an origin and a host"]);
    }

    #[test]
    fn a_word_is_whole_and_not_in_a_picture() {
        for (text, is_used) in [
            ("the head ends", true),
            ("heads", true),
            ("headed", false),
            ("ahead, header and Head", false),
            ("a head-on", false),
            ("broken:\n    a head\n    ^", false),
        ] {
            assert_eq!(use_of(text, "head").is_some(), is_used, "{text}");
        }
        assert_eq!(use_of("it was half-closed", "half-close"), Some(7));
        assert_eq!(use_of("two proxies", "proxy"), Some(4));
    }
}

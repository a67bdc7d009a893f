//! # Explaining the words of explanations
//!
//! A learner meets words such as "target" and "origin" in explanations. The first use of each is followed
//! by what it means:
//!
//! ```text
//! GET: asks for the current representation of the target; ... (RFC 9110 section 9.3.1)
//! (representation: the bytes that stand for a resource at this moment, ...)
//! (target: what a request is about: ...)
//! ```
//! The words and their meanings are those of [`words`]. Next: [`pasted`](mod@super::pasted).

use std::collections::HashSet;

use super::remark::Remark;
use crate::message::caret::INDENT;
use crate::transcript::glossary::words;

/// Remembers which words have been explained.
#[derive(Debug, Default)]
pub struct FirstUses {
    explained: HashSet<&'static str>,
}

impl FirstUses {
    /// Adds a remark after each one that is the first to use a word, and for the words of the added
    /// remarks too.
    pub fn explain_in(&mut self, remarks: Vec<Remark>) -> Vec<Remark> {
        let mut with_words = Vec::with_capacity(remarks.len());
        for remark in remarks {
            let mut at = with_words.len();
            with_words.push(remark);
            while let Some(Remark { span, about, text, .. }) = with_words.get(at).cloned() {
                let mut used: Vec<_> =
                    words().filter_map(|row| Some((use_of(&text, row.0)?, row))).collect();
                used.sort_by_key(|&(at, _)| at);
                for (_, (word, _, meaning)) in used {
                    if self.explained.insert(word) && !about.eq_ignore_ascii_case(word) {
                        let text = format!("({word}: {meaning})");
                        with_words.push(Remark::new(span.clone(), text, ""));
                    }
                }
                at += 1;
            }
        }
        with_words
    }
}

/// Returns where a text has this word, as it is or with an `s` or `d`, or with `ies` for its `y`. The
/// bytes that a picture shows do not count.
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
        let added = texts(&mut first_uses, "two origins");
        assert!(added[1].starts_with("(origin: "), "{added:#?}");
        // The meaning of a word uses others, which are explained after it.
        assert!(added.iter().any(|text| text.starts_with("(port: ")), "{added:#?}");
        assert_eq!(texts(&mut first_uses, "an origin and a port"), ["an origin and a port"]);
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

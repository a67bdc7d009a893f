//! # The nearest word: what a misspelt one was probably meant to be
//!
//! ```text
//! close     closed: one letter more
//! Status    status: one letter less, and one more
//! ```
//! Rule: the known word with the fewest changes, if at most half of the letters change.

/// Returns the known word with the fewest changes. `None` if more than half of the letters change.
pub fn nearest(word: &str, known: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    let nearest = known.into_iter().map(|known| (distance(word, known), known)).min();
    let (changes, known) = nearest?;
    (changes * 2 <= word.len()).then_some(known)
}

/// The Levenshtein distance: letters to insert, delete or replace to turn one word into the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, from) in one.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], above + 1);
        for (left, to) in other.bytes().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[left + 1];
            row[left + 1] = replaced.min(row[left] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_word_with_the_fewest_changes_is_the_nearest() {
        const KNOWN: [&str; 3] = ["half-close", "closed", "reset"];
        for (word, expected) in [
            ("close", Some("closed")),
            ("halfclose", Some("half-close")),
            ("rest", Some("reset")),
            ("closed", Some("closed")),
            ("open", None),
        ] {
            assert_eq!(nearest(word, KNOWN), expected, "{word}");
        }
    }
}

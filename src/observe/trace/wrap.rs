//! # Wrap lines to the width of a terminal
//!
//! ```text
//! Accept: text/html,application/xhtml+xml,
//!   application/xml;q=0.9
//! ```
//! Rule: a row ends at a space, or after a comma or a semicolon. A word that is wider than a row is
//! broken after other punctuation, and only without that at the last column. An escape such as
//! `\x1b` is never broken.

/// Columns that a character takes on a terminal: two for the wide ones of East Asia and for emoji,
/// none for a mark on the letter before it.
fn character_columns(character: char) -> usize {
    match character {
        '\0'..='\u{2ff}' => 1,
        '\u{300}'..='\u{36f}' | '\u{200c}' | '\u{200d}' | '\u{20d0}'..='\u{20ff}' => 0,
        '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// Columns that a text takes on a terminal.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(character_columns).sum()
}

/// Splits a line into rows: the first of at most `first` columns, the others of at most `next`.
/// There is always one row at least.
pub(super) fn wrap(line: &str, first: usize, next: usize) -> Vec<&str> {
    let (mut rows, mut rest, mut width) = (Vec::new(), line, first);
    while columns(rest) > width {
        let (row, after) = rest.split_at(row_end(rest, width));
        rows.push(row.trim_end_matches(' '));
        rest = after.trim_start_matches(' ');
        width = next;
    }
    if !rest.is_empty() || rows.is_empty() {
        rows.push(rest);
    }
    rows
}

/// Where the first row of a text ends that is wider than `width`: always after one character at
/// least.
fn row_end(text: &str, width: usize) -> usize {
    let (mut used, mut at) = (0, 0);
    let (mut at_space, mut in_word, mut has_word) = (None, None, false);
    while let Some(unit) = next_unit(&text[at..]) {
        let is_space = unit == " ";
        if is_space && has_word {
            at_space = Some(at); // the space itself may stand past the last column
        }
        if used + columns(unit) > width && !is_space {
            break;
        }
        used += columns(unit);
        at += unit.len();
        has_word |= !is_space;
        match unit {
            "," | ";" if has_word => at_space = Some(at),
            "/" | "&" | "?" | "=" | "-" | "." | ":" | ">" | "|" => in_word = Some(at),
            _ => {}
        }
        if used > width {
            break;
        }
    }
    let first = next_unit(text).map_or(text.len(), str::len);
    at_space.or(in_word).unwrap_or(at).max(first)
}

/// The next character, or the next escape: `\n`, `\x1b` or `\{8412 bytes}`.
fn next_unit(text: &str) -> Option<&str> {
    let length = match text.as_bytes() {
        [b'\\', b'x', _, _, ..] => 4,
        [b'\\', b'{', ..] => text.find('}').map_or(2, |end| end + 1),
        [b'\\', next, ..] if next.is_ascii() => 2,
        _ => text.chars().next()?.len_utf8(),
    };
    text.get(..length).or_else(|| text.get(..1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_ends_at_a_space_or_after_a_comma() {
        for (line, width, rows) in [
            ("", 5, &[""][..]),
            ("a b", 5, &["a b"]),
            ("abcde fgh", 5, &["abcde", "fgh"]),
            ("abc def gh", 6, &["abc", "def gh"]),
            ("Accept: text/html,image/png", 20, &["Accept: text/html,", "image/png"]),
            ("  indented text", 10, &["  indented", "text"]),
            ("a,b;c d", 4, &["a,b;", "c d"]),
        ] {
            assert_eq!(wrap(line, width, width), rows, "{line}");
        }
    }

    #[test]
    fn a_word_that_is_wider_than_a_row_is_broken_but_no_escape_is() {
        assert_eq!(wrap("/a/long/path", 6, 6), ["/a/", "long/", "path"]);
        assert_eq!(wrap("abcdefgh", 3, 4), ["abc", "defg", "h"]);
        assert_eq!(wrap(r"\x00\x01\x02", 6, 6), [r"\x00", r"\x01", r"\x02"]);
        assert_eq!(wrap(r"ab\{8412 bytes}", 6, 20), ["ab", r"\{8412 bytes}"]);
        assert_eq!(wrap("東京東京", 5, 4), ["東京", "東京"]);
        assert_eq!(wrap("ab", 0, 0), ["a", "b"], "it ends");
    }
}

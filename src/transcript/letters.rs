//! # Letters beyond ASCII: which of them stand raw
//!
//! A page in any language stays readable, and a reader sees every character that is there:
//!
//! ```text
//! Grüße, 東京                raw
//! \xe2\x80\xae               U+202E changes the direction of writing, so it stays escaped
//! \xe3\x85\xa4               U+3164 is a letter that is not visible
//! e\xcc\x81                  allowed, but printed as é: the mark stands after a raw letter
//! ```
//! Rule: std's judgement (what `str::escape_debug` leaves as it is), without white space and without
//! the letters and marks of [`INVISIBLE`]. In a head nothing beyond ASCII is raw, as
//! [`heads`](super::heads) says.

use std::ops::RangeInclusive;

/// Letters and marks that std calls printable and that show nothing: fillers, joiners, blanks and
/// variation selectors.
const INVISIBLE: [RangeInclusive<char>; 15] = [
    '\u{034f}'..='\u{034f}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{2065}'..='\u{2065}',
    '\u{2800}'..='\u{2800}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fff8}',
    '\u{13441}'..='\u{13442}',
    '\u{16fe4}'..='\u{16fe4}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d159}'..='\u{1d159}',
    '\u{e0000}'..='\u{e0fff}',
];

/// Whether a character beyond ASCII may stand raw.
pub(super) fn is_showable(character: char) -> bool {
    !character.is_ascii()
        && is_printable(character)
        && !character.is_whitespace()
        && !INVISIBLE.iter().any(|range| range.contains(&character))
}

/// Whether a character may stand raw in prose and notes. Other than in content, white space and what
/// only joins or varies letters is raw there too: no byte has to be read off it, and many languages
/// need it. What moves the cursor, ends a line or changes the direction of writing is not raw.
pub(super) fn is_raw_in_prose(character: char) -> bool {
    match character {
        ' '..='~' => true,
        '\u{200c}' | '\u{200d}' => true,  // the joiners
        '\u{2028}' | '\u{2029}' => false, // line ends
        _ if character.is_control() => false,
        _ => character.is_whitespace() || is_printable(character),
    }
}

/// Whether a showable character is a combining mark, which changes the character before it.
pub(super) fn is_mark(character: char) -> bool {
    // std escapes a mark at the start of a text only.
    !character.escape_debug().eq([character])
}

fn is_printable(character: char) -> bool {
    let mut text = [b'a'; 5];
    let length = character.encode_utf8(&mut text[1..]).len();
    let is_raw_after_a = || {
        std::str::from_utf8(&text[..=length])
            .is_ok_and(|text| text.escape_debug().skip(1).eq([character]))
    };
    !is_mark(character) || is_raw_after_a()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::visible::is_bidi_control;

    #[test]
    fn letters_and_signs_are_showable() {
        for character in "éßЖא東か한ก€→🙂\u{301}\u{20e3}".chars() {
            assert!(is_showable(character), "{character:?}");
        }
        assert!(is_mark('\u{301}') && !is_mark('é') && !is_mark('東'));
    }

    #[test]
    fn what_a_reader_cannot_see_is_not_showable() {
        let controls = ('\0'..='\u{9f}').filter(|character| character.is_control());
        // ASCII is not the matter of this file.
        let ascii = ' '..='~';
        let bidi = ('\0'..=char::MAX).filter(|character| is_bidi_control(*character));
        let white_space = "\u{a0}\u{1680}\u{2003}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}".chars();
        // Unicode's Default_Ignorable_Code_Point.
        let ignorable = [
            '\u{ad}'..='\u{ad}',
            '\u{34f}'..='\u{34f}',
            '\u{61c}'..='\u{61c}',
            '\u{115f}'..='\u{1160}',
            '\u{17b4}'..='\u{17b5}',
            '\u{180b}'..='\u{180f}',
            '\u{200b}'..='\u{200f}',
            '\u{202a}'..='\u{202e}',
            '\u{2060}'..='\u{206f}',
            '\u{3164}'..='\u{3164}',
            '\u{fe00}'..='\u{fe0f}',
            '\u{feff}'..='\u{feff}',
            '\u{ffa0}'..='\u{ffa0}',
            '\u{fff0}'..='\u{fff8}',
            '\u{1bca0}'..='\u{1bca3}',
            '\u{1d173}'..='\u{1d17a}',
            '\u{e0000}'..='\u{e0fff}',
        ];
        // A private use, a tag, an annotation; blanks that are neither space nor ignorable.
        let others = "\u{e000}\u{fff9}\u{10ffff}\u{2800}\u{13441}\u{16fe4}\u{1d159}".chars();
        let all = controls.chain(ascii).chain(bidi).chain(white_space).chain(others);
        for character in all.chain(ignorable.into_iter().flatten()) {
            assert!(!is_showable(character), "{character:?}");
        }
    }

    #[test]
    fn prose_has_no_character_that_moves_the_cursor_or_changes_the_direction() {
        for character in "a \\é東🙂\u{301}\u{a0}\u{3000}\u{200c}\u{200d}\u{fe0f}".chars() {
            assert!(is_raw_in_prose(character), "{character:?}");
        }
        let bidi = ('\0'..=char::MAX).filter(|character| is_bidi_control(*character));
        let others = "\0\t\n\x1b\x7f\u{85}\u{9b}\u{200b}\u{2028}\u{2029}\u{feff}";
        for character in bidi.chain(others.chars()) {
            assert!(!is_raw_in_prose(character), "{character:?}");
        }
    }

    #[test]
    fn a_showable_character_is_no_control_and_no_white_space() {
        let showable = ('\u{80}'..=char::MAX).filter(|character| is_showable(*character));
        let mut count = 0;
        for character in showable {
            assert!(!character.is_control() && !character.is_whitespace(), "{character:?}");
            count += 1;
        }
        assert!(count > 100_000, "{count}");
    }
}

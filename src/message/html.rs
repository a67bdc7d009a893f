//! # Escapes text for a page
//!
//! Rule: <https://html.spec.whatwg.org/#escapingString>. What a client or the name of a file brings into a
//! page stays text, and is never markup.

use super::visible::is_bidi_control;

/// Escapes one line of text for HTML, between tags and inside a quoted attribute. Control characters and
/// bidirectional controls become U+FFFD.
pub fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html += "&amp;",
            '<' => html += "&lt;",
            '>' => html += "&gt;",
            '"' => html += "&quot;",
            '\'' => html += "&#39;",
            _ if character.is_control() || is_bidi_control(character) => html.push('\u{fffd}'),
            _ => html.push(character),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_value_is_escaped() {
        assert_eq!(
            escape("<a href=\"x\" id='y'>&amp;"),
            "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;"
        );
    }

    #[test]
    fn what_moves_other_text_is_replaced() {
        assert_eq!(
            escape("a\n\u{61c}\u{202e}\x1b\u{85}\u{e9}"),
            "a\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{e9}"
        );
    }
}

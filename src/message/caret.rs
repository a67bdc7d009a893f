//! # The text of an error response: the refused line and a caret
//!
//! ```text
//! a space stands between a header field's name and its colon       why
//!
//!     Host : example.test                                   the line
//!         ^                                                 a caret under the byte
//!     Host: example.test                                    the corrected line
//!
//! RFC 9112 section 5.1: put the colon directly after the name
//! why: one program ignores the space, and another takes it as a part of the name and does
//!   not know that field: the two see different requests      what goes wrong otherwise
//! ```
//! Bytes other than visible ASCII are shown as escapes, and a long line is cut around the caret.
//! Next: [`corrected`](super::corrected).

use std::ops::Range;

use super::corrected::corrected_line;
use super::counted::counted;
use super::fields::without_line_end;
use super::fold::fold;
use super::limits;
use super::refusal::{Refusal, Refused};
use super::response::Response;
use super::seconds::InSeconds;
use super::visible::Visible;

/// The indent of the lines that an error response shows.
pub(crate) const INDENT: &str = "    ";

/// Columns of the refused line that are shown around the caret, at most. The corrected line may be
/// four columns wider.
pub(crate) const MAX_SHOWN_COLUMNS: usize = COLUMNS - INDENT.len() - 4;

/// Columns of the text of an error response. A terminal of 80 has room for them where a transcript
/// marks each line end, and where a trace indents a response.
const COLUMNS: usize = 72;

/// What is shown of a line that is empty.
const EMPTY_LINE: &str = "(an empty line)";

/// Seconds after which a client may try again.
const RETRY_AFTER: &str = "1";

impl Refused {
    /// The error response. `bytes` are those of the request, from its first.
    pub fn response(&self, bytes: &[u8], limits: &limits::Limits) -> Response {
        let response = Response::text(folded(&self.explained(bytes, limits)))
            .status(self.refusal.rule().status)
            // The text may show the client's own bytes, which a browser must not take for HTML.
            .field("X-Content-Type-Options", "nosniff");
        match self.refusal {
            Refusal::TooManyConnections | Refusal::OutOfMemory => {
                response.field("Retry-After", RETRY_AFTER)
            }
            _ => response,
        }
    }

    /// Returns the content of the error response, before it is folded: the reason, the refused line
    /// with a caret under the bad byte, the corrected line, the clause and the fix, and what goes
    /// wrong where such a request is accepted.
    ///
    /// `bytes` are those of the request, from its first. If a limit was exceeded, the text names its
    /// value from `limits`.
    pub fn explained(&self, bytes: &[u8], limits: &limits::Limits) -> String {
        let rule = self.refusal.rule();
        let mut text = String::from(rule.why);
        if let Some(limit) = self.refusal.limit(limits) {
            text += &format!(" ({limit})");
        }
        text.push('\n');
        if let Some(excerpt) = self.excerpt(bytes, limits) {
            text += &format!("\n{excerpt}\n");
        }
        text + &format!("{}: {}\nwhy: {}\n", rule.clause, rule.fix, rule.harm)
    }

    /// The lines of the request that the response shows.
    fn excerpt(&self, bytes: &[u8], limits: &limits::Limits) -> Option<String> {
        if self.refusal == Refusal::HostMissing {
            // No byte is bad: a line is missing. It is shown after the request line.
            let bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
            let line = &bytes[window(bytes, &text_of(bytes, &line_of(bytes, 0)?), 0)];
            return Some(format!("{INDENT}{}\n{INDENT}Host: example.test\n", Visible(line)));
        }
        let at = self.at?.min(bytes.len());
        let mut excerpt = picture(bytes, at)?;
        let line = line_of(bytes, at)?;
        let text = text_of(bytes, &line);
        let shown = window(bytes, &text, at);
        // The corrected line is cut at the same bytes. It is not shown if a change lies outside of
        // them, or makes it too wide, or is one of the line end only.
        let (before, after) = (&bytes[text.start..shown.start], &bytes[shown.end..text.end]);
        let cut = |line: Vec<u8>| {
            let line = without_line_end(&line).strip_prefix(before)?.strip_suffix(after)?;
            (line != &bytes[shown.clone()]).then(|| Visible(line).to_string())
        };
        let corrected = corrected_line(self, bytes, line, limits).and_then(cut);
        if let Some(line) = corrected.filter(|line| INDENT.len() + line.len() <= COLUMNS) {
            excerpt += &format!("{INDENT}{line}\n");
        }
        Some(excerpt)
    }
}

impl Refusal {
    /// The limit that was exceeded, as text.
    fn limit(self, limits: &limits::Limits) -> Option<String> {
        let bytes = |most: usize| format!("at most {}", counted(most, "byte", "bytes"));
        let in_a_line =
            |all| format!("{} in a line, {all} in all", bytes(limits::MAX_CHUNK_LINE_BYTES));
        Some(match self {
            Refusal::TargetTooLong => bytes(limits.target.min(limits.head)),
            Refusal::HeadTooLong => bytes(limits.head),
            Refusal::TooManyFields => format!("at most {}", limits::MAX_FIELDS),
            Refusal::ContentTooLarge => {
                format!("at most {}", counted(limits.content, "byte", "bytes"))
            }
            Refusal::ChunkFramingTooLong => {
                let most = limits::Limits::with_chunk_framing(limits.content);
                format!("at most {}", counted(most, "byte", "bytes"))
            }
            Refusal::OutOfMemory => format!("at most {}", counted(limits.memory?, "byte", "bytes")),
            Refusal::ChunkExtensionsTooLong => in_a_line(limits::MAX_CHUNK_EXTENSION_BYTES),
            Refusal::TrailersTooLong => in_a_line(limits::MAX_TRAILER_BYTES),
            Refusal::HeadTimeout => format!("at most {} s", InSeconds(limits.head_timeout)),
            Refusal::TooManyConnections => format!("at most {}", limits.connections),
            _ => return None,
        })
    }
}

/// Folds the sentences of a text, but not the lines of the request that it shows.
fn folded(text: &str) -> String {
    let lines = text.lines().flat_map(|line| match line.starts_with(INDENT) || line.is_empty() {
        true => vec![line.to_owned()],
        false => fold(line, COLUMNS, "  "),
    });
    lines.flat_map(|line| [line, "\n".to_owned()]).collect()
}

/// Returns the line that contains byte `at`, and a line with a caret under that byte. A byte of the
/// line end is not shown, so the caret is after the line. `None` if there are no bytes.
pub(crate) fn picture(bytes: &[u8], at: usize) -> Option<String> {
    let text = text_of(bytes, &line_of(bytes, at)?);
    if text.is_empty() {
        return Some(format!("{INDENT}{EMPTY_LINE}\n{INDENT}^\n"));
    }
    let shown = window(bytes, &text, at);
    let caret = Visible(&bytes[shown.start..at.min(text.end)]).to_string().len();
    Some(format!("{INDENT}{}\n{INDENT}{:caret$}^\n", Visible(&bytes[shown]), ""))
}

/// Returns a line without its line end. A CR in the middle of a line is no part of that.
fn text_of(bytes: &[u8], line: &Range<usize>) -> Range<usize> {
    line.start..line.start + without_line_end(&bytes[line.clone()]).len()
}

/// Returns the line that contains byte `at`, or the last line if `at` is the end of `bytes`. The line
/// end is part of it only if `at` is in the line end.
fn line_of(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let at = at.min(bytes.len().checked_sub(1)?);
    let start = bytes[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |lf| lf + 1);
    let whole = bytes[start..].split_inclusive(|&byte| byte == b'\n').next()?;
    let text =
        whole.strip_suffix(b"\n").map_or(whole, |text| text.strip_suffix(b"\r").unwrap_or(text));
    let length = if at < start + text.len() { text.len() } else { whole.len() };
    Some(start..start + length)
}

/// Returns the part of a line that is shown: at most [`MAX_SHOWN_COLUMNS`] around `at`.
fn window(bytes: &[u8], line: &Range<usize>, at: usize) -> Range<usize> {
    let at = at.min(line.end);
    let middle = at + fitting(bytes[at..line.end].iter(), MAX_SHOWN_COLUMNS / 2);
    let start = middle - fitting(bytes[line.start..middle].iter().rev(), MAX_SHOWN_COLUMNS);
    start..start + fitting(bytes[start..line.end].iter(), MAX_SHOWN_COLUMNS)
}

/// How many of these bytes fit in so many columns, the first ones first.
fn fitting<'a>(bytes: impl Iterator<Item = &'a u8>, mut columns: usize) -> usize {
    let fits = |byte: &&u8| {
        let width = Visible(std::slice::from_ref(*byte)).to_string().len();
        let fits = width <= columns;
        columns = columns.saturating_sub(width);
        fits
    };
    bytes.take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_shows_the_line_and_a_caret_under_the_bad_byte() {
        let request = b"GET / HTTP/1.1\r\nHost : h\r\n\r\n";
        let text = Refusal::SpaceBeforeColon.at(20).explained(request, &Default::default());
        assert_eq!(
            text,
            "a space stands between a header field's name and its colon\n\
             \n    Host : h\n        ^\n    Host: h\n\n\
             RFC 9112 section 5.1: put the colon directly after the name\n\
             why: one program ignores the space, and another takes it as a part of the name and \
             does not know that field: the two see different requests\n"
        );
    }

    #[test]
    fn every_refusal_fits_in_72_columns_and_no_word_is_broken() {
        let long = "a".repeat(200);
        let request = format!("GET /{long} HTTP/1.1\r\nHost: h\r\nX: {long}\x07{long}\r\n\r\n");
        for refusal in Refusal::all() {
            for at in [None, Some(3), Some(150), Some(400)] {
                let refused = Refused { refusal, at };
                let text = refused.explained(request.as_bytes(), &Default::default());
                let folded = folded(&text);
                assert!(folded.lines().all(|line| line.len() <= COLUMNS), "{folded}");
                assert!(folded.split_whitespace().eq(text.split_whitespace()), "{folded}");
                assert!(folded.contains("\nwhy: "), "{folded}");
                assert!(folded.len() < 1500, "{} bytes: {folded}", folded.len());
            }
        }
    }

    /// The line as shown, and the caret's column.
    fn shown(bytes: &[u8], at: usize) -> Option<(String, usize)> {
        let excerpt = Refusal::FieldName.at(at).excerpt(bytes, &Default::default())?;
        let mut lines = excerpt.lines().map(|line| &line[4..]);
        Some((lines.next()?.to_owned(), lines.next()?.len() - 1))
    }

    #[test]
    fn control_bytes_are_escaped_and_a_long_line_is_cut_around_the_caret() {
        assert_eq!(shown(b"X: a\x07b\r\n", 4), Some((r"X: a\x07b".into(), 4)));
        assert_eq!(shown(b"X: a\nb", 4), Some(("X: a".into(), 4)), "the line end is not shown");
        assert_eq!(shown(b"X: a\r\n", 6), Some(("X: a".into(), 4)));
        assert_eq!(shown(b"X: a\rb\r\n", 4), Some((r"X: a\rb".into(), 4)));
        assert_eq!(shown(b"X: a\r\n\n", 6), Some((EMPTY_LINE.into(), 0)));
        assert_eq!(shown(b"X: a", 4), Some(("X: a".into(), 4)));
        let long = [b'a'; 500];
        assert_eq!(shown(&long, 400), Some(("a".repeat(MAX_SHOWN_COLUMNS), MAX_SHOWN_COLUMNS / 2)));
        assert_eq!(shown(&long, 499), Some(("a".repeat(MAX_SHOWN_COLUMNS), MAX_SHOWN_COLUMNS - 1)));
        // An escape is wider than a byte.
        let (line, caret) = shown(&[0xff; 500], 400).expect("a line");
        assert_eq!((line, caret), (r"\xff".repeat(16), MAX_SHOWN_COLUMNS / 2));
        assert_eq!(shown(b"", 3), None);
    }

    #[test]
    fn a_long_corrected_line_is_cut_at_the_same_bytes_or_not_shown() {
        let excerpt = |name: String| {
            let request = format!("GET /{name} HTTP/1.1\r\n");
            let at = request.find('|').expect("a bad byte");
            Refusal::TargetByte.at(at).excerpt(request.as_bytes(), &Default::default())
        };
        let long = "a".repeat(MAX_SHOWN_COLUMNS);
        let text = excerpt(format!("{long}|{long}")).expect("an excerpt");
        let half = "a".repeat(MAX_SHOWN_COLUMNS / 2);
        assert!(text.ends_with(&format!("^\n    {half}%7C{}\n", &half[1..])), "{text}");
        let text = excerpt(format!("|{long}|")).expect("an excerpt");
        assert!(text.ends_with("^\n"), "{text}");
    }
}

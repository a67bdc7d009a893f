//! # 12b. The text of a refusal: the line and a caret
//!
//! ```text
//! a space stands between a field's name and its colon       why
//!
//!     Host : example.test                                   the line
//!         ^                                                 a caret under the byte
//!     Host: example.test                                    the line as it should be
//!
//! RFC 9112 section 5.1: put the colon straight behind the name
//! ```
//! Every control byte is shown as an escape, and a long line is cut around the caret.
//! Next: [`corrected`](super::corrected).

use std::ops::Range;

use super::corrected::corrected_line;
use super::limits;
use super::refusal::{Refusal, Refused};
use super::visible::Visible;

/// Bytes of the offending line that an answer shows, at most, around the caret.
const SHOWN: usize = 72;

impl Refused {
    /// The answer's content: what is wrong, the line with a caret under the byte, the line as it should
    /// be, the clause and the way to fix it. `bytes` are those of the request, from its first; `limits`
    /// are named where one was met.
    pub fn explained(&self, bytes: &[u8], limits: &limits::Limits) -> String {
        let rule = self.refusal.rule();
        let mut text = String::from(rule.why);
        if let Some(limit) = self.refusal.limit(limits) {
            text += &format!(" ({limit})");
        }
        text.push('\n');
        if let Some(picture) = self.picture(bytes, limits) {
            text += &format!("\n{picture}\n");
        }
        text + &format!("{}: {}\n", rule.clause, rule.fix)
    }

    /// The lines that the answer shows.
    fn picture(&self, bytes: &[u8], limits: &limits::Limits) -> Option<String> {
        if self.refusal == Refusal::HostMissing {
            // No byte is wrong, a line is missing: it is shown where it belongs.
            let bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
            let line = &bytes[window(&line_of(bytes, 0)?, 0)];
            return Some(format!("    {}\n    Host: example.test\n", Visible(line)));
        }
        let at = self.at?.min(bytes.len());
        let line = line_of(bytes, at)?;
        let shown = window(&line, at);
        let caret = Visible(&bytes[shown.start..at]).to_string().len();
        let mut picture = format!("    {}\n    {:caret$}^\n", Visible(&bytes[shown.clone()]), "");
        // A long line is cut at the same places. If something was changed beyond them, what is left
        // would not be the line as it should be.
        let (before, behind) = (&bytes[line.start..shown.start], &bytes[shown.end..line.end]);
        let cut = |good: Vec<u8>| Some(good.strip_prefix(before)?.strip_suffix(behind)?.to_vec());
        if let Some(good) = corrected_line(self, bytes, line, limits).and_then(cut) {
            picture += &format!("    {}\n", Visible(&good));
        }
        Some(picture)
    }
}

impl Refusal {
    /// The limit that this refusal met, in words.
    fn limit(self, limits: &limits::Limits) -> Option<String> {
        let in_a_line =
            |all| format!("at most {} bytes in a line, {all} in all", limits::CHUNK_LINE);
        Some(match self {
            Refusal::TargetTooLong => format!("at most {} bytes", limits.target.min(limits.head)),
            Refusal::HeadTooLong => format!("at most {} bytes", limits.head),
            Refusal::TooManyFields => format!("at most {}", limits::FIELDS),
            Refusal::ContentTooLarge => format!("at most {} bytes", limits.content),
            Refusal::ChunkExtensionsTooLong => in_a_line(limits::CHUNK_EXTENSIONS),
            Refusal::TrailersTooLong => in_a_line(limits::TRAILERS),
            Refusal::HeadTimeout => format!("at most {} s", limits.head_timeout.as_secs_f32()),
            Refusal::TooManyConnections => format!("at most {}", limits.connections),
            _ => return None,
        })
    }
}

/// Where the line is in which byte `at` stands, or behind which. Its line end belongs to it only where
/// the byte stands on it.
fn line_of(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let at = at.min(bytes.len().checked_sub(1)?);
    let start = bytes[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |lf| lf + 1);
    let whole = bytes[start..].split_inclusive(|&byte| byte == b'\n').next()?;
    let text =
        whole.strip_suffix(b"\n").map_or(whole, |text| text.strip_suffix(b"\r").unwrap_or(text));
    let length = if at < start + text.len() { text.len() } else { whole.len() };
    Some(start..start + length)
}

/// What is shown of a line that may be long.
fn window(line: &Range<usize>, at: usize) -> Range<usize> {
    let start = line.start.max((at + SHOWN / 2).min(line.end).saturating_sub(SHOWN));
    start..line.end.min(start + SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_shows_the_line_and_puts_a_caret_under_the_byte() {
        let request = b"GET / HTTP/1.1\r\nHost : h\r\n\r\n";
        let text = Refusal::SpaceBeforeColon.at(20).explained(request, &Default::default());
        assert_eq!(
            text,
            "a space stands between a field's name and its colon\n\
             \n    Host : h\n        ^\n    Host: h\n\n\
             RFC 9112 section 5.1: put the colon straight behind the name\n"
        );
    }

    /// The line as it is shown, and the caret's column.
    fn shown(bytes: &[u8], at: usize) -> Option<(String, usize)> {
        let picture = Refusal::FieldName.at(at).picture(bytes, &Default::default())?;
        let mut lines = picture.lines().map(|line| &line[4..]);
        Some((lines.next()?.to_owned(), lines.next()?.len() - 1))
    }

    #[test]
    fn control_bytes_are_shown_and_the_window_moves_with_the_caret() {
        assert_eq!(shown(b"X: a\x07b\r\n", 4), Some((r"X: a\x07b".into(), 4)));
        assert_eq!(shown(b"X: a\nb", 4), Some((r"X: a\n".into(), 4)));
        assert_eq!(shown(b"X: a\r\n", 6), Some((r"X: a\r\n".into(), 8)));
        assert_eq!(shown(b"X: a", 4), Some(("X: a".into(), 4)));
        let long = [b'a'; 500];
        assert_eq!(shown(&long, 400), Some(("a".repeat(SHOWN), SHOWN / 2)));
        assert_eq!(shown(&long, 499), Some(("a".repeat(SHOWN), SHOWN - 1)));
        assert_eq!(shown(b"", 3), None);
    }

    #[test]
    fn a_long_line_as_it_should_be_is_cut_at_the_same_places_or_not_shown() {
        let picture = |name: String| {
            let request = format!("GET /{name} HTTP/1.1\r\n");
            let at = request.find('|').expect("a bad byte");
            Refusal::TargetByte.at(at).picture(request.as_bytes(), &Default::default())
        };
        let long = "a".repeat(SHOWN);
        let told = picture(format!("{long}|{long}")).expect("a picture");
        let half = "a".repeat(SHOWN / 2);
        assert!(told.ends_with(&format!("^\n    {half}%7C{}\n", &half[1..])), "{told}");
        let told = picture(format!("|{long}|")).expect("a picture");
        assert!(told.ends_with("^\n"), "{told}");
    }
}

//! # Shorten one direction of a connection for the terminal
//!
//! Heads are shown in full, text content up to its first lines, and other content as a number of bytes.
//!
//! ```text
//! HTTP/1.1 200 OK
//! Content-Type: image/png
//! Content-Length: 8412
//!
//! \{8412 bytes}\
//! ```
//! Rule: each byte that crosses is shown or counted, so the lengths of a direction's blocks add up to
//! its stream. The connection's [`Dialogue`](crate::message::dialogue::Dialogue) says which bytes
//! are head, framing or content. Neither it nor this module judges a message. Bytes that cannot be read
//! as a message are shown too: the user runs the trace to see them.

use std::mem;

use super::options::TraceOptions;
use crate::message::dialogue::Followed;
use crate::message::fields::{FieldLines, parse_digits};
use crate::message::outline::Outline;
use crate::message::reader::Part;
use crate::transcript::Bytes;

/// Lines of text content that are shown of one message: half a terminal.
const MAX_TEXT_LINES: usize = 12;

/// Bytes of text content that are shown of one message, since a text may be one long line: a terminal
/// of 24 lines and 80 columns.
pub(super) const MAX_TEXT_BYTES: usize = 24 * 80;

/// Ranges of chunk framing that are shown of one message: 18 chunks. Each has two: the size line, and
/// the line end after the data.
const MAX_FRAMING_RANGES: usize = 2 * 18;

/// The same if the content is left out: two chunks.
const MAX_FRAMING_RANGES_LEFT_OUT: usize = 2 * 2;

/// Bytes that are part of no message and are shown, on one connection. A server gives up on a broken
/// head after about as many.
const MAX_UNFRAMED_BYTES: usize = 16 * 1024;

/// One direction of one connection.
pub(super) struct Direction {
    shows_all: bool,
    is_screen: bool,
    /// Whether bytes are only counted, until the message that they are part of ends.
    only_counts: bool,
    is_within: bool,
    content: ContentView,
    /// Ranges of framing that may still be shown of this message.
    framing_left: usize,
    is_past_last_chunk: bool,
    /// Bytes outside of messages that may still be shown.
    unframed_left: usize,
}

/// What is shown of a message's content.
#[derive(Clone, Copy)]
enum ContentView {
    /// The fields do not tell: its first bytes decide.
    Unknown,
    /// At most this much more of it.
    Text { lines: usize, bytes: usize },
    /// Its length only.
    LeftOut,
}

/// What the trace shows of one read or write.
pub(super) struct Shown<'r> {
    /// The bytes, shown or counted.
    pub bytes: Bytes,
    /// The shown heads that end in these bytes.
    pub heads: Vec<&'r Outline>,
    /// The first ranges, of a message whose start was lost: nothing is said of them.
    pub unknown_ranges: usize,
}

impl Direction {
    /// A direction without a byte. If its start is not known, neither is what may still be shown of
    /// the first message, so that is counted.
    pub fn new(options: &TraceOptions, start_is_known: bool) -> Direction {
        Direction {
            shows_all: options.full,
            is_screen: options.is_screen(),
            only_counts: !start_is_known,
            is_within: false,
            content: ContentView::LeftOut,
            framing_left: 0,
            is_past_last_chunk: false,
            unframed_left: MAX_UNFRAMED_BYTES,
        }
    }

    /// Whether a message has begun and not ended.
    pub fn is_within(&self) -> bool {
        self.is_within
    }

    /// Takes bytes of content of which none is shown, and after which more of it follows.
    pub fn count(&mut self) {
        self.is_within = true;
    }

    /// Takes the bytes of the next read or write, and their ranges. `begins_message` says that they begin
    /// a message: then it is known what may be shown of it, also after a lost start.
    pub fn show<'r>(
        &mut self,
        bytes: &[u8],
        ranges: &'r [Followed],
        begins_message: bool,
    ) -> Shown<'r> {
        let mut shortener = Shortener { input: bytes, at: 0, left_out: 0, output: Bytes::new() };
        let (mut heads, mut unknown_ranges) = (Vec::new(), 0);
        self.only_counts &= !begins_message;
        for followed in ranges {
            // Bytes of no message have no next start to wait for.
            self.only_counts &= followed.part != Part::Unframed;
            unknown_ranges += usize::from(self.only_counts);
            let range = &bytes[shortener.at..shortener.at + followed.length];
            let shown = match followed.part {
                _ if self.only_counts => 0,
                Part::Head => {
                    if let Some(head) = followed.head.as_deref() {
                        self.begin_content(head);
                        heads.push(head);
                    }
                    range.len()
                }
                _ if self.shows_all => range.len(),
                Part::Framing => self.framing(range),
                Part::Content => self.content(range),
                Part::Unframed => self.unframed(range),
            };
            shortener.advance(shown, range.len());
            self.is_within = followed.is_within;
            self.only_counts &= followed.is_within;
        }
        Shown { bytes: shortener.finish(), heads, unknown_ranges }
    }

    fn begin_content(&mut self, head: &Outline) {
        self.content = ContentView::of(head.fields());
        // Of a text that does not fit, a screen shows that it is one.
        let length = || head.fields().values("content-length").next().and_then(parse_digits::<u64>);
        if let ContentView::Text { .. } = self.content
            && self.is_screen
            && length().is_some_and(|length| length > MAX_TEXT_BYTES as u64)
        {
            self.content = ContentView::FIRST_LINE;
        }
        (self.framing_left, self.is_past_last_chunk) = (MAX_FRAMING_RANGES, false);
    }

    // The functions below return how many of the range's first bytes are shown.

    fn framing(&mut self, range: &[u8]) -> usize {
        // RFC 9112 section 7.1: the last chunk has size zero. Only it proves that the content is
        // complete, so it is shown however many other chunks are left out.
        let digits = range.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let is_zero = digits > 0 && range[..digits].iter().all(|&digit| digit == b'0');
        self.is_past_last_chunk |= is_zero && range.ends_with(b"\n");
        if self.is_past_last_chunk {
            return range.len();
        }
        if let ContentView::LeftOut = self.content {
            self.framing_left = self.framing_left.min(MAX_FRAMING_RANGES_LEFT_OUT);
        }
        let is_shown = self.framing_left > 0;
        self.framing_left = self.framing_left.saturating_sub(1);
        if is_shown { range.len() } else { 0 }
    }

    fn content(&mut self, range: &[u8]) -> usize {
        if let ContentView::Unknown = self.content {
            self.content = if is_text(range) { ContentView::TEXT } else { ContentView::LeftOut };
        }
        let ContentView::Text { lines, bytes } = &mut self.content else { return 0 };
        let mut shown = 0;
        for byte in range.iter().take(*bytes) {
            if *lines == 0 {
                break;
            }
            *lines -= usize::from(*byte == b'\n');
            shown += 1;
        }
        *bytes -= shown;
        if shown < range.len() {
            self.content = ContentView::LeftOut;
        }
        shown
    }

    fn unframed(&mut self, range: &[u8]) -> usize {
        let shown = range.len().min(self.unframed_left);
        self.unframed_left -= shown;
        shown
    }
}

impl ContentView {
    const FIRST_LINE: ContentView = ContentView::Text { lines: 1, bytes: 64 };
    const TEXT: ContentView = ContentView::Text { lines: MAX_TEXT_LINES, bytes: MAX_TEXT_BYTES };

    /// Chosen by Content-Encoding and Content-Type (RFC 9110 sections 8.4 and 8.3).
    fn of(fields: FieldLines<'_>) -> ContentView {
        let is_coded = fields
            .members("content-encoding")
            .any(|coding| !coding.eq_ignore_ascii_case(b"identity"));
        if is_coded {
            return ContentView::LeftOut;
        }
        let Some(value) = fields.values("content-type").next() else { return ContentView::Unknown };
        let kind = value.split(|&byte| byte == b';').next().unwrap_or_default();
        let kind = kind.trim_ascii().to_ascii_lowercase();
        match &kind[..] {
            // Text as well, but it would push the exchanges off the screen.
            b"text/css" | b"text/javascript" => ContentView::LeftOut,
            b"application/json" | b"application/xml" | b"application/x-www-form-urlencoded" => {
                ContentView::TEXT
            }
            kind if kind.starts_with(b"text/") || kind.starts_with(b"message/") => {
                ContentView::TEXT
            }
            // A form, whose parts may be text or files.
            kind if kind.starts_with(b"multipart/") => ContentView::Unknown,
            kind if kind.starts_with(b"application/")
                && (kind.ends_with(b"+json") || kind.ends_with(b"+xml")) =>
            {
                ContentView::TEXT
            }
            _ => ContentView::LeftOut,
        }
    }
}

/// Whether bytes are readable text: UTF-8 without control bytes, except white space. The last character
/// may be incomplete.
fn is_text(bytes: &[u8]) -> bool {
    let is_utf8 = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    is_utf8 && bytes.iter().all(|byte| !byte.is_ascii_control() || b"\r\n\t".contains(byte))
}

/// Turns the bytes of one read or write into bytes to show and bytes to count.
struct Shortener<'a> {
    input: &'a [u8],
    at: usize,
    /// Bytes before `at` that are not in the output yet.
    left_out: usize,
    output: Bytes,
}

impl Shortener<'_> {
    /// Goes on by `length` bytes, of which the first `shown` are shown.
    fn advance(&mut self, shown: usize, length: usize) {
        if shown > 0 {
            // Shown bytes after counted ones should begin on a line of their own. So the line end before
            // them is shown too, if there is one.
            let ends_line = self.left_out > 2 && self.input[..self.at].ends_with(b"\r\n");
            let from = if ends_line { self.at - 2 } else { self.at };
            self.left_out -= self.at - from;
            self.push_left_out();
            self.output.push_raw(&self.input[from..self.at + shown]);
        }
        self.left_out += length - shown;
        self.at += length;
    }

    fn push_left_out(&mut self) {
        self.output.push_left_out(mem::take(&mut self.left_out) as u64);
    }

    fn finish(mut self) -> Bytes {
        self.push_left_out();
        self.output
    }
}

#[cfg(test)]
mod tests {
    use crate::message::dialogue::{Dialogue, Side};
    use crate::transcript::{Block, Item, Note};

    use super::*;

    /// What is shown of responses that arrive in these reads. Checks that the lengths add up.
    fn shown(reads: &[&[u8]]) -> Vec<String> {
        let (mut dialogue, mut direction) =
            (Dialogue::new(), Direction::new(&TraceOptions::default(), true));
        let lines = |read: &&[u8]| {
            let bytes = direction.show(read, &dialogue.follow(Side::Server, read), true).bytes;
            assert_eq!(bytes.len(), read.len() as u64);
            let (from, note) = (Side::Server, Note::new(""));
            Item::Block(Block { connection: 1, from, note, bytes }).to_string()
        };
        reads.iter().map(lines).collect()
    }

    fn response(fields: &str, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let head = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {length}\r\n\r\n");
        [head.as_bytes(), content].concat()
    }

    /// What is shown of the content alone.
    fn shown_content(fields: &str, content: &[u8]) -> String {
        let lines = shown(&[&response(fields, content)]).concat();
        lines.split_once("\n\n").map(|(_, content)| content.to_owned()).unwrap_or_default()
    }

    #[test]
    fn text_content_is_shown_and_an_image_is_counted() {
        for (fields, content, lines) in [
            ("Content-Type: text/html; charset=utf-8\r\n", "<p>hi\n", "<p>hi\\n\n"),
            ("Content-Type: Application/JSON\r\n", "{}", "{}\\\n"),
            ("Content-Type: application/problem+json\r\n", "{}", "{}\\\n"),
            ("Content-Type: application/x-www-form-urlencoded\r\n", "post=3", "post=3\\\n"),
            ("", "post=3", "post=3\\\n"),
            ("", "caf\u{e9}", "caf\u{e9}\\\n"),
            ("", "\0\x01", "\\{2 bytes}\\\n"),
            ("Content-Type: multipart/form-data; boundary=x\r\n", "--x\r\n", "--x\n"),
            ("Content-Type: text/css\r\n", "p {}", "\\{4 bytes}\\\n"),
            ("Content-Type: text/javascript\r\n", "f()", "\\{3 bytes}\\\n"),
            ("Content-Type: image/svg+xml\r\n", "<svg/>", "\\{6 bytes}\\\n"),
            ("Content-Type: application/octet-stream\r\n", "abc", "\\{3 bytes}\\\n"),
            ("Content-Type: text/html\r\nContent-Encoding: gzip\r\n", "abc", "\\{3 bytes}\\\n"),
        ] {
            assert_eq!(shown_content(fields, content.as_bytes()), lines, "{fields}");
        }
    }

    #[test]
    fn twelve_lines_of_text_are_shown_and_the_rest_is_counted() {
        let text = "Content-Type: text/plain\r\n";
        assert_eq!(shown_content(text, &b"a\n".repeat(12)), "a\\n\n".repeat(12));
        let more = "a\\n\n".repeat(12) + "\\{6 bytes}\\\n";
        assert_eq!(shown_content(text, &b"a\n".repeat(15)), more);
        let long = "a".repeat(MAX_TEXT_BYTES) + "\\{80 bytes}\\\n";
        assert_eq!(shown_content(text, &[b'a'; MAX_TEXT_BYTES + 80]), long);
    }

    #[test]
    fn the_twelve_lines_may_arrive_in_any_number_of_reads() {
        let all = response("Content-Type: text/plain\r\n", &b"a\n".repeat(15));
        let (head, content) = all.split_at(all.len() - 30);
        let blocks = shown(&[head, &content[..18], &content[18..25], &content[25..]]);
        assert_eq!(blocks[1], "<<<\n".to_owned() + &"a\\n\n".repeat(9));
        assert_eq!(blocks[2], "<<<\na\\n\na\\n\na\\n\n\\{1 bytes}\\\n");
        assert_eq!(blocks[3], "<<<\n\\{5 bytes}\\\n");
    }

    #[test]
    fn a_chunked_text_is_shown_with_its_framing() {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let blocks = shown(&[head, b"6\r\nhello\n\r\n", b"3\r\nyou\r\n0\r\n\r\n"]);
        assert_eq!(blocks[1..], ["<<<\n6\nhello\\n\n\n", "<<<\n3\nyou\n0\n\n"]);
    }

    #[test]
    fn of_a_chunked_image_two_chunk_sizes_and_the_last_chunk_are_shown() {
        let head =
            b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunk = [&b"100\r\n"[..], &[b'x'; 256], b"\r\n"].concat();
        let (many, last) = (chunk.repeat(9), [&chunk[..], b"0\r\n\r\n"].concat());
        let blocks = shown(&[head, &many, &last]);
        let two = "<<<\n100\n\\{256 bytes}\n100\n\\{256 bytes}\n";
        assert_eq!(blocks[1], format!("{two}\\{{{} bytes}}\\\n", 7 * 263));
        assert_eq!(blocks[2], "<<<\n\\{261 bytes}\n0\n\n");
    }

    #[test]
    fn bytes_of_no_message_are_shown_up_to_the_size_of_a_head() {
        let shown = |request: &[u8]| {
            let ranges = Dialogue::new().follow(Side::Client, request);
            Direction::new(&TraceOptions::default(), true).show(request, &ranges, true).bytes
        };
        let bytes = shown(&b"\x16\x03\x01\x02\0".repeat(4000));
        assert_eq!((bytes.len(), bytes.expand()), (20_000, None));
        assert_eq!(bytes.pieces().len(), 2);
        let broken = b"GET / HTTP/1.1\r\nHost : h\r\n\r\n";
        assert_eq!(shown(broken).expand().as_deref(), Some(&broken[..]));
    }

    #[test]
    fn a_head_in_many_reads_is_returned_when_it_is_complete() {
        let (mut dialogue, mut direction) =
            (Dialogue::new(), Direction::new(&TraceOptions::default(), true));
        let whole = b"\r\nGET /a?b=c HTTP/1.1\r\nHost: h\r\nCookie: x\r\n\r\n";
        for (at, byte) in whole.iter().enumerate() {
            let ranges = dialogue.follow(Side::Client, &[*byte]);
            let heads = direction.show(&[*byte], &ranges, false).heads;
            assert_eq!(heads.len(), usize::from(at + 1 == whole.len()));
        }
    }

    #[test]
    fn after_a_lost_start_bytes_are_counted_until_a_message_ends() {
        let (mut dialogue, mut direction) = (
            Dialogue::new(),
            Direction::new(&TraceOptions { full: true, ..TraceOptions::default() }, false),
        );
        let image = response("Content-Type: image/png\r\n", b"png");
        dialogue.follow(Side::Server, &image[..9]);
        let both = [&image[9..], &image].concat();
        let ranges = dialogue.follow(Side::Server, &both);
        let Shown { bytes, heads, unknown_ranges } = direction.show(&both, &ranges, false);
        assert_eq!((bytes.len(), heads.len()), (both.len() as u64, 1));
        assert_eq!(unknown_ranges, 2);
        assert_eq!(bytes.pieces().len(), 2, "{bytes:?}");
    }

    #[test]
    fn shown_and_counted_bytes_add_up_for_every_read_size() {
        let image =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: image/png\r\n\r\n\
            4\r\n\x89PNG\r\n3;a=b\r\n\r\n\0\r\n0\r\nX-Sum: 1\r\n\r\n";
        let text = response("Content-Type: text/plain\r\n", &b"line\r\n".repeat(20));
        let stream =
            [&text[..], image, &text, image, b"HTTP/1.0 200 OK\r\n\r\nto the end"].concat();
        for size in 1..stream.len() {
            let reads: Vec<&[u8]> = stream.chunks(size).collect();
            let text = shown(&reads).concat(); // which checks each length
            assert!(!text.contains(r"\x89"), "{size} bytes at a time: {text}");
        }
    }
}

//! # One direction, readable first
//!
//! What does a person want to see of a stream? Heads in full, of a text the first lines, and of a
//! picture only how large it is.
//!
//! ```text
//! HTTP/1.1 200 OK
//! Content-Type: image/png
//! Content-Length: 8412
//!
//! \{8412 bytes}\
//! ```
//! Rule: each byte that crossed is shown or counted, so the blocks of a direction always add up to
//! its stream. Which byte is head, framing or content says the library's own [`Reader`]; it judges
//! nothing, and neither does this. A head that cannot be read is no content to leave out: it is what
//! one came to see.

use std::mem;

use openkitchen::message::fields::FieldLines;
use openkitchen::message::method::Method;
use openkitchen::message::reader::{Part, Reader};
use openkitchen::transcript::Bytes;

/// Lines of text that are shown of one message's content: half a terminal.
const LINES: usize = 12;

/// Bytes of it, for a text can be one line: a terminal of 24 lines and 80 columns.
const TEXT: usize = 24 * 80;

/// Pieces of chunk framing that are shown of one message: twelve chunks of a line each.
const FRAMING: usize = 3 * LINES;

/// Pieces of framing around content that is left out: two chunks teach as much as a hundred.
const FRAMING_AROUND_NOTHING: usize = 4;

/// Bytes that are no message, and are shown. A broken head has at most so many before a server
/// gives up.
const UNFRAMED: usize = 16 * 1024;

/// Bytes of a head that is kept until it is whole, for the target in it.
const HEAD: usize = 16 * 1024;

/// Fields whose values are secrets.
const SECRETS: [&str; 5] =
    ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"];

/// Follows one direction of one connection.
pub(super) struct Direction {
    reader: Reader,
    shows_all: bool,
    /// What has come of a head that is not whole.
    head: Vec<u8>,
    content: ContentView,
    /// Pieces of framing that may still be shown of this message.
    framing: usize,
    is_past_last_chunk: bool,
    /// Bytes that are no message and may still be shown.
    unframed: usize,
}

/// What is shown of a message's content.
#[derive(Clone, Copy)]
enum ContentView {
    /// To be seen from its first bytes.
    Unknown,
    /// So much more.
    Text { lines: usize, bytes: usize },
    /// Its length.
    LeftOut,
}

/// A piece of the stream, made readable.
pub(super) struct Shown {
    /// The piece.
    pub bytes: Bytes,
    /// The heads that became whole with it.
    pub heads: Vec<ShownHead>,
}

/// What is worth a remark about a head.
pub(super) struct ShownHead {
    /// The method, where the head is that of a request and the method a known one.
    pub method: Option<Method>,
    /// What stands second on the first line.
    pub target: String,
    /// Whether a field holds a secret.
    pub has_secret_field: bool,
}

impl Direction {
    /// The way from the client.
    pub fn requests(shows_all: bool) -> Direction {
        Direction::new(Reader::requests(), shows_all)
    }

    /// The way to the client.
    pub fn answers(shows_all: bool) -> Direction {
        Direction::new(Reader::responses(), shows_all)
    }

    fn new(reader: Reader, shows_all: bool) -> Direction {
        Direction {
            reader,
            shows_all,
            head: Vec::new(),
            content: ContentView::LeftOut,
            framing: 0,
            is_past_last_chunk: false,
            unframed: UNFRAMED,
        }
    }

    /// Tells the way to the client what was asked: only that says how an answer to HEAD ends.
    pub fn asked(&mut self, method: Method) {
        self.reader.expect_response_to(method);
    }

    /// Whether a message has begun and not ended.
    pub fn is_within(&self) -> bool {
        self.reader.is_within()
    }

    /// The next piece of the stream.
    pub fn show(&mut self, piece: &[u8]) -> Shown {
        let mut page = TextLines { piece, at: 0, left_out: 0, bytes: Bytes::new() };
        let mut heads = Vec::new();
        while let Some(stretch) = self.reader.next(&piece[page.at..]) {
            let run = &piece[page.at..page.at + stretch.length];
            let shown = match stretch.part {
                Part::Head => {
                    heads.extend(self.head(run, stretch.head_is_whole));
                    run.len()
                }
                Part::Framing => self.framing(run),
                Part::Content => self.content(run),
                Part::Unframed => self.unframed(run),
            };
            page.turn(if self.shows_all { run.len() } else { shown }, run.len());
        }
        Shown { bytes: page.end(), heads }
    }

    /// What there is to say about the head, once it is whole.
    fn head(&mut self, run: &[u8], is_whole: bool) -> Option<ShownHead> {
        let room = HEAD - self.head.len();
        self.head.extend_from_slice(&run[..run.len().min(room)]);
        if !is_whole {
            return None;
        }
        let outline = self.reader.outline()?;
        let fields = outline.fields();
        self.content = ContentView::of(fields);
        (self.framing, self.is_past_last_chunk) = (FRAMING, false);
        let head = mem::take(&mut self.head);
        let line = head.trim_ascii_start().split(|&byte| byte == b'\n').next().unwrap_or_default();
        let target = line.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
        Some(ShownHead {
            method: outline.method,
            target: String::from_utf8_lossy(target).into_owned(),
            has_secret_field: SECRETS.iter().any(|name| fields.values(name).next().is_some()),
        })
    }

    // The rest say how many of the first bytes are shown.

    fn framing(&mut self, run: &[u8]) -> usize {
        // RFC 9112 section 7.1: the last chunk is the one of size zero. Only it says that nothing is
        // missing, so it is shown behind any number of others that are not.
        let digits = run.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let is_zero = digits > 0 && run[..digits].iter().all(|&digit| digit == b'0');
        self.is_past_last_chunk |= is_zero && run.ends_with(b"\n");
        if self.is_past_last_chunk {
            return run.len();
        }
        if let ContentView::LeftOut = self.content {
            self.framing = self.framing.min(FRAMING_AROUND_NOTHING);
        }
        let is_shown = self.framing > 0;
        self.framing = self.framing.saturating_sub(1);
        if is_shown { run.len() } else { 0 }
    }

    fn content(&mut self, run: &[u8]) -> usize {
        if let ContentView::Unknown = self.content {
            self.content = if is_text(run) { ContentView::TEXT } else { ContentView::LeftOut };
        }
        let ContentView::Text { lines, bytes } = &mut self.content else { return 0 };
        let mut shown = 0;
        for byte in run.iter().take(*bytes) {
            if *lines == 0 {
                break;
            }
            *lines -= usize::from(*byte == b'\n');
            shown += 1;
        }
        *bytes -= shown;
        if shown < run.len() {
            self.content = ContentView::LeftOut;
        }
        shown
    }

    fn unframed(&mut self, run: &[u8]) -> usize {
        self.head = Vec::new();
        let shown = run.len().min(self.unframed);
        self.unframed -= shown;
        shown
    }
}

impl ContentView {
    const TEXT: ContentView = ContentView::Text { lines: LINES, bytes: TEXT };

    /// RFC 9110 sections 8.3 and 8.4.
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
            // Styles and scripts are text, but nobody reads them here.
            b"text/css" | b"text/javascript" => ContentView::LeftOut,
            b"application/json" | b"application/xml" | b"application/x-www-form-urlencoded" => {
                ContentView::TEXT
            }
            kind if kind.starts_with(b"text/") || kind.starts_with(b"message/") => {
                ContentView::TEXT
            }
            // A form whose parts may be texts or files.
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

/// Whether bytes can be read: UTF-8, whose last character may still be under way, and no control
/// bytes but white space.
fn is_text(bytes: &[u8]) -> bool {
    let is_utf8 = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    is_utf8 && bytes.iter().all(|byte| !byte.is_ascii_control() || b"\r\n\t".contains(byte))
}

/// A piece that is being turned into bytes to show and bytes to count.
struct TextLines<'a> {
    piece: &'a [u8],
    at: usize,
    left_out: usize,
    bytes: Bytes,
}

impl TextLines<'_> {
    /// Goes on by so many bytes, of which the first ones are shown.
    fn turn(&mut self, shown: usize, length: usize) {
        if shown > 0 {
            // What is shown again begins its own line, where the line end before it is at hand.
            let ends_line = self.left_out > 2 && self.piece[..self.at].ends_with(b"\r\n");
            let from = if ends_line { self.at - 2 } else { self.at };
            self.left_out -= self.at - from;
            self.count();
            self.bytes.push_raw(&self.piece[from..self.at + shown]);
        }
        self.left_out += length - shown;
        self.at += length;
    }

    fn count(&mut self) {
        self.bytes.push_left_out(mem::take(&mut self.left_out) as u64);
    }

    fn end(mut self) -> Bytes {
        self.count();
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use openkitchen::transcript::{Block, Item, Note, Side};

    use super::*;

    /// What is shown of an answer that comes in these pieces. Its lengths always add up.
    fn shown(pieces: &[&[u8]]) -> Vec<String> {
        let mut direction = Direction::answers(false);
        let lines = |piece: &&[u8]| {
            let bytes = direction.show(piece).bytes;
            assert_eq!(bytes.len(), piece.len() as u64);
            let (from, note) = (Side::Server, Note::new(""));
            Item::Block(Block { connection: 1, from, note, bytes }).to_string()
        };
        pieces.iter().map(lines).collect()
    }

    fn answer(fields: &str, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let head = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {length}\r\n\r\n");
        [head.as_bytes(), content].concat()
    }

    /// What is shown of the content alone.
    fn shown_content(fields: &str, content: &[u8]) -> String {
        let lines = shown(&[&answer(fields, content)]).concat();
        lines.split_once("\n\n").map(|(_, content)| content.to_owned()).unwrap_or_default()
    }

    #[test]
    fn a_text_is_shown_and_a_picture_is_counted() {
        for (fields, content, lines) in [
            ("Content-Type: text/html; charset=utf-8\r\n", "<p>hi\n", "<p>hi\\n\n"),
            ("Content-Type: Application/JSON\r\n", "{}", "{}\\\n"),
            ("Content-Type: application/problem+json\r\n", "{}", "{}\\\n"),
            ("Content-Type: application/x-www-form-urlencoded\r\n", "post=3", "post=3\\\n"),
            ("", "post=3", "post=3\\\n"),
            ("", "caf\u{e9}", "caf\\xc3\\xa9\\\n"),
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
    fn twelve_lines_are_shown_and_the_rest_is_counted() {
        let text = "Content-Type: text/plain\r\n";
        assert_eq!(shown_content(text, &b"a\n".repeat(12)), "a\\n\n".repeat(12));
        let more = "a\\n\n".repeat(12) + "\\{6 bytes}\\\n";
        assert_eq!(shown_content(text, &b"a\n".repeat(15)), more);
        let long = "a".repeat(TEXT) + "\\{80 bytes}\\\n";
        assert_eq!(shown_content(text, &[b'a'; TEXT + 80]), long);
    }

    #[test]
    fn the_twelve_lines_may_come_in_any_number_of_writes() {
        let all = answer("Content-Type: text/plain\r\n", &b"a\n".repeat(15));
        let (head, content) = all.split_at(all.len() - 30);
        let read = shown(&[head, &content[..18], &content[18..25], &content[25..]]);
        assert_eq!(read[1], "<<<\n".to_owned() + &"a\\n\n".repeat(9));
        assert_eq!(read[2], "<<<\na\\n\na\\n\na\\n\n\\{1 bytes}\\\n");
        assert_eq!(read[3], "<<<\n\\{5 bytes}\\\n");
    }

    #[test]
    fn a_chunked_text_is_shown_with_its_framing() {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let read = shown(&[head, b"6\r\nhello\n\r\n", b"3\r\nyou\r\n0\r\n\r\n"]);
        assert_eq!(read[1..], ["<<<\n6\nhello\\n\n\n", "<<<\n3\nyou\n0\n\n"]);
    }

    #[test]
    fn a_chunked_picture_shows_two_chunks_and_the_last() {
        let head =
            b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunk = [&b"100\r\n"[..], &[b'x'; 256], b"\r\n"].concat();
        let (many, last) = (chunk.repeat(9), [&chunk[..], b"0\r\n\r\n"].concat());
        let read = shown(&[head, &many, &last]);
        let two = "<<<\n100\n\\{256 bytes}\n100\n\\{256 bytes}\n";
        assert_eq!(read[1], format!("{two}\\{{{} bytes}}\\\n", 7 * 263));
        assert_eq!(read[2], "<<<\n\\{261 bytes}\n0\n\n");
    }

    #[test]
    fn bytes_that_are_no_message_are_shown_up_to_the_size_of_a_head() {
        let hello = b"\x16\x03\x01\x02\0".repeat(4000);
        let mut direction = Direction::requests(false);
        let bytes = direction.show(&hello).bytes;
        assert_eq!((bytes.len(), bytes.expand()), (20_000, None));
        assert!(bytes.pieces().len() == 2);
        let broken = b"GET / HTTP/1.1\r\nHost : h\r\n\r\n";
        let bytes = Direction::requests(false).show(broken).bytes;
        assert_eq!(bytes.expand().as_deref(), Some(&broken[..]));
    }

    #[test]
    fn a_head_in_pieces_is_known_when_it_is_whole() {
        let mut direction = Direction::requests(false);
        let whole = b"\r\nGET /a?b=c HTTP/1.1\r\nHost: h\r\nCookie: x\r\n\r\n";
        for (at, byte) in whole.iter().enumerate() {
            let heads = direction.show(&[*byte]).heads;
            assert_eq!(heads.len(), usize::from(at + 1 == whole.len()));
            for head in heads {
                assert_eq!((head.method, head.target.as_str()), (Some(Method::Get), "/a?b=c"));
                assert!(head.has_secret_field);
            }
        }
    }

    #[test]
    fn an_answer_to_head_has_no_content_to_wait_for() {
        let mut direction = Direction::answers(false);
        direction.asked(Method::Head);
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\n";
        assert_eq!(direction.show(&head.repeat(2)[..]).heads.len(), 2);
    }

    #[test]
    fn lengths_add_up_however_a_stream_is_cut() {
        let picture =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: image/png\r\n\r\n\
            4\r\n\x89PNG\r\n3;a=b\r\n\r\n\0\r\n0\r\nX-Sum: 1\r\n\r\n";
        let text = answer("Content-Type: text/plain\r\n", &b"line\r\n".repeat(20));
        let stream =
            [&text[..], picture, &text, picture, b"HTTP/1.0 200 OK\r\n\r\nto the end"].concat();
        for pace in 1..stream.len() {
            let pieces: Vec<&[u8]> = stream.chunks(pace).collect();
            let page = shown(&pieces).concat(); // which looks at each length
            assert!(!page.contains(r"\x89"), "{pace} bytes at a time: {page}");
        }
    }
}

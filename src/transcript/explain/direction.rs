//! # One direction, followed
//!
//! ```text
//! HTTP/1.1 200 OK␍␊ … ␍␊     5␍␊       hello    ␍␊ 0␍␊ ␍␊
//! └ words, and the ending ┘└ a size ┘└ counted ┘      └ the end
//! ```
//! [`Reader`] says which bytes are head, framing and content, and by which rule the message ends. What
//! is not whole is kept here until it is; then it is said what it means, or what is broken.
//! Next: [`words`].

use std::mem;
use std::ops::Range;

use super::{Remark, faults, without_line_end, words};
use crate::message::ending::Ending;
use crate::message::head::Version;
use crate::message::outline::Outline;
use crate::message::persistence::Persistence;
use crate::message::reader::{MAX_KEPT_BYTES, Part, PartRange, Reader};
use crate::transcript::Side;
use crate::transcript::glossary::{self, Row};

/// What is known of one direction.
#[derive(Debug)]
pub(super) struct DirectionExplainer {
    side: Side,
    pub reader: Reader,
    /// The offset of the first byte that is not explained: of the first one kept, if there is one.
    pub at: usize,
    /// What has come of a head, or of a line of framing, that is not whole.
    kept: Vec<u8>,
    /// The content that is being read.
    content: Option<ContentSoFar>,
    /// Whether a message has ended: what begins no other may then be more of its content.
    has_ended: bool,
    /// Whether nothing more can be explained.
    pub is_over: bool,
}

#[derive(Debug, Default)]
struct ContentSoFar {
    came: u64,
    chunks: u64,
    in_trailers: bool,
    /// Whether bytes were left out of which nobody knows how many were content.
    is_uncounted: bool,
}

impl DirectionExplainer {
    /// Nothing has come from that side.
    pub fn new(side: Side) -> DirectionExplainer {
        let reader = match side {
            Side::Client => Reader::requests(),
            Side::Server => Reader::responses(),
        };
        let (kept, content, has_ended, is_over) = (Vec::new(), None, false, false);
        DirectionExplainer { side, reader, at: 0, kept, content, has_ended, is_over }
    }

    /// Whether a message has begun and not ended, or nobody can tell.
    pub fn is_within(&self) -> bool {
        self.is_over || self.reader.is_within()
    }

    /// Explains what the first of these bytes complete.
    pub fn step(&mut self, bytes: &[u8], remarks: &mut Vec<Remark>) -> Option<PartRange> {
        let stretch = self.reader.next(bytes)?;
        let run = &bytes[..stretch.length];
        if self.is_over || stretch.part == Part::Content {
            self.at += run.len();
            self.content.iter_mut().for_each(|content| content.came += run.len() as u64);
        } else {
            self.kept.extend_from_slice(run);
        }
        match stretch.part {
            _ if self.is_over => {}
            Part::Head if stretch.head_is_whole => self.head(remarks),
            Part::Framing if self.kept.ends_with(b"\n") => self.framing(remarks),
            Part::Unframed => self.broken(remarks),
            Part::Head | Part::Framing | Part::Content => {}
        }
        if stretch.ends_message {
            self.end_message(remarks);
        }
        Some(stretch)
    }

    /// Passes over bytes that were there and are not known.
    pub fn left_out(&mut self, bytes: u64, remarks: &mut Vec<Remark>) {
        if let Some(content) = &mut self.content {
            content.came = content.came.saturating_add(bytes);
            content.is_uncounted |= bytes > self.reader.content_left();
        }
        self.kept.clear();
        self.reader.skip(bytes);
        self.is_over |= self.reader.is_lost();
        if !self.is_within() {
            self.end_message(remarks);
        }
    }

    /// A head that is whole: its lines, where the content ends and why, and what becomes of the
    /// connection.
    fn head(&mut self, remarks: &mut Vec<Remark>) {
        let (start, head) = (self.at, self.take_kept());
        words::head(self.side, &head, start, remarks);
        let fault = faults::in_head(self.side, &head, start);
        let (Some(outline), Some(ending)) = (self.reader.outline(), self.reader.ending()) else {
            return;
        };
        let (clause, meaning) = glossary::ending(ending);
        remarks.push(Remark::new(last(self.at), meaning, clause));

        self.is_over = self.reader.is_lost();
        // Who refuses a message may close, so nothing is foretold.
        let goes_on = !self.is_over && !self.reader.ends_with_connection();
        if goes_on && fault.is_none() && ending != Ending::Interim {
            let (_, clause, meaning) = persistence(outline);
            remarks.push(Remark::new(last(self.at), meaning, clause));
        }
        self.content = (!self.is_over && self.reader.is_within()).then(ContentSoFar::default);
        remarks.extend(fault);
    }

    /// A line of framing: a size, a trailer, or the end of a chunk or of all.
    fn framing(&mut self, remarks: &mut Vec<Remark>) {
        let (start, kept, size) = (self.at, self.take_kept(), self.reader.content_left());
        match (without_line_end(&kept), &mut self.content) {
            ([], _) | (_, None) => {}
            (line, Some(content)) if content.in_trailers => words::trailer(line, start, remarks),
            (line, Some(content)) => {
                content.chunks += u64::from(size > 0);
                content.in_trailers = size == 0;
                words::chunk_size(line, size, start, remarks);
            }
        }
    }

    fn end_message(&mut self, remarks: &mut Vec<Remark>) {
        self.has_ended = true;
        let Some(content) = self.content.take() else { return };
        let (came, chunks) = (count(content.came, "byte"), count(content.chunks, "chunk"));
        let (how, clause) = match self.reader.ending() {
            Some(Ending::Chunked) if content.is_uncounted => {
                (String::new(), "RFC 9112 section 7.1")
            }
            Some(Ending::Chunked) => (format!(": {came} in {chunks}"), "RFC 9112 section 7.1"),
            _ => (format!(": {came}, as Content-Length said"), "RFC 9112 section 6.3"),
        };
        remarks.push(Remark::new(last(self.at), format!("the content ends here{how}"), clause));
    }

    /// What the reader cannot follow. Which rule is broken can be told when its line is whole.
    fn broken(&mut self, remarks: &mut Vec<Remark>) {
        let (start, kept) = (self.at, self.take_kept());
        if let Some((refusal, at)) = self.reader.fault() {
            remarks.push(faults::refused(self.side, &kept, start, refusal.at(at)));
        } else if let Some(fault) = faults::at_start(self.side, &kept, start, self.has_ended) {
            remarks.push(fault);
        } else if let Some(mut fault) = faults::in_head(self.side, &kept, start) {
            if words::head(self.side, &kept, start, remarks) {
                fault.text += "\nwhat follows is not explained: nobody can tell where it begins";
            }
            remarks.push(fault);
        } else if kept.len() < MAX_KEPT_BYTES {
            (self.at, self.kept) = (start, kept);
            return;
        }
        self.is_over = true;
    }

    /// No more will come: what is missing?
    pub fn finish(&mut self, remarks: &mut Vec<Remark>) {
        let (start, kept) = (self.at, self.take_kept());
        match self.content.take() {
            _ if self.is_over => {}
            Some(content) => remarks.push(self.cut_content(&content, &kept, start)),
            None if kept.is_empty() => {}
            None => self.cut_head(&kept, start, remarks),
        }
        *self = DirectionExplainer { at: self.at, ..DirectionExplainer::new(self.side) };
    }

    fn cut_head(&self, head: &[u8], start: usize, remarks: &mut Vec<Remark>) {
        let is_blank = head.iter().all(|byte| b"\r\n".contains(byte));
        let is_empty_line = is_blank && self.side == Side::Client;
        let with_line_end = [head, missing_line_end(head)].concat();
        let strange = faults::at_start(self.side, &with_line_end, start, self.has_ended);
        if let Some(fault) = strange.filter(|_| !is_empty_line) {
            return remarks.push(fault);
        }
        words::head(self.side, head, start, remarks);
        // What stops may go on well, unless the reader has seen that it cannot.
        let judged = if self.reader.is_lost() { &with_line_end[..] } else { head };
        let fault = faults::in_head(self.side, judged, start);
        let fault = fault.filter(|fault| fault.span.start < self.at);
        let text = "the message stops within its head: an empty line would end it";
        let missing = || Remark::fault(last(self.at), text, "RFC 9112 section 8");
        remarks.extend(fault.or_else(|| (!is_empty_line).then(missing)));
    }

    fn cut_content(&mut self, content: &ContentSoFar, line: &[u8], start: usize) -> Remark {
        let (came, left) = (count(content.came, "byte"), self.reader.content_left());
        if !line.is_empty() {
            self.reader.next(missing_line_end(line));
        }
        if let Some((refusal, at)) = self.reader.fault().filter(|&(_, at)| at < line.len()) {
            return faults::refused(self.side, line, start, refusal.at(at));
        }
        let text = match self.reader.ending() {
            Some(Ending::Length(_)) => format!(
                "the content stops after {came}: {left} more were promised by Content-Length"
            ),
            Some(Ending::Chunked) if left > 0 => {
                format!("the content stops within a chunk: {left} more were promised by its size")
            }
            Some(Ending::Chunked) => {
                "the content stops before its last chunk, so something is missing".to_owned()
            }
            _ => {
                let text = format!("the content ends with the connection, after {came}");
                return Remark::new(last(self.at), text, "RFC 9112 section 6.3");
            }
        };
        Remark::fault(last(self.at), text, "RFC 9112 section 8")
    }

    fn take_kept(&mut self) -> Vec<u8> {
        self.at += self.kept.len();
        mem::take(&mut self.kept)
    }
}

/// What becomes of the connection behind an exchange (RFC 9112 section 9.3).
fn persistence(head: &Outline) -> Row {
    match Persistence::of_fields(head.version, head.fields()) {
        Persistence::Close if head.fields().has_member("connection", "close") => glossary::CLOSES,
        Persistence::Close => glossary::CLOSES_IN_1_0,
        Persistence::KeepAlive if head.version == Version::Http10 => glossary::STAYS_IN_1_0,
        Persistence::KeepAlive => glossary::STAYS,
    }
}

/// A line that has no end is judged as if it had one.
fn missing_line_end(line: &[u8]) -> &'static [u8] {
    match line.last() {
        Some(b'\n') => b"",
        Some(b'\r') => b"\n",
        _ => b"\r\n",
    }
}

/// The last byte before `end`.
fn last(end: usize) -> Range<usize> {
    end.saturating_sub(1)..end
}

fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{STREAM, has, sentences};
    use super::super::{Conversation, annotate, explain};
    use super::*;
    use crate::message::method::Method;
    use crate::transcript::Transcript;

    fn server(bytes: &[u8]) -> Vec<Remark> {
        explain(bytes, Some(Side::Server), None)
    }

    #[test]
    fn where_an_answer_ends_depends_on_its_fields_its_status_and_its_request() {
        for (asked, answer, said) in [
            (
                None,
                "200 OK\r\nContent-Length: 2\r\n\r\nhi",
                "the content ends here: 2 bytes, as Content-Length said",
            ),
            (
                None,
                "200 OK\r\nContent-Length: 3\r\n\r\nhi",
                "the content stops after 2 bytes: 1 more were promised",
            ),
            (None, "200 OK\r\n\r\nhi", "the content ends with the connection, after 2 bytes"),
            (
                None,
                "200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhi",
                "the content ends with the connection",
            ),
            (
                None,
                "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
                "the content stops before its last chunk",
            ),
            (
                None,
                "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "the content ends here: 0 bytes in 0 chunks",
            ),
            (
                None,
                "204 No ContentSoFar\r\n\r\n",
                "the head ends here, and so does the answer: 204 and 304",
            ),
            (
                None,
                "304 Not Modified\r\nContent-Length: 9\r\n\r\n",
                "the head ends here, and so does the answer: 204 and 304",
            ),
            (
                None,
                "200 OK\r\nContent-Length: 0\r\n\r\n",
                "the head ends here, and so does the message: Content-Length is 0",
            ),
            (None, "100 Continue\r\n\r\n", "the head ends here, and so does this interim answer"),
            (
                None,
                "101 Switching Protocols\r\n\r\nhi",
                "the head ends here, and the connection changes",
            ),
            (
                Some(Method::Head),
                "200 OK\r\nContent-Length: 9\r\n\r\n",
                "the head ends here, and so does the answer: to HEAD",
            ),
            (
                Some(Method::Connect),
                "200 OK\r\nContent-Length: 9\r\n\r\n",
                "the head ends here, and the tunnel begins",
            ),
            (
                None,
                "299 Odd\r\n\r\n",
                "299: not in this glossary; 2xx: received, understood and accepted",
            ),
            (None, "200 OK\r\n", "the message stops within its head"),
        ] {
            let answer = format!("HTTP/1.1 {answer}");
            let remarks = explain(answer.as_bytes(), Some(Side::Server), asked);
            assert!(has(&remarks, said), "{answer:?}: {:#?}", sentences(&remarks));
        }
        assert!(has(
            &server(b"HTTP/1.0 204 No ContentSoFar\r\n\r\n"),
            "the connection ends after this exchange, as"
        ));
        let kept = b"HTTP/1.0 204 No ContentSoFar\r\nConnection: keep-alive\r\n\r\n";
        assert!(has(&server(kept), "the connection stays open: in HTTP/1.0 only because"));
    }

    #[test]
    fn messages_end_where_the_reader_says_so_and_at_every_pace() {
        let mut reader = Reader::responses();
        reader.expect_response_to(Method::Head);
        let (mut at, mut ends) = (0, Vec::new());
        while let Some(stretch) = reader.next(&STREAM[at..]) {
            at += stretch.length;
            ends.extend(stretch.ends_message.then_some(at));
        }
        let whole = explain(STREAM, Some(Side::Server), Some(Method::Head));
        let says_end = |remark: &&Remark| {
            let text = &remark.text;
            text.starts_with("the content ends here")
                || text.starts_with("the head ends here, and so does")
        };
        let said: Vec<usize> =
            whole.iter().filter(says_end).map(|remark| remark.span.end).collect();
        assert_eq!(said, ends);

        for pace in 1..STREAM.len() {
            let mut conversation = Conversation::new();
            conversation.server.reader.expect_response_to(Method::Head);
            let pieces = STREAM.chunks(pace);
            let mut remarks: Vec<Remark> =
                pieces.flat_map(|piece| conversation.crossed(Side::Server, piece)).collect();
            remarks.extend(conversation.ended(Side::Server));
            assert_eq!(remarks, whole, "{pace} bytes at a time");
        }
    }

    #[test]
    fn bytes_that_were_left_out_are_passed_over() {
        let text = "\
<<<
HTTP/1.1 200 OK
Transfer-Encoding: chunked

100
\\{256 bytes}
100
\\{9000 bytes}
0

HTTP/1.1 200 OK
Content-Length: 5000

\\{5000 bytes}\\
<<<
HTTP/1.1 204 No ContentSoFar

--- server closed
";
        let annotated = annotate(&Transcript::parse(text).expect(text)).to_string();
        // Of chunks that were left out nobody knows how many they were.
        assert!(
            annotated.contains("# the content ends here (RFC 9112 section 7.1)"),
            "{annotated}"
        );
        assert!(annotated.contains("# the content ends here: 5000 bytes, as"), "{annotated}");
        assert!(annotated.contains("# 204: done"), "{annotated}");
        assert!(!annotated.contains("broken") && !annotated.contains("stops"), "{annotated}");
    }

    #[test]
    fn where_an_answer_leaves_http_both_sides_do() {
        for (request, answer) in [
            ("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n", "101 Switching Protocols"),
            ("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", "200 OK"),
        ] {
            let mut conversation = Conversation::new();
            conversation.crossed(Side::Client, request.as_bytes());
            conversation.crossed(Side::Server, format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes());
            for side in [Side::Client, Side::Server] {
                assert_eq!(conversation.crossed(side, b"\x81\x05hello\r\n"), []);
                assert_eq!(conversation.ended(side), []);
            }
        }
    }

    #[test]
    fn what_was_cut_short_says_what_is_missing() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (content, said) in [
            ("", "the content stops before its last chunk"),
            ("5", "the content stops before its last chunk"),
            ("5\r\nhel", "the content stops within a chunk: 2 more were promised by its size"),
            ("5x", "broken here: a chunk's size is not a number"),
            ("0\r\nX-Sum: 1\r\n", "the content stops before its last chunk"),
        ] {
            let remarks = server(format!("{head}{content}").as_bytes());
            assert!(has(&remarks, said), "{content:?}: {:#?}", sentences(&remarks));
        }
        assert!(explain(b"\r\n", Some(Side::Client), None).iter().all(|remark| !remark.is_fault));
    }
}

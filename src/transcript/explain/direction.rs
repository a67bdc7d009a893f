//! # Explains one direction of a connection
//!
//! ```text
//! HTTP/1.1 200 OK␍␊ … ␍␊     5␍␊       hello    ␍␊ 0␍␊ ␍␊
//! └ words, and the ending ┘└ a size ┘└ counted ┘      └ the end
//! ```
//! [`Dialogue`] says which bytes are head, framing and content, and by which rule the message ends. A
//! head or a line of framing is kept here until it is complete. Then it is explained, or its fault is.
//! Next: [`words`].

use std::mem;
use std::ops::Range;

use super::faults;
use super::remark::Remark;
use super::words;
use crate::message::caret::INDENT;
use crate::message::counted::counted;
use crate::message::dialogue::{Dialogue, Followed, Side};
use crate::message::ending::Ending;
use crate::message::fields::without_line_end;
use crate::message::head::Version;
use crate::message::outline::Outline;
use crate::message::persistence::Persistence;
use crate::message::reader::{MAX_KEPT_BYTES, Part};
use crate::transcript::glossary::{self, Row};

/// The state of one direction.
#[derive(Debug)]
pub(super) struct DirectionExplainer {
    side: Side,
    /// The offset of the first byte that is not explained. It is the first kept byte, if one is kept.
    pub at: usize,
    /// The received bytes of a head or of a line of framing that is not complete.
    kept: Vec<u8>,
    /// The content that is being received.
    content: Option<ContentSoFar>,
    /// Whether a message has ended. Bytes that begin no other message may be more of its content.
    has_ended: bool,
    /// Whether bytes after the end of a message were told to be no part of it.
    is_stray: bool,
    /// Whether the three ways in which content ends have been explained.
    pub ways_are_told: bool,
    /// Whether the head is longer than is kept, so that its words are not explained.
    is_long_head: bool,
    /// Whether the software of a framework has been named.
    has_framework: bool,
    /// Whether the next response is to a request that says that the connection ends after it.
    pub answers_last_request: bool,
    /// Whether the final response to the request that is being received has come.
    is_answered: bool,
    /// Whether nothing more can be explained.
    pub is_over: bool,
    /// The remarks that the caller has not taken.
    remarks: Vec<Remark>,
}

#[derive(Debug, Default)]
struct ContentSoFar {
    /// Bytes of content that were received.
    received: u64,
    chunks: u64,
    in_trailers: bool,
    /// Whether a byte of content would be a fault.
    must_not_follow: bool,
    /// Whether the sender waits for the recipient before it sends the content.
    waits: bool,
    /// Whether the connection ends it.
    is_until_close: bool,
    /// Whether bytes were left out of which an unknown part was content.
    is_uncounted: bool,
}

impl DirectionExplainer {
    /// The state before the first byte of this side.
    pub fn new(side: Side) -> DirectionExplainer {
        DirectionExplainer {
            side,
            at: 0,
            kept: Vec::new(),
            content: None,
            has_ended: false,
            is_stray: false,
            ways_are_told: false,
            is_long_head: false,
            has_framework: false,
            answers_last_request: false,
            is_answered: false,
            is_over: false,
            remarks: Vec::new(),
        }
    }

    /// Returns the remarks that were not taken, in the order of their bytes.
    pub fn take_remarks(&mut self) -> Vec<Remark> {
        Remark::sort(&mut self.remarks);
        mem::take(&mut self.remarks)
    }

    /// Whether a message has begun and not ended, as far as it can be followed.
    pub fn is_within(&self) -> bool {
        !self.is_over && (self.content.is_some() || !self.kept.is_empty())
    }

    /// Takes the response to the last request of this side. Bytes after a complete one can be no
    /// more of its content, because it would have come before.
    pub fn take_answer(&mut self) {
        self.is_answered = self.is_within();
        self.has_ended &= self.is_answered;
    }

    /// Takes the end of the connection, if it ends the content that is being received.
    pub fn end_content_until_close(&mut self) -> Option<Remark> {
        let content = self.content.take_if(|content| content.is_until_close)?;
        let bytes = counted(content.received, "byte", "bytes");
        let text = format!(
            "the content ends with the connection, after {bytes}; a server that fails in the middle \
             looks the same"
        );
        Some(Remark::new(last(self.at), text, "RFC 9112 section 8"))
    }

    /// Takes the range at the start of these bytes, and explains what it completes.
    pub fn step(&mut self, range: &Followed, bytes: &[u8]) {
        let taken = &bytes[..range.length];
        if range.resumes {
            self.take_kept();
            (self.content, self.has_ended, self.is_over) = (None, true, false);
        }
        if self.is_over || range.part == Part::Content {
            self.receive_content(taken.len() as u64);
            self.at += taken.len();
        } else {
            self.kept.extend_from_slice(taken);
            self.explain_stray();
        }
        match (range.part, &range.head) {
            _ if self.is_over => return,
            (Part::Head, Some(head)) => self.explain_head(head, range),
            (Part::Framing, _) if self.kept.ends_with(b"\n") => self.explain_framing(range),
            (Part::Unframed, _) => self.explain_unframed(range),
            (Part::Head, None) if self.kept.len() > MAX_KEPT_BYTES => {
                self.take_kept();
                self.is_long_head = true;
            }
            (Part::Head | Part::Framing | Part::Content, _) => {}
        }
        if range.ends_message {
            self.end_message(range.ending);
        }
    }

    /// Says at once that a byte after the end of a message belongs to no message, if it can begin
    /// none.
    fn explain_stray(&mut self) {
        if self.has_ended && !self.is_stray && self.content.is_none() && !self.is_over {
            let fault = faults::stray(self.side, &self.kept, self.at);
            self.is_stray = fault.is_some();
            self.remarks.extend(fault);
        }
    }

    /// Skips bytes of which only the count is known.
    pub fn left_out(&mut self, bytes: u64, dialogue: &mut Dialogue) {
        if let Some(content) = &mut self.content {
            let left = dialogue.reader(self.side).content_left();
            content.is_uncounted |= bytes > left;
            content.must_not_follow &= left > 0; // these bytes may be framing
        }
        self.receive_content(bytes);
        self.kept.clear();
        dialogue.skip(self.side, bytes);
        let reader = dialogue.reader(self.side);
        self.is_over |= reader.is_lost();
        if !reader.is_within() {
            self.end_message(reader.ending());
        }
    }

    /// Counts bytes of content.
    fn receive_content(&mut self, bytes: u64) {
        let Some(content) = &mut self.content else { return };
        if bytes > 0 && mem::take(&mut content.must_not_follow) {
            self.remarks.push(faults::in_content_of_reset(self.at));
        }
        content.received = content.received.saturating_add(bytes);
    }

    /// Explains a complete head: its lines, where the content ends and why, and whether the connection
    /// stays open.
    fn explain_head(&mut self, outline: &Outline, range: &Followed) {
        let (start, head) = self.take_kept();
        self.is_answered = false;
        let mut fault = None;
        if mem::take(&mut self.is_long_head) {
            self.remark_at_end("this head is longer than is explained here, 256 KiB", "");
        } else {
            words::head(self.side, &head, start, &mut self.remarks);
            fault = faults::in_head(self.side, &head, start);
        }
        if mem::take(&mut self.is_stray) && !faults::has_method_in_small_letters(&head) {
            fault = None; // the stray byte is its reason, and is told
        }
        if let Some(what) = range.beyond {
            return self.explain_beyond(what);
        }
        let Some(ending) = range.ending else { return };
        let (clause, meaning) = glossary::ending(ending);
        self.remark_at_end(meaning, clause);
        self.explain_ways(ending);

        self.is_over = range.is_lost;
        // The recipient of a message with a fault may close, so nothing is said about the connection.
        let is_until_close = matches!(ending, Ending::Close | Ending::CloseCoded);
        let has_known_end = !self.is_over && !is_until_close;
        if has_known_end && fault.is_none() && ending != Ending::Interim {
            let (_, clause, meaning) = match persistence(outline) {
                glossary::STAYS_OPEN if self.side == Side::Client => glossary::WOULD_STAY_OPEN,
                glossary::STAYS_OPEN_IN_1_0 if self.side == Side::Client => {
                    glossary::WOULD_STAY_OPEN_IN_1_0
                }
                glossary::STAYS_OPEN | glossary::STAYS_OPEN_IN_1_0 if self.answers_last_request => {
                    glossary::CLOSES_FOR_REQUEST
                }
                row => row,
            };
            self.remark_at_end(meaning, clause);
        }
        // If a length says that content follows, the head has the fault.
        let must_not_follow = outline.status == Some(205) && fault.is_none();
        let waits = outline.fields().has_member("expect", "100-continue");
        let content =
            ContentSoFar { must_not_follow, waits, is_until_close, ..ContentSoFar::default() };
        self.content = (!self.is_over && range.is_within).then_some(content);
        if self.side == Side::Server
            && let Some((software, fields)) = framework(outline)
            && !mem::replace(&mut self.has_framework, true)
        {
            self.remark_at_end(glossary::added_by_framework(&software, fields), "");
        }
        self.remarks.extend(fault);
    }

    /// Shows the three ways in which a message says where its content ends, with a mark at the one
    /// that this message takes.
    fn explain_ways(&mut self, ending: Ending) {
        let way = match ending {
            Ending::Length(1..) => 0,
            Ending::Chunked => 1,
            Ending::Close | Ending::CloseCoded => 2,
            _ => return,
        };
        if mem::replace(&mut self.ways_are_told, true) {
            return;
        }
        let mut text = String::from(glossary::THREE_WAYS);
        for (index, line) in glossary::WAYS.iter().enumerate() {
            let mark = if index == way { "->" } else { "  " };
            text += &format!("\n{INDENT}{mark} {line}");
        }
        self.remark_at_end(text, "");
    }

    /// Explains a line of framing: a size, a trailer, or the end of a chunk or of the message.
    fn explain_framing(&mut self, range: &Followed) {
        let (start, line) = self.take_kept();
        let (line, size) = (without_line_end(&line), range.content_left);
        match &mut self.content {
            Some(content) if content.in_trailers && !line.is_empty() => {
                match faults::in_trailer(line, start) {
                    Some(fault) => self.remarks.push(fault),
                    None => words::trailer(self.side, line, start, &mut self.remarks),
                }
            }
            Some(content) if !line.is_empty() => {
                content.chunks += u64::from(size > 0);
                content.in_trailers = size == 0;
                words::chunk_size(line, size, start, &mut self.remarks);
            }
            _ => {}
        }
    }

    fn end_message(&mut self, ending: Option<Ending>) {
        self.has_ended = true;
        let Some(content) = self.content.take() else { return };
        let (bytes, chunks) = (
            counted(content.received, "byte", "bytes"),
            counted(content.chunks, "chunk", "chunks"),
        );
        let (how, clause) = match ending {
            Some(Ending::Chunked) if content.is_uncounted => {
                (String::new(), "RFC 9112 section 7.1")
            }
            Some(Ending::Chunked) => (format!(": {bytes} in {chunks}"), "RFC 9112 section 7.1"),
            _ => (format!(": {bytes}, as Content-Length said"), "RFC 9112 section 6.3"),
        };
        self.remark_at_end(format!("the content ends here{how}"), clause);
    }

    /// Explains why these bytes cannot be followed. Until the rule that they break is known, they are
    /// kept.
    fn explain_unframed(&mut self, range: &Followed) {
        let (start, kept) = self.take_kept();
        if let Some(what) = range.beyond {
            return self.explain_beyond(what);
        }
        if let Some((refusal, at)) = range.fault {
            self.remarks.push(faults::refused(self.side, &kept, start, refusal.at(at)));
        } else if mem::take(&mut self.is_stray) {
            // It is told.
        } else if let Some(fault) = faults::at_start(self.side, &kept, start, self.has_ended) {
            self.remarks.push(fault);
        } else if let Some(mut fault) = faults::in_head(self.side, &kept, start) {
            if words::head(self.side, &kept, start, &mut self.remarks) {
                fault.text += "\nwhat follows the head is not explained: after a fault in it, \
                               programs may disagree about where the content ends";
            }
            self.remarks.push(fault);
        } else if kept.len() < MAX_KEPT_BYTES {
            (self.at, self.kept) = (start, kept);
            return;
        }
        self.is_over = true;
    }

    /// Says that what follows is not explained, because of a bound that is this program's.
    fn explain_beyond(&mut self, what: &str) {
        self.remark_at_end(format!("more than is followed here: {what}"), "");
        self.is_over = true;
    }

    /// Takes the end of the direction, and explains what is missing.
    pub fn finish(&mut self, dialogue: &mut Dialogue) {
        if mem::replace(&mut self.is_over, true) {
            return;
        }
        let (start, kept) = self.take_kept();
        if let Some(remark) = self.end_content_until_close() {
            self.remarks.push(remark);
        } else if let Some(content) = self.content.take() {
            let remark = self.explain_cut_content(&content, &kept, start, dialogue);
            self.remarks.push(remark);
        } else if !kept.is_empty() {
            self.explain_cut_head(&kept, start, dialogue.reader(self.side).is_lost());
        }
    }

    /// Explains a head that is cut short. `is_broken` says that it is known to be no head.
    fn explain_cut_head(&mut self, head: &[u8], start: usize, is_broken: bool) {
        if mem::take(&mut self.is_stray) {
            return;
        }
        let is_blank = head.iter().all(|byte| b"\r\n".contains(byte));
        let is_empty_line = is_blank && self.side == Side::Client;
        let with_line_end = [head, missing_line_end(head)].concat();
        let no_message = faults::at_start(self.side, &with_line_end, start, self.has_ended);
        if let Some(fault) = no_message.filter(|_| !is_empty_line) {
            return self.remarks.push(fault);
        }
        words::head(self.side, head, start, &mut self.remarks);
        // The missing rest of the last line may be valid, unless it is known that it is not.
        let judged = if is_broken { &with_line_end[..] } else { head };
        let fault = faults::in_head(self.side, judged, start);
        let fault = fault.filter(|fault| fault.span.start < self.at);
        let text = "the message stops within its head: an empty line would end it";
        let missing = || Remark::fault(last(self.at), text, "RFC 9112 section 8");
        self.remarks.extend(fault.or_else(|| (!is_empty_line).then(missing)));
    }

    /// Explains content that is cut short, within this line of framing if it is not empty.
    fn explain_cut_content(
        &self,
        content: &ContentSoFar,
        line: &[u8],
        start: usize,
        dialogue: &mut Dialogue,
    ) -> Remark {
        let reader = dialogue.reader(self.side);
        let (ending, left) = (reader.ending(), reader.content_left());
        let bytes = counted(content.received, "byte", "bytes");
        if self.is_answered {
            let (_, clause, why) = match content.waits {
                true => glossary::CONTENT_NOT_ASKED_FOR,
                false => glossary::CONTENT_NOT_NEEDED,
            };
            let text = format!("the content stops after {bytes}: {why}");
            return Remark::new(last(self.at), text, clause);
        }
        let more = counted(left, "more was", "more were");
        if !line.is_empty()
            && let Some(range) = dialogue.next(self.side, missing_line_end(line))
            && let Some((refusal, at)) = range.fault.filter(|&(_, at)| at < line.len())
        {
            return faults::refused(self.side, line, start, refusal.at(at));
        }
        let text = match ending {
            Some(Ending::Length(_)) => {
                format!("the content stops after {bytes}: {more} promised by Content-Length")
            }
            Some(Ending::Chunked) if left > 0 => {
                format!("the content stops within a chunk: {more} promised by its size")
            }
            Some(Ending::Chunked) if content.in_trailers => {
                "the content is complete, but the empty line that ends the message is missing"
                    .to_owned()
            }
            _ => "the content stops before its last chunk is complete, so something is missing"
                .to_owned(),
        };
        Remark::fault(last(self.at), text, "RFC 9112 section 8")
    }

    /// Returns the kept bytes, and the offset of the first one.
    fn take_kept(&mut self) -> (usize, Vec<u8>) {
        let start = self.at;
        self.at += self.kept.len();
        (start, mem::take(&mut self.kept))
    }

    /// Adds a remark at the last byte so far.
    pub fn remark_at_end(&mut self, text: impl Into<String>, clause: &'static str) {
        self.remarks.push(Remark::new(last(self.at), text, clause));
    }
}

/// Whether the connection ends after a response with this head.
pub(super) fn closes(head: &Outline, ending: Ending) -> bool {
    let is_until_close = matches!(ending, Ending::Close | Ending::CloseCoded);
    is_until_close || [glossary::CLOSES, glossary::CLOSES_IN_1_0].contains(&persistence(head))
}

/// Returns the name of the software that runs a framework's code, and the number of fields, if a
/// response has nothing that the code must have added.
fn framework(head: &Outline) -> Option<(String, usize)> {
    let fields = head.fields();
    let names = ["server", "x-powered-by"].into_iter().flat_map(|name| fields.values(name));
    let mut names = names.map(words::element_name);
    let software = names.find(|name| glossary::is_framework(name))?;
    let is_added = |name: &str| {
        glossary::ADDED_FIELDS.split(' ').any(|added| added.eq_ignore_ascii_case(name))
    };
    let is_all_added = head.status == Some(200) && fields.iter().all(|(name, _)| is_added(name));
    is_all_added.then(|| (software, fields.iter().count()))
}

/// Returns the row for the connection after the exchange (RFC 9112 section 9.3).
fn persistence(head: &Outline) -> Row {
    match Persistence::of_fields(head.version, head.fields()) {
        Persistence::Close if head.fields().has_member("connection", "close") => glossary::CLOSES,
        Persistence::Close => glossary::CLOSES_IN_1_0,
        Persistence::KeepAlive if head.version == Version::Http10 => glossary::STAYS_OPEN_IN_1_0,
        Persistence::KeepAlive => glossary::STAYS_OPEN,
    }
}

/// Returns what the end of this line lacks. A line without an end is judged as if it had one.
fn missing_line_end(line: &[u8]) -> &'static [u8] {
    match line.last() {
        Some(b'\n') => b"",
        Some(b'\r') => b"\n",
        _ => b"\r\n",
    }
}

/// The span of the last byte before `end`.
fn last(end: usize) -> Range<usize> {
    end.saturating_sub(1)..end
}

#[cfg(test)]
mod tests {
    use super::super::tests::{STREAM, has, sentences};
    use super::super::{ConnectionExplainer, annotate, explain};
    use super::*;
    use crate::message::method::Method;
    use crate::message::reader::Reader;
    use crate::transcript::Transcript;

    fn server(bytes: &[u8]) -> Vec<Remark> {
        explain(bytes, Some(Side::Server), None)
    }

    #[test]
    fn the_end_of_a_response_depends_on_its_fields_its_status_and_its_request() {
        for (request_method, response, expected) in [
            (
                None,
                "200 OK\r\nContent-Length: 2\r\n\r\nhi",
                "the content ends here: 2 bytes, as Content-Length said",
            ),
            (
                None,
                "200 OK\r\nContent-Length: 3\r\n\r\nhi",
                "the content stops after 2 bytes: 1 more was promised",
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
                "the content is complete, but the empty line that ends the message is missing",
            ),
            (
                None,
                "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "the content ends here: 0 bytes in 0 chunks",
            ),
            (
                None,
                "204 No Content\r\n\r\n",
                "the empty line: the head ends here, and so does the response: 204 and 304",
            ),
            (
                None,
                "304 Not Modified\r\nContent-Length: 9\r\n\r\n",
                "the empty line: the head ends here, and so does the response: 204 and 304",
            ),
            (
                None,
                "200 OK\r\nContent-Length: 0\r\n\r\n",
                "the empty line: the head ends here, and so does the message: Content-Length is 0",
            ),
            (
                None,
                "100 Continue\r\n\r\n",
                "the empty line: the head ends here, and so does this interim response",
            ),
            (
                None,
                "101 Switching Protocols\r\n\r\nhi",
                "the empty line: the head ends here, and the connection changes",
            ),
            (
                Some(Method::Head),
                "200 OK\r\nContent-Length: 9\r\n\r\n",
                "the empty line: the head ends here, and so does the response: HEAD asks",
            ),
            (
                Some(Method::Connect),
                "200 OK\r\nContent-Length: 9\r\n\r\n",
                "the empty line: the head ends here, and the tunnel begins",
            ),
            (
                None,
                "299 Odd\r\n\r\n",
                "299: not in this glossary; 2xx: received, understood and accepted",
            ),
            (None, "200 OK\r\n", "the message stops within its head"),
        ] {
            let response = format!("HTTP/1.1 {response}");
            let remarks = explain(response.as_bytes(), Some(Side::Server), request_method);
            assert!(has(&remarks, expected), "{response:?}: {:#?}", sentences(&remarks));
        }
        assert!(has(
            &server(b"HTTP/1.0 204 No Content\r\n\r\n"),
            "the connection ends after this exchange, as"
        ));
        let kept_alive = b"HTTP/1.0 204 No Content\r\nConnection: keep-alive\r\n\r\n";
        assert!(has(&server(kept_alive), "the connection stays open: in HTTP/1.0 only because"));
    }

    #[test]
    fn messages_end_where_the_reader_says_so_in_reads_of_any_size() {
        let mut reader = Reader::responses();
        reader.expect_response_to(Method::Head);
        let (mut at, mut ends) = (0, Vec::new());
        while let Some(range) = reader.next(&STREAM[at..]) {
            at += range.length;
            ends.extend(range.ends_message.then_some(at));
        }
        let whole = explain(STREAM, Some(Side::Server), Some(Method::Head));
        let says_end = |remark: &&Remark| {
            let text = &remark.text;
            text.starts_with("the content ends here")
                || text.starts_with("the empty line: the head ends here, and so does")
        };
        let explained_ends: Vec<usize> =
            whole.iter().filter(says_end).map(|remark| remark.span.end).collect();
        assert_eq!(explained_ends, ends);

        for length in 1..STREAM.len() {
            let mut explainer = ConnectionExplainer::default();
            explainer.dialogue.expect_response_to(Method::Head);
            let reads = STREAM.chunks(length);
            let mut remarks: Vec<Remark> =
                reads.flat_map(|read| explainer.explain_bytes(Side::Server, read)).collect();
            remarks.extend(explainer.explain_end(Side::Server));
            assert_eq!(remarks, whole, "reads of {length} bytes");
        }
    }

    #[test]
    fn left_out_bytes_are_skipped() {
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
HTTP/1.1 204 No Content

--- server closed
";
        let annotated = annotate(&Transcript::parse(text).expect(text), 100).to_string();
        // The count of left-out chunks is not known.
        assert!(
            annotated.contains("# the content ends here (RFC 9112 section 7.1)"),
            "{annotated}"
        );
        assert!(annotated.contains("# the content ends here: 5000 bytes, as"), "{annotated}");
        assert!(annotated.contains("# 204: the request succeeded"), "{annotated}");
        assert!(!annotated.contains("broken") && !annotated.contains("stops"), "{annotated}");
    }

    #[test]
    fn left_out_bytes_are_the_content_of_a_205_only_if_they_cannot_be_framing() {
        for (rest, is_fault) in [
            ("5\n\\{5 bytes}\n0\n\n", true),
            ("\\{5 bytes}\\\n", false),
            ("0\n\\{2 bytes}\\\n", false),
        ] {
            let head = "HTTP/1.1 205 Reset Content\nTransfer-Encoding: chunked\n\n";
            let text = format!("<<<\n{head}{rest}");
            let annotated = annotate(&Transcript::parse(&text).expect(&text), 100).to_string();
            assert_eq!(annotated.contains("must not have content"), is_fault, "{annotated}");
        }
    }

    #[test]
    fn after_an_upgrade_or_a_tunnel_neither_side_is_explained() {
        for (request, status) in [
            ("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n", "101 Switching Protocols"),
            ("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", "200 OK"),
        ] {
            let mut explainer = ConnectionExplainer::default();
            explainer.explain_bytes(Side::Client, request.as_bytes());
            let response = format!("HTTP/1.1 {status}\r\n\r\n");
            explainer.explain_bytes(Side::Server, response.as_bytes());
            for side in [Side::Client, Side::Server] {
                assert_eq!(explainer.explain_bytes(side, b"\x81\x05hello\r\n"), []);
                assert_eq!(explainer.explain_end(side), []);
            }
        }
    }

    #[test]
    fn the_fault_of_cut_content_says_what_is_missing() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (content, expected) in [
            ("", "the content stops before its last chunk"),
            ("5", "the content stops before its last chunk"),
            ("5\r\nhel", "the content stops within a chunk: 2 more were promised by its size"),
            ("5x", "broken here: a chunk's size is not a number"),
            ("5\r\nhello\r\n", "the content stops before its last chunk"),
            ("0", "the content stops before its last chunk is complete"),
            ("0\r\n", "the content is complete, but the empty line"),
            ("0\r\n\r", "the content is complete, but the empty line"),
            ("0\r\nX-Sum: 1", "the content is complete, but the empty line"),
            ("0\r\nX-Sum: 1\r\n", "the content is complete, but the empty line"),
        ] {
            let remarks = server(format!("{head}{content}").as_bytes());
            assert!(has(&remarks, expected), "{content:?}: {:#?}", sentences(&remarks));
        }
        assert!(explain(b"\r\n", Some(Side::Client), None).iter().all(|remark| !remark.is_fault));
    }
}

//! # Explains messages: what each element means, and what is broken
//!
//! A message is explained line by line and word by word:
//!
//! ```text
//! Connection: close
//!     Connection: options for this connection only; ... (RFC 9110 section 7.6.1)
//!     close: the connection ends after this exchange (RFC 9112 section 9.6)
//! ```
//! Rule: every element gets a [`Remark`]: its meaning, from the [`glossary`](super::glossary), and
//! its clause. `direction.rs` explains the ranges of one direction, and says where content ends and
//! why. `words.rs` explains a head. `faults.rs` says what is broken. `exchanges.rs` says what needs
//! both directions, and what the end of a connection means. `first_use.rs` explains the words of
//! the explanations. In a capture, `sender.rs` finds the side that sent a message. `pasted.rs`
//! restores what pasted text has lost.
//!
//! Left out: the inside of content, and everything after a broken head or a change of protocol. No
//! explanation repeats a secret. Next: `direction.rs`.

mod faults;
mod direction;
mod exchanges;
mod first_use;
mod pasted;
mod remark;
mod sender;
mod words;

use std::collections::BTreeMap;

use super::bytes::Piece;
use super::model::{Event, EventKind, Item, Transcript};
use crate::message::dialogue::{Dialogue, Followed, Side};
use crate::message::ending::Ending;
use crate::message::method::Method;
use direction::DirectionExplainer;
use exchanges::{ExchangeExplainer, Position};
use sender::sender;

pub use first_use::FirstUses;
pub use pasted::{Pasted, pasted};
pub use remark::{Remark, prose};

/// Explanations of one input, at most: far more than a person reads. Each takes memory.
const MAX_REMARKS: usize = 50_000;

/// After so many.
const MORE_THAN_EXPLAINED: &str = "more than is explained here: what follows is shown as it is";

/// Explains the bytes of one stream, in their order. `from` is the side that sent them. It is `None` for
/// a capture in which responses follow their requests; each message then shows by its start which one
/// it is. `request_method` is the method of the request that the first response answers, if it is
/// known: the response to HEAD has no content.
///
/// ```
/// use openkitchen::transcript::{Side, explain::explain};
///
/// let remarks = explain(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", Some(Side::Client), None);
/// assert_eq!((remarks[0].about.as_str(), remarks[0].clause), ("GET", "RFC 9110 section 9.3.1"));
/// ```
pub fn explain(bytes: &[u8], from: Option<Side>, request_method: Option<Method>) -> Vec<Remark> {
    explain_part(bytes, from, request_method, true)
}

/// Explains bytes as [`explain`] does. `is_whole` says whether the stream ends after them, so that
/// what is missing is explained too.
pub fn explain_part(
    bytes: &[u8],
    from: Option<Side>,
    request_method: Option<Method>,
    is_whole: bool,
) -> Vec<Remark> {
    let mut connection = ConnectionExplainer::default();
    if let Some(method) = request_method {
        connection.dialogue.expect_response_to(method);
    }
    let (mut remarks, mut at) = (Vec::new(), 0);
    let mut side = from.unwrap_or(Side::Client);
    loop {
        let rest = &bytes[at..];
        if from.is_none() {
            side = sender(&connection.dialogue, side, rest);
        }
        if remarks.len() > MAX_REMARKS {
            remarks.push(Remark::new(at..at, MORE_THAN_EXPLAINED, ""));
            break;
        }
        let Some(range) = connection.dialogue.next(side, rest) else { break };
        connection.ranges.side(side).at = at;
        remarks.extend(connection.ranges.explain_range(side, &range, rest));
        at += range.length;
    }
    if is_whole && remarks.len() <= MAX_REMARKS {
        remarks.extend(connection.explain_both_ends());
    }
    Remark::sort(&mut remarks);
    remarks
}

/// Returns the transcript with its explanations as prose after its blocks and events, in lines of
/// at most `width` columns. The first use of a word of HTTP is followed by its meaning. Prose
/// cannot be within a block, because prose ends a block.
pub fn annotate(transcript: &Transcript, width: usize) -> Transcript {
    let mut connections = ConnectionExplainers::new();
    let mut first_uses = FirstUses::default();
    let (mut items, mut explained) = (Vec::new(), 0);
    for item in &transcript.items {
        items.push(item.clone());
        if explained > MAX_REMARKS {
            continue;
        }
        let mut remarks = Vec::new();
        match item {
            Item::Block(block) => {
                let explainer = explainer(&mut connections, block.connection);
                for piece in block.bytes.pieces() {
                    remarks.extend(explainer.explain_piece(block.from, piece));
                }
            }
            // After a connection has ended, its other side's end says nothing new.
            Item::Event(Event { connection, kind: EventKind::Open, .. }) => {
                connections.insert(*connection, Some(Box::default()));
            }
            Item::Event(Event { connection, kind, .. }) => {
                let known = connections.entry(*connection).or_insert_with(|| Some(Box::default()));
                if let Some(explainer) = known {
                    remarks = explainer.explain_event(*kind);
                }
                if matches!(kind, EventKind::Closed(_) | EventKind::Reset(_)) {
                    *known = None;
                }
            }
            Item::Prose(_) | Item::Assertions(_) => {}
        }
        // A thousand chunks of one size need one explanation.
        remarks.dedup_by(|next, one| (&next.about, &next.text) == (&one.about, &one.text));
        explained += remarks.len();
        if explained > MAX_REMARKS {
            remarks = vec![Remark::new(0..0, MORE_THAN_EXPLAINED, "")];
            connections.clear();
        }
        items.extend(prose(&first_uses.explain_in(remarks), width));
    }
    let open = connections.values_mut().flatten();
    let ends = open.flat_map(|explainer| explainer.explain_both_ends());
    items.extend(prose(&first_uses.explain_in(ends.collect()), width));
    Transcript { items }
}

/// The connections of a transcript; `None` for one that has ended.
type ConnectionExplainers = BTreeMap<u32, Option<Box<ConnectionExplainer>>>;

/// Returns what explains the bytes of a connection. Bytes after its end are those of a new one.
fn explainer(connections: &mut ConnectionExplainers, number: u32) -> &mut ConnectionExplainer {
    connections.entry(number).or_default().get_or_insert_default()
}

/// Follows one connection and explains its bytes. It takes them in reads of any size, and explains an
/// element when it is complete.
#[derive(Debug, Default)]
pub struct ConnectionExplainer {
    dialogue: Dialogue,
    ranges: RangeExplainer,
}

impl ConnectionExplainer {
    /// Takes the next bytes that a side sent. Returns the explanations of what they complete, in their
    /// order, but no more than a person reads.
    pub fn explain_bytes(&mut self, from: Side, mut bytes: &[u8]) -> Vec<Remark> {
        let mut remarks = Vec::new();
        while remarks.len() <= MAX_REMARKS
            && let Some(range) = self.dialogue.next(from, bytes)
        {
            remarks.extend(self.ranges.explain_range(from, &range, bytes));
            bytes = &bytes[range.length..];
        }
        remarks
    }

    fn explain_piece(&mut self, from: Side, piece: &Piece) -> Vec<Remark> {
        match piece {
            Piece::Raw(bytes) => self.explain_bytes(from, bytes),
            Piece::Repeat { times, bytes } => {
                let times = usize::try_from(*times).unwrap_or_default();
                self.explain_bytes(from, &bytes.repeat(times))
            }
            Piece::LeftOut { count } => {
                self.ranges.exchanges.has_bytes = true;
                let explainer = self.ranges.side(from);
                explainer.left_out(*count, &mut self.dialogue);
                explainer.take_remarks()
            }
        }
    }

    /// Takes the end of what a side sent. Returns what can be explained only now, such as a message that
    /// is cut short. Bytes of this side after its end are not explained.
    pub fn explain_end(&mut self, from: Side) -> Vec<Remark> {
        let explainer = self.ranges.side(from);
        explainer.finish(&mut self.dialogue);
        explainer.take_remarks()
    }

    /// Takes an event of the connection. Returns what it means, and what can be explained only now.
    pub fn explain_event(&mut self, kind: EventKind) -> Vec<Remark> {
        let mut remarks: Vec<Remark> = self.ranges.explain_event(kind).into_iter().collect();
        match kind {
            EventKind::HalfClose(side) => remarks.extend(self.explain_end(side)),
            EventKind::Closed(_) | EventKind::Reset(_) => remarks.extend(self.explain_both_ends()),
            EventKind::Open | EventKind::Wait(_) | EventKind::Silent(_) => {}
        }
        remarks
    }

    fn explain_both_ends(&mut self) -> Vec<Remark> {
        [self.explain_end(Side::Client), self.explain_end(Side::Server)].concat()
    }
}

/// Explains the bytes of a connection that the caller follows with a `Dialogue`.
#[derive(Debug)]
pub struct RangeExplainer {
    client: DirectionExplainer,
    server: DirectionExplainer,
    exchanges: ExchangeExplainer,
}

impl Default for RangeExplainer {
    fn default() -> RangeExplainer {
        RangeExplainer {
            client: DirectionExplainer::new(Side::Client),
            server: DirectionExplainer::new(Side::Server),
            exchanges: ExchangeExplainer::default(),
        }
    }
}

impl RangeExplainer {
    /// Takes the next range of a side's bytes, which is at the start of `bytes`. Each range of the
    /// connection must be given, in the order of the dialogue. Returns the explanations of what it
    /// completes, in their order.
    pub fn explain_range(&mut self, from: Side, range: &Followed, bytes: &[u8]) -> Vec<Remark> {
        self.exchanges.has_bytes = true;
        let was_over = self.side(from).is_over;
        self.server.answers_last_request = self.exchanges.answers_last_request();
        self.side(from).step(range, bytes);
        // Side by side, once on a connection.
        let ways_are_told = self.client.ways_are_told || self.server.ways_are_told;
        (self.client.ways_are_told, self.server.ways_are_told) = (ways_are_told, ways_are_told);
        match (from, &range.head, range.ending) {
            (Side::Client, Some(head), _) => self.exchanges.request(head),
            (Side::Client, None, _) if self.client.is_over && !was_over => {
                self.exchanges.broken_request();
            }
            (Side::Server, Some(head), Some(ending)) if ending != Ending::Interim => {
                let closes = direction::closes(head, ending);
                let within_request = self.client.is_within();
                for (text, clause) in self.exchanges.response(head, closes, within_request) {
                    self.server.remark_at_end(text, clause);
                }
                if self.exchanges.is_answered() {
                    self.client.take_answer();
                }
            }
            _ => {}
        }
        if range.head.is_some() && range.ending.is_some_and(Ending::leaves_http) {
            // After an upgrade or in a tunnel, neither side sends HTTP.
            self.client.is_over = true;
        }
        self.side(from).take_remarks()
    }

    /// Returns what an event of the connection means, if there is something to say. Call it before
    /// [`ConnectionExplainer::explain_end`], after all bytes that crossed before the event.
    pub fn explain_event(&mut self, kind: EventKind) -> Option<Remark> {
        if self.server.is_over {
            return None;
        }
        if kind == EventKind::Closed(Side::Server)
            && let Some(remark) = self.server.end_content_until_close()
        {
            return Some(remark);
        }
        let position = Position {
            within_request: self.client.is_within(),
            within_response: self.server.is_within(),
        };
        if let EventKind::Reset(_) = kind {
            let _ = self.server.end_content_until_close(); // a reset ends no content
        }
        let (_, clause, text) = self.exchanges.event(kind, &position)?;
        Some(Remark::new(0..0, text, clause))
    }

    fn side(&mut self, side: Side) -> &mut DirectionExplainer {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::super::random::Random;
    use super::super::text::Prose;
    use super::*;
    use crate::message::reader::{Part, Reader};

    pub const REQUEST: &[u8] = b"\r\nPOST /a?q=b+c&API_key=s3cret HTTP/1.1\r\nHost: h:80\r\n\
        Authorization: Basic c3RhZmY6czNjcmV0\r\nCookie: id=s3cret; x\r\nExpect: 100-continue\r\n\
        Accept: */*;q=0.1, text/html, image/*;q=0\r\nConnection: x-hop\r\nX-Hop: 1\r\n\
        Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n";

    pub const STREAM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n\
        HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\
        HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n\
        HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n\
        HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope\
        HTTP/1.0 200 OK\r\n\r\nto the end";

    pub fn sentences(remarks: &[Remark]) -> Vec<String> {
        remarks.iter().map(|remark| remark.lines(1000).join("\n")).collect()
    }

    pub fn has(remarks: &[Remark], sentence: &str) -> bool {
        sentences(remarks).iter().any(|text| text.starts_with(sentence))
    }

    #[test]
    fn requests_and_responses_of_one_capture_are_told_apart() {
        let both =
            [&b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"[..], &STREAM[..STREAM.len() - 10]].concat();
        let remarks = explain(&both, None, None);
        assert!(remarks.iter().all(|remark| !remark.is_fault), "{:#?}", sentences(&remarks));
        assert!(has(
            &remarks,
            "the empty line: the head ends here, and so does the response: HEAD asks"
        ));
    }

    #[test]
    fn annotate_adds_only_prose_and_the_result_can_be_parsed() {
        let mut random = Random(7);
        for _ in 0..500 {
            let transcript = random.transcript();
            let annotated = annotate(&transcript, 80);
            let text = annotated.to_string();
            assert_eq!(Transcript::parse(&text).as_ref(), Ok(&annotated), "{text}");
            let bare = |transcript: Transcript| -> Vec<Item> {
                let is_prose = |item: &Item| matches!(item, Item::Prose(_));
                transcript.items.into_iter().filter(|item| !is_prose(item)).collect()
            };
            assert_eq!(bare(annotated), bare(transcript));
        }
    }

    #[test]
    fn a_message_that_cannot_be_followed_has_a_fault_in_reads_of_any_size() {
        let mut random = Random(11);
        for round in 0..2000 {
            let (side, mut reader, bytes) = match round % 2 {
                0 => (Side::Client, Reader::requests(), REQUEST),
                _ => (Side::Server, Reader::responses(), STREAM),
            };
            let mut bytes = bytes.to_vec();
            (0..=random.below(4)).for_each(|_| random.mutate(&mut bytes));
            let (mut at, mut is_unframed) = (0, false);
            while let Some(range) = reader.next(&bytes[at..]) {
                at += range.length;
                is_unframed |= range.part == Part::Unframed;
            }
            let remarks = explain(&bytes, Some(side), None);
            let has_fault = remarks.iter().any(|remark| remark.is_fault);
            let leaves_http = reader.ending().is_some_and(Ending::leaves_http);
            let text = String::from_utf8_lossy(&bytes);
            assert!(has_fault || leaves_http || !is_unframed, "{text:?}");

            let mut explainer = ConnectionExplainer::default();
            let reads = bytes.chunks(1 + round % 7);
            let mut slow: Vec<Remark> =
                reads.flat_map(|read| explainer.explain_bytes(side, read)).collect();
            slow.extend(explainer.explain_end(side));
            let faults = |remarks: Vec<Remark>| -> Vec<Range<usize>> {
                remarks.into_iter().filter(|it| it.is_fault).map(|it| it.span).collect()
            };
            assert_eq!(faults(slow), faults(remarks), "{text:?}");
        }
    }

    #[test]
    fn all_lines_are_printable_and_not_too_long() {
        let mut random = Random(3);
        for round in 0..1000 {
            let mut bytes = if round % 2 == 0 { REQUEST.to_vec() } else { STREAM.to_vec() };
            (0..=random.below(4)).for_each(|_| random.mutate(&mut bytes));
            for side in [None, Some(Side::Client), Some(Side::Server)] {
                for remark in explain(&bytes, side, None) {
                    assert!(remark.span.end <= bytes.len().max(1), "{remark:?}");
                    for line in remark.lines(76) {
                        let is_printable = Prose::new(&line).as_str() == line.trim_end();
                        assert!(is_printable && line.chars().count() <= 76, "{line:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn of_a_long_input_a_bounded_part_is_explained() {
        let request = "GET / HTTP/1.1\nHost: h\n\n";
        let text = request.repeat(MAX_REMARKS);
        let remarks = explain(text.replace('\n', "\r\n").as_bytes(), None, None);
        assert!(remarks.len() <= MAX_REMARKS + 20, "{}", remarks.len());
        assert_eq!(remarks.last().expect("a remark").text, MORE_THAN_EXPLAINED);
        for text in [format!(">>>\n{text}"), format!(">>>\n{request}").repeat(MAX_REMARKS / 4)] {
            let transcript = Transcript::parse(&text).expect("a transcript");
            let annotated = annotate(&transcript, 80);
            let items = annotated.items.len() - transcript.items.len();
            assert!(items < 4 * MAX_REMARKS, "{items}");
            assert_eq!(annotated.to_string().matches(MORE_THAN_EXPLAINED).count(), 1);
        }
    }

    #[test]
    fn a_reset_ends_no_content() {
        let events = |event| {
            let text = format!(
                ">>>\nGET / HTTP/1.1\nHost: h\n\n<<<\nHTTP/1.1 200 OK\n\nhalf\\\n--- server {event}\n"
            );
            annotate(&Transcript::parse(&text).unwrap(), 80).to_string()
        };
        let (closed, reset) = (events("closed"), events("reset"));
        assert!(
            closed.contains("# the content ends with the connection, after 4 bytes"),
            "{closed}"
        );
        assert!(!reset.contains("the content ends"), "{reset}");
        assert!(reset.contains("# a reset: "), "{reset}");
    }

    #[test]
    fn the_caret_is_within_the_width_and_under_its_byte() {
        let head = [b"GET / HTTP/1.1\r\nHost: h\r\nX: ", &[0xff; 90][..], b"\x01\r\n\r\n"].concat();
        let remarks = explain(&head, Some(Side::Client), None);
        let lines = remarks.iter().find(|remark| remark.is_fault).expect("a fault").lines(96);
        let caret = lines.iter().position(|line| line.trim() == "^").expect("a caret");
        assert!(lines[caret - 1][lines[caret].len() - 1..].starts_with(r"\x01"), "{lines:#?}");
        assert!(lines.iter().all(|line| line.len() <= 96), "{lines:#?}");
    }
}

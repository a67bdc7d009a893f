//! # What the bytes mean
//!
//! A message is read line by line and word by word: what is this, and who says so?
//!
//! ```text
//! Connection: close
//!     Connection: options for this connection alone; ... (RFC 9110 section 7.6.1)
//!     close: the connection ends after this exchange (RFC 9112 section 9.6)
//! ```
//! Rule: every element gets a [`Remark`] with its meaning, from the [`glossary`], and its clause.
//! Where a message breaks, this server's own refusal says how: [`Head::parse`], [`Framing::of`] and
//! [`Decoder`] judge here as they do at the door, but for the limits, which others set otherwise.
//! An answer's field lines are judged as if they stood in a request: the grammar is the same.
//!
//! Left out: what stands within content; anything behind a broken head or a change of protocol. No
//! sentence repeats a secret: it says what is there.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use super::glossary::{self, Row, Shape};
use super::{Event, EventKind, Item, Piece, Prose, Side, Transcript};
use crate::message::chunked::{Decoder, Step};
use crate::message::fields::{Span, check_line, is_token, trim};
use crate::message::framing::Framing;
use crate::message::head::{Head, Outline};
use crate::message::limits::Limits;
use crate::message::method::Method;
use crate::message::refusal::{Refusal, Refused};
use crate::message::target::{check_authority, form, is_secret_name};
use crate::message::visible::Visible;

/// Bytes of a head, or of a line within chunked content, that are kept while its end is awaited: as
/// many as [`Reader`](crate::message::reader::Reader) keeps, far beyond any limit of our own.
const KEPT: usize = 256 * 1024;

/// Characters of an element that a remark names, and of all that a list of weights says.
const NAMED: usize = 60;
const LISTED: usize = 400;

/// Columns that are shown around a byte that breaks a rule.
const AROUND: usize = 72;

/// Columns of a line of prose: with `# ` before it, 100.
const PROSE: usize = 98;

/// Bytes up to which a message is looked at whole to show how a broken line should be.
const WHOLE: usize = 64 * 1024;

/// What there is to say about a stretch of bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Remark {
    /// Where it stands, as offsets into the stream of its side.
    pub span: Range<usize>,
    /// The element by its name, safe to show; empty where the sentence says it all.
    pub about: String,
    /// The sentence. A fault has several lines: the rule, the line and the caret (which begin with
    /// four spaces), and how to mend it.
    pub text: String,
    /// Where it says so, such as `RFC 9112 section 5.1`; empty where nothing does.
    pub clause: &'static str,
    /// Whether a rule is broken here.
    pub is_fault: bool,
}

impl Remark {
    fn new(
        span: Range<usize>,
        about: &[u8],
        text: impl Into<String>,
        clause: &'static str,
    ) -> Remark {
        let text = text.into();
        Remark { span, about: named(about), text, clause, is_fault: false }
    }

    /// The remark as lines of at most `width` columns.
    pub fn lines(&self, width: usize) -> Vec<String> {
        let mut text = self.text.clone();
        if !self.about.is_empty() {
            text.insert_str(0, &format!("{}: ", self.about));
        }
        if !self.clause.is_empty() {
            // A clause is looked up as a whole, so no line ends within it.
            text += &format!(" ({})", self.clause.replace(' ', "\x1f"));
        }
        let lines = text.lines().flat_map(|line| wrap(line, width));
        lines.map(|line| line.replace('\x1f', " ")).collect()
    }
}

/// What the bytes of one stream mean. `from` is who sent them; `None` for a capture in which requests
/// and answers stand one behind the other, told apart by how they begin. `asked` is the method of
/// the request that the first answer belongs to, if that is known: only it tells that there is no
/// content.
///
/// ```
/// use openkitchen::transcript::{Side, explain::explain};
///
/// let remarks = explain(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", Some(Side::Client), None);
/// assert_eq!((remarks[0].about.as_str(), remarks[0].clause), ("GET", "RFC 9110 section 9.3.1"));
/// ```
pub fn explain(bytes: &[u8], from: Option<Side>, asked: Option<Method>) -> Vec<Remark> {
    let mut conversation = Conversation::new();
    conversation.server.asked.extend(asked);
    let (mut remarks, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let begins_an_answer = bytes[at..].starts_with(b"HTTP/");
        let side = from.unwrap_or(if begins_an_answer { Side::Server } else { Side::Client });
        conversation.side(side).at = at;
        loop {
            at += conversation.step(side, &bytes[at..], &mut remarks);
            let follower = conversation.side(side);
            if at >= bytes.len()
                || (follower.kept.is_empty() && matches!(follower.place, Place::Head))
            {
                break;
            }
        }
    }
    remarks.extend(conversation.ended(Side::Client));
    remarks.extend(conversation.ended(Side::Server));
    remarks.sort_by_key(|remark| remark.span.start);
    remarks
}

/// The same transcript, with what it means as prose behind its blocks and endings: never inside, for
/// prose ends a block.
pub fn annotate(transcript: &Transcript) -> Transcript {
    let mut conversations = BTreeMap::<u32, Conversation>::new();
    let mut items = Vec::new();
    for item in &transcript.items {
        items.push(item.clone());
        let remarks = match item {
            Item::Block(block) => {
                let conversation = conversations.entry(block.connection).or_default();
                let remarks = block.bytes.pieces().iter().flat_map(|piece| match piece {
                    Piece::Raw(bytes) => conversation.crossed(block.from, bytes),
                    Piece::Repeat { times, bytes } => {
                        let times = usize::try_from(*times).unwrap_or_default();
                        conversation.crossed(block.from, &bytes.repeat(times))
                    }
                    Piece::LeftOut { count } => {
                        conversation.side(block.from).left_out(*count);
                        Vec::new()
                    }
                });
                remarks.collect()
            }
            Item::Event(Event { connection, kind, .. }) => {
                let conversation = conversations.entry(*connection).or_default();
                match kind {
                    EventKind::HalfClose(side) => conversation.ended(*side),
                    EventKind::Closed(_) | EventKind::Reset(_) => conversation.all_ended(),
                    EventKind::Open | EventKind::Wait(_) | EventKind::Silent(_) => Vec::new(),
                }
            }
            Item::Prose(_) | Item::Claims(_) => Vec::new(),
        };
        items.extend(prose(&remarks));
    }
    let rest: Vec<Remark> = conversations.values_mut().flat_map(Conversation::all_ended).collect();
    items.extend(prose(&rest));
    Transcript { items }
}

/// Remarks as lines of prose, for a transcript.
pub fn prose(remarks: &[Remark]) -> impl Iterator<Item = Item> {
    let lines = remarks.iter().flat_map(|remark| remark.lines(PROSE));
    lines.map(|line| Item::Prose(Prose::new(&line)))
}

/// Both directions of one connection, which may come in pieces of any size. A remark is made when
/// what it is about is whole.
#[derive(Debug)]
pub struct Conversation {
    client: Follower,
    server: Follower,
}

impl Default for Conversation {
    fn default() -> Conversation {
        Conversation::new()
    }
}

impl Conversation {
    /// Nothing has crossed yet.
    pub fn new() -> Conversation {
        Conversation { client: Follower::new(Side::Client), server: Follower::new(Side::Server) }
    }

    /// What can be said now that these bytes have come from that side, in their order.
    pub fn crossed(&mut self, from: Side, bytes: &[u8]) -> Vec<Remark> {
        let (mut remarks, mut used) = (Vec::new(), 0);
        while used < bytes.len() {
            used += self.step(from, &bytes[used..], &mut remarks);
        }
        remarks.sort_by_key(|remark| remark.span.start);
        remarks
    }

    /// What can be said now that no more will come from that side.
    pub fn ended(&mut self, from: Side) -> Vec<Remark> {
        let mut remarks = Vec::new();
        self.side(from).finish(&mut remarks);
        remarks
    }

    fn all_ended(&mut self) -> Vec<Remark> {
        [self.ended(Side::Client), self.ended(Side::Server)].concat()
    }

    fn side(&mut self, side: Side) -> &mut Follower {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn step(&mut self, from: Side, bytes: &[u8], remarks: &mut Vec<Remark>) -> usize {
        let used = self.side(from).step(bytes, remarks);
        // A stream without answers is not kept for ever.
        if let Some(method) = self.client.method.take().filter(|_| self.server.asked.len() < 1024) {
            self.server.asked.push_back(method);
        }
        used
    }
}

/// Follows one direction. [`Reader`](crate::message::reader::Reader) does so too, and says where; this
/// says why.
#[derive(Debug)]
struct Follower {
    side: Side,
    /// The offset of the first byte that is not explained: of the first one kept, if there is one.
    at: usize,
    kept: Vec<u8>,
    place: Place,
    /// Bytes of content that have come of this message.
    came: u64,
    chunks: u64,
    in_trailers: bool,
    /// The method of the request whose head was read last.
    method: Option<Method>,
    /// The methods of requests that are not answered.
    asked: VecDeque<Method>,
}

#[derive(Debug)]
enum Place {
    Head,
    Length {
        left: u64,
    },
    Chunked(Decoder),
    /// Chunked, behind bytes that nobody kept: the next ones begin a line.
    SomewhereInChunks,
    UntilClose,
    Lost,
}

impl Follower {
    fn new(side: Side) -> Follower {
        Follower {
            side,
            at: 0,
            kept: Vec::new(),
            place: Place::Head,
            came: 0,
            chunks: 0,
            in_trailers: false,
            method: None,
            asked: VecDeque::new(),
        }
    }

    /// Explains what the first of these bytes complete; how many there were.
    fn step(&mut self, bytes: &[u8], remarks: &mut Vec<Remark>) -> usize {
        let all = bytes.len();
        match &mut self.place {
            Place::Lost => self.at += all,
            Place::UntilClose => {
                self.at += all;
                self.came += all as u64;
            }
            Place::Length { left } => {
                let here = all.min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= here as u64;
                let ends = *left == 0;
                self.at += here;
                self.came += here as u64;
                if ends {
                    self.place = Place::Head;
                    let text = format!(
                        "the content ends here: {}, as Content-Length said",
                        count(self.came)
                    );
                    remarks.push(Remark::new(
                        self.at - 1..self.at,
                        b"",
                        text,
                        "RFC 9112 section 6.3",
                    ));
                }
                return here;
            }
            Place::SomewhereInChunks => {
                // Of what is shown again, only the line end before it may belong to what is not.
                let here = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
                self.place = Place::Chunked(Decoder::new(u64::MAX));
                self.at += here;
                return here;
            }
            Place::Head | Place::Chunked(_) => {
                let mut held = std::mem::take(&mut self.kept);
                let before = held.len();
                let view = if before == 0 {
                    Cow::Borrowed(bytes)
                } else {
                    held.extend_from_slice(bytes);
                    Cow::Owned(held)
                };
                let used = match self.place {
                    Place::Head => self.head(&view, remarks),
                    _ => self.chunk(&view, remarks),
                };
                match used {
                    Some(used) => {
                        self.at += used;
                        self.kept = view.get(used..before).unwrap_or_default().to_vec();
                        return used.saturating_sub(before);
                    }
                    None if view.len() < KEPT => self.kept = view.into_owned(),
                    None => {
                        self.place = Place::Lost;
                        self.at += view.len();
                    }
                }
            }
        }
        all
    }

    /// A head, if it is whole or broken: how many bytes it takes.
    fn head(&mut self, view: &[u8], remarks: &mut Vec<Remark>) -> Option<usize> {
        let window = &view[..view.len().min(KEPT)];
        let fault = self.fault_in_head(window);
        let Some(Some(outline)) = Outline::parse(window, self.side == Side::Client) else {
            let mut fault = fault?;
            let end = end_of_head(window);
            self.head_lines(&window[..end], remarks);
            if end < window.len() {
                fault.text += "\nwhat follows is not explained: nobody can tell where it begins";
            }
            remarks.push(fault);
            self.place = Place::Lost;
            return Some(end);
        };
        let head = &window[..outline.length];
        self.head_lines(head, remarks);
        self.end_head(&outline, head, fault.is_some(), remarks);
        remarks.extend(fault);
        Some(outline.length)
    }

    /// The lines of a head that can be read, each on its own.
    fn head_lines(&self, head: &[u8], remarks: &mut Vec<Remark>) {
        let (mut at, mut is_first) = (self.at, true);
        for line in head.split_inclusive(|&byte| byte == b'\n') {
            match without_line_end(line) {
                [] if is_first => {
                    let (_, clause, meaning) = glossary::EMPTY_LINE;
                    remarks.push(Remark::new(at..at + line.len(), b"", meaning, clause));
                }
                [] => {}
                text if !is_first => field_line(text, at, remarks),
                text if self.side == Side::Client => request_line(text, at, remarks),
                text => status_line(text, at, remarks),
            }
            is_first &= without_line_end(line).is_empty();
            at += line.len();
        }
    }

    /// Where the content ends and why (RFC 9112 section 6.3, rule by rule), and what becomes of the
    /// connection.
    fn end_head(
        &mut self,
        outline: &Outline,
        head: &[u8],
        is_broken: bool,
        remarks: &mut Vec<Remark>,
    ) {
        (self.came, self.chunks, self.in_trailers) = (0, 0, false);
        let fields = outline.fields();
        let is_client = self.side == Side::Client;
        if is_client {
            // A method that is not known has answers like those to GET.
            self.method = Some(outline.method.unwrap_or(Method::Get));
        }
        let status = outline.status.unwrap_or_default();
        let is_interim = (100..200).contains(&status);
        let asked = if is_client || is_interim { None } else { self.asked.pop_front() };
        let length = fields.all("content-length").next();
        let last_coding = fields.members("transfer-encoding").last();
        let framings = fields.all("content-length").chain(fields.all("transfer-encoding"));
        let has_two_ends = framings.count() > 1 && fields.all("content-length").next().is_some()
            || last_coding.is_none() && fields.all("transfer-encoding").next().is_some();
        let (place, ends) = match (last_coding, length.map(number)) {
            _ if status == 101 => (Place::Lost, "101"),
            _ if is_interim => (Place::Head, "1xx"),
            _ if status == 204 || status == 304 => (Place::Head, "204 304"),
            _ if asked == Some(Method::Head) => (Place::Head, "HEAD"),
            _ if asked == Some(Method::Connect) && status < 300 => (Place::Lost, "CONNECT"),
            _ if is_client && has_two_ends => (Place::Lost, "unknown"),
            (Some(coding), _) if coding.eq_ignore_ascii_case(b"chunked") => {
                (Place::Chunked(Decoder::new(u64::MAX)), "chunked")
            }
            (Some(_), _) if is_client => (Place::Lost, "unknown"),
            (None, Some(None)) => (Place::Lost, "unknown"),
            (None, Some(Some(0))) => (Place::Head, "length 0"),
            (None, Some(Some(left))) => (Place::Length { left }, "length"),
            (None, None) if is_client => (Place::Head, "request"),
            (Some(_) | None, _) => (Place::UntilClose, "close"),
        };
        let says = |option| fields.lists("connection", option);
        let is_http10 = first_line(head).windows(8).any(|part| part == b"HTTP/1.0");
        let stays = match place {
            Place::Lost | Place::UntilClose => "",
            _ if is_interim || is_broken => "", // who refuses a message may close
            _ if says("close") => "closes",
            _ if is_http10 && says("keep-alive") => "1.0 stays",
            _ if is_http10 => "1.0 closes",
            _ => "stays",
        };
        let end = self.at + head.len();
        for name in [ends, stays] {
            if let Some((_, clause, meaning)) = glossary::find(glossary::ENDINGS, name) {
                let content = length.map_or("?".into(), |length| named(trim(length)));
                let text = meaning.replace("{length}", &content);
                remarks.push(Remark::new(end.saturating_sub(2)..end, b"", text, clause));
            }
        }
        self.place = place;
    }

    /// A step within chunked content, if it is whole or broken: how many bytes it takes.
    fn chunk(&mut self, view: &[u8], remarks: &mut Vec<Remark>) -> Option<usize> {
        let Place::Chunked(decoder) = &mut self.place else { return None };
        match decoder.step(view) {
            Ok(Step::Partial) => None,
            Ok(Step::Content(used)) => {
                self.came += used as u64;
                Some(used)
            }
            Ok(Step::Framing(used)) => {
                self.framing(&view[..used - 2], remarks);
                Some(used)
            }
            Ok(Step::End(used)) => {
                let chunks = if self.chunks == 1 { "chunk" } else { "chunks" };
                let text = format!(
                    "the content ends here: {} in {} {chunks}",
                    count(self.came),
                    self.chunks
                );
                let span = self.at..self.at + used;
                remarks.push(Remark::new(span, b"", text, "RFC 9112 section 7.1"));
                self.place = Place::Head;
                Some(used)
            }
            Err((refusal, at)) => {
                remarks.push(self.fault(view, refusal.at(at)));
                self.place = Place::Lost;
                Some(view.len())
            }
        }
    }

    /// A line of framing that was found good: a size, a trailer, or the end of a chunk.
    fn framing(&mut self, line: &[u8], remarks: &mut Vec<Remark>) {
        if self.in_trailers {
            let text = "a trailer: a field that was not known before the content was sent";
            remarks.push(Remark::new(
                self.at..self.at + line.len(),
                b"",
                text,
                "RFC 9110 section 6.5",
            ));
            return field_line(line, self.at, remarks);
        }
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        if digits == 0 {
            return; // the line end behind a chunk's data
        }
        let size = std::str::from_utf8(&line[..digits]).ok();
        let size = size.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default();
        self.in_trailers = size == 0;
        self.chunks += u64::from(size > 0);
        let text = match size {
            0 => "the last chunk, of size zero: no more content comes".to_owned(),
            _ => format!("a chunk's size in hex: {} of content follow", count(size)),
        };
        let place = self.at..self.at + digits;
        remarks.push(Remark::new(place, &line[..digits], text, "RFC 9112 section 7.1"));
        if digits < line.len() {
            let text = "an extension of the chunk; who does not know it passes over it";
            let (place, about) = (self.at + digits..self.at + line.len(), trim(&line[digits..]));
            remarks.push(Remark::new(place, about, text, "RFC 9112 section 7.1.1"));
        }
    }

    /// Passes over bytes that were there and are not known.
    fn left_out(&mut self, mut bytes: u64) {
        const NOTHING: [u8; 16 * 1024] = [0; 16 * 1024];
        let partial_is_lost = !std::mem::take(&mut self.kept).is_empty();
        match &mut self.place {
            Place::UntilClose => self.came = self.came.saturating_add(bytes),
            Place::Length { left } if bytes <= *left => {
                *left -= bytes;
                self.came += bytes;
                if *left == 0 {
                    self.place = Place::Head;
                }
            }
            Place::Chunked(decoder) if !partial_is_lost => {
                // Within a chunk's data they are content; where they go on behind it, nobody knows.
                while bytes > 0 {
                    let some = &NOTHING[..bytes.min(NOTHING.len() as u64) as usize];
                    let Ok(Step::Content(used)) = decoder.step(some) else { break };
                    bytes -= used as u64;
                    self.came += used as u64;
                }
                if bytes > 0 {
                    self.place = Place::SomewhereInChunks;
                }
            }
            Place::SomewhereInChunks => {}
            _ => self.place = Place::Lost,
        }
    }

    /// No more will come: what is missing?
    fn finish(&mut self, remarks: &mut Vec<Remark>) {
        let kept = std::mem::take(&mut self.kept);
        let end = self.at + kept.len();
        let missing = |text: String| {
            let remark = Remark::new(end.saturating_sub(1)..end, b"", text, "RFC 9112 section 8");
            Remark { is_fault: true, ..remark }
        };
        match std::mem::replace(&mut self.place, Place::Head) {
            Place::Head if kept.iter().all(|byte| b"\r\n".contains(byte)) => {}
            Place::Head => {
                self.head_lines(&kept, remarks);
                // A line that has no end is judged as if it had one.
                let line_end: &[u8] = match kept.last() {
                    Some(b'\n') => b"",
                    Some(b'\r') => b"\n",
                    _ => b"\r\n",
                };
                let fault = self.fault_in_head(&[&kept, line_end].concat());
                let fault = fault.filter(|fault| fault.span.start < end);
                let text = "the message stops within its head: an empty line would end it";
                remarks.push(fault.unwrap_or_else(|| missing(text.into())));
            }
            Place::Length { left } => remarks.push(missing(format!(
                "the content stops after {}: {left} more were promised by Content-Length",
                count(self.came)
            ))),
            Place::Chunked(_) | Place::SomewhereInChunks => {
                let text = "the content stops before its last chunk, so something is missing";
                remarks.push(missing(text.into()));
            }
            Place::UntilClose => {
                let text =
                    format!("the content ends with the connection, after {}", count(self.came));
                let span = end.saturating_sub(1)..end;
                remarks.push(Remark::new(span, b"", text, "RFC 9112 section 6.3"));
            }
            Place::Lost => {}
        }
        self.at = end;
    }

    /// The first rule that this head breaks, as this server's own rules see it.
    fn fault_in_head(&self, window: &[u8]) -> Option<Remark> {
        let limits = limits();
        if self.side == Side::Client {
            let refused = match Head::parse(window, &limits) {
                Ok(None) => None,
                Ok(Some(head)) => {
                    let expected = || head.expects_continue(window).map(|_| Framing::None);
                    Framing::of(&head, window).and_then(|_| expected()).err()
                }
                Err(refused) => Some(refused),
            };
            return refused.map(|refused| self.fault(window, refused));
        }
        // RFC 9112 section 4: `HTTP/1.1 200 OK`, of which the phrase may be empty.
        let line = window
            .split_inclusive(|&byte| byte == b'\n')
            .next()
            .filter(|line| line.ends_with(b"\n"))?;
        if let Some(at) = breaks_status_line(without_line_end(line)) {
            return Some(self.broken_status_line(window, at));
        }
        const AS_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n";
        let text = [AS_REQUEST, &window[line.len()..]].concat();
        let refused = match Head::parse(&text, &limits) {
            _ if !line.ends_with(b"\r\n") => Refusal::BareLf.at(AS_REQUEST.len() - 1),
            Ok(None) => return None,
            Ok(Some(head)) => Framing::of(&head, &text).err()?,
            Err(refused) => refused,
        };
        match refused.refusal {
            // An answer may have codings that this server does not read, and needs no Host.
            Refusal::CodingUnknown | Refusal::CodingNotLast | Refusal::HostTwice => None,
            _ => {
                let at = refused.at.map(|at| (at + line.len()).saturating_sub(AS_REQUEST.len()));
                Some(self.fault(window, Refused { at, ..refused }))
            }
        }
    }

    /// A refusal as a remark. The window around the byte is measured in columns, for it is shown.
    fn fault(&self, view: &[u8], refused: Refused) -> Remark {
        let rule = refused.refusal.rule();
        let lead = match rule.status.code() {
            _ if self.side == Side::Server => "broken here".to_owned(),
            501 | 417 | 421 => format!("not broken, but this server answers {}", rule.status),
            _ => format!("broken here, and a strict server answers {}", rule.status),
        };
        let (near, at) = match refused.at {
            Some(at) if view.len() > WHOLE => around(view, at),
            Some(at) => (view, at),
            None => (view, 0),
        };
        let refused_near = Refused { at: refused.at.map(|_| at), ..refused };
        let text = refused_near.explained(near, &limits());
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        let at = self.at + refused.at.unwrap_or_else(|| end_of_head(view).saturating_sub(1));
        let text = format!("{lead}: {}", lines.join("\n"));
        Remark { is_fault: true, ..Remark::new(at..at + 1, b"", text, "") }
    }

    fn broken_status_line(&self, view: &[u8], at: usize) -> Remark {
        let mut remark = self.fault(view, Refusal::Version.at(at));
        let why = match view {
            [b'H', b'T', b'T', b'P', b'/', b'2' | b'3', b' ', ..] => {
                "a tool wrote this line for people: from HTTP/2 on a head is binary"
            }
            _ => {
                "a status line is a version, three digits and a phrase, with one space between each"
            }
        };
        let picture: Vec<&str> =
            remark.text.lines().filter(|line| line.starts_with("    ")).collect();
        let mend = "RFC 9112 section 4: write it like HTTP/1.1 200 OK";
        remark.text = format!("broken here: {why}\n{}\n{mend}", picture.join("\n"));
        remark
    }
}

fn request_line(line: &[u8], at: usize, remarks: &mut Vec<Remark>) {
    let parts: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let [method, target, version] = parts[..] else { return };
    if !is_token(method) || !version.starts_with(b"HTTP/") {
        return;
    }
    let row = glossary::METHODS.iter().find(|(name, ..)| name.as_bytes() == method);
    say(row.unwrap_or(&glossary::NO_METHOD), method, at, remarks);
    describe_target(target, at + method.len() + 1, remarks);
    describe_version(version, at + method.len() + target.len() + 2, remarks);
}

/// Says what a row of the glossary says of these bytes, which stand at `at`.
fn say(row: &Row, bytes: &[u8], at: usize, remarks: &mut Vec<Remark>) {
    remarks.push(Remark::new(at..at + bytes.len(), bytes, row.2, row.1));
}

fn describe_target(target: &[u8], at: usize, remarks: &mut Vec<Remark>) {
    let question = target.iter().position(|&byte| byte == b'?').unwrap_or(target.len());
    let (path, query) = target.split_at(question);
    let form_of = match path {
        b"*" => "asterisk",
        [b'/', ..] => "origin",
        _ if path.windows(3).any(|three| three == b"://") => "absolute",
        _ => "authority",
    };
    // A URI may hold a password, so it is named by its scheme.
    let about = if path.starts_with(b"/") { path } else { before(path, b":") };
    if let Some((_, clause, meaning)) = glossary::find(glossary::TARGETS, form_of) {
        remarks.push(Remark::new(at..at + path.len(), about, meaning, clause));
    }
    let mut at = at + question + 1;
    for pair in query.get(1..).unwrap_or_default().split(|&byte| byte == b'&') {
        match form(pair).pop() {
            Some((name, _)) if is_secret_name(&name) => {
                say(&glossary::KEY_IN_QUERY, before(pair, b"="), at, remarks);
            }
            Some((name, value)) => {
                let (name, value) = (named(name.as_bytes()), named(value.as_bytes()));
                let text = format!("a parameter of the query: {name} is \"{value}\"");
                remarks.push(Remark::new(at..at + pair.len(), pair, text, "RFC 3986 section 3.4"));
            }
            None => {}
        }
        at += pair.len() + 1;
    }
}

fn describe_version(version: &[u8], at: usize, remarks: &mut Vec<Remark>) {
    let row = glossary::find(glossary::VERSIONS, &String::from_utf8_lossy(version));
    say(&row.unwrap_or(glossary::NO_VERSION), version, at, remarks);
}

fn status_line(line: &[u8], at: usize, remarks: &mut Vec<Remark>) {
    if breaks_status_line(line).is_some() {
        return;
    }
    describe_version(&line[..8], at, remarks);
    let code = String::from_utf8_lossy(&line[9..12]);
    let row = glossary::find(glossary::STATUSES, &code);
    let row = row.or_else(|| glossary::find(glossary::CLASSES, &code[..1]));
    say(&row.unwrap_or(glossary::NO_STATUS), code.as_bytes(), at + 9, remarks);
    if let phrase @ [_, ..] = line.get(13..).unwrap_or_default() {
        say(&glossary::PHRASE, phrase, at + 13, remarks);
    }
}

/// The first byte at which a line is none of the form `HTTP/1.1 200 OK`.
fn breaks_status_line(line: &[u8]) -> Option<usize> {
    const FORM: &[u8] = b"HTTP/#.# ###";
    let fits = |(form, byte): (&u8, &u8)| form == byte || (*form == b'#' && byte.is_ascii_digit());
    match FORM.iter().zip(line).position(|pair| !fits(pair)) {
        None if line.len() < FORM.len() => Some(line.len()),
        None => line.get(FORM.len()).filter(|&&byte| byte != b' ').map(|_| FORM.len()),
        at => at,
    }
}

fn field_line(line: &[u8], at: usize, remarks: &mut Vec<Remark>) {
    let colon = line.iter().position(|&byte| byte == b':');
    let Some(colon) = colon.filter(|_| check_line(line).is_ok()) else { return };
    let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
    let text = String::from_utf8_lossy(name);
    let unknown = match name {
        [b'x' | b'X', b'-', ..] => glossary::OWN_FIELD,
        _ => glossary::NO_FIELD,
    };
    say(&glossary::find(glossary::FIELDS, &text).unwrap_or(unknown), name, at, remarks);
    let blanks = line[colon + 1..].iter().take_while(|byte| b" \t".contains(byte)).count();
    let shape = glossary::SHAPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(&text));
    if let Some(&(field, shape)) = shape {
        Value { field, at: at + colon + 1 + blanks, text: value }.describe(shape, remarks);
    }
}

/// The value of a field, to be taken apart.
struct Value<'a> {
    field: &'static str,
    at: usize,
    text: &'a [u8],
}

impl<'a> Value<'a> {
    fn describe(&self, shape: Shape, remarks: &mut Vec<Remark>) {
        match shape {
            Shape::Words => self.parts(b',').for_each(|part| self.word(part, remarks)),
            Shape::Attributes => self.parts(b';').for_each(|part| self.word(part, remarks)),
            Shape::NewCookie => {
                let mut parts = self.parts(b';');
                let name = before(parts.next().unwrap_or_default(), b"=");
                say(&glossary::NEW_COOKIE, name, self.at, remarks);
                parts.for_each(|part| self.word(part, remarks));
            }
            Shape::Cookies => {
                for part in self.parts(b';') {
                    say(&glossary::COOKIE, before(part, b"="), self.place(part), remarks);
                }
            }
            Shape::Credentials => {
                let scheme = before(self.text, b" ");
                let row = glossary::find_word(self.field, &String::from_utf8_lossy(scheme));
                say(&row.unwrap_or(glossary::NO_SCHEME), scheme, self.at, remarks);
            }
            Shape::Weighted => self.weights(remarks),
            Shape::Host if check_authority(self.text).is_ok() => {
                let colon = self.text.iter().rposition(|&byte| byte == b':');
                let colon = colon.filter(|&colon| !self.text[colon..].contains(&b']'));
                let (host, port) = self.text.split_at(colon.unwrap_or(self.text.len()));
                let text = match port {
                    [] | [b':'] => "a host, and port 80 since none is written".to_owned(),
                    [_, port @ ..] => {
                        format!("the host {} and the port {}", named(host), named(port))
                    }
                };
                let span = self.at..self.at + self.text.len();
                remarks.push(Remark::new(span, self.text, text, "RFC 9110 section 4.2.1"));
            }
            Shape::Host => {}
        }
    }

    /// The parts between separators, without blanks; empty ones are none.
    fn parts(&self, separator: u8) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let parts = self.text.split(move |&byte| byte == separator).map(trim);
        parts.filter(|part| !part.is_empty())
    }

    /// A word that the glossary may have, such as `max-age=60` or `gzip;q=1`.
    fn word(&self, part: &'a [u8], remarks: &mut Vec<Remark>) {
        let word = String::from_utf8_lossy(before(part, b"=; /"));
        let row = glossary::find_word(self.field, &word);
        let row = row.or((self.field == "connection").then_some(glossary::HOP_FIELD));
        if let Some(row) = row {
            say(&row, part, self.place(part), remarks);
        }
    }

    /// The members in the order in which they are wanted.
    fn weights(&self, remarks: &mut Vec<Remark>) {
        let mut members: Vec<(u32, &[u8])> = self.parts(b',').map(weighted).collect();
        members.sort_by_key(|&(weight, _)| std::cmp::Reverse(weight));
        let mut list: Vec<String> = Vec::new();
        for (weight, member) in &members {
            let member = named(member);
            list.push(match weight {
                0 => format!("not {member}"),
                1000 => format!("{member} (1)"),
                _ => format!("{member} ({})", f64::from(*weight) / 1000.0),
            });
        }
        let mut text = format!("wanted in this order, with 1 for the most: {}", list.join(", "));
        if text.len() > LISTED {
            text.truncate(LISTED); // `named` leaves nothing but ASCII
            text += "...";
        }
        if members.len() > 1 {
            let span = self.at..self.at + self.text.len();
            remarks.push(Remark::new(span, b"", text, "RFC 9110 section 12.4.2"));
        }
    }

    /// Where a part of the text stands.
    fn place(&self, part: &'a [u8]) -> usize {
        self.at + Span::of(part, self.text).start()
    }
}

/// `text/html;q=0.8`: the weight in thousandths, which is 1000 where none is written, and the member.
fn weighted(member: &[u8]) -> (u32, &[u8]) {
    let weight = member.split(|&byte| byte == b';').skip(1).find_map(|parameter| {
        let [b'q' | b'Q', b'=', weight @ ..] = trim(parameter) else { return None };
        std::str::from_utf8(weight).ok()?.parse::<f64>().ok()
    });
    let thousandths =
        weight.map_or(1000, |weight| (weight.clamp(0.0, 1.0) * 1000.0).round() as u32);
    (thousandths, trim(before(member, b";")))
}

/// What stands before the first of these bytes, or all.
fn before<'a>(text: &'a [u8], stops: &[u8]) -> &'a [u8] {
    let end = text.iter().position(|byte| stops.contains(byte)).unwrap_or(text.len());
    trim(&text[..end])
}

/// Text whose lines end in LF alone, as a terminal or an editor leaves it, with the line ends of
/// HTTP; `None` for what has a CR LF of its own, or is no text. Content keeps its bytes.
pub fn with_line_ends(text: &[u8]) -> Option<Vec<u8>> {
    let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let is_text = first.len() < text.len() && first.iter().all(|byte| (b' '..=b'~').contains(byte));
    if !is_text || text.windows(2).any(|two| two == b"\r\n") {
        return None;
    }
    let (mut wire, mut rest) = (Vec::with_capacity(text.len() + text.len() / 16), text);
    while !rest.is_empty() {
        let is_client = !rest.starts_with(b"HTTP/");
        let head = wire.len();
        while !rest.is_empty() && take_line(&mut rest, &mut wire) > 0 {}
        let Some(Some(outline)) = Outline::parse(&wire[head..], is_client) else { continue };
        let fields = outline.fields();
        let length = fields.all("content-length").next();
        let length =
            length.and_then(number).map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if fields.lists("transfer-encoding", "chunked") {
            loop {
                let size = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
                let size = std::str::from_utf8(&rest[..size]).ok();
                let size = size.and_then(|hex| usize::from_str_radix(hex, 16).ok()).unwrap_or(0);
                let length = take_line(&mut rest, &mut wire);
                if rest.is_empty() || (size == 0 && length == 0) {
                    break;
                }
                if size > 0 {
                    take(size, &mut rest, &mut wire);
                    take_line(&mut rest, &mut wire);
                }
            }
        } else if let Some(length) = length {
            take(length, &mut rest, &mut wire);
        } else if !is_client && !matches!(outline.status, Some(100..200 | 204 | 304)) {
            take(rest.len(), &mut rest, &mut wire);
        }
    }
    Some(wire)
}

fn take(length: usize, rest: &mut &[u8], wire: &mut Vec<u8>) {
    let (some, after) = rest.split_at(length.min(rest.len()));
    wire.extend_from_slice(some);
    *rest = after;
}

/// Takes a line and gives it the right end; its length without it.
fn take_line(rest: &mut &[u8], wire: &mut Vec<u8>) -> usize {
    let lf = rest.iter().position(|&byte| byte == b'\n');
    let length = lf.unwrap_or(rest.len());
    take(length, rest, wire);
    if lf.is_some() {
        wire.extend_from_slice(b"\r\n");
        *rest = &rest[1..];
    }
    length
}

/// The limits of somebody whom we do not know.
fn limits() -> Limits {
    Limits { head: KEPT, target: KEPT, content: u64::MAX, ..Limits::default() }
}

/// What is around `at`, such that it fits a screen; and where `at` is there.
fn around(view: &[u8], at: usize) -> (&[u8], usize) {
    let at = at.min(view.len().saturating_sub(1));
    let mut columns = 0;
    let mut fits = |byte: &u8, room: usize| {
        columns += Visible(&[*byte]).to_string().len();
        columns <= room
    };
    let before =
        view[..at].iter().rev().take_while(|byte| **byte != b'\n' && fits(byte, AROUND / 2));
    let first = at - before.count();
    let after = view[at..].iter().take_while(|byte| fits(byte, AROUND));
    let last = (at + after.count()).max(at + 1);
    (&view[first..last.min(view.len())], at - first)
}

/// The offset behind the empty line that ends a head, or behind all.
fn end_of_head(bytes: &[u8]) -> usize {
    let (mut at, mut has_begun) = (0, false);
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        at += line.len();
        let is_empty = without_line_end(line).is_empty();
        if has_begun && is_empty {
            break;
        }
        has_begun |= !is_empty;
    }
    at
}

fn first_line(bytes: &[u8]) -> &[u8] {
    let lines = bytes.split_inclusive(|&byte| byte == b'\n');
    lines.into_iter().find(|line| !without_line_end(line).is_empty()).unwrap_or_default()
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// An element's name: visible, and not too long.
fn named(bytes: &[u8]) -> String {
    let mut name = Visible(&bytes[..bytes.len().min(NAMED)]).to_string();
    if name.len() > NAMED || bytes.len() > NAMED {
        name.truncate(NAMED);
        name += "...";
    }
    name
}

/// Digits alone: std's own parser would take `+5`.
fn number(value: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(value).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn count(bytes: u64) -> String {
    format!("{bytes} byte{}", if bytes == 1 { "" } else { "s" })
}

/// Lines of at most `width` columns, those behind the first set in. A picture stays as it is.
fn wrap(text: &str, width: usize) -> Vec<String> {
    if text.starts_with("    ") {
        return vec![text.to_owned()];
    }
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        if !line.trim().is_empty() && line.len() + 1 + word.len() > width {
            lines.push(std::mem::replace(&mut line, "  ".to_owned()));
        } else if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::super::random::Random;
    use super::*;
    use crate::message::reader::Reader;

    fn client(bytes: &[u8]) -> Vec<Remark> {
        explain(bytes, Some(Side::Client), None)
    }

    fn server(bytes: &[u8]) -> Vec<Remark> {
        explain(bytes, Some(Side::Server), None)
    }

    fn sentences(remarks: &[Remark]) -> Vec<String> {
        remarks.iter().map(|remark| remark.lines(1000).join("\n")).collect()
    }

    fn has(remarks: &[Remark], sentence: &str) -> bool {
        sentences(remarks).iter().any(|text| text.starts_with(sentence))
    }

    const REQUEST: &[u8] = b"\r\nPOST /a?q=b+c&API_key=s3cret HTTP/1.1\r\nHost: h:80\r\n\
        Authorization: Basic c3RhZmY6czNjcmV0\r\nCookie: id=s3cret; x\r\nExpect: 100-continue\r\n\
        Accept: */*;q=0.1, text/html, image/*;q=0\r\nConnection: x-hop\r\nX-Hop: 1\r\n\
        Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n";

    #[test]
    fn every_element_of_a_request_is_named_with_its_clause() {
        let remarks = client(REQUEST);
        let about: Vec<(&str, &str)> =
            remarks.iter().map(|remark| (&remark.about[..], remark.clause)).collect();
        assert_eq!(
            about,
            [
                ("", "RFC 9112 section 2.2"),
                ("POST", "RFC 9110 section 9.3.3"),
                ("/a", "RFC 9112 section 3.2.1"),
                ("q=b+c", "RFC 3986 section 3.4"),
                ("API_key", "RFC 9110 section 17.9"),
                ("HTTP/1.1", "RFC 9112 section 2.3"),
                ("Host", "RFC 9110 section 7.2"),
                ("h:80", "RFC 9110 section 4.2.1"),
                ("Authorization", "RFC 9110 section 11.6.2"),
                ("Basic", "RFC 7617 section 2"),
                ("Cookie", "RFC 6265 section 4.2"),
                ("id", "RFC 6265 section 4.2"),
                ("x", "RFC 6265 section 4.2"),
                ("Expect", "RFC 9110 section 10.1.1"),
                ("100-continue", "RFC 9110 section 10.1.1"),
                ("Accept", "RFC 9110 section 12.5.1"),
                ("", "RFC 9110 section 12.4.2"),
                ("Connection", "RFC 9110 section 7.6.1"),
                ("x-hop", "RFC 9110 section 7.6.1"),
                ("X-Hop", "RFC 6648 section 3"),
                ("Transfer-Encoding", "RFC 9112 section 6.1"),
                ("chunked", "RFC 9112 section 7.1"),
                ("", "RFC 9112 section 6.3"),
                ("", "RFC 9112 section 9.3"),
                ("5", "RFC 9112 section 7.1"),
                (";a=b", "RFC 9112 section 7.1.1"),
                ("0", "RFC 9112 section 7.1"),
                ("", "RFC 9110 section 6.5"),
                ("X-Sum", "RFC 6648 section 3"),
                ("", "RFC 9112 section 7.1"),
            ]
        );
        for remark in &remarks {
            let bytes = &REQUEST[remark.span.clone()];
            assert!(bytes.starts_with(remark.about.as_bytes()), "{remark:?} stands at {bytes:?}");
        }
        assert!(has(
            &remarks,
            "wanted in this order, with 1 for the most: text/html (1), */* (0.1), not image/*"
        ));
        let all = sentences(&remarks).concat();
        assert!(!all.contains("s3cret") && !all.contains("c3RhZmY6czNjcmV0"), "{all}");
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
                "204 No Content\r\n\r\n",
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
            &server(b"HTTP/1.0 204 No Content\r\n\r\n"),
            "the connection ends after this exchange, as"
        ));
        let kept = b"HTTP/1.0 204 No Content\r\nConnection: keep-alive\r\n\r\n";
        assert!(has(&server(kept), "the connection stays open: in HTTP/1.0 only because"));
    }

    /// The byte that is to be found stands between two bars.
    #[track_caller]
    fn breaks(side: Side, marked: &str, why: &str) {
        let at = marked.find('|').expect("a mark");
        let text = marked.replacen('|', "", 2);
        let remarks = explain(text.as_bytes(), Some(side), None);
        let faults: Vec<&Remark> = remarks.iter().filter(|remark| remark.is_fault).collect();
        assert_eq!(faults.len(), 1, "{marked:?}: {faults:#?}");
        assert_eq!(faults[0].span, at..at + 1, "{marked:?}: {faults:#?}");
        assert!(faults[0].text.contains(why), "{marked:?}: {faults:#?}");
    }

    #[test]
    fn each_broken_rule_is_shown_at_its_byte() {
        for (marked, why) in [
            ("GET / HTTP/1.1\r\nHost| |: h\r\n\r\n", "a space stands"),
            ("GET / HTTP/1.1\r\nHost: h\r\n|\n|", "ends in LF alone"),
            ("GET / HTTP/1.1\r\nNoColon|\r|", "no colon"),
            ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: |+|5\r\n\r\n", "not a number"),
            ("GET / HTTP/1.1\r\nHost: h\r\nExpect: |t|ea\r\n\r\n", "this server answers 417"),
            (
                "GET / HTTP/1.1\r\nHost: h\r\n|C|ontent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "both say",
            ),
            (
                "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello|x|\r\n",
                "not followed",
            ),
            ("|P|ROPFIND / HTTP/1.1\r\nHost: h\r\n\r\n", "this server answers 501"),
        ] {
            breaks(Side::Client, marked, why);
        }
        for (marked, why) in [
            ("HTTP/1.1 20| |OK\r\n\r\n", "three digits"),
            ("HTTP/2| |200\r\nServer: x\r\n\r\n", "a tool wrote"),
            ("HTTP/1.1 200 OK\r\nServer| |: x\r\n\r\n", "a space stands"),
            ("HTTP/1.1 200 OK\r\nServer: x\r\n|\n|", "ends in LF alone"),
            ("HTTP/1.1 204 N\r\nContent-Length: 1\r\n|C|ontent-Length: 2\r\n\r\n", "two lengths"),
            ("|<|html>\r\n", "a status line is"),
        ] {
            breaks(Side::Server, marked, why);
        }
        let no_host = client(b"GET / HTTP/1.1\r\n\r\n");
        assert!(no_host.iter().any(|remark| remark.is_fault && remark.text.contains("which host")));
    }

    const STREAM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n\
        HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\
        HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n\
        HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n\
        HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope\
        HTTP/1.0 200 OK\r\n\r\nto the end";

    #[test]
    fn messages_end_where_the_reader_says_so_and_at_every_pace() {
        let mut reader = Reader::answers();
        reader.asked(Method::Head);
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
            conversation.server.asked.push_back(Method::Head);
            let pieces = STREAM.chunks(pace);
            let mut remarks: Vec<Remark> =
                pieces.flat_map(|piece| conversation.crossed(Side::Server, piece)).collect();
            remarks.extend(conversation.ended(Side::Server));
            assert_eq!(remarks, whole, "{pace} bytes at a time");
        }
    }

    #[test]
    fn requests_and_answers_of_one_capture_are_told_apart() {
        let both =
            [&b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"[..], &STREAM[..STREAM.len() - 10]].concat();
        let remarks = explain(&both, None, None);
        assert!(remarks.iter().all(|remark| !remark.is_fault), "{:#?}", sentences(&remarks));
        assert!(has(&remarks, "the head ends here, and so does the answer: to HEAD"));
    }

    #[test]
    fn pasted_text_gets_the_line_ends_of_http_and_content_keeps_its_own() {
        for (text, wire) in [
            ("GET / HTTP/1.1\nHost: h\n\n", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
            (
                "POST / HTTP/1.1\nContent-Length: 4\n\na\nb\nGET / HTTP/1.1",
                "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\na\nb\nGET / HTTP/1.1",
            ),
            (
                "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n3\na\nb\n0\n\nHTTP/1.1 204 N\n\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na\nb\r\n0\r\n\r\nHTTP/1.1 204 N\r\n\r\n",
            ),
            ("HTTP/1.1 200 OK\n\na\nb\n", "HTTP/1.1 200 OK\r\n\r\na\nb\n"),
        ] {
            let read = with_line_ends(text.as_bytes()).expect("text");
            assert_eq!(String::from_utf8_lossy(&read), wire);
        }
        for other in [&b"GET / HTTP/1.1\nHost: h\r\n\n"[..], b"GET /", b"\x16\x03\n", b""] {
            assert_eq!(with_line_ends(other), None);
        }
    }

    #[test]
    fn prose_is_all_that_is_added_to_a_transcript_and_it_parses_again() {
        let mut random = Random(7);
        for _ in 0..2000 {
            let transcript = random.transcript();
            let annotated = annotate(&transcript);
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
HTTP/1.1 204 No Content

--- server closed
";
        let annotated = annotate(&Transcript::parse(text).expect(text)).to_string();
        assert!(annotated.contains("# the content ends here: "), "{annotated}");
        assert!(annotated.contains("# 204: done"), "{annotated}");
        assert!(!annotated.contains("broken") && !annotated.contains("stops"), "{annotated}");
    }

    #[test]
    fn whatever_comes_the_lines_are_plain_and_fit() {
        let mut random = Random(3);
        for round in 0..3000 {
            let mut bytes = if round % 2 == 0 { REQUEST.to_vec() } else { STREAM.to_vec() };
            (0..=random.below(4)).for_each(|_| random.mutate(&mut bytes));
            for side in [None, Some(Side::Client), Some(Side::Server)] {
                for remark in explain(&bytes, side, None) {
                    assert!(remark.span.end <= bytes.len().max(1), "{remark:?}");
                    for line in remark.lines(96) {
                        let is_plain = line.bytes().all(|byte| (b' '..=b'~').contains(&byte));
                        assert!(is_plain && line.len() <= 96, "{line:?}");
                    }
                }
            }
        }
    }
}

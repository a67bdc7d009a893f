//! Predicts the responses to the bytes of a connection: a second reading of RFC 9112 and RFC 9110, for
//! requests only.
//!
//! The oracle was written from the text of the RFCs and shares no code with the library. It takes all
//! bytes of a connection as one slice, and it may be slow. Where an RFC leaves a choice, the comment
//! names the choice of this server. Each fault of a message is a reason to reject it, so a message with
//! several faults has a set of expected statuses.
//!
//! This server promises more than the RFCs require:
//! - It rejects a message that two parsers could read differently, and closes the connection.
//! - It rejects a line with a fault when it has received the end of that line, or the line's limit. So
//!   the response is the same wherever the bytes are cut. If the line matches the grammar, but its
//!   method or target is not acceptable, the server may wait for the end of the head. It may then report
//!   a later fault instead.
//! - It has the limits below, which are those of `message::limits`.
//!
//! "§" without the number of an RFC is a section of RFC 9112.

use super::routes::{self, Handler, HandlerRequest, Lookup};
use crate::rfc::grammar::{self, Fault, Framing, Line, Target};

/// Bytes of a head, including an empty line before it.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_FIELD_LINES: usize = 100;
const MAX_CONTENT_BYTES: u64 = 1024 * 1024;
/// Bytes of content that no handler needs, and that the server reads to keep the connection.
const MAX_DISCARDED_BYTES: u64 = 64 * 1024;
/// Bytes of a chunk-size line or a trailer field line, with its CRLF.
const MAX_CHUNK_LINE_BYTES: usize = 4 * 1024;
/// Bytes of all chunk extensions of a message, and of its trailer section.
const MAX_EXTENSION_BYTES: usize = 16 * 1024;
const MAX_TRAILER_BYTES: usize = 8 * 1024;

/// The responses to the bytes that a client has sent so far.
#[derive(Debug)]
pub struct Prediction {
    /// The final responses, in order.
    pub responses: Vec<ExpectedResponse>,
    /// 100 (Continue) after them, for a request whose content is incomplete.
    pub interim: Interim,
    /// The connection after all of them.
    pub state: ConnectionState,
    /// Whether the server may reset the connection if the client sends more.
    pub may_reset: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// The server waits for more bytes.
    Open,
    /// The server has closed at least its sending half.
    Closed,
    /// Open or closed: the server may reject the bytes so far, or wait for more.
    Either,
}

/// One final response.
#[derive(Debug)]
pub struct ExpectedResponse {
    /// The response has one of these statuses.
    pub statuses: Vec<u16>,
    /// 100 (Continue) before it.
    pub interim: Interim,
    pub content: Content,
    pub connection: Connection,
    /// The methods in its Allow field.
    pub allow: Option<Vec<&'static str>>,
    /// Whether the server may wait for more bytes, or for the client's half-close, before it sends this.
    pub may_be_later: bool,
    /// The reasons, with their clauses.
    pub why: Vec<&'static str>,
}

/// Whether an interim response, 100 (Continue), is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interim {
    Never,
    May,
    Must,
}

/// The content of a response.
#[derive(Debug)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// These bytes, and then the response ends before its framing says so.
    Incomplete(Vec<u8>),
    /// Any text that explains the status.
    Text,
    /// No content. The response to HEAD may have the Content-Length that GET's would have.
    Absent(Option<usize>),
    /// Text, or no content if the server takes the method for HEAD.
    TextOrAbsent,
}

/// The Connection field of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// `Connection: close`.
    Closes,
    /// No Connection field: the connection persists (§9.3).
    Persists,
    /// `Connection: keep-alive`, to an HTTP/1.0 client.
    KeepAlive,
    /// Any of these. The later predictions count only if the response does not say `close`.
    MayClose,
}

/// Why the oracle reads no further in a message.
enum Stop {
    /// The bytes end within the message. The server may already reject it for these faults.
    Incomplete(Vec<Fault>),
    Rejected(Vec<Fault>),
}

/// Predicts the responses to `bytes`, all that a client has sent so far. With `half_closed`, the client
/// has closed its sending half.
pub fn predict(bytes: &[u8], half_closed: bool) -> Prediction {
    let mut oracle = Oracle {
        bytes,
        at: 0,
        half_closed,
        responses: Vec::new(),
        interim: Interim::Never,
        may_reset: false,
    };
    loop {
        if let Some(state) = oracle.exchange() {
            let Oracle { responses, interim, may_reset, .. } = oracle;
            return Prediction { responses, interim, state, may_reset };
        }
    }
}

struct Oracle<'a> {
    bytes: &'a [u8],
    /// The bytes before this offset are parsed.
    at: usize,
    half_closed: bool,
    responses: Vec<ExpectedResponse>,
    interim: Interim,
    may_reset: bool,
}

/// A valid head.
struct Head<'a> {
    method: &'a [u8],
    target: Target<'a>,
    minor: u8,
    fields: Vec<(&'a [u8], &'a [u8])>,
    framing: Framing,
    expects_continue: bool,
}

impl<'a> Oracle<'a> {
    /// Predicts the response to one request. Returns the connection's state if it is the last one.
    fn exchange(&mut self) -> Option<ConnectionState> {
        let start = self.at;
        let head = match self.head() {
            Ok(head) => head,
            Err(Stop::Rejected(faults)) => return Some(self.reject(start, faults)),
            Err(Stop::Incomplete(early)) => return Some(self.incomplete_head(start, early)),
        };
        let is_head = head.method == b"HEAD";
        // §9.3, in the order of its list.
        let options = grammar::values(&head.fields, b"connection");
        let options: Vec<&[u8]> =
            options.iter().flat_map(|list| list.split(|&b| b == b',')).collect();
        let has = |wanted: &[u8]| {
            options.iter().any(|option| grammar::trim(option).eq_ignore_ascii_case(wanted))
        };
        let connection = match (has(b"close"), head.minor, has(b"keep-alive")) {
            (true, ..) | (_, 0, false) => Connection::Closes,
            (_, 0, true) => Connection::KeepAlive,
            _ => Connection::Persists,
        };
        let has_content = head.framing != Framing::Length(0);
        // §9.6: after "close" a client "MUST NOT send further requests on that connection". Without
        // content nothing more may arrive, so this server reads nothing before it closes.
        self.may_reset = connection == Connection::Closes && !has_content;
        // RFC 9110 §10.1.1: in an HTTP/1.0 request the server "MUST ignore that expectation". Without
        // content there is nothing to wait for.
        let waits = head.expects_continue && head.minor > 0 && has_content;
        let is_too_large =
            matches!(head.framing, Framing::Length(length) if length > MAX_CONTENT_BYTES);

        let (status, allow, why) = match routes::lookup(head.method, head.target.path()) {
            Lookup::Found(_) if is_too_large => {
                return Some(self.reject(start, vec![(413, "9110 §15.5.14: Content-Length")]));
            }
            Lookup::Found(handler) => {
                return self.call(start, &head, handler, connection, waits);
            }
            Lookup::Options(allow) => (204, Some(allow), "9110 §9.3.7"),
            Lookup::WrongMethod(allow) => (405, Some(allow), "9110 §15.5.6"),
            Lookup::NotFound => (404, None, "9110 §15.5.5"),
        };
        // The route decides the response, before the content is read.
        let statuses = if is_too_large { vec![status, 413] } else { vec![status] };
        let is_long =
            matches!(head.framing, Framing::Length(length) if length > MAX_DISCARDED_BYTES);
        let connection = match connection {
            _ if is_long => Connection::Closes,
            Connection::Closes => Connection::Closes,
            // §9.3: "A server MUST read the entire request message body or close the connection". This
            // client waited for 100 (Continue) and gets a final response: it may or may not send the
            // content, so the server may close.
            _ if waits => Connection::MayClose,
            persists => persists,
        };
        let content = match status {
            204 if is_too_large => Content::TextOrAbsent,
            204 => Content::Absent(None),
            _ if is_head => Content::Absent(None),
            _ => Content::Text,
        };
        let allow = allow.filter(|_| !is_too_large);
        let response = response(statuses, connection, vec![why]);
        self.respond(ExpectedResponse { allow, content, ..response });
        if connection == Connection::Closes {
            return Some(ConnectionState::Closed);
        }
        // The response is sent, so any fault of the content closes the connection.
        match self.content(head.framing, MAX_DISCARDED_BYTES) {
            Ok(_) => None,
            Err(Stop::Incomplete(early)) if !self.half_closed && early.is_empty() => {
                Some(ConnectionState::Open)
            }
            Err(Stop::Incomplete(_)) if !self.half_closed => Some(ConnectionState::Either),
            Err(_) => Some(ConnectionState::Closed),
        }
    }

    /// Reads the content, then calls the handler.
    fn call(
        &mut self,
        start: usize,
        head: &Head<'a>,
        handler: Handler,
        connection: Connection,
        waits: bool,
    ) -> Option<ConnectionState> {
        // RFC 9110 §10.1.1: "MAY omit sending a 100 (Continue) response if it has already received some
        // or all of the content". Head and content in one write may be one read.
        let interim = match waits {
            false => Interim::Never,
            true if self.at < self.bytes.len() => Interim::May,
            true => Interim::Must,
        };
        let content = match self.content(head.framing, MAX_CONTENT_BYTES) {
            Ok(content) => content,
            Err(stop) => return Some(self.invalid_content(start, stop, interim)),
        };
        let (path, query) = match head.target {
            Target::Path { path, query } => (path, query),
            Target::Asterisk => (&b"*"[..], None),
        };
        let raw = &self.bytes[start..self.at];
        let result = handler(&HandlerRequest {
            method: head.method,
            path,
            query,
            fields: &head.fields,
            content: &content,
            raw,
        });
        let is_head = head.method == b"HEAD";
        // §6.1: no Transfer-Encoding in a response to HTTP/1.0. §6.3, rule 8: such a response ends when
        // the server closes the connection. A response to HEAD has no content that has to end.
        let is_incomplete = matches!(result.content, Content::Incomplete(_)) && !is_head;
        let closes = result.closes || result.is_stream && head.minor == 0 && !is_head;
        let connection = if closes { Connection::Closes } else { connection };
        let content = match result.content {
            // §8: a response that is "terminated by closure of the connection ... is considered
            // complete".
            Content::Incomplete(bytes) if result.is_stream && closes => Content::Bytes(bytes),
            Content::Bytes(bytes) | Content::Incomplete(bytes) if is_head => {
                Content::Absent(Some(bytes.len()).filter(|_| !result.is_stream && !is_incomplete))
            }
            content => content,
        };
        let response = response(vec![result.status], connection, vec![]);
        self.respond(ExpectedResponse { content, interim, ..response });
        (is_incomplete || connection == Connection::Closes).then_some(ConnectionState::Closed)
    }

    /// The bytes end before the head does.
    fn incomplete_head(&mut self, start: usize, mut early: Vec<Fault>) -> ConnectionState {
        let rest = &self.bytes[start..];
        let is_blank = matches!(rest, b"\r" | b"\r\n");
        if rest.is_empty() || is_blank && start > 0 {
            // §8 is about incomplete requests. An empty line after a request (§2.2) does not begin one.
            return if self.half_closed { ConnectionState::Closed } else { ConnectionState::Open };
        }
        if is_blank {
            // An empty line at the start of a connection gets a 400 after a timeout.
            early.push((400, "§2.2: an empty line alone"));
        }
        if self.half_closed {
            // §8: "MAY send an error response prior to closing the connection", and this server does.
            early.push((400, "§8: the head is incomplete"));
            return self.reject(start, early);
        }
        if early.is_empty() {
            return ConnectionState::Open;
        }
        self.reject(start, early);
        self.last().may_be_later = true;
        ConnectionState::Either
    }

    /// The content is malformed, or the bytes end before it does.
    fn invalid_content(&mut self, start: usize, stop: Stop, interim: Interim) -> ConnectionState {
        let (faults, state) = match stop {
            Stop::Rejected(faults) => (faults, ConnectionState::Closed),
            Stop::Incomplete(mut early) if self.half_closed => {
                early.push((400, "§8: the content is incomplete"));
                (early, ConnectionState::Closed)
            }
            Stop::Incomplete(early) if early.is_empty() => {
                self.interim = interim;
                return ConnectionState::Open;
            }
            Stop::Incomplete(early) => (early, ConnectionState::Either),
        };
        self.reject(start, faults);
        self.last().interim = interim;
        self.last().may_be_later = state == ConnectionState::Either;
        state
    }

    /// §2.2 and §6.3: an error response, and the server closes the connection.
    fn reject(&mut self, start: usize, faults: Vec<Fault>) -> ConnectionState {
        let message = &self.bytes[start..];
        let message = message.strip_prefix(b"\r\n").unwrap_or(message);
        // RFC 9110 §9.3.2: HEAD: "MUST NOT send content in the response". A malformed request line may
        // hide the method.
        let content = match message {
            _ if message.starts_with(b"HEAD ") => Content::Absent(None),
            _ if message.starts_with(b"HEAD") => Content::TextOrAbsent,
            _ => Content::Text,
        };
        let statuses = faults.iter().map(|&(status, _)| status).collect();
        let why = faults.iter().map(|&(_, why)| why).collect();
        let response = response(statuses, Connection::Closes, why);
        self.respond(ExpectedResponse { content, ..response });
        ConnectionState::Closed
    }

    fn respond(&mut self, response: ExpectedResponse) {
        self.responses.push(response);
    }

    fn last(&mut self) -> &mut ExpectedResponse {
        self.responses.last_mut().expect("a response was just added")
    }

    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// §2.1: start-line CRLF *( field-line CRLF ) CRLF
    fn head(&mut self) -> Result<Head<'a>, Stop> {
        let mut pending = Vec::new();
        match self.lines_of_head(&mut pending) {
            Ok(head) => check(pending).map(|()| head),
            Err(Stop::Incomplete(early)) => Err(Stop::Incomplete(combine(pending, early))),
            Err(Stop::Rejected(faults)) => Err(Stop::Rejected(combine(pending, faults))),
        }
    }

    /// Parses the head. Faults that the server may report at the end of the head go to `pending`.
    fn lines_of_head(&mut self, pending: &mut Vec<Fault>) -> Result<Head<'a>, Stop> {
        let end = self.at + MAX_HEAD_BYTES;
        if self.rest().starts_with(b"\r\n") {
            // §2.2: "SHOULD ignore at least one empty line (CRLF) received prior to the request-line".
            // This server ignores one. A second one is an empty request line.
            self.at += 2;
        }
        let line = self.line(
            end,
            grammar::faults_of_partial_request_line,
            grammar::faults_of_overlong_request_line,
        )?;
        pending.extend(line.bare_lf());
        pending.extend(grammar::faults_of_method_and_target(line.text));
        check([line.bare_cr(), grammar::faults_of_request_line(line.text)].concat())?;
        let [method, target, version] = grammar::parts(line.text)[..] else { unreachable!() };

        let mut fields = Vec::new();
        loop {
            let line = self.line(end, |_| vec![], grammar::faults_of_overlong_field_line)?;
            pending.extend(line.bare_lf());
            let mut faults = line.bare_cr();
            if line.text.is_empty() && faults.is_empty() {
                break;
            }
            if fields.len() == MAX_FIELD_LINES {
                faults.push((431, "6585 §5: too many fields"));
            }
            faults.extend(grammar::faults_of_field_line(line.text));
            check(faults)?;
            fields.push(grammar::field(line.text));
        }

        let minor = version[7] - b'0';
        let (framing, faults) = grammar::framing(&fields, minor);
        pending.extend(faults);
        pending.extend(grammar::faults_of_host(&fields, minor));
        let expectations = grammar::members(&fields, b"expect");
        let is_known = |member: &&[u8]| member.eq_ignore_ascii_case(b"100-continue");
        // RFC 9110 §10.1.1: "MAY respond with a 417", and this server does.
        if minor > 0 && !expectations.iter().all(is_known) {
            pending.push((417, "9110 §10.1.1: another expectation"));
        }
        let is_too_large = matches!(framing, Framing::Length(length) if length > MAX_CONTENT_BYTES);
        if !pending.is_empty() && is_too_large {
            pending.push((413, "9110 §15.5.14: Content-Length"));
        }
        let expects_continue = !expectations.is_empty();
        let target = grammar::parse_target(method, target);
        Ok(Head { method, target, minor, fields, framing, expects_continue })
    }

    /// Takes the next line, which has to end before the offset `end`. `partial` gives the faults of an
    /// incomplete line, and `overlong` those of a line that does not end before `end`.
    fn line(
        &mut self,
        end: usize,
        partial: fn(&[u8]) -> Vec<Fault>,
        overlong: fn(&[u8]) -> Vec<Fault>,
    ) -> Result<Line<'a>, Stop> {
        let within = &self.bytes[self.at.min(end)..self.bytes.len().min(end)];
        if let Some(lf) = within.iter().position(|&byte| byte == b'\n') {
            self.at += lf + 1;
            return Ok(match &within[..lf] {
                [text @ .., b'\r'] => Line { text, ends_in_crlf: true },
                text => Line { text, ends_in_crlf: false },
            });
        }
        match self.bytes.len() {
            length if length > end => Err(Stop::Rejected(overlong(within))),
            length if length == end => Err(Stop::Incomplete(overlong(within))),
            _ => Err(Stop::Incomplete(partial(within))),
        }
    }

    /// §6.3: takes the content. `limit` counts for chunked content only: the caller compares
    /// Content-Length.
    fn content(&mut self, framing: Framing, limit: u64) -> Result<Vec<u8>, Stop> {
        match framing {
            Framing::Length(length) => self.take(length).ok_or(Stop::Incomplete(vec![])),
            Framing::Chunked => self.chunked_body(limit),
        }
    }

    fn take(&mut self, length: u64) -> Option<Vec<u8>> {
        let taken = self.rest().get(..usize::try_from(length).ok()?)?;
        self.at += taken.len();
        Some(taken.to_vec())
    }

    /// §7.1: chunked-body = *chunk last-chunk trailer-section CRLF
    fn chunked_body(&mut self, limit: u64) -> Result<Vec<u8>, Stop> {
        let too_large: Fault = (413, "9110 §15.5.14: the chunks");
        let (mut content, mut extensions) = (Vec::new(), 0);
        loop {
            let overlong = |_: &[u8]| vec![(413, "§7.1.1: an overlong chunk-size line")];
            let line = self.line(self.at + MAX_CHUNK_LINE_BYTES, |_| vec![], overlong)?;
            let (mut faults, line) = ([line.bare_lf(), line.bare_cr()].concat(), line.text);
            let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
            let (size, chunk_ext) = line.split_at(digits);
            if size.is_empty() {
                faults.push((400, "§7.1: chunk-size = 1*HEXDIG"));
            } else if !grammar::is_chunk_ext(chunk_ext) {
                faults.push((400, "§7.1.1: chunk-ext"));
            }
            // Digits beyond the 16 that a 64-bit number needs count as extensions.
            extensions += chunk_ext.len() + digits.saturating_sub(16);
            if extensions > MAX_EXTENSION_BYTES {
                faults.push((413, "§7.1.1: too many extensions"));
            }
            let size = grammar::number(size, 16);
            if size > limit.saturating_sub(content.len() as u64) {
                faults.push(too_large);
            }
            check(faults)?;
            if size == 0 {
                break;
            }
            content.extend(self.take(size).ok_or(Stop::Incomplete(vec![]))?);
            let fault: Fault = (400, "§7.1: chunk-data CRLF");
            match self.rest() {
                [b'\r', b'\n', ..] => self.at += 2,
                [] | [b'\r'] => return Err(Stop::Incomplete(vec![])),
                line if line.contains(&b'\n') || line.len() > MAX_CHUNK_LINE_BYTES => {
                    return Err(Stop::Rejected(vec![fault]));
                }
                // The server may wait for the end of the line that begins where CRLF should be.
                _ => return Err(Stop::Incomplete(vec![fault])),
            }
        }
        // §7.1.2: this server checks trailer fields like header fields, and discards them.
        let start = self.at;
        loop {
            let overlong =
                |_: &[u8]| vec![(431, "6585 §5: the trailers"), (400, "§5: a trailer field line")];
            let line = self.line(self.at + MAX_CHUNK_LINE_BYTES, |_| vec![], overlong)?;
            check([line.bare_lf(), line.bare_cr()].concat())?;
            if line.text.is_empty() {
                return Ok(content);
            }
            let mut faults = grammar::faults_of_field_line(line.text);
            if self.at - start > MAX_TRAILER_BYTES {
                faults.push((431, "6585 §5: the trailers"));
            }
            check(faults)?;
        }
    }
}

/// A response with text as content and without an interim response.
fn response(
    statuses: Vec<u16>,
    connection: Connection,
    why: Vec<&'static str>,
) -> ExpectedResponse {
    ExpectedResponse {
        statuses,
        interim: Interim::Never,
        content: Content::Text,
        connection,
        allow: None,
        may_be_later: false,
        why,
    }
}

/// The faults of several lines. §3: the server "MUST respond with a 414" if the target is too long, so
/// 431 is not expected beside it.
fn combine(pending: Vec<Fault>, faults: Vec<Fault>) -> Vec<Fault> {
    let mut all = [pending, faults].concat();
    if all.iter().any(|&(status, _)| status == 414) {
        all.retain(|fault| *fault != grammar::HEAD_TOO_LONG);
    }
    all
}

/// Rejects the message if there are faults.
fn check(faults: Vec<Fault>) -> Result<(), Stop> {
    if faults.is_empty() { Ok(()) } else { Err(Stop::Rejected(faults)) }
}

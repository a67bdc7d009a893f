//! Predicts the responses to the bytes of a connection, by RFC 9112 and RFC 9110.
//!
//! The oracle was written from the text of the RFCs and shares no code with the library.
//! `rfc::requests` says where each request ends, and what is wrong with it. This file says what the
//! response is.
//!
//! This server promises more than the RFCs require:
//! - It rejects a message that two parsers could read differently, and closes the connection.
//! - It rejects a line with a fault when it has received the end of that line, or the line's limit. So
//!   the response is the same wherever the bytes are cut. If the line matches the grammar, but its
//!   method or target is not acceptable, the server may wait for the end of the head. It may then report
//!   a later fault instead.
//! - It has limits: those of `rfc::requests`, and the one below.
//!
//! "§" without the number of an RFC is a section of RFC 9112.

use super::routes::{self, Handler, HandlerRequest, Lookup};
use crate::rfc::grammar::{self, Fault, Framing, Target};
use crate::rfc::requests::{DEFAULT, Head, Reader, Stop};

/// Bytes of content that no handler needs, and that the server reads to keep the connection.
const MAX_DISCARDED_BYTES: u64 = 64 * 1024;

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

/// Predicts the responses to `bytes`, all that a client has sent so far. With `half_closed`, the client
/// has closed its sending half.
pub fn predict(bytes: &[u8], half_closed: bool) -> Prediction {
    let mut oracle = Oracle {
        reader: Reader::new(bytes, DEFAULT),
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
    reader: Reader<'a>,
    half_closed: bool,
    responses: Vec<ExpectedResponse>,
    interim: Interim,
    may_reset: bool,
}

impl<'a> Oracle<'a> {
    /// Predicts the response to one request. Returns the connection's state if it is the last one.
    fn exchange(&mut self) -> Option<ConnectionState> {
        let start = self.reader.at;
        let head = match self.reader.head() {
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
        let has_content = !matches!(head.framing, Framing::None | Framing::Length(0));
        // §9.6: after "close" a client "MUST NOT send further requests on that connection". Without
        // content nothing more may arrive, so this server reads nothing before it closes.
        self.may_reset = connection == Connection::Closes && !has_content;
        // Without content there is nothing to wait for.
        let waits = head.expects_continue && has_content;
        let is_too_large = head.framing.length() > DEFAULT.content;

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
        let is_long = head.framing.length() > MAX_DISCARDED_BYTES;
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
        match self.reader.content(head.framing, MAX_DISCARDED_BYTES) {
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
            true if self.reader.at < self.reader.bytes.len() => Interim::May,
            true => Interim::Must,
        };
        let content = match self.reader.content(head.framing, DEFAULT.content) {
            Ok(content) => content,
            Err(stop) => return Some(self.invalid_content(start, stop, interim)),
        };
        let (path, query) = match head.target {
            Target::Path { path, query } => (path, query),
            Target::Asterisk => (&b"*"[..], None),
        };
        let raw = &self.reader.bytes[start..self.reader.at];
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
        let rest = &self.reader.bytes[start..];
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
        let message = &self.reader.bytes[start..];
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

//! What has a server to answer to these bytes?
//!
//! A second reading of RFC 9112 and RFC 9110, for requests only, that shares no line with the
//! library: it was written from their text, it sees the bytes of a connection as one slice, and it
//! may be slow. Where an RFC leaves a server free, the comment says what this one promises; where a
//! message has several faults, each of them is a good reason to refuse it, so a set of statuses is
//! expected.
//!
//! What is promised beyond the RFCs:
//! - A message that two parsers could read differently is refused, and the connection closes.
//! - A refusal waits for the end of the line that its fault stands on, or for that line's limit, so
//!   that it is the same at every pace. It may wait for the end of the head where the line does not
//!   break the grammar: what a method or a target means, for example. Then a later fault may be told
//!   in its place.
//! - The numbers below, which are those of `message::limits`.
//!
//! A bare § is one of RFC 9112.

use super::doors::{self, Asked, Door, Reply};
use super::grammar::{self, Fault, Framing, Line, Target};

/// Bytes of a head, with the empty line before it, if there is one.
const HEAD: usize = 16 * 1024;
const FIELDS: usize = 100;
const CONTENT: u64 = 1024 * 1024;
/// Content that is read only to be dropped.
const UNREAD: u64 = 64 * 1024;
/// Bytes of a chunk-size line or a trailer line, with its end; of all extensions, and of all trailers.
const CHUNK_LINE: usize = 4 * 1024;
const EXTENSIONS: usize = 16 * 1024;
const TRAILERS: usize = 8 * 1024;

/// What the bytes that came so far have for an answer.
#[derive(Debug)]
pub struct Prediction {
    /// The final answers, in order.
    pub answers: Vec<Answer>,
    /// 100 (Continue) behind them, for a request that is not complete yet.
    pub invites: Interim,
    /// How the connection is left.
    pub end: End,
    /// Who goes on sending behind the end may be told so by a reset.
    pub may_reset: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The server waits for more.
    Open,
    /// The server says that nothing more will come.
    Closed,
    /// It may wait for more, or know enough.
    Either,
}

/// One final answer, which closes the connection or not.
#[derive(Debug)]
pub struct Answer {
    /// It has one of these.
    pub statuses: Vec<u16>,
    /// 100 (Continue) before it.
    pub interim: Interim,
    pub content: Content,
    pub connection: Connection,
    /// The methods in its Allow.
    pub allow: Option<Vec<&'static str>>,
    /// It may come only when more has come, or the client's end.
    pub can_wait: bool,
    /// The reasons, with their clauses.
    pub why: Vec<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interim {
    Never,
    May,
    Must,
}

/// The content of an answer.
#[derive(Debug)]
pub enum Content {
    /// These bytes.
    Is(Vec<u8>),
    /// These bytes of more that were promised: the answer breaks off.
    Torn(Vec<u8>),
    /// Words for people.
    Words,
    /// None. To HEAD, the length that GET's has may be told.
    No(Option<usize>),
    /// Words, or none where the server takes the request for a HEAD.
    WordsOrNo,
}

/// What an answer says of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// `Connection: close`.
    Closes,
    /// Nothing: it stays, as is usual.
    Stays,
    /// `Connection: keep-alive`, to HTTP/1.0.
    KeepAlive,
    /// Either: what was predicted behind this answer comes only if it does not say close.
    MayClose,
}

/// Why a message is not read on.
enum Stop {
    /// The bytes end here. The server may already refuse for these reasons.
    Short(Vec<Fault>),
    Refused(Vec<Fault>),
}

/// What `bytes` have for an answer: all that a client has sent so far and, with `is_all`, ever will.
pub fn predict(bytes: &[u8], is_all: bool) -> Prediction {
    let mut oracle = Oracle {
        bytes,
        at: 0,
        is_all,
        answers: Vec::new(),
        invites: Interim::Never,
        may_reset: false,
    };
    loop {
        if let Some(end) = oracle.exchange() {
            let Oracle { answers, invites, may_reset, .. } = oracle;
            return Prediction { answers, invites, end, may_reset };
        }
    }
}

struct Oracle<'a> {
    bytes: &'a [u8],
    at: usize,
    is_all: bool,
    answers: Vec<Answer>,
    invites: Interim,
    may_reset: bool,
}

/// A head that is good by itself.
struct Head<'a> {
    method: &'a [u8],
    target: Target<'a>,
    minor: u8,
    fields: Vec<(&'a [u8], &'a [u8])>,
    framing: Framing,
    expects_continue: bool,
}

impl<'a> Oracle<'a> {
    /// One request and its answer. Gives the end, where the connection has come to it.
    fn exchange(&mut self) -> Option<End> {
        let start = self.at;
        let head = match self.head() {
            Ok(head) => head,
            Err(Stop::Refused(faults)) => return Some(self.refuse(start, faults)),
            Err(Stop::Short(early)) => return Some(self.end_within_head(start, early)),
        };
        let is_head = head.method == b"HEAD";
        // §9.3, in the order of its rules.
        let options = grammar::values(&head.fields, b"connection");
        let options: Vec<&[u8]> =
            options.iter().flat_map(|list| list.split(|&b| b == b',')).collect();
        let has = |wanted: &[u8]| {
            options.iter().any(|one| grammar::trim(one).eq_ignore_ascii_case(wanted))
        };
        let connection = match (has(b"close"), head.minor, has(b"keep-alive")) {
            (true, ..) | (_, 0, false) => Connection::Closes,
            (_, 0, true) => Connection::KeepAlive,
            _ => Connection::Stays,
        };
        let has_content = head.framing != Framing::Length(0);
        // §9.6: "MUST NOT send further requests on that connection", and no content is on its way: this
        // server does not stay to read what cannot come.
        self.may_reset = connection == Connection::Closes && !has_content;
        // RFC 9110 §10.1.1: "MUST ignore that expectation" in HTTP/1.0; none where there is no content.
        let waits = head.expects_continue && head.minor > 0 && has_content;
        let is_too_large = matches!(head.framing, Framing::Length(length) if length > CONTENT);

        let (status, allow, why) = match doors::find(head.method, head.target.path()) {
            Door::Opens(_) if is_too_large => {
                return Some(self.refuse(start, vec![(413, "9110 §15.5.14: the length")]));
            }
            Door::Opens(reply) => return self.open(start, &head, reply, connection, waits),
            Door::Options(allow) => (204, Some(allow), "9110 §9.3.7"),
            Door::OtherMethod(allow) => (405, Some(allow), "9110 §15.5.6"),
            Door::Nowhere => (404, None, "9110 §15.5.5"),
        };
        // The route is known before the content is read, and so is the answer.
        let statuses = if is_too_large { vec![status, 413] } else { vec![status] };
        let is_long = matches!(head.framing, Framing::Length(length) if length > UNREAD);
        let connection = match connection {
            _ if is_long => Connection::Closes,
            // §9.3: "A server MUST read the entire request message body or close the connection". Who
            // waits with content was told no, and nobody knows whether it comes all the same.
            Connection::Closes => Connection::Closes,
            _ if waits => Connection::MayClose,
            stays => stays,
        };
        let content = match status {
            204 if is_too_large => Content::WordsOrNo,
            204 => Content::No(None),
            _ if is_head => Content::No(None),
            _ => Content::Words,
        };
        let allow = allow.filter(|_| !is_too_large);
        self.answer(Answer { allow, content, ..answer(statuses, connection, vec![why]) });
        if connection == Connection::Closes {
            return Some(End::Closed);
        }
        // The answer has been given, so whatever is wrong with the content ends the connection.
        match self.content(head.framing, UNREAD) {
            Ok(_) => None,
            Err(Stop::Short(early)) if !self.is_all && early.is_empty() => Some(End::Open),
            Err(Stop::Short(_)) if !self.is_all => Some(End::Either),
            Err(_) => Some(End::Closed),
        }
    }

    /// The content, and then the handler.
    fn open(
        &mut self,
        start: usize,
        head: &Head<'a>,
        reply: Reply,
        connection: Connection,
        waits: bool,
    ) -> Option<End> {
        // "MAY omit sending a 100 (Continue) response if it has already received some ... content":
        // who sends it in one write may find it so.
        let interim = match waits {
            false => Interim::Never,
            true if self.at < self.bytes.len() => Interim::May,
            true => Interim::Must,
        };
        let content = match self.content(head.framing, CONTENT) {
            Ok(content) => content,
            Err(stop) => return Some(self.end_within_content(start, stop, interim)),
        };
        let (path, query) = match head.target {
            Target::Path { path, query } => (path, query),
            Target::Asterisk => (&b"*"[..], None),
        };
        let raw = &self.bytes[start..self.at];
        let asked = Asked {
            method: head.method,
            path,
            query,
            fields: &head.fields,
            content: &content,
            raw,
        };
        let said = reply(&asked);
        let is_head = head.method == b"HEAD";
        // §6.3: content without a length ends with the connection, where chunked is not understood
        // (§6.1: no Transfer-Encoding to HTTP/1.0). HEAD has none that would have to end.
        let is_torn = matches!(said.content, Content::Torn(_)) && !is_head;
        let closes = said.closes || said.is_stream && head.minor == 0 && !is_head;
        let connection = if closes { Connection::Closes } else { connection };
        let content = match said.content {
            // §8: what the connection delimits "is considered complete" when it closes.
            Content::Torn(bytes) if said.is_stream && closes => Content::Is(bytes),
            Content::Is(bytes) | Content::Torn(bytes) if is_head => {
                Content::No(Some(bytes.len()).filter(|_| !said.is_stream && !is_torn))
            }
            content => content,
        };
        self.answer(Answer { content, interim, ..answer(vec![said.status], connection, vec![]) });
        (is_torn || connection == Connection::Closes).then_some(End::Closed)
    }

    /// The bytes end before a head does.
    fn end_within_head(&mut self, start: usize, mut early: Vec<Fault>) -> End {
        let rest = &self.bytes[start..];
        let is_blank = matches!(rest, b"\r" | b"\r\n");
        if rest.is_empty() || is_blank && start > 0 {
            // §8 is about requests that have begun. An empty line behind one (§2.2) begins none.
            return if self.is_all { End::Closed } else { End::Open };
        }
        if is_blank {
            // Who begins with one is told what is missing, after a while.
            early.push((400, "§2.2: an empty line alone"));
        }
        if self.is_all {
            // "MAY send an error response prior to closing the connection", and this server does.
            early.push((400, "§8: the head is cut short"));
            return self.refuse(start, early);
        }
        if early.is_empty() {
            return End::Open;
        }
        self.refuse(start, early);
        self.last().can_wait = true;
        End::Either
    }

    /// The bytes end before the content does, or it is malformed.
    fn end_within_content(&mut self, start: usize, stop: Stop, interim: Interim) -> End {
        let (faults, end) = match stop {
            Stop::Refused(faults) => (faults, End::Closed),
            Stop::Short(mut early) if self.is_all => {
                early.push((400, "§8: the content is cut short"));
                (early, End::Closed)
            }
            Stop::Short(early) if early.is_empty() => {
                self.invites = interim;
                return End::Open;
            }
            Stop::Short(early) => (early, End::Either),
        };
        self.refuse(start, faults);
        self.last().interim = interim;
        self.last().can_wait = end == End::Either;
        end
    }

    /// §2.2 and §6.3: an error, and a close.
    fn refuse(&mut self, start: usize, faults: Vec<Fault>) -> End {
        let message = &self.bytes[start..];
        let message = message.strip_prefix(b"\r\n").unwrap_or(message);
        // RFC 9110 §9.3.2: HEAD "MUST NOT send content in the response", if it can be told.
        let content = match message {
            _ if message.starts_with(b"HEAD ") => Content::No(None),
            _ if message.starts_with(b"HEAD") => Content::WordsOrNo,
            _ => Content::Words,
        };
        let statuses = faults.iter().map(|&(status, _)| status).collect();
        let why = faults.iter().map(|&(_, why)| why).collect();
        self.answer(Answer { content, ..answer(statuses, Connection::Closes, why) });
        End::Closed
    }

    fn answer(&mut self, answer: Answer) {
        self.answers.push(answer);
    }

    fn last(&mut self) -> &mut Answer {
        self.answers.last_mut().expect("an answer was just given")
    }

    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// §2.1: request-line CRLF *( field-line CRLF ) CRLF
    fn head(&mut self) -> Result<Head<'a>, Stop> {
        let mut pending = Vec::new();
        match self.lines_of_head(&mut pending) {
            Ok(head) => refuse(pending).map(|()| head),
            Err(Stop::Short(early)) => Err(Stop::Short(together(pending, early))),
            Err(Stop::Refused(faults)) => Err(Stop::Refused(together(pending, faults))),
        }
    }

    /// The head; faults that may wait for its end become `pending`.
    fn lines_of_head(&mut self, pending: &mut Vec<Fault>) -> Result<Head<'a>, Stop> {
        let room = self.at + HEAD;
        if self.rest().starts_with(b"\r\n") {
            // §2.2: "SHOULD ignore at least one empty line (CRLF) received prior to the request-line".
            // One is ignored here; the second is an empty request line.
            self.at += 2;
        }
        let line = self.line(room, grammar::half_a_request_line, grammar::endless_request_line)?;
        pending.extend(line.bare_lf());
        pending.extend(grammar::faults_of_meaning(line.text));
        refuse([line.bare_cr(), grammar::faults_of_request_line(line.text)].concat())?;
        let [method, target, version] = grammar::parts(line.text)[..] else { unreachable!() };

        let mut fields = Vec::new();
        loop {
            let line = self.line(room, |_| vec![], grammar::endless_field_line)?;
            pending.extend(line.bare_lf());
            let mut faults = line.bare_cr();
            if line.text.is_empty() && faults.is_empty() {
                break;
            }
            if fields.len() == FIELDS {
                faults.push((431, "6585 §5: too many fields"));
            }
            faults.extend(grammar::faults_of_field_line(line.text));
            refuse(faults)?;
            fields.push(grammar::field(line.text));
        }

        let minor = version[7] - b'0';
        let (framing, faults) = grammar::framing(&fields, minor);
        pending.extend(faults);
        pending.extend(grammar::faults_of_host(&fields, minor));
        let expectations = grammar::members(&fields, b"expect");
        let is_known = |one: &&[u8]| one.eq_ignore_ascii_case(b"100-continue");
        // RFC 9110 §10.1.1: "MAY respond with a 417", and this server does.
        if minor > 0 && !expectations.iter().all(is_known) {
            pending.push((417, "9110 §10.1.1: another expectation"));
        }
        if !pending.is_empty() && matches!(framing, Framing::Length(length) if length > CONTENT) {
            pending.push((413, "9110 §15.5.14: the length, besides"));
        }
        let expects_continue = !expectations.is_empty();
        let target = grammar::take_apart(method, target);
        Ok(Head { method, target, minor, fields, framing, expects_continue })
    }

    /// The next line, which may reach to `room`. `half` has the reasons to refuse it before all of it
    /// is there, and `endless` those to refuse it where the room ends before it does.
    fn line(
        &mut self,
        room: usize,
        half: fn(&[u8]) -> Vec<Fault>,
        endless: fn(&[u8]) -> Vec<Fault>,
    ) -> Result<Line<'a>, Stop> {
        let within = &self.bytes[self.at.min(room)..self.bytes.len().min(room)];
        if let Some(lf) = within.iter().position(|&byte| byte == b'\n') {
            self.at += lf + 1;
            return Ok(match &within[..lf] {
                [text @ .., b'\r'] => Line { text, ends_in_crlf: true },
                text => Line { text, ends_in_crlf: false },
            });
        }
        match self.bytes.len() {
            length if length > room => Err(Stop::Refused(endless(within))),
            length if length == room => Err(Stop::Short(endless(within))),
            _ => Err(Stop::Short(half(within))),
        }
    }

    /// §6.3: reads the content, of which so much is allowed.
    fn content(&mut self, framing: Framing, allowed: u64) -> Result<Vec<u8>, Stop> {
        match framing {
            Framing::Length(length) => self.take(length).ok_or(Stop::Short(vec![])),
            Framing::Chunked => self.chunks(allowed),
        }
    }

    fn take(&mut self, length: u64) -> Option<Vec<u8>> {
        let taken = self.rest().get(..usize::try_from(length).ok()?)?;
        self.at += taken.len();
        Some(taken.to_vec())
    }

    /// §7.1: *chunk last-chunk trailer-section CRLF
    fn chunks(&mut self, allowed: u64) -> Result<Vec<u8>, Stop> {
        let too_large: Fault = (413, "9110 §15.5.14: the chunks");
        let (mut content, mut extensions) = (Vec::new(), 0);
        loop {
            let endless = |_: &[u8]| vec![(413, "§7.1.1: a line of extensions")];
            let line = self.line(self.at + CHUNK_LINE, |_| vec![], endless)?;
            let (mut faults, line) = ([line.bare_lf(), line.bare_cr()].concat(), line.text);
            let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
            let (size, behind) = line.split_at(digits);
            if size.is_empty() {
                faults.push((400, "§7.1: chunk-size = 1*HEXDIG"));
            } else if !grammar::is_extensions(behind) {
                faults.push((400, "§7.1.1: chunk-ext"));
            }
            // Zeros that no number needs count as they do.
            extensions += behind.len() + digits.saturating_sub(16);
            if extensions > EXTENSIONS {
                faults.push((413, "§7.1.1: extensions"));
            }
            let size = grammar::number(size, 16);
            if size > allowed.saturating_sub(content.len() as u64) {
                faults.push(too_large);
            }
            refuse(faults)?;
            if size == 0 {
                break;
            }
            content.extend(self.take(size).ok_or(Stop::Short(vec![]))?);
            let fault: Fault = (400, "§7.1: chunk-data CRLF");
            match self.rest() {
                [b'\r', b'\n', ..] => self.at += 2,
                [] | [b'\r'] => return Err(Stop::Short(vec![])),
                line if line.contains(&b'\n') || line.len() > CHUNK_LINE => {
                    return Err(Stop::Refused(vec![fault]));
                }
                // It may wait for the end of the line that stands where none should.
                _ => return Err(Stop::Short(vec![fault])),
            }
        }
        // §7.1.2: they are checked as fields are, and dropped.
        let start = self.at;
        loop {
            let endless = |_: &[u8]| vec![(431, "6585 §5: trailers"), (400, "§5: a trailer line")];
            let line = self.line(self.at + CHUNK_LINE, |_| vec![], endless)?;
            refuse([line.bare_lf(), line.bare_cr()].concat())?;
            if line.text.is_empty() {
                return Ok(content);
            }
            let mut faults = grammar::faults_of_field_line(line.text);
            if self.at - start > TRAILERS {
                faults.push((431, "6585 §5: trailers"));
            }
            refuse(faults)?;
        }
    }
}

fn answer(statuses: Vec<u16>, connection: Connection, why: Vec<&'static str>) -> Answer {
    Answer {
        statuses,
        interim: Interim::Never,
        content: Content::Words,
        connection,
        allow: None,
        can_wait: false,
        why,
    }
}

/// Faults of several lines. §3 has a MUST for a target that is too long, whatever else is.
fn together(pending: Vec<Fault>, faults: Vec<Fault>) -> Vec<Fault> {
    let mut all = [pending, faults].concat();
    if all.iter().any(|&(status, _)| status == 414) {
        all.retain(|fault| *fault != grammar::HEAD_TOO_LONG);
    }
    all
}

fn refuse(faults: Vec<Fault>) -> Result<(), Stop> {
    if faults.is_empty() { Ok(()) } else { Err(Stop::Refused(faults)) }
}

//! Where requests end: RFC 9112 section 6.3, the chunked coding, and all that makes a head invalid.
//!
//! The reader takes all bytes of a connection as one slice, and it may be slow. Where an RFC leaves
//! a choice, the comment names the choice of this server. Each fault of a message is a reason to
//! reject it, so a message with several faults has a set of expected statuses.
//!
//! "§" without the number of an RFC is a section of RFC 9112.

use super::grammar::{self, Fault, Framing, Line, Target};

/// The limits that a server can set.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a head, including an empty line before it.
    pub head: usize,
    /// Bytes of a request-target.
    pub target: usize,
    /// Bytes of content.
    pub content: u64,
}

/// The limits of a server that sets none: those of `message::limits`.
pub const DEFAULT: Limits = Limits { head: 16 * 1024, target: 8 * 1024, content: 1024 * 1024 };

const MAX_FIELD_LINES: usize = 100;
/// Bytes of a chunk-size line or a trailer field line, with its CRLF.
const MAX_CHUNK_LINE_BYTES: usize = 4 * 1024;
/// Bytes of all chunk extensions of a message, and of its trailer section.
const MAX_EXTENSION_BYTES: usize = 16 * 1024;
/// Bytes of chunk-size lines and line ends beside the content, if an eighth of its limit is less.
const MIN_FRAMING_BYTES: u64 = 16 * 1024;
const MAX_TRAILER_BYTES: usize = 8 * 1024;

/// Reads the requests of a connection, one after another.
pub struct Reader<'a> {
    pub bytes: &'a [u8],
    /// The bytes before this offset are read.
    pub at: usize,
    pub limits: Limits,
}

/// Why the reader reads no further in a message.
#[derive(Debug)]
pub enum Stop {
    /// The bytes end within the message. The server may already reject it for these faults.
    Incomplete(Vec<Fault>),
    Rejected(Vec<Fault>),
}

/// A valid head.
#[derive(Debug)]
pub struct Head<'a> {
    pub method: &'a [u8],
    pub target: Target<'a>,
    pub minor: u8,
    pub fields: Vec<(&'a [u8], &'a [u8])>,
    pub framing: Framing,
    pub expects_continue: bool,
}

/// A request with a valid head.
#[derive(Debug)]
pub struct Request<'a> {
    /// The offset where it begins. An empty line before it is a part of it.
    pub start: usize,
    pub head: Head<'a>,
    /// The offset where its head ends.
    pub head_end: usize,
    /// The offset where it ends, and its content. `None` if the content is invalid or incomplete.
    pub whole: Option<(usize, Vec<u8>)>,
}

/// The requests at the start of these bytes, up to the first that is invalid or incomplete. The
/// content may have any length.
pub fn requests(bytes: &[u8], limits: Limits) -> Vec<Request<'_>> {
    let (mut reader, mut requests) = (Reader::new(bytes, limits), Vec::new());
    loop {
        let start = reader.at;
        let Ok(head) = reader.head() else { return requests };
        let head_end = reader.at;
        let content = reader.content(head.framing, u64::MAX).ok();
        let whole = content.map(|content| (reader.at, content));
        let is_last = whole.is_none();
        requests.push(Request { start, head, head_end, whole });
        if is_last {
            return requests;
        }
    }
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], limits: Limits) -> Reader<'a> {
        Reader { bytes, at: 0, limits }
    }

    /// The bytes that are not read yet.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Takes the next head. §2.1: start-line CRLF *( field-line CRLF ) CRLF
    pub fn head(&mut self) -> Result<Head<'a>, Stop> {
        let mut pending = Vec::new();
        match self.lines_of_head(&mut pending) {
            Ok(head) => check(pending).map(|()| head),
            Err(Stop::Incomplete(early)) => Err(Stop::Incomplete(combine(pending, early))),
            Err(Stop::Rejected(faults)) => Err(Stop::Rejected(combine(pending, faults))),
        }
    }

    /// Parses the head. Faults that the server may report at the end of the head go to `pending`.
    fn lines_of_head(&mut self, pending: &mut Vec<Fault>) -> Result<Head<'a>, Stop> {
        let (end, most) = (self.at + self.limits.head, self.limits.target);
        if self.rest().starts_with(b"\r\n") {
            // §2.2: "SHOULD ignore at least one empty line (CRLF) received prior to the
            // request-line". This server ignores one. A second one is an empty request line.
            self.at += 2;
        }
        let line = self.line(
            end,
            |line| grammar::faults_of_partial_request_line(line, most),
            |line| grammar::faults_of_overlong_request_line(line, most),
        )?;
        pending.extend(line.bare_lf());
        pending.extend(grammar::faults_of_method_and_target(line.text, most));
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
        if !pending.is_empty() && framing.length() > self.limits.content {
            pending.push((413, "9110 §15.5.14: Content-Length"));
        }
        // RFC 9110 §10.1.1: in an HTTP/1.0 request the server "MUST ignore that expectation".
        let expects_continue = minor > 0 && !expectations.is_empty();
        let target = grammar::parse_target(method, target);
        Ok(Head { method, target, minor, fields, framing, expects_continue })
    }

    /// Takes the next line, which has to end before the offset `end`. `partial` gives the faults of
    /// an incomplete line, and `overlong` those of a line that does not end before `end`.
    fn line(
        &mut self,
        end: usize,
        partial: impl Fn(&[u8]) -> Vec<Fault>,
        overlong: impl Fn(&[u8]) -> Vec<Fault>,
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

    /// Takes the content of a head with this framing (§6.3). `limit` counts for chunked content
    /// only: the caller compares Content-Length.
    pub fn content(&mut self, framing: Framing, limit: u64) -> Result<Vec<u8>, Stop> {
        match framing {
            Framing::None => Ok(vec![]),
            Framing::Length(length) => self.take(length).ok_or(Stop::Incomplete(vec![])),
            Framing::Chunked => self.chunked_body(limit),
        }
    }

    /// Takes so many bytes, if they are all there.
    fn take(&mut self, length: u64) -> Option<Vec<u8>> {
        let taken = self.rest().get(..usize::try_from(length).ok()?)?;
        self.at += taken.len();
        Some(taken.to_vec())
    }

    /// Takes a chunked body. §7.1: chunked-body = *chunk last-chunk trailer-section CRLF
    pub fn chunked_body(&mut self, limit: u64) -> Result<Vec<u8>, Stop> {
        let too_large: Fault = (413, "9110 §15.5.14: the chunks");
        let (mut content, mut extensions, mut framing) = (Vec::new(), 0, 0);
        let most = limit.saturating_add(MIN_FRAMING_BYTES.max(limit / 8));
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
            // The size line, its CRLF, and the CRLF after the data.
            framing += line.len() as u64 + 4;
            if size.saturating_add(content.len() as u64 + framing) > most {
                faults.push((413, "9110 §15.5.14: the chunks with their framing"));
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

/// The faults of several lines. §3: the server "MUST respond with a 414" if the target is too long,
/// so 431 is not expected beside it.
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

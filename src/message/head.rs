//! # Parses a request head
//!
//! A request begins with its head: the request line, then one line for each field, then an empty
//! line. It arrives in any number of reads.
//!
//! ```text
//! GET /about HTTP/1.1␍␊
//! Host: 127.0.0.1:5000␍␊
//! ␍␊
//! ```
//! `httparse` splits the head without a copy, and accepts more than the RFC allows. Where a proxy and
//! a server read the same bytes differently, requests are smuggled. So this file checks what httparse
//! accepts. For what httparse rejects, it finds the rule and the byte.
//!
//! Rule: RFC 9112 sections 2 to 5.  Left out: line folding, HTTP/0.9.  Next: [`target`].

use std::fmt;
use std::mem::MaybeUninit;

use super::fields::{FieldLines, Span, check_line, without_line_end};
use super::limits::{self, Limits};
use super::method::Method;
use super::refusal::{Refusal, Refused};
use super::target::{self, Target};

/// The HTTP version of a message: 1.0 or 1.1.
///
/// A higher minor version counts as 1.1 (RFC 9110 section 6.2). Versions compare: `Http10 < Http11`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0: the connection closes after one exchange, unless both sides ask to keep it.
    Http10,
    /// HTTP/1.1: the connection stays open, unless one side sends `Connection: close`.
    Http11,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        })
    }
}

/// A request head that has passed every check. It holds offsets into the bytes it was parsed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The request method.
    pub method: Method,
    /// The request target.
    pub target: Target,
    /// The client's HTTP version.
    pub version: Version,
    /// Length in bytes, with the empty line that ends it and the one that may precede it.
    pub length: usize,
    fields: Vec<(Span, Span)>,
}

impl Head {
    /// Parses the head at the start of `bytes`. Returns `None` while the head is incomplete.
    ///
    /// The result does not depend on how the bytes were split into reads: what a prefix gives, other
    /// than `None`, all the bytes give. So a refusal waits for the end of its line. One exception: the
    /// signature of PROXY version 2 begins with two empty lines, so it is recognised only if it
    /// arrives in one read.
    ///
    /// # Errors
    /// The first rule that is broken, and the offset of the byte that breaks it.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Option<Head>, Refused> {
        let window = &bytes[..bytes.len().min(limits.head)];
        if let Some(refusal) = other_protocol(window) {
            return Err(refusal.into());
        }
        // RFC 9112 section 2.2: ignore at least one empty line before the request line. Exactly one is
        // ignored here, so that a client cannot send line ends without limit.
        let start = if window.starts_with(b"\r\n") { 2 } else { 0 };
        let split = match &window[start..] {
            [] | [b'\r'] => Ok(None),
            [b'\r', b'\n', ..] => Err(Refusal::BlankLines.at(start)),
            [b'\n', ..] => Err(Refusal::BareLf.at(start)),
            text => split(text, start),
        };
        match split {
            Ok(Some(split)) => split.checked(window, limits).map(Some),
            Ok(None) if window.len() == limits.head => Err(too_long(window, start, limits)),
            Ok(None) => Ok(None),
            Err(refused) => {
                let line = &window[refused.at.unwrap_or(0)..];
                let line_is_complete = line.contains(&b'\n') || window.len() == limits.head;
                if line_is_complete { Err(refused) } else { Ok(None) }
            }
        }
    }

    /// Returns the field lines. `bytes` are those that the head was parsed from.
    pub fn fields<'a>(&'a self, bytes: &'a [u8]) -> FieldLines<'a> {
        FieldLines::new(bytes, &self.fields)
    }

    /// Returns whether the client waits for `100 Continue` before it sends the content. In HTTP/1.0
    /// the Expect field means nothing.
    ///
    /// # Errors
    /// An expectation other than `100-continue` (RFC 9110 section 10.1.1).
    pub fn expects_continue(&self, bytes: &[u8]) -> Result<bool, Refused> {
        if self.version == Version::Http10 {
            return Ok(false);
        }
        if self.fields(bytes).spans("expect").next().is_none() {
            return Ok(false); // the usual case, without splitting a list
        }
        let mut waits = false;
        for member in self.fields(bytes).members("expect") {
            if !member.eq_ignore_ascii_case(b"100-continue") {
                return Err(Refusal::ExpectationUnknown.at(Span::of(member, bytes).start()));
            }
            waits = true;
        }
        Ok(waits)
    }
}

/// A head as httparse splits it, before the checks that httparse leaves out.
struct Split {
    method: Method,
    target: Span,
    version: Version,
    length: usize,
    fields: Vec<(Span, Span)>,
}

impl Split {
    /// Checks the rules of the RFC that httparse does not check.
    fn checked(self, bytes: &[u8], limits: &Limits) -> Result<Head, Refused> {
        let follows_crlf = |&(name, _): &(Span, Span)| bytes[name.start() - 2] == b'\r';
        let head = &bytes[..self.length];
        if !(head.ends_with(b"\r\n\r\n") && self.fields.iter().all(follows_crlf)) {
            return Err(Refusal::BareLf.at(first_bare_lf(head)));
        }
        let target = self.target;
        if target.end() - target.start() > limits.target {
            return Err(Refusal::TargetTooLong.at(target.start() + limits.target));
        }
        if self.method == Method::Connect {
            return Err(Refusal::Connect.into());
        }
        let target = Target::parse(bytes, target, self.method)?;
        self.check_host(bytes)?;
        let Split { method, version, length, fields, .. } = self;
        Ok(Head { method, target, version, length, fields })
    }

    /// RFC 9112 section 3.2: HTTP/1.1 needs exactly one Host, HTTP/1.0 allows one. It must be valid.
    fn check_host(&self, bytes: &[u8]) -> Result<(), Refused> {
        let mut hosts = FieldLines::new(bytes, &self.fields).spans("host");
        let Some((_, host)) = hosts.next() else {
            let is_required = self.version == Version::Http11;
            return if is_required { Err(Refusal::HostMissing.into()) } else { Ok(()) };
        };
        if let Some((second, _)) = hosts.next() {
            return Err(Refusal::HostTwice.at(second.start()));
        }
        target::check_authority(host.in_bytes(bytes))
            .map_err(|at| Refusal::HostInvalid.at(host.start() + at))
    }
}

/// Field lines of most heads, at most. A head with more is parsed a second time. httparse needs room
/// for the lines on the stack, and a thread keeps each stack page that it has touched.
const USUAL_FIELDS: usize = 24;

/// Splits a head with httparse. `text` begins at offset `start` of the bytes that the head's spans
/// point into.
fn split(text: &[u8], start: usize) -> Result<Option<Split>, Refused> {
    split_with_room_for::<USUAL_FIELDS>(text, start)
}

#[cold]
fn split_many_fields(text: &[u8], start: usize) -> Result<Option<Split>, Refused> {
    split_with_room_for::<{ limits::MAX_FIELDS }>(text, start)
}

fn split_with_room_for<const N: usize>(
    text: &[u8],
    start: usize,
) -> Result<Option<Split>, Refused> {
    let mut fields = [const { MaybeUninit::uninit() }; N];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(text, &mut fields) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) if N < limits::MAX_FIELDS => {
            return split_many_fields(text, start);
        }
        Err(httparse::Error::Version) => return split_other_version(text, start),
        Err(error) => return Err(diagnose(error, text, start)),
    };
    let shift = |span: Span| Span::new(start + span.start(), start + span.end());
    let (method, target) = (request.method.unwrap_or(""), request.path.unwrap_or(""));
    Ok(Some(Split {
        method: Method::named(method.as_bytes()).ok_or(Refusal::MethodUnknown.at(start))?,
        target: shift(Span::of(target.as_bytes(), text)),
        version: if request.version == Some(0) { Version::Http10 } else { Version::Http11 },
        length: start + length,
        fields: request
            .headers
            .iter()
            .map(|field| spans(field, text))
            .map(|(name, value)| (shift(name), shift(value)))
            .collect(),
    }))
}

/// Handles a version that httparse does not know. A higher minor version is read as 1.1 (RFC 9110
/// section 6.2), another major version is not supported, and anything else is no version.
#[cold]
fn split_other_version(text: &[u8], start: usize) -> Result<Option<Split>, Refused> {
    let Some(line) = first_line(text) else { return Ok(None) };
    let version = line.iter().rposition(|&byte| byte == b' ').map_or(0, |space| space + 1);
    match &line[version..] {
        // The second space ends the target, and what follows it is no version.
        _ if line[..version].iter().filter(|&&byte| byte == b' ').count() != 2 => {
            let spaces = line.iter().enumerate().filter(|&(_, &byte)| byte == b' ');
            let second = spaces.map(|(at, _)| at).nth(1).unwrap_or(version);
            Err(Refusal::RequestLine.at(start + second))
        }
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9'] => {
            let mut as_http11 = text.to_vec();
            as_http11[line.len() - 1] = b'1';
            split(&as_http11, start)
        }
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(Refusal::VersionUnsupported.at(start + version))
        }
        _ => Err(Refusal::Version.at(start + version)),
    }
}

/// Recognises other protocols by their first bytes. They are refused at once: a client of another
/// protocol may never send a line end.
fn other_protocol(bytes: &[u8]) -> Option<Refusal> {
    const GREETINGS: [(&[u8], Refusal); 6] = [
        (b"\x16\x03", Refusal::TlsHello),
        (b"PRI * HTTP/2.0\r\n", Refusal::Http2Preface),
        (b"PROXY TCP", Refusal::ProxyLine),
        (b"PROXY UNKNOWN", Refusal::ProxyLine),
        (b"\r\n\r\n\0\r\nQUIT\n", Refusal::ProxyLine), // version 2, if it arrives in one read
        (b"SSH-", Refusal::SshBanner),
    ];
    GREETINGS.iter().find(|(greeting, _)| bytes.starts_with(greeting)).map(|&(_, refusal)| refusal)
}

/// Finds the broken rule and the bad byte for an error of httparse.
///
/// httparse reports no position, but it keeps no state. So the shortest prefix that gives an error,
/// instead of asking for more, ends with the byte that broke the rule. A binary search finds it.
#[cold]
fn diagnose(error: httparse::Error, text: &[u8], start: usize) -> Refused {
    let fails = |length: usize| {
        let mut fields = [const { MaybeUninit::uninit() }; limits::MAX_FIELDS];
        httparse::Request::new(&mut [])
            .parse_with_uninit_headers(&text[..length], &mut fields)
            .is_err()
    };
    let (mut passes, mut breaks) = (0, text.len());
    while breaks - passes > 1 {
        let middle = (passes + breaks) / 2;
        if fails(middle) { breaks = middle } else { passes = middle }
    }
    let (refusal, at) = broken_rule(error, text, breaks - 1);
    refusal.at(start + at)
}

/// Returns the rule that the byte at `at` breaks, and the offset of the byte to show for it.
fn broken_rule(error: httparse::Error, text: &[u8], at: usize) -> (Refusal, usize) {
    let line_start = text[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |lf| lf + 1);
    let before = &text[line_start..at];
    let after = &text[at + 1..];
    let byte = text[at];
    // httparse rejects a bare CR at the byte after it.
    if before.ends_with(b"\r") && byte != b'\n' {
        return (Refusal::BareCr, at - 1);
    }
    if byte == b'\r' && !after.starts_with(b"\n") {
        return (Refusal::BareCr, at);
    }
    let refusal = match error {
        httparse::Error::TooManyHeaders => return (Refusal::TooManyFields, line_start),
        httparse::Error::HeaderName | httparse::Error::HeaderValue => {
            let rest = &text[line_start..];
            let is_first = text[..line_start].iter().filter(|&&byte| byte == b'\n').count() == 1;
            return match check_line(first_line(rest).unwrap_or(rest)) {
                Err((Refusal::Folding, _)) if is_first => (Refusal::SpaceBeforeFields, at),
                Err((refusal, offset)) => (refusal, line_start + offset),
                Ok(()) => (Refusal::FieldValue, at), // httparse is stricter than the RFC
            };
        }
        _ => match before.iter().filter(|&&byte| byte == b' ').count() {
            _ if byte == b' ' => Refusal::RequestLine,
            0 if matches!(byte, b'\r' | b'\n') => Refusal::RequestLine,
            1 if matches!(byte, b'\r' | b'\n') && before.ends_with(b" ") => Refusal::RequestLine,
            1 if matches!(byte, b'\r' | b'\n') => Refusal::NoVersion,
            0 => Refusal::MethodToken,
            1 => Refusal::TargetByte,
            _ => Refusal::Version,
        },
    };
    (refusal, at)
}

/// Finds the part that is too long in a head of `limits.head` bytes without an end.
#[cold]
fn too_long(bytes: &[u8], start: usize, limits: &Limits) -> Refused {
    let text = &bytes[start..];
    if let Some(last_lf) = text.iter().rposition(|&byte| byte == b'\n') {
        let mut spaces = (0..text.len()).filter(|&at| text[at] == b' ');
        if let (Some(first), Some(second)) = (spaces.next(), spaces.next())
            && second - first - 1 > limits.target
        {
            // RFC 9112 section 3: 414 is a MUST, even if another part is too long as well.
            return Refusal::TargetTooLong.at(start + first + 1 + limits.target);
        }
        // The last line has no end. RFC 6585 section 5: the response should name the field.
        return Refusal::HeadTooLong.at(start + last_lf + 1);
    }
    match text.contains(&b' ') {
        true => Refusal::TargetTooLong.at(bytes.len() - 1),
        // RFC 9112 section 3: a method longer than all that the server implements gets 501.
        false => Refusal::MethodUnknown.at(start),
    }
}

/// Returns the first line without its line end, or `None` if the line has no end.
fn first_line(text: &[u8]) -> Option<&[u8]> {
    let lf = text.iter().position(|&byte| byte == b'\n')?;
    Some(without_line_end(&text[..=lf]))
}

fn first_bare_lf(head: &[u8]) -> usize {
    (0..head.len())
        .find(|&at| head[at] == b'\n' && !head[..at].ends_with(b"\r"))
        .unwrap_or_default()
}

/// Returns the spans of a field's name and value in `text`. An empty value from httparse may be no
/// slice of `text`, so its span is made from the name.
pub(super) fn spans(field: &httparse::Header<'_>, text: &[u8]) -> (Span, Span) {
    let name = Span::of(field.name.as_bytes(), text);
    let empty = Span::new(name.end() + 1, name.end() + 1);
    (name, if field.value.is_empty() { empty } else { Span::of(field.value, text) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Result<Option<Head>, Refused> {
        Head::parse(text, &Limits::default())
    }

    #[test]
    fn every_prefix_of_a_head_is_incomplete() {
        let whole = b"\r\nGET /a?b HTTP/1.1\r\nHost: h\r\nX-Empty:\r\nX-Raw: caf\xe9 \r\n\r\nGET";
        for cut in 0..whole.len() - 3 {
            assert_eq!(parse(&whole[..cut]), Ok(None), "cut at {cut}");
        }
        let head = parse(whole).unwrap().unwrap();
        let fields: Vec<(&str, &[u8])> = head.fields(whole).iter().collect();
        assert_eq!(fields, [("Host", &b"h"[..]), ("X-Empty", b""), ("X-Raw", b"caf\xe9")]);
        assert_eq!((head.method, head.version), (Method::Get, Version::Http11));
        assert_eq!(head.length, whole.len() - 3);
    }

    /// Asserts the refusal and its offset: two bars in `marked` enclose the bad byte.
    #[track_caller]
    fn refused(marked: &str, refusal: Refusal) {
        let at = marked.find('|').expect("a mark");
        let text = marked.replacen('|', "", 2);
        let expected = Err(refusal.at(at));
        assert_eq!(parse(text.as_bytes()), expected, "{marked:?}");
        // Each prefix gives `None` or the same refusal.
        for cut in 0..text.len() {
            let early = parse(&text.as_bytes()[..cut]);
            assert!(early == Ok(None) || early == expected, "{marked:?} cut at {cut}: {early:?}");
        }
    }

    #[test]
    fn each_refusal_has_the_offset_of_the_bad_byte() {
        use Refusal::*;
        refused("GET|\0| / HTTP/1.1\r\n", MethodToken);
        refused("GE|(|T / HTTP/1.1\r\n", MethodToken);
        refused("hello|\r|\n", RequestLine);
        refused("GET /|\r|\n", NoVersion);
        refused("GET | |/ HTTP/1.1\r\n", RequestLine);
        refused("GET / HTTP/1.1| |\r\n", RequestLine);
        refused("GET /a| |b HTTP/1.1\r\n", RequestLine);
        refused("GET / |h|ttp/1.1\r\n", Version);
        refused("GET / HTTP/1.1|0|\r\n", Version);
        refused("GET / |H|TTP/2.0\r\n", VersionUnsupported);
        refused("GET / |H|TTP/0.9\r\n", VersionUnsupported);
        refused("GET /|\0| HTTP/1.1\r\n", TargetByte);
        refused("GET / HTTP/1.1|\r|Host: h\r\n", BareCr);
        refused("GET / HTTP/1.1\r\n| |X: a\r\n", SpaceBeforeFields);
        refused("GET / HTTP/1.1\r\nX: a\r\n|\t|b\r\n", Folding);
        refused("GET / HTTP/1.1\r\nHost| |: h\r\n", SpaceBeforeColon);
        refused("GET / HTTP/1.1\r\nHost|\t|  : h\r\n", SpaceBeforeColon);
        refused("GET / HTTP/1.1\r\nX| |Y: h\r\n", NoColon);
        refused("GET / HTTP/1.1\r\nHost| |127.0.0.1:5000\r\n", NoColon);
        refused("GET / HTTP/1.1\r\n|:| h\r\n", FieldName);
        refused("GET / HTTP/1.1\r\nX|\0|Y: h\r\n", FieldName);
        refused("GET / HTTP/1.1\r\nNoColon|\r|\n", NoColon);
        refused("GET / HTTP/1.1\r\nHost| |h\r\n", NoColon);
        refused("GET / HTTP/1.1\r\nX: a|\0|b\r\n", FieldValue);
        refused("GET / HTTP/1.1\r\nX: a|\r|b\r\n", BareCr);
        refused("\r\n|\r|\n", BlankLines);
        refused("|\n|GET / HTTP/1.1\r\n", BareLf);
        refused("\r\n|\n|GET / HTTP/1.1\r\n", BareLf);
        refused("GET / HTTP/1.1\r\nHost: h|\n|X: a\r\n\r\n", BareLf);
        refused("GET / HTTP/1.1|\n|Host: h\n\n", BareLf);
        refused("GET / HTTP/1.1\r\nHost: h\r\n|\n|", BareLf);
        refused("|F|ROB / HTTP/1.1\r\nHost: h\r\n\r\n", MethodUnknown);
        refused("|g|et / HTTP/1.1\r\nHost: h\r\n\r\n", MethodUnknown);
        refused("GET |a|bout HTTP/1.1\r\nHost: h\r\n\r\n", TargetForm);
        refused("GET / HTTP/1.1\r\nHost: a|/|b\r\n\r\n", HostInvalid);
        refused("GET / HTTP/1.1\r\nHost: h\r\n|h|ost: h\r\n\r\n", HostTwice);
    }

    #[test]
    fn http_1_1_requires_a_host_field() {
        assert_eq!(parse(b"GET / HTTP/1.1\r\n\r\n"), Err(Refusal::HostMissing.into()));
        assert!(parse(b"GET / HTTP/1.0\r\n\r\n").is_ok());
    }

    #[test]
    fn a_higher_minor_version_is_read_as_1_1() {
        let head = parse(b"GET /x HTTP/1.7\r\nHost: h\r\n\r\n").unwrap().unwrap();
        assert_eq!((head.version, head.length), (Version::Http11, 28));
    }

    #[test]
    fn the_refusal_of_a_long_head_names_the_part_that_is_too_long() {
        let limits = Limits { target: 50, head: 200, ..Limits::default() };
        let long = "a".repeat(300);
        for (text, refusal) in [
            (format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", &long[..60]), Refusal::TargetTooLong),
            (format!("GET /{long} HTTP/1.1\r\nHost: h\r\n\r\n"), Refusal::TargetTooLong),
            (format!("GET / HTTP/1.1\r\nHost: h\r\nX: {long}\r\n\r\n"), Refusal::HeadTooLong),
            (format!("GET /{} HTTP/1.1\r\nX: {long}\r\n\r\n", &long[..60]), Refusal::TargetTooLong),
            (long.clone(), Refusal::MethodUnknown),
        ] {
            let refused = Head::parse(text.as_bytes(), &limits).unwrap_err();
            assert_eq!(refused.refusal, refusal);
        }
        let many = format!("GET / HTTP/1.1\r\n{}", "X: y\r\n".repeat(limits::MAX_FIELDS + 1));
        assert_eq!(parse(many.as_bytes()).unwrap_err().refusal, Refusal::TooManyFields);
    }

    #[test]
    fn other_protocols_are_recognised_by_their_first_bytes() {
        assert_eq!(parse(b"\x16\x03\x01\x00"), Err(Refusal::TlsHello.into()));
        assert_eq!(parse(b"SSH-2.0-x"), Err(Refusal::SshBanner.into()));
    }
}

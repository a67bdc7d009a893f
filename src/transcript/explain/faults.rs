//! # Explaining faults: which rule a message breaks, and at which byte
//!
//! ```text
//! broken here: a space stands between a header field's name and its colon
//!     Host : h
//!         ^
//!     Host: h
//! RFC 9112 section 5.1: put the colon directly after the name
//! ```
//! This server's own refusals say which rule is broken. A request is judged as the server judges it, but
//! without its limits, because other servers have other limits. The field
//! lines of a response are judged as if they were in a request, because the grammar is the same. Rules
//! for responses only are rows of the [`glossary`]. Next: [`exchanges`](super::exchanges).

use std::borrow::Cow;

use super::remark::Remark;
use super::sender::can_begin_message;
use super::words::before;
use crate::message::caret::picture;
use crate::message::corrected::check_request;
use crate::message::dialogue::Side;
use crate::message::ending::Ending;
use crate::message::fields::{is_value_byte, without_line_end};
use crate::message::limits::Limits;
use crate::message::method::Method;
use crate::message::outline::Outline;
use crate::message::refusal::{Refusal, Refused};
use crate::transcript::glossary::{self, Row};

/// Returns the first rule that this head breaks, as far as the head has been received. `at` is the offset
/// of its first byte.
pub(super) fn in_head(side: Side, head: &[u8], at: usize) -> Option<Remark> {
    let refused = |found: Refused| refused(side, head, at, found);
    let flaw = |(offset, row): (usize, Row)| flaw(head, at, offset, row);
    match side {
        Side::Client => in_request(head).map(refused),
        Side::Server => in_status_line(head)
            .map(flaw)
            .or_else(|| in_response_fields(head).map(refused))
            .or_else(|| in_response_without_content(head).map(flaw)),
    }
}

/// Returns the first rule that a request breaks. Other servers read more fields than this one, so those
/// beyond its limit are judged in groups, each after a start that is valid.
fn in_request(bytes: &[u8]) -> Option<Refused> {
    const START: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n";
    let (mut judged, mut start, mut before) = (Cow::Borrowed(bytes), 0, 0);
    loop {
        let in_bytes = |found: Refused| {
            let at = found.at.map(|at| before + at.saturating_sub(start));
            let is_start_the_first = found.refusal == Refusal::HostTwice && start > 0;
            (!is_start_the_first).then_some(Refused { at, ..found })
        };
        let found = check_request(&judged, &limits()).err()?;
        if found.refusal == Refusal::Connect {
            return in_fields_of_connect(bytes);
        }
        let Some(end) = found.at.filter(|_| found.refusal == Refusal::TooManyFields) else {
            return in_bytes(found);
        };
        let group = check_request(&[&judged[..end], b"\r\n"].concat(), &limits()).err();
        if let Some(found) = group.filter(|found| found.refusal != Refusal::HostMissing) {
            return in_bytes(found);
        }
        before += end - start;
        judged = Cow::Owned([START, &judged[end..]].concat());
        start = START.len();
    }
}

/// Returns the first rule that the fields of a CONNECT break. The request is right, and only a
/// server that is no proxy refuses it, so they are judged as those of a GET.
fn in_fields_of_connect(bytes: &[u8]) -> Option<Refused> {
    let fields = bytes.iter().position(|&byte| byte == b'\n')? + 1;
    let version = &bytes[fields.saturating_sub(b"HTTP/1.1\r\n".len())..fields];
    let start = [b"GET / ", version].concat();
    let found = in_request(&[&start, &bytes[fields..]].concat())?;
    Some(Refused { at: found.at.map(|at| (at + fields).saturating_sub(start.len())), ..found })
}

/// Returns the first byte at which the first line differs from the form of `HTTP/1.1 200 OK` (RFC 9112
/// section 4).
fn in_status_line(bytes: &[u8]) -> Option<(usize, Row)> {
    const FORM: &[u8] = b"HTTP/1.# ### ";
    let lf = bytes.iter().position(|&byte| byte == b'\n')?;
    let line = without_line_end(&bytes[..=lf]);
    let fits = |(form, byte): (&u8, &u8)| form == byte || (*form == b'#' && byte.is_ascii_digit());
    let length = FORM.iter().zip(line).take_while(|&pair| fits(pair)).count();
    let control = line.iter().position(|&byte| !is_value_byte(byte));
    match line {
        [b'H', b'T', b'T', b'P', b'/', b'2' | b'3', ..] => Some((5, glossary::WRITTEN_BY_A_TOOL)),
        _ if line.len() == 12 && length == 12 => Some((12, glossary::NO_SPACE_AFTER_CODE)),
        _ if length < FORM.len() => Some((length, glossary::NO_STATUS_LINE)),
        _ if !(b'1'..=b'5').contains(&line[9]) => Some((9, glossary::CODE_OUT_OF_RANGE)),
        _ => control.map(|offset| (offset, glossary::CONTROL_IN_PHRASE)),
    }
}

/// Judges the fields of a response with a valid status line as if they were in a request.
fn in_response_fields(bytes: &[u8]) -> Option<Refused> {
    let lf = bytes.iter().position(|&byte| byte == b'\n')?;
    if !bytes[..lf].ends_with(b"\r") {
        return Some(Refusal::BareLf.at(lf));
    }
    let start = [b"GET / ", &bytes[..8], b"\r\nHost: h\r\n"].concat();
    let found = in_request(&[&start, &bytes[lf + 1..]].concat())?;
    match found.refusal {
        // A response may have codings that this server does not read.
        Refusal::CodingUnknown | Refusal::CodingNotLast => None,
        // Host and Expect mean nothing in a response.
        Refusal::HostTwice | Refusal::ExpectationUnknown => None,
        _ => {
            let at = found.at.map(|at| (at + lf + 1).saturating_sub(start.len()));
            Some(Refused { at, ..found })
        }
    }
}

/// Returns a field that says where content ends, in a response that has no content.
fn in_response_without_content(bytes: &[u8]) -> Option<(usize, Row)> {
    let outline = Outline::parse(bytes, false)??;
    let offset_of = |field| Some(outline.fields().spans(field).next()?.0.start());
    if let (Some(205), Ending::Length(1..)) = (outline.status, Ending::of(&outline, None)) {
        return Some((offset_of("content-length")?, glossary::RESET_WITH_CONTENT));
    }
    let mut never = glossary::NEVER_WITHOUT_CONTENT.iter();
    let found = never.find_map(|&(field, row)| Some((offset_of(field)?, row)));
    found.filter(|_| matches!(outline.status, Some(100..200 | 204)))
}

/// Returns the fault of bytes that do not begin a message: another protocol, or content without a head.
/// `is_after_message` says whether a message has ended before them. Then they may be more of its
/// content, which is known when their line is complete.
pub(super) fn at_start(
    side: Side,
    bytes: &[u8],
    at: usize,
    is_after_message: bool,
) -> Option<Remark> {
    if let Some((fix, clause, why)) = other_protocol(side, bytes) {
        return Some(Remark::fault(at..at + 1, format!("{why}\n{clause}: {fix}"), ""));
    }
    let row = if is_after_message { glossary::STRAY } else { glossary::NO_HEAD };
    // An empty line may precede a request.
    let start = if side == Side::Client { bytes.strip_prefix(b"\r\n") } else { None };
    let line = start.unwrap_or(bytes).split_inclusive(|&byte| byte == b'\n').next()?;
    let is_content = (is_after_message || line.starts_with(b"<")) && line.ends_with(b"\n");
    (is_content && !can_begin_message(side, line)).then(|| flaw(bytes, at, 0, row))
}

/// Returns the fault of bytes after the end of a message, if their first one can begin no message:
/// told when it arrives, and not when its line is complete.
pub(super) fn stray(side: Side, bytes: &[u8], at: usize) -> Option<Remark> {
    let offset = match side {
        // An empty line may precede a request.
        Side::Client => bytes.iter().position(|byte| !b"\r\n".contains(byte))?,
        Side::Server => 0,
    };
    let first = *bytes.get(offset)?;
    let can_begin = match side {
        Side::Client => first.is_ascii_uppercase(),
        Side::Server => b"Hh".contains(&first),
    };
    (first.is_ascii_graphic() && !can_begin)
        .then(|| flaw(&bytes[..=offset], at, offset, glossary::STRAY))
}

/// Whether a request's method is one in capitals, but for its letters.
pub(super) fn has_method_in_small_letters(head: &[u8]) -> bool {
    let name = before(head.trim_ascii_start(), b" ");
    Method::named(name).is_none() && Method::named(&name.to_ascii_uppercase()).is_some()
}

/// Returns the row of another protocol that begins with these bytes.
fn other_protocol(side: Side, bytes: &[u8]) -> Option<Row> {
    let of_side = if side == Side::Server { glossary::PROTOCOLS_OF_SERVERS } else { &[] };
    let mut protocols = of_side.iter().chain(glossary::OTHER_PROTOCOLS);
    let by_start = protocols.find(|(first, _)| bytes.starts_with(first));
    if is_http2_frame(bytes) {
        return Some(glossary::HTTP2_FRAME);
    }
    // The last word counts when the line is complete: until then, another one may follow.
    let line = bytes.split_inclusive(|&byte| byte == b'\n').next()?;
    let last = line.strip_suffix(b"\n").and_then(|line| line.rsplit(|&byte| byte == b' ').next());
    let has = |version: &[u8]| {
        line.starts_with(version) || last.is_some_and(|word| word.starts_with(version))
    };
    let by_version = || glossary::PROTOCOLS_BY_VERSION.iter().find(|(version, _)| has(version));
    by_start.or_else(by_version).map(|&(_, row)| row)
}

/// Whether these bytes begin with a frame of HTTP/2 that a server may send first: its length, its type, its
/// flags and its stream (RFC 9113 section 4.1).
fn is_http2_frame(bytes: &[u8]) -> bool {
    let [0, high, low, kind, 0, stream @ ..] = bytes else { return false };
    let Some(stream) = stream.first_chunk().map(|stream| u32::from_be_bytes(*stream)) else {
        return false;
    };
    match (kind, u16::from_be_bytes([*high, *low]), stream) {
        (3, 4, 1..0x8000_0000) | (8, 4, 0..0x8000_0000) => true, // RST_STREAM, WINDOW_UPDATE
        (4, length, 0) => length % 6 == 0,                       // SETTINGS: 6 bytes for each
        (6, 8, 0) => true,                                       // PING
        (7, 8.., 0) => true,                                     // GOAWAY
        _ => false,
    }
}

/// Returns the fault of a field that must not be a trailer. The picture leaves its value out, which
/// may be a secret.
pub(super) fn in_trailer(line: &[u8], at: usize) -> Option<Remark> {
    let name = before(line, b":");
    let mut never = glossary::NEVER_IN_TRAILERS.split(' ');
    let is_late = never.any(|late| name.eq_ignore_ascii_case(late.as_bytes()));
    is_late.then(|| flaw(name, at, 0, glossary::TRAILER_TOO_LATE))
}

/// Returns the fault of content that a response with 205 has, at its first byte.
pub(super) fn in_content_of_reset(at: usize) -> Remark {
    flaw(b"", at, 0, glossary::RESET_WITH_CONTENT)
}

/// Makes a remark of a refusal.
pub(super) fn refused(side: Side, bytes: &[u8], at: usize, refused: Refused) -> Remark {
    let rule = refused.refusal.rule();
    let lead = match refused.refusal {
        Refusal::ContentTooLarge => {
            return flaw(bytes, at, refused.at.unwrap_or_default(), glossary::LENGTH_OVER_64_BITS);
        }
        _ if side == Side::Server => "broken here".to_owned(),
        _ if matches!(rule.status.code(), 413 | 414 | 417 | 421 | 431 | 501 | 505) => {
            format!("not broken, but openkitchen's own server answers {}", rule.status)
        }
        _ => format!("broken here, and a strict server answers {}", rule.status),
    };
    let start = at + refused.at.unwrap_or(bytes.len().saturating_sub(1));
    // The message may be for another server.
    let text = refused.explained(bytes, &limits()).replace("this server", "openkitchen");
    let text = text.replace("\n\n", "\n");
    Remark::fault(start..start + 1, format!("{lead}: {}", text.trim_end()), "")
}

/// Makes a remark of a row: a rule that is broken at `offset` in `bytes`, and how to fix it.
fn flaw(bytes: &[u8], at: usize, offset: usize, (fix, clause, why): Row) -> Remark {
    let picture = picture(bytes, offset).unwrap_or_default();
    let text = format!("broken here: {why}\n{picture}{clause}: {fix}");
    Remark::fault(at + offset..at + offset + 1, text, "")
}

/// No limits, because those of the recipient are not known.
fn limits() -> Limits {
    Limits { head: usize::MAX, target: usize::MAX, content: u64::MAX, ..Limits::default() }
}

#[cfg(test)]
mod tests {
    use super::super::{ConnectionExplainer, explain};
    use super::*;
    use crate::message::caret::INDENT;

    /// Checks that the fault is at the byte between the two bars, in one read and in reads of one byte.
    #[track_caller]
    fn breaks(side: Side, marked: &str, why: &str) {
        let at = marked.find('|').expect("a mark");
        let text = marked.replacen('|', "", 2);
        let remarks = explain(text.as_bytes(), Some(side), None);
        let faults: Vec<&Remark> = remarks.iter().filter(|remark| remark.is_fault).collect();
        assert_eq!(faults.len(), 1, "{marked:?}: {faults:#?}");
        assert_eq!(faults[0].span, at..at + 1, "{marked:?}: {faults:#?}");
        assert!(faults[0].text.contains(why), "{marked:?}: {faults:#?}");
        let mut explainer = ConnectionExplainer::default();
        let reads = text.as_bytes().chunks(1);
        let mut slow: Vec<Remark> =
            reads.flat_map(|read| explainer.explain_bytes(side, read)).collect();
        slow.extend(explainer.explain_end(side));
        slow.retain(|remark| remark.is_fault);
        assert_eq!(slow, faults.into_iter().cloned().collect::<Vec<_>>(), "{marked:?}");
    }

    #[test]
    fn each_broken_rule_is_shown_at_its_byte() {
        for (marked, why) in [
            ("GET / HTTP/1.1\r\nHost| |: h\r\n\r\n", "a space stands"),
            ("GET / HTTP/1.1\r\nHost: h\r\n|\n|", "ends in LF alone"),
            ("GET / HTTP/1.1\r\nNoColon|\r|", "no colon"),
            ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: |+|5\r\n\r\n", "not a number"),
            (
                "GET / HTTP/1.1\r\nHost: h\r\nExpect: |t|ea\r\n\r\n",
                "openkitchen's own server answers 417",
            ),
            (
                "GET / HTTP/1.1\r\nHost: h\r\n|C|ontent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "both say",
            ),
            (
                "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello|x|\r\n",
                "not followed",
            ),
            ("|P|ROPFIND / HTTP/1.1\r\nHost: h\r\n\r\n", "openkitchen's own server answers 501"),
            ("CONNECT h:443 HTTP/1.1\r\nHost| |: h\r\n\r\n", "a space stands"),
            ("CONNECT h:443 HTTP/1.1\r\nX: y\r\n\r|\n|", "Host"),
            ("GET /a?b|#|c?d HTTP/1.1\r\nHost: h\r\n\r\n", "leave the fragment out"),
            (
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n|C|ontent-Length: 02\r\n\r\nhi",
                "may take as one",
            ),
            (
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2, 2\r\n|C|ontent-Length: 3\r\n\r\nhi",
                "choose differently",
            ),
            (
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n|A|uthorization: s\r\n\r\n",
                "must not be a trailer",
            ),
        ] {
            breaks(Side::Client, marked, why);
        }
        for (marked, why) in [
            ("HTTP/1.1 20| |OK\r\n\r\n", "three digits"),
            ("HTTP/1.1 200|\r|\nServer: x\r\n\r\n", "the space after the status code is missing"),
            ("HTTP/1.1 |0|99 Low\r\n\r\n", "a client treats it as a 5xx"),
            ("HTTP/1.1 |7|00 High\r\n\r\n", "a client treats it as a 5xx"),
            ("HTTP/1.1 200 O|\0|K\r\n\r\n", "the phrase has a control byte"),
            ("HTTP/|2| 200\r\nServer: x\r\n\r\n", "a tool wrote"),
            ("HTTP/|0|.9 200 OK\r\nServer: x\r\n\r\n", "a status line is"),
            ("|h|ttp/1.1 200 OK\r\n\r\n", "a status line is"),
            ("HTTP/1.1 200 OK\r\nServer| |: x\r\n\r\n", "a space stands"),
            ("HTTP/1.1 200 OK\r\nServer: x\r\n|\n|", "ends in LF alone"),
            ("HTTP/1.1 200 OK|\n|Server: x\n\n", "ends in LF alone"),
            ("HTTP/1.1 204 N\r\nContent-Length: 1\r\n|C|ontent-Length: 2\r\n\r\n", "two lengths"),
            ("HTTP/1.1 204 N\r\n|C|ontent-Length: 1\r\n\r\n", "how long it is"),
            ("HTTP/1.1 103 E\r\n|T|ransfer-Encoding: chunked\r\n\r\n", "how it is coded"),
            ("HTTP/1.1 205 R\r\n|C|ontent-Length: 2\r\n\r\nhi", "must not have content"),
            ("HTTP/1.1 205 R\r\n\r\n|h|i", "must not have content"),
            (
                "HTTP/1.1 205 R\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n|h|i\r\n1\r\n!\r\n0\r\n\r\n",
                "must not have content",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n|C|ontent-Length: 5\r\n\r\n",
                "must not be a trailer",
            ),
            ("HTTP/1.1 204 N\r\n\r\n|c|ontent", "after the end of the message before"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx|\r|\n",
                "after the end of the message before",
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: |9|9999999999999999999\r\n\r\n", "64 bits"),
            ("|<|html>\r\n", "without a head before it"),
        ] {
            breaks(Side::Server, marked, why);
        }
        for valid in [
            "HTTP/1.1 200 \r\nExpect: x\r\nHost: h\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.2 200 D\u{e9}j\u{e0}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nto the end",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nETag: \"a\"\r\n\r\n",
            "HTTP/1.1 205 R\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 205 R\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 205 R\r\n\r\n",
        ] {
            let remarks = explain(valid.as_bytes(), Some(Side::Server), None);
            assert!(remarks.iter().all(|remark| !remark.is_fault), "{remarks:#?}");
        }
        let no_host = explain(b"GET / HTTP/1.1\r\n\r\n", Some(Side::Client), None);
        assert!(no_host.iter().any(|remark| remark.is_fault && remark.text.contains("which host")));
    }

    #[test]
    fn every_refusal_is_explained_in_80_columns_and_says_nothing_of_another_server() {
        let request = format!("GET /{0} HTTP/1.1\r\nX: {0}\x07{0}\r\n\r\n", "a".repeat(200));
        for (refusal, at) in Refusal::all().flat_map(|it| [(it, 3), (it, 150), (it, 400)]) {
            for side in [Side::Client, Side::Server] {
                let remark = refused(side, request.as_bytes(), 0, refusal.at(at));
                let lines = remark.lines(76);
                assert!(lines.iter().all(|line| line.len() <= 76), "{lines:#?}");
                let words = |lines: &[&str]| -> Vec<String> {
                    let sentences = lines.iter().filter(|line| !line.starts_with(INDENT));
                    sentences.flat_map(|line| line.split_whitespace()).map(String::from).collect()
                };
                let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                assert_eq!(words(&lines), words(&remark.text.lines().collect::<Vec<_>>()));
                assert!(!remark.text.contains("this server"), "{}", remark.text);
                let has_reason = remark.text.contains("\nwhy: ") || remark.text.contains("64 bits");
                assert!(has_reason, "{}", remark.text);
            }
        }
    }

    #[test]
    fn a_byte_after_the_end_is_told_when_it_arrives() {
        let post = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nhell";
        let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhell";
        for (side, message) in [(Side::Client, &post[..]), (Side::Server, &ok[..])] {
            let mut explainer = ConnectionExplainer::default();
            explainer.explain_bytes(side, message);
            let remarks = explainer.explain_bytes(side, b"o");
            assert!(remarks[0].is_fault && remarks[0].text.contains("so it is not its content"));
            // The next request, which begins with that byte in the eyes of the other side, is told
            // once.
            let next = explainer.explain_bytes(side, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            assert!(next.iter().all(|remark| !remark.is_fault), "{next:#?}");
            assert!(explainer.explain_end(side).iter().all(|remark| !remark.is_fault));
        }
        // A method in small letters has its own fault, too.
        let two = b"GET / HTTP/1.1\r\nHost: h\r\n\r\nget / HTTP/1.1\r\nHost: h\r\n\r\n";
        let remarks = explain(two, Some(Side::Client), None);
        assert!(remarks.iter().any(|it| it.is_fault && it.text.contains("answers 501")));
    }

    #[test]
    fn another_protocol_gets_one_remark() {
        for (bytes, what) in [
            (&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04"[..], "this is HTTP/2, "),
            (b"\x16\x03\x01\x02\0\x01\0", "this is TLS, "),
            (b"SSH-2.0-OpenSSH_9.6\r\n", "this is SSH, "),
            (b"SSH-2.0", "this is SSH, "),
            (
                b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n",
                "this is a line of the PROXY",
            ),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", "this is the PROXY protocol, "),
            (b"220 mail.example.test ESMTP\r\n", "this is a server for mail"),
            (b"EHLO example.test\r\n", "this is SMTP, "),
            (b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64", "this is HTTP/2, as its first frame"),
            (b"\0\0\0\x04\0\0\0\0\0", "this is HTTP/2, as its first frame"),
            (b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01", "this is HTTP/2, as its first frame"),
            (b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08", "this is HTTP/2, as its first frame"),
            (b"\x15\x03\x03\0\x02\x02\x46", "this is TLS, as its alert"),
            (b"RTSP/1.0 200 OK\r\n", "this is RTSP, "),
            (b"DESCRIBE rtsp://h/a RTSP/1.0\r\n", "this is RTSP, "),
            (b"ICAP/1.0 204 Unmodified\r\n", "this is ICAP, "),
            (b"OPTIONS icap://h/a ICAP/1.0\r\n", "this is ICAP, "),
            (b"SIP/2.0 200 OK\r\n", "this is SIP, "),
            (b"OPTIONS sip:a@h SIP/2.0\r\n", "this is SIP, "),
        ] {
            for side in [Side::Client, Side::Server] {
                let remarks = explain(bytes, Some(side), None);
                let mut explainer = ConnectionExplainer::default();
                let reads = bytes.chunks(1);
                let mut slow: Vec<Remark> =
                    reads.flat_map(|read| explainer.explain_bytes(side, read)).collect();
                slow.extend(explainer.explain_end(side));
                // The start of the PROXY protocol's second version is two empty lines.
                assert!(slow == remarks || bytes.starts_with(b"\r\n"), "{slow:#?}");
                assert_eq!(remarks.len(), 1, "{remarks:#?}");
                assert!(remarks[0].text.starts_with(what), "{remarks:#?}");
                assert!(remarks[0].text.contains("cannot be read as HTTP"), "{remarks:#?}");
            }
        }
    }

    #[test]
    fn the_advice_for_another_protocol_is_for_the_side_that_sent_it() {
        for (side, bytes, advice) in [
            (Side::Client, b"\x16\x03\x01", "use http:// instead of https://"),
            (Side::Server, b"\x16\x03\x03", "use a port of the server that speaks plain HTTP"),
            (Side::Server, b"\x15\x03\x03", "use https:// if the request was plain HTTP"),
        ] {
            let remarks = explain(bytes, Some(side), None);
            assert!(remarks[0].text.contains(advice), "{remarks:#?}");
        }
        let request = b"GET /a RTSP/1.0 HTTP/1.1\r\n";
        let remarks = explain(request, Some(Side::Client), None);
        assert!(remarks[0].text.contains("with one space between each"), "{remarks:#?}");
    }

    #[test]
    fn the_picture_of_a_trailer_shows_no_secret() {
        let response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\
            Set-Cookie: id=s3cret\r\nAuthorization: Bearer s3cret\r\n\r\n";
        let remarks = explain(response, Some(Side::Server), None);
        assert_eq!(remarks.iter().filter(|remark| remark.is_fault).count(), 2, "{remarks:#?}");
        assert!(remarks.iter().all(|remark| !remark.text.contains("s3cret")), "{remarks:#?}");
    }

    #[test]
    fn a_message_longer_than_this_server_accepts_is_not_called_broken() {
        let (many, long) = (format!("X: {:1$}\r\n", "y", 25).repeat(1000), "y".repeat(300 * 1024));
        let chunked = "Transfer-Encoding: chunked\r\n\r\n2";
        for rest in [
            format!("{many}Content-Length: 2\r\n\r\nhi"),
            format!("X: {long}\r\nContent-Length: 2\r\n\r\nhi"),
            format!("{chunked};x={}\r\nhi\r\n0\r\n\r\n", &long[..5 * 1024]),
            format!("{chunked}\r\nhi\r\n0\r\n{many}\r\n"),
        ] {
            for (side, first) in [
                (Side::Client, "POST / HTTP/1.1\r\nHost: h\r\n"),
                (Side::Server, "HTTP/1.1 200 OK\r\n"),
            ] {
                let text = format!("{first}{rest}");
                let next = text.repeat(2);
                for bytes in [&text, &next] {
                    let remarks = explain(bytes.as_bytes(), Some(side), None);
                    assert!(remarks.iter().all(|remark| !remark.is_fault), "{rest:.99}");
                    let ends = remarks.iter().filter(|it| it.text.starts_with("the content ends"));
                    assert_eq!(ends.count(), bytes.len() / text.len(), "{rest:.99}");
                }
            }
        }
        for beyond in
            [format!("HTTP/1.1 200 {long}"), format!("HTTP/1.1 200 OK\r\n{chunked};{long}")]
        {
            let remarks = explain(beyond.as_bytes(), Some(Side::Server), None);
            assert!(remarks.iter().all(|remark| !remark.is_fault));
            let last = remarks.last().map(|remark| remark.text.as_str()).unwrap_or_default();
            assert!(last.starts_with("more than is followed here: a "), "{last}");
        }
    }

    #[test]
    fn a_fault_after_a_hundred_fields_is_found_at_its_byte() {
        let many = "X: y\r\n".repeat(250);
        for (fault, why) in [
            ("X| |: y\r\n\r\n", "a space stands between"),
            ("X: |\u{1}|\r\n\r\n", "a control byte stands"),
            ("X: y|\n|\r\n", "in LF alone"),
        ] {
            breaks(Side::Client, &format!("GET / HTTP/1.1\r\nHost: h\r\n{many}{fault}"), why);
            breaks(Side::Server, &format!("HTTP/1.1 204 N\r\n{many}{fault}"), why);
        }
        let twice = format!("GET / HTTP/1.1\r\nHost: h\r\n|H|ost: h\r\n{many}\r\n");
        breaks(Side::Client, &twice, "two Host");
    }
}

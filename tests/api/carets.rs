//! Tests of the caret and the corrected line in the content of a refusal.
//!
//! Each malformed request has its wrong byte between two bars. The response must show the line with the
//! caret under that byte, and the reason. If the response shows a corrected line, the test sends the
//! request again with that line, and the server must not refuse it for the same reason.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use openkitchen::message::refusal::Refusal::{self, *};
use openkitchen::message::visible::Visible;
use openkitchen::{Request, Response, Routes, Server, ServerHandle, post, routes};

static ROUTES: Routes = routes(&[post("/", |_: &Request| Response::text("good"))]);

/// The valid starts of some requests in [`MARKED`].
const HEAD: &str = "POST / HTTP/1.1\r\nHost: h\r\n";
const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

/// The start of a request, the rest with the wrong byte between two bars, and the refusal.
#[rustfmt::skip]
const MARKED: [(&str, &str, Refusal); 96] = [
    // Lines.
    ("", "|\n|POST / HTTP/1.1\r\n", BareLf),
    ("", "\r\n|\r|\n", BlankLines),
    ("", "POST / HTTP/1.1|\n|Host: h\r\n\r\n", BareLf),
    ("", "POST / HTTP/1.1\r\nHost: h|\n|\r\n", BareLf),
    ("", "POST / HTTP/1.1\r\nHost: h\r\n|\n|", BareLf),
    ("", "POST / HTTP/1.1|\r|Host: h\r\n\r\n", BareCr),
    (HEAD, "X: a|\r|b\r\n\r\n", BareCr),
    (HEAD, "X|\r|: a\r\n\r\n", BareCr),
    (HEAD, "X: a||", HeadCutShort),
    // The request line.
    ("", "hello|\r|\n", RequestLine),
    ("", "POST |\r|\n", RequestLine),
    ("", "POST | |/ HTTP/1.1\r\n", RequestLine),
    ("", "| |POST / HTTP/1.1\r\n", RequestLine),
    ("", "POST / HTTP/1.1| |\r\n", RequestLine),
    ("", "POST /a| |b HTTP/1.1\r\n", RequestLine),
    ("", "POST /|\r|\n", NoVersion),
    ("", "POST / |h|ttp/1.1\r\n", Version),
    ("", "POST / |H|TTX/1.1\r\n", Version),
    ("", "POST / HTTP/1.1|0|\r\n", Version),
    ("", "POST / |H|TTP/2.0\r\nHost: h\r\n\r\n", VersionUnsupported),
    ("", "POST / |H|TTP/0.9\r\nHost: h\r\n\r\n", VersionUnsupported),
    ("", "PO|(|ST / HTTP/1.1\r\n", MethodToken),
    ("", "PO|\0|ST / HTTP/1.1\r\n", MethodToken),
    ("", "|p|ost / HTTP/1.1\r\nHost: h\r\n\r\n", MethodUnknown),
    ("", "|B|REW / HTTP/1.1\r\nHost: h\r\n\r\n", MethodUnknown),
    // The target.
    ("", "POST /|\0| HTTP/1.1\r\n", TargetByte),
    ("", "POST /a|#|b HTTP/1.1\r\nHost: h\r\n\r\n", TargetFragment),
    ("", "POST /a|\"|b HTTP/1.1\r\nHost: h\r\n\r\n", TargetByte),
    ("", "POST /a?b=|{|c} HTTP/1.1\r\nHost: h\r\n\r\n", TargetByte),
    ("", "POST /a|\\|b HTTP/1.1\r\nHost: h\r\n\r\n", TargetByte),
    ("", "POST /|%|zz HTTP/1.1\r\nHost: h\r\n\r\n", TargetPercent),
    ("", "POST /a|%|4 HTTP/1.1\r\nHost: h\r\n\r\n", TargetPercent),
    ("", "POST |a|bout HTTP/1.1\r\nHost: h\r\n\r\n", TargetForm),
    ("", "POST |*| HTTP/1.1\r\nHost: h\r\n\r\n", TargetForm),
    ("", "POST |h|ttps://h/ HTTP/1.1\r\nHost: h\r\n\r\n", TargetScheme),
    ("", "POST http://u|@|h/ HTTP/1.1\r\nHost: h\r\n\r\n", TargetAuthority),
    ("", "POST http://|/|x HTTP/1.1\r\nHost: h\r\n\r\n", TargetAuthority),
    ("", "POST /0123456789012345678901234567890123456789012345678901234567890123456789|\"|\"01234567890123456789 HTTP/1.1\r\nHost: h\r\n\r\n", TargetByte),
    ("", "POST /|\"|0123456789012345678901234567890123456789012345678901234567890123456789\" HTTP/1.1\r\nHost: h\r\n\r\n", TargetByte),
    // Fields.
    ("", "POST / HTTP/1.1\r\n| |Host: h\r\n\r\n", SpaceBeforeFields),
    (HEAD, "X: a\r\n| |b\r\n\r\n", Folding),
    (HEAD, "X: a\r\n|\t|b\r\n\r\n", Folding),
    (HEAD, "X| |: a\r\n\r\n", SpaceBeforeColon),
    (HEAD, "X|\t|: a\r\n\r\n", SpaceBeforeColon),
    (HEAD, "NoColon|\r|\n\r\n", NoColon),
    (HEAD, "X| |a\r\n\r\n", NoColon),
    (HEAD, "X|\t|a \r\n\r\n", NoColon),
    (HEAD, "POST| |/ HTTP/1.1\r\n\r\n", NoColon),
    (HEAD, "X| |Y: a\r\n\r\n", NoColon),
    (HEAD, "Via| |127.0.0.1:5000\r\n\r\n", NoColon),
    (HEAD, "X|,|a\r\n\r\n", FieldName),
    (HEAD, "|:| a\r\n\r\n", FieldName),
    (HEAD, "X|(|: a\r\n\r\n", FieldName),
    (HEAD, "X: a|\0|b\r\n\r\n", FieldValue),
    (HEAD, "X: a|\x1b|[2J\r\n\r\n", FieldValue),
    // Host.
    (HEAD, "|h|ost: h\r\n\r\n", HostTwice),
    ("", "POST / HTTP/1.1\r\nHost: a|/|b\r\n\r\n", HostInvalid),
    ("", "POST / HTTP/1.1\r\nHost: u|@|h\r\n\r\n", HostInvalid),
    ("", "POST / HTTP/1.1\r\nHost: h:8|x|\r\n\r\n", HostInvalid),
    // Where the content ends.
    (HEAD, "Content-Length: |+|5\r\n\r\n", LengthInvalid),
    (HEAD, "Content-Length: |-|5\r\n\r\n", LengthInvalid),
    (HEAD, "Content-Length: 5|x|\r\n\r\n", LengthInvalid),
    (HEAD, "Content-Length: 0|x|5\r\n\r\n", LengthInvalid),
    (HEAD, "Content-Length: 5| |5\r\n\r\n", LengthInvalid),
    (HEAD, "Content-Length: 5|,|\r\n\r\n", LengthInvalid),
    (HEAD, "Content-Length: |,|5\r\n\r\n", LengthInvalid),
    (HEAD, "Content-Length: |+|5, +5\r\n\r\n", LengthInvalid),
    (HEAD, "Content-Length:|\r|\n\r\n", LengthInvalid),
    (HEAD, "Content-Length: 5, |6|\r\n\r\n", LengthTwice),
    (HEAD, "Content-Length: 5,|5|, 5\r\n\r\n", LengthRepeated),
    (HEAD, "Content-Length: 5\r\n|C|ontent-Length: 5\r\n\r\n", LengthRepeated),
    (HEAD, "Content-Length: 5\r\n|C|ontent-Length: 6\r\n\r\n", LengthTwice),
    (HEAD, "Content-Length: |1|8446744073709551616\r\n\r\n", ContentTooLarge),
    (HEAD, "Transfer-Encoding: chunked\r\n|C|ontent-Length: 5\r\n\r\n", LengthAndCoding),
    (HEAD, "|C|ontent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", LengthAndCoding),
    ("", "POST / HTTP/1.0\r\n|T|ransfer-Encoding: chunked\r\n\r\n", CodingInHttp10),
    (HEAD, "Transfer-Encoding: |g|zip, chunked\r\n\r\n", CodingUnknown),
    (HEAD, "Transfer-Encoding: |g|zip\r\nTransfer-Encoding: chunked\r\n\r\n", CodingUnknown),
    (HEAD, "Transfer-Encoding: chunked, |c|hunked\r\n\r\n", CodingTwice),
    (HEAD, "Transfer-Encoding: chunked\r\nTransfer-Encoding: |c|hunked\r\n\r\n", CodingTwice),
    (HEAD, "Transfer-Encoding: chunked, |g|zip\r\n\r\n", CodingNotLast),
    (HEAD, "Transfer-Encoding: |i|dentity\r\n\r\n", CodingNotLast),
    (HEAD, "Transfer-Encoding:|\r|\n\r\n", CodingNotLast),
    (HEAD, "Expect: |2|00-maybe\r\n\r\n", ExpectationUnknown),
    // Chunks.
    (CHUNKED, "|x|\r\n", ChunkSize),
    (CHUNKED, "0|x|5\r\nhello\r\n", ChunkSize),
    (CHUNKED, "|+|5\r\nhello\r\n", ChunkSize),
    (CHUNKED, "1\r\na\r\n| |5\r\nhello\r\n", ChunkSize),
    (CHUNKED, "5| |\r\nhello\r\n", ChunkExtension),
    (CHUNKED, "5|\n|hello\r\n", BareLf),
    (CHUNKED, "5;a=|\"|b\r\nhello\r\n", ChunkExtension),
    (CHUNKED, "3\r\nhel|l|o\r\n", ChunkEnd),
    (CHUNKED, "|f|fffffffffffffffff\r\n", ContentTooLarge),
    (CHUNKED, "0\r\nX| |: a\r\n\r\n", SpaceBeforeColon),
    (CHUNKED, "0\r\nX| |a\r\n\r\n", NoColon),
    (CHUNKED, "0\r\nX: a|\0|\r\n\r\n", FieldValue),
];

/// The refusals that show a corrected line for at least one of the requests in [`MARKED`].
#[rustfmt::skip]
const CORRECTED: [Refusal; 19] = [
    RequestLine, NoVersion, Version, VersionUnsupported, MethodUnknown, TargetByte, TargetFragment,
    TargetPercent, TargetForm, SpaceBeforeFields, SpaceBeforeColon, NoColon, FieldValue, LengthInvalid, LengthRepeated,
    CodingTwice, ExpectationUnknown, ChunkSize, ChunkExtension,
];

fn server() -> ServerHandle {
    Server::bind("127.0.0.1:0").unwrap().start(&ROUTES, ()).unwrap()
}

/// Sends these bytes, half-closes, and returns the response.
fn response(server: &ServerHandle, request: &[u8]) -> String {
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.write_all(request).unwrap();
    let _ = client.shutdown(Shutdown::Write); // the server may have closed already
    let mut response = String::new();
    client.read_to_string(&mut response).unwrap();
    response
}

/// Returns the lines of the picture in a response: the broken line, the caret and the corrected line.
fn picture(response: &str) -> Vec<&str> {
    response.lines().filter_map(|line| line.strip_prefix("    ")).collect()
}

/// Undoes [`Visible`]: returns the bytes of a line of the picture.
fn bytes(visible: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), visible);
    while let Some(byte) = rest.bytes().next() {
        let (byte, length) = match rest.get(..2) {
            Some(r"\r") => (b'\r', 2),
            Some(r"\n") => (b'\n', 2),
            Some(r"\t") => (b'\t', 2),
            Some(r"\x") => (u8::from_str_radix(&rest[2..4], 16).unwrap(), 4),
            _ => (byte, 1),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    bytes
}

/// Whether the response gives the reason of this refusal. Long sentences are folded.
fn says(response: &str, refusal: Refusal) -> bool {
    let words = response.split_whitespace().collect::<Vec<_>>();
    words.join(" ").contains(refusal.rule().why)
}

#[test]
fn the_caret_is_under_the_marked_byte() {
    let server = server();
    for (opening, marked, refusal) in MARKED {
        let at = opening.len() + marked.find('|').expect(marked);
        let request = format!("{opening}{}", marked.replace('|', ""));
        let response = response(&server, request.as_bytes());
        assert!(says(&response, refusal), "{marked:?}: {response}");

        let [line, caret, ..] = picture(&response)[..] else { panic!("{marked:?}: {response}") };
        let (before, from) = line.split_at(caret.find('^').expect(caret));
        let start = request[..at].rfind('\n').map_or(0, |lf| lf + 1);
        let whole = Visible(&request.as_bytes()[start..at]).to_string();
        // A long line is cut, and some of it is kept on both sides of the caret.
        let is_cut = before.len() >= 32 && whole.ends_with(before);
        assert!(before == whole || is_cut, "{marked:?}: {response}");
        let byte = request.as_bytes().get(at..=at).unwrap_or_default();
        // A line end is not shown: the caret is after the line.
        if [&b"\n"[..], b"\r\n"].iter().any(|end| request.as_bytes()[at..].starts_with(end)) {
            assert!(from.is_empty() || line == "(an empty line)", "{marked:?}: {response}");
            continue;
        }
        assert!(from.starts_with(&Visible(byte).to_string()), "{marked:?}: {response}");
    }
}

#[test]
fn the_corrected_line_is_not_refused_for_the_same_reason() {
    let server = server();
    let mut corrected = HashSet::new();
    for (opening, marked, refusal) in MARKED {
        let at = opening.len() + marked.find('|').expect(marked);
        let mut request = format!("{opening}{}", marked.replace('|', "")).into_bytes();
        let first = response(&server, &request);
        let [line, caret, corrected_line] = picture(&first)[..] else { continue };

        let start = at - bytes(&line[..caret.len() - 1]).len();
        request.splice(start..start + bytes(line).len(), bytes(corrected_line));
        let second = response(&server, &request);
        // A request that ends with this line is cut short, and the response then shows its last line.
        let is_cut_short = says(&second, HeadCutShort);
        let is_shown = picture(&second).contains(&corrected_line) && !is_cut_short;
        assert!(!says(&second, refusal) && !is_shown, "{marked:?}: {first}{second}");
        corrected.insert(refusal);
    }
    assert_eq!(corrected, HashSet::from(CORRECTED));
}

#[test]
fn a_missing_host_is_shown_as_a_line_to_add() {
    let server = server();
    for request in ["POST / HTTP/1.1\r\n\r\n", "\r\nPOST / HTTP/1.1\r\nX: y\r\n\r\n"] {
        let refused = response(&server, request.as_bytes());
        assert!(says(&refused, HostMissing), "{refused}");
        let [line, host] = picture(&refused)[..] else { panic!("{refused}") };
        let corrected = request.replace(line, &format!("{line}\r\n{host}"));
        let served = response(&server, corrected.as_bytes());
        assert!(served.starts_with("HTTP/1.1 200 OK\r\n"), "{served}");
    }
}

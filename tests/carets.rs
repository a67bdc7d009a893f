//! A refusal points at the byte. Here each malformed request has its offending byte marked by hand,
//! between two bars, and the answer that comes over the wire must show its line with the caret under
//! that byte, and give the reason. Where it shows the line as it should be, too, that line is put in the
//! place of the other and sent: the server must have nothing more to say against it.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use openkitchen::message::refusal::Refusal::{self, *};
use openkitchen::message::visible::Visible;
use openkitchen::{Request, Response, Routes, Server, ServerHandle, post, routes};

static ROUTES: Routes = routes(&[post("/", |_: &Request| Response::text("good"))]);

/// What stands between the bars is the byte; `HEAD` and `CHUNKED` open requests that are good so far.
const HEAD: &str = "POST / HTTP/1.1\r\nHost: h\r\n";
const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

#[rustfmt::skip]
const MARKED: [(&str, &str, Refusal); 94] = [
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
    ("", "POST /a|#|b HTTP/1.1\r\nHost: h\r\n\r\n", TargetByte),
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
    (HEAD, "X| |Y: a\r\n\r\n", FieldName),
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
    (HEAD, "Content-Length: 5,|5|, 5\r\n\r\n", LengthTwice),
    (HEAD, "Content-Length: 5\r\n|C|ontent-Length: 5\r\n\r\n", LengthTwice),
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

/// The refusals that show the line as it should be, some of them only where it is clear what was meant.
#[rustfmt::skip]
const MENDED: [Refusal; 19] = [
    BareLf, RequestLine, NoVersion, Version, VersionUnsupported, MethodUnknown, TargetByte, TargetPercent,
    TargetForm, SpaceBeforeFields, SpaceBeforeColon, NoColon, FieldValue, LengthInvalid, LengthTwice,
    CodingTwice, ExpectationUnknown, ChunkSize, ChunkExtension,
];

fn server() -> ServerHandle {
    Server::bind("127.0.0.1:0").unwrap().start(&ROUTES, ()).unwrap()
}

/// What the server answers to these bytes, behind which nothing more comes.
fn answer(server: &ServerHandle, request: &[u8]) -> String {
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.write_all(request).unwrap();
    let _ = client.shutdown(Shutdown::Write); // it may have been refused before its end
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

/// The lines that an answer shows.
fn shown(answer: &str) -> Vec<&str> {
    answer.lines().filter_map(|line| line.strip_prefix("    ")).collect()
}

/// The bytes that were made visible.
fn bytes(shown: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), shown);
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

#[test]
fn the_caret_stands_under_the_byte_that_was_marked() {
    let server = server();
    for (opening, marked, refusal) in MARKED {
        let at = opening.len() + marked.find('|').expect(marked);
        let request = format!("{opening}{}", marked.replace('|', ""));
        let answer = answer(&server, request.as_bytes());
        assert!(answer.contains(refusal.rule().why), "{marked:?}: {answer}");

        let [line, caret, ..] = shown(&answer)[..] else { panic!("{marked:?}: {answer}") };
        let (before, from) = line.split_at(caret.find('^').expect(caret));
        let start = request[..at].rfind('\n').map_or(0, |lf| lf + 1);
        let whole = Visible(&request.as_bytes()[start..at]).to_string();
        // A long line is cut, and some of it stands on both sides of the caret.
        let is_cut = before.len() >= 36 && whole.ends_with(before);
        assert!(before == whole || is_cut, "{marked:?}: {answer}");
        let byte = request.as_bytes().get(at..=at).unwrap_or_default();
        assert!(from.starts_with(&Visible(byte).to_string()), "{marked:?}: {answer}");
    }
}

#[test]
fn the_line_as_it_should_be_passes_where_the_other_failed() {
    let server = server();
    let mut mended = HashSet::new();
    for (opening, marked, refusal) in MARKED {
        let at = opening.len() + marked.find('|').expect(marked);
        let mut request = format!("{opening}{}", marked.replace('|', "")).into_bytes();
        let first = answer(&server, &request);
        let [line, caret, good] = shown(&first)[..] else { continue };

        let start = at - bytes(&line[..caret.len() - 1]).len();
        request.splice(start..start + bytes(line).len(), bytes(good));
        let second = answer(&server, &request);
        // Where nothing came behind it, it is shown once more: as the last line.
        let is_last = second.contains(HeadCutShort.rule().why);
        let is_shown = shown(&second).contains(&good) && !is_last;
        assert!(!second.contains(refusal.rule().why) && !is_shown, "{marked:?}: {first}{second}");
        mended.insert(refusal);
    }
    assert_eq!(mended, HashSet::from(MENDED));
}

#[test]
fn the_line_that_is_missing_is_shown_where_it_belongs() {
    let server = server();
    for request in ["POST / HTTP/1.1\r\n\r\n", "\r\nPOST / HTTP/1.1\r\nX: y\r\n\r\n"] {
        let refused = answer(&server, request.as_bytes());
        assert!(refused.contains(HostMissing.rule().why), "{refused}");
        let [line, host] = shown(&refused)[..] else { panic!("{refused}") };
        let mended = request.replace(line, &format!("{line}\r\n{host}"));
        let served = answer(&server, mended.as_bytes());
        assert!(served.starts_with("HTTP/1.1 200 OK\r\n"), "{served}");
    }
}

//! A refusal points at the byte. Here each malformed request has its offending byte marked by hand,
//! between two bars, and the answer that comes over the wire must show its line with the caret under
//! that byte, and give the reason.

use std::io::{Read, Write};
use std::net::TcpStream;

use openkitchen::message::refusal::Refusal::{self, *};
use openkitchen::message::visible::Visible;
use openkitchen::{Request, Response, Routes, Server, post, routes};

static ROUTES: Routes = routes(&[post("/", |_: &Request| Response::text("good"))]);

/// What stands between the bars is the byte; `HEAD` and `CHUNKED` open requests that are good so far.
const HEAD: &str = "POST / HTTP/1.1\r\nHost: h\r\n";
const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

#[rustfmt::skip]
const MARKED: [(&str, &str, Refusal); 66] = [
    // Lines.
    ("", "|\n|POST / HTTP/1.1\r\n", BareLf),
    ("", "\r\n|\r|\n", BlankLines),
    ("", "POST / HTTP/1.1|\n|Host: h\r\n\r\n", BareLf),
    ("", "POST / HTTP/1.1\r\nHost: h|\n|\r\n", BareLf),
    ("", "POST / HTTP/1.1\r\nHost: h\r\n|\n|", BareLf),
    ("", "POST / HTTP/1.1|\r|Host: h\r\n\r\n", BareCr),
    (HEAD, "X: a|\r|b\r\n\r\n", BareCr),
    (HEAD, "X|\r|: a\r\n\r\n", BareCr),
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
    // Fields.
    ("", "POST / HTTP/1.1\r\n| |Host: h\r\n\r\n", SpaceBeforeFields),
    (HEAD, "X: a\r\n| |b\r\n\r\n", Folding),
    (HEAD, "X: a\r\n|\t|b\r\n\r\n", Folding),
    (HEAD, "X| |: a\r\n\r\n", SpaceBeforeColon),
    (HEAD, "X|\t|: a\r\n\r\n", SpaceBeforeColon),
    (HEAD, "NoColon|\r|\n\r\n", NoColon),
    (HEAD, "X| |Y: a\r\n\r\n", FieldName),
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
    (HEAD, "Content-Length: 5|x|\r\n\r\n", LengthInvalid),
    (HEAD, "Content-Length: 5\r\n|C|ontent-Length: 5\r\n\r\n", LengthTwice),
    (HEAD, "Transfer-Encoding: chunked\r\n|C|ontent-Length: 5\r\n\r\n", LengthAndCoding),
    (HEAD, "Transfer-Encoding: |g|zip, chunked\r\n\r\n", CodingUnknown),
    (HEAD, "Transfer-Encoding: chunked, |g|zip\r\n\r\n", CodingNotLast),
    (HEAD, "Expect: |2|00-maybe\r\n\r\n", ExpectationUnknown),
    // Chunks.
    (CHUNKED, "|x|\r\n", ChunkSize),
    (CHUNKED, "0|x|5\r\nhello\r\n", ChunkSize),
    (CHUNKED, "5|\n|hello\r\n", BareLf),
    (CHUNKED, "5;a=|\"|b\r\nhello\r\n", ChunkExtension),
    (CHUNKED, "3\r\nhel|l|o\r\n", ChunkEnd),
    (CHUNKED, "|f|fffffffffffffffff\r\n", ContentTooLarge),
    (CHUNKED, "0\r\nX| |: a\r\n\r\n", SpaceBeforeColon),
    (CHUNKED, "0\r\nX: a|\0|\r\n\r\n", FieldValue),
];

#[test]
fn the_caret_stands_under_the_byte_that_was_marked() {
    let server = Server::bind("127.0.0.1:0").unwrap().start(&ROUTES, ()).unwrap();
    for (opening, marked, refusal) in MARKED {
        let at = opening.len() + marked.find('|').expect(marked);
        let request = format!("{opening}{}", marked.replace('|', ""));

        let mut client = TcpStream::connect(server.address()).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();

        assert!(answer.contains(refusal.rule().why), "{marked:?}: {answer}");
        let lines: Vec<&str> = answer.lines().collect();
        let caret = lines.iter().position(|line| line.trim() == "^").expect(&answer);
        let (shown, column) = (lines[caret - 1], lines[caret].len() - 1);
        let start = request[..at].rfind('\n').map_or(0, |lf| lf + 1);
        let before = Visible(&request.as_bytes()[start..at]).to_string();
        let byte = Visible(&request.as_bytes()[at..=at]).to_string();
        assert_eq!(&shown[..column], format!("    {before}"), "{marked:?}: {answer}");
        assert!(shown[column..].starts_with(&byte), "{marked:?}: {answer}");
    }
}

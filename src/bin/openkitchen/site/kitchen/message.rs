//! # One direction of an exchange as JSON: its bytes, its reads, and what each part means

use openkitchen::message::ending::Ending;
use openkitchen::observe::{KeptBytes, KeptExchange, ReadOrWrite};
use openkitchen::transcript::Side;
use openkitchen::transcript::explain::{ConnectionExplainer, Remark};

use crate::json::{self, millis};

/// What the bytes of both sides of an exchange mean, as they are shown: the request's remarks, and the
/// response's.
pub fn remarks(kept: &KeptExchange, shown: &[Vec<u8>; 2]) -> [Vec<Remark>; 2] {
    let mut explainer = ConnectionExplainer::default();
    // Of a message that was cut, here or by the end of its connection, only the second is told.
    let is_cut = |message: &KeptBytes| {
        kept.is_over && !message.is_whole() && message.total() == message.bytes().len() as u64
    };
    let [request, response] = shown;
    let sides = [(Side::Client, &kept.request, request), (Side::Server, &kept.response, response)];
    sides.map(|(side, message, bytes)| {
        let mut remarks = explainer.explain_bytes(side, bytes);
        if is_cut(message) {
            remarks.extend(explainer.explain_end(side));
        }
        remarks
    })
}

/// The start of the line of a remark that says what goes wrong if a broken rule is accepted.
const WHY: &str = "why: ";

/// What bytes mean, part by part.
pub fn parts(remarks: &[Remark]) -> String {
    json::array(remarks.iter().map(|remark| {
        // What goes wrong if a broken rule is accepted is a line of the text.
        let why = remark.text.lines().find_map(|line| line.strip_prefix(WHY)).unwrap_or_default();
        let lines: Vec<&str> = remark.text.lines().filter(|line| !line.starts_with(WHY)).collect();
        json::object([
            ("start", remark.span.start.to_string()),
            ("end", remark.span.end.to_string()),
            ("about", json::string(&remark.about)),
            ("text", json::string(&lines.join("\n"))),
            ("why", json::string(why)),
            ("clause", json::string(remark.clause)),
            ("fault", remark.is_fault.to_string()),
        ])
    }))
}

/// A message of an exchange, with its bytes as they are shown.
pub fn kept(message: &KeptBytes, bytes: &[u8], remarks: &[Remark]) -> String {
    let start = message.head_length().filter(|&head| head < message.total());
    object(bytes, message.total(), start, message.reads(), ending(message), remarks)
}

/// A message from its parts. `start` is where the content begins.
pub fn object(
    bytes: &[u8],
    total: u64,
    start: Option<u64>,
    reads: &[ReadOrWrite],
    ending: &str,
    remarks: &[Remark],
) -> String {
    let reads = reads
        .iter()
        .map(|read| json::object([("at", millis(read.at)), ("length", read.length.to_string())]));
    json::object([
        ("bytes", json::bytes(bytes)),
        ("total", total.to_string()),
        ("start", json::or_null(start.map(|start| start.to_string()))),
        ("reads", json::array(reads)),
        ("ending", json::string(ending)),
        ("parts", parts(remarks)),
    ])
}

/// How the end of a message is found.
pub fn ending(message: &KeptBytes) -> &'static str {
    ending_text(message.ending())
}

/// A rule about the end of a message, in a few words. `None` is that of a broken head.
pub fn ending_text(ending: Option<Ending>) -> &'static str {
    match ending {
        None => "not known: its head is not complete, or it is broken",
        Some(Ending::Length(0) | Ending::NoFraming | Ending::NoContent | Ending::ToHead) => {
            "no content"
        }
        Some(Ending::Length(_)) => "by length",
        Some(Ending::Chunked) => "by chunks",
        Some(Ending::Close | Ending::CloseCoded) => "by close",
        Some(Ending::Interim) => "no content: a final response follows",
        Some(Ending::Switched) => "with the connection: it has left HTTP",
        Some(Ending::Tunnel) => "with the connection: it is a tunnel",
        Some(Ending::CodingUnknown | Ending::LengthInvalid | Ending::LengthsDiffer) => {
            "not known: its fields do not say it in one way"
        }
    }
}

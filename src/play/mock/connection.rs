//! What the server does on one connection of a transcript.

use std::collections::BTreeMap;
use std::mem;

use super::notes;
use crate::message::dialogue::{Dialogue, Side};
use crate::play::expected::{EqualUpTo, ExpectedBytes, head_length, name_of};
use crate::play::script::ANY_REQUEST;
use crate::play::turns::{Step, Turn, Turns};
use crate::transcript::{Bytes, Item};

/// What the server does on one connection.
pub(super) struct MockConnection {
    /// The connection's number in the transcript.
    pub number: u32,
    /// The name of the transcript, if it has one.
    pub page: String,
    /// What its requests have that the transcript does not have.
    pub added: Added,
    pub steps: Vec<Step>,
    /// All bytes that the client should send.
    pub expected: ExpectedBytes,
    /// The end of each complete request in them.
    pub request_ends: Vec<u64>,
    /// What may be a mistake in the transcript, in sentences.
    pub notes: Vec<String>,
    /// Where the transcript has no bytes of the client: the steps before which any request is awaited.
    pub awaits: Vec<AwaitedRequest>,
}

/// What the requests of a connection got, because the transcript does not have it: see [`as_meant`].
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Added {
    /// Whether a request has got a `Content-Length`.
    pub has_length: bool,
    /// The head of each request that has got an empty line: the number of the request, from 1, and where the
    /// head ends without that line, as an offset in all bytes of the client.
    pub empty_lines: Vec<(u64, u64)>,
}

/// Any request, which is awaited before a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AwaitedRequest {
    /// The index of the step.
    pub before: usize,
    /// The number of the request, from 1.
    pub number: usize,
    /// Whether its head is enough, because an interim response follows.
    pub is_head_enough: bool,
}

impl MockConnection {
    /// Returns the connections of a transcript, in the order in which they first appear.
    pub fn all(items: &[Item]) -> Vec<MockConnection> {
        let mut connections: Vec<MockConnection> = Vec::new();
        let (items, mut added) = as_meant(items);
        for Turn { connection: number, mut step } in Turns::new(&items, Side::Server) {
            let index = connections.iter().position(|known| known.number == number);
            let index = index.unwrap_or_else(|| {
                let (expected, steps) = (ExpectedBytes::default(), Vec::new());
                let added = added.remove(&number).unwrap_or_default();
                let on_request =
                    added.empty_lines.first().map(|(nth, _)| notes::on_head("request", *nth));
                let on_response = notes::on_responses(&items, number);
                connections.push(MockConnection {
                    number,
                    page: String::new(),
                    added,
                    steps,
                    expected,
                    request_ends: Vec::new(),
                    notes: on_request.into_iter().chain(on_response).collect(),
                    awaits: Vec::new(),
                });
                connections.len() - 1
            });
            let connection = &mut connections[index];
            if let Step::Receive(shown) = &mut step {
                connection.expected.append(mem::take(&mut shown.bytes));
                connection.request_ends.extend(&shown.message_ends);
            }
            connection.steps.push(step);
        }
        // Assertions alone are nothing to play.
        connections.retain(|it| it.steps.iter().any(|step| !matches!(step, Step::Assert { .. })));
        for connection in &mut connections {
            test_after_interim(&mut connection.steps);
            connection.awaits = awaited_requests(&connection.steps);
            connection.notes.extend(notes::on_assertions(&connection.steps));
        }
        connections
    }

    /// Whether the transcript has bytes of this connection. If it has none, the client may send any.
    pub fn has_bytes(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Send { .. } | Step::Receive(_)))
    }

    /// Whether the client acts first.
    pub fn begins_with_client(&self) -> bool {
        self.begins_with_bytes() || matches!(self.first_act(), Some(Step::AwaitEnd(_)))
    }

    /// Whether the client begins, with bytes.
    pub fn begins_with_bytes(&self) -> bool {
        matches!(self.first_act(), Some(Step::Receive(_)))
            || self.awaits.first().is_some_and(|awaited| awaited.number == 1)
    }

    /// The first step in which a side does something.
    fn first_act(&self) -> Option<&Step> {
        let is_act = |step: &&Step| {
            !matches!(
                step,
                Step::Open | Step::Wait { .. } | Step::Assert { about: Side::Client, .. }
            )
        };
        self.steps.iter().find(is_act)
    }

    /// Whether the client has sent the bytes of a head up to an empty line that was added, and no more: `total`
    /// is their end with that line, and `ends` are those of the requests in `received`.
    pub fn has_head_as_written(&self, total: u64, received: &[u8], ends: &[u64]) -> bool {
        let to = total.saturating_sub(EMPTY_LINE.len() as u64);
        let whole = ends.len();
        let start = |ends: &[u64]| whole.checked_sub(1).and_then(|last| ends.get(last).copied());
        let mut equal = EqualUpTo {
            expected: start(&self.request_ends).unwrap_or_default(),
            received: start(ends).map_or(0, |end| usize::try_from(end).unwrap_or(usize::MAX)),
        };
        self.added.empty_lines.contains(&(whole as u64 + 1, to))
            && !self.expected.compare(&mut equal, to, received, Side::Client)
            && equal == EqualUpTo { expected: to, received: received.len() }
    }

    /// Whether assertions are tested on the requests, and not the bytes.
    pub fn has_assertions(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Assert { about: Side::Client, .. }))
    }
}

/// A transcript as a person means it who writes it by hand: without empty lines below whole requests, which
/// set two blocks apart and which no client sends, with a `Content-Length` where a request has content and
/// no framing, and with the empty line that ends a head where a response follows at once. Returns what each
/// connection got, too.
fn as_meant(items: &[Item]) -> (Vec<Item>, BTreeMap<u32, Added>) {
    let mut dialogues: BTreeMap<u32, Dialogue> = BTreeMap::new();
    let (original, mut items) = (items, items.to_vec());
    let mut added = BTreeMap::<u32, Added>::new();
    for (at, item) in items.iter_mut().enumerate() {
        let Item::Block(block) = item else { continue };
        let dialogue = dialogues.entry(block.connection).or_default();
        let Some(mut bytes) = block.bytes.expand() else { continue };
        let is_request = block.from == Side::Client && !dialogue.reader(Side::Client).is_within();
        if let Some(framed) = is_request.then(|| with_content_length(&bytes)).flatten() {
            (bytes, block.bytes) = (framed.clone(), Bytes::raw(framed));
            added.entry(block.connection).or_default().has_length = true;
        }
        let (mut end, mut length) = (0, 0);
        while let Some(range) = dialogue.next(block.from, &bytes[length..]) {
            length += range.length;
            if range.ends_message {
                end = length;
            }
        }
        let is_blank = bytes[end..].iter().all(|byte| b"\r\n".contains(byte));
        if block.from == Side::Client && end > 0 && end < bytes.len() && is_blank {
            block.bytes = Bytes::raw(&bytes[..end]);
        }
        let progress = *dialogue.progress(Side::Client);
        if block.from == Side::Client
            && progress.is_within_head()
            && bytes.ends_with(b"\r\n")
            && !is_blank
            && is_answered_at_once(&original[at + 1..], block.connection)
        {
            let lines = &mut added.entry(block.connection).or_default().empty_lines;
            lines.push((progress.finals + 1, progress.total));
            dialogue.follow(Side::Client, EMPTY_LINE);
            block.bytes = Bytes::raw([&bytes, EMPTY_LINE].concat());
        }
    }
    (items, added)
}

/// The line that ends a head.
const EMPTY_LINE: &[u8] = b"\r\n";

/// Whether the next thing on this connection is a block of the server: no wait and no end is before it.
fn is_answered_at_once(items: &[Item], connection: u32) -> bool {
    let next = items.iter().find_map(|item| match item {
        Item::Block(block) => {
            (block.connection == connection).then_some(block.from == Side::Server)
        }
        Item::Event(event) => (event.connection == connection).then_some(false),
        Item::Prose(_) | Item::Assertions(_) => None,
    });
    next == Some(true)
}

/// The methods of requests that usually have content.
const METHODS_WITH_CONTENT: [&[u8]; 3] = [b"POST ", b"PUT ", b"PATCH "];

/// This request with a `Content-Length`, if it has content and no framing: what follows its head begins
/// no other request. The line ends at the end of the content do not count.
fn with_content_length(bytes: &[u8]) -> Option<Vec<u8>> {
    let (head, content) = bytes.split_at(head_length(bytes)?);
    let mut lines = head.split(|&byte| byte == b'\n');
    let is_start_line = |line: &[u8]| {
        line.trim_ascii_end().rsplit(|&byte| byte == b' ').next().is_some_and(is_http)
    };
    // In a malformed head, the next bytes are meant as they are.
    let frames = |line: &[u8]| {
        let name = name_of(line.trim_ascii_end());
        !name.iter().all(u8::is_ascii_graphic)
            || [&b"content-length"[..], b"transfer-encoding"].contains(&&*name)
    };
    let mut content_lines = content.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let first = content_lines.find(|line| !line.is_empty())?;
    let has_content = |line: &[u8]| {
        is_start_line(line) && METHODS_WITH_CONTENT.iter().any(|method| line.starts_with(method))
    };
    if !lines.next().is_some_and(has_content) || lines.any(frames) || is_start_line(first) {
        return None;
    }
    let mut content = content;
    while let Some(rest) = content.strip_suffix(b"\r\n") {
        content = rest;
    }
    let length = format!("Content-Length: {}\r\n\r\n", content.len());
    Some([&head[..head.len() - 2], length.as_bytes(), content].concat())
}

fn is_http(version: &[u8]) -> bool {
    version.starts_with(b"HTTP/1.")
}

/// Moves assertions on a request behind the interim response that follows: the client may wait for it
/// before it sends the content.
fn test_after_interim(steps: &mut [Step]) {
    let mut at = 0;
    while at < steps.len() {
        let is_early = matches!(steps[at], Step::Assert { about: Side::Client, .. })
            && next_response(&steps[at..]).is_some_and(is_interim);
        let send = steps[at..].iter().position(|step| matches!(step, Step::Send { .. }));
        match send {
            Some(length) if is_early => steps[at..=at + length].rotate_left(1),
            _ => at += 1,
        }
    }
}

/// Returns where any request is awaited: before each response, if the client sends nothing in the
/// transcript. A response that follows a silence is sent into it.
fn awaited_requests(steps: &[Step]) -> Vec<AwaitedRequest> {
    let (mut awaits, mut dialogue) = (Vec::<AwaitedRequest>::new(), Dialogue::new());
    if steps.iter().any(|step| matches!(step, Step::Receive(_))) {
        return awaits;
    }
    dialogue.follow(Side::Client, ANY_REQUEST);
    let (mut number, mut is_due) = (1, true);
    for (before, step) in steps.iter().enumerate() {
        if is_due && let Some(response) = next_response(&steps[before..]) {
            awaits.push(AwaitedRequest { before, number, is_head_enough: is_interim(response) });
            is_due = false;
        }
        match step {
            Step::Silent { .. } => is_due = false,
            Step::Send { bytes, .. } => {
                dialogue.follow(Side::Server, bytes);
                let finals = dialogue.progress(Side::Server).finals;
                let is_answered = finals >= dialogue.requests();
                if is_answered {
                    // It was more than an interim response.
                    if let Some(last) = awaits.last_mut().filter(|last| last.number == number) {
                        last.is_head_enough = false;
                    }
                    dialogue.follow(Side::Client, ANY_REQUEST);
                    number += 1;
                }
                is_due |= is_answered || is_interim(bytes);
            }
            _ => {}
        }
    }
    awaits
}

/// Whether these bytes are an interim response. In a status line, the status follows `HTTP/1.1 `. A 101
/// is not interim.
pub(super) fn is_interim(response: &[u8]) -> bool {
    response.starts_with(b"HTTP/")
        && matches!(response.get(9..12), Some([b'1', _, b'0' | b'2'..=b'9']))
}

/// The first bytes of the response that these steps begin with: they may be waited for, or have
/// assertions on their request.
fn next_response(steps: &[Step]) -> Option<&[u8]> {
    let begins = |step: &&Step| {
        !matches!(step, Step::Wait { .. } | Step::Assert { about: Side::Client, .. })
    };
    match steps.iter().find(begins) {
        Some(Step::Send { bytes, .. }) => Some(bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Transcript;

    /// Where requests are awaited on the first connection: before which step, and whether the head is
    /// enough.
    fn awaits(text: &str) -> Vec<(usize, bool)> {
        let items = Transcript::parse(text).unwrap().items;
        let [connection, ..] = &MockConnection::all(&items)[..] else { panic!("a connection") };
        connection.awaits.iter().map(|it| (it.before, it.is_head_enough)).collect()
    }

    #[test]
    fn empty_lines_below_a_request_are_not_awaited() {
        let items = |text: &str| Transcript::parse(text).unwrap().items;
        let get = ">>>\nGET / HTTP/1.1\nHost: h\n\n";
        let empty = "<<<\nHTTP/1.1 204 No Content\n\n";
        let post = ">>>\nPOST / HTTP/1.1\nContent-Length: 4\n\n\n\n";
        for (text, expected) in [
            (format!("{get}\n\n{empty}"), format!("{get}{empty}")),
            (format!("{get}{empty}{get}\n"), format!("{get}{empty}{get}")),
            (post.to_owned(), post.to_owned()),
            (format!("{get}\n{get}"), format!("{get}{get}")),
            (format!("{post}\n{empty}"), format!("{post}{empty}")),
            (">>>\n\n\n".into(), ">>>\n\n\n".into()),
            (format!("{get}{empty}\n"), format!("{get}{empty}\n")),
        ] {
            assert_eq!(as_meant(&items(&text)), (items(&expected), BTreeMap::new()), "{text}");
        }
    }

    #[test]
    fn a_head_that_is_answered_at_once_gets_its_empty_line() {
        let items = |text: &str| Transcript::parse(text).unwrap().items;
        let [get, ok] = [">>>\nGET / HTTP/1.1\nHost: h\n", "<<<\nHTTP/1.1 204 No Content\n\n"];
        for (text, expected, lines) in [
            (format!("{get}{ok}"), format!("{get}\n{ok}"), vec![(1, 25)]),
            (format!("{get}???\nmethod GET\n{ok}"), String::new(), vec![(1, 25)]),
            (
                format!("{get}{ok}{get}\n{ok}{get}{ok}"),
                format!("{get}\n{ok}{get}\n{ok}{get}\n{ok}"),
                vec![(1, 25), (3, 79)],
            ),
            (format!("{get}>>>\nA: b\n{ok}"), format!("{get}>>>\nA: b\n\n{ok}"), vec![(1, 31)]),
            // Cut on purpose, or no head of HTTP.
            (format!("{get}--- silent 1s\n{ok}"), format!("{get}--- silent 1s\n{ok}"), vec![]),
            (format!("{get}--- client half-close\n{ok}"), String::new(), vec![]),
            (format!("{get}A: b\\\n{ok}"), format!("{get}A: b\\\n{ok}"), vec![]),
            (get.to_owned(), get.to_owned(), vec![]),
            (format!("{get}--- @2 open\n"), String::new(), vec![]),
            (format!(">>>\nEHLO me\n{ok}"), format!(">>>\nEHLO me\n{ok}"), vec![]),
            (format!(">>>\nUSER me\n{ok}"), format!(">>>\nUSER me\n{ok}"), vec![]),
        ] {
            let (meant, added) = as_meant(&items(&text));
            if !expected.is_empty() {
                assert_eq!(meant, items(&expected), "{text}");
            }
            let found = added.get(&1).map_or(&[][..], |added| &added.empty_lines);
            assert_eq!(found, lines, "{text}");
        }
    }

    #[test]
    fn content_without_framing_gets_a_length() {
        let request = |text: &str| text.replace('\n', "\r\n").into_bytes();
        let post = "POST / HTTP/1.1\nHost: h\n";
        for (text, expected) in [
            (format!("{post}\nhi\n"), Some(format!("{post}Content-Length: 2\n\nhi"))),
            (format!("{post}\nhi\n\n\n"), Some(format!("{post}Content-Length: 2\n\nhi"))),
            (format!("{post}\na\n\nb"), Some(format!("{post}Content-Length: 6\n\na\n\nb"))),
            (format!("{post}\n"), None),
            (format!("{post}\n\n\n"), None),
            (format!("{post}Content-length: 1\n\nhi\n"), None),
            (format!("{post}Transfer-Encoding: chunked\n\n0\n\n"), None),
            (format!("{post}\n\nGET / HTTP/1.1\nHost: h\n\n"), None),
            (format!("{post}Transfer-Encoding\0: chunked\n\n0\n\n"), None),
            (format!("{post}Content-Length : 1\n\nx\n\n"), None),
            ("EHLO\n\nme\n".into(), None),
            ("GET / HTTP/1.1\nHost: h\n\nno request\n".into(), None),
            (post.into(), None),
        ] {
            let expected = expected.map(|expected| request(&expected));
            assert_eq!(with_content_length(&request(&text)), expected, "{text}");
        }
    }

    #[test]
    fn any_request_is_awaited_before_each_response_where_the_client_sends_nothing() {
        const EMPTY: &str = "<<<\nHTTP/1.1 200 OK\nContent-Length: 0\n\n";
        for (text, expected) in [
            (format!("{EMPTY}{EMPTY}"), vec![(0, false), (1, false)]),
            (
                format!("--- open\n--- wait 1s\n{EMPTY}--- wait 1s\n--- server closed\n"),
                vec![(1, false)],
            ),
            ("<<<\nHTTP/1.1 200 OK\n\n<<<\nto the end\\\n".into(), vec![(0, false)]),
            (format!("<<<\nHTTP/1.1 100 Continue\n\n{EMPTY}"), vec![(0, true), (1, false)]),
            (
                format!("???\nmethod GET\n{EMPTY}???\nmethod PUT\n{EMPTY}"),
                vec![(0, false), (2, false)],
            ),
            (format!("--- silent 1s\n{EMPTY}"), vec![]),
            (format!(">>>\nGET / HTTP/1.1\n\n{EMPTY}{EMPTY}"), vec![]),
            ("--- server reset\n".into(), vec![]),
        ] {
            assert_eq!(awaits(&text), expected, "{text}");
        }
    }
}

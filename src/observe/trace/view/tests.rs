//! Tests of the view: a list of events in, the text of a transcript out. `screen` has those whose
//! output is the rows of a screen.

mod screen;

use std::net::SocketAddr;

use super::*;
use crate::message::dialogue::Dialogue;
use crate::message::persistence::Persistence;
use crate::message::status::Status;
use crate::net::observer::{Answered, End};
use crate::observe::trace::event::Summary;
use crate::observe::trace::screen::Screen;
use crate::transcript::{Item, Transcript};

/// A view that takes an event every tenth of a millisecond, and the items that it has made.
struct TestView {
    view: View,
    dialogues: HashMap<u64, Dialogue>,
    now: Instant,
    items: Vec<Item>,
    /// The rows of a screen.
    rows: String,
    screen: Screen,
    columns: usize,
}

impl TestView {
    fn new(options: TraceOptions) -> TestView {
        let screen = Screen::new(&options);
        let (view, dialogues) = (View::new(options), HashMap::new());
        let (now, items, rows) = (Instant::now(), Vec::new(), String::new());
        TestView { view, dialogues, now, items, rows, screen, columns: 80 }
    }

    fn add(&mut self, connection: u64, observed: Observed) -> &mut TestView {
        self.now += Duration::from_micros(100);
        self.view.add(TraceEvent { at: self.now, connection, observed });
        self.take();
        self
    }

    fn open(&mut self, connection: u64) -> &mut TestView {
        self.add(connection, Observed::Opened(([127, 0, 0, 1], 4000).into()))
    }

    fn cross(&mut self, connection: u64, from: Side, bytes: &[u8]) -> &mut TestView {
        let dialogue = self.dialogues.entry(connection).or_default();
        let begins_message = !dialogue.reader(from).is_within();
        let ranges = dialogue.follow(from, bytes).into();
        let crossed = CrossedBytes { from, bytes: bytes.into(), ranges, begins_message };
        self.add(connection, Observed::Crossed(crossed))
    }

    /// Bytes of which the view is not told.
    fn cross_unseen(&mut self, connection: u64, from: Side, bytes: &[u8]) {
        self.dialogues.entry(connection).or_default().follow(from, bytes);
    }

    fn receive(&mut self, connection: u64, bytes: impl AsRef<[u8]>) -> &mut TestView {
        self.cross(connection, Side::Client, bytes.as_ref())
    }

    fn send(&mut self, connection: u64, bytes: impl AsRef<[u8]>) -> &mut TestView {
        self.cross(connection, Side::Server, bytes.as_ref())
    }

    fn route(&mut self, connection: u64, is_quiet: bool) -> &mut TestView {
        self.add(connection, Observed::Routed { is_quiet })
    }

    fn answer(&mut self, connection: u64, target: &str, status: Status) -> &mut TestView {
        let exchange = Answered {
            peer: SocketAddr::from(([127, 0, 0, 1], 5000)),
            method: "GET",
            target: masked(target),
            version: None,
            unread_line: b"",
            fields: None,
            status,
            route: None,
            received: 27,
            content_sent: 0,
            took: Duration::from_micros(200),
            persistence: Persistence::KeepAlive,
        };
        self.add(connection, Observed::Answered(Summary::of(&exchange)))
    }

    fn end(&mut self, connection: u64, end: End) -> &mut TestView {
        self.add(connection, Observed::Ended(end))
    }

    /// Lets time pass.
    fn pass(&mut self, millis: u64) -> &mut TestView {
        self.now += Duration::from_millis(millis);
        self
    }

    /// Lets time pass until the view has to be woken, and wakes it.
    fn wait(&mut self) -> &mut TestView {
        if let Some(at) = self.view.wake_at() {
            self.now = at;
            self.view.wake(at);
        }
        assert!(self.view.wake_at().is_none_or(|at| at > self.now), "the thread would never sleep");
        self.take();
        self
    }

    /// Takes the items that the view has made.
    fn take(&mut self) {
        let has_several = self.view.has_several();
        for entry in self.view.entries() {
            self.screen.print(&entry, has_several, self.columns, &mut self.rows);
            if let TraceEntry::Item(item) = entry {
                self.items.push(item);
            }
        }
    }

    /// The transcript so far. Checks that it can be parsed.
    #[track_caller]
    fn text(&mut self) -> String {
        self.view.finish();
        self.take();
        let transcript = Transcript { items: self.items.clone() };
        let text = transcript.to_string();
        assert_eq!(Transcript::parse(&text), Ok(transcript));
        text
    }

    #[track_caller]
    fn shows(&mut self, expected: &str) {
        let text = self.text();
        assert_eq!(text, expected, "\n{text}");
    }

    /// How many lines of prose hold these words.
    fn prose_lines(&mut self, words: &str) -> usize {
        self.text().lines().filter(|line| line.starts_with('#') && line.contains(words)).count()
    }
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n")
}

fn ok(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")
}

fn test_view() -> TestView {
    TestView::new(TraceOptions::default())
}

/// A view of a server with quiet routes.
fn view_with_quiet_routes() -> TestView {
    let mut test = test_view();
    test.add(0, Observed::Started { quiet: vec!["/healthz".into()] });
    test.shows("# /healthz is shown only if it fails\n");
    test.items.clear();
    test
}

#[test]
fn a_plain_exchange_is_shown_in_full() {
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
    let mut test = test_view();
    test.open(1).receive(1, get("/about")).send(1, response);
    test.answer(1, "/about", Status::OK).end(1, End::ClientClosed).end(1, End::ServerClosed);
    test.shows(
        "\
--- open from 127.0.0.1:4000

>>> 32 bytes, +0.1 ms
GET /about HTTP/1.1
Host: h

<<< 44 bytes, +0.1 ms
HTTP/1.1 200 OK
Content-Length: 6

hello\\n
# 1 GET /about 200 0.2 ms, stays open
--- client half-close
--- server closed
",
    );
}

#[test]
fn counted_reads_share_a_block() {
    let mut test = test_view();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n{}", &ok(600)[17..]);
    test.open(2).receive(2, get("/a.png")).send(2, head + "x");
    test.send(2, [b'x'; 100]).send(2, [b'x'; 100]).send(2, [b'x'; 100]);
    test.open(3).receive(3, get("/")); // ends the block of connection 2
    test.send(2, [b'x'; 100]).send(2, [b'x'; 100]);
    test.wait().send(2, [b'x'; 99]);
    test.shows(
        "\
--- @2 open from 127.0.0.1:4000

>>> @2 32 bytes, +0.1 ms
GET /a.png HTTP/1.1
Host: h

<<< @2 66 bytes, +0.1 ms
HTTP/1.1 200 OK
Content-Type: image/png
Content-Length: 600

\\{1 bytes}\\
<<< @2 300 bytes in 3 pieces, +0.3 ms
\\{300 bytes}\\
--- @3 open from 127.0.0.1:4000

>>> @3 27 bytes, +0.1 ms
GET / HTTP/1.1
Host: h

<<< @2 200 bytes in 2 pieces, +0.4 ms
\\{200 bytes}\\
<<< @2 99 bytes, +1.0 s
\\{99 bytes}\\
",
    );
}

#[test]
fn each_sides_end_is_shown_in_order_and_nothing_after_a_reset() {
    let mut test = test_view();
    test.open(1).end(1, End::ClientClosed).end(1, End::ServerClosed); // without a byte
    test.open(2).receive(2, "x").end(2, End::ServerClosed).end(2, End::ClientReset);
    test.open(3).end(3, End::ClientReset).end(3, End::ServerClosed);
    test.shows(
        "\
--- open from 127.0.0.1:4000
--- client half-close
--- server closed
--- @2 open from 127.0.0.1:4000

>>> @2 1 byte, +0.1 ms
x\\
--- @2 server closed
--- @2 client reset
--- @3 open from 127.0.0.1:4000
--- @3 client reset
",
    );
    test.add(1, Observed::Gone).add(2, Observed::Gone).add(3, Observed::Gone);
    assert!(test.view.connections.is_empty());
}

#[test]
fn a_response_after_a_half_close_is_shown() {
    let mut test = test_view();
    test.open(1).receive(1, get("/")).end(1, End::ClientClosed).send(1, ok(0));
    assert!(test.text().ends_with("HTTP/1.1 200 OK\nContent-Length: 0\n\n"));
}

#[test]
fn a_key_in_a_target_is_remarked_each_time_and_never_quoted() {
    let mut test = test_view();
    test.open(1);
    for target in ["/?appid=abc123", "/?q=1&%6bey=abc123", "/?appid=", "/key", "/?q=1"] {
        test.receive(1, get(target)).answer(1, target, Status::OK);
    }
    assert_eq!(test.prose_lines("a key is in the target"), 2);
    assert_eq!(test.prose_lines("RFC 9110 section 17.9"), 2);
    assert_eq!(test.prose_lines("GET /?appid=*** 200"), 1);
    assert_eq!(test.prose_lines("abc123"), 0);
    assert!(test.text().contains("\nGET /?appid=abc123 HTTP/1.1\n"), "the very bytes");
}

#[test]
fn secret_fields_and_the_favicon_are_remarked_once() {
    let mut test = test_view();
    test.open(1);
    for _ in 0..2 {
        test.receive(1, "GET / HTTP/1.1\r\nauthorization: Basic eDp5\r\n\r\n");
        test.send(1, "HTTP/1.1 204 No Content\r\nSet-Cookie: a=b\r\n\r\n");
        test.receive(1, get("/favicon.ico?v=2"));
    }
    assert_eq!(test.prose_lines("keys and cookies in header fields"), 1);
    assert_eq!(test.prose_lines("/favicon.ico is the icon"), 1);
    assert_eq!(test.prose_lines("eDp5"), 0);
}

#[test]
fn each_connections_events_are_shown_and_silence_is_explained_once() {
    let mut test = test_view();
    assert_eq!(test.view.wake_at(), None);
    test.open(1).open(2).open(3).receive(1, get("/")).send(1, ok(0));
    test.end(2, End::ClientClosed).wait().open(4).wait();
    assert_eq!(test.view.wake_at(), None, "nothing is due any more");
    test.pass(9_500).receive(3, get("/a")).send(3, ok(0)).end(4, End::ClientReset);
    test.pass(60_000).end(1, End::ServerClosed);
    test.shows(
        "\
--- open from 127.0.0.1:4000

>>> 27 bytes, +0.3 ms
GET / HTTP/1.1
Host: h

<<< 38 bytes, +0.1 ms
HTTP/1.1 200 OK
Content-Length: 0

--- @2 open from 127.0.0.1:4000
--- @2 client half-close
--- @3 open from 127.0.0.1:4000

# @3 is open and silent: it may be a spare connection, which a browser uses when it needs one more
--- @4 open from 127.0.0.1:4000
--- @3 silent 13s

>>> @3 28 bytes, +13.5 s
GET /a HTTP/1.1
Host: h

<<< @3 38 bytes, +0.1 ms
HTTP/1.1 200 OK
Content-Length: 0

--- @4 silent 11s
--- @4 client reset
--- silent 73s
--- server closed
",
    );
}

#[test]
fn the_next_request_on_a_connection_is_marked_as_kept_alive() {
    let mut test = test_view();
    test.open(1).receive(1, get("/").repeat(2)).send(1, ok(0)).send(1, ok(0));
    test.pass(2_500).receive(1, &get("/")[..20]).receive(1, &get("/")[20..]).send(1, ok(0));
    let text = test.text();
    let markers: Vec<&str> = text.lines().filter(|line| line.starts_with(['>', '-'])).collect();
    assert_eq!(
        markers,
        [
            "--- open from 127.0.0.1:4000",
            ">>> 54 bytes, +0.1 ms",
            "--- silent 2s",
            ">>> 20 bytes, +2.5 s, kept alive",
            ">>> 7 bytes, +0.1 ms",
        ]
    );
}

#[test]
fn a_thousand_silent_connections_are_counted_after_the_first_few() {
    let mut test = test_view();
    for number in 1..=1000 {
        test.open(number);
        if number % 3 == 0 {
            test.end(number, End::ClientClosed).end(number, End::ServerClosed);
            test.add(number, Observed::Gone);
        }
    }
    while test.view.wake_at().is_some() {
        test.wait();
    }
    for number in 1..=1000 {
        test.end(number, End::ServerClosed);
    }
    assert_eq!(test.prose_lines("open and silent"), 0, "connections that ended came first");
    assert_eq!(test.prose_lines("994 more connections without a byte"), 1);
    assert_eq!(test.text().lines().count(), 6 * 3 + 2);
    // A minute later the next ones are shown.
    test.open(2000).wait().receive(1, get("/")).open(2001).end(2001, End::ClientClosed);
    assert_eq!(test.prose_lines("@2000 is open and silent"), 1);
    assert!(test.text().contains("\n--- @2001 client half-close\n"));
}

#[test]
fn a_quiet_exchange_is_shown_only_if_it_fails() {
    let mut test = view_with_quiet_routes();
    test.open(1).receive(1, get("/healthz")).route(1, true).send(1, ok(0));
    test.answer(1, "/healthz", Status::OK).end(1, End::ClientClosed);
    // Two in one read, and an exchange on another route on the same connection.
    test.open(2).receive(2, get("/healthz").repeat(2));
    for _ in 0..2 {
        test.route(2, true).send(2, ok(0)).answer(2, "/healthz", Status::OK);
    }
    test.receive(2, get("/")).route(2, false).send(2, ok(0)).answer(2, "/", Status::OK);
    test.receive(2, get("/healthz")).route(2, true);
    test.send(2, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    test.answer(2, "/healthz", Status::SERVICE_UNAVAILABLE);
    test.shows(
        "\
--- @2 open from 127.0.0.1:4000

>>> @2 27 bytes, +0.2 ms, kept alive
GET / HTTP/1.1
Host: h

<<< @2 38 bytes, +0.2 ms
HTTP/1.1 200 OK
Content-Length: 0

# 1 GET / 200 0.2 ms, stays open

>>> @2 34 bytes, +0.2 ms, kept alive
GET /healthz HTTP/1.1
Host: h

<<< @2 55 bytes, +0.2 ms
HTTP/1.1 503 Service Unavailable
Content-Length: 0

# 2 GET /healthz 503 0.2 ms, stays open
",
    );
}

#[test]
fn a_quiet_stream_without_end_is_held_back_up_to_its_bound() {
    let mut test = view_with_quiet_routes();
    test.open(1).receive(1, get("/live/events")).route(1, true);
    test.send(1, "HTTP/1.1 200 OK\r\n\r\n");
    for _ in 0..10_000 {
        test.send(1, "event\n");
    }
    test.end(1, End::ServerClosed).shows("");
    test.open(2).receive(2, get("/live/events")).route(2, true).send(2, [b'x'; 70_000]);
    test.answer(2, "/live/events", Status::INTERNAL_SERVER_ERROR);
    assert_eq!(test.prose_lines("too many to keep"), 1);
    assert!(!test.text().contains("xxx"));
}

#[test]
fn a_request_is_shown_when_its_route_is_known_or_there_is_none() {
    for (number, event) in [
        Observed::Routed { is_quiet: false },
        Observed::Ended(End::ClientReset),
        Observed::Ended(End::ServerClosed),
    ]
    .into_iter()
    .enumerate()
    {
        let mut test = view_with_quiet_routes();
        test.open(1).receive(1, get("/"));
        assert_eq!(test.text(), "");
        test.add(1, event);
        assert!(test.text().contains("\nGET / HTTP/1.1\n"), "event {number}");
    }
    // A head that the server refuses has no route, and a head in two reads is shown as it arrives.
    let mut test = view_with_quiet_routes();
    test.open(1).receive(1, get("/")).send(1, ok(0)).answer(1, "/", Status::BAD_REQUEST);
    assert_eq!(test.prose_lines("1 GET / 400"), 1);
    let mut test = view_with_quiet_routes();
    test.open(1).receive(1, "GET /healthz HTTP/1.1\r\n");
    assert!(test.text().ends_with("GET /healthz HTTP/1.1\n"));
    test.receive(1, "\r\n").route(1, true).send(1, ok(0)).answer(1, "/healthz", Status::OK);
    assert_eq!(test.prose_lines("1 GET /healthz 200"), 1);
}

#[test]
fn of_two_requests_in_one_read_both_are_shown_if_one_is_not_quiet() {
    let mut test = view_with_quiet_routes();
    test.open(1).receive(1, get("/healthz") + &get("/"));
    test.route(1, true).send(1, ok(0)).answer(1, "/healthz", Status::OK);
    assert_eq!(test.text(), "");
    test.route(1, false).send(1, ok(0)).answer(1, "/", Status::OK);
    assert_eq!(test.prose_lines("1 GET /healthz 200"), 1);
    assert_eq!(test.prose_lines("2 GET / 200"), 1);
}

#[test]
fn after_lost_events_bytes_are_counted_until_a_message_begins() {
    let mut test = test_view();
    test.open(1).receive(1, get("/"));
    test.add(0, Observed::Lost { events: 14, exchanges: 3 });
    test.cross_unseen(1, Side::Server, ok(21).as_bytes());
    test.send(1, "the rest of something").receive(1, get("/b")).answer(1, "/b", Status::OK);
    test.receive(1, "GET /c HTTP/1.1\r\n\r\n").send(1, ok(0)).end(1, End::ClientClosed);
    test.shows(
        "\
--- open from 127.0.0.1:4000

>>> 27 bytes, +0.1 ms
GET / HTTP/1.1
Host: h

# 14 events were not shown: more came than could be printed

<<< 21 bytes
\\{21 bytes}\\
>>> 28 bytes, +0.1 ms, kept alive
GET /b HTTP/1.1
Host: h

# 4 GET /b 200 0.2 ms, stays open

>>> 19 bytes, +0.2 ms
GET /c HTTP/1.1

<<< 38 bytes, +0.1 ms
HTTP/1.1 200 OK
Content-Length: 0

--- client half-close
",
    );
}

#[test]
fn sight_returns_with_the_first_byte_of_a_message_for_the_explanations_too() {
    let mut test = TestView::new(TraceOptions { explain: true, ..TraceOptions::default() });
    test.open(1).receive(1, get("/")).send(1, ok(9));
    test.add(0, Observed::Lost { events: 3, exchanges: 0 });
    test.send(1, "half of").send(1, "it");
    for byte in get("/b").as_bytes() {
        test.receive(1, [*byte]);
    }
    test.send(1, ok(0));
    let shown = test.text();
    assert!(shown.contains("\n\\{9 bytes}\\\n"), "{shown}");
    assert!(shown.contains(">>> 1 byte, +0.1 ms, kept alive\nG\\\n"), "{shown}");
    assert!(shown.contains("\n# /b: the path"), "{shown}");
    assert!(shown.contains("\n<<< 38 bytes, +0.1 ms\nHTTP/1.1 200 OK\n"), "{shown}");
}

#[test]
fn after_lost_events_bytes_of_no_message_are_shown() {
    let mut test = test_view();
    let switching = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
    test.open(1).receive(1, get("/")).send(1, switching);
    test.add(0, Observed::Lost { events: 3, exchanges: 0 });
    test.receive(1, "to").send(1, "fro");
    assert!(test.text().ends_with("\nto\\\n<<< 3 bytes, +0.1 ms\nfro\\\n"), "{}", test.text());
}

#[test]
fn tls_from_a_server_is_told_once_as_what_it_is() {
    const TOLD: &str = "the server speaks TLS (https)";
    let mut test = test_view();
    test.open(1).receive(1, get("/")).send(1, b"\x15\x03\x03\0\x02\x02\x46");
    test.open(2).receive(2, b"\x16\x03\x01\0\x05").send(2, b"\x16\x03\x03\0\x05");
    assert_eq!(test.prose_lines(TOLD), 1, "{}", test.text());
    let mut other = test_view();
    other.open(1).receive(1, b"\x16\x03\x01\0\x05").send(1, ok(2));
    assert_eq!(other.prose_lines(TOLD), 0, "{}", other.text());
    // In a tunnel, it is the server behind the proxy that speaks TLS.
    let mut tunnel = test_view();
    tunnel.open(1).receive(1, "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n");
    tunnel.send(1, "HTTP/1.1 200 OK\r\n\r\n").receive(1, b"\x16\x03\x01\0\x05");
    tunnel.send(1, b"\x16\x03\x03\0\x05");
    assert_eq!(tunnel.prose_lines(TOLD), 0, "{}", tunnel.text());
}

#[test]
fn a_connection_is_forgotten_when_it_is_gone_even_if_its_start_was_lost() {
    let mut test = test_view();
    test.open(1).receive(1, get("/"));
    test.add(0, Observed::Lost { events: 1, exchanges: 0 });
    assert!(test.view.connections.is_empty());
    test.open(2).receive(2, get("/")).receive(1, get("/"));
    assert_eq!(test.view.connections.len(), 2);
    test.add(1, Observed::Gone).add(2, Observed::Gone);
    assert!(test.view.connections.is_empty());
    assert_eq!(test.prose_lines("1 event was not shown"), 1);
}

#[test]
fn control_bytes_from_a_client_never_reach_the_terminal() {
    let mut test = test_view();
    test.open(1).receive(1, "GET /\x1b[2J HTTP/1.1\r\n\r\n# not prose\r\n>>> no block\r\n");
    test.answer(1, "/\x1b[2J\n# 2", Status::BAD_REQUEST);
    let text = test.text();
    assert!(text.lines().all(|line| line.bytes().all(|byte| (b' '..=b'~').contains(&byte))));
    assert!(text.contains("# 1 GET /\\x1b[2J\\n# 2 400"), "{text}");
}

#[test]
fn what_is_more_than_is_followed_is_said_once_and_sight_returns() {
    let mut view = test_view();
    view.open(1).receive(1, get("/1")).send(1, format!("HTTP/1.1 200 {}", "y".repeat(300 * 1024)));
    view.send(1, "yyy\r\n\r\n").receive(1, get("/2")).send(1, ok(0));
    let text = view.text();
    let told = "\n# more than is followed here: a head whose first line ";
    assert_eq!(text.matches(told).count(), 1, "{:.900}", text);
    assert!(!text.contains("broken") && text.ends_with("HTTP/1.1 200 OK\nContent-Length: 0\n\n"));
}

#[test]
fn what_a_client_sends_after_a_switch_is_no_further_request() {
    let mut view = test_view();
    view.open(1).receive(1, get("/")).send(1, "HTTP/1.1 101 Switching Protocols\r\n\r\n");
    view.receive(1, b"\x81\x80abcd").send(1, b"\x81\0").receive(1, get("/"));
    let text = view.text();
    assert!(text.contains("\n>>> 6 bytes, +"), "{text}");
    assert!(!text.contains("kept alive"), "{text}");
}

#[test]
fn what_a_client_sends_after_the_servers_end_is_not_kept_alive() {
    for end in [End::ServerClosed, End::ServerHalfClosed] {
        let mut view = test_view();
        view.open(1).receive(1, get("/")).send(1, ok(0));
        view.end(1, end).receive(1, get("/"));
        let text = view.text();
        assert_eq!(text.matches("\n>>> ").count(), 2, "{text}");
        assert!(!text.contains("kept alive"), "{text}");
    }
}

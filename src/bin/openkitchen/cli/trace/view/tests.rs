//! Tests of the view: a list of events in, the text of a transcript out.

use openkitchen::Status;
use openkitchen::transcript::Transcript;

use super::*;

/// A view in front of which things happen, a tenth of a millisecond apart.
struct Stage {
    view: View,
    now: Instant,
    items: Vec<Item>,
}

impl Stage {
    fn new(options: TraceOptions) -> Stage {
        Stage { view: View::new(options), now: Instant::now(), items: Vec::new() }
    }

    fn see(&mut self, connection: u64, event: Observed) -> &mut Stage {
        self.now += Duration::from_micros(100);
        self.view.see(TraceEvent { at: self.now, connection, event });
        self.items.extend(self.view.items());
        self
    }

    fn open(&mut self, connection: u64) -> &mut Stage {
        self.see(connection, Observed::Opened(([127, 0, 0, 1], 4000).into()))
    }

    fn receive(&mut self, connection: u64, bytes: impl AsRef<[u8]>) -> &mut Stage {
        self.see(connection, Observed::Crossed(Side::Client, bytes.as_ref().into()))
    }

    fn send(&mut self, connection: u64, bytes: impl AsRef<[u8]>) -> &mut Stage {
        self.see(connection, Observed::Crossed(Side::Server, bytes.as_ref().into()))
    }

    fn answer(&mut self, connection: u64, target: &str, status: Status) -> &mut Stage {
        let persistence = Persistence::KeepAlive;
        let exchange = Answered {
            method: "GET",
            target: masked(target),
            status,
            route: None,
            is_quiet: target.starts_with("/healthz"),
            received: 27,
            took: Duration::from_micros(200),
            persistence,
        };
        self.see(connection, Observed::Answered(Summary::of(&exchange)))
    }

    fn end(&mut self, connection: u64, end: End) -> &mut Stage {
        self.see(connection, Observed::Ended(end))
    }

    /// Lets time pass.
    fn pass(&mut self, millis: u64) -> &mut Stage {
        self.now += Duration::from_millis(millis);
        self
    }

    /// Goes to the next moment at which the view wants to be woken.
    fn wait(&mut self) -> &mut Stage {
        if let Some(at) = self.view.wake_at() {
            self.now = at;
            self.view.wake(at);
        }
        assert!(self.view.wake_at().is_none_or(|at| at > self.now), "or it never sleeps");
        self.items.extend(self.view.items());
        self
    }

    /// The page so far. All of it can be read back.
    #[track_caller]
    fn page(&mut self) -> String {
        self.view.finish();
        self.items.extend(self.view.items());
        let page = Transcript { items: self.items.clone() };
        let text = page.to_string();
        assert_eq!(Transcript::parse(&text), Ok(page));
        text
    }

    #[track_caller]
    fn shows(&mut self, page: &str) {
        let shown = self.page();
        assert_eq!(shown, page, "\n{shown}");
    }

    fn times_told(&mut self, words: &str) -> usize {
        self.page().lines().filter(|line| line.starts_with('#') && line.contains(words)).count()
    }
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n")
}

fn ok(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")
}

fn watched() -> Stage {
    let quiet = vec!["/healthz", "/live/*"];
    Stage::new(TraceOptions { quiet, ..TraceOptions::default() })
}

#[test]
fn a_plain_exchange_is_shown_whole() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
    let mut stage = watched();
    stage.open(1).receive(1, get("/about")).send(1, answer);
    stage.answer(1, "/about", Status::OK).end(1, End::ClientClosed).end(1, End::ServerClosed);
    stage.shows(
        "\
--- open from 127.0.0.1:4000

>>> 32 bytes, +0.1 ms
GET /about HTTP/1.1
Host: h

<<< 44 bytes, +0.1 ms
HTTP/1.1 200 OK
Content-Length: 6

hello\\n
# 1 GET /about 200 0.2 ms keep-alive
--- client half-close
--- server closed
",
    );
}

#[test]
fn pieces_that_are_only_counted_are_counted_together() {
    let mut stage = watched();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n{}", &ok(600)[17..]);
    stage.open(2).receive(2, get("/a.png")).send(2, head + "x");
    stage.send(2, [b'x'; 100]).send(2, [b'x'; 100]).send(2, [b'x'; 100]);
    stage.open(3).receive(3, get("/")); // in between, and in order
    stage.send(2, [b'x'; 100]).send(2, [b'x'; 100]);
    stage.wait().send(2, [b'x'; 99]);
    stage.shows(
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
fn who_left_first_is_told_and_a_reset_always() {
    let mut stage = watched();
    stage.open(1).end(1, End::ClientClosed).end(1, End::ServerClosed); // never said a word
    stage.open(2).receive(2, "x").end(2, End::ServerClosed).end(2, End::ClientReset);
    stage.open(3).end(3, End::ClientReset).end(3, End::ServerClosed);
    stage.shows(
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
    assert!(stage.view.connections.is_empty());
}

#[test]
fn a_client_that_closed_its_half_still_gets_its_answer() {
    let mut stage = watched();
    stage.open(1).receive(1, get("/")).end(1, End::ClientClosed).send(1, ok(0));
    assert!(stage.page().ends_with("HTTP/1.1 200 OK\nContent-Length: 0\n\n"));
}

#[test]
fn a_key_in_a_target_is_told_each_time_and_never_quoted() {
    let mut stage = watched();
    stage.open(1);
    for target in ["/?appid=abc123", "/?q=1&%6bey=abc123", "/?appid=", "/key", "/?q=1"] {
        stage.receive(1, get(target)).answer(1, target, Status::OK);
    }
    assert_eq!(stage.times_told("a key stands in the target"), 2);
    assert_eq!(stage.times_told("RFC 9110 section 17.9"), 2);
    assert_eq!(stage.times_told("GET /?appid=*** 200"), 1);
    assert_eq!(stage.times_told("abc123"), 0);
    assert!(stage.page().contains("\nGET /?appid=abc123 HTTP/1.1\n"), "the very bytes");
}

#[test]
fn secret_fields_and_the_favicon_are_told_once() {
    let mut stage = watched();
    stage.open(1);
    for _ in 0..2 {
        stage.receive(1, "GET / HTTP/1.1\r\nauthorization: Basic eDp5\r\n\r\n");
        stage.send(1, "HTTP/1.1 204 No Content\r\nSet-Cookie: a=b\r\n\r\n");
        stage.receive(1, get("/favicon.ico?v=2"));
    }
    assert_eq!(stage.times_told("on this screen only"), 1);
    assert_eq!(stage.times_told("/favicon.ico by itself"), 1);
    assert_eq!(stage.times_told("eDp5"), 0);
}

#[test]
fn each_connections_life_is_told_and_why_it_is_silent_once() {
    let mut stage = watched();
    assert_eq!(stage.view.wake_at(), None);
    stage.open(1).open(2).open(3).receive(1, get("/")).send(1, ok(0));
    stage.end(2, End::ClientClosed).wait().open(4).wait();
    assert_eq!(stage.view.wake_at(), None, "nobody has to wake up any more");
    stage.pass(9_500).receive(3, get("/a")).send(3, ok(0)).end(4, End::ClientReset);
    stage.pass(60_000).end(1, End::ServerClosed);
    stage.shows(
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

# @3 is open and silent: browsers open a spare connection, and use it when they need one more
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
fn a_connection_that_is_kept_alive_says_so_with_its_next_request() {
    let mut stage = watched();
    stage.open(1).receive(1, get("/").repeat(2)).send(1, ok(0)).send(1, ok(0));
    stage.pass(2_500).receive(1, &get("/")[..20]).receive(1, &get("/")[20..]).send(1, ok(0));
    let page = stage.page();
    let markers: Vec<&str> = page.lines().filter(|line| line.starts_with(['>', '-'])).collect();
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
fn a_crowd_that_says_nothing_does_not_fill_the_screen() {
    let mut stage = watched();
    for number in 1..=1000 {
        stage.open(number);
        if number % 3 == 0 {
            stage.end(number, End::ClientClosed).end(number, End::ServerClosed);
        }
    }
    while stage.view.wake_at().is_some() {
        stage.wait();
    }
    for number in 1..=1000 {
        stage.end(number, End::ServerClosed);
    }
    assert_eq!(stage.times_told("open and silent"), 0, "those that left were first");
    assert_eq!(stage.times_told("994 more connections without a byte"), 1);
    assert_eq!(stage.page().lines().count(), 6 * 3 + 2);
    // A minute later there is room again, and one that was not shown says something.
    stage.open(2000).wait().receive(1, get("/")).open(2001).end(2001, End::ClientClosed);
    assert_eq!(stage.times_told("@2000 is open and silent"), 1);
    assert!(stage.page().contains("\n--- @2001 client half-close\n"));
}

#[test]
fn a_quiet_exchange_is_shown_only_if_it_fails() {
    let mut stage = watched();
    stage.open(1).receive(1, get("/healthz")).send(1, ok(0));
    stage.answer(1, "/healthz", Status::OK).end(1, End::ClientClosed);
    // On one connection with another's exchange, and two in one read.
    stage.open(2).receive(2, get("/healthz").repeat(2)).send(2, ok(0)).send(2, ok(0));
    stage.answer(2, "/healthz", Status::OK).answer(2, "/healthz", Status::OK);
    stage.receive(2, get("/")).send(2, ok(0)).answer(2, "/", Status::OK);
    stage.receive(2, get("/healthz"));
    stage.send(2, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    stage.answer(2, "/healthz", Status::SERVICE_UNAVAILABLE);
    stage.shows(
        "\
--- @2 open from 127.0.0.1:4000

>>> @2 27 bytes, +0.3 ms, kept alive
GET / HTTP/1.1
Host: h

<<< @2 38 bytes, +0.1 ms
HTTP/1.1 200 OK
Content-Length: 0

# 1 GET / 200 0.2 ms keep-alive

>>> @2 34 bytes, +0.2 ms, kept alive
GET /healthz HTTP/1.1
Host: h

<<< @2 55 bytes, +0.1 ms
HTTP/1.1 503 Service Unavailable
Content-Length: 0

# 2 GET /healthz 503 0.2 ms keep-alive
",
    );
}

#[test]
fn a_quiet_stream_without_end_holds_back_no_more_than_its_room() {
    let mut stage = watched();
    stage.open(1).receive(1, get("/live/events")).send(1, "HTTP/1.1 200 OK\r\n\r\n");
    for _ in 0..10_000 {
        stage.send(1, "event\n");
    }
    stage.end(1, End::ServerClosed).shows("");
    stage.open(2).receive(2, get("/live/events")).send(2, [b'x'; 70_000]);
    stage.answer(2, "/live/events", Status::INTERNAL_SERVER_ERROR);
    assert_eq!(stage.times_told("was too much to be kept"), 1);
    assert!(!stage.page().contains("xxx"));
}

#[test]
fn after_a_loss_bytes_are_counted_until_an_exchange_is_over() {
    let mut stage = watched();
    stage.open(1).receive(1, get("/"));
    stage.see(0, Observed::Lost { events: 14, exchanges: 3 });
    stage.send(1, "the rest of something").receive(1, get("/b")).answer(1, "/b", Status::OK);
    stage.receive(1, "GET /c HTTP/1.1\r\n\r\n").end(1, End::ClientClosed);
    stage.shows(
        "\
--- open from 127.0.0.1:4000

>>> 27 bytes, +0.1 ms
GET / HTTP/1.1
Host: h

# 14 events were not shown: the terminal was too slow

<<< 21 bytes, +0.00 ms
\\{21 bytes}\\
>>> 28 bytes, +0.1 ms
\\{28 bytes}\\
# 4 GET /b 200 0.2 ms keep-alive

>>> 19 bytes, +0.2 ms
GET /c HTTP/1.1

--- client half-close
",
    );
}

#[test]
fn connections_that_never_say_goodbye_are_forgotten() {
    let mut stage = watched();
    for number in 1..2000 {
        stage.open(number).receive(number, get("/")).end(number, End::ServerClosed);
    }
    stage.see(0, Observed::Lost { events: 1, exchanges: 0 });
    for number in 1..2000 {
        stage.receive(number, get("/")).answer(number, "/", Status::OK);
    }
    assert!(stage.view.connections.len() <= FADING && stage.view.fading.len() <= FADING);
    assert_eq!(stage.times_told("1 event was not shown"), 1);
}

#[test]
fn what_a_stranger_sends_never_reaches_the_terminal_raw() {
    let mut stage = watched();
    stage.open(1).receive(1, "GET /\x1b[2J HTTP/1.1\r\n\r\n# not prose\r\n>>> no block\r\n");
    stage.answer(1, "/\x1b[2J\n# 2", Status::BAD_REQUEST);
    let page = stage.page();
    assert!(page.lines().all(|line| line.bytes().all(|byte| (b' '..=b'~').contains(&byte))));
    assert!(page.contains("# 1 GET /\\x1b[2J\\n# 2 400"), "{page}");
}

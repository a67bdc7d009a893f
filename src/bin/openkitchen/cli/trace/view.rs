//! # What happened, as a page
//!
//! In goes what an observer sees, with its time; out come the items of a transcript. No thread, no
//! clock, no terminal: a test of the trace is a list of events.
//!
//! What one does not see here:
//!
//! - That a connection was opened is shown with its first byte; or when it has been silent for two
//!   seconds, or ends without a byte. Of the latter only a few in a minute, for somebody may open
//!   thousands; the others are counted.
//! - Behind a reset no end is shown, for there is none.
//! - An exchange at a quiet route is held back until it is answered, and shown if it failed or if
//!   there was something to remark.
//! - When events were lost, nobody knows any more where on a connection a message begins. Then bytes
//!   are counted until its next exchange is answered.
//!
//! What is told once in a run: why a connection is silent, that a browser asks for a favicon, that
//! fields with secrets stand on this screen. A key in a target is told each time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use openkitchen::message::method::Method;
use openkitchen::message::persistence::Persistence;
use openkitchen::message::target::masked;
use openkitchen::transcript::explain::Remark;
use openkitchen::transcript::{Item, Side};
use openkitchen::{Answered, End};

use super::Options;
use super::connection::Connection;
use super::direction::{Head, Shown};
use super::page::Page;
use crate::cli::note::{SILENCE, Took, counted};

/// Connections without a byte that are shown, of those that come within [`MINUTE`]: as many as a
/// browser opens to one host.
const SHOWN: usize = 6;

const MINUTE: Duration = Duration::from_secs(60);

/// Connections that may never say goodbye, and are remembered all the same: whose server has
/// closed while the client goes on, and those that were met midway.
const FADING: usize = 256;

/// Something that an observer saw.
pub(super) struct Happened {
    /// When.
    pub at: Instant,
    /// On which connection; zero where that means nothing.
    pub connection: u64,
    /// What.
    pub event: Event,
}

/// What an observer can see.
pub(super) enum Event {
    Opened(SocketAddr),
    Crossed(Side, Vec<u8>),
    Answered(Summary),
    Ended(End),
    /// The program has something to say.
    Said(String),
    /// The queue was full.
    Lost {
        events: usize,
        exchanges: u64,
    },
}

/// An exchange that is over, in a line.
pub(super) struct Summary {
    line: String,
    has_failed: bool,
    is_quiet: bool,
}

impl Event {
    /// Bytes that it keeps on the heap.
    pub fn bytes(&self) -> usize {
        match self {
            Event::Crossed(_, bytes) => bytes.len(),
            Event::Answered(summary) => summary.line.len(),
            Event::Said(text) => text.len(),
            Event::Opened(_) | Event::Ended(_) | Event::Lost { .. } => 0,
        }
    }
}

impl Summary {
    /// `GET /about 200 0.2 ms keep-alive`. Keys have been masked: a line like this is quoted elsewhere.
    pub fn of(exchange: &Answered<'_>) -> Summary {
        let Answered { method, target, took, is_quiet, .. } = exchange;
        let status = exchange.status.code();
        let stays = match exchange.persistence {
            Persistence::KeepAlive => "keep-alive",
            Persistence::Close => "close",
        };
        let line = format!("{method} {target} {status} {} {stays}", Took(*took));
        Summary { line, has_failed: status >= 400, is_quiet: *is_quiet }
    }
}

/// Makes items of events.
pub(super) struct View {
    options: Options,
    connections: HashMap<u64, Connection>,
    /// Which connections are remembered only for so long, the oldest first.
    fading: VecDeque<u64>,
    /// Connections in the order they opened, while they may turn out to be silent.
    newcomers: VecDeque<(Instant, u64)>,
    mute: Mute,
    page: Page,
    exchanges: u64,
    told: Told,
}

/// What has been told in this run.
#[derive(Default)]
struct Told {
    silence: bool,
    favicon: bool,
    secret_field: bool,
    /// What has been explained: an element, and what was said of it.
    meanings: HashSet<(String, String)>,
}

/// Explanations that are remembered, so that each is given once. Beyond them nothing new is said.
const MEANINGS: usize = 4096;

impl View {
    /// Nothing has happened yet.
    pub fn new(options: Options) -> View {
        View {
            options,
            connections: HashMap::new(),
            fading: VecDeque::new(),
            newcomers: VecDeque::new(),
            mute: Mute::default(),
            page: Page::default(),
            exchanges: 0,
            told: Told::default(),
        }
    }

    /// Something happened.
    pub fn see(&mut self, Happened { at, connection, event }: Happened) {
        match event {
            Event::Opened(peer) => {
                let opened = Connection::opened(connection, peer, at, self.options.bodies);
                self.connections.insert(connection, opened);
                self.newcomers.push_back((at, connection));
            }
            Event::Crossed(from, bytes) => self.crossed(at, connection, from, &bytes),
            Event::Answered(summary) => self.answered(at, connection, &summary),
            Event::Ended(end) => self.ended(at, connection, end),
            Event::Said(text) => text.lines().for_each(|line| self.page.say(line)),
            Event::Lost { events, exchanges } => {
                self.connections.clear();
                self.exchanges += exchanges;
                let events = counted(events as u64, "event was", "events were");
                self.page.say(&format!("{events} not shown: the terminal was too slow"));
            }
        }
    }

    /// When there will be something to see, even if nothing happens until then.
    pub fn wake_at(&mut self) -> Option<Instant> {
        while let Some((_, number)) = self.newcomers.front() {
            if self.connections.get(number).is_some_and(Connection::is_silent) {
                break;
            }
            self.newcomers.pop_front();
        }
        let silence = self.newcomers.front().map(|(opened, _)| *opened + SILENCE);
        [silence, self.mute.counts_until(), self.page.counts_until()].into_iter().flatten().min()
    }

    /// It is so late now.
    pub fn wake(&mut self, now: Instant) {
        if self.wake_at().is_none_or(|at| at > now) {
            return;
        }
        self.page.stop_counting();
        while let Some(&(opened, number)) = self.newcomers.front()
            && opened + SILENCE <= now
        {
            self.newcomers.pop_front();
            if self.show_mute(now, number) && !mem::replace(&mut self.told.silence, true) {
                self.page.say(&format!(
                    "@{number} is open and silent: browsers open a spare connection, and use it \
                     when they need one more"
                ));
            }
        }
        if self.mute.counts_until().is_some_and(|until| until <= now) {
            self.tell_beyond();
        }
    }

    /// Shows a connection on which nothing has crossed, if it is one, and not one of too many. Says
    /// whether it did.
    fn show_mute(&mut self, at: Instant, number: u64) -> bool {
        let Some(connection) = self.connections.get_mut(&number) else { return false };
        let is_shown = connection.turns_out_silent() && self.mute.admits(at);
        if is_shown {
            connection.announce(&mut self.page);
        }
        is_shown
    }

    fn tell_beyond(&mut self) {
        let beyond = mem::take(&mut self.mute.beyond);
        if beyond > 0 {
            let connections = counted(beyond, "more connection", "more connections");
            self.page.say(&format!(
                "{connections} without a byte: the first {SHOWN} in a minute are shown"
            ));
        }
    }

    /// Nothing will happen any more.
    pub fn finish(&mut self) {
        self.page.stop_counting();
        self.tell_beyond();
    }

    /// What there is to print, and has not been taken.
    pub fn items(&mut self) -> impl Iterator<Item = Item> {
        self.page.items.drain(..)
    }

    fn crossed(&mut self, at: Instant, number: u64, from: Side, piece: &[u8]) {
        let connection = self.connection(number, at);
        let was_within_request = connection.is_within_request();
        let Shown { bytes, heads } = connection.follow(from, piece);
        let remarks = self.told.remarks(from, &heads);
        let requests = if from == Side::Client { &heads[..] } else { &[] };
        let is_quiet = remarks.is_empty() && requests.iter().all(|head| self.is_quiet(head));

        let (Some(connection), page) = (self.connections.get_mut(&number), &mut self.page) else {
            return;
        };
        // What was begun in sight is not hidden in the middle.
        let may_hide = !was_within_request || connection.holds_back();
        if !is_quiet {
            connection.release(page);
        } else if may_hide && !requests.is_empty() {
            connection.hold_back(requests.len());
        }
        connection.show(at, from, bytes, page);
        remarks.into_iter().for_each(|remark| connection.say(remark, page));
        if self.options.explain {
            let mut meaning = connection.meaning(from, piece);
            meaning.retain(|remark| self.told.allows(remark));
            connection.explain(&meaning, page);
        }
    }

    fn answered(&mut self, at: Instant, number: u64, summary: &Summary) {
        let bodies = self.options.bodies;
        self.connection(number, at).resynchronise(bodies);
        let Some(connection) = self.connections.get_mut(&number) else { return };
        // Behind a quiet request the next one may have begun, and be another's.
        let is_missed = summary.has_failed || !summary.is_quiet || connection.is_within_request();
        if connection.holds_back() && !is_missed {
            return connection.drop_one();
        }
        connection.release(&mut self.page);
        self.exchanges += 1;
        self.page.say(&format!("{} {}", self.exchanges, summary.line));
    }

    fn ended(&mut self, at: Instant, number: u64, end: End) {
        self.show_mute(at, number);
        let Some(connection) = self.connections.get_mut(&number) else { return };
        connection.ended(at, end, &mut self.page);
        if connection.is_over() {
            self.connections.remove(&number);
        } else if end == End::ServerClosed {
            self.may_fade(number);
        }
    }

    fn is_quiet(&self, head: &Head) -> bool {
        self.options.quiet.iter().any(|path| asks_for(head, path))
    }

    /// The connection with that number, which may be one whose beginning was lost.
    fn connection(&mut self, number: u64, at: Instant) -> &mut Connection {
        if !self.connections.contains_key(&number) {
            self.may_fade(number);
        }
        let bodies = self.options.bodies;
        self.connections.entry(number).or_insert_with(|| Connection::met_midway(number, at, bodies))
    }

    fn may_fade(&mut self, number: u64) {
        self.fading.push_back(number);
        if self.fading.len() > FADING
            && let Some(oldest) = self.fading.pop_front()
        {
            self.connections.remove(&oldest);
        }
    }
}

/// Connections on which nothing has crossed: those of this minute.
#[derive(Default)]
struct Mute {
    until: Option<Instant>,
    shown: usize,
    /// How many were not shown.
    beyond: u64,
}

impl Mute {
    /// Whether one more is shown.
    fn admits(&mut self, at: Instant) -> bool {
        // The count of one minute is told before the next begins.
        if self.until.is_none_or(|until| until <= at) && self.beyond == 0 {
            (self.until, self.shown) = (Some(at + MINUTE), 0);
        }
        let is_shown = self.shown < SHOWN;
        self.shown += usize::from(is_shown);
        self.beyond += u64::from(!is_shown);
        is_shown
    }

    /// When those that were not shown are told, if there are any.
    fn counts_until(&self) -> Option<Instant> {
        self.until.filter(|_| self.beyond > 0)
    }
}

impl Told {
    fn allows(&mut self, remark: &Remark) -> bool {
        let has_room = self.meanings.len() < MEANINGS;
        has_room && self.meanings.insert((remark.about.clone(), remark.text.clone()))
    }

    /// What there is to remark about heads. None of it holds what it warns of.
    fn remarks(&mut self, from: Side, heads: &[Head]) -> Vec<&'static str> {
        let mut remarks = Vec::new();
        let requests = if from == Side::Client { heads } else { &[] };
        // Where masking changes something, there is something to mask.
        if requests.iter().any(|head| masked(&head.target) != head.target) {
            remarks.push(
                "a key stands in the target, the worst place for it: logs, histories and Referer \
                 fields keep targets (RFC 9110 section 17.9)",
            );
        }
        let has_secret_field = heads.iter().any(|head| head.has_secret_field);
        if has_secret_field && !mem::replace(&mut self.secret_field, true) {
            remarks.push("keys and cookies in fields are shown as they are, on this screen only");
        }
        let is_favicon =
            |head: &Head| head.method == Some(Method::Get) && asks_for(head, "/favicon.ico");
        if requests.iter().any(is_favicon) && !mem::replace(&mut self.favicon, true) {
            remarks.push("the browser asks for /favicon.ico by itself, for its tab");
        }
        remarks
    }
}

/// Whether a head asks for a path, which may end in `/*` as in a route table.
fn asks_for(head: &Head, path: &str) -> bool {
    let asked = head.target.split('?').next().unwrap_or_default();
    match path.strip_suffix('*') {
        Some(prefix) => asked.starts_with(prefix),
        None => asked == path,
    }
}

#[cfg(test)]
mod tests {
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
        fn new(options: Options) -> Stage {
            Stage { view: View::new(options), now: Instant::now(), items: Vec::new() }
        }

        fn see(&mut self, connection: u64, event: Event) -> &mut Stage {
            self.now += Duration::from_micros(100);
            self.view.see(Happened { at: self.now, connection, event });
            self.items.extend(self.view.items());
            self
        }

        fn open(&mut self, connection: u64) -> &mut Stage {
            self.see(connection, Event::Opened(([127, 0, 0, 1], 4000).into()))
        }

        fn receive(&mut self, connection: u64, bytes: impl AsRef<[u8]>) -> &mut Stage {
            self.see(connection, Event::Crossed(Side::Client, bytes.as_ref().into()))
        }

        fn send(&mut self, connection: u64, bytes: impl AsRef<[u8]>) -> &mut Stage {
            self.see(connection, Event::Crossed(Side::Server, bytes.as_ref().into()))
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
            self.see(connection, Event::Answered(Summary::of(&exchange)))
        }

        fn end(&mut self, connection: u64, end: End) -> &mut Stage {
            self.see(connection, Event::Ended(end))
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
        Stage::new(Options { quiet, ..Options::default() })
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
        stage.see(0, Event::Lost { events: 14, exchanges: 3 });
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
        stage.see(0, Event::Lost { events: 1, exchanges: 0 });
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
}

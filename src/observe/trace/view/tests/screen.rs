//! Tests of what a person at a terminal sees: events in, rows out.

use super::*;
use crate::observe::trace::wrap;
use crate::transcript::random::Random;
use crate::transcript::{Block, Event, EventKind, Piece};

/// What a real Chromium sent, and what the site responded.
const CHROMIUM: &str = include_str!("../chromium.wire");

fn options() -> TraceOptions {
    TraceOptions { screen: true, full_flag: Some("--full"), ..TraceOptions::default() }
}

fn explained() -> TraceOptions {
    TraceOptions { explain: true, ..options() }
}

impl TestView {
    /// The rows so far.
    fn screen(&mut self) -> &str {
        self.view.finish();
        self.take();
        &self.rows
    }

    #[track_caller]
    fn has_rows(&mut self, expected: &str) {
        let rows = self.screen();
        assert!(rows.contains(expected), "{expected}\n--- is not in ---\n{rows}");
    }

    /// Plays the transcript of the site, with the lines of its start.
    fn play(&mut self, text: &str) {
        for line in ["listening on http://127.0.0.1:5000", "likes are kept in likes", SECRETS] {
            self.add(0, Observed::Prose(line.into()));
        }
        self.add(0, Observed::Started { quiet: QUIET.map(String::from).into() });
        let mut targets: HashMap<u64, String> = HashMap::new();
        for item in Transcript::parse(text).expect("a transcript").items {
            match item {
                Item::Block(block) => self.play_block(&block, &mut targets),
                Item::Event(Event { connection, kind, .. }) => {
                    let end = match kind {
                        EventKind::Open => {
                            self.open(connection.into());
                            continue;
                        }
                        EventKind::HalfClose(Side::Client) => End::ClientClosed,
                        EventKind::Closed(Side::Server) => End::ServerClosed,
                        other => panic!("{other}"),
                    };
                    self.end(connection.into(), end);
                }
                _ => {}
            }
        }
    }

    fn play_block(&mut self, block: &Block, targets: &mut HashMap<u64, String>) {
        let number = u64::from(block.connection);
        let bytes = block.bytes.pieces().iter().map(|piece| match piece {
            Piece::LeftOut { count } => vec![b'x'; *count as usize],
            Piece::Raw(raw) => raw.clone(),
            Piece::Repeat { .. } => panic!("bytes that crossed have no repeat"),
        });
        self.cross(number, block.from, &bytes.collect::<Vec<_>>().concat());
        if block.from == Side::Server {
            let target = targets.remove(&number).expect("a request");
            self.answer(number, &target, Status::OK);
            return;
        }
        let Some(Piece::Raw(raw)) = block.bytes.pieces().first() else { panic!("a request") };
        let line = String::from_utf8_lossy(raw).into_owned();
        let target = line.split(' ').nth(1).expect("a target").to_owned();
        self.route(number, target == "/favicon.ico");
        targets.insert(number, target);
    }
}

const QUIET: [&str; 3] = ["/kitchen/*", "/favicon.ico", "/healthz"];

const SECRETS: &str = "what crosses is shown here, secrets included; --no-trace stops it";

fn played(options: TraceOptions, columns: usize) -> String {
    let mut test = TestView::new(options);
    test.columns = columns;
    test.play(CHROMIUM);
    test.screen().to_owned()
}

#[test]
fn a_page_and_a_like_in_chromium_take_sixty_rows() {
    let rows = played(options(), 80);
    assert!(rows.lines().count() <= 60, "{} rows:\n{rows}", rows.lines().count());
    for expected in [
        "\n>>> GET / HTTP/1.1\nHost: ",
        "\n\n    <<< HTTP/1.1 200 OK\n    Date: ",
        "\n    <!doctype html>\\n ... 67",
        "\n# --- tells of a connection: it opens, is silent or ends; --full folds nothing\n",
        "\n2 GET /site.css 200, 3 GET /like.js 200: folded (--full shows all)\n@2 >>> POST ",
        "\nSec-Fetch-Site: same-origin\n",
        "\n      'self'; img-src 'self'; connect-src 'self'; ... 60 more characters\n",
        "\n... 8 fields as in exchange 1\n\npost=1\\\n\n    @2 <<< HTTP/1.1 201 Created\n",
        "\n4 @2 POST /api/likes 201 · 0.",
        "\n--- 2 connections ended, each by its client first: @1, @2\n",
    ] {
        assert!(rows.contains(expected), "{expected}\n--- is not in ---\n{rows}");
    }
    assert!(!rows.contains("GET /favicon.ico"), "a quiet route, as the third row says");
}

#[test]
fn no_row_is_wider_than_the_terminal_and_no_word_is_broken() {
    let words = |text: &str| -> Vec<String> {
        let marks = ["#", ">>>", "<<<", "---"];
        // What is cut ends in `... 60 more characters`.
        let lines = text.lines().map(|line| match line.ends_with(" more characters") {
            true => line.rsplit_once(" ... ").map_or(line, |(shown, _)| shown),
            false => line,
        });
        let words = lines.flat_map(str::split_whitespace).filter(|word| !marks.contains(word));
        // A word is broken only after its own comma or semicolon.
        let parts = words.flat_map(|word| word.split_inclusive([',', ';']));
        parts.map(str::to_owned).collect()
    };
    let rfc = TraceOptions { rfc: true, ..explained() };
    for options in [options(), explained(), rfc] {
        // A clause may be left out where it would take a row.
        let all: HashSet<String> =
            words(&played(TraceOptions { rfc: true, ..options }, 10_000)).into_iter().collect();
        for columns in [80, 60, 120] {
            let rows = played(options, columns);
            for row in rows.lines() {
                assert!(wrap::columns(row) <= columns, "{columns}: {row}");
                assert!(!row.ends_with(' '), "{row:?}");
            }
            let broken = words(&rows).into_iter().find(|word| !all.contains(word));
            assert_eq!(broken, None, "{columns}:\n{rows}");
        }
    }
}

#[test]
fn colour_changes_no_character() {
    let coloured = played(TraceOptions { colour: true, ..explained() }, 80);
    let mut parts = coloured.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    let plain = parts.fold(first, |text, part| text + part.split_once('m').expect("a code").1);
    assert_eq!(plain, played(explained(), 80));
    assert!(coloured.contains("\x1b[1;38;5;32m>>> GET / HTTP/1.1\x1b[0m\n"), "{coloured}");
}

#[test]
fn a_meaning_stands_under_its_line_and_again_for_the_next_page() {
    let mut test = TestView::new(explained());
    let page =
        "GET / HTTP/1.1\r\nHost: h\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\r\n";
    let fetch =
        "GET /a HTTP/1.1\r\nHost: h\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n\r\n";
    for request in [page, fetch, page] {
        if test.view.connections.is_empty() {
            test.open(1);
        }
        test.receive(1, request).send(1, ok(0));
    }
    test.has_rows("\nHost: h\n    # Host: which host");
    assert_eq!(test.screen().matches("\n    # Host: which host").count(), 2);
    assert_eq!(test.screen().matches("\n    # GET: ").count(), 2, "{}", test.rows);
    // A short sentence has no clause, unless it is asked for.
    let sentence = "Host: which host, and which port, of all that this address may serve;";
    test.has_rows(sentence);
    assert!(!test.screen().contains("RFC 9110 section 7.2"), "{}", test.rows);
    let mut test = TestView::new(TraceOptions { rfc: true, ..explained() });
    test.open(1).receive(1, page);
    test.has_rows("(RFC 9110 section 7.2)");
}

#[test]
fn of_a_head_of_hundreds_of_fields_one_hundred_are_shown() {
    let mut test = TestView::new(explained());
    let fields: String = (1..=600).map(|number| format!("X-{number}: {number}\r\n")).collect();
    test.open(1).receive(1, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    test.send(1, format!("HTTP/1.1 204 No Content\r\n{fields}\r\n"));
    test.has_rows("\n    X-100: 100\n");
    test.has_rows("\n    ... 500 more fields (--full shows all)\n");
    assert!(!test.screen().contains("X-101"), "{}", test.rows);
}

#[test]
fn a_folded_field_is_not_explained() {
    let mut test = TestView::new(explained());
    let fields = "Host: h\r\nUser-Agent: a\r\nAccept-Language: en\r\nSec-Fetch-Mode: ";
    test.open(1);
    for (user, mode) in [("a", "navigate"), ("b", "navigate"), ("a", "cors")] {
        let fields = fields.replace("Agent: a", &format!("Agent: {user}"));
        test.receive(1, format!("GET / HTTP/1.1\r\n{fields}{mode}\r\n\r\n")).send(1, ok(0));
        test.screen();
        if user == "b" {
            // Another page: all is explained again.
            test.view.explained.begin_page();
            test.rows.clear();
        }
    }
    test.has_rows("\n... 3 fields as in exchange 1 (--full shows all)\n");
    assert!(!test.screen().contains("# Accept-Language"), "{}", test.rows);
}

#[test]
fn any_bytes_fit_the_screen() {
    let mut random = Random(5);
    for round in 0..3000 {
        let options = TraceOptions { explain: round % 3 == 0, colour: false, ..options() };
        let mut test = TestView::new(options);
        test.columns = 40 + round % 30;
        test.open(1);
        for part in 0..=random.below(6) {
            let mut bytes = match part % 2 {
                0 => image("/a.png?q=1").into_bytes(),
                _ => [ok(9).as_bytes(), "caf\u{e9} \u{65e5}\u{672c}".as_bytes()].concat(),
            };
            (0..random.below(4)).for_each(|_| random.mutate(&mut bytes));
            let from = if part % 2 == 0 { Side::Client } else { Side::Server };
            let cut = random.below(bytes.len() as u64 + 1) as usize;
            test.cross(1, from, &bytes[..cut]).cross(1, from, &bytes[cut..]);
        }
        test.end(1, End::ServerClosed);
        let columns = test.columns;
        for row in test.screen().lines() {
            assert!(wrap::columns(row) <= columns, "{columns}: {row:?}");
            assert!(!row.contains(char::is_control), "{row:?}");
        }
    }
}

#[test]
fn a_broken_head_is_shown_with_its_caret_under_the_byte() {
    let mut test = TestView::new(explained());
    test.open(1).receive(1, "GET / HTTP/1.1\r\nHost : h\r\n\r\n");
    test.send(1, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    test.has_rows("\n    #     Host : h\n    #         ^\n");
    test.has_rows("\n1 no valid request 400 · new connection\n");
}

#[test]
fn a_message_in_pieces_says_when_each_came() {
    let mut test = TestView::new(options());
    test.open(1).receive(1, "POST / HTTP/1.1\r\nHost: h\r\nContent-Le");
    test.pass(150).receive(1, "ngth: 2\r\n\r\nh").pass(1).receive(1, "i");
    test.send(1, ok(3)).send(1, "a\u{e9}");
    assert_eq!(
        test.screen(),
        "\
>>> POST / HTTP/1.1
Host: h
Content-Le\\
>>> 12 bytes, 150.1 ms later
ngth: 2

h\\
>>> 1 byte, 1.1 ms later
i\\

    <<< HTTP/1.1 200 OK
    Content-Length: 3

    <<< 3 bytes, 0.1 ms later
    a\u{e9}\\
1 POST / 200 · 0.2 ms · new connection
"
    );
}

#[test]
fn each_connection_is_named_as_soon_as_there_are_two() {
    let mut test = TestView::new(options());
    test.open(1).receive(1, get("/a"));
    test.open(2).receive(2, get("/b")).send(1, ok(0)).send(2, ok(0));
    test.end(1, End::ClientReset);
    let rows = test.screen();
    let named: Vec<&str> = rows.lines().filter(|row| row.contains("<<<")).map(str::trim).collect();
    assert_eq!(named, ["@1 <<< HTTP/1.1 200 OK", "@2 <<< HTTP/1.1 200 OK"], "{rows}");
    assert!(rows.starts_with(">>> GET /a") && rows.contains("\n@2 >>> GET /b"), "{rows}");
    assert!(rows.contains("\n1 @1 GET /a 200 · 0.3 ms") && rows.ends_with("--- @1 client reset\n"));
}

/// A request for an image, as a page sends it.
fn image(target: &str) -> String {
    get(target).replace("\r\n\r\n", "\r\nSec-Fetch-Dest: image\r\n\r\n")
}

fn image_response(status: &str, length: usize) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Type: image/png\r\nContent-Length: {length}\r\n\r\n")
}

#[test]
fn parts_of_a_page_are_one_line_and_a_missing_or_slow_one_is_shown() {
    let mut test = TestView::new(options());
    test.open(1);
    for target in ["/1.png", "/favicon.ico"] {
        test.receive(1, image(target)).send(1, image_response("200 OK", 200_000));
        test.send(1, vec![b'x'; 150_000]).send(1, vec![b'x'; 50_000]);
    }
    test.receive(1, image("/2.png")).send(1, image_response("304 Not Modified", 9));
    test.has_rows(
        "1 GET /1.png 200, 2 GET /favicon.ico 200 (the icon of the browser's tab), 3 GET\n  \
         /2.png 304: folded (--full shows all)\n",
    );
    test.receive(1, image("/3.png")).send(1, image_response("404 Not Found", 0));
    test.has_rows(
        ">>> GET /3.png HTTP/1.1\nHost: h\nSec-Fetch-Dest: image\n\n    <<< HTTP/1.1 404",
    );
    test.receive(1, image("/4.png"));
    assert!(!test.screen().contains("/4.png"));
    test.wait();
    test.has_rows("\n>>> GET /4.png HTTP/1.1\n... 2 fields as in exchange 4\n");
    test.pass(100).send(1, image_response("200 OK", 9)).send(1, "xxx").end(1, End::ServerClosed);
    test.has_rows("\n5 GET /4.png 200 · 1.1 s · cut short\n--- server closed\n");
}

#[test]
fn a_client_that_ends_and_waits_is_shown_after_a_second() {
    let mut test = TestView::new(options());
    test.open(1).receive(1, get("/")).send(1, ok(0)).end(1, End::ClientClosed);
    assert!(!test.screen().contains("---"));
    test.wait();
    test.has_rows("\n--- client half-close\n");
    test.end(1, End::ServerClosed);
    test.has_rows("\n--- client half-close\n--- server closed\n");
    // With bytes after it, it is shown above them.
    let mut test = TestView::new(options());
    test.open(1).receive(1, get("/")).send(1, ok(0)).end(1, End::ClientClosed).send(1, "more");
    test.has_rows("\n--- client half-close\n\n    <<< 4 bytes, 0.1 ms later\n    more\\\n");
}

#[test]
fn a_failed_quiet_exchange_is_shown_and_others_leave_no_row() {
    let mut test = TestView::new(options());
    test.add(0, Observed::Started { quiet: vec!["/healthz".into()] });
    test.has_rows("\n# @2: connection 2; /healthz is shown only if it fails\n");
    test.rows.clear();
    let unavailable = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    test.open(1);
    for (response, status) in [(&*ok(0), Status::OK), (unavailable, Status::SERVICE_UNAVAILABLE)] {
        test.receive(1, get("/healthz")).route(1, true).send(1, response);
        test.answer(1, "/healthz", status);
    }
    let rows = test.screen();
    assert!(
        rows.starts_with(">>> GET /healthz HTTP/1.1\nHost: h\n\n    <<< HTTP/1.1 503"),
        "{rows}"
    );
    assert!(rows.ends_with("\n1 GET /healthz 503 · 0.2 ms · new connection\n"), "{rows}");
}

#[test]
fn control_bytes_and_prose_never_reach_the_screen_raw() {
    let mut test = TestView::new(explained());
    test.open(1)
        .receive(1, "GET /\x1b[2J HTTP/1.1\r\nX: \x07\u{202e}\r\n\r\n\x1b[31m\r\n>>> no\r\n");
    test.send(1, "HTTP/1.1 400 \x1b[2J\r\n\r\n\x1b]0;title\x07 \u{202e} caf\u{e9}");
    test.end(1, End::ClientClosed).end(1, End::ServerClosed);
    test.open(2).receive(2, get("/caf\u{e9}\u{202e}\u{85}")).send(2, ok(0));
    let is_safe = |character: char| character == '\n' || !character.is_control();
    let rows = test.screen();
    assert!(rows.chars().all(is_safe) && !rows.contains('\u{202e}'), "{rows:?}");
}

#[test]
fn on_a_screen_the_time_is_left_out_where_it_is_unknown() {
    let mut test = TestView::new(options());
    test.open(1).receive(1, get("/")).add(0, Observed::Lost { events: 2, exchanges: 0 });
    test.cross_unseen(1, Side::Server, ok(9).as_bytes());
    test.send(1, "half of it");
    test.has_rows("\n\n    <<< 10 bytes\n");
}

#[test]
fn a_full_trace_is_a_transcript_on_a_terminal_too() {
    let full = TraceOptions { full: true, ..options() };
    let (mut test, mut piped) = (TestView::new(full), test_view());
    for test in [&mut test, &mut piped] {
        test.add(0, Observed::Started { quiet: Vec::new() }).open(1).receive(1, get("/"));
        test.send(1, ok(2)).send(1, "hi").end(1, End::ClientClosed).end(1, End::ServerClosed);
    }
    // The legend is for a person.
    let legend = "\
# \\ at a line's end: no line end was sent there; \\n: LF without the usual CR
# --- tells of a connection: it opens, is silent or ends
# @2: connection 2; +0.1 ms: since the event before on the same connection
";
    let (text, transcript) = (test.text(), piped.text());
    assert_eq!(text, format!("{legend}{transcript}"));
    assert!(Transcript::parse(&text).is_ok());
}

#[test]
fn an_end_is_explained_and_the_first_use_of_a_word() {
    let mut test = TestView::new(explained());
    test.open(1).receive(1, get("/")).send(1, ok(0));
    test.has_rows("# GET: asks for the current representation of the target;");
    test.has_rows("\n    # (representation: the bytes that stand for");
    test.end(1, End::ClientClosed).end(1, End::ServerClosed);
    test.has_rows(
        "\n--- the connection ended, by its client first\n    # the client will send no more; it has \
         all its responses, so nothing is lost\n",
    );
    test.has_rows("\n    # the client had said that it sends no more, and everything is answered,");
    test.open(2).receive(2, get("/")).end(2, End::ClientClosed);
    test.has_rows("\n--- @2 client half-close\n    # the client will send no more; it may be");
    test.end(2, End::ServerReset);
    test.has_rows("\n--- @2 server reset\n    # a reset: the client gets an error");
    assert_eq!(test.screen().matches("(representation: ").count(), 2, "a page opens: again");

    let full = TraceOptions { full: true, ..explained() };
    let mut test = TestView::new(full);
    test.open(1).receive(1, get("/")).end(1, End::ClientReset);
    let text = test.text();
    assert!(text.contains("--- client reset\n\n# a reset: the server gets an error"), "{text}");
    assert!(text.contains("# (representation: "), "{text}");
}

#[test]
fn an_explanation_that_differs_in_a_number_only_is_given_once() {
    let mut test = TestView::new(explained());
    test.open(1);
    for length in [5, 7] {
        let fetch = "GET / HTTP/1.1\r\nHost: h\r\nSec-Fetch-Mode: cors\r\n\r\n";
        test.receive(1, fetch).send(1, ok(length)).send(1, "x".repeat(length));
    }
    assert_eq!(test.screen().matches("the content ends here: ").count(), 1, "{}", test.rows);
}

#[test]
fn the_address_of_a_client_is_shown_if_it_is_elsewhere() {
    for (peer, end) in [
        ("127.0.0.1:5", ""),
        ("[::1]:5", ""),
        ("[::ffff:127.0.0.1]:5", ""),
        ("0.0.0.0:0", ""),
        ("192.0.2.1:5", " \u{b7} 192.0.2.1"),
        ("[::ffff:192.0.2.1]:5", " \u{b7} 192.0.2.1"),
        ("[2001:db8::1]:5", " \u{b7} 2001:db8::1"),
    ] {
        let mut test = TestView::new(options());
        test.add(1, Observed::Opened(peer.parse().expect(peer)));
        test.receive(1, "GET /\r\n")
            .send(1, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        test.has_rows(&format!(" \u{b7} new connection{end}\n"));
    }
}

#[test]
fn the_time_of_a_response_that_a_close_ends_is_up_to_its_last_byte() {
    let mut test = TestView::new(options());
    test.open(1).receive(1, get("/")).send(1, "HTTP/1.0 200 OK\r\n\r\nhello");
    test.pass(600).end(1, End::ClientClosed).end(1, End::ServerClosed);
    test.has_rows("\n1 GET / 200 \u{b7} 0.1 ms \u{b7} new connection\n");
    // A reset ends no content.
    let mut test = TestView::new(options());
    test.open(1).receive(1, get("/")).send(1, "HTTP/1.0 200 OK\r\n\r\nhello");
    test.pass(600).end(1, End::ServerReset);
    test.has_rows("\n1 GET / 200 \u{b7} 0.1 ms \u{b7} cut short \u{b7} new connection\n");
    // watch says in a line of its own why it has ended a connection, idle or not.
    let mut test = TestView::new(options());
    test.open(1).receive(1, get("/")).send(1, "HTTP/1.0 200 OK\r\n\r\nhello");
    test.pass(600).add(1, Observed::EndedByWatch).add(1, Observed::Gone);
    test.has_rows("\n1 GET / 200 \u{b7} 0.1 ms \u{b7} cut short by watch \u{b7} new connection\n");
    let mut test = TestView::new(options());
    test.open(1).receive(1, get("/")).send(1, "HTTP/1.1 204 N\r\n\r\n");
    test.add(1, Observed::EndedByWatch);
    assert!(!test.screen().contains("cut short"), "{}", test.rows);
}

#[test]
fn a_long_field_is_cut_unless_it_differs_from_the_one_before() {
    let long = "a-word ".repeat(100);
    let mut test = TestView::new(options());
    test.open(1);
    for end in ["first", "last"] {
        let field = format!("X-Long: {long}{end}");
        test.receive(1, format!("GET / HTTP/1.1\r\nHost: h\r\n{field}\r\n\r\n"));
        test.send(1, format!("HTTP/1.1 200 OK\r\n{field}\r\nContent-Length: 0\r\n\r\n"));
    }
    test.has_rows("\nX-Long: a-word a-word");
    test.has_rows(" more characters\n\n    <<< HTTP/1.1 200 OK\n    X-Long: a-word");
    assert!(!test.screen().contains("first"), "{}", test.rows);
    test.has_rows("\n  a-word a-word last\n");
    assert_eq!(test.screen().matches("last").count(), 1, "not of the response");
}

#[test]
fn a_silence_between_two_exchanges_is_no_row() {
    let mut test = TestView::new(options());
    test.open(1).receive(1, get("/")).send(1, ok(0)).pass(5000);
    test.receive(1, get("/b")).pass(5000).send(1, ok(0)).pass(5000);
    test.end(1, End::ServerClosed);
    assert_eq!(test.screen().matches("silent").count(), 1, "{}", test.rows);
    test.has_rows("Host: h\n\n--- silent 5s\n\n    <<< HTTP/1.1 200 OK\n");
}

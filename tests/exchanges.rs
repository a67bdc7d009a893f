//! Plays each page, a transcript below `tests/exchanges/`, over raw TCP at three paces: whole blocks,
//! lines, and single bytes. The responses must have the same bytes at every pace, because TCP can split
//! a stream anywhere.
//!
//! The folders are named for clauses, so their listing shows which rules this server keeps. The built-in
//! lessons are played too, against the lesson site.
//!
//! ```text
//! cargo test --test exchanges               all pages, in a few seconds
//! ONLY=host cargo test --test exchanges     pages with `host` in their path
//! BLESS=1 cargo test --test exchanges       writes what the server does into them: read the difference
//! ```
//! A block with the note `>>> in one write` is one write at every pace. The prose `# fixture: impatient`,
//! `narrow` or `one connection` sets other limits (`support/app.rs`).

use std::env;
use std::fs;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;

use openkitchen::Observer;
use openkitchen::message::refusal::Refusal;
use openkitchen::transcript::{EventKind, Item, Side};

use site::likes::Likes;
use site::{Contact, Site};
use support::bless::bless;
use support::pace::{self, MAX_WRITES, Pace};
use support::page::Page;
use support::replay::{Started, replay};
use support::{app, differ};

mod support;
#[path = "../src/bin/openkitchen/json.rs"]
#[allow(dead_code, reason = "the site uses a part")]
mod json;
#[path = "../src/bin/openkitchen/site/mod.rs"]
#[allow(dead_code, reason = "the binary uses all of it")]
mod site;

/// Pages and paces that are played at the same time. A page mostly waits for the other side's bytes.
const THREADS: usize = 32;

/// How often a page with waits or deadlines is played at most before it fails.
const MAX_TRIES: usize = 4;

/// All pages. With BLESS they are written first and then read again.
static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| {
    let pages = Page::all();
    if env::var_os("BLESS").is_none_or(|value| value.is_empty()) {
        return pages;
    }
    let faults = for_each(&pages, &[Pace::Whole], |page, _| {
        let text = bless(page, start)?.to_string();
        fs::write(Page::path(&page.name), text).map_err(|error| format!("{error}\n"))
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    Page::all()
});

/// Starts the server of a fixture: this project's app, or the lesson site.
fn start(fixture: &str, observer: Option<Arc<dyn Observer>>) -> Started {
    if fixture != app::SITE {
        return app::start(fixture, observer).into();
    }
    let site = Site::new(Likes::in_memory(), None, Contact::default());
    app::server(fixture, observer).start(&site::ROUTES, site).expect("a thread").into()
}

/// Does the work with all pages that `ONLY` selects, at each of these paces, on [`THREADS`] threads.
/// Returns the errors.
fn for_each(
    pages: &[Page],
    paces: &[Pace],
    work: impl Fn(&Page, Pace) -> Result<(), String> + Sync,
) -> Vec<String> {
    let only = env::var("ONLY").unwrap_or_default();
    let pages = pages.iter().filter(|page| page.name.contains(&only));
    let plays: Vec<(&Page, Pace)> =
        pages.flat_map(|page| paces.iter().map(move |&pace| (page, pace))).collect();
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(&(page, pace)) = plays.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(fault) = work(page, pace) {
                        let fault = format!("{}, {pace}: {fault}", page.name);
                        faults.lock().expect("no panic under the lock").push(fault);
                    }
                }
            });
        }
    });
    faults.into_inner().expect("no panic under the lock")
}

/// Panics in the library's code on the server's threads. Such a panic ends its connection, and could be
/// mistaken for a close. Panics of the app's handlers are not in the list, because pages provoke them.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn record_panics() {
    let default_hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        if thread::current().name() != Some("openkitchen") {
            default_hook(info);
        } else if !place.contains("tests/support/app.rs") {
            let mut panics = PANICS.lock().expect("no panic under the lock");
            panics.push(info.to_string());
            panics.dedup();
        }
    }));
}

/// Pages that are not played on Windows. For a new connection it takes up to 250 ms until an idle one is
/// closed, because a read waits in slices. And under wine, a write for each of 8,000 bytes takes longer than
/// the deadline of a head.
const NOT_ON_WINDOWS: [&str; 3] =
    ["/idle-longest-at-the-limit.wire", "/an-endless-method.wire", "/of-8000-bytes.wire"];

#[test]
fn every_page_has_the_same_responses_at_every_pace() {
    record_panics();
    let mut faults = for_each(&PAGES, &pace::ALL, |page, pace| {
        if cfg!(windows) && NOT_ON_WINDOWS.iter().any(|name| page.name.ends_with(name)) {
            return Ok(());
        }
        play(page, pace)
    });
    faults.append(&mut PANICS.lock().expect("no panic under the lock"));
    let count = faults.len();
    assert!(faults.is_empty(), "{count} faults:\n\n{}", faults.join("\n"));
}

/// Its client sends more after `Connection: close`. What arrives after the server has closed the
/// connection causes a reset.
const SENDS_AFTER_CLOSE: &str = "/25-close.break-1.wire";

/// Plays a page. A page with waits or deadlines can fail on a busy machine, so it fails only if
/// [`MAX_TRIES`] tries do.
fn play(page: &Page, pace: Pace) -> Result<(), String> {
    let waits = |item: &Item| match item {
        Item::Event(event) => matches!(event.kind, EventKind::Wait(_)),
        _ => false,
    };
    let is_timed = page.fixture() == "impatient"
        || page.transcript.items.iter().any(waits)
        || page.name.ends_with(SENDS_AFTER_CLOSE);
    let tries = if is_timed { MAX_TRIES } else { 1 };
    (1..tries)
        .find_map(|_| replay(page, pace, start).ok())
        .map_or_else(|| replay(page, pace, start), Ok)
}

#[test]
fn every_page_has_the_form_of_a_page() {
    let faults: Vec<String> = PAGES.iter().filter_map(Page::fault).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_refusal_is_provoked_by_a_page() {
    let mut responses = Vec::new();
    for item in PAGES.iter().flat_map(|page| &page.transcript.items) {
        if let Item::Block(block) = item
            && block.from == Side::Server
        {
            let bytes = block.bytes.expand().unwrap_or_default();
            // Long sentences are folded.
            responses.push(String::from_utf8_lossy(&bytes).replace("\n  ", " "));
        }
    }
    for refusal in Refusal::all() {
        let rule = refusal.rule();
        let status = format!("HTTP/1.1 {}\r\n", rule.status);
        // The content begins with the sentence. A LF or the limit in parentheses follows it.
        let why = [format!("\r\n\r\n{}\n", rule.why), format!("\r\n\r\n{} (", rule.why)];
        let is_provoked = responses.iter().any(|response| {
            response.contains(&status) && why.iter().any(|why| response.contains(why))
        });
        assert!(is_provoked, "no page provokes {refusal:?}: {}", rule.why);
    }
}

// The runner itself.

#[test]
fn a_page_must_have_a_title_and_cite_the_clause_of_its_folder() {
    let fault = |text: &str| {
        Page::parse("tests/exchanges/9112-5-fields/x.wire", text).fault().unwrap_or_default()
    };
    assert_eq!(fault("# A fact\n# RFC 9112 section 5.1: why\n"), "");
    assert_eq!(fault("# A fact\n# RFC 9112 section 5: why\n"), "");
    assert!(fault("").contains("title"));
    assert!(fault("# A fact.\n# RFC 9112 section 5: why\n").contains("full stop"));
    assert!(fault("# A fact\n# RFC 9112 section 51: why\n").contains("RFC 9112 section 5"));
    assert!(fault("#  A fact\n\n# RFC 9112 section 5: why\n").contains("canonical"));
    assert!(fault("# A fact\n# RFC 9112 section 5: why\n\n<<<\n").contains("empty"));
}

#[test]
fn the_writes_of_a_block_are_the_whole_block() {
    assert_eq!(Pace::Lines.writes(b"a\r\nb\n\nc"), [&b"a\r\n"[..], b"b\n", b"\n", b"c"]);
    assert_eq!(Pace::Bytes.writes(b"abc"), [b"a", b"b", b"c"]);
    let long = vec![b'x'; 3 * MAX_WRITES + 1];
    for pace in pace::ALL {
        assert_eq!(pace.writes(&long).concat(), long);
        assert!(pace.writes(&long).len() <= MAX_WRITES);
    }
}

#[test]
fn the_caret_is_under_the_first_byte_that_differs() {
    assert_eq!(differ::first(b"same", b"same"), None);
    assert_eq!(differ::first(b"ab", b"abc"), Some(2));
    let at = differ::first(b"a\r\nb1", b"a\r\nb2").expect("a difference");
    assert_eq!(
        differ::shown(b"a\r\nb1", b"a\r\nb2", at),
        "  expected: a\\r\\nb1\n  got:      a\\r\\nb2\n                  ^ byte 4\n"
    );
}

const GET: &str = "# t\n# c\n\n>>>\nGET /empty HTTP/1.0\n\n";
const RESPONSE: &str = "<<<\nHTTP/1.1 200 OK\nDate: Sun, 06 Nov 1994 08:49:37 GMT\n\
    Connection: close\nContent-Type: text/plain; charset=utf-8\nContent-Length: 0\n\n";

fn played(server: &str) -> Result<(), String> {
    let page = Page::parse("9112-0-test/x.wire", &format!("{GET}{server}"));
    pace::ALL.into_iter().try_for_each(|pace| replay(&page, pace, start))
}

#[test]
fn a_page_that_shows_what_the_server_does_passes() {
    assert_eq!(played(&format!("{RESPONSE}--- server closed\n???\nstatus 200\nclosed\n")), Ok(()));
    assert_eq!(played("???\nstatus 200\nclosed\n"), Ok(()));
    let request = "???\nmethod GET\ntarget is /empty\nno field Host\nbody \"\"\n\n";
    assert_eq!(played(&format!("{request}{RESPONSE}--- server closed\n")), Ok(()));
}

#[test]
fn a_page_that_shows_something_else_is_an_error() {
    let closed = "--- server closed\n";
    for (server, error) in [
        (String::new(), "sent more bytes"),
        (RESPONSE.to_string(), "ended a connection that the page leaves open"),
        (RESPONSE.replace("200", "201") + closed, "^ byte 11"),
        (format!("{RESPONSE}and more\n{closed}"), "the server closed:"),
        (RESPONSE.replace("0\n\n", "0\n") + closed, "sent more bytes"),
        (format!("{RESPONSE}--- server reset\n"), "was closed in order"),
        (format!("{RESPONSE}--- silent 50ms\n"), "ended a connection"),
        (format!("{RESPONSE}???\nopen 50ms\n"), "ended a connection"),
        ("???\nstatus 400\n".to_string(), "`status 400` is not true"),
        ("???\n2: status 200\n".to_string(), "1 response was received"),
        (format!("???\nmethod PUT\n{RESPONSE}"), "the method is GET"),
        (format!("???\nfield Host\n{RESPONSE}"), "there is no such field"),
    ] {
        assert!(played(&server).is_err_and(|fault| fault.contains(error)), "{server}");
    }
}

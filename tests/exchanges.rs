//! Replays each transcript below `tests/exchanges/` over raw TCP: whole, line by line, and byte by
//! byte. The answers must be the same to the byte at every pace, for TCP promises nobody where it
//! cuts; that sameness is what these tests are after, as much as the answers.
//!
//! The folders are named for the clauses, so their listing is what this server says of itself. The
//! built-in lessons are replayed too, against the lesson site.
//!
//! ```text
//! cargo test --test exchanges               all pages, in a few seconds
//! ONLY=host cargo test --test exchanges     those with `host` in their path
//! BLESS=1 cargo test --test exchanges       writes what came into them: read the difference
//! ```
//! What a block's note and a line of prose can ask of the runner: `>>> in one write` is not cut at any
//! pace, and `# fixture: impatient`, `narrow` or `one seat` takes other limits (`support/app.rs`).

use std::env;
use std::fs;
use std::panic;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use openkitchen::message::refusal::Refusal;
use openkitchen::transcript::{EventKind, Item, Side};

use support::bless::bless;
use support::pace::{self, Pace};
use support::page::Page;
use support::replay::replay;

mod support;

/// Pages that are played at the same time. Most of the time they wait for each other's bytes.
const THREADS: usize = 16;

/// Times that a page with waits and deadlines is played before it has failed.
const TRIES: usize = 4;

/// All pages. Where they are to be blessed, that comes before anybody reads them.
static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| {
    let pages = Page::all();
    if env::var_os("BLESS").is_none_or(|value| value.is_empty()) {
        return pages;
    }
    let faults = for_each(&pages, |page| {
        let text = bless(page)?.to_string();
        fs::write(Page::path(&page.name), text).map_err(|error| format!("{error}\n"))
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    Page::all()
});

/// Does that with all pages that were asked for, a few at a time; what went wrong comes back.
fn for_each(pages: &[Page], work: impl Fn(&Page) -> Result<(), String> + Sync) -> Vec<String> {
    let only = env::var("ONLY").unwrap_or_default();
    let pages: Vec<&Page> = pages.iter().filter(|page| page.name.contains(&only)).collect();
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(page) = pages.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(fault) = work(page) {
                        let fault = format!("{}: {fault}", page.name);
                        faults.lock().expect("no panic under the lock").push(fault);
                    }
                }
            });
        }
    });
    faults.into_inner().expect("no panic under the lock")
}

/// Panics of the server's own threads. A handler's panic is a thing that pages provoke, and is not
/// among them; one of the library's own ends its connection, and may look like a close.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn note_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        if thread::current().name() != Some("openkitchen") {
            usual(info);
        } else if !place.contains("tests/support/app.rs") {
            let mut panics = PANICS.lock().expect("no panic under the lock");
            panics.push(info.to_string());
            panics.dedup();
        }
    }));
}

#[test]
fn every_exchange_is_the_same_at_every_pace() {
    note_panics();
    let mut faults = for_each(&PAGES, |page| {
        let played = pace::ALL.map(|pace| (pace, play(page, pace)));
        let faults = played.into_iter().filter_map(|(pace, played)| Some((pace, played.err()?)));
        let told: String = faults.map(|(pace, fault)| format!("\n{pace}: {fault}")).collect();
        if told.is_empty() { Ok(()) } else { Err(told) }
    });
    faults.append(&mut PANICS.lock().expect("no panic under the lock"));
    let count = faults.len();
    assert!(faults.is_empty(), "{count} faults:\n\n{}", faults.join("\n"));
}

/// Plays a page. Where it has to do with time, a machine that is too busy is as late as a slow client
/// is, so there only what comes again is a fault.
fn play(page: &Page, pace: Pace) -> Result<(), String> {
    let waits = |item: &Item| match item {
        Item::Event(event) => matches!(event.kind, EventKind::Wait(_)),
        _ => false,
    };
    let is_timed = page.fixture() == "impatient" || page.transcript.items.iter().any(waits);
    let tries = if is_timed { TRIES } else { 1 };
    (1..tries).find_map(|_| replay(page, pace).ok()).map_or_else(|| replay(page, pace), Ok)
}

#[test]
fn every_page_keeps_the_form() {
    let faults: Vec<String> = PAGES.iter().filter_map(Page::fault).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_refusal_is_provoked_by_a_page() {
    let mut answers = Vec::new();
    for item in PAGES.iter().flat_map(|page| &page.transcript.items) {
        if let Item::Block(block) = item
            && block.from == Side::Server
        {
            let bytes = block.bytes.expand().unwrap_or_default();
            answers.push(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    for refusal in Refusal::all() {
        let rule = refusal.rule();
        let status = format!("HTTP/1.1 {}\r\n", rule.status);
        // The sentence opens the content: behind the empty line, and before its limit or its end.
        let why = [format!("\r\n\r\n{}\n", rule.why), format!("\r\n\r\n{} (", rule.why)];
        let is_provoked = answers
            .iter()
            .any(|answer| answer.contains(&status) && why.iter().any(|why| answer.contains(why)));
        assert!(is_provoked, "no page provokes {refusal:?}: {}", rule.why);
    }
}

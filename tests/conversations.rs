//! A thousand conversations at random, valid and malformed, cut anywhere, over real sockets: the
//! answers and their count are those that an oracle foretells, which was written from the RFCs and
//! not from the server.
//!
//! ```text
//! oracle   what RFC 9112 and RFC 9110 say to the bytes of a connection
//! grammar  what they say to a line
//! doors    the routes of the app, told a second time
//! talk     conversations, made by chance
//! client   one of them, held with the server
//! answers  what came, taken apart
//! judge    what came, held against what was foretold
//! page     what went wrong, for people
//!
//! cargo test --test conversations                                    a thousand, each time others
//! CONVERSATIONS=1000000 cargo test --test conversations              a million, in a quarter of an hour
//! SEED=7 CONVERSATIONS=1 cargo test --test conversations             one of them again
//! ```
//! A failure is made as short as it will be, and printed as a transcript: with the server's side as it
//! should be, it is a page for `tests/exchanges`.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use client::{Conversation, Fault, hold};
use judge::Verdict;
use openkitchen::transcript::{Block, Event, EventKind, Item, Side};
use openkitchen::{Observer, ServerHandle};
use pace::Gate;
use page::{page, shorten};
use pages::Page;
use talk::conversation;

#[path = "support/app.rs"]
mod app;
#[path = "support/pace.rs"]
#[allow(dead_code, reason = "cuts are made by chance here, and not at a pace")]
mod pace;

#[path = "support/page.rs"]
#[allow(dead_code, reason = "only what crossed is wanted here")]
mod pages;

#[path = "conversations/answers.rs"]
mod answers;
#[path = "conversations/client.rs"]
mod client;
#[path = "conversations/routes.rs"]
mod doors;
#[path = "conversations/grammar.rs"]
mod grammar;
#[path = "conversations/judge.rs"]
mod judge;
#[path = "conversations/oracle.rs"]
mod oracle;
#[path = "conversations/page.rs"]
mod page;
#[path = "conversations/random.rs"]
mod random;
#[path = "conversations/talk.rs"]
mod talk;

/// Conversations that are held at the same time: most of the time each waits for the server.
const THREADS: u64 = 8;

/// So many share a server, for a gate remembers each connection.
const A_SERVER_FOR: u64 = 50;

/// Nobody waits so long but where the server is wrong, or the machine very busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// The shortest deadline of the server: for what follows an empty line.
const DEADLINE: Duration = Duration::from_secs(1);

/// Faults after which no more are looked for, and pages of them that are printed.
const ENOUGH: usize = 10;
const PAGES: usize = 3;

/// The seed of a conversation, what it was, and what went wrong.
type Found = (u64, Conversation, Fault);

#[test]
fn the_oracle_names_nothing_of_the_library() {
    for source in [
        include_str!("conversations/oracle.rs"),
        include_str!("conversations/grammar.rs"),
        include_str!("conversations/routes.rs"),
        include_str!("conversations/answers.rs"),
        include_str!("conversations/judge.rs"),
    ] {
        assert!(!source.contains("openkitchen") && !source.contains("httparse"));
    }
}

/// The golden transcripts and the oracle were written by different hands.
#[test]
fn the_oracle_foretells_what_stands_in_the_exchanges() {
    let mut count = 0;
    for page in Page::all().iter().filter(|page| page.fixture().is_empty()) {
        let Some(Crossed { sent, came, is_all, has_ended }) = Crossed::on(page) else { continue };
        let due = oracle::predict(&sent, is_all);
        assert_eq!(judge::judge(&due, &came, has_ended), Verdict::Agrees, "{}: {due:?}", page.name);
        count += 1;
    }
    assert!(count > 250, "{count}");
}

/// What a page says of one connection.
#[derive(Default)]
struct Crossed {
    sent: Vec<u8>,
    came: Vec<u8>,
    is_all: bool,
    has_ended: bool,
}

impl Crossed {
    /// `None` for a page of several connections, or with assertions alone, or of a door that the oracle
    /// leaves out.
    fn on(page: &Page) -> Option<Crossed> {
        let mut crossed = Crossed::default();
        for item in &page.transcript.items {
            match item {
                Item::Block(Block { connection: 2.., .. }) => return None,
                Item::Block(Block { from: Side::Client, bytes, .. }) => {
                    crossed.sent.extend(bytes.expand()?);
                }
                Item::Block(Block { bytes, .. }) => crossed.came.extend(bytes.expand()?),
                Item::Event(Event { kind: EventKind::HalfClose(_), .. }) => crossed.is_all = true,
                Item::Event(Event { kind: EventKind::Closed(_), .. }) => crossed.has_ended = true,
                _ => {}
            }
        }
        let asks = |door: &str| page.text.lines().any(|line| line.contains(&format!(" {door}")));
        let is_left_out = doors::LEFT_OUT.iter().any(|door| asks(door));
        (!crossed.came.is_empty() && !is_left_out).then_some(crossed)
    }
}

/// A server, and perhaps somebody who watches: then a cut can be made to be one.
struct Stage {
    server: ServerHandle,
    gate: Option<Arc<Gate>>,
}

impl Stage {
    fn new(is_watched: bool) -> Stage {
        let gate = is_watched.then(Arc::<Gate>::default);
        let observer = gate.clone().map(|gate| gate as Arc<dyn Observer>);
        Stage { server: app::start("", observer), gate }
    }

    fn hold(&self, conversation: &Conversation, patience: Duration) -> Result<(), Fault> {
        hold(conversation, self.server.address(), self.gate.as_deref(), patience)
    }

    /// The same, and once more where it went wrong and took longer than the server's deadlines allow: a
    /// machine that stood still is no slow client.
    fn hold_in_time(&self, conversation: &Conversation) -> Result<(), Fault> {
        let since = Instant::now();
        self.hold(conversation, PATIENCE).or_else(|fault| match since.elapsed() > DEADLINE {
            true => self.hold(conversation, PATIENCE),
            false => Err(fault),
        })
    }
}

#[test]
fn a_thousand_conversations_are_answered_as_an_oracle_foretells() {
    let first = number("SEED", RandomState::new().hash_one(0) % 1_000_000_000_000);
    let end = first + number("CONVERSATIONS", 1000);
    let (next, faults) = (AtomicU64::new(first), Mutex::new(Vec::<Found>::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let batch = next.fetch_add(A_SERVER_FOR, Ordering::Relaxed);
                    if batch >= end || faults.lock().unwrap().len() >= ENOUGH {
                        break;
                    }
                    let stages = [Stage::new(false), Stage::new(true)];
                    for seed in batch..end.min(batch + A_SERVER_FOR) {
                        let stage = &stages[(seed % 2) as usize];
                        let conversation = conversation(seed);
                        if let Err(fault) = stage.hold_in_time(&conversation) {
                            faults.lock().unwrap().push((seed, conversation, fault));
                        }
                    }
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    let pages: Vec<String> = faults.iter().take(PAGES).map(page_of).collect();
    let count = faults.len();
    assert!(faults.is_empty(), "{count} went otherwise; the first:\n\n{}", pages.join("\n"));
}

/// A number from the environment.
fn number(name: &str, usual: u64) -> u64 {
    let value = env::var(name).unwrap_or_default();
    if value.is_empty() { usual } else { value.parse().expect(name) }
}

fn page_of((seed, conversation, fault): &Found) -> String {
    let stage = Stage::new(seed % 2 == 1);
    let (conversation, fault) = shorten(conversation.clone(), fault.clone(), |conversation| {
        stage.hold(conversation, PATIENCE / 10)
    });
    page(*seed, &conversation, &fault)
}

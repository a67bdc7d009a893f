//! Random conversations: a thousand connections with valid and malformed requests, cut into writes at
//! any byte, over real sockets. An oracle predicts the responses. It was written from the RFCs and
//! shares no code with the server.
//!
//! ```text
//! generate  makes a conversation from a seed
//! predict   the oracle: the responses to the bytes of a connection
//! routes    the routes of the app, written a second time
//! client    runs one conversation with a server
//! judge     compares the received responses with the prediction
//! failure   shrinks a failing conversation and prints it
//!
//! cargo test --test oracle random                           a thousand, with new seeds each time
//! CONVERSATIONS=1000000 cargo test --test oracle random     a million, in a quarter of an hour
//! SEED=7 CONVERSATIONS=1 cargo test --test oracle random    one of them again
//! ```
//! A failing conversation is shrunk and printed as a transcript. Correct the server's side, and the
//! transcript is a page for `tests/exchanges`.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use openkitchen::transcript::{Block, Event, EventKind, Item, Side};
use openkitchen::{Observer, ServerHandle};

use crate::support::app;
use crate::support::pace::Gate;
use crate::support::page::Page;
use client::{Conversation, Failure};
use failure::{shrink, transcript};
use generate::conversation;
use judge::Verdict;

mod client;
mod failure;
mod generate;
mod judge;
mod predict;
mod random;
mod routes;

/// Conversations that run at the same time. Most of the time each waits for the server.
const THREADS: u64 = 8;

/// Conversations for one pair of servers. A gate keeps an entry for each connection.
const BATCH: u64 = 50;

/// How long a client waits for one thing. Only an error of the server, or a very busy machine, takes
/// longer.
const TIME_BUDGET: Duration = Duration::from_secs(10);

/// The shortest deadline of the server: for the bytes that follow an empty line.
const SHORTEST_DEADLINE: Duration = Duration::from_secs(1);

/// Failures after which the test stops, and failures that it prints.
const MAX_FAILURES: usize = 10;
const PRINTED: usize = 3;

/// The seed of a conversation, the conversation, and how it failed.
type Failed = (u64, Conversation, Failure);

#[test]
fn the_oracle_uses_nothing_of_the_library() {
    for source in [
        include_str!("../rfc/grammar.rs"),
        include_str!("../rfc/requests.rs"),
        include_str!("../rfc/responses.rs"),
        include_str!("predict.rs"),
        include_str!("routes.rs"),
        include_str!("judge.rs"),
    ] {
        assert!(!source.contains("openkitchen") && !source.contains("httparse"));
    }
}

/// The transcripts and the oracle were written independently of each other.
#[test]
fn the_oracle_predicts_the_responses_of_every_exchange() {
    let mut count = 0;
    for page in Page::all().iter().filter(|page| page.fixture().is_empty()) {
        let Some(Recorded { sent, received, half_closed, closed }) = Recorded::of(page) else {
            continue;
        };
        let expected = predict::predict(&sent, half_closed);
        let verdict = judge::judge(&expected, &received, closed);
        assert_eq!(verdict, Verdict::Agrees, "{}: {expected:?}", page.name);
        count += 1;
    }
    assert!(count > 250, "{count}");
}

/// The bytes of a page's connection in each direction, and how it ended.
#[derive(Default)]
struct Recorded {
    sent: Vec<u8>,
    received: Vec<u8>,
    half_closed: bool,
    closed: bool,
}

impl Recorded {
    /// `None` for a page with several connections, with assertions instead of bytes, or with a route
    /// that the oracle leaves out.
    fn of(page: &Page) -> Option<Recorded> {
        let mut recorded = Recorded::default();
        for item in &page.transcript.items {
            match item {
                Item::Block(Block { connection: 2.., .. }) => return None,
                Item::Block(Block { from: Side::Client, bytes, .. }) => {
                    recorded.sent.extend(bytes.expand()?);
                }
                Item::Block(Block { bytes, .. }) => recorded.received.extend(bytes.expand()?),
                Item::Event(Event { kind: EventKind::HalfClose(_), .. }) => {
                    recorded.half_closed = true;
                }
                Item::Event(Event { kind: EventKind::Closed(_), .. }) => recorded.closed = true,
                _ => {}
            }
        }
        let requests =
            |path: &str| page.text.lines().any(|line| line.contains(&format!(" {path}")));
        let is_left_out = routes::LEFT_OUT.iter().any(|path| requests(path));
        (!recorded.received.is_empty() && !is_left_out).then_some(recorded)
    }
}

/// A server. With a gate, the client knows when the server has read a write, so that the next write
/// is a read of its own.
struct Stage {
    server: ServerHandle,
    gate: Option<Arc<Gate>>,
}

impl Stage {
    fn new(is_observed: bool) -> Stage {
        let gate = is_observed.then(Arc::<Gate>::default);
        let observer = gate.clone().map(|gate| gate as Arc<dyn Observer>);
        Stage { server: app::start("", observer), gate }
    }

    fn run(&self, conversation: &Conversation, time_budget: Duration) -> Result<(), Failure> {
        client::run(conversation, self.server.address(), self.gate.as_deref(), time_budget)
    }

    /// Runs a conversation, and runs it again if it fails and took longer than the server's shortest
    /// deadline. On a busy machine the deadline may have passed, though the client was not slow.
    fn run_in_time(&self, conversation: &Conversation) -> Result<(), Failure> {
        let start = Instant::now();
        self.run(conversation, TIME_BUDGET).or_else(|failure| {
            match start.elapsed() > SHORTEST_DEADLINE {
                true => self.run(conversation, TIME_BUDGET),
                false => Err(failure),
            }
        })
    }
}

#[test]
fn random_conversations_get_the_responses_that_the_oracle_predicts() {
    let first = number("SEED", RandomState::new().hash_one(0) % 1_000_000_000_000);
    let end = first + number("CONVERSATIONS", 1000);
    let (next, failures) = (AtomicU64::new(first), Mutex::new(Vec::<Failed>::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let batch = next.fetch_add(BATCH, Ordering::Relaxed);
                    if batch >= end || failures.lock().unwrap().len() >= MAX_FAILURES {
                        break;
                    }
                    let stages = [Stage::new(false), Stage::new(true)];
                    for seed in batch..end.min(batch + BATCH) {
                        let stage = &stages[(seed % 2) as usize];
                        let conversation = conversation(seed);
                        if let Err(failure) = stage.run_in_time(&conversation) {
                            failures.lock().unwrap().push((seed, conversation, failure));
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    let printed: Vec<String> = failures.iter().take(PRINTED).map(report).collect();
    let count = failures.len();
    assert!(failures.is_empty(), "{count} conversations failed:\n\n{}", printed.join("\n"));
}

/// A number from the environment, or the default.
fn number(name: &str, default: u64) -> u64 {
    let value = env::var(name).unwrap_or_default();
    if value.is_empty() { default } else { value.parse().expect(name) }
}

/// A failed conversation, shrunk, as a transcript.
fn report((seed, conversation, failure): &Failed) -> String {
    let stage = Stage::new(seed % 2 == 1);
    let (conversation, failure) = shrink(conversation.clone(), failure.clone(), |conversation| {
        stage.run(conversation, TIME_BUDGET / 10)
    });
    transcript(*seed, &conversation, &failure)
}

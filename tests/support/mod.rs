//! # Where a test goes
//!
//! | what the test checks | where it goes |
//! |---|---|
//! | bytes in, bytes out | a page in `tests/exchanges/<clause>-<topic>/` |
//! | a flag, a help, an error, an output | `tests/cli/<command>.rs` |
//! | a page of the lesson site, its log | `tests/cli/site.rs`; its files `tests/cli/page.rs` |
//! | what a person sees and does on a page | `tests/browser/`, in Chromium: `make test-browser` |
//! | a command or an example in README | `tests/cli/readme.rs` |
//! | many clients, a shortage, a stop | `tests/load/`; `make soak` runs its `#[ignore]`d tests |
//! | the public API of the library | `tests/api/`, or an example in a doc comment |
//! | a client in another language | `tests/languages/`; `tests/cli/languages.rs` runs it |
//! | random bytes, against the RFCs | `tests/oracle/` over sockets, `tests/fuzz/` in memory |
//! | imports, crates, folders | `tests/architecture.rs` |
//! | one function or one type | `mod tests` in its own file below `src/` |
//!
//! `tests/exchanges.rs` plays all pages. A test in `tests/load/` is ignored if it takes more than a
//! few seconds. What the RFCs say is written once more in `tests/oracle/rfc/`, without the library:
//! the random conversations and the fuzzer share it.
//!
//! If two rows fit, take the first.
//!
//! All tests run in parallel: a server listens on port 0 (only the lesson's program has a fixed
//! port), and each test has folders of its own. A test that changes its whole process, such as its
//! panic hook, starts itself in a process of its own. A test waits for a line, a byte or a
//! condition, and does not sleep instead. If a tool is not installed, the test says so and is
//! skipped.
//!
//! # The helpers
//!
//! All helpers that two test files share are in this folder, and in no other. Each test target
//! that needs one includes it as `mod support`.
//!
//! ```text
//! process        starts the binary; waits for its end; folders, signals, tools
//! client         sends exact bytes and reads responses
//! resources      counts descriptors, threads, memory and processor time of a process
//! events         reads the events of the kitchen, as its page does
//! load_client    sends request after request, and finds out what happened to each
//! latency        measures how long new clients wait
//!
//! page           a transcript below tests/exchanges, or a lesson; checks its form
//! app            the server for the transcripts below tests/exchanges
//! pace           the sizes of the writes: whole blocks, lines, bytes
//! replay         plays a page and compares what the server does
//! replay_client  sends and receives bytes, and collects the responses
//! differ         shows where received bytes differ from expected ones
//! bless          writes what the server does into the page
//! ```

#![allow(dead_code, reason = "each test target uses a part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

pub mod app;
pub mod bless;
pub mod client;
pub mod differ;
pub mod latency;
pub mod events;
pub mod load_client;
pub mod pace;
pub mod page;
pub mod process;
pub mod replay;
pub mod replay_client;
pub mod resources;

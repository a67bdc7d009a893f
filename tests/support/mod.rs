//! # Helpers of the tests
//!
//! All helpers that two test files share are in this folder, and in no other. Each test target includes it
//! as `mod support`.
//!
//! ## Where a test goes
//!
//! | what the test checks | where it goes |
//! |---|---|
//! | the bytes of requests and of their responses | a page below `tests/exchanges/`, in the folder of its clause; `tests/exchanges.rs` plays all pages |
//! | a flag, a help, an error or an output of the binary; a page of the lesson site; a command in README | `tests/cli/COMMAND.rs`, `tests/cli/site.rs`, `tests/cli/readme.rs` |
//! | many clients, clients that misbehave, a shortage, a stop | `tests/load/`; a test that takes more than a few seconds is `#[ignore]`d, and `make soak` runs it |
//! | what a program that uses the library sees: a setting, an observer, the text of a refusal | `tests/api/`, or an example in a doc comment |
//! | random bytes, compared with a second reading of the RFCs | `tests/oracle/` over sockets, `tests/fuzz/` for the fuzzer; both use `tests/oracle/rfc/` |
//! | imports, crates and folders of the source tree | `tests/architecture.rs` |
//! | one function or one type | `mod tests` in its own file below `src/` |
//!
//! If two rows fit, take the first.
//!
//! Three rules are for all of them. A server listens on port 0, and each test has folders of its own, so tests
//! run in parallel. A test waits for a line, a byte or a condition: it never sleeps until something has
//! probably happened. A test that needs a tool which is not installed says so and is skipped.
//!
//! ## The helpers
//!
//! ```text
//! process        starts the binary; waits for its end; folders, signals, tools
//! client         sends exact bytes and reads responses
//! resources      counts descriptors, threads and memory of a process
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
pub mod load_client;
pub mod pace;
pub mod page;
pub mod process;
pub mod replay;
pub mod replay_client;
pub mod resources;

//! Tests of the commands, with the real binary: flags, help, errors, output and exit codes.
//!
//! ```text
//! command   the command line of the server, and what stands on stdout and stderr
//! site      the pages and the API of the lesson site, and its log
//! check     explain     learn     mock     send     watch     one file for each command
//! languages tests in Python, a shell and Go that use the binary
//! readme    README's commands, transcripts and code
//! ```

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

#[path = "../support/mod.rs"]
mod support;

mod check;
mod command;
mod explain;
mod languages;
mod learn;
mod mock;
mod readme;
mod send;
mod site;
mod watch;

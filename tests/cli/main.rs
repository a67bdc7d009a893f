//! Tests of the commands, with the real binary: flags, help, errors, output and exit codes.
//!
//! ```text
//! command   the command line of the server, and what stands on stdout and stderr
//! site      the pages and the API of the lesson site, and its log
//! page      the files of the page, their size and their policy
//! kitchen   what the page is told of each exchange, and who is refused
//! check     explain     healthcheck     learn     mock     send     serve     watch
//!           one file for each command
//! languages tests in Python, a shell and Go that use the binary
//! readme    README's commands, transcripts and code
//! ```

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

#[path = "../support/mod.rs"]
mod support;

mod check;
mod command;
mod explain;
mod healthcheck;
mod kitchen;
mod languages;
mod learn;
mod mock;
mod page;
mod readme;
mod send;
mod serve;
mod site;
mod watch;

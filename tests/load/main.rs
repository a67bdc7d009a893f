//! Tests with many clients, clients that misbehave, shortages and stops.
//!
//! The short tests run with `cargo test`. The long ones need more time or more of the machine, and
//! are `#[ignore]`d: `make soak` runs them one after another, and each prints what it measured.
//!
//! They need Linux: its /proc shows what a process uses, and its TCP errors show what happened to
//! the bytes of a request.
//!
//! ```text
//! accept           slow clients and busy handlers do not delay a new client
//! bad_clients      clients above the limit, that disconnect, half-close or never read
//! memory           the memory that clients can take stays in its budget
//! files            large files and slow clients
//! endurance        shortages and stress: no leak, and each problem is logged once
//! shutdown         how the server ends: signals, grace and drain times, kill -9
//! stop_under_load  no accepted request is lost
//!
//! kitchen          long: 200 exchanges a second before the page that shows them
//! idle             long: ten thousand idle connections
//! rolling_restart  long: two servers behind HAProxy are restarted in turn
//! watched_download long: 1 GiB through watch, beside a direct download
//! slowhttptest     long: the four slow attacks of that tool
//! mixed            long: everything at once, for half an hour
//! ```

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

#[path = "../support/mod.rs"]
mod support;

mod accept;
mod bad_clients;
mod endurance;
mod files;
mod idle;
mod kitchen;
mod memory;
mod mixed;
mod rolling_restart;
mod shutdown;
mod slowhttptest;
mod stop_under_load;
mod watched_download;

//! # Long tests
//!
//! Tests that need more time or more of the machine than `cargo test` may take. `make soak` runs them
//! one after another, and each prints what it measured.
//!
//! They need Linux: its /proc shows what a process uses, and its TCP errors show what happened to the
//! bytes of a request.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

#[path = "../process/mod.rs"]
mod process;

mod accept;
mod client;
mod idle;
mod measure;
mod rolling_restart;
mod shutdown;
mod slowhttptest;

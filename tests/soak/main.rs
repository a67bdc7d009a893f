//! # Endurance
//!
//! What takes longer than a test should, or more of the machine: `make soak` runs it all, one after
//! another, and each prints what it saw. What is short enough runs with the other tests.
//!
//! It stands on Linux, which tells what a process holds, and whose TCP tells what became of bytes.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

#[path = "../process/mod.rs"]
mod process;

mod crowd;
mod figures;
mod client;
mod idle;
mod rolling;
mod slow;
mod stop;

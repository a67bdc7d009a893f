//! # Endurance
//!
//! What takes longer than a test should, and prints what it saw. The short version runs with the
//! other tests.
//!
//! It stands on Linux, whose TCP tells what became of bytes.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

#[path = "../process/mod.rs"]
mod process;

mod figures;
mod guest;
mod stop;

//! Support for `tests/exchanges.rs`: plays transcripts against a server of their own, over TCP.
//!
//! ```text
//! page    a transcript below tests/exchanges, or a lesson; checks its form
//! app     the server for the transcripts below tests/exchanges
//! site    the server for the lessons, from the binary
//! client  sends and receives bytes, and collects the responses
//! pace    the sizes of the writes: whole blocks, lines, bytes
//! replay  plays a page and compares what the server does
//! differ  shows where received bytes differ from expected ones
//! bless   writes what the server does into the page
//! ```

pub mod app;
pub mod bless;
pub mod differ;
pub mod client;
pub mod pace;
pub mod page;
pub mod replay;
#[path = "../../src/bin/openkitchen/site/mod.rs"]
#[allow(dead_code, reason = "the binary uses all of it")]
pub mod site;

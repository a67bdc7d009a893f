//! What the wire tests stand on: a small app, a client that speaks bytes, and a reader of transcripts.
//!
//! ```text
//! page    a file below tests/exchanges or a lesson, read and held to its form
//! app     the server that the former talk to
//! site    the one that the lessons do: the binary's own
//! line    one connection, seen from the client: the binary's own, too
//! pace    whole, line by line, byte by byte
//! replay  a page played against the app, and judged
//! differ  where two runs of bytes part
//! bless   what came, written into the page
//! ```

pub mod app;
pub mod bless;
pub mod differ;
#[path = "../../src/bin/openkitchen/cli/check/raw_client.rs"]
pub mod raw_client;
pub mod pace;
pub mod page;
pub mod replay;
#[path = "../../src/bin/openkitchen/site/mod.rs"]
#[allow(dead_code, reason = "the binary uses all of it")]
pub mod site;

//! What the wire tests stand on: a small app, a client that speaks bytes, and a reader of transcripts.
//!
//! ```text
//! page    a file below tests/exchanges, read and held to its form
//! app     the server that all of them talk to
//! line    one connection, seen from the client
//! pace    whole, line by line, byte by byte
//! replay  a page played against the app, and judged
//! differ  where two runs of bytes part
//! bless   what came, written into the page
//! ```

pub mod app;
pub mod bless;
pub mod differ;
pub mod line;
pub mod pace;
pub mod page;
pub mod replay;

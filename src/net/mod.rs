//! # Ring 3: sockets, threads and time
//!
//! The only folder that waits, and the only one that logs. It knows the two rings within it; they do
//! not know that it exists.
//!
//! ```text
//!            a client connects
//! door        accept ── a seat ── the thread comes back when the connection ends
//!               │
//! connection    │    ┌──────────────── again, or goodbye ───────────────┐
//!               └──> head → framing → route → content → handler → answer┘
//! transport          bytes in, with a deadline              bytes out, in one write
//! tap                └───────────── what an observer sees ─────────────┘
//! ```
//!
//! The chapters stand in reading order.

pub mod server;
pub(crate) mod accept;
pub(crate) mod connections;
pub(crate) mod shared;
pub(crate) mod shutdown;
pub mod throttle;
pub(crate) mod connection;
pub(crate) mod exchange;
pub mod transport;
pub(crate) mod delivery;
pub mod observer;

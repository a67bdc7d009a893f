//! # The server: sockets, threads and time
//!
//! The only folder that serves. It imports [`message`](crate::message), [`route`](crate::route),
//! [`request`](crate::request) and `sys`; they do not import it. Nor does it import
//! [`observe`](crate::observe), which is told by an [`Observer`](observer::Observer) what crosses.
//!
//! ```text
//!            a client connects
//! accept       accept ── a permit ── the thread accepts again when the connection ends
//!                │
//! connection     │    ┌───────────── keep-alive: the next request ─────────────┐
//!                └──> head → framing → route → content → handler → response ───┴─> close
//! transport           bytes in, with a deadline         bytes out, in one write
//! memory              └── reserved before it is taken, by all connections ──┘
//! observer            └────────────── what an observer is told ──────────────┘
//! ```
//!
//! The files stand in reading order.

pub mod server;
pub mod handle;
pub mod listen;
pub mod start_error;
pub mod shared;
pub mod accept;
pub mod connections;
pub mod shutdown;
pub(crate) mod throttle;
pub(crate) mod connection;
pub(crate) mod exchange;
pub mod transport;
pub mod memory;
pub(crate) mod delivery;
pub(crate) mod steps;
pub mod observer;
pub mod health;

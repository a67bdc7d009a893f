//! # Playing one side of a transcript: what `send`, `check` and `mock` share
//!
//! ```text
//! turns       what the played side does, step by step, and when it waits for the other side
//! client      the client's connections, read by threads of their own
//! expected    the bytes that a transcript expects, and where the received ones differ
//! difference  both shown, with a caret under the first byte that differs
//! ```
//! Nothing here knows files, flags or stdout.

pub mod client;
pub mod difference;
pub mod expected;
pub mod turns;

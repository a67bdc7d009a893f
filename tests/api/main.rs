//! Tests of the library as another program uses it: in this process, with its public names only.
//!
//! ```text
//! server    the settings of a server
//! fallback  the handler for the requests that no row answers
//! observer  what an observer is told, and in which order
//! carets    the caret and the corrected line in the response to a malformed request
//! ```

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

mod carets;
mod fallback;
mod observer;
mod server;

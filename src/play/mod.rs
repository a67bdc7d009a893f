//! # Play: one side of a transcript, over real sockets
//!
//! | side | what plays it |
//! |---|---|
//! | the client's, to see what comes back | [`send`] |
//! | the client's, to judge a server | [`check`] |
//! | the server's, to test a client | [`mock`] |
//!
//! [`Client`](client::Client) is for a test that has no transcript. Another, `watch`, plays neither
//! side: it relays what crosses between the two.
//!
//! ```text
//! script      a transcript whose played side is complete
//! turns       what the played side does, step by step, and when it waits for the other side
//! connect     finds the server
//! clients     the client's connections, read by threads of their own
//! client      one of them, for a test: it sends any bytes, and reads whole responses
//! crossed     what has crossed a connection, kept as a transcript
//! expected    the bytes that a transcript expects, and where the received ones differ
//! difference  both shown, with a caret under the first byte that differs
//! assert      `assert_bytes!`, for a test
//! ```
//! Nothing here reads flags or files.
//!
//! Left out: any HTTP that is not in the transcript. A player adds no byte and repairs none.  Next: `script`.

#[doc(hidden)]
pub mod script;
pub(crate) mod turns;
#[doc(hidden)]
pub mod connect;
pub(crate) mod clients;
pub mod client;
pub(crate) mod crossed;
pub(crate) mod expected;
pub(crate) mod difference;
#[doc(hidden)] // the macro is public
pub mod assert;
pub mod send;
pub mod check;
pub mod mock;
pub(crate) mod link;
#[doc(hidden)]
pub mod watch;

//! Random bytes, compared with a second reading of the RFCs.
//!
//! ```text
//! rfc            where messages end, and what is wrong with them: RFC 9112, without the library
//! conversations  a thousand random connections over sockets, and the responses that are due
//! corpus         each property of the fuzzer, for the kept inputs and for every exchange
//! ```

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

#[path = "../fuzz/properties/mod.rs"]
mod properties;
#[path = "../support/mod.rs"]
mod support;

mod conversations;
mod corpus;
mod rfc;

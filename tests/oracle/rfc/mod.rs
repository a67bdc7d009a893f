//! RFC 9112 and RFC 9110, read a second time: where each message of a connection ends, and what is
//! wrong with it. It was written from the text of the RFCs, and shares no code with the library.
//!
//! The random conversations and the properties of the fuzzer compare the library with it.
//!
//! ```text
//! grammar    checks one line
//! requests   heads, content and chunks of requests
//! responses  the responses, as a client receives them
//! ```

pub mod grammar;
pub mod requests;
pub mod responses;

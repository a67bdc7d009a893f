//! A second reading of RFC 9112 and RFC 9110, which shares no code with the library.

pub mod grammar;
pub mod responses;

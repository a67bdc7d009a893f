//! # HTTP/1.1 messages: parse, check, frame and encode, without I/O
//!
//! Nothing in this folder uses a socket, a thread, a clock or a log. Each function takes bytes and
//! values and returns bytes and values. So the folder can be read alone, tested without a port and
//! fuzzed without a server. Only `head.rs` and `outline.rs` call `httparse`.
//!
//! ```text
//! POST /api/likes HTTP/1.1␍␊                 the request line ┐
//! Host: 127.0.0.1:5000␍␊                     a field line     ├ the head    → head, target, fields
//! Content-Length: 6␍␊                        a field line     │
//! ␍␊                                         an empty line    ┘             → framing
//! post=3                                                        the content → chunked
//! ```
//!
//! The modules are listed in reading order. None imports itself through others: the table of refusals is
//! below the parsers, and what explains a refusal (`caret`, `corrected`) is above them.

pub mod head;
pub mod target;
pub mod outline;
pub mod fields;
pub mod framing;
pub mod chunked;
pub mod response;
pub mod steps;
pub mod encode;
pub mod persistence;
pub mod refusal;
pub(crate) mod caret;
pub(crate) mod corrected;
pub mod responses;
pub mod requests;
pub mod dialogue;
pub mod reader;
pub mod ending;
pub mod limits;
pub mod method;
pub mod status;
pub mod date;
pub mod credentials;
pub mod base64;
pub mod visible;
pub mod html;
pub mod counted;
pub mod seconds;
pub mod fold;

//! # Appendix: every number
//!
//! A server that waits without end, or keeps without end, belongs to whoever asks for most. So what a
//! client can ask for has a number here, and a refusal names the number that it met. What only the
//! server's own work needs, such as the size of a buffer, stands with its reason where it is used.

use std::time::Duration;

/// Field lines in one head. Apache allows 100, hyper 100, nginx as many as fit its buffers.
///
/// The one limit that is not a setting: the parser's table of fields lives on the stack.
pub const FIELDS: usize = 100;

/// Bytes in one chunk-size line with its extensions, and in one trailer line.
pub const CHUNK_LINE: usize = 4 * 1024;

/// Bytes of chunk extensions in one message, all together. RFC 9112 section 7.1.1 asks for a limit:
/// extensions mean nothing here, and a megabyte of them would be work without content.
pub const CHUNK_EXTENSIONS: usize = 16 * 1024;

/// Bytes of trailer fields in one message. They are checked and dropped.
pub const TRAILERS: usize = 8 * 1024;

/// Bytes of content that are read and dropped so that a connection can be kept after an answer that
/// did not need them. Past it, closing is cheaper than reading (RFC 9112 section 9.3).
pub const UNREAD_CONTENT: u64 = 64 * 1024;

/// Content beyond the fixed time for it is granted a second for each so many bytes, in both
/// directions: the slowest line that is still served, 16 KiB/s.
pub const SLOWEST_BYTES_PER_SECOND: u64 = 16 * 1024;

/// What one server grants, and how long it waits. `Limits::default()` are the numbers for a small
/// machine on an open network.
///
/// ```
/// let limits = openkitchen::Limits { content: 10 << 20, ..openkitchen::Limits::default() };
/// assert_eq!(limits.head, 16 * 1024);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in one head, request line and all fields. RFC 9112 section 3 asks for request lines of
    /// 8,000 bytes at least; others allow 8 to 80 KiB.
    pub head: usize,
    /// Bytes in one request target: 414 past it.
    pub target: usize,
    /// Bytes of content in one request: 413 past it.
    pub content: u64,
    /// Connections at one time: past it a new one is told 503 with `Retry-After`.
    pub connections: usize,
    /// Time for a whole head, from its first byte to its last: 408 past it.
    pub head_timeout: Duration,
    /// Time for a request's content, and for sending an answer, to which a second is added for every
    /// [`SLOWEST_BYTES_PER_SECOND`] bytes.
    pub content_timeout: Duration,
    /// Time that a connection may stay silent between exchanges before it is closed.
    pub idle_timeout: Duration,
    /// Time that a client may take no byte of an answer before it is given up.
    pub write_timeout: Duration,
    /// Time to finish what is in flight once the server was asked to stop.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head: 16 * 1024,
            target: 8 * 1024,
            content: 1024 * 1024,
            connections: 1024,
            head_timeout: Duration::from_secs(10),
            content_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// How long content of so many bytes may take in all.
    pub fn time_budget(&self, bytes: u64) -> Duration {
        self.content_timeout + Duration::from_secs(bytes / SLOWEST_BYTES_PER_SECOND)
    }
}

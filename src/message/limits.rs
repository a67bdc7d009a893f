//! # Limits: sizes, counts and timeouts
//!
//! Without limits, one client can take all threads and all memory. So each thing that a client can use
//! up has a limit here, and a refusal names the limit that was exceeded. A number that only the server
//! uses, such as the size of a buffer, is defined next to the code that uses it.

use std::time::Duration;

/// Field lines in one head: 100; 431 past it. Apache allows 100, hyper 100, nginx as many as fit its
/// buffers.
///
/// A constant, since the parser's table of fields is an array on the stack.
pub const MAX_FIELDS: usize = 100;

/// Bytes of one chunk-size line with its extensions, or of one trailer line, with the line end.
pub const MAX_CHUNK_LINE_BYTES: usize = 4 * 1024;

/// Bytes of all chunk extensions in one message. RFC 9112 section 7.1.1 asks for a limit. This server
/// uses no extension, so a megabyte of them would be work without content.
pub const MAX_CHUNK_EXTENSION_BYTES: usize = 16 * 1024;

/// Bytes of chunk framing (size lines and line ends) that a message may have beside its content, if
/// an eighth of [`Limits::content`] is less. Content and framing together may take the limit and this
/// room. A chunk of 100 bytes has 6 bytes of framing; a chunk of one byte has 5 to 20.
pub const MIN_CHUNK_FRAMING_BYTES: u64 = 16 * 1024;

/// Bytes of all trailer fields in one message. They are checked and dropped.
pub const MAX_TRAILER_BYTES: usize = 8 * 1024;

/// Bytes of content that the server reads and drops after a response that did not need them, so that
/// the connection can stay open. Past it, closing is cheaper than reading (RFC 9112 section 9.3).
pub const MAX_UNREAD_CONTENT_BYTES: u64 = 64 * 1024;

/// The lowest rate at which content is received and sent: 16 KiB/s. So many bytes add one second to
/// [`Limits::content_timeout`].
pub const MIN_BYTES_PER_SECOND: u64 = 16 * 1024;

/// The longest of the times. A longer one means no limit.
const LONGEST_TIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// The limits of one server: what a client may send, and how long the server waits.
///
/// `Limits::default()` suits a small machine on an open network.
///
/// ```
/// let limits = openkitchen::Limits { content: 10 << 20, ..openkitchen::Limits::default() };
/// assert_eq!(limits.head, 16 * 1024);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one request head: request line and all field lines. Default 16 KiB; 431 past it. RFC
    /// 9112 section 3 recommends at least 8,000 for the request line; other servers allow 8 to 80 KiB.
    pub head: usize,
    /// Bytes of one request target. Default 8 KiB; 414 past it.
    pub target: usize,
    /// Bytes of content in one request, which the server holds in memory while it handles the
    /// request. Default 1 MiB; 413 past it. Content in chunks gets 413 too if content and framing
    /// together are longer than this and an eighth (at least 16 KiB).
    pub content: u64,
    /// Bytes of memory for the requests and responses of all connections together (max memory), not
    /// for what observers keep of them. Past
    /// it, a request receives 503 with `Retry-After`. A request of up to 2 KiB, head and content, does
    /// not count, nor does a response of up to 16 KiB: they are still served. What a handler allocates
    /// counts when it is part of the response. `None`, the default: an eighth of the memory of the
    /// machine or of its cgroup, at most 64 MiB. A server does not start if it is less than `content`
    /// or `head`.
    pub memory: Option<u64>,
    /// Connections at one time (max connections). Default 1024; past it, the connection that has
    /// been idle longest is closed for a new one. If none is idle, the new one receives 503 with
    /// `Retry-After`; if many arrive at once, a client that is late with its request may miss it.
    pub connections: usize,
    /// Head timeout: time for a complete head, from its first byte to its last. Default 10 s; 408 past it.
    /// So a client that sends a byte now and then (slowloris) holds a thread for this time at most.
    pub head_timeout: Duration,
    /// Time to receive a request's content, and time to send a response or one chunk of a streamed
    /// one; one second is added for each 16 KiB. Default 30 s; past it, a
    /// request gets 408, and a response is cut off: the connection closes.
    pub content_timeout: Duration,
    /// Time to wait for the first byte of a request. Default 60 s; past it, the connection closes
    /// without a response.
    pub idle_timeout: Duration,
    /// Write timeout: the longest time in which a client may take no byte of a response. Default 30 s;
    /// past it, the connection closes: on Linux after twice the time at the latest.
    pub write_timeout: Duration,
    /// Grace time of a graceful shutdown: time to finish open exchanges after a request to stop. Default
    /// 5 s; past it, the server closes every connection.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head: 16 * 1024,
            target: 8 * 1024,
            content: 1024 * 1024,
            memory: None,
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
    /// Bytes of chunked content and its framing together, if the content may have `content` bytes.
    pub(crate) fn with_chunk_framing(content: u64) -> u64 {
        content.saturating_add((content / 8).max(MIN_CHUNK_FRAMING_BYTES))
    }

    /// The same limits, with no time of more than a year: so the time of each deadline can be told.
    pub(crate) fn bounded(self) -> Limits {
        Limits {
            head_timeout: self.head_timeout.min(LONGEST_TIME),
            content_timeout: self.content_timeout.min(LONGEST_TIME),
            idle_timeout: self.idle_timeout.min(LONGEST_TIME),
            write_timeout: self.write_timeout.min(LONGEST_TIME),
            grace: self.grace.min(LONGEST_TIME),
            ..self
        }
    }

    /// The time to receive or send content of this many bytes.
    pub fn time_budget(&self, bytes: u64) -> Duration {
        self.content_timeout + Duration::from_secs(bytes / MIN_BYTES_PER_SECOND)
    }
}

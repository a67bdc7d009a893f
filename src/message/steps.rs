//! # Steps and faults: a response that goes wrong on purpose
//!
//! What does a client do when the content is cut, a length is wrong, or the server falls silent? A
//! [`Fault`] says what goes wrong. It becomes [`DeliveryStep`]s, and each is taken in its turn:
//!
//! ```text
//! Fault::ResetAfter(5)      Bytes: the head, and 5 bytes of content
//!                           Reset
//! ```
//! No fault is random: the same response and fault are the same steps each time.
//! Next: [`encode`](super::encode).

use std::borrow::Cow;
use std::time::Duration;

use super::chunked::encode_chunk;

/// Bytes or text that a response is made of: `b"..."`, `"..."`, a `String`, a `Vec<u8>`, an array. What is
/// in the source is not copied.
pub trait IntoBytes {
    /// The bytes.
    fn into_bytes(self) -> Cow<'static, [u8]>;
}

impl IntoBytes for Cow<'static, [u8]> {
    fn into_bytes(self) -> Cow<'static, [u8]> {
        self
    }
}

impl IntoBytes for &'static [u8] {
    fn into_bytes(self) -> Cow<'static, [u8]> {
        Cow::Borrowed(self)
    }
}

impl<const N: usize> IntoBytes for &'static [u8; N] {
    fn into_bytes(self) -> Cow<'static, [u8]> {
        Cow::Borrowed(self)
    }
}

impl<const N: usize> IntoBytes for [u8; N] {
    fn into_bytes(self) -> Cow<'static, [u8]> {
        Cow::Owned(self.into())
    }
}

impl IntoBytes for Vec<u8> {
    fn into_bytes(self) -> Cow<'static, [u8]> {
        Cow::Owned(self)
    }
}

impl IntoBytes for &'static str {
    fn into_bytes(self) -> Cow<'static, [u8]> {
        Cow::Borrowed(self.as_bytes())
    }
}

impl IntoBytes for String {
    fn into_bytes(self) -> Cow<'static, [u8]> {
        Cow::Owned(self.into_bytes())
    }
}

impl IntoBytes for Cow<'static, str> {
    fn into_bytes(self) -> Cow<'static, [u8]> {
        match self {
            Cow::Borrowed(text) => text.into_bytes(),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }
    }
}

/// One step in which bytes are sent: see [`Response::steps`](crate::Response::steps) and
/// [`Response::raw_steps`](crate::Response::raw_steps).
///
/// ```
/// use std::time::Duration;
/// use openkitchen::{DeliveryStep, Response};
///
/// let split = Response::raw_steps([
///     DeliveryStep::bytes("HTTP/1.1 204 No Con"),
///     DeliveryStep::Wait(Duration::from_millis(20)),
///     DeliveryStep::bytes("tent\r\n\r\n"),
/// ]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryStep {
    /// Sends these bytes at once. [`DeliveryStep::bytes`] takes text, too.
    Bytes(Cow<'static, [u8]>),
    /// Sends these bytes, so many at a time, with this pause between them. A number of 0 counts as 1.
    Drip(Cow<'static, [u8]>, usize, Duration),
    /// Sends nothing for this time. If the server is stopping, the connection is closed instead,
    /// and no step follows.
    Wait(Duration),
    /// Closes the server's half: it sends no more, and steps that wait go on.
    HalfClose,
    /// Closes the connection. No step follows.
    Close,
    /// Resets the connection (RST), after the bytes before it have arrived. No step follows. A client that
    /// does not read is not waited for without end, and loses what has not arrived.
    Reset,
}

impl DeliveryStep {
    /// Sends these bytes at once.
    pub fn bytes(bytes: impl IntoBytes) -> DeliveryStep {
        DeliveryStep::Bytes(bytes.into_bytes())
    }
}

/// What goes wrong when a response is sent: see [`Response::fault`](crate::Response::fault).
///
/// Each is the same every time, so a test can ask for it and know what its client gets. The
/// comments say what curl makes of it, by its exit code.
///
/// ```
/// use openkitchen::{Fault, Request, Response, Routes, Server, get, routes};
/// # use std::io::{Read, Write};
///
/// static ROUTES: Routes<Fault> = routes(&[get("/", faulty)]);
///
/// fn faulty(request: &Request<Fault>) -> Response {
///     Response::text("all of the content").fault(*request.state())
/// }
///
/// let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, Fault::CloseAfter(3))?;
/// # let mut client = std::net::TcpStream::connect(server.address())?;
/// # client.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
/// # let mut response = String::new();
/// # client.read_to_string(&mut response)?;
/// assert!(response.ends_with("\r\nContent-Length: 18\r\n\r\nall"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// A response to HEAD, a 204 and a 304 have no content, so nothing of it can go wrong: the head is whole,
/// and after it the connection ends as the fault says. Only `BadChunk` still sends its line `zz`.
///
/// [`Response::raw`](crate::Response::raw) is for all others: with a Content-Length that is no number,
/// for example (curl: 8, weird server reply).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Closes the connection before the first byte (curl: 52, empty reply).
    Close,
    /// Resets the connection before the first byte (curl: 56, connection reset).
    Reset,
    /// Sends nothing for this time, and then the response (curl: 28 if its timeout is shorter).
    Stall(Duration),
    /// `CloseAfter(n)` sends the head and n bytes of content, and closes the connection (curl: 18, bytes
    /// are missing). If the content has no more than n bytes, all of it is sent, as by
    /// `CloseUnannounced` (curl: 0).
    CloseAfter(usize),
    /// `ResetAfter(n)` sends the head and n bytes of content, and resets the connection (curl: 56, also
    /// if these bytes are all).
    ResetAfter(usize),
    /// `StallAfter(n, time)` sends the head and n bytes of content, nothing for this time, and then the
    /// rest (curl: 28 if its timeout is shorter).
    StallAfter(usize, Duration),
    /// `Drip(n, pause)` sends n bytes of the response at a time, head and content, with this pause
    /// between them (curl: 0, and slow). A number of 0 counts as 1.
    Drip(usize, Duration),
    /// `WrongLength(n)` sends a Content-Length that is larger than the content by n (curl: 18), or
    /// smaller if n is negative (curl: 0, with the content cut). It closes the connection after the
    /// content.
    WrongLength(i64),
    /// Sends the content in a chunk, then the line `zz`, which is no size of a chunk, and closes the
    /// connection (curl: 56). An HTTP/1.0 client knows no chunks: it gets these bytes as content.
    BadChunk,
    /// Sends `HTTP/1.1 abc` in place of the status line, then the rest of the response, and closes the
    /// connection (curl: 1, unsupported protocol).
    BadStatusLine,
    /// Sends all of the response, which says that the connection stays open, and closes it (curl:
    /// 0). A client that sends its next request on this connection gets no answer.
    CloseUnannounced,
}

/// What stands where [`Fault::BadStatusLine`] replaces the status line.
const BAD_STATUS_LINE: &[u8] = b"HTTP/1.1 abc\r\n";

/// The size line of [`Fault::BadChunk`].
const BAD_CHUNK: &[u8] = b"zz\r\n";

impl Fault {
    /// The Content-Length that is sent for content of this length.
    pub(crate) fn length(self, length: u64) -> u64 {
        match self {
            Fault::WrongLength(by) => length.saturating_add_signed(by),
            _ => length,
        }
    }

    /// Whether the content is announced as chunks, although its length is known.
    pub(crate) fn is_in_chunks(self) -> bool {
        self == Fault::BadChunk
    }

    /// The steps for a response with this head and content.
    pub(crate) fn steps(self, head: &[u8], content: &[u8]) -> Vec<DeliveryStep> {
        use DeliveryStep::{Bytes, Close, Drip, Reset, Wait};
        let whole = || Bytes([head, content].concat().into());
        let split = |at: usize| {
            let (first, rest) = content.split_at(at.min(content.len()));
            (Bytes([head, first].concat().into()), Bytes(rest.to_vec().into()))
        };
        match self {
            Fault::Close => vec![Close],
            Fault::Reset => vec![Reset],
            Fault::Stall(time) => vec![Wait(time), whole()],
            Fault::CloseAfter(bytes) => vec![split(bytes).0, Close],
            Fault::ResetAfter(bytes) => vec![split(bytes).0, Reset],
            Fault::StallAfter(bytes, time) => {
                let (first, rest) = split(bytes);
                vec![first, Wait(time), rest]
            }
            Fault::Drip(bytes, pause) => vec![Drip([head, content].concat().into(), bytes, pause)],
            Fault::WrongLength(_) | Fault::CloseUnannounced => vec![whole(), Close],
            Fault::BadChunk => {
                let mut bytes = head.to_vec();
                if !content.is_empty() {
                    encode_chunk(content, &mut bytes); // an empty chunk would be the last one
                }
                bytes.extend_from_slice(BAD_CHUNK);
                vec![Bytes(bytes.into()), Close]
            }
            Fault::BadStatusLine => {
                let line = head.iter().position(|&byte| byte == b'\n').map_or(0, |lf| lf + 1);
                vec![Bytes([BAD_STATUS_LINE, &head[line..], content].concat().into()), Close]
            }
        }
    }

    /// The steps for a response of these steps, whose head the server does not know. `None` for a fault
    /// that changes the head, or counts the bytes of the content.
    pub(crate) fn raw_steps(self, steps: Vec<DeliveryStep>) -> Option<Vec<DeliveryStep>> {
        use DeliveryStep::{Bytes, Close, Drip, Reset, Wait};
        Some(match self {
            Fault::Close => vec![Close],
            Fault::Reset => vec![Reset],
            Fault::Stall(time) => [vec![Wait(time)], steps].concat(),
            Fault::Drip(bytes, pause) => {
                let drip = |step| match step {
                    Bytes(all) => Drip(all, bytes, pause),
                    other => other,
                };
                steps.into_iter().map(drip).collect()
            }
            Fault::CloseUnannounced => [steps, vec![Close]].concat(),
            Fault::CloseAfter(_)
            | Fault::ResetAfter(_)
            | Fault::StallAfter(..)
            | Fault::WrongLength(_)
            | Fault::BadChunk
            | Fault::BadStatusLine => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_the_same_steps_every_time() {
        let millisecond = Duration::from_millis(1);
        let text = |fault: Fault| {
            let text = |step| match step {
                DeliveryStep::Bytes(bytes) => bytes.escape_ascii().to_string(),
                DeliveryStep::Wait(time) => format!("({time:?})"),
                DeliveryStep::Drip(bytes, size, pause) => {
                    format!("({size}, {pause:?}: {})", bytes.escape_ascii())
                }
                other => format!("({other:?})"),
            };
            fault.steps(b"H\r\n\r\n", b"content").into_iter().map(text).collect::<String>()
        };
        let head = r"H\r\n\r\n";
        for (fault, steps) in [
            (Fault::Close, "(Close)".to_owned()),
            (Fault::Reset, "(Reset)".to_owned()),
            (Fault::Stall(millisecond), format!("(1ms){head}content")),
            (Fault::CloseAfter(0), format!("{head}(Close)")),
            (Fault::CloseAfter(99), format!("{head}content(Close)")),
            (Fault::ResetAfter(3), format!("{head}con(Reset)")),
            (Fault::StallAfter(3, millisecond), format!("{head}con(1ms)tent")),
            (Fault::Drip(6, millisecond), format!("(6, 1ms: {head}content)")),
            (Fault::WrongLength(-2), format!("{head}content(Close)")),
            (Fault::BadChunk, format!(r"{head}7\r\ncontent\r\nzz\r\n(Close)")),
            (Fault::BadStatusLine, r"HTTP/1.1 abc\r\n\r\ncontent(Close)".to_owned()),
            (Fault::CloseUnannounced, format!("{head}content(Close)")),
        ] {
            assert_eq!(text(fault), steps, "{fault:?}");
        }
        assert_eq!(Fault::ResetAfter(7).steps(b"", b"content").last(), Some(&DeliveryStep::Reset));
        assert_eq!(Fault::BadChunk.steps(b"", b"").len(), 2);
        assert_eq!((Fault::WrongLength(-9).length(7), Fault::WrongLength(2).length(7)), (0, 9));
    }
}

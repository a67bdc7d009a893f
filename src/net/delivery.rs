//! # Sends a response
//!
//! ```text
//! bytes            the head and up to 64 KiB of content in one write, then the rest
//! sized reader     as many bytes as Content-Length says
//! stream           a chunk for each read of the handler's reader
//! ```
//! A thread waits here while the client takes the bytes. A slow client must not hold it for ever: the
//! connection is closed if the client takes no byte for the write timeout, or not all of a response (of
//! one chunk, in a stream) within [`Limits::time_budget`].
//! Next: [`persistence`](crate::message::persistence).

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read};
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::time::{Instant, SystemTime};

use log::error;

use super::transport::{Io, MAX_KEPT_OUTPUT, ONE_WRITE, Transport};
use crate::message::chunked::{LAST_CHUNK, encode_chunk};
use crate::message::encode::{Delimiter, ResponseContext, encode_head};
use crate::message::limits::Limits;
use crate::message::response::{Body, Response};

/// Bytes that one read of a stream may give: one chunk, one write.
const STREAM_READ_BYTES: usize = 16 * 1024;

/// Bytes of a usual head, at most. Buffers with room for it are used again for any file.
const USUAL_HEAD_BYTES: usize = 1024;

/// Whether a response is sent with a single write, if the socket's buffer has room for it.
pub(super) fn is_one_write(response: &Response) -> bool {
    matches!(&response.body, Body::Bytes(bytes) if bytes.len() <= ONE_WRITE)
}

/// Bytes of memory to reserve for a response while it is sent: its own bytes, and those of the buffers
/// for its writes. Zero if each part is no larger than the output buffer that a connection may keep.
pub(super) fn memory_of(response: &Response) -> usize {
    let one_write = |length: usize| length.min(ONE_WRITE);
    let (content, buffers) = match &response.body {
        Body::Bytes(Cow::Owned(bytes)) => (bytes.capacity(), one_write(bytes.len())),
        Body::Bytes(Cow::Borrowed(bytes)) => (0, one_write(bytes.len())),
        Body::Sized(_, length) => (0, usize::try_from(*length).map_or(ONE_WRITE, one_write)),
        Body::Stream(_) => (0, 2 * STREAM_READ_BYTES),
    };
    let own = content + response.fields.capacity();
    let buffers = buffers + response.fields.len();
    if own.max(buffers) > MAX_KEPT_OUTPUT { own + buffers } else { 0 }
}

/// Sends a response. `context` is [`ResponseContext::of`] it.
///
/// # Errors
/// The client is gone, or too slow.
pub(super) fn deliver<L: Io>(
    transport: &mut Transport<'_, L>,
    response: Response,
    context: ResponseContext,
    now: SystemTime,
    limits: &Limits,
) -> io::Result<Sent> {
    encode_head(&response, context, now, transport.out);
    transport.mark_content();
    match (response.body, context.delimiter()) {
        (_, Delimiter::Head | Delimiter::Length(0)) => transport.flush(limits.time_budget(0))?,
        (Body::Bytes(bytes), _) => {
            let with_head = &bytes[..bytes.len().min(ONE_WRITE)];
            let budget = limits.time_budget(bytes.len() as u64);
            transport.out.extend_from_slice(with_head);
            transport.flush(budget)?;
            transport.send(&bytes[with_head.len()..], budget)?;
        }
        (Body::Sized(reader, length), _) => {
            return copy(transport, reader.take(length), length, limits);
        }
        (Body::Stream(reader), delimiter) => {
            return stream(transport, reader, delimiter == Delimiter::Chunked, limits);
        }
    }
    Ok(Sent::Whole)
}

/// Whether all the promised content was sent. If a reader fails or has too few bytes, the head is already
/// sent, so only closing the connection can tell the client that content is missing (RFC 9112 section 8).
pub(super) enum Sent {
    Whole,
    CutShort,
}

/// Reads once from a handler's reader; `None` if it fails or panics.
fn read_content(reader: &mut impl Read, buffer: &mut [u8]) -> Option<usize> {
    loop {
        match panic::catch_unwind(AssertUnwindSafe(|| reader.read(buffer))) {
            Ok(Ok(read)) => return Some(read),
            Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
            Ok(Err(error)) => {
                error!("the content of a response ends early: {error}");
                return None;
            }
            Err(_) => {
                error!("the reader of a response's content panicked");
                return None;
            }
        }
    }
}

/// Sends exactly `length` bytes after the head that is in `out`. The bytes are read into the buffer that
/// has the head, so they are not copied: into `out` itself if they are few.
#[cold]
fn copy<L: Io>(
    transport: &mut Transport<'_, L>,
    reader: impl Read,
    length: u64,
    limits: &Limits,
) -> io::Result<Sent> {
    let mut out = mem::take(transport.out);
    let head = out.len();
    let one_write = usize::try_from(length).map_or(ONE_WRITE, |all| all.min(ONE_WRITE));
    if head + one_write <= MAX_KEPT_OUTPUT {
        out.resize(head + one_write, 0);
        let sent = copy_with(&mut out, head, transport, reader, length, limits)?;
        out.clear();
        *transport.out = out;
        return Ok(sent);
    }
    let memory = transport.memory;
    let mut buffer = memory.buffer(ONE_WRITE + head.max(USUAL_HEAD_BYTES));
    buffer[..head].copy_from_slice(&out);
    drop(out);
    let sent = copy_with(&mut buffer, head, transport, reader, length, limits);
    if head <= USUAL_HEAD_BYTES {
        memory.keep_buffer(buffer);
    }
    sent
}

/// Sends the first `filled` bytes of a buffer, and `length` bytes that are read into it.
fn copy_with<L: Io>(
    buffer: &mut [u8],
    mut filled: usize,
    transport: &mut Transport<'_, L>,
    mut reader: impl Read,
    length: u64,
    limits: &Limits,
) -> io::Result<Sent> {
    let (mut left, mut since) = (length, None);
    while left > 0 {
        let end = buffer.len().min(filled + ONE_WRITE);
        let read = read_content(&mut reader, &mut buffer[filled..end]).unwrap_or(0);
        let budget = limits.time_budget(length);
        let budget = since.map_or(budget, |since: Instant| budget.saturating_sub(since.elapsed()));
        transport.send(&buffer[..filled + read], budget)?;
        if read == 0 {
            return Ok(Sent::CutShort);
        }
        left -= read as u64;
        filled = 0;
        // What is sent with one write needs no clock.
        if left > 0 {
            since.get_or_insert_with(Instant::now);
        }
    }
    Ok(Sent::Whole)
}

/// Sends what each read gives at once; the first read shares a write with the head.
#[cold]
fn stream<L: Io>(
    transport: &mut Transport<'_, L>,
    mut reader: Box<dyn Read + Send>,
    in_chunks: bool,
    limits: &Limits,
) -> io::Result<Sent> {
    let mut buffer = vec![0; STREAM_READ_BYTES];
    loop {
        let read = read_content(&mut reader, &mut buffer);
        match (read, in_chunks) {
            (None, _) => {}
            (Some(0), true) => transport.out.extend_from_slice(LAST_CHUNK),
            (Some(read), true) => encode_chunk(&buffer[..read], transport.out),
            (Some(read), false) => transport.out.extend_from_slice(&buffer[..read]),
        }
        transport.flush(limits.time_budget(STREAM_READ_BYTES as u64))?;
        match read {
            None => return Ok(Sent::CutShort),
            Some(0) => return Ok(Sent::Whole),
            Some(_) => {}
        }
    }
}

//! # Sends a response
//!
//! ```text
//! bytes            the head and up to 64 KiB of content in one write, then the rest
//! sized reader     as many bytes as Content-Length says
//! stream           a chunk for each read of the handler's reader
//! written          a chunk for each flush of the handler's function
//! steps            one after another: see [`steps`](super::steps)
//! ```
//! A thread waits here while the client takes the bytes. A slow client must not hold it for ever: the
//! connection is closed if the client takes no byte for the write timeout, or not all of a response (of
//! one chunk, in a stream) within [`Limits::time_budget`].
//!
//! A file is a sized reader too: it is read into a buffer and written from there, without sendfile(2). So
//! its first bytes share a write with the head, observers see each byte, and the last bytes are sent only
//! if the file has not changed.
//! Next: [`steps`](super::steps).

use std::any::Any;
use std::borrow::Cow;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use log::error;

use super::steps::{AfterStep, take};
use super::transport::{Io, MAX_KEPT_OUTPUT, ONE_WRITE, Transport};
use crate::message::chunked::{LAST_CHUNK, encode_chunk};
use crate::message::encode::{Delimiter, ResponseContext, encode_head};
use crate::message::limits::Limits;
use crate::message::response::{Body, Response};
use crate::message::steps::DeliveryStep;

/// Bytes that one read of a stream may give, or that are written before a flush: one chunk, one
/// write.
const STREAM_READ_BYTES: usize = 16 * 1024;

/// Bytes of a usual head, at most. Buffers with room for it are used again for any file.
const USUAL_HEAD_BYTES: usize = 1024;

/// Whether a response is sent with a single write, if the socket's buffer has room for it.
pub(super) fn is_one_write(response: &Response) -> bool {
    matches!(&response.body, Body::Bytes(bytes) if bytes.len() <= ONE_WRITE)
        && response.fault.is_none()
}

/// Bytes of memory to reserve for a response while it is sent: its own bytes, and those of the buffers
/// for its writes. Zero if each part is no larger than the output buffer that a connection may keep.
pub(super) fn memory_of(response: &Response) -> usize {
    let one_write = |length: usize| length.min(ONE_WRITE);
    let (content, buffers) = match &response.body {
        Body::Bytes(Cow::Owned(bytes)) => (bytes.capacity(), one_write(bytes.len())),
        Body::Bytes(Cow::Borrowed(bytes)) => (0, one_write(bytes.len())),
        Body::Sized(_, length) => (0, usize::try_from(*length).map_or(ONE_WRITE, one_write)),
        Body::Stream(_) | Body::Written(_) => (0, 2 * STREAM_READ_BYTES),
        Body::Steps(steps) | Body::Raw(steps) => {
            let bytes_of = |step: &DeliveryStep| match step {
                DeliveryStep::Bytes(Cow::Owned(bytes))
                | DeliveryStep::Drip(Cow::Owned(bytes), ..) => bytes.capacity(),
                _ => 0,
            };
            (steps.iter().map(bytes_of).sum(), 0)
        }
    };
    // The steps of a fault hold the content once more.
    let copied = match &response.body {
        Body::Bytes(bytes) if response.fault.is_some() => bytes.len(),
        _ => 0,
    };
    let own = content + copied + response.fields.capacity();
    let buffers = buffers + response.fields.len();
    if own.max(buffers) > MAX_KEPT_OUTPUT { own + buffers } else { 0 }
}

/// Sends a response. `context` is [`ResponseContext::of`] it.
///
/// # Errors
/// The client is gone, or too slow.
pub(super) fn deliver<I: Io>(
    transport: &mut Transport<'_, I>,
    response: Response,
    context: ResponseContext,
    now: SystemTime,
    limits: &Limits,
    stopping: &AtomicBool,
) -> io::Result<Sent> {
    if !matches!(response.body, Body::Raw(_)) {
        encode_head(&response, context, now, transport.out);
    }
    if let Some(fault) = response.fault {
        let content = match &response.body {
            Body::Bytes(bytes) if context.delimiter() != Delimiter::Head => bytes,
            _ => &b""[..],
        };
        let steps = fault.steps(transport.out, content);
        transport.out.clear();
        return take_steps(transport, steps, limits, stopping);
    }
    transport.mark_content();
    match (response.body, context.delimiter()) {
        (Body::Raw(steps), _) => return take_steps(transport, steps, limits, stopping),
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
        (Body::Written(write), delimiter) => {
            return written(transport, write, delimiter == Delimiter::Chunked, limits);
        }
        (Body::Steps(steps), _) => return take_steps(transport, steps, limits, stopping),
    }
    Ok(Sent::Whole)
}

/// Whether all the promised content was sent. If a reader fails or has too few bytes, the head is already
/// sent, so only closing the connection can tell the client that content is missing (RFC 9112 section 8).
pub(super) enum Sent {
    Whole,
    CutShort,
    /// As `CutShort`, because the handler's reader or function has panicked.
    Panicked(Box<dyn Any + Send>),
    /// The connection is reset when the socket is closed.
    Reset,
}

/// Reads once from a handler's reader. If that fails or panics, returns how the response ends.
fn read_content(reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize, Sent> {
    loop {
        match panic::catch_unwind(AssertUnwindSafe(|| reader.read(buffer))) {
            Ok(Ok(read)) => return Ok(read),
            Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
            Ok(Err(error)) => {
                error!("the content of a response ends early: {error}");
                return Err(Sent::CutShort);
            }
            Err(panic) => return Err(Sent::Panicked(panic)),
        }
    }
}

/// Sends exactly `length` bytes after the head that is in `out`. The bytes are read into the buffer that
/// has the head, so they are not copied: into `out` itself if they are few.
#[cold]
fn copy<I: Io>(
    transport: &mut Transport<'_, I>,
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
fn copy_with<I: Io>(
    buffer: &mut [u8],
    mut filled: usize,
    transport: &mut Transport<'_, I>,
    mut reader: impl Read,
    length: u64,
    limits: &Limits,
) -> io::Result<Sent> {
    let (mut left, mut since) = (length, None);
    while left > 0 {
        let end = buffer.len().min(filled + ONE_WRITE);
        let (read, end) = match read_content(&mut reader, &mut buffer[filled..end]) {
            Ok(read) => (read, Sent::CutShort),
            Err(end) => (0, end),
        };
        let budget = limits.time_budget(length);
        let budget = since.map_or(budget, |since: Instant| budget.saturating_sub(since.elapsed()));
        transport.send(&buffer[..filled + read], budget)?;
        if read == 0 {
            return Ok(end);
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
fn stream<I: Io>(
    transport: &mut Transport<'_, I>,
    mut reader: Box<dyn Read + Send>,
    in_chunks: bool,
    limits: &Limits,
) -> io::Result<Sent> {
    let mut buffer = vec![0; STREAM_READ_BYTES];
    loop {
        let read = read_content(&mut reader, &mut buffer);
        match (&read, in_chunks) {
            (Err(_), _) => {}
            (Ok(0), true) => transport.out.extend_from_slice(LAST_CHUNK),
            (Ok(read), true) => encode_chunk(&buffer[..*read], transport.out),
            (Ok(read), false) => transport.out.extend_from_slice(&buffer[..*read]),
        }
        transport.flush(limits.time_budget(STREAM_READ_BYTES as u64))?;
        match read {
            Err(end) => return Ok(end),
            Ok(0) => return Ok(Sent::Whole),
            Ok(_) => {}
        }
    }
}

/// The end of the content that a handler's function writes.
struct ContentWriter<'t, 'a, I> {
    transport: &'t mut Transport<'a, I>,
    /// What was written since the last flush.
    buffer: Vec<u8>,
    in_chunks: bool,
    limits: &'t Limits,
    /// Whether the client is gone or too slow.
    is_broken: bool,
}

impl<I> ContentWriter<'_, '_, I> {
    /// Fails if a flush has failed: a part of a chunk may have been sent, so nothing can follow.
    fn check(&self) -> io::Result<()> {
        if self.is_broken { Err(ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }
}

impl<I: Io> Write for ContentWriter<'_, '_, I> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        let length = bytes.len().min(STREAM_READ_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..length]);
        if self.buffer.len() == STREAM_READ_BYTES {
            self.flush()?;
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        match self.in_chunks {
            true if self.buffer.is_empty() => {} // an empty chunk would be the last one
            true => encode_chunk(&self.buffer, self.transport.out),
            false => self.transport.out.extend_from_slice(&self.buffer),
        }
        self.buffer.clear();
        let flushed = self.transport.flush(self.limits.time_budget(STREAM_READ_BYTES as u64));
        self.is_broken |= flushed.is_err();
        flushed
    }
}

/// Sends what a handler's function writes, after the head that is in `out`.
#[cold]
fn written<I: Io>(
    transport: &mut Transport<'_, I>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    in_chunks: bool,
    limits: &Limits,
) -> io::Result<Sent> {
    let (buffer, is_broken) = (Vec::new(), false);
    let mut writer = ContentWriter { transport, buffer, in_chunks, limits, is_broken };
    let result = panic::catch_unwind(AssertUnwindSafe(|| write(&mut writer)));
    writer.flush()?;
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            error!("the content of a response ends early: {error}");
            return Ok(Sent::CutShort);
        }
        Err(panic) => return Ok(Sent::Panicked(panic)),
    }
    if in_chunks {
        transport.out.extend_from_slice(LAST_CHUNK);
    }
    transport.flush(limits.time_budget(0))?;
    Ok(Sent::Whole)
}

/// Takes the steps of a response, after the head if there is one in `out`.
#[cold]
fn take_steps<I: Io>(
    transport: &mut Transport<'_, I>,
    steps: Vec<DeliveryStep>,
    limits: &Limits,
    stopping: &AtomicBool,
) -> io::Result<Sent> {
    let mut steps = steps.into_iter().peekable();
    // A head shares its write with the first bytes, as that of any response.
    if let Some(DeliveryStep::Bytes(first)) =
        steps.next_if(|step| matches!(step, DeliveryStep::Bytes(bytes) if bytes.len() <= ONE_WRITE))
    {
        transport.out.extend_from_slice(&first);
    }
    transport.flush(limits.time_budget(0))?;
    let mut sent = Sent::Whole;
    for step in steps {
        let length = match &step {
            DeliveryStep::Bytes(bytes) => bytes.len() as u64,
            _ => 0,
        };
        let is_stopping = || stopping.load(Ordering::SeqCst);
        let (io, sent_bytes) = transport.io();
        match take(io, &step, limits.time_budget(length), sent_bytes, is_stopping)? {
            AfterStep::Open => {}
            AfterStep::HalfClosed => sent = Sent::CutShort,
            AfterStep::Closed => return Ok(Sent::CutShort),
            AfterStep::Reset => return Ok(Sent::Reset),
        }
    }
    Ok(sent)
}

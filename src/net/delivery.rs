//! # 10b. The answer on its way
//!
//! A head and bytes that are there go out in one write. A reader's content goes out piece by piece:
//! counted, where its length was promised, or in chunks.
//!
//! Whoever takes no byte for the write timeout, or is slower than the slowest line that is served, is
//! given up: a thread waits here.  Next: [`persistence`](crate::message::persistence).

use std::io::{self, ErrorKind, Read};
use std::panic::{self, AssertUnwindSafe};
use std::time::{Instant, SystemTime};

use log::error;

use super::transport::{Io, ONE_WRITE, Transport};
use crate::message::chunked::{LAST_CHUNK, encode_chunk};
use crate::message::encode::{Delimiter, ResponseContext, encode_head};
use crate::message::limits::Limits;
use crate::message::persistence::Persistence;
use crate::message::response::{Body, Response};

/// Bytes of a stream's piece, at most: one chunk, one write.
const PIECE: usize = 16 * 1024;

/// Whether an answer is gone with a single write, as far as the client lets it.
pub(super) fn is_one_write(response: &Response) -> bool {
    matches!(&response.body, Body::Bytes(bytes) if bytes.len() <= ONE_WRITE)
}

/// Sends an answer. What becomes of the connection is decided here at the latest.
pub(super) fn deliver<L: Io>(
    transport: &mut Transport<'_, L>,
    response: Response,
    context: ResponseContext,
    now: SystemTime,
    limits: &Limits,
) -> io::Result<Persistence> {
    let (delimiter, persistence) = encode_head(&response, context, now, transport.out);
    match (response.body, delimiter) {
        (_, Delimiter::Head | Delimiter::Length(0)) => transport.flush(limits.time_budget(0))?,
        (Body::Bytes(bytes), _) => {
            let with_head = &bytes[..bytes.len().min(ONE_WRITE)];
            let budget = limits.time_budget(bytes.len() as u64);
            transport.out.extend_from_slice(with_head);
            transport.flush(budget)?;
            transport.send(&bytes[with_head.len()..], budget)?;
        }
        (Body::Sized(reader, length), _) => {
            if let Cut::Short = copy(transport, reader.take(length), length, limits)? {
                return Ok(Persistence::Close);
            }
        }
        (Body::Stream(reader), delimiter) => {
            let in_chunks = delimiter == Delimiter::Chunked;
            if let Cut::Short = stream(transport, reader, in_chunks, limits)? {
                return Ok(Persistence::Close);
            }
        }
    }
    Ok(persistence)
}

/// Whether all the content went out that was promised. Where a reader fails, or has too little, the
/// connection must end: it is the only way left to tell the client (RFC 9112 section 8).
enum Cut {
    No,
    Short,
}

/// Reads a piece from a handler's reader; `None` where it fails, or panics.
fn next_piece(reader: &mut impl Read, piece: &mut [u8]) -> Option<usize> {
    loop {
        match panic::catch_unwind(AssertUnwindSafe(|| reader.read(piece))) {
            Ok(Ok(read)) => return Some(read),
            Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
            Ok(Err(error)) => {
                error!("the content of an answer ends early: {error}");
                return None;
            }
            Err(_) => {
                error!("the reader of an answer's content panicked");
                return None;
            }
        }
    }
}

/// Sends exactly `length` bytes behind the head that is in `out`.
#[cold]
fn copy<L: Io>(
    transport: &mut Transport<'_, L>,
    mut reader: impl Read,
    length: u64,
    limits: &Limits,
) -> io::Result<Cut> {
    let since = Instant::now();
    let mut left = length;
    let mut piece = vec![0; ONE_WRITE];
    while left > 0 {
        let read = next_piece(&mut reader, &mut piece);
        let bytes = &piece[..read.unwrap_or(0)];
        transport.out.extend_from_slice(bytes);
        transport.flush(limits.time_budget(length).saturating_sub(since.elapsed()))?;
        if bytes.is_empty() {
            return Ok(Cut::Short);
        }
        left -= bytes.len() as u64;
    }
    transport.flush(limits.time_budget(0))?;
    Ok(Cut::No)
}

/// Sends pieces as they are made, each at once; the first shares a write with the head.
#[cold]
fn stream<L: Io>(
    transport: &mut Transport<'_, L>,
    mut reader: Box<dyn Read + Send>,
    in_chunks: bool,
    limits: &Limits,
) -> io::Result<Cut> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = next_piece(&mut reader, &mut piece);
        match (read, in_chunks) {
            (None, _) => {}
            (Some(0), true) => transport.out.extend_from_slice(LAST_CHUNK),
            (Some(read), true) => encode_chunk(&piece[..read], transport.out),
            (Some(read), false) => transport.out.extend_from_slice(&piece[..read]),
        }
        transport.flush(limits.time_budget(PIECE as u64))?;
        match read {
            None => return Ok(Cut::Short),
            Some(0) => return Ok(Cut::No),
            Some(_) => {}
        }
    }
}

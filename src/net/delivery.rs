//! # 10b. The answer on its way
//!
//! A head and bytes that are there go out in one write. A reader's content goes out piece by piece:
//! counted, where its length was promised, or in chunks.
//!
//! Whoever takes no byte for the write timeout, or is slower than the slowest line that is served, is
//! given up: a thread waits here.  Next: [`persistence`](crate::message::persistence).

use std::io::{self, ErrorKind, Read};
use std::time::{Instant, SystemTime};

use super::transport::{Line, ONE_WRITE, Transport};
use crate::message::chunked::{LAST_CHUNK, encode_chunk};
use crate::message::encode::{Asked, Delimiter, encode_head};
use crate::message::limits::Limits;
use crate::message::persistence::Persistence;
use crate::message::response::{Body, Response};

/// Bytes of a stream's piece, at most: one chunk, one write.
const PIECE: usize = 16 * 1024;

/// Sends an answer. What becomes of the connection is decided here at the latest.
pub(super) fn deliver<L: Line>(
    transport: &mut Transport<L>,
    response: Response,
    asked: Asked,
    now: SystemTime,
    limits: &Limits,
) -> io::Result<Persistence> {
    let (delimiter, persistence) = encode_head(&response, asked, now, &mut transport.out);
    match (response.body, delimiter) {
        (_, Delimiter::Head | Delimiter::Length(0)) => transport.flush(limits.patience(0))?,
        (Body::Bytes(bytes), _) => {
            let with_head = &bytes[..bytes.len().min(ONE_WRITE)];
            let budget = limits.patience(bytes.len() as u64);
            transport.out.extend_from_slice(with_head);
            transport.flush(budget)?;
            transport.send(&bytes[with_head.len()..], budget)?;
        }
        (Body::Sized(reader, length), _) => copy(transport, reader.take(length), length, limits)?,
        (Body::Stream(reader), delimiter) => {
            stream(transport, reader, delimiter == Delimiter::Chunks, limits)?;
        }
    }
    Ok(persistence)
}

/// Sends exactly `length` bytes behind the head that is in `out`. A reader that has fewer leaves the
/// client short of what Content-Length promised, and the connection must end to say so.
#[cold]
fn copy<L: Line>(
    transport: &mut Transport<L>,
    mut reader: impl Read,
    length: u64,
    limits: &Limits,
) -> io::Result<()> {
    let since = Instant::now();
    let mut left = length;
    let mut piece = vec![0; ONE_WRITE];
    while left > 0 {
        let read = reader.read(&mut piece)?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        left -= read as u64;
        transport.out.extend_from_slice(&piece[..read]);
        let budget = limits.patience(length).saturating_sub(since.elapsed());
        transport.flush(budget)?;
    }
    transport.flush(limits.patience(0))
}

/// Sends pieces as they are made, each at once; the first shares a write with the head.
#[cold]
fn stream<L: Line>(
    transport: &mut Transport<L>,
    mut reader: Box<dyn Read + Send>,
    in_chunks: bool,
    limits: &Limits,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = match reader.read(&mut piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read?,
        };
        match (read, in_chunks) {
            (0, true) => transport.out.extend_from_slice(LAST_CHUNK),
            (_, true) => encode_chunk(&piece[..read], &mut transport.out),
            (_, false) => transport.out.extend_from_slice(&piece[..read]),
        }
        transport.flush(limits.patience(read as u64))?;
        if read == 0 {
            return Ok(());
        }
    }
}

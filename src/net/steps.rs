//! # Takes the steps of a response that is sent step by step
//!
//! ```text
//! Bytes         written at once
//! Drip          written a few at a time, with a pause between them
//! Wait          nothing is sent; if the server is to stop, the connection is closed instead
//! HalfClose     FIN; the steps go on
//! Close         the end
//! Reset         waits until what was written has arrived, within the time for a write; the system sends
//!               RST when the socket is closed
//! ```
//! The server takes the steps of a handler's response here, and `mock` those of a transcript.
//!
//! A reset is a setting of the socket. So the system sends it when the last holder of the socket
//! closes it, and no holder needs to leave bytes unread for that.  Next:
//! [`persistence`](crate::message::persistence).

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::transport::{Io, send};
use crate::message::steps::DeliveryStep;

/// How often a wait looks whether the server is to stop.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// What a connection is after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterStep {
    /// Open: the next step may follow.
    Open,
    /// Half-closed: the next step may follow, if it sends nothing.
    HalfClosed,
    /// To be closed.
    Closed,
    /// The system resets the connection when the socket is closed.
    Reset,
}

/// Takes one step. `budget` is the time in which the client must take the bytes, and `sent` counts
/// them. Where the system cannot reset a connection, it is to be closed.
///
/// # Errors
/// The client is gone, or too slow.
pub(crate) fn take(
    io: &mut impl Io,
    step: &DeliveryStep,
    budget: Duration,
    sent: &mut u64,
    is_stopping: impl Fn() -> bool,
) -> io::Result<AfterStep> {
    match step {
        DeliveryStep::Bytes(bytes) => send(io, bytes, budget, sent)?,
        DeliveryStep::Wait(time) if !wait(*time, &is_stopping) => return Ok(AfterStep::Closed),
        DeliveryStep::Wait(_) => {}
        DeliveryStep::Drip(bytes, size, pause) => {
            for (number, drop) in bytes.chunks((*size).max(1)).enumerate() {
                if number > 0 && !wait(*pause, &is_stopping) {
                    return Ok(AfterStep::Closed);
                }
                send(io, drop, budget, sent)?;
            }
        }
        DeliveryStep::HalfClose => {
            io.half_close()?;
            return Ok(AfterStep::HalfClosed);
        }
        DeliveryStep::Close => return Ok(AfterStep::Closed),
        DeliveryStep::Reset => {
            let reset = io.reset_at_end(budget, &is_stopping);
            return Ok(reset.map_or(AfterStep::Closed, |()| AfterStep::Reset));
        }
    }
    Ok(AfterStep::Open)
}

/// Waits for this time. Returns false as soon as the server is stopping. A client that leaves meanwhile
/// does not end the wait: its FIN may be a half-close, after which it still reads.
fn wait(time: Duration, is_stopping: impl Fn() -> bool) -> bool {
    let since = Instant::now();
    loop {
        let left = time.saturating_sub(since.elapsed());
        if is_stopping() {
            return false;
        }
        if left.is_zero() {
            return true;
        }
        thread::sleep(left.min(POLL_INTERVAL));
    }
}

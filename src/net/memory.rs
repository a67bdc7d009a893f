//! # The memory of all connections
//!
//! Each request and each response has a limit of its own. But a thousand of them at one time could
//! still take all memory, and a process that gets none is ended, with every connection. So all
//! connections share one budget (`Limits::memory`, `--max-memory`).
//!
//! ```text
//! reserve ── it fits ──> allocate, use, free ──> the reservation is dropped
//!    └ it does not fit: 503 with Retry-After
//! ```
//! Memory is reserved before it is allocated, and nothing waits for it: two requests that wait for each
//! other's memory would wait for ever. The small buffers of a connection need no reservation. So a
//! small request with a small response costs nothing here, and is answered even if the budget is used up.
//! Next: [`head`](crate::message::head).

use std::io::{self, ErrorKind};
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use log::warn;

use super::throttle::Throttle;
use crate::message::limits::Limits;
use crate::sys;

/// Bytes of a buffer that needs no reservation.
pub(crate) const FREE_BYTES: usize = 2 * 1024;

/// The budget, where [`Limits::memory`] gives none: at most so many bytes, and less on a small machine.
const MAX_DEFAULT_BUDGET: u64 = 64 << 20;

/// The part of the machine's memory that is the budget of a small machine.
const DEFAULT_PART: u64 = 8;

/// The budget in bytes: [`Limits::memory`], or its default for this machine.
pub fn budget(limits: &Limits) -> u64 {
    let default = || {
        let of_machine = sys::memory_size().map_or(u64::MAX, |bytes| bytes / DEFAULT_PART);
        of_machine.min(MAX_DEFAULT_BUDGET)
    };
    limits.memory.unwrap_or_else(default)
}

/// The budget of one server, and how much of it is reserved.
pub(crate) struct Memory {
    budget: usize,
    reserved: AtomicUsize,
    /// Limits the messages about requests and responses that did not fit.
    short: Throttle,
    /// Buffers for the content of files, which wait for the next one.
    spare: Mutex<Vec<Vec<u8>>>,
}

/// How many buffers wait, at most: half a MiB. To allocate one, and to fill it with zeros, would take a
/// quarter of the time of a response of 100 KiB.
const MAX_SPARE: usize = 8;

/// The budget has no room for these bytes, or the system has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfMemory;

impl From<OutOfMemory> for io::Error {
    fn from(_: OutOfMemory) -> io::Error {
        ErrorKind::OutOfMemory.into()
    }
}

impl Memory {
    pub fn new(budget: u64) -> Memory {
        let budget = usize::try_from(budget).unwrap_or(usize::MAX);
        let (reserved, spare) = (AtomicUsize::new(0), Mutex::default());
        Memory { budget, reserved, short: Throttle::default(), spare }
    }

    /// A buffer of at least this many bytes, with any content. Its memory is to be reserved before.
    pub fn buffer(&self, length: usize) -> Vec<u8> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match spare {
            Some(buffer) if buffer.len() >= length => buffer,
            _ => vec![0; length],
        }
    }

    /// Keeps a buffer for the next call of [`Memory::buffer`], unless enough of them wait.
    pub fn keep_buffer(&self, buffer: Vec<u8>) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MAX_SPARE {
            spare.push(buffer);
        }
    }

    /// A reservation of no bytes yet.
    pub fn reservation(&self) -> Reservation<'_> {
        Reservation { memory: self, bytes: 0 }
    }

    #[cold]
    fn is_short(&self) -> OutOfMemory {
        if self.short.allows() {
            warn!(
                "requests and responses take {} bytes, which is the limit (max memory); \
                 those that need more get 503",
                self.budget
            );
        }
        OutOfMemory
    }
}

/// A part of the budget. Dropping it gives the part back.
pub(crate) struct Reservation<'a> {
    memory: &'a Memory,
    bytes: usize,
}

impl Reservation<'_> {
    /// Bytes that are reserved; zero for a small buffer.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Makes the reservation at least this large, unless a small buffer is enough. Call it before the
    /// bytes are allocated.
    ///
    /// # Errors
    /// The budget has no room. The reservation is as large as before.
    pub fn grow(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        if bytes <= self.bytes.max(FREE_BYTES) {
            return Ok(());
        }
        let Memory { budget, reserved, .. } = self.memory;
        let more = bytes - self.bytes;
        let if_it_fits = |taken: usize| taken.checked_add(more).filter(|sum| sum <= budget);
        reserved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, if_it_fits)
            .map_err(|_| self.memory.is_short())?;
        self.bytes = bytes;
        Ok(())
    }

    /// Makes the reservation at most this large; nothing is reserved for a small buffer. Call it after
    /// the other bytes are freed.
    pub fn shrink(&mut self, bytes: usize) {
        let bytes = if bytes > FREE_BYTES { bytes.min(self.bytes) } else { 0 };
        if bytes < self.bytes {
            self.memory.reserved.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
            self.bytes = bytes;
        }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.shrink(0);
    }
}

/// Bytes that arrive in steps. Each step is reserved before memory is allocated for it.
pub(crate) struct ReservedBytes<'a> {
    bytes: Vec<u8>,
    reservation: Reservation<'a>,
}

impl<'a> ReservedBytes<'a> {
    pub fn new(memory: &'a Memory) -> ReservedBytes<'a> {
        ReservedBytes { bytes: Vec::new(), reservation: memory.reservation() }
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// There is no memory for them. None of them is appended.
    pub fn extend(&mut self, more: &[u8]) -> Result<(), OutOfMemory> {
        let length = self.bytes.len() + more.len();
        if length > self.bytes.capacity() {
            let capacity = length.max(2 * self.bytes.capacity());
            self.reservation.grow(capacity)?;
            enlarge(&mut self.bytes, capacity)?;
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }
}

impl Deref for ReservedBytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Makes the capacity of a buffer at least this large. std's other calls end the process if the system
/// has no memory.
pub(crate) fn enlarge(buffer: &mut Vec<u8>, capacity: usize) -> Result<(), OutOfMemory> {
    let more = capacity.saturating_sub(buffer.len());
    buffer.try_reserve_exact(more).map_err(|_| OutOfMemory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_buffers_wait_for_the_next_file() {
        let memory = Memory::new(0);
        let buffers: Vec<Vec<u8>> = (0..2 * MAX_SPARE).map(|_| memory.buffer(100)).collect();
        buffers.into_iter().for_each(|buffer| memory.keep_buffer(buffer));
        assert_eq!(memory.spare.lock().unwrap().len(), MAX_SPARE);
        assert_eq!(memory.buffer(50).len(), 100, "one that waited");
        assert_eq!(memory.buffer(200).len(), 200);
    }

    #[test]
    fn reservations_fill_the_budget_and_give_it_back() {
        let memory = Memory::new(10_000);
        let [mut one, mut other] = [memory.reservation(), memory.reservation()];
        assert_eq!((one.grow(6_000), other.grow(6_000)), (Ok(()), Err(OutOfMemory)));
        assert_eq!((one.bytes(), other.bytes()), (6_000, 0));
        assert_eq!((other.grow(4_000), one.grow(6_001)), (Ok(()), Err(OutOfMemory)));
        one.shrink(5_000);
        assert_eq!((one.bytes(), other.grow(5_000)), (5_000, Ok(())));
        drop(other);
        assert_eq!((one.grow(usize::MAX), one.grow(10_000)), (Err(OutOfMemory), Ok(())));
        drop(one);
        assert_eq!(memory.reserved.into_inner(), 0);
    }

    #[test]
    fn a_small_buffer_needs_no_budget() {
        let memory = Memory::new(0);
        let mut reservation = memory.reservation();
        assert_eq!((reservation.grow(FREE_BYTES), reservation.bytes()), (Ok(()), 0));
        assert_eq!(reservation.grow(FREE_BYTES + 1), Err(OutOfMemory));
    }

    #[test]
    fn bytes_that_arrive_in_steps_are_reserved_with_their_capacity() {
        let memory = Memory::new(16 * 1024);
        let mut bytes = ReservedBytes::new(&memory);
        for _ in 0..16 {
            assert_eq!(bytes.extend(&[b'x'; 1024]), Ok(()));
            let reserved = memory.reserved.load(Ordering::Relaxed);
            assert!(reserved == bytes.bytes.capacity() || bytes.bytes.capacity() <= FREE_BYTES);
        }
        assert_eq!((bytes.extend(b"x"), bytes.len()), (Err(OutOfMemory), 16 * 1024));
        drop(bytes);
        assert_eq!(memory.reserved.into_inner(), 0);
    }
}

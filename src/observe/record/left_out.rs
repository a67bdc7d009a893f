//! # Exchanges that a recording leaves out
//!
//! A page that shows exchanges asks for them over the same server, and these requests are not to be
//! recorded. Which route a request has is known when its head is complete, so its bytes are held until
//! then:
//!
//! ```text
//! GET /kitchen/state …   held    routed: left out    the bytes are dropped, and so is the response
//! GET / …                held    routed: another     the bytes are recorded
//! ```
//! Two requests in one read are recorded both. What is held is a head, which the server bounds.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use crate::message::dialogue::{Followed, Side};
use crate::observe::follower::FollowedBytes;

/// What is held of one connection.
#[derive(Default)]
pub(super) struct LeftOut {
    held: Vec<HeldBytes>,
    /// Whether an exchange is being left out.
    is_within: bool,
}

/// Bytes that crossed, as their follower told them.
pub(super) struct HeldBytes {
    /// When they crossed.
    pub at: Instant,
    bytes: Vec<u8>,
    ranges: Arc<[Followed]>,
    begins_message: bool,
    content_before: u64,
    is_in_flight: bool,
}

impl HeldBytes {
    /// The bytes of the client, as they were told.
    pub fn followed(&self) -> FollowedBytes<'_> {
        let HeldBytes { bytes, ranges, begins_message, content_before, is_in_flight, .. } = self;
        FollowedBytes {
            from: Side::Client,
            bytes,
            ranges,
            begins_message: *begins_message,
            content_before: *content_before,
            is_in_flight: *is_in_flight,
        }
    }
}

impl LeftOut {
    /// Takes bytes. Returns whether they are held or left out.
    pub fn takes(&mut self, followed: &FollowedBytes<'_>) -> bool {
        let FollowedBytes { from, bytes, ranges, begins_message, content_before, is_in_flight } =
            *followed;
        if self.is_within {
            self.is_within = is_in_flight;
            return true;
        }
        let begins_request = from == Side::Client && (begins_message || !self.held.is_empty());
        if begins_request {
            let (bytes, ranges) = (bytes.to_vec(), Arc::clone(ranges));
            let at = Instant::now();
            self.held.push(HeldBytes {
                at,
                bytes,
                ranges,
                begins_message,
                content_before,
                is_in_flight,
            });
        }
        begins_request
    }

    /// Takes the route of the request whose head is held: whether it is to be left out. Returns what is to
    /// be recorded now.
    pub fn routed(&mut self, is_left_out: bool) -> Vec<HeldBytes> {
        let held = mem::take(&mut self.held);
        let heads = held.iter().flat_map(|held| &*held.ranges).filter(|range| range.head.is_some());
        if !is_left_out || heads.count() != 1 {
            return held;
        }
        self.is_within = true;
        Vec::new()
    }

    /// What is held, because its route will not be known: the server answers without it, or a side ends.
    pub fn release(&mut self) -> Vec<HeldBytes> {
        mem::take(&mut self.held)
    }
}

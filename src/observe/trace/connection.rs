//! # The state of one traced connection
//!
//! ```text
//! --- @2 open from 127.0.0.1:41230              printed with the first thing shown of it
//!
//! >>> @2 82 bytes, +0.1 ms                      one read
//! ...
//! --- @2 silent 12s                             before the event that ends the silence
//!
//! >>> @2 82 bytes, +12.3 s, kept alive          the next request
//! ...
//! --- @2 client half-close                      the side that closes first
//! --- @2 server closed                          and the other side
//! ```
//! It holds both directions, what has been printed, and the items that are held back.

use std::mem;
use std::net::SocketAddr;
use std::time::Instant;

use super::collector::{Collector, CountedBytes};
use super::direction::{Direction, Shown};
use super::event::{CountedReads, Summary};
use crate::message::dialogue::Followed;
use crate::net::observer::End;
use crate::observe::follower::end_event;
use crate::transcript::explain::{RangeExplainer, Remark, prose};
use crate::transcript::notes;
use crate::transcript::{Block, Bytes, Event, EventKind, Item, Note, Piece, Prose, Side};

/// Bytes that may be held back on one connection. Each item costs the bytes that crossed, and
/// [`ITEM_BYTES`].
const MAX_HELD_BYTES: usize = 64 * 1024;

/// Roughly what an item takes in memory besides its bytes.
const ITEM_BYTES: usize = 128;

/// A connection, until it is gone.
pub(super) struct TracedConnection {
    number: u64,
    /// `None` if events were lost before the first one seen.
    peer: Option<SocketAddr>,
    client: Direction,
    server: Direction,
    has_bytes: bool,
    /// Whether [`mark_silent`](TracedConnection::mark_silent) has found it silent.
    is_marked_silent: bool,
    /// Whether its `open` event has been printed.
    is_announced: bool,
    client_ended: bool,
    server_ended: bool,
    is_reset: bool,
    /// The time of the last event.
    last_event: Instant,
    /// The side that sent the last bytes.
    last_from: Option<Side>,
    /// Whether the current bytes begin another request after a response.
    is_kept_alive: bool,
    held: Option<Held>,
    /// What explains the bytes, if the options ask for it.
    explainer: Option<Box<RangeExplainer>>,
}

impl TracedConnection {
    /// A connection that was just opened; one whose earlier events were lost, if `peer` is `None`.
    pub fn new(
        number: u64,
        peer: Option<SocketAddr>,
        at: Instant,
        bodies: bool,
    ) -> TracedConnection {
        let is_known = peer.is_some();
        TracedConnection {
            number,
            peer,
            client: Direction::new(bodies, is_known),
            server: Direction::new(bodies, is_known),
            has_bytes: !is_known,
            is_marked_silent: false,
            is_announced: !is_known,
            client_ended: false,
            server_ended: false,
            is_reset: false,
            last_event: at,
            last_from: None,
            is_kept_alive: false,
            held: None,
            explainer: None,
        }
    }

    /// Whether no byte has crossed, and neither side has ended.
    pub fn is_silent(&self) -> bool {
        !(self.has_bytes || self.client_ended || self.server_ended)
    }

    /// Marks a silent connection. True only if it is silent and was not marked before.
    pub fn mark_silent(&mut self) -> bool {
        self.is_silent() && !mem::replace(&mut self.is_marked_silent, true)
    }

    /// Whether a request has begun and not ended.
    pub fn is_within_request(&self) -> bool {
        self.client.is_within()
    }

    /// Whether items are held back.
    pub fn holds_back(&self) -> bool {
        self.held.is_some()
    }

    /// Takes bytes that crossed, and their ranges. Returns what to show of them, and the heads that end
    /// in them.
    pub fn shorten<'r>(
        &mut self,
        from: Side,
        bytes: &[u8],
        ranges: &'r [Followed],
        begins_message: bool,
    ) -> Shown<'r> {
        self.has_bytes = true;
        let is_after_response = self.last_from.replace(from) == Some(Side::Server);
        // After a response without an end, such as a 101, the bytes begin no request.
        let begins_request = !self.client.is_within() && !self.server.is_within();
        // A server that has ended its half answers no further request.
        let may_be_kept = from == Side::Client && is_after_response && !self.server_ended;
        self.is_kept_alive = may_be_kept && begins_request;
        match from {
            Side::Client => self.client.show(bytes, ranges, begins_message),
            Side::Server => self.server.show(bytes, ranges, begins_message),
        }
    }

    /// Takes reads or writes of which no byte is shown. `at` is the time of the first of them.
    pub fn count(&mut self, at: Instant, counted: CountedReads, out: &mut Collector) {
        let CountedReads { from, length, .. } = counted;
        self.has_bytes = true;
        self.is_kept_alive = false; // they do not begin a message
        self.last_from = Some(from);
        match from {
            Side::Client => self.client.count(),
            Side::Server => self.server.count(),
        }
        let mut bytes = Bytes::new();
        bytes.push_left_out(length);
        self.show(at, counted, bytes, out);
    }

    /// Prints bytes that crossed, or adds them to the bytes that are only counted.
    pub fn show(&mut self, at: Instant, reads: CountedReads, bytes: Bytes, out: &mut Collector) {
        let (since, silence) = self.silence_until(at);
        self.last_event = reads.last;
        silence.into_iter().for_each(|silence| self.push(silence, ITEM_BYTES, out));
        let CountedReads { from, length, reads, last } = reads;
        let connection = self.label();
        let crossed = CountedBytes { connection, from, length, reads, since, first: at, last };
        let is_only_counted = matches!(bytes.pieces(), [Piece::LeftOut { .. }]);
        if is_only_counted && self.is_announced && self.held.is_none() {
            return out.count(crossed);
        }
        let cost = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(ITEM_BYTES);
        let kept_alive = if self.is_kept_alive { ", kept alive" } else { "" };
        let note = Note::new(&(crossed.note() + kept_alive));
        self.push(Item::Block(Block { connection, from, note, bytes }), cost, out);
    }

    /// Records the time of an event. Returns the time of the event before, and the silence between, if
    /// it is long enough to report.
    fn silence_until(&mut self, at: Instant) -> (Instant, Option<Item>) {
        let since = mem::replace(&mut self.last_event, at);
        let silence = notes::silence(at.saturating_duration_since(since));
        (since, silence.map(|kind| self.event(kind, Note::default())))
    }

    /// Prints the `open` event, unless it has been printed.
    pub fn announce(&mut self, out: &mut Collector) {
        if !mem::replace(&mut self.is_announced, true) {
            let from = self.peer.map(|peer| format!("from {peer}")).unwrap_or_default();
            out.push(self.event(EventKind::Open, Note::new(&from)));
        }
    }

    /// What there is to explain about these bytes. Nothing about the first ranges, which are part of a
    /// message whose start was lost.
    pub fn meaning(
        &mut self,
        from: Side,
        bytes: &[u8],
        ranges: &[Followed],
        unknown_ranges: usize,
    ) -> Vec<Remark> {
        let (unknown, known) = ranges.split_at(unknown_ranges);
        let mut rest = &bytes[unknown.iter().map(|range| range.length).sum()..];
        let mut remarks = Vec::new();
        let explainer = self.explainer.get_or_insert_default();
        for range in known {
            remarks.extend(explainer.explain_range(from, range, rest));
            rest = &rest[range.length..];
        }
        remarks
    }

    /// Prints explanations.
    pub fn explain(&mut self, remarks: &[Remark], out: &mut Collector) {
        for item in prose(remarks, 80) {
            self.push(item, ITEM_BYTES, out);
        }
    }

    /// Prints a line of prose.
    pub fn push_prose(&mut self, remark: &str, out: &mut Collector) {
        self.push(Item::Prose(Prose::new(remark)), ITEM_BYTES, out);
    }

    /// Holds back all items from now on, for this many more requests whose routes are not known yet.
    pub fn hold_back(&mut self, requests: usize) {
        self.held.get_or_insert_with(Held::default).unanswered += requests;
    }

    /// Prints the items that were held back.
    pub fn release(&mut self, out: &mut Collector) {
        let Some(held) = self.held.take() else { return };
        let Some(items) = held.items else {
            return out.push_prose("the bytes of this exchange are not shown: too many to keep");
        };
        for item in items {
            match item {
                HeldItem::Item(item) => self.push(item, 0, out),
                HeldItem::Summary(line) => out.push_summary(&line),
            }
        }
    }

    /// Takes the route of the oldest request without a response. Only if it is quiet, the items are
    /// still held back.
    pub fn routed(&mut self, is_quiet: bool, out: &mut Collector) {
        match &mut self.held {
            Some(held) if is_quiet => held.is_quiet = true,
            _ => self.release(out),
        }
    }

    /// Prints the line about an answered exchange. If its route is quiet and it has not failed, its
    /// items are dropped, once no other request is held back.
    pub fn answered(&mut self, summary: Summary, out: &mut Collector) {
        // The next request may have begun after a quiet one, on a route that is not quiet.
        let is_shown = summary.has_failed || self.is_within_request();
        match &mut self.held {
            Some(held) if held.is_quiet && !is_shown => {
                (held.unanswered, held.is_quiet) = (held.unanswered.saturating_sub(1), false);
                held.keep(HeldItem::Summary(summary.line), ITEM_BYTES);
                if held.unanswered == 0 {
                    self.held = None;
                }
            }
            _ => {
                self.release(out);
                out.push_summary(&summary.line);
            }
        }
    }

    /// Prints that a side ended its half, or reset the connection.
    pub fn ended(&mut self, at: Instant, end: End, out: &mut Collector) {
        if self.held.as_ref().is_some_and(|held| !held.is_quiet) {
            self.release(out);
        }
        let kind = end_event(end, self.server_ended);
        match end.side() {
            Side::Client => self.client_ended = true,
            Side::Server => (self.server_ended, self.held) = (true, None),
        }
        // A reset ends both sides, so no end is printed after it.
        let was_reset = mem::replace(&mut self.is_reset, end.is_reset());
        let (_, silence) = self.silence_until(at);
        if self.is_announced && !was_reset {
            let items = silence.into_iter().chain([self.event(kind, Note::default())]);
            items.for_each(|item| out.push(item));
        }
    }

    fn event(&self, kind: EventKind, note: Note) -> Item {
        Item::Event(Event { connection: self.label(), kind, note })
    }

    /// Prints an item, or holds it back at this cost in bytes.
    fn push(&mut self, item: Item, cost: usize, out: &mut Collector) {
        if let Some(held) = &mut self.held {
            return held.keep(HeldItem::Item(item), cost);
        }
        self.announce(out);
        out.push(item);
    }

    /// The number after the `@`. All connections from the 4,294,967,295th on share one.
    fn label(&self) -> u32 {
        u32::try_from(self.number).unwrap_or(u32::MAX)
    }
}

/// Items of requests whose route may be quiet. They are printed if it is not, if the exchange fails, or
/// if there is a remark on it.
struct Held {
    /// Requests whose items these are, and that have no response yet.
    unanswered: usize,
    /// Whether the route of the oldest of them is known, and quiet.
    is_quiet: bool,
    bytes_left: usize,
    /// `None` once there was too much to keep: a stream without end, on a quiet route.
    items: Option<Vec<HeldItem>>,
}

enum HeldItem {
    Item(Item),
    /// The line about an answered exchange, which gets its number when it is printed.
    Summary(String),
}

impl Default for Held {
    fn default() -> Held {
        let (unanswered, is_quiet, items) = (0, false, Some(Vec::new()));
        Held { unanswered, is_quiet, bytes_left: MAX_HELD_BYTES, items }
    }
}

impl Held {
    fn keep(&mut self, item: HeldItem, cost: usize) {
        // A request whose route is not known is never dropped. It is one read.
        let is_full = self.is_quiet && cost > self.bytes_left;
        self.bytes_left = self.bytes_left.saturating_sub(cost);
        match &mut self.items {
            Some(items) if !is_full => items.push(item),
            items => *items = None,
        }
    }
}

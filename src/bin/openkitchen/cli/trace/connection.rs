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

use openkitchen::End;
use openkitchen::message::method::Method;
use openkitchen::transcript::explain::{ConnectionExplainer, Remark, prose};
use openkitchen::transcript::{Block, Bytes, Event, EventKind, Item, Note, Piece, Prose, Side};

use super::collector::{Collector, Crossed};
use super::direction::{Direction, Shown};
use crate::cli::note;

/// Bytes that may be held back on one connection. Each item costs the bytes that crossed, and
/// [`ITEM_BYTES`].
const MAX_HELD_BYTES: usize = 64 * 1024;

/// Roughly what an item takes in memory besides its bytes.
const ITEM_BYTES: usize = 128;

/// A connection, until both sides have ended.
pub(super) struct TracedConnection {
    number: u64,
    /// `None` if events were lost before the first one seen.
    peer: Option<SocketAddr>,
    client: Direction,
    server: Direction,
    /// Whether the directions know which part of a message comes next.
    is_followed: bool,
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
    /// What explains the bytes, with `--explain`.
    explainer: Option<Box<ConnectionExplainer>>,
}

impl TracedConnection {
    /// A connection that was just opened.
    pub fn opened(number: u64, peer: SocketAddr, at: Instant, bodies: bool) -> TracedConnection {
        TracedConnection {
            number,
            peer: Some(peer),
            client: Direction::requests(bodies),
            server: Direction::responses(bodies),
            is_followed: true,
            has_bytes: false,
            is_marked_silent: false,
            is_announced: false,
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

    /// A connection whose earlier events were lost. It is followed again after its next exchange ends.
    pub fn with_lost_start(number: u64, at: Instant, bodies: bool) -> TracedConnection {
        // The address is only needed for the `open` event, which is not printed again.
        let placeholder = SocketAddr::from(([0, 0, 0, 0], 0));
        let (is_followed, has_bytes, is_announced) = (false, true, true);
        let opened = TracedConnection::opened(number, placeholder, at, bodies);
        TracedConnection { peer: None, is_followed, has_bytes, is_announced, ..opened }
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

    /// Whether both sides have ended.
    pub fn is_over(&self) -> bool {
        self.client_ended && self.server_ended
    }

    /// Takes bytes that crossed. Returns what to show of them, and the heads that end in them.
    pub fn follow(&mut self, from: Side, bytes: &[u8]) -> Shown {
        self.has_bytes = true;
        let is_after_response = self.last_from.replace(from) == Some(Side::Server);
        self.is_kept_alive = from == Side::Client && is_after_response && !self.client.is_within();
        if !self.is_followed {
            let mut left_out = Bytes::new();
            left_out.push_left_out(bytes.len() as u64);
            return Shown { bytes: left_out, heads: Vec::new() };
        }
        if from == Side::Server {
            return self.server.show(bytes);
        }
        let shown = self.client.show(bytes);
        for head in &shown.heads {
            // A response to an unknown method ends as a response to GET does.
            self.server.expect_response_to(head.method.unwrap_or(Method::Get));
        }
        shown
    }

    /// Prints bytes that crossed, or adds them to the bytes that are only counted.
    pub fn show(&mut self, at: Instant, from: Side, bytes: Bytes, out: &mut Collector) {
        let (since, silence) = self.silence_until(at);
        silence.into_iter().for_each(|silence| self.push(silence, ITEM_BYTES, out));
        let (connection, length) = (self.label(), bytes.len());
        let crossed = Crossed::once(connection, from, length, since, at);
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
        let silence = note::silence(at.saturating_duration_since(since));
        (since, silence.map(|kind| self.event(kind, Note::default())))
    }

    /// Prints the `open` event, unless it has been printed.
    pub fn announce(&mut self, out: &mut Collector) {
        if !mem::replace(&mut self.is_announced, true) {
            let from = self.peer.map(|peer| format!("from {peer}")).unwrap_or_default();
            out.push(self.event(EventKind::Open, Note::new(&from)));
        }
    }

    /// What there is to explain about these bytes. Nothing, if earlier events were lost.
    pub fn meaning(&mut self, from: Side, bytes: &[u8]) -> Vec<Remark> {
        if self.peer.is_none() || !self.is_followed {
            return Vec::new();
        }
        self.explainer.get_or_insert_default().explain_bytes(from, bytes)
    }

    /// Prints explanations.
    pub fn explain(&mut self, remarks: &[Remark], out: &mut Collector) {
        for item in prose(remarks) {
            self.push(item, ITEM_BYTES, out);
        }
    }

    /// Prints a line of prose.
    pub fn push_prose(&mut self, remark: &str, out: &mut Collector) {
        self.push(Item::Prose(Prose::new(remark)), ITEM_BYTES, out);
    }

    /// Holds back all items from now on, for this many more exchanges.
    pub fn hold_back(&mut self, exchanges: usize) {
        self.held.get_or_insert_with(Held::default).unanswered += exchanges;
    }

    /// Prints the items that were held back.
    pub fn release(&mut self, out: &mut Collector) {
        let Some(held) = self.held.take() else { return };
        match held.items {
            Some(items) => items.into_iter().for_each(|item| self.push(item, 0, out)),
            None => out.push_prose("the bytes of this exchange are not shown: too many to keep"),
        }
    }

    /// An exchange ended without an error. Its items are dropped, once no other exchange is held back.
    pub fn drop_exchange(&mut self) {
        if let Some(held) = &mut self.held {
            held.unanswered = held.unanswered.saturating_sub(1);
            if held.unanswered == 0 {
                self.held = None;
            }
        }
    }

    /// An exchange ended, so the next one begins here, even if events were lost before.
    pub fn resynchronise(&mut self, bodies: bool) {
        if !mem::replace(&mut self.is_followed, true) {
            (self.client, self.server) =
                (Direction::requests(bodies), Direction::responses(bodies));
        }
    }

    /// Prints that a side ended its half, or reset the connection.
    pub fn ended(&mut self, at: Instant, end: End, out: &mut Collector) {
        let kind = match end {
            // A FIN says only that the client sends no more. It may still read, until the server ends.
            End::ClientClosed if !self.server_ended => EventKind::HalfClose(Side::Client),
            End::ClientClosed => EventKind::Closed(Side::Client),
            End::ClientReset => EventKind::Reset(Side::Client),
            End::ServerClosed => EventKind::Closed(Side::Server),
            End::ServerReset => EventKind::Reset(Side::Server),
        };
        match end {
            End::ClientClosed | End::ClientReset => self.client_ended = true,
            End::ServerClosed | End::ServerReset => (self.server_ended, self.held) = (true, None),
        }
        // A reset ends both sides, so no end is printed after it.
        let was_reset = mem::replace(&mut self.is_reset, matches!(kind, EventKind::Reset(_)));
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
            return held.keep(item, cost);
        }
        self.announce(out);
        out.push(item);
    }

    /// The number after the `@`. All connections from the 4,294,967,295th on share one.
    fn label(&self) -> u32 {
        u32::try_from(self.number).unwrap_or(u32::MAX)
    }
}

/// Items of quiet routes: printed only if an exchange fails, or there is a remark on it.
struct Held {
    unanswered: usize,
    bytes_left: usize,
    /// `None` once there was too much to keep: a stream without end, on a quiet route.
    items: Option<Vec<Item>>,
}

impl Default for Held {
    fn default() -> Held {
        Held { unanswered: 0, bytes_left: MAX_HELD_BYTES, items: Some(Vec::new()) }
    }
}

impl Held {
    fn keep(&mut self, item: Item, cost: usize) {
        match (self.bytes_left.checked_sub(cost), &mut self.items) {
            (Some(bytes_left), Some(items)) => {
                self.bytes_left = bytes_left;
                items.push(item);
            }
            _ => self.items = None,
        }
    }
}

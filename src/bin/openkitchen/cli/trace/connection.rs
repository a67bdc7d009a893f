//! # What is known of one connection
//!
//! ```text
//! --- @2 open from 127.0.0.1:41230              with what is shown of it first
//!
//! >>> @2 82 bytes, +0.1 ms                      a read
//! ...
//! --- @2 silent 12s                             before what ended the silence
//!
//! >>> @2 82 bytes, +12.3 s, kept alive          the next request
//! ...
//! --- @2 client half-close                      who left first
//! --- @2 server closed                          and the other
//! ```
//! Two directions, how far they are followed, and what of them is held back.

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

/// What may be held back of one exchange, in bytes that crossed.
const HELD: usize = 64 * 1024;

/// What an item that is held back takes beside its bytes, roughly.
const ITEM: usize = 128;

/// A connection, until both sides have left.
pub(super) struct TracedConnection {
    number: u64,
    peer: Option<SocketAddr>,
    client: Direction,
    server: Direction,
    /// Whether the directions know where they are.
    is_followed: bool,
    has_spoken: bool,
    /// Whether it was silent when it was asked.
    was_silent: bool,
    /// Whether the page has shown anything of it.
    is_announced: bool,
    client_left: bool,
    server_left: bool,
    is_reset: bool,
    /// When something happened last.
    last: Instant,
    /// Who sent the last bytes.
    last_from: Option<Side>,
    /// Whether what crosses now is the first of another request, behind an answer.
    is_kept_alive: bool,
    held: Option<Held>,
    /// What the bytes mean, for those who asked to be told.
    conversation: Option<Box<ConnectionExplainer>>,
}

impl TracedConnection {
    /// One that was just opened.
    pub fn opened(number: u64, peer: SocketAddr, at: Instant, bodies: bool) -> TracedConnection {
        TracedConnection {
            number,
            peer: Some(peer),
            client: Direction::requests(bodies),
            server: Direction::answers(bodies),
            is_followed: true,
            has_spoken: false,
            was_silent: false,
            is_announced: false,
            client_left: false,
            server_left: false,
            is_reset: false,
            last: at,
            last_from: None,
            is_kept_alive: false,
            held: None,
            conversation: None,
        }
    }

    /// One whose beginning was lost. It can be followed from where an exchange ends.
    pub fn met_midway(number: u64, at: Instant, bodies: bool) -> TracedConnection {
        // No address is needed of one that is not announced any more.
        let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
        let (is_followed, has_spoken, is_announced) = (false, true, true);
        let opened = TracedConnection::opened(number, nobody, at, bodies);
        TracedConnection { peer: None, is_followed, has_spoken, is_announced, ..opened }
    }

    /// Whether both sides are there, and not a byte has crossed.
    pub fn is_silent(&self) -> bool {
        !(self.has_spoken || self.client_left || self.server_left)
    }

    /// Whether it is silent, and nobody has asked before.
    pub fn turns_out_silent(&mut self) -> bool {
        self.is_silent() && !mem::replace(&mut self.was_silent, true)
    }

    /// Whether a request has begun and not ended.
    pub fn is_within_request(&self) -> bool {
        self.client.is_within()
    }

    /// Whether anything is held back.
    pub fn holds_back(&self) -> bool {
        self.held.is_some()
    }

    /// Both sides have left.
    pub fn is_over(&self) -> bool {
        self.client_left && self.server_left
    }

    /// What a piece is.
    pub fn follow(&mut self, from: Side, piece: &[u8]) -> Shown {
        self.has_spoken = true;
        let is_behind_answer = self.last_from.replace(from) == Some(Side::Server);
        self.is_kept_alive = from == Side::Client && is_behind_answer && !self.client.is_within();
        if !self.is_followed {
            let mut bytes = Bytes::new();
            bytes.push_left_out(piece.len() as u64);
            return Shown { bytes, heads: Vec::new() };
        }
        if from == Side::Server {
            return self.server.show(piece);
        }
        let shown = self.client.show(piece);
        for head in &shown.heads {
            // An answer to a method that nobody knows ends as one to GET does.
            self.server.asked(head.method.unwrap_or(Method::Get));
        }
        shown
    }

    /// Puts bytes that crossed on the page, or with the others that are only counted.
    pub fn show(&mut self, at: Instant, from: Side, bytes: Bytes, page: &mut Collector) {
        let (since, silence) = self.silence_until(at);
        silence.into_iter().for_each(|silence| self.put(silence, ITEM, page));
        let (connection, length) = (self.label(), bytes.len());
        let crossed = Crossed::once(connection, from, length, since, at);
        let is_only_counted = matches!(bytes.pieces(), [Piece::LeftOut { .. }]);
        if is_only_counted && self.is_announced && self.held.is_none() {
            return page.count(crossed);
        }
        let cost = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(ITEM);
        let kept_alive = if self.is_kept_alive { ", kept alive" } else { "" };
        let note = Note::new(&(crossed.note() + kept_alive));
        self.put(Item::Block(Block { connection, from, note, bytes }), cost, page);
    }

    /// Something happens: when it did before, and the silence between, where it is worth telling.
    fn silence_until(&mut self, at: Instant) -> (Instant, Option<Item>) {
        let since = mem::replace(&mut self.last, at);
        let silence = note::silence(at.saturating_duration_since(since));
        (since, silence.map(|kind| self.event(kind, Note::default())))
    }

    /// Shows that it is there.
    pub fn announce(&mut self, page: &mut Collector) {
        if !mem::replace(&mut self.is_announced, true) {
            let from = self.peer.map(|peer| format!("from {peer}")).unwrap_or_default();
            page.put(self.event(EventKind::Open, Note::new(&from)));
        }
    }

    /// What there is to say about these bytes. One that was not followed from its beginning cannot be
    /// explained.
    pub fn meaning(&mut self, from: Side, piece: &[u8]) -> Vec<Remark> {
        if self.peer.is_none() || !self.is_followed {
            return Vec::new();
        }
        self.conversation.get_or_insert_default().explain_bytes(from, piece)
    }

    /// Puts what bytes mean on the page.
    pub fn explain(&mut self, remarks: &[Remark], page: &mut Collector) {
        for item in prose(remarks) {
            self.put(item, ITEM, page);
        }
    }

    /// Puts a remark on the page.
    pub fn say(&mut self, remark: &str, page: &mut Collector) {
        self.put(Item::Prose(Prose::new(remark)), ITEM, page);
    }

    /// From here on holds back what belongs to so many exchanges.
    pub fn hold_back(&mut self, exchanges: usize) {
        self.held.get_or_insert_with(Held::default).unanswered += exchanges;
    }

    /// Shows what was held back.
    pub fn release(&mut self, page: &mut Collector) {
        let Some(held) = self.held.take() else { return };
        match held.items {
            Some(items) => items.into_iter().for_each(|item| self.put(item, 0, page)),
            None => page.say("this exchange was held back, and then was too much to be kept:"),
        }
    }

    /// An exchange is over, and if it was held back it will not be missed.
    pub fn drop_one(&mut self) {
        if let Some(held) = &mut self.held {
            held.unanswered = held.unanswered.saturating_sub(1);
            if held.unanswered == 0 {
                self.held = None;
            }
        }
    }

    /// An exchange is over. Whatever was lost before: the next one begins here.
    pub fn resynchronise(&mut self, bodies: bool) {
        if !mem::replace(&mut self.is_followed, true) {
            (self.client, self.server) = (Direction::requests(bodies), Direction::answers(bodies));
        }
    }

    /// One side has left.
    pub fn ended(&mut self, at: Instant, end: End, page: &mut Collector) {
        let kind = match end {
            // Until the server has gone too, nobody knows more than that the client will send no more.
            End::ClientClosed if !self.server_left => EventKind::HalfClose(Side::Client),
            End::ClientClosed => EventKind::Closed(Side::Client),
            End::ClientReset => EventKind::Reset(Side::Client),
            End::ServerClosed => EventKind::Closed(Side::Server),
            End::ServerReset => EventKind::Reset(Side::Server),
        };
        match end {
            End::ClientClosed | End::ClientReset => self.client_left = true,
            End::ServerClosed | End::ServerReset => (self.server_left, self.held) = (true, None),
        }
        // Behind a reset there is no end left to tell.
        let was_reset = mem::replace(&mut self.is_reset, matches!(kind, EventKind::Reset(_)));
        let (_, silence) = self.silence_until(at);
        if self.is_announced && !was_reset {
            let items = silence.into_iter().chain([self.event(kind, Note::default())]);
            items.for_each(|item| page.put(item));
        }
    }

    fn event(&self, kind: EventKind, note: Note) -> Item {
        Item::Event(Event { connection: self.label(), kind, note })
    }

    /// Puts an item on the page, or holds it back. `cost` is what it takes to keep it.
    fn put(&mut self, item: Item, cost: usize, page: &mut Collector) {
        if let Some(held) = &mut self.held {
            return held.keep(item, cost);
        }
        self.announce(page);
        page.put(item);
    }

    /// The number after the `@`. Nobody will see the 4,294,967,296th connection.
    fn label(&self) -> u32 {
        u32::try_from(self.number).unwrap_or(u32::MAX)
    }
}

/// What is shown only if its exchange fails.
struct Held {
    unanswered: usize,
    room: usize,
    /// `None` if it became too much to keep: content without end, on a quiet route.
    items: Option<Vec<Item>>,
}

impl Default for Held {
    fn default() -> Held {
        Held { unanswered: 0, room: HELD, items: Some(Vec::new()) }
    }
}

impl Held {
    fn keep(&mut self, item: Item, cost: usize) {
        match (self.room.checked_sub(cost), &mut self.items) {
            (Some(room), Some(items)) => {
                self.room = room;
                items.push(item);
            }
            _ => self.items = None,
        }
    }
}

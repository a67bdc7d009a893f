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
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::clients::ClientFields;
use super::collector::{COUNT_TIME, Collector, CountedBytes};
use super::direction::{Direction, Shown};
use super::entry::{LogLine, ShownBytes, TraceEntry};
use super::event::{CountedReads, CrossedBytes, Summary, number};
use super::lines::{Repeated, lines};
use super::options::TraceOptions;
use super::requests::{PendingRequests, is_part_of_page};
use crate::message::dialogue::Followed;
use crate::message::ending::Ending;
use crate::message::reader::Part;
use crate::net::observer::End;
use crate::observe::follower::end_event;
use crate::sys::{NO_ADDRESS, peer_ip, peer_name};
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
    /// The time at which it was opened, if that is known.
    opened: Option<Instant>,
    client: Direction,
    server: Direction,
    has_bytes: bool,
    /// Whether the server has sent a byte.
    has_response: bool,
    /// Whether [`mark_silent`](TracedConnection::mark_silent) has found it silent.
    is_marked_silent: bool,
    /// Whether its `open` event has been printed.
    is_announced: bool,
    client_ended: bool,
    server_ended: bool,
    is_reset: bool,
    /// The time of the last event; `None` if events were lost since.
    last_event: Option<Instant>,
    /// The side that sent the last bytes.
    last_from: Option<Side>,
    /// Whether the current bytes begin another request after a response.
    is_kept_alive: bool,
    held: Option<Held>,
    /// What explains the bytes, if the options ask for it.
    explainer: Option<Box<RangeExplainer>>,
    /// What a screen needs to know besides.
    screen: Option<Box<OnScreen>>,
}

/// What a screen needs to know of a connection.
#[derive(Default)]
struct OnScreen {
    requests: PendingRequests,
    /// The status of the final response that has begun and not ended.
    status: Option<u16>,
    /// Whether that response ends with the connection.
    ends_with_connection: bool,
    /// Whether the last bytes of a side ended within a head.
    is_within_head: BySide<bool>,
    /// Bytes of a side that were explained.
    explained: BySide<usize>,
    /// Whether an exchange was shown.
    has_exchange: bool,
    /// Whether the connection was idle before the current event.
    was_idle: bool,
    /// When the client ended its side, and what that means, if it is not shown yet: the server's end
    /// usually follows at once.
    unsaid_end: Option<(Instant, Vec<Remark>)>,
    /// The time of the last byte of a response.
    last_response: Option<Instant>,
}

/// A value for each side.
#[derive(Clone, Copy, Default)]
struct BySide<T> {
    client: T,
    server: T,
}

impl<T> BySide<T> {
    fn of(&mut self, side: Side) -> &mut T {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}

impl TracedConnection {
    /// A connection that was just opened; one whose earlier events were lost, if `peer` is `None`.
    pub fn new(
        number: u64,
        peer: Option<SocketAddr>,
        at: Instant,
        options: &TraceOptions,
    ) -> TracedConnection {
        let is_known = peer.is_some();
        TracedConnection {
            number,
            peer,
            opened: is_known.then_some(at),
            client: Direction::new(options, is_known),
            server: Direction::new(options, is_known),
            has_bytes: !is_known,
            has_response: !is_known,
            is_marked_silent: false,
            is_announced: !is_known,
            client_ended: false,
            server_ended: false,
            is_reset: false,
            last_event: is_known.then_some(at),
            last_from: None,
            is_kept_alive: false,
            held: None,
            explainer: None,
            screen: options.is_screen().then(Box::default),
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

    /// Whether the server has sent a byte.
    pub fn has_response(&self) -> bool {
        self.has_response
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
        self.note_idle();
        self.has_bytes = true;
        self.has_response |= from == Side::Server;
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
        self.note_idle();
        self.has_bytes = true;
        self.is_kept_alive = false; // they do not begin a message
        self.last_from = Some(from);
        match from {
            Side::Client => self.client.count(),
            Side::Server => self.server.count(),
        }
        if let (Side::Server, Some(screen)) = (from, &mut self.screen) {
            screen.last_response = Some(counted.last);
        }
        let mut bytes = Bytes::new();
        bytes.push_left_out(length);
        self.show(at, counted, bytes, out);
    }

    /// Prints bytes that crossed, or adds them to the bytes that are only counted.
    pub fn show(&mut self, at: Instant, reads: CountedReads, bytes: Bytes, out: &mut Collector) {
        let Some(crossed) = self.begin(at, reads, &bytes, out) else { return };
        let CountedBytes { connection, from, length, .. } = crossed;
        let cost = cost(length);
        if self.screen.is_some() {
            let note = crossed.note_on_screen(self.opened);
            let lines = Vec::new();
            let bytes = ShownBytes { connection, from, note, lines, may_cut: true };
            return self.push(TraceEntry::Bytes(bytes), cost, out);
        }
        let kept_alive = if self.is_kept_alive { ", kept alive" } else { "" };
        let note = Note::new(&(crossed.note() + kept_alive));
        self.push(
            TraceEntry::Item(Item::Block(Block { connection, from, note, bytes })),
            cost,
            out,
        );
    }

    /// Records the time of bytes that crossed, and prints what comes before them. Returns their
    /// counts, unless they are only counted.
    fn begin(
        &mut self,
        at: Instant,
        reads: CountedReads,
        bytes: &Bytes,
        out: &mut Collector,
    ) -> Option<CountedBytes> {
        self.say_end(out);
        let (since, silence) = self.silence_until(at);
        self.last_event = Some(reads.last);
        silence.into_iter().for_each(|silence| self.push(silence, ITEM_BYTES, out));
        let CountedReads { from, length, reads, last } = reads;
        let connection = self.label();
        let crossed = CountedBytes { connection, from, length, reads, since, first: at, last };
        let is_only_counted = matches!(bytes.pieces(), [Piece::LeftOut { .. }]);
        if is_only_counted && self.is_announced && self.held.is_none() {
            out.count(crossed);
            return None;
        }
        Some(crossed)
    }

    /// Prints bytes that crossed as lines on a screen, with these explanations of them, and the
    /// line about each exchange that they complete. `folds`: fields that repeat are folded.
    pub fn show_on_screen(
        &mut self,
        at: Instant,
        crossed: &CrossedBytes,
        (shown, meaning): (Bytes, Vec<Remark>),
        folds: bool,
        told: impl FnMut(Remark) -> Vec<Remark>,
        out: &mut Collector,
    ) {
        let CrossedBytes { from, ref bytes, ref ranges, .. } = *crossed;
        let length = bytes.len() as u64;
        let reads = CountedReads { from, length, reads: 1, last: at };
        let address = self.peer.map(peer_ip);
        let Some(screen) = &mut self.screen else { return };
        let before = *screen.explained.of(from);
        let was_within_head = *screen.is_within_head.of(from);
        let meaning =
            meaning.into_iter().map(|remark| (remark.span.start.saturating_sub(before), remark));
        let meaning: Vec<(usize, Remark)> = meaning.collect();
        if self.explainer.is_some() {
            *screen.explained.of(from) += bytes.len();
        }
        // The fields of the only request in these bytes, which may repeat those of the one before.
        let heads = || ranges.iter().filter(|range| range.head.is_some());
        let mut fields = match (from, heads().next(), ranges.first()) {
            (Side::Client, Some(head), Some(first))
                if heads().count() == 1 && !was_within_head && first.part == Part::Head =>
            {
                let outline = head.head.as_deref();
                outline.and_then(|head| ClientFields::of(address, head, &bytes[..first.length]))
            }
            _ => None,
        };
        let may_cut = match (from, &fields) {
            (Side::Server, _) => true,
            // What differs from the request before is shown in full.
            (Side::Client, fields) => fields.as_ref().is_some_and(|it| !out.clients.knows(it)),
        };
        let repeated = fields.as_ref().filter(|_| folds).and_then(|it| out.clients.repeated(it));
        let repeated = repeated.map(|(lines, number)| Repeated { lines, number });
        let lines = lines(from, &shown, ranges, was_within_head, repeated.as_ref(), meaning, told);
        if let Some(range) = ranges.last() {
            let is_in_head = range.part == Part::Head && range.head.is_none();
            *screen.is_within_head.of(from) = is_in_head;
        }
        for head in ranges.iter().filter_map(|range| range.head.as_deref()) {
            if from == Side::Client {
                screen.requests.add(at, head, fields.take());
            }
        }
        match from {
            Side::Client => screen.requests.received(at),
            Side::Server => screen.last_response = Some(at),
        }
        if from == Side::Server {
            self.may_fold(ranges, out);
        }
        if let Some(crossed) = self.begin(at, reads, &shown, out) {
            let CountedBytes { connection, from, length, .. } = crossed;
            let note = crossed.note_on_screen(self.opened);
            let bytes = ShownBytes { connection, from, note, lines, may_cut };
            self.push(TraceEntry::Bytes(bytes), cost(length), out);
        }
        if from == Side::Server {
            self.complete_exchanges(at, ranges, out);
        }
    }

    /// Goes on to fold an exchange if its response is part of a page, or shows it.
    fn may_fold(&mut self, ranges: &[Followed], out: &mut Collector) {
        let Some(held) = self.held.as_mut().filter(|held| held.fold == Fold::Asked) else { return };
        let Some(head) = ranges.iter().find_map(|range| range.head.as_deref()) else { return };
        held.fold = if is_part_of_page(head) { Fold::Answered } else { Fold::No };
        if held.fold == Fold::No && !held.is_quiet {
            self.release(out);
        }
    }

    /// Prints the line about each exchange whose response is complete with these ranges.
    fn complete_exchanges(&mut self, at: Instant, ranges: &[Followed], out: &mut Collector) {
        for range in ranges {
            let Some(screen) = &mut self.screen else { return };
            if let Some(head) = range.head.as_deref() {
                let is_final = range.ending != Some(Ending::Interim);
                screen.status = head.status.filter(|_| is_final);
                let ending = range.ending;
                screen.ends_with_connection =
                    matches!(ending, Some(Ending::Close | Ending::CloseCoded));
            }
            let leaves_http = range.head.is_some() && range.ending.is_some_and(Ending::leaves_http);
            if screen.status.is_some() && (range.ends_message || leaves_http) {
                self.complete_exchange(at, "", out);
            }
        }
    }

    /// Prints the line about an exchange.
    fn complete_exchange(&mut self, at: Instant, how: &str, out: &mut Collector) {
        let connection = self.label();
        let Some(screen) = &mut self.screen else { return };
        let status = screen.status.take();
        let mut line = screen.requests.answered(at, status, connection);
        line.text += how;
        match &mut self.held {
            Some(held) if held.fold == Fold::Answered && !held.is_quiet => {
                self.held = None;
                (self.is_announced, screen.has_exchange) = (true, true);
                line.fold();
                out.fold(at, line);
            }
            Some(held) => held.keep(HeldItem::Line(line), ITEM_BYTES),
            None => self.push_line(line, out),
        }
    }

    /// Prints the line about an exchange, on a screen with what is new about its connection.
    fn push_line(&mut self, mut line: LogLine, out: &mut Collector) {
        if let Some(screen) = &mut self.screen {
            if !mem::replace(&mut screen.has_exchange, true) {
                line.text += " · new connection";
            }
            let is_elsewhere = |ip: &IpAddr| !ip.is_loopback() && *ip != NO_ADDRESS.ip();
            if let Some(ip) = self.peer.map(peer_ip).filter(is_elsewhere) {
                line.text += &format!(" · {ip}");
            }
        }
        out.push_line(line);
    }

    /// Whether no request waits for its response, and nothing is held back.
    pub fn is_idle(&self) -> bool {
        let is_answered = self
            .screen
            .as_ref()
            .is_none_or(|screen| screen.requests.is_empty() && screen.status.is_none());
        is_answered && self.held.is_none() && !self.client.is_within() && !self.server.is_within()
    }

    /// Notes before an event whether the connection is idle.
    fn note_idle(&mut self) {
        let is_idle = self.is_idle();
        self.screen.iter_mut().for_each(|screen| screen.was_idle = is_idle);
    }

    /// Holds back all items of the next request, to fold its exchange if its response is part of a
    /// page.
    pub fn hold_to_fold(&mut self) {
        self.held.get_or_insert_with(Held::default).fold = Fold::Asked;
    }

    /// Prints what has waited for a second: a request without a response, and the end of a client.
    pub fn stop_waiting(&mut self, now: Instant, out: &mut Collector) {
        if let Some(held) = &mut self.held
            && held.fold == Fold::Asked
        {
            held.fold = Fold::No;
            if !held.is_quiet {
                self.release(out);
            }
        }
        let unsaid = self.screen.as_ref().and_then(|screen| screen.unsaid_end.as_ref());
        if unsaid.is_some_and(|(since, _)| *since + COUNT_TIME <= now) {
            self.say_end(out);
        }
    }

    /// Prints that the client has ended its side, if that was not said yet.
    fn say_end(&mut self, out: &mut Collector) {
        let unsaid = self.screen.as_mut().and_then(|screen| screen.unsaid_end.take());
        if let Some((_, meaning)) = unsaid {
            let event = self.event(EventKind::HalfClose(Side::Client), Note::default());
            self.push(event, ITEM_BYTES, out);
            self.explain(meaning, out);
        }
    }

    /// Records the time of an event. Returns the time of the event before, and the silence between, if
    /// it is long enough to report.
    fn silence_until(&mut self, at: Instant) -> (Option<Instant>, Option<TraceEntry>) {
        let since = self.last_event.replace(at);
        // A person takes time between two clicks.
        let is_usual =
            self.screen.as_ref().is_some_and(|screen| screen.has_exchange && screen.was_idle);
        let since_then = since.filter(|_| !is_usual);
        let silence =
            since_then.and_then(|since| notes::silence(at.saturating_duration_since(since)));
        (since, silence.map(|kind| self.event(kind, Note::default())))
    }

    /// Prints the `open` event, unless it has been printed.
    pub fn announce(&mut self, out: &mut Collector) {
        if !mem::replace(&mut self.is_announced, true) {
            let from =
                self.peer.map(|peer| format!("from {}", peer_name(peer))).unwrap_or_default();
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

    /// Prints explanations of what was printed last.
    pub fn explain(&mut self, remarks: Vec<Remark>, out: &mut Collector) {
        for entry in self.meaning_entries(remarks) {
            self.push(entry, ITEM_BYTES, out);
        }
    }

    fn meaning_entries(&self, remarks: Vec<Remark>) -> Vec<TraceEntry> {
        match self.screen {
            Some(_) => remarks.into_iter().map(TraceEntry::Meaning).collect(),
            None => prose(&remarks, 80).map(TraceEntry::Item).collect(),
        }
    }

    /// Returns what an end means that is about to be printed, if there is something to say.
    pub fn end_meaning(&mut self, end: End) -> Option<Remark> {
        let kind = end_event(end, self.server_ended);
        let remark = self.explainer.get_or_insert_default().explain_event(kind);
        remark.filter(|_| self.is_announced && !self.is_reset)
    }

    /// Prints a line of prose.
    pub fn push_prose(&mut self, remark: &str, out: &mut Collector) {
        self.push(TraceEntry::Item(Item::Prose(Prose::new(remark))), ITEM_BYTES, out);
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
                HeldItem::TraceEntry(entry) => self.push(entry, 0, out),
                HeldItem::Line(line) => self.push_line(line, out),
            }
        }
    }

    /// Takes the route of the oldest request without a response. Only if it is quiet, the items are
    /// still held back.
    pub fn routed(&mut self, is_quiet: bool, out: &mut Collector) {
        match &mut self.held {
            Some(held) if is_quiet => held.is_quiet = true,
            Some(held) if held.fold != Fold::No => {}
            _ => self.release(out),
        }
    }

    /// Prints the line about an answered exchange. If its route is quiet and it has not failed, its
    /// items are dropped, once no other request is held back.
    pub fn answered(&mut self, summary: Summary, out: &mut Collector) {
        // The next request may have begun after a quiet one, on a route that is not quiet.
        let is_shown = summary.has_failed || self.is_within_request();
        // A screen has printed its own line when the response was complete.
        let line = self.screen.is_none().then(|| summary.into_line(self.label()));
        match &mut self.held {
            Some(held) if held.is_quiet && !is_shown => {
                (held.unanswered, held.is_quiet) = (held.unanswered.saturating_sub(1), false);
                line.into_iter().for_each(|line| held.keep(HeldItem::Line(line), ITEM_BYTES));
                if held.unanswered == 0 {
                    self.held = None;
                }
            }
            Some(held) if held.fold != Fold::No && !held.is_quiet => {}
            _ => {
                self.release(out);
                line.into_iter().for_each(|line| out.push_line(line));
            }
        }
    }

    /// Prints that a side ended its half, or reset the connection, and what that means.
    pub fn ended(&mut self, at: Instant, end: End, mut meaning: Vec<Remark>, out: &mut Collector) {
        if self.held.as_ref().is_some_and(|held| !held.is_quiet) {
            self.release(out);
        }
        let kind = end_event(end, self.server_ended);
        let was_idle = self.is_idle();
        self.note_idle();
        if end.side() == Side::Server {
            self.cut_short(at, end.is_reset(), out);
        }
        match end.side() {
            Side::Client => self.client_ended = true,
            Side::Server => (self.server_ended, self.held) = (true, None),
        }
        // A reset ends both sides, so no end is printed after it.
        let was_reset = mem::replace(&mut self.is_reset, end.is_reset());
        if was_idle && self.is_announced && self.ends_quietly(at, kind, &mut meaning, out) {
            return;
        }
        self.say_end(out);
        let (_, silence) = self.silence_until(at);
        if self.is_announced && !was_reset {
            let entries = silence.into_iter().chain([self.event(kind, Note::default())]);
            let entries = entries.chain(self.meaning_entries(meaning));
            entries.for_each(|entry| out.push(entry));
        }
    }

    /// On a screen, an idle connection that its client and then the server has closed is only
    /// counted. Returns whether this end is part of that.
    fn ends_quietly(
        &mut self,
        at: Instant,
        kind: EventKind,
        meaning: &mut Vec<Remark>,
        out: &mut Collector,
    ) -> bool {
        let (connection, has_bytes) = (self.label(), self.has_bytes);
        let Some(screen) = self.screen.as_mut().filter(|_| has_bytes) else { return false };
        match (kind, &mut screen.unsaid_end) {
            (EventKind::HalfClose(Side::Client), unsaid) => {
                *unsaid = Some((at, mem::take(meaning)));
            }
            (EventKind::Closed(Side::Server), unsaid @ Some(_)) => {
                let mut ends = unsaid.take().map(|(_, meaning)| meaning).unwrap_or_default();
                ends.append(meaning);
                out.close(at, connection, ends);
            }
            _ => return false,
        }
        self.last_event = Some(at);
        true
    }

    /// Prints the line about a response that ends with the connection, or that its end cuts short.
    fn cut_short(&mut self, at: Instant, is_reset: bool, out: &mut Collector) {
        let is_ended = self.screen.as_ref().is_some_and(|screen| screen.ends_with_connection);
        let how = if is_ended && !is_reset { "" } else { " · cut short" };
        self.end_response(at, how, out);
    }

    /// Prints the line about a response that watch itself cuts short.
    pub fn cut_by_watch(&mut self, at: Instant, out: &mut Collector) {
        self.end_response(at, " · cut short by watch", out);
    }

    /// Prints the line about a response that has begun and not ended, if there is one.
    fn end_response(&mut self, at: Instant, how: &str, out: &mut Collector) {
        let Some(screen) = self.screen.as_ref().filter(|screen| screen.status.is_some()) else {
            return;
        };
        // The end may come long after the last byte: when the client ends its side.
        let at = screen.last_response.unwrap_or(at);
        self.complete_exchange(at, how, out);
    }

    fn event(&self, kind: EventKind, note: Note) -> TraceEntry {
        TraceEntry::Item(Item::Event(Event { connection: self.label(), kind, note }))
    }

    /// Prints an entry, or holds it back at this cost in bytes.
    fn push(&mut self, entry: TraceEntry, cost: usize, out: &mut Collector) {
        if let Some(held) = &mut self.held {
            return held.keep(HeldItem::TraceEntry(entry), cost);
        }
        // On a screen, the line about its first exchange says that a connection is new.
        match self.screen {
            Some(_) => self.is_announced = true,
            None => self.announce(out),
        }
        out.push(entry);
    }

    fn label(&self) -> u32 {
        number(self.number)
    }

    /// Whether something waits to be folded with what follows.
    pub fn waits_to_fold(&self) -> bool {
        self.screen.as_ref().is_some_and(|screen| screen.unsaid_end.is_some())
    }
}

/// What so many bytes cost that are held back.
fn cost(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX).saturating_add(ITEM_BYTES)
}

/// Items of requests whose route may be quiet. They are printed if it is not, if the exchange fails, or
/// if there is a remark on it. On a screen, also those of an exchange that may be folded.
struct Held {
    /// Requests whose items these are, and that have no response yet.
    unanswered: usize,
    /// Whether the route of the oldest of them is known, and quiet.
    is_quiet: bool,
    /// Whether the exchange is folded.
    fold: Fold,
    bytes_left: usize,
    /// `None` once there was too much to keep: a stream without end, on a quiet route.
    items: Option<Vec<HeldItem>>,
}

/// Whether an exchange is folded to one line, on a screen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fold {
    /// It is shown.
    No,
    /// The request asks for part of a page, and has no response yet.
    Asked,
    /// So is the response.
    Answered,
}

enum HeldItem {
    TraceEntry(TraceEntry),
    /// The line about an answered exchange, which gets its number when it is printed.
    Line(LogLine),
}

impl Default for Held {
    fn default() -> Held {
        let (unanswered, is_quiet, items) = (0, false, Some(Vec::new()));
        Held { unanswered, is_quiet, fold: Fold::No, bytes_left: MAX_HELD_BYTES, items }
    }
}

impl Held {
    fn keep(&mut self, item: HeldItem, cost: usize) {
        // A request whose route is not known is never dropped. It is one read.
        let may_be_full = self.is_quiet || self.fold == Fold::Answered;
        let is_full = may_be_full && cost > self.bytes_left;
        self.bytes_left = self.bytes_left.saturating_sub(cost);
        match &mut self.items {
            Some(items) if !is_full => items.push(item),
            items => *items = None,
        }
    }
}

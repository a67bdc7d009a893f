//! # The state and its bounds: exchanges in flight, and those that are over
//!
//! ```text
//! request head ──> in flight, in its connection ── both messages are whole ──> over ── too many ──> dropped
//! ```
//! Bounds: the number of exchanges that are over, and the bytes of all exchanges, those in flight
//! included. Where there is no room, the oldest are dropped, and long messages in flight are cut. Where
//! that is not enough, the connection is not kept any more.  Next: `viewer`.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::demand::Demand;
use super::kept::{EXCHANGE_BYTES, KeptBytes, KeptExchange, MAX_READS, READ_BYTES};
use crate::message::counted::counted;
use crate::message::dialogue::{Followed, Side};
use crate::message::ending::Ending;
use crate::observe::feed::{ConnectionState, Feed, KeptConnection, Subject};
use crate::observe::follower::lock;
use crate::route::RouteRow;

/// Exchanges that are set aside and kept, at most.
pub(super) const MAX_ASIDE: usize = 16;

pub(super) struct SharedExchanges {
    /// Exchanges that are kept, and the bytes of each message.
    pub capacity: usize,
    pub message_bytes: usize,
    /// Whether the exchanges of a route are set aside.
    pub sets_aside: fn(&RouteRow) -> bool,
    /// Whether they are wanted; `None` if they are always kept.
    pub demand: Option<Arc<Demand>>,
    pub state: Mutex<ExchangesState>,
    pub changed: Condvar,
    /// Servers whose exchanges are kept.
    pub servers: AtomicU64,
}

#[derive(Default)]
pub(super) struct ExchangesState {
    /// The exchanges that are over, the oldest first.
    pub kept: VecDeque<KeptExchange>,
    pub connections: HashMap<ConnectionKey, ConnectionInFlight>,
    /// Exchanges that are over, since the start.
    pub over: u64,
    /// Connections that were opened, since the start.
    pub opened: u64,
    /// Connections for whose exchanges there was no room, since the start.
    pub lost: u64,
    /// What all exchanges take in memory.
    pub bytes: usize,
    /// What those of `kept` take of it.
    pub kept_bytes: usize,
    /// The exchanges of `kept` that are set aside.
    pub aside: usize,
    /// Exchanges that have begun, since the start.
    pub begun: u64,
    pub feed: Feed,
    /// Threads that wait for a change. Without one, none is woken: that is a system call.
    pub waiting: usize,
}

/// A connection: the number of its server, since each server counts from 1, and its own number.
pub(super) type ConnectionKey = (u64, u64);

/// A connection, and its exchanges that are not over.
pub(super) struct ConnectionInFlight {
    /// What readers of the feed are told of it.
    pub told: KeptConnection,
    /// The exchanges of it that were set aside.
    pub aside: u64,
    pub opened: Instant,
    pub opened_at: SystemTime,
    pub server_ended: bool,
    /// The number of the exchange that the server answers, if it tells that.
    pub answering: Option<u64>,
    /// Which of all that are over its last exchange was: see [`KeptExchange`].
    pub last_over: u64,
    pub exchanges: VecDeque<KeptExchange>,
    /// Whether there was no room for an exchange. Requests and responses are not paired any more.
    pub is_lost: bool,
}

impl SharedExchanges {
    /// What all exchanges together may take in memory.
    pub fn budget(&self) -> usize {
        let reads = self.message_bytes.min(MAX_READS) * READ_BYTES;
        let message = self.message_bytes.saturating_add(reads);
        let exchange = message.saturating_mul(2).saturating_add(EXCHANGE_BYTES);
        self.capacity.max(1).saturating_mul(exchange)
    }

    /// Changes the state, and wakes those that wait if an exchange is over or an event was added.
    pub fn change(&self, change: impl FnOnce(&mut ExchangesState)) {
        let mut state = lock(&self.state);
        let before = (state.over, state.feed.last);
        change(&mut state);
        if (state.over, state.feed.last) != before && state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Waits as long as this is true of the state, but not longer than `timeout`.
    pub fn wait_while(
        &self,
        timeout: Duration,
        is_early: impl Fn(&ExchangesState) -> bool,
    ) -> MutexGuard<'_, ExchangesState> {
        let mut state = lock(&self.state);
        state.waiting += 1;
        let waited = self.changed.wait_timeout_while(state, timeout, |state| is_early(state));
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state
    }
}

impl ExchangesState {
    /// Returns how many bytes of memory are left. If it is less than `wanted`, drops the oldest
    /// exchanges, and cuts those in flight: first these if they take more than half, so that an
    /// upload drops no exchange that is over.
    pub fn make_room(&mut self, wanted: usize, budget: usize) -> usize {
        while budget.saturating_sub(self.bytes) < wanted {
            let is_freed = match self.bytes - self.kept_bytes > budget / 2 {
                true => self.cut_longest() || self.drop_kept(0),
                false => self.drop_kept(0) || self.cut_longest(),
            };
            if !is_freed {
                break;
            }
        }
        budget.saturating_sub(self.bytes)
    }

    /// Drops one of the exchanges that are over; false if there is none at this index.
    fn drop_kept(&mut self, index: usize) -> bool {
        let Some(dropped) = self.kept.remove(index) else { return false };
        self.bytes -= dropped.memory();
        self.kept_bytes -= dropped.memory();
        self.aside -= usize::from(dropped.is_aside);
        true
    }

    /// Keeps only the first bytes of the longest message in flight; false if it is short.
    fn cut_longest(&mut self) -> bool {
        let in_flight =
            self.connections.values_mut().flat_map(|connection| &mut connection.exchanges);
        let messages = in_flight.flat_map(|it| [&mut it.request, &mut it.response]);
        let freed = messages.max_by_key(|it| it.bytes().len()).map_or(0, KeptBytes::cut);
        self.bytes -= freed;
        freed > 0
    }

    /// The exchange with this number.
    pub fn find(&self, number: u64) -> Option<&KeptExchange> {
        let in_flight = self.connections.values().flat_map(|connection| &connection.exchanges);
        self.kept.iter().rev().chain(in_flight).find(|exchange| exchange.number == number)
    }

    /// All exchanges: those that are over, in the order in which they ended, then those in flight, in the
    /// order in which they began.
    pub fn all(&self) -> impl Iterator<Item = &KeptExchange> {
        let mut in_flight: Vec<&KeptExchange> =
            self.connections.values().flat_map(|connection| &connection.exchanges).collect();
        in_flight.sort_unstable_by_key(|exchange| exchange.number);
        self.kept.iter().chain(in_flight)
    }

    /// Whether a handler has returned and nothing of its response is known to be sent.
    pub fn is_sending(&self) -> bool {
        let mut answering = self.connections.values().filter_map(|connection| {
            connection.exchanges.iter().find(|it| Some(it.number) == connection.answering)
        });
        answering.any(|it| it.handled_at.is_some() && it.response.total() == 0)
    }

    /// Why there is no exchange, in a few words.
    pub fn why_none(&self) -> String {
        match (self.begun, self.opened) {
            (0, 0) => "no request has arrived, and no connection was opened".into(),
            (0, opened) => {
                let opened = counted(opened, "connection was", "connections were");
                format!("no request has arrived; {opened} opened")
            }
            (begun, _) => {
                let begun = counted(begun, "request has", "requests have");
                format!("no exchange is kept; {begun} arrived")
            }
        }
    }

    /// Tells readers of the feed what has happened to a connection.
    pub fn tell_connection(&mut self, key: ConnectionKey, state: ConnectionState) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        connection.told.state = state;
        connection.told.since = SystemTime::now();
        self.feed.push(Subject::Connection(connection.told));
    }

    /// Adds a range of bytes that one side sent.
    pub fn add(
        &mut self,
        key: ConnectionKey,
        from: Side,
        (range, bytes): (&Followed, &[u8]),
        at: Instant,
        shared: &SharedExchanges,
        has_routes: bool,
    ) {
        if range.resumes {
            self.end_unframed(key, from, shared.capacity);
        }
        let Some(connection) = self.connections.get(&key).filter(|it| !it.is_lost) else { return };
        let at = at.saturating_duration_since(connection.opened);
        // A server tells which request it answers; a refused one has no route. Else the bytes tell it.
        let is_next = |exchange: &KeptExchange| {
            !exchange.message(from).is_whole
                && match (from, connection.answering) {
                    (Side::Server, Some(number)) => exchange.number == number,
                    (Side::Server, None) => !has_routes || exchange.routed_at.is_none(),
                    (Side::Client, _) => true,
                }
        };
        let position = connection.exchanges.iter().position(is_next);
        // After its end, the server reads only to drain what the client had sent.
        if position.is_none() && connection.server_ended {
            return;
        }
        // Each exchange has a request. What the server sends without one belongs to the last exchange.
        if position.is_none() && from == Side::Server && connection.told.exchanges > 0 {
            return self.add_surplus(key, bytes, at, shared);
        }
        let cost = if position.is_none() { EXCHANGE_BYTES } else { 0 };
        let is_cut = position.is_some_and(|at| connection.exchanges[at].message(from).is_cut());
        let kept = if is_cut { 0 } else { bytes.len().min(shared.message_bytes) };
        let wanted = cost + if kept > 0 { READ_BYTES + kept } else { 0 };
        let left = self.make_room(wanted, shared.budget());
        let Some(connection) = self.connections.get_mut(&key) else { return };
        if left < cost {
            connection.is_lost = true;
            self.lost += 1;
            let exchanges = std::mem::take(&mut connection.exchanges);
            self.bytes -= exchanges.iter().map(KeptExchange::memory).sum::<usize>();
            return;
        }
        let position = position.unwrap_or(connection.exchanges.len());
        if position == connection.exchanges.len() {
            self.begun += 1;
            connection.told.exchanges += 1;
            let (told, opened) = (&connection.told, connection.opened_at);
            connection.exchanges.push_back(KeptExchange::new(key.0, told, opened, self.begun));
        }
        let exchange = &mut connection.exchanges[position];
        let is_final = range.ending != Some(Ending::Interim);
        if from == Side::Server && is_final {
            exchange.status = range.head.as_ref().map_or(exchange.status, |head| head.status);
        }
        let message = exchange.message_mut(from);
        let before = message.memory();
        let room = left.saturating_sub(cost + READ_BYTES);
        message.push(bytes, at, room.min(shared.message_bytes.saturating_sub(message.bytes.len())));
        message.is_whole |= range.ends_message && is_final;
        message.ends_with_connection =
            matches!(range.ending, Some(Ending::Close | Ending::CloseCoded));
        if range.head.is_some() && is_final {
            (message.head, message.ending) = (Some(message.total), range.ending);
        }
        self.bytes += cost + message.memory() - before;
        // A server looks up the route of a request at its head, and tells the exchange then.
        let is_news = range.head.is_some() && is_final && (from == Side::Server || !has_routes);
        if is_news && !exchange.is_whole() {
            exchange.event = self.feed.push(exchange.subject());
        }
        self.keep_while(key, shared.capacity, KeptExchange::is_whole);
    }

    /// Adds bytes that the server sent after the end of its last response, if that exchange is kept.
    fn add_surplus(
        &mut self,
        key: ConnectionKey,
        bytes: &[u8],
        at: Duration,
        shared: &SharedExchanges,
    ) {
        let wanted = READ_BYTES + bytes.len().min(shared.message_bytes);
        let left = self.make_room(wanted, shared.budget());
        let Some(connection) = self.connections.get(&key) else { return };
        let (answering, event) = (connection.answering, self.feed.last + 1);
        let pushed = self.change_one(key, answering, |last| {
            let room = shared.message_bytes.saturating_sub(last.response.bytes().len());
            last.response.push(bytes, at, room.min(left.saturating_sub(READ_BYTES)));
            last.event = event;
            last.subject()
        });
        if let Some(subject) = pushed {
            self.feed.push(subject);
        }
    }

    /// Ends a message of this side that has no known end, because the next one has begun.
    fn end_unframed(&mut self, key: ConnectionKey, from: Side, capacity: usize) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let mut messages = connection.exchanges.iter_mut().map(|it| it.message_mut(from));
        if let Some(message) = messages.find(|message| !message.is_whole && message.total > 0) {
            message.is_whole = true;
        }
        self.keep_while(key, capacity, KeptExchange::is_whole);
    }

    /// Moves the first exchanges of a connection to those that are over, as long as this is true of them.
    pub fn keep_while(
        &mut self,
        key: ConnectionKey,
        capacity: usize,
        is_over: impl Fn(&KeptExchange) -> bool,
    ) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        while connection.exchanges.front().is_some_and(&is_over) {
            let Some(mut exchange) = connection.exchanges.pop_front() else { break };
            exchange.is_over = true;
            exchange.event = self.feed.push(exchange.subject());
            self.aside += usize::from(exchange.is_aside);
            self.over += 1;
            (exchange.over, connection.last_over) = (self.over, self.over);
            self.kept_bytes += exchange.memory();
            self.kept.push_back(exchange);
        }
        for (is_aside, most) in [(false, capacity), (true, MAX_ASIDE)] {
            let count = |state: &ExchangesState| match is_aside {
                true => state.aside,
                false => state.kept.len() - state.aside,
            };
            while count(self) > most
                && let Some(oldest) = self.kept.iter().position(|it| it.is_aside == is_aside)
                && self.drop_kept(oldest)
            {}
        }
    }

    /// Changes one exchange of a connection, if it is kept: the one with this number, or the last. It may
    /// be in flight, or be the last that is over.
    pub fn change_one<T>(
        &mut self,
        key: ConnectionKey,
        number: Option<u64>,
        change: impl FnOnce(&mut KeptExchange) -> T,
    ) -> Option<T> {
        let is_it = |exchange: &KeptExchange| number.is_none_or(|number| exchange.number == number);
        let connection = self.connections.get_mut(&key)?;
        let in_flight = connection.exchanges.iter_mut().rev().find(|exchange| is_it(exchange));
        let is_over = in_flight.is_none();
        let exchange = match in_flight {
            Some(exchange) => exchange,
            None => {
                let last = self.kept.binary_search_by_key(&connection.last_over, |it| it.over);
                last.ok().map(|at| &mut self.kept[at]).filter(|exchange| is_it(exchange))?
            }
        };
        let before = exchange.memory();
        let result = change(exchange);
        let grown = exchange.memory() - before;
        self.bytes += grown;
        self.kept_bytes += if is_over { grown } else { 0 };
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{GET, NO_CONTENT, followed, lengths};
    use super::*;
    use crate::net::observer::Observer;
    use crate::transcript::Transcript;

    #[test]
    fn pipelined_exchanges_are_kept_in_order_and_the_oldest_are_dropped() {
        let (exchanges, follower) = followed(2, 1024);
        follower.received(1, &GET.repeat(3));
        follower.sent(1, NO_CONTENT);
        assert_eq!(lengths(&exchanges), [(GET.len(), NO_CONTENT.len())]);
        follower.sent(1, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
        follower.sent(1, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
        follower.gone(1);
        assert_eq!(lengths(&exchanges), [(GET.len(), 40), (GET.len(), 38)]);
        let kept = exchanges.all();
        assert_eq!([kept[0].response.is_whole, kept[1].response.is_whole], [true, false]);
    }

    #[test]
    fn bytes_beyond_the_bounds_are_counted_and_memory_is_bounded() {
        let (exchanges, follower) = followed(2, 100);
        for number in 1..20 {
            follower.opened(number, ([127, 0, 0, 1], 4000).into());
            follower.received(number, b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n");
            (0..50).for_each(|_| follower.received(number, &[b'x'; 1000]));
            let state = lock(&exchanges.shared.state);
            assert!(state.bytes <= exchanges.shared.budget(), "{} bytes", state.bytes);
        }
        (1..20).for_each(|number| follower.gone(number));
        let kept = exchanges.all();
        assert_eq!(kept.len(), 2);
        let whole: Vec<_> = kept.iter().filter(|kept| kept.request.total() == 50_045).collect();
        assert!(whole.iter().all(|kept| kept.request.bytes().len() <= 100), "{kept:?}");
        assert!(lock(&exchanges.shared.state).connections.is_empty());
    }

    #[test]
    fn uploads_in_flight_push_out_no_exchange_that_is_over() {
        for (capacity, uploads) in [(1, 3), (20, 300)] {
            let (exchanges, follower) = followed(capacity, 64 * 1024);
            let exchange = |connection| {
                follower.opened(connection, ([127, 0, 0, 1], 4000).into());
                follower.received(connection, GET);
                follower.sent(connection, NO_CONTENT);
            };
            for upload in 0..uploads {
                follower.opened(upload, ([127, 0, 0, 1], 4000).into());
                follower.received(upload, b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n");
                (0..64).for_each(|_| follower.received(upload, &[b'x'; 1024]));
            }
            (0..100).for_each(|number| exchange(uploads + number));
            (0..uploads).for_each(|upload| follower.received(upload, &[b'x'; 1024]));
            let kept = exchanges.all();
            assert_eq!(kept.len(), capacity);
            let expected: Vec<_> = (uploads + 100 - capacity as u64..uploads + 100).collect();
            assert_eq!(kept.iter().map(|it| it.connection).collect::<Vec<_>>(), expected);
            let state = lock(&exchanges.shared.state);
            assert!(state.bytes <= exchanges.shared.budget());
            let memory = |all: &mut dyn Iterator<Item = &KeptExchange>| -> usize {
                all.map(KeptExchange::memory).sum()
            };
            assert_eq!(memory(&mut state.kept.iter()), state.kept_bytes);
            assert_eq!(memory(&mut state.all()), state.bytes);
            let first = state.all().find(|it| it.connection == 0).unwrap();
            assert!(first.request.bytes().starts_with(b"POST / HTTP/1.1\r\n"));
            assert_eq!(first.request.total(), 44 + 65 * 1024);
            drop(state);
            assert!(Transcript::parse(&exchanges.to_string()).is_ok());
        }
    }

    #[test]
    fn as_many_exchanges_are_kept_as_was_asked_for() {
        for (capacity, message_bytes) in [(0, 100), (1, 0), (10, 0), (100, 30), (10, usize::MAX)] {
            let (exchanges, follower) = followed(capacity, message_bytes);
            for _ in 0..300 {
                follower.received(1, &GET[..9]);
                follower.received(1, &GET[9..]);
                follower.sent(1, NO_CONTENT);
            }
            assert_eq!(exchanges.all().len(), capacity);
            assert_eq!(lock(&exchanges.shared.state).over, 300);
        }
    }

    #[test]
    fn a_connection_without_room_for_an_exchange_is_not_kept_and_nothing_is_paired_wrongly() {
        let (exchanges, follower) = followed(1, 0);
        follower.received(1, &GET.repeat(2));
        follower.sent(1, &NO_CONTENT.repeat(2));
        follower.received(1, GET);
        follower.gone(1);
        follower.opened(2, ([127, 0, 0, 1], 4000).into());
        follower.received(2, GET);
        follower.sent(2, NO_CONTENT);
        let kept: Vec<_> = exchanges.all().iter().map(|kept| kept.connection).collect();
        assert_eq!(kept, [2]);
        let end =
            "\n# 1 connection was not kept to the end: there was no room for more exchanges\n";
        assert!(exchanges.to_string().ends_with(end), "{exchanges}");
    }
}

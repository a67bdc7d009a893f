//! # The viewer: what a follower of one server tells
//!
//! ```text
//! opened    a connection                  crossed   bytes of a request or a response
//! routed    the row of the route table    ended     how one side ended
//! handling, handled   the handler         gone      its exchanges are over
//! ```
//! Several servers may keep their exchanges in one place, so each has a viewer of its own.
//! Next: `demand`.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::demand::Demand;
use super::kept::KeptExchange;
use super::state::{ConnectionInFlight, SharedExchanges};
use crate::message::dialogue::Side;
use crate::net::observer::{Answered, End};
use crate::observe::feed::{ConnectionState, KeptConnection, Subject};
use crate::observe::follower::{FollowedBytes, Viewer, end_event, lock};
use crate::route::RouteRow;

/// What a follower of one server tells: see [`Exchanges`](super::Exchanges).
pub(super) struct ExchangesOfServer {
    shared: Arc<SharedExchanges>,
    server: u64,
    /// Whether the server tells the route of each request: watch has none.
    has_routes: AtomicBool,
}

impl ExchangesOfServer {
    /// A viewer of one more server.
    pub fn new(shared: Arc<SharedExchanges>) -> ExchangesOfServer {
        let server = shared.servers.fetch_add(1, Ordering::Relaxed);
        ExchangesOfServer { shared, server, has_routes: AtomicBool::new(false) }
    }

    /// Adds a connection. `is_whole` is false if there were exchanges on it before.
    fn add_connection(&self, connection: u64, peer: SocketAddr, is_whole: bool) {
        let (opened, opened_at) = (Instant::now(), SystemTime::now());
        let told = KeptConnection {
            connection,
            peer,
            state: ConnectionState::Opened,
            since: opened_at,
            exchanges: 0,
            is_whole,
            is_aside: false,
            is_newly_aside: false,
        };
        let in_flight = ConnectionInFlight {
            told,
            aside: 0,
            opened,
            opened_at,
            server_ended: false,
            answering: None,
            last_over: 0,
            exchanges: VecDeque::new(),
            is_lost: false,
        };
        self.shared.change(|state| {
            state.opened += 1;
            state.connections.insert((self.server, connection), in_flight);
            state.feed.push(Subject::Connection(told));
        });
    }

    /// Changes the exchange that is being answered, with the time since its connection was opened. It may
    /// grow by `wanted` bytes; without room for them it stays as it is.
    fn change_answered(
        &self,
        connection: u64,
        wanted: usize,
        change: impl FnOnce(&mut KeptExchange, Duration),
    ) {
        let at = Instant::now();
        let mut state = lock(&self.shared.state);
        let key = (self.server, connection);
        let Some(in_flight) = state.connections.get(&key) else { return };
        let at = at.saturating_duration_since(in_flight.opened);
        let answering = in_flight.answering;
        if wanted > 0 && state.make_room(wanted, self.shared.budget()) < wanted {
            return;
        }
        if answering.is_some() {
            state.change_one(key, answering, |exchange| change(exchange, at));
        }
    }
}

impl Viewer for ExchangesOfServer {
    fn started(&self, _: SocketAddr, routes: &[RouteRow]) {
        self.has_routes.store(!routes.is_empty(), Ordering::Relaxed);
    }

    fn is_active(&self) -> bool {
        self.shared.demand.as_deref().is_none_or(Demand::is_active)
    }

    fn opened(&self, connection: u64, peer: SocketAddr) {
        self.add_connection(connection, peer, true);
    }

    fn joined(&self, connection: u64, peer: SocketAddr) {
        self.add_connection(connection, peer, false);
    }

    fn routed(&self, connection: u64, route: Option<&RouteRow>) {
        let at = Instant::now();
        let key = (self.server, connection);
        self.shared.change(|state| {
            let is_aside = route.is_some_and(self.shared.sets_aside);
            let event = state.feed.last + 1;
            let Some(in_flight) = state.connections.get_mut(&key) else { return };
            let at = at.saturating_duration_since(in_flight.opened);
            in_flight.aside += u64::from(is_aside);
            let is_all_aside = in_flight.aside > 0 && in_flight.aside == in_flight.told.exchanges;
            let was_all_aside = std::mem::replace(&mut in_flight.told.is_aside, is_all_aside);
            let told = in_flight.told;
            let mut not_routed = in_flight.exchanges.iter_mut();
            let Some(exchange) = not_routed.find(|it| it.routed_at.is_none()) else { return };
            (exchange.route, exchange.routed_at) = (route.copied(), Some(at));
            (exchange.is_aside, exchange.event) = (is_aside, event);
            let number = exchange.number;
            in_flight.answering = Some(number);
            state.feed.push(Subject::Exchange { number, is_aside });
            // Those before are answered, also where that cannot be seen in their bytes.
            state.keep_while(key, self.shared.capacity, |it| it.number < number);
            if is_all_aside != was_all_aside {
                let told = KeptConnection { is_newly_aside: is_all_aside, ..told };
                state.feed.push(Subject::Connection(told));
            }
        });
    }

    fn handling(&self, connection: u64) {
        self.change_answered(connection, 0, |exchange, at| exchange.handling_at = Some(at));
    }

    fn handled(&self, connection: u64, notes: &[String]) {
        self.change_answered(connection, 0, |exchange, at| exchange.handled_at = Some(at));
        if notes.is_empty() {
            return;
        }
        let bytes = notes.iter().map(|note| size_of::<String>() + note.len()).sum();
        self.change_answered(connection, bytes, |exchange, _| exchange.notes = notes.to_vec());
    }

    fn answered(&self, connection: u64, _: &Answered<'_>) {
        let mut state = lock(&self.shared.state);
        if let Some(in_flight) = state.connections.get_mut(&(self.server, connection)) {
            in_flight.answering = None;
        }
    }

    fn ended(&self, connection: u64, end: End) {
        self.shared.change(|state| {
            let Some(in_flight) = state.connections.get_mut(&(self.server, connection)) else {
                return;
            };
            let kind = end_event(end, in_flight.server_ended);
            in_flight.server_ended |= end.side() == Side::Server;
            let server_ended = in_flight.server_ended;
            state.tell_connection((self.server, connection), ConnectionState::Ended(end));
            let key = (self.server, connection);
            state.change_one(key, None, |last| last.ends.push(kind));
            let Some(in_flight) = state.connections.get_mut(&key).filter(|_| server_ended) else {
                return;
            };
            for exchange in &mut in_flight.exchanges {
                let response = &mut exchange.response;
                response.is_whole |= end.is_fin_of_server() && response.ends_with_connection;
            }
            // A refused request has no end, and its response has.
            state.keep_while(key, self.shared.capacity, |exchange| exchange.response.is_whole);
        });
    }

    fn gone(&self, connection: u64) {
        self.shared.change(|state| {
            state.keep_while((self.server, connection), self.shared.capacity, |_| true);
            state.tell_connection((self.server, connection), ConnectionState::Gone);
            state.connections.remove(&(self.server, connection));
        });
    }

    fn crossed(&self, connection: u64, followed: &FollowedBytes<'_>) {
        let (at, has_routes) = (Instant::now(), self.has_routes.load(Ordering::Relaxed));
        self.shared.change(|state| {
            let mut rest = followed.bytes;
            for range in &**followed.ranges {
                let (bytes, after) = rest.split_at(range.length);
                let key = (self.server, connection);
                state.add(key, followed.from, (range, bytes), at, &self.shared, has_routes);
                rest = after;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::Exchanges;
    use super::super::state::MAX_ASIDE;
    use super::super::tests::{GET, NO_CONTENT, followed, told};
    use super::*;
    use crate::net::observer::Observer;
    use crate::observe::follower::Follower;

    #[test]
    fn what_the_server_knows_is_kept_and_what_is_aside_pushes_nothing_out() {
        static ROUTES: crate::route::Routes = crate::route::routes(&[
            crate::route::get("/", |_| crate::Response::text("")),
            crate::route::get("/aside", |_| crate::Response::text("")),
        ]);
        let rows: Vec<RouteRow> = ROUTES.iter().map(|route| *route.row()).collect();
        let exchanges = Exchanges::setting_aside(2, |row| row.path == "/aside");
        let follower = Follower::new(vec![exchanges.viewer()]);
        follower.started(([127, 0, 0, 1], 80).into(), &rows);
        let exchange = |row: &RouteRow| {
            follower.received(1, GET);
            follower.routed(1, Some(row));
            follower.handling(1);
            follower.handled(1, &["stored".to_owned()]);
            follower.sent(1, NO_CONTENT);
        };
        follower.opened(1, ([127, 0, 0, 1], 4000).into());
        exchange(&rows[1]);
        let connection = |told: &[String]| told.iter().filter(|it| it.starts_with('@')).count();
        let (events, last) = told(&exchanges, 0, false);
        assert_eq!((events.len(), connection(&events)), (2, 2), "{events:?}");
        assert!(exchanges.connections()[0].is_aside);
        exchange(&rows[0]);
        assert!(!exchanges.connections()[0].is_aside);
        let expected = ["@1 Opened", "2 Some(204) over=true"];
        assert_eq!(told(&exchanges, last, false).0, expected);
        (0..50).for_each(|_| exchange(&rows[1]));
        let kept = exchanges.all();
        assert_eq!(kept.iter().filter(|kept| kept.is_aside).count(), MAX_ASIDE);
        let shown = kept.iter().find(|kept| !kept.is_aside).unwrap();
        assert_eq!((shown.number, shown.route), (2, Some(rows[0])));
        assert_eq!(shown.notes, ["stored"]);
        assert!(shown.routed_at <= shown.handling_at && shown.handling_at <= shown.handled_at);
        assert!(shown.handled_at.is_some() && exchanges.get(2).is_some());
        assert_eq!(shown.request.head_length(), Some(GET.len() as u64));
        assert!(exchanges.get(1).is_none() && exchanges.numbers().contains(&2));
        follower.gone(1);
        let state = lock(&exchanges.shared.state);
        let kept: usize = state.kept.iter().map(KeptExchange::memory).sum();
        assert_eq!(kept, state.bytes);
    }

    #[test]
    fn the_close_of_the_server_ends_a_response_without_a_length() {
        let (exchanges, follower) = followed(2, 20);
        follower.received(1, GET);
        follower.sent(1, b"HTTP/1.1 200 OK\r\n\r\n");
        std::thread::sleep(Duration::from_millis(2));
        follower.sent(1, b"to the end");
        assert_eq!(exchanges.all().len(), 0);
        follower.ended(1, End::ServerClosed);
        let [kept] = &exchanges.wait_for(1, Duration::ZERO)[..] else { panic!("one exchange") };
        assert!(kept.response.is_whole());
        // The bytes beyond the bound are counted, and timed.
        assert!(kept.took() >= Some(Duration::from_millis(2)), "{:?}", kept.took());
        let text = kept.transcript().to_string();
        assert!(text.contains("\n<<< 19 bytes, +"), "{text}");
        assert!(
            text.contains("\n<<< 10 bytes, +") && text.contains("\nt\\{9 bytes}\\\n"),
            "{text}"
        );
    }

    #[test]
    fn bytes_after_the_end_of_a_response_belong_to_it_and_begin_no_exchange() {
        let (exchanges, follower) = followed(2, 100);
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhello";
        follower.sent(1, b"a greeting");
        for number in 1..=3 {
            follower.received(1, GET);
            follower.sent(1, response);
            let kept = exchanges.expect(number, Duration::ZERO);
            let (text, is_first) = (kept.to_string(), number == 1);
            assert!(kept.response.bytes().ends_with(response), "{text}");
            assert_eq!(text.matches("\n<<< 43 bytes").count(), 1, "one write: {text}");
            assert_eq!(kept.response.bytes().starts_with(b"a greeting"), is_first, "{text}");
        }
        let [_, last] = &exchanges.wait_for(4, Duration::ZERO)[..] else { panic!("two are kept") };
        assert_eq!(
            (last.number, last.response.text(), exchanges.numbers()),
            (3, "hel".into(), vec![2, 3])
        );
        // More of it, up to the bound and beyond, and when the exchange is not kept any more.
        (0..10).for_each(|_| follower.sent(1, b"0123456789"));
        let last = exchanges.expect(3, Duration::ZERO);
        assert_eq!((last.response.bytes().len(), last.response.total()), (100, 143));
        for connection in 2..=3 {
            follower.opened(connection, ([127, 0, 0, 1], 4000).into());
            follower.received(connection, GET);
            follower.sent(connection, NO_CONTENT);
        }
        follower.sent(1, b"still more");
        assert_eq!(exchanges.numbers(), [4, 5]);
        let state = lock(&exchanges.shared.state);
        assert_eq!(state.kept.iter().map(KeptExchange::memory).sum::<usize>(), state.bytes);
    }

    #[test]
    fn two_servers_may_keep_their_exchanges_in_one_place() {
        let (exchanges, first) = followed(4, 1024);
        let second = Follower::new(vec![exchanges.viewer()]);
        second.opened(1, ([127, 0, 0, 1], 5000).into());
        first.received(1, GET);
        second.received(1, GET);
        second.sent(1, NO_CONTENT);
        first.sent(1, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let statuses: Vec<_> = exchanges.all().iter().map(|kept| kept.status).collect();
        assert_eq!(statuses, [Some(204), Some(200)]);
        // Both connections are the first of their server.
        let text = exchanges.to_string();
        let names: Vec<&str> = text.lines().filter_map(|it| it.split(" bytes").next()).collect();
        let names: Vec<&&str> = names.iter().filter(|it| it.starts_with(['>', '<'])).collect();
        assert_eq!(names, [&">>> 27", &"<<< 27", &">>> @2 27", &"<<< @2 38"], "{text}");
    }

    #[test]
    fn what_a_server_sends_belongs_to_the_request_that_it_answers() {
        static ROUTES: crate::route::Routes =
            crate::route::routes(&[crate::route::get("/", |_| crate::Response::text(""))]);
        let row = *ROUTES.iter().next().unwrap().row();
        let (exchanges, follower) = followed(10, 1024);
        follower.started(([127, 0, 0, 1], 80).into(), &[row]);
        let answer = |responses: &[&[u8]]| {
            follower.routed(1, Some(&row));
            follower.handling(1);
            follower.handled(1, &[]);
            responses.iter().for_each(|bytes| follower.sent(1, bytes));
            follower.answered(1, &answered(&row));
        };
        let statuses = || -> Vec<_> { exchanges.all().iter().map(|kept| kept.status).collect() };
        let bad = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
        // Two responses to one request, in two writes and in one, also while another one has arrived.
        follower.received(1, GET);
        answer(&[NO_CONTENT, NO_CONTENT]);
        follower.received(1, &GET.repeat(2));
        answer(&[&NO_CONTENT.repeat(2)]);
        answer(&[b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]);
        assert_eq!(statuses(), [Some(204), Some(204), Some(200)]);
        let lengths = |at: usize| exchanges.all()[at].response.bytes().len();
        assert_eq!([lengths(0), lengths(1), lengths(2)], [54, 54, 38]);
        // No HTTP at all, twice, and then a request that is refused: it has no route.
        follower.received(1, &GET.repeat(2));
        answer(&[b"first"]);
        answer(&[b"second"]);
        follower.received(1, b"GET / HTTP/1.1\r\nHost : h\r\n\r\n");
        follower.sent(1, bad);
        follower.ended(1, End::ServerClosed);
        follower.gone(1);
        let kept = exchanges.all();
        let texts: Vec<_> = kept[3..].iter().map(|kept| kept.response.bytes()).collect();
        assert_eq!(texts, [&b"first"[..], b"second", bad]);
        assert_eq!(kept[5].ends, [crate::transcript::EventKind::Closed(Side::Server)]);
        assert!(kept[..5].iter().all(|kept| kept.routed_at.is_some() && kept.ends.is_empty()));
    }

    fn answered(row: &RouteRow) -> Answered<'_> {
        Answered {
            peer: ([127, 0, 0, 1], 4000).into(),
            method: "GET",
            target: "/".into(),
            version: None,
            fields: None,
            unread_line: b"",
            status: crate::Status::OK,
            route: Some(row),
            received: 0,
            content_sent: 0,
            took: Duration::ZERO,
            persistence: crate::Persistence::KeepAlive,
        }
    }

    #[test]
    fn a_refused_request_is_over_when_the_server_closes_and_what_follows_is_drained() {
        let (exchanges, follower) = followed(10, 1024);
        follower.received(1, b"GET / HTTP/1.1\r\nHost : h\r\n\r\n");
        follower.sent(1, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        follower.ended(1, End::ServerClosed);
        follower.received(1, b"more");
        assert_eq!(exchanges.all().len(), 1);
        follower.gone(1);
        assert_eq!((exchanges.all().len(), exchanges.all()[0].status), (1, Some(400)));
    }

    #[test]
    fn after_a_broken_request_the_next_exchange_is_kept_by_itself() {
        let (exchanges, follower) = followed(10, 1024);
        follower.received(1, b"GET / HTTP/1.1\r\nHost : h\r\n\r\n");
        follower.sent(1, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        follower.received(1, GET);
        follower.sent(1, NO_CONTENT);
        let kept = exchanges.all();
        let statuses: Vec<_> = kept.iter().map(|kept| kept.status).collect();
        assert_eq!(statuses, [Some(400), Some(204)]);
        assert_eq!(kept[1].request.bytes(), GET);
    }
}

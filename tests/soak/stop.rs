//! SIGTERM under load, again and again: no request that was accepted is lost.
//!
//! A request is accepted when its connection was taken by accept(2) and the request had come before
//! the server ended that connection. What [`Fate::Crossed`] says of had not. And a connection that
//! still waits in the backlog when the listener is shut is reset by the system: the server never saw
//! it. Since accept(2) takes connections in the order in which they came, one was seen for certain if
//! somebody who came later was answered.

use std::env;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use super::client::{Fate, Guest, Visit};
use super::figures::median;
use super::process::{ServerProcess, TIMEOUT};

/// How many guests of a kind there are, whether they keep their connections, and the longest time that
/// they think between two requests, in microseconds: less than a server's last call takes, and more.
const GUESTS: [(u64, bool, u64); 4] =
    [(8, true, 0), (24, true, 5_000), (24, true, 400_000), (6, false, 0)];

/// Connections may come into the backlog in another order than into the hands of their clients,
/// within this time.
const AT_ONCE: Duration = Duration::from_millis(1);

/// What became of all requests.
#[derive(Default)]
struct Seen {
    answered: usize,
    refused: usize,
    /// Requests that crossed the end of a connection.
    crossed: usize,
    /// Connections that the server never saw.
    never_taken: usize,
    lost: Vec<String>,
}

impl Seen {
    /// One round: all its visits, and the time before the signal.
    fn add(&mut self, visits: &[Visit], stopped: Instant) {
        let answered = visits.iter().filter(|visit| visit.fate == Fate::Answered);
        let last_in = answered.map(|visit| visit.connected.0).max().unwrap();
        for visit in visits {
            let is_after = visit.sent > stopped;
            let may_be_unseen = visit.is_first && visit.connected.1 + AT_ONCE > last_in;
            match &visit.fate {
                Fate::Answered => self.answered += 1,
                Fate::Refused if is_after => self.refused += 1,
                Fate::Crossed if is_after => self.crossed += 1,
                Fate::LeftUnread if is_after && may_be_unseen => self.never_taken += 1,
                fate => {
                    let kind = if visit.is_first { "new" } else { "kept" };
                    let after = visit.sent.saturating_duration_since(stopped);
                    self.lost
                        .push(format!("{fate:?}: {kind} connection, {after:?} after the signal"));
                }
            }
        }
    }
}

/// A guest's whole stay: until nobody listens any more.
fn stay(mut guest: Guest, longest_pause: u64, stopped: &OnceLock<Instant>) -> Vec<Visit> {
    let mut visits = Vec::new();
    loop {
        let visit = guest.visit();
        let is_over = [Fate::Refused, Fate::Silence].contains(&visit.fate);
        visits.push(visit);
        if is_over {
            return visits;
        }
        guest.think(longest_pause);
        let since = stopped.get().map(Instant::elapsed);
        assert!(since.unwrap_or_default() < TIMEOUT, "it still lets people in");
    }
}

#[test]
fn no_request_that_was_accepted_is_lost_when_the_server_stops_under_load() {
    let rounds: u64 = env::var("ROUNDS").map_or(5, |rounds| rounds.parse().unwrap());
    let (mut seen, mut ends) = (Seen::default(), Vec::new());
    for round in 0..rounds {
        let server = ServerProcess::start_site("");
        let (address, stopped) = (server.address, OnceLock::new());
        let visits: Vec<Visit> = thread::scope(|scope| {
            let mut guests = Vec::new();
            for (count, keeps, longest_pause) in GUESTS {
                for number in 0..count {
                    let guest = Guest::new(address, keeps, number + round);
                    let stopped = &stopped;
                    guests.push(scope.spawn(move || stay(guest, longest_pause, stopped)));
                }
            }
            thread::sleep(Duration::from_millis(300 + 37 * round % 100));
            let now = *stopped.get_or_init(Instant::now);
            let ended = server.stop();
            ends.push(now.elapsed());
            assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
            guests.into_iter().flat_map(|guest| guest.join().unwrap()).collect()
        });
        seen.add(&visits, *stopped.get().unwrap());
    }
    let Seen { answered, refused, crossed, never_taken, lost } = &seen;
    println!("{rounds} stops under load: {answered} requests answered, {} lost", lost.len());
    println!("  of no server any more: {refused} refused, {never_taken} reset in the backlog");
    println!("  of a connection that had just been ended: {crossed}");
    let longest = ends.iter().max().unwrap();
    println!("  from signal to end: p50 {:.1?}, max {longest:.1?}", median(&ends));
    assert!(lost.is_empty(), "{lost:#?}");
}

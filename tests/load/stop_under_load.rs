//! SIGTERM under load, in many rounds: no request that the server accepted is lost.
//!
//! A request is accepted if accept(2) returned its connection, and the request arrived before the server
//! closed that connection. A request that is [`Outcome::Crossed`] arrived later. When the listener is
//! shut down, the kernel resets the connections that are still in its backlog: the server never saw
//! them. Since accept(2) returns connections in the order in which they arrived, the server has seen a
//! connection if a later one was answered.

use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::latency::median;
use crate::support::load_client::{Attempt, LoadClient, Outcome};
use crate::support::process::{ServerProcess, TIMEOUT};

/// For each kind of client: how many there are, whether they keep their connections, and the longest
/// pause between two requests, in microseconds. A server that stops waits 50 ms for a last request:
/// some pauses are shorter than that, and some are longer.
const CLIENTS: [(u64, bool, u64); 4] =
    [(8, true, 0), (24, true, 5_000), (24, true, 400_000), (6, false, 0)];

/// Connections that were made within this time may be in the backlog in another order than their clients
/// saw.
const REORDER_TIME: Duration = Duration::from_millis(1);

/// The outcomes of all requests.
#[derive(Default)]
struct Outcomes {
    answered: usize,
    refused: usize,
    /// Requests that were in flight when the server closed the connection.
    crossed: usize,
    /// Connections that were reset in the backlog.
    never_accepted: usize,
    lost: Vec<String>,
}

impl Outcomes {
    /// Adds one round: all its requests, and the time of the signal.
    fn add(&mut self, attempts: &[Attempt], signalled: Instant) {
        let answered = attempts.iter().filter(|attempt| attempt.outcome == Outcome::Answered);
        let last_accepted = answered.map(|attempt| attempt.connected.0).max().unwrap();
        for attempt in attempts {
            let is_after = attempt.sent > signalled;
            let may_be_in_backlog =
                attempt.is_first && attempt.connected.1 + REORDER_TIME > last_accepted;
            match &attempt.outcome {
                Outcome::Answered => self.answered += 1,
                Outcome::Refused if is_after => self.refused += 1,
                Outcome::Crossed if is_after => self.crossed += 1,
                Outcome::NotRead if is_after && may_be_in_backlog => self.never_accepted += 1,
                outcome => {
                    let kind = if attempt.is_first { "new" } else { "kept" };
                    let after = attempt.sent.saturating_duration_since(signalled);
                    self.lost
                        .push(format!("{outcome:?}: {kind} connection, {after:?} after SIGTERM"));
                }
            }
        }
    }
}

/// Sends requests until the server refuses a connection.
fn send_requests(
    mut client: LoadClient,
    max_pause: u64,
    signalled: &OnceLock<Instant>,
) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    loop {
        let attempt = client.send();
        let is_over = [Outcome::Refused, Outcome::TimedOut].contains(&attempt.outcome);
        attempts.push(attempt);
        if is_over {
            return attempts;
        }
        client.pause(max_pause);
        let since = signalled.get().map(Instant::elapsed);
        assert!(since.unwrap_or_default() < TIMEOUT, "the server still accepts");
    }
}

#[test]
fn no_accepted_request_is_lost_when_the_server_stops_under_load() {
    stop_under_load(5);
}

#[test]
#[ignore = "long: make soak"]
fn no_accepted_request_is_lost_in_50_stops_under_load() {
    stop_under_load(50);
}

/// Starts a server, puts it under load and stops it, in so many rounds.
fn stop_under_load(rounds: u64) {
    let (mut outcomes, mut stop_times) = (Outcomes::default(), Vec::new());
    for round in 0..rounds {
        let server = ServerProcess::start_site("");
        let (address, signalled) = (server.address, OnceLock::new());
        let attempts: Vec<Attempt> = thread::scope(|scope| {
            let mut clients = Vec::new();
            for (count, keeps_alive, max_pause) in CLIENTS {
                for number in 0..count {
                    let client = LoadClient::new(address, keeps_alive, number + round);
                    let signalled = &signalled;
                    clients.push(scope.spawn(move || send_requests(client, max_pause, signalled)));
                }
            }
            thread::sleep(Duration::from_millis(300 + 37 * round % 100));
            let now = *signalled.get_or_init(Instant::now);
            let exit = server.stop();
            stop_times.push(now.elapsed());
            assert_eq!((exit.code, &*exit.stderr), (Some(0), ""));
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
        });
        outcomes.add(&attempts, *signalled.get().unwrap());
    }
    let Outcomes { answered, refused, crossed, never_accepted, lost } = &outcomes;
    println!("{rounds} stops under load: {answered} requests answered, {} lost", lost.len());
    println!(
        "  after the listener closed: {refused} refused, {never_accepted} reset in the backlog"
    );
    println!("  in flight when the server closed the connection: {crossed}");
    let longest = stop_times.iter().max().unwrap();
    println!("  from SIGTERM to the exit: p50 {:.1?}, max {longest:.1?}", median(&stop_times));
    assert!(lost.is_empty(), "{lost:#?}");
}

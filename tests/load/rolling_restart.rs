//! A rolling restart: two servers behind HAProxy are restarted in turn under load, and no request fails.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::latency::median;
use crate::support::load_client::{Attempt, LoadClient, Outcome};
use crate::support::process::{self, Folder, Process, ServerProcess, TIMEOUT, free_address};

const RESTARTS: usize = 10;
/// For each kind of client: how many there are, whether they keep their connections to the proxy, and
/// the longest pause between two requests, in microseconds.
const CLIENTS: [(u64, bool, u64); 4] =
    [(8, true, 0), (12, true, 5_000), (12, true, 400_000), (8, false, 0)];
const BETWEEN_RESTARTS: Duration = Duration::from_millis(300);
/// The names of the servers in haproxy.cfg.
const NAMES: [&str; 2] = ["one", "two"];

/// A running HAProxy with the haproxy.cfg beside this file.
struct Proxy {
    _process: Process,
    /// The path of its statistics socket.
    stats: PathBuf,
}

impl Proxy {
    fn start(folder: &Folder, front: SocketAddr, servers: [SocketAddr; 2]) -> Proxy {
        let stats = folder.file("stats");
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/load/haproxy.cfg");
        let mut command = Command::new("haproxy");
        command.args(["-db", "-f"]).arg(config).env("STATS", &stats);
        for (name, address) in [("FRONT", front), ("ONE", servers[0]), ("TWO", servers[1])] {
            command.env(name, address.to_string());
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Proxy { _process: Process::spawn(&mut command), stats }
    }

    /// The status of a server in the proxy's statistics: `UP`, `DOWN`, or a state between them.
    fn status(&self, server: &str) -> Option<String> {
        let mut socket = UnixStream::connect(&self.stats).ok()?;
        socket.write_all(b"show stat\n").ok()?;
        let mut table = String::new();
        socket.read_to_string(&mut table).ok()?;
        let rows = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let row = rows.into_iter().find(|row| row.get(1) == Some(&server))?;
        row.get(17).map(|status| status.to_string())
    }

    fn wait_until_up(&self, server: &str) {
        let since = Instant::now();
        while self.status(server).as_deref() != Some("UP") {
            assert!(since.elapsed() < TIMEOUT, "{:?}", self.status(server));
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn start_site(address: SocketAddr) -> ServerProcess {
    ServerProcess::start_site(&format!("--listen {address} --drain 1"))
}

/// Dropped, it stops the clients, also when the test fails.
struct StopGuard<'a>(&'a AtomicBool);

impl Drop for StopGuard<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends requests until the test is over.
fn send_requests(mut client: LoadClient, max_pause: u64, is_over: &AtomicBool) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        attempts.push(client.send());
        client.pause(max_pause);
    }
    attempts
}

#[test]
#[ignore = "long: make soak"]
fn two_servers_behind_haproxy_are_restarted_in_turn_and_no_request_fails() {
    if !process::need("haproxy", "haproxy -v") {
        return;
    }
    let folder = Folder::new();
    // Fixed ports are needed, because each server starts again on its own port.
    let (front, addresses) = (free_address(), [free_address(), free_address()]);
    let mut servers = addresses.map(|address| Some(start_site(address)));
    let proxy = Proxy::start(&folder, front, addresses);
    NAMES.iter().for_each(|name| proxy.wait_until_up(name));

    let (is_over, mut stop_times) = (AtomicBool::new(false), Vec::new());
    let attempts: Vec<Attempt> = thread::scope(|scope| {
        let is_over = &is_over;
        let (stop_guard, mut clients) = (StopGuard(is_over), Vec::new());
        for (count, keeps_alive, max_pause) in CLIENTS {
            for number in 0..count {
                let client = LoadClient::new(front, keeps_alive, number);
                clients.push(scope.spawn(move || send_requests(client, max_pause, is_over)));
            }
        }
        for restart in 0..RESTARTS {
            thread::sleep(BETWEEN_RESTARTS);
            let index = restart % 2;
            let began = Instant::now();
            let exit = servers[index].take().unwrap().stop();
            stop_times.push(began.elapsed());
            assert_eq!((exit.code, &*exit.stderr), (Some(0), ""));
            servers[index] = Some(start_site(addresses[index]));
            proxy.wait_until_up(NAMES[index]);
        }
        drop(stop_guard);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let outcomes = attempts.iter().map(|attempt| &attempt.outcome);
    let failed: Vec<_> = outcomes.filter(|outcome| **outcome != Outcome::Answered).collect();
    let answered = attempts.len() - failed.len();
    println!(
        "{RESTARTS} restarts under load: {answered} requests answered, {} failed",
        failed.len()
    );
    let longest = stop_times.iter().max().unwrap();
    println!(
        "  from SIGTERM to the exit, with a drain time of 1 s: p50 {:.2?}, max {longest:.2?}",
        median(&stop_times)
    );
    assert!(failed.is_empty(), "{:#?}", &failed[..failed.len().min(5)]);
}

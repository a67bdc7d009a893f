//! Two servers behind HAProxy, restarted in turn under load: not one request fails.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{Fate, Guest, Visit};
use super::figures::median;
use super::process::{self, Folder, Process, ServerProcess, TIMEOUT};

const RESTARTS: usize = 10;
/// How many guests of a kind there are, whether they keep their connections to the proxy, and the
/// longest time that they think between two requests, in microseconds.
const GUESTS: [(u64, bool, u64); 4] =
    [(8, true, 0), (12, true, 5_000), (12, true, 400_000), (8, false, 0)];
const BETWEEN_RESTARTS: Duration = Duration::from_millis(300);
/// As the proxy calls them.
const NAMES: [&str; 2] = ["one", "two"];

/// A real HAProxy, with the recipe that stands beside this file.
struct Proxy {
    _process: Process,
    stats: PathBuf,
}

impl Proxy {
    fn start(folder: &Folder, front: SocketAddr, servers: [SocketAddr; 2]) -> Proxy {
        let stats = folder.file("stats");
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/soak/haproxy.cfg");
        let mut command = Command::new("haproxy");
        command.args(["-db", "-f"]).arg(config).env("STATS", &stats);
        for (name, address) in [("FRONT", front), ("ONE", servers[0]), ("TWO", servers[1])] {
            command.env(name, address.to_string());
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Proxy { _process: Process::spawn(&mut command), stats }
    }

    /// What it thinks of a server: `UP`, `DOWN`, and words between the two.
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

/// One that nobody uses just now; the servers have to find the same again.
fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn open(address: SocketAddr) -> ServerProcess {
    ServerProcess::start_site(&format!("--listen {address} --drain 1"))
}

/// Sends all guests home when it is dropped, in whatever way the test ends.
struct Closing<'a>(&'a AtomicBool);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A guest's whole stay.
fn stay(mut guest: Guest, longest_pause: u64, is_over: &AtomicBool) -> Vec<Visit> {
    let mut visits = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        visits.push(guest.visit());
        guest.think(longest_pause);
    }
    visits
}

#[test]
#[ignore = "long: make soak"]
fn two_servers_behind_haproxy_are_restarted_in_turn_and_not_one_request_fails() {
    if !process::need("haproxy", "haproxy -v") {
        return;
    }
    let folder = Folder::new();
    let (front, addresses) = (free_port(), [free_port(), free_port()]);
    let mut servers = addresses.map(|address| Some(open(address)));
    let proxy = Proxy::start(&folder, front, addresses);
    NAMES.iter().for_each(|name| proxy.wait_until_up(name));

    let (is_over, mut ends) = (AtomicBool::new(false), Vec::new());
    let visits: Vec<Visit> = thread::scope(|scope| {
        let is_over = &is_over;
        let (closing, mut guests) = (Closing(is_over), Vec::new());
        for (count, keeps, longest_pause) in GUESTS {
            for number in 0..count {
                let guest = Guest::new(front, keeps, number);
                guests.push(scope.spawn(move || stay(guest, longest_pause, is_over)));
            }
        }
        for restart in 0..RESTARTS {
            thread::sleep(BETWEEN_RESTARTS);
            let which = restart % 2;
            let began = Instant::now();
            let ended = servers[which].take().unwrap().stop();
            ends.push(began.elapsed());
            assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
            servers[which] = Some(open(addresses[which]));
            proxy.wait_until_up(NAMES[which]);
        }
        drop(closing);
        guests.into_iter().flat_map(|guest| guest.join().unwrap()).collect()
    });
    let fates = visits.iter().map(|visit| &visit.fate);
    let failed: Vec<_> = fates.filter(|fate| **fate != Fate::Answered).collect();
    let answered = visits.len() - failed.len();
    println!(
        "{RESTARTS} restarts under load: {answered} requests answered, {} failed",
        failed.len()
    );
    let longest = ends.iter().max().unwrap();
    println!(
        "  from signal to end, with a second of drain: p50 {:.2?}, max {longest:.2?}",
        median(&ends)
    );
    assert!(failed.is_empty(), "{:#?}", &failed[..failed.len().min(5)]);
}

//! Slow attacks: runs slowhttptest in its four modes, each with a thousand connections. Other clients are
//! served all the time, and slow connections are closed at the timeouts.
//!
//! The open connections are counted by the server's descriptors. The attackers cannot count them: a slow
//! reader sees the close only after it has read all bytes that the kernel still holds for it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::latency::Latencies;
use crate::support::process::{self, Folder, Process, ServerProcess};
use crate::support::resources::Resources;

const ATTACKERS: usize = 1_000;
/// Seconds after which an attack ends, if it has connections until then: far longer than each timeout.
const ATTACK_TIME: &str = "30";
const BETWEEN_EXCHANGES: Duration = Duration::from_millis(200);

/// The idle timeout is long, so that it does not end an attack before the timeout that is tested.
const FLAGS: &str = "--head-timeout 8 --content-timeout 9 --write-timeout 4 --idle-timeout 60";

/// Time to close a connection after its timeout: the server sends a response and still reads for 2 s, so
/// that the client receives it. The rest is for a busy machine.
const CLOSE_TIME: Duration = Duration::from_secs(4);

struct Attack {
    name: &'static str,
    flags: &'static str,
    path: &'static str,
    /// Bytes that are appended to the path.
    filler: usize,
    /// Seconds until the server closes a connection. `None`: it answers and closes at once.
    timeout: Option<u64>,
}

const ATTACKS: [Attack; 4] = [
    Attack { name: "slow heads", flags: "-H -i 1", path: "/about", filler: 0, timeout: Some(8) },
    Attack { name: "slow content", flags: "-B -i 1", path: "/echo", filler: 0, timeout: Some(9) },
    Attack {
        name: "many ranges",
        flags: "-R -a 1 -b 1000",
        path: "/about",
        filler: 0,
        timeout: None,
    },
    // Ten pipelined responses are more than the kernel's buffers hold. The first write of a response may
    // take the write timeout and send a part. Then the time for the whole response begins, and at its
    // end a last write may take the write timeout again.
    Attack {
        name: "slow readers",
        flags: "-X -w 512 -y 1024 -n 1 -z 32 -k 10",
        path: "/raw?",
        filler: 1_000,
        timeout: Some(4 + 9 + 4),
    },
];

impl Attack {
    fn start(&self, address: SocketAddr, report: &Path) -> Process {
        let Attack { flags, path, filler, .. } = self;
        let url = format!("http://{address}{path}{}", "x".repeat(*filler));
        let mut command = Command::new("slowhttptest");
        command.args(flags.split(' ')).args(["-u", &url, "-c", &ATTACKERS.to_string()]);
        command.args(["-r", "500", "-l", ATTACK_TIME, "-p", "2", "-g", "-o"]).arg(report);
        Process::spawn(command.stdout(Stdio::null()))
    }
}

/// Reads the report of slowhttptest, a row for each second: connections closed, connections open, and
/// whether its own probe was answered.
fn read_report(report: &Path) -> Vec<[usize; 3]> {
    let table = fs::read_to_string(report.with_extension("csv")).unwrap();
    let row = |line: &str| -> Option<[usize; 3]> {
        let numbers: Vec<usize> =
            line.split(',').map_while(|word| word.trim().parse().ok()).collect();
        Some([*numbers.get(1)?, *numbers.get(3)?, *numbers.get(4)?])
    };
    table.lines().filter_map(row).collect()
}

#[test]
#[ignore = "long: make soak"]
fn slow_attackers_are_closed_at_the_timeouts_and_other_clients_are_served() {
    if !process::need("slowhttptest", "command -v slowhttptest") {
        return;
    }
    for attack in &ATTACKS {
        let (folder, server) = (Folder::new(), ServerProcess::start_site(FLAGS));
        let report = folder.file("report");
        let descriptors = || Resources::of(server.id()).descriptors;
        let before = descriptors();
        let (began, mut latencies) = (Instant::now(), Latencies::default());
        let (mut most, mut most_at, mut closed_at) = (0, Duration::ZERO, None);
        let mut attackers = attack.start(server.address, &report);
        while attackers.is_running() {
            latencies.measure(server.address);
            let (count, now) = (descriptors().saturating_sub(before), began.elapsed());
            if count > most {
                (most, most_at) = (count, now);
            }
            // The connections of the measured client and of the probe may still be open.
            let are_closed = count <= 2;
            closed_at =
                closed_at.filter(|_| are_closed).or((are_closed && most > 2).then_some(now));
            thread::sleep(BETWEEN_EXCHANGES);
        }
        let closed_at = closed_at.unwrap_or(began.elapsed());
        let rows = read_report(&report);
        let [closed, connected, _] = *rows.last().unwrap();
        let answered = rows.iter().filter(|row| row[2] > 0).count();
        println!("{}: {most} open after {most_at:.1?}, none after {closed_at:.1?}", attack.name);
        println!("  other clients: {latencies}");
        println!(
            "  slowhttptest's last row: {closed} closed, {connected} connected; \
             its probe was answered in {answered} of {} seconds",
            rows.len()
        );
        assert!(latencies.are_in_time() && answered == rows.len());
        if let Some(timeout) = attack.timeout {
            let deadline = most_at + Duration::from_secs(timeout) + CLOSE_TIME;
            assert!(most > ATTACKERS / 2 && closed_at <= deadline, "{closed_at:?} > {deadline:?}");
        }
    }
}

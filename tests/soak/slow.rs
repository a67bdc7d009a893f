//! slowhttptest in its four modes, each with a thousand connections: whoever behaves is served all the
//! while, and whoever does not is cut off at the deadlines.
//!
//! Who is left is counted among the server's descriptors. A slow reader would be the last to notice
//! that it was cut off: first it has to read what the system still holds for it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::figures::Waits;
use super::process::resources::Resources;
use super::process::{self, Folder, Process, ServerProcess};

const ATTACKERS: usize = 1_000;
/// Seconds that each attack lasts, unless nobody is left of it before: far longer than any deadline.
const LASTS: &str = "30";
const BETWEEN_VISITS: Duration = Duration::from_millis(200);

/// What waits longest between requests is not what ends any of these attacks.
const FLAGS: &str = "--head-timeout 8 --content-timeout 9 --write-timeout 4 --idle-timeout 60";

/// Time for the last words to somebody who is refused and goes on sending, and for a busy machine.
const GOODBYE: Duration = Duration::from_secs(4);

struct Attack {
    name: &'static str,
    flags: &'static str,
    path: &'static str,
    /// Bytes that make the path longer.
    filler: usize,
    /// Seconds after which one of its connections is cut off. `None`: it is answered and closed at once.
    deadline: Option<u64>,
}

const ATTACKS: [Attack; 4] = [
    Attack { name: "slow heads", flags: "-H -i 1", path: "/about", filler: 0, deadline: Some(8) },
    Attack { name: "slow content", flags: "-B -i 1", path: "/echo", filler: 0, deadline: Some(9) },
    Attack {
        name: "many ranges",
        flags: "-R -a 1 -b 1000",
        path: "/about",
        filler: 0,
        deadline: None,
    },
    // Its ten answers are more than the system's buffers hold. A write that lasts its time may have sent
    // a byte or more; then the time for the whole answer begins, at whose end the last write may.
    Attack {
        name: "slow readers",
        flags: "-X -w 512 -y 1024 -n 1 -z 32 -k 10",
        path: "/raw?",
        filler: 1_000,
        deadline: Some(4 + 9 + 4),
    },
];

impl Attack {
    fn start(&self, address: SocketAddr, report: &Path) -> Process {
        let Attack { flags, path, filler, .. } = self;
        let url = format!("http://{address}{path}{}", "x".repeat(*filler));
        let mut command = Command::new("slowhttptest");
        command.args(flags.split(' ')).args(["-u", &url, "-c", &ATTACKERS.to_string()]);
        command.args(["-r", "500", "-l", LASTS, "-p", "2", "-g", "-o"]).arg(report);
        Process::spawn(command.stdout(Stdio::null()))
    }
}

/// What slowhttptest itself has seen, a line for each second: connections closed and connected, and
/// whether its own probe was answered.
fn seen(report: &Path) -> Vec<[usize; 3]> {
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
fn slow_attackers_are_cut_off_and_whoever_behaves_is_served_throughout() {
    if !process::need("slowhttptest", "command -v slowhttptest") {
        return;
    }
    for attack in &ATTACKS {
        let (folder, server) = (Folder::new(), ServerProcess::start_site(FLAGS));
        let report = folder.file("report");
        let descriptors = || Resources::of(server.id()).descriptors;
        let before = descriptors();
        let (began, mut visits) = (Instant::now(), Waits::default());
        let (mut most, mut all_in, mut over) = (0, Duration::ZERO, None);
        let mut attackers = attack.start(server.address, &report);
        while attackers.is_running() {
            visits.visit(server.address);
            let (count, now) = (descriptors().saturating_sub(before), began.elapsed());
            if count > most {
                (most, all_in) = (count, now);
            }
            // A visitor's connection, or the probe's, may not be gone yet.
            over = over.filter(|_| count <= 2).or((count <= 2 && most > 2).then_some(now));
            thread::sleep(BETWEEN_VISITS);
        }
        let over = over.unwrap_or(began.elapsed());
        let seen = seen(&report);
        let [closed, connected, _] = *seen.last().unwrap();
        let answered = seen.iter().filter(|row| row[2] > 0).count();
        println!("{}: {most} at a time after {all_in:.1?}, nobody after {over:.1?}", attack.name);
        println!("  visitors: {visits}");
        println!(
            "  slowhttptest's last row: {closed} closed, {connected} connected; \
             its probe was answered in {answered} of {} seconds",
            seen.len()
        );
        assert!(visits.are_well() && answered == seen.len());
        if let Some(deadline) = attack.deadline {
            let cut_off = all_in + Duration::from_secs(deadline) + GOODBYE;
            assert!(most > ATTACKERS / 2 && over <= cut_off, "{over:?} > {cut_off:?}");
        }
    }
}

//! # The mixed soak
//!
//! All loads at once, for half an hour. Normal clients run beside clients that disconnect, never read,
//! stay silent, are slow, send malformed requests or connect in bursts. Handlers panic, and streams do
//! not end. From time to time the server has no descriptor, no room on the disk, or receives signals.
//!
//! The normal clients are served all the time. At the end the two servers use no more than after the
//! first minute.
//!
//! ```text
//! SOAK_SECONDS=60 tests/load/soak.sh mixed
//! ```

mod fixture;
mod clients;
mod shortages;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use crate::support::process::{self, Exit, Folder, ServerProcess};
use crate::support::resources::Resources;

/// The first part of the soak. Each kind of client has run by then, so the memory at its end is the
/// base for the comparison.
const WARM_UP: Duration = Duration::from_secs(60);

/// Time between two reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(120);

/// KiB by which the heap of a server may grow after the warm-up.
const MAX_GROWTH: usize = 2048;

/// The most log lines per minute: one for each kind of problem.
const LOG_LINES_PER_MINUTE: u64 = 6;

/// The connection limit is below the size of a burst, and the timeouts are short.
const FLAGS: &str = "--max-connections 200 --head-timeout 2 --content-timeout 2 --write-timeout 1 \
                     --idle-timeout 3";

/// Makes glibc's allocator return freed memory to the kernel. By default it keeps tens of MiB, which
/// looks like a leak.
const ALLOCATOR: [(&str, &str); 2] =
    [("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_TRIM_THRESHOLD_", "131072")];

/// Counts of events, and the longest time that a normal client waited for a response.
#[derive(Default)]
pub struct Stats {
    counts: Mutex<BTreeMap<&'static str, u64>>,
    longest: Mutex<Duration>,
}

impl Stats {
    /// Counts one event.
    pub fn add(&self, event: &'static str) {
        *self.counts.lock().unwrap().entry(event).or_default() += 1;
    }

    /// Records the time that a normal client waited for a response.
    pub fn add_wait(&self, time: Duration) {
        let mut longest = self.longest.lock().unwrap();
        *longest = time.max(*longest);
    }
}

/// One part of the soak: what its tasks share, and when they end.
pub struct Soak<'a> {
    /// The binary with the lesson site.
    pub site: &'a ServerProcess,
    /// The library, with handlers that panic and streams that do not end.
    pub fixture: &'a ServerProcess,
    /// Where each task counts what it does.
    pub stats: &'a Stats,
    /// The likes file of the site.
    pub likes: &'a Path,
    until: Instant,
}

impl Soak<'_> {
    /// Whether the time is over.
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Sleeps, at most until the end. False when the time is over.
    pub fn pause(&self, milliseconds: u64) -> bool {
        let left = self.until.saturating_duration_since(Instant::now());
        thread::sleep(left.min(Duration::from_millis(milliseconds)));
        !self.is_over()
    }

    /// Runs all tasks until the time is over, and reports from time to time.
    fn run(&self, report: impl Fn() + Sync) {
        thread::scope(|scope| {
            for (task, count) in clients::TASKS.iter().chain(&shortages::TASKS) {
                for number in 0..*count {
                    scope.spawn(move || task(self, number));
                }
            }
            while self.pause(REPORT_INTERVAL.as_millis() as u64) {
                report();
            }
        });
    }
}

#[test]
#[ignore = "takes half an hour: make soak"]
fn soak() {
    let length = env::var("SOAK_SECONDS").map_or(1800, |seconds| seconds.parse().unwrap());
    let length = Duration::from_secs(length);
    let folder = Folder::new();
    let mut command = process::openkitchen(FLAGS);
    // The trace goes to a pipe that the test does not read.
    let likes = folder.file("likes");
    command.args(["--listen", "127.0.0.1:0", "--data"]).arg(&likes);
    let site = ServerProcess::start(command.envs(ALLOCATOR));
    let fixture = ServerProcess::start(fixture::command().envs(ALLOCATOR));
    let (stats, since) = (Stats::default(), Instant::now());
    let report = |when: &str, [site, fixture]: [Resources; 2]| {
        println!("{} s, {when}: the site {site}; the fixture {fixture}", since.elapsed().as_secs());
        let counts = std::mem::take(&mut *stats.counts.lock().unwrap());
        let longest = std::mem::take(&mut *stats.longest.lock().unwrap());
        if !counts.is_empty() {
            let counts: Vec<_> =
                counts.iter().map(|(event, count)| format!("{count} {event}")).collect();
            println!("    since then {}; the longest wait {longest:.1?}", counts.join(", "));
        }
    };
    let now = || [&site, &fixture].map(|server| Resources::of(server.id()));
    let run = |length: Duration| {
        let until = Instant::now() + length;
        let soak = Soak { site: &site, fixture: &fixture, stats: &stats, likes: &likes, until };
        soak.run(|| report("under load", now()));
    };
    let before = [&site, &fixture].map(Resources::after_first_client);
    report("at the start", before);
    let rest = |when: &str| {
        let servers = [(&site, before[0]), (&fixture, before[1])];
        let resources =
            servers.map(|(server, before)| Resources::wait_until_released(server.id(), before));
        report(when, resources);
        resources
    };

    let warm_up = WARM_UP.min(length / 2);
    run(warm_up);
    let first = rest("after the warm-up");
    run(length.saturating_sub(warm_up));
    let last = rest("at the end");

    for (first, last) in first.iter().zip(&last) {
        assert!(last.heap <= first.heap + MAX_GROWTH, "{first}, and then {last}");
    }
    let stored = fs::metadata(&likes).unwrap().len() / 20 - 1;
    let response = site.get("/api/likes");
    assert!(response.text().starts_with(&format!("{{\"1\":{stored},")), "{}", response.text());
    let Exit { code, stderr, .. } = site.stop();
    println!("the log:\n{stderr}");
    assert_eq!(code, Some(0));
    let minutes = length.as_secs() / 60 + 1;
    assert!((stderr.lines().count() as u64) < LOG_LINES_PER_MINUTE * minutes);
    assert!(!stderr.contains("panic"));
}

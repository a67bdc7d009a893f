//! # The mixed soak
//!
//! Everything at once, and for long: guests who behave, among those who vanish, never read, say nothing,
//! are slow, send garbage or come all at the same moment; handlers that panic, streams without an end; and
//! from time to time no descriptor, no room on the disk, and signals in the middle of it.
//!
//! Who behaves is served throughout. What the two servers hold at the end, they held after the first
//! minute.
//!
//! ```text
//! SOAK_SECONDS=60 tests/soak/run mixed
//! ```

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

#[path = "../process/mod.rs"]
mod process;

#[path = "mixed/fixture.rs"]
mod fixture;
#[path = "mixed/clients.rs"]
mod clients;
#[path = "mixed/shortages.rs"]
mod shortages;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use process::resources::Resources;
use process::{Exit, Folder, ServerProcess};

/// Time before the first rest, whose figures count: by then each kind of guest has been there.
const WARMING_UP: Duration = Duration::from_secs(60);

/// Time between two reports, at most.
const REPORT: Duration = Duration::from_secs(120);

/// KiB that a server may hold more at the end than at the first rest.
const KEPT: usize = 2048;

/// Lines that a log may have for each minute: one for each kind of trouble.
const LINES_PER_MINUTE: u64 = 6;

/// Fewer connections than come at once.
const FLAGS: &str = "--max-connections 200 --head-timeout 2 --content-timeout 2 --write-timeout 1 \
                     --idle-timeout 3";

/// An allocator that gives memory back when it is freed: of itself glibc's keeps some tens of MiB for
/// later, and nobody could tell that from a leak.
const ALLOCATOR: [(&str, &str); 2] =
    [("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_TRIM_THRESHOLD_", "131072")];

/// What has happened, and the longest time that a guest who behaves had to wait.
#[derive(Default)]
pub struct Seen {
    counts: Mutex<BTreeMap<&'static str, u64>>,
    longest: Mutex<Duration>,
}

impl Seen {
    /// One more of these.
    pub fn add(&self, what: &'static str) {
        *self.counts.lock().unwrap().entry(what).or_default() += 1;
    }

    /// A guest who behaves was answered after so long.
    pub fn waited(&self, time: Duration) {
        let mut longest = self.longest.lock().unwrap();
        *longest = time.max(*longest);
    }
}

/// A part of the soak: guests come until it is over.
pub struct Scene<'a> {
    /// The binary.
    pub server: &'a ServerProcess,
    /// The library, with handlers that panic and streams that do not end.
    pub fixture: &'a ServerProcess,
    /// What there was to see.
    pub seen: &'a Seen,
    /// The file of likes.
    pub likes: &'a Path,
    until: Instant,
}

impl Scene<'_> {
    /// Whether its time is over.
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Waits; false when the scene is over.
    pub fn pause(&self, milliseconds: u64) -> bool {
        let left = self.until.saturating_duration_since(Instant::now());
        thread::sleep(left.min(Duration::from_millis(milliseconds)));
        !self.is_over()
    }

    /// Plays it to its end, and reports.
    fn play(&self, report: impl Fn() + Sync) {
        thread::scope(|scope| {
            for (act, count) in clients::ACTS.iter().chain(&shortages::ACTS) {
                for number in 0..*count {
                    scope.spawn(move || act(self, number));
                }
            }
            while self.pause(REPORT.as_millis() as u64) {
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
    // The trace goes to a pipe that nobody reads.
    let likes = folder.file("likes");
    command.args(["--listen", "127.0.0.1:0", "--data"]).arg(&likes);
    let server = ServerProcess::start(command.envs(ALLOCATOR));
    let fixture = ServerProcess::start(fixture::command().envs(ALLOCATOR));
    let (seen, since) = (Seen::default(), Instant::now());
    let tell = |when: &str, [one, other]: [Resources; 2]| {
        println!("{} s, {when}: the binary {one}; the library {other}", since.elapsed().as_secs());
        let counts = std::mem::take(&mut *seen.counts.lock().unwrap());
        let longest = std::mem::take(&mut *seen.longest.lock().unwrap());
        if !counts.is_empty() {
            let counts: Vec<_> =
                counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
            println!("    since then {}; the longest wait {longest:.1?}", counts.join(", "));
        }
    };
    let now = || [&server, &fixture].map(|server| Resources::of(server.id()));
    let play = |length: Duration| {
        let until = Instant::now() + length;
        let scene = Scene { server: &server, fixture: &fixture, seen: &seen, likes: &likes, until };
        scene.play(|| tell("busy", now()));
    };
    let before = [&server, &fixture].map(Resources::after_first_client);
    tell("at the start", before);
    let rest = |when: &str| {
        let servers = [(&server, before[0]), (&fixture, before[1])];
        let figures =
            servers.map(|(server, before)| Resources::wait_until_released(server.id(), before));
        tell(when, figures);
        figures
    };

    let warming_up = WARMING_UP.min(length / 2);
    play(warming_up);
    let first = rest("at the first rest");
    play(length.saturating_sub(warming_up));
    let last = rest("at the last rest");

    for (first, last) in first.iter().zip(&last) {
        assert!(last.heap <= first.heap + KEPT, "{first}, and then {last}");
    }
    let stored = fs::metadata(&likes).unwrap().len() / 20 - 1;
    let counted = server.get("/api/likes");
    assert!(counted.text().starts_with(&format!("{{\"1\":{stored},")), "{}", counted.text());
    let Exit { code, stderr, .. } = server.stop();
    println!("the log:\n{stderr}");
    assert_eq!(code, Some(0));
    let minutes = length.as_secs() / 60 + 1;
    assert!((stderr.lines().count() as u64) < LINES_PER_MINUTE * minutes);
    assert!(!stderr.contains("panic"));
}

//! What Linux tells of a process from outside: what it holds, and so what it may have leaked.

use std::time::{Duration, Instant};
use std::{fmt, fs, thread};

use super::{ServerProcess, TIMEOUT};

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub struct Resources {
    /// Open descriptors.
    pub descriptors: usize,
    pub threads: usize,
    /// KiB that are its own, and its share of what it shares with others.
    pub pss: usize,
    /// KiB that are resident.
    pub rss: usize,
    /// KiB of heap and stacks: what is in no file.
    pub heap: usize,
}

/// Threads that may stand at the door of a server that has been busy, and did not at its start.
const SPARE: usize = 4;

impl Resources {
    /// What the process with this id holds now.
    #[track_caller]
    pub fn of(process: u32) -> Resources {
        let count = |what| fs::read_dir(format!("/proc/{process}/{what}")).unwrap().count();
        let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
        let line = |name| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        Resources {
            descriptors: count("fd"),
            threads: count("task"),
            pss: line("Pss:"),
            rss: line("Rss:"),
            heap: line("Anonymous:"),
        }
    }

    /// What a server holds when its first client has been served, and has left.
    #[track_caller]
    pub fn after_first_client(server: &ServerProcess) -> Resources {
        assert_eq!(server.get("/").status, 200);
        loop {
            let held = Resources::of(server.id());
            thread::sleep(Duration::from_millis(10));
            if Resources::of(server.id()).descriptors == held.descriptors {
                return held;
            }
        }
    }

    /// What a process holds when it holds no more than before, and a few threads that wait for the next
    /// client. It is waited for: a server needs a moment to see that its clients have gone.
    #[track_caller]
    pub fn at_rest(process: u32, before: Resources) -> Resources {
        let since = Instant::now();
        loop {
            let now = Resources::of(process);
            let is_at_rest =
                now.descriptors <= before.descriptors && now.threads <= before.threads + SPARE;
            if is_at_rest {
                return now;
            }
            assert!(since.elapsed() < TIMEOUT, "before {before}; and still {now}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Resources { descriptors, threads, pss, rss, heap } = self;
        write!(
            f,
            "{descriptors} descriptors, {threads} threads, PSS {pss} KiB, RSS {rss} KiB, \
             heap {heap} KiB"
        )
    }
}

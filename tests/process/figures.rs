//! What Linux tells of a process from outside: what it holds, and so what it may have leaked.

use std::fmt;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::{Kitchen, PATIENCE};

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Open descriptors.
    pub descriptors: usize,
    pub threads: usize,
    /// KiB of heap and stacks, without what it shares with its own file.
    pub memory: usize,
}

impl Figures {
    /// What the process with this id holds now.
    #[track_caller]
    pub fn of(id: u32) -> Figures {
        let place = |name: &str| format!("/proc/{id}/{name}");
        let count = |name| fs::read_dir(place(name)).expect("a process that runs").count();
        let rollup = fs::read_to_string(place("smaps_rollup")).expect("Linux 4.14");
        let memory = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:"));
        let memory = memory.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok());
        Figures {
            descriptors: count("fd"),
            threads: count("task"),
            memory: memory.expect("a number of kB"),
        }
    }

    /// What a server holds when its first client has been served, and has left.
    #[track_caller]
    pub fn at_first(kitchen: &Kitchen) -> Figures {
        assert_eq!(kitchen.get("/").status, 200);
        loop {
            let figures = Figures::of(kitchen.id());
            thread::sleep(Duration::from_millis(10));
            if Figures::of(kitchen.id()).descriptors == figures.descriptors {
                return figures;
            }
        }
    }

    /// What it holds when it holds no more than before, and a few threads that wait for the next
    /// client. It is waited for: a server needs a moment to see that its clients have gone.
    #[track_caller]
    pub fn at_rest(id: u32, before: Figures) -> Figures {
        let since = Instant::now();
        loop {
            let now = Figures::of(id);
            let is_at_rest =
                now.descriptors <= before.descriptors && now.threads <= before.threads + SPARE;
            if is_at_rest {
                return now;
            }
            assert!(since.elapsed() < PATIENCE, "before {before}; and still {now}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Threads that may stand at the door of a server that has been busy, and did not at its start.
const SPARE: usize = 4;

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { descriptors, threads, memory } = self;
        write!(f, "{descriptors} descriptors, {threads} threads, {memory} KiB")
    }
}

//! Counts the descriptors, threads and memory of a process in /proc, so that a test can see a leak; and
//! its processor time.

use std::time::{Duration, Instant};
use std::{fmt, fs, thread};

use super::process::{ServerProcess, TIMEOUT};

/// What a process uses.
#[derive(Clone, Copy, Debug)]
pub struct Resources {
    /// Open descriptors.
    pub descriptors: usize,
    pub threads: usize,
    /// Proportional set size, KiB: its own pages, and its share of the pages that processes share.
    pub pss: usize,
    /// Resident set size, KiB.
    pub rss: usize,
    /// Anonymous memory, KiB: heap and stacks.
    pub heap: usize,
}

/// Idle acceptor threads that a server may have after a busy time, and does not have at its start.
const MAX_IDLE_ACCEPTORS: usize = 4;

impl Resources {
    /// What the process with this id uses now.
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

    /// What a server uses after it has served its first client. Waits until the number of descriptors is
    /// stable for 10 ms: the server needs a moment to close the connection.
    #[track_caller]
    pub fn after_first_client(server: &ServerProcess) -> Resources {
        assert_eq!(server.get("/").status, 200);
        loop {
            let resources = Resources::of(server.id());
            thread::sleep(Duration::from_millis(10));
            if Resources::of(server.id()).descriptors == resources.descriptors {
                return resources;
            }
        }
    }

    /// Waits until a server has no more descriptors than before, and at most four more threads. A server
    /// needs a moment to read the end of each connection.
    #[track_caller]
    pub fn wait_until_released(process: u32, before: Resources) -> Resources {
        let since = Instant::now();
        loop {
            let now = Resources::of(process);
            let is_released = now.descriptors <= before.descriptors
                && now.threads <= before.threads + MAX_IDLE_ACCEPTORS;
            if is_released {
                return now;
            }
            assert!(since.elapsed() < TIMEOUT, "before: {before}; still: {now}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Time that the processors have spent for a process until now, in steps of 10 ms. The time that it
/// waits for a processor does not count, so a busy machine changes little.
#[track_caller]
pub fn processor_time(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // proc_pid_stat(5): utime and stime are fields 14 and 15, and field 3 follows the name in brackets.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(14 - 3).take(2);
    Duration::from_millis(ticks.map(|ticks| 10 * ticks.parse::<u64>().unwrap()).sum())
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

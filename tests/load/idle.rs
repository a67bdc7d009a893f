//! Ten thousand idle connections: each costs a thread and a descriptor, and they do not delay others.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::latency::{Latencies, served_connection, wait_until};
use crate::support::process::{Folder, ServerProcess};
use crate::support::resources::Resources;

const CONNECTIONS: usize = 10_000;
const EXCHANGES: usize = 4_000;
/// The idle timeout: long enough to measure before it.
const IDLE: Duration = Duration::from_secs(30);
/// Idle acceptor threads that may stay after a busy time.
const MAX_IDLE_ACCEPTORS: usize = 4;
/// The most memory of one idle connection: PSS, KiB.
const MAX_PSS: f64 = 14.0;

/// A server whose soft limit on descriptors is 1024, as on most systems. It must raise the limit itself.
fn start_site(folder: &Folder, name: &str) -> ServerProcess {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -S -n 1024; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_openkitchen")]);
    command.args(["--listen", "127.0.0.1:0", "--no-trace", "--max-connections", "12000"]);
    command.args(["--idle-timeout", &IDLE.as_secs().to_string()]);
    command.arg("--data").arg(folder.file(name));
    ServerProcess::start(&mut command)
}

#[test]
#[ignore = "long: make soak"]
fn ten_thousand_idle_connections_are_held_and_closed_at_the_idle_timeout() {
    let folder = Folder::new();
    let (empty, full) = (start_site(&folder, "empty"), start_site(&folder, "full"));
    let now = || Resources::of(full.id());
    let first = served_connection(full.address).unwrap();
    let with_one = now().descriptors;
    drop(first);
    assert!(wait_until(IDLE, || now().descriptors == with_one - 1));
    let before = now();
    println!("before: {before}");

    let began = Instant::now();
    let mut connections: Vec<_> =
        (0..CONNECTIONS).map(|_| served_connection(full.address).unwrap()).collect();
    println!("{CONNECTIONS} connections were opened and served in {:.1?}", began.elapsed());
    let with_all = now();
    println!("with {CONNECTIONS} of them: {with_all}");
    let each =
        |of: fn(&Resources) -> usize| (of(&with_all) - of(&before)) as f64 / CONNECTIONS as f64;
    let pss = each(|resources| resources.pss);
    let rss = each(|resources| resources.rss);
    println!("for each connection: PSS {pss:.1} KiB, RSS {rss:.1} KiB");

    let [mut alone, mut beside] = [Latencies::default(), Latencies::default()];
    for _ in 0..EXCHANGES {
        alone.measure(empty.address);
        beside.measure(full.address);
    }
    println!("new clients of an idle server:  {alone}");
    println!("new clients beside all of them: {beside}");
    let ratio = |percent| {
        beside.percentile(percent).as_secs_f64() / alone.percentile(percent).as_secs_f64()
    };
    println!("that is p50 x {:.2}, p99 x {:.2}", ratio(50), ratio(99));
    assert!(now().descriptors >= CONNECTIONS && alone.are_in_time() && beside.are_in_time());

    // The clients close one half; the server closes the other half at the idle timeout.
    connections.truncate(CONNECTIONS / 2);
    assert!(wait_until(IDLE, || now().descriptors <= before.descriptors + CONNECTIONS / 2));
    let are_released = |now: Resources| {
        now.descriptors == before.descriptors && now.threads <= before.threads + MAX_IDLE_ACCEPTORS
    };
    assert!(wait_until(2 * IDLE, || are_released(now())), "{}", now());
    println!("after: {}", now());
    drop(connections);
    assert!(pss <= MAX_PSS, "{pss} KiB are more than {MAX_PSS}");
    for server in [empty, full] {
        let exit = server.stop();
        assert_eq!((exit.code, &*exit.stderr), (Some(0), ""));
    }
}

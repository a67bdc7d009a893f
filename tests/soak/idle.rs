//! Ten thousand connections that say nothing: each costs a thread and a descriptor, and nobody else
//! notices.

use std::process::Command;
use std::time::{Duration, Instant};

use super::figures::{Waits, comes_true, greeted};
use super::process::resources::Resources;
use super::process::{Folder, ServerProcess};

const GUESTS: usize = 10_000;
const VISITS: usize = 4_000;
/// Long enough to measure meanwhile.
const IDLE: Duration = Duration::from_secs(30);
/// Threads that may wait for somebody new.
const AT_THE_DOOR: usize = 4;
/// KiB for a connection that is idle, at most.
const GRANTED: f64 = 14.0;

/// A server whose soft limit on descriptors is what most systems grant: it has to raise it by itself.
fn open(folder: &Folder, name: &str) -> ServerProcess {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -S -n 1024; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_openkitchen")]);
    command.args(["--listen", "127.0.0.1:0", "--no-trace", "--max-connections", "12000"]);
    command.args(["--idle-timeout", &IDLE.as_secs().to_string()]);
    command.arg("--data").arg(folder.file(name));
    ServerProcess::start(&mut command)
}

#[test]
#[ignore = "long: make soak"]
fn ten_thousand_idle_connections_are_held_and_let_go() {
    let folder = Folder::new();
    let (empty, full) = (open(&folder, "empty"), open(&folder, "full"));
    let held = || Resources::of(full.id());
    let guest = greeted(full.address).unwrap();
    let with_one = held().descriptors;
    drop(guest);
    assert!(comes_true(IDLE, || held().descriptors == with_one - 1));
    let before = held();
    println!("before: {before}");

    let began = Instant::now();
    let mut guests: Vec<_> = (0..GUESTS).map(|_| greeted(full.address).unwrap()).collect();
    println!("{GUESTS} connections were made and greeted in {:.1?}", began.elapsed());
    let with_guests = held();
    println!("with {GUESTS} of them: {with_guests}");
    let each =
        |of: fn(&Resources) -> usize| (of(&with_guests) - of(&before)) as f64 / GUESTS as f64;
    let pss = each(|held| held.pss);
    println!("for each connection: PSS {pss:.1} KiB, RSS {:.1} KiB", each(|held| held.rss));

    let [mut alone, mut beside] = [Waits::default(), Waits::default()];
    for _ in 0..VISITS {
        alone.visit(empty.address);
        beside.visit(full.address);
    }
    println!("new clients of an idle server:  {alone}");
    println!("new clients beside all of them: {beside}");
    let ratio = |of| beside.percentile(of).as_secs_f64() / alone.percentile(of).as_secs_f64();
    println!("that is p50 x {:.2}, p99 x {:.2}", ratio(50), ratio(99));
    assert!(held().descriptors >= GUESTS && alone.are_well() && beside.are_well());

    // One half leaves, the other half overstays.
    guests.truncate(GUESTS / 2);
    assert!(comes_true(IDLE, || held().descriptors <= before.descriptors + GUESTS / 2));
    let are_gone = |held: Resources| {
        held.descriptors == before.descriptors && held.threads <= before.threads + AT_THE_DOOR
    };
    assert!(comes_true(2 * IDLE, || are_gone(held())), "{}", held());
    println!("after: {}", held());
    drop(guests);
    assert!(pss <= GRANTED, "{pss} KiB are more than {GRANTED}");
    for server in [empty, full] {
        let ended = server.stop();
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    }
}

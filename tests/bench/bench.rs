//! # How fast is it, and how fast could it be?
//!
//! Requests a second say more about the machine than about the server. So each measurement is taken
//! of all sides, one right after the other: of this server, and of a [`floor`] of the same shape that
//! parses nothing and writes the very same bytes. What counts is the ratio.
//!
//! ```text
//!                            measured    p50 us    p99 us CPU us errors  x first (min-max)   CPU x
//! a  keep-alive, 64 connections
//!    the floor         103,270 req/s       572     1,322   8.90      0
//!    openkitchen       101,203 req/s       585     1,380   9.17      0  0.98 (0.95-1.02)     1.03
//! ```
//! `x first` is the median of the rounds' own ratios to the first row: a slow second slows both sides
//! of its round. 0.98 says that parsing, routing and the answer's head take two parts in a hundred of
//! what a thread for each connection can do here. In brackets are the least and the largest ratio of
//! any round, and **what is smaller than their distance is noise**. The load, and whatever else you
//! run, shares the processor: `CPU`, the server's own time for each request, is the steadier figure.
//! Errors are of all rounds together. Nothing is asserted: the end of it says which goals of
//! [`workload`] were met.
//!
//! - a and c come again with the trace on (to /dev/null), with `--record`, and with the log on (to
//!   /dev/null), beside the same server unseen. They ask for `/raw`, for `/healthz` is shown to nobody.
//! - b depends on where the scheduler puts the two sides, on one core or on two: read p50.
//! - i counts memory by PSS; its waits are those of new clients while all others are silent.
//! - k shows std's backlog of 128 on the floor: who finds no room there asks again a second later.
//! - p50 and p99 of the loads with many connections are upper bounds: see [`load`].
//!
//! ```text
//! make bench ONLY=a,d ROUNDS=3 SECONDS=0.5
//! make bench-peers                           beside nginx, hyper and tiny_http: tests/peers
//! ```
//! A peer (`--peer PROGRAM`) is any program that prints `# listening on http://ADDR` and answers
//! `GET /healthz` with `ok` and `POST /echo` with the content. What it cannot do it is left out of.

mod child;
mod floor;
mod load;
mod table;
mod workload;

use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;
use std::{env, fs, io, thread};

use child::{Child, Folder, Manner, Side, Watch};
use load::{Load, Outcome, first_answer};
use table::Results;
use workload::{Ask, Kind, WORKLOADS, Workload};

/// Starts in one sample; their median is its figure.
const STARTS: usize = 10;

/// New clients in one sample, while others are idle and before.
const NEWCOMERS: usize = 200;

/// What one round found; NAN where this system does not tell, or where the question is not asked.
struct Sample {
    measured: f64,
    /// Microseconds, as all waits.
    p50: f64,
    p99: f64,
    /// The median wait when nobody else was there.
    before: f64,
    /// Microseconds for each request.
    cpu: f64,
    errors: f64,
}

struct Options {
    rounds: usize,
    seconds: f64,
    only: String,
    peers: Vec<Side>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match &arguments[..] {
        [flag, manner, request] if flag == "--floor" => {
            let manner = Manner::named(manner).unwrap_or(Manner::Stay);
            floor::serve(manner, request.parse().unwrap_or(usize::MAX))
        }
        _ => Options::read(&arguments).map_err(io::Error::other).and_then(|options| options.run()),
    };
    done.map_or_else(
        |error| {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

impl Options {
    fn read(arguments: &[String]) -> Result<Options, String> {
        let mut options =
            Options { rounds: 5, seconds: 1.0, only: String::new(), peers: Vec::new() };
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            let mut value = || rest.next().ok_or(format!("{name} needs a value"));
            match name.as_str() {
                "--bench" => {} // cargo's own word
                "--rounds" => options.rounds = number(name, value()?, 1..=100)?,
                "--seconds" => options.seconds = number(name, value()?, 0.05..=60.0)?,
                "--only" => options.only = value()?.clone(),
                "--peer" => options.peers.push(Side::Peer(value()?.into())),
                _ => {
                    return Err(format!(
                        "{name} is unknown; the head of tests/bench/bench.rs helps"
                    ));
                }
            }
        }
        Ok(options)
    }

    /// Whether it is asked for. Beside peers, what looking on costs this server is not the question.
    fn wants(&self, workload: &Workload) -> bool {
        let is_shown = workload.ask == Ask::Shown;
        (self.only.is_empty() || self.only.contains(workload.letter))
            && (self.peers.is_empty() || !is_shown)
    }

    fn run(&self) -> io::Result<()> {
        let (folder, machine) = (Folder::new()?, machine());
        let rounds = format!("Rounds: {} of {} s; medians.", self.rounds, self.seconds);
        println!("{machine}\n{rounds}\n\n{}", table::HEADINGS);
        let mut all = Vec::new();
        for workload in WORKLOADS.iter().filter(|workload| self.wants(workload)) {
            println!("{}  {}", workload.letter, workload.title);
            let results = self.measure(workload, &folder)?;
            print!("{}", results.rows());
            all.push(results);
        }
        println!("\n{machine}\n{rounds}\n\n{}", table::summary(&all));
        all.iter().for_each(|results| print!("{}", results.goals()));
        Ok(())
    }

    /// All sides in turn, round after round.
    fn measure(&self, workload: &'static Workload, folder: &Folder) -> io::Result<Results> {
        let contest = Contest::prepare(self, workload, folder)?;
        let mut sides = workload.sides(&self.peers);
        sides.retain(|side| match contest.start(side) {
            Err(error) if side.is_peer() => {
                println!("   {:19}left out: {error}", side.name());
                false
            }
            _ => true,
        });
        let rounds = match workload.kind {
            Kind::Idle(_) => self.rounds.div_ceil(2), // memory varies little, and this takes long
            _ => self.rounds,
        };
        let mut samples: Vec<Vec<Sample>> = sides.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            for turn in 0..sides.len() {
                let side = (round + turn) % sides.len(); // another begins each round
                samples[side].push(contest.sample(&sides[side])?);
            }
        }
        Ok(Results { workload, sides: sides.into_iter().zip(samples).collect() })
    }
}

/// What all sides of one workload have in common.
struct Contest<'a> {
    options: &'a Options,
    workload: &'a Workload,
    folder: &'a Folder,
    request: Vec<u8>,
    /// This server's answer, which the floor gives too.
    answer: Vec<u8>,
}

impl Contest<'_> {
    fn prepare<'a>(
        options: &'a Options,
        workload: &'a Workload,
        folder: &'a Folder,
    ) -> io::Result<Contest<'a>> {
        let request = workload.request();
        let server = Side::Server(Watch::Nobody).start(folder, 0, &[])?;
        let answer = first_answer(server.address, &request)?;
        Ok(Contest { options, workload, folder, request, answer })
    }

    /// Starts one side and waits for its first answer, for nobody else's is as long.
    fn start(&self, side: &Side) -> io::Result<(Child, Load)> {
        let child = side.start(self.folder, self.request.len(), &self.answer)?;
        let address = child.address;
        let answer = first_answer(address, &self.request)?.len();
        let depth = self.workload.depth();
        let closes = matches!(self.workload.kind, Kind::Once(_));
        Ok((child, Load { address, requests: self.request.repeat(depth), depth, answer, closes }))
    }

    /// A new process for each sample, so that none has an older one's luck.
    fn sample(&self, side: &Side) -> io::Result<Sample> {
        match self.workload.kind {
            Kind::Stay(connections, _) | Kind::Once(connections) => self.loaded(side, connections),
            Kind::Idle(clients) => self.idle(side, clients),
            Kind::Start => Ok(self.started(side)),
            Kind::Burst(clients) => self.stormed(side, clients),
        }
    }

    fn loaded(&self, side: &Side, connections: usize) -> io::Result<Sample> {
        let (child, load) = self.start(side)?;
        let before = child.cpu();
        let lasts = Duration::from_secs_f64(self.options.seconds);
        let outcome = load.run(connections, lasts);
        let cpu = since(before, child.cpu()) / outcome.answered as f64;
        let rate = outcome.answered as f64 / outcome.took.as_secs_f64();
        Ok(Sample { cpu, ..Sample::new(rate, &outcome) })
    }

    fn idle(&self, side: &Side, clients: usize) -> io::Result<Sample> {
        let (child, load) = self.start(side)?;
        let alone = load.ask_anew(NEWCOMERS);
        let before = child.pss();
        let held = load.hold(clients);
        let each = since(before, child.pss()) / held.len() as f64;
        let mut outcome = load.ask_anew(NEWCOMERS);
        outcome.errors += clients - held.len();
        Ok(Sample { before: alone.percentile(50), ..Sample::new(each, &outcome) })
    }

    fn started(&self, side: &Side) -> Sample {
        let mut outcome = Outcome::default();
        for _ in 0..STARTS {
            let mut started = None; // ended when the time is taken
            outcome.time(|| {
                started = Some(self.start(side)?);
                Ok(())
            });
        }
        Sample::new(outcome.percentile(50) / 1e3, &outcome)
    }

    fn stormed(&self, side: &Side, clients: usize) -> io::Result<Sample> {
        let (_child, load) = self.start(side)?;
        let outcome = load.burst(clients);
        Ok(Sample::new(outcome.took.as_secs_f64() * 1e3, &outcome))
    }
}

/// NAN where this system does not tell.
fn since(before: Option<f64>, now: Option<f64>) -> f64 {
    before.zip(now).map_or(f64::NAN, |(before, now)| now - before)
}

impl Sample {
    fn new(measured: f64, outcome: &Outcome) -> Sample {
        let (p50, p99) = (outcome.percentile(50), outcome.percentile(99));
        let errors = outcome.errors as f64;
        Sample { measured, p50, p99, before: f64::NAN, cpu: f64::NAN, errors }
    }
}

/// What it was measured on, as far as the system tells.
fn machine() -> String {
    let told = |path| fs::read_to_string(path).unwrap_or_default();
    let processors = told("/proc/cpuinfo");
    let model =
        processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let (loads, release) = (told("/proc/loadavg"), told("/proc/sys/kernel/osrelease"));
    format!(
        "{} {}: {} cores ({}) for all sides and the load; load average before: {}.",
        env::consts::OS,
        release.trim_end(),
        thread::available_parallelism().map_or(0, usize::from),
        model.map_or(env::consts::ARCH, |(_, name)| name),
        loads.split_once(' ').map_or("unknown", |(minute, _)| minute),
    )
}

fn number<N: FromStr + PartialOrd>(
    name: &str,
    value: &str,
    range: RangeInclusive<N>,
) -> Result<N, String> {
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("{name} does not take {value}"))
}

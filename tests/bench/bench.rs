//! # The benchmark: this server beside a floor that parses nothing
//!
//! Requests per second depend on the machine more than on the server. So the benchmark measures each
//! workload on several servers, one right after the other: on this server, and on a [`floor`]. The
//! floor is a baseline: it has the same threads, parses nothing and writes the same bytes. The ratio
//! of the two is the result.
//!
//! ```text
//!                            measured    p50 us    p99 us CPU us errors  x first (min-max)   CPU x
//! a  keep-alive, 64 connections
//!    the floor         103,270 req/s       572     1,322   8.90      0
//!    openkitchen       101,203 req/s       585     1,380   9.17      0  0.98 (0.95-1.02)     1.03
//! ```
//! `x first` is the ratio to the first row: the median of the ratios of all rounds. A slow second slows
//! all servers of its round. Here 0.98 says that parsing, routing and encoding cost two percent of what
//! a thread for each connection can do. In brackets are the smallest and the largest ratio of a round:
//! **a difference smaller than their distance is noise**. The load and other programs share the
//! processor, so `CPU`, the server's own time for a request, varies less. Errors are the sum of all
//! rounds. The benchmark asserts nothing: its last lines say which goals of [`workload`] were met.
//!
//! - a and c run a second time on this server alone: without an observer, with the trace (to /dev/null),
//!   with `--record`, and with the log (to /dev/null). They request `/raw`, because `/healthz` is a quiet
//!   route: the trace and the log leave it out.
//! - a, d, g and h are also run on a small server on the [`library`], without the lesson site.
//! - The last line says how long a server in a test takes to start and to stop, without a connection. The
//!   goal is less than a millisecond each.
//! - f is the command `serve`, without its log.
//! - b depends on the scheduler: it may run server and client on one core or on two. Read p50.
//! - i measures memory as PSS. Its latencies are those of new clients while all others are idle.
//! - k shows the backlog of the floor, 128 as std sets it. If the backlog is full, a client tries again
//!   a second later.
//! - p50 and p99 with many connections are upper bounds: see [`load`].
//!
//! ```text
//! make bench ONLY=a,d ROUNDS=3 SECONDS=0.5
//! make bench-peers                           beside nginx, hyper and tiny_http: tests/peers
//! ```
//! A peer (`--peer PROGRAM`) is any program that prints `# listening on http://ADDR` and answers
//! `GET /healthz` with `ok` and `POST /echo` with the content, or the files of the folder that the variable
//! FILES names. The benchmark leaves it out of the workloads that it cannot answer.

mod child;
mod floor;
mod library;
mod load;
mod table;
mod workload;

use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;
use std::{env, fs, io, thread};

use child::{Child, FloorMode, Folder, Observation, ServerKind};
use load::{Load, Outcome, first_response};
use table::Results;
use workload::{Kind, RequestKind, WORKLOADS, Workload};

/// Starts in one sample. The sample is their median.
const STARTS: usize = 10;

/// New clients in one sample: as many before the idle connections are open as after.
const NEW_CLIENTS: usize = 200;

/// The result of one round. NAN where the system does not report a value, or the workload has none.
struct Sample {
    measured: f64,
    /// Latencies are in microseconds.
    p50: f64,
    p99: f64,
    /// The median latency before the idle connections were open.
    p50_before: f64,
    /// Microseconds of CPU for each request.
    cpu: f64,
    errors: f64,
}

struct Args {
    rounds: usize,
    seconds: f64,
    only: String,
    peers: Vec<ServerKind>,
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let done = match &args[..] {
        [flag, mode, request_bytes] if flag == "--floor" => {
            let mode = FloorMode::named(mode).unwrap_or(FloorMode::Stay);
            floor::serve(mode, request_bytes.parse().unwrap_or(usize::MAX))
        }
        [flag] if flag == "--library" => library::serve(),
        _ => Args::parse(&args).map_err(io::Error::other).and_then(|args| args.run()),
    };
    done.map_or_else(
        |error| {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

impl Args {
    fn parse(args: &[String]) -> Result<Args, String> {
        let mut parsed = Args { rounds: 5, seconds: 1.0, only: String::new(), peers: Vec::new() };
        let mut rest = args.iter();
        while let Some(name) = rest.next() {
            let mut value = || rest.next().ok_or(format!("{name} needs a value"));
            match name.as_str() {
                "--bench" => {} // cargo adds it
                "--rounds" => parsed.rounds = number(name, value()?, 1..=100)?,
                "--seconds" => parsed.seconds = number(name, value()?, 0.05..=60.0)?,
                "--only" => parsed.only = value()?.clone(),
                "--peer" => parsed.peers.push(ServerKind::Peer(value()?.into())),
                _ => {
                    return Err(format!("{name} is unknown; see the top of tests/bench/bench.rs"));
                }
            }
        }
        Ok(parsed)
    }

    /// Whether a workload runs. With peers, the cost of this server's observers is left out.
    fn wants(&self, workload: &Workload) -> bool {
        let is_observed = workload.request == RequestKind::Observed;
        (self.only.is_empty() || self.only.contains(workload.letter))
            && (self.peers.is_empty() || !is_observed)
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
        if self.only.is_empty() && self.peers.is_empty() {
            println!("{}", library::start_and_stop()?);
        }
        Ok(())
    }

    /// Measures one workload on all servers in turn, round after round.
    fn measure(&self, workload: &'static Workload, folder: &Folder) -> io::Result<Results> {
        let measurement = Measurement::prepare(self, workload, folder)?;
        let mut servers = workload.servers(&self.peers);
        servers.retain(|server| match measurement.start(server) {
            Err(error) if server.is_peer() => {
                println!("   {:19}left out: {error}", server.name());
                false
            }
            _ => true,
        });
        let rounds = match workload.kind {
            Kind::Idle(_) => self.rounds.div_ceil(2), // slow, and memory varies little
            _ => self.rounds,
        };
        let mut samples: Vec<Vec<Sample>> = servers.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            for turn in 0..servers.len() {
                let place = (round + turn) % servers.len(); // each round begins with another server
                samples[place].push(measurement.sample(&servers[place])?);
            }
        }
        Ok(Results { workload, servers: servers.into_iter().zip(samples).collect() })
    }
}

/// One workload, and what all servers need to run it.
struct Measurement<'a> {
    args: &'a Args,
    workload: &'a Workload,
    folder: &'a Folder,
    request: Vec<u8>,
    /// This server's response, which the floor sends too.
    response: Vec<u8>,
}

impl Measurement<'_> {
    fn prepare<'a>(
        args: &'a Args,
        workload: &'a Workload,
        folder: &'a Folder,
    ) -> io::Result<Measurement<'a>> {
        let request = workload.request();
        let own = match workload.request {
            RequestKind::File(_) => ServerKind::Files,
            _ => ServerKind::OpenKitchen(Observation::Off),
        };
        let child = own.start(folder, 0, &[])?;
        let response = first_response(child.address, &request)?;
        Ok(Measurement { args, workload, folder, request, response })
    }

    /// Starts a server and sends it one request: the load has to know the length of its response.
    fn start(&self, server: &ServerKind) -> io::Result<(Child, Load)> {
        let child = server.start(self.folder, self.request.len(), &self.response)?;
        let address = child.address;
        let response_bytes = first_response(address, &self.request)?.len();
        let depth = self.workload.depth();
        let requests = self.request.repeat(depth);
        let closes = matches!(self.workload.kind, Kind::PerRequest(_));
        Ok((child, Load { address, requests, depth, response_bytes, closes }))
    }

    /// Takes one sample. Each sample has a new process, because one process can be slower than another
    /// for all its life.
    fn sample(&self, server: &ServerKind) -> io::Result<Sample> {
        match self.workload.kind {
            Kind::KeepAlive(connections, _) | Kind::PerRequest(connections) => {
                self.sample_load(server, connections)
            }
            Kind::Idle(connections) => self.sample_idle(server, connections),
            Kind::Start => Ok(self.sample_starts(server)),
            Kind::Burst(clients) => self.sample_burst(server, clients),
        }
    }

    fn sample_load(&self, server: &ServerKind, connections: usize) -> io::Result<Sample> {
        let (child, load) = self.start(server)?;
        let before = child.cpu();
        let outcome = load.run(connections, Duration::from_secs_f64(self.args.seconds));
        let cpu = difference(before, child.cpu()) / outcome.answered as f64;
        let rate = outcome.answered as f64 / outcome.duration.as_secs_f64();
        Ok(Sample { cpu, ..Sample::new(rate, &outcome) })
    }

    fn sample_idle(&self, server: &ServerKind, connections: usize) -> io::Result<Sample> {
        let (child, load) = self.start(server)?;
        let alone = load.run_new_clients(NEW_CLIENTS);
        let before = child.pss();
        let idle = load.open_idle(connections);
        let each = difference(before, child.pss()) / idle.len() as f64;
        let mut outcome = load.run_new_clients(NEW_CLIENTS);
        outcome.errors += connections - idle.len();
        Ok(Sample { p50_before: alone.percentile(50), ..Sample::new(each, &outcome) })
    }

    fn sample_starts(&self, server: &ServerKind) -> Sample {
        let mut outcome = Outcome::default();
        for _ in 0..STARTS {
            let mut started = None; // dropped after the time is taken
            outcome.time(|| {
                started = Some(self.start(server)?);
                Ok(())
            });
        }
        Sample::new(outcome.percentile(50) / 1e3, &outcome)
    }

    fn sample_burst(&self, server: &ServerKind, clients: usize) -> io::Result<Sample> {
        let (_child, load) = self.start(server)?;
        let outcome = load.burst(clients);
        Ok(Sample::new(outcome.duration.as_secs_f64() * 1e3, &outcome))
    }
}

/// NAN where the system does not report a value.
fn difference(before: Option<f64>, now: Option<f64>) -> f64 {
    before.zip(now).map_or(f64::NAN, |(before, now)| now - before)
}

impl Sample {
    fn new(measured: f64, outcome: &Outcome) -> Sample {
        let (p50, p99) = (outcome.percentile(50), outcome.percentile(99));
        let errors = outcome.errors as f64;
        Sample { measured, p50, p99, p50_before: f64::NAN, cpu: f64::NAN, errors }
    }
}

/// The machine and its load, as far as the system reports them.
fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model =
        processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let (loads, release) = (read("/proc/loadavg"), read("/proc/sys/kernel/osrelease"));
    format!(
        "{} {}: {} cores ({}) for all servers and the load; load average before: {}.",
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

//! # How fast is it, and how fast could it be?
//!
//! Requests a second say more about the machine than about the server. So each measurement is taken
//! twice, one right after the other: of this server, and of a floor of the same shape that parses
//! nothing and writes the very same bytes ([`floor`]). What counts is the ratio.
//!
//! ```text
//!                                   measured    p50 us    p99 us CPU us errors  x floor (min-max)
//! a  keep-alive, 64 connections: req/s, more is better
//!    openkitchen              101,203 req/s       585     1,380   9.17      0  0.98 (0.95-1.02)
//!    the floor                103,270 req/s       572     1,322   8.90      0
//! ```
//! `x floor` is the median of the rounds' own ratios: a slow second slows both sides of its round.
//! 0.98 says that parsing, routing and the answer's head take two parts in a hundred of what a
//! thread for each connection can do here. In brackets are the least and the largest ratio of any
//! round, and **what is smaller than their distance is noise**. The load, and whatever else you run,
//! shares the cores: `CPU x`, the server's own time for each request, is the steadier figure. In b
//! read p50, and mind where the scheduler puts the two sides: on one core or on two. In k the
//! floor shows std's backlog of 128. Errors are of all rounds together. Nothing is asserted.
//!
//! ```text
//! cargo bench --bench bench -- --rounds 3 --seconds 1 --clients 1000 --only a,d --trace --log
//! ```
//! `--clients` is for i and k. `--trace` and `--log` measure a and c once more with the trace on, or
//! with `RUST_LOG=info`, to /dev/null. All sides are asked for `/raw` then: neither shows `/healthz`.

mod child;
mod floor;
mod load;

use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;
use std::{env, io, thread};

use child::{Child, Watch};
use load::{Load, Outcome, first_answer};

struct Workload {
    letter: char,
    title: &'static str,
    kind: Kind,
    ask: Ask,
}

/// What is done, and so what is measured.
enum Kind {
    /// So many connections that stay, so many requests in one write: req/s.
    Stay(usize, usize),
    /// A connection for each request, so many at once: req/s.
    Once(usize),
    /// Connections that are open and silent: bytes for each.
    Idle,
    /// From exec to the first answer: ms.
    Start,
    /// A crowd of clients at the same moment: ms.
    Burst,
}

enum Ask {
    Short,
    Browser,
    Echo,
}

#[rustfmt::skip]
const WORKLOADS: [Workload; 9] = [
    Workload { letter: 'a', kind: Kind::Stay(64, 1), ask: Ask::Short,
        title: "keep-alive, 64 connections: req/s, more is better" },
    Workload { letter: 'b', kind: Kind::Stay(1, 1), ask: Ask::Short,
        title: "keep-alive, one connection: p50, less is better" },
    Workload { letter: 'c', kind: Kind::Stay(64, 16), ask: Ask::Short,
        title: "pipelined, 64 connections: req/s, more is better; the waits are of 16 together" },
    Workload { letter: 'd', kind: Kind::Once(64), ask: Ask::Short,
        title: "a connection for each request, 64 at once: req/s, more is better" },
    Workload { letter: 'e', kind: Kind::Stay(64, 1), ask: Ask::Browser,
        title: "a browser's head, keep-alive, 64 connections: req/s, more is better" },
    Workload { letter: 'g', kind: Kind::Stay(64, 1), ask: Ask::Echo,
        title: "POST /echo of 1 KiB, keep-alive, 64 connections: req/s, more is better" },
    Workload { letter: 'i', kind: Kind::Idle, ask: Ask::Short,
        title: "idle connections: PSS of each, less is better; the waits are of new clients" },
    Workload { letter: 'j', kind: Kind::Start, ask: Ask::Short,
        title: "start: from exec to the first 200, less is better" },
    Workload { letter: 'k', kind: Kind::Burst, ask: Ask::Short,
        title: "clients that connect at once: until all are answered, less is better" },
];

/// What a browser sends along with a GET: 13 fields, some 650 bytes.
const BROWSER: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 \
(KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
Accept-Language: en-US,en;q=0.9,de;q=0.8,fr;q=0.7\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Cache-Control: max-age=0\r\n\
Cookie: session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; _ga=GA1.1.1234567890.1700000000\r\n\
Referer: http://localhost/index.html\r\n\
Sec-Fetch-Dest: document\r\n\
Sec-Fetch-Mode: navigate\r\n\
Sec-Fetch-Site: same-origin\r\n\
Upgrade-Insecure-Requests: 1\r\n\
Connection: keep-alive\r\n";

/// The content of an echo, in bytes.
const PARCEL: usize = 1024;

/// Starts in one sample; their median is its figure.
const STARTS: usize = 10;

/// New clients while others are idle.
const NEWCOMERS: usize = 200;

/// One figure of each sort; NAN where this system does not tell.
struct Sample {
    measured: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
    errors: f64,
}

type Pick = fn(&Sample) -> f64;

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Server(Watch),
    Floor,
}

struct Options {
    rounds: usize,
    seconds: f64,
    only: String,
    clients: usize,
    watches: Vec<Watch>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match &arguments[..] {
        [floor, manner, request] if floor == "--floor" => {
            floor::serve(manner == "once", request.parse().unwrap_or(usize::MAX))
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
        let (rounds, seconds, clients) = (3, 1.0, 1000);
        let mut options =
            Options { rounds, seconds, clients, only: String::new(), watches: vec![] };
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            let mut value = || rest.next().ok_or(format!("{name} needs a value"));
            match name.as_str() {
                "--bench" => {} // cargo's own word
                "--trace" => options.watches.push(Watch::Trace),
                "--log" => options.watches.push(Watch::Log),
                "--rounds" => options.rounds = number(name, value()?, 1..=100)?,
                "--seconds" => options.seconds = number(name, value()?, 0.05..=60.0)?,
                "--clients" => options.clients = number(name, value()?, 1..=20_000)?,
                "--only" => options.only = value()?.clone(),
                _ => {
                    return Err(format!(
                        "{name} is unknown; the head of tests/bench/bench.rs helps"
                    ));
                }
            }
        }
        Ok(options)
    }

    fn run(&self) -> io::Result<()> {
        println!(
            "{} {}, {} cores for both sides and the load; medians of {} rounds of {} s\n\n\
             {:>42} {:>9} {:>9} {:>6} {:>6}  x floor (min-max) CPU x",
            env::consts::OS,
            env::consts::ARCH,
            thread::available_parallelism().map_or(0, usize::from),
            self.rounds,
            self.seconds,
            "measured",
            "p50 us",
            "p99 us",
            "CPU us",
            "errors"
        );
        let is_asked_for = |letter| self.only.is_empty() || self.only.contains(letter);
        WORKLOADS.iter().filter(|workload| is_asked_for(workload.letter)).try_for_each(|workload| {
            println!("{}  {}", workload.letter, workload.title);
            self.measure(workload)
        })
    }

    /// All sides in turn, round after round, and the rows of the table.
    fn measure(&self, workload: &Workload) -> io::Result<()> {
        let mut sides = vec![Side::Server(Watch::Nobody)];
        if "ac".contains(workload.letter) {
            sides.extend(self.watches.iter().map(|&watch| Side::Server(watch)));
        }
        sides.push(Side::Floor);
        let contest = Contest::prepare(self, workload)?;
        // One process for all rounds, where neither its start nor its growth is the question.
        let stays = matches!(workload.kind, Kind::Stay(..) | Kind::Once(_));
        let children = sides.iter().filter(|_| stays).map(|&side| contest.start(side));
        let children = children.collect::<io::Result<Vec<Child>>>()?;

        let mut samples: Vec<Vec<Sample>> = sides.iter().map(|_| Vec::new()).collect();
        for round in 0..self.rounds {
            for turn in 0..sides.len() {
                let side = (round + turn) % sides.len(); // another begins each round
                samples[side].push(match workload.kind {
                    Kind::Stay(connections, _) | Kind::Once(connections) => {
                        contest.loaded(&children[side], connections)
                    }
                    Kind::Idle => contest.idle(&contest.start(sides[side])?)?,
                    Kind::Start => contest.started(sides[side]),
                    Kind::Burst => contest.stormed(&contest.start(sides[side])?),
                });
            }
        }
        for (side, own) in sides.iter().zip(&samples) {
            println!("{}", workload.row(*side, own, &samples[sides.len() - 1]).trim_end());
        }
        Ok(())
    }
}

/// What all sides of one workload have in common.
struct Contest<'a> {
    options: &'a Options,
    load: Load,
    /// The length of one request.
    request: usize,
    answer: Vec<u8>,
}

impl Contest<'_> {
    /// Asks this server once, so that the floor gives the same answer.
    fn prepare<'a>(options: &'a Options, workload: &Workload) -> io::Result<Contest<'a>> {
        let request = workload.request(!options.watches.is_empty());
        let server = Child::server(Watch::Nobody, options.clients)?;
        let answer = first_answer(server.address, &request)?;
        let depth = if let Kind::Stay(_, depth) = workload.kind { depth } else { 1 };
        let closes = matches!(workload.kind, Kind::Once(_));
        let load = Load { requests: request.repeat(depth), depth, answer: answer.len(), closes };
        Ok(Contest { options, load, request: request.len(), answer })
    }

    fn start(&self, side: Side) -> io::Result<Child> {
        match side {
            Side::Server(watch) => Child::server(watch, self.options.clients + NEWCOMERS),
            Side::Floor => Child::floor(self.load.closes, self.request, &self.answer),
        }
    }

    fn loaded(&self, child: &Child, connections: usize) -> Sample {
        let before = child.cpu();
        let lasts = Duration::from_secs_f64(self.options.seconds);
        let outcome = self.load.run(child.address, connections, lasts);
        let cpu = since(before, child.cpu()) / outcome.answered as f64;
        let rate = outcome.answered as f64 / outcome.took.as_secs_f64();
        Sample { cpu, ..Sample::new(rate, &outcome) }
    }

    fn idle(&self, child: &Child) -> io::Result<Sample> {
        drop(self.load.answered_once(child.address)?); // what the first one needs is not each one's
        let (before, clients) = (child.pss(), self.options.clients);
        let held = self.load.hold(child.address, clients);
        let each = since(before, child.pss()) / held.len() as f64;
        let mut outcome = Outcome { errors: clients - held.len(), ..Outcome::default() };
        while outcome.errors == 0 && outcome.waits.len() < NEWCOMERS {
            outcome.time(|| self.load.answered_once(child.address).map(drop));
        }
        Ok(Sample::new(each, &outcome))
    }

    fn started(&self, side: Side) -> Sample {
        let mut outcome = Outcome::default();
        for _ in 0..STARTS {
            let mut child = None; // ended when the time is taken
            outcome.time(|| {
                let address = child.insert(self.start(side)?).address;
                self.load.answered_once(address).map(drop)
            });
        }
        Sample::new(outcome.percentile(50) / 1e3, &outcome)
    }

    fn stormed(&self, child: &Child) -> Sample {
        let outcome = self.load.burst(child.address, self.options.clients);
        Sample::new(outcome.took.as_secs_f64() * 1e3, &outcome)
    }
}

/// NAN where this system does not tell.
fn since(before: Option<f64>, now: Option<f64>) -> f64 {
    before.zip(now).map_or(f64::NAN, |(before, now)| now - before)
}

impl Sample {
    fn new(measured: f64, outcome: &Outcome) -> Sample {
        let (p50, p99) = (outcome.percentile(50), outcome.percentile(99));
        Sample { measured, p50, p99, cpu: f64::NAN, errors: outcome.errors as f64 }
    }
}

impl Workload {
    /// One request. `watched`: for a route whose exchanges are shown.
    fn request(&self, watched: bool) -> Vec<u8> {
        let path = if watched { "/raw" } else { "/healthz" };
        let close = if let Kind::Once(_) = self.kind { "Connection: close\r\n" } else { "" };
        let (line, fields, parcel) = match self.ask {
            Ask::Short => (format!("GET {path}"), close.into(), 0),
            Ask::Browser => (format!("GET {path}"), BROWSER.into(), 0),
            Ask::Echo => ("POST /echo".into(), format!("Content-Length: {PARCEL}\r\n"), PARCEL),
        };
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        (head + &"x".repeat(parcel)).into_bytes()
    }

    /// A row of the table: what one side came to, beside the floor.
    fn row(&self, side: Side, samples: &[Sample], floor: &[Sample]) -> String {
        let known = |pick: Pick| sorted(samples.iter().map(pick));
        let ratios = |pick: Pick| {
            sorted(samples.iter().zip(floor).map(|(own, floor)| pick(own) / pick(floor)))
        };
        let (judged, unit, decimals): (Pick, _, _) = match self.kind {
            Kind::Stay(1, 1) => (|sample| sample.p50, "req/s", 0),
            Kind::Stay(..) | Kind::Once(_) => (|sample| sample.measured, "req/s", 0),
            Kind::Idle => (|sample| sample.measured, "B each", 0),
            Kind::Start | Kind::Burst => (|sample| sample.measured, "ms", 1),
        };
        let name = match side {
            Side::Server(Watch::Nobody) => "openkitchen",
            Side::Server(Watch::Trace) => "  with its trace",
            Side::Server(Watch::Log) => "  with its log",
            Side::Floor => "the floor",
        };
        let measured = match median(&known(|sample| sample.measured)) {
            value if value.is_nan() => "not on this system".into(),
            value => format!("{} {unit}", figure(value, decimals)),
        };
        let beside = match &ratios(judged)[..] {
            found @ [least, .., most] | found @ [least @ most] if side != Side::Floor => {
                let cpu = figure(median(&ratios(|sample| sample.cpu)), 2);
                format!("{:<17} {cpu:>5}", format!("{:.2} ({least:.2}-{most:.2})", median(found)))
            }
            _ => String::new(),
        };
        format!(
            "   {name:19}{measured:>20} {:>9} {:>9} {:>6} {:>6}  {beside}",
            figure(median(&known(|sample| sample.p50)), 0),
            figure(median(&known(|sample| sample.p99)), 0),
            figure(median(&known(|sample| sample.cpu)), 2),
            figure(samples.iter().map(|sample| sample.errors).sum(), 0),
        )
    }
}

fn number<N: FromStr + PartialOrd>(
    name: &str,
    value: &str,
    range: RangeInclusive<N>,
) -> Result<N, String> {
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("{name} does not take {value}"))
}

/// Those that are known, the least first.
fn sorted(figures: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut known: Vec<f64> = figures.filter(|figure| !figure.is_nan()).collect();
    known.sort_by(f64::total_cmp);
    known
}

/// The one in the middle.
fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// `1,234.5`; a dash for what is not known.
fn figure(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "-".into();
    }
    let mut text = format!("{value:.decimals$}");
    let mut place = text.find('.').unwrap_or(text.len());
    while place > 3 {
        place -= 3;
        text.insert(place, ',');
    }
    text
}

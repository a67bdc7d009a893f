//! # Tables of the results
//!
//! A row for each server while the benchmark runs. At the end a table of all workloads, and the goals.

use std::fmt::Write;

use crate::Sample;
use crate::child::{FLOOR, LIBRARY, OPENKITCHEN, ServerKind};
use crate::workload::{Goal, Kind, RequestKind, Workload};

/// The headings above the rows.
pub const HEADINGS: &str = "                                    measured    p50 us    p99 us \
CPU us errors  x first (min-max)   CPU x";

/// The samples of one workload. All other servers are compared with the first one.
pub struct Results {
    pub workload: &'static Workload,
    pub servers: Vec<(ServerKind, Vec<Sample>)>,
}

type Pick = fn(&Sample) -> f64;

const MEASURED: Pick = |sample| sample.measured;
const P50: Pick = |sample| sample.p50;
const P99: Pick = |sample| sample.p99;
const CPU: Pick = |sample| sample.cpu;

/// The known figures of all rounds, in ascending order.
struct Figures(Vec<f64>);

impl Results {
    /// A row for each server.
    pub fn rows(&self) -> String {
        let mut text = String::new();
        let (first, unit) = (&self.servers[0].1, self.workload.kind.unit());
        for (place, (server, samples)) in self.servers.iter().enumerate() {
            let median = |pick, decimals| figure(Figures::of(samples, pick).median(), decimals);
            let measured = median(MEASURED, if unit == "req/s" { 0 } else { 1 });
            let mut row = format!(
                "   {:16}{:>22} {:>9} {:>9} {:>6} {:>6}",
                server.name(),
                format!("{measured} {unit}"),
                median(P50, 0),
                median(P99, 0),
                median(CPU, 2),
                errors(samples),
            );
            if place > 0 {
                let ratios = |pick| Figures::ratios(samples, first, pick);
                let cpu = figure(ratios(CPU).median(), 2);
                let _ = write!(row, "  {:<19} {cpu:>5}", ratios(self.compared()).spread(2));
            }
            let _ = writeln!(text, "{}", row.trim_end());
        }
        text
    }

    /// The figure of the column `x first`: p50 for one connection with one request in flight.
    fn compared(&self) -> Pick {
        if let Kind::KeepAlive(1, 1) = self.workload.kind { P50 } else { MEASURED }
    }

    /// A cell of the summary: a ratio to the first server, or the server's own figure.
    fn cell(&self, place: usize) -> String {
        let (first, samples) = (&self.servers[0].1, &self.servers[place].1);
        let unit = self.workload.kind.unit();
        let cell = match self.workload.kind {
            Kind::KeepAlive(1, 1) => Figures::of(samples, P50).spread(0) + " us",
            Kind::Idle(_) | Kind::Start | Kind::Burst(_) => {
                format!("{} {unit}", Figures::of(samples, MEASURED).spread(1))
            }
            _ if place == 0 => {
                format!("{} {unit}", figure(Figures::of(first, MEASURED).median(), 0))
            }
            _ => Figures::ratios(samples, first, MEASURED).spread(2) + " x",
        };
        match errors(samples) {
            0.0 => cell,
            errors => format!("{cell}, {errors} errors"),
        }
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.servers.iter().position(|(server, _)| server.name() == name)
    }

    fn samples(&self, name: &str) -> Option<&[Sample]> {
        Some(&self.servers[self.place(name)?].1)
    }

    /// The figures that a goal is about. `None` if a server or a figure is missing.
    fn reached(&self, goal: &Goal) -> Option<Figures> {
        let own = self.samples(OPENKITCHEN)?;
        let ratios = |name, pick| Some(Figures::ratios(own, self.samples(name)?, pick));
        let reached = match goal {
            Goal::Rate(_, name) => ratios(name, MEASURED)?,
            Goal::Library(_) => Figures::ratios(self.samples(LIBRARY)?, own, MEASURED),
            Goal::Cpu(_) => ratios(FLOOR, CPU)?,
            Goal::AtMost(..) => Figures::of(own, MEASURED),
            Goal::AsBefore(_) => Figures::of(own, |sample| sample.p50 / sample.p50_before),
            Goal::Quickest => {
                let peers = self.servers.iter().filter(|(server, _)| server.is_peer());
                let ratios = peers.map(|(_, peer)| Figures::ratios(own, peer, P50));
                ratios.max_by(|one, other| one.median().total_cmp(&other.median()))?
            }
        };
        Some(reached).filter(|reached| reached.median().is_finite())
    }

    /// A line for each goal: the figures reached, and whether they meet it. With errors no goal is met.
    pub fn goals(&self) -> String {
        let mut text = String::new();
        let has_errors = self.samples(OPENKITCHEN).is_none_or(|own| errors(own) > 0.0);
        for goal in self.workload.goals {
            let Some(reached) = self.reached(goal) else { continue };
            let is_met = goal.is_met((reached.median() * 100.0).round() / 100.0);
            let mark = if is_met && !has_errors { "met" } else { "missed" };
            let (letter, goal) = (self.workload.letter, goal.to_string());
            let _ = writeln!(text, "{letter}  {goal:<32} {:<24} {mark}", reached.spread(2));
        }
        text
    }
}

/// All workloads as a table in Markdown, for a README.
pub fn summary(all: &[Results]) -> String {
    let mut names = vec![OPENKITCHEN];
    for (server, _) in all.iter().flat_map(|results| &results.servers) {
        if server.is_peer() && !names.contains(&server.name()) {
            names.push(server.name());
        }
    }
    names.push(FLOOR);
    let mut text = format!("| | {} |\n", names.join(" | "));
    let _ = writeln!(text, "|---|{}", "---:|".repeat(names.len()));
    for results in all {
        let Workload { letter, title, request, .. } = results.workload;
        if *request == RequestKind::Observed {
            // The first one is this server without an observer.
            for place in 1..results.servers.len() {
                let (name, cell) = (results.servers[place].0.name(), results.cell(place));
                let rest = " |".repeat(names.len() - 1);
                let _ = writeln!(text, "| {letter}, {name}, beside without | {cell} |{rest}");
            }
            continue;
        }
        let cell =
            |name: &&str| results.place(name).map_or("-".into(), |place| results.cell(place));
        let cells: Vec<String> = names.iter().map(cell).collect();
        let _ = writeln!(text, "| {letter}, {title} | {} |", cells.join(" | "));
    }
    text
}

fn errors(samples: &[Sample]) -> f64 {
    samples.iter().map(|sample| sample.errors).sum()
}

impl Figures {
    fn new(figures: impl Iterator<Item = f64>) -> Figures {
        let mut known: Vec<f64> = figures.filter(|figure| figure.is_finite()).collect();
        known.sort_by(f64::total_cmp);
        Figures(known)
    }

    fn of(samples: &[Sample], pick: Pick) -> Figures {
        Figures::new(samples.iter().map(pick))
    }

    /// The ratio in each round. A slow second slows both servers of its round.
    fn ratios(samples: &[Sample], others: &[Sample], pick: Pick) -> Figures {
        Figures::new(samples.iter().zip(others).map(|(own, other)| pick(own) / pick(other)))
    }

    fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// `0.98 (0.95-1.02)`: the median, the smallest and the largest figure.
    fn spread(&self, decimals: usize) -> String {
        let [smallest, largest] = [self.0.first(), self.0.last()]
            .map(|end| figure(end.copied().unwrap_or(f64::NAN), decimals));
        format!("{} ({smallest}-{largest})", figure(self.median(), decimals))
    }
}

/// `1,234.5`, or a dash if the value is unknown.
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

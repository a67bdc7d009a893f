//! # What it came to
//!
//! A row for each side while the benchmark runs, and at the end a table and the goals.

use std::fmt::Write;

use crate::Sample;
use crate::child::{FLOOR, OPENKITCHEN, Side};
use crate::workload::{Ask, Goal, Kind, Workload};

/// Above the rows.
pub const HEADINGS: &str = "                                    measured    p50 us    p99 us \
CPU us errors  x first (min-max)   CPU x";

/// The samples of one workload. The first side is the one that all others are set beside.
pub struct Results {
    pub workload: &'static Workload,
    pub sides: Vec<(Side, Vec<Sample>)>,
}

type Pick = fn(&Sample) -> f64;

const MEASURED: Pick = |sample| sample.measured;
const P50: Pick = |sample| sample.p50;
const P99: Pick = |sample| sample.p99;
const CPU: Pick = |sample| sample.cpu;

/// The figures of all rounds that are known, the least first.
struct Figures(Vec<f64>);

impl Results {
    /// A line for each side.
    pub fn rows(&self) -> String {
        let mut text = String::new();
        let (first, unit) = (&self.sides[0].1, self.workload.kind.unit());
        for (place, (side, samples)) in self.sides.iter().enumerate() {
            let median = |pick, decimals| figure(Figures::of(samples, pick).median(), decimals);
            let measured = median(MEASURED, if unit == "req/s" { 0 } else { 1 });
            let mut row = format!(
                "   {:16}{:>22} {:>9} {:>9} {:>6} {:>6}",
                side.name(),
                format!("{measured} {unit}"),
                median(P50, 0),
                median(P99, 0),
                median(CPU, 2),
                errors(samples),
            );
            if place > 0 {
                let beside = |pick| Figures::beside(samples, first, pick);
                let cpu = figure(beside(CPU).median(), 2);
                let _ = write!(row, "  {:<19} {cpu:>5}", beside(self.judged()).spread(2));
            }
            let _ = writeln!(text, "{}", row.trim_end());
        }
        text
    }

    fn judged(&self) -> Pick {
        if let Kind::Stay(1, 1) = self.workload.kind { P50 } else { MEASURED }
    }

    /// What stands in the table of one side: how many times the first's figure, or a figure of its own.
    fn cell(&self, place: usize) -> String {
        let (first, samples) = (&self.sides[0].1, &self.sides[place].1);
        let unit = self.workload.kind.unit();
        let cell = match self.workload.kind {
            Kind::Stay(1, 1) => Figures::of(samples, P50).spread(0) + " us",
            Kind::Idle(_) | Kind::Start | Kind::Burst(_) => {
                format!("{} {unit}", Figures::of(samples, MEASURED).spread(1))
            }
            _ if place == 0 => {
                format!("{} {unit}", figure(Figures::of(first, MEASURED).median(), 0))
            }
            _ => Figures::beside(samples, first, MEASURED).spread(2) + " x",
        };
        match errors(samples) {
            0.0 => cell,
            errors => format!("{cell}, {errors} errors"),
        }
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.sides.iter().position(|(side, _)| side.name() == name)
    }

    fn samples(&self, name: &str) -> Option<&[Sample]> {
        Some(&self.sides[self.place(name)?].1)
    }

    /// What a goal is held against: `None` where somebody or something it needs is not there.
    fn reached(&self, goal: &Goal) -> Option<Figures> {
        let own = self.samples(OPENKITCHEN)?;
        let beside = |whom, pick| Some(Figures::beside(own, self.samples(whom)?, pick));
        let reached = match goal {
            Goal::Rate(_, whom) => beside(whom, MEASURED)?,
            Goal::Cpu(_) => beside(FLOOR, CPU)?,
            Goal::AtMost(..) => Figures::of(own, MEASURED),
            Goal::AsBefore(_) => Figures::of(own, |sample| sample.p50 / sample.before),
            Goal::Quickest => {
                let peers = self.sides.iter().filter(|(side, _)| side.is_peer());
                let beside = peers.map(|(_, peer)| Figures::beside(own, peer, P50));
                beside.max_by(|one, other| one.median().total_cmp(&other.median()))?
            }
        };
        Some(reached).filter(|reached| reached.median().is_finite())
    }

    /// A line for each goal: what was reached, and whether it is enough. Errors are never.
    pub fn goals(&self) -> String {
        let mut text = String::new();
        let are_errors = self.samples(OPENKITCHEN).is_none_or(|own| errors(own) > 0.0);
        for goal in self.workload.goals {
            let Some(reached) = self.reached(goal) else { continue };
            let is_met = goal.is_met((reached.median() * 100.0).round() / 100.0);
            let mark = if is_met && !are_errors { "met" } else { "missed" };
            let (letter, goal) = (self.workload.letter, goal.to_string());
            let _ = writeln!(text, "{letter}  {goal:<28} {:<24} {mark}", reached.spread(2));
        }
        text
    }
}

/// All workloads as a table in Markdown, for a README.
pub fn summary(all: &[Results]) -> String {
    let mut names = vec![OPENKITCHEN];
    for (side, _) in all.iter().flat_map(|results| &results.sides) {
        if side.is_peer() && !names.contains(&side.name()) {
            names.push(side.name());
        }
    }
    names.push(FLOOR);
    let mut text = format!("| | {} |\n", names.join(" | "));
    let _ = writeln!(text, "|---|{}", "---:|".repeat(names.len()));
    for results in all {
        let Workload { letter, title, ask, .. } = results.workload;
        if *ask == Ask::Shown {
            // The first is this server itself, unseen.
            for place in 1..results.sides.len() {
                let (name, cell) = (results.sides[place].0.name(), results.cell(place));
                let rest = " |".repeat(names.len() - 1);
                let _ = writeln!(text, "| {letter}, {name}, beside without | {cell} |{rest}");
            }
            continue;
        }
        let cell = |name: &&str| results.place(name).map_or("-".into(), |it| results.cell(it));
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

    /// The rounds' own ratios: a slow second slows both sides of its round.
    fn beside(samples: &[Sample], others: &[Sample], pick: Pick) -> Figures {
        Figures::new(samples.iter().zip(others).map(|(own, other)| pick(own) / pick(other)))
    }

    fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// `0.98 (0.95-1.02)`: the median, the least and the largest.
    fn spread(&self, decimals: usize) -> String {
        let [least, most] = [self.0.first(), self.0.last()]
            .map(|end| figure(end.copied().unwrap_or(f64::NAN), decimals));
        format!("{} ({least}-{most})", figure(self.median(), decimals))
    }
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

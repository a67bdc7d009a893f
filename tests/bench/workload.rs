//! # What is measured
//!
//! Ten workloads and their goals. Two come again with somebody looking on, to show what that costs.

use std::fmt::{self, Display, Formatter};

use crate::child::{FLOOR, Manner, SPAWN, Side, Watch};

/// What is done to each side, and what this server should come to.
pub struct Workload {
    pub letter: char,
    pub title: &'static str,
    pub kind: Kind,
    pub ask: Ask,
    pub goals: &'static [Goal],
}

/// What is done, and so what is measured.
pub enum Kind {
    /// So many connections that stay, so many requests in one write: req/s.
    Stay(usize, usize),
    /// A connection for each request, so many at once: req/s.
    Once(usize),
    /// So many connections that are open and silent: KiB for each.
    Idle(usize),
    /// From exec to the first answer: ms.
    Start,
    /// A crowd of clients at the same moment: ms.
    Burst(usize),
}

/// What is asked.
#[derive(PartialEq)]
pub enum Ask {
    Short,
    Browser,
    Echo,
    /// Something that is shown to who looks on; `/healthz` is not.
    Shown,
}

/// A goal is met when the medians meet it, and when no round has an error.
pub enum Goal {
    /// At least so many times the requests of that side.
    Rate(f64, &'static str),
    /// At most so many times the floor's time of the processor for a request.
    Cpu(f64),
    /// A median wait below that of every peer.
    Quickest,
    /// At most so much of what is measured, in its unit.
    AtMost(f64, &'static str),
    /// New clients wait at most so many times as long as when nobody was there.
    AsBefore(f64),
}

#[rustfmt::skip]
pub const WORKLOADS: [Workload; 12] = [
    Workload { letter: 'a', title: "keep-alive, 64 connections",
        kind: Kind::Stay(64, 1), ask: Ask::Short, goals: &[Goal::Rate(1.0, FLOOR), Goal::Cpu(1.05)] },
    Workload { letter: 'a', title: "the same, and somebody looks on",
        kind: Kind::Stay(64, 1), ask: Ask::Shown, goals: &[] },
    Workload { letter: 'b', title: "keep-alive, one connection: p50",
        kind: Kind::Stay(1, 1), ask: Ask::Short, goals: &[Goal::Quickest] },
    Workload { letter: 'c', title: "pipelined, 16 deep, 64 connections",
        kind: Kind::Stay(64, 16), ask: Ask::Short, goals: &[] },
    Workload { letter: 'c', title: "the same, and somebody looks on",
        kind: Kind::Stay(64, 16), ask: Ask::Shown, goals: &[] },
    Workload { letter: 'd', title: "a connection for each request, 64 at once",
        kind: Kind::Once(64), ask: Ask::Short, goals: &[Goal::Rate(1.0, "nginx"), Goal::Rate(2.0, SPAWN)] },
    Workload { letter: 'e', title: "a browser's head, 64 connections",
        kind: Kind::Stay(64, 1), ask: Ask::Browser, goals: &[Goal::Rate(0.95, FLOOR)] },
    Workload { letter: 'g', title: "POST of 1 KiB, echoed, 64 connections",
        kind: Kind::Stay(64, 1), ask: Ask::Echo, goals: &[Goal::Rate(0.95, FLOOR)] },
    Workload { letter: 'h', title: "keep-alive, 512 connections",
        kind: Kind::Stay(512, 1), ask: Ask::Short, goals: &[Goal::Rate(1.1, FLOOR)] },
    Workload { letter: 'i', title: "10,000 idle connections: memory of each",
        kind: Kind::Idle(10_000), ask: Ask::Short, goals: &[Goal::AtMost(14.0, "KiB"), Goal::AsBefore(1.5)] },
    Workload { letter: 'j', title: "start: from exec to the first 200",
        kind: Kind::Start, ask: Ask::Short, goals: &[Goal::AtMost(4.0, "ms")] },
    Workload { letter: 'k', title: "1,000 clients at once, until all are answered",
        kind: Kind::Burst(1000), ask: Ask::Short, goals: &[Goal::AtMost(200.0, "ms")] },
];

/// What a browser sends along with a GET: 13 fields, with the line and Host some 650 bytes.
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

impl Workload {
    /// Who takes part. The first is the one that all others are set beside.
    pub fn sides(&self, peers: &[Side]) -> Vec<Side> {
        let looking_on = [Watch::Nobody, Watch::Trace, Watch::Record, Watch::Log];
        let mut sides = match (&self.ask, &self.kind) {
            (Ask::Shown, _) => return looking_on.map(Side::Server).into(),
            (_, Kind::Once(_)) => vec![Side::Floor(Manner::Inline), Side::Floor(Manner::Spawn)],
            _ => vec![Side::Floor(Manner::Stay)],
        };
        sides.push(Side::Server(Watch::Nobody));
        sides.extend_from_slice(peers);
        sides
    }

    /// One request.
    pub fn request(&self) -> Vec<u8> {
        let close = if let Kind::Once(_) = self.kind { "Connection: close\r\n" } else { "" };
        let (line, fields, parcel) = match self.ask {
            Ask::Short => ("GET /healthz", close.into(), 0),
            Ask::Shown => ("GET /raw", String::new(), 0),
            Ask::Browser => ("GET /healthz", BROWSER.into(), 0),
            Ask::Echo => ("POST /echo", format!("Content-Length: {PARCEL}\r\n"), PARCEL),
        };
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        (head + &"x".repeat(parcel)).into_bytes()
    }

    /// Requests in one write.
    pub fn depth(&self) -> usize {
        if let Kind::Stay(_, depth) = self.kind { depth } else { 1 }
    }
}

impl Kind {
    /// The unit of what is measured.
    pub fn unit(&self) -> &'static str {
        match self {
            Kind::Stay(..) | Kind::Once(_) => "req/s",
            Kind::Idle(_) => "KiB each",
            Kind::Start | Kind::Burst(_) => "ms",
        }
    }
}

impl Goal {
    pub fn is_met(&self, reached: f64) -> bool {
        match self {
            Goal::Rate(least, _) => reached >= *least,
            Goal::Quickest => reached < 1.0,
            Goal::Cpu(most) | Goal::AtMost(most, _) | Goal::AsBefore(most) => reached <= *most,
        }
    }
}

impl Display for Goal {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Goal::Rate(times, whom) => write!(f, "≥ {times:.2} x {whom}"),
            Goal::Cpu(times) => write!(f, "CPU ≤ {times:.2} x"),
            Goal::Quickest => write!(f, "below every peer"),
            Goal::AtMost(most, unit) => write!(f, "≤ {most} {unit}"),
            Goal::AsBefore(times) => write!(f, "new clients wait ≤ {times:.1} x"),
        }
    }
}

//! # The workloads and their goals
//!
//! Eleven workloads, one of them with files of three sizes. Two of them run a second time with
//! observers, to show the cost of observing.

use std::fmt::{self, Display, Formatter};

use crate::child::{FLOOR, FloorMode, LIBRARY, OPENKITCHEN, Observation, SPAWN, ServerKind};

/// What the load does with each server, and the goals for this server.
pub struct Workload {
    pub letter: char,
    pub title: &'static str,
    pub kind: Kind,
    pub request: RequestKind,
    pub goals: &'static [Goal],
}

/// What the load does, and what is measured.
pub enum Kind {
    /// The number of persistent connections, and of requests in one write: requests per second.
    KeepAlive(usize, usize),
    /// A connection for each request, and how many at the same time: requests per second.
    PerRequest(usize),
    /// The number of idle connections: KiB of memory for each.
    Idle(usize),
    /// From exec to the first response: ms.
    Start,
    /// The number of clients that connect at the same moment: ms until all have a response.
    Burst(usize),
}

/// The request that the load sends.
#[derive(PartialEq)]
pub enum RequestKind {
    Short,
    Browser,
    Echo,
    /// A file of so many bytes, from the folder that `serve` and its peers serve.
    File(usize),
    /// A request that the trace and the log show. They leave out `/healthz`, a quiet route.
    Observed,
}

/// A goal is met if the median meets it and this server has no error in any round.
pub enum Goal {
    /// At least this ratio to the requests per second of a server.
    Rate(f64, &'static str),
    /// The small server on the library: at least this ratio to the requests per second of this server.
    Library(f64),
    /// At most this ratio to the floor's CPU time for a request.
    Cpu(f64),
    /// A lower median latency than every peer.
    Quickest,
    /// At most this measured value, in its unit.
    AtMost(f64, &'static str),
    /// New clients: at most this ratio of the latency beside idle connections to the latency before.
    AsBefore(f64),
}

#[rustfmt::skip]
pub const WORKLOADS: [Workload; 15] = [
    Workload { letter: 'a', title: "keep-alive, 64 connections",
        kind: Kind::KeepAlive(64, 1), request: RequestKind::Short,
        goals: &[Goal::Rate(1.0, FLOOR), Goal::Cpu(1.05), Goal::Library(0.95)] },
    Workload { letter: 'a', title: "the same, with an observer",
        kind: Kind::KeepAlive(64, 1), request: RequestKind::Observed,
        goals: &[] },
    Workload { letter: 'b', title: "keep-alive, one connection: p50",
        kind: Kind::KeepAlive(1, 1), request: RequestKind::Short,
        goals: &[Goal::Quickest] },
    Workload { letter: 'c', title: "pipelined, 16 deep, 64 connections",
        kind: Kind::KeepAlive(64, 16), request: RequestKind::Short,
        goals: &[] },
    Workload { letter: 'c', title: "the same, with an observer",
        kind: Kind::KeepAlive(64, 16), request: RequestKind::Observed,
        goals: &[] },
    Workload { letter: 'd', title: "a connection for each request, 64 at once",
        kind: Kind::PerRequest(64), request: RequestKind::Short,
        goals: &[Goal::Rate(1.0, "nginx"), Goal::Rate(2.0, SPAWN), Goal::Library(0.95)] },
    Workload { letter: 'e', title: "a browser's head, 64 connections",
        kind: Kind::KeepAlive(64, 1), request: RequestKind::Browser,
        goals: &[Goal::Rate(0.95, FLOOR)] },
    Workload { letter: 'f', title: "a file of 1 KiB, 64 connections",
        kind: Kind::KeepAlive(64, 1), request: RequestKind::File(1 << 10),
        goals: &[Goal::Rate(0.95, FLOOR)] },
    Workload { letter: 'f', title: "a file of 100 KiB, 16 connections",
        kind: Kind::KeepAlive(16, 1), request: RequestKind::File(100 << 10),
        goals: &[Goal::Rate(0.95, FLOOR), Goal::Rate(1.0, "nginx")] },
    Workload { letter: 'f', title: "a file of 10 MiB, 4 connections",
        kind: Kind::KeepAlive(4, 1), request: RequestKind::File(10 << 20),
        goals: &[Goal::Rate(0.95, FLOOR), Goal::Rate(1.0, "nginx")] },
    Workload { letter: 'g', title: "POST of 1 KiB, echoed, 64 connections",
        kind: Kind::KeepAlive(64, 1), request: RequestKind::Echo,
        goals: &[Goal::Rate(0.95, FLOOR), Goal::Library(0.95)] },
    Workload { letter: 'h', title: "keep-alive, 512 connections",
        kind: Kind::KeepAlive(512, 1), request: RequestKind::Short,
        goals: &[Goal::Rate(1.1, FLOOR), Goal::Library(0.95)] },
    Workload { letter: 'i', title: "10,000 idle connections: memory of each",
        kind: Kind::Idle(10_000), request: RequestKind::Short,
        goals: &[Goal::AtMost(14.0, "KiB"), Goal::AsBefore(1.5)] },
    Workload { letter: 'j', title: "start: from exec to the first 200",
        kind: Kind::Start, request: RequestKind::Short,
        goals: &[Goal::AtMost(4.0, "ms")] },
    Workload { letter: 'k', title: "1,000 clients at once, until all are answered",
        kind: Kind::Burst(1000), request: RequestKind::Short,
        goals: &[Goal::AtMost(200.0, "ms")] },
];

/// The fields of a browser's GET, besides Host. The whole head has about 640 bytes.
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

/// Bytes of content in an echo.
const ECHO_BYTES: usize = 1024;

/// The name of the file with so many bytes.
pub fn file_name(bytes: usize) -> String {
    format!("{bytes}.bin")
}

impl Workload {
    /// The servers to measure. All others are compared with the first one.
    pub fn servers(&self, peers: &[ServerKind]) -> Vec<ServerKind> {
        use ServerKind::{Floor, Library, OpenKitchen};
        if self.request == RequestKind::Observed {
            use Observation::{Log, Off, Record, Trace};
            return [Off, Trace, Record, Log].map(OpenKitchen).into();
        }
        if let RequestKind::File(_) = self.request {
            let own = [Floor(FloorMode::Files), ServerKind::Files];
            return own.into_iter().chain(peers.iter().cloned()).collect();
        }
        let mut servers = match self.kind {
            Kind::PerRequest(_) => vec![Floor(FloorMode::Inline), Floor(FloorMode::Spawn)],
            _ => vec![Floor(FloorMode::Stay)],
        };
        servers.push(OpenKitchen(Observation::Off));
        if matches!(self.letter, 'a' | 'd' | 'g' | 'h') {
            servers.push(Library);
        }
        servers.extend_from_slice(peers);
        servers
    }

    /// The bytes of one request.
    pub fn request(&self) -> Vec<u8> {
        let close = if let Kind::PerRequest(_) = self.kind { "Connection: close\r\n" } else { "" };
        let length = format!("Content-Length: {ECHO_BYTES}\r\n");
        let file = if let RequestKind::File(bytes) = self.request {
            file_name(bytes)
        } else {
            String::new()
        };
        let file = format!("GET /{file}");
        let (line, fields, content_bytes) = match self.request {
            RequestKind::Short => ("GET /healthz", close, 0),
            RequestKind::Observed => ("GET /raw", "", 0),
            RequestKind::Browser => ("GET /healthz", BROWSER, 0),
            RequestKind::Echo => ("POST /echo", length.as_str(), ECHO_BYTES),
            RequestKind::File(_) => (file.as_str(), "", 0),
        };
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        (head + &"x".repeat(content_bytes)).into_bytes()
    }

    /// Requests in one write.
    pub fn depth(&self) -> usize {
        if let Kind::KeepAlive(_, depth) = self.kind { depth } else { 1 }
    }
}

impl Kind {
    /// The unit of what is measured.
    pub fn unit(&self) -> &'static str {
        match self {
            Kind::KeepAlive(..) | Kind::PerRequest(_) => "req/s",
            Kind::Idle(_) => "KiB each",
            Kind::Start | Kind::Burst(_) => "ms",
        }
    }
}

impl Goal {
    pub fn is_met(&self, reached: f64) -> bool {
        match self {
            Goal::Rate(least, _) | Goal::Library(least) => reached >= *least,
            Goal::Quickest => reached < 1.0,
            Goal::Cpu(most) | Goal::AtMost(most, _) | Goal::AsBefore(most) => reached <= *most,
        }
    }
}

impl Display for Goal {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Goal::Rate(times, name) => write!(f, "≥ {times:.2} x {name}"),
            Goal::Library(times) => write!(f, "{LIBRARY} ≥ {times:.2} x {OPENKITCHEN}"),
            Goal::Cpu(times) => write!(f, "CPU ≤ {times:.2} x"),
            Goal::Quickest => write!(f, "below every peer"),
            Goal::AtMost(most, unit) => write!(f, "≤ {most} {unit}"),
            Goal::AsBefore(times) => write!(f, "new clients wait ≤ {times:.1} x"),
        }
    }
}

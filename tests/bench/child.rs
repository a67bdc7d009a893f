//! # The one who is measured
//!
//! This server, the floor or a peer: a process of its own on a free port, ready when it says so, and
//! ended by its own id on every way out. Linux tells what it used; elsewhere that stays unknown.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{self, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The cap on connections: above what any workload opens.
const CONNECTIONS: &str = "12000";

/// Clock ticks in a second, among what the kernel tells each program: `getauxval(3)`.
const AT_CLKTCK: u64 = 17;

pub const OPENKITCHEN: &str = "openkitchen";
pub const FLOOR: &str = "the floor";
pub const SPAWN: &str = "a thread each";

/// Who takes part.
#[derive(Clone, PartialEq)]
pub enum Side {
    Server(Watch),
    Floor(Manner),
    /// Any program that says where it listens, as this server does.
    Peer(PathBuf),
}

/// Who looks on while this server works.
#[derive(Clone, Copy, PartialEq)]
pub enum Watch {
    Nobody,
    /// Each exchange is printed, to /dev/null.
    Trace,
    /// Each connection is written to a file.
    Record,
    /// `RUST_LOG=info`: a line for each exchange, to /dev/null.
    Log,
}

/// What the floor does with a connection.
#[derive(Clone, Copy, PartialEq)]
pub enum Manner {
    /// A thread for each, which stays with it.
    Stay,
    /// A thread for each, though it brings but one request.
    Spawn,
    /// One request, answered by the thread that accepts.
    Inline,
}

/// A running process; dropped, it is gone.
pub struct Child {
    process: process::Child,
    pub address: SocketAddr,
    /// Kept open: whoever prints into a closed pipe fails.
    stdout: Option<BufReader<ChildStdout>>,
    /// What it has written, to be removed with it.
    records: Option<PathBuf>,
    /// Whether it may have children of its own, which nobody else can end.
    is_parent: bool,
}

/// A folder for the files of a run, with all that is in it gone at the end.
pub struct Folder(PathBuf);

impl Side {
    pub fn name(&self) -> &str {
        match self {
            Side::Server(Watch::Nobody) => OPENKITCHEN,
            Side::Server(Watch::Trace) => "with its trace",
            Side::Server(Watch::Record) => "with --record",
            Side::Server(Watch::Log) => "with its log",
            Side::Floor(Manner::Spawn) => SPAWN,
            Side::Floor(_) => FLOOR,
            Side::Peer(path) => path.file_name().and_then(|name| name.to_str()).unwrap_or("a peer"),
        }
    }

    pub fn is_peer(&self) -> bool {
        matches!(self, Side::Peer(_))
    }

    /// Starts it. `request` and `answer` are for the floor: the length of the one that it waits for,
    /// and the other that it gives.
    pub fn start(&self, folder: &Folder, request: usize, answer: &[u8]) -> io::Result<Child> {
        match self {
            Side::Server(watch) => Child::server(*watch, &folder.0),
            Side::Floor(manner) => Child::floor(*manner, request, answer),
            Side::Peer(path) => {
                let mut child = Child::spawn(Command::new(path).stdin(Stdio::null()))?;
                child.is_parent = true;
                child.told()
            }
        }
    }
}

impl Child {
    /// This server, as it was built together with the benchmark. Its likes are there already, but
    /// for the first time: what is measured is a start like most.
    fn server(watch: Watch, folder: &Path) -> io::Result<Child> {
        let (port_file, records) = (folder.join("port"), folder.join("records"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_openkitchen"));
        command.env_clear().args(["--listen", "127.0.0.1:0", "--max-connections", CONNECTIONS]);
        command.arg("--data").arg(folder.join("likes")).stdin(Stdio::null());
        match watch {
            Watch::Nobody => command.arg("--no-trace"),
            Watch::Trace => command.arg("--port-file").arg(&port_file).stdout(Stdio::null()),
            Watch::Record => command.args(["--no-trace", "--record"]).arg(&records),
            Watch::Log => command.arg("--no-trace").env("RUST_LOG", "info").stderr(Stdio::null()),
        };
        if watch == Watch::Trace {
            return Child::begin(&mut command)?.told_in(&port_file);
        }
        let mut child = Child::spawn(&mut command)?;
        child.records = (watch == Watch::Record).then_some(records);
        child.told()
    }

    fn floor(manner: Manner, request: usize, answer: &[u8]) -> io::Result<Child> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["--floor", manner.name(), &request.to_string()]);
        let mut child = Child::spawn(command.env_clear().stdin(Stdio::piped()))?;
        if let Some(mut stdin) = child.process.stdin.take() {
            stdin.write_all(answer)?;
        }
        child.told()
    }

    /// One that is listened to.
    fn spawn(command: &mut Command) -> io::Result<Child> {
        Child::begin(command.stdout(Stdio::piped()))
    }

    fn begin(command: &mut Command) -> io::Result<Child> {
        let mut process = command.spawn()?;
        let stdout = process.stdout.take().map(BufReader::new);
        let address = ([127, 0, 0, 1], 0).into();
        Ok(Child { process, address, stdout, records: None, is_parent: false })
    }

    /// Waits for `# listening on http://127.0.0.1:41233`, the first line it prints.
    fn told(mut self) -> io::Result<Child> {
        let mut stdout = self.stdout.take().ok_or(ErrorKind::BrokenPipe)?;
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = stdout.read_line(&mut line);
            tell.send(read.map(|_| (line, stdout)))
        });
        let (line, stdout) = told.recv_timeout(PATIENCE).map_err(|_| ErrorKind::TimedOut)??;
        self.stdout = Some(stdout);
        let address = line.trim_end().strip_prefix("# listening on http://");
        let address = address.and_then(|address| address.parse().ok());
        self.address = address
            .ok_or_else(|| io::Error::other(format!("it did not start, and said: {line:?}")))?;
        Ok(self)
    }

    /// Waits for the same in the file, where the output goes to /dev/null.
    fn told_in(mut self, file: &Path) -> io::Result<Child> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE && self.process.try_wait()?.is_none() {
            let told = fs::read_to_string(file).ok();
            match told.and_then(|address| address.trim_end().parse().ok()) {
                Some(address) => {
                    // The next one is not to be taken for this one.
                    fs::remove_file(file)?;
                    self.address = address;
                    return Ok(self);
                }
                None => thread::sleep(Duration::from_millis(1)),
            }
        }
        Err(io::Error::other("it did not start with its trace on"))
    }

    /// Microseconds of CPU so far, its own and the system's for it, in steps of a clock tick.
    pub fn cpu(&self) -> Option<f64> {
        self.sum("stat", |stat| {
            // Behind the name in brackets, which may hold anything: proc_pid_stat(5), from field 3 on.
            let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
            let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
            Some((field(14)? + field(15)?) * 1e6 / ticks_per_second()?)
        })
    }

    /// KiB of memory that are its own, and its share of what it shares.
    pub fn pss(&self) -> Option<f64> {
        self.sum("smaps_rollup", |rollup| {
            let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
            line.trim().strip_suffix(" kB")?.parse().ok()
        })
    }

    /// The sum of a figure that stands in this file of the process and of each of its children.
    fn sum(&self, file: &str, figure: impl Fn(&str) -> Option<f64>) -> Option<f64> {
        let own = self.process.id().to_string();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children"));
        let family = format!("{own} {}", children.unwrap_or_default());
        let of = |id| figure(&fs::read_to_string(format!("/proc/{id}/{file}")).ok()?);
        family.split_whitespace().map(of).sum()
    }
}

fn ticks_per_second() -> Option<f64> {
    let told = fs::read("/proc/self/auxv").ok()?;
    let words = told
        .chunks_exact(size_of::<usize>())
        .map(|word| word.try_into().map_or(0, usize::from_ne_bytes) as u64);
    let words: Vec<_> = words.collect();
    words.chunks_exact(2).find(|pair| pair[0] == AT_CLKTCK).map(|pair| pair[1] as f64)
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nobody left to kill.
        let _ = if self.is_parent {
            let line = format!("kill -s TERM {}", self.process.id());
            Command::new("sh").args(["-c", &line]).status().map(drop)
        } else {
            self.process.kill()
        };
        let _ = self.process.wait();
        if let Some(records) = &self.records {
            let _ = fs::remove_dir_all(records);
        }
    }
}

impl Manner {
    pub fn name(self) -> &'static str {
        match self {
            Manner::Stay => "stay",
            Manner::Spawn => "spawn",
            Manner::Inline => "inline",
        }
    }

    pub fn named(name: &str) -> Option<Manner> {
        [Manner::Stay, Manner::Spawn, Manner::Inline].into_iter().find(|it| it.name() == name)
    }
}

impl Folder {
    pub fn new() -> io::Result<Folder> {
        let path = env::temp_dir().join(format!("openkitchen-bench-{}", process::id()));
        fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

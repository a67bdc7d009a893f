//! # The measured servers, as child processes
//!
//! This server, the floor or a peer: a process of its own on a free port. It is ready when it prints
//! its address, and it is ended when [`Child`] is dropped. Linux reports its CPU time and memory; on
//! other systems they are unknown.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{self, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crate::workload::{RequestKind, WORKLOADS, file_name};

/// How long a start may take.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// The server's limit of connections: more than any workload opens.
const MAX_CONNECTIONS: &str = "12000";

/// The variable that tells a peer the folder whose files it serves.
const FILES_VARIABLE: &str = "FILES";

/// The key of the clock ticks per second in the auxiliary vector: `getauxval(3)`.
const AT_CLKTCK: u64 = 17;

pub const OPENKITCHEN: &str = "openkitchen";
pub const LIBRARY: &str = "the library";
pub const FLOOR: &str = "the floor";
pub const SPAWN: &str = "a thread each";

/// A server to measure.
#[derive(Clone, PartialEq)]
pub enum ServerKind {
    OpenKitchen(Observation),
    Library,
    Floor(FloorMode),
    /// This server's command `serve`.
    Files,
    /// Any program that prints where it listens, as this server does.
    Peer(PathBuf),
}

/// What this server prints or writes while it serves.
#[derive(Clone, Copy, PartialEq)]
pub enum Observation {
    Off,
    /// Each exchange is printed, to /dev/null.
    Trace,
    /// Each connection is written to a file.
    Record,
    /// `RUST_LOG=info`: a line for each exchange, to /dev/null.
    Log,
}

/// What the floor does with a connection.
#[derive(Clone, Copy, PartialEq)]
pub enum FloorMode {
    /// A thread for each connection, until the client closes it.
    Stay,
    /// A thread for each connection, which has one request.
    Spawn,
    /// One request, answered by the thread that accepts the connection.
    Inline,
    /// A thread for each connection. It opens the file that each request names.
    Files,
}

/// A running process. Dropping it ends the process.
pub struct Child {
    process: process::Child,
    pub address: SocketAddr,
    /// Kept open, because a program that prints into a closed pipe fails.
    stdout: Option<BufReader<ChildStdout>>,
    /// A folder that the process writes, removed with it.
    records: Option<PathBuf>,
    /// Whether the process may have children, which only the process itself can end.
    is_parent: bool,
}

/// A folder for the files of a run. Dropping it removes the folder and its files.
pub struct Folder(PathBuf);

impl ServerKind {
    pub fn name(&self) -> &str {
        match self {
            ServerKind::OpenKitchen(Observation::Off) | ServerKind::Files => OPENKITCHEN,
            ServerKind::OpenKitchen(Observation::Trace) => "with its trace",
            ServerKind::OpenKitchen(Observation::Record) => "with --record",
            ServerKind::OpenKitchen(Observation::Log) => "with its log",
            ServerKind::Library => LIBRARY,
            ServerKind::Floor(FloorMode::Spawn) => SPAWN,
            ServerKind::Floor(_) => FLOOR,
            ServerKind::Peer(path) => {
                path.file_name().and_then(|name| name.to_str()).unwrap_or("a peer")
            }
        }
    }

    pub fn is_peer(&self) -> bool {
        matches!(self, ServerKind::Peer(_))
    }

    /// Starts the server. The floor needs the length of a request, and the response to send.
    pub fn start(
        &self,
        folder: &Folder,
        request_bytes: usize,
        response: &[u8],
    ) -> io::Result<Child> {
        match self {
            ServerKind::OpenKitchen(observation) => Child::openkitchen(*observation, &folder.0),
            ServerKind::Library => Child::library(),
            ServerKind::Floor(mode) => Child::floor(*mode, folder, request_bytes, response),
            ServerKind::Files => Child::files(&folder.files()),
            ServerKind::Peer(path) => {
                let mut command = Command::new(path);
                command.env(FILES_VARIABLE, folder.files()).stdin(Stdio::null());
                let mut child = Child::spawn_piped(&mut command)?;
                child.is_parent = true;
                child.wait_for_address()?.wait_until_it_listens()
            }
        }
    }
}

impl Child {
    /// This server, as it was built together with the benchmark. Its file of likes exists already,
    /// except at the first start: the benchmark measures a start as it usually is.
    fn openkitchen(observation: Observation, folder: &Path) -> io::Result<Child> {
        let (port_file, records) = (folder.join("port"), folder.join("records"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_openkitchen"));
        command.env_clear().args(["--listen", "127.0.0.1:0", "--max-connections", MAX_CONNECTIONS]);
        command.arg("--data").arg(folder.join("likes")).stdin(Stdio::null());
        match observation {
            Observation::Off => command.arg("--no-trace"),
            Observation::Trace => command.arg("--port-file").arg(&port_file).stdout(Stdio::null()),
            Observation::Record => command.args(["--no-trace", "--record"]).arg(&records),
            Observation::Log => {
                command.arg("--no-trace").env("RUST_LOG", "info").stderr(Stdio::null())
            }
        };
        if observation == Observation::Trace {
            return Child::spawn(&mut command)?.wait_for_port_file(&port_file);
        }
        let mut child = Child::spawn_piped(&mut command)?;
        child.records = (observation == Observation::Record).then_some(records);
        child.wait_for_address()
    }

    fn library() -> io::Result<Child> {
        let mut command = Command::new(env::current_exe()?);
        command.arg("--library").env_clear().stdin(Stdio::null());
        Child::spawn_piped(&mut command)?.wait_for_address()
    }

    /// This server with a folder.
    fn files(folder: &Path) -> io::Result<Child> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openkitchen"));
        command.env_clear().arg("serve").arg(folder).stdin(Stdio::null());
        command.args(["--listen", "127.0.0.1:0", "--log", "off"]);
        Child::spawn_piped(&mut command)?.wait_for_address()
    }

    fn floor(
        mode: FloorMode,
        folder: &Folder,
        request_bytes: usize,
        response: &[u8],
    ) -> io::Result<Child> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["--floor", mode.name(), &request_bytes.to_string()]);
        command.current_dir(folder.files());
        let mut child = Child::spawn_piped(command.env_clear().stdin(Stdio::piped()))?;
        if let Some(mut stdin) = child.process.stdin.take() {
            stdin.write_all(response)?;
        }
        child.wait_for_address()
    }

    /// A process whose standard output the benchmark reads.
    fn spawn_piped(command: &mut Command) -> io::Result<Child> {
        Child::spawn(command.stdout(Stdio::piped()))
    }

    fn spawn(command: &mut Command) -> io::Result<Child> {
        let mut process = command.spawn()?;
        let stdout = process.stdout.take().map(BufReader::new);
        let address = ([127, 0, 0, 1], 0).into();
        Ok(Child { process, address, stdout, records: None, is_parent: false })
    }

    /// Waits for the first line that the process prints: `# listening on http://127.0.0.1:41233`.
    fn wait_for_address(mut self) -> io::Result<Child> {
        let mut stdout = self.stdout.take().ok_or(ErrorKind::BrokenPipe)?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = stdout.read_line(&mut line);
            sender.send(read.map(|_| (line, stdout)))
        });
        let read = receiver.recv_timeout(START_TIMEOUT).map_err(|_| ErrorKind::TimedOut)?;
        let (line, stdout) = read?;
        self.stdout = Some(stdout);
        let address = line.trim_end().strip_prefix("# listening on http://");
        let address = address.and_then(|address| address.parse().ok());
        self.address = address
            .ok_or_else(|| io::Error::other(format!("it did not start: it printed {line:?}")))?;
        Ok(self)
    }

    /// Some peers print their address before they listen.
    fn wait_until_it_listens(mut self) -> io::Result<Child> {
        let start = Instant::now();
        loop {
            match TcpStream::connect(self.address) {
                Ok(_) => return Ok(self),
                Err(error) if start.elapsed() > START_TIMEOUT => return Err(error),
                Err(error) if self.process.try_wait()?.is_some() => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Waits for the address in the port file, because the output goes to /dev/null.
    fn wait_for_port_file(mut self, file: &Path) -> io::Result<Child> {
        let start = Instant::now();
        while start.elapsed() < START_TIMEOUT && self.process.try_wait()?.is_none() {
            let text = fs::read_to_string(file).ok();
            match text.and_then(|address| address.trim_end().parse().ok()) {
                Some(address) => {
                    // The next process must not find this address.
                    fs::remove_file(file)?;
                    self.address = address;
                    return Ok(self);
                }
                None => thread::sleep(Duration::from_millis(1)),
            }
        }
        Err(io::Error::other("the server with its trace on did not write its port file"))
    }

    /// Microseconds of CPU time so far, in user mode and in the kernel, in steps of a clock tick.
    pub fn cpu(&self) -> Option<f64> {
        self.sum("stat", |stat| {
            // proc_pid_stat(5): field 2, the name in brackets, may hold any byte. Field 3 follows it.
            let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
            let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
            Some((field(14)? + field(15)?) * 1e6 / ticks_per_second()?)
        })
    }

    /// KiB of memory as PSS: private pages, and a share of each shared page.
    pub fn pss(&self) -> Option<f64> {
        self.sum("smaps_rollup", |rollup| {
            let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
            line.trim().strip_suffix(" kB")?.parse().ok()
        })
    }

    /// The sum of a number in this file of /proc, over the process and its children.
    fn sum(&self, file: &str, number: impl Fn(&str) -> Option<f64>) -> Option<f64> {
        let own = self.process.id().to_string();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children"));
        let all = format!("{own} {}", children.unwrap_or_default());
        let of = |id| number(&fs::read_to_string(format!("/proc/{id}/{file}")).ok()?);
        all.split_whitespace().map(of).sum()
    }
}

fn ticks_per_second() -> Option<f64> {
    let vector = fs::read("/proc/self/auxv").ok()?;
    let words = vector
        .chunks_exact(size_of::<usize>())
        .map(|word| word.try_into().map_or(0, usize::from_ne_bytes) as u64);
    let words: Vec<_> = words.collect();
    words.chunks_exact(2).find(|pair| pair[0] == AT_CLKTCK).map(|pair| pair[1] as f64)
}

impl Drop for Child {
    fn drop(&mut self) {
        // This fails if the process has ended already.
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

impl FloorMode {
    pub fn name(self) -> &'static str {
        match self {
            FloorMode::Stay => "stay",
            FloorMode::Spawn => "spawn",
            FloorMode::Inline => "inline",
            FloorMode::Files => "files",
        }
    }

    pub fn named(name: &str) -> Option<FloorMode> {
        let modes = [FloorMode::Stay, FloorMode::Spawn, FloorMode::Inline, FloorMode::Files];
        modes.into_iter().find(|mode| mode.name() == name)
    }
}

impl Folder {
    pub fn new() -> io::Result<Folder> {
        let path = env::temp_dir().join(format!("openkitchen-bench-{}", process::id()));
        let folder = Folder(path);
        fs::create_dir_all(folder.files())?;
        for workload in &WORKLOADS {
            if let RequestKind::File(bytes) = workload.request {
                fs::write(folder.files().join(file_name(bytes)), vec![b'x'; bytes])?;
            }
        }
        Ok(folder)
    }

    /// The folder whose files are served.
    fn files(&self) -> PathBuf {
        self.0.join("files")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

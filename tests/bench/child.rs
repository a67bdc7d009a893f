//! # The one who is measured
//!
//! This server or the floor: a process of its own on a free port, ready when it says so, and killed
//! by its own id on every way out. Linux tells what it used; elsewhere that stays unknown.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{self, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Clock ticks in a second, among what the kernel tells each program: `getauxval(3)`.
const AT_CLKTCK: u64 = 17;

/// A running process; dropped, it is gone.
pub struct Child {
    process: process::Child,
    pub address: SocketAddr,
    /// Kept open: whoever prints into a closed pipe fails.
    stdout: Option<BufReader<ChildStdout>>,
    folder: Option<PathBuf>,
}

/// Who looks on while this server works.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Watch {
    Nobody,
    /// Each exchange is printed, to /dev/null.
    Trace,
    /// `RUST_LOG=info`: a line for each exchange, to /dev/null.
    Log,
}

impl Child {
    /// This server, as it was built together with the benchmark.
    pub fn server(watch: Watch, connections: usize) -> io::Result<Child> {
        let folder = format!("openkitchen-bench-{}-{watch:?}", process::id());
        let folder = env::temp_dir().join(folder);
        fs::create_dir_all(&folder)?;
        let port_file = folder.join("port");
        let mut command = Command::new(env!("CARGO_BIN_EXE_openkitchen"));
        command.env_clear().args(["--listen", "127.0.0.1:0", "--max-connections"]);
        command.arg(connections.to_string()).arg("--data").arg(folder.join("likes"));
        match watch {
            Watch::Nobody => command.arg("--no-trace").stdout(Stdio::piped()),
            Watch::Trace => command.arg("--port-file").arg(&port_file).stdout(Stdio::null()),
            Watch::Log => command.arg("--no-trace").env("RUST_LOG", "info").stdout(Stdio::piped()),
        };
        if watch == Watch::Log {
            command.stderr(Stdio::null());
        }
        let mut child = Child::spawn(command.stdin(Stdio::null()), Some(folder))?;
        child.address = if watch == Watch::Trace {
            child.address_in(&port_file)?
        } else {
            child.address_told()?
        };
        Ok(child)
    }

    /// The floor, which waits for so many bytes and gives that answer.
    pub fn floor(closes: bool, request: usize, answer: &[u8]) -> io::Result<Child> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["--floor", if closes { "once" } else { "stay" }, &request.to_string()]);
        command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Child::spawn(&mut command, None)?;
        if let Some(mut stdin) = child.process.stdin.take() {
            stdin.write_all(answer)?;
        }
        child.address = child.address_told()?;
        Ok(child)
    }

    fn spawn(command: &mut Command, folder: Option<PathBuf>) -> io::Result<Child> {
        let mut process = command.spawn()?;
        let stdout = process.stdout.take().map(BufReader::new);
        Ok(Child { process, address: ([127, 0, 0, 1], 0).into(), stdout, folder })
    }

    /// `# listening on http://127.0.0.1:41233`, the first line it prints.
    fn address_told(&mut self) -> io::Result<SocketAddr> {
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
        address.ok_or_else(|| io::Error::other(format!("it did not start, and said: {line:?}")))
    }

    /// The same from the file, for a server whose output goes to /dev/null.
    fn address_in(&mut self, file: &Path) -> io::Result<SocketAddr> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE && self.process.try_wait()?.is_none() {
            let address =
                fs::read_to_string(file).ok().and_then(|text| text.trim_end().parse().ok());
            match address {
                Some(address) => return Ok(address),
                None => thread::sleep(Duration::from_millis(1)),
            }
        }
        Err(io::Error::other("it did not start with its trace on"))
    }

    /// Microseconds of CPU so far, its own and the system's for it, in steps of a clock tick.
    pub fn cpu(&self) -> Option<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).ok()?;
        // Behind the name in brackets, which may hold anything: proc_pid_stat(5), from field 3 on.
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some((field(14)? + field(15)?) * 1e6 / ticks_per_second()?)
    }

    /// Bytes of memory that are its own, and its share of what it shares.
    pub fn pss(&self) -> Option<f64> {
        let path = format!("/proc/{}/smaps_rollup", self.process.id());
        let rollup = fs::read_to_string(path).ok()?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok().map(|kib: f64| kib * 1024.0)
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
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(folder) = &self.folder {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

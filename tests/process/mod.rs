//! What the tests of the process share: the real binary on a free port, everything it says, and the
//! tools of the system where a test needs one.
//!
//! Nothing sleeps until a server is likely to be ready: the line `# listening on http://ADDR` is
//! waited for. Whatever way a test ends, its processes end with it, by their own ids.

#![allow(dead_code, reason = "each test file uses its part")]

mod client;
pub mod resources;

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

pub use client::{Client, Response};

/// No test waits for anything longer than this; what takes so long has failed.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// The binary, without a single variable of whoever runs the tests.
pub fn openkitchen(flags: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openkitchen"));
    command.env_clear().args(flags.split_whitespace());
    command
}

/// Reads once. A socket with a timeout is not read on by itself after a signal, so it is here.
pub fn read_once(mut stream: &TcpStream, piece: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// A folder of this test's own, with all that is in it gone at the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("openkitchen-test-{}-{number}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process of this test's own. Dropped, it is killed.
pub struct Process(Child);

/// A server that runs.
pub struct ServerProcess {
    process: Process,
    /// `None` when nobody reads it any more.
    stdout: Option<BufReader<ChildStdout>>,
    /// What stdout has said so far.
    said: String,
    folder: Folder,
    pub address: SocketAddr,
}

/// How a process came to its end, and everything it said.
#[derive(Debug)]
pub struct Exit {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl ServerProcess {
    /// The site, silent, with an empty book of likes.
    pub fn start_site(flags: &str) -> ServerProcess {
        ServerProcess::start_site_with_env(flags, &[])
    }

    /// The same with variables in its environment.
    pub fn start_site_with_env(flags: &str, variables: &[(&str, &str)]) -> ServerProcess {
        let folder = Folder::new();
        let data = folder.file("likes");
        ServerProcess::start_in(folder, site(flags, &data).envs(variables.iter().copied()))
    }

    /// The same with this book of likes.
    pub fn start_site_with_likes(data: &Path, flags: &str) -> ServerProcess {
        ServerProcess::start(&mut site(flags, data))
    }

    /// Any command that tells where it listens.
    pub fn start(command: &mut Command) -> ServerProcess {
        ServerProcess::start_in(Folder::new(), command)
    }

    fn start_in(folder: Folder, command: &mut Command) -> ServerProcess {
        let stderr = fs::File::create(folder.file("stderr")).unwrap();
        let mut process = Process::spawn(command.stdout(Stdio::piped()).stderr(stderr));
        let stdout = process.0.stdout.take().map(BufReader::new);
        let (said, address) = (String::new(), SocketAddr::from(([0, 0, 0, 0], 0)));
        let mut server = ServerProcess { process, stdout, said, folder, address };
        server.address = server.wait_for_line("# listening on http://").parse().unwrap();
        server
    }

    /// Waits for a line of stdout that begins so, and returns the rest of it.
    pub fn wait_for_line(&mut self, beginning: &str) -> String {
        loop {
            let from = self.said.len();
            let stdout = self.stdout.as_mut().unwrap();
            let read = stdout.read_line(&mut self.said).unwrap();
            assert!(read > 0, "it ended before it said {beginning:?}: {}", self.stderr());
            if let Some(rest) = self.said[from..].trim_end().strip_prefix(beginning) {
                return rest.to_owned();
            }
        }
    }

    /// Closes the reading end of its stdout, as `| head` does.
    pub fn close_stdout(&mut self) {
        self.stdout = None;
    }

    /// The process that was started.
    pub fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// What it has said on stderr by now. What it writes about an exchange may come after the
    /// answer: to see all of it, end it first.
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.folder.file("stderr")).unwrap()
    }

    /// A connection to it.
    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// One request on a connection of its own: `POST /echo`, further field lines, the content.
    pub fn request(&self, method_and_path: &str, fields: &str, content: &str) -> Response {
        let length = match content.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        let mut client = self.client();
        client.send(format!(
            "{method_and_path} HTTP/1.1\r\nHost: server.test\r\nConnection: close\r\n\
             {fields}{length}\r\n{content}"
        ));
        Response::parse(&client.read_to_end())
    }

    pub fn get(&self, path: &str) -> Response {
        self.request(&format!("GET {path}"), "", "")
    }

    pub fn signal(&self, name: &str) {
        signal(name, &self.id().to_string());
    }

    /// `kill -9`, and it is over.
    pub fn kill(&mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
    }

    /// Asks it to stop, and waits for its end.
    pub fn stop(self) -> Exit {
        self.signal("TERM");
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Exit {
        let code = self.process.code();
        if let Some(stdout) = &mut self.stdout {
            stdout.read_to_string(&mut self.said).unwrap();
        }
        Exit { code, stdout: std::mem::take(&mut self.said), stderr: self.stderr() }
    }
}

impl Process {
    pub fn spawn(command: &mut Command) -> Process {
        Process(command.spawn().unwrap())
    }

    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Waits for the end, and gives the exit code.
    fn code(&mut self) -> Option<i32> {
        let since = Instant::now();
        while self.is_running() {
            assert!(since.elapsed() < TIMEOUT, "it does not end");
            thread::sleep(Duration::from_millis(2));
        }
        self.0.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn site(flags: &str, data: &Path) -> Command {
    let mut command = openkitchen("--listen 127.0.0.1:0 --no-trace");
    command.arg("--data").arg(data).args(flags.split_whitespace());
    command
}

/// Runs a command that ends by itself.
pub fn run(command: &mut Command) -> Exit {
    let folder = Folder::new();
    let [out, err] = ["stdout", "stderr"].map(|name| folder.file(name));
    command.stdin(Stdio::null());
    command.stdout(fs::File::create(&out).unwrap()).stderr(fs::File::create(&err).unwrap());
    let code = Process::spawn(command).code();
    let [stdout, stderr] = [out, err].map(|path| fs::read_to_string(path).unwrap());
    Exit { code, stdout, stderr }
}

/// Sends a signal with the shell's own `kill`; `process` is an id, or how the shell finds it out.
pub fn signal(name: &str, process: &str) {
    let line = format!("kill -s {name} {process}");
    assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success(), "{line}");
}

/// Whether a tool is here and does what the test wants of it, as `attempt` shows. If not, one line
/// says which; where CI=true the test fails.
pub fn need(tool: &str, attempt: &str) -> bool {
    let mut shell = Command::new("sh");
    shell.args(["-c", attempt]).stdin(Stdio::null());
    let is_here = shell.output().is_ok_and(|output| output.status.success());
    is_here || skip(tool)
}

/// Says that the test that asks has nothing to do, for want of this. Always false.
pub fn skip(tool: &str) -> bool {
    skip_or_fail(tool, env::var("CI").is_ok_and(|value| value == "true"))
}

pub fn skip_or_fail(tool: &str, is_ci: bool) -> bool {
    assert!(!is_ci, "{tool} is needed where CI=true");
    let test = thread::current().name().unwrap_or("a test").to_owned();
    // Not `eprintln!`, which would keep the line for itself as long as the test passes.
    let _ = writeln!(io::stderr(), "{test}: skipped, for it needs {tool}");
    false
}

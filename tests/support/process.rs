//! Starts the binary on a free port, collects its stdout and stderr, sends requests and signals,
//! and looks for tools of the system.
//!
//! No test sleeps until a server is probably ready. It waits for the line `# listening on http://ADDR`.
//! Each process that a test started is killed when the test ends, also when it fails.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use super::client::{Client, Response};

/// The longest time that a test waits for one thing. After it, the test fails.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// The binary with these flags, in an empty environment.
pub fn openkitchen(flags: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openkitchen"));
    command.env_clear().args(flags.split_whitespace());
    command
}

/// The same as a user without privileges, in a network of its own where low ports need them. `None` if that
/// cannot be had here: then the test is skipped.
pub fn unprivileged_openkitchen(folder: &Folder, flags: &str) -> Option<Command> {
    const UNPRIVILEGED: &str = "unshare -n setpriv --reuid=65534 --regid=65534 --clear-groups";
    need("unshare and setpriv", &format!("{UNPRIVILEGED} true")).then(|| {
        // The unprivileged user may not read cargo's folder, so the binary is copied. `cp` does it: if
        // this process wrote the copy, a child of another test could inherit the open file, and a
        // file that is open for writing cannot be executed.
        let copy = folder.file("openkitchen");
        let mut cp = Command::new("cp");
        assert_eq!(run(cp.arg(env!("CARGO_BIN_EXE_openkitchen")).arg(&copy)).code, Some(0));
        let mut command = Command::new("unshare");
        command.args(UNPRIVILEGED.split(' ').skip(1)).arg(copy).args(flags.split_whitespace());
        command
    })
}

/// The variable that tells a test that another test has started its program.
const STARTED_BY_A_TEST: &str = "STARTED_BY_A_TEST";

/// This test program once more, to run the test with this name alone, in a process of its own.
pub fn this_test_program(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env_clear().env(STARTED_BY_A_TEST, "1");
    command.args(["--exact", test, "--include-ignored", "--nocapture"]);
    command
}

/// Whether this process was started with [`this_test_program`].
pub fn is_started_by_a_test() -> bool {
    env::var_os(STARTED_BY_A_TEST).is_some()
}

/// Reads once, and again after a signal. The kernel does not restart a read that has a timeout.
pub fn read_once(mut stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// A temporary folder for one test. Dropped, it is removed with its files.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("openkitchen-test-{}-{number}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// The path of a file in it. The file is not created.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process that a test started. Dropped, it is killed.
pub struct Process(Child);

/// A running server: a process that prints the address on which it listens.
pub struct ServerProcess {
    process: Process,
    /// The reading end of its stdout; `None` after [`ServerProcess::close_stdout`].
    stdout: Option<BufReader<ChildStdout>>,
    /// The text read from its stdout so far.
    output: String,
    /// Holds a file with its stderr, and the likes file of the site.
    folder: Folder,
    pub address: SocketAddr,
}

/// How a process ended, and all its output.
#[derive(Debug)]
pub struct Exit {
    /// The exit code; `None` if a signal ended the process.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// What a server writes at a second signal.
pub const SECOND_SIGNAL: &str = "a second signal: the process ends at once";

impl ServerProcess {
    /// Starts the lesson site without a trace on stdout, and with an empty likes file.
    pub fn start_site(flags: &str) -> ServerProcess {
        ServerProcess::start_site_with_env(flags, &[])
    }

    /// Starts the site with these variables in its environment.
    pub fn start_site_with_env(flags: &str, variables: &[(&str, &str)]) -> ServerProcess {
        let folder = Folder::new();
        let data = folder.file("likes");
        ServerProcess::start_in(folder, site(flags, &data).envs(variables.iter().copied()))
    }

    /// Starts the site with this likes file.
    pub fn start_site_with_likes(data: &Path, flags: &str) -> ServerProcess {
        ServerProcess::start(&mut site(flags, data))
    }

    /// Starts any command that prints `# listening on http://ADDR`, and waits for that line. A server that
    /// does not print it in time is killed, so that its stdout ends.
    pub fn start(command: &mut Command) -> ServerProcess {
        ServerProcess::start_in(Folder::new(), command)
    }

    fn start_in(folder: Folder, command: &mut Command) -> ServerProcess {
        let stderr = fs::File::create(folder.file("stderr")).unwrap();
        let mut process = Process::spawn(command.stdout(Stdio::piped()).stderr(stderr));
        let stdout = process.0.stdout.take().map(BufReader::new);
        let (output, address) = (String::new(), SocketAddr::from(([0, 0, 0, 0], 0)));
        let mut server = ServerProcess { process, stdout, output, folder, address };
        let ((_waiting, ended), id) = (mpsc::channel::<()>(), server.id().to_string());
        thread::spawn(move || {
            if ended.recv_timeout(TIMEOUT) == Err(RecvTimeoutError::Timeout) {
                signal("KILL", &id);
            }
        });
        server.address = server.wait_for_line("# listening on http://").parse().unwrap();
        server
    }

    /// Waits for a line of stdout with this prefix, and returns the rest of the line.
    pub fn wait_for_line(&mut self, prefix: &str) -> String {
        loop {
            let start = self.output.len();
            let stdout = self.stdout.as_mut().unwrap();
            let read = stdout.read_line(&mut self.output).unwrap();
            assert!(read > 0, "stdout ended before a line {prefix:?}: {}", self.stderr());
            if let Some(rest) = self.output[start..].trim_end().strip_prefix(prefix) {
                return rest.to_owned();
            }
        }
    }

    /// Waits for a line as [`wait_for_line`](ServerProcess::wait_for_line) does. Returns all of its
    /// stdout so far.
    pub fn wait_for_line_and_before(&mut self, prefix: &str) -> String {
        self.wait_for_line(prefix);
        self.output.clone()
    }

    /// Closes the reading end of its stdout, as `| head` does after ten lines.
    pub fn close_stdout(&mut self) {
        self.stdout = None;
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// What it has written to stderr by now. The log line of an exchange may be written after the
    /// response was sent: to see every line, stop the server first.
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.folder.file("stderr")).unwrap()
    }

    /// A new connection to it.
    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Sends one request on a new connection, and reads the response. Takes `POST /echo`, more field
    /// lines (each with its CRLF), and the content.
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

    /// Sends a GET request on a new connection, and reads the response.
    pub fn get(&self, path: &str) -> Response {
        self.request(&format!("GET {path}"), "", "")
    }

    /// Sends it a signal: `TERM`, `INT`.
    pub fn signal(&self, name: &str) {
        signal(name, &self.id().to_string());
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Kills it with SIGKILL, and waits for its end.
    pub fn kill(&mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
    }

    /// Sends SIGTERM, and waits for its end.
    pub fn stop(self) -> Exit {
        self.signal("TERM");
        self.wait()
    }

    /// Waits for its end. `stderr` is without the lines that a server writes at every stop.
    pub fn wait(self) -> Exit {
        self.wait_for_stop_lines().0
    }

    /// Waits for its end. Returns the lines that a server writes at every stop beside the others.
    pub fn wait_for_stop_lines(mut self) -> (Exit, String) {
        let code = self.process.code();
        if let Some(stdout) = &mut self.stdout {
            stdout.read_to_string(&mut self.output).unwrap();
        }
        let is_of_stop = |line: &&str| {
            let text = line.trim_end().strip_prefix("openkitchen: ").unwrap_or_default();
            text.starts_with("SIG") || ["stopped", SECOND_SIGNAL].contains(&text)
        };
        let stderr = self.stderr();
        let (stop, others) = stderr.split_inclusive('\n').partition::<Vec<&str>, _>(is_of_stop);
        let stdout = std::mem::take(&mut self.output);
        (Exit { code, stdout, stderr: others.concat() }, stop.concat())
    }
}

impl Process {
    pub fn spawn(command: &mut Command) -> Process {
        Process(command.spawn().unwrap())
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Waits for its end, and returns the exit code.
    pub fn code(&mut self) -> Option<i32> {
        let since = Instant::now();
        while self.is_running() {
            assert!(since.elapsed() < TIMEOUT, "the process does not end");
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

/// The command for the site on a free port, without a trace.
fn site(flags: &str, data: &Path) -> Command {
    let mut command = openkitchen("--listen 127.0.0.1:0 --no-trace");
    command.arg("--data").arg(data).args(flags.split_whitespace());
    command
}

/// Runs a command to its end, without stdin.
pub fn run(command: &mut Command) -> Exit {
    run_with_input(command, b"")
}

/// Runs a command to its end, with these bytes as stdin.
pub fn run_with_input(command: &mut Command, stdin: impl AsRef<[u8]>) -> Exit {
    let folder = Folder::new();
    let [input, out, err] = ["stdin", "stdout", "stderr"].map(|name| folder.file(name));
    fs::write(&input, stdin).unwrap();
    command.stdin(fs::File::open(&input).unwrap());
    command.stdout(fs::File::create(&out).unwrap()).stderr(fs::File::create(&err).unwrap());
    let code = Process::spawn(command).code();
    let [stdout, stderr] = [out, err].map(|path| fs::read_to_string(path).unwrap());
    Exit { code, stdout, stderr }
}

/// Starts the lesson program, which listens on this address, and compares its responses with the
/// texts of the lesson.
pub fn assert_serves_the_lesson(program: &mut Command, address: SocketAddr) {
    let mut lesson = Process::spawn(program.stdout(Stdio::null()));
    let since = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(since.elapsed() < TIMEOUT && lesson.is_running(), "the program does not listen");
    }
    for (path, words) in
        [("/", "Welcome to RohithBuilds Backend!"), ("/about", "Built with Python + Flask")]
    {
        let mut client = Client::connect(address);
        let fields = format!("Host: {address}\r\nConnection: close\r\n");
        client.send(format!("GET {path} HTTP/1.1\r\n{fields}\r\n"));
        let response = Response::parse(&client.read_to_end());
        assert_eq!((response.status, response.text()), (200, words));
    }
    assert!(lesson.is_running(), "another program responded");
}

/// An address of this machine whose port is free on 127.0.0.1 and on `::1`, and stays free: it is
/// below the ports that the kernel gives for port 0, so no other test's server gets it. For a
/// program that cannot listen on port 0, and for a server that does not listen.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let is_free = |address: &SocketAddr| match TcpListener::bind(address) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::AddrNotAvailable, // no IPv6 here
    };
    for _ in 0..10_000 {
        // Each process begins at another place, and each call goes on from there.
        let offset = process::id().wrapping_mul(7919) % 10_000
            + u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 20_000 + u16::try_from(offset % 10_000).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if is_free(&address) && is_free(&SocketAddr::from((Ipv6Addr::LOCALHOST, port))) {
            return address;
        }
    }
    panic!("no port from 20000 to 29999 is free");
}

/// Sends a signal with the shell's own `kill`. `process` is an id, or a `$(command)` that prints one.
pub fn signal(name: &str, process: &str) {
    let line = format!("kill -s {name} {process}");
    assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success(), "{line}");
}

/// Whether the shell command `attempt` succeeds, and so the tool works as the test needs it. If not,
/// prints that the test is skipped; where CI=true the test fails.
pub fn need(tool: &str, attempt: &str) -> bool {
    let mut shell = Command::new("sh");
    shell.args(["-c", attempt]).stdin(Stdio::null());
    let works = shell.output().is_ok_and(|output| output.status.success());
    works || skip(tool)
}

/// Prints that the current test is skipped because this tool is missing. Always false.
pub fn skip(tool: &str) -> bool {
    skip_or_fail(tool, env::var("CI").is_ok_and(|value| value == "true"))
}

/// Fails the test if `is_ci`; otherwise as [`skip`].
pub fn skip_or_fail(tool: &str, is_ci: bool) -> bool {
    assert!(!is_ci, "{tool} is needed where CI=true");
    let test = thread::current().name().unwrap_or("a test").to_owned();
    // Not `eprintln!`: the test harness captures that, and shows it only if the test fails.
    let _ = writeln!(io::stderr(), "{test}: skipped, because it needs {tool}");
    false
}

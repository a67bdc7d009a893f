//! Tests under shortage and stress: no descriptors, no threads, a full disk, panics of handlers, clients
//! that disconnect or never read, an unread log, signals.
//!
//! In each test the server continues to serve, logs each problem once, and releases what it used. Run it
//! with `--nocapture` to see the numbers.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{fs, panic, thread};

use openkitchen::{Request, Response, Routes, Server, get, routes};

use crate::support::client::Client;
use crate::support::process::{self, Exit, Folder, Process, ServerProcess, TIMEOUT, need};
use crate::support::resources::Resources;

const GET: &str = "GET /about HTTP/1.1\r\nHost: h\r\n\r\n";

/// The longest wait for a response. It is less than each timeout of the server, so that no timeout can
/// release a thread and hide a fault.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// KiB by which the heap may grow in one of equal rounds of clients.
const MAX_GROWTH: usize = 512;

/// Rounds of clients, at most.
const MAX_ROUNDS: usize = 6;

/// How long the allocator may take to return memory.
const RETURN_WAIT: Duration = Duration::from_secs(2);

/// The command for the site, started by another program that sets its limits or its user.
fn started_by(starter: &[&str], flags: &str) -> Command {
    let mut command = Command::new(starter[0]);
    command.args(&starter[1..]).arg(env!("CARGO_BIN_EXE_openkitchen"));
    command.args(["--listen", "127.0.0.1:0", "--no-trace"]).args(flags.split_whitespace());
    command
}

/// The number of lines of a log that contain these words.
fn lines_with(log: &str, words: &str) -> usize {
    log.lines().filter(|line| line.contains(words)).count()
}

/// Sends SIGTERM. The server must exit with 0 within two seconds. Returns its log.
#[track_caller]
fn stop_in_time(server: ServerProcess) -> String {
    let since = Instant::now();
    let Exit { code, stderr, .. } = server.stop();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}: {stderr}", since.elapsed());
    stderr
}

/// Sends one request on a new connection. The response must arrive in time.
#[track_caller]
fn assert_served(server: &ServerProcess) {
    let since = Instant::now();
    assert_eq!(server.get("/about").status, 200);
    assert!(since.elapsed() < RESPONSE_TIMEOUT, "{:?}", since.elapsed());
}

/// A client that has sent a request.
fn client_with_request(server: &ServerProcess) -> Client {
    let mut client = server.client();
    client.send(GET);
    client
}

/// Opens this many connections at the same time, with one request on each. All must be answered.
#[track_caller]
fn assert_all_served(server: &ServerProcess, count: usize) {
    let clients: Vec<Client> = (0..count).map(|_| client_with_request(server)).collect();
    for mut client in clients {
        assert_eq!(client.response().status, 200);
    }
}

#[test]
fn with_64_descriptors_500_clients_are_served_beside_100_silent_ones() {
    if !need("prlimit", "prlimit --version") {
        return;
    }
    let folder = Folder::new();
    let mut command = started_by(&["prlimit", "--nofile=64:64"], "--data");
    let server = ServerProcess::start(command.arg(folder.file("likes")));
    let before = Resources::after_first_client(&server);
    let silent: Vec<Client> = (0..100).map(|_| server.client()).collect();
    while Resources::of(server.id()).descriptors < 60 {
        thread::sleep(Duration::from_millis(1));
    }
    println!("with 100 silent clients: {}", Resources::of(server.id()));
    assert_served(&server);
    assert_all_served(&server, 500);
    assert_served(&server);
    drop(silent);
    println!("before: {before}; after: {}", Resources::wait_until_released(server.id(), before));

    let _silent: Vec<Client> = (0..100).map(|_| server.client()).collect();
    let log = stop_in_time(server);
    assert_eq!(lines_with(&log, "no connection can be accepted for now"), 1, "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
}

/// The site, whose `accept` fails as strace is told. With `-D`, the site itself is the child
/// process, so it is killed at the end of the test.
fn failing_accept(inject: &str, log: &Path) -> Option<ServerProcess> {
    if !need("strace", "strace -D -f -e inject=accept4:error=EPROTO -o /dev/null true") {
        return None;
    }
    let (inject, log) = (format!("inject=accept4:{inject}"), log.to_str().unwrap());
    let starter = ["strace", "-D", "-f", "-ttt", "-e", "trace=accept4", "-e", &inject, "-o", log];
    Some(ServerProcess::start(started_by(&starter, "--data").arg(log.to_owned() + ".likes")))
}

#[test]
fn an_error_of_accept_that_concerns_one_connection_closes_no_idle_client() {
    let folder = Folder::new();
    let log = folder.file("log");
    for error in [
        "EPROTO",
        "ENETDOWN",
        "EPERM",
        "EHOSTUNREACH",
        "ECONNABORTED",
        "ENOPROTOOPT",
        "EHOSTDOWN",
        "ENONET",
        "EOPNOTSUPP",
        "ENETUNREACH",
        "EINTR",
    ] {
        // The second call of each thread fails, and each second one after that.
        let Some(server) = failing_accept(&format!("error={error}:when=2+2"), &log) else { return };
        let mut idle = client_with_request(&server);
        assert_eq!(idle.response().status, 200);
        for _ in 0..20 {
            assert_served(&server);
        }
        idle.send(GET);
        assert_eq!(idle.response().status, 200, "{error}");
        drop(idle);
        assert_eq!(server.stderr(), "", "{error}");
        assert!(fs::read_to_string(&log).unwrap().contains(error));
    }
}

#[test]
fn an_error_of_accept_that_repeats_for_ever_keeps_no_processor_busy() {
    let folder = Folder::new();
    let log = folder.file("log");
    let Some(server) = failing_accept("error=EPROTO", &log) else { return };
    let since = Instant::now();
    let times = loop {
        // Each line has the thread and the time of a call.
        let text = fs::read_to_string(&log).unwrap();
        let lines = text.lines().filter(|line| line.contains("EPROTO"));
        let time = |line: &str| line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap();
        let times: Vec<f64> = lines.map(time).collect();
        if times.len() > 320 {
            break times;
        }
        assert!(since.elapsed() < TIMEOUT, "{text}");
    };
    for count in [64, 128, 192, 256, 320] {
        let pause = times[count] - times[count - 1];
        assert!(pause >= 0.02, "{pause} s after {count} errors");
    }
    assert_eq!(lines_with(&server.stderr(), "accept failed 64 times in a row"), 1);
    assert_eq!(server.stderr().lines().count(), 1);
}

#[test]
fn with_20_threads_100_clients_are_served_beside_40_silent_ones() {
    // As a user of its own: the limit counts all threads of a user, and root has no limit.
    let user = (100_000 + std::process::id()).to_string();
    let starter =
        ["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups", "prlimit", "--nproc=20"];
    let attempt = format!("{} {} --version", starter.join(" "), env!("CARGO_BIN_EXE_openkitchen"));
    if !need("setpriv and prlimit, as root,", &attempt) {
        return;
    }
    let server = ServerProcess::start(&mut started_by(&starter, ""));
    let before = Resources::after_first_client(&server);
    let silent: Vec<Client> = (0..40).map(|_| server.client()).collect();
    while Resources::of(server.id()).threads < 20 {
        thread::sleep(Duration::from_millis(1));
    }
    println!("with 40 silent clients: {}", Resources::of(server.id()));
    assert_served(&server);
    assert_all_served(&server, 100);
    assert_served(&server);
    drop(silent);
    println!("before: {before}; after: {}", Resources::wait_until_released(server.id(), before));

    // After SIGTERM an upload in progress is completed, although no thread can be made.
    let mut upload = server.client();
    upload.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
    let _silent: Vec<Client> = (0..40).map(|_| server.client()).collect();
    while Resources::of(server.id()).threads < 20 {
        thread::sleep(Duration::from_millis(1));
    }
    server.signal("TERM");
    upload.send("llo");
    assert_eq!(upload.response().text(), "hello");
    drop(upload);
    let Exit { code, stderr, .. } = server.wait();
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(lines_with(&stderr, "no thread can be spawned"), 1, "{stderr}");
    assert_eq!(lines_with(&stderr, "likes are kept in memory"), 1, "{stderr}");
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
}

const LIKE: &str = "POST /api/likes HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\
                    Content-Type: application/x-www-form-urlencoded\r\n\r\npost=1";

/// Sends one like, and returns the status and the content of the response.
fn like(client: &mut Client) -> (u16, String) {
    client.send(LIKE);
    let response = client.response();
    (response.status, response.text().to_owned())
}

/// Sends likes until one is answered 507, and returns the number of those that were stored.
fn fill_disk(server: &ServerProcess) -> u64 {
    let mut client = server.client();
    for stored in 0.. {
        match like(&mut client) {
            (201, text) => assert_eq!(text, format!("{{\"post\":1,\"likes\":{}}}", stored + 1)),
            (507, text) => {
                assert_eq!(text, "The like was not stored: there is no room left on the disk.\n");
                return stored;
            }
            other => panic!("{other:?}"),
        }
    }
    unreachable!("a disk is full at some time")
}

/// While the disk is full, each like is answered 507, the count does not change, and the file has whole
/// lines only. After `make_room`, likes are stored again.
fn check_full_disk(server: ServerProcess, likes: &PathBuf, make_room: impl FnOnce(&ServerProcess)) {
    let before = Resources::after_first_client(&server);
    let stored = fill_disk(&server);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = server.client();
                for _ in 0..10 {
                    assert_eq!(like(&mut client).0, 507);
                }
            });
        }
        (0..20).for_each(|_| assert_served(&server));
    });
    let assert_count = |server: &ServerProcess, likes: u64| {
        let response = server.get("/api/likes");
        let text = response.text();
        assert!(text.starts_with(&format!("{{\"1\":{likes},")), "{text}");
    };
    assert_count(&server, stored);
    assert_eq!(fs::metadata(likes).unwrap().len(), 20 * (stored + 1), "whole lines");
    println!("{stored} likes were stored; before: {before}; full: {}", Resources::of(server.id()));

    make_room(&server);
    let (status, text) = like(&mut server.client());
    assert_eq!((status, text), (201, format!("{{\"post\":1,\"likes\":{}}}", stored + 1)));
    assert_count(&server, stored + 1);
    assert_eq!(fs::metadata(likes).unwrap().len(), 20 * (stored + 2));
    Resources::wait_until_released(server.id(), before);
    let log = stop_in_time(server);
    assert_eq!(lines_with(&log, "likes cannot be stored for now"), 1, "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[test]
fn on_a_full_disk_a_like_is_answered_507_and_not_counted() {
    if !need("unshare and mount, as root,", "unshare -m mount -t tmpfs none /mnt") {
        return;
    }
    let folder = Folder::new();
    let disk = folder.file("disk");
    fs::create_dir(&disk).unwrap();
    let mount = "mount -t tmpfs -o size=16k none \"$0\" && exec \"$@\"";
    let mut command =
        started_by(&["unshare", "-m", "sh", "-c", mount, disk.to_str().unwrap()], "--data");
    let server = ServerProcess::start(command.arg(disk.join("likes")));
    // The server's disk, as seen from outside its mount namespace.
    let inside = PathBuf::from(format!("/proc/{}/root{}", server.id(), disk.display()));
    let filler = inside.join("filler");
    let full = fs::write(&filler, [0; 64 * 1024]).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    check_full_disk(server, &inside.join("likes"), |_| {
        fs::remove_file(filler).unwrap();
    });
}

#[test]
fn a_file_size_limit_is_handled_like_a_full_disk() {
    if !need("prlimit", "prlimit --version") {
        return;
    }
    let folder = Folder::new();
    let likes = folder.file("likes");
    // Room for the first line, ten likes, and half of another like.
    let mut command = started_by(&["prlimit", "--fsize=230:1000000"], "--data");
    let server = ServerProcess::start(command.arg(&likes));
    check_full_disk(server, &likes, |server| {
        let id = server.id().to_string();
        let raised = Command::new("prlimit").args(["--fsize=1000000", "--pid", &id]).status();
        assert!(raised.unwrap().success());
    });
}

/// Counts the library's log lines about panics.
struct PanicLogger;

/// Log lines about panics.
static LOGGED: AtomicUsize = AtomicUsize::new(0);

/// Panics of the server's threads, counted by the panic hook.
static PANICS: AtomicUsize = AtomicUsize::new(0);

impl log::Log for PanicLogger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = record.args().to_string();
        if line.contains("panic") {
            assert_eq!(line, "the handler of GET /panic panicked");
            LOGGED.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn flush(&self) {}
}

#[test]
fn under_load_a_panicking_handler_ends_only_its_own_connections() {
    // In a process of its own: the logger, the panic hook and the threads belong to a whole
    // process.
    let this = "endurance::under_load_a_panicking_handler_ends_only_its_own_connections";
    if !process::is_started_by_a_test() {
        let output = process::this_test_program(this).output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        println!("{stdout}");
        return assert!(output.status.success() && stdout.contains("1 passed"));
    }
    static ROUTES: Routes = routes(&[get("/", quick), get("/panic", panics)]);
    fn quick(_: &Request) -> Response {
        Response::text("quick")
    }
    fn panics(_: &Request) -> Response {
        panic!("on purpose")
    }
    log::set_logger(&PanicLogger).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |panic| match thread::current().name() {
        Some("openkitchen") => drop(PANICS.fetch_add(1, Ordering::SeqCst)),
        _ => hook(panic),
    }));
    // The server's threads belong to this process. Their name tells them from the test's threads.
    let threads = || {
        let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
        let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|name| name.trim_end() == "openkitchen").count()
    };
    let server = Server::bind("127.0.0.1:0").unwrap().start(&ROUTES, ()).unwrap();
    let address = server.address();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(move || {
                for _ in 0..250 {
                    let mut client = Client::connect(address);
                    client.send("GET /panic HTTP/1.1\r\nHost: h\r\n\r\n");
                    let response = client.response();
                    assert_eq!(response.status, 500);
                    assert_eq!(response.field("connection"), Some("close"));
                }
            });
        }
        let mut client = Client::connect(address);
        for _ in 0..500 {
            client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            assert_eq!(client.response().text(), "quick");
        }
    });
    let wait_until_at_most = |most| {
        let since = Instant::now();
        while threads() > most {
            assert!(since.elapsed() < TIMEOUT, "{} threads", threads());
            thread::sleep(Duration::from_millis(5));
        }
    };
    wait_until_at_most(6);
    println!("after 1000 panics: {} threads", threads());
    drop(server);
    wait_until_at_most(0);
    assert_eq!(PANICS.load(Ordering::SeqCst), 1000);
    assert_eq!(LOGGED.load(Ordering::SeqCst), 1);
}

/// A server whose allocator returns freed memory to the kernel. By default glibc keeps tens of MiB of it,
/// which looks like a leak.
fn start_site(flags: &str) -> ServerProcess {
    let variables = [("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_TRIM_THRESHOLD_", "131072")];
    ServerProcess::start_site_with_env(flags, &variables)
}

/// Runs equal rounds of clients, three at least, while other clients are served. After each round the server
/// has no more descriptors than before. The third round must not need more heap than the first two, or a
/// later one than all before it: with more threads at one time, a round may need more once, and a leak grows
/// in each round.
fn equal_rounds(server: &ServerProcess, round: impl Fn() + Sync) {
    let before = Resources::after_first_client(server);
    println!("before: {before}");
    let heap_after_round = || {
        thread::scope(|scope| {
            let round = scope.spawn(&round);
            assert_served(server);
            while !round.is_finished() {
                assert_served(server);
            }
        });
        let now = Resources::wait_until_released(server.id(), before);
        println!("after a round: {now}");
        now.heap
    };
    let mut most = heap_after_round().max(heap_after_round()) + MAX_GROWTH;
    for _ in 3..=MAX_ROUNDS {
        // A thread closes its socket before the allocator has returned the memory of the response.
        let (mut heap, since) = (heap_after_round(), Instant::now());
        while heap > most && since.elapsed() < RETURN_WAIT {
            thread::sleep(Duration::from_millis(20));
            heap = Resources::of(server.id()).heap;
        }
        if heap <= most {
            return;
        }
        most = heap + MAX_GROWTH;
    }
    panic!("each of {MAX_ROUNDS} rounds needs more memory: {most} KiB");
}

/// Stops the server. Its log must be empty.
#[track_caller]
fn stop_without_warnings(server: ServerProcess) {
    assert_eq!(stop_in_time(server), "");
}

#[test]
fn ten_thousand_short_connections_leak_nothing() {
    let server = start_site("");
    equal_rounds(&server, || {
        for number in 0..3_400 {
            let mut stream = TcpStream::connect(server.address).unwrap();
            if number % 2 == 0 {
                let _ = stream.write_all(GET.as_bytes());
            }
        }
    });
    stop_without_warnings(server);
}

#[test]
fn clients_that_disconnect_during_a_request_or_a_response_leak_nothing() {
    let server = start_site("");
    let large = "x".repeat(1 << 20);
    let large = format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n{large}");
    let requests = [
        "",
        "GET /about HT",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
        &large[..large.len() / 2],
        &large,
    ];
    equal_rounds(&server, || {
        for request in requests.iter().cycle().take(15 * requests.len()) {
            // The kernel sends a reset if received bytes were not read, and a FIN otherwise.
            let mut client = server.client();
            client.send(request);
            if request.len() == large.len() {
                let _ = client.stream.read(&mut [0; 100]);
            }
        }
    });
    stop_without_warnings(server);
}

#[test]
fn clients_that_never_read_are_closed_and_leak_nothing() {
    let server = start_site("--write-timeout 0.2");
    let content = "x".repeat(1 << 20);
    let request =
        format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n{content}");
    equal_rounds(&server, || {
        thread::scope(|scope| {
            for _ in 0..8 {
                // Writes until the server has closed the connection at the write timeout.
                scope.spawn(|| {
                    let mut stream = server.client().stream;
                    while stream.write_all(request.as_bytes()).is_ok() {}
                });
            }
        });
    });
    stop_without_warnings(server);
}

#[test]
fn an_unread_log_delays_no_response_and_lost_lines_are_counted() {
    if !need("mkfifo", "mkfifo --version") {
        return;
    }
    let folder = Folder::new();
    let pipe = folder.file("stderr");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Opened to read and to write, so that `open` does not wait for a writer.
    let unread_log = fs::File::options().read(true).write(true).open(&pipe).unwrap();
    let mut command = started_by(&["sh", "-c", "exec \"$@\" 2>\"$0\"", pipe.to_str().unwrap()], "");
    let server = ServerProcess::start(command.env("RUST_LOG", "info"));
    let mut client = server.client();
    for _ in 0..20_000 {
        client.send(GET);
        assert_eq!(client.response().status, 200);
    }
    // Now the log is read. A request's line may be written after its response has arrived, so lines may
    // follow those that tell of lost ones.
    let (sender, lines) = mpsc::channel();
    let mut to_read = BufReader::new(unread_log.try_clone().unwrap()).lines().map_while(Result::ok);
    thread::spawn(move || while to_read.next().is_some_and(|line| sender.send(line).is_ok()) {});
    let (mut kept, mut lost) = (0, 0);
    while kept + lost < 20_000 {
        let line =
            lines.recv_timeout(TIMEOUT).unwrap_or_else(|_| panic!("{kept} kept, {lost} lost"));
        kept += lines_with(&line, "\"GET /about\" 200");
        if line.ends_with(" of the log were lost") || line.ends_with(" of the log was lost") {
            lost += line.split(' ').nth(2).unwrap().parse::<usize>().unwrap();
        }
    }
    println!("{kept} lines were kept, {lost} were lost");
    assert_eq!(kept + lost, 20_000);
    assert!(lost > 0);

    // With an unread log, SIGTERM still stops the server.
    drop(lines); // the thread ends, and the pipe stays open
    for _ in 0..20_000 {
        client.send(GET);
        assert_eq!(client.response().status, 200);
    }
    stop_in_time(server);
    drop(unread_log);
}

#[test]
fn signals_during_requests_change_nothing() {
    let server = ServerProcess::start_site("");
    let before = Resources::after_first_client(&server);
    let line = "while kill -s STOP $0 && kill -s CONT $0; do :; done";
    let mut shell = Command::new("sh");
    let signals = Process::spawn(shell.args(["-c", line, &server.id().to_string()]));
    let mut client = server.client();
    for _ in 0..100 {
        client.send(GET);
        assert_eq!(client.response().status, 200);
        assert_served(&server);
    }
    drop(signals);
    server.signal("CONT");
    drop(client);
    Resources::wait_until_released(server.id(), before);
    stop_without_warnings(server);
}

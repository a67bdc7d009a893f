//! What knocks servers over: no descriptors, no threads, no room on the disk, handlers that panic,
//! clients that vanish or never read, and a log that nobody reads.
//!
//! Each time the server serves on, says once what is wrong, and gives back all it took. Run it with
//! `--nocapture` to see the figures.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

#[path = "process/mod.rs"]
mod process;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fs, panic, thread};

use openkitchen::{Request, Response, Routes, Server, get, routes};
use process::resources::Resources;
use process::{Client, Exit, Folder, Process, ServerProcess, TIMEOUT, need};

const GET: &str = "GET /about HTTP/1.1\r\nHost: h\r\n\r\n";

/// A moment: far less than any deadline of the server that could come to help.
const SOON: Duration = Duration::from_secs(5);

/// KiB that a server may keep of what a second crowd of the same kind had it take.
const KEPT: usize = 512;

/// The server, under something that starts it.
fn under(starter: &[&str], flags: &str) -> Command {
    let mut command = Command::new(starter[0]);
    command.args(&starter[1..]).arg(env!("CARGO_BIN_EXE_openkitchen"));
    command.args(["--listen", "127.0.0.1:0", "--no-trace"]).args(flags.split_whitespace());
    command
}

/// The lines of a log that hold these words.
fn lines_with(log: &str, words: &str) -> usize {
    log.lines().filter(|line| line.contains(words)).count()
}

/// Asks it to stop: it ends at once, and in order.
#[track_caller]
fn stops(server: ServerProcess) -> String {
    let since = Instant::now();
    let Exit { code, stderr, .. } = server.stop();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}: {stderr}", since.elapsed());
    stderr
}

/// A client who comes, asks and leaves.
#[track_caller]
fn is_served(server: &ServerProcess) {
    let since = Instant::now();
    assert_eq!(server.get("/about").status, 200);
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
}

/// A client who has asked.
fn asking(server: &ServerProcess) -> Client {
    let mut client = server.client();
    client.send(GET);
    client
}

/// So many clients are there at once, and each is answered.
#[track_caller]
fn a_crowd_is_served(server: &ServerProcess, clients: usize) {
    let crowd: Vec<Client> = (0..clients).map(|_| asking(server)).collect();
    for mut client in crowd {
        assert_eq!(client.response().status, 200);
    }
}

#[test]
fn with_64_descriptors_500_clients_are_served_and_the_silent_keep_nobody_out() {
    if !need("prlimit", "prlimit --version") {
        return;
    }
    let folder = Folder::new();
    let mut command = under(&["prlimit", "--nofile=64:64"], "--data");
    let server = ServerProcess::start(command.arg(folder.file("likes")));
    let before = Resources::after_first_client(&server);
    let silent: Vec<Client> = (0..100).map(|_| server.client()).collect();
    while Resources::of(server.id()).descriptors < 60 {
        thread::sleep(Duration::from_millis(1));
    }
    println!("with 100 silent clients: {}", Resources::of(server.id()));
    is_served(&server);
    a_crowd_is_served(&server, 500);
    is_served(&server);
    drop(silent);
    println!("before {before}; after {}", Resources::at_rest(server.id(), before));

    let _silent: Vec<Client> = (0..100).map(|_| server.client()).collect();
    let log = stops(server);
    assert_eq!(lines_with(&log, "no connection can be accepted for now"), 1, "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[test]
fn with_20_threads_100_clients_are_served_and_the_silent_keep_nobody_out() {
    // Of a user of its own, for the limit is on all threads of a user, and root has none.
    let user = (100_000 + std::process::id()).to_string();
    let starter =
        ["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups", "prlimit", "--nproc=20"];
    let attempt = format!("{} {} --version", starter.join(" "), env!("CARGO_BIN_EXE_openkitchen"));
    if !need("setpriv and prlimit, as root,", &attempt) {
        return;
    }
    let server = ServerProcess::start(&mut under(&starter, ""));
    let before = Resources::after_first_client(&server);
    let silent: Vec<Client> = (0..40).map(|_| server.client()).collect();
    while Resources::of(server.id()).threads < 20 {
        thread::sleep(Duration::from_millis(1));
    }
    println!("with 40 silent clients: {}", Resources::of(server.id()));
    is_served(&server);
    a_crowd_is_served(&server, 100);
    is_served(&server);
    drop(silent);
    println!("before {before}; after {}", Resources::at_rest(server.id(), before));

    // An upload that is under way is finished, though no thread can be made to wait for it.
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
    assert_eq!(lines_with(&stderr, "no more threads can be made"), 1, "{stderr}");
    assert_eq!(lines_with(&stderr, "likes are kept in memory"), 1, "{stderr}");
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
}

const LIKE: &str = "POST /api/likes HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\
                    Content-Type: application/x-www-form-urlencoded\r\n\r\npost=1";

/// One like: the status, and what is said.
fn like(client: &mut Client) -> (u16, String) {
    client.send(LIKE);
    let answer = client.response();
    (answer.status, answer.text().to_owned())
}

/// Likes until there is no room; gives the number of those that were stored.
fn fill(server: &ServerProcess) -> u64 {
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
    unreachable!("no disk is endless")
}

/// Without room: all who like are told, the count stands, and no half line is left. Then there is room
/// again.
fn a_full_disk_is_told_and_costs_nothing(
    server: ServerProcess,
    likes: &PathBuf,
    make_room: impl FnOnce(&ServerProcess),
) {
    let before = Resources::after_first_client(&server);
    let stored = fill(&server);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = server.client();
                for _ in 0..10 {
                    assert_eq!(like(&mut client).0, 507);
                }
            });
        }
        (0..20).for_each(|_| is_served(&server));
    });
    let counted = |server: &ServerProcess, likes: u64| {
        let text = server.get("/api/likes");
        assert!(text.text().starts_with(&format!("{{\"1\":{likes},")), "{}", text.text());
    };
    counted(&server, stored);
    assert_eq!(fs::metadata(likes).unwrap().len(), 20 * (stored + 1), "whole lines");
    println!("{stored} likes had room; before {before}; full {}", Resources::of(server.id()));

    make_room(&server);
    let (status, text) = like(&mut server.client());
    assert_eq!((status, text), (201, format!("{{\"post\":1,\"likes\":{}}}", stored + 1)));
    counted(&server, stored + 1);
    assert_eq!(fs::metadata(likes).unwrap().len(), 20 * (stored + 2));
    Resources::at_rest(server.id(), before);
    let log = stops(server);
    assert_eq!(lines_with(&log, "likes cannot be stored for now"), 1, "{log}");
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[test]
fn on_a_full_disk_a_like_is_told_so_and_does_not_count() {
    if !need("unshare and mount, as root,", "unshare -m mount -t tmpfs none /mnt") {
        return;
    }
    let folder = Folder::new();
    let disk = folder.file("disk");
    fs::create_dir(&disk).unwrap();
    let mount = "mount -t tmpfs -o size=16k none \"$0\" && exec \"$@\"";
    let mut command =
        under(&["unshare", "-m", "sh", "-c", mount, disk.to_str().unwrap()], "--data");
    let server = ServerProcess::start(command.arg(disk.join("likes")));
    // Seen from outside its own mounts.
    let inside = PathBuf::from(format!("/proc/{}/root{}", server.id(), disk.display()));
    let filler = inside.join("filler");
    let full = fs::write(&filler, [0; 64 * 1024]).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    a_full_disk_is_told_and_costs_nothing(server, &inside.join("likes"), |_| {
        fs::remove_file(filler).unwrap();
    });
}

#[test]
fn a_limit_on_the_size_of_files_is_a_full_disk_and_not_the_end() {
    if !need("prlimit", "prlimit --version") {
        return;
    }
    let folder = Folder::new();
    let likes = folder.file("likes");
    // The first line, ten likes, and half of one more.
    let mut command = under(&["prlimit", "--fsize=230:1000000"], "--data");
    let server = ServerProcess::start(command.arg(&likes));
    a_full_disk_is_told_and_costs_nothing(server, &likes, |server| {
        let id = server.id().to_string();
        let raised = Command::new("prlimit").args(["--fsize=1000000", "--pid", &id]).status();
        assert!(raised.unwrap().success());
    });
}

/// Counts what the library says.
struct Ear;

/// Panics that it told, and those that the panic hook heard of.
static TOLD: AtomicUsize = AtomicUsize::new(0);
static HOOKED: AtomicUsize = AtomicUsize::new(0);

impl log::Log for Ear {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = record.args().to_string();
        if line.contains("panic") {
            assert_eq!(line, "the handler of GET /panic panicked");
            TOLD.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn flush(&self) {}
}

#[test]
fn a_handler_that_panics_under_load_costs_its_own_connections_and_nothing_else() {
    static ROUTES: Routes = routes(&[get("/", quick), get("/panic", panics)]);
    fn quick(_: &Request) -> Response {
        Response::text("quick")
    }
    fn panics(_: &Request) -> Response {
        panic!("as it should")
    }
    log::set_logger(&Ear).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |panic| match thread::current().name() {
        Some("openkitchen") => drop(HOOKED.fetch_add(1, Ordering::SeqCst)),
        _ => hook(panic),
    }));
    // The server's threads are of this process: told apart by their name.
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
                    let answer = client.response();
                    assert_eq!(answer.status, 500);
                    assert_eq!(answer.field("connection"), Some("close"));
                }
            });
        }
        let mut regular = Client::connect(address);
        for _ in 0..500 {
            regular.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            assert_eq!(regular.response().text(), "quick");
        }
    });
    let are_left = |most| {
        let since = Instant::now();
        while threads() > most {
            assert!(since.elapsed() < TIMEOUT, "{} threads", threads());
            thread::sleep(Duration::from_millis(5));
        }
    };
    are_left(6);
    println!("after 1000 panics: {} threads", threads());
    drop(server);
    are_left(0);
    assert_eq!(HOOKED.load(Ordering::SeqCst), 1000);
    assert_eq!(TOLD.load(Ordering::SeqCst), 1);
}

/// A server whose allocator gives memory back when it is freed. Of itself glibc's keeps some tens of MiB
/// for later, and nobody could tell that from a leak.
fn open(flags: &str) -> ServerProcess {
    let variables = [("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_TRIM_THRESHOLD_", "131072")];
    ServerProcess::start_site_with_env(flags, &variables)
}

/// Three crowds, one after the other, while somebody else is served. What the server holds then is what
/// it held before, and the second and third take no memory that the first had not taken.
fn three_times(server: &ServerProcess, crowd: impl Fn() + Sync) {
    let before = Resources::after_first_client(server);
    println!("before  {before}");
    let after = [1, 2, 3].map(|_| {
        thread::scope(|scope| {
            let crowd = scope.spawn(&crowd);
            is_served(server);
            while !crowd.is_finished() {
                is_served(server);
            }
        });
        let now = Resources::at_rest(server.id(), before);
        println!("at rest {now}");
        now
    });
    let most = after[0].heap.max(after[1].heap) + KEPT;
    assert!(after[2].heap <= most, "{} KiB, after {most}", after[2].heap);
}

/// Nothing went wrong that the log would speak of.
#[track_caller]
fn had_nothing_to_say(server: ServerProcess) {
    assert_eq!(stops(server), "");
}

#[test]
fn ten_thousand_who_come_and_leave_at_once_leave_nothing_behind() {
    let server = open("");
    three_times(&server, || {
        for number in 0..3_400 {
            let mut stream = TcpStream::connect(server.address).unwrap();
            if number % 2 == 0 {
                let _ = stream.write_all(GET.as_bytes());
            }
        }
    });
    had_nothing_to_say(server);
}

#[test]
fn who_vanishes_in_the_middle_of_a_request_or_of_an_answer_leaves_nothing_behind() {
    let server = open("");
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
    three_times(&server, || {
        for request in requests.iter().cycle().take(15 * requests.len()) {
            // With a FIN where nothing has come that was not read, and with a reset otherwise.
            let mut client = server.client();
            client.send(request);
            if request.len() == large.len() {
                let _ = client.stream.read(&mut [0; 100]);
            }
        }
    });
    had_nothing_to_say(server);
}

#[test]
fn who_never_reads_is_given_up_and_leaves_nothing_behind() {
    let server = open("--write-timeout 0.2");
    let content = "x".repeat(1 << 20);
    let request =
        format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n{content}");
    three_times(&server, || {
        thread::scope(|scope| {
            for _ in 0..8 {
                // Writes until the server, which waits for it to read, has given it up.
                scope.spawn(|| {
                    let mut stream = server.client().stream;
                    while stream.write_all(request.as_bytes()).is_ok() {}
                });
            }
        });
    });
    had_nothing_to_say(server);
}

#[test]
fn a_log_that_nobody_reads_holds_nobody_up_and_what_is_lost_is_counted() {
    if !need("mkfifo", "mkfifo --version") {
        return;
    }
    let folder = Folder::new();
    let pipe = folder.file("stderr");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Open for both, so that it is open at once.
    let mut reader = fs::File::options().read(true).write(true).open(&pipe).unwrap();
    let mut command = under(&["sh", "-c", "exec \"$@\" 2>\"$0\"", pipe.to_str().unwrap()], "");
    let server = ServerProcess::start(command.env("RUST_LOG", "info"));
    let mut client = server.client();
    for _ in 0..3_000 {
        client.send(GET);
        assert_eq!(client.response().status, 200);
    }
    // Somebody reads again, and is told what was lost.
    let mut log = Vec::new();
    let mut piece = [0; 64 * 1024];
    while !log.ends_with(b" lines of the log were lost\n") {
        let length = reader.read(&mut piece).unwrap();
        log.extend_from_slice(&piece[..length]);
    }
    let log = String::from_utf8(log).unwrap();
    let (kept, lost) = log.trim_end().rsplit_once('\n').unwrap();
    let lost: usize = lost.split(' ').nth(2).unwrap().parse().unwrap();
    let kept = lines_with(kept, "\"GET /about\" 200");
    println!("{kept} lines were kept, {lost} were lost");
    assert_eq!(kept + lost, 3_000);

    // And with nobody there again, it ends when it is asked to.
    for _ in 0..3_000 {
        client.send(GET);
        assert_eq!(client.response().status, 200);
    }
    stops(server);
}

#[test]
fn signals_in_the_middle_of_everything_change_nothing() {
    let server = ServerProcess::start_site("");
    let before = Resources::after_first_client(&server);
    let line = "while kill -s STOP $0 && kill -s CONT $0; do :; done";
    let mut storm = Command::new("sh");
    let storm = Process::spawn(storm.args(["-c", line, &server.id().to_string()]));
    let mut regular = server.client();
    for _ in 0..100 {
        regular.send(GET);
        assert_eq!(regular.response().status, 200);
        is_served(&server);
    }
    drop(storm);
    server.signal("CONT");
    drop(regular);
    Resources::at_rest(server.id(), before);
    had_nothing_to_say(server);
}

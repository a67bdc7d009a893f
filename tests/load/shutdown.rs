//! Tests of how the server ends: SIGKILL, SIGTERM and SIGINT, the grace and drain times, PID 1. An
//! acknowledged like is kept, and every accepted request is answered.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::process::{self, Exit, Folder, ServerProcess, TIMEOUT};

/// The longest time of a stop that waits for no request, and of the stop after the grace time. It
/// allows for a busy machine, and is far less than the grace time of 60 s in these tests.
const STOP_TIME: Duration = Duration::from_secs(2);

/// A second signal within this time is the first one, sent again.
const REPEAT_TIME: Duration = Duration::from_millis(500);

const LIKE: &str = "POST /api/likes HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\
                    Content-Type: application/x-www-form-urlencoded\r\n\r\npost=1";

/// The number of likes of post 1 that the API reports.
fn likes(server: &ServerProcess) -> u64 {
    let response = server.get("/api/likes");
    let count = response.text().strip_prefix("{\"1\":").and_then(|rest| rest.split_once(','));
    count.unwrap().0.parse().unwrap()
}

/// Sends one like, and returns the count in the response; `None` if the connection ends first.
fn like(client: &mut Client) -> Option<u64> {
    client.send(LIKE);
    let response = client.response_or_end()?;
    assert_eq!(response.status, 201, "{}", response.text());
    response.text().strip_prefix("{\"post\":1,\"likes\":")?.strip_suffix('}')?.parse().ok()
}

#[test]
fn kill_9_during_a_hundred_posts_loses_no_acknowledged_like() {
    let folder = Folder::new();
    let (sent, mut acknowledged) = (AtomicU64::new(0), 0);
    for round in 0..4 {
        let mut server = ServerProcess::start_site_with_likes(&folder.file("likes"), "");
        let kept = likes(&server);
        let most = sent.load(Ordering::SeqCst);
        assert!((acknowledged..=most).contains(&kept), "{acknowledged} <= {kept} <= {most}");
        let (sender, counts) = mpsc::channel();
        let clients: Vec<_> = (0..100).map(|_| server.client()).collect();
        thread::scope(|scope| {
            for mut client in clients {
                let (sender, sent) = (sender.clone(), &sent);
                scope.spawn(move || {
                    loop {
                        sent.fetch_add(1, Ordering::SeqCst);
                        let Some(count) = like(&mut client) else { return };
                        sender.send(count).unwrap();
                    }
                });
            }
            drop(sender);
            // At this moment each of the clients waits for a response or is about to send a request.
            let mut received: Vec<u64> = counts.iter().take(120 + 50 * round).collect();
            server.kill();
            received.extend(counts);
            let distinct: BTreeSet<u64> = received.iter().copied().collect();
            assert_eq!(distinct.len(), received.len(), "two responses have the same count");
            acknowledged = kept + received.len() as u64;
        });
    }
    let kept = likes(&ServerProcess::start_site_with_likes(&folder.file("likes"), ""));
    assert!(acknowledged <= kept && kept <= sent.into_inner(), "{acknowledged} <= {kept}");
}

/// Four clients like while `change` runs, which sees how many likes were acknowledged. Then the
/// server is killed. Returns the likes that were acknowledged, and those that were sent.
fn likes_during(data: &Path, change: impl FnOnce(&AtomicU64)) -> (u64, u64) {
    let mut server = ServerProcess::start_site_with_likes(data, "");
    let (sent, acknowledged, is_over) =
        (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = server.client();
                while !is_over.load(Ordering::SeqCst) {
                    sent.fetch_add(1, Ordering::SeqCst);
                    client.send(LIKE);
                    let response = client.response();
                    assert!(matches!(response.status, 201 | 500), "{}", response.text());
                    acknowledged.fetch_add(u64::from(response.status == 201), Ordering::SeqCst);
                }
            });
        }
        change(&acknowledged);
        is_over.store(true, Ordering::SeqCst);
    });
    server.kill();
    (acknowledged.into_inner(), sent.into_inner())
}

#[test]
fn likes_that_are_acknowledged_while_the_file_is_moved_are_counted_by_the_next_start() {
    let folder = Folder::new();
    let [data, moved] = ["likes", "moved"].map(|name| folder.file(name));
    let (acknowledged, sent) = likes_during(&data, |acknowledged| {
        let since = Instant::now();
        while acknowledged.load(Ordering::SeqCst) < 50 && since.elapsed() < TIMEOUT {
            fs::rename(&data, &moved).unwrap();
            thread::yield_now();
            fs::rename(&moved, &data).unwrap();
            thread::yield_now();
        }
    });
    assert!((50..sent).contains(&acknowledged), "{acknowledged} of {sent}");
    let kept = likes(&ServerProcess::start_site_with_likes(&data, ""));
    assert_eq!(kept, acknowledged);
}

#[test]
fn the_next_start_accepts_a_file_that_was_cut_at_any_moment() {
    let folder = Folder::new();
    for length in [0, 7, 20, 30, 45].repeat(4) {
        let data = folder.file("likes");
        let (_, sent) = likes_during(&data, |_| {
            while fs::metadata(&data).unwrap().len() < 100 {
                thread::yield_now();
            }
            fs::File::options().write(true).open(&data).unwrap().set_len(length).unwrap();
        });
        let server = ServerProcess::start_site_with_likes(&data, "");
        assert!(likes(&server) <= sent, "cut to {length}");
        assert!(like(&mut server.client()).is_some());
        drop(server);
        fs::remove_file(&data).unwrap();
    }
}

#[test]
fn a_torn_last_record_is_repaired_on_start() {
    let folder = Folder::new();
    let data = folder.file("likes");
    let start = |data: &Path| ServerProcess::start_site_with_likes(data, "");
    let mut server = start(&data);
    for count in 1..=3 {
        assert_eq!(like(&mut server.client()), Some(count));
    }
    server.kill();
    let whole = fs::read(&data).unwrap();
    let record = (whole.len() - 20) / 3;
    for (torn, kept) in [
        ([&whole[..], b"0000000001 5"].concat(), 3),
        ([&whole[..], b"garbage\xff\0\n"].concat(), 3),
        ([&whole[..], &[0; 4096]].concat(), 3),
        (whole[..whole.len() - 1].to_vec(), 2),
        (whole[..whole.len() - record].to_vec(), 2),
        (whole[..25].to_vec(), 0),
        (whole[..7].to_vec(), 0),
    ] {
        fs::write(&data, &torn).unwrap();
        let server = start(&data);
        assert_eq!(likes(&server), kept, "{}", torn.escape_ascii());
        assert_eq!(fs::read(&data).unwrap(), whole[..20 + record * kept as usize], "cut off");
        assert_eq!(like(&mut server.client()), Some(kept + 1));
        let Exit { code, stderr, .. } = server.stop();
        assert_eq!(code, Some(0), "{stderr}");
        assert_eq!(likes(&start(&data)), kept + 1, "a like after the repair is kept");
    }
}

#[test]
fn sigterm_closes_idle_connections_and_answers_an_upload_in_progress() {
    let server = ServerProcess::start_site("");
    let mut idle = server.client();
    idle.send("GET /about HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(idle.response().status, 200);
    let mut silent = server.client();
    let mut upload = server.client();
    upload.send(
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(upload.response().status, 100);
    upload.send("first");

    server.signal("TERM");
    let received = (idle.read_to_end(), silent.read_to_end());
    assert_eq!(received, (vec![], vec![]), "closed without a response");
    wait_until_refused(&server);
    upload.send("-last");
    let response = upload.response();
    assert_eq!((response.status, response.text()), (200, "first-last"));
    assert_eq!(response.field("connection"), Some("close"));
    drop(upload);
    assert_eq!(server.wait().code, Some(0));
}

/// Waits until a new connection is refused.
fn wait_until_refused(server: &ServerProcess) {
    let since = Instant::now();
    while TcpStream::connect(server.address).is_ok() {
        assert!(since.elapsed() < TIMEOUT, "the server still accepts");
    }
}

#[test]
fn requests_sent_before_sigterm_are_answered() {
    for _ in 0..5 {
        let server = ServerProcess::start_site("");
        let mut known = server.client();
        known.send("GET /about HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(known.response().status, 200);
        // Some of these are served, some wait for a thread, and some wait in the backlog.
        let mut clients: Vec<Client> = (0..40).map(|_| server.client()).collect();
        clients.push(known);
        for client in &mut clients {
            client.send(LIKE);
        }
        server.signal("TERM");
        let responses = clients.into_iter().filter_map(|mut client| client.response_or_end());
        assert_eq!((responses.count(), server.wait().code), (41, Some(0)), "each was in flight");
    }
}

#[test]
fn the_grace_time_bounds_the_stop() {
    let (server, mut upload) = server_with_an_upload("--grace 0.4");
    let since = Instant::now();
    let Exit { code, stderr, .. } = server.stop();
    let took = since.elapsed();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(took >= Duration::from_millis(400) && took < Duration::from_millis(400) + STOP_TIME);
    assert!(stderr.contains("cut off"), "{stderr}");
    upload.read_to_end();
}

#[test]
fn without_a_grace_time_idle_clients_are_not_counted_as_cut_off() {
    for uploads in 0..3 {
        let server = ServerProcess::start_site("--grace 0");
        let kept: Vec<Client> = (0..uploads).map(|_| incomplete_upload(&server)).collect();
        let idle: Vec<Client> = (0..20)
            .map(|_| {
                let mut idle = server.client();
                idle.send("GET /about HTTP/1.1\r\nHost: h\r\n\r\n");
                assert_eq!(idle.response().status, 200);
                idle
            })
            .collect();
        // Meanwhile the threads of the others have begun to wait.
        assert_eq!(server.get("/about").status, 200);
        let Exit { code, stderr, .. } = server.stop();
        assert_eq!(code, Some(0), "{stderr}");
        match uploads {
            0 => assert!(!stderr.contains("cut off"), "{stderr}"),
            1 => assert!(stderr.contains(" 1 connection was cut off"), "{stderr}"),
            _ => assert!(stderr.contains(" 2 connections were cut off"), "{stderr}"),
        }
        drop((idle, kept));
    }
}

/// A server, and a client whose request stays incomplete.
fn server_with_an_upload(flags: &str) -> (ServerProcess, Client) {
    let server = ServerProcess::start_site(flags);
    let upload = incomplete_upload(&server);
    (server, upload)
}

/// A client whose request is half received and stays incomplete.
fn incomplete_upload(server: &ServerProcess) -> Client {
    let mut upload = server.client();
    upload.send(
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(upload.response().status, 100);
    upload.send("1");
    upload
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    for (first, second) in [("TERM", "TERM"), ("INT", "INT"), ("INT", "TERM"), ("HUP", "TERM")] {
        let (server, _upload) = server_with_an_upload("--grace 60");
        server.signal(first);
        wait_until_refused(&server);
        thread::sleep(REPEAT_TIME);
        let since = Instant::now();
        server.signal(second);
        let (Exit { code, .. }, stop_lines) = server.wait_for_stop_lines();
        assert_eq!(code, Some(1), "{first}, {second}");
        assert!(stop_lines.trim_end().ends_with(process::SECOND_SIGNAL), "{stop_lines}");
        assert!(since.elapsed() < STOP_TIME);
    }
}

#[test]
fn a_signal_that_comes_twice_at_once_is_one_and_the_upload_is_still_answered() {
    for [first, second] in [["TERM", "TERM"], ["INT", "INT"], ["INT", "TERM"], ["HUP", "TERM"]] {
        for flags in ["--grace 60", "--grace 60 --drain 0.1"] {
            let (server, mut upload) = server_with_an_upload(flags);
            server.signal(first);
            server.signal(second);
            wait_until_refused(&server);
            upload.send("2");
            assert_eq!(upload.response().text(), "12", "{first}, {second}, {flags}");
            assert_eq!(server.wait().code, Some(0), "{first}, {second}, {flags}");
        }
    }
}

#[test]
fn an_idle_server_stops_at_the_first_sigterm_sigint_or_sighup() {
    for name in ["TERM", "INT", "HUP"] {
        let server = ServerProcess::start_site("--grace 60");
        let since = Instant::now();
        server.signal(name);
        assert_eq!(server.wait().code, Some(0));
        assert!(since.elapsed() < STOP_TIME, "{name}");
    }
}

#[test]
fn the_log_says_that_the_server_drains_stops_and_has_stopped() {
    let stopping = "stopping; open exchanges have 60 s to finish (--grace)";
    for (flags, signal, expected) in [
        ("--grace 60", "TERM", format!("SIGTERM: {stopping}")),
        ("--grace 60", "INT", format!("SIGINT: {stopping}")),
        ("--grace 60", "HUP", format!("SIGHUP: {stopping}")),
        (
            "--grace 60 --drain 0.1",
            "TERM",
            format!(
                "SIGTERM: draining for 0.1 s: /healthz answers 503, other routes as before\n\
                 openkitchen: SIGTERM: {stopping}"
            ),
        ),
    ] {
        let server = ServerProcess::start_site(flags);
        server.signal(signal);
        let (Exit { code, .. }, stop_lines) = server.wait_for_stop_lines();
        let expected = format!("openkitchen: {expected}\nopenkitchen: stopped\n");
        assert_eq!((code, stop_lines), (Some(0), expected));
    }
}

#[test]
fn a_closed_terminal_may_send_sighup_twice_and_the_upload_is_still_answered() {
    let (server, mut upload) = server_with_an_upload("--grace 60");
    server.signal("HUP");
    wait_until_refused(&server);
    server.signal("HUP");
    upload.send("2");
    assert_eq!(upload.response().text(), "12");
    assert_eq!(server.wait().code, Some(0));
}

#[test]
fn under_nohup_sighup_is_ignored() {
    let folder = Folder::new();
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_openkitchen")]);
    command.args(["--listen", "127.0.0.1:0", "--no-trace", "--data"]).arg(folder.file("likes"));
    let server = ServerProcess::start(&mut command);
    server.signal("HUP");
    assert_eq!(server.get("/about").status, 200);
    server.signal("TERM");
    assert!(server.wait_for_stop_lines().1.starts_with("openkitchen: SIGTERM: "));
}

#[test]
fn clients_that_connect_without_end_do_not_delay_the_stop() {
    for _ in 0..2 {
        let server = ServerProcess::start_site("--grace 60");
        let address = server.address;
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(move || while TcpStream::connect(address).is_ok() {});
            }
            assert_eq!(server.get("/about").status, 200);
            let since = Instant::now();
            assert_eq!(server.stop().code, Some(0));
            assert!(since.elapsed() < STOP_TIME, "{:?}", since.elapsed());
        });
    }
}

#[test]
fn during_the_drain_time_healthz_answers_503_and_other_routes_answer_as_before() {
    let server = ServerProcess::start_site("--drain 0.5");
    assert_eq!(server.get("/healthz").status, 200);
    server.signal("TERM");
    let since = Instant::now();
    let draining = loop {
        let response = server.get("/healthz");
        if response.status != 200 {
            break response;
        }
    };
    assert_eq!((draining.status, draining.text()), (503, "draining"));
    assert_eq!(server.get("/about").status, 200, "new connections are still accepted");
    assert_eq!(server.wait().code, Some(0));
    assert!(since.elapsed() >= Duration::from_millis(450));
}

/// The site as PID 1 of a namespace; `None` if there can be no namespace. PID 1 is a shell first, which
/// runs `script`. That ends by an `exec` of `"$0" "$@"`, the site.
fn site_as_pid_1(script: &str, data: &Path) -> Option<ServerProcess> {
    if !process::need("unshare", "unshare -pf --mount-proc true") {
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["-pf", "--mount-proc", "--kill-child", "sh", "-c", script]);
    command.args([env!("CARGO_BIN_EXE_openkitchen"), "--listen", "127.0.0.1:0", "--no-trace"]);
    Some(ServerProcess::start(command.arg("--data").arg(data)))
}

#[test]
fn as_pid_1_it_stops_at_sigterm() {
    let folder = Folder::new();
    let Some(server) = site_as_pid_1("exec \"$0\" \"$@\"", &folder.file("likes")) else { return };
    assert_eq!(server.get("/about").status, 200);
    let since = Instant::now();
    process::signal("TERM", &format!("$(cat /proc/{0}/task/{0}/children)", server.id()));
    let Exit { code, stderr, .. } = server.wait();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert_eq!(stderr.matches("only this container can reach it").count(), 1, "{stderr}");
}

#[test]
fn as_pid_1_it_leaves_no_zombie() {
    let folder = Folder::new();
    // An orphan that ends while the server runs, and a child that has ended before. A shell would reap
    // that one.
    let script = "(sleep 0.3 &); exec python3 -c 'import os, sys\n\
        os.fork() or os._exit(0)\n\
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)\n\
        os.execv(sys.argv[1], sys.argv[1:])' \"$0\" \"$@\"";
    if !process::need("python3", "python3 -c ''") {
        return;
    }
    let Some(server) = site_as_pid_1(script, &folder.file("likes")) else { return };
    let children = |process: &str| {
        let path = format!("/proc/{process}/task/{process}/children");
        fs::read_to_string(path).unwrap().trim().to_owned()
    };
    let pid_1 = children(&server.id().to_string());
    let since = Instant::now();
    while !children(&pid_1).is_empty() {
        assert!(since.elapsed() < TIMEOUT, "zombies: {}", children(&pid_1));
        thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(server.get("/about").status, 200);
}

#[test]
#[should_panic(expected = "spoon is needed where CI=true")]
fn a_missing_tool_fails_the_test_where_ci_is_true() {
    process::skip_or_fail("spoon", true);
}

//! How it ends: killed, asked to stop, as PID 1. What was acknowledged is kept, and who was let in
//! is answered.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::process::{self, Client, Exit, Folder, ServerProcess, TIMEOUT};

/// Far less than a grace time, and more than a busy machine needs for nothing.
const SOON: Duration = Duration::from_secs(2);

const LIKE: &str = "POST /api/likes HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\
                    Content-Type: application/x-www-form-urlencoded\r\n\r\npost=1";

/// The likes of post 1, as the API counts them.
fn likes(server: &ServerProcess) -> u64 {
    let answer = server.get("/api/likes");
    let count = answer.text().strip_prefix("{\"1\":").and_then(|rest| rest.split_once(','));
    count.unwrap().0.parse().unwrap()
}

/// One like, and the count it made; `None` where no answer comes any more.
fn like(client: &mut Client) -> Option<u64> {
    client.send(LIKE);
    let answer = client.response_or_end()?;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.text().strip_prefix("{\"post\":1,\"likes\":")?.strip_suffix('}')?.parse().ok()
}

#[test]
fn kill_9_in_the_middle_of_a_hundred_posts_loses_no_acknowledged_like() {
    let folder = Folder::new();
    let (sent, mut acknowledged) = (AtomicU64::new(0), 0);
    for round in 0..4 {
        let mut server = ServerProcess::start_site_with_likes(&folder.file("likes"), "");
        let kept = likes(&server);
        let most = sent.load(Ordering::SeqCst);
        assert!((acknowledged..=most).contains(&kept), "{acknowledged} <= {kept} <= {most}");
        let (told, counts) = mpsc::channel();
        let guests: Vec<_> = (0..100).map(|_| server.client()).collect();
        thread::scope(|scope| {
            for mut guest in guests {
                let (told, sent) = (told.clone(), &sent);
                scope.spawn(move || {
                    loop {
                        sent.fetch_add(1, Ordering::SeqCst);
                        let Some(count) = like(&mut guest) else { return };
                        told.send(count).unwrap();
                    }
                });
            }
            drop(told);
            // All hundred have a request under way, or are about to send the next one.
            let mut given: Vec<u64> = counts.iter().take(120 + 50 * round).collect();
            server.kill();
            given.extend(counts);
            let distinct: BTreeSet<u64> = given.iter().copied().collect();
            assert_eq!(distinct.len(), given.len(), "no count is given twice");
            acknowledged = kept + given.len() as u64;
        });
    }
    let kept = likes(&ServerProcess::start_site_with_likes(&folder.file("likes"), ""));
    assert!(acknowledged <= kept && kept <= sent.into_inner(), "{acknowledged} <= {kept}");
}

#[test]
fn a_torn_last_record_is_repaired_on_start() {
    let folder = Folder::new();
    let data = folder.file("likes");
    let open = |data: &Path| ServerProcess::start_site_with_likes(data, "");
    let mut server = open(&data);
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
        let server = open(&data);
        assert_eq!(likes(&server), kept, "{}", torn.escape_ascii());
        assert_eq!(fs::read(&data).unwrap(), whole[..20 + record * kept as usize], "cut off");
        assert_eq!(like(&mut server.client()), Some(kept + 1));
        let Exit { code, stderr, .. } = server.stop();
        assert_eq!(code, Some(0), "{stderr}");
        assert_eq!(likes(&open(&data)), kept + 1, "and what came after the repair stands");
    }
}

#[test]
fn the_upload_in_progress_is_answered_and_the_idle_are_let_go() {
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
    assert_eq!(
        (idle.read_to_end(), silent.read_to_end()),
        (vec![], vec![]),
        "closed without a word"
    );
    refuses(&server);
    upload.send("-last");
    let answer = upload.response();
    assert_eq!((answer.status, answer.text()), (200, "first-last"));
    assert_eq!(answer.field("connection"), Some("close"));
    drop(upload);
    assert_eq!(server.wait().code, Some(0));
}

/// Waits until nobody new is let in.
fn refuses(server: &ServerProcess) {
    let since = Instant::now();
    while TcpStream::connect(server.address).is_ok() {
        assert!(since.elapsed() < TIMEOUT, "it still accepts");
    }
}

#[test]
fn what_was_sent_before_the_signal_is_answered() {
    for _ in 0..5 {
        let server = ServerProcess::start_site("");
        let mut known = server.client();
        known.send("GET /about HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(known.response().status, 200);
        // Some of these are served, some wait for a thread, some to be accepted.
        let mut guests: Vec<Client> = (0..40).map(|_| server.client()).collect();
        guests.push(known);
        for guest in &mut guests {
            guest.send(LIKE);
        }
        server.signal("TERM");
        let answered = guests.into_iter().filter_map(|mut guest| guest.response_or_end()).count();
        assert_eq!((answered, server.wait().code), (41, Some(0)), "each was in flight");
    }
}

#[test]
fn the_grace_time_bounds_the_end() {
    let (server, mut upload) = with_an_upload("--grace 0.4");
    let since = Instant::now();
    let Exit { code, stderr, .. } = server.stop();
    let took = since.elapsed();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(took >= Duration::from_millis(400) && took < Duration::from_millis(400) + SOON);
    assert!(stderr.contains("cut off"), "{stderr}");
    upload.read_to_end();
}

/// A server with a request that is never completed.
fn with_an_upload(flags: &str) -> (ServerProcess, Client) {
    let server = ServerProcess::start_site(flags);
    let mut upload = server.client();
    upload.send(
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(upload.response().status, 100);
    upload.send("1");
    (server, upload)
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (first, second) in [("TERM", "TERM"), ("INT", "INT"), ("INT", "TERM")] {
        let (server, _upload) = with_an_upload("--grace 60");
        server.signal(first);
        refuses(&server);
        let since = Instant::now();
        server.signal(second);
        assert_eq!(server.wait().code, Some(1), "{first}, {second}");
        assert!(since.elapsed() < SOON);
    }
}

#[test]
fn an_idle_kitchen_closes_at_the_first_signal_whichever_it_is() {
    for name in ["TERM", "INT"] {
        let server = ServerProcess::start_site("--grace 60");
        let since = Instant::now();
        server.signal(name);
        assert_eq!(server.wait().code, Some(0));
        assert!(since.elapsed() < SOON, "{name}");
    }
}

#[test]
fn a_crowd_at_the_door_does_not_keep_it_open() {
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
            assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
        });
    }
}

#[test]
fn while_it_drains_healthz_warns_and_everything_else_goes_on() {
    let server = ServerProcess::start_site("--drain 0.5");
    assert_eq!(server.get("/healthz").status, 200);
    server.signal("TERM");
    let since = Instant::now();
    let warning = loop {
        let answer = server.get("/healthz");
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!((warning.status, warning.text()), (503, "draining"));
    assert_eq!(server.get("/about").status, 200, "new guests are still let in");
    assert_eq!(server.wait().code, Some(0));
    assert!(since.elapsed() >= Duration::from_millis(450));
}

#[test]
fn as_pid_1_it_stops_like_anywhere_else() {
    if !process::need("unshare", "unshare -pf --mount-proc true") {
        return;
    }
    let folder = Folder::new();
    let mut command = Command::new("unshare");
    command.args(["-pf", "--mount-proc", "--kill-child", env!("CARGO_BIN_EXE_openkitchen")]);
    command.args(["--listen", "127.0.0.1:0", "--no-trace", "--data"]).arg(folder.file("likes"));
    let server = ServerProcess::start(&mut command);
    assert_eq!(server.get("/about").status, 200);
    let since = Instant::now();
    process::signal("TERM", &format!("$(cat /proc/{0}/task/{0}/children)", server.id()));
    let Exit { code, stderr, .. } = server.wait();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert_eq!(stderr.matches("only this container can reach it").count(), 1, "{stderr}");
}

#[test]
#[should_panic(expected = "spoon is needed where CI=true")]
fn a_missing_tool_fails_where_ci_is_true() {
    process::skip_or_fail("spoon", true);
}

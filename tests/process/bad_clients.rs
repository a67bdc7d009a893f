//! Many clients, and not only good ones: one that hurts itself hurts nobody else.

use std::io::Write;
use std::time::{Duration, Instant};

use super::process::{Client, ServerProcess, TIMEOUT};

const GET: &str = "GET /about HTTP/1.1\r\nHost: h\r\n\r\n";

/// A guest who was served once, and so has a place.
fn guest(server: &ServerProcess) -> Client {
    let mut client = server.client();
    client.send(GET);
    assert_eq!(client.response().status, 200);
    client
}

/// Asks until somebody is served, as Retry-After says one should. That a place is free is known a
/// moment after its guest has left, and no later.
fn served_soon(server: &ServerProcess) -> Client {
    let since = Instant::now();
    loop {
        let mut client = server.client();
        client.send(GET);
        if client.response_or_end().is_some_and(|answer| answer.status == 200) {
            return client;
        }
        assert!(since.elapsed() < TIMEOUT, "no place comes free");
    }
}

#[test]
fn past_the_cap_a_guest_is_told_to_come_back_and_a_free_place_is_given_again() {
    let server = ServerProcess::start_site("--max-connections 4");
    let mut guests: Vec<Client> = (0..4).map(|_| guest(&server)).collect();
    for _ in 0..3 {
        let mut fifth = server.client();
        fifth.send(GET);
        let answer = fifth.response();
        assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")));
        assert_eq!(answer.field("connection"), Some("close"));
        let words = "as many connections are open as this server allows (at most 4)\n";
        assert!(answer.text().starts_with(words), "{}", answer.text());
        assert!(fifth.read_to_end().is_empty());
        // Those who have a place keep it, and one that leaves makes room, though the fifth has not
        // left yet.
        for guest in &mut guests {
            guest.send(GET);
            assert_eq!(guest.response().status, 200);
        }
        guests.swap_remove(0);
        guests.push(served_soon(&server));
    }
    drop(guests);
    let warnings = server.stop().stderr;
    assert!(warnings.contains("new ones are told 503"), "{warnings}");
}

#[test]
fn who_vanishes_leaves_no_place_taken() {
    let server = ServerProcess::start_site("--max-connections 4");
    for _ in 0..10 {
        for beginning in [
            "",
            "\r\n",
            "GET /about HT",
            "GET /about HTTP/1.1\r\nHost: h\r\n",
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf",
            "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
            "GET /about HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        ] {
            server.client().send(beginning);
        }
        drop(served_soon(&server));
    }
    let ended = server.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("panic"), "{}", ended.stderr);
}

#[test]
fn who_half_closes_is_answered_all_the_same() {
    let server = ServerProcess::start_site("");
    let mut client = server.client();
    client.send(format!("{GET}{GET}"));
    client.half_close();
    assert_eq!([client.response().status, client.response().status], [200, 200]);
    assert!(client.read_to_end().is_empty());
}

#[test]
fn who_never_reads_holds_up_nobody_and_is_given_up() {
    let server = ServerProcess::start_site("--max-connections 2 --write-timeout 2");
    let mut other = guest(&server);
    let deaf = server.client();
    deaf.stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let content = "x".repeat(1 << 20);
    let request =
        format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n{content}");
    let since = Instant::now();
    // Until nothing can be written any more, for the server waits for us to read.
    while (&deaf.stream).write_all(request.as_bytes()).is_ok() {}
    for _ in 0..20 {
        other.send(GET);
        assert_eq!(other.response().status, 200);
    }
    // And that was before the deaf one was given up: it still has its place.
    let mut third = server.client();
    third.send(GET);
    let status = third.response().status;
    assert!(status == 503 || since.elapsed() > Duration::from_secs(2), "{status}");
    drop(served_soon(&server));
    drop(deaf);
}

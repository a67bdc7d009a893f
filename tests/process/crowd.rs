//! Many clients, and not only good ones: one that hurts itself hurts nobody else.

use std::io::Write;
use std::time::{Duration, Instant};

use super::process::{Client, PATIENCE, ServerProcess};

const GET: &str = "GET /about HTTP/1.1\r\nHost: h\r\n\r\n";

/// A guest who was served once, and so has a place.
fn guest(kitchen: &ServerProcess) -> Client {
    let mut client = kitchen.client();
    client.send(GET);
    assert_eq!(client.answer().status, 200);
    client
}

/// Asks until somebody is served, as Retry-After says one should. That a place is free is known a
/// moment after its guest has left, and no later.
fn served_soon(kitchen: &ServerProcess) -> Client {
    let since = Instant::now();
    loop {
        let mut client = kitchen.client();
        client.send(GET);
        if client.next_answer().is_some_and(|answer| answer.status == 200) {
            return client;
        }
        assert!(since.elapsed() < PATIENCE, "no place comes free");
    }
}

#[test]
fn past_the_cap_a_guest_is_told_to_come_back_and_a_free_place_is_given_again() {
    let kitchen = ServerProcess::open("--max-connections 4");
    let mut guests: Vec<Client> = (0..4).map(|_| guest(&kitchen)).collect();
    for _ in 0..3 {
        let mut fifth = kitchen.client();
        fifth.send(GET);
        let answer = fifth.answer();
        assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")));
        assert_eq!(answer.field("connection"), Some("close"));
        let words = "as many connections are open as this server allows (at most 4)\n";
        assert!(answer.text().starts_with(words), "{}", answer.text());
        assert!(fifth.rest().is_empty());
        // Those who have a place keep it, and one that leaves makes room, though the fifth has not
        // left yet.
        for guest in &mut guests {
            guest.send(GET);
            assert_eq!(guest.answer().status, 200);
        }
        guests.swap_remove(0);
        guests.push(served_soon(&kitchen));
    }
    drop(guests);
    let warnings = kitchen.stop().stderr;
    assert!(warnings.contains("new ones get 503"), "{warnings}");
}

#[test]
fn who_vanishes_leaves_no_place_taken() {
    let kitchen = ServerProcess::open("--max-connections 4");
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
            kitchen.client().send(beginning);
        }
        drop(served_soon(&kitchen));
    }
    let ended = kitchen.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("panic"), "{}", ended.stderr);
}

#[test]
fn who_half_closes_is_answered_all_the_same() {
    let kitchen = ServerProcess::open("");
    let mut client = kitchen.client();
    client.send(format!("{GET}{GET}"));
    client.half_close();
    assert_eq!([client.answer().status, client.answer().status], [200, 200]);
    assert!(client.rest().is_empty());
}

#[test]
fn who_never_reads_holds_up_nobody_and_is_given_up() {
    let kitchen = ServerProcess::open("--max-connections 2 --write-timeout 2");
    let mut other = guest(&kitchen);
    let deaf = kitchen.client();
    deaf.stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let content = "x".repeat(1 << 20);
    let request =
        format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n{content}");
    let since = Instant::now();
    // Until nothing can be written any more, for the server waits for us to read.
    while (&deaf.stream).write_all(request.as_bytes()).is_ok() {}
    for _ in 0..20 {
        other.send(GET);
        assert_eq!(other.answer().status, 200);
    }
    // And that was before the deaf one was given up: it still has its place.
    let mut third = kitchen.client();
    third.send(GET);
    let status = third.answer().status;
    assert!(status == 503 || since.elapsed() > Duration::from_secs(2), "{status}");
    drop(served_soon(&kitchen));
    drop(deaf);
}

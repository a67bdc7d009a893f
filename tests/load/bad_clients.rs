//! Tests with clients that exceed the connection limit, disconnect, half-close or never read: the server
//! goes on serving the others.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::process::{ServerProcess, TIMEOUT};

const GET: &str = "GET /about HTTP/1.1\r\nHost: h\r\n\r\n";

/// A client that was served once, so its connection counts below the limit.
fn served_client(server: &ServerProcess) -> Client {
    let mut client = server.client();
    client.send(GET);
    assert_eq!(client.response().status, 200);
    client
}

/// Sends a request on a new connection until one is answered 200. The server needs a moment to see that
/// another connection was closed.
fn retry_until_served(server: &ServerProcess) -> Client {
    let since = Instant::now();
    loop {
        let mut client = server.client();
        client.send(GET);
        if client.response_or_end().is_some_and(|response| response.status == 200) {
            return client;
        }
        assert!(since.elapsed() < TIMEOUT, "no connection was released");
    }
}

#[test]
fn past_the_connection_limit_a_client_is_answered_503_and_a_closed_connection_makes_room() {
    let server = ServerProcess::start_site("--max-connections 4");
    let mut clients: Vec<Client> = (0..4).map(|_| served_client(&server)).collect();
    for _ in 0..3 {
        let mut fifth = server.client();
        fifth.send(GET);
        let response = fifth.response();
        assert_eq!((response.status, response.field("retry-after")), (503, Some("1")));
        assert_eq!(response.field("connection"), Some("close"));
        let words = "as many connections are open as this server allows (at most 4)\n";
        assert!(response.text().starts_with(words), "{}", response.text());
        assert!(fifth.read_to_end().is_empty());
        // The four connections stay. When one of them closes, another client is served, although the
        // rejected client has not closed its end yet.
        for client in &mut clients {
            client.send(GET);
            assert_eq!(client.response().status, 200);
        }
        clients.swap_remove(0);
        clients.push(retry_until_served(&server));
    }
    drop(clients);
    let warnings = server.stop().stderr;
    assert!(warnings.contains("new ones get 503"), "{warnings}");
}

#[test]
fn a_client_that_disconnects_releases_its_connection() {
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
        drop(retry_until_served(&server));
    }
    let exit = server.stop();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert!(!exit.stderr.contains("panic"), "{}", exit.stderr);
}

#[test]
fn a_client_that_half_closes_is_still_answered() {
    let server = ServerProcess::start_site("");
    let mut client = server.client();
    client.send(format!("{GET}{GET}"));
    client.half_close();
    assert_eq!([client.response().status, client.response().status], [200, 200]);
    assert!(client.read_to_end().is_empty());
}

#[test]
fn a_client_that_never_reads_delays_no_other_and_is_closed_at_the_write_timeout() {
    let server = ServerProcess::start_site("--max-connections 2 --write-timeout 2");
    let mut other = served_client(&server);
    let never_reads = server.client();
    never_reads.stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let content = "x".repeat(1 << 20);
    let request =
        format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n{content}");
    let since = Instant::now();
    // When the buffers are full, the server waits for this client to read, and reads no more itself.
    while (&never_reads.stream).write_all(request.as_bytes()).is_ok() {}
    for _ in 0..20 {
        other.send(GET);
        assert_eq!(other.response().status, 200);
    }
    // Before the write timeout, the connection is still open and counts below the limit.
    let mut third = server.client();
    third.send(GET);
    let status = third.response().status;
    assert!(status == 503 || since.elapsed() > Duration::from_secs(2), "{status}");
    drop(retry_until_served(&server));
    drop(never_reads);
}

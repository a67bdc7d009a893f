//! Tests with clients that exceed the connection limit, disconnect, half-close or never read: the server
//! goes on serving the others.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::support::client::Client;
use crate::support::load_client::{LoadClient, Outcome};
use crate::support::process::{Folder, ServerProcess, TIMEOUT, openkitchen, read_once};

const GET: &str = "GET /about HTTP/1.1\r\nHost: h\r\n\r\n";

/// A client that was served once, so its connection counts below the limit.
fn served_client(server: &ServerProcess) -> Client {
    let mut client = server.client();
    client.send(GET);
    assert_eq!(client.response().status, 200);
    client
}

/// A client whose request has begun: its head is received and its content is not, so its connection
/// is not idle.
fn busy_client(server: &ServerProcess) -> Client {
    let mut client = server.client();
    begin_upload(&mut client);
    client
}

/// Sends the head of a request. The response `100 Continue` shows that the server has read it.
fn begin_upload(client: &mut Client) {
    client.send(
        "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    );
    assert_eq!(client.response().status, 100);
}

/// Sends a request on a new connection until one is answered 200. The server needs a moment to see that
/// another connection was closed, and on a busy machine more than it waits.
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
fn past_the_limit_of_busy_connections_a_client_is_answered_503_and_a_closed_one_makes_room() {
    let server = ServerProcess::start_site("--max-connections 4");
    let mut clients: Vec<Client> = (0..4).map(|_| busy_client(&server)).collect();
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
            client.send("hello");
            assert_eq!(client.response().text(), "hello");
            begin_upload(client);
        }
        clients.swap_remove(0);
        clients.push(retry_until_served(&server));
        begin_upload(&mut clients[3]);
    }
    drop(clients);
    let warnings = server.stop().stderr;
    assert!(warnings.contains("new ones get 503"), "{warnings}");
}

#[test]
fn at_the_limit_the_connection_that_has_been_idle_longest_is_closed_for_a_new_one() {
    let server = ServerProcess::start_site("--max-connections 4");
    let mut clients: Vec<Client> = (0..4).map(|_| served_client(&server)).collect();
    let order = [2, 0, 3, 1];
    for number in order {
        clients[number].send(GET);
        assert_eq!(clients[number].response().status, 200);
    }
    let mut new = Vec::new();
    for (count, number) in order.into_iter().enumerate() {
        new.push(retry_until_served(&server));
        assert!(clients[number].read_to_end().is_empty());
        let still_open = order[count + 1..].iter().map(|number| &clients[*number].stream);
        for stream in still_open {
            stream.set_nonblocking(true).unwrap();
            let read = read_once(stream, &mut [0]).map_err(|error| error.kind());
            assert_eq!(read, Err(ErrorKind::WouldBlock), "an end is not expected yet");
            stream.set_nonblocking(false).unwrap();
        }
    }
    for client in &mut new {
        client.send(GET);
        assert_eq!(client.response().status, 200);
    }
    drop(new);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn beside_50_idle_connections_and_no_more_allowed_50_new_clients_are_served() {
    let server = ServerProcess::start_site("--max-connections 50");
    let mut idle: Vec<Client> = (0..50).map(|_| served_client(&server)).collect();
    let new: Vec<Client> = (0..50).map(|_| retry_until_served(&server)).collect();
    for client in &mut idle {
        assert!(client.read_to_end().is_empty());
    }
    drop(new);
}

#[test]
fn a_client_that_connects_asks_and_closes_in_a_loop_is_never_refused_at_a_limit_of_one() {
    let server = ServerProcess::start_site("--max-connections 1");
    let close = GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let upload = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
    let status = |request: &&str| {
        let mut client = server.client();
        client.send(request);
        client.response_or_end().expect("a response").status
    };
    // A busy machine may not run the server for as long as it waits for the connection before to end, so
    // one of five times is enough.
    let is_never_refused =
        |_| [GET, &close, upload].repeat(100).iter().map(status).all(|status| status == 200);
    assert!((0..5).any(is_never_refused));
}

#[test]
fn a_request_that_arrived_is_answered_also_if_its_connection_was_to_be_closed_for_another() {
    let server = ServerProcess::start_site("--max-connections 3");
    let until = Instant::now() + Duration::from_secs(2);
    let (answered, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for seed in 0..6 {
            let mut client = LoadClient::new(server.address, true, seed);
            let (answered, refused) = (&answered, &refused);
            scope.spawn(move || {
                while Instant::now() < until {
                    match client.send().outcome {
                        Outcome::Answered => _ = answered.fetch_add(1, Ordering::Relaxed),
                        // The close and the request crossed (RFC 9112 section 9.5).
                        Outcome::Crossed => {}
                        Outcome::Wrong(text) if text.starts_with("HTTP/1.1 503 ") => {
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                        outcome => panic!("{outcome:?}"),
                    }
                    client.pause(15_000);
                }
            });
        }
    });
    let (answered, refused) = (answered.into_inner(), refused.into_inner());
    println!("{answered} requests were answered, {refused} refused");
    assert!(answered > 3 * refused);
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
    let mut other = busy_client(&server);
    let never_reads = server.client();
    never_reads.stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let content = "x".repeat(1 << 20);
    let request =
        format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n{content}");
    let since = Instant::now();
    // When the buffers are full, the server waits for this client to read, and reads no more itself.
    while (&never_reads.stream).write_all(request.as_bytes()).is_ok() {}
    for _ in 0..20 {
        other.send("hello");
        assert_eq!(other.response().text(), "hello");
        begin_upload(&mut other);
    }
    // Before the write timeout, the connection is still open and counts below the limit.
    let mut third = server.client();
    third.send(GET);
    let status = third.response().status;
    assert!(status == 503 || since.elapsed() > Duration::from_secs(2), "{status}");
    drop(retry_until_served(&server));
    drop(never_reads);
}

/// While a write waits, Linux makes the send buffer larger, and takes more bytes.
#[test]
#[cfg(target_os = "linux")]
fn a_client_that_stops_reading_a_large_file_is_closed_at_the_write_timeout_and_not_much_later() {
    let folder = Folder::new();
    fs::File::create(folder.file("large")).unwrap().set_len(1 << 28).unwrap();
    fs::write(folder.file("about"), "small").unwrap();
    let flags = "serve --max-connections 1 --write-timeout 2 --log off --listen 127.0.0.1:0";
    let server = ServerProcess::start(openkitchen(flags).arg(folder.file("")));
    let mut never_reads = server.client();
    never_reads.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
    let since = Instant::now();
    drop(retry_until_served(&server));
    // The first wait begins a moment before the last byte is sent, so it is not enough. A third one is too much.
    assert!(since.elapsed() < Duration::from_millis(5_500), "{:?}", since.elapsed());
    drop(never_reads);
}

#[test]
fn past_the_limit_many_clients_at_once_all_get_503_in_words() {
    let server = ServerProcess::start_site("--max-connections 1");
    let _busy = busy_client(&server);
    // Each keeps its connection, so that the server reads it for a second: more of them than it waits for.
    let mut refused: Vec<Client> = (0..60).map(|_| server.client()).collect();
    for client in &mut refused {
        client.send(GET);
    }
    for client in &mut refused {
        let response = client.response();
        assert_eq!(response.status, 503);
        assert!(response.field("Retry-After").is_some());
        assert!(response.text().contains("connections"), "{}", response.text());
    }
}

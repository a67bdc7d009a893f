//! The clients of the mixed soak: normal, slow, silent, malformed, and those that disconnect.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::Soak;
use crate::support::client::{Client, Response};
use crate::support::process::TIMEOUT;

/// What one thread does until the soak is over. Takes the number of the thread among those of its task.
pub type Task = fn(&Soak<'_>, usize);

/// Each task, and its number of threads.
pub const TASKS: [(Task, usize); 14] = [
    (kept_connections, 4),
    (short_connections, 2),
    (likes, 1),
    (fixture_clients, 1),
    (disconnects_during_requests, 1),
    (disconnects_during_responses, 1),
    (clients_that_never_read, 2),
    (slow_heads, 2),
    (slow_content, 2),
    (silent_connections, 8),
    (malformed_requests, 1),
    (bursts, 1),
    (panicking_handlers, 1),
    (slow_readers, 3),
];

const GET: &str = "GET /about HTTP/1.1\r\nHost: h\r\n\r\n";

const CHUNKED: &str = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A normal client. It repeats a request if the connection ended or the server answered 503.
struct RetryingClient<'a> {
    soak: &'a Soak<'a>,
    address: SocketAddr,
    client: Option<Client>,
}

impl RetryingClient<'_> {
    /// Sends a request until it is answered. Returns the response, and how often there was none or a 503
    /// before it.
    fn request(&mut self, request: &str) -> (Response, usize) {
        let since = Instant::now();
        for retries in 0.. {
            assert!(since.elapsed() < TIMEOUT, "not served for {:?}", since.elapsed());
            let mut client = self.client.take().unwrap_or_else(|| Client::connect(self.address));
            client.send(request);
            match client.response_or_end() {
                Some(response) if response.status != 503 => {
                    self.soak.stats.add_wait(since.elapsed());
                    self.soak.stats.add("responses");
                    let stays_open = response.field("connection") != Some("close");
                    self.client = Some(client).filter(|_| stays_open);
                    return (response, retries);
                }
                Some(_) => self.soak.stats.add("503 responses"),
                None => self.soak.stats.add("connections ended early"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        unreachable!("the loop ends with a response or a failed assertion")
    }
}

fn retrying_client<'a>(soak: &'a Soak<'a>, address: SocketAddr) -> RetryingClient<'a> {
    RetryingClient { soak, address, client: None }
}

fn kept_connections(soak: &Soak<'_>, number: usize) {
    let mut client = retrying_client(soak, soak.site.address);
    let content = format!("client {number} ").repeat(500);
    let echo = format!("{CHUNKED}{:x}\r\n{content}\r\n0\r\n\r\n", content.len());
    while soak.pause(25) {
        assert_eq!(client.request(GET).0.status, 200);
        assert_eq!(client.request(&echo).0.text(), content);
    }
}

fn short_connections(soak: &Soak<'_>, _: usize) {
    while soak.pause(50) {
        let mut client = retrying_client(soak, soak.site.address);
        let request = "GET /about HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        assert_eq!(client.request(request).0.status, 200);
    }
}

fn fixture_clients(soak: &Soak<'_>, _: usize) {
    let mut client = retrying_client(soak, soak.fixture.address);
    while soak.pause(25) {
        assert_eq!(client.request("GET / HTTP/1.1\r\nHost: h\r\n\r\n").0.text(), "hello");
    }
}

/// Each stored like raises the count by one. A like without room on the disk does not change it.
fn likes(soak: &Soak<'_>, _: usize) {
    let mut client = retrying_client(soak, soak.site.address);
    let like = "POST /api/likes HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\npost=1";
    let mut likes = count(&mut client);
    while soak.pause(50) {
        let (response, retries) = client.request(like);
        // If the connection ended without a response, the like may have been stored or not.
        let most = likes + 1 + retries as u64;
        match response.status {
            201 => soak.stats.add("likes"),
            507 => soak.stats.add("likes without room"),
            other => panic!("{other} {}", response.text()),
        }
        let now = count(&mut client);
        let least = if response.status == 201 { likes + 1 } else { likes };
        let most = if response.status == 201 { most } else { most - 1 };
        assert!((least..=most).contains(&now), "{least} <= {now} <= {most}");
        likes = now;
    }
}

/// The number of likes of post 1.
fn count(client: &mut RetryingClient<'_>) -> u64 {
    let (response, _) = client.request("GET /api/likes HTTP/1.1\r\nHost: h\r\n\r\n");
    let count = response.text().strip_prefix("{\"1\":").and_then(|rest| rest.split_once(','));
    count.unwrap().0.parse().unwrap()
}

fn disconnects_during_requests(soak: &Soak<'_>, _: usize) {
    let half = format!(
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n{}",
        "x".repeat(500_000)
    );
    let beginnings = [
        "",
        "\r\n",
        "GET /about HT",
        "GET /about HTTP/1.1\r\nHost: h\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
        &half,
    ];
    for beginning in beginnings.iter().cycle() {
        if !soak.pause(20) {
            return;
        }
        Client::connect(soak.site.address).send(beginning);
        soak.stats.add("disconnects");
    }
}

/// A request with a mebibyte of content, which the server echoes.
fn large_request() -> String {
    let content = "x".repeat(1 << 20);
    format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n{content}")
}

fn disconnects_during_responses(soak: &Soak<'_>, _: usize) {
    let large = large_request();
    while soak.pause(200) {
        let mut client = Client::connect(soak.site.address);
        client.send(&large);
        let _ = client.stream.read(&mut [0; 100]);
        soak.stats.add("disconnects");
    }
}

fn clients_that_never_read(soak: &Soak<'_>, _: usize) {
    let large = large_request();
    while soak.pause(500) {
        // Writes until the server has closed the connection at the write timeout.
        let mut stream = Client::connect(soak.site.address).stream;
        while stream.write_all(large.as_bytes()).is_ok() {}
        soak.stats.add("clients that never read");
    }
}

/// Sends the beginning of a request, and then a part every 50 ms until the server closes the connection.
fn send_slowly(soak: &Soak<'_>, beginning: &str, part: &str) {
    while soak.pause(50) {
        let mut client = Client::connect(soak.site.address);
        client.send(beginning);
        client.stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let mut buffer = [0; 4096];
        let since = Instant::now();
        loop {
            assert!(since.elapsed() < TIMEOUT, "the server does not close the connection");
            if soak.is_over() {
                return;
            }
            match client.stream.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => client.send(part),
                _ => break,
            }
        }
        soak.stats.add("slow requests");
    }
}

fn slow_heads(soak: &Soak<'_>, _: usize) {
    send_slowly(soak, "GET / HTTP/1.1\r\nX: ", "x");
}

fn slow_content(soak: &Soak<'_>, _: usize) {
    send_slowly(soak, CHUNKED, "1\r\nx\r\n");
}

fn silent_connections(soak: &Soak<'_>, number: usize) {
    while soak.pause(100) {
        let mut client = Client::connect(soak.site.address);
        if number.is_multiple_of(2) {
            client.send(GET);
        }
        client.read_to_end();
        soak.stats.add("silent connections");
    }
}

fn malformed_requests(soak: &Soak<'_>, _: usize) {
    let requests: [&[u8]; 8] = [
        b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        b"GET / HTTP/1.1\n\n",
        b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\r\n",
        b"HELP\r\n",
    ];
    for request in requests.iter().cycle() {
        if !soak.pause(50) {
            return;
        }
        let mut client = Client::connect(soak.site.address);
        client.send(request);
        client.read_to_end();
        soak.stats.add("malformed requests");
    }
}

fn bursts(soak: &Soak<'_>, _: usize) {
    while soak.pause(3_000) {
        let mut connections = Vec::new();
        for number in 0..300 {
            let mut stream = TcpStream::connect(soak.site.address).unwrap();
            if number % 2 == 0 {
                let _ = stream.write_all(GET.as_bytes());
            }
            connections.push(stream);
        }
        soak.stats.add("bursts of 300");
    }
}

fn panicking_handlers(soak: &Soak<'_>, _: usize) {
    while soak.pause(50) {
        let mut client = Client::connect(soak.fixture.address);
        client.send("GET /panic HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.response().status, 500);
        soak.stats.add("panics");
    }
}

fn slow_readers(soak: &Soak<'_>, number: usize) {
    while soak.pause(100) {
        let mut client = Client::connect(soak.fixture.address);
        client.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
        // The first thread reads once; the others read for seconds.
        for _ in 0..10 * number + 1 {
            if client.stream.read(&mut [0; 4096]).unwrap() == 0 || !soak.pause(100) {
                break;
            }
        }
        soak.stats.add("streams");
    }
}

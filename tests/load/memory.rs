//! The memory that clients can take: requests of tiny chunks, large heads, and responses that are not
//! read. It stays in the budget of the server (`--max-memory`), and what exceeds it is answered 503.

use std::io::{ErrorKind, Read, Write};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fmt, fs, thread};

use crate::support::client::Client;
use crate::support::latency::wait_until;
use crate::support::process::{Folder, ServerProcess, TIMEOUT, need};
use crate::support::resources::Resources;

/// A chunk of one byte, with the longest size that is not counted as an extension.
const CHUNK: &str = "0000000000000001\r\nx\r\n";

/// The most bytes of content, by default.
const MAX_CONTENT: usize = 1 << 20;

fn chunked(path: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
}

/// A request that announces so much content, and waits for `100 Continue`.
fn announcement(length: usize) -> String {
    format!(
        "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// The status of the answer to it.
fn announce(client: &mut Client, length: usize) -> u16 {
    client.send(announcement(length));
    client.response().status
}

#[test]
fn in_768_mib_40_clients_of_a_million_chunks_do_not_end_the_process() {
    if !need("prlimit", "prlimit --version") {
        return;
    }
    let folder = Folder::new();
    let mut command = Command::new("prlimit");
    command.args(["--as=805306368", env!("CARGO_BIN_EXE_openkitchen")]);
    command.args(["--listen", "127.0.0.1:0", "--no-trace", "--data"]).arg(folder.file("likes"));
    let server = ServerProcess::start(&mut command);
    let chunks = CHUNK.repeat(1_000);
    let clients: Vec<Client> = thread::scope(|scope| {
        let send = || {
            let mut client = server.client();
            client.send(chunked("/echo"));
            // The server refuses long before the end, reads on for a while, and closes.
            let _ = (0..1_000).try_for_each(|_| client.stream.write_all(chunks.as_bytes()));
            client
        };
        let senders: Vec<_> = (0..40).map(|_| scope.spawn(send)).collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    assert_eq!(server.get("/about").status, 200);
    println!("with 40 clients: {}", Memory::of(&server));
    drop(clients);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn past_the_budget_large_requests_get_503_and_small_ones_are_served() {
    let server = ServerProcess::start_site("--max-memory 4M");
    // Each head is small, but it comes on top of the MiB: three fit.
    let mut holding: Vec<Client> = (0..3).map(|_| server.client()).collect();
    for client in &mut holding {
        assert_eq!(announce(client, MAX_CONTENT), 100);
    }
    for _ in 0..3 {
        let mut next = server.client();
        next.send(announcement(MAX_CONTENT));
        let response = next.response();
        assert_eq!((response.status, response.field("retry-after")), (503, Some("1")));
        assert_eq!(response.field("connection"), Some("close"));
        let words = "the requests and responses of all clients take as much memory as this\n  \
                     server allows (at most 4194304 bytes)\n";
        assert!(response.text().starts_with(words), "{}", response.text());
        assert!(next.read_to_end().is_empty());
    }
    // Chunks take their memory step by step, and are refused at the step that does not fit.
    let mut other = server.client();
    other.send(chunked("/raw") + &format!("{MAX_CONTENT:x}\r\n"));
    other.send(vec![b'x'; MAX_CONTENT]);
    assert_eq!(other.response().status, 503);
    // A small request needs nothing of it. A larger one finds what is left.
    assert_eq!(server.get("/").status, 200);
    assert_eq!(announce(&mut server.client(), 1_000), 100);
    assert_eq!(announce(&mut server.client(), MAX_CONTENT / 2), 100);

    // When the request is answered, its memory is free for the next client.
    let mut done = holding.pop().unwrap();
    done.send(vec![b'x'; MAX_CONTENT]);
    assert_eq!(done.response().content.len(), MAX_CONTENT);
    until_it_fits(&server);
    // So is the memory of a client that disconnects.
    drop(holding);
    drop((0..3).map(|_| until_it_fits(&server)).collect::<Vec<Client>>());
    let log = server.stop().stderr;
    let warning = "requests and responses take 4194304 bytes, which is the limit (max memory)";
    assert_eq!((log.matches(warning).count(), log.lines().count()), (1, 1), "{log}");
}

#[test]
fn a_response_past_the_budget_is_freed_before_its_client_has_read_the_503() {
    let server = ServerProcess::start_site("--max-memory 2M");
    let mut holding = server.client();
    assert_eq!(announce(&mut holding, 1_030_000), 100);
    let before = Memory::of(&server).now;
    // The content of each fits, and the echo, which has a head too, does not.
    let content = vec![b'x'; 1_040_000];
    let clients: Vec<Client> = (0..40)
        .map(|_| {
            let mut client = server.client();
            client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1040000\r\n\r\n");
            client.send(&content);
            assert_eq!(client.response().status, 503);
            client // it does not close, so the server lingers
        })
        .collect();
    let grown = Memory::of(&server).now.saturating_sub(before);
    assert!(grown < 16 * 1024, "40 clients take {grown} KiB");
    drop(clients);
}

/// Announces content on a new connection until it fits. The server needs a moment to see that
/// another connection was closed.
fn until_it_fits(server: &ServerProcess) -> Client {
    let since = Instant::now();
    loop {
        let mut client = server.client();
        if announce(&mut client, MAX_CONTENT) == 100 {
            return client;
        }
        assert!(since.elapsed() < TIMEOUT, "no memory was released");
    }
}

#[test]
fn a_head_past_the_budget_gets_503() {
    let server = ServerProcess::start_site("--max-memory 40K --max-content 16K");
    let mut holding: Vec<Client> = (0..2).map(|_| server.client()).collect();
    for client in &mut holding {
        assert_eq!(announce(client, 16 * 1024), 100);
    }
    let head = "x".repeat(10_000);
    let large_head = || server.request("GET /about", &format!("X: {head}\r\n"), "");
    let response = large_head();
    assert_eq!((response.status, response.field("retry-after")), (503, Some("1")));
    assert_eq!(server.get("/about").status, 200);
    drop(holding);
    assert!(wait_until(TIMEOUT, || large_head().status == 200), "no memory was released");
}

/// The memory of a process in KiB: now, and the most so far.
struct Memory {
    now: usize,
    peak: usize,
}

impl Memory {
    fn of(server: &ServerProcess) -> Memory {
        let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
        let line = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        Memory { now: line("VmRSS:"), peak: line("VmHWM:") }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RSS {} KiB, at most {} KiB", self.now, self.peak)
    }
}

/// The budget of the long test, KiB.
const BUDGET: usize = 64 * 1024;

/// Memory of each connection beside the budget, KiB: stack, small buffers and malloc's own.
const MAX_OF_EACH: usize = 24;

/// Memory of the process itself and of its handlers, KiB. A handler makes its response before the server
/// can count it.
const MAX_OF_PROCESS: usize = 16 * 1024;

#[test]
#[ignore = "long: make soak"]
fn the_memory_of_200_and_1000_clients_stays_in_the_budget() {
    let head = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}", "x".repeat(16_300));
    let content = "x".repeat(MAX_CONTENT);
    let framing = format!("Host: h\r\nContent-Length: {MAX_CONTENT}\r\n\r\n");
    let kinds = [
        ("tiny chunks", chunked("/echo") + &CHUNK.repeat(50_000)),
        ("tiny chunks to /raw", chunked("/raw") + &CHUNK.repeat(50_000)),
        ("heads of 16 KiB", head),
        ("unread responses of /echo", format!("POST /echo HTTP/1.1\r\n{framing}{content}")),
        ("unread responses of /raw", format!("POST /raw HTTP/1.1\r\n{framing}{content}")),
    ];
    let mut too_much = Vec::new();
    for (kind, request) in &kinds {
        for count in [200, 1_000] {
            let flags = "--max-memory 64M --max-connections 1100 --head-timeout 60";
            let server = ServerProcess::start_site(flags);
            let before = Resources::after_first_client(&server);
            let send = |_| {
                let mut client = server.client();
                client.send(request);
                client
            };
            let of_each = |clients: usize| {
                thread::scope(|scope| {
                    let senders: Vec<_> =
                        (0..clients).map(|n| scope.spawn(move || send(n))).collect();
                    senders.into_iter().map(|sender| sender.join().unwrap()).collect::<Vec<_>>()
                })
            };
            let clients = of_each(count);
            let memory = settled(&server);
            assert_eq!(server.get("/healthz").status, 200);
            let refused = clients.iter().filter(|client| is_refused(client)).count();
            println!("{count:5} clients, {kind}: {memory}; {refused} of them got 503");
            if memory.peak > BUDGET + count * MAX_OF_EACH + MAX_OF_PROCESS {
                too_much.push(format!("{count} clients, {kind}: {memory}"));
            }
            drop(clients);
            let descriptors = || Resources::of(server.id()).descriptors;
            assert!(wait_until(TIMEOUT, || descriptors() <= before.descriptors));
            println!("              after them: {}", Memory::of(&server));
        }
    }
    assert!(too_much.is_empty(), "{too_much:#?}");
}

/// The memory when it is the same for half a second.
fn settled(server: &ServerProcess) -> Memory {
    let since = Instant::now();
    loop {
        let before = Memory::of(server);
        thread::sleep(Duration::from_millis(500));
        let memory = Memory::of(server);
        if memory.now == before.now || since.elapsed() > TIMEOUT {
            return memory;
        }
    }
}

/// Whether the client has received a 503.
fn is_refused(client: &Client) -> bool {
    client.stream.set_nonblocking(true).unwrap();
    let mut start = [0; 12];
    match (&client.stream).read(&mut start) {
        Ok(length) => start[..length] == *b"HTTP/1.1 503",
        Err(error) => {
            // A reset: the client went on sending for too long after its 503.
            error.kind() == ErrorKind::ConnectionReset
        }
    }
}

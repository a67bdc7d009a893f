//! A download through `watch` beside a direct one, in one run: how fast, and in how much memory.
//!
//! Both use all processors, so another program that runs changes the ratio. On two processors, a
//! direct download keeps both busy with its two copies of each byte, and watch makes two more. So a
//! relay of a few lines, which shows nothing, is measured too: it is the floor. The best of each
//! round's two direct downloads, before and after, is the measure. Ratios of quiet rounds are the
//! result:
//!
//! ```text
//! cargo test --release --test load -- --ignored --nocapture watched_download
//! ```

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::process::{Folder, ServerProcess, openkitchen};

const BYTES: usize = 1 << 30;
const ROUNDS: usize = 5;
/// The most memory of watch: its peak, KiB.
const MAX_PEAK: usize = 8 * 1024;

/// How watch observes, its flags, and the goal: the ratio to the speed of a direct download.
const KINDS: [(&str, &str, f64); 3] = [
    ("without a trace", "--no-trace", 0.7),
    ("traced", "", 0.6),
    ("traced and recorded", "--record", 0.5),
];

/// Starts a server that answers each connection with 1 GiB of bytes that are no text.
fn start_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let piece: Vec<u8> = (0..=255).cycle().take(64 * 1024).collect();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
            let kind = "Content-Type: application/octet-stream";
            let head = format!("HTTP/1.1 200 OK\r\n{kind}\r\nContent-Length: {BYTES}\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            (0..BYTES / piece.len()).for_each(|_| stream.write_all(&piece).unwrap());
        }
    });
    address
}

/// Starts a relay that copies what this server sends, and does nothing else.
fn start_floor(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, mut server) = (client.unwrap(), TcpStream::connect(server).unwrap());
            let mut buffer = vec![0; 1024 * 1024];
            let length = client.read(&mut buffer).unwrap();
            server.write_all(&buffer[..length]).unwrap();
            while let length @ 1.. = server.read(&mut buffer).unwrap() {
                client.write_all(&buffer[..length]).unwrap();
            }
        }
    });
    address
}

/// Downloads everything from this address.
fn download(address: SocketAddr) -> Duration {
    let (mut stream, mut buffer) = (TcpStream::connect(address).unwrap(), vec![0; 64 * 1024]);
    let since = Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let mut received = 0;
    while let length @ 1.. = stream.read(&mut buffer).unwrap() {
        received += length;
    }
    assert!(received > BYTES, "{received} bytes");
    since.elapsed()
}

/// Downloads through watch with these flags. Returns the time, and watch's peak memory in KiB.
fn download_watched(server: SocketAddr, flags: &str) -> (Duration, usize) {
    let folder = Folder::new();
    let mut command = openkitchen("watch --listen 127.0.0.1:0");
    command.arg(server.to_string()).args(flags.split_whitespace());
    if flags == "--record" {
        command.arg(folder.file("wires"));
    }
    let watch = ServerProcess::start(command.stderr(Stdio::null()));
    let took = download(watch.address);
    let status = fs::read_to_string(format!("/proc/{}/status", watch.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak = peak.trim().trim_end_matches(" kB").parse().unwrap();
    let stdout = watch.stop().stdout;
    assert!(!stdout.contains("not shown"), "{stdout}");
    (took, peak)
}

#[test]
#[ignore = "long: make soak"]
fn a_watched_download_is_nearly_as_fast_as_a_direct_one() {
    let server = start_server();
    let floor = start_floor(server);
    let mut direct = download(server);
    let mut ratio = |took: Duration| {
        let before = std::mem::replace(&mut direct, download(server));
        before.min(direct).as_secs_f64() / took.as_secs_f64()
    };
    for round in 1..=ROUNDS {
        println!("round {round}: a relay that shows nothing: {:.2}", ratio(download(floor)));
        for (kind, flags, goal) in KINDS {
            let (watched, peak) = download_watched(server, flags);
            let ratio = ratio(watched);
            println!("  {kind}: {ratio:.2} of the direct one (goal {goal}), peak {peak} KiB");
            assert!(peak < MAX_PEAK, "{kind}: {peak} KiB");
        }
    }
}

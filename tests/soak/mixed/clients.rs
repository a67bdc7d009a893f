//! Who comes.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::Scene;
use super::process::{Client, Response, TIMEOUT};

/// What a guest does, again and again until the scene is over; and how many of the kind there are.
pub type Act = fn(&Scene<'_>, usize);

pub const ACTS: [(Act, usize); 14] = [
    (regulars, 4),
    (passers_by, 2),
    (likers, 1),
    (regulars_of_the_fixture, 1),
    (vanish_while_they_ask, 1),
    (vanish_while_they_are_answered, 1),
    (never_read, 2),
    (ask_slowly, 2),
    (send_slowly, 2),
    (say_nothing, 8),
    (talk_nonsense, 1),
    (come_all_at_once, 1),
    (make_it_panic, 1),
    (read_slowly, 3),
];

const GET: &str = "GET /about HTTP/1.1\r\nHost: h\r\n\r\n";

const CHUNKED: &str = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A guest who behaves, and comes again when the connection was ended, or no place was free.
struct Regular<'a> {
    scene: &'a Scene<'a>,
    address: SocketAddr,
    client: Option<Client>,
}

impl Regular<'_> {
    /// Asks until there is an answer, and counts how often the connection was ended meanwhile.
    fn request(&mut self, request: &str) -> (Response, usize) {
        let since = Instant::now();
        for ended in 0.. {
            assert!(since.elapsed() < TIMEOUT, "not served for {:?}", since.elapsed());
            let mut client = self.client.take().unwrap_or_else(|| Client::connect(self.address));
            client.send(request);
            match client.response_or_end() {
                Some(answer) if answer.status != 503 => {
                    self.scene.seen.waited(since.elapsed());
                    self.scene.seen.add("answers");
                    let stays = answer.field("connection") != Some("close");
                    self.client = Some(client).filter(|_| stays);
                    return (answer, ended);
                }
                Some(_) => self.scene.seen.add("busy signals"),
                None => self.scene.seen.add("ended early"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        unreachable!("it is answered, or has lost its patience")
    }
}

fn regular<'a>(scene: &'a Scene<'a>, address: SocketAddr) -> Regular<'a> {
    Regular { scene, address, client: None }
}

fn regulars(scene: &Scene<'_>, number: usize) {
    let mut regular = regular(scene, scene.server.address);
    let content = format!("guest {number} ").repeat(500);
    let echo = format!("{CHUNKED}{:x}\r\n{content}\r\n0\r\n\r\n", content.len());
    while scene.pause(25) {
        assert_eq!(regular.request(GET).0.status, 200);
        assert_eq!(regular.request(&echo).0.text(), content);
    }
}

fn passers_by(scene: &Scene<'_>, _: usize) {
    while scene.pause(50) {
        let mut regular = regular(scene, scene.server.address);
        let request = "GET /about HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        assert_eq!(regular.request(request).0.status, 200);
    }
}

fn regulars_of_the_fixture(scene: &Scene<'_>, _: usize) {
    let mut regular = regular(scene, scene.fixture.address);
    while scene.pause(25) {
        assert_eq!(regular.request("GET / HTTP/1.1\r\nHost: h\r\n\r\n").0.text(), "hello");
    }
}

/// The count goes up by one for each like that is stored, and stands where there is no room.
fn likers(scene: &Scene<'_>, _: usize) {
    let mut regular = regular(scene, scene.server.address);
    let like = "POST /api/likes HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\npost=1";
    let mut likes = count(&mut regular);
    while scene.pause(50) {
        let (answer, ended) = regular.request(like);
        // Where the connection ended, nobody knows whether the like had been stored.
        let most = likes + 1 + ended as u64;
        match answer.status {
            201 => scene.seen.add("likes"),
            507 => scene.seen.add("likes without room"),
            other => panic!("{other} {}", answer.text()),
        }
        let now = count(&mut regular);
        let least = if answer.status == 201 { likes + 1 } else { likes };
        let most = if answer.status == 201 { most } else { most - 1 };
        assert!((least..=most).contains(&now), "{least} <= {now} <= {most}");
        likes = now;
    }
}

fn count(regular: &mut Regular<'_>) -> u64 {
    let (answer, _) = regular.request("GET /api/likes HTTP/1.1\r\nHost: h\r\n\r\n");
    let count = answer.text().strip_prefix("{\"1\":").and_then(|rest| rest.split_once(','));
    count.unwrap().0.parse().unwrap()
}

fn vanish_while_they_ask(scene: &Scene<'_>, _: usize) {
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
        if !scene.pause(20) {
            return;
        }
        Client::connect(scene.server.address).send(beginning);
        scene.seen.add("vanished");
    }
}

/// A mebibyte that comes back.
fn large() -> String {
    let content = "x".repeat(1 << 20);
    format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n{content}")
}

fn vanish_while_they_are_answered(scene: &Scene<'_>, _: usize) {
    let large = large();
    while scene.pause(200) {
        let mut client = Client::connect(scene.server.address);
        client.send(&large);
        let _ = client.stream.read(&mut [0; 100]);
        scene.seen.add("vanished");
    }
}

fn never_read(scene: &Scene<'_>, _: usize) {
    let large = large();
    while scene.pause(500) {
        // Until the server, which waits for it to read, has given it up.
        let mut stream = Client::connect(scene.server.address).stream;
        while stream.write_all(large.as_bytes()).is_ok() {}
        scene.seen.add("deaf");
    }
}

/// Sends the same bytes again and again, one piece each time, until the server has had enough.
fn drip(scene: &Scene<'_>, beginning: &str, piece: &str) {
    while scene.pause(50) {
        let mut client = Client::connect(scene.server.address);
        client.send(beginning);
        client.stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let mut early = [0; 4096];
        let since = Instant::now();
        loop {
            assert!(since.elapsed() < TIMEOUT, "it waits for ever");
            if scene.is_over() {
                return;
            }
            match client.stream.read(&mut early) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => client.send(piece),
                _ => break,
            }
        }
        scene.seen.add("slow");
    }
}

fn ask_slowly(scene: &Scene<'_>, _: usize) {
    drip(scene, "GET / HTTP/1.1\r\nX: ", "x");
}

fn send_slowly(scene: &Scene<'_>, _: usize) {
    drip(scene, CHUNKED, "1\r\nx\r\n");
}

fn say_nothing(scene: &Scene<'_>, number: usize) {
    while scene.pause(100) {
        let mut client = Client::connect(scene.server.address);
        if number.is_multiple_of(2) {
            client.send(GET);
        }
        client.read_to_end();
        scene.seen.add("silent");
    }
}

fn talk_nonsense(scene: &Scene<'_>, _: usize) {
    let nonsense: [&[u8]; 8] = [
        b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        b"GET / HTTP/1.1\n\n",
        b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\r\n",
        b"HELP\r\n",
    ];
    for nonsense in nonsense.iter().cycle() {
        if !scene.pause(50) {
            return;
        }
        let mut client = Client::connect(scene.server.address);
        client.send(nonsense);
        client.read_to_end();
        scene.seen.add("nonsense");
    }
}

fn come_all_at_once(scene: &Scene<'_>, _: usize) {
    while scene.pause(3_000) {
        let mut crowd = Vec::new();
        for number in 0..300 {
            let mut stream = TcpStream::connect(scene.server.address).unwrap();
            if number % 2 == 0 {
                let _ = stream.write_all(GET.as_bytes());
            }
            crowd.push(stream);
        }
        scene.seen.add("crowds of 300");
    }
}

fn make_it_panic(scene: &Scene<'_>, _: usize) {
    while scene.pause(50) {
        let mut client = Client::connect(scene.fixture.address);
        client.send("GET /panic HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.response().status, 500);
        scene.seen.add("panics");
    }
}

fn read_slowly(scene: &Scene<'_>, number: usize) {
    while scene.pause(100) {
        let mut client = Client::connect(scene.fixture.address);
        client.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
        // Some for a moment, some for seconds.
        for _ in 0..10 * number + 1 {
            if client.stream.read(&mut [0; 4096]).unwrap() == 0 || !scene.pause(100) {
                break;
            }
        }
        scene.seen.add("streams");
    }
}

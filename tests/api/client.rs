//! Tests of the client for tests: what it sends, where a response ends, and what its errors show.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use openkitchen::{Client, Ended, Limits, Request, Response, Routes, Server, get, routes};

use crate::support::process::{TIMEOUT, free_address, read_once};

/// A server that reads a request head, sends these bytes, and then does `end`.
fn server(
    sent: &'static str,
    end: impl FnOnce(TcpStream) + Send + 'static,
) -> (Client, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::connect(listener.local_addr().unwrap()).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        let (mut received, mut buffer) = (Vec::new(), [0; 1000]);
        while !received.ends_with(b"\r\n\r\n") {
            let length = stream.read(&mut buffer).unwrap();
            received.extend_from_slice(&buffer[..length]);
        }
        stream.write_all(sent.as_bytes()).unwrap();
        end(stream);
    });
    (client, server)
}

/// Waits until the client closes the connection, and keeps it open until then.
fn keep(stream: TcpStream) {
    while !matches!(read_once(&stream, &mut [0; 1000]), Ok(0) | Err(_)) {}
}

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

#[test]
fn exactly_one_response_is_read_whatever_frames_it() {
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let length = "HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc";
    let none = "HTTP/1.1 204 No Content\r\n\r\n";
    let close = "HTTP/1.1 200 OK\r\n\r\nabc";
    for (sent, status, content, rest) in [
        (format!("{chunks}{none}"), 200, "abc", none),
        (format!("{length}{chunks}"), 201, "abc", chunks),
        (format!("HTTP/1.1 103 Early Hints\r\n\r\n{length}"), 201, "abc", ""),
        (none.to_owned(), 204, "", ""),
        (close.to_owned(), 200, "abc", ""),
    ] {
        let sent: &'static str = sent.leak();
        let (mut client, server) = server(sent, drop);
        client.send(GET).unwrap();
        client.send(GET).unwrap_or_default(); // the second one may come too late
        let response = client.response().unwrap();
        assert_eq!((response.status, &*response.text()), (status, content), "{sent}");
        server.join().unwrap();
        // The server has closed with a request unread: a reset may follow.
        if rest.is_empty() {
            continue;
        }
        let second = client.response().unwrap();
        assert!(rest.starts_with(&format!("HTTP/1.1 {} ", second.status)), "{sent}");
    }
    // A response to HEAD has no content, and a length all the same.
    let (mut client, server) = server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", keep);
    client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let response = client.response().unwrap();
    assert_eq!(
        (response.field("Content-Length").unwrap().as_str(), response.content),
        ("9", vec![])
    );
    drop(client);
    server.join().unwrap();
    let (mut client, server) =
        self::server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\x1b!", drop);
    client.send(GET).unwrap();
    let shown = format!("{:?}", client.response().unwrap());
    assert_eq!(shown, r"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\x1b!", "no list of numbers");
    server.join().unwrap();
}

#[test]
fn every_error_shows_what_had_crossed() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc";
    let reset = |stream: TcpStream| openkitchen::sys::reset_on_close(&stream).unwrap();
    type AtEnd = Box<dyn FnOnce(TcpStream) + Send>;
    let cases: [(&'static str, AtEnd, &str); 6] = [
        (cut, Box::new(drop), "the server closed the connection within the response"),
        ("", Box::new(drop), "the server closed the connection before the response"),
        ("HTTP/1.1 200 OK\r\nA:", Box::new(drop), "the server closed the connection before the"),
        (cut, Box::new(keep), "no whole response in 200ms"),
        (
            "hello\r\n",
            Box::new(keep),
            "byte 0 breaks a rule: a response begins with its status line",
        ),
        ("", Box::new(reset), "the server reset the connection before the response"),
    ];
    for (sent, end, why) in cases {
        let (client, server) = server(sent, end);
        let mut client = client.timeout(Duration::from_millis(200));
        client.send(GET).unwrap();
        let error = client.response().unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(why), "{text}");
        assert!(text.contains("; until then:\n>>> 27 bytes, +"), "{text}");
        assert!(text.contains("ms\nGET / HTTP/1.1\nHost: h\n\n"), "{text}");
        assert_eq!(format!("{error:?}"), text, "a test that unwraps it prints the same");
        for line in sent.lines().filter(|line| !line.is_empty()) {
            assert!(text.contains(&format!("\n{line}")), "{text}");
        }
        drop(client);
        server.join().unwrap();
    }
    let error = Client::connect(free_address()).map(drop).unwrap_err().to_string();
    assert!(error.ends_with(": no server listens there; no byte has crossed"), "{error}");
}

#[test]
fn each_piece_is_a_write_and_each_end_is_seen() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = Client::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let mut buffer = [0; 100];
    for piece in ["G", "ET / HTTP/1.1\r\n", "\r\n"] {
        client.send(piece).unwrap();
        let length = server.read(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], piece.as_bytes());
    }
    client.half_close();
    assert_eq!(server.read(&mut buffer).unwrap(), 0);
    server.write_all(b"HTTP/1.1 204 No Content\r\n\r\nand more").unwrap();
    assert_eq!(client.response().unwrap().status, 204);
    assert_eq!(client.ended(), Ended::Open);
    drop(server);
    assert_eq!(client.read_to_end().unwrap(), b"and more");
    assert_eq!(client.ended(), Ended::Closed);
    assert_eq!(client.read_to_end().unwrap(), b"", "nothing is returned twice");
    let shown = client.transcript().to_string();
    assert!(shown.contains("\n--- client half-close\n"), "{shown}");
    assert!(shown.ends_with("\n--- server closed\n"), "{shown}");
}

#[test]
fn a_reset_is_sent_at_once_also_where_the_server_floods() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = Client::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.send("GET").unwrap();
    client.reset();
    let mut received = Vec::new();
    let error = server.read_to_end(&mut received).unwrap_err();
    assert_eq!((error.kind(), &*received), (ErrorKind::ConnectionReset, &b"GET"[..]));
    assert!(client.send("x").is_err());
    assert!(client.response().unwrap_err().why.contains("the client has reset"));
    assert!(client.transcript().to_string().ends_with("--- client reset\n"));

    let mut client = Client::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.set_write_timeout(Some(TIMEOUT)).unwrap();
    let flood = thread::spawn(move || while server.write_all(&[b'x'; 65_536]).is_ok() {});
    let since = Instant::now();
    client.reset();
    drop(client);
    flood.join().unwrap();
    assert!(since.elapsed() < TIMEOUT);
}

#[test]
fn what_a_client_takes_is_bounded() {
    let (mut client, server) =
        server("", |mut stream| while stream.write_all(&[b'x'; 65_536]).is_ok() {});
    client.send(GET).unwrap();
    let error = client.read_to_end().unwrap_err();
    assert_eq!(error.why, "the server sent 16 MiB or more");
    assert!(error.to_string().len() < 3_000_000);
    drop(client);
    server.join().unwrap();
}

static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::text("hello"))]);

#[test]
fn a_response_to_bytes_that_are_no_request_is_read() {
    let limits = Limits { head_timeout: Duration::from_millis(100), ..Limits::default() };
    let server = Server::bind("127.0.0.1:0").unwrap().limits(limits);
    let server = server.start(&ROUTES, ()).unwrap();
    for (sent, status) in [
        (&b"hello\r\n\r\n"[..], 400),
        (b"GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h", 408),
        (b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 404),
    ] {
        let mut client = Client::connect(server.address()).unwrap();
        client.send(sent).unwrap();
        let response = client.response().unwrap_or_else(|error| panic!("{sent:?}: {error}"));
        assert_eq!(response.status, status, "{response:?}");
        assert_eq!(client.read_to_end().unwrap(), b"", "{}", sent.escape_ascii());
    }
}

#[test]
fn bytes_that_are_not_taken_show_why() {
    // The server refuses the request early, and closes.
    let refusal = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
    let (mut client, server) = server(refusal, drop);
    client.send("PUT / HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n").unwrap();
    server.join().unwrap();
    let content = vec![b'x'; 20_000_000];
    let error = client.send(content).unwrap_err();
    assert!(error.why.contains(" not sent: the server has "), "{}", error.why);
    assert!(error.transcript.to_string().contains("HTTP/1.1 413 Content Too Large\n"), "{error}");

    let (mut client, server) = self::server("", keep);
    client.send(GET).unwrap();
    client.half_close();
    let error = client.send("more").unwrap_err();
    assert_eq!(error.why, "4 of 4 bytes were not sent: the client has closed its side");
    client.reset();
    let error = client.send("more").unwrap_err();
    assert_eq!(error.why, "4 of 4 bytes were not sent: the client has reset the connection");
    assert_eq!(client.read_to_end().unwrap_err().why, "the client has reset the connection");
    server.join().unwrap();
}

#[test]
fn a_final_head_ends_the_wait_for_an_interim_response() {
    let (client, _server) = server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal", keep);
    let mut client = client.timeout(Duration::MAX);
    client.send(GET).unwrap();
    let error = client.interim_response().unwrap_err();
    assert_eq!(error.why, "a final response came first: 200");
}

#[test]
fn a_quiet_server_is_told_from_one_that_sends_or_closes() {
    let time = Duration::from_millis(50);
    let response = "HTTP/1.1 204 No Content\r\n\r\n";
    let (mut client, _server) = server(response, keep);
    client.send(GET).unwrap();
    client.response().unwrap();
    let since = Instant::now();
    client.quiet_for(time).unwrap();
    assert!(since.elapsed() >= time);
    for (sent, end, why) in [
        (response, true, "the server has closed the connection"),
        ("HTTP/1.1 204 No Content\r\n\r\nx", false, "the server has sent more"),
    ] {
        let (mut client, _server) = server(sent, if end { drop::<TcpStream> } else { keep });
        client.send(GET).unwrap();
        client.response().unwrap();
        assert_eq!(client.quiet_for(TIMEOUT).unwrap_err().why, why);
    }
}

#[test]
fn a_url_is_no_address() {
    let error = Client::connect("http://127.0.0.1:5000/").map(drop).unwrap_err();
    assert!(error.why.contains("such as 127.0.0.1:5000 (a URL is none)"), "{error}");
}

//! Tests of `healthcheck`: what it asks, and its exit code.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use openkitchen::Listener;
use openkitchen::sys::set_backlog;

use crate::support::process::{ServerProcess, free_address, openkitchen, run};

#[test]
fn a_server_that_is_well_is_0_and_any_other_is_1() {
    let site = ServerProcess::start_site("--drain 30");
    let (address, port) = (site.address.to_string(), site.address.port());
    for url in [
        address.clone(),
        format!("{port}"),
        format!("http://{address}"),
        format!("http://{address}/"),
        format!("http://{address}/about"),
        format!("http://localhost:{port}/healthz"),
    ] {
        let ended = run(openkitchen("healthcheck").arg(&url));
        assert_eq!((ended.code, ended.stdout + &ended.stderr), (Some(0), String::new()), "{url}");
    }
    let missing = run(openkitchen("healthcheck").arg(format!("http://{address}/none")));
    let sentence = format!("openkitchen: {address}/none answers 404\n");
    assert_eq!((missing.code, missing.stderr), (Some(1), sentence));
    let closed = run(openkitchen("healthcheck").arg(free_address().to_string()));
    assert_eq!(closed.code, Some(1));
    assert!(closed.stderr.contains("/healthz does not answer: no server listens there"));
    site.signal("TERM");
    let since = Instant::now();
    while run(openkitchen("healthcheck").arg(&address)).code != Some(1) {
        assert!(since.elapsed() < Duration::from_secs(10), "the server drains");
    }
}

#[test]
fn without_a_url_the_address_of_listen_is_asked() {
    let site = ServerProcess::start_site("");
    let port = site.address.port();
    for listen in
        [format!("127.0.0.1:{port}"), format!("{port}"), format!("0.0.0.0:{port} [::1]:1")]
    {
        let ended = run(openkitchen("healthcheck").env("OPENKITCHEN_LISTEN", &listen));
        assert_eq!(ended.code, Some(0), "{listen}: {ended:?}");
    }
    // What the server does not take, its check does not take.
    for listen in [format!(":{port}"), "localhost".into()] {
        let ended = run(openkitchen("healthcheck").env("OPENKITCHEN_LISTEN", &listen));
        assert_eq!(ended.code, Some(2), "{listen}: {ended:?}");
        let takes =
            "--listen (OPENKITCHEN_LISTEN) takes an address such as 127.0.0.1:8080 or unix:PATH";
        let expected = format!("{takes}, not `{listen}`");
        assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
        assert_eq!(run(openkitchen("serve .").env("OPENKITCHEN_LISTEN", &listen)).code, Some(2));
    }
    // The server takes it, but has another port.
    for listen in ["127.0.0.1:0", "[::1]:0", "0"] {
        let ended = run(openkitchen("healthcheck").env("OPENKITCHEN_LISTEN", listen));
        let expected = "openkitchen: --listen (OPENKITCHEN_LISTEN) has port 0, and the server has another: \
                        write that one, openkitchen healthcheck PORT\n";
        assert_eq!(ended.code, Some(2), "{listen}: {ended:?}");
        assert!(ended.stderr.starts_with(expected), "{}", ended.stderr);
    }
    let ended = run(openkitchen("healthcheck https://h/").env("OPENKITCHEN_LISTEN", ""));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("https means TLS"), "{}", ended.stderr);
}

/// A server that sends this, and then waits for the end of the connection. Returns its address, and the
/// request when there was one.
fn server_that_sends(answer: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        let mut request = Vec::new();
        let _ = stream.read_to_end(&mut request); // until the client gives up
        String::from_utf8(request).unwrap()
    });
    (address, server)
}

#[test]
fn a_server_that_is_silent_slow_or_speaks_no_http_is_1() {
    let request = |address: &str| {
        format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
    };
    for (answer, expected) in [
        ("", "the connection timed out"),
        ("HTTP/1.1 2", "the connection timed out"),
        ("HTTP/1.1 103 Early Hints\r\n\r\n", "the connection timed out"),
        ("SSH-2.0-server\r\n", "it speaks no HTTP/1.1"),
        ("HTTP/1.1 xyz OK\r\n\r\n", "it speaks no HTTP/1.1"),
        ("HTTP/1.1 2000 OK\r\n\r\n", "it speaks no HTTP/1.1"),
        ("HTTP/1.1x200 OK\r\n\r\n", "it speaks no HTTP/1.1"),
        ("HTTP/1.1 +20 OK\r\n\r\n", "it speaks no HTTP/1.1"),
        ("HTTP/2 200 OK\r\n\r\n", "it speaks no HTTP/1.1"),
        ("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "/healthz answers 302"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "/healthz answers 101"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\n\r\n", "/healthz answers 503"),
    ] {
        let (address, server) = server_that_sends(answer);
        let ended = run(openkitchen("healthcheck --timeout 0.5").arg(&address));
        assert_eq!(ended.code, Some(1), "{answer}");
        assert!(ended.stderr.contains(expected), "{answer}: {}", ended.stderr);
        assert_eq!(server.join().unwrap(), request(&address));
    }
    for answer in [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.0 200\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let (address, server) = server_that_sends(answer);
        let ended = run(openkitchen("healthcheck").arg(&address));
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{answer}");
        assert_eq!(server.join().unwrap(), request(&address));
    }
}

#[test]
fn the_target_is_that_of_the_url() {
    for (rest, target) in [
        ("", "/healthz"),
        ("#part", "/healthz"),
        ("/", "/"),
        ("?q=1", "/?q=1"),
        ("/a?b=c#d", "/a?b=c"),
        ("/a@b", "/a@b"),
    ] {
        for scheme in ["http://", ""] {
            let (address, server) = server_that_sends("HTTP/1.1 200 OK\r\n\r\n");
            let ended = run(openkitchen("healthcheck").arg(format!("{scheme}{address}{rest}")));
            assert_eq!(ended.code, Some(0), "{rest}: {ended:?}");
            let request = server.join().unwrap();
            assert!(request.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{request}");
        }
    }
    for (url, expected) in [
        ("http://127.0.0.1:1/a b", "a URL has neither spaces"),
        ("http://127.0.0.1:1/a\r\nX: y", "a URL has neither spaces"),
        ("http://127.0.0.1:1/\u{e4}", "a URL has neither spaces"),
        ("http://me:pass@127.0.0.1:1/", "URL takes no user name and no password"),
        (
            "nowhere",
            "URL takes an address such as 127.0.0.1:8080 or unix:PATH, or a port, not `nowhere`",
        ),
    ] {
        let ended = run(openkitchen("healthcheck").arg(url));
        assert_eq!(ended.code, Some(2), "{url}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{url}: {}", ended.stderr);
        assert!(!ended.stderr.contains("pass@"), "{}", ended.stderr);
    }
}

#[test]
fn all_of_it_takes_no_longer_than_the_timeout() {
    // A listener whose backlog is full lets no client connect.
    let address = free_address();
    let both = [address, SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()))];
    let silent = both.map(|address| {
        let Ok(listener) = TcpListener::bind(address) else { return None }; // no IPv6 here
        let listener = Listener::from(listener);
        set_backlog(&listener, 0).unwrap();
        let clients =
            (0..4).map(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200)));
        let clients = clients.collect::<Vec<_>>();
        Some((listener, clients))
    });
    let since = Instant::now();
    let port = address.port();
    let ended = run(openkitchen("healthcheck --timeout 2").arg(format!("localhost:{port}")));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("the connection timed out"), "{}", ended.stderr);
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    drop(silent);
}

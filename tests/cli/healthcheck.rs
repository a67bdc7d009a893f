//! Tests of `healthcheck`: what it asks, and its exit code.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

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
    let ended = run(openkitchen("healthcheck https://h/").env("OPENKITCHEN_LISTEN", ""));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("https means TLS"), "{}", ended.stderr);
}

#[test]
fn a_server_that_is_silent_slow_or_speaks_no_http_is_1() {
    for (answer, expected) in [
        ("", "the connection timed out"),
        ("HTTP/1.1 2", "the connection timed out"),
        ("SSH-2.0-server\r\n", "it speaks no HTTP/1.1"),
        ("HTTP/1.1 xyz OK\r\n", "it speaks no HTTP/1.1"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            let mut request = Vec::new();
            let _ = stream.read_to_end(&mut request); // until the client gives up
            String::from_utf8(request).unwrap()
        });
        let ended = run(openkitchen("healthcheck --timeout 0.5").arg(&address));
        assert_eq!(ended.code, Some(1), "{answer}");
        assert!(ended.stderr.contains(expected), "{answer}: {}", ended.stderr);
        let request =
            format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        assert_eq!(server.join().unwrap(), request);
    }
}

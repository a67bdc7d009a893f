//! The kitchen: what the page is told of each exchange, and who is refused. The attacks of its design are
//! here, each with its exact bytes.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::support::client::{Client, Response};
use crate::support::events::{self, Events};
use crate::support::process::{Folder, ServerProcess, TIMEOUT, need, openkitchen, read_once};

/// All requests of the page.
const REQUESTS: [&str; 9] = [
    "GET /kitchen",
    "GET /kitchen/events",
    "GET /kitchen/state",
    "GET /kitchen/exchange/1",
    "GET /kitchen/table",
    "POST /kitchen/lab",
    "POST /kitchen/explain",
    "GET /kitchen/course",
    "GET /kitchen/words",
];

/// Sends one request with these field lines, on a connection of its own, and reads the response. HTTP/1.0
/// has no chunks.
fn ask(address: SocketAddr, request: &str, fields: &str, content: impl AsRef<[u8]>) -> Response {
    let content = content.as_ref();
    let mut client = Client::connect(address);
    let length = format!("Content-Length: {}\r\n", content.len());
    let length = if request.starts_with("POST") { length } else { String::new() };
    client.send(format!("{request} HTTP/1.0\r\n{fields}{length}\r\n"));
    client.send(content);
    Response::parse(&client.read_to_end())
}

/// Asks as a browser's page of this server does.
fn get(address: SocketAddr, path: &str) -> Response {
    ask(address, &format!("GET {path}"), &format!("Host: {address}\r\n"), "")
}

/// The site, at which a page has looked: since then it keeps what crosses.
fn looked_at_site(flags: &str) -> ServerProcess {
    let server = ServerProcess::start_site(flags);
    assert_eq!(get(server.address, "/kitchen/state").status, 200);
    server
}

/// Sends these bytes on a connection of its own, and reads to its end.
fn send(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut client = Client::connect(address);
    client.send(bytes);
    client.read_to_end()
}

fn like(address: SocketAddr, fields: &str) {
    let content = "post=3";
    let head = format!(
        "POST /api/likes HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}Content-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{content}",
        content.len()
    );
    send(address, head);
}

/// The details of the newest exchange whose target has this text.
#[track_caller]
fn details(address: SocketAddr, target: &str, query: &str) -> String {
    let since = Instant::now();
    loop {
        let state = get(address, "/kitchen/state");
        let exchanges = state.text().split("{\"n\":").skip(1);
        let of_target = |text: &&str| text.contains(&format!("\"target\":\"{target}"));
        if let Some(found) = exchanges.filter(of_target).last()
            && found.contains("\"state\":\"over\"")
        {
            let number = found.split(',').next().unwrap();
            let details = get(address, &format!("/kitchen/exchange/{number}{query}"));
            assert_eq!(details.status, 200, "{}", details.text());
            assert_eq!(details.field("content-type"), Some("application/json"));
            assert_eq!(details.field("x-content-type-options"), Some("nosniff"));
            return details.text().to_owned();
        }
        assert!(since.elapsed() < TIMEOUT, "no exchange of {target}: {}", state.text());
    }
}

// What the page is told.

#[test]
fn a_like_is_told_live_with_its_bytes_its_row_its_source_its_steps_and_what_was_stored() {
    let server = ServerProcess::start_site("");
    let address = server.address;
    let mut events = Events::open(address, "", "");
    let hello = events.next();
    assert_eq!(hello.name, "hello");
    let expected = format!("\"mode\":\"site\",\"address\":\"{address}\",\"watched\":null");
    assert!(hello.data.contains(&expected), "{}", hello.data);
    like(address, "Sec-Fetch-Dest: empty\r\nSec-Fetch-Site: same-origin\r\n");
    let opened = events.next_with("connection", "\"state\":\"opened\"");
    assert!(opened.data.contains("\"exchanges\":0,\"own\":false"), "{}", opened.data);
    let over = events.next_with("exchange", "\"state\":\"over\"");
    for part in [
        "\"method\":\"POST\",\"target\":\"/api/likes\",\"status\":201,\"route\":6,",
        "\"dest\":\"empty\",\"type\":\"application/json\",",
        "\"own\":false,\"fault\":false",
    ] {
        assert!(over.data.contains(part), "{part}: {}", over.data);
    }
    events.next_with("connection", "\"state\":\"gone\"");
    let details = get(address, &format!("/kitchen/exchange/{}", over.number()));
    let details = details.text();
    for part in [
        "\"request\":{\"bytes\":\"POST /api/likes HTTP/1.1\\u000d\\u000aHost: 127.0.0.1:",
        "\\u000d\\u000a\\u000d\\u000apost=3\"",
        "\"ending\":\"by length\"",
        "\"start\":0,\"end\":4,\"about\":\"POST\"",
        "\"row\":{\"index\":6,\"text\":\"post(\\\"/api/likes\\\", api::like),\",\
         \"file\":\"src/bin/openkitchen/site/mod.rs\",\"line\":",
        "\"handler\":{\"name\":\"api::like\",\"file\":\"src/bin/openkitchen/site/api.rs\",\"line\":",
        "\"text\":\"pub fn like(request: &Request<Site>) -> Response {\\u000a",
        "\"notes\":[\"stored like 1 of post 3: 20 bytes appended and synced in ",
        "\"step\":1,\"title\":\"The click\",",
        "A script of the page called fetch(...), so the browser sent POST /api/likes.",
        "\"step\":10,\"title\":\"The page\",",
        "\"ends\":[\"server closed\"",
        "\"transcript\":\">>> @",
        "\"curl\":\"curl -i --path-as-is --globoff -X 'POST' -H ",
    ] {
        assert!(details.contains(part), "{part}: {details}");
    }
    assert_eq!(details.matches("\"step\":").count(), 10);
    assert!(!details.contains("\"at\":null,\"took\":null,\"text\":\"It was not"), "{details}");
    let table = get(address, "/kitchen/table");
    assert!(table.text().contains(
        "{\"index\":6,\"method\":\"POST\",\"path\":\"/api/likes\",\"text\":\"post(\\\"/api/likes\\\", \
         api::like),\",\"file\":\"src/bin/openkitchen/site/mod.rs\",\"line\":"
    ));
}

#[test]
fn a_request_copied_as_curl_asks_this_server_for_the_same_target_and_gives_curl_no_option() {
    if !need("curl and bash", "curl --version && bash --version") {
        return;
    }
    let server = looked_at_site("");
    let address = server.address;
    let folder = Folder::new();
    let (config, made) = (folder.file("config"), folder.file("made"));
    std::fs::write(&config, format!("output = {}\n", made.display())).unwrap();
    for target in [
        format!("-K{}", config.display()),
        format!("-o{}", made.display()),
        "http://evil.example/x".to_owned(),
        "file:///etc/passwd".to_owned(),
        "*".to_owned(),
        "/a/../b#c".to_owned(),
    ] {
        send(
            address,
            format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
        );
        let details = details(address, &target, "");
        let (_, curl) = details.split_once("\"curl\":\"").unwrap();
        let command = curl.strip_suffix("\"}").unwrap();
        let mut bash = std::process::Command::new("bash");
        let output = bash.args(["-c", command]).env("no_proxy", "*").output().unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
        let state = get(address, "/kitchen/state");
        let asked = state.text().matches(&format!("\"target\":\"{target}\"")).count();
        assert_eq!(asked, 2, "{command}: {}", state.text());
        assert!(!made.exists(), "{command}");
    }
}

#[test]
fn details_of_an_exchange_of_another_run_are_refused() {
    let server = ServerProcess::start_site("");
    let run = |address: SocketAddr| {
        let state = get(address, "/kitchen/state");
        let (_, run) = state.text().split_once("\"run\":\"").unwrap();
        run.split('"').next().unwrap().to_owned()
    };
    let other = run(ServerProcess::start_site("").address);
    let run = run(server.address);
    let status = |query: &str| get(server.address, &format!("/kitchen/exchange/1{query}")).status;
    assert_eq!(status(&format!("?run={run}")), 200);
    assert_eq!(status(""), 200);
    assert_eq!(status(&format!("?run={other}")), 409);
    assert_eq!(status("?run="), 409);
}

#[test]
fn a_reconnect_gets_what_has_happened_since_without_loss_or_doubles() {
    let server = ServerProcess::start_site("");
    let address = server.address;
    let mut events = Events::open(address, "", "");
    let hello = events.next();
    like(address, "");
    let first = events.next_with("connection", "\"state\":\"gone\"");
    drop(events);
    (0..5).for_each(|_| like(address, ""));
    for (query, fields) in [
        (format!("?after={}", first.id), String::new()),
        (String::new(), format!("Last-Event-ID: {}\r\n", first.id)),
        // What the browser knows counts, and not the address that it was given at first.
        (format!("?after={}", hello.id), format!("Last-Event-ID: {}\r\n", first.id)),
    ] {
        let mut events = Events::open(address, &query, &fields);
        assert_eq!(events.next().id, first.id, "the stream begins where the other ended");
        let (mut told, mut position, mut gone) = (Vec::new(), first.position(), 0);
        while gone < 5 {
            let event = events.next();
            assert!(event.position() > position, "{event:?}");
            position = event.position();
            assert_ne!(event.name, "lost");
            gone += u64::from(event.data.contains("\"state\":\"gone\""));
            if event.name == "exchange" {
                assert!(event.data.contains("\"status\":201"), "{event:?}");
                told.push(event.number());
            }
        }
        let expected: Vec<u64> = (0..5).map(|n| told[0] + n).collect();
        told.dedup();
        assert_eq!(told.len(), 5, "{told:?} {expected:?}");
    }
    for unknown in ["0-1".to_owned(), "x".to_owned(), format!("{}9999", first.id)] {
        let mut events = Events::open(address, &format!("?after={unknown}"), "");
        let hello = events.next();
        let lost = events.next();
        assert_eq!((hello.name.as_str(), lost.name.as_str()), ("hello", "lost"), "{unknown}");
    }
}

#[test]
fn without_a_trace_exchanges_are_kept_since_a_page_looks() {
    let server = ServerProcess::start_site("");
    let (address, mut client) = (server.address, server.client());
    let exchange = |client: &mut Client, path: &str| {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"));
        assert_eq!(client.response().status, 200);
    };
    exchange(&mut client, "/about");
    let state = get(address, "/kitchen/state");
    assert!(state.text().contains("\"exchanges\":[],\"connections\":[]"), "{}", state.text());
    // A connection that was open already is kept from its next request on.
    exchange(&mut client, "/contact");
    let details = details(address, "/contact", "");
    let open = format!("from {} was open already.", client.stream.local_addr().unwrap());
    assert!(details.contains(&open), "{details}");
    assert!(!get(address, "/kitchen/state").text().contains("\"target\":\"/about\""));
}

#[test]
fn the_state_and_the_events_after_it_are_all_that_happens() {
    let server = looked_at_site("");
    let address = server.address;
    like(address, "");
    details(address, "/api/likes", "");
    let state = get(address, "/kitchen/state");
    let last = state.text().split("\"last\":\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(state.text().contains("\"target\":\"/api/likes\""), "{}", state.text());
    let idle = Client::connect(address);
    like(address, "");
    let mut events = Events::open(address, &format!("?after={last}"), "");
    let over = events.next_with("exchange", "\"state\":\"over\"");
    assert!(over.data.contains("\"target\":\"/api/likes\""), "{}", over.data);
    let peer = idle.stream.local_addr().unwrap();
    let state = get(address, "/kitchen/state");
    let open = format!("\"peer\":\"{peer}\",\"state\":\"opened\"");
    assert!(state.text().contains(&open), "a silent connection is shown: {}", state.text());
}

#[test]
fn the_viewers_own_traffic_is_shown_only_if_asked_for_and_does_not_loop() {
    let server = ServerProcess::start_site("");
    let address = server.address;
    let mut events = Events::open(address, "", "");
    let mut all = Events::open(address, "?own=1", "");
    get(address, "/kitchen/table");
    like(address, "");
    let over = events.next_with("exchange", "");
    assert!(over.data.contains("\"target\":\"/api/likes\""), "the first one: {}", over.data);
    let own = all.next_with("exchange", "\"target\":\"/kitchen/table\"");
    assert!(own.data.contains("\"own\":true"), "{}", own.data);
    // Each event of the stream writes to a connection, and a write is no event.
    all.next_with("exchange", "\"target\":\"/api/likes\"");
    let last = || {
        let state = get(address, "/kitchen/state");
        state.text().split("\"last\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let number = |id: String| id.split_once('-').unwrap().1.parse::<u64>().unwrap();
    let (one, other) = (number(last()), number(last()));
    assert!(other - one < 12, "{} events for one request", other - one);
}

#[test]
fn sixteen_pages_watch_and_the_next_is_told_to_wait() {
    let server = ServerProcess::start_site("");
    let address = server.address;
    let mut viewers: Vec<Events> = (0..16).map(|_| Events::open(address, "", "")).collect();
    let refused = get(address, "/kitchen/events");
    assert_eq!((refused.status, refused.field("retry-after")), (503, Some("5")));
    assert!(refused.text().starts_with("16 pages watch already."), "{}", refused.text());
    // HEAD asks for no stream, and takes no place for longer than its answer.
    viewers.pop();
    let since = Instant::now();
    while get_status(address) != 200 {
        assert!(since.elapsed() < TIMEOUT, "the place of the closed one is not free");
        like(address, ""); // something to tell, so that the end is noticed
    }
}

/// The status of a request for events, which is closed at once.
fn get_status(address: SocketAddr) -> u16 {
    let mut client = Client::connect(address);
    client.send(format!("GET /kitchen/events HTTP/1.1\r\nHost: {address}\r\n\r\n"));
    let mut buffer = [0; 64];
    let length = read_once(&client.stream, &mut buffer).unwrap();
    let head = std::str::from_utf8(&buffer[..length]).unwrap();
    head.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap()
}

#[test]
fn a_live_stream_goes_on_past_every_deadline_of_a_response() {
    let flags = "--head-timeout 1 --content-timeout 1 --idle-timeout 1 --write-timeout 1";
    let server = ServerProcess::start_site(flags);
    let mut events = Events::open(server.address, "", "");
    events.next();
    events.until("\n:\n\n".trim_start_matches('\n')); // a comment after 5 s of silence
    like(server.address, "");
    events.next_with("exchange", "\"state\":\"over\"");
}

#[test]
fn a_viewer_that_reads_nothing_is_dropped_and_delays_nobody() {
    let server = looked_at_site("--write-timeout 1");
    let address = server.address;
    let stuck = Events::open(address, "", "");
    let peer = format!("\"peer\":\"{}\"", stuck.client.stream.local_addr().unwrap());
    let mut reader = Events::open(address, "?own=1", "");
    let target = format!("/{}", "x".repeat(8000));
    let mut client = Client::connect(address);
    let (since, mut is_dropped) = (Instant::now(), false);
    // The buffers of both sockets take some MiB, and then the thread of the stuck one waits for a second.
    while !is_dropped {
        assert!(since.elapsed() < 3 * TIMEOUT, "it is not dropped");
        client.send(format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n"));
        assert_eq!(client.response().status, 404);
        loop {
            let event = reader.next();
            is_dropped |= event.data.contains(&peer) && event.data.contains("\"state\":\"gone\"");
            if event.name == "exchange" && event.data.contains("\"state\":\"over\"") {
                break;
            }
        }
    }
    drop(stuck);
    like(address, "");
    reader.next_with("exchange", "\"target\":\"/api/likes\"");
}

#[test]
fn the_stream_ends_at_once_when_the_server_stops() {
    let server = ServerProcess::start_site("--grace 5");
    let mut events = Events::open(server.address, "", "");
    events.next();
    let chunked = {
        let mut client = server.client();
        client.send(format!("GET /kitchen/events HTTP/1.1\r\nHost: {}\r\n\r\n", server.address));
        client
    };
    let since = Instant::now();
    server.signal("TERM");
    events.client.read_to_end();
    let elapsed = since.elapsed();
    assert!(elapsed < Duration::from_millis(400), "{elapsed:?}");
    let mut chunked = chunked;
    assert!(chunked.read_to_end().ends_with(b"\r\n0\r\n\r\n"), "the last chunk is sent");
    assert_eq!(server.wait().code, Some(0));
}

// What is refused.

#[test]
fn a_host_that_is_not_this_machine_is_refused() {
    let server = ServerProcess::start_site("");
    let address = server.address;
    let port = address.port();
    for request in REQUESTS {
        for host in [
            format!("Host: evil.example:{port}\r\n"),
            format!("Host: evil.example:{port}\r\nOrigin: http://evil.example:{port}\r\n"),
            format!("Host: 127.0.0.1.evil.example:{port}\r\nSec-Fetch-Site: same-origin\r\n"),
            format!("Host: 0.0.0.0:{port}\r\n"),
            "Host: 192.168.0.1\r\n".to_owned(),
            String::new(),
        ] {
            let refused = ask(address, request, &host, "");
            assert_eq!(refused.status, 421, "{request} {host}: {}", refused.text());
            assert!(refused.text().contains("does not name this machine"), "{}", refused.text());
        }
    }
    // The host of a whole URI counts, and the field must not differ.
    for (target, host) in [
        (format!("http://evil.example:{port}/kitchen/state"), format!("127.0.0.1:{port}")),
        (format!("http://127.0.0.1:{port}/kitchen/state"), "evil.example".to_owned()),
    ] {
        let refused = ask(address, &format!("GET {target}"), &format!("Host: {host}\r\n"), "");
        assert_eq!(refused.status, 421, "{target} {host}");
    }
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")]
    {
        let answered = ask(address, "GET /kitchen/state", &format!("Host: {host}\r\n"), "");
        assert_eq!(answered.status, 200, "{host}");
    }
}

#[test]
fn a_page_of_another_origin_is_refused() {
    let server = ServerProcess::start_site("");
    let address = server.address;
    for request in REQUESTS {
        for fields in [
            "Origin: http://evil.example\r\n",
            "Origin: null\r\n",
            "Origin: http://127.0.0.1:1\r\n",
            "Sec-Fetch-Site: cross-site\r\n",
            "Sec-Fetch-Site: same-site\r\n",
            "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n",
        ] {
            let refused = ask(address, request, &format!("Host: {address}\r\n{fields}"), "");
            assert_eq!(refused.status, 403, "{request} {fields}: {}", refused.text());
            assert!(refused.text().contains("A page of another site"), "{}", refused.text());
        }
    }
    for fields in
        [format!("Origin: http://{address}\r\n"), "Sec-Fetch-Site: same-origin\r\n".into()]
    {
        let fields = format!("Host: {address}\r\n{fields}");
        assert_eq!(ask(address, "GET /kitchen/state", &fields, "").status, 200);
    }
}

#[test]
fn a_like_from_another_origin_is_refused_and_shown_as_what_it_was() {
    let server = looked_at_site("");
    like(server.address, "Origin: http://evil.example\r\n");
    let details = details(server.address, "/api/likes", "");
    assert!(details.contains("\"status\":403"), "{details}");
    assert!(details.contains("\"notes\":[]"), "{details}");
    assert!(details.contains("Origin: http://evil.example"), "{details}");
}

#[test]
fn a_listener_that_other_machines_reach_keeps_the_kitchen_shut_unless_a_flag_opens_it() {
    let site = |flags: &str| {
        let folder = Folder::new();
        let mut command = openkitchen(&format!("--no-trace {flags}"));
        let server = ServerProcess::start(command.arg("--data").arg(folder.file("likes")));
        let address = SocketAddr::from(([127, 0, 0, 1], server.address.port()));
        (server, folder, address)
    };
    for flags in ["--listen 0.0.0.0:0", "--listen 127.0.0.1:0 --no-kitchen"] {
        let (_server, _folder, address) = site(flags);
        for request in REQUESTS {
            let refused = ask(address, request, &format!("Host: {address}\r\n"), "");
            assert_eq!(refused.status, 403, "{flags} {request}");
            assert!(refused.text().starts_with("The kitchen is shut."), "{}", refused.text());
            let is_why = refused.text().contains("was started with --no-kitchen");
            assert_eq!(is_why, flags.contains("--no-kitchen"), "{}", refused.text());
        }
    }
    // A Unix socket beside an address of this machine shuts nothing.
    let folder = Folder::new();
    let socket = folder.file("sock").display().to_string();
    let flags = format!("--listen 127.0.0.1:0 --listen unix:{socket}");
    let (_server, _folder, address) = site(&flags);
    assert_eq!(get(address, "/kitchen/state").status, 200);
    let (_server, _folder, address) = site("--listen 0.0.0.0:0 --kitchen-anywhere");
    let host = "Host: kitchen.example\r\n";
    assert_eq!(ask(address, "GET /kitchen/state", host, "").status, 200);
    let foreign = format!("{host}Origin: http://evil.example\r\n");
    assert_eq!(ask(address, "GET /kitchen/state", &foreign, "").status, 403);
    // No other machine reaches this one, so the flag opens nothing.
    let (_server, _folder, address) = site("--listen 127.0.0.1:0 --kitchen-anywhere");
    assert_eq!(ask(address, "GET /kitchen/state", host, "").status, 421);
    assert_eq!(get(address, "/kitchen/state").status, 200);
}

// Bytes that attack the page.

#[test]
fn bytes_of_a_client_stay_bytes_in_the_page() {
    let server = ServerProcess::start_site("");
    let address = server.address;
    let long = format!("/{}", "a".repeat(16 * 1024));
    let host = format!("Host: {address}\r\nConnection: close\r\n");
    for (request, target, shown) in [
        // A script in a field value, and in a target.
        (
            format!("GET /a1 HTTP/1.1\r\n{host}X: </script><script>alert(1)</script>\r\n\r\n")
                .into_bytes(),
            "/a1",
            "X: </script><script>alert(1)</script>\\u000d",
        ),
        (b"GET /<script>\"'& HTTP/1.1\r\n\r\n".to_vec(), "/<script>\\\"'&", "/<script>\\\"'&"),
        // A target of 16 KiB.
        (format!("GET {long} HTTP/1.1\r\n{host}\r\n").into_bytes(), "/aaaa", "/aaaa"),
        // Bytes that are no UTF-8.
        (
            [format!("GET /a2 HTTP/1.1\r\n{host}").as_bytes(), b"X: \xff\xc3\x28\r\n\r\n"].concat(),
            "/a2",
            "X: \u{ff}\u{c3}(\\u000d",
        ),
        // A NUL, an escape sequence of a terminal, and one of its 8-bit forms.
        (b"GET /a3\0 HTTP/1.1\r\n\r\n".to_vec(), "/a3\\u0000", "/a3\\u0000"),
        (b"GET /a4\x1b[2J HTTP/1.1\r\n\r\n".to_vec(), "/a4\\u001b[2J", "/a4\\u001b[2J"),
        (b"GET /a5\x9b2J HTTP/1.1\r\n\r\n".to_vec(), "/a5\\u009b2J", "/a5\\u009b2J"),
        // A character that turns the direction of writing: U+202E is e2 80 ae.
        (
            [
                format!("GET /a6 HTTP/1.1\r\n{host}").as_bytes(),
                "X: \u{202e}txt.exe\r\n\r\n".as_bytes(),
            ]
            .concat(),
            "/a6",
            "X: \u{e2}\\u0080\u{ae}txt.exe",
        ),
        // An event of the stream within a target.
        (
            b"GET /a7\ndata:{}\n\nevent:lost HTTP/1.1\r\n\r\n".to_vec(),
            "/a7",
            "/a7\\u000adata:{}\\u000a\\u000aevent:lost",
        ),
    ] {
        let mut events = Events::open(address, "", "");
        events.next();
        send(address, &request);
        let details = details(address, target, "");
        assert!(details.contains(shown), "{shown}: {details}");
        let over = events.next_with("exchange", "\"state\":\"over\"");
        assert!(over.data.contains(&format!("\"target\":\"{target}")), "{}", over.data);
        for text in [&details, &over.data] {
            // No control character, and none beyond U+00FF but in what this program writes itself.
            assert!(!text.contains(char::is_control), "{text}");
            assert!(!text.contains('\u{202e}') && !text.contains('\u{fffd}'), "{text}");
            assert!(text.starts_with("{\"n\":") && text.ends_with('}'), "{text}");
        }
    }
}

#[test]
fn credentials_are_masked_in_every_view_unless_asked_for() {
    let server = ServerProcess::start_site("");
    let address = server.address;
    let secrets = ["dXNlcjpzZWNyZXQx", "secret2", "secret3", "secret4", "secret5"];
    let request = format!(
        "GET /staff?appid=secret2&x=1 HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Authorization: Basic dXNlcjpzZWNyZXQx\r\nCookie: sid=secret3\r\nX-API-Key: secret4\r\n\
         Proxy-Authorization : Bearer secret5\r\n\r\n"
    );
    let mut events = Events::open(address, "", "");
    send(address, &request);
    let masked = details(address, "/staff?appid=*******&x=1", "");
    let over = events.next_with("exchange", "\"state\":\"over\"");
    for secret in secrets {
        for text in [&masked, &over.data] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
    assert!(masked.contains("Authorization: Basic ****************\\u000d"), "{masked}");
    assert!(masked.contains("Cookie: sid=*******\\u000d"), "{masked}");
    let unmasked = details(address, "/staff?appid=*******&x=1", "?unmask=1");
    assert!(secrets.iter().all(|secret| unmasked.contains(secret)), "{unmasked}");
    let state = get(address, "/kitchen/state");
    assert!(secrets.iter().all(|secret| !state.text().contains(secret)));
}

// The lab, and what bytes mean.

fn lab(address: SocketAddr, transcript: &str) -> Response {
    ask(address, "POST /kitchen/lab", &format!("Host: {address}\r\n"), transcript)
}

#[test]
fn the_lab_sends_to_this_server_and_tells_the_answer_as_it_comes() {
    let server = looked_at_site("");
    let address = server.address;
    let told = lab(address, ">>>\nGET / HTTP/1.1\nHost : h\n\n");
    assert_eq!(told.field("content-type"), Some("application/x-ndjson"));
    let lines: Vec<&str> = told.text().lines().collect();
    let [sent, received, end, done] = lines[..] else { panic!("{}", told.text()) };
    let bytes = "\"bytes\":\"GET / HTTP/1.1\\u000d\\u000aHost : h\\u000d\\u000a\\u000d\\u000a\"";
    assert!(sent.contains("\"kind\":\"sent\"") && sent.contains(bytes), "{sent}");
    assert!(received.contains("\"connection\":1,\"bytes\":\"HTTP/1.1 400 Bad Request"));
    assert!(end.contains("\"kind\":\"end\",\"connection\":1,\"text\":\"server closed\""), "{end}");
    assert!(done.starts_with("{\"kind\":\"done\",\"connection\":1,\"request\":{"), "{done}");
    let mut whys = done.split("\"why\":\"").skip(1);
    assert!(whys.any(|why| !why.starts_with('"')), "what goes wrong: {done}");
    assert!(done.contains("\"start\":20,\"end\":21,\"about\":\"\""), "the caret: {done}");
    assert!(done.contains("\"fault\":true"), "{done}");
    let number = done.rsplit("\"exchange\":").next().unwrap().split(',').next().unwrap();
    let exchange = get(address, &format!("/kitchen/exchange/{number}"));
    assert!(exchange.text().contains("\"own\":false,\"fault\":true"), "{}", exchange.text());
    assert!(exchange.text().contains("refused before"), "{}", exchange.text());
}

#[test]
fn the_lab_plays_several_writes_waits_and_a_half_close() {
    let server = ServerProcess::start_site("");
    let page = ">>>\nPOST /echo HTTP/1.1\nHost: h\nContent-Length: 4\n\nab\\\n--- wait 30ms\n>>>\ncd\\\n\
                --- client half-close\n";
    let told = lab(server.address, page);
    let text = told.text();
    assert_eq!(text.matches("\"kind\":\"sent\"").count(), 2, "{text}");
    assert!(text.contains("\"text\":\"client half-close\""), "{text}");
    assert!(text.contains("\\u000d\\u000a\\u000d\\u000aabcd\""), "{text}");
    let two = ">>>\nGET /about HTTP/1.1\nHost: h\n\n<<<\nHTTP/1.1 200 OK\n\n>>>\nGET /nowhere HTTP/1.1\n\
               Host: h\nConnection: close\n\n";
    let told = lab(server.address, two);
    let (first, second) = told.text().split_once("\"bytes\":\"GET /nowhere").unwrap();
    assert!(first.contains("HTTP/1.1 200 OK") && second.contains("HTTP/1.1 404"), "{first}");
}

#[test]
fn the_lab_has_several_connections_and_waits_at_assertions() {
    let server = ServerProcess::start_site("");
    let get = "GET /about HTTP/1.1\nHost: h\n\n";
    let told = lab(
        server.address,
        &format!(">>>\n{get}\n???\nstatus 200\n\n>>>\n{get}\n>>> @2\n{get}\n???\nstatus 200\n"),
    );
    let kinds = told.text().lines().map(|line| {
        let kind = line.split("\"kind\":\"").nth(1).unwrap().split('"').next().unwrap();
        let connection = line.split("\"connection\":").nth(1).unwrap_or("-").split(',').next();
        format!("{kind} {}", connection.unwrap())
    });
    let kinds: Vec<String> = kinds.collect();
    assert_eq!(kinds[..3], ["sent 1", "received 1", "sent 1"], "{}", told.text());
    assert!(kinds.contains(&"received 2".to_owned()), "{kinds:?}");
    assert!(told.text().contains("\"others\":[{\"connection\":2,\"request\":{"));
}

#[test]
fn the_course_and_the_words_are_served_and_each_lesson_can_be_sent_in_the_lab() {
    let server = ServerProcess::start_site("");
    let words = get(server.address, "/kitchen/words");
    assert!(words.text().starts_with("{\"words\":[{\"word\":\""), "{}", words.text());
    let course = get(server.address, "/kitchen/course");
    let text = course.text();
    assert!(text.starts_with("{\"groups\":[{\"title\":\"the message\",\"goal\":\""), "{text:.200}");
    let requests: Vec<String> = text
        .split("\"request\":\"")
        .skip(1)
        .map(|rest| rest.split("\",\"").next().unwrap().split("\"}").next().unwrap())
        .filter(|request| !request.is_empty())
        .map(|request| request.replace("\\u000a", "\n").replace("\\\"", "\"").replace("\\\\", "\\"))
        .collect();
    assert!(requests.len() > 100, "{}", requests.len());
    for request in requests {
        openkitchen::play::script::parse(&request, openkitchen::transcript::Side::Client)
            .unwrap_or_else(|why| panic!("{why}\n{request}"));
        let can_be_sent = [">>>", "---"].iter().any(|marker| request.contains(marker));
        assert!(can_be_sent, "{request}");
    }
}

#[test]
fn the_lab_refuses_what_it_cannot_send_and_is_bounded() {
    let server = ServerProcess::start_site("");
    let address = server.address;
    for (transcript, status, sentence) in [
        ("GET / HTTP/1.1\n", 400, "line 1: expected "),
        ("# nothing\n", 400, "line 1: expected something to send"),
        (
            &(1..6).map(|n| format!(">>> @{n}\nGET / HTTP/1.1\n\n")).collect::<String>(),
            400,
            "4 conn",
        ),
        (">>>\n\\{5 bytes}\\\n", 400, "left out"),
        (">>>\n\\{70000 \"x\"}\\\n", 413, "65536 bytes"),
        (">>>\n\\{18446744073709551615 \"x\"}\\\n", 400, "in one block"),
        (&format!(">>>\n{}", "x\n".repeat(200_000)), 413, "65536 bytes"),
    ] {
        let refused = lab(address, transcript);
        assert_eq!(refused.status, status, "{transcript:.40}: {}", refused.text());
        assert!(refused.text().contains(sentence), "{}", refused.text());
    }
    let binary = ask(address, "POST /kitchen/lab", &format!("Host: {address}\r\n"), b"\xff");
    assert_eq!(binary.status, 400);
    // A fifth waits until one of four has ended.
    let slow = ">>>\nGET / HTTP/1.1\n\\\n--- wait 60s\n";
    let open = || {
        let mut client = Client::connect(address);
        let length = slow.len();
        client.send(format!(
            "POST /kitchen/lab HTTP/1.0\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n{slow}"
        ));
        let mut events = Events { client, text: String::new() };
        events.until("\"kind\":\"sent\"");
        events
    };
    let labs: Vec<Events> = (0..4).map(|_| open()).collect();
    assert_eq!(lab(address, ">>>\nGET / HTTP/1.1\n\n").status, 503);
    drop(labs);
}

#[test]
fn the_lab_stops_after_what_it_may_receive() {
    let server = ServerProcess::start_site("");
    let get = "GET / HTTP/1.1\nHost: h\n\n".repeat(100);
    let told = lab(server.address, &format!(">>>\n{get}"));
    let text = told.text();
    assert!(text.contains("\"text\":\"the lab ends after 256 KiB received\""), "{:.300}", text);
    assert!(text.lines().last().unwrap().starts_with("{\"kind\":\"done\""));
}

#[test]
fn bytes_are_explained_without_sending_them() {
    let server = ServerProcess::start_site("");
    let host = format!("Host: {}\r\n", server.address);
    let explained =
        ask(server.address, "POST /kitchen/explain", &host, b"GET / HTTP/1.1\r\nX: \xff\r\n\r\n");
    assert!(explained.text().starts_with("{\"bytes\":\"GET / HTTP/1.1\\u000d\\u000aX: \u{ff}"));
    assert!(explained.text().contains("\"fault\":true"));
    let large = ask(server.address, "POST /kitchen/explain", &host, vec![b'x'; 300_000]);
    assert_eq!(large.status, 413);
}

// What else shows exchanges.

#[test]
fn the_trace_and_the_access_log_leave_the_kitchen_out() {
    let folder = Folder::new();
    let mut command = openkitchen("--listen 127.0.0.1:0");
    command.env("RUST_LOG", "info").arg("--data").arg(folder.file("likes"));
    let server = ServerProcess::start(&mut command);
    let address = server.address;
    let events = Events::open(address, "", "");
    get(address, "/kitchen/table");
    lab(address, ">>>\nGET /about HTTP/1.1\nHost: h\nConnection: close\n\n");
    drop(events);
    let ended = server.stop();
    assert!(ended.stdout.contains("\nGET /about HTTP/1.1\n"), "{}", ended.stdout);
    let quiet = "\n# /kitchen/*, /favicon.ico, /healthz: shown only if they fail\n";
    assert_eq!(ended.stdout.matches("/kitchen/").count(), 1, "{}", ended.stdout);
    assert!(ended.stdout.contains(quiet), "{}", ended.stdout);
    assert!(ended.stderr.contains("GET /about") && !ended.stderr.contains("/kitchen/"));
}

#[test]
fn a_recording_leaves_the_kitchens_exchanges_out_and_has_every_byte_of_the_others() {
    let folder = Folder::new();
    let mut command = openkitchen("--listen 127.0.0.1:0 --no-trace --record");
    command.arg(folder.file("wires")).arg("--data").arg(folder.file("likes"));
    let server = ServerProcess::start(&mut command);
    let address = server.address;
    let events = Events::open(address, "", "");
    // One connection with exchanges of both kinds; the second head comes in two writes.
    let mut client = Client::connect(address);
    let table = format!("GET /kitchen/table HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let raw = format!("GET /raw?n=1 HTTP/1.1\r\nHost: {address}\r\n\r\n");
    client.send(&table);
    assert_eq!(client.response().status, 200);
    client.send(&raw[..20]);
    client.send(&raw[20..]);
    assert_eq!(client.response().status, 200);
    client.send(format!(
        "POST /kitchen/explain HTTP/1.1\r\nHost: {address}\r\nContent-Length: 3\r\n\r\n"
    ));
    client.send("abc");
    assert_eq!(client.response().status, 200);
    client.send("GET /broken HTTP/1.1\r\nHost : h\r\n\r\n");
    assert_eq!(client.response().status, 400);
    client.read_to_end();
    drop(events);
    let ended = server.stop();
    assert_eq!(ended.stderr, "");
    let files = std::fs::read_dir(folder.file("wires")).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    let text = std::fs::read_to_string(file).unwrap();
    assert!(!text.contains("/kitchen/"), "{text}");
    let transcript = openkitchen::Transcript::parse(&text).unwrap();
    let sent = transcript.items.iter().filter_map(|item| match item {
        openkitchen::transcript::Item::Block(block)
            if block.from == openkitchen::transcript::Side::Client =>
        {
            block.bytes.expand()
        }
        _ => None,
    });
    let sent = String::from_utf8(sent.flatten().collect()).unwrap();
    assert_eq!(sent, format!("{raw}GET /broken HTTP/1.1\r\nHost : h\r\n\r\n"));
    assert!(text.contains("status 200") && text.contains("status 400"), "{text}");
}

// The page of watch.

/// The site behind watch, and the address and the link of watch's page.
fn watch(flags: &str) -> (ServerProcess, ServerProcess, SocketAddr, String) {
    let site = ServerProcess::start_site("");
    let mut command = openkitchen(&format!("watch --listen 127.0.0.1:0 {flags}"));
    let mut watch = ServerProcess::start(command.arg(site.address.to_string()));
    let line = watch.wait_for_line("# your app, through the glass: ");
    let (app, link) = line.split_once(" · the kitchen: http://").unwrap();
    assert_eq!(app, format!("http://{}", watch.address));
    let (page, path) = link.split_once('/').unwrap();
    (site, watch, page.parse().unwrap(), format!("/{path}"))
}

#[test]
fn the_page_of_watch_opens_by_a_link_that_is_good_once() {
    let (_site, mut watch, page, link) = watch("--no-trace");
    let host = format!("Host: {page}\r\n");
    for request in REQUESTS {
        let refused = ask(page, request, &host, "");
        assert_eq!(refused.status, 403, "{request}");
        assert!(refused.text().contains("the terminal in which watch was started"));
    }
    let home = get(page, "/");
    assert_eq!((home.status, home.field("location")), (303, Some("/kitchen")));
    // Neither HEAD nor another site nor a wrong key uses it up.
    ask(page, &format!("HEAD {link}"), &host, "");
    let foreign = format!("{host}Sec-Fetch-Site: cross-site\r\n");
    let clicked = ask(page, &format!("GET {link}"), &foreign, "");
    assert_eq!(clicked.status, 403);
    assert!(clicked.text().ends_with(" Copy the link from the terminal into the address bar.\n"));
    assert_eq!(ask(page, &format!("GET {link}"), "Host: evil.example\r\n", "").status, 421);
    assert_eq!(get(page, "/?key=0").status, 403);
    let opened = get(page, &link);
    let location = opened.field("location").unwrap();
    let (path, key) = location.split_once("#key=").unwrap();
    assert_eq!((opened.status, path, key.len()), (303, "/kitchen", 32));
    let key = format!("Kitchen-Key: {key}\r\n");
    let cookie = opened.field("set-cookie").unwrap().to_owned();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(attributes, "HttpOnly; SameSite=Strict; Path=/kitchen");
    assert!(pair.starts_with(&format!("kitchen-{}=", page.port())), "{pair}");
    let again = get(page, &link);
    assert_eq!(again.status, 403);
    assert!(again.text().contains("was used before"), "{}", again.text());
    let next = watch.wait_for_line("# the kitchen is open; for another browser: http://");
    let (_, next) = next.split_once('/').unwrap();
    assert_eq!(get(page, &format!("/{next}")).status, 303);
    // The page opens by the cookie, and data by the cookie and the key. A browser sends the cookie to each
    // server on this host, and such a server can send it here.
    let with = |request: &str, cookie: &str, fields: &str| {
        ask(page, request, &format!("{host}Cookie: a=b; {cookie}\r\n{fields}"), "").status
    };
    for request in REQUESTS {
        let by_cookie = if request == "GET /kitchen" { 200 } else { 403 };
        assert_eq!(with(request, pair, ""), by_cookie, "{request}");
        for wrong in [&key[..key.len() - 3], "Kitchen-Key: 0", "Kitchen-Key: "] {
            assert_eq!(with(request, pair, &format!("{wrong}\r\n")), by_cookie, "{request}");
        }
        for wrong in [&pair[..pair.len() - 1], &format!("{pair}0"), "kitchen=", ""] {
            assert_eq!(with(request, wrong, &key), 403, "{request} {wrong}");
        }
    }
    for request in ["GET /kitchen", "GET /kitchen/state", "GET /kitchen/table"] {
        assert_eq!(with(request, pair, &key), 200, "{request}");
    }
    let query = location.replace("/kitchen#", "?");
    let mut events = Events::open(page, &query, &format!("Cookie: {pair}\r\n"));
    assert_eq!(events.next().name, "hello");
    assert_eq!(with("GET /kitchen/events?key=0", pair, ""), 403);
    let rebound = format!("Host: evil.example\r\nCookie: {pair}\r\n{key}");
    assert_eq!(ask(page, "GET /kitchen/state", &rebound, "").status, 421);
}

#[test]
fn the_page_of_watch_shows_what_crosses_and_its_lab_sends_to_the_watched_server() {
    let (site, watch, page, link) = watch("--no-trace");
    let opened = get(page, &link);
    let cookie = opened.field("set-cookie").unwrap().split(';').next().unwrap();
    let (_, key) = opened.field("location").unwrap().split_once("#key=").unwrap();
    let cookie = format!("Cookie: {cookie}\r\nKitchen-Key: {key}\r\n");
    let mut events = Events::open(page, "", &cookie);
    let hello = events.next();
    let expected = format!(
        "\"mode\":\"watch\",\"address\":\"{}\",\"watched\":\"{}\"",
        watch.address, site.address
    );
    assert!(hello.data.contains(&expected), "{}", hello.data);
    like(watch.address, "");
    let over = events.next_with("exchange", "\"state\":\"over\"");
    assert!(over.data.contains("\"target\":\"/api/likes\",\"status\":201,\"route\":null"));
    let fields = format!("Host: {page}\r\n{cookie}");
    let details = ask(page, &format!("GET /kitchen/exchange/{}", over.number()), &fields, "");
    let details = details.text();
    assert!(details.contains("\"row\":null,\"handler\":null,\"notes\":[]"), "{details}");
    assert!(details.contains("watch sees what crosses"), "{details}");
    // The time until the response began is the app's, and not that of the head.
    assert!(details.contains("\"step\":8,\"title\":\"The app\",\"at\":"), "{details}");
    assert!(details.contains("\"text\":\"The response began "), "{details}");
    let transcript = ">>>\nGET /about HTTP/1.1\nHost: h\nConnection: close\n\n";
    let told = ask(page, "POST /kitchen/lab", &fields, transcript);
    assert!(told.text().contains("HTTP/1.1 200 OK"), "{}", told.text());
    let over = events.next_with("exchange", "\"target\":\"/about\"");
    let number = format!("\"exchange\":{},\"others\":[]}}", over.number());
    assert!(told.text().contains(&number), "{} {number}", told.text());
    let since = Instant::now();
    watch.signal("TERM");
    events.client.read_to_end();
    assert!(since.elapsed() < Duration::from_millis(400), "{:?}", since.elapsed());
    assert_eq!(watch.wait().code, Some(0));
}

#[test]
fn watch_prints_no_link_to_a_page_that_stays_shut() {
    let site = ServerProcess::start_site("");
    let mut command = openkitchen("watch --listen 127.0.0.1:0 --page 0.0.0.0:0 --no-trace");
    let mut watch = ServerProcess::start(command.arg(site.address.to_string()));
    let line = watch.wait_for_line("# your app, through the glass: ");
    assert!(line.contains(" · the kitchen: shut, since other machines reach"), "{line}");
}

#[test]
fn the_page_of_watch_has_an_address_of_its_own_or_none() {
    let (_site, _watch, page, _) = watch("--page 127.0.0.1:0");
    assert_eq!(get(page, "/").status, 303);
    let site = ServerProcess::start_site("");
    let folder = Folder::new();
    let port = folder.file("port");
    let mut command = openkitchen("watch --listen 127.0.0.1:0 --no-page --port-file");
    let watch = ServerProcess::start(command.arg(&port).arg(site.address.to_string()));
    let ended = watch.stop();
    assert!(!ended.stdout.contains("kitchen"), "{}", ended.stdout);
    let taken = format!("watch --listen 127.0.0.1:0 --page {} {0}", site.address);
    let mut client = site.client();
    let _ = client.stream.flush();
    let ended = crate::support::process::run(&mut openkitchen(&taken));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("is in use") && ended.stderr.contains("--page"), "{ended:?}");
}

// Many exchanges. The long test is in tests/load.

#[test]
fn two_hundred_exchanges_a_second_are_all_told_or_said_to_be_lost() {
    let server = ServerProcess::start_site("");
    let address = server.address;
    let told = events::under_load(address, Duration::from_secs(3));
    assert!(told.exchanges == told.sent || told.is_lost, "{told:?}");
    let state = get(address, "/kitchen/state");
    assert_eq!(state.text().matches("\"target\":\"/about").count(), 100, "the last hundred");
}

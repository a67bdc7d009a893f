//! Tests of what a library user sees of the connections: the trace, recordings, and kept exchanges.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{self, Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};
use std::{env, fs};

use openkitchen::{
    Fault, Request, Response, Routes, Server, StartError, Transcript, check, get, routes,
};

static ROUTES: Routes = routes(&[get("/", home)]);

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

fn home(_: &Request) -> Response {
    Response::text("Welcome!")
}

/// Sends these bytes, and returns what came back until the server closed.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).unwrap();
    response
}

/// The stdout and the stderr of a test below that runs in a process of its own.
fn run_alone(test: &str) -> (String, String) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "--ignored", "--nocapture", test]).env_remove("NO_COLOR");
    let output = command.stdin(Stdio::null()).output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_traced_server_prints_its_address_and_every_exchange_before_it_is_gone() {
    let (stdout, _) = run_alone("observe::a_traced_server");
    let start = stdout.find("# listening on http://127.0.0.1:").expect(&stdout);
    let end = stdout.find("# the server is gone").expect(&stdout);
    let trace = Transcript::parse(&stdout[start..end]).expect(&stdout).to_string();
    assert_eq!(trace, stdout[start..end], "it is canonical");
    let lines: Vec<&str> = trace.lines().map(|line| line.split(", +").next().unwrap()).collect();
    assert!(lines[1].contains("secrets included"), "{trace}");
    assert!(lines[2].starts_with("--- open from 127.0.0.1:"), "{trace}");
    let bytes = lines[3..].join("\n");
    let request = "\n>>> 46 bytes\nGET / HTTP/1.1\nHost: h\nConnection: close\n\n<<< ";
    assert!(bytes.starts_with(request), "{trace}");
    assert!(bytes.contains("\n\nWelcome!\\\n# 1 GET / 200 "), "{trace}");
    assert!(trace.contains("--- server closed\n"), "{trace}");
}

#[test]
#[ignore = "run by the test above, since it prints"]
fn a_traced_server() {
    let server = Server::bind("127.0.0.1:0").unwrap().traced().start(&ROUTES, ()).unwrap();
    ask(server.address(), REQUEST);
    drop(server);
    println!("# the server is gone");
}

#[test]
fn a_main_that_returns_the_error_of_a_taken_port_says_what_to_do() {
    let (_, stderr) = run_alone("observe::a_taken_port");
    let expected = " is in use; try 127.0.0.1:";
    assert!(stderr.contains("Error: port ") && stderr.contains(expected), "{stderr}");
}

#[test]
#[ignore = "run by the test above, since it fails"]
fn a_taken_port() -> Result<(), StartError> {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    Server::bind(taken.local_addr().unwrap())?.run(&ROUTES, &())
}

#[test]
fn a_recorded_server_writes_each_connection_to_a_file() {
    let folder = env::temp_dir().join(format!("openkitchen-api-recorded-{}", process::id()));
    let server = Server::bind("127.0.0.1:0").unwrap().recorded_in(&folder, "a server").unwrap();
    let server = server.start(&ROUTES, ()).unwrap();
    ask(server.address(), REQUEST);
    drop(server);
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    let text = fs::read_to_string(file).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert!(Transcript::parse(&text).is_ok(), "{text}");
    assert!(text.contains("GET / HTTP/1.1\nHost: h\nConnection: close\n\n<<< "), "{text}");
    assert!(text.contains("\n???\nstatus 200\nfield Content-Length\n"), "{text}");
}

const TWO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 201 Created\r\n\
    Content-Length: 1\r\n\r\nb";

static MISFRAMED: Routes = routes(&[
    get("/", home),
    get("/short", |_: &Request| Response::text("the content").fault(Fault::WrongLength(-3))),
    get("/two", |_: &Request| Response::raw(TWO)),
    get("/garbage", |_: &Request| Response::raw(b"garbage")),
    get("/stall", |_: &Request| {
        Response::text("late").fault(Fault::StallAfter(0, Duration::from_secs(60)))
    }),
]);

#[test]
fn each_request_is_one_exchange_whatever_answers_it() {
    let requests = |targets: &[&str]| -> String {
        let request = |target| format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        targets.iter().map(request).collect()
    };
    for (targets, expected) in [
        (&["/short"][..], &["tent"][..]),
        (&["/two", "/"], &["b", "Welcome!"]),
        (&["/garbage", "/garbage"], &["garbage", "garbage"]),
        (&["/", "/two"], &["Welcome!", "b"]),
    ] {
        let server = Server::bind("127.0.0.1:0").unwrap().keep(10);
        let exchanges = server.exchanges();
        let server = server.start(&MISFRAMED, ()).unwrap();
        let mut client = TcpStream::connect(server.address()).unwrap();
        client.write_all(requests(targets).as_bytes()).unwrap();
        // The first exchange is over when the second one is answered.
        let first = (targets.len() > 1).then(|| server.exchange(1));
        client.shutdown(std::net::Shutdown::Write).unwrap();
        client.read_to_end(&mut Vec::new()).unwrap();
        server.stop().unwrap();
        let kept = exchanges.all();
        assert_eq!(exchanges.numbers().len(), kept.len(), "{exchanges}");
        for (at, (kept, expected)) in kept.iter().zip(expected).enumerate() {
            let route = kept.route.map(|row| row.path);
            assert_eq!((route, kept.target()), (Some(targets[at]), targets[at].to_owned()));
            assert!(kept.response.bytes().ends_with(expected.as_bytes()), "{targets:?}: {kept}");
        }
        assert!(first.is_none_or(|it| it.request.bytes() == kept[0].request.bytes()));
        assert_eq!(kept.len(), targets.len(), "{exchanges}");
    }
}

#[test]
fn exchanges_print_what_is_in_flight_straight_after_the_response() {
    let server = Server::bind("127.0.0.1:0").unwrap().keep(10).start(&MISFRAMED, ()).unwrap();
    let mut client = TcpStream::connect(server.address()).unwrap();
    assert!(server.exchanges().to_string().starts_with("# no request has arrived"));
    let is_printed = |(target, end): &(&str, &str)| {
        let server = Server::bind("127.0.0.1:0").unwrap().keep(10).start(&MISFRAMED, ()).unwrap();
        let mut client = TcpStream::connect(server.address()).unwrap();
        client.write_all(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).unwrap();
        let (mut received, mut buffer) = (Vec::new(), [0; 1000]);
        while !received.ends_with(if *target == "/" { b"Welcome!" } else { b" content" }) {
            let length = client.read(&mut buffer).unwrap();
            received.extend_from_slice(&buffer[..length]);
        }
        let text = server.exchanges().to_string();
        text.contains(&format!("\nGET {target} HTTP/1.1\nHost: h\n\n<<< ")) && text.contains(end)
    };
    // A busy machine may not run the server's thread for as long as a print waits for it, so one of three
    // times is enough.
    let ends = [("/", "\n\nWelcome!\\\n"), ("/short", "\n\nthe content\\\n")];
    assert!((0..3).any(|_| ends.iter().cycle().take(200).all(is_printed)));
    client.write_all(b"GET /stall HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    client.read_exact(&mut [0; 12]).unwrap();
    let text = server.exchanges().to_string();
    assert!(text.contains("\nGET /stall HTTP/1.1\n") && text.contains("\n<<< "), "{text}");
}

static DRIPS: Routes = routes(&[get("/", |_: &Request| {
    Response::written("text/plain", |out| {
        ["one", "two", "three"].iter().try_for_each(|text| {
            out.write_all(text.as_bytes())?;
            out.flush()
        })
    })
})]);

#[test]
fn a_saved_page_of_kept_exchanges_has_each_write_and_holds_when_it_is_played() {
    let server = Server::bind("127.0.0.1:0").unwrap().clock(|| UNIX_EPOCH).keep(10);
    let server = server.start(&DRIPS, ()).unwrap();
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHo").unwrap();
    while server.exchanges().numbers().is_empty() {
        std::thread::yield_now();
    }
    client.write_all(b"st: h\r\n\r\n").unwrap();
    let kept = server.exchange(1);
    let page = server.exchanges().to_string();
    let marker = |line: &&str| line.starts_with(['<', '>']);
    let blocks: Vec<&str> =
        page.lines().filter(marker).map(|line| line.split(',').next().unwrap()).collect();
    let head = kept.response.head_length().unwrap();
    let first = format!("<<< {} bytes", head + 8);
    assert_eq!(blocks[..3], [">>> 18 bytes", ">>> 9 bytes", &first], "{page}");
    assert_eq!(blocks[3..], ["<<< 8 bytes", "<<< 10 bytes", "<<< 5 bytes"], "{page}");
    let report = check(server.address(), &Transcript::parse(&page).unwrap());
    assert!(report.passed(), "{report}");
    let again = server.exchange(2);
    assert_eq!(again.request.bytes(), kept.request.bytes());
    assert_eq!(again.response.bytes(), kept.response.bytes());
}

#[test]
fn kept_exchanges_have_the_bytes_the_route_and_the_end_of_each_connection() {
    let server = Server::bind("127.0.0.1:0").unwrap().keep(2);
    let exchanges = server.exchanges();
    let server = server.start(&ROUTES, ()).unwrap();
    let mut crossed = Vec::new();
    for target in ["/", "/missing", "/?again"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let response = ask(server.address(), &request);
        crossed.push((request.into_bytes(), response.into_bytes()));
        let kept = exchanges.wait_for(crossed.len() as u64, Duration::from_secs(10));
        assert_eq!(kept.last().unwrap().request.bytes(), crossed.last().unwrap().0);
    }
    drop(server); // from here on, the ends of the connections are known too
    let [missing, home] = &exchanges.all()[..] else { panic!("the last two are kept") };
    for (kept, (request, response)) in [missing, home].into_iter().zip(&crossed[1..]) {
        assert_eq!((kept.request.bytes(), kept.response.bytes()), (&request[..], &response[..]));
        assert!(kept.ends.iter().any(|end| end.to_string() == "server closed"), "{:?}", kept.ends);
    }
    assert_eq!((missing.status, missing.route), (Some(404), None));
    assert_eq!((home.status, home.route.map(|row| row.path)), (Some(200), Some("/")));
    assert_eq!((missing.connection, home.connection), (2, 3));
    let text = exchanges.transcript().to_string();
    assert!(text.starts_with(">>> @2 53 bytes, +"), "{text}");
}

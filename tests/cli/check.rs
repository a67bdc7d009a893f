//! Tests of `openkitchen check`: the lessons against the site and nginx, and the reports on incomplete
//! servers, which are a few lines of std each. (`tests/exchanges.rs` plays the lessons, too.)

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use openkitchen::Transcript;
use openkitchen::transcript::Item;

use crate::support::process::{
    Exit, Folder, Process, ServerProcess, TIMEOUT, free_address, need, openkitchen, read_once, run,
};

/// Returns the names and texts of the lessons that are played, in order: those that break one are not, and
/// those without requests are only read.
fn lessons() -> Vec<(String, String)> {
    let is_played = |text: &String| text.contains("\n???\n");
    all_lessons().into_iter().filter(|(_, text)| is_played(text)).collect()
}

/// Returns the names and texts of all lessons, in order.
fn all_lessons() -> Vec<(String, String)> {
    lesson_files().into_iter().filter(|(name, _)| !name.contains(".break-")).collect()
}

/// Returns the names and texts of the lessons and of the pages that break them, in the order of names.
fn lesson_files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/openkitchen/site/lessons");
    let mut lessons: Vec<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect();
    lessons.sort();
    lessons
}

/// Returns the number of the lesson with that name, in two digits as the report has it.
fn number(name: &str) -> String {
    let lessons = all_lessons();
    let is_wanted = |file: &str| file.get(3..) == Some(&format!("{name}.wire"));
    let file = lessons.iter().map(|(file, _)| file).find(|file| is_wanted(file));
    file.unwrap_or_else(|| panic!("no lesson {name}"))[..2].to_owned()
}

/// Runs `check ADDR ...` with these flags and files.
fn check(address: SocketAddr, arguments: &str) -> Exit {
    run(&mut openkitchen(&format!("check {address} {arguments}")))
}

/// Counts the lines of a report that begin with this word.
fn count(ended: &Exit, word: &str) -> usize {
    ended.stdout.lines().filter(|line| line.starts_with(word)).count()
}

/// Starts a server that calls `serve` for each connection, one after another.
fn server(serve: impl Fn(&mut TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(TIMEOUT)).unwrap();
            serve(&mut stream);
        }
    });
    address
}

/// Reads once. Returns false if the client has closed or reset the connection.
fn read(stream: &mut TcpStream) -> bool {
    read_once(stream, &mut [0; 4096]).is_ok_and(|length| length > 0)
}

/// Whether the line of a list begins with this number, in two digits.
fn is_numbered(line: &str, number: usize) -> bool {
    line.trim_start().starts_with(&format!("{number:02}  "))
}

#[test]
fn every_lesson_has_a_number_a_question_and_a_next_step() {
    let lessons = all_lessons();
    assert!(lessons.len() >= 40, "only {} lessons", lessons.len());
    for (number, (name, text)) in (1..).zip(&lessons) {
        assert!(name.starts_with(&format!("{number:02}-")), "{name}");
        let count = |key: &str| text.matches(&format!("\n# {key}: ")).count();
        for key in ["predict", "right", "because", "keep", "next"] {
            assert_eq!(count(key), 1, "{name}: {key}");
        }
        assert!((1..=3).contains(&count("answer")), "{name}: two to four answers");
    }
    let list = run(&mut openkitchen("check --list"));
    let listed = |number: usize| list.stdout.lines().any(|line| is_numbered(line, number));
    assert_eq!(list.code, Some(0));
    assert!((1..=lessons.len()).all(listed) && !listed(lessons.len() + 1), "{}", list.stdout);
}

#[test]
fn every_lesson_with_a_request_has_two_or_three_pages_that_break_it() {
    let files = lesson_files();
    for (name, text) in lessons() {
        let start = name.replace(".wire", ".break-");
        let breaks = files.iter().filter(|(file, _)| file.starts_with(&start)).count();
        assert!((2..=3).contains(&breaks), "{name}: {breaks}");
        assert!(text.contains("\n>>>") || text.contains("\n--- open\n"), "{name}");
    }
    for (name, text) in &files {
        let lesson = Transcript::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let is_judged = lesson.items.iter().any(|item| matches!(item, Item::Assertions(_)));
        assert!(is_judged || !text.contains("\n>>>"), "{name}");
        // A browser's own line stays as the browser sends it.
        let mut lines = text.lines().filter(|line| !line.starts_with("User-Agent: Mozilla"));
        assert!(lines.all(|line| line.chars().count() <= 100), "{name} has a long line");
    }
}

#[test]
fn the_lesson_site_passes_every_lesson() {
    let site = ServerProcess::start_site("");
    let ended = check(site.address, "");
    assert_eq!(count(&ended, "ok  "), lessons().len(), "{}", ended.stdout);
    assert_eq!(ended.code, Some(0));
    // The numbers have a gap: a lesson without a request.
    let unplayed = all_lessons().len() - lessons().len();
    assert_eq!(unplayed, 1);
    let read = number("under-your-framework");
    let last = format!(" pass.\nLesson {read} sends nothing: openkitchen learn {read} shows it.\n");
    assert!(ended.stdout.ends_with(&last), "{}", ended.stdout);
    let (all, readme) = (all_lessons().len(), include_str!("../../README.md"));
    let row = format!("the {all} lessons in order (but {read}, which sends nothing)");
    assert!(readme.contains(&row), "{row}");
    let some = check(site.address, &format!("1 {}", number("keep-alive"))).stdout;
    assert!(some.ends_with("2 of 2 pass.\n"), "{some}");
}

#[test]
fn nginx_passes_every_lesson_that_is_not_about_our_site() {
    if !need("nginx", "nginx -v") {
        return;
    }
    let folder = Folder::new();
    let port = free_address().port();
    let path = folder.file("");
    let path = path.to_str().unwrap();
    fs::write(folder.file("index.html"), "<p>Welcome</p>\n").unwrap();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {path}{name};\n"))
        .concat();
    let text = format!(
        "daemon off;\nmaster_process off;\npid {path}pid;\nerror_log {path}error;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}\
         server {{ listen 127.0.0.1:{port}; root {path}; }}\n}}\n"
    );
    fs::write(folder.file("nginx.conf"), text).unwrap();
    let mut command = Command::new("nginx");
    command.args(["-p", path, "-e", "error", "-c", "nginx.conf"]);
    let mut nginx = Process::spawn(&mut command);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let since = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(nginx.is_running() && since.elapsed() < TIMEOUT, "nginx does not start");
        thread::sleep(Duration::from_millis(10));
    }

    let ended = check(address, "");
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    let ours = lessons().iter().filter(|(_, text)| text.contains("\n# only: our site\n")).count();
    assert_eq!(count(&ended, "skip"), ours, "{}", ended.stdout);
    assert_eq!(count(&ended, "ok  "), lessons().len() - ours, "{}", ended.stdout);
}

#[test]
fn a_number_in_the_place_of_the_address_is_told_to_be_no_lesson() {
    let ended = run(&mut openkitchen("check 99"));
    let sentence = format!("check ADDR 99; lessons are 1 to {}.)", all_lessons().len());
    assert!(ended.stderr.contains(&sentence), "{}", ended.stderr);
    assert_eq!(ended.code, Some(3));
}

#[test]
fn check_stops_after_three_silent_cases() {
    let address = server(|stream| while read(stream) {});
    let since = Instant::now();
    let ended = check(address, "--timeout 0.2");
    assert!(since.elapsed() < Duration::from_secs(5));
    assert_eq!((ended.code, count(&ended, "ok  "), count(&ended, "FAIL")), (Some(1), 1, 1));
    for part in [
        "got:       nothing in 0.2 s\n",
        &*format!(
            "1 of {} pass, 1 fails, 2 others fail as 02 does, {} were not tried.\n",
            lessons().len(),
            lessons().len() - 4
        ),
        "The server sent no byte, so the rest was not tried.",
        "Next: 02, The request line says what the client wants.\n",
    ] {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
}

#[test]
fn a_failure_shows_what_was_sent_and_what_to_do_next() {
    let address = server(|stream| {
        read(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    });
    let ended = check(address, "--timeout 0.3");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("ok    02 "), "{}", ended.stdout);
    let (date, head) = (number("the-date"), number("head"));
    let report = format!(
        "FAIL  {date}  A response says when it was made\n      \
                  RFC 9110 section 6.6.1: an origin server with a clock \"MUST generate a\n      Date \
                  header field\".\n      \
                  sent:      GET / HTTP/1.1\n                 Host: {address}\n\n      \
                  expected:  field Date\n      got:       no field Date\n      next:      Add a Date"
    );
    assert!(ended.stdout.contains(&report), "{}", ended.stdout);
    // A response to HEAD has content: the caret points at its first byte.
    assert!(ended.stdout.contains(&format!("FAIL  {head} ")), "{}", ended.stdout);
    assert!(ended.stdout.contains("got:       hello\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("^ byte 38 of the received bytes\n"), "{}", ended.stdout);
    // A wrong status: the caret points at the digit that differs.
    let caret =
        "expected:  status 400\n      got:       status 200\n                        ^ byte 9";
    assert!(ended.stdout.contains(caret), "{}", ended.stdout);
    let next = format!("\nNext: {date}, A response");
    assert!(ended.stdout.contains(&next), "{}", ended.stdout);
}

#[test]
fn a_server_that_responds_200_to_all_fails_the_refusals() {
    let address = server(|stream| {
        while read(stream) {
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n",
            );
        }
    });
    let ended = check(address, "--timeout 0.2");
    assert_eq!(ended.code, Some(1));
    for (verdict, name) in [
        ("ok    ", "keep-alive"),
        ("FAIL  ", "nothing-here"),
        ("FAIL  ", "close"),
        ("FAIL  ", "pipelining"),
        ("FAIL  ", "no-host"),
        ("FAIL  ", "a-length-and-chunks"),
        ("FAIL  ", "a-space-before-the-colon"),
    ] {
        let word = format!("{verdict}{} ", number(name));
        assert!(ended.stdout.contains(&word), "{word}: {}", ended.stdout);
    }
    assert!(ended.stdout.contains("still open after 0.2 s"), "{}", ended.stdout);
    let next = format!("\nNext: {}, A path", number("nothing-here"));
    assert!(ended.stdout.contains(&next), "{}", ended.stdout);
}

#[test]
fn bytes_that_are_no_response_are_shown_with_the_broken_rule() {
    for (response, expected) in [
        ("hello", "a response begins with its status line"),
        ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", "each line of a head ends in CR LF"),
        ("HTTP/1.1 200 OK\r\nDate : x\r\n\r\n", "this byte is not allowed here in a head"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour",
            "Content-Length: 9, and 4 bytes before",
        ),
        ("", "the server closed the connection without a byte"),
        // A 101 is a response, and what follows it is none.
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n\u{1}hello", "got:       status 101\n"),
    ] {
        let address = server(move |stream| {
            read(stream);
            let _ = stream.write_all(response.as_bytes());
        });
        let ended = check(address, "--timeout 0.3 the-status-line");
        assert_eq!(ended.code, Some(1), "{response}: {}", ended.stdout);
        assert!(ended.stdout.contains(expected), "{response}: {}", ended.stdout);
        assert!(
            !ended.stdout.contains("Try it alone"),
            "one case has no next one: {}",
            ended.stdout
        );
    }
}

/// Responses that are longer than this server's own limits for requests.
fn long_responses() -> Vec<String> {
    let ok = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
    let chunked = format!("{ok}Transfer-Encoding: chunked\r\n\r\n5");
    let long = "y".repeat(300 * 1024);
    vec![
        format!("{ok}{}Content-Length: 5\r\n\r\nhello", "X: y\r\n".repeat(101)),
        format!("{ok}Set-Cookie: {long}\r\nContent-Length: 5\r\n\r\nhello"),
        format!("{chunked};x={}\r\nhello\r\n0\r\n\r\n", &long[..5 * 1024]),
        format!("{chunked}\r\nhello\r\n0\r\nX: {}\r\n\r\n", &long[..9 * 1024]),
        format!("{chunked}\r\nhello\r\n0\r\n{}\r\n", "X: y\r\n".repeat(5000)),
    ]
}

#[test]
fn a_response_longer_than_this_server_accepts_passes() {
    let page = ">>>\nGET / HTTP/1.1\nHost: h\n\n???\nstatus 200\nbody \"hello\"\nclosed\n";
    let folder = Folder::new();
    let file = folder.file("long.wire");
    fs::write(&file, page).unwrap();
    for response in long_responses() {
        let shown = format!("{response:.90}");
        let address = server(move |stream| {
            read(stream);
            let _ = stream.write_all(response.as_bytes());
        });
        let ended = check(address, file.to_str().unwrap());
        assert_eq!(ended.code, Some(0), "{shown}: {}", ended.stdout);
    }
}

#[test]
fn pipelined_requests_are_counted_beyond_a_thousand() {
    let (heads, gets) = (3000, 10);
    let page = format!(
        ">>>\n\\{{{heads} \"HEAD / HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n\"}}\\\n\
         \\{{{gets} \"GET / HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n\"}}\\\n\
         ???\nstatus 200\n3000: body \"\"\n3001: body \"hello\"\n3010: body \"hello\"\n"
    );
    let folder = Folder::new();
    let file = folder.file("pipeline.wire");
    fs::write(&file, page).unwrap();
    let address = server(move |stream| {
        let requests = heads * 27 + gets * 26;
        let mut received = vec![0; requests];
        std::io::Read::read_exact(stream, &mut received).unwrap();
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        let responses = head.repeat(heads) + &format!("{head}hello").repeat(gets);
        let _ = stream.write_all(responses.as_bytes());
        read(stream);
    });
    let ended = check(address, file.to_str().unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
}

#[test]
fn what_is_more_than_check_follows_is_no_failure() {
    let page = ">>>\nGET / HTTP/1.1\nHost: h\n\n???\nstatus 200\n";
    let folder = Folder::new();
    let file = folder.file("beyond.wire");
    fs::write(&file, page).unwrap();
    let long = "y".repeat(600 * 1024);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (response, what) in [
        (format!("HTTP/1.1 200 {long}\r\n\r\n"), "a head whose first line"),
        (format!("{chunked}1;{long}\r\n!\r\n0\r\n\r\n"), "a chunk-size line or trailer line"),
        (format!("HTTP/1.1 200 OK\r\n\r\n{}", long.repeat(30)), "16 MiB on a connection"),
    ] {
        let address = server(move |stream| {
            read(stream);
            let _ = stream.write_all(response.as_bytes());
        });
        let ended = check(address, file.to_str().unwrap());
        assert_eq!(ended.code, Some(0), "{}", ended.stdout);
        assert_eq!(count(&ended, "????"), 1, "{}", ended.stdout);
        let expected = format!("more than is followed here: {what}");
        assert!(ended.stdout.contains(&expected), "{}", ended.stdout);
        let ended = check(address, &format!("--json {}", file.display()));
        assert!(ended.stdout.contains("\"verdict\":\"unknown\""), "{}", ended.stdout);
    }
}

#[test]
fn a_status_with_another_protocol_behind_it_holds() {
    let folder = Folder::new();
    for (request, status) in [
        ("GET / HTTP/1.1\nHost: h\nUpgrade: x\nConnection: Upgrade\n\n", "101"),
        ("CONNECT h:443 HTTP/1.1\nHost: h:443\n\n", "200"),
    ] {
        let file = folder.file("switch.wire");
        fs::write(
            &file,
            format!(
                ">>>\n{request}<<<\nHTTP/1.1 {status} S\n\nhello there\\\n???\nstatus {status}\n\
                 >>>\n\\x81\\x00\\\n<<<\nHTTP/1.1 500 no HTTP\\\n???\nclosed\n"
            ),
        )
        .unwrap();
        let response = format!("HTTP/1.1 {status} S\r\nContent-Length: 500\r\n\r\n");
        // The bytes behind it are others than those of the file, and fewer.
        for behind in ["\u{1}hi", "HTTP/1.1 ", ""] {
            let response = format!("{response}{behind}");
            let address = server(move |stream| {
                read(stream);
                let _ = stream.write_all(response.as_bytes());
                read(stream);
                let _ = stream.write_all(b"\n\n");
            });
            let arguments = format!("--timeout 0.3 {}", file.display());
            let ended = check(address, &arguments);
            assert_eq!(ended.code, Some(0), "{status} {behind}: {}", ended.stdout);
        }
    }
}

#[test]
fn a_server_that_stops_listening_is_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        drop(listener);
        read(&mut stream);
    });
    let ended = check(address, "1 2 3");
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stdout.contains("the server accepts no connection any more"), "{}", ended.stdout);
    assert!(ended.stdout.contains("1 was not tried"), "{}", ended.stdout);

    // Now no server listens from the beginning.
    let ended = check(address, "");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), ""));
    assert!(ended.stderr.contains("start the server, then check it again"), "{}", ended.stderr);
}

#[test]
fn without_assertions_the_bytes_are_compared() {
    let (site, folder) = (ServerProcess::start_site(""), Folder::new());
    let check_healthz = |length: &str, content: &str| {
        let file = folder.file("healthz.wire");
        let text = format!(
            "# The server is healthy\n\n>>>\nGET /healthz HTTP/1.1\nHost: kitchen.test\n\n<<<\n\
             HTTP/1.1 200 OK\nDate: Sun, 06 Nov 1994 08:49:37 GMT\n\
             Content-Type: text/plain; charset=utf-8\nCache-Control: no-store\n\
             Content-Length: {length}\n\n{content}\\\n"
        );
        fs::write(&file, text).unwrap();
        check(site.address, &format!("--timeout 0.3 {}", file.display()))
    };
    for content in ["ok", "\\{2 bytes}", "o\\{1 bytes}"] {
        let ended = check_healthz("2", content);
        assert_eq!(ended.code, Some(0), "{content}: {}", ended.stdout);
    }
    let ended = check_healthz("3", "ok");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("got:       Content-Length: 2\\r\\n\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("^ byte 136 of the received bytes\n"), "{}", ended.stdout);
    assert!(check_healthz("2", "\\{1 bytes}").stdout.contains("(nothing)"));
    assert!(check_healthz("2", "okay").stdout.contains("(nothing more in 0.3 s)"));
}

#[test]
fn content_of_many_small_chunks_takes_no_longer_than_it_has() {
    const CHUNKS: usize = 300_000;
    let address = server(|stream| {
        read(stream);
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head).unwrap();
        let chunks = b"4\r\nabcd\r\n".repeat(100);
        for _ in 0..CHUNKS / 100 {
            stream.write_all(&chunks).unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
    });
    let folder = Folder::new();
    let file = folder.file("chunks.wire");
    let request = "# Chunks\n\n>>>\nGET / HTTP/1.1\nHost: h\n\n";
    fs::write(&file, format!("{request}???\nstatus 200\n")).unwrap();
    let ended = check(address, file.to_str().unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    // Without assertions, the same bytes are compared.
    let chunks = format!("\\{{{CHUNKS} \"4\\r\\nabcd\\r\\n\"}}\\");
    let response = format!("<<<\nHTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n{chunks}\n");
    fs::write(&file, format!("{request}{response}<<<\n0\n\n")).unwrap();
    let ended = check(address, file.to_str().unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
}

#[test]
fn assertions_about_the_request_leave_the_response_to_its_bytes() {
    let (site, folder) = (ServerProcess::start_site(""), Folder::new());
    let file = folder.file("both.wire");
    let request = "# Both\n\n>>>\nGET /healthz HTTP/1.1\nHost: kitchen.test\n\n";
    let group = "???\nmethod GET\ntarget is /healthz\nfield Host contains kitchen\n\n";
    for (rest, code, shown) in [
        ("<<<\n\n???\nstatus 200\nmethod GET\n", 0, ""),
        ("<<<\nHTTP/1.1 404 Not Found\n", 1, "got:       HTTP/1.1 200 OK"),
        ("<<<\n\n???\nstatus 200\nmethod PUT\n", 1, "got:       the method is GET"),
    ] {
        fs::write(&file, format!("{request}{group}{rest}")).unwrap();
        let ended = check(site.address, file.to_str().unwrap());
        assert_eq!(ended.code, Some(code), "{rest}{}", ended.stdout);
        assert!(ended.stdout.contains(shown), "{rest}{}", ended.stdout);
    }
    fs::write(&file, format!("{request}{}<<<\n\n???\nstatus 200\n", group.replace("GET", "PUT")))
        .unwrap();
    let ended = check(site.address, file.to_str().unwrap());
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stdout.contains("expected:  method PUT"), "{}", ended.stdout);
    // The server is not silent: a false assertion about the request is found before it is awaited.
    let files = [file.to_str().unwrap(); 4].join(" ");
    let ended = check(site.address, &files);
    assert!(ended.stdout.contains("\n0 of 4 pass, 4 fail.\n"), "{}", ended.stdout);
    // Assertions about the request alone say nothing about the server.
    fs::write(&file, format!("{request}???\nmethod GET\n")).unwrap();
    let ended = check(site.address, file.to_str().unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("does not say what the server should send"), "{}", ended.stdout);
}

#[test]
fn a_group_judges_the_responses_that_the_file_shows_above_it() {
    let file = |statuses: [&str; 3]| {
        let mut text = "# Three at once\n\n>>>\n".to_owned();
        text += &"GET / HTTP/1.1\nHost: h\n\n".repeat(3);
        for status in statuses {
            let length = if status == "204" { "" } else { "Content-Length: 0\n" };
            text += &format!("<<<\nHTTP/1.1 {status} X\n{length}\n???\nstatus {status}\n");
        }
        text
    };
    let folder = Folder::new();
    let (right, wrong) = (folder.file("right.wire"), folder.file("wrong.wire"));
    fs::write(&right, file(["200", "404", "204"])).unwrap();
    fs::write(&wrong, file(["200", "404", "500"])).unwrap();
    let responses =
        [empty("200 OK", ""), empty("404 Not Found", ""), "HTTP/1.1 204 No Content\r\n\r\n".into()];
    for is_one_write in [true, false] {
        let responses = responses.clone();
        let address = server(move |stream| {
            let mut received = Vec::new();
            let mut buffer = [0; 4096];
            while received.windows(4).filter(|four| four == b"\r\n\r\n").count() < 3 {
                match read_once(stream, &mut buffer) {
                    Ok(length @ 1..) => received.extend_from_slice(&buffer[..length]),
                    _ => return,
                }
            }
            stream.set_nodelay(true).unwrap();
            if is_one_write {
                let _ = stream.write_all(responses.concat().as_bytes());
            } else {
                for response in &responses {
                    let _ = stream.write_all(response.as_bytes());
                    thread::sleep(Duration::from_millis(30));
                }
            }
            while read(stream) {}
        });
        let ended = check(address, right.to_str().unwrap());
        assert_eq!(ended.code, Some(0), "{is_one_write}: {}", ended.stdout);
        let ended = check(address, wrong.to_str().unwrap());
        assert_eq!(ended.code, Some(1), "{is_one_write}: {}", ended.stdout);
        assert!(ended.stdout.contains("expected:  status 500\n"), "{}", ended.stdout);
    }
}

#[test]
fn the_waits_of_a_transcript_are_added_to_the_timeout() {
    // The server takes 600 ms, and the timeout is 300 ms.
    let late = |stream: &mut TcpStream| {
        read(stream);
        thread::sleep(Duration::from_millis(600));
        let _ = stream.write_all(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
    };
    let folder = Folder::new();
    let file = folder.file("late.wire");
    for (wait, rest, code) in [
        ("", "???\nstatus 408\n", 1),
        ("--- silent 2s\n", "<<<\nHTTP/1.1 408 Request Timeout\nContent-Length: 0\n\n", 0),
        ("--- silent 2s\n", "<<<\n\n???\nstatus 408\n", 0),
        ("--- wait 2s\n", "<<<\n\n???\nstatus 408\nclosed\n", 0),
        ("--- silent 2s\n", "??? \nstatus 408\n--- server closed\n", 0),
        ("--- wait 100ms\n", "<<<\n\n???\nstatus 408\n", 1),
    ] {
        fs::write(&file, format!("# Late\n\n>>>\nGET / HT\\\n{wait}{rest}")).unwrap();
        let ended = check(server(late), &format!("--timeout 0.3 {}", file.display()));
        assert_eq!(ended.code, Some(code), "{wait}{rest}{}", ended.stdout);
    }
}

#[test]
fn a_recording_of_a_timeout_passes() {
    let folder = Folder::new();
    let recordings = folder.file("recordings");
    let flags = format!("--head-timeout 2.1 --record {}", recordings.display());
    let site = ServerProcess::start_site(&flags);
    let (mut late, mut idle) = (site.client(), site.client());
    let request = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
    idle.send(request);
    assert_eq!(idle.response().status, 200);
    late.send("GET / HT");
    assert_eq!(late.response().status, 408);
    late.read_to_end(); // the close is recorded before the client sees it
    idle.send(request);
    assert_eq!(idle.response().status, 200);

    let files = fs::read_dir(&recordings).unwrap().map(|file| file.unwrap().path());
    let texts: Vec<_> = files.map(|file| (fs::read_to_string(&file).unwrap(), file)).collect();
    let is_late = |text: &str| text.contains("\nGET / HT\\\n--- silent 2s\n");
    let (_, file) = texts.iter().find(|(text, _)| is_late(text)).expect("the silence");
    let ended = check(site.address, &format!("--timeout 0.5 {}", file.display()));
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    // The pause between two requests of a client is not recorded.
    assert_eq!(texts.iter().filter(|(text, _)| text.contains("silent")).count(), 1, "{texts:?}");
}

#[test]
fn a_server_that_closes_before_the_request_arrives_has_reset_the_connection() {
    let folder = Folder::new();
    let transcript = folder.file("reset.wire");
    let text = "# A close, then an RST\n\n>>>\nGET / HTTP/1.1\nHost: h\n\n--- server reset\n";
    fs::write(&transcript, text).unwrap();
    let closes_at_once = server(|_| ());
    let is_reset = |_| {
        let ended = check(closes_at_once, &transcript.display().to_string());
        print!("{}", ended.stdout);
        ended.code == Some(0)
    };
    // A busy machine may not send the request for as long as `check` waits for the reset, so one of five
    // times is enough.
    assert!((0..5).any(|_| (0..5).all(is_reset)));
}

#[test]
fn three_connections_are_played_in_the_order_of_the_file() {
    let (site, folder) = (ServerProcess::start_site(""), Folder::new());
    let file = folder.file("three.wire");
    let text = "# Two clients, and one that resets\n\n>>>\nGET /healthz HTTP/1.1\nHost: kitchen.test\n\n\
                --- @2 open\n--- wait 20ms\n>>> @2\nGET /healthz HTTP/1.1\nHost: kitchen.test\n\n\
                --- @2 client half-close\n\n???\nstatus 200\nclosed\n--- silent 20ms\n--- @3 open\n\
                --- @3 client reset\n\n>>>\nHEAD /nowhere HTTP/1.1\nHost: kitchen.test\n\n\
                ???\nstatus 200\n2: status 404\nopen 20ms\n";
    fs::write(&file, text).unwrap();
    let ended = check(site.address, file.to_str().unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    // The number of an assertion counts the responses on its connection since the last assertions.
    fs::write(&file, text.replace("2: status 404", "3: status 404")).unwrap();
    let ended = check(site.address, &format!("--timeout 0.3 {}", file.display()));
    assert_eq!(ended.code, Some(1));
    let got = "got @1:    2 responses, and nothing more in 0.3 s\n";
    assert!(ended.stdout.contains(got), "{}", ended.stdout);
}

#[test]
fn an_error_in_a_file_is_reported_before_a_connection_is_opened() {
    let accepted: &'static AtomicUsize = Box::leak(Box::default());
    let address = server(|_| {
        accepted.fetch_add(1, Ordering::Relaxed);
    });
    let folder = Folder::new();
    let file = folder.file("wrong.wire");
    fs::write(&file, "# A title\n\n>>>\nGET / HTTP/1.1\n\n???\nstatus 4\n").unwrap();
    let ended = check(address, file.to_str().unwrap());
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.contains("wrong.wire: line 7: expected a status"), "{}", ended.stderr);
    for (line, expected) in [
        ("check", "check needs the address of a server"),
        ("check nowhere", "takes an address"),
        ("check https://localhost:5000", "plain HTTP"),
        ("check 5000 no-such-file", "cannot read no-such-file"),
        ("check 5000 99", "there is no lesson 99: lessons are 1 to "),
        ("check 5000 1 0", "there is no lesson 0: lessons are 1 to "),
        ("check 5000 --tiemout 3", "did you mean --timeout?"),
    ] {
        let ended = run(&mut openkitchen(line));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{line}");
        assert!(ended.stderr.contains(expected), "{line}: {}", ended.stderr);
    }
    assert_eq!(accepted.load(Ordering::Relaxed), 0);
}

#[test]
fn a_file_without_an_answer_is_skipped_alone_and_among_others() {
    let address = server_of(|_| empty("200 OK", ""));
    let folder = Folder::new();
    let request = "# A page\n\n>>>\nGET / HTTP/1.1\nHost: h\n\n";
    let (bare, judged) = (folder.file("bare.wire"), folder.file("judged.wire"));
    fs::write(&bare, request).unwrap();
    fs::write(&judged, format!("{request}???\nstatus 200\n")).unwrap();
    let [bare, judged] = [&bare, &judged].map(|file| file.to_str().unwrap());
    for files in [format!("{bare} {judged}"), format!("{judged} {bare}")] {
        let ended = check(address, &files);
        assert_eq!((ended.code, count(&ended, "ok  ")), (Some(0), 1), "{}", ended.stdout);
        for part in [
            "skip  bare    A page\n      nothing to judge: the file does not say what",
            "\n1 of 2 pass, 1 has nothing to judge.\n",
        ] {
            assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
        }
        let ended = check(address, &format!("--json {files}"));
        assert!(ended.stdout.contains("\"skip\":1,"), "{}", ended.stdout);
    }
    for (files, counts) in [
        (bare.to_owned(), "\n0 of 1 pass, 1 has nothing to judge.\n"),
        (format!("{bare} {bare}"), "\n0 of 2 pass, 2 have nothing to judge.\n"),
    ] {
        let ended = check(address, &files);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
        assert!(ended.stdout.contains("nothing to judge: the file does"), "{}", ended.stdout);
        assert!(ended.stdout.contains(counts), "{}", ended.stdout);
    }
}

/// A server that responds to each request with what this returns for its first line, and closes after a
/// response with `Connection: close`.
fn server_of(response: impl Fn(&str) -> String + Send + 'static) -> SocketAddr {
    server(move |stream| {
        let mut received = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            while let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&received[..end]).into_owned();
                received.drain(..end + 4);
                let line = head.trim_start().lines().next().unwrap_or_default();
                let response = response(line);
                let _ = stream.write_all(response.as_bytes());
                if response.contains("Connection: close") || head.contains("Connection: close") {
                    return;
                }
            }
            match read_once(stream, &mut buffer) {
                Ok(length @ 1..) => received.extend_from_slice(&buffer[..length]),
                _ => return,
            }
        }
    })
}

/// A response with this status and these fields.
fn empty(status: &str, fields: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n{fields}Content-Length: 0\r\n\r\n"
    )
}

#[test]
fn pipelining_is_not_asked_of_a_server_that_closes_after_each_response() {
    let closing = server_of(|_| empty("404 Not Found", "Connection: close\r\n"));
    let ended = check(closing, "--timeout 0.3 keep-alive close pipelining");
    let (kept, pipelined) = (number("keep-alive"), number("pipelining"));
    let failed = count(&ended, &format!("FAIL  {kept}"));
    assert_eq!((ended.code, failed, count(&ended, "ok  ")), (Some(1), 1, 1));
    let skipped = format!(
        "skip  {pipelined}  Two requests in one write get two responses, in order\n      \
         lesson {kept} failed, and this one says nothing without it\n"
    );
    assert!(ended.stdout.contains(&skipped), "{}", ended.stdout);
    let counts = "\n1 of 3 pass, 1 fails, 1 needs a lesson that failed.\n";
    assert!(ended.stdout.contains(counts), "{}", ended.stdout);
    // Alone, the lesson finds out.
    let ended = check(closing, "--timeout 0.3 pipelining");
    let skipped = count(&ended, &format!("skip  {pipelined}"));
    assert_eq!((ended.code, skipped), (Some(0), 1), "{}", ended.stdout);
    // A server that keeps connections and loses the second request fails.
    let losing = server(|stream| {
        while read(stream) {
            let _ = stream.write_all(empty("404 Not Found", "").as_bytes());
        }
    });
    for lessons in ["keep-alive pipelining", "pipelining"] {
        let ended = check(losing, &format!("--timeout 0.3 {lessons}"));
        let failed = count(&ended, &format!("FAIL  {pipelined}"));
        assert_eq!((ended.code, failed), (Some(1), 1), "{}", ended.stdout);
    }
}

#[test]
fn a_lesson_that_needs_another_does_not_depend_on_the_order_of_the_arguments() {
    let closing = server_of(|_| empty("404 Not Found", "Connection: close\r\n"));
    let [kept, pipelined] = ["keep-alive", "pipelining"].map(number);
    for lessons in [format!("{kept} {pipelined}"), format!("{pipelined} {kept}")] {
        let ended = check(closing, &format!("--timeout 0.3 {lessons}"));
        let words = [format!("FAIL  {kept}"), format!("skip  {pipelined}")];
        let counts = words.map(|word| count(&ended, &word));
        assert_eq!((ended.code, counts), (Some(1), [1, 1]), "{lessons}: {}", ended.stdout);
    }
}

#[test]
fn the_status_of_a_path_fails_no_lesson_about_something_else() {
    for status in [
        "200 OK",
        "301 Moved Permanently",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "421 Misdirected Request",
        "503 Service Unavailable",
    ] {
        let address = server_of(move |_| empty(status, ""));
        let lessons = "the-request-line the-status-line fields-have-no-case a-host-in-the-target \
                       the-date head conditional range keep-alive close pipelining \
                       an-empty-line-first a-folded-line two-worlds";
        let ended = check(address, &format!("--timeout 0.3 {lessons}"));
        assert_eq!(ended.code, Some(0), "{status}: {}", ended.stdout);
    }
    // A bad request is what a server answers that does not know hOsT, or takes an empty line for a request.
    let address = server_of(|_| empty("400 Bad Request", ""));
    let ended =
        check(address, "--timeout 0.3 the-status-line fields-have-no-case an-empty-line-first");
    assert_eq!((ended.code, count(&ended, "ok  ")), (Some(1), 1), "{}", ended.stdout);
    assert!(ended.stdout.contains("1 of 3 pass"), "{}", ended.stdout);
}

#[test]
fn the_lessons_about_the_site_are_skipped_on_a_server_with_a_page_for_every_path() {
    let site = lessons().iter().filter(|(_, text)| text.contains("\n# only: our site\n")).count();
    let address = server_of(|_| empty("200 OK", ""));
    let ended = check(address, "--timeout 0.3");
    assert_eq!(count(&ended, "skip"), site, "{}", ended.stdout);
    let nothing = number("nothing-here");
    assert_eq!(count(&ended, &format!("FAIL  {nothing}")), 1, "{}", ended.stdout);
    let ended = check(address, "--timeout 0.3 content-and-its-length");
    let why = format!(
        "about the lesson site only: this server has a page for every path (lesson {} failed)",
        nothing.trim_start_matches('0')
    );
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert!(ended.stdout.contains(&why), "{}", ended.stdout);
    // One that waits for the content, and knows no Expect.
    let waiting = server_of(|line| match line.starts_with("POST ") {
        true => String::new(),
        false => empty("200 OK", ""),
    });
    let ended = check(waiting, "--timeout 0.3 100-continue");
    assert_eq!((ended.code, count(&ended, "skip")), (Some(0), 1), "{}", ended.stdout);
    // A path that does not exist is not found here, so this is a site with a mistake.
    let mistaken =
        server_of(|line| empty(if line.contains("dish") { "404 Not Found" } else { "200 OK" }, ""));
    let ended = check(mistaken, "--timeout 0.3 content-and-its-length");
    assert_eq!((ended.code, count(&ended, "FAIL")), (Some(1), 1), "{}", ended.stdout);
}

#[test]
fn a_server_that_refuses_every_path_fails_only_what_it_must_do() {
    let site = lessons().iter().filter(|(_, text)| text.contains("\n# only: our site\n")).count();
    let refuses_every_path = |status: &'static str| {
        let address = server_of(move |_| empty(status, ""));
        let ended = check(address, "--timeout 0.3");
        let why = format!("this server answers every path with {}", &status[..3]);
        let skipped = count(&ended, "skip");
        assert_eq!(ended.stdout.matches(&why).count(), skipped, "{status}: {}", ended.stdout);
        assert!(skipped > site, "{status}: {}", ended.stdout);
        // Of these, only the lessons on requests that must be answered 400 can fail, for one cause.
        let got = format!("got:       status {}", &status[..3]);
        assert_eq!(ended.stdout.matches(&got).count(), 1, "{status}: {}", ended.stdout);
        assert!(ended.stdout.contains(" as 34 does"), "{status}: {}", ended.stdout);
        let counts = format!("{site} are about the lesson site only");
        assert!(ended.stdout.replace('\n', " ").contains(&counts), "{status}: {}", ended.stdout);
        for lesson in ["content-and-its-length", "nothing-here", "a-like-from-another-site"] {
            let ended = check(address, &format!("--timeout 0.3 {lesson}"));
            assert_eq!((ended.code, count(&ended, "skip")), (Some(0), 1), "{}", ended.stdout);
        }
    };
    let statuses = [
        "401 Unauthorized",
        "403 Forbidden",
        "421 Misdirected Request",
        "429 Too Many Requests",
        "500 Internal Server Error",
        "503 Service Unavailable",
    ];
    // `check` waits most of its time, so all of them run at once.
    thread::scope(|scope| {
        for status in statuses {
            scope.spawn(move || refuses_every_path(status));
        }
    });
    // A fault on one path is no refusal of all.
    let address = server_of(|line| {
        empty(if line.contains("echo") { "500 Internal Server Error" } else { "404 Not Found" }, "")
    });
    let ended = check(address, "--timeout 0.3 content-and-its-length");
    assert_eq!((ended.code, count(&ended, "FAIL")), (Some(1), 1), "{}", ended.stdout);
}

#[test]
fn the_absolute_form_gets_the_status_of_the_path() {
    for (path, absolute, code) in [
        ("200 OK", "200 OK", 0),
        ("404 Not Found", "404 Not Found", 0),
        ("200 OK", "404 Not Found", 1),
        ("302 Found", "200 OK", 1),
        ("200 OK", "400 Bad Request", 1),
    ] {
        let address = server_of(move |line| {
            empty(if line.starts_with("GET / ") { path } else { absolute }, "")
        });
        let ended = check(address, "--timeout 0.3 a-host-in-the-target");
        assert_eq!(ended.code, Some(code), "{path} {absolute}: {}", ended.stdout);
        if (path, absolute) == ("200 OK", "404 Not Found") {
            for part in [
                "sent @1:   GET / HTTP/1.1\n",
                &*format!("sent @2:   GET http://{address}/ HTTP/1.1\n"),
                "expected:  status 200, as on @1\n      got @2:    status 404\n",
            ] {
                assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
            }
        }
    }
}

#[test]
fn a_response_that_stays_half_is_told_as_its_missing_content() {
    let address = server(|stream| {
        read(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi");
        while read(stream) {}
    });
    let ended = check(address, "--timeout 0.3 3");
    let expected =
        "expected:  status 2xx|3xx|4xx|5xx, and the whole content that the head promises\n";
    assert!(ended.stdout.contains(expected), "{}", ended.stdout);
    assert!(ended.stdout.contains("Content-Length: 10, and 2 bytes\n"), "{}", ended.stdout);
}

#[test]
fn one_cause_is_one_failure() {
    let is_one_failure = |response: String, label: &str, cause: &str| {
        let address = server_of(move |_| response.clone());
        let ended = check(address, "--timeout 0.5");
        assert_eq!(ended.code, Some(1), "{cause}");
        assert_eq!(ended.stdout.matches(cause).count(), 1, "{cause}: {}", ended.stdout);
        assert!(
            ended.stdout.contains(&format!(" others fail as {label} does")),
            "{}",
            ended.stdout
        );
        assert!(count(&ended, "FAIL") <= 12, "{cause}: {}", ended.stdout);
    };
    let cases = [
        (empty("403 Forbidden", ""), "34", "got:       status 403"),
        (empty("500 Internal Server Error", ""), "34", "got:       status 500"),
        ("hello\r\n\r\n".into(), "02", "a response begins with its status line"),
        ("HTTP/1.1 200 OK\nX: y\n\n".into(), "02", "each line of a head ends in CR LF"),
    ];
    thread::scope(|scope| {
        for (response, label, cause) in cases {
            scope.spawn(move || is_one_failure(response, label, cause));
        }
    });
    let address = server_of(|_| "hello\r\n\r\n".into());
    let ended = check(address, "--json --timeout 0.5 2 3");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[0].contains("\"same_as\":null,\"connection\":1,"), "{}", lines[0]);
    assert!(lines[1].contains("\"same_as\":\"02\",\"connection\":1,"), "{}", lines[1]);
    assert!(lines[2].contains("\"fail\":2,"), "{}", lines[2]);
}

#[test]
fn a_lesson_has_the_host_of_the_server_and_a_file_is_sent_as_it_is() {
    let folder = Folder::new();
    let file = folder.file("host.wire");
    fs::write(&file, "# t\n\n>>>\nGET / HTTP/1.1\nHost: 127.0.0.1:5000\n\n???\nstatus 200\n")
        .unwrap();
    let strict = || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, mut buffer) = (stream.unwrap(), [0; 4096]);
                let length = read_once(&stream, &mut buffer).unwrap_or(0);
                let head = String::from_utf8_lossy(&buffer[..length]).into_owned();
                let host = head.lines().find_map(|line| line.strip_prefix("Host: "));
                let is_mine = host.is_some_and(|host| host.ends_with(&format!(":{port}")));
                let status = if is_mine { "200 OK" } else { "421 Misdirected Request" };
                let _ = stream.write_all(empty(status, "Connection: close\r\n").as_bytes());
            }
        });
        port
    };
    let port = strict();
    for address in [format!("{port}"), format!("localhost:{port}"), format!("127.0.0.1:{port}")] {
        let ended = run(&mut openkitchen(&format!("check {address} --timeout 0.5 3 6 close")));
        assert_eq!(ended.code, Some(0), "{address}: {}", ended.stdout);
        let ended = run(openkitchen("check").arg(&address).arg(&file));
        assert_eq!(ended.code, Some(1), "{address}: {}", ended.stdout);
        assert!(ended.stdout.contains("got:       status 421"), "{}", ended.stdout);
    }
}

#[test]
fn what_passes_can_be_shown() {
    let site = ServerProcess::start_site("");
    let ended = check(site.address, "--show 3 5");
    assert_eq!(ended.code, Some(0));
    let start = format!(
        "ok    03  A response begins with its status line\n      sent:      GET / HTTP/1.1\n\
         \x20                Host: {}\n\n      got:       HTTP/1.1 200 OK\n",
        site.address
    );
    assert!(ended.stdout.starts_with(&start), "{}", ended.stdout);
    for label in ["sent @1:", "got @1:", "sent @2:", "got @2:"] {
        assert_eq!(ended.stdout.matches(label).count(), 1, "{label}: {}", ended.stdout);
    }
    let ended = check(site.address, "3 5");
    assert_eq!(ended.stdout.matches("sent").count(), 0, "{}", ended.stdout);
    let ended = check(site.address, "--show --json 3");
    assert!(ended.stdout.contains("\"got\":\"HTTP/1.1 200 OK\\\\r\\\\n"), "{}", ended.stdout);
}

#[test]
fn a_failure_under_a_framework_says_whose_fault_it_is() {
    let framework = server_of(|_| empty("200 OK", "Server: Werkzeug/3.1.3 Python/3.12.3\r\n"));
    let ended = check(framework, "--timeout 0.2 no-host two-hosts");
    let [first, second] = ["no-host", "two-hosts"].map(number);
    let sentence = format!(
        "{first} and {second} fail in the server under your framework, not your code. The server is\n\
         Werkzeug/3.1.3 Python/3.12.3.\n"
    );
    assert!(ended.stdout.contains(&sentence), "{}", ended.stdout);
    // Which paths there are is the matter of the code.
    let ended = check(framework, "--timeout 0.2 nothing-here");
    assert!(!ended.stdout.contains("framework"), "{}", ended.stdout);
    let plain = server_of(|_| empty("200 OK", "Server: nginx/1.24.0\r\n"));
    let ended = check(plain, "--timeout 0.2 no-host two-hosts");
    assert!(!ended.stdout.contains("framework"), "{}", ended.stdout);
}

#[test]
fn each_line_of_json_is_one_object() {
    let address = server(|stream| {
        read(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 \"\\\x1b[2J\r\n\r\n");
    });
    let ended = check(address, "--json --timeout 0.2");
    assert_eq!(ended.code, Some(1));
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), lessons().len() + 1, "{}", ended.stdout);
    for line in &lines {
        assert_eq!(json_value(line).map(|(_, rest)| rest), Some(""), "{line}");
    }
    assert!(lines[0].starts_with("{\"case\":\"01-a-port-opens.wire\","), "{}", lines[0]);
    let (counts, cases) = lines.split_last().unwrap();
    for case in cases {
        assert_eq!(json_keys(case), json_keys(lines[0]), "{case}");
    }
    let help = run(&mut openkitchen("check --help")).stdout;
    for key in [json_keys(lines[0]), json_keys(counts)].concat() {
        assert!(
            help.split(|c: char| !c.is_alphanumeric() && c != '_').any(|it| it == key),
            "{key}"
        );
    }
    for part in
        ["\"verdict\":\"fail\"", "\"expected\":\"", "\"got\":\"", "\"byte\":", "\"next\":\""]
    {
        assert!(lines[2].contains(part), "{part}: {}", lines[2]);
    }
    let cases = format!("{{\"cases\":{},\"pass\":", lessons().len());
    assert!(counts.starts_with(&cases), "{counts}");
}

fn json_keys(text: &str) -> Vec<&str> {
    json_value(text).expect(text).0
}

/// Parses a JSON value (RFC 8259), as far as `check` uses JSON. Returns its keys and the text after it.
fn json_value(text: &str) -> Option<(Vec<&str>, &str)> {
    let mut keys = Vec::new();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            let after_key = json_string(rest)?;
            keys.push(rest[..rest.len() - after_key.len()].trim_matches('"'));
            (_, rest) = json_value(after_key.strip_prefix(':')?)?;
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None => return Some((keys, rest.strip_prefix('}')?)),
            }
        }
    }
    if text.starts_with('"') {
        return Some((keys, json_string(text)?));
    }
    if let Some(rest) = text.strip_prefix("null") {
        return Some((keys, rest));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0).then(|| (keys, &text[digits..]))
}

/// Parses a JSON string. Returns the text after it.
fn json_string(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?;
    let mut letters = inner.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some(&inner[at + 1..]),
            '\\' => match letters.next()?.1 {
                '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => {}
                'u' => {
                    let is_hex = |_| letters.next().is_some_and(|(_, hex)| hex.is_ascii_hexdigit());
                    (0..4).all(is_hex).then_some(())?;
                }
                _ => return None,
            },
            control if control < ' ' => return None,
            _ => {}
        }
    }
    None
}

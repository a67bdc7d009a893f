//! `openkitchen explain` as its users meet it: bytes in, a page out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

use std::io::Write;
use std::process::{Command, Stdio};
use std::{env, fs, thread};

use openkitchen::Transcript;
use openkitchen::transcript::Item;
use openkitchen::transcript::explain::annotate;

/// The exit code, stdout and stderr.
fn run(arguments: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openkitchen"));
    command.env_clear().arg("explain").args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = thread::spawn(move || {
        let _ = stdin.write_all(&input); // it may have ended before it read
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// What is said of these bytes, on a page that fits.
#[track_caller]
fn page(arguments: &[&str], input: &[u8]) -> String {
    let (code, stdout, stderr) = run(arguments, input);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for line in stdout.lines() {
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
        assert!(line.len() <= 100, "{} columns: {line}", line.len());
    }
    stdout
}

/// Whether the page has these lines, in this order, with others between them.
#[track_caller]
fn has(page: &str, lines: &[&str]) {
    let mut rest = page.lines();
    for line in lines {
        assert!(rest.any(|found| found.starts_with(line)), "{line:?} is missing:\n{page}");
    }
}

#[test]
fn a_request_of_curl_is_named_line_by_line() {
    let page = page(
        &[],
        b"GET /search?q=tea&appid=abc123 HTTP/1.1\r\nHost: 127.0.0.1:5000\r\nUser-Agent: curl/8.5.0\r\n\
          Accept: */*\r\nAuthorization: Bearer abc123\r\n\r\n",
    );
    has(
        &page,
        &[
            "GET /search?q=tea&appid=abc123 HTTP/1.1",
            "    GET: asks for the current representation",
            "    /search: the path",
            "    q=tea: a parameter of the query: q is \"tea\" (RFC 3986 section 3.4)",
            "    appid: a key in the query: the worst place",
            "      it belongs into a field such as Authorization (RFC 9110 section 17.9)",
            "    HTTP/1.1: the version",
            "Host: 127.0.0.1:5000",
            "    Host: which host",
            "    127.0.0.1:5000: the host 127.0.0.1 and the port 5000",
            "User-Agent: curl/8.5.0",
            "Accept: */*",
            "    Accept: the media types",
            "Authorization: Bearer abc123",
            "    Bearer: a token",
            "",
            "    the head ends here, and so does the request",
            "    the connection stays open",
        ],
    );
    assert_eq!(page.matches("abc123").count(), 2, "what is said repeats no secret");
}

#[test]
fn an_answer_in_chunks_is_taken_apart() {
    let page = page(
        &[],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: id=1; Secure; HttpOnly\r\n\
          Cache-Control: no-store\r\nConnection: close\r\n\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nX-Sum: 1\r\n\r\n",
    );
    has(
        &page,
        &[
            "    200: done",
            "    chunked: in pieces",
            "    Secure: send it by https only",
            "    no-store: do not keep it at all",
            "    the head ends here; the content follows in chunks",
            "    the connection ends after this exchange: Connection says close",
            "1a",
            "    1a: a chunk's size in hex: 26 bytes of content follow",
            "abcdefghijklmnopqrstuvwxyz",
            "0",
            "    0: the last chunk",
            "X-Sum: 1",
            "    a trailer",
            "    the content ends here: 26 bytes in 1 chunk (RFC 9112 section 7.1)",
        ],
    );
}

#[test]
fn a_broken_request_shows_where_it_breaks() {
    let page = page(&[], b"GET / HTTP/1.1\r\nHost : example.test\r\n\r\n");
    let said = "\
Host : example.test
    broken here, and a strict server answers 400 Bad Request: a space stands between a field's name
      and its colon
        Host : example.test
            ^
        Host: example.test
    RFC 9112 section 5.1: put the colon straight behind the name
";
    assert!(page.contains(said), "{page}");
}

#[test]
fn lines_that_end_in_lf_alone_are_read_and_told() {
    let page = page(&[], b"POST /a HTTP/1.1\nHost: h\nContent-Length: 6\n\nhello\n");
    has(
        &page,
        &[
            "POST /a HTTP/1.1",
            "    the lines end in LF alone",
            "    POST: ",
            "hello\\n",
            "    the content ends here: 6 bytes, as Content-Length said",
        ],
    );
    assert!(!page.contains("broken"), "{page}");
}

#[test]
fn garbage_and_long_content_stay_on_the_page() {
    let mut garbage: Vec<u8> = (0..=255).cycle().take(5000).collect();
    garbage.insert(0, 0x80);
    has(&page(&[], &garbage), &["    broken here, and a strict server answers 400"]);
    has(
        &page(&[], b"\x16\x03\x01\x02\0\x01\0"),
        &["    broken here", "    RFC 9112 section 2.2: use http://"],
    );
    let long = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{}",
        "a line\n".repeat(142_857) + "z"
    );
    let page = page(&[], long.as_bytes());
    has(
        &page,
        &["a line\\n", "\\{999915 bytes}\\", "z\\", "    the content ends here: 1000000 bytes"],
    );
    assert!(page.len() < 3000, "{} bytes", page.len());
}

#[test]
fn an_answer_to_head_is_said_to_be_one() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    has(
        &page(&["--asked", "HEAD"], answer),
        &["    the head ends here, and so does the answer: to HEAD"],
    );
    has(&page(&[], answer), &["    the content stops after 0 bytes: 9 more were promised"]);
}

#[test]
fn a_transcript_stays_one_and_is_read_from_a_file() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/exchanges");
    let mut seen = 0;
    for folder in fs::read_dir(folder).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "wire") {
                continue;
            }
            let transcript = Transcript::parse(&fs::read_to_string(&path).unwrap()).unwrap();
            let text = annotate(&transcript).to_string();
            let read = Transcript::parse(&text).unwrap();
            let bare = |transcript: &Transcript| {
                let items = transcript.items.iter();
                items.filter(|item| !matches!(item, Item::Prose(_))).cloned().collect::<Vec<_>>()
            };
            assert_eq!(bare(&read), bare(&transcript), "{}", path.display());
            assert!(
                text.lines().all(|line| !line.starts_with('#')
                    || line.len() <= 100
                    || transcript.to_string().contains(line)),
                "{text}"
            );
            if seen == 0 {
                let (code, stdout, _) = run(&[path.to_str().unwrap()], b"");
                assert_eq!((code, stdout), (Some(0), text));
            }
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen} transcripts");
}

#[test]
fn what_cannot_be_explained_is_told_in_a_sentence() {
    for (arguments, input, code, said) in [
        (&[][..], &b""[..], 1, "openkitchen: stdin: there is nothing to explain"),
        (&["-"][..], b">>>\nGET /\n--- nonsense\n", 1, "openkitchen: -: line 3: expected an event"),
        (&["/nowhere"][..], b"", 1, "openkitchen: /nowhere: "),
        (&["a", "b"][..], b"", 2, "openkitchen: explain takes one file"),
        (&["--aske"][..], b"", 2, "openkitchen: --aske is unknown; did you mean --asked?"),
        (&["--asked", "get"][..], b"", 2, "openkitchen: --asked takes a method such as HEAD"),
    ] {
        let (ended, stdout, stderr) = run(arguments, input);
        assert_eq!((ended, stdout.as_str()), (Some(code), ""), "{stderr}");
        assert!(stderr.starts_with(said), "{stderr}");
    }
    let help = page(&["--help"], b"");
    assert!(help.contains("--asked METHOD") && help.lines().all(|line| line.len() <= 96), "{help}");
}

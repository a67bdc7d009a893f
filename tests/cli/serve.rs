//! Tests of `serve`: its flags, its log, its password and its listeners. What is sent for a file is tested
//! with the library, in `tests/api/files.rs`.

use std::fs::Permissions;
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use openkitchen::sys::set_backlog;
use openkitchen::{Listener, Transcript};

use crate::support::client::{Client, Response};
use crate::support::process::{
    Exit, Folder, Process, ServerProcess, TIMEOUT, free_address, need, openkitchen, run, signal,
    unprivileged_openkitchen,
};

/// A folder with a page.
fn folder() -> Folder {
    let folder = Folder::new();
    fs::create_dir(folder.file("docs")).unwrap();
    fs::write(folder.file("index.html"), "home").unwrap();
    fs::write(folder.file("a.txt"), "content").unwrap();
    folder
}

/// The command for this folder on a free port.
fn serve(folder: &Folder, flags: &str) -> Command {
    let mut command = openkitchen("serve --listen 127.0.0.1:0");
    command.arg(folder.file("")).args(flags.split_whitespace());
    command
}

fn start(folder: &Folder, flags: &str) -> ServerProcess {
    ServerProcess::start(&mut serve(folder, flags))
}

#[test]
fn each_flag_of_the_files_has_an_effect() {
    let folder = folder();
    let mut command = serve(&folder, "--list --max-age 60 --fallback a.txt");
    command.args(["--header", "X-One: 1"]).arg("--header=X-Two:2");
    let server = ServerProcess::start(&mut command);
    let page = server.get("/");
    assert_eq!((page.status, page.text()), (200, "home"));
    let refused = server.request("POST /", "Content-Length: 0\r\n", "");
    assert_eq!((refused.status, refused.field("X-One")), (405, Some("1")));
    assert_eq!(server.get("/healthz").field("X-Two"), Some("2"));
    let fields = ["Cache-Control", "X-One", "X-Two"].map(|name| page.field(name));
    assert_eq!(fields, [Some("max-age=60"), Some("1"), Some("2")]);
    assert_eq!(server.get("/docs").field("Location"), Some("/docs/"));
    assert!(server.get("/docs/").text().contains("<h1>/docs/</h1>"));
    assert_eq!(server.get("/none").text(), "content");
    let variables = [("OPENKITCHEN_HEADER", "\nA: 1\r\n\r\nB: 2\n\n"), ("OPENKITCHEN_LIST", "yes")];
    let server = ServerProcess::start(serve(&folder, "").envs(variables));
    let list = server.get("/docs/");
    assert_eq!((list.status, list.field("A"), list.field("B")), (200, Some("1"), Some("2")));
    let server = start(&folder, "");
    assert_eq!([server.get("/docs/").status, server.get("/none").status], [404, 404]);
    // The one for every response is enough for files too.
    let mut command = serve(&folder, "--max-age 60");
    let server = ServerProcess::start(command.args(["--header", "Cache-Control: no-store"]));
    for path in ["/", "/docs", "/none"] {
        assert_eq!(server.get(path).field("Cache-Control"), Some("no-store"), "{path}");
    }
}

#[test]
fn a_type_of_a_flag_is_that_of_its_files() {
    let folder = folder();
    for name in ["a.md", "a.glb", "LICENSE", "a.ts", "a.ts.br", "docs/a.ini", "404.html"] {
        fs::write(folder.file(name), name).unwrap();
    }
    let types = |server: &ServerProcess| {
        ["/a.md", "/a.glb", "/LICENSE", "/a.ts", "/docs/a.ini", "/a.txt", "/none"]
            .map(|path| server.get(path).field("Content-Type").unwrap().to_owned())
    };
    let given = [".md=text/x-md", "glb=model/gltf-binary", "license=text/plain; charset=us-ascii"];
    let more = [".ts=text/typescript", ".HTML=application/xhtml+xml", "ini=a/b", "ini=c/d"];
    let expected = [
        "text/x-md; charset=utf-8",
        "model/gltf-binary",
        "text/plain; charset=us-ascii",
        "text/typescript; charset=utf-8",
        "c/d",
        "text/plain; charset=utf-8",
        "application/xhtml+xml",
    ];
    let all = [&given[..], &more].concat();
    let mut command = serve(&folder, "");
    command.args(all.iter().flat_map(|value| ["--type", value]));
    let server = ServerProcess::start(&mut command);
    assert_eq!(types(&server), expected);
    // A script is not compressed, as the video of the table is.
    let script = server.request("GET /a.ts", "Accept-Encoding: br\r\n", "");
    assert_eq!((script.field("Content-Encoding"), script.text()), (Some("br"), "a.ts.br"));
    let mut command = serve(&folder, "");
    assert_eq!(
        types(&ServerProcess::start(command.env("OPENKITCHEN_TYPE", all.join("\n\n")))),
        expected
    );
    let of_table = types(&start(&folder, ""));
    assert_eq!(of_table[..2], ["text/markdown; charset=utf-8", "application/octet-stream"]);
}

#[test]
fn the_help_calls_a_media_type_a_mime_type_too() {
    let help = run(&mut openkitchen("serve --help")).stdout;
    let line = help.lines().find(|line| line.contains("--type ")).expect("a line");
    assert!(line.contains("MIME type by extension: "), "{line}");
}

#[test]
fn only_a_variable_has_a_value_on_each_line() {
    let folder = folder();
    for (flag, value, expected) in [
        ("--header", "X: a\nY: b", "--header cannot be sent: the value of X holds \\n, which "),
        ("--header", "X: a\r\nY: b", "--header cannot be sent: the value of X holds \\r, which "),
        ("--header", "X: a\n", "--header cannot be sent: the value of X holds \\n, which "),
        ("--type", "a=b/c\nd=e/f", "--type cannot be used: `b/c\\nd=e/f` is no media type, "),
    ] {
        let ended = run(serve(&folder, "").args([flag, value]));
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{value:?}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{value:?}: {}", ended.stderr);
    }
    for (variable, value) in [("HEADER", "X: a\nY"), ("TYPE", "a=b/c\nd")] {
        let ended = run(serve(&folder, "").env(format!("OPENKITCHEN_{variable}"), value));
        let last = value.lines().last().unwrap();
        let expected = format!(", not `{last}`\n");
        assert!(ended.code == Some(2) && ended.stderr.contains(&expected), "{}", ended.stderr);
    }
    // Docker takes no line end in ENV. A flag may have a backslash and an n.
    for (flag, value) in
        [("header", r"X: a\nY: b"), ("header", r"\n"), ("type", r".a=b/c\r\n.d=e/f")]
    {
        let variable = format!("OPENKITCHEN_{}", flag.to_uppercase());
        let ended = run(serve(&folder, "").env(&variable, value));
        let expected = format!(
            "openkitchen: {variable} has a backslash and an n, which are no line end; \
             repeat --{flag} on the command line\n"
        );
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{value}: {ended:?}");
        assert!(ended.stderr.starts_with(&expected), "{value}: {}", ended.stderr);
    }
    let server = ServerProcess::start(serve(&folder, "").args(["--header", r"X: C:\new"]));
    assert_eq!(server.get("/").field("X"), Some(r"C:\new"));
}

#[test]
fn a_directory_that_the_user_may_not_open_is_an_error_with_what_to_do() {
    let folder = Folder::new();
    let (above, below) = (folder.file("above"), folder.file("above/below"));
    fs::create_dir_all(&below).unwrap();
    fs::set_permissions(&above, Permissions::from_mode(0o600)).unwrap();
    for directory in [&above, &below] {
        let directory = directory.display();
        let line = format!("serve {directory} --listen 127.0.0.1:0");
        let Some(mut command) = unprivileged_openkitchen(&folder, &line) else { break };
        let ended = run(&mut command);
        let expected = format!(
            "openkitchen: this user may not open `{directory}`, or a directory above it; \
             let every user read it: chmod -R a+rX {directory}\n"
        );
        assert_eq!((ended.code, &*ended.stderr), (Some(2), &*expected));
    }
    fs::set_permissions(&above, Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn the_fallback_may_be_written_as_a_shell_completes_it() {
    let folder = folder();
    let path = folder.file("docs");
    fs::write(path.join("app.html"), "app").unwrap();
    let absolute = path.join("app.html").display().to_string();
    for fallback in ["app.html", "./app.html", "docs/app.html", "./docs/app.html", &absolute] {
        let mut command = openkitchen("serve docs --listen 127.0.0.1:0 --fallback");
        command.arg(fallback).current_dir(folder.file(""));
        assert_eq!(ServerProcess::start(&mut command).get("/none").text(), "app", "{fallback}");
    }
}

#[test]
fn an_error_of_the_command_line_says_what_to_do() {
    let folder = folder();
    let path = folder.file("").display().to_string();
    for (line, code, expected) in [
        ("serve".to_owned(), 2, "serve needs a directory: openkitchen serve .\n"),
        (format!("serve {path} more"), 2, "`more` is one too many\n"),
        (format!("serve {path} 8000"), 2, "did you mean --listen 127.0.0.1:8000?"),
        (format!("serve {path} :8000"), 2, "did you mean --listen 0.0.0.0:8000?"),
        (format!("serve {path} 0.0.0.0"), 2, "did you mean --listen 0.0.0.0:8080?"),
        (format!("serve {path} h:80"), 2, "did you mean --listen h:80?"),
        ("serve no/such".into(), 2, "there is no directory `no/such`; try openkitchen serve .\n"),
        (format!("serve {path}a.txt"), 2, "a.txt` is no directory; serve the one that it is in: "),
        ("serve Cargo.toml".into(), 2, "it is in: openkitchen serve .\n"),
        (format!("serve {path} --listen 0.0.0.0"), 2, "write it like 0.0.0.0:8080\n"),
        (format!("serve {path} --listen 80x"), 2, "like 127.0.0.1:8080 or [::1]:8080\n"),
        (format!("serve {path} --listen :80"), 2, "write it like 0.0.0.0:80\n"),
        (format!("serve {path} --header="), 2, "--header takes a field such as "),
        (format!("serve {path} --header X-One"), 2, "--header takes a field such as "),
        (format!("serve {path} --header ETag:1"), 2, "ETag is written by the server itself"),
        (format!("serve {path} --header {{}}:1"), 2, "`{}` is no name for a field"),
        (format!("serve {path} --fallback none"), 2, "--fallback none cannot be used in "),
        (format!("serve {path} --fallback ../x"), 2, "it is no file of the directory; write "),
        (format!("serve {path} --fallback /index.html"), 2, "--fallback index.html\n"),
        (format!("serve {path} --max-age 1.5"), 2, "--max-age takes a number of seconds"),
        (format!("serve {path} --log xml"), 2, "--log takes combined, json or off, not `xml`"),
        (
            format!("serve {path} --log combined --trace"),
            2,
            "--log combined and --trace both print",
        ),
        (format!("serve {path} --log json --trace"), 2, "--log json and --trace both print"),
        (format!("serve {path} --type"), 2, "--type needs a value: --type EXT=TYPE"),
        (format!("serve {path} --type="), 2, "--type takes an extension and a media type, such "),
        (
            format!("serve {path} --type .md"),
            2,
            "--type takes an extension and a media type, such ",
        ),
        (
            format!("serve {path} --type =a/b"),
            2,
            "--type takes an extension before the =, not `=a/b`\n",
        ),
        (
            format!("serve {path} --type tar.gz=a/b"),
            2,
            "`tar.gz` is no extension: an extension is ",
        ),
        (
            format!("serve {path} --type .md="),
            2,
            "--type takes a media type after the =, not `.md=`\n",
        ),
        (format!("serve {path} --type .md=text"), 2, "`text` is no media type, such as "),
        (format!("serve {path} --auth a:b"), 2, "--auth is unknown; set OPENKITCHEN_AUTH=user:"),
        (format!("serve {path} -p 80"), 2, "-p is unknown; write --listen 127.0.0.1:80\n"),
        (format!("serve {path} -p80"), 2, "-p80 is unknown; write --listen 127.0.0.1:80\n"),
        (format!("serve {path} --host ::"), 2, "--host is unknown; write --listen [::]:8080\n"),
        (format!("serve {path} --port=80"), 2, "--port is unknown; write --listen "),
        (format!("serve {path} --host 0.0.0.0"), 2, "--host is unknown; write --listen "),
        (format!("serve {path} --spa"), 2, "--spa is unknown; for a single-page application "),
        (format!("serve {path} --cors"), 2, "write --header 'Access-Control-Allow-Origin: *'\n"),
        (format!("serve {path} --mimetypes f"), 2, "write --type EXT=TYPE for each extension\n"),
        (format!("serve {path} --lst"), 2, "--lst is unknown; did you mean --list?"),
        ("--port=81".into(), 2, "--port is unknown; write --listen 127.0.0.1:81\n"),
        ("--spa".into(), 2, "--spa is unknown\n"),
        (path.clone(), 2, "is a directory; write openkitchen serve /"),
    ] {
        let ended = run(openkitchen(&line).env("OPENKITCHEN_LISTEN", "127.0.0.1:0"));
        assert_eq!((ended.code, &*ended.stdout), (Some(code), ""), "{line}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{line}: {}", ended.stderr);
    }
}

#[test]
fn the_log_has_a_line_for_each_exchange_in_the_combined_format() {
    let folder = folder();
    let mut server = start(&folder, "");
    server.request(
        "GET /a.txt",
        "Referer: http://h/?key=abc\r\nUser-Agent: test/1 (\"x\")\r\n",
        "",
    );
    server.request("GET /none?token=abc&q=1", "User-Agent: a\\b\x01\r\n", "");
    server.request("HEAD /a.txt", "User-Agent: caf\u{e9}\t\x1b[31m\r\n", "");
    server.request("GET /a.txt", "Range: bytes=0-1\r\n", "");
    let mut client = server.client();
    // No UTF-8.
    client.send(b"GET /a.txt HTTP/1.1\r\nHost: h\r\nReferer: http://me:pw@h/?key=\xff&q=\xff\r\n");
    client.send(b"User-Agent: \xff\xfe\xe9\r\nConnection: close\r\n\r\n");
    client.read_to_end();
    let mut client = server.client();
    client.send("GET /a.txt HTTP/1.0\r\n\r\n");
    client.read_to_end();
    server.get("/healthz");
    let mut client = server.client();
    client.send("nonsense \"\\ \x1b\r\n\r\n");
    client.read_to_end();
    let mut client = server.client();
    client.send(b"\x16\x03\x01\xff\n");
    client.read_to_end();
    let mut client = server.client();
    client.send(format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(20_000)));
    client.read_to_end();
    server.request("GET /a.txt", "If-None-Match: *\r\n", "");
    (0..10).for_each(|_| drop(server.wait_for_line("127.0.0.1 - - [")));
    let exit = server.stop();
    assert_eq!(exit.code, Some(0));
    let whole: Vec<&str> = exit.stdout.lines().filter(|line| !line.starts_with('#')).collect();
    let rests: Vec<&str> = whole.iter().map(|line| line.split_once("] ").unwrap().1).collect();
    let length = |index: usize| rests[index].rsplit(' ').nth(2).unwrap();
    assert_eq!(
        rests,
        [
            r#""GET /a.txt HTTP/1.1" 200 7 "http://h/?key=***" "test/1 (\x22x\x22)""#,
            // The head with a control character could not be read.
            &r#""GET /none?token=***&q=1 HTTP/1.1" 400 X "-" "-""#.replace('X', length(1)),
            r#""HEAD /a.txt HTTP/1.1" 400 0 "-" "-""#,
            r#""GET /a.txt HTTP/1.1" 206 2 "-" "-""#,
            r#""GET /a.txt HTTP/1.1" 200 7 "http://***@h/?key=***&q=\xFF" "\xFF\xFE\xE9""#,
            r#""GET /a.txt HTTP/1.0" 200 7 "-" "-""#,
            &r#""nonsense \x22\x5C \x1B" 400 X "-" "-""#.replace('X', length(6)),
            &r#""\x16\x03\x01\xFF" 400 X "-" "-""#.replace('X', length(7)),
            &format!(r#""GET /{}" 414 {} "-" "-""#, "a".repeat(1019), length(8)),
            r#""GET /a.txt HTTP/1.1" 304 0 "-" "-""#,
        ]
    );
    for line in whole {
        let date = line.split(['[', ']']).nth(1).unwrap();
        assert!(line.is_ascii() && date.ends_with(" +0000") && date.len() == 26, "{line}");
    }
}

/// The objects of a log as JSON: what each has, without its time, its duration and its connection. Each line
/// must be JSON for Python, and shorter than 4 KiB.
fn objects(log: &Path) -> Vec<String> {
    let program = "import json, re, sys\n\
        def once(pairs):\n\
        \x20   assert len(dict(pairs)) == len(pairs), pairs\n\
        \x20   return dict(pairs)\n\
        for line in sys.stdin.buffer:\n\
        \x20   assert len(line) < 4096 and line.endswith(b'\\n'), line\n\
        \x20   it = json.loads(line.decode('utf-8', 'strict'), object_pairs_hook=once)\n\
        \x20   if it['kind'] == 'exchange':\n\
        \x20       assert re.fullmatch(r'\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z', it.pop('time')), line\n\
        \x20       assert 0 <= it.pop('took_ms') < 10_000 and it.pop('connection') > 0, line\n\
        \x20       assert it.pop('client') == '127.0.0.1', line\n\
        \x20   print(json.dumps(list(it.values())))\n";
    let mut python = Command::new("python3");
    let output = python.args(["-c", program]).stdin(fs::File::open(log).unwrap()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_log_as_json_has_an_object_for_each_exchange() {
    if !need("python3", "python3 --version") {
        return;
    }
    let folder = folder();
    let log = folder.file("log");
    let outputs = || [fs::File::create(&log).unwrap(), fs::File::create("/dev/null").unwrap()];
    let mut command = serve(&folder, "--log json");
    command.env("OPENKITCHEN_AUTH", "m\u{e9} \"x\":p");
    let (server, address) = start_command(command, &folder, outputs());
    // base64 of mé "x":p
    let user = "Authorization: Basic bcOpICJ4Ijpw\r\n";
    for request in [
        format!("GET /a.txt?key=abc HTTP/1.1\r\nHost: h\r\n{user}Referer: http://h/?key=abc\r\n\r\n")
            .as_bytes(),
        "GET /none HTTP/1.0\r\nUser-Agent: caf\u{e9} \"\\ \u{202e}\r\n\r\n".as_bytes(),
        b"HEAD /a.txt HTTP/1.1\r\nHost: h\r\nUser-Agent: caf\xe9\r\nReferer: /?token=\xff&\xfe\r\n\r\n",
        b"nonsense \"\\ \x1b\x00 /?key=\xe2\x82\xac\r\n\r\n",
        b"\x16\x03\x01\xff\n",
        format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(20_000)).as_bytes(),
        b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        let mut client = Client::connect(address);
        client.send(request);
        client.half_close();
        client.read_to_end();
    }
    stop(server);
    let whole = fs::read_to_string(&log).unwrap();
    let [first, serving, exchanges @ ..] = &objects(&log)[..] else { panic!("{whole}") };
    assert_eq!(*first, format!(r#"["listening", "{address}", "http://{address}"]"#));
    assert_eq!(*serving, format!(r#"["serving", "{}"]"#, folder.file("").display()));
    let unread = |line: &str, status: u16, bytes: &str| {
        format!(r#"["exchange", null, null, null, null, {status}, {bytes}, null, null, "{line}"]"#)
    };
    let bytes = |index: usize| exchanges[index].split(", ").nth(6).unwrap();
    let expected = [
        r#"["exchange", "m\u00e9 \"x\"", "GET", "/a.txt?key=***", "HTTP/1.1", 200, 7, "http://h/?key=***", null, null]"#,
        r#"["exchange", null, "GET", "/none", "HTTP/1.0", 401, X, null, "caf\u00e9 \"\\ \u202e", null]"#,
        r#"["exchange", null, "HEAD", "/a.txt", "HTTP/1.1", 401, 0, "/?token=***&\u00fe", "caf\u00e9", null]"#,
        &unread(r#"nonsense \"\\ \u001b\u0000 /?key=***"#, 400, bytes(3)),
        &unread(r#"\u0016\u0003\u0001\u00ff"#, 400, bytes(4)),
        &unread(&format!("GET /{}", "a".repeat(1019)), 414, bytes(5)),
    ];
    assert_eq!(exchanges, expected.map(|line| line.replace('X', bytes(1))), "{whole}");
    let keys = ["kind", "time", "connection", "client", "user", "method", "target", "version"];
    let keys = [&keys[..], &["status", "bytes", "took_ms", "referer", "user_agent", "first_line"]];
    for line in whole.lines().skip(2) {
        let found: Vec<&str> = line.split('"').collect();
        let is_key = |index: &usize| found.get(index + 1).is_some_and(|it| it.starts_with(':'));
        let found: Vec<&str> = (0..found.len()).filter(is_key).map(|index| found[index]).collect();
        assert_eq!(found, keys.concat(), "{line}");
    }
}

#[test]
fn every_line_of_the_log_is_json_whatever_a_client_sends() {
    if !need("python3", "python3 --version") {
        return;
    }
    let folder = folder();
    let log = folder.file("log");
    let outputs = [fs::File::create(&log).unwrap(), fs::File::create("/dev/null").unwrap()];
    let (server, address) = start_with(&folder, "--log json", outputs);
    let mut state = 1_u64;
    let mut random = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for round in 0..300 {
        // Bytes of every value; then such as may stand in a field; then a few that matter in JSON.
        let mut byte = |_: usize| match round % 3 {
            0 => random() as u8,
            1 => [b'\t', random() as u8 | 0x80, b' ' + (random() % 95) as u8][random() % 3],
            _ => b"\"\\/\xe2\x80\xae{},:u\xc2\x85\xed\xa0\x80"[random() % 16],
        };
        let length = if round % 10 == 0 { 3000 } else { 40 };
        let [target, field, other, line]: [Vec<u8>; 4] =
            std::array::from_fn(|_| (0..length).map(&mut byte).collect());
        let requests = [
            [b"GET /", &target[..], b" HTTP/1.1\r\nHost: h\r\n\r\n"].concat(),
            [
                b"GET /a.txt HTTP/1.1\r\nHost: h\r\nUser-Agent: ",
                &field[..],
                b"\r\nReferer: /?key=",
                &other,
                b"\r\n\r\n",
            ]
            .concat(),
            line,
        ];
        for request in requests {
            let mut client = Client::connect(address);
            client.send(request);
            client.half_close();
            client.read_to_end();
        }
    }
    stop(server);
    let exchanges = objects(&log).into_iter().filter(|line| line.starts_with("[\"exchange\""));
    let exchanges: Vec<String> = exchanges.collect();
    assert!(exchanges.len() > 800, "{}", exchanges.len());
    let has = |status: &str| exchanges.iter().any(|line| line.contains(status));
    assert!(has(" 200, 7, ") && has(" 400, ") && has(" null, \""));
}

#[test]
fn goaccess_reads_the_log() {
    if !need("goaccess", "goaccess --version") {
        return;
    }
    let folder = folder();
    let server = start(&folder, "");
    for path in ["/", "/a.txt", "/none?a=b", "/docs"] {
        server.request(&format!("GET {path}"), "User-Agent: a \"b\" c\\\r\nReferer: x\"\r\n", "");
    }
    for bytes in [&b"nonsense\r\n\r\n"[..], b"\x16\x03\x01\xff\n", b"GET /a\"b HTTP/1.1\r\n\r\n"] {
        let mut client = server.client();
        client.send(bytes);
        client.read_to_end();
    }
    let (log, report) = (folder.file("log"), folder.file("report.json"));
    fs::write(&log, server.stop().stdout).unwrap();
    let mut goaccess = Command::new("goaccess");
    goaccess.args(["--no-global-config", "--log-format=COMBINED", "-o"]).arg(&report).arg(&log);
    assert!(goaccess.output().unwrap().status.success());
    let report = fs::read_to_string(report).unwrap();
    let number = |name: &str| {
        let rest = report.split(&format!("\"{name}\": ")).nth(1).expect(name);
        rest.split([',', '\n', ' ']).next().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!((number("failed_requests"), number("valid_requests")), (0, 7), "{report}");
}

#[test]
fn a_stdout_that_is_not_read_or_closed_stalls_no_request() {
    let folder = folder();
    let mut server = start(&folder, "");
    let request = format!("GET /a.txt?{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(900));
    let exchanges = |server: &ServerProcess| {
        let (mut client, since) = (server.client(), Instant::now());
        for _ in 0..2000 {
            client.send(&request);
            assert_eq!(client.response().text(), "content");
        }
        since.elapsed()
    };
    // Two megabytes of lines: more than the pipe and the queue hold.
    let unread = exchanges(&server);
    server.close_stdout();
    let closed = exchanges(&server);
    assert!(unread < TIMEOUT && closed < TIMEOUT, "{unread:?}, {closed:?}");
    let since = Instant::now();
    let exit = server.stop();
    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert!(since.elapsed() < Duration::from_secs(3), "the stop waits for no client");
}

/// Starts the command with this stdout and stderr. Its address is that of the port file.
fn start_with(
    folder: &Folder,
    flags: &str,
    [stdout, stderr]: [impl Into<Stdio>; 2],
) -> (Process, SocketAddr) {
    start_command(serve(folder, flags), folder, [stdout, stderr])
}

/// Starts this command so.
fn start_command(
    mut command: Command,
    folder: &Folder,
    [stdout, stderr]: [impl Into<Stdio>; 2],
) -> (Process, SocketAddr) {
    let port_file = folder.file("port");
    command.arg("--port-file").arg(&port_file).stdout(stdout).stderr(stderr);
    let mut process = Process::spawn(&mut command);
    let since = Instant::now();
    while !port_file.exists() {
        assert!(since.elapsed() < TIMEOUT && process.is_running());
        thread::yield_now();
    }
    (process, addresses(&port_file)[0].parse().unwrap())
}

/// Sends SIGTERM, and returns how long the process runs then.
fn stop(mut process: Process) -> Duration {
    let since = Instant::now();
    signal("TERM", &process.id().to_string());
    assert_eq!(process.code(), Some(0));
    since.elapsed()
}

/// A pipe that takes nothing more, until its reading end is read or dropped.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = io::pipe().unwrap();
    let end = writer.try_clone().unwrap();
    let (sender, is_full) = mpsc::channel();
    thread::spawn(move || {
        while writer.write_all(&[b'\n'; 64 * 1024]).is_ok() {
            let _ = sender.send(());
        }
    });
    // A pipe that holds less is full at once.
    let _ = is_full.recv_timeout(Duration::from_secs(1));
    (reader, end)
}

/// Two clients send so many requests each, and do not wait for the responses in between.
fn flood(address: SocketAddr, requests: usize) {
    let request =
        format!("GET /a.txt HTTP/1.1\r\nHost: h\r\nUser-Agent: {}\r\n\r\n", "u".repeat(1000));
    let exchange = || {
        let mut client = Client::connect(address);
        let mut writer = client.stream.try_clone().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                (0..requests).for_each(|_| writer.write_all(request.as_bytes()).unwrap());
                writer.shutdown(Shutdown::Write).unwrap();
            });
            let responses = String::from_utf8(client.read_to_end()).unwrap();
            assert_eq!(responses.matches("HTTP/1.1 200 OK").count(), requests);
        });
    };
    thread::scope(|scope| {
        scope.spawn(exchange.clone());
        scope.spawn(exchange);
    });
}

/// Reads this many lines of the log. Returns how many were written, and how many were lost.
fn read_log(server: &mut ServerProcess, lines: usize) -> (usize, usize) {
    let (mut kept, mut lost) = (0, 0);
    while kept + lost < lines {
        match server.wait_for_line("") {
            line if line.starts_with("127.0.0.1 - - [") => kept += 1,
            line if line.ends_with(" lost here") => {
                lost += line.split(' ').nth(1).unwrap().parse::<usize>().unwrap();
            }
            line => assert!(line.starts_with("# serving "), "{line}"),
        }
    }
    (kept, lost)
}

#[test]
fn a_log_in_a_file_or_in_a_pipe_that_is_read_has_every_line() {
    let folder = folder();
    let log = folder.file("log");
    let (file, null) = (fs::File::create(&log).unwrap(), fs::File::open("/dev/null").unwrap());
    let (server, address) = start_with(&folder, "", [file, null]);
    flood(address, 5000);
    stop(server);
    let lines = |log: &str| log.lines().filter(|line| line.starts_with("127.0.0.1 - - [")).count();
    assert_eq!(lines(&fs::read_to_string(&log).unwrap()), 10_000);
    // A pipe that is read while the server runs. On a busy machine the reader may not run for 50 ms, so
    // one of five times is enough.
    let is_whole = |_| {
        let mut server = start(&folder, "");
        let address = server.address;
        let flooding = thread::spawn(move || flood(address, 5000));
        let (kept, lost) = read_log(&mut server, 10_000);
        flooding.join().unwrap();
        let exit = server.stop();
        assert_eq!((exit.code, exit.stderr.is_empty()), (Some(0), lost == 0), "{}", exit.stderr);
        kept == 10_000
    };
    assert!((0..5).any(is_whole));
}

#[test]
fn lines_that_are_lost_are_counted_in_their_place_and_on_stderr() {
    let folder = folder();
    let mut server = start(&folder, "");
    // 2 MiB of lines: the pipe and the queue hold less.
    flood(server.address, 1000);
    assert!(server.stderr().contains("warn: 1 line of stdout was lost so far: it is read too "));
    let (_, lost) = read_log(&mut server, 2000);
    server.get("/a.txt");
    assert!(server.wait_for_line("127.0.0.1 - - [").ends_with("\" 200 7 \"-\" \"-\""));
    let exit = server.stop();
    let last = format!("warn: {lost} lines of stdout were lost");
    assert!(lost > 100 && exit.stderr.contains(&last), "{last}: {}", exit.stderr);
}

#[test]
fn lines_that_are_lost_are_an_object_of_the_log_as_json() {
    let folder = folder();
    let (reader, pipe) = io::pipe().unwrap();
    let (server, address) = start_with(&folder, "--log json", [pipe.into(), Stdio::null()]);
    // More lines than the pipe and the queue hold.
    flood(address, 1000);
    let (mut kept, mut lost) = (0, 0);
    let mut lines = BufReader::new(reader).lines().map(Result::unwrap);
    while kept + lost < 2000 {
        let line = lines.next().unwrap();
        assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
        kept += usize::from(line.starts_with("{\"kind\":\"exchange\","));
        if let Some(rest) = line.strip_prefix("{\"kind\":\"lost\",\"lines\":") {
            lost += rest.trim_end_matches('}').parse::<usize>().unwrap();
        }
    }
    assert!(lost > 0 && kept + lost == 2000, "{kept} lines, {lost} lost");
    stop(server);
}

#[test]
fn a_file_with_a_lease_is_sent_when_the_lease_has_ended() {
    if !need("python3", "python3 --version") {
        return;
    }
    let folder = folder();
    let path = folder.file("a.txt");
    std::os::unix::fs::symlink(&path, folder.file("link.txt")).unwrap();
    let server = start(&folder, "");
    for (name, seconds, status) in
        [("a.txt", 0.2, 200), ("link.txt", 0.2, 200), ("a.txt", 60.0, 503)]
    {
        let program = "import fcntl, os, signal, sys, time\n\
            file = os.open(sys.argv[1], os.O_RDWR)\n\
            def end(*_):\n\
            \x20   time.sleep(float(sys.argv[2]))\n\
            \x20   fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)\n\
            signal.signal(signal.SIGIO, end)\n\
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)\n\
            print('leased', flush=True)\n\
            while True: signal.pause()\n";
        let (mut reader, writer) = io::pipe().unwrap();
        let mut python = Command::new("python3");
        python.args(["-c", program]).arg(&path).arg(seconds.to_string()).stdout(writer);
        let _python = Process::spawn(&mut python);
        reader.read_exact(&mut [0; 6]).unwrap();
        let since = Instant::now();
        let response = server.get(&format!("/{name}"));
        assert_eq!(response.status, status, "{name}: {}", response.text());
        let took = since.elapsed();
        assert!(took >= Duration::from_millis(200) && took < Duration::from_secs(5), "{took:?}");
    }
}

#[test]
fn a_stdout_that_cannot_be_written_is_told_on_stderr() {
    let folder = folder();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let (reader, closed) = io::pipe().unwrap();
    drop(reader);
    for (stdout, expected) in [
        (Stdio::from(full), "lost so far: No space left on device"),
        (Stdio::from(closed), "lost so far: Broken pipe"),
    ] {
        let files = Folder::new();
        let stderr = files.file("stderr");
        let outputs = [stdout, fs::File::create(&stderr).unwrap().into()];
        let (server, address) = start_with(&folder, "", outputs);
        flood(address, 50);
        stop(server);
        let stderr = fs::read_to_string(stderr).unwrap();
        assert!(stderr.contains(expected), "{stderr}");
        assert!(stderr.contains("warn: 102 lines of stdout were lost"), "{stderr}");
        assert!(stderr.lines().count() < 8, "not a line for each: {stderr}");
        fs::remove_file(folder.file("port")).unwrap();
    }
}

#[test]
fn a_server_starts_answers_and_stops_where_stdout_and_stderr_take_nothing() {
    let folder = folder();
    for flags in ["", "--log off", "--trace"] {
        let (_reader, pipe) = full_pipe();
        let outputs = [pipe.try_clone().unwrap(), pipe];
        let (server, address) = start_with(&folder, flags, outputs);
        flood(address, 100);
        let stopped = stop(server);
        assert!(stopped < Duration::from_secs(1), "{flags}: {stopped:?}");
        fs::remove_file(folder.file("port")).unwrap();
    }
}

#[test]
fn a_log_that_nothing_reads_delays_no_stop() {
    let folder = folder();
    let stops = (0..5).map(|_| {
        let (_reader, pipe) = io::pipe().unwrap();
        let (server, address) = start_with(&folder, "", [pipe.into(), Stdio::null()]);
        flood(address, 500); // longer than a write that goes on takes
        fs::remove_file(folder.file("port")).unwrap();
        stop(server)
    });
    let shortest = stops.min();
    assert!(shortest < Some(Duration::from_millis(300)), "{shortest:?}");
}

#[test]
fn an_error_that_happens_for_each_request_has_ten_lines() {
    let files = Folder::new();
    let server = start(&files, "--log off");
    let large = fs::File::create(files.file("large")).unwrap();
    for _ in 0..15 {
        large.set_len(64 << 20).unwrap();
        let mut client = server.client();
        client.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
        client.stream.read_exact(&mut [0]).unwrap();
        large.set_len((64 << 20) + 1).unwrap(); // while most of it is not sent
        client.read_to_end();
    }
    let exit = server.stop();
    assert_eq!(exit.stderr.matches("the content of a response ends early: ").count(), 10);
    assert!(exit.stderr.contains("5 warnings or errors were left out, "), "{}", exit.stderr);
}

#[test]
fn the_trace_is_a_transcript_and_takes_the_place_of_the_log() {
    let folder = folder();
    let server = start(&folder, "--trace");
    server.get("/a.txt");
    let exit = server.stop();
    let transcript = Transcript::parse(&exit.stdout).expect("a transcript").to_string();
    assert!(transcript.contains("GET /a.txt HTTP/1.1") && transcript.contains("\ncontent\\"));
    assert!(!exit.stdout.contains("127.0.0.1 - - ["), "{}", exit.stdout);
    let quiet = start(&folder, "--log off");
    quiet.get("/a.txt");
    let exit = quiet.stop();
    assert!(exit.stdout.lines().all(|line| line.starts_with("# ")), "{}", exit.stdout);
}

#[test]
fn a_password_from_the_environment_is_asked_for() {
    let folder = folder();
    let mut command = serve(&folder, "");
    let server = ServerProcess::start(command.env("OPENKITCHEN_AUTH", "me:pass:word"));
    assert_eq!(server.stderr(), "", "the variable is known");
    let refused = server.get("/a.txt");
    let challenge = "Basic realm=\"files\", charset=\"UTF-8\"";
    assert_eq!((refused.status, refused.field("WWW-Authenticate")), (401, Some(challenge)));
    let status = |fields: &str| server.request("GET /a.txt", fields, "").status;
    // base64 of me:pass:word
    assert_eq!(status("Authorization: Basic bWU6cGFzczp3b3Jk\r\n"), 200);
    assert_eq!(status("Authorization: bAsIc  bWU6cGFzczp3b3Jk\r\n"), 200);
    for fields in [
        "Authorization: Basic bWU6cGFzcw==\r\n",
        "Authorization: Basic bWU6cGFzczp3b3JkIA==\r\n",
        "Authorization: Basic me:pass:word\r\n",
        "Authorization: Bearer me:pass:word\r\n",
        "Authorization: Basic bWU6cGFzczp3b3Jk\r\nAuthorization: Basic bWU6cGFzczp3b3Jk\r\n",
    ] {
        assert_eq!(status(fields), 401, "{fields}");
    }
    assert_eq!([server.get("/none").status, server.get("/docs").status], [401, 401]);
    assert_eq!(server.get("/healthz").status, 200);
    let shown = server.stop();
    assert!(!shown.stdout.contains("bWU6"), "{}", shown.stdout);
    let users =
        shown.stdout.lines().filter_map(|line| line.split_once(" [")).map(|(start, _)| start);
    let users: Vec<&str> = users.collect();
    let (known, unknown) = (["127.0.0.1 - me"; 2], ["127.0.0.1 - -"; 8]);
    assert_eq!(users, [&unknown[..1], &known, &unknown[1..]].concat(), "{}", shown.stdout);
    let mut command = serve(&folder, "");
    let server = ServerProcess::start(command.env("OPENKITCHEN_AUTH", "a \"b\" \u{e9}:p"));
    // base64 of a "b" é:p
    let fields = "Authorization: Basic YSAiYiIgw6k6cA==\r\n";
    assert_eq!(server.request("GET /a.txt", fields, "").status, 200);
    let shown = server.stop().stdout;
    assert!(shown.contains(r"127.0.0.1 - a\x20\x22b\x22\x20\xC3\xA9 ["), "{shown}");
    for wrong in ["", "me", "me:", "me:a\nb"] {
        let ended = run(serve(&folder, "").env("OPENKITCHEN_AUTH", wrong));
        assert_eq!(ended.code, Some(2), "{wrong:?}: {ended:?}");
        assert!(ended.stderr.starts_with("openkitchen: OPENKITCHEN_AUTH is unusable: "));
    }
}

#[test]
fn healthz_is_answered_unless_there_is_a_file_and_drains() {
    let folder = folder();
    let server = start(&folder, "--drain 30");
    assert_eq!(server.get("/healthz").text(), "ok");
    server.signal("TERM");
    let since = Instant::now();
    while server.get("/healthz").status != 503 {
        assert!(since.elapsed() < TIMEOUT);
    }
    assert_eq!(server.get("/a.txt").status, 200);
    drop(server);
    fs::write(folder.file("healthz"), "a file").unwrap();
    let mut server = start(&folder, "--drain 30");
    assert_eq!(server.get("/healthz").text(), "a file");
    assert!(server.wait_for_line("127.0.0.1 - - [").contains("\"GET /healthz HTTP/1.1\" 200 6 "));
    // A proxy must see that the server drains.
    server.signal("TERM");
    let since = Instant::now();
    while server.get("/healthz").status != 503 {
        assert!(since.elapsed() < TIMEOUT);
    }
}

/// The addresses in a port file, when it is there.
fn addresses(port_file: &Path) -> Vec<String> {
    fs::read_to_string(port_file).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn each_address_is_listened_on_and_is_a_line_of_the_port_file() {
    let (folder, files) = (Folder::new(), folder());
    let port_file = folder.file("port");
    // A listener at [::] is bound first, and its line is the last one all the same.
    let mut command = serve(&files, "--listen [::1]:0 --listen=127.0.0.1:0 --listen [::]:0");
    let mut server = ServerProcess::start(command.arg("--port-file").arg(&port_file));
    let mut printed = vec![server.address.to_string()];
    printed.extend((0..3).map(|_| server.wait_for_line("# listening on http://")));
    server.wait_for_line("# serving ");
    for address in &printed {
        let mut client = Client::connect(address.parse().unwrap());
        client.send("GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.response().text(), "content", "{address}");
    }
    // The file is written after the lines are printed.
    let since = Instant::now();
    while !port_file.exists() {
        assert!(since.elapsed() < TIMEOUT);
        thread::yield_now();
    }
    assert_eq!(addresses(&port_file), printed);
    let hosts = printed.iter().map(|address| address.rsplit_once(':').unwrap().0);
    assert_eq!(hosts.collect::<Vec<_>>(), ["127.0.0.1", "[::1]", "127.0.0.1", "[::]"]);
    // One that cannot be bound ends the start: nothing listens on a part of what was asked for.
    let taken = format!("--listen {}", server.address);
    let ended = run(&mut serve(&files, &taken));
    assert!(ended.code == Some(2) && ended.stderr.contains(" is in use; try --listen "));
}

#[test]
fn one_listener_takes_both_versions_of_ip() {
    let (files, port) = (folder(), free_address().port());
    let mut command = openkitchen(&format!("serve --listen 0.0.0.0:{port},[::]:{port}"));
    let server = ServerProcess::start(command.arg(files.file("")));
    for address in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        let mut client = Client::connect(address.parse().unwrap());
        client.send("GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.response().text(), "content", "{address}");
    }
    let log = server.stop().stdout;
    // Two threads serve them, so either line may be the first.
    let lines = log.lines().filter_map(|line| line.split_once(" - - ["));
    let mut clients: Vec<&str> = lines.map(|(client, _)| client).collect();
    clients.sort_unstable();
    assert_eq!(clients, ["127.0.0.1", "::1"], "{log}");
}

#[test]
fn a_listener_of_a_service_manager_takes_the_place_of_listen() {
    if !need("systemd-socket-activate", "systemd-socket-activate --version") {
        return;
    }
    let files = folder();
    let addresses = [free_address(), free_address()];
    let mut command = Command::new("systemd-socket-activate");
    for address in addresses {
        command.arg("-l").arg(address.to_string());
    }
    command.arg(env!("CARGO_BIN_EXE_openkitchen")).args(["serve", "--listen", "127.0.0.1:1"]);
    // It starts the server at the first connection, so nothing prints an address before.
    let mut process =
        command.arg(files.file("")).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = process.stderr.take().unwrap();
    let mut seen = String::new();
    while seen.matches("Listening on ").count() < 2 {
        let mut byte = [0];
        assert_eq!(stderr.read(&mut byte).unwrap(), 1, "{seen}");
        seen.push(char::from(byte[0]));
    }
    for address in addresses {
        let mut client = Client::connect(address);
        client.send("GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.response().text(), "content", "{address}");
    }
    signal("TERM", &process.id().to_string());
    assert!(process.wait().unwrap().success(), "it is the same process, and stops gracefully");
    // A number of descriptors that are not there is an error.
    let line =
        format!("LISTEN_PID=$$ LISTEN_FDS=3 exec {} serve .", env!("CARGO_BIN_EXE_openkitchen"));
    let ended = run(Command::new("sh").args(["-c", &line]));
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains("LISTEN_FDS cannot be used: descriptor 3 is no listening socket: ")
    );
}

/// The command `serve` with the listener of a service manager, which keeps it.
fn with_listener(folder: &Folder, listener: impl Into<OwnedFd>) -> Command {
    let mut command = Command::new("sh");
    let line = "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" serve \"$1\"";
    command.args(["-c", line, env!("CARGO_BIN_EXE_openkitchen")]).arg(folder.file(""));
    command.stdin(listener.into());
    command
}

#[test]
fn clients_wait_while_a_service_with_a_listener_of_its_manager_starts_again() {
    let folder = folder();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let start = || ServerProcess::start(&mut with_listener(&folder, listener.try_clone().unwrap()));
    let mut waiting: Option<Client> = None;
    for _ in 0..3 {
        let server = start();
        if let Some(mut client) = waiting.take() {
            assert_eq!(client.response().text(), "content");
        }
        assert_eq!(server.get("/a.txt").text(), "content");
        let since = Instant::now();
        assert_eq!(server.stop().code, Some(0));
        assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
        let client = waiting.insert(Client::connect(listener.local_addr().unwrap()));
        client.send("GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n");
    }
}

#[test]
fn a_service_with_a_listener_of_its_manager_starts_again_under_load() {
    let folder = folder();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let start = || ServerProcess::start(&mut with_listener(&folder, listener.try_clone().unwrap()));
    let (answered, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let ask_on = || {
        while !is_over.load(Ordering::SeqCst) {
            let mut client = Client::connect(address);
            client.send("GET /a.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
            assert_eq!(client.response().text(), "content");
            answered.fetch_add(1, Ordering::SeqCst);
        }
    };
    let stop_under_load = |server: ServerProcess| {
        let (before, since) = (answered.load(Ordering::SeqCst), Instant::now());
        while answered.load(Ordering::SeqCst) < before + 100 {
            assert!(since.elapsed() < TIMEOUT);
            thread::yield_now();
        }
        let since = Instant::now();
        assert_eq!(server.stop().code, Some(0));
        since.elapsed()
    };
    let (times, _last) = thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(ask_on);
        }
        let times = [(); 3].map(|()| stop_under_load(start()));
        let last = start();
        is_over.store(true, Ordering::SeqCst);
        (times, last)
    });
    assert!(times.iter().max() < Some(&Duration::from_secs(2)), "{times:?}");
}

/// A service manager: the command `serve` with descriptor 3, which is `socket` in this line of Python.
fn with_descriptor(line: &str, listen_fds: &str) -> Command {
    let program = format!(
        "import os, socket, sys\n\
         {line}\n\
         os.dup2(socket.fileno(), 3); os.set_inheritable(3, True)\n\
         os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=sys.argv[1])\n\
         os.execv(sys.argv[2], sys.argv[2:])"
    );
    let mut command = Command::new("python3");
    command.args(["-c", &program, listen_fds, env!("CARGO_BIN_EXE_openkitchen")]);
    command.args(["serve", ".", "--listen", "127.0.0.1:0"]);
    command
}

/// The response to a request on a new connection to this Unix socket.
fn ask_at(path: &Path) -> String {
    let mut client = UnixStream::connect(path).unwrap();
    client.write_all(b"GET /a.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).unwrap();
    response
}

#[test]
fn a_client_has_the_same_name_in_each_line() {
    let (folder, sockets) = (folder(), Folder::new());
    let path = sockets.file("sock");
    let flags = format!("--listen [::]:0 --listen unix:{} --log combined", path.display());
    let mut command = serve(&folder, &flags);
    let mut server = ServerProcess::start(command.env("RUST_LOG", "info"));
    let both = server.wait_for_line("# listening on http://[::]:");
    let hello = b"\x16\x03\x01";
    let mut client = Client::connect(format!("127.0.0.1:{both}").parse().unwrap());
    client.send(hello);
    assert_eq!(Response::parse(&client.read_to_end()).status, 400);
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(hello).unwrap();
    io::copy(&mut client, &mut io::sink()).unwrap();
    let Exit { stdout, stderr, .. } = server.stop();
    let lines: Vec<&str> = stderr.lines().collect();
    for (line, start) in lines.iter().zip([
        "openkitchen: warn: connection 1 from 127.0.0.1:",
        "openkitchen: info: 127.0.0.1:",
        "openkitchen: info: connection 2 from a Unix socket: ",
        "openkitchen: info: a Unix socket \"- -\" 400 ",
    ]) {
        assert!(line.starts_with(start), "{stderr}");
    }
    assert_eq!(lines.len(), 4, "{stderr}");
    assert!(stdout.contains("\n127.0.0.1 - - ") && stdout.contains("\n0.0.0.0 - - "), "{stdout}");
}

#[test]
fn a_unix_socket_is_listened_on_beside_an_address() {
    let (folder, sockets) = (folder(), Folder::new());
    let [path, port_file] = ["sock", "port"].map(|name| sockets.file(name));
    let name = format!("unix:{}", path.display());
    let flags = format!("--listen {name} --trace --port-file {}", port_file.display());
    // Killed, it leaves the file, and the next start replaces it.
    for round in 0..2 {
        let mut server = start(&folder, &flags);
        let lines = server.wait_for_line_and_before("# serving ");
        assert!(lines.contains(&format!("# listening on {name}\n")), "{lines}");
        assert!(ask_at(&path).ends_with("\r\n\r\ncontent")); // after the port file is written
        let names = format!("{}\n{name}\n", server.address);
        assert_eq!(fs::read_to_string(&port_file).unwrap(), names);
        server.wait_for_line("--- open from a Unix socket");
        for command in [
            openkitchen("healthcheck").arg(&name),
            openkitchen("healthcheck").env("OPENKITCHEN_LISTEN", format!("{name},127.0.0.1:1")),
        ] {
            assert_eq!(run(command).code, Some(0));
        }
        let second = run(serve(&folder, "").args(["--listen", &name]));
        assert_eq!(second.code, Some(2));
        assert!(second.stderr.contains(" a server listens there"), "{}", second.stderr);
        match round {
            0 => server.kill(),
            _ => assert_eq!(server.stop().code, Some(0)),
        }
        assert_eq!(path.exists(), round == 0);
    }
    let closed = run(openkitchen("healthcheck").arg(&name));
    assert_eq!(closed.code, Some(1));
    let sentence = format!("/healthz at {name} does not answer: ");
    assert!(closed.stderr.contains(&sentence), "{}", closed.stderr);
    for (path, expected) in [
        ("", "unix:: write it like unix:/run/site.sock"),
        ("/none/x.sock", "there is no folder /none; make it first"),
        (&*"x".repeat(200), "with a path of at most 100 bytes or so"),
    ] {
        let ended = run(serve(&folder, "").arg(format!("--listen=unix:{path}")));
        assert_eq!(ended.code, Some(2));
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
    for flag in ["--listen", "--page"] {
        let watch = run(openkitchen("watch 5000 --listen 0").args([flag, &name]));
        assert_eq!(watch.code, Some(2));
        let sentence = format!("{flag} takes addresses of TCP alone, and no Unix socket");
        assert!(watch.stderr.contains(&sentence), "{}", watch.stderr);
    }
    assert!(!path.exists());
}

#[test]
fn the_file_of_a_unix_socket_is_removed_also_if_a_handler_does_not_return() {
    let (folder, sockets) = (folder(), Folder::new());
    let path = sockets.file("sock");
    let file = fs::File::create(folder.file("large")).unwrap();
    file.set_len(64 << 20).unwrap();
    for signals in [1, 2] {
        let flags = format!("--listen unix:{} --grace 1", path.display());
        let server = start(&folder, &flags);
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        client.read_exact(&mut [0; 100]).unwrap();
        server.signal("TERM");
        if signals == 2 {
            thread::sleep(Duration::from_millis(600)); // sooner it is the same one
            server.signal("TERM");
        }
        assert_eq!(server.wait().code, Some(signals - 1));
        assert!(!path.exists(), "{signals}");
    }
}

#[test]
fn a_unix_socket_of_a_service_manager_is_a_listener_and_stays() {
    if !need("python3", "python3 --version") {
        return;
    }
    let sockets = Folder::new();
    let path = sockets.file("sock");
    let line = format!(
        "socket = socket.socket(socket.AF_UNIX); socket.bind({:?}); socket.listen()",
        path.to_str().unwrap()
    );
    for is_replaced in [false, true] {
        let mut command = with_descriptor(&line, "1");
        // No line of this server has an address of TCP.
        let mut process = Process::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
        let since = Instant::now();
        while !path.exists() || UnixStream::connect(&path).is_err() {
            assert!(since.elapsed() < TIMEOUT && process.is_running());
            thread::yield_now();
        }
        assert!(ask_at(&path).starts_with("HTTP/1.1 404 "), "it serves the folder of the tests");
        // Another server has the path by now, and its backlog is full.
        let other = is_replaced.then(|| {
            fs::remove_file(&path).unwrap();
            let listener = Listener::bind_path(&path).unwrap();
            set_backlog(&listener, 0).unwrap();
            (UnixStream::connect(&path).unwrap(), listener)
        });
        let since = Instant::now();
        signal("TERM", &process.id().to_string());
        assert_eq!(process.code(), Some(0));
        assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
        assert!(path.exists());
        drop(other);
        let _ = fs::remove_file(&path);
    }
}

#[test]
fn a_unix_socket_of_a_service_manager_stays_also_where_the_service_may_not_connect_to_it() {
    let (folder, sockets) = (folder(), Folder::new());
    let [bound, path] = ["bound", "sock"].map(|name| sockets.file(name));
    let listener = UnixListener::bind(&bound).unwrap();
    // The service finds nothing at the path that the socket was bound to, as with SocketMode=0600.
    fs::rename(&bound, &path).unwrap();
    for _ in 0..3 {
        let mut command = with_listener(&folder, listener.try_clone().unwrap());
        let mut process = Process::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
        assert!(ask_at(&path).ends_with("\r\n\r\ncontent"));
        signal("TERM", &process.id().to_string());
        let since = Instant::now();
        assert_eq!(process.code(), Some(0));
        assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    }
}

#[test]
fn a_descriptor_that_does_not_listen_is_no_listener() {
    if !need("python3", "python3 --version") {
        return;
    }
    let listening = "socket = socket.create_server(('127.0.0.1', 0), backlog=7)";
    for (line, listen_fds, expected) in [
        ("socket = socket.socket(); socket.bind(('127.0.0.1', 0))", "1", "it does not listen"),
        ("socket = socket.socket()", "1", "it does not listen"),
        ("socket = socket.socket(type=socket.SOCK_DGRAM)", "1", "it takes no streams"),
        ("socket, other = socket.socketpair()", "1", "is no listening socket: "),
        ("socket = open('/dev/null')", "1", "is no listening socket: "),
        (
            "socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); socket.bind('\\0openkitchen'); \
             socket.listen()",
            "1",
            "it takes no streams",
        ),
        (listening, "2", "descriptor 4 is no listening socket: "),
        (listening, "abc", "LISTEN_FDS is no number: `abc`"),
        (listening, "-1", "LISTEN_FDS is no number: `-1`"),
        (listening, "99999999999", "LISTEN_FDS is no number: `99999999999`"),
    ] {
        let ended = run(&mut with_descriptor(line, listen_fds));
        assert_eq!(ended.code, Some(2), "{line} {listen_fds}: {ended:?}");
        let start = "openkitchen: LISTEN_FDS cannot be used: ";
        assert!(ended.stderr.starts_with(start) && ended.stderr.contains(expected), "{ended:?}");
    }
    // The backlog of the manager stays.
    if need("ss", "ss -V") {
        let server = ServerProcess::start(&mut with_descriptor(listening, "1"));
        let port = format!("sport = :{}", server.address.port());
        let shown = Command::new("ss").args(["-ltnH", &port]).output().unwrap().stdout;
        let shown = String::from_utf8(shown).unwrap();
        assert_eq!(shown.split_whitespace().nth(2), Some("7"), "{shown}");
    }
}

//! Tests of the command line, with the real binary: stdout, stderr, the exit code, help and errors.

use std::ffi::{OsStr, OsString};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{env, fs, io};

use openkitchen::Transcript;
use openkitchen::transcript::{Item, Side};

use crate::support::client::Client;
use crate::support::process::{
    self, Exit, Folder, ServerProcess, assert_serves_the_lesson, free_address, openkitchen, run,
    run_with_input, unprivileged_openkitchen,
};

/// All flags of the server, in the order of the help.
const FLAGS: [&str; 21] = [
    "listen",
    "port-file",
    "data",
    "record",
    "no-trace",
    "full",
    "explain",
    "rfc",
    "no-kitchen",
    "kitchen-anywhere",
    "max-connections",
    "max-head",
    "max-content",
    "max-memory",
    "head-timeout",
    "content-timeout",
    "idle-timeout",
    "write-timeout",
    "grace",
    "drain",
    "scheduling",
];

/// All commands with a name.
const COMMANDS: [&str; 8] =
    ["serve", "watch", "send", "check", "mock", "learn", "explain", "healthcheck"];

const GET: &str = "GET /about HTTP/1.1\r\nHost: h\r\n\r\n";

/// Asserts that stderr is one sentence with these parts, without words that only a programmer knows.
#[track_caller]
fn assert_usage_error(ended: &Exit, parts: &[&str]) {
    assert!(ended.stderr.ends_with("\nTry `openkitchen --help`.\n"), "{}", ended.stderr);
    assert_error(ended, parts);
}

/// As [`assert_usage_error`], where the command line may be right and what it names cannot be used.
#[track_caller]
fn assert_error(ended: &Exit, parts: &[&str]) {
    let Exit { stdout, stderr, .. } = ended;
    assert_eq!(ended.code, Some(2), "{stderr}");
    assert_eq!(stdout, "", "a command that fails prints nothing on stdout");
    assert!(stderr.starts_with("openkitchen: "), "{stderr}");
    let rest = stderr.trim_end().split_once('\n').map(|(_, rest)| rest);
    assert!(rest.is_none_or(|rest| rest == "Try `openkitchen --help`."), "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{part:?} is missing: {stderr}");
    }
    for jargon in ["panicked", "backtrace", "Os {", "Err(", "RUST_"] {
        assert!(!stderr.contains(jargon), "{stderr}");
    }
}

// Help, and errors of the command line.

/// Asserts that a help fits a terminal of 80 columns.
#[track_caller]
fn assert_fits_80_columns(help: &str) {
    assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
}

#[test]
fn help_fits_80_columns_and_names_every_flag_and_variable() {
    for flag in ["--help", "-h", "--listen 127.0.0.1:1 --help"] {
        let Exit { code, stdout, stderr } = run(&mut openkitchen(flag));
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
        assert_fits_80_columns(&stdout);
        let named: Vec<&str> = stdout
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("--")?.split(' ').next())
            .collect();
        assert_eq!(named, [&FLAGS[..], &["help", "version"]].concat());
        for command in COMMANDS {
            assert!(stdout.contains(&format!("\n  {command} ")), "{command}: {stdout}");
        }
        for variable in ["OPENKITCHEN_", "API_KEY", "CONTACT_NAME", "CONTACT_EMAIL", "RUST_LOG"] {
            assert!(stdout.contains(variable), "{variable}");
        }
    }
    let version = format!("openkitchen {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&mut openkitchen("--version")).stdout, version);
}

#[test]
fn the_help_of_each_command_fits_80_columns() {
    for command in COMMANDS {
        let Exit { code, stdout, stderr } = run(&mut openkitchen(&format!("{command} --help")));
        assert_eq!((code, stderr.as_str()), (Some(0), ""));
        assert!(stdout.starts_with(&format!("openkitchen {command}")), "{stdout}");
        assert_fits_80_columns(&stdout);
        assert!(stdout.contains("Each flag is also a variable: "), "{stdout}");
        assert!(stdout.contains("\n  --version "), "{stdout}");
        assert_eq!(run(&mut openkitchen(&format!("help {command}"))).stdout, stdout);
        let refused = run(&mut openkitchen(&format!("{command} --far-fetched")));
        assert_eq!(
            (refused.code, &*refused.stdout, &*refused.stderr),
            (
                Some(2),
                "",
                &*format!(
                    "openkitchen: --far-fetched is unknown\nTry `openkitchen {command} --help`.\n"
                )
            )
        );
    }
}

#[test]
fn the_error_for_a_misspelt_name_has_the_nearest_one() {
    for (line, expected) in [
        ("--lisen 127.0.0.1:0", "--lisen is unknown; did you mean --listen?"),
        ("--notrace", "did you mean --no-trace?"),
        ("--max-conections=1", "did you mean --max-connections?"),
        ("--hepl", "did you mean --help?"),
        ("wach", "`wach` is not a command; did you mean watch?"),
        (
            "dance",
            "`dance` is not a command; the commands are serve, watch, send, check, mock, learn, explain, healthcheck",
        ),
    ] {
        assert_usage_error(&run(&mut openkitchen(line)), &[expected]);
    }
}

#[test]
fn the_error_for_an_invalid_value_has_a_valid_one() {
    for (line, expected) in [
        ("--listen", "--listen needs a value"),
        ("--max-head 0", "--max-head takes a number of bytes"),
        ("--max-content -1", "--max-content takes a number of bytes"),
        ("--max-connections many", "--max-connections takes a number"),
        ("--head-timeout 0", "--head-timeout takes a time in seconds"),
        ("--grace NaN", "--grace takes a time in seconds"),
        ("--drain 1e3", "--drain takes a time in seconds"),
        ("--no-trace=yes", "--no-trace takes no value"),
        ("--scheduling idle", "--scheduling takes batch or normal, not `idle`"),
    ] {
        assert_usage_error(&run(&mut openkitchen(line)), &[expected]);
    }
    for line in ["--max-content 65M --max-memory 64M", "--max-content 65M", "--max-memory 1000K"] {
        let expected = [
            if line.contains("65M") { "--max-content is 68157440 bytes" } else { "1048576 bytes" },
            "above --max-memory",
            "raise --max-memory or lower --max-content",
        ];
        assert_error(&run(&mut openkitchen(line)), &expected);
    }
    let head = ["--max-head is 2048 bytes, above --max-memory, 1024 bytes"];
    let line = "--max-memory 1K --max-content 1K --max-head 2K";
    assert_error(&run(&mut openkitchen(line)), &head);
    let expected = ["OPENKITCHEN_MAX_MEMORY takes a number of bytes"];
    assert_error(&run(openkitchen("").env("OPENKITCHEN_MAX_MEMORY", "none")), &expected);
    let unreadable = OsStr::from_bytes(b"x\xff");
    for (variable, value, expected) in [
        (
            "OPENKITCHEN_DRAIN",
            OsStr::new("soon"),
            "OPENKITCHEN_DRAIN takes a time in seconds, such as 10 or 0.5, not `soon`",
        ),
        ("OPENKITCHEN_DRAIN", unreadable, "OPENKITCHEN_DRAIN takes a time in seconds"),
        ("OPENKITCHEN_LISTEN", unreadable, "OPENKITCHEN_LISTEN takes an address such as "),
        (
            "OPENKITCHEN_NO_TRACE",
            OsStr::new("maybe"),
            "OPENKITCHEN_NO_TRACE takes 1, yes, true or on, or 0, no, false or off, not `maybe`",
        ),
        ("OPENKITCHEN_NO_TRACE", unreadable, "OPENKITCHEN_NO_TRACE takes 1, yes"),
        ("API_KEY", unreadable, "API_KEY is not UTF-8"),
        ("CONTACT_NAME", unreadable, "CONTACT_NAME is not UTF-8"),
        ("CONTACT_EMAIL", unreadable, "CONTACT_EMAIL is not UTF-8"),
    ] {
        assert_usage_error(&run(openkitchen("").env(variable, value)), &[expected]);
    }
    for command in ["", "watch 127.0.0.1:1"] {
        let ended = run(openkitchen(command).env("RUST_LOG", unreadable));
        assert_eq!(ended.code, Some(2));
        assert!(ended.stderr.starts_with("openkitchen: RUST_LOG is not UTF-8\n"), "{ended:?}");
    }
    for flag in ["--listen", "--drain", "--scheduling"] {
        let ended = run(openkitchen(flag).arg(unreadable));
        assert_usage_error(&ended, &[&format!("{flag} takes ")]);
    }
}

#[test]
fn a_variable_that_no_command_has_gets_a_warning_with_the_nearest_name() {
    let warning = |name: &str| {
        let mut command = openkitchen("mock /dev/null");
        run(command.env(name, "1")).stderr.lines().next().unwrap_or_default().to_owned()
    };
    for (name, expected) in [
        ("OPENKITCHEN_LISTN", "; did you mean OPENKITCHEN_LISTEN?"),
        ("OPENKITCHEN_NOTRACE", "; did you mean OPENKITCHEN_NO_TRACE?"),
        ("OPENKITCHEN_LITS", "; did you mean OPENKITCHEN_LIST?"), // a flag of `check`
        ("OPENKITCHEN_ASKD", "; did you mean OPENKITCHEN_ASKED?"),
        ("OPENKITCHEN_port_file", "; did you mean OPENKITCHEN_PORT_FILE?"),
        ("OPENKITCHEN_FAR_FETCHED", ""),
    ] {
        let line = format!("openkitchen: warn: {name} is unknown and has no effect{expected}");
        assert_eq!(warning(name), line);
    }
    // Flags of other commands, and what Kubernetes sets if a service is named openkitchen.
    for name in [
        "OPENKITCHEN_LISTEN",
        "OPENKITCHEN_MAX_HEAD",
        "OPENKITCHEN_TIMEOUT",
        "OPENKITCHEN_PORT",
        "OPENKITCHEN_PORT_5000_TCP_ADDR",
        "OPENKITCHEN_SERVICE_HOST",
        "OPEN_KITCHEN_LISTN",
    ] {
        assert!(!warning(name).contains("is unknown"), "{name}: {}", warning(name));
    }
    let mut site = openkitchen("--listen 127.0.0.1:0 --no-trace");
    let site = ServerProcess::start(site.env("OPENKITCHEN_LISTN", "1"));
    let stderr = site.stop().stderr;
    assert_eq!(stderr.matches("did you mean OPENKITCHEN_LISTEN?").count(), 1, "{stderr}");
}

// Errors of the work itself.

#[test]
fn the_error_for_an_address_that_cannot_be_bound_says_what_to_try() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let in_use = listener.local_addr().unwrap();
    let port = in_use.port();
    let next = format!("try --listen 127.0.0.1:{}", port.checked_add(1).unwrap_or(5001));
    for (address, expected) in [
        (in_use.to_string(), [&*format!("port {port} is in use"), &*next]),
        (
            "203.0.113.1:5000".into(),
            ["203.0.113.1 is not an address of this machine", "try --listen"],
        ),
        (
            format!("{}:5000", "x".repeat(64)),
            ["is not an address to listen on", "like 127.0.0.1:5000"],
        ),
    ] {
        assert_error(&run(openkitchen("--listen").arg(address)), &expected);
    }
}

#[test]
fn the_error_for_a_privileged_port_says_what_to_try() {
    let expected =
        ["port 80 needs privileges that this user does not have", "try --listen 0.0.0.0:8080"];
    let folder = Folder::new();
    let line = "--listen 0.0.0.0:80 --no-trace";
    // If this user may bind port 80, the test runs as an unprivileged user, in a network of its own
    // where the port needs privileges.
    let refused = TcpListener::bind("0.0.0.0:80").map_err(|error| error.kind());
    if refused.is_err_and(|kind| kind == io::ErrorKind::PermissionDenied) {
        assert_error(&run(&mut openkitchen(line)), &expected);
    } else if let Some(mut command) = unprivileged_openkitchen(&folder, line) {
        assert_error(&run(&mut command), &expected);
    }
}

#[test]
fn the_error_for_a_file_of_likes_that_cannot_be_used_says_why() {
    let folder = Folder::new();
    let diary = folder.file("diary");
    fs::write(&diary, "Dear diary, today it rained.\n").unwrap();
    let data = folder.file("likes");
    let _first = ServerProcess::start_site_with_likes(&data, "");
    for (path, expected) in [
        (&data, "stop that one, or name another file with --data"),
        (&diary, "not a likes file, so it is left unchanged"),
        (&folder.file(""), "name a file in it"),
        (&diary.join("likes"), "diary/likes: "),
        (&folder.file("no/such/likes"), "its directory does not exist; create it, or name another"),
    ] {
        assert_error(&run(openkitchen("--listen 127.0.0.1:0 --data").arg(path)), &[expected]);
    }
    assert!(fs::read_to_string(&diary).unwrap().starts_with("Dear diary"));
    assert!(!folder.file("no").exists());
}

// What the options do.

#[test]
fn the_port_file_has_the_bound_address() {
    let folder = Folder::new();
    let file = folder.file("port");
    fs::write(&file, "the address of an earlier run, and much longer than the new one\n").unwrap();
    let site = ServerProcess::start_site(&format!("--port-file {}", file.display()));
    // The file is written before the first connection is accepted.
    assert_eq!(site.get("/healthz").status, 200);
    assert_ne!(site.address.port(), 0);
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{}\n", site.address));
    let nowhere = folder.file("no/such/folder");
    let Exit { code, stderr, .. } = run(openkitchen("--listen 127.0.0.1:0 --no-trace")
        .env("HOME", folder.file("home"))
        .env("OPENKITCHEN_PORT_FILE", &nowhere));
    assert_eq!(code, Some(2));
    assert!(stderr.contains("no/such/folder") && stderr.lines().count() == 1, "{stderr}");
}

#[test]
fn a_start_that_fails_leaves_no_port_file_of_an_earlier_run() {
    let folder = Folder::new();
    let [port, wire] = ["port", "played.wire"].map(|name| folder.file(name));
    fs::write(&wire, "# one\n\n<<<\nhello\n").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let in_use = listener.local_addr().unwrap();
    for (line, expected) in [
        (format!("--listen {in_use}"), "is in use"),
        (format!("watch 127.0.0.1:1 --listen {in_use}"), "is in use"),
        ("watch no.such.host.invalid:1".into(), "has no known address"),
        (format!("mock {} --listen {in_use}", wire.display()), "is in use"),
        ("mock no-such.wire".into(), "there is no such file"),
    ] {
        fs::write(&port, "127.0.0.1:1\n").unwrap();
        let ended = run(openkitchen(&line).env("OPENKITCHEN_PORT_FILE", &port));
        assert!(ended.stderr.contains(expected), "{line}: {}", ended.stderr);
        assert!(!port.exists(), "{line}");
    }
}

/// The names in a folder, sorted.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_start_that_fails_leaves_the_port_file_of_a_running_server() {
    let folder = Folder::new();
    let [port, wire] = ["port", "played.wire"].map(|name| folder.file(name));
    fs::write(&wire, "# one\n\n<<<\nhello\n").unwrap();
    let mock = format!("mock {}", wire.display());
    for running in ["--no-trace", "watch 127.0.0.1:1", &mock] {
        let start = || {
            let mut command = openkitchen(running);
            command.env("OPENKITCHEN_PORT_FILE", &port).env("OPENKITCHEN_LISTEN", "127.0.0.1:0");
            let mut server = ServerProcess::start(&mut command);
            while fs::read_to_string(&port).unwrap_or_default() != format!("{}\n", server.address) {
                assert!(server.is_running());
            }
            server
        };
        let mut first = start();
        let (written, names) = (fs::read_to_string(&port).unwrap(), names_in(&folder.file("")));
        for line in ["", "watch 127.0.0.1:1", "watch no.such.host.invalid:1", &mock, "mock no.wire"]
        {
            let mut command = openkitchen(line);
            command.env("OPENKITCHEN_PORT_FILE", &port);
            let ended = run(command.env("OPENKITCHEN_LISTEN", first.address.to_string()));
            assert_ne!(ended.code, Some(0), "{line}");
            assert_eq!(fs::read_to_string(&port).unwrap(), written, "{running}, then {line}");
            assert_eq!(names_in(&folder.file("")), names, "{line}");
        }
        // Another server cannot have the same port file.
        let mut command = openkitchen(running);
        command.env("OPENKITCHEN_PORT_FILE", &port).env("OPENKITCHEN_LISTEN", "127.0.0.1:0");
        assert_error(&run(&mut command), &["a running server has written it; name another file"]);
        assert_eq!(fs::read_to_string(&port).unwrap(), written, "{running}");
        // After a SIGKILL it is the file of an ended run.
        first.kill();
        run(openkitchen("mock no.wire").env("OPENKITCHEN_PORT_FILE", &port));
        assert!(!port.exists(), "{running}");
    }
}

#[test]
fn a_port_file_replaces_plain_files_only_and_leaves_nothing_else() {
    let folder = Folder::new();
    let [wire, target] = ["played.wire", "target"].map(|name| folder.file(name));
    fs::write(&wire, "# one\n\n<<<\nhello\n").unwrap();
    fs::write(&target, "of another program").unwrap();
    fs::create_dir(folder.file("folder")).unwrap();
    symlink(&target, folder.file("link")).unwrap();
    symlink(folder.file("nowhere"), folder.file("dangling")).unwrap();
    let _socket = UnixListener::bind(folder.file("socket")).unwrap();
    assert_eq!(run(Command::new("mkfifo").arg(folder.file("pipe"))).code, Some(0));
    let names = names_in(&folder.file(""));
    let data = format!("--listen 127.0.0.1:0 --data {}", folder.file("likes").display());
    for line in [&data, "watch 127.0.0.1:1", &format!("mock {}", wire.display())] {
        for name in ["folder", "folder/", "link", "dangling", "socket", "pipe", "folder/..", "no/x"]
        {
            let ended = run(openkitchen(line).arg("--port-file").arg(folder.file(name)));
            assert_eq!(ended.code, Some(2), "{line} {name}: {}", ended.stderr);
            let start = format!("openkitchen: cannot write {}: ", folder.file(name).display());
            assert!(ended.stderr.starts_with(&start), "{}", ended.stderr);
            assert_eq!(ended.stdout, "");
        }
        assert_eq!(run(openkitchen(line).arg("--port-file=")).stderr.lines().count(), 1);
    }
    assert_eq!(names_in(&folder.file("")), names);
    assert_eq!(names_in(&folder.file("folder")), [""; 0]);
    assert_eq!(fs::read_to_string(target).unwrap(), "of another program");
}

#[test]
fn a_start_that_fails_leaves_no_file_and_no_folder_that_it_has_begun() {
    let folder = Folder::new();
    let [diary, likes] = ["diary", "likes"].map(|name| folder.file(name));
    fs::write(&diary, "Dear diary, today it rained.\n").unwrap();
    for (data, record, port) in [
        (&diary, "new/wires", "port"),
        (&likes, "diary", "port"),
        (&likes, "diary/wires", "port"),
        (&likes, "new/wires", "no/port"),
    ] {
        let mut command = openkitchen("--listen 127.0.0.1:0 --data");
        command.arg(data).arg("--record").arg(folder.file(record));
        let ended = run(command.arg("--port-file").arg(folder.file(port)));
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{}", ended.stderr);
        assert_eq!(names_in(&folder.file("")), ["diary"], "{record}");
    }
    let in_use = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = in_use.local_addr().unwrap();
    let mut watch = openkitchen(&format!("watch {address} --listen {address} --record"));
    assert_eq!(run(watch.arg(folder.file("new/wires"))).code, Some(2));
    assert_eq!(names_in(&folder.file("")), ["diary"]);
}

#[test]
fn a_path_reaches_the_system_byte_for_byte() {
    let folder = Folder::new();
    let path = |name: &[u8]| folder.file("").join(OsStr::from_bytes(name));
    let [likes, port, wires] = [b"likes\xff", b"port=\xfe", b"wires\x80"].map(|name| path(name));
    let attached = |flag: &str, path: &Path| {
        let mut argument = OsString::from(flag);
        argument.push(path);
        argument
    };
    let wire = path(b"played\xff=.wire");
    fs::write(&wire, "# t\n\n>>>\nGET / HTTP/1.1\nHost: h\n\n???\nstatus 200\n").unwrap();
    let mut command = openkitchen("--listen 127.0.0.1:0 --no-trace --data");
    command.arg(&likes).arg(attached("--record=", &wires)).env("OPENKITCHEN_PORT_FILE", &port);
    let site = ServerProcess::start(&mut command);
    let address = site.address.to_string();
    for command in ["send", "check"] {
        let ended = run(openkitchen(command).arg(&address).arg(&wire));
        assert_eq!(ended.code, Some(0), "{command}: {}{}", ended.stdout, ended.stderr);
    }
    assert_eq!(fs::read_to_string(&port).unwrap(), format!("{address}\n"));
    assert_eq!(run(openkitchen("explain").arg(&wire)).code, Some(0));
    let mock = ServerProcess::start(openkitchen("mock").arg(&wire));
    assert_eq!(mock.stop().code, Some(3));
    assert_eq!(site.stop().code, Some(0));
    assert!(likes.is_file());
    assert_eq!(fs::read_dir(&wires).unwrap().count(), 2, "send and check");
    // A name has any byte except NUL and a slash, and a terminal may obey some of them.
    let missing = path("missing\u{202e}\x1b[2J".as_bytes());
    let missing = &[missing.as_os_str().as_bytes(), b"\xff"].concat();
    for command in ["send 127.0.0.1:1", "check 127.0.0.1:1", "mock", "explain"] {
        let ended = run(openkitchen(command).arg(OsStr::from_bytes(missing)));
        assert_eq!(ended.code, Some(2), "{command}");
        assert!(
            ended.stderr.contains("missing\\xe2\\x80\\xae\\x1b[2J\u{fffd}: there is no such file"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_dash_in_place_of_a_file_is_stdin_for_every_command() {
    let site = ServerProcess::start_site("");
    let address = site.address;
    let page = "# t\n\n>>>\nGET /about HTTP/1.1\nHost: h\nConnection: close\n\n???\nstatus 200\n";
    let bytes = "GET /about HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    for (line, stdin, expected) in [
        (format!("send {address} -"), bytes, "HTTP/1.1 200 OK"),
        (format!("send {address} -"), page, "HTTP/1.1 200 OK"),
        (format!("send {address} -"), &*format!("\u{feff}\n{page}"), "HTTP/1.1 200 OK"),
        (format!("check {address} -"), page, "1 of 1 pass"),
        ("explain -".into(), bytes, "GET: asks for"),
        ("explain -".into(), page, "GET: asks for"),
    ] {
        let ended = run_with_input(&mut openkitchen(&line), stdin.as_bytes());
        assert_eq!(ended.code, Some(0), "{line}: {}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.contains(expected), "{line}: {}", ended.stdout);
    }
    let page = "# t\n\n<<<\nHTTP/1.1 204 No Content\n\n--- server closed\n";
    let ended = run_with_input(&mut openkitchen("mock - --timeout 0.1"), page.as_bytes());
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stdout.contains("0 of 1 connection was opened"), "{}", ended.stdout);
    let lines =
        [&*format!("check {address} -"), &format!("send {address} -"), "mock -", "explain -"];
    for line in lines {
        let ended = run_with_input(&mut openkitchen(line), b"# t\n\n<<<\n\\q\n");
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{line}");
        assert!(ended.stderr.starts_with("openkitchen: -: line 4: "), "{line}: {}", ended.stderr);
    }
    let twice = format!("check {address} - -");
    let ended = run_with_input(&mut openkitchen(&twice), page.as_bytes());
    assert_eq!((ended.code, &*ended.stdout), (Some(2), ""));
    assert!(ended.stderr.contains("stdin can be read once"), "{}", ended.stderr);
}

#[test]
fn the_same_cause_has_the_same_exit_code_in_every_command() {
    let folder = Folder::new();
    let good = folder.file("good.wire");
    fs::write(&good, "# t\n\n>>>\nGET / HTTP/1.1\nHost: h\n\n???\nstatus 200\n").unwrap();
    let bad = folder.file("bad.wire");
    fs::write(&bad, "# t\n\n>>> \n\\q\n").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let in_use = listener.local_addr().unwrap();
    let closed = free_address();
    let (good, bad) = (good.display(), bad.display());
    let causes = [
        // A file that is no transcript.
        (
            2,
            vec![
                format!("send {closed} {bad}"),
                format!("check {closed} {bad}"),
                format!("mock {bad}"),
                format!("explain {bad}"),
            ],
        ),
        // A file that is not there.
        (
            2,
            vec![
                format!("send {closed} no.wire"),
                format!("check {closed} no.wire"),
                "mock no.wire".into(),
                "explain no.wire".into(),
            ],
        ),
        // An address to listen on that is in use.
        (
            2,
            vec![
                format!("--no-trace --listen {in_use}"),
                format!("watch {closed} --listen {in_use}"),
                format!("mock {good} --listen {in_use}"),
            ],
        ),
        // A port file that cannot be written.
        (
            2,
            vec![
                "--no-trace --listen 127.0.0.1:0 --port-file no/such/file".into(),
                format!("watch {closed} --listen 127.0.0.1:0 --port-file no/such/file"),
                format!("mock {good} --port-file no/such/file"),
            ],
        ),
        // No server, or an unknown one.
        (3, vec![format!("send {closed} {good}"), format!("check {closed} {good}")]),
        (3, ["send", "check", "watch"].map(|it| format!("{it} no.such.host.invalid:1")).into()),
        // The port that no server has.
        (2, ["send 0", "check 0", "watch 127.0.0.1:0"].map(String::from).into()),
    ];
    for (code, lines) in causes {
        for line in lines {
            let ended = run(&mut openkitchen(&line));
            assert_eq!(ended.code, Some(code), "{line}: {}{}", ended.stdout, ended.stderr);
        }
    }
}

#[test]
fn a_port_alone_and_localhost_are_both_loopback_addresses() {
    if TcpListener::bind("[::1]:0").is_err() {
        process::skip("IPv6");
        return;
    }
    let port = free_address().port();
    let mut command = openkitchen(&format!("--no-trace --listen [::1]:{port} --data"));
    let folder = Folder::new();
    let site = ServerProcess::start(command.arg(folder.file("likes")));
    let page = folder.file("page.wire");
    let text = "# t\n\n>>>\nGET /about HTTP/1.1\nHost: h\nConnection: close\n\n???\nstatus 200\n";
    fs::write(&page, text).unwrap();
    for address in [format!("{port}"), format!("localhost:{port}")] {
        for command in ["send", "check"] {
            let ended = run(openkitchen(command).arg(&address).arg(&page));
            assert_eq!(ended.code, Some(0), "{command}: {}{}", ended.stdout, ended.stderr);
        }
        let mut command = openkitchen("watch --no-trace --listen 127.0.0.1:0");
        let watch = ServerProcess::start(command.arg(&address));
        assert_eq!(watch.get("/about").status, 200);
    }
    assert_eq!(site.stop().code, Some(0));
    let ended = run(openkitchen("send").arg(port.to_string()).arg(&page));
    let both = format!("cannot connect to 127.0.0.1:{port} and [::1]:{port}: no server listens");
    assert!(ended.stderr.contains(&both), "{}", ended.stderr);
    assert_eq!(ended.code, Some(3));
}

#[test]
fn an_address_may_be_ipv6_a_name_or_a_port_alone() {
    let folder = Folder::new();
    for (address, bound) in [("[::1]:0", "[::1]:"), ("localhost:0", ""), ("0", "127.0.0.1:")] {
        if address.starts_with('[') && TcpListener::bind(address).is_err() {
            process::skip("IPv6");
            continue;
        }
        let mut command = openkitchen("--no-trace --listen");
        let data = folder.file("likes");
        let site = ServerProcess::start(command.arg(address).arg("--data").arg(data));
        assert!(site.address.to_string().starts_with(bound), "{}", site.address);
        assert_eq!(site.get("/about").status, 200);
    }
}

#[test]
fn an_ipv6_address_without_brackets_is_told_how_to_be_written() {
    for (typed, meant) in [
        ("::1:5000", "[::1]:5000"),
        ("::1", "[::1]:PORT"),
        ("[::1]", "[::1]:PORT"),
        ("[::1", "[::1]:PORT"),
        ("::1]:5000", "[::1]:5000"),
        ("fe80::1", "[fe80::1]:PORT"),
        ("2001:db8::1:80", "[2001:db8::1]:80"),
        ("http://::1:5000/", "[::1]:5000"),
        ("http://::1/", "[::1]:80"),
    ] {
        for command in ["send", "check", "watch", "learn", "healthcheck"] {
            let ended = run(openkitchen(command).arg(typed));
            let hint = format!("not `{typed}`; an IPv6 address stands in brackets: {meant}\n");
            assert!(ended.stderr.contains(&hint), "{command} {typed}: {}", ended.stderr);
            assert_eq!(ended.code, Some(2), "{command} {typed}");
        }
    }
    // Where a server listens, brackets need not stand; healthcheck takes what the server takes.
    if TcpListener::bind("[::1]:0").is_ok() || process::skip("IPv6") {
        let files = ServerProcess::start(openkitchen("serve . --listen").arg("::1:0"));
        let listen = format!("::1:{}", files.address.port());
        let ended = run(openkitchen("healthcheck").env("OPENKITCHEN_LISTEN", listen));
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    }
    // What was typed stands in the error of a name that is not known, too.
    for command in ["send", "check", "watch", "learn", "healthcheck"] {
        let ended = run(openkitchen(command).arg("no.such.host.invalid:1"));
        let both = ["no.such.host.invalid:1", "the host name no.such.host.invalid has"];
        assert!(both.iter().all(|it| ended.stderr.contains(it)), "{command}: {}", ended.stderr);
    }
}

/// The binary, for which `localhost` has the addresses 127.0.0.1 and ::1. It sees another
/// /etc/hosts.
fn with_two_addresses(folder: &Folder, line: &str) -> Option<Command> {
    let attempt = "unshare -m mount --bind /etc/hostname /etc/hosts";
    if !process::need("unshare, as root,", attempt) {
        return None;
    }
    if TcpListener::bind("[::1]:0").is_err() {
        process::skip("IPv6");
        return None;
    }
    let hosts = folder.file("hosts");
    fs::write(&hosts, "127.0.0.1 localhost\n::1 localhost\n").unwrap();
    let script = "mount --bind \"$1\" /etc/hosts && shift && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]).arg(hosts);
    command.arg(env!("CARGO_BIN_EXE_openkitchen")).args(line.split_whitespace());
    Some(command)
}

#[test]
fn each_address_of_a_name_is_bound_with_one_port() {
    let folder = Folder::new();
    let wire = folder.file("played.wire");
    let page = "<<<\nHTTP/1.1 200 OK\nContent-Length: 0\n\n--- server closed\n";
    fs::write(&wire, format!("{page}--- @2 open\n{}", page.replace("<<<", "<<< @2"))).unwrap();
    let site = ServerProcess::start_site("");
    for line in [
        format!("--no-trace --listen localhost:0 --data {}", folder.file("likes").display()),
        format!("watch {} --no-trace --listen localhost:0", site.address),
        format!("mock {} --loop --listen localhost:0", wire.display()),
    ] {
        let Some(mut command) = with_two_addresses(&folder, &line) else { return };
        let mut server = ServerProcess::start(&mut command);
        let second: SocketAddr = server.wait_for_line("# listening on http://").parse().unwrap();
        let mut addresses = [server.address, second];
        addresses.sort();
        let port = server.address.port();
        assert_eq!(
            addresses.map(|address| address.to_string()),
            [format!("127.0.0.1:{port}"), format!("[::1]:{port}")]
        );
        for address in addresses {
            let mut client = Client::connect(address);
            client.send(GET);
            assert_eq!(client.response().status, 200, "{line}: {address}");
        }
        server.stop();
        for address in addresses {
            assert!(TcpStream::connect(address).is_err(), "{line}: {address} is still open");
        }
    }
}

#[test]
fn an_address_of_a_name_that_cannot_be_bound_is_named() {
    let folder = Folder::new();
    let taken = TcpListener::bind((Ipv6Addr::LOCALHOST, free_address().port()));
    let Ok(taken) = taken else {
        process::skip("IPv6");
        return;
    };
    let address = taken.local_addr().unwrap();
    let line = format!("--no-trace --listen localhost:{} --data", address.port());
    let Some(mut command) = with_two_addresses(&folder, &line) else { return };
    let mut server = ServerProcess::start(command.arg(folder.file("likes")));
    let rest = server.wait_for_line(&format!("# not listening on {address}: "));
    assert!(rest.contains("in use"), "{rest}");
    assert_eq!(server.get("/about").status, 200);
    drop(taken);
}

#[test]
fn every_flag_is_also_a_variable() {
    let folder = Folder::new();
    let [port, data] = ["port", "likes"].map(|name| folder.file(name));
    let site = ServerProcess::start(openkitchen("--max-connections 20").envs([
        ("OPENKITCHEN_LISTEN", "127.0.0.1:0"),
        ("OPENKITCHEN_PORT_FILE", port.to_str().unwrap()),
        ("OPENKITCHEN_DATA", data.to_str().unwrap()),
        ("OPENKITCHEN_NO_TRACE", "1"),
        ("OPENKITCHEN_BODIES", "1"),
        ("OPENKITCHEN_MAX_CONNECTIONS", "1"), // the flag wins
        ("OPENKITCHEN_MAX_HEAD", "128"),
        ("OPENKITCHEN_MAX_CONTENT", "4"),
        ("OPENKITCHEN_HEAD_TIMEOUT", "0.1"),
        ("OPENKITCHEN_CONTENT_TIMEOUT", "0.2"),
        ("OPENKITCHEN_IDLE_TIMEOUT", "0.5"),
        ("OPENKITCHEN_WRITE_TIMEOUT", "0.4"),
        ("OPENKITCHEN_GRACE", "0.5"),
        ("OPENKITCHEN_DRAIN", "0.1"),
    ]));
    let address = site.address.to_string();
    for (bytes, status) in [
        (&*GET.replace("Host", "Hostess"), Some(400)),
        (&GET.replace("Host", &"x".repeat(200)), Some(431)),
        ("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12345", Some(413)),
        ("GET / HT", Some(408)),
        ("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n123", Some(408)),
        ("", None), // closed without a response
    ] {
        let mut client = site.client();
        client.send(bytes);
        let received = client.response_or_end().map(|response| response.status);
        assert_eq!(received, status, "{bytes:?}: {}", site.stderr());
    }
    assert_eq!(fs::read_to_string(port).unwrap().trim(), address);
    let since = Instant::now();
    let Exit { code, stdout, .. } = site.stop();
    assert!(since.elapsed().as_millis() >= 100, "drained");
    assert_eq!(code, Some(0));
    let printed =
        ["listening on http://", "likes are kept in "].map(|part| stdout.matches(part).count());
    assert_eq!((printed, stdout.lines().count()), ([1, 1], 2), "{stdout}");
}

const SCHED_OTHER: u32 = 0;
const SCHED_BATCH: u32 = 3;

/// The scheduling policy of each thread of a process.
fn policies(process: u32) -> Vec<u32> {
    let policy = |task: io::Result<fs::DirEntry>| {
        let stat = fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
        // proc_pid_stat(5): the policy is field 41, and field 3 follows the name in brackets.
        stat.rsplit_once(')')?.1.split_whitespace().nth(41 - 3)?.parse().ok()
    };
    fs::read_dir(format!("/proc/{process}/task")).unwrap().filter_map(policy).collect()
}

#[test]
fn the_threads_that_serve_connections_have_the_scheduling_policy_of_the_flag() {
    for (flags, variable, is_batch) in [
        ("", "", true),
        ("--scheduling normal", "", false),
        ("", "normal", false),
        ("--scheduling=batch", "normal", true),
    ] {
        let variable = ("OPENKITCHEN_SCHEDULING", variable);
        let site = ServerProcess::start_site_with_env(flags, &[variable]);
        assert_eq!(site.get("/about").status, 200);
        let policies = policies(site.id());
        // The threads for signals and for the log never serve a connection.
        assert!(policies.contains(&SCHED_OTHER), "{policies:?}");
        assert_eq!(policies.contains(&SCHED_BATCH), is_batch, "{flags} {variable:?}: {policies:?}");
    }
}

#[test]
fn the_default_file_of_likes_is_in_the_state_folder_and_is_printed() {
    let folder = Folder::new();
    let (state, home) = (folder.file("state"), folder.file("home"));
    let likes = |path: &PathBuf| format!("in {}", path.display());
    let listen = || openkitchen("--listen 127.0.0.1:0 --no-trace");
    let own = folder.file("new/.local/state/openkitchen/likes");
    for (command, path, warned) in [
        (
            listen().env("HOME", &home).env("XDG_STATE_HOME", &state),
            likes(&state.join("openkitchen/likes")),
            false,
        ),
        (listen().env("HOME", &home), likes(&home.join(".local/state/openkitchen/likes")), false),
        (listen().env("HOME", folder.file("new")).arg("--data").arg(&own), likes(&own), false),
        (&mut listen(), "in memory and end with this process".into(), true),
    ] {
        let mut site = ServerProcess::start(command);
        assert_eq!(site.wait_for_line("# likes are kept "), path);
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        assert_eq!(site.request("POST /api/likes", form, "post=1").status, 201);
        let stderr = site.stop().stderr;
        assert_eq!(stderr.contains("--data FILE keeps them"), warned, "{stderr}");
    }
    assert!(state.join("openkitchen/likes").is_file());
}

// The trace on stdout.

/// Starts the site with the trace.
fn site_with_trace(folder: &Folder) -> ServerProcess {
    ServerProcess::start(openkitchen("--listen 127.0.0.1:0 --data").arg(folder.file("likes")))
}

#[test]
fn stdout_is_a_transcript_with_the_bytes_of_each_request() {
    let folder = Folder::new();
    let site = site_with_trace(&folder);
    let requests: [&[u8]; 4] = [
        b"GET /about?q=1 HTTP/1.1\r\nhOST: 127.0.0.1\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 19\r\n\r\n>>> not\n--- a marker",
        b"GET /raw HTTP/1.1\r\nHost: h\r\nX: \x80\xff\\ \r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: \x1b[31m\x07\r\n\r\n",
    ];
    for request in requests {
        let mut client = site.client();
        client.send(request);
        client.response();
    }
    let Exit { code, stdout, stderr } = site.stop();
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(
        stdout.bytes().all(|byte| byte == b'\n' || !byte.is_ascii_control()),
        "raw control bytes"
    );
    let transcript =
        Transcript::parse(&stdout).unwrap_or_else(|error| panic!("{error}:\n{stdout}"));
    let printed: Vec<Vec<u8>> = transcript
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Block(block) if block.from == Side::Client => block.bytes.expand(),
            _ => None,
        })
        .collect();
    assert_eq!(printed, requests, "{stdout}");
    assert!(stdout.starts_with("# listening on http://127.0.0.1:"));
    for part in ["<<<", "HTTP/1.1 200 OK", "HTTP/1.1 400 Bad Request"] {
        assert!(stdout.lines().any(|line| line.starts_with(part)), "{part}: {stdout}");
    }
    let summary = |line: &str| line.starts_with('#') && line.contains(" GET /about?q=1 200 ");
    assert_eq!(stdout.lines().filter(|line| summary(line)).count(), 1, "{stdout}");
}

#[test]
fn opening_silence_and_end_of_each_connection_are_on_stdout() {
    let folder = Folder::new();
    let mut site = site_with_trace(&folder);
    let spare = site.client(); // as a browser opens one
    site.wait_for_line("--- open from ");
    site.wait_for_line("# @1 is open and silent: ");
    drop(spare);
    site.wait_for_line("--- silent ");
    site.wait_for_line("--- client half-close");
    site.wait_for_line("--- server closed");

    let mut kept = site.client();
    for is_second in [false, true] {
        kept.send(GET);
        assert_eq!(kept.response().status, 200);
        let marker = site.wait_for_line(&format!(">>> @2 {} bytes", GET.len()));
        assert_eq!(marker.ends_with(", kept alive"), is_second, "{marker}");
    }
    // A client that closes with an unread response sends a reset.
    kept.send(GET);
    assert!(kept.stream.peek(&mut [0]).unwrap() > 0);
    drop(kept);
    site.wait_for_line("--- @2 client reset");
    let Exit { code, stdout, .. } = site.stop();
    assert_eq!(code, Some(0));
    assert_eq!(stdout.matches("--- @2 ").count(), 2, "{stdout}");
    assert!(Transcript::parse(&stdout).is_ok(), "{stdout}");
}

/// Starts the site with its stdout on a terminal of 60 columns, which `script` makes.
fn site_on_terminal(folder: &Folder, flags: &str) -> ServerProcess {
    let (program, likes) = (env!("CARGO_BIN_EXE_openkitchen"), folder.file("likes"));
    let line = format!(
        "stty cols 60; exec '{program}' --listen 127.0.0.1:0 --data '{}' {flags}",
        likes.display()
    );
    let mut command = Command::new("script");
    command.args(["-qfec", &line, "/dev/null"]).env("NO_COLOR", "1");
    ServerProcess::start(command.stdin(Stdio::null()))
}

#[test]
fn on_a_terminal_the_trace_is_for_a_person_and_full_prints_the_transcript() {
    if !process::need("script and stty", "script -qec true /dev/null && command -v stty") {
        return;
    }
    let folder = Folder::new();
    let long =
        format!("GET /about HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "word ".repeat(30).trim());
    let mut site = site_on_terminal(&folder, "");
    let mut client = site.client();
    for _ in 0..2 {
        client.send(&long);
        assert_eq!(client.response().status, 200);
    }
    drop(client);
    let mut rows = site.wait_for_line_and_before("--- the connection ended, by its client first");
    assert!(rows.lines().all(|row| row.len() <= 60 && !row.contains('\x1b')), "{rows}");
    rows.retain(|character| character != '\r');
    for part in [
        ">>> GET /about HTTP/1.1\nHost: h\nX: word word",
        " word\n  word ",
        "\n\n    <<< HTTP/1.1 200 OK\n    Date: ",
        "\n... 2 fields as in exchange 1",
        "\n2 GET /about 200 · ",
    ] {
        assert!(rows.contains(part), "{part}: {rows}");
    }
    let folder = Folder::new();
    let mut site = site_on_terminal(&folder, "--full");
    let mut client = site.client();
    client.send(&long);
    client.response();
    drop(client);
    let rows = site.wait_for_line_and_before("--- server closed").replace('\r', "");
    assert!(rows.contains(&format!("\nX: {}\n", "word ".repeat(30).trim())), "{rows}");
    assert!(rows.contains("</html>") && Transcript::parse(&rows).is_ok(), "{rows}");
}

#[test]
fn with_no_trace_stdout_has_prose_only() {
    let site = ServerProcess::start_site("");
    site.get("/about");
    site.request("POST /echo", "", "hello");
    let Exit { stdout, .. } = site.stop();
    assert!(stdout.lines().all(|line| line.starts_with("# ")), "{stdout}");
    assert!(!stdout.contains("/about"), "{stdout}");
}

#[test]
fn the_server_goes_on_when_stdout_is_closed() {
    let folder = Folder::new();
    let mut site = site_with_trace(&folder);
    site.wait_for_line("# likes are kept in ");
    site.close_stdout();
    for _ in 0..3 {
        assert_eq!(site.get("/about").status, 200);
    }
    let Exit { code, stderr, .. } = site.stop();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn help_on_a_closed_stdout_does_not_panic() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let mut command = openkitchen("--help");
    let output = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("panicked"), "{stderr}");
}

// The lesson program.

#[test]
fn the_lesson_program_responds_with_the_texts_of_the_lesson() {
    const ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 5000);
    let address = SocketAddr::from(ADDRESS);
    // The address is a line of the program, so another one cannot be chosen.
    if TcpListener::bind(address).is_err() {
        process::skip("port 5000, where the lesson program listens");
        return;
    }
    // This test is in target/debug/deps, and the program in target/debug/examples.
    let test = env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples/lesson");
    let modified = |path: &str| fs::metadata(path).and_then(|file| file.modified()).ok();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/lesson.rs");
    if modified(program.to_str().unwrap()) < modified(source) {
        process::skip(
            "the lesson program, which `cargo test` builds only without the name of a test",
        );
        return;
    }
    assert_serves_the_lesson(&mut Command::new(program), address);
}

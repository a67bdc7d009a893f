//! Tests README: runs each example in it as it is written there.
//!
//! - ```` ```wire ```` is a transcript. Its client's bytes are sent to the lesson site, and the responses
//!   must be the same as in README, except the date. One transcript is sent to Flask's own server
//!   instead, and must be part of the trace of `watch`.
//! - ```` ```rust ```` is first the lesson: it is built and run. Each of its lines is in `src/lesson.rs`,
//!   in this order. A reader may add lines there, as the challenge asks. Then it is a test of
//!   `tests/api/readme.rs`.
//! - ```` ```wire-mock ```` is a page that `mock` plays to curl, and ```` ```python ```` a part of
//!   `tests/languages/test_client.py`, which has the same page.
//! - ```` ```sh ```` is a list of commands: `make` with a target, `cargo`, curl to the site, and the binary.
//! - Each element that the section on the format names is parsed.
//! - The number of media types is counted.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use openkitchen::Transcript;
use openkitchen::transcript::{Item, Side};

use crate::support::client::Client;
use crate::support::process::{
    self, Folder, ServerProcess, assert_serves_the_lesson, free_address, openkitchen,
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The address in README's examples. The tests replace it with one that has a free port.
const ADDRESS: &str = "127.0.0.1:5000";

fn readme() -> String {
    fs::read_to_string(format!("{ROOT}/README.md")).expect("README.md")
}

/// The code blocks in this language, without their fences.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let bodies = text.split(&fence).skip(1);
    bodies.map(|rest| rest.split("```").next().expect("a split has a first part")).collect()
}

/// The response without its `Date` line.
fn without_date(response: &str) -> String {
    response.split_inclusive('\n').filter(|line| !line.starts_with("Date: ")).collect()
}

/// README's transcripts: those recorded with Flask's own server, or the others.
fn exchanges(with_flask: bool) -> Vec<Transcript> {
    let readme = readme();
    let wires = blocks(&readme, "wire").into_iter();
    let wires = wires.filter(|text| text.contains("\nServer: Werkzeug/") == with_flask);
    wires.map(|text| Transcript::parse(text).expect(text)).collect()
}

/// All bytes that this side sends in a transcript.
fn bytes_from(transcript: &Transcript, side: Side) -> Vec<u8> {
    let blocks = transcript.items.iter().filter_map(|item| match item {
        Item::Block(block) if block.from == side => block.bytes.expand(),
        _ => None,
    });
    blocks.flatten().collect()
}

/// Sends the client's bytes of a transcript, and returns all that the server sends.
fn replay(transcript: &Transcript, mut client: Client) -> String {
    client.send(bytes_from(transcript, Side::Client));
    client.half_close();
    String::from_utf8(client.read_to_end()).expect("text")
}

#[test]
fn each_transcript_in_readme_shows_what_the_site_sends() {
    let exchanges = exchanges(false);
    assert!(exchanges.len() >= 2);
    for transcript in exchanges {
        let received = replay(&transcript, ServerProcess::start_site("").client());
        let shown = String::from_utf8(bytes_from(&transcript, Side::Server)).expect("text");
        assert_eq!(without_date(&received), without_date(&shown));
    }
}

/// The lesson's app, with the server that `app.run()` starts.
const FLASK: &str = r##"
from flask import Flask
from werkzeug.serving import make_server

app = Flask(__name__)

@app.route("/about")
def about():
    return "Built with Python + Flask"

server = make_server("127.0.0.1", 0, app, threaded=True)
print(f"# listening on http://127.0.0.1:{server.port}", flush=True)
server.serve_forever()
"##;

/// What this side sends, as text without the date and without the version of Werkzeug.
fn text_from(transcript: &Transcript, side: Side) -> String {
    let text = String::from_utf8(bytes_from(transcript, side)).expect("text");
    let software = "Server: Werkzeug/";
    let lines = without_date(&text);
    let lines = lines.split_inclusive('\n');
    lines.map(|line| if line.starts_with(software) { software } else { line }).collect()
}

/// The comment lines of a transcript.
fn prose(transcript: &Transcript) -> impl Iterator<Item = &Item> {
    transcript.items.iter().filter(|item| matches!(item, Item::Prose(_)))
}

#[test]
fn the_flask_transcript_in_readme_is_part_of_the_trace_of_watch() {
    let exchanges = exchanges(true);
    assert_eq!(exchanges.len(), 1);
    if !process::need("python3 with flask", "python3 -c 'import flask'") {
        return;
    }
    let flask = ServerProcess::start(Command::new("python3").args(["-c", FLASK]));
    let mut command = openkitchen("watch --explain --listen 127.0.0.1:0");
    let watch = ServerProcess::start(command.arg(flask.address.to_string()));
    replay(&exchanges[0], watch.client());
    let trace = Transcript::parse(&watch.stop().stdout).expect("a transcript");
    for side in [Side::Client, Side::Server] {
        assert_eq!(text_from(&trace, side), text_from(&exchanges[0], side));
    }
    let mut explained = prose(&trace);
    for line in prose(&exchanges[0]) {
        assert!(explained.any(|one| one == line), "missing, or in another order: {line}{trace}");
    }
}

/// The parts of a text between backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn each_element_of_the_format_in_readme_is_parsed() {
    let readme = readme();
    let (_, section) = readme.split_once("\n## The format\n").expect("the section");
    let section = section.split("\n## ").next().expect("a split has a first part");
    let items: Vec<&str> =
        section.split("\n- ").skip(1).filter_map(|item| item.split("\n\n").next()).collect();
    let parse = |text: &str| {
        Transcript::parse(text).unwrap_or_else(|error| panic!("{error}: {text}")).items
    };
    for item in items {
        let (marker, named) =
            quoted(item).split_first().map(|(one, rest)| (*one, rest.to_vec())).expect(item);
        for name in named {
            let items = match marker {
                "???" => parse(&format!("???\n{name}\n")),
                "---" => parse(&format!("--- {name}\n")),
                "#" if name.starts_with('@') => parse(&format!(">>> {name}\n")),
                "#" => parse(name),
                _ => parse(&format!(">>>\n{}\n", name.replace("HH", "e9"))),
            };
            assert!(!items.is_empty(), "{name}");
        }
    }
}

#[test]
fn readme_says_how_many_extensions_the_table_of_media_types_has() {
    let file = fs::read_to_string(format!("{ROOT}/src/files/media_type.rs")).unwrap();
    let (_, table) = file.split_once("fn of(path: &Path)").expect("the table");
    let table = table.split("\n}\n").next().expect("a split has a first part");
    let count = table.matches(" b\"").count();
    assert!(readme().contains(&format!("| a table of {count} extensions, ")), "{count}");
}

/// The lesson in README.
fn lesson(readme: &str) -> &str {
    let [lesson, _] = blocks(readme, "rust")[..] else { panic!("two blocks of Rust") };
    lesson
}

#[test]
fn the_test_in_readme_has_twelve_lines_and_runs() {
    let readme = readme();
    let [_, test] = blocks(&readme, "rust")[..] else { panic!("two blocks of Rust") };
    let file = fs::read_to_string(format!("{ROOT}/tests/api/readme.rs")).unwrap();
    assert_eq!(file.split("// README\n").nth(1), Some(test));
    assert_eq!(test.lines().filter(|line| !line.is_empty()).count(), 12);
}

#[test]
fn the_page_in_readme_works_with_curl_at_the_first_try() {
    let readme = readme();
    let [page] = blocks(&readme, "wire-mock")[..] else { panic!("one page") };
    let python = fs::read_to_string(format!("{ROOT}/tests/languages/test_client.py")).unwrap();
    assert!(python.contains(&page.replace('\\', "\\\\")), "Python's page is another");
    if !process::need("curl", "curl --version") {
        return;
    }
    let folder = Folder::new();
    fs::write(folder.file("menu.wire"), page).unwrap();
    let mut command = openkitchen("mock");
    let mock = ServerProcess::start(command.arg(folder.file("menu.wire")));
    let mut curl = Command::new("curl");
    curl.args(["-q", "-sS", "--noproxy", "*"]).arg(format!("http://{}/menu", mock.address));
    let curl = curl.output().unwrap();
    assert_eq!((curl.status.code(), &*curl.stdout), (Some(18), &b"only this"[..]));
    let ended = mock.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
}

#[test]
fn each_line_of_the_lesson_in_readme_is_in_lesson_rs() {
    let file = fs::read_to_string(format!("{ROOT}/src/lesson.rs")).unwrap();
    // rustfmt aligns the comments again when a line is added.
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines = file.lines().map(words);
    for line in lesson(&readme()).lines().map(words) {
        assert!(lines.any(|one| one == line), "missing, or in another order: {line}");
    }
}

#[test]
fn the_lesson_in_readme_is_a_whole_program() {
    // A project that is kept, so that only its first build takes seconds.
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lesson");
    fs::create_dir_all(project.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"lesson\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\nopenkitchen = {{ path = {ROOT:?} }}\n"
    );
    let address = free_address();
    let code = lesson(&readme()).replace(ADDRESS, &address.to_string());
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    fs::write(project.join("src/main.rs"), code).unwrap();
    fs::copy(format!("{ROOT}/Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS").current_dir(&project);
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "0"); // a third of the time
    let built = cargo.args(["build", "--quiet", "--offline"]).output().unwrap();
    assert!(built.status.success(), "{built:?}");
    assert_serves_the_lesson(&mut Command::new(project.join("target/debug/lesson")), address);
}

#[test]
fn each_command_in_readme_works() {
    let readme = readme();
    let makefile = fs::read_to_string(format!("{ROOT}/Makefile")).unwrap();
    let is_target = |name: &str| makefile.lines().any(|line| line.starts_with(&format!("{name}:")));
    // Also the commands in sentences: `make bench`.
    for command in readme.split("make ").skip(1) {
        let name: String = command.chars().take_while(char::is_ascii_lowercase).collect();
        assert!(is_target(&name), "make {name}");
    }
    let (server, folder) = (ServerProcess::start_site(""), Folder::new());
    let port = format!(" {} ", server.address.port());
    let binary = Path::new(env!("CARGO_BIN_EXE_openkitchen"));
    let installed = binary.parent().expect("a folder").display();
    let path = format!("{installed}:{}", env::var("PATH").unwrap_or_default());
    for line in blocks(&readme, "sh").join("").lines() {
        let command = line.replace(ADDRESS, &server.address.to_string());
        let command = format!("{command} ").replace(" 5000 ", &port);
        let mut shell = Command::new("sh");
        shell.env("PATH", &path).current_dir(ROOT);
        if line.starts_with("make ") {
            continue;
        } else if ["watch", "serve"].iter().any(|it| line.starts_with(&format!("openkitchen {it}")))
        {
            // They run until they are stopped. The test only waits until they listen.
            let watch = format!("exec {command} --listen 127.0.0.1:0");
            drop(ServerProcess::start(shell.args(["-c", &watch])));
            continue;
        } else if line.starts_with("cargo install ") {
            // The profile that `cargo test` has built already, and a folder of its own.
            let root = folder.file("installed");
            let options = "--quiet --debug --offline";
            shell.args(["-c", &format!("{command} {options} --root {}", root.display())]);
        } else if line.starts_with("cargo add ") {
            let project = folder.file("project");
            let new = format!("cargo init --quiet --vcs none {}", project.display());
            let add = command.replace("../openkitchen", ROOT);
            let add =
                format!("{add} --quiet --offline --manifest-path {}/Cargo.toml", project.display());
            shell.args(["-c", &format!("{new} && {add}")]);
        } else if line.starts_with("curl ") && process::need("curl", "curl --version") {
            shell.args(["-c", &format!("{command} --fail-with-body --silent")]);
        } else {
            assert!(line.contains("openkitchen "), "no test for: {line}");
            shell.args(["-c", &command]);
        }
        let run = shell.output().expect("a shell");
        assert!(run.status.success(), "{line}: {run:?}");
    }
}

#[test]
fn the_files_that_readme_links_to_exist() {
    let readme = readme();
    let headings = readme.lines().filter_map(|line| line.split_once("# ").map(|(_, text)| text));
    let anchors: Vec<String> =
        headings.map(|text| format!("#{}", text.to_lowercase().replace(' ', "-"))).collect();
    for link in readme.split("](").skip(1) {
        let path = link.split(')').next().expect("a split has a first part");
        let exists = match path {
            _ if path.starts_with("http") => true,
            _ if path.starts_with('#') => anchors.iter().any(|anchor| anchor == path),
            _ => fs::exists(format!("{ROOT}/{path}")).unwrap(),
        };
        assert!(exists, "{path}");
    }
}

//! README is a promise: each example in it is run, as it stands there.
//!
//! - ```` ```wire ```` is a transcript: what its client sends goes to the lesson site, and what comes
//!   back must be what the page shows, but for the date. One goes to Flask's own server instead, and
//!   must be part of what `watch` shows of that.
//! - ```` ```rust ```` is the lesson, word for word: `src/lesson.rs`, which `cargo test` builds.
//! - ```` ```sh ```` are commands: `make` and its goals, and curl against the site.
//! - What the section on the format names can be read as what it says it is.

use std::fs;
use std::process::Command;

use openkitchen::Transcript;
use openkitchen::transcript::{Item, Side};

use process::{Client, ServerProcess, openkitchen};

#[path = "process/mod.rs"]
mod process;

/// The port in README's examples. The tests take a free one instead.
const ADDRESS: &str = "127.0.0.1:5000";

fn readme() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("README.md")
}

/// The code blocks of that language, without their fences.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let bodies = text.split(&fence).skip(1);
    bodies.map(|rest| rest.split("```").next().expect("a split has a first part")).collect()
}

/// Without the line that says when.
fn without_date(answer: &str) -> String {
    answer.split_inclusive('\n').filter(|line| !line.starts_with("Date: ")).collect()
}

/// The transcripts that were with Flask's own server, or the others.
fn exchanges(with_flask: bool) -> Vec<Transcript> {
    let readme = readme();
    let wires = blocks(&readme, "wire").into_iter();
    let wires = wires.filter(|text| text.contains("\nServer: Werkzeug/") == with_flask);
    wires.map(|text| Transcript::parse(text).expect(text)).collect()
}

/// All bytes from that side.
fn side(transcript: &Transcript, wanted: Side) -> Vec<u8> {
    let blocks = transcript.items.iter().filter_map(|item| match item {
        Item::Block(block) if block.from == wanted => block.bytes.expand(),
        _ => None,
    });
    blocks.flatten().collect()
}

/// What comes back from what its client sends.
fn answer(transcript: &Transcript, mut client: Client) -> String {
    client.send(side(transcript, Side::Client));
    client.half_close();
    String::from_utf8(client.read_to_end()).expect("text")
}

#[test]
fn each_exchange_in_readme_is_what_crosses_the_wire() {
    let exchanges = exchanges(false);
    assert!(exchanges.len() >= 2);
    for transcript in exchanges {
        let came = answer(&transcript, ServerProcess::start_site("").client());
        let shown = String::from_utf8(side(&transcript, Side::Server)).expect("text");
        assert_eq!(without_date(&came), without_date(&shown));
    }
}

/// The lesson's app, and the server of its `app.run()`.
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

/// What that side said, but for when it was, and which versions there are.
fn said(transcript: &Transcript, from: Side) -> String {
    let text = String::from_utf8(side(transcript, from)).expect("text");
    let software = "Server: Werkzeug/";
    let lines = without_date(&text);
    let lines = lines.split_inclusive('\n');
    lines.map(|line| if line.starts_with(software) { software } else { line }).collect()
}

fn prose(transcript: &Transcript) -> impl Iterator<Item = &Item> {
    transcript.items.iter().filter(|item| matches!(item, Item::Prose(_)))
}

#[test]
fn what_readme_shows_of_flask_is_part_of_what_watch_shows() {
    let exchanges = exchanges(true);
    assert_eq!(exchanges.len(), 1);
    if !process::need("python3 with flask", "python3 -c 'import flask'") {
        return;
    }
    let flask = ServerProcess::start(Command::new("python3").args(["-c", FLASK]));
    let mut command = openkitchen("watch --explain --listen 127.0.0.1:0");
    let watch = ServerProcess::start(command.arg(flask.address.to_string()));
    answer(&exchanges[0], watch.client());
    let trace = Transcript::parse(&watch.stop().stdout).expect("a transcript");
    for from in [Side::Client, Side::Server] {
        assert_eq!(said(&trace, from), said(&exchanges[0], from));
    }
    let mut explained = prose(&trace);
    for line in prose(&exchanges[0]) {
        assert!(explained.any(|one| one == line), "not there, or not in this order: {line}{trace}");
    }
}

/// What stands between backquotes in a text.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn what_readme_names_of_the_format_is_in_it() {
    let readme = readme();
    let (_, section) = readme.split_once("\n## The format\n").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("one behind it");
    let items: Vec<&str> = section.split("\n- ").skip(1).collect();
    let read =
        |text: &str| Transcript::parse(text).unwrap_or_else(|it| panic!("{it}: {text}")).items;
    for item in items {
        let (marker, named) =
            quoted(item).split_first().map(|(one, rest)| (*one, rest.to_vec())).expect(item);
        for name in named {
            let items = match marker {
                "???" => read(&format!("???\n{name}\n")),
                "---" => read(&format!("--- {name}\n")),
                "#" if name.starts_with('@') => read(&format!(">>> {name}\n")),
                "#" => read(name),
                _ => read(&format!(">>>\n{}\n", name.replace("HH", "e9"))),
            };
            assert!(!items.is_empty(), "{name}");
        }
    }
}

#[test]
fn the_lesson_in_readme_is_the_lesson() {
    let lesson = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lesson.rs")).unwrap();
    let code: String =
        lesson.split_inclusive('\n').filter(|line| !line.starts_with("//!")).collect();
    assert_eq!(blocks(&readme(), "rust"), [code]);
}

#[test]
fn each_command_in_readme_works() {
    let readme = readme();
    let makefile = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Makefile")).unwrap();
    let goal = |name: &str| makefile.lines().any(|line| line.starts_with(&format!("{name}:")));
    // Also those within sentences: `make bench`.
    for command in readme.split("make ").skip(1) {
        let name: String = command.chars().take_while(char::is_ascii_lowercase).collect();
        assert!(goal(&name), "make {name}");
    }
    let server = ServerProcess::start_site("");
    let port = format!(" {} ", server.address.port());
    let binary = env!("CARGO_BIN_EXE_openkitchen");
    for line in blocks(&readme, "sh").join("").lines() {
        let here = line.replace(ADDRESS, &server.address.to_string());
        let here = format!("{here} ").replace(" 5000 ", &port);
        let here = here.replace("target/release/openkitchen", binary);
        let mut shell = Command::new("sh");
        if line.starts_with("make ") {
            continue;
        } else if line.contains("openkitchen watch") {
            // It runs until it is stopped: that it listens is what it promises.
            let watch = format!("exec {here} --listen 127.0.0.1:0");
            drop(ServerProcess::start(shell.args(["-c", &watch])));
            continue;
        } else if line.starts_with("curl ") && process::need("curl", "curl --version") {
            shell.args(["-c", &format!("{here} --fail-with-body --silent")]);
        } else {
            assert!(line.contains("openkitchen "), "nothing tries: {line}");
            shell.args(["-c", &here]);
        }
        let run = shell.output().expect("a shell");
        assert!(run.status.success(), "{line}: {run:?}");
    }
}

#[test]
fn the_files_that_readme_points_to_are_there() {
    let readme = readme();
    for link in readme.split("](").skip(1) {
        let path = link.split(')').next().expect("a split has a first part");
        let is_local = !path.starts_with("http");
        let there = fs::exists(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(!is_local || there, "{path}");
    }
}

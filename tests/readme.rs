//! README is a promise: each example in it is run, as it stands there.
//!
//! - ```` ```wire ```` is a transcript: what its client sends goes to the lesson site, and what comes
//!   back must be what the page shows, but for the date.
//! - ```` ```rust ```` is the lesson, word for word: `src/lesson.rs`, which `cargo test` builds.
//! - ```` ```sh ```` are commands: `make` and its goals, and curl against the site.

use std::fs;
use std::process::Command;

use openkitchen::Transcript;
use openkitchen::transcript::{Item, Side};

use process::Kitchen;

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

#[test]
fn each_exchange_in_readme_is_what_crosses_the_wire() {
    let readme = readme();
    let exchanges = blocks(&readme, "wire");
    assert!(exchanges.len() >= 2);
    for text in exchanges {
        let transcript = Transcript::parse(text).expect(text);
        let side = |wanted: Side| -> Vec<u8> {
            let blocks = transcript.items.iter().filter_map(|item| match item {
                Item::Block(block) if block.from == wanted => block.bytes.expand(),
                _ => None,
            });
            blocks.flatten().collect()
        };
        let kitchen = Kitchen::open("");
        let mut client = kitchen.client();
        client.send(side(Side::Client));
        client.half_close();
        let came = String::from_utf8(client.rest()).expect("text");
        let shown = String::from_utf8(side(Side::Server)).expect("text");
        assert_eq!(without_date(&came), without_date(&shown));
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
    let kitchen = Kitchen::open("");
    let port = format!(" {} ", kitchen.address.port());
    let binary = env!("CARGO_BIN_EXE_openkitchen");
    for line in blocks(&readme, "sh").join("").lines() {
        let here = line.replace(ADDRESS, &kitchen.address.to_string());
        let here = format!("{here} ").replace(" 5000 ", &port);
        let here = here.replace("target/release/openkitchen", binary);
        let mut shell = Command::new("sh");
        if line.starts_with("make ") {
            continue;
        } else if line.contains("openkitchen watch") {
            // It runs until it is stopped: that it listens is what it promises.
            let watch = format!("exec {here} --listen 127.0.0.1:0");
            drop(Kitchen::start(shell.args(["-c", &watch])));
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

//! Rules of the source tree that no lint can check: imports, the top level, and the crates.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A part of the library, and what its files must not name.
const RULES: [(&str, &[&str]); 6] = [
    // HTTP as bytes and rules: nothing that waits, looks outside, or logs.
    (
        "src/message",
        &["crate::route", "crate::request", "crate::net", "crate::transcript", "crate::sys"],
    ),
    ("src/transcript", &["crate::route", "crate::request", "crate::net", "crate::sys"]),
    ("src/route.rs", &["crate::net", "crate::transcript", "crate::sys"]),
    ("src/request.rs", &["crate::net", "crate::transcript", "crate::sys"]),
    ("src/net", &["crate::transcript"]),
    ("src/sys", &["crate::"]),
];

/// What the pure parts must not name.
const IMPURE: [&str; 8] = [
    "net::Tcp",
    "std::thread",
    "std::sync",
    "std::fs",
    "std::env",
    "Instant",
    "SystemTime::now",
    "log::",
];

/// The only files that call the parser.
const PARSER: [&str; 2] = ["src/message/head.rs", "src/message/outline.rs"];

/// The lines of code in a text, with their numbers: no comments, and nothing from the tests on.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]");
    (1..).zip(lines).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// What breaks a rule in a file, each with its line.
fn broken_rules(file: &str, text: &str) -> Vec<String> {
    let mut forbidden: Vec<&str> = Vec::new();
    for (part, names) in RULES {
        if file.starts_with(part) {
            forbidden.extend(names);
            // A group would hide its names from this search.
            forbidden.extend(["use crate::{", "super::super::super"]);
        }
    }
    if file.starts_with("src/message") || file.starts_with("src/transcript") {
        forbidden.extend(IMPURE);
    }
    if !PARSER.contains(&file) {
        forbidden.push("httparse::");
    }
    let mut broken = Vec::new();
    for (number, line) in code(text) {
        let named = forbidden.iter().filter(|name| line.contains(**name));
        broken.extend(named.map(|name| format!("{file}:{number} names {name}")));
    }
    broken
}

/// Every Rust file below a folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn imports_run_one_way() {
    let files = rust_files(&Path::new(ROOT).join("src"));
    assert!(files.len() > 30, "only {} files were found", files.len());
    let mut broken = Vec::new();
    for path in files {
        let file = path.strip_prefix(ROOT).expect("below the root").display().to_string();
        let text = fs::read_to_string(&path).expect("a text");
        broken.extend(broken_rules(&file.replace('\\', "/"), &text));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_forbidden_import_is_found() {
    for (file, line) in [
        ("src/message/head.rs", "use crate::net::server::Server;"),
        ("src/message/date.rs", "    let now = SystemTime::now();"),
        ("src/transcript/parse.rs", "use crate::route::Route;"),
        ("src/net/accept.rs", "use crate::{transcript};"),
        ("src/net/accept.rs", "httparse::parse_chunk_size(b)"),
        ("src/sys/unix.rs", "use crate::net::server::Server;"),
    ] {
        assert_eq!(broken_rules(file, line).len(), 1, "{line}");
    }
    let passes = "// crate::net\nuse crate::message::head;\n#[cfg(test)]\nuse crate::net::server;";
    assert!(broken_rules("src/message/head.rs", passes).is_empty());
}

/// The output of a command in the project's folder; `None` if the command cannot run here.
fn output(program: &str, arguments: &str) -> Option<String> {
    let mut command = Command::new(program);
    let output = command.args(arguments.split(' ')).current_dir(ROOT).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_top_level_holds_what_the_design_names() {
    const ENTRIES: [&str; 7] =
        ["Cargo.toml", "Cargo.lock", "src", "tests", "Makefile", "README.md", "LICENSE"];
    // A copy of the sources without its history has nothing to judge: only what git tracks counts.
    let Some(tracked) = output("git", "ls-files") else { return };
    let top = tracked.lines().filter_map(|file| file.split('/').next());
    let others: Vec<&str> =
        top.filter(|entry| !entry.starts_with('.') && !ENTRIES.contains(entry)).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn three_crates_are_used_and_five_are_built() {
    let tree = |arguments: &str| {
        let tree = output(env!("CARGO"), &format!("tree --offline --prefix none {arguments}"));
        let tree = tree.expect("cargo tree");
        let names = tree.lines().filter_map(|line| line.split(' ').next());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let used = ["env_logger", "httparse", "log", "openkitchen"];
    assert_eq!(tree("--depth 1 -e normal,build,dev"), used);
    let built = ["env_filter", "env_logger", "httparse", "log", "openkitchen"];
    assert_eq!(tree("-e normal,build"), built);
}

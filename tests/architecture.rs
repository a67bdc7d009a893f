//! Rules of the source tree that no lint can check: imports, the top level, and the crates.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The parts of the library, each with what its files must not name.
const RULES: [(&str, &[&str]); 9] = [
    // HTTP as bytes and rules: nothing that waits, looks outside, or logs.
    ("src/message", &[ROUTES, REQUEST, FILES, NET, TRANSCRIPT, OBSERVE, PLAY, SYS]),
    ("src/transcript", &[ROUTES, REQUEST, FILES, NET, OBSERVE, PLAY, SYS]),
    ("src/route.rs", &[FILES, NET, TRANSCRIPT, OBSERVE, PLAY, SYS]),
    ("src/request.rs", &[FILES, NET, TRANSCRIPT, OBSERVE, PLAY, SYS]),
    ("src/files", &[NET, TRANSCRIPT, OBSERVE, PLAY]),
    ("src/net", &[FILES, TRANSCRIPT, OBSERVE, PLAY]),
    ("src/observe", &[FILES, PLAY]),
    ("src/play", &[]),
    ("src/sys", &["crate::"]),
];

const ROUTES: &str = "crate::route";
const REQUEST: &str = "crate::request";
const FILES: &str = "crate::files";
const NET: &str = "crate::net";
const TRANSCRIPT: &str = "crate::transcript";
const OBSERVE: &str = "crate::observe";
const PLAY: &str = "crate::play";
const SYS: &str = "crate::sys";

/// The parts whose files must not import each other in a circle.
const WITHOUT_CIRCLES: [&str; 8] = [
    "src/message/",
    "src/transcript/",
    "src/files/",
    "src/net/",
    "src/observe/",
    "src/play/",
    "src/request.rs",
    "src/route.rs",
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

/// The only files that call `httparse`.
const PARSER: [&str; 2] = ["src/message/head.rs", "src/message/outline.rs"];

/// The lines of code in a text, with their numbers: no comments, and nothing from the tests on.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().take_while(|line| {
        !["#[cfg(test)]", "#[cfg(all(test"].iter().any(|start| line.starts_with(start))
    });
    (1..).zip(lines).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// What breaks a rule in a file, each with its line.
fn broken_rules(file: &str, text: &str) -> Vec<String> {
    let mut forbidden: Vec<String> = Vec::new();
    let mut forbid = |names: &[&str]| forbidden.extend(names.iter().map(ToString::to_string));
    for (part, names) in RULES {
        if file.starts_with(part) {
            forbid(names);
            // A group would hide its names from this search.
            forbid(&["use crate::{", "use super::{", "super::super::super"]);
            forbid(&[&format!("use crate::{}::{{", part.trim_start_matches("src/"))]);
        }
    }
    if file.starts_with("src/message") || file.starts_with("src/transcript") {
        forbid(&IMPURE);
    }
    if !PARSER.contains(&file) {
        forbid(&["httparse::"]);
    }
    let mut broken = Vec::new();
    for (number, line) in code(text) {
        let named = forbidden.iter().filter(|name| line.contains(*name));
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

/// Every source file, such as `src/message/head.rs`, and its text.
fn sources() -> BTreeMap<String, String> {
    let mut sources = BTreeMap::new();
    for path in rust_files(&Path::new(ROOT).join("src")) {
        let file = path.strip_prefix(ROOT).expect("below the root").display().to_string();
        sources.insert(file.replace('\\', "/"), fs::read_to_string(&path).expect("a text"));
    }
    assert!(sources.len() > 30, "only {} files were found", sources.len());
    sources
}

#[test]
fn imports_run_one_way() {
    let sources = sources();
    let broken: Vec<String> =
        sources.iter().flat_map(|(file, text)| broken_rules(file, text)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The module in a file, such as `message::head::`.
fn module(file: &str) -> String {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    path.replace('/', "::") + "::"
}

/// The path after each `use`, from the top of the library. A group counts as the module before it.
fn imports(module: &str, text: &str) -> Vec<String> {
    let parent = module.trim_end_matches("::").rfind("::").map_or("", |end| &module[..end + 2]);
    let uses = code(text).filter_map(|(_, line)| line.split_once("use "));
    let paths = uses.map(|(_, path)| match path.split_once("::") {
        Some(("crate", path)) => path.to_owned(),
        Some(("super", path)) => format!("{parent}{path}"),
        _ => format!("{module}{path}"),
    });
    paths.map(|path| path.replace(';', "::")).collect()
}

/// The modules that import each other in a circle, and those that import such a module.
fn circles(sources: &BTreeMap<String, String>) -> Vec<String> {
    let is_part = |file: &str| WITHOUT_CIRCLES.iter().any(|part| file.starts_with(part));
    let parts = sources.iter().filter(|(file, _)| is_part(file));
    let texts: BTreeMap<String, &String> = parts.map(|(file, text)| (module(file), text)).collect();
    let mut left = BTreeMap::new();
    for (this, text) in &texts {
        let holder = |path: String| texts.keys().rfind(|module| path.starts_with(*module));
        let others = imports(this, text).into_iter().filter_map(holder);
        left.insert(this, others.filter(|other| *other != this).collect::<Vec<_>>());
    }
    // A module that imports none of those that are left is in no circle.
    while let Some((&free, _)) =
        left.iter().find(|(_, others)| others.iter().all(|other| !left.contains_key(other)))
    {
        left.remove(free);
    }
    left.into_keys().cloned().collect()
}

#[test]
fn no_file_imports_itself_through_others() {
    let mut sources = sources();
    assert_eq!(circles(&sources), [""; 0]);
    for (file, line) in [
        ("src/message/fields.rs", "use super::target::{form};"),
        ("src/message/status.rs", "use super::caret;"),
        ("src/message/limits.rs", "use crate::message::framing::{Framing};"),
        ("src/request.rs", "use crate::route::Route;"),
        ("src/transcript/explain/words.rs", "use super::Remark;"),
        ("src/transcript/escape.rs", "pub use super::Transcript;"),
    ] {
        let text = sources.insert(file.to_owned(), line.to_owned()).expect(file);
        assert!(circles(&sources).contains(&module(file)), "{file}: {line}");
        sources.insert(file.to_owned(), text);
    }
}

#[test]
fn a_forbidden_import_is_found() {
    for (file, line) in [
        ("src/message/head.rs", "use crate::net::server::Server;"),
        ("src/message/date.rs", "    let now = SystemTime::now();"),
        ("src/transcript/parse.rs", "use crate::route::Route;"),
        ("src/net/accept.rs", "use crate::{transcript};"),
        ("src/message/status.rs", "use super::{caret, date};"),
        ("src/net/accept.rs", "httparse::parse_chunk_size(b)"),
        ("src/sys/unix.rs", "use crate::net::server::Server;"),
        ("src/net/accept.rs", "use crate::observe::Trace;"),
        ("src/files/open.rs", "use crate::net::server::Server;"),
        ("src/observe/trace.rs", "use crate::play::mock::Mock;"),
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

/// The most attributes below `tests/` that name a file. Each hides where a module is: a test target
/// in a folder needs one for `tests/support/`, and few other modules are shared.
const MAX_PATHS: usize = 8;

#[test]
fn the_tests_name_few_files_with_an_attribute() {
    let attribute = concat!("#[", "path = ");
    let files = rust_files(&Path::new(ROOT).join("tests"));
    let texts = files.iter().map(|path| fs::read_to_string(path).expect("a text"));
    let paths: usize = texts.map(|text| text.matches(attribute).count()).sum();
    assert!((1..=MAX_PATHS).contains(&paths), "{paths} modules");
}

#[test]
fn three_crates_are_used_and_four_are_built() {
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

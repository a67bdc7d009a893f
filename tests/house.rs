//! The house rules, held by reading the source as text.
//!
//! A rule that cannot fail holds nothing, so each is tried on small samples that break it, too.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

#[path = "process/source.rs"]
mod source;

use std::fs;
use std::path::Path;

use source::{Source, Token};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(file)).unwrap()
}

fn sources() -> Vec<Source> {
    let sources = source::read_all(&Path::new(ROOT).join("src"));
    assert!(sources.len() > 30, "only {} files were found", sources.len());
    sources
}

/// The faults of all files that are not for tests alone.
fn faults(rule: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    sources().iter().filter(|source| !source.is_test).flat_map(rule).collect()
}

/// A file of one sample.
fn sample(path: &str, text: &str) -> Source {
    let (tokens, _) = source::without_tests(source::tokens(text));
    Source { path: path.into(), text: text.into(), tokens, is_test: false }
}

const NONE: [&str; 0] = [];

// 1. Imports run inwards.

/// What each part of the library may name below `crate::`. The contents page may name everything,
/// the lesson is a customer, and the binary has a root of its own.
const RINGS: [(&str, &[&str]); 5] = [
    ("message", &["message"]),
    ("transcript", &["message", "transcript"]),
    ("route", &["message", "route", "request"]),
    ("request", &["message", "route", "request"]),
    ("net", &["message", "route", "request", "net"]),
];

/// What the pure parts may not name: whatever waits, looks outside, or talks.
const IMPURE: [&str; 12] = [
    "std::net::Tcp",
    "std::net::Udp",
    "std::os",
    "std::thread",
    "std::sync",
    "std::fs",
    "std::env",
    "std::process",
    "std::time::Instant",
    "std::time::SystemTime::now",
    "SystemTime::now",
    "log::",
];

fn rings(source: &Source) -> Vec<String> {
    let file = &source.path;
    let mut faults = Vec::new();
    let part = source::module(file).into_iter().next().unwrap_or_default();
    if part == "bin" || part == "lesson" {
        return faults;
    }
    let allowed = RINGS.iter().find(|(ring, _)| *ring == part).map(|&(_, allowed)| allowed);
    if allowed.is_none() && !part.is_empty() {
        return vec![format!("{file} stands in no ring: give it a row in {}", file!())];
    }
    for (line, path) in source::paths(&source.tokens, file) {
        let name = path.join("::");
        let is_foreign = path[0] == "crate"
            && allowed.is_some_and(|allowed| !allowed.contains(&path[1].as_str()));
        let is_impure = ["message", "transcript"].contains(&part.as_str())
            && IMPURE.iter().any(|what| name.starts_with(what));
        let is_elsewhere = path[0] == "httparse"
            && !["message/head.rs", "message/outline.rs"].contains(&file.as_str());
        let is_outside = path[0] == "openkitchen" || path[..2] == ["crate", "bin"];
        if is_foreign || is_impure || is_elsewhere || is_outside {
            faults.push(format!("{file}:{line} names {name}"));
        }
    }
    // A module stands where its name says, so no file reaches around the rings by its path.
    for words in source.tokens.windows(3).filter(|words| are(words, &["#", "[", "path"])) {
        faults.push(format!("{file}:{} gives a module another place", words[0].line));
    }
    let talks = ["println", "eprintln", "print", "eprint"];
    for words in source.tokens.windows(2).filter(|words| words[1].text == "!") {
        if talks.contains(&words[0].text.as_str()) {
            faults.push(format!("{file}:{} prints", words[0].line));
        }
    }
    faults
}

fn are(tokens: &[Token], words: &[&str]) -> bool {
    tokens.iter().map(|token| token.text.as_str()).eq(words.iter().copied())
}

#[test]
fn imports_run_inwards() {
    assert_eq!(faults(rings), NONE);
}

#[test]
fn the_reader_sees_every_way_to_name_an_outer_ring() {
    for (file, text, fault) in [
        ("message/head.rs", "use crate::route::Route;", "1 names crate::route::Route"),
        ("message/head.rs", "\n\nuse super::super::net;", "3 names crate::net"),
        ("message/mod.rs", "use super::net::observer;", "1 names crate::net::observer"),
        (
            "message/a/b.rs",
            "fn f() { super::super::super::route::get() }",
            "1 names crate::route::get",
        ),
        (
            "message/head.rs",
            "mod a { mod b { use super::super::super::super::net::x; } }",
            "1 names crate::net::x",
        ),
        (
            "message/head.rs",
            "use crate::{message::{self, head::Head as H}, net::*};",
            "1 names crate::net::*",
        ),
        (
            "message/head.rs",
            "use crate::message::{head, date as d,};\nuse crate::Limits;",
            "2 names crate::Limits",
        ),
        (
            "message/head.rs",
            "fn f(x: &crate::net::Server<'_, u8>) {}",
            "1 names crate::net::Server",
        ),
        (
            "message/head.rs",
            "const Q: char = '\"'; use crate::net::a; const R: char = '\"';",
            "1 names crate::net::a",
        ),
        (
            "message/head.rs",
            "use std::{io, net::{IpAddr, TcpStream}};",
            "1 names std::net::TcpStream",
        ),
        ("message/date.rs", "let now = SystemTime::now();", "1 names SystemTime::now"),
        ("message/date.rs", "fn f() { log::info!(\"x\") }", "1 names log::info"),
        ("message/date.rs", "fn f() { println!(\"x\") }", "1 prints"),
        (
            "message/date.rs",
            "#[path = \"../net/observer.rs\"] mod tap;",
            "1 gives a module another place",
        ),
        ("message/fields.rs", "use httparse::Header;", "1 names httparse::Header"),
        ("net/observer.rs", "httparse::parse_chunk_size(b)", "1 names httparse::parse_chunk_size"),
        (
            "net/observer.rs",
            "use crate::transcript::Transcript;",
            "1 names crate::transcript::Transcript",
        ),
        ("net/observer.rs", "use openkitchen::Server;", "1 names openkitchen::Server"),
        ("route.rs", "use super::net::server;", "1 names crate::net::server"),
        ("transcript/parse.rs", "use crate::route::Route;", "1 names crate::route::Route"),
    ] {
        assert_eq!(rings(&sample(file, text)), [format!("{file}:{fault}")], "{text}");
    }
    assert_eq!(rings(&sample("other.rs", "")).len(), 1, "a new part needs a row");
}

#[test]
fn the_reader_passes_over_what_names_nothing() {
    for (file, text) in [
        (
            "message/head.rs",
            "// crate::net\n/* crate::net /* crate::net */ crate::net */ /// crate::net",
        ),
        ("message/head.rs", "//! [x](crate::net::x)\nconst A: &str = \"\\\"crate::net\";"),
        (
            "message/head.rs",
            "const A: &str = r#\"crate::net\" \"#; const B: &[u8] = b\"crate::net\";",
        ),
        ("message/head.rs", "fn f<'a>(x: &'a str) { let _ = ('\\'', b'\"'); } use super::fields;"),
        ("message/head.rs", "#[cfg(test)] mod tests { use crate::net::x; fn f() {} }"),
        ("message/head.rs", "#[cfg(test)]\n#[allow(x)]\nfn f() -> [u8; 2] { crate::net::x() }"),
        ("message/head.rs", "pub(in crate::message) fn f() {} pub(crate) fn g() {}"),
        ("message/head.rs", "use std::net::Ipv6Addr; use std::time::{Duration, SystemTime};"),
        (
            "net/observer.rs",
            "use crate::{message::head::{Head, Version}, route::Routes}; fn f() { log::info!() }",
        ),
        ("bin/openkitchen/site/api.rs", "use crate::cli::x; use openkitchen::Response;"),
        ("lib.rs", "pub use net::server::Server; fn f() { crate::net::x() }"),
    ] {
        assert_eq!(rings(&sample(file, text)), NONE, "{text}");
    }
    // Not all is passed over: what stands behind the tests is read again.
    let text = "#[cfg(test)] mod tests { fn f() { } }\nuse crate::net::x;";
    assert_eq!(rings(&sample("message/head.rs", text)).len(), 1);
    let (_, files) = source::without_tests(source::tokens("#[cfg(test)] mod random; mod print;"));
    assert_eq!(files, ["random"]);
    let tests: Vec<_> = sources().into_iter().filter(|source| source.is_test).collect();
    assert!(
        tests.iter().any(|source| source.path == "transcript/tests.rs"),
        "such files are found"
    );
}

// 2. `unsafe` has one room, and a reason each time.

fn unsafety(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().map(str::trim_start).collect();
    let mut faults = Vec::new();
    for (at, token) in source.tokens.iter().enumerate().filter(|(_, token)| token.text == "unsafe")
    {
        let place = format!("{}:{}", source.path, token.line);
        if source.path != "bin/openkitchen/sys.rs" {
            faults.push(format!("{place} is unsafe"));
            continue;
        }
        let is_block = source.tokens.get(at + 1).is_some_and(|next| next.text == "{");
        let above = lines[..token.line - 1].iter().rev().take_while(|line| line.starts_with("//"));
        if is_block && !above.into_iter().any(|line| line.starts_with("// SAFETY: ")) {
            faults.push(format!("{place} does not say why it is safe"));
        }
    }
    faults
}

#[test]
fn unsafe_stands_in_one_file_and_says_each_time_why_it_is_safe() {
    assert_eq!(faults(unsafety), NONE);
    assert!(read("src/lib.rs").contains("#![forbid(unsafe_code)]"));
    let said = "// SAFETY: a reason,\n// in two lines.\nmatch unsafe { f() } {}";
    for (file, text, count) in [
        ("message/head.rs", said, 1),
        ("message/head.rs", "// unsafe\n#![forbid(unsafe_code)]", 0),
        ("bin/openkitchen/sys.rs", said, 0),
        ("bin/openkitchen/sys.rs", "// SAFETY: a reason\n\nunsafe { f() }", 1),
        ("bin/openkitchen/sys.rs", "unsafe { f() } // SAFETY: too late", 1),
    ] {
        assert_eq!(unsafety(&sample(file, text)).len(), count, "{text}");
    }
}

// 3. Nothing ends a server that runs but who asks it to.

fn shortcuts(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    for words in source.tokens.windows(2) {
        let [word, next] = [&*words[0].text, &*words[1].text];
        let is_macro = next == "!" && ["todo", "dbg", "unimplemented"].contains(&word);
        if is_macro || word == "unwrap" {
            faults.push(format!("{}:{}: {word}", source.path, words[0].line));
        }
    }
    faults
}

#[test]
fn no_unwrap_no_todo_and_no_dbg_outside_of_tests() {
    assert_eq!(faults(shortcuts), NONE);
    let text = "f().unwrap(); todo!(); dbg!(1); f().map(Option::unwrap);\n\
                g().unwrap_or_default(); // .unwrap()\n#[cfg(test)] fn h() { f().unwrap() }";
    assert_eq!(shortcuts(&sample("x.rs", text)).len(), 4);
}

// 4. A file is a chapter.

#[test]
fn every_file_opens_with_what_it_is() {
    let sources = sources();
    let silent = sources.iter().filter(|source| !source.text.starts_with("//! "));
    assert_eq!(silent.map(|source| &source.path).collect::<Vec<_>>(), [&""; 0]);
}

// 6, 7. Little is borrowed, and everything has its place.

/// A package of a lock file, and those it names as its own.
fn locked(package: &str) -> (&str, Vec<&str>) {
    let (name, rest) = package.trim().strip_prefix("name = \"").unwrap().split_once('"').unwrap();
    let (_, needs) = rest.split_once("dependencies = [").unwrap_or_default();
    (name, needs.split('"').skip(1).step_by(2).collect())
}

#[test]
fn three_crates_are_borrowed_and_five_built() {
    let manifest = read("Cargo.toml");
    let headings = manifest.lines().filter(|line| line.starts_with('[') && line.contains("depend"));
    assert_eq!(headings.collect::<Vec<_>>(), ["[dependencies]"], "and none for building or tests");
    let (_, below) = manifest.split_once("[dependencies]\n").unwrap();
    let lines = below.lines().take_while(|line| !line.starts_with('['));
    let borrowed: Vec<_> = lines.filter_map(|line| line.split_once(" = ")).collect();
    let names: Vec<_> = borrowed.iter().map(|&(name, _)| name).collect();
    assert_eq!(names, ["env_logger", "httparse", "log"]);
    assert!(
        borrowed[0].1.contains("default-features = false"),
        "its defaults bring 14 crates more"
    );

    let lock = read("Cargo.lock");
    let packages: Vec<_> = lock.split("[[package]]").skip(1).map(locked).collect();
    let mut built = vec!["openkitchen"];
    let mut at = 0;
    while at < built.len() {
        let (name, needs) = packages.iter().find(|(name, _)| *name == built[at]).unwrap();
        for need in needs {
            // `regex?/std`: a feature for the case that regex is wanted. Nobody wants it here, so it
            // is never built, but cargo locks it all the same.
            let is_unwanted = (*name, *need) == ("env_filter", "regex");
            if !is_unwanted && !built.contains(need) {
                built.push(need);
            }
        }
        at += 1;
    }
    built.sort_unstable();
    assert_eq!(built, ["env_filter", "env_logger", "httparse", "log", "openkitchen"]);
}

#[test]
fn the_top_level_holds_what_it_should() {
    const PLACES: [&str; 8] =
        ["Cargo.toml", "Cargo.lock", "src", "tests", "Makefile", "README.md", "LICENSE", "target"];
    let names = fs::read_dir(ROOT).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let others = names.filter(|name| !name.starts_with('.') && !PLACES.contains(&name.as_str()));
    assert_eq!(others.collect::<Vec<_>>(), NONE);
}

// 8. A clause can be looked up.

/// The last section of each RFC of HTTP's core.
const LAST_SECTION: [(&str, u32); 3] = [("9110", 19), ("9111", 9), ("9112", 13)];

/// Every RFC that is named by its number has one that can be, and so has the section behind it.
/// Whether there is a section 3.7 is not known here: the texts of the RFCs are not in this tree.
fn citations(source: &Source) -> Vec<String> {
    // A sentence may go on in the next line of a comment.
    let lines =
        source.text.lines().map(|line| line.trim_start().trim_start_matches(['/', '!']).trim());
    let text = lines.collect::<Vec<_>>().join(" ");
    let mut faults = Vec::new();
    let numbered = |rest: &&str| rest.starts_with(|c: char| c.is_ascii_digit());
    for citation in text.split("RFC ").skip(1).filter(numbered) {
        let shown: String = citation.chars().take(30).collect();
        let end = citation.find(|c: char| !c.is_ascii_digit()).unwrap_or(citation.len());
        let (number, rest) = citation.split_at(end);
        let section =
            [" section ", " sections ", " §"].iter().find_map(|word| rest.strip_prefix(word));
        let section = section.map(|rest| {
            let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
            rest[..end].trim_end_matches('.')
        });
        let last =
            LAST_SECTION.iter().find(|(known, _)| *known == number).map_or(99, |&(_, last)| last);
        let can_be = |section: &str| {
            let parts: Vec<u32> =
                section.split('.').map(|part| part.parse().unwrap_or(0)).collect();
            parts.len() <= 4 && (1..=last).contains(&parts[0]) && !parts.contains(&0)
        };
        if number.len() != 4 || !section.is_none_or(can_be) {
            faults.push(format!("{}: RFC {shown}", source.path));
        }
    }
    faults
}

#[test]
fn every_citation_has_the_shape_of_one() {
    assert_eq!(sources().iter().flat_map(citations).collect::<Vec<_>>(), NONE);
    let cited = sources().iter().map(|source| source.text.matches("RFC 91").count()).sum::<usize>();
    assert!(cited > 100, "{cited}");
    for (text, count) in [
        ("// RFC 9112 section 5.1: x\n//! RFC\n//! 9110 section\n//! 15.5.16. RFC 7617.", 0),
        ("RFC 9112 §6.3, RFC 9110 sections 4 and 6.4", 0),
        ("RFC 9112 section 15.5, RFC 9110 section 20", 2),
        ("RFC 9110 section 5.0.1, RFC 9110 section five", 2),
        ("an RFC says, RFC 91100 section 1", 1),
    ] {
        assert_eq!(citations(&sample("x.rs", text)).len(), count, "{text}");
    }
}

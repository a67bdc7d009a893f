//! Each property that the fuzzer tries (`make fuzz`) holds for what it once found worth keeping, and for
//! every exchange and lesson: as text, as the bytes that its clients send, and as what those hold.
//!
//! ```text
//! cargo test --test corpus                 all of it, in a few seconds
//! SEEDS=folder cargo test --test corpus    writes the pages as files for the fuzzer to start from
//! ```

use std::collections::BTreeMap;
use std::env;
use std::fmt::Display;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};

use openkitchen::Transcript;
use openkitchen::transcript::{Item, Side};

#[path = "fuzz/properties/mod.rs"]
mod properties;

use properties::{ALL, try_on};

/// Files of one property, and bytes of all of them together: what everybody has to carry.
const FILES: usize = 40;
const BYTES: usize = 64 * 1024;

/// Bytes of an input, at most: each is tried at every cut, which takes quadratic time. Pages with more
/// of them are there for limits, and the properties have narrow ones.
const INPUT: usize = 4096;

/// What lies in a folder of this project, in the order of the names.
fn paths_in(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// The inputs that are kept for one property.
fn kept(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = paths_in(Path::new("tests/fuzz/corpus").join(name)).into_iter();
    paths.map(|path| (path.clone(), fs::read(&path).expect("a file"))).collect()
}

/// A transcript of the project's.
struct Page {
    path: PathBuf,
    text: String,
    transcript: Transcript,
}

/// All exchanges and lessons.
fn pages() -> Vec<Page> {
    let lessons = PathBuf::from("src/bin/openkitchen/site/lessons");
    let folders = paths_in("tests/exchanges").into_iter().chain([lessons]);
    let pages = folders.flat_map(paths_in).map(|path| {
        let text = fs::read_to_string(&path).expect("a file");
        let transcript = Transcript::parse(&text).expect("a transcript");
        Page { path, text, transcript }
    });
    pages.collect()
}

/// What a page holds for the property of that name.
fn inputs(page: &Page, name: &str) -> Vec<Vec<u8>> {
    let mut streams = BTreeMap::<u32, Vec<u8>>::new();
    for item in &page.transcript.items {
        if let Item::Block(block) = item
            && (block.from == Side::Client || name == "explain")
        {
            let bytes = block.bytes.expand().unwrap_or_default();
            streams.entry(block.connection).or_default().extend(bytes);
        }
    }
    let streams = streams.into_values();
    let inputs: Vec<Vec<u8>> = match name {
        "transcript" => vec![page.text.clone().into_bytes()],
        "target" => streams.filter_map(|stream| second_word(&stream)).collect(),
        "chunked" => streams.filter_map(|stream| behind_head(&stream)).collect(),
        _ => streams.collect(),
    };
    inputs.into_iter().filter(|bytes| bytes.len() <= INPUT).collect()
}

fn second_word(stream: &[u8]) -> Option<Vec<u8>> {
    let line = stream.split(|&byte| byte == b'\r').next()?;
    Some(line.split(|&byte| byte == b' ').nth(1)?.to_vec())
}

fn behind_head(stream: &[u8]) -> Option<Vec<u8>> {
    let end = stream.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    Some(stream[end..].to_vec()).filter(|content| !content.is_empty())
}

/// Where a property does not hold, in a line. What it has against the bytes, its panic has printed.
fn fault(name: &str, bytes: &[u8], place: impl Display) -> Option<String> {
    let tried = panic::catch_unwind(|| try_on(name, bytes));
    tried.is_err().then(|| format!("`{name}` does not hold for {place}"))
}

const NONE: [String; 0] = [];

#[test]
fn every_property_holds_for_the_corpus() {
    let faults = ALL.iter().flat_map(|(name, _)| {
        let kept = kept(name).into_iter();
        kept.filter_map(|(path, bytes)| fault(name, &bytes, path.display()))
    });
    assert_eq!(faults.collect::<Vec<_>>(), NONE);
}

#[test]
fn every_property_holds_for_every_page() {
    let pages = pages();
    let faults = pages.iter().flat_map(|page| ALL.map(|(name, _)| (page, name)));
    let faults = faults.flat_map(|(page, name)| {
        let inputs = inputs(page, name).into_iter();
        inputs.filter_map(move |bytes| fault(name, &bytes, page.path.display()))
    });
    assert_eq!(faults.collect::<Vec<_>>(), NONE);
}

#[test]
fn the_corpus_is_small() {
    for (name, _) in ALL {
        let kept = kept(name);
        let bytes: usize = kept.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!((1..=FILES).contains(&kept.len()), "{} files for {name}", kept.len());
        assert!(bytes <= BYTES, "{bytes} bytes for {name}");
    }
}

/// Not a test of anything: what `tests/fuzz/run.sh` asks for.
#[test]
fn the_pages_are_written_as_seeds_where_that_is_asked_for() {
    let Some(folder) = env::var_os("SEEDS").filter(|folder| !folder.is_empty()) else { return };
    let pages = pages();
    for (name, _) in ALL {
        let folder = Path::new(&folder).join(name);
        fs::create_dir_all(&folder).expect("a folder for the seeds");
        let inputs = pages.iter().flat_map(|page| inputs(page, name));
        for (number, bytes) in inputs.enumerate() {
            fs::write(folder.join(format!("page-{number}")), bytes).expect("a seed");
        }
    }
}

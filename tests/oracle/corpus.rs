//! Tests each property of the fuzzer (`make fuzz`) on the kept inputs below `tests/fuzz/corpus`, and on
//! every exchange and lesson: its text, the bytes that its clients send, and their targets and chunks.
//!
//! ```text
//! cargo test --test oracle corpus                 all inputs, in a few seconds
//! SEEDS=folder cargo test --test oracle corpus    writes them as seeds for the fuzzer
//! ```

use std::collections::BTreeMap;
use std::env;
use std::fmt::Display;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use openkitchen::Transcript;
use openkitchen::transcript::{Item, Side};

use crate::properties::{ALL, try_on};

/// The limits on the corpus of one property: its files, and the bytes of all of them together. Each copy
/// of the repository has them.
const MAX_FILES: usize = 40;
const MAX_BYTES: usize = 64 * 1024;

/// Bytes of an input from a page, at most. Each input is tried at every cut, which takes quadratic time.
/// Longer ones test limits of the server, and the properties use smaller limits.
const MAX_INPUT_BYTES: usize = 4096;

/// Returns the paths in a folder of this project, in the order of their names.
fn paths_in(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// Returns the inputs that are kept for one property, with their paths.
fn kept_inputs(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = paths_in(Path::new("tests/fuzz/corpus").join(name)).into_iter();
    paths.map(|path| (path.clone(), fs::read(&path).expect("a file"))).collect()
}

/// An exchange below `tests/exchanges/`, or a lesson.
struct Page {
    path: PathBuf,
    text: String,
    transcript: Transcript,
}

/// Returns all exchanges and lessons.
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

/// Returns the inputs that a page has for the property with that name.
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
        "chunked" => streams.filter_map(|stream| after_head(&stream)).collect(),
        _ => streams.collect(),
    };
    inputs.into_iter().filter(|bytes| bytes.len() <= MAX_INPUT_BYTES).collect()
}

fn second_word(stream: &[u8]) -> Option<Vec<u8>> {
    let line = stream.split(|&byte| byte == b'\r').next()?;
    Some(line.split(|&byte| byte == b' ').nth(1)?.to_vec())
}

fn after_head(stream: &[u8]) -> Option<Vec<u8>> {
    let end = stream.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    Some(stream[end..].to_vec()).filter(|content| !content.is_empty())
}

/// Returns a line about the input if the property does not hold for it. The panic has printed why.
fn fault(name: &str, bytes: &[u8], input: impl Display) -> Option<String> {
    let outcome = panic::catch_unwind(|| try_on(name, bytes));
    outcome.is_err().then(|| format!("`{name}` does not hold for {input}"))
}

const NONE: [String; 0] = [];

#[test]
fn every_property_holds_for_the_corpus() {
    let faults = ALL.iter().flat_map(|(name, _)| {
        let inputs = kept_inputs(name).into_iter();
        inputs.filter_map(|(path, bytes)| fault(name, &bytes, path.display()))
    });
    assert_eq!(faults.collect::<Vec<_>>(), NONE);
}

#[test]
fn every_property_holds_for_every_exchange_and_lesson() {
    let (pages, faults) = (pages(), Mutex::new(Vec::new()));
    // A thread for each property, since one of them alone takes seconds.
    thread::scope(|scope| {
        for (name, _) in ALL {
            let (pages, faults) = (&pages, &faults);
            scope.spawn(move || {
                let found = pages.iter().flat_map(|page| {
                    let inputs = inputs(page, name).into_iter();
                    inputs.filter_map(move |bytes| fault(name, &bytes, page.path.display()))
                });
                let found: Vec<String> = found.collect();
                faults.lock().expect("no panic under the lock").extend(found);
            });
        }
    });
    assert_eq!(faults.into_inner().expect("no panic under the lock"), NONE);
}

#[test]
fn the_corpus_is_small() {
    for (name, _) in ALL {
        let inputs = kept_inputs(name);
        let bytes: usize = inputs.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!((1..=MAX_FILES).contains(&inputs.len()), "{} files for {name}", inputs.len());
        assert!(bytes <= MAX_BYTES, "{bytes} bytes for {name}");
    }
}

/// Not a test: `tests/fuzz/run.sh` runs it to get its seeds.
#[test]
fn the_exchanges_and_lessons_are_written_as_seeds_if_seeds_is_set() {
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

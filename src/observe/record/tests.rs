//! Tests of the recorder: what is observed, and the file that it makes.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::{env, fs, process};

use super::folder::{MAX_FILE_BYTES, MAX_FILES};
use super::*;
use crate::net::observer::Observer;
use crate::transcript::Item;
use crate::transcript::Transcript;

/// A recorder, the follower that tells it what crossed, and its folder, which is deleted when this is
/// dropped.
struct Setup {
    folder: PathBuf,
    recorder: Arc<Recorder>,
    follower: Follower,
}

impl Setup {
    fn new(name: &str) -> Setup {
        let folder = env::temp_dir().join(format!("openkitchen-record-{}-{name}", process::id()));
        Setup::in_folder(folder)
    }

    fn in_folder(folder: PathBuf) -> Setup {
        let recorder = Arc::new(Recorder::open(&folder, "a server").unwrap());
        let follower = Follower::new(vec![recorder.clone()]);
        Setup { folder, recorder, follower }
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// The only file, without its title lines and its times. Checks that its form is canonical.
    #[track_caller]
    fn text(&self) -> String {
        let files = self.files();
        assert_eq!(files.len(), 1);
        let text = fs::read_to_string(&files[0]).unwrap();
        assert_eq!(Transcript::parse(&text).unwrap().to_string(), text);
        let lines = text.lines().skip(3).map(|line| line.split(", +").next().unwrap());
        lines.map(|line| line.to_owned() + "\n").collect()
    }

    fn open(&self, connection: u64) {
        let peer = ([127, 0, 0, 1], 4000).into();
        self.follower.opened(connection, peer);
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn each_response_has_its_assertions_and_each_end_its_event() {
    let setup = Setup::new("assertions");
    let (recorder, follower) = (&setup.recorder, &setup.follower);
    setup.open(7);
    follower.received(7, &GET.repeat(2));
    follower.sent(7, b"HTTP/1.1 100 Continue\r\n\r\n");
    follower.sent(7, &[OK, &OK[..30]].concat());
    follower.sent(7, &OK[30..]);
    follower.received(7, b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    follower.sent(7, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    follower.received(7, GET);
    follower.sent(7, b"HTTP/1.0 404 Not Found\r\n\r\n\xff");
    recorder.ended(7, End::ServerClosed);
    recorder.ended(7, End::ClientClosed);
    follower.received(7, b"after the end");
    assert_eq!(
        setup.text(),
        "\
>>> 54 bytes
GET / HTTP/1.1
Host: h

GET / HTTP/1.1
Host: h

<<< 25 bytes
HTTP/1.1 100 Continue

<<< 70 bytes
HTTP/1.1 200 OK
Content-Length: 2

okHTTP/1.1 200 OK
Content-Lengt\\
???
status 200
field Content-Length

<<< 10 bytes
h: 2

ok\\
???
status 200
field Content-Length

>>> 28 bytes
HEAD / HTTP/1.1
Host: h

<<< 47 bytes
HTTP/1.1 200 OK
Transfer-Encoding: chunked

???
status 200
field Transfer-Encoding contains chunked

>>> 27 bytes
GET / HTTP/1.1
Host: h

<<< 27 bytes
HTTP/1.0 404 Not Found

\\xff\\
--- server closed

???
status 404
no field Transfer-Encoding
no field Content-Length
closed
--- client closed
"
    );
}

#[test]
fn assertions_on_responses_that_end_in_one_write_are_numbered() {
    let setup = Setup::new("numbered");
    setup.open(1);
    setup.follower.received(1, &GET.repeat(2));
    setup.follower.sent(1, &OK.repeat(2));
    let assertions = "???\nstatus 200\nfield Content-Length\n2: status 200\n\
                  2: field Content-Length\n";
    assert!(setup.text().ends_with(assertions), "{}", setup.text());
}

#[test]
fn each_sides_end_is_written_in_order() {
    for (number, ends, lines) in [
        (
            1,
            &[End::ClientClosed, End::ServerClosed][..],
            "--- client half-close\n--- server closed\n",
        ),
        (2, &[End::ServerClosed], "--- server closed\n"),
        (3, &[End::ClientReset, End::ServerClosed], "--- client reset\n"),
        (4, &[End::ServerReset, End::ClientClosed], "--- server reset\n"),
        (5, &[End::ClientClosed, End::ClientReset], "--- client half-close\n--- client reset\n"),
    ] {
        let setup = Setup::new(&format!("ends-{number}"));
        setup.open(number);
        setup.follower.received(number, GET);
        ends.iter().for_each(|&end| setup.recorder.ended(number, end));
        let text = setup.text();
        let events = text.split_once("Host: h\n\n").unwrap().1;
        assert_eq!(events, lines);
    }
}

#[test]
fn a_connection_without_a_byte_gets_no_file() {
    let setup = Setup::new("silent");
    setup.open(1);
    setup.recorder.ended(1, End::ClientClosed);
    setup.recorder.ended(1, End::ServerClosed);
    assert!(setup.files().is_empty());
}

#[test]
fn the_file_is_complete_after_each_event() {
    let setup = Setup::new("complete");
    setup.open(1);
    setup.follower.received(1, GET);
    assert!(setup.text().ends_with("Host: h\n\n"));
    setup.follower.sent(1, OK);
    assert!(setup.text().ends_with("ok\\\n???\nstatus 200\nfield Content-Length\n"));
}

#[test]
fn bytes_beyond_the_bound_of_a_file_are_counted() {
    let setup = Setup::new("large");
    setup.open(1);
    for _ in 0..18 {
        setup.follower.received(1, &[1; 256 * 1024]); // four letters of text for each byte
    }
    setup.recorder.ended(1, End::ServerClosed);
    setup.recorder.ended(1, End::ClientClosed);
    let text = fs::read_to_string(&setup.files()[0]).unwrap();
    assert!(text.len() <= MAX_FILE_BYTES, "{}", text.len());
    let transcript = Transcript::parse(&text).unwrap();
    assert_eq!(transcript.to_string(), text);
    let blocks = transcript.items.iter().filter(|item| matches!(item, Item::Block(_)));
    assert_eq!(blocks.count(), 15);
    let last = "# from here on bytes are only counted: 16 MiB is the bound of a file\n\
                # bytes that crossed and are not in this file: 786432\n";
    assert!(text.ends_with(last), "{}", &text[text.len() - 200..]);
}

#[test]
fn connections_beyond_the_bound_of_a_folder_are_counted() {
    let setup = Setup::new("many");
    for number in 0..MAX_FILES - 1 {
        fs::write(setup.folder.join(format!("{number}.wire")), "").unwrap();
    }
    let full = Setup::in_folder(setup.folder.clone());
    for number in 1..=3 {
        full.open(number);
        full.follower.received(number, GET);
        full.follower.sent(number, OK);
    }
    assert_eq!(setup.files().len(), MAX_FILES);
    let line = full.recorder.finish().unwrap();
    assert!(line.ends_with(": 2"), "{line}");
    assert!(Recorder::open(&setup.folder, "").unwrap().banner().starts_with("nothing is recorded"));
}

#[test]
fn two_runs_that_start_at_the_same_moment_write_no_file_of_each_other() {
    let setup = Setup::new("two-runs");
    let second = Setup::in_folder(setup.folder.clone());
    for run in [&setup, &second] {
        run.open(1);
        run.follower.received(1, GET);
        run.follower.sent(1, OK);
    }
    assert_eq!(setup.files().len(), 2);
    assert!(!setup.recorder.folder.error_reported.load(Ordering::Relaxed));
}

#[test]
fn names_sort_in_the_order_of_the_connections_and_of_the_runs() {
    let mut setup = Setup::new("sorted");
    let mut recorded = Vec::new();
    for _ in 0..3 {
        for number in [1, 2, 9, 10, 11, 99, 100, 1000] {
            setup.open(number);
            setup.follower.received(number, GET);
            let files = setup.files();
            recorded.push(files.into_iter().find(|file| !recorded.contains(file)).unwrap());
        }
        setup = Setup::in_folder(std::mem::take(&mut setup.folder));
    }
    assert_eq!(setup.files(), recorded);
}

#[test]
fn what_an_earlier_run_has_left_does_not_stop_a_recorder() {
    let setup = Setup::new("left");
    fs::write(setup.folder.join(format!(".attempt-{}", process::id())), "").unwrap();
    assert!(Recorder::open(&setup.folder, "a server").is_ok());
}

#[test]
fn a_created_folder_is_removed_if_the_start_fails_and_stays_after_a_run() {
    let setup = Setup::new("begun");
    let folder = setup.folder.join("new/wires");
    drop(Recorder::open(&folder, "a server").unwrap());
    assert!(!setup.folder.join("new").exists() && setup.folder.exists());
    Recorder::open(&folder, "a server").unwrap().finish();
    assert!(folder.exists());
    let recorder = Recorder::open(&folder, "a server").unwrap();
    fs::write(folder.join("1.wire"), "").unwrap();
    drop(recorder);
    assert!(folder.exists());
}

#[test]
fn a_folder_that_cannot_be_created_is_an_error() {
    let setup = Setup::new("no-folder");
    let file = setup.folder.join("file");
    fs::write(&file, "").unwrap();
    for folder in [file.clone(), file.join("below")] {
        let error = Recorder::open(&folder, "a server").err().unwrap();
        assert!(error.to_string().starts_with("cannot record in "), "{error}");
    }
}

#[test]
fn a_deleted_folder_stops_recording_until_it_exists_again() {
    let setup = Setup::new("gone");
    fs::remove_dir_all(&setup.folder).unwrap();
    setup.open(1);
    setup.follower.received(1, GET);
    setup.follower.sent(1, OK);
    assert!(setup.recorder.folder.error_reported.load(Ordering::Relaxed));
    fs::create_dir(&setup.folder).unwrap();
    setup.open(2);
    setup.follower.received(2, GET);
    assert_eq!(setup.files().len(), 1);
}

#[test]
fn a_connection_that_is_gone_is_forgotten() {
    let setup = Setup::new("forgotten");
    for number in 1..=3 {
        setup.open(number);
        setup.recorder.ended(number, End::ServerClosed);
    }
    setup.recorder.gone(2);
    let mut left: Vec<u64> = setup.recorder.state().connections.keys().copied().collect();
    left.sort_unstable();
    assert_eq!(left, [1, 3]);
}

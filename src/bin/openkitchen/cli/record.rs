//! # The recording
//!
//! What is on the screen is gone with the screen, and is shortened for reading. How does one keep a
//! connection so that it can be played again, byte for byte?
//!
//! ```text
//! # Connection 7 of process 4242
//! # Sun, 06 Nov 1994 08:49:37 GMT: 127.0.0.1:41230 speaks to the lesson site
//!
//! >>> 27 bytes, +0.1 ms
//! GET / HTTP/1.1
//! Host: h
//!
//! <<< 43 bytes, +0.2 ms
//! HTTP/1.1 200 OK
//! Content-Length: 5
//!
//! hello\
//! ???
//! status 200
//! field Content-Length
//! --- client half-close
//! --- server closed
//! ```
//! `--record DIR` writes such a file for each connection on which a byte crosses:
//! `DIR/19941106T084937Z-4242-7.wire`, the time at which it opened, the process and the connection's
//! number. Every byte is in it, and what the answers' framing promises, as assertions.
//!
//! Rule: one event, one `write(2)`, at once. A crash loses at most the event that was being written,
//! and what stands before it can be read.
//!
//! Where a side left the other waiting for two seconds or more, it says so: `--- silent 10s`. Whoever
//! plays the file again then waits as long.
//!
//! What a side's FIN means shows later, if at all: it is written as `client half-close`, which is
//! what crossed, or as `client closed` where the server has left before.
//!
//! Bounds: [`FILES`] files in the folder, [`FILE_BYTES`] each. Nothing is ever deleted: past the
//! bounds, connections and bytes are only counted, and the counts told. A disk that takes no more is
//! told once, and costs no client its answer; but a slow one is waited for.
//!
//! Secrets: keys and cookies are in it as they crossed. A file is its owner's alone (0600), as a
//! folder is that is made for it (0700).

mod file;
mod follower;

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openkitchen::transcript::Side;
use openkitchen::{Answered, End, Observer};

use crate::sys;

use file::RecordedConnection;
pub use follower::ExchangeFollower;

/// Recordings in one folder, those of earlier runs too: a day of work, and no disk full of them.
pub const FILES: usize = 1000;

/// Text in one file: 16 GB in all at worst, and far beyond any conversation that a person reads.
pub const FILE_BYTES: usize = 16 * 1024 * 1024;

/// Connections whose client may never say goodbye to a server that has left. Each holds a
/// descriptor open.
const FADING: usize = 64;

/// An observer that writes down what it sees.
pub struct Recorder {
    folder: PathBuf,
    /// To whom the clients speak.
    whom: String,
    state: Mutex<RecorderState>,
    /// That something could not be written was told.
    is_told: AtomicBool,
}

struct RecorderState {
    pages: HashMap<u64, Arc<Mutex<RecordedConnection>>>,
    /// Those whose server has left, the oldest first.
    fading: VecDeque<u64>,
    /// Files that still may be made.
    room: usize,
    /// Connections that found no room.
    beyond: u64,
    is_over: bool,
}

impl Recorder {
    /// Gets a folder ready. `whom` is to whom the clients will speak, for the files' second line.
    ///
    /// # Errors
    /// A sentence: the folder cannot be made, or takes no file.
    pub fn open(folder: &Path, whom: &str) -> Result<Recorder, String> {
        let open = || -> io::Result<usize> {
            match folder.is_dir() {
                true => {}
                false if folder.exists() => return Err(ErrorKind::NotADirectory.into()),
                false => sys::create_private_folder(folder)?,
            }
            // Better told now than at the first connection.
            let attempt = folder.join(format!(".attempt-{}", process::id()));
            drop(sys::create_private_file(&attempt)?);
            fs::remove_file(&attempt)?;
            let is_recording = |entry: &fs::DirEntry| {
                Path::new(&entry.file_name()).extension().is_some_and(|it| it == "wire")
            };
            Ok(fs::read_dir(folder)?.flatten().filter(is_recording).count())
        };
        let taken =
            open().map_err(|error| format!("cannot record in {}: {error}", folder.display()))?;
        let state = RecorderState {
            pages: HashMap::new(),
            fading: VecDeque::new(),
            room: FILES.saturating_sub(taken),
            beyond: 0,
            is_over: false,
        };
        Ok(Recorder {
            folder: folder.into(),
            whom: whom.into(),
            state: Mutex::new(state),
            is_told: AtomicBool::new(false),
        })
    }

    /// What to say when it begins.
    pub fn banner(&self) -> String {
        let (folder, room) = (self.folder.display(), self.state().room);
        match room {
            0 => format!("nothing is recorded: {folder} holds its {FILES} recordings"),
            _ => format!("connections are recorded in {folder}, secrets included"),
        }
    }

    /// Writes what is left to say into the files, and nothing from then on. Tells how many
    /// connections were not recorded, if any.
    pub fn finish(&self) -> Option<String> {
        let (pages, beyond) = {
            let mut state = self.state();
            state.is_over = true;
            (std::mem::take(&mut state.pages), state.beyond)
        };
        pages.values().for_each(|page| lock(page).finish());
        (beyond > 0).then(|| {
            let folder = self.folder.display();
            format!("connections beyond the {FILES} recordings of {folder}: {beyond}")
        })
    }

    /// A new file, or none where that cannot be: then it was counted or told.
    fn create(&self, name: &str) -> Option<File> {
        {
            let mut state = self.state();
            if state.room == 0 {
                state.beyond += 1;
                if state.beyond == 1 {
                    let folder = self.folder.display();
                    log::warn!("{folder} holds its {FILES} recordings: no more are made");
                }
                return None;
            }
            state.room -= 1;
        }
        match sys::create_private_file(&self.folder.join(name)) {
            Ok(file) => Some(file),
            Err(error) => {
                self.has_failed(&error);
                self.state().room += 1;
                None
            }
        }
    }

    /// Says it once. The disk's trouble is not the clients'.
    fn has_failed(&self, error: &io::Error) {
        if !self.is_told.swap(true, Ordering::Relaxed) {
            let full =
                if error.kind() == ErrorKind::StorageFull { ": make room, and" } else { ";" };
            let folder = self.folder.display();
            log::warn!(
                "cannot record in {folder}: {error}{full} later connections will be tried again"
            );
        }
    }

    fn see(&self, connection: u64, with: impl FnOnce(&mut RecordedConnection)) {
        let page = self.state().pages.get(&connection).map(Arc::clone);
        if let Some(page) = page {
            with(&mut lock(&page));
        }
    }

    /// Takes pages out that will not be needed. They are dropped without the lock, for that writes.
    fn forget(&self, connection: u64, is_over: bool) {
        let mut state = self.state();
        let forgotten = match is_over {
            true => {
                state.fading.retain(|&fading| fading != connection);
                Some(connection)
            }
            false => {
                state.fading.push_back(connection);
                if state.fading.len() > FADING { state.fading.pop_front() } else { None }
            }
        };
        let page = forgotten.and_then(|connection| state.pages.remove(&connection));
        drop(state);
        drop(page);
    }

    /// Nothing is called under this lock that could panic.
    fn state(&self) -> MutexGuard<'_, RecorderState> {
        lock(&self.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Observer for Recorder {
    fn opened(&self, connection: u64, peer: SocketAddr) {
        let page = RecordedConnection::opened(connection, peer);
        let mut state = self.state();
        if !state.is_over {
            state.pages.insert(connection, Arc::new(Mutex::new(page)));
        }
    }

    fn received(&self, connection: u64, bytes: &[u8]) {
        self.see(connection, |page| page.crossed(Side::Client, bytes, self));
    }

    fn sent(&self, connection: u64, bytes: &[u8]) {
        self.see(connection, |page| page.crossed(Side::Server, bytes, self));
    }

    fn ended(&self, connection: u64, end: End) {
        let mut is_over = false;
        self.see(connection, |page| is_over = page.ended(end, self));
        if is_over || end == End::ServerClosed {
            self.forget(connection, is_over);
        }
    }
}

/// Two observers in one: both see everything, one after the other.
pub struct Both(pub Arc<dyn Observer>, pub Arc<dyn Observer>);

impl Both {
    /// One observer of those that are there.
    pub fn of(
        one: Option<Arc<dyn Observer>>,
        other: Option<Arc<dyn Observer>>,
    ) -> Option<Arc<dyn Observer>> {
        match (one, other) {
            (Some(one), Some(other)) => Some(Arc::new(Both(one, other))),
            (one, other) => one.or(other),
        }
    }
}

impl Observer for Both {
    fn opened(&self, connection: u64, peer: SocketAddr) {
        self.0.opened(connection, peer);
        self.1.opened(connection, peer);
    }

    fn received(&self, connection: u64, bytes: &[u8]) {
        self.0.received(connection, bytes);
        self.1.received(connection, bytes);
    }

    fn sent(&self, connection: u64, bytes: &[u8]) {
        self.0.sent(connection, bytes);
        self.1.sent(connection, bytes);
    }

    fn answered(&self, connection: u64, exchange: &Answered<'_>) {
        self.0.answered(connection, exchange);
        self.1.answered(connection, exchange);
    }

    fn ended(&self, connection: u64, end: End) {
        self.0.ended(connection, end);
        self.1.ended(connection, end);
    }
}

#[cfg(test)]
mod tests {
    use std::env;

    use openkitchen::Transcript;
    use openkitchen::transcript::Item;

    use super::*;

    /// A folder that is gone at the end, and what records in it.
    struct Study {
        folder: PathBuf,
        recorder: Recorder,
    }

    impl Study {
        fn new(name: &str) -> Study {
            let folder =
                env::temp_dir().join(format!("openkitchen-record-{}-{name}", process::id()));
            let recorder = Recorder::open(&folder, "a server").unwrap();
            Study { folder, recorder }
        }

        fn files(&self) -> Vec<PathBuf> {
            let entries = fs::read_dir(&self.folder).unwrap();
            let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
            files.sort();
            files
        }

        /// The only file, without its first two lines and its times. All of it is canonical.
        #[track_caller]
        fn page(&self) -> String {
            let files = self.files();
            assert_eq!(files.len(), 1);
            let text = fs::read_to_string(&files[0]).unwrap();
            assert_eq!(Transcript::parse(&text).unwrap().to_string(), text);
            let lines = text.lines().skip(3).map(|line| line.split(", +").next().unwrap());
            lines.map(|line| line.to_owned() + "\n").collect()
        }

        fn open(&self, connection: u64) {
            self.recorder.opened(connection, ([127, 0, 0, 1], 4000).into());
        }
    }

    impl Drop for Study {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    #[test]
    fn each_answer_has_its_assertions_and_each_end_its_event() {
        let study = Study::new("assertions");
        let recorder = &study.recorder;
        study.open(7);
        recorder.received(7, &GET.repeat(2));
        recorder.sent(7, b"HTTP/1.1 100 Continue\r\n\r\n");
        recorder.sent(7, &[OK, &OK[..30]].concat());
        recorder.sent(7, &OK[30..]);
        recorder.received(7, b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
        recorder.sent(7, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        recorder.received(7, GET);
        recorder.sent(7, b"HTTP/1.0 404 Not Found\r\n\r\n\xff");
        recorder.ended(7, End::ServerClosed);
        recorder.ended(7, End::ClientClosed);
        recorder.received(7, b"nobody hears this");
        assert_eq!(
            study.page(),
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
    fn answers_that_end_in_one_write_are_numbered() {
        let study = Study::new("numbered");
        study.open(1);
        study.recorder.received(1, &GET.repeat(2));
        study.recorder.sent(1, &OK.repeat(2));
        let assertions = "???\nstatus 200\nfield Content-Length\n2: status 200\n\
                      2: field Content-Length\n";
        assert!(study.page().ends_with(assertions), "{}", study.page());
    }

    #[test]
    fn who_leaves_first_and_how_is_written() {
        for (number, ends, lines) in [
            (
                1,
                &[End::ClientClosed, End::ServerClosed][..],
                "--- client half-close\n--- server closed\n",
            ),
            (2, &[End::ServerClosed], "--- server closed\n\n???\nclosed\n"),
            (3, &[End::ClientReset, End::ServerClosed], "--- client reset\n"),
            (4, &[End::ServerReset, End::ClientClosed], "--- server reset\n"),
            (
                5,
                &[End::ClientClosed, End::ClientReset],
                "--- client half-close\n--- client reset\n",
            ),
        ] {
            let study = Study::new(&format!("ends-{number}"));
            study.open(number);
            study.recorder.received(number, GET);
            ends.iter().for_each(|&end| study.recorder.ended(number, end));
            let page = study.page();
            let events = page.split_once("Host: h\n\n").unwrap().1;
            assert_eq!(events, lines);
        }
    }

    #[test]
    fn a_connection_without_a_byte_makes_no_file() {
        let study = Study::new("silent");
        study.open(1);
        study.recorder.ended(1, End::ClientClosed);
        study.recorder.ended(1, End::ServerClosed);
        assert!(study.files().is_empty());
    }

    #[test]
    fn the_file_is_complete_after_each_event() {
        let study = Study::new("complete");
        study.open(1);
        study.recorder.received(1, GET);
        assert!(study.page().ends_with("Host: h\n\n"));
        study.recorder.sent(1, OK);
        assert!(study.page().ends_with("ok\\\n???\nstatus 200\nfield Content-Length\n"));
    }

    #[test]
    fn a_file_has_a_bound_and_what_is_beyond_is_counted() {
        let study = Study::new("large");
        study.open(1);
        for _ in 0..18 {
            study.recorder.received(1, &[b'x'; 1024 * 1024]);
        }
        study.recorder.ended(1, End::ServerClosed);
        study.recorder.ended(1, End::ClientClosed);
        let text = fs::read_to_string(&study.files()[0]).unwrap();
        assert!(text.len() <= FILE_BYTES, "{}", text.len());
        let page = Transcript::parse(&text).unwrap();
        assert_eq!(page.to_string(), text);
        let blocks = page.items.iter().filter(|item| matches!(item, Item::Block(_)));
        assert_eq!(blocks.count(), 15);
        let last = "# from here on bytes are only counted: 16 MiB is the bound of a file\n\
                    # bytes that crossed and are not in this file: 3145728\n";
        assert!(text.ends_with(last), "{}", &text[text.len() - 200..]);
    }

    #[test]
    fn a_folder_has_a_bound_and_what_is_beyond_is_counted() {
        let study = Study::new("many");
        for number in 0..FILES - 1 {
            fs::write(study.folder.join(format!("{number}.wire")), "").unwrap();
        }
        let recorder = Recorder::open(&study.folder, "a server").unwrap();
        for number in 1..=3 {
            recorder.opened(number, ([127, 0, 0, 1], 4000).into());
            recorder.received(number, GET);
            recorder.sent(number, OK);
        }
        assert_eq!(study.files().len(), FILES);
        let told = recorder.finish().unwrap();
        assert!(told.ends_with(": 2"), "{told}");
        assert!(
            Recorder::open(&study.folder, "").unwrap().banner().starts_with("nothing is recorded")
        );
    }

    #[test]
    fn a_folder_that_cannot_be_is_told() {
        let study = Study::new("no-folder");
        let file = study.folder.join("file");
        fs::write(&file, "").unwrap();
        for folder in [file.clone(), file.join("below")] {
            let told = Recorder::open(&folder, "a server").err().unwrap();
            assert!(told.starts_with("cannot record in "), "{told}");
        }
    }

    #[test]
    fn a_folder_that_goes_away_ends_the_recording_and_nothing_else() {
        let study = Study::new("gone");
        fs::remove_dir_all(&study.folder).unwrap();
        study.open(1);
        study.recorder.received(1, GET);
        study.recorder.sent(1, OK);
        assert!(study.recorder.is_told.load(Ordering::Relaxed));
        fs::create_dir(&study.folder).unwrap();
        study.open(2);
        study.recorder.received(2, GET);
        assert_eq!(study.files().len(), 1);
    }

    #[test]
    fn no_more_than_a_few_that_fade_are_kept() {
        let study = Study::new("fading");
        for number in 1..200 {
            study.open(number);
            study.recorder.ended(number, End::ServerClosed);
        }
        assert_eq!(study.recorder.state().pages.len(), FADING);
    }
}

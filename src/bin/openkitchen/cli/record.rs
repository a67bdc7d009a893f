//! # Record each connection to a file: `--record DIR`
//!
//! The terminal shortens what it shows, and forgets it. A recording has every byte of a connection, so
//! that it can be played again.
//!
//! ```text
//! # Connection 7 of process 4242
//! # Sun, 06 Nov 1994 08:49:37 GMT: 127.0.0.1:41230 speaks to the lesson site at 127.0.0.1:5000
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
//! Each connection on which a byte crosses gets such a file:
//! `DIR/19941106T084937Z-4242-7.wire`, named by the time of opening, the process and the connection's
//! number. It holds every byte and, as assertions, the status and framing of each response.
//!
//! Rule: each event is written at once, by one `write(2)`. A crash loses at most the event that is being
//! written, and the text before it stays readable.
//!
//! If a side kept the other waiting for two seconds or more, the file says so: `--- silent 10s`. A player
//! of the file then waits as long.
//!
//! A side that sends FIN may still read. So the client's FIN is written as `client half-close`, or as
//! `client closed` if the server has closed before.
//!
//! Bounds: [`MAX_FILES`] files in the folder, [`MAX_FILE_BYTES`] each. Nothing is ever deleted: beyond the
//! bounds, connections and bytes are only counted, and the counts are reported. A write error is logged
//! once, and no client loses its response by it. A slow disk does make the client wait.
//!
//! Secrets: keys and cookies are in the file as they crossed. Only the file's owner can read it (0600);
//! a folder that is created for it has mode 0700.

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
use openkitchen::{Answered, End, Observer, sys};

use file::RecordedConnection;
pub use follower::ExchangeFollower;

/// Recordings in one folder, those of earlier runs included: enough for a day of work. With
/// [`MAX_FILE_BYTES`], the folder takes at most 17 GB.
pub const MAX_FILES: usize = 1000;

/// Bytes of text in one file: far more than a person reads of one connection.
pub const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;

/// Connections that are kept after their server has closed, while the client has not. The client may
/// never close, and each keeps a descriptor open.
const MAX_EVICTABLE: usize = 64;

/// An observer that writes each connection to a file.
pub struct Recorder {
    folder: PathBuf,
    /// The server, as each file's second line names it.
    server: String,
    state: Mutex<RecorderState>,
    /// Whether a write error has been logged.
    error_reported: AtomicBool,
}

struct RecorderState {
    connections: HashMap<u64, Arc<Mutex<RecordedConnection>>>,
    /// The connections whose server has closed, the oldest first.
    evictable: VecDeque<u64>,
    /// Files that may still be created.
    files_left: usize,
    /// Connections beyond [`MAX_FILES`].
    not_recorded: u64,
    is_finished: bool,
}

impl Recorder {
    /// Opens the folder, or creates it. `server` is the server's name for each file's second line.
    ///
    /// # Errors
    /// A sentence: the folder cannot be created, or no file can be created in it.
    pub fn open(folder: &Path, server: &str) -> Result<Recorder, String> {
        let open = || -> io::Result<usize> {
            match folder.is_dir() {
                true => {}
                false if folder.exists() => return Err(ErrorKind::NotADirectory.into()),
                false => sys::create_private_folder(folder)?,
            }
            // A test file, so that an error is reported now and not at the first connection.
            let attempt = folder.join(format!(".attempt-{}", process::id()));
            drop(sys::create_private_file(&attempt)?);
            fs::remove_file(&attempt)?;
            let is_recording = |entry: &fs::DirEntry| {
                Path::new(&entry.file_name()).extension().is_some_and(|it| it == "wire")
            };
            Ok(fs::read_dir(folder)?.flatten().filter(is_recording).count())
        };
        let recordings =
            open().map_err(|error| format!("cannot record in {}: {error}", folder.display()))?;
        let state = RecorderState {
            connections: HashMap::new(),
            evictable: VecDeque::new(),
            files_left: MAX_FILES.saturating_sub(recordings),
            not_recorded: 0,
            is_finished: false,
        };
        Ok(Recorder {
            folder: folder.into(),
            server: server.into(),
            state: Mutex::new(state),
            error_reported: AtomicBool::new(false),
        })
    }

    /// The line to print at the start: where the recordings are, or why there are none.
    pub fn banner(&self) -> String {
        let (folder, files_left) = (self.folder.display(), self.state().files_left);
        match files_left {
            0 => format!(
                "nothing is recorded: {folder} holds {MAX_FILES} recordings, the limit; delete some"
            ),
            _ => format!("connections are recorded in {folder}, secrets included"),
        }
    }

    /// Writes the last lines of the files, and records nothing from then on. Returns a line that says
    /// how many connections were not recorded, if any.
    pub fn finish(&self) -> Option<String> {
        let (connections, not_recorded) = {
            let mut state = self.state();
            state.is_finished = true;
            (std::mem::take(&mut state.connections), state.not_recorded)
        };
        connections.values().for_each(|connection| lock(connection).finish());
        (not_recorded > 0).then(|| {
            let folder = self.folder.display();
            format!(
                "connections that were not recorded, because {folder} holds {MAX_FILES} recordings, \
                 the limit: {not_recorded}"
            )
        })
    }

    /// Creates a file. `None` after an error, which is logged, or beyond [`MAX_FILES`], which is counted.
    fn create(&self, name: &str) -> Option<File> {
        {
            let mut state = self.state();
            if state.files_left == 0 {
                state.not_recorded += 1;
                if state.not_recorded == 1 {
                    let folder = self.folder.display();
                    log::warn!(
                        "{folder} holds {MAX_FILES} recordings, the limit: later connections are \
                         not recorded"
                    );
                }
                return None;
            }
            state.files_left -= 1;
        }
        match sys::create_private_file(&self.folder.join(name)) {
            Ok(file) => Some(file),
            Err(error) => {
                self.report_error(&error);
                self.state().files_left += 1;
                None
            }
        }
    }

    /// Logs the first error. The clients are served all the same.
    fn report_error(&self, error: &io::Error) {
        if !self.error_reported.swap(true, Ordering::Relaxed) {
            let is_full = error.kind() == ErrorKind::StorageFull;
            let advice = if is_full { ": free some space" } else { "" };
            let folder = self.folder.display();
            log::warn!(
                "cannot record in {folder}: {error}; later connections will be tried again{advice}"
            );
        }
    }

    fn with_connection(&self, number: u64, call: impl FnOnce(&mut RecordedConnection)) {
        let connection = self.state().connections.get(&number).map(Arc::clone);
        if let Some(connection) = connection {
            call(&mut lock(&connection));
        }
    }

    /// Removes a connection that is over. One whose client has not closed becomes evictable, and the
    /// oldest of too many is removed. The drop writes to a file, so the lock is released before it.
    fn remove(&self, number: u64, is_over: bool) {
        let mut state = self.state();
        let removed = match is_over {
            true => {
                state.evictable.retain(|&evictable| evictable != number);
                Some(number)
            }
            false => {
                state.evictable.push_back(number);
                let is_full = state.evictable.len() > MAX_EVICTABLE;
                if is_full { state.evictable.pop_front() } else { None }
            }
        };
        let connection = removed.and_then(|number| state.connections.remove(&number));
        drop(state);
        drop(connection);
    }

    /// Nothing that could panic is called under this lock.
    fn state(&self) -> MutexGuard<'_, RecorderState> {
        lock(&self.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Observer for Recorder {
    fn opened(&self, connection: u64, peer: SocketAddr) {
        let recorded = RecordedConnection::opened(connection, peer);
        let mut state = self.state();
        if !state.is_finished {
            state.connections.insert(connection, Arc::new(Mutex::new(recorded)));
        }
    }

    fn received(&self, connection: u64, bytes: &[u8]) {
        self.with_connection(connection, |it| it.crossed(Side::Client, bytes, self));
    }

    fn sent(&self, connection: u64, bytes: &[u8]) {
        self.with_connection(connection, |it| it.crossed(Side::Server, bytes, self));
    }

    fn ended(&self, connection: u64, end: End) {
        let mut is_over = false;
        self.with_connection(connection, |it| is_over = it.ended(end, self));
        if is_over || end == End::ServerClosed {
            self.remove(connection, is_over);
        }
    }
}

/// Two observers as one: each call goes to the first, then to the second.
pub struct Both(pub Arc<dyn Observer>, pub Arc<dyn Observer>);

impl Both {
    /// One observer of those that are given, if any.
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

    /// A recorder and its folder, which is deleted when this is dropped.
    struct Setup {
        folder: PathBuf,
        recorder: Recorder,
    }

    impl Setup {
        fn new(name: &str) -> Setup {
            let folder =
                env::temp_dir().join(format!("openkitchen-record-{}-{name}", process::id()));
            let recorder = Recorder::open(&folder, "a server").unwrap();
            Setup { folder, recorder }
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
            self.recorder.opened(connection, ([127, 0, 0, 1], 4000).into());
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
        let recorder = &setup.recorder;
        setup.open(7);
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
        recorder.received(7, b"after the end");
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
        setup.recorder.received(1, &GET.repeat(2));
        setup.recorder.sent(1, &OK.repeat(2));
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
            (2, &[End::ServerClosed], "--- server closed\n\n???\nclosed\n"),
            (3, &[End::ClientReset, End::ServerClosed], "--- client reset\n"),
            (4, &[End::ServerReset, End::ClientClosed], "--- server reset\n"),
            (
                5,
                &[End::ClientClosed, End::ClientReset],
                "--- client half-close\n--- client reset\n",
            ),
        ] {
            let setup = Setup::new(&format!("ends-{number}"));
            setup.open(number);
            setup.recorder.received(number, GET);
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
        setup.recorder.received(1, GET);
        assert!(setup.text().ends_with("Host: h\n\n"));
        setup.recorder.sent(1, OK);
        assert!(setup.text().ends_with("ok\\\n???\nstatus 200\nfield Content-Length\n"));
    }

    #[test]
    fn bytes_beyond_the_bound_of_a_file_are_counted() {
        let setup = Setup::new("large");
        setup.open(1);
        for _ in 0..18 {
            setup.recorder.received(1, &[b'x'; 1024 * 1024]);
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
                    # bytes that crossed and are not in this file: 3145728\n";
        assert!(text.ends_with(last), "{}", &text[text.len() - 200..]);
    }

    #[test]
    fn connections_beyond_the_bound_of_a_folder_are_counted() {
        let setup = Setup::new("many");
        for number in 0..MAX_FILES - 1 {
            fs::write(setup.folder.join(format!("{number}.wire")), "").unwrap();
        }
        let recorder = Recorder::open(&setup.folder, "a server").unwrap();
        for number in 1..=3 {
            recorder.opened(number, ([127, 0, 0, 1], 4000).into());
            recorder.received(number, GET);
            recorder.sent(number, OK);
        }
        assert_eq!(setup.files().len(), MAX_FILES);
        let line = recorder.finish().unwrap();
        assert!(line.ends_with(": 2"), "{line}");
        assert!(
            Recorder::open(&setup.folder, "").unwrap().banner().starts_with("nothing is recorded")
        );
    }

    #[test]
    fn a_folder_that_cannot_be_created_is_an_error() {
        let setup = Setup::new("no-folder");
        let file = setup.folder.join("file");
        fs::write(&file, "").unwrap();
        for folder in [file.clone(), file.join("below")] {
            let error = Recorder::open(&folder, "a server").err().unwrap();
            assert!(error.starts_with("cannot record in "), "{error}");
        }
    }

    #[test]
    fn a_deleted_folder_stops_recording_until_it_exists_again() {
        let setup = Setup::new("gone");
        fs::remove_dir_all(&setup.folder).unwrap();
        setup.open(1);
        setup.recorder.received(1, GET);
        setup.recorder.sent(1, OK);
        assert!(setup.recorder.error_reported.load(Ordering::Relaxed));
        fs::create_dir(&setup.folder).unwrap();
        setup.open(2);
        setup.recorder.received(2, GET);
        assert_eq!(setup.files().len(), 1);
    }

    #[test]
    fn connections_that_only_the_server_closed_are_evicted() {
        let setup = Setup::new("fading");
        for number in 1..200 {
            setup.open(number);
            setup.recorder.ended(number, End::ServerClosed);
        }
        assert_eq!(setup.recorder.state().connections.len(), MAX_EVICTABLE);
    }
}

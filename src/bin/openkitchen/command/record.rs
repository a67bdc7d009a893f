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

mod assertions;
mod file;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openkitchen::{End, Observer, sys};

use super::follower::{FollowedBytes, Viewer};

use file::RecordedConnection;

/// Recordings in one folder, those of earlier runs included: enough for a day of work. With
/// [`MAX_FILE_BYTES`], the folder takes at most 17 GB.
pub const MAX_FILES: usize = 1000;

/// Bytes of text in one file: far more than a person reads of one connection.
pub const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;

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

    fn ended(&self, connection: u64, end: End) {
        self.with_connection(connection, |it| it.ended(end, self));
    }

    fn gone(&self, connection: u64) {
        // The drop writes to a file, so the lock is released before it.
        let connection = self.state().connections.remove(&connection);
        drop(connection);
    }
}

impl Viewer for Recorder {
    fn crossed(&self, connection: u64, followed: &FollowedBytes<'_>) {
        self.with_connection(connection, |it| it.crossed(followed, self));
    }
}

#[cfg(test)]
mod tests;

//! # Record: each connection to a file
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
//! `DIR/19941106T084937Z-0001-5f3a9c21-000000007.wire`, named by the start of the run, as the
//! folder's module says, and the connection's number. So the names sort in the order of the
//! connections, and no two runs have the same. It holds every byte and, as assertions, the status
//! and framing of each response.
//!
//! Rule: each event is written at once, by one `write(2)`. A crash loses at most the event that is being
//! written, and the text before it stays readable.
//!
//! If a side kept the other waiting for two seconds or more, the file says so: `--- silent 10s`. A player
//! of the file then waits as long.
//!
//! A side that sends FIN may still read. So the FIN of the first side is written as its
//! `half-close`, and that of the second as `closed`. If the client ends at once after the server,
//! the server's is written as `server closed` too. A connection that `watch` itself has ended, at a
//! stop for example, says so in a line of prose, and has no end and no assertion on one.
//!
//! Bounds: 1,000 files in the folder, 16 MiB each. Nothing is ever deleted: beyond the bounds,
//! connections and bytes are only counted. A response that the bound cuts is completed with a number of
//! bytes, so that the file still holds. The log has a warning when the bound is reached, and
//! [`Recorder::finish`] returns the count. A write error is logged once, and no client loses its
//! response by it. A slow disk does make the client wait.
//!
//! Secrets: keys and cookies are in the file as they crossed. Only the file's owner can read it (0600);
//! a folder that is created for it has mode 0700.  Next: `exchanges`.

mod folder;
mod assertions;
mod file;
mod left_out;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::follower::{FollowedBytes, Follower, Viewer, lock};
use crate::net::observer::End;
use crate::net::server::Server;
use crate::net::start_error::StartError;

use crate::route::RouteRow;
use file::RecordedConnection;
use folder::RecordingFolder;

/// A viewer that writes each connection to a file.
pub struct Recorder {
    folder: RecordingFolder,
    /// Whether the exchanges of a route are left out, and whether the server has such a route.
    leaves_out: fn(&RouteRow) -> bool,
    has_left_out: AtomicBool,
    state: Mutex<RecorderState>,
}

#[derive(Default)]
struct RecorderState {
    connections: HashMap<u64, Arc<Mutex<RecordedConnection>>>,
    is_finished: bool,
}

impl Server {
    /// Writes each connection to a file of its own in this folder, which is created if there is none. The
    /// name of the server is written into each file: see [`Recorder`].
    ///
    /// ```no_run
    /// # use openkitchen::{Server, StartError};
    /// let server = Server::bind("127.0.0.1:5000")?.recorded_in("recordings", "the site")?;
    /// # Ok::<(), StartError>(())
    /// ```
    ///
    /// # Errors
    /// The folder cannot be created, or no file can be created in it.
    pub fn recorded_in(self, folder: impl AsRef<Path>, name: &str) -> Result<Server, StartError> {
        let recorder = Recorder::open(folder.as_ref(), name)?;
        Ok(self.observed_by(Arc::new(Follower::new(vec![Arc::new(recorder)]))))
    }
}

impl Recorder {
    /// Opens the folder, or creates it. `server` is the server's name for each file's second line.
    ///
    /// # Errors
    /// The folder cannot be created, or no file can be created in it.
    pub fn open(folder: &Path, server: &str) -> Result<Recorder, StartError> {
        let folder = RecordingFolder::open(folder, server)?;
        let (state, has_left_out) = (Mutex::default(), AtomicBool::new(false));
        Ok(Recorder { folder, leaves_out: |_| false, has_left_out, state })
    }

    /// The same recorder, but the exchanges of some routes are left out: those of a page that shows
    /// exchanges. A connection with no other exchange gets no file.
    pub fn leaving_out(self, leaves_out: fn(&RouteRow) -> bool) -> Recorder {
        Recorder { leaves_out, ..self }
    }

    /// A line for the start: where the recordings are, or why there are none.
    pub fn banner(&self) -> String {
        self.folder.banner()
    }

    /// Writes the last lines of the files, and records nothing from then on. Returns a line that says
    /// how many connections were not recorded, if any.
    pub fn finish(&self) -> Option<String> {
        let connections = {
            let mut state = self.state();
            state.is_finished = true;
            std::mem::take(&mut state.connections)
        };
        connections.values().for_each(|connection| lock(connection).finish());
        self.folder.keep();
        self.folder.not_recorded()
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

impl Viewer for Recorder {
    fn started(&self, _: SocketAddr, routes: &[RouteRow]) {
        self.has_left_out.store(routes.iter().any(self.leaves_out), Ordering::Relaxed);
    }

    fn routed(&self, connection: u64, route: Option<&RouteRow>) {
        if self.has_left_out.load(Ordering::Relaxed) {
            let is_left_out = route.is_some_and(self.leaves_out);
            self.with_connection(connection, |it| it.routed(is_left_out, &self.folder));
        }
    }

    fn opened(&self, connection: u64, peer: SocketAddr) {
        let recorded = RecordedConnection::opened(connection, peer);
        let mut state = self.state();
        if !state.is_finished {
            state.connections.insert(connection, Arc::new(Mutex::new(recorded)));
        }
    }

    fn ended(&self, connection: u64, end: End) {
        self.with_connection(connection, |it| it.ended(end, &self.folder));
    }

    fn noted(&self, connection: u64, sentence: &str) {
        self.with_connection(connection, |it| it.noted(sentence, &self.folder));
    }

    fn gone(&self, connection: u64) {
        // The drop writes to a file, so the lock is released before it.
        let connection = self.state().connections.remove(&connection);
        drop(connection);
    }

    fn crossed(&self, connection: u64, followed: &FollowedBytes<'_>) {
        let holds = self.has_left_out.load(Ordering::Relaxed);
        self.with_connection(connection, |it| it.crossed(followed, holds, &self.folder));
    }
}

#[cfg(test)]
mod tests;

//! The sizes of a client's writes. TCP can split a stream anywhere, so a server must give the same
//! responses for all of them.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use openkitchen::{End, Observer};

/// How a block is split into writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Each block is one write, and the client does not wait between two blocks.
    Whole,
    /// Each line is one write.
    Lines,
    /// Each byte is one write.
    Bytes,
}

/// All paces.
pub const ALL: [Pace; 3] = [Pace::Whole, Pace::Lines, Pace::Bytes];

/// The note of a block that is one write at every pace, as in `>>> in one write`.
pub const IN_ONE_WRITE: &str = "in one write";

/// Writes of one block at [`Pace::Bytes`], at most. A longer block is sent a few bytes at a time, because
/// a megabyte would take a minute.
pub const MAX_WRITES: usize = 4096;

impl Pace {
    /// Splits a block into the bytes of its writes.
    pub fn writes(self, bytes: &[u8]) -> Vec<&[u8]> {
        match self {
            Pace::Whole => vec![bytes],
            Pace::Lines => bytes.split_inclusive(|&byte| byte == b'\n').collect(),
            Pace::Bytes => bytes.chunks(bytes.len().div_ceil(MAX_WRITES).max(1)).collect(),
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pace::Whole => "whole",
            Pace::Lines => "line by line",
            Pace::Bytes => "byte by byte",
        })
    }
}

/// An observer that lets a client wait until the server has read a write. The next write is then a read
/// of its own. Otherwise the kernel would join writes.
#[derive(Default)]
pub struct Gate {
    connections: Mutex<HashMap<u64, Progress>>,
    changed: Condvar,
}

/// How far the server is with one connection.
struct Progress {
    client: SocketAddr,
    received: usize,
    server_ended: bool,
}

/// The time in which the server must read a write.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

impl Gate {
    /// Waits until the server has read `sent` bytes from this client, or has ended the connection. `false`
    /// after the timeout.
    pub fn wait(&self, client: SocketAddr, sent: usize) -> bool {
        let is_unread = |connections: &mut HashMap<u64, Progress>| {
            let progress = connections.values().find(|progress| progress.client == client);
            progress.is_none_or(|progress| progress.received < sent && !progress.server_ended)
        };
        let connections = self.connections.lock().expect("no panic under the lock");
        let waited = self.changed.wait_timeout_while(connections, READ_TIMEOUT, is_unread);
        !waited.expect("no panic under the lock").1.timed_out()
    }

    fn update(&self, connection: u64, change: impl FnOnce(&mut Progress)) {
        let mut connections = self.connections.lock().expect("no panic under the lock");
        if let Some(progress) = connections.get_mut(&connection) {
            change(progress);
        }
        self.changed.notify_all();
    }
}

impl Observer for Gate {
    fn opened(&self, connection: u64, client: SocketAddr) {
        let progress = Progress { client, received: 0, server_ended: false };
        self.connections.lock().expect("no panic under the lock").insert(connection, progress);
        self.changed.notify_all();
    }

    fn received(&self, connection: u64, bytes: &[u8]) {
        self.update(connection, |progress| progress.received += bytes.len());
    }

    fn ended(&self, connection: u64, end: End) {
        self.update(connection, |progress| progress.server_ended |= end.is_fin_of_server());
    }
}

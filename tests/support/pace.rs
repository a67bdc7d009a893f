//! How fast bytes come. TCP cuts a stream where it likes, so a server has to give the same answers
//! wherever the cuts are.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use openkitchen::{End, Observer};

/// Where a block is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Nowhere: each block is one write, and nobody waits between two.
    Whole,
    /// Behind each LF.
    Lines,
    /// Behind each byte.
    Bytes,
}

/// All of them.
pub const ALL: [Pace; 3] = [Pace::Whole, Pace::Lines, Pace::Bytes];

/// The note of a block that is one write at every pace, as in `>>> in one write`.
pub const IN_ONE_WRITE: &str = "in one write";

/// Writes that a block becomes, at most: a longer one is not sent byte by byte but in pieces of a few
/// bytes, or a megabyte would take a minute.
const WRITES: usize = 4096;

impl Pace {
    /// The block in pieces, a write for each.
    pub fn pieces(self, bytes: &[u8]) -> Vec<&[u8]> {
        match self {
            Pace::Whole => vec![bytes],
            Pace::Lines => bytes.split_inclusive(|&byte| byte == b'\n').collect(),
            Pace::Bytes => bytes.chunks(bytes.len().div_ceil(WRITES).max(1)).collect(),
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

/// Tells a client when the server has read a piece, so that the next one is a read of its own:
/// without it the slow paces would be as quick as the kernel, and the cuts anywhere.
#[derive(Default)]
pub struct Gate {
    lines: Mutex<HashMap<u64, Seen>>,
    changed: Condvar,
}

/// What the server has done with one connection.
struct Seen {
    client: SocketAddr,
    received: usize,
    server_ended: bool,
}

/// How long a server may leave a piece unread. It never should.
const PATIENCE: Duration = Duration::from_secs(5);

impl Gate {
    /// Waits until the server has read so many bytes from that client, or ended the connection and
    /// so need not read any more. `false` when it does neither.
    pub fn wait(&self, client: SocketAddr, sent: usize) -> bool {
        let is_behind = |lines: &mut HashMap<u64, Seen>| {
            let seen = lines.values().find(|seen| seen.client == client);
            seen.is_none_or(|seen| seen.received < sent && !seen.server_ended)
        };
        let lines = self.lines.lock().expect("no panic under the lock");
        let waited = self.changed.wait_timeout_while(lines, PATIENCE, is_behind);
        !waited.expect("no panic under the lock").1.timed_out()
    }

    fn note(&self, connection: u64, what: impl FnOnce(&mut Seen)) {
        let mut lines = self.lines.lock().expect("no panic under the lock");
        if let Some(seen) = lines.get_mut(&connection) {
            what(seen);
        }
        self.changed.notify_all();
    }
}

impl Observer for Gate {
    fn opened(&self, connection: u64, client: SocketAddr) {
        let seen = Seen { client, received: 0, server_ended: false };
        self.lines.lock().expect("no panic under the lock").insert(connection, seen);
        self.changed.notify_all();
    }

    fn received(&self, connection: u64, bytes: &[u8]) {
        self.note(connection, |seen| seen.received += bytes.len());
    }

    fn ended(&self, connection: u64, end: End) {
        self.note(connection, |seen| seen.server_ended |= end == End::ServerClosed);
    }
}

#[test]
fn a_pace_cuts_a_block_and_loses_nothing() {
    assert_eq!(Pace::Lines.pieces(b"a\r\nb\n\nc"), [&b"a\r\n"[..], b"b\n", b"\n", b"c"]);
    assert_eq!(Pace::Bytes.pieces(b"abc"), [b"a", b"b", b"c"]);
    let long = vec![b'x'; 3 * WRITES + 1];
    for pace in ALL {
        assert_eq!(pace.pieces(&long).concat(), long);
        assert!(pace.pieces(&long).len() <= WRITES);
    }
}

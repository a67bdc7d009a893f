//! A conversation, held with a real server.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::judge::{Verdict, judge};
use super::oracle::{Prediction, predict};
use super::pace::Gate;

/// What a client does, from its first byte to its half-close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    pub pieces: Vec<Piece>,
    /// Before the half-close, all that is due has to come.
    pub waits_at_end: bool,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub bytes: Vec<u8>,
    pub then: Then,
}

/// What has to happen before the next write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    GoOn,
    /// The server reads it, so that the cut is one.
    IsRead,
    /// All answers that are due by now come.
    IsAnswered,
}

/// What came, and how it differs from what was foretold.
#[derive(Clone, Debug)]
pub struct Fault {
    pub why: String,
    pub came: Vec<u8>,
    pub end: Option<Ended>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Closed,
    Reset,
}

impl Conversation {
    /// All that is sent.
    pub fn bytes(&self) -> Vec<u8> {
        self.pieces.iter().flat_map(|piece| piece.bytes.iter().copied()).collect()
    }
}

/// What has come so far. A thread of its own reads, so that neither side ever waits for the other to
/// read first.
#[derive(Default)]
struct Heard {
    so_far: Mutex<(Vec<u8>, Option<Ended>)>,
    changed: Condvar,
}

/// Holds it, and compares. Nothing is waited for longer than `patience`.
pub fn hold(
    conversation: &Conversation,
    server: SocketAddr,
    gate: Option<&Gate>,
    patience: Duration,
) -> Result<(), Fault> {
    let heard = Heard::default();
    let stream = connect(server, patience);
    thread::scope(|scope| {
        scope.spawn(|| heard.listen(&stream));
        let held = speak(conversation, &stream, &heard, gate, patience);
        // Whatever has not come by now is not waited for.
        let _ = stream.shutdown(Shutdown::Both);
        held.map_err(|why| {
            let (came, end) = heard.so_far().clone();
            Fault { why, came, end }
        })
    })
}

fn connect(server: SocketAddr, patience: Duration) -> TcpStream {
    let stream = TcpStream::connect_timeout(&server, patience).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_write_timeout(Some(patience)).unwrap();
    stream
}

fn speak(
    conversation: &Conversation,
    mut stream: &TcpStream,
    heard: &Heard,
    gate: Option<&Gate>,
    patience: Duration,
) -> Result<(), String> {
    let client = stream.local_addr().unwrap();
    let mut sent = Vec::new();
    for piece in &conversation.pieces {
        sent.extend_from_slice(&piece.bytes);
        // A server that has refused may be gone: what comes, and what does not, will tell.
        let _ = stream.write_all(&piece.bytes);
        match (piece.then, gate) {
            (Then::IsAnswered, _) => heard.wait_for(&predict(&sent, false), patience)?,
            (Then::IsRead, Some(gate)) if !gate.wait(client, sent.len()) => {
                return Err(format!("the server does not read byte {}", sent.len()));
            }
            _ => {}
        }
    }
    if conversation.waits_at_end {
        heard.wait_for(&predict(&sent, false), patience)?;
    }
    let _ = stream.shutdown(Shutdown::Write);
    heard.wait_for(&predict(&sent, true), patience)
}

impl Heard {
    fn so_far(&self) -> MutexGuard<'_, (Vec<u8>, Option<Ended>)> {
        self.so_far.lock().unwrap()
    }

    fn listen(&self, mut stream: &TcpStream) {
        let mut piece = [0; 16 * 1024];
        loop {
            let read = stream.read(&mut piece);
            let (came, end) = &mut *self.so_far();
            match read {
                Ok(0) => *end = Some(Ended::Closed),
                Ok(length) => came.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => *end = Some(Ended::Reset),
            }
            self.changed.notify_one();
            if end.is_some() {
                break;
            }
        }
    }

    /// Waits until what was foretold is there, and nothing else.
    fn wait_for(&self, due: &Prediction, patience: Duration) -> Result<(), String> {
        let deadline = Instant::now() + patience;
        let mut so_far = self.so_far();
        loop {
            if so_far.1 == Some(Ended::Reset) && !due.may_reset {
                return Err("the connection is reset".to_owned());
            }
            let what = match judge(due, &so_far.0, so_far.1.is_some()) {
                Verdict::Agrees => return Ok(()),
                Verdict::Waits(what) => what,
                Verdict::Differs(why) => return Err(why),
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("nobody sends {what}"));
            }
            so_far = self.changed.wait_timeout(so_far, left).unwrap().0;
        }
    }
}

impl fmt::Display for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Then::GoOn => "",
            Then::IsRead => "and wait until it is read",
            Then::IsAnswered => "and wait for the answers",
        })
    }
}

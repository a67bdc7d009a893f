//! Runs one conversation with a server, over a socket.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::judge::{Verdict, judge};
use super::predict::{Prediction, predict};
use crate::support::pace::Gate;

/// What a client does on one connection, from its first byte to its half-close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    pub writes: Vec<ClientWrite>,
    /// Whether the client waits for all predicted responses before it half-closes.
    pub waits_at_end: bool,
}

/// The bytes of one write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientWrite {
    pub bytes: Vec<u8>,
    pub wait: WaitFor,
}

/// What the client waits for before the next write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitFor {
    Nothing,
    /// The server has read the bytes, so that the next write is a read of its own.
    Read,
    /// All responses that are predicted so far.
    Responses,
}

/// Why a conversation failed, and what the client received.
#[derive(Clone, Debug)]
pub struct Failure {
    pub why: String,
    pub received: Vec<u8>,
    pub end: Option<ConnectionEnd>,
}

/// How the server ended the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEnd {
    Closed,
    Reset,
}

impl Conversation {
    /// All bytes that the client sends.
    pub fn bytes(&self) -> Vec<u8> {
        self.writes.iter().flat_map(|write| write.bytes.iter().copied()).collect()
    }
}

/// What the client has received so far. A thread of its own reads: if one thread did both, client and
/// server could each wait for the other to read.
#[derive(Default)]
struct Received {
    state: Mutex<(Vec<u8>, Option<ConnectionEnd>)>,
    changed: Condvar,
}

/// Runs a conversation, and compares what the client receives with the prediction. No wait is longer
/// than `time_budget`.
pub fn run(
    conversation: &Conversation,
    server: SocketAddr,
    gate: Option<&Gate>,
    time_budget: Duration,
) -> Result<(), Failure> {
    let received = Received::default();
    let stream = connect(server, time_budget);
    thread::scope(|scope| {
        scope.spawn(|| received.read_to_end(&stream));
        let result = send(conversation, &stream, &received, gate, time_budget);
        // This ends the reader thread too.
        let _ = stream.shutdown(Shutdown::Both);
        result.map_err(|why| {
            let (received, end) = received.state().clone();
            Failure { why, received, end }
        })
    })
}

fn connect(server: SocketAddr, time_budget: Duration) -> TcpStream {
    let stream = TcpStream::connect_timeout(&server, time_budget).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_write_timeout(Some(time_budget)).unwrap();
    stream
}

fn send(
    conversation: &Conversation,
    mut stream: &TcpStream,
    received: &Received,
    gate: Option<&Gate>,
    time_budget: Duration,
) -> Result<(), String> {
    let client = stream.local_addr().unwrap();
    let mut sent = Vec::new();
    for write in &conversation.writes {
        sent.extend_from_slice(&write.bytes);
        // After a refusal the server may have closed. The responses show whether that is an error.
        let _ = stream.write_all(&write.bytes);
        match (write.wait, gate) {
            (WaitFor::Responses, _) => received.wait_for(&predict(&sent, false), time_budget)?,
            (WaitFor::Read, Some(gate)) if !gate.wait(client, sent.len()) => {
                return Err(format!("the server does not read byte {}", sent.len()));
            }
            _ => {}
        }
    }
    if conversation.waits_at_end {
        received.wait_for(&predict(&sent, false), time_budget)?;
    }
    let _ = stream.shutdown(Shutdown::Write);
    received.wait_for(&predict(&sent, true), time_budget)
}

impl Received {
    fn state(&self) -> MutexGuard<'_, (Vec<u8>, Option<ConnectionEnd>)> {
        self.state.lock().unwrap()
    }

    fn read_to_end(&self, mut stream: &TcpStream) {
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = stream.read(&mut buffer);
            let (bytes, end) = &mut *self.state();
            match read {
                Ok(0) => *end = Some(ConnectionEnd::Closed),
                Ok(length) => bytes.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => *end = Some(ConnectionEnd::Reset),
            }
            self.changed.notify_one();
            if end.is_some() {
                break;
            }
        }
    }

    /// Waits until the received bytes agree with the prediction. Returns at once when they differ.
    fn wait_for(&self, expected: &Prediction, time_budget: Duration) -> Result<(), String> {
        let deadline = Instant::now() + time_budget;
        let mut state = self.state();
        loop {
            if state.1 == Some(ConnectionEnd::Reset) && !expected.may_reset {
                return Err("the server resets the connection".to_owned());
            }
            let missing = match judge(expected, &state.0, state.1.is_some()) {
                Verdict::Agrees => return Ok(()),
                Verdict::Incomplete(missing) => missing,
                Verdict::Differs(why) => return Err(why),
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("the server does not send {missing}"));
            }
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }
}

impl fmt::Display for WaitFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WaitFor::Nothing => "",
            WaitFor::Read => "and wait until it is read",
            WaitFor::Responses => "and wait for the responses",
        })
    }
}

//! A client for load tests: sends request after request, and finds out what happened to each.
//!
//! A client that keeps a connection may send a request just when the server closes that connection. RFC
//! 9112 section 9.5 allows this, and no server can prevent it. But a server must not discard a request
//! that has arrived. On Linux, TCP tells the two cases apart:
//!
//! | the client receives | what happened |
//! |---|---|
//! | FIN, and then RST for the request | the server closed before the request arrived: they crossed |
//! | RST alone | the request arrived, and the server closed the socket without reading it |
//! | FIN alone | the server read the request and sent no response |

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::process::TIMEOUT;

/// The longest time until the RST for a late request arrives.
const RESET_TIMEOUT: Duration = Duration::from_millis(200);

/// What happened to one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The whole response arrived, and it was the expected one.
    Answered,
    /// The connection was refused: no socket listens.
    Refused,
    /// The request was in flight when the server closed the connection.
    Crossed,
    /// The request arrived, and the server did not read it.
    NotRead,
    /// The server read the request, and sent no response.
    NotAnswered,
    /// The response began, and was not complete.
    Incomplete,
    /// An unexpected response, as text.
    Wrong(String),
    /// No response and no end of the connection until the timeout, or an unknown error.
    TimedOut,
}

/// One request: its outcome and its times.
pub struct Attempt {
    pub outcome: Outcome,
    /// Whether this was the first request on its connection.
    pub is_first: bool,
    /// The times before and after the `connect` of its connection.
    pub connected: (Instant, Instant),
    /// The time after the last byte of the request was written to the socket.
    pub sent: Instant,
}

/// A client that sends one request after another.
pub struct LoadClient {
    address: SocketAddr,
    keeps_alive: bool,
    connection: Option<Connection>,
    /// Requests so far. The number is part of the content of a request.
    requests: u64,
    /// Makes the pauses of each client different.
    seed: u64,
}

struct Connection {
    stream: TcpStream,
    connected: (Instant, Instant),
    is_new: bool,
}

impl Connection {
    /// Whether the client has not received the end of the connection yet.
    fn is_open(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).unwrap();
        peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

impl LoadClient {
    /// A client that keeps its connection, or one that opens a new connection for each request.
    pub fn new(address: SocketAddr, keeps_alive: bool, seed: u64) -> LoadClient {
        LoadClient { address, keeps_alive, connection: None, requests: 0, seed }
    }

    /// Sleeps for a pseudo-random time below this.
    pub fn pause(&self, max_microseconds: u64) {
        let random = (self.seed * 0x9e37 + self.requests).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        if let Some(pause) = random.checked_rem(max_microseconds) {
            thread::sleep(Duration::from_micros(pause));
        }
    }

    /// Sends the next request, and reads the response: a page; or an echo of content, which is sent
    /// with its length or in chunks, one write each.
    pub fn send(&mut self) -> Attempt {
        self.requests += 1;
        let mut connection = match self.connection.take().filter(Connection::is_open) {
            Some(connection) => connection,
            None => {
                let before = Instant::now();
                let result = connect(self.address);
                let connected = (before, Instant::now());
                match result {
                    Ok(stream) => Connection { stream, connected, is_new: true },
                    Err(error) => {
                        let (outcome, sent) = (outcome_of(error), connected.1);
                        return Attempt { outcome, is_first: true, connected, sent };
                    }
                }
            }
        };
        let is_first = std::mem::replace(&mut connection.is_new, false);
        let (writes, content) = self.next_request();
        let mut written = Ok(());
        for bytes in writes {
            written = written.and_then(|()| connection.stream.write_all(bytes.as_bytes()));
        }
        let sent = Instant::now();
        let response = written
            .map_err(outcome_of)
            .and_then(|()| read_response(&mut connection.stream, content.as_deref()));
        let connected = connection.connected;
        let outcome = match response {
            Ok(stays_open) => {
                self.connection = Some(connection).filter(|_| stays_open && self.keeps_alive);
                Outcome::Answered
            }
            Err(Outcome::NotAnswered) if was_reset(&connection.stream) => Outcome::Crossed,
            Err(outcome) => outcome,
        };
        Attempt { outcome, is_first, connected, sent }
    }

    /// The writes of the next request, and the content that the response must have.
    fn next_request(&self) -> (Vec<String>, Option<String>) {
        let end = if self.keeps_alive { "\r\n" } else { "Connection: close\r\n\r\n" };
        let content = format!("content {:08}", self.requests);
        let (length, (first, second)) = (content.len(), content.split_at(8));
        match self.requests % 4 {
            0 => {
                let head = format!(
                    "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n{end}"
                );
                let last = format!("{:x}\r\n{second}\r\n0\r\n\r\n", second.len());
                (vec![head, format!("8\r\n{first}\r\n"), last], Some(content))
            }
            1 => {
                let head =
                    format!("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n{end}");
                (vec![head + &content], Some(content))
            }
            _ => (vec![format!("GET /about HTTP/1.1\r\nHost: h\r\n{end}")], None),
        }
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The outcome that an error before the first byte of a response shows. Linux reports a reset that
/// follows a FIN as EPIPE.
fn outcome_of(error: io::Error) -> Outcome {
    match error.kind() {
        ErrorKind::ConnectionRefused => Outcome::Refused,
        ErrorKind::ConnectionReset => Outcome::NotRead,
        ErrorKind::BrokenPipe => Outcome::Crossed,
        _ => Outcome::TimedOut,
    }
}

/// Reads one response. Returns whether the connection stays open after it.
fn read_response(stream: &mut TcpStream, content: Option<&str>) -> Result<bool, Outcome> {
    let (mut received, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        match stream.read(&mut buffer) {
            Ok(length @ 1..) => received.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ if !received.is_empty() => return Err(Outcome::Incomplete),
            Ok(_) => return Err(Outcome::NotAnswered),
            Err(error) => return Err(outcome_of(error)),
        }
        let text = String::from_utf8_lossy(&received);
        let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let field = |name| head.lines().find_map(|line| line.strip_prefix(name));
        let length = field("content-length: ").and_then(|length| length.parse().ok());
        if length.is_none_or(|length: usize| rest.len() < length) {
            continue;
        }
        let is_expected = content.is_none_or(|content| content == rest);
        if !head.starts_with("http/1.1 200 ") || !is_expected {
            return Err(Outcome::Wrong(text.into_owned()));
        }
        return Ok(field("connection: ") != Some("close"));
    }
}

/// Whether a reset for the last request arrives after the end of the connection.
fn was_reset(stream: &TcpStream) -> bool {
    let since = Instant::now();
    while since.elapsed() < RESET_TIMEOUT {
        if matches!(stream.take_error(), Ok(Some(_)) | Err(_)) {
            return true;
        }
        thread::sleep(Duration::from_millis(1));
    }
    false
}

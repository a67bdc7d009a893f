//! A guest who asks again and again, and can tell what became of a request that was not answered.
//!
//! A client that keeps a connection may send a request just when the server closes it (RFC 9112
//! section 9.5), and no server can help that: it is lawful. To throw away what has arrived is not.
//! TCP itself tells the two apart, on Linux:
//!
//! | what comes back | what has happened |
//! |---|---|
//! | FIN, and RST for the request | the connection had ended before the request arrived: they crossed |
//! | RST alone | the request had arrived, and the socket was closed with it unread |
//! | FIN alone | the request was read, and not answered |

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::process::TIMEOUT;

/// Time in which the RST for what came too late is here.
const RESET_COMES: Duration = Duration::from_millis(200);

/// What became of one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// The whole answer came, and it was the right one.
    Answered,
    /// Nobody listens.
    Refused,
    /// It was on its way when the server ended the connection.
    Crossed,
    /// It had arrived, and was not even read.
    LeftUnread,
    /// It was read.
    LeftUnanswered,
    /// The answer began, and did not come whole.
    CutShort,
    /// Another answer than the one to this question.
    Wrong(String),
    /// No answer, and no end.
    Silence,
}

/// One request, and what is known of it.
pub struct Visit {
    pub fate: Fate,
    /// The connection was made for it.
    pub is_first: bool,
    /// The time before the connection was asked for, and after it was there.
    pub connected: (Instant, Instant),
    /// The time when the last byte of the request had been handed to the system.
    pub sent: Instant,
}

/// A client of one request after another.
pub struct Guest {
    address: SocketAddr,
    keeps: bool,
    line: Option<Line>,
    /// Requests so far; each is told apart by it.
    asked: u64,
    /// What its pauses are made of.
    seed: u64,
}

struct Line {
    stream: TcpStream,
    connected: (Instant, Instant),
    is_new: bool,
}

impl Line {
    /// Whether the server has not ended it yet, which a client looks at before it goes on.
    fn is_open(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).unwrap();
        peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

impl Guest {
    /// One who keeps a connection as long as it may, or one who takes a new one each time.
    pub fn new(address: SocketAddr, keeps: bool, seed: u64) -> Guest {
        Guest { address, keeps, line: None, asked: 0, seed }
    }

    /// Waits before the next request, each time for another time.
    pub fn think(&self, longest_in_microseconds: u64) {
        let random = (self.seed * 0x9e37 + self.asked).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        if let Some(pause) = random.checked_rem(longest_in_microseconds) {
            thread::sleep(Duration::from_micros(pause));
        }
    }

    /// The next request: a page, or content that has to come back, with its length or in chunks that
    /// are sent one by one.
    pub fn visit(&mut self) -> Visit {
        self.asked += 1;
        let mut line = match self.line.take().filter(Line::is_open) {
            Some(line) => line,
            None => {
                let before = Instant::now();
                let made = connect(self.address);
                let connected = (before, Instant::now());
                match made {
                    Ok(stream) => Line { stream, connected, is_new: true },
                    Err(error) => {
                        let (fate, sent) = (ending(error), connected.1);
                        return Visit { fate, is_first: true, connected, sent };
                    }
                }
            }
        };
        let is_first = std::mem::replace(&mut line.is_new, false);
        let (pieces, content) = self.question();
        let mut sent = Ok(());
        for piece in pieces {
            sent = sent.and_then(|()| line.stream.write_all(piece.as_bytes()));
        }
        let when = Instant::now();
        let heard = sent.map_err(ending).and_then(|()| hear(&mut line.stream, content.as_deref()));
        let connected = line.connected;
        let fate = match heard {
            Ok(stays) => {
                self.line = Some(line).filter(|_| stays && self.keeps);
                Fate::Answered
            }
            Err(Fate::LeftUnanswered) if was_reset(&line.stream) => Fate::Crossed,
            Err(fate) => fate,
        };
        Visit { fate, is_first, connected, sent: when }
    }

    fn question(&self) -> (Vec<String>, Option<String>) {
        let end = if self.keeps { "\r\n" } else { "Connection: close\r\n\r\n" };
        let content = format!("question {:08}", self.asked);
        let (length, (one, other)) = (content.len(), content.split_at(8));
        match self.asked % 4 {
            0 => {
                let head = format!(
                    "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n{end}"
                );
                let chunks = format!("{:x}\r\n{other}\r\n0\r\n\r\n", other.len());
                (vec![head, format!("8\r\n{one}\r\n"), chunks], Some(content))
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

/// What an error says, before the first byte of an answer. Linux has another one for a reset behind
/// a FIN: EPIPE.
fn ending(error: io::Error) -> Fate {
    match error.kind() {
        ErrorKind::ConnectionRefused => Fate::Refused,
        ErrorKind::ConnectionReset => Fate::LeftUnread,
        ErrorKind::BrokenPipe => Fate::Crossed,
        _ => Fate::Silence,
    }
}

/// Reads one answer; whether the connection stays.
fn hear(stream: &mut TcpStream, content: Option<&str>) -> Result<bool, Fate> {
    let (mut answer, mut piece) = (Vec::new(), [0; 16 * 1024]);
    loop {
        match stream.read(&mut piece) {
            Ok(length @ 1..) => answer.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ if !answer.is_empty() => return Err(Fate::CutShort),
            Ok(_) => return Err(Fate::LeftUnanswered),
            Err(error) => return Err(ending(error)),
        }
        let text = String::from_utf8_lossy(&answer);
        let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let field = |name| head.lines().find_map(|line| line.strip_prefix(name));
        let length = field("content-length: ").and_then(|length| length.parse().ok());
        if length.is_none_or(|length: usize| rest.len() < length) {
            continue;
        }
        let is_right = content.is_none_or(|content| content == rest);
        if !head.starts_with("http/1.1 200 ") || !is_right {
            return Err(Fate::Wrong(text.into_owned()));
        }
        return Ok(field("connection: ") != Some("close"));
    }
}

/// Whether a reset has come back for the last request, behind the end of the connection.
fn was_reset(stream: &TcpStream) -> bool {
    let since = Instant::now();
    while since.elapsed() < RESET_COMES {
        if matches!(stream.take_error(), Ok(Some(_)) | Err(_)) {
            return true;
        }
        thread::sleep(Duration::from_millis(1));
    }
    false
}

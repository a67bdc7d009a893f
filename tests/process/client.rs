//! A client that writes the very bytes it is given, and reads answers by RFC 9112 section 6.3 alone:
//! it shares no line with the library, so both cannot be wrong in the same way.

use std::io::{ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::{TIMEOUT, read_once};

/// One connection.
pub struct Client {
    pub stream: TcpStream,
    /// What has come and belongs to no answer yet.
    early: Vec<u8>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.set_write_timeout(Some(TIMEOUT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, early: Vec::new() }
    }

    /// Writes these bytes. A server that is gone is noticed by whoever reads.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// The next answer.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.response_or_end().expect("the connection ended before the answer")
    }

    /// The next answer; `None` where the connection ends before it is whole.
    pub fn response_or_end(&mut self) -> Option<Response> {
        loop {
            let head = self.early.windows(4).position(|end| end == b"\r\n\r\n");
            if let Some(head) = head.map(|at| at + 4) {
                let mut answer = Response::parse(&self.early[..head]);
                let length = answer.length();
                if self.early.len() >= head + length {
                    answer.content = self.early[head..head + length].to_vec();
                    self.early.drain(..head + length);
                    return Some(answer);
                }
            }
            if !self.more() {
                return None;
            }
        }
    }

    /// Everything up to the end of the connection.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.early)
    }

    /// Says that this side has no more to send.
    pub fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Reads once; false at the end. A reset is an end, too; silence is none.
    fn more(&mut self) -> bool {
        let mut piece = [0; 64 * 1024];
        match read_once(&self.stream, &mut piece) {
            Ok(length) => {
                self.early.extend_from_slice(&piece[..length]);
                length > 0
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("silent for {TIMEOUT:?}; so far: {}", self.early.escape_ascii());
            }
            Err(_) => false,
        }
    }
}

/// What came back.
pub struct Response {
    pub status: u16,
    /// The status line and the field lines, with their line ends, without the empty line.
    pub head: String,
    pub content: Vec<u8>,
}

impl Response {
    /// Takes one answer apart, of which all is there.
    #[track_caller]
    pub fn parse(bytes: &[u8]) -> Response {
        let end = bytes.windows(4).position(|end| end == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer: {}", bytes.escape_ascii()));
        let head = String::from_utf8(bytes[..end + 2].to_vec()).unwrap();
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {head}"));
        Response { status, head, content: bytes[end + 4..].to_vec() }
    }

    /// The value of the one field with this name, if it is there.
    pub fn field(&self, name: &str) -> Option<&str> {
        let values = self.fields(name);
        assert!(values.len() < 2, "{name} stands twice: {}", self.head);
        values.first().copied()
    }

    /// The values of all fields with this name.
    pub fn fields(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    /// The content as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.content).unwrap()
    }

    /// Bytes of content that belong to it, where it does not answer HEAD.
    fn length(&self) -> usize {
        assert!(self.field("transfer-encoding").is_none(), "no route of the site streams");
        match self.status {
            100..200 | 204 | 304 => 0,
            _ => self.field("content-length").expect("a length").parse().unwrap(),
        }
    }
}

//! An HTTP client for tests: sends exactly the bytes that it is given, and reads responses.
//!
//! It finds the end of a response by RFC 9112 section 6.3 alone. It shares no code with the
//! library, so that an error in the library cannot hide here too.

use std::io::{ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::process::{TIMEOUT, read_once};

/// One connection.
pub struct Client {
    pub stream: TcpStream,
    /// Received bytes that belong to no response yet.
    received: Vec<u8>,
}

/// A client on a connection whose timeouts are set.
impl From<TcpStream> for Client {
    fn from(stream: TcpStream) -> Client {
        Client { stream, received: Vec::new() }
    }
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.set_write_timeout(Some(TIMEOUT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client::from(stream)
    }

    /// Writes these bytes. Errors are ignored: if the server has closed, the next read shows it.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Reads the next response. It must not be a response to HEAD.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.response_or_end().expect("the connection ended before the response")
    }

    /// Reads the next response; `None` if the connection ends before the response is complete.
    pub fn response_or_end(&mut self) -> Option<Response> {
        loop {
            let head = self.received.windows(4).position(|end| end == b"\r\n\r\n");
            if let Some(head) = head.map(|at| at + 4) {
                let mut response = Response::parse(&self.received[..head]);
                let length = response.content_length();
                if self.received.len() >= head + length {
                    response.content = self.received[head..head + length].to_vec();
                    self.received.drain(..head + length);
                    return Some(response);
                }
            }
            if !self.read_more() {
                return None;
            }
        }
    }

    /// Everything up to the end of the connection.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        while self.read_more() {}
        std::mem::take(&mut self.received)
    }

    /// Half-closes the connection: the server reads its end, and the client still reads responses.
    pub fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Reads once. False at the end of the connection, also after a reset; a timeout fails the
    /// test.
    fn read_more(&mut self) -> bool {
        let mut buffer = [0; 64 * 1024];
        match read_once(&self.stream, &mut buffer) {
            Ok(length) => {
                self.received.extend_from_slice(&buffer[..length]);
                length > 0
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("no bytes for {TIMEOUT:?}; so far: {}", self.received.escape_ascii());
            }
            Err(_) => false,
        }
    }
}

/// A response as the client received it.
pub struct Response {
    pub status: u16,
    /// The status line and the field lines, with their line ends, without the empty line.
    pub head: String,
    pub content: Vec<u8>,
}

impl Response {
    /// Parses bytes that hold exactly one response: all after the head is its content.
    #[track_caller]
    pub fn parse(bytes: &[u8]) -> Response {
        let end = bytes.windows(4).position(|end| end == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no response: {}", bytes.escape_ascii()));
        let head = String::from_utf8(bytes[..end + 2].to_vec()).unwrap();
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {head}"));
        Response { status, head, content: bytes[end + 4..].to_vec() }
    }

    /// The value of the field with this name. The test fails if there are two.
    pub fn field(&self, name: &str) -> Option<&str> {
        let values = self.fields(name);
        assert!(values.len() < 2, "{name} is sent twice: {}", self.head);
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

    /// Bytes of content after the head. Chunks are not read.
    fn content_length(&self) -> usize {
        assert!(self.field("transfer-encoding").is_none(), "chunks are not read here");
        match self.status {
            100..200 | 204 | 304 => 0,
            _ => self.field("content-length").expect("a length").parse().unwrap(),
        }
    }
}

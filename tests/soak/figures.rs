//! What can be measured from outside: how long somebody waited.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::process::TIMEOUT;

/// Whoever waits so long for a page was kept out, however busy the machine is: it is less than any
/// deadline that could come to help.
pub const TOO_LONG: Duration = Duration::from_secs(3);

/// How long each of many visits took.
#[derive(Default)]
pub struct Waits {
    pub all: Vec<Duration>,
    pub failed: usize,
}

impl Waits {
    /// One visit of a client that is new: it connects, asks for a page and hears all of it.
    pub fn visit(&mut self, address: SocketAddr) {
        let began = Instant::now();
        match page(address) {
            Ok(()) => self.all.push(began.elapsed()),
            Err(_) => self.failed += 1,
        }
    }

    /// Whether everybody was served, and nobody had to wait too long.
    pub fn are_well(&self) -> bool {
        self.failed == 0 && self.all.iter().all(|wait| *wait < TOO_LONG)
    }

    /// What so many of a hundred did not exceed.
    pub fn percentile(&self, of_hundred: usize) -> Duration {
        let mut sorted = self.all.clone();
        sorted.sort_unstable();
        let place = (sorted.len() * of_hundred / 100).min(sorted.len().saturating_sub(1));
        sorted.get(place).copied().unwrap_or_default()
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, max] = [50, 99, 100].map(|of_hundred| self.percentile(of_hundred));
        let Waits { all, failed } = self;
        write!(
            f,
            "{} visits, {failed} failed; p50 {p50:.0?}, p99 {p99:.0?}, max {max:.1?}",
            all.len()
        )
    }
}

/// The one in the middle.
pub fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

/// A connection on which one request has been answered.
pub fn greeted(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nok") {
        let mut piece = [0; 1024];
        match stream.read(&mut piece)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            length => answer.extend_from_slice(&piece[..length]),
        }
    }
    Ok(stream)
}

fn page(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, TOO_LONG)?;
    stream.set_read_timeout(Some(TOO_LONG))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let is_page = answer.starts_with(b"HTTP/1.1 200 OK\r\n");
    if is_page { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
}

/// Waits until that holds; false where it does not in time.
pub fn comes_true(within: Duration, holds: impl Fn() -> bool) -> bool {
    let since = Instant::now();
    while !holds() {
        if since.elapsed() > within {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

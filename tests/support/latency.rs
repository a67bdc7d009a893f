//! Measurements from outside a server: the latency of new clients, medians, and waiting for a condition.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::process::TIMEOUT;

/// The longest latency of a new client. It allows for a busy machine, and is less than each timeout of
/// a server that could end a slow connection and so hide a fault.
pub const MAX_LATENCY: Duration = Duration::from_secs(3);

/// The latencies of many new clients.
#[derive(Default)]
pub struct Latencies {
    pub all: Vec<Duration>,
    pub failed: usize,
}

impl Latencies {
    /// Measures one exchange on a new connection, from `connect` to the end of the response.
    pub fn measure(&mut self, address: SocketAddr) {
        let began = Instant::now();
        match get_page(address) {
            Ok(()) => self.all.push(began.elapsed()),
            Err(_) => self.failed += 1,
        }
    }

    /// Whether each client was served in time.
    pub fn are_in_time(&self) -> bool {
        self.failed == 0 && self.all.iter().all(|latency| *latency < MAX_LATENCY)
    }

    /// The latency that this percentage of the clients did not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.all.clone();
        sorted.sort_unstable();
        let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(index).copied().unwrap_or_default()
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, max] = [50, 99, 100].map(|percent| self.percentile(percent));
        let Latencies { all, failed } = self;
        write!(
            f,
            "{} exchanges, {failed} failed; p50 {p50:.0?}, p99 {p99:.0?}, max {max:.1?}",
            all.len()
        )
    }
}

pub fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

/// Opens a connection on which one request has been answered.
pub fn served_connection(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")?;
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\nok") {
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            length => response.extend_from_slice(&buffer[..length]),
        }
    }
    Ok(stream)
}

fn get_page(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, MAX_LATENCY)?;
    stream.set_read_timeout(Some(MAX_LATENCY))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response)?;
    let is_page = response.starts_with(b"HTTP/1.1 200 OK\r\n");
    if is_page { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
}

/// Waits until the condition holds; false if it does not hold within this time.
pub fn wait_until(within: Duration, holds: impl Fn() -> bool) -> bool {
    let since = Instant::now();
    while !holds() {
        if since.elapsed() > within {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

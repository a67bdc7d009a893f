//! # Connect to a server: resolve its name, and try each of its addresses  Next: `client`.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Resolves `host:port` to socket addresses.
///
/// # Errors
/// The host name has no known address.
pub fn resolve(authority: &str) -> Result<Vec<SocketAddr>, String> {
    let found: Vec<SocketAddr> =
        authority.to_socket_addrs().map(Iterator::collect).unwrap_or_default();
    if found.is_empty() {
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        return Err(format!("the host name {host} has no known address; check the spelling"));
    }
    Ok(found)
}

/// Connects to the first of these addresses that accepts. Each attempt may take `timeout`.
///
/// # Errors
/// The error of the last attempt: see [`why`].
pub fn connect(addresses: &[SocketAddr], timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect_timeout(address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Says why a connection attempt failed, for the user.
pub fn why(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "no server listens there".to_owned(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "the connection timed out".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_host_name_is_reported_without_its_port() {
        let error = resolve("no.such.host.invalid:80").unwrap_err();
        assert!(error.starts_with("the host name no.such.host.invalid has no"), "{error}");
        assert_eq!(resolve("127.0.0.1:80").map(|found| found.len()), Ok(1));
    }
}

//! The address of a server: reads it as the user typed it, resolves it, and connects to it.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::CliError;
use super::flags::{self, ADDRESS};

/// Returns `host:port` for what the user typed: `host:port`, a port alone, `:5000`, or a URL.
///
/// # Errors
/// What an address looks like.
pub fn authority(typed: &str) -> Result<String, CliError> {
    if typed.starts_with("https:") {
        let sentence = "https means TLS, which openkitchen does not speak: \
                        give the address of a plain HTTP server";
        return Err(CliError::Usage(sentence.into()));
    }
    let url = typed.strip_prefix("http://");
    let bare = url.unwrap_or(typed);
    let bare = bare.split(['/', '?', '#']).next().unwrap_or_default();
    let bare = if url.is_none() { bare.strip_prefix(':').unwrap_or(bare) } else { bare };
    let with_default = (url.is_some() && !bare.is_empty()).then(|| format!("{bare}:80"));
    flags::address(bare)
        .or(with_default)
        .ok_or_else(|| CliError::Usage(format!("ADDR takes {ADDRESS}, or a port, not `{typed}`")))
}

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
    fn an_address_is_a_port_a_host_with_a_port_or_a_url() {
        for (typed, address) in [
            ("5000", "127.0.0.1:5000"),
            (":5000", "127.0.0.1:5000"),
            ("localhost:5000", "localhost:5000"),
            ("[::1]:5000", "[::1]:5000"),
            ("http://127.0.0.1:5000", "127.0.0.1:5000"),
            ("http://127.0.0.1:5000/about?x=1", "127.0.0.1:5000"),
            ("http://example.test/", "example.test:80"),
            ("http://[::1]/", "[::1]:80"),
        ] {
            assert_eq!(authority(typed), Ok(address.to_owned()), "{typed}");
        }
        for typed in ["", "localhost", "host:port", "70000", "https://h:1/", "http://", "http:///"]
        {
            assert!(matches!(authority(typed), Err(CliError::Usage(_))), "{typed}");
        }
    }

    #[test]
    fn an_unknown_host_name_is_reported_without_its_port() {
        let error = resolve("no.such.host.invalid:80").unwrap_err();
        assert!(error.starts_with("the host name no.such.host.invalid has no"), "{error}");
        assert_eq!(resolve("127.0.0.1:80").map(|found| found.len()), Ok(1));
    }
}

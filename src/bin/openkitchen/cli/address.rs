//! The address of somebody's server, as people have it at hand, and the way there.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::CliError;
use super::flags::{self, ADDRESS};

/// `host:port` out of all that people write for it: a port alone, `:5000`, a URL.
///
/// # Errors
/// What it should have been.
pub fn authority(typed: &str) -> Result<String, CliError> {
    if typed.starts_with("https:") {
        let sentence = "https is TLS, which this does not speak: name the plain HTTP behind it";
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

/// Where that is.
///
/// # Errors
/// That nobody knows.
pub fn find(authority: &str) -> Result<Vec<SocketAddr>, String> {
    let found: Vec<SocketAddr> =
        authority.to_socket_addrs().map(Iterator::collect).unwrap_or_default();
    if found.is_empty() {
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        return Err(format!("nobody knows a host named {host}"));
    }
    Ok(found)
}

/// A connection to the first of these that answers, each of which has so long.
///
/// # Errors
/// Why the last of them did not: see [`why`].
pub fn connect(addresses: &[SocketAddr], time: Duration) -> io::Result<TcpStream> {
    let mut failed = io::Error::from(ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect_timeout(address, time) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Why nobody was reached, for people.
pub fn why(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "nobody answers".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_understood_however_it_is_written() {
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
    fn a_name_that_nobody_knows_is_told_without_its_port() {
        let told = "nobody knows a host named no.such.host.invalid";
        assert_eq!(find("no.such.host.invalid:80"), Err(told.to_owned()));
        assert_eq!(find("127.0.0.1:80").map(|found| found.len()), Ok(1));
    }
}

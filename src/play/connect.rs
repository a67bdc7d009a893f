//! # Connect to a server: resolve its name, and try each of its addresses  Next: `client`.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// The longest time that a caller can set: it can be added to the clock.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(86_400 * 365);

/// Resolves `host:port` to socket addresses. The name localhost has both loopback addresses, whatever
/// the resolver knows (RFC 6761 section 6.3): many servers listen at one of them only.
///
/// # Errors
/// The host name has no known address.
pub fn resolve(authority: &str) -> Result<Vec<SocketAddr>, String> {
    if let Some((host, port)) = authority.rsplit_once(':')
        && host.eq_ignore_ascii_case("localhost")
        && let Ok(port) = port.parse::<u16>()
    {
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]);
    }
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
/// The error of the first attempt that a machine has answered or was silent to, or else of the last
/// attempt: see [`why`]. That this machine has no IPv6 says nothing about the server.
pub fn connect(addresses: &[SocketAddr], timeout: Duration) -> io::Result<TcpStream> {
    let mut told = io::Error::from(ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect_timeout(address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(_) if is_of_server(&told) => {}
            Err(error) => told = error,
        }
    }
    Err(told)
}

/// Whether the attempt failed at the server's machine.
fn is_of_server(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::TimedOut | ErrorKind::WouldBlock
    )
}

/// The addresses as text: `127.0.0.1:5000 and [::1]:5000`.
pub fn listed(addresses: &[SocketAddr]) -> String {
    let texts: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    texts.join(" and ")
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
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_unknown_host_name_is_reported_without_its_port() {
        let error = resolve("no.such.host.invalid:80").unwrap_err();
        assert!(error.starts_with("the host name no.such.host.invalid has no"), "{error}");
        assert_eq!(resolve("127.0.0.1:80").map(|found| found.len()), Ok(1));
    }

    #[test]
    fn localhost_is_both_loopback_addresses_and_the_first_that_accepts_is_taken() {
        let addresses = resolve("LocalHost:80").unwrap();
        assert_eq!(listed(&addresses), "127.0.0.1:80 and [::1]:80");
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let listening = first.local_addr().unwrap();
        let timeout = Duration::from_secs(5);
        for addresses in [[closed, listening], [listening, closed]] {
            let peer = connect(&addresses, timeout).and_then(|stream| stream.peer_addr());
            assert_eq!(peer.unwrap(), listening);
        }
        // The refusal is told, and not that the second address is no address of a server.
        let no_address = "0.0.0.0:0".parse().unwrap();
        for addresses in [[closed, no_address], [no_address, closed]] {
            let error = connect(&addresses, timeout).unwrap_err();
            assert_eq!(why(&error), "no server listens there");
        }
    }
}

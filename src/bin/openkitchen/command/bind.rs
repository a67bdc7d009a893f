//! Binds the listening socket. An error is one sentence: what happened, and what to do.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use openkitchen::net::server;

/// Binds an address such as `127.0.0.1:5000`, `[::1]:0` or `localhost:5000`, and listens.
///
/// # Errors
/// A sentence for the user.
pub fn bind(address: &str) -> Result<TcpListener, String> {
    let addresses: Vec<SocketAddr> = address
        .to_socket_addrs()
        .map_err(|_| {
            format!("`{address}` is not an address to listen on; write it like 127.0.0.1:5000 or [::1]:5000")
        })?
        .collect();
    server::listen(&addresses[..]).map_err(|error| why(address, &error))
}

fn why(address: &str, error: &io::Error) -> String {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let number: u16 = port.parse().unwrap_or(0);
    match error.kind() {
        ErrorKind::AddrInUse => {
            let macos = if cfg!(target_os = "macos") && number == 5000 {
                " (on macOS by AirPlay Receiver: System Settings, General, AirDrop & Handoff)"
            } else {
                ""
            };
            let next = number.checked_add(1).unwrap_or(5001);
            format!("port {port} is in use{macos}; try --listen {host}:{next}")
        }
        ErrorKind::PermissionDenied => {
            format!(
                "port {port} needs privileges that this user does not have; try --listen {host}:5000"
            )
        }
        ErrorKind::AddrNotAvailable => {
            format!("{host} is not an address of this machine; try --listen 127.0.0.1:{port}")
        }
        _ => format!("cannot listen on {address}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_which_address_to_try() {
        let taken = bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let sentence = bind(&address).unwrap_err();
        assert!(sentence.contains(" is in use; "), "{sentence}");
        assert!(sentence.contains("try --listen 127.0.0.1:"), "{sentence}");
        assert!(bind("nonsense").unwrap_err().contains("write it like"));
        assert!(bind("203.0.113.1:5000").unwrap_err().contains("not an address of this machine"));
    }
}

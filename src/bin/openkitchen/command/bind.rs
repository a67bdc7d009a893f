//! Binds the listening socket of a command.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use openkitchen::net::server;

/// Binds an address such as `127.0.0.1:5000`, `[::1]:0` or `localhost:5000`, and listens.
///
/// # Errors
/// A sentence for the user: what happened, and which address to try.
pub fn bind(address: &str) -> Result<TcpListener, String> {
    let addresses: Vec<SocketAddr> = address
        .to_socket_addrs()
        .map_err(|_| {
            format!("`{address}` is not an address to listen on; write it like 127.0.0.1:5000 or [::1]:5000")
        })?
        .collect();
    server::listen(&addresses[..]).map_err(|error| error.with_flag("--listen "))
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

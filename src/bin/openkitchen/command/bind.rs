//! Binds the listening sockets of a command.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use openkitchen::net::server::{self, Listening};

/// The listeners of a command, and their addresses.
pub struct Bound {
    pub listeners: Vec<TcpListener>,
    /// The address of each listener.
    pub addresses: Vec<SocketAddr>,
    /// Lines for the user: each address, and each that is left out.
    pub lines: Vec<String>,
}

impl Bound {
    /// The first address. A program reads it from the first line, or from the port file.
    pub fn first(&self) -> SocketAddr {
        self.addresses[0]
    }
}

/// Binds an address such as `127.0.0.1:5000`, `[::1]:0` or `localhost:5000`, and listens. A name
/// may have several addresses: all of them are bound that can be.
///
/// # Errors
/// A sentence for the user: what happened, and which address to try.
pub fn bind(address: &str) -> Result<Bound, String> {
    bind_for("listen", address)
}

/// As [`bind`], for the value of another flag.
///
/// # Errors
/// See [`bind`].
pub fn bind_for(flag: &str, address: &str) -> Result<Bound, String> {
    let addresses: Vec<SocketAddr> = address
        .to_socket_addrs()
        .map_err(|_| {
            format!("`{address}` is not an address to listen on; write it like 127.0.0.1:5000 or [::1]:5000")
        })?
        .collect();
    let Listening { listeners, left_out } =
        server::listen(&addresses[..]).map_err(|error| error.with_flag(&format!("--{flag} ")))?;
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>();
    let addresses = addresses.map_err(|error| error.to_string())?;
    let bound = addresses.iter().map(|address| format!("listening on http://{address}"));
    let lines = bound.chain(left_out).collect();
    Ok(Bound { listeners, addresses, lines })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_which_address_to_try() {
        let taken = bind("127.0.0.1:0").unwrap();
        let address = taken.first().to_string();
        let sentence = bind(&address).err().unwrap();
        assert!(sentence.contains(" is in use; "), "{sentence}");
        assert!(sentence.contains("try --listen 127.0.0.1:"), "{sentence}");
        assert!(bind("nonsense").err().unwrap().contains("write it like"));
        assert!(bind("203.0.113.1:5000").err().unwrap().contains("not an address of this machine"));
    }
}

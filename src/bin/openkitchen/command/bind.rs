//! Binds the listening sockets of a command.

use std::io::ErrorKind;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use openkitchen::net::listen;
use openkitchen::sys;

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
    #[cfg(feature = "site")]
    pub fn first(&self) -> SocketAddr {
        self.addresses[0]
    }
}

/// Binds these addresses, such as `127.0.0.1:5000`, `[::1]:0` or `localhost:5000`, and listens; `default`
/// if there is none. A name may have several addresses: all of them are bound that can be. Listeners that
/// a service manager has opened (LISTEN_FDS) take the place of all addresses.
///
/// # Errors
/// A sentence for the user: what happened, and which address to try.
pub fn bind(wanted: &[String], default: &str) -> Result<Bound, String> {
    let listeners = sys::inherited_listeners().map_err(|error| {
        format!("LISTEN_FDS names a descriptor that is no listening TCP socket: {error}")
    })?;
    if listeners.is_empty() {
        let wanted: Vec<&str> = match wanted {
            [] => vec![default],
            wanted => wanted.iter().map(String::as_str).collect(),
        };
        return bind_for("listen", wanted);
    }
    bound(listeners, Vec::new())
}

/// Binds these addresses, the values of this flag.
///
/// # Errors
/// See [`bind`].
pub fn bind_for(flag: &str, mut wanted: Vec<&str>) -> Result<Bound, String> {
    let (mut listeners, mut left_out) = (Vec::new(), Vec::new());
    // On most systems a listener at [::] takes IPv4 as well, so it comes first.
    wanted.sort_by_key(|address| !address.starts_with("[::]"));
    for address in wanted {
        let addresses = resolve(address)?;
        match listen::listen(&addresses[..]) {
            Ok(listening) => {
                listeners.extend(listening.listeners);
                left_out.extend(listening.left_out);
            }
            Err(error)
                if error.kind() == ErrorKind::AddrInUse && {
                    addresses.iter().all(|address| is_covered(address, &listeners))
                } => {}
            Err(error) => return Err(error.with_flag(&format!("--{flag} "))),
        }
    }
    bound(listeners, left_out)
}

/// The listeners, with their addresses and the lines for the user.
fn bound(listeners: Vec<TcpListener>, left_out: Vec<String>) -> Result<Bound, String> {
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>();
    let addresses = addresses.map_err(|error| error.to_string())?;
    let bound = addresses.iter().map(|address| format!("listening on http://{address}"));
    let lines = bound.chain(left_out).collect();
    Ok(Bound { listeners, addresses, lines })
}

fn resolve(address: &str) -> Result<Vec<SocketAddr>, String> {
    let addresses = address.to_socket_addrs().map_err(|_| {
        format!(
            "`{address}` is not an address to listen on; write it like 127.0.0.1:5000 or [::1]:5000"
        )
    })?;
    Ok(addresses.collect())
}

/// Whether the address is 0.0.0.0, and a listener at [::] has its port.
fn is_covered(address: &SocketAddr, listeners: &[TcpListener]) -> bool {
    let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, address.port()));
    let has_all = |listener: &TcpListener| listener.local_addr().is_ok_and(|bound| bound == all);
    address.is_ipv4() && address.ip().is_unspecified() && listeners.iter().any(has_all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_which_address_to_try() {
        let taken = bind(&[], "127.0.0.1:0").unwrap();
        let address = taken.addresses[0].to_string();
        let sentence = bind(&[], &address).err().unwrap();
        assert!(sentence.contains(" is in use; "), "{sentence}");
        assert!(sentence.contains("try --listen 127.0.0.1:"), "{sentence}");
        assert!(bind(&["nonsense".into()], "").err().unwrap().contains("write it like"));
        assert!(
            bind(&[], "203.0.113.1:5000").err().unwrap().contains("not an address of this machine")
        );
    }
}

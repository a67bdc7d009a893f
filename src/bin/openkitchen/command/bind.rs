//! Binds the listening sockets of a command.

use std::any::Any;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use openkitchen::net::listen;
#[cfg(feature = "site")]
use openkitchen::sys::NO_ADDRESS;
use openkitchen::sys::{self, UNIX_PREFIX};
use openkitchen::{Listener, StartError};

use super::flags;
use crate::json;

/// The listeners of a command, and their addresses.
pub struct Bound {
    pub listeners: Vec<Listener>,
    /// The address of each listener; [`NO_ADDRESS`] of a Unix socket.
    pub addresses: Vec<SocketAddr>,
    /// The name of each listener, for programs: its address, or `unix:` and its path.
    pub names: Vec<String>,
    /// Lines for the user: each address, and each that is left out.
    pub lines: Vec<String>,
}

/// The files of Unix sockets, which are removed before the process ends. Its threads may be in `accept` then,
/// and never drop a listener.
#[derive(Clone)]
pub struct SocketFiles(Arc<Mutex<Vec<Box<dyn Any + Send>>>>);

impl SocketFiles {
    /// Removes them.
    pub fn remove(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Bound {
    /// Takes the files of Unix sockets from the listeners.
    pub fn take_files(&mut self) -> SocketFiles {
        let files = self.listeners.iter_mut().filter_map(Listener::take_file);
        SocketFiles(Arc::new(Mutex::new(files.collect())))
    }

    /// Refuses Unix sockets, for what works with TCP alone.
    ///
    /// # Errors
    /// A sentence for the user. `flag` has the addresses.
    #[cfg(feature = "tools")]
    pub fn of_tcp(self, flag: &str) -> Result<Bound, String> {
        match self.listeners.iter().any(Listener::is_unix) {
            true => Err(format!("--{flag} takes addresses of TCP alone, and no Unix socket")),
            false => Ok(self),
        }
    }

    /// The lines about addresses that are left out.
    pub fn left_out(&self) -> impl Iterator<Item = &str> {
        self.lines[self.addresses.len()..].iter().map(String::as_str)
    }

    /// The listeners as lines of JSON, for a program that reads them.
    pub fn json_lines(&self) -> impl Iterator<Item = String> {
        self.names.iter().map(|name| {
            let scheme = if name.starts_with(UNIX_PREFIX) { "" } else { "http://" };
            let url = json::string(&format!("{scheme}{name}"));
            json::line("listening", [("address", json::string(name)), ("url", url)])
        })
    }

    /// The first address of TCP, if there is one.
    #[cfg(feature = "site")]
    pub fn first(&self) -> SocketAddr {
        let is_known = |address: &SocketAddr| *address != NO_ADDRESS;
        self.addresses.iter().copied().find(is_known).unwrap_or(NO_ADDRESS)
    }
}

/// Binds these addresses, such as `127.0.0.1:5000`, `[::1]:0`, `localhost:5000` or
/// `unix:/run/site.sock`, and listens; `default` if there is none. A name may have several addresses:
/// all of them are bound that can be. Listeners that a service manager has opened (LISTEN_FDS) take the
/// place of all addresses.
///
/// # Errors
/// A sentence for the user: what happened, and which address to try.
pub fn bind(wanted: &[String], default: &str) -> Result<Bound, String> {
    let listeners = sys::inherited_listeners()
        .map_err(|error| format!("LISTEN_FDS cannot be used: {error}"))?;
    if listeners.is_empty() {
        let wanted: Vec<&str> = match wanted {
            [] => vec![default],
            wanted => wanted.iter().map(String::as_str).collect(),
        };
        return bind_all("listen", &wanted, port_of(default));
    }
    bound(listeners, Vec::new())
}

/// Binds these addresses, the values of this flag.
///
/// # Errors
/// See [`bind`].
#[cfg(feature = "tools")]
pub fn bind_for(flag: &str, wanted: Vec<&str>) -> Result<Bound, String> {
    bind_all(flag, &wanted, "5000")
}

/// Binds these addresses. The listeners have the order of the addresses. `port` is for an address without
/// one, in an error.
fn bind_all(flag: &str, wanted: &[&str], port: &str) -> Result<Bound, String> {
    let mut listeners: Vec<Vec<Listener>> = wanted.iter().map(|_| Vec::new()).collect();
    let mut left_out = Vec::new();
    // On most systems a listener at [::] takes IPv4 as well, so it is bound first.
    let (first, then): (Vec<_>, Vec<_>) =
        (0..wanted.len()).partition(|&index| wanted[index].starts_with("[::]"));
    let failed = |error: StartError| error.with_flag(&format!("--{flag} "));
    for index in first.into_iter().chain(then) {
        if let Some(path) = wanted[index].strip_prefix(UNIX_PREFIX) {
            listeners[index].push(listen::listen_at(Path::new(path)).map_err(failed)?);
            continue;
        }
        let addresses = resolve(wanted[index], port)?;
        match listen::listen(&addresses[..]) {
            Ok(listening) => {
                listeners[index] = listening.listeners;
                left_out.extend(listening.left_out);
            }
            Err(error)
                if error.kind() == ErrorKind::AddrInUse && {
                    addresses.iter().all(|address| is_covered(address, &listeners))
                } => {}
            Err(error) => return Err(failed(error)),
        }
    }
    bound(listeners.into_iter().flatten().collect(), left_out)
}

/// The listeners, with their addresses and the lines for the user.
fn bound(listeners: Vec<Listener>, left_out: Vec<String>) -> Result<Bound, String> {
    let addresses = listeners.iter().map(Listener::address).collect::<Result<Vec<_>, _>>();
    let addresses = addresses.map_err(|error| error.to_string())?;
    let names: Vec<String> = listeners.iter().map(Listener::name).collect();
    let lines = listeners.iter().map(|listener| format!("listening on {}", listener.url()));
    let lines = lines.chain(left_out).collect();
    Ok(Bound { listeners, addresses, names, lines })
}

fn resolve(address: &str, port: &str) -> Result<Vec<SocketAddr>, String> {
    let addresses = address.to_socket_addrs().map_err(|_| {
        let example = format!("127.0.0.1:{port} or [::1]:{port}");
        // A name that begins with a digit is a misspelt port or address.
        let is_name = address.starts_with(char::is_alphabetic);
        let is_name = is_name && !address.contains([':', '*', ' ', '/']);
        let meant = with_port(address, port).or(is_name.then(|| format!("{address}:{port}")));
        if address.contains('/') && !address.contains("//") {
            let path = address.trim_start_matches("unix@");
            return format!(
                "`{address}` is not an address to listen on; write a Unix socket like {UNIX_PREFIX}{path}"
            );
        }
        // A host that has no address is not meant either.
        let is_possible = |meant: &String| meant != address && meant.to_socket_addrs().is_ok();
        let example = meant.filter(is_possible).unwrap_or(example);
        format!("`{address}` is not an address to listen on; write it like {example}")
    })?;
    Ok(addresses.collect())
}

/// The address that is meant by one without a host or a port, as other servers take it: `:8080`, `*:8080`,
/// `0.0.0.0`, `[::]`, and a port alone.
pub fn with_port(typed: &str, default: &str) -> Option<String> {
    let host = typed.trim_start_matches('[').trim_end_matches(']');
    match host.parse() {
        Ok(IpAddr::V4(host)) => return Some(format!("{host}:{default}")),
        Ok(IpAddr::V6(host)) => return Some(format!("[{host}]:{default}")),
        Err(_) => {}
    }
    let port = typed.strip_prefix(':').or_else(|| typed.strip_prefix("*:"));
    match port.or((typed == "*").then_some(default)) {
        Some(port) => port.parse::<u16>().ok().map(|port| format!("0.0.0.0:{port}")),
        None => flags::address(typed),
    }
}

/// The port of an address, as text.
fn port_of(address: &str) -> &str {
    address.rsplit(':').next().unwrap_or_default()
}

/// Whether the address is 0.0.0.0, and a listener at [::] has its port.
fn is_covered(address: &SocketAddr, listeners: &[Vec<Listener>]) -> bool {
    let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, address.port()));
    let is_all = |listener: &Listener| listener.address().is_ok_and(|bound| bound == all);
    address.is_ipv4() && address.ip().is_unspecified() && listeners.iter().flatten().any(is_all)
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
        for (typed, expected) in [
            ("a b", "write it like 127.0.0.1:8080 or [::1]:8080"),
            ("", "write it like 127.0.0.1:8080 or [::1]:8080"),
            (":80", "write it like 0.0.0.0:80"),
            ("*:80", "write it like 0.0.0.0:80"),
            ("0.0.0.0", "write it like 0.0.0.0:8080"),
            ("[::]", "write it like [::]:8080"),
            ("::1", "write it like [::1]:8080"),
            ("localhost", "write it like localhost:8080"),
            ("/run/x.sock", "write a Unix socket like unix:/run/x.sock"),
            ("unix@./x.sock", "write a Unix socket like unix:./x.sock"),
            ("http://h/", "write it like 127.0.0.1:8080 or [::1]:8080"),
            ("80x", "write it like 127.0.0.1:8080 or [::1]:8080"),
            ("99999", "write it like 127.0.0.1:8080 or [::1]:8080"),
            ("300.0.0.1", "write it like 127.0.0.1:8080 or [::1]:8080"),
            ("*:80x", "write it like 127.0.0.1:8080 or [::1]:8080"),
            // No label of a name is so long.
            (&"x".repeat(64), "write it like 127.0.0.1:8080 or [::1]:8080"),
        ] {
            let sentence = bind(&[typed.into()], "127.0.0.1:8080").err().unwrap();
            assert!(sentence.ends_with(expected), "{typed}: {sentence}");
        }
        assert!(
            bind(&[], "203.0.113.1:5000").err().unwrap().contains("not an address of this machine")
        );
    }
}

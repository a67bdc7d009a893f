//! # A listening socket: of TCP, or a Unix socket
//!
//! A Unix socket (Unix domain socket, AF_UNIX) has a path in place of an address, so the permissions
//! of its directory say which users of this machine may connect. std has a type of its own for it, on
//! Unix only.
//!
//! A connection is a [`TcpStream`] in both cases. On Unix that is a descriptor, and to read, to write, to shut
//! and to set timeouts are the same calls for both. Its peer has no address: [`NO_ADDRESS`] stands there.

use std::any::Any;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use super::unix_socket::{self, UnixSocket};

/// Stands for the address that a Unix socket and its clients do not have: 0.0.0.0, port 0.
pub const NO_ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));

/// What begins the name of a Unix socket, such as `unix:/run/site.sock`.
pub const UNIX_PREFIX: &str = "unix:";

/// A client's name, for people: its address and port, or `a Unix socket`.
pub fn peer_name(peer: SocketAddr) -> String {
    match peer_ip(peer) {
        _ if peer == NO_ADDRESS => "a Unix socket".to_owned(),
        IpAddr::V4(ip) => format!("{ip}:{}", peer.port()),
        IpAddr::V6(_) => peer.to_string(),
    }
}

/// A client's IP address. A listener for both versions gives an IPv4 client an IPv6 address
/// (`::ffff:127.0.0.1`): here it is the IPv4 address.
pub fn peer_ip(peer: SocketAddr) -> IpAddr {
    peer.ip().to_canonical()
}

/// Connects to the Unix socket with this path.
///
/// # Errors
/// The system's error; `Unsupported` where std has no Unix sockets, as on Windows.
pub fn connect_path(path: &Path) -> io::Result<TcpStream> {
    unix_socket::connect(path)
}

/// A listening socket, of TCP or with a path. A server may have several: see
/// [`Server::from_listeners`](crate::Server::from_listeners).
///
/// ```
/// use std::net::TcpListener;
/// use openkitchen::{Listener, Server};
///
/// let tcp = Listener::from(TcpListener::bind("127.0.0.1:0")?);
/// # let directory = std::env::temp_dir();
/// # #[cfg(unix)] {
/// let unix = Listener::bind_path(directory.join(format!("kitchen-{}.sock", std::process::id())))?;
/// let server = Server::from_listeners(vec![tcp, unix]);
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Listener(pub(super) ListenerKind);

pub(super) enum ListenerKind {
    Tcp(TcpListener),
    Unix(UnixSocket),
}

impl Listener {
    /// Binds a Unix socket to this path, and listens with std's backlog. Every user who may enter the
    /// directory may connect: the file has the mode 0666. Users who can write in the directory are
    /// trusted. The file is removed when the listener is dropped, and a stale one, which a killed process
    /// has left, is replaced.
    ///
    /// # Errors
    /// A server listens at the path, or the path is another file (both `AddrInUse`); the path is empty, or the
    /// system's error. `Unsupported` where std has no Unix sockets, as on Windows.
    pub fn bind_path(path: impl AsRef<Path>) -> io::Result<Listener> {
        let path = path.as_ref();
        // The kernel would choose a name that is no path.
        if path.as_os_str().is_empty() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "the path is empty"));
        }
        UnixSocket::bind(path).map(|socket| Listener(ListenerKind::Unix(socket)))
    }

    /// The next connection, and the address of its client: 0.0.0.0, port 0, if it is a Unix socket.
    ///
    /// # Errors
    /// The system's error.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.0 {
            ListenerKind::Tcp(listener) => listener.accept(),
            ListenerKind::Unix(socket) => socket.accept().map(|stream| (stream, NO_ADDRESS)),
        }
    }

    /// Its address; 0.0.0.0, port 0, if it is a Unix socket.
    ///
    /// # Errors
    /// The system's error.
    pub fn address(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            ListenerKind::Tcp(listener) => listener.local_addr(),
            ListenerKind::Unix(_) => Ok(NO_ADDRESS),
        }
    }

    /// Whether it is a Unix socket.
    pub fn is_unix(&self) -> bool {
        matches!(self.0, ListenerKind::Unix(_))
    }

    /// Its name for people and programs: `127.0.0.1:5000`, or `unix:/run/site.sock`.
    pub fn name(&self) -> String {
        match &self.0 {
            ListenerKind::Tcp(listener) => listener.local_addr().unwrap_or(NO_ADDRESS).to_string(),
            ListenerKind::Unix(socket) => {
                let path = socket.path();
                let path = path.as_deref().unwrap_or(Path::new("?")); // an abstract one has none
                format!("{UNIX_PREFIX}{}", path.display())
            }
        }
    }

    /// Where it is reached: `http://127.0.0.1:5000`, or its name if it is a Unix socket.
    pub fn url(&self) -> String {
        if self.is_unix() { self.name() } else { format!("http://{}", self.name()) }
    }

    /// Takes the guard that removes the socket's file when it is dropped. For a process that ends while another
    /// thread is in `accept`, and so never drops the listener.
    #[doc(hidden)]
    pub fn take_file(&mut self) -> Option<Box<dyn Any + Send>> {
        match &mut self.0 {
            ListenerKind::Tcp(_) => None,
            ListenerKind::Unix(socket) => socket.take_file(),
        }
    }

    /// Sets whether `accept` waits.
    ///
    /// # Errors
    /// The system's error.
    pub fn set_nonblocking(&self, is_nonblocking: bool) -> io::Result<()> {
        match &self.0 {
            ListenerKind::Tcp(listener) => listener.set_nonblocking(is_nonblocking),
            ListenerKind::Unix(socket) => socket.set_nonblocking(is_nonblocking),
        }
    }

    /// Connects to it and closes the connection, so that one thread leaves `accept`.
    ///
    /// # Errors
    /// The system's error.
    #[doc(hidden)]
    pub fn connect_once(&self, timeout: Duration) -> io::Result<()> {
        let mut address = match &self.0 {
            ListenerKind::Tcp(listener) => listener.local_addr()?,
            ListenerKind::Unix(socket) => return socket.connect_once(),
        };
        // Windows connects to no 0.0.0.0.
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        TcpStream::connect_timeout(&address, timeout).map(drop)
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Listener {
        Listener(ListenerKind::Tcp(listener))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_one_name_at_each_listener() {
        for (peer, name) in [
            ("127.0.0.1:5", "127.0.0.1:5"),
            ("[::ffff:127.0.0.1]:5", "127.0.0.1:5"),
            ("[::1]:5", "[::1]:5"),
            ("[fe80::1%2]:5", "[fe80::1%2]:5"),
            ("0.0.0.0:0", "a Unix socket"),
        ] {
            assert_eq!(peer_name(peer.parse().expect(peer)), name);
        }
    }
}

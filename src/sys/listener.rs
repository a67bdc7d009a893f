//! # A listening socket: of TCP, or one with a path
//!
//! A Unix socket (AF_UNIX) has a path in place of an address, so the rights of a file say which programs of
//! this machine may connect. std has a type of its own for it, whose calls are those of [`TcpListener`].
//!
//! A connection is a [`TcpStream`] in both cases. On Unix that is a descriptor, and to read, to write, to shut
//! and to set timeouts are the same calls for both. Its peer has no address: [`NO_ADDRESS`] stands there.

use std::any::Any;
#[cfg(unix)]
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    unix::fs::{FileTypeExt, MetadataExt},
    unix::net::{UnixListener, UnixStream},
};
use std::path::Path;
#[cfg(unix)]
use std::path::PathBuf;
use std::time::Duration;

/// Stands for the address that a Unix socket and its clients do not have: 0.0.0.0, port 0.
pub const NO_ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));

/// A client's address, for people.
pub fn peer_name(peer: SocketAddr) -> String {
    if peer == NO_ADDRESS { "a Unix socket".to_owned() } else { peer.to_string() }
}

/// What begins the name of a Unix socket, such as `unix:/run/site.sock`.
pub const UNIX_PREFIX: &str = "unix:";

/// A listening socket, of TCP or with a path. A server may have several: see
/// [`Server::from_listeners`](crate::Server::from_listeners).
///
/// ```
/// use std::net::TcpListener;
/// use openkitchen::{Listener, Server};
///
/// let tcp = Listener::from(TcpListener::bind("127.0.0.1:0")?);
/// # let folder = std::env::temp_dir();
/// # #[cfg(unix)] {
/// let unix = Listener::bind_path(&folder.join(format!("kitchen-{}.sock", std::process::id())))?;
/// let server = Server::from_listeners(vec![tcp, unix]);
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Listener(Kind);

enum Kind {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix {
        listener: UnixListener,
        file: Option<SocketFile>,
    },
}

/// The file of a Unix socket, which the system makes at its bind. Dropped, it is removed, if it is still the
/// same one.
#[cfg(unix)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl Listener {
    /// Binds a Unix socket to this path, and listens. Which users may connect is for the rights of the folder
    /// and the umask to say. The file is removed when the listener is dropped. A file that a process has left
    /// which has ended is replaced.
    ///
    /// # Errors
    /// A running server has the path (`AddrInUse`), there is another file, the path is empty, or the system's
    /// error. `Unsupported` on Windows.
    pub fn bind_path(path: &Path) -> io::Result<Listener> {
        // The kernel would choose a name that is no path.
        if path.as_os_str().is_empty() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "the path is empty"));
        }
        bind_path(path)
    }

    /// The next connection, and the address of its client.
    ///
    /// # Errors
    /// The system's error.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.0 {
            Kind::Tcp(listener) => listener.accept(),
            #[cfg(unix)]
            Kind::Unix { listener, .. } => {
                let (stream, _) = listener.accept()?;
                Ok((TcpStream::from(OwnedFd::from(stream)), NO_ADDRESS))
            }
        }
    }

    /// Its address; [`NO_ADDRESS`] if it has a path.
    ///
    /// # Errors
    /// The system's error.
    pub fn address(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Kind::Tcp(listener) => listener.local_addr(),
            #[cfg(unix)]
            Kind::Unix { .. } => Ok(NO_ADDRESS),
        }
    }

    /// Its name for people and programs: `127.0.0.1:5000`, or `unix:/run/site.sock`.
    pub fn name(&self) -> String {
        match &self.0 {
            Kind::Tcp(listener) => listener.local_addr().unwrap_or(NO_ADDRESS).to_string(),
            #[cfg(unix)]
            Kind::Unix { listener, .. } => {
                let address = listener.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname());
                format!("{UNIX_PREFIX}{}", path.unwrap_or(Path::new("?")).display())
            }
        }
    }

    /// Takes what removes its file when it is dropped, for a process that ends while a thread is in `accept`.
    pub fn take_file(&mut self) -> Option<Box<dyn Any + Send>> {
        match &mut self.0 {
            Kind::Tcp(_) => None,
            #[cfg(unix)]
            Kind::Unix { file, .. } => Some(Box::new(file.take()?)),
        }
    }

    /// Where it is reached: `http://127.0.0.1:5000`, or its name if it has a path.
    pub fn url(&self) -> String {
        if self.has_path() { self.name() } else { format!("http://{}", self.name()) }
    }

    /// Whether it is a Unix socket.
    pub fn has_path(&self) -> bool {
        match &self.0 {
            Kind::Tcp(_) => false,
            #[cfg(unix)]
            Kind::Unix { .. } => true,
        }
    }

    /// Sets whether `accept` waits.
    ///
    /// # Errors
    /// The system's error.
    pub fn set_nonblocking(&self, is_nonblocking: bool) -> io::Result<()> {
        match &self.0 {
            Kind::Tcp(listener) => listener.set_nonblocking(is_nonblocking),
            #[cfg(unix)]
            Kind::Unix { listener, .. } => listener.set_nonblocking(is_nonblocking),
        }
    }

    /// Connects to it and closes the connection, so that one thread leaves `accept`.
    ///
    /// # Errors
    /// The system's error.
    pub fn connect_once(&self, timeout: Duration) -> io::Result<()> {
        match &self.0 {
            Kind::Tcp(listener) => {
                let mut address = listener.local_addr()?;
                // Windows connects to no 0.0.0.0.
                match address.ip() {
                    IpAddr::V4(ip) if ip.is_unspecified() => {
                        address.set_ip(Ipv4Addr::LOCALHOST.into())
                    }
                    IpAddr::V6(ip) if ip.is_unspecified() => {
                        address.set_ip(Ipv6Addr::LOCALHOST.into())
                    }
                    _ => {}
                }
                TcpStream::connect_timeout(&address, timeout).map(drop)
            }
            #[cfg(unix)]
            Kind::Unix { listener, .. } => {
                UnixStream::connect_addr(&listener.local_addr()?).map(drop)
            }
        }
    }

    /// The socket of TCP.
    #[cfg(not(unix))]
    pub(super) fn tcp(&self) -> &TcpListener {
        let Kind::Tcp(listener) = &self.0;
        listener
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Listener {
        Listener(Kind::Tcp(listener))
    }
}

/// The file of the socket stays when the listener is dropped.
#[cfg(unix)]
impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Listener {
        Listener(Kind::Unix { listener, file: None })
    }
}

#[cfg(unix)]
impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Kind::Tcp(listener) => listener.as_fd(),
            Kind::Unix { listener, .. } => listener.as_fd(),
        }
    }
}

/// Connects to the Unix socket with this path. `Unsupported` on Windows.
///
/// # Errors
/// The system's error.
pub fn connect_path(path: &Path) -> io::Result<TcpStream> {
    #[cfg(unix)]
    return UnixStream::connect(path).map(|stream| TcpStream::from(OwnedFd::from(stream)));
    #[cfg(not(unix))]
    return Err(unsupported(path));
}

#[cfg(not(unix))]
fn unsupported(path: &Path) -> io::Error {
    let sentence = format!("{}: this system has no Unix sockets in Rust's library", path.display());
    io::Error::new(ErrorKind::Unsupported, sentence)
}

#[cfg(not(unix))]
fn bind_path(path: &Path) -> io::Result<Listener> {
    Err(unsupported(path))
}

#[cfg(unix)]
fn bind_path(path: &Path) -> io::Result<Listener> {
    let is_left = |error: &io::Error| {
        let is_socket = |there: fs::Metadata| there.file_type().is_socket();
        error.kind() == ErrorKind::AddrInUse
            && fs::symlink_metadata(path).is_ok_and(is_socket)
            && UnixStream::connect(path).is_err_and(|it| it.kind() == ErrorKind::ConnectionRefused)
    };
    let listener = UnixListener::bind(path).or_else(|error| match is_left(&error) {
        true => fs::remove_file(path).and_then(|()| UnixListener::bind(path)),
        false => Err(error),
    })?;
    let file = identity(path).map(|identity| SocketFile { path: path.to_owned(), identity });
    Ok(Listener(Kind::Unix { listener, file: file.ok() }))
}

#[cfg(unix)]
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|there| there == self.identity) {
            let _ = fs::remove_file(&self.path); // the next start replaces it
        }
    }
}

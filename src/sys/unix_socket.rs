//! A listening Unix socket, and the file that the system makes for it.

use std::any::Any;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::listener::{Kind, Listener};

/// A listening socket with a path.
pub struct UnixSocket {
    listener: UnixListener,
    /// `None` if the caller has made the listener.
    file: Option<SocketFile>,
}

/// The file of a socket, which the system makes at its bind. Dropped, it is removed, if it is still the same
/// one.
struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl UnixSocket {
    pub fn bind(path: &Path) -> io::Result<UnixSocket> {
        let is_left = |error: &io::Error| {
            let is_socket = |there: fs::Metadata| there.file_type().is_socket();
            error.kind() == ErrorKind::AddrInUse
                && fs::symlink_metadata(path).is_ok_and(is_socket)
                && is_refused(path)
        };
        let listener = UnixListener::bind(path).or_else(|error| match is_left(&error) {
            true => fs::remove_file(path).and_then(|()| UnixListener::bind(path)),
            false => Err(error),
        })?;
        let file = identity(path).map(|identity| SocketFile { path: path.to_owned(), identity });
        Ok(UnixSocket { listener, file: file.ok() })
    }

    pub fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.listener.accept()?;
        Ok(OwnedFd::from(stream).into())
    }

    pub fn path(&self) -> Option<PathBuf> {
        self.listener.local_addr().ok()?.as_pathname().map(Path::to_owned)
    }

    pub fn take_file(&mut self) -> Option<Box<dyn Any + Send>> {
        Some(Box::new(self.file.take()?))
    }

    pub fn set_nonblocking(&self, is_nonblocking: bool) -> io::Result<()> {
        self.listener.set_nonblocking(is_nonblocking)
    }

    pub fn connect_once(&self) -> io::Result<()> {
        UnixStream::connect_addr(&self.listener.local_addr()?).map(drop)
    }
}

pub fn connect(path: &Path) -> io::Result<TcpStream> {
    Ok(OwnedFd::from(UnixStream::connect(path)?).into())
}

/// The file of the socket stays when the listener is dropped.
impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Listener {
        Listener(Kind::Unix(UnixSocket { listener, file: None }))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Kind::Tcp(listener) => listener.as_fd(),
            Kind::Unix(socket) => socket.listener.as_fd(),
        }
    }
}

/// Whether no process has a socket at this path any more. A datagram socket is told so at once. Where a server
/// listens, it cannot connect either, but for another reason, and it never waits for room in the backlog.
fn is_refused(path: &Path) -> bool {
    let connected = UnixDatagram::unbound().and_then(|socket| socket.connect(path));
    connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|there| there == self.identity) {
            let _ = fs::remove_file(&self.path); // the next start replaces it
        }
    }
}

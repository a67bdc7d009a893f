//! A Unix socket that listens, and the file that the system makes for it.
//!
//! The file stays when its process is killed: a *stale socket file*, at which every connection is refused.
//! The next start removes it. Two starts at the same time would remove the file of each other, so a start
//! locks the directory while it looks, removes and binds.

use std::any::Any;
use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::listener::{Listener, ListenerKind};

/// The permissions of the file.
const MODE: u32 = 0o666;

/// How long a start waits for the lock of another one.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// Between two tries to get it.
const LOCK_PAUSE: Duration = Duration::from_millis(2);

/// A socket that listens.
pub struct UnixSocket {
    listener: UnixListener,
    /// The file at its path when it was made. `None` for an abstract socket.
    place: Option<BoundPath>,
    /// `None` if the caller has made the listener.
    file: Option<SocketFile>,
}

/// A file, which may lose its path to another one.
#[derive(Clone)]
struct BoundPath {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

/// The file of a socket, which the system makes at its bind. Dropped, it is removed, if it is still the same
/// one.
struct SocketFile(BoundPath);

impl UnixSocket {
    pub fn bind(path: &Path) -> io::Result<UnixSocket> {
        let _locked = lock_directory(path);
        let listener = UnixListener::bind(path).or_else(|error| {
            let is_taken = error.kind() == ErrorKind::AddrInUse;
            match is_taken && is_socket(path) && has_no_listener(path) {
                true => fs::remove_file(path).and_then(|()| UnixListener::bind(path)),
                false => Err(error),
            }
        })?;
        let place = BoundPath::at(path);
        let file = place.clone().map(SocketFile);
        // Every user of this machine may connect who may enter the directory, as to a port of 127.0.0.1.
        fs::set_permissions(path, Permissions::from_mode(MODE))?;
        Ok(UnixSocket { listener, place, file })
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
        // The server that has the path by now may let it wait.
        if self.place.as_ref().is_some_and(|place| !place.is_ours()) {
            return Err(ErrorKind::NotFound.into());
        }
        UnixStream::connect_addr(&self.listener.local_addr()?).map(drop)
    }
}

pub fn connect(path: &Path) -> io::Result<TcpStream> {
    Ok(OwnedFd::from(UnixStream::connect(path)?).into())
}

/// The file of the socket stays when the listener is dropped.
impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Listener {
        let address = listener.local_addr().ok();
        let place = address.as_ref().and_then(|address| BoundPath::at(address.as_pathname()?));
        Listener(ListenerKind::Unix(UnixSocket { listener, place, file: None }))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            ListenerKind::Tcp(listener) => listener.as_fd(),
            ListenerKind::Unix(socket) => socket.listener.as_fd(),
        }
    }
}

/// Locks the directory of the path, until what it returns is dropped. `None` if it cannot be locked, such
/// as one of another user, or is locked for longer than a start takes.
fn lock_directory(path: &Path) -> Option<File> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    let directory = File::open(directory.unwrap_or(Path::new("."))).ok()?;
    let since = Instant::now();
    loop {
        match directory.try_lock() {
            Ok(()) => return Some(directory),
            Err(TryLockError::WouldBlock) if since.elapsed() < LOCK_TIMEOUT => {
                thread::sleep(LOCK_PAUSE);
            }
            Err(_) => return None,
        }
    }
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
}

/// Whether the socket file at this path is a stale one. A datagram socket is told so at once. Where a server
/// listens, it cannot connect either, but for another reason; and it never waits for room in the backlog.
fn has_no_listener(path: &Path) -> bool {
    let connected = UnixDatagram::unbound().and_then(|socket| socket.connect(path));
    connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

impl BoundPath {
    /// The file at this path, if there is one.
    fn at(path: &Path) -> Option<BoundPath> {
        let file = fs::symlink_metadata(path).ok()?;
        Some(BoundPath { path: path.to_owned(), identity: (file.dev(), file.ino()) })
    }

    /// Whether the path still leads to the file.
    fn is_ours(&self) -> bool {
        BoundPath::at(&self.path).is_some_and(|there| there.identity == self.identity)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.0.is_ours() {
            let _ = fs::remove_file(&self.0.path); // the next start replaces it
        }
    }
}

//! The Unix sockets of systems where std has none. There is no value of the type, so only `bind` and `connect`
//! are ever called.

use std::any::Any;
use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use super::listener::{Listener, ListenerKind};

/// There is no value of this type.
pub enum UnixSocket {}

impl UnixSocket {
    pub fn bind(path: &Path) -> io::Result<UnixSocket> {
        Err(unsupported(path))
    }

    pub fn accept(&self) -> io::Result<TcpStream> {
        match *self {}
    }

    pub fn path(&self) -> Option<PathBuf> {
        match *self {}
    }

    pub fn take_file(&mut self) -> Option<Box<dyn Any + Send>> {
        match *self {}
    }

    pub fn set_nonblocking(&self, _: bool) -> io::Result<()> {
        match *self {}
    }

    pub fn connect_once(&self) -> io::Result<()> {
        match *self {}
    }
}

pub fn connect(path: &Path) -> io::Result<TcpStream> {
    Err(unsupported(path))
}

impl Listener {
    /// The socket of TCP.
    pub(super) fn tcp(&self) -> &TcpListener {
        match &self.0 {
            ListenerKind::Tcp(listener) => listener,
            ListenerKind::Unix(socket) => match *socket {},
        }
    }
}

fn unsupported(path: &Path) -> io::Error {
    let sentence = format!("{}: Rust's library has no Unix sockets on this system", path.display());
    io::Error::new(ErrorKind::Unsupported, sentence)
}

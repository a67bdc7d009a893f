//! # Why a server could not start, in a sentence
//!
//! ```text
//! $ make lesson
//! Error: port 5000 is in use; try 127.0.0.1:5001
//! ```
//! A `main` that returns an error prints its `Debug` text. The one of [`io::Error`] is for programmers, so
//! [`StartError`] has its own: the sentence.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;

use crate::sys::UNIX_PREFIX;

/// What is added to a port that needs privileges, to get one that needs none: 8080 for 80, 8443 for 443.
const UNPRIVILEGED: u16 = 8000;

/// Why a server or a mock could not start. `Display` and `Debug` print a sentence: what happened, and
/// what to do.
/// [`kind`](StartError::kind) is the system's error.
pub struct StartError {
    what: String,
    /// An address that may work.
    instead: Option<String>,
    source: io::Error,
}

impl StartError {
    /// The errors of the system, when a listener was to be bound to each of these addresses, and none
    /// could be. A port that is in use says more than an address that the machine does not have.
    pub(super) fn binding_all(mut failed: Vec<(SocketAddr, io::Error)>) -> StartError {
        let is_taken = |(_, error): &(_, io::Error)| error.kind() == ErrorKind::AddrInUse;
        let index = failed.iter().position(is_taken).unwrap_or(0);
        match index < failed.len() {
            true => {
                let (address, source) = failed.swap_remove(index);
                StartError::binding(address, source)
            }
            false => StartError::no_address(ErrorKind::InvalidInput.into()),
        }
    }

    /// An error of the system, when a listener was to be bound to this address.
    fn binding(address: SocketAddr, source: io::Error) -> StartError {
        let port = address.port();
        let with_port = |port| Some(SocketAddr::new(address.ip(), port));
        let next = with_port(port.checked_add(1).unwrap_or(5001)).filter(|_| port > 0);
        let (what, instead) = match source.kind() {
            ErrorKind::AddrInUse => {
                let macos = if cfg!(target_os = "macos") && port == 5000 {
                    " (on macOS by AirPlay Receiver: System Settings, General, AirDrop & Handoff)"
                } else {
                    ""
                };
                (format!("port {port} is in use{macos}"), next)
            }
            // The kernel keeps these ports for the superuser.
            ErrorKind::PermissionDenied if port < 1024 => (
                format!("port {port} needs privileges that this user does not have"),
                with_port(UNPRIVILEGED + port),
            ),
            ErrorKind::PermissionDenied => (format!("the system reserves port {port}"), next),
            ErrorKind::AddrNotAvailable => (
                format!("{} is not an address of this machine", host(address)),
                Some(SocketAddr::from(([127, 0, 0, 1], port))),
            ),
            _ => return StartError::new(&format!("cannot listen on {address}"), source),
        };
        StartError { what, instead: instead.map(|address| address.to_string()), source }
    }

    /// An error of the system, when a Unix socket was to be bound to this path.
    pub(super) fn binding_path(path: &Path, source: io::Error) -> StartError {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).display();
        let why = match source.kind() {
            ErrorKind::AddrInUse => {
                "a server listens there, or another file is in the way, which you can remove".into()
            }
            ErrorKind::NotFound => format!("there is no folder {folder}; make it first"),
            ErrorKind::PermissionDenied => format!("this user may not make a file in {folder}"),
            ErrorKind::InvalidInput => format!(
                "write it like {UNIX_PREFIX}/run/site.sock, with a path of at most 100 bytes or so"
            ),
            _ => source.to_string(),
        };
        let what = format!("cannot listen at {UNIX_PREFIX}{}: {why}", path.display());
        StartError { what, instead: None, source }
    }

    /// An error of the system, when an address was to be found for a text.
    pub(super) fn no_address(source: io::Error) -> StartError {
        let what = "this is not an address to listen on, such as 127.0.0.1:5000 or [::1]:5000";
        StartError::new(what, source)
    }

    /// A limit of one request, such as `content`, is above the limit on the memory of all of them.
    pub(super) fn above_memory(name: &str, bytes: u64, memory: u64) -> StartError {
        let what = format!(
            "the limit on the {name} of one request, {bytes} bytes, is above the limit on the memory \
             of all of them, {memory} bytes; raise `memory` or lower `{name}`"
        );
        StartError { what, instead: None, source: ErrorKind::InvalidInput.into() }
    }

    /// A handler has panicked: this sentence says which, and why.
    pub(super) fn panicked(sentence: &str) -> StartError {
        StartError { what: sentence.into(), instead: None, source: ErrorKind::Other.into() }
    }

    /// Another error of the system: what could not be done, and its text.
    pub(crate) fn new(what: &str, source: io::Error) -> StartError {
        StartError { what: format!("{what}: {source}"), instead: None, source }
    }

    /// A transcript that cannot be played: why, in a sentence.
    pub(crate) fn unplayable(what: String) -> StartError {
        StartError { what, instead: None, source: ErrorKind::InvalidData.into() }
    }

    /// The kind of the system's error, such as `AddrInUse`. `InvalidInput` for limits that contradict each
    /// other, `InvalidData` for a transcript that cannot be played.
    pub fn kind(&self) -> ErrorKind {
        self.source.kind()
    }

    /// The sentence, with this word before the address to try, such as the name of a flag.
    #[doc(hidden)]
    pub fn with_flag(&self, flag: &str) -> String {
        match &self.instead {
            Some(address) => format!("{}; try {flag}{address}", self.what),
            None => self.what.clone(),
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_flag(""))
    }
}

impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

impl From<StartError> for io::Error {
    /// The same sentence, as an error of the same kind.
    fn from(error: StartError) -> io::Error {
        io::Error::new(error.kind(), error)
    }
}

/// The address without its port, as it stands before one.
fn host(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_a_bind_says_what_to_do() {
        for (address, kind, sentence) in [
            ("127.0.0.1:5001", ErrorKind::AddrInUse, "port 5001 is in use; try 127.0.0.1:5002"),
            ("[::1]:65535", ErrorKind::AddrInUse, "port 65535 is in use; try [::1]:5001"),
            (
                "127.0.0.1:80",
                ErrorKind::PermissionDenied,
                "port 80 needs privileges that this user does not have; try 127.0.0.1:8080",
            ),
            (
                "127.0.0.1:8080",
                ErrorKind::PermissionDenied,
                "the system reserves port 8080; try 127.0.0.1:8081",
            ),
            ("127.0.0.1:0", ErrorKind::AddrInUse, "port 0 is in use"),
            (
                "203.0.113.1:5000",
                ErrorKind::AddrNotAvailable,
                "203.0.113.1 is not an address of this machine; try 127.0.0.1:5000",
            ),
        ] {
            let error = StartError::binding(address.parse().unwrap(), kind.into());
            assert_eq!((error.kind(), format!("{error:?}")), (kind, sentence.to_owned()));
            assert_eq!(io::Error::from(error).to_string(), sentence);
        }
        let address = "127.0.0.1:80".parse().unwrap();
        let other = StartError::binding(address, io::Error::other("no network"));
        assert_eq!(format!("{other}"), "cannot listen on 127.0.0.1:80: no network");
        let in_use = StartError::binding(address, ErrorKind::AddrInUse.into());
        assert_eq!(in_use.with_flag("--listen "), "port 80 is in use; try --listen 127.0.0.1:81");
    }

    #[test]
    fn of_several_addresses_the_one_whose_port_is_in_use_is_named() {
        let failed = |address: &str, kind: ErrorKind| (address.parse().unwrap(), kind.into());
        let missing = failed("[::1]:5000", ErrorKind::AddrNotAvailable);
        let taken = failed("127.0.0.1:5000", ErrorKind::AddrInUse);
        let error = StartError::binding_all(vec![missing, taken]).to_string();
        assert!(error.ends_with("; try 127.0.0.1:5001"), "{error}");
        let none = StartError::binding_all(Vec::new()).to_string();
        assert!(none.starts_with("this is not an address to listen on, such as "), "{none}");
    }
}

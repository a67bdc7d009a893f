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

/// Why a server could not start. `Display` and `Debug` print a sentence: what happened, and what to do.
/// [`kind`](StartError::kind) is the system's error.
pub struct StartError {
    what: String,
    /// An address that may work.
    instead: Option<String>,
    source: io::Error,
}

impl StartError {
    /// An error of the system, when a listener was to be bound to this host and port.
    pub(super) fn binding(host: &str, port: u16, source: io::Error) -> StartError {
        let (what, instead) = match source.kind() {
            ErrorKind::AddrInUse => {
                let macos = if cfg!(target_os = "macos") && port == 5000 {
                    " (on macOS by AirPlay Receiver: System Settings, General, AirDrop & Handoff)"
                } else {
                    ""
                };
                let next = port.checked_add(1).unwrap_or(5001);
                (format!("port {port} is in use{macos}"), format!("{host}:{next}"))
            }
            ErrorKind::PermissionDenied => (
                format!("port {port} needs privileges that this user does not have"),
                format!("{host}:5000"),
            ),
            ErrorKind::AddrNotAvailable => {
                (format!("{host} is not an address of this machine"), format!("127.0.0.1:{port}"))
            }
            _ => return StartError::new(&format!("cannot listen on {host}:{port}"), source),
        };
        StartError { what, instead: Some(instead), source }
    }

    /// An error of the system, when a listener was to be bound to one of these addresses.
    pub(super) fn binding_one_of(addresses: &[SocketAddr], source: io::Error) -> StartError {
        match addresses {
            [] => StartError::new("there is no address to listen on", source),
            [SocketAddr::V4(first), ..] => {
                StartError::binding(&first.ip().to_string(), first.port(), source)
            }
            [SocketAddr::V6(first), ..] => {
                StartError::binding(&format!("[{}]", first.ip()), first.port(), source)
            }
        }
    }

    /// A limit of one request, such as `content`, is above the limit on the memory of all of them.
    pub(super) fn above_memory(name: &str, bytes: u64, memory: u64) -> StartError {
        let what = format!(
            "the limit on the {name} of one request, {bytes} bytes, is above the limit on the memory \
             of all of them, {memory} bytes; raise `memory` or lower `{name}`"
        );
        StartError { what, instead: None, source: ErrorKind::InvalidInput.into() }
    }

    /// Another error of the system: what could not be done, and its text.
    pub(crate) fn new(what: &str, source: io::Error) -> StartError {
        StartError { what: format!("{what}: {source}"), instead: None, source }
    }

    /// The kind of the system's error, such as `AddrInUse`. `InvalidInput` for limits that contradict each
    /// other.
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
                "port 80 needs privileges that this user does not have; try 127.0.0.1:5000",
            ),
            (
                "203.0.113.1:5000",
                ErrorKind::AddrNotAvailable,
                "203.0.113.1 is not an address of this machine; try 127.0.0.1:5000",
            ),
        ] {
            let error = StartError::binding_one_of(&[address.parse().unwrap()], kind.into());
            assert_eq!((error.kind(), format!("{error:?}")), (kind, sentence.to_owned()));
            assert_eq!(io::Error::from(error).to_string(), sentence);
        }
        let other = StartError::binding("h", 80, io::Error::other("no network"));
        assert_eq!(format!("{other}"), "cannot listen on h:80: no network");
        let in_use = StartError::binding("h", 80, ErrorKind::AddrInUse.into());
        assert_eq!(in_use.with_flag("--listen "), "port 80 is in use; try --listen h:81");
    }
}

//! The address of a server, as the user types it.

use std::ffi::OsStr;

use super::CliError;
use super::flags::{self, ADDRESS};

/// Returns `host:port` for what the user typed: `host:port`, a port alone, `:5000`, or a URL.
///
/// # Errors
/// What an address looks like.
pub fn authority(typed: &OsStr) -> Result<String, CliError> {
    let typed = &*typed.to_string_lossy();
    if typed.starts_with("https:") {
        let sentence = "https means TLS, which openkitchen does not speak: \
                        give the address of a plain HTTP server";
        return Err(CliError::Usage(sentence.into()));
    }
    let url = typed.strip_prefix("http://");
    let bare = url.unwrap_or(typed);
    let bare = bare.split(['/', '?', '#']).next().unwrap_or_default();
    let bare = if url.is_none() { bare.strip_prefix(':').unwrap_or(bare) } else { bare };
    let with_default = (url.is_some() && !bare.is_empty()).then(|| format!("{bare}:80"));
    // Port 0 is no port of a server: it asks the system for a free port to listen on.
    let is_of_server = |address: &String| {
        let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        port != Some(0)
    };
    flags::address(bare)
        .or(with_default)
        .filter(is_of_server)
        .ok_or_else(|| CliError::Usage(format!("ADDR takes {ADDRESS}, or a port, not `{typed}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_port_a_host_with_a_port_or_a_url() {
        for (typed, address) in [
            ("5000", "127.0.0.1:5000"),
            (":5000", "127.0.0.1:5000"),
            ("localhost:5000", "localhost:5000"),
            ("[::1]:5000", "[::1]:5000"),
            ("http://127.0.0.1:5000", "127.0.0.1:5000"),
            ("http://127.0.0.1:5000/about?x=1", "127.0.0.1:5000"),
            ("http://example.test/", "example.test:80"),
            ("http://[::1]/", "[::1]:80"),
        ] {
            assert_eq!(authority(OsStr::new(typed)), Ok(address.to_owned()), "{typed}");
        }
        for typed in [
            "",
            "localhost",
            "host:port",
            "70000",
            "0",
            "h:00",
            "https://h:1/",
            "http://",
            "http:///",
        ] {
            assert!(matches!(authority(OsStr::new(typed)), Err(CliError::Usage(_))), "{typed}");
        }
    }
}

//! The address of a server, as the user types it.

use std::ffi::OsStr;
use std::net::Ipv6Addr;

use super::CliError;
use super::flags;

/// Returns `host:port` for what the user typed as ADDR: see [`authority_of`].
///
/// # Errors
/// What an address looks like.
#[cfg(feature = "tools")]
pub fn authority(typed: &OsStr) -> Result<String, CliError> {
    authority_of("ADDR", flags::ADDRESS, typed)
}

/// Returns `host:port` for what the user typed: `host:port`, a port alone, `:5000`, or a URL. A port
/// alone is one of this machine, and its server may listen at 127.0.0.1 or at ::1: so its host is
/// localhost, which is both. An error has the name of the argument, and says what it should be.
///
/// # Errors
/// What an address looks like.
pub fn authority_of(argument: &str, wanted: &str, typed: &OsStr) -> Result<String, CliError> {
    let typed = &*typed.to_string_lossy();
    if typed.starts_with("https:") {
        let sentence = "https means TLS, which openkitchen does not speak: \
                        give the address of a plain HTTP server";
        return Err(CliError::Usage(sentence.into()));
    }
    // It is not repeated: a password has no place in a log.
    let after_scheme = typed.split_once("://").map_or(typed, |(_, rest)| rest);
    let mut parts = after_scheme.trim_start_matches('/').split(['/', '?', '#']);
    if parts.next().is_some_and(|part| part.contains('@')) {
        let sentence = "takes no user name and no password: leave out what is before the @";
        return Err(CliError::Usage(format!("{argument} {sentence}")));
    }
    let url = typed.strip_prefix("http://");
    let bare = url.unwrap_or(typed);
    let bare = bare.split(['/', '?', '#']).next().unwrap_or_default();
    let is_port = |text: &&str| text.parse::<u16>().is_ok();
    let port_alone = bare.strip_prefix(':').filter(|port| url.is_none() && is_port(port));
    let bare = port_alone.unwrap_or(bare);
    let has_port = bare.contains(':') && !bare.ends_with(']');
    let has_default = url.is_some() && !bare.is_empty() && !has_port;
    let with_default = has_default.then(|| format!("{bare}:80"));
    let on_this_machine = bare.parse::<u16>().is_ok().then(|| format!("localhost:{bare}"));
    let found = on_this_machine.or_else(|| flags::address(bare)).or(with_default);
    let ipv6 = ipv6(bare, if url.is_some() { "80" } else { "PORT" });
    if let Some(meant) = ipv6.filter(|it| found.as_ref() != Some(it) || !bare.starts_with('[')) {
        return Err(CliError::Usage(format!(
            "{argument} takes {wanted}, or a port, not `{typed}`; \
             an IPv6 address stands in brackets: {meant}"
        )));
    }
    found
        .filter(|_| !has_port_0(bare)) // no server listens there
        .ok_or_else(|| {
            CliError::Usage(format!("{argument} takes {wanted}, or a port, not `{typed}`"))
        })
}

/// Whether this is the port 0, or an address with it: the system then chooses the port.
pub fn has_port_0(address: &str) -> bool {
    address.rsplit(':').next().is_some_and(|port| port.parse() == Ok(0_u16))
}

/// The IPv6 address that is meant, in brackets, with its port or the default one. Without brackets the
/// last part is taken for the port, if the rest is an address.
fn ipv6(typed: &str, default_port: &str) -> Option<String> {
    let host_of = |text: &str| {
        let host = text.trim_start_matches('[').trim_end_matches(']');
        host.parse::<Ipv6Addr>().is_ok().then(|| host.to_owned())
    };
    let parts = typed.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
    let with_port = parts.and_then(|(host, port)| Some((host_of(host)?, port)));
    let (host, port) = with_port.or_else(|| Some((host_of(typed)?, default_port)))?;
    Some(format!("[{host}]:{port}"))
}

/// The error for a server that cannot be reached, at the address that the user has given.
#[cfg(feature = "tools")]
pub fn no_connection(address: &str, why: &str) -> CliError {
    CliError::NoConnection(format!("{address} cannot be reached: {why}"))
}

/// The host of a server in the field Host. The port 80 is left out (RFC 9110 section 4.2.3).
#[cfg(feature = "tools")]
pub fn host(authority: &str) -> &str {
    authority.strip_suffix(":80").unwrap_or(authority)
}

#[cfg(all(test, feature = "tools"))]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_port_a_host_with_a_port_or_a_url() {
        for (typed, address) in [
            ("5000", "localhost:5000"),
            (":5000", "localhost:5000"),
            ("http://localhost:5000/", "localhost:5000"),
            ("localhost:5000", "localhost:5000"),
            ("[::1]:5000", "[::1]:5000"),
            ("http://127.0.0.1:5000", "127.0.0.1:5000"),
            ("http://127.0.0.1:5000/about?x=1", "127.0.0.1:5000"),
            ("http://example.test/", "example.test:80"),
            ("http://[::1]/", "[::1]:80"),
        ] {
            assert_eq!(authority(OsStr::new(typed)), Ok(address.to_owned()), "{typed}");
        }
        assert_eq!([host("h.test:80"), host("[::1]:8080")], ["h.test", "[::1]:8080"]);
        for typed in [
            "",
            "localhost",
            "host:port",
            "70000",
            "0",
            ":0",
            "h:0",
            "http://h:0/",
            "h:00",
            "https://h:1/",
            "http://",
            "http:///",
            "http://:5000/",
            "http://host:port/",
        ] {
            assert!(matches!(authority(OsStr::new(typed)), Err(CliError::Usage(_))), "{typed}");
        }
        for typed in ["http://u:pw@h:1/", "u:pw@h:1", "u:pw@", "ftp://u:pw@h/", "//u:pw@h"] {
            let error = format!("{:?}", authority(OsStr::new(typed)));
            assert!(error.contains("no user name") && !error.contains("pw"), "{error}");
        }
        assert_eq!(authority(OsStr::new("h:1/?mail=a@b")), Ok("h:1".to_owned()));
    }
}

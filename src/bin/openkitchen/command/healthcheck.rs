//! Asks a server whether it is well: for images that hold no curl.

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use openkitchen::play::connect;

use super::flags::{CommandLine, Flag, SECONDS, listen, time};
use super::{CliError, address};

/// What the flags set.
struct HealthcheckOptions {
    listen: Vec<String>,
    timeout: Duration,
}

#[rustfmt::skip]
const FLAGS: [Flag<HealthcheckOptions>; 2] = [
    Flag { name: "listen", value: "ADDR", help: "the server's --listen, where no URL is given",
        apply: |options, value| listen(&mut options.listen, value) },
    Flag { name: "timeout", value: "S", help: "seconds for all of it [5]",
        apply: |options, value| { options.timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
];

const COMMAND_LINE: CommandLine<HealthcheckOptions> = CommandLine {
    usage: "openkitchen healthcheck [URL] [FLAGS]: ask a server whether it is well\n\n\
        openkitchen healthcheck http://127.0.0.1:8080/healthz   or 8080 alone",
    flags: &FLAGS,
    notes: "Without a URL it asks at OPENKITCHEN_LISTEN, or at port 8080. Exit code: 0 the\n\
        status is from 200 to 299, 1 it is another, or there was no answer.\n\
        Each flag is also a variable: --timeout is OPENKITCHEN_TIMEOUT.",
};

/// The names of its flags.
pub fn flag_names() -> Vec<&'static str> {
    COMMAND_LINE.flag_names()
}

/// Runs the command line.
///
/// # Errors
/// A sentence: the server is not well.
pub fn command(arguments: &[OsString]) -> Result<ExitCode, CliError> {
    let options = HealthcheckOptions { listen: Vec::new(), timeout: Duration::from_secs(5) };
    let Some((options, others)) = COMMAND_LINE.read(arguments, options)? else {
        return Ok(ExitCode::SUCCESS);
    };
    let url = match &others[..] {
        [url] => url.clone(),
        [] => options.listen.first().map_or("127.0.0.1:8080", String::as_str).into(),
        [_, more, ..] => {
            let more = more.display();
            return Err(CliError::Usage(format!("`{more}` is one too many: healthcheck URL")));
        }
    };
    let authority = reachable(&address::authority(&url)?);
    let url = url.to_string_lossy();
    let path = match url.strip_prefix("http://").unwrap_or(&url).split_once('/') {
        Some((_, path)) if !path.is_empty() => format!("/{path}"),
        _ => "/healthz".to_owned(),
    };
    match status(&authority, &path, options.timeout) {
        Ok(200..300) => Ok(ExitCode::SUCCESS),
        Ok(status) => Err(CliError::Failed(format!("{authority}{path} answers {status}"))),
        Err(why) => Err(CliError::Failed(format!("{authority}{path} does not answer: {why}"))),
    }
}

/// A server that listens on all addresses is reached at the loopback one.
fn reachable(authority: &str) -> String {
    match authority.rsplit_once(':') {
        Some(("0.0.0.0", port)) => format!("127.0.0.1:{port}"),
        Some(("[::]", port)) => format!("[::1]:{port}"),
        _ => authority.to_owned(),
    }
}

/// Requests the path, and returns the status of the response.
fn status(authority: &str, path: &str, timeout: Duration) -> Result<u16, String> {
    let deadline = Instant::now() + timeout;
    let addresses = connect::resolve(authority)?;
    let mut stream = connect::connect(&addresses, timeout).map_err(|error| connect::why(&error))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    let ask = |stream: &mut TcpStream| {
        stream.set_write_timeout(Some(timeout))?;
        stream.write_all(request.as_bytes())?; // one write: the rest of several would wait
        let (mut line, mut filled) = ([0; "HTTP/1.1 200 ".len()], 0);
        while filled < line.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            stream.set_read_timeout(Some(left))?;
            match stream.read(&mut line[filled..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => filled += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(line)
    };
    let line = ask(&mut stream).map_err(|error: std::io::Error| connect::why(&error))?;
    let line = std::str::from_utf8(&line).unwrap_or_default();
    let code = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    code.ok_or_else(|| "it speaks no HTTP/1.1".to_owned())
}

//! Asks a server whether it is well: for images that hold no curl.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use openkitchen::message::outline::Outline;
use openkitchen::play::connect;
use openkitchen::sys::{self, UNIX_PREFIX, connect_path};

use super::flags::{self, CommandLine, FILES_ADDRESS, Flag, SECONDS, listen, time};
use super::{CliError, address};

/// The longest head of a response that is read, interim responses before it included.
const MAX_HEAD: usize = 64 * 1024;

/// What the flags set.
struct HealthcheckOptions {
    listen: Vec<String>,
    timeout: Duration,
}

#[rustfmt::skip]
const FLAGS: [Flag<HealthcheckOptions>; 2] = [
    Flag { name: "listen", value: "ADDR", help: "the server's --listen, where no URL is given",
        apply: |options, value| listen(&mut options.listen, value).ok_or(FILES_ADDRESS) },
    Flag { name: "timeout", value: "S", help: "seconds for all of it [5]",
        apply: |options, value| { options.timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
];

const COMMAND_LINE: CommandLine<HealthcheckOptions> = CommandLine {
    usage: "openkitchen healthcheck [URL] [FLAGS]: ask a server whether it is well\n\n\
        openkitchen healthcheck http://127.0.0.1:8080/healthz   or 8080, or unix:PATH",
    flags: &FLAGS,
    notes: "Without a URL it asks at the first address of OPENKITCHEN_LISTEN, or at port\n\
        8080; without a path it asks for /healthz. Exit code: 0 the status is from 200\n\
        to 299, 1 it is another, or there was no answer.\n\
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
        [] => listened(&options.listen)?.into(),
        [_, more, ..] => {
            let more = more.display();
            return Err(CliError::Usage(format!("`{more}` is one too many: healthcheck URL")));
        }
    };
    let text = url.to_string_lossy();
    let (authority, path) = match text.strip_prefix(UNIX_PREFIX) {
        Some("") => {
            let sentence = format!("write a Unix socket like {UNIX_PREFIX}/run/site.sock");
            return Err(CliError::Usage(sentence));
        }
        Some(_) => (text.into_owned(), "/healthz".to_owned()),
        None => (reachable(&address::authority_of("URL", FILES_ADDRESS, &url)?), target(&text)?),
    };
    let asked = match authority.starts_with(UNIX_PREFIX) {
        true => format!("{path} at {authority}"),
        false => format!("{authority}{path}"),
    };
    match status(&authority, &path, options.timeout) {
        Ok(200..300) => Ok(ExitCode::SUCCESS),
        Ok(status) => Err(CliError::Failed(format!("{asked} answers {status}"))),
        Err(why) => Err(CliError::Failed(format!("{asked} does not answer: {why}"))),
    }
}

/// Where a server with these values of --listen is to be asked: at the first.
fn listened(listen: &[String]) -> Result<&str, CliError> {
    let Some(first) = listen.first() else { return Ok("127.0.0.1:8080") };
    let source = "--listen (OPENKITCHEN_LISTEN)";
    if first.starts_with(UNIX_PREFIX) {
        Ok(first)
    } else if flags::address(first).is_none() {
        // A server does not take it either.
        Err(CliError::Usage(format!("{source} takes {FILES_ADDRESS}, not `{first}`")))
    } else if address::has_port_0(first) {
        let sentence = "the server has another: write that one, openkitchen healthcheck PORT";
        Err(CliError::Usage(format!("{source} has port 0, and {sentence}")))
    } else {
        Ok(first)
    }
}

/// The target of the request for a URL (RFC 9112 section 3.2.1): path and query.
fn target(url: &str) -> Result<String, CliError> {
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        let sentence = "a URL has neither spaces nor characters beyond ASCII: write them as %20";
        return Err(CliError::Usage(sentence.into()));
    }
    let url = url.strip_prefix("http://").unwrap_or(url);
    let url = url.split('#').next().unwrap_or_default();
    Ok(match url.find(['/', '?']).map(|at| &url[at..]) {
        None => "/healthz".to_owned(),
        Some(query) if query.starts_with('?') => format!("/{query}"),
        Some(path) => path.to_owned(),
    })
}

/// A server that listens on all addresses is reached at the loopback one.
fn reachable(authority: &str) -> String {
    match authority.rsplit_once(':') {
        Some(("0.0.0.0", port)) => format!("127.0.0.1:{port}"),
        Some(("[::]", port)) => format!("[::1]:{port}"),
        _ => authority.to_owned(),
    }
}

/// Requests the target, and returns the status of the response. All of it may take `timeout`, the resolver
/// of names too.
fn status(authority: &str, target: &str, timeout: Duration) -> Result<u16, String> {
    let host = if authority.starts_with(UNIX_PREFIX) { "localhost" } else { authority };
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let authority = authority.to_owned();
    let answer = Arc::new((Mutex::new(None), Condvar::new()));
    let to_fill = Arc::clone(&answer);
    let fill = move || {
        let status = ask(&authority, &request, timeout);
        *to_fill.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
        to_fill.1.notify_one();
    };
    sys::spawn("healthcheck", fill).map_err(|error| error.to_string())?;
    // The thread may wait longer. It ends with the process.
    let (slot, is_filled) = &*answer;
    let slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = is_filled.wait_timeout_while(slot, timeout, |answer| answer.is_none());
    let answer = waited.unwrap_or_else(PoisonError::into_inner).0.take();
    answer.unwrap_or_else(|| Err(connect::why(&ErrorKind::TimedOut.into())))
}

/// Sends the request, and reads the status of the final response. The attempts to connect take `timeout`
/// at most; the rest has no limit.
fn ask(authority: &str, request: &str, timeout: Duration) -> Result<u16, String> {
    let why = |error: io::Error| connect::why(&error);
    let mut stream = match authority.strip_prefix(UNIX_PREFIX) {
        Some(path) => connect_path(Path::new(path)).map_err(why)?,
        None => {
            let addresses = connect::resolve(authority)?;
            // A silent address leaves time for the next one.
            let each = (timeout / addresses.len() as u32).max(Duration::from_millis(1));
            connect::connect(&addresses, each).map_err(why)?
        }
    };
    stream.write_all(request.as_bytes()).map_err(why)?; // one write: the rest of several would wait
    final_status(&mut stream)
}

/// Reads the status of the final response. Interim responses (1xx) come before it (RFC 9110 section 15.2).
fn final_status(stream: &mut TcpStream) -> Result<u16, String> {
    let (mut received, mut buffer) = (Vec::new(), [0; 1024]);
    loop {
        match Outline::parse(&received, false).map(|head| head.map(|it| (it.status, it.length))) {
            Some(Some((Some(100 | 102..200), length))) => {
                received.drain(..length);
                continue;
            }
            Some(Some((Some(status), _))) => return Ok(status),
            Some(None) if received.len() < MAX_HEAD => {}
            _ => return Err("it speaks no HTTP/1.1".to_owned()),
        }
        match stream.read(&mut buffer) {
            Ok(0) => return Err("it closed the connection before the response".to_owned()),
            Ok(length) => received.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(connect::why(&error)),
        }
    }
}

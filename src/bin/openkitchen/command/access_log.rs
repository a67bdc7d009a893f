//! The access log on stdout, in the combined format, which goaccess and other tools read.
//!
//! ```text
//! 127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] "GET /?q=1 HTTP/1.1" 200 32 "-" "curl/8.5.0"
//! address       time                         request               status, bytes of content, Referer, User-Agent
//! ```
//! The third column is the user, where `serve` asks for a password and the request has it.
//!
//! What a client sends cannot end a line or a quoted part: a quote, a backslash, a control character and
//! each byte beyond ASCII are written as `\xHH`. What looks like a key in a target or a field, or a password in
//! a URL, is masked. Of a request whose head could not be read, the log has the first line; `"-"` if there is
//! none.
//!
//! No response waits for a reader of stdout that is too slow or gone. Lines are lost then, and their number
//! is told in their place and on stderr: see [`LineQueue`].

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use openkitchen::message::date::log_date;
use openkitchen::message::target::masked_uri;
use openkitchen::{Answered, Observer};

use super::auth::Auth;
use super::line_queue::LineQueue;
use super::stdout;

/// Bytes of a quoted part of a line, at most. Some readers, such as goaccess, split a line of 4 KiB.
const MAX_PART_BYTES: usize = 1024;

/// An observer that writes a line for each exchange.
pub struct AccessLog {
    queue: &'static LineQueue,
    /// The user that requests may be from.
    auth: Option<&'static Auth>,
}

impl AccessLog {
    /// A log that is written to stdout.
    ///
    /// # Errors
    /// The system grants no thread.
    pub fn on_stdout(auth: Option<&'static Auth>) -> io::Result<AccessLog> {
        stdout::queue().map(|queue| AccessLog { queue, auth })
    }
}

impl Observer for AccessLog {
    fn answered(&self, _connection: u64, exchange: &Answered<'_>) {
        if !exchange.route.is_some_and(|route| route.is_quiet) {
            let is_from = |auth: &&Auth| exchange.fields.is_some_and(|sent| auth.is_sent(sent));
            let user = self.auth.filter(is_from).map(|auth| &*auth.user);
            self.queue.push(line(exchange, user, SystemTime::now()).as_bytes());
        }
    }
}

fn line(exchange: &Answered<'_>, user: Option<&str>, now: SystemTime) -> String {
    let Answered { peer, method, target, unread_line, status, content_sent, .. } = exchange;
    let mut line = format!("{} - ", address(peer));
    match user {
        // A space would end the column.
        Some(user) if !user.is_empty() => {
            let from = line.len();
            push_escaped(&mut line, user.as_bytes());
            line.replace_range(from.., &line[from..].replace(' ', "\\x20"));
        }
        _ => line.push('-'),
    }
    let _ = write!(line, " [{}] \"", log_date(now)); // a `String` takes everything
    match exchange.version {
        Some(version) => {
            line += method;
            line.push(' ');
            push_escaped(&mut line, target.as_bytes());
            let _ = write!(line, " {version}");
        }
        None if unread_line.is_empty() => line.push('-'),
        // One of its words may be a target.
        None => {
            let start = &unread_line[..unread_line.len().min(MAX_PART_BYTES)];
            let words: Vec<Vec<u8>> = start.split(|&byte| byte == b' ').map(masked_bytes).collect();
            push_escaped(&mut line, &words.join(&b' '));
        }
    }
    let _ = write!(line, "\" {} {content_sent}", status.code());
    for name in ["referer", "user-agent"] {
        let value = exchange.fields.and_then(|fields| fields.values(name).next());
        line += " \"";
        match value {
            None => line.push('-'),
            Some(value) => push_escaped(&mut line, &masked_bytes(value)),
        }
        line.push('"');
    }
    line.push('\n');
    line
}

/// Masks what looks like a key in a value: a Referer is a URL, and may have one as a target may. In a value
/// that is no UTF-8, each byte stands for the character with its number.
fn masked_bytes(value: &[u8]) -> Vec<u8> {
    match str::from_utf8(value) {
        Ok(text) => masked_uri(text).as_bytes().to_vec(),
        Err(_) => {
            let text: String = value.iter().map(|&byte| char::from(byte)).collect();
            masked_uri(&text).chars().filter_map(|letter| u8::try_from(letter).ok()).collect()
        }
    }
}

/// The address alone. An IPv4 client of a listener for both versions has an IPv6 address there.
fn address(peer: &SocketAddr) -> IpAddr {
    peer.ip().to_canonical()
}

/// Appends bytes, escaped, as far as they fit into a part.
fn push_escaped(line: &mut String, bytes: &[u8]) {
    let end = line.len() + MAX_PART_BYTES;
    for &byte in bytes {
        let is_plain = !matches!(byte, b'"' | b'\\' | 0x7f.. | ..b' ');
        if line.len() + if is_plain { 1 } else { "\\xHH".len() } > end {
            break;
        }
        match is_plain {
            true => line.push(char::from(byte)),
            false => drop(write!(line, "\\x{byte:02X}")), // a `String` takes everything
        }
    }
}

#[test]
fn bytes_of_a_client_stay_within_their_part_of_the_line() {
    let mut line = String::new();
    push_escaped(&mut line, b"a \"b\"\\\n\x1b[31m\xc3\xa9\x7f");
    assert_eq!(line, r"a \x22b\x22\x5C\x0A\x1B[31m\xC3\xA9\x7F");
    push_escaped(&mut line, &[b'x'; 100_000]);
    assert!(line.len() < 1100);
    line.clear();
    push_escaped(&mut line, &[0xff; 100_000]);
    assert!(line.len() <= 1024 && line.ends_with("\\xFF"), "{}", line.len());
}

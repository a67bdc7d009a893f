//! The access log on stdout, in the combined format, which goaccess and other tools read.
//!
//! ```text
//! 127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] "GET /?q=1 HTTP/1.1" 200 32 "-" "curl/8.5.0"
//! address       time                         request               status, bytes of content, Referer, User-Agent
//! ```
//! The third column is the user, where `serve` asks for a password and the request has it.
//!
//! What a client sends cannot end a line or a quoted part: a quote, a backslash, a control character and
//! each byte beyond ASCII are written as `\xHH`. What looks like a key in a target is masked. Of a
//! request whose head could not be read, the log has the first line as it was sent; `"-"` if there is none.
//!
//! A response never waits for the reader of stdout. If it is slow or gone, lines are lost, and their number
//! is logged on stderr.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use openkitchen::message::counted::counted;
use openkitchen::message::date::log_date;
use openkitchen::message::target::masked;
use openkitchen::{Answered, Observer};

use super::auth::Auth;
use super::line_queue::LineQueue;

/// Bytes of a field that one line has, at most.
const MAX_FIELD_BYTES: usize = 1024;

/// An observer that writes a line for each exchange.
pub struct AccessLog {
    queue: Arc<LineQueue>,
    /// The user that requests may be from.
    auth: Option<&'static Auth>,
}

impl AccessLog {
    /// Starts the thread that writes to stdout.
    ///
    /// # Errors
    /// The system grants no thread.
    pub fn on_stdout(auth: Option<&'static Auth>) -> io::Result<AccessLog> {
        let queue = Arc::new(LineQueue::new(Duration::ZERO));
        let reader = Arc::clone(&queue);
        let on_loss = |lost| {
            let lost = counted(lost, "line of the access log was", "lines of the access log were");
            log::warn!("{lost} lost: stdout is read too slowly");
            String::new()
        };
        let write = move || reader.write_to(io::stdout(), on_loss);
        thread::Builder::new().name("access log".into()).spawn(write)?;
        Ok(AccessLog { queue, auth })
    }

    /// Waits until the lines are written, not long.
    pub fn finish(&self) {
        self.queue.finish();
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
        None => push_masked(&mut line, unread_line),
    }
    let _ = write!(line, "\" {} {content_sent}", status.code());
    for name in ["referer", "user-agent"] {
        let value = exchange.fields.and_then(|fields| fields.values(name).next());
        line += " \"";
        match value.map(String::from_utf8_lossy) {
            None => line.push('-'),
            // A Referer is a URL, and may have a key as a target may.
            Some(value) => push_escaped(&mut line, masked(&value).as_bytes()),
        }
        line.push('"');
    }
    line.push('\n');
    line
}

/// The address alone. An IPv4 client of a listener for both versions has an IPv6 address there.
fn address(peer: &SocketAddr) -> IpAddr {
    peer.ip().to_canonical()
}

/// The first line of a request that could not be read. Its words may be a target that has a key.
fn push_masked(line: &mut String, unread_line: &[u8]) {
    let start = &unread_line[..unread_line.len().min(MAX_FIELD_BYTES)];
    for (index, word) in start.split(|&byte| byte == b' ').enumerate() {
        if index > 0 {
            line.push(' ');
        }
        match masked(&String::from_utf8_lossy(word)) {
            Cow::Owned(masked) => push_escaped(line, masked.as_bytes()),
            Cow::Borrowed(_) => push_escaped(line, word),
        }
    }
}

fn push_escaped(line: &mut String, bytes: &[u8]) {
    for &byte in &bytes[..bytes.len().min(MAX_FIELD_BYTES)] {
        match byte {
            b'"' | b'\\' | 0x7f.. | ..b' ' => {
                let _ = write!(line, "\\x{byte:02X}"); // a `String` takes everything
            }
            _ => line.push(char::from(byte)),
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
}

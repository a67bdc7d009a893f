//! The access log on stdout: in the combined format, which goaccess and other tools read, or as JSON Lines
//! (NDJSON), a JSON object on each line.
//!
//! ```text
//! 127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] "GET /?q=1 HTTP/1.1" 200 32 "-" "curl/8.5.0"
//! address       time                         request               status and the rest
//! ```
//! The rest is the bytes of content, Referer and User-Agent. The third column is the user, where `serve` asks
//! for a password and the request has it.
//!
//! What a client sends cannot end a line or a quoted part: a quote, a backslash, a control character and
//! each byte beyond ASCII are written as `\xHH`. What looks like a key in a target or a field, or a password in
//! a URL, is masked. Of a request whose head could not be read, the log has the first line; `"-"` if there is
//! none.
//!
//! As JSON, there are five kinds of lines:
//!
//! ```text
//! listening   a listener: {"kind":"listening","address":"127.0.0.1:8080","url":"http://127.0.0.1:8080"}
//! note        an address that is left out, in words: {"kind":"note","text":"..."}
//! serving     the directory: {"kind":"serving","directory":"public"}
//! exchange    a request and its response, as below
//! lost        lines that are missing in this place: {"kind":"lost","lines":3}
//! ```
//! The first three stand at the start, in this order, with one `listening` for each listener.
//!
//! ```json
//! {"kind":"exchange","time":"1994-11-06T08:49:37.000Z","connection":1,"client":"127.0.0.1","user":null,
//!  "method":"GET","target":"/?q=1","version":"HTTP/1.1","status":200,"bytes":32,"took_ms":0.083,
//!  "referer":null,"user_agent":"curl/8.5.0","first_line":null}
//! ```
//! An exchange is one line, always with these keys. `time` is when the response was sent (RFC 3339), and
//! `took_ms` the time since the head of the request was read. `first_line` is that of a request whose head
//! could not be read, which has no method, target and version; else it is null. Bytes that are no UTF-8
//! are read as ISO-8859-1, as HTTP once had it (RFC 9110 section 5.5), so each is the character U+0000 to
//! U+00FF with its number. So every line is JSON (RFC 8259), whatever a client sends, and shorter than 4 KiB.
//!
//! No response waits for a reader of stdout that is too slow or gone. Lines are lost then, and their number
//! is told in their place and on stderr: see [`LineQueue`].

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;
use std::time::SystemTime;

use openkitchen::message::date::{log_date, rfc_3339};
use openkitchen::message::target::masked_uri;
use openkitchen::sys::peer_ip;
use openkitchen::{Answered, Observer};

use super::auth::Auth;
use super::line_queue::LineQueue;
use super::stdout;
use crate::json;

/// Bytes of a quoted part of a line, at most. Some readers, such as goaccess, split a line of 4 KiB.
const MAX_PART_BYTES: usize = 1024;

/// Bytes of the user in a line of JSON, at most: with the three longest parts, it stays below 4 KiB.
const MAX_USER_BYTES: usize = 256;

/// An observer that writes a line for each exchange.
pub struct AccessLog {
    queue: &'static LineQueue,
    /// The user that requests may be from.
    auth: Option<&'static Auth>,
    line: LineFormat,
}

/// Makes the line for an exchange of this connection, from this user, at this time.
type LineFormat = fn(u64, &Answered<'_>, Option<&str>, SystemTime) -> String;

impl AccessLog {
    /// A log in the combined format, which is written to stdout.
    ///
    /// # Errors
    /// The system grants no thread.
    pub fn combined(auth: Option<&'static Auth>) -> io::Result<AccessLog> {
        stdout::queue().map(|queue| AccessLog { queue, auth, line: combined_line })
    }

    /// A log as JSON, which is written to stdout.
    ///
    /// # Errors
    /// The system grants no thread.
    pub fn json(auth: Option<&'static Auth>) -> io::Result<AccessLog> {
        stdout::json_queue().map(|queue| AccessLog { queue, auth, line: json_line })
    }
}

impl Observer for AccessLog {
    fn answered(&self, connection: u64, exchange: &Answered<'_>) {
        if !exchange.route.is_some_and(|route| route.is_quiet) {
            let is_from = |auth: &&Auth| exchange.fields.is_some_and(|sent| auth.is_sent(sent));
            let user = self.auth.filter(is_from).map(|auth| &*auth.user);
            let line = (self.line)(connection, exchange, user, SystemTime::now());
            self.queue.push(line.as_bytes());
        }
    }
}

fn combined_line(_: u64, exchange: &Answered<'_>, user: Option<&str>, now: SystemTime) -> String {
    let Answered { peer, method, target, unread_line, status, content_sent, .. } = exchange;
    let mut line = format!("{} - ", peer_ip(*peer));
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
        None => push_escaped(&mut line, &masked_line(unread_line)),
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

fn json_line(
    connection: u64,
    exchange: &Answered<'_>,
    user: Option<&str>,
    now: SystemTime,
) -> String {
    let Answered { peer, status, content_sent, took, .. } = exchange;
    let part = |text: &str| json::string_of_at_most(MAX_PART_BYTES, text);
    let field = |name| {
        let value = exchange.fields.and_then(|fields| fields.values(name).next());
        json::or_null(value.map(|value| part(&text(&masked_bytes(value)))))
    };
    let null = || json::or_null(None);
    let ([method, target, version], first_line) = match exchange.version {
        Some(version) => {
            ([exchange.method, &exchange.target, &version.to_string()].map(part), null())
        }
        None => ([(); 3].map(|()| null()), part(&text(&masked_line(exchange.unread_line)))),
    };
    let user = user.map(|user| json::string_of_at_most(MAX_USER_BYTES, user));
    json::line(
        "exchange",
        [
            ("time", json::string(&rfc_3339(now))),
            ("connection", connection.to_string()),
            ("client", json::string(&peer_ip(*peer).to_string())),
            ("user", json::or_null(user)),
            ("method", method),
            ("target", target),
            ("version", version),
            ("status", status.code().to_string()),
            ("bytes", content_sent.to_string()),
            ("took_ms", json::millis(*took)),
            ("referer", field("referer")),
            ("user_agent", field("user-agent")),
            ("first_line", first_line),
        ],
    )
}

/// The start of the first line of a request whose head could not be read. One of its words may be a target.
fn masked_line(line: &[u8]) -> Vec<u8> {
    let is_within_character = |end: &usize| line.get(*end).is_some_and(|byte| byte >> 6 == 0b10);
    let end = line.len().min(MAX_PART_BYTES);
    let end = end - (0..3).take_while(|back| is_within_character(&(end - back))).count();
    let words = line[..end].split(|&byte| byte == b' ').map(masked_bytes);
    words.collect::<Vec<_>>().join(&b' ')
}

/// Bytes as text: UTF-8, or else ISO-8859-1.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect::<String>().into(),
    }
}

/// Masks what looks like a key in a value: a Referer is a URL, and may have one as a target may. In a value
/// that is no UTF-8, each byte stands for the character with its number.
fn masked_bytes(value: &[u8]) -> Vec<u8> {
    match str::from_utf8(value) {
        Ok(text) => masked_uri(text).as_bytes().to_vec(),
        Err(_) => masked_uri(&text(value))
            .chars()
            .filter_map(|letter| u8::try_from(letter).ok())
            .collect(),
    }
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

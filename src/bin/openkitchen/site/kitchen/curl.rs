//! # A request as a curl command
//!
//! For a shell (bash, zsh), so each value is quoted: nothing in a request can end the quotes. Bytes that
//! a terminal does not show are escapes.

use std::fmt::Write;
use std::net::SocketAddr;

use openkitchen::message::outline::Outline;

/// Fields that curl writes by itself.
const OF_CURL: [&str; 4] = ["host", "content-length", "transfer-encoding", "connection"];

/// Content of more bytes is left out: no shell takes so long a line.
const MAX_CONTENT_BYTES: usize = 8 * 1024;

/// The command that sends this request to the server at `address`; empty if its head cannot be split.
pub fn command(request: &[u8], address: SocketAddr) -> String {
    let Some(head) = Outline::parse(request, true).flatten() else { return String::new() };
    let content = request.get(head.length..).unwrap_or_default();
    let mut line = "curl -i --path-as-is --globoff".to_owned();
    match head.method_name() {
        b"GET" if content.is_empty() => {}
        b"HEAD" => line += " --head",
        method => line += &format!(" -X {}", quoted(method)),
    }
    for (name, value) in head.fields().iter() {
        if OF_CURL.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            continue;
        }
        // `Name:` would remove a field, and `Name;` sends it empty.
        let field = match value.is_empty() {
            true => format!("{name};").into_bytes(),
            false => [name.as_bytes(), b": ", value].concat(),
        };
        line += &format!(" -H {}", quoted(&field));
    }
    if content.len() > MAX_CONTENT_BYTES {
        return format!("{line} --data-binary @CONTENT {}", url(head.target(), address));
    }
    if !content.is_empty() {
        line += &format!(" --data-raw {}", quoted(content));
    }
    format!("{line} {}", url(head.target(), address))
}

/// The target as a URL of this server.
fn url(target: &[u8], address: SocketAddr) -> String {
    let start = if target.starts_with(b"/") { format!("http://{address}") } else { String::new() };
    quoted(&[start.as_bytes(), target].concat())
}

/// A word of a shell that means these bytes and nothing else.
fn quoted(bytes: &[u8]) -> String {
    let is_plain = |&byte: &u8| (b' '..=b'~').contains(&byte) && byte != b'\'';
    if bytes.iter().all(is_plain) {
        return format!("'{}'", String::from_utf8_lossy(bytes));
    }
    let mut word = "$'".to_owned();
    for &byte in bytes {
        match byte {
            b'\'' | b'\\' => word.extend(['\\', char::from(byte)]),
            b'\r' => word.push_str("\\r"),
            b'\n' => word.push_str("\\n"),
            b' '..=b'~' => word.push(char::from(byte)),
            // Three octal digits: a digit after them is no part of the escape.
            _ => drop(write!(word, "\\{byte:03o}")),
        }
    }
    word + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_word_holds_any_bytes() {
        for (bytes, word) in [
            (&b"a b"[..], "'a b'"),
            (b"", "''"),
            (b"$(id) `id` \\ \"!", "'$(id) `id` \\ \"!'"),
            (b"it's; rm -rf \\", r"$'it\'s; rm -rf \\'"),
            (b"a\r\n\x1b[2J\x001\xff", r"$'a\r\n\033[2J\0001\377'"),
        ] {
            assert_eq!(quoted(bytes), word);
        }
    }
}

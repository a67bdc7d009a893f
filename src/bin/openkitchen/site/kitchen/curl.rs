//! # A request as a curl command
//!
//! For a shell (bash, zsh), so each value is quoted: nothing in a request can end the quotes. Bytes that
//! a terminal does not show are escapes.
//!
//! Rule: bytes of a client never become an option of curl, and never choose the host. A target that is no
//! plain path is the value of `--request-target`, and the URL is this server's own.

use std::fmt::Write;
use std::net::SocketAddr;

use openkitchen::message::outline::Outline;

/// Fields that curl writes by itself.
const OF_CURL: [&str; 4] = ["host", "content-length", "transfer-encoding", "connection"];

/// Content of more bytes is left out: no shell takes so long a line. So is content with a NUL, at which
/// an argument ends.
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
    if content.len() > MAX_CONTENT_BYTES || content.contains(&0) {
        line += " --data-binary @CONTENT";
    } else if !content.is_empty() {
        line += &format!(" --data-raw {}", quoted(content));
    }
    line + &url(head.target(), address)
}

/// The target as arguments. curl sends the path of a URL as it stands, but for a fragment, which it cuts
/// off, and bytes beyond ASCII, which it encodes.
fn url(target: &[u8], address: SocketAddr) -> String {
    let is_path = target.starts_with(b"/")
        && target.iter().all(|&byte| byte.is_ascii_graphic() && byte != b'#');
    if is_path {
        return format!(" {}", quoted(&[format!("http://{address}").as_bytes(), target].concat()));
    }
    format!(" --request-target {} 'http://{address}/'", quoted(target))
}

/// A word of a shell that means these bytes, of which none is NUL, and nothing else.
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
    fn a_target_is_no_option_of_curl_and_chooses_no_host() {
        for (target, arguments) in [
            ("/a?b=[1]&c", "'http://127.0.0.1:5000/a?b=[1]&c'"),
            ("//evil.example/x", "'http://127.0.0.1:5000//evil.example/x'"),
            ("-K/tmp/x", "--request-target '-K/tmp/x' 'http://127.0.0.1:5000/'"),
            ("--config=x", "--request-target '--config=x' 'http://127.0.0.1:5000/'"),
            (
                "http://evil.example/",
                "--request-target 'http://evil.example/' 'http://127.0.0.1:5000/'",
            ),
            ("file:///etc/x", "--request-target 'file:///etc/x' 'http://127.0.0.1:5000/'"),
            ("@evil.example/", "--request-target '@evil.example/' 'http://127.0.0.1:5000/'"),
            ("*", "--request-target '*' 'http://127.0.0.1:5000/'"),
            ("/a#b", "--request-target '/a#b' 'http://127.0.0.1:5000/'"),
            ("/\u{e9}", r"--request-target $'/\303\251' 'http://127.0.0.1:5000/'"),
        ] {
            let request = format!("GET {target} HTTP/1.1\r\n\r\n");
            let expected = format!("curl -i --path-as-is --globoff {arguments}");
            assert_eq!(command(request.as_bytes(), ([127, 0, 0, 1], 5000).into()), expected);
        }
    }

    #[test]
    fn content_with_a_nul_is_no_argument() {
        let request = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\na\0b";
        let line = command(request, ([127, 0, 0, 1], 1).into());
        assert!(line.ends_with(" --data-binary @CONTENT 'http://127.0.0.1:1/'"), "{line}");
    }

    #[test]
    fn a_quoted_word_holds_any_bytes() {
        for (bytes, word) in [
            (&b"a b"[..], "'a b'"),
            (b"", "''"),
            (b"$(id) `id` \\ \"!", "'$(id) `id` \\ \"!'"),
            (b"it's; rm -rf \\", r"$'it\'s; rm -rf \\'"),
            (b"a\r\n\x1b[2J\x011\xff", r"$'a\r\n\033[2J\0011\377'"),
        ] {
            assert_eq!(quoted(bytes), word);
        }
    }
}

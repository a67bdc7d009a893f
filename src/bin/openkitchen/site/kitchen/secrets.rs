//! # Masks what is secret in a head
//!
//! ```text
//! GET /?appid=abc123 HTTP/1.1           GET /?appid=****** HTTP/1.1
//! Authorization: Bearer abc123          Authorization: Bearer ******
//! Cookie: theme=dark; sid=abc123        Cookie: theme=****; sid=******
//! ```
//! Each byte becomes one asterisk, so that all places in the bytes stay. A broken head is masked too, so
//! each line is taken as it stands. Left out: content. A form may hold a password.

use std::collections::HashSet;

use openkitchen::message::target::{is_secret_name, secret_values};
use openkitchen::observe::{KeptBytes, KeptExchange};

/// Fields whose names sound secret, and whose values are not.
const OPEN: [&str; 4] =
    ["www-authenticate", "proxy-authenticate", "authentication-info", "sec-websocket-key"];

/// The bytes of an exchange as they are shown: the request's and the response's. Unless `unmasked` is true,
/// the secrets in the heads are masked, and so is what the content of the response repeats of them: a
/// refusal shows the broken line, and some routes mirror the request.
pub fn shown(kept: &KeptExchange, unmasked: bool) -> [Vec<u8>; 2] {
    let messages = [&kept.request, &kept.response];
    let mut shown = messages.map(|message| message.bytes().to_vec());
    if unmasked {
        return shown;
    }
    let heads =
        |message: &KeptBytes| message.head_length().map_or(usize::MAX, |head| head as usize);
    let mut secrets = Vec::new();
    for (bytes, message) in shown.iter_mut().zip(messages) {
        mask(bytes, heads(message));
        secrets.extend(covered(message.bytes(), bytes));
    }
    cover_copies(&mut shown[1], &secrets);
    shown
}

/// The parts of some bytes that are masked in their copy.
fn covered<'a>(bytes: &'a [u8], masked: &[u8]) -> Vec<&'a [u8]> {
    let differ = |at: &usize| bytes[*at] != masked[*at];
    let (mut parts, mut at) = (Vec::new(), 0);
    while let Some(start) = (at..bytes.len()).find(differ) {
        at = (start..bytes.len()).find(|at| !differ(at)).unwrap_or(bytes.len());
        parts.push(&bytes[start..at]);
    }
    parts
}

/// Bytes of a secret that are found again, also without those around them: a line that is shown may be cut.
const COPIED_BYTES: usize = 6;

/// Masks copies of secrets. Shorter ones would be found where they are none.
fn cover_copies(bytes: &mut [u8], secrets: &[&[u8]]) {
    let pieces: HashSet<&[u8]> =
        secrets.iter().flat_map(|secret| secret.windows(COPIED_BYTES)).collect();
    if pieces.is_empty() {
        return;
    }
    let windows = bytes.windows(COPIED_BYTES).enumerate();
    let starts: Vec<usize> =
        windows.filter(|(_, window)| pieces.contains(window)).map(|(start, _)| start).collect();
    starts.iter().for_each(|&start| cover(&mut bytes[start..start + COPIED_BYTES]));
}

/// Masks the secrets in the heads at the start of these bytes, which are so long.
pub fn mask(bytes: &mut [u8], heads: usize) {
    let heads = heads.min(bytes.len());
    let (mut start, mut is_secret) = (0, false);
    while start < heads {
        let end = bytes[start..heads].iter().position(|&byte| byte == b'\n');
        let end = end.map_or(heads, |length| start + length + 1);
        let line = &mut bytes[start..end];
        match line.first() {
            // A folded line goes on with the value of the line before.
            Some(b' ' | b'\t') if is_secret => cover(line),
            _ => is_secret = mask_line(line),
        }
        start = end;
    }
}

/// Masks the secrets of a line. Returns whether its value is one.
fn mask_line(line: &mut [u8]) -> bool {
    let text: String = line.iter().copied().map(char::from).map(ascii).collect();
    // A target, or a URI in a field.
    let version = text.rfind(" HTTP/").unwrap_or(text.len());
    for span in secret_values(&text) {
        cover(&mut line[span.start..span.end.min(version.max(span.start))]);
    }
    let Some((name, value)) = text.split_once(':') else { return false };
    let name = name.split_ascii_whitespace().next_back().unwrap_or_default().to_ascii_lowercase();
    let start = text.len() - value.trim_start().len();
    match &*name {
        "authorization" | "proxy-authorization" => {
            // The scheme is no secret.
            let scheme = value.trim().split_once(' ').map_or(0, |(scheme, _)| scheme.len());
            cover(&mut line[start + scheme..]);
            true
        }
        "cookie" => {
            let mut at = start;
            for pair in text[start..].split_inclusive(';') {
                let value = pair.find('=').map_or(0, |equals| equals + 1);
                let end = pair.trim_end_matches(';').len();
                cover(&mut line[at + value.min(end)..at + end]);
                at += pair.len();
            }
            true
        }
        "set-cookie" => {
            let pair = text[start..].split(';').next().unwrap_or_default();
            let value = pair.find('=').map_or(0, |equals| equals + 1);
            cover(&mut line[start + value..start + pair.len()]);
            false
        }
        name if is_secret_name(name) && !OPEN.contains(&name) => {
            cover(&mut line[start..]);
            true
        }
        _ => false,
    }
}

/// One character for each byte, so that places in the text are places in the bytes.
fn ascii(character: char) -> char {
    if character.is_ascii() { character } else { '~' }
}

/// Makes each byte an asterisk, but for white space.
fn cover(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| !byte.is_ascii_whitespace()) {
        *byte = b'*';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        mask(&mut bytes, text.len());
        assert_eq!(bytes.len(), text.len());
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn what_a_response_repeats_of_a_secret_is_masked_even_if_it_is_cut() {
        let mut content = *b"a s3cret-of-12 b, s3cret-o, of-12, ****** s3cre";
        cover_copies(&mut content, &[b"s3cret-of-12", b"ab"]);
        assert_eq!(&content, b"a ************ b, ********, of-12, ****** s3cre");
        assert_eq!(covered(b"abcdef", b"a**de*"), [&b"bc"[..], b"f"]);
    }

    #[test]
    fn secrets_become_asterisks_of_the_same_length() {
        for (sent, shown) in [
            ("GET /?appid=abc&q=1 HTTP/1.1\r\n", "GET /?appid=***&q=1 HTTP/1.1\r\n"),
            ("GET /?q=1&key=a%20b HTTP/1.1\r\n", "GET /?q=1&key=***** HTTP/1.1\r\n"),
            ("GET http://h/?token=abc HTTP/1.1\r\n", "GET http://h/?token=*** HTTP/1.1\r\n"),
            ("GET /?key=a b HTTP/1.1\r\n", "GET /?key=* * HTTP/1.1\r\n"),
            ("GET /?key=abc\r\n", "GET /?key=***\r\n"),
            ("authorization:Basic YWJj\r\n", "authorization:Basic ****\r\n"),
            ("Authorization: abc\r\n", "Authorization: ***\r\n"),
            ("Authorization : Bearer abc\r\n", "Authorization : Bearer ***\r\n"),
            (
                "Authorization: Bearer\r\n abc\r\nA: b\r\n",
                "Authorization: ******\r\n ***\r\nA: b\r\n",
            ),
            ("\u{e9} Authorization: Bearer abc\r\n", "\u{e9} Authorization: Bearer ***\r\n"),
            ("Cookie: a=b; sid=cd;e\r\n", "Cookie: a=*; sid=**;*\r\n"),
            ("Set-Cookie: sid=abc; Path=/\r\n", "Set-Cookie: sid=***; Path=/\r\n"),
            ("X-API-Key: abc\r\n", "X-API-Key: ***\r\n"),
            ("X-Auth-Token: \u{e9}\r\n", "X-Auth-Token: **\r\n"),
            ("Referer: http://h/?key=abc\r\n", "Referer: http://h/?key=***\r\n"),
            ("Location: /?token=abc#x\r\n", "Location: /?token=*****\r\n"),
            ("WWW-Authenticate: Basic realm=\"a\"\r\n", "WWW-Authenticate: Basic realm=\"a\"\r\n"),
            ("HTTP/1.1 200 OK\r\nHost: h:80\r\n", "HTTP/1.1 200 OK\r\nHost: h:80\r\n"),
            ("", ""),
            (":", ":"),
            ("\n\r\n: \n", "\n\r\n: \n"),
        ] {
            assert_eq!(masked(sent), shown, "{sent:?}");
        }
        let mut bytes = *b"Cookie: a=b\r\n\r\nCookie: a=b";
        mask(&mut bytes, 15);
        assert_eq!(&bytes, b"Cookie: a=*\r\n\r\nCookie: a=b", "content stays");
    }
}

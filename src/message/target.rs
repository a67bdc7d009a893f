//! # Parses a request target: path and query
//!
//! ```text
//! GET /api/posts?sort=likes HTTP/1.1          origin form:   a path, and perhaps a query
//! GET http://example.test/about HTTP/1.1      absolute form: a whole URI, as proxies send it
//! OPTIONS * HTTP/1.1                          asterisk form: the server as a whole
//! ```
//! A browser splits the URL. It sends the host in the Host field, keeps the fragment (`#...`), and sends
//! the rest as the target.
//!
//! Rule: RFC 9112 section 3.2, with the bytes of RFC 3986. The server refuses an invalid target and
//! never corrects one, because attackers use corrections to pass a check.  Left out: the authority
//! form, which only CONNECT uses.  Next: [`fields`](super::fields).

use std::borrow::Cow;
use std::net::Ipv6Addr;
use std::ops::Range;

use super::fields::{Span, parse_digits};
use super::method::Method;
use super::refusal::{Refusal, Refused};

/// The parts of a request target, as spans in the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The whole target, as sent.
    pub whole: Span,
    /// `example.test:80` in an absolute form. It overrides Host (RFC 9112 section 3.2.2).
    pub authority: Option<Span>,
    /// The path as sent, which may be empty; see [`Target::path`].
    path: Span,
    /// The bytes after the question mark, as sent.
    pub query: Option<Span>,
    /// Whether the target is `*`, the server as a whole.
    pub is_asterisk: bool,
}

impl Target {
    /// Parses the target at `whole` in `bytes`.
    ///
    /// # Errors
    /// A target in no form that `method` allows, with the offset of the first bad byte.
    pub fn parse(bytes: &[u8], whole: Span, method: Method) -> Result<Target, Refused> {
        let text = whole.in_bytes(bytes);
        let bad = |refusal: Refusal, offset: usize| refusal.at(whole.start() + offset);
        let span = |from: usize, to: usize| Span::new(whole.start() + from, whole.start() + to);

        if text == b"*" && method == Method::Options {
            let (path, authority, query) = (whole, None, None);
            return Ok(Target { whole, authority, path, query, is_asterisk: true });
        }
        let mut authority = None;
        let mut path_start = 0;
        if !text.starts_with(b"/") {
            let scheme = scheme(text).ok_or(bad(Refusal::TargetForm, 0))?;
            if !scheme.eq_ignore_ascii_case(b"http") {
                return Err(bad(Refusal::TargetScheme, 0));
            }
            let start = scheme.len() + "://".len();
            let length = text[start..].iter().take_while(|byte| !b"/?#".contains(byte)).count();
            path_start = start + length;
            check_authority(&text[start..path_start])
                .map_err(|at| bad(Refusal::TargetAuthority, start + at))?;
            authority = Some(span(start, path_start));
        }
        check_bytes(text, path_start).map_err(|(refusal, at)| bad(refusal, at))?;

        let question = text[path_start..].iter().position(|&byte| byte == b'?');
        let path_end = question.map_or(text.len(), |at| path_start + at);
        let query = question.map(|_| span(path_end + 1, text.len()));
        // RFC 9112 section 3.2.4: OPTIONS for a URI with neither path nor query means `*`.
        let is_asterisk = method == Method::Options && path_start == text.len();
        Ok(Target { whole, authority, path: span(path_start, path_end), query, is_asterisk })
    }

    /// Returns the path as sent, or `/` if an absolute form has none (RFC 9110 section 4.2.3).
    pub fn path(self, bytes: &[u8]) -> &[u8] {
        match self.path.in_bytes(bytes) {
            b"" => b"/",
            path => path,
        }
    }
}

/// Returns the scheme, such as `http` of `http://...`, if there is one (RFC 3986 section 3.1).
fn scheme(text: &[u8]) -> Option<&[u8]> {
    let end = text.windows(3).position(|three| three == b"://")?;
    let scheme = &text[..end];
    let is_valid =
        scheme.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    (scheme.first()?.is_ascii_alphabetic() && is_valid).then_some(scheme)
}

/// Checks path and query from `start` on: pchar, slash and question mark (RFC 3986 section 3.3).
fn check_bytes(text: &[u8], start: usize) -> Result<(), (Refusal, usize)> {
    for (at, &byte) in text.iter().enumerate().skip(start) {
        if byte == b'%' {
            let digits = text.get(at + 1..at + 3).unwrap_or_default();
            if digits.len() < 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
                return Err((Refusal::TargetPercent, at));
            }
        } else if !is_target_byte(byte) {
            let is_fragment = byte == b'#';
            let refusal = if is_fragment { Refusal::TargetFragment } else { Refusal::TargetByte };
            return Err((refusal, at));
        }
    }
    Ok(())
}

/// Returns whether path and query may contain this byte without an escape (pchar of RFC 3986, slash
/// and question mark).
pub(super) fn is_target_byte(byte: u8) -> bool {
    is_name_byte(byte) || b":@/?".contains(&byte)
}

/// Returns whether the name of a host may contain this byte without an escape (unreserved and
/// sub-delims of RFC 3986).
const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'')
        || matches!(byte, b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}

/// Checks `host` or `host:port` of a Host field or an absolute target: not empty (RFC 9110 section
/// 4.2.1), no user name (section 4.2.4). In brackets, only an IPv6 address is valid: the form `[v1.x]`
/// of RFC 3986 is not in use.
///
/// # Errors
/// The offset of the first bad byte.
pub fn check_authority(text: &[u8]) -> Result<(), usize> {
    let host = if text.starts_with(b"[") {
        let close = text.iter().position(|&byte| byte == b']').ok_or(text.len())?;
        let address = std::str::from_utf8(&text[1..close]).map_err(|_| 1usize)?;
        address.parse::<Ipv6Addr>().map_err(|_| 1usize)?;
        close + 1
    } else {
        let mut at = 0;
        while let Some(&byte) = text.get(at).filter(|&&byte| byte != b':') {
            let is_escape = byte == b'%'
                && text
                    .get(at + 1..at + 3)
                    .is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
            match byte {
                _ if is_escape => at += 3,
                _ if is_name_byte(byte) => at += 1,
                _ => return Err(at),
            }
        }
        at
    };
    match &text[host..] {
        _ if host == 0 => Err(0),
        b"" | b":" => Ok(()),
        [b':', port @ ..] => match port.iter().position(|byte| !byte.is_ascii_digit()) {
            Some(bad) => Err(host + 1 + bad),
            // A TCP port is at most 65,535.
            None if parse_digits::<u16>(port).is_some() => Ok(()),
            None => Err(host + 1),
        },
        _ => Err(host),
    }
}

/// Decodes the escapes of a path for the route table: `/%61bout` is `/about` (RFC 9110 section 4.2.3).
///
/// Two escapes stay: `%2F`, a slash inside a segment, which must not end the segment; and the `%25` of
/// `%252F`, which must not become `%2F`. So two different paths never become the same bytes.
pub fn decode_path(path: &[u8]) -> Cow<'_, [u8]> {
    if !path.contains(&b'%') {
        return Cow::Borrowed(path);
    }
    // `%25` is decoded last, because what follows it may be an escape too, as in `%25%32F`.
    let others = decode(path, |byte, _| byte != b'/' && byte != b'%');
    Cow::Owned(decode(&others, |byte, rest| byte == b'%' && !is_slash_escape(rest)))
}

/// Decodes what [`decode_path`] leaves in one segment of its path: `%252F` becomes the text `%2F`. `None`
/// if the segment has an escaped slash (`%2F`): no file has a slash in its name.
pub fn decode_segment(segment: &[u8]) -> Option<Vec<u8>> {
    let is_slash = |three: &[u8]| three.eq_ignore_ascii_case(b"%2F");
    if segment.windows(3).any(is_slash) {
        return None;
    }
    Some(decode(segment, |byte, rest| byte == b'%' && is_slash_escape(rest)))
}

/// Encodes a name as a segment of a path: all bytes are escaped but the unreserved ones (RFC 3986 section
/// 2.3).
pub fn encode_segment(name: &[u8]) -> String {
    let mut encoded = String::new();
    for &byte in name {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

/// Returns whether a percent sign before this text would begin an escaped slash, however often the
/// percent sign is escaped: `2F`, `252F`, `25252F`.
fn is_slash_escape(mut text: &[u8]) -> bool {
    while let [b'2', b'5', deeper @ ..] = text {
        text = deeper;
    }
    matches!(text, [b'2', b'F' | b'f', ..])
}

/// Decodes each `%HH` for which `decodes` returns true, given the decoded byte and the text after it.
/// All other bytes stay.
fn decode(text: &[u8], decodes: impl Fn(u8, &[u8]) -> bool) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        let escape = match rest {
            [b'%', high, low, ..] => hex(*high).zip(hex(*low)).map(|(high, low)| 16 * high + low),
            _ => None,
        };
        match escape.filter(|&byte| decodes(byte, &rest[3..])) {
            Some(byte) => {
                decoded.push(byte);
                rest = &rest[3..];
            }
            None => {
                decoded.push(*byte);
                rest = tail;
            }
        }
    }
    decoded
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// Decodes `application/x-www-form-urlencoded` text: a query, or the content of a form.
///
/// Returns names and values in order. A plus becomes a space, escapes are decoded, and bytes that are
/// not UTF-8 become U+FFFD. A name without `=` has an empty value.
///
/// ```
/// let pairs = openkitchen::form(b"post=3&why=good+%26+short");
/// assert_eq!(pairs[1], ("why".to_string(), "good & short".to_string()));
/// ```
pub fn form(text: &[u8]) -> Vec<(String, String)> {
    let decoded = |part: &[u8]| {
        let spaced: Vec<u8> =
            part.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
        String::from_utf8_lossy(&decode(&spaced, |_, _| true)).into_owned()
    };
    text.split(|&byte| byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.iter().position(|&byte| byte == b'=') {
            Some(equals) => (decoded(&pair[..equals]), decoded(&pair[equals + 1..])),
            None => (decoded(pair), String::new()),
        })
        .collect()
}

/// Parts of the names of query parameters that hold keys.
const SECRET_NAME_PARTS: [&str; 9] =
    ["key", "token", "secret", "pass", "pw", "auth", "appid", "signature", "session"];

/// Whole names of such parameters. As a part, each is in names of other things: `design`, `postcode`.
const SECRET_NAMES: [&str; 3] = ["code", "jwt", "sig"];

/// Returns whether a query parameter with this name probably holds a key.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.contains(&&*name) || SECRET_NAME_PARTS.iter().any(|part| name.contains(part))
}

/// Masks a target for a log: values of parameters that probably hold keys become `***`, and all else
/// stays. A key should not be in a target, because logs, histories and Referer fields show targets (RFC
/// 9110 section 17.9).
pub fn masked(target: &str) -> Cow<'_, str> {
    let (mut text, mut at) = (String::new(), 0);
    for value in secret_values(target) {
        text += &target[at..value.start];
        text += "***";
        at = value.end;
    }
    if at == 0 { Cow::Borrowed(target) } else { Cow::Owned(text + &target[at..]) }
}

/// Masks a URI for a log, such as that of a Referer: as [`masked`], and a user name with its password too.
pub fn masked_uri(uri: &str) -> Cow<'_, str> {
    let shown = masked(uri);
    match userinfo(&shown) {
        Some(Range { start, end }) => {
            Cow::Owned(format!("{}***{}", &shown[..start], &shown[end..]))
        }
        None => shown,
    }
}

/// Where a URI has a user name and a password (RFC 3986 section 3.2.1): before the `@` of its authority.
fn userinfo(uri: &str) -> Option<Range<usize>> {
    let colon = uri.find(':')?;
    // In a path, as most targets are, no authority follows.
    let is_scheme = !uri[..colon].contains(['/', '?', '#']);
    let start = colon + "://".len();
    if !is_scheme || !uri[colon..].starts_with("://") {
        return None;
    }
    let authority = uri[start..].split(['/', '?', '#']).next()?;
    authority.rfind('@').filter(|&length| length > 0).map(|length| start..start + length)
}

/// Returns where the values of parameters that probably hold keys are in a target or a URI.
pub fn secret_values(target: &str) -> Vec<Range<usize>> {
    let Some(question) = target.find('?') else { return Vec::new() };
    let mut values = Vec::new();
    let mut start = question + 1;
    // Some servers separate parameters by semicolons.
    for pair in target[start..].split_inclusive(['&', ';']) {
        // The name may be escaped: `%6bey` is `key`.
        if let Some((name, value)) = pair.split_once('=')
            && let value = value.trim_end_matches(['&', ';'])
            && !value.is_empty()
            && decodes_to_secret_name(name)
        {
            let value_start = start + name.len() + 1;
            values.push(value_start..value_start + value.len());
        }
        start += pair.len();
    }
    values
}

fn decodes_to_secret_name(name: &str) -> bool {
    form(name.as_bytes()).first().is_some_and(|(name, _)| is_secret_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, method: Method) -> Result<Target, Refused> {
        Target::parse(text.as_bytes(), Span::new(0, text.len()), method)
    }

    #[test]
    fn each_form_of_a_target_is_parsed() {
        for (text, path, query, authority) in [
            ("/", "/", None, None),
            ("/a/b?c=d?e", "/a/b", Some("c=d?e"), None),
            ("/a?", "/a", Some(""), None),
            ("http://h:80/x?y", "/x", Some("y"), Some("h:80")),
            ("HTTP://h", "/", None, Some("h")),
            ("http://[::1]:5000?q", "/", Some("q"), Some("[::1]:5000")),
        ] {
            let target = parse(text, Method::Get).expect(text);
            let part =
                |span: Span| std::str::from_utf8(span.in_bytes(text.as_bytes())).expect(text);
            assert_eq!(target.path(text.as_bytes()), path.as_bytes(), "{text}");
            assert_eq!(target.query.map(part), query, "{text}");
            assert_eq!(target.authority.map(part), authority, "{text}");
            assert!(!target.is_asterisk);
        }
        for text in ["*", "http://h"] {
            assert!(parse(text, Method::Options).expect(text).is_asterisk);
        }
    }

    #[test]
    fn an_invalid_target_is_refused_at_its_first_bad_byte() {
        use Refusal::*;
        for (text, refusal, at) in [
            ("*", TargetForm, 0),
            ("about", TargetForm, 0),
            ("example.test:80", TargetForm, 0),
            ("https://h/", TargetScheme, 0),
            ("http:///x", TargetAuthority, 7),
            ("http://u@h/", TargetAuthority, 8),
            ("/a#b", TargetFragment, 2),
            ("/a|b", TargetByte, 2),
            ("/caf\u{e9}", TargetByte, 4),
            ("/%4", TargetPercent, 1),
            ("/a?%zz", TargetPercent, 3),
        ] {
            assert_eq!(parse(text, Method::Get), Err(refusal.at(at)), "{text}");
        }
    }

    #[test]
    fn an_authority_is_a_host_and_an_optional_port() {
        for good in ["h", "127.0.0.1:5000", "a.b-c_d~", "[::1]", "[::ffff:1.2.3.4]:1", "h:", "%61"]
        {
            assert_eq!(check_authority(good.as_bytes()), Ok(()), "{good}");
        }
        for (bad, at) in [
            ("", 0),
            (":80", 0),
            ("h:80a", 4),
            ("h:65536", 2),
            ("h/", 1),
            ("u@h", 1),
            ("a b", 1),
            ("[::1", 4),
            ("[x]", 1),
            ("[::1]x", 5),
            ("%6", 0),
            ("h\\", 1),
            ("::1", 0),
        ] {
            assert_eq!(check_authority(bad.as_bytes()), Err(at), "{bad}");
        }
    }

    #[test]
    fn a_path_is_decoded_except_for_an_escaped_slash() {
        assert_eq!(&*decode_path(b"/%61bout"), b"/about");
        assert_eq!(&*decode_path(b"/a%2Fb%2fc%20"), b"/a%2Fb%2fc ");
        assert_eq!(&*decode_path(b"/a%252Fb%25"), b"/a%252Fb%");
    }

    #[test]
    fn a_twice_escaped_slash_is_never_decoded_to_an_escaped_slash() {
        for path in ["/%252F", "/%25%32%46", "/%25%32f", "/%2525%32F"] {
            let decoded = decode_path(path.as_bytes());
            assert!(decoded.starts_with(b"/%252"), "{path} becomes {decoded:?}");
        }
        assert_eq!(&*decode_path(b"/%25252F"), b"/%25252F");
        assert_eq!(&*decode_path(b"/%2525%25"), b"/%25%");
    }

    #[test]
    fn a_segment_is_decoded_to_the_end_or_has_an_escaped_slash() {
        for (sent, name) in [
            ("a", Some("a")),
            ("100%25", Some("100%")),
            ("a%2Fb", None),
            ("a%2fb", None),
            ("a%252Fb", Some("a%2Fb")),
            ("a%25%32Fb", Some("a%2Fb")),
            ("a%25252Fb", Some("a%252Fb")),
            ("%25252F%2F", None),
            ("%2541", Some("%41")),
        ] {
            let decoded = decode_segment(&decode_path(sent.as_bytes()));
            assert_eq!(decoded.as_deref(), name.map(str::as_bytes), "{sent}");
        }
    }

    #[test]
    fn a_name_is_encoded_to_a_segment_that_is_decoded_to_it() {
        assert_eq!(encode_segment("a b:#?\"é".as_bytes()), "a%20b%3A%23%3F%22%C3%A9");
        let every_byte: Vec<u8> = (0..=255).filter(|&byte| byte != b'/').collect();
        for name in [&every_byte, &b"100%"[..], b"%41", b"a%2Fb", b"%252F"] {
            let decoded = decode_segment(&decode_path(encode_segment(name).as_bytes()));
            assert_eq!(decoded.as_deref(), Some(name));
        }
    }

    #[test]
    fn values_of_secret_parameters_are_masked() {
        for (target, shown) in [
            ("/x?appid=abc&q=1", "/x?appid=***&q=1"),
            ("/x?q=1&API_KEY=abc", "/x?q=1&API_KEY=***"),
            ("/x?%6bey=abc", "/x?%6bey=***"),
            ("/x?a=1;pw=abc", "/x?a=1;pw=***"),
            ("/x?code=abc&sig=abc&jwt=abc", "/x?code=***&sig=***&jwt=***"),
            ("/x?postcode=abc&design=abc", "/x?postcode=abc&design=abc"),
            ("/x?key=", "/x?key="),
            ("/key?q", "/key?q"),
        ] {
            assert_eq!(masked(target), shown);
            assert_eq!(masked_uri(target), shown);
        }
        for (uri, shown) in [
            ("http://me:abc@h/?key=abc&q=@", "http://***@h/?key=***&q=@"),
            ("https://abc@h:1", "https://***@h:1"),
            ("http://me:a@bc@h/#@", "http://***@h/#@"),
            ("http://@h/@", "http://@h/@"),
            ("/x://me:abc@h/", "/x://me:abc@h/"),
            ("/?q=http://me:abc@h/", "/?q=http://me:abc@h/"),
        ] {
            assert_eq!(masked_uri(uri), shown);
        }
    }
}

//! Targets: the parts of a target make the whole, its path is decoded without loss, and its secrets are
//! masked.

use openkitchen::form;
use openkitchen::message::fields::Span;
use openkitchen::message::method::Method;
use openkitchen::message::target::{Target, check_authority, decode_path, is_secret_name, masked};

pub fn check(bytes: &[u8]) {
    for method in [Method::Get, Method::Options] {
        match Target::parse(bytes, Span::new(0, bytes.len()), method) {
            Ok(target) => the_parts_make_the_whole(&target, bytes, method),
            // The offset may be the end: there a byte is missing. A request line has a space there.
            Err(refused) => assert!(refused.at.is_some_and(|at| at <= bytes.len())),
        }
    }
    a_form_written_again_is_the_same(bytes);
    an_authority_is_a_host_and_an_optional_port(bytes);
    secrets_are_masked(&String::from_utf8_lossy(bytes));
}

fn the_parts_make_the_whole(target: &Target, bytes: &[u8], method: Method) {
    assert!(bytes.iter().all(u8::is_ascii_graphic), "{bytes:?}");
    assert_eq!(target.whole.in_bytes(bytes), bytes);
    if bytes == b"*" {
        return assert!(target.is_asterisk && method == Method::Options);
    }
    let mut rest = bytes;
    if let Some(authority) = target.authority {
        let scheme = &rest[..authority.start()];
        assert!(scheme.eq_ignore_ascii_case(b"http://"), "{scheme:?}");
        assert_eq!(check_authority(authority.in_bytes(bytes)), Ok(()));
        rest = &rest[authority.end()..];
    }
    let path = target.path(bytes);
    assert!(path.starts_with(b"/") && !path.contains(&b'?') && !path.contains(&b'#'));
    a_path_is_decoded_without_loss(path);
    let has_no_path = !rest.starts_with(b"/");
    assert!(!has_no_path || (target.authority.is_some() && path == b"/"));
    rest = if has_no_path { rest } else { rest.strip_prefix(path).expect("the path") };
    match target.query {
        Some(query) => assert_eq!(rest, [b"?", query.in_bytes(bytes)].concat()),
        None => assert_eq!(rest, b""),
    }
    // An asterisk means the whole server: only without a path and a query.
    let has_no_resource = has_no_path && target.query.is_none();
    assert_eq!(target.is_asterisk, has_no_resource && method == Method::Options);
}

/// A decoded byte of a path, or a slash that is data and does not end a segment.
#[derive(Debug, PartialEq, Eq)]
enum PathByte {
    Byte(u8),
    EncodedSlash,
}

/// Two different paths are never decoded to the same bytes, and the number of segments stays the same.
fn a_path_is_decoded_without_loss(path: &[u8]) {
    let decoded = decode_path(path);
    let bytes_of_path = |text: &[u8]| {
        let (mut bytes, mut rest) = (Vec::new(), text);
        while let [byte, after @ ..] = rest {
            let encoded = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
            let encoded = encoded.filter(|two| two.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let encoded = encoded.and_then(|two| u8::from_str_radix(two, 16).ok());
            let (byte, used) = match (byte, encoded) {
                (b'%', Some(b'/')) => (PathByte::EncodedSlash, 3),
                (b'%', Some(byte)) => (PathByte::Byte(byte), 3),
                _ => (PathByte::Byte(*byte), 1),
            };
            bytes.push(byte);
            rest = &rest[used..];
        }
        bytes
    };
    // A decoded path has only the encodings `%2F`, `%252F`, `%25252F` and so on.
    let bytes_of_decoded = |text: &[u8]| {
        let (mut bytes, mut rest) = (Vec::new(), text);
        while let [byte, after @ ..] = rest {
            let mut inner = after;
            while let Some(rest) = inner.strip_prefix(b"25") {
                inner = rest;
            }
            let ends_in_slash = inner.get(..2).is_some_and(|two| two.eq_ignore_ascii_case(b"2f"));
            let (byte, used) = match (byte, ends_in_slash) {
                (b'%', true) if after.len() == inner.len() => (PathByte::EncodedSlash, 3),
                (b'%', true) => (PathByte::Byte(b'%'), 3),
                _ => (PathByte::Byte(*byte), 1),
            };
            bytes.push(byte);
            rest = &rest[used..];
        }
        bytes
    };
    assert_eq!(
        bytes_of_decoded(&decoded),
        bytes_of_path(path),
        "{:?}",
        String::from_utf8_lossy(&decoded)
    );
    let slashes = |text: &[u8]| text.iter().filter(|&&byte| byte == b'/').count();
    assert_eq!(slashes(&decoded), slashes(path));
}

/// The pairs of a form, written and parsed again, are the same.
fn a_form_written_again_is_the_same(text: &[u8]) {
    let pairs = form(text);
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let again = pairs.iter().map(|(name, value)| encode(name) + "=" + &encode(value));
    assert_eq!(form(again.collect::<Vec<_>>().join("&").as_bytes()), pairs);
}

fn an_authority_is_a_host_and_an_optional_port(text: &[u8]) {
    match check_authority(text) {
        Err(at) => assert!(at <= text.len()),
        Ok(()) => {
            assert!(text.iter().all(|byte| byte.is_ascii_graphic() && !b"@/?#\\".contains(byte)));
            let (host, port) = match text.iter().rposition(|&byte| byte == b':') {
                Some(colon) if !text.ends_with(b"]") => (&text[..colon], &text[colon + 1..]),
                _ => (text, &b""[..]),
            };
            assert!(!host.is_empty() && (host.starts_with(b"[") || !host.contains(&b':')));
            let port = std::str::from_utf8(port).expect("ASCII");
            assert!(port.is_empty() || port.parse::<u16>().is_ok());
        }
    }
}

fn secrets_are_masked(target: &str) {
    let shown = masked(target);
    assert_eq!(masked(&shown), shown, "masked twice");
    let path = |text: &str| text.split('?').next().unwrap_or_default().to_string();
    assert_eq!(path(&shown), path(target));
    let Some((_, query)) = shown.split_once('?') else { return };
    for pair in query.split(['&', ';']) {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let is_secret = form(name.as_bytes()).iter().any(|(name, _)| is_secret_name(name));
        assert!(!is_secret || value.is_empty() || value == "***", "{shown}");
    }
}

//! A target taken apart is the target, its path is decoded without loss, and no log shows its keys.

use openkitchen::form;
use openkitchen::message::fields::Span;
use openkitchen::message::method::Method;
use openkitchen::message::target::{Target, check_authority, decode_path, is_secret_name, masked};

pub fn holds(bytes: &[u8]) {
    for method in [Method::Get, Method::Options] {
        match Target::parse(bytes, Span::new(0, bytes.len()), method) {
            Ok(target) => its_parts_make_the_whole(&target, bytes, method),
            // At its end, where something is missing: in a request line that is the space behind it.
            Err(refused) => assert!(refused.at.is_some_and(|at| at <= bytes.len())),
        }
    }
    a_form_is_read_once(bytes);
    an_authority_is_a_host_and_perhaps_a_port(bytes);
    keys_are_masked(&String::from_utf8_lossy(bytes));
}

fn its_parts_make_the_whole(target: &Target, bytes: &[u8], method: Method) {
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
    let is_left_out = !rest.starts_with(b"/");
    assert!(!is_left_out || (target.authority.is_some() && path == b"/"));
    rest = if is_left_out { rest } else { rest.strip_prefix(path).expect("the path") };
    match target.query {
        Some(query) => assert_eq!(rest, [b"?", query.in_bytes(bytes)].concat()),
        None => assert_eq!(rest, b""),
    }
    // An asterisk is for the server as a whole: never where a path, or a query, was asked for.
    let names_nothing = is_left_out && target.query.is_none();
    assert_eq!(target.is_asterisk, names_nothing && method == Method::Options);
}

/// A byte that a path names, or the slash that ends no segment.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    Byte(u8),
    EscapedSlash,
}

/// Two paths that name different things are never decoded to the same bytes; and there are as many
/// segments as before.
fn a_path_is_decoded_without_loss(path: &[u8]) {
    let decoded = decode_path(path);
    let escapes = |text: &[u8]| {
        let (mut named, mut rest) = (Vec::new(), text);
        while let [byte, behind @ ..] = rest {
            let escaped = behind.get(..2).and_then(|two| std::str::from_utf8(two).ok());
            let escaped = escaped.filter(|two| two.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let escaped = escaped.and_then(|two| u8::from_str_radix(two, 16).ok());
            let (name, used) = match (byte, escaped) {
                (b'%', Some(b'/')) => (Named::EscapedSlash, 3),
                (b'%', Some(byte)) => (Named::Byte(byte), 3),
                _ => (Named::Byte(*byte), 1),
            };
            named.push(name);
            rest = &rest[used..];
        }
        named
    };
    // In what was decoded, an escape is one only where it ends in that of a slash.
    let kept = |text: &[u8]| {
        let (mut named, mut rest) = (Vec::new(), text);
        while let [byte, behind @ ..] = rest {
            let mut inner = behind;
            while let Some(deeper) = inner.strip_prefix(b"25") {
                inner = deeper;
            }
            let ends_in_slash = inner.get(..2).is_some_and(|two| two.eq_ignore_ascii_case(b"2f"));
            let (name, used) = match (byte, ends_in_slash) {
                (b'%', true) if behind.len() == inner.len() => (Named::EscapedSlash, 3),
                (b'%', true) => (Named::Byte(b'%'), 3),
                _ => (Named::Byte(*byte), 1),
            };
            named.push(name);
            rest = &rest[used..];
        }
        named
    };
    assert_eq!(kept(&decoded), escapes(path), "{:?}", String::from_utf8_lossy(&decoded));
    let slashes = |text: &[u8]| text.iter().filter(|&&byte| byte == b'/').count();
    assert_eq!(slashes(&decoded), slashes(path));
}

/// What a form says, written again and read again, is the same.
fn a_form_is_read_once(text: &[u8]) {
    let pairs = form(text);
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let again = pairs.iter().map(|(name, value)| escaped(name) + "=" + &escaped(value));
    assert_eq!(form(again.collect::<Vec<_>>().join("&").as_bytes()), pairs);
}

fn an_authority_is_a_host_and_perhaps_a_port(text: &[u8]) {
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

fn keys_are_masked(target: &str) {
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

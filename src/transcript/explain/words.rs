//! # Explaining a head, word by word
//!
//! ```text
//! GET /a?q=tea HTTP/1.1␍␊           Accept: text/html, */*;q=0.1␍␊
//! └── └─ └──── └───────             └───── the members, by their weights
//! ```
//! Each line is read on its own, so that a broken line does not hide the others. The [`glossary`] says
//! what a word means. Most words without a row get no remark. Next: [`faults`](super::faults).

use std::cmp::Reverse;

use super::remark::Remark;
use crate::message::counted::counted;
use crate::message::dialogue::Side;
use crate::message::fields::{Span, check_line, is_token, trim, without_line_end};
use crate::message::target::{check_authority, form, is_secret_name};
use crate::message::visible::Visible;
use crate::transcript::glossary::{self, Row, Shape, find, find_word};

/// Characters of an element's name in a remark, at most.
const NAME_CHARS: usize = 60;

/// Characters of a list of weights, at most.
const WEIGHTS_CHARS: usize = 400;

/// Explains the valid lines of a head, up to the empty line that ends it. `at` is the offset of its first
/// byte. Returns whether more lines follow.
pub(super) fn head(side: Side, head: &[u8], at: usize, remarks: &mut Vec<Remark>) -> bool {
    let mut words = Words { whole: head, at, remarks };
    let mut lines = head.split_inclusive(|&byte| byte == b'\n').map(without_line_end);
    if side == Side::Client && lines.clone().next() == Some(b"") {
        words.remark(&head[..1], glossary::EMPTY_LINE.2, glossary::EMPTY_LINE.1);
    }
    match lines.find(|line| !line.is_empty()) {
        Some(line) if side == Side::Client => words.request_line(line),
        Some(line) => words.status_line(line),
        None => {}
    }
    let fields = lines.by_ref().take_while(|line| !line.is_empty());
    fields.for_each(|line| words.field_line(line));
    lines.next().is_some()
}

/// Explains a valid line with the size of a chunk.
pub(super) fn chunk_size(line: &[u8], size: u64, at: usize, remarks: &mut Vec<Remark>) {
    let mut words = Words { whole: line, at, remarks };
    let (digits, extensions) = line.split_at(before(line, b" \t;").len());
    let text = match size {
        0 => "the last chunk, of size zero: no more content follows".to_owned(),
        _ => {
            let follow = counted(size, "byte of content follows", "bytes of content follow");
            format!("a chunk's size in hex: {follow}")
        }
    };
    words.named_remark(digits, text, "RFC 9112 section 7.1");
    if let extensions @ [_, ..] = trim(extensions) {
        words.row(extensions, glossary::CHUNK_EXTENSION);
    }
}

/// Explains a field line after chunked content.
pub(super) fn trailer(line: &[u8], at: usize, remarks: &mut Vec<Remark>) {
    let mut words = Words { whole: line, at, remarks };
    words.remark(line, glossary::TRAILER.2, glossary::TRAILER.1);
    words.field_line(line);
}

/// The lines that are being explained, and the offset of their first byte. Each part that gets a remark
/// must be a slice of `whole`.
struct Words<'a> {
    whole: &'a [u8],
    at: usize,
    remarks: &'a mut Vec<Remark>,
}

impl Words<'_> {
    /// Adds a remark that names the part.
    fn named_remark(&mut self, part: &[u8], text: impl Into<String>, clause: &'static str) {
        self.remark(part, text, clause);
        self.remarks.last_mut().into_iter().for_each(|remark| remark.about = element_name(part));
    }

    /// Adds a remark that names the part, with the text and the clause of a row.
    fn row(&mut self, part: &[u8], (_, clause, meaning): Row) {
        self.named_remark(part, meaning, clause);
    }

    /// Adds a remark without a name.
    fn remark(&mut self, part: &[u8], text: impl Into<String>, clause: &'static str) {
        let start = self.at + Span::of(part, self.whole).start();
        self.remarks.push(Remark::new(start..start + part.len(), text, clause));
    }

    fn request_line(&mut self, line: &[u8]) {
        let parts: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        let [method, target, version] = parts[..] else { return };
        if is_token(method) && version.starts_with(b"HTTP/") {
            let row = glossary::METHODS.iter().find(|(name, ..)| name.as_bytes() == method);
            self.row(method, *row.unwrap_or(&glossary::UNKNOWN_METHOD));
            self.target(target, method == b"CONNECT");
            self.version(version);
        }
    }

    fn target(&mut self, target: &[u8], is_tunnel: bool) {
        let question = target.iter().position(|&byte| byte == b'?').unwrap_or(target.len());
        let (path, query) = target.split_at(question);
        // A URI may have a password in it, so only its scheme is the name.
        match path {
            b"*" => self.row(path, glossary::ASTERISK_FORM),
            [b'/', ..] => self.row(path, glossary::ORIGIN_FORM),
            _ if is_tunnel => self.row(before(path, b":"), glossary::AUTHORITY_FORM),
            _ if path.windows(3).any(|three| three == b"://") => {
                self.row(before(path, b":"), glossary::ABSOLUTE_FORM);
            }
            _ => {}
        }
        let query = query.strip_prefix(b"?").unwrap_or_default();
        for pair in query.split(|&byte| byte == b'&') {
            match form(pair).pop() {
                Some((name, _)) if is_secret_name(&name) => {
                    self.row(before(pair, b"="), glossary::KEY_IN_QUERY);
                }
                Some((name, value)) => {
                    let (name, value) =
                        (element_name(name.as_bytes()), element_name(value.as_bytes()));
                    let text = format!("a parameter of the query: {name} is \"{value}\"");
                    self.named_remark(pair, text, "RFC 3986 section 3.4");
                }
                None => {}
            }
        }
    }

    fn version(&mut self, version: &[u8]) {
        let row = find(glossary::VERSIONS, version);
        self.row(version, row.unwrap_or(glossary::UNKNOWN_VERSION));
    }

    fn status_line(&mut self, line: &[u8]) {
        let mut parts = line.splitn(3, |&byte| byte == b' ');
        let Some(version) = parts.next().filter(|version| version.starts_with(b"HTTP/")) else {
            return;
        };
        self.version(version);
        let Some(code) = parts.next().filter(|code| code.len() == 3) else { return };
        let row = find(glossary::STATUSES, code);
        if let Some(row) = row.or_else(|| find(glossary::CLASSES, &code[..1])) {
            self.row(code, row);
        }
        if let Some(phrase @ [_, ..]) = parts.next() {
            self.row(phrase, glossary::REASON_PHRASE);
        }
    }

    fn field_line(&mut self, line: &[u8]) {
        if check_line(line).is_err() {
            return;
        }
        let name = before(line, b":");
        let unknown = match name {
            [b'x' | b'X', b'-', ..] => glossary::X_FIELD,
            _ => glossary::UNKNOWN_FIELD,
        };
        self.row(name, find(glossary::FIELDS, name).unwrap_or(unknown));
        let value = trim(&line[name.len() + 1..]);
        let mut shapes = glossary::SHAPES.iter();
        match shapes.find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes())) {
            _ if value.is_empty() => {}
            Some(&(_, shape)) => self.value(name, value, shape),
            None => self.words(name, parts(value, b",;")),
        }
    }

    /// Explains a value that is not a list of words.
    fn value(&mut self, field: &[u8], value: &[u8], shape: Shape) {
        match shape {
            Shape::Cookies => {
                let names = parts(value, b";").map(|cookie| before(cookie, b"="));
                names.for_each(|name| self.row(name, glossary::COOKIE));
            }
            Shape::NewCookie => {
                let mut parts = parts(value, b";");
                let name = parts.next().map(|cookie| before(cookie, b"="));
                name.into_iter().for_each(|name| self.row(name, glossary::NEW_COOKIE));
                self.words(field, parts);
            }
            Shape::Credentials => {
                let scheme = before(value, b" ");
                self.row(scheme, find_word(field, scheme).unwrap_or(glossary::UNKNOWN_SCHEME));
            }
            Shape::Weighted => self.weights(value),
            Shape::Host if check_authority(value).is_ok() => self.host(value),
            Shape::Host => {}
        }
    }

    /// Explains those words that the glossary has, such as `max-age=60` or `gzip;q=1`.
    fn words<'a>(&mut self, field: &[u8], words: impl Iterator<Item = &'a [u8]>) {
        let names_fields = field.eq_ignore_ascii_case(b"connection");
        for part in words {
            let row = find_word(field, before(part, b"=; /"));
            let row = row.or(names_fields.then_some(glossary::HOP_BY_HOP_FIELD));
            row.into_iter().for_each(|row| self.row(part, row));
        }
    }

    fn host(&mut self, value: &[u8]) {
        let colon = value.iter().rposition(|&byte| byte == b':');
        let colon = colon.filter(|&colon| !value[colon..].contains(&b']'));
        let (host, port) = value.split_at(colon.unwrap_or(value.len()));
        let text = match port {
            [] | [b':'] => "a host, and port 80 because none is written".to_owned(),
            [_, port @ ..] => {
                format!("the host {} and the port {}", element_name(host), element_name(port))
            }
        };
        self.named_remark(value, text, "RFC 9110 section 4.2.1");
    }

    /// Explains a list with weights: its members in the order of their weights.
    fn weights(&mut self, value: &[u8]) {
        let mut members: Vec<(u32, &[u8])> = parts(value, b",").map(member_weight).collect();
        members.sort_by_key(|&(weight, _)| Reverse(weight));
        let list = members.iter().map(|&(weight, member)| match weight {
            0 => format!("not {}", element_name(member)),
            _ => format!("{} ({})", element_name(member), f64::from(weight) / 1000.0),
        });
        let list = list.collect::<Vec<_>>().join(", ");
        let mut text = format!("in order of preference, with weights from 1 to 0: {list}");
        if text.len() > WEIGHTS_CHARS {
            text.truncate(WEIGHTS_CHARS); // the text is ASCII
            text += "...";
        }
        if members.len() > 1 {
            self.remark(value, text, "RFC 9110 section 12.4.2");
        }
    }
}

/// Returns the text before the first of these bytes, or all of it, without white space around it.
pub(super) fn before<'a>(text: &'a [u8], stops: &[u8]) -> &'a [u8] {
    let end = text.iter().position(|byte| stops.contains(byte)).unwrap_or(text.len());
    trim(&text[..end])
}

/// Returns an element's name: safe to print, and cut after [`NAME_CHARS`].
fn element_name(bytes: &[u8]) -> String {
    let mut name = Visible(&bytes[..bytes.len().min(NAME_CHARS)]).to_string();
    if name.len() > NAME_CHARS || bytes.len() > NAME_CHARS {
        name.truncate(NAME_CHARS);
        name += "...";
    }
    name
}

/// Returns the parts between separators, trimmed and without the empty ones.
fn parts<'a>(value: &'a [u8], separators: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
    let parts = value.split(|byte| separators.contains(byte)).map(trim);
    parts.filter(|part| !part.is_empty())
}

/// Splits `text/html;q=0.8` into its weight in thousandths (1000 if none is written) and the member.
fn member_weight(member: &[u8]) -> (u32, &[u8]) {
    let weight = member.split(|&byte| byte == b';').skip(1).find_map(|parameter| {
        let [b'q' | b'Q', b'=', weight @ ..] = trim(parameter) else { return None };
        std::str::from_utf8(weight).ok()?.parse::<f64>().ok()
    });
    let thousandths =
        weight.map_or(1000, |weight| (weight.clamp(0.0, 1.0) * 1000.0).round() as u32);
    (thousandths, trim(before(member, b";")))
}

#[cfg(test)]
mod tests {
    use super::super::explain;
    use super::super::tests::{REQUEST, has, sentences};
    use super::*;

    #[test]
    fn every_element_of_a_request_is_named_with_its_clause() {
        let remarks = explain(REQUEST, Some(Side::Client), None);
        let about: Vec<(&str, &str)> =
            remarks.iter().map(|remark| (&remark.about[..], remark.clause)).collect();
        assert_eq!(
            about,
            [
                ("", "RFC 9112 section 2.2"),
                ("POST", "RFC 9110 section 9.3.3"),
                ("/a", "RFC 9112 section 3.2.1"),
                ("q=b+c", "RFC 3986 section 3.4"),
                ("API_key", "RFC 9110 section 17.9"),
                ("HTTP/1.1", "RFC 9112 section 2.3"),
                ("Host", "RFC 9110 section 7.2"),
                ("h:80", "RFC 9110 section 4.2.1"),
                ("Authorization", "RFC 9110 section 11.6.2"),
                ("Basic", "RFC 7617 section 2"),
                ("Cookie", "RFC 6265 section 4.2"),
                ("id", "RFC 6265 section 4.2"),
                ("x", "RFC 6265 section 4.2"),
                ("Expect", "RFC 9110 section 10.1.1"),
                ("100-continue", "RFC 9110 section 10.1.1"),
                ("Accept", "RFC 9110 section 12.5.1"),
                ("", "RFC 9110 section 12.4.2"),
                ("Connection", "RFC 9110 section 7.6.1"),
                ("x-hop", "RFC 9110 section 7.6.1"),
                ("X-Hop", "RFC 6648 section 3"),
                ("Transfer-Encoding", "RFC 9112 section 6.1"),
                ("chunked", "RFC 9112 section 7.1"),
                ("", "RFC 9112 section 6.3"),
                ("", "RFC 9112 section 9.3"),
                ("5", "RFC 9112 section 7.1"),
                (";a=b", "RFC 9112 section 7.1.1"),
                ("0", "RFC 9112 section 7.1"),
                ("", "RFC 9110 section 6.5"),
                ("X-Sum", "RFC 6648 section 3"),
                ("", "RFC 9112 section 7.1"),
            ]
        );
        for remark in &remarks {
            let bytes = &REQUEST[remark.span.clone()];
            assert!(bytes.starts_with(remark.about.as_bytes()), "{remark:?} is at {bytes:?}");
        }
        assert!(has(
            &remarks,
            "in order of preference, with weights from 1 to 0: text/html (1), */* (0.1), not image/*"
        ));
        let all = sentences(&remarks).concat();
        assert!(!all.contains("s3cret") && !all.contains("c3RhZmY6czNjcmV0"), "{all}");
    }

    #[test]
    fn a_comma_does_not_end_a_cookie() {
        let response = b"HTTP/1.1 204 N\r\nSet-Cookie: a=1,s3cret; Expires=Wed, 09 Jun 2027 10:18:14 GMT\r\n\r\n";
        let remarks = explain(response, Some(Side::Server), None);
        assert!(has(&remarks, "a: the name of the cookie"));
        assert!(has(&remarks, "Expires=Wed, 09 Jun 2027 10:18:14 GMT: keep it until then"));
        let request = b"GET / HTTP/1.1\r\nHost: h\r\nCookie: a=1,s3cret\r\n\r\n";
        let both = [sentences(&remarks), sentences(&explain(request, Some(Side::Client), None))];
        assert!(!both.concat().concat().contains("s3cret"));
    }
}

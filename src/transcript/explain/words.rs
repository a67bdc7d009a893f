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
use crate::message::base64;
use crate::message::counted::counted;
use crate::message::dialogue::Side;
use crate::message::fields::{
    Span, check_line, is_token, split_unquoted, trim, weighted, without_line_end,
};
use crate::message::target::{check_authority, form, is_secret_name};
use crate::message::visible::Visible;
use crate::transcript::glossary::{self, Row, Shape, find, find_field, find_word};
use crate::transcript::text::Prose;

/// Characters of an element's name in a remark, at most.
const NAME_CHARS: usize = 60;

/// Characters of a list of weights, at most.
const WEIGHTS_CHARS: usize = 400;

/// Explains the valid lines of a head, up to the empty line that ends it. `at` is the offset of its first
/// byte. Returns whether more lines follow.
pub(in crate::transcript) fn head(
    side: Side,
    head: &[u8],
    at: usize,
    remarks: &mut Vec<Remark>,
) -> bool {
    let mut words = Words { whole: head, at, remarks };
    let mut lines = head.split_inclusive(|&byte| byte == b'\n').map(without_line_end);
    if side == Side::Client && lines.clone().next() == Some(b"") {
        words.remark(&head[..1], glossary::EMPTY_LINE.2, glossary::EMPTY_LINE.1);
    }
    match lines.find(|line| !line.is_empty()) {
        Some(line) if is_field_without_first_line(line) => words.field_line(side, line),
        Some(line) if side == Side::Client => words.request_line(line),
        Some(line) => words.status_line(line),
        None => {}
    }
    let fields = lines.by_ref().take_while(|line| !line.is_empty());
    fields.for_each(|line| words.field_line(side, line));
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
pub(super) fn trailer(side: Side, line: &[u8], at: usize, remarks: &mut Vec<Remark>) {
    let mut words = Words { whole: line, at, remarks };
    words.remark(line, glossary::TRAILER.2, glossary::TRAILER.1);
    words.field_line(side, line);
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
            self.method(method);
            self.target(target, method == b"CONNECT");
            self.version(version);
        }
    }

    fn method(&mut self, method: &[u8]) {
        let row = glossary::METHODS.rows().find(|row| row[0].as_bytes() == method);
        self.row(method, row.map_or(glossary::UNKNOWN_METHOD, Row::from));
    }

    fn target(&mut self, target: &[u8], is_tunnel: bool) {
        // What follows a `#` is no part of a target, so only its fault is explained.
        let target = target.split(|&byte| byte == b'#').next().unwrap_or_default();
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
                    let (name, value) = (readable(&name), readable(&value));
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
        self.status(code);
        if let Some(phrase @ [_, ..]) = parts.next() {
            self.row(phrase, glossary::REASON_PHRASE);
        }
    }

    fn status(&mut self, code: &[u8]) {
        let class = || find(glossary::CLASSES, code.get(..1)?);
        if let Some(row) = find(glossary::STATUSES, code).or_else(class) {
            self.row(code, row);
        }
    }

    fn field_line(&mut self, side: Side, line: &[u8]) {
        if let [b':', rest @ ..] = line {
            let name = &line[..1 + before(rest, b":").len()];
            self.pseudo_field(name, trim(line.get(name.len() + 1..).unwrap_or_default()));
        }
        if check_line(line).is_err() {
            return;
        }
        let name = before(line, b":");
        let of_response = (side == Side::Server).then(|| find(glossary::FIELDS_OF_RESPONSES, name));
        let row = of_response.flatten().or_else(|| find_field(name));
        self.row(name, row.unwrap_or(glossary::UNKNOWN_FIELD));
        let value = trim(&line[name.len() + 1..]);
        let mut shapes = glossary::SHAPES.iter();
        match shapes.find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes())) {
            _ if value.is_empty() => {}
            Some(&(_, shape)) => self.value(name, value, shape),
            None => {
                let members = members(value);
                self.words(name, members.flat_map(|member| split_unquoted(member, b';')));
            }
        }
    }

    /// Explains a field of HTTP/2, which has a word of the first line.
    fn pseudo_field(&mut self, name: &[u8], value: &[u8]) {
        let Some(row) = find(glossary::PSEUDO_FIELDS, name) else { return };
        self.row(name, row);
        match name {
            b":method" => self.method(value),
            b":path" => self.target(value, false),
            b":status" => self.status(value),
            b":authority" if check_authority(value).is_ok() => self.host(value),
            _ => {}
        }
    }

    /// Explains a value that is not a list of words.
    fn value(&mut self, field: &[u8], value: &[u8], shape: Shape) {
        match shape {
            Shape::Cookies => {
                let names = parts(value).map(|cookie| before(cookie, b"="));
                names.for_each(|name| self.row(name, glossary::COOKIE));
            }
            Shape::NewCookie => {
                let mut parts = parts(value);
                let name = parts.next().map(|cookie| before(cookie, b"="));
                name.into_iter().for_each(|name| self.row(name, glossary::NEW_COOKIE));
                self.words(field, parts);
            }
            Shape::Credentials => {
                self.scheme(field, value);
                self.basic(value);
            }
            Shape::Challenges => {
                let challenges = members(value).filter(|member| !is_parameter(member));
                challenges.for_each(|challenge| self.scheme(field, challenge));
            }
            Shape::Tags => {
                members(value).for_each(|member| self.tag(field, member));
            }
            Shape::Weighted => self.weights(field, value),
            Shape::Host if check_authority(value).is_ok() => self.host(value),
            Shape::Host => {}
        }
    }

    /// Explains the scheme at the start of credentials or of a challenge.
    fn scheme(&mut self, field: &[u8], value: &[u8]) {
        let scheme = before(value, b" \t");
        self.row(scheme, find_word(field, scheme).unwrap_or(glossary::UNKNOWN_SCHEME));
    }

    /// Decodes the name and the password of the Basic scheme. The password is not repeated. With an
    /// empty password, the name is the secret.
    fn basic(&mut self, value: &[u8]) {
        let (scheme, credentials) = value.split_at(before(value, b" \t").len());
        if !scheme.eq_ignore_ascii_case(b"Basic") {
            return;
        }
        let credentials = trim(credentials);
        let decoded = std::str::from_utf8(credentials).ok().and_then(base64::decode);
        let pair = decoded.as_deref().and_then(|pair| {
            let colon = pair.iter().position(|&byte| byte == b':')?;
            Some((&pair[..colon], &pair[colon + 1..]))
        });
        let text = match pair {
            Some((name, [])) => {
                let count = counted(name.len() as u64, "character", "characters");
                format!("decoded: a name of {count}, a colon, and an empty password")
            }
            Some((name, password)) => {
                let count = counted(password.len() as u64, "character", "characters");
                format!("decoded: the name {}, a colon, a password of {count}", element_name(name))
            }
            None => "this is not a name, a colon and a password in base64".to_owned(),
        };
        self.remark(credentials, text, "RFC 7617 section 2");
    }

    /// Explains an entity tag, or `*`. If-Range may have a date, which needs no words.
    fn tag(&mut self, field: &[u8], member: &[u8]) {
        let names = [&b"if-match"[..], b"if-range"];
        let needs_strong = names.iter().any(|name| field.eq_ignore_ascii_case(name));
        let row = match member {
            [b'W', b'/', b'"', ..] if needs_strong => Some(glossary::WEAK_TAG_IN_CONDITION),
            [b'W', b'/', b'"', ..] => Some(glossary::WEAK_TAG),
            [b'"', ..] => Some(glossary::STRONG_TAG),
            word => find_word(field, word),
        };
        row.into_iter().for_each(|row| self.row(member, row));
        if field.eq_ignore_ascii_case(b"etag") && row.is_some() {
            let text = format!(
                "try it: ask again with If-None-Match: {}, and the server can answer 304 without \
                 content, as long as nothing has changed",
                element_name(member)
            );
            self.remark(member, text, "RFC 9110 section 13.1.2");
        }
    }

    /// Explains those words that the glossary has, such as `max-age=60` or `gzip;q=1`.
    fn words<'a>(&mut self, field: &[u8], words: impl Iterator<Item = &'a [u8]>) {
        let names_fields = field.eq_ignore_ascii_case(b"connection");
        for part in words {
            let word = before(part, b"=; /");
            let with_argument = || find_word(field, &[word, b"="].concat());
            let row = is_parameter(part).then(with_argument).flatten();
            let media_type = || find_word(field, before(part, b"=; "));
            let row = row.or_else(media_type).or_else(|| find_word(field, word));
            let row = row.or(names_fields.then_some(glossary::HOP_BY_HOP_FIELD));
            row.into_iter().for_each(|row| self.row(part, row));
        }
    }

    fn host(&mut self, value: &[u8]) {
        let colon = value.iter().rposition(|&byte| byte == b':');
        let colon = colon.filter(|&colon| !value[colon..].contains(&b']'));
        let (host, port) = value.split_at(colon.unwrap_or(value.len()));
        let text = match port {
            [] | [b':'] => {
                "a host; no port is written, so it is 80 for http, and 443 for https".to_owned()
            }
            [_, port @ ..] => {
                format!("the host {} and the port {}", element_name(host), element_name(port))
            }
        };
        self.named_remark(value, text, "RFC 9110 section 4.2.1");
    }

    /// Explains a list with weights: its members in the order of their weights. Equal weights are no
    /// order.
    fn weights(&mut self, field: &[u8], value: &[u8]) {
        for member in members(value).filter(|member| weighted(member).next().is_none()) {
            self.row(member, glossary::BAD_WEIGHT);
        }
        let mut members: Vec<(&[u8], u16)> = weighted(value).collect();
        members.sort_by_key(|&(_, weight)| Reverse(weight));
        let is_same = |one: &(&[u8], u16), other: &(&[u8], u16)| one.1 == other.1;
        let groups: Vec<&[(&[u8], u16)]> = members.chunk_by(is_same).collect();
        let names = |group: &[(&[u8], u16)], before: &str| {
            let names = group.iter().map(|(member, _)| before.to_owned() + &element_name(member));
            names.collect::<Vec<_>>().join(", ")
        };
        let list = groups.iter().map(|group| match group {
            [(_, 0), ..] => names(group, "not "),
            [(_, 1..), ..] if groups.iter().filter(|group| group[0].1 > 0).count() == 1 => {
                names(group, "")
            }
            [(_, weight)] => format!("{} ({})", names(group, ""), f64::from(*weight) / 1000.0),
            [(_, weight), ..] => {
                format!("{} ({} each)", names(group, ""), f64::from(*weight) / 1000.0)
            }
            [] => String::new(),
        });
        let list = list.collect::<Vec<_>>().join(", ");
        let order = match &groups[..] {
            [_] | [_, [(_, 0), ..]] => "without a preference",
            _ => "in order of preference, with weights from 1 to 0",
        };
        let mut text = format!("{}, {order}: {list}", element_name(field));
        if text.len() > WEIGHTS_CHARS {
            text.truncate(WEIGHTS_CHARS); // the text is ASCII
            text += "...";
        }
        if members.len() > 1 {
            self.remark(value, text, "RFC 9110 section 12.4.2");
        }
    }
}

/// Whether a head begins with a field: one of HTTP/2, or one of a list without a first line.
fn is_field_without_first_line(line: &[u8]) -> bool {
    line.starts_with(b":") || (!is_start_line(line) && check_line(line).is_ok())
}

/// Whether the line begins a message, with a version: a request line or a status line.
pub(in crate::transcript) fn is_start_line(line: &[u8]) -> bool {
    line.starts_with(b"HTTP/") || line.windows(6).any(|six| six == b" HTTP/")
}

/// Returns the text before the first of these bytes, or all of it, without white space around it.
pub(super) fn before<'a>(text: &'a [u8], stops: &[u8]) -> &'a [u8] {
    let end = text.iter().position(|byte| stops.contains(byte)).unwrap_or(text.len());
    trim(&text[..end])
}

/// Returns an element's name: safe to print, and cut after [`NAME_CHARS`].
pub(super) fn element_name(bytes: &[u8]) -> String {
    let mut name = Visible(&bytes[..bytes.len().min(NAME_CHARS)]).to_string();
    if name.len() > NAME_CHARS || bytes.len() > NAME_CHARS {
        name.truncate(NAME_CHARS);
        name += "...";
    }
    name
}

/// Returns a decoded text: safe to print, and cut after [`NAME_CHARS`]. Its letters are shown.
fn readable(text: &str) -> String {
    let shown: String = text.chars().take(NAME_CHARS).collect();
    let is_cut = shown.len() < text.len();
    format!("{}{}", Prose::new(&shown).as_str(), if is_cut { "..." } else { "" })
}

/// Returns the parts of a cookie field between semicolons, trimmed and without the empty ones.
/// Quotes mean nothing there (RFC 6265 section 5.2).
fn parts(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b';').map(trim).filter(|part| !part.is_empty())
}

/// Returns the members of a list, without the empty ones. A comma in a quoted string ends none.
fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    split_unquoted(value, b',').filter(|member| !member.is_empty())
}

/// Whether this is a word with an argument, such as `max-age=60` (RFC 9110 section 5.6.6). A
/// challenge such as `Negotiate YII=` is not, because a space separates its scheme from the rest.
fn is_parameter(part: &[u8]) -> bool {
    let word = before(part, b" \t=");
    trim(part.get(word.len()..).unwrap_or_default()).starts_with(b"=")
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
                ("", "RFC 7617 section 2"),
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
                ("", ""),
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
            "Accept, in order of preference, with weights from 1 to 0: text/html (1), */* (0.1), not"
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

    /// Explains a field of a request. Returns the names and the texts of the remarks on its value.
    #[track_caller]
    fn value(line: &str) -> Vec<(String, String)> {
        let head = format!("GET / HTTP/1.1\r\nHost: h\r\n{line}\r\n\r\n");
        let start = head.find(line).expect(line) + line.find(':').expect(line);
        let remarks = explain(head.as_bytes(), Some(Side::Client), None);
        let of_value = remarks
            .into_iter()
            .filter(|remark| remark.span.start > start && remark.span.end <= head.len() - 4);
        of_value.map(|remark| (remark.about, remark.text)).collect()
    }

    #[test]
    fn a_comma_in_a_quoted_string_ends_no_member() {
        for (line, names) in [
            (
                r#"Cache-Control: no-cache="set-cookie, private", max-age=60"#,
                &[r#"no-cache="set-cookie, private""#, "max-age=60"][..],
            ),
            (r#"Cache-Control: x="a\", no-store; public", no-cache"#, &["no-cache"]),
            (r#"If-None-Match: "a,b", W/"c,*""#, &[r#""a,b""#, r#"W/"c,*""#]),
            (
                r#"WWW-Authenticate: Basic realm="a, Digest b", Newauth x=1, y = 2, Negotiate YI==, Bearer"#,
                &["Basic", "Newauth", "Negotiate", "Bearer"],
            ),
            ("Proxy-Authenticate: Negotiate, Basic realm=a,", &["Negotiate", "Basic"]),
            ("Authorization: Digest a=b, realm=c", &["Digest"]),
        ] {
            let found = value(line);
            let found: Vec<&str> = found.iter().map(|(name, _)| &name[..]).collect();
            assert_eq!(found, names, "{line}");
        }
    }

    #[test]
    fn a_word_with_an_argument_may_mean_something_else() {
        for (line, text) in [
            ("Cache-Control: no-cache", "before each use"),
            (r#"Cache-Control: no-cache="x""#, "before it uses these fields"),
            ("Cache-Control: private", "the browser may keep it"),
            (r#"Cache-Control: PRIVATE = "x""#, "these fields are for one user"),
            ("Cache-Control: max-stale", "of any age"),
            ("Cache-Control: max-stale=5", "at most so many seconds"),
        ] {
            let found = value(line);
            assert!(found.len() == 1 && found[0].1.contains(text), "{line}: {found:?}");
        }
    }

    #[test]
    fn a_tag_is_weak_or_strong() {
        for (line, text) in [
            (r#"ETag: "a""#, "a strong tag: "),
            (r#"ETag: W/"a""#, "a weak tag: it may stay the same"),
            (r#"If-None-Match: W/"a""#, "a weak tag: it may stay the same"),
            (r#"If-Match: W/"a""#, "a weak tag: it never matches here"),
            (r#"If-Range: W/"a""#, "a weak tag: it never matches here"),
            ("If-Match: *", "do it only if the target exists"),
            ("If-None-Match: *", "do it only if the target does not exist"),
        ] {
            let found = value(line);
            assert!(found[0].1.starts_with(text), "{line}: {found:?}");
            let tries = found.iter().filter(|(_, text)| text.starts_with("try it: "));
            assert_eq!(tries.count(), usize::from(line.starts_with("ETag")), "{found:?}");
        }
        assert_eq!(value("If-Range: Sun, 06 Nov 1994 08:49:37 GMT"), []);
    }

    #[test]
    fn parameters_belong_to_the_member_of_a_weighted_list() {
        let found = value(r#"Accept: text/html;level=1;q=0.5, a/b; x="c,d;q=0", */*;q=0"#);
        let text = "Accept, in order of preference, with weights from 1 to 0: a/b; x=\"c,d;q=0\" (1), \
                    text/html;level=1 (0.5), not */*";
        assert_eq!(found, [(String::new(), text.to_owned())]);
    }

    #[test]
    fn equal_weights_are_no_order() {
        for (list, text) in [
            ("gzip, deflate, br", "without a preference: gzip, deflate, br"),
            ("gzip;q=0.5, br;q=0.5", "without a preference: gzip, br"),
            ("gzip, br, *;q=0", "without a preference: gzip, br, not *"),
            ("a;q=0, b;q=0", "without a preference: not a, not b"),
            (
                "a, b;q=0.5, c, d;q=0.5, e;q=0, f;q=0",
                "in order of preference, with weights from 1 to 0: a, c (1 each), b, d (0.5 each), not e, not f",
            ),
        ] {
            let found = value(&format!("Accept-Encoding: {list}"));
            assert_eq!(found, [(String::new(), format!("Accept-Encoding, {text}"))]);
        }
    }

    #[test]
    fn in_a_response_accept_is_about_the_next_request() {
        let response = b"HTTP/1.1 415 N\r\nAccept: a/b\r\nAccept-Encoding: gzip\r\n\r\n";
        let remarks = explain(response, Some(Side::Server), None);
        assert!(has(&remarks, "Accept: the media types that this target takes as the body"));
        assert!(has(&remarks, "Accept-Encoding: the compressions that this target takes"));
        assert!(!sentences(&remarks).concat().contains("the client accepts"), "{remarks:#?}");
    }

    #[test]
    fn a_decoded_parameter_shows_its_letters_and_no_control() {
        for (query, text) in [
            ("n=caf%C3%A9", "n is \"caf\u{e9}\""),
            ("%E6%97%A5=%E6%9C%AC", "\u{65e5} is \"\u{672c}\""),
            ("n=%1B[2J%0A%E2%80%AE", r#"n is "\x1b[2J\n\xe2\x80\xae""#),
            ("n=%FF", "n is \"\u{fffd}\""),
        ] {
            let request = format!("GET /?{query} HTTP/1.1\r\nHost: h\r\n\r\n");
            let remarks = explain(request.as_bytes(), Some(Side::Client), None);
            let text = format!("a parameter of the query: {text}");
            assert!(remarks.iter().any(|remark| remark.text == text), "{remarks:#?}");
        }
        let long = format!("GET /?n={} HTTP/1.1\r\n\r\n", "%C3%A9".repeat(100));
        let remarks = explain(long.as_bytes(), Some(Side::Client), None);
        let cut = format!("\"{}...\"", "\u{e9}".repeat(NAME_CHARS));
        assert!(remarks.iter().any(|remark| remark.text.ends_with(&cut)), "{remarks:#?}");
    }

    #[test]
    fn a_media_type_is_explained_by_its_whole_name_or_by_its_kind() {
        for (value_of, text) in [
            ("text/html; charset=utf-8", "a page"),
            ("Application/JSON", "JSON: "),
            ("application/x-www-form-urlencoded", "a form: "),
            ("multipart/form-data; boundary=x", "a form in parts"),
            ("multipart/mixed; boundary=x", "several parts"),
            ("image/png", "a picture"),
        ] {
            let found = value(&format!("Content-Type: {value_of}"));
            assert!(found[0].1.starts_with(text), "{value_of}: {found:?}");
        }
        assert_eq!(value("Content-Type: application/x-odd"), []);
    }

    #[test]
    fn a_weight_that_breaks_the_grammar_gets_a_remark() {
        for (value_of, broken) in [
            ("gzip;q=2", &["gzip;q=2"][..]),
            ("gzip;q=0.12345, br;q=x", &["gzip;q=0.12345", "br;q=x"]),
            ("gzip;q=, br;q=-1, x;q=.5", &["gzip;q=", "br;q=-1", "x;q=.5"]),
            ("gzip;q=1.000, br;q=0.125", &[]),
        ] {
            for name in ["Accept", "Accept-Encoding", "Accept-Language", "Accept-Charset"] {
                let found = value(&format!("{name}: {value_of}"));
                let told = found.iter().filter(|(_, text)| text.starts_with("this weight breaks"));
                let told: Vec<&str> = told.map(|(about, _)| &about[..]).collect();
                assert_eq!(told, broken, "{name}: {value_of}");
            }
        }
    }

    #[test]
    fn basic_credentials_are_decoded_without_the_secret() {
        for (credentials, text) in [
            (
                "Basic c3RhZmY6czNjcmV0",
                "decoded: the name staff, a colon, a password of 6 characters",
            ),
            ("basic  c3RhZmY6YTpi", "decoded: the name staff, a colon, a password of 3 characters"),
            (
                "Basic czNjcmV0Og==",
                "decoded: a name of 6 characters, a colon, and an empty password",
            ),
            ("Basic c3RhZmY", "this is not a name, a colon and a password in base64"),
            ("Basic c3RhZmY=", "this is not a name"),
            ("Basic", "this is not a name"),
        ] {
            for name in ["Authorization", "Proxy-Authorization"] {
                let found = value(&format!("{name}: {credentials}"));
                assert!(found[1].1.starts_with(text), "{credentials}: {found:?}");
                assert!(found.iter().all(|(_, text)| !text.contains("s3cret")), "{found:?}");
            }
        }
        assert_eq!(value("Authorization: Bearer c3RhZmY6czNjcmV0").len(), 1);
    }

    #[test]
    fn what_follows_a_number_sign_is_no_part_of_the_target() {
        let remarks = explain(b"GET /a#b?key=s3cret HTTP/1.1\r\n\r\n", Some(Side::Client), None);
        assert!(has(&remarks, "/a: the path"), "{remarks:#?}");
        assert!(!remarks.iter().any(|remark| remark.about == "key"), "{remarks:#?}");
    }
}

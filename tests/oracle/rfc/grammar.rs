//! Checks lines against the grammar of RFC 9112 and RFC 9110: one function for each rule. The functions
//! return what is wrong with a line, and why. They need not be fast.
//!
//! "§" without the number of an RFC is a section of RFC 9112.

/// RFC 9110 §9.1, and PATCH (RFC 5789). This server implements no other method.
const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

/// The status of the response, and the reason.
pub type Fault = (u16, &'static str);

/// The head does not end within its limit.
pub const HEAD_TOO_LONG: Fault = (431, "6585 §5: the head");

/// The parts of a valid request-target.
#[derive(Debug)]
pub enum Target<'a> {
    Asterisk,
    Path { path: &'a [u8], query: Option<&'a [u8]> },
}

/// Where the content ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No field says so: there is no content.
    None,
    /// After so many bytes. `u64::MAX` also stands for any larger number.
    Length(u64),
    Chunked,
}

impl Framing {
    /// The bytes of the content, as far as the head says.
    pub fn length(self) -> u64 {
        if let Framing::Length(length) = self { length } else { 0 }
    }
}

/// A line without its line terminator.
pub struct Line<'a> {
    pub text: &'a [u8],
    pub ends_in_crlf: bool,
}

impl Line<'_> {
    /// §2.2: "MAY recognize a single LF as a line terminator". This server does not.
    pub fn bare_lf(&self) -> Vec<Fault> {
        if self.ends_in_crlf { vec![] } else { vec![(400, "§2.2: a bare LF")] }
    }

    /// §2.2: "MUST consider that element to be invalid or replace each bare CR with SP".
    /// This server does the first.
    pub fn bare_cr(&self) -> Vec<Fault> {
        if self.text.contains(&b'\r') { vec![(400, "§2.2: a bare CR")] } else { vec![] }
    }
}

/// The parts of a request-line. §3: method SP request-target SP HTTP-version
pub fn parts(line: &[u8]) -> Vec<&[u8]> {
    line.split(|&byte| byte == b' ').collect()
}

/// The faults of a request-line, except those of its target.
pub fn faults_of_request_line(line: &[u8]) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !is_token(parts(line)[0]) {
        faults.push((400, "§3.1: method = token"));
    }
    match parts(line)[..] {
        [_, b"", _] => faults.push((400, "§3: no request-target")),
        [_, _, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            if *major != b'1' {
                faults.push((505, "9110 §15.6.6: another major version"));
            }
        }
        [_, _, _] => faults.push((400, "§2.3: HTTP-version")),
        _ => faults.push((400, "§3: three parts with one SP between each")),
    }
    faults
}

/// The faults of a method and a target that this server may report at the end of the head. The
/// target has at most so many bytes.
pub fn faults_of_method_and_target(line: &[u8], most: usize) -> Vec<Fault> {
    let parts = parts(line);
    let (method, target) = (parts[0], parts.get(1).copied().unwrap_or_default());
    let mut faults = faults_of_target(method, target);
    if !METHODS.iter().any(|known| known.as_bytes() == method) || method == b"CONNECT" {
        // RFC 9110 §9.1: "SHOULD respond with the 501". CONNECT is for proxies (RFC 9110 §9.3.6).
        faults.push((501, "9110 §9.1: a method that is not implemented"));
    }
    if target.len() > most {
        // §3: "MUST respond with a 414".
        faults.push((414, "§3: the request-target"));
    }
    faults
}

/// The faults of a request-line whose end is not received yet. Another protocol is recognized by its
/// first bytes, because it may never send a line terminator.
pub fn faults_of_partial_request_line(line: &[u8], most: usize) -> Vec<Fault> {
    let mut faults = Vec::new();
    let others: [&[u8]; 4] = [b"\x16\x03", b"SSH-", b"PROXY ", b"PRI * HTTP/2.0"];
    if others.iter().any(|other| line.starts_with(other)) {
        faults.extend([(400, "§2.2: another protocol"), (505, "9113 §3.4: HTTP/2")]);
    }
    if parts(line).get(1).is_some_and(|target| target.len() > most) {
        faults.push((414, "§3: the request-target"));
    }
    faults
}

/// The faults of a request-line that does not end within the limit of the head.
pub fn faults_of_overlong_request_line(line: &[u8], most: usize) -> Vec<Fault> {
    let (parts, mut faults) = (parts(line), Vec::new());
    if !is_token(parts[0]) || parts.len() > 3 || line.contains(&b'\r') {
        faults.push((400, "§3: request-line"));
    }
    let Some(target) = parts.get(1) else {
        // §3: "a method longer than any that it implements SHOULD respond with a 501".
        faults.push((501, "§3: the method"));
        return faults;
    };
    faults.extend(faults_of_target(parts[0], target));
    if parts.len() == 3 {
        faults.push((400, "§2.3: HTTP-version"));
    }
    match target.len() <= most {
        true => faults.extend([HEAD_TOO_LONG, (414, "§3"), (501, "§3")]),
        false => faults.push((414, "§3: the request-target")),
    }
    faults
}

/// The faults of a request-target. §3.2: origin-form / absolute-form / authority-form / asterisk-form
fn faults_of_target(method: &[u8], target: &[u8]) -> Vec<Fault> {
    let form: Fault = (400, "§3.2: request-target");
    if target == b"*" {
        // §3.2.4: "only used for a server-wide OPTIONS request".
        return if method == b"OPTIONS" { vec![] } else { vec![form] };
    }
    if method == b"CONNECT" {
        return if faults_of_authority(target).is_empty() { vec![] } else { vec![form] };
    }
    if target.starts_with(b"/") {
        return if is_path_and_query(target) { vec![] } else { vec![form] };
    }
    // RFC 3986 §4.3: absolute-URI = scheme ":" hier-part [ "?" query ]
    let Some(colon) = target.iter().position(|&byte| byte == b':') else { return vec![form] };
    let (scheme, after) = (&target[..colon], &target[colon + 1..]);
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    if !is_scheme {
        return vec![form];
    }
    let misdirected: Fault = (421, "9110 §7.4: another scheme");
    let Some(after) = after.strip_prefix(b"//") else {
        // An http URI has an authority. `example.test:80` could be another scheme.
        let is_http = scheme.eq_ignore_ascii_case(b"http");
        return if is_http { vec![form] } else { vec![form, misdirected] };
    };
    let mut faults = Vec::new();
    if !scheme.eq_ignore_ascii_case(b"http") {
        faults.push(misdirected);
    }
    let end = after.iter().position(|&byte| byte == b'/' || byte == b'?').unwrap_or(after.len());
    let (authority, rest) = after.split_at(end);
    faults.extend(faults_of_authority(authority));
    if !is_path_and_query(rest) {
        faults.push(form);
    }
    faults
}

/// Splits a valid request-target into its parts.
pub fn parse_target<'a>(method: &[u8], target: &'a [u8]) -> Target<'a> {
    let mut path_and_query = target;
    if !target.starts_with(b"/") {
        // §3.2.2: the path follows `http://` and the authority.
        let after = target.get(7..).unwrap_or_default();
        let end = after.iter().position(|&byte| byte == b'/' || byte == b'?');
        path_and_query = &after[end.unwrap_or(after.len())..];
        if path_and_query.is_empty() && method == b"OPTIONS" {
            // §3.2.4: a proxy sends "an empty path and no query component" as "*".
            return Target::Asterisk;
        }
    }
    let question = path_and_query.iter().position(|&byte| byte == b'?');
    let path = &path_and_query[..question.unwrap_or(path_and_query.len())];
    // RFC 9110 §4.2.3: "an empty path component is equivalent to an absolute path of "/"".
    let path = if path.is_empty() { b"/" } else { path };
    Target::Path { path, query: question.map(|at| &path_and_query[at + 1..]) }
}

impl<'a> Target<'a> {
    /// The path; `None` for the whole server.
    pub fn path(&self) -> Option<&'a [u8]> {
        match self {
            Target::Asterisk => None,
            Target::Path { path, .. } => Some(path),
        }
    }
}

/// RFC 3986 §3.3 and §3.4: *( pchar / "/" ), and in the query also "?".
fn is_path_and_query(bytes: &[u8]) -> bool {
    let question = bytes.iter().position(|&byte| byte == b'?').unwrap_or(bytes.len());
    let (path, query) = bytes.split_at(question);
    has_only_uri_characters(path, b":@/") && has_only_uri_characters(query, b":@/?")
}

/// RFC 3986 §2: *( unreserved / sub-delims / pct-encoded ), and the characters in `also`.
fn has_only_uri_characters(mut bytes: &[u8], also: &[u8]) -> bool {
    loop {
        bytes = match bytes {
            [] => return true,
            [b'%', one, other, rest @ ..]
                if one.is_ascii_hexdigit() && other.is_ascii_hexdigit() =>
            {
                rest
            }
            [byte, rest @ ..]
                if byte.is_ascii_alphanumeric()
                    || b"-._~!$&'()*+,;=".contains(byte)
                    || also.contains(byte) =>
            {
                rest
            }
            _ => return false,
        };
    }
}

/// RFC 9110 §7.2: Host = uri-host [ ":" port ]. RFC 9110 §4.2.1: the host is not empty. This server
/// also rejects userinfo (RFC 9110 §4.2.4) and a port above 65535.
fn faults_of_authority(authority: &[u8]) -> Vec<Fault> {
    let fault = vec![(400, "9110 §4.2.1: uri-host [ \":\" port ]")];
    let end = match authority {
        [b'[', ..] => authority.iter().position(|&byte| byte == b']').map(|at| at + 1),
        _ => authority.iter().position(|&byte| byte == b':'),
    };
    let (host, port) = authority.split_at(end.unwrap_or(authority.len()));
    let is_host = match host {
        [b'[', literal @ .., b']'] => is_ip_literal(literal),
        [b'[', ..] | [] => false,
        name => has_only_uri_characters(name, b""),
    };
    let is_port = match port {
        [] => true,
        [b':', digits @ ..] => {
            digits.iter().all(u8::is_ascii_digit) && number(digits, 10) <= 65_535
        }
        _ => false,
    };
    if is_host && is_port { vec![] } else { fault }
}

/// RFC 3986 §3.2.2: IP-literal = "[" ( IPv6address / IPvFuture ) "]". For an IPvFuture of an unknown
/// version "the application should return an appropriate error", and no version is defined.
fn is_ip_literal(literal: &[u8]) -> bool {
    let text = std::str::from_utf8(literal).unwrap_or_default();
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

/// The faults of a field-line. §5: field-name ":" OWS field-value OWS
pub fn faults_of_field_line(line: &[u8]) -> Vec<Fault> {
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        // §2.2 for the first field line, §5.2 (obs-fold) for the others: "MUST either reject ... or".
        // This server rejects.
        return vec![(400, "§5.2: whitespace begins a line")];
    }
    let Some(colon) = line.iter().position(|&byte| byte == b':') else {
        return vec![(400, "§5: no colon")];
    };
    let mut faults = Vec::new();
    // §5.1: "MUST reject" whitespace before the colon. Whitespace is not a tchar either.
    if !is_token(&line[..colon]) {
        faults.push((400, "§5.1: field-name = token"));
    }
    // RFC 9110 §5.5: field-vchar = VCHAR / obs-text, with SP and HTAB between.
    if line[colon + 1..].iter().any(|&byte| byte < b' ' && byte != b'\t' || byte == 0x7f) {
        faults.push((400, "9110 §5.5: field-value"));
    }
    faults
}

/// The faults of a field-line that does not end within the limit of the head.
pub fn faults_of_overlong_field_line(line: &[u8]) -> Vec<Fault> {
    let mut faults = vec![HEAD_TOO_LONG];
    faults.extend(faults_of_field_line(line));
    faults
}

/// The name and the value of a valid field-line.
pub fn field(line: &[u8]) -> (&[u8], &[u8]) {
    let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len() - 1);
    (&line[..colon], trim(&line[colon + 1..]))
}

/// Removes OWS at both ends. RFC 9110 §5.6.3: OWS = *( SP / HTAB )
pub fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// RFC 9110 §5.6.2: token = 1*tchar
fn is_token(bytes: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_tchar)
}

/// The values of the field lines with this name.
pub fn values<'a>(fields: &[(&'a [u8], &'a [u8])], name: &[u8]) -> Vec<&'a [u8]> {
    let named = fields.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    named.map(|&(_, value)| value).collect()
}

/// RFC 9110 §5.6.1: the members of a list, without the empty ones. The list may have several field
/// lines. A comma in a quoted-string does not separate members.
pub fn members<'a>(fields: &[(&'a [u8], &'a [u8])], name: &[u8]) -> Vec<&'a [u8]> {
    let mut members = Vec::new();
    for value in values(fields, name) {
        let (mut start, mut at, mut is_quoted) = (0, 0, false);
        while at < value.len() {
            match value[at] {
                b'"' => is_quoted = !is_quoted,
                b'\\' if is_quoted => at += 1,
                b',' if !is_quoted => {
                    members.push(trim(&value[start..at]));
                    start = at + 1;
                }
                _ => {}
            }
            at += 1;
        }
        members.push(trim(&value[start..]));
    }
    members.retain(|member| !member.is_empty());
    members
}

/// §3.2: "MUST respond with a 400 ... to any HTTP/1.1 request message that lacks a Host header field
/// and to any request message that contains more than one Host header field line or a Host header
/// field with an invalid field value".
pub fn faults_of_host(fields: &[(&[u8], &[u8])], minor: u8) -> Vec<Fault> {
    match values(fields, b"host")[..] {
        [] if minor == 0 => vec![],
        [host] => faults_of_authority(host),
        _ => vec![(400, "§3.2: one Host")],
    }
}

/// §6.3: where the content ends, and the faults of the fields that say so.
pub fn framing(fields: &[(&[u8], &[u8])], minor: u8) -> (Framing, Vec<Fault>) {
    let (lengths, codings) =
        (values(fields, b"content-length"), members(fields, b"transfer-encoding"));
    let is_coded = !values(fields, b"transfer-encoding").is_empty();
    let mut faults = Vec::new();
    if is_coded {
        let is_chunked = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"chunked");
        let (others, last) = codings.split_at(codings.len().saturating_sub(1));
        if minor == 0 {
            // §6.1: "MUST treat the message as if the framing is faulty".
            faults.push((400, "§6.1: Transfer-Encoding in HTTP/1.0"));
        }
        if !lengths.is_empty() {
            // §6.1: "MAY reject a request that contains both", and this server does.
            faults.push((400, "§6.1: both Content-Length and Transfer-Encoding"));
        }
        if !last.iter().any(is_chunked) {
            // §6.3, rule 4: "MUST respond with the 400".
            faults.push((400, "§6.3: chunked is not the final encoding"));
        }
        if others.iter().any(|coding| is_chunked(coding) || !is_transfer_coding(coding)) {
            // §6.1: "MUST NOT apply the chunked transfer coding more than once".
            faults.push((400, "§6.1: chunked twice, or not a transfer-coding"));
        }
        if codings.iter().any(|coding| coding.contains(&b'"')) {
            // Two parsers may find different members in a list with a DQUOTE. No known coding has one.
            faults.extend([(400, "§6.3: DQUOTE in a list"), (501, "§6.1: DQUOTE in a list")]);
        }
        if others.iter().any(|coding| !is_chunked(coding)) {
            // §6.1: "a transfer coding it does not understand SHOULD respond with 501".
            faults.push((501, "§6.1: a coding that is not understood"));
        }
        return (Framing::Chunked, faults);
    }
    let length = match lengths[..] {
        [] => return (Framing::None, faults),
        [length] if !length.is_empty() && length.iter().all(u8::is_ascii_digit) => {
            number(length, 10)
        }
        // §6.3, rule 5: "an unrecoverable error", and a 400. The recipient may replace a list of identical
        // values by one value (RFC 9110 §8.6: "either reject ... or replace"). This server rejects it.
        _ => {
            faults.push((400, "§6.3: Content-Length = 1*DIGIT"));
            0
        }
    };
    (Framing::Length(length), faults)
}

/// RFC 9110 §10.1.4: transfer-coding = token *( OWS ";" OWS transfer-parameter ). The parameters are not
/// checked.
fn is_transfer_coding(member: &[u8]) -> bool {
    let name = member.split(|&byte| byte == b';').next().unwrap_or_default();
    is_token(trim(name)) && !member.contains(&b'"')
}

/// §7.1.1: chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
pub fn is_chunk_ext(mut bytes: &[u8]) -> bool {
    fn skip(bytes: &[u8], is: impl Fn(u8) -> bool) -> &[u8] {
        &bytes[bytes.iter().take_while(|&&byte| is(byte)).count()..]
    }
    let space = |bytes| skip(bytes, |byte| byte == b' ' || byte == b'\t');
    let token = |bytes| skip(bytes, |byte| is_token(&[byte]));
    while !bytes.is_empty() {
        let Some(name) = space(bytes).strip_prefix(b";") else { return false };
        let name = space(name);
        bytes = token(name);
        if bytes.len() == name.len() {
            return false;
        }
        let Some(value) = space(bytes).strip_prefix(b"=") else { continue };
        let value = space(value);
        bytes = match value {
            [b'"', ..] => match after_quoted_string(value) {
                Some(rest) => rest,
                None => return false,
            },
            _ => token(value),
        };
        if bytes.len() == value.len() {
            return false;
        }
    }
    true
}

/// The bytes after a quoted-string. RFC 9110 §5.6.4: DQUOTE *( qdtext / quoted-pair ) DQUOTE
fn after_quoted_string(bytes: &[u8]) -> Option<&[u8]> {
    let is_text = |byte: u8| byte == b'\t' || byte >= b' ' && byte != 0x7f;
    let mut rest = bytes.strip_prefix(b"\"")?;
    loop {
        rest = match rest {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', byte, rest @ ..] if is_text(*byte) => rest,
            [byte, rest @ ..] if is_text(*byte) && *byte != b'\\' => rest,
            _ => return None,
        };
    }
}

/// The value of the digits, or `u64::MAX` if it is larger. RFC 9110 §8.6 and §7.1:
/// "MUST anticipate potentially large" numerals.
pub fn number(digits: &[u8], radix: u64) -> u64 {
    let value = |&digit: &u8| u64::from(char::from(digit).to_digit(16).unwrap_or(0));
    digits.iter().map(value).fold(0, |sum, digit| sum.saturating_mul(radix).saturating_add(digit))
}

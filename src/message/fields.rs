//! # Field lines: the names and values of header fields
//!
//! ```text
//! Host: 127.0.0.1:5000␍␊      Accept: text/html␍␊      accept: */*␍␊
//! ```
//! A field line is a name, a colon and a value. A name has no case, a value is bytes, and a name may
//! occur more than once. [`FieldLines`] keeps the order and the spelling that the sender used: a map
//! would lose both, and this server shows them.
//!
//! Rule: RFC 9110 section 5.  Left out: joining equal names into one value (section 5.3);
//! [`FieldLines::members`] reads a list from all its lines.  Next: [`framing`](super::framing).

use std::fmt;
use std::str::FromStr;

use super::refusal::Refusal;

/// A range of bytes in a message, as offsets. It stays valid when the buffer moves in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The span from `start` to before `end`. Both must be below 4 GiB; a head is far shorter.
    pub fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, end: end as u32 }
    }

    /// The span of `part` in `whole`, of which `part` must be a slice.
    pub fn of(part: &[u8], whole: &[u8]) -> Span {
        let start = part.as_ptr() as usize - whole.as_ptr() as usize;
        Span::new(start, start + part.len())
    }

    /// The offset of the first byte.
    pub fn start(self) -> usize {
        self.start as usize
    }

    /// The offset after the last byte.
    pub fn end(self) -> usize {
        self.end as usize
    }

    /// The length in bytes.
    pub fn length(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Returns the bytes of this span in `bytes`.
    pub fn in_bytes(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start()..self.end()]
    }
}

/// The field lines of one head, in the order in which they were received.
///
/// It borrows the bytes of the head, so a copy is cheap. Names are compared without regard to case.
///
/// ```
/// use openkitchen::{Request, Response};
///
/// fn likes(request: &Request) -> Response {
///     let fields = request.field_lines();
///     let is_fresh = fields.has_member("If-None-Match", "\"7\"");
///     let cookies = fields.values("Cookie").count();
///     let languages = fields.weighted("Accept-Language").filter(|(_, weight)| *weight > 0).count();
///     Response::text(format!("{is_fresh}, {cookies} cookies, {languages} languages"))
/// }
/// ```
#[derive(Clone, Copy)]
pub struct FieldLines<'a> {
    bytes: &'a [u8],
    spans: &'a [(Span, Span)],
}

impl fmt::Debug for FieldLines<'_> {
    /// Prints the names alone: a value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

impl<'a> FieldLines<'a> {
    /// The lines whose names and values have these spans in `bytes`.
    #[doc(hidden)]
    pub fn new(bytes: &'a [u8], spans: &'a [(Span, Span)]) -> FieldLines<'a> {
        FieldLines { bytes, spans }
    }

    /// Iterates over all lines: the name as it was sent, and the value without blanks around it.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.spans.iter().map(move |&(name, value)| {
            let name = std::str::from_utf8(name.in_bytes(self.bytes)).unwrap_or_default(); // a token is ASCII
            (name, value.in_bytes(self.bytes))
        })
    }

    /// Iterates over the lines with that name: the spans of name and value.
    #[doc(hidden)]
    pub fn spans(self, name: &str) -> impl Iterator<Item = (Span, Span)> {
        // Lengths are compared first: five names are looked up in each head, and most differ in it.
        self.spans.iter().copied().filter(move |(line_name, _)| {
            line_name.length() == name.len()
                && line_name.in_bytes(self.bytes).eq_ignore_ascii_case(name.as_bytes())
        })
    }

    /// Iterates over the values of the lines with that name.
    pub fn values(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.spans(name).map(move |(_, value)| value.in_bytes(self.bytes))
    }

    /// Returns the value of the only line with that name; `None` if there are two, since another recipient
    /// might take the other.
    pub fn only(self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.values(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// Iterates over the members of a comma-separated list, from all lines with that name. Empty
    /// members are skipped (RFC 9110 section 5.6.1). Not for values with quoted strings.
    pub fn members(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.values(name).flat_map(members)
    }

    /// Returns whether the list in the lines with that name has this member, in any case. Not for
    /// weighted lists, where `gzip;q=0.5` is a member too; see [`FieldLines::weight`].
    pub fn has_member(self, name: &str, member: &str) -> bool {
        self.members(name).any(|found| found.eq_ignore_ascii_case(member.as_bytes()))
    }

    /// Iterates over the members of a weighted list, such as Accept, from all lines with that name: each
    /// member without its weight, and the weight in thousandths, which is 1000 if none is given (RFC 9110
    /// section 12.4.2). `text/html;level=1;q=0.5, */*` is `(text/html;level=1, 500)` and `(*/*, 1000)`.
    /// Members whose weight breaks the grammar are skipped.
    pub fn weighted(self, name: &str) -> impl Iterator<Item = (&'a [u8], u16)> {
        self.values(name).flat_map(weighted)
    }

    /// Returns the weight of a member of a weighted list, in thousandths: that of the member, in any
    /// case, or else that of `*`. 0 means that the client does not accept it (RFC 9110 section 12.4.2).
    /// `None` if the list has neither, or if there is no list.
    ///
    /// ```
    /// use openkitchen::{Request, Response};
    ///
    /// fn home(request: &Request) -> Response {
    ///     // True for `gzip`, `br, gzip;q=0.5` and `*`, and false for `gzip;q=0`.
    ///     let is_wanted = request.field_lines().weight("Accept-Encoding", "gzip") > Some(0);
    ///     Response::text(if is_wanted { "gzip" } else { "identity" })
    /// }
    /// ```
    pub fn weight(self, name: &str, member: &str) -> Option<u16> {
        self.weight_of_any(name, &[member])
    }

    /// Returns the weight of a member that may have one of these names: see [`FieldLines::weight`].
    pub(crate) fn weight_of_any(self, name: &str, members: &[&str]) -> Option<u16> {
        let weight = |wanted: &[&str]| {
            let is_wanted = |found: &[u8]| {
                wanted.iter().any(|wanted| found.eq_ignore_ascii_case(wanted.as_bytes()))
            };
            self.weighted(name).find(|(found, _)| is_wanted(found))
        };
        weight(members).or_else(|| weight(&["*"])).map(|(_, weight)| weight)
    }
}

/// Iterates over the members of one comma-separated value; see [`FieldLines::members`].
pub fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim).filter(|member| !member.is_empty())
}

/// Iterates over the members of one weighted list: each member without its weight, and the weight in
/// thousandths, which is 1000 if none is given (RFC 9110 section 12.4.2). Members whose weight breaks
/// the grammar are skipped: a preference is no reason to refuse a request. What follows a weight is
/// left out.
///
/// `text/html;level=1;q=0.5, */*` is `(text/html;level=1, 500)` and `(*/*, 1000)`.
pub fn weighted(value: &[u8]) -> impl Iterator<Item = (&[u8], u16)> {
    split_unquoted(value, b',').filter_map(|member| {
        let weight = split_unquoted(member, b';').skip(1).find_map(|parameter| {
            let is_weight = parameter.get(..2)?.eq_ignore_ascii_case(b"q=");
            is_weight.then(|| (&parameter[2..], Span::of(parameter, member).start()))
        });
        let (member, weight) = match weight {
            Some((weight, at)) => {
                let before = trim(&member[..at]);
                (trim(before.strip_suffix(b";").unwrap_or(before)), thousandths(weight)?)
            }
            None => (member, MAX_WEIGHT),
        };
        (!member.is_empty()).then_some((member, weight))
    })
}

/// The weight 1, in thousandths.
const MAX_WEIGHT: u16 = 1000;

/// Parses a weight, in thousandths. RFC 9110 section 12.4.2:
/// `qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )`
fn thousandths(text: &[u8]) -> Option<u16> {
    let (whole, digits) = match text {
        [whole] | [whole, b'.'] => (whole, &[][..]),
        [whole, b'.', digits @ ..] if digits.len() <= 3 => (whole, digits),
        _ => return None,
    };
    let mut fraction = 0;
    for at in 0..3 {
        fraction =
            10 * fraction + char::from(*digits.get(at).unwrap_or(&b'0')).to_digit(10)? as u16;
    }
    match (whole, fraction) {
        (b'0', fraction) => Some(fraction),
        (b'1', 0) => Some(MAX_WEIGHT),
        _ => None,
    }
}

/// Splits a value at each separator that is not inside a quoted string (RFC 9110 section 5.6.4), and
/// trims the parts: `a;b="x,y", c` is a list of two.
pub fn split_unquoted(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let parts = value.split(move |&byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ => return byte == separator && !is_quoted,
        }
        false
    });
    parts.map(trim)
}

/// Splits a list of entity tags (RFC 9110 section 8.8.3), and trims the members: `"a,b", W/"c"` is a list of
/// two. A backslash in a tag escapes nothing. Whether each member is a tag is not checked.
pub fn entity_tags(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut is_quoted = false;
    let members = list.split(move |&byte| {
        is_quoted ^= byte == b'"';
        byte == b',' && !is_quoted
    });
    members.map(trim)
}

/// Removes the spaces and tabs around a value (OWS, RFC 9110 section 5.6.3), and no other byte.
pub fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Removes the line end: CR LF, LF alone, or a CR whose LF is missing.
pub fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Parses a number that is digits only, such as a Content-Length. The parser of std also accepts `+5`.
/// `None` also if the number has more bits than `N`.
pub fn parse_digits<N: FromStr>(digits: &[u8]) -> Option<N> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Returns whether a token, such as a field's name, may contain this byte (RFC 9110 section 5.6.2).
pub const fn is_token_byte(byte: u8) -> bool {
    TOKEN_BYTES[byte as usize]
}

/// For each byte, whether it is a token byte. Each byte of each name is looked up, and a table takes
/// one step where a list takes fifteen.
const TOKEN_BYTES: [bool; 256] = {
    let others = b"!#$%&'*+-.^_`|~";
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut other = 0;
    while other < others.len() {
        table[others[other] as usize] = true;
        other += 1;
    }
    table
};

/// Returns whether these bytes are a token: one token byte or more.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

/// Returns whether a field's value may contain this byte: a visible one, a space, a tab or obs-text
/// (RFC 9110 section 5.5).
pub const fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Returns whether a field's value may contain these bytes. The loop has no early exit, so that the
/// compiler can check sixteen bytes in a step.
pub fn is_value(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |valid, &byte| valid & is_value_byte(byte))
}

/// Checks one field line, given without its line end.
///
/// # Errors
/// The rule that is broken, and the offset of the bad byte in the line.
pub fn check_line(line: &[u8]) -> Result<(), (Refusal, usize)> {
    let name = line.iter().take_while(|&&byte| is_token_byte(byte)).count();
    // The colon must follow the name directly.
    let refusal = match line.get(name) {
        Some(b':') if name > 0 => {
            let bad = line[name + 1..].iter().position(|&byte| !is_value_byte(byte));
            return bad.map_or(Ok(()), |bad| Err((Refusal::FieldValue, name + 1 + bad)));
        }
        Some(b' ' | b'\t') if name == 0 => Refusal::Folding,
        Some(b' ' | b'\t') if trim(&line[name..]).starts_with(b":") => Refusal::SpaceBeforeColon,
        None | Some(b' ' | b'\t') => Refusal::NoColon,
        _ => Refusal::FieldName,
    };
    Err((refusal, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_the_members_of_all_its_lines_without_the_empty_ones() {
        let bytes = b"Connection: , keep-alive ,x\r\ncONNECTION:\tClose";
        let spans = [(Span::new(0, 10), Span::new(12, 27)), (Span::new(29, 39), Span::new(40, 46))];
        let fields = FieldLines::new(bytes, &spans);
        assert_eq!(
            fields.members("connection").collect::<Vec<_>>(),
            [&b"keep-alive"[..], b"x", b"Close"]
        );
        assert!(
            fields.has_member("Connection", "close") && !fields.has_member("Connection", "clos")
        );
    }

    #[test]
    fn a_weighted_list_has_members_without_their_weights() {
        for (text, member, weight) in [
            ("gzip", "gzip", 1000),
            ("gzip;q=1.0", "gzip", 1000),
            (" gzip ; Q=0.25 ;ext=1,", "gzip", 250),
            ("text/html;level=1 ; q=0", "text/html;level=1", 0),
            ("a/b;x=\"c;q=0.1,d\\\"\";q=0.5", "a/b;x=\"c;q=0.1,d\\\"\"", 500),
            ("q=0.5", "q=0.5", 1000),
            ("br;q=1.001, gzip;q=, x;q=.5, ;q=1, de;q=0.001", "de", 1),
        ] {
            let members: Vec<_> = weighted(text.as_bytes()).collect();
            assert_eq!(members, [(member.as_bytes(), weight)], "{text}");
        }
        assert_eq!(weighted(b" , ,").next(), None);
    }

    #[test]
    fn a_weight_has_three_digits_and_is_at_most_one() {
        for (text, weight) in
            [("1", 1000), ("0", 0), ("1.000", 1000), ("0.5", 500), ("0.125", 125), ("0.", 0)]
        {
            assert_eq!(thousandths(text.as_bytes()), Some(weight), "{text}");
        }
        for text in
            ["", "2", "1.001", "0.1234", ".5", "-0", "0.+5", "one", "1.0 ", "0.5x", "0.\u{e9}"]
        {
            assert_eq!(thousandths(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_member_has_its_own_weight_or_that_of_the_star() {
        let bytes = b"Accept-Encoding: br, *;q=0.1\r\naccept-encoding: GZIP;q=1.0, zstd;q=0";
        let lines = [(Span::new(0, 15), Span::new(17, 28)), (Span::new(30, 45), Span::new(47, 67))];
        let fields = FieldLines::new(bytes, &lines);
        let weight = |member| fields.weight("Accept-Encoding", member);
        assert_eq!(["br", "gzip", "zstd", "x"].map(weight), [1000, 1000, 0, 100].map(Some));
        let lines = [(Span::new(0, 1), Span::new(3, 5))];
        let fields = FieldLines::new(b"A: br", &lines);
        assert_eq!((fields.weight("A", "gzip"), fields.weight("B", "br")), (None, None));
    }

    #[test]
    fn trim_removes_spaces_and_tabs_only() {
        assert_eq!(trim(b" \t a b\t "), b"a b");
        assert_eq!(trim(b"\x0ba\xa0"), b"\x0ba\xa0");
        assert_eq!(trim(b" \t "), b"");
    }

    #[test]
    fn each_refusal_of_a_field_line_has_the_offset_of_the_bad_byte() {
        assert_eq!(check_line(b"X-Sum: caf\xe9 \t1"), Ok(()));
        assert_eq!(check_line(b"nocolon"), Err((Refusal::NoColon, 7)));
        assert_eq!(check_line(b"no colon"), Err((Refusal::NoColon, 2)));
        assert_eq!(check_line(b"a name: 1"), Err((Refusal::NoColon, 1)));
        assert_eq!(check_line(b"no,colon"), Err((Refusal::FieldName, 2)));
        assert_eq!(check_line(b"X : 1"), Err((Refusal::SpaceBeforeColon, 1)));
        assert_eq!(check_line(b" X: 1"), Err((Refusal::Folding, 0)));
        assert_eq!(check_line(b": 1"), Err((Refusal::FieldName, 0)));
        assert_eq!(check_line(b"X: a\0"), Err((Refusal::FieldValue, 4)));
    }
}

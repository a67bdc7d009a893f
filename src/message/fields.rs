//! # 5. Names and values
//!
//! ```text
//! Host: 127.0.0.1:5000␍␊      Accept: text/html␍␊      accept: */*␍␊
//! ```
//! A field is a name, a colon and a value; a name has no case, a value is bytes, and the same name
//! may come again. The list keeps them in the order they came in and as they were written, for a
//! map would lose exactly what this server wants to show.
//!
//! Rule: RFC 9110 section 5.  Left out: joining equal names into one value (section 5.3): who needs
//! the list asks [`FieldLines::members`].  Next: [`framing`](super::framing).

use super::refusal::Refusal;

/// A stretch of a message, by its offsets. It stays good when the bytes move with their buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// From `start` up to `end`, which must lie within 4 GiB: a head is far shorter.
    pub fn new(start: usize, end: usize) -> Span {
        Span { start: start as u32, end: end as u32 }
    }

    /// Where `part`, a slice of `whole`, stands in it.
    pub fn of(part: &[u8], whole: &[u8]) -> Span {
        let start = part.as_ptr() as usize - whole.as_ptr() as usize;
        Span::new(start, start + part.len())
    }

    /// Its first offset.
    pub fn start(self) -> usize {
        self.start as usize
    }

    /// The offset behind its last.
    pub fn end(self) -> usize {
        self.end as usize
    }

    /// How many bytes it spans.
    pub fn length(self) -> usize {
        (self.end - self.start) as usize
    }

    /// The bytes it stands for.
    pub fn in_bytes(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start()..self.end()]
    }
}

/// The field lines of one head: offsets, and the bytes they point into.
#[derive(Clone, Copy)]
pub struct FieldLines<'a> {
    bytes: &'a [u8],
    spans: &'a [(Span, Span)],
}

impl<'a> FieldLines<'a> {
    /// The lines whose names and values lie at `spans` in `bytes`.
    pub fn new(bytes: &'a [u8], spans: &'a [(Span, Span)]) -> FieldLines<'a> {
        FieldLines { bytes, spans }
    }

    /// All lines, in the order they came in.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.spans.iter().map(move |&(name, value)| {
            let name = std::str::from_utf8(name.in_bytes(self.bytes)).unwrap_or_default(); // a token is ASCII
            (name, value.in_bytes(self.bytes))
        })
    }

    /// Where name and value stand of all lines with that name, whatever its case.
    pub fn spans(self, name: &str) -> impl Iterator<Item = (Span, Span)> {
        // By length first: five names are looked up in each head, and most are told apart by it.
        self.spans.iter().copied().filter(move |(known, _)| {
            known.length() == name.len()
                && known.in_bytes(self.bytes).eq_ignore_ascii_case(name.as_bytes())
        })
    }

    /// The values of all lines with that name.
    pub fn all(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.spans(name).map(move |(_, value)| value.in_bytes(self.bytes))
    }

    /// The members of a comma-separated list, over all lines with that name; empty ones are skipped
    /// (RFC 9110 section 5.6.1). Not for values that hold quoted strings.
    pub fn members(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.all(name).flat_map(members)
    }

    /// Whether the list has that member, whatever its case.
    pub fn lists(self, name: &str, member: &str) -> bool {
        self.members(name).any(|found| found.eq_ignore_ascii_case(member.as_bytes()))
    }
}

/// The members of one comma-separated value; see [`FieldLines::members`].
pub fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim).filter(|member| !member.is_empty())
}

/// Without the spaces and tabs around it (OWS, RFC 9110 section 5.6.3): no other byte is blank.
pub fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Whether a byte may stand in a token, such as a field's name (RFC 9110 section 5.6.2).
pub const fn is_token_byte(byte: u8) -> bool {
    TOKEN_BYTES[byte as usize]
}

/// Looked up for each byte of each name: a table takes one step where a list takes fifteen.
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

/// Whether bytes are a token.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

/// Whether a byte may stand in a field's value: visible, blank or obs-text (RFC 9110 section 5.5).
pub const fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Whether all bytes may stand in a field's value. It does not stop at the first that may not: a loop
/// without a way out takes sixteen bytes at a step.
pub fn is_value(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |fine, &byte| fine & is_value_byte(byte))
}

/// Checks one field line, without its line end. The error is the refusal and the offset in the line.
pub fn check_line(line: &[u8]) -> Result<(), (Refusal, usize)> {
    let name = line.iter().take_while(|&&byte| is_token_byte(byte)).count();
    // What stands behind the name should be the colon.
    let refusal = match line.get(name) {
        Some(b':') if name > 0 => {
            let bad = line[name + 1..].iter().position(|&byte| !is_value_byte(byte));
            return bad.map_or(Ok(()), |bad| Err((Refusal::FieldValue, name + 1 + bad)));
        }
        Some(b' ' | b'\t') if name == 0 => Refusal::Folding,
        Some(b' ' | b'\t') if trim(&line[name..]).starts_with(b":") => Refusal::SpaceBeforeColon,
        None | Some(b' ' | b'\t') if !line.contains(&b':') => Refusal::NoColon,
        _ => Refusal::FieldName,
    };
    Err((refusal, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_over_all_its_lines_and_empty_members_do_not_count() {
        let bytes = b"Connection: , keep-alive ,x\r\ncONNECTION:\tClose";
        let spans = [(Span::new(0, 10), Span::new(12, 27)), (Span::new(29, 39), Span::new(40, 46))];
        let fields = FieldLines::new(bytes, &spans);
        assert_eq!(
            fields.members("connection").collect::<Vec<_>>(),
            [&b"keep-alive"[..], b"x", b"Close"]
        );
        assert!(fields.lists("Connection", "close") && !fields.lists("Connection", "clos"));
    }

    #[test]
    fn only_space_and_tab_are_blank() {
        assert_eq!(trim(b" \t a b\t "), b"a b");
        assert_eq!(trim(b"\x0ba\xa0"), b"\x0ba\xa0");
        assert_eq!(trim(b" \t "), b"");
    }

    #[test]
    fn each_broken_rule_of_a_field_line_is_found_at_its_byte() {
        assert_eq!(check_line(b"X-Sum: caf\xe9 \t1"), Ok(()));
        assert_eq!(check_line(b"nocolon"), Err((Refusal::NoColon, 7)));
        assert_eq!(check_line(b"no colon"), Err((Refusal::NoColon, 2)));
        assert_eq!(check_line(b"a name: 1"), Err((Refusal::FieldName, 1)));
        assert_eq!(check_line(b"no,colon"), Err((Refusal::FieldName, 2)));
        assert_eq!(check_line(b"X : 1"), Err((Refusal::SpaceBeforeColon, 1)));
        assert_eq!(check_line(b" X: 1"), Err((Refusal::Folding, 0)));
        assert_eq!(check_line(b": 1"), Err((Refusal::FieldName, 0)));
        assert_eq!(check_line(b"X: a\0"), Err((Refusal::FieldValue, 4)));
    }
}

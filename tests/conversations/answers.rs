//! A reader of answers, by RFC 9112 section 6.3 alone. Like the oracle, it shares no line with the
//! library.

/// An answer as it came.
#[derive(Debug)]
pub struct Came {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub content: Vec<u8>,
    /// Its end has come, as its framing tells it.
    pub is_whole: bool,
}

impl Came {
    /// The values of the fields with this name, joined as a list.
    pub fn field(&self, name: &str) -> Option<String> {
        let named = self.fields.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let values: Vec<&str> = named.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

/// Takes all answers apart, interim ones too; the last may not be whole. `is_to_head` tells of a final
/// answer, counted from 0, whether it answers HEAD; `has_ended`, that no more will come. What cannot be
/// an answer is an error.
pub fn read(
    bytes: &[u8],
    is_to_head: impl Fn(usize) -> bool,
    has_ended: bool,
) -> Result<Vec<Came>, String> {
    let (mut answers, mut finals, mut rest) = (Vec::new(), 0, bytes);
    while !rest.is_empty() {
        let Some(end) = rest.windows(4).position(|window| window == b"\r\n\r\n") else {
            let begins = rest.iter().zip(b"HTTP/1.1 ").all(|(came, due)| came == due);
            return if begins { Ok(answers) } else { Err("what comes is no answer".to_owned()) };
        };
        let mut came = head(&rest[..end + 2])?;
        rest = &rest[end + 4..];
        let is_final = came.status >= 200;
        rest = content(&mut came, rest, is_final && is_to_head(finals), has_ended)?;
        finals += usize::from(is_final);
        answers.push(came);
    }
    Ok(answers)
}

fn head(bytes: &[u8]) -> Result<Came, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "a head is no ASCII")?;
    let mut lines = text.split("\r\n");
    let line = lines.next().unwrap_or_default();
    // Section 4: status-line = HTTP-version SP status-code SP [ reason-phrase ]
    let code = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split_once(' '));
    let status = code.filter(|(code, _)| code.len() == 3).and_then(|(code, _)| code.parse().ok());
    let status = status.ok_or_else(|| format!("no status line: {line}"))?;
    let mut fields = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").ok_or_else(|| format!("no field: {line}"))?;
        fields.push((name.to_owned(), value.to_owned()));
    }
    if text.contains('\n') && text.matches('\n').count() != text.matches("\r\n").count() {
        return Err("a head has a bare LF".to_owned());
    }
    Ok(Came { status, fields, content: Vec::new(), is_whole: false })
}

/// Section 6.3: takes the content from `rest`, and gives what is behind it.
fn content<'a>(
    came: &mut Came,
    rest: &'a [u8],
    is_to_head: bool,
    has_ended: bool,
) -> Result<&'a [u8], String> {
    // Rule 1.
    if is_to_head || matches!(came.status, 100..200 | 204 | 304) {
        came.is_whole = true;
        return Ok(rest);
    }
    match (came.field("transfer-encoding"), came.field("content-length")) {
        (Some(_), Some(_)) => Err("an answer has a coding and a length".to_owned()),
        (Some(coding), None) if coding == "chunked" => chunks(came, rest),
        (Some(coding), None) => Err(format!("an answer in {coding}")),
        (None, Some(length)) => {
            let length: usize = length.parse().map_err(|_| format!("a length of {length}"))?;
            let (content, rest) = rest.split_at(length.min(rest.len()));
            came.content = content.to_vec();
            came.is_whole = content.len() == length;
            Ok(rest)
        }
        // Rule 8: to the end of the connection.
        (None, None) => {
            came.content = rest.to_vec();
            came.is_whole = has_ended;
            Ok(b"")
        }
    }
}

/// Section 7.1. This server sends neither extensions nor trailers.
fn chunks<'a>(came: &mut Came, mut rest: &'a [u8]) -> Result<&'a [u8], String> {
    loop {
        let Some(end) = rest.windows(2).position(|window| window == b"\r\n") else {
            return Ok(b"");
        };
        let line = String::from_utf8_lossy(&rest[..end]);
        let size = usize::from_str_radix(&line, 16).map_err(|_| format!("a chunk of {line}"))?;
        let Some(data) = rest.get(end + 2..end + 2 + size + 2) else { return Ok(b"") };
        let (data, crlf) = data.split_at(size);
        if crlf != b"\r\n" {
            return Err("a chunk does not end in CR LF".to_owned());
        }
        came.content.extend_from_slice(data);
        rest = &rest[end + 2 + size + 2..];
        if size == 0 {
            came.is_whole = true;
            return Ok(rest);
        }
    }
}

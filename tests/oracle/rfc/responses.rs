//! Where responses end: RFC 9112 section 6.3, for the responses of this server.

/// A response as the client received it.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub content: Vec<u8>,
    /// Whether it was received to its end, as its framing defines the end.
    pub is_whole: bool,
}

impl Response {
    /// The values of the fields with this name, joined as a list.
    pub fn field(&self, name: &str) -> Option<String> {
        let named = self.fields.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let values: Vec<&str> = named.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

/// Parses all responses, interim ones included. The last one may be incomplete. `is_to_head` says
/// whether a final response, counted from 0, answers a HEAD request. `closed` says that no more bytes
/// will arrive. Bytes that cannot be a response are an error.
pub fn parse(
    bytes: &[u8],
    is_to_head: impl Fn(usize) -> bool,
    closed: bool,
) -> Result<Vec<Response>, String> {
    let (mut responses, mut finals, mut rest) = (Vec::new(), 0, bytes);
    while !rest.is_empty() {
        let Some(end) = rest.windows(4).position(|window| window == b"\r\n\r\n") else {
            let begins = rest.iter().zip(b"HTTP/1.1 ").all(|(byte, expected)| byte == expected);
            return match (begins, closed) {
                (true, false) => Ok(responses),
                (true, true) => Err("the connection ends in the head of a response".to_owned()),
                (false, _) => Err("the received bytes are not a response".to_owned()),
            };
        };
        let mut response = head(&rest[..end + 2])?;
        rest = &rest[end + 4..];
        let is_final = response.status >= 200;
        rest = content(&mut response, rest, is_final && is_to_head(finals), closed)?;
        finals += usize::from(is_final);
        responses.push(response);
    }
    Ok(responses)
}

fn head(bytes: &[u8]) -> Result<Response, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "a head is not ASCII")?;
    let mut lines = text.split("\r\n");
    let line = lines.next().unwrap_or_default();
    // Section 4: status-line = HTTP-version SP status-code SP [ reason-phrase ]
    let code = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split_once(' '));
    let status = code.filter(|(code, _)| code.len() == 3).and_then(|(code, _)| code.parse().ok());
    let status = status.ok_or_else(|| format!("not a status line: {line}"))?;
    let mut fields = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) =
            line.split_once(": ").ok_or_else(|| format!("not a field line: {line}"))?;
        fields.push((name.to_owned(), value.to_owned()));
    }
    if text.contains('\n') && text.matches('\n').count() != text.matches("\r\n").count() {
        return Err("a head has a bare LF".to_owned());
    }
    Ok(Response { status, fields, content: Vec::new(), is_whole: false })
}

/// Section 6.3: takes the content from `rest`, and returns the bytes after it.
fn content<'a>(
    response: &mut Response,
    rest: &'a [u8],
    is_to_head: bool,
    closed: bool,
) -> Result<&'a [u8], String> {
    // Rule 1.
    if is_to_head || matches!(response.status, 100..200 | 204 | 304) {
        response.is_whole = true;
        return Ok(rest);
    }
    match (response.field("transfer-encoding"), response.field("content-length")) {
        (Some(_), Some(_)) => {
            Err("a response has both Transfer-Encoding and Content-Length".to_owned())
        }
        (Some(coding), None) if coding == "chunked" => chunks(response, rest),
        (Some(coding), None) => Err(format!("the transfer coding of a response is {coding}")),
        (None, Some(length)) => {
            let length: usize =
                length.parse().map_err(|_| format!("Content-Length is {length}"))?;
            let (content, rest) = rest.split_at(length.min(rest.len()));
            response.content = content.to_vec();
            response.is_whole = content.len() == length;
            Ok(rest)
        }
        // Rule 8: the content ends when the server closes the connection.
        (None, None) => {
            response.content = rest.to_vec();
            response.is_whole = closed;
            Ok(b"")
        }
    }
}

/// Section 7.1. This server sends neither extensions nor trailers.
fn chunks<'a>(response: &mut Response, mut rest: &'a [u8]) -> Result<&'a [u8], String> {
    loop {
        let Some(end) = rest.windows(2).position(|window| window == b"\r\n") else {
            return Ok(b"");
        };
        let line = String::from_utf8_lossy(&rest[..end]);
        let size = usize::from_str_radix(&line, 16).map_err(|_| format!("chunk-size is {line}"))?;
        let Some(data) = rest.get(end + 2..end + 2 + size + 2) else { return Ok(b"") };
        let (data, crlf) = data.split_at(size);
        if crlf != b"\r\n" {
            return Err("a chunk does not end in CR LF".to_owned());
        }
        response.content.extend_from_slice(data);
        rest = &rest[end + 2 + size + 2..];
        if size == 0 {
            response.is_whole = true;
            return Ok(rest);
        }
    }
}

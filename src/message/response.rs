//! # 9. What a handler returns
//!
//! A status, fields, and content: bytes that are there, or a reader that will make them.
//!
//! ```
//! use openkitchen::{Response, Status};
//! let answer = Response::text("like stored").status(Status::CREATED).field("Cache-Control", "no-store");
//! ```
//! What a response cannot say is where it ends. Content-Length, Transfer-Encoding, Connection and
//! Date belong to the server, which knows the content and the client's version; a handler that set
//! them could break the framing of the whole connection.
//!
//! Rule: RFC 9110 section 6.4, and 5.5: a CR or LF in a value would end the field and begin whatever
//! the client had put behind it, so such a value never gets into a response.
//! Next: [`encode`](super::encode).

use std::borrow::Cow;
use std::fmt;
use std::io::Read;

use super::fields::{is_token, is_value, is_value_byte};
use super::status::Status;
use super::visible::Visible;

/// An answer in the making. Each method takes it and gives it back changed.
pub struct Response {
    pub(crate) status: Status,
    /// The field lines as they will stand on the wire, each with its CR LF.
    pub(crate) fields: Vec<u8>,
    pub(crate) body: Body,
    pub(crate) close: bool,
    pub(crate) hides_query: bool,
}

/// The content of a response.
pub(crate) enum Body {
    /// Bytes that are there.
    Bytes(Cow<'static, [u8]>),
    /// As many bytes as the reader was promised to give.
    Sized(Box<dyn Read + Send>, u64),
    /// As many as it gives until it ends: each piece it reads is sent at once.
    Stream(Box<dyn Read + Send>),
}

/// A field that cannot be sent: the sentence says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadField(String);

impl fmt::Display for BadField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadField {}

/// Bytes of field lines that most answers have: room for them is made once, not line by line.
const FIELDS: usize = 192;

/// Fields that the server writes itself.
const OWN_FIELDS: [&str; 4] = ["content-length", "transfer-encoding", "connection", "date"];

impl Response {
    /// A status and nothing else.
    ///
    /// # Panics
    /// For an interim status (1xx): those are the server's to send, and never the answer.
    #[track_caller]
    pub fn new(status: Status) -> Response {
        assert!(status.code() >= 200, "{status} is no answer");
        let body = Body::Bytes(Cow::Borrowed(b""));
        Response { status, fields: Vec::new(), body, close: false, hides_query: false }
    }

    /// `200 OK` and text in UTF-8.
    pub fn text(text: impl Into<Cow<'static, str>>) -> Response {
        Response::words("text/plain; charset=utf-8", text.into())
    }

    /// `200 OK` and a page in UTF-8.
    pub fn html(page: impl Into<Cow<'static, str>>) -> Response {
        Response::words("text/html; charset=utf-8", page.into())
    }

    /// `200 OK` and JSON text.
    pub fn json(text: impl Into<Cow<'static, str>>) -> Response {
        Response::words("application/json", text.into())
    }

    /// For media types of this file, which need no check.
    fn words(content_type: &str, text: Cow<'static, str>) -> Response {
        let bytes = match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        let mut response = Response { body: Body::Bytes(bytes), ..Response::new(Status::OK) };
        response.push("Content-Type", content_type);
        response
    }

    /// `200 OK` and bytes of that media type.
    ///
    /// # Panics
    /// Where the media type could not stand in a field, as [`Response::field`] does.
    #[track_caller]
    pub fn bytes(content_type: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Response {
        Response::with_body(content_type, Body::Bytes(bytes.into()))
    }

    /// `200 OK` and exactly `length` bytes from a reader. One that ends early ends the connection, so
    /// that the client sees the content is not whole.
    ///
    /// # Panics
    /// As [`Response::bytes`].
    #[track_caller]
    pub fn sized(content_type: &str, length: u64, reader: impl Read + Send + 'static) -> Response {
        Response::with_body(content_type, Body::Sized(Box::new(reader), length))
    }

    /// `200 OK` and content that is still being made: each piece that `reader` gives is sent as a
    /// chunk at once, and to an HTTP/1.0 client as it is, until the connection closes.
    ///
    /// # Panics
    /// As [`Response::bytes`].
    #[track_caller]
    pub fn stream(content_type: &str, reader: impl Read + Send + 'static) -> Response {
        Response::with_body(content_type, Body::Stream(Box::new(reader)))
    }

    #[track_caller]
    fn with_body(content_type: &str, body: Body) -> Response {
        Response { body, ..Response::new(Status::OK) }.field("Content-Type", content_type)
    }

    /// `303 See Other`: what the client wants next stands there. The answer to a form, so that
    /// reloading the page does not send it again (RFC 9110 section 15.4.4).
    ///
    /// # Panics
    /// Where the location could not stand in a field, as [`Response::field`] does.
    #[track_caller]
    pub fn see_other(location: &str) -> Response {
        Response::new(Status::SEE_OTHER).field("Location", location)
    }

    /// The same with another status. One without content (204, 304) drops the content.
    ///
    /// # Panics
    /// As [`Response::new`].
    #[track_caller]
    pub fn status(self, status: Status) -> Response {
        assert!(status.code() >= 200, "{status} is no answer");
        Response { status, ..self }
    }

    /// The same with one more field. Content-Type and Location, of which there can be only one, take the
    /// place of one that was set before.
    ///
    /// # Panics
    /// Where [`Response::try_field`] gives an error: right for values that stand in your source. The
    /// panic names your line, and becomes a 500.
    #[track_caller]
    pub fn field(self, name: &str, value: &str) -> Response {
        match self.try_field(name, value) {
            Ok(response) => response,
            Err(bad) => panic!("{bad}"),
        }
    }

    /// The same with one more field: for values that came from outside.
    ///
    /// # Errors
    /// A name that is no token, a value with CR, LF, NUL or another control byte, and a field that is
    /// the server's own to write.
    pub fn try_field(mut self, name: &str, value: &str) -> Result<Response, BadField> {
        if !is_token(name.as_bytes()) {
            let name = Visible(name.as_bytes());
            return Err(BadField(format!(
                "`{name}` is no name for a field (RFC 9110 section 5.1)"
            )));
        }
        if !is_value(value.as_bytes()) {
            let bad = value.bytes().find(|&byte| !is_value_byte(byte));
            return Err(BadField(format!(
                "the value of {name} holds {}, which cannot stand in a field (RFC 9110 section 5.5)",
                Visible(bad.as_slice())
            )));
        }
        if OWN_FIELDS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            return Err(BadField(format!("{name} is written by the server itself")));
        }
        let is_single =
            ["content-type", "location"].iter().any(|one| one.eq_ignore_ascii_case(name));
        if is_single && !self.fields.is_empty() {
            self.remove(name);
        }
        self.push(name, value.trim_matches([' ', '\t']));
        Ok(self)
    }

    /// Adds a line that was checked.
    fn push(&mut self, name: &str, value: &str) {
        if self.fields.is_empty() {
            self.fields.reserve(FIELDS);
        }
        for part in [name, ": ", value, "\r\n"] {
            self.fields.extend_from_slice(part.as_bytes());
        }
    }

    /// Takes out the lines with that name.
    fn remove(&mut self, name: &str) {
        let has_name = |line: &[u8]| {
            line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
                && line.get(name.len()) == Some(&b':')
        };
        let lines = self.fields.split_inclusive(|&byte| byte == b'\n');
        self.fields = lines.filter(|line| !has_name(line)).flatten().copied().collect();
    }

    /// The same, for a request whose query holds a secret that only the handler can recognise: logs show
    /// none of the query. Parameters with names like `key` are masked without being asked.
    pub fn hide_query(self) -> Response {
        Response { hides_query: true, ..self }
    }

    /// The same, as the last answer on its connection.
    pub fn close(self) -> Response {
        Response { close: true, ..self }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, Visible(&self.fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_from_outside_cannot_begin_a_field_of_its_own() {
        let split = Response::new(Status::OK).try_field("X-Name", "a\r\nSet-Cookie: b");
        assert!(split.is_err_and(|bad| bad.to_string().contains(r"holds \r")));
        assert!(Response::new(Status::OK).try_field("X", "a\0").is_err());
        assert!(Response::new(Status::OK).try_field("X Y", "a").is_err());
        assert!(Response::new(Status::OK).try_field("content-LENGTH", "5").is_err());
    }

    #[test]
    fn there_is_one_content_type() {
        let page = Response::text("<p>").field("X-A", "1").field("content-type", "text/html");
        assert_eq!(page.fields, b"X-A: 1\r\ncontent-type: text/html\r\n");
    }

    #[test]
    #[should_panic(expected = "100 Continue is no answer")]
    fn an_interim_status_is_no_answer() {
        let _ = Response::new(Status::CONTINUE);
    }

    #[test]
    #[should_panic(expected = "the value of Location holds \\n")]
    fn a_bad_value_in_the_source_panics_where_it_is_set() {
        let _ = Response::see_other("/\n");
    }
}

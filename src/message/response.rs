//! # The response that a handler returns
//!
//! A response is a status, header fields and content (the body). The content is bytes in memory, or a
//! reader that supplies them while they are sent.
//!
//! ```
//! use openkitchen::{Response, Status};
//! let response = Response::text("like stored").status(Status::CREATED).field("Cache-Control", "no-store");
//! ```
//! The server writes Date, Connection, Content-Length and Transfer-Encoding itself. It knows the
//! content and the client's version. A handler cannot set these fields, because a wrong value would
//! break the framing of the connection.
//!
//! Rule: RFC 9110 sections 6.4 and 5.5. A CR or LF in a value would end the field, and what follows it
//! would be a field of the client's choice. So such a value is never put into a response.
//! Next: [`steps`](super::steps).

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read, Write};

use super::fields::{is_token, is_value, is_value_byte, parse_digits};
use super::status::Status;
use super::steps::{DeliveryStep, Fault, IntoBytes};
use super::visible::Visible;

/// A response that a handler builds and returns: status, header fields and content (the body).
///
/// Each method takes the response and returns it changed. When the server sends it, it adds:
///
/// - `Date`;
/// - `Content-Length`, or `Transfer-Encoding: chunked` for a [stream](Response::stream). A 204 and a 304
///   have neither, and no content. An HTTP/1.0 client gets a stream with neither, until the connection
///   closes; every client gets [steps](Response::steps) so;
/// - `Connection: close` if the connection closes after this response, or `Connection: keep-alive` if
///   an HTTP/1.0 client keeps it open.
///
/// To HEAD, the server sends the same fields and no content. [`Response::without`] leaves a field
/// out, and [`Response::raw`] adds none.
///
/// ```
/// use openkitchen::{Response, Status};
///
/// let page = Response::html("<h1>Menu</h1>").field("Cache-Control", "no-store");
/// let data = Response::json(r#"{"likes":1}"#).status(Status::CREATED);
/// let image = Response::bytes("image/gif", &b"GIF89a"[..]);
/// let moved = Response::see_other("/menu");
/// let empty = Response::new(Status::NO_CONTENT).close(); // and the connection closes
/// ```
pub struct Response {
    pub(crate) status: Status,
    /// The field lines as they are sent, each with its CR LF.
    pub(crate) fields: Vec<u8>,
    pub(crate) body: Body,
    pub(crate) close: bool,
    pub(crate) hides_query: bool,
    /// What the handler has done, for observers.
    pub(crate) notes: Vec<String>,
    /// A bit for each of [`OWN_FIELDS`] that is left out.
    left_out: u8,
    pub(crate) fault: Option<Fault>,
}

/// The content of a response.
pub(crate) enum Body {
    /// Bytes in memory.
    Bytes(Cow<'static, [u8]>),
    /// Exactly this many bytes from a reader.
    Sized(Box<dyn Read + Send>, u64),
    /// All bytes of a reader. What one read gives is sent at once.
    Stream(Box<dyn Read + Send>),
    /// What a function writes. What it has written is sent at each flush.
    Written(Box<WriteContent>),
    /// Step by step, until the connection ends.
    Steps(Vec<DeliveryStep>),
    /// The whole response step by step, its head too.
    Raw(Vec<DeliveryStep>),
}

/// A function that writes content: see [`Response::written`].
type WriteContent = dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send;

/// The error of [`Response::try_field`]: a field that cannot be sent. Its text says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadField(String);

impl BadField {
    /// A field that only the server writes.
    pub(crate) fn own(name: &str) -> BadField {
        BadField(format!("{name} is written by the server itself"))
    }
}

impl fmt::Display for BadField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadField {}

/// Bytes of all field lines of most responses. Space for them is allocated at once.
const USUAL_FIELD_BYTES: usize = 192;

/// Notes of a response that are kept, and bytes of each.
const MAX_NOTES: usize = 8;
const MAX_NOTE_BYTES: usize = 256;

/// Fields that only the server writes, in the order of [`OwnField`].
const OWN_FIELDS: [&str; 4] = ["content-length", "transfer-encoding", "connection", "date"];

/// A field that only the server writes.
#[derive(Clone, Copy)]
pub(crate) enum OwnField {
    ContentLength,
    TransferEncoding,
    Connection,
    Date,
}

impl Response {
    /// A response with this status, without fields and content.
    ///
    /// # Panics
    /// If the status is interim (1xx). Only the server sends those, before the response.
    #[track_caller]
    pub fn new(status: Status) -> Response {
        assert!(status.code() >= 200, "{status} is no final status");
        let body = Body::Bytes(Cow::Borrowed(b""));
        Response {
            status,
            fields: Vec::new(),
            body,
            close: false,
            hides_query: false,
            notes: Vec::new(),
            left_out: 0,
            fault: None,
        }
    }

    /// `200 OK` with text. Sets `Content-Type: text/plain; charset=utf-8`.
    ///
    /// The text is held in memory until it is sent. The server sets no limit on its length.
    pub fn text(text: impl Into<Cow<'static, str>>) -> Response {
        Response::with_text("text/plain; charset=utf-8", text.into())
    }

    /// `200 OK` with an HTML page, held in memory. Sets `Content-Type: text/html; charset=utf-8`.
    pub fn html(page: impl Into<Cow<'static, str>>) -> Response {
        Response::with_text("text/html; charset=utf-8", page.into())
    }

    /// `200 OK` with JSON text, held in memory. Sets `Content-Type: application/json`. The text is not
    /// checked.
    pub fn json(text: impl Into<Cow<'static, str>>) -> Response {
        Response::with_text("application/json", text.into())
    }

    /// Text with a media type of this file, which needs no check.
    fn with_text(content_type: &str, text: Cow<'static, str>) -> Response {
        let body = Body::Bytes(text.into_bytes());
        let mut response = Response { body, ..Response::new(Status::OK) };
        response.push("Content-Type", content_type);
        response
    }

    /// `200 OK` with bytes, held in memory. Sets Content-Type to `content_type`.
    ///
    /// # Panics
    /// If `content_type` is no valid field value; see [`Response::field`].
    #[track_caller]
    pub fn bytes(content_type: &str, bytes: impl IntoBytes) -> Response {
        Response::with_body(content_type, Body::Bytes(bytes.into_bytes()))
    }

    /// `200 OK` with exactly `length` bytes from a reader, such as a file. Sets Content-Type to
    /// `content_type`.
    ///
    /// The content is sent while it is read, 64 KiB at a time. If the reader ends early, fails or
    /// panics, the server closes the connection, so that the client sees that content is missing.
    ///
    /// ```
    /// # use openkitchen::Response;
    /// fn film() -> std::io::Result<Response> {
    ///     let file = std::fs::File::open("film.mp4")?;
    ///     Ok(Response::sized("video/mp4", file.metadata()?.len(), file))
    /// }
    /// ```
    ///
    /// # Panics
    /// As [`Response::bytes`].
    #[track_caller]
    pub fn sized(content_type: &str, length: u64, reader: impl Read + Send + 'static) -> Response {
        Response::with_body(content_type, Body::Sized(Box::new(reader), length))
    }

    /// `200 OK` with content of unknown length from a reader. Sets Content-Type to `content_type`.
    ///
    /// What one read gives, at most 16 KiB, is sent at once as a chunk. An HTTP/1.0 client gets the bytes
    /// without chunks, until the connection closes. The reader may block; it then holds the thread of
    /// this connection. If it fails or panics, the server closes the connection without the last chunk.
    ///
    /// The server never ends a stream by itself before the grace time
    /// ([`Limits::grace`](crate::Limits::grace)) is over: it cannot know whether the rest is needed. So a
    /// stream without end looks whether the server is stopping, and then gives no more bytes (0), so that
    /// the client gets the last chunk:
    ///
    /// ```
    /// use std::io::{self, Read};
    /// use std::time::Duration;
    /// use openkitchen::{Request, Response, Routes, Server, Stopper, get, routes};
    ///
    /// static ROUTES: Routes<Stopper> = routes(&[get("/ticks", ticks)]);
    ///
    /// fn ticks(request: &Request<Stopper>) -> Response {
    ///     Response::stream("text/event-stream", Ticks(request.state().clone()))
    /// }
    ///
    /// struct Ticks(Stopper);
    ///
    /// impl Read for Ticks {
    ///     fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
    ///         if self.0.wait(Duration::from_secs(1)) {
    ///             return Ok(0);
    ///         }
    ///         (&b"data: tick\n\n"[..]).read(buffer)
    ///     }
    /// }
    ///
    /// let server = Server::bind("127.0.0.1:0")?;
    /// let stopper = server.stopper();
    /// let handle = server.start(&ROUTES, stopper)?;
    /// drop(handle); // an open `/ticks` ends at once
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// As [`Response::bytes`].
    #[track_caller]
    pub fn stream(content_type: &str, reader: impl Read + Send + 'static) -> Response {
        Response::with_body(content_type, Body::Stream(Box::new(reader)))
    }

    /// `200 OK` with content that a function writes while it is sent. Sets Content-Type to
    /// `content_type`.
    ///
    /// What it has written is sent as one chunk at each `flush`, and when 16 KiB have come
    /// together. An HTTP/1.0 client gets the bytes without chunks, until the connection closes. If
    /// the function returns an error or panics, the server closes the connection without the last
    /// chunk. If the client is gone, writing gives an error. A function without end looks whether
    /// the server is stopping, as a [stream](Response::stream) does. Server-sent events in ten
    /// lines:
    ///
    /// ```
    /// use std::time::Duration;
    /// use openkitchen::{Request, Response, Stopper};
    ///
    /// fn ticks(request: &Request<Stopper>) -> Response {
    ///     let stopper = request.state().clone();
    ///     Response::written("text/event-stream", move |out| {
    ///         for number in 1.. {
    ///             write!(out, "id: {number}\ndata: tick\n\n")?;
    ///             out.flush()?;
    ///             if stopper.wait(Duration::from_secs(1)) {
    ///                 break;
    ///             }
    ///         }
    ///         Ok(())
    ///     })
    /// }
    /// ```
    ///
    /// # Panics
    /// As [`Response::bytes`].
    #[track_caller]
    pub fn written(
        content_type: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
    ) -> Response {
        Response::with_body(content_type, Body::Written(Box::new(write)))
    }

    /// These bytes and no others: the server adds no status line and no field, and checks nothing.
    ///
    /// They are sent to HEAD too. The connection then goes on as the request asked, whatever the
    /// bytes say; [`close`](Response::close) closes it. The log has the status that the bytes begin
    /// with, and 200 if they begin with none.
    ///
    /// ```
    /// use openkitchen::Response;
    ///
    /// let short = Response::raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this").close();
    /// let length = "+5";
    /// let odd = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nhello");
    /// let strange = Response::raw(odd);
    /// ```
    pub fn raw(bytes: impl IntoBytes) -> Response {
        Response::raw_steps([DeliveryStep::bytes(bytes)])
    }

    /// These steps and nothing else, as [`Response::raw`]: bytes with waits between them, and an
    /// end of your own. See [`DeliveryStep`].
    pub fn raw_steps(steps: impl Into<Vec<DeliveryStep>>) -> Response {
        let steps = steps.into();
        let status = steps.iter().find_map(|step| match step {
            DeliveryStep::Bytes(bytes) => Some(status_of(bytes)),
            _ => None,
        });
        let status = status.flatten().unwrap_or(Status::OK);
        Response { body: Body::Raw(steps), ..Response::new(status) }
    }

    /// `200 OK` with content that is sent step by step, and ends where the connection ends: the client is
    /// told no length, and gets no chunks (RFC 9112 section 6.3). Sets Content-Type to `content_type`.
    ///
    /// For a client under test, and for lessons: a client cannot tell a close that was meant from one that
    /// was not. All other content should have a length or be a [stream](Response::stream).
    ///
    /// ```
    /// use openkitchen::{DeliveryStep, Response};
    ///
    /// let lost = [DeliveryStep::bytes("the first half"), DeliveryStep::Reset];
    /// let response = Response::steps("text/plain", lost);
    /// ```
    ///
    /// # Panics
    /// As [`Response::bytes`].
    #[track_caller]
    pub fn steps(content_type: &str, steps: impl Into<Vec<DeliveryStep>>) -> Response {
        Response::with_body(content_type, Body::Steps(steps.into()))
    }

    #[track_caller]
    fn with_body(content_type: &str, body: Body) -> Response {
        Response { body, ..Response::new(Status::OK) }.field("Content-Type", content_type)
    }

    /// `303 See Other`: redirects the client to `location`, which it requests with GET.
    ///
    /// For the response to a form: a reload of the page does not send the form again (RFC 9110 section
    /// 15.4.4).
    ///
    /// # Panics
    /// If `location` is no valid field value; see [`Response::field`].
    #[track_caller]
    pub fn see_other(location: &str) -> Response {
        Response::new(Status::SEE_OTHER).field("Location", location)
    }

    /// Sets the status. With 204, 205 and 304 the content is not sent.
    ///
    /// # Panics
    /// As [`Response::new`].
    #[track_caller]
    pub fn status(self, status: Status) -> Response {
        assert!(status.code() >= 200, "{status} is no final status");
        Response { status, ..self }
    }

    /// Adds a field. Content-Type and Location replace an earlier one. For values from your own source;
    /// for values from a client, see [`Response::try_field`].
    ///
    /// # Panics
    /// If [`Response::try_field`] gives an error. The panic names the caller's line, and the client gets
    /// a 500.
    #[track_caller]
    pub fn field(self, name: &str, value: &str) -> Response {
        match self.try_field(name, value) {
            Ok(response) => response,
            Err(bad) => panic!("{bad}"),
        }
    }

    /// Adds a field if there is a value for it, as [`Response::field`] does.
    #[track_caller]
    pub(crate) fn optional_field(self, name: &str, value: Option<&str>) -> Response {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// Adds a field, as [`Response::field`] does. For values from a client.
    ///
    /// ```
    /// use openkitchen::Response;
    ///
    /// let hello = || Response::text("hello");
    /// assert!(hello().try_field("X-Name", "Ada").is_ok());
    /// let error = hello().try_field("X-Name", "a\r\nSet-Cookie: b").unwrap_err();
    /// assert!(error.to_string().contains("cannot stand in a field"));
    /// ```
    ///
    /// # Errors
    /// A name that is no token; a value with CR, LF, NUL or another control byte except tab; and a
    /// field that only the server writes: Content-Length, Transfer-Encoding, Connection, Date.
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
            return Err(BadField::own(name));
        }
        let is_single =
            ["content-type", "location"].iter().any(|one| one.eq_ignore_ascii_case(name));
        if is_single && !self.fields.is_empty() {
            self.remove(name);
        }
        self.push(name, value.trim_matches([' ', '\t']));
        Ok(self)
    }

    /// Adds these field lines of the server, each with its CR LF. A field that the response has itself
    /// stays as it is.
    pub(crate) fn add_fields_of_server(&mut self, lines: &[u8]) {
        let own = self.fields.len();
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
            let mut of_response = self.fields[..own].split_inclusive(|&byte| byte == b'\n');
            if !of_response.any(|own| has_name(own, name)) {
                self.fields.extend_from_slice(line);
            }
        }
    }

    /// Appends a field line that was checked.
    fn push(&mut self, name: &str, value: &str) {
        if self.fields.is_empty() {
            self.fields.reserve(USUAL_FIELD_BYTES);
        }
        for part in [name, ": ", value, "\r\n"] {
            self.fields.extend_from_slice(part.as_bytes());
        }
    }

    /// Removes the field lines with that name.
    fn remove(&mut self, name: &str) {
        let lines = self.fields.split_inclusive(|&byte| byte == b'\n');
        let others = lines.filter(|line| !has_name(line, name.as_bytes()));
        self.fields = others.flatten().copied().collect();
    }

    /// Leaves a field out: one that was added before, or one that the server writes itself.
    ///
    /// The response stays true: without Content-Length or Transfer-Encoding, its content ends with
    /// the connection (RFC 9112 section 6.3). [`Response::raw`] is for a response that is not.
    ///
    /// ```
    /// let bare = openkitchen::Response::text("hello").without("Date").without("Content-Type");
    /// ```
    pub fn without(mut self, name: &str) -> Response {
        match OWN_FIELDS.iter().position(|own| own.eq_ignore_ascii_case(name)) {
            Some(index) => self.left_out |= 1 << index,
            None => self.remove(name),
        }
        self
    }

    /// Whether the server does not write this field.
    pub(crate) fn leaves_out(&self, field: OwnField) -> bool {
        self.left_out & (1 << field as u8) != 0
    }

    /// Goes wrong in this way when it is sent: for a client under test.
    ///
    /// ```
    /// use std::time::Duration;
    /// use openkitchen::{Fault, Response};
    ///
    /// let half = Response::text("all of the content").fault(Fault::CloseAfter(9));
    /// let slow = Response::raw("HTTP/1.1 200 Fine\r\n\r\n").fault(Fault::Drip(1, Duration::from_millis(5)));
    /// ```
    ///
    /// # Panics
    /// If the content is not in memory, or is sent in [steps](Response::steps). Or it is a
    /// [raw](Response::raw) response, and the fault changes the head or counts the bytes of the content:
    /// the server does not know the head. The panic names the caller's line, and the client gets a 500.
    #[track_caller]
    pub fn fault(self, fault: Fault) -> Response {
        match self.body {
            Body::Bytes(_) => Response { fault: Some(fault), ..self },
            Body::Raw(steps) => match fault.raw_steps(steps) {
                Some(steps) => Response { body: Body::Raw(steps), ..self },
                None => panic!(
                    "{fault:?} needs a head that the server knows, and a raw response has none: \
                     use Response::raw_steps"
                ),
            },
            Body::Sized(..) | Body::Stream(_) | Body::Written(_) | Body::Steps(_) => {
                panic!("a fault needs content in memory, as of Response::bytes")
            }
        }
    }

    /// The same response once more. `None` if its content comes from a reader or a function, which can be
    /// read only once: that is why a response is not `Clone`.
    ///
    /// ```
    /// use openkitchen::{Answers, Response, Status};
    ///
    /// let busy = Response::new(Status::SERVICE_UNAVAILABLE).field("Retry-After", "0");
    /// let twice = [busy.try_clone().ok_or("a stream")?, busy];
    /// let answers = Answers::new(twice.into_iter().chain([Response::text("done")]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_clone(&self) -> Option<Response> {
        let body = match &self.body {
            Body::Bytes(bytes) => Body::Bytes(bytes.clone()),
            Body::Steps(steps) => Body::Steps(steps.clone()),
            Body::Raw(steps) => Body::Raw(steps.clone()),
            Body::Sized(..) | Body::Stream(_) | Body::Written(_) => return None,
        };
        let (fields, notes) = (self.fields.clone(), self.notes.clone());
        Some(Response { body, fields, notes, ..*self })
    }

    /// Hides the request's query in logs. For a query with a secret that only the handler recognises:
    /// the values of parameters with names like `key` are always masked.
    pub fn hide_query(self) -> Response {
        Response { hides_query: true, ..self }
    }

    /// Says in a sentence what the handler has done: `stored like 13 of post 1`. It is not sent. Observers
    /// are told it ([`Observer::handled`](crate::Observer::handled)), and
    /// [`Exchanges`](crate::Exchanges) keeps it. Of one response, 8 notes are kept, with 256 bytes each.
    pub fn note(mut self, sentence: impl Into<String>) -> Response {
        if self.notes.len() < MAX_NOTES {
            let mut sentence = sentence.into();
            let end = (0..=MAX_NOTE_BYTES).rev().find(|&end| sentence.is_char_boundary(end));
            sentence.truncate(if sentence.len() > MAX_NOTE_BYTES {
                end.unwrap_or(0)
            } else {
                MAX_NOTE_BYTES
            });
            self.notes.push(sentence);
        }
        self
    }

    /// Closes the connection after this response.
    pub fn close(self) -> Response {
        Response { close: true, ..self }
    }
}

/// The status that these bytes of a response begin with, if it is a final one (RFC 9112 section 4).
fn status_of(bytes: &[u8]) -> Option<Status> {
    let (version, rest) = bytes.split_at_checked(9)?;
    let is_status_line = version.starts_with(b"HTTP/1.") && version.ends_with(b" ");
    let code: u16 = parse_digits(rest.get(..3)?).filter(|_| is_status_line)?;
    (200..600).contains(&code).then(|| Status::new(code))
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, Visible(&self.fields))
    }
}

/// Whether a field line has this name.
fn has_name(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        && line.get(name.len()) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_keeps_its_own_field_where_the_server_has_one_of_that_name() {
        let mut response = Response::text("").without("Content-Type").field("Allow", "GET");
        response.add_fields_of_server(b"allow: X\r\nAllows: Y\r\nLink: 1\r\nLink: 2\r\n");
        let expected = b"Allow: GET\r\nAllows: Y\r\nLink: 1\r\nLink: 2\r\n";
        assert_eq!(response.fields, expected);
    }

    #[test]
    fn a_value_cannot_begin_another_field() {
        let split = Response::new(Status::OK).try_field("X-Name", "a\r\nSet-Cookie: b");
        assert!(split.is_err_and(|bad| bad.to_string().contains(r"holds \r")));
        assert!(Response::new(Status::OK).try_field("X", "a\0").is_err());
        assert!(Response::new(Status::OK).try_field("X Y", "a").is_err());
        assert!(Response::new(Status::OK).try_field("content-LENGTH", "5").is_err());
    }

    #[test]
    fn a_second_content_type_replaces_the_first() {
        let page = Response::text("<p>").field("X-A", "1").field("content-type", "text/html");
        assert_eq!(page.fields, b"X-A: 1\r\ncontent-type: text/html\r\n");
    }

    #[test]
    fn notes_are_bounded_and_cut_between_characters() {
        let long = format!("x{}", "\u{e9}".repeat(MAX_NOTE_BYTES));
        let response = (0..20).fold(Response::text(""), |response, _| response.note(&*long));
        assert_eq!(response.notes.len(), MAX_NOTES);
        assert!(response.notes.iter().all(|note| note.len() == MAX_NOTE_BYTES - 1));
    }

    #[test]
    fn a_raw_response_has_the_status_that_its_bytes_begin_with() {
        let status = |bytes: &'static [u8]| Response::raw(bytes).status.code();
        assert_eq!(Response::raw(String::from("HTTP/1.1 404 ")).status.code(), 404);
        assert_eq!(status(b"HTTP/1.1 503 Service Unavailable\r\n\r\n"), 503);
        for bytes in [&b"HTTP/1.1 +50"[..], b"HTTP/1.1 103 ", b"HTTP/2.0 503 ", b"garbage", b""] {
            assert_eq!(status(bytes), 200, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    #[should_panic(expected = "a fault needs content in memory")]
    fn a_stream_has_no_fault() {
        let _ = Response::stream("text/plain", &b""[..]).fault(Fault::Close);
    }

    #[test]
    #[should_panic(expected = "BadChunk needs a head that the server knows, and a raw response")]
    fn a_raw_response_has_no_fault_of_its_head() {
        let _ = Response::raw("HTTP/1.1 200 OK\r\n\r\n").fault(Fault::BadChunk);
    }

    #[test]
    #[should_panic(expected = "100 Continue is no final status")]
    fn a_response_with_an_interim_status_panics() {
        let _ = Response::new(Status::CONTINUE);
    }

    #[test]
    #[should_panic(expected = "the value of Location holds \\n")]
    fn an_invalid_value_panics_where_it_is_set() {
        let _ = Response::see_other("/\n");
    }
}

//! # One exchange: one request and its response
//!
//! ```text
//! head ─> framing ─> route ─> content ─> handler ─> response
//!                      │         │          └ panic:          500, close
//!                      │         └ too large, cut, late:      413, 400, 408, close
//!                      │         └ no memory for it:          503, close
//!                      └ no such path, no such method:        404, 405, keep-alive
//! ```
//! The route is looked up before the content is read. So a client that waits for `100 Continue` gets
//! 404, 405 or 413 before it sends any content.
//!
//! Rule: RFC 9112 section 9, RFC 9110 section 10.1.1.  Next: [`transport`](super::transport).

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::connections::{ARRIVED_WAIT, Identity, IdleMark};
use super::delivery::{Sent, deliver, is_one_write, memory_of};
use super::memory::{OutOfMemory, ReservedBytes};
use super::observer::{self, Answered};
use super::shared::Service;
use super::transport::{Io, LINGER, MAX_INPUT_AHEAD, Transport};
use crate::message::caret::MAX_SHOWN_COLUMNS;
use crate::message::chunked::{Decoded, Decoder};
use crate::message::encode::{Delimiter, ResponseContext};
use crate::message::framing::Framing;
use crate::message::head::Head;
use crate::message::limits::MAX_UNREAD_CONTENT_BYTES;
use crate::message::method::Method;
use crate::message::persistence::Persistence;
use crate::message::refusal::{Refusal, Refused};
use crate::message::response::Response;
use crate::message::status::Status;
use crate::message::target::masked;
use crate::request::Request;
use crate::route::{Lookup, Route};

/// Why a request could not be read.
pub(super) enum ReadError {
    /// The request breaks a rule or a limit. The client gets a response.
    Refused(Refused),
    /// The connection is broken, so there is no response.
    Broken(io::Error),
}

impl From<Refused> for ReadError {
    fn from(refused: Refused) -> ReadError {
        ReadError::Refused(refused)
    }
}

impl From<Refusal> for ReadError {
    fn from(refusal: Refusal) -> ReadError {
        ReadError::Refused(refusal.into())
    }
}

impl From<OutOfMemory> for ReadError {
    fn from(_: OutOfMemory) -> ReadError {
        Refusal::OutOfMemory.into()
    }
}

/// A request's head, and what it says of the content.
pub(super) struct RequestStart {
    pub head: Head,
    pub framing: Framing,
    /// Whether the client waits for `100 Continue` before it sends the content.
    pub client_waits: bool,
}

/// Reads once where a part of a request has arrived.
///
/// # Errors
/// Those of [`Transport::fill`]; `ConnectionAborted` if the server stops at once and the rest has not
/// arrived. No response is sent then: nothing is wrong with the request.
pub(super) fn fill_rest<S, I: Io>(
    service: &Service<'_, S>,
    transport: &mut Transport<'_, I>,
    idle: &IdleMark,
    deadline: Option<Instant>,
) -> io::Result<usize> {
    // The order of mark and flag is that of `Connection::fill`.
    idle.begin_rest();
    let stops_at_once = service.stopping_at_once.load(Ordering::SeqCst);
    let last = stops_at_once.then(|| Instant::now() + ARRIVED_WAIT);
    let filled = transport.fill(last.or(deadline));
    let was_shut = idle.end();
    if was_shut {
        transport.mark_read_shut();
    }
    match filled {
        Ok(1..) => filled,
        _ if was_shut || last.is_some() => Err(ErrorKind::ConnectionAborted.into()),
        _ => filled,
    }
}

/// One request, to be answered once. It borrows the connection's transport until then.
pub(super) struct Exchange<'c, 'a, S: 'static, I> {
    service: &'a Service<'a, S>,
    transport: &'c mut Transport<'a, I>,
    identity: &'c Identity,
    /// Is told when the response was sent: since then the connection is idle.
    idle: &'a IdleMark,
    head: Head,
    framing: Framing,
    /// Whether the client waits for `100 Continue` before it sends the content.
    client_waits: bool,
    /// Whether the request has content that was not read.
    unread: bool,
    /// Bytes of the request at the start of the buffer: the head, and later the content and its framing.
    length: usize,
    /// Bytes of the request that are not in the buffer any more.
    dropped: usize,
    /// When the head was complete; `None` where nothing reports the exchange.
    since: Option<Instant>,
}

impl<'c, 'a, S: Sync, I: Io> Exchange<'c, 'a, S, I> {
    pub fn new(
        service: &'a Service<'a, S>,
        transport: &'c mut Transport<'a, I>,
        identity: &'c Identity,
        idle: &'a IdleMark,
        start: RequestStart,
    ) -> Exchange<'c, 'a, S, I> {
        let RequestStart { head, framing, client_waits } = start;
        let since = service.is_observed().then(Instant::now);
        let unread = !matches!(framing, Framing::None | Framing::Length(0));
        let length = head.length;
        Exchange {
            service,
            transport,
            identity,
            idle,
            head,
            framing,
            client_waits,
            unread,
            length,
            dropped: 0,
            since,
        }
    }

    /// Looks the route up, reads the content, calls the handler and answers. In this order 404, 405 and
    /// 413 reach a client before it sends the content (RFC 9110 section 10.1.1).
    pub fn serve(mut self) -> io::Result<Persistence> {
        let Service { routes, limits, .. } = *self.service;
        let bytes = self.transport.bytes();
        let route = if self.head.target.is_asterisk {
            return self.options(routes.allow(None));
        } else {
            match routes.lookup(self.head.method, self.head.target.path(bytes)) {
                Lookup::Found(route) => route,
                Lookup::Options(allow) => return self.options(allow),
                Lookup::WrongMethod(allow) => return self.wrong_method(&allow),
                Lookup::NotFound => return self.not_found(),
            }
        };
        self.routed(Some(route));
        let content = match route.is_before_content() {
            true => Ok(None),
            false => self.read_content(limits.content, route.keeps_raw()),
        };
        let response = match content {
            Ok(decoded) => self.call(Some(route), decoded, |request| route.call(request)),
            Err(ReadError::Refused(refused)) => {
                refused.response(self.transport.bytes(), limits).close()
            }
            Err(ReadError::Broken(error)) => return Err(error),
        };
        self.answer(response, Some(route))
    }

    /// Answers a request whose path has rows for these methods alone. It has a frame of its own, as
    /// [`not_found`](Exchange::not_found) has: an idle thread keeps the pages of the largest that it had.
    #[cold]
    fn wrong_method(self, allow: &str) -> io::Result<Persistence> {
        let response = self.no_route(Refusal::MethodNotAllowed);
        let is_405 = response.status == Status::METHOD_NOT_ALLOWED;
        let response = response.optional_field("Allow", is_405.then_some(allow));
        self.answer(response, None)
    }

    #[cold]
    fn not_found(self) -> io::Result<Persistence> {
        let response = self.no_route(Refusal::NotFound);
        self.answer(response, None)
    }

    /// The response where no row answers: see [`Request::not_found`].
    fn no_route(&self, refusal: Refusal) -> Response {
        self.routed(None);
        self.call(None, None, |request| request.no_route(refusal))
    }

    /// Reports the route to the observers.
    fn routed(&self, route: Option<&Route<S>>) {
        observer::report(self.service.observers, |observer| {
            observer.routed(self.identity.number, route.map(Route::row));
        });
    }

    /// Answers OPTIONS with the methods of the route table (RFC 9110 section 9.3.7).
    fn options(self, allow: String) -> io::Result<Persistence> {
        self.routed(None);
        self.answer(Response::new(Status::NO_CONTENT).field("Allow", &allow), None)
    }

    /// Reads the content to its end, `limit` bytes at most. Returns the decoded content of chunks; other
    /// content stays in the transport's buffer, after the head. Chunk framing stays there too if
    /// `keeps_raw` is true.
    fn read_content(
        &mut self,
        limit: u64,
        keeps_raw: bool,
    ) -> Result<Option<ReservedBytes<'a>>, ReadError> {
        let decoded = match self.framing {
            Framing::None | Framing::Length(0) => return Ok(None),
            Framing::Length(length) if length > limit => {
                return Err(Refusal::ContentTooLarge.into());
            }
            Framing::Length(length) => {
                let whole =
                    usize::try_from(length).ok().and_then(|n| n.checked_add(self.head.length));
                let whole = whole.ok_or(Refusal::ContentTooLarge)?;
                self.transport.reserve(whole)?;
                self.send_continue()?;
                let time_budget = self.service.limits.time_budget(length);
                let mut deadline = None;
                while self.transport.bytes().len() < whole {
                    self.read_more(*deadline.get_or_insert_with(|| Instant::now() + time_budget))?;
                }
                self.length = whole;
                None
            }
            Framing::Chunked => {
                self.send_continue()?;
                Some(self.read_chunks(limit, keeps_raw)?)
            }
        };
        self.unread = false;
        Ok(decoded)
    }

    fn read_chunks(&mut self, limit: u64, keeps_raw: bool) -> Result<ReservedBytes<'a>, ReadError> {
        let (mut decoder, mut content) =
            (Decoder::new(limit), ReservedBytes::new(&self.service.memory));
        let (mut since, mut chunk) = (None, self.length);
        loop {
            if decoder.is_between_chunks() {
                chunk = self.length;
            }
            let step = decoder.step(&self.transport.bytes()[self.length..]);
            if !keeps_raw && matches!(step, Ok(Decoded::Partial) | Err(_)) {
                self.drop_chunks_before(chunk, decoder.data_left());
                chunk = self.head.length;
            }
            match step.map_err(|(refusal, at)| refusal.at(self.length + at))? {
                Decoded::Framing(length) => self.length += length,
                Decoded::Content(length) => {
                    content.extend(&self.transport.bytes()[self.length..][..length])?;
                    self.length += length;
                }
                Decoded::End(length) => {
                    self.length += length;
                    return Ok(content);
                }
                Decoded::Partial => {
                    // A client that has sent much may send as much again: with a larger buffer it
                    // takes fewer reads.
                    let expected = decoder.data_left().max(content.len() as u64);
                    let expected = expected.min(MAX_INPUT_AHEAD as u64) as usize;
                    self.transport.reserve(self.length + expected)?;
                    // The length is unknown, so the time grows with what has arrived.
                    let time_budget = self.service.limits.time_budget(content.len() as u64);
                    self.read_more(*since.get_or_insert_with(Instant::now) + time_budget)?;
                }
            }
        }
    }

    /// Drops decoded chunks from the buffer, up to the one that begins at `chunk`. Of its data, of which
    /// `data_left` bytes are missing, it keeps as much as a refusal shows of a line.
    fn drop_chunks_before(&mut self, chunk: usize, data_left: u64) {
        let shown = self.length.saturating_sub(MAX_SHOWN_COLUMNS);
        let end = if data_left > 0 { chunk.max(shown) } else { chunk };
        self.drop_bytes(self.head.length..end);
    }

    /// Drops these bytes of the request from the buffer.
    fn drop_bytes(&mut self, span: Range<usize>) {
        self.length -= span.len();
        self.dropped += span.len();
        self.transport.remove(span);
    }

    /// Sends `100 Continue` if the client asked for it (`Expect`) and has sent no content yet. Only wanted
    /// content comes here: 404, 405, OPTIONS and a length past the limit are answered without it.
    fn send_continue(&mut self) -> Result<(), ReadError> {
        let transport = &mut self.transport;
        if self.client_waits && transport.bytes().len() == self.head.length {
            let time_budget = self.service.limits.time_budget(0);
            transport
                .send(b"HTTP/1.1 100 Continue\r\n\r\n", time_budget)
                .map_err(ReadError::Broken)?;
        }
        self.client_waits = false;
        Ok(())
    }

    fn read_more(&mut self, deadline: Instant) -> Result<(), ReadError> {
        match fill_rest(self.service, self.transport, self.idle, Some(deadline)) {
            Ok(0) => Err(Refusal::ContentCutShort.into()),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                Err(Refusal::ContentTimeout.into())
            }
            Err(error) if error.kind() == ErrorKind::OutOfMemory => Err(OutOfMemory.into()),
            Err(error) => Err(ReadError::Broken(error)),
        }
    }

    /// Calls a handler. If it panics, the response is a 500 and the connection is closed; the server
    /// goes on.
    fn call(
        &self,
        route: Option<&Route<S>>,
        decoded: Option<ReservedBytes<'_>>,
        handler: impl Fn(&Request<'_, S>) -> Response,
    ) -> Response {
        let Service { routes, state, limits, .. } = *self.service;
        let bytes = &self.transport.bytes()[..self.length];
        let request = Request {
            state,
            limits,
            fallback: routes.fallback_handler(),
            prefix: route.map_or("", Route::prefix),
            head: &self.head,
            raw: match route {
                Some(route) if route.keeps_raw() => bytes,
                _ => &bytes[..self.head.length],
            },
            content: decoded.as_deref().unwrap_or(&bytes[self.head.length..]),
            peer: self.identity.peer,
            connection: self.identity.number,
        };
        let (observers, number) = (self.service.observers, self.identity.number);
        observer::report(observers, |observer| observer.handling(number));
        let returned = panic::catch_unwind(AssertUnwindSafe(|| handler(&request)));
        let notes = returned.as_ref().map_or(&[][..], |response| &response.notes);
        observer::report(observers, |observer| observer.handled(number, notes));
        returned.unwrap_or_else(|panic| {
            self.service.note_panic(route.map(Route::row), &*panic);
            Refused::from(Refusal::HandlerPanicked).response(bytes, limits).close()
        })
    }

    /// Sends the response. Afterwards the next byte in the buffer belongs to the next request, or the
    /// connection is to be closed.
    ///
    /// Keep-alive or close: for a request that could be read, this function decides it (RFC 9112 section
    /// 9.3). After a refused one, the connection is always closed.
    fn answer(mut self, response: Response, route: Option<&Route<S>>) -> io::Result<Persistence> {
        let Service { stopping, clock, limits, .. } = *self.service;
        // The client may take long to read the response, and the content is not needed any more.
        if self.transport.is_large() {
            self.drop_bytes(self.head.length..self.length);
            self.transport.shrink();
        }
        let mut reserved = self.service.memory.reservation();
        let mut response = match reserved.grow(memory_of(&response)) {
            Ok(()) => response,
            Err(OutOfMemory) => {
                drop(response); // the client may take long to read the refusal, too
                Refused::from(Refusal::OutOfMemory).response(b"", limits).close()
            }
        };
        response.add_fields_of_server(self.service.fields);
        let is_head = self.head.method == Method::Head;
        let mut context = ResponseContext::of(&response, is_head, self.head.version);
        // Content that was not read comes before the next request in the stream. It is drained (read and
        // discarded) if it is short and the client does not wait for `100 Continue`; otherwise the
        // connection is closed.
        let much_unread = self.unread
            && (self.client_waits
                || matches!(self.framing, Framing::Length(n) if n > MAX_UNREAD_CONTENT_BYTES));
        let asked_for = Persistence::of_request(&self.head, self.transport.bytes());
        let promised = asked_for
            .unless(response.close)
            .unless(context.delimiter() == Delimiter::Close)
            .unless(much_unread)
            .unless(self.is_last_to_arrive())
            .unless(stopping.load(Ordering::Relaxed));

        let had_content = !matches!(self.framing, Framing::None | Framing::Length(0));
        let (status, hides_query) = (response.status, response.hides_query);
        let is_one_write = is_one_write(&response);
        context.persistence = promised;
        let now = clock();
        let sent = deliver(self.transport, response, context, now, limits, stopping);
        drop(reserved);
        let persistence = promised.unless(!matches!(sent, Ok(Sent::Whole)));
        let is_reset = matches!(sent, Ok(Sent::Reset));
        if let Ok(Sent::Panicked(panic)) = &sent {
            self.service.note_panic(route.map(Route::row), &**panic);
        }
        // A response that could not be sent is reported too: its handler has run.
        self.report(status, hides_query, route, persistence);
        // A client that was too slow (write timeout) ends the connection here.
        sent?;
        let takes_time = self.unread || !is_one_write;
        let persistence =
            persistence.unless(persistence == Persistence::KeepAlive && !self.drop_unread()?);
        self.idle.set_since(if takes_time { clock() } else { now });

        let more_has_arrived = self.unread || self.transport.bytes().len() > self.length;
        self.transport.consume(self.length);
        // A client that sent `close` sends nothing more (RFC 9112 section 9.6). If all that it sent has
        // been read, closing cannot cause a reset, so no lingering close is needed. A response of several
        // writes lingers all the same: it takes longer, and the client may break the rule meanwhile.
        let will_send_no_more =
            asked_for == Persistence::Close && !had_content && !more_has_arrived;
        // A connection that is to be reset must not be closed before.
        let needs_no_close = is_reset || (will_send_no_more && is_one_write);
        if persistence == Persistence::Close && !needs_no_close {
            self.transport.linger(LINGER, stopping);
        }
        Ok(persistence)
    }

    /// Whether the connection was closed as an idle one just when this request arrived, and nothing
    /// more has arrived. Then the response says `Connection: close` (RFC 9112 section 9.6).
    fn is_last_to_arrive(&self) -> bool {
        self.transport.is_read_shut() && self.transport.bytes().len() <= self.length
    }

    /// Drains content that the handler did not need: reads and discards it, so that the connection can be
    /// kept. The content of a found route is read before its handler runs, so this is for 404, 405 and
    /// OPTIONS. False if the content is malformed, late or too long.
    fn drop_unread(&mut self) -> io::Result<bool> {
        if !self.unread {
            return Ok(true);
        }
        match self.read_content(MAX_UNREAD_CONTENT_BYTES, false) {
            Ok(_) => Ok(true),
            Err(ReadError::Refused(_)) => Ok(false),
            // The server stops at once, and the response was sent already.
            Err(ReadError::Broken(error)) if error.kind() == ErrorKind::ConnectionAborted => {
                Ok(false)
            }
            Err(ReadError::Broken(error)) => Err(error),
        }
    }

    /// Reports the exchange to the observers and the access log.
    fn report(
        &self,
        status: Status,
        hides_query: bool,
        route: Option<&Route<S>>,
        persistence: Persistence,
    ) {
        let Some(since) = self.since else { return };
        let bytes = self.transport.bytes();
        let target = std::str::from_utf8(self.head.target.whole.in_bytes(bytes)).unwrap_or("-");
        let target = match target.split_once('?') {
            Some((path, _)) if hides_query => format!("{path}?***").into(),
            _ => masked(target),
        };
        self.service.report(
            *self.identity,
            &Answered {
                peer: self.identity.peer,
                method: self.head.method.name(),
                target,
                version: Some(self.head.version),
                unread_line: b"",
                fields: Some(self.head.fields(bytes)),
                status,
                route: route.map(Route::row),
                received: self.length + self.dropped,
                content_sent: self.transport.content_sent(),
                took: since.elapsed(),
                persistence,
            },
        );
    }
}

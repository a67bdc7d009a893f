//! # One exchange: one request and its response
//!
//! ```text
//! head ─> framing ─> route ─> content ─> handler ─> response
//!                      │         │          └ panic:          500, close
//!                      │         └ too large, cut, late:      413, 400, 408, close
//!                      └ no such path, no such method:        404, 405, keep-alive
//! ```
//! The route is looked up before the content is read. So a client that waits for `100 Continue` gets
//! 404, 405 or 413 before it sends any content.
//!
//! Rule: RFC 9112 section 9, RFC 9110 section 10.1.1.  Next: [`transport`](super::transport).

use std::io::{self, ErrorKind};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::Ordering;
use std::time::Instant;

use log::error;

use super::connection::{Connection, ReadError, refusal};
use super::delivery::is_one_write;
use super::observer::Answered;
use super::shared::Service;
use super::transport::Io;
use crate::message::chunked::{Decoded, Decoder};
use crate::message::encode::ResponseContext;
use crate::message::framing::Framing;
use crate::message::head::Head;
use crate::message::limits::MAX_UNREAD_CONTENT_BYTES;
use crate::message::method::Method;
use crate::message::persistence::Persistence;
use crate::message::refusal::Refusal;
use crate::message::response::Response;
use crate::message::status::Status;
use crate::message::target::masked;
use crate::request::Request;
use crate::route::{Lookup, Route};

/// One request, to be answered once. It borrows the connection until then.
pub(super) struct Exchange<'c, 'a, S: 'static, L> {
    connection: &'c mut Connection<'a, S, L>,
    head: Head,
    framing: Framing,
    /// Whether the client waits for `100 Continue` before it sends the content.
    client_waits: bool,
    /// Whether the request has content that was not read.
    unread: bool,
    /// Bytes of the request that were read: the head, and later the content and its framing.
    length: usize,
    /// When the head was complete; `None` where nothing reports the exchange.
    since: Option<Instant>,
}

impl<'c, 'a, S: Sync, L: Io> Exchange<'c, 'a, S, L> {
    pub fn new(
        connection: &'c mut Connection<'a, S, L>,
        head: Head,
        framing: Framing,
        client_waits: bool,
    ) -> Exchange<'c, 'a, S, L> {
        let since = connection.service.is_observed().then(Instant::now);
        let unread = !matches!(framing, Framing::None | Framing::Length(0));
        let length = head.length;
        Exchange { connection, head, framing, client_waits, unread, length, since }
    }

    /// Looks the route up, reads the content, calls the handler and answers. In this order 404, 405 and
    /// 413 reach a client before it sends the content (RFC 9110 section 10.1.1).
    pub fn serve(mut self) -> io::Result<Persistence> {
        let Service { routes, limits, .. } = *self.connection.service;
        let bytes = self.connection.transport.bytes();
        let route = if self.head.target.is_asterisk {
            return self.options(routes.allow(None));
        } else {
            match routes.lookup(self.head.method, self.head.target.path(bytes)) {
                Lookup::Found(route) => route,
                Lookup::Options(allow) => return self.options(allow),
                // No handler has read the query, so it may hold a secret: logs do not show it.
                Lookup::WrongMethod(allow) => {
                    let response = refusal(Refusal::MethodNotAllowed.into(), bytes, limits);
                    return self.answer(response.field("Allow", &allow).hide_query(), None);
                }
                Lookup::NotFound => {
                    let response = refusal(Refusal::NotFound.into(), bytes, limits);
                    return self.answer(response.hide_query(), None);
                }
            }
        };
        let response = match self.read_content(limits.content) {
            Ok(decoded) => self.call(route, decoded),
            Err(ReadError::Refused(refused)) => {
                refusal(refused, self.connection.transport.bytes(), limits).close()
            }
            Err(ReadError::Gone(error)) => return Err(error),
        };
        self.answer(response, Some(route))
    }

    /// Answers OPTIONS with the methods of the route table (RFC 9110 section 9.3.7).
    fn options(self, allow: String) -> io::Result<Persistence> {
        self.answer(Response::new(Status::NO_CONTENT).field("Allow", &allow), None)
    }

    /// Reads the content to its end, `limit` bytes at most. Returns the decoded content of chunks; other
    /// content stays in the transport's buffer, after the head.
    fn read_content(&mut self, limit: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let decoded = match self.framing {
            Framing::None | Framing::Length(0) => return Ok(None),
            Framing::Length(length) if length > limit => {
                return Err(Refusal::ContentTooLarge.into());
            }
            Framing::Length(length) => {
                self.send_continue()?;
                let whole =
                    usize::try_from(length).ok().and_then(|n| n.checked_add(self.head.length));
                let whole = whole.ok_or(Refusal::ContentTooLarge)?;
                let time_budget = self.connection.service.limits.time_budget(length);
                let mut deadline = None;
                while self.connection.transport.bytes().len() < whole {
                    self.read_more(*deadline.get_or_insert_with(|| Instant::now() + time_budget))?;
                }
                self.length = whole;
                None
            }
            Framing::Chunked => {
                self.send_continue()?;
                Some(self.read_chunks(limit)?)
            }
        };
        self.unread = false;
        Ok(decoded)
    }

    fn read_chunks(&mut self, limit: u64) -> Result<Vec<u8>, ReadError> {
        let (mut decoder, mut content) = (Decoder::new(limit), Vec::new());
        let mut since = None;
        loop {
            let rest = &self.connection.transport.bytes()[self.length..];
            let step = decoder.step(rest).map_err(|(refusal, at)| refusal.at(self.length + at))?;
            match step {
                Decoded::Framing(length) => self.length += length,
                Decoded::Content(length) => {
                    content.extend_from_slice(&rest[..length]);
                    self.length += length;
                }
                Decoded::End(length) => {
                    self.length += length;
                    return Ok(content);
                }
                Decoded::Partial => {
                    // The length is unknown, so the time grows with what has arrived.
                    let time_budget =
                        self.connection.service.limits.time_budget(content.len() as u64);
                    self.read_more(*since.get_or_insert_with(Instant::now) + time_budget)?;
                }
            }
        }
    }

    /// Sends `100 Continue` if the client waits for it. A client that has sent some content already does
    /// not wait.
    fn send_continue(&mut self) -> Result<(), ReadError> {
        let transport = &mut self.connection.transport;
        if self.client_waits && transport.bytes().len() == self.head.length {
            let time_budget = self.connection.service.limits.time_budget(0);
            transport
                .send(b"HTTP/1.1 100 Continue\r\n\r\n", time_budget)
                .map_err(ReadError::Gone)?;
        }
        self.client_waits = false;
        Ok(())
    }

    fn read_more(&mut self, deadline: Instant) -> Result<(), ReadError> {
        match self.connection.transport.fill(Some(deadline)) {
            Ok(0) => Err(Refusal::ContentCutShort.into()),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                Err(Refusal::ContentTimeout.into())
            }
            Err(error) => Err(ReadError::Gone(error)),
        }
    }

    /// Calls the handler. If it panics, the response is a 500 and the connection is closed; the server
    /// goes on.
    fn call(&self, route: &Route<S>, decoded: Option<Vec<u8>>) -> Response {
        let Service { state, limits, .. } = *self.connection.service;
        let raw = &self.connection.transport.bytes()[..self.length];
        let request = Request {
            state,
            route,
            head: &self.head,
            raw,
            content: decoded.as_deref().unwrap_or(&raw[self.head.length..]),
            peer: self.connection.peer,
            connection: self.connection.number,
        };
        panic::catch_unwind(AssertUnwindSafe(|| route.call(&request))).unwrap_or_else(|_| {
            // The panic hook has printed where and why.
            if self.connection.service.panics.allows() {
                error!("the handler of {} {} panicked", route.method(), route.path());
            }
            refusal(Refusal::HandlerPanicked.into(), raw, limits).close()
        })
    }

    /// Sends the response. Afterwards the connection stands at the next request, or is closed.
    fn answer(mut self, response: Response, route: Option<&Route<S>>) -> io::Result<Persistence> {
        let Service { stopping, .. } = *self.connection.service;
        let bytes = self.connection.transport.bytes();
        let asked_for = Persistence::of_request(&self.head, bytes);
        // Unread content stands before the next request. It is read and dropped if it is short and the
        // client does not wait for `100 Continue`; otherwise the connection is closed.
        let much_unread = self.unread
            && (self.client_waits
                || matches!(self.framing, Framing::Length(n) if n > MAX_UNREAD_CONTENT_BYTES));
        let context = ResponseContext {
            is_head: self.head.method == Method::Head,
            version: self.head.version,
            persistence: asked_for.unless(much_unread || stopping.load(Ordering::Relaxed)),
        };
        let had_content = !matches!(self.framing, Framing::None | Framing::Length(0));
        let (status, hides_query) = (response.status, response.hides_query);
        let is_one_write = is_one_write(&response);
        let sent = self.connection.send(response, context);
        // A response that could not be sent is reported too: its handler has run.
        self.report(status, hides_query, route, *sent.as_ref().unwrap_or(&Persistence::Close));
        let mut persistence = sent?;

        if self.unread && persistence == Persistence::KeepAlive {
            persistence = match self.read_content(MAX_UNREAD_CONTENT_BYTES) {
                Ok(_) => persistence,
                Err(ReadError::Refused(_)) => Persistence::Close,
                Err(ReadError::Gone(error)) => return Err(error),
            };
        }
        let Connection { transport, .. } = &mut *self.connection;
        let more_has_arrived = self.unread || transport.bytes().len() > self.length;
        transport.consume(self.length);
        // A client that sends `close` must send nothing after it (RFC 9112 section 9.6). If it sent no
        // content either, no unread byte can cause a reset, so the server need not linger.
        let will_send_no_more =
            asked_for == Persistence::Close && !had_content && !more_has_arrived;
        if persistence == Persistence::Close && !(will_send_no_more && is_one_write) {
            self.connection.close();
        }
        Ok(persistence)
    }

    /// Reports the exchange to the observer and the access log.
    fn report(
        &self,
        status: Status,
        hides_query: bool,
        route: Option<&Route<S>>,
        persistence: Persistence,
    ) {
        let Some(since) = self.since else { return };
        let bytes = self.connection.transport.bytes();
        let target = std::str::from_utf8(self.head.target.whole.in_bytes(bytes)).unwrap_or("-");
        let target = match target.split_once('?') {
            Some((path, _)) if hides_query => format!("{path}?***").into(),
            _ => masked(target),
        };
        let Connection { service, number, peer, .. } = *self.connection;
        service.report(
            number,
            peer,
            &Answered {
                method: self.head.method.name(),
                target,
                status,
                route: route.map(Route::place),
                is_quiet: route.is_some_and(Route::is_quiet),
                received: self.length,
                took: since.elapsed(),
                persistence,
            },
        );
    }
}

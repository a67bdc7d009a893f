//! # 2. A conversation
//!
//! One connection, one thread: read a request, answer it, and again. The place in the conversation is
//! the place in this file; no table keeps it.
//!
//! ```text
//! >>> GET /about HTTP/1.1          <<< HTTP/1.1 200 OK
//! >>> GET /missing HTTP/1.1        <<< HTTP/1.1 404 Not Found
//! --- client closed
//! ```
//! The borrow checker keeps the order of it. [`Connection::next`] lends an [`Exchange`], answering
//! consumes it, and while it lives there is no way to a second one: two answers to one request, or a
//! second question before the first is answered, do not compile.
//!
//! Rule: RFC 9112 section 9.  Next: [`exchange`](super::exchange).

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use log::{Level, debug, log};

use super::connections::{FINAL_REQUEST_WAIT, IdleMark};
use super::delivery::deliver;
use super::exchange::Exchange;
use super::observer::Answered;
use super::shared::Service;
use super::transport::{Buffers, Io, Transport};
use crate::message::encode::ResponseContext;
use crate::message::framing::Framing;
use crate::message::head::{Head, Version};
use crate::message::limits::Limits;
use crate::message::persistence::Persistence;
use crate::message::refusal::{Refusal, Refused, Rule};
use crate::message::response::Response;

/// One client, and what is known of it.
pub(super) struct Connection<'a, S: 'static, L> {
    pub service: &'a Service<'a, S>,
    pub transport: Transport<'a, L>,
    pub number: u64,
    pub peer: SocketAddr,
    /// Whether it waits for a request: then it may be hung up on when the server stops.
    idle: &'a IdleMark,
    /// Whether a request has been answered on it.
    has_served: bool,
}

/// Why a request could not be read. Either somebody is left to be told, or nobody is.
pub(super) enum ReadError {
    Refused(Refused),
    Gone(io::Error),
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

/// Bytes of a connection's beginning that may show another protocol, which never sends a line end.
const GREETING_BYTES: usize = 16;

/// How long somebody who begins with an empty line has for what follows. A client sends it at once; a
/// person who types is answered while still looking.
const BLANK_LINE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a client may go on sending to a connection that was closed on it.
const LINGER: Duration = Duration::from_secs(2);

/// The same for one that was turned away: its thread is one more than there should be.
const LINGER_REJECTED: Duration = Duration::from_secs(1);

/// How much it may send in that time.
const LINGER_BYTES: usize = 8 << 20;

/// Seconds after which a client that was turned away may try again.
const RETRY_AFTER: &str = "1";

impl<'a, S: Sync, L: Io> Connection<'a, S, L> {
    pub fn new(
        service: &'a Service<'a, S>,
        io: L,
        number: u64,
        peer: SocketAddr,
        idle: &'a IdleMark,
        buffers: &'a mut Buffers,
    ) -> Connection<'a, S, L> {
        let transport = Transport::new(io, buffers, service.limits.idle_timeout);
        Connection { service, transport, number, peer, idle, has_served: false }
    }

    /// The whole conversation.
    pub fn serve(&mut self) {
        if let Err(gone) = self.serve_exchanges() {
            debug!("connection {}: {gone}", self.number);
        }
    }

    fn serve_exchanges(&mut self) -> io::Result<()> {
        while let Some(exchange) = self.next()? {
            match exchange.serve()? {
                Persistence::KeepAlive => self.has_served = true,
                Persistence::Close => break,
            }
        }
        Ok(())
    }

    /// The next request's head, and where its content will end. `None` when there is none: the client
    /// has closed, or was silent for too long, or was refused and told so.
    fn next(&mut self) -> io::Result<Option<Exchange<'_, 'a, S, L>>> {
        let read = self.read_head().and_then(|head| match head {
            None => Ok(None),
            Some(head) => {
                let bytes = self.transport.bytes();
                let framing = Framing::of(&head, bytes)?;
                let client_waits = head.expects_continue(bytes)? && framing != Framing::None;
                Ok(Some((head, framing, client_waits)))
            }
        });
        match read {
            Ok(None) => Ok(None),
            Ok(Some((head, framing, client_waits))) => {
                Ok(Some(Exchange::new(self, head, framing, client_waits)))
            }
            Err(ReadError::Refused(refused)) => self.refuse(refused, LINGER).map(|()| None),
            Err(ReadError::Gone(error)) => Err(error),
        }
    }

    /// Reads until a head is complete. One deadline for all of it: a client that sends a byte now and
    /// then would otherwise hold its thread for ever.
    fn read_head(&mut self) -> Result<Option<Head>, ReadError> {
        let limits = self.service.limits;
        let (mut since, mut tried) = (None, 0);
        loop {
            let bytes = self.transport.bytes();
            // Parsing again for each byte of a slow head would take quadratic time: only a line end, a
            // full buffer or a greeting can make a difference.
            let news = &bytes[tried.min(bytes.len())..];
            let can_tell =
                news.contains(&b'\n') || bytes.len() >= limits.head || tried < GREETING_BYTES;
            if can_tell && let Some(head) = Head::parse(bytes, limits)? {
                return Ok(Some(head));
            }
            tried = bytes.len();
            // An empty line is what some clients send behind a request, not the beginning of one. Where
            // there has been none, somebody types, and is not left without a word.
            let is_blank = matches!(bytes, b"\r" | b"\r\n");
            let is_idle = bytes.is_empty() || (is_blank && self.has_served);
            let head = limits.head_timeout;
            let time_budget = if is_blank { head.min(BLANK_LINE_TIMEOUT) } else { head };
            let deadline =
                (!is_idle).then(|| *since.get_or_insert_with(Instant::now) + time_budget);
            let refused = match self.fill(deadline, is_idle) {
                Ok(0) => Refusal::HeadCutShort.at(tried),
                Ok(_) => continue,
                Err(error) if error.kind() == ErrorKind::TimedOut => Refusal::HeadTimeout.into(),
                Err(error) => return Err(ReadError::Gone(error)),
            };
            if is_idle {
                return Ok(None);
            }
            return Err(if is_blank { Refusal::BlankLines.at(0) } else { refused }.into());
        }
    }

    /// Reads once. Between requests, the wait may be ended by the server's stopping.
    fn fill(&mut self, deadline: Option<Instant>, between_requests: bool) -> io::Result<usize> {
        if !between_requests {
            return self.transport.fill(deadline);
        }
        // First say that we wait, then look whether to stop. The thread that stops the server does it
        // the other way round, so one of the two always sees the other.
        self.idle.begin();
        let last_call = self.service.stopping.load(Ordering::SeqCst);
        let deadline = if last_call { Some(Instant::now() + FINAL_REQUEST_WAIT) } else { deadline };
        let filled = self.transport.fill(deadline);
        if self.idle.end() {
            self.transport.mark_read_shut();
        }
        if !matches!(filled, Ok(1..)) {
            // Nobody will be answered any more, and that is said at once: what arrives between this read
            // and the end of the connection is thrown away.
            self.transport.half_close();
        }
        filled
    }

    /// Answers what could not be read as a request, and ends the connection.
    #[cold]
    fn refuse(&mut self, refused: Refused, linger: Duration) -> io::Result<()> {
        let limits = self.service.limits;
        let received = self.transport.bytes().len();
        // What has come beyond the head's limit may not show in the answer: it may not have come yet.
        let bytes = &self.transport.bytes()[..received.min(limits.head)];
        // The answer to a HEAD has no content, even where the rest of the head is garbage.
        let is_head = bytes.strip_prefix(b"\r\n").unwrap_or(bytes).starts_with(b"HEAD ");
        let response = refusal(refused, bytes, limits);
        let context =
            ResponseContext { is_head, version: Version::Http11, persistence: Persistence::Close };
        self.log(refused.refusal);
        let since = Instant::now();
        let status = response.status;
        let _closes = self.send(response, context)?;
        self.service.report(
            self.number,
            self.peer,
            &Answered {
                method: "-",
                target: "-".into(),
                status,
                route: None,
                is_quiet: false,
                received,
                took: since.elapsed(),
                persistence: Persistence::Close,
            },
        );
        self.transport.linger(linger, LINGER_BYTES);
        Ok(())
    }

    /// Writes the reason into the log. What is no request is a thing that somebody has to set right: it
    /// is a warning, but each kind of it one only.
    fn log(&self, refusal: Refusal) {
        let (Connection { number, peer, .. }, Rule { why, clause, .. }) = (self, refusal.rule());
        let bit = 1 << refusal as u64;
        let warns = refusal.is_not_http()
            && self.service.warned.fetch_or(bit, Ordering::Relaxed) & bit == 0;
        let level = if warns { Level::Warn } else { Level::Info };
        log!(level, "connection {number} from {peer}: {why} ({clause})");
    }

    /// Sends an answer; see [`deliver`].
    pub fn send(
        &mut self,
        response: Response,
        context: ResponseContext,
    ) -> io::Result<Persistence> {
        let Service { clock, limits, .. } = *self.service;
        deliver(&mut self.transport, response, context, clock(), limits)
    }

    /// Ends the connection so that the last answer is not lost; see [`Transport::linger`].
    pub fn close(&mut self) {
        self.transport.linger(LINGER, LINGER_BYTES);
    }

    /// The busy signal for a connection beyond the cap.
    pub fn reject(&mut self) {
        let told = self.refuse(Refusal::TooManyConnections.into(), LINGER_REJECTED);
        if let Err(gone) = told {
            debug!("connection {}: {gone}", self.number);
        }
    }
}

/// The answer that a refusal is.
pub(super) fn refusal(refused: Refused, bytes: &[u8], limits: &Limits) -> Response {
    let response = Response::text(refused.explained(bytes, limits))
        .status(refused.refusal.rule().status)
        // It may show the client's own bytes: no browser is to take them for a page.
        .field("X-Content-Type-Options", "nosniff");
    match refused.refusal {
        Refusal::TooManyConnections => response.field("Retry-After", RETRY_AFTER),
        _ => response,
    }
}

//! # One connection: read a request, answer it, read the next
//!
//! One thread serves one connection. There is no state table: the code that the thread is executing says
//! what state the connection is in.
//!
//! ```text
//! >>> GET /about HTTP/1.1          <<< HTTP/1.1 200 OK
//! >>> GET /missing HTTP/1.1        <<< HTTP/1.1 404 Not Found
//! --- client closed
//! ```
//! The compiler enforces the order. [`Connection::next`] returns an [`Exchange`] that borrows the
//! connection, and [`Exchange::serve`] takes it by value. So two responses to one request do not
//! compile, and neither does a second request before the first is answered.
//!
//! Rule: RFC 9112 section 9.  Next: [`exchange`](super::exchange).

use std::io::{self, ErrorKind};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use log::{Level, debug, log};

use super::connections::{Entry, Identity, IdleMark};
use super::delivery::deliver;
use super::exchange::{Exchange, ReadError, RequestStart, fill_rest};
use super::observer::{Answered, Tapped};
use super::shared::{Serve, Service};
use super::transport::{Buffers, Io, LINGER, Transport};
use crate::message::encode::ResponseContext;
use crate::message::framing::Framing;
use crate::message::head::{Head, Version};
use crate::message::persistence::Persistence;
use crate::message::refusal::{Refusal, Refused, Rule};
use crate::sys::peer_name;

/// How the HTTP server serves or rejects an accepted connection.
impl<S: Sync> Serve for Service<'_, S> {
    type Buffers = Buffers;
    const REJECTION: &'static str = "get 503";
    const CLOSES_IDLE: bool = true;

    fn serve(&self, entry: &Entry, buffers: &mut Buffers) {
        let Entry { identity, stream, idle } = entry;
        idle.set_since((self.clock)());
        let io = Tapped::new(stream, *identity, self.observers).shut_by_others(idle);
        Connection::new(self, io, *identity, idle, buffers).serve();
        buffers.shrink();
    }

    fn reject(&self, entry: &Entry, buffers: &mut Buffers) {
        let Entry { identity, stream, idle } = entry;
        let io = Tapped::new(stream, *identity, self.observers).shut_by_others(idle);
        let permit = self.rejecting.acquire(MAX_REJECTING);
        // Without a permit, no call may wait.
        if permit.is_some() || stream.set_nonblocking(true).is_ok() {
            let linger = permit.as_ref().map_or(Duration::ZERO, |_| LINGER_REJECTED);
            Connection::new(self, io, *identity, idle, buffers).reject(linger);
        }
    }
}

/// One client's connection, and what the server knows of it.
pub(super) struct Connection<'a, S: 'static, I> {
    service: &'a Service<'a, S>,
    transport: Transport<'a, I>,
    identity: Identity,
    /// Says whether the connection waits for a request: then another thread may close it.
    idle: &'a IdleMark,
    /// Whether a request has been answered on this connection.
    has_served: bool,
}

/// How many first bytes of a connection are checked for another protocol as soon as they arrive. A client
/// of another protocol may never send a line end.
const GREETING_BYTES: usize = 16;

/// Time for the request line after an empty line. A program sends both at once. A person typing by hand
/// gets a response after this time.
const BLANK_LINE_TIMEOUT: Duration = Duration::from_secs(1);

/// Threads that may reject a connection past the limit (max connections) at one time: each waits for the
/// method and lingers, and the limit exists to bound the threads. Further connections get the 503 without
/// a wait and are closed, so a client that has not sent its request yet may miss it.
const MAX_REJECTING: usize = 16;

/// Time for which a rejected connection may still send the method of its request. Most send it at once.
const REJECTED_METHOD_WAIT: Duration = Duration::from_millis(50);

/// Time for which a rejected connection is still read. Its thread comes on top of the limit, so the time
/// is shorter than for other connections.
const LINGER_REJECTED: Duration = Duration::from_secs(1);

impl<'a, S: Sync, I: Io> Connection<'a, S, I> {
    pub fn new(
        service: &'a Service<'a, S>,
        io: I,
        identity: Identity,
        idle: &'a IdleMark,
        buffers: &'a mut Buffers,
    ) -> Connection<'a, S, I> {
        let transport = Transport::new(io, buffers, &service.memory, service.limits.idle_timeout);
        Connection { service, transport, identity, idle, has_served: false }
    }

    /// Serves the connection until it ends.
    pub fn serve(&mut self) {
        if let Err(gone) = self.serve_exchanges() {
            debug!("connection {}: {gone}", self.identity.number);
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

    /// Reads the start of the next request. `None` when there is no next request: the client has closed,
    /// was silent for the idle timeout, or was refused and answered; or the server is stopping.
    fn next(&mut self) -> io::Result<Option<Exchange<'_, 'a, S, I>>> {
        match self.read_start() {
            Ok(None) => Ok(None),
            Ok(Some(start)) => {
                let Connection { service, transport, identity, idle, .. } = self;
                Ok(Some(Exchange::new(service, transport, identity, idle, start)))
            }
            Err(ReadError::Refused(refused)) => {
                self.refuse(refused)?;
                self.transport.linger(LINGER, self.service.stopping);
                Ok(None)
            }
            Err(ReadError::Broken(error)) => Err(error),
        }
    }

    /// Reads the next request's head and decides where its content ends.
    fn read_start(&mut self) -> Result<Option<RequestStart>, ReadError> {
        let Some(head) = self.read_head()? else { return Ok(None) };
        let bytes = self.transport.bytes();
        let framing = Framing::of(&head, bytes)?;
        let client_waits = head.expects_continue(bytes)? && framing != Framing::None;
        Ok(Some(RequestStart { head, framing, client_waits }))
    }

    /// Reads until a head is complete. One deadline holds for the whole head (the head timeout,
    /// `Limits::head_timeout`): with a timeout for each read, a client that sends a byte now and then
    /// (slowloris) could hold a thread for ever.
    fn read_head(&mut self) -> Result<Option<Head>, ReadError> {
        let limits = self.service.limits;
        let (mut since, mut tried) = (None, 0);
        loop {
            let bytes = self.transport.bytes();
            // To parse after each byte of a slow head would take quadratic time. Only a line end, the
            // size limit or the first bytes can change the result.
            let new = &bytes[tried.min(bytes.len())..];
            let may_differ =
                new.contains(&b'\n') || bytes.len() >= limits.head || tried < GREETING_BYTES;
            if may_differ && let Some(head) = Head::parse(bytes, limits)? {
                return Ok(Some(head));
            }
            tried = bytes.len();
            // Some clients send an empty line after a request: it begins no request. Before the first
            // request, it means that a person types by hand, and is to get a response soon.
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
                Err(error) if error.kind() == ErrorKind::OutOfMemory => Refusal::OutOfMemory.into(),
                Err(error) => return Err(ReadError::Broken(error)),
            };
            if is_idle {
                return Ok(None);
            }
            return Err(if is_blank { Refusal::BlankLines.at(0) } else { refused }.into());
        }
    }

    /// Reads once. Between requests the connection is idle, and a stopping server may end the read.
    fn fill(&mut self, deadline: Option<Instant>, between_requests: bool) -> io::Result<usize> {
        if !between_requests {
            return fill_rest(self.service, &mut self.transport, self.idle, deadline);
        }
        // First the idle mark is set, then the stop flag is read. The stopping thread sets the flag
        // first, then reads the mark. So this thread sees the flag, or the other one sees the mark.
        self.idle.begin();
        let last = self.service.last_wait().map(|wait| Instant::now() + wait);
        let filled = self.transport.fill(last.or(deadline));
        if !matches!(filled, Ok(1..)) {
            // The half-close tells the client at once that no further request will be answered. Bytes
            // that arrive later are dropped.
            self.transport.half_close();
        } else if self.idle.end() {
            self.transport.mark_read_shut();
        }
        filled
    }

    /// Answers a request that could not be read (400, 408, 414, 431, ...).
    #[cold]
    fn refuse(&mut self, refused: Refused) -> io::Result<()> {
        let limits = self.service.limits;
        let received = self.transport.bytes().len();
        // Bytes past the head's limit must not show in the response: whether they have arrived depends
        // on the network.
        let bytes = &self.transport.bytes()[..received.min(limits.head)];
        // The response to HEAD has no content, even if the rest of its head is malformed.
        let is_head = bytes.strip_prefix(b"\r\n").unwrap_or(bytes).starts_with(b"HEAD ");
        let mut response = refused.response(bytes, limits);
        response.add_fields_of_server(self.service.fields);
        let context = ResponseContext::of(&response, is_head, Version::Http11);
        self.log(refused.refusal);
        let since = Instant::now();
        let (status, now) = (response.status, (self.service.clock)());
        let Service { stopping, .. } = *self.service;
        deliver(&mut self.transport, response, context, now, limits, stopping)?;
        self.service.report(
            self.identity,
            &Answered {
                peer: self.identity.peer,
                method: "-",
                target: "-".into(),
                version: None,
                unread_line: first_line(self.transport.bytes()),
                fields: None,
                status,
                route: None,
                received,
                content_sent: self.transport.content_sent(),
                took: since.elapsed(),
                persistence: Persistence::Close,
            },
        );
        Ok(())
    }

    /// Logs why a request was refused. Bytes of another protocol mean that a setting is wrong on one
    /// side, so they are a warning: one for each kind.
    fn log(&self, refusal: Refusal) {
        let (Identity { number, peer }, Rule { why, clause, .. }) = (self.identity, refusal.rule());
        let bit = 1 << refusal as u64;
        let warns = refusal.is_not_http()
            && self.service.warned.fetch_or(bit, Ordering::Relaxed) & bit == 0;
        let level = if warns { Level::Warn } else { Level::Info };
        log!(level, "connection {number} from {}: {why} ({clause})", peer_name(peer));
    }

    /// Answers a connection past the limit with 503, and closes it. Of the request, only the method is
    /// waited for, and not long: the response to HEAD has no content (RFC 9110 section 9.3.2). Then the client
    /// is read for the time `linger`.
    fn reject(&mut self, linger: Duration) {
        let may_be_head = |bytes: &[u8]| {
            let begins = |head: &[u8]| head.len() > bytes.len() && head.starts_with(bytes);
            begins(b"HEAD ") || begins(b"\r\nHEAD ")
        };
        let deadline = Some(Instant::now() + REJECTED_METHOD_WAIT);
        while may_be_head(self.transport.bytes())
            && matches!(self.transport.fill(deadline), Ok(1..))
        {}
        match self.refuse(Refusal::TooManyConnections.into()) {
            Ok(()) => self.transport.linger(linger, self.service.stopping),
            Err(gone) => debug!("connection {}: {gone}", self.identity.number),
        }
    }
}

/// The first line of a request, without its line end.
fn first_line(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, AtomicU64};

    use super::*;
    use crate::message::date;
    use crate::message::limits::Limits;
    use crate::message::response::Response;
    use crate::net::connections::Permits;
    use crate::net::memory::Memory;
    use crate::net::throttle::Throttle;
    use crate::request::Request;
    use crate::route::{Routes, get, routes};

    /// A socket that another thread closes as an idle one just when the first bytes are read.
    struct ClosedAtFirstRead<'a> {
        entry: &'a Entry,
        was_read: bool,
    }

    impl Read for ClosedAtFirstRead<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = (&self.entry.stream).read(buffer)?;
            assert!(self.was_read || self.entry.close_if_idle());
            self.was_read = true;
            Ok(length)
        }
    }

    impl Write for ClosedAtFirstRead<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            (&self.entry.stream).write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Io for ClosedAtFirstRead<'_> {
        fn set_read_timeout(&mut self, time: Duration) -> io::Result<()> {
            self.entry.stream.set_read_timeout(Some(time))
        }
        fn half_close(&mut self) -> io::Result<()> {
            self.entry.stream.shutdown(Shutdown::Write)
        }
        fn reset_at_end(&mut self, _: Duration, _: &dyn Fn() -> bool) -> io::Result<()> {
            Ok(())
        }
    }

    static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::text("hello"))]);

    /// The responses to these bytes, whose connection is closed as an idle one when they arrive.
    fn responses(requests: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, peer) = listener.accept().unwrap();
        client.write_all(requests.as_bytes()).unwrap();
        let (stopping, limits) = (AtomicBool::new(false), Limits::default());
        let service = Service {
            routes: &ROUTES,
            state: &(),
            limits: &limits,
            fields: &[],
            observers: &[],
            clock: date::example,
            stopping: &stopping,
            stopping_at_once: &stopping,
            memory: Memory::new(u64::MAX),
            rejecting: Permits::default(),
            warned: AtomicU64::new(0),
            panics: Throttle::default(),
            first_panic: &OnceLock::new(),
        };
        let entry =
            Entry { identity: Identity { number: 1, peer }, stream, idle: IdleMark::default() };
        let (io, mut buffers) =
            (ClosedAtFirstRead { entry: &entry, was_read: false }, Buffers::default());
        Connection::new(&service, io, entry.identity, &entry.idle, &mut buffers).serve();
        drop(entry);
        let mut received = String::new();
        client.read_to_string(&mut received).unwrap();
        received
    }

    #[test]
    fn what_has_arrived_when_an_idle_connection_is_closed_is_answered_and_the_last_says_close() {
        let request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        let one = responses(request);
        assert!(one.starts_with("HTTP/1.1 200 OK\r\n") && one.ends_with("\r\n\r\nhello"), "{one}");
        assert_eq!(one.matches("\r\nConnection: close\r\n").count(), 1, "{one}");
        let two = responses(&request.repeat(2));
        let (first, last) = two.split_once("hello").unwrap();
        assert!(!first.contains("Connection: close"), "{two}");
        assert_eq!(last, one);
    }
}

//! # Answers in turn: what a handler returns, as data in the state
//!
//! A handler is a function, and cannot hold what a test wants it to answer. The state can:
//!
//! ```
//! use openkitchen::{Answers, Client, Response, Status};
//!
//! let server = Answers::new([
//!     Response::new(Status::SERVICE_UNAVAILABLE).field("Retry-After", "0"),
//!     Response::text("here it is"),
//! ])
//! .start()?;
//!
//! let mut client = Client::connect(server.address())?; // yours, in your test
//! for status in [503, 200, 200] { // the last one stays
//!     client.send("GET /menu HTTP/1.1\r\nHost: h\r\n\r\n")?;
//!     assert_eq!(client.response()?.status, status);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! A server with routes of its own has them in its state, and a handler of one line:
//!
//! ```
//! use openkitchen::{Answers, Response, Routes, Server, get, routes};
//!
//! static ROUTES: Routes<Answers> = routes(&[
//!     get("/menu", |request| request.state().next()),
//!     get("/about", |_| Response::text("a kitchen")),
//! ]);
//!
//! let menus = Answers::new(["rice", "soup"].map(Response::text));
//! let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, menus)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! The server reads the requests, and any request gets the next answer. `mock` is for a test of
//! what the client sends: it plays both sides of a transcript.  Next: `session`.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::connection::{MockConnection, is_interim};
use crate::message::response::Response;
use crate::message::status::Status;
use crate::message::steps::DeliveryStep;
use crate::net::handle::ServerHandle;
use crate::net::server::Server;
use crate::net::start_error::StartError;
use crate::play::script;
use crate::play::turns::{Step, ToReceive};
use crate::route::{Routes, any, routes};
use crate::transcript::{Side, Transcript};

/// Responses that are given in turn. The last one stays, if its content is in memory.
///
/// ```
/// use openkitchen::{Answers, Client, Response, Status};
///
/// let busy = Response::new(Status::SERVICE_UNAVAILABLE);
/// let server = Answers::new([busy, Response::text("done")]).start()?;
///
/// let mut client = Client::connect(server.address())?; // yours, in your test
/// for status in [503, 200, 200] {
///     client.send("POST /orders HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\ntea")?;
///     assert_eq!(client.response()?.status, status);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Answers(Mutex<AnswersQueue>);

struct AnswersQueue {
    responses: VecDeque<Response>,
    /// Whether the only one that is left was given already.
    is_last_given: bool,
}

/// Exchanges that a server of answers keeps.
const KEPT_EXCHANGES: usize = 100;

/// Any request gets the next answer.
static ANY: Routes<Answers> = routes(&[any("/*", |request| request.state().next())]);

impl Answers {
    /// These responses, in this order.
    pub fn new(responses: impl IntoIterator<Item = Response>) -> Answers {
        let responses = responses.into_iter().collect();
        Answers(Mutex::new(AnswersQueue { responses, is_last_given: false }))
    }

    /// Starts a server that gives them, on a free port of 127.0.0.1. Each request gets the next one,
    /// whatever its method and path are ([`any`]). The last hundred exchanges are kept:
    /// [`ServerHandle::exchanges`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use openkitchen::{Answers, Client, Response};
    ///
    /// let server = Answers::new([Response::text("tea")]).start()?;
    /// # let mut client = Client::connect(server.address())?;
    /// # client.send("GET /menu HTTP/1.1\r\nHost: h\r\n\r\n")?;
    /// # client.response()?;
    /// // ... the client under test sends its request to `server.url("/menu")` ...
    /// let kept = server.exchanges().wait_for(1, Duration::from_secs(5));
    /// assert!(kept[0].request.bytes().starts_with(b"GET /menu HTTP/1.1\r\n"), "{}", kept[0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start(self) -> Result<ServerHandle<Answers>, StartError> {
        Server::bind((Ipv4Addr::LOCALHOST, 0))?.keep(KEPT_EXCHANGES).start(&ANY, self)
    }

    /// The responses of the server in a transcript, each byte for byte, with its waits and the end
    /// of the connection if the server ends it there. What the client sends in it does not matter,
    /// and an interim response before the end of a request is left out: the server sends its own.
    ///
    /// ```
    /// let page = openkitchen::Transcript::parse("<<<\nHTTP/1.1 204 No Content\n\n--- server reset\n")?;
    /// let answers = openkitchen::Answers::of(&page)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A sentence: bytes of the server are left out in it, a block of the client has several
    /// requests, or there is no response.
    pub fn of(transcript: &Transcript) -> Result<Answers, StartError> {
        script::sendable(transcript, Side::Server).map_err(StartError::unplayable)?;
        let mut all = Vec::new();
        for connection in MockConnection::all(&transcript.items) {
            all.extend(responses(&connection).map_err(StartError::unplayable)?);
        }
        match all.is_empty() {
            true => Err(StartError::unplayable("expected a response of the server: <<<".into())),
            false => Ok(Answers::new(all)),
        }
    }

    /// Adds a response after the others. If the last of them was given already, it stays no longer.
    ///
    /// ```
    /// # use openkitchen::{Answers, Response, Status};
    /// let answers = Answers::new([Response::text("tea")]);
    /// # let is_tea = || format!("{:?}", answers.next()).starts_with("200");
    /// assert!(is_tea() && is_tea());
    /// answers.push(Response::new(Status::NOT_FOUND));
    /// assert!(!is_tea());
    /// ```
    pub fn push(&self, response: Response) {
        let queue = &mut *self.queue();
        if mem::take(&mut queue.is_last_given) {
            queue.responses.clear();
        }
        queue.responses.push_back(response);
    }

    /// The next response, for a handler. If none is left, and the last one could be read only once, a 500
    /// that says so.
    pub fn next(&self) -> Response {
        let queue = &mut *self.queue();
        let last = queue.responses.front().filter(|_| queue.responses.len() == 1);
        if let Some(last) = last.and_then(Response::try_clone) {
            queue.is_last_given = true;
            return last;
        }
        queue.responses.pop_front().unwrap_or_else(|| {
            Response::text("no answer is left\n").status(Status::INTERNAL_SERVER_ERROR)
        })
    }

    fn queue(&self) -> MutexGuard<'_, AnswersQueue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.queue().responses).finish()
    }
}

/// What the server sends on a connection after each request.
fn responses(connection: &MockConnection) -> Result<Vec<Response>, String> {
    let (mut responses, mut steps, mut is_whole) = (Vec::new(), Vec::new(), true);
    for (at, step) in connection.steps.iter().enumerate() {
        let awaits_any = connection.awaits.iter().any(|awaited| awaited.before == at);
        if matches!(step, Step::Receive(_)) || awaits_any {
            responses.push(mem::take(&mut steps));
        }
        match step {
            Step::Receive(ToReceive { message_ends, .. }) if message_ends.len() > 1 => {
                return Err("expected one request in each block of the client".into());
            }
            Step::Receive(ToReceive { message_ends, .. }) => is_whole = !message_ends.is_empty(),
            Step::Send { bytes, .. } if !is_whole && is_interim(bytes) => {}
            step => steps.extend(delivery_step(step)),
        }
    }
    responses.push(steps);
    let has_bytes = |steps: &Vec<DeliveryStep>| !steps.is_empty();
    Ok(responses.into_iter().filter(has_bytes).map(Response::raw_steps).collect())
}

/// What the server does in a step of a transcript, if it is one in which it acts by itself.
pub(super) fn delivery_step(step: &Step) -> Option<DeliveryStep> {
    match step {
        Step::Send { bytes, .. } => Some(DeliveryStep::Bytes(bytes.clone().into())),
        Step::Wait { time, by: Side::Server } | Step::Silent { time, next: Side::Server } => {
            Some(DeliveryStep::Wait(*time))
        }
        Step::HalfClose => Some(DeliveryStep::HalfClose),
        Step::Close => Some(DeliveryStep::Close),
        Step::Reset => Some(DeliveryStep::Reset),
        _ => None,
    }
}

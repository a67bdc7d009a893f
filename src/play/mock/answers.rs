//! # Answers in turn: what a handler returns, as data in the state
//!
//! A handler is a function, and cannot hold what a test wants it to answer. The state can:
//!
//! ```
//! use openkitchen::{Answers, Request, Response, Routes, Server, Status, get, routes};
//! # use std::io::{Read, Write};
//!
//! static ROUTES: Routes<Answers> = routes(&[get("/*", answer)]);
//!
//! fn answer(request: &Request<Answers>) -> Response {
//!     request.state().next()
//! }
//!
//! let answers = Answers::new([
//!     Response::new(Status::SERVICE_UNAVAILABLE).field("Retry-After", "0"),
//!     Response::text("here it is"),
//! ]);
//! let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, answers)?;
//! # let ask = || -> std::io::Result<String> {
//! #     let mut client = std::net::TcpStream::connect(server.address())?;
//! #     client.write_all(b"GET /menu HTTP/1.0\r\n\r\n")?;
//! #     let mut response = String::new();
//! #     client.read_to_string(&mut response)?;
//! #     Ok(response)
//! # };
//! assert!(ask()?.starts_with("HTTP/1.1 503 "));
//! assert!(ask()?.ends_with("here it is"));
//! assert!(ask()?.ends_with("here it is")); // the last one stays
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! The server reads the requests, and any request gets the next answer. `mock` is for a test of
//! what the client sends: it plays both sides of a transcript.  Next: `session`.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::connection::{MockConnection, is_interim};
use crate::message::response::Response;
use crate::message::status::Status;
use crate::message::steps::DeliveryStep;
use crate::net::start_error::StartError;
use crate::play::script;
use crate::play::turns::{Step, ToReceive};
use crate::transcript::{Side, Transcript};

/// Responses that are given in turn. The last one stays, if its content is in memory.
pub struct Answers(Mutex<VecDeque<Response>>);

impl Answers {
    /// These responses, in this order.
    pub fn new(responses: impl IntoIterator<Item = Response>) -> Answers {
        Answers(Mutex::new(responses.into_iter().collect()))
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

    /// Adds a response after the others.
    pub fn push(&self, response: Response) {
        self.responses().push_back(response);
    }

    /// The next response. If none is left, and the last one could be read only once, a 500 that
    /// says so.
    pub fn next(&self) -> Response {
        let mut responses = self.responses();
        if let (1, Some(last)) = (responses.len(), responses.front().and_then(Response::try_clone))
        {
            return last;
        }
        responses.pop_front().unwrap_or_else(|| {
            Response::text("no answer is left\n").status(Status::INTERNAL_SERVER_ERROR)
        })
    }

    fn responses(&self) -> MutexGuard<'_, VecDeque<Response>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.responses().iter()).finish()
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

//! # What all threads of one run share
//!
//! ```text
//! Shared        the listeners and their counters, the registry of connections, permits
//!   └ Service   what each connection reads: routes, state, limits, observers, clock
//! ```
//! Every thread borrows these from the stack of [`Server::run`](super::server::Server::run).
//!
//! What is done with an accepted connection is a [`Serve`]. [`Service`] is the one of the HTTP server.
//! `play::watch` has its own, and uses the same code to accept, to limit and to stop.
//! Next: [`accept`](super::accept).

use std::any::Any;
use std::io::{self, PipeReader, PipeWriter};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use log::{Level, error, info};

use super::connections::{ARRIVED_WAIT, Connections, Entry, FINAL_REQUEST_WAIT, Identity, Permits};
use super::memory::Memory;
use super::observer::{self, Answered, Observer};
use super::throttle::Throttle;
use crate::message::limits::Limits;
use crate::message::seconds::InMillis;
use crate::message::visible::Visible;
use crate::route::{RouteRow, Routes};
use crate::sys::{self, Listener};

/// A source of the current time, for `Date`: `SystemTime::now`, or one that stands still, for a test.
pub type Clock = fn() -> SystemTime;

/// How the system schedules the threads that serve connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheduling {
    /// As it schedules the thread that runs the server.
    #[default]
    Normal,
    /// For more requests a second under full load. On Linux each worker thread sets the policy
    /// SCHED_BATCH for itself: when it wakes up, it does not interrupt the thread that runs. With 64
    /// busy connections, a request takes a quarter less processor time. Other systems have no such
    /// policy, and nothing changes.
    ///
    /// It costs latency: while all processors are busy, a worker may wait some milliseconds for its
    /// turn. It is not the default for two more reasons. A thread or process that a handler starts
    /// inherits the policy. And some sandboxes end a process that sets one.
    Batch,
}

/// Serves accepted connections. Each connection has a thread of its own.
pub trait Serve: Sync {
    /// What a worker thread keeps from one connection to the next.
    type Buffers: Default;

    /// What happens to a connection past the limit, for the log.
    const REJECTION: &'static str;

    /// Whether an idle connection is closed for a new one: at the limit on connections, and in a
    /// shortage of descriptors or threads.
    const CLOSES_IDLE: bool;

    /// Serves a connection that has a permit. Returns when the connection has ended.
    fn serve(&self, entry: &Entry, buffers: &mut Self::Buffers);

    /// Ends a connection past the limit. Its socket is closed after this.
    fn reject(&self, entry: &Entry, buffers: &mut Self::Buffers);
}

/// What every HTTP connection uses. Connections change only `memory` and the fields after it.
pub(super) struct Service<'a, S: 'static> {
    pub routes: &'a Routes<S>,
    pub state: &'a S,
    pub limits: &'a Limits,
    /// Field lines that every response has.
    pub fields: &'a [u8],
    pub observers: &'a [Arc<dyn Observer>],
    pub clock: Clock,
    /// True once the server is to stop. Each response then says `Connection: close`.
    pub stopping: &'a AtomicBool,
    /// Whether it is to stop at once: see [`Connections::stop_at_once`].
    pub stopping_at_once: &'a AtomicBool,
    /// The memory that requests and responses may take.
    pub memory: Memory,
    /// Connections past the limit that are being answered with 503.
    pub rejecting: Permits,
    /// A bit for each refusal of which the log has warned once.
    pub warned: AtomicU64,
    /// Limits the messages about handlers that panic.
    pub panics: Throttle,
    /// The first of these messages, for the server's handle.
    pub first_panic: &'a OnceLock<String>,
}

/// Everything that the threads of one run share.
pub struct Shared<'a, T> {
    /// One for each listener: a name such as `localhost` may have several addresses.
    pub(super) acceptors: Vec<Acceptor>,
    /// The limit on connections, their timeouts, and the grace time.
    pub(super) limits: &'a Limits,
    pub(super) connections: &'a Connections,
    /// What is done with a connection.
    pub(super) service: &'a T,
    pub(super) scheduling: Scheduling,
    pub(super) counters: Counters,
}

/// A listener, and counters of the worker threads that accept from it.
pub(super) struct Acceptor {
    pub listener: Listener,
    /// The listening socket wrapped as a `TcpStream`, since a listener has no `shutdown`. Used
    /// to end every `accept` at a stop. It is made at the start, since at the end no descriptor may
    /// be left.
    pub shutter: Option<TcpStream>,
    /// If a service manager has opened the listener, a byte in this pipe ends every wait for a
    /// connection: the socket is also the manager's, which keeps it for the next start of the service.
    pub wake_pipe: Option<(PipeReader, PipeWriter)>,
    /// Threads that wait in `accept`, or are about to.
    pub accepting: AtomicUsize,
    /// Connections that workers have finished, since the start.
    pub completed: AtomicU64,
}

/// Counters of all connections. Each throttle allows one kind of log message once a minute.
#[derive(Default)]
pub(super) struct Counters {
    /// Whether the supervisor is awake or has been woken.
    pub supervisor_is_awake: AtomicBool,
    /// Connections that were accepted, since the start.
    pub accepted: AtomicU64,
    /// Those of the connections that are being served: the limit on connections holds for these.
    pub permits: Permits,
    pub short_of_threads: Throttle,
    pub short_of_descriptors: Throttle,
    pub repeated_errors: Throttle,
    pub full: Throttle,
}

impl<'a, T: Serve> Shared<'a, T> {
    /// Puts the parts together, and sets the listeners' options.
    ///
    /// # Errors
    /// The system refuses an option.
    pub fn new(
        listeners: Vec<Listener>,
        limits: &'a Limits,
        connections: &'a Connections,
        service: &'a T,
        scheduling: Scheduling,
    ) -> io::Result<Shared<'a, T>> {
        let acceptor = |listener| {
            let shutter = set_listener_options(&listener, limits)?;
            let wake_pipe = sys::is_inherited(&listener).then(io::pipe).transpose()?;
            let (accepting, completed) = (AtomicUsize::new(0), AtomicU64::new(0));
            Ok(Acceptor { listener, shutter, wake_pipe, accepting, completed })
        };
        let acceptors = listeners.into_iter().map(acceptor).collect::<io::Result<_>>()?;
        let counters = Counters::default();
        Ok(Shared { acceptors, limits, connections, service, scheduling, counters })
    }
}

impl<S> Service<'_, S> {
    /// Whether anything reports exchanges: an observer or the access log. If not, no clock is read.
    pub fn is_observed(&self) -> bool {
        !self.observers.is_empty() || log::log_enabled!(Level::Info)
    }

    /// How long a connection may still wait for bytes of a request, if the server is stopping.
    pub fn last_wait(&self) -> Option<Duration> {
        let is_set = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        match is_set(self.stopping) {
            false => None,
            true if is_set(self.stopping_at_once) => Some(ARRIVED_WAIT),
            true => Some(FINAL_REQUEST_WAIT),
        }
    }

    /// Records that a function of a handler has panicked: the handler of this row, or the fallback.
    #[cold]
    pub fn note_panic(&self, row: Option<&RouteRow>, panic: &(dyn Any + Send)) {
        let handler = match row {
            Some(RouteRow { method, path, .. }) => format!("the handler of {method} {path}"),
            None => "the fallback handler".into(),
        };
        // Rust's panic hook has already printed the place and the message on stderr.
        if self.panics.allows() {
            error!("{handler} panicked");
        }
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref().map(String::as_str));
        let text = text.unwrap_or("the panic has no text");
        let _ = self.first_panic.set(format!("{handler} panicked: {text}"));
    }

    /// Reports an exchange to the observers, and writes the access log.
    pub fn report(&self, identity: Identity, answered: &Answered<'_>) {
        observer::report(self.observers, |observer| observer.answered(identity.number, answered));
        if !answered.route.is_some_and(|route| route.is_quiet) {
            info!(
                target: "access",
                "{} \"{} {}\" {} {} bytes in, {:.1} ms",
                sys::peer_name(identity.peer),
                answered.method,
                Visible(answered.target.as_bytes()),
                answered.status.code(),
                answered.received,
                InMillis(answered.took),
            );
        }
    }
}

/// Sets the read and write timeouts of a connection, and TCP_NODELAY. Without the latter, a second
/// write waits 40 ms for the client to acknowledge the first. It comes last: a Unix socket has no such option.
pub fn set_stream_options(stream: &TcpStream, limits: &Limits) -> io::Result<()> {
    stream.set_read_timeout(Some(sys::read_slice(limits.idle_timeout)))?;
    stream.set_write_timeout(Some(limits.write_timeout))?;
    stream.set_nodelay(true)
}

/// Makes the listener block, except one of a service manager, and sets on it what its connections
/// inherit on Linux, so that none needs a system call for it. Returns the listening socket as a
/// [`TcpStream`], which has calls that a listener lacks. On Windows there is none, and a Unix socket
/// passes no options on: each connection gets its options when it is registered.
pub(super) fn set_listener_options(
    listener: &Listener,
    limits: &Limits,
) -> io::Result<Option<TcpStream>> {
    // A caller's listener may be non-blocking. Each `accept` would fail at once, without end.
    listener.set_nonblocking(sys::is_inherited(listener))?;
    let stream = sys::as_stream(listener)?;
    if let Some(stream) = stream.as_ref().filter(|_| !listener.is_unix()) {
        set_stream_options(stream, limits)?;
    }
    Ok(stream)
}

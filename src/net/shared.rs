//! # 1d. From the door to a seat, and closing time
//!
//! ```text
//! accept ─> on the list ─> a seat?  ─ yes ─> the conversation ─> off the list
//!                             └ no ─> 503, if not too many are being told so
//! ```
//! Closing time: nobody new, an answer for everybody who asked, and after the grace time the lights go
//! out.  Next: [`accept`](super::accept).

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::time::SystemTime;

use log::{Level, info};

use super::connections::Connections;
use super::observer::{Answered, Observer};
use super::throttle::Throttle;
use crate::message::limits::Limits;
use crate::message::visible::Visible;
use crate::route::Routes;

/// Where the time comes from. The tests' clock stands still.
pub type Clock = fn() -> SystemTime;

/// What all connections of a server have in common.
pub(super) struct Service<'a, S: 'static> {
    pub routes: &'a Routes<S>,
    pub state: &'a S,
    pub limits: &'a Limits,
    pub observer: Option<&'a dyn Observer>,
    pub clock: Clock,
    pub stopping: &'a AtomicBool,
    /// The refusals that the log has warned of, a bit for each.
    pub warned: AtomicU64,
    /// Handlers that panic.
    pub panics: Throttle,
}

/// Everything that the threads of one run share.
pub(super) struct Shared<'a, S: 'static> {
    pub listener: TcpListener,
    /// What shuts it. Made at the beginning: at the end there may be no descriptor for it.
    pub shutter: Option<TcpStream>,
    pub service: Service<'a, S>,
    pub connections: &'a Connections,
    pub acceptor: Acceptor,
}

/// Counters, and what is said once.
#[derive(Default)]
pub(super) struct Acceptor {
    /// Threads that wait there, or are on their way.
    pub accepting: AtomicUsize,
    /// Threads that came back from a connection so far.
    pub completed: AtomicU64,
    /// The host is awake, or has been woken.
    pub supervisor_is_awake: AtomicBool,
    /// Connections that came in so far.
    pub accepted: AtomicU64,
    /// Connections that are served.
    pub active: AtomicUsize,
    /// Connections beyond the cap that are being told so.
    pub rejecting: AtomicUsize,
    pub short_of_threads: Throttle,
    pub short_of_descriptors: Throttle,
    pub full: Throttle,
}

impl<'a, S: Sync> Shared<'a, S> {
    /// Sets the listener up, too.
    ///
    /// # Errors
    /// What the system says to that.
    pub fn new(
        listener: TcpListener,
        service: Service<'a, S>,
        connections: &'a Connections,
    ) -> io::Result<Shared<'a, S>> {
        let shutter = set_options(&listener, service.limits)?;
        Ok(Shared { listener, shutter, service, connections, acceptor: Acceptor::default() })
    }
}

impl<S> Service<'_, S> {
    /// Whether an exchange that is over has to be told to anybody. If not, nobody looks at the clock.
    pub fn is_observed(&self) -> bool {
        self.observer.is_some() || log::log_enabled!(Level::Info)
    }

    /// Tells the observer, and writes the access log.
    pub fn report(&self, number: u64, peer: SocketAddr, answered: &Answered<'_>) {
        if let Some(observer) = self.observer {
            observer.answered(number, answered);
        }
        if !answered.is_quiet {
            info!(
                target: "access",
                "{} \"{} {}\" {} {} bytes in, {:.1} ms",
                peer,
                answered.method,
                Visible(answered.target.as_bytes()),
                answered.status.code(),
                answered.received,
                answered.took.as_secs_f64() * 1000.0,
            );
        }
    }
}

/// The timeouts, and TCP_NODELAY, without which a second write waits 40 ms for the client's
/// acknowledgement of the first.
pub(super) fn set_options_of(stream: &TcpStream, limits: &Limits) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(limits.idle_timeout))?;
    stream.set_write_timeout(Some(limits.write_timeout))
}

/// Sets on the listener what its connections inherit on Linux, so that none of them needs a system
/// call for it. Gives the listening socket as std's other type, which has the calls that this one lacks.
#[cfg(unix)]
pub(super) fn set_options(
    listener: &TcpListener,
    limits: &Limits,
) -> io::Result<Option<TcpStream>> {
    let stream = TcpStream::from(std::os::fd::OwnedFd::from(listener.try_clone()?));
    set_options_of(&stream, limits)?;
    Ok(Some(stream))
}

/// Elsewhere each connection has its options set when it is registered.
#[cfg(not(unix))]
pub(super) fn set_options(_: &TcpListener, _: &Limits) -> io::Result<Option<TcpStream>> {
    Ok(None)
}

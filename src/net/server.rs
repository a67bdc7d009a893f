//! # 1. A port opens
//!
//! ```no_run
//! use openkitchen::{Request, Response, Routes, Server, get, routes};
//!
//! static ROUTES: Routes = routes(&[get("/", home)]);
//!
//! fn home(_: &Request) -> Response {
//!     Response::text("Welcome to RohithBuilds Backend!")
//! }
//!
//! fn main() -> std::io::Result<()> {
//!     Server::bind("127.0.0.1:5000")?.run(&ROUTES, &())
//! }
//! ```
//! [`Server::run`] keeps a thread at the [`door`](super::door) and waits to be stopped. Everything
//! that the threads share is borrowed from here, and when the last of them is through, it returns: the
//! compiler sees to it that no connection outlives the routes, the state or the limits.
//!
//! Left out: TLS, and more than one port.  Next: [`door`](super::door).

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant, SystemTime};

use log::{error, warn};

use super::connection::{Connection, Service};
use super::tap::{Observer, Tapped};
use super::transport::Line;
use crate::message::limits::Limits;
use crate::route::Routes;

/// Where the time comes from. The tests' clock stands still.
pub type Clock = fn() -> SystemTime;

/// A bound port, and what the server behind it grants.
pub struct Server {
    listener: TcpListener,
    limits: Limits,
    observer: Option<Arc<dyn Observer>>,
    clock: Clock,
    hall: Arc<Hall>,
}

impl Server {
    /// Binds the address and listens. Port 0 takes a free one: see [`Server::address`].
    ///
    /// # Errors
    /// What the system says: the port is taken, or needs privileges, or the address is not ours.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Server> {
        Ok(Server::from_listener(TcpListener::bind(address)?))
    }

    /// A server for a listener that was made elsewhere, perhaps with a longer backlog than the 128
    /// connections that std asks for.
    pub fn from_listener(listener: TcpListener) -> Server {
        let (limits, hall) = (Limits::default(), Arc::new(Hall::default()));
        let server = Server { listener, limits, observer: None, clock: SystemTime::now, hall };
        server.limits(Limits::default())
    }

    /// The same with other limits.
    pub fn limits(self, limits: Limits) -> Server {
        // A client may connect as soon as the port is open, and has what the listener has by then. If
        // that fails, it fails again in `run`, and is told there.
        let _ = set_options(&self.listener, &limits);
        Server { limits, ..self }
    }

    /// The same with an observer, who is shown every byte.
    pub fn observed_by(self, observer: Arc<dyn Observer>) -> Server {
        Server { observer: Some(observer), ..self }
    }

    /// The same with another clock for `Date`. Deadlines do not go by it.
    pub fn clock(self, clock: Clock) -> Server {
        Server { clock, ..self }
    }

    /// The address that is bound, with its real port.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What stops this server, from any thread.
    pub fn stopper(&self) -> Stopper {
        Stopper { hall: Arc::clone(&self.hall) }
    }

    /// Serves until it is stopped and what was in flight is answered, or the grace time is over.
    ///
    /// # Errors
    /// When the socket cannot be set up, or no thread can be made at all.
    pub fn run<S: Sync>(self, routes: &Routes<S>, state: &S) -> io::Result<()> {
        set_options(&self.listener, &self.limits)?;
        let service = Service {
            routes,
            state,
            limits: &self.limits,
            observer: self.observer.as_deref(),
            clock: self.clock,
            stopping: &self.hall.stopping,
        };
        let house =
            House { listener: self.listener, service, hall: &self.hall, door: Door::default() };
        thread::scope(|scope| {
            house.call_another(scope)?;
            house.watch_the_door(scope);
            house.close(scope);
            Ok(())
        })
    }

    /// Serves in a thread of its own, until the handle is dropped.
    ///
    /// # Errors
    /// As [`Server::run`], as far as it shows at once.
    pub fn start<S>(self, routes: &'static Routes<S>, state: S) -> io::Result<Running>
    where
        S: Send + Sync + 'static,
    {
        let (address, stopper) = (self.address()?, self.stopper());
        let run = move || self.run(routes, &state);
        let thread = thread::Builder::new().name("openkitchen".into()).spawn(run)?;
        Ok(Running { address, stopper, thread: Some(thread) })
    }
}

/// Stops a server. Cheap to clone.
#[derive(Clone)]
pub struct Stopper {
    hall: Arc<Hall>,
}

impl Stopper {
    /// No new connections from now on; answers in flight are finished within the grace time. Returns
    /// at once; [`Server::run`] returns when it is done. Not for a signal handler: it takes a lock.
    pub fn stop(&self) {
        self.hall.stopping.store(true, Ordering::SeqCst);
        self.hall.wake_all();
    }
}

/// A server that runs in a thread of its own. Dropping it stops the server and waits for it.
pub struct Running {
    address: SocketAddr,
    stopper: Stopper,
    thread: Option<thread::JoinHandle<io::Result<()>>>,
}

impl Running {
    /// The address that is bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper.stop();
        let ended = self.thread.take().map(thread::JoinHandle::join);
        if let Some(Ok(Err(error))) = ended {
            error!("the server ended: {error}");
        }
    }
}

/// Everything that the threads of one run share.
pub(super) struct House<'a, S: 'static> {
    listener: TcpListener,
    service: Service<'a, S>,
    hall: &'a Hall,
    pub(super) door: Door,
}

/// How things stand at the door.
#[derive(Default)]
pub(super) struct Door {
    /// Threads that wait there, or are on their way.
    pub waiting: AtomicUsize,
    /// Connections that came in so far.
    came: AtomicU64,
    /// Threads that came back from a connection so far.
    pub returned: AtomicU64,
    /// The host is awake, or has been woken.
    host_is_awake: AtomicBool,
    /// No thread could be made when one was needed, and that was said.
    short: AtomicBool,
    /// The system had no descriptor for the last one, and that was said.
    starving: AtomicBool,
    /// Connections that are served.
    seated: AtomicUsize,
    /// Connections beyond the cap that are being told so.
    told_to_wait: AtomicUsize,
    /// The last one was beyond the cap, and that was said.
    full: AtomicBool,
}

/// One of a bounded number, given back when it is dropped.
struct Seat<'a>(&'a AtomicUsize);

impl<'a> Seat<'a> {
    fn take(taken: &'a AtomicUsize, of: usize) -> Option<Seat<'a>> {
        let one_more = |taken| (taken < of).then_some(taken + 1);
        taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).ok().map(|_| Seat(taken))
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Door {
    /// Says once when no thread can be made. The connections wait in the backlog until one is free: a
    /// server that has no more threads is slow, and not gone.
    pub(super) fn short_of_threads(&self, error: Option<io::Error>) {
        match error {
            None => self.short.store(false, Ordering::Relaxed),
            Some(error) if !self.short.swap(true, Ordering::Relaxed) => {
                warn!("no more threads can be made, so connections have to wait: {error}");
            }
            Some(_) => {}
        }
    }
}

/// Who is in, and whether the house is closing.
#[derive(Default)]
struct Hall {
    stopping: AtomicBool,
    guests: Mutex<HashMap<u64, Arc<Guest>>>,
    changed: Condvar,
}

/// One connection. The socket is shared with the thread that closes the house, which may have to end
/// a read that waits: a second descriptor for that would halve the number of connections.
struct Guest {
    stream: TcpStream,
    idle: AtomicBool,
}

impl Hall {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// A panic while the lock is held is impossible: nothing is called under it that could.
    fn guests(&self) -> MutexGuard<'_, HashMap<u64, Arc<Guest>>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has everybody who waits look again. The lock is taken so that nobody is between looking and
    /// waiting meanwhile.
    fn wake_all(&self) {
        drop(self.guests());
        self.changed.notify_all();
    }

    /// Waits while that holds, or until the deadline.
    fn wait_while(
        &self,
        mut holds: impl FnMut(&Hall, &HashMap<u64, Arc<Guest>>) -> bool,
        deadline: Option<Instant>,
    ) -> MutexGuard<'_, HashMap<u64, Arc<Guest>>> {
        let mut guests = self.guests();
        while holds(self, &guests) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            guests = match left {
                Some(Duration::ZERO) => break,
                None => self.changed.wait(guests).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    self.changed
                        .wait_timeout(guests, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
        guests
    }
}

/// Connections beyond the cap that are told so, each for a second at most. Those beyond them are just
/// closed: telling them would cost what the cap is there to save.
const TOLD_TO_WAIT: usize = 16;

/// How long connections are still taken out of the backlog of a server that stops. There is no end of
/// them where new clients keep coming.
const LAST_GUESTS: Duration = Duration::from_millis(50);

/// How long to wait when the system has no descriptor left for a new connection.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(20);

impl<S: Sync> House<'_, S> {
    pub(super) fn nobody_is_there(&self) -> bool {
        self.door.waiting.load(Ordering::SeqCst) == 0
    }

    pub(super) fn wake_the_host(&self) {
        if !self.door.host_is_awake.swap(true, Ordering::SeqCst) {
            self.hall.wake_all();
        }
    }

    /// Waits until nobody stands at the door; false when the house is to close.
    pub(super) fn until_nobody_is_there(&self) -> bool {
        let all_is_well = |hall: &Hall, _: &_| {
            // Said before each look at the door, so that whoever leaves after the look wakes us.
            self.door.host_is_awake.store(false, Ordering::SeqCst);
            !self.nobody_is_there() && !hall.is_stopping()
        };
        drop(self.hall.wait_while(all_is_well, None));
        !self.hall.is_stopping()
    }

    /// The next connection; `None` when no more are taken.
    pub(super) fn accept(&self) -> Option<(TcpStream, SocketAddr)> {
        loop {
            match self.listener.accept() {
                Ok(accepted) => {
                    if self.door.starving.load(Ordering::Relaxed) {
                        self.door.starving.store(false, Ordering::Relaxed);
                    }
                    return Some(accepted);
                }
                Err(_) if self.hall.is_stopping() => return None,
                Err(error) => match error.kind() {
                    // The listener has the timeout that its connections inherit: go round again.
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => {
                        if !self.door.starving.swap(true, Ordering::Relaxed) {
                            error!("no connection can be accepted for now: {error}");
                        }
                        thread::sleep(OUT_OF_DESCRIPTORS);
                    }
                },
            }
        }
    }

    /// Serves one connection, from its first byte to its end.
    pub(super) fn welcome(&self, stream: TcpStream, peer: SocketAddr) {
        let number = self.door.came.fetch_add(1, Ordering::Relaxed) + 1;
        let guest = Arc::new(Guest { stream, idle: AtomicBool::new(false) });
        self.hall.guests().insert(number, Arc::clone(&guest));
        // A handler's panic is caught and answered where it is called. This is for all else: one
        // connection may end by it, and never the server.
        let served = panic::catch_unwind(AssertUnwindSafe(|| match self.service.observer {
            None => self.serve(&guest.stream, number, peer, &guest.idle),
            Some(observer) => {
                observer.opened(number, peer);
                let line = Tapped::new(&guest.stream, number, observer);
                self.serve(line, number, peer, &guest.idle);
            }
        }));
        if served.is_err() {
            error!("connection {number} ended by a panic");
        }
        self.hall.guests().remove(&number);
        if self.hall.is_stopping() {
            self.hall.changed.notify_all();
        }
    }

    fn serve(&self, line: impl Line, number: u64, peer: SocketAddr, idle: &AtomicBool) {
        let connection = Connection::new(&self.service, line, number, peer, idle);
        let cap = self.service.limits.connections;
        if let Some(_seat) = Seat::take(&self.door.seated, cap) {
            if self.door.full.load(Ordering::Relaxed) {
                self.door.full.store(false, Ordering::Relaxed);
            }
            return connection.converse();
        }
        if !self.door.full.swap(true, Ordering::Relaxed) {
            warn!("all {cap} connections are taken; new ones are told 503 (see --max-connections)");
        }
        if let Some(_seat) = Seat::take(&self.door.told_to_wait, TOLD_TO_WAIT) {
            connection.turn_away();
        }
    }

    /// Closes the house: nobody new, an answer for everybody who asked, and then the lights.
    fn close<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let deadline = Instant::now() + self.service.limits.grace;
        // Who has connected before now was let in by the system, and is owed an answer. Shutting the
        // listener would reset those who still wait in its backlog, so they are taken out first.
        if let Err(error) = self.listener.set_nonblocking(true) {
            warn!("those who wait to be accepted may be turned away: {error}");
        }
        let until = Instant::now() + LAST_GUESTS;
        let mut last = Vec::new();
        while let Ok(accepted) = self.listener.accept() {
            last.push(accepted);
            if Instant::now() > until {
                break;
            }
        }
        self.wake_those_at_the_door();
        for (stream, peer) in last {
            let serve = move || {
                // On the BSDs a socket inherits this from its listener.
                let _ = stream.set_nonblocking(false);
                self.welcome(stream, peer);
            };
            if let Err(error) = thread::Builder::new().spawn_scoped(scope, serve) {
                warn!("a connection was turned away at the end: {error}");
            }
        }
        for guest in self.hall.guests().values() {
            // It waits for a request that will not be answered any more. What has arrived is still
            // read: only the waiting ends.
            if guest.idle.load(Ordering::SeqCst) {
                let _ = guest.stream.shutdown(Shutdown::Read);
            }
        }
        let left = self.hall.wait_while(|_, guests| !guests.is_empty(), Some(deadline));
        if !left.is_empty() {
            warn!("{} connections were cut off at the end of the grace time", left.len());
        }
        for guest in left.values() {
            let _ = guest.stream.shutdown(Shutdown::Both);
        }
    }

    /// Ends the accepts that wait. On Linux, shutting a listening socket does it.
    fn wake_those_at_the_door(&self) {
        if shut(&self.listener).is_ok() {
            return;
        }
        // Elsewhere each has to be knocked for: those who come back to a listener that does not block
        // find that the house is closing.
        while self.door.waiting.load(Ordering::SeqCst) > 0 {
            let Ok(address) = self.listener.local_addr() else { return };
            if TcpStream::connect_timeout(&address, Duration::from_millis(100)).is_err() {
                return;
            }
        }
    }
}

/// Sets on the listener what its connections are to inherit, so that no connection needs a system
/// call for it: the timeouts, and TCP_NODELAY, without which a second write waits 40 ms for the
/// client's acknowledgement of the first.
#[cfg(unix)]
fn set_options(listener: &TcpListener, limits: &Limits) -> io::Result<()> {
    let socket = as_stream(listener)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(limits.idle_timeout))?;
    socket.set_write_timeout(Some(limits.write_timeout))
}

#[cfg(unix)]
fn shut(listener: &TcpListener) -> io::Result<()> {
    as_stream(listener)?.shutdown(Shutdown::Both)
}

/// The listening socket as std's other type, which has the calls that this one lacks.
#[cfg(unix)]
fn as_stream(listener: &TcpListener) -> io::Result<TcpStream> {
    Ok(TcpStream::from(std::os::fd::OwnedFd::from(listener.try_clone()?)))
}

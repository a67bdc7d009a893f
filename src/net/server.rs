//! # The server: bind, run, start, stop
//!
//! ```no_run
//! use openkitchen::{Request, Response, Routes, Server, StartError, get, routes};
//!
//! static ROUTES: Routes = routes(&[get("/", home)]);
//!
//! fn home(_: &Request) -> Response {
//!     Response::text("Welcome to RohithBuilds Backend!")
//! }
//!
//! fn main() -> Result<(), StartError> {
//!     Server::bind("127.0.0.1:5000")?.run(&ROUTES, &())
//! }
//! ```
//! [`Server::run`] starts a worker thread, which [accepts](super::accept), and waits until the server
//! is stopped. The threads borrow everything that they share from its stack, and it returns when the
//! last thread has ended. So the compiler checks that no connection outlives the routes, the state or
//! the limits.
//!
//! A library server logs through the [`log`] crate, prints nothing and handles no signals. The caller
//! chooses a logger, and calls [`Stopper::stop`] where a signal arrives.
//!
//! Left out: TLS, and more than one port.  Next: [`shared`](super::shared).

use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use log::{error, warn};

use super::connection::Connection;
use super::connections::{Connections, Identity, IdleMark, Permits};
use super::memory::{Memory, budget};
use super::observer::{self, Observer};
use super::shared::{Clock, Scheduling, Service, Shared, set_listener_options};
use super::start_error::StartError;
use super::throttle::Throttle;
use super::transport::{Buffers, Io};
use crate::message::limits::Limits;
use crate::route::{RouteRow, Routes};
use crate::sys;

/// The backlog: connections that may wait to be accepted. std asks for 128. With that, some of 1,000
/// clients that connect at once wait for whole seconds until TCP tries again.
const BACKLOG: i32 = 4096;

/// Listening sockets and the settings of their server. [`run`](Server::run) or
/// [`start`](Server::start) serves.
pub struct Server {
    listeners: Vec<TcpListener>,
    limits: Limits,
    observers: Vec<Arc<dyn Observer>>,
    clock: Clock,
    scheduling: Scheduling,
    connections: Arc<Connections>,
}

impl Server {
    /// Binds the address and listens. Port 0 takes a free port: see [`Server::address`]. A name
    /// such as `localhost:5000` may have several addresses: all of them are bound, with one port.
    /// The log warns of one that cannot be bound, such as `[::1]:5000` where the system has no
    /// IPv6. The backlog is 4,096: so many clients may have connected and wait to be accepted. A
    /// system may allow fewer (on Linux `net.core.somaxconn`); on Windows it is std's, 128.
    ///
    /// # Errors
    /// None of the addresses can be bound: the port is in use or needs privileges, or the address
    /// is not one of this machine. The error is a sentence that says what to do.
    pub fn bind(address: impl ToSocketAddrs) -> Result<Server, StartError> {
        let Listening { listeners, left_out } = listen(address)?;
        left_out.iter().for_each(|sentence| warn!("{sentence}"));
        Ok(Server::from_listeners(listeners))
    }

    /// A server on a listener that the caller has made. Its backlog stays as the caller has set it: std
    /// sets 128. The limits are [`Limits::default`].
    pub fn from_listener(listener: TcpListener) -> Server {
        Server::from_listeners(vec![listener])
    }

    /// A server on several listeners, which share its connections, limits and stop.
    pub fn from_listeners(listeners: Vec<TcpListener>) -> Server {
        let connections = Arc::new(Connections::default());
        let (clock, scheduling) = (SystemTime::now, Scheduling::Normal);
        let (limits, observers) = (Limits::default(), Vec::new());
        let server = Server { listeners, limits, observers, clock, scheduling, connections };
        server.limits(Limits::default()) // sets the options of the listeners
    }

    /// Sets the limits: sizes, timeouts, and the number of connections.
    pub fn limits(self, limits: Limits) -> Server {
        // A client may connect before `run`, and its connection inherits what the listener has by
        // then. If this fails, it fails again in `run`, which returns the error.
        for listener in &self.listeners {
            let _ = set_listener_options(listener, &limits);
        }
        Server { limits, ..self }
    }

    /// Adds an observer, which is shown every byte and every exchange. There may be several: each call
    /// goes to all of them, in the order in which they were added.
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Server {
        self.observers.push(observer);
        self
    }

    /// Sets the clock that `Date` is taken from. It also tells which connection has been idle
    /// longest. Timeouts do not use it.
    pub fn clock(self, clock: Clock) -> Server {
        Server { clock, ..self }
    }

    /// Sets how the system schedules the threads that serve connections. [`Scheduling::Batch`]
    /// gives more requests a second, and costs latency.
    pub fn scheduling(self, scheduling: Scheduling) -> Server {
        Server { scheduling, ..self }
    }

    /// The bound address, with the real port where port 0 was asked for. The first, if there are
    /// several.
    ///
    /// # Errors
    /// The system's error; `NotConnected` if there is no listener.
    pub fn address(&self) -> io::Result<SocketAddr> {
        let first = self.listeners.first().ok_or(ErrorKind::NotConnected)?;
        first.local_addr()
    }

    /// All bound addresses, in the order in which they were bound.
    ///
    /// # Errors
    /// The system's error.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }

    /// A handle that stops this server from any thread, and shows whether it is stopping.
    pub fn stopper(&self) -> Stopper {
        Stopper { connections: Arc::clone(&self.connections) }
    }

    /// Serves on this thread until the server is stopped. Returns when every request in flight is
    /// answered, or when the grace time is over and the last handler has returned.
    ///
    /// # Errors
    /// The listener's options cannot be set, its address cannot be read, or not one thread can be
    /// spawned. Or one request may have more bytes than [`Limits::memory`] allows to all of them.
    pub fn run<S: Sync>(mut self, routes: &Routes<S>, state: &S) -> Result<(), StartError> {
        self.set_memory()?;
        self.serve(routes, state).map_err(|error| StartError::new("cannot serve", error))
    }

    /// Takes the default for [`Limits::memory`] if it is not set.
    ///
    /// # Errors
    /// One request may have more bytes.
    fn set_memory(&mut self) -> Result<(), StartError> {
        let Limits { content, head, .. } = self.limits;
        let memory = budget(&self.limits);
        self.limits.memory = Some(memory);
        for (name, bytes) in [("content", content), ("head", head as u64)] {
            if bytes > memory {
                return Err(StartError::above_memory(name, bytes, memory));
            }
        }
        Ok(())
    }

    fn serve<S: Sync>(self, routes: &Routes<S>, state: &S) -> io::Result<()> {
        let service = Service {
            routes,
            state,
            limits: &self.limits,
            memory: Memory::new(budget(&self.limits)),
            observers: &self.observers,
            clock: self.clock,
            stopping: self.connections.stopping(),
            rejecting: Permits::default(),
            warned: AtomicU64::new(0),
            panics: Throttle::default(),
        };
        if !self.observers.is_empty() {
            let rows: Vec<RouteRow> = routes.iter().map(|route| *route.row()).collect();
            let address = self.address()?;
            observer::report(&self.observers, |observer| observer.started(address, &rows));
        }
        let (limits, connections) = (&self.limits, &self.connections);
        let shared = Shared::new(self.listeners, limits, connections, &service, self.scheduling)?;
        thread::scope(|scope| {
            shared.supervise(scope)?;
            for entry in shared.shutdown(scope) {
                let _ = entry.stream.shutdown(Shutdown::Both); // ends the worker's next read or write
            }
            Ok(())
        })
    }

    /// Serves on a thread of its own until the handle is dropped. The port is open when this returns.
    ///
    /// # Errors
    /// The address cannot be read, or the thread cannot be spawned. Or one request may have more bytes
    /// than [`Limits::memory`] allows to all of them. Other errors of [`Server::run`] are logged when the
    /// handle is dropped.
    pub fn start<S>(
        mut self,
        routes: &'static Routes<S>,
        state: S,
    ) -> Result<ServerHandle, StartError>
    where
        S: Send + Sync + 'static,
    {
        self.set_memory()?;
        let cannot_start = |error| StartError::new("cannot start the server", error);
        let (address, stopper) = (self.address().map_err(cannot_start)?, self.stopper());
        let run = move || self.run(routes, &state);
        let builder = thread::Builder::new().name("openkitchen".into());
        let thread = builder.spawn(run).map_err(cannot_start)?;
        Ok(ServerHandle { address, stopper, thread: Some(thread) })
    }
}

/// The listeners of an address that was bound.
#[doc(hidden)]
pub struct Listening {
    /// One at least.
    pub listeners: Vec<TcpListener>,
    /// A sentence for each address of the name that could not be bound.
    pub left_out: Vec<String>,
}

/// How often a free port is taken anew, if it is in use on another address of the name.
const MAX_PORT_TRIES: usize = 8;

/// Binds all addresses and listens as [`Server::bind`] does, for a program that needs the listeners
/// themselves.
///
/// # Errors
/// See [`Server::bind`]. A backlog that cannot be set is no error: the log has a warning.
#[doc(hidden)]
pub fn listen(address: impl ToSocketAddrs) -> Result<Listening, StartError> {
    let found = address.to_socket_addrs().map_err(StartError::no_address)?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let (mut listeners, mut failed) = bind_all(&addresses);
    let is_taken = |(address, error): &(SocketAddr, io::Error)| {
        address.port() == 0 && error.kind() == ErrorKind::AddrInUse
    };
    for _ in 0..MAX_PORT_TRIES {
        if listeners.is_empty() || !failed.iter().any(is_taken) {
            break;
        }
        (listeners, failed) = bind_all(&addresses);
    }
    let left_out = |(address, error): &(SocketAddr, io::Error)| {
        let port = listeners.first().and_then(|listener| listener.local_addr().ok());
        let port = port.map_or(address.port(), |bound| bound.port());
        format!("not listening on {}: {error}", SocketAddr::new(address.ip(), port))
    };
    let left_out = failed.iter().map(left_out).collect();
    if listeners.is_empty() {
        return Err(StartError::binding_all(failed));
    }
    for listener in &listeners {
        if let Err(error) = sys::set_backlog(listener, BACKLOG) {
            warn!("cannot set the backlog, so a burst of connections may have to wait: {error}");
        }
    }
    Ok(Listening { listeners, left_out })
}

/// Binds each address. Where port 0 is asked for, all get the port of the first.
fn bind_all(addresses: &[SocketAddr]) -> (Vec<TcpListener>, Vec<(SocketAddr, io::Error)>) {
    let (mut listeners, mut failed) = (Vec::<TcpListener>::new(), Vec::new());
    for &address in addresses {
        let first = listeners.first().and_then(|listener| listener.local_addr().ok());
        let mut wanted = address;
        if let (0, Some(first)) = (address.port(), first) {
            wanted.set_port(first.port());
        }
        match TcpListener::bind(wanted) {
            Ok(listener) => listeners.push(listener),
            Err(error) => failed.push((address, error)),
        }
    }
    (listeners, failed)
}

/// Serves one connection over any [`Io`], without a port. Returns when the connection ends. Tests and
/// the fuzzer pass an `Io` of memory. The `Io` keeps the timeouts: a read that has waited for as long
/// as it may fails with `WouldBlock`. A handler sees `127.0.0.1:0` as the client's address.
#[doc(hidden)]
pub fn serve_io<S: Sync>(
    io: impl Io,
    routes: &Routes<S>,
    state: &S,
    limits: &Limits,
    clock: Clock,
) {
    let (stopping, idle, mut buffers) =
        (AtomicBool::new(false), IdleMark::default(), Buffers::default());
    let service = Service {
        routes,
        state,
        limits,
        memory: Memory::new(budget(limits)),
        observers: &[],
        clock,
        stopping: &stopping,
        rejecting: Permits::default(),
        warned: AtomicU64::new(0),
        panics: Throttle::default(),
    };
    let identity = Identity { number: 1, peer: SocketAddr::from(([127, 0, 0, 1], 0)) };
    Connection::new(&service, io, identity, &idle, &mut buffers).serve();
}

/// Stops a server from any thread, and tells a thread that it stops. Cheap to clone. A handler sees it if
/// it is a part of the state.
#[derive(Clone)]
pub struct Stopper {
    connections: Arc<Connections>,
}

impl Stopper {
    /// Tells the server to stop: it accepts no new connections, and answers the requests in flight
    /// within [`Limits::grace`]. Returns at once; [`Server::run`] returns when it is done. It takes a
    /// lock, so a signal handler must not call it.
    pub fn stop(&self) {
        self.connections.stop();
    }

    /// Whether the server has been told to stop.
    pub fn is_stopping(&self) -> bool {
        self.connections.is_stopping()
    }

    /// Waits for this time, but not longer than until the server is told to stop. Returns whether it has
    /// been told. For a handler, or a [stream](crate::Response::stream), that waits anyway: it then ends
    /// with the server, and need not be cut off at the end of the grace time.
    pub fn wait(&self, time: Duration) -> bool {
        let deadline = Instant::now().checked_add(time);
        drop(self.connections.wait_while(|_| !self.is_stopping(), deadline));
        self.is_stopping()
    }
}

/// A server that runs on a thread of its own. Dropping the handle stops the server and waits until
/// [`Server::run`] has returned there.
#[must_use = "dropping the handle stops the server"]
pub struct ServerHandle {
    address: SocketAddr,
    stopper: Stopper,
    thread: Option<thread::JoinHandle<Result<(), StartError>>>,
}

impl ServerHandle {
    /// The bound address, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.stopper.stop();
        match self.thread.take().map(thread::JoinHandle::join) {
            Some(Ok(Err(error))) => error!("{error}"),
            Some(Err(_)) => error!("the server ended by a panic"),
            Some(Ok(Ok(()))) | None => {}
        }
    }
}

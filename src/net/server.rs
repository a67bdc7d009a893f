//! # The server: bind, run, stop
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
//! [`Server::start`] runs the same on a thread of its own, for a test: see
//! [`ServerHandle`](crate::ServerHandle).
//!
//! A library server logs through the [`log`] crate, prints nothing and handles no signals. The caller
//! chooses a logger, and calls [`Stopper::stop`] where a signal arrives.
//!
//! Left out: TLS, and more than one port.  Next: [`handle`](super::handle).

use std::any::Any;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use log::warn;

use super::connection::Connection;
use super::connections::{Connections, Identity, IdleMark, Permits};
use super::listen::{Listening, listen, listen_at};
use super::memory::{Memory, budget};
use super::observer::{self, Observer};
use super::shared::{Clock, Scheduling, Service, Shared, set_listener_options};
use super::start_error::StartError;
use super::throttle::Throttle;
use super::transport::{Buffers, Io};
use crate::message::counted::counted;
use crate::message::limits::Limits;
use crate::message::response::{BadField, Response};
use crate::message::status::Status;
use crate::route::{RouteRow, Routes};
use crate::sys::Listener;

/// Fields that differ from one response to the next, or are about one connection.
const FIELDS_OF_ONE_RESPONSE: [&str; 14] = [
    "allow",
    "keep-alive",
    "proxy-connection",
    "retry-after",
    "te",
    "trailer",
    "upgrade",
    "content-type",
    "content-encoding",
    "content-range",
    "accept-ranges",
    "etag",
    "last-modified",
    "location",
];

/// Listening sockets and the settings of their server. [`run`](Server::run),
/// [`start`](Server::start) or [`scoped`](Server::scoped) serves.
///
/// ```
/// use openkitchen::{Limits, Request, Response, Routes, Scheduling, Server, get, routes};
///
/// static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::text("Welcome!"))]);
///
/// let server = Server::bind("127.0.0.1:0")?
///     .limits(Limits { content: 10 << 20, ..Limits::default() })
///     .scheduling(Scheduling::Batch);
/// println!("listening on {}", server.address()?);
/// let stopper = server.stopper();
/// std::thread::spawn(move || stopper.stop()); // where a signal arrives
/// server.run(&ROUTES, &())?; // returns when the server has stopped
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Server {
    listeners: Vec<Listener>,
    pub(super) limits: Limits,
    observers: Vec<Arc<dyn Observer>>,
    clock: Clock,
    scheduling: Scheduling,
    /// Field lines for every response, each with its CR LF.
    fields: Vec<u8>,
    connections: Arc<Connections>,
    /// What the handle gives besides its own: the kept exchanges, whose module is above this one.
    pub(super) companion: Option<Arc<dyn Companion>>,
    /// Why a handler has panicked, for the handle.
    pub(super) first_panic: Arc<OnceLock<String>>,
}

/// What the handle of a server gives besides its own. It prints what a test that fails is to show.
pub(crate) trait Companion: Any + Send + Sync + fmt::Display {}

impl<T: Any + Send + Sync + fmt::Display> Companion for T {}

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

    /// Binds a Unix socket to the path and listens, such as for a proxy on the same machine. A client has no
    /// address then: [`Request::peer`](crate::Request::peer) is 0.0.0.0, port 0. Every user of this machine
    /// who may enter the directory may connect: the file has the mode 0666. Users who can write in it are
    /// trusted. The file is removed when the server stops, and a stale one, which a killed server has left, is
    /// replaced.
    ///
    /// ```
    /// # if cfg!(unix) {
    /// let path = std::env::temp_dir().join(format!("openkitchen-{}.sock", std::process::id()));
    /// let server = openkitchen::Server::bind_path(&path)?;
    /// # assert!(path.exists());
    /// # drop(server);
    /// # assert!(!path.exists());
    /// # }
    /// # Ok::<(), openkitchen::StartError>(())
    /// ```
    ///
    /// # Errors
    /// A server listens at the path, the path is another file, or the system's error: a path of more than about
    /// 100 bytes, a directory that is not there. On Windows, Rust's library has no Unix sockets.
    pub fn bind_path(path: impl AsRef<Path>) -> Result<Server, StartError> {
        Ok(Server::from_listener(listen_at(path.as_ref())?))
    }

    /// A server on a listener that the caller has made: a `TcpListener`, or a `UnixListener`, whose file stays
    /// when the server stops. Its backlog stays as the caller has set it: std sets 128. The limits are
    /// [`Limits::default`].
    ///
    /// ```
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let server = openkitchen::Server::from_listener(listener);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_listener(listener: impl Into<Listener>) -> Server {
        Server::from_listeners(vec![listener.into()])
    }

    /// A server on several listeners, which share its connections, limits and stop.
    ///
    /// ```
    /// # use std::net::TcpListener;
    /// # use openkitchen::Server;
    /// let (one, two) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    /// let server = Server::from_listeners(vec![one.into(), two.into()]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_listeners(listeners: Vec<Listener>) -> Server {
        let connections = Arc::new(Connections::default());
        let (clock, scheduling) = (SystemTime::now, Scheduling::Normal);
        let (limits, observers) = (Limits::default(), Vec::new());
        let (fields, companion, first_panic) = (Vec::new(), None, Arc::default());
        let server = Server {
            listeners,
            limits,
            observers,
            clock,
            scheduling,
            fields,
            connections,
            companion,
            first_panic,
        };
        server.limits(Limits::default()) // sets the options of the listeners
    }

    /// Sets the limits: sizes, timeouts, and the number of connections.
    pub fn limits(self, limits: Limits) -> Server {
        let limits = limits.bounded();
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

    /// Adds what the handle of this server gives besides its own.
    pub(crate) fn accompanied_by(self, companion: Arc<dyn Companion>) -> Server {
        Server { companion: Some(companion), ..self }
    }

    /// What [`accompanied_by`](Server::accompanied_by) has added.
    pub(crate) fn companion(&self) -> Option<&dyn Companion> {
        self.companion.as_deref()
    }

    /// Sets the clock that `Date` is taken from. It also tells which connection has been idle
    /// longest. Timeouts do not use it.
    ///
    /// ```
    /// # use openkitchen::{Server, StartError};
    /// use std::time::UNIX_EPOCH;
    ///
    /// let server = Server::bind("127.0.0.1:0")?.clock(|| UNIX_EPOCH); // each response has the same bytes
    /// # Ok::<(), StartError>(())
    /// ```
    pub fn clock(self, clock: Clock) -> Server {
        Server { clock, ..self }
    }

    /// Sets how the system schedules the threads that serve connections. [`Scheduling::Batch`]
    /// gives more requests a second, and costs latency.
    pub fn scheduling(self, scheduling: Scheduling) -> Server {
        Server { scheduling, ..self }
    }

    /// Adds a field to every response, also to those that no handler has made: 400, 405 and 503, for example.
    /// A response that has a field with this name already keeps its own.
    /// A value of [`Response::raw`](crate::Response::raw) stays as it is.
    ///
    /// ```
    /// # use openkitchen::Server;
    /// let server = Server::bind("127.0.0.1:0")?.header("X-Frame-Options", "DENY")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Response::try_field`](crate::Response::try_field); and a field that says what one response
    /// has, such as ETag.
    pub fn header(mut self, name: &str, value: &str) -> Result<Server, BadField> {
        let response = Response::new(Status::OK).try_field(name, value)?;
        if FIELDS_OF_ONE_RESPONSE.iter().any(|field| field.eq_ignore_ascii_case(name)) {
            return Err(BadField::own(name));
        }
        self.fields.extend_from_slice(&response.fields);
        Ok(self)
    }

    /// The bound address, with the real port where port 0 was asked for. The first, if there are
    /// several. 0.0.0.0, port 0, if it is a Unix socket.
    ///
    /// # Errors
    /// The system's error; `NotConnected` if there is no listener.
    pub fn address(&self) -> io::Result<SocketAddr> {
        let first = self.listeners.first().ok_or(ErrorKind::NotConnected)?;
        first.address()
    }

    /// All bound addresses, in the order in which they were bound.
    ///
    /// # Errors
    /// The system's error.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(Listener::address).collect()
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
        self.serve(routes, state, || {})
    }

    /// Takes the default for [`Limits::memory`] if it is not set.
    ///
    /// # Errors
    /// One request may have more bytes.
    pub(super) fn set_memory(&mut self) -> Result<(), StartError> {
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

    /// Serves, and calls `ready` when connections are accepted.
    pub(super) fn serve<S: Sync>(
        self,
        routes: &Routes<S>,
        state: &S,
        ready: impl FnOnce(),
    ) -> Result<(), StartError> {
        self.serve_until_stopped(routes, state, ready)
            .map_err(|error| StartError::new("cannot serve", error))
    }

    fn serve_until_stopped<S: Sync>(
        self,
        routes: &Routes<S>,
        state: &S,
        ready: impl FnOnce(),
    ) -> io::Result<()> {
        let service = Service {
            routes,
            state,
            limits: &self.limits,
            fields: &self.fields,
            memory: Memory::new(budget(&self.limits)),
            observers: &self.observers,
            clock: self.clock,
            stopping: self.connections.stopping(),
            stopping_at_once: self.connections.stopping_at_once(),
            rejecting: Permits::default(),
            warned: AtomicU64::new(0),
            panics: Throttle::default(),
            first_panic: &self.first_panic,
        };
        if !self.observers.is_empty() {
            let rows: Vec<RouteRow> = routes.iter().map(|route| *route.row()).collect();
            let address = self.address()?;
            observer::report(&self.observers, |observer| observer.started(address, &rows));
        }
        let (limits, connections) = (&self.limits, &self.connections);
        let shared = Shared::new(self.listeners, limits, connections, &service, self.scheduling)?;
        thread::scope(|scope| {
            shared.begin_accepting(scope)?;
            ready();
            shared.keep_accepting(scope);
            for entry in shared.shutdown(scope) {
                entry.cut_off();
            }
            let deadline = Some(Instant::now() + CUT_OFF_WAIT);
            let left = connections.wait_while(|entries| !entries.is_empty(), deadline).len();
            if left > 0 {
                let left = counted(left, "handler has", "handlers have");
                warn!("{left} not returned within the grace time; the server ends when all have");
            }
            Ok(())
        })
    }
}

/// How long the threads of connections may take to end after their sockets were shut.
pub(super) const CUT_OFF_WAIT: Duration = Duration::from_millis(100);

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
    let first_panic = OnceLock::new();
    let service = Service {
        routes,
        state,
        limits,
        fields: &[],
        memory: Memory::new(budget(limits)),
        observers: &[],
        clock,
        stopping: &stopping,
        stopping_at_once: &stopping,
        rejecting: Permits::default(),
        warned: AtomicU64::new(0),
        panics: Throttle::default(),
        first_panic: &first_panic,
    };
    let identity = Identity { number: 1, peer: SocketAddr::from(([127, 0, 0, 1], 0)) };
    Connection::new(&service, io, identity, &idle, &mut buffers).serve();
}

/// Stops a server from any thread, and tells a thread that it stops. Cheap to clone. A handler sees it if
/// it is a part of the state.
///
/// ```
/// use std::time::Duration;
/// # use openkitchen::{Request, Response, Routes, Server, get, routes};
/// # static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::text("Welcome!"))]);
///
/// let server = Server::bind("127.0.0.1:0")?;
/// let stopper = server.stopper();
/// let handle = server.start(&ROUTES, ())?;
/// assert!(!stopper.wait(Duration::from_millis(1)), "the time is over, and nothing has stopped it");
/// stopper.stop();
/// assert!(stopper.is_stopping() && stopper.wait(Duration::from_secs(60)));
/// # Ok::<(), openkitchen::StartError>(())
/// ```
#[derive(Clone)]
pub struct Stopper {
    pub(super) connections: Arc<Connections>,
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

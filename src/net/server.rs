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
//! [`Server::start`] runs the same on a thread of its own, for a test: see [`ServerHandle`].
//!
//! A library server logs through the [`log`] crate, prints nothing and handles no signals. The caller
//! chooses a logger, and calls [`Stopper::stop`] where a signal arrives.
//!
//! Left out: TLS, and more than one port.  Next: [`shared`](super::shared).

use std::any::Any;
use std::fmt::{self, Write};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::panic::{self, RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
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
use crate::message::counted::counted;
use crate::message::limits::Limits;
use crate::route::{RouteRow, Routes};
use crate::sys;

/// The backlog: connections that may wait to be accepted. std asks for 128. With that, some of 1,000
/// clients that connect at once wait for whole seconds until TCP tries again.
const BACKLOG: i32 = 4096;

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
    listeners: Vec<TcpListener>,
    limits: Limits,
    observers: Vec<Arc<dyn Observer>>,
    clock: Clock,
    scheduling: Scheduling,
    connections: Arc<Connections>,
    /// What the handle gives besides its own: the kept exchanges, whose module is above this one.
    companion: Option<Arc<dyn Companion>>,
    /// Why a handler has panicked, for the handle.
    first_panic: Arc<OnceLock<String>>,
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

    /// A server on a listener that the caller has made. Its backlog stays as the caller has set it: std
    /// sets 128. The limits are [`Limits::default`].
    ///
    /// ```
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let server = openkitchen::Server::from_listener(listener);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_listener(listener: TcpListener) -> Server {
        Server::from_listeners(vec![listener])
    }

    /// A server on several listeners, which share its connections, limits and stop.
    pub fn from_listeners(listeners: Vec<TcpListener>) -> Server {
        let connections = Arc::new(Connections::default());
        let (clock, scheduling) = (SystemTime::now, Scheduling::Normal);
        let (limits, observers) = (Limits::default(), Vec::new());
        let (companion, first_panic) = (None, Arc::default());
        let server = Server {
            listeners,
            limits,
            observers,
            clock,
            scheduling,
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
        self.serve(routes, state, || {})
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

    /// Serves, and calls `ready` when connections are accepted.
    fn serve<S: Sync>(
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

    /// Serves on a thread of its own until the handle is dropped. The port is open when this
    /// returns, so a client can connect at once.
    ///
    /// The table is a static one, as `&ROUTES`, or one of [`Routes::new`].
    ///
    /// ```
    /// use std::sync::Mutex;
    /// use openkitchen::{Request, Response, Routes, Server, post, routes};
    /// # use std::io::{Read, Write};
    ///
    /// static ROUTES: Routes<Mutex<Vec<String>>> = routes(&[post("/orders", order)]);
    ///
    /// fn order(request: &Request<Mutex<Vec<String>>>) -> Response {
    ///     let dish = String::from_utf8_lossy(request.content()).into_owned();
    ///     request.state().lock().unwrap().push(dish);
    ///     Response::text("it is cooking")
    /// }
    ///
    /// let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, Mutex::default())?;
    /// # fn client_under_test(url: &str) -> std::io::Result<()> {
    /// #     let address = url.strip_prefix("http://").unwrap().strip_suffix("/orders").unwrap();
    /// #     let mut client = std::net::TcpStream::connect(address)?;
    /// #     client.write_all(b"POST /orders HTTP/1.0\r\nContent-Length: 4\r\n\r\nrice")?;
    /// #     client.read_to_end(&mut Vec::new()).map(drop)
    /// # }
    /// client_under_test(&server.url("/orders"))?;
    /// assert_eq!(*server.state().lock().unwrap(), ["rice"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Server::run`].
    pub fn start<S>(
        mut self,
        routes: impl Into<Routes<S>>,
        state: S,
    ) -> Result<ServerHandle<S>, StartError>
    where
        S: Send + Sync + 'static,
    {
        self.set_memory()?;
        let (routes, state) = (routes.into(), Arc::new(state));
        let mut handle = self.handle(Arc::clone(&state))?;
        // The thread sends when the server is ready, and drops the sender when it has ended.
        let (sender, ended) = sync_channel(1);
        let serve = move || {
            self.serve(&routes, &*state, || {
                let _ = sender.send(());
            })
        };
        let thread = thread::Builder::new().name("openkitchen".into()).spawn(serve);
        let thread = thread.map_err(cannot_start)?;
        if ended.recv().is_err() {
            return Err(why_ended(thread.join()));
        }
        handle.running = Some(Running { thread, ended: Mutex::new(ended) });
        Ok(handle)
    }

    /// Serves while `test` runs, on threads that borrow the table and the state from the caller.
    /// Stops the server when `test` returns or panics, and returns what it returned.
    ///
    /// All threads have ended when this returns. So a handler that never returns is waited for
    /// without end, and the log says so; [`Server::start`] would leave its thread behind.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use openkitchen::{Request, Response, Routes, Server, get};
    /// # use std::io::{Read, Write};
    ///
    /// fn visit(request: &Request<AtomicU32>) -> Response {
    ///     request.state().fetch_add(1, Ordering::SeqCst);
    ///     Response::text("welcome")
    /// }
    ///
    /// let (routes, visits) = (Routes::new(vec![get("/", visit)])?, AtomicU32::new(0));
    /// Server::bind("127.0.0.1:0")?.scoped(&routes, &visits, |server| {
    ///     # let mut client = std::net::TcpStream::connect(server.address()).unwrap();
    ///     # client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    ///     # client.read_to_end(&mut Vec::new()).unwrap();
    ///     println!("the client under test asks {}", server.url("/"));
    /// })?;
    /// assert_eq!(visits.into_inner(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Server::start`] and [`Server::run`]; or a handler has panicked: its message and its route.
    pub fn scoped<'a, S: Sync, T>(
        mut self,
        routes: &Routes<S>,
        state: &'a S,
        test: impl FnOnce(&ServerHandle<&'a S>) -> T,
    ) -> Result<T, StartError> {
        self.set_memory()?;
        let handle = self.handle(Arc::new(state))?;
        thread::scope(|scope| {
            // If `test` panics, the handle is dropped here: the server stops, and its thread ends.
            let mut handle = handle;
            let builder = thread::Builder::new().name("openkitchen".into());
            let (sender, ready) = sync_channel(1);
            let serve = move || {
                self.serve(routes, state, || {
                    let _ = sender.send(());
                })
            };
            let thread = builder.spawn_scoped(scope, serve).map_err(cannot_start)?;
            if ready.recv().is_err() {
                return Err(why_ended(thread.join()));
            }
            let result = test(&handle);
            let first_panic = Arc::clone(&handle.first_panic);
            handle.tells_panic = false;
            drop(handle);
            match (thread.join(), first_panic.get()) {
                (Ok(Ok(())), Some(panic)) => Err(StartError::panicked(panic)),
                (Ok(ended), _) => ended.map(|()| result),
                (Err(panic), _) => panic::resume_unwind(panic),
            }
        })
    }

    /// A handle without a thread.
    fn handle<S>(&self, state: Arc<S>) -> Result<ServerHandle<S>, StartError> {
        let address = self.address().map_err(cannot_start)?;
        let (stopper, companion, grace) =
            (self.stopper(), self.companion.clone(), self.limits.grace);
        let (first_panic, tells_panic) = (Arc::clone(&self.first_panic), true);
        let running = None;
        Ok(ServerHandle {
            address,
            stopper,
            state,
            companion,
            grace,
            running,
            first_panic,
            tells_panic,
        })
    }
}

/// Why the thread of a server has ended before it was ready.
fn why_ended(ended: thread::Result<Result<(), StartError>>) -> StartError {
    let ended = ended.unwrap_or_else(|panic| panic::resume_unwind(panic));
    ended.err().unwrap_or_else(|| cannot_start(ErrorKind::Interrupted.into()))
}

fn cannot_start(error: io::Error) -> StartError {
    StartError::new("cannot start the server", error)
}

/// How long the threads of connections may take to end after their sockets were shut.
const CUT_OFF_WAIT: Duration = Duration::from_millis(100);

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
    let first_panic = OnceLock::new();
    let service = Service {
        routes,
        state,
        limits,
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

/// A server that runs on threads of its own, beside a test: see [`Server::start`].
///
/// Dropping the handle stops the server and waits until its threads have ended, also when the test
/// panics. A connection that waits for a request, or for the rest of one, is closed at once, so that takes
/// about a millisecond. A request that has arrived is answered first. On Linux, a client that takes no
/// byte of its response is cut off within 100 ms. A stream that looks whether the server is stopping ends
/// at once; one that does not is cut off after the grace time ([`Limits::grace`]). A handler that has not
/// returned by then is left behind: its thread goes on until it returns, and the log says so.
///
/// If the test panics, the drop prints the exchanges that the server keeps on stderr, so the output of a
/// failed test has them. It also prints that a handler has panicked. That fails no test, since some want
/// the 500: [`stop`](ServerHandle::stop) returns it as an error.
///
/// Nothing is shared between two servers, so each test has its own, on a port of its own (port 0).
#[must_use = "dropping the handle stops the server"]
pub struct ServerHandle<S = ()> {
    address: SocketAddr,
    stopper: Stopper,
    state: Arc<S>,
    companion: Option<Arc<dyn Companion>>,
    grace: Duration,
    /// `None` where the caller waits for the thread, or has stopped the server.
    running: Option<Running>,
    first_panic: Arc<OnceLock<String>>,
    /// Whether the drop prints it.
    tells_panic: bool,
}

// A client under test that panics leaves the handle as it is: its state is shared with the handlers anyway.
impl<S: RefUnwindSafe> UnwindSafe for ServerHandle<S> {}
impl<S: RefUnwindSafe> RefUnwindSafe for ServerHandle<S> {}

/// The thread of a server that was started.
struct Running {
    thread: thread::JoinHandle<Result<(), StartError>>,
    /// Is disconnected when the server has ended.
    ended: Mutex<Receiver<()>>,
}

impl<S> ServerHandle<S> {
    /// The bound address, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, such as `http://127.0.0.1:41233/about` for `/about` or `about`. A server on all addresses of the
    /// machine (`0.0.0.0`) is reached at 127.0.0.1.
    ///
    /// ```
    /// # use openkitchen::{Request, Response, Routes, Server, get, routes};
    /// # static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::text(""))]);
    /// let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, ())?;
    /// assert_eq!(server.url("/about"), format!("http://{}/about", server.address()));
    /// # Ok::<(), openkitchen::StartError>(())
    /// ```
    pub fn url(&self, path: &str) -> String {
        let loopback: IpAddr = match self.address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(loopback);
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        format!("http://{address}{slash}{path}")
    }

    /// The state that the handlers share.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// Stops the server as dropping the handle does, and says whether all went well: so a test that calls it
    /// fails if an assertion in a handler does.
    ///
    /// ```
    /// # use openkitchen::{Request, Response, Routes, Server, get, routes};
    /// # static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::text("Welcome!"))]);
    /// let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, ())?;
    /// let address = server.address();
    /// server.stop()?;
    /// assert!(std::net::TcpStream::connect(address).is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// `TimedOut` if a handler was left behind. Or the error of [`Server::run`]. Or a handler has panicked,
    /// or its function that writes content: the error has the first panic's message, and the route.
    pub fn stop(mut self) -> io::Result<()> {
        self.stop_and_wait()?;
        self.tells_panic = false;
        let panic = self.first_panic.get();
        panic.map_or(Ok(()), |panic| Err(StartError::panicked(panic).into()))
    }

    /// What [`Server::accompanied_by`] has added.
    pub(crate) fn companion(&self) -> Option<&dyn Companion> {
        self.companion.as_deref()
    }

    fn stop_and_wait(&mut self) -> io::Result<()> {
        self.stopper.connections.stop_at_once();
        let Some(Running { thread, ended }) = self.running.take() else { return Ok(()) };
        let ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        // The server needs the second wait to see that its connections have not ended.
        if ended.recv_timeout(self.grace + 2 * CUT_OFF_WAIT) == Err(RecvTimeoutError::Timeout) {
            let left = "a handler has not returned within the grace time; it was left behind";
            return Err(io::Error::new(ErrorKind::TimedOut, left));
        }
        match thread.join() {
            Ok(result) => result.map_err(io::Error::from),
            Err(_) => Err(io::Error::other("the server ended by a panic")),
        }
    }
}

impl<S> Drop for ServerHandle<S> {
    fn drop(&mut self) {
        if let Err(error) = self.stop_and_wait() {
            error!("{error}");
        }
        let mut text = String::new();
        if let Some(companion) = self.companion.as_ref().filter(|_| thread::panicking()) {
            let _ = writeln!(text, "the exchanges of the server at {}:\n{companion}", self.address);
        }
        if let Some(panic) = self.first_panic.get().filter(|_| self.tells_panic) {
            let _ = writeln!(text, "{panic}");
        }
        if !text.is_empty() {
            print_in_test(&text);
        }
    }
}

/// Prints a text on stderr as a test does: its harness shows it if the test fails. An error of stderr is
/// dropped, because a second panic in a drop would abort the process.
#[cold]
#[allow(
    clippy::print_stderr,
    reason = "only what is printed by the macro is part of a test's output"
)]
fn print_in_test(text: &str) {
    let _ = panic::catch_unwind(|| eprint!("{text}"));
}

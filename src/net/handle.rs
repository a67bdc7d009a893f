//! # A server beside a test: start it, ask it, stop it
//!
//! ```text
//! start    a thread runs the server ── ready ──> the handle ── dropped ──> stopped, and joined
//! scoped   the same, while a function runs; its threads borrow from the caller
//! ```
//! The server is [`Server::run`] on a thread of its own, with one difference: where the handle stops it, a
//! connection that waits for a request is closed at once, since a test waits for it.
//!
//! Left out: what the server keeps for the test. That is [`Exchanges`](crate::Exchanges).
//! Next: [`listen`](super::listen).

use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::panic::{self, RefUnwindSafe, UnwindSafe};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use log::error;

use super::server::{CUT_OFF_WAIT, Companion, Server, Stopper};
use super::start_error::StartError;
use crate::route::Routes;

impl Server {
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
    /// Those of [`Server::start`] and [`Server::run`]; or a handler has panicked: its message and
    /// its route.
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

/// A server that runs on threads of its own, beside a test: see [`Server::start`].
///
/// Dropping the handle stops the server and waits until its threads have ended, also when the test
/// panics. A connection that waits for a request, or for the rest of one, is closed at once, so
/// that takes about a millisecond. A request that has arrived is answered first. On Linux, a client
/// that takes no byte of its response is cut off within 100 ms. A stream that looks whether the
/// server is stopping ends at once; one that does not is cut off after the grace time
/// ([`Limits::grace`](crate::Limits::grace)). A handler that has not returned by then is left
/// behind: its thread goes on until it returns, and the log says so.
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

// A client under test that panics leaves the handle as it is: its state is shared with the handlers
// anyway.
impl<S: RefUnwindSafe> UnwindSafe for ServerHandle<S> {}
impl<S: RefUnwindSafe> RefUnwindSafe for ServerHandle<S> {}

/// The thread of a server that was started.
struct Running {
    thread: thread::JoinHandle<Result<(), StartError>>,
    /// Is disconnected when the server has ended.
    ended: Mutex<Receiver<()>>,
}

impl<S> ServerHandle<S> {
    /// The bound address, with the real port; 0.0.0.0, port 0, of a Unix socket.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, such as `http://127.0.0.1:41233/about` for `/about` or `about`. A server
    /// on all addresses of the machine (`0.0.0.0`) is reached at 127.0.0.1. A Unix socket has no URL.
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

    /// Stops the server as dropping the handle does, and says whether all went well: so a test that
    /// calls it fails if an assertion in a handler does.
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
    /// `TimedOut` if a handler was left behind. Or the error of [`Server::run`]. Or a handler has
    /// panicked, or its function that writes content: the error has the first panic's message, and
    /// the route.
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

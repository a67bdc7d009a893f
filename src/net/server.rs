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

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;
use std::time::SystemTime;

use log::error;

use super::connection::{Connection, Service};
use super::hall::{Hall, Idle};
use super::house::{House, set_options};
use super::tap::Observer;
use super::transport::{Buffers, Line};
use super::trouble::Trouble;
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
        let _ = set_options(&listener, &limits);
        Server { listener, limits, observer: None, clock: SystemTime::now, hall }
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
        let service = Service {
            routes,
            state,
            limits: &self.limits,
            observer: self.observer.as_deref(),
            clock: self.clock,
            stopping: self.hall.stopping(),
            warned: AtomicU64::new(0),
            panics: Trouble::default(),
        };
        let house = House::new(self.listener, service, &self.hall)?;
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

/// One conversation over any line, without a port: returns when it is over. The tests and the fuzzer
/// hand it lines of memory. The line keeps the deadlines: a read that has waited for as long as it may
/// fails with `WouldBlock`. A handler sees `127.0.0.1:0` as the client's address.
pub fn converse<S: Sync>(
    line: impl Line,
    routes: &Routes<S>,
    state: &S,
    limits: &Limits,
    clock: Clock,
) {
    let (stopping, idle, mut buffers) = (AtomicBool::new(false), Idle::default(), Buffers::new());
    let service = Service {
        routes,
        state,
        limits,
        observer: None,
        clock,
        stopping: &stopping,
        warned: AtomicU64::new(0),
        panics: Trouble::default(),
    };
    let peer = SocketAddr::from(([127, 0, 0, 1], 0));
    Connection::new(&service, line, 1, peer, &idle, &mut buffers).converse();
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
        self.hall.stop();
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

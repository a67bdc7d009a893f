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
//! [`Server::run`] keeps a thread at the [`accept`](super::accept) and waits to be stopped. Everything
//! that the threads share is borrowed from here, and when the last of them is through, it returns: the
//! compiler sees to it that no connection outlives the routes, the state or the limits.
//!
//! Left out: TLS, and more than one port.  Next: [`accept`](super::accept).

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;
use std::time::SystemTime;

use log::error;

use super::connection::Connection;
use super::connections::{Connections, IdleMark};
use super::observer::Observer;
use super::shared::{Clock, Service, Shared, set_options};
use super::throttle::Throttle;
use super::transport::{Buffers, Io};
use crate::message::limits::Limits;
use crate::route::Routes;

/// A bound port, and what the server behind it grants.
pub struct Server {
    listener: TcpListener,
    limits: Limits,
    observer: Option<Arc<dyn Observer>>,
    clock: Clock,
    connections: Arc<Connections>,
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
        let (limits, connections) = (Limits::default(), Arc::new(Connections::default()));
        let _ = set_options(&listener, &limits);
        Server { listener, limits, observer: None, clock: SystemTime::now, connections }
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
        Stopper { connections: Arc::clone(&self.connections) }
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
            stopping: self.connections.stopping(),
            warned: AtomicU64::new(0),
            panics: Throttle::default(),
        };
        let shared = Shared::new(self.listener, service, &self.connections)?;
        thread::scope(|scope| {
            shared.spawn_worker(scope)?;
            shared.supervise(scope);
            shared.shutdown(scope);
            Ok(())
        })
    }

    /// Serves in a thread of its own, until the handle is dropped.
    ///
    /// # Errors
    /// As [`Server::run`], as far as it shows at once.
    pub fn start<S>(self, routes: &'static Routes<S>, state: S) -> io::Result<ServerHandle>
    where
        S: Send + Sync + 'static,
    {
        let (address, stopper) = (self.address()?, self.stopper());
        let run = move || self.run(routes, &state);
        let thread = thread::Builder::new().name("openkitchen".into()).spawn(run)?;
        Ok(ServerHandle { address, stopper, thread: Some(thread) })
    }
}

/// One conversation over any line, without a port: returns when it is over. The tests and the fuzzer
/// hand it lines of memory. The line keeps the deadlines: a read that has waited for as long as it may
/// fails with `WouldBlock`. A handler sees `127.0.0.1:0` as the client's address.
pub fn serve_io<S: Sync>(
    io: impl Io,
    routes: &Routes<S>,
    state: &S,
    limits: &Limits,
    clock: Clock,
) {
    let (stopping, idle, mut buffers) =
        (AtomicBool::new(false), IdleMark::default(), Buffers::new());
    let service = Service {
        routes,
        state,
        limits,
        observer: None,
        clock,
        stopping: &stopping,
        warned: AtomicU64::new(0),
        panics: Throttle::default(),
    };
    let peer = SocketAddr::from(([127, 0, 0, 1], 0));
    Connection::new(&service, io, 1, peer, &idle, &mut buffers).serve();
}

/// Stops a server. Cheap to clone.
#[derive(Clone)]
pub struct Stopper {
    connections: Arc<Connections>,
}

impl Stopper {
    /// No new connections from now on; answers in flight are finished within the grace time. Returns
    /// at once; [`Server::run`] returns when it is done. Not for a signal handler: it takes a lock.
    pub fn stop(&self) {
        self.connections.stop();
    }
}

/// A server that runs in a thread of its own. Dropping it stops the server and waits for it.
pub struct ServerHandle {
    address: SocketAddr,
    stopper: Stopper,
    thread: Option<thread::JoinHandle<io::Result<()>>>,
}

impl ServerHandle {
    /// The address that is bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.stopper.stop();
        let ended = self.thread.take().map(thread::JoinHandle::join);
        if let Some(Ok(Err(error))) = ended {
            error!("the server ended: {error}");
        }
    }
}

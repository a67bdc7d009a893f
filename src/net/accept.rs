//! # Accepts connections: a pool of worker threads, and the supervisor that adds some
//!
//! The Rust book's server has one thread that accepts, and a new thread for every connection:
//!
//! ```no_run
//! # fn serve(_: std::net::TcpStream) {}
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
//! for stream in listener.incoming().flatten() {
//!     std::thread::spawn(move || {
//!         serve(stream);
//!     });
//! }
//! ```
//! That is right, and slow where connections are short: making a thread takes four times as long as
//! answering a request. So here each worker thread accepts for itself. It loops *accept, serve,
//! accept*, and it ends when enough others wait in `accept`. Each thread still has one connection at a
//! time, and the server takes twice as many short connections (`make bench`, workload d).
//!
//! When all workers are busy, no thread waits in `accept`. That is no problem while each worker
//! finishes its connection soon: a few threads that go straight to the next connection cost less than
//! many that the kernel must wake. But a silent client or a slow handler can hold a worker for long. So
//! the last thread to leave `accept` wakes the supervisor. Until a thread waits in `accept` again, the
//! supervisor checks every half millisecond whether a worker has finished a connection. If none has, it
//! spawns more: one, then two, then four, up to 64 at once.
//!
//! ```text
//! accept ─> register ─> a permit? ─ yes ─> serve the connection ─> unregister ─> accept
//!                           └ no ─> close the oldest idle one ─> wait ─> a permit? ─ yes ─> ...
//!                                                                            └ no ─> reject: 503
//! ```
//! To serve and to reject are calls of a [`Serve`]: the HTTP server's are in
//! [`connection`](super::connection).
//! Next: [`connections`](super::connections).

use std::io::{self, ErrorKind};
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, Scope};
use std::time::Duration;

use log::{error, warn};

use super::connections::{Entries, Entry, Identity, Permit};
use super::shared::{Acceptor, Scheduling, Serve, Shared, set_stream_options};
use crate::message::counted::counted;
use crate::sys::{self, NO_ADDRESS};

/// The spare (idle) threads of the thread pool: if this many wait in `accept`, a worker that has finished
/// its connection ends. The supervisor does not look at this number, so more may wait for a while.
const MAX_IDLE_ACCEPTORS: usize = 4;

/// Bytes of a worker's stack. The kernel provides a page when it is touched first, so an idle thread
/// does not use them all; handlers may.
const STACK_BYTES: usize = 256 * 1024;

/// Time between two checks of the supervisor while no thread waits in `accept`.
const POLL_INTERVAL: Duration = Duration::from_micros(500);

/// Threads that the supervisor spawns after one check, at most.
const MAX_SPAWNED_AT_ONCE: usize = 64;

/// How long the server waits after it has closed an idle connection for lack of descriptors or threads.
/// In this time the worker of that connection ends it, and the next idle client may send a request
/// before its connection is closed too.
const MAKE_ROOM_PAUSE: Duration = Duration::from_millis(20);

/// Errors of `accept` in a row after which a thread pauses, so that an error that repeats for ever
/// does not keep a processor busy. Before that, it tries again at once.
const MAX_ACCEPT_ERRORS: u32 = 64;

/// How long that pause is. A thread then calls `accept` 3,200 times a second at most.
const ACCEPT_ERROR_PAUSE: Duration = Duration::from_millis(20);

/// How long a new connection waits for a permit at the limit on connections, at most.
const PERMIT_TIMEOUT: Duration = Duration::from_millis(20);

/// Connections whose options the server sets itself, on Linux, for each listener. Later ones inherit
/// the listener's options. Connections that were made before those were set do not have them, but
/// they all fit in one backlog: so many here, and from a service manager no more, unless
/// `net.core.somaxconn` is larger.
const FIRST_CONNECTIONS: u64 = 4096;

impl Acceptor {
    /// Whether no thread waits in `accept`.
    pub(super) fn none_accepting(&self) -> bool {
        self.accepting.load(Ordering::SeqCst) == 0
    }

    /// Waits in poll(2) for a connection or the stop, at the listener of a service manager alone. That one
    /// is non-blocking: only a shutdown of the socket, which is the manager's too, ends an `accept` that
    /// waits. Another listener has waited itself, unless a caller has made it non-blocking since the start: so
    /// that this takes no processor, there is a pause.
    fn wait_for_connection(&self) {
        let waited = match &self.wake_pipe {
            Some((reader, _)) => sys::wait_for_connection(&self.listener, reader),
            None => Err(ErrorKind::WouldBlock.into()),
        };
        if waited.is_err_and(|error| error.kind() != ErrorKind::Interrupted) {
            thread::sleep(ACCEPT_ERROR_PAUSE);
        }
    }
}

impl<T: Serve> Shared<'_, T> {
    /// Spawns a worker for each listener. Later, spawns more for one while no thread waits in its
    /// `accept` and none of its workers finishes a connection. Returns when the server is to stop.
    /// It runs on the thread that called [`Server::run`](super::server::Server::run).
    ///
    /// # Errors
    /// The system has not even one thread for the first listener.
    pub fn supervise<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> io::Result<()> {
        self.begin_accepting(scope)?;
        self.keep_accepting(scope);
        Ok(())
    }

    /// Spawns the first worker.
    pub(super) fn begin_accepting<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
    ) -> io::Result<()> {
        let first = self.acceptors.first();
        first.map_or(Ok(()), |first| self.spawn_worker(scope, first))
    }

    /// Spawns more workers as they are needed, until the server is stopped.
    pub(super) fn keep_accepting<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        // For each listener: connections that were completed by the last check, and workers to
        // spawn.
        let mut checked = vec![(0, 1); self.acceptors.len()];
        while self.wait_until_none_accepting() {
            thread::sleep(POLL_INTERVAL);
            for (acceptor, (completed, to_spawn)) in self.acceptors.iter().zip(&mut checked) {
                let before = mem::replace(completed, acceptor.completed.load(Ordering::Relaxed));
                let is_stuck = acceptor.none_accepting() && *completed == before;
                if !is_stuck {
                    *to_spawn = 1;
                    continue;
                }
                let spawned = (0..*to_spawn).try_for_each(|_| self.spawn_worker(scope, acceptor));
                if let Err(error) = spawned {
                    // The server goes on with the threads it has. New connections wait in the
                    // backlog.
                    if self.counters.short_of_threads.allows() {
                        warn!("no thread can be spawned, so new connections wait: {error}");
                    }
                    self.make_room();
                }
                *to_spawn = (2 * *to_spawn).min(MAX_SPAWNED_AT_ONCE);
            }
        }
    }

    /// Spawns one more worker.
    fn spawn_worker<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        acceptor: &'scope Acceptor,
    ) -> io::Result<()> {
        acceptor.accepting.fetch_add(1, Ordering::SeqCst);
        let spawned = self.spawn(scope, || self.accept_loop(acceptor));
        if spawned.is_err() {
            acceptor.accepting.fetch_sub(1, Ordering::SeqCst);
        }
        spawned
    }

    /// Spawns a thread that serves connections. Its work is not boxed as in [`sys::spawn`], because a box
    /// takes memory of each connection.
    pub(super) fn spawn<'scope>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        work: impl FnOnce() + Send + 'scope,
    ) -> io::Result<()> {
        let thread = thread::Builder::new().name("openkitchen".into()).stack_size(STACK_BYTES);
        thread.spawn_scoped(scope, work).map(drop)
    }

    /// Accepts a connection, serves it, accepts the next: all that a worker does.
    fn accept_loop(&self, acceptor: &Acceptor) {
        if self.scheduling == Scheduling::Batch {
            sys::use_batch_scheduling();
        }
        let mut buffers = T::Buffers::default();
        let accepting = &acceptor.accepting;
        while let Some((stream, peer)) = self.accept(acceptor) {
            let entry = self.register(stream, peer);
            if accepting.fetch_sub(1, Ordering::SeqCst) == 1 {
                self.wake_supervisor(); // no other thread waits in `accept`
            }
            self.serve_connection(&entry, &mut buffers);
            acceptor.completed.fetch_add(1, Ordering::Relaxed);
            // One atomic step to check and to count. With two, several workers could each see the others
            // counted and all end: none would wait in `accept`, and the supervisor would sleep.
            let if_few_accept = |count| (count < MAX_IDLE_ACCEPTORS).then_some(count + 1);
            if accepting.fetch_update(Ordering::SeqCst, Ordering::SeqCst, if_few_accept).is_err() {
                return;
            }
        }
        accepting.fetch_sub(1, Ordering::SeqCst);
    }

    fn wake_supervisor(&self) {
        if !self.counters.supervisor_is_awake.swap(true, Ordering::SeqCst) {
            self.connections.wake_all();
        }
    }

    /// Waits until no thread is in the `accept` of one of the listeners. Returns false if the
    /// server is stopping.
    fn wait_until_none_accepting(&self) -> bool {
        let needs_no_worker = |_: &Entries| {
            // First the flag is cleared, then the counter is read. A thread that leaves `accept` after
            // that read finds the flag cleared, and wakes the supervisor.
            self.counters.supervisor_is_awake.store(false, Ordering::SeqCst);
            let all_accept = !self.acceptors.iter().any(Acceptor::none_accepting);
            all_accept && !self.connections.is_stopping()
        };
        drop(self.connections.wait_while(needs_no_worker, None));
        !self.connections.is_stopping()
    }

    /// Closes (evicts) the connection that has been idle longest, then pauses so that it can end.
    /// Called when descriptors or threads run out: an idle client must not keep out one that has a
    /// request. Where idle connections stay open ([`Serve::CLOSES_IDLE`]), only pauses.
    fn make_room(&self) {
        if T::CLOSES_IDLE {
            self.connections.close_oldest_idle(|| usize::MAX);
        }
        thread::sleep(MAKE_ROOM_PAUSE);
    }

    /// The next connection; `None` when the server is stopping. In a shortage, usually EMFILE (no
    /// descriptor left), it makes room and tries again. Another error concerns one connection,
    /// which ended before it was accepted, so it tries again at once.
    fn accept(&self, acceptor: &Acceptor) -> Option<(TcpStream, SocketAddr)> {
        let mut errors = 0;
        loop {
            // A service manager's listener stays open at a stop, so under load `accept` would return
            // new clients for ever. `accept_pending` accepts those of 50 ms; the others are for the next
            // start of the service.
            if acceptor.wake_pipe.is_some() && self.connections.is_stopping() {
                return None;
            }
            match acceptor.listener.accept() {
                Ok(accepted) => return Some(accepted),
                Err(_) if self.connections.is_stopping() => return None,
                // `accept` times out too: the listener has the timeout that its connections
                // inherit.
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    errors = 0;
                    acceptor.wait_for_connection();
                }
                Err(error) if sys::is_shortage(&error) => {
                    if self.counters.short_of_descriptors.allows() {
                        error!("no connection can be accepted for now: {error}");
                    }
                    self.make_room();
                }
                Err(error) => {
                    errors += 1;
                    if errors % MAX_ACCEPT_ERRORS == 0 {
                        if self.counters.repeated_errors.allows() {
                            error!("accept failed {errors} times in a row: {error}");
                        }
                        thread::sleep(ACCEPT_ERROR_PAUSE);
                    }
                }
            }
        }
    }

    /// Numbers a new connection, sets its socket options and adds it to the registry.
    pub(super) fn register(&self, stream: TcpStream, peer: SocketAddr) -> Arc<Entry> {
        let number = self.counters.accepted.fetch_add(1, Ordering::Relaxed) + 1;
        let first = FIRST_CONNECTIONS * self.acceptors.len() as u64;
        // A Unix socket inherits none.
        let inherits = cfg!(target_os = "linux") && number > first && peer != NO_ADDRESS;
        if !inherits {
            // It fails for a Unix socket, which has no TCP_NODELAY. Otherwise the connection is broken
            // already, and its first read says so.
            let _ = set_stream_options(&stream, self.limits);
        }
        if !cfg!(target_os = "linux") {
            // Elsewhere a socket inherits the mode of its listener, which is non-blocking at a stop.
            let _ = stream.set_nonblocking(false);
        }
        self.connections.register(Identity { number, peer }, stream)
    }

    /// Serves a registered connection from its first byte to its end, and unregisters it. Enforces
    /// the limit on connections (max connections, `--max-connections`): a connection that gets no
    /// permit is rejected.
    pub(super) fn serve_connection(&self, entry: &Entry, buffers: &mut T::Buffers) {
        let permit = self.permit();
        // A handler's panic is caught where the handler is called. This is for a panic in any other
        // code: it ends one connection, never the server.
        let serve = AssertUnwindSafe(|| match &permit {
            Some(_) => self.service.serve(entry, buffers),
            None => self.service.reject(entry, buffers),
        });
        if panic::catch_unwind(serve).is_err() {
            error!("connection {} ended by a panic", entry.identity.number);
            *buffers = T::Buffers::default();
        }
        self.connections.unregister(entry, permit);
    }

    /// A permit to serve a connection. At the limit, closes the connection that has been idle
    /// longest and waits for a permit. It waits also if none is idle: a busy connection may end.
    /// Where idle connections stay open ([`Serve::CLOSES_IDLE`]), it only waits.
    fn permit(&self) -> Option<Permit<'_>> {
        let (limit, permits) = (self.limits.connections, &self.counters.permits);
        let make_room = || {
            if T::CLOSES_IDLE {
                self.connections.close_oldest_idle(|| permits.missing());
            }
        };
        let permit = permits.acquire(limit);
        let permit = permit.or_else(|| permits.wait(limit, PERMIT_TIMEOUT, make_room));
        if permit.is_none() && self.counters.full.allows() {
            let limit = counted(limit, "connection is", "connections are");
            warn!("{limit} open, which is the limit; new ones {}", T::REJECTION);
        }
        permit
    }
}

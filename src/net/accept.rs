//! # Accepts connections: worker threads, and the supervisor that adds some
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
//! When all workers are busy, no thread waits in `accept`. That is well while workers return soon: a
//! few threads that never sleep are faster than many that are woken. But a silent client or a slow
//! handler can hold a worker for long. So the last thread to leave `accept` wakes the supervisor, which
//! looks every half millisecond. If no worker has returned since its last look, the supervisor spawns
//! more: one, then two, then four.
//!
//! ```text
//! accept ─> register ─> a permit? ─ yes ─> serve the connection ─> unregister ─> accept
//!                           └ no ─> reject: 503, at most 16 at a time
//! ```
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

use super::connection::Connection;
use super::connections::{Entries, Entry, Identity, Permit};
use super::observer::Tapped;
use super::shared::{Scheduling, Shared, set_stream_options};
use super::transport::{Buffers, Io};
use crate::sys;

/// Threads that may wait in `accept`. A worker that returns from a connection to find so many ends.
const MAX_IDLE_ACCEPTORS: usize = 4;

/// Bytes of a worker's stack. The kernel provides a page when it is touched first, so an idle thread
/// does not use them all; handlers may.
const STACK_BYTES: usize = 256 * 1024;

/// Time between two looks of the supervisor while no thread waits in `accept`.
const POLL_INTERVAL: Duration = Duration::from_micros(500);

/// Threads that the supervisor spawns after one look, at most.
const MAX_SPAWNED_AT_ONCE: usize = 64;

/// Connections past the limit that are answered with 503 at one time. Further ones are closed without
/// an answer: each answer takes a thread, and the limit is there to save threads.
const MAX_REJECTING: usize = 16;

/// Time for an idle connection that was closed to free its descriptor and its thread, in a shortage of
/// either. It also gives the next idle connection time to send a request before it is closed in turn.
const MAKE_ROOM_PAUSE: Duration = Duration::from_millis(20);

/// Connections that are given their socket options one by one. They may have been made before the
/// listener had the options that its connections inherit; a backlog holds no more than these.
const FIRST_CONNECTIONS: u64 = 4096;

impl<S: Sync> Shared<'_, S> {
    /// Spawns workers when no thread waits in `accept` and none returns. Returns when the server is to
    /// stop. It runs on the thread that called [`Server::run`](super::server::Server::run).
    pub(super) fn supervise<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let (mut completed, mut to_spawn) = (0, 1);
        while self.wait_until_none_accepting() {
            thread::sleep(POLL_INTERVAL);
            let before =
                mem::replace(&mut completed, self.acceptor.completed.load(Ordering::Relaxed));
            let is_stuck = self.none_accepting() && completed == before;
            if !is_stuck {
                to_spawn = 1;
                continue;
            }
            let spawned = (0..to_spawn).try_for_each(|_| self.spawn_worker(scope));
            if let Err(error) = spawned {
                // The connections wait in the backlog: without more threads the server is slow, and
                // does not end.
                if self.acceptor.short_of_threads.allows() {
                    warn!("no thread can be spawned, so new connections wait: {error}");
                }
                self.make_room();
            }
            to_spawn = (2 * to_spawn).min(MAX_SPAWNED_AT_ONCE);
        }
    }

    /// Spawns one more worker.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn spawn_worker<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
    ) -> io::Result<()> {
        self.acceptor.accepting.fetch_add(1, Ordering::SeqCst);
        let spawned = worker_thread().spawn_scoped(scope, || self.accept_loop());
        if spawned.is_err() {
            self.acceptor.accepting.fetch_sub(1, Ordering::SeqCst);
        }
        spawned.map(drop)
    }

    /// The life of a worker: accept a connection, serve it, accept the next.
    fn accept_loop(&self) {
        if self.scheduling == Scheduling::Batch {
            sys::use_batch_scheduling();
        }
        let mut buffers = Buffers::new();
        let accepting = &self.acceptor.accepting;
        while let Some((stream, peer)) = self.accept() {
            let entry = self.register(stream, peer);
            if accepting.fetch_sub(1, Ordering::SeqCst) == 1 {
                self.wake_supervisor(); // no other thread waits in `accept`
            }
            self.serve_connection(&entry, &mut buffers);
            self.acceptor.completed.fetch_add(1, Ordering::Relaxed);
            // One atomic step: if each worker counted itself first and then left, all could leave at
            // once, and the supervisor would not be woken.
            let if_few_accept = |count| (count < MAX_IDLE_ACCEPTORS).then_some(count + 1);
            if accepting.fetch_update(Ordering::SeqCst, Ordering::SeqCst, if_few_accept).is_err() {
                return;
            }
        }
        accepting.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether no thread waits in `accept`.
    pub(super) fn none_accepting(&self) -> bool {
        self.acceptor.accepting.load(Ordering::SeqCst) == 0
    }

    fn wake_supervisor(&self) {
        if !self.acceptor.supervisor_is_awake.swap(true, Ordering::SeqCst) {
            self.connections.wake_all();
        }
    }

    /// Waits until no thread is in `accept`. Returns false if the server is stopping.
    fn wait_until_none_accepting(&self) -> bool {
        let is_fine = |_: &Entries| {
            // This is stored before the counter is read, so a thread that leaves `accept` after the
            // read wakes the supervisor.
            self.acceptor.supervisor_is_awake.store(false, Ordering::SeqCst);
            !self.none_accepting() && !self.connections.is_stopping()
        };
        drop(self.connections.wait_while(is_fine, None));
        !self.connections.is_stopping()
    }

    /// Closes the oldest idle connection in a shortage of descriptors or threads, and gives it time to
    /// end. An idle client must not keep out one that has a request.
    fn make_room(&self) {
        self.connections.close_oldest_idle();
        thread::sleep(MAKE_ROOM_PAUSE);
    }

    /// The next connection; `None` when the server is stopping. When descriptors run out (EMFILE), the
    /// listener goes on: an idle connection is closed, and `accept` is tried again.
    fn accept(&self) -> Option<(TcpStream, SocketAddr)> {
        loop {
            match self.listener.accept() {
                Ok(accepted) => return Some(accepted),
                Err(_) if self.connections.is_stopping() => return None,
                Err(error) => match error.kind() {
                    // The listener has the read timeout that its connections inherit.
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => {
                        if self.acceptor.short_of_descriptors.allows() {
                            error!("no connection can be accepted for now: {error}");
                        }
                        self.make_room();
                    }
                },
            }
        }
    }

    /// Numbers a new connection, sets its socket options and adds it to the registry.
    pub(super) fn register(&self, stream: TcpStream, peer: SocketAddr) -> Arc<Entry> {
        let number = self.acceptor.accepted.fetch_add(1, Ordering::Relaxed) + 1;
        let inherits = cfg!(target_os = "linux") && number > FIRST_CONNECTIONS;
        if !inherits {
            // If that fails, the connection is broken already, and its first read says so.
            let _ = set_stream_options(&stream, self.service.limits);
        }
        self.connections.register(Identity { number, peer }, stream)
    }

    /// Serves a registered connection from its first byte to its end, and unregisters it.
    pub(super) fn serve_connection(&self, entry: &Entry, buffers: &mut Buffers) {
        let Entry { identity, stream, .. } = entry;
        let Identity { number, peer } = *identity;
        // A handler's panic is caught where the handler is called. This one is for all other code: it
        // may end one connection, and never the server.
        let served = panic::catch_unwind(AssertUnwindSafe(|| match self.service.observer {
            None => self.serve_with_permit(stream, entry, buffers),
            Some(observer) => {
                observer.opened(number, peer);
                let io = Tapped::new(stream, number, observer);
                self.serve_with_permit(io, entry, buffers);
            }
        }));
        if served.is_err() {
            error!("connection {number} ended by a panic");
        }
        buffers.shrink();
        self.connections.unregister(entry);
    }

    /// Enforces the limit on connections: serves with a permit, and rejects with 503 without one.
    fn serve_with_permit(&self, io: impl Io, entry: &Entry, buffers: &mut Buffers) {
        let Entry { identity, idle, .. } = entry;
        let mut connection = Connection::new(&self.service, io, *identity, idle, buffers);
        let limit = self.service.limits.connections;
        if let Some(_permit) = Permit::acquire(&self.acceptor.active, limit) {
            return connection.serve();
        }
        if self.acceptor.full.allows() {
            warn!("{limit} connections are open, which is the limit; new ones get 503");
        }
        if let Some(_permit) = Permit::acquire(&self.acceptor.rejecting, MAX_REJECTING) {
            connection.reject();
        }
    }
}

/// A thread for connections.
pub(super) fn worker_thread() -> thread::Builder {
    thread::Builder::new().name("openkitchen".into()).stack_size(STACK_BYTES)
}

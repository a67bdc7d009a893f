//! # 1b. Who stands at the door?
//!
//! The Rust book's server has one thread that accepts, and a new one for every connection:
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
//! answering a request. So here the threads accept for themselves: each loops *accept, serve,
//! accept*, and one that comes back to find enough of them at the door goes home. Still one thread has
//! one connection at a time, and twice as many short ones are served (`make bench`, workload d).
//!
//! When all of them are busy, nobody stands at the door, which is well as long as somebody comes back
//! soon: a few threads that never sleep are faster than many that are woken. Somebody may not come
//! back, though, from a silent client or a slow handler. So whoever takes the last place wakes the
//! host, who glances at the door every half millisecond. Where nobody has come back since the last
//! glance, more are spawned: one, then two, then four.  Next: [`connections`](super::connections).

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, Scope};
use std::time::Duration;

use log::{error, warn};

use super::connection::Connection;
use super::connections::{Entries, Entry, IdleMark, Permit};
use super::observer::Tapped;
use super::shared::{Shared, set_options_of};
use super::transport::{Buffers, Io};

/// Threads that may wait at the door; those who come back later go home.
const MAX_IDLE_ACCEPTORS: usize = 4;

/// A thread's stack. Pages are taken as they are touched, so this is room for handlers, not memory.
const STACK_BYTES: usize = 256 * 1024;

/// Time between two glances at an empty door.
const POLL_INTERVAL: Duration = Duration::from_micros(500);

/// Threads that are spawned at one glance, at most.
const MAX_SPAWNED_AT_ONCE: usize = 64;

/// Connections beyond the cap that are told so. Those beyond them are just closed: telling them would
/// cost what the cap is there to save.
const MAX_REJECTING: usize = 16;

/// How long somebody who was hung up on has to leave, when the system has no descriptor or no thread left
/// for a new connection. So, too, the next one has time to ask before it is their turn.
const MAKE_ROOM_PAUSE: Duration = Duration::from_millis(20);

/// The first connections may have been made before the listener had its options, and have none: no
/// more than a backlog can hold.
const MAX_WITHOUT_OPTIONS: u64 = 4096;

impl<S: Sync> Shared<'_, S> {
    /// The host's work, until the shared closes.
    pub(super) fn supervise<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let (mut returned, mut to_spawn) = (0, 1);
        while self.wait_until_none_accepting() {
            thread::sleep(POLL_INTERVAL);
            let before =
                std::mem::replace(&mut returned, self.acceptor.completed.load(Ordering::Relaxed));
            let is_stuck = self.none_accepting() && returned == before;
            if !is_stuck {
                to_spawn = 1;
                continue;
            }
            let spawned = (0..to_spawn).try_for_each(|_| self.spawn_worker(scope));
            self.after_spawning(spawned);
            to_spawn = (2 * to_spawn).min(MAX_SPAWNED_AT_ONCE);
        }
    }

    /// Calls one more thread to the door.
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

    /// The life of a thread.
    fn accept_loop(&self) {
        let mut buffers = Buffers::new();
        while let Some((stream, peer)) = self.accept() {
            let registered = self.register(stream);
            if self.acceptor.accepting.fetch_sub(1, Ordering::SeqCst) == 1 {
                self.wake_supervisor(); // that was the last place
            }
            self.serve_connection(registered, peer, &mut buffers);
            self.acceptor.completed.fetch_add(1, Ordering::Relaxed);
            // Taking a place only to give it up again could leave the door empty and the host asleep.
            let if_few_accept = |waiting| (waiting < MAX_IDLE_ACCEPTORS).then_some(waiting + 1);
            let accepting = &self.acceptor.accepting;
            if accepting.fetch_update(Ordering::SeqCst, Ordering::SeqCst, if_few_accept).is_err() {
                return;
            }
        }
        self.acceptor.accepting.fetch_sub(1, Ordering::SeqCst);
    }

    pub fn none_accepting(&self) -> bool {
        self.acceptor.accepting.load(Ordering::SeqCst) == 0
    }

    pub fn wake_supervisor(&self) {
        if !self.acceptor.supervisor_is_awake.swap(true, Ordering::SeqCst) {
            self.connections.wake_all();
        }
    }

    /// Waits until nobody stands at the door; false when the shared is to close.
    pub fn wait_until_none_accepting(&self) -> bool {
        let all_is_well = |_: &Entries| {
            // Said before each look at the door, so that whoever leaves after the look wakes us.
            self.acceptor.supervisor_is_awake.store(false, Ordering::SeqCst);
            !self.none_accepting() && !self.connections.is_stopping()
        };
        drop(self.connections.wait_while(all_is_well, None));
        !self.connections.is_stopping()
    }

    /// Says once when no thread can be made, and has whoever is silent give theirs up. The connections
    /// wait in the backlog until one is free: a server without more threads is slow, and not gone.
    pub fn after_spawning(&self, spawned: io::Result<()>) {
        let Err(error) = spawned else { return };
        if self.acceptor.short_of_threads.allows() {
            warn!("no more threads can be made, so connections have to wait: {error}");
        }
        self.make_room();
    }

    /// Who is silent does not keep out who has something to ask.
    fn make_room(&self) {
        self.connections.close_oldest_idle();
        thread::sleep(MAKE_ROOM_PAUSE);
    }

    /// The next connection; `None` when no more are taken.
    pub fn accept(&self) -> Option<(TcpStream, SocketAddr)> {
        loop {
            match self.listener.accept() {
                Ok(accepted) => return Some(accepted),
                Err(_) if self.connections.is_stopping() => return None,
                Err(error) => match error.kind() {
                    // The listener has the timeout that its connections inherit: go round again.
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

    /// Puts a connection on the list.
    pub fn register(&self, stream: TcpStream) -> (u64, Arc<Entry>) {
        let number = self.acceptor.accepted.fetch_add(1, Ordering::Relaxed) + 1;
        let inherits = cfg!(target_os = "linux") && number > MAX_WITHOUT_OPTIONS;
        if !inherits {
            // Where that fails the connection is broken already, and its first read will tell.
            let _ = set_options_of(&stream, self.service.limits);
        }
        (number, self.connections.register(number, stream))
    }

    /// Serves a connection that is on the list, from its first byte to its end.
    pub fn serve_connection(
        &self,
        (number, entry): (u64, Arc<Entry>),
        peer: SocketAddr,
        buffers: &mut Buffers,
    ) {
        let Entry { stream, idle } = &*entry;
        // A handler's panic is caught and answered where it is called. This is for all else: one
        // connection may end by it, and never the server.
        let served = panic::catch_unwind(AssertUnwindSafe(|| match self.service.observer {
            None => self.serve_with_permit(stream, number, peer, idle, buffers),
            Some(observer) => {
                observer.opened(number, peer);
                let io = Tapped::new(stream, number, observer);
                self.serve_with_permit(io, number, peer, idle, buffers);
            }
        }));
        if served.is_err() {
            error!("connection {number} ended by a panic");
        }
        buffers.shrink();
        self.connections.unregister(number);
    }

    fn serve_with_permit(
        &self,
        io: impl Io,
        number: u64,
        peer: SocketAddr,
        idle: &IdleMark,
        buffers: &mut Buffers,
    ) {
        let mut connection = Connection::new(&self.service, io, number, peer, idle, buffers);
        let cap = self.service.limits.connections;
        if let Some(_seat) = Permit::acquire(&self.acceptor.active, cap) {
            return connection.serve();
        }
        if self.acceptor.full.allows() {
            warn!("all {cap} connections are taken; new ones are told 503");
        }
        if let Some(_seat) = Permit::acquire(&self.acceptor.rejecting, MAX_REJECTING) {
            connection.reject();
        }
    }
}

/// A thread for connections.
pub(super) fn worker_thread() -> thread::Builder {
    thread::Builder::new().name("openkitchen".into()).stack_size(STACK_BYTES)
}

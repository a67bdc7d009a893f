//! # Graceful shutdown: answer what was received, then close every socket
//!
//! ```text
//! stop()                 the flag is set: each response says `Connection: close` from now on
//! accept_pending         connections in the kernel's backlog are accepted, for 50 ms at most
//! FINAL_REQUEST_WAIT     for 50 ms, idle connections may still send a request
//! close_idle             connections that wait for a request are closed
//! grace time             requests in flight are answered; after it, the other connections are cut off
//! stop_at_once()         in a test: without FINAL_REQUEST_WAIT; connections with a part of a request are
//!                        closed too, and those whose client takes no byte
//! ```
//! Rule: RFC 9112 section 9.6.  Next: [`throttle`](super::throttle).

use std::collections::HashMap;
use std::io::{ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use log::warn;

use super::connections::{Entries, Entry, FINAL_REQUEST_WAIT};
use super::shared::{Acceptor, Serve, Shared};
use crate::message::counted::counted;
use crate::sys;

/// Time for which connections are accepted from each backlog of a stopping server. Without a limit,
/// new clients could keep the server running.
const ACCEPT_PENDING_TIME: Duration = Duration::from_millis(50);

/// Time between two tries to accept a pending connection while no descriptor is free.
const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(1);

/// Time between two checks whether a worker still accepts. It ends in a moment, and a test may
/// start and stop many servers.
const ACCEPT_END_PAUSE: Duration = Duration::from_micros(50);

/// Time to read what has arrived before the reading half is shut, on systems other than Linux.
const UNREAD_WAIT: Duration = Duration::from_millis(5);

/// How long a client may take no byte of its response if the server stops at once.
const STUCK_WAIT: Duration = Duration::from_millis(40);

/// Time for a connection of the server to itself, which wakes a thread in `accept`.
const WAKE_CONNECT_TIMEOUT: Duration = Duration::from_millis(100);

impl<T: Serve> Shared<'_, T> {
    /// The graceful shutdown: ends all connections within the grace time ([`Limits::grace`]). Idle ones
    /// end soon, others when they are answered. Returns those that are left, for the caller to cut off.
    ///
    /// [`Limits::grace`]: crate::Limits::grace
    pub fn shutdown<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> Vec<Arc<Entry>> {
        let deadline = Instant::now() + self.limits.grace;
        for acceptor in &self.acceptors {
            self.accept_pending(scope, acceptor);
        }
        // A worker may have accepted a connection that is not in the registry yet.
        let is_accepting = |acceptor: &Acceptor| !acceptor.none_accepting();
        while self.acceptors.iter().any(is_accepting) && Instant::now() < deadline {
            thread::sleep(ACCEPT_END_PAUSE);
        }
        // Each response now closes its connection, so a client that sends a request within this time
        // is answered, and need not be cut off.
        let Shared { connections, .. } = self;
        let idle_deadline = deadline.min(Instant::now() + FINAL_REQUEST_WAIT);
        let may_wait =
            |entries: &Entries| !entries.is_empty() && !connections.is_stopping_at_once();
        drop(connections.wait_while(may_wait, Some(idle_deadline)));
        if !connections.is_stopping_at_once() {
            connections.close_idle();
            drop(connections.wait_while(may_wait, Some(deadline)));
        }
        if connections.is_stopping_at_once() {
            // BSD systems drop what has arrived when the reading half is shut, so it is read before.
            if !cfg!(target_os = "linux") {
                let until = Some(deadline.min(Instant::now() + UNREAD_WAIT));
                drop(connections.wait_while(|entries| !entries.is_empty(), until));
            }
            connections.close_waiting();
            self.cut_off_stuck(deadline);
        }
        let left = connections.wait_while(|entries| !entries.is_empty(), Some(deadline));
        // An idle connection may still be there: the grace time was short, or watch's server does not
        // close.
        let cut_off = left.values().filter(|entry| !entry.idle.was_closed()).count();
        if cut_off > 0 {
            let cut_off = counted(cut_off, "connection was", "connections were");
            warn!("{cut_off} cut off at the end of the grace time");
        }
        left.values().map(Arc::clone).collect()
    }

    /// Cuts off each connection whose client takes no byte for [`STUCK_WAIT`]. Returns when none is left,
    /// or at the deadline.
    fn cut_off_stuck(&self, deadline: Instant) {
        let (mut before, mut wait) = (HashMap::new(), Duration::ZERO);
        loop {
            let until = Some(deadline.min(Instant::now() + wait));
            let left = self.connections.wait_while(|entries| !entries.is_empty(), until);
            if left.is_empty() || Instant::now() >= deadline {
                return;
            }
            for (&number, entry) in &*left {
                let not_taken = sys::unacknowledged(&entry.stream);
                if not_taken > 0 && before.insert(number, not_taken) == Some(not_taken) {
                    entry.cut_off();
                }
            }
            wait = STUCK_WAIT;
        }
    }

    /// Accepts the connections that wait in the backlog, serves each on a thread of its own, and ends
    /// the `accept` of every worker. The kernel has completed these connections, so they must be
    /// answered, also from a service manager's listener: all that are accepted within
    /// [`ACCEPT_PENDING_TIME`]. To shut the listener resets those that are left in the backlog, so it comes
    /// last.
    fn accept_pending<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, acceptor: &Acceptor) {
        if let Err(error) = acceptor.listener.set_nonblocking(true) {
            warn!("connections in the backlog may be reset: {error}");
        }
        let deadline = Instant::now() + ACCEPT_PENDING_TIME;
        let mut pending = Vec::new();
        while Instant::now() < deadline {
            match acceptor.listener.accept() {
                Ok((stream, peer)) => pending.push(self.register(stream, peer)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // No descriptor is free (EMFILE). An idle connection is closed now instead of a little
                // later.
                Err(error) if sys::is_shortage(&error) => {
                    self.connections.close_oldest_idle(|| usize::MAX);
                    thread::sleep(ACCEPT_RETRY_PAUSE);
                }
                Err(_) => {} // a connection that has ended already
            }
        }
        acceptor.wake();
        for entry in pending {
            let served = Arc::clone(&entry);
            let serve = move || self.serve_connection(&served, &mut T::Buffers::default());
            if let Err(error) = self.spawn(scope, serve) {
                self.connections.unregister(&entry, None);
                if self.counters.short_of_threads.allows() {
                    warn!("connections in the backlog were closed: {error}");
                }
            }
        }
    }
}

impl Acceptor {
    /// Ends every `accept` that waits. On Linux, `shutdown` of a listening socket does it. One that a service
    /// manager has opened is not shut, since clients wait in its backlog until the service starts again:
    /// there, a byte in the pipe ends every poll(2).
    fn wake(&self) {
        if let Some((_, writer)) = &self.wake_pipe {
            // The byte is never read, so it ends each wait. The pipe is empty, so the write does not fail.
            let mut writer = writer;
            let _ = writer.write_all(b"\n");
            return;
        }
        let shut = |socket: &TcpStream| socket.shutdown(Shutdown::Both).is_ok();
        if self.shutter.as_ref().is_some_and(shut) {
            return;
        }
        // Otherwise a connection wakes one thread in `accept`. The listener is non-blocking by now, so the
        // next `accept` of that thread fails at once, and the thread ends.
        while !self.none_accepting() {
            let before = self.accepting.load(Ordering::SeqCst);
            let is_connected = self.listener.connect_once(WAKE_CONNECT_TIMEOUT).is_ok();
            let (deadline, remain) = (Instant::now() + WAKE_CONNECT_TIMEOUT, || {
                self.accepting.load(Ordering::SeqCst) >= before
            });
            while is_connected && remain() && Instant::now() < deadline {
                thread::sleep(ACCEPT_END_PAUSE);
            }
            if !is_connected || remain() {
                // Better a listener that is shut than a thread that waits for ever. Its address may be that of
                // another one by now, such as the path of a Unix socket.
                let is_shut = self.shutter.as_ref().is_some_and(shut);
                if is_shut || !is_connected {
                    return;
                }
            }
        }
    }
}

//! # 1f. The server stops
//!
//! Closing time: nobody new, an answer for everybody who asked, and after the grace time the lights go
//! out.  Next: [`throttle`](super::throttle).

use std::io::ErrorKind;
use std::net::{Shutdown, TcpStream};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use log::warn;

use super::accept::worker_thread;
use super::connections::FINAL_REQUEST_WAIT;
use super::shared::Shared;
use super::transport::Buffers;

/// How long connections are still taken out of the backlog of a server that stops. There is no end of
/// them where new clients keep coming.
const ACCEPT_PENDING_TIME: Duration = Duration::from_millis(50);

/// Time between two tries to take one.
const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(1);

impl<S: Sync> Shared<'_, S> {
    /// Closes the shared.
    pub fn shutdown<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let deadline = Instant::now() + self.service.limits.grace;
        self.accept_pending(scope);
        // From now on each answer says goodbye: whoever asks need not be hung up on.
        let last_call = deadline.min(Instant::now() + FINAL_REQUEST_WAIT);
        drop(self.connections.wait_while(|entries| !entries.is_empty(), Some(last_call)));
        self.connections.close_idle();
        let left = self.connections.wait_while(|entries| !entries.is_empty(), Some(deadline));
        if !left.is_empty() {
            warn!("{} connections were cut off at the end of the grace time", left.len());
        }
        for entry in left.values() {
            let _ = entry.stream.shutdown(Shutdown::Both);
        }
    }

    /// Who has connected before now was let in by the system, and is owed an answer. Shutting the
    /// listener would reset those who still wait in its backlog, so they are taken out first.
    fn accept_pending<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        if let Err(error) = self.listener.set_nonblocking(true) {
            warn!("those who wait to be accepted may be turned away: {error}");
        }
        let until = Instant::now() + ACCEPT_PENDING_TIME;
        let mut last = Vec::new();
        while Instant::now() < until {
            match self.listener.accept() {
                Ok((stream, peer)) => last.push((self.register(stream), peer)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // No descriptor is free: who is silent will be let go anyway.
                Err(_) => {
                    self.connections.close_oldest_idle();
                    thread::sleep(ACCEPT_RETRY_PAUSE);
                }
            }
        }
        self.wake_acceptors();
        for (registered, peer) in last {
            let number = registered.0;
            let serve = move || {
                // On the BSDs a socket inherits this from its listener.
                let _ = registered.1.stream.set_nonblocking(false);
                self.serve_connection(registered, peer, &mut Buffers::new());
            };
            if let Err(error) = worker_thread().spawn_scoped(scope, serve) {
                self.connections.unregister(number);
                if self.acceptor.short_of_threads.allows() {
                    warn!("connections were turned away at the end: {error}");
                }
            }
        }
    }

    /// Ends the accepts that wait. On Linux, shutting a listening socket does it.
    fn wake_acceptors(&self) {
        let shut = |socket: &TcpStream| socket.shutdown(Shutdown::Both).is_ok();
        if self.shutter.as_ref().is_some_and(shut) {
            return;
        }
        // Elsewhere each has to be knocked for: those who come back to a listener that does not block
        // find that the shared is closing.
        while !self.none_accepting() {
            let Ok(address) = self.listener.local_addr() else { return };
            if TcpStream::connect_timeout(&address, Duration::from_millis(100)).is_err() {
                return;
            }
        }
    }
}

//! # 1d. From the door to a seat, and closing time
//!
//! ```text
//! accept ─> on the list ─> a seat?  ─ yes ─> the conversation ─> off the list
//!                             └ no ─> 503, if not too many are being told so
//! ```
//! Closing time: nobody new, an answer for everybody who asked, and after the grace time the lights go
//! out.  Next: [`trouble`](super::trouble).

use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use log::{error, warn};

use super::connection::{Connection, LAST_CALL, Service};
use super::door::a_thread;
use super::hall::{Guest, Guests, Hall, Idle, Seat};
use super::tap::Tapped;
use super::transport::{Buffers, Line};
use super::trouble::Trouble;
use crate::message::limits::Limits;

/// Everything that the threads of one run share.
pub(super) struct House<'a, S: 'static> {
    listener: TcpListener,
    /// What shuts it. Made at the beginning: at the end there may be no descriptor for it.
    shutter: Option<TcpStream>,
    service: Service<'a, S>,
    hall: &'a Hall,
    pub door: Door,
}

/// Counters, and what is said once.
#[derive(Default)]
pub(super) struct Door {
    /// Threads that wait there, or are on their way.
    pub waiting: AtomicUsize,
    /// Threads that came back from a connection so far.
    pub returned: AtomicU64,
    /// The host is awake, or has been woken.
    host_is_awake: AtomicBool,
    /// Connections that came in so far.
    came: AtomicU64,
    /// Connections that are served.
    seated: AtomicUsize,
    /// Connections beyond the cap that are being told so.
    told_to_wait: AtomicUsize,
    short_of_threads: Trouble,
    short_of_descriptors: Trouble,
    full: Trouble,
}

/// Connections beyond the cap that are told so. Those beyond them are just closed: telling them would
/// cost what the cap is there to save.
const TOLD_TO_WAIT: usize = 16;

/// How long somebody who was hung up on has to leave, when the system has no descriptor or no thread left
/// for a new connection. So, too, the next one has time to ask before it is their turn.
const TIME_TO_LEAVE: Duration = Duration::from_millis(20);

/// How long connections are still taken out of the backlog of a server that stops. There is no end of
/// them where new clients keep coming.
const LAST_GUESTS: Duration = Duration::from_millis(50);

/// Time between two tries to take one.
const BETWEEN_TRIES: Duration = Duration::from_millis(1);

/// The first connections may have been made before the listener had its options, and have none: no
/// more than a backlog can hold.
const EARLY: u64 = 4096;

impl<'a, S: Sync> House<'a, S> {
    /// Sets the listener up, too.
    ///
    /// # Errors
    /// What the system says to that.
    pub fn new(
        listener: TcpListener,
        service: Service<'a, S>,
        hall: &'a Hall,
    ) -> io::Result<House<'a, S>> {
        let shutter = set_options(&listener, service.limits)?;
        Ok(House { listener, shutter, service, hall, door: Door::default() })
    }

    pub fn nobody_is_there(&self) -> bool {
        self.door.waiting.load(Ordering::SeqCst) == 0
    }

    pub fn wake_the_host(&self) {
        if !self.door.host_is_awake.swap(true, Ordering::SeqCst) {
            self.hall.wake_all();
        }
    }

    /// Waits until nobody stands at the door; false when the house is to close.
    pub fn until_nobody_is_there(&self) -> bool {
        let all_is_well = |_: &Guests| {
            // Said before each look at the door, so that whoever leaves after the look wakes us.
            self.door.host_is_awake.store(false, Ordering::SeqCst);
            !self.nobody_is_there() && !self.hall.is_stopping()
        };
        drop(self.hall.wait_while(all_is_well, None));
        !self.hall.is_stopping()
    }

    /// Says once when no thread can be made, and has whoever is silent give theirs up. The connections
    /// wait in the backlog until one is free: a server without more threads is slow, and not gone.
    pub fn say_whether_short_of_threads(&self, called: io::Result<()>) {
        let Err(error) = called else { return };
        if self.door.short_of_threads.is_news() {
            warn!("no more threads can be made, so connections have to wait: {error}");
        }
        self.let_one_go();
    }

    /// Who is silent does not keep out who has something to ask.
    fn let_one_go(&self) {
        self.hall.let_one_go();
        thread::sleep(TIME_TO_LEAVE);
    }

    /// The next connection; `None` when no more are taken.
    pub fn accept(&self) -> Option<(TcpStream, SocketAddr)> {
        loop {
            match self.listener.accept() {
                Ok(accepted) => return Some(accepted),
                Err(_) if self.hall.is_stopping() => return None,
                Err(error) => match error.kind() {
                    // The listener has the timeout that its connections inherit: go round again.
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => {
                        if self.door.short_of_descriptors.is_news() {
                            error!("no connection can be accepted for now: {error}");
                        }
                        self.let_one_go();
                    }
                },
            }
        }
    }

    /// Puts a connection on the list.
    pub fn admit(&self, stream: TcpStream) -> (u64, Arc<Guest>) {
        let number = self.door.came.fetch_add(1, Ordering::Relaxed) + 1;
        let inherits = cfg!(target_os = "linux") && number > EARLY;
        if !inherits {
            // Where that fails the connection is broken already, and its first read will tell.
            let _ = set_options_of(&stream, self.service.limits);
        }
        (number, self.hall.enter(number, stream))
    }

    /// Serves a connection that is on the list, from its first byte to its end.
    pub fn welcome(
        &self,
        (number, guest): (u64, Arc<Guest>),
        peer: SocketAddr,
        buffers: &mut Buffers,
    ) {
        let Guest { stream, idle } = &*guest;
        // A handler's panic is caught and answered where it is called. This is for all else: one
        // connection may end by it, and never the server.
        let served = panic::catch_unwind(AssertUnwindSafe(|| match self.service.observer {
            None => self.serve(stream, number, peer, idle, buffers),
            Some(observer) => {
                observer.opened(number, peer);
                let line = Tapped::new(stream, number, observer);
                self.serve(line, number, peer, idle, buffers);
            }
        }));
        if served.is_err() {
            error!("connection {number} ended by a panic");
        }
        buffers.shrink();
        self.hall.leave(number);
    }

    fn serve(
        &self,
        line: impl Line,
        number: u64,
        peer: SocketAddr,
        idle: &Idle,
        buffers: &mut Buffers,
    ) {
        let mut connection = Connection::new(&self.service, line, number, peer, idle, buffers);
        let cap = self.service.limits.connections;
        if let Some(_seat) = Seat::take(&self.door.seated, cap) {
            return connection.converse();
        }
        if self.door.full.is_news() {
            warn!("all {cap} connections are taken; new ones are told 503");
        }
        if let Some(_seat) = Seat::take(&self.door.told_to_wait, TOLD_TO_WAIT) {
            connection.turn_away();
        }
    }

    /// Closes the house.
    pub fn close<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let deadline = Instant::now() + self.service.limits.grace;
        self.let_the_last_in(scope);
        // From now on each answer says goodbye: whoever asks need not be hung up on.
        let last_call = deadline.min(Instant::now() + LAST_CALL);
        drop(self.hall.wait_while(|guests| !guests.is_empty(), Some(last_call)));
        self.hall.let_the_idle_go();
        let left = self.hall.wait_while(|guests| !guests.is_empty(), Some(deadline));
        if !left.is_empty() {
            warn!("{} connections were cut off at the end of the grace time", left.len());
        }
        for guest in left.values() {
            let _ = guest.stream.shutdown(Shutdown::Both);
        }
    }

    /// Who has connected before now was let in by the system, and is owed an answer. Shutting the
    /// listener would reset those who still wait in its backlog, so they are taken out first.
    fn let_the_last_in<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        if let Err(error) = self.listener.set_nonblocking(true) {
            warn!("those who wait to be accepted may be turned away: {error}");
        }
        let until = Instant::now() + LAST_GUESTS;
        let mut last = Vec::new();
        while Instant::now() < until {
            match self.listener.accept() {
                Ok((stream, peer)) => last.push((self.admit(stream), peer)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // No descriptor is free: who is silent will be let go anyway.
                Err(_) => {
                    self.hall.let_one_go();
                    thread::sleep(BETWEEN_TRIES);
                }
            }
        }
        self.wake_those_at_the_door();
        for (admitted, peer) in last {
            let number = admitted.0;
            let serve = move || {
                // On the BSDs a socket inherits this from its listener.
                let _ = admitted.1.stream.set_nonblocking(false);
                self.welcome(admitted, peer, &mut Buffers::new());
            };
            if let Err(error) = a_thread().spawn_scoped(scope, serve) {
                self.hall.leave(number);
                if self.door.short_of_threads.is_news() {
                    warn!("connections were turned away at the end: {error}");
                }
            }
        }
    }

    /// Ends the accepts that wait. On Linux, shutting a listening socket does it.
    fn wake_those_at_the_door(&self) {
        let shut = |socket: &TcpStream| socket.shutdown(Shutdown::Both).is_ok();
        if self.shutter.as_ref().is_some_and(shut) {
            return;
        }
        // Elsewhere each has to be knocked for: those who come back to a listener that does not block
        // find that the house is closing.
        while !self.nobody_is_there() {
            let Ok(address) = self.listener.local_addr() else { return };
            if TcpStream::connect_timeout(&address, Duration::from_millis(100)).is_err() {
                return;
            }
        }
    }
}

/// The timeouts, and TCP_NODELAY, without which a second write waits 40 ms for the client's
/// acknowledgement of the first.
fn set_options_of(stream: &TcpStream, limits: &Limits) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(limits.idle_timeout))?;
    stream.set_write_timeout(Some(limits.write_timeout))
}

/// Sets on the listener what its connections inherit on Linux, so that none of them needs a system
/// call for it. Gives the listening socket as std's other type, which has the calls that this one lacks.
#[cfg(unix)]
pub(super) fn set_options(
    listener: &TcpListener,
    limits: &Limits,
) -> io::Result<Option<TcpStream>> {
    let stream = TcpStream::from(std::os::fd::OwnedFd::from(listener.try_clone()?));
    set_options_of(&stream, limits)?;
    Ok(Some(stream))
}

/// Elsewhere each connection has its options set when it is admitted.
#[cfg(not(unix))]
pub(super) fn set_options(_: &TcpListener, _: &Limits) -> io::Result<Option<TcpStream>> {
    Ok(None)
}

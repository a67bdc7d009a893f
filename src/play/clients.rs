//! # The client: its connections, each with a thread that reads from it
//!
//! The reader threads read all the time, so bytes of the server are seen while the client sends. The
//! events of all connections go into one queue, in the order in which they happen.
//!
//! ```text
//! reader of @1 ─┐
//! reader of @2 ─┼─ queue ─ Clients::next(deadline) ─ the player
//! input        ─┘
//! ```
//! If the queue is full, the reader threads wait, and with them the server.  Next: `crossed`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::connect;
use crate::message::dialogue::{Dialogue, Side};
use crate::message::responses::ResponseCollector;
use crate::net::transport::Io;
use crate::sys;

/// Bytes of one read at most.
const READ_BYTES: usize = 64 * 1024;

/// How long one read of the reader thread waits at most, before the next one.
const READ_WAIT: Duration = Duration::from_secs(3600);

/// How long a write waits for room in the send buffer. After that, the player takes events.
const WRITE_TIMEOUT: Duration = Duration::from_millis(50);

/// How long the reader thread waits for a reset after a close without a byte. A server that closes at
/// once sends a FIN, and answers the request that then arrives with an RST.
const RESET_WAIT: Duration = Duration::from_millis(10);

/// The longest wait until what was sent before a reset has arrived.
const ARRIVAL_WAIT: Duration = Duration::from_secs(1);

/// How long a reset waits until the reader thread has let go of the socket, and how often it looks.
const READER_END_WAIT: Duration = Duration::from_millis(100);
const READER_END_PAUSE: Duration = Duration::from_micros(100);

/// Something that happened, for the player.
pub struct ClientEvent {
    pub source: EventSource,
    pub at: Instant,
    pub kind: ClientEventKind,
}

/// Where it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventSource {
    /// On the connection with this number. A transcript may open a connection again, so the sockets are
    /// counted too.
    Connection { number: u32, socket: u64 },
    /// In a thread that reads what the client is to send.
    Input,
}

/// What happened.
pub enum ClientEventKind {
    /// Bytes were read: those of one read.
    Bytes(Vec<u8>),
    /// There are no more bytes. The server has closed the connection, or its side of it.
    End,
    /// The server has reset the connection.
    Reset,
}

/// Whether and how the server has ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has not: more bytes may arrive.
    Open,
    /// It has closed the connection, or its side of it.
    Closed,
    /// It has reset the connection.
    Reset,
}

/// Takes what the server does on a connection.
pub trait ServerEvents {
    /// Takes the bytes of one read.
    fn received(&mut self, bytes: &[u8]);

    /// Takes the end of the connection.
    fn ended(&mut self, how: Ended);
}

impl ServerEvents for Dialogue {
    fn received(&mut self, bytes: &[u8]) {
        self.follow(Side::Server, bytes);
    }

    fn ended(&mut self, how: Ended) {
        // A reset completes no content.
        if how == Ended::Closed {
            self.end(Side::Server);
        }
    }
}

impl ServerEvents for ResponseCollector {
    fn received(&mut self, bytes: &[u8]) {
        ResponseCollector::received(self, bytes);
    }

    fn ended(&mut self, how: Ended) {
        if how == Ended::Closed {
            self.end();
        }
    }
}

/// The connections of a client by their numbers, each with what the player knows of it.
pub struct Clients<F> {
    addresses: Vec<SocketAddr>,
    /// How long an attempt to connect may take.
    timeout: Duration,
    connections: BTreeMap<u32, ClientConnection<F>>,
    /// How many sockets were opened.
    sockets: u64,
    queue: (SyncSender<ClientEvent>, Receiver<ClientEvent>),
    /// An event that happened after a deadline, and was not taken.
    late: Option<ClientEvent>,
}

impl<F: ServerEvents + Default> Clients<F> {
    /// A client of the server at these addresses, without a connection. At most so many events wait for
    /// the player.
    pub fn new(addresses: Vec<SocketAddr>, timeout: Duration, queue_length: usize) -> Clients<F> {
        let (connections, queue) = (BTreeMap::new(), sync_channel(queue_length));
        Clients { addresses, timeout, connections, sockets: 0, queue, late: None }
    }

    /// Returns the connection with that number. If there is none, opens it and starts its reader thread.
    ///
    /// # Errors
    /// No connection, or no thread.
    pub fn open(&mut self, number: u32) -> io::Result<&mut ClientConnection<F>> {
        let entry = match self.connections.entry(number) {
            Entry::Occupied(connection) => return Ok(connection.into_mut()),
            Entry::Vacant(entry) => entry,
        };
        self.sockets += 1;
        let source = EventSource::Connection { number, socket: self.sockets };
        let stream = connect::connect(&self.addresses, self.timeout)?;
        Ok(entry.insert(ClientConnection::start(source, stream, self.queue.0.clone())?))
    }

    /// The connection with that number, if there is one.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut ClientConnection<F>> {
        self.connections.get_mut(&number)
    }

    /// Closes the connection with that number, and forgets it.
    pub fn remove(&mut self, number: u32) {
        self.connections.remove(&number);
    }

    /// Resets the connection with that number. Where the system cannot, closes it. What was written
    /// before arrives first.
    pub fn reset(&mut self, number: u32) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let Some(stream) = connection.stream.take() else { return };
        (connection.is_write_closed, connection.is_closed) = (true, true);
        if (&*stream).reset_at_end(ARRIVAL_WAIT, &|| false).is_err() {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
        // It wakes the reader, and sends nothing. The last holder of the socket sends the reset: that is
        // the reader only if the queue is full, since it lets go of the socket before its last event.
        let _ = stream.shutdown(Shutdown::Read);
        let deadline = Instant::now() + READER_END_WAIT;
        while Arc::strong_count(&stream) > 1 && Instant::now() < deadline {
            thread::sleep(READER_END_PAUSE);
        }
    }

    /// All connections, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &ClientConnection<F>)> {
        self.connections.iter().map(|(number, connection)| (*number, connection))
    }

    /// The sending end of the queue, for a thread that reads what the client is to send.
    pub fn sender(&self) -> SyncSender<ClientEvent> {
        self.queue.0.clone()
    }

    /// Waits for the next event, and tells the follower. Returns `None` if there was none before the
    /// deadline. After it, only events that happened before it are taken: so a server that sends without
    /// end does not delay the player. A later event is kept for the next call.
    pub fn next(&mut self, deadline: Option<Instant>) -> Option<ClientEvent> {
        loop {
            let passed = deadline.filter(|&deadline| deadline <= Instant::now());
            let queue = &self.queue.1;
            let event = match (self.late.take(), deadline) {
                (Some(event), _) => event,
                (None, None) => queue.recv().ok()?,
                (None, Some(deadline)) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    queue.recv_timeout(left).ok()?
                }
            };
            if passed.is_some_and(|deadline| event.at > deadline) {
                self.late = Some(event);
                return None;
            }
            let EventSource::Connection { number, .. } = event.source else { return Some(event) };
            let connection = self.connections.get_mut(&number);
            // What arrives after the client has closed is no part of the transcript.
            let is_current =
                |it: &&mut ClientConnection<F>| it.source == event.source && !it.is_closed;
            let Some(connection) = connection.filter(is_current) else { continue };
            match &event.kind {
                ClientEventKind::Bytes(bytes) => connection.state.received(bytes),
                ClientEventKind::End => connection.end(Ended::Closed),
                ClientEventKind::Reset => {
                    connection.is_write_closed = true;
                    connection.end(Ended::Reset);
                }
            }
            return Some(event);
        }
    }
}

/// A connection to the server. It is closed when it is dropped.
pub struct ClientConnection<F> {
    /// `None` after a reset: the system sends it when the last holder of the socket lets go of it.
    stream: Option<Arc<TcpStream>>,
    source: EventSource,
    /// What the player knows of it.
    pub state: F,
    /// Whether the server has ended the connection.
    pub ended: Ended,
    /// Whether the client has closed the connection.
    pub is_closed: bool,
    /// Whether the client can send no more.
    pub is_write_closed: bool,
}

impl<F: ServerEvents + Default> ClientConnection<F> {
    fn start(
        source: EventSource,
        stream: TcpStream,
        queue: SyncSender<ClientEvent>,
    ) -> io::Result<ClientConnection<F>> {
        stream.set_nodelay(true)?; // each write is sent at once, as a segment of its own
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        stream.set_read_timeout(Some(sys::read_slice(READ_WAIT)))?;
        let stream = Arc::new(stream);
        let read_stream = Arc::clone(&stream);
        let read = move || read_to_end(read_stream, source, &queue);
        sys::spawn("reader", read)?;
        Ok(ClientConnection {
            stream: Some(stream),
            source,
            state: F::default(),
            ended: Ended::Open,
            is_closed: false,
            is_write_closed: false,
        })
    }

    fn end(&mut self, how: Ended) {
        self.ended = how;
        self.state.ended(how);
    }

    /// The address of the server.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn peer(&self) -> io::Result<SocketAddr> {
        self.stream.as_ref().ok_or(ErrorKind::NotConnected)?.peer_addr()
    }

    /// The address of this side.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.stream.as_ref().ok_or(ErrorKind::NotConnected)?.local_addr()
    }

    /// Whether the server may still send.
    pub fn is_open(&self) -> bool {
        self.ended == Ended::Open && !self.is_closed
    }

    /// Writes as many bytes as the send buffer takes. Returns `None` if it took none in time, and 0 if
    /// the client can send no more.
    pub fn write(&self, bytes: &[u8]) -> Option<usize> {
        let Some(stream) = self.stream.as_ref().filter(|_| !self.is_write_closed) else {
            return Some(0);
        };
        match (&**stream).write(bytes) {
            Ok(length) => Some(length),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => None,
                _ => Some(0),
            },
        }
    }

    /// Closes this side: the client sends no more.
    pub fn half_close(&mut self) {
        self.is_write_closed = true;
        self.shutdown(Shutdown::Write);
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        (self.is_write_closed, self.is_closed) = (true, true);
        self.shutdown(Shutdown::Both);
    }
}

impl<F> ClientConnection<F> {
    /// It fails if the server has closed before.
    fn shutdown(&self, how: Shutdown) {
        if let Some(stream) = &self.stream {
            let _ = stream.shutdown(how);
        }
    }
}

impl<F> Drop for ClientConnection<F> {
    /// Closes the connection, and so ends the reader thread, which holds the socket too.
    fn drop(&mut self) {
        self.shutdown(Shutdown::Both);
    }
}

/// Reads until there are no more bytes, and puts what happens into the queue.
fn read_to_end(stream: Arc<TcpStream>, source: EventSource, queue: &SyncSender<ClientEvent>) {
    let mut buffer = vec![0; READ_BYTES];
    let mut has_read = false;
    let last = loop {
        let kind = match (&*stream).read(&mut buffer) {
            Ok(0) if !has_read && resets_soon(&stream) => break ClientEventKind::Reset,
            Ok(0) => break ClientEventKind::End,
            Ok(length) => {
                has_read = true;
                ClientEventKind::Bytes(buffer[..length].to_vec())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if sys::is_read_timeout(&error) => continue,
            Err(error) if sys::is_shut(&error) => break ClientEventKind::End,
            Err(_) => break ClientEventKind::Reset,
        };
        if queue.send(ClientEvent { source, at: Instant::now(), kind }).is_err() {
            return;
        }
    };
    drop(stream);
    let _ = queue.send(ClientEvent { source, at: Instant::now(), kind: last });
}

/// Whether a reset follows the server's close.
fn resets_soon(stream: &TcpStream) -> bool {
    thread::sleep(RESET_WAIT);
    matches!(stream.take_error(), Ok(Some(_)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn listener() -> (TcpListener, Clients<Dialogue>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addresses = vec![listener.local_addr().unwrap()];
        (listener, Clients::new(addresses, Duration::from_secs(5), 4))
    }

    #[test]
    fn a_server_that_sends_without_end_delays_no_deadline_and_no_byte_is_lost() {
        let (listener, mut clients) = listener();
        clients.open(1).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let goes_on = Arc::new(AtomicBool::new(true));
        let server_goes_on = Arc::clone(&goes_on);
        let sender = thread::spawn(move || {
            let mut writes = 0;
            while server_goes_on.load(Ordering::Relaxed) {
                server.write_all(&[b'x'; 1000]).unwrap();
                writes += 1;
            }
            writes * 1000
        });
        for _ in 0..3 {
            let deadline = Instant::now() + Duration::from_millis(20);
            while clients.next(Some(deadline)).is_some() {
                assert!(deadline.elapsed() < Duration::from_secs(5));
            }
        }
        goes_on.store(false, Ordering::Relaxed);
        while clients.get_mut(1).unwrap().is_open() {
            clients.next(None);
        }
        let received = clients.get_mut(1).unwrap().state.progress(Side::Server).total;
        assert_eq!(received, sender.join().unwrap());
    }

    #[test]
    fn a_connection_that_is_opened_again_gets_nothing_of_the_one_before() {
        let (listener, mut clients) = listener();
        clients.open(1).unwrap();
        let (mut first, _) = listener.accept().unwrap();
        first.write_all(b"first").unwrap();
        clients.remove(1);
        clients.open(1).unwrap();
        let (mut second, _) = listener.accept().unwrap();
        let _ = first.read(&mut [0; 9]); // it returns when the first connection is closed
        thread::sleep(Duration::from_millis(20)); // its events are in the queue
        second.write_all(b"second").unwrap();
        let event = clients.next(None).expect("an event");
        assert!(matches!(event.kind, ClientEventKind::Bytes(bytes) if bytes == b"second"));
        assert_eq!(clients.get_mut(1).unwrap().ended, Ended::Open);
    }
}

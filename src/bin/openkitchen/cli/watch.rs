//! # Watching somebody else's kitchen
//!
//! What does *your* framework say, under all its decorators?
//!
//! ```text
//! curl ── 127.0.0.1:5001 ── openkitchen watch 5000 ── 127.0.0.1:5000 ── flask
//!                             └─ the transcript
//! ```
//! Watch stands in front of any server and copies bytes both ways: not one is changed, added or held
//! back, so it works for whatever runs on TCP, and for broken HTTP above all. What it cannot do
//! follows from that: the server sees the client's Host (`127.0.0.1:5001`) and watch's address, and
//! a link that names the server's own port leads past the glass.
//!
//! Rule: a side that ends its half of the connection ends it on the other side too, a reset is a
//! reset, and nobody is told anything in HTTP: a client whose server cannot be reached finds its
//! connection closed, and the reason stands on the screen.
//!
//! Bounds: so many connections, two threads each; and an idle time, an hour unless told, because a
//! peer that has lost its power never says so. No other deadline: those who stop in a debugger are
//! waited for.
//!
//! Left out: TLS (watch what stands behind it).  Next: `link`, one connection.

mod link;

use std::collections::HashMap;
use std::io::{self, ErrorKind, IsTerminal};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{env, thread};

use openkitchen::Observer;
use openkitchen::net::throttle::Throttle;

use super::flags::{self, Flag, NUMBER, ParsedArgs, SECONDS, count, listen, time, time_or_none};
use super::record::{Both, Recorder};
use super::serve::{print, write_port_file};
use super::trace::{self, Trace};
use super::{CliError, address, bind, logging};
use crate::sys;

use link::{Link, LinkEnd};

/// How long a server has to take a connection: TCP alone would try for two minutes.
const CONNECT: Duration = Duration::from_secs(10);

/// Stack of each of a connection's threads: a buffer, and room.
const STACK: usize = 256 * 1024;

/// How long to wait when the system has no descriptor left for a new connection.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(20);

/// How long connections are still taken out of the backlog when watch was asked to stop. There is no
/// end of them where new clients keep coming.
const LAST_GUESTS: Duration = Duration::from_millis(50);

/// Time between two looks at whether all connections have ended, when watch was asked to stop.
const GLANCE: Duration = Duration::from_millis(10);

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
struct WatchOptions {
    listen: Option<String>,
    port_file: Option<PathBuf>,
    trace: bool,
    bodies: bool,
    explain: bool,
    record: Option<PathBuf>,
    connections: usize,
    idle: Duration,
    grace: Duration,
}

impl Default for WatchOptions {
    fn default() -> WatchOptions {
        WatchOptions {
            listen: None,
            port_file: None,
            trace: true,
            bodies: false,
            explain: false,
            record: None,
            connections: 1024,
            idle: Duration::from_secs(3600),
            grace: Duration::from_secs(5),
        }
    }
}

#[rustfmt::skip]
const FLAGS: [Flag<WatchOptions>; 9] = [
    Flag { name: "listen", value: "ADDR", help: "where to listen [the port behind the server's]",
        apply: |options, value| { options.listen = Some(listen(value)); Ok(()) } },
    Flag { name: "port-file", value: "FILE", help: "write the address that was bound there",
        apply: |options, value| { options.port_file = Some(value.into()); Ok(()) } },
    Flag { name: "record", value: "DIR", help: "write each connection to a file of its own there",
        apply: |options, value| { options.record = Some(value.into()); Ok(()) } },
    Flag { name: "no-trace", value: "", help: "do not print what crosses",
        apply: |options, _| { options.trace = false; Ok(()) } },
    Flag { name: "bodies", value: "", help: "print long content, styles, scripts and images too",
        apply: |options, _| { options.bodies = true; Ok(()) } },
    Flag { name: "explain", value: "", help: "say what each part means, with its clause, once",
        apply: |options, _| { options.explain = true; Ok(()) } },
    Flag { name: "max-connections", value: "N", help: "connections at one time [1024]; closed past it",
        apply: |options, value| { options.connections = count(value).ok_or(NUMBER)?; Ok(()) } },
    Flag { name: "idle-timeout", value: "S", help: "seconds in which nothing crosses [3600]",
        apply: |options, value| { options.idle = time(value).ok_or(SECONDS)?; Ok(()) } },
    Flag { name: "grace", value: "S", help: "seconds to finish what is in flight when stopped [5]",
        apply: |options, value| { options.grace = time_or_none(value).ok_or(SECONDS)?; Ok(()) } },
];

fn help() -> String {
    format!(
        "openkitchen watch ADDR [FLAGS]: stand before any server, and show what crosses\n\n\
         openkitchen watch 5000   a server at 127.0.0.1:5000; ask 127.0.0.1:5001 instead\n\n\
         {}\n\
         Each flag is also a variable: --no-trace is OPENKITCHEN_NO_TRACE.\n",
        flags::help(&FLAGS)
    )
}

/// Does what the command line behind `watch` asks for.
///
/// # Errors
/// A sentence, and the exit code that goes with it.
pub fn command(arguments: &[String]) -> Result<ExitCode, CliError> {
    let mut options = WatchOptions::default();
    let said = flags::parse(&FLAGS, arguments, |name| env::var(name).ok(), &mut options)?;
    match said {
        ParsedArgs::Help => print(&help()),
        ParsedArgs::Version => print(concat!("openkitchen ", env!("CARGO_PKG_VERSION"), "\n")),
        ParsedArgs::Do(others) => watch(&server_named(&others)?, &options)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The address that was meant.
fn server_named(others: &[String]) -> Result<String, CliError> {
    match others {
        [] => Err(CliError::Usage("watch needs the server's address: watch 127.0.0.1:5000".into())),
        [one] => address::authority(one),
        [_, more, ..] => Err(CliError::Usage(format!("watch takes one address; `{more}` is more"))),
    }
}

/// Port 5001 for a server at port 5000.
fn next_port(server: &str) -> String {
    let port = server.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let next = port.and_then(|port: u16| port.checked_add(1)).unwrap_or(5001);
    format!("127.0.0.1:{next}")
}

fn watch(server: &str, options: &WatchOptions) -> Result<(), CliError> {
    sys::limit_malloc_arenas();
    logging::start();
    sys::raise_descriptor_limit();
    sys::catch_sigxfsz();
    let failed = |sentence: String| CliError::Failed(sentence);
    let told = |error: io::Error| CliError::Failed(error.to_string());
    let addresses = address::resolve(server)
        .map_err(|why| failed(format!("{server} cannot be reached: {why}")))?;
    let listen = options.listen.clone().unwrap_or_else(|| next_port(server));
    let listener = bind::bind(&listen).map_err(failed)?;
    let bound = listener.local_addr().map_err(told)?;
    if addresses.iter().any(|&address| is_same(address, bound)) {
        return Err(failed(format!("{bound} would watch itself: try another --listen")));
    }
    let whom = format!("{server}, watched at {bound}");
    let record = |folder: &PathBuf| Recorder::open(folder, &whom).map(Arc::new);
    let recorder = options.record.as_ref().map(record).transpose().map_err(failed)?;
    let trace = options.trace.then(|| Arc::new(start_trace(options)));

    let watcher = Arc::new(Watcher {
        server: server.into(),
        addresses,
        observer: Both::of(
            trace.clone().map(|trace| trace as Arc<dyn Observer>),
            recorder.clone().map(|recorder| recorder as Arc<dyn Observer>),
        ),
        trace: trace.clone(),
        cap: options.connections,
        idle: options.idle,
        came: AtomicU64::new(0),
        present: AtomicUsize::new(0),
        links: Mutex::default(),
        is_closed: AtomicBool::new(false),
        short_of_descriptors: Throttle::default(),
        short_of_threads: Throttle::default(),
        full: Throttle::default(),
        is_alone: AtomicBool::new(false),
    });
    stop_on_signal(&watcher, listener.try_clone().map_err(told)?).map_err(told)?;
    watcher.say(&format!("listening on http://{bound}"));
    watcher.say(&format!("watching {server}"));
    if trace.is_some() {
        watcher.say("every byte that crosses is shown here, secrets included; --no-trace stops it");
    }
    if let Some(recorder) = &recorder {
        watcher.say(&recorder.banner());
    }
    if let Some(file) = &options.port_file {
        write_port_file(file, &bound.to_string())
            .map_err(|error| failed(format!("cannot write {}: {error}", file.display())))?;
    }
    watcher.stand_at_the_door(&listener);
    drop(listener);
    watcher.close(options.grace);
    if let Some(sentence) = recorder.and_then(|recorder| recorder.finish()) {
        watcher.say(&sentence);
    }
    if let Some(trace) = trace {
        trace.finish();
    }
    Ok(())
}

/// Whether who listens at `bound` is found at that address.
fn is_same(address: SocketAddr, bound: SocketAddr) -> bool {
    let is_any = bound.ip().is_unspecified() && address.ip().is_loopback();
    address.port() == bound.port() && (address.ip() == bound.ip() || is_any)
}

fn start_trace(options: &WatchOptions) -> Trace {
    let WatchOptions { bodies, explain, .. } = *options;
    let stdout = io::stdout();
    let no_color = env::var_os("NO_COLOR");
    let colour = trace::wants_colour(stdout.is_terminal(), no_color.as_deref());
    Trace::start(stdout, trace::TraceOptions { bodies, explain, colour, quiet: Vec::new() })
}

/// Asked once, watch lets what is in flight end; asked again, it ends at once.
fn stop_on_signal(watcher: &Arc<Watcher>, listener: TcpListener) -> io::Result<()> {
    let watcher = Arc::clone(watcher);
    sys::on_stop_signal(move |mut signals| {
        watcher.close_the_door(&listener);
        drop(listener);
        if signals.wait() {
            process::exit(1);
        }
    })
}

/// What all connections share.
struct Watcher {
    /// The server, as it was named.
    server: String,
    addresses: Vec<SocketAddr>,
    observer: Option<Arc<dyn Observer>>,
    trace: Option<Arc<Trace>>,
    /// Connections at one time.
    cap: usize,
    idle: Duration,
    /// Connections that came in so far.
    came: AtomicU64,
    /// Connections that are there.
    present: AtomicUsize,
    links: Mutex<HashMap<u64, Arc<Link>>>,
    /// Nobody is let in any more.
    is_closed: AtomicBool,
    short_of_descriptors: Throttle,
    short_of_threads: Throttle,
    /// As many connections are there as may be.
    full: Throttle,
    /// The server could not be reached, and that was said.
    is_alone: AtomicBool,
}

impl Watcher {
    /// Says something on the screen, in order with what crosses.
    fn say(&self, line: &str) {
        match &self.trace {
            Some(trace) => trace.say(line),
            None => print(&format!("# {line}\n")),
        }
    }

    /// Lets clients in until the door is closed.
    fn stand_at_the_door(self: &Arc<Watcher>, listener: &TcpListener) {
        loop {
            match listener.accept() {
                Ok(_) | Err(_) if self.is_closed.load(Ordering::SeqCst) => return,
                Ok((client, peer)) => self.welcome(client, peer),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    // The door is being closed.
                    ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(1)),
                    _ => {
                        if self.short_of_descriptors.allows() {
                            log::warn!("no connection can be accepted for now: {error}");
                        }
                        thread::sleep(OUT_OF_DESCRIPTORS);
                    }
                },
            }
        }
    }

    /// Lets in those who have connected before now, and then nobody.
    fn close_the_door(self: &Arc<Watcher>, listener: &TcpListener) {
        let until = Instant::now() + LAST_GUESTS;
        if listener.set_nonblocking(true).is_ok() {
            while Instant::now() < until
                && let Ok((client, peer)) = listener.accept()
            {
                self.welcome(client, peer);
            }
        }
        self.is_closed.store(true, Ordering::SeqCst);
        // Whoever waits in `accept` is woken by a knock, on every system.
        let knock = listener
            .local_addr()
            .and_then(|address| TcpStream::connect_timeout(&address, Duration::from_millis(100)));
        drop(knock);
    }

    /// Gives a connection its thread.
    fn welcome(self: &Arc<Watcher>, client: TcpStream, peer: SocketAddr) {
        if self.present.load(Ordering::SeqCst) >= self.cap {
            if self.full.allows() {
                let cap = self.cap;
                log::warn!(
                    "all {cap} connections are taken, new ones are closed: see --max-connections"
                );
            }
            return;
        }
        self.present.fetch_add(1, Ordering::SeqCst);
        let number = self.came.fetch_add(1, Ordering::Relaxed) + 1;
        let guest = RegisteredConnection(Arc::clone(self));
        let pass = move || {
            let watcher = &guest.0;
            if let Some(server) = watcher.reach_the_server(number) {
                watcher.pass(number, peer, client, server);
            }
        };
        let thread = thread::Builder::new().name("watch".into()).stack_size(STACK);
        if let Err(error) = thread.spawn(pass)
            && self.short_of_threads.allows()
        {
            log::warn!("connection {number} was closed, for no thread could be made: {error}");
        }
    }

    /// A connection to the server, if it is there. If not, that is said once until it is.
    fn reach_the_server(&self, number: u64) -> Option<TcpStream> {
        match address::connect(&self.addresses, CONNECT) {
            Ok(server) => {
                self.is_alone.store(false, Ordering::Relaxed);
                Some(server)
            }
            Err(error) => {
                if !self.is_alone.swap(true, Ordering::Relaxed) {
                    let (server, why) = (&self.server, address::why(&error));
                    self.say(&format!(
                        "connection {number} was closed: {server} cannot be reached: {why}"
                    ));
                }
                None
            }
        }
    }

    /// Copies what crosses, until both sides have ended.
    fn pass(&self, number: u64, peer: SocketAddr, client: TcpStream, server: TcpStream) {
        let link = match Link::new(number, client, server, self.observer.clone(), self.idle) {
            Ok(link) => Arc::new(link),
            Err(error) => return log::warn!("connection {number} was closed: {error}"),
        };
        self.links().insert(number, Arc::clone(&link));
        let ending = link.pass(peer);
        self.links().remove(&number);
        match ending {
            Ok(LinkEnd::ByThem) => {}
            Ok(LinkEnd::Idle) => {
                let idle = self.idle.as_secs_f64();
                self.say(&format!(
                    "connection {number} was closed: nothing had crossed it for {idle} s"
                ));
            }
            Err(error) => {
                log::warn!("connection {number} was closed, for no thread could be made: {error}");
            }
        }
    }

    /// Waits for what is in flight, and cuts off what is still there after the grace time.
    fn close(&self, grace: Duration) {
        let deadline = Instant::now() + grace;
        while self.present.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
            // Not under the lock: a link takes its own.
            let links: Vec<Arc<Link>> = self.links().values().map(Arc::clone).collect();
            links.iter().for_each(|link| link.leave_if_idle());
            drop(links);
            thread::sleep(GLANCE);
        }
        match self.present.load(Ordering::SeqCst) {
            0 => {}
            left => log::warn!("{left} connections were cut off at the end of the grace time"),
        }
    }

    fn links(&self) -> MutexGuard<'_, HashMap<u64, Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the watcher, given back whatever happens.
struct RegisteredConnection(Arc<Watcher>);

impl Drop for RegisteredConnection {
    fn drop(&mut self) {
        self.0.present.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_the_next_one() {
        assert_eq!(next_port("127.0.0.1:5000"), "127.0.0.1:5001");
        assert_eq!(next_port("example.test:65535"), "127.0.0.1:5001");
    }

    #[test]
    fn a_watch_on_itself_is_seen() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        for (server, bound, same) in [
            ("127.0.0.1:5000", "127.0.0.1:5000", true),
            ("127.0.0.1:5000", "0.0.0.0:5000", true),
            ("127.0.0.1:5000", "127.0.0.1:5001", false),
            ("127.0.0.1:5000", "127.0.0.2:5000", false),
        ] {
            assert_eq!(is_same(address(server), address(bound)), same);
        }
    }
}

//! # `openkitchen watch`: relays the connections of any server, and shows every byte
//!
//! What does *your* framework send, under all its decorators?
//!
//! ```text
//! curl ── 127.0.0.1:5001 ── openkitchen watch 5000 ── 127.0.0.1:5000 ── flask
//!                             └─ the transcript
//! ```
//! Watch listens on a port of its own and relays each connection to the server. It changes no byte, adds
//! none and holds none back. So it works for any protocol on TCP, and for broken HTTP too. Two limits
//! follow. The server sees watch's address, and watch's port in Host (`127.0.0.1:5001`). And a URL in a
//! page that names the server's own port bypasses watch.
//!
//! Rule: watch passes a half-close on as a half-close and a reset as a reset, and sends no HTTP itself. If
//! the server cannot be reached, the client's connection is closed and the reason is printed, once a
//! minute. What watch does itself is shown as the end of neither side; a response that it cuts short, at
//! a stop or the idle timeout, ends in a reset, so that no client takes it for whole.
//!
//! Bounds: the number of connections, with two threads each; and an idle timeout, by default an
//! hour, because a peer that loses power sends no FIN. Once the server is reached, there is no
//! other deadline until watch stops: a server that is stopped in a debugger may take its time.
//!
//! A page shows the same in a browser, at an address of its own: see `page.rs`.
//!
//! Left out: TLS (watch the plain HTTP server to which a TLS proxy forwards). The library's `play::watch`
//! relays the connections.

mod page;

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use openkitchen::message::seconds::InSeconds;
use openkitchen::net::connections::Connections;
use openkitchen::net::shared::Shared;
use openkitchen::observe::TraceOptions;
use openkitchen::play::connect;
use openkitchen::play::watch::{
    ClosedByWatch, LARGE_READ, LARGE_RECORDED_READ, WRITE_POLL_INTERVAL, Watcher, cut_off,
};
use openkitchen::{Limits, Observer, Scheduling, sys};

use super::bind::Bound;
use super::flags::{
    ADDRESS, CommandLine, Flag, NUMBER, SECONDS, count, listen, time, time_or_none,
};
use super::port_file::PortFile;
use super::viewers::{NO_TRACE, Viewers};
use super::{CliError, address, bind, logging};
use crate::site::kitchen::Kitchen;
use page::Page;

/// What the flags set.
#[derive(Clone, Debug, PartialEq)]
struct WatchOptions {
    listen: Vec<String>,
    port_file: Option<PathBuf>,
    trace: bool,
    full: bool,
    explain: bool,
    rfc: bool,
    record: Option<PathBuf>,
    max_connections: usize,
    idle_timeout: Duration,
    grace: Duration,
    page: bool,
    page_at: Vec<String>,
    kitchen_anywhere: bool,
}

impl Default for WatchOptions {
    fn default() -> WatchOptions {
        WatchOptions {
            listen: Vec::new(),
            port_file: None,
            trace: true,
            full: false,
            explain: false,
            rfc: false,
            record: None,
            max_connections: 1024,
            idle_timeout: Duration::from_secs(3600),
            grace: Duration::from_secs(5),
            page: true,
            page_at: Vec::new(),
            kitchen_anywhere: false,
        }
    }
}

#[rustfmt::skip]
const FLAGS: [Flag<WatchOptions>; 13] = [
    Flag { name: "listen", value: "ADDR", help: "address to listen on [the server's port plus 1]",
        apply: |options, value| listen(&mut options.listen, value).ok_or(ADDRESS) },
    Flag { name: "port-file", value: "FILE", help: "write the address in use to FILE",
        apply: |options, value| { options.port_file = Some(value.into()); Ok(()) } },
    Flag { name: "page", value: "ADDR", help: "address of the page that shows it [the port after]",
        apply: |options, value| listen(&mut options.page_at, value).ok_or(ADDRESS) },
    Flag { name: "no-page", value: "", help: "serve no page",
        apply: |options, _| { options.page = false; Ok(()) } },
    Flag { name: "kitchen-anywhere", value: "", help: "show the page to other machines too",
        apply: |options, _| { options.kitchen_anywhere = true; Ok(()) } },
    Flag { name: "record", value: "DIR", help: "record each connection to a file of its own in DIR",
        apply: |options, value| { options.record = Some(value.into()); Ok(()) } },
    Flag { name: "no-trace", value: "", help: "do not print what crosses",
        apply: |options, _| { options.trace = false; Ok(()) } },
    Flag { name: "full", value: "", help: "print all, as a transcript: fold and leave out nothing",
        apply: |options, _| { options.full = true; Ok(()) } },
    Flag { name: "explain", value: "", help: "print what each part means, again for each page",
        apply: |options, _| { options.explain = true; Ok(()) } },
    Flag { name: "rfc", value: "", help: "--explain with the RFC section of each part",
        apply: |options, _| { (options.explain, options.rfc) = (true, true); Ok(()) } },
    Flag { name: "max-connections", value: "N", help: "connections at one time [1024]; more are closed",
        apply: |options, value| { options.max_connections = count(value).ok_or(NUMBER)?; Ok(()) } },
    Flag { name: "idle-timeout", value: "S", help: "seconds without a byte before a close [3600]",
        apply: |options, value| { options.idle_timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
    Flag { name: "grace", value: "S", help: "seconds to finish open exchanges at a stop [5]",
        apply: |options, value| { options.grace = time_or_none(value).ok_or(SECONDS)?; Ok(()) } },
];

const COMMAND_LINE: CommandLine<WatchOptions> = CommandLine {
    usage: "openkitchen watch ADDR [FLAGS]: relay connections to a server, print every byte\n\n\
        openkitchen watch 5000   relays 127.0.0.1:5001 to the server at 127.0.0.1:5000",
    flags: &FLAGS,
    notes: "Each flag is also a variable: --no-trace is OPENKITCHEN_NO_TRACE=1.",
};

/// The names of its flags.
pub fn flag_names() -> Vec<&'static str> {
    COMMAND_LINE.flag_names()
}

/// Runs `watch` with these arguments, until a signal stops it.
///
/// # Errors
/// A sentence, and the exit code that goes with it.
pub fn command(arguments: &[OsString]) -> Result<ExitCode, CliError> {
    if let Some((options, others)) = COMMAND_LINE.read(arguments, WatchOptions::default())? {
        watch(&server_address(&others)?, &options)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The server's address: the only argument that is no flag.
fn server_address(others: &[OsString]) -> Result<String, CliError> {
    match others {
        [] => Err(CliError::Usage("watch needs the server's address: watch 127.0.0.1:5000".into())),
        [one] => address::authority(one),
        [_, more, ..] => {
            let more = more.display();
            Err(CliError::Usage(format!("watch takes one address; `{more}` is one too many")))
        }
    }
}

/// Where watch listens by default: port 5001 for a server at port 5000.
fn next_port(server: &str) -> String {
    let port = server.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let next = port.and_then(|port: u16| port.checked_add(1)).unwrap_or(5001);
    format!("127.0.0.1:{next}")
}

fn watch(server: &str, options: &WatchOptions) -> Result<(), CliError> {
    sys::limit_malloc_arenas();
    logging::start()?;
    sys::raise_descriptor_limit();
    sys::catch_sigxfsz();
    let failed = |sentence: String| CliError::Unusable(sentence);
    let port_file = PortFile::prepare(options.port_file.as_deref()).map_err(failed)?;
    let io_failed = |error: io::Error| CliError::Failed(error.to_string());
    let addresses = connect::resolve(server).map_err(|why| address::no_connection(server, &why))?;
    let Bound { listeners, addresses: all_bound, names, lines } =
        bind::bind(&options.listen, &next_port(server))
            .and_then(|bound| bound.of_tcp("listen"))
            .map_err(failed)?;
    let listen = options.listen.first().map_or("", String::as_str);
    let bound = all_bound[0];
    let is_bound = |&address: &SocketAddr| all_bound.iter().any(|&bound| is_same(address, bound));
    if addresses.iter().any(is_bound) {
        return Err(failed(format!(
            "watch would watch itself: its listener at {bound} has the server's address; try \
             another --listen"
        )));
    }
    let WatchOptions { full, explain, rfc, .. } = *options;
    let trace =
        options.trace.then_some(TraceOptions { full, explain, rfc, ..TraceOptions::default() });
    let server_name = format!("{server}, watched at {bound}");
    let page = match options.page {
        true => {
            let (at, anywhere) = (&options.page_at[..], options.kitchen_anywhere);
            Some(Page::bind(at, bound, server, listen, anywhere).map_err(failed)?)
        }
        false => None,
    };
    let kept = page.as_ref().and_then(|page| page.kitchen.viewer());
    let viewers =
        Viewers::start(trace, options.record.as_deref(), &server_name, kept).map_err(failed)?;

    let limits = Limits {
        connections: options.max_connections,
        idle_timeout: options.idle_timeout,
        write_timeout: WRITE_POLL_INTERVAL,
        grace: options.grace,
        ..Limits::default()
    };
    let connections = Arc::new(Connections::default());
    let watcher = Watcher {
        addresses,
        follower: &viewers.follower,
        large_read: if options.record.is_some() { LARGE_RECORDED_READ } else { LARGE_READ },
        on_close: &|connection, why| {
            let why = closed_by_watch(why, server, options.idle_timeout);
            viewers.say(&format!("connection {connection} was closed: {why}"));
        },
        limits: &limits,
        stopping: connections.stopping(),
        unreachable: Default::default(),
    };
    let kitchen = page.as_ref().map(|page| page.kitchen.clone());
    stop_on_signal(Arc::clone(&connections), kitchen, options.grace).map_err(io_failed)?;
    let links = page.as_ref().map(|page| page.line(bound));
    viewers.announce(
        &[lines, vec![format!("watching {server}")], links.into_iter().collect()].concat(),
        NO_TRACE,
    );
    let page = page.map(|page| page.start(&viewers)).transpose().map_err(failed)?;
    viewers.follower.started(bound, &[]);
    let _lock = port_file.write(&names).map_err(failed)?;
    let scheduling = Scheduling::Normal;
    let shared =
        Shared::new(listeners, &limits, &connections, &watcher, scheduling).map_err(io_failed)?;
    let relayed = thread::scope(|scope| {
        shared.supervise(scope)?;
        let left = shared.shutdown(scope);
        if !left.is_empty() {
            // The server may never answer them, so the process ends without them.
            cut_off(&left, &viewers.follower);
            logging::say("stopped");
            viewers.finish();
            logging::finish();
            process::exit(0);
        }
        Ok(())
    });
    drop(page);
    logging::say("stopped");
    viewers.finish();
    relayed.map_err(io_failed)
}

/// Why watch itself has closed a connection.
fn closed_by_watch(why: ClosedByWatch, server: &str, idle_timeout: Duration) -> String {
    match why {
        ClosedByWatch::ServerUnreachable(error) => {
            format!("{server} cannot be reached: {}", connect::why(error))
        }
        ClosedByWatch::Idle => {
            let seconds = InSeconds(idle_timeout);
            format!("no byte crossed for {seconds} s (--idle-timeout)")
        }
    }
}

/// Whether a connection to `address` would reach the listener at `bound`.
fn is_same(address: SocketAddr, bound: SocketAddr) -> bool {
    let is_any = bound.ip().is_unspecified() && address.ip().is_loopback();
    address.port() == bound.port() && (address.ip() == bound.ip() || is_any)
}

/// At the first signal, watch stops accepting and lets exchanges in flight end. At the second, the
/// process ends at once (a second SIGHUP changes nothing).
fn stop_on_signal(
    connections: Arc<Connections>,
    kitchen: Option<Kitchen>,
    grace: Duration,
) -> io::Result<()> {
    sys::on_stop_signal(move |mut signals| {
        // Said first: an idle watch says "stopped" at once.
        logging::say_stopping(signals.first(), grace);
        connections.stop();
        kitchen.iter().for_each(Kitchen::close);
        if signals.wait() {
            logging::end_at_second_signal();
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watch_listens_on_the_next_port_by_default() {
        assert_eq!(next_port("127.0.0.1:5000"), "127.0.0.1:5001");
        assert_eq!(next_port("example.test:65535"), "127.0.0.1:5001");
    }

    #[test]
    fn a_listener_at_the_servers_address_is_detected() {
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

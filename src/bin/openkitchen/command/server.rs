//! What the lesson site and `serve` have in common: the flags of a server, its start and its stop.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process;
use std::time::Duration;

use openkitchen::message::seconds::InSeconds;
use openkitchen::net::memory::budget;
use openkitchen::{Health, Limits, Scheduling, Stopper, sys};

use super::bind::SocketFiles;
use super::flags::{BYTES, Flag, NUMBER, SECONDS, bytes, count, time, time_or_none};
use super::{CliError, logging};

/// How long the process waits for handlers after the grace time, when all sockets are closed. Without
/// it, a handler that never returns would keep the process running.
const HANDLER_TIMEOUT: Duration = Duration::from_millis(500);

/// The options that every server has.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerOptions {
    /// The addresses to listen on; empty for the default of the command.
    pub listen: Vec<String>,
    /// The file to write the bound addresses to.
    pub port_file: Option<PathBuf>,
    /// The limits and timeouts of the server.
    pub limits: Limits,
    /// How the system schedules the threads that serve connections.
    pub scheduling: Scheduling,
    /// How long `/healthz` responds with 503 before the server stops.
    pub drain: Duration,
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        ServerOptions {
            listen: Vec::new(),
            port_file: None,
            limits: Limits::default(),
            scheduling: Scheduling::Batch,
            drain: Duration::ZERO,
        }
    }
}

/// The options of a command that runs a server.
pub trait HasServer: Sized {
    /// Those of the server.
    fn server(&mut self) -> &mut ServerOptions;

    /// The flags for limits, timeouts and scheduling.
    #[rustfmt::skip]
    const SERVER_FLAGS: [Flag<Self>; 11] = [
        Flag { name: "max-connections", value: "N", help: "connections at one time [1024]; if all are busy: 503",
            apply: |options, value| { options.server().limits.connections = count(value).ok_or(NUMBER)?; Ok(()) } },
        Flag { name: "max-head", value: "BYTES", help: "head (request line, header fields) [16K]; larger: 431",
            apply: |options, value| { options.server().limits.head = bytes(value).ok_or(BYTES)? as usize; Ok(()) } },
        Flag { name: "max-content", value: "BYTES", help: "body (content) of a request [1M]; larger: 413",
            apply: |options, value| { options.server().limits.content = bytes(value).ok_or(BYTES)?; Ok(()) } },
        Flag { name: "max-memory", value: "BYTES", help: "memory for all clients [1/8 of RAM, max 64M]; then 503",
            apply: |options, value| { options.server().limits.memory = Some(bytes(value).ok_or(BYTES)?); Ok(()) } },
        Flag { name: "head-timeout", value: "S", help: "seconds to receive a whole head [10]; then 408",
            apply: |options, value| { options.server().limits.head_timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
        Flag { name: "content-timeout", value: "S", help: "seconds to receive a body [30], plus 1 s per 16 KiB",
            apply: |options, value| { options.server().limits.content_timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
        Flag { name: "idle-timeout", value: "S", help: "seconds to wait for the next request [60]",
            apply: |options, value| { options.server().limits.idle_timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
        Flag { name: "write-timeout", value: "S", help: "seconds to wait for a client that reads nothing [30]",
            apply: |options, value| { options.server().limits.write_timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
        Flag { name: "grace", value: "S", help: "seconds to finish open exchanges at a stop [5]",
            apply: |options, value| { options.server().limits.grace = time_or_none(value).ok_or(SECONDS)?; Ok(()) } },
        Flag { name: "drain", value: "S", help: "seconds to answer 503 at /healthz before it stops [0]",
            apply: |options, value| { options.server().drain = time_or_none(value).ok_or(SECONDS)?; Ok(()) } },
        Flag { name: "scheduling", value: "POLICY", help: "batch (more requests a second) or normal [batch]",
            apply: |options, value| { options.server().scheduling = scheduling(value).ok_or(SCHEDULING)?; Ok(()) } },
    ];
}

/// What an error says that the value should be. See [`scheduling`].
const SCHEDULING: &str = "batch or normal";

/// Reads the scheduling of the server's threads.
fn scheduling(value: &OsStr) -> Option<Scheduling> {
    match value.to_str()? {
        "batch" => Some(Scheduling::Batch),
        "normal" => Some(Scheduling::Normal),
        _ => None,
    }
}

impl ServerOptions {
    /// One request must not be allowed more bytes than all of them together.
    ///
    /// # Errors
    /// A sentence for the user.
    pub fn check_memory(&self) -> Result<(), CliError> {
        let limits = &self.limits;
        let memory = budget(limits);
        for (flag, bytes) in [("--max-content", limits.content), ("--max-head", limits.head as u64)]
        {
            if bytes > memory {
                return Err(CliError::Usage(format!(
                    "{flag} is {bytes} bytes, above --max-memory, {memory} bytes; \
                 raise --max-memory or lower {flag}"
                )));
            }
        }
        Ok(())
    }
}

/// Prepares the process: memory, log, descriptors. To be called before there is a second thread.
///
/// # Errors
/// A sentence for the user.
pub fn prepare_process() -> Result<(), CliError> {
    sys::limit_malloc_arenas();
    logging::start()?;
    sys::raise_descriptor_limit();
    sys::catch_sigxfsz();
    Ok(())
}

/// Warns once if this is PID 1 of a container, and no other container can reach it.
pub fn warn_of_loopback(addresses: &[SocketAddr]) {
    if let [first, ..] = addresses
        && process::id() == 1
        && addresses.iter().all(|address| address.ip().is_loopback())
    {
        let port = first.port();
        log::warn!(
            "PID 1 listens on {first}: only this container can reach it; try --listen 0.0.0.0:{port}"
        );
    }
}

/// At the first SIGTERM, SIGHUP or Ctrl-C (SIGINT), `/healthz` answers 503 for `--drain` seconds, then
/// the graceful shutdown begins. A second SIGTERM or Ctrl-C, half a second later or more, ends the process
/// at once, with exit status 1.
/// If a handler still runs half a second after the grace time, the process ends without it. `files` are removed
/// then. `close_streams` ends the responses that have no end of their own.
///
/// # Errors
/// A sentence for the user: the system grants no thread.
pub fn stop_on_signal(
    stopper: Stopper,
    health: &'static Health,
    options: &ServerOptions,
    files: SocketFiles,
    close_streams: impl FnOnce() + Send + 'static,
) -> Result<(), CliError> {
    let (drain, grace) = (options.drain, options.limits.grace);
    let caught = sys::on_stop_signal(move |mut signals| {
        health.drain();
        let signal = signals.first();
        if !drain.is_zero() {
            let seconds = InSeconds(drain);
            logging::say(&format!(
                "{signal}: draining for {seconds} s: /healthz answers 503, other routes as before"
            ));
        }
        let is_second = signals.wait_timeout(drain) || {
            // Said first: an idle server says "stopped" at once.
            logging::say_stopping(signal, grace);
            stopper.stop();
            close_streams();
            signals.wait_timeout(grace + HANDLER_TIMEOUT)
        };
        files.remove();
        if is_second {
            logging::end_at_second_signal();
        }
        log::warn!("a handler did not return within the grace time; the process ends without it");
        logging::finish();
        process::exit(0);
    });
    caught.map_err(|error| CliError::Failed(error.to_string()))
}

//! Runs the lesson site, and prints each exchange on the terminal: the command without a name.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use openkitchen::{Observer, Server, Stopper, sys};

use super::options::{ServeCommand, ServeOptions};
use super::record::{Both, Recorder};
use super::trace::{self, Trace};
use super::{CliError, bind, logging, options};
use crate::site::likes::{self, Likes};
use crate::site::{ROUTES, Site};

/// How long the process waits for handlers after the grace time, when all sockets are closed. Without
/// it, a handler that never returns would keep the process running.
const HANDLER_TIMEOUT: Duration = Duration::from_millis(500);

/// Runs the command line.
///
/// # Errors
/// A sentence for the user.
pub fn command(arguments: &[String]) -> Result<ExitCode, CliError> {
    match options::from_process(arguments)? {
        ServeCommand::Help => print(&options::help()),
        ServeCommand::Version => print(concat!("openkitchen ", env!("CARGO_PKG_VERSION"), "\n")),
        ServeCommand::Serve(options) => serve(&options)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn serve(options: &ServeOptions) -> Result<(), CliError> {
    sys::limit_malloc_arenas();
    logging::start();
    sys::raise_descriptor_limit();
    sys::catch_sigxfsz();
    let failed = |sentence: String| CliError::Failed(sentence);
    if let Some(stale) = &options.port_file {
        // A program that waits for this file must not read the address of an earlier run.
        let _ = fs::remove_file(stale);
    }
    let listener = bind::bind(&options.listen).map_err(failed)?;
    let mut server = Server::from_listener(listener)
        .limits(options.limits.clone())
        .scheduling(options.scheduling);
    let default = likes::default_path(env::var_os("XDG_STATE_HOME"), env::var_os("HOME"));
    let likes =
        Likes::choose(options.data.clone(), default).map_err(|error| failed(error.to_string()))?;
    let site: &'static Site = Box::leak(Box::new(Site::from_env(likes)));
    let address = server.address().map_err(|error| failed(error.to_string()))?;
    stop_on_signal(server.stopper(), site, options).map_err(|error| failed(error.to_string()))?;

    let server_name = format!("the lesson site at {address}");
    let record = |folder: &PathBuf| Recorder::open(folder, &server_name).map(Arc::new);
    let recorder = options.record.as_ref().map(record).transpose().map_err(failed)?;
    let trace = options.trace.then(|| Arc::new(start_trace(options)));
    let announce = |line: &str| match &trace {
        Some(trace) => trace.say(line),
        None => print(&format!("# {line}\n")),
    };
    announce(&format!("listening on http://{address}"));
    match site.likes.path() {
        Some(path) => announce(&format!("likes are kept in {}", path.display())),
        None => announce("likes are kept in memory and end with this process"),
    }
    if trace.is_some() {
        announce("every byte that crosses is shown here, secrets included; --no-trace stops it");
    }
    if let Some(recorder) = &recorder {
        announce(&recorder.banner());
    }
    let observers = Both::of(
        trace.clone().map(|trace| trace as Arc<dyn Observer>),
        recorder.clone().map(|recorder| recorder as Arc<dyn Observer>),
    );
    if let Some(observer) = observers {
        server = server.observed_by(observer);
    }
    if let Some(file) = &options.port_file {
        write_port_file(file, &address.to_string())
            .map_err(|error| failed(format!("cannot write {}: {error}", file.display())))?;
    }
    if process::id() == 1 && address.ip().is_loopback() {
        log::warn!(
            "PID 1 listens on {address}: only this container can reach it; try --listen 0.0.0.0:5000"
        );
    }
    let served = server.run(&ROUTES, site);
    if let Some(sentence) = recorder.and_then(|recorder| recorder.finish()) {
        announce(&sentence);
    }
    if let Some(trace) = trace {
        trace.finish();
    }
    served.map_err(|error| failed(format!("cannot serve: {error}")))
}

/// Prints to stdout. Errors are ignored: the program that reads stdout may have closed it, and
/// `print!` would panic then.
pub fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// Starts the trace on stdout, in colours if stdout is a terminal.
fn start_trace(options: &ServeOptions) -> Trace {
    let ServeOptions { bodies, explain, .. } = *options;
    let stdout = io::stdout();
    let no_color = env::var_os("NO_COLOR");
    let colour = trace::wants_colour(stdout.is_terminal(), no_color.as_deref());
    let quiet = ROUTES.iter().filter(|row| row.is_quiet()).map(|row| row.path()).collect();
    Trace::start(stdout, trace::TraceOptions { bodies, explain, colour, quiet })
}

/// At the first stop signal the server drains, finishes open exchanges and stops; at a second one the
/// process ends at once.
fn stop_on_signal(stopper: Stopper, site: &'static Site, options: &ServeOptions) -> io::Result<()> {
    let (drain, grace) = (options.drain, options.limits.grace);
    sys::on_stop_signal(move |mut signals| {
        site.drain();
        let is_second = signals.wait_timeout(drain) || {
            stopper.stop();
            signals.wait_timeout(grace + HANDLER_TIMEOUT)
        };
        if is_second {
            process::exit(1);
        }
        log::warn!("a handler did not return within the grace time; the process ends without it");
        logging::finish();
        process::exit(0);
    })
}

/// Writes the bound address to the port file. It is written under another name and then renamed, so a
/// program that waits for the file reads the whole address.
pub fn write_port_file(file: &Path, address: &str) -> io::Result<()> {
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(format!(".{}", process::id()));
    fs::write(&temporary, format!("{address}\n"))?;
    fs::rename(&temporary, file)
}

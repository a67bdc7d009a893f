//! The main job: the lesson site, with each raw exchange on the terminal.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use openkitchen::{Observer, Server, Stopper};

use super::options::{ServeCommand, ServeOptions};
use super::record::{Both, Recorder};
use super::trace::{self, Trace};
use super::{CliError, bind, logging, options};
use crate::site::likes::{self, Likes};
use crate::site::{ROUTES, Site};
use crate::sys;

/// Time for connections to end once the grace time has cut them off. A handler that never comes back
/// would otherwise keep the process for ever.
const LAST_RESORT: Duration = Duration::from_millis(500);

/// Does what the command line asks for.
///
/// # Errors
/// A sentence, and the exit code that goes with it.
pub fn command(arguments: &[String]) -> Result<ExitCode, CliError> {
    match options::from_process(arguments)? {
        ServeCommand::Help => print(&options::help()),
        ServeCommand::Version => print(concat!("openkitchen ", env!("CARGO_PKG_VERSION"), "\n")),
        ServeCommand::Serve(options) => serve(&options)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn serve(options: &ServeOptions) -> Result<(), CliError> {
    sys::share_heaps();
    sys::take_turns();
    logging::start();
    sys::raise_descriptor_limit();
    sys::outlive_files_that_are_full();
    let failed = |sentence: String| CliError::Failed(sentence);
    if let Some(stale) = &options.port_file {
        // One of an earlier run would send whoever waits for ours to the wrong door.
        let _ = fs::remove_file(stale);
    }
    let listener = bind::bind(&options.listen).map_err(failed)?;
    let mut server = Server::from_listener(listener).limits(options.limits.clone());
    let default = likes::default_path(env::var_os("XDG_STATE_HOME"), env::var_os("HOME"));
    let likes =
        Likes::choose(options.data.clone(), default).map_err(|error| failed(error.to_string()))?;
    let site: &'static Site = Box::leak(Box::new(Site::from_env(likes)));
    let address = server.address().map_err(|error| failed(error.to_string()))?;
    stop_on_signal(server.stopper(), site, options).map_err(|error| failed(error.to_string()))?;

    let whom = format!("the lesson site at {address}");
    let record = |folder: &PathBuf| Recorder::open(folder, &whom).map(Arc::new);
    let recorder = options.record.as_ref().map(record).transpose().map_err(failed)?;
    let trace = options.trace.then(|| Arc::new(start_trace(options)));
    let say = |line: &str| match &trace {
        Some(trace) => trace.say(line),
        None => print(&format!("# {line}\n")),
    };
    say(&format!("listening on http://{address}"));
    match site.likes.path() {
        Some(path) => say(&format!("likes are kept in {}", path.display())),
        None => say("likes are kept in memory and end with this process"),
    }
    if trace.is_some() {
        say("every byte that crosses is shown here, secrets included; --no-trace stops it");
    }
    if let Some(recorder) = &recorder {
        say(&recorder.banner());
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
            "as PID 1 on {address}: only this container can reach it; try --listen 0.0.0.0:5000"
        );
    }
    let served = server.run(&ROUTES, site);
    if let Some(sentence) = recorder.and_then(|recorder| recorder.finish()) {
        say(&sentence);
    }
    if let Some(trace) = trace {
        trace.finish();
    }
    served.map_err(|error| failed(format!("cannot serve: {error}")))
}

/// Prints to stdout. Whoever has closed it does not want to be told, which is no reason to panic.
pub fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// The trace on stdout, in colours where that is a terminal.
fn start_trace(options: &ServeOptions) -> Trace {
    let ServeOptions { bodies, explain, .. } = *options;
    let stdout = io::stdout();
    let no_color = env::var_os("NO_COLOR");
    let colour = trace::wants_colour(stdout.is_terminal(), no_color.as_deref());
    let quiet = ROUTES.iter().filter(|row| row.is_quiet()).map(|row| row.path()).collect();
    Trace::start(stdout, trace::TraceOptions { bodies, explain, colour, quiet })
}

/// Asked once, the server finishes what is in flight; asked again, it ends at once.
fn stop_on_signal(stopper: Stopper, site: &'static Site, options: &ServeOptions) -> io::Result<()> {
    let (drain, grace) = (options.drain, options.limits.grace);
    sys::on_stop_signal(move |mut signals| {
        site.drain();
        let asked_again = signals.another_within(drain) || {
            stopper.stop();
            signals.another_within(grace + LAST_RESORT)
        };
        if asked_again {
            process::exit(1);
        }
        log::warn!("a handler did not come back within the grace time");
        logging::finish();
        process::exit(0);
    })
}

/// Whoever waits for the file finds it whole: it is written beside its place and moved there.
pub fn write_port_file(file: &Path, address: &str) -> io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}", process::id()));
    fs::write(&beside, format!("{address}\n"))?;
    fs::rename(&beside, file)
}

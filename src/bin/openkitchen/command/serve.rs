//! Runs the lesson site, and prints each exchange on the terminal: the command without a name.

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::{self, ExitCode};
use std::time::Duration;

use openkitchen::observe::TraceOptions;
use openkitchen::{Server, Stopper, sys};

use super::options::ServeOptions;
use super::port_file::PortFile;
use super::viewers::Viewers;
use super::{CliError, bind, logging, options};
use crate::site::kitchen::access::Access;
use crate::site::kitchen::{HasKitchen, Kitchen};
use crate::site::likes::{self, Likes};
use crate::site::{self, ROUTES, Site};

/// How long the process waits for handlers after the grace time, when all sockets are closed. Without
/// it, a handler that never returns would keep the process running.
const HANDLER_TIMEOUT: Duration = Duration::from_millis(500);

/// Runs the command line.
///
/// # Errors
/// A sentence for the user.
pub fn command(arguments: &[OsString]) -> Result<ExitCode, CliError> {
    if let Some(options) = options::read(arguments)? {
        serve(&options)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn serve(options: &ServeOptions) -> Result<(), CliError> {
    sys::limit_malloc_arenas();
    logging::start()?;
    sys::raise_descriptor_limit();
    sys::catch_sigxfsz();
    let failed = |sentence: String| CliError::Failed(sentence);
    let unusable = |sentence: String| CliError::Unusable(sentence);
    let (api_key, contact) = site::read_variables().map_err(CliError::Usage)?;
    let port_file = PortFile::prepare(options.port_file.as_deref()).map_err(unusable)?;
    let bound = bind::bind(&options.listen).map_err(unusable)?;
    let address = bound.first();
    let mut server = Server::from_listeners(bound.listeners)
        .limits(options.limits.clone())
        .scheduling(options.scheduling);
    let ServeOptions { bodies, explain, .. } = *options;
    let trace =
        options.trace.then_some(TraceOptions { bodies, explain, ..TraceOptions::default() });
    let server_name = format!("the lesson site at {address}");
    let access = match options.kitchen {
        true => Access::of_site(&bound.addresses, options.kitchen_anywhere),
        false => Access::closed(),
    };
    let kitchen = Kitchen::of_site(address, &ROUTES, access);
    let viewers = Viewers::start(trace, options.record.as_deref(), &server_name, kitchen.viewer())
        .map_err(unusable)?;
    // The likes come last: a start that fails leaves no new file of likes.
    let default = likes::default_path(env::var_os("XDG_STATE_HOME"), env::var_os("HOME"));
    let likes = Likes::choose(options.data.clone(), default)
        .map_err(|error| unusable(error.to_string()))?;
    let site: &'static Site = Box::leak(Box::new(
        Site::new(likes, api_key, contact).shown_by(kitchen).traced(options.trace),
    ));
    stop_on_signal(server.stopper(), site, options).map_err(|error| failed(error.to_string()))?;

    let likes_line = match site.likes.path() {
        Some(path) => format!("likes are kept in {}", path.display()),
        None => "likes are kept in memory and end with this process".to_owned(),
    };
    viewers.announce(&[bound.lines, vec![likes_line]].concat());
    if viewers.shows_anything() {
        server = server.observed_by(viewers.follower.clone());
    }
    let _lock = port_file.write(address).map_err(unusable)?;
    if process::id() == 1 && bound.addresses.iter().all(|address| address.ip().is_loopback()) {
        log::warn!(
            "PID 1 listens on {address}: only this container can reach it; try --listen 0.0.0.0:5000"
        );
    }
    let served = server.run(&ROUTES, site);
    logging::say("stopped");
    viewers.finish();
    served.map_err(|error| failed(error.to_string()))
}

/// At the first SIGTERM, SIGHUP or Ctrl-C (SIGINT), `/healthz` answers 503 for `--drain` seconds, then
/// the graceful shutdown begins. A second SIGTERM or Ctrl-C ends the process at once, with exit status 1.
/// If a handler still runs half a second after the grace time, the process ends without it.
fn stop_on_signal(stopper: Stopper, site: &'static Site, options: &ServeOptions) -> io::Result<()> {
    let (drain, grace) = (options.drain, options.limits.grace);
    sys::on_stop_signal(move |mut signals| {
        site.drain();
        let signal = signals.first();
        if !drain.is_zero() {
            let seconds = drain.as_secs_f64();
            logging::say(&format!(
                "{signal}: draining for {seconds} s: /healthz answers 503, other routes as before"
            ));
        }
        let is_second = signals.wait_timeout(drain) || {
            // Said first: an idle server says "stopped" at once.
            logging::say_stopping(signal, grace);
            stopper.stop();
            site.kitchen().close();
            signals.wait_timeout(grace + HANDLER_TIMEOUT)
        };
        if is_second {
            logging::end_at_second_signal();
        }
        log::warn!("a handler did not return within the grace time; the process ends without it");
        logging::finish();
        process::exit(0);
    })
}

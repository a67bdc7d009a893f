//! Runs the lesson site, and prints each exchange on the terminal: the command without a name.

use std::ffi::OsString;
use std::process::ExitCode;

use openkitchen::Server;
use openkitchen::observe::TraceOptions;
use openkitchen::sys::NO_ADDRESS;

use super::options::SiteOptions;
use super::port_file::PortFile;
use super::viewers::{NO_TRACE, Viewers};
use super::{CliError, bind, logging, options, server};
use crate::site::kitchen::access::Access;
use crate::site::kitchen::{HasKitchen, Kitchen};
use crate::site::likes::{self, Likes};
use crate::site::{self, ROUTES, Site};

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

fn serve(options: &SiteOptions) -> Result<(), CliError> {
    server::prepare_process()?;
    let failed = |sentence: String| CliError::Failed(sentence);
    let unusable = |sentence: String| CliError::Unusable(sentence);
    let (api_key, contact) = site::read_variables().map_err(CliError::Usage)?;
    let port_file = PortFile::prepare(options.server.port_file.as_deref()).map_err(unusable)?;
    let mut bound = bind::bind(&options.server.listen, "127.0.0.1:5000").map_err(unusable)?;
    let socket_files = bound.take_files();
    let address = bound.first();
    let has_address = address != NO_ADDRESS; // the page opens connections of its own
    let mut server = Server::from_listeners(bound.listeners)
        .limits(options.server.limits.clone())
        .scheduling(options.server.scheduling);
    let SiteOptions { full, explain, rfc, .. } = *options;
    let trace =
        options.trace.then_some(TraceOptions { full, explain, rfc, ..TraceOptions::default() });
    let server_name = format!("the lesson site at {}", bound.names[0]);
    let access = match options.kitchen && has_address {
        true => Access::of_site(&bound.addresses, options.kitchen_anywhere),
        false => Access::closed(),
    };
    let kitchen = Kitchen::of_site(address, &ROUTES, access);
    let viewers = Viewers::start(trace, options.record.as_deref(), &server_name, kitchen.viewer())
        .map_err(unusable)?;
    // The likes come last: a start that fails leaves no new file of likes.
    let default = likes::default_path();
    let likes = Likes::choose(options.data.clone(), default)
        .map_err(|error| unusable(error.to_string()))?;
    let site: &'static Site = Box::leak(Box::new(
        Site::new(likes, api_key, contact).shown_by(kitchen).traced(options.trace),
    ));
    let close_streams = || site.kitchen().close();
    let files = socket_files.clone();
    server::stop_on_signal(server.stopper(), &site.health, &options.server, files, close_streams)?;

    let likes_line = match site.likes.path() {
        Some(path) => format!("likes are kept in {}", path.display()),
        None => "likes are kept in memory and end with this process".to_owned(),
    };
    viewers.announce(&[bound.lines, vec![likes_line]].concat(), NO_TRACE);
    if viewers.shows_anything() {
        server = server.observed_by(viewers.follower.clone());
    }
    let _lock = port_file.write(&bound.names).map_err(unusable)?;
    server::warn_of_loopback(&bound.addresses);
    let served = server.run(&ROUTES, site);
    socket_files.remove();
    logging::say("stopped");
    viewers.finish();
    served.map_err(|error| failed(error.to_string()))
}

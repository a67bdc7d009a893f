//! The server that the lessons are sent to: the one that the user names, or the lesson site.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::time::Duration;

use openkitchen::play::check::{self, Case, CheckOutcome, CheckTarget};
use openkitchen::play::connect;
use openkitchen::{Server, ServerHandle};

use crate::command::{CliError, address};
use crate::site::likes::Likes;
use crate::site::{Contact, ROUTES, Site, course};

/// A request that only the lesson site answers in this way.
const PROBE: &str = ">>>\nGET /lesson HTTP/1.1\nHost: 127.0.0.1:5000\nConnection: close\n\n\
                     ???\nstatus 200\nbody contains \"`openkitchen learn`\"\n";

/// How long a site at port 5000 may take to answer the probe.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);

/// The server of the lessons.
pub struct LessonServer {
    pub target: CheckTarget,
    /// Which server it is, in a sentence.
    pub sentence: String,
    /// The lesson site, if it runs inside of this process. It stops when this is dropped.
    _site: Option<ServerHandle<Site>>,
}

impl LessonServer {
    /// The server at this address, or the lesson site.
    ///
    /// # Errors
    /// The address cannot be used, or no site can be started.
    pub fn of(typed: Option<&OsStr>, timeout: Duration) -> Result<LessonServer, CliError> {
        if let Some(typed) = typed {
            let authority = address::authority(typed)?;
            let addresses = connect::resolve(&authority)
                .map_err(|why| address::no_connection(&authority, &why))?;
            let sentence = format!("The lessons are sent to {authority}.");
            let target = CheckTarget { authority, addresses, timeout };
            return Ok(LessonServer { target, sentence, _site: None });
        }
        if let Some(address) = running_site() {
            let target = CheckTarget { timeout, ..CheckTarget::new(address) };
            let sentence = format!(
                "The lessons are sent to the lesson site at {address}. Its own terminal shows them, too."
            );
            return Ok(LessonServer { target, sentence, _site: None });
        }
        let failed = |why: String| CliError::Failed(format!("the lesson site cannot start: {why}"));
        let site = Site::new(Likes::in_memory(), None, Contact::default()).traced(false);
        let server = Server::bind("127.0.0.1:0").map_err(|error| failed(error.to_string()))?;
        let site = server.start(&ROUTES, site).map_err(|error| failed(error.to_string()))?;
        let address = site.address();
        let target = CheckTarget { timeout, ..CheckTarget::new(address) };
        let sentence =
            format!("The lessons are sent to the lesson site at {address}, in this process.");
        Ok(LessonServer { target, sentence, _site: Some(site) })
    }
}

/// The address of a lesson site that runs at its usual port.
fn running_site() -> Option<SocketAddr> {
    let address: SocketAddr = course::SITE_HOST.parse().ok()?;
    let probe = Case::read("probe", PROBE).ok()?;
    let target = CheckTarget { timeout: PROBE_TIMEOUT, ..CheckTarget::new(address) };
    (check::play(&probe, &target) == CheckOutcome::Passed).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_knows_the_lesson_site_and_no_other_server() {
        let site = Site::new(Likes::in_memory(), None, Contact::default());
        let site = Server::bind("127.0.0.1:0").expect("a port").start(&ROUTES, site);
        let target = CheckTarget::new(site.as_ref().expect("a thread").address());
        let probe = Case::read("probe", PROBE).expect("a case");
        assert_eq!(check::play(&probe, &target), CheckOutcome::Passed);
        let other = PROBE.replace("/lesson", "/about");
        let other = Case::read("probe", &other).expect("a case");
        assert!(matches!(check::play(&other, &target), CheckOutcome::Failed { .. }));
    }
}

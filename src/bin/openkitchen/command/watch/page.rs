//! # The page of `watch`: the kitchen, before any server
//!
//! ```text
//! # your app, through the glass: http://127.0.0.1:5001 · the kitchen: http://127.0.0.1:5002/?key=3f2a...
//! ```
//! The page has a server of its own, so that no byte of it crosses the connections that it shows. By
//! default, it listens on the port after watch's own; if that is taken, or watch listens on port 0, on any
//! free one.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use openkitchen::{Limits, Routes, Server, ServerHandle, get};

use super::super::bind::{self, Bound};
use super::super::viewers::Viewers;
use crate::site::kitchen::access::Access;
use crate::site::kitchen::{self, Kitchen, ShownServer};
use crate::site::likes::Likes;
use crate::site::{self, Contact, Site};

/// The routes of the page: the rows of the site's table that are the kitchen's. None is shown by the
/// trace or in the access log.
fn routes() -> Result<Routes<Site>, String> {
    let kitchen = site::ROUTES.iter().filter(|route| kitchen::is_own(route.row())).copied();
    Routes::new([get("/", kitchen::enter).quiet()].into_iter().chain(kitchen).collect())
}

/// Connections of the page at one time: a browser opens six to a host.
const MAX_CONNECTIONS: usize = 64;

/// How long the page's server may take to stop.
const GRACE: Duration = Duration::from_secs(1);

/// The page, before it is served.
pub struct Page {
    /// What it shows.
    pub kitchen: Kitchen,
    bound: Bound,
    link: String,
    /// Prints further links, once there is something that prints.
    viewers: Arc<OnceLock<Viewers>>,
}

impl Page {
    /// Binds the page's addresses: the given ones, or the default. `watched` is the server, before which
    /// watch listens at `watch`; `listen` is what was asked for as its address.
    ///
    /// # Errors
    /// A sentence for the user: the address cannot be bound, or the system has no random bytes.
    pub fn bind(
        given: &[String],
        watch: SocketAddr,
        watched: &str,
        listen: &str,
        is_anywhere: bool,
    ) -> Result<Page, String> {
        let bind = |address: &str| bind::bind_for("page", vec![address]);
        let next = watch.port().checked_add(1).filter(|_| !listen.ends_with(":0"));
        let bound = match (given, next) {
            ([_, ..], _) => bind::bind_for("page", given.iter().map(String::as_str).collect())?
                .of_tcp("page")?,
            ([], Some(next)) => {
                bind(&format!("127.0.0.1:{next}")).or_else(|_| bind("127.0.0.1:0"))?
            }
            ([], None) => bind("127.0.0.1:0")?,
        };
        let viewers = Arc::new(OnceLock::<Viewers>::new());
        let printer = Arc::clone(&viewers);
        let print = move |link: &str| {
            if let Some(viewers) = printer.get() {
                viewers.say(&format!("the kitchen is open; for another browser: {link}"));
            }
        };
        let (access, link) =
            Access::of_watch(&bound.addresses, is_anywhere, print).map_err(|error| {
                format!("the page has no key: {error}; --no-page starts without it")
            })?;
        let watched = Some(watched.to_owned());
        let kitchen =
            Kitchen::new(ShownServer { address: watch, watched, rows: Vec::new() }, access);
        Ok(Page { kitchen, bound, link, viewers })
    }

    /// The line that says where to look.
    pub fn line(&self, watch: SocketAddr) -> String {
        let kitchen = match self.kitchen.access().is_open() {
            true => self.link.as_str(),
            false => "shut, since other machines reach its address (--kitchen-anywhere opens it)",
        };
        format!("your app, through the glass: http://{watch} · the kitchen: {kitchen}")
    }

    /// Serves the page until the handle is dropped.
    ///
    /// # Errors
    /// A sentence for the user.
    pub fn start(self, viewers: &Viewers) -> Result<ServerHandle<Site>, String> {
        let _ = self.viewers.set(viewers.clone()); // it was empty
        let limits = Limits { connections: MAX_CONNECTIONS, grace: GRACE, ..Limits::default() };
        let server = Server::from_listeners(self.bound.listeners).limits(limits);
        let site = Site::new(Likes::in_memory(), None, Contact::default()).shown_by(self.kitchen);
        server.start(routes()?, site).map_err(|error| error.to_string())
    }
}

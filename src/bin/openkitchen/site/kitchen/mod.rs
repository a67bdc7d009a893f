//! # The kitchen: shows a page what crosses, and what ran
//!
//! The page is in the folder `html`. Here are the requests that it makes:
//!
//! ```text
//! GET  /kitchen/events          each exchange and connection, live: server-sent events
//! GET  /kitchen/state           those that are kept
//! GET  /kitchen/exchange/12     the bytes of one, what they mean, what ran, and the ten steps
//! GET  /kitchen/table           the route table, with its lines in the source
//! POST /kitchen/lab             sends bytes to this server, and tells what comes back
//! POST /kitchen/explain         what bytes mean
//! GET  /kitchen/course          the lessons
//! GET  /kitchen/words           what the words of HTTP mean
//! GET  /kitchen/kitchen.js      a file of the page
//! ```
//! The lesson site and `watch` serve the same handlers: each has a state that [`HasKitchen`]. The answers
//! are JSON. Bytes are strings in which each character, U+0000 to U+00FF, is one byte.
//!
//! Rule: raw traffic holds other people's secrets, so [`access`] refuses other clients, and
//! [`secrets`] masks keys. Everything is bounded.  Next: [`access`].

pub mod access;
pub mod course;
pub mod curl;
pub mod files;
pub mod lab;
pub mod message;
pub mod secrets;
pub mod source;
pub mod steps;
pub mod stream;
pub mod summary;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use openkitchen::observe::{Exchanges, Viewer};
use openkitchen::transcript::explain::explain as explain_bytes;
use openkitchen::transcript::glossary;
use openkitchen::{Method, Request, Response, RouteRow, Routes, Status};

use super::pages;
use crate::json;
use access::Access;

/// Exchanges that are kept.
const KEPT: usize = 100;

/// Connections that the state lists, at most: the newest.
const MAX_LISTED: usize = 256;

/// Bytes that are explained at once.
const MAX_EXPLAINED_BYTES: usize = 256 * 1024;

/// A state of a server that has a kitchen.
pub trait HasKitchen: Sync + 'static {
    /// The kitchen.
    fn kitchen(&self) -> &Kitchen;
}

/// The kitchen of one server. A clone is a handle to the same.
#[derive(Clone)]
pub struct Kitchen(Arc<KitchenParts>);

/// What a kitchen shows, and to whom.
struct KitchenParts {
    exchanges: Exchanges,
    access: Access,
    /// Tells this run from others, since the numbers of events begin anew with each.
    run: String,
    shown: ShownServer,
    viewers: AtomicUsize,
    labs: AtomicUsize,
}

/// The server that is shown.
pub struct ShownServer {
    /// Where clients reach it, or watch before it. The lab sends to this address and to no other.
    pub address: SocketAddr,
    /// The server before which watch stands; `None` for the lesson site.
    pub watched: Option<String>,
    /// The route table; empty for `watch`, which knows none.
    pub rows: Vec<RouteRow>,
}

impl Kitchen {
    /// The kitchen of a server, which always keeps what crosses.
    pub fn new(shown: ShownServer, access: Access) -> Kitchen {
        Kitchen::keeping(Exchanges::setting_aside(KEPT, is_own), shown, access)
    }

    fn keeping(exchanges: Exchanges, shown: ShownServer, access: Access) -> Kitchen {
        let run = format!("{:08x}", openkitchen::sys::random());
        let (viewers, labs) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Kitchen(Arc::new(KitchenParts { exchanges, access, run, shown, viewers, labs }))
    }

    /// The kitchen of no server: every request for it is refused.
    pub fn shut() -> Kitchen {
        let address = (Ipv4Addr::UNSPECIFIED, 0).into();
        Kitchen::new(ShownServer { address, watched: None, rows: Vec::new() }, Access::closed())
    }

    /// The kitchen of a server with this route table, at this address. Where neither a trace nor a recording
    /// follows the connections, exchanges are kept since a page looks.
    pub fn of_site<S>(address: SocketAddr, routes: &Routes<S>, access: Access) -> Kitchen {
        let rows = routes.iter().map(|route| *route.row()).collect();
        let exchanges = Exchanges::on_demand(KEPT, is_own);
        Kitchen::keeping(exchanges, ShownServer { address, watched: None, rows }, access)
    }

    /// What keeps the exchanges of the server; `None` if every request for them is refused.
    pub fn viewer(&self) -> Option<Arc<dyn Viewer>> {
        self.0.access.is_open().then(|| self.0.exchanges.viewer())
    }

    /// Which clients may read what is kept.
    pub fn access(&self) -> &Access {
        &self.0.access
    }

    /// Ends the streams of events: the server stops.
    pub fn close(&self) {
        self.0.exchanges.close();
    }

    /// The first event of a stream: which run of which server it is.
    fn hello(&self) -> String {
        let ShownServer { address, watched, .. } = &self.0.shown;
        let mode = if watched.is_some() { "watch" } else { "site" };
        json::object([
            ("run", json::string(&self.0.run)),
            ("mode", json::string(mode)),
            ("address", json::string(&address.to_string())),
            ("watched", json::or_null(watched.as_deref().map(json::string))),
            ("kept", KEPT.to_string()),
            ("now", summary::epoch_millis(SystemTime::now())),
        ])
    }

    /// The name of an event: its run and its number.
    fn event_id(&self, number: u64) -> String {
        format!("{}-{number}", self.0.run)
    }

    /// The number of an event of this run.
    fn event_number(&self, id: &str) -> Option<u64> {
        let (run, number) = id.split_once('-')?;
        number.parse().ok().filter(|_| run == self.0.run)
    }

    /// Takes one of so many places, until the place is dropped; `None` if all are taken.
    fn place(
        &self,
        places: fn(&KitchenParts) -> &AtomicUsize,
        most: usize,
    ) -> Option<KitchenPermit> {
        let taken = |taken: usize| (taken < most).then_some(taken + 1);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        places(&self.0).fetch_update(set, fetch, taken).ok()?;
        Some(KitchenPermit { kitchen: self.clone(), places })
    }
}

/// A place of a viewer, or of a lab.
struct KitchenPermit {
    kitchen: Kitchen,
    places: fn(&KitchenParts) -> &AtomicUsize,
}

impl Drop for KitchenPermit {
    fn drop(&mut self) {
        (self.places)(&self.kitchen.0).fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether the exchanges of a row are the kitchen's own.
pub fn is_own(row: &RouteRow) -> bool {
    row.path == "/kitchen" || row.path.starts_with("/kitchen/")
}

/// Answers a request that may see the kitchen, or says why it may not.
fn guarded<S: HasKitchen>(
    request: &Request<S>,
    answer: impl FnOnce(&Kitchen) -> Result<Response, Response>,
) -> Response {
    unless(Access::refusal, request, answer)
}

/// Answers a request unless this gate refuses it.
fn unless<S: HasKitchen>(
    gate: fn(&Access, &Request<S>) -> Option<Response>,
    request: &Request<S>,
    answer: impl FnOnce(&Kitchen) -> Result<Response, Response>,
) -> Response {
    let kitchen = request.state().kitchen();
    let response = match gate(&kitchen.0.access, request) {
        Some(refusal) => refusal,
        None => answer(kitchen).unwrap_or_else(|refusal| refusal),
    };
    response.field("Cache-Control", "no-store").field("X-Content-Type-Options", "nosniff")
}

/// A sentence with a status.
fn sentence(status: Status, text: &str) -> Response {
    Response::text(format!("{text}\n")).status(status)
}

/// `GET /kitchen`: the page. On the lesson site, it is a part of the front page.
pub fn page<S: HasKitchen>(request: &Request<S>) -> Response {
    unless(Access::refusal_of_page, request, |kitchen| match kitchen.0.shown.watched {
        None => Ok(Response::see_other("/#kitchen")),
        Some(_) => Ok(pages::watch()),
    })
}

/// `GET /` of watch's page: changes the key of a link for a cookie and a key, and leads to the page.
pub fn enter<S: HasKitchen>(request: &Request<S>) -> Response {
    let access = request.state().kitchen().access();
    let response = match request.param("key") {
        _ if access.is_misdirected(request) => access.refusal(request),
        None => None,
        // HEAD asks what GET would answer, and must change nothing.
        Some(_) if request.method() != Method::Get => None,
        Some(key) => Some(access.change_key(&key)),
    };
    let response = response.unwrap_or_else(|| Response::see_other("/kitchen"));
    response.field("Cache-Control", "no-store").field("Referrer-Policy", "no-referrer").hide_query()
}

/// `GET /kitchen/events`: what happens, as it happens.
pub fn events<S: HasKitchen>(request: &Request<S>) -> Response {
    guarded(request, |kitchen| {
        let last = request.only("last-event-id").map(str::to_owned);
        let own = request.param("own").is_some_and(|own| own == "1");
        stream::events(kitchen, last.or_else(|| request.param("after")).as_deref(), own)
    })
}

/// `GET /kitchen/state`: the exchanges that are kept, and the connections that are open.
pub fn state<S: HasKitchen>(request: &Request<S>) -> Response {
    guarded(request, |kitchen| {
        let KitchenParts { exchanges, shown, .. } = &*kitchen.0;
        drop(exchanges.want()); // the page asks for the events next
        // The number comes first. What changes meanwhile is told as an event after it.
        let last = json::string(&kitchen.event_id(exchanges.last_event()));
        let kept = exchanges.numbers().into_iter().filter_map(|number| exchanges.get(number));
        let kept = json::array(kept.map(|exchange| summary::exchange(&exchange, &shown.rows)));
        let open = exchanges.connections();
        let newest = &open[open.len().saturating_sub(MAX_LISTED)..];
        Ok(Response::json(json::object([
            ("hello", kitchen.hello()),
            ("last", last),
            ("exchanges", kept),
            ("connections", json::array(newest.iter().map(summary::connection))),
        ])))
    })
}

/// `GET /kitchen/exchange/N`: all that is known of one exchange. Each run numbers its exchanges from 1, so a
/// page that names its run is refused by another one.
pub fn exchange<S: HasKitchen>(request: &Request<S>) -> Response {
    guarded(request, |kitchen| {
        if request.param("run").is_some_and(|run| run != kitchen.0.run) {
            return Err(sentence(
                Status::CONFLICT,
                "This exchange was of an earlier run of the server, and went with it.",
            ));
        }
        let number = request.rest().parse().ok();
        let kept = number.and_then(|number| kitchen.0.exchanges.get(number)).ok_or_else(|| {
            sentence(Status::NOT_FOUND, "There is no such exchange, or it is not kept any more.")
        })?;
        let unmasked = request.param("unmask").is_some_and(|unmask| unmask == "1");
        Ok(Response::json(summary::details(&kept, &kitchen.0.shown, unmasked)))
    })
}

/// `GET /kitchen/table`: the route table, with its lines in the source.
pub fn table<S: HasKitchen>(request: &Request<S>) -> Response {
    guarded(request, |kitchen| {
        let rows = kitchen.0.shown.rows.iter().enumerate();
        let rows = json::array(rows.map(|(index, row)| {
            let source = source::row(row);
            json::object([
                ("index", index.to_string()),
                ("method", json::string(row.method.name())),
                ("path", json::string(row.path)),
                ("text", json::string(source.text)),
                ("file", json::string(&source.file)),
                ("line", row.place.line().to_string()),
                ("handler", json::string(source.handler)),
                ("quiet", row.is_quiet.to_string()),
            ])
        }));
        Ok(Response::json(json::object([("rows", rows)])))
    })
}

/// `POST /kitchen/lab`: sends bytes to this server, and tells what comes back as it comes.
pub fn lab<S: HasKitchen>(request: &Request<S>) -> Response {
    guarded(request, |kitchen| lab::send(kitchen, request.content()))
}

/// `POST /kitchen/explain`: what bytes mean.
pub fn explain<S: HasKitchen>(request: &Request<S>) -> Response {
    guarded(request, |_| {
        let bytes = request.content();
        if bytes.len() > MAX_EXPLAINED_BYTES {
            let text = format!("At most {MAX_EXPLAINED_BYTES} bytes are explained at once.");
            return Err(sentence(Status::CONTENT_TOO_LARGE, &text));
        }
        let remarks = explain_bytes(bytes, None, None);
        Ok(Response::json(json::object([
            ("bytes", json::bytes(bytes)),
            ("parts", message::parts(&remarks)),
        ])))
    })
}

/// `GET /kitchen/course`: the lessons, with the host of the server that is shown.
pub fn course<S: HasKitchen>(request: &Request<S>) -> Response {
    guarded(request, |kitchen| {
        course::groups(&kitchen.0.shown.address.to_string()).map(Response::json).map_err(|why| {
            sentence(Status::INTERNAL_SERVER_ERROR, &format!("The course cannot be read: {why}."))
        })
    })
}

/// `GET /kitchen/words`: what the words of HTTP mean.
pub fn words<S: HasKitchen>(request: &Request<S>) -> Response {
    guarded(request, |_| {
        let words = glossary::words().map(|(word, clause, text)| {
            json::object([
                ("word", json::string(word)),
                ("text", json::string(text)),
                ("clause", json::string(clause)),
            ])
        });
        Ok(Response::json(json::object([("words", json::array(words))])))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_is_dropped() {
        let address = ([127, 0, 0, 1], 5000).into();
        let shown = ShownServer { address, watched: None, rows: Vec::new() };
        let kitchen = Kitchen::new(shown, Access::of_site(&[address], false));
        let place = || kitchen.place(|parts| &parts.labs, 2);
        let (one, two) = (place(), place());
        assert!(one.is_some() && two.is_some() && place().is_none());
        drop(one);
        assert!(place().is_some());
    }

    #[test]
    fn an_event_of_another_run_is_none_of_this_one() {
        let address = ([127, 0, 0, 1], 5000).into();
        let shown = ShownServer { address, watched: None, rows: Vec::new() };
        let kitchen = Kitchen::new(shown, Access::of_site(&[address], false));
        assert_eq!(kitchen.event_number(&kitchen.event_id(7)), Some(7));
        for other in ["7", "", "-7", "0-7", &format!("{}-x", kitchen.0.run)] {
            assert_eq!(kitchen.event_number(other), None, "{other}");
        }
    }
}

//! # The lesson site
//!
//! A small restaurant with a dining room (pages), an order window (the API) and a door for the
//! staff. Everything here is written against the crate's public face alone, as any other customer
//! would write it.
//!
//! The table below is the whole site. Read a row as: when someone visits this path, run this
//! function.

pub mod pages;
pub mod posts;
pub mod api;
pub mod accept_field;
pub mod json;
pub mod likes;
pub mod likes_file;
pub mod staff;
pub mod base64;
pub mod mirror;

use std::env;
use std::sync::atomic::{AtomicBool, Ordering};

use openkitchen::{Request, Response, Routes, Status, get, post, routes};

use likes::Likes;
use staff::Key;

/// What the kitchen has on its shelves.
pub static ROUTES: Routes<Site> = routes(&[
    // The dining room: what a guest sees.
    get("/", pages::home),
    get("/about", pages::about),
    get("/contact", pages::contact),
    get("/staff", staff::door),
    // The slot in the wall: what a program asks.
    get("/api/posts", api::posts),
    get("/api/likes", api::likes),
    post("/api/likes", api::like),
    // Mirrors: what you sent, handed back.
    post("/echo", mirror::echo),
    get("/raw", mirror::raw),
    post("/raw", mirror::raw),
    get("/fields", mirror::fields),
    post("/fields", mirror::fields),
    // For browsers and for whoever watches over the server. Quiet rows are not logged.
    get("/site.css", pages::css),
    get("/like.js", pages::js),
    get("/favicon.ico", pages::icon).quiet(),
    get("/healthz", health).quiet(),
]);

/// What every handler may see, lent to it by `request.state()`. There are no globals: two sites can
/// run in one process.
pub struct Site {
    /// The likes, on disk.
    pub likes: Likes,
    /// The staff's key; `None` keeps that door shut.
    pub key: Option<Key>,
    /// Who is named on `/contact`.
    pub contact: Contact,
    draining: AtomicBool,
}

/// Who runs this place, as far as they told.
#[derive(Default)]
pub struct Contact {
    /// `CONTACT_NAME`.
    pub name: Option<String>,
    /// `CONTACT_EMAIL`.
    pub email: Option<String>,
}

impl Site {
    /// A site from its parts. An `api_key` that no one could send is told in the log and leaves the
    /// door shut.
    pub fn new(likes: Likes, api_key: Option<String>, contact: Contact) -> Site {
        let key = api_key.and_then(|key| {
            Key::new(&key)
                .map_err(|why| log::error!("API_KEY is of no use, so /staff stays shut: {why}"))
                .ok()
        });
        Site { likes, key, contact, draining: AtomicBool::new(false) }
    }

    /// A site whose secrets and names come from the environment: read once, at the start, and never
    /// in a handler.
    pub fn from_env(likes: Likes) -> Site {
        let contact = Contact { name: variable("CONTACT_NAME"), email: variable("CONTACT_EMAIL") };
        Site::new(likes, variable("API_KEY"), contact)
    }

    /// From now on `/healthz` answers 503, so that a proxy in front sends its guests elsewhere
    /// while we finish.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}

/// A variable that is set but empty (`API_KEY= openkitchen`) counts as unset: an empty key would
/// open the door to everyone.
fn variable(name: &str) -> Option<String> {
    match env::var(name) {
        Ok(value) => Some(value).filter(|value| !value.is_empty()),
        Err(env::VarError::NotPresent) => None,
        Err(env::VarError::NotUnicode(_)) => {
            log::warn!("{name} is not UTF-8; it counts as unset");
            None
        }
    }
}

/// `/healthz`: am I well, and should more guests be sent to me?
fn health(request: &Request<Site>) -> Response {
    let answer = if request.state().draining.load(Ordering::Relaxed) {
        Response::text("draining").status(Status::SERVICE_UNAVAILABLE)
    } else {
        Response::text("ok")
    };
    answer.field("Cache-Control", "no-store")
}

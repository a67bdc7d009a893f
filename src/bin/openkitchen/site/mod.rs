//! # The lesson site
//!
//! Routes and state of the site that `openkitchen` serves: pages, an API, a page that needs a key,
//! and routes that send the request back. The pages show it as a restaurant: the frontend is the
//! dining room, the API is the slot in the wall, the backend is the kitchen.
//!
//! This module uses the public API of the crate alone, as any other application would. The table
//! below is the whole site. A row means: for this method and path, run this function.

pub mod pages;
pub mod posts;
pub mod api;
pub mod accept_field;
pub mod origin;
pub mod json_reader;
pub mod likes;
pub mod likes_file;
pub mod staff;
pub mod mirror;
#[cfg_attr(not(feature = "tools"), allow(dead_code, reason = "the page of watch uses the rest"))]
pub mod kitchen;
pub mod practice;
#[cfg_attr(not(feature = "tools"), allow(dead_code, reason = "learn and check use the rest"))]
pub mod course;

use std::env;

use openkitchen::message::credentials::Key;
use openkitchen::{Health, Request, Response, Routes, get, post, routes};

use kitchen::{HasKitchen, Kitchen};
use likes::Likes;

/// All routes of the site.
pub static ROUTES: Routes<Site> = routes(&[
    // The dining room: the pages.
    get("/", pages::home),
    get("/about", pages::about),
    get("/contact", pages::contact),
    get("/staff", staff::page),
    // The slot in the wall: the API.
    get("/api/posts", api::posts),
    get("/api/likes", api::likes),
    post("/api/likes", api::like),
    post("/like", api::like_form),
    // Mirrors: the response shows the request.
    post("/echo", mirror::echo),
    get("/raw", mirror::raw).keep_raw(),
    post("/raw", mirror::raw).keep_raw(),
    get("/fields", mirror::fields),
    post("/fields", mirror::fields),
    // The kitchen: what the page shows of each exchange.
    get("/kitchen", kitchen::page).quiet(),
    get("/kitchen/events", kitchen::events).quiet(),
    get("/kitchen/state", kitchen::state).quiet(),
    get("/kitchen/exchange/*", kitchen::exchange).quiet(),
    get("/kitchen/table", kitchen::table).quiet(),
    post("/kitchen/lab", kitchen::lab).quiet(),
    post("/kitchen/explain", kitchen::explain).quiet(),
    get("/kitchen/course", kitchen::course).quiet(),
    get("/kitchen/words", kitchen::words).quiet(),
    // Practice: what the lessons are about.
    get("/lesson", practice::list),
    get("/lesson/chunks", practice::chunks),
    get("/lesson/etag", practice::etag),
    get("/lesson/redirect", practice::redirect),
    post("/lesson/redirect", practice::redirect),
    get("/lesson/cookie", practice::cookie),
    get("/lesson/close", practice::close),
    get("/lesson/reset", practice::reset),
    get("/lesson/slow", practice::slow),
    get("/kitchen/*", kitchen::files::file).quiet(),
    // For browsers and for health checks. The access log leaves quiet routes out.
    get("/like.js", pages::js),
    get("/favicon.ico", pages::icon).quiet(),
    get("/healthz", health).quiet(),
])
// Where no row answers: a page for browsers, and text for others.
.fallback(pages::no_route);

/// State of the site. Every handler borrows it with `request.state()`. There are no globals, so two
/// sites can run in one process.
pub struct Site {
    /// The likes, in a file or in memory.
    pub likes: Likes,
    /// The key for `/staff`. With `None`, `/staff` answers 403.
    pub key: Option<Key>,
    /// Name and email on `/contact`.
    pub contact: Contact,
    /// Whether the terminal shows each exchange, as the home page says. `--no-trace` sets it to false.
    pub is_traced: bool,
    kitchen: Kitchen,
    /// What `/healthz` answers.
    pub health: Health,
}

/// Name and email of the site's owner, if the environment has them.
#[derive(Default)]
pub struct Contact {
    /// `CONTACT_NAME`.
    pub name: Option<String>,
    /// `CONTACT_EMAIL`.
    pub email: Option<String>,
}

impl Site {
    /// A site from its parts, with a kitchen that is shut. An `api_key` that cannot be used is logged, and
    /// counts as none.
    pub fn new(likes: Likes, api_key: Option<String>, contact: Contact) -> Site {
        let key = api_key.and_then(|key| {
            Key::new(&key)
                .map_err(|why| log::error!("API_KEY is unusable, so /staff answers 403: {why}"))
                .ok()
        });
        let kitchen = Kitchen::shut();
        Site { likes, key, contact, is_traced: true, kitchen, health: Health::default() }
    }

    /// The same site, with this kitchen.
    pub fn shown_by(self, kitchen: Kitchen) -> Site {
        Site { kitchen, ..self }
    }

    /// The same site, which says on its home page whether the terminal shows each exchange.
    pub fn traced(self, is_traced: bool) -> Site {
        Site { is_traced, ..self }
    }
}

impl HasKitchen for Site {
    fn kitchen(&self) -> &Kitchen {
        &self.kitchen
    }
}

/// Reads the key, and the name and email, from the environment. They are read once, at the start,
/// and never in a handler.
///
/// # Errors
/// A sentence: which of them is not UTF-8.
pub fn read_variables() -> Result<(Option<String>, Contact), String> {
    let contact = Contact { name: variable("CONTACT_NAME")?, email: variable("CONTACT_EMAIL")? };
    Ok((variable("API_KEY")?, contact))
}

/// Reads an environment variable. A value that is empty (`API_KEY= openkitchen`) counts as unset,
/// because every client could send an empty key.
fn variable(name: &str) -> Result<Option<String>, String> {
    let value = env::var_os(name).filter(|value| !value.is_empty());
    // The value may be a secret, so the error does not repeat it.
    let text = value.map(|value| value.into_string().map_err(|_| format!("{name} is not UTF-8")));
    text.transpose()
}

/// `/healthz`: see [`Health`].
fn health(request: &Request<Site>) -> Response {
    request.state().health.response()
}

//! # The files of the kitchen's page
//!
//! The kitchen is the part of a page that shows each exchange: its bytes, what they mean, and what ran.
//! It is a few JavaScript modules and a style sheet, without a build step. [`watch`](super::super) serves
//! the same files.

use openkitchen::{Request, Response, Status};

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// A file under `/kitchen/`: its name, its media type and its text.
macro_rules! files {
    ($($kind:ident $name:literal,)*) => {
        [$(($name, $kind, include_str!(concat!("html/kitchen/", $name))),)*]
    };
}

/// All files of the page.
static FILES: [(&str, &str, &str); 12] = files! {
    STYLE "kitchen.css",
    SCRIPT "kitchen.js",
    SCRIPT "dom.js",
    SCRIPT "feed.js",
    SCRIPT "history.js",
    SCRIPT "bytes.js",
    SCRIPT "exchange.js",
    SCRIPT "walk.js",
    SCRIPT "draft.js",
    SCRIPT "lab.js",
    SCRIPT "course.js",
    SCRIPT "compare.js",
};

/// `GET /kitchen/*`: a file of the page. It changes only with a new build.
pub fn file<S>(request: &Request<S>) -> Response {
    let name = request.rest();
    let Some((_, kind, text)) = FILES.iter().find(|(known, ..)| *known == name) else {
        return Response::text("There is no such file.\n").status(Status::NOT_FOUND);
    };
    Response::bytes(kind, text.as_bytes())
        .field("Cache-Control", "max-age=600")
        .field("X-Content-Type-Options", "nosniff")
}

//! # The files of the kitchen's page
//!
//! The page is a few JavaScript modules and a style sheet, without a build step: the browser runs what
//! stands in `html/kitchen`. They hold nothing of what crosses, so anybody may load them.
//!
//! Next: `kitchen.js`, which says what is in the others.

use openkitchen::{Request, Response, Status};

use super::super::pages;
use super::sentence;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// All files of the page: name, media type, text.
static FILES: [(&str, &str, &str); 13] = [
    ("kitchen.css", STYLE, include_str!("../html/kitchen/kitchen.css")),
    ("kitchen.js", SCRIPT, include_str!("../html/kitchen/kitchen.js")),
    ("dom.js", SCRIPT, include_str!("../html/kitchen/dom.js")),
    ("feed.js", SCRIPT, include_str!("../html/kitchen/feed.js")),
    ("history.js", SCRIPT, include_str!("../html/kitchen/history.js")),
    ("bytes.js", SCRIPT, include_str!("../html/kitchen/bytes.js")),
    ("exchange.js", SCRIPT, include_str!("../html/kitchen/exchange.js")),
    ("walk.js", SCRIPT, include_str!("../html/kitchen/walk.js")),
    ("draft.js", SCRIPT, include_str!("../html/kitchen/draft.js")),
    ("lab.js", SCRIPT, include_str!("../html/kitchen/lab.js")),
    ("course.js", SCRIPT, include_str!("../html/kitchen/course.js")),
    ("compare.js", SCRIPT, include_str!("../html/kitchen/compare.js")),
    ("icon.svg", "image/svg+xml", include_str!("../html/icon.svg")),
];

/// `GET /kitchen/*`: a file of the page.
pub fn file<S>(request: &Request<S>) -> Response {
    let name = request.rest();
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => pages::asset(kind, text),
        None => sentence(Status::NOT_FOUND, "The kitchen's page has no such file."),
    }
}

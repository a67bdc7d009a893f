//! # Practice: routes that do what the lessons are about
//!
//! Each does one thing, so that a lesson has one to look at. Everything in them is short and
//! bounded.
//!
//! ```text
//! /lesson             a list of these routes
//! /lesson/chunks      content whose length is not known: three chunks, one after another
//! /lesson/etag        content with an ETag: a client that has it gets 304
//! /lesson/redirect    303: look at /about
//! /lesson/cookie      counts your visits, and keeps the number in your cookie
//! /lesson/close       content without a length: it ends with the connection
//! /lesson/reset       content that is lost: the connection is reset in the middle
//! /lesson/slow        an answer after one second
//! ```
//! Rule: RFC 9112 sections 6.3 and 7.1, RFC 9110 sections 8.8.3, 13.1.2 and 15.4.4, RFC 6265.

use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use openkitchen::{DeliveryStep, Request, Response, Status};

use super::Site;

/// What `/lesson` answers. `openkitchen learn` knows the site by it.
pub const LIST: &str = "\
These routes do what the lessons are about. `openkitchen learn` asks for them.

/lesson/chunks      content whose length is not known: three chunks
/lesson/etag        content with an ETag: a client that has it gets 304
/lesson/redirect    303: look at /about
/lesson/cookie      counts your visits, and keeps the number in your cookie
/lesson/close       content without a length: it ends with the connection
/lesson/reset       content that is lost: the connection is reset in the middle
/lesson/slow        an answer after one second
";

/// The chunks of `/lesson/chunks`.
const CHUNKS: [&str; 3] = ["first the soup,\n", "then the rice,\n", "then the tea\n"];

/// The pause between two chunks: long enough that a person sees them come one by one.
const CHUNK_PAUSE: Duration = Duration::from_millis(100);

/// The version of the content at `/lesson/etag`.
const ETAG: &str = "\"menu-1\"";

/// The name of the cookie of `/lesson/cookie`.
const COOKIE: &str = "visits";

/// Where the count of visits ends.
const MAX_VISITS: u32 = 1000;

/// How long `/lesson/slow` takes.
const SLOW: Duration = Duration::from_secs(1);

/// `GET /lesson`: the list.
pub fn list(_: &Request<Site>) -> Response {
    Response::text(LIST)
}

/// `GET /lesson/chunks`: each read of the reader is a chunk (RFC 9112 section 7.1).
pub fn chunks(_: &Request<Site>) -> Response {
    let chunks = PausedChunks { next: 0 };
    Response::stream("text/plain; charset=utf-8", chunks).field("Cache-Control", "no-store")
}

/// A reader that gives one chunk for each read.
struct PausedChunks {
    next: usize,
}

impl Read for PausedChunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(mut chunk) = CHUNKS.get(self.next).map(|chunk| chunk.as_bytes()) else {
            return Ok(0);
        };
        if self.next > 0 {
            thread::sleep(CHUNK_PAUSE);
        }
        self.next += 1;
        chunk.read(buffer)
    }
}

/// `GET /lesson/etag`: 304 if the client has this version (RFC 9110 section 13.1.2).
pub fn etag(request: &Request<Site>) -> Response {
    let is_known =
        |tag: &[u8]| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == ETAG.as_bytes();
    let response = match request.field_lines().members("if-none-match").any(is_known) {
        true => Response::new(Status::NOT_MODIFIED),
        false => Response::text("Today's menu: soup, rice, tea.\n"),
    };
    response.field("ETag", ETAG).field("Cache-Control", "no-cache")
}

/// `GET /lesson/redirect`, and `POST`, as after a form: the answer is at another address.
pub fn redirect(_: &Request<Site>) -> Response {
    Response::see_other("/about").field("Cache-Control", "no-store")
}

/// `GET /lesson/cookie`: the server keeps nothing. The client sends the number back (RFC 6265).
pub fn cookie(request: &Request<Site>) -> Response {
    let value =
        |pair: &'_ str| pair.trim().strip_prefix(COOKIE)?.strip_prefix('=').map(str::to_owned);
    let lines = request.field_lines().values("cookie").filter_map(|it| str::from_utf8(it).ok());
    let sent: Option<String> = lines.flat_map(|line| line.split(';')).find_map(value);
    let before = sent.as_ref().map(|sent| sent.parse::<u32>());
    let visits = match before {
        Some(Ok(before)) => before.saturating_add(1).min(MAX_VISITS),
        _ => 1,
    };
    let sentence = match before {
        None if request.field_lines().values("cookie").next().is_some() => {
            format!("You sent a cookie, but not one named {COOKIE}, so this is visit 1.\n")
        }
        None => "You sent no cookie, so this is visit 1.\n".to_owned(),
        Some(Ok(before)) if before < MAX_VISITS => {
            format!("Your cookie says {before}, so this is visit {visits}.\n")
        }
        Some(Ok(before)) => format!("Your cookie says {before}. The count ends at {MAX_VISITS}.\n"),
        Some(Err(_)) => "Your cookie has no number that counts, so this is visit 1.\n".to_owned(),
    };
    let attributes = "Path=/lesson/cookie; Max-Age=600; HttpOnly; SameSite=Lax";
    Response::text(sentence)
        .field("Set-Cookie", &format!("{COOKIE}={visits}; {attributes}"))
        .field("Cache-Control", "no-store")
}

/// `GET /lesson/close`: the content ends where the connection ends (RFC 9112 section 6.3).
pub fn close(_: &Request<Site>) -> Response {
    let all = DeliveryStep::Bytes(b"This text has no length. It ends here.\n".into());
    Response::steps("text/plain; charset=utf-8", [all]).field("Cache-Control", "no-store")
}

/// `GET /lesson/reset`: the connection is reset in the middle of the content.
pub fn reset(_: &Request<Site>) -> Response {
    let half = DeliveryStep::Bytes(b"This sentence is not comp".into());
    Response::steps("text/plain; charset=utf-8", [half, DeliveryStep::Reset])
        .field("Cache-Control", "no-store")
}

/// `GET /lesson/slow`: as a function that asks a database.
pub fn slow(_: &Request<Site>) -> Response {
    thread::sleep(SLOW);
    Response::text("This took one second.\n").field("Cache-Control", "no-store")
}

//! # The API
//!
//! Handlers of `/api/posts` and `/api/likes`. The site calls the API the slot in the wall. The script
//! of the Like buttons is one of its clients:
//!
//! ```text
//! POST /api/likes    post=4                     a form, as browsers send it
//! POST /api/likes    {"post": 4}                JSON, as programs like it
//! 201 Created        {"post":4,"likes":13}
//! ```
//! An error is a sentence in plain text, because a person will read it.
//!
//! The form of a page has an address of its own. What a client says in Accept does not matter there:
//! text browsers accept all types alike, and are to see a page.
//!
//! ```text
//! POST /like         post=4                     the form, without the script
//! 303 See Other      Location: /#post-4         a reload then does not send the like again
//! ```
//! Both refuse what a page of another site sends; see [`origin`].

use openkitchen::message::seconds::InMillis;
use openkitchen::{Request, Response, Status, form};

use super::likes::{Append, StoredLike};
use super::likes_file::LikeError;
use super::{Site, json_reader, origin, pages, posts};
use crate::json;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// The most content of a like, in bytes. All of it is parsed, so a megabyte would take time from others.
const MAX_LIKE_BYTES: usize = 8 * 1024;

/// Why a like is refused: the response's status, and its sentence for a person.
struct LikeRefusal {
    status: Status,
    sentence: String,
}

/// `GET /api/posts`: the posts with their likes, in the order that the backend chooses.
pub fn posts(request: &Request<Site>) -> Response {
    let posts: Vec<String> = posts::feed(&request.state().likes.counts())
        .into_iter()
        .map(|(post, likes)| {
            json::object([
                ("id", post.id.to_string()),
                ("title", json::string(post.title)),
                ("text", json::string(post.text)),
                ("likes", likes.to_string()),
            ])
        })
        .collect();
    no_store(Response::json(format!("[{}]", posts.join(","))))
}

/// `GET /api/likes`: the number of likes of every post, by the post's number.
pub fn likes(request: &Request<Site>) -> Response {
    let counts = request.state().likes.counts();
    let likes = |post: &posts::Post| counts.get(&post.id).unwrap_or(&0).to_string();
    let members = posts::POSTS.iter().map(|post| (post.id.to_string(), likes(post)));
    no_store(Response::json(json::object(members)))
}

/// `POST /api/likes`: stores one like, and answers with the new count.
pub fn like(request: &Request<Site>) -> Response {
    match store(request) {
        Ok((post, stored)) => {
            let content = [("post", post.to_string()), ("likes", stored.count.to_string())];
            let response = Response::json(json::object(content)).status(Status::CREATED);
            no_store(response.note(note(post, stored)))
        }
        Err(LikeRefusal { status, sentence }) => {
            let response = Response::text(format!("{sentence}\n")).status(status);
            no_store(accepting(response, status))
        }
    }
}

/// `POST /like`: stores one like, and answers with a redirect to the page, or with a page that says why
/// the like was not stored.
pub fn like_form(request: &Request<Site>) -> Response {
    match store(request) {
        // RFC 9110 section 15.4.4: after a form, 303 makes the browser fetch a page. A reload then
        // repeats the GET, not the like. The fragment shows the post again, not the top of the page.
        Ok((post, stored)) => {
            let response = Response::see_other(&format!("/#post-{post}"));
            no_store(response.note(note(post, stored)))
        }
        Err(LikeRefusal { status, sentence }) => {
            let title = "Your like did not get through";
            accepting(pages::notice_page("/like", title, &[&sentence], status), status)
        }
    }
}

/// What was stored, for the page that shows the exchange.
fn note(post: u32, StoredLike { count, append }: StoredLike) -> String {
    match append {
        None => format!("counted like {count} of post {post}, in memory: it ends with the server"),
        Some(Append { bytes, likes, took }) => {
            let ms = InMillis(took);
            let others = if likes > 1 { format!(", {likes} likes at once") } else { String::new() };
            format!(
                "stored like {count} of post {post}: {bytes} bytes appended and synced in {ms:.1} ms{others}"
            )
        }
    }
}

/// Stores one like. Returns the post and what was stored. This is after the sync of the likes file,
/// because the response promises that the like is stored.
fn store(request: &Request<Site>) -> Result<(u32, StoredLike), LikeRefusal> {
    let refusal = |status, sentence: String| LikeRefusal { status, sentence };
    if let Some(why) = origin::foreign(request) {
        let sentence =
            format!("A page of another site sent this like, so it is not counted: {why}.");
        return Err(refusal(Status::FORBIDDEN, sentence));
    }
    let id = read_post(request)?;
    let post = posts::find(id).ok_or_else(|| {
        let sentence = "There is no such post. GET /api/posts lists those there are.";
        refusal(Status::NOT_FOUND, sentence.to_owned())
    })?;
    let stored = request.state().likes.like(post.id).map_err(|error| {
        let status = match error {
            LikeError::Full => Status::INSUFFICIENT_STORAGE,
            LikeError::Changed | LikeError::Failed(_) => Status::INTERNAL_SERVER_ERROR,
        };
        refusal(status, error.to_string())
    })?;
    Ok((post.id, stored))
}

/// The number of the post that the content names.
fn read_post(request: &Request<Site>) -> Result<u32, LikeRefusal> {
    let refusal = |status, sentence| Err(LikeRefusal { status, sentence });
    if request.content().len() > MAX_LIKE_BYTES {
        let sentence = format!("A like is short: {MAX_LIKE_BYTES} bytes at most.");
        return refusal(Status::CONTENT_TOO_LARGE, sentence);
    }
    // RFC 9110 section 8.3.1: the type is case-insensitive. Its parameters do not matter, because
    // both types are always UTF-8.
    let field = request.only("content-type").unwrap_or_default();
    let media = field.split(';').next().unwrap_or_default().trim();
    let post = if media.eq_ignore_ascii_case(FORM) {
        form_post(&form(request.content()))
    } else if media.eq_ignore_ascii_case(JSON) {
        json_reader::post(request.content())
    } else {
        let sentence = "Send a form (Content-Type: application/x-www-form-urlencoded, \
                        content: post=1) or JSON (Content-Type: application/json, \
                        content: {\"post\": 1}).";
        return refusal(Status::UNSUPPORTED_MEDIA_TYPE, sentence.to_owned());
    };
    let bad = |why| refusal(Status::BAD_REQUEST, format!("This content cannot be read: {why}."));
    post.or_else(bad)
}

/// RFC 9110 section 15.5.16: a 415 lists the types that are accepted.
fn accepting(response: Response, status: Status) -> Response {
    match status {
        Status::UNSUPPORTED_MEDIA_TYPE => response.field("Accept", &format!("{FORM}, {JSON}")),
        _ => response,
    }
}

fn form_post(members: &[(String, String)]) -> Result<u32, String> {
    let mut values = members.iter().filter(|(name, _)| name == "post").map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) => json_reader::number(value)
            .ok_or_else(|| "\"post\" should be a post's number, as in post=1".to_owned()),
        (None, _) => Err("the form should have a \"post\", as in post=1".to_owned()),
        (Some(_), Some(_)) => Err("\"post\" stands twice".to_owned()),
    }
}

/// Forbids caches to store the response, which the next like makes stale. RFC 9111 section 5.2.2.5.
fn no_store(response: Response) -> Response {
    response.field("Cache-Control", "no-store")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_names_one_post() {
        let post = |text: &str| form_post(&form(text.as_bytes()));
        assert_eq!(post("post=4"), Ok(4));
        assert_eq!(post("from=table+2&post=%34"), Ok(4));
        for text in
            ["", "post", "post=", "post=one", "post=-1", "post=+1", "post=1&post=1", "posts=1"]
        {
            assert!(post(text).is_err(), "{text:?}");
        }
    }
}

//! # The API
//!
//! Handlers of `/api/posts` and `/api/likes`. The site calls the API the slot in the wall. The Like
//! button of the page is one of its clients:
//!
//! ```text
//! POST /api/likes    post=4                     a form, as browsers send it
//! POST /api/likes    {"post": 4}                JSON, as programs like it
//! 201 Created        {"post":4,"likes":13}      ... or, where a page is preferred:
//! 303 See Other      Location: /#post-4         a reload then does not send the like again
//! ```
//! An error is a sentence in plain text, because a person will read it.

use openkitchen::{Request, Response, Status, form};

use super::likes_file::LikeError;
use super::{Site, accept_field, json, posts};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

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

/// `POST /api/likes`: stores one like. The response follows the sync of the likes file, because a
/// 201 promises that the like is stored.
pub fn like(request: &Request<Site>) -> Response {
    let id = match read_post(request) {
        Ok(id) => id,
        Err(response) => return response,
    };
    let Some(post) = posts::find(id) else {
        return error_response(
            Status::NOT_FOUND,
            "There is no such post. GET /api/posts lists those there are.",
        );
    };
    match request.state().likes.like(post.id) {
        // RFC 9110 section 15.4.4: after a form, 303 makes the browser fetch a page. A reload then
        // repeats the GET, not the like.
        Ok(_) if accept_field::prefers(request, "text/html", JSON) => {
            no_store(Response::see_other(&format!("/#post-{}", post.id)))
        }
        Ok(likes) => {
            let content = [("post", post.id.to_string()), ("likes", likes.to_string())];
            no_store(Response::json(json::object(content)).status(Status::CREATED))
        }
        Err(error @ LikeError::Full) => {
            error_response(Status::INSUFFICIENT_STORAGE, &error.to_string())
        }
        Err(error @ (LikeError::Changed | LikeError::Failed(_))) => {
            error_response(Status::INTERNAL_SERVER_ERROR, &error.to_string())
        }
    }
}

/// The number of the post that the content names, or the error response to send.
fn read_post(request: &Request<Site>) -> Result<u32, Response> {
    // RFC 9110 section 8.3.1: the type is case-insensitive. Its parameters do not matter, because
    // both types are always UTF-8.
    let field = request.only("content-type").unwrap_or_default();
    let media = field.split(';').next().unwrap_or_default().trim();
    let post = if media.eq_ignore_ascii_case(FORM) {
        form_post(&form(request.content()))
    } else if media.eq_ignore_ascii_case(JSON) {
        json::post(request.content())
    } else {
        // RFC 9110 section 15.5.16: the response lists the types that are accepted.
        let sentence = "Send a form (Content-Type: application/x-www-form-urlencoded, \
                        content: post=1) or JSON (Content-Type: application/json, \
                        content: {\"post\": 1}).";
        let accept = format!("{FORM}, {JSON}");
        return Err(
            error_response(Status::UNSUPPORTED_MEDIA_TYPE, sentence).field("Accept", &accept)
        );
    };
    post.map_err(|why| {
        error_response(Status::BAD_REQUEST, &format!("This content cannot be read: {why}."))
    })
}

fn form_post(members: &[(String, String)]) -> Result<u32, String> {
    let mut values = members.iter().filter(|(name, _)| name == "post").map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) => json::number(value)
            .ok_or_else(|| "\"post\" should be a post's number, as in post=1".to_owned()),
        (None, _) => Err("the form should have a \"post\", as in post=1".to_owned()),
        (Some(_), Some(_)) => Err("\"post\" stands twice".to_owned()),
    }
}

/// Forbids caches to store the response, which the next like makes stale. RFC 9111 section 5.2.2.5.
fn no_store(response: Response) -> Response {
    response.field("Cache-Control", "no-store")
}

fn error_response(status: Status, sentence: &str) -> Response {
    no_store(Response::text(format!("{sentence}\n")).status(status))
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

//! # The slot in the wall
//!
//! What a program may ask, and how it is answered. The page's own Like button is only one of the
//! hands at this slot:
//!
//! ```text
//! POST /api/likes    post=4                     a form, as browsers send it
//! POST /api/likes    {"post": 4}                JSON, as programs like it
//! 201 Created        {"post":4,"likes":13}      ... or, where a page is preferred:
//! 303 See Other      Location: /#post-4         "look there": a reload does not like twice
//! ```
//! An error is a sentence in plain text, for a person reads it in the end.

use openkitchen::{Request, Response, Status, form};

use super::likes_file::LikeError;
use super::{Site, accept_field, json, posts};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// `GET /api/posts`: the feed, in the order in which the backend wants it shown.
pub fn posts(request: &Request<Site>) -> Response {
    let posts: Vec<String> = posts::feed(&request.state().likes.counts())
        .into_iter()
        .map(|(post, likes)| {
            let (title, text) = (json::string(post.title), json::string(post.text));
            format!("{{\"id\":{},\"title\":{title},\"text\":{text},\"likes\":{likes}}}", post.id)
        })
        .collect();
    fresh(Response::json(format!("[{}]", posts.join(","))))
}

/// `GET /api/likes`: the likes of every post, by its number.
pub fn likes(request: &Request<Site>) -> Response {
    let counts = request.state().likes.counts();
    let members: Vec<String> = posts::POSTS
        .iter()
        .map(|post| format!("\"{}\":{}", post.id, counts.get(&post.id).unwrap_or(&0)))
        .collect();
    fresh(Response::json(format!("{{{}}}", members.join(","))))
}

/// `POST /api/likes`: one like. The answer says "stored", so it is not given before the disk has
/// said it.
pub fn like(request: &Request<Site>) -> Response {
    let id = match read_post(request) {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let Some(post) = posts::find(id) else {
        return refused(
            Status::NOT_FOUND,
            "There is no such post. GET /api/posts lists those there are.",
        );
    };
    match request.state().likes.like(post.id) {
        // RFC 9110 section 15.4.4: after a form, 303 has the browser fetch a page, so that Reload
        // repeats the GET, not the like.
        Ok(_) if accept_field::prefers(request, "text/html", JSON) => {
            fresh(Response::see_other(&format!("/#post-{}", post.id)))
        }
        Ok(likes) => {
            let content = format!("{{\"post\":{},\"likes\":{likes}}}", post.id);
            fresh(Response::json(content).status(Status::CREATED))
        }
        Err(error @ LikeError::Full) => refused(Status::INSUFFICIENT_STORAGE, &error.to_string()),
        Err(error @ LikeError::Failed(_)) => {
            refused(Status::INTERNAL_SERVER_ERROR, &error.to_string())
        }
    }
}

/// The post that the content names, by the content's type; or the answer that says what is wrong.
fn read_post(request: &Request<Site>) -> Result<u32, Response> {
    // RFC 9110 section 8.3.1: the type's parameters do not matter here (UTF-8 is the only encoding
    // either of them has), nor case.
    let field = request.only("content-type").unwrap_or_default();
    let media = field.split(';').next().unwrap_or_default().trim();
    let read = if media.eq_ignore_ascii_case(FORM) {
        form_post(&form(request.content()))
    } else if media.eq_ignore_ascii_case(JSON) {
        json::post(request.content())
    } else {
        // RFC 9110 section 15.5.16 has the answer name what would have been welcome.
        let sentence = "Send a form (Content-Type: application/x-www-form-urlencoded, \
                        content: post=1) or JSON (Content-Type: application/json, \
                        content: {\"post\": 1}).";
        let accept = format!("{FORM}, {JSON}");
        return Err(refused(Status::UNSUPPORTED_MEDIA_TYPE, sentence).field("Accept", &accept));
    };
    read.map_err(|why| {
        refused(Status::BAD_REQUEST, &format!("This content cannot be read: {why}."))
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

/// An answer that is true now and perhaps not in a moment: RFC 9111 section 5.2.2.5.
fn fresh(response: Response) -> Response {
    response.field("Cache-Control", "no-store")
}

fn refused(status: Status, sentence: &str) -> Response {
    fresh(Response::text(format!("{sentence}\n")).status(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_names_one_post() {
        let read = |text: &str| form_post(&form(text.as_bytes()));
        assert_eq!(read("post=4"), Ok(4));
        assert_eq!(read("from=table+2&post=%34"), Ok(4));
        for text in
            ["", "post", "post=", "post=one", "post=-1", "post=+1", "post=1&post=1", "posts=1"]
        {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}

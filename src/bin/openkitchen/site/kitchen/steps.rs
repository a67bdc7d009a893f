//! # The ten steps of one exchange, with its true values
//!
//! The steps are those of `lib.rs`, where their titles stand. Of each it is said what happened in this
//! exchange, and when, as far as it is known: `watch` sees only what crosses.

use std::time::Duration;

use openkitchen::Status;
use openkitchen::message::outline::Outline;
use openkitchen::message::seconds::InMillis;
use openkitchen::message::visible::Visible;
use openkitchen::observe::{KeptBytes, KeptExchange};
use openkitchen::sys::peer_name;
use openkitchen::transcript::explain::Remark;

use super::ShownServer;
use super::message::ending;
use super::source::RowSource;
use super::summary::{RequestHead, final_head, index};
use crate::json::{self, millis};

/// What one step was.
#[derive(Default)]
struct WalkStep {
    /// When it happened, counted from the start of the connection.
    at: Option<Duration>,
    took: Option<Duration>,
    text: String,
}

/// The titles of the steps, from the documentation of the library: ` 1. **The click.** ...`.
fn titles() -> impl Iterator<Item = &'static str> {
    let lines = include_str!("../../../../lib.rs").lines();
    lines.filter_map(|line| {
        let (number, rest) = line.strip_prefix("//! ")?.split_once(". **")?;
        number.parse::<u8>().ok()?;
        rest.split_once(".**").map(|(title, _)| title)
    })
}

/// The step in which the handler runs. Before a server of which nothing else is known, it is all the time
/// between the request's end and the response's start.
const HANDLER: u8 = 8;

/// The steps of an exchange.
pub fn of(
    kept: &KeptExchange,
    server: &ShownServer,
    shown: &[Vec<u8>; 2],
    remarks: &[Vec<Remark>; 2],
    row: Option<&RowSource>,
) -> String {
    let walk = Walk {
        kept,
        server,
        row,
        head: RequestHead::of(&shown[0]),
        response: final_head(&shown[1]),
        fault: remarks[0].iter().find(|remark| remark.is_fault),
    };
    let steps = [
        walk.click(),
        walk.accept(),
        walk.read(),
        walk.head(),
        walk.framing(),
        walk.route(),
        walk.content(),
        walk.handler(),
        walk.response(),
        walk.page(),
    ];
    json::array((1..).zip(titles()).zip(steps).map(|((number, title), step)| {
        let title = if number == HANDLER && walk.is_watched() { "The app" } else { title };
        json::object([
            ("step", u8::to_string(&number)),
            ("title", json::string(title)),
            ("at", json::or_null(step.at.map(millis))),
            ("took", json::or_null(step.took.map(millis))),
            ("text", json::string(&step.text)),
        ])
    }))
}

/// What the steps are told from.
struct Walk<'a> {
    kept: &'a KeptExchange,
    server: &'a ShownServer,
    row: Option<&'a RowSource>,
    head: RequestHead,
    response: Option<Outline>,
    /// What is broken in the request.
    fault: Option<&'a Remark>,
}

impl Walk<'_> {
    /// The value of a field of the request, as text.
    fn field(&self, name: &str) -> Option<String> {
        let outline = self.head.outline.as_ref()?;
        outline.fields().values(name).next().map(text)
    }

    fn start_line(&self) -> String {
        text(&[&self.head.method[..], b" ", &self.head.target].concat())
    }

    /// What the server knows and watch does not.
    fn is_watched(&self) -> bool {
        self.server.watched.is_some()
    }

    fn click(&self) -> WalkStep {
        let what = self.start_line();
        let dest = self.field("sec-fetch-dest");
        let text = match (dest.as_deref(), self.field("sec-fetch-mode").as_deref()) {
            (Some("document"), _) => format!("The browser opened a page, so it sent {what}."),
            (Some("empty"), _) => {
                format!("A script of the page called fetch(...), so the browser sent {what}.")
            }
            (Some(dest), _) => {
                format!("The page needs {} {dest}, so the browser sent {what}.", article(dest))
            }
            (None, _) => match self.field("user-agent") {
                Some(agent) => format!("A client that calls itself {agent} sent {what}."),
                None => format!("A client sent {what}."),
            },
        };
        WalkStep {
            at: self.kept.request.times().map(|(first, _)| first),
            text,
            ..WalkStep::default()
        }
    }

    fn accept(&self) -> WalkStep {
        let KeptExchange { connection, position, .. } = self.kept;
        let peer = peer_name(self.kept.peer);
        let text = match position {
            Some(1) => format!("Connection {connection} from {peer} was accepted."),
            Some(position) => format!(
                "Connection {connection} from {peer} was open already: this is request {position} on \
                 it."
            ),
            None => format!("Connection {connection} from {peer} was open already."),
        };
        WalkStep { at: Some(Duration::ZERO), text, ..WalkStep::default() }
    }

    /// The time of the read that has this byte of the request in it, and which read it is.
    fn read_of(&self, offset: u64) -> Option<(Duration, usize)> {
        let mut end = 0;
        (1..).zip(self.kept.request.reads()).find_map(|(number, read)| {
            end += read.length as u64;
            (offset < end).then_some((read.at, number))
        })
    }

    fn read(&self) -> WalkStep {
        let first = self.kept.request.times().map(|(first, _)| first);
        let Some(length) = self.kept.request.head_length() else {
            let bytes = counted(self.kept.request.total(), "byte", "bytes");
            let text = format!("{bytes} arrived, and no complete head was among them.");
            return WalkStep { at: first, text, ..WalkStep::default() };
        };
        let (last, reads) = self.read_of(length.saturating_sub(1)).unwrap_or_default();
        let bytes = counted(length, "byte", "bytes");
        let text =
            format!("The head is {bytes}, and came in {}.", counted(reads as u64, "read", "reads"));
        WalkStep { at: first, took: first.map(|first| last.saturating_sub(first)), text }
    }

    fn head(&self) -> WalkStep {
        let length = self.kept.request.head_length();
        let at = length.and_then(|length| self.read_of(length.saturating_sub(1))).map(|(at, _)| at);
        let text = match (&self.fault, &self.head.outline) {
            (Some(fault), _) => {
                format!("A rule is broken here: {}", fault.text.lines().next().unwrap_or_default())
            }
            (None, Some(head)) => {
                let fields =
                    counted(head.fields().iter().count() as u64, "header field", "header fields");
                format!("The request line says {}; {fields} follow.", self.start_line())
            }
            (None, None) => "The head is not complete.".to_owned(),
        };
        WalkStep { at, text, ..WalkStep::default() }
    }

    fn framing(&self) -> WalkStep {
        let text = match ending(&self.kept.request) {
            "no content" => "The request has no body (content): it ends with its head.".to_owned(),
            "by length" => {
                let length = self.field("content-length").unwrap_or_default();
                format!("Content-Length says that the body (content) ends after {length} bytes.")
            }
            "by chunks" => {
                "The body (content) comes in chunks, and a chunk of size zero ends it.".to_owned()
            }
            other => format!("Where the request ends is {other}."),
        };
        WalkStep { text, ..WalkStep::default() }
    }

    fn route(&self) -> WalkStep {
        let text = match (self.row, self.kept.routed_at) {
            _ if self.is_watched() => UNSEEN.to_owned(),
            (Some(row), _) => {
                let index = index(self.kept, &self.server.rows).unwrap_or_default();
                format!("Row {} of {} matched: {}", index + 1, self.server.rows.len(), row.text)
            }
            (None, Some(_)) => "No row of the table has this path and this method.".to_owned(),
            (None, None) => REFUSED.to_owned(),
        };
        WalkStep { at: self.kept.routed_at, text, ..WalkStep::default() }
    }

    fn content(&self) -> WalkStep {
        let request = &self.kept.request;
        let content = request.head_length().map_or(0, |head| request.total().saturating_sub(head));
        if content == 0 {
            return WalkStep { text: "There was none to read.".to_owned(), ..WalkStep::default() };
        }
        // The handler is called as soon as the content is complete.
        let at = self.kept.handling_at.or(request.times().map(|(_, last)| last));
        let bytes = counted(content, "byte", "bytes");
        let end = if request.is_whole() { "to its end" } else { "and its end did not come" };
        WalkStep {
            at,
            text: format!("{bytes} were read after the head, {end}."),
            ..WalkStep::default()
        }
    }

    fn app(&self) -> WalkStep {
        let at = self.kept.request.times().map(|(_, last)| last);
        let begun = self.kept.response.times().map(|(first, _)| first);
        let took = at.zip(begun).map(|(at, begun)| begun.saturating_sub(at));
        let text = match took {
            Some(took) => format!(
                "The response began {:.2} ms after the last bytes of the request. {UNSEEN}",
                InMillis(took)
            ),
            None => UNSEEN.to_owned(),
        };
        WalkStep { at, took, text }
    }

    fn handler(&self) -> WalkStep {
        if self.is_watched() {
            return self.app();
        }
        let KeptExchange { handling_at: at, handled_at, notes, .. } = self.kept;
        let took = at.zip(*handled_at).map(|(at, end)| end.saturating_sub(at));
        let ran = |name: &str| match took {
            Some(took) => format!("{name} ran for {:.2} ms", InMillis(took)),
            None => format!("{name} is running"),
        };
        let text = match (self.row, at) {
            (Some(row), Some(_)) if notes.is_empty() => format!("{}.", ran(row.handler)),
            (Some(row), Some(_)) => format!("{}: {}.", ran(row.handler), notes.join("; ")),
            (None, Some(_)) => format!("{}.", ran("The function for paths that no row has")),
            (_, None) => "No handler ran.".to_owned(),
        };
        WalkStep { at: *at, took, text }
    }

    fn response(&self) -> WalkStep {
        let Some((first, last)) = self.kept.response.times() else {
            let text = match self.kept.is_over {
                true => "There was no response.",
                false => "There is no response yet.",
            };
            return WalkStep { text: text.to_owned(), ..WalkStep::default() };
        };
        let reads = self.kept.response.reads().len() as u64;
        let status = self.kept.status.map_or_else(
            || "bytes that are no response".to_owned(),
            |code| format!("{code} {}", reason(code)),
        );
        let bytes = counted(self.kept.response.total(), "byte", "bytes");
        let text = format!(
            "The response is {}: {bytes} in {}; its end is found {}.",
            status.trim_end(),
            counted(reads, "write", "writes"),
            match ending(&self.kept.response) {
                "no content" => "with its head",
                other => other,
            }
        );
        WalkStep { at: Some(first), took: Some(last.saturating_sub(first)), text }
    }

    fn page(&self) -> WalkStep {
        let kind =
            self.response.as_ref().and_then(|head| head.fields().values("content-type").next());
        let kind = kind.map(text);
        let after = match self.kept.ends.last() {
            Some(end) => format!("the connection has ended ({end})"),
            None if self.kept.is_over => "the connection waits for the next request".to_owned(),
            None => "the exchange goes on".to_owned(),
        };
        let text = match kind {
            Some(kind) => format!("The client was given {kind}, and {after}."),
            None => format!("The client was given no content type, and {after}."),
        };
        let at = Some(&self.kept.response).and_then(KeptBytes::times).map(|(_, last)| last);
        WalkStep { at: at.filter(|_| self.kept.is_over), text, ..WalkStep::default() }
    }
}

/// Bytes of a client or a server that a sentence repeats, at most.
const MAX_REPEATED_BYTES: usize = 200;

/// The start of these bytes as visible text.
fn text(bytes: &[u8]) -> String {
    Visible(&bytes[..bytes.len().min(MAX_REPEATED_BYTES)]).to_string()
}

const UNSEEN: &str = "watch sees what crosses, and not what runs inside of the server.";
const REFUSED: &str =
    "It was not looked up: the request was refused before, or its head is not complete.";

/// The article of a word.
fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// The usual reason phrase of a status; empty if it has none.
fn reason(code: u16) -> &'static str {
    if (200..600).contains(&code) { Status::new(code).reason() } else { "" }
}

/// `1 read`, `2 reads`.
fn counted(number: u64, one: &str, many: &str) -> String {
    openkitchen::message::counted::counted(number, one, many)
}

#[cfg(test)]
mod tests {
    use super::titles;

    #[test]
    fn the_library_has_ten_steps_with_titles() {
        let titles: Vec<&str> = titles().collect();
        assert_eq!(titles.len(), 10);
        assert_eq!((titles[0], titles[9]), ("The click", "The page"));
    }
}

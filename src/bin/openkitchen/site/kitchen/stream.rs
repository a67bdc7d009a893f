//! # The stream of events
//!
//! Server-sent events: text without end, of which a browser hands each event to the page.
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>
//!
//! ```text
//! id: 3f2a00c1-42
//! event: exchange
//! data: {"n":12, ...}
//! ```
//! A browser that connects again sends the last id, and gets what has happened since. If that is not kept
//! any more, it gets `event: lost`.
//!
//! Bounds: 16 viewers, of which each has a thread of the server. What a viewer has not read is not stored
//! for it: the thread waits to write, and the write timeout ends the connection.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use openkitchen::observe::{FeedEvent, Happened, Wanted};
use openkitchen::{Response, Status};

use super::{Kitchen, KitchenPermit, sentence, summary};

/// Viewers at one time.
const MAX_VIEWERS: usize = 16;

/// A comment is sent after so much silence. A viewer that has gone is found by the second write.
const COMMENT_INTERVAL: Duration = Duration::from_secs(5);

/// Time after which a browser connects again.
const RETRY: &str = "retry: 500\n";

/// The events after the one with the id `after`, or those from now on. `own` tells the kitchen's own
/// exchanges too.
pub fn events(kitchen: &Kitchen, after: Option<&str>, own: bool) -> Result<Response, Response> {
    let place = kitchen.place(|parts| &parts.viewers, MAX_VIEWERS).ok_or_else(|| {
        let text = format!("{MAX_VIEWERS} pages watch already. Close one of them.");
        sentence(Status::SERVICE_UNAVAILABLE, &text).field("Retry-After", "5")
    })?;
    let last = kitchen.0.exchanges.last_event();
    let known = after.map(|id| kitchen.event_number(id));
    let after = known.unwrap_or(Some(last)).unwrap_or(last);
    let mut text = RETRY.to_owned();
    push(&mut text, &kitchen.event_id(after), "hello", &kitchen.hello());
    if known == Some(None) {
        push(&mut text, &kitchen.event_id(after), "lost", "{}");
    }
    let _wanted = kitchen.0.exchanges.want();
    let stream = EventStream { place, _wanted, after, own, unread: text.into_bytes(), at: 0 };
    Ok(Response::stream("text/event-stream", stream))
}

/// What the connection's thread reads from.
struct EventStream {
    place: KitchenPermit,
    /// The exchanges are kept as long as it is read.
    _wanted: Wanted,
    /// The number of the last event that was told.
    after: u64,
    own: bool,
    /// Text of which `at` bytes were read.
    unread: Vec<u8>,
    at: usize,
}

impl Read for EventStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.unread.len() {
            let Some(text) = self.next_text() else { return Ok(0) };
            (self.unread, self.at) = (text.into_bytes(), 0);
        }
        let length = (&self.unread[self.at..]).read(buffer)?;
        self.at += length;
        Ok(length)
    }
}

impl EventStream {
    /// Waits for the next events; `None` at the end of the stream.
    fn next_text(&mut self) -> Option<String> {
        let kitchen = &self.place.kitchen;
        let parts = &kitchen.0;
        let until = Instant::now() + COMMENT_INTERVAL;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Happened { events, last, is_lost, is_closed } =
                parts.exchanges.wait_after(self.after, left, self.own);
            if is_closed {
                return None;
            }
            self.after = last;
            let mut text = String::new();
            if is_lost {
                push(&mut text, &kitchen.event_id(last), "lost", "{}");
            } else if events.is_empty() && until <= Instant::now() {
                text.push_str(":\n\n");
            }
            for (number, event) in events {
                let (name, data) = match event {
                    FeedEvent::Exchange(kept) => {
                        ("exchange", summary::exchange(&kept, &parts.shown.rows))
                    }
                    FeedEvent::Connection(kept) => ("connection", summary::connection(&kept)),
                };
                push(&mut text, &kitchen.event_id(number), name, &data);
            }
            if !text.is_empty() {
                return Some(text);
            }
        }
    }
}

/// Appends an event. Its data is JSON, in which a line end is an escape.
fn push(text: &mut String, id: &str, name: &str, data: &str) {
    text.extend(["id: ", id, "\nevent: ", name, "\ndata: ", data, "\n\n"]);
}

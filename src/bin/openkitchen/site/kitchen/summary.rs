//! # An exchange and a connection as JSON
//!
//! The summary of an exchange is a line of the page's history. Its details are what the page shows when
//! one is chosen.

use std::time::{Duration, SystemTime};

use openkitchen::message::outline::Outline;
use openkitchen::observe::{ConnectionState, KeptConnection, KeptExchange};
use openkitchen::sys::peer_name;
use openkitchen::transcript::explain::Remark;
use openkitchen::{End, RouteRow};

use super::message;
use super::{ShownServer, curl, secrets, source, steps};
use crate::json::{self, millis};

/// The members of an exchange's summary.
type Members = Vec<(&'static str, String)>;

/// The summary of an exchange.
pub fn exchange(kept: &KeptExchange, rows: &[RouteRow]) -> String {
    let shown = secrets::shown(kept, false);
    let remarks = message::remarks(kept, &shown);
    json::object(members(kept, rows, &shown, &remarks))
}

fn members(
    kept: &KeptExchange,
    rows: &[RouteRow],
    shown: &[Vec<u8>; 2],
    remarks: &[Vec<Remark>; 2],
) -> Members {
    let head = RequestHead::of(&shown[0]);
    let response = final_head(&shown[1]);
    let content_type =
        response.as_ref().and_then(|head| head.fields().values("content-type").next());
    let media_type = content_type.and_then(|value| value.split(|&byte| byte == b';').next());
    let dest = head.outline.as_ref().and_then(|head| head.fields().values("sec-fetch-dest").next());
    let begun = kept.request.times().map_or(Duration::ZERO, |(begun, _)| begun);
    let took = kept.took().filter(|_| kept.is_over);
    let is_fault = remarks.iter().flatten().any(|remark| remark.is_fault);
    vec![
        ("n", kept.number.to_string()),
        ("connection", kept.connection.to_string()),
        ("since", epoch_millis(kept.opened + begun)),
        ("state", json::string(if kept.is_over { "over" } else { "open" })),
        ("method", json::bytes(&head.method)),
        ("target", json::bytes(&head.target)),
        ("status", json::or_null(kept.status.map(|status| status.to_string()))),
        ("route", json::or_null(index(kept, rows).map(|index| index.to_string()))),
        ("dest", json::or_null(dest.map(json::bytes))),
        ("type", json::or_null(media_type.map(|value| json::bytes(value.trim_ascii())))),
        ("took", json::or_null(took.map(millis))),
        ("requestBytes", kept.request.total().to_string()),
        ("responseBytes", kept.response.total().to_string()),
        ("own", kept.is_aside.to_string()),
        ("fault", is_fault.to_string()),
    ]
}

/// The start of a request, as the page shows it.
pub struct RequestHead {
    /// The method, as sent.
    pub method: Vec<u8>,
    /// The target, as sent.
    pub target: Vec<u8>,
    /// The head, if it can be split.
    pub outline: Option<Outline>,
}

impl RequestHead {
    /// The start of a request. Of a broken one, the first two words.
    pub fn of(bytes: &[u8]) -> RequestHead {
        let outline = Outline::parse(bytes, true).flatten();
        let line = bytes.trim_ascii_start().split(|byte| b"\r\n".contains(byte)).next();
        let mut words = line.unwrap_or_default().split(|&byte| byte == b' ').map(<[u8]>::to_vec);
        let mut word = || words.next().unwrap_or_default();
        RequestHead { method: word(), target: word(), outline }
    }
}

/// The head of the final response, after the interim ones.
pub fn final_head(mut bytes: &[u8]) -> Option<Outline> {
    loop {
        let head = Outline::parse(bytes, false)??;
        match head.status {
            Some(100 | 102..200) => bytes = &bytes[head.length..],
            _ => return Some(head),
        }
    }
}

/// The index of the row that matched.
pub fn index(kept: &KeptExchange, rows: &[RouteRow]) -> Option<usize> {
    rows.iter().position(|row| Some(row) == kept.route.as_ref())
}

/// All that is known of an exchange.
pub fn details(kept: &KeptExchange, server: &ShownServer, unmasked: bool) -> String {
    let shown = secrets::shown(kept, unmasked);
    let remarks = message::remarks(kept, &shown);
    let row = kept.route.as_ref().map(source::row);
    let handler = row.as_ref().and_then(|row| source::handler(row.handler).map(|it| (row, it)));
    let (row_json, handler_json) = (
        kept.route.as_ref().zip(row.as_ref()).map(|(route, row)| {
            let index = index(kept, &server.rows).map(|index| index.to_string());
            json::object([
                ("index", json::or_null(index)),
                ("text", json::string(row.text)),
                ("file", json::string(&row.file)),
                ("line", route.place.line().to_string()),
            ])
        }),
        handler.map(|(row, handler)| {
            json::object([
                ("name", json::string(row.handler)),
                ("file", json::string(&handler.file)),
                ("line", handler.line.to_string()),
                ("text", json::string(handler.text)),
            ])
        }),
    );
    let steps = steps::of(kept, server, &shown, &remarks, row.as_ref());
    let mut all = members(kept, &server.rows, &shown, &remarks);
    all.extend([
        ("request", message::kept(&kept.request, &shown[0], &remarks[0])),
        ("response", message::kept(&kept.response, &shown[1], &remarks[1])),
        ("row", json::or_null(row_json)),
        ("handler", json::or_null(handler_json)),
        ("notes", json::array(kept.notes.iter().map(|note| json::string(note)))),
        ("steps", steps),
        ("ends", json::array(kept.ends.iter().map(|end| json::string(&end.to_string())))),
        ("transcript", json::string(&transcript(kept, &shown))),
        ("curl", json::string(&curl::command(&shown[0], server.address))),
    ]);
    json::object(all)
}

/// The exchange as a transcript, with its bytes as they are shown.
fn transcript(kept: &KeptExchange, shown: &[Vec<u8>; 2]) -> String {
    let [request, response] = shown;
    kept.transcript_with(request, response).to_string()
}

/// A connection.
pub fn connection(kept: &KeptConnection) -> String {
    let state = match kept.state {
        ConnectionState::Opened => "opened",
        ConnectionState::Ended(End::ClientClosed) => "client-closed",
        ConnectionState::Ended(End::ClientReset) => "client-reset",
        ConnectionState::Ended(End::ServerClosed) => "server-closed",
        ConnectionState::Ended(End::ServerHalfClosed) => "server-half-closed",
        ConnectionState::Ended(End::ServerReset) => "server-reset",
        ConnectionState::Gone => "gone",
    };
    json::object([
        ("connection", kept.connection.to_string()),
        ("peer", json::string(&peer_name(kept.peer))),
        ("state", json::string(state)),
        ("since", epoch_millis(kept.since)),
        ("exchanges", kept.exchanges.to_string()),
        ("own", kept.is_aside.to_string()),
    ])
}

/// Milliseconds since the Unix epoch.
pub fn epoch_millis(time: SystemTime) -> String {
    millis(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

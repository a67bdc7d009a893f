//! Compares the bytes that a client received with the oracle's prediction.

use super::predict::{Connection, ConnectionState, Content, ExpectedResponse, Interim, Prediction};
use crate::rfc::responses::{self, Response};

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Agrees,
    /// The received bytes agree so far, and this is still missing.
    Incomplete(String),
    Differs(String),
}

/// Compares all bytes that were received on a connection. `closed` says whether the server has ended
/// the connection.
pub fn judge(expected: &Prediction, bytes: &[u8], closed: bool) -> Verdict {
    let is_to_head = |nth: usize| match expected.responses.get(nth).map(|due| &due.content) {
        Some(Content::Absent(_)) => true,
        // A refusal is the last response, so all bytes after its head are its content.
        Some(Content::TextOrAbsent) => bytes.ends_with(b"\r\n\r\n"),
        _ => false,
    };
    let received = responses::parse(bytes, is_to_head, closed);
    match received.and_then(|received| compare(expected, &received, closed)) {
        Ok(None) => Verdict::Agrees,
        Ok(Some(missing)) if !closed => Verdict::Incomplete(missing),
        Ok(Some(missing)) => Verdict::Differs(format!("the connection ends without {missing}")),
        Err(why) => Verdict::Differs(why),
    }
}

/// Returns what is still missing, if anything is. A difference is an error.
fn compare(
    expected: &Prediction,
    mut received: &[Response],
    closed: bool,
) -> Result<Option<String>, String> {
    let (mut state, mut last_interim) = (expected.state, expected.interim);
    for (nth, due) in expected.responses.iter().enumerate() {
        let name = format!("response {} of {}", nth + 1, expected.responses.len());
        let has_interim = take_interim(&mut received, due.interim)?;
        let Some((first, rest)) = received.split_first() else {
            if due.may_be_later {
                break;
            }
            return Ok(Some(format!("{name}, {:?}", due.statuses)));
        };
        if !has_interim && due.interim == Interim::Must {
            return Err(format!("no 100 (Continue) before {name}"));
        }
        check(due, first, closed).map_err(|why| format!("{name}, {}: {why}", first.status))?;
        if !first.is_whole && !closed {
            return Ok(Some(format!("the rest of {name}")));
        }
        received = rest;
        if due.may_be_later || due.connection == Connection::MayClose && closes(first) {
            // The predictions after this response assume that the connection persists.
            (state, last_interim) = (ConnectionState::Closed, Interim::Never);
            break;
        }
    }
    let has_interim = take_interim(&mut received, last_interim)?;
    match (received, state, closed) {
        ([more, ..], ..) => {
            Err(format!("{} more responses than predicted: {}", received.len(), more.status))
        }
        _ if !has_interim && last_interim == Interim::Must => Ok(Some("100 (Continue)".to_owned())),
        (_, ConnectionState::Open, true) => Err("the connection ends".to_owned()),
        (_, ConnectionState::Closed, false) => Ok(Some("the end of the connection".to_owned())),
        _ => Ok(None),
    }
}

/// Takes an interim response, if the next response is one.
fn take_interim(received: &mut &[Response], due: Interim) -> Result<bool, String> {
    let Some((first, rest)) = received.split_first().filter(|(first, _)| first.status < 200) else {
        return Ok(false);
    };
    if due == Interim::Never || first.status != 100 || !first.fields.is_empty() {
        return Err(format!("an unexpected interim response: {first:?}"));
    }
    *received = rest;
    Ok(true)
}

fn closes(response: &Response) -> bool {
    response.field("connection").is_some_and(|value| value == "close")
}

/// Checks one final response, as far as it was received.
fn check(due: &ExpectedResponse, response: &Response, closed: bool) -> Result<(), String> {
    if !due.statuses.contains(&response.status) {
        return Err(format!("expected is one of {:?}", due.statuses));
    }
    // RFC 9110 section 6.6.1. The clock of the test server stands still.
    if response.field("date").is_none_or(|date| date != "Sun, 06 Nov 1994 08:49:37 GMT") {
        return Err("Date is missing or wrong".to_owned());
    }
    let connection = response.field("connection");
    match (due.connection, connection.as_deref()) {
        (Connection::Closes, Some("close")) | (Connection::Persists, None) => {}
        (Connection::KeepAlive, Some("keep-alive")) => {}
        (Connection::MayClose, Some("close" | "keep-alive") | None) => {}
        (due, value) => return Err(format!("Connection is {value:?}, expected is {due:?}")),
    }
    if let Some(due) = &due.allow {
        let allow = response.field("allow").unwrap_or_default();
        let mut methods: Vec<&str> = allow.split(", ").collect();
        methods.sort_unstable();
        if methods != *due {
            return Err(format!("Allow is {methods:?}, expected is {due:?}"));
        }
    }
    // RFC 9112 section 6.1, and RFC 9110 section 8.6.
    let (length, coding) = (response.field("content-length"), response.field("transfer-encoding"));
    if response.status == 204 && (length.is_some() || coding.is_some()) {
        return Err("204 with Content-Length or Transfer-Encoding".to_owned());
    }
    let (content, is_whole) = (&response.content, response.is_whole);
    let shown = || format!("the content is {}", content.escape_ascii());
    match &due.content {
        Content::Bytes(due) if is_whole && content == due => Ok(()),
        Content::Bytes(due) if !is_whole && !closed && due.starts_with(content) => Ok(()),
        Content::Incomplete(due) if !is_whole && content == due => Ok(()),
        Content::Incomplete(due) if !closed && due.starts_with(content) => Ok(()),
        Content::Text if !content.is_empty() || !is_whole && !closed => Ok(()),
        Content::TextOrAbsent => Ok(()),
        Content::Absent(None) if content.is_empty() => Ok(()),
        Content::Absent(Some(due)) if content.is_empty() => match length {
            Some(length) if length == due.to_string() => Ok(()),
            length => Err(format!("Content-Length to HEAD is {length:?}, expected is {due}")),
        },
        Content::Bytes(due) | Content::Incomplete(due) => {
            Err(format!("{}, expected is {}", shown(), due.escape_ascii()))
        }
        Content::Text | Content::Absent(_) => Err(shown()),
    }
}

//! What came, held against what the oracle foretold.

use super::answers::{self, Came};
use super::oracle::{Answer, Connection, Content, End, Interim, Prediction};

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Agrees,
    /// So far it agrees, and this is still due.
    Waits(String),
    Differs(String),
}

/// Judges all bytes that came over a connection, and whether the server has ended it.
pub fn judge(due: &Prediction, bytes: &[u8], has_ended: bool) -> Verdict {
    let is_to_head = |nth: usize| match due.answers.get(nth).map(|answer| &answer.content) {
        Some(Content::No(_)) => true,
        // A refusal is the last answer: what follows its head is its content.
        Some(Content::WordsOrNo) => bytes.ends_with(b"\r\n\r\n"),
        _ => false,
    };
    let came = answers::read(bytes, is_to_head, has_ended);
    match came.and_then(|came| compare(due, &came, has_ended)) {
        Ok(None) => Verdict::Agrees,
        Ok(Some(what)) if !has_ended => Verdict::Waits(what),
        Ok(Some(what)) => Verdict::Differs(format!("the connection ends without {what}")),
        Err(why) => Verdict::Differs(why),
    }
}

/// `Ok` with what is still due, if anything is; `Err` where the two part.
fn compare(due: &Prediction, mut came: &[Came], has_ended: bool) -> Result<Option<String>, String> {
    let (mut end, mut invites) = (due.end, due.invites);
    for (nth, answer) in due.answers.iter().enumerate() {
        let name = format!("answer {} of {}", nth + 1, due.answers.len());
        let is_invited = interim(&mut came, answer.interim)?;
        let Some((first, rest)) = came.split_first() else {
            if answer.can_wait {
                break;
            }
            return Ok(Some(format!("{name}, {:?}", answer.statuses)));
        };
        if !is_invited && answer.interim == Interim::Must {
            return Err(format!("no 100 (Continue) before {name}"));
        }
        fault(answer, first, has_ended)
            .map_err(|why| format!("{name}, {}: {why}", first.status))?;
        if !first.is_whole && !has_ended {
            return Ok(Some(format!("the rest of {name}")));
        }
        came = rest;
        if answer.can_wait || answer.connection == Connection::MayClose && says(first, "close") {
            // What is behind it was foretold for a connection that stays.
            (end, invites) = (End::Closed, Interim::Never);
            break;
        }
    }
    let is_invited = interim(&mut came, invites)?;
    match (came, end, has_ended) {
        ([more, ..], ..) => Err(format!("{} more than was foretold: {}", came.len(), more.status)),
        _ if !is_invited && invites == Interim::Must => Ok(Some("100 (Continue)".to_owned())),
        (_, End::Open, true) => Err("the connection ends".to_owned()),
        (_, End::Closed, false) => Ok(Some("the end of the connection".to_owned())),
        _ => Ok(None),
    }
}

/// Takes an interim answer, if one came.
fn interim(came: &mut &[Came], due: Interim) -> Result<bool, String> {
    let Some((first, rest)) = came.split_first().filter(|(first, _)| first.status < 200) else {
        return Ok(false);
    };
    if due == Interim::Never || first.status != 100 || !first.fields.is_empty() {
        return Err(format!("an interim answer that is not due: {first:?}"));
    }
    *came = rest;
    Ok(true)
}

fn says(came: &Came, option: &str) -> bool {
    came.field("connection").is_some_and(|value| value == option)
}

/// What is wrong with one final answer, as far as it came.
fn fault(due: &Answer, came: &Came, has_ended: bool) -> Result<(), String> {
    if !due.statuses.contains(&came.status) {
        return Err(format!("due is one of {:?}", due.statuses));
    }
    // RFC 9110 section 6.6.1, and the clock stands still.
    if came.field("date").is_none_or(|date| date != "Sun, 06 Nov 1994 08:49:37 GMT") {
        return Err("no Date, or not one".to_owned());
    }
    let connection = came.field("connection");
    match (due.connection, connection.as_deref()) {
        (Connection::Closes, Some("close")) | (Connection::Stays, None) => {}
        (Connection::KeepAlive, Some("keep-alive")) => {}
        (Connection::MayClose, Some("close" | "keep-alive") | None) => {}
        (due, said) => return Err(format!("Connection is {said:?}, and due is {due:?}")),
    }
    if let Some(due) = &due.allow {
        let said = came.field("allow").unwrap_or_default();
        let mut said: Vec<&str> = said.split(", ").collect();
        said.sort_unstable();
        if said != *due {
            return Err(format!("Allow is {said:?}, and due is {due:?}"));
        }
    }
    // Section 6.1 of RFC 9112, and 8.6 of RFC 9110.
    let (length, coding) = (came.field("content-length"), came.field("transfer-encoding"));
    if came.status == 204 && (length.is_some() || coding.is_some()) {
        return Err("204 with a length or a coding".to_owned());
    }
    let got = &came.content;
    let shown = || format!("its content is {}", got.escape_ascii());
    match &due.content {
        Content::Is(due) if came.is_whole && got == due => Ok(()),
        Content::Is(due) if !came.is_whole && !has_ended && due.starts_with(got) => Ok(()),
        Content::Torn(due) if !came.is_whole && got == due => Ok(()),
        Content::Torn(due) if !has_ended && due.starts_with(got) => Ok(()),
        Content::Words if !got.is_empty() || !came.is_whole && !has_ended => Ok(()),
        Content::WordsOrNo => Ok(()),
        Content::No(None) if got.is_empty() => Ok(()),
        Content::No(Some(due)) if got.is_empty() => match length {
            Some(length) if length == due.to_string() => Ok(()),
            length => Err(format!("to HEAD its length is {length:?}, and due is {due}")),
        },
        Content::Is(due) | Content::Torn(due) => {
            Err(format!("{}, and due is {}", shown(), due.escape_ascii()))
        }
        Content::Words | Content::No(_) => Err(shown()),
    }
}

//! # Conditional requests: does the client have this state of the file already?
//!
//! ```text
//! 1  If-Match              no tag is the file's: 412       wins over 2
//! 2  If-Unmodified-Since   it was modified since: 412
//! 3  If-None-Match         a tag is the file's: 304        wins over 4
//! 4  If-Modified-Since     it was not modified since: 304
//! 5  Range with If-Range   another state: the whole file and no range
//! ```
//! Rule: RFC 9110 section 13.2.2, which gives this order. A date that is none is ignored, and so is a field
//! that stands twice and can stand once only. If-None-Match compares weakly, If-Match and If-Range strongly
//! (section 8.8.3.2). Next: [`range`](super::range).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::open::OpenFile;
use crate::message::date::{imf_fixdate, parse_http_date};
use crate::message::fields::{FieldLines, trim};

/// What identifies the state of a file.
pub(super) struct Validators {
    /// The entity tag, a strong one, with its quotes.
    pub etag: String,
    /// The date of the last change in whole seconds, as the field has it.
    modified: SystemTime,
    last_modified: [u8; 29],
    /// Whether the file can still change within this second.
    is_recent: bool,
}

impl Validators {
    /// The tag is made from the time of the last change and the length. Each coding has its own.
    pub fn of(file: &OpenFile, coding: Option<&str>, now: SystemTime) -> Validators {
        let since = file.modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (seconds, nanoseconds) = (since.as_secs(), since.subsec_nanos());
        let (hyphen, coding) = coding.map_or(("", ""), |coding| ("-", coding));
        let etag = format!("\"{seconds:x}.{nanoseconds:x}-{:x}{hyphen}{coding}\"", file.length);
        let of_second = |time: SystemTime| {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            UNIX_EPOCH + Duration::from_secs(since.as_secs())
        };
        // RFC 9110 section 8.8.2.1: a time in the future is replaced by that of the response.
        let (now, modified) = (of_second(now), of_second(file.modified));
        let (is_recent, modified) = (modified >= now, modified.min(now));
        let last_modified = imf_fixdate(modified);
        Validators { etag, modified, last_modified, is_recent }
    }

    /// The value of Last-Modified.
    pub fn last_modified(&self) -> &str {
        std::str::from_utf8(&self.last_modified).unwrap_or_default()
    }
}

/// What the conditions of a request ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome<'a> {
    /// The whole file.
    Whole,
    /// What this value of Range says.
    Range(&'a [u8]),
    /// 304: the client has this state.
    NotModified,
    /// 412: the client wants something done to another state.
    Failed,
}

/// Evaluates the conditions of a GET or, if `is_get` is false, of a HEAD.
pub(super) fn evaluate<'a>(
    fields: FieldLines<'a>,
    is_get: bool,
    validators: &Validators,
    now: SystemTime,
) -> Outcome<'a> {
    let has = |name| fields.values(name).next().is_some();
    let date = |name| parse_http_date(only(fields, name)?, now);
    let modified = validators.modified;
    if has("if-match") {
        if !lists(fields, "if-match", &validators.etag, Comparison::Strong) {
            return Outcome::Failed;
        }
    } else if date("if-unmodified-since").is_some_and(|date| modified > date) {
        return Outcome::Failed;
    }
    if has("if-none-match") {
        if lists(fields, "if-none-match", &validators.etag, Comparison::Weak) {
            return Outcome::NotModified;
        }
    } else if date("if-modified-since").is_some_and(|date| modified <= date) {
        return Outcome::NotModified;
    }
    // RFC 9110 section 14.2: a range has a meaning for GET only.
    match only(fields, "range").filter(|_| is_get) {
        Some(range) if !has("if-range") || is_current(fields, validators, now) => {
            Outcome::Range(range)
        }
        _ => Outcome::Whole,
    }
}

/// The value of the only field with that name.
fn only<'a>(fields: FieldLines<'a>, name: &str) -> Option<&'a [u8]> {
    let mut values = fields.values(name);
    values.next().filter(|_| values.next().is_none())
}

/// Whether If-Range has the file's tag or date (RFC 9110 section 13.1.5). A date is enough only if no
/// further change can have the same one.
fn is_current(fields: FieldLines<'_>, validators: &Validators, now: SystemTime) -> bool {
    let Some(value) = only(fields, "if-range") else { return false };
    if value == validators.etag.as_bytes() {
        return true;
    }
    parse_http_date(value, now) == Some(validators.modified) && !validators.is_recent
}

/// How two entity tags are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// Only strong tags are equal.
    Strong,
    /// `W/` before a tag does not count.
    Weak,
}

/// Whether the lists of entity tags in the fields with that name have this one. `*` has every one.
fn lists(fields: FieldLines<'_>, name: &str, etag: &str, comparison: Comparison) -> bool {
    if only(fields, name) == Some(b"*") {
        return true;
    }
    fields.values(name).any(|value| {
        let mut rest = value;
        loop {
            rest = trim(rest);
            let (is_weak, tag) = match rest {
                [b',', after @ ..] => {
                    rest = after;
                    continue;
                }
                [b'W', b'/', tag @ ..] => (true, tag),
                tag => (false, tag),
            };
            // A tag may have a comma, and no quote.
            let [b'"', after @ ..] = tag else { return false };
            let Some(end) = after.iter().position(|&byte| byte == b'"') else { return false };
            let (tag, after) = tag.split_at(end + 2);
            if tag == etag.as_bytes() && !(is_weak && comparison == Comparison::Strong) {
                return true;
            }
            rest = after;
        }
    })
}

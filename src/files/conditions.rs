//! # Conditional requests: does the client have this state of the file already?
//!
//! ```text
//! 1  If-Match              no tag is the file's: 412       wins over 2
//! 2  If-Unmodified-Since   it was modified since: 412
//! 3  If-None-Match         a tag is the file's: 304        wins over 4
//! 4  If-Modified-Since     it was not modified since: 304
//! 5  Range with If-Range   another state: the whole file and no range
//! ```
//! Rule: RFC 9110 section 13.2.2, which gives this order. An invalid date is ignored, and so is a field that
//! stands twice and can stand once only. If-None-Match compares weakly, If-Match and If-Range strongly
//! (section 8.8.3.2). Next: [`range`](super::range).

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::variant::Variant;
use crate::message::date::parse_http_date;
use crate::message::fields::{FieldLines, entity_tags};

/// What identifies the state of a file.
pub(super) struct Validators {
    /// The entity tag, a strong one, with its quotes.
    pub etag: String,
    /// The date of the last change in whole seconds, as Last-Modified has it. `None` if it is not known.
    pub modified: Option<SystemTime>,
    /// Whether another content can have this date: the file can still change within this second, or has
    /// siblings, whose dates may be the same (RFC 9110 section 8.8.1).
    is_weak_date: bool,
}

/// The last second since 1970 that is no time of a change: archives, images of containers and reproducible
/// builds give all files the time 0 or 1.
const NO_TIME: u64 = 1;

/// Bytes of most tags, at most.
const USUAL_TAG_BYTES: usize = 48;

impl Validators {
    /// The tag is made from the time of the last change and the length. Each coding has its own.
    pub fn of(variant: &Variant, now: SystemTime) -> Validators {
        let state = &variant.file.state;
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let of_second = |time| UNIX_EPOCH + Duration::from_secs(since(time).as_secs());
        let is_known = since(state.modified).as_secs() > NO_TIME;
        let time = since(if is_known { state.modified } else { state.changed });
        let (seconds, nanoseconds, length) = (time.as_secs(), time.subsec_nanos(), state.length);
        let mut etag = String::with_capacity(USUAL_TAG_BYTES);
        // A `String` takes everything, so no write fails.
        let _ = write!(etag, "\"{seconds:x}.{nanoseconds:x}-{length:x}");
        if !is_known {
            let _ = write!(etag, "-{:x}", state.identity[1]);
        }
        let (hyphen, coding) = variant.coding.map_or(("", ""), |coding| ("-", coding));
        let _ = write!(etag, "{hyphen}{coding}\"");
        // RFC 9110 section 8.8.2.1: a time in the future is replaced by that of the response.
        let (now, modified) = (of_second(now), of_second(state.modified));
        let is_weak_date = modified >= now || variant.varies;
        Validators { etag, modified: is_known.then_some(modified.min(now)), is_weak_date }
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
    let etag = validators.etag.as_bytes();
    // The file's own tag is a strong one, so in a strong comparison no weak tag is equal to it.
    let is_equal = |tag: &[u8]| tag == etag;
    let is_weakly_equal = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag) == etag;
    // Without a date of the file, fields with dates are ignored (RFC 9110 sections 13.1.3 and 13.1.4).
    let dates = |name| Some((validators.modified?, parse_http_date(fields.only(name)?, now)?));
    let wants_another = match is_listed(fields, "if-match", is_equal) {
        Some(has_tag) => !has_tag,
        None => dates("if-unmodified-since").is_some_and(|(modified, date)| modified > date),
    };
    if wants_another {
        return Outcome::Failed;
    }
    let has_this = match is_listed(fields, "if-none-match", is_weakly_equal) {
        Some(has_tag) => has_tag,
        None => dates("if-modified-since").is_some_and(|(modified, date)| modified <= date),
    };
    if has_this {
        return Outcome::NotModified;
    }
    // RFC 9110 section 14.2: a range has a meaning for GET only.
    match fields.only("range") {
        Some(range) if is_get && allows_a_range(fields, validators, now) => Outcome::Range(range),
        _ => Outcome::Whole,
    }
}

/// Whether the fields with this name list the file's entity tag, or are `*`. Members that are no tags are
/// skipped. `None` if there is no such field.
fn is_listed(fields: FieldLines<'_>, name: &str, is_equal: impl Fn(&[u8]) -> bool) -> Option<bool> {
    fields.values(name).next()?;
    let mut tags = fields.values(name).flat_map(entity_tags);
    Some(fields.only(name) == Some(b"*") || tags.any(is_equal))
}

/// Whether If-Range has the file's tag or date (RFC 9110 section 13.1.5), or is not there. A date is enough
/// only if no other content can have the same one.
fn allows_a_range(fields: FieldLines<'_>, validators: &Validators, now: SystemTime) -> bool {
    match fields.only("if-range") {
        None => fields.values("if-range").next().is_none(),
        Some(value) if value == validators.etag.as_bytes() => true,
        Some(value) => {
            let date = parse_http_date(value, now).filter(|_| !validators.is_weak_date);
            date.is_some() && date == validators.modified
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::fields::Span;

    /// What the conditions of a GET with these field lines ask for, of a file with the tag `"a"` that was
    /// modified at second 100, at second 200.
    fn outcome(lines: &str, modified: Option<u64>, is_weak_date: bool) -> String {
        let at = |second| UNIX_EPOCH + Duration::from_secs(second);
        let spans: Vec<(Span, Span)> = lines
            .lines()
            .map(|line| {
                let (name, value) = line.split_once(": ").expect("a field");
                let span = |part: &str| Span::of(part.as_bytes(), lines.as_bytes());
                (span(name), span(value))
            })
            .collect();
        let validators =
            Validators { etag: "\"a\"".into(), modified: modified.map(at), is_weak_date };
        let fields = FieldLines::new(lines.as_bytes(), &spans);
        format!("{:?}", evaluate(fields, true, &validators, at(200)))
    }

    const SAME: &str = "Thu, 01 Jan 1970 00:01:40 GMT";
    const BEFORE: &str = "Thu, 01 Jan 1970 00:01:39 GMT";

    #[test]
    fn a_list_of_tags_has_commas_between_them() {
        for (value, is_listed) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("*", true),
            ("\"b\", \"a\"", true),
            (", ,\"b,c\",W/\"a\",", true),
            ("\"b\\\", \"a\"", true),
            ("b, *, \"a\"", true),
            ("b, *", false),
            ("\"b\"", false),
            ("a", false),
            ("\"a", false),
            ("w/\"a\"", false),
            ("\"a\"x", false),
            ("\"b\"\"a\"", false),
            ("\"b\" \"a\"", false),
            ("", false),
        ] {
            let expected = if is_listed { "NotModified" } else { "Whole" };
            let lines = format!("If-None-Match: {value}");
            assert_eq!(outcome(&lines, Some(100), false), expected, "{value}");
        }
    }

    #[test]
    fn dates_count_only_where_the_file_has_one() {
        for (line, with_date, without) in [
            (format!("If-Modified-Since: {SAME}"), "NotModified", "Whole"),
            (format!("If-Modified-Since: {BEFORE}"), "Whole", "Whole"),
            (format!("If-Unmodified-Since: {BEFORE}"), "Failed", "Whole"),
            (format!("If-Unmodified-Since: {SAME}"), "Whole", "Whole"),
            ("If-Modified-Since: now".into(), "Whole", "Whole"),
        ] {
            assert_eq!(outcome(&line, Some(100), false), with_date, "{line}");
            assert_eq!(outcome(&line, None, false), without, "{line}");
        }
    }

    #[test]
    fn a_range_needs_the_very_content_that_if_range_names() {
        let range = "Range([98, 121, 116, 101, 115, 61, 48, 45])";
        let wanted = |value: &str| format!("Range: bytes=0-\nIf-Range: {value}");
        for (value, modified, is_weak_date, expected) in [
            ("\"a\"", Some(100), true, range),
            ("W/\"a\"", Some(100), false, "Whole"),
            ("\"b\"", Some(100), false, "Whole"),
            (SAME, Some(100), false, range),
            (SAME, Some(100), true, "Whole"),
            (SAME, None, false, "Whole"),
            (BEFORE, Some(100), false, "Whole"),
            ("now", None, false, "Whole"),
        ] {
            assert_eq!(outcome(&wanted(value), modified, is_weak_date), expected, "{value}");
        }
        assert_eq!(outcome("Range: bytes=0-", None, true), range);
    }
}

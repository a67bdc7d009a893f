//! # Conditional requests (ETag, Last-Modified): does the client have this state of the file already?
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
//! (section 8.8.3.2). Next: [`range`].

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::range::{self, Extent};
use super::variant::Variant;
use crate::message::date::parse_http_date;
use crate::message::fields::{FieldLines, entity_tags};

/// What identifies the state of a file, and what else conditions and ranges are compared with.
pub(super) struct Validators {
    /// The entity tag (ETag), a strong one, with its quotes.
    pub etag: String,
    /// The date of the last change in whole seconds, as Last-Modified has it. `None` if it is not known.
    pub modified: Option<SystemTime>,
    /// This date, if no other content can have it: the file cannot change within this second any more, and
    /// has no siblings, whose dates may be the same (RFC 9110 section 8.8.1).
    strong_date: Option<SystemTime>,
    /// Bytes of the file.
    length: u64,
    /// The time of the request. It tells the century of a date whose year has two digits.
    now: SystemTime,
}

/// What the conditions of a request decide.
#[derive(Debug)]
pub(super) enum Outcome {
    /// They hold: the file is sent, or a part of it.
    Send(Extent),
    /// 304: the client has this state.
    NotModified,
    /// 412: the client wants something done to another state.
    Failed,
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
        let modified = is_known.then_some(of_second(state.modified.min(now)));
        let is_strong = |date: &SystemTime| *date < of_second(now) && variant.vary.is_none();
        Validators { etag, modified, strong_date: modified.filter(is_strong), length, now }
    }

    /// Evaluates the conditions of a GET or, if `is_get` is false, of a HEAD, and then the range.
    pub fn evaluate(&self, fields: FieldLines<'_>, is_get: bool) -> Outcome {
        let etag = self.etag.as_bytes();
        // The file's own tag is a strong one, so in a strong comparison no weak tag is equal to it.
        let is_equal = |tag: &[u8]| tag == etag;
        let is_weakly_equal = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag) == etag;
        // Without a date of the file, fields with dates are ignored (RFC 9110 sections 13.1.3 and 13.1.4).
        // Each of them counts only without the field that lists tags.
        let is_unmodified_since =
            |name| Some(self.modified? <= parse_http_date(fields.only(name)?, self.now)?);
        let is_wanted = is_listed(fields, "if-match", is_equal)
            .or_else(|| is_unmodified_since("if-unmodified-since"));
        if is_wanted == Some(false) {
            return Outcome::Failed;
        }
        let is_at_client = is_listed(fields, "if-none-match", is_weakly_equal)
            .or_else(|| is_unmodified_since("if-modified-since"));
        if is_at_client == Some(true) {
            return Outcome::NotModified;
        }
        // RFC 9110 section 14.2: a range has a meaning for GET only.
        let range = fields.only("range").filter(|_| is_get && self.allows_a_range(fields));
        Outcome::Send(range.map_or(Extent::Whole, |value| range::extent(value, self.length)))
    }

    /// Whether If-Range has the file's tag or date (RFC 9110 section 13.1.5), or is not there. A date is
    /// enough only if no other content can have the same one.
    fn allows_a_range(&self, fields: FieldLines<'_>) -> bool {
        let Some(value) = fields.only("if-range") else {
            return fields.values("if-range").next().is_none();
        };
        let is_named = |date| parse_http_date(value, self.now) == Some(date);
        value == self.etag.as_bytes() || self.strong_date.is_some_and(is_named)
    }
}

/// Whether the fields with this name list the file's entity tag, or are `*`. Members that are no tags are
/// skipped. `None` if there is no such field.
fn is_listed(fields: FieldLines<'_>, name: &str, is_equal: impl Fn(&[u8]) -> bool) -> Option<bool> {
    fields.values(name).next()?;
    let mut tags = fields.values(name).flat_map(entity_tags);
    Some(fields.only(name) == Some(b"*") || tags.any(is_equal))
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
        let (etag, modified, length, now) = ("\"a\"".into(), modified.map(at), 100, at(200));
        let strong_date = modified.filter(|_| !is_weak_date);
        let validators = Validators { etag, modified, strong_date, length, now };
        let fields = FieldLines::new(lines.as_bytes(), &spans);
        match validators.evaluate(fields, true) {
            Outcome::Send(extent) => format!("{extent:?}"),
            outcome => format!("{outcome:?}"),
        }
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
        let range = "Part(0..100)";
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

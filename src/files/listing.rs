//! # The list of a directory, as a page
//!
//! Rule: names come from the file system, so they may have any byte. In a link each byte but a few is
//! escaped, and in text each character with a meaning in HTML. Directories come first; the rest is sorted as
//! people sort names: by letters in any case, and by the values of numbers. Next: [`net`](crate::net).

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use super::open::{Directory, Failure};
use crate::message::counted::counted;
use crate::message::date::CivilTime;
use crate::message::response::Response;

/// Entries on one page, at most: the first by name. The page says how many more there are.
const MAX_ENTRIES: usize = 10_000;

/// Bytes of the rows of a page, at most, and not many more. Usual names need a third of it for all entries.
const MAX_PAGE_BYTES: usize = 4 << 20;

/// Requests that wait for their list, at most. Further ones are answered with 503.
const MAX_WAITING: usize = 8;

/// Makes one list at a time: it takes memory that nothing has reserved, and long for many files.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Held while a list is made.
    lock: Mutex<()>,
    /// Requests that wait for the lock.
    waiting: AtomicUsize,
}

impl Lists {
    /// The page for a directory. `shown` is its path in the URL, decoded.
    pub fn page(
        &self,
        directory: &Directory,
        path: &Path,
        shown: &[u8],
    ) -> Result<Response, Failure> {
        let are_few = self.waiting.fetch_add(1, Ordering::Relaxed) < MAX_WAITING;
        let lock = are_few.then(|| self.lock.lock());
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        match lock {
            Some(_one_at_a_time) => page(directory, path, shown),
            None => Err(Failure::Shortage),
        }
    }
}

fn page(directory: &Directory, path: &Path, shown: &[u8]) -> Result<Response, Failure> {
    let (mut entries, mut left_out) = (BTreeMap::new(), 0_usize);
    for (entry, is_directory) in directory.entries(path)? {
        let name = entry.file_name();
        entries.insert((!is_directory, sort_key(&name.to_string_lossy()), name), entry);
        if entries.len() > MAX_ENTRIES {
            entries.pop_last();
            left_out += 1;
        }
    }
    let title = escape(&String::from_utf8_lossy(shown));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n<h1>{title}</h1>\n<ul>\n"
    );
    if !path.as_os_str().is_empty() {
        page += "<li><a href=\"../\">../</a>\n";
    }
    let is_empty = entries.is_empty();
    for ((is_file, _, name), entry) in entries {
        if page.len() > MAX_PAGE_BYTES {
            left_out += 1;
            continue;
        }
        let Some(metadata) = directory.metadata(path, &entry) else { continue };
        let slash = if is_file { "" } else { "/" };
        let (link, text) = (percent_encode(&name), escape(&name.to_string_lossy()));
        let modified = metadata.modified().map_or(String::new(), date);
        let size = if is_file { size(metadata.len()) } else { String::new() };
        let row = format_args!(
            "<li><a href=\"{link}{slash}\">{text}{slash}</a> <span>{size}</span> \
             <time>{modified}</time>\n"
        );
        let _ = page.write_fmt(row); // a `String` takes everything
    }
    page += if is_empty {
        "</ul>\n<p>This directory is empty.\n"
    } else {
        "</ul>\n<p>Times are in UTC.\n"
    };
    if left_out > 0 {
        let more = counted(left_out, "more name is", "more names are");
        page += &format!("<p>{more} not shown: a list has the first {MAX_ENTRIES} at most.\n");
    }
    Ok(Response::html(page).field("Content-Security-Policy", POLICY))
}

/// What names are sorted by: `B` is between `a` and `c`, and `file9` before `file10`. In front of each number
/// stands a character for how many digits it has, without zeros at its start.
fn sort_key(name: &str) -> String {
    let (mut key, mut rest) = (String::with_capacity(name.len() + 8), name);
    while let Some(at) = rest.find(|character: char| character.is_ascii_digit()) {
        let (before, digits) = rest.split_at(at);
        let end = digits.find(|character: char| !character.is_ascii_digit());
        let (number, after) = digits.split_at(end.unwrap_or(digits.len()));
        let number = number.trim_start_matches('0');
        key += &before.to_lowercase();
        // Names have 255 bytes, so the count is a character. As a digit, it is sorted as one.
        key.extend(char::from_u32('0' as u32 + number.len() as u32));
        key += number;
        rest = after;
    }
    key + &rest.to_lowercase()
}

/// The page needs its own style and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Three columns, and on a narrow screen the last two below the name. The whole row is a link.
const STYLE: &str = "\
:root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}\
body{max-width:60rem;margin:auto;padding:0 1rem}\
h1{font-size:1.25rem;overflow-wrap:anywhere}\
ul{list-style:none;padding:0}\
li{display:grid;align-items:baseline;grid-template-columns:1fr 6rem 9.5rem;gap:0 1rem;padding:.35rem 0;position:relative;\
border-top:1px solid color-mix(in srgb,currentcolor 20%,transparent)}\
a{overflow-wrap:anywhere}a::after{content:\"\";position:absolute;inset:0}\
span,time,p{font-size:.875rem;opacity:.75;font-variant-numeric:tabular-nums}\
span,time{text-align:right}\
@media(max-width:40rem){li{grid-template-columns:1fr 1fr;padding:.5rem 0}a{grid-column:1/-1}\
span{text-align:left}}";

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            // Control characters, and those that turn the direction of writing round.
            _ if character.is_control() => escaped.push('\u{fffd}'),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                escaped.push('\u{fffd}');
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// The name as a segment of a path: all bytes are escaped but the unreserved ones (RFC 3986 section 2.3).
fn percent_encode(name: &OsStr) -> String {
    let mut encoded = String::new();
    for &byte in name.as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// A size as people read it.
fn size(bytes: u64) -> String {
    let (name, unit) = match bytes {
        0..KIB => return format!("{bytes} B"),
        KIB..MIB => ("KiB", KIB),
        MIB..GIB => ("MiB", MIB),
        GIB..TIB => ("GiB", GIB),
        TIB.. => ("TiB", TIB),
    };
    let tenths = bytes / unit * 10 + (bytes % unit * 10 + unit / 2) / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

fn date(time: SystemTime) -> String {
    let CivilTime { year, month, day, hour, minute, .. } = time.into();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_as_people_sort_them() {
        let sorted = [
            "", "!", "0", "00", "1", "2", "10", "A", "a", "a.txt", "B", "c", "file", "file-1",
            "File2", "file9", "file010", "file10", "file10b", "file11", "Makefile", "Müller",
            "v1.2.9", "v1.2.10", "é",
        ];
        let mut names = sorted;
        names.reverse();
        names.sort_by_key(|name| (sort_key(name), *name));
        assert_eq!(names, sorted);
    }

    #[test]
    fn names_are_escaped_and_sizes_are_short() {
        assert_eq!(escape("<a&\"b\">\n\u{202e}"), "&lt;a&amp;&quot;b&quot;&gt;\u{fffd}\u{fffd}");
        assert_eq!(percent_encode(OsStr::new("a b:#?\"é")), "a%20b%3A%23%3F%22%C3%A9");
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1024.0 KiB"),
            (5 << 30, "5.0 GiB"),
            (1 << 52, "4096.0 TiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}

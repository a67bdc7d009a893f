//! # The directory listing, as a page
//!
//! Rule: names come from the file system, so they may have any byte. In a link each byte but a few is
//! escaped, and in text each character with a meaning in HTML. Directories come first; the rest is sorted as
//! people sort names: by letters in any case, and by the values of numbers. Next: [`net`](crate::net).

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::open::Directory;
use crate::message::counted::counted;
use crate::message::date::minute_date;
use crate::message::html::escape;
use crate::message::response::Response;
use crate::message::target::encode_segment;

/// Entries on one page, at most: the first by name. The page says how many more there are.
const MAX_ENTRIES: usize = 10_000;

/// Bytes of the rows of a page, at most, and not many more. Usual names need a third of it for all entries.
const MAX_PAGE_BYTES: usize = 4 << 20;

/// Requests that wait for their listing, at most. Further ones are answered with 503.
const MAX_WAITING: usize = 8;

/// Makes one directory listing at a time: it takes memory that nothing has reserved, and long for many
/// files.
#[derive(Debug, Default)]
pub(super) struct Listings {
    /// Held while a listing is made.
    lock: Mutex<()>,
    /// Requests that wait for the lock.
    waiting: AtomicUsize,
}

impl Listings {
    /// The page for a directory. Its title is the path in the URL, decoded.
    pub fn page(&self, directory: &Directory, path: &Path, title: &str) -> io::Result<Response> {
        let are_few = self.waiting.fetch_add(1, Ordering::Relaxed) < MAX_WAITING;
        let lock = are_few.then(|| self.lock.lock());
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        let _one_at_a_time = lock.ok_or(ErrorKind::ResourceBusy)?;
        page(directory, path, title)
    }
}

/// Reads the directory, and makes the page from the first entries by name.
fn page(directory: &Directory, path: &Path, title: &str) -> io::Result<Response> {
    let (mut entries, mut count) = (Vec::new(), 0_usize);
    for (entry, is_directory) in directory.entries(path)? {
        let name = entry.file_name();
        entries.push(((!is_directory, sort_key(&name.to_string_lossy()), name), entry));
        count += 1;
        if entries.len() == 2 * MAX_ENTRIES {
            keep_first(&mut entries);
        }
    }
    keep_first(&mut entries);
    let mut left_out = count - entries.len();
    let title = escape(title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n<h1>{title}</h1>\n<ul>\n"
    );
    if !path.as_os_str().is_empty() {
        page += "<li><a href=\"../\">../</a>\n";
    }
    let note = if entries.is_empty() { "This directory is empty." } else { "Times are in UTC." };
    for ((is_file, _, name), entry) in entries {
        if page.len() > MAX_PAGE_BYTES {
            left_out += 1;
            continue;
        }
        let Some(metadata) = directory.metadata(path, &entry) else { continue };
        let link = encode_segment(name.as_encoded_bytes());
        let text = escape(&name.to_string_lossy());
        let modified = metadata.modified().map_or(String::new(), minute_date);
        let (slash, size) = if is_file { ("", size(metadata.len())) } else { ("/", String::new()) };
        page += &format!(
            "<li><a href=\"{link}{slash}\">{text}{slash}</a> <span>{size}</span> \
             <time>{modified}</time>\n"
        );
    }
    page += &format!("</ul>\n<p>{note}\n");
    if left_out > 0 {
        let more = counted(left_out, "more name is", "more names are");
        page += &format!("<p>{more} not shown: a list has the first {MAX_ENTRIES} at most.\n");
    }
    Ok(Response::html(page).field("Content-Security-Policy", POLICY))
}

/// Sorts the entries by their keys, and keeps those that a listing shows.
fn keep_first<E>(entries: &mut Vec<((bool, String, OsString), E)>) {
    entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    entries.truncate(MAX_ENTRIES);
}

/// What names are sorted by: `B` is between `a` and `c`, and `file9` before `file10`. In front of each number
/// stands a character for how many digits it has, without zeros at its start.
fn sort_key(name: &str) -> String {
    let name: String = name.chars().flat_map(char::to_lowercase).collect();
    let is_digit = |character: char| character.is_ascii_digit();
    let (mut key, mut rest) = (String::with_capacity(name.len() + 8), &*name);
    while let Some(at) = rest.find(is_digit) {
        let (before, digits) = rest.split_at(at);
        rest = digits.trim_start_matches(is_digit);
        let number = digits[..digits.len() - rest.len()].trim_start_matches('0');
        key += before;
        // Names have 255 bytes, so the count is a character. As a digit, it is sorted as one.
        key.extend(char::from_u32('0' as u32 + number.len() as u32));
        key += number;
    }
    key + rest
}

/// The page needs its own style and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Three columns, and on a narrow screen the last two below the name. The whole row is a link.
const STYLE: &str = include_str!("listing.css");

/// Units of sizes, the largest first.
const UNITS: [(u64, &str); 4] =
    [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];

/// A size as people read it.
fn size(bytes: u64) -> String {
    let Some((unit, name)) = UNITS.into_iter().find(|(unit, _)| bytes >= *unit) else {
        return format!("{bytes} B");
    };
    let tenths = bytes / unit * 10 + (bytes % unit * 10 + unit / 2) / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
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
    fn sizes_are_short() {
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

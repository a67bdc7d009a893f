//! # Media types by the end of a file's name
//!
//! Rule: RFC 9110 section 8.3. Text has its charset, UTF-8: a browser would have to guess it. JavaScript is
//! `text/javascript` (RFC 9239), and JSON needs no charset (RFC 8259). A file of another name is
//! `application/octet-stream`, which a browser saves.  Next: [`listing`](super::listing).

use std::path::Path;

/// The type of a file that is not in the table.
const DEFAULT: &str = "application/octet-stream";

/// The ends of names in lower case, in alphabetical order, and their types.
const TYPES: [(&str, &str); 65] = [
    ("7z", "application/x-7z-compressed"),
    ("aac", "audio/aac"),
    ("apng", "image/apng"),
    ("atom", "application/atom+xml"),
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
    ("br", "application/octet-stream"),
    ("bz2", "application/x-bzip2"),
    ("c", "text/plain; charset=utf-8"),
    ("cjs", "text/javascript; charset=utf-8"),
    ("conf", "text/plain; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("deb", "application/vnd.debian.binary-package"),
    ("epub", "application/epub+zip"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("h", "text/plain; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("ics", "text/calendar; charset=utf-8"),
    ("ini", "text/plain; charset=utf-8"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("log", "text/plain; charset=utf-8"),
    ("m4a", "audio/mp4"),
    ("map", "application/json"),
    ("md", "text/markdown; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("mkv", "video/matroska"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("ogg", "audio/ogg"),
    ("ogv", "video/ogg"),
    ("opus", "audio/ogg"),
    ("otf", "font/otf"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("rs", "text/plain; charset=utf-8"),
    ("rss", "application/rss+xml"),
    ("sh", "text/plain; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tgz", "application/gzip"),
    ("toml", "application/toml"),
    ("ttf", "font/ttf"),
    ("txt", "text/plain; charset=utf-8"),
    ("vtt", "text/vtt; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webmanifest", "application/manifest+json"),
    ("webp", "image/webp"),
    ("wire", "text/plain; charset=utf-8"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("xhtml", "application/xhtml+xml"),
    ("xml", "application/xml"),
    ("xz", "application/x-xz"),
    ("zip", "application/zip"),
];

/// Ends of names, beside those of pictures, sound and films, of files that are compressed.
const COMPRESSED: [&str; 11] =
    ["7z", "br", "bz2", "deb", "epub", "gz", "tgz", "woff", "woff2", "xz", "zip"];

/// The value of Content-Type for a file of this name.
pub(super) fn of(path: &Path) -> &'static str {
    let ending = ending(path);
    let found = TYPES.binary_search_by(|(known, _)| (*known).cmp(&ending));
    found.map_or(DEFAULT, |at| TYPES[at].1)
}

/// Whether files of such a name are compressed already, so that no sibling of theirs is looked for.
pub(super) fn is_compressed(path: &Path) -> bool {
    let is_medium = |medium: &str| of(path).starts_with(medium);
    let is_picture = is_medium("image/") && !["image/svg+xml", "image/bmp"].contains(&of(path));
    is_picture || is_medium("audio/") || is_medium("video/") || COMPRESSED.contains(&&*ending(path))
}

fn ending(path: &Path) -> String {
    let ending = path.extension().unwrap_or_default();
    ending.to_string_lossy().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_finds_each_type() {
        assert!(TYPES.is_sorted_by(|(one, _), (next, _)| one < next));
        for (name, media_type) in [
            ("a/index.html", "text/html; charset=utf-8"),
            ("PHOTO.JPG", "image/jpeg"),
            ("app.js", "text/javascript; charset=utf-8"),
            ("data.json", "application/json"),
            ("a.tar.gz", "application/gzip"),
            ("LICENSE", DEFAULT),
            ("a.unknown", DEFAULT),
        ] {
            assert_eq!(of(Path::new(name)), media_type, "{name}");
        }
        let compressed = |name: &str| is_compressed(Path::new(name));
        assert!(["a.png", "a.mp4", "a.ZIP", "a.js.gz"].into_iter().all(compressed));
        assert!(!["a.svg", "a.js", "a", "a.wasm"].into_iter().any(compressed));
    }
}

//! # Media types by the end of a file's name
//!
//! Rule: RFC 9110 section 8.3. Text has its charset, UTF-8: a browser would have to guess it. JavaScript is
//! `text/javascript` (RFC 9239), and JSON needs no charset (RFC 8259). A file of another name is
//! `application/octet-stream`, which a browser saves.  Next: [`listing`](super::listing).

use std::path::Path;

/// The type of a file that is not in the table.
const DEFAULT: &str = "application/octet-stream";

/// The ends of names in lower case, in alphabetical order, and their types.
const TYPES: [(&str, &str); 47] = [
    ("atom", "application/atom+xml"),
    ("avif", "image/avif"),
    ("css", "text/css; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("htm", "text/html; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("log", "text/plain; charset=utf-8"),
    ("m4a", "audio/mp4"),
    ("map", "application/json"),
    ("md", "text/markdown; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("ogg", "audio/ogg"),
    ("ogv", "video/ogg"),
    ("opus", "audio/ogg"),
    ("otf", "font/otf"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("rss", "application/rss+xml"),
    ("sh", "text/plain; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tgz", "application/gzip"),
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
    ("zip", "application/zip"),
];

/// Ends of names, beside those of pictures, sound and films, of files that are compressed.
const COMPRESSED: [&str; 11] =
    ["7z", "br", "bz2", "deb", "epub", "gz", "tgz", "woff", "woff2", "xz", "zip"];

/// When a compressed sibling of a file is looked for. Each search costs a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Siblings {
    /// Never: such files are compressed already.
    Never,
    /// If the client accepts a coding: the type is unknown.
    IfAccepted,
    /// Always, because the response says whether there are any (`Vary`).
    Always,
}

/// The type of a file, from the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MediaType {
    /// The value of Content-Type.
    pub name: &'static str,
    pub siblings: Siblings,
}

/// The longest end of a name that is known.
const MAX_ENDING_BYTES: usize = 11;

impl MediaType {
    /// The type of a file of this name.
    pub fn of(path: &Path) -> MediaType {
        let ending = path.extension().unwrap_or_default().as_encoded_bytes();
        let mut lower_case = [0; MAX_ENDING_BYTES];
        let ending = match lower_case.get_mut(..ending.len()) {
            Some(copy) => {
                copy.copy_from_slice(ending);
                copy.make_ascii_lowercase();
                &*copy
            }
            None => b"",
        };
        let found = TYPES.binary_search_by(|(known, _)| known.as_bytes().cmp(ending));
        let name = found.map_or(DEFAULT, |at| TYPES[at].1);
        let is_picture = name.starts_with("image/") && name != "image/svg+xml";
        let is_medium = name.starts_with("audio/") || name.starts_with("video/");
        let is_compressed = COMPRESSED.iter().any(|known| known.as_bytes() == ending);
        let siblings = if is_picture || is_medium || is_compressed {
            Siblings::Never
        } else if name == DEFAULT {
            Siblings::IfAccepted
        } else {
            Siblings::Always
        };
        MediaType { name, siblings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_finds_each_type() {
        assert!(TYPES.is_sorted_by(|(one, _), (next, _)| one < next));
        assert_eq!(TYPES.iter().map(|(ending, _)| ending.len()).max(), Some(MAX_ENDING_BYTES));
        for (name, media_type) in [
            ("a/index.html", "text/html; charset=utf-8"),
            ("PHOTO.JPG", "image/jpeg"),
            ("app.js", "text/javascript; charset=utf-8"),
            ("data.json", "application/json"),
            ("a.tar.gz", "application/gzip"),
            ("LICENSE", DEFAULT),
            ("a.unknown", DEFAULT),
        ] {
            assert_eq!(MediaType::of(Path::new(name)).name, media_type, "{name}");
        }
        for (name, expected) in [
            ("a.png", Siblings::Never),
            ("a.mp4", Siblings::Never),
            ("a.ZIP", Siblings::Never),
            ("a.js.gz", Siblings::Never),
            ("a.svg", Siblings::Always),
            ("a.js", Siblings::Always),
            ("a.wasm", Siblings::Always),
            ("a", Siblings::IfAccepted),
        ] {
            assert_eq!(MediaType::of(Path::new(name)).siblings, expected, "{name}");
        }
    }
}

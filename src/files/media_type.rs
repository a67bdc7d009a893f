//! # Media types (MIME types) by the extension of a file's name
//!
//! Rule: RFC 9110 section 8.3. Text has its charset, UTF-8: a browser would have to guess it. JavaScript is
//! `text/javascript` (RFC 9239), and JSON needs no charset (RFC 8259). Sources and settings are plain text,
//! which a browser shows. A file with another extension is `application/octet-stream`, which a browser saves.
//! Next: [`listing`](super::listing).

use std::path::Path;

/// The type of a file that is not in the table.
pub(super) const UNKNOWN: &str = "application/octet-stream";

/// The longest extension in the table.
const MAX_EXTENSION_BYTES: usize = 11;

/// The type of a file of this name. Its extension may be in capitals.
pub(super) fn of(path: &Path) -> &'static str {
    let extension = path.extension().unwrap_or_default().as_encoded_bytes();
    let mut lower_case = [0; MAX_EXTENSION_BYTES];
    let Some(lower_case) = lower_case.get_mut(..extension.len()) else { return UNKNOWN };
    lower_case.copy_from_slice(extension);
    lower_case.make_ascii_lowercase();
    by_extension(lower_case)
}

/// The table, sorted by the types.
#[rustfmt::skip]
fn by_extension(extension: &[u8]) -> &'static str {
    match extension {
        b"atom" => "application/atom+xml", b"epub" => "application/epub+zip",
        b"gz" | b"tgz" => "application/gzip", b"json" | b"map" => "application/json",
        b"webmanifest" => "application/manifest+json", b"pdf" => "application/pdf",
        b"rss" => "application/rss+xml", b"m3u8" => "application/vnd.apple.mpegurl",
        b"deb" => "application/vnd.debian.binary-package",
        b"xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        b"docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        b"wasm" => "application/wasm", b"7z" => "application/x-7z-compressed",
        b"bz2" => "application/x-bzip2", b"tar" => "application/x-tar", b"xz" => "application/x-xz",
        b"xhtml" => "application/xhtml+xml", b"xml" => "application/xml",
        b"zip" => "application/zip", b"zst" => "application/zstd",
        b"aac" => "audio/aac", b"flac" => "audio/flac", b"m4a" => "audio/mp4", b"mp3" => "audio/mpeg",
        b"oga" | b"ogg" | b"opus" => "audio/ogg", b"wav" => "audio/wav",
        b"otf" => "font/otf", b"ttf" => "font/ttf", b"woff" => "font/woff", b"woff2" => "font/woff2",
        b"avif" => "image/avif", b"bmp" => "image/bmp", b"gif" => "image/gif", b"heic" => "image/heic",
        b"jpeg" | b"jpg" => "image/jpeg", b"jxl" => "image/jxl", b"png" => "image/png",
        b"svg" => "image/svg+xml", b"tif" | b"tiff" => "image/tiff", b"webp" => "image/webp",
        b"ico" => "image/x-icon",
        b"ics" => "text/calendar; charset=utf-8", b"css" => "text/css; charset=utf-8",
        b"csv" => "text/csv; charset=utf-8", b"htm" | b"html" => "text/html; charset=utf-8",
        b"js" | b"mjs" => "text/javascript; charset=utf-8", b"md" => "text/markdown; charset=utf-8",
        b"c" | b"cfg" | b"conf" | b"h" | b"ini" | b"log" | b"py" | b"rs" | b"sh" | b"toml" | b"txt"
        | b"wire" | b"yaml" | b"yml" => "text/plain; charset=utf-8",
        b"vtt" => "text/vtt; charset=utf-8",
        b"mkv" => "video/matroska", b"ts" => "video/mp2t", b"mp4" => "video/mp4",
        b"ogv" => "video/ogg", b"mov" => "video/quicktime", b"webm" => "video/webm",
        _ => UNKNOWN,
    }
}

/// What in the name of a type says that its files are compressed already.
const COMPRESSED: [&str; 7] = ["zip", "7z", "xz", "zst", "debian", "openxml", "woff"];

/// Whether files of this type are compressed already, so that none has a compressed sibling.
pub(super) fn is_compressed(media_type: &str) -> bool {
    match media_type.split_once('/') {
        Some(("audio" | "video", _)) => true,
        Some(("image", kind)) => !matches!(kind, "bmp" | "svg+xml" | "tiff"),
        Some(("text", _)) | None => false,
        Some((_, kind)) => COMPRESSED.iter().any(|word| kind.contains(word)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_names_a_type() {
        for (name, media_type) in [
            ("a/index.html", "text/html; charset=utf-8"),
            ("PHOTO.JPG", "image/jpeg"),
            ("app.js", "text/javascript; charset=utf-8"),
            ("data.json", "application/json"),
            ("a.tar.gz", "application/gzip"),
            ("site.WebManifest", "application/manifest+json"),
            ("LICENSE", UNKNOWN),
            ("a.unknown", UNKNOWN),
            ("a.webmanifests", UNKNOWN),
            ("a.", UNKNOWN),
        ] {
            assert_eq!(of(Path::new(name)), media_type, "{name}");
        }
        for extension in "yaml yml toml conf ini py c rs".split(' ') {
            let name = format!("a.{extension}");
            assert_eq!(of(Path::new(&name)), "text/plain; charset=utf-8", "{name}");
        }
        for extension in
            "m3u8 ts aac mkv bmp ics jxl heic docx 7z xz bz2 gz zip pdf wasm".split(' ')
        {
            assert_ne!(of(Path::new(&format!("a.{extension}"))), UNKNOWN, "{extension}");
        }
    }

    #[test]
    fn what_is_compressed_has_no_compressed_sibling() {
        for name in [
            "a.png", "a.mp4", "a.mp3", "a.ZIP", "a.js.gz", "a.tgz", "a.woff2", "a.woff", "a.7z",
            "a.bz2", "a.xz", "a.zst", "a.epub", "a.docx", "a.deb",
        ] {
            assert!(is_compressed(of(Path::new(name))), "{name}");
        }
        for name in ["a.svg", "a.js", "a.html", "a.wasm", "a.json", "a.ttf", "a.tar", "a.bmp", "a"]
        {
            assert!(!is_compressed(of(Path::new(name))), "{name}");
        }
    }
}

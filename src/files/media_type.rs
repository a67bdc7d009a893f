//! # Media types (MIME types) by the extension of a file's name
//!
//! Rule: RFC 9110 section 8.3. Text has its charset, UTF-8: a browser would have to guess it. JavaScript is
//! `text/javascript` (RFC 9239), and JSON needs no charset (RFC 8259). Sources and settings are plain text,
//! which a browser shows. A file with another extension is `application/octet-stream`, which a browser saves.
//! The types that a user adds come first.
//! Next: [`listing`](super::listing).

use std::path::Path;

use crate::message::fields::{is_token, is_value};
use crate::message::visible::Visible;

/// The type of a file that is not in the table.
pub(super) const UNKNOWN: &str = "application/octet-stream";

/// The types that a user adds: extensions, and what Content-Type says of their files. The last one counts.
#[derive(Debug, Default)]
pub(super) struct MediaTypes(Vec<(String, String)>);

impl MediaTypes {
    /// Adds a type. The error is a sentence without its full stop.
    pub fn add(&mut self, extension: &str, media_type: &str) -> Result<(), String> {
        let name = extension.strip_prefix('.').unwrap_or(extension);
        if name.is_empty() || name.contains(['.', '/']) {
            let rule = "an extension is what stands after the last dot of a name, such as `gz`";
            return Err(format!("`{extension}` is no extension: {rule}"));
        }
        let bare = media_type.split_once(';').map_or(media_type, |(bare, _)| bare.trim_end());
        let (family, subtype) = bare.split_once('/').unwrap_or_default();
        let is_type = is_token(family.as_bytes()) && is_token(subtype.as_bytes());
        if !is_type || !media_type.is_ascii() || !is_value(media_type.as_bytes()) {
            let media_type = Visible(media_type.as_bytes());
            return Err(format!("`{media_type}` is no media type, such as `text/plain`"));
        }
        let needs_charset = bare == media_type && family.eq_ignore_ascii_case("text");
        let charset = if needs_charset { "; charset=utf-8" } else { "" };
        self.0.push((name.to_owned(), format!("{media_type}{charset}")));
        Ok(())
    }

    /// The type of a file of this name. Its extension may be in capitals. A name without a dot is its own
    /// extension here, for files such as `LICENSE`.
    pub fn of(&self, path: &Path) -> &str {
        let end = path.extension().or(path.file_name()).unwrap_or_default();
        let added = self.0.iter().rev().find(|(name, _)| end.eq_ignore_ascii_case(name));
        added.map_or_else(|| of(path), |(_, media_type)| media_type)
    }
}

/// The type for a file of this name in the table, which is sorted by the types.
#[rustfmt::skip]
fn of(path: &Path) -> &'static str {
    let extension = path.extension().unwrap_or_default().as_encoded_bytes();
    let mut lower_case = [0; "webmanifest".len()]; // the longest one
    let Some(lower_case) = lower_case.get_mut(..extension.len()) else { return UNKNOWN };
    lower_case.copy_from_slice(extension);
    lower_case.make_ascii_lowercase();
    match &*lower_case {
        b"atom" => "application/atom+xml", b"epub" => "application/epub+zip",
        b"gz" | b"tgz" => "application/gzip", b"json" | b"map" => "application/json",
        b"webmanifest" => "application/manifest+json", b"pdf" => "application/pdf",
        b"doc" => "application/msword", b"rss" => "application/rss+xml",
        b"m3u8" => "application/vnd.apple.mpegurl",
        b"deb" => "application/vnd.debian.binary-package",
        b"xls" => "application/vnd.ms-excel", b"eot" => "application/vnd.ms-fontobject",
        b"ppt" => "application/vnd.ms-powerpoint",
        b"pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        b"xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        b"docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        b"wasm" => "application/wasm", b"7z" => "application/x-7z-compressed",
        b"bz2" => "application/x-bzip2", b"tar" => "application/x-tar", b"xz" => "application/x-xz",
        b"xhtml" => "application/xhtml+xml", b"xml" | b"xsl" => "application/xml",
        b"zip" => "application/zip", b"zst" => "application/zstd",
        b"aac" => "audio/aac", b"flac" => "audio/flac", b"m4a" => "audio/mp4", b"mp3" => "audio/mpeg",
        b"oga" | b"ogg" | b"opus" => "audio/ogg", b"wav" => "audio/wav",
        b"otf" => "font/otf", b"ttf" => "font/ttf", b"woff" => "font/woff", b"woff2" => "font/woff2",
        b"apng" => "image/apng", b"avif" => "image/avif", b"bmp" => "image/bmp",
        b"gif" => "image/gif", b"heic" => "image/heic",
        b"jpeg" | b"jpg" => "image/jpeg", b"jxl" => "image/jxl", b"png" => "image/png",
        b"svg" => "image/svg+xml", b"tif" | b"tiff" => "image/tiff", b"webp" => "image/webp",
        b"ico" => "image/x-icon",
        b"ics" => "text/calendar; charset=utf-8", b"css" => "text/css; charset=utf-8",
        b"csv" => "text/csv; charset=utf-8", b"htm" | b"html" => "text/html; charset=utf-8",
        b"js" | b"mjs" => "text/javascript; charset=utf-8", b"md" => "text/markdown; charset=utf-8",
        b"c" | b"cfg" | b"conf" | b"h" | b"ini" | b"log" | b"py" | b"rs" | b"sh" | b"toml" | b"txt"
        | b"wire" | b"yaml" | b"yml" => "text/plain; charset=utf-8",
        b"vtt" => "text/vtt; charset=utf-8",
        b"mkv" => "video/matroska", b"ts" => "video/mp2t", b"m4v" | b"mp4" => "video/mp4",
        b"mpeg" | b"mpg" => "video/mpeg", b"avi" => "video/x-msvideo",
        b"ogv" => "video/ogg", b"mov" => "video/quicktime", b"webm" => "video/webm",
        _ => UNKNOWN,
    }
}

/// What in the name of a type says that its files are compressed already.
const COMPRESSED: [&str; 7] = ["zip", "7z", "xz", "zst", "debian", "openxml", "woff"];

/// Whether files of this type are compressed already, so that none has a compressed sibling.
pub(super) fn is_compressed(media_type: &str) -> bool {
    let media_type = media_type.split(';').next().unwrap_or_default().trim_end();
    match media_type.to_ascii_lowercase().split_once('/') {
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
            "m3u8 ts aac mkv avi mpg m4v bmp apng ics jxl heic doc docx 7z xz bz2 gz zip pdf wasm"
                .split(' ')
        {
            assert_ne!(of(Path::new(&format!("a.{extension}"))), UNKNOWN, "{extension}");
        }
    }

    #[test]
    fn an_added_type_comes_first_and_has_its_charset() {
        let mut types = MediaTypes::default();
        for (extension, media_type) in [
            (".md", "text/x-markdown"),
            ("csv", "Text/CSV;header=present"),
            ("JS", "text/plain"),
            ("js", "application/x-first"),
            ("js", "application/x-last"),
            (".License", "text/plain ; charset=us-ascii"),
        ] {
            assert_eq!(types.add(extension, media_type), Ok(()), "{extension}");
        }
        for (name, media_type) in [
            ("a/README.MD", "text/x-markdown; charset=utf-8"),
            ("a.csv", "Text/CSV;header=present"),
            ("a.js", "application/x-last"),
            ("LICENSE", "text/plain ; charset=us-ascii"),
            ("a.b/LICENSE", "text/plain ; charset=us-ascii"),
            ("LICENSE.txt", "text/plain; charset=utf-8"),
            ("a.png", "image/png"),
            ("MD5SUMS", UNKNOWN),
        ] {
            assert_eq!(types.of(Path::new(name)), media_type, "{name}");
        }
    }

    #[test]
    fn what_is_no_extension_or_no_type_is_not_added() {
        for extension in ["", ".", "..md", "tar.gz", "a/b", ".tar.gz"] {
            let error = MediaTypes::default().add(extension, "text/plain").unwrap_err();
            assert!(error.starts_with(&format!("`{extension}` is no extension: ")), "{error}");
        }
        for media_type in [
            "",
            "text",
            "text/",
            "/plain",
            "/",
            "text/plain/x",
            "te xt/plain",
            " text/plain",
            "text/plain ",
            "text/pl\u{e9}in",
            "text/plain\r\nX: y",
            "text/plain; a=\0",
            ";",
            "text/;a=b",
            "text/plain; a=\u{e9}",
        ] {
            let error = MediaTypes::default().add("md", media_type).unwrap_err();
            assert!(error.ends_with("is no media type, such as `text/plain`"), "{error}");
            assert!(!error.contains(['\r', '\0']), "{error}");
        }
    }

    #[test]
    fn what_is_compressed_has_no_compressed_sibling() {
        for (media_type, is_expected) in [
            ("image/svg+xml; charset=utf-8", false),
            ("Image/SVG+XML", false),
            ("IMAGE/png;a=svg+xml", true),
        ] {
            assert_eq!(is_compressed(media_type), is_expected, "{media_type}");
        }
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

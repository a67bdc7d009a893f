//! # Content negotiation: chooses the file or one of its precompressed siblings
//!
//! ```text
//! Accept-Encoding: gzip, br;q=0.5     page.html   page.html.br   page.html.gz   the last is sent
//! ```
//! Rule: RFC 9110 section 12.5.3. The client's weights decide; of two with the same weight, Brotli wins,
//! which is shorter as a rule. Without the field, the file itself is sent. Where there is a sibling, the
//! response has `Vary`, so that a cache keeps the codings apart (section 12.5.5). That a sibling is older than
//! its file is not noticed: copies and checkouts set the times in any order. An empty one is none.
//! Next: [`conditions`](super::conditions).

use super::media_type;
use super::open::{Directory, OpenFile};
use crate::message::fields::FieldLines;

/// A content coding that siblings may have.
struct Coding {
    /// The name in Content-Encoding, and others that clients may send (RFC 9110 section 8.4.1.3).
    names: &'static [&'static str],
    /// The end of its files' names.
    extension: &'static str,
}

/// The codings. Of two with the same weight, the later one is sent.
const CODINGS: [Coding; 2] = [
    Coding { names: &["gzip", "x-gzip"], extension: ".gz" },
    Coding { names: &["br"], extension: ".br" },
];

/// The field of a request that decides between variants.
const ACCEPT_ENCODING: &str = "Accept-Encoding";

/// What is sent for a path.
pub(super) struct Variant<'a> {
    pub file: OpenFile,
    /// The media type, which is that of the content without its coding.
    pub media_type: &'a str,
    /// The coding of a sibling.
    pub coding: Option<&'static str>,
    /// What `Vary` says, if another request may get another variant.
    pub vary: Option<&'static str>,
}

impl<'a> Variant<'a> {
    /// Chooses between an open file and its siblings. A search for siblings costs system calls, so types
    /// that are compressed already have no search. A file of unknown type may be large and asked for often:
    /// if the client accepts no coding, it has no search either, and the response has `Vary` in any case.
    /// With If-Range it has a search: a date in that field counts only if the file has no sibling.
    pub fn choose(mut self, directory: &Directory, fields: FieldLines<'_>) -> Variant<'a> {
        let media_type = self.media_type;
        let weight = |coding: &Coding| fields.weight_of_any(ACCEPT_ENCODING, coding.names);
        let needs_no_search = media_type == media_type::UNKNOWN
            && fields.values("if-range").next().is_none()
            && CODINGS.iter().all(|coding| weight(coding).is_none());
        self.vary = needs_no_search.then_some(ACCEPT_ENCODING);
        if needs_no_search || media_type::is_compressed(media_type) {
            return self;
        }
        // A client that does not name the file's own coding, `identity`, accepts it, but wants any other that
        // it names. One that refuses it gets it only where there is nothing else. So a sibling needs the
        // weight 0.001, or that of `identity` if it is more.
        let mut highest = fields.weight(ACCEPT_ENCODING, "identity").unwrap_or(0).max(1);
        let mut chosen = None;
        for coding in &CODINGS {
            let mut path = self.file.path.clone();
            path.as_mut_os_string().push(coding.extension);
            let sibling = directory.open(path).ok().filter(|file| file.state.length > 0);
            let Some(file) = sibling else { continue };
            self.vary = Some(ACCEPT_ENCODING);
            let weight = weight(coding).unwrap_or(0);
            if weight >= highest {
                highest = weight;
                let coding = Some(coding.names[0]);
                chosen = Some(Variant { file, media_type, coding, vary: self.vary });
            }
        }
        chosen.unwrap_or(self)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::message::fields::Span;

    #[test]
    fn the_weights_of_the_client_choose_the_sibling() {
        let folder =
            std::env::temp_dir().join(format!("openkitchen-variant-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for name in ["both.js", "both.js.gz", "both.js.br", "one.js", "one.js.gz", "none.js"] {
            fs::write(folder.join(name), "content").unwrap();
        }
        let directory = Directory::at(&folder).unwrap();
        let media_types = media_type::MediaTypes::default();
        for (accepted, name, chosen) in [
            ("gzip, br", "both.js", Some("br")),
            ("gzip, br", "one.js", Some("gzip")),
            ("gzip, br", "none.js", None),
            ("gzip", "both.js", Some("gzip")),
            ("x-gzip", "both.js", Some("gzip")),
            ("X-GZip;q=0.5, br;q=0.4", "both.js", Some("gzip")),
            ("gzip;q=1, br;q=0.9", "both.js", Some("gzip")),
            ("gzip;q=0.5, br;q=0.5", "both.js", Some("br")),
            ("gzip;q=0.001", "both.js", Some("gzip")),
            ("gzip;q=0", "both.js", None),
            ("gzip;q=0, br;q=0", "both.js", None),
            ("*", "both.js", Some("br")),
            ("br;q=0, *", "both.js", Some("gzip")),
            ("gzip;q=0, *", "one.js", None),
            ("x-gzip;q=0, *", "one.js", None),
            ("*;q=0", "both.js", None),
            ("identity", "both.js", None),
            ("gzip;q=0.5, identity", "both.js", None),
            ("gzip;q=0.5, identity;q=0.5", "both.js", Some("gzip")),
            ("gzip;q=0.5, identity;q=0", "both.js", Some("gzip")),
            ("identity;q=0", "both.js", None),
            ("gzip;q=0.5, *", "one.js", None),
            ("deflate", "both.js", None),
            ("", "both.js", None),
        ] {
            let line = format!("Accept-Encoding: {accepted}");
            let spans = [(Span::new(0, 15), Span::new(17, line.len()))];
            let fields = FieldLines::new(line.as_bytes(), &spans);
            let Ok(file) = directory.open(name.into()) else { panic!("{name}") };
            let media_type = media_types.of(&file.path);
            let variant = Variant { file, media_type, coding: None, vary: None };
            let variant = variant.choose(&directory, fields);
            assert_eq!(variant.coding, chosen, "{accepted}: {name}");
            assert_eq!(variant.vary.is_some(), name != "none.js", "{accepted}: {name}");
        }
        fs::remove_dir_all(folder).unwrap();
    }
}

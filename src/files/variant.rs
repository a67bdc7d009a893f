//! # Chooses the file or one of its precompressed siblings
//!
//! ```text
//! Accept-Encoding: gzip, br;q=0.5     page.html   page.html.br   page.html.gz   the last is sent
//! ```
//! Rule: RFC 9110 section 12.5.3. The client's weights decide; of two with the same weight, Brotli wins,
//! which is shorter as a rule. Without the field, the file itself is sent. Where there is a sibling, the
//! response has `Vary`, so that a cache keeps the codings apart (section 12.5.5). That a sibling is older than
//! its file is not noticed: copies and checkouts set the times in any order. An empty one is none.
//! Next: [`conditions`](super::conditions).

use std::path::{Path, PathBuf};

use super::media_type;
use super::open::{Directory, OpenFile, Opened};
use crate::message::fields::FieldLines;

/// A content coding that siblings may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coding {
    /// The name in Accept-Encoding and Content-Encoding.
    pub name: &'static str,
    /// A second name that clients may send (RFC 9110 section 8.4.1.3).
    old_name: &'static str,
    /// The end of its files' names.
    extension: &'static str,
}

/// The codings. Of two with the same weight, the later one is sent.
const CODINGS: [Coding; 2] = [
    Coding { name: "gzip", old_name: "x-gzip", extension: "gz" },
    Coding { name: "br", old_name: "br", extension: "br" },
];

/// What is sent for a path.
pub(super) struct Variant {
    pub file: OpenFile,
    /// The path of the file.
    pub path: PathBuf,
    /// The coding of a sibling.
    pub coding: Option<&'static str>,
    /// Whether another request may get another variant.
    pub varies: bool,
}

impl Variant {
    /// Chooses between an open file and its siblings. Each search for a sibling costs system calls, so there
    /// is none for types that are compressed already. A file of unknown type may be large and asked for
    /// often, so there is none either if the client accepts no coding: then the response has `Vary` in any
    /// case. With If-Range there is one, since a date in it counts only if there is no sibling.
    pub fn choose(
        directory: &Directory,
        path: PathBuf,
        file: OpenFile,
        fields: FieldLines<'_>,
    ) -> Variant {
        let media_type = media_type::of(&path);
        let mut variant = Variant { file, path, coding: None, varies: false };
        let is_known = media_type != media_type::UNKNOWN;
        if is_known && media_type::is_compressed(media_type) {
            return variant;
        }
        let is_plain = fields.values("if-range").next().is_none()
            && CODINGS.iter().all(|coding| weight(fields, coding).is_none());
        if !is_known && is_plain {
            return Variant { varies: true, ..variant };
        }
        let siblings = CODINGS.map(|coding| {
            let path = sibling(&variant.path, coding);
            match directory.open(&path) {
                Ok(Opened::File(file)) if file.state.length > 0 => Some((path, file)),
                _ => None,
            }
        });
        variant.varies = siblings.iter().any(Option::is_some);
        let best = best(fields, |index| siblings[index].is_some());
        for (index, sibling) in siblings.into_iter().enumerate() {
            if let Some((path, file)) = sibling.filter(|_| best == Some(index)) {
                (variant.path, variant.file) = (path, file);
                variant.coding = Some(CODINGS[index].name);
            }
        }
        variant
    }
}

/// The path of the sibling with this coding.
fn sibling(path: &Path, coding: Coding) -> PathBuf {
    let mut sibling = path.as_os_str().to_owned();
    sibling.push(".");
    sibling.push(coding.extension);
    sibling.into()
}

/// The weight that the client gives to a coding, in thousandths: 0 is "not acceptable", and 1000 is the
/// highest. `None` if its list has neither the coding nor `*`.
fn weight(fields: FieldLines<'_>, coding: &Coding) -> Option<u16> {
    let is_it = |name: &[u8]| {
        [coding.name, coding.old_name].iter().any(|own| own.as_bytes().eq_ignore_ascii_case(name))
    };
    let named = fields.weighted("accept-encoding").find(|(name, _)| is_it(name));
    named.map(|(_, weight)| weight).or_else(|| fields.weight("accept-encoding", "*"))
}

/// The index in [`CODINGS`] of the sibling to send, of those that there are; `None` for the file itself.
fn best(fields: FieldLines<'_>, is_there: impl Fn(usize) -> bool) -> Option<usize> {
    // A client that does not name the file's own coding, `identity`, accepts it, but wants any other that it
    // names. One that refuses it gets it only where there is nothing else. So a sibling needs the weight
    // 0.001, or more if `identity` has more.
    let lowest = fields.weight("accept-encoding", "identity").unwrap_or(0).max(1);
    let weights = CODINGS.iter().map(|coding| weight(fields, coding).unwrap_or(0)).enumerate();
    let acceptable = weights.filter(|&(index, weight)| weight >= lowest && is_there(index));
    acceptable.max_by_key(|&(_, weight)| weight).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::fields::Span;

    #[test]
    fn the_weights_of_the_client_choose_the_sibling() {
        let (both, gzip, none): (&[&str], &[&str], &[&str]) = (&["gzip", "br"], &["gzip"], &[]);
        for (accepted, there, chosen) in [
            ("gzip, br", both, Some("br")),
            ("gzip, br", gzip, Some("gzip")),
            ("gzip, br", none, None),
            ("gzip", both, Some("gzip")),
            ("x-gzip", both, Some("gzip")),
            ("X-GZip;q=0.5, br;q=0.4", both, Some("gzip")),
            ("gzip;q=1, br;q=0.9", both, Some("gzip")),
            ("gzip;q=0.5, br;q=0.5", both, Some("br")),
            ("gzip;q=0.001", both, Some("gzip")),
            ("gzip;q=0", both, None),
            ("gzip;q=0, br;q=0", both, None),
            ("*", both, Some("br")),
            ("br;q=0, *", both, Some("gzip")),
            ("gzip;q=0, *", gzip, None),
            ("x-gzip;q=0, *", gzip, None),
            ("*;q=0", both, None),
            ("identity", both, None),
            ("gzip;q=0.5, identity", both, None),
            ("gzip;q=0.5, identity;q=0.5", both, Some("gzip")),
            ("gzip;q=0.5, identity;q=0", both, Some("gzip")),
            ("identity;q=0", both, None),
            ("gzip;q=0.5, *", gzip, None),
            ("deflate", both, None),
            ("", both, None),
        ] {
            let line = format!("Accept-Encoding: {accepted}");
            let spans = [(Span::new(0, 15), Span::new(17, line.len()))];
            let fields = FieldLines::new(line.as_bytes(), &spans);
            let index = best(fields, |index| there.contains(&CODINGS[index].name));
            assert_eq!(index.map(|index| CODINGS[index].name), chosen, "{accepted}: {there:?}");
        }
    }
}

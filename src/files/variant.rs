//! # Chooses the file or one of its compressed siblings
//!
//! ```text
//! Accept-Encoding: gzip, br;q=0.5     page.html   page.html.br   page.html.gz   the last is sent
//! ```
//! Rule: RFC 9110 section 12.5.3. The client's weights decide; of two with the same weight, Brotli wins,
//! which is shorter as a rule. Without the field, the file itself is sent. Where there is a sibling, the
//! response has `Vary`, so that a cache keeps the codings apart (section 12.5.5).
//! Next: [`conditions`](super::conditions).

use std::path::{Path, PathBuf};

use super::media_type::Siblings;
use super::open::{Folder, OpenFile, Opened};
use crate::message::fields::FieldLines;

/// The codings, each with the end of its files' names.
const CODINGS: [(&str, &str); 2] = [("br", "br"), ("gzip", "gz")];

/// What is sent for a path.
pub(super) struct Variant {
    pub file: OpenFile,
    /// The coding of a sibling.
    pub coding: Option<&'static str>,
    pub has_siblings: bool,
}

impl Variant {
    /// Chooses between an open file and its siblings.
    pub fn choose(
        folder: &Folder,
        path: &Path,
        file: OpenFile,
        siblings: Siblings,
        fields: FieldLines<'_>,
    ) -> Variant {
        let mut variant = Variant { file, coding: None, has_siblings: false };
        let weight = |coding| fields.weight("accept-encoding", coding);
        match siblings {
            Siblings::Never => return variant,
            Siblings::IfAccepted if CODINGS.iter().all(|(coding, _)| weight(coding).is_none()) => {
                return variant;
            }
            Siblings::IfAccepted | Siblings::Always => {}
        }
        // The file itself is acceptable, unless its weight says otherwise: then it is the last resort.
        let mut best = weight("identity").unwrap_or(0).max(1);
        for (coding, ending) in CODINGS {
            let mut sibling = path.as_os_str().to_owned();
            sibling.push(".");
            sibling.push(ending);
            let Ok(Opened::File(file)) = folder.open(&PathBuf::from(sibling)) else { continue };
            variant.has_siblings = true;
            let weight = weight(coding).unwrap_or(0);
            let is_better = if variant.coding.is_none() { weight >= best } else { weight > best };
            if is_better {
                (best, variant.file, variant.coding) = (weight, file, Some(coding));
            }
        }
        variant
    }
}

//! # Remarks: what some bytes mean, as lines
//!
//! ```text
//! Connection: options for this connection only; ... (RFC 9110 section 7.6.1)
//! └ about     └ text                                 └ clause
//! ```
//! A remark is folded to a width that the caller gives, except the picture of a fault.

use std::ops::Range;

use crate::message::caret::INDENT;
use crate::message::fold::fold;
use crate::transcript::model::Item;
use crate::transcript::text::Prose;

/// The explanation of some bytes of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Remark {
    /// The bytes that it explains, as offsets in the stream of their side, or in a capture of both.
    pub span: Range<usize>,
    /// The element's name, safe to print; empty if the text needs none.
    pub about: String,
    /// The explanation. A fault has several lines: the rule, the broken line, the caret and often the
    /// corrected line (all indented by four spaces), and how to fix it.
    pub text: String,
    /// The clause that says so, such as `RFC 9112 section 5.1`; empty if there is none.
    pub clause: &'static str,
    /// Whether these bytes break a rule.
    pub is_fault: bool,
}

impl Remark {
    pub(super) fn new(span: Range<usize>, text: impl Into<String>, clause: &'static str) -> Remark {
        Remark { span, about: String::new(), text: text.into(), clause, is_fault: false }
    }

    pub(super) fn fault(
        span: Range<usize>,
        text: impl Into<String>,
        clause: &'static str,
    ) -> Remark {
        Remark { is_fault: true, ..Remark::new(span, text, clause) }
    }

    /// Sorts remarks by where their bytes begin. Those of one place keep their order.
    pub fn sort(remarks: &mut [Remark]) {
        remarks.sort_by_key(|remark| remark.span.start);
    }

    /// Returns the remark without its clause.
    pub fn without_clause(&self) -> Remark {
        Remark { clause: "", ..self.clone() }
    }

    /// Returns the remark as lines of at most `width` columns.
    pub fn lines(&self, width: usize) -> Vec<String> {
        let mut text = self.text.clone();
        if !self.about.is_empty() {
            text.insert_str(0, &format!("{}: ", self.about));
        }
        if !self.clause.is_empty() {
            // A line never ends within a clause, so that a reader can search for it.
            text += &format!(" ({})", self.clause.replace(' ', "\x1f"));
        }
        // A picture with a caret is not folded. It is cut at both ends, so that the caret and its byte
        // are visible.
        let caret = text.lines().find(|line| line.trim() == "^").map(|line| line.len() + 8);
        let within = width.saturating_sub(INDENT.len());
        let indented = |line: String| format!("{INDENT}{line}");
        let lines = text.lines().flat_map(|line| match (line.strip_prefix(INDENT), caret) {
            (Some(line), Some(caret)) => {
                let line = line.get(caret.saturating_sub(width)..).unwrap_or_default();
                vec![indented(format!("{line:.within$}"))]
            }
            // The columns of a table stand under each other.
            (Some(line), None) if line.len() <= within => vec![indented(line.to_owned())],
            (Some(line), None) => fold(line, within, "  ").into_iter().map(indented).collect(),
            (None, _) => fold(line, width, "  "),
        });
        lines.map(|line| line.replace('\x1f', " ")).collect()
    }
}

/// Returns remarks as items of prose for a transcript, one for each line. With the `# ` before it,
/// a line has at most `width` columns.
pub fn prose(remarks: &[Remark], width: usize) -> impl Iterator<Item = Item> {
    let lines = remarks.iter().flat_map(move |remark| remark.lines(width.saturating_sub(2)));
    lines.map(|line| Item::Prose(Prose::new(&line)))
}

//! # What a pasted text is, and heads whose messages are not followed
//!
//! ```text
//! GET / HTTP/1.1␊ …      messages: they are followed, and explained as bytes are
//! GET / HTTP/2␊ …        heads: each line is explained, but not where the message ends
//! > GET / HTTP/1.1␊ …    a transcript of both sides
//! ```
//! Next: [`curl`](super::curl).

use crate::message::dialogue::Side;
use crate::message::method::Method;
use crate::transcript::explain::remark::Remark;
use crate::transcript::explain::words::{self, is_start_line};
use crate::transcript::glossary;
use crate::transcript::model::Transcript;

/// What a pasted text is.
#[derive(Debug)]
pub enum Pasted {
    /// Messages of HTTP/1.1, with the line ends that they have on the wire.
    Messages {
        /// The bytes.
        wire: Vec<u8>,
        /// What was changed.
        notes: Vec<Remark>,
        /// The method of the first response's request, if the text says it.
        request_method: Option<Method>,
        /// Whether the content after the last head may exist and was not copied.
        is_cut: bool,
    },
    /// Heads of HTTP/2 and HTTP/3, and lists of header fields.
    Heads {
        /// The lines, each with its line end.
        lines: Vec<u8>,
        /// What was changed, and the explanations.
        remarks: Vec<Remark>,
    },
    /// Both sides, as `curl -v` prints them.
    Transcript {
        /// Both sides.
        transcript: Transcript,
        /// What was changed.
        note: Remark,
    },
}

/// Makes a note of a row, before the first line.
pub fn note((_, clause, text): glossary::Row) -> Remark {
    Remark::new(0..0, text, clause)
}

/// Explains each line of some heads, but not where their messages end. An empty line is between
/// two. `last` is the remark after them.
pub fn heads(
    heads: &[(Side, Vec<Vec<u8>>)],
    mut remarks: Vec<Remark>,
    last: glossary::Row,
) -> (Vec<u8>, Vec<Remark>) {
    let mut lines = Vec::new();
    for (side, head) in heads {
        let start = lines.len();
        for line in head {
            lines.extend_from_slice(line);
            lines.extend_from_slice(b"\r\n");
        }
        words::head(*side, &lines[start..], start, &mut remarks);
        lines.extend_from_slice(b"\r\n");
    }
    let (_, clause, text) = last;
    remarks.push(Remark::new(lines.len().saturating_sub(1)..lines.len(), text, clause));
    Remark::sort(&mut remarks);
    (lines, remarks)
}

/// Whether the line begins a message of HTTP/2 or HTTP/3. Their heads are binary, so that a tool
/// wrote it.
pub fn is_written_by_a_tool(line: &[u8]) -> bool {
    let mut words = line.split(|&byte| byte == b' ');
    is_start_line(line)
        && words.any(|word| matches!(word, [b'H', b'T', b'T', b'P', b'/', b'2' | b'3', ..]))
}

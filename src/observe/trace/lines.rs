//! # The lines of the bytes that a screen shows
//!
//! The bytes of one read or write, line by line: what each line is, and what it means. Fields that
//! repeat are replaced by one line, and so are those past the 100th of a head.

use super::entry::{EntryLine, LineKind};
use super::requests::FIRST_ERROR;
use crate::message::counted::counted;
use crate::message::dialogue::{Followed, Side};
use crate::message::reader::Part;
use crate::transcript::explain::Remark;
use crate::transcript::{Bytes, Piece, content_line};

/// Field lines of a head that are shown, at most: as many as a request to this server may have.
const MAX_FIELD_LINES: usize = 100;

/// Fields that are folded, and the number of the exchange that has the same.
pub(super) struct Repeated<'a> {
    pub lines: Vec<&'a [u8]>,
    pub number: u64,
}

/// Turns shown bytes into lines. `ranges` say what the bytes are, and `is_within_head` whether a
/// head began before them. `meaning` has explanations, each with the offset of the byte that it
/// explains; those that are about fields that repeat are left out. `told` returns what is printed of
/// one: itself and its words, or nothing if it was printed before.
pub(super) fn lines(
    from: Side,
    shown: &Bytes,
    ranges: &[Followed],
    mut is_within_head: bool,
    repeated: Option<&Repeated<'_>>,
    meaning: Vec<(usize, Remark)>,
    mut told: impl FnMut(Remark) -> Vec<Remark>,
) -> Vec<EntryLine> {
    let mut lines: Vec<(usize, EntryLine)> = Vec::new();
    let (mut at, mut folded, mut hidden_spans) = (0, 0, Vec::new());
    let (mut fields, mut more_fields) = (0, 0);
    let mut ranges = RangeAt { ranges, start: 0 };
    for piece in shown.pieces() {
        let raw = match piece {
            Piece::Raw(raw) => raw,
            Piece::Repeat { .. } => continue, // bytes that crossed have none
            Piece::LeftOut { count } => {
                let text = counted(*count, "more byte", "more bytes");
                let line = EntryLine::new(LineKind::LeftOut, format!("... {text}"), "");
                lines.push((at, line));
                at = at.saturating_add(usize::try_from(*count).unwrap_or(usize::MAX));
                continue;
            }
        };
        for bytes in raw.split_inclusive(|&byte| byte == b'\n') {
            let start = at;
            at += bytes.len();
            let part = ranges.part(start);
            let is_empty = bytes.iter().all(|byte| b"\r\n".contains(byte));
            let is_head = part == Part::Head
                || part == Part::Unframed && is_within_head
                || begins_head(part, bytes);
            let kind = match is_head {
                _ if is_empty => LineKind::Content,
                false => LineKind::Content,
                true if is_within_head => LineKind::Field,
                true => start_line(from, bytes),
            };
            let is_end = is_empty && is_within_head;
            if is_end && folded > 0 {
                lines.push((start, folded_line(folded, repeated)));
                folded = 0;
            }
            if kind != LineKind::Field {
                if more_fields > 0 {
                    lines.push((start, more_fields_line(more_fields)));
                }
                (fields, more_fields) = (0, 0);
            }
            // An empty line ends a head, or stands before one.
            is_within_head = is_head && !is_empty;
            if kind == LineKind::Field && repeated.is_some_and(|it| it.lines.contains(&bytes)) {
                folded += 1;
                hidden_spans.push(start..at);
                continue;
            }
            fields += usize::from(kind == LineKind::Field);
            if fields > MAX_FIELD_LINES {
                more_fields += 1;
                hidden_spans.push(start..at);
                continue;
            }
            let (text, ending) = content_line(bytes, is_head);
            lines.push((start, EntryLine::new(kind, text, ending)));
        }
    }
    if folded > 0 {
        lines.push((at, folded_line(folded, repeated)));
    }
    if more_fields > 0 {
        lines.push((at, more_fields_line(more_fields)));
    }
    for (offset, remark) in meaning {
        if hidden_spans.iter().any(|span| span.contains(&offset)) {
            continue;
        }
        let next = lines.partition_point(|(start, _)| *start <= offset);
        if let Some((_, line)) = lines.get_mut(next.saturating_sub(1)) {
            line.meaning.extend(told(remark));
        }
    }
    lines.into_iter().map(|(_, line)| line).collect()
}

fn folded_line(fields: usize, repeated: Option<&Repeated<'_>>) -> EntryLine {
    let fields = counted(fields as u64, "field", "fields");
    let number = repeated.map_or(0, |it| it.number);
    EntryLine::new(LineKind::Folded, format!("... {fields} as in exchange {number}"), "")
}

fn more_fields_line(fields: usize) -> EntryLine {
    let fields = counted(fields as u64, "more field", "more fields");
    EntryLine::new(LineKind::LeftOut, format!("... {fields}"), "")
}

/// Whether bytes that are part of no message begin a head that is broken.
fn begins_head(part: Part, line: &[u8]) -> bool {
    let has_version = || line.windows(6).any(|six| six == b" HTTP/") || line.starts_with(b"HTTP/");
    part == Part::Unframed && has_version()
}

fn start_line(from: Side, line: &[u8]) -> LineKind {
    if from == Side::Client {
        return LineKind::Request;
    }
    let code = line.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
    let code = std::str::from_utf8(code).ok().and_then(|code| code.parse::<u16>().ok());
    LineKind::Status { is_error: code.is_some_and(|code| code >= FIRST_ERROR) }
}

/// Finds the part of the byte at an offset. The offsets rise.
struct RangeAt<'a> {
    ranges: &'a [Followed],
    /// Where the first of them begins.
    start: usize,
}

impl RangeAt<'_> {
    fn part(&mut self, at: usize) -> Part {
        while let [first, rest @ ..] = self.ranges
            && self.start + first.length <= at
        {
            self.start += first.length;
            self.ranges = rest;
        }
        self.ranges.first().map_or(Part::Unframed, |range| range.part)
    }
}

impl EntryLine {
    fn new(kind: LineKind, text: String, ending: &'static str) -> EntryLine {
        EntryLine { kind, text, ending, meaning: Vec::new() }
    }
}

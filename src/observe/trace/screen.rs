//! # What a person at a terminal sees
//!
//! ```text
//! >>> POST /api/likes HTTP/1.1          a request stands at the left
//! Content-Length: 6
//! ... 10 fields as in exchange 3        what repeats is folded
//!
//! post=1\
//!
//!     <<< HTTP/1.1 201 Created          a response is indented
//!     Content-Length: 20
//!
//!     {"post":1,"likes":1}\
//! 5 POST /api/likes 201 · 0.8 ms        a line about the exchange, as in a log
//! ```
//! Long fields are cut, except those of a request that may differ from its client's last one.
//! This is no transcript: [`--full`](super::TraceOptions::full) prints one. No row is wider than
//! the terminal, whose width is asked for again before each print. Colours are of the middle of the
//! palette, so they are readable on light and on dark.

use super::entry::{EntryLine, LineKind, NumberedLine, ShownBytes, TraceEntry};
use super::options::TraceOptions;
use super::requests::FIRST_ERROR;
use super::wrap::{columns, wrap};
use crate::message::fields::Span;
use crate::transcript::explain::Remark;
use crate::transcript::{Event, Item, Side};

/// Columns by which a response is indented.
const RESPONSE_INDENT: usize = 4;

/// Columns by which an explanation is indented below its line.
const MEANING_INDENT: usize = 4;

/// Columns by which the rows of a line after the first are indented.
const HANGING_INDENT: usize = 2;

/// Rows of a field that are shown, at most, where none is compared with it: a policy or a cookie may
/// have forty.
const MAX_VALUE_ROWS: usize = 2;

/// Columns of ` ... 2000 more characters`.
const CUT_COLUMNS: usize = 25;

/// The escape codes of colours. Each row has its own, since a pager resets colours at the end of a
/// line.
pub(super) mod colour {
    pub const REQUEST: &str = "\x1b[38;5;32m";
    pub const REQUEST_LINE: &str = "\x1b[1;38;5;32m";
    pub const RESPONSE: &str = "\x1b[38;5;28m";
    pub const STATUS_LINE: &str = "\x1b[1;38;5;28m";
    pub const ERROR: &str = "\x1b[1;38;5;160m";
    pub const EVENT: &str = "\x1b[38;5;130m";
    pub const PROSE: &str = "\x1b[38;5;244m";
    pub const MEANING: &str = "\x1b[38;5;133m";
    pub const BOLD: &str = "\x1b[1m";
    pub const PLAIN: &str = "";
    pub const END: &str = "\x1b[0m";
}

/// Prints entries as rows.
pub(super) struct Screen {
    has_colour: bool,
    has_clauses: bool,
    /// What the last row was.
    last: LastRow,
    /// The connection and the side of the bytes in the last row.
    last_bytes: Option<(u32, Side)>,
    /// The flag that shows all, until it was said at something that is left out.
    full_flag: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LastRow {
    Nothing,
    Blank,
    Prose,
    Other,
}

impl Screen {
    /// A screen without a row.
    pub fn new(options: &TraceOptions) -> Screen {
        Screen {
            has_colour: options.colour,
            has_clauses: options.rfc,
            last: LastRow::Nothing,
            last_bytes: None,
            full_flag: options.full_flag,
        }
    }

    /// Appends the rows of an entry, each of at most `width` columns. `names_connections`: there
    /// was more than one, so each is named.
    pub fn print(
        &mut self,
        entry: &TraceEntry,
        names_connections: bool,
        width: usize,
        out: &mut String,
    ) {
        let last_bytes = self.last_bytes.take();
        if let TraceEntry::Bytes(_) = entry {
            self.last_bytes = last_bytes;
        }
        let mut rows = Rows { screen: self, names_connections, width, out };
        match entry {
            TraceEntry::Item(Item::Prose(prose)) => rows.prose(prose.as_str()),
            TraceEntry::Item(Item::Event(event)) => rows.event(event),
            // The trace has no others: bytes are no block on a screen, and nothing is asserted.
            TraceEntry::Item(Item::Block(_) | Item::Assertions(_)) => {}
            TraceEntry::Bytes(bytes) => rows.bytes(bytes),
            TraceEntry::Exchange(line) => rows.exchange(line),
            TraceEntry::Folded(lines) => rows.folded(lines),
            TraceEntry::Closed { connections, meaning } => {
                rows.closed(connections);
                meaning.iter().for_each(|remark| rows.meaning(remark, MEANING_INDENT));
            }
            TraceEntry::Meaning(remark) => rows.meaning(remark, MEANING_INDENT),
        }
    }
}

/// How a line is shown.
struct Place<'a> {
    /// Before the first line of a message.
    mark: &'a str,
    from: Side,
    indent: usize,
    max_rows: usize,
}

/// Appends rows to a text.
struct Rows<'a> {
    screen: &'a mut Screen,
    names_connections: bool,
    width: usize,
    out: &'a mut String,
}

impl Rows<'_> {
    /// Appends a row of parts, each in its colour.
    fn row(&mut self, indent: usize, parts: &[(&str, &str)]) {
        let parts = parts.iter().filter(|(_, text)| !text.is_empty());
        let is_blank = parts.clone().next().is_none();
        if !is_blank {
            self.out.extend(std::iter::repeat_n(' ', indent));
        }
        for (colour, text) in parts {
            match self.screen.has_colour && !colour.is_empty() {
                true => self.out.extend([colour, text, colour::END]),
                false => self.out.push_str(text),
            }
        }
        self.out.push('\n');
        self.screen.last = if is_blank { LastRow::Blank } else { LastRow::Other };
    }

    /// Appends a blank row above bytes of this side, unless the last row is one. Prose above a
    /// request is about it, or is set apart enough by its `#`.
    fn blank_above(&mut self, from: Side) {
        let is_apart = match self.screen.last {
            LastRow::Nothing | LastRow::Blank => true,
            LastRow::Prose => from == Side::Client,
            LastRow::Other => false,
        };
        if !is_apart {
            self.row(0, &[]);
        }
    }

    /// Appends a text in one colour, in as many rows as it needs.
    fn text(&mut self, indent: usize, hanging: usize, colour: &str, text: &str) {
        let width = self.width.saturating_sub(indent);
        for (number, row) in wrap(text, width, width.saturating_sub(hanging)).iter().enumerate() {
            self.row(if number == 0 { indent } else { indent + hanging }, &[(colour, row)]);
        }
    }

    /// Appends a line of prose.
    fn prose(&mut self, text: &str) {
        let width = self.width.saturating_sub(2);
        for (number, row) in wrap(text, width, width.saturating_sub(2)).iter().enumerate() {
            let mark = if number == 0 { "# " } else { "#   " };
            self.row(0, &[(colour::PROSE, mark), (colour::PROSE, row)]);
        }
        self.screen.last = LastRow::Prose;
    }

    fn event(&mut self, event: &Event) {
        let Event { connection, kind, note } = event;
        let label = self.label(*connection);
        let text = format!("--- {label}{kind} {}", note.as_str());
        self.text(0, 4, colour::EVENT, text.trim_end());
    }

    /// `@2 `, if connections are named.
    fn label(&self, connection: u32) -> String {
        if self.names_connections { format!("@{connection} ") } else { String::new() }
    }

    fn bytes(&mut self, bytes: &ShownBytes) {
        let ShownBytes { connection, from, note, lines, may_cut } = bytes;
        let (mark, indent) = match from {
            Side::Client => (">>> ", 0),
            Side::Server => ("<<< ", RESPONSE_INDENT),
        };
        let mark = format!("{}{mark}", self.label(*connection));
        let begins = lines.first().is_some_and(|line| line.kind.begins_message());
        let is_continued = self.screen.last_bytes == Some((*connection, *from));
        if !begins {
            if !is_continued {
                self.blank_above(*from);
            }
            self.text(indent, HANGING_INDENT, colour::PROSE, &format!("{mark}{note}"));
        }
        let mut lines = lines.iter().peekable();
        while let Some(line) = lines.next() {
            if line.kind.begins_message() {
                self.blank_above(*from);
            }
            let next = lines.next_if(|next| {
                let rest = columns(&line.text) + columns(line.ending) + columns(&next.text);
                next.kind == LineKind::LeftOut
                    && line.kind == LineKind::Content
                    && line.meaning.is_empty()
                    && !line.text.is_empty()
                    && indent + rest < self.width
            });
            let max_rows = match may_cut {
                true if line.kind == LineKind::Field => MAX_VALUE_ROWS,
                _ => usize::MAX,
            };
            let place = Place { mark: &mark, from: *from, indent, max_rows };
            self.line(line, &place, next.map(|next| &*next.text));
            for meaning in line.meaning.iter().chain(next.iter().flat_map(|next| &next.meaning)) {
                self.meaning(meaning, indent + MEANING_INDENT);
            }
        }
        self.screen.last_bytes = Some((*connection, *from));
    }

    /// Appends a line, and in the same row what is left out after it.
    fn line(&mut self, line: &EntryLine, place: &Place<'_>, left_out: Option<&str>) {
        let Place { mark, from, indent, max_rows } = *place;
        let name_colour = match from {
            Side::Client => colour::REQUEST,
            Side::Server => colour::RESPONSE,
        };
        let start_colour = match line.kind {
            LineKind::Request => colour::REQUEST_LINE,
            LineKind::Status { is_error: true } => colour::ERROR,
            LineKind::Status { is_error: false } => colour::STATUS_LINE,
            LineKind::Folded => return self.folded_text(indent, &line.text),
            LineKind::LeftOut => return self.folded_text(indent, &line.text),
            LineKind::Field | LineKind::Content => colour::PLAIN,
        };
        let mark = if line.kind.begins_message() { mark } else { "" };
        let whole = format!("{mark}{}{}", line.text, line.ending);
        let width = self.width.saturating_sub(indent);
        let mut rows = wrap(&whole, width, width.saturating_sub(HANGING_INDENT));
        let mut cut = None;
        if rows.len() > max_rows {
            rows.truncate(max_rows);
            let room = width.saturating_sub(HANGING_INDENT + CUT_COLUMNS);
            if let Some(row) = rows.last_mut() {
                *row = wrap(row, room, room)[0];
                let end = Span::of(row.as_bytes(), whole.as_bytes()).start() + row.len();
                cut = Some(format!("... {} more characters", whole[end..].chars().count()));
            }
        }
        let left_out = cut.as_deref().or(left_out);
        let last = rows.len() - 1;
        for (number, row) in rows.iter().enumerate() {
            let indent = if number == 0 { indent } else { indent + HANGING_INDENT };
            let (row, ending) = match row.strip_suffix(line.ending) {
                Some(text) if number == last => (text, line.ending),
                _ => (*row, ""),
            };
            let name = match line.kind {
                LineKind::Field if number == 0 => row.find(':').map_or(0, |colon| colon + 1),
                _ => 0,
            };
            let (name, value) = row.split_at(name);
            let left_out = left_out.filter(|_| number == last).map(|text| format!(" {text}"));
            self.row(
                indent,
                &[
                    (name_colour, name),
                    (start_colour, value),
                    (colour::PROSE, ending),
                    (colour::PROSE, left_out.as_deref().unwrap_or_default()),
                ],
            );
        }
    }

    /// Appends what stands for folded lines. The first one says how they are shown.
    fn folded_text(&mut self, indent: usize, text: &str) {
        let text = self.with_hint(text);
        self.text(indent, HANGING_INDENT, colour::PROSE, &text);
    }

    /// The text, and for the first text of the run how all is shown.
    fn with_hint(&mut self, text: &str) -> String {
        let hint = self.screen.full_flag.take().map(|flag| format!(" ({flag} shows all)"));
        format!("{text}{}", hint.unwrap_or_default())
    }

    fn meaning(&mut self, remark: &Remark, indent: usize) {
        let width = self.width.saturating_sub(indent + 2);
        let (all, sentence) = (remark.lines(width), remark.without_clause().lines(width));
        // The number of a clause is as long as a short sentence, and a row of its own tells
        // nothing.
        let length = remark.about.len() + remark.text.len();
        let is_short = length < MIN_SENTENCE || all.len() > sentence.len();
        for line in if is_short && !self.screen.has_clauses { sentence } else { all } {
            // A name or a picture in it may be wider than the terminal.
            for row in wrap(&line, width, width) {
                self.row(indent, &[(colour::MEANING, "# "), (colour::MEANING, row)]);
            }
        }
    }

    fn exchange(&mut self, line: &NumberedLine) {
        let label = self.label(line.connection);
        let text = format!("{} {label}{}", line.number, line.text);
        let is_error = line.status.is_some_and(|status| status >= FIRST_ERROR);
        self.text(0, HANGING_INDENT, if is_error { colour::ERROR } else { colour::BOLD }, &text);
    }

    /// `2 GET /site.css 200, 3 GET /like.js 200: folded`
    fn folded(&mut self, lines: &[NumberedLine]) {
        let lines: Vec<String> =
            lines.iter().map(|line| format!("{} {}", line.number, line.text)).collect();
        let text = self.with_hint(&format!("{}: folded", lines.join(", ")));
        self.text(0, HANGING_INDENT, colour::PROSE, &text);
        self.screen.last = LastRow::Prose;
    }

    /// `--- 3 connections ended, each by its client first: @1, @2, @3`
    fn closed(&mut self, connections: &[u32]) {
        let text = match connections {
            [_] if !self.names_connections => {
                "--- the connection ended, by its client first".to_owned()
            }
            [one] => format!("--- @{one} ended, by its client first"),
            many => {
                let names: Vec<String> = many.iter().map(|one| format!("@{one}")).collect();
                let names = names.join(", ");
                format!("--- {} connections ended, each by its client first: {names}", many.len())
            }
        };
        self.text(0, 4, colour::EVENT, &text);
    }
}

/// Characters of a sentence to which its clause is added, if it fits.
const MIN_SENTENCE: usize = 100;

impl LineKind {
    /// Whether a message begins with this line.
    fn begins_message(self) -> bool {
        matches!(self, LineKind::Request | LineKind::Status { .. })
    }
}

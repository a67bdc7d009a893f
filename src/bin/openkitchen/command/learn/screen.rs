//! What `learn` prints: text that is folded to the terminal's width, and transcripts in colours.

use std::fmt::Write as _;
use std::io;

use openkitchen::message::fold::fold;
use openkitchen::observe::trace::stdout_wants_colour;
use openkitchen::sys;
use openkitchen::transcript::explain::{Remark, prose};
use openkitchen::transcript::{Event, Item, MARKERS, Printer, Side};

use crate::command::{CliError, printed, write_stdout};

/// Columns, if stdout is no terminal.
const DEFAULT_COLUMNS: usize = 80;

/// Columns of text at most: longer lines are hard to read.
const MAX_COLUMNS: usize = 100;

/// Columns at least: narrower, most lines would be a word.
const MIN_COLUMNS: usize = 20;

/// Columns for a text beside its label, at least; otherwise it begins below the label.
const MIN_BESIDE_LABEL: usize = 12;

/// How far it is indented there.
const BELOW_LABEL: &str = "    ";

const BOLD: &str = "\x1b[1m";
const YELLOW: &str = "\x1b[33m";
const CYAN: &str = "\x1b[36m";
const GREEN: &str = "\x1b[32m";
/// The colour that the trace has for explanations.
const MEANING: &str = "\x1b[38;5;133m";
const END: &str = "\x1b[0m";

/// Returns the width of the terminal.
type Measure = fn() -> Option<usize>;

/// Text for stdout, collected until [`LessonScreen::show`].
pub struct LessonScreen {
    text: String,
    /// Called for each paragraph: the user may change the width at any time.
    measure: Measure,
    colour: bool,
    printer: Printer,
    /// The first error of stdout. After it, nothing is written.
    error: Option<io::Error>,
}

impl LessonScreen {
    /// A screen with the width of the terminal, in colours if stdout has them.
    pub fn on_stdout() -> LessonScreen {
        LessonScreen::new(sys::stdout_columns, stdout_wants_colour())
    }

    fn new(measure: Measure, colour: bool) -> LessonScreen {
        LessonScreen { text: String::new(), measure, colour, printer: Printer::new(), error: None }
    }

    fn columns(&self) -> usize {
        (self.measure)().unwrap_or(DEFAULT_COLUMNS).clamp(MIN_COLUMNS, MAX_COLUMNS)
    }

    /// Prints what was collected. False if stdout cannot be written, or its reader has closed it:
    /// then the command is to end.
    pub fn show(&mut self) -> bool {
        let text = std::mem::take(&mut self.text);
        if self.error.is_none() {
            self.error = write_stdout(&text).err();
        }
        self.error.is_none()
    }

    /// The result of all that was shown.
    ///
    /// # Errors
    /// See [`printed`].
    pub fn finish(self) -> Result<(), CliError> {
        printed(self.error.map_or(Ok(()), Err))
    }

    /// Adds an empty line.
    pub fn gap(&mut self) {
        self.text.push('\n');
        self.printer = Printer::new();
    }

    /// Adds an empty line, unless the last one is: the end of a head.
    pub fn separate(&mut self) {
        match self.text.ends_with("\n\n") {
            true => self.printer = Printer::new(),
            false => self.gap(),
        }
    }

    /// Adds a line as it is.
    pub fn line(&mut self, line: &str) {
        self.painted("", line);
    }

    /// Adds a heading.
    pub fn heading(&mut self, text: &str) {
        for line in fold(text, self.columns(), "") {
            self.painted(BOLD, &line);
        }
    }

    /// Adds a paragraph, and an empty line.
    pub fn paragraph(&mut self, text: &str) {
        self.hanging(text, "");
        self.gap();
    }

    /// Adds a text whose lines after the first are indented.
    pub fn hanging(&mut self, text: &str, indent: &str) {
        for line in fold(text, self.columns(), indent) {
            self.painted("", &line);
        }
    }

    /// Adds a text behind a label on its first line; the other lines are indented as far.
    pub fn labelled(&mut self, label: &str, text: &str) {
        let columns = self.columns();
        if columns < label.len() + MIN_BESIDE_LABEL {
            self.painted("", label.trim_end());
            for line in fold(text, columns - BELOW_LABEL.len(), "") {
                self.painted("", &format!("{BELOW_LABEL}{line}"));
            }
            return;
        }
        let indent = " ".repeat(label.len());
        for (index, line) in fold(text, columns - label.len(), "").iter().enumerate() {
            let label = if index == 0 { label } else { &indent };
            self.painted("", &format!("{label}{line}"));
        }
    }

    /// Adds a question. The reader types the answer at the end of its last line.
    pub fn prompt(&mut self, text: &str) {
        self.text += &fold(text, self.columns() - 1, "").join("\n");
        self.text.push(' ');
    }

    /// Adds an item of a transcript.
    pub fn item(&mut self, item: &Item) {
        if self.printer.empty_line_before(item) {
            self.text.push('\n');
        }
        let colour = match item {
            Item::Prose(_) => MEANING,
            Item::Event(_) | Item::Assertions(_) => YELLOW,
            Item::Block(block) if block.from == Side::Client => CYAN,
            Item::Block(_) => GREEN,
        };
        let columns = self.columns();
        for line in item.to_string().lines() {
            for line in folded(line, columns) {
                self.painted(colour, &line);
            }
        }
    }

    /// Adds explanations below an item.
    pub fn remarks(&mut self, remarks: &[Remark]) {
        prose(remarks, self.columns()).for_each(|line| self.item(&line));
    }

    /// Each line has its own codes, since a pager resets colours at the end of a line.
    fn painted(&mut self, colour: &str, line: &str) {
        let is_painted = self.colour && !colour.is_empty() && !line.is_empty();
        let _ = match is_painted {
            true => writeln!(self.text, "{colour}{line}{END}"),
            false => writeln!(self.text, "{line}"),
        };
    }
}

/// Whether a transcript shows this item of the client before anything is sent.
pub fn is_of_client(item: &Item) -> bool {
    use openkitchen::transcript::EventKind::{Closed, HalfClose, Open, Reset, Silent, Wait};
    match item {
        Item::Block(block) => block.from == Side::Client,
        Item::Event(Event { kind, .. }) => match kind {
            HalfClose(side) | Closed(side) | Reset(side) => *side == Side::Client,
            Open | Wait(_) | Silent(_) => true,
        },
        Item::Prose(_) | Item::Assertions(_) => false,
    }
}

/// Folds a line of a transcript after a space, or at the last column if it has none. `\` at the end
/// of a line says that no line end follows, so the bytes stay the same.
fn folded(line: &str, columns: usize) -> Vec<String> {
    let (mut lines, mut rest) = (Vec::new(), line);
    while rest.chars().count() > columns {
        let end = rest.char_indices().nth(columns - 1).map_or(rest.len(), |(at, _)| at);
        let begins_marker = |at: usize| MARKERS.iter().any(|it| rest[at..].starts_with(it));
        let mut spaces = rest[..end].match_indices(' ').map(|(at, _)| at + 1);
        let at = spaces.rfind(|&at| !begins_marker(at));
        // An escape has at most four characters, `\x0a`: none is cut.
        let start = rest[..end].char_indices().rev().nth(3).map_or(0, |(at, _)| at);
        let escape = rest[start..end].find('\\').map(|at| start + at).filter(|&at| at > 0);
        let at = at.or(escape).unwrap_or(end);
        lines.push(format!("{}\\", &rest[..at]));
        rest = &rest[at..];
    }
    lines.push(rest.to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use openkitchen::Transcript;

    use super::*;

    #[test]
    fn a_folded_line_has_the_same_bytes() {
        let words = "word ".repeat(40) + "end";
        let long = "x".repeat(300);
        let escapes = r"\x00\xff".repeat(40);
        let mixed = format!("X: {words} # {words} é{long}");
        for content in [&*words, &long, &escapes, &mixed, "short"] {
            let text = format!(">>>\n{content}\\\n");
            let lines: Vec<String> = text.lines().flat_map(|line| folded(line, 80)).collect();
            assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:?}");
            let folded = Transcript::parse(&(lines.join("\n") + "\n"));
            let item = |transcript: Transcript| transcript.items[0].clone();
            assert_eq!(folded.map(item), Transcript::parse(&text).map(item), "{content}");
        }
        let lines = folded(&words, 80);
        assert!(lines[0].ends_with(r"word \"), "no word is broken: {lines:?}");
    }

    #[test]
    fn the_width_is_that_of_the_terminal_at_each_line() {
        static COLUMNS: AtomicUsize = AtomicUsize::new(80);
        let mut screen = LessonScreen::new(|| Some(COLUMNS.load(Ordering::Relaxed)), false);
        for columns in [80, 40, 20] {
            COLUMNS.store(columns, Ordering::Relaxed);
            screen.text.clear();
            screen.paragraph(&["word"; 60].join(" "));
            screen.labelled("a label    ", &["word"; 60].join(" "));
            screen.prompt("a question, 1 to 3, or Enter (and more):");
            let widest = screen.text.lines().map(str::len).max();
            assert!(widest.is_some_and(|widest| widest <= columns && widest + 5 > columns));
        }
    }

    #[test]
    fn text_is_folded_to_the_width_between_words() {
        let widths: [(usize, Measure); 4] = [
            (MIN_COLUMNS, || Some(MIN_COLUMNS)),
            (MIN_COLUMNS, || Some(1)),
            (DEFAULT_COLUMNS, || None),
            (MAX_COLUMNS, || Some(1000)),
        ];
        for (columns, measure) in widths {
            let mut screen = LessonScreen::new(measure, false);
            let text = ["word"; 60].join(" ");
            screen.labelled("  1  ", &text);
            screen.paragraph(&text);
            let lines: Vec<&str> = screen.text.lines().collect();
            assert!(lines.iter().all(|line| line.len() <= columns), "{lines:?}");
            assert!(lines.iter().any(|line| line.len() > columns - 5), "{lines:?}");
            assert!(lines[0].starts_with("  1  word") && lines[1].starts_with("     word"));
            let words = screen.text.split_whitespace().filter(|word| *word == "word").count();
            assert_eq!(words, 120, "no word is broken");
        }
    }
}

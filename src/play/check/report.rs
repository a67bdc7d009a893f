//! The report of `check`: the result of each case and the counts, as text.
//!
//! ```text
//! ok    01  A port opens, and the client speaks first
//! FAIL  21  A request without Host is refused
//!       RFC 9112 section 3.2: ...
//!       sent:      GET / HTTP/1.1
//!       expected:  status 400
//!       got:       status 200
//!                         ^ byte 9 of the response
//!       next:      Count the Host fields: ...
//!
//! 31 of 33 pass, 1 fails, 1 is about the lesson site only.
//! Next: 21, A request without Host is refused.
//! Try it alone: openkitchen check 127.0.0.1:5000 21
//! ```
//! Bytes of a server or a file are printed as visible characters only.

use std::fmt::Write;

use super::case::Case;
use super::play::CheckOutcome;
use crate::message::counted::counted;
use crate::play::difference::Difference;
use crate::transcript::{Block, Bytes, Item, Note, Side};

/// Columns of the output, and those that are left after a word such as `expected:`.
const PAGE_COLUMNS: usize = 80;
const TEXT_COLUMNS: usize = PAGE_COLUMNS - 17;

/// Lines of the sent bytes that are shown.
const MAX_SENT_LINES: usize = 12;

/// Columns of a case's label, at most.
const MAX_LABEL_COLUMNS: usize = 30;

/// Whether a case passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server did what the transcript says.
    Pass,
    /// It did something else.
    Fail,
    /// The case is about our site, and this is another server.
    Skip,
    /// The server sent more than is followed here.
    Unknown,
}

/// The result of a case, for a report.
#[derive(Debug, PartialEq)]
pub struct CaseResult {
    /// Whether the case passed, failed, or was skipped.
    pub verdict: Verdict,
    /// What was expected and received instead, if it did not pass.
    pub difference: Option<Difference>,
    /// What had been sent, if it failed.
    pub sent: Vec<u8>,
}

impl From<CheckOutcome> for CaseResult {
    fn from(outcome: CheckOutcome) -> CaseResult {
        let (verdict, difference, sent) = match outcome {
            CheckOutcome::Passed => (Verdict::Pass, None, Vec::new()),
            CheckOutcome::Skipped(status) => {
                let got = format!("this server responds with {status}");
                (Verdict::Skip, Some(Difference::new("the lesson site", got)), Vec::new())
            }
            CheckOutcome::NotFollowed(what) => {
                let difference = Difference::new("what is followed here", what);
                (Verdict::Unknown, Some(difference), Vec::new())
            }
            CheckOutcome::Failed { difference, sent, .. } => {
                (Verdict::Fail, Some(difference), sent)
            }
            CheckOutcome::Unreachable(why) => {
                let got = format!("the server accepts no connection any more ({why})");
                (Verdict::Fail, Some(Difference::new("a new connection", got)), Vec::new())
            }
        };
        CaseResult { verdict, difference, sent }
    }
}

/// Collects the results, and makes the text to print.
pub struct Report {
    address: String,
    colour: bool,
    verdicts: Vec<Verdict>,
    /// The columns of a case's label.
    label_columns: usize,
    /// The first case that failed: its label and title, and its argument to `check`.
    first_failed: Option<(String, String)>,
}

impl Report {
    /// A report without results, for these cases.
    pub fn new(address: &str, cases: &[Case], colour: bool) -> Report {
        let (address, verdicts) = (address.to_owned(), Vec::new());
        let widths = cases.iter().map(|case| case.label().chars().count());
        let label_columns = widths.max().unwrap_or(0).min(MAX_LABEL_COLUMNS);
        Report { address, colour, verdicts, label_columns, first_failed: None }
    }

    /// The number of cases with this result.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.verdicts.iter().filter(|&&one| one == verdict).count()
    }

    /// Adds a result, and returns the text to print for it.
    pub fn add(&mut self, case: &Case, result: &CaseResult) -> String {
        let CaseResult { verdict, difference, sent } = result;
        let verdict = *verdict;
        self.verdicts.push(verdict);
        if verdict == Verdict::Fail && self.first_failed.is_none() {
            let argument = case.lesson.map_or(case.name.clone(), |number| number.to_string());
            self.first_failed = Some((format!("{}, {}", case.label(), case.title), argument));
        }
        let (word, label, width) = (self.word(verdict), case.label(), self.label_columns);
        let mut text = format!("{word}  {label:width$}  {}\n", case.title);
        match (verdict, difference) {
            (Verdict::Fail, Some(difference)) => {
                print_failure(&mut text, case, difference, sent);
            }
            (Verdict::Skip, Some(difference)) => {
                let _ = writeln!(text, "      about the lesson site only: {}", difference.got);
            }
            (Verdict::Unknown, Some(difference)) => {
                let _ = writeln!(text, "      more than is followed here: {}", difference.got);
            }
            _ => {}
        }
        text
    }

    fn word(&self, verdict: Verdict) -> String {
        let (word, colour) = match verdict {
            Verdict::Pass => ("ok  ", 32),
            Verdict::Fail => ("FAIL", 31),
            Verdict::Skip => ("skip", 33),
            Verdict::Unknown => ("????", 33),
        };
        if self.colour { format!("\x1b[{colour}m{word}\x1b[0m") } else { word.to_owned() }
    }

    /// Returns the text to print at the end. `cases` is the number of all cases. `is_silent` says that
    /// the rest was not tried, because the server sent no byte.
    pub fn finish(&self, cases: usize, is_silent: bool) -> String {
        let [pass, fail, skip, unknown] =
            [Verdict::Pass, Verdict::Fail, Verdict::Skip, Verdict::Unknown].map(|v| self.count(v));
        let rest = cases - self.verdicts.len();
        let mut text = format!("\n{pass} of {cases} pass");
        for (count, one, more) in [
            (fail, "fails", "fail"),
            (skip, "is about the lesson site only", "are about the lesson site only"),
            (unknown, "is more than is followed here", "are more than is followed here"),
            (rest, "was not tried", "were not tried"),
        ] {
            if count > 0 {
                let _ = write!(text, ", {count} {}", if count == 1 { one } else { more });
            }
        }
        text.push_str(".\n");
        if is_silent {
            text.push_str(
                "The server sent no byte, so the rest was not tried. Read until the empty line that \
                 ends a head,\nthen write a response to the same socket.\n",
            );
        }
        if let Some((title, argument)) = self.first_failed.as_ref().filter(|_| cases > 1) {
            let command = format!("openkitchen check {} {argument}", self.address);
            let _ = writeln!(text, "Next: {title}.\nTry it alone: {command}");
        }
        text
    }
}

fn print_failure(text: &mut String, case: &Case, difference: &Difference, sent: &[u8]) {
    for line in wrapped(&case.clause, PAGE_COLUMNS - 6) {
        let _ = writeln!(text, "      {line}");
    }
    let mut label = "sent:";
    for line in sent_lines(sent) {
        text.push_str(format!("      {label:10} {line}").trim_end());
        text.push('\n');
        label = "";
    }
    let _ = writeln!(text, "      expected:  {}", difference.expected);
    let _ = writeln!(text, "      got:       {}", difference.got);
    if let Some(caret) = &difference.caret {
        let column = caret.column;
        let _ =
            writeln!(text, "                 {:column$}^ byte {} of {}", "", caret.byte, caret.of);
    }
    let mut label = "next:";
    for line in wrapped(&case.next, TEXT_COLUMNS) {
        let _ = writeln!(text, "      {label:10} {line}");
        label = "";
    }
    text.push('\n');
}

/// Returns the sent bytes as the lines of a transcript, cut to [`MAX_SENT_LINES`].
fn sent_lines(sent: &[u8]) -> Vec<String> {
    let block = Block {
        connection: 1,
        from: Side::Client,
        note: Note::new(""),
        bytes: Bytes::raw(&sent[..sent.len().min(MAX_SENT_LINES * TEXT_COLUMNS)]),
    };
    let text = Item::Block(block).to_string();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    let mut shown: Vec<String> = lines.iter().take(MAX_SENT_LINES).map(|line| cut(line)).collect();
    if lines.len() > MAX_SENT_LINES || sent.len() > MAX_SENT_LINES * TEXT_COLUMNS {
        shown.push(format!("... {} in all", counted(sent.len(), "byte", "bytes")));
    }
    shown
}

/// Breaks a sentence into lines of at most that width.
fn wrapped(sentence: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in sentence.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(TEXT_COLUMNS) {
        Some(_) => format!("{}...", line.chars().take(TEXT_COLUMNS - 3).collect::<String>()),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    const TEXT: &str = "# A \"title\"\n# RFC 9112 section 3.2: why\n# next: Do this.\n\n\
                        >>>\nGET / HTTP/1.1\n\n???\nstatus 400\n";

    fn failed() -> CheckOutcome {
        let difference = Difference::bytes("status ", b"400", (b"200", 0), "the response");
        let sent = b"GET / HTTP/1.1\r\n\r\n".to_vec();
        CheckOutcome::Failed { difference, sent, is_silent: false }
    }

    #[test]
    fn the_text_says_what_to_do_next() {
        let case = Case::read("x/01-a.wire", TEXT).expect("a case");
        let mut report = Report::new("127.0.0.1:5000", from_ref(&case), false);
        assert_eq!(report.add(&case, &CheckOutcome::Passed.into()), "ok    01-a  A \"title\"\n");
        assert_eq!(
            report.add(&case, &failed().into()),
            "FAIL  01-a  A \"title\"\n      RFC 9112 section 3.2: why\n\
             \x20     sent:      GET / HTTP/1.1\n\n\
             \x20     expected:  status 400\n\
             \x20     got:       status 200\n\
             \x20                       ^ byte 0 of the response\n\
             \x20     next:      Do this.\n\n"
        );
        let skipped = report.add(&case, &CheckOutcome::Skipped(404).into());
        assert!(skipped.starts_with("skip  01-a"), "{skipped}");
        assert_eq!(
            report.finish(4, false),
            "\n1 of 4 pass, 1 fails, 1 is about the lesson site only, 1 was not tried.\n\
             Next: 01-a, A \"title\".\nTry it alone: openkitchen check 127.0.0.1:5000 x/01-a.wire\n"
        );
    }

    #[test]
    fn a_long_sentence_is_wrapped() {
        let lines = wrapped(&"word ".repeat(40), 92);
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [89, 89, 19]);
    }

    #[test]
    fn sent_bytes_are_cut_to_twelve_lines() {
        let long = b"X: y\r\n".repeat(100);
        let lines = sent_lines(&long);
        assert_eq!(
            (lines.len(), lines[MAX_SENT_LINES].as_str()),
            (MAX_SENT_LINES + 1, "... 600 bytes in all")
        );
        assert_eq!(sent_lines(&[b'x'; 2000])[0].len(), TEXT_COLUMNS);
    }
}

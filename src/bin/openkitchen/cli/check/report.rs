//! What is said of each case, and of all: to a person, or with `--json` to a machine.
//!
//! ```text
//! ok    01  A port opens, and the client speaks first
//! FAIL  21  A request without Host is refused
//!       RFC 9112 section 3.2: ...
//!       sent:      GET / HTTP/1.1
//!       expected:  status 400
//!       got:       status 200
//!                         ^ byte 9 of the answer
//!       next:      Count the Host fields: ...
//!
//! 31 of 33 pass, 1 fails, 1 is about the lesson site only.
//! Next: 21, A request without Host is refused.
//! Try it alone: openkitchen check 127.0.0.1:5000 21
//! ```
//! Everything that came from a server or a file is shown as visible characters.

use std::fmt::Write;

use openkitchen::message::visible::Visible;
use openkitchen::transcript::{Block, Bytes, Item, Note, Side};

use super::case::Case;
use super::difference::Difference;
use super::play::CheckOutcome;

/// Columns of a page, and what is left of them behind a word such as `expected:`.
const PAGE: usize = 80;
const WIDTH: usize = PAGE - 17;

/// Lines that are shown of what was sent.
const LINES: usize = 12;

/// Columns of a case's label, at most.
const LABEL: usize = 30;

/// What became of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As the page says.
    Pass,
    /// Otherwise.
    Fail,
    /// It is about our site, and this is another.
    Skip,
}

/// Keeps the count.
pub struct Report {
    address: String,
    json: bool,
    colour: bool,
    verdicts: Vec<Verdict>,
    /// The columns that a case's label takes.
    width: usize,
    /// The first case that failed: its name and title, and how to ask for it alone.
    first: Option<(String, String)>,
}

impl Report {
    /// Nothing is told yet of these cases.
    pub fn new(address: &str, cases: &[Case], json: bool, colour: bool) -> Report {
        let (address, verdicts) = (address.to_owned(), Vec::new());
        let widths = cases.iter().map(|case| case.label().chars().count());
        let width = widths.max().unwrap_or(0).min(LABEL);
        Report { address, json, colour, verdicts, width, first: None }
    }

    /// How many cases went so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.verdicts.iter().filter(|&&one| one == verdict).count()
    }

    /// What to print for a case.
    pub fn tell(&mut self, case: &Case, outcome: CheckOutcome) -> String {
        let (verdict, fault, sent) = match outcome {
            CheckOutcome::Passed => (Verdict::Pass, None, Vec::new()),
            CheckOutcome::Elsewhere(status) => {
                let got = format!("this server answers {status} there");
                (Verdict::Skip, Some(Difference::new("the lesson site", got)), Vec::new())
            }
            CheckOutcome::Failed { fault, sent, .. } => (Verdict::Fail, Some(fault), sent),
            CheckOutcome::Unreachable(why) => {
                let got = format!("nobody answers at the door any more ({why})");
                (Verdict::Fail, Some(Difference::new("a new connection", got)), Vec::new())
            }
        };
        self.verdicts.push(verdict);
        if verdict == Verdict::Fail && self.first.is_none() {
            let alone = case.lesson.map_or(case.name.clone(), |number| number.to_string());
            self.first = Some((format!("{}, {}", case.label(), case.title), alone));
        }
        if self.json {
            return json_line(case, verdict, fault.as_ref(), &sent);
        }
        let (word, label, width) = (self.word(verdict), case.label(), self.width);
        let mut text = format!("{word}  {label:width$}  {}\n", case.title);
        match (verdict, fault) {
            (Verdict::Fail, Some(fault)) => tell_fault(&mut text, case, &fault, &sent),
            (Verdict::Skip, Some(fault)) => {
                let _ = writeln!(text, "      about the lesson site only: {}", fault.got);
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
        };
        if self.colour { format!("\x1b[{colour}m{word}\x1b[0m") } else { word.to_owned() }
    }

    /// What to print at the end, of so many cases in all. `is_silent` says that the rest was not
    /// tried because nothing came back.
    pub fn finish(&self, cases: usize, is_silent: bool) -> String {
        let [pass, fail, skip] =
            [Verdict::Pass, Verdict::Fail, Verdict::Skip].map(|v| self.count(v));
        let rest = cases - self.verdicts.len();
        if self.json {
            return format!(
                "{{\"cases\":{cases},\"pass\":{pass},\"fail\":{fail},\"skip\":{skip},\"not_tried\":{rest}}}\n"
            );
        }
        let mut text = format!("\n{pass} of {cases} pass");
        for (count, one, more) in [
            (fail, "fails", "fail"),
            (skip, "is about the lesson site only", "are about the lesson site only"),
            (rest, "was not tried", "were not tried"),
        ] {
            if count > 0 {
                let _ = write!(text, ", {count} {}", if count == 1 { one } else { more });
            }
        }
        text.push_str(".\n");
        if is_silent {
            text.push_str(
                "Not one byte came back, so the rest was not tried: read until the empty line that \
                 ends a head,\nthen write an answer to the same socket.\n",
            );
        }
        if let Some((named, alone)) = self.first.as_ref().filter(|_| cases > 1) {
            let address = &self.address;
            let _ =
                writeln!(text, "Next: {named}.\nTry it alone: openkitchen check {address} {alone}");
        }
        text
    }
}

fn tell_fault(text: &mut String, case: &Case, fault: &Difference, sent: &[u8]) {
    for line in wrapped(&case.clause, PAGE - 6) {
        let _ = writeln!(text, "      {line}");
    }
    let mut label = "sent:";
    for line in sent_lines(sent) {
        text.push_str(format!("      {label:10} {line}").trim_end());
        text.push('\n');
        label = "";
    }
    let _ = writeln!(text, "      expected:  {}", fault.expected);
    let _ = writeln!(text, "      got:       {}", fault.got);
    if let Some(caret) = &fault.caret {
        let column = caret.column;
        let _ =
            writeln!(text, "                 {:column$}^ byte {} of {}", "", caret.byte, caret.of);
    }
    let mut label = "next:";
    for line in wrapped(&case.next, WIDTH) {
        let _ = writeln!(text, "      {label:10} {line}");
        label = "";
    }
    text.push('\n');
}

/// What was sent, as the lines of a transcript.
fn sent_lines(sent: &[u8]) -> Vec<String> {
    let block = Block {
        connection: 1,
        from: Side::Client,
        note: Note::new(""),
        bytes: Bytes::raw(&sent[..sent.len().min(LINES * WIDTH)]),
    };
    let page = Item::Block(block).to_string();
    let lines: Vec<&str> = page.lines().skip(1).collect();
    let mut shown: Vec<String> = lines.iter().take(LINES).map(|line| cut(line)).collect();
    if lines.len() > LINES || sent.len() > LINES * WIDTH {
        shown.push(format!("... {} bytes in all", sent.len()));
    }
    shown
}

/// The words of a sentence, in lines of that width.
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
    match line.char_indices().nth(WIDTH) {
        Some(_) => format!("{}...", line.chars().take(WIDTH - 3).collect::<String>()),
        None => line.to_owned(),
    }
}

/// An object on one line, with the same keys for every case. Bytes are told as visible characters, so
/// there is no second escaping.
fn json_line(case: &Case, verdict: Verdict, fault: Option<&Difference>, sent: &[u8]) -> String {
    let verdict = match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Skip => "skip",
    };
    let caret = fault.and_then(|fault| fault.caret.as_ref());
    let null = || "null".to_owned();
    let members = [
        ("case", string(&case.name)),
        ("title", string(&case.title)),
        ("clause", string(&case.clause)),
        ("verdict", string(verdict)),
        ("sent", fault.map_or_else(null, |_| string(&Visible(sent).to_string()))),
        ("expected", fault.map_or_else(null, |fault| string(&fault.expected))),
        ("got", fault.map_or_else(null, |fault| string(&fault.got))),
        ("byte", caret.map_or_else(null, |caret| caret.byte.to_string())),
        ("column", caret.map_or_else(null, |caret| caret.column.to_string())),
        ("next", string(&case.next)),
    ];
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}\n", members.join(","))
}

/// A JSON string (RFC 8259 section 7).
fn string(text: &str) -> String {
    let mut string = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => string.push_str("\\\""),
            '\\' => string.push_str("\\\\"),
            control if control.is_control() => {
                let _ = write!(string, "\\u{:04x}", u32::from(control));
            }
            other => string.push(other),
        }
    }
    string.push('"');
    string
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    const PAGE: &str = "# A \"title\"\n# RFC 9112 section 3.2: why\n# next: Do this.\n\n\
                        >>>\nGET / HTTP/1.1\n\n???\nstatus 400\n";

    fn failed() -> CheckOutcome {
        let fault = Difference::bytes("status ", (b"400", b"200"), 0, "the answer");
        CheckOutcome::Failed { fault, sent: b"GET / HTTP/1.1\r\n\r\n".to_vec(), is_silent: false }
    }

    #[test]
    fn a_person_is_told_what_to_do_next() {
        let case = Case::read("x/01-a.wire", PAGE).expect("a case");
        let mut report = Report::new("127.0.0.1:5000", from_ref(&case), false, false);
        assert_eq!(report.tell(&case, CheckOutcome::Passed), "ok    01-a  A \"title\"\n");
        assert_eq!(
            report.tell(&case, failed()),
            "FAIL  01-a  A \"title\"\n      RFC 9112 section 3.2: why\n\
             \x20     sent:      GET / HTTP/1.1\n\n\
             \x20     expected:  status 400\n\
             \x20     got:       status 200\n\
             \x20                       ^ byte 0 of the answer\n\
             \x20     next:      Do this.\n\n"
        );
        let elsewhere = report.tell(&case, CheckOutcome::Elsewhere(404));
        assert!(elsewhere.starts_with("skip  01-a"), "{elsewhere}");
        assert_eq!(
            report.finish(4, false),
            "\n1 of 4 pass, 1 fails, 1 is about the lesson site only, 1 was not tried.\n\
             Next: 01-a, A \"title\".\nTry it alone: openkitchen check 127.0.0.1:5000 x/01-a.wire\n"
        );
    }

    #[test]
    fn a_machine_is_told_an_object_a_line() {
        let case = Case::read("x/01-a.wire", PAGE).expect("a case");
        let mut report = Report::new("127.0.0.1:5000", &[], true, false);
        assert_eq!(
            report.tell(&case, failed()),
            "{\"case\":\"x/01-a.wire\",\"title\":\"A \\\"title\\\"\",\
             \"clause\":\"RFC 9112 section 3.2: why\",\"verdict\":\"fail\",\
             \"sent\":\"GET / HTTP/1.1\\\\r\\\\n\\\\r\\\\n\",\"expected\":\"status 400\",\
             \"got\":\"status 200\",\"byte\":0,\"column\":7,\"next\":\"Do this.\"}\n"
        );
        assert_eq!(
            report.tell(&case, CheckOutcome::Passed),
            "{\"case\":\"x/01-a.wire\",\"title\":\"A \\\"title\\\"\",\
             \"clause\":\"RFC 9112 section 3.2: why\",\"verdict\":\"pass\",\
             \"sent\":null,\"expected\":null,\"got\":null,\"byte\":null,\"column\":null,\
             \"next\":\"Do this.\"}\n"
        );
        assert_eq!(
            report.finish(2, false),
            "{\"cases\":2,\"pass\":1,\"fail\":1,\"skip\":0,\"not_tried\":0}\n"
        );
        assert_eq!(string("a\"\\\n\u{85}é"), "\"a\\\"\\\\\\u000a\\u0085é\"");
    }

    #[test]
    fn a_long_sentence_is_wrapped() {
        let lines = wrapped(&"word ".repeat(40), 92);
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [89, 89, 19]);
    }

    #[test]
    fn what_was_sent_is_cut_to_a_page() {
        let long = b"X: y\r\n".repeat(100);
        let lines = sent_lines(&long);
        assert_eq!((lines.len(), lines[LINES].as_str()), (LINES + 1, "... 600 bytes in all"));
        assert_eq!(sent_lines(&[b'x'; 2000])[0].len(), WIDTH);
    }
}

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
//!       why:       many sites can share one address: without Host, ...
//!
//! 30 of 34 pass, 1 fails, 2 others fail as 21 does, 1 is about the lesson site only.
//! Next: 21, A request without Host is refused.
//! Try it alone: openkitchen check 127.0.0.1:5000 21
//! ```
//! What fails for the [cause](Difference::cause) of an earlier case is counted, and not shown again.
//! Bytes of a server or a file are printed as visible characters only.

use std::fmt::Write;

use super::case::Case;
use super::play::{CheckOutcome, PlayedCase, SideBytes};
use crate::message::corrected::check_request;
use crate::message::counted::counted;
use crate::message::fold::fold;
use crate::message::limits::Limits;
use crate::play::difference::{Cause, Difference};
use crate::transcript::glossary::is_framework;
use crate::transcript::{Block, Bytes, Item, Note, Prose, Side};

/// Columns of the output, and those that are left after a word such as `expected:`.
const PAGE_COLUMNS: usize = 80;
const TEXT_COLUMNS: usize = PAGE_COLUMNS - 17;

/// Lines that are shown of the bytes that one side sent.
const MAX_LINES: usize = 12;

/// Labels of cases that are listed in a sentence.
const MAX_LISTED: usize = 8;

/// Columns of a case's label, at most.
const MAX_LABEL_COLUMNS: usize = 30;

/// Words in the names of servers of files and proxies: no framework's code runs on them.
const OTHER_SERVERS: [&str; 8] =
    ["apache", "caddy", "envoy", "haproxy", "lighttpd", "nginx", "openresty", "traefik"];

/// Whether a case passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server did what the transcript says.
    Pass,
    /// It did something else.
    Fail,
    /// The case is about our site, and this is another server; or it says nothing about this one.
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
    /// The connection that has the difference, if the case was played and failed.
    pub connection: Option<u32>,
    /// What crossed.
    pub crossed: Vec<SideBytes>,
    /// The server's name for its software.
    pub software: Option<String>,
}

impl From<PlayedCase> for CaseResult {
    fn from(PlayedCase { outcome, crossed, software, .. }: PlayedCase) -> CaseResult {
        let (verdict, difference, connection) = match outcome {
            CheckOutcome::Passed => (Verdict::Pass, None, None),
            CheckOutcome::Skipped(status) => {
                let got = format!("this server responds with {status}");
                (Verdict::Skip, Some(Difference::new("the lesson site", got)), None)
            }
            CheckOutcome::NothingToJudge => {
                let got = "nothing to judge: the file does not say what the server should send";
                (Verdict::Skip, Some(Difference::new("??? or <<<", got)), None)
            }
            CheckOutcome::NotFollowed(what) => {
                let difference = Difference::new("what is followed here", what);
                (Verdict::Unknown, Some(difference), None)
            }
            CheckOutcome::Failed { difference, connection, .. } => {
                (Verdict::Fail, Some(difference), Some(connection))
            }
            CheckOutcome::Unreachable(why) => {
                let got = format!("the server accepts no connection any more ({why})");
                (Verdict::Fail, Some(Difference::new("a new connection", got)), None)
            }
        };
        CaseResult { verdict, difference, connection, crossed, software }
    }
}

impl CaseResult {
    /// A case that was not played, because it needs a lesson that failed.
    pub fn without_need(lesson: usize) -> CaseResult {
        CaseResult::skipped(Difference::new(
            format!("lesson {lesson} passes"),
            format!("lesson {lesson} failed, and this one says nothing without it"),
        ))
    }

    /// A case about our site, on a server that has a page for every path, as this failed lesson shows.
    pub fn with_page_for_every_path(lesson: usize) -> CaseResult {
        let got = format!("this server has a page for every path (lesson {lesson} failed)");
        CaseResult::skipped(Difference::new("the lesson site", got))
    }

    /// A case about paths, on a server that gives this status to every path.
    pub fn with_status_for_every_path(status: u16) -> CaseResult {
        let got = format!("this server answers every path with {status}");
        CaseResult::skipped(Difference::new("a path that the server serves", got))
    }

    fn skipped(difference: Difference) -> CaseResult {
        CaseResult {
            verdict: Verdict::Skip,
            difference: Some(difference),
            connection: None,
            crossed: Vec::new(),
            software: None,
        }
    }

    /// All bytes that this side sent, of one connection or of all.
    pub fn bytes_of(&self, from: Side, connection: Option<u32>) -> Vec<u8> {
        let is_wanted = |it: &&SideBytes| {
            it.from == from && connection.is_none_or(|number| it.connection == number)
        };
        self.crossed.iter().filter(is_wanted).flat_map(|it| it.bytes.clone()).collect()
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
    /// Whether what crossed is shown of cases that pass.
    shows_passed: bool,
    /// Sentences about cases that are not played, each for a line below the counts.
    unplayed: Vec<String>,
    /// The causes of failures, each with the label of the first case that fails for it, and the number
    /// of others.
    causes: Vec<(String, String, usize)>,
    /// How many cases were skipped because of a lesson that they need.
    without_need: usize,
    /// How many cases were skipped because their transcript does not say what the server should send.
    nothing_to_judge: usize,
    /// How many cases were skipped because the server gives one status to every path.
    without_path: usize,
    /// The labels of lessons that fail, and that the server under a framework decides.
    server_failures: Vec<String>,
    /// The server's name for its software.
    software: Option<String>,
}

impl Report {
    /// A report without results, for these cases.
    pub fn new(address: &str, cases: &[Case], colour: bool) -> Report {
        let (address, verdicts) = (address.to_owned(), Vec::new());
        let widths = cases.iter().map(|case| case.label().chars().count());
        let label_columns = widths.max().unwrap_or(0).min(MAX_LABEL_COLUMNS);
        Report {
            address,
            colour,
            verdicts,
            label_columns,
            first_failed: None,
            shows_passed: false,
            unplayed: Vec::new(),
            causes: Vec::new(),
            without_need: 0,
            nothing_to_judge: 0,
            without_path: 0,
            server_failures: Vec::new(),
            software: None,
        }
    }

    /// Shows what crossed of cases that pass, too.
    pub fn showing_passed(self) -> Report {
        Report { shows_passed: true, ..self }
    }

    /// Says at the end what is not played, in sentences.
    pub fn with_unplayed(self, sentences: Vec<String>) -> Report {
        Report { unplayed: sentences, ..self }
    }

    /// The label of the case that failed before for the cause of this result.
    pub fn same_as(&self, result: &CaseResult) -> Option<&str> {
        self.known_cause(result).map(|index| &*self.causes[index].1)
    }

    /// The index of the cause of this result in `causes`.
    fn known_cause(&self, result: &CaseResult) -> Option<usize> {
        let cause = result.difference.as_ref()?.cause.as_ref()?.as_str();
        self.causes.iter().position(|(known, ..)| known == cause)
    }

    /// The number of cases with this result.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.verdicts.iter().filter(|&&one| one == verdict).count()
    }

    /// Adds a result, and returns the text to print for it: none if a case before has failed for the same
    /// cause.
    pub fn add(&mut self, case: &Case, result: &CaseResult) -> String {
        let CaseResult { verdict, difference, connection, crossed, software } = result;
        let verdict = *verdict;
        self.verdicts.push(verdict);
        if self.software.is_none() {
            self.software.clone_from(software);
        }
        if let Some(index) = self.known_cause(result) {
            self.causes[index].2 += 1;
            return String::new();
        }
        let cause = difference.as_ref().and_then(|difference| difference.cause.as_ref());
        if let Some(Cause::Certain(cause)) = cause {
            self.causes.push((cause.clone(), case.label(), 0));
        }
        if verdict == Verdict::Fail && case.is_about_server() {
            self.server_failures.push(case.label());
        }
        if verdict == Verdict::Fail && self.first_failed.is_none() {
            let name = || Prose::new(&case.name).as_str().to_owned();
            let argument = case.lesson.map_or_else(name, |number| number.to_string());
            self.first_failed = Some((format!("{}, {}", case.label(), case.title), argument));
        }
        let (word, label, width) = (self.word(verdict), case.label(), self.label_columns);
        let mut text = match case.title == label {
            true => format!("{word}  {label}\n"),
            false => format!("{word}  {label:width$}  {}\n", case.title),
        };
        match (verdict, difference) {
            (Verdict::Fail, Some(difference)) => {
                print_failure(&mut text, case, (difference, *connection), crossed);
            }
            (Verdict::Pass, _) if self.shows_passed => {
                print_crossed(&mut text, crossed);
                text.push('\n');
            }
            (Verdict::Skip, Some(difference)) if case.needs.is_some() => {
                self.without_need += 1;
                let _ = writeln!(text, "      {}", difference.got);
            }
            (Verdict::Skip, Some(difference)) if case.has_nothing_to_judge => {
                self.nothing_to_judge += 1;
                let _ = writeln!(text, "      {}", difference.got);
            }
            (Verdict::Skip, Some(difference)) if !case.is_about_site => {
                self.without_path += 1;
                let _ = writeln!(text, "      {}", difference.got);
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
        let others: usize = self.causes.iter().map(|(.., others)| others).sum();
        let mut counts = format!("{pass} of {cases} pass");
        let mut add = |count: usize, one: &str, more: &str| {
            if count > 0 {
                let _ = write!(counts, ", {count} {}", if count == 1 { one } else { more });
            }
        };
        add(fail - others, "fails", "fail");
        for (_, first, others) in &self.causes {
            let [one, more] = [("other fails", first), ("others fail", first)]
                .map(|(words, first)| format!("{words} as {first} does"));
            add(*others, &one, &more);
        }
        let (needs, nothing) = (self.without_need, self.nothing_to_judge);
        let path = self.without_path;
        add(
            skip - needs - nothing - path,
            "is about the lesson site only",
            "are about the lesson site only",
        );
        add(needs, "needs a lesson that failed", "need a lesson that failed");
        add(path, "needs a path that is served", "need a path that is served");
        add(nothing, "has nothing to judge", "have nothing to judge");
        add(unknown, "sent more than is followed here", "sent more than is followed here");
        add(rest, "was not tried", "were not tried");
        let mut text = format!("\n{}", paragraph(&format!("{counts}.")));
        text.extend(self.unplayed.iter().map(|sentence| paragraph(sentence)));
        text.push_str(&self.whose_fault());
        if is_silent {
            text.push_str(&paragraph(
                "The server sent no byte, so the rest was not tried. Read until the empty line that \
                 ends a head, then write a response to the same socket.",
            ));
        }
        if let Some((title, argument)) = self.first_failed.as_ref().filter(|_| cases > 1) {
            let command = format!("openkitchen check {} {argument}", self.address);
            let _ = writeln!(text, "Next: {title}.\nTry it alone: {command}");
        }
        text
    }
}

impl Report {
    /// Says where to look for the fault, if the server may run a framework's code.
    fn whose_fault(&self) -> String {
        let software: String =
            self.software.iter().flat_map(|name| name.chars()).take(TEXT_COLUMNS).collect();
        let name = software.to_lowercase();
        let mut words = name.split(|it: char| !it.is_alphanumeric());
        let listed = match &self.server_failures[..] {
            [] => return String::new(),
            [one] => format!("{one} fails"),
            all if all.len() > MAX_LISTED => {
                let more = all.len() - MAX_LISTED;
                format!("{} and {more} more fail", all[..MAX_LISTED].join(", "))
            }
            [all @ .., last] => format!("{} and {last} fail", all.join(", ")),
        };
        let fault = "in the server under your framework, not your code";
        let sentence = if is_framework(&software) {
            format!("{listed} {fault}. The server is {software}.")
        } else if words.any(|word| OTHER_SERVERS.contains(&word)) {
            return String::new();
        } else {
            format!("If you use a framework, {listed} {fault}.")
        };
        paragraph(Prose::new(&sentence).as_str())
    }
}

fn print_failure(
    text: &mut String,
    case: &Case,
    (difference, connection): (&Difference, Option<u32>),
    crossed: &[SideBytes],
) {
    for line in fold(&case.clause, PAGE_COLUMNS - 6, "") {
        let _ = writeln!(text, "      {line}");
    }
    let mut sent: Vec<SideBytes> = Vec::new();
    for next in crossed.iter().filter(|it| it.from == Side::Client) {
        match sent.last_mut().filter(|last| last.connection == next.connection) {
            Some(last) => {
                last.bytes.extend_from_slice(&next.bytes);
                last.length += next.length;
            }
            None => sent.push(next.clone()),
        }
    }
    print_crossed(text, &sent);
    let _ = writeln!(text, "      expected:  {}", difference.expected);
    let label = crossed_label("got", connection.unwrap_or(1), has_one_connection(crossed));
    let _ = writeln!(text, "      {label:10} {}", difference.got);
    if let Some(caret) = &difference.caret {
        let column = caret.column;
        let _ =
            writeln!(text, "                 {:column$}^ byte {} of {}", "", caret.byte, caret.of);
    }
    let mut label = "next:";
    for line in fold(&case.next, TEXT_COLUMNS, "") {
        let _ = writeln!(text, "      {label:10} {line}");
        label = "";
    }
    let mut label = "why:";
    for line in fold(harm(difference, &sent).unwrap_or_default(), TEXT_COLUMNS, "") {
        let _ = writeln!(text, "      {label:10} {line}");
        label = "";
    }
    text.push('\n');
}

/// What goes wrong where this request is accepted, if it should be refused.
fn harm(difference: &Difference, sent: &[SideBytes]) -> Option<&'static str> {
    let [SideBytes { bytes, .. }] = sent else { return None };
    let rule = check_request(bytes, &Limits::default()).err()?.refusal.rule();
    let is_expected = difference.expected.contains(&rule.status.code().to_string());
    is_expected.then_some(rule.harm)
}

/// Prints what each side sent. Where there is more than one connection, each has its number.
fn print_crossed(text: &mut String, crossed: &[SideBytes]) {
    let is_one = has_one_connection(crossed);
    for it in crossed {
        let verb = match it.from {
            Side::Client => "sent",
            Side::Server => "got",
        };
        let mut label = crossed_label(verb, it.connection, is_one);
        for line in lines_of(it) {
            text.push_str(format!("      {label:10} {line}").trim_end());
            text.push('\n');
            label.clear();
        }
    }
}

fn has_one_connection(crossed: &[SideBytes]) -> bool {
    crossed.iter().all(|it| it.connection == crossed[0].connection)
}

/// `got:`, or `got @2:` where there is more than one connection.
fn crossed_label(verb: &str, connection: u32, is_one: bool) -> String {
    if is_one { format!("{verb}:") } else { format!("{verb} @{connection}:") }
}

/// Returns the bytes as the lines of a transcript, cut to [`MAX_LINES`].
fn lines_of(SideBytes { from, bytes, length, .. }: &SideBytes) -> Vec<String> {
    let block = Block {
        connection: 1,
        from: *from,
        note: Note::new(""),
        bytes: Bytes::raw(&bytes[..bytes.len().min(MAX_LINES * TEXT_COLUMNS)]),
    };
    let text = Item::Block(block).to_string();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    let mut shown: Vec<String> = lines.iter().take(MAX_LINES).map(|line| cut(line)).collect();
    if lines.len() > MAX_LINES || *length > MAX_LINES * TEXT_COLUMNS {
        shown.push(format!("... {} in all", counted(*length, "byte", "bytes")));
    }
    shown
}

/// Returns these sentences as lines of the page.
fn paragraph(sentences: &str) -> String {
    fold(sentences, PAGE_COLUMNS, "").iter().map(|line| format!("{line}\n")).collect()
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
    use std::time::Duration;

    use super::*;

    const TEXT: &str = "# A \"title\"\n# RFC 9112 section 3.2: why\n# next: Do this.\n\n\
                        >>>\nGET / HTTP/1.1\n\n???\nstatus 400\n";

    fn crossed(connection: u32, from: Side, bytes: &[u8]) -> SideBytes {
        let (length, took) = (bytes.len(), Duration::ZERO);
        SideBytes { connection, from, bytes: bytes.to_vec(), length, took }
    }

    fn result(
        outcome: CheckOutcome,
        crossed: Vec<SideBytes>,
        software: Option<&str>,
    ) -> CaseResult {
        let software = software.map(String::from);
        PlayedCase { outcome, answer: None, crossed, events: Vec::new(), software }.into()
    }

    fn failed(difference: Difference, sent: Vec<SideBytes>) -> CaseResult {
        result(CheckOutcome::Failed { difference, connection: 1, is_silent: false }, sent, None)
    }

    const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

    #[test]
    fn the_text_says_what_to_do_next() {
        let case = Case::read("x/01-a.wire", TEXT).expect("a case");
        let mut report = Report::new("127.0.0.1:5000", from_ref(&case), false);
        let passed = result(CheckOutcome::Passed, Vec::new(), None);
        assert_eq!(report.add(&case, &passed), "ok    01-a  A \"title\"\n");
        let difference = Difference::bytes("status ", b"400", (b"200", 0), "the response");
        assert_eq!(
            report.add(&case, &failed(difference, vec![crossed(1, Side::Client, GET)])),
            "FAIL  01-a  A \"title\"\n      RFC 9112 section 3.2: why\n\
             \x20     sent:      GET / HTTP/1.1\n\n\
             \x20     expected:  status 400\n\
             \x20     got:       status 200\n\
             \x20                       ^ byte 0 of the response\n\
             \x20     next:      Do this.\n\
             \x20     why:       many sites can share one address: without Host, the server\n\
             \x20                would have to guess which site is meant, and could show the\n\
             \x20                wrong one\n\n"
        );
        let of_site =
            Case { is_about_site: true, ..Case::read("x/01-a.wire", TEXT).expect("a case") };
        let skipped = report.add(&of_site, &result(CheckOutcome::Skipped(404), Vec::new(), None));
        assert!(skipped.starts_with("skip  01-a"), "{skipped}");
        assert_eq!(
            report.finish(4, false),
            "\n1 of 4 pass, 1 fails, 1 is about the lesson site only, 1 was not tried.\n\
             Next: 01-a, A \"title\".\nTry it alone: openkitchen check 127.0.0.1:5000 x/01-a.wire\n"
        );
    }

    #[test]
    fn each_cause_is_shown_once_and_the_others_are_counted() {
        let cases = ["a", "b", "c", "d"].map(|name| Case::read(name, TEXT).expect("a case"));
        let mut report = Report::new("h:1", &cases, false);
        let cause = |name: &str| failed(Difference::new("x", "y").because(name), Vec::new());
        assert!(report.add(&cases[0], &cause("one")).starts_with("FAIL  a"));
        assert_eq!(report.same_as(&cause("one")), Some("a"));
        assert_eq!(report.add(&cases[1], &cause("one")), "");
        assert!(report.add(&cases[2], &cause("two")).starts_with("FAIL  c"));
        assert_eq!(report.same_as(&failed(Difference::new("x", "y"), Vec::new())), None);
        for _ in 0..2 {
            assert_eq!(report.add(&cases[3], &cause("two")), "");
        }
        assert_eq!(report.count(Verdict::Fail), 5);
        let text = report.finish(5, false);
        // What may have a cause has it if it is known.
        let may = |name: &str| {
            let cause = Some(Cause::Possible(name.to_owned()));
            failed(Difference { cause, ..Difference::new("x", "y") }, Vec::new())
        };
        assert_eq!([report.same_as(&may("two")), report.same_as(&may("three"))], [Some("c"), None]);
        let counts = "\n0 of 5 pass, 2 fail, 1 other fails as a does, 2 others fail as c does.\n";
        assert!(text.starts_with(counts), "{text}");
    }

    #[test]
    fn connections_are_told_apart_and_what_passes_can_be_shown() {
        let case = Case::read("a", TEXT).expect("a case");
        let report = || Report::new("h:1", from_ref(&case), false);
        let all = vec![
            crossed(1, Side::Client, b"one\r\n"),
            crossed(1, Side::Server, b"two\r\n"),
            crossed(1, Side::Client, b"three\r\n"),
            crossed(2, Side::Client, b"four\r\n"),
        ];
        let text = report().add(&case, &failed(Difference::new("x", "y"), all.clone()));
        let sent = "\x20     sent @1:   one\n                 three\n      sent @2:   four\n";
        assert!(text.contains(sent), "{text}");
        let passed = result(CheckOutcome::Passed, all[..2].to_vec(), None);
        let text = report().showing_passed().add(&case, &passed);
        let shown = "ok    a  A \"title\"\n      sent:      one\n      got:       two\n\n";
        assert_eq!(text, shown);
        assert_eq!(passed.bytes_of(Side::Server, None), b"two\r\n");
        assert_eq!(passed.bytes_of(Side::Client, Some(2)), b"");
    }

    #[test]
    fn whose_fault_a_failure_is_depends_on_the_servers_software() {
        let lesson = |number| {
            let case = Case::read("a", TEXT).expect("a case");
            Case { lesson: Some(number), ..case }
        };
        let fault = |software: Option<&str>, numbers: &[usize]| {
            let mut report = Report::new("h:1", &[], false);
            for &number in numbers {
                let failed = failed(Difference::new("x", "y"), Vec::new());
                let software = software.map(String::from);
                report.add(&lesson(number), &CaseResult { software, ..failed });
            }
            report.whose_fault()
        };
        for (software, expected) in [
            (
                Some("Werkzeug/3.1.3 \x1b[2J"),
                "12 and 23 fail in the server under your framework, not your code. The server is\n\
                 Werkzeug/3.1.3 \\x1b[2J.\n",
            ),
            (
                None,
                "If you use a framework, 12 and 23 fail in the server under your framework, not\n\
                 your code.\n",
            ),
            (
                Some("Something of my own"),
                "If you use a framework, 12 and 23 fail in the server under your framework, not\n\
                 your code.\n",
            ),
            (Some("nginx/1.24.0"), ""),
        ] {
            assert_eq!(fault(software, &[12, 23]), expected);
        }
        assert!(fault(Some("gunicorn"), &[12]).starts_with("12 fails in the server under"));
        let many: Vec<usize> = (1..=10).collect();
        assert!(fault(None, &many).contains("01, 02, 03, 04, 05, 06, 07, 08 and 2 more fail"));
        assert_eq!(fault(Some("gunicorn"), &[]), "");
        // What the framework's user decides is no fault of the server, and a file is no lesson.
        for case in [
            Case { is_about_code: true, ..lesson(7) },
            Case { is_about_site: true, ..lesson(5) },
            Case { lesson: None, ..lesson(1) },
        ] {
            let mut report = Report::new("h:1", &[], false);
            report.add(&case, &failed(Difference::new("x", "y"), Vec::new()));
            assert_eq!(report.whose_fault(), "");
        }
    }

    #[test]
    fn bytes_are_cut_to_twelve_lines() {
        let long = b"X: y\r\n".repeat(100);
        let lines = lines_of(&crossed(1, Side::Client, &long));
        assert_eq!(
            (lines.len(), lines[MAX_LINES].as_str()),
            (MAX_LINES + 1, "... 600 bytes in all")
        );
        assert_eq!(lines_of(&crossed(1, Side::Client, &[b'x'; 2000]))[0].len(), TEXT_COLUMNS);
        let cut = SideBytes { length: 9000, ..crossed(1, Side::Server, b"hello\r\n") };
        assert_eq!(lines_of(&cut), ["hello", "... 9000 bytes in all"]);
    }
}

//! # `openkitchen check`: tests a server with transcripts, and without a file with the lessons
//!
//! The library's `play::check` plays and judges. Here are the built-in lessons, and the JSON of `--json`.
//! After [`MAX_SILENT_CASES`] cases without a byte, `check` stops.

mod json;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use openkitchen::observe::trace::stdout_wants_colour;
use openkitchen::play::check::{
    self, Case, CaseResult, Cause, CheckOutcome, CheckTarget, PlayedCase, Report, Verdict,
};
use openkitchen::play::connect;
use openkitchen::transcript::Side;

use super::flags::{CommandLine, Flag, SECONDS, time};
use super::{CliError, address, print, script};
use crate::site::course::{self, Lesson};

/// Cases in a row in which the server sends no byte; after these, the other cases are not tried.
const MAX_SILENT_CASES: usize = 3;

/// The name of the lesson about a path that does not exist.
const NO_SUCH_PATH: &str = "nothing-here";

/// Exit code: some cases fail.
const SOME_FAIL: u8 = 1;

/// The options of `check`.
#[derive(Debug, PartialEq)]
struct CheckOptions {
    timeout: Duration,
    json: bool,
    show: bool,
    list: bool,
}

impl Default for CheckOptions {
    fn default() -> CheckOptions {
        CheckOptions { timeout: Duration::from_secs(2), json: false, show: false, list: false }
    }
}

#[rustfmt::skip]
const FLAGS: [Flag<CheckOptions>; 4] = [
    Flag { name: "timeout", value: "S", help: "seconds to wait, plus the waits of the transcript [2]",
        apply: |options, value| { options.timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
    Flag { name: "json", value: "", help: "print JSON: one object a line, the counts last",
        apply: |options, _| { options.json = true; Ok(()) } },
    Flag { name: "show", value: "", help: "show what crossed of what passes, too",
        apply: |options, _| { options.show = true; Ok(()) } },
    Flag { name: "list", value: "", help: "list the lessons, and do nothing else",
        apply: |options, _| { options.list = true; Ok(()) } },
];

const COMMAND_LINE: CommandLine<CheckOptions> = CommandLine {
    usage: "openkitchen check: test any server with the lessons, or with transcripts\n\n\
        openkitchen check ADDR [FLAGS]          play all lessons, in order\n\
        openkitchen check ADDR FILE... [FLAGS]  play transcripts, or lessons by number\n\n\
        ADDR is host:port, http://host:port/, or a port alone: then 127.0.0.1 and ::1\n\
        are tried. A transcript is a text file with what a client and a server sent, as\n\
        --record writes it; - is stdin. check sends its requests, and compares the\n\
        responses: with its assertions, the lines below ???, or, if it has none, with\n\
        its bytes. A failure shows what was sent, what was expected, what was received,\n\
        and what to do next; what fails for the same cause is only counted. Lessons that\n\
        only the lesson site can pass are skipped on other servers. A lesson has ADDR as\n\
        its Host; a file is sent byte for byte.",
    flags: &FLAGS,
    notes: "With --json the keys of each case are: case, title, clause, verdict (pass,\n\
        fail, skip, unknown), same_as, an earlier case that fails for the same cause,\n\
        connection, the one that differs, sent, expected, got, byte and column of the\n\
        first byte that differs, and next, what to do if it fails; null if there is no\n\
        value. The last line counts: cases, pass, fail, skip, unknown, not_tried. A case\n\
        is unknown if the server sent more than check follows, 16 MiB for example.\n\
        Exit code: 0 all pass, 1 some fail, 2 the command line or a FILE is wrong,\n\
        3 no connection. A server that is silent, or closes, fails its cases.\n\
        Each flag is also a variable: --timeout is OPENKITCHEN_TIMEOUT.",
};

/// The names of its flags.
pub fn flag_names() -> Vec<&'static str> {
    COMMAND_LINE.flag_names()
}

/// Runs the command line. The exit code is 0 if all cases pass, 1 if some fail, 2 if a file is not a
/// transcript that can be played, 3 if there is no connection to the server.
///
/// # Errors
/// A sentence for the user.
pub fn command(arguments: &[OsString]) -> Result<ExitCode, CliError> {
    let Some((options, args)) = COMMAND_LINE.read(arguments, CheckOptions::default())? else {
        return Ok(ExitCode::SUCCESS);
    };
    if options.list {
        print(&list())?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some((typed, files)) = args.split_first() else {
        return Err(CliError::Usage("check needs the address of a server: check 5000".to_owned()));
    };
    if files.iter().filter(|file| *file == "-").count() > 1 {
        return Err(CliError::Usage("stdin can be read once, so give `-` once".to_owned()));
    }
    let authority = address::authority(typed)?;
    let cases = read_cases(files, address::host(&authority)).map_err(CliError::Unusable)?;
    let addresses =
        connect::resolve(&authority).map_err(|why| address::no_connection(&authority, &why))?;
    let target = CheckTarget { authority, addresses, timeout: options.timeout };
    let mut report = Report::new(&target.authority, &cases, stdout_wants_colour());
    if files.is_empty() {
        report = report.with_unplayed(unplayed(address::host(&target.authority)));
    }
    check_all(&cases, &target, &options, report).map_err(|error| match error {
        CliError::NoConnection(sentence) if files.is_empty() && may_be_lesson(typed) => {
            let (number, count) = (typed.display(), course::count());
            CliError::NoConnection(format!(
                "{sentence} (For lesson {number}, name the server first: check ADDR {number}; \
                 lessons are 1 to {count}.)"
            ))
        }
        error => error,
    })
}

/// Whether this argument in the place of the address may be meant as the number of a lesson.
fn may_be_lesson(typed: &OsStr) -> bool {
    typed.len() < 3 && typed.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the lesson with that number as a case.
fn lesson(number: usize, host: &str) -> Result<Case, String> {
    let lesson = course::with_number(number)?;
    lesson.case(number, host)?.ok_or_else(|| {
        format!("lesson {number} sends nothing, so check cannot play it; learn {number} shows it")
    })
}

/// The lessons that a check of all lessons does not play, each in a sentence.
fn unplayed(host: &str) -> Vec<String> {
    let is_unplayed =
        |(number, lesson): &(usize, &Lesson)| matches!(lesson.case(*number, host), Ok(None));
    let sentence = |(number, _): (usize, &Lesson)| {
        format!("Lesson {number} sends nothing: openkitchen learn {number} shows it.")
    };
    course::lessons().filter(|it| is_unplayed(it)).map(sentence).collect()
}

/// Returns the cases of these files, or all lessons. An argument that is not a file may be the name or
/// the number of a lesson.
fn read_cases(files: &[OsString], host: &str) -> Result<Vec<Case>, String> {
    if files.is_empty() {
        let cases = course::lessons().map(|(number, lesson)| lesson.case(number, host));
        return cases.filter_map(Result::transpose).collect();
    }
    let read = |file: &OsString| {
        let (name, path) = (file.to_string_lossy(), Path::new(file));
        match (script::text(path), course::find(&name)) {
            (Ok(text), _) => Case::read(&name, &text),
            (Err(_), Some(number)) if !path.exists() => number.and_then(|it| lesson(it, host)),
            (Err(why), _) => Err(why),
        }
    };
    files.iter().map(read).collect()
}

fn check_all(
    cases: &[Case],
    target: &CheckTarget,
    options: &CheckOptions,
    mut report: Report,
) -> Result<ExitCode, CliError> {
    if options.show {
        report = report.showing_passed();
    }
    let (mut silent_cases, mut is_first) = (0, true);
    let mut lessons = PlayedLessons { target, played: BTreeMap::new() };
    for case in cases {
        if let Some(needed) = lessons.failed_need(case) {
            let result = CaseResult::without_need(needed);
            print_result(&mut report, case, &result, options)?;
            continue;
        }
        let played = check::play_and_keep(case, target);
        let outcome = &played.outcome;
        if let (CheckOutcome::Unreachable(why), true) = (outcome, is_first) {
            let why = format!("{why}; start the server, then check it again");
            return Err(address::no_connection(&target.authority, &why));
        }
        if *outcome == CheckOutcome::NothingToJudge {
            print_result(&mut report, case, &CaseResult::from(played), options)?;
            continue;
        }
        is_first = false;
        let is_silent = matches!(outcome, CheckOutcome::Failed { is_silent: true, .. });
        silent_cases = if is_silent { silent_cases + 1 } else { 0 };
        let is_unreachable = matches!(outcome, CheckOutcome::Unreachable(_));
        if let Some(number) = case.lesson {
            lessons.played.insert(number, LessonOutcome::of(&played));
        }
        let result = lessons.result(case, played);
        print_result(&mut report, case, &result, options)?;
        if is_unreachable || silent_cases == MAX_SILENT_CASES {
            break;
        }
    }
    let is_silent = silent_cases == MAX_SILENT_CASES;
    let text = report.finish(cases.len(), is_silent);
    print(&if options.json { json::counts(&report, cases.len()) } else { text })?;
    Ok(match report.count(Verdict::Fail) {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(SOME_FAIL),
    })
}

fn print_result(
    report: &mut Report,
    case: &Case,
    result: &CaseResult,
    options: &CheckOptions,
) -> Result<(), CliError> {
    let object =
        options.json.then(|| json::case(case, result, report.same_as(result), options.show));
    let text = report.add(case, result);
    print(&object.unwrap_or(text))
}

/// The lessons that were played so far, for those that need them.
struct PlayedLessons<'a> {
    target: &'a CheckTarget,
    played: BTreeMap<usize, LessonOutcome>,
}

/// The number of the lesson about a path that does not exist.
fn no_such_path() -> usize {
    course::find(NO_SUCH_PATH).and_then(Result::ok).unwrap_or_default()
}

/// How a lesson went.
#[derive(Clone, Copy)]
struct LessonOutcome {
    is_failed: bool,
    /// The status of the first response.
    status: Option<u16>,
}

impl LessonOutcome {
    fn of(played: &PlayedCase) -> LessonOutcome {
        let response = played.crossed.iter().find(|crossed| crossed.from == Side::Server);
        // In a status line, the status follows `HTTP/1.1 `.
        let status =
            response.and_then(|it| str::from_utf8(it.bytes.get(9..12)?).ok()?.parse().ok());
        LessonOutcome { is_failed: matches!(played.outcome, CheckOutcome::Failed { .. }), status }
    }
}

impl PlayedLessons<'_> {
    /// The lesson that a lesson needs, if the server fails it.
    fn failed_need(&mut self, case: &Case) -> Option<usize> {
        let needed = case.needs.filter(|_| case.lesson.is_some())?;
        self.outcome(needed)?.is_failed.then_some(needed)
    }

    /// The result of a case that was played. A lesson that fails is skipped if its paths are the
    /// cause: the server has a page for every path, or refuses every path, and so breaks no rule.
    fn result(&mut self, case: &Case, played: PlayedCase) -> CaseResult {
        let CheckOutcome::Failed { difference, connection, is_silent } = played.outcome else {
            return CaseResult::from(played);
        };
        let status = case.lesson.and_then(|_| self.status_of_every_path());
        let cause = status.filter(|&it| is_refusal(it)).map(|status| format!("status {status}"));
        let known = difference.cause.as_ref().map(Cause::as_str);
        let is_cause = cause.is_some() && known == cause.as_deref();
        // 400 alone is demanded: the request is malformed, whatever its path is.
        let is_about_path = case.is_about_site || (is_cause && difference.expected != "status 400");
        let difference = match (status, cause) {
            (Some(200..300), _) if case.is_about_site => {
                return CaseResult::with_page_for_every_path(no_such_path());
            }
            (Some(status), Some(_)) if is_about_path => {
                return CaseResult::with_status_for_every_path(status);
            }
            (_, Some(cause)) if is_cause => difference.because(cause),
            _ => difference,
        };
        let outcome = CheckOutcome::Failed { difference, connection, is_silent };
        CaseResult::from(PlayedCase { outcome, ..played })
    }

    /// The status of a path that does not exist, if it does not say so: each path gets it, then.
    /// One with a catch-all route has the pages of the lesson site, too, but not what they do.
    fn status_of_every_path(&mut self) -> Option<u16> {
        self.outcome(no_such_path()).filter(|it| it.is_failed)?.status
    }

    /// How this lesson went. It is played now if it was not played before.
    fn outcome(&mut self, number: usize) -> Option<LessonOutcome> {
        if let Some(&outcome) = self.played.get(&number) {
            return Some(outcome);
        }
        let lesson = lesson(number, address::host(&self.target.authority)).ok()?;
        let outcome = LessonOutcome::of(&check::play_and_keep(&lesson, self.target));
        self.played.insert(number, outcome);
        Some(outcome)
    }
}

/// Whether a server may give this status to every path: it asks for credentials, forbids all,
/// limits its clients, is not the one that is meant, or fails.
fn is_refusal(status: u16) -> bool {
    matches!(status, 401 | 403 | 407 | 421 | 429 | 451 | 500..600)
}

/// Returns the list of lessons, a line each below their group: number, title, and whether it is about
/// our site only, or only read.
fn list() -> String {
    let about = |number, lesson: &Lesson| match lesson.case(number, course::SITE_HOST) {
        Ok(Some(case)) if case.is_about_site => "  (this site)",
        Ok(None) => "  (learn only)",
        _ => "",
    };
    course::contents(|_, _| "", |number, lesson| about(number, lesson).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lesson_is_a_case_and_is_listed() {
        let cases = read_cases(&[], "h").expect("lessons");
        let listed = list();
        for (number, lesson) in course::lessons() {
            let line = format!("\n{number:02}  {}", lesson.notes().title);
            assert!(listed.contains(&line), "{line}");
        }
        for case in &cases {
            let number = case.lesson.expect("a number");
            assert!(case.name.starts_with(&format!("{}-", case.label())), "{}", case.name);
            let found =
                read_cases(&[number.to_string().into()], "h").expect("a lesson by its number");
            assert_eq!(found[0].name, case.name);
        }
        let error = read_cases(&["no-such-file".into()], "h").expect_err("no file");
        assert!(error.starts_with("cannot read no-such-file: "), "{error}");
        let error = read_cases(&["0".into()], "h").expect_err("no lesson");
        assert_eq!(error, format!("there is no lesson 0: lessons are 1 to {}", course::count()));
    }
}

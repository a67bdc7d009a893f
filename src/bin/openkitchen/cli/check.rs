//! `openkitchen check ADDR [FILE...]`: the client's side of transcripts, played against any server,
//! and what it answered, judged. Without a file: the built-in lessons, for whoever builds a server.
//!
//! ```text
//! case     a transcript with its title, its clause, and the sentence that says what to do next
//! lessons  those that are built in
//! play     the client's side: what is sent, what is waited for, what must be true
//! line     one connection
//! bytes    exact bytes, two of which may differ: those of a Date, and those that were left out
//! fault    where the two differ, for people to see
//! report   said to a person, or to a machine
//! ```
//! Each case has a connection of its own. The bytes are sent as the file has them: a `Host` that
//! names another address stays, as most servers do not mind and some lessons are about it. Where a
//! file holds assertions, they alone judge; where it holds none, the bytes do.
//!
//! It ends in bounded time, whatever the server does: no wait is longer than `--timeout` and what the
//! page says, and after [`SILENCES`] cases without one byte the others are not tried.

mod case;
mod lessons;
mod play;
mod raw_client;
mod expected;
mod difference;
mod report;

use std::env;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::flags::{self, Flag, ParsedArgs, SECONDS, time};
use super::{CliError, address, script, trace};
use case::Case;
use play::{CheckOutcome, CheckTarget};
use report::{Report, Verdict};

/// Cases in a row that brought not one byte, after which the others are not tried.
const SILENCES: usize = 3;

/// Exit codes beside 0 (all pass) and 2 (something cannot be used).
const SOME_FAIL: u8 = 1;
const NO_CONNECTION: u8 = 3;

/// What was asked for.
#[derive(Debug, PartialEq)]
struct CheckOptions {
    timeout: Duration,
    json: bool,
    list: bool,
}

impl Default for CheckOptions {
    fn default() -> CheckOptions {
        CheckOptions { timeout: Duration::from_secs(2), json: false, list: false }
    }
}

#[rustfmt::skip]
const FLAGS: [Flag<CheckOptions>; 3] = [
    Flag { name: "timeout", value: "S", help: "seconds to wait, beyond what the page says it takes [2]",
        apply: |options, value| { options.timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
    Flag { name: "json", value: "", help: "say it to a machine: an object a line, the count last",
        apply: |options, _| { options.json = true; Ok(()) } },
    Flag { name: "list", value: "", help: "list the built-in lessons and do nothing else",
        apply: |options, _| { options.list = true; Ok(()) } },
];

/// Does what the command line asks for. The exit code is 0 where all pass, 1 where some fail, 2 where
/// a file is no transcript that can be played, 3 where nobody can be reached at the address.
///
/// # Errors
/// A command line that cannot be meant.
pub fn command(arguments: &[String]) -> Result<ExitCode, CliError> {
    let mut options = CheckOptions::default();
    let variable = |name: &str| env::var(name).ok();
    let others = match flags::parse(&FLAGS, arguments, variable, &mut options)? {
        ParsedArgs::Help => return Ok(say(&help())),
        ParsedArgs::Version => {
            return Ok(say(concat!("openkitchen ", env!("CARGO_PKG_VERSION"), "\n")));
        }
        ParsedArgs::Do(_) if options.list => return Ok(say(&list())),
        ParsedArgs::Do(others) => others,
    };
    let Some((address, files)) = others.split_first() else {
        return Err(CliError::Usage("check needs the address of a server: check 5000".to_owned()));
    };
    let said = address::authority(address)?;
    let cases = read_cases(files).map_err(CliError::Unusable)?;
    match address::find(&said) {
        Ok(addresses) => {
            let door = CheckTarget { said, addresses, timeout: options.timeout };
            Ok(check(&cases, &door, &options))
        }
        Err(why) => Ok(no_connection(&said, &why)),
    }
}

/// The cases of these files, or all lessons. A name that is no file may be a lesson's, or its number.
fn read_cases(files: &[String]) -> Result<Vec<Case>, String> {
    if files.is_empty() {
        return lessons::all();
    }
    let read = |file: &String| match (script::text(file), lessons::find(file)) {
        (Ok(text), _) => Case::read(file, &text),
        (Err(_), Some(lesson)) if !Path::new(file).exists() => lesson,
        (Err(why), _) => Err(why),
    };
    files.iter().map(read).collect()
}

fn check(cases: &[Case], door: &CheckTarget, options: &CheckOptions) -> ExitCode {
    let stdout = io::stdout();
    let no_color = env::var_os("NO_COLOR");
    let colour = trace::wants_colour(stdout.is_terminal(), no_color.as_deref());
    let mut report = Report::new(&door.said, cases, options.json, colour);
    let (mut silences, mut is_first) = (0, true);
    for case in cases {
        let outcome = play::play(case, door);
        if let (CheckOutcome::Unreachable(why), true) = (&outcome, is_first) {
            return no_connection(&door.said, why);
        }
        is_first = false;
        silences = if matches!(outcome, CheckOutcome::Failed { is_silent: true, .. }) {
            silences + 1
        } else {
            0
        };
        let is_gone = matches!(outcome, CheckOutcome::Unreachable(_));
        print(&report.tell(case, outcome));
        if is_gone || silences == SILENCES {
            break;
        }
    }
    let is_silent = silences == SILENCES;
    print(&report.finish(cases.len(), is_silent));
    if report.count(Verdict::Fail) == 0 { ExitCode::SUCCESS } else { ExitCode::from(SOME_FAIL) }
}

fn no_connection(address: &str, why: &str) -> ExitCode {
    eprintln!(
        "openkitchen: {address} cannot be reached: {why}; start the server, then check it again"
    );
    ExitCode::from(NO_CONNECTION)
}

fn help() -> String {
    format!(
        "openkitchen check ADDR [FILE...]: play transcripts against any server, and judge\n\n\
         ADDR is host:port, a port alone, or http://host:port/. Without a FILE the\n\
         built-in lessons are played, in order; a lesson's number is a FILE, too. The\n\
         assertions below ??? judge, or, where a file has none, the exact bytes.\n\n\
         {}\n\
         With --json the keys of each case are: case, title, clause, verdict (pass,\n\
         fail, skip), sent, expected, got, byte and column of the first byte that\n\
         differs, and next, what to do where it fails; null where there is nothing to\n\
         say. The last line counts: cases, pass, fail, skip, not_tried.\n\
         Exit code: 0 all pass, 1 some fail, 2 the command line or a file is wrong,\n\
         3 nobody can be reached. Each flag is also a variable: --timeout is\n\
         OPENKITCHEN_TIMEOUT.\n",
        flags::help(&FLAGS)
    )
}

/// A lesson a line: its number, its title, and whether it is about our site alone.
fn list() -> String {
    let line = |case: &Case| {
        let mark = if case.is_about_site { "  (this site)" } else { "" };
        format!("{}  {}{mark}\n", case.label(), case.title)
    };
    lessons::all().unwrap_or_default().iter().map(line).collect()
}

fn say(text: &str) -> ExitCode {
    print(text);
    ExitCode::SUCCESS
}

/// Prints to stdout at once. Whoever has closed it does not want to be told.
fn print(text: &str) {
    let mut stdout = io::stdout();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lesson_can_be_read_and_is_listed() {
        let cases = read_cases(&[]).expect("lessons");
        assert_eq!(list().lines().count(), cases.len());
        for (number, case) in (1..).zip(&cases) {
            assert!(case.name.starts_with(&format!("{}-", case.label())), "{}", case.name);
            assert_eq!(case.lesson, Some(number));
            let found = read_cases(&[number.to_string()]).expect("a lesson by its number");
            assert_eq!(found[0].name, case.name);
        }
        let error = read_cases(&["no-such-file".to_owned()]).expect_err("no file");
        assert!(error.starts_with("cannot read no-such-file: "), "{error}");
    }
}

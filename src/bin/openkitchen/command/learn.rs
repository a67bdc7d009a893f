//! # `openkitchen learn`: the course, in the terminal
//!
//! A lesson says what it is about and shows a request. The reader predicts the answer; the request
//! is sent, and the answer explained. Then the request is broken, two or three times.
//!
//! ```text
//! learn             goes on where the reader was
//! learn 7           opens one lesson
//! learn --print     prints all of it as a text, and asks nothing
//! ```
//! The lessons are data: see `site/course.rs`.

mod exchange;
mod lesson;
mod progress;
mod screen;
mod server;

use std::ffi::OsString;
use std::io;
use std::process::{self, ExitCode};
use std::time::Duration;

use openkitchen::sys;
use openkitchen::transcript::glossary;
use openkitchen::transcript::nearest::nearest;

use self::lesson::{LessonReader, Teacher};
use self::progress::CourseProgress;
use self::screen::LessonScreen;
use self::server::LessonServer;
use super::flags::{CommandLine, Flag, SECONDS, time};
use super::{CliError, exit_code, print};
use crate::site::{course, likes};

/// Numbers up to this one are those of lessons; a larger one is a port.
const MAX_LESSON_DIGITS: usize = 3;

/// The options of `learn`.
#[derive(Debug, PartialEq)]
struct LearnOptions {
    list: bool,
    print: bool,
    timeout: Duration,
}

impl Default for LearnOptions {
    fn default() -> LearnOptions {
        LearnOptions { list: false, print: false, timeout: Duration::from_secs(2) }
    }
}

#[rustfmt::skip]
const FLAGS: [Flag<LearnOptions>; 3] = [
    Flag { name: "list", value: "", help: "list the lessons, and which of them are done",
        apply: |options, _| { options.list = true; Ok(()) } },
    Flag { name: "print", value: "", help: "print all lessons, or one, with the true answers",
        apply: |options, _| { options.print = true; Ok(()) } },
    Flag { name: "timeout", value: "S", help: "seconds to wait for a server [2]",
        apply: |options, value| { options.timeout = time(value).ok_or(SECONDS)?; Ok(()) } },
];

const COMMAND_LINE: CommandLine<LearnOptions> = CommandLine {
    usage: "openkitchen learn: HTTP in short lessons, with a real server\n\n\
        openkitchen learn [ADDR]         go on where you were, or begin\n\
        openkitchen learn LESSON [ADDR]  open one, by its number or a word of its name\n\
        openkitchen learn words [WORD]   say what the words of HTTP mean\n\n\
        A lesson says what it is about, shows a request and asks what you expect. Then\n\
        it sends the request, explains the answer, and breaks the request in two or\n\
        three ways. Without ADDR, the lesson site answers: the one that runs at port\n\
        5000, or else one inside of this command. ADDR is another server, such as yours:\n\
        host:port, or a port alone from 1000 up.",
    flags: &FLAGS,
    notes: "At each question: a number answers it, Enter goes on, r shows the rule of the\n\
        RFC, e explains all of the last exchange, q ends. What you have done is kept in\n\
        ~/.local/state/openkitchen/learn, or below XDG_STATE_HOME.\n\
        Exit code: 0 the end, 1 stdout cannot be written, 2 the command line is wrong;\n\
        without a whole response: 3 no connection, or silence, 4 a close or a reset.\n\
        Each flag is also a variable: --timeout is OPENKITCHEN_TIMEOUT.",
};

/// The names of its flags.
pub fn flag_names() -> Vec<&'static str> {
    COMMAND_LINE.flag_names()
}

/// What the arguments besides flags name.
#[derive(Debug, Default, PartialEq)]
struct Named {
    lesson: Option<usize>,
    address: Option<OsString>,
}

/// Runs the command line.
///
/// # Errors
/// A sentence for the user.
pub fn command(arguments: &[OsString]) -> Result<ExitCode, CliError> {
    let Some((options, args)) = COMMAND_LINE.read(arguments, LearnOptions::default())? else {
        return Ok(ExitCode::SUCCESS);
    };
    if let [first, rest @ ..] = &args[..]
        && first == "words"
    {
        words(rest)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Named { lesson, address } = named(&args)?;
    let default = likes::default_path();
    let mut progress = CourseProgress::load(default.map(|likes| likes.with_file_name("learn")));
    if options.list {
        let mut screen = LessonScreen::on_stdout();
        progress.notice.iter().for_each(|notice| screen.paragraph(notice));
        screen.show();
        print(&progress.contents())?;
        return Ok(ExitCode::SUCCESS);
    }
    let server = LessonServer::of(address.as_deref(), options.timeout)?;
    let mut teacher = Teacher::new(&server, LessonScreen::on_stdout());
    if options.print {
        let all = lesson.map_or(1..=course::count(), |number| number..=number);
        teacher.print_all(all)?;
    } else {
        end_at_signal().map_err(|error| CliError::Failed(error.to_string()))?;
        teacher.teach(&mut progress, lesson, &mut LessonReader::stdin())?;
    }
    teacher.finish().map(exit_code)
}

/// Reads which lesson and which server the arguments name.
fn named(args: &[OsString]) -> Result<Named, CliError> {
    let mut named = Named::default();
    for arg in args {
        let typed = arg.to_string_lossy();
        let is_port =
            typed.len() > MAX_LESSON_DIGITS && typed.bytes().all(|it| it.is_ascii_digit());
        let found = if is_port { None } else { course::find(&typed) };
        match found {
            Some(number) if named.lesson.is_none() => {
                named.lesson = Some(number.map_err(|error| no_such_lesson(&error, &typed))?);
            }
            None if is_port || typed.contains([':', '.']) => {
                if named.address.replace(arg.clone()).is_some() {
                    let sentence = "learn asks one server: learn 7 127.0.0.1:5000";
                    return Err(CliError::Usage(sentence.into()));
                }
            }
            None if named.lesson.is_none() => named.lesson = Some(with_word(&typed)?),
            _ => return Err(CliError::Usage("learn opens one lesson: learn 7".into())),
        }
    }
    Ok(named)
}

/// Says that a number is not that of a lesson. It may be meant as a port; port 0 is none.
fn no_such_lesson(error: &str, typed: &str) -> CliError {
    CliError::Usage(match typed.parse() {
        Ok(0_u16) => error.to_owned(),
        _ => format!("{error}. A port of 3 digits or less is :{typed}"),
    })
}

/// Returns the number of the lesson that has this word in its name.
fn with_word(word: &str) -> Result<usize, CliError> {
    match &course::search(word)[..] {
        [] => Err(CliError::Usage(unknown(word))),
        [(number, _)] => Ok(*number),
        several => {
            let lessons =
                several.iter().map(|(number, it)| format!("{number} {}", it.short_name()));
            let lessons = lessons.collect::<Vec<_>>().join(", ");
            Err(CliError::Usage(format!("`{word}` could be one of several lessons: {lessons}")))
        }
    }
}

/// Says that a word names nothing, and which lesson has a name like it.
fn unknown(typed: &str) -> String {
    let names = course::lessons().map(|(_, lesson)| lesson.short_name());
    let hint = match nearest(typed, names) {
        _ if typed == "localhost" => "an address has a port: localhost:5000".to_owned(),
        Some(name) => format!("did you mean {name}?"),
        None => "learn --list lists the lessons, and an address has a port".to_owned(),
    };
    format!("`{typed}` is not a lesson; {hint}")
}

/// Prints the words of HTTP, or one of them, with their meanings.
fn words(args: &[OsString]) -> Result<(), CliError> {
    let wanted = match args {
        [] => None,
        [word] => Some(word.to_string_lossy()),
        _ => return Err(CliError::Usage("learn words takes one word".into())),
    };
    let mut screen = LessonScreen::on_stdout();
    let rows = wanted.as_deref().map_or_else(glossary::dictionary, glossary::look_up);
    for (word, clause, meaning) in &rows {
        let clause = if clause.is_empty() { String::new() } else { format!(" ({clause})") };
        screen.hanging(&format!("{word}: {meaning}{clause}"), "  ");
    }
    screen.show();
    screen.finish()?;
    match wanted {
        Some(word) if rows.is_empty() => {
            let hint = nearest(&word, glossary::dictionary().into_iter().map(|(word, ..)| word));
            let hint = hint.map_or_else(
                || "learn words lists them all".to_owned(),
                |known| format!("did you mean {known}?"),
            );
            Err(CliError::Usage(format!("`{word}` is not in the list of words; {hint}")))
        }
        _ => Ok(()),
    }
}

/// Ctrl-C and SIGTERM end the command with a sentence. Nothing is lost: progress is kept at each
/// lesson.
fn end_at_signal() -> io::Result<()> {
    sys::on_stop_signal(|signals| {
        signals.first();
        let _ = print(&format!("\n{}\n", lesson::GOODBYE)); // the process ends all the same
        process::exit(0);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Named, String> {
        let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        named(&args).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn an_argument_is_a_lesson_or_an_address() {
        let lesson = |number| Named { lesson: Some(number), address: None };
        for (line, expected) in [
            ("", Named::default()),
            ("1", lesson(1)),
            ("a-port-opens", lesson(1)),
            ("01-a-port-opens.wire", lesson(1)),
            ("etag", lesson(20)),
            ("5000", Named { lesson: None, address: Some("5000".into()) }),
            ("1 :80", Named { lesson: Some(1), address: Some(":80".into()) }),
            ("h.test:80 1", Named { lesson: Some(1), address: Some("h.test:80".into()) }),
        ] {
            assert_eq!(read(line), Ok(expected), "{line}");
        }
        for (line, error) in [
            ("999", "there is no lesson 999"),
            ("0", "there is no lesson 0: lessons are 1 to"),
            ("localhost", "an address has a port: localhost:5000"),
            ("1:80 1:81", "one server"),
            ("5000 5001", "one server"),
            ("a-port-open", "did you mean a-port-opens?"),
            ("far-fetched", "learn --list"),
            ("chunk", "18 chunks, 40 a-length-and-chunks, 41 a-bad-chunk-size"),
            ("length", "16 a-length-too-small, 17 a-length-too-large"),
            ("1 etag", "one lesson"),
            ("1 2", "one lesson"),
        ] {
            let said = read(line).expect_err(line);
            assert!(said.contains(error), "{line}: {said}");
        }
        assert!(read("999").expect_err("none").contains("3 digits or less is :999"));
        assert!(!read("0").expect_err("none").contains(":0"), "no server has port 0");
    }
}

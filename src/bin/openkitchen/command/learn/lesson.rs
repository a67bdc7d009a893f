//! Teaches a lesson: step by step with a reader, or as a text.

use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::ops::RangeInclusive;

use openkitchen::play::check::{self, Case, CheckOutcome, PlayedCase};
use openkitchen::play::send::SendOutcome;
use openkitchen::transcript::Transcript;

use super::exchange::{self, Explained, Topic};
use super::progress::CourseProgress;
use super::screen::{LessonScreen, is_of_client};
use super::server::LessonServer;
use crate::command::{CliError, address};
use crate::site::course::{self, Lesson, Notes};

/// What is said at the end of a session.
pub const GOODBYE: &str = "To go on: openkitchen learn";

/// How bytes are shown.
const LEGEND: [(&str, &str); 8] = [
    (">>>         ", "bytes that are sent; +0.2 ms is the time since those before them"),
    ("<<<         ", "bytes that come back"),
    ("---         ", "what happens besides: a connection opens, a side waits or closes"),
    ("@2          ", "the second connection; without it, the first"),
    ("\\n          ", "the line ends in LF alone; a line without this, in CR LF"),
    ("\\           ", "no line end: the bytes end here, or go on in the next line"),
    ("\\{99 bytes} ", "so many bytes are left out; \\xe9 is one byte, in hex"),
    ("#           ", "explains what the lesson is about, each thing once (e: all)"),
];

/// The keys at a question that goes on with Enter.
const KEYS: &str = "Enter goes on, r shows the rule, e explains all that is shown, q ends.";

/// The other keys, where they are first named.
const KEYS_IN_SHORT: &str = "r: the rule, e: explain all, q: end";

/// The question before a request is sent.
const SEND: &str = "Enter sends it (r, e, q):";

/// Bytes of a line that the reader types, at most.
const MAX_TYPED_BYTES: u64 = 256;

/// Reads what the reader types, line by line.
pub struct LessonReader {
    input: BufReader<io::Stdin>,
    is_terminal: bool,
}

/// What the reader typed at a question.
#[derive(Debug, PartialEq)]
enum Typed {
    /// Enter.
    Enter,
    /// A number.
    Number(usize),
    /// `r`: the rule.
    Rule,
    /// `e`: all explanations of what is shown.
    Explain,
    /// `q`, or the end of the input.
    Quit,
    /// Something else.
    Other,
}

impl LessonReader {
    /// Reads stdin.
    pub fn stdin() -> LessonReader {
        LessonReader { input: BufReader::new(io::stdin()), is_terminal: io::stdin().is_terminal() }
    }

    fn line(&mut self, screen: &mut LessonScreen) -> Typed {
        let mut line = Vec::new();
        let read = self.input.by_ref().take(MAX_TYPED_BYTES).read_until(b'\n', &mut line);
        let is_over = !matches!(read, Ok(1..));
        // A terminal shows the Enter that was typed; of a pipe, nothing is shown.
        if !self.is_terminal || is_over {
            screen.gap();
        }
        if is_over { Typed::Quit } else { typed(&line) }
    }
}

fn typed(line: &[u8]) -> Typed {
    let text = String::from_utf8_lossy(line);
    match text.trim() {
        "" => Typed::Enter,
        "q" | "quit" | "exit" => Typed::Quit,
        "r" => Typed::Rule,
        "e" => Typed::Explain,
        text => text.parse().map_or(Typed::Other, Typed::Number),
    }
}

/// How the reader left a lesson.
#[derive(Clone, Copy, PartialEq)]
enum Left {
    /// At its end.
    Done,
    /// Before.
    Quit,
}

/// Teaches with a server, on a screen.
pub struct Teacher<'a> {
    server: &'a LessonServer,
    screen: LessonScreen,
    explained: Explained,
    /// What was shown last: a request, or all that crossed.
    shown: Transcript,
    /// What the server did so far: `Answered` if it has answered once, or else what it did last.
    /// `None` if nothing was sent.
    outcome: Option<SendOutcome>,
}

impl<'a> Teacher<'a> {
    /// A teacher who has explained nothing yet.
    pub fn new(server: &'a LessonServer, screen: LessonScreen) -> Teacher<'a> {
        let (explained, shown) = (Explained::default(), Transcript::default());
        Teacher { server, screen, explained, shown, outcome: None }
    }

    /// What the server did: one answer is enough. That none was asked for is well, too.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub fn finish(self) -> Result<SendOutcome, CliError> {
        self.screen.finish()?;
        Ok(self.outcome.unwrap_or(SendOutcome::Answered))
    }

    /// Teaches lesson after lesson, from this one or where the reader was.
    ///
    /// # Errors
    /// There is no connection to the server.
    pub fn teach(
        &mut self,
        progress: &mut CourseProgress,
        first: Option<usize>,
        reader: &mut LessonReader,
    ) -> Result<(), CliError> {
        let Some(mut number) = first.or_else(|| progress.next()) else {
            self.screen.paragraph(&format!(
                "All {} lessons are done. learn --list lists them, and learn 7 opens one again.",
                course::count()
            ));
            self.screen.show();
            return Ok(());
        };
        self.begin();
        loop {
            progress.open(number);
            if let Some(notice) = progress.notice.take() {
                self.screen.paragraph(&notice);
            }
            let lesson = course::with_number(number).map_err(CliError::Usage)?;
            self.explained = Explained::default();
            if !progress.is_done(lesson) {
                self.explained.know(progress.told());
            }
            let left = self.lesson(number, lesson, progress, reader)?;
            let next = match left {
                Left::Done => progress.finish(number, self.explained.keys()),
                Left::Quit => None,
            };
            match next {
                Some(next) if self.goes_on(next, lesson, reader) => number = next,
                Some(_) => break,
                None if left == Left::Done => {
                    let all = course::count();
                    self.screen.paragraph(&format!("That was the last one: all {all} are done."));
                    self.screen.show();
                    return Ok(());
                }
                None => break,
            }
        }
        self.screen.line(GOODBYE);
        self.screen.show();
        Ok(())
    }

    /// Says which server answers, and how bytes are shown.
    fn begin(&mut self) {
        self.screen.paragraph(&self.server.sentence);
        for (sign, meaning) in LEGEND {
            self.screen.labelled(sign, meaning);
        }
        self.screen.gap();
    }

    /// Asks whether to go on with the next lesson.
    fn goes_on(&mut self, next: usize, lesson: &Lesson, reader: &mut LessonReader) -> bool {
        let title = course::with_number(next).map(|it| it.notes().title).unwrap_or_default();
        self.screen.hanging(&format!("Next: {next}, {title}"), "  ");
        let prompt = "Enter goes on (r, e, q):";
        let typed = self.ask(prompt, KEYS, &lesson.notes(), reader, |it| *it == Typed::Enter);
        self.screen.gap();
        typed != Typed::Quit
    }

    /// Asks until the reader types something that `is_answer`, or `q`, which is also the answer if
    /// stdout is closed, so the question cannot be read. `r` shows the rule of the
    /// lesson, and `e` all explanations of what is shown. After anything else, it says which `keys`
    /// there are.
    fn ask(
        &mut self,
        prompt: &str,
        keys: &str,
        notes: &Notes,
        reader: &mut LessonReader,
        is_answer: impl Fn(&Typed) -> bool,
    ) -> Typed {
        loop {
            self.screen.prompt(prompt);
            if !self.screen.show() {
                return Typed::Quit;
            }
            match reader.line(&mut self.screen) {
                Typed::Rule => self.screen.paragraph(&notes.clause),
                Typed::Explain => self.explain_all(),
                typed if typed == Typed::Quit || is_answer(&typed) => return typed,
                _ => self.screen.paragraph(keys),
            }
        }
    }

    /// Shows again what was shown last, with all explanations.
    fn explain_all(&mut self) {
        if self.shown.items.is_empty() {
            self.screen.paragraph("Nothing is sent here, so there is nothing to explain.");
            return;
        }
        exchange::print_all(&self.shown, &mut self.screen);
        self.screen.gap();
    }

    fn lesson(
        &mut self,
        number: usize,
        lesson: &Lesson,
        progress: &CourseProgress,
        reader: &mut LessonReader,
    ) -> Result<Left, CliError> {
        let notes = lesson.notes();
        let done = progress.count_done();
        self.opening(number, &notes, &format!(" ({done} done)"));
        self.shown = Transcript::default();
        let case = self.case(number, lesson)?;
        if let Some(case) = &case {
            self.request(case);
        }
        let predicted = match notes.predict.is_empty() {
            true => None,
            false => {
                self.question(&notes);
                let answers = notes.answers.len();
                let prompt = format!("Your answer, 1 to {answers}, or Enter ({KEYS_IN_SHORT}):");
                let keys = format!("A number from 1 to {answers} answers. {KEYS}");
                let is_answer = |typed: &Typed| match typed {
                    Typed::Number(number) => (1..=answers).contains(number),
                    typed => *typed == Typed::Enter,
                };
                match self.ask(&prompt, &keys, &notes, reader, is_answer) {
                    Typed::Quit => return Ok(Left::Quit),
                    Typed::Number(number) => Some(number),
                    _ => None,
                }
            }
        };
        if notes.predict.is_empty() && case.is_some() {
            let is_enter = |typed: &Typed| *typed == Typed::Enter;
            if self.ask(SEND, KEYS, &notes, reader, is_enter) == Typed::Quit {
                return Ok(Left::Quit);
            }
        }
        self.screen.gap();
        if let Some(case) = &case {
            self.answer(case, &Topic::of(&[&notes]))?;
        }
        self.verdict(&notes, predicted);
        for (broken, case) in self.breaks(lesson)? {
            self.broken(&broken, &case);
            let is_enter = |typed: &Typed| *typed == Typed::Enter;
            if self.ask(SEND, KEYS, &notes, reader, is_enter) == Typed::Quit {
                return Ok(Left::Quit);
            }
            self.screen.gap();
            self.answer(&case, &Topic::of(&[&notes, &broken]))?;
        }
        self.keep(&notes);
        Ok(Left::Done)
    }

    /// Prints these lessons as a text, with the true answers.
    ///
    /// # Errors
    /// There is no connection to the server.
    pub fn print_all(&mut self, numbers: RangeInclusive<usize>) -> Result<(), CliError> {
        self.begin();
        for number in numbers {
            let lesson = course::with_number(number).map_err(CliError::Usage)?;
            let notes = lesson.notes();
            self.opening(number, &notes, "");
            let case = self.case(number, lesson)?;
            if let Some(case) = &case {
                self.request(case);
            }
            if !notes.predict.is_empty() {
                self.question(&notes);
                self.screen.gap();
            }
            if let Some(case) = &case {
                self.answer(case, &Topic::of(&[&notes]))?;
            }
            self.verdict(&notes, None);
            for (broken, case) in self.breaks(lesson)? {
                self.broken(&broken, &case);
                self.answer(&case, &Topic::of(&[&notes, &broken]))?;
            }
            self.keep(&notes);
            self.screen.hanging(&format!("Rule: {}", notes.clause), "  ");
            self.screen.gap();
            self.screen.gap();
            if !self.screen.show() {
                break;
            }
        }
        Ok(())
    }

    /// The address of the server in the field Host.
    fn host(&self) -> &str {
        address::host(&self.server.target.authority)
    }

    fn case(&self, number: usize, lesson: &Lesson) -> Result<Option<Case>, CliError> {
        lesson.case(number, self.host()).map_err(CliError::Unusable)
    }

    fn breaks(&self, lesson: &Lesson) -> Result<Vec<(Notes, Case)>, CliError> {
        lesson.breaks(self.host()).map_err(CliError::Unusable)
    }

    fn opening(&mut self, number: usize, notes: &Notes, after: &str) {
        let group = course::group_of(number).title;
        self.screen
            .hanging(&format!("Lesson {number} of {}: {group}{after}", course::count()), "  ");
        self.screen.heading(&notes.title);
        self.screen.gap();
        notes.about.iter().for_each(|text| self.screen.paragraph(text));
    }

    /// Prints what the client of the case does.
    fn request(&mut self, case: &Case) {
        let items = case.items.iter().filter(|item| is_of_client(item)).cloned();
        self.shown = Transcript { items: items.collect() };
        self.shown.items.iter().for_each(|item| self.screen.item(item));
        if !self.shown.items.is_empty() {
            self.screen.separate();
        }
    }

    fn question(&mut self, notes: &Notes) {
        self.screen.heading(&format!("Predict: {}", notes.predict));
        for (number, (text, _)) in (1..).zip(&notes.answers) {
            self.screen.labelled(&format!("  {number}  "), text);
        }
    }

    /// Sends the requests of a case, and prints what crossed, with explanations for this topic.
    fn answer(&mut self, case: &Case, topic: &Topic) -> Result<(), CliError> {
        let target = &self.server.target;
        let played = check::play_to_show(case, target);
        if let CheckOutcome::Unreachable(why) = &played.outcome {
            self.screen.show();
            return Err(address::no_connection(&target.authority, why));
        }
        if self.outcome != Some(SendOutcome::Answered) {
            self.outcome = outcome(&played).or(self.outcome);
        }
        self.shown = played.transcript();
        exchange::print(&self.shown, topic, &mut self.explained, &mut self.screen);
        match self.shown.items.iter().all(is_of_client) {
            true => self.screen.paragraph("Nothing comes back."),
            false => self.screen.separate(),
        }
        self.difference(case, &played);
        Ok(())
    }

    /// Says what the server did otherwise than the case says.
    fn difference(&mut self, case: &Case, played: &PlayedCase) {
        match &played.outcome {
            CheckOutcome::Failed { difference, .. } => {
                let check::Difference { expected, got, .. } = difference;
                let expected = in_words(expected);
                self.screen.paragraph(&format!(
                    "This server does something else than the lesson says. Expected: {expected}. \
                     Received: {got}."
                ));
                if !case.next.is_empty() {
                    self.screen.paragraph(&case.next);
                }
            }
            CheckOutcome::Skipped(status) => self.screen.paragraph(&format!(
                "The lesson is about the lesson site, and this server answers {status} there. \
                 Without an address, learn asks the site."
            )),
            CheckOutcome::NotFollowed(what) => {
                self.screen.paragraph(&format!("The server sent more than is shown here: {what}."));
            }
            CheckOutcome::Passed | CheckOutcome::NothingToJudge | CheckOutcome::Unreachable(_) => {}
        }
    }

    /// Compares the prediction with the right answer, and says why it is right.
    fn verdict(&mut self, notes: &Notes, predicted: Option<usize>) {
        let Some((right, text)) = notes.right() else { return };
        let verdict = match predicted {
            Some(number) if number == right => format!("You said {number}, and so it is: {text}"),
            Some(number) => format!("You said {number}. It is {right}: {text}"),
            None => format!("It is {right}: {text}"),
        };
        self.screen.heading(&verdict);
        self.screen.paragraph(&notes.because);
    }

    fn broken(&mut self, notes: &Notes, case: &Case) {
        self.screen.heading(&format!("Break it: {}", notes.title));
        notes.about.iter().for_each(|text| self.screen.paragraph(text));
        self.request(case);
    }

    fn keep(&mut self, notes: &Notes) {
        if !notes.keep.is_empty() {
            self.screen.heading(&format!("Keep: {}", notes.keep));
            self.screen.gap();
        }
    }
}

/// What the server did with the requests of a case. If it is about silence, nothing is known from it;
/// and it may be about an answer that is cut short.
fn outcome(played: &PlayedCase) -> Option<SendOutcome> {
    match (&played.outcome, played.answer) {
        (CheckOutcome::Passed, Some(SendOutcome::Silent)) => None,
        (CheckOutcome::Passed | CheckOutcome::NotFollowed(_), Some(_)) => {
            Some(SendOutcome::Answered)
        }
        (_, answer) => answer,
    }
}

/// What a lesson expects, for a learner who does not know the assertions of a transcript:
/// `an answer with status 400` is `status 400` there.
fn in_words(expected: &str) -> String {
    let numbered = expected.split_once(": ").filter(|(nth, _)| nth.parse::<u32>().is_ok());
    let (answer, fact) = match numbered {
        Some((nth, fact)) => (format!("answer {nth}"), fact),
        None => ("an answer".to_owned(), expected),
    };
    match fact.split_once(' ').unwrap_or((fact, "")) {
        ("closed", "") => "the server closes the connection".to_owned(),
        ("open", _) => "the connection stays open".to_owned(),
        ("status", allowed) => {
            let allowed: Vec<&str> = allowed.split('|').collect();
            if ["2xx", "3xx", "4xx", "5xx"].iter().all(|class| allowed.contains(class)) {
                return format!("{answer}, with any status");
            }
            let class =
                allowed.iter().find_map(|status| Some((status, status.strip_suffix("xx")?)));
            let meaning = class.map(|(class, digit)| format!(" ({class}: it begins with {digit})"));
            let listed = match &allowed[..] {
                [all @ .., last] if !all.is_empty() => format!("{} or {last}", all.join(", ")),
                all => all.concat(),
            };
            format!("{answer} with status {listed}{}", meaning.unwrap_or_default())
        }
        _ => expected.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn what_a_lesson_expects_is_said_in_words() {
        for (expected, words) in [
            ("status 400", "an answer with status 400"),
            ("status 2xx|3xx|4xx|5xx", "an answer, with any status"),
            ("2: status 301|302", "answer 2 with status 301 or 302"),
            ("status 2xx|3xx|404", "an answer with status 2xx, 3xx or 404 (2xx: it begins with 2)"),
            ("closed", "the server closes the connection"),
            ("open 300ms", "the connection stays open"),
            ("field Allow contains GET", "field Allow contains GET"),
        ] {
            assert_eq!(in_words(expected), words);
        }
    }
}

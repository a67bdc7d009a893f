//! Which lessons are done, and which one is next: a small file in the state folder.
//!
//! ```text
//! openkitchen learn 1
//! at no-host
//! done a-port-opens
//! told 9f3ac20b77d51e04
//! ```
//! A line with `told` is the number of an explanation that a lesson has shown. The file has the names
//! of lessons, because numbers change. It is written whole, under another name first, so a reader never
//! sees half of it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use openkitchen::sys;

use super::exchange::MAX_EXPLAINED;
use crate::site::course::{self, Lesson};

/// The first line of the file.
const HEADER: &str = "openkitchen learn 1";

/// Bytes of the file that are read at most.
const MAX_BYTES: u64 = 64 * 1024;

/// What the reader has done.
#[derive(Debug, Default, PartialEq)]
pub struct CourseProgress {
    /// The file; `None` if there is no folder for it, or it cannot be written.
    path: Option<PathBuf>,
    /// The name of the lesson that is next.
    at: Option<String>,
    /// The names of the lessons that are done.
    done: BTreeSet<String>,
    /// The explanations that the lessons done have shown, as numbers.
    told: Vec<u64>,
    /// What the reader should know about the file, in a sentence.
    pub notice: Option<String>,
}

impl CourseProgress {
    /// Reads the file. If it is damaged, the course begins anew.
    pub fn load(path: Option<PathBuf>) -> CourseProgress {
        let Some(path) = path else {
            let why = "neither XDG_STATE_HOME nor HOME is an absolute path";
            let notice = Some(format!("What you have done is not kept: {why}."));
            return CourseProgress { notice, ..CourseProgress::default() };
        };
        let path = match kept_at(&path) {
            Ok(path) => path,
            Err(error) => {
                return CourseProgress {
                    notice: Some(not_kept(&path, &error)),
                    ..CourseProgress::default()
                };
            }
        };
        let damaged = |why: &str| {
            let name = path.display();
            format!("{name} cannot be used ({why}), so the course begins anew.")
        };
        let (read, notice) = match read(&path) {
            Ok(Some(text)) => match parse(&text) {
                Some(read) => (read, None),
                None => (CourseProgress::default(), Some(damaged("it is damaged"))),
            },
            Ok(None) => (CourseProgress::default(), Some(damaged("it is damaged"))),
            Err(error) if error.kind() == ErrorKind::NotFound => (CourseProgress::default(), None),
            Err(error) => (CourseProgress::default(), Some(damaged(&error.to_string()))),
        };
        CourseProgress { path: Some(path), notice, ..read }
    }

    /// The number of the lesson to go on with; `None` if all are done.
    pub fn next(&self) -> Option<usize> {
        let at = self.at.as_ref().and_then(|name| course::find(name)?.ok());
        at.or_else(|| self.first_undone(0))
    }

    /// Whether this lesson is done.
    pub fn is_done(&self, lesson: &Lesson) -> bool {
        self.done.contains(lesson.short_name())
    }

    /// How many lessons are done.
    pub fn count_done(&self) -> usize {
        course::lessons().filter(|(_, lesson)| self.is_done(lesson)).count()
    }

    /// Notes that the reader opens this lesson, and keeps it.
    pub fn open(&mut self, number: usize) {
        self.at = course::with_number(number).ok().map(|lesson| lesson.short_name().to_owned());
        self.save();
    }

    /// The explanations that the lessons done have shown.
    pub fn told(&self) -> impl Iterator<Item = u64> + '_ {
        self.told.iter().copied()
    }

    /// Notes that this lesson is done and what it has explained, and keeps it. Returns the number of
    /// the next one that is not: the first after it, or else the first of all.
    pub fn finish(&mut self, number: usize, told: impl Iterator<Item = u64>) -> Option<usize> {
        let room = MAX_EXPLAINED.saturating_sub(self.told.len());
        let new: Vec<u64> = told.filter(|key| !self.told.contains(key)).take(room).collect();
        self.told.extend(new);
        if let Ok(lesson) = course::with_number(number) {
            self.done.insert(lesson.short_name().to_owned());
        }
        let next = self.first_undone(number);
        self.at =
            next.and_then(|next| course::with_number(next).ok()).map(|it| it.short_name().into());
        self.save();
        next
    }

    /// The first lesson after this number that is not done, or else the first of all.
    fn first_undone(&self, number: usize) -> Option<usize> {
        let undone = || course::lessons().filter(|(_, lesson)| !self.is_done(lesson));
        let after = undone().find(|(other, _)| *other > number);
        after.or_else(|| undone().next()).map(|(number, _)| number)
    }

    /// The contents of the course, with marks.
    pub fn contents(&self) -> String {
        let next = self.next();
        let mark = |number, lesson: &Lesson| match self.is_done(lesson) {
            true => "   done  ",
            false if next == Some(number) => "   next  ",
            false => "         ",
        };
        let name = |_, lesson: &Lesson| format!(" ({})", lesson.short_name());
        course::contents(mark, name)
            + "\nlearn 7 opens a lesson, and so does a name: learn no-host\n"
    }

    fn save(&mut self) {
        let Some(path) = &self.path else { return };
        if let Err(error) = write(path, &self.text()) {
            self.notice = Some(not_kept(path, &error));
            self.path = None;
        }
    }

    fn text(&self) -> String {
        let at = self.at.as_ref().map(|name| format!("at {name}\n")).unwrap_or_default();
        let done: String = self.done.iter().map(|name| format!("done {name}\n")).collect();
        let told: String = self.told.iter().map(|key| format!("told {key:016x}\n")).collect();
        format!("{HEADER}\n{at}{done}{told}")
    }
}

/// Says that the progress cannot be kept in this file.
fn not_kept(path: &Path, error: &io::Error) -> String {
    format!("What you have done is not kept: {}: {error}.", path.display())
}

/// The file to read and to replace: where a link leads, that file, which need not be there yet.
///
/// # Errors
/// There is something else than a plain file. To open a pipe would wait for its writer.
fn kept_at(path: &Path) -> io::Result<PathBuf> {
    match fs::metadata(path) {
        Ok(there) if there.is_file() => fs::canonicalize(path),
        Ok(_) => Err(io::Error::other("it is no plain file")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(match fs::read_link(path) {
            Ok(target) => path.parent().unwrap_or(path).join(target),
            Err(_) => path.to_owned(),
        }),
        Err(error) => Err(error),
    }
}

/// Reads the file. `None` if it is too long, or not UTF-8.
fn read(path: &Path) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    let is_short = bytes.len() as u64 <= MAX_BYTES;
    Ok(String::from_utf8(bytes).ok().filter(|_| is_short))
}

/// Reads the text of the file. `None` if it is damaged. Lessons that this program does not have are
/// left out.
fn parse(text: &str) -> Option<CourseProgress> {
    let mut lines = text.strip_suffix('\n')?.lines();
    lines.next().filter(|first| *first == HEADER)?;
    let mut progress = CourseProgress::default();
    for line in lines {
        let (word, name) = line.split_once(' ')?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        if !name.bytes().all(is_name) {
            return None;
        }
        // A person may have written a number.
        let number = course::find(name).and_then(Result::ok);
        let known = number.and_then(|number| course::with_number(number).ok());
        let known = known.map(|lesson| lesson.short_name().to_owned());
        match word {
            "at" if known.is_some() => progress.at = known,
            "done" if known.is_some() => progress.done.extend(known),
            "at" | "done" => {}
            "told" if progress.told.len() < MAX_EXPLAINED => {
                progress.told.push(u64::from_str_radix(name, 16).ok()?);
            }
            _ => return None,
        }
    }
    Some(progress)
}

/// Writes the file whole, and creates its folder.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        sys::create_private_directory(folder)?;
    }
    let new = path.with_extension(format!("{:08x}", sys::random()));
    let written = sys::create_private_file(&new)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new); // it may not be there
    }
    written
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    #[test]
    fn progress_is_read_as_it_was_written() {
        let mut progress = CourseProgress::default();
        assert_eq!(progress.next(), Some(1));
        progress.open(3);
        let told = [7, u64::MAX].into_iter();
        assert_eq!((progress.next(), progress.finish(3, told.clone())), (Some(3), Some(4)));
        let next = progress.finish(course::count(), iter::empty());
        assert_eq!(next, Some(1), "the first that is not done");
        let read = parse(&progress.text()).expect("a file");
        assert_eq!(read, progress);
        assert_eq!((read.count_done(), read.next()), (2, Some(1)));
        assert!(read.told().eq(told));
        for number in 1..=course::count() {
            progress.finish(number, (0..).take(2 * MAX_EXPLAINED));
        }
        let most = progress.text();
        assert!(progress.told.len() == MAX_EXPLAINED && (most.len() as u64) < MAX_BYTES);
        assert_eq!((progress.next(), progress.count_done()), (None, course::count()));
    }

    #[test]
    fn a_damaged_file_is_known_and_lessons_of_another_version_are_left_out() {
        for text in [
            "",
            "openkitchen learn 1",
            "openkitchen learn 2\n",
            "openkitchen learn 1\nat\n",
            "openkitchen learn 1\ndone a b\n",
            "openkitchen learn 1\ndone \x1b[2J\n",
            "openkitchen learn 1\nwon a-port-opens\n",
            "openkitchen learn 1\ntold no-hex\n",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        let other = parse("openkitchen learn 1\nat no-such-lesson\ndone neither\n");
        assert_eq!(other, Some(CourseProgress::default()));
        let by_number = parse("openkitchen learn 1\nat 2\ndone 1\n").expect("a file");
        assert_eq!((by_number.next(), by_number.count_done()), (Some(2), 1));
        assert!(by_number.text().contains("\ndone a-port-opens\n"), "{}", by_number.text());
    }
}

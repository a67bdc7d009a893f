//! # The course as JSON
//!
//! The lessons are those of [`course`](super::super::course), as `learn` shows them. What a lesson sends is
//! a transcript for the lab: its blocks and events, and its assertions, at which the lab waits for the
//! responses.

use openkitchen::Transcript;
use openkitchen::play::check::Case;
use openkitchen::transcript::Item;

use super::super::course::{GROUPS, Lesson, LessonGroup, Notes};
use crate::json;

/// All groups with their lessons, for a server with this host.
///
/// # Errors
/// A lesson is not valid. The tests make sure that each is.
pub fn groups(host: &str) -> Result<String, String> {
    let mut number = 0;
    let group = |LessonGroup { title, goal, lessons }: &LessonGroup| {
        let lessons = lessons.iter().map(|it| {
            number += 1;
            lesson(number, it, host)
        });
        let lessons = lessons.collect::<Result<Vec<String>, String>>()?;
        Ok(json::object([
            ("title", json::string(title)),
            ("goal", json::string(goal)),
            ("lessons", json::array(lessons)),
        ]))
    };
    let groups = GROUPS.iter().map(group).collect::<Result<Vec<String>, String>>()?;
    Ok(json::object([("groups", json::array(groups))]))
}

fn lesson(number: usize, lesson: &Lesson, host: &str) -> Result<String, String> {
    let notes = lesson.notes();
    let breaks = lesson.breaks(host)?.into_iter().map(|(notes, case)| {
        json::object([
            ("title", json::string(&notes.title)),
            ("about", json::string(&notes.about.join("\n\n"))),
            ("request", json::string(&request(&case))),
        ])
    });
    let request = lesson.case(number, host)?.as_ref().map(request).unwrap_or_default();
    Ok(json::object([
        ("number", number.to_string()),
        ("name", json::string(lesson.name)),
        ("title", json::string(&notes.title)),
        ("about", json::array(notes.about.iter().map(|text| json::string(text)))),
        ("request", json::string(&request)),
        ("predict", json::or_null(prediction(&notes))),
        ("because", json::string(&notes.because)),
        ("keep", json::string(&notes.keep)),
        ("clause", json::string(&notes.clause)),
        ("breaks", json::array(breaks)),
    ]))
}

/// The question before the answer is seen, if there is one.
fn prediction(notes: &Notes) -> Option<String> {
    let (right, _) = notes.right()?;
    let answers = notes.answers.iter().map(|(text, _)| json::string(text));
    Some(json::object([
        ("question", json::string(&notes.predict)),
        ("answers", json::array(answers)),
        ("right", (right - 1).to_string()),
    ]))
}

/// What a case sends, without its prose.
fn request(case: &Case) -> String {
    let items = case.items.iter().filter(|item| !matches!(item, Item::Prose(_))).cloned();
    Transcript { items: items.collect() }.to_string()
}

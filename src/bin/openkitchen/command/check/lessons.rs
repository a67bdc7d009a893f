//! The built-in lessons of `check`, in reading order: first the basics (a port, a status line, content),
//! then connections, then dangerous requests, then the lesson site's API. Each is a file of the site.

use openkitchen::play::check::Case;

/// A lesson's file name, and its text.
type Lesson = (&'static str, &'static str);

macro_rules! lesson {
    ($name:literal) => {
        ($name, include_str!(concat!("../../site/lessons/", $name)))
    };
}

/// All lessons.
static LESSONS: [Lesson; 34] = [
    lesson!("01-a-port-opens.wire"),
    lesson!("02-the-status-line.wire"),
    lesson!("03-fields-have-no-case.wire"),
    lesson!("04-the-date.wire"),
    lesson!("05-content-and-its-length.wire"),
    lesson!("06-chunks.wire"),
    lesson!("07-nothing-here.wire"),
    lesson!("08-head.wire"),
    lesson!("09-options.wire"),
    lesson!("10-not-allowed.wire"),
    lesson!("11-an-unknown-method.wire"),
    lesson!("12-a-host-in-the-target.wire"),
    lesson!("13-an-empty-line-first.wire"),
    lesson!("14-keep-alive.wire"),
    lesson!("15-close.wire"),
    lesson!("16-pipelining.wire"),
    lesson!("17-100-continue.wire"),
    lesson!("18-conditional.wire"),
    lesson!("19-range.wire"),
    lesson!("20-http-1.0.wire"),
    lesson!("21-no-host.wire"),
    lesson!("22-two-hosts.wire"),
    lesson!("23-two-lengths.wire"),
    lesson!("24-a-length-and-chunks.wire"),
    lesson!("25-a-space-before-the-colon.wire"),
    lesson!("26-a-bare-lf.wire"),
    lesson!("27-a-folded-line.wire"),
    lesson!("28-a-bad-chunk-size.wire"),
    lesson!("29-params-are-in-the-url.wire"),
    lesson!("30-a-key-in-a-field.wire"),
    lesson!("31-a-key-in-a-url-is-refused.wire"),
    lesson!("32-two-worlds.wire"),
    lesson!("33-the-response-a-browser-hides.wire"),
    lesson!("34-a-like-from-another-site.wire"),
];

/// Returns all lessons as cases.
///
/// # Errors
/// A lesson is not a valid case. The tests make sure that each one is.
pub fn all() -> Result<Vec<Case>, String> {
    (1..=LESSONS.len()).filter_map(with_number).collect()
}

/// Returns the lesson with that file name, with or without its ending, or with that number.
pub fn find(name: &str) -> Option<Result<Case, String>> {
    let is_named = |lesson: &Lesson| {
        lesson.0 == name || lesson.0.strip_suffix(".wire").is_some_and(|short| short == name)
    };
    let number = LESSONS.iter().position(is_named).map(|index| index + 1);
    with_number(number.or(name.parse().ok())?)
}

fn with_number(number: usize) -> Option<Result<Case, String>> {
    let (name, text) = LESSONS.get(number.checked_sub(1)?)?;
    let case = Case::read(name, text);
    Some(case.map(|case| Case { lesson: Some(number), ..case }))
}

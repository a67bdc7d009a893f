//! # The files of the kitchen's page
//!
//! The page is a few JavaScript modules and a style sheet, without a build step: the browser runs what
//! stands in `html/kitchen`, without its comments. They hold nothing of what crosses, so anybody may
//! load them.
//!
//! Next: `kitchen.js`, which says what is in the others.

use std::sync::LazyLock;

use openkitchen::{Request, Response, Status};

use super::super::pages;
use super::sentence;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// All files of the page: name, media type, text as it stands in the source.
static SOURCES: [(&str, &str, &str); 13] = [
    ("kitchen.css", STYLE, include_str!("../html/kitchen/kitchen.css")),
    ("kitchen.js", SCRIPT, include_str!("../html/kitchen/kitchen.js")),
    ("dom.js", SCRIPT, include_str!("../html/kitchen/dom.js")),
    ("feed.js", SCRIPT, include_str!("../html/kitchen/feed.js")),
    ("history.js", SCRIPT, include_str!("../html/kitchen/history.js")),
    ("bytes.js", SCRIPT, include_str!("../html/kitchen/bytes.js")),
    ("exchange.js", SCRIPT, include_str!("../html/kitchen/exchange.js")),
    ("walk.js", SCRIPT, include_str!("../html/kitchen/walk.js")),
    ("draft.js", SCRIPT, include_str!("../html/kitchen/draft.js")),
    ("lab.js", SCRIPT, include_str!("../html/kitchen/lab.js")),
    ("course.js", SCRIPT, include_str!("../html/kitchen/course.js")),
    ("compare.js", SCRIPT, include_str!("../html/kitchen/compare.js")),
    ("icon.svg", "image/svg+xml", include_str!("../html/icon.svg")),
];

/// Where a reader finds the comments of a file that is sent without them.
const WHERE: &str = "Its comments: src/bin/openkitchen/site/html/kitchen/";

/// The same files, as they are sent. The first request makes them.
static FILES: LazyLock<Vec<(&str, &str, String)>> = LazyLock::new(|| {
    let sent = |(name, kind, text): (&'static str, &'static str, &str)| match kind {
        SCRIPT => (name, kind, format!("// {WHERE}{name}\n{}", slim(text))),
        STYLE => (name, kind, format!("/* {WHERE}{name} */\n{}", slim_style(text))),
        _ => (name, kind, text.to_owned()),
    };
    SOURCES.into_iter().map(sent).collect()
});

/// The same script or style without indentation, empty lines, and comments that are a line or stand after
/// the end of a statement. Others stay, because a `//` there may stand in a string.
pub fn slim(text: &str) -> String {
    let mut slim = String::with_capacity(text.len());
    let mut in_comment = false;
    for line in text.lines().map(str::trim) {
        let starts = line.starts_with("/*");
        let is_comment = in_comment || starts || line.starts_with("//");
        in_comment = (in_comment || starts) && !line.ends_with("*/");
        if !is_comment && !line.is_empty() {
            slim.push_str(line.find("; // ").map_or(line, |end| &line[..=end]));
            slim.push('\n');
        }
    }
    slim
}

/// `GET /kitchen/*`: a file of the page.
pub fn file<S>(request: &Request<S>) -> Response {
    let name = request.rest();
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => pages::asset(kind, text),
        None => sentence(Status::NOT_FOUND, "The kitchen's page has no such file."),
    }
}

/// The same style sheet, also without the spaces and line ends that mean nothing. No string in it may
/// have one of these pairs.
fn slim_style(text: &str) -> String {
    SPACED.iter().fold(slim(text), |text, (spaced, plain)| text.replace(spaced, plain))
}

/// What a style sheet is written with, and the same without spaces.
const SPACED: [(&str, &str); 8] = [
    ("; }", "}"),
    (" { ", "{"),
    ("; ", ";"),
    (": ", ":"),
    (", ", ","),
    ("{\n", "{"),
    (";\n", ";"),
    ("}\n", "}"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_comments_are_left_out_and_code_stays() {
        let text = "/* one */\n// two\n\na { /* three */\n  b: \"//\"; // four\n  /* five\n     six */\n}\n";
        assert_eq!(slim(text), "a { /* three */\nb: \"//\";\n}\n");
    }

    #[test]
    fn a_style_means_the_same_without_its_spaces() {
        let text = "@media (a: b) {\n  a :is(b, c):hover > d { x: 1px 2px; y: f(a, b); }\n}\n";
        let slim = "@media (a:b) {a :is(b,c):hover > d{x:1px 2px;y:f(a,b)}}";
        assert_eq!(slim_style(text), slim);
    }

    // A line that is indented within a string of several lines, or a comment that ends before its line
    // does, would be changed.
    #[test]
    fn no_source_has_what_slim_cannot_read() {
        for (name, kind, text) in SOURCES {
            let mut in_comment = false;
            for line in text.lines().map(str::trim) {
                in_comment |= line.starts_with("/*");
                if in_comment && let Some((_, after)) = line.split_once("*/") {
                    assert_eq!(after, "", "{name}: {line}");
                    in_comment = false;
                }
                let ticks = line.matches('`').count() - line.matches("\"`\"").count();
                assert!(kind != SCRIPT || ticks % 2 == 0, "{name}: {line}");
                if let Some((code, _)) = line.split_once("; // ") {
                    assert_eq!(code.matches(['"', '`']).count() % 2, 0, "{name}: {line}");
                }
                let mut strings = line.split('"').skip(1).step_by(2);
                let is_spaced = |text: &str| SPACED.iter().any(|(pair, _)| text.contains(pair));
                assert!(kind != STYLE || !strings.any(is_spaced), "{name}: {line}");
            }
            assert!(!in_comment, "{name}");
        }
    }
}

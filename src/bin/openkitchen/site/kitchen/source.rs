//! # Finds the source of a route and of its handler
//!
//! A row of the route table knows its place in the source. So no second table of names is kept:
//!
//! ```text
//! post("/api/likes", api::like),       the line at that place, and in it the handler's name
//! pub fn like(request: ...) { ... }    found in the file of its module
//! ```
//! The files are part of the program. They are those from which it was built.

use openkitchen::RouteRow;

/// The folder of the site's files, as rows of the table name it.
const FOLDER: &str = "src/bin/openkitchen/site/";

/// The files of the route table and of all handlers.
const FILES: &[(&str, &str)] = &[
    ("mod.rs", include_str!("../mod.rs")),
    ("pages.rs", include_str!("../pages.rs")),
    ("api.rs", include_str!("../api.rs")),
    ("staff.rs", include_str!("../staff.rs")),
    ("mirror.rs", include_str!("../mirror.rs")),
    ("practice.rs", include_str!("../practice.rs")),
    ("kitchen/mod.rs", include_str!("mod.rs")),
    ("kitchen/files.rs", include_str!("files.rs")),
    ("likes.rs", include_str!("../likes.rs")),
    ("origin.rs", include_str!("../origin.rs")),
];

/// The source of a row.
pub struct RowSource {
    /// The file, as it is named from the root of the project.
    pub file: String,
    /// The line; empty if the file is not known.
    pub text: &'static str,
    /// The handler's name in it, such as `api::like`.
    pub handler: &'static str,
}

/// The source of a handler.
pub struct HandlerSource {
    /// The file, as it is named from the root of the project.
    pub file: String,
    /// The number of its first line.
    pub line: usize,
    /// The function.
    pub text: &'static str,
}

/// Finds the line of a row.
pub fn row(row: &RouteRow) -> RowSource {
    // What stands before the folder depends on where the compiler was started.
    let place = row.place.file().replace('\\', "/");
    let file = place.rsplit_once("/site/").map_or(&*place, |(_, file)| file);
    let source = FILES.iter().find(|(name, _)| *name == file);
    let line = (row.place.line() as usize).saturating_sub(1);
    let text = source.and_then(|(_, source)| source.lines().nth(line)).unwrap_or_default().trim();
    RowSource { file: format!("{FOLDER}{file}"), text, handler: handler_name(text) }
}

/// The second argument of `get("/path", module::name)`.
fn handler_name(text: &str) -> &str {
    let argument = text.split_once(", ").map_or("", |(_, rest)| rest);
    let is_of_name =
        |character: char| character.is_ascii_alphanumeric() || "_:".contains(character);
    argument.split(|character| !is_of_name(character)).next().unwrap_or_default()
}

/// Finds the function of a handler with this name, such as `api::like`.
pub fn handler(name: &str) -> Option<HandlerSource> {
    let (module, function) = name.rsplit_once("::").unwrap_or(("", name));
    let files = match module {
        "" => vec!["mod.rs".to_owned()],
        module => {
            let path = module.replace("::", "/");
            vec![format!("{path}.rs"), format!("{path}/mod.rs")]
        }
    };
    let (file, source) = FILES.iter().find(|(file, _)| files.iter().any(|name| name == file))?;
    let is_start = |line: &str| {
        let name = line.trim_start_matches("pub ").strip_prefix("fn ");
        let rest = name.and_then(|name| name.strip_prefix(function));
        rest.is_some_and(|rest| rest.starts_with(['(', '<']))
    };
    let mut start = 0;
    for (number, line) in (1..).zip(source.split_inclusive('\n')) {
        if is_start(line) {
            let text = &source[start..];
            let end = text.find("\n}\n").map_or(text.len(), |end| end + 2);
            let file = format!("{FOLDER}{file}");
            return Some(HandlerSource { file, line: number, text: &text[..end] });
        }
        start += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::super::ROUTES;
    use super::*;

    #[test]
    fn every_row_of_the_site_has_its_line_and_its_handler() {
        for route in ROUTES.iter() {
            let source = row(route.row());
            assert!(
                source.text.contains(route.row().path),
                "{}: {}",
                route.row().path,
                source.text
            );
            assert_eq!(source.file, "src/bin/openkitchen/site/mod.rs");
            let found = handler(source.handler);
            let found = found.unwrap_or_else(|| panic!("{} is not found", source.handler));
            let name = source.handler.rsplit("::").next().unwrap_or_default();
            assert!(found.text.contains(&format!("fn {name}")), "{}", found.text);
            assert!(found.text.ends_with('}') && found.text.lines().count() < 100);
        }
    }

    #[test]
    fn a_handler_is_a_function_and_no_other_text() {
        let like = handler("api::like").expect("a handler");
        assert!(like.text.starts_with("pub fn like(request: &Request<Site>) -> Response {\n"));
        let line = include_str!("../api.rs").lines().nth(like.line - 1);
        assert_eq!(line, like.text.lines().next());
        assert!(handler("api::lik").is_none() && handler("no::such").is_none());
        assert!(handler("").is_none());
        assert_eq!(handler_name("get(\"/raw\", mirror::raw).keep_raw(),"), "mirror::raw");
    }
}

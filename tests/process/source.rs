//! A reader of Rust source: just enough to see which paths a file names.
//!
//! It drops what names nothing for the compiler (comments, so intra-doc links too, and what stands
//! inside quotes) and what is for tests alone (an item behind `#[cfg(test)]`, and the file of a
//! `#[cfg(test)] mod name;`). What is left is words and signs, each with its line.

use std::fs;
use std::path::{Path, PathBuf};

/// A word (an identifier, a number) or a sign; `::` is one sign.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// A file of the source.
pub struct Source {
    /// From `src` on: `message/head.rs`.
    pub path: String,
    pub text: String,
    /// Its tokens, without those for tests.
    pub tokens: Vec<Token>,
    /// Whether the whole file is for tests.
    pub is_test: bool,
}

/// Every Rust file below this folder, by its path.
pub fn read_all(folder: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut test_files = Vec::new();
    for file in
        files_below(folder).into_iter().filter(|file| file.extension() == Some("rs".as_ref()))
    {
        let text = fs::read_to_string(&file).unwrap();
        let path = file.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
        let (tokens, test_modules) = without_tests(tokens(&text));
        let place = module(&path).join("/");
        test_files.extend(test_modules.iter().map(|name| format!("{place}/{name}.rs")));
        sources.push(Source { path, text, tokens, is_test: false });
    }
    for source in &mut sources {
        source.is_test = test_files.contains(&source.path);
    }
    sources
}

/// Every file below a folder, sorted.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// The module that a file is: `message/head.rs` is `message::head`, and `message/mod.rs` is
/// `message`.
pub fn module(path: &str) -> Vec<String> {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = ["lib", "main"].iter().find_map(|root| path.strip_suffix(root)).unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// All paths of two segments or more that the tokens name, groups taken apart. `self::x` and
/// `super::x` come as seen from the root: `["crate", "message", "x"]`.
pub fn paths(tokens: &[Token], file: &str) -> Vec<(usize, Vec<String>)> {
    let mut paths = Vec::new();
    let mut inner: Vec<(String, usize)> = Vec::new(); // modules inside the file, with their depth
    let (mut at, mut depth) = (0, 0);
    while at < tokens.len() {
        let line = tokens[at].line;
        match tokens[at].text.as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inner.retain(|(_, opened)| *opened <= depth);
            }
            "mod" if text(tokens, at + 2) == "{" => {
                inner.push((tokens[at + 1].text.clone(), depth + 1));
            }
            word if is_word(word) => {
                let mut found = Vec::new();
                at = path_at(tokens, at, &[], &mut found);
                for path in found {
                    let mut here = module(file);
                    here.extend(inner.iter().map(|(name, _)| name.clone()));
                    if path.len() > 1 {
                        paths.push((line, absolute(path, here)));
                    }
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    paths
}

/// Reads one path, or a group of them, and returns the place behind it.
fn path_at(
    tokens: &[Token],
    mut at: usize,
    before: &[String],
    out: &mut Vec<Vec<String>>,
) -> usize {
    let mut path = before.to_vec();
    loop {
        match text(tokens, at) {
            "{" => {
                at += 1;
                while !matches!(text(tokens, at), "}" | "") {
                    at = path_at(tokens, at, &path, out);
                    while !matches!(text(tokens, at), "," | "}" | "") {
                        at += 1; // `as name`
                    }
                    at += usize::from(text(tokens, at) == ",");
                }
                return at + 1;
            }
            word if is_word(word) || word == "*" => path.push(word.to_owned()),
            _ => break, // `::<`
        }
        at += 1;
        // A struct's or a block's brace stands behind a space, a group's behind `::`.
        if text(tokens, at) != "::" {
            break;
        }
        at += 1;
    }
    out.push(path);
    at
}

/// The path as seen from the root of the crate; what begins outside of it stays as it is.
fn absolute(path: Vec<String>, mut here: Vec<String>) -> Vec<String> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let from = match path[0].as_str() {
        "super" => ups,
        "self" => 1,
        _ => return path,
    };
    assert!(ups <= here.len(), "{path:?} leads out of the crate");
    here.truncate(here.len() - ups);
    [&["crate".to_owned()], &here[..], &path[from..]].concat()
}

fn text(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| &token.text)
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphanumeric() || first == '_')
}

/// Drops what stands behind `#[cfg(test)]`, and returns the names of the test modules that have a
/// file of their own.
pub fn without_tests(tokens: Vec<Token>) -> (Vec<Token>, Vec<String>) {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut files, mut at) = (Vec::new(), Vec::new(), 0);
    while at < tokens.len() {
        if !(0..MARK.len()).all(|step| text(&tokens, at + step) == MARK[step]) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let start = at + MARK.len();
        let mut depth = 0;
        at = start;
        loop {
            match text(&tokens, at) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" => depth -= 1,
                "}" => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                ";" | "" if depth == 0 => break,
                _ => {}
            }
            at += 1;
        }
        let name = (start..at).find(|&at| text(&tokens, at) == "mod").map(|at| at + 1);
        if let Some(name) = name.filter(|name| text(&tokens, name + 1) == ";") {
            files.push(tokens[name].text.clone());
        }
        at += 1;
    }
    (kept, files)
}

/// The words and signs of a text.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let (length, is_token) = token(rest, first);
        let (text, after) = rest.split_at(length);
        if is_token {
            tokens.push(Token { text: text.to_owned(), line });
        }
        line += text.matches('\n').count();
        rest = after;
    }
    tokens
}

/// The length of what the text begins with, and whether it counts.
fn token(text: &str, first: char) -> (usize, bool) {
    let word = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let behind = &text[word..];
    if text.starts_with("//") {
        return (text.find('\n').unwrap_or(text.len()), false);
    }
    if text.starts_with("/*") {
        return (comment(text), false);
    }
    if matches!(&text[..word], "r" | "br" | "cr") && behind.starts_with(['"', '#']) {
        let hashes = behind.bytes().take_while(|&byte| byte == b'#').count();
        if behind[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = word + hashes + 1;
            return (text[body..].find(&end).map_or(text.len(), |at| body + at + end.len()), false);
        }
    }
    match first {
        '"' => (quoted(text, '"'), false),
        'b' | 'c' if word == 1 && behind.starts_with('"') => (1 + quoted(behind, '"'), false),
        'b' if word == 1 && behind.starts_with('\'') => (1 + quoted(behind, '\''), false),
        '\'' => match text[1..].chars().next() {
            Some('\\') => (quoted(text, '\''), false),
            Some(letter) if text[1 + letter.len_utf8()..].starts_with('\'') => {
                (2 + letter.len_utf8(), false)
            }
            _ => (1, false), // a lifetime: its name is read as a word
        },
        _ if word > 0 => (word, true),
        _ if text.starts_with("::") => (2, true),
        _ => (first.len_utf8(), !first.is_whitespace()),
    }
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Block comments stand in each other.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let step = match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

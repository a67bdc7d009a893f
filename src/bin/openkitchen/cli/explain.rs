//! `openkitchen explain`: what do these bytes mean?
//!
//! ```text
//! $ printf 'GET / HTTP/1.1\r\nHost : h\r\n\r\n' | openkitchen explain
//! GET / HTTP/1.1
//!     GET: asks for the current representation of the target; ... (RFC 9110 section 9.3.1)
//!     ...
//! Host : h
//!     broken here, and a strict server answers 400 Bad Request: a space stands between ...
//!         Host : h
//!             ^
//!     RFC 9112 section 5.1: put the colon straight behind the name
//! ```
//! A message is shown line by line, with what it means below each line. A transcript stays one: what
//! it means stands as prose behind its blocks.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use openkitchen::message::visible::Visible;
use openkitchen::transcript::MARKERS;
use openkitchen::transcript::explain::{Remark, annotate, explain, with_line_ends};
use openkitchen::{Method, Transcript};

use super::CliError;
use super::flags::{self, Flag, ParsedArgs};
use super::script::Why;

/// Columns of a page.
const WIDTH: usize = 100;

/// Before each line of an explanation.
const INDENT: &str = "    ";

/// Bytes that are read: far more than anybody reads an explanation of.
const READ: u64 = 64 * 1024 * 1024;

/// Lines in a row of which nothing is to be said, and bytes of one line, that are shown: half a
/// terminal.
const LINES: usize = 12;
const BYTES: usize = 12 * 80;

#[derive(Default)]
struct ExplainOptions {
    asked: Option<Method>,
}

const FLAGS: [Flag<ExplainOptions>; 1] = [Flag {
    name: "asked",
    value: "METHOD",
    help: "the method of the request that the answer belongs to",
    apply: |options, value| {
        options.asked = Some(Method::named(value.as_bytes()).ok_or("a method such as HEAD")?);
        Ok(())
    },
}];

/// Explains a file, or what comes on stdin.
///
/// # Errors
/// What cannot be read, in a sentence.
pub fn command(arguments: &[String]) -> Result<ExitCode, CliError> {
    let mut options = ExplainOptions::default();
    let said = flags::parse(&FLAGS, arguments, |name| std::env::var(name).ok(), &mut options)?;
    let text = match said {
        ParsedArgs::Help => help(),
        ParsedArgs::Version => concat!("openkitchen ", env!("CARGO_PKG_VERSION"), "\n").to_owned(),
        ParsedArgs::Do(files) => match &files[..] {
            [] => explained(&read("-")?, &options).map_err(|error| failed("stdin", &error))?,
            [file] => explained(&read(file)?, &options).map_err(|error| failed(file, &error))?,
            _ => return Err(CliError::Usage("explain takes one file".into())),
        },
    };
    // Whoever pipes it to `head` has seen enough.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn help() -> String {
    format!(
        "openkitchen explain [FLAGS] [FILE]  what a message, or a transcript, means\n\n{}\n\
         Without FILE, or with -, stdin is read: bytes as they were captured, of a\n\
         request or an answer, or text whose lines end in LF alone. In a transcript\n\
         it puts prose behind each block. Each flag is also a variable: --asked is\n\
         OPENKITCHEN_ASKED.\n",
        flags::help(&FLAGS)
    )
}

fn failed(file: &str, error: &str) -> CliError {
    CliError::Failed(format!("{file}: {error}"))
}

fn read(file: &str) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let result = if file == "-" {
        if io::stdin().is_terminal() {
            eprintln!("Paste a message or a transcript, then press Ctrl-D at the start of a line.");
        }
        io::stdin().take(READ).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|file| file.take(READ).read_to_end(&mut bytes))
    };
    result.map_err(|error| CliError::Failed(format!("cannot read {file}: {}", Why(&error))))?;
    Ok(bytes)
}

/// The page, or what is wrong with a transcript.
fn explained(bytes: &[u8], options: &ExplainOptions) -> Result<String, String> {
    if bytes.is_empty() {
        return Err("there is nothing to explain".into());
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && MARKERS.iter().any(|marker| text.starts_with(marker))
    {
        let transcript = Transcript::parse(text).map_err(|error| error.to_string())?;
        return Ok(annotate(&transcript).to_string());
    }
    let Some(wire) = with_line_ends(bytes) else {
        return Ok(page(bytes, &explain(bytes, None, options.asked)));
    };
    let mut remarks = explain(&wire, None, options.asked);
    let first = Remark {
        span: 0..0,
        about: String::new(),
        text:
            "the lines end in LF alone, as in text that was pasted; it is read as if each ended in \
               CR LF, as HTTP has it"
                .into(),
        clause: "RFC 9112 section 2.2",
        is_fault: false,
    };
    remarks.insert(0, first);
    Ok(page(&wire, &remarks))
}

/// Each line, and below it what there is to say of it.
fn page(bytes: &[u8], remarks: &[Remark]) -> String {
    let (mut page, mut at, mut silent, mut left_out) = (String::new(), 0, 0, 0);
    let mut remarks = remarks.iter().peekable();
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        at += line.len();
        let is_last = at == bytes.len();
        let mut about = Vec::new();
        while let Some(remark) = remarks.next_if(|remark| remark.span.start < at || is_last) {
            about.push(remark);
        }
        silent = if about.is_empty() { silent + 1 } else { 0 };
        if silent > LINES {
            left_out += line.len();
            continue;
        }
        leave_out(&mut left_out, &mut page);
        show(line, &mut page);
        for line in about.iter().flat_map(|remark| remark.lines(WIDTH - INDENT.len())) {
            page.extend([INDENT, &line, "\n"]);
        }
    }
    leave_out(&mut left_out, &mut page);
    page
}

fn leave_out(bytes: &mut usize, page: &mut String) {
    if *bytes > 0 {
        *page += &format!("\\{{{bytes} bytes}}\\\n");
    }
    *bytes = 0;
}

/// A line as a transcript has it, but folded where the page ends: CR LF is not shown, LF alone is
/// `\n`, and no line end is `\`.
fn show(line: &[u8], page: &mut String) {
    let (text, end) = match line {
        [text @ .., b'\r', b'\n'] => (text, ""),
        [text @ .., b'\n'] => (text, "\\n"),
        text => (text, "\\"),
    };
    let mut width = 0;
    for byte in &text[..text.len().min(BYTES)] {
        let shown = Visible(&[*byte]).to_string();
        if width + shown.len() + 2 > WIDTH {
            page.push_str("\\\n");
            width = 0;
        }
        width += shown.len();
        page.push_str(&shown);
    }
    let mut left_out = text.len().saturating_sub(BYTES);
    if left_out > 0 {
        page.push_str("\\\n");
        leave_out(&mut left_out, page);
        page.truncate(page.len() - 2); // the line's own end follows
    }
    page.extend([end, "\n"]);
}

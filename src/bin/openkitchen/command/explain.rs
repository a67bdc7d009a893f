//! `openkitchen explain`: prints what the bytes of a message or a transcript mean.
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
//!     RFC 9112 section 5.1: put the colon directly after the name
//! ```
//! A message is printed line by line, with the meaning below each line. A transcript stays a
//! transcript: the meaning becomes prose after each block.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use openkitchen::message::fold::fold;
use openkitchen::message::visible::Visible;
use openkitchen::transcript::explain::{
    FirstUses, Pasted, Remark, annotate, explain, explain_part, pasted, prose,
};
use openkitchen::transcript::glossary::{self, Row};
use openkitchen::{Method, Transcript};

use super::flags::{CommandLine, Flag};
use super::{CliError, print, script};

/// Columns of the output.
const WIDTH: usize = 80;

/// Printed before each line of an explanation.
const INDENT: &str = "    ";

/// Bytes that are read at most: more than any reader wants explained.
const MAX_INPUT_BYTES: u64 = 64 * 1024 * 1024;

/// Lines without an explanation that are shown in a row, and bytes that are shown of one line: half a
/// terminal each.
const MAX_PLAIN_LINES: usize = 12;
const MAX_LINE_BYTES: usize = 12 * 80;

#[derive(Default)]
struct ExplainOptions {
    /// The method of the request, if the message is its response.
    asked: Option<Method>,
}

const FLAGS: [Flag<ExplainOptions>; 1] = [Flag {
    name: "asked",
    value: "METHOD",
    help: "method of the request that the response belongs to",
    apply: |options, value| {
        options.asked =
            Some(Method::named(value.as_encoded_bytes()).ok_or("a method such as HEAD")?);
        Ok(())
    },
}];

const COMMAND_LINE: CommandLine<ExplainOptions> = CommandLine {
    usage: "openkitchen explain: print what the bytes of a message mean\n\n\
        openkitchen explain [FLAGS] [FILE]\n\
        openkitchen explain WORD       what a word means, such as ETag or 304\n\n\
        FILE holds a request or a response, its header fields and its body (content),\n\
        or a transcript, as --record writes it, or pasted text: what curl -v prints,\n\
        heads from a browser's tools, lines that end in LF alone, a prompt before them.\n\
        Without FILE, or with -, stdin is read. Below each line of a message, and after\n\
        each block of a transcript, its meaning is printed, with the section of the RFC\n\
        that says so. If a byte breaks a rule, a caret points at it.",
    flags: &FLAGS,
    notes: "--asked HEAD is needed for a response to HEAD: it has no body.\n\
        Exit code: 0 explained, 2 the command line is wrong, or FILE cannot be read or\n\
        explained. Each flag is also a variable: --asked is OPENKITCHEN_ASKED.",
};

/// The names of its flags.
pub fn flag_names() -> Vec<&'static str> {
    COMMAND_LINE.flag_names()
}

/// Explains a file, or stdin.
///
/// # Errors
/// What cannot be read or explained, in a sentence.
pub fn command(arguments: &[OsString]) -> Result<ExitCode, CliError> {
    let Some((options, files)) = COMMAND_LINE.read(arguments, ExplainOptions::default())? else {
        return Ok(ExitCode::SUCCESS);
    };
    let text = match &files[..] {
        [] => explained(&read("-".as_ref())?, &options).map_err(|error| failed("stdin", &error))?,
        [file] => match word(file) {
            Some(meaning) => meaning,
            None => explained(&read(file)?, &options)
                .map_err(|error| failed(&file.to_string_lossy(), &error))?,
        },
        _ => return Err(CliError::Usage("explain takes one file: explain [FILE]".into())),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the meaning of a word, such as `ETag` or `304`, if it is the name of no file.
fn word(name: &OsStr) -> Option<String> {
    let text = name.to_str().filter(|_| !Path::new(name).exists())?;
    let rows = glossary::look_up(text);
    let meaning = |(name, clause, meaning): &Row| {
        let clause = if clause.is_empty() { String::new() } else { format!(" ({clause})") };
        fold(&format!("{name}: {meaning}{clause}"), WIDTH, "  ").join("\n") + "\n"
    };
    (!rows.is_empty()).then(|| rows.iter().map(meaning).collect())
}

fn read(file: &OsStr) -> Result<Vec<u8>, CliError> {
    script::bytes(file.as_ref(), MAX_INPUT_BYTES).map_err(CliError::Unusable)
}

fn failed(file: &str, error: &str) -> CliError {
    CliError::Unusable(format!("{file}: {error}"))
}

/// Returns the explained message or transcript, or what is wrong with the transcript.
fn explained(bytes: &[u8], options: &ExplainOptions) -> Result<String, String> {
    if bytes.is_empty() {
        return Err("there is nothing to explain".into());
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && script::begins_transcript(bytes)
    {
        let transcript = Transcript::parse(text).map_err(|error| error.to_string())?;
        return Ok(annotate(&transcript, WIDTH).to_string());
    }
    Ok(match pasted(bytes) {
        None => annotated_lines(bytes, explain(bytes, None, options.asked)),
        Some(Pasted::Messages { wire, notes: mut remarks, request_method, is_cut }) => {
            let request_method = options.asked.or(request_method);
            remarks.extend(explain_part(&wire, None, request_method, !is_cut));
            Remark::sort(&mut remarks);
            annotated_lines(&wire, remarks)
        }
        Some(Pasted::Heads { lines, remarks }) => annotated_lines(&lines, remarks),
        Some(Pasted::Transcript { mut transcript, note }) => {
            transcript.items.splice(..0, prose(&[note], WIDTH));
            annotate(&transcript, WIDTH).to_string()
        }
    })
}

/// Returns each line of a message, and below it its remarks. The first use of a word of HTTP is
/// followed by its meaning.
fn annotated_lines(bytes: &[u8], remarks: Vec<Remark>) -> String {
    let remarks = FirstUses::default().explain_in(remarks);
    let (mut out, mut at, mut plain_lines, mut left_out) = (String::new(), 0, 0, 0);
    let mut remarks = remarks.iter().peekable();
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        at += line.len();
        let is_last = at == bytes.len();
        let mut about = Vec::new();
        while let Some(remark) = remarks.next_if(|remark| remark.span.start < at || is_last) {
            about.push(remark);
        }
        plain_lines = if about.is_empty() { plain_lines + 1 } else { 0 };
        if plain_lines > MAX_PLAIN_LINES {
            left_out += line.len();
            continue;
        }
        print_left_out(&mut left_out, &mut out);
        print_line(line, &mut out);
        for line in about.iter().flat_map(|remark| remark.lines(WIDTH - INDENT.len())) {
            out.extend([INDENT, &line, "\n"]);
        }
    }
    print_left_out(&mut left_out, &mut out);
    out
}

fn print_left_out(bytes: &mut usize, out: &mut String) {
    if *bytes > 0 {
        *out += &format!("\\{{{bytes} bytes}}\\\n");
    }
    *bytes = 0;
}

/// Prints a line as in a transcript, but folded at the last column: CR LF is not shown, LF alone is
/// `\n`, and no line end is `\`.
fn print_line(line: &[u8], out: &mut String) {
    let (text, end) = match line {
        [text @ .., b'\r', b'\n'] => (text, ""),
        [text @ .., b'\n'] => (text, "\\n"),
        text => (text, "\\"),
    };
    let mut width = 0;
    for byte in &text[..text.len().min(MAX_LINE_BYTES)] {
        let shown = Visible(&[*byte]).to_string();
        if width + shown.len() + 2 > WIDTH {
            out.push_str("\\\n");
            width = 0;
        }
        width += shown.len();
        out.push_str(&shown);
    }
    let mut left_out = text.len().saturating_sub(MAX_LINE_BYTES);
    if left_out > 0 {
        out.push_str("\\\n");
        print_left_out(&mut left_out, out);
        out.truncate(out.len() - 2); // the line's own end follows
    }
    out.extend([end, "\n"]);
}

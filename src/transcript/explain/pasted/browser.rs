//! # Reading what the tools of browsers copy
//!
//! ```text
//! :authority:       a name, and its value in the next line
//! example.test
//! accept: */*       or both in one line
//! ```
//! A browser shows the heads of HTTP/2 and HTTP/3, which are binary, as lines. Their fields that
//! begin with a colon are the words of a request line or a status line. Their messages end without
//! framing in the head, so only their lines are explained. Next: [`words`](super::super::words).

use super::kind::{heads, is_written_by_a_tool, note};
use crate::message::dialogue::Side;
use crate::message::fields::is_token;
use crate::transcript::explain::remark::Remark;
use crate::transcript::explain::words::is_start_line;
use crate::transcript::glossary::{self, find, find_field};

/// Lines of such a text, at most: the table of a browser is shorter.
const MAX_LINES: usize = 2000;

/// The names in the summary that Chrome shows above the header fields.
const SUMMARY: [&str; 5] =
    ["Request URL", "Request Method", "Status Code", "Remote Address", "Referrer Policy"];

/// Reads heads of HTTP/2, and header fields without their first line: the lines, and their
/// explanations. `None` if the text is neither.
pub(super) fn read(text: &[u8]) -> Option<(Vec<u8>, Vec<Remark>)> {
    let (text, has_content) = without_content(text);
    let lines: Vec<&[u8]> =
        text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).take(MAX_LINES + 1).collect();
    let first = lines.iter().find(|line| !line.is_empty())?;
    let is_http1 = is_start_line(first) && !is_written_by_a_tool(first);
    let is_text = text.iter().all(|byte| !byte.is_ascii_control() || b"\r\n\t".contains(byte));
    if is_http1 || !is_text || lines.len() > MAX_LINES {
        return None;
    }
    let (mut all, mut head) = (Vec::new(), Vec::<Vec<u8>>::new());
    let (mut rest, mut joins) = (&lines[..], false);
    while let [line, after @ ..] = rest {
        rest = after;
        if line.is_empty() || is_heading(line) || is_start_line(line) {
            all.push(std::mem::take(&mut head));
        }
        if line.is_empty() || is_heading(line) {
            continue;
        }
        if is_summary(line) {
            // Its value may be in the next line.
            rest = if is_summary_name(line) { after.get(1..).unwrap_or_default() } else { after };
            continue;
        }
        if is_start_line(line) || is_field(line) {
            head.push(line.to_vec());
            continue;
        }
        let name = name_alone(line)?;
        // A name without a value is followed by the next name.
        let value =
            after.first().filter(|next| name_alone(next).is_none() || !next.ends_with(b":"));
        rest = if value.is_some() { &after[1..] } else { after };
        head.push([name, b": ", value.copied().unwrap_or_default()].concat());
        joins = true;
    }
    all.push(head);
    all.retain(|head| !head.is_empty());
    let fields = all.iter().flatten().filter(|line| !is_start_line(line)).count();
    let is_known = |line: &Vec<u8>| {
        let name = name_of(line);
        name.starts_with(b":") || find_field(name).is_some()
    };
    let has_few =
        fields < 2 || all.iter().flatten().filter(|line| is_known(line)).count() * 2 < fields;
    // A status line of HTTP/2 is enough.
    if has_few && !lines.iter().any(|line| is_status_line(line)) {
        return None;
    }
    let is_http2 =
        all.iter().flatten().any(|line| line.starts_with(b":") || is_written_by_a_tool(line));
    let mut notes = vec![note(glossary::COPIED_HEADS)];
    notes.extend(joins.then(|| note(glossary::JOINED_LINES)));
    let all: Vec<_> = all.into_iter().map(|head| (side(&head), head)).collect();
    let last = match is_http2 {
        _ if has_content => glossary::CONTENT_OF_HTTP2,
        true => glossary::HTTP2_HEADS,
        false => glossary::NO_FIRST_LINE,
    };
    Some(heads(&all, notes, last))
}

/// Whether the line is a status line of HTTP/2 or HTTP/3, as tools write it.
fn is_status_line(line: &[u8]) -> bool {
    line.starts_with(b"HTTP/") && is_written_by_a_tool(line)
}

/// Returns the text without the content that `curl -i` prints after the last response head of HTTP/2,
/// and whether there was content.
fn without_content(text: &[u8]) -> (&[u8], bool) {
    let is_head = |line: &[u8]| is_start_line(line) || is_heading(line) || is_summary(line);
    let (mut at, mut is_within, mut end) = (0, false, None);
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let shown = line.trim_ascii();
        match end {
            _ if is_head(shown) => (is_within, end) = (is_status_line(shown), None),
            // The content may begin with empty lines.
            Some(end) if !shown.is_empty() => return (&text[..end], true),
            _ if shown.is_empty() && is_within => (is_within, end) = (false, Some(at)),
            _ => {}
        }
        at += line.len();
    }
    (text, false)
}

/// Returns the name of `name: value`; that of HTTP/2 may begin with a colon.
fn name_of(line: &[u8]) -> &[u8] {
    let start = usize::from(line.starts_with(b":"));
    let colon = line[start..].iter().position(|&byte| byte == b':');
    &line[..colon.map_or(0, |colon| start + colon)]
}

fn is_name(name: &[u8]) -> bool {
    is_token(name.strip_prefix(b":").unwrap_or(name))
}

/// Whether the line is `name: value`.
fn is_field(line: &[u8]) -> bool {
    let name = name_of(line);
    is_name(name) && line.len() > name.len() + 1
}

/// Returns the name of a line that has no value: `name:`, or a name that is known.
fn name_alone(line: &[u8]) -> Option<&[u8]> {
    match line.strip_suffix(b":") {
        Some(name) => is_name(name).then_some(name),
        None => {
            let is_known =
                find(glossary::PSEUDO_FIELDS, line).is_some() || find_field(line).is_some();
            is_known.then_some(line)
        }
    }
}

/// Whether the line is a heading of a browser's table.
fn is_heading(line: &[u8]) -> bool {
    let headings =
        ["General", "Request Headers", "Response Headers", "Raw", "View source", "View parsed"];
    let is = |heading: &&str| {
        let rest = line.strip_prefix(heading.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b" ("))
    };
    headings.iter().any(is)
}

/// Whether the line is a row of the summary above the header fields, or its name.
fn is_summary(line: &[u8]) -> bool {
    SUMMARY.iter().any(|name| line.starts_with(name.as_bytes()))
}

fn is_summary_name(line: &[u8]) -> bool {
    SUMMARY.iter().any(|name| name.as_bytes() == line.strip_suffix(b":").unwrap_or(line))
}

/// Returns the side that sends such a head.
fn side(head: &[Vec<u8>]) -> Side {
    let is_of_request = |line: &Vec<u8>| {
        let name = name_of(line).to_ascii_lowercase();
        glossary::REQUEST_FIELDS.split(' ').any(|known| name == known.as_bytes())
    };
    match head.first() {
        Some(line) if line.starts_with(b"HTTP/") || line.starts_with(b":status") => Side::Server,
        Some(line) if is_start_line(line) || line.starts_with(b":") => Side::Client,
        _ if head.iter().any(is_of_request) => Side::Client,
        _ => Side::Server,
    }
}

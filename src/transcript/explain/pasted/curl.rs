//! # Reading what `curl -v` prints
//!
//! ```text
//! * Connected to h (127.0.0.1) port 5000     about the connection: left out
//! > GET / HTTP/1.1                           a line of the request's head
//! < HTTP/1.1 200 OK                          a line of the response's head
//! { [5 bytes data]                           content that was received, and is not shown
//! hello                                      content that is shown
//! ```
//! curl shows no content of a request, and no chunks. So content is written here as its length, or as
//! one chunk. Next: [`browser`](super::browser).

use super::kind::{Pasted, heads, is_written_by_a_tool, note};
use crate::message::dialogue::{Dialogue, Side};
use crate::message::ending::Ending;
use crate::message::fields::{parse_digits, without_line_end};
use crate::transcript::bytes::Bytes;
use crate::transcript::explain::words::is_start_line;
use crate::transcript::glossary;
use crate::transcript::model::{Block, Event, EventKind, Item, Transcript};
use crate::transcript::text::Note;

/// Reads a text with lines that begin with `> ` or `< `, and one of them a message.
pub(super) fn read(text: &[u8]) -> Option<Pasted> {
    let lines: Vec<&[u8]> = lines(text).collect();
    let starts = lines.iter().filter_map(|line| of_side(line)).map(|(_, line)| line);
    if !starts.clone().any(is_start_line) {
        return None;
    }
    let is_http2 = starts.clone().any(is_written_by_a_tool);
    if is_http2 {
        let notes = vec![note(glossary::CURL)];
        let (lines, remarks) = heads(&all_heads(&lines), notes, glossary::HTTP2_HEADS);
        return Some(Pasted::Heads { lines, remarks });
    }
    let mut reader = CurlReader::default();
    lines.into_iter().for_each(|line| reader.line(line));
    reader.end_content();
    reader.end_block();
    let transcript = Transcript { items: reader.items };
    Some(Pasted::Transcript { transcript, note: note(glossary::CURL) })
}

/// The lines, without the progress that curl overwrites with carriage returns. What curl says of the
/// connection may follow content without a line end.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split_inclusive(|&byte| byte == b'\n').map(without_line_end);
    lines.flat_map(|line| {
        let line = line.rsplit(|&byte| byte == b'\r').next().unwrap_or_default();
        let ends = [&b"* Connection #"[..], b"* Closing connection"];
        let find = |end: &[u8]| line.windows(end.len()).position(|part| part == end);
        match ends.into_iter().find_map(find) {
            Some(at @ 1..) => vec![&line[..at], &line[at..]],
            _ => vec![line],
        }
    })
}

/// Returns the side of a line of a head, and the line.
fn of_side(line: &[u8]) -> Option<(Side, &[u8])> {
    match line {
        [b'>', b' ', line @ ..] => Some((Side::Client, line)),
        [b'<', b' ', line @ ..] => Some((Side::Server, line)),
        b">" => Some((Side::Client, b"")),
        b"<" => Some((Side::Server, b"")),
        _ => None,
    }
}

/// Returns the heads, without their empty lines.
fn all_heads(lines: &[&[u8]]) -> Vec<(Side, Vec<Vec<u8>>)> {
    let mut heads: Vec<(Side, Vec<Vec<u8>>)> = Vec::new();
    let mut is_within = false;
    for (side, line) in lines.iter().filter_map(|line| of_side(line)) {
        if !is_within && !line.is_empty() {
            heads.push((side, Vec::new()));
        }
        is_within = !line.is_empty();
        if let Some((_, head)) = heads.last_mut().filter(|_| is_within) {
            head.push(line.to_vec());
        }
    }
    heads
}

/// Makes a transcript of the lines.
#[derive(Default)]
struct CurlReader {
    items: Vec<Item>,
    connection: u32,
    dialogue: Dialogue,
    /// The side whose bytes are being collected.
    side: Option<Side>,
    bytes: Bytes,
    is_within_head: bool,
    /// The content of a response that is shown.
    shown: Vec<u8>,
    /// Bytes of content of the current side that are not shown.
    count: u64,
}

impl CurlReader {
    fn line(&mut self, line: &[u8]) {
        if let Some((side, text)) = of_side(line) {
            // Some versions leave out the empty line after an interim response.
            if self.is_within_head && (self.side != Some(side) || is_start_line(text)) {
                self.push(b"\r\n");
            }
            self.is_within_head = !text.is_empty();
            if self.side != Some(side) {
                self.end_content();
                self.end_block();
                self.side = Some(side);
            } else if is_start_line(text) {
                self.end_content();
            }
            self.push(&[text, b"\r\n"].concat());
        } else if line.starts_with(b"* Connected to") {
            self.end_content();
            self.end_block();
            self.dialogue = Dialogue::new();
            self.connection += 1;
        } else if let Some(count) = byte_count(line) {
            self.count = self.count.saturating_add(count);
        } else if self.side == Some(Side::Server) && !is_about_connection(line) {
            self.shown.extend_from_slice(line);
            self.shown.push(b'\n');
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes.push_raw(bytes);
        if let Some(side) = self.side {
            self.dialogue.follow(side, bytes);
        }
    }

    fn leave_out(&mut self, side: Side, count: u64) {
        if count > 0 {
            self.bytes.push_left_out(count);
            self.dialogue.skip(side, count);
        }
    }

    /// Adds the content of the message whose head is complete.
    fn end_content(&mut self) {
        let shown = std::mem::take(&mut self.shown);
        let count = std::mem::take(&mut self.count);
        let Some(side) = self.side else { return };
        let reader = self.dialogue.reader(side);
        if !reader.is_within() {
            return;
        }
        let left = reader.content_left();
        match reader.ending() {
            Some(Ending::Length(_)) => {
                match usize::try_from(left).ok().and_then(|left| shown.get(..left)) {
                    Some(shown) => self.push(shown),
                    None => self.leave_out(side, left),
                }
            }
            Some(Ending::Chunked) => {
                let shown = shown.strip_suffix(b"\n").unwrap_or(&shown);
                if shown.is_empty() {
                    self.leave_out(side, count);
                } else {
                    self.push(format!("{:x}\r\n", shown.len()).as_bytes());
                    self.push(shown);
                    self.push(b"\r\n");
                }
                self.push(b"0\r\n\r\n");
            }
            Some(Ending::Close | Ending::CloseCoded) => {
                if shown.is_empty() {
                    self.leave_out(side, count);
                }
                self.push(shown.strip_suffix(b"\n").unwrap_or(&shown));
                self.end_block();
                self.items.push(Item::Event(Event {
                    connection: self.connection.max(1),
                    kind: EventKind::Closed(Side::Server),
                    note: Note::default(),
                }));
            }
            _ => {}
        }
    }

    fn end_block(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if let Some(from) = self.side.filter(|_| bytes != Bytes::new()) {
            let (connection, note) = (self.connection.max(1), Note::default());
            self.items.push(Item::Block(Block { connection, from, note, bytes }));
        }
    }
}

/// Returns the count of `{ [5 bytes data]`, in either direction.
fn byte_count(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{ [").or_else(|| line.strip_prefix(b"} ["))?;
    parse_digits(rest.strip_suffix(b" bytes data]")?)
}

/// Whether this is no content: what curl says of the connection, or its progress.
fn is_about_connection(line: &[u8]) -> bool {
    let progress = [&b"  % Total"[..], b"                                 Dload"];
    line.starts_with(b"* ")
        || progress.iter().any(|start| line.starts_with(start))
        || line.windows(8).any(|time| time == b"--:--:--")
}

//! # Writes one connection to its file
//!
//! The file is created at the first byte that crosses, and ends with the connection. Each event becomes
//! items, the items become text, and the text is one write. The result of each write is checked: after
//! an error, the file is cut back to its last complete event.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::process;
use std::time::{Instant, SystemTime};

use super::assertions::ResponseFacts;
use super::folder::{MAX_FILE_BYTES, RecordingFolder};
use super::left_out::LeftOut;
use crate::message::counted::counted;
use crate::message::date::imf_fixdate;
use crate::net::observer::End;
use crate::observe::follower::{FollowedBytes, end_event};
use crate::sys::peer_name;
use crate::transcript::notes;
use crate::transcript::{
    Assertion, Block, Bytes, Event, EventKind, Item, Note, Printer, Prose, Side,
};

/// Bytes kept free in a file for the lines at its end that say what it does not hold.
const CLOSING_LINES_BYTES: usize = 1024;

/// The same for the very last line.
const LAST_LINE_BYTES: usize = 128;

/// One connection, as it is recorded.
pub(super) struct RecordedConnection {
    number: u64,
    peer: SocketAddr,
    opened: SystemTime,
    /// The time of the last event.
    last_event: Instant,
    facts: ResponseFacts,
    /// Whether an exchange is in flight.
    is_in_flight: bool,
    client_ended: bool,
    server_ended: bool,
    /// A sentence about the connection, of watch itself: from then on nothing is asserted of the server.
    sentence: Option<String>,
    left_out: LeftOut,
    file: RecordingFile,
}

/// The state of a connection's file.
enum RecordingFile {
    /// No byte has crossed yet.
    NotCreated,
    Open(FileWriter),
    /// The file has its [`MAX_FILE_BYTES`]. Later bytes are only counted.
    Full(FileWriter, Counted),
    /// The file could not be created, could not be written, or is finished.
    Closed,
}

/// What has crossed since a file is full.
#[derive(Clone, Copy, Default)]
struct Counted {
    bytes: u64,
    /// Those that the server sent before anything else happened: the rest of a response, mostly. The
    /// file says how many they are, so that a player of it expects as many. `None` once it has.
    rest: Option<u64>,
}

struct FileWriter {
    file: File,
    printer: Printer,
    /// Bytes of text in the file.
    length: usize,
}

impl RecordedConnection {
    /// A connection that was opened just now.
    pub fn opened(number: u64, peer: SocketAddr) -> RecordedConnection {
        RecordedConnection {
            number,
            peer,
            opened: SystemTime::now(),
            last_event: Instant::now(),
            facts: ResponseFacts::default(),
            is_in_flight: false,
            client_ended: false,
            server_ended: false,
            sentence: None,
            left_out: LeftOut::default(),
            file: RecordingFile::NotCreated,
        }
    }

    /// Takes bytes that crossed. If `holds` is true, a request is written when its route is known.
    pub fn crossed(&mut self, followed: &FollowedBytes<'_>, holds: bool, folder: &RecordingFolder) {
        if holds && self.left_out.takes(followed) {
            return;
        }
        self.write_held(folder);
        self.write_crossed(followed, Instant::now(), folder);
    }

    /// Takes the route of the request that is held: whether its exchange is left out.
    pub fn routed(&mut self, is_left_out: bool, folder: &RecordingFolder) {
        for held in self.left_out.routed(is_left_out) {
            self.write_crossed(&held.followed(), held.at, folder);
        }
    }

    /// Writes what is held: its route will not be known.
    fn write_held(&mut self, folder: &RecordingFolder) {
        for held in self.left_out.release() {
            self.write_crossed(&held.followed(), held.at, folder);
        }
    }

    /// Writes bytes that crossed at `now`, and the assertions on the responses that end in them.
    fn write_crossed(
        &mut self,
        followed: &FollowedBytes<'_>,
        now: Instant,
        folder: &RecordingFolder,
    ) {
        if matches!(self.file, RecordingFile::Closed) {
            return;
        }
        let FollowedBytes { from, bytes, ranges, is_in_flight, .. } = *followed;
        let length = bytes.len() as u64;
        if let RecordingFile::Full(writer, counted) = &mut self.file {
            counted.bytes += length;
            match (&mut counted.rest, from) {
                (Some(rest), Side::Server) => {
                    *rest += length;
                    let assertions = self.facts.sent(ranges);
                    if !assertions.is_empty() {
                        writer.append_rest(&mut counted.rest, assertions);
                    }
                }
                (rest, _) => writer.append_rest(rest, Vec::new()),
            }
            return;
        }
        let note = Note::new(&notes::crossed(length, 1, now - self.last_event));
        let silence = self.silence(from, now);
        let block = Block { connection: 1, from, note, bytes: Bytes::raw(bytes) };
        let assertions = match from {
            Side::Server if self.sentence.is_none() => self.facts.sent(ranges),
            _ => Vec::new(),
        };
        self.is_in_flight = is_in_flight;
        self.create_file(folder);
        let rest = (from == Side::Server).then_some(length);
        let ends_response = !assertions.is_empty();
        let mut items = items_of(silence, Item::Block(block), assertions);
        if from == Side::Server && self.sentence.is_some() {
            items.push(Item::Assertions(Vec::new())); // so that nothing is said of these bytes
        }
        self.write(&items, Counted { bytes: length, rest }, folder);
        if let (RecordingFile::Full(writer, counted), true) = (&mut self.file, ends_response)
            && let Some(Item::Assertions(assertions)) = items.into_iter().last()
        {
            writer.append_rest(&mut counted.rest, assertions);
        }
    }

    /// Writes that a side ended its half, or reset the connection.
    pub fn ended(&mut self, end: End, folder: &RecordingFolder) {
        self.write_held(folder);
        let silence = self.silence(end.side(), Instant::now());
        let kind = end_event(end, self.server_ended);
        let mut assertions = Vec::new();
        if end.is_fin_of_server() && self.sentence.is_none() {
            assertions = self.facts.server_closed(!self.client_ended);
        }
        match end.side() {
            Side::Client => self.client_ended = true,
            Side::Server => self.server_ended = true,
        }
        let mut items = items_of(silence, event(kind), assertions);
        if end.is_reset() {
            // Before the reset, because a player has no connection after it.
            items.splice(0..0, self.facts.cut().map(Item::Assertions));
        }
        self.write(&items, Counted::default(), folder);
        if end.is_reset() || (self.client_ended && self.server_ended) {
            self.finish();
        }
    }

    /// Writes a sentence about the connection, as prose. If there is no file yet, it stands at its top.
    pub fn noted(&mut self, sentence: &str, folder: &RecordingFolder) {
        self.write_held(folder);
        self.sentence = Some(sentence.to_owned());
        self.write(&[Item::Prose(Prose::new(sentence))], Counted::default(), folder);
    }

    /// The silence that this side ends, if a player of the file has to keep it or wait for it. The time
    /// between a response and the client's next request is not recorded.
    fn silence(&mut self, from: Side, now: Instant) -> Option<EventKind> {
        let time = now - std::mem::replace(&mut self.last_event, now);
        let is_kept = from == Side::Server || self.is_in_flight;
        notes::silence(time).filter(|_| is_kept)
    }

    /// Writes the assertions on a response that is cut short here, and how many bytes the file does not
    /// hold, if any. Nothing is written after this.
    pub fn finish(&mut self) {
        let (mut writer, item) = match std::mem::replace(&mut self.file, RecordingFile::Closed) {
            RecordingFile::Open(writer) => (writer, self.facts.cut().map(Item::Assertions)),
            RecordingFile::Full(mut writer, mut counted) => {
                writer.append_rest(&mut counted.rest, self.facts.cut().unwrap_or_default());
                let bytes = counted.bytes;
                let line = format!("bytes that crossed and are not in this file: {bytes}");
                (writer, Some(Item::Prose(Prose::new(&line))))
            }
            RecordingFile::NotCreated | RecordingFile::Closed => return,
        };
        if let Some(item) = item {
            let text = writer.text(&[item]);
            let _ = writer.file.write_all(text.as_bytes()); // the last lines: an error loses no other
        }
    }

    /// Creates the file with its two title lines, unless that was tried before.
    fn create_file(&mut self, folder: &RecordingFolder) {
        if !matches!(self.file, RecordingFile::NotCreated) {
            return;
        }
        let date = imf_fixdate(self.opened);
        let date = String::from_utf8_lossy(&date);
        let (number, process) = (self.number, process::id());
        self.file = match folder.create(number) {
            Some(file) => {
                RecordingFile::Open(FileWriter { file, printer: Printer::new(), length: 0 })
            }
            None => RecordingFile::Closed,
        };
        let lines = [
            format!("Connection {number} of process {process}"),
            format!("{date}: {} speaks to {}", peer_name(self.peer), folder.server),
        ];
        let lines = lines.iter().chain(&self.sentence);
        let lines: Vec<Item> = lines.map(|line| Item::Prose(Prose::new(line))).collect();
        self.write(&lines, Counted::default(), folder);
    }

    /// Writes items. `counted` is what a full file counts of them instead.
    fn write(&mut self, items: &[Item], counted: Counted, folder: &RecordingFolder) {
        self.file = match std::mem::replace(&mut self.file, RecordingFile::Closed) {
            RecordingFile::Open(mut writer) => {
                let before = writer.printer;
                let text = writer.text(items);
                let result = if writer.length + text.len() + CLOSING_LINES_BYTES <= MAX_FILE_BYTES {
                    writer.append(&text).map(|()| RecordingFile::Open(writer))
                } else {
                    let bound = MAX_FILE_BYTES >> 20;
                    let line = Item::Prose(Prose::new(&format!(
                        "from here on bytes are only counted: {bound} MiB is the bound of a file"
                    )));
                    writer.printer = before;
                    let text = writer.text(&[line]);
                    writer.append(&text).map(|()| RecordingFile::Full(writer, counted))
                };
                result.unwrap_or_else(|error| {
                    folder.report_error(&error);
                    RecordingFile::Closed
                })
            }
            RecordingFile::Full(mut writer, mut counted) => {
                writer.append_rest(&mut counted.rest, Vec::new());
                RecordingFile::Full(writer, counted)
            }
            file @ (RecordingFile::NotCreated | RecordingFile::Closed) => file,
        };
    }
}

impl Drop for RecordedConnection {
    fn drop(&mut self) {
        self.finish();
    }
}

impl FileWriter {
    fn text(&mut self, items: &[Item]) -> String {
        let mut text = String::new();
        items.iter().for_each(|item| self.printer.print(item, &mut text));
        text
    }

    /// Appends a block of as many bytes as were counted, and the assertions on the response that ends in
    /// them, if they fit.
    fn append_rest(&mut self, rest: &mut Option<u64>, assertions: Vec<Assertion>) {
        let Some(count) = rest.take() else { return };
        let mut bytes = Bytes::new();
        bytes.push_left_out(count);
        let note = Note::new(&format!("{}, only counted", counted(count, "byte", "bytes")));
        let block = Item::Block(Block { connection: 1, from: Side::Server, note, bytes });
        let mut items = items_of(None, block, assertions);
        while !items.is_empty() {
            let before = self.printer;
            let text = self.text(&items);
            if self.length + text.len() + LAST_LINE_BYTES <= MAX_FILE_BYTES {
                let _ = self.append(&text); // an error loses no line before
                return;
            }
            self.printer = before;
            items.pop();
        }
    }

    /// Appends all of the text to the file, or nothing.
    fn append(&mut self, text: &str) -> std::io::Result<()> {
        self.file.write_all(text.as_bytes()).inspect_err(|_| {
            let _ = self.file.set_len(self.length as u64);
        })?;
        self.length += text.len();
        Ok(())
    }
}

/// The items of one event: the silence before it, the event, the assertions after it.
fn items_of(silence: Option<EventKind>, item: Item, assertions: Vec<Assertion>) -> Vec<Item> {
    let assertions = (!assertions.is_empty()).then_some(Item::Assertions(assertions));
    silence.map(event).into_iter().chain([item]).chain(assertions).collect()
}

fn event(kind: EventKind) -> Item {
    Item::Event(Event { connection: 1, kind, note: Note::default() })
}

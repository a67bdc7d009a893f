//! # One file
//!
//! From the first byte that crosses to the end of a connection: each event becomes items, the items
//! text, and the text one write. What the system says to that is looked at each time: a file that
//! cannot be written is cut back to the last event that is whole.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::process;
use std::time::{Instant, SystemTime};

use openkitchen::End;
use openkitchen::message::date::imf_fixdate;
use openkitchen::transcript::{
    Assertion, Block, Bytes, Event, EventKind, Item, Note, Printer, Prose, Side,
};

use super::{ExchangeFollower, FILE_BYTES, Recorder};
use crate::cli::note;

/// Room in a file for the two lines at its end that say what is not in it.
const LAST_WORDS: usize = 256;

/// One connection, as it is written down.
pub(super) struct RecordedConnection {
    number: u64,
    peer: SocketAddr,
    opened: SystemTime,
    /// When something happened last.
    last: Instant,
    follower: ExchangeFollower,
    client_left: bool,
    server_left: bool,
    paper: Paper,
}

/// Where a page is written.
enum Paper {
    /// Nothing has crossed yet.
    Blank,
    File(Writing),
    /// It has its [`FILE_BYTES`]: so many bytes have crossed since.
    Full(Writing, u64),
    /// There is no file, or none any more.
    None,
}

struct Writing {
    file: File,
    printer: Printer,
    /// Bytes of text in the file.
    length: usize,
}

impl RecordedConnection {
    /// A connection was opened, just now.
    pub fn opened(number: u64, peer: SocketAddr) -> RecordedConnection {
        RecordedConnection {
            number,
            peer,
            opened: SystemTime::now(),
            last: Instant::now(),
            follower: ExchangeFollower::new(),
            client_left: false,
            server_left: false,
            paper: Paper::Blank,
        }
    }

    /// Bytes crossed.
    pub fn crossed(&mut self, from: Side, bytes: &[u8], recorder: &Recorder) {
        if matches!(self.paper, Paper::None) {
            return;
        }
        let now = Instant::now();
        let length = bytes.len() as u64;
        let note = Note::new(&note::crossed(length, 1, now - self.last));
        let silence = self.silence(from, now);
        let block = Block { connection: 1, from, note, bytes: Bytes::raw(bytes) };
        let assertions = match from {
            Side::Client => {
                self.follower.received(bytes);
                Vec::new()
            }
            Side::Server => self.follower.sent(bytes),
        };
        self.begin(recorder);
        self.write(&page(silence, Item::Block(block), assertions), length, recorder);
    }

    /// A side left. Says whether that was the last of it.
    pub fn ended(&mut self, end: End, recorder: &Recorder) -> bool {
        let from = match end {
            End::ClientClosed | End::ClientReset => Side::Client,
            End::ServerClosed | End::ServerReset => Side::Server,
        };
        let silence = self.silence(from, Instant::now());
        let mut assertions = Vec::new();
        let kind = match end {
            // Whether it still listens, nobody knows yet.
            End::ClientClosed if !self.server_left => EventKind::HalfClose(Side::Client),
            End::ClientClosed => EventKind::Closed(Side::Client),
            End::ServerClosed => {
                assertions = self.follower.server_closed(!self.client_left);
                EventKind::Closed(Side::Server)
            }
            End::ClientReset => EventKind::Reset(Side::Client),
            End::ServerReset => EventKind::Reset(Side::Server),
        };
        self.client_left |= matches!(end, End::ClientClosed | End::ClientReset);
        self.server_left |= matches!(end, End::ServerClosed | End::ServerReset);
        self.write(&page(silence, event(kind), assertions), 0, recorder);
        let was_reset = matches!(end, End::ClientReset | End::ServerReset);
        was_reset || (self.client_left && self.server_left)
    }

    /// The silence that this side ends, if somebody who plays the file again has to keep it, or to
    /// wait for it. How long a client thinks before its next request is its own affair.
    fn silence(&mut self, from: Side, now: Instant) -> Option<EventKind> {
        let time = now - std::mem::replace(&mut self.last, now);
        let is_kept = from == Side::Server || self.follower.is_in_flight();
        note::silence(time).filter(|_| is_kept)
    }

    /// Says what is not in the file, and writes nothing more.
    pub fn finish(&mut self) {
        if let Paper::Full(mut writing, left_out) = std::mem::replace(&mut self.paper, Paper::None)
        {
            let line = format!("bytes that crossed and are not in this file: {left_out}");
            let text = writing.text(&[Item::Prose(Prose::new(&line))]);
            let _ = writing.file.write_all(text.as_bytes()); // there is nothing left to lose
        }
    }

    /// Makes the file, if that has not been tried, with its title: when, and who.
    fn begin(&mut self, recorder: &Recorder) {
        if !matches!(self.paper, Paper::Blank) {
            return;
        }
        let date = imf_fixdate(self.opened);
        let date = String::from_utf8_lossy(&date);
        let (number, process) = (self.number, process::id());
        self.paper = match recorder.create(&format!("{}-{process}-{number}.wire", stamp(&date))) {
            Some(file) => Paper::File(Writing { file, printer: Printer::new(), length: 0 }),
            None => Paper::None,
        };
        let lines = [
            format!("Connection {number} of process {process}"),
            format!("{date}: {} speaks to {}", self.peer, recorder.whom),
        ];
        self.write(&lines.map(|line| Item::Prose(Prose::new(&line))), 0, recorder);
    }

    /// Writes items, which tell of so many bytes.
    fn write(&mut self, items: &[Item], bytes: u64, recorder: &Recorder) {
        self.paper = match std::mem::replace(&mut self.paper, Paper::None) {
            Paper::File(mut writing) => {
                let before = writing.printer;
                let text = writing.text(items);
                let result = if writing.length + text.len() + LAST_WORDS <= FILE_BYTES {
                    writing.put(&text).map(|()| Paper::File(writing))
                } else {
                    let bound = FILE_BYTES >> 20;
                    let line = Item::Prose(Prose::new(&format!(
                        "from here on bytes are only counted: {bound} MiB is the bound of a file"
                    )));
                    writing.printer = before;
                    let text = writing.text(&[line]);
                    writing.put(&text).map(|()| Paper::Full(writing, bytes))
                };
                result.unwrap_or_else(|error| {
                    recorder.has_failed(&error);
                    Paper::None
                })
            }
            Paper::Full(writing, left_out) => Paper::Full(writing, left_out + bytes),
            paper @ (Paper::Blank | Paper::None) => paper,
        };
    }
}

impl Drop for RecordedConnection {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Writing {
    fn text(&mut self, items: &[Item]) -> String {
        let mut text = String::new();
        items.iter().for_each(|item| self.printer.print(item, &mut text));
        text
    }

    /// Appends to the file: all of it, or nothing.
    fn put(&mut self, text: &str) -> std::io::Result<()> {
        self.file.write_all(text.as_bytes()).inspect_err(|_| {
            let _ = self.file.set_len(self.length as u64);
        })?;
        self.length += text.len();
        Ok(())
    }
}

/// What happened, with the silence before it and the assertions behind it.
fn page(silence: Option<EventKind>, item: Item, assertions: Vec<Assertion>) -> Vec<Item> {
    let assertions = (!assertions.is_empty()).then_some(Item::Assertions(assertions));
    silence.map(event).into_iter().chain([item]).chain(assertions).collect()
}

fn event(kind: EventKind) -> Item {
    Item::Event(Event { connection: 1, kind, note: Note::default() })
}

/// `19941106T084937Z` for `Sun, 06 Nov 1994 08:49:37 GMT`: files then stand in the order of time.
fn stamp(date: &str) -> String {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let part = |from: usize, to: usize| date.get(from..to).unwrap_or_default();
    let month = MONTHS.find(part(8, 11)).unwrap_or_default() / 3 + 1;
    let (year, day) = (part(12, 16), part(5, 7));
    format!("{year}{month:02}{day}T{}{}{}Z", part(17, 19), part(20, 22), part(23, 25))
}

#[cfg(test)]
mod tests {
    use openkitchen::message::date;

    use super::*;

    #[test]
    fn a_stamp_is_a_date_that_can_be_sorted() {
        let stamp_of =
            |moment| stamp(std::str::from_utf8(&imf_fixdate(moment)).unwrap_or_default());
        assert_eq!(stamp_of(date::example()), "19941106T084937Z");
        assert_eq!(stamp_of(SystemTime::UNIX_EPOCH), "19700101T000000Z");
    }
}

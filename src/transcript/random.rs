//! Random models for the tests. They hold what a person does not write but a client may send.

use std::num::NonZeroU32;

use super::*;

/// Marsaglia's xorshift generator. The field is its state; each run gives the same models.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 16) % bound
    }

    fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize].clone()
    }

    pub(super) fn transcript(&mut self) -> Transcript {
        Transcript { items: (0..self.below(6)).map(|_| self.item()).collect() }
    }

    fn item(&mut self) -> Item {
        match self.below(6) {
            0 => Item::Prose(Prose::new(&self.text())),
            1 => Item::Event(Event {
                connection: self.connection(),
                kind: self.event_kind(),
                note: Note::new(&self.text()),
            }),
            2 => Item::Assertions((0..self.below(4)).map(|_| self.assertion()).collect()),
            _ => Item::Block(Block {
                connection: self.connection(),
                from: self.side(),
                note: Note::new(&self.text()),
                bytes: self.bytes(),
            }),
        }
    }

    fn connection(&mut self) -> u32 {
        self.one_of(&[1, 1, 2, 0, u32::MAX])
    }

    fn side(&mut self) -> Side {
        self.one_of(&[Side::Client, Side::Server])
    }

    fn millis(&mut self) -> Millis {
        Millis(self.one_of(&[0, 1, 200, 1000, 1001, 60_000, u64::MAX, u64::MAX / 1000 * 1000]))
    }

    fn event_kind(&mut self) -> EventKind {
        match self.below(6) {
            0 => EventKind::Open,
            1 => EventKind::HalfClose(self.side()),
            2 => EventKind::Closed(self.side()),
            3 => EventKind::Reset(self.side()),
            4 => EventKind::Wait(self.millis()),
            _ => EventKind::Silent(self.millis()),
        }
    }

    /// Text for a note or prose, mostly made of parts that look like syntax.
    fn text(&mut self) -> String {
        const WORDS: [&str; 18] = [
            " ", " ", "\t", "@2", "@", "@x", "#", ">>>", "---", "200ms", "wait", "\n", "\r", "\\",
            "é", "\u{85}", "\u{2028}", "\u{3000}",
        ];
        (0..self.below(6)).map(|_| self.one_of(&WORDS)).collect()
    }

    fn bytes(&mut self) -> Bytes {
        let mut bytes = Bytes::new();
        for _ in 0..self.below(5) {
            match self.below(5) {
                0 => bytes.push_left_out(self.one_of(&[0, 1, 8412, u64::MAX])),
                1 => {
                    let times = self.one_of(&[0, 1, 101, 1_000_000, u64::MAX]);
                    // A repeat that is too long is refused and must change nothing.
                    let _ = bytes.push_repeat(times, &self.raw());
                }
                _ => bytes.push_raw(&self.raw()),
            }
        }
        bytes
    }

    /// Bytes that are hard to print or parse, and lines that are long enough to be folded.
    fn raw(&mut self) -> Vec<u8> {
        const PARTS: [&[u8]; 38] = [
            b"\r\n",
            b"\r\n",
            b"\n",
            b"\r",
            b" ",
            b"  ",
            b"\\",
            b"\\n",
            b"\\{",
            b"}",
            b"\"",
            b"#",
            b">>>",
            b"<<<",
            b"---",
            b"???",
            b"-",
            b"\0",
            b"\t",
            b"\xff",
            b"\x7f",
            "é".as_bytes(),
            "Grüße, 東京".as_bytes(),
            "\u{301}".as_bytes(),
            "e\u{301}\u{302}".as_bytes(),
            // Cut characters: a start, an end, and the first byte of four.
            b"\xe6\x9d",
            b"\x9d\xb1",
            b"\xf0",
            // A control character, a change of direction, letters without a glyph, and a space.
            "\u{85}".as_bytes(),
            "\u{202e}".as_bytes(),
            "\u{3164}".as_bytes(),
            "\u{fe0f}".as_bytes(),
            "\u{3000}".as_bytes(),
            b" HTTP/1.1",
            b"HTTP/1.1 200 OK\r\n",
            b"\r\n\r\n",
            b"Host: a",
            b"GET",
        ];
        let mut raw = Vec::new();
        for _ in 0..self.below(8) {
            match self.below(9) {
                0 => raw.extend((0..self.below(140)).map(|_| b" -az~"[self.below(5) as usize])),
                1 => raw.extend((0..self.below(140)).map(|_| self.next() as u8)),
                2 => {
                    const LETTERS: [&str; 6] = ["a", "é", "東", "🙂", "\u{301}", "\u{202e}"];
                    let letters = (0..self.below(140)).map(|_| self.one_of(&LETTERS));
                    raw.extend_from_slice(letters.collect::<String>().as_bytes());
                }
                _ => raw.extend(self.one_of(&PARTS)),
            }
        }
        raw
    }

    fn assertion(&mut self) -> Assertion {
        let fact = match self.below(12) {
            0 => return Assertion::Closed,
            1 => return Assertion::Open(self.millis()),
            2 => {
                let statuses = self.one_of(&["400", "4xx", "400|501", "1xx|999|200"]);
                Fact::Status(Statuses::new(statuses).expect("statuses"))
            }
            3 => Fact::Field(self.field_name()),
            4 => Fact::FieldIs(self.field_name(), self.raw()),
            5 => Fact::FieldContains(self.field_name(), self.raw()),
            6 => Fact::NoField(self.field_name()),
            7 => Fact::Body(self.raw()),
            8 => {
                let methods = self.one_of(&["GET", "get|M-SEARCH", "status|closed"]);
                Fact::Method(Methods::new(methods).expect("methods"))
            }
            9 => Fact::TargetIs(self.raw()),
            10 => Fact::TargetContains(self.raw()),
            _ => Fact::BodyContains(self.raw()),
        };
        let nth = NonZeroU32::new(self.one_of(&[1, 1, 2, u32::MAX])).expect("not zero");
        Assertion::Message { nth, fact }
    }

    fn field_name(&mut self) -> FieldName {
        let name = self.one_of(&["Date", "is", "contains", "#", "x-|~", "closed"]);
        FieldName::new(name).expect("a token")
    }

    /// Changes the text in one place: at most two bytes are doubled, removed or replaced by syntax.
    pub fn mutate(&mut self, text: &mut Vec<u8>) {
        const SYNTAX: [&str; 30] = [
            "\n",
            "\n\n",
            " ",
            "\\",
            "\\x",
            "\\{",
            "\"",
            "}",
            "@",
            "1",
            "x",
            "#",
            "\n>>>",
            "\n---",
            "\n???",
            "\n???\nbody ",
            ":",
            "é",
            "東",
            "\u{301}",
            "\u{202e}",
            "\u{3164}",
            "\u{85}",
            "\u{feff}",
            " HTTP/1.1",
            "\nHTTP/",
            "\n\n",
            "\\xc3",
            "\r",
            "\t",
        ];
        let at = self.below(text.len() as u64 + 1) as usize;
        let end = (at + self.below(3) as usize).min(text.len());
        let replacement = match self.below(3) {
            0 => text[at..end].repeat(2),
            1 => Vec::new(),
            _ => self.one_of(&SYNTAX).into(),
        };
        text.splice(at..end, replacement);
    }
}

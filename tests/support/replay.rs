//! A page, played against the app: what it says was sent is sent, what it says came must come.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use openkitchen::message::visible::Visible;
use openkitchen::transcript::{Assertion, Block, Event, EventKind, Item, Side, judge};
use openkitchen::{Observer, ServerHandle};

use super::pace::{Gate, IN_ONE_WRITE, Pace};
use super::page::Page;
use super::raw_client::{self, Ended};
use super::site::likes::Likes;
use super::site::{self, Contact, Site};
use super::{app, differ};

/// How long an answer may take to come. Nobody waits for it but where the server is wrong.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a connection that a page leaves open is watched, and must stay open and silent.
const AFTERWARDS: Duration = Duration::from_millis(20);

/// A connection, and what a page has said of it.
pub type Line = raw_client::RawClient<Told>;

#[derive(Default)]
pub struct Told {
    /// How many of the bytes that came.
    pub judged: usize,
    /// Whether it told how the server's side ended.
    pub end: bool,
    /// How many final answers its assertions have spoken of.
    answered: usize,
    /// The client's own address.
    client: Option<SocketAddr>,
}

/// What came and no page has spoken of.
pub fn unjudged(line: &Line) -> &[u8] {
    &line.got[line.noted.judged..]
}

/// Plays a page against a server of its own. `Err` says where the two differ.
pub fn replay(page: &Page, pace: Pace) -> Result<(), String> {
    let mut stage = Stage::new(page, pace);
    for item in &page.transcript.items {
        stage.play(item)?;
    }
    stage.end()
}

/// A server, and who speaks with it. Fields are dropped in this order: first the clients go.
pub struct Stage {
    lines: BTreeMap<u32, Line>,
    server: ServerHandle,
    gate: Option<Arc<Gate>>,
    pace: Pace,
    /// The connection that was spoken of last: assertions are on its answers.
    last: u32,
}

impl Stage {
    /// Starts the server that the page asks for. Only the slow paces need to know what it has read,
    /// so the quick one also shows that a server nobody watches does the same.
    pub fn new(page: &Page, pace: Pace) -> Stage {
        let gate = (pace != Pace::Whole).then(Arc::<Gate>::default);
        let observer = gate.clone().map(|gate| gate as Arc<dyn Observer>);
        let server = match page.fixture() {
            app::SITE => {
                let site = Site::new(Likes::in_memory(), None, Contact::default());
                app::server(app::SITE, observer).start(&site::ROUTES, site).expect("a thread")
            }
            fixture => app::start(fixture, observer),
        };
        Stage { lines: BTreeMap::new(), server, gate, pace, last: 1 }
    }

    /// The line of that number; the first to ask for it connects.
    pub fn line(&mut self, connection: u32) -> Result<&mut Line, String> {
        self.last = connection;
        if !self.lines.contains_key(&connection) {
            let line = connect(self.server.address());
            let line = line.map_err(|error| format!("could not connect: {error}\n"))?;
            self.lines.insert(connection, line);
        }
        self.lines.get_mut(&connection).ok_or_else(String::new)
    }

    /// All lines, with their numbers.
    pub fn lines(&self) -> impl Iterator<Item = (u32, &Line)> {
        self.lines.iter().map(|(&connection, line)| (connection, line))
    }

    /// Plays one item of a page.
    pub fn play(&mut self, item: &Item) -> Result<(), String> {
        match item {
            Item::Prose(_) => Ok(()),
            Item::Block(block) if block.from == Side::Client => self.send(block),
            Item::Block(block) => {
                let expected = block.bytes.expand().ok_or("bytes were left out of a block\n")?;
                expect(self.line(block.connection)?, &expected)
            }
            Item::Event(event) => self.event(event),
            Item::Assertions(assertions) => self.judge(assertions),
        }
    }

    fn send(&mut self, block: &Block) -> Result<(), String> {
        let bytes = block.bytes.expand().ok_or("bytes were left out of a block\n")?;
        let in_one_write = block.note.as_str() == IN_ONE_WRITE;
        let pace = if in_one_write { Pace::Whole } else { self.pace };
        let gate = self.gate.clone();
        let line = self.line(block.connection)?;
        for piece in pace.pieces(&bytes) {
            // A server that has refused early may have closed: then the rest does not leave.
            let has_left = line.send(piece);
            if let (true, Some(gate), Some(client)) = (has_left, &gate, line.noted.client)
                && !gate.wait(client, line.sent.len())
            {
                return Err(format!("the server does not read byte {}\n", line.sent.len()));
            }
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<(), String> {
        let line = self.line(event.connection)?;
        match event.kind {
            EventKind::Open => Ok(()),
            EventKind::HalfClose(Side::Client) => {
                line.half_close();
                Ok(())
            }
            EventKind::Closed(Side::Client) => {
                self.lines.remove(&event.connection);
                Ok(())
            }
            EventKind::Closed(Side::Server) => expect_end(line, Ended::Closed),
            EventKind::Reset(Side::Server) => expect_end(line, Ended::Reset),
            EventKind::Wait(time) => {
                thread::sleep(time.into());
                Ok(())
            }
            EventKind::Silent(time) => expect_silence(line, time.into()),
            kind => Err(format!("the runner cannot play `{kind}`\n")),
        }
    }

    /// Judges assertions on the answers since the last assertions.
    fn judge(&mut self, assertions: &[Assertion]) -> Result<(), String> {
        let line = self.line(self.last)?;
        let (answered, sent) = (line.noted.answered, line.sent.clone());
        let wanted = answered + assertions.iter().map(judge::nth).max().unwrap_or(0);
        line.read_while(PATIENCE, |line| judge::finals(&sent, &line.got, false).len() < wanted);
        let ended = line.ended != Ended::Open;
        let answers = judge::finals(&sent, &line.got, ended);
        if let Some(rest) = judge::stray(&sent, &line.got, ended) {
            return Err(format!("bytes that belong to no answer: {}\n", Visible(rest)));
        }
        (line.noted.answered, line.noted.judged) = (answers.len(), line.got.len());
        for assertion in assertions {
            judge::judge(assertion, answers.get(answered..).unwrap_or_default())
                .map_err(|found| format!("`{assertion}` is not true: {found}\n"))?;
            match assertion {
                Assertion::Closed => expect_end(line, Ended::Closed)?,
                Assertion::Open(time) => expect_silence(line, (*time).into())?,
                Assertion::Response { .. } => {}
            }
        }
        Ok(())
    }

    /// What the page does not speak of must not happen.
    fn end(mut self) -> Result<(), String> {
        let mut open = self.lines.values_mut().filter(|line| !line.noted.end);
        open.try_for_each(|line| expect_silence(line, AFTERWARDS))
    }
}

fn connect(address: SocketAddr) -> io::Result<Line> {
    let stream = TcpStream::connect(address)?;
    let client = stream.local_addr()?;
    let mut line = Line::new(stream, PATIENCE)?;
    line.noted.client = Some(client);
    Ok(line)
}

/// These bytes come next.
fn expect(line: &mut Line, expected: &[u8]) -> Result<(), String> {
    line.read_while(PATIENCE, |line| {
        let got = unjudged(line);
        got.len() < expected.len() && expected.starts_with(got)
    });
    let length = unjudged(line).len().min(expected.len());
    let got = &unjudged(line)[..length];
    let Some(at) = differ::first(expected, got) else {
        line.noted.judged += length;
        return Ok(());
    };
    let end = match (at == length, line.ended) {
        (true, Ended::Open) => "nothing more came",
        (true, Ended::Closed) => "the server closed",
        (true, Ended::Reset) => "the server reset the connection",
        _ => "other bytes came",
    };
    Err(format!("{end}:\n{}", differ::shown(expected, unjudged(line), at)))
}

/// Nothing more comes, and the connection ends like this.
fn expect_end(line: &mut Line, expected: Ended) -> Result<(), String> {
    line.read_while(PATIENCE, |line| unjudged(line).is_empty());
    line.noted.end = true;
    no_more(line)?;
    if line.ended == expected {
        return Ok(());
    }
    let is = |ended| match ended {
        Ended::Open => "is open",
        Ended::Closed => "was closed in order",
        Ended::Reset => "was reset",
    };
    Err(format!("the connection {}, where the page says it {}\n", is(line.ended), is(expected)))
}

/// Nothing more comes, and the connection stays open.
fn expect_silence(line: &mut Line, time: Duration) -> Result<(), String> {
    line.read_while(time, |line| unjudged(line).is_empty());
    no_more(line)?;
    match line.ended {
        Ended::Open => Ok(()),
        _ => Err("the server ended a connection that the page leaves open\n".to_string()),
    }
}

fn no_more(line: &Line) -> Result<(), String> {
    match differ::first(&[], unjudged(line)) {
        None => Ok(()),
        Some(at) => Err(format!("more came:\n{}", differ::shown(&[], unjudged(line), at))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::pace::ALL;
    use super::*;

    const GET: &str = "# t\n# c\n\n>>>\nGET /empty HTTP/1.0\n\n";
    const ANSWER: &str = "<<<\nHTTP/1.1 200 OK\nDate: Sun, 06 Nov 1994 08:49:37 GMT\n\
        Connection: close\nContent-Type: text/plain; charset=utf-8\nContent-Length: 0\n\n";

    fn played(server: &str) -> Result<(), String> {
        let page = Page::parse("9112-0-test/x.wire", &format!("{GET}{server}"));
        ALL.into_iter().try_for_each(|pace| replay(&page, pace))
    }

    #[test]
    fn what_comes_is_what_the_page_says() {
        assert_eq!(
            played(&format!("{ANSWER}--- server closed\n???\nstatus 200\nclosed\n")),
            Ok(())
        );
        assert_eq!(played("???\nstatus 200\nclosed\n"), Ok(()));
    }

    #[test]
    fn what_comes_otherwise_is_found() {
        let closed = "--- server closed\n";
        for (server, told) in [
            (String::new(), "more came"),
            (ANSWER.to_string(), "ended a connection that the page leaves open"),
            (ANSWER.replace("200", "201") + closed, "^ byte 11"),
            (format!("{ANSWER}and more\n{closed}"), "the server closed:"),
            (ANSWER.replace("0\n\n", "0\n") + closed, "more came"),
            (format!("{ANSWER}--- server reset\n"), "was closed in order"),
            (format!("{ANSWER}--- silent 50ms\n"), "ended a connection"),
            (format!("{ANSWER}???\nopen 50ms\n"), "ended a connection"),
            ("???\nstatus 400\n".to_string(), "`status 400` is not true"),
            ("???\n2: status 200\n".to_string(), "1 answer came"),
        ] {
            assert!(played(&server).is_err_and(|fault| fault.contains(told)), "{server}");
        }
    }
}

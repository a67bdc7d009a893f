//! # The lab: sends bytes to this server, and tells what comes back as it comes
//!
//! The page writes a transcript with the client's side, and gets a line of JSON for each thing that
//! happens:
//!
//! ```text
//! {"at":0.091,"kind":"sent","bytes":"GET / HTTP/1.1\r\n\r\n"}
//! {"at":0.402,"kind":"received","bytes":"HTTP/1.1 400 Bad Request..."}
//! {"at":0.533,"kind":"end","text":"server closed"}
//! {"kind":"done", ...}
//! ```
//! The bytes go to this server's own listener (in `watch`: through watch to the watched server), and
//! nowhere else: no text of a page names another.
//!
//! Bounds: 4 labs at a time; 64 KiB sent, 256 KiB received, 15 seconds.

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use openkitchen::message::ending::Ending;
use openkitchen::message::outline::Outline;
use openkitchen::observe::{Exchanges, ReadOrWrite};
use openkitchen::play::script;
use openkitchen::play::send::{SendOptions, SendPlayer, SendViewer};
use openkitchen::transcript::explain::ConnectionExplainer;
use openkitchen::transcript::{EventKind, Item, Side, Transcript};
use openkitchen::{Response, Status};

use super::super::json;
use super::message::{self, millis};
use super::{Kitchen, Place, sentence};

const MAX_LABS: usize = 4;
const MAX_SENT_BYTES: usize = 64 * 1024;
const MAX_RECEIVED_BYTES: u64 = 256 * 1024;
const MAX_TIME: Duration = Duration::from_secs(15);

/// Silence after which a wait ends.
const SILENCE: Duration = Duration::from_secs(2);

/// Lines that wait for the page.
const MAX_LINES: usize = 16;

/// How long the lab waits until the server has told its exchange.
const EXCHANGE_WAIT: Duration = Duration::from_millis(200);

/// Sends what a transcript says.
pub fn send(kitchen: &Kitchen, text: &[u8]) -> Result<Response, Response> {
    let transcript = parse(text)?;
    let place = kitchen.place(|parts| &parts.labs, MAX_LABS).ok_or_else(|| {
        let text = format!("{MAX_LABS} labs send already. Try again in a moment.");
        sentence(Status::SERVICE_UNAVAILABLE, &text).field("Retry-After", "1")
    })?;
    let (lines, receiver) = sync_channel(MAX_LINES);
    let run = move || play(&place, &transcript, lines);
    thread::Builder::new().name("lab".into()).spawn(run).map_err(|error| {
        let text = format!("The lab has no thread: {error}.");
        sentence(Status::SERVICE_UNAVAILABLE, &text)
    })?;
    Ok(Response::stream("application/x-ndjson", Lines { receiver, unread: Vec::new(), at: 0 }))
}

/// Reads the transcript, and checks its bounds.
fn parse(text: &[u8]) -> Result<Transcript, Response> {
    let bad = |why: &str| sentence(Status::BAD_REQUEST, why);
    let large = || {
        let text = format!("At most {MAX_SENT_BYTES} bytes are sent.");
        sentence(Status::CONTENT_TOO_LARGE, &text)
    };
    if text.len() > 4 * MAX_SENT_BYTES {
        return Err(large()); // each byte is an escape of four characters, at most
    }
    let text = str::from_utf8(text).map_err(|_| bad("The transcript is not UTF-8."))?;
    let transcript = script::parse(text, Side::Client).map_err(|why| bad(&why))?;
    let (mut sent, mut does_anything) = (0, false);
    for item in &transcript.items {
        let connection = match item {
            Item::Block(block) => {
                let is_sent = block.from == Side::Client;
                sent = if is_sent { block.bytes.len().saturating_add(sent) } else { sent };
                does_anything |= is_sent;
                block.connection
            }
            Item::Event(event) => event.connection,
            Item::Prose(_) | Item::Assertions(_) => continue,
        };
        if connection != 1 {
            return Err(bad(
                "The lab has one connection, so the transcript must not name another.",
            ));
        }
    }
    match does_anything {
        false => Err(bad("line 1: expected something to send, such as >>>")),
        true if sent > MAX_SENT_BYTES as u64 => Err(large()),
        true => Ok(transcript),
    }
}

/// Plays the transcript, and tells each line.
fn play(place: &Place, transcript: &Transcript, lines: SyncSender<String>) {
    let parts = &place.kitchen.0;
    let options = SendOptions {
        timeout: SILENCE,
        time: Some(MAX_TIME),
        max_received: MAX_RECEIVED_BYTES,
        ..SendOptions::default()
    };
    let since = Instant::now();
    let mut run = LabRun {
        since,
        lines,
        local: None,
        sent: OneSide::default(),
        received: OneSide::default(),
    };
    let addresses = vec![reachable(parts.shown.address)];
    let mut player = SendPlayer::telling(addresses, options, &mut run);
    let played = player.play(transcript);
    player.finish();
    match played {
        Err(why) => run.error(&why),
        Ok(()) if since.elapsed() >= MAX_TIME => run.error("the lab ends after 15 seconds"),
        Ok(()) if run.received.bytes.len() as u64 >= MAX_RECEIVED_BYTES => {
            run.error("the lab ends after 256 KiB received");
        }
        Ok(()) => {}
    }
    let number = run.local.and_then(|local| exchange_of(&parts.exchanges, local));
    run.done(number);
}

/// Where a listener of this machine is reached from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The number of the first exchange of the client at `local`.
fn exchange_of(exchanges: &Exchanges, local: SocketAddr) -> Option<u64> {
    let find = || {
        let mut kept = exchanges.numbers().into_iter().filter_map(|number| exchanges.get(number));
        kept.find(|exchange| exchange.peer == local).map(|exchange| exchange.number)
    };
    let (until, mut event) = (Instant::now() + EXCHANGE_WAIT, exchanges.last_event());
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if let Some(number) = find() {
            return Some(number);
        }
        if left.is_zero() {
            return None;
        }
        event = exchanges.wait_after(event, left, true).last;
    }
}

/// What one side sent, for the end.
#[derive(Default)]
struct OneSide {
    bytes: Vec<u8>,
    reads: Vec<ReadOrWrite>,
}

/// One run of the lab.
struct LabRun {
    since: Instant,
    lines: SyncSender<String>,
    /// The address of the lab's side of the connection.
    local: Option<SocketAddr>,
    sent: OneSide,
    received: OneSide,
}

impl LabRun {
    fn line(&self, at: Option<Instant>, kind: &str, members: Vec<(&str, String)>) {
        let at = at.map(|at| ("at", millis(at.saturating_duration_since(self.since))));
        let line = at.into_iter().chain([("kind", json::string(kind))]).chain(members);
        // A page that reads no more has closed its end. What was begun is played to its end.
        let _ = self.lines.send(json::object(line) + "\n");
    }

    fn error(&self, why: &str) {
        self.line(Some(Instant::now()), "error", vec![("text", json::string(why))]);
    }

    fn crossed(&mut self, from: Side, bytes: &[u8], at: Instant) {
        let (kind, side) = match from {
            Side::Client => ("sent", &mut self.sent),
            Side::Server => ("received", &mut self.received),
        };
        side.bytes.extend_from_slice(bytes);
        let time = at.saturating_duration_since(self.since);
        side.reads.push(ReadOrWrite { at: time, length: bytes.len() });
        self.line(Some(at), kind, vec![("bytes", json::bytes(bytes))]);
    }

    /// The last line: both sides, explained.
    fn done(&self, exchange: Option<u64>) {
        let mut explainer = ConnectionExplainer::default();
        let asked = Outline::parse(&self.sent.bytes, true).flatten();
        let method = asked.as_ref().and_then(|head| head.method);
        let [request, response] =
            [(Side::Client, &self.sent), (Side::Server, &self.received)].map(|(side, crossed)| {
                let mut remarks = explainer.explain_bytes(side, &crossed.bytes);
                remarks.extend(explainer.explain_end(side));
                // Of several messages of one side, the first.
                let head = Outline::parse(&crossed.bytes, side == Side::Client).flatten();
                let ending = head.as_ref().map(|head| Ending::of(head, method));
                let ending = message::ending_text(ending);
                let (total, start) = (crossed.bytes.len() as u64, head.map(|it| it.length as u64));
                let start = start.filter(|&start| start < total);
                message::object(&crossed.bytes, total, start, &crossed.reads, ending, &remarks)
            });
        let exchange = json::or_null(exchange.map(|number| number.to_string()));
        let members = vec![("request", request), ("response", response), ("exchange", exchange)];
        self.line(None, "done", members);
    }
}

impl SendViewer for &mut LabRun {
    fn opened(&mut self, _: u32, _: Option<SocketAddr>, local: Option<SocketAddr>, _: Duration) {
        self.local = local;
    }

    fn sent(&mut self, _: u32, bytes: &[u8], at: Instant) {
        self.crossed(Side::Client, bytes, at);
    }

    fn received(&mut self, _: u32, bytes: &[u8], at: Instant) {
        self.crossed(Side::Server, bytes, at);
    }

    fn event(&mut self, _: u32, kind: EventKind) {
        self.line(Some(Instant::now()), "end", vec![("text", json::string(&kind.to_string()))]);
    }

    fn prose(&mut self, text: &str) {
        self.error(text);
    }
}

/// The lines of a lab, for the thread of the page's connection.
struct Lines {
    receiver: Receiver<String>,
    /// A line of which `at` bytes were read.
    unread: Vec<u8>,
    at: usize,
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.unread.len() {
            let Ok(line) = self.receiver.recv() else { return Ok(0) };
            (self.unread, self.at) = (line.into_bytes(), 0);
        }
        let length = (&self.unread[self.at..]).read(buffer)?;
        self.at += length;
        Ok(length)
    }
}

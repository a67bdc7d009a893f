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
//! Bounds: 4 labs at a time, with 4 connections each; 64 KiB sent, 256 KiB received, 15 seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, PipeWriter, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use openkitchen::message::ending::Ending;
use openkitchen::message::outline::Outline;
use openkitchen::observe::{Exchanges, ReadOrWrite};
use openkitchen::play::script;
use openkitchen::play::send::{SendOptions, SendPlayer, SendViewer};
use openkitchen::sys;
use openkitchen::transcript::explain::ConnectionExplainer;
use openkitchen::transcript::{EventKind, Item, Side, Transcript};
use openkitchen::{Response, Status};

use super::message;
use super::{Kitchen, KitchenPermit, sentence};
use crate::json::{self, millis};

const MAX_LABS: usize = 4;
const MAX_CONNECTIONS: usize = 4;
const MAX_SENT_BYTES: usize = 64 * 1024;
const MAX_RECEIVED_BYTES: u64 = 256 * 1024;
const MAX_TIME: Duration = Duration::from_secs(15);

/// Silence after which a wait ends.
const SILENCE: Duration = Duration::from_secs(2);

/// How long the lab waits until the server has told its exchange.
const EXCHANGE_WAIT: Duration = Duration::from_millis(200);

/// Sends what a transcript says.
pub fn send(kitchen: &Kitchen, text: &[u8]) -> Result<Response, Response> {
    let transcript = parse(text)?;
    let place = kitchen.place(|parts| &parts.labs, MAX_LABS).ok_or_else(|| {
        let text = format!("{MAX_LABS} labs send already. Try again in a moment.");
        sentence(Status::SERVICE_UNAVAILABLE, &text).field("Retry-After", "1")
    })?;
    let failed = |error: io::Error| {
        let text = format!("The lab cannot start: {error}.");
        sentence(Status::SERVICE_UNAVAILABLE, &text)
    };
    // What waits for the page is bounded: a pipe holds 64 KiB.
    let (reader, lines) = io::pipe().map_err(failed)?;
    sys::spawn("lab", move || play(&place, &transcript, lines)).map_err(failed)?;
    Ok(Response::stream("application/x-ndjson", reader))
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
    let (mut sent, mut connections) = (0, BTreeSet::new());
    for item in &transcript.items {
        connections.extend(match item {
            Item::Block(block) => {
                let is_sent = block.from == Side::Client;
                sent = if is_sent { block.bytes.len().saturating_add(sent) } else { sent };
                Some(block.connection)
            }
            Item::Event(event) => Some(event.connection),
            Item::Prose(_) | Item::Assertions(_) => None,
        });
    }
    if connections.len() > MAX_CONNECTIONS {
        return Err(bad(&format!("A lab has {MAX_CONNECTIONS} connections at most.")));
    }
    match connections.is_empty() {
        true => Err(bad("line 1: expected something to send, such as >>>")),
        false if sent > MAX_SENT_BYTES as u64 => Err(large()),
        false => Ok(transcript),
    }
}

/// Plays the transcript, and tells each line.
fn play(place: &KitchenPermit, transcript: &Transcript, lines: PipeWriter) {
    let parts = &place.kitchen.0;
    let options = SendOptions {
        timeout: SILENCE,
        time: Some(MAX_TIME),
        max_received: MAX_RECEIVED_BYTES,
        ..SendOptions::default()
    };
    let since = Instant::now();
    let mut run = LabRun { since, lines, connections: BTreeMap::new() };
    let addresses = vec![reachable(parts.shown.address)];
    let mut player = SendPlayer::telling(addresses, options, &mut run);
    let played = player.play(transcript);
    player.finish();
    match played {
        Err(why) => run.error(&why),
        Ok(()) if since.elapsed() >= MAX_TIME => run.error("the lab ends after 15 seconds"),
        Ok(()) if run.received() >= MAX_RECEIVED_BYTES => {
            run.error("the lab ends after 256 KiB received");
        }
        Ok(()) => {}
    }
    run.done(&parts.exchanges);
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

/// One connection of a lab.
#[derive(Default)]
struct LabConnection {
    /// The address of the lab's side of it.
    local: Option<SocketAddr>,
    sent: OneSide,
    received: OneSide,
}

/// One run of the lab.
struct LabRun {
    since: Instant,
    lines: PipeWriter,
    /// Its connections, by their numbers in the transcript.
    connections: BTreeMap<u32, LabConnection>,
}

impl LabRun {
    fn line(&self, at: Option<Instant>, kind: &str, members: Vec<(&str, String)>) {
        let at = at.map(|at| ("at", millis(at.saturating_duration_since(self.since))));
        let line = at.into_iter().chain([("kind", json::string(kind))]).chain(members);
        // A page that reads no more has closed its end. What was begun is played to its end.
        let _ = (&self.lines).write_all((json::object(line) + "\n").as_bytes());
    }

    fn error(&self, why: &str) {
        self.line(Some(Instant::now()), "error", vec![("text", json::string(why))]);
    }

    /// Bytes received on all connections.
    fn received(&self) -> u64 {
        self.connections.values().map(|connection| connection.received.bytes.len() as u64).sum()
    }

    fn crossed(&mut self, number: u32, from: Side, bytes: &[u8], at: Instant) {
        let connection = self.connections.entry(number).or_default();
        let (kind, side) = match from {
            Side::Client => ("sent", &mut connection.sent),
            Side::Server => ("received", &mut connection.received),
        };
        side.bytes.extend_from_slice(bytes);
        let time = at.saturating_duration_since(self.since);
        side.reads.push(ReadOrWrite { at: time, length: bytes.len() });
        let members = vec![("connection", number.to_string()), ("bytes", json::bytes(bytes))];
        self.line(Some(at), kind, members);
    }

    /// The last line: each connection, explained. The members of the first stand in the line itself.
    fn done(&self, exchanges: &Exchanges) {
        let mut connections = self.connections.iter().map(|(number, connection)| {
            let exchange = connection.local.and_then(|local| exchange_of(exchanges, local));
            let [request, response] = connection.explained();
            vec![
                ("connection", number.to_string()),
                ("request", request),
                ("response", response),
                ("exchange", json::or_null(exchange.map(|number| number.to_string()))),
            ]
        });
        let mut members = connections.next().unwrap_or_default();
        members.push(("others", json::array(connections.map(json::object))));
        self.line(None, "done", members);
    }
}

impl LabConnection {
    /// The messages of both sides, explained. Of several of one side, the head is that of the first.
    fn explained(&self) -> [String; 2] {
        let mut explainer = ConnectionExplainer::default();
        let asked = Outline::parse(&self.sent.bytes, true).flatten();
        let method = asked.as_ref().and_then(|head| head.method);
        [(Side::Client, &self.sent), (Side::Server, &self.received)].map(|(side, crossed)| {
            let mut remarks = explainer.explain_bytes(side, &crossed.bytes);
            remarks.extend(explainer.explain_end(side));
            let head = Outline::parse(&crossed.bytes, side == Side::Client).flatten();
            let ending = head.as_ref().map(|head| Ending::of(head, method));
            let ending = message::ending_text(ending);
            let (total, start) = (crossed.bytes.len() as u64, head.map(|it| it.length as u64));
            let start = start.filter(|&start| start < total);
            message::object(&crossed.bytes, total, start, &crossed.reads, ending, &remarks)
        })
    }
}

impl SendViewer for &mut LabRun {
    fn opened(
        &mut self,
        number: u32,
        _: Option<SocketAddr>,
        local: Option<SocketAddr>,
        _: Duration,
    ) {
        self.connections.entry(number).or_default().local = local;
    }

    fn sent(&mut self, number: u32, bytes: &[u8], at: Instant) {
        self.crossed(number, Side::Client, bytes, at);
    }

    fn received(&mut self, number: u32, bytes: &[u8], at: Instant) {
        self.crossed(number, Side::Server, bytes, at);
    }

    fn event(&mut self, number: u32, kind: EventKind) {
        let text = json::string(&kind.to_string());
        let members = vec![("connection", number.to_string()), ("text", text)];
        self.line(Some(Instant::now()), "end", members);
    }

    fn prose(&mut self, text: &str) {
        self.error(text);
    }
}

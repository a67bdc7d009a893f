//! # What happened, as a page
//!
//! In goes what an observer sees, with its time; out come the items of a transcript. No thread, no
//! clock, no terminal: a test of the trace is a list of events.
//!
//! What one does not see here:
//!
//! - That a connection was opened is shown with its first byte; or when it has been silent for two
//!   seconds, or ends without a byte. Of the latter only a few in a minute, for somebody may open
//!   thousands; the others are counted.
//! - Behind a reset no end is shown, for there is none.
//! - An exchange at a quiet route is held back until it is answered, and shown if it failed or if
//!   there was something to remark.
//! - When events were lost, nobody knows any more where on a connection a message begins. Then bytes
//!   are counted until its next exchange is answered.
//!
//! What is told once in a run: why a connection is silent, that a browser asks for a favicon, that
//! fields with secrets stand on this screen. A key in a target is told each time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use openkitchen::message::method::Method;
use openkitchen::message::persistence::Persistence;
use openkitchen::message::target::masked;
use openkitchen::transcript::explain::Remark;
use openkitchen::transcript::{Item, Side};
use openkitchen::{Answered, End};

use super::TraceOptions;
use super::collector::Collector;
use super::connection::TracedConnection;
use super::direction::{Shown, ShownHead};
use crate::cli::note::{SILENCE, Took, counted};

/// Connections without a byte that are shown, of those that come within [`MINUTE`]: as many as a
/// browser opens to one host.
const SHOWN: usize = 6;

const MINUTE: Duration = Duration::from_secs(60);

/// Connections that may never say goodbye, and are remembered all the same: whose server has
/// closed while the client goes on, and those that were met midway.
const FADING: usize = 256;

/// Something that an observer saw.
pub(super) struct TraceEvent {
    /// When.
    pub at: Instant,
    /// On which connection; zero where that means nothing.
    pub connection: u64,
    /// What.
    pub event: Observed,
}

/// What an observer can see.
pub(super) enum Observed {
    Opened(SocketAddr),
    Crossed(Side, Vec<u8>),
    Answered(Summary),
    Ended(End),
    /// The program has something to say.
    ParsedArgs(String),
    /// The queue was full.
    Lost {
        events: usize,
        exchanges: u64,
    },
}

/// An exchange that is over, in a line.
pub(super) struct Summary {
    line: String,
    has_failed: bool,
    is_quiet: bool,
}

impl Observed {
    /// Bytes that it keeps on the heap.
    pub fn bytes(&self) -> usize {
        match self {
            Observed::Crossed(_, bytes) => bytes.len(),
            Observed::Answered(summary) => summary.line.len(),
            Observed::ParsedArgs(text) => text.len(),
            Observed::Opened(_) | Observed::Ended(_) | Observed::Lost { .. } => 0,
        }
    }
}

impl Summary {
    /// `GET /about 200 0.2 ms keep-alive`. Keys have been masked: a line like this is quoted elsewhere.
    pub fn of(exchange: &Answered<'_>) -> Summary {
        let Answered { method, target, took, is_quiet, .. } = exchange;
        let status = exchange.status.code();
        let stays = match exchange.persistence {
            Persistence::KeepAlive => "keep-alive",
            Persistence::Close => "close",
        };
        let line = format!("{method} {target} {status} {} {stays}", Took(*took));
        Summary { line, has_failed: status >= 400, is_quiet: *is_quiet }
    }
}

/// Makes items of events.
pub(super) struct View {
    options: TraceOptions,
    connections: HashMap<u64, TracedConnection>,
    /// Which connections are remembered only for so long, the oldest first.
    fading: VecDeque<u64>,
    /// Connections in the order they opened, while they may turn out to be silent.
    newcomers: VecDeque<(Instant, u64)>,
    mute: Mute,
    page: Collector,
    exchanges: u64,
    told: Explained,
}

/// What has been told in this run.
#[derive(Default)]
struct Explained {
    silence: bool,
    favicon: bool,
    secret_field: bool,
    /// What has been explained: an element, and what was said of it.
    meanings: HashSet<(String, String)>,
}

/// Explanations that are remembered, so that each is given once. Beyond them nothing new is said.
const MEANINGS: usize = 4096;

impl View {
    /// Nothing has happened yet.
    pub fn new(options: TraceOptions) -> View {
        View {
            options,
            connections: HashMap::new(),
            fading: VecDeque::new(),
            newcomers: VecDeque::new(),
            mute: Mute::default(),
            page: Collector::default(),
            exchanges: 0,
            told: Explained::default(),
        }
    }

    /// Something happened.
    pub fn see(&mut self, TraceEvent { at, connection, event }: TraceEvent) {
        match event {
            Observed::Opened(peer) => {
                let opened = TracedConnection::opened(connection, peer, at, self.options.bodies);
                self.connections.insert(connection, opened);
                self.newcomers.push_back((at, connection));
            }
            Observed::Crossed(from, bytes) => self.crossed(at, connection, from, &bytes),
            Observed::Answered(summary) => self.answered(at, connection, &summary),
            Observed::Ended(end) => self.ended(at, connection, end),
            Observed::ParsedArgs(text) => text.lines().for_each(|line| self.page.say(line)),
            Observed::Lost { events, exchanges } => {
                self.connections.clear();
                self.exchanges += exchanges;
                let events = counted(events as u64, "event was", "events were");
                self.page.say(&format!("{events} not shown: the terminal was too slow"));
            }
        }
    }

    /// When there will be something to see, even if nothing happens until then.
    pub fn wake_at(&mut self) -> Option<Instant> {
        while let Some((_, number)) = self.newcomers.front() {
            if self.connections.get(number).is_some_and(TracedConnection::is_silent) {
                break;
            }
            self.newcomers.pop_front();
        }
        let silence = self.newcomers.front().map(|(opened, _)| *opened + SILENCE);
        [silence, self.mute.counts_until(), self.page.counts_until()].into_iter().flatten().min()
    }

    /// It is so late now.
    pub fn wake(&mut self, now: Instant) {
        if self.wake_at().is_none_or(|at| at > now) {
            return;
        }
        self.page.stop_counting();
        while let Some(&(opened, number)) = self.newcomers.front()
            && opened + SILENCE <= now
        {
            self.newcomers.pop_front();
            if self.show_mute(now, number) && !mem::replace(&mut self.told.silence, true) {
                self.page.say(&format!(
                    "@{number} is open and silent: browsers open a spare connection, and use it \
                     when they need one more"
                ));
            }
        }
        if self.mute.counts_until().is_some_and(|until| until <= now) {
            self.tell_beyond();
        }
    }

    /// Shows a connection on which nothing has crossed, if it is one, and not one of too many. Says
    /// whether it did.
    fn show_mute(&mut self, at: Instant, number: u64) -> bool {
        let Some(connection) = self.connections.get_mut(&number) else { return false };
        let is_shown = connection.turns_out_silent() && self.mute.admits(at);
        if is_shown {
            connection.announce(&mut self.page);
        }
        is_shown
    }

    fn tell_beyond(&mut self) {
        let beyond = mem::take(&mut self.mute.beyond);
        if beyond > 0 {
            let connections = counted(beyond, "more connection", "more connections");
            self.page.say(&format!(
                "{connections} without a byte: the first {SHOWN} in a minute are shown"
            ));
        }
    }

    /// Nothing will happen any more.
    pub fn finish(&mut self) {
        self.page.stop_counting();
        self.tell_beyond();
    }

    /// What there is to print, and has not been taken.
    pub fn items(&mut self) -> impl Iterator<Item = Item> {
        self.page.items.drain(..)
    }

    fn crossed(&mut self, at: Instant, number: u64, from: Side, piece: &[u8]) {
        let connection = self.connection(number, at);
        let was_within_request = connection.is_within_request();
        let Shown { bytes, heads } = connection.follow(from, piece);
        let remarks = self.told.remarks(from, &heads);
        let requests = if from == Side::Client { &heads[..] } else { &[] };
        let is_quiet = remarks.is_empty() && requests.iter().all(|head| self.is_quiet(head));

        let (Some(connection), page) = (self.connections.get_mut(&number), &mut self.page) else {
            return;
        };
        // What was begun in sight is not hidden in the middle.
        let may_hide = !was_within_request || connection.holds_back();
        if !is_quiet {
            connection.release(page);
        } else if may_hide && !requests.is_empty() {
            connection.hold_back(requests.len());
        }
        connection.show(at, from, bytes, page);
        remarks.into_iter().for_each(|remark| connection.say(remark, page));
        if self.options.explain {
            let mut meaning = connection.meaning(from, piece);
            meaning.retain(|remark| self.told.allows(remark));
            connection.explain(&meaning, page);
        }
    }

    fn answered(&mut self, at: Instant, number: u64, summary: &Summary) {
        let bodies = self.options.bodies;
        self.connection(number, at).resynchronise(bodies);
        let Some(connection) = self.connections.get_mut(&number) else { return };
        // Behind a quiet request the next one may have begun, and be another's.
        let is_missed = summary.has_failed || !summary.is_quiet || connection.is_within_request();
        if connection.holds_back() && !is_missed {
            return connection.drop_one();
        }
        connection.release(&mut self.page);
        self.exchanges += 1;
        self.page.say(&format!("{} {}", self.exchanges, summary.line));
    }

    fn ended(&mut self, at: Instant, number: u64, end: End) {
        self.show_mute(at, number);
        let Some(connection) = self.connections.get_mut(&number) else { return };
        connection.ended(at, end, &mut self.page);
        if connection.is_over() {
            self.connections.remove(&number);
        } else if end == End::ServerClosed {
            self.may_fade(number);
        }
    }

    fn is_quiet(&self, head: &ShownHead) -> bool {
        self.options.quiet.iter().any(|path| asks_for(head, path))
    }

    /// The connection with that number, which may be one whose beginning was lost.
    fn connection(&mut self, number: u64, at: Instant) -> &mut TracedConnection {
        if !self.connections.contains_key(&number) {
            self.may_fade(number);
        }
        let bodies = self.options.bodies;
        self.connections
            .entry(number)
            .or_insert_with(|| TracedConnection::met_midway(number, at, bodies))
    }

    fn may_fade(&mut self, number: u64) {
        self.fading.push_back(number);
        if self.fading.len() > FADING
            && let Some(oldest) = self.fading.pop_front()
        {
            self.connections.remove(&oldest);
        }
    }
}

/// Connections on which nothing has crossed: those of this minute.
#[derive(Default)]
struct Mute {
    until: Option<Instant>,
    shown: usize,
    /// How many were not shown.
    beyond: u64,
}

impl Mute {
    /// Whether one more is shown.
    fn admits(&mut self, at: Instant) -> bool {
        // The count of one minute is told before the next begins.
        if self.until.is_none_or(|until| until <= at) && self.beyond == 0 {
            (self.until, self.shown) = (Some(at + MINUTE), 0);
        }
        let is_shown = self.shown < SHOWN;
        self.shown += usize::from(is_shown);
        self.beyond += u64::from(!is_shown);
        is_shown
    }

    /// When those that were not shown are told, if there are any.
    fn counts_until(&self) -> Option<Instant> {
        self.until.filter(|_| self.beyond > 0)
    }
}

impl Explained {
    fn allows(&mut self, remark: &Remark) -> bool {
        let has_room = self.meanings.len() < MEANINGS;
        has_room && self.meanings.insert((remark.about.clone(), remark.text.clone()))
    }

    /// What there is to remark about heads. None of it holds what it warns of.
    fn remarks(&mut self, from: Side, heads: &[ShownHead]) -> Vec<&'static str> {
        let mut remarks = Vec::new();
        let requests = if from == Side::Client { heads } else { &[] };
        // Where masking changes something, there is something to mask.
        if requests.iter().any(|head| masked(&head.target) != head.target) {
            remarks.push(
                "a key stands in the target, the worst place for it: logs, histories and Referer \
                 fields keep targets (RFC 9110 section 17.9)",
            );
        }
        let has_secret_field = heads.iter().any(|head| head.has_secret_field);
        if has_secret_field && !mem::replace(&mut self.secret_field, true) {
            remarks.push("keys and cookies in fields are shown as they are, on this screen only");
        }
        let is_favicon =
            |head: &ShownHead| head.method == Some(Method::Get) && asks_for(head, "/favicon.ico");
        if requests.iter().any(is_favicon) && !mem::replace(&mut self.favicon, true) {
            remarks.push("the browser asks for /favicon.ico by itself, for its tab");
        }
        remarks
    }
}

/// Whether a head asks for a path, which may end in `/*` as in a route table.
fn asks_for(head: &ShownHead, path: &str) -> bool {
    let asked = head.target.split('?').next().unwrap_or_default();
    match path.strip_suffix('*') {
        Some(prefix) => asked.starts_with(prefix),
        None => asked == path,
    }
}

#[cfg(test)]
mod tests;

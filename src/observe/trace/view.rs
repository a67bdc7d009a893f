//! # Turn events into the items of a transcript
//!
//! The view takes what an observer reports, with its time, and returns the items to print. It uses no
//! thread, clock or terminal, so a test of the trace is a list of events.
//!
//! Not every event is printed at once, or at all:
//!
//! - `open` is printed with the connection's first byte. A connection without a byte is printed after two
//!   seconds, or when it ends. A client may open thousands of those, so a few a minute are printed, and
//!   the others are counted.
//! - No end is printed after a reset, since the reset has ended both sides.
//! - A server with quiet routes says for each request whether its route is quiet. The request is held
//!   back until then. An exchange on a quiet route is held back until it is answered. It is printed if it
//!   failed, or if there is a remark on it.
//! - On a screen, a request for a style sheet, a script, an image or a font is held back until its
//!   response begins, for a second at most. If that is what was requested, the exchange is one line.
//!   An idle client's end is held back as long, until the server's end. A silence between two
//!   exchanges is no row.
//! - After events were lost, it is unknown what was shown of a message. Until the next one begins in the
//!   same direction, bytes are only counted.
//!
//! Remarks that are printed once per run: why a connection is silent, that a browser requests a
//! favicon, that fields hold secrets, that a watched server speaks TLS. The remark on a key in a target
//! is printed each time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem;
use std::time::{Duration, Instant};

use super::collector::{COUNT_TIME, Collector};
use super::connection::TracedConnection;
use super::direction::Shown;
use super::entry::TraceEntry;
use super::event::{CountedReads, CrossedBytes, Observed, TraceEvent, number};
use super::options::TraceOptions;
use super::requests::{asks_for_part_of_page, is_from_a_person};
use crate::message::counted::counted;
use crate::message::dialogue::Followed;
use crate::message::method::Method;
use crate::message::outline::Outline;
use crate::message::reader::Part;
use crate::message::target::masked;
use crate::transcript::Side;
use crate::transcript::explain::{FirstUses, Remark};
use crate::transcript::notes::SILENCE;

/// Connections without a byte that are printed in each [`SILENT_PERIOD`]: as many as a browser opens to
/// one host.
const MAX_SILENT_SHOWN: usize = 6;

const SILENT_PERIOD: Duration = Duration::from_secs(60);

/// Names of fields whose values are secrets.
const SECRETS: [&str; 5] =
    ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"];

/// Turns events into items.
pub(super) struct View {
    options: TraceOptions,
    has_quiet_routes: bool,
    connections: HashMap<u64, TracedConnection>,
    /// Connections that may still be silent, each with its opening time, the oldest first.
    may_be_silent: VecDeque<(Instant, u64)>,
    /// Connections with something that waits to be folded, each with the time at which it has
    /// waited long enough, the first ones first.
    may_fold: VecDeque<(Instant, u64)>,
    /// Whether there was more than one connection.
    has_several: bool,
    silent: SilentConnections,
    out: Collector,
    explained: ExplainedOnce,
}

/// The remarks that have been printed in this run, and the explanations for this page.
#[derive(Default)]
struct ExplainedOnce {
    silence: bool,
    favicon: bool,
    secret_field: bool,
    tls: bool,
    /// Each element that has been explained, and its explanation without its numbers.
    meanings: HashSet<(String, String)>,
    words: FirstUses,
}

/// Explanations that are remembered, so that each is printed once for a page. Beyond them no new
/// one is printed.
const MAX_EXPLANATIONS: usize = 4096;

impl View {
    /// A view of no events.
    pub fn new(options: TraceOptions) -> View {
        View {
            options,
            has_quiet_routes: false,
            connections: HashMap::new(),
            may_be_silent: VecDeque::new(),
            may_fold: VecDeque::new(),
            has_several: false,
            silent: SilentConnections::default(),
            out: Collector::new(options.is_screen()),
            explained: ExplainedOnce::default(),
        }
    }

    /// Adds an event.
    pub fn add(&mut self, TraceEvent { at, connection, observed }: TraceEvent) {
        match observed {
            Observed::Started { quiet } => self.started(&quiet),
            Observed::Opened(peer) => {
                self.has_several |= connection > 1;
                let opened = TracedConnection::new(connection, Some(peer), at, &self.options);
                self.connections.insert(connection, opened);
                self.may_be_silent.push_back((at, connection));
            }
            Observed::Crossed(crossed) => self.crossed(at, connection, &crossed),
            Observed::Counted(counted) => {
                let View { options, connections, out, .. } = self;
                let connection = connections
                    .entry(connection)
                    .or_insert_with(|| TracedConnection::new(connection, None, at, options));
                connection.count(at, counted, out);
            }
            Observed::Routed { is_quiet } => {
                if let Some(connection) = self.connections.get_mut(&connection) {
                    connection.routed(is_quiet, &mut self.out);
                }
            }
            Observed::Answered(summary) => match self.connections.get_mut(&connection) {
                Some(connection) => connection.answered(summary, &mut self.out),
                None => self.out.push_line(summary.into_line(number(connection))),
            },
            Observed::Ended(end) => {
                self.show_silent(at, connection);
                if let Some(ended) = self.connections.get_mut(&connection) {
                    let meaning = self.options.explain.then(|| ended.end_meaning(end)).flatten();
                    let explained = &mut self.explained;
                    let meaning = meaning.map(|remark| explained.told(remark)).unwrap_or_default();
                    ended.ended(at, end, meaning, &mut self.out);
                    if ended.waits_to_fold() {
                        self.may_fold.push_back((at + COUNT_TIME, connection));
                    }
                }
            }
            Observed::EndedByWatch => {
                if let Some(ended) = self.connections.get_mut(&connection) {
                    ended.cut_by_watch(at, &mut self.out);
                }
            }
            Observed::Gone => drop(self.connections.remove(&connection)),
            Observed::Prose(text) => text.lines().for_each(|line| self.out.push_prose(line)),
            Observed::Lost { events, exchanges } => {
                self.connections.clear();
                self.out.exchanges += exchanges;
                let events = counted(events as u64, "event was", "events were");
                self.out
                    .push_prose(&format!("{events} not shown: more came than could be printed"));
            }
        }
    }

    /// When there will be something to print, even without another event.
    pub fn wake_at(&mut self) -> Option<Instant> {
        while let Some((_, number)) = self.may_be_silent.front() {
            if self.connections.get(number).is_some_and(TracedConnection::is_silent) {
                break;
            }
            self.may_be_silent.pop_front();
        }
        let silence = self.may_be_silent.front().map(|(opened, _)| *opened + SILENCE);
        let fold = self.may_fold.front().map(|(until, _)| *until);
        let counts = [self.silent.counts_until(), self.out.counts_until()];
        [silence, fold].into_iter().chain(counts).flatten().min()
    }

    /// Makes the items that are due by now.
    pub fn wake(&mut self, now: Instant) {
        if self.wake_at().is_none_or(|at| at > now) {
            return;
        }
        if self.out.counts_until().is_some_and(|until| until <= now) {
            self.out.stop_counting();
        }
        while let Some(&(until, number)) = self.may_fold.front()
            && until <= now
        {
            self.may_fold.pop_front();
            if let Some(connection) = self.connections.get_mut(&number) {
                connection.stop_waiting(now, &mut self.out);
            }
        }
        while let Some(&(opened, number)) = self.may_be_silent.front()
            && opened + SILENCE <= now
        {
            self.may_be_silent.pop_front();
            if self.show_silent(now, number) && !mem::replace(&mut self.explained.silence, true) {
                self.out.push_prose(&format!(
                    "@{number} is open and silent: it may be a spare connection, which a browser \
                     uses when it needs one more"
                ));
            }
        }
        if self.silent.counts_until().is_some_and(|until| until <= now) {
            self.report_not_shown();
        }
    }

    /// Prints a connection if no byte has crossed on it, and not too many such were printed. Returns
    /// whether it did.
    fn show_silent(&mut self, at: Instant, number: u64) -> bool {
        let Some(connection) = self.connections.get_mut(&number) else { return false };
        let is_shown = connection.mark_silent() && self.silent.allows(at);
        if is_shown {
            connection.announce(&mut self.out);
        }
        is_shown
    }

    fn report_not_shown(&mut self) {
        let not_shown = mem::take(&mut self.silent.not_shown);
        if not_shown > 0 {
            let connections = counted(not_shown, "more connection", "more connections");
            self.out.push_prose(&format!(
                "{connections} without a byte: only the first {MAX_SILENT_SHOWN} in a minute are shown"
            ));
        }
    }

    /// Makes the last items: no event follows.
    pub fn finish(&mut self) {
        self.out.stop_counting();
        self.report_not_shown();
    }

    /// Takes what is ready to print.
    pub fn entries(&mut self) -> impl Iterator<Item = TraceEntry> {
        self.out.entries.drain(..)
    }

    /// Whether there was more than one connection, so that a screen names each.
    pub fn has_several(&self) -> bool {
        self.has_several
    }

    /// Says which routes are quiet, and on a screen what its signs mean.
    fn started(&mut self, quiet: &[String]) {
        self.has_quiet_routes = !quiet.is_empty();
        let quiet = match quiet {
            [] => None,
            [one] => Some(format!("{one} is shown only if it fails")),
            all => Some(format!("{}: shown only if they fail", all.join(", "))),
        };
        if self.options.screen {
            let [line_ends, events, connections, times] = LEGEND;
            self.out.push_prose(line_ends);
            let is_folded = self.options.is_screen();
            let flag = self.options.full_flag.filter(|_| is_folded);
            let all = flag.map(|flag| format!("; {flag} folds nothing"));
            self.out.push_prose(&format!("{events}{}", all.unwrap_or_default()));
            // A folded line says in words since when its time is.
            let times = (!is_folded).then_some(times);
            let last = [connections].into_iter().chain(times).chain(quiet.as_deref());
            self.out.push_prose(&last.collect::<Vec<_>>().join("; "));
        } else if let Some(quiet) = quiet {
            self.out.push_prose(&quiet);
        }
    }

    fn crossed(&mut self, at: Instant, number: u64, crossed: &CrossedBytes) {
        let CrossedBytes { from, begins_message, .. } = *crossed;
        let (bytes, ranges) = (&crossed.bytes, &crossed.ranges);
        let View { options, has_quiet_routes, connections, out, explained, may_fold, .. } = self;
        // An unknown number is a connection whose start was lost.
        let connection = connections
            .entry(number)
            .or_insert_with(|| TracedConnection::new(number, None, at, options));
        let (was_within_request, was_idle) = (connection.is_within_request(), connection.is_idle());
        let was_unanswered = !connection.has_response();
        let Shown { bytes: shown, heads, unknown_ranges } =
            connection.shorten(from, bytes, ranges, begins_message);
        let mut remarks = explained.remarks(from, &heads);
        if from == Side::Server && was_unanswered && explained.is_first_tls(bytes, ranges) {
            remarks.push(
                "the server speaks TLS (https) at this port: watch relays its bytes and cannot read \
                 them, so watch the plain HTTP server behind it (RFC 8446 section 5.1)",
            );
        }
        let requests = if from == Side::Client { &heads[..] } else { &[] };
        // A request that is partly printed is not held back from then on.
        let may_hold_back = !was_within_request || connection.holds_back();
        let may_be_folded = match requests {
            [request] if options.is_screen() && was_idle && remarks.is_empty() => {
                asks_for_part_of_page(request) && !connection.is_within_request()
            }
            _ => false,
        };
        if !remarks.is_empty() {
            connection.release(out);
        } else if *has_quiet_routes && may_hold_back && !requests.is_empty() {
            connection.hold_back(requests.len());
        }
        if may_be_folded {
            connection.hold_to_fold();
            may_fold.push_back((at + COUNT_TIME, number));
        }
        // It is dropped with a request that is quiet or folded.
        remarks.extend(explained.favicon(requests));
        let is_opened = requests.iter().any(|request| is_from_a_person(request));
        if is_opened {
            explained.begin_page();
        }
        let mut meaning = Vec::new();
        if options.explain {
            meaning = connection.meaning(from, bytes, ranges, unknown_ranges);
        }
        let length = bytes.len() as u64;
        if options.is_screen() {
            let folds = !(options.explain && is_opened);
            let told = |remark: Remark| explained.told(remark);
            connection.show_on_screen(at, crossed, (shown, meaning), folds, told, out);
            meaning = Vec::new();
        } else {
            connection.show(at, CountedReads { from, length, reads: 1, last: at }, shown, out);
        }
        remarks.into_iter().for_each(|remark| connection.push_prose(remark, out));
        for what in ranges.iter().filter_map(|range| range.beyond).filter(|_| !options.explain) {
            connection.push_prose(&format!("more than is followed here: {what}"), out);
        }
        let meaning = meaning.into_iter().flat_map(|remark| explained.told(remark)).collect();
        connection.explain(meaning, out);
    }
}

/// What the signs on a screen mean.
const LEGEND: [&str; 4] = [
    r"\ at a line's end: no line end was sent there; \n: LF without the usual CR",
    "--- tells of a connection: it opens, is silent or ends",
    "@2: connection 2",
    "+0.1 ms: since the event before on the same connection",
];

/// Counts the connections without a byte in the current [`SILENT_PERIOD`].
#[derive(Default)]
struct SilentConnections {
    period_end: Option<Instant>,
    shown: usize,
    not_shown: u64,
}

impl SilentConnections {
    /// Counts one more, and returns whether it is shown.
    fn allows(&mut self, at: Instant) -> bool {
        // The count of one period is reported before the next begins.
        if self.period_end.is_none_or(|end| end <= at) && self.not_shown == 0 {
            (self.period_end, self.shown) = (Some(at + SILENT_PERIOD), 0);
        }
        let is_shown = self.shown < MAX_SILENT_SHOWN;
        self.shown += usize::from(is_shown);
        self.not_shown += u64::from(!is_shown);
        is_shown
    }

    /// When the number of those that were not shown is reported, if there are any.
    fn counts_until(&self) -> Option<Instant> {
        self.period_end.filter(|_| self.not_shown > 0)
    }
}

impl ExplainedOnce {
    /// Returns an explanation and those of its words, if they are to be printed: a fault always, and
    /// another one if it was not before, and if there is room to remember it. One that differs in
    /// its numbers only is the same.
    fn told(&mut self, remark: Remark) -> Vec<Remark> {
        let text = remark.text.chars().filter(|it| !it.is_ascii_digit()).collect();
        let has_room = self.meanings.len() < MAX_EXPLANATIONS;
        let is_told = has_room && self.meanings.insert((remark.about.clone(), text));
        match is_told || remark.is_fault {
            true => self.words.explain_in(vec![remark]),
            false => Vec::new(),
        }
    }

    /// Forgets the explanations: another page is opened.
    fn begin_page(&mut self) {
        self.meanings.clear();
        self.words = FirstUses::default();
    }

    /// Whether these bytes begin with the first TLS record from a server: an alert or a handshake.
    fn is_first_tls(&mut self, bytes: &[u8], ranges: &[Followed]) -> bool {
        let is_unframed = ranges.first().is_some_and(|range| range.part == Part::Unframed);
        let is_tls = bytes.starts_with(b"\x15\x03") || bytes.starts_with(b"\x16\x03");
        is_unframed && is_tls && !mem::replace(&mut self.tls, true)
    }

    /// The remarks on heads. No remark quotes the secret that it warns of.
    fn remarks(&mut self, from: Side, heads: &[&Outline]) -> Vec<&'static str> {
        let mut remarks = Vec::new();
        let requests = if from == Side::Client { heads } else { &[] };
        let has_key = |head: &&Outline| {
            let target = String::from_utf8_lossy(head.target());
            masked(&target) != target // masking changes a key
        };
        if requests.iter().any(has_key) {
            remarks.push(
                "a key is in the target, the worst place for it: logs, browser histories and Referer \
                 header fields keep targets (RFC 9110 section 17.9)",
            );
        }
        let has_secret = |head: &&Outline| {
            SECRETS.iter().any(|name| head.fields().values(name).next().is_some())
        };
        if heads.iter().any(has_secret) && !mem::replace(&mut self.secret_field, true) {
            remarks.push(
                "keys and cookies in header fields are shown here as they are: remove them before \
                 you share this text",
            );
        }
        remarks
    }

    /// The remark on a request for the icon of a tab.
    fn favicon(&mut self, requests: &[&Outline]) -> Option<&'static str> {
        let is_favicon = |head: &&Outline| {
            let path = head.target().split(|&byte| byte == b'?').next();
            head.method == Some(Method::Get) && path == Some(b"/favicon.ico")
        };
        let is_first = requests.iter().any(is_favicon) && !mem::replace(&mut self.favicon, true);
        is_first.then_some(
            "/favicon.ico is the icon of a browser's tab: browsers ask for it, also where no page \
             names it",
        )
    }
}

#[cfg(test)]
mod tests;

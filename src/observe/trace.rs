//! # The trace: print each exchange on stdout as it happens
//!
//! Every byte that crosses a connection is printed or counted.
//!
//! ```text
//! # listening on http://127.0.0.1:5000
//! --- open from 127.0.0.1:41230
//!
//! >>> 82 bytes, +0.1 ms
//! GET /about HTTP/1.1
//! Host: 127.0.0.1:5000
//!
//! <<< 8601 bytes, +0.2 ms
//! HTTP/1.1 200 OK
//! ...
//! \{7410 bytes}\
//! # 12 GET /about 200 0.2 ms, stays open
//! ```
//! This is a valid transcript, so the text is a test. Each time is measured from the event before
//! on the same connection, in either direction. A person at a terminal gets the same for reading:
//! what repeats is folded, a response is indented, and each exchange has a line (see `screen`).
//! `--full` prints the transcript there, too.
//!
//! ```text
//! connections' threads --> follower --> queue --> printing thread --> stdout
//!          view: connection: direction, requests, lines, collector --> printer or screen
//! ```
//! A terminal can be slower than a server, and after Ctrl-S it takes nothing at all. So no thread that
//! serves a connection waits for it: the queue is bounded, and an event that does not fit is lost. The
//! number of lost events is printed later.
//!
//! Left out: masking. The bytes are printed as they are, secrets included. Only the trace's own lines mask
//! keys.  Next: `record`.

mod options;
mod queue;
mod event;
mod view;
mod connection;
mod direction;
mod requests;
mod clients;
mod entry;
mod collector;
mod lines;
mod wrap;
mod screen;

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::follower::{FollowedBytes, Follower, Viewer};
use crate::message::dialogue::Followed;
use crate::message::reader::Part;
use crate::net::observer::{Answered, End};
use crate::net::server::Server;
use crate::route::RouteRow;
use crate::sys;
use crate::transcript::{Item, Printer, Side};
use direction::MAX_TEXT_BYTES;
use entry::TraceEntry;
use event::{CountedReads, CrossedBytes, Observed, Summary, TraceEvent};
use queue::TraceQueue;
use screen::{Screen, colour};
use view::View;

pub use options::{TraceOptions, stdout_columns, stdout_wants_colour};

/// How long [`Trace::finish`] waits for a terminal that takes nothing.
const FINISH_TIMEOUT: Duration = Duration::from_secs(2);

/// What a trace says at its start.
pub const SECRETS_ARE_SHOWN: &str = "what crosses is shown here, secrets included";

/// Bytes of text after which the printing thread writes.
const WRITE_BYTES: usize = 64 * 1024;

/// An observer that prints each event, from a thread of its own.
pub struct Trace {
    queue: Arc<TraceQueue>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Whether long content is printed or explained, so that all bytes are needed.
    shows_content: bool,
}

impl Server {
    /// Prints the address of this server on stdout, and from then on each exchange, as it happens:
    /// see [`Trace`]. For a person if stdout is a terminal, and in colours if `NO_COLOR` is not
    /// set; else as a transcript. Secrets are included. When the server has ended or is dropped,
    /// everything is printed. One server of a process is to be traced: two would number their
    /// connections alike.
    pub fn traced(self) -> Server {
        let trace = Trace::on_stdout(TraceOptions::default());
        if let Ok(address) = self.address() {
            trace.say(&format!("listening on http://{address}"));
        }
        trace.say(SECRETS_ARE_SHOWN);
        self.observed_by(Arc::new(Follower::new(vec![Arc::new(trace)])))
    }
}

impl Trace {
    /// A trace that prints to stdout: for a person if it is a terminal, and in colours if
    /// [`stdout_wants_colour`].
    pub fn on_stdout(options: TraceOptions) -> Trace {
        let (colour, screen) = (stdout_wants_colour(), io::stdout().is_terminal());
        Trace::start(io::stdout(), TraceOptions { colour, screen, ..options })
    }

    /// Starts the thread, which prints to `out`. Without a thread, nothing is printed.
    pub fn start(out: impl Write + Send + 'static, options: TraceOptions) -> Trace {
        let queue = Arc::new(TraceQueue::default());
        let queue_to_print = Arc::clone(&queue);
        let print = move || {
            // An error means that stdout is closed (`| head`, a closed window). The server goes on.
            let _ = print(&queue_to_print, out, options);
            queue_to_print.end();
        };
        let thread = match sys::spawn("trace", print) {
            Ok(thread) => Some(thread),
            Err(error) => {
                log::warn!("no trace is printed: cannot create its thread: {error}");
                queue.end();
                None
            }
        };
        let shows_content = options.full || options.explain;
        Trace { queue, thread: Mutex::new(thread), shows_content }
    }

    /// Prints lines of prose, in order with the events.
    pub fn say(&self, text: &str) {
        self.push(0, Observed::Prose(text.into()));
    }

    /// Prints the events so far, and ends the thread. Later events are not printed.
    pub fn finish(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && self.queue.close(FINISH_TIMEOUT)
        {
            let _ = thread.join(); // a panic was printed on stderr
        }
    }

    fn push(&self, connection: u64, observed: Observed) {
        self.queue.push(TraceEvent { at: Instant::now(), connection, observed });
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Returns names of these paths, for a sentence: each path once, and those below one folder together,
/// such as `/kitchen/*`.
fn names_of(paths: &[&str]) -> Vec<String> {
    let folder = |path: &str| path.get(1..)?.split_once('/').map(|(folder, _)| folder.to_owned());
    let mut names = Vec::new();
    for path in paths {
        let below = folder(path).or_else(|| Some(path.get(1..)?.to_owned()));
        let is_shared = paths.iter().any(|other| folder(other).is_some() && folder(other) == below);
        let name = match below.filter(|_| is_shared) {
            Some(folder) => format!("/{folder}/*"),
            None => (*path).to_owned(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// An exchange on a quiet route is printed only if it fails: a health check every second would push all
/// other exchanges off the screen.
impl Viewer for Trace {
    fn started(&self, _: SocketAddr, routes: &[RouteRow]) {
        let quiet: Vec<&str> =
            routes.iter().filter(|route| route.is_quiet).map(|route| route.path).collect();
        self.push(0, Observed::Started { quiet: names_of(&quiet) });
    }

    fn opened(&self, connection: u64, peer: SocketAddr) {
        self.push(connection, Observed::Opened(peer));
    }

    fn routed(&self, connection: u64, route: Option<&RouteRow>) {
        let is_quiet = route.is_some_and(|route| route.is_quiet);
        self.push(connection, Observed::Routed { is_quiet });
    }

    fn answered(&self, connection: u64, exchange: &Answered<'_>) {
        self.push(connection, Observed::Answered(Summary::of(exchange)));
    }

    fn ended(&self, connection: u64, end: End) {
        self.push(connection, Observed::Ended(end));
    }

    fn noted(&self, connection: u64, _: &str) {
        self.push(connection, Observed::EndedByWatch);
    }

    fn gone(&self, connection: u64) {
        self.push(connection, Observed::Gone);
    }

    fn crossed(&self, connection: u64, followed: &FollowedBytes<'_>) {
        let FollowedBytes { from, bytes, ranges, begins_message, .. } = *followed;
        if !self.shows_content && is_only_counted(followed) {
            let at = Instant::now();
            let counted = CountedReads { from, length: bytes.len() as u64, reads: 1, last: at };
            self.queue.push(TraceEvent { at, connection, observed: Observed::Counted(counted) });
            return;
        }
        let (bytes, ranges) = (bytes.into(), Arc::clone(ranges));
        let crossed = CrossedBytes { from, bytes, ranges, begins_message };
        self.push(connection, Observed::Crossed(crossed));
    }
}

/// Whether no byte of these is shown: all are content after the part that may be shown, and more of it
/// follows. They are not copied, since a long download is nothing else.
fn is_only_counted(followed: &FollowedBytes<'_>) -> bool {
    let FollowedBytes { ranges, content_before, .. } = *followed;
    let is_within_content = |range: &Followed| range.part == Part::Content && range.is_within;
    content_before >= MAX_TEXT_BYTES as u64
        && matches!(&ranges[..], [range] if is_within_content(range))
}

/// The printing thread: prints until the queue is closed, or a write fails.
fn print(queue: &TraceQueue, mut out: impl Write, options: TraceOptions) -> io::Result<()> {
    let mut view = View::new(options);
    let mut writer = Writer::new(&options);
    while let Some(batch) = queue.take(view.wake_at()) {
        writer.measure();
        for event in batch {
            view.add(event);
            writer.add(&mut view);
            if writer.text.len() >= WRITE_BYTES {
                queue.write(|| writer.write_to(&mut out))?;
            }
        }
        view.wake(Instant::now());
        writer.add(&mut view);
        queue.write(|| writer.write_to(&mut out).and_then(|()| out.flush()))?;
    }
    view.finish();
    writer.add(&mut view);
    queue.write(|| writer.write_to(&mut out).and_then(|()| out.flush()))
}

/// Turns entries into text: a transcript, or the rows of a screen.
struct Writer {
    printer: Printer,
    has_colour: bool,
    screen: Option<Screen>,
    columns: usize,
    text: String,
}

impl Writer {
    fn new(options: &TraceOptions) -> Writer {
        let screen = options.is_screen().then(|| Screen::new(options));
        let (printer, has_colour) = (Printer::new(), options.colour);
        Writer { printer, has_colour, screen, columns: 0, text: String::new() }
    }

    /// Asks for the width of the terminal, which may change at any time.
    fn measure(&mut self) {
        if self.screen.is_some() {
            self.columns = stdout_columns();
        }
    }

    /// Adds what is ready to print.
    fn add(&mut self, view: &mut View) {
        let has_several = view.has_several();
        for entry in view.entries() {
            match (&mut self.screen, &entry) {
                (Some(screen), _) => {
                    screen.print(&entry, has_several, self.columns, &mut self.text);
                }
                (None, TraceEntry::Item(item)) if self.has_colour => {
                    paint(item, &mut self.printer, &mut self.text);
                }
                (None, TraceEntry::Item(item)) => self.printer.print(item, &mut self.text),
                // Only a screen has others.
                (None, _) => {}
            }
        }
    }

    /// Writes the text, and forgets it.
    fn write_to(&mut self, out: &mut impl Write) -> io::Result<()> {
        let written = out.write_all(self.text.as_bytes());
        self.text.clear();
        written
    }
}

/// Prints like the printer, with colour around each line that is not empty. The first line below
/// the marker is bold: usually it is a request line or a status line.
fn paint(item: &Item, printer: &mut Printer, text: &mut String) {
    if printer.empty_line_before(item) {
        text.push('\n');
    }
    let (first, second, others) = match item {
        Item::Prose(_) => (colour::PROSE, colour::PROSE, colour::PROSE),
        Item::Event(_) | Item::Assertions(_) => (colour::EVENT, colour::EVENT, colour::EVENT),
        Item::Block(block) if block.from == Side::Client => {
            (colour::REQUEST, colour::REQUEST_LINE, colour::REQUEST)
        }
        Item::Block(_) => (colour::RESPONSE, colour::STATUS_LINE, colour::RESPONSE),
    };
    let codes = [first, second].into_iter().chain(std::iter::repeat(others));
    for (line, code) in item.to_string().lines().zip(codes) {
        if !line.is_empty() {
            text.extend([code, line, colour::END]);
        }
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use crate::transcript::Transcript;

    use super::*;
    use crate::net::observer::Observer;

    /// Keeps the text that a trace has written.
    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Screen {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    const RESPONSE: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n\x1b[2Jhello";

    /// A trace, and the follower that tells it what crossed on a connection.
    fn traced(
        out: impl Write + Send + 'static,
        options: TraceOptions,
        connection: u64,
    ) -> (Arc<Trace>, Follower) {
        let trace = Arc::new(Trace::start(out, options));
        let follower = Follower::new(vec![trace.clone()]);
        follower.opened(connection, "127.0.0.1:4000".parse().unwrap());
        (trace, follower)
    }

    fn one_exchange(options: TraceOptions) -> String {
        let screen = Screen::default();
        let (trace, follower) = traced(screen.clone(), options, 2);
        trace.say("listening on http://127.0.0.1:5000");
        follower.received(2, REQUEST);
        follower.sent(2, RESPONSE);
        trace.ended(2, End::ClientClosed);
        trace.ended(2, End::ServerClosed);
        trace.finish();
        trace.say("after the end");
        screen.text()
    }

    /// The text without its times, which differ in each run.
    fn without_times(text: &str) -> String {
        let lines = text.lines().map(|line| line.split(", +").next().unwrap_or_default());
        lines.map(|line| line.to_owned() + "\n").collect()
    }

    #[test]
    fn a_finished_trace_has_printed_the_whole_exchange() {
        let text = one_exchange(TraceOptions::default());
        assert_eq!(
            without_times(&text),
            "\
# listening on http://127.0.0.1:5000
--- @2 open from 127.0.0.1:4000

>>> @2 27 bytes
GET / HTTP/1.1
Host: h

<<< @2 73 bytes
HTTP/1.1 200 OK
Content-Type: text/plain
Content-Length: 9

\\x1b[2Jhello\\
--- @2 client half-close
--- @2 server closed
"
        );
        assert_eq!(Transcript::parse(&text).map(|parsed| parsed.to_string()), Ok(text));
    }

    #[test]
    fn colour_adds_only_colour_codes() {
        let coloured = one_exchange(TraceOptions { colour: true, ..TraceOptions::default() });
        let request = [colour::REQUEST, ">>> @2 27 bytes"].concat();
        assert!(coloured.contains(&request), "{coloured}");
        let mut plain = coloured;
        let codes = [colour::PROSE, colour::EVENT, colour::REQUEST, colour::REQUEST_LINE];
        let more = [colour::RESPONSE, colour::STATUS_LINE, colour::END];
        for code in codes.into_iter().chain(more) {
            assert!(plain.contains(code));
            plain = plain.replace(code, "");
        }
        assert_eq!(without_times(&plain), without_times(&one_exchange(TraceOptions::default())));
    }

    /// A terminal that takes nothing until the sender of `release` is dropped.
    struct StuckTerminal {
        /// Reports each call of `write`.
        called: mpsc::Sender<()>,
        release: mpsc::Receiver<()>,
        screen: Screen,
    }

    impl Write for StuckTerminal {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.called.send(());
            let _ = self.release.recv(); // returns at once after the sender is dropped
            self.screen.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_terminal_blocks_no_connection_and_lost_events_are_counted() {
        let ((called, calls), (release_sender, release)) = (mpsc::channel(), mpsc::channel());
        let screen = Screen::default();
        let terminal = StuckTerminal { called, release, screen: screen.clone() };
        let (trace, follower) = traced(terminal, TraceOptions::default(), 1);
        trace.say("the printing thread waits with this");
        calls.recv().unwrap();
        for _ in 0..1000 {
            follower.received(1, &[b'x'; 64 * 1024]); // 62 MiB in all, and 2 fit in the queue
        }
        trace.say("and this is not lost");
        drop(release_sender);
        while !screen.text().contains("were not shown") {
            thread::sleep(Duration::from_millis(1));
        }
        follower.received(1, b"the rest");
        trace.ended(1, End::ServerClosed);
        trace.finish();

        let text = screen.text();
        let transcript = Transcript::parse(&text).unwrap();
        let lengths = transcript.items.iter().map(|item| match item {
            Item::Block(block) => block.bytes.len(),
            _ => 0,
        });
        assert_eq!(lengths.sum::<u64>(), 31 * 64 * 1024 + 8, "the bytes that fitted, and the rest");
        assert!(
            text.contains("\n# and this is not lost\n# 969 events were not shown"),
            "{}",
            &text[text.len() - 300..]
        );
        assert!(text.ends_with("\nthe rest\\\n--- server closed\n"));
    }

    #[test]
    fn a_closed_terminal_ends_the_trace_and_not_the_program() {
        struct ClosedTerminal;
        impl Write for ClosedTerminal {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let trace = Trace::start(ClosedTerminal, TraceOptions::default());
        for _ in 0..1000 {
            trace.say("dropped");
        }
        trace.finish();
    }
}

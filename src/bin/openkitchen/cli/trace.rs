//! # The trace
//!
//! The glass wall, from the side of the terminal: each exchange as it happens, byte for byte.
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
//! # 12 GET /about 200 0.2 ms keep-alive
//! ```
//! Everything on stdout is a valid transcript, so what is copied out of a terminal is a test. The
//! times are those since something happened before on the same connection, in either direction.
//!
//! ```text
//! connections' threads --> queue --> the trace's own thread --> stdout
//!                                    view: connection: direction, page
//! ```
//! A terminal can be slower than a server, and one whose owner pressed Ctrl-S takes nothing at all.
//! So nobody who answers requests ever waits for it: the queue is bounded, and what finds no room is
//! counted and told when there is room again.
//!
//! Left out: masking. The trace shows the very bytes, on this screen only; its own words hold no
//! secrets.

mod queue;
mod view;
mod connection;
mod direction;
mod collector;

use std::ffi::OsStr;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use openkitchen::transcript::{Item, Printer, Side};
use openkitchen::{Answered, End, Observer};

use queue::TraceQueue;
use view::{Observed, Summary, TraceEvent, View};

/// How long the end of the program waits for a terminal that takes nothing.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Text that is written at once.
const WRITE: usize = 64 * 1024;

/// What is shown, and how.
#[derive(Clone, Debug, Default)]
pub struct TraceOptions {
    /// Whether long content, styles, scripts and images are shown too.
    pub bodies: bool,
    /// Whether what each part means is said behind it, once in a run.
    pub explain: bool,
    /// Whether directions have colours: see [`wants_colour`].
    pub colour: bool,
    /// The paths of quiet routes, as the table has them. Their exchanges are shown only where they
    /// fail: a supervisor that asks every second would push all else off the screen.
    pub quiet: Vec<&'static str>,
}

/// Whether to use colours: on a terminal, and never with `NO_COLOR` (<https://no-color.org>: set, and
/// not empty).
pub fn wants_colour(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

/// An observer that prints what it sees.
pub struct Trace {
    queue: Arc<TraceQueue>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Trace {
    /// Starts to print to `out`, from a thread of its own.
    pub fn start(out: impl Write + Send + 'static, options: TraceOptions) -> Trace {
        let queue = Arc::new(TraceQueue::default());
        let taker = Arc::clone(&queue);
        let print = move || {
            // Nobody reads any more (`| head`, a closed window): no reason to end the server.
            let _ = print(&taker, out, options);
            taker.end();
        };
        let thread = match thread::Builder::new().name("trace".into()).spawn(print) {
            Ok(thread) => Some(thread),
            Err(error) => {
                log::warn!("no trace, for the system grants no thread: {error}");
                queue.end();
                None
            }
        };
        Trace { queue, thread: Mutex::new(thread) }
    }

    /// Prints prose, in order with all else: a line for each line.
    pub fn say(&self, text: &str) {
        self.push(0, Observed::ParsedArgs(text.into()));
    }

    /// Prints what is left and ends. What happens later is not shown.
    pub fn finish(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && self.queue.close(LAST_WORDS)
        {
            let _ = thread.join(); // a panic there was told on stderr, and the program ends anyway
        }
    }

    fn push(&self, connection: u64, event: Observed) {
        self.queue.push(TraceEvent { at: Instant::now(), connection, event });
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Observer for Trace {
    fn opened(&self, connection: u64, peer: SocketAddr) {
        self.push(connection, Observed::Opened(peer));
    }

    fn received(&self, connection: u64, bytes: &[u8]) {
        self.push(connection, Observed::Crossed(Side::Client, bytes.into()));
    }

    fn sent(&self, connection: u64, bytes: &[u8]) {
        self.push(connection, Observed::Crossed(Side::Server, bytes.into()));
    }

    fn answered(&self, connection: u64, exchange: &Answered<'_>) {
        self.push(connection, Observed::Answered(Summary::of(exchange)));
    }

    fn ended(&self, connection: u64, end: End) {
        self.push(connection, Observed::Ended(end));
    }
}

/// The life of the thread.
fn print(queue: &TraceQueue, mut out: impl Write, options: TraceOptions) -> io::Result<()> {
    let colour = options.colour;
    let (mut view, mut printer, mut text) = (View::new(options), Printer::new(), String::new());
    while let Some(batch) = queue.take(view.wake_at()) {
        for happened in batch {
            view.see(happened);
            write_items(view.items(), &mut printer, colour, &mut text);
            if text.len() >= WRITE {
                out.write_all(text.as_bytes())?;
                text.clear();
            }
        }
        view.wake(Instant::now());
        write_items(view.items(), &mut printer, colour, &mut text);
        out.write_all(text.as_bytes())?;
        out.flush()?;
        text.clear();
    }
    view.finish();
    write_items(view.items(), &mut printer, colour, &mut text);
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn write_items(
    items: impl Iterator<Item = Item>,
    printer: &mut Printer,
    colour: bool,
    text: &mut String,
) {
    for item in items {
        match colour {
            true => paint(&item, printer, text),
            false => printer.print(&item, text),
        }
    }
}

/// As the printer prints, with colour around each line that is not empty. Each line has its own: a
/// pager forgets colours at a line's end.
fn paint(item: &Item, printer: &mut Printer, text: &mut String) {
    const DIM: &str = "\x1b[2m";
    const YELLOW: &str = "\x1b[33m";
    const CYAN: &str = "\x1b[36m";
    const GREEN: &str = "\x1b[32m";
    if printer.empty_line_before(item) {
        text.push('\n');
    }
    let colour = match item {
        Item::Prose(_) => DIM,
        Item::Event(_) | Item::Assertions(_) => YELLOW,
        Item::Block(block) if block.from == Side::Client => CYAN,
        Item::Block(_) => GREEN,
    };
    for line in item.to_string().lines() {
        if !line.is_empty() {
            text.extend([colour, line, "\x1b[0m"]);
        }
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use openkitchen::transcript::Transcript;

    use super::*;

    /// What a trace wrote, after it has finished.
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
    const ANSWER: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n\x1b[2Jhello";

    fn one_exchange(options: TraceOptions) -> String {
        let screen = Screen::default();
        let trace = Trace::start(screen.clone(), options);
        trace.say("listening on http://127.0.0.1:5000");
        trace.opened(2, "127.0.0.1:4000".parse().unwrap());
        trace.received(2, REQUEST);
        trace.sent(2, ANSWER);
        trace.ended(2, End::ClientClosed);
        trace.ended(2, End::ServerClosed);
        trace.finish();
        trace.say("this comes too late");
        screen.text()
    }

    /// The text without its times, which no test can know.
    fn timeless(text: &str) -> String {
        let lines = text.lines().map(|line| line.split(", +").next().unwrap_or_default());
        lines.map(|line| line.to_owned() + "\n").collect()
    }

    #[test]
    fn an_exchange_is_on_the_screen_when_the_trace_has_finished() {
        let text = one_exchange(TraceOptions::default());
        assert_eq!(
            timeless(&text),
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
        assert_eq!(Transcript::parse(&text).map(|read| read.to_string()), Ok(text));
    }

    #[test]
    fn colours_are_all_that_colour_adds() {
        let coloured = one_exchange(TraceOptions { colour: true, ..TraceOptions::default() });
        assert!(coloured.contains("\x1b[36m>>> @2 27 bytes"), "{coloured}");
        let mut plain = coloured;
        for code in ["\x1b[2m", "\x1b[33m", "\x1b[36m", "\x1b[32m", "\x1b[0m"] {
            assert!(plain.contains(code));
            plain = plain.replace(code, "");
        }
        assert_eq!(timeless(&plain), timeless(&one_exchange(TraceOptions::default())));
    }

    #[test]
    fn colour_is_for_terminals_whose_owner_wants_it() {
        for (is_terminal, no_color, wanted) in [
            (true, None, true),
            (true, Some(""), true),
            (true, Some("1"), false),
            (false, None, false),
        ] {
            assert_eq!(wants_colour(is_terminal, no_color.map(OsStr::new)), wanted);
        }
    }

    /// A terminal that takes nothing until it is told to, and says when it is asked.
    struct Stuck {
        asked: mpsc::Sender<()>,
        release: mpsc::Receiver<()>,
        screen: Screen,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.asked.send(());
            let _ = self.release.recv(); // waits no more once the sender is gone
            self.screen.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_terminal_holds_nobody_up_and_what_is_lost_is_told() {
        let ((asked, was_asked), (let_go, release)) = (mpsc::channel(), mpsc::channel());
        let screen = Screen::default();
        let trace =
            Trace::start(Stuck { asked, release, screen: screen.clone() }, TraceOptions::default());
        trace.say("the printing thread waits with this");
        was_asked.recv().unwrap();
        trace.opened(1, "127.0.0.1:4000".parse().unwrap());
        for _ in 0..1000 {
            trace.received(1, &[b'x'; 64 * 1024]); // 62 MiB, and 2 may wait
        }
        trace.say("and this is not lost");
        drop(let_go);
        while !screen.text().contains("were not shown") {
            thread::sleep(Duration::from_millis(1));
        }
        trace.received(1, b"the rest");
        trace.ended(1, End::ServerClosed);
        trace.finish();

        let text = screen.text();
        let read = Transcript::parse(&text).unwrap();
        let lengths = read.items.iter().map(|item| match item {
            Item::Block(block) => block.bytes.len(),
            _ => 0,
        });
        assert_eq!(lengths.sum::<u64>(), 31 * 64 * 1024 + 8, "bytes that had room, and the rest");
        assert!(
            text.contains("\n# and this is not lost\n# 969 events were not shown"),
            "{}",
            &text[text.len() - 300..]
        );
        assert!(text.ends_with("\\{8 bytes}\\\n--- server closed\n"));
    }

    #[test]
    fn a_terminal_that_is_gone_ends_the_trace_and_nothing_else() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let trace = Trace::start(Gone, TraceOptions::default());
        for _ in 0..1000 {
            trace.say("nobody reads this");
        }
        trace.finish();
    }
}

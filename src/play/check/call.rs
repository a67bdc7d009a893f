//! `check` as a call: a transcript against a server, with a report that a test can show.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::slice::from_ref;
use std::time::Duration;

use super::case::Case;
use super::play::{CheckOutcome, CheckTarget, play_to_end};
use super::report::{CaseResult, Report, Verdict};
use crate::play::connect::MAX_TIMEOUT;
use crate::play::difference::Difference;
use crate::transcript::Transcript;

/// What a report calls the transcript.
const NAME: &str = "check";

/// The longest wait for anything, unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Plays the client of a transcript against a server, and compares what the server does: with the
/// assertions of the transcript, or with its bytes if it has none. It waits five seconds for anything,
/// and longer where the transcript gives more time; [`check_within`] sets another time.
///
/// ```
/// # use openkitchen::{Request, Response, Routes, Server, get, routes};
/// # static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::text("Welcome!"))]);
/// # let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, ())?;
/// use openkitchen::{Transcript, check};
///
/// let page = Transcript::parse(
///     "# The home page\n\n>>>\nGET / HTTP/1.1\nHost: h\n\n???\nstatus 200\nbody \"Welcome!\"\n",
/// )?;
/// let report = check(server.address(), &page);
/// assert!(report.passed(), "{report}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// A report that fails prints what was expected and received, with a caret under the first byte that
/// differs, and what crossed:
///
/// ```text
/// FAIL  check  The home page
///       sent:      GET / HTTP/1.1
///                  Host: h
///
///       expected:  body: Welcome!
///       got:       body: Hello
///                        ^ byte 0 of the content
///
/// what crossed:
/// >>> 27 bytes, +0.1 ms
/// ...
/// ```
pub fn check(address: impl ToSocketAddrs, transcript: &Transcript) -> CheckReport {
    check_within(address, transcript, TIMEOUT)
}

/// Plays the client of a transcript as [`check`] does, and waits at most this long for anything, plus the
/// waits of the transcript.
///
/// ```
/// # use std::net::TcpListener;
/// # use std::time::Duration;
/// use openkitchen::{Transcript, check_within};
///
/// let silent = TcpListener::bind("127.0.0.1:0")?;
/// let page = Transcript::parse(">>>\nGET / HTTP/1.1\nHost: h\n\n???\nstatus 200\n")?;
/// let report = check_within(silent.local_addr()?, &page, Duration::from_millis(20));
/// let difference = report.difference().ok_or("it passed")?;
/// assert_eq!((&*difference.expected, &*difference.got), ("status 200", "nothing in 0.02 s"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check_within(
    address: impl ToSocketAddrs,
    transcript: &Transcript,
    timeout: Duration,
) -> CheckReport {
    let addresses: Result<Vec<SocketAddr>, _> = address.to_socket_addrs().map(Iterator::collect);
    let addresses = addresses.map_err(|error| format!("there is no such address: {error}"));
    match addresses.and_then(|addresses| Ok((addresses, playable(transcript)?))) {
        Ok((addresses, case)) => play(addresses, &case, timeout.min(MAX_TIMEOUT)),
        Err(why) => CheckReport {
            verdict: Verdict::Fail,
            text: format!("nothing was sent: {why}\n"),
            difference: None,
            transcript: Transcript::default(),
        },
    }
}

/// The case of a transcript that says what the server should do.
fn playable(transcript: &Transcript) -> Result<Case, String> {
    let case = Case::of(NAME, transcript)
        .map_err(|error| error.trim_start_matches(NAME).trim_start_matches(": ").to_owned())?;
    match case.has_nothing_to_judge {
        true => Err("it does not say what the server should send: expected ??? or <<<".into()),
        false => Ok(case),
    }
}

fn play(addresses: Vec<SocketAddr>, case: &Case, timeout: Duration) -> CheckReport {
    let authority = addresses.first().map(SocketAddr::to_string).unwrap_or_default();
    let target = CheckTarget { authority, addresses, timeout };
    let played = play_to_end(case, &target);
    let transcript = played.transcript();
    // The first connection is the one that tells whether a server is there.
    let unreachable = match &played.outcome {
        CheckOutcome::Unreachable(why) if played.crossed.is_empty() => Some(format!("none: {why}")),
        _ => None,
    };
    let mut result = CaseResult::from(played);
    if let Some(why) = unreachable {
        result.difference = Some(Difference::new("a connection", why));
    }
    let text = Report::new(&target.authority, from_ref(case), false).add(case, &result);
    CheckReport { verdict: result.verdict, text, difference: result.difference, transcript }
}

/// How [`check`] went. It prints what differs, and then what crossed.
///
/// ```
/// # use openkitchen::{Request, Response, Routes, Server, get, routes};
/// # static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::text("Hello"))]);
/// # let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, ())?;
/// use openkitchen::{Transcript, check};
///
/// let page = Transcript::parse(">>>\nGET / HTTP/1.1\nHost: h\n\n???\nbody \"Welcome!\"\n")?;
/// let report = check(server.address(), &page);
/// assert!(!report.passed());
/// let difference = report.difference().ok_or("it passed")?;
/// assert_eq!((&*difference.expected, &*difference.got), ("body: Welcome!", "body: Hello"));
/// assert!(report.transcript().to_string().ends_with("\n\nHello\\\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CheckReport {
    verdict: Verdict,
    text: String,
    difference: Option<Difference>,
    transcript: Transcript,
}

impl CheckReport {
    /// Whether the server did what the transcript says.
    pub fn passed(&self) -> bool {
        self.verdict == Verdict::Pass
    }

    /// The first difference.
    pub fn difference(&self) -> Option<&Difference> {
        self.difference.as_ref()
    }

    /// What crossed. What one side has sent within 50 ms is one block.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match self.transcript.items.is_empty() {
            true => Ok(()),
            false => write!(f, "what crossed:\n{}", self.transcript),
        }
    }
}

//! # Starts and ends what shows the connections: the trace and the recorder
//!
//! The lesson site and `watch` have the same flags for both, and print the same lines about them.

use std::path::Path;
use std::sync::Arc;

use openkitchen::observe::trace::SECRETS_ARE_SHOWN;
use openkitchen::observe::{Follower, Recorder, Trace, TraceOptions, Viewer};

use super::stdout::print_line;
use crate::site::kitchen;

/// How the trace of the lesson site and of `watch` is turned off.
pub const NO_TRACE: &str = "; --no-trace stops it";

/// What shows the connections of a command. A clone is a handle to the same.
#[derive(Clone)]
pub struct Viewers {
    /// What follows the connections, and tells the trace and the recorder what crosses.
    pub follower: Arc<Follower>,
    trace: Option<Arc<Trace>>,
    recorder: Option<Arc<Recorder>>,
    has_page: bool,
}

impl Viewers {
    /// Starts a recorder for this folder, and a trace with these options on stdout. `server` is the
    /// server's name in each recording. `page` keeps what a page shows.
    ///
    /// # Errors
    /// A sentence: nothing can be recorded in the folder.
    pub fn start(
        trace: Option<TraceOptions>,
        record: Option<&Path>,
        server: &str,
        page: Option<Arc<dyn Viewer>>,
    ) -> Result<Viewers, String> {
        let open = |folder| Recorder::open(folder, server).map_err(|error| error.to_string());
        let recorder = record.map(open).transpose()?;
        let recorder = recorder.map(|recorder| Arc::new(recorder.leaving_out(kitchen::is_own)));
        let trace = trace.map(|options| {
            Arc::new(Trace::on_stdout(TraceOptions { full_flag: Some("--full"), ..options }))
        });
        let mut viewers: Vec<Arc<dyn Viewer>> = Vec::new();
        viewers.extend(trace.clone().map(|trace| trace as Arc<dyn Viewer>));
        viewers.extend(recorder.clone().map(|recorder| recorder as Arc<dyn Viewer>));
        let has_page = page.is_some();
        viewers.extend(page);
        Ok(Viewers { follower: Arc::new(Follower::new(viewers)), trace, recorder, has_page })
    }

    /// Whether anything is shown. A server whose connections nothing shows needs no observer.
    pub fn shows_anything(&self) -> bool {
        self.trace.is_some() || self.recorder.is_some() || self.has_page
    }

    /// Prints these lines, and then where the connections are shown. `how_to_stop` says how a trace that
    /// was not asked for is turned off.
    pub fn announce(&self, lines: &[String], how_to_stop: &str) {
        lines.iter().for_each(|line| self.say(line));
        if self.trace.is_some() {
            self.say(&format!("{SECRETS_ARE_SHOWN}{how_to_stop}"));
        }
        if let Some(recorder) = &self.recorder {
            self.say(&recorder.banner());
        }
    }

    /// Prints a line of prose, in order with the bytes that cross.
    pub fn say(&self, line: &str) {
        match &self.trace {
            Some(trace) => trace.say(line),
            None => print_line(line),
        }
    }

    /// Ends the recordings and the trace. Prints how many connections were not recorded, if any.
    pub fn finish(&self) {
        if let Some(sentence) = self.recorder.as_ref().and_then(|recorder| recorder.finish()) {
            self.say(&sentence);
        }
        if let Some(trace) = &self.trace {
            trace.finish();
        }
    }
}

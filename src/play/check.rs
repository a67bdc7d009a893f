//! # Check: tests a server with transcripts
//!
//! It plays the client's side of each transcript, and compares the server's responses.
//!
//! ```text
//! case        a transcript with its title, its clause, and what to do if it fails
//! play        plays a case: sends, waits, compares
//! connection  what has crossed a connection, and what is wrong with it
//! report      the results as text
//! call        one transcript as a call of a test
//! ```
//! ```
//! # use openkitchen::{Request, Response, Routes, Server, get, routes};
//! use openkitchen::play::check::{self, Case, CheckOutcome, CheckTarget};
//! # static ROUTES: Routes = routes(&[get("/", home)]);
//! # fn home(_: &Request) -> Response { Response::text("Welcome!") }
//! # let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, ())?;
//!
//! let page = ">>>\nGET / HTTP/1.1\nHost: h\n\n???\nstatus 200\nbody \"Welcome!\"\n";
//! let case = Case::read("home.wire", page)?;
//! assert_eq!(check::play(&case, &CheckTarget::new(server.address())), CheckOutcome::Passed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! Each case has connections of its own. The bytes are sent as they are in the file. A `Host` that
//! names another address stays, since most servers accept it; in its built-in lessons, the command
//! writes the address of the server. If a transcript has assertions, only they are tested; if it has
//! none, the bytes are compared.
//!
//! The time is limited, whatever the server does: no wait is longer than the timeout of the
//! [`CheckTarget`] plus the time that the transcript gives.  Next: `mock`.

mod call;
mod case;
mod connection;
mod play;
mod report;

pub use super::difference::{Caret, Cause, Difference};
pub use call::{CheckReport, check, check_within};
pub use case::Case;
pub use play::{
    CheckOutcome, CheckTarget, PlayedCase, PlayedEvent, SideBytes, play, play_and_keep,
    play_to_show,
};
pub use report::{CaseResult, Report, Verdict};

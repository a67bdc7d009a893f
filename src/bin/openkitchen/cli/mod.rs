//! The commands, and what they share: how a command says no, how an address is read, bound and
//! reached, and how the time is told.

pub mod address;
pub mod bind;
pub mod check;
pub mod explain;
pub mod flags;
pub mod mock;
pub mod note;
pub mod options;
pub mod record;
pub mod send;
pub mod serve;
pub mod trace;
pub mod watch;

/// Why a command did not do its work.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The command line is wrong: exit code 2.
    Usage(String),
    /// The command line is right, and it cannot be done: exit code 1.
    Failed(String),
}

//! # Observe: see what crosses
//!
//! Two viewers of a server's connections. Each is told by a [`Follower`] what crosses, byte for byte,
//! and which bytes are head and content.
//!
//! | viewer | what it does |
//! |---|---|
//! | [`Trace`] | prints each exchange as it happens: [`Server::traced`](crate::Server::traced) |
//! | [`Recorder`] | writes each connection to a file: [`Server::recorded_in`](crate::Server::recorded_in) |
//!
//! [`Server::observed_by`](crate::Server::observed_by) adds an observer of your own.
//!
//! Left out: changing what crosses. An observer sees, and no byte is changed, added or held back.
//! Next: [`follower`], then [`trace`].

pub mod follower;
pub mod trace;
pub mod record;

pub use follower::{FollowedBytes, Follower, Viewer};
pub use record::Recorder;
pub use trace::{Trace, TraceOptions};

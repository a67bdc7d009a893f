//! # The feed: what happens, as numbered events
//!
//! A page that shows exchanges live is told each change once. If its connection breaks, it goes on after
//! the last event that it had.
//!
//! ```text
//! event 41  connection 7 opened
//! event 42  exchange 12 begins      <── replaced by 44: only the newest event of an exchange is told
//! event 43  connection 8 opened
//! event 44  exchange 12 is over
//! ```
//! An event of an exchange names it, and the exchange is looked up when the event is told. So the feed
//! holds no bytes.
//!
//! Bounds: the last 1,024 events. A wait for an older one, or for one of an exchange that is not kept
//! any more, is told that events are lost.  Next: [`play`](crate::play).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::SystemTime;

use crate::net::observer::End;

/// Events that are kept.
const MAX_EVENTS: usize = 1024;

/// A connection, as it is after an event.
#[derive(Clone, Copy, Debug)]
pub struct KeptConnection {
    /// The number of the connection, from 1.
    pub connection: u64,
    /// The client's address.
    pub peer: SocketAddr,
    /// What has happened to it last.
    pub state: ConnectionState,
    /// When that was.
    pub since: SystemTime,
    /// Exchanges that have begun on it.
    pub exchanges: u64,
    /// Whether it was followed from its beginning. If not, there were exchanges before.
    pub is_whole: bool,
    /// Whether there was one at least, and all were set aside: see
    /// [`Exchanges::setting_aside`](crate::Exchanges::setting_aside).
    pub is_aside: bool,
    /// Whether the reader is to forget it: it was told before, and is set aside since this event.
    pub is_newly_aside: bool,
}

/// What has happened to a connection last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// It was accepted.
    Opened,
    /// One side has ended.
    Ended(End),
    /// It is over.
    Gone,
}

/// What an event is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject {
    Exchange { number: u64, is_aside: bool },
    Connection(KeptConnection),
}

impl Subject {
    /// Whether it is told only to readers that ask for what is set aside. That a connection is aside is
    /// told to all, so that they can forget it.
    pub fn is_aside(&self) -> bool {
        match self {
            Subject::Exchange { is_aside, .. } => *is_aside,
            Subject::Connection(connection) => connection.is_aside && !connection.is_newly_aside,
        }
    }
}

/// The last events.
#[derive(Default)]
pub(super) struct Feed {
    events: VecDeque<Subject>,
    /// The number of the last event; 0 if there was none.
    pub last: u64,
    /// Whether nothing more is told.
    pub is_closed: bool,
}

impl Feed {
    /// Adds an event, and returns its number.
    pub fn push(&mut self, subject: Subject) -> u64 {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(subject);
        self.last += 1;
        self.last
    }

    /// The events after this one, with their numbers; `None` if some of them are not kept, or if it is
    /// no number of this feed.
    pub fn after(&self, number: u64) -> Option<impl Iterator<Item = (u64, Subject)>> {
        let first = self.last - self.events.len() as u64 + 1;
        let skipped = (number + 1).checked_sub(first)?;
        let is_known = number <= self.last;
        let events = self.events.iter().copied().skip(usize::try_from(skipped).ok()?);
        is_known.then(|| (number + 1..).zip(events))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_numbered_and_the_oldest_are_lost() {
        let mut feed = Feed::default();
        let numbers = |feed: &Feed, after| {
            feed.after(after).map(|events| events.map(|(number, _)| number).collect::<Vec<_>>())
        };
        assert_eq!((numbers(&feed, 0), numbers(&feed, 1)), (Some(vec![]), None));
        let exchange = |number| Subject::Exchange { number, is_aside: false };
        (1..=3).for_each(|number| assert_eq!(feed.push(exchange(number)), number));
        assert_eq!((numbers(&feed, 1), numbers(&feed, 3)), (Some(vec![2, 3]), Some(vec![])));
        assert_eq!((numbers(&feed, 4), numbers(&feed, u64::MAX - 1)), (None, None));
        for number in 0..MAX_EVENTS as u64 {
            feed.push(exchange(number));
        }
        assert_eq!((numbers(&feed, 2), numbers(&feed, 3).unwrap().len()), (None, MAX_EVENTS));
    }
}

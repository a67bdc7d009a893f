//! # The file of likes
//!
//! A guest taps Like. When may the kitchen answer "stored"? Not when a number moved in memory, and
//! not when `write` came back, for then the bytes wait in the system's own memory. When the disk
//! has said so, and not before.
//!
//! A sync costs milliseconds, and it costs the same for one line as for a hundred. So guests share:
//! whoever finds nobody at the disk goes there with everything that waits (the *leader*); who comes
//! meanwhile waits for the next trip.
//!
//! ```text
//! guest 1   |-- write, sync --|
//! guest 2      | waits .......|-- write, sync --|   takes 3 and 4 along
//! guest 3           | waits .....................|
//! guest 4               | waits .................|
//! ```
//! Next: [`likes_file`](super::likes_file), the file itself.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use super::likes_file::{self, LikeError, LikesFile};

/// Where likes are kept. Shared by all threads; every method takes `&self`.
pub struct Likes {
    file: Option<LikesFile>, // None: in memory
    ledger: Mutex<Ledger>,
    turned: Condvar,
}

/// What the threads share. The file is not in here: it is written while the ledger is unlocked, so
/// that others can join the queue meanwhile. `leading` keeps it to one writer.
#[derive(Default)]
struct Ledger {
    counts: BTreeMap<u32, u64>,   // exactly what is on disk
    length: u64,                  // of the file, all of it good
    waiting: Vec<(u32, Receipt)>, // the next trip's load
    leading: bool,                // someone is at the disk
    trips: Trips,
}

/// How the leader tells a follower what became of its like.
type Receipt = Arc<OnceLock<Result<u64, LikeError>>>;

/// What the disk has done since the start.
#[derive(Clone, Copy, Default)]
pub struct Trips {
    /// Likes stored.
    pub likes: u64,
    /// Syncs that it took.
    pub syncs: u64,
}

impl Likes {
    /// The likes in this file, which is made if need be. Of two processes that want one file, the
    /// second gets an error.
    pub fn open(path: &Path) -> io::Result<Likes> {
        let (file, found) = LikesFile::open(path).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
        let ledger = Ledger { counts: found.counts, length: found.length, ..Ledger::default() };
        Ok(Likes { file: Some(file), ledger: Mutex::new(ledger), turned: Condvar::new() })
    }

    /// Likes that are forgotten at the end.
    pub fn in_memory() -> Likes {
        Likes { file: None, ledger: Mutex::default(), turned: Condvar::new() }
    }

    /// The file that was `given`, or an error. None given: the `default` place, or memory where
    /// that cannot be written (a read-only image, a user without a home). A default file that is
    /// another's, or not of likes, remains an error: to go on without the likes that are there
    /// would look like having lost them.
    pub fn choose(given: Option<PathBuf>, default: Option<PathBuf>) -> io::Result<Likes> {
        if let Some(path) = given {
            return Likes::open(&path);
        }
        let why = match default.as_deref().map(Likes::open) {
            Some(Err(error))
                if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::InvalidData) =>
            {
                error.to_string()
            }
            Some(opened) => return opened,
            None => "neither XDG_STATE_HOME nor HOME names a place".to_owned(),
        };
        log::warn!(
            "likes are kept in memory and forgotten at the end ({why}); --data FILE keeps them"
        );
        Ok(Likes::in_memory())
    }

    /// Likes by post. Only what is stored.
    pub fn counts(&self) -> BTreeMap<u32, u64> {
        self.ledger().counts.clone()
    }

    /// The file, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(LikesFile::path)
    }

    /// How many likes have shared how many syncs.
    pub fn trips(&self) -> Trips {
        self.ledger().trips
    }

    /// Stores one like and returns the post's new count. Comes back when the disk has it.
    pub fn like(&self, post: u32) -> Result<u64, LikeError> {
        let receipt = Receipt::default();
        let mut ledger = self.ledger();
        ledger.waiting.push((post, Arc::clone(&receipt)));
        loop {
            if let Some(outcome) = receipt.get() {
                return outcome.clone();
            }
            ledger = match ledger.leading {
                true => self.turned.wait(ledger).unwrap_or_else(PoisonError::into_inner),
                // Nobody is at the disk and ours is not stored: so it is among those that wait.
                // Take them all.
                false => self.lead(ledger),
            };
        }
    }

    /// One trip to the disk, for all that wait. Only one thread is ever in here past the first
    /// unlock.
    fn lead<'a>(&'a self, mut ledger: MutexGuard<'a, Ledger>) -> MutexGuard<'a, Ledger> {
        let load = std::mem::take(&mut ledger.waiting);
        let length = ledger.length;
        ledger.leading = true;
        drop(ledger);

        let lines: Vec<u8> = load.iter().flat_map(|(post, _)| likes_file::print(*post)).collect();
        let written = self.file.as_ref().map_or(Ok(()), |file| file.append(length, &lines));

        let mut ledger = self.ledger();
        if written.is_ok() {
            ledger.length += lines.len() as u64;
            ledger.trips.likes += load.len() as u64;
            ledger.trips.syncs += u64::from(self.file.is_some());
        }
        for (post, receipt) in load {
            let outcome = written.clone().map(|()| {
                let count = ledger.counts.entry(post).or_default();
                *count += 1;
                *count
            });
            let _ = receipt.set(outcome); // each is set once, here
        }
        ledger.leading = false;
        self.turned.notify_all();
        ledger
    }

    /// A thread that panicked held no half-made change: every update of the ledger is complete
    /// before anything can fail.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where likes live when nobody says: the XDG base directory for state. Takes the values of
/// `XDG_STATE_HOME` and `HOME`; a path that is not absolute counts as unset, as that specification
/// wants it.
pub fn default_path(state_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute =
        |value: Option<OsString>| value.map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute(state_home).or_else(|| Some(absolute(home)?.join(".local/state")))?;
    Some(state.join("openkitchen/likes"))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::super::likes_file::tests::scratch;
    use super::*;

    #[test]
    fn a_like_is_there_after_a_restart() {
        let path = scratch("restart");
        let likes = Likes::open(&path).expect("opens");
        assert_eq!((likes.like(1), likes.like(4), likes.like(1)), (Ok(1), Ok(1), Ok(2)));
        drop(likes);
        let likes = Likes::open(&path).expect("opens again");
        assert_eq!(likes.counts(), BTreeMap::from([(1, 2), (4, 1)]));
        assert_eq!(likes.like(1), Ok(3));
    }

    #[test]
    fn a_second_owner_is_told_in_a_sentence() {
        let path = scratch("owner");
        let _first = Likes::open(&path).expect("opens");
        let error = Likes::open(&path).err().expect("is locked");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!(error.to_string().ends_with("another file with --data"), "{error}");
        assert!(
            Likes::choose(None, Some(path.to_path_buf())).is_err(),
            "and is not sent to memory"
        );
    }

    #[test]
    fn many_guests_share_a_sync_and_each_count_is_given_once() {
        let path = scratch("shared");
        let likes = Likes::open(&path).expect("opens");
        let mut given: Vec<u64> = thread::scope(|scope| {
            let guests: Vec<_> = (0..16)
                .map(|_| {
                    scope.spawn(|| {
                        (0..25).map(|_| likes.like(7).expect("stored")).collect::<Vec<_>>()
                    })
                })
                .collect();
            guests.into_iter().flat_map(|guest| guest.join().expect("no panic")).collect()
        });
        given.sort_unstable();
        assert_eq!(given, (1..=400).collect::<Vec<_>>());
        let Trips { likes: stored, syncs } = likes.trips();
        assert_eq!(stored, 400);
        assert!((1..=400).contains(&syncs), "{syncs} syncs");
        drop(likes);
        assert_eq!(Likes::open(&path).expect("opens again").counts(), BTreeMap::from([(7, 400)]));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_like_without_room_is_told_to_everyone_who_shared_the_trip_and_does_not_count() {
        let likes = Likes { file: Some(likes_file::tests::full()), ..Likes::in_memory() };
        thread::scope(|scope| {
            let guests: Vec<_> = (0..8).map(|_| scope.spawn(|| likes.like(1))).collect();
            for guest in guests {
                assert_eq!(guest.join().expect("no panic"), Err(LikeError::Full));
            }
        });
        assert_eq!((likes.counts(), likes.trips().likes), (BTreeMap::new(), 0));
    }

    #[test]
    fn memory_counts_as_well() {
        let likes = Likes::in_memory();
        assert_eq!((likes.like(1), likes.like(1), likes.path()), (Ok(1), Ok(2), None));
    }

    #[test]
    fn the_default_place_is_absolute_or_nowhere() {
        let place = |state: Option<&str>, home: Option<&str>| {
            default_path(state.map(OsString::from), home.map(OsString::from))
        };
        assert_eq!(place(Some("/s"), Some("/h")), Some("/s/openkitchen/likes".into()));
        for unset in [None, Some(""), Some("relative")] {
            assert_eq!(place(unset, Some("/h")), Some("/h/.local/state/openkitchen/likes".into()));
            assert_eq!(place(unset, unset), None);
        }
    }

    #[test]
    fn nowhere_to_write_means_memory_but_a_named_file_must_be_kept() {
        let file = scratch("a-file-is-no-folder");
        std::fs::write(&*file, "x").expect("written");
        let below = file.join("likes");
        assert_eq!(Likes::choose(None, None).expect("memory").path(), None);
        assert_eq!(Likes::choose(None, Some(below.clone())).expect("memory").path(), None);
        assert!(Likes::choose(Some(below), None).is_err());
        let error = Likes::choose(None, Some(file.to_path_buf())).err().expect("is not ours");
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!(std::fs::read(&*file).expect("is there"), b"x", "and was not touched");
    }
}

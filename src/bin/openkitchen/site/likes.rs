//! # Stores likes, with one sync for many of them
//!
//! A response to a like says "stored", so it must follow the sync of the likes file. A count in
//! memory is not enough, and `write` is not enough: its bytes may still be in the kernel's page
//! cache.
//!
//! A sync costs milliseconds, for one record or for a hundred. So threads share it (databases call
//! this *group commit*). A thread that finds no append in progress appends all pending records and
//! syncs. A thread that arrives meanwhile waits on a condition variable for the next append.
//!
//! ```text
//! thread 1   |-- append, sync --|
//! thread 2      | waits ........|-- append, sync --|   with the records of 3 and 4
//! thread 3           | waits ......................|
//! thread 4               | waits ..................|
//! ```
//! Next: [`likes_file`](super::likes_file), the file itself.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::likes_file::{self, LikeError, LikesFile};

/// All likes. The threads share it, and every method takes `&self`.
pub struct Likes {
    file: Option<LikesFile>, // None: in memory
    state: Mutex<LikesState>,
    append_ended: Condvar,
}

/// The state under the lock. The file is not part of it: a thread appends without the lock, so that
/// others can queue their records meanwhile. `is_appending` allows only one writer.
#[derive(Default)]
struct LikesState {
    counts: BTreeMap<u32, u64>,      // stored likes, by post
    length: u64,                     // bytes of the file that are synced
    pending: Vec<(u32, LikeResult)>, // records for the next append
    is_appending: bool,
    totals: LikesTotals,
}

/// The result of one like. The thread that appends the record sets it, and the thread that waits
/// reads it.
type LikeResult = Arc<OnceLock<Result<StoredLike, LikeError>>>;

/// A like that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredLike {
    /// The likes of its post, this one included.
    pub count: u64,
    /// The append that stored it; `None` if the likes are kept in memory.
    pub append: Option<Append>,
}

/// One append to the likes file, with its sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Append {
    /// Bytes of all records in it.
    pub bytes: usize,
    /// Likes in it.
    pub likes: usize,
    /// How long the write and the sync took.
    pub took: Duration,
}

/// Likes and syncs since the start.
#[derive(Clone, Copy, Default)]
pub struct LikesTotals {
    /// Likes stored.
    pub likes: u64,
    /// Syncs that stored them.
    pub syncs: u64,
}

impl Likes {
    /// Opens the likes file at `path`, or creates it. A file that another process has locked is an
    /// error.
    pub fn open(path: &Path) -> io::Result<Likes> {
        let (file, loaded) = LikesFile::open(path).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
        let state =
            LikesState { counts: loaded.counts, length: loaded.length, ..LikesState::default() };
        Ok(Likes { file: Some(file), state: Mutex::new(state), append_ended: Condvar::new() })
    }

    /// Likes that are lost when the process ends.
    pub fn in_memory() -> Likes {
        Likes { file: None, state: Mutex::default(), append_ended: Condvar::new() }
    }

    /// As [`open`](Likes::open), and creates the missing directories of the file.
    fn open_with_directory(path: &Path) -> io::Result<Likes> {
        let directory = likes_file::directory_of(path);
        likes_file::create_directory(directory).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", directory.display()))
        })?;
        Likes::open(path)
    }

    /// Opens the `given` file, or else the `default` one. Missing directories are created for the
    /// default file only. If that cannot be opened (a read-only image, a user without a home
    /// directory), the likes stay in memory.
    ///
    /// # Errors
    /// Any error of the given file. For the default file: it is locked, it is not a likes file, or
    /// it has a damaged end that cannot be kept. To continue in memory would then look like a loss
    /// of the stored likes.
    pub fn choose(given: Option<PathBuf>, default: Option<PathBuf>) -> io::Result<Likes> {
        if let Some(path) = given {
            let is_default = default.as_ref() == Some(&path);
            return if is_default { Likes::open_with_directory(&path) } else { Likes::open(&path) };
        }
        let why = match default.as_deref().map(Likes::open_with_directory) {
            Some(Err(error))
                if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::InvalidData) =>
            {
                error.to_string()
            }
            Some(opened) => return opened,
            None => "neither XDG_STATE_HOME nor HOME is an absolute path".to_owned(),
        };
        log::warn!("likes are kept in memory and lost at the end ({why}); --data FILE keeps them");
        Ok(Likes::in_memory())
    }

    /// Stored likes by post.
    pub fn counts(&self) -> BTreeMap<u32, u64> {
        self.lock().counts.clone()
    }

    /// Path of the likes file, or `None` for likes in memory.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(LikesFile::path)
    }

    /// Likes and syncs since the start.
    pub fn totals(&self) -> LikesTotals {
        self.lock().totals
    }

    /// Stores one like. Blocks until the record is synced.
    pub fn like(&self, post: u32) -> Result<StoredLike, LikeError> {
        let result = LikeResult::default();
        let mut state = self.lock();
        state.pending.push((post, Arc::clone(&result)));
        loop {
            if let Some(result) = result.get() {
                return result.clone();
            }
            state = match state.is_appending {
                true => self.append_ended.wait(state).unwrap_or_else(PoisonError::into_inner),
                // The result is not set, so the record of this thread is still pending.
                false => self.append_pending(state),
            };
        }
    }

    /// Appends all pending records, syncs once and sets their results. Runs without the lock while
    /// it writes.
    fn append_pending<'a>(
        &'a self,
        mut state: MutexGuard<'a, LikesState>,
    ) -> MutexGuard<'a, LikesState> {
        let batch = std::mem::take(&mut state.pending);
        let length = state.length;
        state.is_appending = true;
        drop(state);

        let records: Vec<u8> =
            batch.iter().flat_map(|(post, _)| likes_file::format_record(*post)).collect();
        let since = Instant::now();
        let appended = self.file.as_ref().map_or(Ok(()), |file| file.append(length, &records));
        let (bytes, likes, took) = (records.len(), batch.len(), since.elapsed());
        let append = self.file.as_ref().map(|_| Append { bytes, likes, took });

        let mut state = self.lock();
        if appended.is_ok() {
            state.length += records.len() as u64;
            state.totals.likes += batch.len() as u64;
            state.totals.syncs += u64::from(self.file.is_some());
        }
        for (post, result) in batch {
            let stored = appended.clone().map(|()| {
                let count = state.counts.entry(post).or_default();
                *count += 1;
                StoredLike { count: *count, append }
            });
            let _ = result.set(stored); // only this line sets it
        }
        state.is_appending = false;
        self.append_ended.notify_all();
        state
    }

    /// Locks the state, also after a panic: no code under the lock can fail in the middle of an
    /// update.
    fn lock(&self) -> MutexGuard<'_, LikesState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The default path of the likes file, in the XDG base directory for state. Takes the values of
/// `XDG_STATE_HOME` and `HOME`. A path that is not absolute counts as unset, as the XDG
/// specification demands.
fn default_path_in(state_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute =
        |value: Option<OsString>| value.map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute(state_home).or_else(|| Some(absolute(home)?.join(".local/state")))?;
    Some(state.join("openkitchen/likes"))
}

/// The default path of the likes file, as the environment has it.
pub fn default_path() -> Option<PathBuf> {
    let [state_home, home] = match cfg!(windows) {
        true => ["LOCALAPPDATA", "USERPROFILE"],
        false => ["XDG_STATE_HOME", "HOME"],
    };
    default_path_in(env::var_os(state_home), env::var_os(home))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::super::likes_file::tests::scratch;
    use super::*;

    /// Stores a like, and returns the new count.
    fn count(likes: &Likes, post: u32) -> Result<u64, LikeError> {
        likes.like(post).map(|stored| stored.count)
    }

    #[test]
    fn likes_are_loaded_after_a_restart() {
        let path = scratch("restart");
        let likes = Likes::open(&path).expect("opens");
        assert_eq!((count(&likes, 1), count(&likes, 4), count(&likes, 1)), (Ok(1), Ok(1), Ok(2)));
        drop(likes);
        let likes = Likes::open(&path).expect("opens again");
        assert_eq!(likes.counts(), BTreeMap::from([(1, 2), (4, 1)]));
        assert_eq!(count(&likes, 1), Ok(3));
    }

    #[test]
    fn a_second_process_gets_an_error_that_names_the_data_flag() {
        let path = scratch("owner");
        let _first = Likes::open(&path).expect("opens");
        let error = Likes::open(&path).err().expect("is locked");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!(error.to_string().ends_with("another file with --data"), "{error}");
        assert!(
            Likes::choose(None, Some(path.to_path_buf())).is_err(),
            "the likes are not kept in memory instead"
        );
    }

    #[test]
    fn threads_share_a_sync_and_each_count_is_returned_once() {
        let path = scratch("shared");
        let likes = Likes::open(&path).expect("opens");
        let mut returned: Vec<u64> = thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| {
                    scope.spawn(|| {
                        (0..25).map(|_| count(&likes, 7).expect("stored")).collect::<Vec<_>>()
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
        });
        returned.sort_unstable();
        assert_eq!(returned, (1..=400).collect::<Vec<_>>());
        let LikesTotals { likes: stored, syncs } = likes.totals();
        assert_eq!(stored, 400);
        assert!((1..=400).contains(&syncs), "{syncs} syncs");
        drop(likes);
        assert_eq!(Likes::open(&path).expect("opens again").counts(), BTreeMap::from([(7, 400)]));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_fails_every_like_of_the_append_and_counts_none() {
        let likes = Likes { file: Some(likes_file::tests::full()), ..Likes::in_memory() };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| likes.like(1))).collect();
            for thread in threads {
                assert_eq!(thread.join().expect("no panic"), Err(LikeError::Full));
            }
        });
        assert_eq!((likes.counts(), likes.totals().likes), (BTreeMap::new(), 0));
    }

    #[test]
    fn likes_in_memory_are_counted() {
        let likes = Likes::in_memory();
        assert_eq!(likes.like(9).map(|stored| stored.append), Ok(None));
        assert_eq!((count(&likes, 1), count(&likes, 1), likes.path()), (Ok(1), Ok(2), None));
    }

    #[cfg(unix)]
    #[test]
    fn the_default_path_is_absolute_or_absent() {
        let path = |state: Option<&str>, home: Option<&str>| {
            default_path_in(state.map(OsString::from), home.map(OsString::from))
        };
        assert_eq!(path(Some("/s"), Some("/h")), Some("/s/openkitchen/likes".into()));
        for unset in [None, Some(""), Some("relative")] {
            assert_eq!(path(unset, Some("/h")), Some("/h/.local/state/openkitchen/likes".into()));
            assert_eq!(path(unset, unset), None);
        }
    }

    #[test]
    fn an_unusable_default_means_memory_but_a_given_file_must_open() {
        let file = scratch("a-file-is-no-directory");
        std::fs::write(&*file, "x").expect("written");
        let below = file.join("likes");
        assert_eq!(Likes::choose(None, None).expect("memory").path(), None);
        assert_eq!(Likes::choose(None, Some(below.clone())).expect("memory").path(), None);
        assert!(Likes::choose(Some(below), None).is_err());
        let error = Likes::choose(None, Some(file.to_path_buf())).err().expect("no likes file");
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!(std::fs::read(&*file).expect("is there"), b"x", "unchanged");
    }
}

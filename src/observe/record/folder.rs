//! # The folder of the recordings, and its bounds

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

use crate::message::date::CivilTime;
use crate::net::start_error::StartError;
use crate::observe::follower::lock;
use crate::sys;

/// Recordings in one folder, those of earlier runs included: enough for a day of work. With
/// [`MAX_FILE_BYTES`], the folder takes at most 17 GB.
pub(super) const MAX_FILES: usize = 1000;

/// Bytes of text in one file: far more than a person reads of one connection.
pub(super) const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;

/// A folder in which files are created, one for each connection.
pub(super) struct RecordingFolder {
    path: PathBuf,
    /// What the names of this run's files begin with: see [`run_name`].
    run: String,
    created: CreatedFolders,
    /// The server, as each file's second line names it.
    pub server: String,
    counts: Mutex<FileCounts>,
    /// Whether a write error has been logged.
    pub error_reported: AtomicBool,
}

struct FileCounts {
    /// Files that may still be created.
    left: usize,
    /// Connections beyond [`MAX_FILES`].
    not_recorded: u64,
}

impl RecordingFolder {
    /// Opens the folder, or creates it.
    ///
    /// # Errors
    /// The folder cannot be created, or no file can be created in it.
    pub fn open(folder: &Path, server: &str) -> Result<RecordingFolder, StartError> {
        let open = || -> io::Result<(CreatedFolders, Vec<String>)> {
            let created = CreatedFolders::missing(folder);
            match folder.is_dir() {
                true => {}
                false if folder.exists() => return Err(ErrorKind::NotADirectory.into()),
                false => sys::create_private_directory(folder)?,
            }
            // A test file, so that an error is reported now and not at the first connection.
            let attempt = folder.join(format!(".attempt-{:08x}", sys::random()));
            drop(sys::create_private_file(&attempt)?);
            fs::remove_file(&attempt)?;
            let names = fs::read_dir(folder)?.flatten();
            let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
            Ok((created, names.filter(|name| name.ends_with(".wire")).collect()))
        };
        let (created, recordings) = open().map_err(|error| {
            StartError::new(&format!("cannot record in {}", folder.display()), error)
        })?;
        let left = MAX_FILES.saturating_sub(recordings.len());
        Ok(RecordingFolder {
            path: folder.into(),
            run: run_name(SystemTime::now(), &recordings),
            created,
            server: server.into(),
            counts: Mutex::new(FileCounts { left, not_recorded: 0 }),
            error_reported: AtomicBool::new(false),
        })
    }

    /// The line to print at the start: where the recordings are, or why there are none.
    pub fn banner(&self) -> String {
        let (folder, left) = (self.path.display(), self.counts().left);
        match left {
            0 => format!(
                "nothing is recorded: {folder} holds {MAX_FILES} recordings, the limit; delete some"
            ),
            _ => format!("connections are recorded in {folder}, secrets included"),
        }
    }

    /// Says how many connections were not recorded, if any.
    pub fn not_recorded(&self) -> Option<String> {
        let not_recorded = self.counts().not_recorded;
        (not_recorded > 0).then(|| {
            let folder = self.path.display();
            format!(
                "connections that were not recorded, because {folder} holds {MAX_FILES} recordings, \
                 the limit: {not_recorded}"
            )
        })
    }

    /// Keeps the folder also if nothing was recorded in it. Without this call, folders that were
    /// created for the recordings are removed if they are still empty: the start has failed.
    pub fn keep(&self) {
        lock(&self.created.0).clear();
    }

    /// Creates the file of the connection with this number. The names of a run sort by it. `None`
    /// after an error, which is logged, or beyond [`MAX_FILES`], which is counted.
    pub fn create(&self, number: u64) -> Option<File> {
        {
            let mut counts = self.counts();
            if counts.left == 0 {
                counts.not_recorded += 1;
                if counts.not_recorded == 1 {
                    let folder = self.path.display();
                    log::warn!(
                        "{folder} holds {MAX_FILES} recordings, the limit: later connections are \
                         not recorded"
                    );
                }
                return None;
            }
            counts.left -= 1;
        }
        let name = format!("{}-{number:09}.wire", self.run);
        match sys::create_private_file(&self.path.join(name)) {
            Ok(file) => Some(file),
            Err(error) => {
                self.report_error(&error);
                self.counts().left += 1;
                None
            }
        }
    }

    /// Logs the first error. The clients are served all the same.
    pub fn report_error(&self, error: &io::Error) {
        if !self.error_reported.swap(true, Ordering::Relaxed) {
            let is_full = error.kind() == ErrorKind::StorageFull;
            let advice = if is_full { ": free some space" } else { "" };
            let folder = self.path.display();
            log::warn!(
                "cannot record in {folder}: {error}; later connections will be tried again{advice}"
            );
        }
    }

    /// Nothing that could panic is called under this lock.
    fn counts(&self) -> MutexGuard<'_, FileCounts> {
        lock(&self.counts)
    }
}

/// The folders that were created for the recordings, the deepest first. Dropped, those that are
/// still empty are removed.
struct CreatedFolders(Mutex<Vec<PathBuf>>);

impl CreatedFolders {
    /// The missing folders of this path. They are created next.
    fn missing(folder: &Path) -> CreatedFolders {
        let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let missing = folder.ancestors().take_while(is_missing).map(Path::to_path_buf);
        CreatedFolders(Mutex::new(missing.collect()))
    }
}

impl Drop for CreatedFolders {
    fn drop(&mut self) {
        lock(&self.0).iter().for_each(|folder| drop(fs::remove_dir(folder)));
    }
}

/// What the names of a run's files begin with: the time of the start, a number, and a random
/// number.
///
/// ```text
/// 19941106T084937Z-0001-5f3a9c21
/// ```
/// The names of a later run sort after those that are in the folder. So the time is that of the
/// newest recording if the clock shows no later one, and the number is one more. The random number
/// tells apart runs that start at the same moment: a process id would not, because each container
/// has a process 1.
fn run_name(now: SystemTime, recordings: &[String]) -> String {
    let now = timestamp(now);
    let (time, number) = match recordings.iter().filter_map(|name| time_and_number(name)).max() {
        Some((newest, number)) if newest >= &*now => (newest, number.saturating_add(1)),
        _ => (&*now, 1),
    };
    format!("{time}-{number:04}-{:08x}", sys::random())
}

/// The time and the number in the name of a recording.
fn time_and_number(name: &str) -> Option<(&str, u32)> {
    let (time, rest) = name.split_once('-')?;
    let (number, _) = rest.split_once('-')?;
    let shape: String = time.chars().map(|it| if it.is_ascii_digit() { '0' } else { it }).collect();
    (shape == "00000000T000000Z").then_some((time, number.parse().ok()?))
}

/// `19941106T084937Z` for `Sun, 06 Nov 1994 08:49:37 GMT`: file names then sort by time.
fn timestamp(time: SystemTime) -> String {
    let CivilTime { year, month, day, hour, minute, second, .. } = time.into();
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use crate::message::date;

    use super::*;

    #[test]
    fn a_timestamp_is_a_date_in_sortable_form() {
        assert_eq!(timestamp(date::example()), "19941106T084937Z");
        assert_eq!(timestamp(SystemTime::UNIX_EPOCH), "19700101T000000Z");
    }

    #[test]
    fn the_names_of_a_later_run_sort_after_all_others_whatever_the_clock_shows() {
        let mut names: Vec<String> = Vec::new();
        for (now, expected) in [
            (date::example(), "19941106T084937Z-0001-"),
            (date::example(), "19941106T084937Z-0002-"),
            (SystemTime::UNIX_EPOCH, "19941106T084937Z-0003-"),
            (date::example() + std::time::Duration::from_secs(1), "19941106T084938Z-0001-"),
        ] {
            let run = run_name(now, &names);
            assert!(run.starts_with(expected), "{run}");
            // A file that another program has named does not count.
            names = vec!["zoo-1-x.wire".into(), format!("{run}-000000001.wire")];
        }
    }
}

//! # The folder of the recordings, and its bounds

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

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
        let open = || -> io::Result<usize> {
            match folder.is_dir() {
                true => {}
                false if folder.exists() => return Err(ErrorKind::NotADirectory.into()),
                false => sys::create_private_folder(folder)?,
            }
            // A test file, so that an error is reported now and not at the first connection.
            let attempt = folder.join(format!(".attempt-{}", process::id()));
            drop(sys::create_private_file(&attempt)?);
            fs::remove_file(&attempt)?;
            let is_recording = |entry: &fs::DirEntry| {
                Path::new(&entry.file_name()).extension().is_some_and(|it| it == "wire")
            };
            Ok(fs::read_dir(folder)?.flatten().filter(is_recording).count())
        };
        let recordings = open().map_err(|error| {
            StartError::new(&format!("cannot record in {}", folder.display()), error)
        })?;
        let left = MAX_FILES.saturating_sub(recordings);
        Ok(RecordingFolder {
            path: folder.into(),
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

    /// Creates a file. `None` after an error, which is logged, or beyond [`MAX_FILES`], which is counted.
    pub fn create(&self, name: &str) -> Option<File> {
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

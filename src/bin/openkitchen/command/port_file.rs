//! Writes the port file of the site, `serve`, `watch` and `mock`: it tells a program that waits for it the
//! addresses in use, one on each line.
//!
//! A command locks its port file as long as it runs. So a later start can tell two files apart: one
//! that an ended run has left, which it removes at once, and one of a running server, which it
//! leaves as it is. It does not start then: two servers cannot share one port file.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use openkitchen::sys;

/// The file that `--port-file` names. Without that flag, nothing is written.
pub struct PortFile<'a> {
    path: Option<&'a Path>,
}

impl PortFile<'_> {
    /// Removes the file of an ended run: a program that waits for the file must not read an old
    /// address. Call this before anything that can fail.
    ///
    /// # Errors
    /// A sentence for the user: the file cannot be written.
    pub fn prepare(path: Option<&Path>) -> Result<PortFile<'_>, String> {
        if let Some(path) = path {
            let prepare = || {
                check_is_plain(path)?;
                remove_if_ended(path)?;
                // A test file, so that an error is reported before the start does anything else.
                let (_, attempt) = create_beside(path)?;
                fs::remove_file(attempt)
            };
            prepare().map_err(|error| sentence(path, &error))?;
        }
        Ok(PortFile { path })
    }

    /// Writes the names of the listeners, each on a line. Returns the file, which stays locked until it
    /// is dropped.
    ///
    /// # Errors
    /// A sentence for the user.
    pub fn write(self, names: &[String]) -> Result<Option<File>, String> {
        let text: String = names.iter().map(|name| format!("{name}\n")).collect();
        let write = |path| write_whole(path, &text).map_err(|error| sentence(path, &error));
        self.path.map(write).transpose()
    }
}

fn sentence(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}

/// Only a plain file may be replaced. A link, a pipe or a device is there for another purpose.
fn check_is_plain(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_file() => Ok(()),
        Ok(_) => {
            Err(io::Error::other("there is something else than a plain file; name another file"))
        }
        Err(error) if error.kind() == ErrorKind::NotFound && path.file_name().is_some() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes the file if no running command has locked it. A filesystem without locks cannot tell, so
/// the file stays until it is replaced.
fn remove_if_ended(path: &Path) -> io::Result<()> {
    // The file may be on a filesystem where only a file that is open for writing can be locked.
    let Ok(file) = File::options().write(true).open(path) else { return Ok(()) };
    match file.try_lock() {
        Ok(()) => drop(fs::remove_file(path)),
        Err(TryLockError::WouldBlock) => {
            return Err(io::Error::other("a running server has written it; name another file"));
        }
        Err(TryLockError::Error(_)) => {}
    }
    Ok(())
}

/// Creates a file in the same folder, with a name that no other run uses.
fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let beside = path.with_file_name(format!(".openkitchen-port-{:08x}", sys::random()));
    Ok((File::options().write(true).create_new(true).open(&beside)?, beside))
}

/// Writes the text under another name and renames that file, so a program that waits for the file
/// reads the whole text. Returns the file, locked where the filesystem has locks. The lock is a
/// shared one, because on Windows the other kind would keep everybody from reading.
fn write_whole(path: &Path, text: &str) -> io::Result<File> {
    let (mut file, temporary) = create_beside(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| {
        let _ = file.try_lock_shared();
        check_is_plain(path)?;
        fs::rename(&temporary, path)
    });
    written.inspect_err(|_| drop(fs::remove_file(&temporary)))?;
    Ok(file)
}

//! Systems that are none of the others, and Windows where it has nothing better: what std can do, or nothing.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, PipeReader, Read};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::FileState;
use super::Listener;

/// Their numbers are not known.
pub const SHORTAGES: [i32; 0] = [];

/// Their numbers are not known.
pub const NO_FILE: [i32; 0] = [];

pub fn set_backlog(_: &Listener, _: i32) -> io::Result<()> {
    Ok(())
}

pub fn as_stream(_: &Listener) -> io::Result<Option<TcpStream>> {
    Ok(None)
}

pub fn raise_descriptor_limit() {}

pub fn limit_malloc_arenas() {}

pub fn use_batch_scheduling() {}

pub fn catch_sigxfsz() {}

pub fn secret(bytes: &mut [u8]) -> io::Result<()> {
    File::open("/dev/urandom")?.read_exact(bytes)
}

pub fn reset_on_close(_: &TcpStream) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

pub fn stdout_columns() -> Option<usize> {
    None
}

pub fn stdout_is_file() -> bool {
    false
}

pub fn read_slice(time: Duration) -> Duration {
    time
}

pub fn is_read_timeout(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
}

pub fn is_shut(_: &io::Error) -> bool {
    false
}

pub fn show_colours() -> bool {
    true
}

pub fn unacknowledged(_: &TcpStream) -> usize {
    0
}

pub fn time_since_sent(_: &TcpStream) -> Option<Duration> {
    None
}

pub fn split_at_equals(argument: &OsStr) -> Option<(&OsStr, &OsStr)> {
    let (name, value) = argument.to_str()?.split_once('=')?;
    Some((OsStr::new(name), OsStr::new(value)))
}

pub fn create_private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(path)
}

pub fn create_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

pub fn reap_orphans() {}

/// Files have no numbers here, so this can only compare their kinds.
pub fn is_same_file(file: &File, path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.file_type() == file.metadata()?.file_type())
}

pub fn open_beneath(_: &File, _: &Path) -> io::Result<File> {
    Err(ErrorKind::Unsupported.into())
}

pub fn open_without_links(_: &File, _: &Path) -> io::Result<File> {
    Err(ErrorKind::Unsupported.into())
}

pub fn path_of(_: &File) -> Option<PathBuf> {
    None
}

pub fn open_nonblocking(path: &Path) -> io::Result<File> {
    File::open(path)
}

pub fn file_state(file: &Metadata) -> FileState {
    let modified = file.modified().unwrap_or(UNIX_EPOCH);
    let (identity, attributes) = ([0; 2], [0; 4]);
    FileState { length: file.len(), modified, changed: modified, identity, attributes }
}

pub fn inherited_listeners() -> io::Result<Vec<Listener>> {
    Ok(Vec::new())
}

pub fn is_inherited(_: &Listener) -> bool {
    false
}

pub fn wait_for_connection(_: &Listener, _: &PipeReader) -> io::Result<()> {
    Ok(())
}

pub fn on_stop_signal(_: impl FnOnce(StopSignals) + Send + 'static) -> io::Result<()> {
    Ok(())
}

/// Signals that never arrive: there is no value of this type.
pub enum StopSignals {}

impl StopSignals {
    /// Never called.
    pub fn first(&self) -> &'static str {
        match *self {}
    }

    /// Never called.
    pub fn wait(&mut self) -> bool {
        match *self {}
    }

    /// Never called.
    pub fn wait_timeout(&mut self, _: Duration) -> bool {
        match *self {}
    }
}

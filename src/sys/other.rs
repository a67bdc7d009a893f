//! Windows and the rest: what std can do, or nothing.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
#[cfg(not(windows))]
use std::io::Read;
use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

/// Windows: ERROR_NOT_ENOUGH_MEMORY, ERROR_OUTOFMEMORY, WSAEMFILE and WSAENOBUFS.
pub const SHORTAGES: [i32; 4] = [8, 14, 10024, 10055];

pub fn set_backlog(_: &TcpListener, _: i32) -> io::Result<()> {
    Ok(())
}

pub fn as_stream(_: &TcpListener) -> io::Result<Option<TcpStream>> {
    Ok(None)
}

pub fn raise_descriptor_limit() {}

pub fn limit_malloc_arenas() {}

pub fn use_batch_scheduling() {}

pub fn catch_sigxfsz() {}

#[cfg(windows)]
pub fn secret(bytes: &mut [u8]) -> io::Result<()> {
    // It always succeeds, as its documentation says: BOOL ProcessPrng(PBYTE, SIZE_T).
    #[link(name = "bcryptprimitives", kind = "raw-dylib")]
    unsafe extern "system" {
        fn ProcessPrng(bytes: *mut u8, length: usize) -> i32;
    }
    // SAFETY: the pointer and the length are those of a slice that the call alone writes to.
    match unsafe { ProcessPrng(bytes.as_mut_ptr(), bytes.len()) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(not(windows))]
pub fn secret(bytes: &mut [u8]) -> io::Result<()> {
    File::open("/dev/urandom")?.read_exact(bytes)
}

pub fn reset_on_close(_: &TcpStream) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

pub fn stdout_columns() -> Option<usize> {
    None
}

pub fn unacknowledged(_: &TcpStream) -> usize {
    0
}

pub fn split_at_equals(argument: &OsStr) -> Option<(&OsStr, &OsStr)> {
    let (name, value) = argument.to_str()?.split_once('=')?;
    Some((OsStr::new(name), OsStr::new(value)))
}

pub fn create_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(path)
}

pub fn create_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

pub fn reap_orphans() {}

pub fn is_same_file(_: &File, path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.is_file())
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

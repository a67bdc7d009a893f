//! # The system calls that std leaves out
//!
//! They are the only `unsafe` code of this project. Each function takes and returns plain values, so no
//! other file deals with C types, and each is there on every system.
//!
//! ```text
//! listen                 the backlog of a listener
//! setrlimit              the limit on open descriptors
//! mallopt                the number of malloc's arenas (heaps)
//! pthread_setschedparam  the scheduling policy of a thread
//! setsockopt             a reset (RST) when a socket is closed
//! signal                 SIGTERM and Ctrl-C ask the process to stop; SIGXFSZ does not end it
//! mkdir, open            folders and files for their owner alone: std has them on Unix only
//! dup                    a listening socket as a `TcpStream`: likewise
//! /proc, /sys            how much memory there is: files, and no calls
//! ```
//! This file says what each function does. The others do it, and the compiler takes those of the system
//! for which it builds:
//!
//! ```text
//! unix    Linux, macOS and the BSDs: what they have in common
//! linux   Linux: its numbers; malloc and scheduling
//! bsd     macOS and the BSDs: their numbers
//! other   Windows and the rest: what std can do, or nothing
//! memory  every system: it reads files that only Linux has
//! ```

#[cfg(all(unix, not(target_os = "linux")))]
mod bsd;
#[cfg(target_os = "linux")]
mod linux;
mod memory;
#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

use std::fs::File;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::Path;

#[cfg(not(unix))]
use other as system;
#[cfg(unix)]
use unix as system;

pub use system::StopSignals;

/// Sets the backlog of a listener: how many connections may wait to be accepted. On Windows it stays as
/// std has set it.
///
/// # Errors
/// The system's error.
pub fn set_backlog(listener: &TcpListener, backlog: i32) -> io::Result<()> {
    system::set_backlog(listener, backlog)
}

/// The listening socket as a [`TcpStream`], which has calls that [`TcpListener`] lacks: timeouts, and
/// `shutdown`. `None` on Windows.
///
/// # Errors
/// The system has no descriptor left.
pub fn as_stream(listener: &TcpListener) -> io::Result<Option<TcpStream>> {
    system::as_stream(listener)
}

/// Raises the soft limit on open descriptors to the hard limit. Each connection needs a descriptor,
/// and the soft limit of most systems, 1,024, would be reached before any other limit.
pub fn raise_descriptor_limit() {
    system::raise_descriptor_limit();
}

/// Limits malloc to as many arenas (heaps) as there are processors. glibc makes up to eight times as
/// many, and memory that is freed in an arena is reused only by the threads of that arena. After 32
/// clients had each sent a MiB, a server on two processors kept 60 MiB; with this limit it keeps 17.
/// Other allocators need no limit. It must be called before there is a second thread.
pub fn limit_malloc_arenas() {
    system::limit_malloc_arenas();
}

/// Bytes of memory that this process may use: all of the machine's, or less where a cgroup (the limits of
/// a container) allows less. `None` on systems other than Linux.
pub fn memory_size() -> Option<u64> {
    memory::memory_size()
}

/// Sets the scheduling policy SCHED_BATCH for this thread and the threads that it spawns, on Linux: a
/// thread that wakes up does not interrupt the one that runs. So a thread writes its response and waits,
/// and then the next one runs. With 64 busy connections, the processor time of a request fell from 11 us
/// to 8. In return, a thread may wait some milliseconds where other programs use the processor. A policy
/// other than the default was set on purpose, so it stays.
pub fn use_batch_scheduling() {
    system::use_batch_scheduling();
}

/// Makes a write past the limit on a file's size (`ulimit -f`) fail, as a write on a full disk does.
/// By default the system ends the process with SIGXFSZ.
pub fn catch_sigxfsz() {
    system::catch_sigxfsz();
}

/// Makes the system send RST and not FIN when this socket is closed, and drop the bytes that were not
/// sent yet. std's own `set_linger` is not stable.
///
/// # Errors
/// The system's error; `Unsupported` on Windows.
pub fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    system::reset_on_close(stream)
}

/// Creates a folder that only its owner may enter, and the missing folders above it. On Windows they
/// have the access rights of the folder above them.
///
/// # Errors
/// The system's error.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    system::create_private_folder(path)
}

/// Creates a file that only its owner may read, where there is none. On Windows it has the access
/// rights of its folder.
///
/// # Errors
/// The system's error; `AlreadyExists` where there is a file.
pub fn create_private_file(path: &Path) -> io::Result<File> {
    system::create_private_file(path)
}

/// Calls `on_signal` at the first SIGTERM or Ctrl-C, in a thread of its own. The thread is spawned now,
/// because the system may grant none when the signal arrives. On Windows, Ctrl-C ends the process
/// without a call.
///
/// # Errors
/// The socket pair or the thread could not be created.
pub fn on_stop_signal(on_signal: impl FnOnce(StopSignals) + Send + 'static) -> io::Result<()> {
    system::on_stop_signal(on_signal)
}

//! # The system calls that std leaves out
//!
//! They are the only `unsafe` code of this project. Each function takes and returns plain values, so no
//! other file deals with C types, and each is there on every system.
//!
//! ```text
//! listen                 the backlog of a listener
//! setrlimit              the limit on open descriptors
//! mallopt                the number of malloc's arenas (heaps)
//! waitpid                children that have ended, as PID 1
//! pthread_setschedparam  the scheduling policy of a thread
//! setsockopt             a reset (RST) when a socket is closed
//! ioctl                  the bytes that have not arrived yet; the width of a terminal
//! signal                 SIGTERM, SIGHUP and Ctrl-C stop the server; SIGXFSZ does not end it
//! SetConsoleCtrlHandler  the same on Windows
//! mkdir, open            directories and files for their owner alone: std has them on Unix only
//! fstat, stat            whether a path leads to an open file: std has it on Unix only
//! dup                    a listening socket as a `TcpStream`: std has it on Unix only
//! getrandom              random bytes for a secret, or /dev/urandom; on Windows ProcessPrng
//! openat2                a file below a directory, where no link leads out of the directory
//! openat                 the same step by step, where no link is followed
//! open                   a file that may be a pipe, without waiting for its other end
//! fcntl, getsockopt      the listeners of a service manager: socket activation (LISTEN_FDS)
//! poll                   waits for a connection to one of these, or for the stop
//! getsockopt             how long ago bytes were sent last (TCP_INFO)
//! (none)                 a random number for a name: std makes one for each hash table
//! (none)                 an argument is split at a byte: std has it on Unix only
//! (none)                 a thread with a name: std's, whose code is compiled once
//! /proc/self/fd          a path to an open file, whatever its name is: a file, and no call
//! /proc, /sys            how much memory there is: files, and no calls
//! ```
//! This file says what each function does. The others do it, and the compiler takes those of the system
//! for which it builds:
//!
//! ```text
//! unix    Linux, macOS and the BSDs: what they have in common
//! linux   Linux and Android: their numbers; malloc, scheduling and PID 1
//! bsd     macOS and the BSDs: their numbers
//! windows Windows
//! other   the rest: what std can do, or nothing
//! memory  every system: it reads files that only Linux has
//! listener  every system: a listening socket of TCP, or a Unix socket
//! unix_socket, no_unix_socket  the second, where std has it, and elsewhere
//! ```
//! A declaration that is wrong for a system compiles there too, and may overwrite memory. So `make
//! systems` runs the tests of this directory for every system that it can run.

mod memory;

// Only systems whose numbers are known: illumos has others, for example.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
))]
#[path = "unix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;
#[cfg(not(any(
    windows,
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
)))]
#[path = "other.rs"]
mod system;

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, PipeReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

#[cfg(unix)]
mod unix_socket;
#[cfg(not(unix))]
#[path = "no_unix_socket.rs"]
mod unix_socket;

mod listener;

pub use listener::{Listener, NO_ADDRESS, UNIX_PREFIX, connect_path, peer_ip, peer_name};
pub use system::StopSignals;

/// A signal so soon after the first one is the same request to stop. `timeout` sends SIGTERM twice, to its
/// child and to its process group. So does a program that passes Ctrl-C on to its child, which the
/// terminal has told already.
pub const REPEAT_TIME: Duration = Duration::from_millis(500);

/// Sets the backlog of a listener: how many connections may wait to be accepted.
///
/// # Errors
/// The system's error.
pub fn set_backlog(listener: &Listener, backlog: i32) -> io::Result<()> {
    system::set_backlog(listener, backlog)
}

/// The listening socket as a [`TcpStream`], which has calls that a listener lacks: timeouts, and `shutdown`.
/// `None` on Windows.
///
/// # Errors
/// The system has no descriptor left.
pub fn as_stream(listener: &Listener) -> io::Result<Option<TcpStream>> {
    system::as_stream(listener)
}

/// Whether an error of `accept` says that the system lacks something: descriptors (EMFILE, ENFILE)
/// or memory (ENOBUFS, ENOMEM). All others of accept(2) concern one connection: it was reset, a
/// firewall forbids it, or its network is down.
pub fn is_shortage(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|number| system::SHORTAGES.contains(&number))
}

/// Raises the soft limit on open descriptors to the hard limit; on macOS to 10,240 at most. Each
/// connection needs a descriptor, and the soft limit of most systems (1,024; 256 on macOS) would be
/// reached before any other limit.
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
/// The system's error.
pub fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    system::reset_on_close(stream)
}

/// The time that one read may wait, of the time for which a read is to wait. All of it; on Windows 250 ms
/// at most, because a shutdown there does not end a read that waits. So the read is repeated, and the next
/// one fails: see [`is_shut`].
pub fn read_slice(time: Duration) -> Duration {
    system::read_slice(time)
}

/// Whether an error of a read says that nothing came within the read timeout.
pub fn is_read_timeout(error: &io::Error) -> bool {
    system::is_read_timeout(error)
}

/// Whether an error of a read says that this process has shut the reading half. Elsewhere than on Windows
/// such a read returns 0 bytes.
pub fn is_shut(error: &io::Error) -> bool {
    system::is_shut(error)
}

/// Makes the terminal at stdout show colours. False if it is a console of an old Windows, which has none.
pub fn show_colours() -> bool {
    system::show_colours()
}

/// Bytes that were written to this socket and have not arrived at the other side's system, as far as is
/// known. A reset may drop them. Zero on systems other than Linux.
pub fn unacknowledged(stream: &TcpStream) -> usize {
    system::unacknowledged(stream)
}

/// How long ago the system sent bytes on this socket last, for the first time or again (TCP_INFO,
/// tcpi_last_data_sent). While a write waits, the client has taken nothing for about so long: its receive
/// buffer is full, or it does not answer. `None` for a Unix socket, and on systems other than Linux.
pub fn time_since_sent(stream: &TcpStream) -> Option<Duration> {
    system::time_since_sent(stream)
}

/// Columns of the terminal to which stdout is connected, at this moment. `None` if it is no
/// terminal or does not say.
pub fn stdout_columns() -> Option<usize> {
    system::stdout_columns()
}

/// Whether stdout is a plain file, and no pipe, terminal or device. False on systems that do not say.
pub fn stdout_is_file() -> bool {
    system::stdout_is_file()
}

/// Splits an argument of the command line at its first `=`; each part keeps its bytes. On Windows
/// an argument that is not Unicode is not split.
pub fn split_at_equals(argument: &OsStr) -> Option<(&OsStr, &OsStr)> {
    system::split_at_equals(argument)
}

/// Creates a directory that only its owner may enter, and the missing directories above it. On Windows
/// they have the access rights of the directory above them.
///
/// # Errors
/// The system's error.
pub fn create_private_directory(path: &Path) -> io::Result<()> {
    system::create_private_directory(path)
}

/// Creates a file that only its owner may read, where there is none. On Windows it has the access
/// rights of its directory.
///
/// # Errors
/// The system's error; `AlreadyExists` where there is a file.
pub fn create_private_file(path: &Path) -> io::Result<File> {
    system::create_private_file(path)
}

/// As PID 1, makes the system reap each child that ends, and reaps those that have ended already. PID 1
/// becomes the parent of each process whose parent ends, and they would stay as zombies. Other processes,
/// and systems other than Linux, have no such duty: nothing happens.
///
/// It is for a program that starts no other program: children of its own are reaped too, so
/// [`Child::wait`](std::process::Child::wait) waits for the end and then fails (ECHILD), and their exit
/// status is lost. Programs that are started later inherit it (SIGCHLD is ignored). The library does not
/// call it.
pub fn reap_orphans() {
    system::reap_orphans();
}

/// A random number, for a name that no other process uses. A process id is no such name: each
/// container has a process 1.
pub fn random() -> u32 {
    // The keys of a hash table come from the system's random numbers.
    RandomState::new().hash_one(()) as u32
}

/// Fills this with random bytes that cannot be guessed, for a secret. They come from the kernel, or from
/// /dev/urandom; on Windows from ProcessPrng.
///
/// # Errors
/// There is no such source: a secret must not come from a weaker one.
pub fn secret(bytes: &mut [u8]) -> io::Result<()> {
    system::secret(bytes)
}

/// Whether this path leads to this open file.
///
/// # Errors
/// The system's error; `NotFound` where there is no file.
pub fn is_same_file(file: &File, path: &Path) -> io::Result<bool> {
    system::is_same_file(file, path)
}

/// Opens what this relative path names below an open directory, for reading. The kernel refuses the path
/// if a link or a `..` in it leads out of the directory. It does not wait for the other end of a pipe.
///
/// # Errors
/// The system's error. `CrossesDevices` (EXDEV): the path leads out of the directory, or has a link with
/// an absolute path. `WouldBlock`: another program has a lease on the file. `Unsupported`: only Linux has
/// such a call, from version 5.6 on, and a sandbox may forbid it.
pub fn open_beneath(directory: &File, path: &Path) -> io::Result<File> {
    system::open_beneath(directory, path)
}

/// Opens a file or a directory for reading. It does not wait for the other end of a pipe.
///
/// # Errors
/// The system's error.
pub fn open_nonblocking(path: &Path) -> io::Result<File> {
    system::open_nonblocking(path)
}

/// Whether an error of opening a file says that the path leads to none: to a socket or a device that is
/// not there (ENXIO, ENODEV), or round in a circle of links (ELOOP). [`io::ErrorKind`] has no names for
/// these.
pub fn is_no_file(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|number| system::NO_FILE.contains(&number))
}

/// Opens what this relative path names below an open directory, for reading, and follows no link: the path
/// must have none. It does not wait for the other end of a pipe.
///
/// # Errors
/// The system's error: ELOOP or another one at a link. `Unsupported` elsewhere than on Unix.
pub fn open_without_links(directory: &File, path: &Path) -> io::Result<File> {
    system::open_without_links(directory, path)
}

/// A path that leads to this open file whatever its name is by now. Only Linux has one, where /proc is
/// mounted.
pub fn path_of(file: &File) -> Option<PathBuf> {
    system::path_of(file)
}

/// What the system says of a file now.
pub fn file_state(file: &Metadata) -> FileState {
    system::file_state(file)
}

/// What the system says of a file at one moment. A change is not seen if it follows another one within the
/// same tick of the file system's clock, some milliseconds; nor if a program writes to a mapping of the file
/// (mmap) that it has written to before. A write counts as a change when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileState {
    /// Bytes of its content.
    pub length: u64,
    /// The time of the last write (mtime). A program can set it.
    pub modified: SystemTime,
    /// The time of the last change (ctime) of content, access rights or names, which no program can set.
    /// On Windows it is `modified`.
    pub changed: SystemTime,
    /// The numbers of its file system and of the file in it, which no other file has. Zeros on Windows.
    pub identity: [u64; 2],
    /// What is changed without a write: access rights, number of names, owner, group. Zeros on Windows.
    pub attributes: [u64; 4],
}

/// The listening sockets that a service manager has opened for this process (socket activation:
/// LISTEN_FDS, LISTEN_PID). Their backlog is the manager's. They are returned once: later calls return
/// none, as on Windows.
///
/// # Errors
/// One of them is not there, or is no listening socket of TCP or with a path; or a variable is no number.
pub fn inherited_listeners() -> io::Result<Vec<Listener>> {
    system::inherited_listeners()
}

/// Whether this listener is one of [`inherited_listeners`]. The service manager has the same socket, for the
/// next start of the service, so it must stay a listening one.
pub fn is_inherited(listener: &Listener) -> bool {
    system::is_inherited(listener)
}

/// Waits in poll(2) until there is a connection to accept, or a byte to read from the pipe. Returns at
/// once where [`is_inherited`] is always false.
///
/// # Errors
/// The system's error, also if a signal came.
pub fn wait_for_connection(listener: &Listener, pipe: &PipeReader) -> io::Result<()> {
    system::wait_for_connection(listener, pipe)
}

/// Starts a thread with this name. What it does is boxed, so that the binary has std's code for it once.
///
/// # Errors
/// The system grants no thread.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let work: Box<dyn FnOnce() + Send> = Box::new(work);
    thread::Builder::new().name(name.into()).spawn(work)
}

/// Calls `on_signal` at the first SIGTERM, SIGHUP or Ctrl-C, in a thread of its own. The thread is
/// spawned now, because the system may grant none when the signal arrives. A SIGHUP that the process
/// ignored at its start (`nohup`) stays ignored. On Windows it is Ctrl-C, Ctrl-Break, or the end of the
/// console, of the session or of the system.
///
/// # Errors
/// The socket pair or the thread could not be created.
pub fn on_stop_signal(on_signal: impl FnOnce(StopSignals) + Send + 'static) -> io::Result<()> {
    system::on_stop_signal(on_signal)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_secret_differs_each_time() {
        let secret = || {
            let mut bytes = [0; 16];
            secret(&mut bytes).map(|()| bytes).unwrap()
        };
        assert_ne!(secret(), secret());
        assert_ne!(secret(), [0; 16]);
    }

    #[test]
    fn an_error_of_accept_is_a_shortage_or_concerns_one_connection() {
        for (name, number, expected) in [
            ("EPERM", 1, false),
            ("EINTR", 4, false),
            ("EBADF", 9, false),
            ("EAGAIN", 11, false),
            ("ENOMEM", 12, true),
            ("EFAULT", 14, false),
            ("EINVAL", 22, false),
            ("ENFILE", 23, true),
            ("EMFILE", 24, true),
            ("ENOSR", 63, false),
            ("ENONET", 64, false),
            ("EPROTO", 71, false),
            ("ENOTSOCK", 88, false),
            ("ENOPROTOOPT", 92, false),
            ("EPROTONOSUPPORT", 93, false),
            ("ESOCKTNOSUPPORT", 94, false),
            ("EOPNOTSUPP", 95, false),
            ("ENETDOWN", 100, false),
            ("ENETUNREACH", 101, false),
            ("ECONNABORTED", 103, false),
            ("ECONNRESET", 104, false),
            ("ENOBUFS", 105, true),
            ("ETIMEDOUT", 110, false),
            ("EHOSTDOWN", 112, false),
            ("EHOSTUNREACH", 113, false),
        ] {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(is_shortage(&error), expected, "{name}: {error}");
        }
        assert!(!is_shortage(&io::ErrorKind::OutOfMemory.into()), "it has no number");
    }
}

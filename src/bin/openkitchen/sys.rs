//! The system calls that std leaves out, and the only `unsafe` code of this project.
//!
//! ```text
//! listen        the backlog of a listener
//! setrlimit     the limit on open descriptors
//! mallopt       the number of malloc's arenas (heaps)
//! setscheduler  the scheduling policy of threads
//! setsockopt    a reset (RST) when a socket is closed
//! signal        SIGTERM and Ctrl-C ask the process to stop; SIGXFSZ does not end it
//! ```
//! It also creates files and folders for the owner alone, which std does on Unix. Each function takes
//! and returns plain values, so no other file deals with C types.

use std::ffi::{c_int, c_uint, c_void};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

/// Sets the backlog of a listener: how many connections may wait to be accepted.
///
/// # Errors
/// The system's error.
pub fn set_backlog(listener: &TcpListener, backlog: i32) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: `listen` reads no memory of ours; the descriptor is open as long as `listener` lives.
    // POSIX allows a second call on a listening socket, and the new backlog counts.
    match unsafe { listen(listener.as_raw_fd(), backlog) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Raises the soft limit on open descriptors to the hard limit. Each connection needs a descriptor,
/// and the soft limit of most systems, 1,024, would be reached before any other limit.
pub fn raise_descriptor_limit() {
    let mut limit = ResourceLimit { soft: 0, hard: 0 };
    // SAFETY: both calls get a valid pointer to a struct with the system's layout (two `rlim_t`). It
    // lives across the calls, and they keep no pointer to it.
    unsafe {
        if getrlimit(RLIMIT_NOFILE, &mut limit) == 0 && limit.soft < limit.hard {
            limit.soft = limit.hard;
            // If the system refuses, the old limit stays, and the server logs when it is reached.
            setrlimit(RLIMIT_NOFILE, &limit);
        }
    }
}

/// Limits malloc to as many arenas (heaps) as there are processors. glibc makes up to eight times as
/// many, and memory that is freed in an arena is reused only by the threads of that arena. After 32
/// clients had each sent a MiB, a server on two processors kept 60 MiB; with this limit it keeps 17.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn limit_malloc_arenas() {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    // SAFETY: `mallopt` takes two numbers and reads no memory of ours. It must be called before there
    // is a second thread, and ignores a parameter that it does not know.
    unsafe { mallopt(M_ARENA_MAX, c_int::try_from(processors).unwrap_or(c_int::MAX)) };
}

/// Other allocators need no limit.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn limit_malloc_arenas() {}

/// Sets the scheduling policy SCHED_BATCH for this thread and the threads that it spawns: a thread
/// that wakes up does not interrupt the one that runs. So a thread writes its response and waits, and
/// then the next one runs. With 64 busy connections, the processor time of a request fell from 11 us
/// to 8. In return, a thread may wait some milliseconds where other programs use the processor.
#[cfg(target_os = "linux")]
pub fn use_batch_scheduling() {
    // SAFETY: 0 is the calling thread, and the pointer is to a struct with the system's layout (an
    // `int`) that lives across the call. If the system refuses, the old policy stays.
    unsafe {
        // A policy other than the default was set on purpose, so it stays.
        if sched_getscheduler(0) == SCHED_OTHER {
            sched_setscheduler(0, SCHED_BATCH, &SchedulingPriority(0));
        }
    }
}

/// Other systems keep their scheduling policy.
#[cfg(not(target_os = "linux"))]
pub fn use_batch_scheduling() {}

/// Makes a write past the limit on a file's size (`ulimit -f`) fail, as a write on a full disk does.
/// By default the system ends the process with SIGXFSZ.
pub fn catch_sigxfsz() {
    // SAFETY: `do_nothing` is a C function without effects, which a signal handler may be.
    unsafe { signal(SIGXFSZ, do_nothing) };
}

/// Makes the system send RST and not FIN when this socket is closed, and drop the bytes that were not
/// sent yet. std's own `set_linger` is not stable.
///
/// # Errors
/// The system's error.
pub fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let at_once = Linger { is_on: 1, seconds: 0 };
    let length = size_of::<Linger>() as c_uint;
    // SAFETY: the pointer is to a struct with the system's layout (two `int`), which lives across the
    // call, and the length is its own; the descriptor is open as long as `stream` lives.
    let result = unsafe {
        setsockopt(stream.as_raw_fd(), SOL_SOCKET, SO_LINGER, (&raw const at_once).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Creates a folder that only its owner may enter, and the missing folders above it.
///
/// # Errors
/// The system's error.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Creates a file that only its owner may read, where there is none.
///
/// # Errors
/// The system's error; `AlreadyExists` where there is a file.
pub fn create_private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Calls `on_signal` at the first SIGTERM or Ctrl-C (SIGINT), in a thread of its own: see `stop_on_signal`
/// in `cli/serve.rs` and `cli/watch.rs`. The thread is spawned now, because the system may grant none
/// when the signal arrives.
///
/// # Errors
/// The socket pair or the thread could not be created.
pub fn on_stop_signal(on_signal: impl FnOnce(StopSignals) + Send + 'static) -> io::Result<()> {
    use std::os::fd::IntoRawFd;
    // Sockets and not a pipe: std has no read timeout for a pipe.
    let (reader, writer) = UnixStream::pair()?;
    // A signal handler must not block.
    writer.set_nonblocking(true)?;
    // The write end stays open as long as the process lives, so the handler can always use it.
    SIGNAL_SOCKET.store(writer.into_raw_fd(), Ordering::SeqCst);
    let mut signals = StopSignals(reader);
    let wait = move || {
        if signals.wait() {
            on_signal(signals);
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait)?;
    for number in [SIGINT, SIGTERM] {
        // SAFETY: `write_a_byte` is a C function that only does what a signal handler may do: it loads
        // an atomic and calls write(2), which POSIX lists as async-signal-safe.
        unsafe { signal(number, write_a_byte) };
    }
    Ok(())
}

/// The signals that ask the process to stop, one after the other.
pub struct StopSignals(UnixStream);

impl StopSignals {
    /// Waits for the next signal. Returns false if the socket fails, so that no signal can be read.
    pub fn wait(&mut self) -> bool {
        self.0.set_read_timeout(None).is_ok() && self.0.read_exact(&mut [0]).is_ok()
    }

    /// Waits for the next signal, at most for this time. Returns false if there was none.
    pub fn wait_timeout(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.0.set_read_timeout(Some(left)).is_err() {
                return false;
            }
            match self.0.read(&mut [0]) {
                Ok(length) => return length > 0,
                // A signal handler may have run in this very thread: its byte is read next.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }
}

/// The descriptor of the socket that the signal handler writes to.
static SIGNAL_SOCKET: AtomicI32 = AtomicI32::new(-1);

/// The handler of SIGTERM and SIGINT. A handler may run between any two instructions, so it only
/// writes a byte; the thread that reads it does the rest.
extern "C" fn write_a_byte(_: c_int) {
    let byte = 1u8;
    // SAFETY: the pointer is to one byte of this frame, and the length is one. `errno` changes only if
    // the write fails, and it fails only when hundreds of signals wait to be read.
    unsafe { write(SIGNAL_SOCKET.load(Ordering::SeqCst), (&raw const byte).cast(), 1) };
}

/// The handler of SIGXFSZ: the write that caused the signal fails with EFBIG, and that is enough. It
/// is a handler and not SIG_IGN, since a program that this process starts would inherit SIG_IGN.
extern "C" fn do_nothing(_: c_int) {}

const SIGINT: c_int = 2;
const SIGTERM: c_int = 15;
/// 25 on Linux except a few old architectures, and on macOS and the BSDs.
const SIGXFSZ: c_int = 25;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const M_ARENA_MAX: c_int = -8;
/// 7 on Linux except a few old architectures, 8 on macOS and the BSDs.
const RLIMIT_NOFILE: c_int = if cfg!(target_os = "linux") { 7 } else { 8 };

/// `rlim_t`: as wide as a `long` on Linux, and 64 bits wide elsewhere.
#[cfg(target_os = "linux")]
type ResourceAmount = std::ffi::c_ulong;
#[cfg(not(target_os = "linux"))]
type ResourceAmount = u64;

/// These values hold on Linux except a few old architectures, and on macOS and the BSDs.
const SOL_SOCKET: c_int = if cfg!(target_os = "linux") { 1 } else { 0xffff };
const SO_LINGER: c_int = if cfg!(target_os = "linux") { 13 } else { 0x80 };

#[repr(C)]
struct Linger {
    is_on: c_int,
    seconds: c_int,
}

#[cfg(target_os = "linux")]
const SCHED_OTHER: c_int = 0;
#[cfg(target_os = "linux")]
const SCHED_BATCH: c_int = 3;

#[cfg(target_os = "linux")]
#[repr(C)]
struct SchedulingPriority(c_int);

#[repr(C)]
struct ResourceLimit {
    soft: ResourceAmount,
    hard: ResourceAmount,
}

// std links the C library anyway, so these declarations need no crate.
unsafe extern "C" {
    fn setsockopt(
        socket: c_int,
        level: c_int,
        name: c_int,
        value: *const c_void,
        length: c_uint,
    ) -> c_int;
    fn listen(socket: c_int, backlog: c_int) -> c_int;
    fn getrlimit(resource: c_int, limit: *mut ResourceLimit) -> c_int;
    fn setrlimit(resource: c_int, limit: *const ResourceLimit) -> c_int;
    fn signal(number: c_int, handler: extern "C" fn(c_int)) -> *const c_void;
    fn write(descriptor: c_int, bytes: *const c_void, length: usize) -> isize;
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn mallopt(parameter: c_int, value: c_int) -> c_int;
    #[cfg(target_os = "linux")]
    fn sched_getscheduler(thread: c_int) -> c_int;
    #[cfg(target_os = "linux")]
    fn sched_setscheduler(
        thread: c_int,
        policy: c_int,
        priority: *const SchedulingPriority,
    ) -> c_int;
}

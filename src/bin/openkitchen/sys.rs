//! The few calls to the system that std leaves out, and the only `unsafe` of this project: signals,
//! the backlog of a listener, the limit on descriptors, the number of heaps, a reset; and the modes of
//! private files. Each takes and gives plain values, so that nothing else has to know what stands in here.

use std::ffi::{c_int, c_uint, c_void};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

/// Asks the system to let so many connections wait to be accepted.
///
/// # Errors
/// What the system says.
pub fn lengthen_backlog(listener: &TcpListener, backlog: i32) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: `listen` reads no memory of ours; the descriptor is open as long as `listener` lives.
    // POSIX lets it be called again on a listening socket, and the new backlog counts.
    match unsafe { listen(listener.as_raw_fd(), backlog) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Raises the soft limit on open descriptors to the hard one: a thread and a descriptor are all that a
/// connection needs, and the soft limit of most systems, 1,024, would end them first.
pub fn raise_descriptor_limit() {
    let mut limit = ResourceLimit { soft: 0, hard: 0 };
    // SAFETY: both calls are given a valid pointer to a struct with the system's layout (two
    // `rlim_t`), which lives across them, and keep nothing of it.
    unsafe {
        if getrlimit(DESCRIPTORS, &mut limit) == 0 && limit.soft < limit.hard {
            limit.soft = limit.hard;
            // Where the system refuses, all stays as it was, and the cap on connections tells.
            setrlimit(DESCRIPTORS, &limit);
        }
    }
}

/// Has all threads share as many heaps as there are processors. glibc would make up to eight times as
/// many, and what is freed in one of them waits there for the few threads that use it: after 32 clients
/// had each sent a MiB, a server on two processors kept 60 MiB, and keeps 17 so.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn share_heaps() {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    // SAFETY: `mallopt` takes two numbers and reads no memory of ours. It wants to be called before there
    // is a second thread, and does nothing where it does not know the number.
    unsafe { mallopt(HEAPS, c_int::try_from(processors).unwrap_or(c_int::MAX)) };
}

/// Other allocators share by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn share_heaps() {}

/// Asks the scheduler not to interrupt one thread of this process, or of its clients, whenever another
/// has something to read (SCHED_BATCH): a thread writes its answer, waits, and the next has its turn.
/// With 64 busy connections that took the processor time of a request from 11 us to 8. In return one may
/// wait for some milliseconds on a processor that others fill. Threads made from now on have it, too.
#[cfg(target_os = "linux")]
pub fn take_turns() {
    // SAFETY: 0 is the calling thread, and the pointer is to a struct with the system's layout (an
    // `int`) that lives across the call. Where the system refuses, all stays as it was.
    unsafe {
        // Who started us with another policy had a reason.
        if sched_getscheduler(0) == SCHED_OTHER {
            sched_setscheduler(0, SCHED_BATCH, &Priority(0));
        }
    }
}

/// Elsewhere the scheduler is left to itself.
#[cfg(not(target_os = "linux"))]
pub fn take_turns() {}

/// Makes a write past the limit on a file's size (`ulimit -f`) fail, as one on a full disk does. Of
/// itself the system would end the process with SIGXFSZ.
pub fn outlive_files_that_are_full() {
    // SAFETY: `pass_over` is a C function that does nothing, which a signal handler may do.
    unsafe { signal(SIGXFSZ, pass_over) };
}

/// Has the system send RST and not FIN when this socket is closed, and forget what was not sent yet:
/// that is how a reset is passed on. std's own `set_linger` is not stable.
///
/// # Errors
/// What the system says.
pub fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let at_once = Linger { is_on: 1, seconds: 0 };
    let length = size_of::<Linger>() as c_uint;
    // SAFETY: the pointer is to a struct with the system's layout (two `int`), which lives across the
    // call, and the length is its own; the descriptor is open as long as `stream` lives.
    let set = unsafe {
        setsockopt(stream.as_raw_fd(), SOCKET, LINGER, (&raw const at_once).cast(), length)
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Creates a folder that its owner alone may enter, and those above it that are missing.
///
/// # Errors
/// What the system says.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Creates a file that its owner alone may read, where there is none.
///
/// # Errors
/// What the system says.
pub fn create_private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Calls `asked_to_stop` at the first SIGTERM or Ctrl-C, in a thread of its own. It is made now, for
/// when it is needed the system may grant none.
///
/// # Errors
/// When the socket or the thread cannot be made.
pub fn on_stop_signal(asked_to_stop: impl FnOnce(StopSignals) + Send + 'static) -> io::Result<()> {
    use std::os::fd::IntoRawFd;
    // Not a pipe, for std lets nobody wait at one for a certain time.
    let (reader, writer) = UnixStream::pair()?;
    // A handler waits for nobody.
    writer.set_nonblocking(true)?;
    // The write end belongs to the handler from now on, and to nobody who could close it.
    SIGNAL_PIPE.store(writer.into_raw_fd(), Ordering::SeqCst);
    let mut signals = StopSignals(reader);
    let wait = move || {
        if signals.another() {
            asked_to_stop(signals);
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
    /// Waits for the next one. False where there will be none.
    pub fn another(&mut self) -> bool {
        self.0.set_read_timeout(None).is_ok() && self.0.read_exact(&mut [0]).is_ok()
    }

    /// Waits for the next one, so long at most, and says whether it came.
    pub fn another_within(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.0.set_read_timeout(Some(left)).is_err() {
                return false;
            }
            match self.0.read(&mut [0]) {
                Ok(length) => return length > 0,
                // Too early: a signal may have come to this very thread, and the byte is next.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }
}

/// The end of the line that the handler writes to.
static SIGNAL_PIPE: AtomicI32 = AtomicI32::new(-1);

/// A handler may run between any two instructions of the program, so it does next to nothing: the
/// thread that reads does the rest.
extern "C" fn write_a_byte(_: c_int) {
    let byte = 1u8;
    // SAFETY: the pointer is to one byte of this frame, and the length is one. It leaves `errno` alone
    // but where it fails, and it fails only when hundreds of signals wait to be read.
    unsafe { write(SIGNAL_PIPE.load(Ordering::SeqCst), (&raw const byte).cast(), 1) };
}

/// A handler for what is told in another way, too. A signal that is caught, and not ignored, is as it
/// was again in a program that this one starts.
extern "C" fn pass_over(_: c_int) {}

const SIGINT: c_int = 2;
const SIGTERM: c_int = 15;
/// 25 on Linux but for a few old architectures, and on macOS and the BSDs.
const SIGXFSZ: c_int = 25;
/// glibc's M_ARENA_MAX.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS: c_int = -8;
/// RLIMIT_NOFILE: 7 on Linux but for a few old architectures, 8 on macOS and the BSDs.
const DESCRIPTORS: c_int = if cfg!(target_os = "linux") { 7 } else { 8 };

/// `rlim_t` is as wide as a `long` on Linux, and 64 bits wide elsewhere.
#[cfg(target_os = "linux")]
type Amount = std::ffi::c_ulong;
#[cfg(not(target_os = "linux"))]
type Amount = u64;

/// SOL_SOCKET and SO_LINGER: these on Linux but for a few old architectures, and on macOS and the BSDs.
const SOCKET: c_int = if cfg!(target_os = "linux") { 1 } else { 0xffff };
const LINGER: c_int = if cfg!(target_os = "linux") { 13 } else { 0x80 };

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
struct Priority(c_int);

#[repr(C)]
struct ResourceLimit {
    soft: Amount,
    hard: Amount,
}

// std links the C library anyway, so declaring these needs no crate.
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
    fn sched_setscheduler(thread: c_int, policy: c_int, priority: *const Priority) -> c_int;
}

//! What Linux, macOS and the BSDs have in common. The numbers of their C headers differ, so these are in
//! `linux` and `bsd`.

use std::ffi::{c_int, c_uint, c_void};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

#[cfg(not(target_os = "linux"))]
use super::bsd as kernel;
#[cfg(target_os = "linux")]
use super::linux as kernel;
use kernel::{ENOBUFS, RLIMIT_NOFILE, ResourceAmount, SO_LINGER, SOL_SOCKET};
pub use kernel::{limit_malloc_arenas, use_batch_scheduling};

pub fn set_backlog(listener: &TcpListener, backlog: i32) -> io::Result<()> {
    // SAFETY: `listen` reads no memory of ours; the descriptor is open as long as `listener` lives.
    // POSIX allows a second call on a listening socket, and the new backlog counts.
    match unsafe { listen(listener.as_raw_fd(), backlog) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

pub fn as_stream(listener: &TcpListener) -> io::Result<Option<TcpStream>> {
    Ok(Some(TcpStream::from(OwnedFd::from(listener.try_clone()?))))
}

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

pub fn catch_sigxfsz() {
    // SAFETY: `do_nothing` is a C function without effects, which a signal handler may be.
    unsafe { signal(SIGXFSZ, do_nothing) };
}

pub fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    let at_once = Linger { is_on: 1, seconds: 0 };
    let length = size_of::<Linger>() as c_uint;
    // SAFETY: the pointer is to a struct with the system's layout (two `int`), which lives across the
    // call, and the length is its own; the descriptor is open as long as `stream` lives.
    let result = unsafe {
        setsockopt(stream.as_raw_fd(), SOL_SOCKET, SO_LINGER, (&raw const at_once).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

pub fn create_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

pub fn create_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

pub fn on_stop_signal(on_signal: impl FnOnce(StopSignals) + Send + 'static) -> io::Result<()> {
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

/// ENOMEM, ENFILE, EMFILE and ENOBUFS. The first three have the same number on each Unix.
pub const SHORTAGES: [c_int; 4] = [12, 23, 24, ENOBUFS];

const SIGINT: c_int = 2;
const SIGTERM: c_int = 15;
/// 25 on Linux except a few old architectures, and on macOS and the BSDs.
const SIGXFSZ: c_int = 25;

/// `struct linger`.
#[repr(C)]
struct Linger {
    is_on: c_int,
    seconds: c_int,
}

/// `struct rlimit`.
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
}

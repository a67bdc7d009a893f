//! What Linux, macOS and the BSDs have in common. The numbers of their C headers differ, so these are in
//! `linux` and `bsd`.

use std::ffi::{CString, OsStr, c_char, c_int, c_short, c_uint, c_ushort, c_void};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, PipeReader, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, process, ptr};

use super::FileState;
use super::Listener;
use super::REPEAT_TIME;

#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "linux.rs"]
mod kernel;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[path = "bsd.rs"]
mod kernel;

use kernel::{
    ELOOP, ENOBUFS, IoctlRequest, O_CLOEXEC, O_LARGEFILE, O_NOFOLLOW, O_NONBLOCK, PollCount,
    RLIMIT_NOFILE, ResourceAmount, SO_ACCEPTCONN, SO_LINGER, SO_TYPE, SOCK_STREAM, SOL_SOCKET,
    TIOCGWINSZ, highest_soft_limit,
};
pub use kernel::{
    limit_malloc_arenas, open_beneath, path_of, reap_orphans, time_since_sent, unacknowledged,
    use_batch_scheduling,
};

pub fn set_backlog(listener: &Listener, backlog: i32) -> io::Result<()> {
    // SAFETY: `listen` reads no memory of ours; the descriptor is open as long as `listener` lives.
    // POSIX allows a second call on a listening socket, and the new backlog counts.
    match unsafe { listen(listener.as_fd().as_raw_fd(), backlog) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

pub fn as_stream(listener: &Listener) -> io::Result<Option<TcpStream>> {
    Ok(Some(TcpStream::from(listener.as_fd().try_clone_to_owned()?)))
}

pub fn raise_descriptor_limit() {
    let mut limit = ResourceLimit { soft: 0, hard: 0 };
    // SAFETY: both calls get a valid pointer to a struct with the system's layout (two `rlim_t`). It
    // lives across the calls, and they keep no pointer to it.
    unsafe {
        let is_known = getrlimit(RLIMIT_NOFILE, &mut limit) == 0;
        let highest = highest_soft_limit(limit.hard);
        if is_known && limit.soft < highest {
            limit.soft = highest;
            // If the system refuses, the old limit stays, and the server logs when it is reached.
            setrlimit(RLIMIT_NOFILE, &limit);
        }
    }
}

pub fn catch_sigxfsz() {
    // SAFETY: `do_nothing` is a C function without effects, which a signal handler may be.
    unsafe { signal(SIGXFSZ, do_nothing as SignalHandler as Disposition) };
}

pub fn secret(bytes: &mut [u8]) -> io::Result<()> {
    // A container may have no /dev.
    if kernel::fill_with_random(bytes) {
        return Ok(());
    }
    File::open("/dev/urandom")?.read_exact(bytes)
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

pub fn split_at_equals(argument: &OsStr) -> Option<(&OsStr, &OsStr)> {
    let bytes = argument.as_bytes();
    let at = bytes.iter().position(|&byte| byte == b'=')?;
    Some((OsStr::from_bytes(&bytes[..at]), OsStr::from_bytes(&bytes[at + 1..])))
}

pub fn create_private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

pub fn create_private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
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

pub fn is_same_file(file: &File, path: &Path) -> io::Result<bool> {
    let [one, other] = [file.metadata()?, fs::metadata(path)?];
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

pub fn stdout_columns() -> Option<usize> {
    columns(io::stdout().as_fd())
}

pub fn stdout_is_file() -> bool {
    let stdout = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    stdout.and_then(|file| file.metadata()).is_ok_and(|metadata| metadata.is_file())
}

/// The width of a terminal; `None` if the descriptor is none.
fn columns(terminal: BorrowedFd<'_>) -> Option<usize> {
    let mut size = TerminalSize::default();
    // SAFETY: TIOCGWINSZ writes a struct of this layout (four `unsigned short`) through the
    // pointer, which lives across the call; the descriptor is open as long as it is borrowed. What
    // is no terminal, and a kernel that has another number, fails and writes nothing.
    let result = unsafe { ioctl(terminal.as_raw_fd(), TIOCGWINSZ, &raw mut size) };
    // Zero: a terminal that does not know its size, such as a serial line.
    (result == 0 && size.columns > 0).then(|| usize::from(size.columns))
}

pub fn open_nonblocking(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)
}

pub fn open_without_links(directory: &File, path: &Path) -> io::Result<File> {
    let mut opened = None;
    for name in path.components() {
        let name = CString::new(name.as_os_str().as_bytes())?;
        let within: &File = opened.as_ref().unwrap_or(directory);
        let flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_LARGEFILE; // 0, reading, is among them
        // SAFETY: the name ends in a NUL and lives across the call, which keeps no pointer to it; the
        // descriptor is open as long as `within` lives. Without O_CREAT there is no fourth argument.
        let descriptor = unsafe { openat(within.as_raw_fd(), name.as_ptr(), flags) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has opened this descriptor, and nothing else owns it.
        opened = Some(unsafe { File::from_raw_fd(descriptor) });
    }
    opened.ok_or_else(|| ErrorKind::InvalidInput.into())
}

pub fn file_state(file: &Metadata) -> FileState {
    FileState {
        length: file.len(),
        modified: file.modified().unwrap_or(UNIX_EPOCH),
        changed: time(file.ctime(), file.ctime_nsec()),
        identity: [file.dev(), file.ino()],
        attributes: [file.mode().into(), file.nlink(), file.uid().into(), file.gid().into()],
    }
}

/// A time of the file system. One before 1970 is the start of 1970.
fn time(seconds: i64, nanoseconds: i64) -> SystemTime {
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    UNIX_EPOCH + seconds + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))
}

pub fn inherited_listeners() -> io::Result<Vec<Listener>> {
    static ARE_TAKEN: AtomicBool = AtomicBool::new(false);
    let own = c_int::try_from(process::id()).ok();
    if own.is_none() || number_in("LISTEN_PID")? != own || ARE_TAKEN.swap(true, Ordering::SeqCst) {
        return Ok(Vec::new());
    }
    let end = FIRST_INHERITED.saturating_add(number_in("LISTEN_FDS")?.unwrap_or(0));
    INHERITED_END.store(end, Ordering::SeqCst);
    let take = |descriptor: c_int| {
        let error = |why: &str| {
            io::Error::other(format!("descriptor {descriptor} is no listening socket: {why}"))
        };
        // SAFETY: F_SETFD takes a number and fails if the descriptor is not open. `from_raw_fd` is called
        // only if it is open. The variables say that it was opened for this process, and `ARE_TAKEN` that
        // nothing has taken it before.
        let socket = unsafe {
            if fcntl(descriptor, F_SETFD, FD_CLOEXEC) == -1 {
                return Err(error(&io::Error::last_os_error().to_string()));
            }
            OwnedFd::from_raw_fd(descriptor)
        };
        if let Some(why) = unusable(&socket) {
            return Err(error(&why));
        }
        let listener = TcpListener::from(socket);
        if listener.local_addr().is_ok() {
            return Ok(listener.into());
        }
        // Not one of IP.
        let listener = UnixListener::from(OwnedFd::from(listener));
        let address = listener.local_addr();
        address.map(|_| listener.into()).map_err(|why| error(&why.to_string()))
    };
    (FIRST_INHERITED..end).map(take).collect()
}

pub fn is_inherited(listener: &Listener) -> bool {
    let descriptor = listener.as_fd().as_raw_fd();
    (FIRST_INHERITED..INHERITED_END.load(Ordering::SeqCst)).contains(&descriptor)
}

pub fn wait_for_connection(listener: &Listener, pipe: &PipeReader) -> io::Result<()> {
    let wait_for = |descriptor: BorrowedFd<'_>| {
        let (descriptor, events, returned_events) = (descriptor.as_raw_fd(), POLLIN, 0);
        PollDescriptor { descriptor, events, returned_events }
    };
    let mut polled = [wait_for(listener.as_fd()), wait_for(pipe.as_fd())];
    // SAFETY: the pointer is to as many structs with the system's layout as the call is told, which live
    // across it; the descriptors are open as long as `listener` and `pipe` live.
    match unsafe { poll(polled.as_mut_ptr(), polled.len() as PollCount, NO_TIMEOUT) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The number in an environment variable. `None` if it is not set, or empty.
fn number_in(name: &str) -> io::Result<Option<c_int>> {
    let Some(text) = env::var_os(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let number = text.to_str().and_then(|text| text.parse().ok()).filter(|&number| number >= 0);
    let wrong = || io::Error::other(format!("{name} is no number: `{}`", text.display()));
    number.ok_or_else(wrong).map(Some)
}

/// Why the socket is no listener for streams of bytes; `None` if it is one.
fn unusable(socket: &OwnedFd) -> Option<String> {
    let is = |option, value| Ok::<_, io::Error>(socket_option(socket, option)? == value);
    match is(SO_TYPE, SOCK_STREAM).and_then(|is_stream| Ok((is_stream, is(SO_ACCEPTCONN, 1)?))) {
        Ok((true, true)) => None,
        Ok((false, _)) => Some("it takes no streams".into()),
        Ok((true, false)) => Some("it does not listen".into()),
        Err(error) => Some(error.to_string()),
    }
}

/// An option of a socket that is an `int`.
fn socket_option(socket: &OwnedFd, option: c_int) -> io::Result<c_int> {
    let (mut value, mut length): (c_int, _) = (0, size_of::<c_int>() as c_uint);
    // SAFETY: the call writes an `int` and its length through the pointers, which live across it; the
    // descriptor is open as long as `socket` lives.
    let result = unsafe {
        let value = (&raw mut value).cast();
        getsockopt(socket.as_raw_fd(), SOL_SOCKET, option, value, &raw mut length)
    };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

pub fn on_stop_signal(on_signal: impl FnOnce(StopSignals) + Send + 'static) -> io::Result<()> {
    // Sockets and not a pipe: std has no read timeout for a pipe.
    let (mut reader, writer) = UnixStream::pair()?;
    // A signal handler must not block.
    writer.set_nonblocking(true)?;
    // The write end stays open as long as the process lives, so the handler can always use it.
    SIGNAL_SOCKET.store(writer.into_raw_fd(), Ordering::SeqCst);
    let wait = move || {
        let mut number = [0];
        if reader.read_exact(&mut number).is_ok() {
            on_signal(StopSignals { first: number[0], since: Instant::now(), reader });
        }
    };
    super::spawn("signals", wait)?;
    for number in [SIGHUP, SIGINT, SIGTERM] {
        // SAFETY: SIG_IGN is a disposition that `signal` takes, and it returns the one from before.
        // `write_its_number` is a C function that only does what a signal handler may do: it loads an
        // atomic and calls write(2), which POSIX lists as async-signal-safe.
        unsafe {
            // SIGHUP says that the terminal is gone. `nohup` ignores it, to outlive the terminal.
            if number == SIGHUP && signal(number, SIG_IGN) == SIG_IGN {
                continue;
            }
            signal(number, write_its_number as SignalHandler as Disposition);
        }
    }
    Ok(())
}

/// The signals that ask the process to stop, one after the other.
pub struct StopSignals {
    first: u8,
    /// When the first one was read.
    since: Instant,
    /// Gives the number of each signal as a byte.
    reader: UnixStream,
}

impl StopSignals {
    /// The name of the first signal.
    pub fn first(&self) -> &'static str {
        match c_int::from(self.first) {
            SIGHUP => "SIGHUP",
            SIGINT => "SIGINT",
            _ => "SIGTERM",
        }
    }

    /// Waits for the next SIGTERM or SIGINT, but for those that repeat the first signal:
    /// [`REPEAT_TIME`]. SIGHUP does not count: both the shell and the kernel may send one when a terminal
    /// closes. Returns false if the socket fails, so that no signal can be read.
    pub fn wait(&mut self) -> bool {
        self.wait_until(None)
    }

    /// As [`wait`](StopSignals::wait), at most for this time. Returns false if there was no signal.
    pub fn wait_timeout(&mut self, time: Duration) -> bool {
        self.wait_until(Some(Instant::now() + time))
    }

    fn wait_until(&mut self, deadline: Option<Instant>) -> bool {
        let mut number = [0];
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) || self.reader.set_read_timeout(left).is_err() {
                return false;
            }
            match self.reader.read(&mut number) {
                Ok(1) if c_int::from(number[0]) == SIGHUP => {}
                Ok(1) if self.since.elapsed() < REPEAT_TIME => {}
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

/// The handler of SIGTERM, SIGHUP and SIGINT. A handler may run between any two instructions, so it only
/// writes a byte; the thread that reads it does the rest.
extern "C" fn write_its_number(number: c_int) {
    let byte = number as u8;
    // SAFETY: the pointer is to one byte of this frame, and the length is one. `errno` changes only if
    // the write fails, and it fails only when hundreds of signals wait to be read.
    unsafe { write(SIGNAL_SOCKET.load(Ordering::SeqCst), (&raw const byte).cast(), 1) };
}

/// The handler of SIGXFSZ: the write that caused the signal fails with EFBIG, and that is enough. It
/// is a handler and not SIG_IGN, since a program that this process starts would inherit SIG_IGN.
extern "C" fn do_nothing(_: c_int) {}

/// ENOMEM, ENFILE, EMFILE and ENOBUFS. The first three have the same number on each Unix.
pub const SHORTAGES: [c_int; 4] = [12, 23, 24, ENOBUFS];

/// ENXIO, ENODEV and ELOOP. The first two have the same number on each Unix.
pub const NO_FILE: [c_int; 3] = [6, 19, ELOOP];

/// What happens at a signal: the address of a handler, or [`SIG_IGN`].
type Disposition = *const c_void;

/// A C function that is called at a signal, with its number.
type SignalHandler = extern "C" fn(c_int);

/// The signal is ignored.
const SIG_IGN: Disposition = ptr::without_provenance(1);

/// The first descriptor that a service manager passes: sd_listen_fds(3).
const FIRST_INHERITED: c_int = 3;
/// The descriptor after the last of them.
static INHERITED_END: AtomicI32 = AtomicI32::new(FIRST_INHERITED);
const F_SETFD: c_int = 2;
const POLLIN: c_short = 1;
const NO_TIMEOUT: c_int = -1;
const FD_CLOEXEC: c_int = 1;

const SIGHUP: c_int = 1;
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

/// `struct pollfd`.
#[repr(C)]
struct PollDescriptor {
    descriptor: c_int,
    events: c_short,
    returned_events: c_short,
}

/// `struct rlimit`.
#[repr(C)]
struct ResourceLimit {
    soft: ResourceAmount,
    hard: ResourceAmount,
}

/// `struct winsize`.
#[derive(Default)]
#[repr(C)]
struct TerminalSize {
    rows: c_ushort,
    columns: c_ushort,
    pixels: [c_ushort; 2],
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
    fn getsockopt(
        socket: c_int,
        level: c_int,
        name: c_int,
        value: *mut c_void,
        length: *mut c_uint,
    ) -> c_int;
    fn listen(socket: c_int, backlog: c_int) -> c_int;
    fn openat(directory: c_int, path: *const c_char, flags: c_int, ...) -> c_int;
    fn ioctl(descriptor: c_int, request: IoctlRequest, ...) -> c_int;
    fn fcntl(descriptor: c_int, command: c_int, ...) -> c_int;
    fn poll(descriptors: *mut PollDescriptor, count: PollCount, milliseconds: c_int) -> c_int;
    fn getrlimit(resource: c_int, limit: *mut ResourceLimit) -> c_int;
    fn setrlimit(resource: c_int, limit: *const ResourceLimit) -> c_int;
    fn signal(number: c_int, disposition: Disposition) -> Disposition;
    fn write(descriptor: c_int, bytes: *const c_void, length: usize) -> isize;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::Ipv4Addr;
    use std::ptr::addr_of_mut;
    use std::sync::mpsc;
    use std::thread;

    /// Bits that no call writes.
    const UNTOUCHED: [u64; 16] = [0xa5a5_5a5a_a5a5_5a5a; 16];

    /// A struct for a system call, and memory behind it that the call must not write.
    #[repr(C)]
    struct Guarded<T> {
        value: T,
        behind: [u64; 16],
    }

    /// The limit on open descriptors. Fails if the system writes more than the struct holds.
    fn descriptor_limit() -> ResourceLimit {
        let value = ResourceLimit { soft: 0, hard: 0 };
        let mut guarded = Guarded { value, behind: UNTOUCHED };
        // SAFETY: the pointer is made from the whole of `guarded`, so the call may write behind the
        // struct as well, if its layout is wrong.
        let result = unsafe { getrlimit(RLIMIT_NOFILE, addr_of_mut!(guarded).cast()) };
        assert_eq!((result, guarded.behind), (0, UNTOUCHED), "written behind the struct");
        guarded.value
    }

    #[test]
    fn without_links_a_path_is_opened_name_by_name() {
        let directory = env::temp_dir().join(format!("openkitchen-links-{}", process::id()));
        fs::create_dir_all(directory.join("a/b")).expect("directories");
        let length = (1 << 32) + 7; // more than an offset of 32 bits holds
        let file = File::create(directory.join("a/b/large")).expect("a file");
        file.set_len(length).expect("a sparse file");
        for (target, name) in [("b", "a/link"), ("large", "a/b/link"), ("../a", "a/up")] {
            std::os::unix::fs::symlink(target, directory.join(name)).expect("a link");
        }
        let handle = File::open(&directory).expect("the directory");
        let open = |path: &str| open_without_links(&handle, Path::new(path));
        let large = open("a/b/large").expect("the file").metadata().expect("metadata");
        assert_eq!(large.len(), length);
        assert!(open(".").expect("itself").metadata().expect("metadata").is_dir());
        for path in ["a/link", "a/link/large", "a/b/link", "a/up/b/large", "a/none", ""] {
            assert!(open(path).is_err(), "{path}");
        }
        fs::remove_dir_all(&directory).expect("removed");
    }

    #[test]
    fn the_soft_limit_on_descriptors_rises_to_the_hard_limit() {
        let ResourceLimit { hard, .. } = descriptor_limit();
        let highest = highest_soft_limit(hard);
        let lower = ResourceLimit { soft: highest - 1, hard };
        // SAFETY: the pointer is to a struct with the system's layout, which lives across the call.
        assert_eq!(unsafe { setrlimit(RLIMIT_NOFILE, &lower) }, 0);
        assert_eq!(descriptor_limit().soft, highest - 1);
        raise_descriptor_limit();
        let raised = descriptor_limit();
        assert_eq!((raised.soft, raised.hard), (highest, hard));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_limit_on_descriptors_is_the_one_that_the_kernel_prints() {
        let limits = fs::read_to_string("/proc/self/limits").expect("limits");
        let row = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        let hard = row.and_then(|row| row.split_whitespace().nth(1));
        assert_eq!(hard, Some(&*descriptor_limit().hard.to_string()));
    }

    // PowerPC has other numbers, and the BSDs too.
    #[cfg(all(target_os = "linux", not(any(target_arch = "powerpc", target_arch = "powerpc64"))))]
    #[test]
    fn the_width_of_a_terminal_is_the_one_that_was_set() {
        const TIOCSWINSZ: IoctlRequest = 0x5414;
        // Each open of /dev/ptmx makes a new terminal, whose size can be set from this side.
        let opened = OpenOptions::new().read(true).write(true).open("/dev/ptmx");
        let Ok(terminal) = opened else { return };
        assert_eq!(columns(terminal.as_fd()), None, "a new terminal has no size");
        for width in [80, 132, 65_535] {
            let size = TerminalSize { rows: 24, columns: width, pixels: [0; 2] };
            let mut guarded = Guarded { value: TerminalSize::default(), behind: UNTOUCHED };
            // SAFETY: TIOCSWINSZ reads a struct of this layout, which lives across the call. The
            // second pointer is made from the whole of `guarded`, so the call may write behind the
            // struct as well, if its layout is wrong.
            let results = unsafe {
                let set = ioctl(terminal.as_raw_fd(), TIOCSWINSZ, &raw const size);
                (set, ioctl(terminal.as_raw_fd(), TIOCGWINSZ, addr_of_mut!(guarded)))
            };
            assert_eq!((results, guarded.behind), ((0, 0), UNTOUCHED), "written behind the struct");
            assert_eq!((guarded.value.rows, guarded.value.columns), (24, width));
            assert_eq!(columns(terminal.as_fd()), Some(usize::from(width)));
        }
        let file = File::open("/proc/self/limits").expect("a file");
        assert_eq!(columns(file.as_fd()), None, "no terminal");
    }

    #[test]
    fn a_socket_that_does_not_listen_is_told_from_one_that_does() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("a port")).expect("open");
        assert_eq!(unusable(&listener.into()), None);
        assert_eq!(unusable(&client.into()).as_deref(), Some("it does not listen"));
        let datagrams = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        assert_eq!(unusable(&datagrams.into()).as_deref(), Some("it takes no streams"));
        let file = OwnedFd::from(File::open("/").expect("a directory"));
        assert!(unusable(&file).is_some(), "no socket");
    }

    #[test]
    fn a_wait_for_a_connection_ends_with_one_or_with_a_byte_in_the_pipe() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("a port");
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let (sender, waits) = mpsc::channel();
        let wait = move || {
            let listener = Listener::from(listener);
            for _ in 0..2 {
                sender.send(wait_for_connection(&listener, &reader).is_ok()).expect("a receiver");
                listener.set_nonblocking(true).expect("the mode");
                let _ = listener.accept(); // there is none the second time
            }
        };
        thread::spawn(wait);
        let wakes: [&mut dyn FnMut(); 2] =
            [&mut || drop(TcpStream::connect(address).expect("open")), &mut || {
                writer.write_all(b"\n").expect("a reader")
            }];
        for wake in wakes {
            assert!(waits.recv_timeout(Duration::from_millis(50)).is_err(), "it did not wait");
            wake();
            assert_eq!(waits.recv_timeout(Duration::from_secs(10)), Ok(true));
        }
    }

    #[test]
    fn a_reset_reaches_the_client() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let listener = Listener::from(listener);
        set_backlog(&listener, 7).expect("a backlog");
        let mut client = TcpStream::connect(listener.address().expect("a port")).expect("open");
        let (server, _) = listener.accept().expect("a client");
        reset_on_close(&server).expect("the option");
        drop(server);
        let error = client.read(&mut [0]).expect_err("no FIN");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

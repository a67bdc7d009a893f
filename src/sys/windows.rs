//! Windows: the calls of Winsock and of the console.

use std::ffi::{c_int, c_void};
use std::fs::{File, OpenOptions};
use std::io;
use std::net::TcpStream;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, AsRawHandle, AsRawSocket};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::FileState;
use super::Listener;
use super::REPEAT_TIME;

#[path = "other.rs"]
#[allow(dead_code, reason = "what Windows has stands in this file")]
mod other;

pub use other::{
    as_stream, catch_sigxfsz, create_private_directory, create_private_file, file_state,
    inherited_listeners, is_inherited, limit_malloc_arenas, open_beneath, open_without_links,
    path_of, raise_descriptor_limit, reap_orphans, split_at_equals, time_since_sent,
    unacknowledged, use_batch_scheduling, wait_for_connection,
};

/// ERROR_NOT_ENOUGH_MEMORY, ERROR_OUTOFMEMORY, WSAEMFILE and WSAENOBUFS.
pub const SHORTAGES: [i32; 4] = [8, 14, 10024, 10055];

/// ERROR_CANT_RESOLVE_FILENAME, a circle of links.
pub const NO_FILE: [i32; 1] = [1921];

/// The longest time for which one read waits. A stop takes as long.
const READ_SLICE: Duration = Duration::from_millis(250);

pub fn read_slice(time: Duration) -> Duration {
    time.min(READ_SLICE)
}

pub fn is_read_timeout(error: &io::Error) -> bool {
    error.raw_os_error() == Some(WSAETIMEDOUT) || error.kind() == io::ErrorKind::WouldBlock
}

pub fn is_shut(error: &io::Error) -> bool {
    error.raw_os_error() == Some(WSAESHUTDOWN)
}

pub fn set_backlog(listener: &Listener, backlog: i32) -> io::Result<()> {
    // SAFETY: `listen` reads no memory of ours; the socket is open as long as `listener` lives.
    result_of(unsafe { listen(listener.tcp().as_raw_socket() as usize, backlog) })
}

pub fn secret(bytes: &mut [u8]) -> io::Result<()> {
    // SAFETY: the pointer and the length are those of a slice that the call alone writes to.
    match unsafe { ProcessPrng(bytes.as_mut_ptr(), bytes.len()) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

pub fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    let at_once = Linger { is_on: 1, seconds: 0 };
    let length = size_of::<Linger>() as c_int;
    // SAFETY: the pointer is to a struct with the system's layout (two `u_short`), which lives across
    // the call, and the length is its own; the socket is open as long as `stream` lives.
    result_of(unsafe {
        let socket = stream.as_raw_socket() as usize;
        setsockopt(socket, SOL_SOCKET, SO_LINGER, (&raw const at_once).cast(), length)
    })
}

/// The result of a call of Winsock.
fn result_of(returned: c_int) -> io::Result<()> {
    // The error of Winsock is that of the thread: WSAGetLastError is GetLastError.
    if returned == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

pub fn open_nonblocking(path: &Path) -> io::Result<File> {
    // A directory is opened only with this flag.
    OpenOptions::new().read(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)
}

pub fn is_same_file(file: &File, path: &Path) -> io::Result<bool> {
    Ok(identity(file)? == identity(&open_nonblocking(path)?)?)
}

/// The numbers of a volume and of a file on it: two files that are open have the same if they are one.
fn identity(file: &File) -> io::Result<[u32; 3]> {
    let mut information = [0; 13];
    // SAFETY: the call writes a struct of this layout (BY_HANDLE_FILE_INFORMATION, thirteen 32-bit
    // numbers) through the pointer, which lives across it; the handle is open as long as `file` lives.
    match unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut information) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok([information[VOLUME], information[INDEX], information[INDEX + 1]]),
    }
}

/// Where the numbers stand in BY_HANDLE_FILE_INFORMATION.
const VOLUME: usize = 7;
const INDEX: usize = 11;

pub fn stdout_columns() -> Option<usize> {
    let mut screen = ScreenBuffer::default();
    // SAFETY: the call writes a struct of this layout (eleven 16-bit numbers) through the pointer,
    // which lives across it. It fails if stdout is no console.
    let result =
        unsafe { GetConsoleScreenBufferInfo(GetStdHandle(STD_OUTPUT_HANDLE), &raw mut screen) };
    // The window, which may show a part of the buffer alone.
    let columns = i32::from(screen.right) - i32::from(screen.left) + 1;
    if result == 0 { None } else { usize::try_from(columns).ok().filter(|&columns| columns > 1) }
}

pub fn show_colours() -> bool {
    let mut mode = 0;
    // SAFETY: the first call writes a number through the pointer, which lives across it, and fails if
    // stdout is no console. The second one takes the number, with one bit more.
    unsafe {
        let stdout = GetStdHandle(STD_OUTPUT_HANDLE);
        // A terminal that is no console, such as that of Git for Windows, has colours.
        GetConsoleMode(stdout, &raw mut mode) == 0
            || SetConsoleMode(stdout, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0
    }
}

pub fn stdout_is_file() -> bool {
    let stdout = io::stdout().as_handle().try_clone_to_owned().map(File::from);
    stdout.and_then(|file| file.metadata()).is_ok_and(|metadata| metadata.is_file())
}

pub fn on_stop_signal(on_signal: impl FnOnce(StopSignals) + Send + 'static) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel();
    // Only the first call gets the events; there is no second one in a process.
    let _ = EVENTS.set(sender);
    let wait = move || {
        if let Ok(first) = receiver.recv() {
            on_signal(StopSignals { first, since: Instant::now(), receiver });
        }
    };
    super::spawn("signals", wait)?;
    // SAFETY: `send_event` has the type that the call takes. The system calls it in a thread of its own,
    // so it may do what any thread may.
    match unsafe { SetConsoleCtrlHandler(Some(send_event), 1) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The events that ask the process to stop, one after the other.
pub struct StopSignals {
    first: u32,
    /// When the first one was received.
    since: Instant,
    receiver: Receiver<u32>,
}

impl StopSignals {
    /// The name of the first event.
    pub fn first(&self) -> &'static str {
        match self.first {
            CTRL_C_EVENT => "Ctrl-C",
            CTRL_BREAK_EVENT => "Ctrl-Break",
            _ => "the end of the console",
        }
    }

    /// Waits for the next Ctrl-C or Ctrl-Break, but for those that repeat the first event:
    /// [`REPEAT_TIME`]. Returns false if no event can come.
    pub fn wait(&mut self) -> bool {
        self.receiver.iter().any(|event| is_key(event) && self.since.elapsed() >= REPEAT_TIME)
    }

    /// As [`wait`](StopSignals::wait), at most for this time. Returns false if there was no event.
    pub fn wait_timeout(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok(event) if is_key(event) && self.since.elapsed() >= REPEAT_TIME => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }
}

/// Whether a person has pressed keys. Other events come at the end of the console.
fn is_key(event: u32) -> bool {
    matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT)
}

/// Where the handler sends each event.
static EVENTS: OnceLock<Sender<u32>> = OnceLock::new();

/// The handler of the console's events. Where the console ends, the system ends the process as soon as
/// it returns, or after five seconds.
extern "system" fn send_event(event: u32) -> i32 {
    if let Some(events) = EVENTS.get() {
        let _ = events.send(event); // fails at the end of the process
    }
    if !is_key(event) {
        thread::sleep(CONSOLE_END_WAIT);
    }
    1
}

/// Longer than the system waits for the handler.
const CONSOLE_END_WAIT: Duration = Duration::from_secs(10);

const CTRL_C_EVENT: u32 = 0;
const CTRL_BREAK_EVENT: u32 = 1;
const WSAESHUTDOWN: i32 = 10058;
const WSAETIMEDOUT: i32 = 10060;
const SOL_SOCKET: c_int = 0xffff;
const SO_LINGER: c_int = 0x80;
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
/// -11 as a DWORD.
const STD_OUTPUT_HANDLE: u32 = 0xffff_fff5;
const ENABLE_VIRTUAL_TERMINAL_PROCESSING: u32 = 4;

/// `struct linger`.
#[repr(C)]
struct Linger {
    is_on: u16,
    seconds: u16,
}

/// `CONSOLE_SCREEN_BUFFER_INFO`.
#[derive(Default)]
#[repr(C)]
struct ScreenBuffer {
    size: [i16; 2],
    cursor: [i16; 2],
    attributes: u16,
    left: i16,
    top: i16,
    right: i16,
    bottom: i16,
    maximum: [i16; 2],
}

// std links both anyway.
#[link(name = "ws2_32")]
unsafe extern "system" {
    fn listen(socket: usize, backlog: c_int) -> c_int;
    fn setsockopt(
        socket: usize,
        level: c_int,
        name: c_int,
        value: *const c_void,
        length: c_int,
    ) -> c_int;
}

#[link(name = "kernel32")]
unsafe extern "system" {
    fn GetStdHandle(which: u32) -> *mut c_void;
    fn GetFileInformationByHandle(file: *mut c_void, information: *mut [u32; 13]) -> i32;
    fn GetConsoleMode(console: *mut c_void, mode: *mut u32) -> i32;
    fn SetConsoleMode(console: *mut c_void, mode: u32) -> i32;
    fn GetConsoleScreenBufferInfo(console: *mut c_void, screen: *mut ScreenBuffer) -> i32;
    fn SetConsoleCtrlHandler(handler: Option<extern "system" fn(u32) -> i32>, add: i32) -> i32;
}

// It always succeeds, as its documentation says: BOOL ProcessPrng(PBYTE, SIZE_T).
#[link(name = "bcryptprimitives", kind = "raw-dylib")]
unsafe extern "system" {
    fn ProcessPrng(bytes: *mut u8, length: usize) -> i32;
}

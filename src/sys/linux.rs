//! What Linux alone has: malloc's arenas, scheduling and orphans, and the numbers of its C headers. The
//! numbers hold except on a few old architectures: Alpha, MIPS, PA-RISC and SPARC. Of m68k only those of
//! opening a file have been looked up.

use std::ffi::{CString, c_int, c_long, c_uint, c_ulong};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::time::Duration;

use super::SIG_IGN;
use super::getsockopt;
use super::ioctl;
use super::signal;

pub const RLIMIT_NOFILE: c_int = 7;
pub const SOL_SOCKET: c_int = 1;
pub const SO_ACCEPTCONN: c_int = 30;
pub const SO_TYPE: c_int = 3;
pub const SOCK_STREAM: c_int = 1;
pub const SO_LINGER: c_int = 13;
pub const ELOOP: c_int = 40;
pub const ENOBUFS: c_int = 105;
pub const O_NONBLOCK: c_int = 0o4000;
/// `nfds_t`.
#[cfg(target_os = "android")]
pub type PollCount = c_uint;
#[cfg(not(target_os = "android"))]
pub type PollCount = c_ulong;

/// `rlim_t`: 64 bits wide in musl (from which OpenHarmony's library comes), also where a `long` has 32.
#[cfg(any(target_env = "musl", target_env = "ohos"))]
pub type ResourceAmount = u64;
/// `rlim_t`: as wide as a `long` in glibc, in uClibc and on Android.
#[cfg(not(any(target_env = "musl", target_env = "ohos")))]
pub type ResourceAmount = c_ulong;

/// The highest soft limit on descriptors that the system grants.
pub fn highest_soft_limit(hard: ResourceAmount) -> ResourceAmount {
    hard
}

/// Limits the arenas of glibc.
#[cfg(target_env = "gnu")]
pub fn limit_malloc_arenas() {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    // SAFETY: `mallopt` takes two numbers and reads no memory of ours. It ignores a parameter that it
    // does not know.
    unsafe { mallopt(M_ARENA_MAX, c_int::try_from(processors).unwrap_or(c_int::MAX)) };
}

/// Other allocators have no arenas.
#[cfg(not(target_env = "gnu"))]
pub fn limit_malloc_arenas() {}

/// Uses the calls of pthread, because musl's `sched_setscheduler` always fails. SCHED_RESET_ON_FORK would
/// not keep the policy from the threads that this one spawns: it resets real-time policies only.
pub fn use_batch_scheduling() {
    let mut policy = SCHED_BATCH;
    let mut parameters = SchedulingParameters { priority: 0, reserved: [0; 7] };
    // SAFETY: `pthread_self` is the calling thread, which lives. The pointers are to an `int` and to a
    // struct that begins as the system's does and is no smaller. They live across the calls, which keep
    // none of them. If the system refuses, the old policy stays.
    unsafe {
        let this = pthread_self();
        if pthread_getschedparam(this, &mut policy, &mut parameters) == 0 && policy == SCHED_OTHER {
            pthread_setschedparam(this, SCHED_BATCH, &parameters);
        }
    }
}

pub fn reap_orphans() {
    if std::process::id() != 1 {
        return;
    }
    // SAFETY: SIG_IGN is a disposition that `signal` takes. Where SIGCHLD is ignored, the kernel keeps
    // no zombies. A null pointer tells `waitpid` to write no status.
    unsafe {
        signal(SIGCHLD, SIG_IGN);
        // Zombies from before: a shell may have started children, and then `exec`ed this program.
        while waitpid(ANY_CHILD, ptr::null_mut(), WNOHANG) > 0 {}
    }
}

/// Whether the kernel has filled this with random bytes. Without a flag, it waits only while the machine
/// starts.
pub fn fill_with_random(bytes: &mut [u8]) -> bool {
    // SAFETY: `syscall` reads each argument as a `long` or a pointer, and each is one. The pointer and the
    // length are those of a slice that the call alone writes to. A kernel that has no such call fails.
    let filled =
        unsafe { syscall(SYS_GETRANDOM, bytes.as_mut_ptr(), bytes.len() as c_long, NO_FLAGS) };
    usize::try_from(filled) == Ok(bytes.len())
}

/// The number of `getrandom`, which each processor has its own of.
const SYS_GETRANDOM: c_long = if cfg!(target_arch = "x86_64") {
    318
} else if cfg!(target_arch = "x86") {
    355
} else if cfg!(target_arch = "arm") {
    384
} else if cfg!(any(target_arch = "aarch64", target_arch = "riscv64")) {
    278
} else {
    -1 // no call has it
};
const NO_FLAGS: c_long = 0;

pub fn unacknowledged(stream: &TcpStream) -> usize {
    let mut bytes: c_int = 0;
    // SAFETY: SIOCOUTQ writes an `int` through the pointer, which lives across the call; the descriptor
    // is open as long as `stream` lives. A kernel that has another number fails and writes nothing.
    let result = unsafe { ioctl(stream.as_raw_fd(), SIOCOUTQ, &raw mut bytes) };
    if result == 0 { usize::try_from(bytes).unwrap_or(0) } else { 0 }
}

pub fn time_since_sent(stream: &TcpStream) -> Option<Duration> {
    let mut info = TcpInfo::default();
    let mut length = size_of::<TcpInfo>() as c_uint;
    // SAFETY: the struct has the layout of the kernel's first fields, and the call writes no more bytes than
    // `length` says; both live across the call, and the descriptor is open as long as `stream` lives.
    let result = unsafe {
        let value = (&raw mut info).cast();
        getsockopt(stream.as_raw_fd(), IPPROTO_TCP, TCP_INFO, value, &raw mut length)
    };
    let is_known = result == 0 && length as usize == size_of::<TcpInfo>();
    is_known.then(|| Duration::from_millis(info.milliseconds_since_sent.into()))
}

pub fn open_beneath(directory: &File, path: &Path) -> io::Result<File> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let flags = (O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_LARGEFILE) as u64; // 0, reading, is among them
    let how = OpenHow { flags, mode: 0, resolve: RESOLVE_BENEATH };
    for _ in 0..MAX_OPEN_TRIES {
        // SAFETY: `syscall` reads each argument as a `long` or a pointer, and each is one. The path ends
        // in a NUL, the struct has the kernel's layout and its size is passed; both live across the call,
        // which keeps no pointer. A kernel that has no such call fails.
        let descriptor = unsafe {
            syscall(
                SYS_OPENAT2,
                c_long::from(directory.as_raw_fd()),
                path.as_ptr(),
                &raw const how,
                size_of::<OpenHow>() as c_long,
            )
        };
        if let Ok(descriptor @ 0..) = c_int::try_from(descriptor) {
            // SAFETY: the call has opened this descriptor, and nothing else owns it.
            return Ok(unsafe { File::from_raw_fd(descriptor) });
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            // A signal; or a directory on the way was renamed just now; or another program has a lease
            // on the file (fcntl(2)), which takes longer to end than these tries.
            ErrorKind::Interrupted | ErrorKind::WouldBlock => {}
            // What a sandbox says of a call that it does not know.
            _ if error.raw_os_error() == Some(EPERM) => return Err(ErrorKind::Unsupported.into()),
            _ => return Err(error),
        }
    }
    Err(ErrorKind::WouldBlock.into())
}

pub fn path_of(file: &File) -> Option<PathBuf> {
    Some(format!("/proc/self/fd/{}", file.as_raw_fd()).into())
}

/// How often a file is opened again, if directories are being renamed meanwhile.
const MAX_OPEN_TRIES: usize = 16;

/// `struct open_how`.
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// The same number on every architecture for which Rust builds, except on MIPS: there, no call has it.
const SYS_OPENAT2: c_long = 437;
const RESOLVE_BENEATH: u64 = 0x08;
const O_NOCTTY: c_int = 0o400;
pub const O_CLOEXEC: c_int = 0o2_000_000;
pub const O_NOFOLLOW: c_int = match () {
    _ if cfg!(any(target_arch = "arm", target_arch = "aarch64", target_arch = "m68k")) => 0o100_000,
    _ if cfg!(any(target_arch = "powerpc", target_arch = "powerpc64")) => 0o100_000,
    _ => 0o400_000,
};
/// Files of 2 GiB and more. A kernel of 64 bits needs no flag for them.
pub const O_LARGEFILE: c_int = match () {
    _ if cfg!(any(target_arch = "arm", target_arch = "m68k")) => 0o400_000,
    _ if cfg!(target_arch = "powerpc") => 0o200_000,
    _ if cfg!(target_pointer_width = "32") => 0o100_000,
    _ => 0,
};
const EPERM: c_int = 1;

/// The type of a request to `ioctl`: an `int` in musl (from which OpenHarmony's library comes) and on
/// Android, a `long` in glibc and uClibc.
#[cfg(any(target_env = "musl", target_env = "ohos", target_os = "android"))]
pub type IoctlRequest = c_int;
#[cfg(not(any(target_env = "musl", target_env = "ohos", target_os = "android")))]
pub type IoctlRequest = c_ulong;

/// The size of a terminal. PowerPC has the number of the BSDs.
#[cfg(not(any(target_arch = "powerpc", target_arch = "powerpc64")))]
pub const TIOCGWINSZ: IoctlRequest = 0x5413;
#[cfg(any(target_arch = "powerpc", target_arch = "powerpc64"))]
pub const TIOCGWINSZ: IoctlRequest = 0x4008_7468;

/// Bytes that a socket has not sent, or that are not acknowledged. PowerPC has a number of its own.
#[cfg(not(any(target_arch = "powerpc", target_arch = "powerpc64")))]
const SIOCOUTQ: IoctlRequest = 0x5411;
#[cfg(any(target_arch = "powerpc", target_arch = "powerpc64"))]
const SIOCOUTQ: IoctlRequest = 0x4004_7473;

const IPPROTO_TCP: c_int = 6;
const TCP_INFO: c_int = 11;

/// The first fields of `struct tcp_info`.
#[derive(Default)]
#[repr(C)]
struct TcpInfo {
    before: [u32; 11],
    milliseconds_since_sent: u32,
}

#[cfg(target_env = "gnu")]
const M_ARENA_MAX: c_int = -8;
const SCHED_OTHER: c_int = 0;
const SCHED_BATCH: c_int = 3;
const SIGCHLD: c_int = 17;
const ANY_CHILD: c_int = -1;
/// Return at once if no child has ended.
const WNOHANG: c_int = 1;

/// `pthread_t`: a number in glibc and a pointer in musl, as wide as a `long` in both.
type Thread = c_ulong;

/// `struct sched_param`: the priority alone in glibc, 48 bytes at most in musl.
#[repr(C)]
struct SchedulingParameters {
    priority: c_int,
    reserved: [u64; 7],
}

unsafe extern "C" {
    #[cfg(target_env = "gnu")]
    fn mallopt(parameter: c_int, value: c_int) -> c_int;
    fn waitpid(process: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn syscall(number: c_long, ...) -> c_long;
    fn pthread_self() -> Thread;
    fn pthread_getschedparam(
        thread: Thread,
        policy: *mut c_int,
        parameters: *mut SchedulingParameters,
    ) -> c_int;
    fn pthread_setschedparam(
        thread: Thread,
        policy: c_int,
        parameters: *const SchedulingParameters,
    ) -> c_int;
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_scheduling_parameters_fit_into_their_struct() {
        const WORDS: usize = size_of::<SchedulingParameters>() / size_of::<u64>();
        let mut guarded = [u64::MAX; WORDS + 16];
        let mut policy = -1;
        // SAFETY: the pointer is to more memory than the struct has, aligned as it is or better, so the
        // call may write behind the struct as well, if its layout is wrong.
        let result = unsafe {
            pthread_getschedparam(pthread_self(), &mut policy, guarded.as_mut_ptr().cast())
        };
        assert_eq!((result, policy), (0, SCHED_OTHER));
        assert_eq!(guarded[WORDS..], [u64::MAX; 16], "written behind the struct");
    }

    #[test]
    fn a_thread_gets_the_batch_policy() {
        let policy = std::thread::spawn(|| {
            use_batch_scheduling();
            let mut parameters = SchedulingParameters { priority: 0, reserved: [0; 7] };
            let mut policy = -1;
            // SAFETY: as in `use_batch_scheduling`.
            unsafe { pthread_getschedparam(pthread_self(), &mut policy, &mut parameters) };
            policy
        });
        assert_eq!(policy.join().expect("no panic"), SCHED_BATCH);
    }

    #[test]
    fn bytes_that_have_not_arrived_are_counted() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let mut client = TcpStream::connect(listener.local_addr().expect("a port")).expect("open");
        let (mut server, _) = listener.accept().expect("a client");
        assert_eq!(unacknowledged(&server), 0);
        server.set_nonblocking(true).expect("the option");
        let mut written = 0;
        while let Ok(length) = server.write(&[0; 64 * 1024]) {
            written += length;
        }
        let waiting = unacknowledged(&server);
        assert!(0 < waiting && waiting < written, "{waiting} of {written}");
        client.read_exact(&mut vec![0; written]).expect("all of them");
        while unacknowledged(&server) > 0 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_full_receive_buffer_is_seen_by_the_time_since_bytes_were_sent() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let mut client = TcpStream::connect(listener.local_addr().expect("a port")).expect("open");
        let (mut server, _) = listener.accept().expect("a client");
        if time_since_sent(&server).is_none()
            && !cfg!(any(target_arch = "x86_64", target_arch = "x86"))
        {
            return; // qemu knows no TCP_INFO
        }
        server.set_nonblocking(true).expect("the option");
        let mut fill = || while server.write(&[0; 64 * 1024]).is_ok() {};
        let (since, time) = (Instant::now(), Duration::from_millis(100));
        fill();
        while time_since_sent(&server).expect("a time") < time {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(since.elapsed() >= time);
        client.read_exact(&mut vec![0; 1 << 20]).expect("a part");
        // What waited in the send buffer is sent by now, or soon.
        while time_since_sent(&server).expect("a time") >= time {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn the_kernel_opens_files_below_a_directory_only() {
        let directory =
            std::env::temp_dir().join(format!("openkitchen-sys-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let file = File::create(directory.join("large")).expect("a file");
        let length = (1 << 32) + 7; // more than an offset of 32 bits holds
        file.set_len(length).expect("a sparse file");
        let open = |path: &str| open_beneath(&File::open(&directory)?, Path::new(path));
        match open("large") {
            Ok(large) => {
                assert_eq!(large.metadata().expect("metadata").len(), length);
                let kind = |path| open(path).expect_err(path).kind();
                assert_eq!(kind("../large"), ErrorKind::CrossesDevices);
                assert_eq!(kind("/"), ErrorKind::CrossesDevices);
                assert_eq!(kind("none"), ErrorKind::NotFound);
                assert!(open(".").expect("the directory").metadata().expect("metadata").is_dir());
            }
            // An old kernel, a sandbox, or an emulator that does not know the call.
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
        }
        std::fs::remove_dir_all(&directory).expect("removed");
    }

    #[cfg(target_env = "gnu")]
    #[test]
    fn malloc_knows_the_parameter() {
        // SAFETY: as in `limit_malloc_arenas`. 0 arenas means that there is no limit.
        assert_eq!(unsafe { mallopt(M_ARENA_MAX, 0) }, 1);
    }
}

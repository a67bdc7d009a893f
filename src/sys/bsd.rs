//! What macOS and the BSDs have in place of Linux's: the numbers of their C headers. Their malloc needs
//! no limit, and they have no SCHED_BATCH.

use std::ffi::{c_int, c_uint, c_ulong};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const RLIMIT_NOFILE: c_int = 8;
pub const SOL_SOCKET: c_int = 0xffff;
pub const SO_ACCEPTCONN: c_int = 2;
pub const SO_TYPE: c_int = 0x1008;
pub const SOCK_STREAM: c_int = 1;
pub const SO_LINGER: c_int = 0x80;
pub const ELOOP: c_int = 62;
pub const ENOBUFS: c_int = 55;
/// The size of a terminal.
pub const TIOCGWINSZ: IoctlRequest = 0x4008_7468;
pub const O_NONBLOCK: c_int = 4;
/// `nfds_t`.
pub type PollCount = c_uint;
pub const O_NOFOLLOW: c_int = 0x100;
pub const O_CLOEXEC: c_int = match () {
    _ if cfg!(target_vendor = "apple") => 0x0100_0000,
    _ if cfg!(target_os = "freebsd") => 0x0010_0000,
    _ if cfg!(target_os = "netbsd") => 0x0040_0000,
    _ if cfg!(target_os = "openbsd") => 0x0001_0000,
    _ => 0x0002_0000, // DragonFly
};
/// Large files need no flag.
pub const O_LARGEFILE: c_int = 0;

/// The type of a request to `ioctl`.
pub type IoctlRequest = c_ulong;

/// `rlim_t`: 64 bits wide. FreeBSD's has a sign, and its amounts are positive.
pub type ResourceAmount = u64;

/// The highest soft limit on descriptors that the system grants. On macOS the hard limit is usually
/// infinite, and setrlimit(2) refuses more than OPEN_MAX then, which is 10,240.
pub fn highest_soft_limit(hard: ResourceAmount) -> ResourceAmount {
    if cfg!(target_vendor = "apple") { hard.min(10_240) } else { hard }
}

pub fn limit_malloc_arenas() {}

pub fn use_batch_scheduling() {}

pub fn reap_orphans() {}

/// Each system has other calls for it, or none.
pub fn open_beneath(_: &File, _: &Path) -> io::Result<File> {
    Err(ErrorKind::Unsupported.into())
}

pub fn path_of(_: &File) -> Option<PathBuf> {
    None
}

pub fn fill_with_random(_: &mut [u8]) -> bool {
    false
}

pub fn unacknowledged(_: &TcpStream) -> usize {
    0
}

pub fn time_since_sent(_: &TcpStream) -> Option<Duration> {
    None
}

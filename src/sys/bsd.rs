//! What macOS and the BSDs have in place of Linux's: the numbers of their C headers. Their malloc needs
//! no limit, and they have no SCHED_BATCH.

use std::ffi::c_int;

pub const RLIMIT_NOFILE: c_int = 8;
pub const SOL_SOCKET: c_int = 0xffff;
pub const SO_LINGER: c_int = 0x80;
pub const ENOBUFS: c_int = 55;

/// `rlim_t`: 64 bits wide.
pub type ResourceAmount = u64;

pub fn limit_malloc_arenas() {}

pub fn use_batch_scheduling() {}

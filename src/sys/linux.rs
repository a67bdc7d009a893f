//! What Linux alone has: malloc's arenas and scheduling, and the numbers of its C headers. The numbers
//! hold except on a few old architectures: Alpha, MIPS, PA-RISC and SPARC.

use std::ffi::{c_int, c_ulong};

pub const RLIMIT_NOFILE: c_int = 7;
pub const SOL_SOCKET: c_int = 1;
pub const SO_LINGER: c_int = 13;
pub const ENOBUFS: c_int = 105;

/// `rlim_t`: as wide as a `long` in glibc.
#[cfg(target_env = "gnu")]
pub type ResourceAmount = c_ulong;
/// `rlim_t`: 64 bits wide in musl, also where a `long` has 32.
#[cfg(not(target_env = "gnu"))]
pub type ResourceAmount = u64;

/// Limits the arenas of glibc.
#[cfg(target_env = "gnu")]
pub fn limit_malloc_arenas() {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    // SAFETY: `mallopt` takes two numbers and reads no memory of ours. It ignores a parameter that it
    // does not know.
    unsafe { mallopt(M_ARENA_MAX, c_int::try_from(processors).unwrap_or(c_int::MAX)) };
}

/// musl has no arenas.
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

#[cfg(target_env = "gnu")]
const M_ARENA_MAX: c_int = -8;
const SCHED_OTHER: c_int = 0;
const SCHED_BATCH: c_int = 3;

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

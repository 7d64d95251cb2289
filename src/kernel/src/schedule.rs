//! What a thread that may not be late asks of the kernel, and a clock that does not stop.

use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{MCL_ONFAULT, SCHED_FIFO, SCHED_RESET_ON_FORK};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::time::{ClockId, clock_gettime};
use thiserror::Error;

use crate::{OsError, system};

/// Why the kernel did not grant it. The thread and its memory are as they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// The process lacks `CAP_SYS_NICE`, or the thread is in a control group without a share of real time, as all are but
    /// the first where the kernel has `CONFIG_RT_GROUP_SCHED` and nobody gave them one (sched(7)).
    #[error(
        "taking real-time priority {priority}: not permitted; it takes CAP_SYS_NICE, which the Pod's securityContext can add, \
         and a control group that may use real time"
    )]
    PriorityNotPermitted {
        /// The one that was asked for.
        priority: u8,
    },
    /// The kernel knows no such priority.
    #[error("taking real-time priority {priority}: there are only those from 1 to 99")]
    NoSuchPriority {
        /// The one that was asked for.
        priority: u8,
    },
    /// Taking the priority failed otherwise.
    #[error("taking real-time priority {priority}: {error}")]
    Priority {
        /// The one that was asked for.
        priority: u8,
        /// What the kernel said.
        error: OsError,
    },
    /// The process lacks `CAP_IPC_LOCK`, and has more memory than `RLIMIT_MEMLOCK` lets it lock.
    #[error(
        "locking memory: not permitted; it takes CAP_IPC_LOCK, which the Pod's securityContext can add, or a greater \
         RLIMIT_MEMLOCK"
    )]
    LockingNotPermitted,
    /// Locking failed otherwise.
    #[error("locking memory: {error}")]
    Locking {
        /// What the kernel said.
        error: OsError,
    },
}

/// Has the calling thread run before all with a lower priority, and all without one, until it waits for something
/// (`SCHED_FIFO` of sched(7)); `priority` is from 1, the lowest, to 99. What it starts afterwards, threads or processes, is
/// scheduled as usual (`SCHED_RESET_ON_FORK`). It takes `CAP_SYS_NICE`.
///
/// A thread that never waits keeps others from a CPU: by default it may for 950 ms of each second
/// (kernel.sched_rt_runtime_us).
///
/// # Errors
/// Why it is not so.
pub fn real_time(priority: u8) -> Result<(), ScheduleError> {
    system::set_scheduler(SCHED_FIFO | SCHED_RESET_ON_FORK, priority.into()).map_err(|errno| {
        match errno {
            Errno::EPERM => ScheduleError::PriorityNotPermitted { priority },
            Errno::EINVAL => ScheduleError::NoSuchPriority { priority },
            errno => ScheduleError::Priority {
                priority,
                error: os(errno),
            },
        }
    })
}

/// Keeps the memory of the process where it is, once it was touched: neither swapped out, nor, as far as it is a file's, to
/// be read again. What is not touched takes no room (`MCL_ONFAULT` of mlock(2), Linux 4.4). It takes `CAP_IPC_LOCK`.
///
/// # Errors
/// Why it is not so.
pub fn lock_memory() -> Result<(), ScheduleError> {
    // What is locked goes back to the kernel only together with the mapping that it is in.
    system::map_large_blocks();
    let on_fault = MlockAllFlags::from_bits_retain(MCL_ONFAULT);
    let all = MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | on_fault;
    mlockall(all).map_err(|errno| match errno {
        // `can_do_mlock` and the limit itself, in mm/mlock.c.
        Errno::EPERM | Errno::ENOMEM => ScheduleError::LockingNotPermitted,
        errno => ScheduleError::Locking { error: os(errno) },
    })
}

/// How long the kernel has been running, with the time that the machine slept (`CLOCK_BOOTTIME` of clock_gettime(2)). No
/// clock is set by it or sets it, and all processes of a machine read the same; not after a restart, and not on another
/// machine.
#[must_use]
pub fn boot_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME);
    time.expect("invariant: Linux has this clock since 2.6.39")
        .into()
}

fn os(errno: Errno) -> OsError {
    OsError::from_raw(errno as i32)
}

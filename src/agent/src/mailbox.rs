//! Messages to a thread that runs before all others, and may wait for none of them.
//!
//! The channels of the standard library have a receiver spin until a sender has put in place what it has begun to send
//! (`wait_write` in library/std/src/sync/mpmc/list.rs). That takes no time where both run at once. A sender that a real-time
//! thread interrupts on its own processor does not go on, though, and nor does anything else there, not even what receives
//! frames, but for the twentieth of each second that the kernel keeps for all others (`sched_rt_runtime_us`): a node was seen
//! to stand still like that for 3.6 s.
//!
//! Here, a sender puts its message behind a lock and wakes the receiver afterwards. The receiver takes what is there where
//! nobody has the lock, and else comes back when it is woken. Senders that may not wait either have a lane, with a lock, of
//! their own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use mooring_kernel::{PacketError, Waker};

/// Sends. Its clones are one and the same.
pub(crate) struct Sender<T> {
    lanes: Arc<Lanes<T>>,
    is_urgent: bool,
    waker: Waker,
}

/// Receives.
pub(crate) struct Mailbox<T> {
    lanes: Arc<Lanes<T>>,
    waker: Waker,
    /// What was taken out of the lanes, and not yet from here.
    taken: VecDeque<T>,
}

/// What was sent and not received; from one sender, the first is the first.
struct Lanes<T> {
    urgent: Mutex<Lane<T>>,
    others: Mutex<Lane<T>>,
}

struct Lane<T> {
    messages: VecDeque<T>,
    /// Nobody will receive anything any more.
    is_closed: bool,
}

/// A mailbox, and who sends to it.
///
/// # Errors
/// If the kernel has nothing left to wake a thread with.
pub(crate) fn mailbox<T>() -> Result<(Sender<T>, Mailbox<T>), PacketError> {
    let lane = || {
        Mutex::new(Lane {
            messages: VecDeque::new(),
            is_closed: false,
        })
    };
    let lanes = Arc::new(Lanes {
        urgent: lane(),
        others: lane(),
    });
    let waker = Waker::new()?;
    let sender = Sender {
        lanes: Arc::clone(&lanes),
        is_urgent: false,
        waker: waker.clone(),
    };
    let mailbox = Mailbox {
        lanes,
        waker,
        taken: VecDeque::new(),
    };
    Ok((sender, mailbox))
}

// === impl Sender ===

impl<T> Sender<T> {
    /// For a thread that may not wait for others: those that send by this lane run before all that do not.
    pub(crate) fn urgent(&self) -> Self {
        Self {
            is_urgent: true,
            ..self.clone()
        }
    }

    /// Sends it. What nobody will receive is dropped.
    pub(crate) fn send(&self, message: T) {
        let lane = match self.is_urgent {
            true => &self.lanes.urgent,
            false => &self.lanes.others,
        };
        let mut lane = lane.lock().unwrap_or_else(PoisonError::into_inner);
        if !lane.is_closed {
            lane.messages.push_back(message);
        }
        // A receiver that finds it locked comes back when it is woken.
        drop(lane);
        self.waker.wake();
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self {
            lanes: Arc::clone(&self.lanes),
            is_urgent: self.is_urgent,
            waker: self.waker.clone(),
        }
    }
}

// === impl Mailbox ===

impl<T> Mailbox<T> {
    /// What has come, one by one. It never waits: what is just being sent comes later. Clear the [waker](Self::waker) before.
    pub(crate) fn take(&mut self) -> Option<T> {
        if self.taken.is_empty() {
            for lane in [&self.lanes.urgent, &self.lanes.others] {
                if let Some(mut lane) = unless_locked(lane) {
                    self.taken.append(&mut lane.messages);
                }
            }
        }
        self.taken.pop_front()
    }

    /// Nobody is left to send anything, and nothing of what was sent is left in the lanes.
    pub(crate) fn is_deserted(&self) -> bool {
        // In this order, as the last sender may just have sent its last.
        let is_empty = |lane| unless_locked(lane).is_some_and(|lane| lane.messages.is_empty());
        Arc::strong_count(&self.lanes) == 1
            && is_empty(&self.lanes.urgent)
            && is_empty(&self.lanes.others)
    }

    /// Is used after each message.
    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }
}

impl<T> Drop for Mailbox<T> {
    fn drop(&mut self) {
        for lane in [&self.lanes.urgent, &self.lanes.others] {
            let mut lane = lane.lock().unwrap_or_else(PoisonError::into_inner);
            lane.is_closed = true;
            lane.messages.clear();
        }
    }
}

fn unless_locked<T>(lane: &Mutex<Lane<T>>) -> Option<MutexGuard<'_, Lane<T>>> {
    match lane.try_lock() {
        Ok(lane) => Some(lane),
        Err(TryLockError::Poisoned(lane)) => Some(lane.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

#[cfg(test)]
mod tests;

//! What comes from other nodes.

use std::io::ErrorKind;
use std::os::fd::AsFd as _;
use std::time::Duration;

use mooring_core::fleet::DOUBT;
use mooring_core::liveness;
use mooring_core::mooring::SURELY_MISSED;
use mooring_core::peer::LENGTH;
use mooring_kernel::{refusals, wait_for};
use tracing::warn;

use super::{Bridge, Charged};
use crate::moor;

/// How many datagrams are taken before anything else has its turn.
const TURN: usize = 256;
/// The longest wait: deadlines are nearer as soon as anybody else is known.
const REST: Duration = Duration::from_secs(1);

impl<T: FnMut(u64, Vec<Charged>)> Bridge<T> {
    /// Waits until something comes or something is due, and takes it in.
    pub(super) fn listen(&mut self) {
        let next = self.keys.as_ref().map(|_| self.fleet.next());
        let next = next.into_iter().chain(self.fence.next()).min();
        let patience = next.map_or(REST, |next| next.saturating_sub(self.now()).min(REST));
        let mut sources = vec![self.socket.as_fd()];
        sources.extend(self.sounder.sources());
        let began = self.now();
        let ready = match wait_for(&sources, self.mailbox.waker(), patience) {
            Ok(ready) => ready,
            Err(error) => {
                warn!(reason = %error, "cannot wait for other agents");
                std::thread::sleep(liveness::PERIOD);
                return;
            }
        };
        let missed = self.now().saturating_sub(began + patience);
        if (DOUBT..SURELY_MISSED).contains(&missed) {
            // The thread that answers notices that by itself, unless it was busy just then. Longer times are told as news.
            self.moor.order(moor::Order::Doubt(missed));
        }
        if ready.iter().any(|at| *at > 0) {
            for (address, _) in self.sounder.heard() {
                if let Some(peer) = self.behind.get(&address) {
                    let now = self.now();
                    let output = self.fleet.answered(*peer, now);
                    self.carry_out(output, now);
                }
            }
        }
        if ready.contains(&0) {
            self.hear_refusals();
            self.receive();
        }
    }

    /// Hears of nodes that have no agent any more.
    fn hear_refusals(&mut self) {
        let mut sooner = false;
        for address in refusals(&self.socket) {
            let Some(peer) = self.behind.get(&address) else {
                continue;
            };
            let peer = *peer;
            self.fleet.refused(peer);
            sooner |= self.hurry(peer, |taken| &mut taken.refused);
        }
        if sooner {
            self.order();
        }
    }

    fn receive(&mut self) {
        // One byte more than any that is read, so that a longer one shows.
        let mut buffer = [0; LENGTH + 1];
        for _ in 0..TURN {
            let length = match self.socket.recv_from(&mut buffer) {
                Ok((length, _)) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // What the kernel heard of datagrams sent before, as that nobody listens: see `hear_refusals`.
                Err(_) => continue,
            };
            let Some(keys) = &self.keys else { continue };
            let message = match keys.open(&buffer[..length]) {
                Ok(message) => message,
                Err(why) => {
                    self.toll.rejected(why);
                    continue;
                }
            };
            let now = self.now();
            let (output, result) = self.fleet.receive(&message, now);
            match result {
                Ok(()) => _ = self.toll.heard.inc(),
                Err(why) => self.toll.refused(why),
            }
            self.carry_out(output, now);
        }
    }
}

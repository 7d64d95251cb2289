//! What changes, as the kernel tells it: nothing has to be asked again while nothing does.

use std::io;
use std::time::{Duration, Instant};

use netlink_packet_core::NetlinkBuffer;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

use super::route::{RTM_DELROUTE, RTM_NEWROUTE, is_default};
use crate::{ReadError, Reading};

/// `RTNLGRP_*` of linux/rtnetlink.h: links, then addresses and routes of IPv4 and of IPv6.
const GROUPS: [u32; 5] = [1, 5, 7, 9, 11];
const ENOBUFS: i32 = 105;

/// Hears of every change of links, addresses and default routes in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
    quiet: Duration,
    at_most: Duration,
}

/// What [`Monitor::wait`] came back with. Both mean: read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Something changed.
    Changed,
    /// More changed than the socket could hold, and the kernel dropped some of it.
    Lost,
}

// === impl Monitor ===

impl Monitor {
    /// Changes from now on. Those that follow each other by less than `quiet` are one, up to `at_most` from the first:
    /// kube-proxy adds addresses to `kube-ipvs0` by the hundred.
    pub fn open(quiet: Duration, at_most: Duration) -> Result<Self, ReadError> {
        let open = || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind(&SocketAddr::new(0, 0))?;
            for group in GROUPS {
                socket.add_membership(group)?;
            }
            Ok(socket)
        };
        Ok(Self {
            socket: open().map_err(|error| failed(&error))?,
            quiet,
            at_most,
        })
    }

    /// Blocks until something changes and the burst is over.
    pub fn wait(&mut self) -> Result<News, ReadError> {
        let mut news = loop {
            if let Some(news) = self.receive(None)? {
                break news;
            }
        };
        let deadline = Instant::now() + self.at_most;
        let mut quiet_from = Instant::now();
        loop {
            let now = Instant::now();
            let until = deadline.min(quiet_from + self.quiet);
            let Some(patience) = until
                .checked_duration_since(now)
                .filter(|left| !left.is_zero())
            else {
                return Ok(news);
            };
            if let Some(more) = self.receive(Some(patience))? {
                quiet_from = Instant::now();
                if more == News::Lost {
                    news = more;
                }
            }
        }
    }

    /// One datagram; none if it is of no interest, or did not come in time. Without a patience it waits for ever.
    fn receive(&self, patience: Option<Duration>) -> Result<Option<News>, ReadError> {
        // Zero would be for ever, and the kernel rounds up to its ticks.
        let micros = patience.map_or(0, |patience| patience.as_micros().max(1));
        let timeout = TimeVal::microseconds(i64::try_from(micros).unwrap_or(i64::MAX));
        setsockopt(&self.socket, sockopt::ReceiveTimeout, &timeout)
            .map_err(|error| failed(&error.into()))?;
        match self.socket.recv_from_full() {
            Ok((datagram, from)) if from.port_number() == 0 => {
                Ok(of_interest(&datagram).then_some(News::Changed))
            }
            Ok(_) => Ok(None),
            Err(error) if error.raw_os_error() == Some(ENOBUFS) => Ok(Some(News::Lost)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(failed(&error)),
        }
    }
}

/// Routes of Pods come and go with them; only those to everywhere count. What is not understood counts, too.
fn of_interest(datagram: &[u8]) -> bool {
    let mut rest = datagram;
    while !rest.is_empty() {
        let Ok(message) = NetlinkBuffer::new_checked(rest) else {
            return true;
        };
        let route = matches!(message.message_type(), RTM_NEWROUTE | RTM_DELROUTE);
        if !route || is_default(message.payload()) {
            return true;
        }
        let length = (message.length() as usize).next_multiple_of(4);
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}

fn failed(error: &io::Error) -> ReadError {
    ReadError::Socket {
        reading: Reading::Changes,
        error: error.into(),
    }
}

#[cfg(test)]
mod tests;

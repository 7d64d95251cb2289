use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;

use super::{PacketError, PacketSocket};

/// Ends a [`wait`] of another thread. Its clones are one and the same.
#[derive(Clone, Debug)]
pub struct Waker(Arc<EventFd>);

/// What [`wait`] came back for; nothing of all if the time was over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// Where in the list those sockets are that [`PacketSocket::receive`] has something to say of, in order.
    pub sockets: Vec<usize>,
    /// Somebody called [`Waker::wake`] since [`Waker::clear`].
    pub woken: bool,
}

// === impl Waker ===

impl Waker {
    /// One that nobody has used yet.
    pub fn new() -> Result<Self, PacketError> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let event = EventFd::from_flags(flags).map_err(PacketError::making_waker)?;
        Ok(Self(Arc::new(event)))
    }

    /// Ends the present wait, or the next one; until [`Waker::clear`] every one.
    pub fn wake(&self) {
        // It fails only when the counter is full, and then whoever waits is awake (eventfd(2)).
        let _ = self.0.write(1);
    }

    /// Takes back all calls of [`Waker::wake`] so far. Whoever waits does this first and then looks what there is to do, so
    /// that no call is lost.
    pub fn clear(&self) {
        // It fails only when there is nothing to take back.
        let _ = self.0.read();
    }
}

// === impl Ready ===

impl Ready {
    /// Neither a socket nor the waker: the time was over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty() && !self.woken
    }
}

/// Blocks until one of the sockets has something to say, the waker was used, or `patience` is over. Without a patience it
/// waits for ever; with one of zero it only looks.
pub fn wait(
    sockets: &[&PacketSocket],
    waker: Option<&Waker>,
    patience: Option<Duration>,
) -> Result<Ready, PacketError> {
    let news = sockets.iter().any(|socket| socket.has_news());
    let patience = if news { Some(Duration::ZERO) } else { patience };
    // A time too far away for the clock is no time.
    let begin = Instant::now();
    let deadline = patience.and_then(|patience| begin.checked_add(patience));
    let mut left = deadline.and(patience);

    let mut polled: Vec<PollFd<'_>> = sockets
        .iter()
        .map(|socket| socket.as_fd())
        .chain(waker.map(|waker| waker.0.as_fd()))
        .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
        .collect();
    loop {
        match ppoll(&mut polled, left.map(TimeSpec::from_duration), None) {
            Ok(_) => break,
            // A signal.
            Err(Errno::EINTR) => {
                left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            }
            Err(errno) => return Err(PacketError::waiting(errno)),
        }
    }

    // An error counts too: receiving tells which.
    let stirred = |polled: &PollFd<'_>| polled.any().unwrap_or(true);
    let (of_sockets, of_waker) = polled.split_at(sockets.len());
    let ready = sockets.iter().zip(of_sockets).enumerate();
    Ok(Ready {
        sockets: ready
            .filter(|(_, (socket, polled))| socket.has_news() || stirred(polled))
            .map(|(at, _)| at)
            .collect(),
        woken: of_waker.iter().any(stirred),
    })
}

/// Blocks until one of these sources can be read, the waker was used, or `patience` is over. Tells where in the list those
/// are that can be read, or that have an error, which reading tells.
pub fn wait_for(
    sources: &[BorrowedFd<'_>],
    waker: &Waker,
    patience: Duration,
) -> Result<Vec<usize>, PacketError> {
    let mut polled: Vec<PollFd<'_>> = sources
        .iter()
        .copied()
        .chain([waker.0.as_fd()])
        .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
        .collect();
    match ppoll(&mut polled, Some(TimeSpec::from_duration(patience)), None) {
        Ok(_) => {}
        // A signal: whoever waits comes back.
        Err(Errno::EINTR) => return Ok(Vec::new()),
        Err(errno) => return Err(PacketError::waiting(errno)),
    }
    let ready = polled[..sources.len()].iter().enumerate();
    Ok(ready
        .filter(|(_, polled)| polled.any().unwrap_or(true))
        .map(|(at, _)| at)
        .collect())
}

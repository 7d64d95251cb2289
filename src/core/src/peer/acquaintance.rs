//! What is needed to tell a peer's new messages from old ones that somebody sends again.
//!
//! No clock is compared, so none has to be right. Each side gives the other a token and echoes the one that it was given:
//! a process that echoes my token has heard me, and so runs now. Once a new process of the peer is known, my token changes,
//! and nothing that an earlier process ever sent fits any more.

use super::message::Header;

/// A peer, as far as messages go.
#[derive(Debug, Clone)]
pub(crate) struct Acquaintance {
    /// Its process, once that has echoed my token.
    known: Option<Process>,
    /// What it shall echo.
    token: u64,
    /// What it was to echo before: its messages that are on the way do.
    former: Option<u64>,
    /// Its own token.
    echo: u64,
    /// The last sequence number of mine.
    sent: u64,
}

/// A process of a peer, and which of its messages were there.
#[derive(Debug, Clone, Copy)]
struct Process {
    session: u64,
    /// The highest sequence number.
    last: u64,
    /// Those before it, as in RFC 4303 section 3.4.3: bit N stands for `last - N`.
    seen: u64,
    /// None but the one with which it was met: what it sent before that is no loss.
    only_met: bool,
}

/// What a message is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    /// From the process that is known.
    New {
        /// So many right before it have not come yet.
        skipped: u64,
        /// So many are lost, as is known from now on: two later ones were there.
        lost: u64,
    },
    /// From a process that is known from now on.
    Met {
        /// An earlier one was known.
        again: bool,
    },
    /// From a process that has not shown that it runs now. Greet it, with its token from this very message: nothing else is
    /// believed of it.
    Stranger,
    /// One that was there before, or is too old to tell.
    Repeated,
}

// === impl Acquaintance ===

impl Acquaintance {
    pub(crate) fn new(token: u64) -> Self {
        Self {
            known: None,
            token,
            former: None,
            echo: 0,
            sent: 0,
        }
    }

    /// What the message is worth; `fresh` gives tokens that were never given before.
    pub(crate) fn receive(&mut self, header: &Header, fresh: &mut Tokens) -> Worth {
        if let Some(process) = &mut self.known
            && process.session == header.session
        {
            let Some(new) = process.receive(header.sequence) else {
                return Worth::Repeated;
            };
            if header.echo != self.token && self.former != Some(header.echo) {
                return Worth::Stranger;
            }
            self.echo = header.token;
            return new;
        }
        if header.echo != self.token {
            return Worth::Stranger;
        }
        let again = self.known.is_some();
        self.known = Some(Process {
            session: header.session,
            last: header.sequence,
            // What it sent before is of no use any more.
            seen: u64::MAX,
            only_met: true,
        });
        self.echo = header.token;
        self.former = Some(std::mem::replace(&mut self.token, fresh.next()));
        Worth::Met { again }
    }

    /// From now on only what answers a message of mine from now on [echoes](Self::is_echoed_by) my token; what is on the way is good
    /// as before.
    pub(crate) fn renew(&mut self, fresh: &mut Tokens) {
        self.former = Some(std::mem::replace(&mut self.token, fresh.next()));
    }

    /// Whether the message was sent after one with my token of now had come.
    pub(crate) fn is_echoed_by(&self, header: &Header) -> bool {
        header.echo == self.token
    }

    /// It is known.
    pub(crate) fn is_known(&self) -> bool {
        self.known.is_some()
    }

    /// The numbers of my next message: sequence, token, echo.
    pub(crate) fn next(&mut self) -> (u64, u64, u64) {
        self.sent += 1;
        (self.sent, self.token, self.echo)
    }
}

// === impl Process ===

impl Process {
    /// Notes it; `None` if it was there before.
    fn receive(&mut self, sequence: u64) -> Option<Worth> {
        if let Some(back) = self.last.checked_sub(sequence) {
            let bit = u32::try_from(back)
                .ok()
                .and_then(|back| 1u64.checked_shl(back))?;
            if self.seen & bit != 0 {
                return None;
            }
            self.seen |= bit;
            return Some(Worth::New {
                skipped: 0,
                lost: 0,
            });
        }
        let ahead = match std::mem::take(&mut self.only_met) {
            true => 1,
            false => sequence - self.last,
        };
        // The message before the last one may only have been overtaken by it.
        let open = u64::from(self.seen & 2 == 0);
        self.seen = match u32::try_from(ahead) {
            Ok(ahead) => self.seen.checked_shl(ahead).unwrap_or(0) | 1,
            Err(_) => 1,
        };
        self.last = sequence;
        Some(Worth::New {
            skipped: ahead - 1,
            lost: open + ahead.saturating_sub(2),
        })
    }
}

/// Numbers that do not come again: a permutation of all numbers (SplitMix64), from a start that each process draws.
#[derive(Debug, Clone)]
pub(crate) struct Tokens(u64);

impl Tokens {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Never 0, which means that there is none.
    pub(crate) fn next(&mut self) -> u64 {
        loop {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut token = self.0;
            token = (token ^ (token >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            token = (token ^ (token >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            token ^= token >> 31;
            if token != 0 {
                return token;
            }
        }
    }
}

#[cfg(test)]
mod tests;

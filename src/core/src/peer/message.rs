//! What agents say to each other.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// A node, as datagrams name it: the first eight bytes of SHA-256 over `mooring-node/NAME`, big end first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

/// A datagram's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// From whom to whom, and what tells an old one from a new one.
    pub header: Header,
    /// What it says.
    pub body: Body,
}

/// What every message begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Who sent it.
    pub from: PeerId,
    /// For whom it is. One that was recorded on its way to somebody else is of no use.
    pub to: PeerId,
    /// The sender's process: another number after each start.
    pub session: u64,
    /// Grows with each message of this session to this peer.
    pub sequence: u64,
    /// What the other shall echo, to show that it heard this process lately.
    pub token: u64,
    /// The last token that was heard from the other; 0 before the first.
    pub echo: u64,
}

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Body {
    /// "I am alive", every [`crate::liveness::PERIOD`], to a watcher.
    Beat,
    /// "Here is my token": now and then to those who may have to be asked, and to strangers.
    Greeting,
    /// "Do you hear that node?"
    Ask {
        /// Which.
        subject: PeerId,
    },
    /// The answer.
    Tell {
        /// Which.
        subject: PeerId,
        /// How long ago its last beat was heard, in whole milliseconds; `None`: never.
        heard: Option<Duration>,
    },
    /// "I have that address."
    Claim {
        /// Which.
        address: IpAddr,
        /// Since which move.
        term: Term,
    },
    /// "I watch that node, and it is gone: see whether something of it falls to you."
    Gone {
        /// Which.
        subject: PeerId,
    },
    /// About an address that the plan gives to another node, which lives: see [`crate::handover`].
    HandOver {
        /// Which.
        address: IpAddr,
        /// Under which plan it goes over.
        plan: u32,
        /// How far it is.
        step: Step,
    },
}

/// How far the hand-over of an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// "I go on with it until you are ready."
    Offer,
    /// "I am not ready yet."
    Wait,
    /// "I am ready."
    Accept,
    /// "I do not answer for it any more."
    Release,
}

/// How often an address was moved: by plan, and by take-overs since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    /// The number of the plan.
    pub plan: u32,
    /// Take-overs under that plan.
    pub takeovers: u32,
}

// === impl Term ===

impl Term {
    /// That of the next take-over.
    #[must_use]
    pub fn next(self) -> Self {
        Self {
            takeovers: self.takeovers.saturating_add(1),
            ..self
        }
    }
}

// === impl PeerId ===

impl PeerId {
    /// The node of that name.
    ///
    /// Agents of different versions run side by side during an upgrade and have to agree, so this never changes.
    pub fn of(node: &str) -> Self {
        let digest = Sha256::new()
            .chain_update("mooring-node/")
            .chain_update(node)
            .finalize();
        let head = digest.iter().take(8);
        Self(head.fold(0, |id, byte| id << 8 | u64::from(*byte)))
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

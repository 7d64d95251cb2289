//! What the machine is told and what it says.

use std::net::IpAddr;

use crate::peer::{PeerId, Term};

/// "That node has this address since that term."
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    /// The address.
    pub address: IpAddr,
    /// Who has it.
    pub holder: PeerId,
    /// Since when, in moves.
    pub term: Term,
}

/// Something to be told to another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    /// That node has that address.
    Has(Claim),
    /// That node is gone.
    Gone(PeerId),
}

/// Why this node shall have an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deed {
    /// The plan says so.
    Planned,
    /// It took it over.
    TookOver {
        /// From whom.
        from: PeerId,
    },
    /// The plan gives it to another node, which is not ready yet: see [`crate::handover`].
    GoesOn {
        /// To whom.
        to: PeerId,
    },
}

/// What is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// This node shall have an address of a node that is gone.
    TakesOver {
        /// Which.
        address: IpAddr,
        /// From whom.
        from: PeerId,
        /// Under which term.
        term: Term,
    },
    /// This node shall not have an address any more, although the plan says so, or it had taken it over: somebody else has it.
    Yields {
        /// Which.
        address: IpAddr,
        /// To whom.
        to: PeerId,
        /// Both held it, as far as this node knows.
        both_held: bool,
    },
    /// Somebody else let go of an address that this node has, too. Its neighbours have to hear of it once more.
    Prevails {
        /// Which.
        address: IpAddr,
        /// Over whom.
        over: PeerId,
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// What is to be told, and to whom.
    pub tell: Vec<(PeerId, Word)>,
    /// What is new.
    pub news: Vec<News>,
    /// What belongs to another node than it did, by plan.
    pub replanned: Vec<Replanned>,
}

/// An address that belongs to another node than it did, by plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replanned {
    /// Who had it, as far as this node knows.
    pub former: Claim,
    /// The number of the new plan.
    pub plan: u32,
    /// Who is to have it.
    pub to: PeerId,
}

// === impl Output ===

impl Output {
    pub(super) fn add(&mut self, more: Self) {
        self.tell.extend(more.tell);
        self.news.extend(more.news);
        self.replanned.extend(more.replanned);
    }
}

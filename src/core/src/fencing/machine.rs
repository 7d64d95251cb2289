//! All Leases of a node.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::liveness::Now;

use super::lease::{Lease, Place};
use super::standing::Standing;

/// The Leases that a node wants, and what it has of them.
#[derive(Debug, Clone)]
pub struct Fencing {
    own: String,
    leases: BTreeMap<IpAddr, Lease>,
    /// Grows with each change that takes a permit away.
    turn: u64,
    tickets: u64,
    isolated: bool,
}

/// Until when this node may answer for what: for nothing else, and not a moment longer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permits {
    /// To be said back in [`Fencing::heeded`].
    pub turn: u64,
    /// By this node's clock.
    pub until: BTreeMap<IpAddr, Now>,
    /// Why not, of the others that it wants.
    pub why_not: BTreeMap<IpAddr, Standing>,
}

/// Something to be asked of the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The address whose Lease it is about.
    pub address: IpAddr,
    /// To be said back in [`Fencing::answered`].
    pub ticket: u64,
    /// What.
    pub call: Call,
}

/// What is asked of the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// To read the Lease as it is now, and not as some cache has it.
    Look,
    /// To write it.
    Write {
        /// Only if it is in this version; `None`: only if there is none.
        version: Option<String>,
        /// What it shall say.
        record: Record,
        /// The holder is another one than before.
        new: bool,
    },
}

/// What a Lease says, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The name of the node that holds it, or [`UNKNOWN`](super::UNKNOWN); `None` if nobody does.
    pub holder: Option<String>,
    /// How long that one may be silent.
    pub duration: Duration,
    /// How often it went from one to another.
    pub transitions: u32,
}

/// A Lease as it was read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Another one after each write (`metadata.resourceVersion`).
    pub version: String,
    /// What it says.
    pub record: Record,
}

/// What the API server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// So it is, or was written; `None` if there is none.
    Is(Option<Seen>),
    /// Not written: it is in another version, or gone, or there is one already.
    Conflict,
    /// None, or it will not; and why. It may have been done.
    Lost(String),
}

// === impl Fencing ===

impl Fencing {
    /// Of the node with this name, which has no Lease as far as it knows.
    pub fn new(own: impl Into<String>) -> Self {
        Self {
            own: own.into(),
            leases: BTreeMap::new(),
            turn: 0,
            tickets: 0,
            isolated: false,
        }
    }

    // --- what is known ---

    /// All Fenced addresses that this node shall, and could, answer for.
    pub fn want(&mut self, wanted: &BTreeSet<IpAddr>, now: Now) {
        for address in wanted {
            let lease = self.leases.entry(*address);
            let lease = lease.or_insert_with(|| Lease::new(now));
            lease.want(now);
        }
        let turn = self.turn + 1;
        for (address, lease) in &mut self.leases {
            if !wanted.contains(address) && lease.unwant(turn, now) {
                self.turn = turn;
            }
        }
        self.forget();
    }

    /// Whether this node hears none of the others. If so it lets go of what it has, and takes only what is left by those who
    /// may hear each other.
    pub fn isolate(&mut self, isolated: bool, now: Now) {
        if isolated == self.isolated {
            return;
        }
        self.isolated = isolated;
        let turn = self.turn + 1;
        for lease in self.leases.values_mut() {
            if isolated && lease.cede(turn, now) {
                self.turn = turn;
            }
        }
    }

    /// Whoever answers goes by the permits of this turn or a later one since, and answers for these addresses, among others
    /// maybe. Only then is a Lease released of what is not among them.
    pub fn heeded(&mut self, turn: u64, held: &BTreeSet<IpAddr>) {
        for (address, lease) in &mut self.leases {
            lease.heeded(turn, held.contains(address));
        }
    }

    /// The API server has answered a request, or will not. What is no more waited for is of no interest.
    pub fn answered(&mut self, address: IpAddr, ticket: u64, answer: Answer, now: Now) {
        if let Some(lease) = self.leases.get_mut(&address) {
            lease.answered(&self.own, ticket, answer, now);
        }
        self.forget();
    }

    // --- what follows ---

    /// What is to be asked of the API server now. Call it after anything else, and when [`Self::next`] has come. The time
    /// that a Lease is held counts from `now`, so it has to be looked up before.
    pub fn tick(&mut self, now: Now) -> Vec<Request> {
        let mut requests = Vec::new();
        let (own, isolated) = (self.own.as_str(), self.isolated);
        for (address, lease) in &mut self.leases {
            let place = Place { own, isolated };
            if let Some(call) = lease.tick(place, self.tickets + 1, now) {
                self.tickets += 1;
                requests.push(Request {
                    address: *address,
                    ticket: self.tickets,
                    call,
                });
            }
        }
        self.forget();
        requests
    }

    /// When [`Self::tick`] has to be called.
    pub fn next(&self) -> Option<Now> {
        self.leases.values().map(Lease::next).min()
    }

    /// Until when this node may answer for what.
    pub fn permits(&self, now: Now) -> Permits {
        let leases = self.leases.iter();
        let standings = leases.clone().filter_map(|(address, lease)| {
            let standing = lease.standing(&self.own, now)?;
            Some((*address, standing))
        });
        Permits {
            turn: self.turn,
            until: leases
                .filter_map(|(address, lease)| Some((*address, lease.permit()?)))
                .collect(),
            why_not: standings
                .filter(|(_, standing)| *standing != Standing::Held)
                .collect(),
        }
    }

    /// How it stands with the Lease of an address; `None` if it is not wanted.
    pub fn standing(&self, address: IpAddr, now: Now) -> Option<Standing> {
        let lease = self.leases.get(&address)?;
        lease.standing(&self.own, now)
    }

    fn forget(&mut self) {
        let own = &self.own;
        self.leases.retain(|_, lease| !lease.is_over(own));
    }
}

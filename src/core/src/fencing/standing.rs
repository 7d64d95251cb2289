//! What is said about the Lease of an address.

use std::fmt;

/// How it stands with the Lease of an address that this node shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// This node holds it.
    Held,
    /// It was not read yet.
    Unread,
    /// Another node holds it, or did when it was last heard of.
    HeldBy {
        /// Its name.
        holder: String,
    },
    /// It is free, and about to be taken.
    Free,
    /// There was none. Somebody may still count on one that was deleted.
    Absent,
    /// This node hears no other, and leaves it to those who do.
    Isolated,
    /// The API server does not answer, or refuses.
    Unanswered {
        /// What went wrong.
        why: String,
    },
}

// === impl Standing ===

impl Standing {
    /// As a label of a metric, and a reason in the API.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Held => "LeaseHeld",
            Self::Unread => "LeaseUnread",
            Self::HeldBy { .. } => "LeaseHeldElsewhere",
            Self::Free => "LeaseFree",
            Self::Absent => "LeaseAbsent",
            Self::Isolated => "Isolated",
            Self::Unanswered { .. } => "LeaseUnanswered",
        }
    }
}

impl fmt::Display for Standing {
    /// A clause about the Lease.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held => f.write_str("it holds the Lease"),
            Self::Unread => f.write_str("it has not read the Lease yet"),
            Self::HeldBy { holder } => write!(
                f,
                "{holder} holds the Lease; if that node is gone, the Lease runs out by itself"
            ),
            Self::Free => f.write_str("the Lease is free, and about to be taken"),
            Self::Absent => f.write_str(
                "there was no Lease, and it waits for as long as one that was deleted could still count",
            ),
            Self::Isolated => f.write_str(
                "it hears no other node, and leaves the Lease to those who do: look for what cuts it off",
            ),
            Self::Unanswered { why } => write!(f, "it cannot get the Lease: {why}"),
        }
    }
}

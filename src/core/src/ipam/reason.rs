//! Reasons of the conditions of pools and external IPs.

use crate::condition::reasons;

/// Whose reason one is, where the operator and agents write the same condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The operator's only.
    Operator,
    /// That of the agent of a node that has the address, or shall have it.
    Agent,
    /// Either one's.
    Either,
}

reasons! {
    /// Reasons of `Ready` of a pool.
    ReadyReason of Ready {
        True {
            /// there are free addresses, and Services that may use the pool get them
            Available,
        }
        False {
            /// a range cannot be read; nothing is handed out, and what is in use stays
            InvalidRanges,
            /// a selector cannot be read; nothing is handed out, and what is in use stays
            InvalidSelector,
            /// an older pool has some of the addresses as well; nothing is handed out until one of the two leaves them
            /// out
            PoolConflict,
            /// no address of the ranges can be handed out, as each is an edge or belongs to somebody else
            NothingUsable,
            /// every address is in use, or rests before somebody else gets it
            Exhausted,
            /// the pool is being deleted
            Deleting,
        }
    }
}

reasons! {
    /// Reasons of `RangesUsable` of a pool.
    RangesUsableReason of RangesUsable {
        True {
            /// nobody else has any of the addresses
            AllUsable,
        }
        False {
            /// a node has some of the addresses; these are not handed out
            OverlapsNode,
            /// the gateway of a node has one of the addresses; it is not handed out
            OverlapsGateway,
            /// the API server has one of the addresses; it is not handed out
            OverlapsApiServer,
            /// some of the addresses are cluster IPs of Services; these are not handed out
            OverlapsServices,
            /// some of the addresses are those of Pods; these are not handed out
            OverlapsPods,
            /// the network or broadcast address of a subnet of the nodes is in the pool; it is not handed out
            OverlapsSubnetEdge,
            /// a Service has one of the addresses from another controller; it is not handed out
            OverlapsForeignService,
            /// kube-proxy tries mode ipvs out with some of the addresses; these are not handed out
            OverlapsIpvsProbe,
            /// some of the addresses are multicast, loopback and the like; these are not handed out
            NotUnicast,
        }
    }
}

reasons! {
    /// Reasons of `NodesEligible` of a pool.
    NodesEligibleReason of NodesEligible {
        True {
            /// at least one node can have addresses of the pool
            SomeEligible,
        }
        False {
            /// `nodeSelector` selects no node
            NoneSelected,
            /// none of the selected nodes can have addresses; the message says why not
            NoneEligible,
        }
        Unknown {
            /// the selected nodes have no agent, or their agents do not report
            NodesNotReporting,
        }
    }
}

reasons! {
    /// Reasons of `RequestMet` of an external IP. Those of False are spelt as in `kubectl mooring explain`. Whatever it
    /// says, the Services keep the address.
    RequestMetReason of RequestMet {
        True {
            /// every Service that has it has all that it asks for
            Met,
        }
        False {
            /// what a Service asks for cannot be read, contradicts itself, or is of a family that it does not have
            InvalidRequest,
            /// a Service names a pool that does not exist
            NoSuchPool,
            /// a Service names no pool, and no pool has `autoAssign`
            NoDefaultPool,
            /// a Service may not use the pool that it asks for
            NotAllowed,
            /// the pool has a problem, or does not hand out the address that a Service asks for
            PoolProblem,
            /// the pool has no addresses of a family that a Service asks for
            NoFamily,
            /// all addresses that a Service could get instead are in use, or rest
            Exhausted,
            /// a Service asks for an address that is in no pool which it can use
            InNoPool,
            /// a Service asks for an address that is in another pool than the one which it names
            InOtherPool,
            /// a Service asks for an address that another Service has and does not share with it
            Held,
            /// a Service asks for an address that was released a moment ago
            Resting,
        }
    }
}

reasons! {
    /// Reasons of `Announced` of an external IP.
    AnnouncedReason of Announced {
        True {
            /// its node answers for it
            Announced,
            /// its node answers for it, and no interface there has it in its subnet: a router has to send its traffic to
            /// the node
            OutsideNodeSubnet,
        }
        False {
            /// it is held back until the ServiceProxy's `SafeToAnnounce` is True
            WaitingForSafety,
            /// no node can have it; the message says why not
            NoEligibleNode,
            /// its node has not taken it yet
            WaitingForNode,
            /// what handles Services on its node does not forward it yet, or has not for long although its node answers
            ProxyNotProgrammed,
            /// another host still answers for it; nobody else speaks before that one is silent
            AnsweredElsewhere,
            /// it is of a pool with `ownership: Fenced`, and its node does not hold its Lease; the message says why not
            NoLease,
            /// its node could not take it; the message says why not
            Failed,
            /// no Service has it any more; it rests before somebody else gets it
            Released,
        }
        Unknown {
            /// its node does not report
            NodeNotReporting,
        }
    }
}

reasons! {
    /// Reasons of `SingleResponder` of an external IP.
    SingleResponderReason of SingleResponder {
        True {
            /// one answer was seen on the wire, and it was its node's
            OneResponder,
        }
        False {
            /// answers with different MAC addresses were seen
            SeveralResponders,
            /// one answer was seen, and it was not its node's
            OtherResponder,
            /// no answer was seen
            NoResponder,
        }
        Unknown {
            /// no other node has looked yet, or none can
            NotWitnessed,
        }
    }
}

reasons! {
    /// Reasons of `Conflict` of an external IP.
    ConflictReason of Conflict {
        True {
            /// a host that is no node of the cluster answers for it
            ForeignHost,
            /// a node that does not have it answers for it
            OtherNode,
            /// it is an address of a node, a gateway, the API server, a Pod or a cluster IP
            BelongsToCluster,
        }
        False {
            /// nobody else was seen to have it
            NoConflict,
        }
        Unknown {
            /// nobody has looked yet
            NotProbed,
        }
    }
}

// === impl AnnouncedReason ===

impl AnnouncedReason {
    /// Who says so.
    pub fn speaker(self) -> Speaker {
        match self {
            Self::Announced
            | Self::OutsideNodeSubnet
            | Self::ProxyNotProgrammed
            | Self::AnsweredElsewhere
            | Self::NoLease
            | Self::Failed => Speaker::Agent,
            Self::WaitingForSafety
            | Self::NoEligibleNode
            | Self::Released
            | Self::NodeNotReporting => Speaker::Operator,
            // A node that lets go of an address says so, too.
            Self::WaitingForNode => Speaker::Either,
        }
    }
}

#[cfg(test)]
mod tests;

//! Why a node cannot own an address.

use std::fmt;

use super::exit::Exit;
use super::unrest::Restless;

/// One reason why a node is not to own an address. Prints as a clause about the node, for people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Obstacle {
    /// The pool's `nodeSelector` does not select it.
    NotSelected {
        /// The pool.
        pool: String,
        /// The label that is not as it asks for.
        mismatch: String,
    },
    /// It carries the label that keeps load balancers away.
    ExcludedByLabel,
    /// Somebody drained it, as for maintenance: its addresses belong elsewhere.
    Draining,
    /// It is about to go: its addresses are handed over while it still can.
    Exiting(Exit),
    /// It is cordoned, and the pool moves its addresses away from such nodes.
    CordonMoves {
        /// The pool.
        pool: String,
    },
    /// No uplink of it has the address in its subnet, and the pool has to be reached by ARP or NDP.
    NoUplinkInSubnet {
        /// Its uplinks' subnets of that family.
        subnets: Vec<String>,
    },
    /// It has none of the interfaces that the pool names.
    NoSuchInterface {
        /// Those that the pool names.
        interfaces: Vec<String>,
    },
    /// `externalTrafficPolicy: Local`, and no endpoint of these Services that could serve runs there.
    NoLocalEndpoint {
        /// The Services, as `namespace/name`.
        services: Vec<String>,
    },
    /// Its kubelet does not report it as ready.
    NotReady,
    /// Mooring's agent there does not report.
    AgentNotReporting,
    /// Mooring's agent there has not reported for some seconds, as while it is restarted. The addresses are answered for
    /// meanwhile.
    AgentRestarting,
    /// Its kube-proxy does not work, or does not keep up.
    KubeProxyUnhealthy {
        /// What is known about that.
        message: String,
    },
    /// Its kube-proxy has not worked for some seconds, as while it is restarted. What it has programmed works meanwhile.
    KubeProxyRestarting {
        /// What is known about that.
        message: String,
    },
    /// Nothing may be announced from there.
    GateClosed {
        /// What has to happen first.
        message: String,
    },
    /// Its service proxy has no rules for the address yet.
    ProxyNotProgrammed,
    /// It is cordoned.
    Cordoned,
    /// It died often lately.
    DiesOften(Restless),
}

/// What an obstacle means for an address that the node owns already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Force {
    /// The address stays; new ones go there before they go to nodes with heavier obstacles, and after all others.
    ComesLast,
    /// The address stays; only new ones go elsewhere.
    TakesNoMore,
    /// The address moves if there is a node without obstacles; else it is left where it may still work.
    YieldsToBetter,
    /// The address leaves, to nowhere if there is no other node: here it is not wanted, or cannot work.
    Leaves,
}

// === impl Obstacle ===

impl Obstacle {
    /// The name of the reason, for conditions, metrics and `-o json`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotSelected { .. } => "NotSelected",
            Self::ExcludedByLabel => "ExcludedByLabel",
            Self::Draining => "Draining",
            Self::Exiting(exit) => exit.as_str(),
            Self::CordonMoves { .. } => "CordonMoves",
            Self::NoUplinkInSubnet { .. } => "NoUplinkInSubnet",
            Self::NoSuchInterface { .. } => "NoSuchInterface",
            Self::NoLocalEndpoint { .. } => "NoLocalEndpoint",
            Self::NotReady => "NotReady",
            Self::AgentNotReporting => "AgentNotReporting",
            Self::KubeProxyUnhealthy { .. } => "KubeProxyUnhealthy",
            Self::AgentRestarting => "AgentRestarting",
            Self::KubeProxyRestarting { .. } => "KubeProxyRestarting",
            Self::GateClosed { .. } => "GateClosed",
            Self::ProxyNotProgrammed => "ProxyNotProgrammed",
            Self::Cordoned => "Cordoned",
            Self::DiesOften(_) => "DiesOften",
        }
    }

    /// Its addresses are to leave the node, though they work there.
    pub fn is_farewell(&self) -> bool {
        matches!(
            self,
            Self::Draining | Self::Exiting(_) | Self::CordonMoves { .. }
        )
    }

    /// It lasts for some seconds.
    pub(super) fn is_restart(&self) -> bool {
        matches!(
            self,
            Self::AgentRestarting | Self::KubeProxyRestarting { .. }
        )
    }

    /// What it means for the present owner. What the operator only believes, because it cannot see the node, never takes
    /// an address away without a better place for it. Neither does a drain: an address that works is worth more.
    pub fn force(&self) -> Force {
        match self {
            Self::NotSelected { .. }
            | Self::ExcludedByLabel
            | Self::NoUplinkInSubnet { .. }
            | Self::NoSuchInterface { .. }
            | Self::NoLocalEndpoint { .. } => Force::Leaves,
            Self::Draining
            | Self::Exiting(_)
            | Self::CordonMoves { .. }
            | Self::NotReady
            | Self::AgentNotReporting
            | Self::KubeProxyUnhealthy { .. }
            | Self::GateClosed { .. }
            | Self::ProxyNotProgrammed => Force::YieldsToBetter,
            Self::AgentRestarting | Self::KubeProxyRestarting { .. } | Self::Cordoned => {
                Force::TakesNoMore
            }
            Self::DiesOften(_) => Force::ComesLast,
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSelected { pool, mismatch } => {
                write!(f, "the nodeSelector of pool {pool} does not select it: {mismatch}")
            }
            Self::ExcludedByLabel => write!(
                f,
                "it has the label {}; remove the label to let it own external IPs",
                super::EXCLUDE_LABEL
            ),
            Self::Draining => f.write_str(
                "it was drained with kubectl mooring drain (--undo ends that), so that its addresses belong to other nodes",
            ),
            Self::Exiting(exit) => exit.fmt(f),
            Self::CordonMoves { pool } => write!(
                f,
                "it is cordoned, and pool {pool} moves its addresses to other nodes then (spec.onCordon: Move)"
            ),
            Self::NoUplinkInSubnet { subnets } if subnets.is_empty() => f.write_str(
                "no uplink of it has a subnet of this family, so that nobody could reach the address there",
            ),
            Self::NoUplinkInSubnet { subnets } => write!(
                f,
                "the address is in no subnet of its uplinks ({}), so that nobody could reach it there",
                subnets.join(", ")
            ),
            Self::NoSuchInterface { interfaces } => write!(
                f,
                "it has no uplink named {}, as the pool wants it",
                interfaces.join(" or ")
            ),
            Self::NoLocalEndpoint { services } => write!(
                f,
                "no endpoint of {} that could serve runs there (externalTrafficPolicy: Local)",
                services.join(", ")
            ),
            Self::NotReady => f.write_str("it is not ready"),
            Self::AgentNotReporting => {
                f.write_str("mooring-agent does not report from there; see whether its Pod runs")
            }
            Self::AgentRestarting => f.write_str(
                "mooring-agent has not reported from there for some seconds, as while it is restarted; it takes no more addresses \
                 until it does",
            ),
            Self::KubeProxyUnhealthy { message } => {
                write!(f, "its kube-proxy is not healthy: {message}")
            }
            Self::KubeProxyRestarting { message } => write!(
                f,
                "its kube-proxy has not been healthy for some seconds, as while it is restarted, so that it takes no more \
                 addresses: {message}"
            ),
            Self::GateClosed { message } => {
                write!(f, "it is not safe to announce from there: {message}")
            }
            Self::ProxyNotProgrammed => {
                f.write_str("its service proxy has no rules for the address yet")
            }
            Self::DiesOften(restless) => restless.fmt(f),
            Self::Cordoned => f.write_str("it is cordoned, so that it takes no more addresses"),
        }
    }
}

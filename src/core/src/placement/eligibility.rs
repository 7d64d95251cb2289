//! Which nodes can own an address, and why the others cannot.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::ipam::range::Family;
use crate::ipam::selector::LabelSelector;
use crate::kube_proxy::snapshot::Timestamp;

use super::candidate::{Candidate, EXCLUDE_LABEL};
use super::endpoints::LocalService;
use super::exit::Exit;
use super::obstacle::{Force, Obstacle};

/// What an address needs of its owner.
#[derive(Debug, Clone)]
pub struct Berth<'a> {
    /// The address.
    pub ip: IpAddr,
    /// Its pool.
    pub pool: &'a str,
    /// The pool's `nodeSelector`.
    pub selector: &'a LabelSelector,
    /// The interfaces that the pool names; empty if any will do.
    pub interfaces: &'a [String],
    /// The address has to be in a subnet of an uplink; else a router is trusted to send its traffic to the owner.
    pub in_subnet: bool,
    /// Every Service on the address with `externalTrafficPolicy: Local`.
    pub local: &'a [LocalService],
    /// At least one Service on the address has the policy `Cluster`, and can be served from every node.
    pub any_cluster: bool,
    /// The nodes whose service proxy has rules for the address; `None` while nobody can have them, as before its
    /// publication.
    pub programmed: Option<&'a BTreeSet<String>>,
    /// The present owner.
    pub present: Option<&'a str>,
    /// The node that the present owner took the address over from. `None` if it is where it was planned to be.
    pub taken_from: Option<&'a str>,
    /// The pool is `revertive`: the address goes back to a better node as soon as there is one.
    pub revertive: bool,
    /// The pool moves its addresses away from a node that is cordoned.
    pub moves_on_cordon: bool,
    /// The node that it does not go back to yet.
    pub held_back: Option<HeldBack<'a>>,
    /// Those that are known to take it over while its owner is gone.
    pub heirs: &'a [String],
}

/// A node that an address has just left, which gets it back at that time at the earliest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldBack<'a> {
    /// Its name.
    pub node: &'a str,
    /// When.
    pub until: Timestamp,
}

/// A node with what keeps it from owning the address; `Ok` if nothing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// The node's name.
    pub node: &'a str,
    /// All obstacles, the weightiest first; never an empty list.
    pub result: Result<(), Vec<Obstacle>>,
}

impl Verdict<'_> {
    /// What the weightiest obstacle means for the present owner; `None` if there is no obstacle.
    pub fn force(&self) -> Option<Force> {
        let obstacles = self.result.as_ref().err()?;
        obstacles.iter().map(Obstacle::force).max()
    }
}

/// Every node, in the order of the names, with all that keeps it from owning the address.
///
/// An address that several Services share has one owner whatever their policies. If some of them are `Local` and no node
/// can serve them all, the nodes that can serve the most are eligible: one Service without endpoints does not take the
/// address away from the others.
pub fn eligible<'a>(berth: &Berth<'_>, nodes: &'a [Candidate]) -> Vec<Verdict<'a>> {
    let mut verdicts: Vec<(Verdict<'a>, Vec<&str>)> = nodes
        .iter()
        .map(|node| {
            let obstacles = of_node(berth, node);
            let verdict = Verdict {
                node: &node.name,
                result: if obstacles.is_empty() {
                    Ok(())
                } else {
                    Err(obstacles)
                },
            };
            (verdict, missing(berth, &node.name))
        })
        .collect();
    verdicts.sort_by(|left, right| left.0.node.cmp(right.0.node));
    let fewest_of = |wanted: fn(&Verdict<'_>) -> bool| {
        verdicts
            .iter()
            .filter(|(verdict, _)| wanted(verdict))
            .map(|(_, missing)| missing.len())
            .min()
    };
    let fewest = fewest_of(|verdict| verdict.result.is_ok())
        .or_else(|| fewest_of(|verdict| verdict.force() < Some(Force::Leaves)))
        .unwrap_or(0);
    let serves_nothing = fewest == berth.local.len() && !berth.any_cluster;
    verdicts
        .into_iter()
        .map(|(mut verdict, missing)| {
            if missing.len() > fewest || (serves_nothing && !missing.is_empty()) {
                let obstacle = Obstacle::NoLocalEndpoint {
                    services: missing.into_iter().map(str::to_owned).collect(),
                };
                match &mut verdict.result {
                    Ok(()) => verdict.result = Err(vec![obstacle]),
                    Err(obstacles) => obstacles.push(obstacle),
                }
            }
            if let Err(obstacles) = &mut verdict.result {
                obstacles.sort_by_key(|obstacle| {
                    (std::cmp::Reverse(obstacle.force()), obstacle.clone())
                });
            }
            verdict
        })
        .collect()
}

/// Whether nothing keeps the node from the address, as far as that can be said without a look at the others.
pub(super) fn unhindered(berth: &Berth<'_>, node: &Candidate) -> bool {
    missing(berth, &node.name).is_empty() && of_node(berth, node).is_empty()
}

/// All that keeps the node from the address, as far as that can be said without a look at the others.
pub(super) fn hindrances(berth: &Berth<'_>, node: &Candidate) -> Vec<Obstacle> {
    let mut obstacles = of_node(berth, node);
    let missing = missing(berth, &node.name);
    if !missing.is_empty() {
        obstacles.push(Obstacle::NoLocalEndpoint {
            services: missing.into_iter().map(str::to_owned).collect(),
        });
    }
    obstacles
}

/// The Services of policy `Local` that the node cannot serve.
fn missing<'b>(berth: &Berth<'b>, node: &str) -> Vec<&'b str> {
    berth
        .local
        .iter()
        .filter(|service| !service.nodes.contains(node))
        .map(|service| service.name.as_str())
        .collect()
}

/// All obstacles but [`Obstacle::NoLocalEndpoint`].
fn of_node(berth: &Berth<'_>, node: &Candidate) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    if let Some(mismatch) = berth.selector.first_mismatch(&node.labels) {
        obstacles.push(Obstacle::NotSelected {
            pool: berth.pool.to_owned(),
            mismatch: mismatch.to_string(),
        });
    }
    if node.labels.contains_key(EXCLUDE_LABEL) {
        obstacles.push(Obstacle::ExcludedByLabel);
    }
    if node.draining {
        obstacles.push(Obstacle::Draining);
    }
    obstacles.extend(node.exit.map(Obstacle::Exiting));
    // That is how a kubelet says that it shuts down.
    if !node.ready && node.exit != Some(Exit::ShuttingDown) {
        obstacles.push(Obstacle::NotReady);
    }
    if !node.reporting {
        obstacles.push(if node.briefly_silent && node.ready {
            Obstacle::AgentRestarting
        } else {
            Obstacle::AgentNotReporting
        });
    }
    obstacles.extend(uplink(berth, node));
    if let Some(message) = &node.kube_proxy_problem {
        let message = message.clone();
        obstacles.push(if node.briefly_unserved && node.ready {
            Obstacle::KubeProxyRestarting { message }
        } else {
            Obstacle::KubeProxyUnhealthy { message }
        });
    }
    if let Some(message) = &node.gate {
        obstacles.push(Obstacle::GateClosed {
            message: message.clone(),
        });
    }
    if berth
        .programmed
        .is_some_and(|nodes| !nodes.contains(&node.name))
    {
        obstacles.push(Obstacle::ProxyNotProgrammed);
    }
    obstacles.extend(node.restless.map(Obstacle::DiesOften));
    if node.cordoned {
        obstacles.push(if berth.moves_on_cordon {
            Obstacle::CordonMoves {
                pool: berth.pool.to_owned(),
            }
        } else {
            Obstacle::Cordoned
        });
    }
    obstacles
}

/// A node of which no uplink is known has no obstacle here: that its agent does not report says it already.
fn uplink(berth: &Berth<'_>, node: &Candidate) -> Option<Obstacle> {
    if node.uplinks.is_empty() && !node.reporting {
        return None;
    }
    let named: Vec<_> = node
        .uplinks
        .iter()
        .filter(|uplink| {
            berth.interfaces.is_empty() || berth.interfaces.contains(&uplink.interface)
        })
        .collect();
    if named.is_empty() && !berth.interfaces.is_empty() {
        return Some(Obstacle::NoSuchInterface {
            interfaces: berth.interfaces.to_vec(),
        });
    }
    let subnets = || named.iter().flat_map(|uplink| &uplink.subnets);
    if !berth.in_subnet || subnets().any(|subnet| subnet.contains(berth.ip)) {
        return None;
    }
    let family = Family::of(berth.ip);
    let subnets: BTreeSet<String> = subnets()
        .filter(|subnet| subnet.family() == family)
        .map(ToString::to_string)
        .collect();
    Some(Obstacle::NoUplinkInSubnet {
        subnets: subnets.into_iter().collect(),
    })
}

#[cfg(test)]
mod tests;

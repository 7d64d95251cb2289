//! Who answers for the external IPs that somebody else than Mooring handed out: MetalLB, Antrea, kube-vip, PureLB.
//!
//! ```text
//! addresses, nodes ─ Lookouts ─▶ two witnesses each ─▶ (agents ask the wire) ─▶ NodeReport.witnessed ─┐
//!                                                     findings as persisted ─┴─ look ─▶ ForeignVerdict
//! ```
//!
//! Why two witnesses, see `core::mooring::witness`. What both saw together is the truth if they looked at the same state of the
//! world. Each of them hears all that the other one hears, but for itself: if they contradict each other in anything else, the
//! address moved in between, and nothing is said until they agree. Where they could only have missed themselves, the younger
//! account has to be `CONFIRMED` old, as an address that moved from one of them to the other looks the same until both have
//! looked again; they do so at once, since whoever takes an address announces it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::condition::{Condition, ForeignResponderReason};
use crate::ipam::range::{AddressRange, HostBits};
use crate::kube_proxy::snapshot::{ObjectName, Timestamp};
use crate::mooring::{Bystander, named, witnesses_of};
use crate::node::{NodeReport, NodeView, Responder, Witnessed};
use crate::remediation::note::{Note, NoteTarget};
use crate::wire::Mac;

use super::effective::some_of;
use super::verdict::ExternalAddress;

/// How many addresses are looked after at most.
pub const MOST: usize = 1_000;
/// After how many seconds two accounts are believed that may be from before and after a move.
const CONFIRMED: i64 = 10;
/// How many addresses are told of in one look; the next one goes on.
const AT_ONCE: usize = 20;

/// What was found out about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {
    /// One host answers.
    OneResponder,
    /// Several hosts answer.
    SeveralResponders,
    /// Nobody answers.
    NoResponder,
    /// Its witnesses have not both said what they saw, or they contradict each other.
    NotWitnessed,
    /// Fewer than two nodes have it on their segment: nobody can tell.
    OutOfSight,
}

/// An address that somebody else handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignAddress {
    /// The address.
    pub address: IpAddr,
    /// A Service that has it; of several the first by name.
    pub service: ObjectName,
    /// The nodes that are to ask for it.
    pub witnesses: Vec<String>,
    /// What they found out.
    pub finding: Finding,
    /// Who answered, by MAC address.
    pub responders: Vec<Responder>,
    /// Since when several hosts answer. It stays until it is seen that one does, so that nothing is told twice.
    pub disputed: Option<Timestamp>,
}

/// What the verdict is made from.
#[derive(Debug, Clone, Copy)]
pub struct ForeignInput<'a> {
    /// The addresses that Services have and Mooring did not hand out.
    pub addresses: &'a [ExternalAddress],
    /// Every Linux node with its agent's report.
    pub nodes: &'a [NodeView],
    /// What is persisted.
    pub former: &'a [ForeignAddress],
    /// The time.
    pub now: Timestamp,
}

/// What is true of the addresses of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignVerdict {
    /// Those that are looked after, by address.
    pub addresses: Vec<ForeignAddress>,
    /// How many more there are than can be looked after.
    pub left_out: usize,
    /// `SingleResponder` of the ServiceProxy.
    pub condition: Condition,
    /// What is new since the persisted findings.
    pub notes: Vec<Note>,
}

/// The witnesses of addresses, kept for as long as the nodes are the same: to choose them takes a hash for each node.
#[derive(Debug, Default)]
pub struct Lookouts {
    nodes: Vec<Bystander>,
    chosen: BTreeMap<IpAddr, Vec<String>>,
}

// === impl Finding ===

impl Finding {
    /// All.
    pub const ALL: [Self; 5] = [
        Self::OneResponder,
        Self::SeveralResponders,
        Self::NoResponder,
        Self::NotWitnessed,
        Self::OutOfSight,
    ];

    /// As in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneResponder => "OneResponder",
            Self::SeveralResponders => "SeveralResponders",
            Self::NoResponder => "NoResponder",
            Self::NotWitnessed => "NotWitnessed",
            Self::OutOfSight => "OutOfSight",
        }
    }
}

// === impl ForeignAddress ===

impl ForeignAddress {
    /// `n1 (52:54:00:77:00:0b) and n2 (52:54:00:77:00:0c)`.
    pub fn answerers(&self) -> String {
        let named = |one: &Responder| named(one.mac, one.node.as_deref());
        let all: Vec<String> = self.responders.iter().map(named).collect();
        all.join(" and ")
    }

    /// What is known about it, as one sentence.
    pub fn sentence(&self) -> String {
        let (address, who) = (self.address, self.answerers());
        let witnesses = self.witnesses.join(" and ");
        match self.finding {
            Finding::OneResponder => {
                format!(
                    "nodes {witnesses} asked on the wire for {address}, and {who} alone answered"
                )
            }
            Finding::SeveralResponders => format!(
                "nodes {witnesses} asked on the wire for {address}, and {who} answered: connections end at any of these, and \
                 break. If they are nodes in mode ipvs they lack strictARP, see kubectl mooring check; else whoever hands out \
                 the address announces it twice"
            ),
            Finding::NoResponder => format!(
                "nodes {witnesses} asked on the wire for {address}, and nobody answered: nobody on this segment reaches it. \
                 Its Service may have no ready endpoint, or whoever hands out the address does not announce it here"
            ),
            Finding::NotWitnessed => format!(
                "nodes {witnesses} are to ask on the wire for {address}, and have not both said what they saw, or contradict \
                 each other, which is over within a minute; if not, see whether mooring-agent runs there"
            ),
            Finding::OutOfSight => format!(
                "fewer than two nodes have {address} in a subnet of theirs, so it cannot be told who answers for it"
            ),
        }
    }
}

// === impl ForeignVerdict ===

impl ForeignVerdict {
    /// Whether time alone, or another look, may make it certain who answers for an address.
    pub fn is_unsettled(&self) -> bool {
        let mut addresses = self.addresses.iter();
        addresses.any(|one| match one.finding {
            Finding::NotWitnessed => true,
            Finding::SeveralResponders => one.disputed.is_none(),
            _ => false,
        })
    }
}

// === impl Lookouts ===

impl Lookouts {
    /// Forgets what was chosen among other nodes, or for addresses that are gone.
    fn follow(&mut self, nodes: Vec<Bystander>, addresses: &[ExternalAddress]) {
        if self.nodes != nodes {
            self.chosen.clear();
            self.nodes = nodes;
        }
        let live: BTreeSet<IpAddr> = addresses.iter().map(|one| one.address).collect();
        self.chosen.retain(|address, _| live.contains(address));
    }

    fn of(&mut self, address: IpAddr) -> &[String] {
        let nodes = &self.nodes;
        self.chosen.entry(address).or_insert_with(|| {
            let chosen = witnesses_of(address, nodes).into_iter();
            chosen.map(str::to_owned).collect()
        })
    }
}

// === look ===

/// Judges what the witnesses saw, and chooses who is to look.
pub fn look(input: &ForeignInput<'_>, lookouts: &mut Lookouts) -> ForeignVerdict {
    let mut all = input.addresses.to_vec();
    all.sort();
    all.dedup_by_key(|one| one.address);
    let left_out = all.len().saturating_sub(MOST);
    all.truncate(MOST);
    lookouts.follow(bystanders(input.nodes), &all);
    let accounts = accounts(input.nodes);
    let former: BTreeMap<IpAddr, &ForeignAddress> =
        input.former.iter().map(|one| (one.address, one)).collect();
    let mut notes = Vec::new();
    let addresses: Vec<ForeignAddress> = all
        .into_iter()
        .map(|ExternalAddress { address, service }| {
            let witnesses = lookouts.of(address).to_vec();
            let account = |node: &String| accounts.get(&(address, node.as_str())).copied();
            let told: Vec<Option<&Witnessed>> = witnesses.iter().map(account).collect();
            let mut found = ForeignAddress {
                address,
                service,
                finding: finding(&witnesses, &told, input.now),
                responders: responders(&told),
                witnesses,
                disputed: former.get(&address).and_then(|former| former.disputed),
            };
            let complete = is_complete(&found.witnesses, &told, input.now);
            if complete && notes.len() < AT_ONCE {
                notes.extend(tell(&mut found, input.now));
            }
            found
        })
        .collect();
    ForeignVerdict {
        condition: condition(&addresses, left_out),
        addresses,
        left_out,
        notes,
    }
}

/// The nodes that can ask: a node that is not Ready and does not report is off, as a rule.
fn bystanders(nodes: &[NodeView]) -> Vec<Bystander> {
    let mut able: Vec<Bystander> = nodes
        .iter()
        .filter(|node| node.ready || node.reporting)
        .filter_map(|node| Some(bystander(&node.name, node.report.as_ref()?)))
        .collect();
    able.sort_by(|one, other| one.node.cmp(&other.node));
    able
}

fn bystander(node: &str, report: &NodeReport) -> Bystander {
    let subnets = report.uplinks.iter().flat_map(|uplink| &uplink.subnets);
    Bystander {
        node: node.to_owned(),
        subnets: subnets
            .filter_map(|subnet| AddressRange::from_cidr(subnet, HostBits::Clear).ok())
            .collect(),
    }
}

fn accounts(nodes: &[NodeView]) -> BTreeMap<(IpAddr, &str), &Witnessed> {
    let mut accounts = BTreeMap::new();
    for node in nodes {
        let witnessed = node.report.iter().flat_map(|report| &report.witnessed);
        accounts.extend(witnessed.map(|one| ((one.address, node.name.as_str()), one)));
    }
    accounts
}

/// Everybody whom a witness heard.
fn responders(told: &[Option<&Witnessed>]) -> Vec<Responder> {
    let mut by_mac: BTreeMap<Mac, Option<String>> = BTreeMap::new();
    for one in told.iter().flatten().flat_map(|told| &told.responders) {
        let node = by_mac.entry(one.mac).or_default();
        *node = node.take().or_else(|| one.node.clone());
    }
    let by_mac = by_mac.into_iter();
    by_mac.map(|(mac, node)| Responder { mac, node }).collect()
}

fn finding(witnesses: &[String], told: &[Option<&Witnessed>], now: Timestamp) -> Finding {
    if told.iter().flatten().any(|one| one.responders.len() > 1) {
        return Finding::SeveralResponders;
    }
    let ([one, other], [told_one, told_other]) = (witnesses, told) else {
        return Finding::OutOfSight;
    };
    let (Some(told_one), Some(told_other)) = (told_one, told_other) else {
        return Finding::NotWitnessed;
    };
    if heard(told_one, other) != heard(told_other, one) {
        return Finding::NotWitnessed;
    }
    let since = told_one.since.max(told_other.since);
    match responders(told).len() {
        0 => Finding::NoResponder,
        1 => Finding::OneResponder,
        // Each has heard the other one.
        _ if now < since.plus_seconds(CONFIRMED) => Finding::NotWitnessed,
        _ => Finding::SeveralResponders,
    }
}

/// Whom a witness heard, but for the other witness, which cannot hear itself.
fn heard(told: &Witnessed, other: &str) -> BTreeSet<Mac> {
    let of = told.responders.iter();
    of.filter(|one| one.node.as_deref() != Some(other))
        .map(|one| one.mac)
        .collect()
}

/// Whether a witness heard the other one answer.
fn hears(told: &Witnessed, other: &str) -> bool {
    let mut of = told.responders.iter();
    of.any(|one| one.node.as_deref() == Some(other))
}

/// Whether all who answer are known by now: both witnesses have looked at the same, or have had the time to. If one of them heard
/// the other, and was not heard, it may answer late.
fn is_complete(witnesses: &[String], told: &[Option<&Witnessed>], now: Timestamp) -> bool {
    let agree = match (witnesses, told) {
        ([one, other], [Some(told_one), Some(told_other)]) => {
            heard(told_one, other) == heard(told_other, one)
                && hears(told_one, other) == hears(told_other, one)
        }
        _ => false,
    };
    let last = told.iter().flatten().map(|told| told.since).max();
    agree || last.is_some_and(|last| now >= last.plus_seconds(CONFIRMED))
}

/// What is new about one address.
fn tell(found: &mut ForeignAddress, now: Timestamp) -> Option<Note> {
    let target = NoteTarget::Service(found.service.clone());
    match (found.finding, found.disputed) {
        (Finding::SeveralResponders, None) => {
            found.disputed = Some(now);
            Some(Note::warning(
                target,
                Finding::SeveralResponders.as_str(),
                found.sentence(),
            ))
        }
        (Finding::OneResponder, Some(_)) => {
            found.disputed = None;
            Some(Note::normal(
                target,
                Finding::OneResponder.as_str(),
                format!("one host answers again: {}", found.sentence()),
            ))
        }
        _ => None,
    }
}

fn condition(addresses: &[ForeignAddress], left_out: usize) -> Condition {
    use ForeignResponderReason as Why;
    let which = |finding| {
        let found = addresses.iter().filter(|one| one.finding == finding);
        found.collect::<Vec<_>>()
    };
    let more = match left_out {
        0 => String::new(),
        count => format!("; {count} more are not looked after, as that is done for {MOST} at most"),
    };
    let rows = [
        (Finding::SeveralResponders, Why::SeveralResponders),
        (Finding::NoResponder, Why::NoResponder),
        (Finding::NotWitnessed, Why::NotWitnessed),
        (Finding::OneResponder, Why::OneResponderEach),
    ];
    let first = rows.into_iter().find_map(|(finding, reason)| {
        let found = which(finding);
        (!found.is_empty()).then_some((reason, found))
    });
    let Some((reason, found)) = first else {
        return Condition::new(
            Why::NothingToWatch,
            format!(
                "no Service has an external IP that somebody else than Mooring handed out and that two nodes have on their \
                 segment{more}"
            ),
        );
    };
    let each: Vec<String> = found
        .iter()
        .map(|one| match reason {
            Why::NoResponder | Why::NotWitnessed => format!("{} of {}", one.address, one.service),
            _ => format!("{} of {} by {}", one.address, one.service, one.answerers()),
        })
        .collect();
    let (count, each) = (found.len(), some_of(&each));
    let says = match reason {
        Why::SeveralResponders => format!(
            "several hosts answer for {count} of the external IPs that others handed out, so that connections end at any of \
             them, and break: {each}. If these are nodes in mode ipvs, Effective and StrictARPConfigured say what is done about \
             it; else whoever hands the address out announces it twice"
        ),
        Why::NoResponder => format!(
            "nobody answers for {count} of the external IPs that others handed out: {each}. Their Services may have no ready \
             endpoint, or whoever hands them out does not announce them on this segment"
        ),
        Why::NotWitnessed => format!(
            "of {count} of the external IPs that others handed out it is not known yet who answers: {each}. Two nodes ask for \
             each of them on the wire; if this lasts longer than a minute, see the agents of those that \
             status.foreignAddresses names"
        ),
        Why::OneResponderEach | Why::NothingToWatch => format!(
            "one host answers for each of the {count} external IPs that others handed out: {each}"
        ),
    };
    Condition::new(reason, format!("{says}{more}"))
}

#[cfg(test)]
mod tests;

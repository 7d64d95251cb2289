//! May external IPs be announced?

use crate::condition::{Condition, ConditionStatus, SafeToAnnounceReason as Safe};
use crate::remediation::run::Enforcement;

use super::effective::{Nodes, Quietness, not_reporting, some_of};
use super::verdict::{ExternalAddress, GuardInput};

pub(super) fn safe_to_announce(
    input: &GuardInput<'_>,
    nodes: &Nodes<'_>,
    configured: &Condition,
) -> Condition {
    let loud = nodes.which(|state| matches!(state, Quietness::Loud(_) | Quietness::LeftBehind(_)));
    if input.wanted.enforcement == Enforcement::Ignore {
        let beside = if loud.is_empty() {
            String::new()
        } else {
            format!(
                " although {} answer for addresses that they do not own",
                some_of(&loud)
            )
        };
        return Condition::new(
            Safe::PolicyIgnores,
            format!("addresses are announced because spec.strictARP.policy is Ignore{beside}"),
        );
    }
    if !loud.is_empty() {
        let (answer, node) = match loud.len() {
            1 => ("answers", "it does"),
            _ => ("answer", "they do"),
        };
        return Condition::new(
            Safe::NodesNotQuiet,
            format!(
                "{} {answer} ARP for addresses that {node} not own, so two nodes would answer for one external IP and \
                 connections to it break at random. {}; Effective says which sysctl it is, StrictARPConfigured what is done",
                some_of(&loud),
                danger(input.external_ips)
            ),
        );
    }
    let torn = nodes.which(|state| matches!(state, Quietness::ModeUnknown | Quietness::Unreadable));
    if !torn.is_empty() {
        return Condition::new(
            Safe::ModeUnknown,
            format!(
                "it is not known what handles Service traffic on {}, or what the kernel answers ARP for there; ModeDetected and \
                 the NodeProxyState say what was found. {}",
                some_of(&torn),
                danger(input.external_ips)
            ),
        );
    }
    let silent = nodes.which(|state| *state == Quietness::NotReporting);
    let ready = nodes.which(|state| *state != Quietness::NotReady);
    if !silent.is_empty() || ready.is_empty() {
        let message = if ready.is_empty() {
            "no node is Ready, so it is not known whether it is safe to announce an address"
                .to_owned()
        } else {
            not_reporting(
                &silent,
                "whether a second node would answer for an external IP",
            )
        };
        return Condition::new(Safe::NodesNotReporting, message);
    }
    if configured.status == ConditionStatus::False && !input.wanted.holds_sysctls {
        return Condition::new(
            Safe::NotConfigured,
            format!(
                "the nodes are quiet now, and would answer for every external IP after their next restart ({}), as \
                 StrictARPConfigured says. {}",
                configured.reason,
                danger(input.external_ips)
            ),
        );
    }
    let quiet = nodes.which(|state| *state == Quietness::Quiet);
    if quiet.is_empty() {
        return Condition::new(
            Safe::NotNeeded,
            "no node keeps addresses that it does not own, so only the owner of an external IP answers for it",
        );
    }
    Condition::new(
        Safe::AllNodesQuiet,
        "every node keeps quiet about addresses that it does not own, so only the owner of an external IP answers for it",
    )
}

/// How many addresses are in danger, and some of them. IPv6 addresses are not: the kernel answers neighbour solicitations
/// only for addresses of the link that they come in on.
fn danger(addresses: &[ExternalAddress]) -> String {
    let mut found: Vec<&ExternalAddress> = addresses
        .iter()
        .filter(|one| one.address.is_ipv4())
        .collect();
    found.sort();
    found.dedup();
    if found.is_empty() {
        return "No Service has an external IP yet, so nothing is broken now".to_owned();
    }
    let each: Vec<String> = found
        .iter()
        .map(|one| format!("{} of Service {}", one.address, one.service))
        .collect();
    let mut addresses: Vec<_> = found.iter().map(|one| one.address).collect();
    addresses.dedup();
    match addresses.len() {
        1 => format!("1 address is in danger: {}", some_of(&each)),
        count => format!("{count} addresses are in danger: {}", some_of(&each)),
    }
}

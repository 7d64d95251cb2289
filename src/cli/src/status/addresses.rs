//! Addresses as they are shown.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use mooring_api::ExternalIP;
use mooring_api::external_ip::PoolGroup;
use serde::Serialize;

use super::pools::ConditionShown;
use crate::explanation::PoolName;

/// An address that Services have, or that rests.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddressShown {
    /// The address.
    pub address: String,
    /// Its pool.
    pub pool: PoolName,
    /// The Services that have it, as `namespace/name`; none while it rests.
    pub services: Vec<String>,
    /// The node that it belongs to.
    pub node: Option<String>,
    /// The node that answers for it.
    pub answered_by: Option<String>,
    /// Whether a node answers for it, and why not.
    pub announced: Option<ConditionShown>,
    /// What is not right, each in one word.
    pub trouble: Vec<String>,
}

impl AddressShown {
    /// Whether no Service has it any more.
    pub(crate) fn rests(&self) -> bool {
        self.services.is_empty()
    }

    /// Whether a node answers for it.
    pub(crate) fn is_announced(&self) -> bool {
        self.announced
            .as_ref()
            .is_some_and(|announced| announced.status == "True")
    }

    /// What is bad comes before what is merely waited for, and that before what is right; what rests comes last.
    fn rank(&self) -> u8 {
        match (self.rests(), self.trouble.is_empty()) {
            (false, false) if self.is_announced() => 0,
            (false, false) => 1,
            (false, true) => 2,
            (true, _) => 3,
        }
    }
}

/// What is not right first, then by address.
pub(super) fn shown(claims: &[ExternalIP]) -> Vec<AddressShown> {
    let mut addresses: Vec<AddressShown> = claims.iter().map(address).collect();
    addresses.sort_by_cached_key(|shown| {
        let number: Option<std::net::IpAddr> = shown.address.parse().ok();
        (shown.rank(), number, shown.address.clone())
    });
    addresses
}

fn address(claim: &ExternalIP) -> AddressShown {
    let status = claim.status.as_ref();
    let conditions = status
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    let find = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind);
    let services: Vec<String> = claim
        .spec
        .services
        .iter()
        .map(|service| format!("{}/{}", service.namespace, service.name))
        .collect();
    let answered_by = status.and_then(|status| status.node.clone());
    let mut trouble = Vec::new();
    if !services.is_empty() {
        let bad = |condition: Option<&Condition>, status: &str| {
            condition
                .filter(|condition| condition.status == status)
                .map(|condition| condition.reason.clone())
        };
        trouble.extend(bad(find("Conflict"), "True"));
        match find("Announced") {
            None => trouble.push("NotAnnounced".to_owned()),
            Some(said) if said.status != "True" => trouble.push(said.reason.clone()),
            Some(_) => {}
        }
        trouble.extend(bad(find("SingleResponder"), "False"));
        trouble.extend(bad(find("RequestMet"), "False"));
        if answered_by.is_some() && answered_by != claim.spec.node {
            trouble.push("NotOnItsNode".to_owned());
        }
    }
    AddressShown {
        address: claim.spec.address.clone(),
        pool: PoolName {
            name: claim.spec.pool.name.clone(),
            group: match claim.spec.pool.group {
                PoolGroup::Mooring => "mooring.dev",
                PoolGroup::Antrea => "crd.antrea.io",
            },
        },
        services,
        node: claim.spec.node.clone(),
        answered_by,
        announced: find("Announced").map(ConditionShown::from),
        trouble,
    }
}

#[cfg(test)]
mod tests;

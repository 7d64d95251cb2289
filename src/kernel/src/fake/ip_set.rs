//! The sets of ipset by which kube-proxy knows addresses of load balancers in mode `ipvs`.

use std::collections::BTreeSet;

use super::FakeHost;
use crate::{Facility, IpFamily, ServiceTarget};

// === impl FakeHost ===

impl FakeHost {
    /// Makes kube-proxy's set of a family, which is empty at first.
    pub fn add_ipset(&mut self, family: IpFamily) {
        self.ip_sets.entry(family).or_default();
    }

    /// Puts a port of a Service into kube-proxy's set of its family, and makes that if it is not there.
    pub fn add_ipset_target(&mut self, target: ServiceTarget) {
        let set = self.ip_sets.entry(target.family()).or_default();
        set.insert(target);
    }

    /// Takes a port of a Service out of kube-proxy's set.
    pub fn remove_ipset_target(&mut self, target: &ServiceTarget) {
        if let Some(set) = self.ip_sets.get_mut(&target.family()) {
            set.remove(target);
        }
    }
}

pub(super) fn members(
    set: Option<&BTreeSet<ServiceTarget>>,
    family: IpFamily,
    wanted: &BTreeSet<ServiceTarget>,
) -> Facility<Vec<ServiceTarget>> {
    let may_be_in =
        |target: &&ServiceTarget| target.family() == family && target.protocol.has_ports();
    let asked: Vec<ServiceTarget> = wanted.iter().filter(may_be_in).copied().collect();
    match set {
        None if !asked.is_empty() => Facility::Absent,
        set => {
            let is_in = |target: &ServiceTarget| set.is_some_and(|set| set.contains(target));
            Facility::Present(asked.into_iter().filter(is_in).collect())
        }
    }
}

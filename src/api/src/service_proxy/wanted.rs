//! The spec as the decisions see it.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use mooring_core::remediation::run::{Enforcement, MaxUnavailable, RETRY, Strategy, Wanted};

use super::{Managed, Policy, RolloutStrategy, ServiceProxy, Sysctls};

impl ServiceProxy {
    /// What the administrator wants.
    pub fn wanted(&self) -> Wanted {
        let strict_arp = &self.spec.strict_arp;
        let annotations = self.metadata.annotations.as_ref();
        Wanted {
            enforcement: match strict_arp.policy {
                Policy::Enforce => Enforcement::Enforce,
                Policy::Warn => Enforcement::Warn,
                Policy::Ignore => Enforcement::Ignore,
            },
            strategy: match strict_arp.rollout.strategy {
                RolloutStrategy::Canary => Strategy::Canary,
                RolloutStrategy::Rolling => Strategy::Rolling,
                RolloutStrategy::Manual => Strategy::Manual,
            },
            max_unavailable: strict_arp.rollout.max_unavailable.as_ref().and_then(nodes),
            holds_sysctls: strict_arp.sysctls == Sysctls::Enforce,
            edit_managed: strict_arp.managed == Managed::Edit,
            generation: self.metadata.generation,
            retry: annotations.and_then(|all| all.get(RETRY)).cloned(),
        }
    }
}

/// The schema lets nothing else through than numbers from 1 and percentages.
fn nodes(value: &IntOrString) -> Option<MaxUnavailable> {
    match value {
        IntOrString::Int(count) => u32::try_from(*count).ok().map(MaxUnavailable::Nodes),
        IntOrString::String(text) => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_spec_is_read_with_its_generation_and_the_annotation_for_another_try() {
        let proxy: ServiceProxy = serde_json::from_value(json!({
            "apiVersion": "mooring.dev/v1alpha1",
            "kind": "ServiceProxy",
            "metadata": {"name": "cluster", "generation": 7, "annotations": {"mooring.dev/retry": "2"}},
            "spec": {"strictARP": {
                "policy": "Warn",
                "rollout": {"strategy": "Rolling", "maxUnavailable": "10%"},
                "sysctls": "Enforce",
                "managed": "Edit",
            }},
        }))
        .expect("a ServiceProxy");
        assert_eq!(
            proxy.wanted(),
            Wanted {
                enforcement: Enforcement::Warn,
                strategy: Strategy::Rolling,
                max_unavailable: Some(MaxUnavailable::Percent(10)),
                holds_sysctls: true,
                edit_managed: true,
                generation: Some(7),
                retry: Some("2".to_owned()),
            }
        );
        let plain = ServiceProxy::new("cluster", super::super::ServiceProxySpec::default());
        assert_eq!(plain.wanted(), Wanted::default());
    }
}

//! Writes that the API server has counted.

use std::collections::BTreeMap;
use std::fmt;

use testbed::Bed;

const WRITES: [&str; 6] = [
    "POST",
    "PUT",
    "PATCH",
    "APPLY",
    "DELETE",
    "DELETECOLLECTION",
];
/// What the operator may write, but its Lease, which it renews all the time. The API server writes some others itself.
const RESOURCES: [&str; 8] = [
    "configmaps",
    "events",
    "externalippools",
    "externalips",
    "nodeproxystates",
    "pods",
    "serviceproxies",
    "services",
];

/// How often each verb was asked for of each resource, whatever came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Writes(BTreeMap<String, u32>);

// === impl Writes ===

impl Writes {
    /// All since the API server began.
    pub(crate) fn so_far(bed: &Bed) -> Self {
        let metrics = bed.kubectl(&["get", "--raw", "/metrics"]).unwrap();
        let mut writes = BTreeMap::new();
        let requests = metrics
            .lines()
            .filter_map(|line| line.strip_prefix("apiserver_request_total{"));
        for (labels, count) in requests.filter_map(|line| line.rsplit_once("} ")) {
            let label = |name: &str| {
                let start = labels.find(&format!("{name}=\""))? + name.len() + 2;
                labels[start..].split('"').next()
            };
            // `resource` is the end of `subresource` as well; labels are sorted, so it comes first.
            let (verb, resource) = (label("verb").unwrap(), label(",resource").unwrap_or(""));
            if !WRITES.contains(&verb) || !RESOURCES.contains(&resource) {
                continue;
            }
            let subresource = label("subresource").unwrap_or("");
            let code = label("code").unwrap_or("");
            let name = format!("{verb} {resource}/{subresource} {code}");
            let count: f64 = count.parse().unwrap();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count"
            )]
            let count = count as u32;
            *writes.entry(name).or_default() += count;
        }
        assert!(!writes.is_empty(), "the API server counts no writes");
        Self(writes)
    }

    /// Those since then.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let new = self.0.iter().map(|(name, count)| {
            let old = before.0.get(name).copied().unwrap_or_default();
            (name.clone(), count - old)
        });
        Self(new.filter(|(_, count)| *count > 0).collect())
    }

    /// The sum.
    pub(crate) fn total(&self) -> u32 {
        self.0.values().sum()
    }
}

impl fmt::Display for Writes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        let each: Vec<String> = self
            .0
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        f.write_str(&each.join(", "))
    }
}

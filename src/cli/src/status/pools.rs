//! Pools as they are shown.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::DynamicObject;
use mooring_api::external_ip_pool::Number;
use mooring_api::{ExternalIPPool, antrea_pool};
use serde::{Deserialize, Serialize};

/// A pool.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PoolShown {
    /// Its name.
    pub name: String,
    /// Its API group: both kinds are called ExternalIPPool.
    pub group: &'static str,
    /// How many addresses it has, if the operator has counted them.
    pub total: Option<Number>,
    /// Those that Services have.
    pub used: Option<Number>,
    /// Those that can be handed out. Antrea's kind does not say.
    pub free: Option<Number>,
    /// Whether addresses are handed out. Antrea's kind does not say.
    pub ready: Option<ConditionShown>,
    /// The other conditions that do not hold.
    pub trouble: Vec<ConditionShown>,
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConditionShown {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// In one word.
    pub reason: String,
    /// For people.
    pub message: String,
}

impl From<&Condition> for ConditionShown {
    fn from(condition: &Condition) -> Self {
        Self {
            status: condition.status.clone(),
            reason: condition.reason.clone(),
            message: condition.message.clone(),
        }
    }
}

impl PoolShown {
    /// Whether there is something to look at.
    pub(crate) fn is_right(&self) -> bool {
        self.trouble.is_empty()
            && match &self.ready {
                Some(ready) => ready.status == "True",
                None => self.group == antrea_pool::GROUP,
            }
    }
}

/// Those with something to look at first, then by name.
pub(super) fn shown(mooring: &[ExternalIPPool], antrea: &[DynamicObject]) -> Vec<PoolShown> {
    let mut pools: Vec<PoolShown> = mooring.iter().map(own).collect();
    pools.extend(antrea.iter().map(of_antrea));
    pools.sort_by(|a, b| (a.is_right(), &a.name, b.group).cmp(&(b.is_right(), &b.name, a.group)));
    pools
}

fn own(pool: &ExternalIPPool) -> PoolShown {
    let status = pool.status.as_ref();
    let usage = status.and_then(|status| status.usage.as_ref());
    let conditions = status
        .map(|status| status.conditions.as_slice())
        .unwrap_or_default();
    let is_ready = |condition: &&Condition| condition.type_ == "Ready";
    PoolShown {
        name: pool.metadata.name.clone().unwrap_or_default(),
        group: "mooring.dev",
        total: usage.map(|usage| usage.total.clone()),
        used: usage.map(|usage| usage.used.clone()),
        free: usage.map(|usage| usage.free.clone()),
        ready: conditions.iter().find(is_ready).map(ConditionShown::from),
        trouble: conditions
            .iter()
            .filter(|condition| !is_ready(condition) && condition.status != "True")
            .map(ConditionShown::from)
            .collect(),
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct AntreaUsage {
    total: Option<Number>,
    used: Option<Number>,
}

fn of_antrea(pool: &DynamicObject) -> PoolShown {
    let usage = pool
        .data
        .pointer("/status/usage")
        .and_then(|usage| AntreaUsage::deserialize(usage).ok())
        .unwrap_or_default();
    PoolShown {
        name: pool.metadata.name.clone().unwrap_or_default(),
        group: antrea_pool::GROUP,
        total: usage.total,
        used: usage.used,
        free: None,
        ready: None,
        trouble: Vec::new(),
    }
}

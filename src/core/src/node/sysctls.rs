//! Raising ARP sysctls on the uplinks of a node that would answer for addresses that it does not own, and putting them
//! back.
//!
//! Sysctls go only upwards, and only on uplinks: `all` would reach the links of Pods as well. What stood there before is
//! remembered before anything is written, in the node's own NodeProxyState, so that an agent that is killed between the two
//! leaves nothing behind that nobody knows of. An entry is forgotten only once a look at the node has shown that the value
//! is no longer ours: a plan that could not be carried out is simply made again.

use crate::proxy_mode::{LiveMode, Observed};

use super::{ArpSetting, NodeReport, RaisedSysctl, uplinks};

/// What is to be done about sysctls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wish {
    /// Nothing: report them. What was raised earlier is put back, as by `Restore`.
    Observe,
    /// Raise them where the node needs it, and again whenever somebody lowers them.
    Enforce,
    /// Put back what was raised.
    Restore,
}

/// One sysctl to write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Whose.
    pub interface: String,
    /// Which.
    pub setting: ArpSetting,
    /// What stands there. If something else is found when it comes to writing, leave it: the next look decides anew.
    pub from: i32,
    /// What to write.
    pub to: i32,
}

/// What to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// What has to stand in the NodeProxyState (`status.raisedSysctls`) before the first write. The whole list.
    pub remember: Vec<RaisedSysctl>,
    /// What to write then.
    pub writes: Vec<Change>,
}

impl Change {
    /// The whole name, as in `net.ipv4.conf.eth0.arp_ignore`.
    pub fn name(&self) -> String {
        self.setting.name(&self.interface)
    }
}

// === plan ===

/// Plans the writes for a node, from one look at it, the report made of that look, and what was raised before.
///
/// While the mode is not ipvs (or kube-router's), nothing is raised, and nothing is put back: a mode can be unknown for the
/// moment of a restart.
pub fn plan(
    observed: &Observed,
    report: &NodeReport,
    remembered: &[RaisedSysctl],
    wish: Wish,
) -> Plan {
    let mut plan = Plan {
        remember: remembered
            .iter()
            .filter(|raised| !is_gone(observed, raised))
            .cloned()
            .collect(),
        writes: Vec::new(),
    };
    match wish {
        Wish::Enforce => {
            if matches!(report.mode, LiveMode::Ipvs | LiveMode::KubeRouter) {
                raise(observed, &mut plan);
            }
        }
        Wish::Observe | Wish::Restore => restore(observed, &mut plan),
    }
    plan.remember.sort();
    plan
}

fn raise(observed: &Observed, plan: &mut Plan) {
    for uplink in uplinks::uplinks(&observed.kernel) {
        let Ok(arp) = uplink.arp else { continue };
        for setting in ArpSetting::BOTH {
            if setting.effective(&arp) >= setting.needed() {
                continue;
            }
            let change = Change {
                interface: uplink.name.to_owned(),
                setting,
                from: setting.own(&arp),
                to: setting.needed(),
            };
            let name = change.name();
            match plan.remember.iter_mut().find(|known| known.name == name) {
                Some(known) => known.value = change.to,
                None => plan.remember.push(RaisedSysctl {
                    name,
                    before: change.from,
                    value: change.to,
                }),
            }
            plan.writes.push(change);
        }
    }
}

/// Entries whose value is no longer ours are forgotten; the others stay until their value is seen to be back.
fn restore(observed: &Observed, plan: &mut Plan) {
    let writes = &mut plan.writes;
    plan.remember.retain(|raised| {
        let Some((interface, setting)) = ArpSetting::of_name(&raised.name) else {
            return false;
        };
        let Some(present) = present(observed, &interface, setting) else {
            return true;
        };
        let ours = present == raised.value && raised.before < raised.value;
        if ours {
            writes.push(Change {
                interface,
                setting,
                from: present,
                to: raised.before,
            });
        }
        ours
    });
}

/// The interface's own value, if it could be read.
fn present(observed: &Observed, interface: &str, setting: ArpSetting) -> Option<i32> {
    let link = observed.kernel.links.get(interface)?;
    link.arp.as_ref().ok().map(|arp| setting.own(arp))
}

/// The interface does not exist any more, and its sysctls with it. Without any link the links could not be read.
fn is_gone(observed: &Observed, raised: &RaisedSysctl) -> bool {
    ArpSetting::of_name(&raised.name).is_some_and(|(interface, _)| {
        !observed.kernel.links.is_empty() && !observed.kernel.links.contains_key(&interface)
    })
}

#[cfg(test)]
mod tests;

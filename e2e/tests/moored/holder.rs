//! The node of an address, as the ExternalIP says it.

use std::net::IpAddr;
use std::time::Duration;

use mooring_api::external_ip::object_name;
use serde_json::Value;
use testbed::probe::Mac;

use crate::mooring::{Condition, EXTERNAL_IPS, Mooring, condition};

/// Who answers for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) node: String,
    pub(crate) interface: String,
    pub(crate) mac: Mac,
    pub(crate) method: String,
    pub(crate) since: String,
}

/// How long a node may take. Taking an address takes less than a second, and a rollout of kube-proxy a minute.
const PATIENCE: Duration = Duration::from_secs(90);

impl Mooring<'_> {
    /// The ExternalIP of an address of either family, or null.
    pub(crate) fn claim(&self, address: IpAddr) -> Value {
        self.object(&format!("{EXTERNAL_IPS}/{}", object_name::of(address)))
    }

    /// A condition of an address.
    pub(crate) fn said_of(&self, address: IpAddr, kind: &str) -> Option<Condition> {
        condition(&self.claim(address)["status"], kind)
    }

    /// Who has an address, if somebody has and it is announced.
    pub(crate) fn holder(&self, address: IpAddr) -> Option<Holder> {
        let status = self.claim(address)["status"].take();
        let announced = condition(&status, "Announced")?;
        let text = |field: &str| Some(status[field].as_str()?.to_owned());
        if announced.status != "True" {
            return None;
        }
        Some(Holder {
            node: text("node")?,
            interface: text("interface")?,
            mac: text("mac")?.parse().ok()?,
            method: text("method")?,
            since: text("since")?,
        })
    }

    /// Waits until a node says that it has an address.
    #[track_caller]
    pub(crate) fn wait_until_held(&self, address: IpAddr) -> Holder {
        self.wait_until_held_by(address, |_| true)
    }

    /// Waits until a node that fits says that it has an address.
    #[track_caller]
    pub(crate) fn wait_until_held_by(
        &self,
        address: IpAddr,
        fits: impl Fn(&Holder) -> bool,
    ) -> Holder {
        self.wait_at_most(PATIENCE, &format!("a node answers for {address}"), || {
            self.holder(address).filter(&fits)
        })
    }

    /// Waits until a condition of an address has this reason.
    #[track_caller]
    pub(crate) fn wait_until_said(&self, address: IpAddr, kind: &str, reason: &str) -> Condition {
        let what = format!("{kind} of {address} is {reason}");
        self.wait_at_most(PATIENCE, &what, || {
            self.said_of(address, kind)
                .filter(|condition| condition.reason == reason)
        })
    }

    /// Waits until another node has seen that the holder alone answers; it asks once a minute at the least.
    #[track_caller]
    pub(crate) fn expect_single(&self, address: IpAddr) {
        let single = self.said_of(address, "SingleResponder");
        println!("  {address}: SingleResponder is {single:?} at first");
        self.wait_until_said(address, "SingleResponder", "OneResponder");
    }
}

//! The values that kube-proxy does not accept although their types are right, by its own validation (1.28 to 1.36).

use super::config::ConfiguredMode;
use super::scalar::Value;
use super::tree::{Id, Kind, Tree};
use super::{Reason, Refusal, address};
use crate::proxy_mode::ProxyMode;

const SECOND: i128 = 1_000_000_000;

/// Checks a configuration whose types were checked.
pub(super) fn check(tree: &Tree<'_>, mode: ConfiguredMode) -> Result<(), Refusal> {
    let checker = Checker { tree };
    checker.numbers()?;
    checker.durations(mode)?;
    checker.addresses(mode)?;
    checker.local_traffic()?;
    checker.logging()
}

struct Checker<'t, 'a> {
    tree: &'t Tree<'a>,
}

impl Checker<'_, '_> {
    /// The node at a path, null counted as absent.
    fn find(&self, path: &str) -> Option<Id> {
        let id = path.split('.').try_fold(self.tree.root, |id, name| {
            Some(self.tree.get(id, name)?.value)
        })?;
        (self.tree.value(id) != Some(Value::Null)).then_some(id)
    }

    fn text(&self, path: &str) -> Option<(Id, &str)> {
        let id = self.find(path)?;
        match self.tree.value(id) {
            Some(Value::Text(text)) if !text.is_empty() => Some((id, text)),
            _ => None,
        }
    }

    fn items(&self, path: &str) -> Vec<(Id, &str)> {
        let Some(id) = self.find(path) else {
            return Vec::new();
        };
        let Kind::Seq(items) = &self.tree.nodes[self.tree.target(id)].kind else {
            return Vec::new();
        };
        items
            .iter()
            .map(|&item| match self.tree.value(item) {
                Some(Value::Text(text)) => (item, text),
                _ => (item, ""),
            })
            .collect()
    }

    fn refuse<T>(&self, id: Id, path: &str, must: &str) -> Result<T, Refusal> {
        Err(Refusal::at(
            self.tree.line(id),
            Reason::InvalidValue,
            format!("`{path}` must be {must}, else kube-proxy does not start; correct it first"),
        ))
    }

    fn numbers(&self) -> Result<(), Refusal> {
        let ranges = [
            ("iptables.masqueradeBit", 0.0, 31.0),
            ("nftables.masqueradeBit", 0.0, 31.0),
            ("oomScoreAdj", -1000.0, 1000.0),
            ("conntrack.maxPerCore", 0.0, f64::MAX),
            ("conntrack.min", 0.0, f64::MAX),
            ("clientConnection.burst", 0.0, f64::MAX),
        ];
        for (path, low, high) in ranges {
            let Some(id) = self.find(path) else { continue };
            let number = match self.tree.value(id) {
                Some(Value::Int(value)) => value as f64,
                Some(Value::Float(value)) => value,
                _ => continue,
            };
            if !(low..=high).contains(&number) {
                let most = if high < f64::MAX {
                    format!(" and at most {high}")
                } else {
                    String::new()
                };
                return self.refuse(id, path, &format!("at least {low}{most}"));
            }
        }
        Ok(())
    }

    fn duration(&self, path: &str) -> Option<(Id, i128)> {
        let (id, text) = self.text(path)?;
        Some((id, address::duration(text)?))
    }

    fn durations(&self, mode: ConfiguredMode) -> Result<(), Refusal> {
        let mut from_zero = vec![
            "conntrack.tcpEstablishedTimeout",
            "conntrack.tcpCloseWaitTimeout",
            "conntrack.udpTimeout",
            "conntrack.udpStreamTimeout",
            "configSyncPeriod",
        ];
        let (section, least) = match mode.known() {
            Some(ProxyMode::Ipvs) => {
                from_zero.extend(["ipvs.tcpTimeout", "ipvs.tcpFinTimeout", "ipvs.udpTimeout"]);
                ("ipvs", 0)
            }
            Some(ProxyMode::Nftables) => ("nftables", SECOND),
            _ => ("iptables", SECOND),
        };
        let (period, minimum) = (
            format!("{section}.syncPeriod"),
            format!("{section}.minSyncPeriod"),
        );
        from_zero.extend([period.as_str(), minimum.as_str()]);
        for path in from_zero {
            if let Some((id, value)) = self.duration(path)
                && value < 0
            {
                return self.refuse(id, path, "at least 0");
            }
        }
        // Zero means the default.
        let or_default = |path: &str, default| match self.duration(path) {
            Some((id, value)) if value != 0 => (Some(id), value),
            _ => (None, default),
        };
        let (period_at, period_value) = or_default(&period, 30 * SECOND);
        let (minimum_at, minimum_value) = or_default(&minimum, least);
        if minimum_value > period_value
            && let Some(id) = minimum_at.or(period_at)
        {
            return self.refuse(
                id,
                &minimum,
                &format!("at most `{period}` (30s if that is unset)"),
            );
        }
        Ok(())
    }

    fn addresses(&self, mode: ConfiguredMode) -> Result<(), Refusal> {
        if let Some((id, text)) = self.text("bindAddress")
            && address::ip(text).is_none()
        {
            return self.refuse(id, "bindAddress", "an IP");
        }
        for path in ["healthzBindAddress", "metricsBindAddress"] {
            if let Some((id, text)) = self.text(path)
                && !address::is_bind_address(text)
            {
                return self.refuse(
                    id,
                    path,
                    "an IP with or without a port, as in 127.0.0.1:10249 or [::1]:10249",
                );
            }
        }
        if mode == ConfiguredMode::Known(ProxyMode::Ipvs) {
            for (id, text) in self.items("ipvs.excludeCIDRs") {
                if address::cidr(text).is_none() {
                    return self.refuse(
                        id,
                        "ipvs.excludeCIDRs",
                        "a list of CIDRs such as 192.0.2.0/24",
                    );
                }
            }
        }
        let ports = self.items("nodePortAddresses");
        if let [(_, "primary")] = ports.as_slice() {
            return Ok(());
        }
        for (id, text) in ports {
            if address::cidr(text).is_none() {
                return self.refuse(
                    id,
                    "nodePortAddresses",
                    "a list of CIDRs, or only `primary`",
                );
            }
        }
        Ok(())
    }

    fn local_traffic(&self) -> Result<(), Refusal> {
        match self.text("detectLocalMode") {
            None | Some((_, "ClusterCIDR")) => {
                let Some((id, text)) = self.text("clusterCIDR") else {
                    return Ok(());
                };
                let cidrs: Vec<_> = text.split(',').map(address::cidr).collect();
                let fits = match cidrs.as_slice() {
                    [Some(_)] => true,
                    [Some(one), Some(two)] => one.is_ipv4() != two.is_ipv4(),
                    _ => false,
                };
                if fits {
                    return Ok(());
                }
                self.refuse(
                    id,
                    "clusterCIDR",
                    "one CIDR, or an IPv4 and an IPv6 one with a comma and no blank",
                )
            }
            Some((_, "NodeCIDR")) => Ok(()),
            Some((id, "BridgeInterface")) if self.text("detectLocal.bridgeInterface").is_none() => {
                self.refuse(
                    id,
                    "detectLocal.bridgeInterface",
                    "set for this `detectLocalMode`",
                )
            }
            Some((id, "InterfaceNamePrefix"))
                if self.text("detectLocal.interfaceNamePrefix").is_none() =>
            {
                self.refuse(
                    id,
                    "detectLocal.interfaceNamePrefix",
                    "set for this `detectLocalMode`",
                )
            }
            Some((_, "BridgeInterface" | "InterfaceNamePrefix")) => Ok(()),
            Some((id, _)) => self.refuse(
                id,
                "detectLocalMode",
                "ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix",
            ),
        }
    }

    fn logging(&self) -> Result<(), Refusal> {
        let format = self.text("logging.format");
        if let Some((id, text)) = format
            && !matches!(text, "text" | "json")
        {
            return self.refuse(id, "logging.format", "text or json");
        }
        if let Some(id) = self.find("logging.flushFrequency") {
            let negative = match self.tree.value(id) {
                Some(Value::Int(value)) => value < 0,
                Some(Value::Float(value)) => value < 0.0,
                Some(Value::Text(text)) => address::duration(text).is_none_or(|value| value < 0),
                _ => false,
            };
            if negative {
                return self.refuse(id, "logging.flushFrequency", "at least 0");
            }
        }
        if let Some(id) = self.find("logging.vmodule") {
            let Kind::Seq(items) = &self.tree.nodes[self.tree.target(id)].kind else {
                return Ok(());
            };
            if !items.is_empty() && matches!(format, Some((_, "json"))) {
                return self.refuse(id, "logging.vmodule", "absent with the format json");
            }
            for &item in items {
                let pattern = self
                    .tree
                    .get(item, "filePattern")
                    .and_then(|entry| self.tree.value(entry.value));
                let fits = matches!(pattern, Some(Value::Text(text)) if !text.is_empty() && !text.contains(['=', ',']));
                if !fits {
                    return self.refuse(
                        item,
                        "logging.vmodule",
                        "a list with a `filePattern` without `=` and `,`",
                    );
                }
            }
        }
        if let Some((id, text)) = self.text("showHiddenMetricsForVersion") {
            let fits = text.split_once('.').is_some_and(|(major, minor)| {
                [major, minor]
                    .iter()
                    .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
            });
            if !fits {
                return self.refuse(
                    id,
                    "showHiddenMetricsForVersion",
                    "the previous minor version, as in 1.34",
                );
            }
        }
        Ok(())
    }
}

//! From one look at a node to the report about it.

use crate::proxy_mode::{Answer, LiveMode, Observed, ProxyMode};

use super::sysctl_files::SysctlFile;
use super::{Evidence, NodeReport, RaisedSysctl, Witness, uplinks};

/// What is to be said about a node: from one look at it, the sysctls that its agent raised, and the files that set ARP
/// sysctls there.
pub fn report(observed: &Observed, raised: &[RaisedSysctl], drift: &[SysctlFile]) -> NodeReport {
    let _ = drift;
    let mode = match &observed.endpoints.proxy_mode {
        Answer::Http { status: 200, body } => match body.trim().parse() {
            Ok(ProxyMode::Iptables) => LiveMode::Iptables,
            Ok(ProxyMode::Ipvs) => LiveMode::Ipvs,
            Ok(ProxyMode::Nftables) => LiveMode::Nftables,
            _ => LiveMode::Unknown,
        },
        _ => LiveMode::Unknown,
    };
    NodeReport {
        mode,
        evidence: vec![Evidence {
            witness: Witness::ProxyModeEndpoint,
            mode: (mode != LiveMode::Unknown).then_some(mode),
            message: format!("{}/proxyMode", observed.endpoints.metrics_address),
        }],
        uplinks: uplinks::uplinks(&observed.kernel)
            .iter()
            .filter_map(uplinks::UplinkSeen::report)
            .collect(),
        raised: raised.to_vec(),
        ..NodeReport::default()
    }
}

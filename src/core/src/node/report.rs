//! From one look at a node to the report about it.

use crate::proxy_mode::Observed;

use super::findings::Findings;
use super::quiet::{self, Quiet};
use super::sysctl_files::SysctlFile;
use super::uplinks::{self, UplinkSeen};
use super::{NodeReport, RaisedSysctl, health, verdict};

/// What is to be said about a node: from one look at it, the sysctls that its agent raised, and the files that set ARP
/// sysctls there. Looks that show the same give the same words: no counts and times that move by themselves are in them.
pub fn report(observed: &Observed, raised: &[RaisedSysctl], drift: &[SysctlFile]) -> NodeReport {
    let findings = Findings::of(observed);
    let verdict = verdict::decide(&findings);
    let mode = verdict.mode;
    let seen = uplinks::uplinks(&observed.kernel);
    let leftovers = quiet::leftovers(&findings, mode);
    let quiet = Quiet {
        findings: &findings,
        mode,
        uplinks: &seen,
        leftovers: &leftovers,
        raised,
        files: drift,
    };
    let conditions = vec![
        verdict.condition(&findings),
        health::condition(&findings, mode),
        quiet.effective(),
        quiet.answers(),
    ];
    NodeReport {
        mode,
        kube_proxy: health::running(&findings),
        uplinks: seen.iter().filter_map(UplinkSeen::report).collect(),
        antrea: findings.antrea_report(),
        leftovers,
        raised: raised.to_vec(),
        // The wire is asked elsewhere.
        witnessed: Vec::new(),
        // The operator records it.
        unrest: None,
        conditions,
        evidence: findings.evidence,
    }
}

#[cfg(test)]
mod tests;

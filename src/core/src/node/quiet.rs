//! Whether a node keeps quiet about addresses that it does not own, and still answers for those that it has.

use std::net::IpAddr;

use crate::condition::{Condition, EffectiveReason, UplinksAnswerReason};
use crate::proxy_mode::{ArpSeen, LiveMode};

use super::arp::is_quiet;
use super::findings::Findings;
use super::pods::Mounted;
use super::sysctl_files::{self, SysctlFile};
use super::traces::{IPVS_LINK, KUBE_ROUTER_LINK, addresses_on};
use super::uplinks::UplinkSeen;
use super::{ArpSetting, RaisedSysctl};

/// What the conditions about ARP are decided from.
pub(super) struct Quiet<'a> {
    pub(super) findings: &'a Findings<'a>,
    pub(super) mode: LiveMode,
    pub(super) uplinks: &'a [UplinkSeen<'a>],
    pub(super) leftovers: &'a [IpAddr],
    pub(super) raised: &'a [RaisedSysctl],
    pub(super) files: &'a [SysctlFile],
}

/// The addresses on kube-ipvs0, if the mode is another one. While it is unknown, they may be in use.
pub(super) fn leftovers(findings: &Findings<'_>, mode: LiveMode) -> Vec<IpAddr> {
    if matches!(mode, LiveMode::Ipvs | LiveMode::Unknown) {
        return Vec::new();
    }
    addresses_on(&findings.observed.kernel, IPVS_LINK)
}

impl Quiet<'_> {
    /// Decides `Effective`.
    pub(super) fn effective(&self) -> Condition {
        let (reason, message) = self.decide_effective();
        Condition::new(
            reason,
            format!("node {}: {message}", self.findings.observed.node),
        )
    }

    fn decide_effective(&self) -> (EffectiveReason, String) {
        if self.findings.observed.kernel.links.is_empty() {
            return (EffectiveReason::SysctlsUnreadable, self.no_links());
        }
        let in_use = self.keeps_addresses();
        let held = addresses_on(&self.findings.observed.kernel, KUBE_ROUTER_LINK);
        if !in_use && self.leftovers.is_empty() && held.is_empty() {
            return (
                EffectiveReason::NotNeeded,
                format!(
                    "mode {}, and no link keeps addresses of Services: the node answers ARP for its own addresses alone",
                    self.mode
                ),
            );
        }
        let loud = self.first(|arp| !is_quiet(arp.ignore()));
        if let Some((uplink, arp)) = loud {
            return if in_use {
                (
                    EffectiveReason::ArpIgnoreTooLow,
                    self.too_low(uplink, &arp, ArpSetting::Ignore),
                )
            } else {
                (
                    EffectiveReason::AddressesLeftBehind,
                    self.left_behind(uplink, &arp, &held),
                )
            };
        }
        if let Some(problem) = self.unreadable() {
            return (EffectiveReason::SysctlsUnreadable, problem);
        }
        if in_use
            && let Some((uplink, arp)) =
                self.first(|arp| arp.announce() < ArpSetting::Announce.needed())
        {
            return (
                EffectiveReason::ArpAnnounceTooLow,
                self.too_low(uplink, &arp, ArpSetting::Announce),
            );
        }
        let names: Vec<&str> = self.uplinks.iter().map(|uplink| uplink.name).collect();
        let raised = if self.raised.is_empty() {
            ""
        } else {
            "; Mooring raised some of its sysctls (status.raisedSysctls), as the ServiceProxy asks"
        };
        (
            EffectiveReason::Quiet,
            if in_use {
                format!(
                    "{} keep{} quiet about addresses of other links{raised}",
                    names.join(", "),
                    if names.len() == 1 { "s" } else { "" }
                )
            } else {
                format!(
                    "addresses of an earlier proxy are left on the node, and {} keep{} quiet about them; restart the node to \
                     be rid of them",
                    names.join(", "),
                    if names.len() == 1 { "s" } else { "" }
                )
            },
        )
    }

    /// The mode keeps the addresses of Services on a link of the node. Where the mode is unknown, one sign of such a mode is
    /// enough.
    fn keeps_addresses(&self) -> bool {
        let keeps = |mode: LiveMode| matches!(mode, LiveMode::Ipvs | LiveMode::KubeRouter);
        let told = || {
            self.findings
                .evidence
                .iter()
                .filter_map(|evidence| evidence.mode)
        };
        keeps(self.mode)
            || (self.mode == LiveMode::Unknown
                && told()
                    .chain(self.findings.traces.iter().copied())
                    .any(keeps))
    }

    /// Decides `UplinksAnswer`.
    pub(super) fn answers(&self) -> Condition {
        let node = &self.findings.observed.node;
        let wrong = [
            (
                8,
                UplinksAnswerReason::AnswersNothing,
                "does not answer ARP at all, not even for the node's own address, so others lose the node as soon as they \
                 forget its MAC address",
            ),
            (
                2,
                UplinksAnswerReason::AnswersOwnSubnetOnly,
                "answers ARP only to senders in the subnet of the asked address, so an external IP that is bound there \
                 stays unanswered for others",
            ),
        ];
        for (value, reason, why) in wrong {
            if let Some((uplink, arp)) = self.first(|arp| arp.ignore() == value) {
                return Condition::new(
                    reason,
                    format!(
                        "node {node}: {} {why}; {}. Run {}{}",
                        uplink.name,
                        values(uplink.name, &arp, ArpSetting::Ignore),
                        command(uplink.name, &arp, ArpSetting::Ignore),
                        self.setters(uplink.name, &arp, ArpSetting::Ignore)
                    ),
                );
            }
        }
        if let Some(problem) = self.unreadable() {
            return Condition::new(
                UplinksAnswerReason::SysctlsUnreadable,
                format!("node {node}: {problem}"),
            );
        }
        let names: Vec<&str> = self.uplinks.iter().map(|uplink| uplink.name).collect();
        Condition::new(
            UplinksAnswerReason::Answering,
            format!(
                "node {node}: the kernel answers ARP on {} for the addresses there",
                names.join(", ")
            ),
        )
    }

    /// The first uplink whose sysctls are like that.
    fn first(&self, wrong: impl Fn(&ArpSeen) -> bool) -> Option<(&UplinkSeen<'_>, ArpSeen)> {
        self.uplinks.iter().find_map(|uplink| {
            let arp = uplink.arp.ok().filter(&wrong)?;
            Some((uplink, arp))
        })
    }

    // === words ===

    fn too_low(&self, uplink: &UplinkSeen<'_>, arp: &ArpSeen, setting: ArpSetting) -> String {
        let name = uplink.name;
        let harm = match setting {
            ArpSetting::Ignore => format!(
                "{name} answers ARP for addresses of other links, so for every external IP of every Service, whichever \
                 node owns it"
            ),
            ArpSetting::Announce => format!(
                "{name} may ask ARP in the name of an external IP, and others then send its traffic to this node"
            ),
        };
        format!(
            "{harm}; {}. {}{}{}",
            values(name, arp, setting),
            self.raise(name, arp, setting),
            self.setters(name, arp, setting),
            self.others(setting)
        )
    }

    /// What to set, by how kube-proxy runs.
    fn raise(&self, interface: &str, arp: &ArpSeen, setting: ArpSetting) -> String {
        let needed = setting.needed();
        let now = command(interface, arp, setting);
        let all = setting.name("all");
        // strictARP sets `all`, which does not help against an interface's own value that is too high.
        if self.mode != LiveMode::Ipvs || setting.own(arp) > needed {
            return format!("Run {now}, and put that into a file in /etc/sysctl.d");
        }
        let started = self
            .findings
            .configz
            .as_ref()
            .and_then(|config| config.strict_arp);
        let configured = match &self.findings.mounted {
            Mounted::Read(_, config) => config.strict_arp,
            _ => false,
        };
        match (started, configured) {
            (Some(true), _) => {
                let cause = if self.setters(interface, arp, setting).is_empty() {
                    "find out what, then restart kube-proxy"
                } else {
                    "correct the line named below, then restart kube-proxy"
                };
                format!(
                    "kube-proxy, which runs with strictARP, set {all} to {needed} when it started, so something else has \
                     set it since; {cause}, or run {now}"
                )
            }
            (_, true) => format!(
                "kube-proxy's configuration has ipvs.strictARP: true, and this kube-proxy has not started with it yet: \
                 restart it, which sets {all} to {needed}; or run {now}"
            ),
            (_, false) => format!(
                "Set ipvs.strictARP: true in kube-proxy's configuration and restart it, which sets {all} to {needed}; or \
                 run {now}"
            ),
        }
    }

    /// The files that set a value as it is, and would do so again.
    fn setters(&self, interface: &str, arp: &ArpSeen, setting: ArpSetting) -> String {
        let mut text = String::new();
        for (conf, value) in [("all", setting.all(arp)), (interface, setting.own(arp))] {
            let found = sysctl_files::set_by(self.files, conf, setting);
            if let Some(set) = found.filter(|set| set.value == value) {
                text.push_str(&format!(
                    ". {} line {} sets {} to {}: correct that line, or the value comes back when the node restarts",
                    set.path,
                    set.line.number,
                    setting.name(conf),
                    set.value
                ));
            }
        }
        text
    }

    /// The other uplinks that are wrong in the same way.
    fn others(&self, setting: ArpSetting) -> String {
        let wrong = |arp: &ArpSeen| match setting {
            ArpSetting::Ignore => !is_quiet(arp.ignore()),
            ArpSetting::Announce => arp.announce() < setting.needed(),
        };
        let names: Vec<&str> = self
            .uplinks
            .iter()
            .filter(|uplink| uplink.arp.is_ok_and(|arp| wrong(&arp)))
            .map(|uplink| uplink.name)
            .skip(1)
            .collect();
        if names.is_empty() {
            String::new()
        } else {
            format!(". The same holds for {}", names.join(", "))
        }
    }

    fn left_behind(&self, uplink: &UplinkSeen<'_>, arp: &ArpSeen, held: &[IpAddr]) -> String {
        let (link, addresses) = if self.leftovers.is_empty() {
            (KUBE_ROUTER_LINK, held)
        } else {
            (IPVS_LINK, self.leftovers)
        };
        const NAMED: usize = 3;
        let named: Vec<String> = addresses
            .iter()
            .take(NAMED)
            .map(ToString::to_string)
            .collect();
        let more = match addresses.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "an earlier proxy left {}{more} on {link}, and {} answers ARP for {}, though the mode is {}; {}. Restart the \
             node, or remove {link} (ip link delete {link}), which takes its addresses with it{}",
            named.join(", "),
            uplink.name,
            if addresses.len() == 1 { "it" } else { "them" },
            self.mode,
            values(uplink.name, arp, ArpSetting::Ignore),
            self.setters(uplink.name, arp, ArpSetting::Ignore)
        )
    }

    /// Why nothing can be said about some uplink.
    fn unreadable(&self) -> Option<String> {
        if self.findings.observed.kernel.links.is_empty() {
            return Some(self.no_links());
        }
        if self.uplinks.is_empty() {
            return Some(
                "no interface was found that connects this node to others, so there is nothing to judge; is its network up?"
                    .to_owned(),
            );
        }
        self.uplinks.iter().find_map(|uplink| {
            let error = uplink.arp.err()?;
            Some(format!(
                "the ARP sysctls of {} could not be read: {error}",
                uplink.name
            ))
        })
    }

    fn no_links(&self) -> String {
        let why = self.findings.observed.kernel.unread.join("; ");
        format!("its network interfaces could not be read: {why}")
    }
}

/// The command that sets what is too high, or else the interface's own value.
fn command(interface: &str, arp: &ArpSeen, setting: ArpSetting) -> String {
    let needed = setting.needed();
    let mut names: Vec<String> = [("all", setting.all(arp)), (interface, setting.own(arp))]
        .into_iter()
        .filter(|(_, value)| *value > needed)
        .map(|(conf, _)| setting.name(conf))
        .collect();
    if names.is_empty() {
        names.push(setting.name(interface));
    }
    let words: Vec<String> = names
        .iter()
        .map(|name| format!("{name}={needed}"))
        .collect();
    format!("sysctl -w {}", words.join(" "))
}

/// The effective value with its parts.
fn values(interface: &str, arp: &ArpSeen, setting: ArpSetting) -> String {
    format!(
        "its effective {setting} is {}, the higher one of {}={} and {}={}",
        setting.effective(arp),
        setting.name("all"),
        setting.all(arp),
        setting.name(interface),
        setting.own(arp)
    )
}

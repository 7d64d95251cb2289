//! What each witness says about a node, before they are weighed against each other.

use crate::kube_proxy::Source;
use crate::kube_proxy::snapshot::{Container, Pod};
use crate::proxy_mode::antrea::{AntreaConfig, AntreaVersion, image_version, version};
use crate::proxy_mode::endpoints::{self, LiveConfig, Process};
use crate::proxy_mode::{Answer, LiveMode, Observed, ProxyMode};
use crate::strict_arp::ConfiguredMode;

use super::pods::{self, Mounted, ProxyPod, Role};
use super::replacements::{self, ReplacementSeen};
use super::traces::{ANTREA_LINK, traces};
use super::{Antrea, Evidence, Witness};

/// All that the witnesses say.
pub(super) struct Findings<'a> {
    pub(super) observed: &'a Observed,
    /// One entry per witness that had something to say or should have had, the most trusted first.
    pub(super) evidence: Vec<Evidence>,
    /// What `/proxyMode` says.
    pub(super) proxy_mode: Option<LiveMode>,
    /// What `/configz` says.
    pub(super) configz: Option<LiveConfig>,
    /// What `/metrics` says.
    pub(super) process: Process,
    /// The node's Pod of kube-proxy.
    pub(super) proxy: Option<ProxyPod<'a>>,
    /// What that Pod mounts.
    pub(super) mounted: Mounted,
    /// Antrea's agent on the node.
    pub(super) antrea: Option<AntreaSeen>,
    /// Other replacements.
    pub(super) replacements: Vec<ReplacementSeen>,
    /// The modes that left traces in the kernel.
    pub(super) traces: Vec<LiveMode>,
}

/// Antrea's agent on a node.
pub(super) struct AntreaSeen {
    /// Its configuration; `None` if it could not be read.
    pub(super) config: Option<AntreaConfig>,
    pub(super) version: Option<AntreaVersion>,
    pub(super) image: String,
}

/// kube-proxy's mode as a live mode; Windows' has no place here.
pub(super) fn live_mode(mode: ProxyMode) -> Option<LiveMode> {
    match mode {
        ProxyMode::Iptables => Some(LiveMode::Iptables),
        ProxyMode::Ipvs => Some(LiveMode::Ipvs),
        ProxyMode::Nftables => Some(LiveMode::Nftables),
        ProxyMode::Kernelspace => None,
    }
}

impl<'a> Findings<'a> {
    pub(super) fn of(observed: &'a Observed) -> Self {
        let pods = observed.pods.as_deref();
        let proxy = pods.and_then(|pods| pods::proxy_of(&observed.node, pods));
        let mounted = match &proxy {
            Some(proxy) => proxy.config(&observed.config_maps),
            None => Mounted::NotInConfigMap,
        };
        let mut findings = Self {
            observed,
            evidence: Vec::new(),
            proxy_mode: None,
            configz: None,
            process: match &observed.endpoints.metrics {
                Answer::Http { status: 200, body } => endpoints::metrics(body),
                _ => Process::default(),
            },
            proxy,
            mounted,
            antrea: None,
            replacements: replacements::seen(observed),
            traces: Vec::new(),
        };
        findings.hear_proxy_mode();
        findings.hear_configz();
        findings.read_command_line();
        findings.read_mounted();
        findings.read_antrea();
        if let Some((witness, mode, message)) = replacements::evidence(&findings.replacements) {
            findings.say(witness, mode, message);
        }
        findings.look_at_kernel();
        findings
    }

    /// Version of kube-proxy as `(major, minor)`: what the process says, else the tag of the Pod's image.
    pub(super) fn version(&self) -> Option<(u32, u32)> {
        let process = self.process.version.as_deref().and_then(version);
        process.or_else(|| image_version(&self.container()?.image))
    }

    /// The container of kube-proxy.
    pub(super) fn container(&self) -> Option<&Container> {
        let proxy = self.proxy.as_ref()?;
        proxy
            .pod
            .spec
            .containers
            .iter()
            .find(|container| container.name == proxy.workload.container)
    }

    /// kube-proxy answers on its metrics port.
    pub(super) fn answers(&self) -> bool {
        self.proxy_mode.is_some() || self.configz.is_some()
    }

    /// No kube-proxy here, by two signals: nothing listens, and no Pod of it is on the node. An answer on the health port
    /// alone can be Antrea's.
    pub(super) fn is_absent(&self) -> bool {
        let endpoints = &self.observed.endpoints;
        endpoints.proxy_mode == Answer::Refused
            && (endpoints.healthz == Answer::Refused || self.antrea.is_some())
            && self.observed.pods.is_some()
            && self.proxy.is_none()
    }

    /// The mode that the Pod of kube-proxy is told to run in.
    pub(super) fn told(&self) -> Option<LiveMode> {
        let of = |witness| {
            self.evidence
                .iter()
                .find(|evidence| evidence.witness == witness)
                .and_then(|evidence| evidence.mode)
        };
        of(Witness::CommandLine).or_else(|| of(Witness::MountedConfiguration))
    }

    /// How Antrea is set up, for the report.
    pub(super) fn antrea_report(&self) -> Option<Antrea> {
        let config = self.antrea.as_ref()?.config.as_ref()?;
        Some(Antrea {
            antrea_proxy: config.enabled,
            proxy_all: config.proxy_all,
            proxy_load_balancer_ips: config.load_balancer_ips,
        })
    }

    fn say(&mut self, witness: Witness, mode: Option<LiveMode>, message: impl Into<String>) {
        self.evidence.push(Evidence {
            witness,
            mode,
            message: message.into(),
        });
    }

    fn hear_proxy_mode(&mut self) {
        let address = &self.observed.endpoints.metrics_address;
        let message = match body(&self.observed.endpoints.proxy_mode, address, "/proxyMode") {
            Err(silence) => silence,
            Ok(body) => match endpoints::proxy_mode(body) {
                Ok(mode) => {
                    self.proxy_mode = live_mode(mode);
                    format!("{address}/proxyMode says {mode}")
                }
                Err(error) => format!("{address}/proxyMode: {error}"),
            },
        };
        self.say(Witness::ProxyModeEndpoint, self.proxy_mode, message);
    }

    fn hear_configz(&mut self) {
        let address = &self.observed.endpoints.metrics_address;
        let message = match body(&self.observed.endpoints.configz, address, "/configz") {
            Err(silence) => silence,
            Ok(body) => match endpoints::configz(body) {
                Ok(config) => {
                    let mode = match config.mode {
                        Some(mode) => format!("mode {mode}"),
                        None => "no mode".to_owned(),
                    };
                    let strict_arp = match config.strict_arp {
                        Some(value) => format!(" and ipvs.strictARP {value}"),
                        None => String::new(),
                    };
                    self.configz = Some(config);
                    format!("{address}/configz says {mode}{strict_arp}")
                }
                Err(error) => format!("{address}/configz: {error}"),
            },
        };
        let mode = self.configz.as_ref().and_then(|config| config.mode);
        self.say(Witness::Configz, mode.and_then(live_mode), message);
    }

    fn read_command_line(&mut self) {
        let (mode, message) = match &self.proxy {
            None if self.observed.pods.is_none() => {
                (None, "the API server has not been heard yet".to_owned())
            }
            None => (None, "no Pod of kube-proxy is on this node".to_owned()),
            Some(proxy) => {
                let pod = format!("Pod {}", proxy.pod.metadata.id);
                match &proxy.workload.source {
                    Source::ConfigMap(_) => (
                        None,
                        format!("{pod} is started with --config, which replaces its other flags"),
                    ),
                    Source::Elsewhere(problem) => (None, format!("{pod}: {}", problem.message)),
                    Source::Hidden => (None, format!("{pod} does not show its command line")),
                    Source::Flags(flags) => match &flags.mode {
                        Ok(Some(mode)) => (
                            live_mode(*mode),
                            format!("{pod} is started with --proxy-mode={mode}"),
                        ),
                        Ok(None) => {
                            let (mode, words) = self.unset();
                            (mode, format!("{pod} is started without a mode, {words}"))
                        }
                        Err(error) => (None, format!("{pod} does not start: {error}")),
                    },
                }
            }
        };
        self.say(Witness::CommandLine, mode, message);
    }

    fn read_mounted(&mut self) {
        let (mode, message) = match &self.mounted {
            Mounted::NotInConfigMap => return,
            Mounted::Missing(location) => (None, format!("{location} does not exist")),
            Mounted::Refused(location, refusal) => (None, format!("{location}: {refusal}")),
            Mounted::Read(location, config) => match config.mode {
                ConfiguredMode::Known(mode) => (
                    live_mode(mode),
                    format!(
                        "{location} says mode {mode} and ipvs.strictARP {}",
                        config.strict_arp
                    ),
                ),
                ConfiguredMode::Unset => {
                    let (mode, words) = self.unset();
                    (mode, format!("{location} says no mode, {words}"))
                }
            },
        };
        self.say(Witness::MountedConfiguration, mode, message);
    }

    /// What kube-proxy makes of an unset mode: iptables up to 1.39, nftables from 1.40.
    fn unset(&self) -> (Option<LiveMode>, &'static str) {
        match self.version() {
            None => (None, "which depends on kube-proxy's version"),
            Some(version) if version < (1, 40) => {
                (Some(LiveMode::Iptables), "which is iptables up to 1.39")
            }
            Some(_) => (Some(LiveMode::Nftables), "which is nftables from 1.40"),
        }
    }

    fn read_antrea(&mut self) {
        let pods = self.observed.pods.as_deref().unwrap_or_default();
        let Some(pod) = pods::with_role(&self.observed.node, pods, Role::Antrea).next() else {
            if self.observed.kernel.links.contains_key(ANTREA_LINK) {
                self.say(
                    Witness::Antrea,
                    None,
                    "antrea-gw0 is there, and no Pod antrea-agent is known on this node",
                );
            }
            return;
        };
        let image = pod
            .spec
            .containers
            .iter()
            .find(|container| container.name == "antrea-agent")
            .map(|container| container.image.clone())
            .unwrap_or_default();
        let version = AntreaVersion::of_image(&image);
        let (config, mode, message) = match self.antrea_text(pod) {
            None => (
                None,
                None,
                format!(
                    "Pod {} mounts no antrea-agent.conf that could be read",
                    pod.metadata.id
                ),
            ),
            Some((map, text)) => match AntreaConfig::parse(text) {
                Err(error) => (None, None, format!("ConfigMap {map}: {error}")),
                Ok(config) => {
                    let serves = config.proxy_all && config.load_balancer_ips;
                    let message = format!("ConfigMap {map} says {}", describe(&config));
                    (
                        Some(config),
                        serves.then_some(LiveMode::AntreaProxyAll),
                        message,
                    )
                }
            },
        };
        self.antrea = Some(AntreaSeen {
            config,
            version,
            image,
        });
        self.say(Witness::Antrea, mode, message);
    }

    /// The text of `antrea-agent.conf` in one of the ConfigMaps that the agent mounts. Before 1.7 its name ended in a hash.
    fn antrea_text(&self, pod: &Pod) -> Option<(String, &'a str)> {
        let observed = self.observed;
        pods::projections(pod).find_map(|projection| {
            let map = observed.config_maps.iter().find(|map| {
                map.metadata.id.name == projection.name
                    && map.metadata.id.namespace == pod.metadata.id.namespace
            })?;
            let text = map.data.get("antrea-agent.conf")?;
            Some((map.metadata.id.to_string(), text.as_str()))
        })
    }

    fn look_at_kernel(&mut self) {
        let found = traces(&self.observed.kernel);
        self.traces = found.keys().copied().collect();
        let mode = match self.traces.as_slice() {
            [mode] => Some(*mode),
            _ => None,
        };
        let mut parts: Vec<String> = found
            .iter()
            .map(|(mode, traces)| {
                let traces: Vec<&str> = traces.iter().map(String::as_str).collect();
                format!("signs of {mode}: {}", traces.join(", "))
            })
            .collect();
        if parts.is_empty() {
            parts.push("no signs of any mode".to_owned());
        }
        if !self.observed.kernel.legacy_tables.is_empty() {
            parts.push(format!(
                "legacy iptables in use, which is not looked into ({})",
                self.observed.kernel.legacy_tables.join(", ")
            ));
        }
        if !self.observed.kernel.unread.is_empty() {
            parts.push(format!(
                "not everything could be read ({})",
                self.observed.kernel.unread.join("; ")
            ));
        }
        self.say(Witness::Kernel, mode, parts.join("; "));
    }
}

/// The body of a good answer, or what to say about any other.
fn body<'a>(answer: &'a Answer, address: &str, path: &str) -> Result<&'a str, String> {
    match answer {
        Answer::Http { status: 200, body } => Ok(body),
        Answer::Http { status, .. } => Err(format!("{address}{path} answers HTTP {status}")),
        Answer::Refused => Err(format!("nothing listens on {address}")),
        Answer::Failed(how) => Err(format!("{address}{path} does not answer: {how}")),
    }
}

fn describe(config: &AntreaConfig) -> String {
    if !config.enabled {
        return "AntreaProxy is off".to_owned();
    }
    if !config.proxy_all {
        return "AntreaProxy without proxyAll, so traffic from outside is kube-proxy's".to_owned();
    }
    let mut text = "AntreaProxy with proxyAll".to_owned();
    if !config.load_balancer_ips {
        text.push_str(" and proxyLoadBalancerIPs false, so LoadBalancer addresses are not its own");
    }
    if !config.skip_services.is_empty() {
        text.push_str(&format!(
            ", except for skipServices {}",
            config.skip_services.join(", ")
        ));
    }
    text
}

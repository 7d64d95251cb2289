//! How Antrea is set up: `antrea-agent.conf`, `antrea-controller.conf`, and the version in the image's tag.

use std::fmt;

use serde::Deserialize;

/// What Antrea's agent was told about Services. A key that is commented out has Antrea's default, which differs between
/// versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AntreaConfig {
    /// AntreaProxy serves Pods' traffic to Services: `antreaProxy.enable`, or the feature gate that came before it.
    pub enabled: bool,
    /// AntreaProxy serves traffic from outside as well.
    pub proxy_all: bool,
    /// With `proxy_all`: LoadBalancer addresses, too.
    pub load_balancer_ips: bool,
    /// Services that are left to kube-proxy, by `NAMESPACE/NAME` or address.
    pub skip_services: Vec<String>,
}

/// `antrea-agent.conf` or `antrea-controller.conf` cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration of Antrea cannot be read: {0}")]
pub struct AntreaConfigError(pub String);

/// What Antrea's controller was told about external IPs of Services, by `antrea-controller.conf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AntreaControllerConfig {
    /// The feature gate `ServiceExternalIP`; `None` if it is not set, so that the version decides.
    pub service_external_ip: Option<bool>,
}

/// A version of Antrea as far as decisions need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AntreaVersion {
    /// As in 2 of v2.1.0.
    pub major: u32,
    /// As in 1 of v2.1.0.
    pub minor: u32,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct File {
    feature_gates: Option<Gates>,
    antrea_proxy: Option<Proxy>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Gates {
    antrea_proxy: Option<bool>,
    #[serde(rename = "ServiceExternalIP")]
    service_external_ip: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Proxy {
    enable: Option<bool>,
    proxy_all: Option<bool>,
    #[serde(rename = "proxyLoadBalancerIPs")]
    proxy_load_balancer_ips: Option<bool>,
    skip_services: Option<Vec<String>>,
}

// === impl AntreaConfig ===

impl AntreaConfig {
    /// Reads `antrea-agent.conf`. AntreaProxy is on by default (since 0.11), `proxyAll` is off (it came with 1.4), and
    /// with it LoadBalancer addresses are served unless that is said to be off.
    pub fn parse(text: &str) -> Result<Self, AntreaConfigError> {
        let file = File::parse(text)?;
        let proxy = file.antrea_proxy.unwrap_or_default();
        let gate = file.feature_gates.unwrap_or_default().antrea_proxy;
        let enabled = proxy.enable.unwrap_or(true) && gate.unwrap_or(true);
        Ok(Self {
            enabled,
            proxy_all: enabled && proxy.proxy_all.unwrap_or(false),
            load_balancer_ips: proxy.proxy_load_balancer_ips.unwrap_or(true),
            skip_services: proxy.skip_services.unwrap_or_default(),
        })
    }
}

// === impl AntreaControllerConfig ===

impl AntreaControllerConfig {
    /// Reads `antrea-controller.conf`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn parse(text: &str) -> Result<Self, AntreaConfigError> {
        let gates = File::parse(text)?.feature_gates.unwrap_or_default();
        Ok(Self {
            service_external_ip: gates.service_external_ip,
        })
    }

    /// Whether Antrea itself serves external IPs of Services. The feature is on by default since 2.3. Of an unknown version
    /// it is supposed: nobody answering for an address can be seen and put right, two announcers cannot be told apart.
    pub fn serves(self, version: Option<AntreaVersion>) -> bool {
        let by_default = version.is_none_or(|version| version >= AntreaVersion::SERVES_BY_DEFAULT);
        self.service_external_ip.unwrap_or(by_default)
    }
}

impl File {
    fn parse(text: &str) -> Result<Self, AntreaConfigError> {
        if is_empty(text) {
            return Ok(Self::default());
        }
        let file: Option<Self> = serde_saphyr::from_str(text)
            .map_err(|error| AntreaConfigError(first_line(&error.to_string())))?;
        Ok(file.unwrap_or_default())
    }
}

/// Nothing but comments: everything has its default.
fn is_empty(text: &str) -> bool {
    text.lines()
        .map(str::trim)
        .all(|line| line.is_empty() || line.starts_with('#') || line == "---")
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

// === impl AntreaVersion ===

impl AntreaVersion {
    /// From this one on, AntreaProxy with `proxyAll` goes before the rules of a kube-proxy in mode iptables; before, it
    /// was the other way round.
    pub const GOES_FIRST: Self = Self { major: 2, minor: 1 };

    /// The first version whose Egress works with strictARP: before, the nodes' kernels answered ARP for the egress addresses
    /// on `antrea-egress0`, and with strictARP nobody did (antrea-io/antrea issue 3804, pull request 3837).
    pub const EGRESS_WITH_STRICT_ARP: Self = Self { major: 1, minor: 7 };

    /// The first version whose feature gate `ServiceExternalIP` is on by default (antrea-io/antrea pull request 6903).
    pub const SERVES_BY_DEFAULT: Self = Self { major: 2, minor: 3 };

    /// The version in an image's tag, as in `antrea/antrea-agent-ubuntu:v2.1.0`; `None` for `latest`, a digest alone, or a
    /// name of somebody's own.
    pub fn of_image(image: &str) -> Option<Self> {
        let (major, minor) = image_version(image)?;
        Some(Self { major, minor })
    }
}

impl fmt::Display for AntreaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Major and minor version in an image's tag.
pub(crate) fn image_version(image: &str) -> Option<(u32, u32)> {
    let named = image.split('@').next()?;
    let (_, tag) = named.rsplit('/').next()?.split_once(':')?;
    version(tag)
}

/// Major and minor of a version such as `v1.35.4` or `2.1.0-rc.0`.
pub(crate) fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text
        .strip_prefix('v')
        .unwrap_or(text)
        .split(['.', '-', '+']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests;

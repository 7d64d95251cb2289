//! What kube-proxy reads from a text at its next start, and whether it starts at all.

use super::decision::Warning;
use super::scalar::{self, Value};
use super::schema::{self, CONFIGURATION};
use super::source::{Format, Source};
use super::tree::{Id, Kind, Style, Tree};
use super::{Reason, Refusal, address, json, validity, yaml};
use crate::proxy_mode::ProxyMode;

/// The mode as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfiguredMode {
    /// Missing, empty or null: kube-proxy chooses (iptables up to 1.39, nftables from 1.40).
    Unset,
    /// One of the modes.
    Known(ProxyMode),
}

impl ConfiguredMode {
    /// The mode, if there is one.
    pub fn known(self) -> Option<ProxyMode> {
        match self {
            Self::Unset => None,
            Self::Known(mode) => Some(mode),
        }
    }
}

/// The parts of kube-proxy's configuration that matter here, as kube-proxy will have them after its next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyConfig {
    /// The mode.
    pub mode: ConfiguredMode,
    /// `ipvs.strictARP`.
    pub strict_arp: bool,
    /// Where `/proxyMode`, `/configz` and `/metrics` are served: `metricsBindAddress` with kube-proxy's defaults.
    pub metrics_bind_address: String,
    /// Where `/healthz` and `/livez` are served: `healthzBindAddress` with kube-proxy's defaults.
    pub healthz_bind_address: String,
}

/// The state of `ipvs.strictARP`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StrictArp {
    /// No such key: false.
    Absent,
    /// A boolean, or null for false; the text of the token if there is one.
    Is(bool, Option<String>),
    /// A boolean in quotes: a text, with which kube-proxy does not start.
    Quoted(String),
    /// Anything else, in words.
    Wrong(String),
}

/// A text that kube-proxy starts with, but for the value of `strictARP`.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) source: Source<'a>,
    pub(super) tree: Tree<'a>,
    pub(super) mode: ConfiguredMode,
    pub(super) strict_arp: StrictArp,
    /// The line of the deciding value, if it is in the text.
    pub(super) strict_arp_line: Option<usize>,
    pub(super) mode_line: Option<usize>,
    pub(super) warnings: Vec<Warning>,
}

/// Reads a text as kube-proxy does, and refuses what it would not start with.
pub(super) fn read(bytes: &[u8]) -> Result<Reading<'_>, Refusal> {
    let source = Source::new(bytes)?;
    let tree = match source.format {
        Format::Json => json::read(source.text)?,
        Format::Yaml => yaml::read(source.text, source.first.clone())?,
    };
    let mut warnings = Vec::new();
    identify(&source, &tree)?;
    schema::check(&tree, tree.root, CONFIGURATION, "", &mut warnings)?;
    if mentions_configuration(source.tail()) {
        return Err(Refusal::whole(
            Reason::SeveralConfigurations,
            "there are two documents of kind KubeProxyConfiguration; kube-proxy reads only the first one, kubeadm \
             refuses both; remove the one that is not meant",
        ));
    }
    let mode_entry = tree.get(tree.root, "mode");
    let mode_line = mode_entry.map(|entry| tree.line(entry.value));
    let mode = match mode_entry.and_then(|entry| tree.value(entry.value)) {
        Some(Value::Text(text)) if !text.is_empty() => {
            ConfiguredMode::Known(text.parse().map_err(|error| {
                Refusal::at(
                    mode_line.unwrap_or(1),
                    Reason::UnknownMode,
                    format!("`mode` is wrong, and kube-proxy does not start: {error}"),
                )
            })?)
        }
        _ => ConfiguredMode::Unset,
    };
    validity::check(&tree, mode)?;
    let (strict_arp, strict_arp_line) = strict_arp(&tree);
    Ok(Reading {
        source,
        tree,
        mode,
        strict_arp,
        strict_arp_line,
        mode_line,
        warnings,
    })
}

impl Reading<'_> {
    /// The configuration, if the value of `strictARP` is one that kube-proxy takes.
    pub(super) fn config(&self) -> Result<ProxyConfig, Refusal> {
        let strict_arp = match &self.strict_arp {
            StrictArp::Absent => false,
            StrictArp::Is(value, _) => *value,
            StrictArp::Quoted(text) | StrictArp::Wrong(text) => {
                return Err(not_a_boolean(self.strict_arp_line, text));
            }
        };
        let text = |name: &str| {
            let entry = self.tree.get(self.tree.root, name)?;
            match self.tree.value(entry.value) {
                Some(Value::Text(text)) if !text.is_empty() => Some(text),
                _ => None,
            }
        };
        let v6 = text("bindAddress")
            .and_then(address::ip)
            .is_some_and(|ip| ip.is_ipv6());
        let or_default = |name, any: &str, port| match text(name) {
            Some(text) => address::with_port(text, port),
            None => format!("{any}:{port}"),
        };
        Ok(ProxyConfig {
            mode: self.mode,
            strict_arp,
            metrics_bind_address: or_default(
                "metricsBindAddress",
                if v6 { "[::1]" } else { "127.0.0.1" },
                10249,
            ),
            healthz_bind_address: or_default(
                "healthzBindAddress",
                if v6 { "[::]" } else { "0.0.0.0" },
                10256,
            ),
        })
    }
}

/// What to say about a `strictARP` that is no boolean.
pub(super) fn not_a_boolean(line: Option<usize>, found: &str) -> Refusal {
    Refusal::at(
        line.unwrap_or(1),
        Reason::NotABoolean,
        format!(
            "`ipvs.strictARP` is {found}, not a boolean, and kube-proxy does not start with it; write true or false \
             without quotes"
        ),
    )
}

fn strict_arp(tree: &Tree<'_>) -> (StrictArp, Option<usize>) {
    let entry = tree
        .get(tree.root, "ipvs")
        .and_then(|ipvs| tree.get(ipvs.value, "strictARP"));
    let Some(entry) = entry else {
        return (StrictArp::Absent, None);
    };
    let target = &tree.nodes[tree.target(entry.value)];
    let state = match (tree.value(entry.value), &target.kind) {
        (Some(Value::Bool(value)), Kind::Scalar(text, _)) => {
            StrictArp::Is(value, Some(text.to_string()))
        }
        (Some(Value::Null), _) => StrictArp::Is(false, None),
        (Some(Value::Text(text)), Kind::Scalar(_, Style::Quoted))
            if target.tag.is_none() && scalar::boolean(text).is_some() =>
        {
            StrictArp::Quoted(format!("the text {text:?}"))
        }
        (Some(value), _) => StrictArp::Wrong(value.describe()),
        (None, Kind::Map(_)) => StrictArp::Wrong("a map".into()),
        (None, _) => StrictArp::Wrong("a list".into()),
    };
    (state, Some(tree.line(entry.value)))
}

/// Checks `kind` and `apiVersion`. kube-proxy looks for them twice, the first time without regard to case, so that a
/// second spelling could win.
fn identify(source: &Source<'_>, tree: &Tree<'_>) -> Result<(), Refusal> {
    let root = tree.root;
    if tree.map(root).is_none() {
        if tree.value(root) == Some(Value::Null) {
            return Err(Refusal::whole(
                Reason::NoConfiguration,
                "the first document is empty, and kube-proxy reads only that one, so it would not start; remove it",
            ));
        }
        let hint = super::guard::line_of(tree.text, tree.nodes[root].span.start);
        return Err(Refusal::at(
            tree.line(root),
            if hint.contains("{{") {
                Reason::Template
            } else {
                Reason::NotAMap
            },
            "this is not a map of fields, so it is no configuration of kube-proxy, which would not start",
        ));
    }
    let mut second: Option<(Id, &str)> = None;
    tree.apply(root, false, &mut |entry| {
        if let Some(key) = tree.key(entry.key) {
            for name in ["kind", "apiVersion"] {
                if key != name && folds_to(key, name) {
                    second.get_or_insert((entry.key, name));
                }
            }
        }
    });
    if let Some((key, name)) = second {
        return Err(Refusal::at(
            tree.line(key),
            Reason::DuplicateKey,
            format!(
                "kube-proxy may take this key for `{name}`, which it seeks without regard to case; remove it"
            ),
        ));
    }
    let elsewhere = mentions_configuration(source.tail());
    let expected = [
        (
            "kind",
            "KubeProxyConfiguration",
            Reason::MissingKind,
            Reason::WrongKind,
        ),
        (
            "apiVersion",
            "kubeproxy.config.k8s.io/v1alpha1",
            Reason::MissingApiVersion,
            Reason::UnsupportedApiVersion,
        ),
    ];
    for (name, wanted, missing, wrong) in expected {
        let entry = tree.get(root, name);
        let found = entry.map(|entry| tree.value(entry.value));
        match found {
            Some(Some(Value::Text(text))) if text == wanted => {}
            None | Some(Some(Value::Null | Value::Text(""))) if !elsewhere => {
                return Err(Refusal::whole(
                    missing,
                    format!(
                        "`{name}` is missing, and kube-proxy does not start without it; add `{name}: {wanted}`"
                    ),
                ));
            }
            _ if elsewhere && name == "kind" => {
                return Err(Refusal::whole(
                    Reason::NotFirstDocument,
                    "kube-proxy reads only the first document, and the KubeProxyConfiguration is not the first; \
                     move it to the top",
                ));
            }
            _ => {
                let line = entry.map_or(1, |entry| tree.line(entry.value));
                let found = match found.flatten() {
                    Some(value) => value.describe(),
                    None => "not a text".into(),
                };
                return Err(Refusal::at(
                    line,
                    wrong,
                    format!(
                        "`{name}` is {found}, and kube-proxy starts only with {wanted}; \
                         check that this is the key that kube-proxy mounts"
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// Go's equality without case: Unicode folds two more letters to ASCII ones.
fn folds_to(key: &str, name: &str) -> bool {
    let folded: String = key
        .chars()
        .map(|character| match character {
            '\u{212a}' => 'k',
            '\u{17f}' => 's',
            other => other.to_ascii_lowercase(),
        })
        .collect();
    folded == name.to_ascii_lowercase()
}

/// Whether a later document, which may even be broken, calls itself a configuration of kube-proxy.
fn mentions_configuration(tail: &str) -> bool {
    tail.lines().any(|line| {
        line.split_once("KubeProxyConfiguration")
            .is_some_and(|(before, _)| before.contains("kind") && !before.contains('#'))
    })
}

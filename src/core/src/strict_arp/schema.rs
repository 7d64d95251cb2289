//! The fields of `KubeProxyConfiguration` (v1alpha1) with the types that Go's JSON decoder demands.
//!
//! A value of the wrong type is fatal at kube-proxy's start, in its lenient mode too; an unknown field is not.

use super::decision::Warning;
use super::scalar::Value;
use super::tree::{Entry, Id, Tree};
use super::{Reason, Refusal, WarningReason, address};

/// What the decoder demands of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Type {
    Text,
    Bool,
    /// Checked by the caller, who has more to say about it.
    StrictArp,
    Int32,
    /// A 32-bit whole number from 0 on.
    Uint32,
    Float,
    /// A text such as `30s`; null is fatal too.
    Duration,
    /// The same, or null.
    OptionalDuration,
    /// A text such as `5s` or whole nanoseconds.
    DurationOrInt,
    /// `0`, with or without quotes; other values need a feature gate that cannot be seen here.
    Zero,
    /// Absent or false; true needs a feature gate that cannot be seen here.
    False,
    TextList,
    BoolMap,
    List(&'static [Field]),
    Map(&'static [Field]),
}

/// A name and its type.
pub(super) type Field = (&'static str, Type);

const OUTPUT: &[Field] = &[("splitStream", Type::False), ("infoBufferSize", Type::Zero)];

/// The whole configuration.
pub(super) const CONFIGURATION: &[Field] = &[
    ("apiVersion", Type::Text),
    ("kind", Type::Text),
    ("mode", Type::Text),
    ("ipvs", Type::Map(IPVS)),
    ("bindAddress", Type::Text),
    ("bindAddressHardFail", Type::Bool),
    (
        "clientConnection",
        Type::Map(&[
            ("kubeconfig", Type::Text),
            ("acceptContentTypes", Type::Text),
            ("contentType", Type::Text),
            ("qps", Type::Float),
            ("burst", Type::Int32),
        ]),
    ),
    ("clusterCIDR", Type::Text),
    ("configSyncPeriod", Type::Duration),
    (
        "conntrack",
        Type::Map(&[
            ("maxPerCore", Type::Int32),
            ("min", Type::Int32),
            ("tcpEstablishedTimeout", Type::OptionalDuration),
            ("tcpCloseWaitTimeout", Type::OptionalDuration),
            ("tcpBeLiberal", Type::Bool),
            ("udpTimeout", Type::Duration),
            ("udpStreamTimeout", Type::Duration),
        ]),
    ),
    (
        "detectLocal",
        Type::Map(&[
            ("bridgeInterface", Type::Text),
            ("interfaceNamePrefix", Type::Text),
        ]),
    ),
    ("detectLocalMode", Type::Text),
    ("enableProfiling", Type::Bool),
    ("featureGates", Type::BoolMap),
    ("healthzBindAddress", Type::Text),
    ("hostnameOverride", Type::Text),
    (
        "iptables",
        Type::Map(&[
            ("masqueradeBit", Type::Int32),
            ("masqueradeAll", Type::Bool),
            ("localhostNodePorts", Type::Bool),
            ("syncPeriod", Type::Duration),
            ("minSyncPeriod", Type::Duration),
        ]),
    ),
    (
        "logging",
        Type::Map(&[
            ("format", Type::Text),
            ("flushFrequency", Type::DurationOrInt),
            ("verbosity", Type::Uint32),
            (
                "vmodule",
                Type::List(&[("filePattern", Type::Text), ("verbosity", Type::Uint32)]),
            ),
            (
                "options",
                Type::Map(&[("text", Type::Map(OUTPUT)), ("json", Type::Map(OUTPUT))]),
            ),
        ]),
    ),
    ("metricsBindAddress", Type::Text),
    (
        "nftables",
        Type::Map(&[
            ("masqueradeBit", Type::Int32),
            ("masqueradeAll", Type::Bool),
            ("syncPeriod", Type::Duration),
            ("minSyncPeriod", Type::Duration),
        ]),
    ),
    ("nodePortAddresses", Type::TextList),
    ("oomScoreAdj", Type::Int32),
    ("portRange", Type::Text),
    ("showHiddenMetricsForVersion", Type::Text),
    ("windowsRunAsService", Type::Bool),
    (
        "winkernel",
        Type::Map(&[
            ("networkName", Type::Text),
            ("sourceVip", Type::Text),
            ("enableDSR", Type::Bool),
            ("rootHnsEndpointName", Type::Text),
            ("forwardHealthCheckVip", Type::Bool),
        ]),
    ),
];

/// The section `ipvs`.
const IPVS: &[Field] = &[
    ("strictARP", Type::StrictArp),
    ("excludeCIDRs", Type::TextList),
    ("minSyncPeriod", Type::Duration),
    ("scheduler", Type::Text),
    ("syncPeriod", Type::Duration),
    ("tcpFinTimeout", Type::Duration),
    ("tcpTimeout", Type::Duration),
    ("udpTimeout", Type::Duration),
];

/// Keys on which the verdict rests: two of them in one map are refused, even if kube-proxy takes the last.
const DECIDING: &[&str] = &["apiVersion", "kind", "mode", "ipvs", "strictARP"];

/// Checks a map against its fields, and collects warnings on the way.
pub(super) fn check(
    tree: &Tree<'_>,
    id: Id,
    fields: &[Field],
    path: &str,
    warnings: &mut Vec<Warning>,
) -> Result<(), Refusal> {
    if tree.value(id) == Some(Value::Null) {
        return Ok(());
    }
    if tree.map(id).is_none() {
        return wrong(tree, id, path, "a map");
    }
    let mut last: Vec<Option<Entry>> = vec![None; fields.len()];
    let mut every = Vec::new();
    let mut failure = None;
    tree.apply(id, false, &mut |entry| {
        let Some(name) = tree.key(entry.key) else { return };
        let Some(at) = fields.iter().position(|(field, _)| *field == name) else {
            if !entry.merged {
                warnings.extend(misspelt(tree, entry.key, name, fields, path));
            }
            return;
        };
        if let Some(first) = last[at]
            && !first.merged
            && !entry.merged
        {
            let (one, two) = (tree.line(first.key), tree.line(entry.key));
            if DECIDING.contains(&name) && (path.is_empty() || path == "ipvs.") {
                failure.get_or_insert_with(|| {
                    Refusal::at(
                        two,
                        Reason::DuplicateKey,
                        format!(
                            "`{path}{name}` is here and on line {one}; kube-proxy takes the last one and readers may take \
                             the first; remove one of them"
                        ),
                    )
                });
            } else {
                warnings.push(Warning {
                    reason: WarningReason::DuplicateKey,
                    message: format!(
                        "line {two}: `{path}{name}` is here and on line {one}; kube-proxy takes the last one and logs \
                         \"Using lenient decoding\"; remove one of them"
                    ),
                    line: Some(two),
                });
            }
        }
        last[at] = Some(entry);
        if tree.json {
            every.push((at, entry));
        }
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    if !tree.json {
        every.extend(
            last.iter()
                .enumerate()
                .filter_map(|(at, entry)| Some((at, (*entry)?))),
        );
    }
    for (at, entry) in every {
        let (name, expected) = fields[at];
        value(
            tree,
            entry.value,
            expected,
            &format!("{path}{name}"),
            warnings,
        )?;
    }
    Ok(())
}

fn value(
    tree: &Tree<'_>,
    id: Id,
    expected: Type,
    path: &str,
    warnings: &mut Vec<Warning>,
) -> Result<(), Refusal> {
    let found = tree.value(id);
    let int = |low: i128, high: i128| match found {
        Some(Value::Int(value)) => (low..=high).contains(&value),
        Some(Value::Float(value)) => {
            value.fract() == 0.0 && value >= low as f64 && value <= high as f64
        }
        other => other == Some(Value::Null),
    };
    let (fits, what) = match expected {
        Type::StrictArp => (true, ""),
        Type::Text => (
            matches!(found, Some(Value::Text(_) | Value::Null)),
            "a text; quote it",
        ),
        Type::Bool => (
            matches!(found, Some(Value::Bool(_) | Value::Null)),
            "true or false, without quotes",
        ),
        Type::False => (
            matches!(found, Some(Value::Bool(false) | Value::Null)),
            "false, as true needs a feature gate that cannot be checked here",
        ),
        Type::Zero => (
            matches!(found, Some(Value::Int(0) | Value::Text("0") | Value::Null)),
            "0, as other sizes need a feature gate that cannot be checked here",
        ),
        Type::Int32 => (
            int(i128::from(i32::MIN), i128::from(i32::MAX)),
            "a whole number of 32 bits, without quotes",
        ),
        Type::Uint32 => (
            int(0, i128::from(i32::MAX)),
            "a whole number from 0 on, without quotes",
        ),
        Type::Float => (
            matches!(found, Some(Value::Int(_) | Value::Null))
                || matches!(found, Some(Value::Float(value)) if tree.json || value.abs() < 1e38),
            "a number, without quotes",
        ),
        Type::Duration => (is_duration(found), "a duration such as 30s"),
        Type::OptionalDuration => (
            found == Some(Value::Null) || is_duration(found),
            "a duration such as 30s, or null",
        ),
        Type::DurationOrInt => (
            is_duration(found) || int(i128::from(i64::MIN), i128::from(i64::MAX)),
            "a duration such as 5s",
        ),
        Type::TextList | Type::List(_) => {
            if found == Some(Value::Null) {
                return Ok(());
            }
            let super::tree::Kind::Seq(items) = &tree.nodes[tree.target(id)].kind else {
                return wrong(tree, id, path, "a list");
            };
            for &item in items {
                match expected {
                    Type::List(fields) => {
                        check(tree, item, fields, &format!("{path}[]."), warnings)?
                    }
                    _ => value(tree, item, Type::Text, &format!("{path}[]"), warnings)?,
                }
            }
            return Ok(());
        }
        Type::BoolMap => {
            if found == Some(Value::Null) {
                return Ok(());
            }
            if tree.map(id).is_none() {
                return wrong(tree, id, path, "a map from names to true or false");
            }
            let mut failure = Ok(());
            tree.apply(id, false, &mut |entry| {
                if failure.is_ok() {
                    failure = value(tree, entry.value, Type::Bool, path, &mut Vec::new());
                }
            });
            return failure;
        }
        Type::Map(fields) => return check(tree, id, fields, &format!("{path}."), warnings),
    };
    if fits {
        Ok(())
    } else {
        wrong(tree, id, path, what)
    }
}

fn is_duration(found: Option<Value<'_>>) -> bool {
    matches!(found, Some(Value::Text(text)) if address::duration(text).is_some())
}

fn wrong<T>(tree: &Tree<'_>, id: Id, path: &str, expected: &str) -> Result<T, Refusal> {
    let path = path.trim_end_matches('.');
    let path = if path.is_empty() {
        "the configuration"
    } else {
        path
    };
    let found = match tree.value(id) {
        Some(value) => value.describe(),
        None if tree.map(id).is_some() => "a map".into(),
        None => "a list".into(),
    };
    Err(Refusal::at(
        tree.line(id),
        Reason::WrongType,
        format!("`{path}` is {found}, with which kube-proxy does not start; it must be {expected}"),
    ))
}

/// Without case and separators.
fn folded(name: &str) -> String {
    name.chars()
        .filter(|character| !matches!(character, '-' | '_'))
        .map(|character| character.to_ascii_lowercase())
        .collect()
}

fn misspelt(tree: &Tree<'_>, key: Id, name: &str, fields: &[Field], path: &str) -> Option<Warning> {
    if name.len() > 40 {
        return None;
    }
    let alike = |field: &str| {
        name.eq_ignore_ascii_case(field)
            || (name.contains(['-', '_']) && folded(name) == folded(field))
    };
    let line = tree.line_if(key, |_| {
        alike("strictARP") || fields.iter().any(|(field, _)| alike(field))
    })?;
    let warning = |reason, message| {
        Some(Warning {
            reason,
            message: format!("line {line}: {message}"),
            line: Some(line),
        })
    };
    if path.is_empty() && alike("strictARP") {
        return warning(
            WarningReason::MisplacedKey,
            format!(
                "`{name}` stands outside the `ipvs` section, where kube-proxy ignores it; remove it"
            ),
        );
    }
    let (field, _) = fields.iter().find(|(field, _)| alike(field))?;
    warning(
        WarningReason::KeyTypo,
        format!(
            "`{path}{name}` is not a key of kube-proxy, which ignores it; keys are case-sensitive, and it is called \
             `{path}{field}`"
        ),
    )
}

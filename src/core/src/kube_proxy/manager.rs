//! Who keeps kube-proxy's objects in shape and would undo an edit.

use std::fmt;

use super::installer::Installer;
use super::snapshot::Metadata;

/// Something that owns an object and writes it again: an edit beside it is reverted sooner or later.
///
/// kubeadm and people with kubectl are no managers in this sense: kubeadm keeps an edited kube-proxy configuration
/// through upgrades, *because* the edit breaks the hash in its annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manager {
    /// Argo CD, with the application's name where it is known.
    ArgoCd(Option<String>),
    /// A Kustomization of Flux.
    Flux(Option<String>),
    /// A Helm release.
    Helm(Option<String>),
    /// The add-on manager of the control plane, in mode Reconcile.
    AddonManager,
    /// The installer of the cluster itself.
    Installer(Installer),
    /// A controller's object, by owner reference: kind and name.
    Owner {
        /// Kind of the owner.
        kind: String,
        /// Name of the owner.
        name: String,
    },
    /// An unknown controller that sets this very key by server-side apply, by the name it gives itself.
    Applier(String),
}

// === impl Manager ===

impl Manager {
    /// Finds the manager of an object by its labels, annotations, owner references and field managers; for a ConfigMap,
    /// `key` is the one that matters. GitOps tools come first: they deploy Helm charts and add-ons as well.
    pub fn of(object: &Metadata, key: Option<&str>) -> Option<Self> {
        Self::by_marks(object)
            .or_else(|| Self::by_owner(object))
            .or_else(|| Self::by_field_manager(object, key))
    }

    fn by_marks(object: &Metadata) -> Option<Self> {
        let label = |key: &str| object.labels.get(key).map(String::as_str);
        let annotation = |key: &str| object.annotations.get(key).map(String::as_str);
        let either = |key: &str| annotation(key).or_else(|| label(key));
        let owned = |text: &str| Some(text.to_owned());
        if let Some(tracking) = either("argocd.argoproj.io/tracking-id") {
            return Some(Self::ArgoCd(owned(
                tracking.split(':').next().unwrap_or(tracking),
            )));
        }
        if let Some(instance) = either("argocd.argoproj.io/instance") {
            return Some(Self::ArgoCd(owned(instance)));
        }
        if let Some(name) = label("kustomize.toolkit.fluxcd.io/name") {
            let namespace = label("kustomize.toolkit.fluxcd.io/namespace").unwrap_or_default();
            return Some(Self::Flux(owned(&format!("{namespace}/{name}"))));
        }
        let installer = if label("eks.amazonaws.com/component").is_some() {
            Some(Installer::Eks)
        } else if label("kubernetes.azure.com/managedby") == Some("aks") {
            Some(Installer::Aks)
        } else if either("k0s.k0sproject.io/stack").is_some() {
            Some(Installer::K0s)
        } else if either("resources.gardener.cloud/managed-by").is_some()
            || either("resources.gardener.cloud/origin").is_some()
        {
            Some(Installer::Gardener)
        } else if object.id.namespace == "openshift-kube-proxy"
            || object.id.namespace == "openshift-sdn"
        {
            Some(Installer::OpenShift)
        } else if is_talos_name(&object.id.name) {
            Some(Installer::Talos)
        } else {
            None
        };
        if let Some(installer) = installer {
            return Some(Self::Installer(installer));
        }
        if label("app.kubernetes.io/managed-by") == Some("Helm")
            || annotation("meta.helm.sh/release-name").is_some()
            || label("helm.sh/chart").is_some()
        {
            return Some(Self::Helm(
                annotation("meta.helm.sh/release-name").and_then(owned),
            ));
        }
        if label("addonmanager.kubernetes.io/mode") == Some("Reconcile") {
            return Some(Self::AddonManager);
        }
        None
    }

    fn by_owner(object: &Metadata) -> Option<Self> {
        let owner = object.owners.first()?;
        Some(match owner.kind.as_str() {
            "Network" => Self::Installer(Installer::OpenShift),
            _ => Self::Owner {
                kind: owner.kind.clone(),
                name: owner.name.clone(),
            },
        })
    }

    fn by_field_manager(object: &Metadata, key: Option<&str>) -> Option<Self> {
        object
            .field_managers
            .iter()
            .filter(|manager| key.is_none_or(|key| manager.data_keys.contains(key)))
            .find_map(|manager| match manager.name.as_str() {
                "eks" => Some(Self::Installer(Installer::Eks)),
                "argocd-controller" | "argocd-application-controller" => Some(Self::ArgoCd(None)),
                "kustomize-controller" => Some(Self::Flux(None)),
                "helm" | "helm-controller" => Some(Self::Helm(None)),
                "k0s" => Some(Self::Installer(Installer::K0s)),
                "cluster-network-operator" => Some(Self::Installer(Installer::OpenShift)),
                "gardener-resource-manager" => Some(Self::Installer(Installer::Gardener)),
                "user-cluster-controller-manager" => Some(Self::Installer(Installer::Kubermatic)),
                name if name == "kubeadm" || name.starts_with("kubectl") => None,
                name if manager.applies && key.is_some() => Some(Self::Applier(name.to_owned())),
                _ => None,
            })
    }

    /// What to change so that the setting stays, instead of editing the ConfigMap.
    pub fn knob(&self) -> String {
        match self {
            Self::ArgoCd(Some(application)) => format!(
                "set ipvs.strictARP: true in the Git source of the Argo CD application {application} and sync it"
            ),
            Self::ArgoCd(None) => {
                "set ipvs.strictARP: true in the Git source of its Argo CD application and sync it".to_owned()
            }
            Self::Flux(name) => format!(
                "set ipvs.strictARP: true in the Git source of the Flux Kustomization{} and reconcile it",
                name.as_ref()
                    .map(|name| format!(" {name}"))
                    .unwrap_or_default()
            ),
            Self::Helm(release) => format!(
                "set ipvs.strictARP: true through the values of the Helm release{} and upgrade it",
                release
                    .as_ref()
                    .map(|release| format!(" {release}"))
                    .unwrap_or_default()
            ),
            Self::AddonManager => {
                "set ipvs.strictARP: true in the add-on's manifest on the control plane (usually under \
                 /etc/kubernetes/addons), from where the add-on manager restores this object"
                    .to_owned()
            }
            Self::Installer(installer) => installer.knob().to_owned(),
            Self::Owner { kind, name } => {
                format!("set it in the {kind} {name}, from which this object is made")
            }
            Self::Applier(name) => {
                format!("set it at the source from which {name} applies this object")
            }
        }
    }
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |f: &mut fmt::Formatter<'_>, what: &str, name: &Option<String>| match name {
            Some(name) => write!(f, "{what} {name}"),
            None => f.write_str(what),
        };
        match self {
            Self::ArgoCd(name) => named(f, "Argo CD application", name),
            Self::Flux(name) => named(f, "Flux Kustomization", name),
            Self::Helm(name) => named(f, "Helm release", name),
            Self::AddonManager => f.write_str("the add-on manager"),
            Self::Installer(installer) => installer.fmt(f),
            Self::Owner { kind, name } => write!(f, "{kind} {name}"),
            Self::Applier(name) => write!(f, "{name} (server-side apply)"),
        }
    }
}

/// Talos names the ConfigMap `kube-proxy-config-` and 16 hexadecimal digits of its content's hash.
fn is_talos_name(name: &str) -> bool {
    name.strip_prefix("kube-proxy-config-")
        .is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
#[path = "manager/tests.rs"]
mod tests;

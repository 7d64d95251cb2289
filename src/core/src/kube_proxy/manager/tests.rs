use super::*;
use crate::kube_proxy::snapshot::{FieldManager, ObjectName, Owner};

const KEY: &str = "config.conf";

fn object(labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Metadata {
    let pairs = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    };
    Metadata {
        id: ObjectName::new("kube-system", "kube-proxy"),
        labels: pairs(labels),
        annotations: pairs(annotations),
        ..Metadata::default()
    }
}

fn written_by(name: &str, applies: bool, key: &str) -> Metadata {
    let mut object = object(&[], &[]);
    object.field_managers.push(FieldManager {
        name: name.to_owned(),
        applies,
        time: None,
        data_keys: [key.to_owned()].into(),
    });
    object
}

fn some(name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[test]
fn managers_are_recognised_by_their_marks() {
    let installer = |installer| Some(Manager::Installer(installer));
    let cases = [
        (
            object(
                &[("app", "kube-proxy")],
                &[("kubeadm.kubernetes.io/component-config.hash", "sha256:00")],
            ),
            None,
        ),
        (
            object(
                &[],
                &[(
                    "argocd.argoproj.io/tracking-id",
                    "net:/ConfigMap:kube-system/kube-proxy",
                )],
            ),
            Some(Manager::ArgoCd(some("net"))),
        ),
        (
            object(
                &[
                    ("argocd.argoproj.io/instance", "net"),
                    ("app.kubernetes.io/managed-by", "Helm"),
                ],
                &[],
            ),
            Some(Manager::ArgoCd(some("net"))),
        ),
        (
            object(
                &[
                    ("kustomize.toolkit.fluxcd.io/name", "infra"),
                    ("kustomize.toolkit.fluxcd.io/namespace", "flux-system"),
                ],
                &[],
            ),
            Some(Manager::Flux(some("flux-system/infra"))),
        ),
        (
            object(
                &[("app.kubernetes.io/managed-by", "Helm")],
                &[("meta.helm.sh/release-name", "kp")],
            ),
            Some(Manager::Helm(some("kp"))),
        ),
        (
            object(&[("helm.sh/chart", "rke2-kube-proxy-1")], &[]),
            Some(Manager::Helm(None)),
        ),
        (
            object(
                &[
                    ("eks.amazonaws.com/component", "kube-proxy"),
                    ("k8s-app", "kube-proxy"),
                ],
                &[],
            ),
            installer(Installer::Eks),
        ),
        (
            object(
                &[
                    ("kubernetes.azure.com/managedby", "aks"),
                    ("addonmanager.kubernetes.io/mode", "Reconcile"),
                ],
                &[],
            ),
            installer(Installer::Aks),
        ),
        (
            object(&[("addonmanager.kubernetes.io/mode", "Reconcile")], &[]),
            Some(Manager::AddonManager),
        ),
        (
            object(&[("addonmanager.kubernetes.io/mode", "EnsureExists")], &[]),
            None,
        ),
        (
            object(&[("k0s.k0sproject.io/stack", "kubeproxy")], &[]),
            installer(Installer::K0s),
        ),
        (
            object(&[("resources.gardener.cloud/managed-by", "gardener")], &[]),
            installer(Installer::Gardener),
        ),
    ];
    for (object, expected) in cases {
        assert_eq!(Manager::of(&object, Some(KEY)), expected, "{object:?}");
    }
}

#[test]
fn managers_are_recognised_by_namespace_name_and_owner() {
    let mut openshift = object(&[], &[]);
    openshift.id = ObjectName::new("openshift-kube-proxy", "proxy-config");
    assert_eq!(
        Manager::of(&openshift, Some(KEY)),
        Some(Manager::Installer(Installer::OpenShift))
    );

    let mut talos = object(&[], &[]);
    talos.id.name = "kube-proxy-config-0123456789abcdef".to_owned();
    assert_eq!(
        Manager::of(&talos, Some(KEY)),
        Some(Manager::Installer(Installer::Talos))
    );
    talos.id.name = "kube-proxy-config".to_owned();
    assert_eq!(Manager::of(&talos, Some(KEY)), None);

    let mut owned = object(&[], &[]);
    owned.owners.push(Owner {
        kind: "KubeProxy".to_owned(),
        name: "main".to_owned(),
        uid: "1".to_owned(),
    });
    assert_eq!(
        Manager::of(&owned, Some(KEY)),
        Some(Manager::Owner {
            kind: "KubeProxy".to_owned(),
            name: "main".to_owned()
        })
    );
}

#[test]
fn field_managers_count_only_for_the_key_that_matters() {
    for (name, applies, expected) in [
        ("kubeadm", false, None),
        ("kubectl-edit", false, None),
        ("kubectl", true, None),
        ("some-script", false, None),
        ("eks", true, Some(Manager::Installer(Installer::Eks))),
        ("argocd-controller", true, Some(Manager::ArgoCd(None))),
        (
            "user-cluster-controller-manager",
            false,
            Some(Manager::Installer(Installer::Kubermatic)),
        ),
        (
            "platform-operator",
            true,
            Some(Manager::Applier("platform-operator".to_owned())),
        ),
    ] {
        let object = written_by(name, applies, KEY);
        assert_eq!(Manager::of(&object, Some(KEY)), expected, "{name}");
        let other_key = written_by(name, applies, "kubeconfig.conf");
        assert_eq!(Manager::of(&other_key, Some(KEY)), None, "{name}");
    }
}

#[test]
fn every_manager_says_what_to_set() {
    for (manager, text) in [
        (Manager::ArgoCd(some("net")), "application net"),
        (
            Manager::Flux(some("flux-system/infra")),
            "Kustomization flux-system/infra",
        ),
        (Manager::Helm(some("kp")), "release kp"),
        (Manager::AddonManager, "/etc/kubernetes/addons"),
        (
            Manager::Installer(Installer::K0s),
            "spec.network.kubeProxy.ipvs.strictARP: true",
        ),
        (
            Manager::Installer(Installer::OpenShift),
            "ipvs-strict-arp: [\"true\"]",
        ),
        (Manager::Installer(Installer::Rke2), "ipvs-strict-arp=true"),
        (Manager::Applier("x".to_owned()), "from which x applies"),
    ] {
        assert!(
            manager.knob().contains(text),
            "{manager}: {}",
            manager.knob()
        );
    }
}

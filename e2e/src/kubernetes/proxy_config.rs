//! kube-proxy's configuration, as kubeadm writes it.

use crate::plan::{POD_RANGES, api_server};
use crate::spec::{Spec, StrictArp};

/// The text of `config.conf`.
pub(super) fn text(spec: &Spec) -> String {
    let strict_arp = match spec.strict_arp {
        StrictArp::False => "false",
        StrictArp::True => "true",
        StrictArp::Absent => "",
    };
    let text = include_str!("../../manifests/kube-proxy-config.yaml")
        .replace("@CLUSTER_CIDR@", POD_RANGES)
        .replace("@MODE@", spec.proxy.as_str());
    match spec.strict_arp {
        StrictArp::Absent => text.replace("  strictARP: @STRICT_ARP@\n", ""),
        _ => text.replace("@STRICT_ARP@", strict_arp),
    }
}

/// The text for a kube-proxy that is a plain process in a node.
pub(super) fn light_text(spec: &Spec) -> String {
    text(spec).replace(
        "/var/lib/kube-proxy/kubeconfig.conf",
        "/tb/kube-proxy.kubeconfig",
    )
}

/// Service account, binding, ConfigMap and DaemonSet.
pub(super) fn manifest(spec: &Spec) -> String {
    let indented = text(spec).trim_end().replace('\n', "\n    ");
    include_str!("../../manifests/kube-proxy.yaml")
        .replace("@CONFIG@", &indented)
        .replace("@SERVER@", &api_server())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Proxy;

    fn spec(strict_arp: StrictArp) -> Spec {
        let name = "test".parse().expect("a valid name");
        Spec {
            strict_arp,
            proxy: Proxy::Nftables,
            ..Spec::new(name)
        }
    }

    #[test]
    fn says_what_was_asked_for() {
        let text = text(&spec(StrictArp::False));
        assert!(
            text.contains("\n  strictARP: false\n") && text.contains("\nmode: nftables\n"),
            "{text}"
        );
        assert!(super::text(&spec(StrictArp::True)).contains("\n  strictARP: true\n"));
    }

    #[test]
    fn absent_leaves_no_line() {
        assert!(!text(&spec(StrictArp::Absent)).contains("strictARP"));
    }

    #[test]
    fn no_placeholder_is_left() {
        for strict_arp in [StrictArp::False, StrictArp::True, StrictArp::Absent] {
            let manifest = manifest(&spec(strict_arp));
            assert!(!manifest.contains('@'), "{manifest}");
        }
    }
}

//! Where things are inside a bed. All of it is on a tmpfs over `/run` that only the bed sees, and that is gone with it.

use std::path::{Path, PathBuf};

const ROOT: &str = "/run/testbed";

/// The folder of a node, which the node sees as `/tb`.
pub(crate) fn node(name: &str) -> PathBuf {
    Path::new(ROOT).join("nodes").join(name)
}

/// Image tars, which nodes see as `/images` and import at boot.
pub(crate) fn images() -> PathBuf {
    Path::new(ROOT).join("images")
}

/// Log files of the control plane.
pub(crate) fn logs() -> PathBuf {
    Path::new(ROOT).join("log")
}

/// Programs: `kubectl` and the others as links to the one binary.
pub(crate) fn programs() -> PathBuf {
    Path::new(ROOT).join("bin")
}

/// Certificates, keys, kubeconfigs, manifests.
pub(crate) fn kubernetes() -> PathBuf {
    Path::new(ROOT).join("kubernetes")
}

/// The administrator's kubeconfig.
pub(crate) fn admin_kubeconfig() -> PathBuf {
    kubernetes().join("admin.kubeconfig")
}

/// Where kubectl keeps what it learns of the bed's API server.
pub(crate) fn kubectl_cache() -> PathBuf {
    kubernetes().join("kubectl-cache")
}

/// The first stage of a node.
pub(super) fn guest_init() -> PathBuf {
    Path::new(ROOT).join("guest-init")
}

/// User Mode Linux's management sockets.
pub(super) fn uml() -> PathBuf {
    Path::new(ROOT).join("uml")
}

/// Where kernels map their memory from.
pub(super) fn memory() -> PathBuf {
    Path::new(ROOT).join("memory")
}

/// Every folder that must exist before anything starts.
pub(super) fn folders() -> [PathBuf; 7] {
    [
        Path::new(ROOT).join("nodes"),
        images(),
        logs(),
        programs(),
        kubernetes(),
        uml(),
        memory(),
    ]
}

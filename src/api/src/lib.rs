//! The border between Kubernetes objects and Mooring's decisions.
//!
//! Objects from the API server (`k8s-openapi` types) become the snapshots that `mooring-core` decides on. Everything is
//! optional out there and nothing is in here: a field that is missing becomes the value that Kubernetes would assume.
//! No decision is taken in this crate, and it reads nothing itself.
//!
//! Mooring's own objects, group `mooring.dev`, are here as well: their types, and the CustomResourceDefinitions made from
//! them. They are the wire form; what is decided from them is decided in `mooring-core`.
//!
//! The `k8s-openapi` version feature is left to the binaries.

pub mod antrea_controller;
pub mod antrea_pool;
mod causes;
pub mod condition;
mod crds;
pub mod external_ip;
pub mod external_ip_pool;
mod metadata;
pub mod network;
pub mod node_proxy_state;
mod object;
pub mod peer_keys;
mod pod;
mod selector;
mod service;
pub mod service_proxy;

pub use causes::causes;
pub use crds::{Manifest, crds, manifests};
pub use external_ip::ExternalIP;
pub use external_ip_pool::ExternalIPPool;
pub use metadata::timestamp;
pub use node_proxy_state::NodeProxyState;
pub use object::{cluster_node, config_map, daemon_set, node};
pub use pod::pod;
pub use selector::selector;
pub use service::service;
pub use service_proxy::ServiceProxy;

#[cfg(test)]
mod tests;

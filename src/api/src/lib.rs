//! The border between Kubernetes objects and Mooring's decisions.
//!
//! Objects from the API server (`k8s-openapi` types) become the snapshots that `mooring-core` decides on. Everything is
//! optional out there and nothing is in here: a field that is missing becomes the value that Kubernetes would assume.
//! No decision is taken in this crate, and it reads nothing itself.
//!
//! The `k8s-openapi` version feature is left to the binaries.

mod metadata;
mod object;
mod pod;

pub use metadata::timestamp;
pub use object::{config_map, daemon_set, node};
pub use pod::pod;

#[cfg(test)]
mod tests;

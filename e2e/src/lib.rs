//! A real Kubernetes cluster on one small machine, with one Linux kernel per node.
//!
//! Nodes are User Mode Linux processes with containerd and a kubelet in them; the control plane, clients and the router
//! are network namespaces; all of them share one segment, a bridge. Nodes can lose power, freeze and be partitioned,
//! each within milliseconds. No virtualisation, container engine or module of the host's kernel is needed.
//!
//! ```text
//!            testbed (CLI) or a test
//!                 | control socket                       bed: one pid + mount namespace
//! ----------------|-------------------------------------------------------------------
//!            supervisor --- etcd, kube-apiserver, ...  in network namespace cp
//!                 |--------- client, router            network namespaces
//!                 `--------- n1, n2, n3                kernels: containerd, kubelet, kube-proxy
//!                              `--- all on the bridge `lan` in namespace fabric
//! ```
//!
//! Tests use [`Bed::fixture`]; people use the program `testbed`.

#![deny(unsafe_code)]

pub mod asker;
mod bed;
pub mod cache;
pub mod image;
mod kubernetes;
pub mod pki;
pub mod plan;
pub mod probe;
pub mod protocol;
pub mod setup;
mod shell;
pub mod spec;
pub mod steady;
mod supervisor;
pub mod watcher;

pub use bed::{Bed, Fixture, Ran};
pub use supervisor::{Orders, supervise};

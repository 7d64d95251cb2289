//! Every decision Mooring takes, as synchronous functions from snapshots to data.
//!
//! Nothing here reads a clock, a file, a socket, an environment variable or the Kubernetes API: the shells
//! (`kubectl-mooring`, the operator, the agent) read the world, hand a snapshot in and carry out what comes back.
//! A "no" is always an enum value that prints well, so that conditions, events, logs and tests show the same reason.

mod bytes;
pub mod condition;
pub mod external_ip;
pub mod fencing;
pub mod fleet;
pub mod guard;
pub mod handover;
pub mod ipam;
pub mod kube_proxy;
pub mod liveness;
pub mod mooring;
pub mod node;
pub mod peer;
pub mod placement;
pub mod proxy_mode;
pub mod remediation;
pub mod strict_arp;
pub mod succession;
pub mod wire;

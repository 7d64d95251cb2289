//! Where kube-proxy runs, what it was told, and who will undo a change of that.
//!
//! ```text
//! DaemonSets, Pods ─ discovery ─▶ workload ─ command_line ─▶ --config ─ location ─▶ ConfigMap + key ─ manager ─▶ owner
//!                                               └──▶ flags only ─ installer ─▶ what to set, and where
//! ```
//!
//! Nothing is found by a fixed name: installers differ in the names of the DaemonSet, of the ConfigMap and of the key,
//! and clusters with several kube-proxy DaemonSets (per architecture, per worker pool, Windows) exist.
//!
//! The inputs are snapshots of this module's own types; `mooring-api` makes them from Kubernetes objects.

pub mod command_line;
pub mod discovery;
pub mod installer;
pub mod location;
pub mod manager;
pub mod replacement;
pub mod snapshot;

pub use command_line::{CommandLine, Flags};
pub use discovery::{Discovery, MatchedBy, ProxyWorkload, SkipReason, Skipped, Source, discover};
pub use installer::Installer;
pub use location::{ConfigLocation, LocationProblem, ProblemReason};
pub use manager::Manager;
pub use replacement::Replacement;

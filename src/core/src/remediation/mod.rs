//! Is the cluster safe from the ARP side of kube-proxy, and if not, what exactly is to be done?
//!
//! ```text
//! Observation ─ assess ─▶ Assessment: a verdict with one reason, findings per ConfigMap, workload and pod
//!                             └─▶ Plan: JSON patches with `test`, then restarts ─ Progress ─▶ done, or why not
//! ```
//!
//! `kubectl mooring check` prints the assessment, `kubectl mooring fix` and the operator carry out its plan: they run the
//! same functions, so that they say and do the same. Nothing here writes; a plan is data.
//!
//! What the API cannot show is not claimed: that a pod started after its ConfigMap last changed says which settings it
//! took, not what the sysctls on its node are now.

pub mod assessment;
mod config;
mod elsewhere;
pub mod finding;
pub mod freshness;
mod health;
pub mod note;
pub mod observation;
pub mod plan;
pub mod progress;
pub mod reason;
pub mod run;

pub use assessment::assess;
pub use finding::{Assessment, ConfigMapFinding, Notice, PodFinding, WorkloadFinding};
pub use health::healthz_port;
pub use note::{Note, NoteKind, NoteTarget};
pub use observation::{Observation, Policy};
pub use plan::{Patch, Plan, PodRef, Restart, Rollout};
pub use progress::{Event, Outcome, Progress};
pub use reason::{NoticeReason, Reason, Safety};

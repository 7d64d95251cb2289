//! A remediation from the moment that something has to be done to the moment that every node is verified, in steps.
//!
//! ```text
//! Detected ─▶ Planned ─▶ Patched ─▶ Canary ─▶ RollingOut ─▶ Verifying ─▶ Done
//!    │           │          │          └───┬──────┘             │
//!    ▼           ▼          ▼              ▼                    ▼
//! Refused     Refused    Paused       RollingBack ─▶ RolledBack Paused
//! ```
//!
//! [`step()`] decides from one look at the cluster and the persisted [`Run`]. The shell first persists the new run, guarded
//! by the ServiceProxy's `resourceVersion`, then carries out the actions, then looks and steps again. It may be killed at
//! any instant in between, and another operator goes on from what is persisted: so a run holds what is intended (which
//! text, which Pods by uid), whether it was done is read from the cluster, and every action fails harmlessly where it was
//! done before or was decided on an old look.
//!
//! kube-proxy is restarted by deleting its Pods, one batch after another, and not by the DaemonSet's template: each Pod
//! with the old text is replaced once, GitOps sees no drift, and what remains to be done shows in the Pods themselves.
//!
//! Nothing is written here, and nothing is timed out for what happened while nobody looked.

mod batch;
mod begin;
mod input;
mod notes;
mod phase;
mod rollback;
mod state;
mod step;
mod undo;
mod verify;
pub(crate) mod view;

pub use input::{
    AntreaSeen, Enforcement, MaxUnavailable, NotANumberOfNodes, StepInput, Strategy, Surroundings,
    Wanted, unnumbered_cni,
};
pub use phase::{Phase, UnknownPhase, UnknownWhy, Why};
pub use state::{Canary, Edit, Made, Revert, Run, Target, Trigger};
pub use step::{Action, Step, assess_for, step};
pub use undo::{Side, Undo};

/// The annotation of the ServiceProxy whose change lets a run that ended be tried again.
pub const RETRY: &str = "mooring.dev/retry";

/// The name under which the operator writes (`fieldManager`). Who else wrote is told from it.
pub const FIELD_MANAGER: &str = "mooring-operator";

/// How long the agents get to report before a run goes on without them, in seconds. Operator and agents are usually
/// installed together.
pub const AGENT_SECONDS: i64 = 60;

/// How long after an edit no Pod is deleted, in seconds of the operator's clock. Object times have whole seconds: a Pod
/// made in the second of the edit could not be told from one made before it.
pub const SETTLE_SECONDS: i64 = 2;

/// How long a new Pod may take until it is Ready and verified, in seconds: pulling an image takes most of it.
pub const PATIENCE_SECONDS: i64 = 180;

/// How long the kubelet may report the same kind of trouble until that counts as a failure, in seconds: it tries to pull
/// an image twice in that time.
pub const TROUBLE_SECONDS: i64 = 20;

/// How long a new Pod must be Ready where no agent can say more, in seconds: kube-proxy has no readiness probe, so a Pod is
/// Ready before its process has failed to start.
pub const UNWITNESSED_SECONDS: i64 = 10;

/// Reverts within this time count as a fight, in seconds; and a fight ends when nobody takes anything back for as long.
pub const FIGHT_SECONDS: i64 = 600;

/// So many reverts within [`FIGHT_SECONDS`] are a fight.
pub const FIGHT_REVERTS: usize = 2;

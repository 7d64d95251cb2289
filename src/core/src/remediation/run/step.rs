//! One step of a remediation.

use crate::node::NodeView;
use crate::proxy_mode::{LiveMode, ProxyMode};
use crate::remediation;
use crate::remediation::finding::Assessment;
use crate::remediation::note::Note;
use crate::remediation::observation::{Observation, Policy};
use crate::remediation::plan::{Patch, PodRef};

use super::begin::Ended;
use super::input::{Enforcement, StepInput, Strategy, Wanted};
use super::phase::{Phase, Why};
use super::state::Run;
use super::view::{Texts, View};
use super::{SETTLE_SECONDS, batch, begin, notes, rollback, verify};

/// What a step decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The run as it is to be persisted, before anything else is done.
    pub run: Option<Run>,
    /// What is to be done then, in this order. An action that fails because the object is another one or gone was decided
    /// on an old look: look and step again.
    pub actions: Vec<Action>,
    /// What is new since the persisted run.
    pub notes: Vec<Note>,
    /// When to step again although nothing changes.
    pub wake_after_seconds: Option<u32>,
}

/// Something to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The edit of a ConfigMap: [`Patch::json_patch`] tests the version and the text.
    Patch(Patch),
    /// The way back: a patch of the same form, that puts the former text back.
    Restore(Patch),
    /// The deletion of a Pod, with its uid as precondition.
    DeletePod(PodRef),
}

/// A step without what is new.
pub(super) struct Decided {
    pub(super) run: Option<Run>,
    pub(super) actions: Vec<Action>,
    pub(super) wake_after_seconds: Option<u32>,
}

impl Decided {
    /// Nothing to do until something changes.
    pub(super) fn rest(run: Option<Run>) -> Self {
        Self {
            run,
            actions: Vec::new(),
            wake_after_seconds: None,
        }
    }

    /// Look again later.
    pub(super) fn wait(run: Run, seconds: u32) -> Self {
        Self {
            wake_after_seconds: Some(seconds),
            ..Self::rest(Some(run))
        }
    }

    /// Something to write.
    pub(super) fn act(run: Run, actions: Vec<Action>) -> Self {
        Self {
            actions,
            ..Self::wait(run, 2)
        }
    }
}

/// The assessment of a look for an operator that hears the nodes, too.
pub fn assess_for(seen: &Observation, nodes: &[NodeView], wanted: &Wanted) -> Assessment {
    remediation::assess(
        seen,
        &Policy {
            live_mode: live_mode(nodes),
            force_managed: wanted.edit_managed,
            ..Policy::default()
        },
    )
}

/// The mode of kube-proxy that all reporting nodes run.
fn live_mode(nodes: &[NodeView]) -> Option<ProxyMode> {
    let mut modes = nodes
        .iter()
        .filter(|node| node.reporting)
        .filter_map(|node| node.report.as_ref())
        .map(|report| match report.mode {
            LiveMode::Iptables => Some(ProxyMode::Iptables),
            LiveMode::Ipvs => Some(ProxyMode::Ipvs),
            LiveMode::Nftables => Some(ProxyMode::Nftables),
            _ => None,
        });
    let first = modes.next()??;
    modes.all(|mode| mode == Some(first)).then_some(first)
}

/// Decides the next step.
pub fn step(input: &StepInput<'_>) -> Step {
    let view = View::of(input);
    let decided = decide(&view);
    Step {
        notes: notes::between(input.run, decided.run.as_ref()),
        run: decided.run,
        actions: decided.actions,
        wake_after_seconds: decided.wake_after_seconds,
    }
}

fn decide(view: &View<'_>) -> Decided {
    let former = view.input.run.cloned();
    if view.input.seen.nodes.is_none() {
        return Decided::rest(former);
    }
    let allowed = view.input.wanted.enforcement == Enforcement::Enforce;
    let Some(run) = former else {
        return if allowed {
            begin::first(view, None, Ended::Forget)
        } else {
            Decided::rest(None)
        };
    };
    if run.phase == Phase::RollingBack {
        return rollback::roll_back(view, run);
    }
    if !allowed {
        return forbidden(view, run);
    }
    match run.phase {
        Phase::Detected => begin::detected(view, run),
        Phase::Planned => written(view, run),
        Phase::Refused => begin::first(view, Some(run), Ended::Forget),
        Phase::RolledBack if view.trigger() != run.trigger => {
            begin::first(view, Some(run), Ended::Keep)
        }
        Phase::RolledBack => Decided::rest(Some(run)),
        Phase::Paused if run.why == Some(Why::Fighting) => begin::fighting(view, run),
        _ => edited(view, run),
    }
}

/// The policy forbids to go on.
fn forbidden(view: &View<'_>, mut run: Run) -> Decided {
    match run.phase {
        Phase::Detected | Phase::Refused => Decided::rest(None),
        phase if phase.is_active() => {
            let message = format!(
                "the policy was changed in phase {phase}, so nothing is written any more; what was done until then stays. With \
                 policy Enforce it goes on"
            );
            run.stop(Phase::Paused, Why::PolicyForbids, view.now(), message);
            Decided::rest(Some(run))
        }
        _ => Decided::rest(Some(run)),
    }
}

/// [`Phase::Planned`]: an edit may have been made and taken back before this look.
fn written(view: &View<'_>, mut run: Run) -> Decided {
    for edit in &mut run.edits {
        edit.patched = edit.patched.or(view.made(edit));
    }
    match view.texts(&run) {
        Texts::OldLook => Decided::wait(run, 2),
        Texts::Reverted(time, by) => begin::reverted(view, run, time, by),
        _ => begin::planned(view, run),
    }
}

/// The phases in which the edit is made.
fn edited(view: &View<'_>, mut run: Run) -> Decided {
    match view.texts(&run) {
        Texts::Intact => {}
        Texts::OldLook => return Decided::wait(run, 2),
        Texts::Reverted(time, by) => return begin::reverted(view, run, time, by),
        Texts::NewNeed if run.why == Some(Why::PolicyForbids) => {
            return begin::planned(view, run);
        }
        Texts::NewNeed => return begin::first(view, Some(run), Ended::Keep),
        Texts::Unclear | Texts::Moot if run.phase == Phase::Done => {
            return Decided::rest(Some(run));
        }
        Texts::Moot => return moot(view, run),
        // A kube-proxy that is restarted now would not come up. The condition StrictARPConfigured says why.
        Texts::Unclear => return Decided::wait(run, 10),
    }
    if view.pods.is_empty() && run.phase != Phase::Done && !run.edits.is_empty() {
        // The Pods of a cluster do not all go at once; they have not been read yet, or nothing runs.
        return Decided::wait(run, 10);
    }
    match run.phase {
        Phase::Patched if view.now() < run.since.plus_seconds(SETTLE_SECONDS) => {
            Decided::wait(run, 1)
        }
        Phase::Patched => batch::start(view, run),
        Phase::Canary | Phase::RollingOut => batch::roll(view, run),
        Phase::Verifying => verify::verifying(view, run),
        Phase::Done if view.candidates(Some(&run)).is_empty() => Decided::rest(Some(run)),
        Phase::Done => {
            run.lost.clear();
            batch::start(view, run)
        }
        _ => paused(view, run),
    }
}

/// Nobody needs strictARP any more.
fn moot(view: &View<'_>, mut run: Run) -> Decided {
    run.end_batch();
    run.trigger = view.trigger();
    run.enter(
        Phase::Done,
        view.now(),
        "the configured mode was changed meanwhile to one that does not look at strictARP; nothing is left to do",
    );
    Decided::rest(Some(run))
}

/// [`Phase::Paused`], and whether it is over.
fn paused(view: &View<'_>, mut run: Run) -> Decided {
    let asked = view.asked_again(&run);
    let done = view.candidates(Some(&run)).is_empty();
    match run.why {
        Some(Why::PolicyForbids) => begin::planned(view, run),
        Some(Why::NotVerified) => verify::verifying(view, run),
        Some(Why::CanaryFailed | Why::RolloutFailed) if asked => {
            run.trigger = view.trigger();
            run.lost.clear();
            batch::go(view, run)
        }
        Some(Why::CanaryFailed | Why::RolloutFailed) => batch::recovered(view, run),
        Some(Why::RestartByHand | Why::ModeWouldChange | Why::UnnumberedLinks) if done => {
            verify::verifying(view, run)
        }
        Some(Why::RestartByHand) if view.input.wanted.strategy != Strategy::Manual => {
            batch::start(view, run)
        }
        Some(Why::ModeWouldChange | Why::UnnumberedLinks) if asked => {
            run.trigger = view.trigger();
            batch::go(view, run)
        }
        Some(Why::UnnumberedLinks) if view.input.wanted.strategy == Strategy::Rolling => {
            batch::go(view, run)
        }
        Some(Why::ModeWouldChange) => batch::start(view, run),
        _ => Decided::rest(Some(run)),
    }
}

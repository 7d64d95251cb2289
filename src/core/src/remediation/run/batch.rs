//! Pods are replaced, one batch after another, and each new one is verified.

use super::phase::{Phase, Why};
use super::state::{Canary, Run, Target};
use super::step::{Action, Decided};
use super::verify::{Check, check, verifying};
use super::view::{ProxyPod, View};
use super::{PATIENCE_SECONDS, RETRY, TROUBLE_SECONDS, rollback};
use crate::remediation::run::input::Strategy;

/// How often a batch is looked at, in seconds.
const LOOK: u32 = 3;

/// So many nodes that go away while they are the canary are no bad luck.
const LOST_CANARIES: usize = 2;

/// How far a target is.
enum State<'a> {
    /// The old Pod is there and has to be deleted.
    ToDelete(ProxyPod<'a>),
    /// Its node went away.
    Lost,
    /// The new Pod is not there, or not as it should be, yet.
    Waiting(String),
    /// The new Pod has mounted the old text.
    OldCopy(ProxyPod<'a>),
    /// The new Pod does not start.
    Trouble { why: String, hopeless: bool },
    /// The new Pod is verified.
    Verified,
}

fn state<'a>(view: &View<'a>, run: &Run, target: &Target) -> State<'a> {
    if !view.is_reachable(&target.node) {
        return State::Lost;
    }
    match view.by_uid(&target.uid) {
        Some(old) if old.pod.metadata.terminating => {
            return State::Waiting("the old Pod is stopping".to_owned());
        }
        Some(old) => return State::ToDelete(old),
        None => {}
    }
    let Some(new) = view.successor(target) else {
        return State::Waiting("there is no new Pod yet".to_owned());
    };
    match check(view, run, &new) {
        Check::Verified => State::Verified,
        Check::Waiting(why) => State::Waiting(why),
        Check::Trouble { why, hopeless } => State::Trouble { why, hopeless },
        Check::OldCopy if target.again => State::Trouble {
            why: "its kube-proxy was started without strictARP again, although it was restarted twice: it reads another \
                  configuration than the ConfigMap's"
                .to_owned(),
            hopeless: true,
        },
        Check::OldCopy => State::OldCopy(new),
    }
}

/// [`Phase::Canary`] and [`Phase::RollingOut`].
pub(super) fn roll(view: &View<'_>, mut run: Run) -> Decided {
    if run.batch.is_empty() {
        return next(view, run);
    }
    let mut actions = Vec::new();
    let mut waiting: Vec<(String, String)> = Vec::new();
    let mut troubles: Vec<(String, String, bool)> = Vec::new();
    let mut rest = Vec::new();
    for mut target in std::mem::take(&mut run.batch) {
        match state(view, &run, &target) {
            State::Verified => {
                if let Some(canary) = run.canary.as_mut().filter(|one| one.node == target.node) {
                    canary.verified = true;
                }
                // Kept until the whole batch is done, so that a look between two deletions shows the whole batch.
                rest.push((target, true));
                continue;
            }
            State::Lost => {
                run.lost.push(target.node.clone());
                continue;
            }
            State::ToDelete(pod) => actions.push(Action::DeletePod(pod.reference())),
            State::OldCopy(pod) => {
                target.uid.clone_from(&pod.pod.metadata.uid);
                target.again = true;
                run.batch_since = Some(view.now());
                actions.push(Action::DeletePod(pod.reference()));
            }
            State::Waiting(why) => waiting.push((target.node.clone(), why)),
            State::Trouble { why, hopeless } if target.was_ready => {
                troubles.push((target.node.clone(), why, hopeless));
            }
            State::Trouble { .. } => {
                // It did not run before, either.
                run.lost.push(target.node.clone());
                continue;
            }
        }
        rest.push((target, false));
    }
    let open = rest.iter().any(|(_, done)| !done);
    run.batch = rest.into_iter().map(|(target, _)| target).collect();
    if run.phase == Phase::Canary && run.lost.len() >= LOST_CANARIES {
        let message = format!(
            "nodes {} stopped being Ready while kube-proxy was restarted on them",
            run.lost.join(" and ")
        );
        return fail(view, run, message);
    }
    if !open {
        run.end_batch();
        if run.phase == Phase::Canary && run.has_canary() {
            return canary_done(view, run);
        }
        return next(view, run);
    }
    if troubles.is_empty() {
        run.trouble_since = None;
    } else {
        let since = *run.trouble_since.get_or_insert(view.now());
        let hopeless = troubles.iter().any(|(_, _, hopeless)| *hopeless);
        if hopeless || view.passed(since, TROUBLE_SECONDS) {
            return fail(
                view,
                run,
                told(troubles.iter().map(|(node, why, _)| (node, why))),
            );
        }
    }
    let since = run.batch_since.unwrap_or(view.now());
    if actions.is_empty() && view.passed(since, PATIENCE_SECONDS) {
        let troubles = troubles.iter().map(|(node, why, _)| (node, why));
        let all = waiting
            .iter()
            .map(|(node, why)| (node, why))
            .chain(troubles);
        let message = format!("{} after {PATIENCE_SECONDS} seconds", told(all));
        return fail(view, run, message);
    }
    Decided {
        actions,
        ..Decided::wait(run, LOOK)
    }
}

/// What is the matter with which node.
fn told<'a>(each: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let each: Vec<String> = each
        .map(|(node, why)| format!("node {node}: {why}"))
        .collect();
    each.join("; ")
}

/// The next batch, or the end.
fn next(view: &View<'_>, mut run: Run) -> Decided {
    let candidates = view.candidates(Some(&run));
    let down = view.down(&run);
    let left = view.at_once().saturating_sub(down.len());
    let picked: Vec<ProxyPod<'_>> = if run.phase == Phase::Canary {
        canary(view, &run, &candidates, left).into_iter().collect()
    } else {
        // To restart what is down takes nothing away; it comes first among the candidates.
        let free = candidates.iter().filter(|pod| !pod.pod.ready).count();
        let room = if free == 0 { left } else { free.max(left) };
        candidates.iter().take(room).copied().collect()
    };
    if picked.is_empty() && !candidates.is_empty() && left == 0 {
        return held_up(view, run, &down);
    }
    if picked.is_empty() {
        return if run.phase == Phase::Canary && !candidates.is_empty() {
            run.enter(Phase::RollingOut, view.now(), "");
            next(view, run)
        } else {
            verifying(view, run)
        };
    }
    run.batch = picked.iter().map(ProxyPod::target).collect();
    run.batch_since = Some(view.now());
    run.trouble_since = None;
    if run.phase == Phase::Canary {
        run.canary = picked.first().map(|pod| Canary {
            node: pod.node.to_owned(),
            verified: false,
        });
        // What does not come up on the first node stops the others, whoever is to blame.
        run.batch
            .iter_mut()
            .for_each(|target| target.was_ready = true);
    }
    let nodes: Vec<&str> = picked.iter().map(|pod| pod.node).collect();
    run.message = match run.phase {
        Phase::Canary => format!(
            "kube-proxy is being restarted on node {} first; the other {} go on as they are until it is verified there",
            nodes.join(", "),
            view.pods.len().saturating_sub(1)
        ),
        _ => format!(
            "kube-proxy is being restarted on {}; {} to go after that",
            super::begin::nodes_in_words(&nodes),
            candidates.len() - picked.len()
        ),
    };
    let actions = picked.iter().map(|pod| Action::DeletePod(pod.reference()));
    Decided {
        actions: actions.collect(),
        ..Decided::wait(run, LOOK)
    }
}

/// As many kube-proxies are down as may be: no other one is restarted until one of them is back.
fn held_up(view: &View<'_>, mut run: Run, down: &[ProxyPod<'_>]) -> Decided {
    let since = *run.batch_since.get_or_insert(view.now());
    let nodes: Vec<&str> = down.iter().map(|pod| pod.node).collect();
    let message = format!(
        "kube-proxy is not Ready on {}, and not more of them may be down at once",
        super::begin::nodes_in_words(&nodes)
    );
    if view.passed(since, PATIENCE_SECONDS) {
        return fail(view, run, message);
    }
    run.message = message;
    Decided::wait(run, LOOK)
}

/// The node that goes first: one whose agent reports if there is any, the first by name. Nodes whose kube-proxy does not run
/// prove nothing; but one of them goes first where so many are down that no other may be.
fn canary<'a>(
    view: &View<'a>,
    run: &Run,
    candidates: &[ProxyPod<'a>],
    left: usize,
) -> Option<ProxyPod<'a>> {
    if left == 0 {
        return candidates.iter().find(|pod| !pod.pod.ready).copied();
    }
    let running =
        |pod: &&ProxyPod<'a>| pod.pod.ready && !run.lost.iter().any(|node| node == pod.node);
    let mut witnessed = candidates
        .iter()
        .filter(running)
        .filter(|pod| pod.report.is_some() || !view.has_agents());
    let chosen = witnessed.next().or_else(|| candidates.iter().find(running));
    chosen.copied()
}

/// The canary is verified: the others follow, unless its links have to be looked at first.
fn canary_done(view: &View<'_>, mut run: Run) -> Decided {
    let canary = run.canary.as_ref().map_or("", |canary| &canary.node);
    if let Some(cni) = &view.input.surroundings.unnumbered_cni
        && !view.candidates(Some(&run)).is_empty()
    {
        run.trigger = view.trigger();
        let message = format!(
            "kube-proxy runs with strictARP on node {canary}, and the others are left as they are: {cni} connects Pods by links \
             without an address of their own, on which a kernel with arp_ignore 1 may answer no ARP, so that new Pods lose \
             their node and the Services. Start a new Pod on {canary} and see that it reaches a Service and another node; if it \
             does, go on by changing the annotation {RETRY} of the ServiceProxy; if not, set ipvs.strictARP back, and restart \
             kube-proxy on {canary}"
        );
        run.stop(Phase::Paused, Why::UnnumberedLinks, view.now(), message);
        return Decided::rest(Some(run));
    }
    run.enter(Phase::RollingOut, view.now(), "");
    next(view, run)
}

/// What failed is taken back, where that is possible and was not verified before.
pub(super) fn fail(view: &View<'_>, mut run: Run, message: String) -> Decided {
    let why = if run.phase == Phase::Canary {
        Why::CanaryFailed
    } else {
        Why::RolloutFailed
    };
    let edited = run.edits.iter().any(|edit| edit.patched.is_some());
    if edited && run.verified.is_none() {
        run.end_batch();
        run.stop(Phase::RollingBack, why, view.now(), message);
        return rollback::roll_back(view, run);
    }
    run.trigger = view.trigger();
    let message = format!(
        "{message}. The configuration is left as it is, and no other kube-proxy is restarted; remove the cause, then change the \
         annotation {RETRY} of the ServiceProxy"
    );
    run.stop(Phase::Paused, why, view.now(), message);
    Decided::wait(run, 30)
}

/// [`Phase::Patched`]: who goes first, or why nobody does.
pub(super) fn start(view: &View<'_>, mut run: Run) -> Decided {
    let candidates = view.candidates(Some(&run));
    if candidates.is_empty() {
        return verifying(view, run);
    }
    if view.input.wanted.strategy == Strategy::Manual {
        let nodes: Vec<&str> = candidates.iter().map(|pod| pod.node).collect();
        let set = candidates[0].workload;
        let message = format!(
            "strictARP is set, and kube-proxy on {} still runs without it, as rollout.strategy is Manual: restart it when it \
             suits (kubectl -n {} rollout restart daemonset/{})",
            super::begin::nodes_in_words(&nodes),
            set.id.namespace,
            set.id.name
        );
        run.stop(Phase::Paused, Why::RestartByHand, view.now(), message);
        return Decided::rest(Some(run));
    }
    if let Some((pod, mode)) = candidates
        .iter()
        .find_map(|pod| Some((pod, pod.would_switch()?)))
    {
        run.trigger = view.trigger();
        let message = format!(
            "strictARP is set, and nothing is restarted: kube-proxy on node {} runs in mode {mode}, and its configuration says \
             ipvs by now, so a restart would switch its mode as well. If you want that, change the annotation {RETRY} of the \
             ServiceProxy; else set the mode in {} back",
            pod.node, pod.location
        );
        run.stop(Phase::Paused, Why::ModeWouldChange, view.now(), message);
        return Decided::rest(Some(run));
    }
    go(view, run)
}

/// The restarts begin, or go on.
pub(super) fn go(view: &View<'_>, mut run: Run) -> Decided {
    let first = view.input.wanted.strategy == Strategy::Canary && !run.has_canary();
    let phase = if first {
        Phase::Canary
    } else {
        Phase::RollingOut
    };
    run.end_batch();
    run.enter(phase, view.now(), "");
    roll(view, run)
}

/// A restart that failed and was not taken back goes on when the node is right by itself.
pub(super) fn recovered(view: &View<'_>, mut run: Run) -> Decided {
    let right =
        |target: &Target| matches!(state(view, &run, target), State::Verified | State::Lost);
    if !run.batch.is_empty() && run.batch.iter().all(right) {
        return go(view, run);
    }
    if run.batch.is_empty() && view.candidates(Some(&run)).is_empty() {
        run.enter(Phase::Verifying, view.now(), "");
        return verifying(view, run);
    }
    Decided::wait(run, 30)
}

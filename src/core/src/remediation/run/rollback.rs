//! The way back: the former text, then the Pods that were made with the edited one.

use crate::remediation::plan::Patch;

use super::phase::Phase;
use super::state::{Run, Target};
use super::step::{Action, Decided};
use super::undo::Side;
use super::view::{ProxyPod, View};
use super::{PATIENCE_SECONDS, RETRY, SETTLE_SECONDS};
use crate::remediation::progress::trouble;

/// [`Phase::RollingBack`].
pub(super) fn roll_back(view: &View<'_>, mut run: Run) -> Decided {
    let mut actions = Vec::new();
    let mut waiting = false;
    let mut restored = false;
    for edit in &mut run.edits {
        if edit.patched.is_none() || edit.restored.is_some() {
            continue;
        }
        let text = view.text(&edit.location);
        let version = view
            .map(&edit.location)
            .map(|map| map.metadata.resource_version.clone());
        match (text.map(|text| (text, edit.undo.side(text))), version) {
            (Some((text, Side::After)), Some(resource_version)) => {
                if let Some(before) = edit.undo.restore(text) {
                    actions.push(Action::Restore(Patch {
                        location: edit.location.clone(),
                        resource_version,
                        before: text.to_owned(),
                        after: before,
                    }));
                }
            }
            (Some((_, Side::Before)), _) if view.is_old_look(edit) => waiting = true,
            _ => {
                edit.restored = Some(view.changed(&edit.location).unwrap_or(view.now()));
                restored = true;
            }
        }
    }
    if waiting || !actions.is_empty() {
        return Decided {
            actions,
            ..Decided::wait(run, 2)
        };
    }
    if restored {
        run.end_batch();
        run.batch_since = Some(view.now());
        return Decided::wait(run, 2);
    }
    if run.batch.is_empty() {
        let since = run.batch_since.unwrap_or(run.since);
        if view.now() < since.plus_seconds(SETTLE_SECONDS) {
            return Decided::wait(run, 1);
        }
    }
    replace(view, run)
}

/// The Pods that were made while the edited text was there.
fn replace(view: &View<'_>, mut run: Run) -> Decided {
    let since = run.batch_since.unwrap_or(run.since);
    let late = view.passed(since, PATIENCE_SECONDS);
    let batch = std::mem::take(&mut run.batch);
    run.batch = batch
        .into_iter()
        .filter(|target| is_open(view, target, late))
        .collect();
    let made = |pod: &&ProxyPod<'_>| {
        let edit = run.edit(pod.location);
        let window = edit.and_then(|edit| edit.patched.zip(edit.restored));
        let inside = window
            .zip(pod.pod.metadata.created)
            .is_some_and(|((patched, restored), created)| created > patched && created <= restored);
        inside && pod.reachable && pod.is_restartable() && !pod.pod.metadata.terminating
    };
    let (running, down): (Vec<ProxyPod<'_>>, Vec<ProxyPod<'_>>) = view
        .pods
        .iter()
        .filter(made)
        .copied()
        .partition(|pod| pod.pod.ready);
    let mut actions: Vec<Action> = down
        .iter()
        .map(|pod| Action::DeletePod(pod.reference()))
        .collect();
    let open = running.iter().filter(|pod| {
        run.batch
            .iter()
            .any(|target| target.uid == pod.pod.metadata.uid)
    });
    actions.extend(open.map(|pod| Action::DeletePod(pod.reference())));
    if run.batch.is_empty() && !running.is_empty() {
        let picked = &running[..running.len().min(view.at_once())];
        run.batch = picked.iter().map(ProxyPod::target).collect();
        run.batch_since = Some(view.now());
        actions.extend(picked.iter().map(|pod| Action::DeletePod(pod.reference())));
    }
    if actions.is_empty() && run.batch.is_empty() {
        return rolled_back(view, run);
    }
    Decided {
        actions,
        ..Decided::wait(run, 3)
    }
}

/// A Pod is still on its way: its node lives, and neither is its successor Ready nor is it in trouble.
fn is_open(view: &View<'_>, target: &Target, late: bool) -> bool {
    if late || !view.is_reachable(&target.node) {
        return false;
    }
    if view.by_uid(&target.uid).is_some() {
        return true;
    }
    let Some(new) = view.successor(target) else {
        return true;
    };
    !new.pod.ready && trouble(new.pod, &new.workload.container).is_none()
}

fn rolled_back(view: &View<'_>, mut run: Run) -> Decided {
    let Some(why) = run.why else {
        return Decided::rest(Some(run));
    };
    let places = |side: Side| -> Vec<String> {
        run.edits
            .iter()
            .filter(|edit| edit.restored.is_some())
            .filter(|edit| {
                let text = view.text(&edit.location);
                text.is_some_and(|text| edit.undo.side(text) == side)
            })
            .map(|edit| edit.location.to_string())
            .collect()
    };
    let (back, other) = (places(Side::Before), places(Side::Other));
    let mut message = format!("{}. ", run.message);
    if !back.is_empty() {
        message.push_str(&format!(
            "So the former text of {} was put back, and what had been restarted was restarted again; the other nodes were not \
             touched",
            back.join(" and ")
        ));
    }
    if !other.is_empty() {
        message.push_str(&format!(
            "{} was edited by somebody else meanwhile and is left as it is; look at ipvs.strictARP there",
            other.join(" and ")
        ));
    }
    message.push_str(&format!(
        ". Remove the cause, then change the annotation {RETRY} of the ServiceProxy to try again"
    ));
    run.end_batch();
    run.trigger = view.trigger();
    run.stop(Phase::RolledBack, why, view.now(), message);
    Decided::rest(Some(run))
}

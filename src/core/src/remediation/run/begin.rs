//! The first steps: is there anything to do, may it be done, and what exactly.

use crate::kube_proxy::ProxyWorkload;
use crate::kube_proxy::Source;
use crate::kube_proxy::snapshot::Timestamp;
use crate::proxy_mode::antrea::AntreaVersion;
use crate::remediation::config::enumerate;
use crate::remediation::plan::Patch;
use crate::strict_arp::{self, Context, Verdict};

use super::phase::{Phase, Why};
use super::state::{Edit, Revert, Run};
use super::step::{Action, Decided};
use super::undo::{Side, Undo};
use super::view::View;
use super::{AGENT_SECONDS, FIGHT_REVERTS, FIGHT_SECONDS, RETRY};

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing.
    Nothing,
    /// Something that is not done, and why not.
    Refused(Why, String),
    /// Edits or restarts.
    Work,
}

/// What there is to be done, apart from what a run already did.
pub(super) fn need(view: &View<'_>) -> Need {
    let assessment = view.input.assessment;
    if !view.patches().is_empty() {
        return match shared(view).or_else(|| breaks_egress(view)) {
            Some((why, message)) => Need::Refused(why, message),
            None => Need::Work,
        };
    }
    if !view.candidates(view.input.run).is_empty() {
        return match breaks_egress(view) {
            Some((why, message)) => Need::Refused(why, message),
            None => Need::Work,
        };
    }
    let refusal = |reason, message: &str, next: Option<&str>| {
        let why = Why::refusal(reason)?;
        let next = next
            .map(|next| format!("; next: {next}"))
            .unwrap_or_default();
        Some(Need::Refused(why, format!("{message}{next}")))
    };
    refusal(
        assessment.reason,
        &assessment.message,
        assessment.next_step.as_deref(),
    )
    .or_else(|| {
        let mut findings = assessment.config_maps.iter();
        findings.find_map(|finding| refusal(finding.reason, &finding.message, None))
    })
    .unwrap_or(Need::Nothing)
}

/// Several DaemonSets that read one ConfigMap: what is right for one may be wrong for the other, and neither can go first.
fn shared(view: &View<'_>) -> Option<(Why, String)> {
    view.patches().iter().find_map(|patch| {
        let names = sharers(view, patch);
        (names.len() > 1).then(|| {
            (
                Why::SharedConfigMap,
                format!(
                    "ConfigMap {} is read by {}: an edit for one changes the other at its next start, so nothing is written; \
                     give each DaemonSet a ConfigMap of its own, delete the DaemonSet that is not needed, or set \
                     ipvs.strictARP: true by hand (kubectl mooring fix)",
                    patch.location.config_map,
                    names.join(" and ")
                ),
            )
        })
    })
}

fn sharers(view: &View<'_>, patch: &Patch) -> Vec<String> {
    let seen = view.input.seen;
    let reads = |workload: &&ProxyWorkload| match &workload.source {
        Source::ConfigMap(location) => {
            location.config_map == patch.location.config_map && !seen.pods_of(workload).is_empty()
        }
        _ => false,
    };
    let readers = seen.discovery.workloads.iter().filter(reads);
    readers.map(ToString::to_string).collect()
}

fn breaks_egress(view: &View<'_>) -> Option<(Why, String)> {
    let antrea = view.input.surroundings.antrea.as_ref()?;
    let safe = AntreaVersion::EGRESS_WITH_STRICT_ARP;
    if !antrea.egress_in_use || antrea.version.is_some_and(|version| version >= safe) {
        return None;
    }
    let found = match antrea.version {
        Some(version) => format!("Antrea {version}"),
        None => "an Antrea whose version its image does not tell".to_owned(),
    };
    Some((
        Why::BreaksEgress,
        format!(
            "{found} runs here with Egress in use. Before {safe} Antrea left it to the nodes' kernels to answer ARP for the \
             egress addresses on antrea-egress0, which strictARP forbids: traffic that leaves through an Egress would stop, \
             so nothing is written; upgrade Antrea to {safe} or later, or delete the Egress objects"
        ),
    ))
}

/// `node n1`, or `nodes n1, n2, n3 and 7 more`.
pub(super) fn nodes_in_words(nodes: &[&str]) -> String {
    let nodes: Vec<String> = nodes.iter().map(|node| (*node).to_owned()).collect();
    enumerate(&nodes)
}

// === phases ===

/// There was no run, or one that ended and is history.
pub(super) fn first(view: &View<'_>, former: Option<Run>, ended: Ended) -> Decided {
    match need(view) {
        Need::Nothing => match ended {
            Ended::Forget => Decided::rest(None),
            Ended::Keep => Decided::rest(former),
        },
        Need::Refused(why, message) => refused(view, former, why, message),
        Need::Work => {
            let mut run = Run::begin(view.now(), view.trigger());
            run.message =
                "something has to be done; the agents get a moment to report first".to_owned();
            Decided::wait(run, 1)
        }
    }
}

/// What becomes of a former run if nothing has to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Keep,
    Forget,
}

pub(super) fn refused(view: &View<'_>, former: Option<Run>, why: Why, message: String) -> Decided {
    let same = |run: &Run| run.phase == Phase::Refused && run.why == Some(why);
    let mut run = match former {
        Some(run) if same(&run) => run,
        Some(run) => Run {
            reverts: run.reverts,
            ..Run::begin(view.now(), view.trigger())
        },
        None => Run::begin(view.now(), view.trigger()),
    };
    run.stop(Phase::Refused, why, view.now(), message);
    run.trigger = view.trigger();
    Decided::rest(Some(run))
}

/// [`Phase::Detected`].
pub(super) fn detected(view: &View<'_>, run: Run) -> Decided {
    match need(view) {
        Need::Nothing => return Decided::rest(None),
        Need::Refused(why, message) => return refused(view, Some(run), why, message),
        Need::Work => {}
    }
    let silent = view
        .input
        .nodes
        .iter()
        .any(|node| node.ready && !node.reporting);
    if silent && !view.passed(run.since, AGENT_SECONDS) {
        return Decided::wait(run, 2);
    }
    planned(view, run)
}

/// [`Phase::Planned`]: the edits are written, or decided anew where somebody wrote in between.
pub(super) fn planned(view: &View<'_>, mut run: Run) -> Decided {
    let mut edits: Vec<Edit> = Vec::new();
    let mut actions = Vec::new();
    for mut edit in std::mem::take(&mut run.edits) {
        let text = view.text(&edit.location);
        if text.map(|text| edit.undo.side(text)) == Some(Side::After) {
            let changed = view.changed(&edit.location).unwrap_or(view.now());
            edit.patched = edit.patched.or(Some(changed));
            edits.push(edit);
        }
    }
    let open: Vec<&Patch> = view
        .patches()
        .iter()
        .filter(|patch| !edits.iter().any(|edit| edit.location == patch.location))
        .collect();
    if !open.is_empty()
        && let Need::Refused(why, message) = need(view)
    {
        if edits.is_empty() {
            return refused(view, Some(run), why, message);
        }
    } else {
        for patch in open {
            edits.push(edit_of(patch));
            actions.push(Action::Patch(patch.clone()));
        }
    }
    run.edits = edits;
    if actions.is_empty() {
        let message = if run.edits.is_empty() {
            "strictARP is set; kube-proxy has to be restarted to read it"
        } else {
            "strictARP is set; kube-proxy reads it when it is restarted"
        };
        run.enter(Phase::Patched, view.now(), message);
        return Decided::wait(run, 1);
    }
    let places: Vec<String> = run
        .edits
        .iter()
        .map(|edit| edit.location.to_string())
        .collect();
    run.enter(
        Phase::Planned,
        view.now(),
        format!("sets ipvs.strictARP: true in {}", places.join(" and ")),
    );
    Decided::act(run, actions)
}

fn edit_of(patch: &Patch) -> Edit {
    let undo = Undo::of(&patch.before, &patch.after);
    Edit {
        location: patch.location.clone(),
        previous_value: previous_value(&patch.before, &undo),
        undo,
        diff: patch.diff(),
        planned_on: patch.resource_version.clone(),
        patched: None,
        restored: None,
    }
}

/// The token that the edit replaced, as it was written.
fn previous_value(before: &str, undo: &Undo) -> Option<String> {
    let decision = strict_arp::decide(
        before.as_bytes(),
        &Context {
            live_mode: None,
            force_mode: true,
        },
    );
    if decision.verdict() != Verdict::Patched
        || decision.reason() != strict_arp::Reason::ValueReplaced
    {
        return None;
    }
    let token = |c: char| c.is_alphanumeric() || matches!(c, '"' | '\'' | '~' | '*' | '!' | '_');
    let end = undo.offset + undo.removed.len();
    let head = before[..undo.offset].rfind(|c| !token(c)).map_or(0, |at| {
        at + before[at..].chars().next().map_or(0, char::len_utf8)
    });
    let tail = before[end..]
        .find(|c| !token(c))
        .map_or(before.len(), |at| end + at);
    let value = before[head..tail].trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// An edit was taken back: it is made again, unless that happens too often since the administrator last asked for a try.
pub(super) fn reverted(view: &View<'_>, former: Run, time: Timestamp, by: String) -> Decided {
    let mut reverts = if view.asked_again(&former) {
        Vec::new()
    } else {
        former.reverts.clone()
    };
    reverts.retain(|revert| revert.time.plus_seconds(FIGHT_SECONDS) > time);
    reverts.push(Revert { time, by });
    if let Need::Refused(why, message) = need(view) {
        let mut run = Run::begin(view.now(), view.trigger());
        run.reverts = reverts;
        return refused(view, Some(run), why, message);
    }
    if reverts.len() >= FIGHT_REVERTS {
        let mut run = former;
        run.reverts = reverts;
        run.end_batch();
        run.trigger = view.trigger();
        let message = fight(&run);
        run.stop(Phase::Paused, Why::Fighting, view.now(), message);
        return Decided::wait(run, 60);
    }
    let mut run = Run::begin(view.now(), view.trigger());
    run.reverts = reverts;
    planned(view, run)
}

fn fight(run: &Run) -> String {
    let places: Vec<String> = run
        .edits
        .iter()
        .map(|edit| edit.location.to_string())
        .collect();
    let mut who: Vec<&str> = run
        .reverts
        .iter()
        .map(|revert| revert.by.as_str())
        .collect();
    who.sort_unstable();
    who.dedup();
    format!(
        "ipvs.strictARP: true in {} was taken back {} times within {} minutes by {} (field manager); nothing is written any \
         more, as each change may restart kube-proxy. Set ipvs.strictARP: true at the source from which {} writes it; Mooring \
         goes on when it stayed true for {} minutes, or at once when the annotation {RETRY} of the ServiceProxy changes",
        places.join(" and "),
        run.reverts.len(),
        FIGHT_SECONDS / 60,
        who.join(" and "),
        if who.len() == 1 { "it" } else { "each" },
        FIGHT_SECONDS / 60,
    )
}

/// [`Why::Fighting`].
pub(super) fn fighting(view: &View<'_>, mut run: Run) -> Decided {
    if view.asked_again(&run) {
        return first(view, Some(run), Ended::Keep);
    }
    let maps = &view.input.assessment.config_maps;
    let on = !maps.is_empty() && maps.iter().all(|map| map.strict_arp == Some(true));
    let changed = maps.iter().filter_map(|map| map.changed_at).max();
    let calm = changed.is_none_or(|time| time.plus_seconds(FIGHT_SECONDS) <= view.now());
    if on && calm {
        run.reverts.clear();
        run.edits.clear();
        run.trigger = view.trigger();
        run.enter(
            Phase::Patched,
            view.now(),
            "the edit is not taken back any more; the nodes are looked at",
        );
        return Decided::wait(run, 1);
    }
    Decided::wait(run, 60)
}

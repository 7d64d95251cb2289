//! `fix`: the operator's remediation by hand.

use std::time::Duration;

use anyhow::{Context as _, bail};
use mooring_core::remediation::{Assessment, Patch, Plan, Policy, Reason, Restart, assess};

use crate::args::{Connection, FixArguments};
use crate::cluster::{Cluster, ClusterError, Operation};
use crate::output::Output;
use crate::rollout::Failure;
use crate::{health, render, rollout, survey};

/// How often a plan is made anew because somebody else wrote at the same time.
const ATTEMPTS: usize = 5;

const PROOF: &str = "What the API cannot show is the kernel itself. On a node, this must print at least 1 and 2:\n  sysctl \
                     net.ipv4.conf.all.arp_ignore net.ipv4.conf.all.arp_announce";

/// Plans, asks, writes, waits, verifies.
pub(crate) async fn run(
    connection: &Connection,
    arguments: &FixArguments,
    out: &mut Output,
) -> anyhow::Result<u8> {
    let cluster = Cluster::connect(connection).await?;
    let namespace = connection.namespace.as_deref();
    let policy = Policy {
        force_managed: arguments.force,
        force_mode: arguments.force_mode,
        live_mode: None,
    };
    let mut agreed: Option<String> = None;
    let mut written: Vec<Patch> = Vec::new();
    let mut rejected: Option<Patch> = None;
    for attempt in 1..=ATTEMPTS {
        let found = assess(&survey::observe(&cluster, namespace).await?, &policy);
        if attempt == 1 {
            out.bytes(render::verdict(&found, out.style).as_bytes())?;
            out.bytes(render::warnings(&found, out.style).as_bytes())?;
        }
        let plan = &found.plan;
        if plan.is_empty() {
            // With a plan, the next step is this very command.
            out.bytes(render::next_step(&found).as_bytes())?;
            if written.is_empty() {
                out.line("Nothing was written.")?;
            }
            return Ok(found.verdict.exit_code());
        }
        let shown = show(plan, out);
        if agreed.as_ref() != Some(&shown) {
            out.bytes(shown.as_bytes())?;
        }
        if arguments.dry_run {
            if let Some(error) = not_allowed(&cluster, plan).await {
                out.warning(&error.to_string());
            }
            out.line("Dry run: nothing was written.")?;
            return Ok(found.verdict.exit_code());
        }
        if let Some(error) = not_allowed(&cluster, plan).await {
            return Err(error).context(so_far(&written));
        }
        if agreed.as_ref() != Some(&shown) && !arguments.yes {
            match out.confirm("Apply?") {
                Some(true) => {}
                Some(false) => {
                    out.line(&format!("Left as it is: {}.", so_far(&written)))?;
                    return Ok(found.verdict.exit_code());
                }
                None => bail!(
                    "{}: there is no terminal to ask for a confirmation on; give --yes to go on without one, or --dry-run to \
                     only see the plan",
                    so_far(&written)
                ),
            }
        }
        agreed = Some(shown);
        match apply(&cluster, plan, &mut written, out).await {
            Ok(()) => {}
            Err((patch, error)) => {
                // The same object refused twice is no race: something else forbids this edit.
                let raced = matches!(error, ClusterError::Conflict { .. })
                    && rejected.as_ref() != Some(&patch);
                if !raced || attempt == ATTEMPTS {
                    return Err(error).context(so_far(&written));
                }
                out.line("Somebody else changed the ConfigMap in the meantime: reading it again")?;
                rejected = Some(patch);
                continue;
            }
        }
        return finish(&cluster, connection, arguments, &found, &written, out).await;
    }
    bail!("gave up after {ATTEMPTS} attempts, as somebody else kept changing the ConfigMap")
}

/// The plan as text: the diffs, then the restarts.
fn show(plan: &Plan, out: &Output) -> String {
    let mut text = String::from("\n");
    for patch in &plan.patches {
        text.push_str(&out.style.diff(&patch.diff()));
    }
    for rollout in &plan.rollouts {
        text.push_str(&format!("Then {}.\n", rollout.describe()));
    }
    if plan.rollouts.is_empty() {
        text.push_str("No pod of kube-proxy runs, so none is restarted.\n");
    }
    text
}

/// The first thing of the plan that this user may not do: better known before the first write than after it.
async fn not_allowed(cluster: &Cluster, plan: &Plan) -> Option<ClusterError> {
    let mut operations: Vec<Operation> = plan
        .patches
        .iter()
        .map(|patch| Operation::patch_config_map(&patch.location.config_map))
        .collect();
    for rollout in &plan.rollouts {
        operations.push(match (&rollout.restart, rollout.pods.first()) {
            (Restart::DeletePods, Some(pod)) => Operation::delete_pod(&pod.id),
            _ => Operation::patch_daemon_set(&rollout.daemon_set),
        });
    }
    for operation in operations {
        if !cluster.may(&operation).await {
            return Some(ClusterError::Forbidden {
                operation,
                message: "this user is not allowed to".to_owned(),
            });
        }
    }
    None
}

/// Writes the edits, up to the first that fails.
async fn apply(
    cluster: &Cluster,
    plan: &Plan,
    written: &mut Vec<Patch>,
    out: &mut Output,
) -> Result<(), (Patch, ClusterError)> {
    for patch in &plan.patches {
        if let Err(error) = cluster.patch_config_map(patch).await {
            return Err((patch.clone(), error));
        }
        written.push(patch.clone());
        out.note_result(&format!("Patched {}", patch.location));
    }
    Ok(())
}

/// What an error leaves behind.
fn so_far(written: &[Patch]) -> String {
    match written {
        [] => "nothing was written".to_owned(),
        written => {
            let places: Vec<String> = written
                .iter()
                .map(|patch| patch.location.to_string())
                .collect();
            format!("{} was written, and nothing else", places.join(", "))
        }
    }
}

/// Restarts, verifies, and says where the cluster stands.
async fn finish(
    cluster: &Cluster,
    connection: &Connection,
    arguments: &FixArguments,
    found: &Assessment,
    written: &[Patch],
    out: &mut Output,
) -> anyhow::Result<u8> {
    if !written.is_empty() {
        // Object times have whole seconds: pods of a later second are provably younger than the edit.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for rollout in &found.plan.rollouts {
        let restarted = rollout::run(cluster, rollout, arguments.timeout, out).await;
        let failure = match restarted {
            Ok(Ok(())) => continue,
            Ok(Err(failure)) => failure,
            Err(error) => Failure(format!("{error:#}")),
        };
        out.error(&format!(
            "the restart of DaemonSet {} did not succeed: {}",
            rollout.daemon_set, failure.0
        ));
        undo(written, &rollout.daemon_set.to_string(), out);
        return Ok(1);
    }
    let policy = Policy {
        force_managed: arguments.force,
        ..Policy::default()
    };
    let seen = survey::observe(cluster, connection.namespace.as_deref()).await?;
    let after = assess(&seen, &policy);
    health::wait(cluster, &seen, &found.plan.rollouts, out).await?;
    out.line("")?;
    out.bytes(render::verdict(&after, out.style).as_bytes())?;
    out.bytes(render::next_step(&after).as_bytes())?;
    if after.reason == Reason::Applied {
        out.line(PROOF)?;
    }
    Ok(after.verdict.exit_code())
}

/// How to get back to where it was.
fn undo(written: &[Patch], daemon_set: &str, out: &mut Output) {
    let (namespace, name) = daemon_set.split_once('/').unwrap_or(("", daemon_set));
    if written.is_empty() {
        out.note("The configuration was not changed; run `kubectl mooring fix` again once the cause is removed.");
        return;
    }
    out.note(
        "The configuration keeps the edit. Either remove the cause and run `kubectl mooring fix` again, or go back to the old \
         text (sysctls that kube-proxy has set stay until a reboot):",
    );
    for patch in written {
        out.note(&format!("  {}", patch.undo_command()));
    }
    out.note(&format!(
        "  kubectl -n {namespace} rollout restart daemonset/{name}"
    ));
}

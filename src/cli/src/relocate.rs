//! `move`: one address to one node.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use mooring_api::{ExternalIP, external_ip};
use mooring_core::external_ip::{Immovable, Known, Relocation, Stage, stage};
use mooring_core::ipam::object_name;
use mooring_core::kube_proxy::snapshot::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::args::{Connection, MoveArguments};
use crate::cluster::{Cluster, ClusterError};
use crate::explain::installed;
use crate::explanation::{Look, Obstacle};
use crate::output::Output;
use crate::patience::Patience;
use crate::subject::Subject;
use crate::{explanation, look, near, render};

/// How often a move is decided anew because somebody else wrote at the same time.
const ATTEMPTS: usize = 5;

/// What became of a move, and the documented output of `-o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Moved {
    /// The address.
    pub address: String,
    /// The Services that have it.
    pub services: Vec<String>,
    /// The node that had it, or was to have it.
    pub from: Option<String>,
    /// The node that it was to go to.
    pub to: String,
    /// In one word.
    pub outcome: Outcome,
    /// Why not, in one word.
    pub reason: Option<String>,
    /// For people.
    pub message: String,
    /// All that keeps it away from there.
    pub obstacles: Vec<Obstacle>,
    /// How long it took.
    pub milliseconds: Option<u64>,
}

/// How a move ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Outcome {
    /// The node answers for the address.
    Moved,
    /// It did so before.
    AlreadyThere,
    /// It is planned, and was not waited for.
    Planned,
    /// It cannot be moved there: nothing was written.
    Refused,
    /// It is planned, and the node has not taken it in time.
    NotTaken,
    /// It was planned, and is by now planned otherwise.
    Overruled,
}

/// Decides, writes, waits.
pub(crate) async fn run(
    connection: &Connection,
    arguments: &MoveArguments,
    out: &mut Output,
) -> anyhow::Result<u8> {
    let address = match address(&arguments.address) {
        Ok(address) => address,
        Err(problem) => {
            out.error(&problem);
            return Ok(Outcome::Refused.exit_code());
        }
    };
    let cluster = Cluster::connect(connection).await?;
    let moved = relocate(&cluster, address, arguments, out).await?;
    if arguments.output.is_for_people() && !moved.outcome.is_success() {
        out.error(&moved.message);
    } else {
        let text = render::moved(&moved, arguments.output)?;
        out.bytes(text.as_bytes())?;
    }
    Ok(moved.outcome.exit_code())
}

fn address(text: &str) -> Result<IpAddr, String> {
    match text.parse() {
        Ok(Subject::Address(address)) => Ok(address),
        Ok(Subject::Service { .. }) => Err(format!(
            "{text} is no IP address, and addresses are what is moved: kubectl mooring explain {text} says which ones a Service \
             of that name has"
        )),
        Err(problem) => Err(problem.to_string()),
    }
}

async fn relocate(
    cluster: &Cluster,
    address: IpAddr,
    arguments: &MoveArguments,
    out: &mut Output,
) -> anyhow::Result<Moved> {
    let (name, to) = (object_name::of(address), arguments.to.as_str());
    for attempt in 1.. {
        // First: what is written has to be the object that was decided on, or an older one.
        let object = cluster
            .external_ip(&name)
            .await
            .map_err(anyhow::Error::from);
        let object = object.map_err(installed)?;
        let now = Timestamp::from_unix_seconds(jiff::Timestamp::now().as_second());
        let seen = look::read(cluster, now).await.map_err(installed)?.look;
        if !seen.nodes_seen {
            bail!(
                "whether {to} can have {address} cannot be told: {}",
                seen.gaps.join("; ")
            );
        }
        let started = Moved::start(&seen, address, to);
        let relocation = seen.decision.relocation(&seen.snapshot, address, to);
        let (fields, object) = match (relocation, object) {
            (Err(immovable), _) => return Ok(refused(&seen, address, started, &immovable)),
            (Ok(Relocation::There), _) => {
                let message = format!("{address} is on {to} already: nothing was written");
                return Ok(started.end(Outcome::AlreadyThere, message));
            }
            (Ok(Relocation::UnderWay), _) => (None, None),
            (Ok(Relocation::Write { node, heirs, plan }), Some(object)) => (
                Some(json!({"node": node, "heirs": heirs, "plan": plan, "cause": "MovedByHand"})),
                Some(object),
            ),
            // It was made in between.
            (Ok(Relocation::Write { .. }), None) if attempt < ATTEMPTS => continue,
            (Ok(Relocation::Write { .. }), None) => break,
        };
        let begin = Instant::now();
        if let (Some(fields), Some(object)) = (&fields, &object) {
            match cluster.plan_external_ip(&name, object, fields).await {
                Ok(()) => {}
                Err(ClusterError::Conflict { .. }) if attempt < ATTEMPTS => continue,
                Err(error) => return Err(error).context("nothing was written"),
            }
        }
        if arguments.no_wait {
            let message = format!(
                "{address} is planned for {to}, and not waited for: kubectl mooring explain {address} says whether {to} has it"
            );
            return Ok(started.end(Outcome::Planned, message));
        }
        return wait(cluster, &name, started, begin, arguments.timeout, out).await;
    }
    bail!(
        "gave up after {ATTEMPTS} attempts, as somebody else keeps changing ExternalIP {name}: nothing was written"
    )
}

/// Why it cannot be moved there, and what would help.
fn refused(look: &Look, address: IpAddr, started: Moved, immovable: &Immovable) -> Moved {
    let to = started.to.clone();
    let message = match immovable {
        Immovable::NoSuchAddress => {
            let addresses = look.snapshot.addresses.iter();
            let in_use = addresses.filter(|known| !known.claim.holders.is_empty());
            let known: Vec<IpAddr> = in_use.map(|known| known.claim.address).collect();
            near::no_address(
                address,
                &explanation::address(look, address).summary,
                &known,
            )
        }
        Immovable::NoSuchNode => {
            let nodes = look.snapshot.nodes.iter();
            let nodes: Vec<&str> = nodes.map(|node| node.view.name.as_str()).collect();
            near::no_node(&to, &nodes)
        }
        Immovable::Released | Immovable::Revertive { .. } => {
            format!("{address} cannot be moved to {to}: {immovable}")
        }
        Immovable::Obstructed(_) => format!(
            "{to} cannot have {address}: {immovable}. What keeps it away from each node: kubectl mooring explain {address}"
        ),
    };
    let obstacles = match immovable {
        Immovable::Obstructed(obstacles) => obstacles.iter().map(Obstacle::from).collect(),
        _ => Vec::new(),
    };
    Moved {
        reason: Some(immovable.as_str().to_owned()),
        obstacles,
        ..started.end(Outcome::Refused, message)
    }
}

async fn wait(
    cluster: &Cluster,
    name: &str,
    started: Moved,
    begin: Instant,
    limit: Duration,
    out: &mut Output,
) -> anyhow::Result<Moved> {
    let mut patience = Patience::of(limit);
    let mut last = None;
    loop {
        let asked = Instant::now();
        let answer = cluster.external_ip(name).await.map_err(Into::into);
        if let Some(object) = patience.heard(answer, out)? {
            let known = object.as_ref().and_then(known);
            match known.as_ref().map(|known| stage(known, &started.to)) {
                Some(Stage::Arrived) => {
                    let took = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
                    let message = format!("{} answers for {}", started.to, started.address);
                    return Ok(Moved {
                        milliseconds: Some(took),
                        ..started.end(Outcome::Moved, message)
                    });
                }
                Some(Stage::UnderWay) => last = known,
                Some(Stage::Overruled) | None => {
                    return Ok(overruled(started, known.as_ref()));
                }
            }
        }
        if patience.is_over() {
            return Ok(not_taken(started, last.as_ref(), limit));
        }
        patience.pause(asked.elapsed()).await;
    }
}

fn known(object: &ExternalIP) -> Option<Known> {
    external_ip::known(object).ok()
}

fn overruled(started: Moved, known: Option<&Known>) -> Moved {
    let place = match known.and_then(|known| known.planned.as_deref()) {
        Some(node) => format!("is planned for {node} by now"),
        None => "belongs to no node by now".to_owned(),
    };
    let message = format!(
        "{} {place}, as somebody moved it once more, or {} cannot have it any more: kubectl mooring explain {} says why",
        started.address, started.to, started.address
    );
    started.end(Outcome::Overruled, message)
}

/// What its condition says, and how to get back.
fn not_taken(started: Moved, known: Option<&Known>, limit: Duration) -> Moved {
    let (address, to) = (&started.address, &started.to);
    let said = known.and_then(Known::announced);
    let why = match said {
        // What its former node says of itself says nothing about the new one.
        Some(said) if said.status != "True" => format!("{} ({})", said.message, said.reason),
        _ => format!(
            "nothing is said about why; see whether mooring-agent runs on {to}, and what it logs"
        ),
    };
    let back = match &started.from {
        Some(from) if from != to => format!(
            ". It stays planned for {to}; kubectl mooring move {address} --to {from} takes that back"
        ),
        _ => String::new(),
    };
    let message = format!(
        "{to} has not taken {address} within {} seconds: {why}{back}",
        limit.as_secs()
    );
    Moved {
        reason: said.map(|said| said.reason.clone()),
        ..started.end(Outcome::NotTaken, message)
    }
}

// === impl Moved ===

impl Moved {
    /// As it stands before anything is written.
    fn start(look: &Look, address: IpAddr, to: &str) -> Self {
        let known = look.known(address);
        let holders = known.iter().flat_map(|known| &known.claim.holders);
        Self {
            address: address.to_string(),
            services: holders.map(|holder| holder.service.to_string()).collect(),
            from: known.and_then(|known| known.taken_by.clone().or(known.planned.clone())),
            to: to.to_owned(),
            outcome: Outcome::Planned,
            reason: None,
            message: String::new(),
            obstacles: Vec::new(),
            milliseconds: None,
        }
    }

    fn end(self, outcome: Outcome, message: String) -> Self {
        Self {
            outcome,
            message,
            ..self
        }
    }
}

// === impl Outcome ===

impl Outcome {
    fn is_success(self) -> bool {
        self.exit_code() == 0
    }

    fn exit_code(self) -> u8 {
        match self {
            Self::Moved | Self::AlreadyThere | Self::Planned => 0,
            Self::Refused => 1,
            Self::NotTaken | Self::Overruled => 2,
        }
    }
}

#[cfg(test)]
mod tests;

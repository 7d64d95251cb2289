//! `drain`: all addresses away from one node.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::bail;
use mooring_api::external_ip;
use mooring_core::external_ip::{Evacuation, Fate, Known};
use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::placement::DRAIN_ANNOTATION;

use crate::args::{Connection, DrainArguments};
use crate::cluster::Cluster;
use crate::explain::installed;
use crate::explanation::{Look, Operator};
use crate::output::Output;
use crate::patience::Patience;
use crate::{look, near, render};

mod report;

use report::Outcome;
pub(crate) use report::{AddressLeft, Drained, Left};

/// How often it is looked what becomes of those that are still there: that reads far more than the addresses.
const LOOK: Duration = Duration::from_secs(5);

/// Asks the operator, and waits until it is done.
pub(crate) async fn run(
    connection: &Connection,
    arguments: &DrainArguments,
    out: &mut Output,
) -> anyhow::Result<u8> {
    let cluster = Cluster::connect(connection).await?;
    let since = drained_since(&cluster, &arguments.node).await?;
    let drained = match (arguments.undo, since) {
        (true, since) => undo(&cluster, arguments, since).await?,
        (false, since) => {
            let since = match since {
                Some(since) => since,
                None => {
                    let now = Timestamp::from_unix_seconds(jiff::Timestamp::now().as_second());
                    let now = now.to_string();
                    cluster.drain_node(&arguments.node, Some(&now)).await?;
                    now
                }
            };
            if arguments.no_wait {
                requested(&arguments.node, since)
            } else {
                Watch::new(&cluster, arguments, since).run(out).await?
            }
        }
    };
    let text = render::drained(&drained, arguments.output)?;
    out.bytes(text.as_bytes())?;
    Ok(drained.outcome.exit_code())
}

/// Since when the node is drained, if it is.
async fn drained_since(cluster: &Cluster, name: &str) -> anyhow::Result<Option<String>> {
    let objects = cluster.node_objects().await?;
    let nodes: Vec<_> = objects
        .iter()
        .filter_map(mooring_api::cluster_node)
        .collect();
    let names: Vec<&str> = nodes.iter().map(|node| node.view.name.as_str()).collect();
    if !names.contains(&name) {
        bail!("{}", near::no_node(name, &names));
    }
    let mut objects = objects.into_iter();
    let object = objects.find(|object| object.metadata.name.as_deref() == Some(name));
    let mut annotations = object
        .and_then(|object| object.metadata.annotations)
        .unwrap_or_default();
    Ok(annotations.remove(DRAIN_ANNOTATION))
}

async fn undo(
    cluster: &Cluster,
    arguments: &DrainArguments,
    since: Option<String>,
) -> anyhow::Result<Drained> {
    let node = &arguments.node;
    if since.is_none() {
        let message = format!("{node} is not drained: nothing was written");
        return Ok(Drained::brief(node, None, Outcome::NotDrained, message));
    }
    cluster.drain_node(node, None).await?;
    let message = format!(
        "{node} can have addresses again. Those that left it stay where they are, but for those of pools with revertive: true; to \
         bring one back: kubectl mooring move IP --to {node}"
    );
    Ok(Drained::brief(node, None, Outcome::Undone, message))
}

fn requested(node: &str, since: String) -> Drained {
    let message = format!(
        "{node} is drained since {since}, and not waited for: its addresses go to other nodes, and it takes none until kubectl \
         mooring drain {node} --undo"
    );
    Drained::brief(node, Some(since), Outcome::Requested, message)
}

/// Looks at a drained node until it is done.
struct Watch<'a> {
    cluster: &'a Cluster,
    arguments: &'a DrainArguments,
    evacuation: Evacuation,
    known: BTreeMap<IpAddr, Known>,
    drained: Drained,
    fates: BTreeMap<IpAddr, Fate>,
    looked: Option<(Instant, Duration)>,
    warned: bool,
}

impl<'a> Watch<'a> {
    fn new(cluster: &'a Cluster, arguments: &'a DrainArguments, since: String) -> Self {
        let node = &arguments.node;
        Self {
            cluster,
            arguments,
            evacuation: Evacuation::of(node),
            known: BTreeMap::new(),
            drained: Drained::brief(node, Some(since), Outcome::NotInTime, String::new()),
            fates: BTreeMap::new(),
            looked: None,
            warned: false,
        }
    }

    async fn run(mut self, out: &mut Output) -> anyhow::Result<Drained> {
        let mut patience = Patience::of(self.arguments.timeout);
        let outcome = loop {
            let asked = Instant::now();
            let answer = self.cluster.external_ips().await;
            let answer = answer.map_err(|error| installed(error.into()));
            if let Some(claims) = patience.heard(answer, out)? {
                self.known = claims
                    .iter()
                    .filter_map(|claim| external_ip::known(claim).ok())
                    .map(|known| (known.claim.address, known))
                    .collect();
                self.depart(out)?;
                if self.evacuation.open().next().is_none() {
                    break Outcome::Empty;
                }
            }
            let took = asked.elapsed();
            if self.is_time_to_look() {
                let begin = Instant::now();
                let now = Timestamp::from_unix_seconds(jiff::Timestamp::now().as_second());
                let answer = look::read(self.cluster, now).await.map_err(installed);
                if let Some(seen) = patience.heard(answer, out)? {
                    self.take_in(&seen.look, out);
                }
                self.looked = Some((Instant::now(), begin.elapsed()));
                if self.all_stay() {
                    break Outcome::SomeStay;
                }
            }
            if patience.is_over() {
                break Outcome::NotInTime;
            }
            patience.pause(took).await;
        };
        let took = u64::try_from(patience.elapsed().as_millis()).unwrap_or(u64::MAX);
        let left = left(&self.evacuation, &self.fates, &self.known);
        self.drained.addresses.extend(left);
        Ok(self.drained.end(outcome, took))
    }

    /// Those that have left since the last look, told at once.
    fn depart(&mut self, out: &mut Output) -> std::io::Result<()> {
        let departures = self.evacuation.observe(self.known.values());
        for departure in &departures {
            let left = AddressLeft::from(departure);
            if self.arguments.output.is_for_people() {
                out.line(&render::departure(&left, &self.arguments.node))?;
            }
            self.drained.addresses.push(left);
        }
        Ok(())
    }

    fn is_time_to_look(&self) -> bool {
        self.looked
            .is_none_or(|(at, took)| at.elapsed() >= LOOK.max(took * 10))
    }

    fn take_in(&mut self, look: &Look, out: &mut Output) {
        self.fates.clear();
        self.drained.incomplete.clone_from(&look.gaps);
        if look.operator == Operator::Stopped && !self.warned {
            self.warned = true;
            out.warning(
                "no Pod of mooring-operator is ready, and without it no address leaves a node: see kubectl -n mooring-system get \
                 pods",
            );
        }
        // Else it would be a guess.
        if look.nodes_seen {
            self.fates = fates(look, &self.arguments.node);
        }
    }

    /// All that is left there stays.
    fn all_stay(&self) -> bool {
        let mut open = self.evacuation.open();
        open.all(|(address, _)| matches!(self.fates.get(&address), Some(Fate::Stays(_))))
    }
}

/// What becomes of each address that the node has, by the decision that the operator takes.
fn fates(look: &Look, node: &str) -> BTreeMap<IpAddr, Fate> {
    let lingering = look.decision.lingering(&look.snapshot, node);
    lingering
        .into_iter()
        .map(|one| (one.address, one.fate))
        .collect()
}

/// All that has not arrived elsewhere.
fn left(
    evacuation: &Evacuation,
    fates: &BTreeMap<IpAddr, Fate>,
    known: &BTreeMap<IpAddr, Known>,
) -> Vec<AddressLeft> {
    let open = evacuation.open();
    let left = open.map(|(address, services)| {
        AddressLeft::open(address, services, fates.get(&address), known.get(&address))
    });
    left.collect()
}

#[cfg(test)]
mod tests;

//! What this node has to do about addresses, and what it says about them: between what was heard from the API server, the
//! thread that talks to other agents and the one that answers.
//!
//! ```text
//! addresses, pools,
//!   nodes, keys ────▶ wanted ──── Charges ──▶ fleet ─ Order::Want ─▶ moor
//! holders, nodes,
//!   ServiceProxy ───▶ watched ─── Order::Watch ─▶ moor
//!                     said ◀───── Told ───────── moor
//!                      ├─▶ api::Berths: the status of ExternalIPs
//!                      └─▶ agent: what was seen of addresses of others, for the NodeProxyState
//! ```

mod said;
mod speak;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use kube::Client;
use mooring_api::external_ip::Said;
use mooring_api::service_proxy::Leftovers;
use mooring_core::mooring::{Sighting, Standing};
use mooring_core::node::{NodeReport, Witnessed};
use mooring_core::peer::Keys;
use mooring_core::wire::Mac;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::agent::News;
use crate::api::{Address, Attempts, Berths, Trouble, leases};
use crate::args::Args;
use crate::fleet::{self, Charge, Charged, Fleet, Member};
use crate::memory::Scribe;
use crate::metrics::{Counts, Metrics};
use crate::moor::{Farewell, Moor, Moored, Order, Told};
use crate::view::View;

use said::Answered;

/// How long news about addresses is gathered before it is acted on.
const GATHER: Duration = Duration::from_millis(20);
/// It rests for so many times as long as it was busy.
const SHARE: u32 = 2;
/// How many writes may be under way at once.
const AT_ONCE: usize = 8;

/// What became of something that was to be said.
#[derive(Debug)]
pub(crate) struct Spoken {
    address: IpAddr,
    what: What,
    result: Result<Option<String>, Trouble>,
}

/// What became of telling what was seen of an address of another node.
#[derive(Debug)]
pub(crate) struct Testified {
    address: IpAddr,
    result: Result<(), Trouble>,
}

#[derive(Debug, Clone, PartialEq)]
enum What {
    Said(Box<Said>),
    LetGo,
}

/// What is written, or was.
struct Word {
    what: What,
    /// The version of the object in which it stands.
    version: Option<String>,
}

/// How it stands, as it was told last.
struct Stand {
    moored: Moored,
    at: Timestamp,
    /// Where each address is in it.
    places: BTreeMap<IpAddr, usize>,
}

/// The duty of this node.
pub(crate) struct Duty {
    node: String,
    moor: Moor,
    fleet: Fleet,
    berths: Berths,
    news: mpsc::Sender<News>,
    metrics: Arc<Metrics>,
    scribe: Scribe,
    /// When what was heard has to be acted on.
    due: Option<Instant>,
    /// Not before: where there is much to look through, that may not take all the time.
    rested: Instant,
    /// Something was heard since it was last seen to what that means for this node.
    unheeded: bool,
    /// What the fleet was told last.
    charges: Option<Vec<Charge>>,
    /// How often it was told, and how much of that it has heeded.
    orders: u64,
    heeded: u64,
    members: Vec<Member>,
    keys: Option<Keys>,
    /// What this node shall have, and why; `None` while that is not known.
    here: Option<BTreeMap<IpAddr, Charged>>,
    watched: BTreeMap<IpAddr, Option<String>>,
    /// Those of them that somebody else handed out; `None` while nobody has said which.
    foreign: Option<BTreeSet<IpAddr>>,
    cleared: BTreeSet<IpAddr>,
    peers: BTreeMap<Mac, String>,
    stand: Option<Stand>,
    /// Who had an address last that this node has not.
    former: BTreeMap<IpAddr, String>,
    under_way: BTreeSet<IpAddr>,
    words: BTreeMap<IpAddr, Word>,
    /// What is to be said of addresses of other nodes, with the nodes.
    sightings: BTreeMap<IpAddr, (String, Sighting)>,
    answered: BTreeMap<IpAddr, Answered>,
    troubled: BTreeMap<IpAddr, (Attempts, Instant)>,
    /// The address whose turn to be spoken of it is, by its place among all.
    turn: usize,
}

// === impl Duty ===

impl Duty {
    /// Starts the threads.
    pub(crate) fn start(
        args: &Args,
        client: Client,
        news: mpsc::Sender<News>,
        told: mpsc::UnboundedSender<Told>,
        metrics: Arc<Metrics>,
        counts: &Counts,
    ) -> Result<Self> {
        let tell = || {
            let to_agent = told.clone();
            // The agent may be ending. These threads may not wait for it.
            move |told| _ = to_agent.send(told)
        };
        let node = args.node_name.as_str();
        let (fleet, inbox) = Fleet::new()?;
        let moor = Moor::start(node, fleet.clone(), Arc::clone(&counts.frames), tell())?;
        let charged = tell();
        let namespace = args.namespace.as_deref();
        let namespace = namespace.unwrap_or_else(|| client.default_namespace());
        let to_fleet = fleet.clone();
        let leases = leases::start(client.clone(), namespace, move |asked, answer| {
            to_fleet.order(fleet::Order::Lease(asked.address, asked.ticket, answer));
        });
        inbox.start(
            node,
            args.peer_port,
            moor.clone(),
            counts,
            leases,
            move |after, here| charged(Told::Charged(after, here)),
        )?;
        Ok(Self {
            node: node.to_owned(),
            moor,
            berths: Berths::new(client, node),
            news,
            metrics,
            fleet,
            scribe: Scribe::new(args.state_dir.as_deref()),
            due: None,
            rested: Instant::now(),
            unheeded: false,
            charges: None,
            orders: 0,
            heeded: 0,
            members: Vec::new(),
            keys: None,
            here: None,
            watched: BTreeMap::new(),
            foreign: None,
            cleared: BTreeSet::new(),
            peers: BTreeMap::new(),
            stand: None,
            former: BTreeMap::new(),
            under_way: BTreeSet::new(),
            words: BTreeMap::new(),
            sightings: BTreeMap::new(),
            answered: BTreeMap::new(),
            troubled: BTreeMap::new(),
            turn: 0,
        })
    }

    /// Something was heard about addresses, pools or nodes.
    pub(crate) fn heard(&mut self) {
        self.scribe.heard();
        self.unheeded = true;
        self.act_by(Instant::now() + GATHER);
    }

    /// The API server is away. What an earlier process knew is good for as long as nothing newer is heard.
    pub(crate) fn recall(&mut self, view: &mut View) {
        if let Some(known) = self.scribe.recall() {
            view.recall(known);
            self.heard();
        }
    }

    /// The node was looked at.
    pub(crate) fn looked(&self, report: &NodeReport, default_routes: &[String]) {
        let report = Box::new(report.clone());
        self.moor
            .order(Order::Node(report, default_routes.to_vec()));
    }

    /// Links or addresses changed.
    pub(crate) fn kernel_changed(&self) {
        self.moor.order(Order::Look);
    }

    /// The thread that answers has something to tell. Says whether it changes what is [witnessed](Self::witnessed).
    pub(crate) fn told(&mut self, told: Told) -> bool {
        let sighting = match told {
            Told::Moored(moored) => {
                self.metrics.moored(&moored);
                self.count_new(&moored);
                self.stand = Some(Stand::new(moored, Timestamp::now()));
                self.act_by(Instant::now());
                return false;
            }
            Told::Charged(after, charged) => {
                self.heeded = after;
                let here = charged.into_iter();
                self.here = Some(here.map(|one| (one.claim.address, one)).collect());
                self.act_by(Instant::now());
                return false;
            }
            Told::Seen(sighting) => sighting,
        };
        self.metrics.seen(&sighting);
        let address = sighting.address;
        match sighting.holder.clone() {
            Some(holder) => {
                self.sightings.insert(address, (holder, sighting));
                self.act_by(Instant::now());
                false
            }
            None => {
                let former = self.answered.get(&address);
                let same = former.is_some_and(|former| former.macs == sighting.macs);
                if !same {
                    let answered = Answered {
                        macs: sighting.macs,
                        since: Timestamp::now(),
                    };
                    self.answered.insert(address, answered);
                }
                !same
            }
        }
    }

    /// Counts the addresses that have come to this node since it was told last how it stands.
    fn count_new(&self, moored: &Moored) {
        let Some(before) = &self.stand else { return };
        for standing in &*moored.standings {
            let Some(holding) = standing.holding() else {
                continue;
            };
            let former = before.of(standing.address).and_then(Standing::holding);
            if former.is_none_or(|former| former.since != holding.since) {
                let charged = self
                    .here
                    .as_ref()
                    .and_then(|here| here.get(&standing.address));
                let taken = charged.and_then(|charged| charged.taken);
                self.metrics
                    .came(holding.took, taken.map(|taken| taken.missed));
            }
        }
    }

    /// What this node saw of the addresses of others that it is a witness of. `kept` is what stands in the API.
    pub(crate) fn witnessed(&self, kept: Vec<Witnessed>) -> Vec<Witnessed> {
        match &self.foreign {
            // What the agent before this one said may still be wanted.
            None => kept,
            Some(foreign) => {
                let node_of = |mac: Mac| self.peers.get(&mac).map(String::as_str);
                said::witnessed(foreign, &self.answered, &kept, node_of)
            }
        }
    }

    /// When [`Self::act`] has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        let now = Instant::now();
        let pauses = self.troubled.values().map(|(_, until)| *until);
        let next = pauses.filter(|until| *until > now).min();
        let due = [self.due, next, self.scribe.due()];
        let due = due.into_iter().flatten().min();
        due.map(|due| due.max(self.rested))
    }

    fn act_by(&mut self, when: Instant) {
        self.due = Some(self.due.map_or(when, |due| due.min(when)));
    }

    /// Tells the thread what is wanted now, and the API server how it stands.
    pub(crate) fn act(&mut self, view: &View) {
        self.due = None;
        let begun = Instant::now();
        self.scribe.write_down(view);
        let Some(addresses) = view.addresses() else {
            return;
        };
        if std::mem::take(&mut self.unheeded) {
            self.order(view, addresses);
            self.remember(addresses);
        }
        // Until the fleet has answered, what this node shall have is that of another plan.
        if self.heeded == self.orders {
            self.speak(addresses);
        }
        self.rested = Instant::now() + SHARE * begun.elapsed();
    }

    fn order(&mut self, view: &View, addresses: &[Arc<Address>]) {
        let peers = wanted::peers(view.nodes());
        if peers != self.peers {
            self.moor.order(Order::Peers(peers.clone()));
            self.peers = peers;
        }
        let clears = view.leftovers() == Leftovers::RemoveOurs;
        let all = addresses.iter().filter(|_| clears);
        let cleared: BTreeSet<IpAddr> = all.map(|address| address.address).collect();
        if cleared != self.cleared {
            self.moor.order(Order::Clear(cleared.clone()));
            self.cleared = cleared;
        }
        self.order_fleet(view, addresses);
        if let Some(foreign) = view.foreign(&self.node) {
            self.answered.retain(|address, _| foreign.contains(address));
            self.foreign = Some(foreign);
        }
        let foreign = self.foreign.clone().unwrap_or_default();
        let watched = wanted::watched(&self.node, addresses, view.nodes(), &foreign);
        if watched != self.watched {
            for address in self
                .watched
                .keys()
                .filter(|address| !watched.contains_key(*address))
            {
                self.sightings.remove(address);
                self.metrics.unseen(*address);
            }
            self.moor.order(Order::Watch(watched.clone()));
            self.watched = watched;
        }
    }

    /// Lets the fleet know what it has to know to decide by itself what this node shall have.
    fn order_fleet(&mut self, view: &View, addresses: &[Arc<Address>]) {
        if let Some(keys) = view.keys()
            && self.keys.as_ref() != Some(keys)
        {
            self.fleet.order(fleet::Order::Keys(keys.clone()));
            self.keys = Some(keys.clone());
        }
        let members = wanted::members(view.nodes());
        if members != self.members {
            self.fleet.order(fleet::Order::Members(members.clone()));
            self.members = members;
        }
        // Before the pools are known, nothing is: another interface or another way of answering could be asked for.
        let Some(pools) = view.pools() else { return };
        let charges = wanted::charges(addresses, pools);
        if self.charges.as_ref() == Some(&charges) {
            return;
        }
        let first = self.charges.is_none();
        self.orders += 1;
        self.fleet.order(fleet::Order::Charges(charges.clone()));
        self.charges = Some(charges);
        if first {
            let claims = wanted::claims(&self.node, addresses);
            self.fleet.order(fleet::Order::Restore(claims));
        }
    }

    /// Whether this node answers for anything.
    pub(crate) fn holds_any(&self) -> bool {
        let mut standings = self.stand.iter().flat_map(|stand| &*stand.moored.standings);
        standings.any(|standing| standing.holding().is_some())
    }

    /// Ends the thread.
    pub(crate) async fn end(&self, farewell: Farewell) {
        self.moor.end(farewell).await;
    }
}

// === impl Stand ===

impl Stand {
    fn new(moored: Moored, at: Timestamp) -> Self {
        let standings = moored.standings.iter().enumerate();
        let places = standings.map(|(place, standing)| (standing.address, place));
        Self {
            places: places.collect(),
            moored,
            at,
        }
    }

    /// How it stands with one address; `None` if it is not known.
    fn of(&self, address: IpAddr) -> Option<&Standing> {
        self.moored.standings.get(*self.places.get(&address)?)
    }
}

#[cfg(test)]
mod tests;

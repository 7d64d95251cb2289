//! What this node has to do about addresses, and what it says about them: between what was heard from the API server and the
//! thread that answers.
//!
//! ```text
//! addresses, pools ─▶ wanted ──── Order::Want ──▶ moor
//! holders, nodes,
//!   ServiceProxy ───▶ watched ─── Order::Watch ─▶ moor
//!                     said ◀───── Told ───────── moor
//!                      ├─▶ api::Berths: the status of ExternalIPs
//!                      └─▶ agent: what was seen of addresses of others, for the NodeProxyState
//! ```

mod said;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Client;
use mooring_api::external_ip::Said;
use mooring_api::service_proxy::Leftovers;
use mooring_core::mooring::{Sighting, Standing, Wanted};
use mooring_core::node::{NodeReport, Witnessed};
use mooring_core::wire::Mac;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::warn;

use crate::agent::News;
use crate::api::{Address, Attempts, Berths, LetGo, Trouble, Written};
use crate::metrics::Metrics;
use crate::moor::{Farewell, Moor, Moored, Order, Tally, Told};
use crate::view::View;

use said::Answered;

/// How long news about addresses is gathered before it is acted on.
const GATHER: Duration = Duration::from_millis(20);
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
    Said(Said),
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
    berths: Berths,
    news: mpsc::Sender<News>,
    metrics: Arc<Metrics>,
    /// When what was heard has to be acted on.
    due: Option<Instant>,
    wanted: Vec<Wanted>,
    /// The addresses of what is wanted.
    here: BTreeSet<IpAddr>,
    ordered: bool,
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
    pub(crate) fn start(
        node: &str,
        client: Client,
        news: mpsc::Sender<News>,
        metrics: Arc<Metrics>,
        tally: Arc<Tally>,
    ) -> Result<Self> {
        let to_agent = news.clone();
        let moor = Moor::start(node, tally, move |told| {
            // The agent may be ending.
            let _ = to_agent.blocking_send(News::Moor(told));
        })?;
        Ok(Self {
            node: node.to_owned(),
            moor,
            berths: Berths::new(client, node),
            news,
            metrics,
            due: None,
            wanted: Vec::new(),
            here: BTreeSet::new(),
            ordered: false,
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
        self.act_by(Instant::now() + GATHER);
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
                self.stand = Some(Stand::new(moored, Timestamp::now()));
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

    /// Something was said, or could not be.
    pub(crate) fn spoken(&mut self, spoken: Spoken) {
        let Spoken {
            address,
            what,
            result,
        } = spoken;
        if let Some(version) = self.written(address, result) {
            self.words.insert(address, Word { what, version });
        }
    }

    /// It was told what was seen of an address of another node, or it could not be.
    pub(crate) fn testified(&mut self, testified: Testified) {
        self.written(testified.address, testified.result);
    }

    /// A write about an address is over; what came of it, if it went well.
    fn written<T>(&mut self, address: IpAddr, result: Result<T, Trouble>) -> Option<T> {
        self.under_way.remove(&address);
        self.metrics.address_written(&result);
        self.act_by(Instant::now());
        match result {
            Ok(done) => {
                self.troubled.remove(&address);
                Some(done)
            }
            Err(trouble) => {
                let (attempts, until) = self
                    .troubled
                    .entry(address)
                    .or_insert_with(|| (Attempts::default(), Instant::now()));
                *until = Instant::now() + attempts.failed(&trouble);
                if !trouble.is_unreachable() {
                    warn!(ip = %address, reason = %trouble, "the status of an ExternalIP cannot be written");
                }
                None
            }
        }
    }

    /// When [`Self::act`] has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        let now = Instant::now();
        let pauses = self.troubled.values().map(|(_, until)| *until);
        let next = pauses.filter(|until| *until > now).min();
        [self.due, next].into_iter().flatten().min()
    }

    fn act_by(&mut self, when: Instant) {
        self.due = Some(self.due.map_or(when, |due| due.min(when)));
    }

    /// Tells the thread what is wanted now, and the API server how it stands.
    pub(crate) fn act(&mut self, view: &View) {
        self.due = None;
        let Some(addresses) = view.addresses() else {
            return;
        };
        self.order(view, addresses);
        self.remember(addresses);
        self.speak(addresses);
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
        // Before the pools are known, nothing is: another interface or another way of answering could be asked for.
        let Some(pools) = view.pools() else { return };
        let wanted = wanted::wanted(&self.node, addresses, pools);
        if wanted != self.wanted || !self.ordered {
            self.ordered = true;
            self.moor.order(Order::Want(wanted.clone()));
            self.here = wanted.iter().map(|wanted| wanted.address).collect();
            self.wanted = wanted;
        }
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

    /// Who had addresses before this node, and which words need not be remembered any more.
    fn remember(&mut self, addresses: &[Arc<Address>]) {
        let mut live = BTreeSet::new();
        for address in addresses {
            live.insert(address.address);
            match &address.status.node {
                Some(holder) if *holder != self.node => {
                    self.former.insert(address.address, holder.clone());
                }
                _ => {}
            }
            let word = self.words.get(&address.address);
            if word.is_some_and(|word| word.is_over(address)) {
                self.words.remove(&address.address);
            }
        }
        self.former.retain(|address, _| live.contains(address));
        self.words.retain(|address, _| live.contains(address));
        self.troubled.retain(|address, _| live.contains(address));
    }

    /// Goes on where it had to stop: to begin with the first each time would cost a look at all for each that is written.
    fn speak(&mut self, addresses: &[Arc<Address>]) {
        let now = Instant::now();
        for turn in 0..addresses.len() {
            let at = (self.turn + turn) % addresses.len();
            let address = &addresses[at];
            let ip = address.address;
            if self.under_way.len() >= AT_ONCE {
                self.turn = at;
                return;
            }
            let waits = self
                .troubled
                .get(&ip)
                .is_some_and(|(_, until)| *until > now);
            if waits || self.under_way.contains(&ip) {
                continue;
            }
            if let Some(what) = self.due_word(address) {
                self.under_way.insert(ip);
                self.write(Arc::clone(address), what);
            } else if let Some((holder, sighting)) = self.sightings.remove(&ip) {
                self.under_way.insert(ip);
                self.write_sighting(Arc::clone(address), holder, sighting);
            }
        }
    }

    /// What has to be said about an address and is not yet.
    fn due_word(&self, address: &Address) -> Option<What> {
        let stand = self.stand.as_ref()?;
        let ip = address.address;
        let what = if self.here.contains(&ip) {
            let standing = stand.of(ip)?;
            let from = self.former.get(&ip).map(String::as_str);
            let node_of = |mac: Mac| self.peers.get(&mac).map(String::as_str);
            let said = said::said(standing, &stand.moored, stand.at, address, from, node_of)?;
            What::Said(said)
        } else if self.ordered && address.status.node.as_deref() == Some(&self.node) {
            What::LetGo
        } else {
            return None;
        };
        // What was heard may be older than what was said last.
        let told = match (self.words.get(&ip), &what) {
            (Some(word), what) => word.what == *what,
            (None, What::Said(said)) => address.says(said),
            (None, _) => false,
        };
        (!told).then_some(what)
    }

    fn write(&self, address: Arc<Address>, what: What) {
        let (berths, news) = (self.berths.clone(), self.news.clone());
        tokio::spawn(async move {
            let now = Time(Timestamp::now());
            let result = match &what {
                What::Said(said) => {
                    berths
                        .write(&address, said, &now)
                        .await
                        .map(|written| match written {
                            Written::At(version) => Some(version),
                            Written::HeldElsewhere | Written::Gone => None,
                        })
                }
                What::LetGo => {
                    berths
                        .let_go(&address, &now)
                        .await
                        .map(|let_go| match let_go {
                            // Until something newer is heard, it need not be done again.
                            LetGo::Done | LetGo::Overtaken | LetGo::Gone => {
                                Some(address.resource_version.clone())
                            }
                        })
                }
            };
            let spoken = Spoken {
                address: address.address,
                what,
                result,
            };
            // The agent may be ending.
            let _ = news.send(News::Spoken(spoken)).await;
        });
    }

    fn write_sighting(&self, address: Arc<Address>, holder: String, sighting: Sighting) {
        let (berths, news, node) = (self.berths.clone(), self.news.clone(), self.node.clone());
        let peers = self.peers.clone();
        tokio::spawn(async move {
            let node_of = |mac: Mac| peers.get(&mac).map(String::as_str);
            let now = Time(Timestamp::now());
            let (seen, single) = said::seen(&node, &holder, &sighting, &now, node_of);
            let testified = Testified {
                address: address.address,
                result: berths.witness(&address, seen, single, &now).await,
            };
            // The agent may be ending.
            let _ = news.send(News::Testified(testified)).await;
        });
    }

    /// Whether this node answers for anything.
    pub(crate) fn holds_any(&self) -> bool {
        let mut standings = self.stand.iter().flat_map(|stand| &stand.moored.standings);
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

// === impl Word ===

impl Word {
    /// Whether the object says it, or something else was written since.
    fn is_over(&self, address: &Address) -> bool {
        let number = |version: &str| version.parse::<u64>().ok();
        let said = match &self.what {
            What::Said(said) => address.says(said),
            What::LetGo => false,
        };
        let later = match &self.version {
            Some(version) => number(&address.resource_version) > number(version),
            None => false,
        };
        said || later
    }
}

#[cfg(test)]
mod tests;

//! What is said about addresses: whenever it is something else than what stands in the API, and not too much at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use mooring_core::mooring::Sighting;
use mooring_core::peer::{PeerId, Term};
use mooring_core::wire::Mac;
use tokio::time::Instant;
use tracing::warn;

use super::{AT_ONCE, Charged, Duty, IpAddr, News, Spoken, Testified, What, Word, said};
use crate::api::{Address, Attempts, LetGo, Trouble, Written};

impl Duty {
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

    /// Who had addresses before this node, and which words need not be remembered any more.
    pub(super) fn remember(&mut self, addresses: &[Arc<Address>]) {
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
    pub(super) fn speak(&mut self, addresses: &[Arc<Address>]) {
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
    pub(super) fn due_word(&self, address: &Address) -> Option<What> {
        let (stand, here) = (self.stand.as_ref()?, self.here.as_ref()?);
        let ip = address.address;
        let what = if let Some(charged) = here.get(&ip) {
            if self.is_overtaken(address, charged) {
                return None;
            }
            let standing = stand.of(ip)?;
            let taken = charged.taken.map(|taken| said::TakenOver {
                from: self.name(taken.from),
                missed: taken.missed,
            });
            let way = said::Way {
                term: charged.claim.term,
                from: self.former.get(&ip).map(String::as_str),
                taken,
                rival: charged.rival.map(|rival| said::Beside {
                    node: self.name(rival.node),
                    until: rival.until,
                }),
            };
            let node_of = |mac: Mac| self.peers.get(&mac).map(String::as_str);
            let said = said::said(standing, &stand.moored, stand.at, address, way, node_of)?;
            What::Said(Box::new(said))
        } else if address.status.node.as_deref() == Some(&self.node) {
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

    /// Another node has said that it has taken the address over since: what this one has to say is out of date, and it will
    /// hear of it.
    fn is_overtaken(&self, address: &Address, charged: &Charged) -> bool {
        let status = &address.status;
        let elsewhere = status.node.as_ref().is_some_and(|node| *node != self.node);
        let term = status.term.map(Term::from);
        elsewhere && term.is_some_and(|term| term > charged.claim.term)
    }

    fn name(&self, peer: PeerId) -> Option<String> {
        let mut members = self.members.iter();
        let member = members.find(|member| member.id() == peer)?;
        Some(member.name.clone())
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
}

// === impl Word ===

impl Word {
    /// Whether the object says it, or something else was written since.
    pub(super) fn is_over(&self, address: &Address) -> bool {
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

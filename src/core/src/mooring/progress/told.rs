//! How it stands with an address, for others to read.

use crate::fencing::{self, Permits};
use crate::ipam::pool::Ports;
use crate::mooring::Now;
use crate::mooring::berth::Method;
use crate::mooring::standing::{Holding, Standing, State, Unforwarded};
use crate::mooring::wanted::{Lack, Node, Programmed, ProxyState, SYNCED};

use super::{CONFLICT_LASTS, Mooring, Progress};

impl Mooring {
    pub(in crate::mooring) fn standing(
        &self,
        node: &Node,
        proxy: &ProxyState,
        permits: &Permits,
        exposed: Option<&str>,
        now: Now,
    ) -> Standing {
        let state = match (&self.berth, &self.progress) {
            (Err(hindrance), _) => State::Hindered(hindrance.clone()),
            (Ok(_), Progress::Elsewhere { mac, .. }) => State::Elsewhere { mac: *mac },
            (Ok(_), Progress::Failed { why, .. }) => State::Failed { why: why.clone() },
            (
                Ok(berth),
                Progress::Holding {
                    since,
                    claim,
                    forsaken,
                    ..
                },
            ) => State::Holding(Holding {
                berth: berth.clone(),
                mac: self.mac,
                since: *since,
                took: since.saturating_sub(self.begun),
                claimed_by: claim
                    .filter(|claim| now < claim.last + CONFLICT_LASTS)
                    .map(|claim| claim.mac),
                fenced: self.wanted.is_fenced(),
                forsaken: forsaken
                    .as_ref()
                    .filter(|forsaken| now >= forsaken.since + SYNCED)
                    .and_then(|forsaken| self.lack_without(&forsaken.missing))
                    .map(|(served, port)| Unforwarded::of(served, port, node)),
                exposed: exposed
                    .filter(|_| {
                        berth.method == Method::Uplink && self.wanted.ports == Ports::ServiceOnly
                    })
                    .map(str::to_owned),
            }),
            (Ok(_), Progress::Asking { .. } | Progress::Awaiting | Progress::Deaf) => State::Asking,
            (Ok(_), Progress::Silent { .. }) if self.is_ready(proxy) && !self.may(permits, now) => {
                let why = permits.why_not.get(&self.wanted.address);
                let why = why.cloned().unwrap_or(fencing::Standing::Unread);
                State::NoLease { why }
            }
            (Ok(_), Progress::Silent { .. }) => match &proxy.programmed {
                Programmed::Failed(why) => State::ProxyUnread { why: why.clone() },
                Programmed::NotRead => State::Asking,
                Programmed::Hidden(_) | Programmed::Targets(_) => self.unserved(node, proxy),
            },
        };
        Standing {
            address: self.wanted.address,
            state,
        }
    }

    fn unserved(&self, node: &Node, proxy: &ProxyState) -> State {
        match self.wanted.lack(proxy) {
            Some(Lack::Forwarding(served, port)) => {
                State::NotProgrammed(Unforwarded::of(served, port, node))
            }
            Some(Lack::Health(service, port)) => State::NotHealthy {
                service: service.clone(),
                port,
            },
            None => State::Asking,
        }
    }
}

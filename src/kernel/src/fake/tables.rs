//! Tables of Mooring's own in nftables.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{FakeHost, table_of};
use crate::{
    Answering, Facility, Filtered, IpFamily, NftFamily, NftTable, Onward, PortFilter, Responder,
    WriteError, Writing,
};

impl FakeHost {
    /// What [`Host::set_onward`](crate::Host::set_onward) set last.
    #[must_use]
    pub fn onward(&self) -> &Onward {
        &self.onward
    }

    pub(super) fn replace_port_filter(
        &mut self,
        wanted: &PortFilter,
    ) -> Result<Facility<Filtered>, WriteError> {
        self.may(Writing::PortFilter)?;
        let Some(tables) = &mut self.nft else {
            return Ok(Facility::Absent);
        };
        let table = NftTable {
            family: NftFamily::Inet,
            name: "mooring".to_owned(),
        };
        self.port_filter = wanted.clone();
        if wanted.addresses.is_empty() {
            tables.remove(&table);
            return Ok(Facility::Present(Filtered::Nothing));
        }
        let chains = ["closed", "prerouting"].map(str::to_owned);
        tables.insert(table, BTreeSet::from(chains));
        Ok(Facility::Present(match self.rejects {
            true => Filtered::Refusing,
            false => Filtered::Dropping,
        }))
    }

    pub(super) fn replace_onward(&mut self, wanted: &Onward) -> Result<Facility<()>, WriteError> {
        self.may(Writing::Onward)?;
        let Some(tables) = &mut self.nft else {
            return Ok(Facility::Absent);
        };
        self.onward = wanted.clone();
        for family in [IpFamily::V4, IpFamily::V6] {
            let table = table_of(family, "mooring");
            let is = |ip: &IpAddr| ip.is_ipv4() == (family == IpFamily::V4);
            if wanted
                .to
                .iter()
                .any(|(address, node)| is(address) && is(node))
            {
                tables.insert(table, BTreeSet::from(["prerouting".to_owned()]));
            } else {
                tables.remove(&table);
            }
        }
        Ok(Facility::Present(()))
    }

    pub(super) fn replace_responder(
        &mut self,
        wanted: &Responder,
    ) -> Result<Facility<()>, WriteError> {
        let writing = Writing::Responder;
        self.may(writing)?;
        let Some(tables) = &mut self.nft else {
            return Ok(Facility::Absent);
        };
        let is_there = |(index, link): (&u32, &Answering)| {
            let found = self.links.get(index);
            found.is_some_and(|found| found.name == link.name)
        };
        if !wanted.links.iter().all(is_there) {
            return Err(WriteError::NoLink { writing });
        }
        let table = NftTable {
            family: NftFamily::Netdev,
            name: "mooring".to_owned(),
        };
        let rules = |of: &Responder| {
            let links = of.links.iter();
            let links = links.map(|(index, link)| (*index, link.name.clone(), link.mac));
            (links.collect::<Vec<_>>(), of.lasts)
        };
        if rules(wanted) != rules(&self.responder) {
            self.renewals = 0;
        }
        self.responder = wanted.clone();
        if wanted.links.is_empty() {
            tables.remove(&table);
        } else {
            let of = |index| ["arp", "link", "ndp"].map(|kind| format!("{kind}{index}"));
            let chains = wanted.links.keys().flat_map(of);
            let chains = chains.chain(["pulse".to_owned()]).collect();
            tables.insert(table, chains);
        }
        Ok(Facility::Present(()))
    }
}

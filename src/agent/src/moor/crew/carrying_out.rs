//! Orders of the machine, carried out on links and on the wire.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use mooring_core::mooring::{Now, Orders, Standing, Words, open_ports};
use mooring_core::proxy_mode::LiveMode;
use mooring_core::wire::Mac;
use tracing::{info, warn};

use super::{CHECK, Crew, Told};

impl<T: FnMut(Told)> Crew<T> {
    /// What has to be on uplinks, and what of the agent before this one may not leave them yet.
    ///
    /// A kube-proxy in mode ipvs takes an address off `kube-ipvs0` that it saw on an uplink when its sync began
    /// (`nodeAddressSet` and `superfluousAddresses` in `syncProxyRules`, pkg/proxy/ipvs/proxier.go, since 1.27), and does so
    /// at its end: if the address left the uplink in between, it would be nowhere. So a stand-in stays until kube-proxy has
    /// done that, and goes when the address is put back on `kube-ipvs0`.
    fn with_stand_ins(&mut self, orders: &Orders, now: Now) -> BTreeMap<IpAddr, String> {
        let hull = &self.hull;
        self.stand_ins.retain(|address, until| {
            now < *until && orders.ensure.contains(address) && hull.is_on_ipvs_link(address)
        });
        let mut bind = orders.bind.clone();
        let stay = hull.ours();
        let stay = stay.filter(|(address, _)| self.stand_ins.contains_key(address));
        bind.extend(stay.map(|(address, interface)| (address, interface.to_owned())));
        bind
    }

    /// Whoever falls silent does so first; whoever goes on to be answered for in another way is answered for in both ways for
    /// a moment, with one MAC address.
    pub(super) fn carry_out(&mut self, orders: Orders, now: Now) {
        let changed = orders.answer != self.done.answer
            || orders.bind != self.done.bind
            || orders.ensure != self.done.ensure
            || orders.onward != self.done.onward;
        let mut failed: BTreeMap<IpAddr, String> = BTreeMap::new();
        if changed || now >= self.check {
            self.check = now + CHECK;
            if let Err(error) = self.hull.survey(&self.host) {
                warn!(reason = %error, "goes on with the addresses as they were");
            }
            let goes_on = |address: &IpAddr| {
                orders.bind.contains_key(address)
                    || orders.answer.values().any(|of| of.contains(address))
            };
            self.segments.silence(&goes_on);
            let answered = self.segments.responder();
            self.deputy.reduce(&mut self.host, &answered, now);
            self.hull.let_go(&mut self.host, &goes_on);
            self.hull.send_on(&mut self.host, &orders.onward, now);
            let bind = self.with_stand_ins(&orders, now);
            // Before they are there: no listener is open for a moment.
            self.close_ports(&bind);
            failed.extend(self.hull.bind(&mut self.host, &bind));
            self.hull.ensure(&mut self.host, &orders.ensure);
            let idle = self.wanted.iter().all(Vec::is_empty) && self.watched.is_empty();
            let uplinks = self.node.uplinks.iter().filter(|_| !idle);
            let open: BTreeSet<&str> = uplinks.map(|uplink| uplink.name.as_str()).collect();
            let trouble = self.segments.open(&open).clone();
            self.segments.set(&orders.answer, &orders.bind);
            let answered = self.segments.responder();
            self.deputy.follow(&mut self.host, &answered, now);
            let deaf = orders.answer.iter().filter_map(|(interface, addresses)| {
                trouble.get(interface.as_str()).map(|why| (addresses, why))
            });
            for (addresses, why) in deaf {
                failed.extend(addresses.iter().map(|address| (*address, why.clone())));
            }
            self.hull.sweep(&mut self.host, &bind);
            // In no other mode is it certain that nobody needs them there. With proxyAll they keep packets from Open vSwitch.
            if matches!(
                self.node.mode,
                LiveMode::Iptables | LiveMode::Nftables | LiveMode::AntreaProxyAll
            ) {
                self.hull.clear(&mut self.host, &self.cleared);
            }
        }
        for (address, why) in &failed {
            self.moorings.fail(*address, why.clone(), now);
        }
        // What was done to links may have taken long.
        let lapsed = self.moorings.lapsed(self.now());
        for sending in &orders.send {
            let over = sending.words == Words::Announce && lapsed.contains(&sending.address);
            if over || failed.contains_key(&sending.address) || self.segments.say(sending) {
                continue;
            }
            // Silence after a question that nobody heard is none.
            if sending.words == Words::Ask {
                let why = format!("nobody could be asked on {} who has it", sending.interface);
                self.moorings.fail(sending.address, why, now);
            }
        }
        self.done = Orders {
            send: Vec::new(),
            ..orders
        };
    }

    pub(super) fn close_ports(&mut self, bind: &BTreeMap<IpAddr, String>) {
        // What is about to go is closed until it is gone.
        let standing = self.hull.ours().map(|(address, _)| address);
        let bound: BTreeSet<IpAddr> = bind.keys().copied().chain(standing).collect();
        let open = open_ports(bound, self.wanted.iter().flatten());
        let exposed = self.hull.close(&mut self.host, &open).err();
        if let Some(why) = &exposed
            && self.exposed != exposed
        {
            warn!(
                reason = why,
                "the node's own listeners can be reached on external IPs"
            );
        }
        self.moorings.expose(exposed.clone());
        self.exposed = exposed;
    }
}

/// One line for each address that is not as it was.
pub(super) fn log_changes(former: &[Standing], standings: &[Standing]) {
    let by_address = former.iter().map(|standing| (standing.address, standing));
    let mut former: BTreeMap<IpAddr, &Standing> = by_address.collect();
    for standing in standings {
        let old = former.remove(&standing.address);
        let held = |standing: &Standing| standing.holding().map(|holding| holding.berth.clone());
        let (before, after) = (old.and_then(held), held(standing));
        let ip = standing.address;
        match (&before, &after) {
            (_, Some(berth)) if before != after => {
                info!(%ip, iface = berth.interface, method = %berth.method, "answers for an address");
            }
            (Some(_), None) => {
                info!(%ip, state = ?standing.state, "does not answer for an address any more")
            }
            _ => {}
        }
        let claimed = |standing: &Standing| -> Option<Mac> { standing.holding()?.claimed_by };
        if let Some(mac) = claimed(standing).filter(|mac| old.and_then(claimed) != Some(*mac)) {
            warn!(%ip, %mac, "somebody else says that it has an address of this node");
        }
    }
    for gone in former.into_values() {
        if gone.holding().is_some() {
            info!(ip = %gone.address, "lets go of an address");
        }
    }
}

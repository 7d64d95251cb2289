//! What clients and the wire notice when what answers for an address dies, freezes or comes back.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(
    dead_code,
    unused_imports,
    reason = "not every test file uses all of it"
)]

mod shutdown;
mod site;
mod trial;

pub(crate) use site::Site;
pub(crate) use trial::{Mark, Owners, Pace, Seen, Trial};

use serde_json::json;
use testbed::Bed;
use testbed::spec::{Proxy, StrictArp};

use crate::moored::POOL;
use crate::mooring::Mooring;

/// Succeeds in a shell on a node whose agent is ready.
const READY: &str = "busybox wget -qO- http://127.0.0.1:10270/readyz >/dev/null 2>&1";

/// Mooring, and the addresses that it serves.
pub(crate) struct Scene<'a> {
    pub(crate) mooring: Mooring<'a>,
    pub(crate) site: &'a Site<'a>,
}

/// Tells what happens on a bed of its own, with kube-proxy in mode ipvs. `program` is the `testbed` program.
#[track_caller]
pub(crate) fn on_a_bed(program: &str, story: &str, tell: impl FnOnce(&Scene<'_>)) {
    let bed = Bed::fixture(program, story)
        .proxy(Proxy::Ipvs)
        .strict_arp(StrictArp::True)
        .start()
        .unwrap();
    let site = Site::set(&bed, "ipvs");
    tell(&Scene {
        mooring: Mooring::serve(&site),
        site: &site,
    });
    drop(site);
    bed.down().unwrap();
}

impl<'a> Mooring<'a> {
    /// Installs Mooring on the site's bed, and has it serve the site's addresses.
    #[track_caller]
    pub(crate) fn serve(site: &Site<'a>) -> Self {
        let mooring = Self::install(site.bed);
        mooring.wait_until_safe();
        mooring.create_lan_pool(&json!({}));
        site.publish(|address| json!({"mooring.dev/pool": POOL, "mooring.dev/ips": address}));
        mooring.wait_until_settled(site);
        mooring
    }

    /// Waits until every node could take every address over: its agent is ready and its kube-proxy forwards them all. Each
    /// address is answered for by one then, and by the one that its status names, and it has heirs.
    #[track_caller]
    pub(crate) fn wait_until_settled(&self, site: &Site<'_>) {
        site.wait_until_settled(READY);
        self.wait_until_ready();
        for address in &site.addresses {
            let answering = site.bed.answering(*address).unwrap();
            self.wait_until_held_by(*address, |holder| answering.contains(&holder.node));
            self.wait_for(&format!("{address} has heirs"), || {
                let claim = self.claim(*address);
                let heirs = claim["spec"]["heirs"].as_array()?;
                (!heirs.is_empty()).then_some(())
            });
        }
    }
}

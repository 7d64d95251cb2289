//! A cluster in one mode with the addresses of the Service `web`, on which stories are told.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;
use testbed::watcher::Watcher;

use super::{Holder, Tale, addresses, tell_all};
use crate::mooring::Mooring;
use crate::plugin::Cluster;

/// What all stories of a mode see.
pub(crate) struct Scene<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) mooring: Mooring<'a>,
    /// Of kube-proxy, by its name.
    pub(crate) mode: &'static str,
    /// From before the Service is made to the end.
    pub(crate) watcher: Watcher,
}

impl<'a> Scene<'a> {
    /// Sets it: the Pods and the pool are there, the Service is not yet.
    #[track_caller]
    pub(crate) fn set(cluster: &'a Cluster, mooring: Mooring<'a>, mode: &'static str) -> Self {
        mooring.deploy_web();
        mooring.create_lan_pool(&json!({}));
        Self {
            cluster,
            mooring,
            mode,
            watcher: mooring.watch(&addresses()),
        }
    }

    /// Tells the stories, in their order.
    #[track_caller]
    pub(crate) fn tell(&self, stories: &[Tale<Self>]) {
        tell_all(&format!("{}: ", self.mode), stories, self);
    }

    /// Who has each address, once somebody has it.
    #[track_caller]
    pub(crate) fn holders(&self) -> [(IpAddr, Holder); 2] {
        addresses().map(|address| (address, self.mooring.wait_until_held(address)))
    }

    /// Waits until an address was announced so often.
    #[track_caller]
    pub(crate) fn wait_for_announcements(&self, address: IpAddr, number: usize) {
        let what = format!("{address} was announced {number} times");
        self.mooring
            .wait_at_most(Duration::from_secs(20), &what, || {
                let story = self.watcher.story(address).unwrap();
                (story.announcements.len() >= number).then_some(())
            });
    }

    /// A thousand requests of each family at the same time, of which none may fail, and a witness who saw one answer.
    #[track_caller]
    pub(crate) fn expect_service(&self) {
        std::thread::scope(|scope| {
            for address in addresses() {
                let mooring = self.mooring;
                scope.spawn(move || mooring.expect_answers(address, 1_000));
            }
        });
        for address in addresses() {
            self.mooring.expect_single(address);
        }
    }

    /// Does something while so many requests a second are sent to each address. None may fail, and nobody but the holder may
    /// speak for it.
    #[track_caller]
    pub(crate) fn under_load(&self, rate: u32, disturb: impl FnOnce()) {
        let begin = self.watcher.now();
        let clients =
            addresses().map(|address| (address, self.mooring.ask_steadily(address, rate)));
        disturb();
        let reports = clients.map(|(address, client)| (address, client.end()));
        for (address, _) in &reports {
            let holder = self.mooring.wait_until_held(*address);
            let story = self.watcher.story(*address).unwrap().since(begin);
            self.mooring.expect_one(&story, holder.mac);
        }
        for (address, report) in &reports {
            self.mooring.expect_none_failed(*address, report);
        }
    }
}

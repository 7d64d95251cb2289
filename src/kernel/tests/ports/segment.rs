//! A node and a peer on one wire, each in a namespace of its own.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use mooring_kernel::Facility;
use nix::sched::{CloneFlags, setns, unshare};

use crate::world::World;

pub(super) const NODE: &str = "10.9.0.2";
pub(super) const PEER: &str = "10.9.0.1";
pub(super) const VIP: &str = "10.9.0.100";
pub(super) const NODE_V6: &str = "fd00::2";
pub(super) const PEER_V6: &str = "fd00::1";
pub(super) const VIP_V6: &str = "fd00::100";
/// Behind the peer.
pub(super) const FAR: &str = "10.8.0.9";
pub(super) const FAR_V6: &str = "fd08::9";

/// The namespace of the thread is the node's, with `up0` as its uplink and the VIPs on it.
pub(super) struct Segment {
    peer: Namespace,
}

/// A namespace that lasts as long as this.
pub(crate) struct Namespace(File);

pub(crate) fn has_nft(world: &World) -> bool {
    world.no_nft_tables_yet() != Facility::Absent
}

/// What nft(8) says.
pub(crate) fn nft(arguments: &str) -> String {
    said("nft", arguments)
}

/// Whether one echo request is answered.
pub(super) fn ping(ip: &str) -> bool {
    let output = Command::new("ping")
        .args(["-c", "1", "-W", "1", ip])
        .output();
    output.expect("ping(8)").status.success()
}

// === impl Segment ===

impl Segment {
    /// None on a kernel without nftables.
    pub(super) fn new(world: &World) -> Option<Self> {
        if !has_nft(world) {
            return None;
        }
        let segment = Self {
            peer: Namespace::new(),
        };
        let (process, number) = (std::process::id(), segment.peer.number());
        ip(&format!(
            "link add up0 type veth peer name up0 netns /proc/{process}/fd/{number}"
        ));
        let set_up = |addresses: [&str; 2]| {
            ip("link set lo up");
            ip("link set up0 up");
            for address in addresses {
                ip(&format!("address add {address} dev up0 nodad"));
            }
        };
        segment.at_peer(|| set_up([&format!("{PEER}/24"), &format!("{PEER_V6}/64")]));
        set_up([&format!("{NODE}/24"), &format!("{NODE_V6}/64")]);
        let life = "valid_lft 600 preferred_lft 0";
        ip(&format!("address add {VIP}/32 dev up0 {life}"));
        let six = "nodad noprefixroute";
        ip(&format!("address add {VIP_V6}/128 dev up0 {six} {life}"));
        let deadline = Instant::now() + Duration::from_secs(10);
        while !segment.at_peer(|| ping(NODE) && ping(NODE_V6)) {
            assert!(Instant::now() < deadline, "the wire carries nothing");
        }
        Some(segment)
    }

    /// Has something done in the namespace of the peer.
    pub(super) fn at_peer<T: Send>(&self, task: impl FnOnce() -> T + Send) -> T {
        self.peer.within(task)
    }

    /// Has the peer carry what goes to [`FAR`] and [`FAR_V6`] on, over a link that takes 1280 bytes.
    pub(super) fn make_the_way_on_narrow(&self) {
        self.at_peer(|| {
            ip("link add narrow type ifb");
            ip("link set narrow mtu 1280 up");
            for forwarding in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
                fs::write(format!("/proc/sys/net/{forwarding}"), "1").expect("a router");
            }
            for network in ["10.8.0.0/24", "fd08::/64"] {
                ip(&format!("route add {network} dev narrow"));
            }
        });
        ip(&format!("route add 10.8.0.0/24 via {PEER}"));
        ip(&format!("route add fd08::/64 via {PEER_V6}"));
    }

    /// Waits until the node knows how narrow the way from one of its addresses is.
    pub(super) fn wait_for_narrow_way(&self, from: &str, to: &str) {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let route = said("ip", &format!("route get {to} from {from}"));
            if route.contains("mtu 1280") {
                return;
            }
            assert!(Instant::now() < deadline, "{route}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Has the peer forget who has which address.
    pub(super) fn forget_neighbours(&self) {
        self.at_peer(|| ip("neigh flush dev up0"));
    }

    /// Whether the node answers when the peer, who knows its MAC address, asks it alone about an address.
    pub(super) fn is_a_neighbour(&self, address: &str) -> bool {
        let deadline = Instant::now() + Duration::from_secs(10);
        self.at_peer(|| {
            ip(&format!("neigh change {address} dev up0 nud probe"));
            loop {
                let state = said("ip", &format!("neigh show {address} dev up0"));
                if state.contains("REACHABLE") {
                    return true;
                }
                if state.contains("FAILED") || Instant::now() > deadline {
                    return false;
                }
                thread::sleep(Duration::from_millis(20));
            }
        })
    }
}

// === impl Namespace ===

impl Namespace {
    /// A fresh one.
    pub(crate) fn new() -> Self {
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("unshare");
            File::open("/proc/thread-self/ns/net").expect("a namespace")
        });
        Self(made.join().expect("a namespace"))
    }

    /// Its number among the open files of this process.
    pub(crate) fn number(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// Has something done in it.
    pub(crate) fn within<T: Send>(&self, task: impl FnOnce() -> T + Send) -> T {
        let there = || {
            setns(&self.0, CloneFlags::CLONE_NEWNET).expect("setns");
            task()
        };
        let done = thread::scope(|scope| scope.spawn(there).join());
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

pub(crate) fn ip(arguments: &str) {
    said("ip", arguments);
}

pub(crate) fn said(program: &str, arguments: &str) -> String {
    let output = Command::new(program).args(arguments.split(' ')).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    let done = output.status.success();
    assert!(done, "{program} {arguments}: {complaint}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

//! A segment with three hosts: network namespaces on a bridge of this machine.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(dead_code, reason = "not every test file uses all of it")]

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use testbed::probe::Mac;

/// Namespaces `asker`, `a` and `b` with an `eth0` each, on the bridge of a fourth one. Deleted
/// with everything in them when dropped.
#[derive(Debug)]
pub(crate) struct Segment {
    prefix: String,
}

const HOSTS: [&str; 3] = ["asker", "a", "b"];

impl Segment {
    /// `None`, with the reason printed, when this process may not make namespaces.
    pub(crate) fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !nix::unistd::geteuid().is_root() {
            skip("making network namespaces needs root");
            return None;
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let segment = Self {
            prefix: format!("testbed-probe-{}-{number}", std::process::id()),
        };
        let fabric = segment.name("fabric");
        ip(&format!("netns add {fabric}"));
        ip(&format!(
            "-n {fabric} link add br0 type bridge mcast_snooping 0"
        ));
        ip(&format!("-n {fabric} link set br0 up"));
        // Set to 1 in new namespaces where br_netfilter is built in.
        for family in ["ip", "ip6", "arp"] {
            let key = format!("net.bridge.bridge-nf-call-{family}tables=0");
            let _ = Command::new("ip")
                .args(["netns", "exec", &fabric, "sysctl", "-qw", &key])
                .output();
        }
        for (index, host) in HOSTS.iter().enumerate() {
            let name = segment.name(host);
            let mac = mac_of(host);
            let octet = index + 1;
            ip(&format!("netns add {name}"));
            ip(&format!(
                "-n {fabric} link add port{index} type veth peer name eth0 address {mac} netns {name}"
            ));
            ip(&format!("-n {fabric} link set port{index} master br0 up"));
            ip(&format!(
                "-n {name} address add 10.99.0.{octet}/24 dev eth0"
            ));
            ip(&format!(
                "-n {name} address add fd99::{octet}/64 dev eth0 nodad"
            ));
            ip(&format!("-n {name} link set eth0 up"));
        }
        Some(segment)
    }

    /// The name of a host's namespace.
    pub(crate) fn name(&self, part: &str) -> String {
        format!("{}-{part}", self.prefix)
    }

    /// Its file.
    pub(crate) fn file(&self, host: &str) -> PathBuf {
        PathBuf::from("/run/netns").join(self.name(host))
    }

    /// Gives a host an address, with its prefix.
    pub(crate) fn give(&self, host: &str, address: &str) {
        let nodad = if address.contains(':') { "nodad" } else { "" };
        ip(&format!(
            "-n {} address add {address} dev eth0 {nodad}",
            self.name(host)
        ));
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        for part in HOSTS.iter().chain(&["fabric"]) {
            let _ = Command::new("ip")
                .args(["netns", "del", &self.name(part)])
                .output();
        }
    }
}

/// The MAC of a host.
pub(crate) fn mac_of(host: &str) -> Mac {
    let last = host.bytes().next().unwrap();
    let kind = if host == "asker" { 1 } else { 2 };
    Mac([0x52, 0x54, 0, 0x99, kind, last])
}

/// `ip ARGUMENTS`.
pub(crate) fn ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .expect("ip");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {complaint}");
}

#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}

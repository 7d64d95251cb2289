//! When kube-proxy has programmed an address: this program, inside a node, looks all the time for its virtual service and,
//! as kube-proxy fills it after all virtual services, in the set of what is masqueraded. It says so in a datagram, over the
//! wire on which the address is asked for.

use std::collections::BTreeSet;
use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use mooring_kernel::{Facility, Host, IpFamily, IpvsProtocol, LinuxHost, ServiceTarget};

/// What makes this program do that.
pub(crate) const ARGUMENT: &str = "look-for";
/// The first datagram. The second one tells how long a look took, in microseconds.
pub(crate) const READY: &str = "ready";

const LIST: &str = "/proc/net/ip_vs";
/// Between two looks. Each takes the node's one processor from kube-proxy, and questions about the set make it wait.
const PAUSE: Duration = Duration::from_millis(10);

/// When an address was seen to be programmed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Programmed {
    pub(crate) at: Instant,
    /// How often it was looked for.
    pub(crate) period: Duration,
}

/// Looks for an address (the first argument) until it is there, and tells the second argument.
pub(crate) fn run(mut arguments: impl Iterator<Item = String>) {
    let target: IpAddr = arguments.next().unwrap().parse().unwrap();
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect(arguments.next().unwrap()).unwrap();
    socket.send(READY.as_bytes()).unwrap();
    let begin = Instant::now();
    let mut looks = 1;
    while !(forwards(&std::fs::read_to_string(LIST).unwrap(), target) && masquerades(target)) {
        std::thread::sleep(PAUSE);
        looks += 1;
    }
    let period = begin.elapsed() / looks;
    let said = period.as_micros().to_string();
    socket.send(said.as_bytes()).unwrap();
}

/// Until then answers of Pods on other nodes do not come back by way of this one.
fn masquerades(ip: IpAddr) -> bool {
    let target = ServiceTarget {
        ip,
        protocol: IpvsProtocol::Tcp,
        port: 80,
    };
    let found = LinuxHost::new().ipset_targets(IpFamily::V4, &BTreeSet::from([target]));
    matches!(found.unwrap(), Facility::Present(targets) if !targets.is_empty())
}

/// A virtual service is a line, and its destinations are the lines that follow, each with an arrow.
fn forwards(list: &str, target: IpAddr) -> bool {
    let IpAddr::V4(target) = target else {
        return false;
    };
    let service = format!("TCP  {:08X}:", u32::from(target));
    let mut lines = list.lines();
    let found = lines.by_ref().any(|line| line.starts_with(&service));
    found
        && lines
            .next()
            .is_some_and(|line| line.trim_start().starts_with("->"))
}

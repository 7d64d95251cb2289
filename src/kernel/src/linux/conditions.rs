//! What a rule of iptables asks of a packet, whatever form the kernel keeps it in.

use std::net::IpAddr;

use crate::{IpvsProtocol, ServiceTarget};

/// Where traffic to a Service is handled: since 1.24 external addresses in EXT, before in FW, and in XLB where only local
/// endpoints count.
const CHAINS: [&[u8]; 4] = [b"KUBE-SVC-", b"KUBE-EXT-", b"KUBE-FW-", b"KUBE-XLB-"];

/// What a packet has to be for a rule to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Anything: the match says something to people only.
    Always,
    /// To this address.
    Destination(IpAddr),
    /// Of this transport.
    Protocol(IpvsProtocol),
    /// To this port.
    Port(u16),
    /// Something else.
    NotUnderstood,
}

/// All that a rule asks for.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    ip: Option<IpAddr>,
    protocol: Option<IpvsProtocol>,
    port: Option<u16>,
    /// There is one that is not understood, or two exclude each other.
    unclear: bool,
}

// === impl Conditions ===

impl Conditions {
    pub(super) fn add(&mut self, condition: Condition) {
        let clear = match condition {
            Condition::Always => true,
            Condition::Destination(ip) => agree(&mut self.ip, ip),
            Condition::Protocol(protocol) => agree(&mut self.protocol, protocol),
            Condition::Port(port) => agree(&mut self.port, port),
            Condition::NotUnderstood => false,
        };
        self.unclear |= !clear;
    }

    /// The one port of one address that all traffic to holds the rule; none if it asks for something else.
    pub(super) fn target(self) -> Option<ServiceTarget> {
        if self.unclear {
            return None;
        }
        Some(ServiceTarget {
            ip: self.ip?,
            protocol: self.protocol?,
            port: self.port?,
        })
    }
}

/// Whether a chain is one by which kube-proxy handles traffic to a Service.
pub(super) fn is_of_service(chain: &[u8]) -> bool {
    CHAINS.iter().any(|prefix| chain.starts_with(prefix))
}

/// Whether nothing else was said before.
fn agree<T: PartialEq>(said: &mut Option<T>, now: T) -> bool {
    let agree = said.as_ref().is_none_or(|before| *before == now);
    *said = Some(now);
    agree
}

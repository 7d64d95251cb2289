//! Who says at which MAC an address is: in an answer, or unasked.

use std::net::IpAddr;

use etherparse::{ArpOperation, LinkSlice, NetSlice, SlicedPacket};

use super::{Mac, Reply, parse_reply};

/// Somebody says at which MAC an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The address.
    pub address: IpAddr,
    /// Where it is said to be.
    pub mac: Mac,
    /// Who is told.
    pub audience: Audience,
}

/// Who hears a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The one who asked.
    Asker,
    /// Everybody on the segment: a gratuitous ARP (RFC 5227 section 3), an unsolicited advertisement (RFC 4861 section
    /// 7.2.6), or an ARP request that names the address as its sender's, which fills neighbour tables just so (RFC 826).
    Everybody,
}

/// Reads an Ethernet frame that came to `own`, or to everybody; `None` if it claims nothing, goes to somebody else, or was
/// sent by `own`.
pub fn parse_claim(frame: &[u8], own: Mac) -> Option<Claim> {
    let destination = Mac(*frame.first_chunk()?);
    let audience = if destination == own {
        Audience::Asker
    } else if destination.0[0] & 1 == 1 {
        Audience::Everybody
    } else {
        return None;
    };
    if Mac(*frame.get(6..12)?.first_chunk()?) == own {
        return None;
    }
    let (address, mac) = match parse_reply(frame) {
        Some(reply) => (Reply::address(&reply), reply.mac()),
        None => arp_request_sender(frame)?,
    };
    Some(Claim {
        address,
        mac,
        audience,
    })
}

/// What an ARP request says of its sender; nothing if it is a probe.
fn arp_request_sender(frame: &[u8]) -> Option<(IpAddr, Mac)> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let (Some(LinkSlice::Ethernet2(_)), Some(NetSlice::Arp(arp))) = (packet.link, packet.net)
    else {
        return None;
    };
    let arp = arp.to_packet().try_eth_ipv4().ok()?;
    let sender = arp.sender_ipv4_addr();
    let told = packet.link_exts.is_empty()
        && arp.operation == ArpOperation::REQUEST
        && !sender.is_unspecified();
    told.then(|| (sender.into(), Mac(arp.sender_mac)))
}

#[cfg(test)]
mod tests;

//! Questions and answers of ARP (RFC 826, RFC 5227) and NDP (RFC 4861) as bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::icmpv6::{NdpOptionSlice, NeighborAdvertisementPayloadSlice};
use etherparse::{
    ArpEthIpv4Packet, ArpOperation, ArpPacketSlice, EtherType, Ethernet2Header, Ethernet2Slice,
    Icmpv6Type, Ipv6Slice, LinkSlice, NetSlice, PacketBuilder, SlicedPacket, TransportSlice,
};

use super::Mac;

/// RFC 4861 section 7.1: a hop limit below this shows that the packet crossed a router, so it
/// cannot come from a neighbour and is dropped by everybody.
const HOP_LIMIT: u8 = 255;

/// The length of an ARP request on Ethernet, without padding.
const ARP_FRAME_LEN: usize = Ethernet2Header::LEN + ArpEthIpv4Packet::LEN;

/// Who an ARP request says it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArpSender {
    /// An ordinary request. Everybody on the segment may put this address and our MAC into its
    /// neighbour table, so it must be an address of the asking interface.
    Address(Ipv4Addr),
    /// A probe (RFC 5227 section 2.1.1): sender address 0.0.0.0, which fills no neighbour table.
    Probe,
}

/// An ARP request for `target`, to everybody on the segment.
pub fn arp_request(mac: Mac, sender: ArpSender, target: Ipv4Addr) -> [u8; ARP_FRAME_LEN] {
    let sender_ipv4 = match sender {
        ArpSender::Address(address) => address,
        ArpSender::Probe => Ipv4Addr::UNSPECIFIED,
    };
    let ethernet = Ethernet2Header {
        source: mac.0,
        destination: Mac::BROADCAST.0,
        ether_type: EtherType::ARP,
    };
    let arp = ArpEthIpv4Packet {
        operation: ArpOperation::REQUEST,
        sender_mac: mac.0,
        sender_ipv4: sender_ipv4.octets(),
        // RFC 5227 section 2.1.1: the target hardware address is ignored and should be zero.
        target_mac: [0; 6],
        target_ipv4: target.octets(),
    };
    let mut frame = [0; ARP_FRAME_LEN];
    frame[..Ethernet2Header::LEN].copy_from_slice(&ethernet.to_bytes());
    frame[Ethernet2Header::LEN..].copy_from_slice(&arp.to_bytes());
    frame
}

/// A neighbour solicitation for `target`, to the solicited-node multicast group of `target`.
///
/// It carries our MAC as an option, so that the holder can answer without asking back, and
/// `source` (an address of the asking interface), so that the answer comes to us alone.
pub fn neighbour_solicitation(mac: Mac, source: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let group = solicited_node_group(target);
    let [.., a, b, c, d] = group.octets();
    let mut payload = Vec::with_capacity(16 + 8);
    payload.extend(target.octets());
    // Source link-layer address option (RFC 4861 section 4.6.1): type 1, length in units of 8.
    payload.extend([1, 1]);
    payload.extend(mac.0);
    let packet = PacketBuilder::ethernet2(mac.0, [0x33, 0x33, a, b, c, d])
        .ipv6(source.octets(), group.octets(), HOP_LIMIT)
        .icmpv6(Icmpv6Type::NeighborSolicitation);
    let mut frame = Vec::with_capacity(packet.size(payload.len()));
    packet
        .write(&mut frame, &payload)
        .expect("invariant: 24 bytes fit into an IPv6 packet and a Vec takes every byte");
    frame
}

/// ff02::1:ffXX:XXXX, the group that every holder of the address listens to (RFC 4291 section 2.7.1).
fn solicited_node_group(address: Ipv6Addr) -> Ipv6Addr {
    let [.., x, y, z] = address.octets();
    let low = u16::from_be_bytes([y, z]);
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(x), low)
}

/// An answer to one of the questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// An ARP reply.
    Arp {
        /// The address that it is for.
        address: Ipv4Addr,
        /// The MAC that it says the address is at.
        mac: Mac,
        /// The source of the frame: another one than `mac` if somebody answers for others.
        frame_source: Mac,
        /// The destination of the frame: the one who asked, or everybody if nobody asked.
        frame_destination: Mac,
    },
    /// A neighbour advertisement.
    Ndp {
        /// The address that it is for.
        address: Ipv6Addr,
        /// The MAC that it says the address is at, if it says so.
        mac: Option<Mac>,
        /// The source of the frame.
        frame_source: Mac,
        /// The destination of the frame: the one who asked, or a multicast group.
        frame_destination: Mac,
        /// The sender forwards packets.
        router: bool,
        /// It answers a solicitation.
        solicited: bool,
        /// It replaces what the receiver knows already.
        overrides: bool,
    },
}

impl Reply {
    /// The address that somebody claims to hold.
    pub fn address(&self) -> IpAddr {
        match *self {
            Self::Arp { address, .. } => address.into(),
            Self::Ndp { address, .. } => address.into(),
        }
    }

    /// The MAC that the asker sends its packets to from now on.
    pub fn mac(&self) -> Mac {
        match *self {
            Self::Arp { mac, .. } => mac,
            Self::Ndp {
                mac, frame_source, ..
            } => mac.unwrap_or(frame_source),
        }
    }

    /// The source of the frame.
    pub fn frame_source(&self) -> Mac {
        match *self {
            Self::Arp { frame_source, .. } | Self::Ndp { frame_source, .. } => frame_source,
        }
    }

    /// The destination of the frame.
    pub fn frame_destination(&self) -> Mac {
        match *self {
            Self::Arp {
                frame_destination, ..
            }
            | Self::Ndp {
                frame_destination, ..
            } => frame_destination,
        }
    }
}

/// Reads an Ethernet frame; `None` if it is anything else than a well-formed ARP reply or
/// neighbour advertisement. Frames with a VLAN tag are another segment's and are not read.
pub fn parse_reply(frame: &[u8]) -> Option<Reply> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let Some(LinkSlice::Ethernet2(ethernet)) = packet.link else {
        return None;
    };
    if !packet.link_exts.is_empty() {
        return None;
    }
    match (packet.net?, packet.transport) {
        (NetSlice::Arp(arp), _) => arp_reply(&ethernet, &arp),
        (NetSlice::Ipv6(ip), Some(TransportSlice::Icmpv6(icmp))) => {
            neighbour_advertisement(&ethernet, &ip, &icmp)
        }
        _ => None,
    }
}

fn arp_reply(ethernet: &Ethernet2Slice<'_>, arp: &ArpPacketSlice<'_>) -> Option<Reply> {
    let arp = arp.to_packet().try_eth_ipv4().ok()?;
    (arp.operation == ArpOperation::REPLY).then(|| Reply::Arp {
        address: arp.sender_ipv4_addr(),
        mac: Mac(arp.sender_mac),
        frame_source: Mac(ethernet.source()),
        frame_destination: Mac(ethernet.destination()),
    })
}

/// Applies the checks of RFC 4861 section 7.1.2: what fails them is dropped by every host, so it
/// is no answer.
fn neighbour_advertisement(
    ethernet: &Ethernet2Slice<'_>,
    ip: &Ipv6Slice<'_>,
    icmp: &etherparse::Icmpv6Slice<'_>,
) -> Option<Reply> {
    let header = ip.header();
    let Icmpv6Type::NeighborAdvertisement(flags) = icmp.icmp_type() else {
        return None;
    };
    if header.hop_limit() != HOP_LIMIT
        || !icmp.is_checksum_valid(header.source(), header.destination())
    {
        return None;
    }
    let body = NeighborAdvertisementPayloadSlice::from_slice(icmp.payload()).ok()?;
    let mut mac = None;
    for option in body.options_iterator() {
        if let NdpOptionSlice::TargetLinkLayerAddress(option) = option.ok()? {
            mac = option.link_layer_address().first_chunk().copied().map(Mac);
        }
    }
    Some(Reply::Ndp {
        address: body.target_address(),
        mac,
        frame_source: Mac(ethernet.source()),
        frame_destination: Mac(ethernet.destination()),
        router: flags.router,
        solicited: flags.solicited,
        overrides: flags.r#override,
    })
}

#[cfg(test)]
mod tests;

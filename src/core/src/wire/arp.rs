//! ARP for IPv4 on Ethernet (RFC 826), with probes and announcements (RFC 5227).

use std::net::Ipv4Addr;

use crate::bytes::take;

use super::ethernet::{self, Ethernet};
use super::{Mac, Malformed};

/// The length of every frame that is built here, in bytes, without padding.
pub const FRAME_LENGTH: usize = 42;

/// Hardware type 1, protocol type 0x0800, and the lengths of their addresses, in bytes.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// "Who has the target's IP?"
    Request,
    /// "The sender's IP is at the sender's MAC."
    Reply,
}

/// A packet together with the header of its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ArpPacket {
    /// Who put the frame on the wire: mostly the sender, but not where somebody answers for others.
    pub ethernet_source: Mac,
    /// For whom the frame is.
    pub ethernet_destination: Mac,
    /// What it is for.
    pub operation: Operation,
    /// Where the sender says it is.
    pub sender_mac: Mac,
    /// What the sender says it has; 0.0.0.0 in a probe, which says nothing.
    pub sender_ip: Ipv4Addr,
    /// The asker in a reply; of no meaning in a request.
    pub target_mac: Mac,
    /// What is asked for, or the asker's own address in a reply.
    pub target_ip: Ipv4Addr,
}

/// Reads a frame.
///
/// # Errors
/// What is wrong with it; [`Malformed::EtherType`] if it is not ARP.
pub fn parse(frame: &[u8]) -> Result<ArpPacket, Malformed> {
    let ethernet = Ethernet::read(frame)?;
    let mut rest = ethernet.payload_of(ethernet::ARP)?;
    if take(&mut rest)? != ETHERNET_IPV4 {
        return Err(Malformed::NotEthernetIpv4);
    }
    let operation = u16::from_be_bytes(take(&mut rest)?);
    let packet = ArpPacket {
        ethernet_source: ethernet.source,
        ethernet_destination: ethernet.destination,
        operation: Operation::of(operation).ok_or(Malformed::UnknownOperation(operation))?,
        sender_mac: Mac(take(&mut rest)?),
        sender_ip: take::<4>(&mut rest)?.into(),
        target_mac: Mac(take(&mut rest)?),
        target_ip: take::<4>(&mut rest)?.into(),
    };
    if packet.sender_mac.is_station() {
        Ok(packet)
    } else {
        Err(Malformed::SenderMac(packet.sender_mac))
    }
}

/// The reply to a request or a probe: the address that it asks for is at `own`. It goes to the asker alone.
pub fn reply(to: &ArpPacket, own: Mac) -> [u8; FRAME_LENGTH] {
    ArpPacket {
        ethernet_source: own,
        ethernet_destination: to.asker(),
        operation: Operation::Reply,
        sender_mac: own,
        sender_ip: to.target_ip,
        target_mac: to.sender_mac,
        target_ip: to.sender_ip,
    }
    .frame()
}

/// A request for `target`, to everybody. Everybody may learn from it that `own_ip` is at `own`, so it has to be true.
pub fn request(own: Mac, own_ip: Ipv4Addr, target: Ipv4Addr) -> [u8; FRAME_LENGTH] {
    ArpPacket {
        ethernet_source: own,
        ethernet_destination: Mac::BROADCAST,
        operation: Operation::Request,
        sender_mac: own,
        sender_ip: own_ip,
        // RFC 5227 section 2.1.1: ignored, should be zero.
        target_mac: Mac::ZERO,
        target_ip: target,
    }
    .frame()
}

/// Asks everybody whether `target` is in use, without a word on who asks (RFC 5227 section 2.1.1): no table of
/// neighbours changes.
pub fn probe(own: Mac, target: Ipv4Addr) -> [u8; FRAME_LENGTH] {
    request(own, Ipv4Addr::UNSPECIFIED, target)
}

/// Tells everybody that `ip` is at `own` now, as a request (RFC 5227 section 3, RFC 5944 section 4.6).
pub fn announcement_request(own: Mac, ip: Ipv4Addr) -> [u8; FRAME_LENGTH] {
    request(own, ip, ip)
}

/// Tells everybody that `ip` is at `own` now, as a reply: for those who learn nothing from a request. The target's MAC is
/// `own`, too (RFC 5944 section 4.6).
pub fn announcement_reply(own: Mac, ip: Ipv4Addr) -> [u8; FRAME_LENGTH] {
    ArpPacket {
        ethernet_source: own,
        ethernet_destination: Mac::BROADCAST,
        operation: Operation::Reply,
        sender_mac: own,
        sender_ip: ip,
        target_mac: own,
        target_ip: ip,
    }
    .frame()
}

// === impl Operation ===

impl Operation {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Request, Self::Reply];

    /// As in a packet.
    fn number(self) -> u16 {
        match self {
            Self::Request => 1,
            Self::Reply => 2,
        }
    }

    fn of(number: u16) -> Option<Self> {
        Self::BOTH
            .into_iter()
            .find(|operation| operation.number() == number)
    }
}

// === impl ArpPacket ===

impl ArpPacket {
    /// Where a reply has to go: to the MAC that the sender says it has (RFC 826), or, as a probe wants no table filled by
    /// what it says, to where it came from.
    pub fn asker(&self) -> Mac {
        if self.sender_ip.is_unspecified() {
            self.ethernet_source
        } else {
            self.sender_mac
        }
    }

    /// The bytes of the frame.
    pub(super) fn frame(&self) -> [u8; FRAME_LENGTH] {
        let header = ethernet::header(
            self.ethernet_destination,
            self.ethernet_source,
            ethernet::ARP,
        );
        let mut frame = [0; FRAME_LENGTH];
        let parts: [&[u8]; 7] = [
            &header,
            &ETHERNET_IPV4,
            &self.operation.number().to_be_bytes(),
            &self.sender_mac.0,
            &self.sender_ip.octets(),
            &self.target_mac.0,
            &self.target_ip.octets(),
        ];
        for (place, byte) in frame.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        frame
    }
}

#[cfg(test)]
mod tests;

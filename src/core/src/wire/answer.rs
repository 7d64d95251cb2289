//! What a responder makes of a frame: answer it, take it for a claim on an address of its own, or let it be.

use std::net::IpAddr;

use super::arp::{self, ArpPacket, Operation};
use super::ethernet::{self, Ethernet};
use super::ndp::{self, Message, NdpPacket};
use super::{Mac, Malformed};

/// What a frame means to somebody who holds addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Heard {
    /// Somebody asks for an address that is held, be it to send to it, or to find out whether it is free (an ARP probe,
    /// duplicate address detection): held addresses are defended.
    Question {
        /// What is asked for.
        address: IpAddr,
        /// Who asks.
        from: Mac,
        /// The frame to send back.
        reply: Vec<u8>,
    },
    /// Somebody else says that it has an address that is held (RFC 5227 section 2.4). It may ask for something in the same
    /// packet, even for the address itself: it is not answered.
    Claim {
        /// The address that two want to have now.
        address: IpAddr,
        /// Where the other one says it is.
        mac: Mac,
    },
    /// Somebody else's business, or what we have sent ourselves.
    Foreign,
}

/// What `frame` means to the one with the MAC `own`, who has the addresses that `held` says yes to. Nothing is allocated
/// unless it is a question.
///
/// An unspecified address is never held: in ARP it stands for nobody.
///
/// # Errors
/// Why nobody may act on it. A frame from us, or one that is for another station, is foreign and not looked into.
pub fn hear(frame: &[u8], own: Mac, held: impl Fn(IpAddr) -> bool) -> Result<Heard, Malformed> {
    let ethernet = Ethernet::read(frame)?;
    // A promiscuous interface hears what is for others, too.
    let for_us = ethernet.destination == own || ethernet.destination.is_multicast();
    if ethernet.source == own || !for_us {
        return Ok(Heard::Foreign);
    }
    let held = |address: IpAddr| !address.is_unspecified() && held(address);
    match ethernet.ether_type {
        ethernet::ARP => Ok(hear_arp(&arp::parse(frame)?, own, held)),
        ethernet::IPV6 => Ok(hear_ndp(&ndp::parse(frame)?, own, held)),
        other => Err(Malformed::EtherType(other)),
    }
}

/// Somebody says that it has an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spoken {
    /// Which.
    pub address: IpAddr,
    /// Where it says the address is.
    pub mac: Mac,
    /// As an answer, as far as that can be told: an ARP reply or a neighbour advertisement, and not an ARP request.
    pub answers: bool,
}

/// Who says in `frame` that it has an address, and which: the sender of an ARP packet, be it a reply or a request, or that of a
/// neighbour advertisement, whoever it is for. A malformed frame says nothing, and an ARP probe is no claim.
///
/// Before an address is taken, nobody may speak for it; when it is watched, one has to.
pub fn speaker(frame: &[u8]) -> Option<Spoken> {
    if let Ok(packet) = arp::parse(frame) {
        let says = !packet.sender_ip.is_unspecified();
        return says.then(|| Spoken {
            address: packet.sender_ip.into(),
            mac: packet.sender_mac,
            answers: packet.operation == Operation::Reply,
        });
    }
    let packet = ndp::parse(frame).ok()?;
    let says = packet.message != Message::Solicitation && !packet.target.is_unspecified();
    says.then(|| Spoken {
        address: packet.target.into(),
        mac: packet.speaker(),
        answers: true,
    })
}

fn hear_arp(packet: &ArpPacket, own: Mac, held: impl Fn(IpAddr) -> bool) -> Heard {
    let (sender, target) = (packet.sender_ip.into(), packet.target_ip.into());
    if packet.sender_mac == own {
        // Somebody else has sent on what we have sent.
        Heard::Foreign
    } else if held(sender) {
        Heard::Claim {
            address: sender,
            mac: packet.sender_mac,
        }
    } else if packet.operation == Operation::Request && held(target) {
        Heard::Question {
            address: target,
            from: packet.asker(),
            reply: arp::reply(packet, own).to_vec(),
        }
    } else {
        Heard::Foreign
    }
}

fn hear_ndp(packet: &NdpPacket, own: Mac, held: impl Fn(IpAddr) -> bool) -> Heard {
    let (address, mac) = (packet.target.into(), packet.speaker());
    if mac == own || !held(address) {
        return Heard::Foreign;
    }
    match packet.message {
        Message::Solicitation => Heard::Question {
            address,
            from: mac,
            reply: ndp::advertisement(own, packet),
        },
        Message::Advertisement { .. } => Heard::Claim { address, mac },
    }
}

#[cfg(test)]
mod tests;

//! Neighbour solicitations and advertisements of NDP (RFC 4861) on Ethernet, and duplicate address detection with them
//! (RFC 4862).

use std::net::Ipv6Addr;

use crate::bytes::take;

use super::ethernet::{self, Ethernet};
use super::{Mac, Malformed, solicited_node_group};

mod ipv6;

use ipv6::Ipv6;

/// Where an advertisement goes that nobody asked for (RFC 4291 section 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// The length of a frame with a link-layer address, in bytes: Ethernet, IPv6, the fixed part and the option.
const LONGEST: usize = 14 + 40 + 24 + 8;

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;

/// The flags in the first byte behind the checksum (RFC 4861 section 4.4).
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// "Who has the target?"
    Solicitation,
    /// "I have the target."
    Advertisement {
        /// The sender is a router.
        router: bool,
        /// It answers a solicitation.
        solicited: bool,
        /// It replaces what the receiver knows already.
        overrides: bool,
    },
}

/// A packet together with the header of its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NdpPacket {
    /// Who put the frame on the wire.
    pub ethernet_source: Mac,
    /// For whom the frame is.
    pub ethernet_destination: Mac,
    /// Who sent the packet; `::` asks for the sake of duplicate address detection.
    pub source: Ipv6Addr,
    /// For whom the packet is.
    pub destination: Ipv6Addr,
    /// The address that it is about.
    pub target: Ipv6Addr,
    /// The link-layer address in the option that belongs to the message: the source's in a solicitation, the target's in
    /// an advertisement. The first one counts, as in Linux. Other options are passed over.
    pub link_layer: Option<Mac>,
    /// What it is for.
    pub message: Message,
}

/// Reads a frame, with all checks of RFC 4861 sections 7.1.1 and 7.1.2.
///
/// # Errors
/// What is wrong with it; [`Malformed::EtherType`], [`Malformed::NotIcmpv6`] or [`Malformed::OtherMessage`] if it is
/// something else.
pub fn parse(frame: &[u8]) -> Result<NdpPacket, Malformed> {
    let ethernet = Ethernet::read(frame)?;
    let ip = Ipv6::read(ethernet.payload_of(ethernet::IPV6)?)?;
    let mut rest = ip.payload;
    let [kind, code, _, _, flags, _, _, _] = take(&mut rest).map_err(|_| ip.too_short())?;
    let (message, wanted) = match kind {
        SOLICITATION => (Message::Solicitation, SOURCE_LINK_LAYER),
        ADVERTISEMENT => (Message::with_flags(flags), TARGET_LINK_LAYER),
        other => return Err(Malformed::OtherMessage(other)),
    };
    let target = Ipv6Addr::from(take::<16>(&mut rest).map_err(|_| ip.too_short())?);
    ip.check()?;
    if code != 0 {
        return Err(Malformed::Code(code));
    }
    if target.is_multicast() {
        return Err(Malformed::TargetMulticast(target));
    }
    let packet = NdpPacket {
        ethernet_source: ethernet.source,
        ethernet_destination: ethernet.destination,
        source: ip.source,
        destination: ip.destination,
        target,
        link_layer: link_layer(rest, wanted)?,
        message,
    };
    packet.check()?;
    Ok(packet)
}

/// The answer to a solicitation: its target is at `own`. It goes to the asker alone and replaces what is known there (RFC
/// 4861 section 7.2.4). Duplicate address detection has no address to answer to: everybody hears that the target is
/// taken (RFC 4862 section 5.4.3).
///
/// It comes from the target, and does not call us a router: nobody routes by an external IP.
pub fn advertisement(own: Mac, to: &NdpPacket) -> Vec<u8> {
    if to.source.is_unspecified() {
        return unsolicited(own, to.target);
    }
    NdpPacket {
        ethernet_source: own,
        ethernet_destination: to.speaker(),
        source: to.target,
        destination: to.source,
        target: to.target,
        link_layer: Some(own),
        message: Message::Advertisement {
            router: false,
            solicited: true,
            overrides: true,
        },
    }
    .frame()
}

/// Tells everybody that `target` is at `own` now, in place of what they know (RFC 4861 section 7.2.6).
pub fn unsolicited(own: Mac, target: Ipv6Addr) -> Vec<u8> {
    NdpPacket {
        ethernet_source: own,
        ethernet_destination: Mac::of_group(ALL_NODES),
        source: target,
        destination: ALL_NODES,
        target,
        link_layer: Some(own),
        message: Message::Advertisement {
            router: false,
            solicited: false,
            overrides: true,
        },
    }
    .frame()
}

/// Asks the solicited-node group of `target` who has it. `source` is an address of ours, which everybody may learn to be
/// at `own`; with `::` it is the question of duplicate address detection, which tells nobody anything (RFC 4862 section
/// 5.4.2).
pub fn solicitation(own: Mac, source: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    NdpPacket {
        ethernet_source: own,
        ethernet_destination: Mac::solicited_node(target),
        source,
        destination: solicited_node_group(target),
        target,
        link_layer: (!source.is_unspecified()).then_some(own),
        message: Message::Solicitation,
    }
    .frame()
}

/// The first link-layer address among the options that is of kind `wanted`. All options are checked, whatever they are.
fn link_layer(mut options: &[u8], wanted: u8) -> Result<Option<Mac>, Malformed> {
    let mut found = None;
    while !options.is_empty() {
        // `units` of eight bytes, these two included (RFC 4861 section 4.6).
        let [kind, units] = take(&mut options).map_err(|_| Malformed::CutOption)?;
        let length = usize::from(units) * 8;
        let behind = length.checked_sub(2).ok_or(Malformed::EmptyOption)?;
        let (mut value, rest) = options
            .split_at_checked(behind)
            .ok_or(Malformed::CutOption)?;
        options = rest;
        if kind != wanted || found.is_some() {
            continue;
        }
        if units != 1 {
            return Err(Malformed::LinkLayerLength(units));
        }
        let mac = Mac(take(&mut value)?);
        if !mac.is_station() {
            return Err(Malformed::LinkLayerAddress(mac));
        }
        found = Some(mac);
    }
    Ok(found)
}

// === impl Message ===

impl Message {
    fn with_flags(flags: u8) -> Self {
        Self::Advertisement {
            router: flags & ROUTER != 0,
            solicited: flags & SOLICITED != 0,
            overrides: flags & OVERRIDE != 0,
        }
    }

    fn flags(self) -> u8 {
        match self {
            Self::Solicitation => 0,
            Self::Advertisement {
                router,
                solicited,
                overrides,
            } => {
                let flag = |set: bool, bit: u8| if set { bit } else { 0 };
                flag(router, ROUTER) | flag(solicited, SOLICITED) | flag(overrides, OVERRIDE)
            }
        }
    }
}

// === impl NdpPacket ===

impl NdpPacket {
    /// The MAC that it says the asker or the holder is at; the source of the frame, if it does not say.
    pub fn speaker(&self) -> Mac {
        self.link_layer.unwrap_or(self.ethernet_source)
    }

    /// What source, destination and message have to do with each other.
    fn check(&self) -> Result<(), Malformed> {
        match self.message {
            Message::Solicitation if self.source.is_unspecified() => {
                // Such a group is the group of every address that ends like itself.
                if self.destination != solicited_node_group(self.destination) {
                    Err(Malformed::DadDestination(self.destination))
                } else if self.link_layer.is_some() {
                    Err(Malformed::DadLinkLayer)
                } else {
                    Ok(())
                }
            }
            Message::Advertisement {
                solicited: true, ..
            } if self.destination.is_multicast() => {
                Err(Malformed::SolicitedByGroup(self.destination))
            }
            _ => Ok(()),
        }
    }

    /// The bytes of the frame.
    pub(super) fn frame(&self) -> Vec<u8> {
        let (kind, option) = match self.message {
            Message::Solicitation => (SOLICITATION, SOURCE_LINK_LAYER),
            Message::Advertisement { .. } => (ADVERTISEMENT, TARGET_LINK_LAYER),
        };
        let mut message = Vec::with_capacity(24 + 8);
        message.extend([kind, 0, 0, 0, self.message.flags(), 0, 0, 0]);
        message.extend(self.target.octets());
        if let Some(mac) = self.link_layer {
            message.extend([option, 1]);
            message.extend(mac.0);
        }
        let ethernet = ethernet::header(
            self.ethernet_destination,
            self.ethernet_source,
            ethernet::IPV6,
        );
        let mut frame = Vec::with_capacity(LONGEST);
        frame.extend(ethernet);
        ipv6::append(&mut frame, self.source, self.destination, &mut message);
        frame
    }
}

#[cfg(test)]
mod tests;

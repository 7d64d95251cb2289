use netlink_packet_core::{Emitable, Parseable};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_sys::protocols::NETLINK_ROUTE;

use super::netlink::Dump;
use crate::{Address, AddressFlags, AddressScope, Lifetime, ReadError, Reading};

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;

pub(super) fn read() -> Result<Vec<Address>, ReadError> {
    let every = AddressMessage::default();
    let mut payload = vec![0; every.buffer_len()];
    every.emit(&mut payload);
    let dump = Dump {
        reading: Reading::Addresses,
        protocol: NETLINK_ROUTE,
        message_type: RTM_GETADDR,
        payload: &payload,
    };
    let mut addresses = dump.run(|kind, payload| match kind {
        RTM_NEWADDR => decode(payload).map(Some),
        _ => Ok(None),
    })?;
    addresses.sort_by_key(Address::place);
    Ok(addresses)
}

fn decode(payload: &[u8]) -> Result<Address, String> {
    let message = AddressMessage::parse(payload).map_err(|error| error.to_string())?;
    let header = message.header;
    // The header has room for eight flags; IFA_FLAGS holds them all.
    let mut flags = u32::from(header.flags.bits());
    let (mut own, mut address) = (None, None);
    let (mut valid, mut preferred) = (Lifetime::Forever, Lifetime::Forever);
    for attribute in message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => own = Some(ip),
            AddressAttribute::Address(ip) => address = Some(ip),
            AddressAttribute::Flags(all) => flags = all.bits(),
            AddressAttribute::CacheInfo(info) => {
                valid = Lifetime::from_seconds(info.ifa_valid);
                preferred = Lifetime::from_seconds(info.ifa_preferred);
            }
            _ => {}
        }
    }
    // With a peer, IFA_ADDRESS is the peer's and IFA_LOCAL ours; without one IPv6 sends only the former.
    let ip = own.or(address);
    Ok(Address {
        link: header.index,
        ip: ip.ok_or_else(|| format!("an address of link {} is missing", header.index))?,
        prefix: header.prefix_len,
        scope: AddressScope::from(u8::from(header.scope)),
        flags: AddressFlags::from_bits(flags),
        valid,
        preferred,
    })
}

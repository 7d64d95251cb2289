use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use netlink_packet_core::{Emitable, NlasIterator, parse_u32};
use netlink_packet_route::link::{LinkFlags, LinkHeader};
use netlink_sys::protocols::NETLINK_ROUTE;

use super::netlink::Dump;
use crate::{InterfaceName, Link, MacAddress, ReadError, Reading};

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;

pub(super) fn read() -> Result<Vec<Link>, ReadError> {
    let header = LinkHeader::default();
    let mut payload = vec![0; header.buffer_len()];
    header.emit(&mut payload);
    let dump = Dump {
        reading: Reading::Links,
        protocol: NETLINK_ROUTE,
        message_type: RTM_GETLINK,
        payload: &payload,
    };
    let mut links = dump.run(|kind, payload| match kind {
        RTM_NEWLINK => decode(payload).map(Some),
        _ => Ok(None),
    })?;
    links.sort_by_key(|link| link.index);
    Ok(links)
}

/// Five attributes of some seventy are looked at. `LinkMessage` would read them all, and one that it does not know or a
/// name that is not UTF-8 would hide every link of the node.
fn decode(payload: &[u8]) -> Result<Link, String> {
    let header = LinkHeader::parse(payload).map_err(|error| error.to_string())?;
    let (mut name, mut mac, mut kind, mut mtu) = (None, None, None, None);
    let mut controller = None;
    let attributes = payload.get(header.buffer_len()..).unwrap_or_default();
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute.value();
        match attribute.kind() {
            IFLA_IFNAME => {
                let text = OsStr::from_bytes(until_zero(value));
                name = Some(InterfaceName::new(text).map_err(|error| error.to_string())?);
            }
            IFLA_ADDRESS => mac = value.try_into().ok().filter(|mac| *mac != [0; 6]),
            IFLA_MTU => mtu = Some(parse_u32(value).map_err(|error| error.to_string())?),
            IFLA_MASTER => {
                controller = Some(parse_u32(value).map_err(|error| error.to_string())?);
            }
            IFLA_LINKINFO => kind = info_kind(value)?,
            _ => {}
        }
    }
    let missing = |what| format!("link {} has no {what}", header.index);
    Ok(Link {
        index: header.index,
        name: name.ok_or_else(|| missing("name"))?,
        mac: mac.map(MacAddress),
        kind,
        up: header.flags.contains(LinkFlags::Up),
        carrier: header.flags.contains(LinkFlags::LowerUp),
        loopback: header.flags.contains(LinkFlags::Loopback),
        no_arp: header.flags.contains(LinkFlags::Noarp),
        controller,
        mtu: mtu.ok_or_else(|| missing("MTU"))?,
    })
}

fn info_kind(value: &[u8]) -> Result<Option<String>, String> {
    for attribute in NlasIterator::new(value) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if attribute.kind() == IFLA_INFO_KIND {
            let kind = String::from_utf8_lossy(until_zero(attribute.value()));
            return Ok(Some(kind.into_owned()));
        }
    }
    Ok(None)
}

/// A string of the kernel's, with or without its closing zero.
pub(super) fn until_zero(value: &[u8]) -> &[u8] {
    value.split(|byte| *byte == 0).next().unwrap_or_default()
}

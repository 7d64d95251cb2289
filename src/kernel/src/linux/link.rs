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
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_CARRIER_CHANGES: u16 = 35;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_BOND_ACTIVE_SLAVE: u16 = 2;

/// What the driver of a link says.
#[derive(Default)]
struct LinkInfo {
    kind: Option<String>,
    active_port: Option<u32>,
}

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

/// Eight attributes of some seventy are looked at. `LinkMessage` would read them all, and one that it does not know or a
/// name that is not UTF-8 would hide every link of the node.
fn decode(payload: &[u8]) -> Result<Link, String> {
    let header = LinkHeader::parse(payload).map_err(|error| error.to_string())?;
    let (mut name, mut mac, mut mtu, mut info) = (None, None, None, LinkInfo::default());
    let (mut controller, mut parent, mut carrier_changes) = (None, None, 0);
    let mut abroad = false;
    let number = |value: &[u8]| parse_u32(value).map_err(|error| error.to_string());
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
            IFLA_MTU => mtu = Some(number(value)?),
            IFLA_MASTER => controller = Some(number(value)?),
            // A tunnel says 0 if it is built on none.
            IFLA_LINK => parent = Some(number(value)?).filter(|parent| *parent != 0),
            IFLA_LINK_NETNSID => abroad = true,
            IFLA_CARRIER_CHANGES => carrier_changes = number(value)?,
            IFLA_LINKINFO => info = LinkInfo::decode(value)?,
            _ => {}
        }
    }
    let missing = |what| format!("link {} has no {what}", header.index);
    Ok(Link {
        index: header.index,
        name: name.ok_or_else(|| missing("name"))?,
        mac: mac.map(MacAddress),
        kind: info.kind,
        up: header.flags.contains(LinkFlags::Up),
        carrier: header.flags.contains(LinkFlags::LowerUp),
        loopback: header.flags.contains(LinkFlags::Loopback),
        no_arp: header.flags.contains(LinkFlags::Noarp),
        controller,
        parent: parent.filter(|_| !abroad),
        active_port: info.active_port,
        carrier_changes,
        mtu: mtu.ok_or_else(|| missing("MTU"))?,
    })
}

// === impl LinkInfo ===

impl LinkInfo {
    fn decode(value: &[u8]) -> Result<Self, String> {
        let mut info = Self::default();
        let mut data = Vec::new();
        for attribute in NlasIterator::new(value) {
            let attribute = attribute.map_err(|error| error.to_string())?;
            match attribute.kind() {
                IFLA_INFO_KIND => {
                    let kind = String::from_utf8_lossy(until_zero(attribute.value()));
                    info.kind = Some(kind.into_owned());
                }
                IFLA_INFO_DATA => data = attribute.value().to_vec(),
                _ => {}
            }
        }
        // What the numbers mean is each driver's own.
        if info.kind.as_deref() == Some("bond") {
            info.active_port = active_port(&data)?;
        }
        Ok(info)
    }
}

fn active_port(data: &[u8]) -> Result<Option<u32>, String> {
    for attribute in NlasIterator::new(data) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if attribute.kind() == IFLA_BOND_ACTIVE_SLAVE {
            let port = parse_u32(attribute.value()).map_err(|error| error.to_string())?;
            return Ok(Some(port));
        }
    }
    Ok(None)
}

/// A string of the kernel's, with or without its closing zero.
pub(super) fn until_zero(value: &[u8]) -> &[u8] {
    value.split(|byte| *byte == 0).next().unwrap_or_default()
}

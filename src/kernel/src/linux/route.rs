use std::net::IpAddr;

use netlink_packet_core::{NlasIterator, parse_u32};
use netlink_sys::protocols::NETLINK_ROUTE;

use super::netlink::Dump;
use crate::{DefaultRoute, HostRoute, IpFamily, ReadError, Reading};

pub(super) const RTM_NEWROUTE: u16 = 24;
pub(super) const RTM_DELROUTE: u16 = 25;
const RTM_GETROUTE: u16 = 26;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
/// A router of another family: that family, then its address.
const RTA_VIA: u16 = 18;
const RT_TABLE_MAIN: u32 = 254;
const RTN_UNICAST: u8 = 1;
/// `rtmsg`: family, lengths of destination and source, TOS, table, protocol, scope, type, flags.
const HEADER: usize = 12;
/// `rtnexthop`: length, flags, hops, link; attributes follow.
const NEXT_HOP: usize = 8;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

pub(super) fn defaults(family: IpFamily) -> Result<Vec<DefaultRoute>, ReadError> {
    let routes = dump(family, |payload| {
        if is_default(payload) {
            decode(payload)
        } else {
            Ok(None)
        }
    })?;
    let mut routes: Vec<DefaultRoute> = routes.into_iter().flatten().collect();
    routes.sort();
    routes.dedup();
    Ok(routes)
}

/// What `decode` makes of the routes of a family.
fn dump<T>(
    family: IpFamily,
    decode: impl Fn(&[u8]) -> Result<Option<T>, String>,
) -> Result<Vec<T>, ReadError> {
    let mut payload = [0; HEADER];
    payload[0] = match family {
        IpFamily::V4 => AF_INET,
        IpFamily::V6 => AF_INET6,
    };
    let dump = Dump {
        reading: Reading::Routes,
        protocol: NETLINK_ROUTE,
        message_type: RTM_GETROUTE,
        payload: &payload,
    };
    dump.run(|kind, payload| match kind {
        RTM_NEWROUTE => decode(payload),
        _ => Ok(None),
    })
}

pub(super) fn hosts(family: IpFamily) -> Result<Vec<HostRoute>, ReadError> {
    let whole = match family {
        IpFamily::V4 => 32,
        IpFamily::V6 => 128,
    };
    let routes = dump(family, |payload| {
        if payload.get(1) == Some(&whole) {
            decode_host(payload)
        } else {
            Ok(None)
        }
    })?;
    let mut routes: Vec<HostRoute> = routes.into_iter().flatten().collect();
    routes.sort();
    routes.dedup();
    Ok(routes)
}

/// Whether the message is about a route to everywhere, of whatever table.
pub(super) fn is_default(payload: &[u8]) -> bool {
    payload.get(1) == Some(&0)
}

/// The ways of a route of the main table that leads somewhere: `unreachable default` does not.
fn decode(payload: &[u8]) -> Result<Option<Vec<DefaultRoute>>, String> {
    let (header, attributes) = payload
        .split_at_checked(HEADER)
        .ok_or("a route is shorter than its header")?;
    let mut table = u32::from(header[4]);
    let (mut metric, mut link, mut gateway) = (0, None, None);
    let mut hops = Vec::new();
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let number = || parse_u32(attribute.value()).map_err(|error| error.to_string());
        match attribute.kind() {
            RTA_TABLE => table = number()?,
            RTA_PRIORITY => metric = number()?,
            RTA_OIF => link = Some(number()?),
            RTA_MULTIPATH => hops = next_hops(attribute.value())?,
            kind => gateway = router(kind, attribute.value()).or(gateway),
        }
    }
    hops.extend(link.map(|link| (link, gateway)));
    if table != RT_TABLE_MAIN || header[7] != RTN_UNICAST {
        return Ok(None);
    }
    let ways = hops.into_iter().map(|(link, gateway)| DefaultRoute {
        metric,
        link,
        gateway,
    });
    Ok(Some(ways.collect()))
}

/// The ways of a route to one address, of the main table.
fn decode_host(payload: &[u8]) -> Result<Option<Vec<HostRoute>>, String> {
    let Some(ways) = decode(payload)? else {
        return Ok(None);
    };
    let mut destination = None;
    for attribute in NlasIterator::new(payload.get(HEADER..).unwrap_or_default()) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if attribute.kind() == RTA_DST {
            destination = address(attribute.value());
        }
    }
    let ip = destination.ok_or("a route to one address does not name it")?;
    let routes = ways.into_iter().map(|way| HostRoute { ip, link: way.link });
    Ok(Some(routes.collect()))
}

/// The router that an attribute names, if it names one.
fn router(kind: u16, value: &[u8]) -> Option<IpAddr> {
    match (kind, value) {
        (RTA_GATEWAY, bytes) | (RTA_VIA, [_, _, bytes @ ..]) => address(bytes),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// Links, each with its router.
fn next_hops(mut rest: &[u8]) -> Result<Vec<(u32, Option<IpAddr>)>, String> {
    let mut hops = Vec::new();
    while let Some((hop, _)) = rest.split_at_checked(NEXT_HOP) {
        let length = usize::from(u16::from_ne_bytes([hop[0], hop[1]]));
        if length < NEXT_HOP {
            return Err("a next hop is shorter than its header".to_owned());
        }
        let link = u32::from_ne_bytes([hop[4], hop[5], hop[6], hop[7]]);
        let mut gateway = None;
        for attribute in NlasIterator::new(rest.get(NEXT_HOP..length).unwrap_or_default()) {
            let attribute = attribute.map_err(|error| error.to_string())?;
            gateway = router(attribute.kind(), attribute.value()).or(gateway);
        }
        hops.push((link, gateway));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(hops)
}

#[cfg(test)]
mod tests;

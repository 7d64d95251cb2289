use netlink_packet_core::{NlasIterator, parse_u32};
use netlink_sys::protocols::NETLINK_ROUTE;

use super::netlink::Dump;
use crate::{DefaultRoute, IpFamily, ReadError, Reading};

pub(super) const RTM_NEWROUTE: u16 = 24;
pub(super) const RTM_DELROUTE: u16 = 25;
const RTM_GETROUTE: u16 = 26;
const RTA_OIF: u16 = 4;
const RTA_PRIORITY: u16 = 6;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RT_TABLE_MAIN: u32 = 254;
const RTN_UNICAST: u8 = 1;
/// `rtmsg`: family, lengths of destination and source, TOS, table, protocol, scope, type, flags.
const HEADER: usize = 12;
/// `rtnexthop`: length, flags, hops, link; attributes follow.
const NEXT_HOP: usize = 8;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

pub(super) fn defaults(family: IpFamily) -> Result<Vec<DefaultRoute>, ReadError> {
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
    let routes = dump.run(|kind, payload| match kind {
        RTM_NEWROUTE if is_default(payload) => decode(payload),
        _ => Ok(None),
    })?;
    let mut routes: Vec<DefaultRoute> = routes.into_iter().flatten().collect();
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
    let (mut metric, mut links) = (0, Vec::new());
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let number = || parse_u32(attribute.value()).map_err(|error| error.to_string());
        match attribute.kind() {
            RTA_TABLE => table = number()?,
            RTA_PRIORITY => metric = number()?,
            RTA_OIF => links.push(number()?),
            RTA_MULTIPATH => links.extend(next_hops(attribute.value())?),
            _ => {}
        }
    }
    if table != RT_TABLE_MAIN || header[7] != RTN_UNICAST {
        return Ok(None);
    }
    let ways = links.into_iter().map(|link| DefaultRoute { metric, link });
    Ok(Some(ways.collect()))
}

fn next_hops(mut rest: &[u8]) -> Result<Vec<u32>, String> {
    let mut links = Vec::new();
    while let Some((hop, _)) = rest.split_at_checked(NEXT_HOP) {
        let length = usize::from(u16::from_ne_bytes([hop[0], hop[1]]));
        if length < NEXT_HOP {
            return Err("a next hop is shorter than its header".to_owned());
        }
        links.push(u32::from_ne_bytes([hop[4], hop[5], hop[6], hop[7]]));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(links)
}

#[cfg(test)]
mod tests;

//! The bytes of the generic netlink family `IPVS` (linux/ip_vs.h) and of the controller that lists families
//! (linux/genetlink.h). Attributes that are not named here are passed over, so that newer kernels stay readable.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NLA_F_NESTED, parse_u16, parse_u16_be, parse_u32};

use super::{Forwarding, IpvsDestination, IpvsMatch, IpvsProtocol, IpvsService};
use crate::IpFamily;
use crate::attributes::{each, put};

pub(crate) const FAMILY_NAME: &[u8] = b"IPVS";
pub(crate) const CMD_NEW_SERVICE: u8 = 1;
pub(crate) const CMD_GET_SERVICE: u8 = 4;
pub(crate) const CMD_NEW_DEST: u8 = 5;
pub(crate) const CMD_GET_DEST: u8 = 8;
pub(crate) const CTRL_CMD_NEWFAMILY: u8 = 1;
pub(crate) const CTRL_CMD_GETFAMILY: u8 = 3;

/// `genlmsghdr`: command, version, two reserved bytes.
const GENERIC_HEADER: usize = 4;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const CMD_ATTR_SERVICE: u16 = 1;
const CMD_ATTR_DEST: u16 = 2;
const SVC_ATTR_AF: u16 = 1;
const SVC_ATTR_PROTOCOL: u16 = 2;
const SVC_ATTR_ADDR: u16 = 3;
const SVC_ATTR_PORT: u16 = 4;
const SVC_ATTR_FWMARK: u16 = 5;
const SVC_ATTR_SCHED_NAME: u16 = 6;
const DEST_ATTR_ADDR: u16 = 1;
const DEST_ATTR_PORT: u16 = 2;
const DEST_ATTR_FWD_METHOD: u16 = 3;
const DEST_ATTR_WEIGHT: u16 = 4;
const DEST_ATTR_ACTIVE_CONNS: u16 = 7;
const DEST_ATTR_INACT_CONNS: u16 = 8;
const DEST_ATTR_ADDR_FAMILY: u16 = 11;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// A message that asks for everything, after the netlink header.
pub(crate) fn command(command: u8) -> Vec<u8> {
    const VERSION: u8 = 1;
    vec![command, VERSION, 0, 0]
}

/// Asks for the destinations of one service. The kernel takes a service that is not there for one without any.
pub(crate) fn destinations_of(service: &IpvsMatch) -> Vec<u8> {
    let mut inner = Vec::new();
    let family = match service.family() {
        IpFamily::V4 => AF_INET,
        IpFamily::V6 => AF_INET6,
    };
    put(&mut inner, SVC_ATTR_AF, &family.to_ne_bytes());
    match service {
        IpvsMatch::Address { ip, protocol, port } => {
            let number = protocol.number().to_ne_bytes();
            put(&mut inner, SVC_ATTR_PROTOCOL, &number);
            put(&mut inner, SVC_ATTR_ADDR, &address_bytes(*ip));
            put(&mut inner, SVC_ATTR_PORT, &port.to_be_bytes());
        }
        IpvsMatch::Mark { mark, .. } => put(&mut inner, SVC_ATTR_FWMARK, &mark.to_ne_bytes()),
    }
    let mut message = command(CMD_GET_DEST);
    put(&mut message, CMD_ATTR_SERVICE | NLA_F_NESTED, &inner);
    message
}

/// The number of the family of that name, if the message is about it.
pub(crate) fn family_id(payload: &[u8], name: &[u8]) -> Result<Option<u16>, String> {
    let Some(body) = body_of(payload, CTRL_CMD_NEWFAMILY)? else {
        return Ok(None);
    };
    let (mut id, mut named) = (None, false);
    each(body, |kind, value| {
        match kind {
            CTRL_ATTR_FAMILY_ID => id = Some(u16_of(value)?),
            CTRL_ATTR_FAMILY_NAME => named = value.strip_suffix(&[0]) == Some(name),
            _ => {}
        }
        Ok(())
    })?;
    Ok(id.filter(|_| named))
}

/// A service, unless the message is about something else.
pub(crate) fn service(payload: &[u8]) -> Result<Option<IpvsService>, String> {
    let Some(body) = nested(payload, CMD_NEW_SERVICE, CMD_ATTR_SERVICE)? else {
        return Ok(None);
    };
    let (mut family, mut protocol, mut bytes) = (None, None, None);
    let (mut port, mut mark, mut scheduler) = (None, None, String::new());
    each(body, |kind, value| {
        match kind {
            SVC_ATTR_AF => family = Some(family_of(value)?),
            SVC_ATTR_PROTOCOL => protocol = Some(IpvsProtocol::from(u16_of(value)?)),
            SVC_ATTR_ADDR => bytes = Some(value),
            SVC_ATTR_PORT => port = Some(port_of(value)?),
            SVC_ATTR_FWMARK => mark = Some(u32_of(value)?),
            SVC_ATTR_SCHED_NAME => {
                let name = value.strip_suffix(&[0]).unwrap_or(value);
                scheduler = String::from_utf8_lossy(name).into_owned();
            }
            _ => {}
        }
        Ok(())
    })?;
    let family = family.ok_or("a service has no address family")?;
    let matches = match (mark, protocol, bytes, port) {
        (Some(mark), ..) => IpvsMatch::Mark { family, mark },
        (None, Some(protocol), Some(bytes), Some(port)) => IpvsMatch::Address {
            ip: address_of(family, bytes)?,
            protocol,
            port,
        },
        _ => return Err("a service has neither an address with a port nor a mark".to_owned()),
    };
    Ok(Some(IpvsService { matches, scheduler }))
}

/// A destination of a service of `family`, unless the message is about something else. Kernels before 3.18 do not name
/// the destination's own family, as it was always the service's.
pub(crate) fn destination(
    payload: &[u8],
    family: IpFamily,
) -> Result<Option<IpvsDestination>, String> {
    let Some(body) = nested(payload, CMD_NEW_DEST, CMD_ATTR_DEST)? else {
        return Ok(None);
    };
    let mut family = family;
    let (mut bytes, mut port, mut method) = (None, None, None);
    let (mut weight, mut active, mut inactive) = (None, 0, 0);
    each(body, |kind, value| {
        match kind {
            DEST_ATTR_ADDR => bytes = Some(value),
            DEST_ATTR_PORT => port = Some(port_of(value)?),
            DEST_ATTR_FWD_METHOD => method = Some(Forwarding::from(u32_of(value)?)),
            DEST_ATTR_WEIGHT => weight = Some(u32_of(value)?),
            DEST_ATTR_ACTIVE_CONNS => active = u32_of(value)?,
            DEST_ATTR_INACT_CONNS => inactive = u32_of(value)?,
            DEST_ATTR_ADDR_FAMILY => family = family_of(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(Some(IpvsDestination {
        ip: address_of(family, bytes.ok_or("a destination has no address")?)?,
        port: port.ok_or("a destination has no port")?,
        forwarding: method.ok_or("a destination has no forwarding method")?,
        weight: weight.ok_or("a destination has no weight")?,
        active,
        inactive,
    }))
}

fn body_of(payload: &[u8], expected: u8) -> Result<Option<&[u8]>, String> {
    let (header, body) = payload
        .split_at_checked(GENERIC_HEADER)
        .ok_or("a message is shorter than its generic header")?;
    Ok((header[0] == expected).then_some(body))
}

/// The attributes within the one that wraps a service or a destination.
fn nested(payload: &[u8], command: u8, wrapper: u16) -> Result<Option<&[u8]>, String> {
    let Some(body) = body_of(payload, command)? else {
        return Ok(None);
    };
    let mut found = None;
    each(body, |kind, value| {
        if kind == wrapper {
            found = Some(value);
        }
        Ok(())
    })?;
    found
        .map(Some)
        .ok_or_else(|| format!("a message lacks attribute {wrapper}"))
}

fn u16_of(value: &[u8]) -> Result<u16, String> {
    parse_u16(value).map_err(|error| error.to_string())
}

fn u32_of(value: &[u8]) -> Result<u32, String> {
    parse_u32(value).map_err(|error| error.to_string())
}

fn port_of(value: &[u8]) -> Result<u16, String> {
    parse_u16_be(value).map_err(|error| error.to_string())
}

fn family_of(value: &[u8]) -> Result<IpFamily, String> {
    match u16_of(value)? {
        AF_INET => Ok(IpFamily::V4),
        AF_INET6 => Ok(IpFamily::V6),
        other => Err(format!("address family {other} is neither IPv4 nor IPv6")),
    }
}

/// `union nf_inet_addr`: 16 bytes whatever the family, of which IPv4 uses the first four.
fn address_of(family: IpFamily, bytes: &[u8]) -> Result<IpAddr, String> {
    let bytes: [u8; 16] = bytes
        .try_into()
        .map_err(|_| format!("an address has {} bytes and not 16", bytes.len()))?;
    let [a, b, c, d, ..] = bytes;
    Ok(match family {
        IpFamily::V4 => Ipv4Addr::new(a, b, c, d).into(),
        IpFamily::V6 => Ipv6Addr::from(bytes).into(),
    })
}

fn address_bytes(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(ip) => ip.octets(),
    }
}

#[cfg(test)]
mod tests;

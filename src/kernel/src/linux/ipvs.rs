use netlink_sys::protocols::NETLINK_GENERIC;

use super::netlink::Dump;
use crate::ipvs::wire;
use crate::{Facility, IpvsDestination, IpvsMatch, IpvsService, ReadError, Reading};

/// The number of the controller, the one family whose number is fixed.
const GENL_ID_CTRL: u16 = 16;

pub(super) fn services() -> Result<Facility<Vec<IpvsService>>, ReadError> {
    let Some(family) = family(wire::FAMILY_NAME)? else {
        return Ok(Facility::Absent);
    };
    let dump = Dump {
        reading: Reading::IpvsServices,
        protocol: NETLINK_GENERIC,
        message_type: family,
        payload: &wire::command(wire::CMD_GET_SERVICE),
    };
    let mut services = dump.run(|kind, payload| match kind {
        kind if kind == family => wire::service(payload),
        _ => Ok(None),
    })?;
    services.sort_by_key(|service| service.matches);
    Ok(Facility::Present(services))
}

pub(super) fn destinations(
    service: &IpvsMatch,
) -> Result<Facility<Vec<IpvsDestination>>, ReadError> {
    let Some(family) = family(wire::FAMILY_NAME)? else {
        return Ok(Facility::Absent);
    };
    let dump = Dump {
        reading: Reading::IpvsDestinations,
        protocol: NETLINK_GENERIC,
        message_type: family,
        payload: &wire::destinations_of(service),
    };
    let mut destinations = dump.run(|kind, payload| match kind {
        kind if kind == family => wire::destination(payload, service.family()),
        _ => Ok(None),
    })?;
    destinations.sort_by_key(|destination| (destination.ip, destination.port));
    Ok(Facility::Present(destinations))
}

/// The number the kernel gave a family, looked up in the list of all: to ask for it by name would make the kernel
/// try and load a module, and a reading must not change what it reads.
fn family(name: &[u8]) -> Result<Option<u16>, ReadError> {
    let dump = Dump {
        reading: Reading::IpvsServices,
        protocol: NETLINK_GENERIC,
        message_type: GENL_ID_CTRL,
        payload: &wire::command(wire::CTRL_CMD_GETFAMILY),
    };
    let found = dump.run(|kind, payload| match kind {
        GENL_ID_CTRL => wire::family_id(payload, name),
        _ => Ok(None),
    })?;
    Ok(found.into_iter().next())
}

#[cfg(test)]
mod tests;

//! Elements of kube-proxy's map `service-ips`, whose keys are address, transport and port.

use std::net::IpAddr;

use super::HEADER;
use super::numbers::{DATA_VALUE, LIST_ELEM, SET_ELEM_KEY, SET_ELEM_LIST_ELEMENTS};
use crate::attributes::each;
use crate::{IpFamily, IpvsProtocol, ServiceTarget};

/// The keys of the elements that a message lists. An element without a key is the one for all other keys.
pub(in crate::linux) fn targets(
    payload: &[u8],
    family: IpFamily,
) -> Result<Vec<ServiceTarget>, String> {
    let attributes = payload
        .get(HEADER..)
        .ok_or("an answer is shorter than its header")?;
    let mut targets = Vec::new();
    let mut take = |key: &[u8]| {
        targets.push(target(key, family)?);
        Ok(())
    };
    within(attributes, SET_ELEM_LIST_ELEMENTS, &mut |elements| {
        within(elements, LIST_ELEM, &mut |element| {
            within(element, SET_ELEM_KEY, &mut |key| {
                within(key, DATA_VALUE, &mut take)
            })
        })
    })?;
    Ok(targets)
}

/// Hands the value of each attribute of that kind on.
fn within<'a>(
    attributes: &'a [u8],
    wanted: u16,
    take: &mut dyn FnMut(&'a [u8]) -> Result<(), String>,
) -> Result<(), String> {
    each(attributes, |kind, value| match kind {
        kind if kind == wanted => take(value),
        _ => Ok(()),
    })
}

/// `ipv4_addr . inet_proto . inet_service` or the same with `ipv6_addr`: each field is padded to four bytes.
fn target(key: &[u8], family: IpFamily) -> Result<ServiceTarget, String> {
    let read = match family {
        IpFamily::V4 => key
            .split_first_chunk::<4>()
            .map(|(ip, rest)| (IpAddr::from(*ip), rest)),
        IpFamily::V6 => key
            .split_first_chunk::<16>()
            .map(|(ip, rest)| (IpAddr::from(*ip), rest)),
    };
    let Some((ip, &[protocol, _, _, _, high, low, _, _])) = read else {
        let length = key.len();
        return Err(format!(
            "a key of {length} bytes is not an address, a protocol and a port"
        ));
    };
    Ok(ServiceTarget {
        ip,
        protocol: IpvsProtocol::from(u16::from(protocol)),
        port: u16::from_be_bytes([high, low]),
    })
}

#[cfg(test)]
mod tests;

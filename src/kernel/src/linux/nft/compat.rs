//! Matches of iptables that have no expression of nftables: a name, and the structure that the old interface has.

use super::rule::fields;
use crate::linux::conditions::Condition;
use crate::linux::link::until_zero;

const MATCH_NAME: u16 = 1;
const MATCH_INFO: u16 = 3;
const EVERY_PORT: (u16, u16) = (0, u16::MAX);

/// What a match of nftables asks for.
pub(super) fn condition(data: &[u8]) -> Result<Condition, String> {
    let [name, info] = fields(data, [MATCH_NAME, MATCH_INFO])?;
    let name = until_zero(name.ok_or("a match has no name")?);
    Ok(named(name, info.unwrap_or_default()))
}

/// What the match of a name asks for. Its structure is in the byte order of the machine and padded.
pub(in crate::linux) fn named(name: &[u8], info: &[u8]) -> Condition {
    let understood = match name {
        b"comment" => Some(Condition::Always),
        b"tcp" => tcp(info),
        b"udp" => udp(info),
        b"sctp" => sctp(info),
        _ => None,
    };
    understood.unwrap_or(Condition::NotUnderstood)
}

/// `xt_tcp`: ranges of source and destination ports, option, mask and value of the flags, inversions.
fn tcp(info: &[u8]) -> Option<Condition> {
    let (ports, rest) = info.split_first_chunk::<8>()?;
    let [source, destination] = ranges(ports);
    let &[option, flags, _, inverted, ..] = rest else {
        return None;
    };
    let plain = option == 0 && flags == 0 && inverted == 0;
    port(source, destination).filter(|_| plain)
}

/// `xt_udp`: ranges of source and destination ports, inversions.
fn udp(info: &[u8]) -> Option<Condition> {
    let (ports, rest) = info.split_first_chunk::<8>()?;
    let [source, destination] = ranges(ports);
    port(source, destination).filter(|_| rest.first() == Some(&0))
}

/// `xt_sctp_info`: ranges of destination and source ports, chunks and their flags, which of the three count, inversions.
fn sctp(info: &[u8]) -> Option<Condition> {
    const DESTINATION_PORTS: u32 = 2;
    /// A map of 64 words, its kind, four flags of three bytes and their number.
    const CHUNKS: usize = 256 + 4 + 12 + 4;
    let (ports, rest) = info.split_first_chunk::<8>()?;
    let [destination, _] = ranges(ports);
    let rest = rest.get(CHUNKS..)?;
    let (flags, rest) = rest.split_first_chunk::<4>()?;
    let inverted = rest.first_chunk::<4>()?;
    let plain = u32::from_ne_bytes(*flags) == DESTINATION_PORTS && *inverted == [0; 4];
    port(EVERY_PORT, destination).filter(|_| plain)
}

fn ranges(ports: &[u8; 8]) -> [(u16, u16); 2] {
    let [a, b, c, d, e, f, g, h] = *ports;
    let number = u16::from_ne_bytes;
    [
        (number([a, b]), number([c, d])),
        (number([e, f]), number([g, h])),
    ]
}

/// One port of destination, whatever the source.
fn port(source: (u16, u16), destination: (u16, u16)) -> Option<Condition> {
    let (low, high) = destination;
    (source == EVERY_PORT && low == high).then_some(Condition::Port(low))
}

#[cfg(test)]
mod tests;

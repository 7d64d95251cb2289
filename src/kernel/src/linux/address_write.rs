use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};

use super::change::{Change, Verdict};
use crate::attributes;
use crate::{NewAddress, OsError, Put, Removed, WriteError, Writing};

const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const EEXIST: i32 = 17;
const ENODEV: i32 = 19;
const EADDRNOTAVAIL: i32 = 99;

/// First for a new one only: a renewal alone would not tell whether there was something to renew.
pub(super) fn put(address: &NewAddress) -> Result<Put, WriteError> {
    let writing = Writing::Put {
        link: address.link,
        ip: address.ip,
        prefix: address.prefix,
    };
    let payload = message(address);
    let add = Change {
        writing,
        message_type: RTM_NEWADDR,
        flags: NLM_F_CREATE | NLM_F_EXCL,
        payload: &payload,
    };
    match add.run()? {
        Verdict::Done => return Ok(Put::Added),
        Verdict::Refused(error) if error.raw() == EEXIST => {}
        Verdict::Refused(error) => return Err(WriteError::refused(writing, error)),
    }
    let renew = Change {
        flags: NLM_F_CREATE | NLM_F_REPLACE,
        ..add
    };
    match renew.run()? {
        Verdict::Done => Ok(Put::Renewed),
        Verdict::Refused(error) => Err(WriteError::refused(writing, error)),
    }
}

pub(super) fn remove(link: u32, ip: IpAddr, prefix: u8) -> Result<Removed, WriteError> {
    let writing = Writing::Remove { link, ip, prefix };
    let change = Change {
        writing,
        message_type: RTM_DELADDR,
        flags: 0,
        payload: &which(link, ip, prefix),
    };
    match change.run()? {
        Verdict::Done => Ok(Removed::Removed),
        Verdict::Refused(error) if was_not_there(error) => Ok(Removed::WasNotThere),
        Verdict::Refused(error) => Err(WriteError::refused(writing, error)),
    }
}

/// No such address, or no such link.
fn was_not_there(error: OsError) -> bool {
    matches!(error.raw(), EADDRNOTAVAIL | ENODEV)
}

/// `ifaddrmsg`, then the address twice: without IFA_LOCAL the kernel takes no IPv4 address, and without IFA_ADDRESS it would
/// remove one of any prefix. Scope global is 0.
fn which(link: u32, ip: IpAddr, prefix: u8) -> Vec<u8> {
    let (family, octets) = match ip {
        IpAddr::V4(ip) => (AF_INET, ip.octets().to_vec()),
        IpAddr::V6(ip) => (AF_INET6, ip.octets().to_vec()),
    };
    let mut message = vec![family, prefix, 0, 0];
    message.extend(link.to_ne_bytes());
    attributes::put(&mut message, IFA_LOCAL, &octets);
    attributes::put(&mut message, IFA_ADDRESS, &octets);
    message
}

fn message(address: &NewAddress) -> Vec<u8> {
    let mut message = which(address.link, address.ip, address.prefix);
    let flags = address.flags.bits().to_ne_bytes();
    attributes::put(&mut message, IFA_FLAGS, &flags);
    // `ifa_cacheinfo`: preferred, valid, and two times that only the kernel tells.
    let mut info = [0; 16];
    info[..4].copy_from_slice(&address.preferred.seconds().to_ne_bytes());
    info[4..8].copy_from_slice(&address.valid.seconds().to_ne_bytes());
    attributes::put(&mut message, IFA_CACHEINFO, &info);
    message
}

#[cfg(test)]
mod tests;

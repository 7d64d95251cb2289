use netlink_packet_core::NlasIterator;
use netlink_sys::protocols::NETLINK_NETFILTER;

use super::link::until_zero;
use super::netlink::Dump;
use crate::{Facility, NftFamily, NftTable, ReadError, Reading};

/// `NFNL_SUBSYS_NFTABLES` in the upper byte, then `NFT_MSG_*` (linux/netfilter/nf_tables.h).
const NFT_MSG_NEWTABLE: u16 = 10 << 8;
const NFT_MSG_GETTABLE: u16 = 10 << 8 | 1;
const NFTA_TABLE_NAME: u16 = 1;
/// `nfgenmsg`: family, version, resource id.
const HEADER: usize = 4;
const EINVAL: i32 = 22;
const EPROTONOSUPPORT: i32 = 93;

pub(super) fn tables() -> Result<Facility<Vec<NftTable>>, ReadError> {
    let every_family = [0; HEADER];
    let dump = Dump {
        reading: Reading::NftTables,
        protocol: NETLINK_NETFILTER,
        message_type: NFT_MSG_GETTABLE,
        payload: &every_family,
    };
    let tables = dump.run(|kind, payload| match kind {
        NFT_MSG_NEWTABLE => table(payload).map(Some),
        _ => Ok(None),
    });
    match tables {
        Ok(mut tables) => {
            tables.sort();
            Ok(Facility::Present(tables))
        }
        // No nfnetlink at all, or nobody behind it for nftables (`nfnetlink_rcv_msg`); the question itself has no other
        // reason to be invalid.
        Err(ReadError::Socket { error, .. }) if error.raw() == EPROTONOSUPPORT => {
            Ok(Facility::Absent)
        }
        Err(ReadError::Refused { error, .. }) if error.raw() == EINVAL => Ok(Facility::Absent),
        Err(error) => Err(error),
    }
}

fn table(payload: &[u8]) -> Result<NftTable, String> {
    let (header, attributes) = payload
        .split_at_checked(HEADER)
        .ok_or("a table is shorter than its header")?;
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if attribute.kind() == NFTA_TABLE_NAME {
            let name = String::from_utf8_lossy(until_zero(attribute.value()));
            return Ok(NftTable {
                family: NftFamily::from(header[0]),
                name: name.into_owned(),
            });
        }
    }
    Err("a table has no name".to_owned())
}

#[cfg(test)]
mod tests;

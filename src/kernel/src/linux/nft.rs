pub(super) mod compat;
pub(super) mod element;
pub(super) mod numbers;
mod register;
pub(super) mod rule;

use netlink_packet_core::NlasIterator;
use netlink_sys::protocols::NETLINK_NETFILTER;
use numbers::{
    CHAIN_NAME, CHAIN_TABLE, NFT_MSG_GETCHAIN, NFT_MSG_GETTABLE, NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWTABLE, TABLE_NAME,
};

use super::link::until_zero;
use super::netlink::Dump;
use crate::{Facility, NftChain, NftFamily, NftTable, ReadError, Reading};

/// `nfgenmsg`: family, version, resource id.
const HEADER: usize = 4;
const EINVAL: i32 = 22;
const EPROTONOSUPPORT: i32 = 93;

pub(super) fn tables() -> Result<Facility<Vec<NftTable>>, ReadError> {
    every(Reading::NftTables, NFT_MSG_GETTABLE, |kind, payload| {
        (kind == NFT_MSG_NEWTABLE).then(|| table(payload))
    })
}

pub(super) fn chains() -> Result<Facility<Vec<NftChain>>, ReadError> {
    every(Reading::NftChains, NFT_MSG_GETCHAIN, |kind, payload| {
        (kind == NFT_MSG_NEWCHAIN).then(|| chain(payload))
    })
}

/// Everything of one kind in every family, in order.
fn every<T: Ord>(
    reading: Reading,
    message_type: u16,
    decode: impl Fn(u16, &[u8]) -> Option<Result<T, String>>,
) -> Result<Facility<Vec<T>>, ReadError> {
    let mut listed = dump(reading, message_type, &[0; HEADER], decode)?;
    if let Facility::Present(items) = &mut listed {
        items.sort();
    }
    Ok(listed)
}

/// What `payload` asks for, in the order of the kernel.
pub(super) fn dump<T>(
    reading: Reading,
    message_type: u16,
    payload: &[u8],
    decode: impl Fn(u16, &[u8]) -> Option<Result<T, String>>,
) -> Result<Facility<Vec<T>>, ReadError> {
    let dump = Dump {
        reading,
        protocol: NETLINK_NETFILTER,
        message_type,
        payload,
    };
    match dump.run(|kind, payload| decode(kind, payload).transpose()) {
        Ok(items) => Ok(Facility::Present(items)),
        // No nfnetlink at all, or nobody behind it for nftables (`nfnetlink_rcv_msg`); the questions themselves have no
        // other reason to be invalid.
        Err(ReadError::Socket { error, .. }) if error.raw() == EPROTONOSUPPORT => {
            Ok(Facility::Absent)
        }
        Err(ReadError::Refused { error, .. }) if error.raw() == EINVAL => Ok(Facility::Absent),
        Err(error) => Err(error),
    }
}

fn table(payload: &[u8]) -> Result<NftTable, String> {
    let (family, [name]) = texts(payload, [TABLE_NAME])?;
    let name = name.ok_or("a table has no name")?;
    Ok(NftTable { family, name })
}

fn chain(payload: &[u8]) -> Result<NftChain, String> {
    let (family, [table, name]) = texts(payload, [CHAIN_TABLE, CHAIN_NAME])?;
    let table = table.ok_or("a chain has no table")?;
    let table = NftTable {
        family,
        name: table,
    };
    let name = name.ok_or("a chain has no name")?;
    Ok(NftChain { table, name })
}

/// The family, and the attributes of these numbers.
fn texts<const N: usize>(
    payload: &[u8],
    numbers: [u16; N],
) -> Result<(NftFamily, [Option<String>; N]), String> {
    let (header, attributes) = payload
        .split_at_checked(HEADER)
        .ok_or("an answer is shorter than its header")?;
    let mut texts = [const { None }; N];
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if let Some(place) = numbers
            .iter()
            .position(|number| *number == attribute.kind())
        {
            let text = String::from_utf8_lossy(until_zero(attribute.value()));
            texts[place] = Some(text.into_owned());
        }
    }
    Ok((NftFamily::from(header[0]), texts))
}

#[cfg(test)]
mod tests;

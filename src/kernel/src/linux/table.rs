//! Tables of Mooring's own in nftables: messages that make them (linux/netfilter/nf_tables.h), and what becomes of these.

mod batch;
mod object;
mod rule;

pub(super) use batch::{Batch, Outcome};
pub(super) use object::{Element, Hook, Set, address, base_chain, chain, octets, rule};
pub(super) use rule::{Checksum, Field, Header, Rule};

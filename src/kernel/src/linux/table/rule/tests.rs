//! The bytes are written by hand after linux/netfilter/nf_tables.h, as a little-endian kernel takes them. That the rules mean
//! what they shall is what nft(8) says in tests/ports.
#![cfg(target_endian = "little")]

use super::Rule;
use crate::IpFamily;

#[test]
fn a_rule_loads_compares_and_decides() {
    #[rustfmt::skip]
    let expected = [
        36, 0, 1, 0x80, // NFTA_LIST_ELEM
        9, 0, 1, 0, b'm', b'e', b't', b'a', 0, 0, 0, 0, // NFTA_EXPR_NAME
        20, 0, 2, 0x80, // NFTA_EXPR_DATA
        8, 0, 2, 0, 0, 0, 0, 16, // NFTA_META_KEY = NFT_META_L4PROTO
        8, 0, 1, 0, 0, 0, 0, 8, // NFTA_META_DREG = NFT_REG32_00
        44, 0, 1, 0x80,
        8, 0, 1, 0, b'c', b'm', b'p', 0,
        32, 0, 2, 0x80,
        8, 0, 1, 0, 0, 0, 0, 8, // NFTA_CMP_SREG = NFT_REG32_00
        8, 0, 2, 0, 0, 0, 0, 0, // NFTA_CMP_OP = NFT_CMP_EQ
        12, 0, 3, 0x80, 5, 0, 1, 0, 6, 0, 0, 0, // NFTA_CMP_DATA, NFTA_DATA_VALUE = IPPROTO_TCP
        48, 0, 1, 0x80,
        14, 0, 1, 0, b'i', b'm', b'm', b'e', b'd', b'i', b'a', b't', b'e', 0, 0, 0,
        28, 0, 2, 0x80,
        8, 0, 1, 0, 0, 0, 0, 0, // NFTA_IMMEDIATE_DREG = NFT_REG_VERDICT
        16, 0, 2, 0x80, 12, 0, 2, 0x80, // NFTA_IMMEDIATE_DATA, NFTA_DATA_VERDICT
        8, 0, 1, 0, 0, 0, 0, 1, // NFTA_VERDICT_CODE = NF_ACCEPT
    ];
    assert_eq!(Rule::new().of_transport(6).accept(), expected);
}

#[test]
fn a_service_is_looked_up_by_registers_that_stand_beside_each_other() {
    // The registers that are loaded, and how many bytes of the destination.
    for (family, length, registers) in [
        (IpFamily::V4, 4, [8, 9, 10]),
        (IpFamily::V6, 16, [8, 12, 13]),
    ] {
        let rule = Rule::new().for_service_in(family, "services").accept();
        let holds = |bytes: &[u8]| rule.windows(bytes.len()).any(|window| window == bytes);
        let [address, protocol, port] = registers;
        let load = |register, base, offset, length| {
            let fields = [(1, register), (2, base), (3, offset), (4, length)];
            let fields = fields.map(|(kind, value)| [8, 0, kind, 0, 0, 0, 0, value]);
            fields.concat()
        };
        let offset = if family == IpFamily::V4 { 16 } else { 24 };
        assert!(holds(&load(address, 1, offset, length)), "{family:?}");
        assert!(holds(&load(port, 2, 2, 2)), "{family:?}");
        let meta = [8, 0, 2, 0, 0, 0, 0, 16, 8, 0, 1, 0, 0, 0, 0, protocol];
        assert!(holds(&meta), "{family:?}");
    }
}

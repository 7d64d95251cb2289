//! Numbers of nftables that stand in messages to and from it: those of linux/netfilter/nf_tables.h by their names there,
//! attributes without their `NFTA_`. Attributes count anew in each structure, which their names begin with.

// Messages: `NFNL_SUBSYS_NFTABLES` in the upper byte, then `NFT_MSG_*`.
pub(in crate::linux) const NFNL_SUBSYS_NFTABLES: u16 = 10;
pub(in crate::linux) const NFT_MSG_NEWTABLE: u16 = NFNL_SUBSYS_NFTABLES << 8;
pub(in crate::linux) const NFT_MSG_GETTABLE: u16 = NFNL_SUBSYS_NFTABLES << 8 | 1;
pub(in crate::linux) const NFT_MSG_DELTABLE: u16 = NFNL_SUBSYS_NFTABLES << 8 | 2;
pub(in crate::linux) const NFT_MSG_NEWCHAIN: u16 = NFNL_SUBSYS_NFTABLES << 8 | 3;
pub(in crate::linux) const NFT_MSG_GETCHAIN: u16 = NFNL_SUBSYS_NFTABLES << 8 | 4;
pub(in crate::linux) const NFT_MSG_NEWRULE: u16 = NFNL_SUBSYS_NFTABLES << 8 | 6;
pub(in crate::linux) const NFT_MSG_GETRULE: u16 = NFNL_SUBSYS_NFTABLES << 8 | 7;
pub(in crate::linux) const NFT_MSG_NEWSET: u16 = NFNL_SUBSYS_NFTABLES << 8 | 9;
pub(in crate::linux) const NFT_MSG_NEWSETELEM: u16 = NFNL_SUBSYS_NFTABLES << 8 | 12;
pub(in crate::linux) const NFT_MSG_GETSETELEM: u16 = NFNL_SUBSYS_NFTABLES << 8 | 13;
pub(in crate::linux) const NFT_MSG_DELSETELEM: u16 = NFNL_SUBSYS_NFTABLES << 8 | 14;

// Tables, chains, rules and sets.
pub(in crate::linux) const TABLE_NAME: u16 = 1;
pub(in crate::linux) const CHAIN_TABLE: u16 = 1;
pub(in crate::linux) const CHAIN_NAME: u16 = 3;
pub(in crate::linux) const CHAIN_HOOK: u16 = 4;
pub(in crate::linux) const CHAIN_POLICY: u16 = 5;
pub(in crate::linux) const CHAIN_TYPE: u16 = 7;
pub(in crate::linux) const HOOK_HOOKNUM: u16 = 1;
pub(in crate::linux) const HOOK_PRIORITY: u16 = 2;
pub(in crate::linux) const HOOK_DEV: u16 = 3;
pub(in crate::linux) const RULE_TABLE: u16 = 1;
pub(in crate::linux) const RULE_CHAIN: u16 = 2;
pub(in crate::linux) const RULE_EXPRESSIONS: u16 = 4;
pub(in crate::linux) const SET_TABLE: u16 = 1;
pub(in crate::linux) const SET_NAME: u16 = 2;
pub(in crate::linux) const SET_FLAGS: u16 = 3;
pub(in crate::linux) const SET_KEY_TYPE: u16 = 4;
pub(in crate::linux) const SET_KEY_LEN: u16 = 5;
pub(in crate::linux) const SET_DATA_TYPE: u16 = 6;
pub(in crate::linux) const SET_DATA_LEN: u16 = 7;
pub(in crate::linux) const SET_ID: u16 = 10;
pub(in crate::linux) const SET_ELEM_LIST_TABLE: u16 = 1;
pub(in crate::linux) const SET_ELEM_LIST_SET: u16 = 2;
pub(in crate::linux) const SET_ELEM_LIST_ELEMENTS: u16 = 3;
pub(in crate::linux) const SET_ELEM_KEY: u16 = 1;
pub(in crate::linux) const SET_ELEM_DATA: u16 = 2;
pub(in crate::linux) const SET_ELEM_TIMEOUT: u16 = 4;
pub(in crate::linux) const NFT_SET_MAP: u32 = 8;
pub(in crate::linux) const NFT_SET_TIMEOUT: u32 = 16;
pub(in crate::linux) const NFT_SET_EVAL: u32 = 32;

// What lists and data are made of.
pub(in crate::linux) const LIST_ELEM: u16 = 1;
pub(in crate::linux) const DATA_VALUE: u16 = 1;
pub(in crate::linux) const DATA_VERDICT: u16 = 2;
pub(in crate::linux) const VERDICT_CODE: u16 = 1;
pub(in crate::linux) const VERDICT_CHAIN: u16 = 2;

// Expressions.
pub(in crate::linux) const EXPR_NAME: u16 = 1;
pub(in crate::linux) const EXPR_DATA: u16 = 2;
pub(in crate::linux) const PAYLOAD_DREG: u16 = 1;
pub(in crate::linux) const PAYLOAD_BASE: u16 = 2;
pub(in crate::linux) const PAYLOAD_OFFSET: u16 = 3;
pub(in crate::linux) const PAYLOAD_LEN: u16 = 4;
pub(in crate::linux) const NFT_PAYLOAD_NETWORK_HEADER: u32 = 1;
pub(in crate::linux) const NFT_PAYLOAD_TRANSPORT_HEADER: u32 = 2;
pub(in crate::linux) const META_DREG: u16 = 1;
pub(in crate::linux) const META_KEY: u16 = 2;
pub(in crate::linux) const NFT_META_NFPROTO: u32 = 15;
pub(in crate::linux) const NFT_META_L4PROTO: u32 = 16;
pub(in crate::linux) const CT_DREG: u16 = 1;
pub(in crate::linux) const CT_KEY: u16 = 2;
pub(in crate::linux) const NFT_CT_STATE: u32 = 0;
pub(in crate::linux) const NFT_CT_DIRECTION: u32 = 1;
pub(in crate::linux) const CMP_SREG: u16 = 1;
pub(in crate::linux) const CMP_OP: u16 = 2;
pub(in crate::linux) const CMP_DATA: u16 = 3;
pub(in crate::linux) const NFT_CMP_EQ: u32 = 0;
pub(in crate::linux) const NFT_CMP_NEQ: u32 = 1;
pub(in crate::linux) const BITWISE_SREG: u16 = 1;
pub(in crate::linux) const BITWISE_DREG: u16 = 2;
pub(in crate::linux) const BITWISE_LEN: u16 = 3;
pub(in crate::linux) const BITWISE_MASK: u16 = 4;
pub(in crate::linux) const BITWISE_XOR: u16 = 5;
pub(in crate::linux) const LOOKUP_SET: u16 = 1;
pub(in crate::linux) const LOOKUP_SREG: u16 = 2;
pub(in crate::linux) const LOOKUP_DREG: u16 = 3;
pub(in crate::linux) const IMMEDIATE_DREG: u16 = 1;
pub(in crate::linux) const IMMEDIATE_DATA: u16 = 2;
pub(in crate::linux) const REJECT_TYPE: u16 = 1;
pub(in crate::linux) const REJECT_ICMP_CODE: u16 = 2;
pub(in crate::linux) const DUP_SREG_ADDR: u16 = 1;
pub(in crate::linux) const NFT_REJECT_TCP_RST: u32 = 1;
pub(in crate::linux) const NFT_REJECT_ICMPX_UNREACH: u32 = 2;
pub(in crate::linux) const NFT_REJECT_ICMPX_PORT_UNREACH: u8 = 1;

// Expressions that change a frame, send it elsewhere, or change a set.
pub(in crate::linux) const PAYLOAD_SREG: u16 = 5;
pub(in crate::linux) const PAYLOAD_CSUM_TYPE: u16 = 6;
pub(in crate::linux) const PAYLOAD_CSUM_OFFSET: u16 = 7;
pub(in crate::linux) const PAYLOAD_CSUM_FLAGS: u16 = 8;
pub(in crate::linux) const NFT_PAYLOAD_LL_HEADER: u32 = 0;
pub(in crate::linux) const NFT_PAYLOAD_CSUM_NONE: u32 = 0;
pub(in crate::linux) const NFT_PAYLOAD_CSUM_INET: u32 = 1;
pub(in crate::linux) const NFT_PAYLOAD_L4CSUM_PSEUDOHDR: u32 = 1;
pub(in crate::linux) const NFT_META_IIF: u32 = 4;
pub(in crate::linux) const NFT_META_PKTTYPE: u32 = 19;
pub(in crate::linux) const FWD_SREG_DEV: u16 = 1;
pub(in crate::linux) const DYNSET_SET_NAME: u16 = 1;
pub(in crate::linux) const DYNSET_OP: u16 = 3;
pub(in crate::linux) const DYNSET_SREG_KEY: u16 = 4;
pub(in crate::linux) const DYNSET_TIMEOUT: u16 = 6;
pub(in crate::linux) const NFT_DYNSET_OP_UPDATE: u32 = 1;

// Registers (`enum nft_registers`): the verdict, and the first of those of four bytes.
pub(in crate::linux) const NFT_REG_VERDICT: u32 = 0;
pub(in crate::linux) const NFT_REG32_00: u32 = 8;

// Verdicts, also those of linux/netfilter.h.
pub(in crate::linux) const NF_DROP: i32 = 0;
pub(in crate::linux) const NF_ACCEPT: i32 = 1;
pub(in crate::linux) const NFT_JUMP: i32 = -3;
pub(in crate::linux) const NFT_GOTO: i32 = -4;

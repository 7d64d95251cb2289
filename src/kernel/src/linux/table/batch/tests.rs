//! The bytes are written by hand after linux/netfilter/nfnetlink.h, as a little-endian kernel takes them.
#![cfg(target_endian = "little")]

use super::Batch;
use crate::NftFamily;

#[test]
fn a_batch_begins_and_ends_and_asks_for_one_answer_to_its_last_message() {
    let mut batch = Batch::of(NftFamily::Inet);
    batch.push(10 << 8, 0x400, &[8, 0, 1, 0, b'a', b'b', b'c', 0]);
    batch.push(10 << 8 | 2, 0, &[]);
    #[rustfmt::skip]
    let expected = [
        20, 0, 0, 0, 0x10, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, // NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, 1
        0, 0, 0, 10, // NFNL_SUBSYS_NFTABLES
        28, 0, 0, 0, 0, 10, 1, 4, 2, 0, 0, 0, 0, 0, 0, 0, // NFT_MSG_NEWTABLE, NLM_F_REQUEST | NLM_F_CREATE, 2
        1, 0, 0, 0, 8, 0, 1, 0, b'a', b'b', b'c', 0, // NFPROTO_INET
        20, 0, 0, 0, 2, 10, 5, 0, 3, 0, 0, 0, 0, 0, 0, 0, // NFT_MSG_DELTABLE, NLM_F_REQUEST | NLM_F_ACK, 3
        1, 0, 0, 0,
        20, 0, 0, 0, 0x11, 0, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, // NFNL_MSG_BATCH_END, 4
        0, 0, 0, 10,
    ];
    let (bytes, answered) = batch.finish();
    assert_eq!(bytes, expected);
    assert_eq!(answered, 3);
}

//! Classic BPF: which frames a socket is woken for. A program sees a frame from its Ethernet header on; loading from beyond
//! its end drops it (Documentation/networking/filter.rst).

use nix::libc::{
    BPF_ABS, BPF_B, BPF_H, BPF_JEQ, BPF_JGT, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W,
    SKF_AD_IFINDEX, SKF_AD_OFF, SKF_AD_PKTTYPE, sock_filter,
};

use super::Ears;

/// `PACKET_MULTICAST` of linux/if_packet.h. Lower are the host's own and broadcast; higher are those for other hosts,
/// outgoing ones and the loopback's.
const LAST_FOR_US: u32 = 2;

/// Bytes from the start of a frame without a VLAN tag, which the kernel takes off.
const ETHERTYPE: u32 = 12;
const IPV6_NEXT_HEADER: u32 = 14 + 6;
const ICMPV6_TYPE: u32 = 14 + 40;

const ICMPV6: u32 = 58;
const NEIGHBOUR_SOLICITATION: u32 = 135;
const NEIGHBOUR_ADVERTISEMENT: u32 = 136;

/// All of the frame.
const KEEP: u32 = u32::MAX;
const DROP: u32 = 0;

/// The filter for a socket with these ears on the link of that index.
///
/// A frame of a VLAN, or for another link that is built on this one, comes by twice: the kernel shows it to the sockets of
/// the link that it came in by, too, with its tag taken off already (`orig_dev` in `__netif_receive_skb_core`,
/// net/core/dev.c). By then it is the other link's.
pub(super) fn program(ears: Ears, link: u32) -> Vec<sock_filter> {
    let packet_type = (SKF_AD_OFF + SKF_AD_PKTTYPE) as u32;
    let now_at = (SKF_AD_OFF + SKF_AD_IFINDEX) as u32;
    let mut program = vec![
        load(BPF_W, now_at),
        jump(BPF_JEQ, link, 1, 0),
        finish(DROP),
        load(BPF_W, packet_type),
        jump(BPF_JGT, LAST_FOR_US, 0, 1),
        finish(DROP),
        load(BPF_H, ETHERTYPE),
        jump(BPF_JEQ, u32::from(ears.ethertype()), 1, 0),
        finish(DROP),
    ];
    if ears == Ears::Ndp {
        program.extend([
            load(BPF_B, IPV6_NEXT_HEADER),
            jump(BPF_JEQ, ICMPV6, 1, 0),
            finish(DROP),
            load(BPF_B, ICMPV6_TYPE),
            jump(BPF_JEQ, NEIGHBOUR_SOLICITATION, 2, 0),
            jump(BPF_JEQ, NEIGHBOUR_ADVERTISEMENT, 1, 0),
            finish(DROP),
        ]);
    }
    program.push(finish(KEEP));
    program
}

/// Loads what stands at an offset; the kernel's own fields stand at "negative" ones.
fn load(size: u32, offset: u32) -> sock_filter {
    instruction(BPF_LD | size | BPF_ABS, 0, 0, offset)
}

/// Skips `yes` or `no` instructions.
fn jump(test: u32, operand: u32, yes: u8, no: u8) -> sock_filter {
    instruction(BPF_JMP | test | BPF_K, yes, no, operand)
}

/// Ends with that many bytes of the frame kept.
fn finish(bytes: u32) -> sock_filter {
    instruction(BPF_RET | BPF_K, 0, 0, bytes)
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}

#[cfg(test)]
mod tests;

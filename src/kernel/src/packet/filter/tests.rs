use super::*;

const HOST: u32 = 0;
const BROADCAST: u32 = 1;
const MULTICAST: u32 = 2;
const OTHERHOST: u32 = 3;
const OUTGOING: u32 = 4;
const LOOPBACK: u32 = 5;

/// The link that is listened on, and a VLAN on it.
const LINK: u32 = 7;
const VLAN: u32 = 8;

/// Runs a program as `___bpf_prog_run` would, as far as this module writes any.
fn kept(ears: Ears, packet_type: u32, frame: &[u8]) -> u32 {
    kept_at(LINK, ears, packet_type, frame)
}

/// The same for a frame that is at a link by now.
fn kept_at(link: u32, ears: Ears, packet_type: u32, frame: &[u8]) -> u32 {
    let program = program(ears, LINK);
    let (mut at, mut value) = (0, 0);
    loop {
        let step = program[at];
        at += 1;
        let code = u32::from(step.code);
        let (operation, from) = (code & 0x07, step.k as usize);
        if operation == BPF_RET {
            return step.k;
        } else if operation == BPF_JMP {
            let yes = match code & 0xf0 {
                BPF_JEQ => value == step.k,
                BPF_JGT => value > step.k,
                other => panic!("jump {other:#x}"),
            };
            at += usize::from(if yes { step.jt } else { step.jf });
        } else if step.k == (SKF_AD_OFF + SKF_AD_PKTTYPE) as u32 {
            value = packet_type;
        } else if step.k == (SKF_AD_OFF + SKF_AD_IFINDEX) as u32 {
            value = link;
        } else {
            let width = match code & 0x18 {
                BPF_W => 4,
                BPF_H => 2,
                _ => 1,
            };
            let Some(bytes) = frame.get(from..from + width) else {
                return 0;
            };
            value = bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        }
    }
}

fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&[0xff; 12][..], &ethertype.to_be_bytes(), payload].concat()
}

/// An IPv6 packet of one byte.
fn ipv6(next_header: u8, first: u8) -> Vec<u8> {
    let mut packet = vec![0; 41];
    packet[6] = next_header;
    packet[40] = first;
    ethernet(0x86dd, &packet)
}

#[test]
fn each_ear_hears_its_own_kind_only() {
    let arp = ethernet(0x0806, &[0; 28]);
    let rows: &[(&str, Vec<u8>, Option<Ears>)] = &[
        ("ARP", arp, Some(Ears::Arp)),
        ("solicitation", ipv6(58, 135), Some(Ears::Ndp)),
        ("advertisement", ipv6(58, 136), Some(Ears::Ndp)),
        ("router advertisement", ipv6(58, 134), None),
        ("redirect", ipv6(58, 137), None),
        ("TCP", ipv6(6, 135), None),
        ("hop-by-hop options", ipv6(0, 58), None),
        ("IPv4", ethernet(0x0800, &[58; 60]), None),
        ("a tag", ethernet(0x8100, &[0, 5, 8, 6]), None),
        ("a header alone", ethernet(0x86dd, &[]), None),
        ("IPv6 cut short", ipv6(58, 135)[..54].to_vec(), None),
        ("nothing", Vec::new(), None),
    ];
    for (name, frame, heard_by) in rows {
        for ears in [Ears::Arp, Ears::Ndp] {
            let expected = if *heard_by == Some(ears) { KEEP } else { DROP };
            assert_eq!(kept(ears, HOST, frame), expected, "{name}, {ears:?}");
        }
    }
}

#[test]
fn only_frames_for_this_host_are_heard() {
    let rows = [
        (HOST, KEEP),
        (BROADCAST, KEEP),
        (MULTICAST, KEEP),
        (OTHERHOST, DROP),
        (OUTGOING, DROP),
        (LOOPBACK, DROP),
    ];
    for (packet_type, expected) in rows {
        let arp = ethernet(0x0806, &[0; 28]);
        assert_eq!(kept(Ears::Arp, packet_type, &arp), expected);
        assert_eq!(kept(Ears::Ndp, packet_type, &ipv6(58, 135)), expected);
    }
}

#[test]
fn frames_of_a_vlan_on_the_link_are_not_heard() {
    let frames = [
        (Ears::Arp, ethernet(0x0806, &[0; 28])),
        (Ears::Ndp, ipv6(58, 135)),
    ];
    for (ears, frame) in frames {
        assert_eq!(kept_at(LINK, ears, BROADCAST, &frame), KEEP);
        assert_eq!(kept_at(VLAN, ears, BROADCAST, &frame), DROP);
    }
}

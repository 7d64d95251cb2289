//! Questions, and frames that differ from them by a byte or two.

use std::net::{Ipv4Addr, Ipv6Addr};

use mooring_core::wire::{Mac, arp, ndp};

use super::wire::ASKER;

const ARP: usize = 42;
const NDP: usize = 86;
/// Where an Ethernet header ends, and where in a solicitation the checksum stands.
const NETWORK: usize = 14;
const CHECKSUM: usize = NETWORK + 42;

/// Whether the rules take it, if it is a question for an address of theirs.
pub(super) fn is_for_the_kernel(frame: &[u8]) -> bool {
    if frame[12..NETWORK] == [0x08, 0x06] {
        return true;
    }
    let one_option = frame[18..20] == [0, 32] && frame[NETWORK + 64..][..2] == [1, 1];
    one_option && frame[22..38] != [0; 16]
}

/// The answer of the kernel is as long as the question. Of a sum that is 0 it makes the other zero, which means the same
/// (`CSUM_MANGLED_0`).
pub(super) fn are_equal(expected: &[u8], answer: &[u8], question: &[u8]) -> bool {
    let mut expected = expected.to_vec();
    expected.extend(&question[expected.len()..]);
    if expected[12..NETWORK] == [0x86, 0xdd] && expected[CHECKSUM..][..2] == [0, 0] {
        expected[CHECKSUM..][..2].fill(0xff);
    }
    expected == answer
}

/// With the tag of a VLAN.
pub(super) fn with_tag(frame: &[u8], number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    [&frame[..12], &[0x81, 0x00, high, low], &frame[12..]].concat()
}

/// All of them, for a link with this MAC address.
pub(super) fn frames(own: Mac) -> Vec<Vec<u8>> {
    let questions = questions(own);
    let mut frames = questions.clone();
    for question in &questions {
        for at in 0..question.len() {
            for change in [0x01, 0x80, 0xff, question[at]] {
                frames.push(changed(question, &[(at, change)]));
            }
        }
    }
    let mut chance = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (chance >> 33) as usize % below
    };
    for _ in 0..500 {
        let question = &questions[next(questions.len())];
        let bytes = [0; 2].map(|_| (next(question.len()), next(256) as u8));
        frames.push(changed(question, &bytes));
    }
    frames
}

fn questions(own: Mac) -> Vec<Vec<u8>> {
    let (asker, target) = (Ipv4Addr::new(10, 9, 0, 2), Ipv4Addr::new(10, 9, 0, 100));
    let claimable = Ipv4Addr::new(10, 9, 0, 101);
    let six = |text: &str| -> Ipv6Addr { text.parse().expect("an address") };
    let from = six("fe80::99");
    let mut questions = vec![
        arp::request(ASKER, asker, target).to_vec(),
        arp::probe(ASKER, target).to_vec(),
        arp::request(ASKER, claimable, target).to_vec(),
        arp::request(ASKER, target, target).to_vec(),
        arp::announcement_reply(ASKER, target).to_vec(),
        ndp::solicitation(ASKER, from, six("fd00::100")),
        ndp::solicitation(ASKER, Ipv6Addr::UNSPECIFIED, six("fd00::100")),
        ndp::unsolicited(ASKER, six("fd00::100")),
    ];
    for question in [0, 5] {
        let mut alone = questions[question].clone();
        alone[..6].copy_from_slice(&own.0);
        let mut padded = questions[question].clone();
        padded.resize(NDP.max(ARP) + 10, 0x77);
        questions.extend([alone, padded]);
    }
    questions
}

/// With other bits in some bytes, and a right checksum.
fn changed(frame: &[u8], bytes: &[(usize, u8)]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    for (at, change) in bytes {
        frame[*at] ^= change;
    }
    if frame[12..NETWORK] == [0x86, 0xdd] && frame.len() >= NDP {
        let length = usize::from(u16::from_be_bytes([frame[18], frame[19]]));
        if let Some(end) = (NETWORK + 40 + length <= frame.len()).then_some(NETWORK + 40 + length)
            && end >= CHECKSUM + 2
        {
            frame[CHECKSUM..][..2].fill(0);
            // The addresses and the message, its length, and the number of ICMPv6.
            let words = frame[22..end].chunks(2);
            let words =
                words.map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
            let mut sum = words.sum::<u32>() + length as u32 + 58;
            while sum > 0xffff {
                sum = (sum & 0xffff) + (sum >> 16);
            }
            frame[CHECKSUM..][..2].copy_from_slice(&(!(sum as u16)).to_be_bytes());
        }
    }
    frame
}

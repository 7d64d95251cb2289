use super::*;

const US: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x01]);
const NODE: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x0b]);
const VIP4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 200);
const VIP6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0x0012, 0x3456);
const OUR6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn arp_reply_frame(ether_type: &str, operation: &str) -> Vec<u8> {
    hex(&format!(
        "525400770001 52540077000b {ether_type} 0001 0800 06 04 {operation}
         52540077000b 0a4d00c8 525400770001 0a4d0003 000000000000000000000000000000000000"
    ))
}

/// An advertisement of `VIP6` from `NODE` to us: router 0, solicited 1, override 1.
fn advertisement(hop_limit: u8, payload_end: &str) -> Vec<u8> {
    let mut payload = VIP6.octets().to_vec();
    payload.extend(hex(payload_end));
    let flags = etherparse::icmpv6::NeighborAdvertisementHeader {
        router: false,
        solicited: true,
        r#override: true,
    };
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(NODE.0, US.0)
        .ipv6(VIP6.octets(), OUR6.octets(), hop_limit)
        .icmpv6(Icmpv6Type::NeighborAdvertisement(flags))
        .write(&mut frame, &payload)
        .unwrap();
    frame
}

#[test]
fn an_arp_request_is_these_bytes() {
    let request = arp_request(US, ArpSender::Address(Ipv4Addr::new(10, 77, 0, 3)), VIP4);
    assert_eq!(
        request.to_vec(),
        hex("ffffffffffff 525400770001 0806 0001 0800 06 04 0001
             525400770001 0a4d0003 000000000000 0a4d00c8")
    );
}

#[test]
fn an_arp_probe_has_no_sender_address() {
    let probe = arp_request(US, ArpSender::Probe, VIP4);
    assert_eq!(
        probe.to_vec(),
        hex("ffffffffffff 525400770001 0806 0001 0800 06 04 0001
             525400770001 00000000 000000000000 0a4d00c8")
    );
}

#[test]
fn a_neighbour_solicitation_is_these_bytes() {
    let frame = neighbour_solicitation(US, OUR6, VIP6);
    assert_eq!(
        frame,
        hex("3333ff123456 525400770001 86dd 60000000 0020 3a ff
             fe800000000000000000000000000001 ff0200000000000000000001ff123456
             87 00 c208 00000000 fd770000000000000000000000123456 0101 525400770001")
    );
}

#[test]
fn the_checksum_of_a_solicitation_is_right_by_a_second_reckoning() {
    let frame = neighbour_solicitation(US, OUR6, VIP6);
    let (addresses, message) = (&frame[22..54], &frame[54..]);
    let pseudo_rest = [0, 0, 0, u8::try_from(message.len()).unwrap(), 0, 0, 0, 58];
    let mut sum: u32 = [addresses, &pseudo_rest, message]
        .concat()
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    assert_eq!(sum, 0xffff);
}

#[test]
fn reads_an_arp_reply_with_its_padding() {
    let reply = parse_reply(&arp_reply_frame("0806", "0002")).unwrap();
    assert_eq!(
        reply,
        Reply::Arp {
            address: VIP4,
            mac: NODE,
            frame_source: NODE,
            frame_destination: US
        }
    );
    assert_eq!((reply.address(), reply.mac()), (IpAddr::V4(VIP4), NODE));
}

#[test]
fn an_arp_request_is_no_answer() {
    assert_eq!(parse_reply(&arp_reply_frame("0806", "0001")), None);
}

#[test]
fn an_answer_on_a_vlan_is_no_answer_here() {
    assert_eq!(
        parse_reply(&arp_reply_frame("8100 0007 0806", "0002")),
        None
    );
}

#[test]
fn reads_a_neighbour_advertisement_with_the_holders_mac() {
    let other = Mac([2, 0, 0, 0, 0, 9]);
    let reply = parse_reply(&advertisement(255, "0201 020000000009")).unwrap();
    assert_eq!(
        reply,
        Reply::Ndp {
            address: VIP6,
            mac: Some(other),
            frame_source: NODE,
            frame_destination: US,
            router: false,
            solicited: true,
            overrides: true,
        }
    );
    assert_eq!(reply.mac(), other);
}

#[test]
fn an_advertisement_without_a_mac_is_answered_from_its_source() {
    let reply = parse_reply(&advertisement(255, "")).unwrap();
    assert!(matches!(reply, Reply::Ndp { mac: None, .. }));
    assert_eq!(reply.mac(), NODE);
}

#[test]
fn what_a_host_would_drop_is_no_answer() {
    assert_eq!(
        parse_reply(&advertisement(64, "0201 020000000009")),
        None,
        "crossed a router"
    );
    let mut damaged = advertisement(255, "0201 020000000009");
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(parse_reply(&damaged), None, "wrong checksum");
    assert_eq!(
        parse_reply(&advertisement(255, "0200 020000000009")),
        None,
        "option of length 0"
    );
    let whole = advertisement(255, "0201 020000000009");
    for length in 0..whole.len() {
        assert_eq!(parse_reply(&whole[..length]), None, "cut to {length} bytes");
    }
}

#[test]
fn our_own_questions_are_no_answers() {
    assert_eq!(parse_reply(&arp_request(US, ArpSender::Probe, VIP4)), None);
    assert_eq!(parse_reply(&neighbour_solicitation(US, OUR6, VIP6)), None);
}

/// xorshift64*, so that a failure is the same on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % bound
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }
}

#[test]
fn no_bytes_make_the_reader_panic() {
    let seeds = [
        arp_reply_frame("0806", "0002"),
        advertisement(255, "0201 020000000009"),
        advertisement(255, "0e01 000000000000 0201 020000000009"),
    ];
    let mut random = Random(0x6d6f_6f72_696e_6721);
    let mut read = 0_u32;
    for _ in 0..100_000 {
        let mut frame = if random.below(4) == 0 {
            (0..random.below(120)).map(|_| random.byte()).collect()
        } else {
            let mut frame = seeds[random.below(seeds.len())].clone();
            frame.truncate(random.below(frame.len()) + 1);
            frame
        };
        for _ in 0..random.below(4) {
            if !frame.is_empty() {
                let at = random.below(frame.len());
                frame[at] = random.byte();
            }
        }
        read += u32::from(parse_reply(&frame).is_some());
    }
    assert!(
        read > 100,
        "only {read} of the damaged frames were still answers: nothing was tried"
    );
}

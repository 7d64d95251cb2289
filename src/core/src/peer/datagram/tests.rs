use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::peer::{KeyError, PeerId};

fn key(first: u8) -> [u8; 32] {
    std::array::from_fn(|at| first.wrapping_add(at as u8))
}

fn keys(firsts: &[u8]) -> Keys {
    Keys::new(firsts.iter().map(|first| key(*first))).unwrap()
}

fn message(body: Body) -> Message {
    Message {
        header: Header {
            from: PeerId(1),
            to: PeerId(2),
            session: 3,
            sequence: 4,
            token: 5,
            echo: 6,
        },
        body,
    }
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    any::<IpAddr>().prop_map(|address| address.to_canonical())
}

fn any_message() -> impl Strategy<Value = Message> {
    let subject = any::<u64>().prop_map(PeerId);
    let heard =
        proptest::option::of(0..u64::from(NEVER)).prop_map(|ms| ms.map(Duration::from_millis));
    let body = prop_oneof![
        Just(Body::Beat),
        Just(Body::Greeting),
        subject.clone().prop_map(|subject| Body::Ask { subject }),
        subject.clone().prop_map(|subject| Body::Gone { subject }),
        (subject, heard).prop_map(|(subject, heard)| Body::Tell { subject, heard }),
        (any_address(), any::<(u32, u32)>()).prop_map(|(address, (plan, takeovers))| Body::Claim {
            address,
            term: Term { plan, takeovers },
        }),
        (any_address(), any::<u32>(), select(&STEPS)).prop_map(|(address, plan, step)| {
            Body::HandOver {
                address,
                plan,
                step,
            }
        }),
    ];
    (any::<[u64; 6]>(), body).prop_map(|([from, to, session, sequence, token, echo], body)| {
        Message {
            header: Header {
                from: PeerId(from),
                to: PeerId(to),
                session,
                sequence,
                token,
                echo,
            },
            body,
        }
    })
}

/// Agents of different versions have to understand each other: the tag is what `openssl dgst -sha256 -mac HMAC` makes of
/// the text.
#[test]
fn a_beat_is_these_bytes() {
    let datagram = keys(&[0]).seal(&message(Body::Beat));
    let hex: String = datagram.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        concat!(
            "4d4f4f520100",
            "630dcd29",
            "0000000000000001",
            "0000000000000002",
            "0000000000000003",
            "0000000000000004",
            "0000000000000005",
            "0000000000000006",
            "000000000000000000000000000000000000000000000000",
            "e8d4362316475c979f50277f0c23a7af",
        )
    );
}

#[test]
fn what_was_heard_too_long_ago_is_not_taken_for_never() {
    let keys = keys(&[1]);
    let heard = Some(Duration::from_secs(u64::from(u32::MAX)));
    let told = message(Body::Tell {
        subject: PeerId(9),
        heard,
    });
    let Body::Tell { heard, .. } = keys.open(&keys.seal(&told)).unwrap().body else {
        panic!("another kind");
    };
    assert_eq!(heard, Some(Duration::from_millis(u64::from(u32::MAX) - 1)));
}

#[test]
fn a_rotation_has_no_moment_in_which_agents_do_not_understand_each_other() {
    let beat = message(Body::Beat);
    let steps = [keys(&[1]), keys(&[1, 2]), keys(&[2, 1]), keys(&[2])];
    for pair in steps.windows(2) {
        assert_eq!(pair[0].open(&pair[1].seal(&beat)), Ok(beat));
        assert_eq!(pair[1].open(&pair[0].seal(&beat)), Ok(beat));
    }
    assert_eq!(
        steps[0].open(&steps[3].seal(&beat)),
        Err(Rejected::UnknownKey)
    );
}

#[test]
fn keys_that_are_none_are_refused_and_say_which() {
    let none: [&[u8]; 0] = [];
    assert_eq!(Keys::new(none), Err(KeyError::None));
    let good = key(1);
    let short = Keys::new([&good[..], &good[1..]]);
    assert_eq!(
        short,
        Err(KeyError::Length {
            index: 1,
            bytes: 31
        })
    );
    assert_eq!(Keys::new([[7; 32]]), Err(KeyError::Trivial { index: 0 }));
    let shown = format!("{:?}", keys(&[1]));
    assert!(!shown.contains("secret") && shown.len() < 60, "{shown}");
}

#[test]
fn a_field_that_nobody_writes_is_refused_although_the_code_fits() {
    let keys = keys(&[1]);
    let sealed = |change: &dyn Fn(&mut [u8])| {
        let mut datagram = keys.seal(&message(Body::Beat));
        change(&mut datagram);
        let tag = keys.first().tag(&datagram[..TEXT]);
        datagram[TEXT..].copy_from_slice(&tag);
        keys.open(&datagram)
    };
    assert_eq!(sealed(&|_| {}), Ok(message(Body::Beat)));
    assert_eq!(sealed(&|bytes| bytes[4] = 2), Err(Rejected::Version));
    assert_eq!(sealed(&|bytes| bytes[5] = 7), Err(Rejected::Kind));
    let step = |bytes: &mut [u8]| (bytes[5], bytes[78]) = (6, 4);
    assert_eq!(sealed(&step), Err(Rejected::Field));
    assert_eq!(sealed(&|bytes| bytes[60] = 1), Err(Rejected::Field));
    let ask = |bytes: &mut [u8]| (bytes[5], bytes[66]) = (2, 1);
    assert_eq!(sealed(&ask), Err(Rejected::Field));
    assert_eq!(sealed(&|bytes| bytes[0] = 0), Err(Rejected::Magic));
    assert_eq!(sealed(&|bytes| bytes[6] ^= 1), Err(Rejected::UnknownKey));
}

proptest! {
    #[test]
    fn what_is_sealed_is_opened(message in any_message()) {
        let keys = keys(&[1, 2]);
        prop_assert_eq!(keys.open(&keys.seal(&message)), Ok(message));
    }

    #[test]
    fn one_bit_that_is_changed_is_noticed(message in any_message(), bit in 0..LENGTH * 8) {
        let keys = keys(&[1]);
        let mut datagram = keys.seal(&message);
        datagram[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(keys.open(&datagram).is_err());
    }

    #[test]
    fn anything_else_is_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), ours in any::<bool>()) {
        let keys = keys(&[1]);
        if ours {
            let head = keys.seal(&message(Body::Beat));
            let length = bytes.len().min(10);
            bytes[..length].copy_from_slice(&head[..length]);
        }
        prop_assert!(keys.open(&bytes).is_err());
    }

    #[test]
    fn a_cut_or_longer_datagram_is_refused(message in any_message(), length in 0..2 * LENGTH) {
        let keys = keys(&[1]);
        let mut datagram = keys.seal(&message).to_vec();
        datagram.resize(length, 0);
        prop_assume!(length != LENGTH);
        prop_assert_eq!(keys.open(&datagram), Err(Rejected::Length));
    }
}

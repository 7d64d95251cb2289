//! The kernel answers in place of the thread, and never without it.

use mooring_kernel::Facility;

use super::quay::{Quay, ip_address, link, mac, story};
use super::wire::{Kind, Wire};
use super::*;
use crate::moor::deputy::LASTS;

const V4: &str = "10.9.0.100";
const V6: &str = "fd00:9::100";

/// A node that answers for both addresses, and has announced them.
fn holding(quay: &mut Quay) -> Wire {
    let wire = quay.uplink();
    quay.report(LiveMode::Ebpf, &[("up0", &["10.9.0.0/24", "fd00:9::/64"])]);
    let both = [V4, V6].map(ip_address);
    quay.want(&both);
    quay.hold();
    for address in both {
        assert_eq!(wire.expect(Kind::Announcement, address), mac("up0"));
        wire.settle(address);
    }
    wire
}

/// The chains of the kernel's table.
fn chains() -> Vec<String> {
    let Facility::Present(chains) = LinuxHost::new().nft_chains().unwrap() else {
        panic!("no nftables");
    };
    let ours = chains.into_iter();
    let ours = ours.filter(|chain| chain.table.to_string() == "netdev mooring");
    ours.map(|chain| chain.name).collect()
}

#[test]
fn the_kernel_answers_what_the_thread_holds_and_falls_silent_with_it() {
    story(|mut quay| {
        let wire = holding(&mut quay);
        let both = [V4, V6].map(ip_address);
        let index = link("up0").index;
        assert!(chains().contains(&format!("link{index}")));
        let before = quay.tally().answers.get();
        for address in both {
            for _ in 0..20 {
                assert_eq!(wire.answer(address), mac("up0"));
            }
        }
        assert_eq!(
            quay.tally().answers.get(),
            before,
            "the thread had no part in it"
        );
        quay.want(&both[..1]);
        quay.until_gone(both[1]);
        wire.silence(both[1]);
        assert_eq!(wire.answer(both[0]), mac("up0"));
        quay.want(&[]);
        quay.until_gone(both[0]);
        wire.silence(both[0]);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !chains().is_empty() {
            assert!(Instant::now() < deadline, "nothing is left behind");
            thread::sleep(Duration::from_millis(20));
        }
    });
}

#[test]
fn of_a_thread_that_is_killed_nothing_is_answered_for_longer_than_it_said() {
    story(|mut quay| {
        let wire = holding(&mut quay);
        assert_eq!(wire.answer(ip_address(V4)), mac("up0"));
        quay.kill();
        assert!(!chains().is_empty(), "the table is still there");
        thread::sleep(LASTS + Duration::from_millis(50));
        for address in [V4, V6] {
            wire.silence(ip_address(address));
        }
    });
}

#[test]
fn a_claim_comes_to_the_thread_although_the_kernel_answers() {
    story(|mut quay| {
        let wire = holding(&mut quay);
        wire.claim(ip_address(V4));
        quay.until(ip_address(V4), |state| {
            matches!(state, State::Holding(holding) if holding.claimed_by == Some(wire.mac()))
        });
    });
}

#[test]
fn without_a_loopback_the_thread_answers_itself() {
    story(|mut quay| {
        ip("link set lo down");
        let wire = holding(&mut quay);
        let before = quay.tally().answers.get();
        assert_eq!(wire.answer(ip_address(V4)), mac("up0"));
        assert!(quay.tally().answers.get() > before);
        ip("link set lo up");
        thread::sleep(Duration::from_millis(200));
        let before = quay.tally().answers.get();
        assert_eq!(wire.answer(ip_address(V4)), mac("up0"));
        assert_eq!(quay.tally().answers.get(), before);
    });
}

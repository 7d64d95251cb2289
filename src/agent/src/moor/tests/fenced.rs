//! Addresses that may be answered for until a moment and no longer.

use mooring_kernel::boot_time;

use super::quay::{ip_address, link, mac, story};
use super::*;

#[test]
fn a_fenced_address_falls_silent_in_time_although_nobody_says_so() {
    story(|mut quay| {
        let addresses = [ip_address(ADDRESS), ip_address("fd00:9::100")];
        let wire = quay.uplink();
        let subnets = ["10.9.0.0/24", "fd00:9::/64"];
        // Where the kernel would answer for any other.
        quay.report(LiveMode::Nftables, &[("up0", &subnets)]);
        quay.want_fenced(&addresses);
        let until = boot_time() + Duration::from_secs(4);
        quay.permit(&addresses, until);
        quay.hold();
        let up = link("up0").index;
        for address in addresses {
            assert_eq!(wire.answer(address), mac("up0"));
            let standing = LinuxHost::new().addresses().unwrap();
            let here = |found: &mooring_kernel::Address| found.ip == address && found.link == up;
            assert!(!standing.iter().any(here), "the kernel would answer on");
        }
        let left = until.saturating_sub(boot_time());
        assert!(!left.is_zero(), "too slow to tell anything");
        thread::sleep(left + mooring_core::fencing::REACTION);
        // One that has heard nothing of what was said before.
        let later = quay.wire("peer0");
        for address in addresses {
            later.silence(address);
        }
        // With another permit it goes on.
        quay.permit(&addresses, boot_time() + Duration::from_secs(60));
        for address in addresses {
            quay.until(address, |state| !matches!(state, State::Holding(_)));
        }
        quay.hold();
        for address in addresses {
            assert_eq!(wire.answer(address), mac("up0"));
        }
    });
}

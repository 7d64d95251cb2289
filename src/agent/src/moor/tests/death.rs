//! What stays of an agent that is killed.

use mooring_core::mooring::LIFETIME;
use mooring_kernel::{Address, AddressFlags, Lifetime, NewAddress};

use super::quay::{ip_address, link, mac, story};
use super::wire::Kind;
use super::*;

fn standing(address: IpAddr) -> Option<Address> {
    let addresses = LinuxHost::new().addresses().unwrap();
    addresses.into_iter().find(|found| found.ip == address)
}

#[test]
fn an_address_on_an_uplink_outlives_its_agent_for_a_minute_at_most() {
    story(|mut quay| {
        let addresses = [ip_address(ADDRESS), ip_address("fd00:9::100")];
        let wire = quay.uplink();
        let subnets = ["10.9.0.0/24", "fd00:9::/64"];
        quay.report(LiveMode::Nftables, &[("up0", &subnets)]);
        quay.want(&addresses);
        quay.hold();
        for address in addresses {
            wire.expect(Kind::Announcement, address);
        }
        quay.kill();
        for address in addresses {
            let left = standing(address).unwrap();
            assert!(left.flags.contains(AddressFlags::DEPRECATED), "{left:?}");
            assert!(left.valid <= Lifetime::For(LIFETIME), "{left:?}");
            assert_eq!(wire.answer(address), mac("up0"), "the kernel answers on");
            wire.settle(address);
        }
        // Nobody waits for a minute: the rest of their lives is made shorter.
        let link = link("up0").index;
        for address in addresses {
            let older = NewAddress {
                valid: Lifetime::For(Duration::from_secs(2)),
                ..hull::new_address(link, address)
            };
            LinuxHost::new().put_address(&older).unwrap();
        }
        thread::sleep(Duration::from_millis(3_500));
        for address in addresses {
            assert_eq!(standing(address), None, "it went by itself");
            wire.silence(address);
        }
    });
}

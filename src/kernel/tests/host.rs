//! The same story told to both hosts: what a test proves with the one in memory holds for the kernel.

mod world;

use mooring_kernel::{ArpSetting, EffectiveArp, InterfaceName, Sysctl, SysctlError, Written};
use world::both;

fn name(text: &str) -> InterfaceName {
    InterfaceName::new(text).expect("a valid name")
}

#[test]
fn a_sysctl_reads_as_it_was_written() {
    both("sysctl-write", |world| {
        world.add_link("up.100");
        let host = world.host();
        for sysctl in [
            Sysctl::all(ArpSetting::Ignore),
            Sysctl::all(ArpSetting::Announce),
            Sysctl::of(&name("up.100"), ArpSetting::Ignore),
            Sysctl::of(&name("up.100"), ArpSetting::Announce),
        ] {
            assert_eq!(host.read_sysctl(&sysctl), Ok(0), "{sysctl}");
            assert_eq!(
                host.write_sysctl(&sysctl, 2),
                Ok(Written::Changed { from: 0 })
            );
            assert_eq!(host.write_sysctl(&sysctl, 2), Ok(Written::Unchanged));
            assert_eq!(host.read_sysctl(&sysctl), Ok(2), "{sysctl}");
            // The kernel checks no range here, so the model does not either.
            assert_eq!(
                host.write_sysctl(&sysctl, -7),
                Ok(Written::Changed { from: 2 })
            );
            assert_eq!(host.read_sysctl(&sysctl), Ok(-7), "{sysctl}");
        }
    });
}

#[test]
fn an_interface_goes_by_the_greater_value() {
    both("sysctl-effective", |world| {
        world.add_link("up0");
        let up0 = name("up0");
        let host = world.host();
        host.write_sysctl(&Sysctl::all(ArpSetting::Announce), 2)
            .unwrap();
        host.write_sysctl(&Sysctl::of(&up0, ArpSetting::Ignore), 1)
            .unwrap();
        let ignore = host.effective_arp(&up0, ArpSetting::Ignore).unwrap();
        let announce = host.effective_arp(&up0, ArpSetting::Announce).unwrap();
        let expected = EffectiveArp {
            all: 0,
            interface: 1,
        };
        assert_eq!((ignore, ignore.value()), (expected, 1));
        let expected = EffectiveArp {
            all: 2,
            interface: 0,
        };
        assert_eq!((announce, announce.value()), (expected, 2));
    });
}

#[test]
fn a_sysctl_of_an_interface_that_is_gone_is_not_found() {
    both("sysctl-gone", |world| {
        world.add_link("up0");
        let sysctl = Sysctl::of(&name("up0"), ArpSetting::Ignore);
        assert_eq!(
            world.host().write_sysctl(&sysctl, 1),
            Ok(Written::Changed { from: 0 })
        );
        world.remove_link("up0");
        let gone = SysctlError::NotFound {
            sysctl: sysctl.clone(),
        };
        assert_eq!(world.host().read_sysctl(&sysctl), Err(gone.clone()));
        assert_eq!(world.host().write_sysctl(&sysctl, 1), Err(gone.clone()));
        assert_eq!(
            world.host().effective_arp(&name("up0"), ArpSetting::Ignore),
            Err(gone)
        );
        world.add_link("up0");
        assert_eq!(
            world.host().read_sysctl(&sysctl),
            Ok(0),
            "a new link of the old name starts anew"
        );
    });
}

#[test]
fn a_read_only_sysctl_is_read_and_compared_but_not_written() {
    both("sysctl-read-only", |world| {
        let sysctl = Sysctl::all(ArpSetting::Ignore);
        world.host().write_sysctl(&sysctl, 1).unwrap();
        world.make_sysctls_read_only();
        assert_eq!(world.host().read_sysctl(&sysctl), Ok(1));
        assert_eq!(
            world.host().write_sysctl(&sysctl, 1),
            Ok(Written::Unchanged)
        );
        assert_eq!(
            world.host().write_sysctl(&sysctl, 0),
            Err(SysctlError::ReadOnly {
                sysctl: sysctl.clone()
            })
        );
    });
}

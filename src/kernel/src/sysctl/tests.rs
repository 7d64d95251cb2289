use super::{ArpSetting, EffectiveArp, Sysctl, SysctlError};
use crate::{InterfaceName, OsError};

#[test]
fn prints_with_slashes_so_that_dots_stay_part_of_the_name() {
    let vlan = InterfaceName::new("eth0.100").unwrap();
    assert_eq!(
        Sysctl::of(&vlan, ArpSetting::Announce).to_string(),
        "net/ipv4/conf/eth0.100/arp_announce"
    );
    assert_eq!(
        Sysctl::all(ArpSetting::Ignore).to_string(),
        "net/ipv4/conf/all/arp_ignore"
    );
}

#[test]
fn the_greater_of_all_and_the_interface_counts() {
    for (all, interface, value) in [(0, 0, 0), (1, 0, 1), (0, 1, 1), (2, 1, 2), (-1, 0, 0)] {
        assert_eq!(EffectiveArp { all, interface }.value(), value);
    }
}

#[test]
fn every_error_names_the_sysctl() {
    let sysctl = Sysctl::all(ArpSetting::Ignore);
    let errors = [
        SysctlError::NotFound {
            sysctl: sysctl.clone(),
        },
        SysctlError::ReadOnly {
            sysctl: sysctl.clone(),
        },
        SysctlError::Denied {
            sysctl: sysctl.clone(),
        },
        SysctlError::NotANumber {
            sysctl: sysctl.clone(),
            text: "x".to_owned(),
        },
        SysctlError::Other {
            sysctl: sysctl.clone(),
            error: OsError::from_raw(5),
        },
    ];
    for error in errors {
        let text = error.to_string();
        assert!(text.starts_with("net/ipv4/conf/all/arp_ignore"), "{text}");
    }
}

//! What kube-proxy has programmed for Services.

mod ip_set;

use mooring_kernel::{Facility, IpFamily, IpvsProtocol, ReadError, ServiceTarget};

use crate::world::{Iptables, World, both, real};

const FAMILIES: [IpFamily; 2] = [IpFamily::V4, IpFamily::V6];

fn target(ip: &str, protocol: IpvsProtocol, port: u16) -> ServiceTarget {
    let ip = ip.parse().expect("an address");
    ServiceTarget { ip, protocol, port }
}

/// Some of a family, in order.
fn some_of(family: IpFamily) -> Vec<ServiceTarget> {
    let [one, other] = match family {
        IpFamily::V4 => ["10.9.0.2", "10.9.0.100"],
        IpFamily::V6 => ["fd00::2", "fd00::100"],
    };
    vec![
        target(one, IpvsProtocol::Tcp, 80),
        target(one, IpvsProtocol::Tcp, 443),
        target(one, IpvsProtocol::Udp, 53),
        target(other, IpvsProtocol::Tcp, 65535),
        target(other, IpvsProtocol::Udp, 9),
    ]
}

type Answer = Result<Facility<Vec<ServiceTarget>>, ReadError>;

fn nothing() -> Answer {
    Ok(Facility::Present(vec![]))
}

/// Whether a kernel has nftables at all.
fn has_nft(world: &mut World) -> bool {
    world.no_nft_tables_yet() != Facility::Absent
}

#[test]
fn a_kernel_without_nftables_says_so_and_one_without_kube_proxy_has_nothing() {
    both("targets-absent", |world| {
        let expected = match has_nft(world) {
            true => nothing(),
            false => Ok(Facility::Absent),
        };
        for family in FAMILIES {
            assert_eq!(world.host().nftables_targets(family), expected);
            assert_eq!(world.host().iptables_targets(family), expected);
        }
        if let World::Fake(host) = world {
            host.add_nftables_target(some_of(IpFamily::V4)[0]);
            host.take_nft_away();
            let host = world.host();
            let absent = Ok(Facility::Absent);
            assert_eq!(host.nftables_targets(IpFamily::V4), absent);
            assert_eq!(host.iptables_targets(IpFamily::V4), absent);
        }
    });
}

#[test]
fn what_kube_proxy_takes_by_nftables_is_listed_in_order_until_it_is_taken_out() {
    both("nftables-targets", |world| {
        for family in FAMILIES {
            let mut targets = some_of(family);
            let backwards: Vec<_> = targets.iter().rev().copied().collect();
            if !world.add_nftables_targets(family, &backwards) {
                return;
            }
            let host = world.host();
            let listed = Ok(Facility::Present(targets.clone()));
            assert_eq!(host.nftables_targets(family), listed);
            assert_eq!(host.iptables_targets(family), nothing());
            let gone = targets.remove(1);
            world.remove_nftables_target(&gone);
            let listed = Ok(Facility::Present(targets));
            assert_eq!(world.host().nftables_targets(family), listed);
        }
    });
}

fn are_listed_in_order_whatever_the_chain_is_called(world: &mut World, iptables: Iptables) {
    for family in FAMILIES {
        let targets = some_of(family);
        let backwards: Vec<_> = targets.iter().rev().copied().collect();
        for chain in ["KUBE-EXT-", "KUBE-SVC-", "KUBE-FW-", "KUBE-XLB-"] {
            if !world.add_iptables_targets(iptables, family, chain, &backwards) {
                return;
            }
            let host = world.host();
            let listed = Ok(Facility::Present(targets.clone()));
            assert_eq!(host.iptables_targets(family), listed, "{chain}");
            if has_nft(world) {
                assert_eq!(world.host().nftables_targets(family), nothing());
            }
        }
    }
}

#[test]
fn what_kube_proxy_takes_by_iptables_nft_is_listed() {
    both("iptables-targets", |world| {
        are_listed_in_order_whatever_the_chain_is_called(world, Iptables::Nft);
    });
}

#[test]
fn what_kube_proxy_takes_by_legacy_iptables_is_listed() {
    both("legacy-targets", |world| {
        are_listed_in_order_whatever_the_chain_is_called(world, Iptables::Legacy);
    });
}

#[test]
fn a_map_of_nftables_without_elements_holds_nothing() {
    both("targets-empty", |world| {
        for family in FAMILIES {
            if !world.add_nftables_targets(family, &[]) {
                return;
            }
            assert_eq!(world.host().nftables_targets(family), nothing());
        }
    });
}

#[test]
fn rules_with_other_conditions_are_passed_over() {
    real("targets-other-rules", |world| {
        let rules = |address: &str, net: &str| {
            let kept = format!("-A KUBE-SERVICES -p tcp -d {address} --dport 80 -j KUBE-SVC-A");
            let others = [
                "-p tcp -d NET --dport 81 -j KUBE-SVC-A",
                "-p tcp ! -d ADDRESS --dport 82 -j KUBE-SVC-A",
                "-p tcp -d ADDRESS ! --dport 83 -j KUBE-SVC-A",
                "-p tcp -d ADDRESS --dport 84:85 -j KUBE-SVC-A",
                "-p tcp -d ADDRESS --dport 86 --sport 1000 -j KUBE-SVC-A",
                "-p tcp -d ADDRESS --dport 87 --syn -j KUBE-SVC-A",
                "-p tcp -d ADDRESS -s ADDRESS --dport 88 -j KUBE-SVC-A",
                "-p tcp -d ADDRESS --dport 89 -m addrtype --src-type LOCAL -j KUBE-SVC-A",
                "-p tcp -d ADDRESS --dport 90 -m mark --mark 1 -j KUBE-SVC-A",
                "-p tcp -d ADDRESS --dport 91 -i lo -j KUBE-SVC-A",
                "-p tcp -d ADDRESS --dport 92 -j OTHER-A",
                "-p tcp -d ADDRESS --dport 93 -j RETURN",
                "-p tcp -d ADDRESS --dport 94",
                "-p tcp -d ADDRESS -j KUBE-SVC-A",
                "-p udp -d ADDRESS --sport 95 -j KUBE-SVC-A",
                "-p udp -d ADDRESS --dport 96 --sport 9 -j KUBE-SVC-A",
                "-p udp -d ADDRESS ! --dport 97 -j KUBE-SVC-A",
                "-d ADDRESS -j KUBE-SVC-A",
                "-p tcp --dport 98 -j KUBE-SVC-A",
                "-m addrtype --dst-type LOCAL -j KUBE-SVC-A",
            ];
            let others = others.map(|rule| {
                let rule = rule.replace("ADDRESS", address).replace("NET", net);
                format!("-A KUBE-SERVICES {rule}")
            });
            let chains = [":KUBE-SVC-A - [0:0]", ":OTHER-A - [0:0]"].map(str::to_owned);
            let mut lines = chains.to_vec();
            lines.extend(others);
            lines.push(kept);
            lines.push(format!(
                "-A OTHER-A -p tcp -d {address} --dport 99 -j KUBE-SVC-A"
            ));
            lines
        };
        for (family, address, net) in [
            (IpFamily::V4, "10.9.0.2", "10.9.0.0/24"),
            (IpFamily::V6, "fd00::2", "fd00::/64"),
        ] {
            for iptables in Iptables::BOTH {
                if !world.restore_iptables(iptables, family, &rules(address, net)) {
                    continue;
                }
                let kept = vec![target(address, IpvsProtocol::Tcp, 80)];
                let listed = Ok(Facility::Present(kept));
                assert_eq!(world.host().iptables_targets(family), listed);
                world.restore_iptables(iptables, family, &[]);
                assert_eq!(world.host().iptables_targets(family), nothing());
            }
        }
    });
}

#[test]
fn what_legacy_iptables_takes_counts_beside_what_iptables_nft_takes() {
    both("targets-legacy", |world| {
        for family in FAMILIES {
            if !has_nft(world) || !world.add_legacy_table(family, "filter") {
                return;
            }
            assert_eq!(world.host().iptables_targets(family), nothing());
            world.add_legacy_table(family, "nat");
            assert_eq!(world.host().iptables_targets(family), nothing());
            let targets = some_of(family);
            let parts = [(Iptables::Legacy, 0..2), (Iptables::Nft, 1..targets.len())];
            for (iptables, part) in parts {
                let until = part.end;
                if !world.add_iptables_targets(iptables, family, "KUBE-EXT-", &targets[part]) {
                    return;
                }
                let listed = Ok(Facility::Present(targets[..until].to_vec()));
                assert_eq!(world.host().iptables_targets(family), listed);
            }
        }
        if let World::Fake(host) = world {
            host.take_nft_away();
            let host = world.host();
            let listed = Ok(Facility::Present(some_of(IpFamily::V4)[..2].to_vec()));
            assert_eq!(host.iptables_targets(IpFamily::V4), listed);
        }
    });
}

#[test]
fn ten_thousand_services_are_read_whole() {
    both("targets-many", |world| {
        let many = |of: u8| -> Vec<ServiceTarget> {
            let ip = |at: u16| [10, of, at.to_be_bytes()[0], at.to_be_bytes()[1]].into();
            let target = |at| ServiceTarget {
                ip: ip(at),
                protocol: IpvsProtocol::Tcp,
                port: 80,
            };
            (0..10_000).map(target).collect()
        };
        let family = IpFamily::V4;
        if !world.add_nftables_targets(family, &many(1)) {
            return;
        }
        if !world.add_iptables_targets(Iptables::Nft, family, "KUBE-EXT-", &many(2)) {
            return;
        }
        let host = world.host();
        let listed = Ok(Facility::Present(many(1)));
        assert!(host.nftables_targets(family) == listed);
        let listed = Ok(Facility::Present(many(2)));
        assert!(host.iptables_targets(family) == listed);
        if world.add_iptables_targets(Iptables::Legacy, family, "KUBE-EXT-", &many(3)) {
            let listed = Ok(Facility::Present([many(2), many(3)].concat()));
            assert!(world.host().iptables_targets(family) == listed);
        }
    });
}

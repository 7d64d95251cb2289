//! The same story told to both hosts: what a test proves with the one in memory holds for the kernel.

mod addresses;
mod onward;
mod ports;
mod responder;
mod targets;
mod world;

use std::time::Duration;

use mooring_kernel::{
    Address, AddressFlags, AddressScope, ArpSetting, DefaultRoute, EffectiveArp, Facility,
    Forwarding, HostRoute, InterfaceName, IpFamily, IpvsDestination, IpvsMatch, IpvsProtocol,
    IpvsService, Lifetime, Link, Monitor, News, NftChain, NftFamily, NftTable, Sysctl, SysctlError,
    Written,
};
use world::{both, real};

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
fn a_renamed_interface_keeps_its_index_and_its_sysctls() {
    both("rename", |world| {
        world.add_link("old0");
        let index = |links: Vec<Link>| links.last().map(|link| link.index);
        let before = index(world.host().links().unwrap());
        let of = |text| Sysctl::of(&name(text), ArpSetting::Ignore);
        world.host().write_sysctl(&of("old0"), 1).unwrap();
        world.rename("old0", "new0");
        assert_eq!(index(world.host().links().unwrap()), before);
        assert_eq!(world.host().read_sysctl(&of("new0")), Ok(1));
        let sysctl = of("old0");
        assert_eq!(
            world.host().read_sysctl(&sysctl),
            Err(SysctlError::NotFound {
                sysctl: sysctl.clone()
            })
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

#[test]
fn links_are_listed_by_index_with_their_kind_and_state() {
    both("links", |world| {
        // Some kernels give each new namespace a tunnel device or two.
        let given = world.host().links().unwrap();
        world.add_link("z0");
        world.add_link("a0.7");
        world.add_link("gone");
        world.remove_link("gone");
        world.add_link("b0");
        world.set_up("a0.7", 1400);
        let mut links = world.host().links().unwrap();
        assert!(links.is_sorted_by(|a, b| a.index < b.index), "{links:?}");
        links.retain(|link| link.index == 1 || given.iter().all(|old| old.index != link.index));
        let seen: Vec<_> = links.iter().map(|link| link.name.to_string()).collect();
        assert_eq!(seen, ["lo", "z0", "a0.7", "b0"]);
        let lo = Link {
            index: 1,
            name: name("lo"),
            mac: None,
            kind: None,
            up: false,
            carrier: false,
            loopback: true,
            no_arp: false,
            controller: None,
            parent: None,
            active_port: None,
            carrier_changes: 0,
            mtu: 65536,
        };
        assert_eq!(links[0], lo);
        let down = &links[1];
        assert_eq!((down.up, down.carrier, down.mtu), (false, false, 1500));
        let up = &links[2];
        assert_eq!((up.up, up.carrier, up.mtu), (true, true, 1400));
        for link in &links[1..] {
            assert_eq!(link.kind.as_deref(), Some("ifb"));
            assert!(link.no_arp && !link.loopback, "{link:?}");
            assert_eq!(link.controller, None);
        }
        assert_ne!(links[1].mac, links[2].mac);
        assert!(links[1].mac.is_some());
        assert_ne!(links[3].index, links[2].index + 1, "no index is used twice");
    });
}

#[test]
fn a_port_names_its_controller_until_that_is_gone() {
    both("controller", |world| {
        world.add_link("port0");
        if !world.add_bridge("br0") {
            return;
        }
        world.make_port("port0", "br0");
        let find = |links: Vec<Link>, of: &str| links.into_iter().find(|l| l.name == name(of));
        let links = world.host().links().unwrap();
        let bridge = find(links.clone(), "br0").unwrap();
        assert_eq!(bridge.kind.as_deref(), Some("bridge"));
        let port = find(links, "port0").unwrap();
        assert_eq!(port.controller, Some(bridge.index));
        world.remove_link("br0");
        let port = find(world.host().links().unwrap(), "port0").unwrap();
        assert_eq!(port.controller, None);
    });
}

#[test]
fn a_vlan_names_what_it_is_built_on_and_a_bond_the_port_that_it_sends_by() {
    both("built on others", |world| {
        for port in ["port0", "port1"] {
            world.add_link(port);
        }
        if !world.add_bond("bond0", &["port0", "port1"]) {
            return;
        }
        world.add_vlan("bond0.5", "bond0", 5);
        let find = |links: &[Link], of: &str| -> Link {
            let mut links = links.iter();
            links.find(|link| link.name == name(of)).unwrap().clone()
        };
        let links = world.host().links().unwrap();
        let (bond, vlan) = (find(&links, "bond0"), find(&links, "bond0.5"));
        assert_eq!((bond.kind.as_deref(), bond.parent), (Some("bond"), None));
        assert_eq!(bond.active_port, Some(find(&links, "port0").index));
        assert_eq!(
            (vlan.kind.as_deref(), vlan.parent),
            (Some("vlan"), Some(bond.index))
        );
        assert_eq!(vlan.active_port, None);
        world.send_by("bond0", "port1");
        let links = world.host().links().unwrap();
        let sends_by = find(&links, "bond0").active_port;
        assert_eq!(sends_by, Some(find(&links, "port1").index));
    });
}

#[test]
fn default_routes_are_listed_by_metric_and_leave_with_their_link() {
    both("default-routes", |world| {
        let (v4, v6) = (IpFamily::V4, IpFamily::V6);
        assert_eq!(world.host().default_routes(v4), Ok(vec![]));
        for link in ["up0", "up1"] {
            world.add_link(link);
            world.set_up(link, 1500);
        }
        let links = world.host().links().unwrap();
        let index = |of| links.iter().find(|l| l.name == name(of)).unwrap().index;
        let route = |metric, of| DefaultRoute {
            metric,
            link: index(of),
            gateway: None,
        };
        world.add_default_route(v4, "up0", route(200, "up0"));
        world.add_default_route(v4, "up1", route(100, "up1"));
        world.add_default_route(v6, "up0", route(77, "up0"));
        let routed = DefaultRoute {
            gateway: Some("fe80::9".parse().unwrap()),
            ..route(88, "up0")
        };
        world.add_default_route(v6, "up0", routed);
        let listed = vec![route(100, "up1"), route(200, "up0")];
        assert_eq!(world.host().default_routes(v4), Ok(listed));
        let listed = vec![route(77, "up0"), routed];
        assert_eq!(world.host().default_routes(v6), Ok(listed));
        world.remove_link("up1");
        let left = vec![route(200, "up0")];
        assert_eq!(world.host().default_routes(v4), Ok(left));
    });
}

#[test]
fn routes_to_single_addresses_are_listed_by_address_and_leave_with_their_link() {
    both("host-routes", |world| {
        let (v4, v6) = (IpFamily::V4, IpFamily::V6);
        assert_eq!(world.host().host_routes(v4), Ok(vec![]));
        for link in ["up0", "up1"] {
            world.add_link(link);
            world.set_up(link, 1500);
        }
        let links = world.host().links().unwrap();
        let route = |ip: &str, of: &str| HostRoute {
            ip: ip.parse().unwrap(),
            link: links.iter().find(|l| l.name == name(of)).unwrap().index,
        };
        let all = [
            route("10.77.0.200", "up0"),
            route("10.77.0.201", "up1"),
            route("fd77::200", "up1"),
        ];
        for (route, of) in all.iter().zip(["up0", "up1", "up1"]) {
            world.add_host_route(of, *route);
        }
        assert_eq!(world.host().host_routes(v4), Ok(all[..2].to_vec()));
        assert_eq!(world.host().host_routes(v6), Ok(all[2..].to_vec()));
        world.remove_link("up1");
        assert_eq!(world.host().host_routes(v4), Ok(all[..1].to_vec()));
        assert_eq!(world.host().host_routes(v6), Ok(vec![]));
    });
}

#[test]
fn a_monitor_tells_of_links_and_addresses_and_of_a_burst_once() {
    real("monitor", |world| {
        let quiet = Duration::from_millis(100);
        let mut monitor = Monitor::open(quiet, 20 * quiet).unwrap();
        world.add_link("up0");
        for last in 1..=50 {
            world.change("ip", &format!("address add 10.9.0.{last}/32 dev up0"));
        }
        assert_eq!(monitor.wait(), Ok(News::Changed));
        // Whatever is left of it is over by now.
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || tell.send(monitor.wait()));
        let silence = told.recv_timeout(3 * quiet);
        assert!(silence.is_err(), "{silence:?}");
        world.change("ip", "link set up0 up");
        let news = told.recv_timeout(Duration::from_secs(10));
        assert_eq!(news, Ok(Ok(News::Changed)));
    });
}

#[test]
fn addresses_are_listed_with_their_scope_flags_and_lifetimes() {
    both("addresses", |world| {
        world.add_link("up0");
        world.add_link("kube-ipvs0");
        world.set_up("up0", 1500);
        let links = world.host().links().unwrap();
        let index = |of: &str| {
            links
                .iter()
                .find(|link| link.name == name(of))
                .unwrap()
                .index
        };
        let address = |of: &str, ip: &str, prefix, flags| Address {
            link: index(of),
            ip: ip.parse().unwrap(),
            prefix,
            scope: AddressScope::Global,
            flags,
            valid: Lifetime::Forever,
            preferred: Lifetime::Forever,
        };
        let permanent = AddressFlags::PERMANENT;
        let first = address("up0", "10.9.0.20", 24, permanent);
        let second = address("up0", "10.9.0.3", 24, permanent | AddressFlags::SECONDARY);
        let vip = Address {
            valid: Lifetime::For(Duration::from_secs(3600)),
            preferred: Lifetime::For(Duration::ZERO),
            ..address("up0", "10.9.0.100", 32, AddressFlags::DEPRECATED)
        };
        let six = AddressFlags::NO_DAD | AddressFlags::NO_PREFIX_ROUTE | permanent;
        let six = address("up0", "fd00::100", 128, six);
        let near = Address {
            scope: AddressScope::Link,
            ..address("up0", "169.254.1.1", 32, permanent)
        };
        let bound = address("kube-ipvs0", "10.9.0.100", 32, permanent);
        world.add_address("kube-ipvs0", bound.clone(), "10.9.0.100/32");
        world.add_address("up0", six.clone(), "fd00::100/128 nodad noprefixroute");
        world.add_address("up0", first.clone(), "10.9.0.20/24");
        world.add_address("up0", second.clone(), "10.9.0.3/24");
        world.add_address("up0", near.clone(), "169.254.1.1/32 scope link");
        let text = "10.9.0.100/32 valid_lft 3600 preferred_lft 0";
        world.add_address("up0", vip.clone(), text);
        let mut seen = world.host().addresses().unwrap();
        let hour = Duration::from_secs(3600);
        for address in &mut seen {
            // The kernel's clock runs while it is read.
            if matches!(address.valid, Lifetime::For(left) if left < hour && left > hour / 2) {
                address.valid = Lifetime::For(hour);
            }
        }
        assert_eq!(seen, [second, first, vip, near, six, bound]);
        world.remove_link("up0");
        let left = world.host().addresses().unwrap();
        assert_eq!(left.len(), 1, "{left:?}");
    });
}

fn tcp(ip: &str, port: u16) -> IpvsMatch {
    IpvsMatch::Address {
        ip: ip.parse().expect("an address"),
        protocol: IpvsProtocol::Tcp,
        port,
    }
}

#[test]
fn a_kernel_without_ipvs_says_so_and_one_with_it_has_no_services_at_first() {
    both("ipvs-absent", |world| {
        let expected = if world.has_ipvs() {
            (Facility::Present(vec![]), Facility::Present(vec![]))
        } else {
            (Facility::Absent, Facility::Absent)
        };
        let host = world.host();
        assert_eq!(host.ipvs_services(), Ok(expected.0));
        let service = tcp("10.10.0.2", 80);
        assert_eq!(host.ipvs_destinations(&service), Ok(expected.1));
    });
}

#[test]
fn ipvs_services_are_listed_with_their_destinations() {
    both("ipvs-services", |world| {
        if !world.load_ipvs() {
            return;
        }
        let destination = |ip: &str, weight| IpvsDestination {
            ip: ip.parse().unwrap(),
            port: 8080,
            forwarding: Forwarding::Masquerade,
            weight,
            active: 0,
            inactive: 0,
        };
        let one = tcp("10.10.0.2", 80);
        let six = tcp("fd10:10::2", 443);
        world.add_ipvs_service(six, "wrr", vec![]);
        let behind = vec![destination("10.244.1.9", 1), destination("10.244.1.7", 0)];
        world.add_ipvs_service(one, "rr", behind);
        let service = |matches, scheduler: &str| IpvsService {
            matches,
            scheduler: scheduler.to_owned(),
        };
        let listed = vec![service(one, "rr"), service(six, "wrr")];
        let host = world.host();
        assert_eq!(host.ipvs_services(), Ok(Facility::Present(listed)));
        let behind = vec![destination("10.244.1.7", 0), destination("10.244.1.9", 1)];
        assert_eq!(host.ipvs_destinations(&one), Ok(Facility::Present(behind)));
        for empty in [six, tcp("10.10.0.3", 80)] {
            assert_eq!(
                host.ipvs_destinations(&empty),
                Ok(Facility::Present(vec![])),
                "{empty}"
            );
        }
    });
}

#[test]
fn nft_tables_are_listed_by_family_and_name() {
    both("nft-tables", |world| {
        let table = |family, name: &str| NftTable {
            family,
            name: name.to_owned(),
        };
        let expected = world.no_nft_tables_yet();
        assert_eq!(world.host().nft_tables(), Ok(expected.clone()));
        if expected == Facility::Absent {
            return;
        }
        let six = table(NftFamily::Ip6, "kube-proxy");
        let nat = table(NftFamily::Ip, "nat");
        let four = table(NftFamily::Ip, "kube-proxy");
        let both = table(NftFamily::Inet, "own");
        for table in [&six, &nat, &four, &both] {
            if !world.add_nft_table(table) {
                return;
            }
        }
        let listed = vec![both, four, nat, six];
        assert_eq!(world.host().nft_tables(), Ok(Facility::Present(listed)));
    });
}

#[test]
fn nft_chains_are_listed_by_table_and_name() {
    both("nft-chains", |world| {
        if world.no_nft_tables_yet() == Facility::Absent {
            return;
        }
        let chain = |family, table: &str, name: &str| NftChain {
            table: NftTable {
                family,
                name: table.to_owned(),
            },
            name: name.to_owned(),
        };
        let services = chain(NftFamily::Ip, "kube-proxy", "services");
        let masquerading = chain(NftFamily::Ip, "kube-proxy", "masquerading");
        let nat = chain(NftFamily::Ip, "nat", "KUBE-SERVICES");
        let six = chain(NftFamily::Ip6, "kube-proxy", "services");
        for chain in [&six, &services, &nat, &masquerading] {
            if !world.add_nft_table(&chain.table) {
                return;
            }
            world.add_nft_chain(chain);
        }
        let listed = vec![masquerading, services, nat, six];
        assert_eq!(world.host().nft_chains(), Ok(Facility::Present(listed)));
    });
}

#[test]
fn legacy_tables_are_listed_by_name_and_family() {
    both("legacy-tables", |world| {
        let (v4, v6) = (IpFamily::V4, IpFamily::V6);
        let listed = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned());
            Ok(Facility::Present(names.collect::<Vec<_>>()))
        };
        if !world.add_legacy_table(v4, "nat") {
            return;
        }
        world.add_legacy_table(v4, "filter");
        assert_eq!(world.host().legacy_tables(v4), listed(&["filter", "nat"]));
        world.add_legacy_table(v6, "filter");
        assert_eq!(world.host().legacy_tables(v6), listed(&["filter"]));
    });
}

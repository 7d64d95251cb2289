//! Addresses that are put on links and removed.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use mooring_kernel::{
    Address, AddressFlags, AddressScope, FakeHost, Host, InterfaceName, Lifetime, NewAddress,
    OsError, Put, Removed, WriteError, Writing,
};

use crate::world::{World, both, real};

/// The addresses, once no duplicate address detection is about to start: the kernel has it start, and with links without
/// ARP end, a moment after an address was put.
fn settled(world: &mut World) -> Vec<Address> {
    let mut tries = 0;
    loop {
        let seen = world.host().addresses().expect("addresses");
        let tentative = |a: &Address| a.flags.contains(AddressFlags::TENTATIVE);
        if tries == 200 || !seen.iter().any(tentative) {
            return seen;
        }
        tries += 1;
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What is put in the tests that follow: a /32, or a /128 without DAD and route, for 100 seconds and for no connection of
/// the node's own.
fn for_a_while(link: u32, ip: &str) -> NewAddress {
    let ip: IpAddr = ip.parse().expect("an address");
    let six = AddressFlags::NO_DAD | AddressFlags::NO_PREFIX_ROUTE;
    let (prefix, flags) = match ip {
        IpAddr::V4(_) => (32, AddressFlags::default()),
        IpAddr::V6(_) => (128, six),
    };
    NewAddress {
        link,
        ip,
        prefix,
        flags,
        valid: Lifetime::For(Duration::from_secs(100)),
        preferred: Lifetime::For(Duration::ZERO),
    }
}

fn index_of(world: &mut World, of: &str) -> u32 {
    let of = InterfaceName::new(of).expect("a valid name");
    let links = world.host().links().expect("links");
    let link = links.iter().find(|link| link.name == of);
    link.expect("the link").index
}

#[test]
fn an_address_is_put_for_a_while_and_removed_once() {
    both("put-address", |world| {
        world.add_link("up0");
        world.set_up("up0", 1500);
        let up0 = index_of(world, "up0");
        let six = AddressFlags::NO_DAD | AddressFlags::NO_PREFIX_ROUTE | AddressFlags::DEPRECATED;
        for (ip, flags) in [("10.9.0.100", AddressFlags::DEPRECATED), ("fd00::100", six)] {
            let new = for_a_while(up0, ip);
            assert_eq!(world.host().put_address(&new), Ok(Put::Added), "{ip}");
            let seen = world.host().addresses().unwrap();
            let [seen] = &seen[..] else {
                panic!("{seen:?}");
            };
            assert_eq!((seen.link, seen.ip, seen.prefix), (up0, new.ip, new.prefix));
            assert_eq!((seen.scope, seen.flags), (AddressScope::Global, flags));
            assert_eq!(seen.preferred, new.preferred);
            assert!(left(seen) > 90, "{seen:?}");
            let host = world.host();
            let mut remove = |link, prefix| host.remove_address(link, new.ip, prefix);
            let (gone, nothing) = (Ok(Removed::Removed), Ok(Removed::WasNotThere));
            assert_eq!(remove(up0, new.prefix - 1), nothing, "another prefix");
            assert_eq!(remove(1, new.prefix), nothing, "another link");
            assert_eq!(remove(up0 + 100, new.prefix), nothing, "no such link");
            assert_eq!(remove(up0, new.prefix), gone);
            assert_eq!(remove(up0, new.prefix), nothing);
            assert_eq!(world.host().addresses(), Ok(vec![]));
        }
    });
}

/// Seconds left of a finite life.
fn left(address: &Address) -> u64 {
    match address.valid {
        Lifetime::For(left) => left.as_secs(),
        Lifetime::Forever => panic!("{address:?}"),
    }
}

#[test]
fn putting_an_address_again_lets_its_lifetime_run_anew() {
    both("renew-address", |world| {
        world.add_link("up0");
        world.set_up("up0", 1500);
        let up0 = index_of(world, "up0");
        for ip in ["10.9.0.100", "fd00::100"] {
            let long = for_a_while(up0, ip);
            let seconds = |seconds| Lifetime::For(Duration::from_secs(seconds));
            let valid = seconds(7);
            let short = NewAddress { valid, ..long };
            let host = world.host();
            assert_eq!(host.put_address(&short), Ok(Put::Added), "{ip}");
            assert!(left(&host.addresses().unwrap()[0]) <= 7);
            assert_eq!(host.put_address(&long), Ok(Put::Renewed), "{ip}");
            assert!(left(&host.addresses().unwrap()[0]) > 90, "longer");
            assert_eq!(host.put_address(&short), Ok(Put::Renewed), "{ip}");
            let seen = host.addresses().unwrap();
            assert!(left(&seen[0]) <= 7, "shorter");
            assert_eq!(seen.len(), 1, "{seen:?}");
            let flags = seen[0].flags;
            assert!(flags.contains(AddressFlags::DEPRECATED), "{seen:?}");
            let permanent = NewAddress {
                valid: Lifetime::Forever,
                preferred: Lifetime::Forever,
                ..long
            };
            assert_eq!(host.put_address(&permanent), Ok(Put::Renewed), "{ip}");
            let seen = host.addresses().unwrap();
            let all = (seen[0].valid, seen[0].preferred);
            assert_eq!(all, (Lifetime::Forever, Lifetime::Forever));
            let flags = seen[0].flags;
            assert!(flags.contains(AddressFlags::PERMANENT), "{seen:?}");
            assert!(!flags.contains(AddressFlags::DEPRECATED), "{seen:?}");
            let gone = host.remove_address(up0, long.ip, long.prefix);
            assert_eq!(gone, Ok(Removed::Removed));
        }
    });
}

#[test]
fn the_kernel_removes_an_address_that_nobody_renews() {
    real("expired-address", |world| {
        world.add_link("up0");
        world.set_up("up0", 1500);
        let up0 = index_of(world, "up0");
        let valid = Lifetime::For(Duration::from_secs(2));
        for ip in ["10.9.0.100", "fd00::100"] {
            let new = NewAddress {
                valid,
                ..for_a_while(up0, ip)
            };
            assert_eq!(world.host().put_address(&new), Ok(Put::Added));
        }
        let started = Instant::now();
        // Renewed, an address outlives its first time.
        let kept = NewAddress {
            valid,
            ..for_a_while(up0, "10.9.0.101")
        };
        while !world
            .host()
            .addresses()
            .unwrap()
            .iter()
            .all(|a| a.ip == kept.ip)
        {
            assert!(started.elapsed() < Duration::from_secs(30));
            world.host().put_address(&kept).unwrap();
            std::thread::sleep(Duration::from_millis(200));
        }
        assert!(started.elapsed() > Duration::from_secs(1));
        assert_eq!(world.host().put_address(&kept), Ok(Put::Renewed));
    });
}

#[test]
fn an_address_for_ever_is_put_on_a_link_that_is_down() {
    both("put-forever", |world| {
        world.add_link("kube-ipvs0");
        let link = index_of(world, "kube-ipvs0");
        let mut expected = Vec::new();
        for ip in ["10.9.0.100", "fd00::100"] {
            let new = NewAddress {
                flags: AddressFlags::default(),
                valid: Lifetime::Forever,
                preferred: Lifetime::Forever,
                ..for_a_while(link, ip)
            };
            assert_eq!(world.host().put_address(&new), Ok(Put::Added), "{ip}");
            assert_eq!(world.host().put_address(&new), Ok(Put::Renewed), "{ip}");
            expected.push(Address {
                link,
                ip: new.ip,
                prefix: new.prefix,
                scope: AddressScope::Global,
                flags: AddressFlags::PERMANENT,
                valid: Lifetime::Forever,
                preferred: Lifetime::Forever,
            });
        }
        assert_eq!(settled(world), expected);
    });
}

#[test]
fn an_address_for_ever_that_nobody_shall_choose_is_told_differently_by_each_family() {
    both("put-deprecated", |world| {
        world.add_link("up0");
        world.set_up("up0", 1500);
        let up0 = index_of(world, "up0");
        let zero = Lifetime::For(Duration::ZERO);
        for (ip, preferred) in [("10.9.0.100", Lifetime::Forever), ("fd00::100", zero)] {
            let new = NewAddress {
                valid: Lifetime::Forever,
                ..for_a_while(up0, ip)
            };
            assert_eq!(world.host().put_address(&new), Ok(Put::Added));
            let seen = world.host().addresses().unwrap();
            let last = seen.last().unwrap();
            let flags = AddressFlags::PERMANENT | AddressFlags::DEPRECATED;
            assert!(last.flags.contains(flags), "{last:?}");
            assert_eq!((last.valid, last.preferred), (Lifetime::Forever, preferred));
        }
    });
}

#[test]
fn the_same_address_of_another_prefix_is_another_one_with_ipv4_only() {
    both("put-prefix", |world| {
        world.add_link("up0");
        world.set_up("up0", 1500);
        let up0 = index_of(world, "up0");
        for (ip, prefix, put, left) in [
            ("10.9.0.100", 24, Put::Added, vec![24, 32]),
            ("fd00::100", 64, Put::Renewed, vec![128]),
        ] {
            let host = world.host();
            let new = for_a_while(up0, ip);
            assert_eq!(host.put_address(&new), Ok(Put::Added));
            let wider = NewAddress { prefix, ..new };
            assert_eq!(host.put_address(&wider), Ok(put), "{ip}");
            let seen = host.addresses().unwrap();
            let prefixes = seen.iter().filter(|a| a.ip == new.ip).map(|a| a.prefix);
            assert_eq!(prefixes.collect::<Vec<_>>(), left);
        }
    });
}

#[test]
fn the_first_address_of_a_subnet_takes_the_others_with_it() {
    both("put-subnet", |world| {
        world.add_link("up0");
        world.set_up("up0", 1500);
        world.let_secondaries_go("up0");
        let up0 = index_of(world, "up0");
        let of_subnet = |ip| NewAddress {
            prefix: 24,
            ..for_a_while(up0, ip)
        };
        let first = of_subnet("10.9.0.20");
        let second = of_subnet("10.9.0.3");
        let single = for_a_while(up0, "10.9.0.4");
        let host = world.host();
        for new in [&first, &second, &single] {
            assert_eq!(host.put_address(new), Ok(Put::Added));
            assert_eq!(host.put_address(new), Ok(Put::Renewed));
        }
        let seen = host.addresses().unwrap();
        let secondary = |a: &&Address| a.flags.contains(AddressFlags::SECONDARY);
        let secondary: Vec<_> = seen.iter().filter(secondary).map(|a| a.ip).collect();
        assert_eq!(secondary, [second.ip]);
        let gone = host.remove_address(up0, first.ip, 24);
        assert_eq!(gone, Ok(Removed::Removed));
        let left: Vec<_> = host.addresses().unwrap().iter().map(|a| a.ip).collect();
        assert_eq!(left, [single.ip]);
    });
}

#[test]
fn what_cannot_be_put_is_refused_with_the_address_and_the_reason() {
    both("put-refused", |world| {
        world.add_link("up0");
        world.set_up("up0", 1500);
        let up0 = index_of(world, "up0");
        for ip in ["10.9.0.100", "fd00::100"] {
            let good = for_a_while(up0, ip);
            let none = NewAddress {
                valid: Lifetime::For(Duration::ZERO),
                ..good
            };
            let longer = NewAddress {
                preferred: Lifetime::Forever,
                ..good
            };
            let prefix = good.prefix + 1;
            let too_long = NewAddress { prefix, ..good };
            for bad in [none, longer, too_long] {
                let refused = WriteError::Refused {
                    writing: putting(&bad),
                    error: OsError::from_raw(22),
                };
                assert_eq!(world.host().put_address(&bad), Err(refused), "{bad:?}");
            }
            let nowhere = NewAddress {
                link: up0 + 100,
                ..good
            };
            let writing = putting(&nowhere);
            let no_link = WriteError::NoLink { writing };
            assert_eq!(world.host().put_address(&nowhere), Err(no_link));
            assert_eq!(world.host().addresses(), Ok(vec![]));
        }
    });
}

fn putting(address: &NewAddress) -> Writing {
    Writing::Put {
        link: address.link,
        ip: address.ip,
        prefix: address.prefix,
    }
}

#[test]
fn without_the_capability_nothing_is_written() {
    let mut host = FakeHost::new();
    let new = for_a_while(1, "10.9.0.100");
    assert_eq!(host.put_address(&new), Ok(Put::Added));
    host.set_net_admin(false);
    let writing = putting(&new);
    assert_eq!(host.put_address(&new), Err(WriteError::Denied { writing }));
    let (link, ip, prefix) = (new.link, new.ip, new.prefix);
    let writing = Writing::Remove { link, ip, prefix };
    let denied = Err(WriteError::Denied { writing });
    assert_eq!(host.remove_address(link, ip, prefix), denied);
    assert_eq!(host.addresses().unwrap().len(), 1);
}

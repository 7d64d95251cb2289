use proptest::prelude::*;

use super::*;
use crate::node::fixture::{dummy, ipvs, link};
use crate::node::report;
use ArpSetting::{Announce, Ignore};

fn change(setting: ArpSetting, from: i32, to: i32) -> Change {
    Change {
        interface: "eth0".to_owned(),
        setting,
        from,
        to,
    }
}

fn raised(setting: ArpSetting, before: i32, value: i32) -> RaisedSysctl {
    RaisedSysctl {
        name: setting.name("eth0"),
        before,
        value,
    }
}

fn planned(observed: &Observed, remembered: &[RaisedSysctl], wish: Wish) -> Plan {
    plan(
        observed,
        &report(observed, remembered, &[]),
        remembered,
        wish,
    )
}

#[test]
fn nothing_is_written_before_it_is_remembered() {
    let plan = planned(&ipvs(), &[], Wish::Enforce);
    assert_eq!(
        plan.remember,
        [raised(Announce, 0, 2), raised(Ignore, 0, 1)]
    );
    assert_eq!(plan.writes, [change(Ignore, 0, 1), change(Announce, 0, 2)]);
    assert_eq!(plan.writes[0].name(), "net.ipv4.conf.eth0.arp_ignore");
}

#[test]
fn only_what_is_too_low_is_raised() {
    for (all, own, writes) in [
        ((1, 2), (0, 0), vec![]),
        ((0, 0), (1, 2), vec![]),
        ((1, 0), (0, 1), vec![change(Announce, 1, 2)]),
        ((0, 2), (0, 0), vec![change(Ignore, 0, 1)]),
        ((3, 2), (0, 0), vec![]),
        ((0, 2), (8, 0), vec![]),
        ((0, 2), (5, 0), vec![]),
    ] {
        let plan = planned(&ipvs().with_arp(all, own), &[], Wish::Enforce);
        assert_eq!(plan.writes, writes, "{all:?} {own:?}");
    }
}

#[test]
fn nothing_is_raised_unless_it_is_wished_and_needed() {
    for wish in [Wish::Observe, Wish::Restore] {
        assert_eq!(planned(&ipvs(), &[], wish), Plan::default());
    }
    for mode in ["iptables", "nftables"] {
        let observed = ipvs().running(mode);
        assert_eq!(planned(&observed, &[], Wish::Enforce), Plan::default());
    }
    let router = ipvs().without_proxy().with_kube_router();
    assert_eq!(planned(&router, &[], Wish::Enforce).writes.len(), 2);
}

#[test]
fn links_of_pods_are_left_alone() {
    let observed = ipvs()
        .with_arp((0, 0), (1, 2))
        .with_link("veth1", link(Some("veth"), "10.1.0.1/24", (0, 0)))
        .with_link("nodelocaldns", dummy("169.254.20.10/32"));
    assert_eq!(planned(&observed, &[], Wish::Enforce), Plan::default());
}

#[test]
fn what_somebody_lowered_is_raised_again_and_the_first_memory_stays() {
    let remembered = [raised(Ignore, 0, 1)];
    let lowered = ipvs().with_arp((0, 2), (-1, 0));
    let plan = planned(&lowered, &remembered, Wish::Enforce);
    assert_eq!(plan.writes, [change(Ignore, -1, 1)]);
    assert_eq!(plan.remember, remembered);
}

#[test]
fn what_was_raised_is_put_back_and_forgotten_once_that_is_seen() {
    let remembered = [raised(Announce, 1, 2), raised(Ignore, 0, 1)];
    for wish in [Wish::Observe, Wish::Restore] {
        let plan = planned(&ipvs().with_arp((0, 0), (1, 2)), &remembered, wish);
        assert_eq!(plan.writes, [change(Announce, 2, 1), change(Ignore, 1, 0)]);
        assert_eq!(plan.remember, remembered, "until it is seen");
        let done = planned(&ipvs().with_arp((0, 0), (0, 1)), &remembered, wish);
        assert_eq!(done, Plan::default());
    }
}

#[test]
fn what_somebody_else_changed_since_is_not_put_back() {
    let observed = ipvs().with_arp((0, 0), (2, 0));
    let plan = planned(&observed, &[raised(Ignore, 0, 1)], Wish::Restore);
    assert_eq!(plan, Plan::default());
}

#[test]
fn a_value_that_cannot_be_read_stays_remembered() {
    let mut observed = ipvs();
    let remembered = [raised(Ignore, 0, 1)];
    observed.kernel.links.get_mut("eth0").expect("eth0").arp = Err("no".to_owned());
    let kept = Plan {
        remember: remembered.to_vec(),
        writes: Vec::new(),
    };
    for wish in [Wish::Observe, Wish::Enforce, Wish::Restore] {
        assert_eq!(planned(&observed, &remembered, wish), kept);
    }
    observed.kernel.links.clear();
    assert_eq!(planned(&observed, &remembered, Wish::Restore), kept);
}

#[test]
fn the_sysctls_of_a_link_that_is_gone_are_forgotten() {
    let mut observed = ipvs();
    observed.kernel.links.remove("eth0");
    let plan = planned(&observed, &[raised(Ignore, 0, 1)], Wish::Enforce);
    assert_eq!(plan, Plan::default());
}

#[test]
fn a_mode_that_is_unknown_for_a_moment_changes_nothing() {
    let remembered = [raised(Ignore, 0, 1)];
    let observed = ipvs().without_proxy().with_arp((0, 2), (1, 0));
    let plan = planned(&observed, &remembered, Wish::Enforce);
    assert_eq!((plan.remember, plan.writes), (remembered.to_vec(), vec![]));
}

// === any history ===

#[derive(Debug, Clone)]
enum Step {
    /// The agent looks, and carries its plan out.
    Agent(Wish),
    /// The agent is killed between writing the memory and the sysctls.
    Killed(Wish),
    /// Somebody sets `all`.
    All(i32, i32),
    /// Somebody sets the interface's own.
    Own(i32, i32),
    /// kube-proxy changes its mode.
    Mode(&'static str),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wish = || prop::sample::select(vec![Wish::Observe, Wish::Enforce, Wish::Restore]);
    let values = || (prop::sample::select(vec![0, 1, 2, 3, 8]), 0..3);
    prop::collection::vec(
        prop_oneof![
            3 => wish().prop_map(Step::Agent),
            1 => wish().prop_map(Step::Killed),
            1 => values().prop_map(|(ignore, announce)| Step::All(ignore, announce)),
            1 => values().prop_map(|(ignore, announce)| Step::Own(ignore, announce)),
            1 => prop::sample::select(vec!["ipvs", "iptables"]).prop_map(Step::Mode),
        ],
        0..12,
    )
}

/// A node with its memory, as it goes through a history.
struct World {
    observed: Observed,
    remembered: Vec<RaisedSysctl>,
}

impl World {
    fn arp(&mut self) -> &mut crate::proxy_mode::ArpSeen {
        let eth0 = self.observed.kernel.links.get_mut("eth0").expect("eth0");
        eth0.arp.as_mut().expect("sysctls")
    }

    fn own(&mut self) -> (i32, i32) {
        self.arp().own
    }

    fn agent(&mut self, wish: Wish, killed: bool) -> Result<(), TestCaseError> {
        let plan = planned(&self.observed, &self.remembered, wish);
        self.remembered = plan.remember;
        for change in plan.writes {
            let remembered = self
                .remembered
                .iter()
                .any(|raised| raised.name == change.name());
            prop_assert!(remembered, "{change:?} is not remembered");
            if wish == Wish::Enforce {
                prop_assert!(change.to > change.from, "{change:?} lowers");
            }
            if killed {
                continue;
            }
            let own = &mut self.arp().own;
            let value = match change.setting {
                Ignore => &mut own.0,
                Announce => &mut own.1,
            };
            prop_assert_eq!(*value, change.from);
            *value = change.to;
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_was_there_comes_back_after_any_history(
        own in (prop::sample::select(vec![0, 1, 2, 3, 8]), 0..3),
        steps in steps(),
    ) {
        let mut world = World {
            observed: ipvs().with_arp((0, 0), own),
            remembered: Vec::new(),
        };
        let mut touched = false;
        for step in steps {
            match step {
                Step::Agent(wish) => world.agent(wish, false)?,
                Step::Killed(wish) => world.agent(wish, true)?,
                Step::All(ignore, announce) => world.arp().all = (ignore, announce),
                Step::Own(ignore, announce) => {
                    touched = true;
                    world.arp().own = (ignore, announce);
                }
                Step::Mode(mode) => world.observed = world.observed.running(mode),
            }
            if !touched {
                let now = world.own();
                prop_assert!(now.0 >= own.0 && now.1 >= own.1, "{:?} was {:?}", now, own);
            }
        }
        let before = world.own();
        let remembered = world.remembered.clone();
        world.agent(Wish::Restore, false)?;
        for (setting, before, after) in [
            (Ignore, before.0, world.own().0),
            (Announce, before.1, world.own().1),
        ] {
            let ours = remembered
                .iter()
                .find(|raised| raised.name == setting.name("eth0") && raised.value == before);
            prop_assert_eq!(after, ours.map_or(before, |raised| raised.before));
        }
        if !touched {
            prop_assert_eq!(world.own(), own);
        }
        world.agent(Wish::Restore, false)?;
        prop_assert!(world.remembered.is_empty());
    }

    #[test]
    fn enforcing_twice_writes_once(all in (0..9, 0..3), own in (0..9, 0..3)) {
        let mut world = World {
            observed: ipvs().with_arp(all, own),
            remembered: Vec::new(),
        };
        world.agent(Wish::Enforce, false)?;
        let arp = *world.arp();
        prop_assert!(arp.ignore() >= 1 && arp.announce() >= 2);
        let again = planned(&world.observed, &world.remembered, Wish::Enforce);
        prop_assert!(again.writes.is_empty());
        prop_assert_eq!(again.remember, world.remembered);
    }
}

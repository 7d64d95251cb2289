//! Two operators that do not know of each other, as after a split of the network or two installations by mistake: what keeps
//! an address from being handed out twice is the name of its ExternalIP, not the Lease.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod allocation;
mod cargo;

use std::collections::BTreeMap;
use std::time::Duration;

use allocation::objects::{NAMESPACE, Pool, Wish, service};
use allocation::operator::{Operator, Replica, program};
use allocation::rules::{complaints, without_address};
use allocation::view::View;
use allocation::watching::Watching;
use allocation::{inside, random::Random, safe_to_announce, server};
use futures::{StreamExt as _, future, stream};
use k8s_openapi::api::core::v1::Service;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use mooring_api::ExternalIPPool;
use serde_json::json;

const SERVICES: usize = 200;
/// Of each kind of pair or group below.
const GROUPS: usize = 10;
/// Services that ask for the same address without sharing it.
const RIVALS: usize = 4;
const LIMIT: Duration = Duration::from_secs(60);
/// Nothing is written for so long: whoever fights writes many times a second.
const SILENCE: Duration = Duration::from_secs(5);

#[test]
fn two_operators_that_do_not_know_of_each_other_give_no_address_twice() {
    let program = program();
    let bed = server(env!("CARGO_BIN_EXE_testbed"), "race");
    let replicas = [("left", 8081), ("right", 8082)]
        .map(|(name, port)| Replica::new(&bed, &program, name, port));
    inside(&bed, async |client| {
        let mut random = Random::announced();
        let mut operators = replicas.clone().map(|replica| replica.start());
        for replica in &replicas {
            safe_to_announce(&client, replica).await;
        }
        let pools: Vec<Pool> = (0..4).map(|index| Pool::new(index, 120, 3)).collect();
        let mut race = Race {
            watching: Watching::start(&client, &pools).await,
            client,
            replicas: &replicas,
        };

        race.create_everything_at_once(&pools, &mut random).await;
        race.settle("all is created", &mut operators, |view| {
            let mut open = complaints(view);
            let mut losers = without_address(view);
            // Of these, somebody who asked for nothing special may have been first.
            losers.retain(|name| !name.starts_with("low-"));
            if view.services.len() != SERVICES || losers.len() != (RIVALS - 1) * GROUPS {
                open.push(format!(
                    "{} Services, {} without an address: {losers:?}",
                    view.services.len(),
                    losers.len(),
                ));
            }
            open.extend(pairs_that_do_not_share(view));
            open
        })
        .await;

        // Now they can all have one.
        race.ask_for_nothing_special().await;
        race.settle(
            "the losers ask for any address",
            &mut operators,
            every_one_has_one,
        )
        .await;

        race.replace_half(&pools).await;
        race.settle(
            "half of them are replaced",
            &mut operators,
            every_one_has_one,
        )
        .await;
        let view = race.watching.now();
        println!(
            "{} Services, {} ExternalIPs, {} events of Services, {} of ExternalIPs",
            view.services.len(),
            view.berths.len(),
            view.service_events,
            view.berth_events
        );
    });
    for replica in &replicas {
        replica.expect_no_panic();
    }
    bed.down().unwrap();
}

/// The race, from outside.
struct Race<'a> {
    client: Client,
    watching: Watching,
    replicas: &'a [Replica<'a>; 2],
}

impl Race<'_> {
    /// Pools and Services in one crowd, so that operators see Services before their pools, and pools one by one.
    async fn create_everything_at_once(&self, pools: &[Pool], random: &mut Random) {
        let parameters = PostParams::default();
        let services: Api<Service> = Api::namespaced(self.client.clone(), NAMESPACE);
        let kinds: Api<ExternalIPPool> = Api::all(self.client.clone());
        let mut wishes = wishes(pools);
        assert_eq!(wishes.len(), SERVICES);
        let mut shuffled = Vec::new();
        while !wishes.is_empty() {
            shuffled.push(wishes.swap_remove(random.below(wishes.len())));
        }
        let all_services = stream::iter(&shuffled).for_each_concurrent(24, |(name, wish, port)| {
            let object = service(name, wish, *port);
            let (services, parameters) = (&services, &parameters);
            async move { drop(services.create(parameters, &object).await.unwrap()) }
        });
        let all_pools = stream::iter(pools).for_each_concurrent(4, |pool| {
            let object = pool.object();
            let (kinds, parameters) = (&kinds, &parameters);
            async move { drop(kinds.create(parameters, &object).await.unwrap()) }
        });
        future::join(all_services, all_pools).await;
    }

    /// Waits until it is as it should be, and then that nobody writes any more.
    async fn settle(
        &mut self,
        what: &str,
        operators: &mut [Operator; 2],
        open: impl Fn(&View) -> Vec<String>,
    ) {
        let settled = self.watching.wait(LIMIT, &open).await;
        let silent = match settled {
            Ok(()) => self.watching.silence(SILENCE, LIMIT).await,
            Err(text) => Err(text),
        };
        let view = self.watching.now();
        let left = open(&view);
        match silent {
            Ok(after) if left.is_empty() => {
                println!("{what}: as it should be; the last write was {after:?} later");
            }
            Ok(_) => self.fail(what, &left.join("\n")),
            Err(text) => self.fail(what, &text),
        }
        for operator in operators {
            operator.expect_alive();
        }
        view.expect_clean();
        self.watching.expect_complete().await;
    }

    fn fail(&self, what: &str, text: &str) -> ! {
        let view = self.watching.now();
        let words: String = self.replicas.iter().map(Replica::last_words).collect();
        panic!(
            "{what}: {text}\nviolations so far:\n{}\n{words}",
            view.violations.join("\n")
        );
    }

    /// Services without an address that ask for one take any.
    async fn ask_for_nothing_special(&self) {
        let services: Api<Service> = Api::namespaced(self.client.clone(), NAMESPACE);
        let patch = json!({"metadata": {"annotations": {"mooring.dev/ips": null}}});
        let parameters = PatchParams::default();
        for name in without_address(&self.watching.now()) {
            services
                .patch(&name, &parameters, &Patch::Merge(&patch))
                .await
                .unwrap();
        }
    }

    /// Every second Service goes, and another one comes.
    async fn replace_half(&self, pools: &[Pool]) {
        let services: Api<Service> = Api::namespaced(self.client.clone(), NAMESPACE);
        let view = self.watching.now();
        let names: Vec<&String> = view.services.keys().step_by(2).collect();
        let replaced = stream::iter(names.iter().enumerate());
        replaced
            .for_each_concurrent(24, |(index, name)| {
                let services = &services;
                let object = service(
                    &format!("later-{index}"),
                    &Wish::any_of(&pools[index % pools.len()]),
                    80,
                );
                async move {
                    let parameters = DeleteParams::default();
                    services.delete(name, &parameters).await.unwrap();
                    services
                        .create(&PostParams::default(), &object)
                        .await
                        .unwrap();
                }
            })
            .await;
    }
}

/// Names, wishes and ports.
fn wishes(pools: &[Pool]) -> Vec<(String, Wish, u16)> {
    let mut wishes = Vec::new();
    for group in 0..GROUPS {
        let pool = &pools[group % pools.len()];
        for rival in 0..RIVALS {
            wishes.push((
                format!("rival-{group}-{rival}"),
                Wish::one_of(pool, 50 + group),
                80,
            ));
        }
        let shared = Wish {
            share: Some(format!("key-{group}")),
            ..Wish::one_of(pool, 80 + group)
        };
        for port in [80, 443] {
            wishes.push((format!("pair-{group}-{port}"), shared.clone(), port));
        }
    }
    // The lowest ones are asked for as well as handed out.
    for group in 0..GROUPS {
        let pool = &pools[group % pools.len()];
        wishes.push((format!("low-{group}"), Wish::one_of(pool, group), 80));
    }
    for plain in wishes.len()..SERVICES {
        let pool = &pools[plain % pools.len()];
        wishes.push((format!("plain-{plain}"), Wish::any_of(pool), 80));
    }
    wishes
}

/// Those that share a key and an address have that one.
fn pairs_that_do_not_share(view: &View) -> Vec<String> {
    let mut by_key: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (name, served) in &view.services {
        if let Some(key) = &served.wish.share {
            by_key.entry(key).or_default().push((name, served));
        }
    }
    by_key
        .into_values()
        .filter(|pair| {
            pair.len() != 2
                || pair
                    .iter()
                    .any(|(_, served)| served.addresses != Vec::from_iter(served.wish.address))
        })
        .map(|pair| format!("these do not share: {pair:?}"))
        .collect()
}

fn every_one_has_one(view: &View) -> Vec<String> {
    let mut open = complaints(view);
    let without = without_address(view);
    if view.services.len() != SERVICES || !without.is_empty() {
        open.push(format!(
            "{} Services, without: {without:?}",
            view.services.len()
        ));
    }
    open
}

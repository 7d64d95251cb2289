//! The operator dies again and again while Services come, go and change their minds: no address is lost, doubled, or moved
//! without need.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

mod allocation;
mod cargo;

use std::time::Duration;

use allocation::objects::{NAMESPACE, Pool, Wish, service, type_of};
use allocation::operator::{Replica, program};
use allocation::rules::complaints;
use allocation::watching::Watching;
use allocation::{inside, random::Random, safe_to_announce, server};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Service;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use mooring_api::ExternalIPPool;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval};

const SERVICES: usize = 300;
const KILLS: usize = 50;
/// Of one Service each.
const CHANGES_PER_SECOND: u32 = 25;
const LIMIT: Duration = Duration::from_secs(60);
const SILENCE: Duration = Duration::from_secs(3);

#[test]
fn an_operator_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    let program = program();
    let bed = server(env!("CARGO_BIN_EXE_testbed"), "churn");
    let replica = Replica::new(&bed, &program, "churn", 8081);
    inside(&bed, async |client| {
        let mut random = Random::announced();
        let pools: Vec<Pool> = (0..4)
            .map(|index| Pool::new(index, 250, 2 + u32::from(index)))
            .collect();
        let kinds: Api<ExternalIPPool> = Api::all(client.clone());
        for pool in &pools {
            let object = pool.object();
            kinds.create(&PostParams::default(), &object).await.unwrap();
        }
        let mut watching = Watching::start(&client, &pools).await;
        let mut operator = replica.start();
        safe_to_announce(&client, &replica).await;

        let mut crowd = Crowd::new(&client, &pools, random.fork());
        crowd.create_all().await;
        let (end, ended) = oneshot::channel();
        let changing = tokio::spawn(crowd.change_until(ended));
        let begin = Instant::now();
        let mut in_the_middle = 0;
        for kill in 0..KILLS {
            // At a moment that is anywhere, or right after a write to an ExternalIP, when what follows from it is not done.
            if random.chance(50) {
                let writes = 1 + random.below(20);
                let most = Duration::from_secs(3);
                watching.berth_events(writes, most).await;
                in_the_middle += 1;
            } else {
                let pause = 100 + random.below(2_500);
                tokio::time::sleep(Duration::from_millis(pause.try_into().unwrap())).await;
            }
            operator.expect_alive();
            operator.kill();
            let view = watching.now();
            assert!(
                view.violations.is_empty(),
                "after {kill} kills:\n{}\n{}",
                view.violations.join("\n"),
                replica.last_words()
            );
            if random.chance(20) {
                // What is changed in this time, nobody tells it.
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            operator = replica.start();
            if (kill + 1) % 10 == 0 {
                println!("{} kills in {:?}", kill + 1, begin.elapsed());
            }
        }
        end.send(()).unwrap();
        let changes = changing.await.unwrap();
        println!(
            "{KILLS} kills ({in_the_middle} of them after a write) and {changes} changes in {:?}",
            begin.elapsed()
        );

        let settled = match watching.wait(LIMIT, complaints).await {
            Ok(()) => watching.silence(SILENCE, LIMIT).await,
            Err(text) => Err(text),
        };
        let settled = settled.unwrap_or_else(|text| {
            let seen = watching.now().violations.join("\n");
            panic!("{text}\nviolations:\n{seen}\n{}", replica.last_words())
        });
        let view = watching.now();
        println!(
            "silent {settled:?} later: {} Services, {} with an address, {} ExternalIPs; {} events of Services, {} of ExternalIPs",
            view.services.len(),
            view.published,
            view.berths.len(),
            view.service_events,
            view.berth_events
        );
        assert_eq!(complaints(&view), Vec::<String>::new());
        view.expect_clean();
        watching.expect_complete().await;
        operator.expect_alive();
    });
    replica.expect_no_panic();
    bed.down().unwrap();
}

/// Services that change their minds.
struct Crowd {
    services: Api<Service>,
    pools: Vec<Pool>,
    random: Random,
    members: Vec<Member>,
    born: usize,
}

#[derive(Debug, Clone)]
struct Member {
    name: String,
    wish: Wish,
    balanced: bool,
}

impl Crowd {
    fn new(client: &Client, pools: &[Pool], random: Random) -> Self {
        Self {
            services: Api::namespaced(client.clone(), NAMESPACE),
            pools: pools.to_vec(),
            random,
            members: Vec::new(),
            born: 0,
        }
    }

    async fn create_all(&mut self) {
        while self.members.len() < SERVICES {
            let member = self.another();
            self.members.push(member);
        }
        let services = &self.services;
        stream::iter(&self.members)
            .for_each_concurrent(16, |member| async {
                create(services, member).await;
            })
            .await;
    }

    /// Changes one Service after the other until the end is told; returns how many.
    async fn change_until(mut self, mut end: oneshot::Receiver<()>) -> usize {
        let mut clock = interval(Duration::from_secs(1) / CHANGES_PER_SECOND);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for changes in 0.. {
            tokio::select! {
                biased;
                _ = &mut end => return changes,
                _ = clock.tick() => self.change().await,
            }
        }
        unreachable!("the range has no end")
    }

    async fn change(&mut self) {
        let index = self.random.below(self.members.len());
        match self.random.below(10) {
            0 | 1 => {
                self.delete(index).await;
                let member = self.another();
                create(&self.services, &member).await;
                self.members[index] = member;
            }
            2 => {
                self.delete(index).await;
                // Under its old name: it may have its address back at once.
                create(&self.services, &self.members[index]).await;
            }
            3..=5 => {
                let wish = self.wish();
                let patch = json!({"metadata": {"annotations": wish.annotations()}});
                self.patch(index, &patch).await;
                self.members[index].wish = wish;
            }
            6..=8 => {
                let pool = self.random.one_of(&self.pools).clone();
                let mut wish = self.members[index].wish.clone();
                wish.pool = Some(pool.name);
                let patch = json!({"metadata": {"annotations": wish.annotations()}});
                self.patch(index, &patch).await;
                self.members[index].wish = wish;
            }
            _ => {
                let balanced = !self.members[index].balanced;
                self.patch(index, &json!({"spec": type_of(balanced)})).await;
                self.members[index].balanced = balanced;
            }
        }
    }

    fn another(&mut self) -> Member {
        self.born += 1;
        Member {
            name: format!("web-{}", self.born),
            wish: self.wish(),
            balanced: true,
        }
    }

    /// Any address, as a rule; else one of the pool that others want as well, and sometimes one of another pool.
    fn wish(&mut self) -> Wish {
        let pool = self.random.one_of(&self.pools).clone();
        if self.random.chance(60) {
            return Wish::any_of(&pool);
        }
        let index = self.random.below(100);
        let of = if self.random.chance(80) {
            pool.clone()
        } else {
            self.random.one_of(&self.pools).clone()
        };
        Wish {
            pool: Some(pool.name),
            ..Wish::one_of(&of, index)
        }
    }

    async fn delete(&self, index: usize) {
        let name = &self.members[index].name;
        let parameters = DeleteParams::default();
        self.services.delete(name, &parameters).await.unwrap();
    }

    async fn patch(&self, index: usize, patch: &serde_json::Value) {
        let name = &self.members[index].name;
        let (parameters, patch) = (PatchParams::default(), Patch::Merge(patch));
        let patched = self.services.patch(name, &parameters, &patch);
        patched.await.unwrap();
    }
}

async fn create(services: &Api<Service>, member: &Member) {
    let mut object = service(&member.name, &member.wish, 80);
    if !member.balanced {
        let spec = object.spec.as_mut().unwrap();
        spec.type_ = Some("ClusterIP".to_owned());
        spec.allocate_load_balancer_node_ports = None;
    }
    services
        .create(&PostParams::default(), &object)
        .await
        .unwrap();
}

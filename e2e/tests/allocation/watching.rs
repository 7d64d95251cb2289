//! Watches of the API server that keep a [`View`].

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use futures::{StreamExt as _, pin_mut};
use k8s_openapi::api::core::v1::Service;
use kube::api::ListParams;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use mooring_api::{ExternalIP, ExternalIPPool};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::objects::{NAMESPACE, Pool};
use super::view::View;

/// Of many that are wrong, so many tell enough.
const MENTIONED: usize = 20;

/// A change of the view.
type Change = Box<dyn FnOnce(&mut View) + Send>;

/// All that happens, as it happens.
pub(crate) struct Watching {
    client: Client,
    view: watch::Receiver<View>,
    _tasks: JoinSet<()>,
}

// === impl Watching ===

impl Watching {
    /// Watches from now on.
    pub(crate) async fn start(client: &Client, pools: &[Pool]) -> Self {
        let (changes, mut incoming) = mpsc::unbounded_channel::<Change>();
        let (sender, view) = watch::channel(View::new(pools));
        let services: Api<Service> = Api::namespaced(client.clone(), NAMESPACE);
        let (seen, listed): (Vec<_>, Vec<_>) = (0..3).map(|_| oneshot::channel()).unzip();
        let [services_seen, berths_seen, pools_seen] = seen.try_into().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(
            services,
            changes.clone(),
            services_seen,
            View::service,
            View::no_service,
        ));
        tasks.spawn(follow(
            Api::<ExternalIP>::all(client.clone()),
            changes.clone(),
            berths_seen,
            View::berth,
            View::no_berth,
        ));
        tasks.spawn(follow(
            Api::<ExternalIPPool>::all(client.clone()),
            changes,
            pools_seen,
            View::usage,
            |view, name| drop(view.usage.remove(name)),
        ));
        tasks.spawn(async move {
            while let Some(change) = incoming.recv().await {
                sender.send_modify(|view| {
                    change(view);
                    // One wake for all that is there.
                    while let Ok(change) = incoming.try_recv() {
                        change(view);
                    }
                });
            }
        });
        for listed in listed {
            listed.await.unwrap();
        }
        Self {
            client: client.clone(),
            view,
            _tasks: tasks,
        }
    }

    /// What there is now.
    pub(crate) fn now(&self) -> View {
        self.view.borrow().clone()
    }

    /// Waits until it is so; the answer is what is missing, empty if nothing is.
    ///
    /// # Errors
    /// With what is missing at the end of the time.
    pub(crate) async fn wait(
        &mut self,
        limit: Duration,
        missing: impl Fn(&View) -> Vec<String>,
    ) -> Result<(), String> {
        let deadline = Instant::now() + limit;
        loop {
            let open = missing(&self.view.borrow_and_update());
            if open.is_empty() {
                return Ok(());
            }
            // A timeout alone would let changes that never end win for ever.
            let changed = timeout_at(deadline, self.view.changed()).await;
            if changed.is_err() || Instant::now() > deadline {
                let (count, some) = (open.len(), &open[..open.len().min(MENTIONED)]);
                return Err(format!(
                    "{count} are missing after {limit:?}, such as:\n{}",
                    some.join("\n")
                ));
            }
        }
    }

    /// Waits until so many more events of ExternalIPs have come, or the time is over.
    pub(crate) async fn berth_events(&mut self, more: usize, limit: Duration) {
        let goal = self.view.borrow().berth_events + more;
        let reached = self.view.wait_for(|view| view.berth_events >= goal);
        let _ = timeout(limit, reached).await;
    }

    /// Waits until nothing has changed for so long, and says how long it took until the last change.
    ///
    /// # Errors
    /// If that does not come about in `limit`: what still changed.
    pub(crate) async fn silence(
        &mut self,
        silence: Duration,
        limit: Duration,
    ) -> Result<Duration, String> {
        let begin = Instant::now();
        let mut last = begin;
        while let Ok(changed) = timeout(silence, self.view.changed()).await {
            changed.unwrap();
            last = Instant::now();
            if last - begin > limit {
                let before = self.view.borrow_and_update().versions();
                tokio::time::sleep(silence).await;
                let now = self.view.borrow().versions();
                let fought: Vec<String> = now
                    .iter()
                    .filter(|(name, version)| before.get(*name) != Some(version))
                    .map(|(name, version)| format!("{name} is now at {version}"))
                    .collect();
                return Err(format!("no silence, but:\n{}", fought.join("\n")));
            }
        }
        Ok(last - begin)
    }

    /// Fails unless the API server has exactly what was seen: that the watches have told all.
    #[track_caller]
    pub(crate) fn expect_complete(&self) -> impl Future<Output = ()> {
        let client = self.client.clone();
        let seen = self.now();
        async move {
            let mut listed = View::new(&seen.pools);
            let all = ListParams::default();
            let services: Api<Service> = Api::namespaced(client.clone(), NAMESPACE);
            for object in services.list(&all).await.unwrap() {
                listed.service(&object);
            }
            for object in Api::all(client.clone()).list(&all).await.unwrap() {
                listed.berth(&object);
            }
            for object in Api::all(client).list(&all).await.unwrap() {
                listed.usage(&object);
            }
            assert_eq!(listed.versions(), seen.versions(), "listed and watched");
        }
    }
}

/// Turns what the API server says of one kind into changes, in its order.
async fn follow<K>(
    api: Api<K>,
    changes: mpsc::UnboundedSender<Change>,
    listed: oneshot::Sender<()>,
    there: fn(&mut View, &K),
    gone: fn(&mut View, &str),
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let stream = watcher(api, watcher::Config::default());
    pin_mut!(stream);
    let mut listed = Some(listed);
    let mut known = BTreeSet::new();
    let mut relisted = BTreeSet::new();
    while let Some(event) = stream.next().await {
        let send = |change: Change| changes.send(change).unwrap();
        match event {
            Ok(Event::Init) => relisted.clear(),
            Ok(Event::InitApply(object)) => {
                relisted.insert(object.name_any());
                send(Box::new(move |view| there(view, &object)));
            }
            Ok(Event::InitDone) => {
                for name in known
                    .difference(&relisted)
                    .cloned()
                    .collect::<Vec<String>>()
                {
                    send(Box::new(move |view| gone(view, &name)));
                }
                known.clone_from(&relisted);
                if let Some(listed) = listed.take() {
                    let _ = listed.send(());
                }
            }
            Ok(Event::Apply(object)) => {
                known.insert(object.name_any());
                send(Box::new(move |view| there(view, &object)));
            }
            Ok(Event::Delete(object)) => {
                known.remove(&object.name_any());
                send(Box::new(move |view| gone(view, &object.name_any())));
            }
            Err(error) => {
                let text = format!("a watch broke, and what happened then is not known: {error}");
                send(Box::new(move |view| view.violations.push(text)));
            }
        }
    }
}

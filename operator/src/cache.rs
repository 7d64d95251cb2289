//! Copies of API objects, trimmed to what can change a decision, and the watches that keep them up to date.
//!
//! A watch runs as a task and sends what it learns; the copies belong to the loop that receives it. Whole objects live only
//! while they are decoded.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use futures::{StreamExt as _, pin_mut};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource, ResourceExt as _};
use mooring_api::causes;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

/// Objects per page of the first list: what is decoded but not yet trimmed is never more than this.
const PAGE: u32 = 100;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Start-up order never matters, so nothing is waited for much longer than it takes to appear.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often a kind is looked for that the cluster does not have.
const UNSERVED_PAUSE: Duration = Duration::from_secs(10);

/// What a watch learned. Objects go by `namespace/name`.
#[derive(Debug, Clone)]
pub(crate) enum Update<V> {
    /// Everything there is.
    All(BTreeMap<String, V>),
    /// One object, new or changed.
    Set(String, V),
    /// One object is gone, or not of interest any more.
    Gone(String),
    /// Nothing can be learned at the moment.
    Failed(Trouble),
}

/// Why a watch learns nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// The HTTP status, if there was an answer.
    pub code: Option<u16>,
    /// In words.
    pub message: String,
}

/// The objects of one watch.
#[derive(Debug, Clone)]
pub(crate) struct Store<V> {
    objects: BTreeMap<String, V>,
    synced: bool,
    trouble: Option<Trouble>,
}

/// What an update changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing that can change a decision.
    None,
    /// The objects are the same, but they can be trusted again, or no longer.
    Trust,
    /// The objects.
    Objects,
}

// === impl Store ===

impl<V> Default for Store<V> {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            synced: false,
            trouble: None,
        }
    }
}

impl<V: PartialEq> Store<V> {
    /// Takes an update in.
    pub(crate) fn apply(&mut self, update: Update<V>) -> Effect {
        let trouble = match update {
            Update::Failed(trouble) => {
                let new = self.trouble.is_none();
                self.trouble = Some(trouble);
                return if new { Effect::Trust } else { Effect::None };
            }
            _ => self.trouble.take(),
        };
        let changed = match update {
            Update::All(objects) => {
                let changed = !self.synced || self.objects != objects;
                self.synced = true;
                self.objects = objects;
                changed
            }
            Update::Set(key, value) => {
                let changed = self.objects.get(&key) != Some(&value);
                self.objects.insert(key, value);
                changed
            }
            Update::Gone(key) => self.objects.remove(&key).is_some(),
            Update::Failed(_) => false,
        };
        match (changed, trouble) {
            (true, _) => Effect::Objects,
            (false, Some(_)) => Effect::Trust,
            (false, None) => Effect::None,
        }
    }

    /// By key, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.objects
            .iter()
            .map(|(key, value)| (key.as_str(), value))
    }

    /// In the order of their keys.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.objects.values()
    }

    /// One object.
    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        self.objects.get(key)
    }

    /// Takes one object out.
    pub(crate) fn take(&mut self, key: &str) -> Option<V> {
        self.objects.remove(key)
    }

    /// `None` if the objects are complete and current.
    pub(crate) fn doubt(&self) -> Option<Doubt<'_>> {
        match (&self.trouble, self.synced) {
            (Some(trouble), _) => Some(Doubt::Trouble(trouble)),
            (None, false) => Some(Doubt::NotYet),
            (None, true) => None,
        }
    }
}

/// Why a store cannot be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt<'a> {
    /// The first list has not ended.
    NotYet,
    /// The watch failed, and has not recovered.
    Trouble(&'a Trouble),
}

// === follow ===

/// Follows the objects of an API for ever. `convert` trims an object; one that becomes `None` is not of interest.
pub(crate) async fn follow<K, V, C>(
    api: Api<K>,
    selector: watcher::Config,
    convert: impl Fn(K) -> Option<V>,
    change: impl Fn(Update<V>) -> C,
    changes: mpsc::Sender<C>,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let session = follow_once(&api, &selector, &convert, &change, &changes).await;
        if session.learned {
            pause = FIRST_PAUSE;
        }
        if let Some(trouble) = session.trouble {
            // The receiver outlives its watches, or they are about to end with it.
            let _ = changes.send(change(Update::Failed(trouble))).await;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Follows the objects of a kind that a cluster may not have, in the first of its versions that is served. Where none is,
/// there are no objects; it is looked again, slowly.
pub(crate) async fn follow_if_served<K, V, C>(
    versions: Vec<Api<K>>,
    convert: impl Fn(K) -> Option<V>,
    change: impl Fn(Update<V>) -> C,
    changes: mpsc::Sender<C>,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let selector = watcher::Config::default();
    let mut pause = FIRST_PAUSE;
    loop {
        let mut trouble = None;
        for api in &versions {
            let session = follow_once(api, &selector, &convert, &change, &changes).await;
            if session.learned {
                pause = FIRST_PAUSE;
            }
            trouble = session.trouble.filter(|trouble| trouble.code != Some(404));
            if trouble.is_some() || session.learned {
                break;
            }
        }
        pause = match trouble {
            Some(trouble) => {
                let _ = changes.send(change(Update::Failed(trouble))).await;
                tokio::time::sleep(pause).await;
                (pause * 2).min(LONGEST_PAUSE)
            }
            None => {
                let _ = changes.send(change(Update::All(BTreeMap::new()))).await;
                tokio::time::sleep(UNSERVED_PAUSE).await;
                FIRST_PAUSE
            }
        };
    }
}

/// How a watch ended.
struct Session {
    /// It told something.
    learned: bool,
    /// Why it ended; `None` if that is nothing to speak of.
    trouble: Option<Trouble>,
}

/// Lists and watches until that fails. A watch that is resumed says nothing until something changes. A new list says that
/// all is well again.
async fn follow_once<K, V, C>(
    api: &Api<K>,
    selector: &watcher::Config,
    convert: &impl Fn(K) -> Option<V>,
    change: &impl Fn(Update<V>) -> C,
    changes: &mpsc::Sender<C>,
) -> Session
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let stream = watcher::watcher(api.clone(), selector.clone().page_size(PAGE));
    pin_mut!(stream);
    let mut listed = BTreeMap::new();
    let mut learned = false;
    while let Some(event) = stream.next().await {
        let update = match event {
            Ok(Event::Init) => {
                listed.clear();
                continue;
            }
            Ok(Event::InitApply(object)) => {
                let key = key(&object);
                listed.extend(convert(object).map(|value| (key, value)));
                continue;
            }
            Ok(Event::InitDone) => Update::All(std::mem::take(&mut listed)),
            Ok(Event::Apply(object)) => {
                let key = key(&object);
                match convert(object) {
                    Some(value) => Update::Set(key, value),
                    None => Update::Gone(key),
                }
            }
            Ok(Event::Delete(object)) => Update::Gone(key(&object)),
            Err(error) => match trouble(&error) {
                Some(trouble) => {
                    return Session {
                        learned,
                        trouble: Some(trouble),
                    };
                }
                None => continue,
            },
        };
        let _ = changes.send(change(update)).await;
        learned = true;
    }
    Session {
        learned,
        trouble: None,
    }
}

/// What an object goes by in a store.
pub(crate) fn key<K: Resource>(object: &K) -> String {
    match object.namespace() {
        Some(namespace) => format!("{namespace}/{}", object.name_any()),
        None => object.name_any(),
    }
}

/// What an error says about the objects. A watch that merely ended, or whose history the API server has forgotten, is
/// made anew without a word.
fn trouble(error: &watcher::Error) -> Option<Trouble> {
    let answer = match error {
        watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error) => {
            match error {
                kube::Error::Api(status) => Some(status.as_ref()),
                _ => None,
            }
        }
        watcher::Error::WatchError(status) => Some(status.as_ref()),
        watcher::Error::WatchFailed(_) => return None,
        watcher::Error::NoResourceVersion => None,
    };
    let code = answer.map(|status| status.code);
    (code != Some(410)).then(|| Trouble {
        code,
        message: answer.map_or_else(|| causes(error), |status| status.message.clone()),
    })
}

#[cfg(test)]
#[path = "cache/tests.rs"]
mod tests;

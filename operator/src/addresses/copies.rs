//! Copies of objects that are written as well as watched.
//!
//! What the API server answered to a write is known at once, and the watch brings it later, after things that are older.
//! So a copy knows its version: an older one never replaces a newer one, and a new version of equal content is no change.

use std::collections::BTreeMap;

use kube::Resource;

use crate::cache::{Doubt, Effect, Store, Update};

/// An object with what a write has to name, so that it fails if the object is another one by then.
#[derive(Debug, Clone)]
pub(super) struct Versioned<T> {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub version: String,
    /// What decisions are made on.
    pub value: T,
}

/// The objects of one watch.
#[derive(Debug, Clone)]
pub(super) struct Copies<T> {
    store: Store<Versioned<T>>,
    /// The uids of those that were deleted, until the watch says so as well.
    deleted: BTreeMap<String, String>,
}

// === impl Versioned ===

impl<T> Versioned<T> {
    /// An object after trimming.
    pub(super) fn of<K: Resource>(object: &K, value: T) -> Self {
        let metadata = object.meta();
        Self {
            uid: metadata.uid.clone().unwrap_or_default(),
            version: metadata.resource_version.clone().unwrap_or_default(),
            value,
        }
    }

    /// Versions grow, as the API server counts them; one that is no number is taken for newer.
    fn is_older_than(&self, other: &Self) -> bool {
        match (self.version.parse::<u64>(), other.version.parse::<u64>()) {
            (Ok(own), Ok(other)) => own < other,
            _ => false,
        }
    }
}

/// The version does not count.
impl<T: PartialEq> PartialEq for Versioned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.uid == other.uid && self.value == other.value
    }
}

// === impl Copies ===

impl<T> Default for Copies<T> {
    fn default() -> Self {
        Self {
            store: Store::default(),
            deleted: BTreeMap::new(),
        }
    }
}

impl<T: PartialEq> Copies<T> {
    /// Takes in what the watch learned, or the answer to a write.
    pub(super) fn apply(&mut self, mut update: Update<Versioned<T>>) -> Effect {
        match &mut update {
            Update::Set(key, object) => {
                let deleted = self.deleted.get(key) == Some(&object.uid);
                let known = self.store.get(key);
                if deleted || known.is_some_and(|known| object.is_older_than(known)) {
                    return Effect::None;
                }
            }
            Update::Gone(key) => {
                // The name may have been taken again in the meantime.
                let gone = self.deleted.remove(key);
                let known = self.store.get(key);
                if gone.is_some_and(|uid| known.is_some_and(|known| known.uid != uid)) {
                    return Effect::None;
                }
            }
            Update::All(objects) => {
                self.deleted.retain(|key, uid| {
                    let listed = objects.get(key).is_some_and(|object| object.uid == *uid);
                    if listed {
                        objects.remove(key);
                    }
                    listed
                });
                self.keep_newer(objects);
            }
            Update::Failed(_) => {}
        }
        self.store.apply(update)
    }

    fn keep_newer(&mut self, objects: &mut BTreeMap<String, Versioned<T>>) {
        let newer: Vec<String> = objects
            .iter()
            .filter(|(key, listed)| {
                let known = self.store.get(key);
                known.is_some_and(|known| listed.is_older_than(known))
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in newer {
            if let Some(known) = self.store.take(&key) {
                objects.insert(key, known);
            }
        }
    }

    /// This object was deleted: what the watch still says about it is from before.
    pub(super) fn forget(&mut self, key: &str, uid: &str) -> Effect {
        if self.store.get(key).is_none_or(|known| known.uid != uid) {
            return Effect::None;
        }
        self.deleted.insert(key.to_owned(), uid.to_owned());
        self.store.apply(Update::Gone(key.to_owned()))
    }

    /// One object.
    pub(super) fn get(&self, key: &str) -> Option<&Versioned<T>> {
        self.store.get(key)
    }

    /// By key, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Versioned<T>)> {
        self.store.iter()
    }

    /// In the order of their keys.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.store.values().map(|object| &object.value)
    }

    /// `None` if the objects are complete and current.
    pub(super) fn doubt(&self) -> Option<Doubt<'_>> {
        self.store.doubt()
    }
}

#[cfg(test)]
#[path = "copies/tests.rs"]
mod tests;

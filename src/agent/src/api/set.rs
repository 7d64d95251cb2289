use std::collections::BTreeMap;

use kube::Resource;
use kube::runtime::watcher::Event;

/// What a watch has seen, by namespace and name.
pub(super) struct Set<T> {
    known: BTreeMap<(String, String), T>,
    /// A list that has begun and not ended.
    listed: BTreeMap<(String, String), T>,
    /// A list has ended.
    complete: bool,
    changed: bool,
}

// === impl Set ===

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            listed: BTreeMap::new(),
            complete: false,
            changed: false,
        }
    }
}

impl<T: Clone + PartialEq> Set<T> {
    /// Takes an event in. Objects of which `keep` makes nothing are left out.
    pub(super) fn take<K>(&mut self, event: Event<K>, mut keep: impl FnMut(K) -> Option<T>)
    where
        K: Resource<DynamicType = ()>,
    {
        self.changed |= match event {
            Event::Init => {
                self.listed.clear();
                false
            }
            Event::InitApply(object) => {
                let key = key(&object);
                if let Some(kept) = keep(object) {
                    self.listed.insert(key, kept);
                }
                false
            }
            Event::InitDone => {
                let former = std::mem::replace(&mut self.known, std::mem::take(&mut self.listed));
                let first = !std::mem::replace(&mut self.complete, true);
                first || former != self.known
            }
            Event::Apply(object) => {
                let key = key(&object);
                match keep(object) {
                    // The same as before may still be a later version.
                    Some(kept) => {
                        let former = self.known.insert(key.clone(), kept);
                        former.as_ref() != self.known.get(&key)
                    }
                    None => self.known.remove(&key).is_some(),
                }
            }
            Event::Delete(object) => self.known.remove(&key(&object)).is_some(),
        };
    }

    /// The whole set, if it is complete for the first time, or not what it was when it was asked for last.
    pub(super) fn news(&mut self) -> Option<Vec<T>> {
        std::mem::take(&mut self.changed).then(|| self.known.values().cloned().collect())
    }
}

fn key(object: &impl Resource<DynamicType = ()>) -> (String, String) {
    let metadata = object.meta();
    (
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests;

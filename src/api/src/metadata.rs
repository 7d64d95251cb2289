//! Object metadata.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta, Time};
use k8s_openapi::jiff;
use mooring_core::kube_proxy::snapshot::{FieldManager, Metadata, ObjectName, Owner, Timestamp};

/// A point in time as the decisions see it.
pub fn timestamp(time: &Time) -> Timestamp {
    Timestamp::from_unix_seconds(time.0.as_second())
}

/// A point in time for the API. One beyond the years that it can say is the epoch.
pub(crate) fn time(timestamp: Timestamp) -> Time {
    Time(jiff::Timestamp::from_second(timestamp.unix_seconds()).unwrap_or_default())
}

pub(crate) fn metadata(object: &ObjectMeta) -> Metadata {
    Metadata {
        id: ObjectName::new(
            object.namespace.clone().unwrap_or_default(),
            object.name.clone().unwrap_or_default(),
        ),
        uid: object.uid.clone().unwrap_or_default(),
        resource_version: object.resource_version.clone().unwrap_or_default(),
        created: object.creation_timestamp.as_ref().map(timestamp),
        terminating: object.deletion_timestamp.is_some(),
        labels: object.labels.clone().unwrap_or_default(),
        annotations: object.annotations.clone().unwrap_or_default(),
        owners: object
            .owner_references
            .iter()
            .flatten()
            .map(|owner| Owner {
                kind: owner.kind.clone(),
                name: owner.name.clone(),
                uid: owner.uid.clone(),
            })
            .collect(),
        field_managers: object
            .managed_fields
            .iter()
            .flatten()
            .map(field_manager)
            .collect(),
    }
}

fn field_manager(entry: &ManagedFieldsEntry) -> FieldManager {
    FieldManager {
        name: entry.manager.clone().unwrap_or_default(),
        applies: entry.operation.as_deref() == Some("Apply"),
        time: entry.time.as_ref().map(timestamp),
        data_keys: data_keys(entry),
    }
}

/// The keys of `data` in a managed field set, where the key `config.conf` is spelt `f:config.conf` and `.` stands for
/// the map itself.
fn data_keys(entry: &ManagedFieldsEntry) -> BTreeSet<String> {
    let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
    fields
        .and_then(|fields| fields.get("f:data"))
        .and_then(|data| data.as_object())
        .into_iter()
        .flat_map(|data| data.keys())
        .filter_map(|key| key.strip_prefix("f:"))
        .map(str::to_owned)
        .collect()
}

//! The Secret with the keys by which agents know each other, made and changed by the operator.
//!
//! Whoever has them can make nodes take addresses over. Nobody but the operator and the agents needs to read them.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff;
use mooring_core::kube_proxy::snapshot::Timestamp;
use mooring_core::peer::rotation::{Ring, Step};
use mooring_core::peer::{KeyError, Keys};

use crate::metadata::time;

/// The Secret's name, in the namespace of the operator and the agents.
pub const NAME: &str = "mooring-peer-keys";
/// The field of the key that is written with.
pub const CURRENT: &str = "current";
/// The field of the key that is believed, and will be written with.
pub const NEXT: &str = "next";
/// The field of the key that was written with, and is believed still.
pub const PREVIOUS: &str = "previous";
/// The annotation by which an administrator asks for another key; its value has to be [`NOW`].
pub const ROTATE: &str = "mooring.dev/rotate";
/// See [`ROTATE`].
pub const NOW: &str = "now";
/// The annotation with the time of the last step.
pub const STEPPED_AT: &str = "mooring.dev/stepped-at";

const TYPE: &str = "Opaque";
const FIELDS: [&str; 3] = [CURRENT, NEXT, PREVIOUS];

/// A key, as it is kept.
pub type Bytes = [u8; 32];

/// Why a Secret has no keys that can be used. Prints with what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    namespace: String,
    flaw: Flaw,
}

/// What is wrong with the Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// It is of another type.
    Type(String),
    /// It has no current key.
    NoCurrent,
    /// A key has another length.
    Length {
        /// Its field.
        field: &'static str,
        /// Its length, in bytes.
        bytes: usize,
    },
    /// All bytes of a key are the same.
    Trivial {
        /// Its field.
        field: &'static str,
    },
}

/// The keys in a Secret, the one to write with first.
///
/// # Errors
/// What is wrong with it.
pub fn keys(secret: &Secret) -> Result<Keys, Unusable> {
    let unusable = |flaw| Unusable {
        namespace: secret.metadata.namespace.clone().unwrap_or_default(),
        flaw,
    };
    match secret.type_.as_deref() {
        None | Some("" | TYPE) => {}
        Some(other) => return Err(unusable(Flaw::Type(other.to_owned()))),
    }
    let data = secret.data.iter().flatten();
    let data: BTreeMap<&str, &[u8]> = data
        .map(|(name, bytes)| (name.as_str(), bytes.0.as_slice()))
        .collect();
    if !data.contains_key(CURRENT) {
        return Err(unusable(Flaw::NoCurrent));
    }
    let there = FIELDS.into_iter().filter(|field| data.contains_key(field));
    let there: Vec<&'static str> = there.collect();
    let keys = Keys::new(there.iter().filter_map(|field| data.get(field)));
    keys.map_err(|error| {
        let field = |index: usize| there.get(index).copied().unwrap_or(CURRENT);
        unusable(match error {
            KeyError::None => Flaw::NoCurrent,
            KeyError::Length { index, bytes } => Flaw::Length {
                field: field(index),
                bytes,
            },
            KeyError::Trivial { index } => Flaw::Trivial {
                field: field(index),
            },
        })
    })
}

/// The keys in a Secret, as far as they decide about its change.
///
/// # Errors
/// If they cannot be used.
pub fn ring(secret: &Secret) -> Result<Ring, Unusable> {
    keys(secret)?;
    let has = |field: &str| secret.data.iter().any(|data| data.contains_key(field));
    let annotation = |name: &str| secret.metadata.annotations.as_ref()?.get(name);
    let stepped = annotation(STEPPED_AT).and_then(|text| text.parse::<jiff::Timestamp>().ok());
    Ok(Ring {
        next: has(NEXT),
        previous: has(PREVIOUS),
        stepped: stepped.map(|time| Timestamp::from_unix_seconds(time.as_second())),
        requested: annotation(ROTATE).is_some_and(|value| value == NOW),
    })
}

/// A Secret with a first key.
pub fn made(namespace: &str, key: Bytes, now: Timestamp) -> Secret {
    let mut secret = Secret {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        type_: Some(TYPE.to_owned()),
        data: Some(BTreeMap::from([(
            CURRENT.to_owned(),
            ByteString(key.to_vec()),
        )])),
        ..Secret::default()
    };
    stamp(&mut secret, now);
    secret
}

/// The Secret after a step; the rest of it stays as it is. `fresh` becomes the key that the step adds, if it adds one.
pub fn stepped(secret: &Secret, step: Step, fresh: Bytes, now: Timestamp) -> Secret {
    let mut secret = secret.clone();
    let data = secret.data.get_or_insert_default();
    match step {
        Step::Stamp => {}
        Step::Add(_) => {
            data.insert(NEXT.to_owned(), ByteString(fresh.to_vec()));
            if let Some(annotations) = &mut secret.metadata.annotations {
                annotations.remove(ROTATE);
            }
        }
        Step::Switch => {
            if let Some(next) = data.remove(NEXT)
                && let Some(current) = data.insert(CURRENT.to_owned(), next)
            {
                data.insert(PREVIOUS.to_owned(), current);
            }
        }
        Step::Drop => {
            data.remove(PREVIOUS);
        }
    }
    stamp(&mut secret, now);
    secret
}

fn stamp(secret: &mut Secret, now: Timestamp) {
    let annotations = secret.metadata.annotations.get_or_insert_default();
    annotations.insert(STEPPED_AT.to_owned(), time(now).0.to_string());
}

// === impl Unusable ===

impl Unusable {
    /// What is wrong.
    pub fn flaw(&self) -> &Flaw {
        &self.flaw
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, flaw } = self;
        write!(
            f,
            "the Secret {NAME} in namespace {namespace} has no keys that can be used: {flaw}. Agents need them to believe each \
             other, and take no address over without. Mooring does not overwrite what somebody else put there; delete it, and \
             the operator makes another one: kubectl -n {namespace} delete secret {NAME}"
        )
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(type_) => write!(f, "its type is {type_} instead of {TYPE}"),
            Self::NoCurrent => write!(f, "it has no field {CURRENT}"),
            Self::Length { field, bytes } => {
                write!(f, "its field {field} has {bytes} bytes instead of 32")
            }
            Self::Trivial { field } => {
                write!(f, "its field {field} is one byte over and over")
            }
        }
    }
}

impl std::error::Error for Unusable {}

#[cfg(test)]
mod tests;

//! What this node says about addresses, in the status of their ExternalIPs.
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, ResourceExt};
use mooring_api::ExternalIP;
use mooring_api::external_ip::{
    ExternalIPStatus, Said, Sighting, applied, holders_part, let_go_status, said_status,
    sighting_status, unseen_status, witness_part,
};
use mooring_core::condition::Condition;

use super::{Address, FIELD_MANAGER, Trouble, within};

/// The name under which agents own what they say as witnesses.
const WITNESS: &str = "mooring-witness";
/// How often letting go is tried while others write to the same object.
const ATTEMPTS: u32 = 4;

/// Writes the status of ExternalIPs, for this node.
#[derive(Clone)]
pub(crate) struct Berths {
    client: Client,
    node: String,
}

/// What came of writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Written {
    /// It stands so, in this version of the object.
    At(String),
    /// Another node has the address, and this one neither has it nor shall have it: what it has to say would take away what
    /// that one said. Nothing was written.
    HeldElsewhere,
    /// The object is gone. The watch tells the same.
    Gone,
}

/// What came of letting go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LetGo {
    /// The status names this node no more.
    Done,
    /// It did so already: another node, or nobody, has the address there. Nothing was written.
    Overtaken,
    /// The object is gone. The watch tells the same.
    Gone,
}

// === impl Berths ===

impl Berths {
    pub(crate) fn new(client: Client, node: &str) -> Self {
        Self {
            client,
            node: node.to_owned(),
        }
    }

    /// Makes what holders say about the address this, whatever it was. `known` is the object as it was heard last: its
    /// conditions tell since when they are what they are. It need not be written if `known` [says](Address::says) it.
    ///
    /// The node that shall have the address takes the name of another one out of the status even while it only says why it
    /// has not taken the address: the other one may have lost its power, and is asked on the wire.
    ///
    /// # Errors
    /// Why not. The admission policy denies it if this node has nothing, and another one took the address meanwhile and is
    /// the planned one now.
    pub(crate) async fn write(
        &self,
        known: &Address,
        said: &Said,
        now: &Time,
    ) -> Result<Written, Trouble> {
        let planned = known.planned.as_deref() == Some(&self.node);
        if said.held.is_none() && !planned && self.is_elsewhere(&known.status) {
            return Ok(Written::HeldElsewhere);
        }
        let status = said_status(said, &known.status, now);
        match self.apply(known, FIELD_MANAGER, None, &status).await {
            Ok(object) => {
                let object = self.forget_sighting(known, object, now).await?;
                Ok(Written::At(object.resource_version().unwrap_or_default()))
            }
            // Asked with a uid about an object that is not there, the API server speaks of a conflict.
            Err(Trouble::NotFound | Trouble::Conflict(_)) => Ok(Written::Gone),
            Err(trouble) => Err(trouble),
        }
    }

    /// Takes out what this node said about an address that it has no more and shall not have, and leaves what the next one
    /// said. `known` is the object as it was heard last; it may be behind.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn let_go(&self, known: &Address, now: &Time) -> Result<LetGo, Trouble> {
        if self.is_elsewhere(&known.status) {
            return Ok(LetGo::Overtaken);
        }
        let api = self.api();
        let (mut version, mut former) = (known.resource_version.clone(), known.status.clone());
        let mut attempt = 1;
        loop {
            let status = let_go_status(&self.node, known.address, &former, now);
            let version_before = Some(version.as_str());
            match self
                .apply(known, FIELD_MANAGER, version_before, &status)
                .await
            {
                Ok(object) => {
                    self.forget_sighting(known, object, now).await?;
                    return Ok(LetGo::Done);
                }
                Err(Trouble::NotFound) => return Ok(LetGo::Gone),
                Err(Trouble::Conflict(_)) if attempt < ATTEMPTS => attempt += 1,
                Err(trouble) => return Err(trouble),
            }
            let object = match within(api.get(&known.name)).await {
                Ok(object) if object.uid().as_deref() == Some(&known.uid) => object,
                Ok(_) | Err(Trouble::NotFound) => return Ok(LetGo::Gone),
                Err(trouble) => return Err(trouble),
            };
            version = object.resource_version().unwrap_or_default();
            former = object.status.unwrap_or_default();
            if !self.is_ours(&former, known) {
                return Ok(LetGo::Overtaken);
            }
        }
    }

    /// Says what this node saw on the wire when it asked for an address of another one, and whether that is as it should be,
    /// unless the object says so already. What holders said stays as it is. An object that is gone needs no witness.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn witness(
        &self,
        known: &Address,
        sighting: Sighting,
        single: Condition,
        now: &Time,
    ) -> Result<(), Trouble> {
        let written = async {
            // What other witnesses said is not kept in memory: it is needed here alone, and now and then.
            let object = within(self.api().get(&known.name)).await?;
            let former = object.status.unwrap_or_default();
            let status = sighting_status(sighting, single, &former, now);
            if status == witness_part(&former) {
                return Ok(());
            }
            self.apply(known, WITNESS, None, &status).await.map(drop)
        };
        match written.await {
            Ok(()) | Err(Trouble::NotFound | Trouble::Conflict(_)) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    /// Takes back what a witness said, if no node has the address as of this `object`, and gives the object as it is then.
    /// Should anybody have written to it since, that is left alone.
    async fn forget_sighting(
        &self,
        known: &Address,
        object: ExternalIP,
        now: &Time,
    ) -> Result<ExternalIP, Trouble> {
        let former = object.status.clone().unwrap_or_default();
        let Some(status) = unseen_status(known.address, &former, now) else {
            return Ok(object);
        };
        let version = object.resource_version();
        match self
            .apply(known, WITNESS, version.as_deref(), &status)
            .await
        {
            Err(Trouble::NotFound | Trouble::Conflict(_)) => Ok(object),
            other => other,
        }
    }

    /// Whether another node has it.
    fn is_elsewhere(&self, status: &ExternalIPStatus) -> bool {
        let node = status.node.as_deref();
        node.is_some_and(|node| node != self.node)
    }

    /// Whether a status is still what this node wrote: it is named there, or nobody is and it is what was `known`.
    fn is_ours(&self, status: &ExternalIPStatus, known: &Address) -> bool {
        status.node.as_deref() == Some(&self.node) || holders_part(status) == known.status
    }

    async fn apply(
        &self,
        known: &Address,
        manager: &str,
        version: Option<&str>,
        status: &ExternalIPStatus,
    ) -> Result<ExternalIP, Trouble> {
        let body = applied(&known.name, &known.uid, version, status);
        // The conditions that the operator wrote while no node had the address are the agent's now.
        let parameters = PatchParams::apply(manager).force();
        let patch = Patch::Apply(&body);
        within(self.api().patch_status(&known.name, &parameters, &patch)).await
    }

    fn api(&self) -> Api<ExternalIP> {
        Api::all(self.client.clone())
    }
}

#[cfg(test)]
mod tests;

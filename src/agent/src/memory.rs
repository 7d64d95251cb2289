//! What was heard last about addresses, on disk: an agent that starts while the API server is away goes on from there.
//!
//! ```text
//! mooring-agent VERSION SHA-256        of all that follows, in hexadecimal
//! {"addresses": ..., "pools": ..., "nodes": ..., "keys": ...}
//! ```
//!
//! A file of another version, or one that is damaged, is left aside: then the agent knows nothing, as on its first start.
//! It has the keys of the agents, so that nobody else may read it.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mooring_core::peer::Keys;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::api::{Address, NodeLinks, Pool};
use crate::view::View;

/// Grows whenever what is written could be misread by an agent of another version.
const VERSION: u32 = 2;
/// Between two times that it is written, as everything is each time.
const PAUSE: Duration = Duration::from_secs(5);
const NAME: &str = "known";
const MAGIC: &str = "mooring-agent";

/// What is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    /// All ExternalIPs.
    pub addresses: Vec<Arc<Address>>,
    /// All pools.
    pub pools: Vec<Pool>,
    /// The links of all nodes.
    pub nodes: Vec<Arc<NodeLinks>>,
    /// The keys of the agents.
    pub keys: Option<Keys>,
}

/// The same, as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    addresses: Vec<Address>,
    pools: Vec<Pool>,
    nodes: Vec<NodeLinks>,
    keys: Vec<Vec<u8>>,
}

/// Where it is.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    directory: PathBuf,
}

// === impl Memory ===

impl Memory {
    /// In that directory, which has to be there.
    pub(crate) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// What an earlier process of this node knew; `None` if there was none, or nothing that can be used.
    pub(crate) fn read(&self) -> Option<Known> {
        let path = self.directory.join(NAME);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => {
                warn!(path = %path.display(), reason = %error, "what was known before cannot be read");
                return None;
            }
        };
        match parse(&text) {
            Ok(known) => Some(known),
            Err(reason) => {
                warn!(path = %path.display(), reason = format!("{reason:#}"), "what was known before is of no use");
                None
            }
        }
    }

    /// Writes it down, in place of what was there: as a whole, or not at all. It blocks.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn write(&self, known: &Known) -> Result<()> {
        let (new, path) = (self.directory.join("known.new"), self.directory.join(NAME));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new);
        let mut file = file.with_context(|| new.display().to_string())?;
        file.write_all(&text(known)?)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&new, &path))
            .with_context(|| path.display().to_string())
    }
}

/// Has it written down whenever it changes, but not too often.
pub(crate) struct Scribe {
    memory: Option<Memory>,
    /// What was read at the start, until it is asked for.
    read: Option<Known>,
    written: Option<Known>,
    next: Instant,
    /// Something was heard since it was looked at last.
    waits: bool,
}

impl Scribe {
    pub(crate) fn new(directory: Option<&Path>) -> Self {
        let memory = directory.map(Memory::new);
        Self {
            read: memory.as_ref().and_then(Memory::read),
            memory,
            written: None,
            next: Instant::now(),
            waits: false,
        }
    }

    /// What an earlier process knew, once.
    pub(crate) fn recall(&mut self) -> Option<Known> {
        let known = self.read.take()?;
        info!(
            addresses = known.addresses.len(),
            nodes = known.nodes.len(),
            "the API server is away: goes on with what was known before"
        );
        Some(known)
    }

    /// When [`Self::write_down`] has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.waits.then_some(self.next)
    }

    /// Something was heard that may have to be written down.
    pub(crate) fn heard(&mut self) {
        self.waits = true;
    }

    /// Has written down what the API server has said, if that is something else.
    pub(crate) fn write_down(&mut self, view: &View) {
        if !self.waits || Instant::now() < self.next {
            return;
        }
        self.waits = false;
        let (Some(memory), Some(known)) = (&self.memory, view.known()) else {
            return;
        };
        if self.written.as_ref() == Some(&known) {
            return;
        }
        self.next = Instant::now() + PAUSE;
        self.written = Some(known.clone());
        let memory = memory.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = memory.write(&known) {
                let reason = format!("{error:#}");
                warn!(
                    reason,
                    "what is known of addresses could not be written down"
                );
            }
        });
    }
}

fn text(known: &Known) -> Result<Vec<u8>> {
    let keys = known.keys.iter().flat_map(Keys::secrets);
    let written = Written {
        addresses: known.addresses.iter().map(|one| (**one).clone()).collect(),
        pools: known.pools.clone(),
        nodes: known.nodes.iter().map(|one| (**one).clone()).collect(),
        keys: keys.map(|key| key.to_vec()).collect(),
    };
    let body = serde_json::to_vec(&written).context("what is known cannot be written")?;
    let mut text = format!("{MAGIC} {VERSION} {}\n", sum(&body)).into_bytes();
    text.extend(body);
    Ok(text)
}

fn parse(text: &[u8]) -> Result<Known> {
    let end = text.iter().position(|byte| *byte == b'\n');
    let (head, body) = text.split_at(end.context("it has no first line")?);
    let body = &body[1..];
    let head = std::str::from_utf8(head).context("its first line is no text")?;
    let [magic, version, wanted] = head.split(' ').collect::<Vec<_>>()[..] else {
        bail!("its first line is {head:?}");
    };
    if magic != MAGIC || version != VERSION.to_string() {
        bail!("it is of version {version:?}, and this agent reads {VERSION}");
    }
    if sum(body) != wanted {
        bail!("it is damaged: its checksum does not fit");
    }
    let written: Written = serde_json::from_slice(body).context("it cannot be read")?;
    let keys = match written.keys.is_empty() {
        true => None,
        false => Some(Keys::new(written.keys).context("its keys cannot be used")?),
    };
    Ok(Known {
        addresses: written.addresses.into_iter().map(Arc::new).collect(),
        pools: written.pools,
        nodes: written.nodes.into_iter().map(Arc::new).collect(),
        keys,
    })
}

fn sum(body: &[u8]) -> String {
    let bytes = Sha256::digest(body);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;

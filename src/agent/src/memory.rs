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
use std::io::{self, BufWriter, ErrorKind, Seek, SeekFrom, Write};
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
#[derive(Serialize)]
struct Written<'a> {
    addresses: &'a [Arc<Address>],
    pools: &'a [Pool],
    nodes: &'a [Arc<NodeLinks>],
    keys: Vec<&'a [u8]>,
}

/// The same, as it is read.
#[derive(Deserialize)]
struct Read {
    addresses: Vec<Arc<Address>>,
    pools: Vec<Pool>,
    nodes: Vec<Arc<NodeLinks>>,
    keys: Vec<Vec<u8>>,
}

/// What is written through it is summed up, and never in memory as a whole: memory that is locked is not given back.
struct Summing<W> {
    to: W,
    sum: Sha256,
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
        put(known, &mut file)
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
        if known.keys.is_some() {
            // There is nothing left to recall.
            self.read = None;
        }
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

/// Writes the body behind the room for the first line, and then that.
fn put(known: &Known, to: &mut (impl Write + Seek)) -> io::Result<()> {
    let keys = known.keys.iter().flat_map(Keys::secrets);
    let written = Written {
        addresses: &known.addresses,
        pools: &known.pools,
        nodes: &known.nodes,
        keys: keys.map(|key| &key[..]).collect(),
    };
    let room = first_line(&Sha256::digest([])).len();
    to.seek(SeekFrom::Start(room as u64))?;
    let sum = {
        let mut summing = Summing {
            to: BufWriter::new(&mut *to),
            sum: Sha256::new(),
        };
        serde_json::to_writer(&mut summing, &written)?;
        summing.flush()?;
        summing.sum.finalize()
    };
    to.rewind()?;
    to.write_all(first_line(&sum).as_bytes())
}

fn first_line(sum: &[u8]) -> String {
    format!("{MAGIC} {VERSION} {}\n", hexadecimal(sum))
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
    if hexadecimal(&Sha256::digest(body)) != wanted {
        bail!("it is damaged: its checksum does not fit");
    }
    let read: Read = serde_json::from_slice(body).context("it cannot be read")?;
    let keys = match read.keys.is_empty() {
        true => None,
        false => Some(Keys::new(read.keys).context("its keys cannot be used")?),
    };
    Ok(Known {
        addresses: read.addresses,
        pools: read.pools,
        nodes: read.nodes,
        keys,
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

// === impl Summing ===

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests;

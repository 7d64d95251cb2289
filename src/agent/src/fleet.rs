//! The thread that talks to the agents of other nodes, and decides what of theirs falls to this one.
//!
//! ```text
//!  duty ── Order: nodes, keys, addresses ─▶ bridge ─┬─ core::fleet::Fleet: who is gone, what this node shall have
//!   ▲                                         │     ├─ a UDP socket: heartbeats
//!   └───────────── Told::Charged ─────────────┤     └─ sounder: questions for nodes on the wire
//!  moor ◀──────── Order::Want, Permit ────────┤
//!    └─ Order: links, what it really answers for ─▶ bridge
//!  leases ◀────── Request ────────────────────┴─ fence: core::fencing::Fencing, for Fenced addresses
//!    └─ Order::Lease: what the API server answered ─▶ bridge
//! ```
//!
//! It waits for nobody: not for the API server, and not for the kernel where that takes long, as it does while addresses are
//! put on links. What it has to say must come in time, or others take this node for dead.

mod bridge;
mod fence;
mod paths;
mod sounder;
mod toll;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use mooring_core::fencing::{Answer, Request};
use mooring_core::ipam::range::AddressRange;
use mooring_core::mooring::{Now, Wanted};
use mooring_core::peer::{Keys, PeerId};
use mooring_core::succession::{Claim, Post};
use mooring_kernel::hear_refusals;
use tokio::sync::mpsc::UnboundedSender;
use tracing::warn;

use crate::mailbox::{Mailbox, Sender, mailbox};
use crate::metrics::Counts;
use crate::moor::{Moor, SegmentLink};

use bridge::Bridge;
pub(crate) use toll::Toll;

/// Before the thread that answers: after a time in which the node did not run, this one says first what is not its own any
/// more.
const PRIORITY: u8 = 11;

/// What the thread is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// All nodes that have an agent; this one, too.
    Members(Vec<Member>),
    /// What datagrams are authenticated with.
    Keys(Keys),
    /// All addresses that Services have.
    Charges(Vec<Charge>),
    /// What an earlier process of this node had taken over. Comes after the first [`Order::Charges`].
    Restore(Vec<Claim>),
    /// What this node really answers for.
    Held(Held),
    /// What it could answer for at once, of what another node hands over.
    Ready(BTreeSet<IpAddr>),
    /// What connects this node to others.
    Links(Vec<Reach>),
    /// What the API server answered about the Lease of an address, to the request with this ticket.
    Lease(IpAddr, u64, Answer),
}

/// What this node really answers for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Held {
    /// The addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// Those that it asks the wire for, as it stood still, and answered for until then.
    pub doubted: BTreeSet<IpAddr>,
    /// What it cannot answer for, as its interface is down, for one.
    pub hindered: BTreeSet<IpAddr>,
    /// The turn of the [permits](mooring_core::fencing::Permits) that it goes by.
    pub turn: u64,
}

/// A node, as far as it can be talked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its name.
    pub name: String,
    /// Its own addresses on what connects it to others.
    pub addresses: Vec<IpAddr>,
}

/// An address that Services have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Charge {
    /// Who shall have it, and who else may.
    pub post: Post,
    /// How to answer for it, should it be this node.
    pub wanted: Wanted,
}

/// What connects this node to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The link.
    pub link: SegmentLink,
    /// Who is on it.
    pub subnets: Vec<AddressRange>,
    /// The addresses of this node in them.
    pub addresses: Vec<IpAddr>,
}

/// An address that this node shall have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Charged {
    /// The address, and under which term.
    pub claim: Claim,
    /// From whom it was taken over; `None` if the plan says so.
    pub taken: Option<Taken>,
    /// Who had it beside this node, if another one did.
    pub rival: Option<Rival>,
}

/// A node that had an address while this one had it, as each side of a partition has, and that lets go of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rival {
    /// The node.
    pub node: PeerId,
    /// When it was heard of last.
    pub until: Now,
}

/// How an address was taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Who had it.
    pub from: PeerId,
    /// For how long that one had not been heard by then; zero if that is not known.
    pub missed: Duration,
    /// Its kernel does not answer either, as far as this node has seen.
    pub dead: bool,
    /// Its kernel has said that there is no agent any more.
    pub refused: bool,
}

/// The other end of the thread.
#[derive(Clone)]
pub(crate) struct Fleet {
    orders: Sender<Order>,
}

// === impl Member ===

impl Member {
    /// As datagrams name it.
    pub(crate) fn id(&self) -> PeerId {
        PeerId::of(&self.name)
    }
}

// === impl Fleet ===

impl Fleet {
    /// The two ends, before the thread is started: it and the thread that answers know each other.
    pub(crate) fn new() -> Result<(Self, Inbox)> {
        let (orders, mailbox) =
            mailbox().context("no way to wake the thread that talks to other agents")?;
        Ok((Self { orders }, Inbox(mailbox)))
    }

    /// Tells the thread something. One that has ended needs to know nothing.
    pub(crate) fn order(&self, order: Order) {
        self.orders.send(order);
    }

    /// For a thread that may not wait for others.
    pub(crate) fn urgent(&self) -> Self {
        Self {
            orders: self.orders.urgent(),
        }
    }
}

/// What the thread takes orders from.
pub(crate) struct Inbox(Mailbox<Order>);

impl Inbox {
    /// Starts the thread on this UDP port. `tell` is called there, and must not block for long: with what this node shall have,
    /// after that many [`Order::Charges`].
    pub(crate) fn start(
        self,
        node: &str,
        port: u16,
        moor: Moor,
        counts: &Counts,
        leases: UnboundedSender<Request>,
        tell: impl FnMut(u64, Vec<Charged>) + Send + 'static,
    ) -> Result<()> {
        let socket = bind(port)?;
        let frames = Arc::clone(&counts.frames);
        let bridge = Bridge::new(
            node,
            self.0,
            socket,
            moor.urgent(),
            Arc::clone(&counts.datagrams),
            leases,
            tell,
        );
        thread::Builder::new()
            .name("fleet".to_owned())
            .spawn(move || {
                frames.urgency.hurry("fleet", PRIORITY);
                bridge.run();
            })
            .context("no thread to talk to other agents with")?;
        Ok(())
    }
}

/// For both families, where the node has IPv6.
fn bind(port: u16) -> Result<UdpSocket> {
    let any = [
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
    ];
    let socket = UdpSocket::bind(any.as_slice()).with_context(|| {
        format!(
            "cannot hear other agents on UDP port {port}: see what uses it (ss -lup), or choose another one on all nodes \
             with --peer-port"
        )
    })?;
    socket
        .set_nonblocking(true)
        .context("the socket for other agents")?;
    if let Err(error) = hear_refusals(&socket) {
        warn!(reason = %error, "agents that have ended will be noticed somewhat later");
    }
    Ok(socket)
}

//! The thread that answers for addresses: it alone has the sockets, and the addresses on the uplinks.
//!
//! ```text
//!  duty ── Order ─▶ crew ─┬─ core::mooring::{Moorings, Witness}: what to do
//!   ▲                │    ├─ segments: raw sockets, one pair for each uplink
//!   │                │    ├─ deputy: the kernel, which answers most questions in their place
//!   └──── Told ──────┘    ├─ hull: addresses on uplinks and on kube-ipvs0
//!                         └─ lookout: a thread that reads what the service proxy has programmed
//! ```
//!
//! Where the kernel can, it answers for what this thread answers for, and goes on only as long as the thread renews it. All that
//! it leaves, this thread answers: while the kernel cannot, and what takes more than a rule of nftables.
//!
//! It never waits for the API server, nor for anything that takes longer than a call into the kernel: a question on the
//! wire is answered while the rest of the agent is busy. It runs before everything else on the node, too, where the kernel
//! grants that; so it may not be busy for long either.

mod crew;
mod deputy;
mod health_ports;
mod hull;
mod lookout;
mod segments;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use mooring_core::fencing::Permits;
use mooring_core::mooring::{Node, Now, ProxyState, Sighting, Standing, Target, Wanted};
use mooring_core::node::NodeReport;
use mooring_core::wire::Mac;
use tokio::sync::oneshot;

use crew::Crew;
pub(crate) use hull::SegmentLink;
pub(crate) use tally::Tally;

use crate::fleet::{Charged, Fleet};
use crate::mailbox::{Sender, mailbox};

/// Before all Pods, and behind the kernel's own threads, which have 50 where they have any (`sched_set_fifo` in
/// kernel/sched/syscalls.c).
const PRIORITY: u8 = 10;

/// What the thread is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// All that this node shall answer for.
    Want(Vec<Wanted>),
    /// Until when it may answer for what of the Fenced of them.
    Permit(Permits),
    /// What the node is like, and the interfaces of its default routes.
    Node(Box<NodeReport>, Vec<String>),
    /// What the service proxy forwards of what is waited for.
    Proxy(ProxyState),
    /// What it does not forward any more of what is held.
    Missing(BTreeSet<Target>),
    /// The addresses to ask the wire for, as a witness, with the nodes that have them, where that is known.
    Watch(BTreeMap<IpAddr, Option<String>>),
    /// The node behind each MAC address.
    Peers(BTreeMap<Mac, String>),
    /// The addresses that may not be on `kube-ipvs0` while kube-proxy does not use it.
    Clear(BTreeSet<IpAddr>),
    /// Links or addresses changed.
    Look,
    /// The whole node stood still for that time: others have taken over what it had.
    Doubt(Duration),
    /// Another node has let go of an address that this one answers for, too: everybody has to hear who has it.
    Announce(IpAddr),
    /// The process ends.
    End(Farewell, oneshot::Sender<()>),
}

/// What becomes of the addresses when the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// Another agent comes after this one, and finds them served: the kernel stands in.
    StandIn,
    /// Nobody comes: nothing is left behind.
    Leave,
}

/// What the thread tells.
#[derive(Debug)]
pub(crate) enum Told {
    /// How it stands, whenever that changes.
    Moored(Moored),
    /// What was seen of an address that another node has, or that somebody else handed out.
    Seen(Sighting),
    /// The addresses that this node shall have, whenever they change, and after how many [`fleet::Order::Charges`](crate::fleet::Order::Charges).
    Charged(u64, Vec<Charged>),
}

/// How it stands with the addresses of this node.
#[derive(Debug)]
pub(crate) struct Moored {
    /// The node as it was planned for.
    pub node: Node,
    /// The time on the thread's clock.
    pub at: Now,
    /// How it stands with each address.
    pub standings: Arc<[Standing]>,
}

/// The other end of the thread.
#[derive(Clone)]
pub(crate) struct Moor {
    orders: Sender<Order>,
}

// === impl Moor ===

impl Moor {
    /// Starts the thread. It lets `fleet` know what it answers for, and on which links. `tell` is called there, and must not
    /// block for long.
    pub(crate) fn start(
        name: &str,
        fleet: Fleet,
        tally: Arc<Tally>,
        tell: impl FnMut(Told) + Send + 'static,
    ) -> Result<Self> {
        let (orders, mailbox) = mailbox().context("no way to wake the thread that answers")?;
        let moor = Self { orders };
        let lookout = lookout::start(moor.clone())?;
        let to_crew = Arc::clone(&tally);
        let crew = Crew::new(name, mailbox, lookout, fleet.urgent(), to_crew, tell);
        thread::Builder::new()
            .name("moor".to_owned())
            .spawn(move || {
                tally.urgency.hurry("moor", PRIORITY);
                crew.run();
            })
            .context("no thread to answer with")?;
        Ok(moor)
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

    /// Ends the thread, and waits until it has put things in order.
    pub(crate) async fn end(&self, farewell: Farewell) {
        let (done, ended) = oneshot::channel();
        self.order(Order::End(farewell, done));
        // One that has ended already drops its end.
        let _ = ended.await;
    }
}

#[cfg(test)]
mod tests;

//! The loop of the thread.

mod ears;
mod journal;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use mooring_core::fencing::Request;
use mooring_core::fleet::{self, News, Output};
use mooring_core::handover::Passage;
use mooring_core::liveness::{self, Now, Reason, Verdict};
use mooring_core::mooring::{Arrival, SURELY_MISSED, Wanted};
use mooring_core::peer::{Keys, Message, PeerId};
use mooring_core::succession::{self, Claim};
use mooring_kernel::boot_time;
use tokio::sync::mpsc::UnboundedSender;
use tracing::{debug, info, warn};

use super::fence::Fence;
use super::paths::{Path, beside, paths};
use super::sounder::Sounder;
use super::{Charge, Charged, Member, Order, Reach, Rival, Taken, Toll};
use crate::mailbox::Mailbox;
use crate::moor::{self, Moor};

/// The thread.
pub(super) struct Bridge<T> {
    own: PeerId,
    mailbox: Mailbox<Order>,
    socket: UdpSocket,
    port: u16,
    moor: Moor,
    toll: Arc<Toll>,
    tell: T,
    fence: Fence,
    fleet: fleet::Fleet,
    /// Without keys nothing is said, nothing heard, and nobody judged.
    keys: Option<Keys>,
    members: Vec<Member>,
    reaches: Vec<Reach>,
    paths: BTreeMap<PeerId, Path>,
    /// The node behind each address that is asked for.
    behind: BTreeMap<IpAddr, PeerId>,
    sounder: Sounder,
    /// `None` until it was said which there are.
    wanted: Option<BTreeMap<IpAddr, Wanted>>,
    taken: BTreeMap<IpAddr, Taken>,
    /// Who had addresses of this node, too.
    rivals: BTreeMap<IpAddr, Rival>,
    ordered: Option<Vec<Wanted>>,
    charged: Vec<Charged>,
    /// How often it was told which addresses there are, and how often it has answered that.
    charges: u64,
    answered: u64,
}

impl<T: FnMut(u64, Vec<Charged>)> Bridge<T> {
    pub(super) fn new(
        node: &str,
        mailbox: Mailbox<Order>,
        socket: UdpSocket,
        moor: Moor,
        toll: Arc<Toll>,
        leases: UnboundedSender<Request>,
        tell: T,
    ) -> Self {
        let own = PeerId::of(node);
        let port = socket.local_addr().map_or(0, |address| address.port());
        Self {
            own,
            mailbox,
            socket,
            port,
            moor,
            toll,
            tell,
            fence: Fence::new(node, leases),
            fleet: fleet::Fleet::new(own, seed(), boot_time()),
            keys: None,
            members: Vec::new(),
            reaches: Vec::new(),
            paths: BTreeMap::new(),
            behind: BTreeMap::new(),
            sounder: Sounder::default(),
            wanted: None,
            taken: BTreeMap::new(),
            rivals: BTreeMap::new(),
            ordered: None,
            charged: Vec::new(),
            charges: 0,
            answered: 0,
        }
    }

    fn now(&self) -> Now {
        boot_time()
    }

    /// Goes on until nobody is left to tell it anything.
    pub(super) fn run(mut self) {
        loop {
            self.mailbox.waker().clear();
            while let Some(order) = self.mailbox.take() {
                self.take(order);
            }
            if self.mailbox.is_deserted() {
                return;
            }
            let now = self.now();
            if self.keys.is_some() && self.fleet.next() <= now {
                let output = self.fleet.tick(now);
                self.carry_out(output, now);
                self.sounder.rest(now);
            }
            let alone = self.fleet.hears_nobody(now);
            self.fence.go_on(alone, &self.moor, self.now());
            self.listen();
        }
    }

    fn take(&mut self, order: Order) {
        let now = self.now();
        match order {
            Order::Members(members) => {
                self.fleet.set_members(members.iter().map(Member::id), now);
                self.members = members;
                self.find_paths();
            }
            Order::Links(reaches) => {
                self.reaches = reaches;
                self.find_paths();
            }
            Order::Keys(keys) => {
                if self.keys.is_none() {
                    info!("talks to the agents of other nodes from now on");
                }
                self.keys = Some(keys);
            }
            Order::Charges(charges) => self.charge(charges, now),
            Order::Restore(claims) => {
                for claim in &claims {
                    info!(ip = %claim.address, "goes on with an address that this node had taken over");
                }
                let output = self.fleet.restore(claims);
                self.carry_out(output, now);
            }
            Order::Held(held) => {
                let hindered = self.fence.heeded(&held);
                let output = self.fleet.set_held(held.addresses, held.doubted, now);
                self.carry_out(output, now);
                if hindered {
                    self.order();
                }
            }
            Order::Lease(address, ticket, answer) => {
                self.toll.lease(&answer);
                self.fence.answered(address, ticket, answer, now);
            }
            Order::Ready(ready) => {
                let output = self.fleet.set_ready(ready, now);
                self.carry_out(output, now);
            }
        }
    }

    fn find_paths(&mut self) {
        self.paths = paths(&self.members, &self.reaches);
        let addresses = self.paths.iter();
        self.behind = addresses
            .filter_map(|(peer, path)| Some((path.address?, *peer)))
            .collect();
    }

    fn charge(&mut self, charges: Vec<Charge>, now: Now) {
        let (mut posts, mut wanted) = (Vec::new(), BTreeMap::new());
        for Charge { post, wanted: how } in charges {
            if post.chain().any(|node| node == self.own) {
                wanted.insert(post.address, how);
            }
            posts.push(post);
        }
        self.charges += 1;
        let output = self.fleet.set_posts(posts, now);
        // What it goes on with may not be for it any more.
        for (address, how) in self.wanted.take().unwrap_or_default() {
            if self.fleet.claim(address).is_some() {
                wanted.entry(address).or_insert(how);
            }
        }
        self.wanted = Some(wanted);
        self.carry_out(output, now);
    }

    // --- the others ---

    fn carry_out(&mut self, output: Output, now: Now) {
        for message in &output.send {
            self.send(message);
        }
        for peer in output.probe {
            self.sound(peer, now);
        }
        let (mut judged, mut sooner) = (false, false);
        for news in output.news {
            match news {
                News::Node(news) => {
                    judged |= matches!(news, liveness::News::Judged { .. });
                    if let liveness::News::HeldUp { missed } = news
                        && missed >= SURELY_MISSED
                    {
                        self.moor.order(moor::Order::Doubt(missed));
                    }
                    if let liveness::News::Judged {
                        peer, judgement, ..
                    } = news
                        && judgement.is_dead()
                    {
                        sooner |= self.hurry(peer, |taken| &mut taken.dead);
                    }
                    self.toll.news(&news);
                    self.log_node(&news);
                }
                News::Address(news) => {
                    sooner |= matches!(news, succession::News::Prevails { .. });
                    self.heed(&news, now);
                }
                News::HandOver(news) => self.log_handover(&news),
            }
        }
        if judged {
            let verdicts = self.paths.keys();
            let verdicts = verdicts.filter_map(|peer| self.fleet.judgement(*peer));
            self.toll
                .watched(verdicts.map(|judgement| judgement.verdict));
        }
        if output.moved || sooner {
            self.order();
        }
    }

    /// Something is known now of a node that this one has taken addresses over from; tells whether that is news.
    fn hurry(&mut self, from: PeerId, known: impl Fn(&mut Taken) -> &mut bool) -> bool {
        let taken = self.taken.values_mut().filter(|taken| taken.from == from);
        taken.fold(false, |news, taken| {
            news | !std::mem::replace(known(taken), true)
        })
    }

    fn send(&self, message: &Message) {
        let path = self.paths.get(&message.header.to);
        let (Some(keys), Some(address)) = (&self.keys, path.and_then(|path| path.address)) else {
            return;
        };
        let to = SocketAddr::from((address, self.port));
        let sealed = keys.seal(message);
        let sent = match self.socket.send_to(&sealed, to) {
            // That was said about an earlier one, and this one is not sent.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                self.socket.send_to(&sealed, to)
            }
            sent => sent,
        };
        match sent {
            Ok(_) => _ = self.toll.sent.inc(),
            Err(error) => {
                self.toll.unsent.inc();
                debug!(to = %to, reason = %error, "a datagram could not be sent");
            }
        }
    }

    fn sound(&mut self, peer: PeerId, now: Now) {
        let Some(path) = self.paths.get(&peer) else {
            return;
        };
        let reach = self
            .reaches
            .iter()
            .find(|reach| Some(reach.link.index) == path.link);
        if let (Some(address), Some(reach)) = (path.address, reach) {
            self.sounder.ask(address, reach, now);
        }
    }

    // --- addresses ---

    fn heed(&mut self, news: &succession::News, now: Now) {
        match *news {
            succession::News::TakesOver { address, from, .. } => {
                let missed = self.fleet.silence(from, now).unwrap_or_default();
                self.toll.detection.observe(missed.as_secs_f64());
                // Others may have been the first to see it, while this node was still finding out. A kernel that answers is no
                // dead one's, whatever they mean by it.
                let judgement = self.fleet.judgement(from);
                let dead = judgement.is_some_and(|judgement| match judgement.verdict {
                    Verdict::Dead => true,
                    Verdict::Suspected => judgement.reason != Reason::KernelAnswers,
                    _ => false,
                });
                let taken = Taken {
                    from,
                    missed,
                    dead,
                    refused: self.fleet.is_refused(from),
                };
                self.taken.insert(address, taken);
                warn!(
                    ip = %address,
                    from = self.name(from),
                    silent_ms = missed.as_millis(),
                    "takes an address over, as its node is gone"
                );
            }
            succession::News::Yields {
                address,
                to,
                both_held,
            } => {
                self.toll.yielded.inc();
                info!(ip = %address, to = self.name(to), both_held, "yields an address that another node has taken over");
            }
            succession::News::Prevails { address, over } => {
                info!(ip = %address, over = self.name(over), "keeps an address that another node had, too");
                let rival = Rival {
                    node: over,
                    until: now,
                };
                self.rivals.insert(address, rival);
                self.moor.order(moor::Order::Announce(address));
            }
        }
    }

    /// Has answered for what this node shall have, and tells what that is.
    fn order(&mut self) {
        let Some(known) = &self.wanted else { return };
        let claims: Vec<Claim> = self
            .fleet
            .deeds()
            .filter_map(|(address, _)| self.fleet.claim(address))
            .collect();
        let mine: BTreeSet<IpAddr> = claims.iter().map(|claim| claim.address).collect();
        self.taken.retain(|address, _| mine.contains(address));
        self.rivals.retain(|address, _| mine.contains(address));
        let wanted: Vec<Wanted> = claims
            .iter()
            .filter_map(|claim| {
                let wanted = known.get(&claim.address)?.clone();
                // A kernel that still answers is that of a node whose agent may only be late, and so may its answers be.
                let taken = self.taken.get(&claim.address);
                let dead = taken.is_some_and(|taken| taken.dead);
                let refused = taken.is_some_and(|taken| taken.refused);
                let arrival = match self.fleet.passage(claim.address) {
                    _ if self.fleet.is_deaf() => Arrival::Deaf,
                    Some(Passage::Awaited) => Arrival::Awaited,
                    Some(Passage::Released) => Arrival::Released,
                    None if refused => Arrival::AgentGone,
                    None if dead => Arrival::TakenOver,
                    None => Arrival::Planned,
                };
                // The kernel there goes on with what began there.
                let ended = taken.filter(|taken| taken.refused).map(|taken| taken.from);
                let former = self.fleet.former(claim.address).or(ended);
                let former = former.and_then(|peer| self.beside(peer, claim.address));
                Some(Wanted {
                    arrival,
                    former,
                    ..wanted
                })
            })
            .collect();
        self.fence.want(&wanted, self.now());
        if self.ordered.as_ref() != Some(&wanted) {
            self.moor.order(moor::Order::Want(wanted.clone()));
        }
        let charged: Vec<Charged> = claims
            .into_iter()
            .map(|claim| Charged {
                claim,
                taken: match claim.term.takeovers {
                    0 => None,
                    _ => self.taken.get(&claim.address).copied(),
                },
                rival: self.rivals.get(&claim.address).copied(),
            })
            .collect();
        if self.answered != self.charges || charged != self.charged {
            (self.tell)(self.charges, charged.clone());
            self.charged = charged;
            self.answered = self.charges;
        }
        self.ordered = Some(wanted);
    }

    /// Where a node is reached on a segment that both are on, for what goes to an address of a family.
    fn beside(&self, peer: PeerId, like: IpAddr) -> Option<IpAddr> {
        let mut members = self.members.iter();
        let member = members.find(|member| member.id() == peer)?;
        beside(member, &self.reaches, like)
    }

    // --- words ---

    fn name(&self, peer: PeerId) -> String {
        let path = self.paths.get(&peer);
        path.map_or_else(|| peer.to_string(), |path| path.name.clone())
    }
}

/// Another number after each start: random bits that the standard library takes from the kernel.
fn seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(std::process::id())
}

//! The loop of the thread: take orders, go on as the machine says, listen.

mod carrying_out;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use mooring_core::fleet::DOUBT;
use mooring_core::mooring::{
    Moorings, Node, Now, Orders, ProxyState, SYNCED, Sighting, Standing, State, Uplink, Wanted,
    Watch, Witness, segment,
};
use mooring_core::node::NodeReport;
use mooring_core::proxy_mode::LiveMode;
use mooring_core::wire::Mac;
use mooring_kernel::{LinuxHost, boot_time};
use tokio::sync::oneshot;
use tracing::{info, warn};

use carrying_out::log_changes;

use super::deputy::{Deputy, RENEWAL};
use super::hull::{self, Hull};
use super::lookout::{Look, Question};
use super::segments::Segments;
use super::{Farewell, Moored, Order, SegmentLink, Tally, Told};
use crate::fleet::{self, Fleet, Held, Reach};
use crate::mailbox::Mailbox;

/// Addresses on links are compared with what shall be so often when nothing tells of a change: they are renewed then.
const CHECK: Duration = Duration::from_secs(5);
/// How often it is looked whether what is held is forwarded on.
const LOOK_BACK: Duration = Duration::from_secs(10);

/// Between two looks at all addresses at the least, and as long as the first of them took, unless an order comes: nothing else of
/// the node's may run meanwhile, and what is heard, or a deadline that does not move, must not have it look all the time.
const GAP: Duration = Duration::from_millis(5);

/// The thread.
pub(super) struct Crew<T> {
    mailbox: Mailbox<Order>,
    lookout: Sender<Look>,
    fleet: Fleet,
    tell: T,
    host: LinuxHost,
    moorings: Moorings,
    witness: Witness,
    /// What is to be watched, with the holders as far as they are known; on which interface, the links tell.
    watched: BTreeMap<IpAddr, Option<String>>,
    peers: BTreeMap<Mac, String>,
    cleared: BTreeSet<IpAddr>,
    /// What stood in for this agent on uplinks, and until when it may.
    stand_ins: BTreeMap<IpAddr, Now>,
    segments: Segments,
    deputy: Deputy,
    hull: Hull,
    node: Node,
    report: Option<(Box<NodeReport>, Vec<String>)>,
    /// `None` until it was said what is wanted.
    wanted: Option<Vec<Wanted>>,
    /// What was carried out last.
    done: Orders,
    /// When the addresses on links are to be looked at again.
    check: Now,
    asked: Option<Question>,
    /// When it is looked next whether what is held is forwarded on.
    look_back: Now,
    exposed: Option<String>,
    told: Arc<[Standing]>,
    /// What it answers for, as the fleet was told last.
    held: Held,
    /// By which permits it goes.
    turn: u64,
    /// The same, of what it could answer for at once.
    ready: BTreeSet<IpAddr>,
}

impl<T: FnMut(Told)> Crew<T> {
    pub(super) fn new(
        name: &str,
        mailbox: Mailbox<Order>,
        lookout: Sender<Look>,
        fleet: Fleet,
        tally: Arc<Tally>,
        tell: T,
    ) -> Self {
        Self {
            mailbox,
            lookout,
            fleet,
            tell,
            host: LinuxHost::new(),
            moorings: Moorings::new(),
            witness: Witness::default(),
            watched: BTreeMap::new(),
            peers: BTreeMap::new(),
            cleared: BTreeSet::new(),
            stand_ins: BTreeMap::new(),
            segments: Segments::new(tally),
            deputy: Deputy::default(),
            hull: Hull::default(),
            node: Node {
                name: name.to_owned(),
                ..Node::default()
            },
            report: None,
            wanted: None,
            done: Orders::default(),
            check: Now::ZERO,
            asked: None,
            look_back: Now::ZERO,
            exposed: None,
            told: Arc::default(),
            held: Held::default(),
            turn: 0,
            ready: BTreeSet::new(),
        }
    }

    fn now(&self) -> Now {
        // As the thread that holds Leases tells the time: it goes on while the machine sleeps.
        boot_time()
    }

    /// Goes on until it is told to end, or nobody is left to tell it anything.
    pub(super) fn run(mut self) {
        // Questions are answered without a look at all addresses: there may be thousands of both.
        let (mut ordered, mut due, mut rested) = (true, Now::ZERO, Now::ZERO);
        let (mut now, mut was_long) = (self.now(), false);
        loop {
            let turn = self.now();
            let has_been_long = |now: Now| now.saturating_sub(turn) >= DOUBT;
            while let Some(order) = self.mailbox.take() {
                match order {
                    Order::End(farewell, done) => return self.end(farewell, done),
                    order => self.take(order),
                }
                ordered = true;
            }
            if self.mailbox.is_deserted() {
                return;
            }
            if std::mem::take(&mut ordered) || now >= due {
                let begun = self.now();
                self.act();
                self.look_out();
                now = self.now();
                if !has_been_long(now) {
                    self.deputy.renew(&mut self.host, now);
                }
                rested = now + GAP.max(now.saturating_sub(begun));
                let deadlines = [self.moorings.deadline(), self.witness.deadline()];
                due = deadlines.into_iter().flatten().fold(self.check, Now::min);
                due = due.max(rested);
            }
            let lapsed = self.moorings.lapsed(self.now());
            if !lapsed.is_empty() {
                // Before anything is answered, and before anything that takes long.
                self.segments.silence(&|address| !lapsed.contains(address));
                let answered = self.segments.responder();
                let now = self.now();
                self.deputy.reduce(&mut self.host, &answered, now);
                ordered = true;
                continue;
            }
            let mut patience = due.saturating_sub(now);
            if self.segments.answers() {
                // So that a time in which this process did not run shows before it answers for what is not its own any more, and
                // the kernel goes on.
                patience = patience.min(RENEWAL);
            }
            if let Some(until) = self.deputy.waits() {
                patience = patience.min(until.saturating_sub(now));
            }
            // What takes long may be work, or the node stood still meanwhile: then another thread, which only waited, says so by the
            // next turn, and until then nothing goes on.
            let is_long = has_been_long(self.now());
            if is_long || was_long {
                patience = Duration::ZERO;
            }
            let heard = self.segments.listen(self.mailbox.waker(), patience);
            now = self.now();
            let mut stirred = false;
            if let Some(missed) = self.segments.missed() {
                self.deputy.close(&mut self.host, now);
                let missed_ms = missed.as_millis();
                warn!(
                    missed_ms,
                    "did not run for so long that others may have taken over: asks the wire again"
                );
                self.moorings.doubt(missed, now);
                ordered = true;
            } else if !is_long {
                if self.deputy.waits().is_some_and(|until| now >= until) {
                    let answered = self.segments.responder();
                    self.deputy.follow(&mut self.host, &answered, now);
                }
                self.deputy.renew(&mut self.host, now);
            }
            was_long = is_long;
            for spoken in heard {
                stirred |= self.moorings.hear(spoken, now);
                stirred |= self.witness.hear(spoken.address, spoken.mac, now);
            }
            if stirred {
                due = rested;
            }
        }
    }

    fn take(&mut self, order: Order) {
        let now = self.now();
        match order {
            Order::Want(wanted) => {
                self.moorings.want(wanted.iter().cloned(), now);
                if self.wanted.is_none() {
                    self.adopt(now);
                }
                self.wanted = Some(wanted);
                self.check = now;
            }
            Order::Permit(permits) => {
                self.turn = permits.turn;
                self.moorings.permit(permits);
            }
            Order::Node(report, default_routes) => {
                let first = self.report.is_none();
                self.report = Some((report, default_routes));
                self.look(now);
                if first && self.wanted.is_some() {
                    self.adopt(now);
                }
            }
            Order::Proxy(proxy) => self.moorings.program(proxy),
            Order::Missing(missing) => self.moorings.miss(&missing, now),
            Order::Watch(watched) => {
                self.watched = watched;
                self.watch(now);
                self.check = now;
            }
            Order::Peers(peers) => self.peers = peers,
            Order::Clear(cleared) => {
                self.cleared = cleared;
                self.check = now;
            }
            Order::Look => self.look(now),
            Order::Doubt(missed) => self.moorings.doubt(missed, now),
            Order::Announce(address) => self.moorings.announce_again(address, now),
            Order::End(..) => {}
        }
    }

    /// Looks at the links, whose names, MAC addresses and state the report may not have yet.
    fn look(&mut self, now: Now) {
        self.check = now;
        let Some((report, default_routes)) = &self.report else {
            return;
        };
        let (links, name) = (self.segments.links(), &self.node.name);
        match hull::node(&self.host, links, name, report, default_routes) {
            Ok((node, links)) => {
                self.fleet
                    .order(fleet::Order::Links(reaches(&links, &node.uplinks)));
                self.segments.follow(links);
                self.node = node;
                self.moorings.look(self.node.clone(), now);
                self.watch(now);
            }
            Err(error) => warn!(reason = %error, "goes on with the links as they were"),
        }
    }

    /// Has the witness watch what it can ask for.
    fn watch(&mut self, now: Now) {
        let watched = self.watched.iter().filter_map(|(address, holder)| {
            let uplink = segment(*address, &self.node)?;
            let watch = Watch {
                interface: uplink.name.clone(),
                holder: holder.clone(),
            };
            Some((*address, watch))
        });
        self.witness.watch(watched, now);
    }

    /// Asks for the addresses that it is a witness of, and tells what was seen.
    fn look_out(&mut self) {
        let node_of = |mac: Mac| self.peers.get(&mac).map(String::as_str);
        let is_right = |seen: &Sighting| seen.is_right(node_of);
        let (ask, seen) = self.witness.tick(boot_time(), is_right);
        for sending in &ask {
            // Whoever could not ask knows nothing.
            if !self.segments.say(sending) {
                self.witness.give_up(sending.address, boot_time());
            }
        }
        for sighting in seen {
            (self.tell)(Told::Seen(sighting));
        }
    }

    /// What the agent before this one left on the uplinks is still answered for.
    fn adopt(&mut self, now: Now) {
        if self.report.is_none() {
            return;
        }
        match self.hull.survey(&self.host) {
            Ok(()) => {
                self.moorings.adopt(self.hull.ours(), now);
                let stand_ins = self.hull.ours().map(|(address, _)| address);
                self.stand_ins = stand_ins.map(|address| (address, now + SYNCED)).collect();
            }
            Err(error) => warn!(reason = %error, "cannot tell which addresses it had before"),
        }
    }

    fn act(&mut self) {
        let now = self.now();
        if self.wanted.is_none() || self.report.is_none() {
            self.keep_afloat(now);
            return;
        }
        let orders = self.moorings.tick(now);
        self.carry_out(orders, now);
        self.ask_lookout(now);
        let ready: BTreeSet<IpAddr> = self.moorings.ready().collect();
        if ready != self.ready {
            self.fleet.order(fleet::Order::Ready(ready.clone()));
            self.ready = ready;
        }
        let standings: Vec<Standing> = self.moorings.standings(self.now()).collect();
        if *standings != *self.told {
            log_changes(&self.told, &standings);
            let standings = Arc::from(standings);
            self.told = Arc::clone(&standings);
            let (node, at) = (self.node.clone(), self.now());
            (self.tell)(Told::Moored(Moored {
                node,
                at,
                standings,
            }));
        }
        self.tell_held();
    }

    /// Tells the fleet what it answers for, and by which permits.
    fn tell_held(&mut self) {
        let of = |is_so: fn(&Standing) -> bool| {
            let so = self.told.iter().filter(|standing| is_so(standing));
            so.map(|standing| standing.address).collect()
        };
        let held = Held {
            addresses: of(|standing| standing.holding().is_some()),
            doubted: self.moorings.doubted().collect(),
            hindered: of(|standing| matches!(standing.state, State::Hindered(_))),
            turn: self.turn,
        };
        if held != self.held {
            self.fleet.order(fleet::Order::Held(held.clone()));
            self.held = held;
        }
    }

    /// Until the API server says what is wanted, what the agent before this one held is held on: its lifetime must not end
    /// because the API server is away.
    fn keep_afloat(&mut self, now: Now) {
        if now < self.check {
            return;
        }
        self.check = now + CHECK;
        if let Err(error) = self.hull.renew_ours(&mut self.host) {
            warn!(reason = %error, "cannot renew addresses of the agent before this one");
        }
    }

    /// What the service proxy forwards is read again and again while an address waits for it, and now and then while one is held.
    fn ask_lookout(&mut self, now: Now) {
        let waits = self.moorings.awaiting();
        let own = self.node.uplinks.iter().flat_map(|of| &of.addresses);
        let question = (!waits.is_empty()).then(|| Question {
            mode: self.node.mode,
            targets: waits,
            health_ports: self.moorings.health_ports(),
            addresses: own.copied().collect(),
        });
        if question != self.asked {
            let look = Look::Awaited(question.clone().unwrap_or_default());
            // It ends only with the process.
            let _ = self.lookout.send(look);
            if question.is_none() {
                self.moorings.program(ProxyState::default());
            }
            self.asked = question;
        }
        if now >= self.look_back {
            self.look_back = now + LOOK_BACK;
            let held = self.moorings.serving();
            if !held.is_empty() {
                let mode = match self.moorings.mode() {
                    // Nobody can look there; elsewhere nothing is found for as long as the mode is not known.
                    LiveMode::Ebpf => LiveMode::Ebpf,
                    _ => self.node.mode,
                };
                let _ = self.lookout.send(Look::Held(mode, held));
            }
        }
    }

    fn end(mut self, farewell: Farewell, done: oneshot::Sender<()>) {
        let now = self.now();
        match farewell {
            Farewell::StandIn => {
                let kernel = self.moorings.stand_ins();
                self.close_ports(&kernel);
                let count = kernel.len();
                for (address, why) in self.hull.bind(&mut self.host, &kernel) {
                    warn!(ip = %address, reason = %why, "nobody answers until the next agent does");
                }
                self.deputy.dismiss(&mut self.host, now);
                if count > 0 {
                    info!(
                        count,
                        "the kernel answers for addresses until the next agent is there"
                    );
                }
            }
            Farewell::Leave => {
                self.segments.silence(&|_| false);
                self.deputy.dismiss(&mut self.host, now);
                if let Err(error) = self.hull.survey(&self.host) {
                    warn!(reason = %error, "goes on with the addresses as they were");
                }
                self.hull.sweep(&mut self.host, &BTreeMap::new());
                self.close_ports(&BTreeMap::new());
            }
        }
        // Whoever waited may have given up.
        let _ = done.send(());
    }
}

/// Who can be talked to over which link.
fn reaches(links: &[SegmentLink], uplinks: &[Uplink]) -> Vec<Reach> {
    let reach = |link: &SegmentLink| {
        let uplink = uplinks.iter().find(|uplink| uplink.name == link.name);
        Some(Reach {
            link: link.clone(),
            subnets: uplink?.subnets.clone(),
            addresses: uplink?.addresses.clone(),
        })
    };
    links.iter().filter_map(reach).collect()
}

//! Raw sockets on the uplinks: questions that are answered, claims that are heard, and what this node says itself. Questions
//! that the kernel answers ([`deputy`]) do not come here.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use mooring_core::fleet::DOUBT;
use mooring_core::mooring::{Sending, Words};
use mooring_core::wire::answer::{Heard, Spoken, hear, speaker};
use mooring_core::wire::{Mac, arp, ndp};
use mooring_kernel::{
    Answering, Ears, Inbox, InterfaceName, MacAddress, More, PacketError, PacketSocket, Responder,
    Waker, boot_time, wait,
};
use tracing::{debug, warn};

use super::hull::SegmentLink;
use super::{Tally, deputy};

/// How many times frames of one socket are taken before the others have their turn.
const TURNS: usize = 8;

/// How long it rests when it cannot even wait: nothing else of the node's runs while it is busy.
const RELAX: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// All uplinks that have sockets.
pub(super) struct Segments {
    links: Vec<SegmentLink>,
    open: Vec<Segment>,
    tally: Arc<Tally>,
    inbox: Inbox,
    /// Why a link has no sockets, so that it is logged once.
    trouble: BTreeMap<String, String>,
    /// This process did not run for a long time while it listened last.
    missed: Option<Duration>,
}

/// One uplink.
struct Segment {
    link: SegmentLink,
    arp: PacketSocket,
    ndp: PacketSocket,
    /// What the agent answers for.
    answered: HashSet<IpAddr>,
    /// What the kernel answers for.
    bound: HashSet<IpAddr>,
}

// === impl Segments ===

impl Segments {
    pub(super) fn new(tally: Arc<Tally>) -> Self {
        Self {
            links: Vec::new(),
            open: Vec::new(),
            tally,
            inbox: Inbox::new(),
            trouble: BTreeMap::new(),
            missed: None,
        }
    }

    /// The links that frames can go over, as they were told last.
    pub(super) fn links(&self) -> &[SegmentLink] {
        &self.links
    }

    /// These are the links that frames can go over. Sockets stay with their link whatever it is called.
    pub(super) fn follow(&mut self, links: Vec<SegmentLink>) {
        self.open.retain_mut(|segment| {
            let now = links.iter().find(|link| link.index == segment.link.index);
            if let Some(link) = now {
                segment.link.clone_from(link);
            }
            now.is_some()
        });
        self.links = links;
    }

    /// Has sockets on these links and on no others. Why there are none on a link is told.
    pub(super) fn open(&mut self, names: &BTreeSet<&str>) -> &BTreeMap<String, String> {
        self.open
            .retain(|segment| names.contains(segment.link.name.as_str()));
        let mut trouble = BTreeMap::new();
        for link in self
            .links
            .iter()
            .filter(|link| names.contains(link.name.as_str()))
        {
            if self.open.iter().any(|open| open.link.index == link.index) {
                continue;
            }
            match Segment::open(link) {
                Ok(segment) => self.open.push(segment),
                Err(error) => {
                    let why = error.to_string();
                    if self.trouble.get(&link.name) != Some(&why) {
                        warn!(
                            iface = link.name,
                            reason = why,
                            "cannot hear or answer on an uplink"
                        );
                    }
                    trouble.insert(link.name.clone(), why);
                }
            }
        }
        self.trouble = trouble;
        &self.trouble
    }

    /// Stops answering for what does not go on.
    pub(super) fn silence(&mut self, goes_on: &dyn Fn(&IpAddr) -> bool) {
        for segment in &mut self.open {
            segment.answered.retain(goes_on);
            segment.bound.retain(goes_on);
        }
    }

    /// Answers for exactly these addresses, and listens for claims on those that the kernel answers for.
    pub(super) fn set(
        &mut self,
        answer: &BTreeMap<String, BTreeSet<IpAddr>>,
        bind: &BTreeMap<IpAddr, String>,
    ) {
        for segment in &mut self.open {
            let name = &segment.link.name;
            let answered = answer.get(name).into_iter().flatten().copied();
            segment.answered = answered.collect();
            let bound = bind.iter().filter(|(_, interface)| *interface == name);
            segment.bound = bound.map(|(address, _)| *address).collect();
            segment.join();
        }
    }

    /// What is answered, for the kernel to do it first.
    pub(super) fn responder(&self) -> Responder {
        let answering = |segment: &Segment| {
            let answering = Answering {
                name: InterfaceName::new(&segment.link.name).ok()?,
                mac: MacAddress(segment.link.mac.0),
                addresses: segment.answered.iter().copied().collect(),
                claimable: segment.bound.iter().copied().collect(),
            };
            Some((segment.link.index, answering))
        };
        let busy = self.open.iter().filter(|of| !of.answered.is_empty());
        Responder {
            links: busy.filter_map(answering).collect(),
            ..deputy::silence()
        }
    }

    /// For how long this process did not run while it listened last, if that was long enough for others to take over what it
    /// answered for. What was asked meanwhile is not answered yet.
    pub(super) fn missed(&mut self) -> Option<Duration> {
        self.missed.take()
    }

    /// Whether it answers for anything.
    pub(super) fn answers(&self) -> bool {
        self.open.iter().any(|segment| !segment.answered.is_empty())
    }

    /// Waits until a frame comes, the waker is used or the time is over; answers what is asked. What the waker was used for is
    /// to be looked for next: it is cleared.
    pub(super) fn listen(&mut self, waker: &Waker, patience: Duration) -> Vec<Spoken> {
        let mut overheard = Vec::new();
        let sockets: Vec<&PacketSocket> = self
            .open
            .iter()
            .flat_map(|segment| [&segment.arp, &segment.ndp])
            .collect();
        let began = boot_time();
        let ready = match wait(&sockets, Some(waker), Some(patience)) {
            Ok(ready) => ready,
            Err(error) => {
                warn!(reason = %error, "cannot wait for frames");
                std::thread::sleep(patience.clamp(RELAX.0, RELAX.1));
                return overheard;
            }
        };
        let missed = boot_time().saturating_sub(began + patience);
        if missed >= DOUBT {
            self.missed = Some(missed);
            return overheard;
        }
        let mut dead = Vec::new();
        for at in ready.sockets {
            let segment = &self.open[at / 2];
            let socket = if at % 2 == 0 {
                &segment.arp
            } else {
                &segment.ndp
            };
            if let Err(error) = segment.serve(socket, &mut self.inbox, &self.tally, &mut overheard)
            {
                debug!(iface = segment.link.name, reason = %error, "an uplink's socket is of no more use");
                dead.push(segment.link.index);
            }
        }
        if ready.woken {
            waker.clear();
        }
        // The next look opens new ones.
        self.open
            .retain(|segment| !dead.contains(&segment.link.index));
        // Another interface of this node is nobody else, even if it is on the same segment.
        overheard.retain(|spoken: &Spoken| self.links.iter().all(|link| link.mac != spoken.mac));
        overheard
    }

    /// Says something, once; tells whether it could.
    pub(super) fn say(&self, sending: &Sending) -> bool {
        let found = self
            .open
            .iter()
            .find(|open| open.link.name == sending.interface);
        let Some(segment) = found else { return false };
        let own = segment.link.mac;
        let said = match (sending.address, sending.words) {
            (IpAddr::V4(address), Words::Ask) => {
                self.send(segment, &segment.arp, &arp::probe(own, address))
            }
            // Some hosts heed only the one, and some only the other.
            (IpAddr::V4(address), Words::Announce) => {
                let forms = [
                    arp::announcement_request(own, address),
                    arp::announcement_reply(own, address),
                ];
                forms
                    .iter()
                    .all(|frame| self.send(segment, &segment.arp, frame))
            }
            (IpAddr::V6(address), Words::Ask) => {
                let question = ndp::solicitation(own, Ipv6Addr::UNSPECIFIED, address);
                self.send(segment, &segment.ndp, &question)
            }
            (IpAddr::V6(address), Words::Announce) => {
                self.send(segment, &segment.ndp, &ndp::unsolicited(own, address))
            }
        };
        match sending.words {
            Words::Ask => &self.tally.questions,
            Words::Announce => &self.tally.announcements,
        }
        .inc();
        said
    }

    fn send(&self, segment: &Segment, socket: &PacketSocket, frame: &[u8]) -> bool {
        let sent = socket.send(frame);
        if let Err(error) = &sent {
            self.tally.unsent.inc();
            debug!(iface = segment.link.name, reason = %error, "a frame could not be sent");
        }
        sent.is_ok()
    }
}

// === impl Segment ===

impl Segment {
    fn open(link: &SegmentLink) -> Result<Self, PacketError> {
        Ok(Self {
            link: link.clone(),
            arp: PacketSocket::open(link.index, Ears::Arp)?,
            ndp: PacketSocket::open(link.index, Ears::Ndp)?,
            answered: HashSet::new(),
            bound: HashSet::new(),
        })
    }

    /// Joins the groups that solicitations for its addresses go to; for those on the interface the kernel does.
    fn join(&mut self) {
        let groups = self.answered.iter().filter_map(|address| match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(v6) => Some(MacAddress(Mac::solicited_node(*v6).0)),
        });
        if let Err(error) = self.ndp.set_groups(&groups.collect()) {
            warn!(iface = self.link.name, reason = %error, "questions for IPv6 addresses may not be heard");
        }
    }

    /// Takes the frames of one socket. As soon as it has no more, nobody asks it again: waiting tells as well, and each call of
    /// the kernel keeps the next answer waiting.
    fn serve(
        &self,
        socket: &PacketSocket,
        inbox: &mut Inbox,
        tally: &Tally,
        overheard: &mut Vec<Spoken>,
    ) -> Result<(), PacketError> {
        let mut replies = Vec::new();
        for _ in 0..TURNS {
            let more = socket.receive_many(inbox)?;
            for frame in inbox.frames() {
                replies.extend(self.heed(frame, tally, overheard));
            }
            let sent = socket.send_many(&replies);
            tally.answers.inc_by(sent as u64);
            tally.unsent.inc_by((replies.len() - sent) as u64);
            replies.clear();
            if more == More::No {
                break;
            }
        }
        Ok(())
    }

    /// What to say to a frame.
    fn heed(&self, frame: &[u8], tally: &Tally, overheard: &mut Vec<Spoken>) -> Option<Vec<u8>> {
        let held =
            |address: IpAddr| self.answered.contains(&address) || self.bound.contains(&address);
        match hear(frame, self.link.mac, held) {
            Ok(Heard::Question { address, reply, .. }) => {
                return self.answered.contains(&address).then_some(reply);
            }
            Ok(Heard::Claim { address, mac }) => {
                tally.claims.inc();
                overheard.push(Spoken {
                    address,
                    mac,
                    answers: false,
                });
            }
            // It may be about an address that this node asks for.
            Ok(Heard::Foreign) => {
                overheard.extend(speaker(frame).filter(|spoken| spoken.mac != self.link.mac));
            }
            Err(_) => _ = tally.malformed.inc(),
        }
        None
    }
}

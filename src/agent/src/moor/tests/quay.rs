//! A node in one network namespace, everybody else in another one, and cables between them.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use mooring_core::mooring::{Holding, Programmed};
use mooring_kernel::{Link, Monitor};
use nix::sched::setns;

use super::wire::Wire;
use super::*;

/// As the agent waits for the end of a burst of changes, and at most.
const QUIET: Duration = Duration::from_millis(200);
const BURST: Duration = Duration::from_secs(1);
/// How long something is waited for that has to come.
const PATIENCE: Duration = Duration::from_secs(15);

/// The thread that answers, with what it needs to run as it does in the agent. The test's own thread is in the node's network
/// namespace, too.
pub(super) struct Quay {
    node: File,
    outside: File,
    moor: Moor,
    tally: Arc<Tally>,
    told: mpsc::Receiver<Told>,
    wanted: Vec<IpAddr>,
    standings: Arc<[Standing]>,
    /// Whether the thread is to die at the next thing that it tells.
    dies: Arc<AtomicBool>,
}

/// Tells a story in two network namespaces of its own.
pub(super) fn story(tell: fn(Quay)) {
    if !nix::unistd::geteuid().is_root() {
        // Said where tests are counted: the test bed's run is as root.
        tracing::warn!("skipped: network namespaces need root");
        return;
    }
    let told = thread::spawn(move || tell(Quay::new()));
    told.join().unwrap();
}

pub(super) fn ip_address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The link of that name in the thread's network namespace.
pub(super) fn link(name: &str) -> Link {
    let links = LinuxHost::new().links().unwrap();
    let found = links.into_iter().find(|link| link.name.as_os_str() == name);
    found.unwrap_or_else(|| panic!("there is no {name}"))
}

/// The MAC address of a link.
pub(super) fn mac(name: &str) -> Mac {
    Mac(link(name).mac.unwrap().0)
}

fn namespace() -> File {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    File::open("/proc/thread-self/ns/net").unwrap()
}

// === impl Quay ===

impl Quay {
    fn new() -> Self {
        let outside = namespace();
        let node = namespace();
        // Over which the kernel is told to go on.
        ip("link set lo up");
        let (sender, told) = mpsc::channel();
        let dies = Arc::new(AtomicBool::new(false));
        let dying = Arc::clone(&dies);
        let tally = Arc::new(Tally::default());
        let moor = Moor::start(
            "n1",
            Fleet::new().unwrap().0,
            Arc::clone(&tally),
            move |told| {
                assert!(!dying.load(Ordering::Relaxed), "this is how it dies");
                let _ = sender.send(told);
            },
        )
        .unwrap();
        let looks = moor.clone();
        let mut monitor = Monitor::open(QUIET, BURST).unwrap();
        thread::spawn(move || {
            while monitor.wait().is_ok() {
                looks.order(Order::Look);
            }
        });
        Self {
            node,
            outside,
            moor,
            tally,
            told,
            wanted: Vec::new(),
            standings: Arc::default(),
            dies,
        }
    }

    /// What the thread counted.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// A cable from the node to everybody else. Its ends are down.
    pub(super) fn cable(&self, inside: &str, outside: &str) {
        let namespace = self.outside.as_raw_fd();
        let namespace = format!("/proc/{}/fd/{namespace}", std::process::id());
        ip(&format!("link add {inside} type veth peer name {outside}"));
        ip(&format!("link set {outside} netns {namespace}"));
    }

    /// Does something outside.
    pub(super) fn outside<T>(&self, what: impl FnOnce() -> T) -> T {
        setns(&self.outside, CloneFlags::CLONE_NEWNET).unwrap();
        let done = what();
        setns(&self.node, CloneFlags::CLONE_NEWNET).unwrap();
        done
    }

    /// An end of a cable outside, which is up from now on.
    pub(super) fn wire(&self, interface: &str) -> Wire {
        self.outside(|| {
            ip(&format!("link set {interface} up"));
            Wire::at(interface)
        })
    }

    /// Gives the node an uplink, `up0`, with an IPv4 address, and who listens at its other end.
    pub(super) fn uplink(&self) -> Wire {
        self.cable("up0", "peer0");
        let wire = self.wire("peer0");
        ip("address add 10.9.0.1/24 dev up0");
        ip("link set up0 up");
        wire
    }

    /// Says what the node is like: its mode, and its uplinks with the subnets on each.
    pub(super) fn report(&self, mode: LiveMode, uplinks: &[(&str, &[&str])]) {
        let uplink = |(name, subnets): &(&str, &[&str])| Uplink {
            name: (*name).to_owned(),
            mac: mac(name).to_string(),
            subnets: subnets.iter().map(|&subnet| subnet.to_owned()).collect(),
            addresses: Vec::new(),
            gateways: Vec::new(),
            arp_ignore: 1,
            arp_announce: 2,
        };
        let report = NodeReport {
            mode,
            uplinks: uplinks.iter().map(uplink).collect(),
            ..NodeReport::default()
        };
        self.moor.order(Order::Node(Box::new(report), Vec::new()));
    }

    /// Has it answer for exactly these addresses.
    pub(super) fn want(&mut self, addresses: &[IpAddr]) {
        self.wanted = addresses.to_vec();
        let wanted = addresses.iter().map(|address| wanted(*address));
        self.moor.order(Order::Want(wanted.collect()));
    }

    /// The same, and it needs a permit for each.
    pub(super) fn want_fenced(&mut self, addresses: &[IpAddr]) {
        self.wanted = addresses.to_vec();
        let wanted = addresses.iter().map(|address| Wanted {
            ownership: Ownership::Fenced,
            ..wanted(*address)
        });
        self.moor.order(Order::Want(wanted.collect()));
    }

    /// Lets it answer for these until then.
    pub(super) fn permit(&self, addresses: &[IpAddr], until: Now) {
        let until = addresses.iter().map(|address| (*address, until));
        self.moor.order(Order::Permit(Permits {
            until: until.collect(),
            ..Permits::default()
        }));
    }

    /// Waits until all that is wanted is held. That the service proxy forwards it is only said to be so.
    pub(super) fn hold(&mut self) {
        self.hold_by(|_| true);
    }

    /// The same, on this interface.
    pub(super) fn hold_on(&mut self, interface: &str) {
        self.hold_by(|holding| holding.berth.interface == interface);
    }

    fn hold_by(&mut self, fits: impl Fn(&Holding) -> bool) {
        let programmed = self.wanted.iter().flat_map(|address| {
            let wanted = wanted(*address);
            wanted.targets().collect::<Vec<_>>()
        });
        let programmed: BTreeSet<_> = programmed.collect();
        let deadline = Instant::now() + PATIENCE;
        while !self.holds_all(&fits) {
            assert!(Instant::now() < deadline, "{:?}", self.standings);
            // The lookout says again and again what is really so.
            let said = ProxyState {
                programmed: Programmed::Targets(programmed.clone()),
                ..ProxyState::default()
            };
            self.moor.order(Order::Proxy(said));
            self.hear(Duration::from_millis(20));
        }
    }

    fn holds_all(&self, fits: &impl Fn(&Holding) -> bool) -> bool {
        self.wanted.iter().all(|address| {
            let mut standings = self.standings.iter();
            let found = standings.find(|found| found.address == *address);
            found.and_then(Standing::holding).is_some_and(fits)
        })
    }

    /// Waits until it stands so with the address.
    pub(super) fn until(&mut self, address: IpAddr, fits: impl Fn(&State) -> bool) -> Standing {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut standings = self.standings.iter();
            let found = standings.find(|found| found.address == address);
            if let Some(found) = found.filter(|found| fits(&found.state)) {
                return found.clone();
            }
            assert!(Instant::now() < deadline, "{:?}", self.standings);
            self.hear(Duration::from_millis(100));
        }
    }

    /// Waits until nothing is said of the address any more.
    pub(super) fn until_gone(&mut self, address: IpAddr) {
        let deadline = Instant::now() + PATIENCE;
        while self.standings.iter().any(|found| found.address == address) {
            assert!(Instant::now() < deadline, "{:?}", self.standings);
            self.hear(Duration::from_millis(100));
        }
    }

    fn hear(&mut self, patience: Duration) {
        if let Ok(Told::Moored(moored)) = self.told.recv_timeout(patience) {
            self.standings = moored.standings;
        }
    }

    /// Ends the thread as a crash would: it has no time to do anything.
    pub(super) fn kill(&self) {
        self.dies.store(true, Ordering::Relaxed);
        // It tells that it cannot have this one, or would.
        let mut wanted: Vec<Wanted> = self
            .wanted
            .iter()
            .map(|held| super::wanted(*held))
            .collect();
        wanted.push(super::wanted(ip_address("192.0.2.1")));
        self.moor.order(Order::Want(wanted));
        let deadline = Instant::now() + PATIENCE;
        while !matches!(
            self.told.recv_timeout(Duration::from_millis(100)),
            Err(mpsc::RecvTimeoutError::Disconnected)
        ) {
            assert!(Instant::now() < deadline, "it does not die");
        }
    }
}

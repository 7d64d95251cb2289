//! A client for each address and a watch of the wire, from before something happens until it is over.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use testbed::probe::Mac;
use testbed::steady::{Options, Report, SteadyClient};
use testbed::watcher::{Story, Watcher};

use super::Site;

/// Clients begin before anything happens, and each has had answers for so long.
const WARM_UP: Duration = Duration::from_secs(2);
/// An answer of the beginning is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than a node takes to take addresses back, after it has booted.
const RETURN: Duration = Duration::from_secs(240);
/// Who has had no answer for so long when the trial ends is without service.
const CUT_OFF: Duration = Duration::from_secs(1);

/// The addresses of each host.
pub(crate) type Owners = BTreeMap<String, Vec<IpAddr>>;

/// How often each client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Every 10 ms, and no longer than 100 ms.
    Measuring,
    /// Every 50 ms, and no longer than 500 ms: a node boots meanwhile, and needs the machine.
    Attentive,
}

/// One that runs.
pub(crate) struct Trial<'a> {
    site: &'a Site<'a>,
    watcher: Watcher,
    clients: Vec<SteadyClient>,
    names: BTreeMap<Mac, String>,
}

/// A moment, on the clocks of the watch and of each client.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(crate) watch: Duration,
    clients: Vec<Duration>,
}

/// What was seen of one address.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) address: IpAddr,
    /// The host that answered last.
    pub(crate) owner: Option<String>,
    /// The longest time between the starts of two successful attempts, one after the other.
    pub(crate) outage: Duration,
    /// Whether it was served in the end; else the outage is how long it was not.
    pub(crate) is_over: bool,
    /// The longest such time before the mark: what this machine alone costs.
    pub(crate) noise: Duration,
    /// The attempts since the last success before the mark.
    pub(crate) report: Report,
    /// The longest time since the mark in which nobody answered on the wire. Who knows the MAC already does not notice.
    pub(crate) silence: Duration,
    /// Of the wire, from the beginning.
    pub(crate) story: Story,
}

// === impl Pace ===

impl Pace {
    fn options(self) -> Options {
        let (period, time_out) = match self {
            Self::Measuring => (10, 100),
            Self::Attentive => (50, 500),
        };
        Options {
            period: Duration::from_millis(period),
            time_out: Duration::from_millis(time_out),
            attempts: u32::MAX,
            // None waits for a thread while all attempts time out.
            threads: 12,
        }
    }
}

// === impl Trial ===

impl<'a> Trial<'a> {
    /// Starts, and waits until each client has had answers for a while; but for attentive ones, whose addresses nobody may
    /// serve yet.
    #[track_caller]
    pub(crate) fn begin(site: &'a Site<'a>, pace: Pace) -> Self {
        let bed = site.bed;
        let client = |address: &IpAddr| {
            let target = SocketAddr::new(*address, 80);
            bed.ask_steadily("client", target, pace.options()).unwrap()
        };
        let hosts = bed.status().unwrap();
        let trial = Self {
            site,
            watcher: bed.watch("client", &site.addresses).unwrap(),
            clients: site.addresses.iter().map(client).collect(),
            names: hosts.hosts().map(|host| (host.mac(), host.name)).collect(),
        };
        let begin = Instant::now();
        let is_warm = |client: &SteadyClient| client.last_success() > Some(WARM_UP);
        while pace == Pace::Measuring && !trial.clients.iter().all(is_warm) {
            assert!(begin.elapsed() < PATIENCE, "{:#?}", trial.reports());
            std::thread::sleep(Duration::from_millis(50));
        }
        trial
    }

    /// Now.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            watch: self.watcher.now(),
            clients: self.clients.iter().map(SteadyClient::now).collect(),
        }
    }

    /// The host that answered for an address last.
    pub(crate) fn owner(&self, address: IpAddr) -> Option<String> {
        let story = self.watcher.story(address).unwrap();
        owner(&self.names, &story)
    }

    /// Who has what, by who answered last.
    pub(crate) fn owners(&self) -> Owners {
        let mut owners = Owners::new();
        for address in &self.site.addresses {
            if let Some(owner) = self.owner(*address) {
                owners.entry(owner).or_default().push(*address);
            }
        }
        owners
    }

    /// Which host has most addresses, and which these are.
    #[track_caller]
    pub(crate) fn busiest(&self) -> (String, Vec<IpAddr>) {
        let owners = self.owners().into_iter();
        let most = owners.max_by_key(|(_, all)| all.len());
        most.expect("a host that answers")
    }

    /// Waits until they have what they had.
    #[track_caller]
    pub(crate) fn wait_for_owners(&self, owners: &Owners) {
        let begin = Instant::now();
        while self.owners() != *owners {
            assert!(begin.elapsed() < RETURN, "{:#?}", self.owners());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits until an attempt that started after the mark has succeeded for each of these addresses; says whether it did in
    /// time.
    pub(crate) fn is_served_since(
        &self,
        mark: &Mark,
        addresses: &[IpAddr],
        limit: Duration,
    ) -> bool {
        let begin = Instant::now();
        loop {
            let mut clients = self
                .site
                .addresses
                .iter()
                .zip(&self.clients)
                .zip(&mark.clients);
            let is_served = clients.all(|((address, client), since)| {
                !addresses.contains(address) || client.last_success() > Some(*since)
            });
            if is_served || begin.elapsed() > limit {
                return is_served;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it; outages are those since the mark.
    pub(crate) fn end(self, mark: &Mark) -> Vec<Seen> {
        let stories = self.watcher.end().unwrap();
        let clients = self.clients.into_iter().zip(&mark.clients);
        clients
            .zip(stories)
            .map(|((client, since), story)| {
                let now = client.now();
                let whole = client.end();
                let mut successes = whole.attempts.iter().filter(|it| it.outcome.is_ok());
                let before = successes.clone().rfind(|it| it.at <= *since);
                let last = successes.next_back().map(|it| it.at);
                // With the last success before the mark.
                let begin = before.map_or(*since, |it| it.at);
                let report = whole.between(begin, Duration::MAX);
                let open = now.saturating_sub(last.unwrap_or_default());
                let (longest, is_over) = (longest_gap(&report), open < CUT_OFF);
                Seen {
                    address: story.address,
                    owner: owner(&self.names, &story),
                    outage: if is_over { longest } else { longest.max(open) },
                    is_over,
                    noise: longest_gap(&whole.between(Duration::ZERO, *since)),
                    report,
                    silence: story.since(mark.watch).longest_silence(),
                    story,
                }
            })
            .collect()
    }

    fn reports(&self) -> Vec<String> {
        let clients = self.clients.iter();
        clients.map(|client| client.report().to_string()).collect()
    }
}

fn longest_gap(report: &Report) -> Duration {
    let gap = report.longest_gap();
    gap.map(|gap| gap.length()).unwrap_or_default()
}

/// The host that answered last.
fn owner(names: &BTreeMap<Mac, String>, story: &Story) -> Option<String> {
    let latest = story.stints.iter().max_by_key(|stint| stint.last)?;
    names.get(&latest.mac).cloned()
}

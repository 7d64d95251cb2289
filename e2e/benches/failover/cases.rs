//! What happens to the owner of addresses, and what takes it back.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use testbed::protocol::Request;

use crate::failover::{Owners, Pace, Seen, Site, Trial};
use crate::figures::{Figures, Sample};
use crate::product::Product;

pub(crate) const POWER_CUT: &str = "power cut";
pub(crate) const FREEZE: &str = "freeze";
/// What undoes them.
pub(crate) const BOOT: &str = "boot after it";
pub(crate) const THAW: &str = "thaw after it";

/// Kubernetes alone moves the addresses of a node that is off after 40 seconds.
const LIMIT: Duration = Duration::from_secs(120);
/// Between the look at a node and the blow.
const QUIET: Duration = Duration::from_secs(1);
/// Whatever comes after the first answer is seen as well; a kubelet starts an agent that was killed within that.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// Measures one product.
pub(crate) struct Bench<'a, 'b> {
    site: &'a Site<'a>,
    product: &'a Product<'a>,
    figures: &'b mut Figures,
    last_victim: String,
}

/// Something that is done to a node, and undone.
struct Case<'c> {
    name: String,
    undone: String,
    /// Finds out what it needs to know, so that the blow itself costs the node next to nothing.
    aim: &'c dyn Fn(&str) -> Blow<'c>,
    undo: &'c dyn Fn(&str),
}

type Blow<'c> = Box<dyn FnOnce() + 'c>;

// === impl Bench ===

impl<'a, 'b> Bench<'a, 'b> {
    pub(crate) fn new(
        site: &'a Site<'a>,
        product: &'a Product<'a>,
        figures: &'b mut Figures,
    ) -> Self {
        Self {
            site,
            product,
            figures,
            last_victim: String::new(),
        }
    }

    /// The node loses its power, and boots.
    pub(crate) fn power_cuts(&mut self, runs: usize) {
        self.orders(POWER_CUT, BOOT, [Request::Kill, Request::Boot], runs);
    }

    /// The kernel of the node stops where it is, and goes on.
    pub(crate) fn freezes(&mut self, runs: usize) {
        self.orders(FREEZE, THAW, [Request::Freeze, Request::Thaw], runs);
    }

    /// What the bed does and undoes.
    fn orders(
        &mut self,
        name: &str,
        undone: &str,
        orders: [fn(String) -> Request; 2],
        runs: usize,
    ) {
        let bed = self.site.bed;
        let [strike, undo] = orders.map(|order| {
            move |node: &str| {
                bed.order(&order(node.to_owned())).unwrap();
            }
        });
        let case = Case {
            name: name.to_owned(),
            undone: undone.to_owned(),
            aim: &|node| {
                let node = node.to_owned();
                Box::new(move || strike(&node))
            },
            undo: &undo,
        };
        self.repeat(&case, runs);
    }

    /// The agent of the node is killed, and the kubelet starts another; then its Pod is replaced, so that the kubelet does not
    /// wait longer each time.
    pub(crate) fn agents(&mut self, runs: usize, bind: &str) {
        let (bed, product) = (self.site.bed, self.product);
        product.bind(self.site, bind);
        let case = Case {
            name: format!("agent killed ({bind})"),
            undone: format!("agent replaced ({bind})"),
            aim: &|node| {
                let pid = bed.run_on(node, "busybox pidof mooring-agent").unwrap();
                let (node, kill) = (node.to_owned(), format!("kill -9 {pid}"));
                Box::new(move || {
                    bed.run_on(&node, &kill).unwrap();
                })
            },
            undo: &|node| product.replace_agent(node),
        };
        self.repeat(&case, runs);
    }

    fn repeat(&mut self, case: &Case<'_>, runs: usize) {
        for run in 1..=runs {
            let begin = Instant::now();
            let (product, name) = (self.product.name(), &case.name);
            let (owners, victim, served) = self.strike(case, run);
            println!("{product}, {name} {run}/{runs}: {victim}: {served}");
            let settled = self.undo(case, run, &victim, &owners);
            let seconds = begin.elapsed().as_secs();
            println!("  {}: {settled}; {seconds} s in all", case.undone);
            self.last_victim = victim;
        }
    }

    /// Says who had what, who was struck, and what became of its addresses.
    fn strike(&mut self, case: &Case<'_>, run: usize) -> (Owners, String, String) {
        let trial = Trial::begin(self.site, Pace::Measuring);
        let owners = trial.owners();
        let (victim, addresses) = owners
            .iter()
            .max_by_key(|(node, addresses)| (addresses.len(), **node != self.last_victim))
            .unwrap();
        let strike = (case.aim)(victim);
        std::thread::sleep(QUIET);
        let before = trial.mark();
        strike();
        let mark = trial.mark();
        trial.is_served_since(&mark, addresses, LIMIT);
        std::thread::sleep(AFTERWARDS);
        let seen = trial.end(&before);
        let told = self.note(&case.name, run, victim, addresses, &seen);
        let victim = victim.clone();
        (owners, victim, told)
    }

    /// Undoes it, under the eyes of all clients, until the next can be struck.
    fn undo(&mut self, case: &Case<'_>, run: usize, victim: &str, owners: &Owners) -> String {
        let trial = Trial::begin(self.site, Pace::Attentive);
        let before = trial.mark();
        (case.undo)(victim);
        if self.product.takes_back() {
            trial.wait_for_owners(owners);
        }
        self.product.wait_until_settled(self.site);
        let seen = trial.end(&before);
        self.note(&case.undone, run, victim, &self.site.addresses, &seen)
    }

    /// Remembers what was seen; in words, what became of the addresses that are concerned.
    fn note(
        &mut self,
        case: &str,
        run: usize,
        victim: &str,
        concerned: &[IpAddr],
        seen: &[Seen],
    ) -> String {
        let mut told = Vec::new();
        for seen in seen {
            let sample = Sample {
                product: self.product.name(),
                case: case.to_owned(),
                run,
                node: victim.to_owned(),
                concerned: concerned.contains(&seen.address),
                address: seen.address,
                owner: seen.owner.clone().unwrap_or_default(),
                outage: seen.outage,
                is_over: seen.is_over,
                noise: seen.noise,
                silence: seen.silence,
                failed: seen.report.failures().len(),
                requests: seen.report.requests(),
                overlaps: seen.story.overlaps().len(),
                overlap: seen.story.longest_overlap(),
            };
            if sample.concerned {
                told.push(sample.to_string());
            }
            if sample.overlaps > 0 {
                let (times, longest) = (sample.overlaps, sample.overlap.as_millis());
                println!(
                    "  {}: two answered {times} times, {longest} ms at most",
                    seen.address
                );
            }
            self.figures.add(sample);
        }
        told.join(", ")
    }
}

//! When an address is announced: often at first, rarely later, and never in bursts over many addresses.

use std::net::IpAddr;
use std::time::Duration;

use super::Now;

/// How often an address is announced when its node takes it.
pub const BURST: u32 = 4;
/// Between two of these. Linux heeds one change of a neighbour's MAC address within a second (`locktime`,
/// Documentation/networking/ip-sysctl.rst), so the second of two within it might be lost.
pub const BURST_GAP: Duration = Duration::from_millis(1_100);
/// Between two later ones: for neighbours that forget what they should not, and switches that forget who is where.
const STEADY: Duration = Duration::from_secs(180);
/// How much earlier a later one may be, in thousandths, so that the addresses of a node do not speak at once.
const JITTER: u64 = 300;
/// How many addresses a node announces at most in one second when it takes them: clients wait for these.
const FIRST_BUDGET: u32 = 1_000;
/// How many more it announces in one second.
const BUDGET: u32 = 50;

/// The announcements of one address since its node took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Schedule {
    made: u32,
    /// When the next one is due.
    pub(super) next: Now,
}

impl Schedule {
    /// The first one is due now.
    pub(super) fn begin(now: Now) -> Self {
        Self { made: 0, next: now }
    }

    /// One was made.
    pub(super) fn made(&mut self, address: IpAddr, now: Now) {
        self.made = self.made.saturating_add(1);
        self.next = now
            + if self.made < BURST {
                BURST_GAP
            } else {
                steady(address, self.made)
            };
    }

    /// Everybody has to hear it again, as when a link came up.
    pub(super) fn again(&mut self, now: Now) {
        *self = Self::begin(now);
    }

    /// It is said once more, as somebody else spoke for the address.
    pub(super) fn once(&mut self, now: Now) {
        self.made = self.made.max(BURST - 1);
        self.next = now;
    }

    /// Whether it was never made.
    pub(super) fn is_first(&self) -> bool {
        self.made == 0
    }

    /// Who comes before whom when there is not budget enough for all: who was never heard, then who has waited longest.
    pub(super) fn rank(&self) -> (bool, Now) {
        (!self.is_first(), self.next)
    }
}

/// A wait that differs by address and from one to the next, and is the same for everybody who computes it.
fn steady(address: IpAddr, made: u32) -> Duration {
    let number = match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    };
    // Mixed as in SplitMix64, so that neighbouring addresses are far apart.
    let mut mixed = (number as u64) ^ ((number >> 64) as u64) ^ (u64::from(made) << 32);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let earlier = (mixed ^ (mixed >> 31)) % JITTER;
    STEADY - STEADY / 1_000 * u32::try_from(earlier).unwrap_or(0)
}

/// What of the budgets is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Purse {
    second: u64,
    first: u32,
    other: u32,
}

impl Purse {
    /// Whether one more may be made now; if so, it counts.
    pub(super) fn spend(&mut self, schedule: &Schedule, now: Now) -> bool {
        if now.as_secs() != self.second {
            *self = Self {
                second: now.as_secs(),
                ..Self::default()
            };
        }
        let (spent, budget) = if schedule.is_first() {
            (&mut self.first, FIRST_BUDGET)
        } else {
            (&mut self.other, BUDGET)
        };
        let may = *spent < budget;
        *spent += u32::from(may);
        may
    }

    /// When one that is due at its time can be made.
    pub(super) fn payable(&self, schedule: &Schedule) -> Now {
        let empty = if schedule.is_first() {
            self.first >= FIRST_BUDGET
        } else {
            self.other >= BUDGET
        };
        let refilled = Duration::from_secs(self.second + 1);
        if empty {
            schedule.next.max(refilled)
        } else {
            schedule.next
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_announced_in_a_burst_and_then_rarely() {
        let address = "10.77.0.200".parse().unwrap();
        let mut schedule = Schedule::begin(Duration::ZERO);
        let mut times = Vec::new();
        while times.len() < 8 {
            let now = schedule.next;
            times.push(now);
            schedule.made(address, now);
        }
        let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(gaps[..3], [BURST_GAP; 3]);
        for gap in &gaps[3..] {
            assert!((STEADY * 7 / 10..=STEADY).contains(gap), "{gap:?}");
        }
    }

    #[test]
    fn neighbouring_addresses_do_not_speak_at_once() {
        let wait = |last: u8| steady(IpAddr::from([10, 77, 0, last]), 5);
        let mut waits: Vec<Duration> = (0..=255).map(wait).collect();
        waits.sort_unstable();
        waits.dedup();
        assert!(waits.len() > 100, "{} of 256", waits.len());
    }

    #[test]
    fn a_node_speaks_for_fifty_addresses_a_second_beside_those_that_it_takes() {
        let mut purse = Purse::default();
        let now = Duration::from_millis(7_300);
        let first = Schedule::begin(now);
        let mut later = first;
        later.made("10.77.0.200".parse().unwrap(), now);
        let mut made =
            |schedule: &Schedule| (0..5_000).filter(|_| purse.spend(schedule, now)).count();
        assert_eq!(made(&later), 50);
        assert_eq!(made(&first), 1_000);
        assert_eq!(purse.payable(&first), Duration::from_secs(8));
        assert_eq!(
            purse.payable(&later),
            later.next.max(Duration::from_secs(8))
        );
        assert!(purse.spend(&later, Duration::from_secs(8)));
    }
}

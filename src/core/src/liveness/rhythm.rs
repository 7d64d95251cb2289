//! How long a node may be silent, from how its beats came until now.

use std::time::Duration;

use super::Now;

/// From one beat to the next.
pub const PERIOD: Duration = Duration::from_millis(100);

/// From one question on the wire to the next, while a node is being found out. Any kernel answers within a small part of it.
pub const PROBE_GAP: Duration = Duration::from_millis(20);

/// How late a beat may be on a machine that was never seen to be late.
const MARGIN: Duration = Duration::from_millis(60);

/// The most that lateness adds: a node that is later than that is dead to its clients, too.
const MOST_LATE: Duration = Duration::from_millis(300);

/// What is forgotten of the lateness with each beat: half of it in 7 s.
const FORGET_LATE: f64 = 0.01;

/// How much one message that is lost, and one that is not, counts. Losses count more: to believe in too many of them costs
/// time, to believe in too few takes a living node for dead.
const LOST_WEIGHT: f64 = 1.0 / 16.0;
const CAME_WEIGHT: f64 = 1.0 / 64.0;

/// So many beats in a row may be lost that it happens this often.
const BEATS_BY_CHANCE: f64 = 0.02;

/// So many questions in a row may remain unanswered that it happens this often.
const PROBES_BY_CHANCE: f64 = 1e-5;

/// Unanswered questions in a row, at least and at most: together with [`PERIOD`] and [`MARGIN`] the fewest take longer than
/// the stalls of 95 ms that are seen on machines with too few CPUs.
const FEWEST_PROBES: u32 = 4;
const MOST_PROBES: u32 = 20;

/// How the beats of a node come.
#[derive(Debug, Clone, Default)]
pub(super) struct Rhythm {
    last: Option<Now>,
    late: Duration,
    /// The share of what gets lost, 0 to 1.
    loss: f64,
}

impl Rhythm {
    /// A beat. So many messages right before it have not come yet.
    pub(super) fn beat(&mut self, now: Now, skipped: u64) {
        let periods = u32::try_from(skipped).unwrap_or(u32::MAX).saturating_add(1);
        let due = PERIOD.saturating_mul(periods);
        let gap = self
            .last
            .map_or(Duration::ZERO, |last| now.saturating_sub(last));
        let late = gap.saturating_sub(due).min(MOST_LATE);
        self.late = self.late.mul_f64(1.0 - FORGET_LATE).max(late);
        self.last = Some(now);
    }

    /// A message came, and so many before it never will.
    pub(super) fn came(&mut self, lost: u64) {
        for _ in 0..lost.min(64) {
            self.loss += (1.0 - self.loss) * LOST_WEIGHT;
        }
        self.loss -= self.loss * CAME_WEIGHT;
    }

    /// The watcher was held up for so long.
    pub(super) fn forgive(&mut self, missed: Duration) {
        self.last = self.last.map(|last| last + missed);
    }

    /// A new process of the node: the gap before it says nothing.
    pub(super) fn restart(&mut self) {
        self.last = None;
    }

    /// For how long nothing may come before that is strange.
    pub(super) fn patience(&self) -> Duration {
        PERIOD * (1 + in_a_row(BEATS_BY_CHANCE, self.loss).floor() as u32) + MARGIN + self.late
    }

    /// How many questions in a row have to remain unanswered.
    pub(super) fn probes(&self) -> u32 {
        // A question and its answer have to come through.
        let unanswered = 1.0 - (1.0 - self.loss) * (1.0 - self.loss);
        let needed = in_a_row(PROBES_BY_CHANCE, unanswered).ceil();
        (needed as u32).clamp(FEWEST_PROBES, MOST_PROBES)
    }
}

/// How often in a row something of a likelihood has to happen until that is as unlikely as `chance`.
fn in_a_row(chance: f64, likelihood: f64) -> f64 {
    if likelihood <= 0.0 {
        return 0.0;
    }
    (chance.ln() / likelihood.min(0.9).ln()).max(0.0)
}

#[cfg(test)]
mod tests;

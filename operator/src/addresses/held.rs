//! What is not tried again for a while, because it failed.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// How long after the first failure; doubled with each further one.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// What has not failed for so long beyond its pause starts anew.
const FORGOTTEN: Duration = Duration::from_secs(300);

/// What failed, and when it is tried again.
#[derive(Debug, Default)]
pub(super) struct Held {
    pauses: BTreeMap<String, Pause>,
}

#[derive(Debug)]
struct Pause {
    until: Instant,
    lasts: Duration,
    /// What was said about it.
    said: String,
}

// === impl Held ===

impl Held {
    /// It failed. True if `text` was not said about it last time.
    pub(super) fn fail(&mut self, what: &str, text: &str, now: Instant) -> bool {
        match self.pauses.get_mut(what) {
            Some(pause) => {
                pause.lasts = (pause.lasts * 2).min(LONGEST);
                pause.until = now + pause.lasts;
                let new = pause.said != text;
                text.clone_into(&mut pause.said);
                new
            }
            None => {
                let pause = Pause {
                    until: now + FIRST,
                    lasts: FIRST,
                    said: text.to_owned(),
                };
                self.pauses.insert(what.to_owned(), pause);
                true
            }
        }
    }

    /// It worked.
    pub(super) fn succeed(&mut self, what: &str) {
        self.pauses.remove(what);
    }

    /// It has to wait.
    pub(super) fn holds(&self, what: &str, now: Instant) -> bool {
        let pause = self.pauses.get(what);
        pause.is_some_and(|pause| now < pause.until)
    }

    /// When the first pause that is not over yet ends.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let ends = self.pauses.values().map(|pause| pause.until);
        ends.filter(|until| now < *until).min()
    }

    /// Forgets what failed long ago.
    pub(super) fn tidy(&mut self, now: Instant) {
        self.pauses.retain(|_, pause| now < pause.until + FORGOTTEN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute_and_end_with_a_success() {
        let mut held = Held::default();
        let mut now = Instant::now();
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            held.fail("a", "no", now);
            let end = now + Duration::from_secs(seconds);
            assert!(held.holds("a", end - Duration::from_millis(1)));
            assert!(!held.holds("a", end));
            assert_eq!(held.next(now), Some(end));
            now = end;
        }
        held.succeed("a");
        held.fail("a", "no", now);
        assert!(!held.holds("a", now + Duration::from_secs(1)));
    }

    #[test]
    fn a_failure_is_said_once_for_as_long_as_it_stays_the_same() {
        let mut held = Held::default();
        let now = Instant::now();
        assert!(held.fail("a", "no", now));
        assert!(!held.fail("a", "no", now));
        assert!(held.fail("a", "never", now));
        assert!(held.fail("b", "no", now));
    }

    #[test]
    fn what_failed_long_ago_is_forgotten() {
        let mut held = Held::default();
        let now = Instant::now();
        held.fail("a", "no", now);
        let later = now + FORGOTTEN;
        held.tidy(later);
        assert!(!held.fail("a", "no", later));
        let much_later = later + FORGOTTEN * 2;
        held.tidy(much_later);
        assert!(held.fail("a", "no", much_later));
    }
}

//! When what failed is tried again.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::Trouble;

/// The attempts at one thing that failed in a row, for the same kind of reason. A server that has just come back may not
/// know the agent for a moment: that is no reason to wait as if it had said so all the time.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    failed: u32,
    kind: Option<&'static str>,
}

/// Wakes all that waits for the API server as soon as one request is answered, and has watches begun anew when their
/// connections may be dead.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contact {
    regained: Arc<Notify>,
    doubted: Arc<Notify>,
}

// === impl Attempts ===

impl Attempts {
    /// How long to wait after one more failure.
    pub(crate) fn failed(&mut self, trouble: &Trouble) -> Duration {
        if self.kind != Some(trouble.label()) {
            *self = Self {
                failed: 0,
                kind: Some(trouble.label()),
            };
        }
        let (first, longest) = trouble.pauses();
        let pause = first.saturating_mul(1 << self.failed.min(10)).min(longest);
        self.failed += 1;
        with_chance(pause)
    }

    /// Takes note of a success, and says whether it ends a series of failures.
    pub(crate) fn succeeded(&mut self) -> bool {
        std::mem::take(self).kind.is_some()
    }
}

// === impl Contact ===

impl Contact {
    /// Something was answered that was not before.
    pub(crate) fn regained(&self) {
        self.regained.notify_waiters();
    }

    /// A connection that nothing is sent over does not notice that it is dead: the network address translation of this
    /// node forgets it when a link goes down.
    pub(crate) fn doubt(&self) {
        self.doubted.notify_waiters();
    }

    /// Waits until connections are in doubt.
    pub(crate) async fn doubted(&self) {
        self.doubted.notified().await;
    }

    /// Waits, if it is for the API server not longer than that is away.
    pub(crate) async fn wait(&self, trouble: &Trouble, pause: Duration) {
        let regained = async {
            if trouble.is_unreachable() {
                self.regained.notified().await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = regained => {}
        }
    }
}

/// A fifth of it is by chance: a thousand agents lose the same API server at the same time.
pub(crate) fn with_chance(pause: Duration) -> Duration {
    let chance = RandomState::new().hash_one(()) % 256;
    pause + pause / 4 * u32::try_from(chance).unwrap_or(0) / 256
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(attempts: &mut Attempts, trouble: &Trouble) -> f64 {
        attempts.failed(trouble).as_secs_f64()
    }

    #[test]
    fn pauses_grow_to_a_limit_and_a_kind_that_is_missing_is_asked_for_every_two_seconds() {
        let lost = Trouble::Unreachable(String::new());
        let mut attempts = Attempts::default();
        for expected in [1.0, 2.0, 4.0, 4.0, 4.0] {
            let pause = seconds(&mut attempts, &lost);
            assert!((expected..=1.25 * expected).contains(&pause), "{pause}");
        }
        for _ in 0..20 {
            let pause = seconds(&mut attempts, &Trouble::NotFound);
            assert!((2.0..=2.5).contains(&pause), "{pause}");
        }
    }

    #[test]
    fn a_refusal_right_after_an_outage_is_the_first_of_its_kind() {
        let mut attempts = Attempts::default();
        for _ in 0..40 {
            attempts.failed(&Trouble::Unreachable(String::new()));
        }
        let pause = seconds(&mut attempts, &Trouble::Denied(String::new()));
        assert!(pause <= 2.5, "{pause}");
        assert!(attempts.succeeded());
        assert!(!attempts.succeeded());
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_ends_the_waiting_for_the_api_server_and_no_other() {
        let contact = Contact::default();
        let long = Duration::from_secs(1000);
        let lost = Trouble::Unreachable(String::new());
        let began = tokio::time::Instant::now();
        let (other, _) = tokio::join!(
            async {
                contact.wait(&lost, long).await;
                began.elapsed()
            },
            async {
                tokio::time::sleep(Duration::from_secs(3)).await;
                contact.regained();
            }
        );
        assert_eq!(other, Duration::from_secs(3));
        let denied = Trouble::Denied(String::new());
        tokio::join!(contact.wait(&denied, long), async { contact.regained() });
        assert_eq!(began.elapsed(), Duration::from_secs(1003));
    }
}

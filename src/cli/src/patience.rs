//! Waiting for something in the cluster, also past a short outage of the API server.

use std::time::{Duration, Instant};

use crate::cluster::ClusterError;
use crate::output::Output;

/// The shortest time between two looks.
const POLL: Duration = Duration::from_millis(500);
/// A look that takes long is repeated less often: of all the time, the API server works a quarter for it.
const SHARE: u32 = 3;

/// How long is waited, and how long it has been.
pub(crate) struct Patience {
    begin: Instant,
    limit: Duration,
    unanswered: bool,
}

// === impl Patience ===

impl Patience {
    /// From now on, for so long.
    pub(crate) fn of(limit: Duration) -> Self {
        Self {
            begin: Instant::now(),
            limit,
            unanswered: false,
        }
    }

    /// An answer; `None` while the API server gives none, which is said once. Any other error ends the waiting.
    pub(crate) fn heard<T>(
        &mut self,
        answer: anyhow::Result<T>,
        out: &mut Output,
    ) -> anyhow::Result<Option<T>> {
        let error = match answer {
            Ok(answer) => {
                self.unanswered = false;
                return Ok(Some(answer));
            }
            Err(error) => error,
        };
        let Some(ClusterError::Unreachable { message, .. }) = error.downcast_ref() else {
            return Err(error);
        };
        if !self.unanswered {
            out.warning(&format!(
                "the API server does not answer, still trying: {message}"
            ));
        }
        self.unanswered = true;
        Ok(None)
    }

    /// How long it has been.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Whether that is too long.
    pub(crate) fn is_over(&self) -> bool {
        self.elapsed() >= self.limit
    }

    /// Until the next look, after one that took so long.
    pub(crate) async fn pause(&self, look: Duration) {
        let left = self.limit.saturating_sub(self.elapsed());
        tokio::time::sleep(POLL.max(look * SHARE).min(left)).await;
    }
}

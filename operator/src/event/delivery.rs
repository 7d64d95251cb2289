//! Events that nobody waits for: they are put into an outbox, and written one by one.
//!
//! After a storm, such as ten thousand new Services, those that say that all went well are dropped first.

use std::collections::VecDeque;
use std::time::Duration;

use mooring_core::remediation::NoteKind;
use tokio::sync::mpsc;

use super::{Notice, Recorder};
use crate::cluster::ApiError;
use crate::metrics::Metrics;

/// So many wait at most.
const MOST: usize = 1000;
/// Between two of them, so that a storm leaves the API server time for what matters.
const GAP: Duration = Duration::from_millis(20);
/// After the API server did not answer.
const PAUSE: Duration = Duration::from_secs(5);

/// Where Events are put.
#[derive(Debug, Clone)]
pub(crate) struct Outbox(mpsc::UnboundedSender<Notice>);

/// An outbox, and what is put into it. It is emptied faster than anything can be put there: see [`deliver`].
pub(crate) fn outbox() -> (Outbox, mpsc::UnboundedReceiver<Notice>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Outbox(sender), receiver)
}

/// Those that wait.
#[derive(Debug, Default)]
struct Backlog(VecDeque<Notice>);

/// Writes what is put into the outbox, until the last sender is gone.
pub(crate) async fn deliver(
    recorder: Recorder,
    mut notices: mpsc::UnboundedReceiver<Notice>,
    metrics: Metrics,
) {
    let mut backlog = Backlog::default();
    loop {
        let Some(notice) = backlog.0.pop_front() else {
            match notices.recv().await {
                Some(notice) => backlog.put(notice, &metrics),
                None => return,
            }
            continue;
        };
        let turn = async {
            let unwritten = write(&recorder, notice, &metrics).await;
            let pause = if unwritten.is_some() { PAUSE } else { GAP };
            tokio::time::sleep(pause).await;
            unwritten
        };
        tokio::pin!(turn);
        let unwritten = loop {
            tokio::select! {
                unwritten = &mut turn => break unwritten,
                Some(notice) = notices.recv() => backlog.put(notice, &metrics),
            }
        };
        if let Some(notice) = unwritten {
            backlog.0.push_front(notice);
        }
    }
}

/// Writes one; what the API server did not answer to is returned, and tried again.
async fn write(recorder: &Recorder, notice: Notice, metrics: &Metrics) -> Option<Notice> {
    let Err(error) = recorder.write(notice.clone()).await else {
        metrics.addresses.event("written");
        return None;
    };
    metrics.api_error(&error);
    if let ApiError::Unreachable { .. } = error {
        return Some(notice);
    }
    metrics.addresses.event("failed");
    tracing::debug!(%error, reason = notice.reason, "event not written");
    None
}

// === impl Outbox ===

impl Outbox {
    /// Has an Event written. It is lost when the process ends, or too many wait.
    pub(crate) fn put(&self, notice: Notice) {
        // The other end lives as long as the loop that has this one.
        let _ = self.0.send(notice);
    }
}

// === impl Backlog ===

impl Backlog {
    fn put(&mut self, notice: Notice, metrics: &Metrics) {
        if self.push(notice) {
            metrics.addresses.event("dropped");
        }
    }

    /// Adds one; true if another one had to go for it.
    fn push(&mut self, notice: Notice) -> bool {
        self.0.push_back(notice);
        if self.0.len() <= MOST {
            return false;
        }
        let normal = self
            .0
            .iter()
            .position(|notice| notice.kind == NoteKind::Normal);
        self.0.remove(normal.unwrap_or(0));
        true
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ObjectReference;

    use super::*;

    fn notice(kind: NoteKind, message: &str) -> Notice {
        Notice {
            regarding: ObjectReference::default(),
            kind,
            reason: "Reason",
            action: "Act",
            message: message.to_owned(),
        }
    }

    #[test]
    fn of_too_many_the_oldest_that_nobody_needs_is_dropped() {
        let mut backlog = Backlog::default();
        backlog.push(notice(NoteKind::Warning, "first"));
        for number in 0..MOST - 1 {
            assert!(!backlog.push(notice(NoteKind::Normal, &number.to_string())));
        }
        assert!(backlog.push(notice(NoteKind::Warning, "last")));
        let messages: Vec<&str> = backlog.0.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(messages.len(), MOST);
        assert_eq!(messages[..2], ["first", "1"]);
        assert_eq!(messages[MOST - 1], "last");
    }

    #[test]
    fn of_too_many_warnings_the_oldest_is_dropped() {
        let mut backlog = Backlog::default();
        for number in 0..=MOST {
            backlog.push(notice(NoteKind::Warning, &number.to_string()));
        }
        assert_eq!(backlog.0.len(), MOST);
        assert_eq!(backlog.0[0].message, "1");
    }
}

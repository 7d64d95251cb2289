use std::fmt;
use std::time::Duration;

use kube::runtime::watcher;
use mooring_api::causes;

/// Why the API server gave nothing, by what has to happen next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It does not know this kind of object, or not this object.
    NotFound,
    /// It does not let the agent.
    Denied(String),
    /// It is not there, or cannot serve anybody at the moment.
    Unreachable(String),
    /// The object is another one than what was asked of it is about: made anew, or changed by somebody else.
    Conflict(String),
    /// It answered something else.
    Refused(String),
}

// === impl Trouble ===

impl Trouble {
    /// The first pause before another attempt, and the longest. A kind that is not installed yet is expected any moment.
    pub(crate) fn pauses(&self) -> (Duration, Duration) {
        let seconds = |first, longest| (Duration::from_secs(first), Duration::from_secs(longest));
        match self {
            Self::NotFound => seconds(2, 2),
            Self::Denied(_) => seconds(2, 30),
            Self::Unreachable(_) => seconds(1, 4),
            Self::Conflict(_) | Self::Refused(_) => seconds(1, 30),
        }
    }

    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }

    /// As a label of a metric.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Denied(_) => "denied",
            Self::Unreachable(_) => "unreachable",
            Self::Conflict(_) => "conflict",
            Self::Refused(_) => "refused",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("the API server knows no such thing (404)"),
            Self::Denied(reason) => write!(f, "the API server does not let the agent: {reason}"),
            Self::Unreachable(reason) => write!(f, "the API server cannot be reached: {reason}"),
            Self::Conflict(reason) => write!(f, "somebody else was faster (409): {reason}"),
            Self::Refused(reason) => write!(f, "the API server refuses: {reason}"),
        }
    }
}

impl From<&kube::Error> for Trouble {
    fn from(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => status_of(status.code, &status.message),
            other => Self::Unreachable(causes(other)),
        }
    }
}

impl From<&watcher::Error> for Trouble {
    fn from(error: &watcher::Error) -> Self {
        match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => error.into(),
            watcher::Error::WatchError(status) => status_of(status.code, &status.message),
            watcher::Error::NoResourceVersion => Self::Refused(causes(error)),
        }
    }
}

fn status_of(code: u16, message: &str) -> Trouble {
    match code {
        404 => Trouble::NotFound,
        401 | 403 => Trouble::Denied(message.to_owned()),
        409 => Trouble::Conflict(message.to_owned()),
        // No etcd behind it, for one.
        500.. => Trouble::Unreachable(format!("it answers {code}: {message}")),
        _ => Trouble::Refused(format!("{code}: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn of(code: u16) -> Trouble {
        let status = Status {
            code,
            message: "why".to_owned(),
            ..Status::default()
        };
        Trouble::from(&kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn a_missing_kind_is_not_an_outage_and_a_server_that_cannot_serve_is() {
        assert_eq!(of(404), Trouble::NotFound);
        assert_eq!(of(403), Trouble::Denied("why".to_owned()));
        assert!(of(503).is_unreachable());
        assert!(!of(429).is_unreachable());
        assert_eq!(of(409), Trouble::Conflict("why".to_owned()));
        assert_eq!(of(422), Trouble::Refused("422: why".to_owned()));
    }

    #[test]
    fn a_connection_that_fails_is_an_outage_whose_cause_is_named() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let trouble = Trouble::from(&kube::Error::Service(Box::new(refused)));
        assert!(trouble.is_unreachable());
        assert!(trouble.to_string().contains("refused"), "{trouble}");
    }
}

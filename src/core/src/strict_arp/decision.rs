//! The answer to "what is to be done with this text".

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::{Reason, Verdict, WarningReason};

/// Something the reader should know that does not change the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What it is about.
    pub reason: WarningReason,
    /// What is, why it matters, what to do.
    pub message: String,
    /// The line, counted from 1.
    pub line: Option<usize>,
}

/// Why a text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The reason to match on.
    pub reason: Reason,
    /// What is, what kube-proxy makes of it, what to do.
    pub message: String,
    /// The line, counted from 1.
    pub line: Option<usize>,
}

impl Refusal {
    /// A refusal that names a line: the message starts with it.
    pub(super) fn at(line: usize, reason: Reason, message: impl fmt::Display) -> Self {
        Self {
            reason,
            message: format!("line {line}: {message}"),
            line: Some(line),
        }
    }

    /// A refusal of the text as a whole.
    pub(super) fn whole(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            line: None,
        }
    }
}

/// A verdict with its reason and, where there is one, the text to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub(super) verdict: Verdict,
    pub(super) reason: Reason,
    pub(super) message: String,
    pub(super) line: Option<usize>,
    pub(super) warnings: Vec<Warning>,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

impl Decision {
    /// What is to be done.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Why.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The same for people: what is, why it matters, what to do.
    pub fn message(&self) -> String {
        self.message.clone()
    }

    /// The line that decided, counted from 1.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// What else the reader should know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The text to use: the edited one if [`Verdict::Patched`], the same bytes if nothing is needed, none if refused.
    pub fn text(&self) -> Option<&str> {
        self.after.as_deref().or(self.before.as_deref())
    }

    /// The edit as a unified diff, if there is one.
    pub fn diff(&self, old_label: &str, new_label: &str) -> Option<String> {
        let (before, after) = (self.before.as_deref()?, self.after.as_deref()?);
        let diff = similar::TextDiff::from_lines(before, after);
        Some(
            diff.unified_diff()
                .context_radius(3)
                .header(old_label, new_label)
                .to_string(),
        )
    }

    pub(super) fn refused(refusal: Refusal, warnings: Vec<Warning>) -> Self {
        Self {
            verdict: Verdict::Refused,
            reason: refusal.reason,
            message: refusal.message,
            line: refusal.line,
            warnings,
            before: None,
            after: None,
        }
    }
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Decision", 6)?;
        object.serialize_field("verdict", &self.verdict)?;
        object.serialize_field("reason", &self.reason)?;
        object.serialize_field("message", &self.message)?;
        object.serialize_field("line", &self.line)?;
        object.serialize_field("warnings", &self.warnings)?;
        object.serialize_field("text", &self.text())?;
        object.end()
    }
}

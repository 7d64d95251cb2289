//! Label selectors as Kubernetes has them.

use std::collections::BTreeMap;
use std::fmt;

/// Selects objects by their labels: all of its terms have to hold. Without terms it selects everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct LabelSelector {
    /// `matchLabels`: labels with exactly these values.
    pub match_labels: BTreeMap<String, String>,
    /// `matchExpressions`.
    pub match_expressions: Vec<Expression>,
}

/// One of `matchExpressions`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Expression {
    /// The label.
    pub key: String,
    /// What is asked about it.
    pub operator: Operator,
    /// The values that `In` and `NotIn` compare with.
    pub values: Vec<String>,
}

/// What an [`Expression`] asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Operator {
    /// The label is there with one of the values.
    In,
    /// The label has none of the values, or is not there.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
    /// Something else, which selects nothing: a wrong word must not put addresses where nobody wanted them.
    Unknown(String),
}

impl Operator {
    /// As in the API.
    pub fn from_api(text: &str) -> Self {
        match text {
            "In" => Self::In,
            "NotIn" => Self::NotIn,
            "Exists" => Self::Exists,
            "DoesNotExist" => Self::DoesNotExist,
            other => Self::Unknown(other.to_owned()),
        }
    }
}

impl LabelSelector {
    /// Whether it has no terms, and so selects everything.
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// Whether it selects an object with these labels.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.first_mismatch(labels).is_none()
    }

    /// The first term that does not hold for an object with these labels; `None` if it is selected.
    pub fn first_mismatch(&self, labels: &BTreeMap<String, String>) -> Option<Mismatch> {
        let wrong = |term: String, key: &str| Mismatch {
            term,
            label: labels.get(key).map(|value| format!("{key}={value}")),
            key: key.to_owned(),
        };
        let label = self
            .match_labels
            .iter()
            .find(|(key, value)| labels.get(*key) != Some(*value))
            .map(|(key, value)| wrong(format!("{key}={value}"), key));
        label.or_else(|| {
            self.match_expressions
                .iter()
                .find(|expression| !expression.holds(labels))
                .map(|expression| wrong(expression.to_string(), &expression.key))
        })
    }
}

impl Expression {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        let listed = value.is_some_and(|value| self.values.contains(value));
        match self.operator {
            Operator::In => listed,
            Operator::NotIn => !listed,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Unknown(_) => false,
        }
    }
}

impl fmt::Display for Expression {
    /// As `kubectl get -l` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, values) = (&self.key, self.values.join(","));
        match &self.operator {
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::Unknown(operator) => write!(f, "{key} {operator} ({values})"),
        }
    }
}

impl fmt::Display for LabelSelector {
    /// As `kubectl get -l` takes it; empty if it selects everything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self
            .match_labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"));
        let expressions = self.match_expressions.iter().map(ToString::to_string);
        let terms: Vec<String> = labels.chain(expressions).collect();
        f.write_str(&terms.join(","))
    }
}

/// A term of a selector that does not hold. Prints as in `it has no label network-role, and network-role=ingress-node is
/// asked for`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mismatch {
    /// The term.
    pub term: String,
    /// The label that is there instead.
    pub label: Option<String>,
    /// The label that is asked about.
    pub key: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.label {
            Some(label) => write!(
                f,
                "it has the label {label}, and {} is asked for",
                self.term
            ),
            None => write!(
                f,
                "it has no label {}, and {} is asked for",
                self.key, self.term
            ),
        }
    }
}

#[cfg(test)]
mod tests;

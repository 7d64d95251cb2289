//! What was heard.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::Mac;

/// Everybody who answered for one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// The address that was asked for.
    pub target: IpAddr,
    /// Who answered, the quickest first. More than one means that the address is held twice.
    pub responders: Vec<Responder>,
}

/// One of those who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Responder {
    /// The MAC that the answers name as the address's place.
    pub mac: Mac,
    /// How many answers came. As a rule one for each question.
    pub replies: u32,
    /// The time from the first question to the first answer.
    pub first: Duration,
}

impl Answers {
    /// Nobody has answered yet.
    pub(super) fn none(target: IpAddr) -> Self {
        Self {
            target,
            responders: Vec::new(),
        }
    }

    /// Notes one answer; `after` is the time since the first question.
    pub(super) fn record(&mut self, mac: Mac, after: Duration) {
        match self.responders.iter_mut().find(|known| known.mac == mac) {
            Some(known) => known.replies += 1,
            None => self.responders.push(Responder {
                mac,
                replies: 1,
                first: after,
            }),
        }
    }

    /// The distinct MACs that answered, in ascending order, for comparing.
    pub fn macs(&self) -> Vec<Mac> {
        let mut macs: Vec<Mac> = self
            .responders
            .iter()
            .map(|responder| responder.mac)
            .collect();
        macs.sort_unstable();
        macs
    }

    /// As [`Display`](fmt::Display), with the name that `name_of` knows for a MAC (a node's, say)
    /// in front of it.
    pub fn with_names<F>(&self, name_of: F) -> impl fmt::Display
    where
        F: Fn(Mac) -> Option<String>,
    {
        NamedAnswers {
            answers: self,
            name_of,
        }
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_names(|_| None).fmt(f)
    }
}

struct NamedAnswers<'a, F> {
    answers: &'a Answers,
    name_of: F,
}

impl<F: Fn(Mac) -> Option<String>> fmt::Display for NamedAnswers<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Answers { target, responders } = self.answers;
        match responders.len() {
            0 => return write!(f, "nobody answers for {target}"),
            1 => write!(f, "one MAC answers for {target}:")?,
            n => write!(f, "{n} different MACs answer for {target}:")?,
        }
        for responder in responders {
            f.write_str("\n  ")?;
            if let Some(name) = (self.name_of)(responder.mac) {
                write!(f, "{name} ")?;
            }
            write!(f, "{responder}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.replies == 1 {
            "reply"
        } else {
            "replies"
        };
        let first = self.first.as_secs_f64() * 1e3;
        write!(
            f,
            "{} ({} {noun}, the first after {first:.1} ms)",
            self.mac, self.replies
        )
    }
}

#[cfg(test)]
mod tests;

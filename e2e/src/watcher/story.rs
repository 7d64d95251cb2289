//! From what was asked and heard to who had an address when.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::probe::Mac;

/// A MAC that did not answer for so long has let go: what it says later is a new stint. Ten questions; a node on a busy
/// machine was seen to answer 100 ms late.
const LET_GO: Duration = Duration::from_secs(1);

/// A silence that is told by itself; busy nodes answer late now and then.
const LONG: Duration = Duration::from_millis(500);

/// One thing that was asked or heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// When, since the watch began.
    pub at: Duration,
    /// About which address.
    pub address: IpAddr,
    /// What.
    pub event: Event,
}

/// What was asked or heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// We asked who has it.
    Asked,
    /// This MAC answered us.
    Answered(Mac),
    /// This MAC said so to everybody.
    Announced(Mac),
}

/// What happened to one address during a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// The address.
    pub address: IpAddr,
    /// How often it was asked for.
    pub asked: usize,
    /// Who answered, from when to when, in the order of the first answers.
    pub stints: Vec<Stint>,
    /// Who said unasked that it is there, and when.
    pub announcements: Vec<(Duration, Mac)>,
    /// When nobody answered, from the first answer on.
    pub silences: Vec<Silence>,
    /// When the watch ended.
    pub end: Duration,
}

/// The time in which one MAC answered, without a pause of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stint {
    /// Who.
    pub mac: Mac,
    /// Its first answer.
    pub first: Duration,
    /// Its last one.
    pub last: Duration,
    /// How many.
    pub answers: usize,
}

/// A time in which two MACs answered: from the first answer of the one that came to the last one of the one that went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    /// The one that answered first.
    pub old: Mac,
    /// The one that answered as well.
    pub new: Mac,
    /// When it began.
    pub from: Duration,
    /// When it ended.
    pub to: Duration,
}

/// A time in which nobody answered: from the first question without an answer to the next answer, or to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// The first question.
    pub from: Duration,
    /// The next answer.
    pub to: Duration,
    /// Whether somebody answered at last.
    pub over: bool,
}

// === impl Story ===

impl Story {
    /// Of the records about `address`, which are in the order of their times; the watch ended at `end`.
    pub fn of(address: IpAddr, records: &[Record], end: Duration) -> Self {
        let mut story = Self {
            address,
            asked: 0,
            stints: Vec::new(),
            announcements: Vec::new(),
            silences: Vec::new(),
            end,
        };
        // The first of the questions that nobody has answered yet.
        let mut unanswered: Option<Duration> = None;
        let mut latest: Option<Duration> = None;
        for record in records.iter().filter(|record| record.address == address) {
            match record.event {
                Event::Asked => {
                    story.asked += 1;
                    unanswered.get_or_insert(record.at);
                    latest = Some(record.at);
                }
                Event::Answered(mac) => {
                    story.silent(unanswered.take(), latest, record.at, true);
                    story.answered(mac, record.at);
                }
                Event::Announced(mac) => story.announcements.push((record.at, mac)),
            }
        }
        story.silent(unanswered, latest, end, false);
        story
    }

    /// Notes a silence, if the first unanswered question is not the latest one: that one's answer may only be on its way.
    fn silent(
        &mut self,
        unanswered: Option<Duration>,
        latest: Option<Duration>,
        to: Duration,
        over: bool,
    ) {
        if let Some(from) = unanswered
            && latest != Some(from)
            && !self.stints.is_empty()
        {
            self.silences.push(Silence { from, to, over });
        }
    }

    fn answered(&mut self, mac: Mac, at: Duration) {
        let mut stints = self.stints.iter_mut().rev();
        match stints.find(|stint| stint.mac == mac) {
            Some(stint) if at.saturating_sub(stint.last) <= LET_GO => {
                stint.last = at;
                stint.answers += 1;
            }
            _ => self.stints.push(Stint {
                mac,
                first: at,
                last: at,
                answers: 1,
            }),
        }
    }

    /// All who answered.
    pub fn macs(&self) -> BTreeSet<Mac> {
        self.stints.iter().map(|stint| stint.mac).collect()
    }

    /// All who said unasked that they have it.
    pub fn announcers(&self) -> BTreeSet<Mac> {
        self.announcements.iter().map(|(_, mac)| *mac).collect()
    }

    /// The first answer.
    pub fn first_answer(&self) -> Option<Duration> {
        self.stints.first().map(|stint| stint.first)
    }

    /// The first answer of this MAC after a moment.
    pub fn first_answer_of(&self, mac: Mac, after: Duration) -> Option<Duration> {
        let mut stints = self.stints.iter();
        stints
            .find(|stint| stint.mac == mac && stint.first >= after)
            .map(|stint| stint.first)
    }

    /// The last answer.
    pub fn last_answer(&self) -> Option<Duration> {
        self.stints.iter().map(|stint| stint.last).max()
    }

    /// All times in which two answered.
    pub fn overlaps(&self) -> Vec<Overlap> {
        let mut overlaps = Vec::new();
        for (index, old) in self.stints.iter().enumerate() {
            for new in &self.stints[index + 1..] {
                if new.mac != old.mac && new.first <= old.last {
                    overlaps.push(Overlap {
                        old: old.mac,
                        new: new.mac,
                        from: new.first,
                        to: old.last.min(new.last),
                    });
                }
            }
        }
        overlaps
    }

    /// The longest time in which two answered; zero if it was always one at most.
    pub fn longest_overlap(&self) -> Duration {
        let overlaps = self.overlaps();
        overlaps
            .iter()
            .map(Overlap::length)
            .max()
            .unwrap_or_default()
    }

    /// The longest time in which nobody answered after somebody had; zero if somebody always did.
    pub fn longest_silence(&self) -> Duration {
        let lengths = self.silences.iter().map(Silence::length);
        lengths.max().unwrap_or_default()
    }

    /// The part from `from` on. What began before begins there; who did not answer since is not in it.
    #[must_use]
    pub fn since(&self, from: Duration) -> Self {
        let mut part = self.clone();
        part.stints.retain(|stint| stint.last >= from);
        part.silences.retain(|silence| silence.to >= from);
        part.announcements.retain(|(at, _)| *at >= from);
        for stint in &mut part.stints {
            stint.first = stint.first.max(from);
        }
        for silence in &mut part.silences {
            silence.from = silence.from.max(from);
        }
        part
    }

    /// As text, with the name that `name_of` knows for a MAC.
    pub fn tell(&self, name_of: impl Fn(Mac) -> Option<String>) -> String {
        let name = |mac: Mac| name_of(mac).unwrap_or_else(|| mac.to_string());
        let mut announced: BTreeMap<Mac, usize> = BTreeMap::new();
        for (_, mac) in &self.announcements {
            *announced.entry(*mac).or_default() += 1;
        }
        let mut lines = vec![format!("{}: asked {} times", self.address, self.asked)];
        lines.extend(self.stints.iter().map(|stint| {
            let (first, last) = (Seconds(stint.first), Seconds(stint.last));
            let Stint { mac, answers, .. } = *stint;
            format!("{} answered {answers} times, {first} to {last}", name(mac))
        }));
        lines.extend(
            announced
                .iter()
                .map(|(mac, times)| format!("{} announced it {times} times", name(*mac))),
        );
        lines.extend(self.overlaps().iter().map(|overlap| {
            let (old, new) = (name(overlap.old), name(overlap.new));
            let length = overlap.length().as_millis();
            let from = Seconds(overlap.from);
            format!("{old} and {new} both answered for {length} ms from {from}")
        }));
        let (long, short): (Vec<&Silence>, Vec<&Silence>) = self
            .silences
            .iter()
            .partition(|silence| !silence.over || silence.length() >= LONG);
        lines.extend(long.iter().map(|silence| {
            let length = silence.length().as_millis();
            let from = Seconds(silence.from);
            let end = if silence.over { "" } else { " to the end" };
            format!("nobody answered for {length} ms from {from}{end}")
        }));
        if let Some(longest) = short.iter().map(|silence| silence.length()).max() {
            let (times, longest) = (short.len(), longest.as_millis());
            lines.push(format!(
                "answers were late {times} times, by {longest} ms at most"
            ));
        }
        lines.join("\n  ")
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tell(|_| None))
    }
}

// === impl Overlap, Silence ===

impl Overlap {
    /// How long it lasted.
    pub fn length(&self) -> Duration {
        self.to.saturating_sub(self.from)
    }
}

impl Silence {
    /// How long it lasted.
    pub fn length(&self) -> Duration {
        self.to.saturating_sub(self.from)
    }
}

/// A time of the watch.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} s", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests;

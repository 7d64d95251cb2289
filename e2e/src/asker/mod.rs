//! How soon, and how many at a time, questions for addresses are answered on a segment.
//!
//! ```text
//! Asker ── one_by_one: a question, its answer, the next ──▶ Delays
//!       ── flood: so many a second, whatever comes back ──▶ Flood
//!       ── first_answer: every other millisecond, until there is one
//! ```
//!
//! [`crate::probe`] tells who answers and [`crate::watcher`] whether that is one at every moment; this tells how fast that one
//! is. Times are those of a process that sleeps until a frame comes, as `arping` does: waking it is in all of them.

mod delays;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::probe::{self, ProbeError, Reply, Segment, parse_reply};

pub use delays::Delays;

/// Longer than every answer.
const FRAME_BUFFER: usize = 2048;
/// In bytes as the kernel counts them, about 800 for a small frame: one second of a flood.
const ROOM: usize = 16 << 20;
/// An answer that takes longer is missing.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long answers are listened for after the last question of a flood.
const LISTENING: Duration = Duration::from_secs(1);
/// Between two questions of [`Asker::first_answer`].
const EAGERNESS: Duration = Duration::from_millis(2);

/// Asks on a segment.
pub struct Asker {
    segment: Segment,
}

/// What became of a flood of questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flood {
    /// How many were put on the wire.
    pub sent: usize,
    /// How many answers came.
    pub answered: usize,
    /// The time from the first question to the last.
    pub span: Duration,
}

// === impl Asker ===

impl Asker {
    /// One on `interface` in the network namespace of the file `netns`.
    ///
    /// # Errors
    /// If the namespace cannot be entered or the interface not be listened on.
    pub fn open(netns: &Path, interface: &str) -> Result<Self, ProbeError> {
        // The socket stays in the namespace of the thread that opened it.
        let opened = std::thread::scope(|scope| {
            let opening = scope.spawn(|| {
                probe::enter(netns)?;
                let segment = Segment::open(interface)?;
                segment.make_room(ROOM)?;
                Ok(segment)
            });
            opening.join()
        });
        match opened {
            Ok(segment) => Ok(Self { segment: segment? }),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Asks `number` times, for each of the targets in turn, one question a `period`; the next one waits until the one before
    /// it was answered, or was not for 200 ms.
    ///
    /// # Errors
    /// If its socket fails.
    pub fn one_by_one(
        &self,
        targets: &[IpAddr],
        number: usize,
        period: Duration,
    ) -> Result<Delays, ProbeError> {
        let questions = self.questions(targets)?;
        let mut delays = Vec::new();
        let mut next = Instant::now();
        for (target, question) in questions.iter().cycle().take(number) {
            // What came meanwhile is nobody's answer any more.
            self.segment.frames(*target, next, |_| {})?;
            let asked = Instant::now();
            next = (next + period).max(asked);
            self.segment.send(question, *target)?;
            if self.answer(*target, asked + PATIENCE)? {
                delays.push(asked.elapsed());
            }
        }
        Ok(Delays::new(delays, number))
    }

    /// Asks `rate` times a second for so long, for each of the targets in turn, and counts the answers.
    ///
    /// # Errors
    /// If its socket fails.
    pub fn flood(
        &self,
        targets: &[IpAddr],
        rate: u32,
        span: Duration,
    ) -> Result<Flood, ProbeError> {
        let questions = self.questions(targets)?;
        let Some((first, _)) = questions.first() else {
            return Ok(Flood {
                sent: 0,
                answered: 0,
                span: Duration::ZERO,
            });
        };
        let targets: BTreeSet<IpAddr> = targets.iter().copied().collect();
        std::thread::scope(|scope| {
            let end = Instant::now() + span + LISTENING;
            let listening = scope.spawn(move || {
                let mut answered = 0;
                self.segment.frames(*first, end, |frame| {
                    let reply = self.reply(frame);
                    answered += usize::from(reply.is_some_and(|to| targets.contains(&to)));
                })?;
                Ok(answered)
            });
            let (sent, span) = self.ask_steadily(&questions, rate, span)?;
            let answered = match listening.join() {
                Ok(answered) => answered?,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            Ok(Flood {
                sent,
                answered,
                span,
            })
        })
    }

    /// Asks for `target` every other millisecond until somebody answers; `None` if nobody did for so long.
    ///
    /// # Errors
    /// If its socket fails.
    pub fn first_answer(
        &self,
        target: IpAddr,
        limit: Duration,
    ) -> Result<Option<Instant>, ProbeError> {
        let question = self.segment.question(target, false)?;
        let begin = Instant::now();
        while begin.elapsed() < limit {
            self.segment.send(&question, target)?;
            if self.answer(target, Instant::now() + EAGERNESS)? {
                return Ok(Some(Instant::now()));
            }
        }
        Ok(None)
    }

    fn questions(&self, targets: &[IpAddr]) -> Result<Vec<(IpAddr, Vec<u8>)>, ProbeError> {
        let question = |target: &IpAddr| Ok((*target, self.segment.question(*target, false)?));
        targets.iter().map(question).collect()
    }

    /// Sends what is due each millisecond. Returns how many it sent, and how long that took.
    fn ask_steadily(
        &self,
        questions: &[(IpAddr, Vec<u8>)],
        rate: u32,
        span: Duration,
    ) -> Result<(usize, Duration), ProbeError> {
        let begin = Instant::now();
        let mut sent = 0;
        let mut next = questions.iter().cycle();
        loop {
            let now = begin.elapsed();
            let due = (now.min(span).as_secs_f64() * f64::from(rate)).round() as usize;
            for (target, question) in next.by_ref().take(due.saturating_sub(sent)) {
                self.segment.send(question, *target)?;
                sent += 1;
            }
            if now >= span {
                return Ok((sent, begin.elapsed()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether an answer for `target` comes until `deadline`.
    fn answer(&self, target: IpAddr, deadline: Instant) -> Result<bool, ProbeError> {
        let mut frame = [0; FRAME_BUFFER];
        while let Some(length) = self.segment.next(target, deadline, &mut frame)? {
            if self.reply(&frame[..length]) == Some(target) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// For which address a frame is an answer to us.
    fn reply(&self, frame: &[u8]) -> Option<IpAddr> {
        let own = self.segment.mac();
        let to_us = |reply: &Reply| reply.frame_destination() == own && reply.frame_source() != own;
        Some(parse_reply(frame).filter(to_us)?.address())
    }
}

// === impl Flood ===

impl Flood {
    /// How many questions were not answered.
    pub fn lost(&self) -> usize {
        self.sent.saturating_sub(self.answered)
    }

    /// How many questions a second were put on the wire.
    pub fn rate(&self) -> f64 {
        self.sent as f64 / self.span.as_secs_f64()
    }
}

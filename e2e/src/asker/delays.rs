//! How long answers took.

use std::time::Duration;

/// The times of many answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delays {
    /// In ascending order.
    sorted: Vec<Duration>,
    asked: usize,
}

impl Delays {
    /// Of so many questions.
    pub fn new(mut delays: Vec<Duration>, asked: usize) -> Self {
        delays.sort_unstable();
        Self {
            sorted: delays,
            asked,
        }
    }

    /// All of these together.
    pub fn of(parts: &[Self]) -> Self {
        let delays = parts.iter().flat_map(|part| &part.sorted).copied();
        Self::new(delays.collect(), parts.iter().map(|part| part.asked).sum())
    }

    /// How many questions there were.
    pub fn asked(&self) -> usize {
        self.asked
    }

    /// How many questions were not answered.
    pub fn missing(&self) -> usize {
        self.asked - self.sorted.len()
    }

    /// The time that so many of a hundred answers took at the most; zero if there was none.
    pub fn percentile(&self, percent: usize) -> Duration {
        let last = self.sorted.len().saturating_sub(1);
        let at = (self.sorted.len() * percent / 100).min(last);
        self.sorted.get(at).copied().unwrap_or_default()
    }

    /// Half of the answers took no longer.
    pub fn median(&self) -> Duration {
        self.percentile(50)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_answered() {
        let times: Vec<Duration> = (1..=200).rev().map(Duration::from_micros).collect();
        let delays = Delays::new(times, 203);
        assert_eq!(delays.missing(), 3);
        assert_eq!(delays.median(), Duration::from_micros(101));
        assert_eq!(delays.percentile(99), Duration::from_micros(199));
        assert_eq!(delays.percentile(100), Duration::from_micros(200));
        let twice = Delays::of(&[delays.clone(), delays]);
        assert_eq!(twice.missing(), 6);
        assert_eq!(twice.percentile(100), Duration::from_micros(200));
    }

    #[test]
    fn without_an_answer_there_is_no_time() {
        assert_eq!(Delays::new(Vec::new(), 2).median(), Duration::ZERO);
    }
}

//! How many addresses there are.

use std::fmt;
use std::ops::{Add, AddAssign};

/// A number of addresses: up to 2^128 per set, and more if sets are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Count {
    /// How many times 2^128.
    high: u64,
    low: u128,
}

/// What decimal digits are printed in: 2^128 is `TURNS` of these and `REST`.
const DIGITS: u128 = 10_u128.pow(19);
const TURNS: u128 = u128::MAX / DIGITS;
const REST: u128 = u128::MAX % DIGITS + 1;

impl Count {
    /// No address.
    pub const ZERO: Self = Self { high: 0, low: 0 };

    /// The addresses from `first` to `last`, both included; none if they are in the wrong order.
    pub(super) fn between(first: u128, last: u128) -> Self {
        let Some(steps) = last.checked_sub(first) else {
            return Self::ZERO;
        };
        Self::from(steps) + Self::from(1_u128)
    }

    /// The number, if it fits.
    pub fn as_u64(self) -> Option<u64> {
        match self.high {
            0 => u64::try_from(self.low).ok(),
            _ => None,
        }
    }

    /// What is left after `other` are taken away; none if there are not so many.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        if self <= other {
            return Self::ZERO;
        }
        let (low, borrowed) = self.low.overflowing_sub(other.low);
        Self {
            high: self.high - other.high - u64::from(borrowed),
            low,
        }
    }
}

impl From<u128> for Count {
    fn from(low: u128) -> Self {
        Self { high: 0, low }
    }
}

impl From<usize> for Count {
    fn from(number: usize) -> Self {
        Self::from(number as u128)
    }
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (low, carried) = self.low.overflowing_add(other.low);
        Self {
            high: self
                .high
                .saturating_add(other.high)
                .saturating_add(u64::from(carried)),
            low,
        }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.high == 0 {
            return f.pad(&self.low.to_string());
        }
        let high = u128::from(self.high);
        let rest = high * REST + self.low % DIGITS;
        let turns = high * TURNS + self.low / DIGITS + rest / DIGITS;
        f.pad(&format!("{turns}{:019}", rest % DIGITS))
    }
}

//! Credits: whole numbers, of which one is the smallest unit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A number of credits, or a change of one: then it may be below zero.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Credits(i64);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected a whole number of credits from 1 to {max}", max = Credits::MAX_GRANT)]
pub struct BadCredits;

impl Credits {
    pub const ZERO: Self = Self(0);
    /// The largest integer that every reader of JSON takes.
    pub const MAX: Self = Self(9_007_199_254_740_991);
    /// The most that is given at once.
    pub const MAX_GRANT: Self = Self(1_000_000_000_000);

    #[must_use]
    pub const fn new(credits: i64) -> Self {
        Self(credits)
    }

    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    #[must_use]
    pub fn checked_mul(self, times: u32) -> Option<Self> {
        self.0.checked_mul(i64::from(times)).map(Self)
    }

    /// This many credits for `whole` parts of work, asked for `parts` of them: rounded up, so that
    /// no work is free whose whole is not.
    #[must_use]
    pub fn in_proportion(self, parts: u32, whole: u32) -> Option<Self> {
        let exact = self.0.checked_mul(i64::from(parts))?;
        let whole = i64::from(whole.max(1));
        Some(Self(
            exact.div_euclid(whole) + i64::from(exact.rem_euclid(whole) > 0),
        ))
    }

    /// Credits that somebody may be given: at least one, and not more than the largest grant.
    pub fn granted(credits: i64) -> Result<Self, BadCredits> {
        Some(Self(credits))
            .filter(|credits| (Self(1)..=Self::MAX_GRANT).contains(credits))
            .ok_or(BadCredits)
    }
}

impl std::ops::Neg for Credits {
    type Output = Self;
    /// No number of credits comes near the one that has no opposite.
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl FromStr for Credits {
    type Err = BadCredits;
    /// Reads what somebody is to be given.
    fn from_str(text: &str) -> Result<Self, BadCredits> {
        Self::granted(text.trim().parse().map_err(|_| BadCredits)?)
    }
}

impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} credits", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportions_round_up_and_never_overflow() {
        let price = Credits::new(2);
        for (steps, cost) in [(1, 1), (10, 1), (20, 2), (21, 3), (40, 4)] {
            assert_eq!(price.in_proportion(steps, 20), Some(Credits::new(cost)));
        }
        assert_eq!(Credits::ZERO.in_proportion(7, 20), Some(Credits::ZERO));
        assert_eq!(Credits::new(i64::MAX).in_proportion(2, 1), None);
        assert_eq!(Credits::new(i64::MAX).checked_mul(2), None);
        assert_eq!(Credits::new(i64::MAX).checked_add(Credits::new(1)), None);
        assert_eq!(Credits::new(i64::MIN).checked_sub(Credits::new(1)), None);
    }

    #[test]
    fn what_is_given_is_a_number_that_fits() {
        assert_eq!("500".parse(), Ok(Credits::new(500)));
        for wrong in ["0", "-3", "1.5", "", "many", "1000000000001"] {
            assert_eq!(wrong.parse::<Credits>(), Err(BadCredits), "{wrong}");
        }
    }
}

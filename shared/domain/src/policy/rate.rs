//! Shares of a whole, exact in integers.

use serde::{Deserialize, Serialize};

/// The whole, in parts per million.
const WHOLE: u32 = 1_000_000;

/// A share from 0 to 1, in parts per million, so that 1 of 5 is exactly 20 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Rate(u32);

/// A text or number is no share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a share from 0 to 1, such as 0.2 or \"20%\", with at most six decimals (four in a percentage)")]
pub struct RateError;

impl Rate {
    /// Everything.
    pub const ALL: Self = Self(WHOLE);

    /// One of five, the mission's failure rate.
    pub const FIFTH: Self = Self(WHOLE / 5);

    /// So many hundredths.
    pub(crate) const fn percent(percent: u32) -> Self {
        Self(percent * (WHOLE / 100))
    }

    /// A share in parts per million.
    pub fn from_ppm(ppm: u32) -> Result<Self, RateError> {
        if ppm <= WHOLE { Ok(Self(ppm)) } else { Err(RateError) }
    }

    /// A share as a number; refused where it has more than six decimals.
    pub fn from_number(number: f64) -> Result<Self, RateError> {
        let ppm = (number * f64::from(WHOLE)).round();
        if !(0.0..=f64::from(WHOLE)).contains(&ppm) || (ppm / f64::from(WHOLE) - number).abs() > 1e-12 {
            return Err(RateError);
        }
        Self::from_ppm(ppm as u32)
    }

    /// A percentage, such as `20%` or `12.5%`.
    pub fn from_percentage(text: &str) -> Result<Self, RateError> {
        let percent = text.strip_suffix('%').ok_or(RateError)?;
        decimal(percent, 4).and_then(Self::from_ppm)
    }

    /// A share as configuration has it: `0.2` or `20%`.
    pub fn parse(text: &str) -> Result<Self, RateError> {
        if text.ends_with('%') { Self::from_percentage(text) } else { decimal(text, 6).and_then(Self::from_ppm) }
    }

    /// Parts per million.
    pub fn ppm(self) -> u32 {
        self.0
    }

    /// The share as a number, for people.
    pub fn as_number(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE)
    }

    /// The share as a percentage, for people: `12.5%`.
    pub fn as_percentage(self) -> String {
        let (whole, part) = (self.0 / 10_000, self.0 % 10_000);
        if part == 0 {
            return format!("{whole}%");
        }
        format!("{whole}.{}%", format!("{part:04}").trim_end_matches('0'))
    }

    /// This share of `total`, rounded down.
    pub fn of(self, total: u32) -> u32 {
        (u64::from(self.0) * u64::from(total) / u64::from(WHOLE)) as u32
    }

    /// Whether `part` of `whole` is more than this share.
    pub fn exceeded_by(self, part: u32, whole: u32) -> bool {
        u64::from(part) * u64::from(WHOLE) > u64::from(self.0) * u64::from(whole)
    }
}

impl TryFrom<u32> for Rate {
    type Error = RateError;

    fn try_from(ppm: u32) -> Result<Self, RateError> {
        Self::from_ppm(ppm)
    }
}

impl From<Rate> for u32 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

/// Digits with at most `places` decimals, times ten to the power of `places`.
fn decimal(text: &str, places: usize) -> Result<u32, RateError> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > places {
        return Err(RateError);
    }
    format!("{whole}{part:0<places$}").parse().map_err(|_| RateError)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_are_read_exactly() {
        for (text, ppm) in
            [("0.2", 200_000), ("20%", 200_000), ("12.5%", 125_000), ("0", 0), ("1", WHOLE), ("100%", WHOLE)]
        {
            assert_eq!(Rate::parse(text), Ok(Rate(ppm)), "{text}");
        }
        for text in ["", "%", "20", "101%", "1.1", "-1%", "0.0000001", "1.00001%", "a", "1 %", ".5", "5.%"] {
            assert_eq!(Rate::parse(text), Err(RateError), "{text}");
        }
        assert_eq!(Rate::from_number(0.2), Ok(Rate(200_000)));
        for number in [20.0, -0.1, 0.000_000_1, f64::NAN] {
            assert_eq!(Rate::from_number(number), Err(RateError), "{number}");
        }
    }

    #[test]
    fn more_than_is_exact() {
        let fifth = Rate(200_000);
        assert!(!fifth.exceeded_by(1, 5));
        assert!(fifth.exceeded_by(2, 5));
        assert!(!fifth.exceeded_by(0, 0));
        assert!(!Rate::ALL.exceeded_by(5, 5));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(ppm in 0..=WHOLE) {
            let rate = Rate(ppm);
            prop_assert_eq!(Rate::from_percentage(&rate.as_percentage()), Ok(rate));
            prop_assert_eq!(Rate::from_number(rate.as_number()), Ok(rate));
        }
    }
}

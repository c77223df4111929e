//! Times of day as operators write them: `02:00` or `02:00:00`, shown as `02:00:00`. Usable as `#[serde(with)]`.

use jiff::civil;
use serde::{Deserialize, Deserializer, Serializer, de};

/// A text that is no time of day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{given}\" is not a time of day; write it as \"02:00\" or \"02:00:00\", from 00:00:00 to 23:59:59")]
pub struct TimeOfDayError {
    /// The text as it was given.
    pub given: String,
}

/// Reads `HH:MM` or `HH:MM:SS`. Stricter than jiff, which takes `02`, `T0200` and fractions too.
pub fn parse(text: &str) -> Result<civil::Time, TimeOfDayError> {
    read(text).ok_or_else(|| TimeOfDayError { given: text.to_owned() })
}

/// Shows a time of day as `HH:MM:SS`.
pub fn format(time: civil::Time) -> String {
    format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())
}

fn read(text: &str) -> Option<civil::Time> {
    let mut parts = text.split(':').map(two_digits);
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    if parts.next().is_some() {
        return None;
    }
    civil::Time::new(hour, minute, second, 0).ok()
}

fn two_digits(part: &str) -> Option<i8> {
    let is_number = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { part.parse().ok() } else { None }
}

/// Serde: writes [`format`].
pub fn serialize<S: Serializer>(time: &civil::Time, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*time))
}

/// Serde: reads [`parse`].
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<civil::Time, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::{format, parse};

    #[test]
    fn takes_two_spellings_and_shows_one() {
        for (given, shown) in
            [("02:00", "02:00:00"), ("02:00:00", "02:00:00"), ("23:59:59", "23:59:59"), ("00:00", "00:00:00")]
        {
            assert_eq!(parse(given).map(format).as_deref(), Ok(shown), "{given}");
        }
    }

    #[test]
    fn names_what_it_cannot_read() {
        for given in ["", "2:00", "02", "24:00", "02:60", "02:00:60", "02:00:00:00", "02:00:", "+2:00", "02:00Z", "2am"]
        {
            let error = parse(given).expect_err(given);
            assert!(error.to_string().starts_with(&format!("\"{given}\" is not a time of day")), "{error}");
        }
    }
}

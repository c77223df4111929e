//! Amounts as people write them: `2MB/s`, `512 MiB`, `1h 30m`.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use serde::Deserialize;

/// An amount as it stands in the file: a bare number in the base unit, or a text with its unit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "expected a number, or a text with a unit such as \"512MiB\" or \"30s\"")]
pub(super) enum Quantity {
    Bare(u64),
    Text(String),
}

/// Units of bytes; decimal ones as networks count, binary ones as memory does.
const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
];

const BYTES: &str = "expected bytes such as 500MB, 512MiB or 1.5GB";
const RATE: &str = "expected bytes per second such as 2MB/s or 500kB/s";
const TIME: &str = "expected a length of time such as 30s, 10m or 1h 30m";

impl Quantity {
    pub(super) fn bytes(&self) -> Result<u64, String> {
        match self {
            Self::Bare(bytes) => Ok(*bytes),
            Self::Text(text) => bytes(text).ok_or_else(|| got(BYTES, text)),
        }
    }

    /// As bytes per second; the `/s` may be left out.
    pub(super) fn bytes_per_second(&self) -> Result<u64, String> {
        match self {
            Self::Bare(bytes) => Ok(*bytes),
            Self::Text(text) => bytes(text.trim().trim_end_matches("/s")).ok_or_else(|| got(RATE, text)),
        }
    }

    /// As a length of time; a bare number is seconds.
    pub(super) fn time(&self) -> Result<Duration, String> {
        match self {
            Self::Bare(seconds) => Ok(Duration::from_secs(*seconds)),
            Self::Text(text) => time(text),
        }
    }
}

fn got(expected: &str, text: &str) -> String {
    format!("{expected}, got {text:?}")
}

/// A length of time as people write it. Days are 24 hours: this is about waiting, not about calendars.
pub fn time(text: &str) -> Result<Duration, String> {
    let span: Option<Span> = text.trim().parse().ok();
    span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok())
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| got(TIME, text))
}

fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim().to_ascii_lowercase();
    let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    // Three digits behind the point are more than anybody means, and exact in integers.
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 3 || fraction.contains('.') {
        return None;
    }
    let thousandths: u64 = format!("{fraction:0<3}").parse().ok()?;
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(factor)?.checked_add(factor.checked_mul(thousandths)? / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_as_people_write_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("512", Some(512)),
            ("2MB", Some(2_000_000)),
            ("2 mb", Some(2_000_000)),
            ("1.5GB", Some(1_500_000_000)),
            ("1.25 KiB", Some(1_280)),
            ("512MiB", Some(512 << 20)),
            ("17GiB", Some(17 << 30)),
            ("", None),
            ("MB", None),
            ("-1MB", None),
            (".5MB", None),
            ("1.MB", None),
            ("1.2.3MB", None),
            ("2 TB", None),
            ("2MB/s", None),
            ("99999999999999999999", None),
            ("99999999999GiB", None),
        ] {
            assert_eq!(Quantity::Text(text.to_owned()).bytes().ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn rates_with_and_without_their_second() {
        for (text, expected) in [("2MB/s", Some(2_000_000)), ("500 kB", Some(500_000)), ("2MB/h", None), ("/s", None)] {
            assert_eq!(Quantity::Text(text.to_owned()).bytes_per_second().ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn lengths_of_time() {
        for (text, expected) in [
            ("30s", Some(30)),
            ("10m", Some(600)),
            ("1h 30m", Some(5_400)),
            ("2h30m", Some(9_000)),
            ("1d", Some(86_400)),
            ("-5s", None),
            ("1 month", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(time(text).ok(), expected.map(Duration::from_secs), "{text:?}");
        }
        assert_eq!(Quantity::Bare(7).time(), Ok(Duration::from_secs(7)));
    }
}

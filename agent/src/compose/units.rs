//! Sizes, durations and counts as Compose files write them.

use std::time::Duration;

use jiff::SignedDuration;

/// A size in bytes: `64m`, `1.5g`, `512kb`, `1024`.
pub(super) fn bytes(text: &str) -> Result<i64, String> {
    let expected = || format!("expected a size such as 512m or 1g, got {text:?}");
    let lower = text.trim().to_lowercase();
    let split = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(split);
    let factor: f64 = match unit.trim() {
        "" | "b" => 1.0,
        "k" | "kb" | "kib" => 1024.0,
        "m" | "mb" | "mib" => 1024.0 * 1024.0,
        "g" | "gb" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "t" | "tb" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(expected()),
    };
    let number: f64 = number.parse().map_err(|_| expected())?;
    Ok((number * factor) as i64)
}

/// A size, or -1 for none.
pub(super) fn bytes_or_unlimited(text: &str) -> Result<i64, String> {
    if text == "-1" { Ok(-1) } else { bytes(text) }
}

/// A duration: `1m30s`, `500ms`, `1.5h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let read = if text.trim() == "0" { Ok(SignedDuration::ZERO) } else { text.trim().parse() };
    let duration = read.ok().and_then(|duration: SignedDuration| Duration::try_from(duration).ok());
    duration.ok_or_else(|| format!("expected a duration such as 10s or 1m30s, got {text:?}"))
}

/// A duration in the engine's nanoseconds.
pub(super) fn nanoseconds(text: &str) -> Result<i64, String> {
    let duration = duration(text)?;
    i64::try_from(duration.as_nanos()).map_err(|_| format!("expected less than 292 years, got {text:?}"))
}

/// A share of processors in the engine's billionths: `0.5`, `2`.
pub(super) fn cpus(text: &str) -> Result<i64, String> {
    match text.trim().parse::<f64>() {
        Ok(cpus) if cpus >= 0.0 && cpus.is_finite() => Ok((cpus * 1e9).round() as i64),
        Ok(_) | Err(_) => Err(format!("expected a number of processors such as 0.5, got {text:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("1024", Some(1024)),
            ("64b", Some(64)),
            ("2k", Some(2048)),
            ("64m", Some(64 << 20)),
            ("1.5g", Some(3 << 29)),
            ("1GB", Some(1 << 30)),
            ("", None),
            ("much", None),
            ("5x", None),
            ("1.2.3m", None),
        ] {
            assert_eq!(bytes(text).ok(), expected, "{text:?}");
        }
        assert_eq!((bytes_or_unlimited("-1"), bytes("-1").ok()), (Ok(-1), None));
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("10s", Some(10_000)),
            ("1m30s", Some(90_000)),
            ("500ms", Some(500)),
            ("1.5h", Some(5_400_000)),
            ("0", Some(0)),
            ("10", None),
            ("s", None),
            ("", None),
            ("1 day", None),
            ("1x", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(duration(text).ok().map(|duration| duration.as_millis()), expected, "{text:?}");
        }
        assert_eq!(nanoseconds("2s"), Ok(2_000_000_000));
        assert_eq!(nanoseconds("3000000h").ok(), None);
    }

    #[test]
    fn processors() {
        for (text, expected) in [("0.5", Some(500_000_000)), ("2", Some(2_000_000_000)), ("-1", None), ("inf", None)] {
            assert_eq!(cpus(text).ok(), expected, "{text:?}");
        }
    }
}

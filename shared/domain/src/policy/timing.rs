//! Durations as operators write them.

/// Units in their order, with their seconds.
const UNITS: [(char, u32); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

/// Reads `45s`, `30m`, `1h30m`, `1d`: whole numbers with units, the larger unit first; in seconds.
pub(super) fn parse_duration(text: &str) -> Option<u32> {
    let (mut units, mut rest, mut seconds) = (UNITS.iter(), text, 0_u32);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u32 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].chars().next()?;
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        seconds = seconds.checked_add(number.checked_mul(*factor)?)?;
        rest = &rest[digits + 1..];
    }
    (!text.is_empty()).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_seconds() {
        for (text, seconds) in
            [("45s", 45), ("30m", 1800), ("1h30m", 5400), ("2d1s", 172_801), ("0s", 0), ("90m", 5400)]
        {
            assert_eq!(parse_duration(text), Some(seconds), "{text}");
        }
        for text in ["", "45", "s", "1x", "30m1h", "1m1m", "-1s", "1.5h", "1h ", "99999999999s", "50000d", "1ä"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}

//! The days of the week on which a window starts.

use jiff::civil::Weekday;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A set of weekdays that is never empty.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Days {
    /// Bit 0 is Monday.
    bits: u8,
}

/// A text that is no day of the week.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{given}\" is not a day of the week; write mon, tue, wed, thu, fri, sat or sun")]
pub struct DaysError {
    /// The text as it was given.
    pub given: String,
}

const WEEK: [(Weekday, &str, &str); 7] = [
    (Weekday::Monday, "mon", "monday"),
    (Weekday::Tuesday, "tue", "tuesday"),
    (Weekday::Wednesday, "wed", "wednesday"),
    (Weekday::Thursday, "thu", "thursday"),
    (Weekday::Friday, "fri", "friday"),
    (Weekday::Saturday, "sat", "saturday"),
    (Weekday::Sunday, "sun", "sunday"),
];

impl Days {
    /// All seven.
    pub const EVERY: Self = Self { bits: 0b111_1111 };

    /// The given days; none given means every day, since a window without days would never open.
    pub fn new(days: impl IntoIterator<Item = Weekday>) -> Self {
        let bits = days.into_iter().fold(0, |bits, day| bits | bit(day));
        if bits == 0 { Self::EVERY } else { Self { bits } }
    }

    /// Reads names such as `mon` or `Monday` in any case; none given means every day.
    pub fn parse<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<Self, DaysError> {
        let days: Result<Vec<_>, _> = names.into_iter().map(|name| parse_day(name.as_ref())).collect();
        days.map(Self::new)
    }

    /// Whether `day` is one of them.
    pub fn contains(self, day: Weekday) -> bool {
        self.bits & bit(day) != 0
    }

    /// The short names from Monday on.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        WEEK.into_iter().filter(move |(day, ..)| self.contains(*day)).map(|(_, short, _)| short)
    }
}

fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

fn parse_day(name: &str) -> Result<Weekday, DaysError> {
    WEEK.into_iter()
        .find(|(_, short, long)| name.eq_ignore_ascii_case(short) || name.eq_ignore_ascii_case(long))
        .map(|(day, ..)| day)
        .ok_or_else(|| DaysError { given: name.to_owned() })
}

impl Default for Days {
    fn default() -> Self {
        Self::EVERY
    }
}

impl std::fmt::Debug for Days {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

impl Serialize for Days {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(Vec::<String>::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Days, DaysError};

    #[test]
    fn reads_short_and_full_names() {
        for (label, given, shown) in [
            ("short", vec!["mon", "tue"], r#"["mon","tue"]"#),
            ("full, any case, any order, doubled", vec!["SUNDAY", "Wednesday", "sun"], r#"["wed","sun"]"#),
            ("none means every", vec![], r#"["mon","tue","wed","thu","fri","sat","sun"]"#),
        ] {
            let days = Days::parse(&given).expect(label);
            assert_eq!(serde_json::to_string(&days).expect(label), shown, "{label}");
            assert_eq!(serde_json::from_str::<Days>(shown).expect(label), days, "{label}");
        }
    }

    #[test]
    fn names_the_bad_value() {
        assert_eq!(Days::parse(["mon", "moonday"]), Err(DaysError { given: "moonday".to_owned() }));
        let error = serde_json::from_str::<Days>(r#"["tues"]"#).expect_err("tues");
        assert!(error.to_string().contains("\"tues\" is not a day of the week"), "{error}");
    }
}

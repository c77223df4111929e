//! How far each batch reaches.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::{Rate, Share};

/// Most batches of one rollout: more is a mistake, and each one costs its delay.
const MAX_BATCHES: u32 = 100;

/// What three batches are.
const THREE: [Rate; 3] = [Rate::percent(10), Rate::percent(50), Rate::ALL];

/// The batches of a staged rollout: equal steps, or a list of how far each one reaches, all before it included.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Batches(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// So many batches.
    Count(u32),
    /// How far each one reaches.
    List(Vec<BatchStep>),
}

/// How far one batch reaches, all batches before it included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchStep {
    /// So many devices.
    Devices(u32),
    /// This share of the plan.
    Share(Rate),
}

/// Why a text or value names no batches.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Neither a count nor a list.
    #[error("expected a count from 1 to {MAX_BATCHES} or a list such as [10%, 50%, 100%], got {0}")]
    Shape(String),
    /// An entry is neither a percentage nor a number of devices.
    #[error(
        "entry {position}: expected a percentage such as \"10%\" (at most 100%, four decimals) or a whole number of \
         devices from 1 up, got {got}"
    )]
    Entry {
        /// Its place in the list, from 1.
        position: usize,
        /// The entry.
        got: String,
    },
    /// Batches reach further and further; an entry is not above the one of its kind before it.
    #[error("entry {position}: the entries are cumulative, expected more than {before}, got {got}")]
    NotGrowing {
        /// Its place in the list, from 1.
        position: usize,
        /// The entry.
        got: String,
        /// The last entry of its kind before it.
        before: String,
    },
    /// The last batch leaves devices out.
    #[error("the last entry must be \"100%\", so that every device is reached, got {0}")]
    NotAll(String),
}

impl Batches {
    /// The mission's 10 %, 50 % and 100 %.
    pub fn mission() -> Self {
        Self(Kind::Count(3))
    }

    /// One batch of all.
    pub const fn one() -> Self {
        Self(Kind::Count(1))
    }

    /// Whether the first batch is everybody, whatever the fleet's size.
    pub fn is_one(&self) -> bool {
        match &self.0 {
            Kind::Count(count) => *count == 1,
            Kind::List(steps) => steps.len() == 1,
        }
    }

    /// Batches by number: three are the mission's 10 %, 50 % and 100 %, any other count equal steps.
    pub fn count(count: u32) -> Result<Self, BatchError> {
        if (1..=MAX_BATCHES).contains(&count) {
            Ok(Self(Kind::Count(count)))
        } else {
            Err(BatchError::Shape(count.to_string()))
        }
    }

    /// Batches by how far each one reaches; the last must reach everything.
    pub fn list(steps: Vec<BatchStep>) -> Result<Self, BatchError> {
        let Some(last) = steps.last().copied() else { return Err(BatchError::Shape("[]".to_owned())) };
        if steps.len() > MAX_BATCHES as usize {
            return Err(BatchError::Shape(format!("a list of {}", steps.len())));
        }
        let (mut devices, mut share) = (None, None);
        for (index, &step) in steps.iter().enumerate() {
            let position = index + 1;
            if step.is_nothing() {
                return Err(BatchError::Entry { position, got: step.to_string() });
            }
            let (grows, before) = match step {
                BatchStep::Devices(n) => (devices.is_none_or(|b| n > b), devices.replace(n).map(BatchStep::Devices)),
                BatchStep::Share(rate) => (share.is_none_or(|b| rate > b), share.replace(rate).map(BatchStep::Share)),
            };
            if let (false, Some(before)) = (grows, before) {
                return Err(BatchError::NotGrowing { position, got: step.to_string(), before: before.to_string() });
            }
        }
        if last != BatchStep::Share(Rate::ALL) {
            return Err(BatchError::NotAll(last.to_string()));
        }
        Ok(Self(Kind::List(steps)))
    }

    /// Reads what a body or a file has: a count, or a list of percentages (texts) and whole numbers (devices).
    pub fn from_json(value: &Value) -> Result<Self, BatchError> {
        match value {
            Value::Number(number) => {
                let count = number.as_u64().and_then(|count| u32::try_from(count).ok());
                count.ok_or_else(|| BatchError::Shape(value.to_string())).and_then(Self::count)
            }
            Value::Array(entries) => {
                let step = |(index, entry): (usize, &Value)| {
                    BatchStep::from_json(entry)
                        .ok_or_else(|| BatchError::Entry { position: index + 1, got: entry.to_string() })
                };
                Self::list(entries.iter().enumerate().map(step).collect::<Result<_, _>>()?)
            }
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Object(_) => {
                Err(BatchError::Shape(value.to_string()))
            }
        }
    }

    /// Reads what configuration has: `3`, or `10%,50%,100%`.
    pub fn parse(text: &str) -> Result<Self, BatchError> {
        if let Ok(count) = text.trim().parse() {
            return Self::count(count);
        }
        let step = |(index, entry): (usize, &str)| {
            let number = entry.parse().ok().map(BatchStep::Devices);
            number
                .or_else(|| Rate::from_percentage(entry).ok().map(BatchStep::Share))
                .ok_or_else(|| BatchError::Entry { position: index + 1, got: format!("{entry:?}") })
        };
        Self::list(text.split(',').map(str::trim).enumerate().map(step).collect::<Result<_, _>>()?)
    }

    /// How far each batch reaches.
    pub fn shares(&self) -> Vec<Share> {
        match &self.0 {
            Kind::Count(3) => THREE.map(Share::Rate).to_vec(),
            Kind::Count(count) => (1..=*count).map(|number| Share::Parts { number, of: *count }).collect(),
            Kind::List(steps) => steps
                .iter()
                .map(|step| match step {
                    BatchStep::Devices(devices) => Share::Devices(*devices),
                    BatchStep::Share(rate) => Share::Rate(*rate),
                })
                .collect(),
        }
    }
}

impl BatchStep {
    fn is_nothing(self) -> bool {
        match self {
            Self::Devices(devices) => devices == 0,
            Self::Share(rate) => rate.ppm() == 0,
        }
    }

    fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => number.as_u64().and_then(|n| u32::try_from(n).ok()).map(Self::Devices),
            Value::String(text) => Rate::from_percentage(text).ok().map(Self::Share),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

impl std::fmt::Display for BatchStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Devices(devices) => devices.fmt(f),
            Self::Share(rate) => write!(f, "\"{}\"", rate.as_percentage()),
        }
    }
}

impl Serialize for BatchStep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Devices(devices) => serializer.serialize_u32(*devices),
            Self::Share(rate) => serializer.serialize_str(&rate.as_percentage()),
        }
    }
}

impl Serialize for Batches {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Kind::Count(count) => serializer.serialize_u32(*count),
            Kind::List(steps) => steps.serialize(serializer),
        }
    }
}

impl TryFrom<Value> for Batches {
    type Error = BatchError;

    fn try_from(value: Value) -> Result<Self, BatchError> {
        Self::from_json(&value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn anything_else_is_refused_by_entry() {
        let cases = [
            ("zero batches", json!(0), "count from 1"),
            ("too many", json!(101), "count from 1"),
            ("a negative count", json!(-3), "count from 1"),
            ("a fraction", json!(2.5), "count from 1"),
            ("a text", json!("10%"), "count from 1"),
            ("an empty list", json!([]), "count from 1"),
            ("a number as text", json!(["10", "100%"]), "entry 1: expected a percentage"),
            ("a share as number", json!([0.1, "100%"]), "entry 1: expected a percentage"),
            ("nothing", json!(["10%", null, "100%"]), "entry 2: expected a percentage"),
            ("no devices", json!([0, "100%"]), "entry 1: expected a percentage"),
            ("no share", json!(["0%", "100%"]), "entry 1: expected a percentage"),
            ("beyond everything", json!(["50%", "101%"]), "entry 2: expected a percentage"),
            ("shares that shrink", json!(["50%", "10%", "100%"]), "entry 2: the entries are cumulative"),
            ("devices that shrink", json!([5, "10%", 5, "100%"]), "entry 3: the entries are cumulative"),
            ("some left out", json!(["10%", "50%"]), "last entry must be \"100%\""),
            ("devices at the end", json!(["10%", 50]), "last entry must be \"100%\""),
        ];
        for (label, value, expected) in cases {
            let error = Batches::from_json(&value).expect_err(label).to_string();
            assert!(error.contains(expected), "{label}: {error}");
        }
        assert!(Batches::parse("10%,100").is_err());
        assert_eq!(Batches::parse("4"), Batches::count(4));
    }

    #[test]
    fn what_is_stored_is_read_back() {
        for value in [json!(3), json!([1, "12.5%", "100%"])] {
            let batches: Batches = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(serde_json::to_value(&batches).unwrap(), value);
        }
    }
}

//! Whose clock a window is read on.
//!
//! Zones are IANA names, because only those know when clocks change. A fixed offset is right for half a year in most
//! places and is refused, `Etc/GMT+2` included: it is a fixed offset too, and its sign is the opposite of what it looks
//! like. UTC is a fixed offset that people mean, so it and its other names are fine.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Window;

/// The word that a policy has in place of a zone when each device's own zone counts.
pub const DEVICE: &str = "device";

/// A time zone that the compiled-in database knows, in that database's spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneName {
    name: String,
    zone: TimeZone,
}

/// Why a zone is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// An offset from UTC, in whatever spelling.
    #[error(
        "\"{given}\" is a fixed offset, which is wrong for half of the year where clocks change; name the zone of a \
         place, such as Europe/Berlin or America/New_York, or UTC"
    )]
    FixedOffset {
        /// The text as it was given.
        given: String,
    },
    /// Not in the IANA database.
    #[error("\"{given}\" is not an IANA time zone; {}", hint(.similar.as_deref()))]
    Unknown {
        /// The text as it was given.
        given: String,
        /// A zone whose place has that name.
        similar: Option<String>,
    },
    /// A fallback is only used for devices, and the policy names a zone.
    #[error("fallback_timezone is for `timezone: device` only; the window is in {timezone}")]
    FallbackUnused {
        /// The zone that the policy names.
        timezone: String,
    },
}

fn hint(similar: Option<&str>) -> String {
    match similar {
        Some(name) => format!("did you mean {name}?"),
        None => "name one such as Europe/Berlin, America/New_York or UTC".to_owned(),
    }
}

impl ZoneName {
    /// Reads an IANA name in any case.
    pub fn parse(text: &str) -> Result<Self, ZoneError> {
        if is_fixed_offset(text) {
            return Err(ZoneError::FixedOffset { given: text.to_owned() });
        }
        let found = TimeZoneDatabase::bundled().get(text).ok();
        let named = found.and_then(|zone| Some(Self { name: zone.iana_name()?.to_owned(), zone }));
        // "Factory" and "Etc/Unknown" are in the database and say that nobody has set a zone.
        named
            .filter(|named| named.name != "Factory" && !named.zone.is_unknown())
            .ok_or_else(|| ZoneError::Unknown { given: text.to_owned(), similar: similar_place(text) })
    }

    /// UTC, which is always known.
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// The name in the database's spelling, such as `Europe/Berlin`.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The rules of the zone.
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }
}

/// `+02:00`, `UTC+2`, `GMT-3`, `Etc/GMT+2`, `-0800`, but not the spellings of UTC itself that the database has
/// (`GMT+0`, `Etc/GMT-0`).
fn is_fixed_offset(text: &str) -> bool {
    let lower = text.trim().to_ascii_lowercase();
    let rest = lower.strip_prefix("etc/").unwrap_or(&lower);
    let rest = ["utc", "gmt", "z"].iter().find_map(|prefix| rest.strip_prefix(prefix)).unwrap_or(rest);
    let digits = rest.trim_start_matches([' ', '+', '-', '\u{2212}']);
    let is_offset = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    is_offset && !matches!(lower.as_str(), "gmt0" | "gmt+0" | "gmt-0" | "etc/gmt0" | "etc/gmt+0" | "etc/gmt-0")
}

/// The zone of a place that was named without its region (`berlin`, `New York`).
fn similar_place(text: &str) -> Option<String> {
    let place = text.trim().rsplit('/').next()?.replace(' ', "_");
    let is_place = |name: &str| name.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(&place));
    let database = TimeZoneDatabase::bundled();
    let found = database.available().find(|name| name.as_str().contains('/') && is_place(name.as_str()));
    found.map(|name| name.as_str().to_owned())
}

impl std::fmt::Display for ZoneName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl std::str::FromStr for ZoneName {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Self, ZoneError> {
        Self::parse(text)
    }
}

impl Serialize for ZoneName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

impl<'de> Deserialize<'de> for ZoneName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// Whose clock a window's stated times are read on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WindowZone {
    /// One zone for all devices.
    Named(ZoneName),
    /// Each device's own zone.
    Device {
        /// For devices that report no zone or an unknown one.
        fallback: ZoneName,
    },
}

impl WindowZone {
    /// From a policy's two fields: `timezone` (an IANA name or [`DEVICE`]; absent means UTC) and `fallback_timezone`
    /// (only beside [`DEVICE`]; absent means UTC).
    pub fn parse(timezone: Option<&str>, fallback_timezone: Option<&str>) -> Result<Self, ZoneError> {
        match (timezone, fallback_timezone) {
            (Some(word), fallback) if word.eq_ignore_ascii_case(DEVICE) => {
                let fallback = fallback.map_or_else(|| Ok(ZoneName::utc()), ZoneName::parse)?;
                Ok(Self::Device { fallback })
            }
            (timezone, None) => Ok(Self::Named(timezone.map_or_else(|| Ok(ZoneName::utc()), ZoneName::parse)?)),
            (timezone, Some(_)) => Err(ZoneError::FallbackUnused { timezone: timezone.unwrap_or("UTC").to_owned() }),
        }
    }

    /// The policy's field `timezone`: an IANA name or [`DEVICE`].
    pub fn timezone(&self) -> &str {
        match self {
            Self::Named(name) => name.as_str(),
            Self::Device { .. } => DEVICE,
        }
    }

    /// The policy's field `fallback_timezone`.
    pub fn fallback_timezone(&self) -> Option<&ZoneName> {
        match self {
            Self::Named(_) => None,
            Self::Device { fallback } => Some(fallback),
        }
    }
}

/// Where the zone of a window came from, for one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZoneSource {
    /// The policy names one zone for all.
    Policy,
    /// The policy asks for the device's own zone and the device reported one.
    Device,
    /// The device reported no zone, so the policy's fallback counts.
    FallbackNotReported,
    /// The device reported something that is no zone, so the policy's fallback counts. Worth a warning.
    FallbackUnknown {
        /// What is wrong with it.
        error: ZoneError,
    },
}

impl Window {
    /// The zone in which this window is read for a device that reported `device_zone`, and why that one.
    pub fn zone_for(&self, device_zone: Option<&str>) -> (TimeZone, ZoneSource) {
        match (self.zone(), device_zone.map(ZoneName::parse)) {
            (WindowZone::Named(name), _) => (name.zone.clone(), ZoneSource::Policy),
            (WindowZone::Device { .. }, Some(Ok(own))) => (own.zone, ZoneSource::Device),
            (WindowZone::Device { fallback }, None) => (fallback.zone.clone(), ZoneSource::FallbackNotReported),
            (WindowZone::Device { fallback }, Some(Err(error))) => {
                (fallback.zone.clone(), ZoneSource::FallbackUnknown { error })
            }
        }
    }
}

#[cfg(test)]
mod tests;

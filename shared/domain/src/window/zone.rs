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
        /// For devices that told no zone that is known; without it they wait until they tell one.
        fallback: Option<ZoneName>,
    },
}

impl WindowZone {
    /// From a policy's two fields: `timezone` (an IANA name or [`DEVICE`]; absent means UTC) and `fallback_timezone`
    /// (only beside [`DEVICE`]).
    pub fn parse(timezone: Option<&str>, fallback_timezone: Option<&str>) -> Result<Self, ZoneError> {
        match (timezone, fallback_timezone) {
            (Some(word), fallback) if word.eq_ignore_ascii_case(DEVICE) => {
                Ok(Self::Device { fallback: fallback.map(ZoneName::parse).transpose()? })
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
            Self::Device { fallback } => fallback.as_ref(),
        }
    }
}

/// In which zone a window is read for one device, and why in that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZoneSource {
    /// The policy names one zone for all.
    Policy(TimeZone),
    /// The policy asks for the device's own zone, and the device told one.
    Device(TimeZone),
    /// The device told none that is known, and the policy names a fallback.
    Fallback(TimeZone),
    /// The device told none that is known, and the policy names no fallback: for this device the window never opens.
    Missing,
}

impl ZoneSource {
    /// The zone, where there is one.
    pub fn zone(self) -> Option<TimeZone> {
        match self {
            Self::Policy(zone) | Self::Device(zone) | Self::Fallback(zone) => Some(zone),
            Self::Missing => None,
        }
    }
}

impl Window {
    /// The zone in which this window is read for a device that told `device_zone`.
    pub fn zone_for(&self, device_zone: Option<&str>) -> ZoneSource {
        match (self.zone(), device_zone.map(ZoneName::parse)) {
            (WindowZone::Named(name), _) => ZoneSource::Policy(name.zone.clone()),
            (WindowZone::Device { .. }, Some(Ok(own))) => ZoneSource::Device(own.zone),
            (WindowZone::Device { fallback: Some(fallback) }, None | Some(Err(_))) => {
                ZoneSource::Fallback(fallback.zone.clone())
            }
            (WindowZone::Device { fallback: None }, None | Some(Err(_))) => ZoneSource::Missing,
        }
    }
}

#[cfg(test)]
mod tests;

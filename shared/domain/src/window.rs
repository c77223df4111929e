//! Maintenance windows: when a device may swap its image.
//!
//! A window is stated in local time (`02:00`–`04:00`, Monday and Tuesday, `Europe/Berlin`) and means an interval of
//! instants for each matching local day; everything asks for membership in those intervals. How a stated time becomes
//! an instant where clocks change is in [`interval`], what an interval means for a swap in [`answer`], and how to tell
//! people about the change in [`clock_change`].
//!
//! Zone rules come from the database that is compiled in, never from the machine's own: a policy gives the same windows
//! in Lambda, on a laptop and in a test.

pub mod answer;
pub mod clock_change;
pub mod days;
pub mod interval;
pub mod time_of_day;
pub mod zone;

pub use answer::WindowAnswer;
pub use clock_change::ClockChange;
pub use days::{Days, DaysError};
pub use interval::{Interval, Intervals};
pub use time_of_day::TimeOfDayError;
pub use zone::{WindowZone, ZoneError, ZoneName, ZoneSource};

use jiff::{SignedDuration, civil};
use serde::{Deserialize, Serialize};

/// Minutes before the end of a window in which no swap starts, where a policy names none.
pub const DEFAULT_CUTOFF_MINUTES: u32 = 10;

/// A recurring maintenance window, validated: it has a length, and is longer than its cutoff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WindowRecord", into = "WindowRecord")]
pub struct Window {
    start: civil::Time,
    end: civil::Time,
    zone: WindowZone,
    days: Days,
    cutoff_minutes: u32,
}

/// Why a window is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// Start and end are the same time of day, which could mean nothing or the whole day.
    #[error("the window starts and ends at {0}, so it has no length; for swaps at any time leave the window out")]
    NoLength(civil::Time),
    /// No moment of the window is left before its cutoff.
    #[error(
        "the window lasts {length_minutes} minutes and its cutoff is {cutoff_minutes}, so no swap could ever start; \
         make the window longer or cutoff_minutes smaller"
    )]
    NotLongerThanCutoff {
        /// Stated length of the window in minutes, rounded down.
        length_minutes: u32,
        /// Stated cutoff in minutes.
        cutoff_minutes: u32,
    },
    /// Windows are stated in whole seconds.
    #[error("{0} is not a whole second")]
    FractionOfSecond(civil::Time),
    /// The zone cannot be used.
    #[error(transparent)]
    Zone(#[from] ZoneError),
}

impl Window {
    /// A window from `start` to `end` on the local `days`; where `end` is not later than `start` it ends on the next
    /// day. `days` name the day of the start. No swap starts later than `cutoff_minutes` before the end.
    pub fn new(
        start: civil::Time,
        end: civil::Time,
        zone: WindowZone,
        days: Days,
        cutoff_minutes: u32,
    ) -> Result<Self, WindowError> {
        for time in [start, end] {
            if time.subsec_nanosecond() != 0 {
                return Err(WindowError::FractionOfSecond(time));
            }
        }
        if start == end {
            return Err(WindowError::NoLength(start));
        }
        let window = Self { start, end, zone, days, cutoff_minutes };
        let length = window.nominal_length();
        if length <= window.cutoff() {
            let length_minutes = length.as_secs().unsigned_abs() as u32 / 60;
            return Err(WindowError::NotLongerThanCutoff { length_minutes, cutoff_minutes });
        }
        Ok(window)
    }

    /// Stated local time of day at which the window opens.
    pub fn start(&self) -> civil::Time {
        self.start
    }

    /// Stated local time of day at which the window closes, on the next day if [`Self::crosses_midnight`].
    pub fn end(&self) -> civil::Time {
        self.end
    }

    /// Whose clock the stated times are read on.
    pub fn zone(&self) -> &WindowZone {
        &self.zone
    }

    /// Days on which the window starts.
    pub fn days(&self) -> Days {
        self.days
    }

    /// Minutes before the end in which no swap starts.
    pub fn cutoff_minutes(&self) -> u32 {
        self.cutoff_minutes
    }

    /// [`Self::cutoff_minutes`] as a duration.
    pub fn cutoff(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::from(self.cutoff_minutes) * 60)
    }

    /// Whether the window ends on the day after its start.
    pub fn crosses_midnight(&self) -> bool {
        self.end < self.start
    }

    /// Length of the window on a day without a clock change: more than nothing and less than 24 hours.
    pub fn nominal_length(&self) -> SignedDuration {
        let difference = self.start.duration_until(self.end);
        if self.crosses_midnight() { difference + SignedDuration::from_hours(24) } else { difference }
    }
}

/// How a window is written down: the field names of a policy, without their prefix.
#[derive(Serialize, Deserialize)]
struct WindowRecord {
    #[serde(with = "time_of_day")]
    start: civil::Time,
    #[serde(with = "time_of_day")]
    end: civil::Time,
    timezone: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fallback_timezone: Option<String>,
    #[serde(default)]
    days: Days,
    cutoff_minutes: u32,
}

impl TryFrom<WindowRecord> for Window {
    type Error = WindowError;

    fn try_from(record: WindowRecord) -> Result<Self, WindowError> {
        let zone = WindowZone::parse(Some(&record.timezone), record.fallback_timezone.as_deref())?;
        Self::new(record.start, record.end, zone, record.days, record.cutoff_minutes)
    }
}

impl From<Window> for WindowRecord {
    fn from(window: Window) -> Self {
        Self {
            start: window.start,
            end: window.end,
            timezone: window.zone.timezone().to_owned(),
            fallback_timezone: window.zone.fallback_timezone().map(|name| name.as_str().to_owned()),
            days: window.days,
            cutoff_minutes: window.cutoff_minutes,
        }
    }
}

#[cfg(test)]
mod tests;

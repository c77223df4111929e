//! The intervals of instants that a window means.
//!
//! A stated local time becomes *the first instant at which the local clock reads that time or a later one*. On most
//! days that is the one instant with that reading. Where the clock jumps forward over it, it is the instant at which
//! the gap ends; where the clock is set back and shows it twice, the first occurrence. Start and end are resolved
//! alike, and a later local time never becomes an earlier instant, so that windows keep their order.
//!
//! Each local day that matches and exists has exactly one interval. If a gap leaves nothing of it, it runs its nominal
//! length from the end of the gap: an operator who asked for that night gets it. A day that the zone skipped as a whole
//! (crossing the date line: `Pacific/Apia` had no 2011-12-30) has none.

use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan, civil};
use serde::{Deserialize, Serialize};

use super::Window;

/// How far ahead [`Window::next`] looks, in days. A window that opens at all does so within two weeks.
pub const HORIZON_DAYS: i64 = 400;

/// One occurrence of a window: the instants from `opens_at` up to, and not including, `closes_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// First instant of the window.
    pub opens_at: Timestamp,
    /// First instant after the window, later than `opens_at`.
    pub closes_at: Timestamp,
}

impl Interval {
    /// Whether the window is open at `at`.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.opens_at <= at && at < self.closes_at
    }

    /// How long the window is open.
    pub fn length(&self) -> SignedDuration {
        self.opens_at.duration_until(self.closes_at)
    }
}

impl Window {
    /// The interval that contains `at`, with its true opening, else the next one. `None` if none opens within
    /// [`HORIZON_DAYS`], which happens at the end of the calendar only (year 9999).
    pub fn next(&self, zone: &TimeZone, at: Timestamp) -> Option<Interval> {
        let horizon = SignedDuration::from_hours(24 * HORIZON_DAYS);
        self.intervals(zone, at).next().filter(|interval| at.duration_until(interval.opens_at) <= horizon)
    }

    /// All intervals that close after `from`, in order; the first one may have opened before it.
    pub fn intervals<'a>(&'a self, zone: &'a TimeZone, from: Timestamp) -> Intervals<'a> {
        // A window that is open at `from` started on this local day or the one before. One day more on that side costs
        // little, and covers a swallowed window that runs from a gap at the end of its day.
        let today = zone.to_datetime(from).date();
        let day = today.checked_sub(2.days()).unwrap_or(civil::Date::MIN);
        Intervals { window: self, zone, from, day: Some(day) }
    }

    /// The interval of the window that starts on the local `day`; `None` if the zone skipped that day.
    fn interval_on(&self, zone: &TimeZone, day: civil::Date) -> Option<Interval> {
        let start = day.to_datetime(self.start());
        let end_day = if self.crosses_midnight() { day.tomorrow().ok()? } else { day };
        let opens_at = first_instant_reading(zone, start)?;
        let closes_at = first_instant_reading(zone, end_day.to_datetime(self.end()))?;
        if zone.to_datetime(opens_at) != start && !exists(zone, day) {
            return None;
        }
        let is_swallowed = closes_at <= opens_at;
        let closes_at = if is_swallowed { opens_at.checked_add(self.nominal_length()).ok()? } else { closes_at };
        Some(Interval { opens_at, closes_at })
    }
}

/// Iterator of [`Window::intervals`]. It ends with the calendar.
#[derive(Debug, Clone)]
pub struct Intervals<'a> {
    window: &'a Window,
    zone: &'a TimeZone,
    from: Timestamp,
    /// Local day to look at next.
    day: Option<civil::Date>,
}

impl Iterator for Intervals<'_> {
    type Item = Interval;

    fn next(&mut self) -> Option<Interval> {
        while let Some(day) = self.day {
            self.day = day.tomorrow().ok();
            if !self.window.days().contains(day.weekday()) {
                continue;
            }
            let interval = self.window.interval_on(self.zone, day);
            if let Some(interval) = interval.filter(|interval| interval.closes_at > self.from) {
                return Some(interval);
            }
        }
        None
    }
}

/// Whether any instant has the date `day` in `zone`.
fn exists(zone: &TimeZone, day: civil::Date) -> bool {
    let midnight = |day: civil::Date| first_instant_reading(zone, day.to_datetime(civil::Time::midnight()));
    // The last day of the calendar has no tomorrow, and no gap.
    day.tomorrow().map_or(true, |tomorrow| midnight(day) != midnight(tomorrow))
}

/// The first instant at which the local clock of `zone` reads `local` or later. `None` outside jiff's calendar.
fn first_instant_reading(zone: &TimeZone, local: civil::DateTime) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => ambiguous.unambiguous().ok(),
        AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
        AmbiguousOffset::Gap { before, after } => {
            // Read with the offset from after the gap `local` lies before the jump, and the other way round.
            let before_jump = after.to_timestamp(local).ok()?;
            let after_jump = before.to_timestamp(local).ok()?;
            end_of_gap(zone, local, before_jump, after_jump)
        }
    }
}

/// Halves the time between two instants around a jump over `local` until the jump is found. Clocks jump at whole
/// seconds, and `local` is one.
fn end_of_gap(
    zone: &TimeZone,
    local: civil::DateTime,
    before_jump: Timestamp,
    after_jump: Timestamp,
) -> Option<Timestamp> {
    let (mut low, mut high) = (before_jump.as_second(), after_jump.as_second());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let reads_later = zone.to_datetime(Timestamp::from_second(middle).ok()?) >= local;
        if reads_later {
            high = middle;
        } else {
            low = middle;
        }
    }
    Timestamp::from_second(high).ok()
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

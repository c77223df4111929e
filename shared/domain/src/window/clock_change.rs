//! What a clock change does to one occurrence of a window, to be told to people.

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::{Interval, Window};

/// A way in which an interval differs from what is stated, or could be read in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClockChange {
    /// The clock skips the whole window: it runs its nominal length from the end of the gap.
    Swallowed,
    /// The clock skips the start: the window opens when the gap ends.
    StartSkipped,
    /// The clock skips the end: the window closes when the gap begins.
    EndSkipped,
    /// The clock shows the start twice: the window opens at the first time.
    StartTwice,
    /// The clock shows the end twice: the window closes at the first time.
    EndTwice,
    /// The window is open longer than stated, by this much.
    Longer(SignedDuration),
    /// The window is open shorter than stated, by this much.
    Shorter(SignedDuration),
    /// What is left is shorter than the cutoff: no swap starts in it.
    ShorterThanCutoff,
}

impl Window {
    /// What clock changes of `zone` did to `interval`, which is one of this window's; empty on most days.
    pub fn clock_changes(&self, zone: &TimeZone, interval: &Interval) -> Vec<ClockChange> {
        let (opens, closes) = (zone.to_datetime(interval.opens_at), zone.to_datetime(interval.closes_at));
        let (start_skipped, end_skipped) = (opens.time() != self.start(), closes.time() != self.end());
        if start_skipped && end_skipped {
            return vec![ClockChange::Swallowed];
        }
        let is_shown_twice = |local| zone.to_ambiguous_timestamp(local).is_ambiguous();
        let longer = interval.length() - self.nominal_length();
        [
            (start_skipped, ClockChange::StartSkipped),
            (!start_skipped && is_shown_twice(opens), ClockChange::StartTwice),
            (end_skipped, ClockChange::EndSkipped),
            (!end_skipped && is_shown_twice(closes), ClockChange::EndTwice),
            (longer.is_positive(), ClockChange::Longer(longer)),
            (longer.is_negative(), ClockChange::Shorter(-longer)),
            (self.last_start(interval) < interval.opens_at, ClockChange::ShorterThanCutoff),
        ]
        .into_iter()
        .filter_map(|(holds, change)| holds.then_some(change))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::ClockChange::{
        EndSkipped, EndTwice, Longer, Shorter, ShorterThanCutoff, StartSkipped, StartTwice, Swallowed,
    };
    use crate::window::{Days, Window, WindowZone, time_of_day};

    #[test]
    fn tells_what_changed() {
        let (hour, half) = (SignedDuration::from_hours(1), SignedDuration::from_mins(30));
        // Berlin skips 02:00–03:00 on 2026-03-29 and shows it twice on 2026-10-25.
        let cases = [
            ("a day like others", "02:00", "04:00", 10, "2026-03-28T00:00:00Z", vec![]),
            ("swallowed", "02:00", "03:00", 10, "2026-03-29T00:00:00Z", vec![Swallowed]),
            ("start in the gap", "02:30", "04:00", 10, "2026-03-29T00:00:00Z", vec![StartSkipped, Shorter(half)]),
            ("end in the gap", "01:00", "02:30", 10, "2026-03-28T12:00:00Z", vec![EndSkipped, Shorter(half)]),
            ("around the gap", "01:00", "04:00", 10, "2026-03-28T12:00:00Z", vec![Shorter(hour)]),
            (
                "less than the cutoff",
                "01:00",
                "03:30",
                100,
                "2026-03-28T12:00:00Z",
                vec![Shorter(hour), ShorterThanCutoff],
            ),
            ("start in the overlap", "02:30", "04:00", 10, "2026-10-24T12:00:00Z", vec![StartTwice, Longer(hour)]),
            ("end in the overlap", "01:00", "02:30", 10, "2026-10-24T12:00:00Z", vec![EndTwice]),
            ("both in the overlap", "02:15", "02:45", 10, "2026-10-24T12:00:00Z", vec![StartTwice, EndTwice]),
        ];
        for (label, start, end, cutoff, from, expected) in cases {
            let (start, end) = (time_of_day::parse(start).expect(label), time_of_day::parse(end).expect(label));
            let zone = WindowZone::parse(Some("Europe/Berlin"), None).expect(label);
            let window = Window::new(start, end, zone, Days::EVERY, cutoff).expect(label);
            let zone = window.zone_for(None).zone().expect(label);
            let interval = window.next(&zone, from.parse::<Timestamp>().expect(label)).expect(label);
            assert_eq!(window.clock_changes(&zone, &interval), expected, "{label}");
        }
    }
}

//! What holds for every window in every zone at every instant.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp, ToSpan, civil};
use proptest::prelude::*;

use crate::window::{Days, Window, WindowZone, ZoneName};

/// The latest reading that the clock of `zone` has shown in the days up to `at`: what was read already before a clock
/// was set back is not read for the first time again.
fn latest_reading(zone: &TimeZone, at: Timestamp) -> civil::DateTime {
    let before_changes = zone
        .following(at.saturating_sub(72.hours()).expect("hours"))
        .map(|change| change.timestamp())
        .take_while(|change| *change <= at)
        .map(|change| zone.to_datetime(change - SignedDuration::from_secs(1)));
    before_changes.chain([zone.to_datetime(at)]).max().expect("one reading at least")
}

/// Whether the zone had the day at all: over the date line it is skipped as a whole.
fn was_lived(zone: &TimeZone, day: civil::Date) -> bool {
    let noon = zone.to_ambiguous_timestamp(day.at(12, 0, 0, 0)).compatible();
    noon.is_ok_and(|noon| zone.to_datetime(noon).date() == day)
}

/// Membership without intervals: on a day that the zone had, the stated start has been read, the stated end not yet.
fn has_started_and_not_ended(window: &Window, zone: &TimeZone, at: Timestamp) -> bool {
    let reading = latest_reading(zone, at);
    [reading.date(), reading.date().yesterday().expect("a date")].into_iter().any(|day| {
        let end_day = if window.crosses_midnight() { day.tomorrow().expect("a date") } else { day };
        window.days().contains(day.weekday())
            && was_lived(zone, day)
            && day.to_datetime(window.start()) <= reading
            && reading < end_day.to_datetime(window.end())
    })
}

fn all_zones() -> Vec<ZoneName> {
    let database = TimeZoneDatabase::bundled();
    database.available().filter_map(|name| ZoneName::parse(name.as_str()).ok()).collect()
}

prop_compose! {
    fn any_window()(
        zone in prop::sample::select(all_zones()),
        start in 0..1440_i32,
        length in 1..1440_i32,
        days in prop::collection::vec(prop::sample::select(vec!["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), 0..3),
        quarter_hours in any::<bool>(),
    ) -> (Window, TimeZone) {
        let unit = if quarter_hours { 15 } else { 1 };
        let units = |minutes: i32| minutes / unit * unit;
        let time = |minute: i32| civil::time((minute / 60 % 24) as i8, (minute % 60) as i8, 0, 0);
        let (start, end) = (time(units(start)), time(units(start) + units(length).max(unit)));
        let rules = zone.time_zone().clone();
        let days = Days::parse(days).expect("days");
        (Window::new(start, end, WindowZone::Named(zone), days, 0).expect("a window"), rules)
    }
}

/// Instants from 1950 to 2100; half of them within two days of a clock change, where there is one.
fn near_a_change(zone: &TimeZone, second: i64, offset: Option<i64>) -> Timestamp {
    let at = Timestamp::from_second(second).expect("an instant");
    let change = offset.and_then(|offset| Some((zone.following(at).next()?.timestamp(), offset)));
    change.map_or(at, |(change, offset)| change + SignedDuration::from_secs(offset))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn holds_in_every_zone(
        (window, zone) in any_window(),
        second in -631_152_000_i64..4_102_444_800,
        offset in prop::option::of(-172_800_i64..172_800),
    ) {
        let at = near_a_change(&zone, second, offset);
        let intervals: Vec<_> = window.intervals(&zone, at).take(4).collect();
        let first = intervals[0];
        prop_assert_eq!(window.next(&zone, at), Some(first));
        prop_assert!(first.contains(at) || at < first.opens_at);

        for interval in &intervals {
            prop_assert!(interval.opens_at < interval.closes_at);
            // Wherever one asks inside of it, it is the same interval.
            let last = interval.closes_at - SignedDuration::from_secs(1);
            prop_assert_eq!(window.next(&zone, interval.opens_at), Some(*interval));
            prop_assert_eq!(window.next(&zone, last), Some(*interval));
            // It opens no earlier than stated, and runs past its stated end only where a gap swallowed it.
            let is_swallowed = !has_started_and_not_ended(&window, &zone, interval.opens_at);
            if is_swallowed {
                prop_assert_eq!(interval.length(), window.nominal_length());
                prop_assert_ne!(zone.to_datetime(interval.opens_at).time(), window.start());
            } else {
                prop_assert!(has_started_and_not_ended(&window, &zone, last));
            }
        }
        for pair in intervals.windows(2) {
            prop_assert!(pair[0].closes_at <= pair[1].opens_at);
        }
        // Nothing that has started and not ended is left out.
        prop_assert!(first.contains(at) || !has_started_and_not_ended(&window, &zone, at));
    }
}

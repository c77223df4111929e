//! Windows against a table that Python's zoneinfo computed (`tests/windows/reference.py`): another implementation of
//! the rule on another implementation of time zones.

use jiff::Timestamp;
use serde::Deserialize;
use tidegate_domain::window::{Days, Interval, Window, WindowZone, time_of_day};

#[derive(Deserialize)]
struct Case {
    label: String,
    start: String,
    end: String,
    days: Days,
    timezone: String,
    from: Timestamp,
    count: usize,
    intervals: Vec<Interval>,
}

#[test]
fn agrees_with_zoneinfo() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("windows_reference.json")).expect("the table");
    assert!(cases.len() >= 400, "{} cases", cases.len());
    let differing: Vec<_> = cases.iter().filter_map(difference).collect();
    assert!(differing.is_empty(), "{} of {} differ:\n{}", differing.len(), cases.len(), differing.join("\n"));
}

fn difference(case: &Case) -> Option<String> {
    let Case { label, start, end, days, timezone, from, count, intervals: expected } = case;
    let zone = WindowZone::parse(Some(timezone), None).expect(label);
    let (opens, closes) = (time_of_day::parse(start).expect(label), time_of_day::parse(end).expect(label));
    let window = Window::new(opens, closes, zone, *days, 0).expect(label);
    let zone = window.zone_for(None).zone().expect("a named zone");
    let found: Vec<_> = window.intervals(&zone, *from).take(*count).collect();
    let differs = found != *expected || window.next(&zone, *from) != expected.first().copied();
    differs.then(|| format!("{timezone}, {label}, {start}-{end} {days:?} from {from}: {found:?}, not {expected:?}"))
}

//! Windows at clock changes, computed by hand.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::window::{Days, Interval, Window, WindowZone, ZoneName, time_of_day};

fn window(times: &str, days: &[&str], zone: &str) -> (Window, TimeZone) {
    let (start, end) = times.split_once('-').expect("start-end");
    let zone = ZoneName::parse(zone).expect("a zone");
    let rules = zone.time_zone().clone();
    let (start, end) = (time_of_day::parse(start).expect("start"), time_of_day::parse(end).expect("end"));
    let days = Days::parse(days).expect("days");
    (Window::new(start, end, WindowZone::Named(zone), days, 0).expect("a window"), rules)
}

fn interval(line: &str) -> Interval {
    let (opens_at, closes_at) = line.trim().split_once(' ').expect("two instants");
    Interval { opens_at: instant(opens_at), closes_at: instant(closes_at) }
}

fn instant(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

// Each table: a line with label, zone, stated times, days (none: every day) and the instant asked at, then a line for
// each of the first intervals from there on.

// Berlin: 2026-03-29 01:00Z 02:00→03:00; 2026-10-25 01:00Z 03:00→02:00.
const ONE_HOUR: &str = "
plain | Europe/Berlin | 02:00-04:00 | | 2026-11-23T00:00Z
    2026-11-23T01:00Z 2026-11-23T03:00Z
    2026-11-24T01:00Z 2026-11-24T03:00Z
open at the asked instant | Europe/Berlin | 02:00-04:00 | | 2026-11-23T02:59:59.999Z
    2026-11-23T01:00Z 2026-11-23T03:00Z
closed at its end | Europe/Berlin | 02:00-04:00 | | 2026-11-23T03:00Z
    2026-11-24T01:00Z 2026-11-24T03:00Z
days name the start day | Europe/Berlin | 22:00-02:00 | mon | 2026-11-24T00:30Z
    2026-11-23T21:00Z 2026-11-24T01:00Z
    2026-11-30T21:00Z 2026-12-01T01:00Z
until midnight | Europe/Berlin | 22:00-00:00 | mon | 2026-11-23T00:00Z
    2026-11-23T21:00Z 2026-11-23T23:00Z
start in the gap | Europe/Berlin | 02:30-04:00 | | 2026-03-29T00:00Z
    2026-03-29T01:00Z 2026-03-29T02:00Z
    2026-03-30T00:30Z 2026-03-30T02:00Z
end in the gap | Europe/Berlin | 01:00-02:30 | sun | 2026-03-28T12:00Z
    2026-03-29T00:00Z 2026-03-29T01:00Z
    2026-04-04T23:00Z 2026-04-05T00:30Z
end at the end of the gap | Europe/Berlin | 01:30-03:00 | sun | 2026-03-28T12:00Z
    2026-03-29T00:30Z 2026-03-29T01:00Z
around the gap | Europe/Berlin | 01:00-04:00 | sun | 2026-03-28T12:00Z
    2026-03-29T00:00Z 2026-03-29T02:00Z
swallowed, inside | Europe/Berlin | 02:15-02:45 | sun | 2026-03-28T12:00Z
    2026-03-29T01:00Z 2026-03-29T01:30Z
swallowed, the whole gap | Europe/Berlin | 02:00-03:00 | sun | 2026-03-28T12:00Z
    2026-03-29T01:00Z 2026-03-29T02:00Z
over midnight into the gap | Europe/Berlin | 23:00-02:30 | sat | 2026-03-28T12:00Z
    2026-03-28T22:00Z 2026-03-29T01:00Z
two days touch at a gap | Europe/Berlin | 03:00-02:00 | | 2026-03-29T00:59:59Z
    2026-03-28T02:00Z 2026-03-29T01:00Z
    2026-03-29T01:00Z 2026-03-30T00:00Z
asked where two days touch | Europe/Berlin | 03:00-02:00 | | 2026-03-29T01:00Z
    2026-03-29T01:00Z 2026-03-30T00:00Z
start in the overlap | Europe/Berlin | 02:30-04:00 | sun | 2026-10-24T12:00Z
    2026-10-25T00:30Z 2026-10-25T03:00Z
start in the overlap, asked in the second hour | Europe/Berlin | 02:30-04:00 | sun | 2026-10-25T01:15Z
    2026-10-25T00:30Z 2026-10-25T03:00Z
end in the overlap | Europe/Berlin | 01:00-02:30 | sun | 2026-10-24T12:00Z
    2026-10-24T23:00Z 2026-10-25T00:30Z
both in the overlap | Europe/Berlin | 02:15-02:45 | sun | 2026-10-24T12:00Z
    2026-10-25T00:15Z 2026-10-25T00:45Z
both in the overlap, not again in the second hour | Europe/Berlin | 02:15-02:45 | | 2026-10-25T01:30Z
    2026-10-26T01:15Z 2026-10-26T01:45Z
the whole overlap | Europe/Berlin | 02:00-03:00 | sun | 2026-10-24T12:00Z
    2026-10-25T00:00Z 2026-10-25T02:00Z
";

// São Paulo: 2018-11-04 03:00Z 00:00→01:00; 2018-02-18 02:00Z 00:00→23:00. Beirut: 2026-03-28 22:00Z 00:00→01:00.
// Nuuk: 2024-03-31 01:00Z 23:00→24:00.
const AROUND_MIDNIGHT: &str = "
end in a gap after midnight | America/Sao_Paulo | 23:00-00:30 | sat | 2018-11-03T12:00Z
    2018-11-04T02:00Z 2018-11-04T03:00Z
end at midnight, which is in the gap | America/Sao_Paulo | 23:00-00:00 | sat | 2018-11-03T12:00Z
    2018-11-04T02:00Z 2018-11-04T03:00Z
start in a gap after midnight | America/Sao_Paulo | 00:30-02:00 | sun | 2018-11-03T12:00Z
    2018-11-04T03:00Z 2018-11-04T04:00Z
swallowed after midnight | America/Sao_Paulo | 00:15-00:45 | sun | 2018-11-03T12:00Z
    2018-11-04T03:00Z 2018-11-04T03:30Z
start in an overlap before midnight | America/Sao_Paulo | 23:30-00:30 | sat | 2018-02-17T12:00Z
    2018-02-18T01:30Z 2018-02-18T03:30Z
asked in the second hour before midnight | America/Sao_Paulo | 22:00-23:30 | | 2018-02-18T02:10Z
    2018-02-19T01:00Z 2018-02-19T02:30Z
start in a gap after midnight, Asia | Asia/Beirut | 00:30-02:00 | sun | 2026-03-28T12:00Z
    2026-03-28T22:00Z 2026-03-28T23:00Z
swallowed before midnight, runs on the next day | America/Nuuk | 23:15-23:45 | sat | 2024-03-31T01:10Z
    2024-03-31T01:00Z 2024-03-31T01:30Z
";

// Lord Howe: 2026-10-03 15:30Z 02:00→02:30; 2026-04-04 15:00Z 02:00→01:30. Troll: 2026-03-29 01:00Z 01:00→03:00;
// 2026-10-25 01:00Z 03:00→01:00. Casablanca (Ramadan): 2026-02-15 02:00Z 03:00→02:00; 2026-03-22 02:00Z 02:00→03:00.
const OTHER_SIZES: &str = "
half an hour, start in the gap | Australia/Lord_Howe | 02:10-03:00 | sun | 2026-10-03T00:00Z
    2026-10-03T15:30Z 2026-10-03T16:00Z
half an hour, start in the overlap | Australia/Lord_Howe | 01:45-02:15 | sun | 2026-04-04T00:00Z
    2026-04-04T14:45Z 2026-04-04T15:45Z
two hours, swallowed | Antarctica/Troll | 01:30-02:30 | sun | 2026-03-28T12:00Z
    2026-03-29T01:00Z 2026-03-29T02:00Z
two hours, start in the overlap | Antarctica/Troll | 01:30-03:30 | sun | 2026-10-24T12:00Z
    2026-10-24T23:30Z 2026-10-25T03:30Z
back for Ramadan | Africa/Casablanca | 02:30-04:00 | sun | 2026-02-14T12:00Z
    2026-02-15T01:30Z 2026-02-15T04:00Z
forward after Ramadan | Africa/Casablanca | 02:30-04:00 | sun | 2026-03-21T12:00Z
    2026-03-22T02:00Z 2026-03-22T03:00Z
";

// Apia: no 2011-12-30 (a Friday), −10 to +14 at 10:00Z. Kwajalein: no 1993-08-21 (a Saturday), −12 to +12 at 12:00Z.
const SKIPPED_DAYS: &str = "
no window on the skipped day | Pacific/Apia | 02:00-04:00 | | 2011-12-29T00:00Z
    2011-12-29T12:00Z 2011-12-29T14:00Z
    2011-12-30T12:00Z 2011-12-30T14:00Z
only the skipped weekday | Pacific/Apia | 02:00-04:00 | fri | 2011-12-24T00:00Z
    2012-01-05T12:00Z 2012-01-05T14:00Z
the end day is skipped | Pacific/Apia | 22:00-04:00 | | 2011-12-30T00:00Z
    2011-12-30T08:00Z 2011-12-30T10:00Z
    2011-12-31T08:00Z 2011-12-31T14:00Z
the end is the skipped midnight | Pacific/Apia | 22:00-00:00 | | 2011-12-30T00:00Z
    2011-12-30T08:00Z 2011-12-30T10:00Z
    2011-12-31T08:00Z 2011-12-31T10:00Z
the day after opens at once | Pacific/Apia | 00:00-01:00 | | 2011-12-30T00:00Z
    2011-12-30T10:00Z 2011-12-30T11:00Z
a skipped day ends nowhere | Pacific/Fakaofo | 08:23-06:46 | | 2011-12-30T11:00Z
    2011-12-30T19:23Z 2011-12-31T17:46Z
skipped Saturday | Pacific/Kwajalein | 02:00-04:00 | | 1993-08-20T13:00Z
    1993-08-20T14:00Z 1993-08-20T16:00Z
    1993-08-21T14:00Z 1993-08-21T16:00Z
";

#[test]
fn intervals_at_clock_changes() {
    for table in [ONE_HOUR, AROUND_MIDNIGHT, OTHER_SIZES, SKIPPED_DAYS] {
        let lines: Vec<_> = table.lines().filter(|line| !line.is_empty()).collect();
        for case in lines.chunk_by(|_, next| next.starts_with(' ')) {
            let (stated, expected) = case.split_first().expect("a line");
            let [label, zone, times, days, from] = *stated.split('|').map(str::trim).collect::<Vec<_>>() else {
                panic!("five columns in {stated}");
            };
            let expected: Vec<_> = expected.iter().map(|line| interval(line)).collect();
            let (window, zone) = window(times, &days.split_whitespace().collect::<Vec<_>>(), zone);
            let found: Vec<_> = window.intervals(&zone, instant(from)).take(expected.len()).collect();
            assert_eq!(found, expected, "{label}");
            assert_eq!(window.next(&zone, instant(from)).as_ref(), expected.first(), "{label}");
        }
    }
}

#[test]
fn ends_with_the_calendar() {
    let (window, zone) = window("02:00-04:00", &[], "Pacific/Auckland");
    for at in [Timestamp::MAX, Timestamp::MIN] {
        let _ = window.next(&zone, at);
    }
    assert_eq!(window.next(&zone, Timestamp::MAX), None);
    assert!(window.intervals(&zone, instant("9999-12-20T00:00:00Z")).count() < 12);
}

use jiff::Timestamp;
use jiff::civil::{Time, time};

use super::{Days, Interval, Window, WindowAnswer, WindowError, WindowZone, ZoneName};

fn window(start: Time, end: Time, cutoff_minutes: u32) -> Result<Window, WindowError> {
    Window::new(start, end, WindowZone::Named(ZoneName::parse("Europe/Berlin")?), Days::EVERY, cutoff_minutes)
}

fn hour(hour: i8) -> Time {
    time(hour, 0, 0, 0)
}

#[test]
fn refuses_what_could_never_open() {
    for (label, start, end, cutoff, refusal) in [
        ("an hour", hour(2), hour(3), 10, None),
        ("over midnight", hour(23), hour(1), 119, None),
        ("no length", hour(2), hour(2), 0, Some(WindowError::NoLength(hour(2)))),
        ("as long as its cutoff", hour(2), hour(3), 60, Some(not_longer(60, 60))),
        ("over midnight, shorter than its cutoff", hour(23), hour(1), 121, Some(not_longer(120, 121))),
        ("seconds over its cutoff", hour(2), time(2, 10, 1, 0), 10, None),
        (
            "a fraction of a second",
            hour(2),
            time(2, 30, 0, 1),
            10,
            Some(WindowError::FractionOfSecond(time(2, 30, 0, 1))),
        ),
        ("an enormous cutoff", hour(2), hour(3), u32::MAX, Some(not_longer(60, u32::MAX))),
    ] {
        assert_eq!(window(start, end, cutoff).err(), refusal, "{label}");
    }
}

fn not_longer(length_minutes: u32, cutoff_minutes: u32) -> WindowError {
    WindowError::NotLongerThanCutoff { length_minutes, cutoff_minutes }
}

#[test]
fn serde_round_trip() {
    for (label, given, shown) in [
        (
            "named",
            r#"{"start":"22:00","end":"02:00:30","timezone":"europe/berlin","days":["Monday"],"cutoff_minutes":10}"#,
            r#"{"start":"22:00:00","end":"02:00:30","timezone":"Europe/Berlin","days":["mon"],"cutoff_minutes":10}"#,
        ),
        (
            "device",
            r#"{"start":"22:00","end":"23:00","timezone":"device","cutoff_minutes":0}"#,
            r#"{"start":"22:00:00","end":"23:00:00","timezone":"device","days":["mon","tue","wed","thu","fri","sat","sun"],"cutoff_minutes":0}"#,
        ),
    ] {
        let window: Window = serde_json::from_str(given).expect(label);
        assert_eq!(serde_json::to_string(&window).expect(label), shown, "{label}");
        assert_eq!(serde_json::from_str::<Window>(shown).expect(label), window, "{label}");
    }
}

#[test]
fn serde_validates() {
    for (given, said) in [
        (r#"{"start":"02:00","end":"02:00","timezone":"UTC","cutoff_minutes":0}"#, "has no length"),
        (r#"{"start":"02:00","end":"03:00","timezone":"UTC+1","cutoff_minutes":0}"#, "is a fixed offset"),
        (r#"{"start":"2am","end":"03:00","timezone":"UTC","cutoff_minutes":0}"#, "is not a time of day"),
        (r#"{"start":"02:00","end":"03:00","timezone":"UTC","cutoff_minutes":60}"#, "no swap could ever start"),
    ] {
        let error = serde_json::from_str::<Window>(given).expect_err(given);
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn answers_whether_a_swap_may_start() {
    // Berlin is at +01:00 until 2026-03-29 01:00Z, when 02:00 becomes 03:00.
    let night = window(hour(1), hour(3), 90).expect("a window");
    let zone = night.zone_for(None).zone().expect("a named zone");
    let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
    let interval = |opens_at: &str, closes_at: &str| Interval { opens_at: at(opens_at), closes_at: at(closes_at) };
    let on_27 = interval("2026-03-27T00:00:00Z", "2026-03-27T02:00:00Z");
    let on_28 = interval("2026-03-28T00:00:00Z", "2026-03-28T02:00:00Z");
    let on_29 = interval("2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z");
    let on_30 = interval("2026-03-29T23:00:00Z", "2026-03-30T01:00:00Z");
    let open = WindowAnswer::Open { closes_at: on_27.closes_at, last_start: at("2026-03-27T00:30:00Z") };
    for (label, now, answer) in [
        ("before", "2026-03-26T23:59:59Z", WindowAnswer::Closed { next: Some(on_27) }),
        ("at the opening", "2026-03-27T00:00:00Z", open),
        ("at the last start", "2026-03-27T00:30:00Z", open),
        ("past it", "2026-03-27T00:30:00.001Z", past(&on_27, on_28)),
        ("just before the end", "2026-03-27T01:59:59Z", past(&on_27, on_28)),
        ("at the end", "2026-03-27T02:00:00Z", WindowAnswer::Closed { next: Some(on_28) }),
        ("a gap made it shorter than the cutoff", "2026-03-29T00:00:00Z", past(&on_29, on_30)),
    ] {
        assert_eq!(night.answer(&zone, at(now)), answer, "{label}");
    }
    assert_eq!(open.next_start(at("2026-03-27T00:10:00Z")), Some(at("2026-03-27T00:10:00Z")));
    assert_eq!(past(&on_27, on_28).next_start(at("2026-03-27T01:00:00Z")), Some(on_28.opens_at));
}

fn past(current: &Interval, next: Interval) -> WindowAnswer {
    WindowAnswer::PastCutoff { closes_at: current.closes_at, next: Some(next) }
}

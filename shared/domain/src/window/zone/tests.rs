use super::{WindowZone, ZoneError, ZoneName, ZoneSource};
use crate::window::{Days, Window};
use jiff::civil::time;

#[test]
fn takes_names_in_any_case() {
    for (given, name) in [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/BERLIN", "Europe/Berlin"),
        ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("utc", "UTC"),
        ("UTC", "UTC"),
        ("Etc/UTC", "Etc/UTC"),
        ("GMT", "GMT"),
        ("etc/gmt+0", "Etc/GMT+0"),
        ("Zulu", "Zulu"),
        ("EST5EDT", "EST5EDT"),
    ] {
        assert_eq!(ZoneName::parse(given).map(|zone| zone.to_string()).as_deref(), Ok(name), "{given}");
    }
}

#[test]
fn refuses_fixed_offsets_with_a_hint() {
    for given in [
        "+02:00",
        "-0800",
        "+2",
        "02:00",
        "UTC+2",
        "utc-5",
        "UTC+02:00",
        "UTC +2",
        "GMT+2",
        "GMT-3",
        "GMT2",
        "Etc/GMT+2",
        "etc/gmt-14",
        "Z+1",
        "\u{2212}03:00",
        "UTC+0",
    ] {
        let error = ZoneName::parse(given).expect_err(given);
        assert_eq!(error, ZoneError::FixedOffset { given: given.to_owned() });
        assert!(error.to_string().contains("Europe/Berlin"), "{error}");
    }
}

#[test]
fn refuses_what_is_no_zone() {
    for (given, said) in [
        ("Berlin", "did you mean Europe/Berlin?"),
        ("new york", "did you mean America/New_York?"),
        (" Europe/Berlin", "did you mean Europe/Berlin?"),
        ("Germany/Berlin", "did you mean Europe/Berlin?"),
        ("Europe/Gotham", "name one such as"),
        ("", "name one such as"),
        ("device", "name one such as"),
        ("local", "name one such as"),
        ("Factory", "name one such as"),
        ("Etc/Unknown", "name one such as"),
        ("CET-1CEST", "name one such as"),
        ("../../etc/passwd", "name one such as"),
    ] {
        let error = ZoneName::parse(given).expect_err(given);
        assert!(matches!(error, ZoneError::Unknown { .. }), "{given}: {error:?}");
        assert!(error.to_string().contains(said), "{given}: {error}");
    }
}

#[test]
fn serde_validates() {
    let zone: ZoneName = serde_json::from_str(r#""europe/berlin""#).expect("a zone");
    assert_eq!(serde_json::to_string(&zone).expect("text"), r#""Europe/Berlin""#);
    assert!(serde_json::from_str::<ZoneName>(r#""UTC+2""#).is_err());
}

#[test]
fn reads_a_policys_two_fields() {
    for (label, timezone, fallback, expected) in [
        ("neither", None, None, Ok(("UTC", None))),
        ("a name", Some("europe/berlin"), None, Ok(("Europe/Berlin", None))),
        ("device", Some("device"), None, Ok(("device", None))),
        ("device, its fallback", Some("Device"), Some("asia/tokyo"), Ok(("device", Some("Asia/Tokyo")))),
        ("a fallback that is a word", Some("device"), Some("device"), Err("\"device\" is not an IANA time zone")),
        ("a fallback beside a name", Some("UTC"), Some("Asia/Tokyo"), Err("fallback_timezone is for")),
        ("a fallback alone", None, Some("Asia/Tokyo"), Err("fallback_timezone is for")),
    ] {
        match (WindowZone::parse(timezone, fallback), expected) {
            (Ok(zone), Ok(expected)) => {
                assert_eq!((zone.timezone(), zone.fallback_timezone().map(ZoneName::as_str)), expected, "{label}");
            }
            (Err(error), Err(said)) => assert!(error.to_string().contains(said), "{label}: {error}"),
            (found, expected) => panic!("{label}: {found:?}, expected {expected:?}"),
        }
    }
}

#[test]
fn chooses_the_zone_for_a_device() {
    let named = WindowZone::parse(Some("Europe/Berlin"), None).expect("a zone");
    let device = WindowZone::parse(Some("device"), Some("Asia/Tokyo")).expect("a zone");
    let strict = WindowZone::parse(Some("device"), None).expect("a zone");
    let of = |name: &str| ZoneName::parse(name).expect(name).zone;
    for (label, zone, told, expected) in [
        ("named", &named, None, ZoneSource::Policy(of("Europe/Berlin"))),
        ("named, whatever the device says", &named, Some("America/Lima"), ZoneSource::Policy(of("Europe/Berlin"))),
        ("the device's own", &device, Some("america/lima"), ZoneSource::Device(of("America/Lima"))),
        ("not told", &device, None, ZoneSource::Fallback(of("Asia/Tokyo"))),
        ("unknown", &device, Some("Mars/Base"), ZoneSource::Fallback(of("Asia/Tokyo"))),
        ("an offset", &device, Some("UTC-5"), ZoneSource::Fallback(of("Asia/Tokyo"))),
        ("no fallback: the device's own", &strict, Some("America/Lima"), ZoneSource::Device(of("America/Lima"))),
        ("no fallback: not told", &strict, None, ZoneSource::Missing),
        ("no fallback: a POSIX string", &strict, Some("CET-1CEST"), ZoneSource::Missing),
    ] {
        let window = Window::new(time(2, 0, 0, 0), time(4, 0, 0, 0), zone.clone(), Days::EVERY, 10).expect(label);
        assert_eq!(window.zone_for(told), expected, "{label}");
    }
}

use jiff::Timestamp;
use tidegate_domain::window::ZoneName;

use super::{listing::Listing, window_of};

const FILE: &str = r#"
version: 1
defaults: { cutoff_minutes: 5 }
policies:
  - name: nights
    image_pattern: docker.io/iotistic/app:*
    maintenance_window_start: "02:30"
    maintenance_window_end: "04:00:00"
    timezone: europe/berlin
    days: [sat, sun]
  - name: vans
    image_pattern: registry.example.com/vans/app:*
    maintenance_window_start: "22:00"
    maintenance_window_end: "01:00"
    timezone: device
    fallback_timezone: Asia/Tokyo
    cutoff_minutes: 0
  - name: always
    image_pattern: docker.io/iotistic/other:*
    cutoff_minutes: null
"#;

fn listed(policy: &str, zone: Option<&str>, from: &str, count: usize) -> (String, String, Option<String>) {
    let window = window_of(FILE, policy).expect(policy);
    let zone = zone.map(|zone| zone.parse::<ZoneName>().expect("a zone"));
    let from = from.parse::<Timestamp>().expect("an instant");
    let listing = Listing::new(policy, &window, zone.as_ref(), from, count);
    (listing.to_string(), listing.json().expect("JSON"), listing.note())
}

#[test]
fn lists_for_people() {
    let (text, ..) = listed("nights", None, "2026-10-24T01:00:00Z", 3);
    assert_eq!(
        text,
        "\
nights: 02:30:00 to 04:00:00, sat, sun, in Europe/Berlin.
No swap starts in the last 5 minutes of a window.
  1. Sat 2026-10-24 02:30:00 +02:00 to Sat 2026-10-24 04:00:00 +02:00, last start Sat 03:55:00 +02:00
     UTC 2026-10-24T00:30:00Z to 2026-10-24T02:00:00Z
     Open at 2026-10-24T01:00:00Z.
  2. Sun 2026-10-25 02:30:00 +02:00 to Sun 2026-10-25 04:00:00 +01:00, last start Sun 03:55:00 +01:00
     UTC 2026-10-25T00:30:00Z to 2026-10-25T03:00:00Z
     The clock shows 02:30:00 twice: the window opens at the first.
     Clocks change: it is open 1h longer than stated.
  3. Sat 2026-10-31 02:30:00 +01:00 to Sat 2026-10-31 04:00:00 +01:00, last start Sat 03:55:00 +01:00
     UTC 2026-10-31T01:30:00Z to 2026-10-31T03:00:00Z
"
    );
}

#[test]
fn lists_for_programs() {
    let (_, json, note) = listed("nights", None, "2026-10-24T01:00:00.5Z", 1);
    let read: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let expected = serde_json::json!([{"opens_at": "2026-10-24T00:30:00Z", "closes_at": "2026-10-24T02:00:00Z"}]);
    assert_eq!((read, note), (expected, None));
}

#[test]
fn says_for_whom_the_windows_are() {
    for (label, policy, zone, opens_at, said) in [
        ("fallback", "vans", None, "2026-11-23T13:00:00Z", Some("in its fallback zone Asia/Tokyo")),
        ("a device's", "vans", Some("America/Lima"), "2026-11-24T03:00:00Z", Some("report the zone America/Lima")),
        ("named", "nights", None, "2026-11-28T01:30:00Z", None),
        ("named, asked for another", "nights", Some("America/Lima"), "2026-11-28T01:30:00Z", Some("changes nothing")),
    ] {
        let (text, json, note) = listed(policy, zone, "2026-11-23T07:00:00Z", 1);
        assert!(json.contains(&format!("\"opens_at\": \"{opens_at}\"")), "{label}: {json}");
        assert_eq!(note.is_some(), said.is_some(), "{label}: {note:?}");
        assert!(said.is_none_or(|said| text.contains(said)), "{label}: {text}");
    }
}

#[test]
fn says_why_there_is_nothing_to_list() {
    for (label, text, policy, said) in [
        ("unknown policy", FILE, "days", "no policy \"days\"; there is nights, vans, always"),
        ("no window", FILE, "always", "\"always\" has no window"),
        ("mistakes", "version: 2\npolicies: []", "nights", "mistakes\n  line 1, column 10: version: expected 1"),
        ("no policies", "version: 1\npolicies: []", "nights", "there is none"),
    ] {
        let error = window_of(text, policy).expect_err(label);
        assert!(format!("{error:#}").contains(said), "{label}: {error:#}");
    }
}

use super::*;
use crate::testing::at;

fn told(sender: &str, seconds: Option<i64>) -> News {
    News { happened_at: seconds.map(at), sender: Some(sender.to_owned()), ..News::unknown(at(DAY)) }
}

const DAY: i64 = 86_400;

#[test]
fn what_is_stale() {
    let hub = |seconds| told("s/docker-hub", Some(seconds));
    let cases = [
        ("first of all", hub(0), vec![], false),
        ("newer", hub(10), vec![hub(0)], false),
        ("at the same time", hub(10), vec![hub(10)], false),
        ("five minutes older by the same clock", hub(0), vec![hub(300)], false),
        ("a second more", hub(0), vec![hub(301)], true),
        ("a day older by another clock", hub(0), vec![told("s/ghcr", Some(DAY))], false),
        ("a second more, by another clock", hub(0), vec![told("s/ghcr", Some(DAY + 1))], true),
        ("a day older than a person's word", hub(0), vec![News::person(at(DAY))], false),
        ("a second more, after a person's word", hub(0), vec![News::person(at(DAY + 1))], true),
        ("one of several is newer", hub(0), vec![hub(-900), told("s/ghcr", Some(60)), hub(400)], true),
        ("without a time", told("s/docker-hub", None), vec![hub(9 * DAY)], false),
        ("what was heard has no time, and was taken a day later", hub(0), vec![told("s/docker-hub", None)], false),
        ("and more than a day later", hub(-1), vec![told("s/docker-hub", None)], true),
        ("a person, long after", News::person(at(9 * DAY)), vec![hub(0)], false),
    ];
    for (label, notice, heard, stale) in cases {
        assert_eq!(notice.stale(&heard).is_some(), stale, "{label}");
    }
    let heard = [hub(400), hub(900), told("s/ghcr", Some(DAY))];
    let stale = hub(0).stale(&heard).expect("the same clock told of something 15 minutes later");
    assert_eq!((stale.newer_at, stale.sender.as_deref()), (at(900), Some("s/docker-hub")), "the newest one is named");
}

#[test]
fn a_clock_that_is_ahead_stops_nobody() {
    let ahead = News::told("s", Some(at(9 * DAY)), at(100));
    assert_eq!(ahead.happened_at, Some(at(100)));
    assert_eq!(News::told("s", Some(at(101)), at(101)).stale([&ahead]), None);
}

#[test]
fn the_newest_of_two() {
    let (early, late) = (told("a", Some(10)), told("b", Some(20)));
    for (one, two) in [(&early, &late), (&late, &early)] {
        let both = one.with(two, true);
        assert_eq!((both.happened_at, both.sender.as_deref(), both.merged), (Some(at(20)), Some("b"), 1));
        assert_eq!(both.with(two, false).merged, 1);
    }
    assert_eq!(early.with(&told("c", None), false).happened_at, Some(at(10)), "a time is more than none");
    let person = News::person(at(3_600));
    assert_eq!(
        late.with(&person, false).sender,
        late.sender,
        "an hour later, a person forgives more than the sender's clock"
    );
    assert_eq!(person.with(&late, false).sender, late.sender);
    assert_eq!(late.with(&News::person(at(2 * DAY)), false).sender, None);
    assert!(late.follows(&early) && !early.follows(&late) && !late.follows(&late));
    assert!(!told("a", None).follows(&early) && !late.follows(&told("a", None)), "nobody knows");
}

#[test]
fn what_is_stored_is_read() {
    let news = News { merged: 2, older: true, ..told("a", Some(10)) };
    assert_eq!(serde_json::from_str::<News>(&serde_json::to_string(&news).unwrap()).unwrap(), news);
    let least: News = serde_json::from_str(r#"{"a":5000}"#).unwrap();
    assert_eq!((least.happened_at, least.sender, least.merged), (None, None, 0));
}

#[test]
fn what_a_sender_told_is_remembered_though_others_told_something_since() {
    let hub = |seconds| told("s/docker-hub", Some(seconds));
    let rolled_out = News::person(at(9_010)).after(&told("s/ghcr", Some(8_000)).after(&hub(9_000)));
    for (label, notice, stale) in [
        ("within its five minutes", hub(8_700), false),
        ("more than that", hub(8_699), true),
        ("another known one", told("s/ghcr", Some(7_699)), true),
        ("one that nobody heard", told("s/other", Some(100)), false),
    ] {
        assert_eq!(notice.stale([&rolled_out]).is_some(), stale, "{label}");
    }
    let old = hub(8_800).after(&rolled_out);
    assert!(hub(8_699).stale([&old]).is_some(), "an older one that counted lowers no limit");
    let many = (0..20).fold(hub(0), |news, n| news.after(&told(&format!("s{n:02}"), Some(n))));
    assert_eq!(
        many.before.keys().map(String::as_str).collect::<Vec<_>>(),
        ["s12", "s13", "s14", "s15", "s16", "s17", "s18", "s19"]
    );
}

use super::*;
use crate::head::Promoted;
use crate::image::Tag;
use crate::testing::{at, digest, id, pin, rollout};

fn head() -> Head {
    let mut head = Head::new(crate::testing::repository(), crate::ids::PolicyId::trusted("p"));
    head.promoted = Some(Promoted { rollout_id: id("P"), pin: pin(1) });
    head.ban(Some(&digest(6)), "rolled back", at(0));
    head
}

/// Another rollout of this content.
fn other(name: &str, status: Status, target: Pin) -> Rollout {
    Rollout { rollout_id: id(name), target, ..rollout(status) }
}

fn told(seconds: i64) -> News {
    News::told("docker-registry/distribution", Some(at(seconds)), at(seconds))
}

/// One that was told of something that happened then.
fn heard(rollout: Rollout, seconds: i64) -> Rollout {
    Rollout { news: Some(told(seconds)), created_at: at(seconds), ..rollout }
}

fn unpinned(n: u8) -> Pin {
    Pin { digest: None, ..pin(n) }
}

/// What is the same in most cases.
fn wish<'a>(target: &'a Pin, news: &'a News, on_newer: OnNewer) -> Wish<'a> {
    Wish {
        target,
        news,
        tag_heard: None,
        on_newer,
        retry: false,
        force: false,
        late: false,
        askable: false,
        same_terms: true,
    }
}

fn admitted(live: Option<&Rollout>, waiting: Option<&Rollout>, target: &Pin, on_newer: OnNewer) -> Admission {
    let news = told(30);
    admit(&head(), Places { live, waiting, promoted: None }, &wish(target, &news, on_newer))
}

fn waits(replaces: Option<&str>) -> Admission {
    Admission::Wait { replaces: replaces.map(id) }
}

#[test]
fn a_free_place() {
    for on_newer in OnNewer::ALL.iter().copied() {
        assert_eq!(admitted(None, None, &pin(3), on_newer), Admission::Start);
        assert_eq!(admitted(None, None, &pin(1), on_newer), Admission::UpToDate(id("P")));
        assert_eq!(admitted(None, None, &unpinned(1), on_newer), Admission::Start, "nobody knows its content");
        for status in Status::ALL.into_iter().filter(|status| !status.live()) {
            let ended = other("L", status, pin(2));
            assert_eq!(admitted(Some(&ended), None, &pin(2), on_newer), Admission::Start, "{status:?}");
        }
    }
}

#[test]
fn a_taken_place() {
    for status in Status::ALL.into_iter().filter(|status| status.live()) {
        let live = other("L", status, pin(2));
        let cases = [
            (OnNewer::Supersede, pin(3), Admission::Supersede(id("L"))),
            (OnNewer::Supersede, unpinned(3), waits(None)),
            (OnNewer::Queue, pin(3), waits(None)),
            (OnNewer::Queue, unpinned(3), waits(None)),
            (OnNewer::Ignore, pin(3), Admission::Ignored(id("L"))),
            (OnNewer::Supersede, pin(2), Admission::Duplicate(id("L"))),
            (OnNewer::Ignore, pin(2), Admission::Duplicate(id("L"))),
            // Its content is fixed, whatever the tag means by now.
            (OnNewer::Supersede, unpinned(2), waits(None)),
            // That is how people go back: an older image while a newer one is rolled out.
            (OnNewer::Supersede, pin(1), Admission::Supersede(id("L"))),
        ];
        for (on_newer, target, expected) in cases {
            assert_eq!(admitted(Some(&live), None, &target, on_newer), expected, "{on_newer}, {status:?}, {target:?}");
        }
    }
}

#[test]
fn only_the_newest_waits() {
    let live = other("L", Status::InProgress, pin(2));
    let waiting = other("W", Status::Pending, pin(3));
    let admitted = |waiting: &Rollout, target| admitted(Some(&live), Some(waiting), &target, OnNewer::Queue);
    assert_eq!(admitted(&waiting, pin(4)), waits(Some("W")));
    assert_eq!(admitted(&waiting, pin(3)), Admission::Duplicate(id("W")));
    let cancelled = other("W", Status::Cancelled, pin(3));
    assert_eq!(admitted(&cancelled, pin(3)), waits(None));
}

#[test]
fn who_goes_back_replaces_who_waits() {
    let live = heard(other("L", Status::InProgress, pin(2)), 0);
    let waiting = heard(other("W", Status::Pending, pin(3)), 20);
    let at_second = |live: Option<&Rollout>, target: &Pin, second: i64| {
        let places = Places { live, waiting: Some(&waiting), promoted: None };
        admit(&head(), places, &wish(target, &told(second), OnNewer::Supersede))
    };
    assert_eq!(at_second(Some(&live), &pin(2), 0), Admission::Duplicate(id("L")), "its twin, late");
    assert_eq!(at_second(Some(&live), &pin(2), 20), Admission::Duplicate(id("L")), "nobody knows which came first");
    assert_eq!(at_second(Some(&live), &pin(2), 21), waits(Some("W")), "pushed again after the other");
    assert_eq!(at_second(None, &pin(1), 20), Admission::UpToDate(id("P")));
    assert_eq!(at_second(None, &pin(1), 21), waits(Some("W")), "what is proven, pushed again after the other");
    let no_time = News { happened_at: None, ..told(40) };
    let places = Places { live: Some(&live), waiting: Some(&waiting), promoted: None };
    assert_eq!(admit(&head(), places, &wish(&pin(2), &no_time, OnNewer::Queue)), Admission::Duplicate(id("L")));
}

#[test]
fn news_is_merged_into_the_latest() {
    let none = News { happened_at: None, ..told(0) };
    for seconds in [0, 59, 60, 86_400] {
        let news = told(seconds);
        let at_terms = |live: &Rollout, waiting: Option<&Rollout>, target: &Pin, same_terms| {
            let wish = Wish { same_terms, ..wish(target, &news, OnNewer::Supersede) };
            admit(&head(), Places { live: Some(live), waiting, promoted: None }, &wish)
        };
        let live = other("L", Status::Pending, unpinned(3));
        let merged = |target: &Pin| at_terms(&live, None, target, true);
        assert_eq!(merged(&unpinned(3)), Admission::Merge(id("L")), "asked for after it");
        assert_eq!(merged(&unpinned(4)), waits(None), "another tag");
        assert_eq!(merged(&pin(3)), Admission::Supersede(id("L")), "its content may be another");
        assert_eq!(at_terms(&live, None, &unpinned(3), false), waits(None), "under another policy");
        let waiting = other("W", Status::Pending, unpinned(4));
        let behind = |target: &Pin| at_terms(&live, Some(&waiting), target, true);
        assert_eq!(behind(&unpinned(4)), Admission::Merge(id("W")));
        assert_eq!(behind(&unpinned(3)), waits(Some("W")), "never into one that another came after");
        for status in [Status::AwaitingApproval, Status::Scheduled, Status::InProgress, Status::Paused] {
            let fixed = other("L", status, unpinned(3));
            assert_eq!(at_terms(&fixed, None, &unpinned(3), true), waits(None), "{status:?}: devices may have pulled");
        }
    }
    let live = other("L", Status::Pending, unpinned(3));
    let places = Places { live: Some(&live), ..Places::default() };
    assert_eq!(admit(&head(), places, &wish(&unpinned(3), &none, OnNewer::Ignore)), Admission::Merge(id("L")));
}

#[test]
fn what_is_older_does_not_supersede() {
    let day = 86_400;
    let live = heard(other("L", Status::InProgress, pin(2)), 10 * day);
    let done = heard(other("P", Status::Completed, pin(1)), 9 * day);
    let superseded = || Admission::Supersede(id("L"));
    let stale = |at_day: i64| {
        Admission::Stale(Stale { newer_at: at(at_day * day), sender: Some("docker-registry/distribution".to_owned()) })
    };
    let cases = [
        ("of years ago", -1_000 * day, Some(&live), stale(10)),
        ("more than five minutes older", 10 * day - 301, Some(&live), stale(10)),
        ("five minutes older", 10 * day - 300, Some(&live), superseded()),
        ("newer", 10 * day + 1, Some(&live), superseded()),
        ("older than what is proven, nothing live", 9 * day - 301, None, stale(9)),
        ("newer than what is proven, nothing live", 9 * day + 1, None, Admission::Start),
    ];
    for (label, seconds, live, expected) in cases {
        let (target, news) = (Pin { tag: Tag::parse("never-seen").ok(), ..pin(3) }, told(seconds));
        let places = Places { live, waiting: None, promoted: Some(&done) };
        let plain = wish(&target, &news, OnNewer::Supersede);
        assert_eq!(admit(&head(), places, &plain), expected, "{label}");
        let forced = admit(&head(), places, &Wish { force: true, ..plain });
        assert_eq!(forced, if live.is_some() { superseded() } else { Admission::Start }, "{label}, forced");
        // Where the registry can be asked, it decides: without the digest that the notice tells.
        let asked = Wish { askable: true, ..plain };
        let believed = !matches!(expected, Admission::Stale(_));
        assert_eq!(asked.content(places).digest.is_some(), believed, "{label}, asked");
        let waits_for_it = match live {
            Some(_) if !believed => waits(None),
            Some(_) => superseded(),
            None => Admission::Start,
        };
        assert_eq!(admit(&head(), places, &asked), waits_for_it, "{label}, asked");
    }
    let waiting = heard(other("W", Status::Pending, pin(4)), 10 * day + 60);
    let (target, news) = (pin(3), told(0));
    let places = Places { live: Some(&live), waiting: Some(&waiting), promoted: None };
    let asked = Wish { askable: true, ..wish(&target, &news, OnNewer::Queue) };
    assert!(matches!(admit(&head(), places, &asked), Admission::Stale(_)), "who waits keeps its place");
    let (target, news) = (pin(2), told(0));
    let places = Places { live: Some(&live), waiting: None, promoted: Some(&done) };
    let old_twin = admit(&head(), places, &wish(&target, &news, OnNewer::Supersede));
    assert_eq!(old_twin, Admission::Duplicate(id("L")), "what is there already is there already");
    let elsewhere = News { sender: Some("docker-registry/docker-hub".to_owned()), ..told(9 * day) };
    let target = unpinned(4);
    let from_elsewhere = wish(&target, &elsewhere, OnNewer::Supersede);
    assert_eq!(admit(&head(), places, &from_elsewhere), waits(None), "by another clock a day is not much");
    let tag = told(11 * day);
    let of_tag = Wish { tag_heard: Some(&tag), ..from_elsewhere };
    assert!(matches!(admit(&head(), places, &of_tag), Admission::Stale(_)), "its own tag was told of since");
}

/// Every notice here was taken at second 100; what the head was told of, at the second that is named.
#[test]
fn what_is_acted_on_late_does_not_overtake() {
    let taken = |rollout: Rollout, seconds| Rollout {
        news: Some(News { happened_at: None, taken_at: at(seconds), ..told(0) }),
        // A rollout that was made behind the queue is younger than its news.
        created_at: at(900),
        ..rollout
    };
    let live = |seconds| Some(taken(other("L", Status::InProgress, pin(2)), seconds));
    let ended = |status, seconds| Some(taken(other("L", status, pin(2)), seconds));
    let waiting = |seconds| Some(taken(other("W", Status::Pending, pin(4)), seconds));
    let promoted = |seconds| Some(taken(other("P", Status::Completed, pin(1)), seconds));
    let by_hand = Some(Rollout { news: Some(News::person(at(101))), ..other("L", Status::InProgress, pin(2)) });
    let overtaken = |seconds| {
        let sender = Some("docker-registry/distribution".to_owned());
        Admission::Overtaken(Overtaken { newer_taken_at: at(seconds), sender })
    };
    let by_person = Admission::Overtaken(Overtaken { newer_taken_at: at(101), sender: None });
    let superseded = || Admission::Supersede(id("L"));
    let cases = vec![
        ("nothing there", 3, [None, None, None], Admission::Start),
        ("what is live came before", 3, [live(99), None, None], superseded()),
        ("with it", 3, [live(100), None, None], superseded()),
        ("after it", 3, [live(101), None, None], overtaken(101)),
        ("who waits came after it", 3, [live(99), waiting(101), None], overtaken(101)),
        ("both did", 3, [live(101), waiting(102), None], overtaken(102)),
        ("what came after it was cancelled since", 3, [ended(Status::Cancelled, 101), None, None], overtaken(101)),
        ("is proven since", 3, [ended(Status::Completed, 101), None, promoted(101)], overtaken(101)),
        ("what is proven came before", 3, [ended(Status::Completed, 99), None, promoted(99)], Admission::Start),
        ("a person triggered another since", 3, [by_hand, None, None], by_person),
        ("what came after it brings the same", 2, [live(101), None, None], Admission::Duplicate(id("L"))),
        ("what is proven since is the same", 1, [None, None, promoted(101)], Admission::UpToDate(id("P"))),
        ("kept out is kept out", 6, [live(101), None, None], Admission::Bad("rolled back".to_owned())),
    ];
    for (label, n, [live, waiting, promoted], expected) in cases {
        let (target, news) = (pin(n), News { happened_at: None, taken_at: at(100), ..told(0) });
        let places = Places { live: live.as_ref(), waiting: waiting.as_ref(), promoted: promoted.as_ref() };
        let late = Wish { late: true, ..wish(&target, &news, OnNewer::Supersede) };
        assert_eq!(admit(&head(), places, &late), expected, "{label}");
        assert_eq!(admit(&head(), places, &Wish { force: true, ..late }), expected, "{label}, forced");
        let at_once = admit(&head(), places, &Wish { late: false, ..late });
        assert!(!matches!(at_once, Admission::Overtaken(_)), "{label}, in the answer: {at_once:?}");
    }
}

#[test]
fn what_is_kept_out() {
    let bad = Admission::Bad("rolled back".to_owned());
    assert_eq!(admitted(None, None, &pin(6), OnNewer::Supersede), bad);
    let live = other("L", Status::InProgress, pin(2));
    assert_eq!(admitted(Some(&live), None, &pin(6), OnNewer::Supersede), bad);
    let retried = |target| {
        let news = told(0);
        admit(&head(), Places::default(), &Wish { retry: true, ..wish(&target, &news, OnNewer::Supersede) })
    };
    assert_eq!(retried(pin(6)), Admission::Start, "a person tries it again");
    assert_eq!(retried(pin(1)), Admission::Start);
}

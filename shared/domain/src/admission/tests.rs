use super::*;
use crate::head::Promoted;
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

fn unpinned(n: u8) -> Pin {
    Pin { digest: None, ..pin(n) }
}

fn admitted(live: Option<&Rollout>, waiting: Option<&Rollout>, target: &Pin, on_newer: OnNewer) -> Admission {
    admit(&head(), live, waiting, target, (on_newer, false), at(30))
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
        let waits = |replaces| Admission::Wait { replaces };
        let cases = [
            (OnNewer::Supersede, pin(3), Admission::Supersede(id("L"))),
            (OnNewer::Supersede, unpinned(3), waits(None)),
            (OnNewer::Queue, pin(3), waits(None)),
            (OnNewer::Queue, unpinned(3), waits(None)),
            (OnNewer::Ignore, pin(3), Admission::Ignored(id("L"))),
            (OnNewer::Supersede, pin(2), Admission::Duplicate(id("L"))),
            (OnNewer::Ignore, pin(2), Admission::Duplicate(id("L"))),
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
    assert_eq!(admitted(&waiting, pin(4)), Admission::Wait { replaces: Some(id("W")) });
    assert_eq!(admitted(&waiting, pin(3)), Admission::Duplicate(id("W")));
    let cancelled = other("W", Status::Cancelled, pin(3));
    assert_eq!(admitted(&cancelled, pin(3)), Admission::Wait { replaces: None });
}

#[test]
fn notices_without_a_digest() {
    let live = other("L", Status::Pending, unpinned(3));
    let at_second = |target: &Pin, now| admit(&head(), Some(&live), None, target, (OnNewer::Supersede, false), at(now));
    assert_eq!(at_second(&unpinned(3), 59), Admission::Duplicate(id("L")), "one push, told twice");
    assert_eq!(at_second(&unpinned(3), 60), Admission::Wait { replaces: None });
    assert_eq!(at_second(&unpinned(4), 1), Admission::Wait { replaces: None }, "another tag");
    assert_eq!(at_second(&pin(3), 1), Admission::Supersede(id("L")), "its content may be another");
}

#[test]
fn what_is_kept_out() {
    let bad = Admission::Bad("rolled back".to_owned());
    assert_eq!(admitted(None, None, &pin(6), OnNewer::Supersede), bad);
    let live = other("L", Status::InProgress, pin(2));
    assert_eq!(admitted(Some(&live), None, &pin(6), OnNewer::Supersede), bad);
    let retried = |target| admit(&head(), None, None, &target, (OnNewer::Supersede, true), at(0));
    assert_eq!(retried(pin(6)), Admission::Start, "a person tries it again");
    assert_eq!(retried(pin(1)), Admission::Start);
}

//! Which of the things that a delivery tells go into the answer, and which of two that name one tag.

use std::collections::HashMap;

use super::{Entry, IgnoreReason, Ignored, PushNotice};

/// The entries of a delivery. Pushes of one tag become one; blobs, pulls and untagged manifests are told only where
/// nothing else is, pushes first; a delivery without any push has exactly one entry, the one that says most.
pub(super) fn worth_telling(found: Vec<Entry>) -> Vec<Entry> {
    let mut pushes: Vec<PushNotice> = Vec::new();
    let mut ignored: Vec<Ignored> = Vec::new();
    let mut place_of = HashMap::new();
    for entry in found {
        match entry {
            Entry::Ignored(entry) => ignored.push(entry),
            Entry::Push(notice) => {
                let place = *place_of.entry((notice.repository.clone(), notice.tag.clone())).or_insert(pushes.len());
                match pushes.get_mut(place) {
                    Some(earlier) if replaces(&notice, earlier) => *earlier = notice,
                    Some(_) => {}
                    None => pushes.push(notice),
                }
            }
        }
    }
    if pushes.is_empty() {
        // `max_by_key` takes the last of equals; the first told is the one to name.
        let best = ignored.into_iter().rev().max_by_key(weight);
        return vec![best.map_or(Entry::ignored(IgnoreReason::NotAPush), Entry::Ignored)];
    }
    ignored.retain(|entry| !is_noise(entry));
    pushes.into_iter().map(Entry::Push).chain(ignored.into_iter().map(Entry::Ignored)).collect()
}

/// The latest event time wins; where one has none, the last told.
fn replaces(later: &PushNotice, earlier: &PushNotice) -> bool {
    match (later.event_time, earlier.event_time) {
        (Some(later), Some(earlier)) => later >= earlier,
        (Some(_) | None, None) | (None, Some(_)) => true,
    }
}

/// What every push of an image brings along: blobs, pulls, platforms.
fn is_noise(ignored: &Ignored) -> bool {
    weight(ignored) <= 2
}

/// How much an ignored entry says; the greatest speaks for a delivery without a push.
fn weight(ignored: &Ignored) -> u8 {
    match ignored.reason {
        IgnoreReason::NotAPush => 0,
        IgnoreReason::NotAnImage if ignored.tag.is_none() => 1,
        IgnoreReason::Untagged => 2,
        IgnoreReason::FailedResult
        | IgnoreReason::UnsupportedEvent
        | IgnoreReason::RepositoryNotAllowed
        | IgnoreReason::CachedPull
        | IgnoreReason::Stale
        | IgnoreReason::Overtaken
        | IgnoreReason::Unreadable
        | IgnoreReason::Ping => 3,
        IgnoreReason::NotAnImage => 4,
        IgnoreReason::InvalidReference => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Digest, Repository, Tag};

    fn push(tag: &str, digit: char, time: Option<&str>) -> Entry {
        Entry::Push(PushNotice {
            repository: Repository::parse("ghcr.io/acme/app").unwrap(),
            tag: Tag::parse(tag).unwrap(),
            digest: Digest::parse(&format!("sha256:{}", digit.to_string().repeat(64))).ok(),
            media_type: None,
            event_time: time.map(|t| t.parse().unwrap()),
            noted_host: None,
            keys: Vec::new(),
            by_second: false,
        })
    }

    fn ignored(reason: IgnoreReason, tag: Option<&str>) -> Entry {
        Entry::Ignored(Ignored::new(reason, Some("a"), tag, None, Vec::new()))
    }

    #[test]
    fn of_two_pushes_of_a_tag_the_latest_counts() {
        let (early, late) = (Some("2026-11-23T10:00:00Z"), Some("2026-11-23T11:00:00Z"));
        let cases = [
            ("in order", push("1", 'a', early), push("1", 'b', late), 'b'),
            ("out of order", push("1", 'a', late), push("1", 'b', early), 'a'),
            ("same time: the last", push("1", 'a', late), push("1", 'b', late), 'b'),
            ("no times: the last", push("1", 'a', None), push("1", 'b', None), 'b'),
            ("one time: the last", push("1", 'a', late), push("1", 'b', None), 'b'),
        ];
        for (label, first, second, winner) in cases {
            let kept = worth_telling(vec![first, push("2", 'c', None), second]);
            let [Entry::Push(one), Entry::Push(_)] = kept.as_slice() else { panic!("{label}: {kept:?}") };
            assert!(one.digest.as_ref().unwrap().as_str().ends_with(winner), "{label}");
        }
    }

    #[test]
    fn noise_is_told_only_alone() {
        use IgnoreReason::{InvalidReference, NotAPush, NotAnImage, Unreadable, Untagged};
        let cases = [
            ("nothing", vec![], vec![NotAPush]),
            ("pulls", vec![ignored(NotAPush, None), ignored(NotAPush, Some("1"))], vec![NotAPush]),
            (
                "blob and platform",
                vec![ignored(NotAnImage, None), ignored(Untagged, None), ignored(NotAPush, None)],
                vec![Untagged],
            ),
            (
                "platform and signature",
                vec![ignored(Untagged, None), ignored(NotAnImage, Some("sha256-a"))],
                vec![NotAnImage],
            ),
            (
                "bad ones alone",
                vec![ignored(Unreadable, None), ignored(InvalidReference, Some("x"))],
                vec![InvalidReference],
            ),
        ];
        for (label, found, expected) in cases {
            let kept = worth_telling(found.clone());
            let reasons = |entries: &[Entry]| -> Vec<IgnoreReason> {
                entries.iter().filter_map(|e| if let Entry::Ignored(i) = e { Some(i.reason) } else { None }).collect()
            };
            assert_eq!(reasons(&kept), expected, "{label}");
            let beside_push = worth_telling([found, vec![push("1", 'a', None)]].concat());
            let noise_free = reasons(&beside_push);
            assert!(!noise_free.contains(&NotAPush) && !noise_free.contains(&Untagged), "{label}: {noise_free:?}");
        }
    }
}

use super::*;
use crate::testing::{at, digest, id, pin, repository};

fn head() -> Head {
    Head::new(repository(), PolicyId::trusted("p"))
}

#[test]
fn a_completed_rollout_is_promoted_once() {
    let mut head = head();
    head.promote(&id("A"), &pin(1));
    head.promote(&id("B"), &pin(2));
    head.promote(&id("B"), &pin(2));
    assert_eq!(head.promoted.as_ref().unwrap().rollout_id, id("B"));
    assert_eq!(head.previous.as_ref().unwrap().rollout_id, id("A"), "a repeat forgets nothing");
}

#[test]
fn a_rollback_promotes_what_was_before() {
    let mut head = head();
    head.promote(&id("A"), &pin(1));
    head.promote(&id("B"), &pin(2));
    head.demote(&id("C"));
    assert_eq!(head.promoted.as_ref().unwrap().rollout_id, id("B"), "another's rollback is another's");
    head.demote(&id("B"));
    assert_eq!((head.promoted.as_ref().unwrap().rollout_id.clone(), head.previous.clone()), (id("A"), None));
    head.demote(&id("A"));
    assert_eq!(head.promoted, None);
}

#[test]
fn bad_digests_are_kept_until_cleared() {
    let mut head = head();
    head.ban(None, "an unpinned one has none", at(0));
    assert!(head.bad.is_empty());
    head.ban(Some(&digest(1)), "first", at(0));
    head.ban(Some(&digest(1)), "again", at(1));
    assert_eq!(head.bad.len(), 1);
    assert_eq!(head.bad(&digest(1)).unwrap().reason, "again");
    assert!(head.clear(&digest(1)));
    assert!(!head.clear(&digest(1)));
    assert_eq!(head.bad(&digest(1)), None);
}

#[test]
fn the_oldest_bad_digests_are_forgotten() {
    let mut head = head();
    for n in 0..=20 {
        head.ban(Some(&digest(n)), "bad", at(0));
    }
    assert_eq!(head.bad.len(), BAD_MAX);
    assert_eq!(head.bad(&digest(0)), None);
    assert!(head.bad(&digest(20)).is_some());
}

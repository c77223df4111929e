//! The simulation finds what is broken, and meets what is rare.

use tidegate_testkit::simulation::{Coverage, Mutant, run};

/// Within how many seeds a broken rule must show.
const HUNT: u64 = 500;

#[test]
fn every_broken_rule_is_caught() {
    for mutant in Mutant::ALL {
        let caught = (0..HUNT).any(|seed| !run(seed, Some(mutant), false).violations.is_empty());
        assert!(caught, "{mutant:?} was not caught within {HUNT} seeds");
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let (one, two) = (run(7, None, true), run(7, None, true));
    assert_eq!(one.story, two.story);
    assert_eq!(one.coverage, two.coverage);
    assert!(!one.story.is_empty());
}

#[test]
fn seeds_hold_and_meet_the_rare_cases() {
    let mut coverage = Coverage::default();
    for seed in 0..400 {
        let report = run(seed, None, false);
        assert!(report.violations.is_empty(), "seed {seed}: {:?}", report.violations);
        coverage.merge(&report.coverage);
    }
    let rare = [
        "status: completed",
        "status: cancelled",
        "status: expired",
        "status: failed",
        "status: paused",
        "status: rolled_back",
        "status: superseded",
        "batch 3 opens",
        "fault: a function dies",
        "fault: a call is half done",
        "fault: a call's answer is lost",
        "fault: a message is lost",
        "fault: a message is doubled",
        "fault: what is left of a delivery is told twice",
        "fault: a read is stale",
        "fault: a transaction is in the way",
        "fault: stream records come again",
        "device: vanishes for good",
        "device: a lock holds the swap",
        "device: the way back fails",
        "policy: create again is done",
        "policy: prune is done",
        "policy: rename is done",
        "policy: change is done",
        "fleet: a device is deleted",
        "fleet: a device joins",
        "device: is changed by hand",
        "device: tells what runs not at all",
        "device: tells what runs by a state",
        "device: tells what runs by a tag",
        "device: tells what runs in words that nobody can read",
        "device: tells what runs as Docker lists it",
        "report: DigestMismatch",
        "fleet: a device is moved",
        "reason: removed",
        "reason: taken_over",
        "reason: pinned",
        "reason: up_to_date",
        "report: Duplicate",
        "webhook: queued",
        "webhook: superseding",
        "webhook: duplicate",
        "webhook: duplicate, its digest is asked for after this push",
        "webhook: ignored, stale",
        "webhook: accepted",
        "webhook: is gone on with behind the queue",
        "command: rollback-all changes",
        "command: resume changes",
        "trigger: rollout_created",
        "trigger: superseding",
        "trigger: an override is missing",
    ];
    for what in rare {
        assert!(coverage.of(what) > 0, "400 seeds never met: {what}");
    }
}

/// Seeds that showed a fault once, by what was wrong: each was mended with the commit that added it.
#[test]
fn what_was_mended_stays_mended() {
    let seeds = [
        ("who ran the image already went back to the old one", 132),
        ("a latecomer rested on what was taken back", 190),
        ("an image by tag alone hid that another ran", 397),
        ("drift was adopted before the first rollout only", 442),
        ("who ran the image already went back behind it", 528),
        ("planned twice, a device was held in its row and took part all the same", 5_000_426),
        ("the run was over before the last event of a late repeat was published", 7_002_818),
        ("a batch was opened further by the step that paused on it", 3_008_201),
        ("a cancelled rollout between two ids of one push was not seen as one between them", 9_005_470),
        ("what only looked at an old tag took the place of a newer push that waited", 35),
        ("who was given up, came back and went silent again was waited for for ever", 30_005_628),
        ("the run was over before a latecomer had asked what it should run", 20_004_930),
        ("what ran before was told as the swap began, and proved the rollout", 120_001_910),
        ("who told nothing of its way back was moved once more when it was stuck", 154),
        ("who failed on a content stayed with it by its tag when that was taken back", 120_012_017),
        ("who swapped and fell silent stayed so with what it had pulled", 120_019_379),
        ("the run was over before the second next day's window settled who was offered late", 120_019_703),
        ("who was to go to what its rollout was pinned to was passed over with what it ran", 120_020_295),
        ("who went back, and was started anew by hand before it told, waited for ever", 9_013_674),
    ];
    for (what, seed) in seeds {
        let report = run(seed, None, false);
        assert!(report.violations.is_empty(), "{what} (seed {seed}): {:?}", report.violations);
    }
}

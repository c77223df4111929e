use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::testing::{at, policy};

/// The outcomes, one letter each, as the journal writes them.
fn outcomes(letters: &str) -> Vec<Outcome> {
    letters
        .chars()
        .map(|letter| match letter {
            'h' => Outcome::Healthy,
            'f' => Outcome::Failed,
            't' => Outcome::TimedOut,
            'c' => Outcome::Recovered,
            'l' => Outcome::FailedAfterAll,
            _ => unreachable!("no such outcome"),
        })
        .collect()
}

/// The position (from 1) of the outcome at which a rule fires first, and the rule.
fn fires(letters: &str, planned: u32, policy: &Policy) -> Option<(usize, RuleFired)> {
    let mut judge = FailureRules::default();
    let mut all = outcomes(letters).into_iter().enumerate();
    all.find_map(|(n, outcome)| Some((n + 1, judge.take(outcome, 1, planned, policy)?)))
}

fn rate(failed: u32, of: u32) -> RuleFired {
    RuleFired::FailureRate { failed, of, allowed_ppm: 200_000 }
}

#[test]
fn a_batch_is_stopped_by_its_rate() {
    let policy = policy(json!({"max_consecutive_failures": 100}));
    let cases = [
        ("1 of 1", "f", 1, Some((1, rate(1, 1)))),
        ("1 of 2", "hf", 2, Some((2, rate(1, 2)))),
        ("1 of 4", "f", 4, Some((1, rate(1, 4)))),
        ("1 of 5 does not", "fhhhh", 5, None),
        ("2 of 5 do", "hfhhf", 5, Some((5, rate(2, 5)))),
        ("2 of 10 do not, of 10 planned", "hhhhhhhhff", 10, None),
        ("3 of 10 are certain at once", "fff", 10, Some((3, rate(3, 10)))),
        ("early, from 5 settled on", "ffhhh", 100, Some((5, rate(2, 5)))),
        ("not before", "ffhh", 100, None),
        ("1 of the first 5 is not enough", "fhhhh", 100, None),
        ("2 of the first 10 are not", "fhhhhhhhhf", 100, None),
        ("2 of the first 9 are", "fhhhhhhhf", 100, Some((9, rate(2, 9)))),
        ("silence counts", "t", 4, Some((1, rate(1, 4)))),
        ("the truth does not count twice", "tlhhh", 5, None),
        ("a recovery takes the failure back", "tcf", 5, None),
    ];
    for (label, letters, planned, expected) in cases {
        assert_eq!(fires(letters, planned, &policy), expected, "{label}");
    }
}

#[test]
fn failures_in_a_row_stop_a_rollout() {
    let policy = policy(json!({"max_failure_rate": 1}));
    let cases = [
        ("three", "fff", Some((3, RuleFired::Consecutive(3)))),
        ("a healthy one between", "ffhff", None),
        ("and then three", "ffhfff", Some((6, RuleFired::Consecutive(3)))),
        ("silence is one", "tft", Some((3, RuleFired::Consecutive(3)))),
        ("a recovery breaks the row", "ttcff", None),
        ("the truth of a silent one is no further failure", "ftl", None),
    ];
    for (label, letters, expected) in cases {
        assert_eq!(fires(letters, 100, &policy), expected, "{label}");
    }
}

#[test]
fn a_row_goes_on_across_batches_and_a_rate_does_not() {
    let strict = policy(json!({"max_failure_rate": 1}));
    let mut judge = FailureRules::default();
    assert_eq!(judge.take(Outcome::Failed, 1, 10, &strict), None);
    assert_eq!(judge.take(Outcome::Failed, 2, 10, &strict), None);
    assert_eq!(judge.take(Outcome::Failed, 3, 10, &strict), Some(RuleFired::Consecutive(3)));
    let lenient = policy(json!({"max_consecutive_failures": 100}));
    let mut judge = FailureRules::default();
    for batch in 1..5 {
        assert_eq!(judge.take(Outcome::Failed, batch, 5, &lenient), None, "1 of 5 in each");
    }
}

#[test]
fn silence_can_be_left_out() {
    let policy = policy(json!({"count_timeouts": false}));
    let cases = [
        ("any number", "tttttt", 6, None),
        ("neither does it break a row", "ftftf", 100, Some((5, RuleFired::Consecutive(3)))),
        ("the truth counts", "tl", 4, Some((2, rate(1, 4)))),
        ("a recovery takes nothing back", "tfhhhhc", 6, None),
        ("nor hides a failure", "tcf", 4, Some((3, rate(1, 4)))),
    ];
    for (label, letters, planned, expected) in cases {
        assert_eq!(fires(letters, planned, &policy), expected, "{label}");
    }
}

#[test]
fn a_resume_forgets() {
    let policy = policy(json!({}));
    let mut judge = FailureRules::default();
    judge.resumed(None);
    assert!(judge.take(Outcome::Failed, 1, 10, &policy).is_none());
    assert!(judge.take(Outcome::Failed, 1, 10, &policy).is_none());
    judge.resumed(Some(at(5)));
    assert!(judge.take(Outcome::Failed, 1, 10, &policy).is_none(), "the third in a row, and the first since");
    judge.resumed(Some(at(5)));
    assert!(judge.take(Outcome::Failed, 1, 10, &policy).is_none());
    assert_eq!(
        judge.take(Outcome::Failed, 1, 10, &policy),
        Some(RuleFired::Consecutive(3)),
        "the same resume forgets once"
    );
}

#[test]
fn a_rule_says_its_numbers() {
    assert_eq!(rate(2, 5).to_string(), "2 of 5 devices of the batch failed, more than 20%");
    assert_eq!(RuleFired::Consecutive(3).to_string(), "3 devices failed in a row");
}

proptest! {
    #[test]
    fn healthy_outcomes_alone_never_stop_anything(healthy in 1_u32..500, planned in 1_u32..500) {
        let policy = policy(json!({"max_failure_rate": 0, "max_consecutive_failures": 1}));
        let mut judge = FailureRules::default();
        for _ in 0..healthy.min(planned) {
            prop_assert_eq!(judge.take(Outcome::Healthy, 1, planned, &policy), None);
        }
    }

    #[test]
    fn the_rate_is_exact(failures in proptest::collection::vec(any::<bool>(), 1..60), percent in 0_u32..=100) {
        let policy = policy(json!({"max_consecutive_failures": 1000, "max_failure_rate": format!("{percent}%")}));
        let planned = failures.len() as u32;
        let (mut judge, mut failed) = (FailureRules::default(), 0);
        for (settled, fails) in (1..).zip(failures) {
            failed += u32::from(fails);
            let outcome = if fails { Outcome::Failed } else { Outcome::Healthy };
            let more = |of: u32| failed * 100 > percent * of;
            let expected = more(planned) || settled >= 5 && more(settled);
            prop_assert_eq!(judge.take(outcome, 1, planned, &policy).is_some(), expected, "{} of {}", failed, settled);
        }
    }
}

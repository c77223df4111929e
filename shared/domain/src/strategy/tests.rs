//! What stages are made of a policy, and how gates are weighed.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::counts::Class;
use crate::policy::{BatchStep, Batches, Rate};
use crate::rollout::{Rollout, Status};
use crate::testing::{at, counts, policy, rollout};

fn boundaries(batches: &Batches, total: u32) -> Vec<u32> {
    let mut staged = policy(json!({ "update_strategy": "staged" }));
    staged.staged_batches = batches.clone();
    compile(&staged).boundaries(total)
}

fn sizes(batches: &Batches, total: u32) -> Vec<u32> {
    let mut before = 0;
    boundaries(batches, total).into_iter().map(|end| end - std::mem::replace(&mut before, end)).collect()
}

#[test]
fn the_architectures_table_holds() {
    let listed = Batches::parse("10%,50%,100%").unwrap();
    let counted = Batches::count(3).unwrap();
    for (total, expected) in [
        (0, [0, 0, 0]),
        (1, [1, 0, 0]),
        (2, [1, 1, 0]),
        (3, [1, 1, 1]),
        (10, [1, 4, 5]),
        (15, [1, 6, 8]),
        (200, [20, 80, 100]),
        (u32::MAX, [429_496_729, 1_717_986_918, 2_147_483_648]),
    ] {
        assert_eq!(sizes(&listed, total), expected, "list, {total} devices");
        assert_eq!(sizes(&counted, total), expected, "count, {total} devices");
    }
}

#[test]
fn counts_and_mixed_lists_reach_as_far_as_they_say() {
    let cases = [
        ("one batch", json!(1), 7, vec![7]),
        ("two equal steps", json!(2), 7, vec![3, 4]),
        ("four equal steps", json!(4), 10, vec![2, 3, 2, 3]),
        ("more batches than devices", json!(5), 2, vec![1, 1, 0, 0, 0]),
        ("devices, then shares", json!([1, "10%", "100%"]), 100, vec![1, 9, 90]),
        ("devices beyond the plan", json!([50, "100%"]), 10, vec![10, 0]),
        ("a share below the devices before it", json!([50, "10%", "100%"]), 100, vec![50, 1, 49]),
        ("a half percent", json!(["12.5%", "100%"]), 16, vec![2, 14]),
    ];
    for (label, value, total, expected) in cases {
        assert_eq!(sizes(&Batches::from_json(&value).unwrap(), total), expected, "{label}");
    }
}

fn any_batches() -> impl proptest::strategy::Strategy<Value = Batches> {
    let shares = prop::collection::btree_set(1..1_000_000_u32, 0..6);
    prop_oneof![
        (1..=100_u32).prop_map(|count| Batches::count(count).unwrap()),
        (prop::option::of(1..5_000_u32), shares).prop_map(|(devices, shares)| {
            let share = |ppm| BatchStep::Share(Rate::from_ppm(ppm).unwrap());
            let steps = devices.map(BatchStep::Devices).into_iter().chain(shares.into_iter().map(share));
            Batches::list(steps.chain([BatchStep::Share(Rate::ALL)]).collect()).unwrap()
        }),
    ]
}

proptest! {
    #[test]
    fn every_device_is_in_exactly_one_stage(batches in any_batches(), total in 0..20_000_u32) {
        let ends = boundaries(&batches, total);
        prop_assert_eq!(ends.last(), Some(&total));
        prop_assert!(ends.is_sorted());
        let sizes = sizes(&batches, total);
        let first_empty = sizes.iter().position(|&size| size == 0).unwrap_or(sizes.len());
        prop_assert!(sizes[first_empty..].iter().all(|&size| size == 0), "only the last ones are empty");
    }

    #[test]
    fn stages_are_read_as_they_were_stored(batches in any_batches()) {
        let mut staged = policy(json!({ "update_strategy": "manual" }));
        staged.staged_batches = batches;
        let stages = compile(&staged);
        let stored = serde_json::to_value(&stages).unwrap();
        prop_assert_eq!(serde_json::from_value::<Stages>(stored).unwrap(), stages);
    }
}

/// The gates behind each place, by name: the entry's first.
fn gates(fields: serde_json::Value) -> Vec<String> {
    let stages = compile(&policy(fields));
    let names = |gates: &[Gate]| gates.iter().map(Gate::name).collect::<Vec<_>>().join(" ");
    let places = 0..=stages.stages.len() as u32;
    places.map(|place| names(stages.gates_behind(place))).collect()
}

#[test]
fn strategies_are_lists_of_stages() {
    let proven = "contents failure_rules settled";
    let paced = "contents failure_rules settled delay soak";
    let windowed = "contents failure_rules settled delay soak window";
    let windowed_in = |zone: &str, strategy: &str, batches: serde_json::Value| {
        json!({
            "update_strategy": strategy, "staged_batches": batches, "maintenance_window_start": "02:00",
            "maintenance_window_end": "03:00", "timezone": zone,
        })
    };
    let two = json!(["10%", "100%"]);
    let cases = [
        ("auto", json!({ "update_strategy": "auto" }), vec!["", proven]),
        ("staged", json!({ "update_strategy": "staged" }), vec!["", paced, paced, proven]),
        ("manual", json!({ "update_strategy": "manual", "staged_batches": two }), vec!["approval", paced, proven]),
        ("scheduled", windowed_in("Europe/Paris", "scheduled", two.clone()), vec!["window", windowed, proven]),
        ("each device in its own window", windowed_in("device", "scheduled", two.clone()), vec!["", paced, proven]),
        (
            "a yes, and then no earlier than that",
            json!({ "update_strategy": "manual", "staged_batches": 1, "not_before": "2026-12-01T20:00:00Z" }),
            vec!["approval not_before", proven],
        ),
        ("a yes, and then the window", windowed_in("UTC", "manual", json!(1)), vec!["approval window", proven]),
    ];
    for (label, fields, expected) in cases {
        assert_eq!(gates(fields), expected, "{label}");
    }
}

#[test]
fn beyond_its_stages_the_last_ones_gates_hold() {
    let stages = compile(&policy(json!({ "update_strategy": "auto" })));
    assert_eq!(stages.gates_behind(9), stages.gates_behind(1));
}

#[test]
fn a_gate_of_a_later_version_is_read_and_holds() {
    let stored = json!({ "entry": [], "stages": [
        { "share": "100%", "wave": 3, "gates": [{ "gate": "analysis", "of": { "metric": "crashed" } }, { "gate": "settled" }] },
    ] });
    let stages: Stages = serde_json::from_value(stored).unwrap();
    assert_eq!(stages.stages[0].gates, [Gate::Unknown, Gate::Settled]);
    let (rollout, policy) = (rollout(Status::InProgress), policy(json!({})));
    let facts = Facts { rollout: &rollout, policy: &policy, contents: None, now: at(0) };
    assert!(matches!(Gate::Unknown.check(&facts), Verdict::Wait { until: None, .. }));
}

#[test]
fn what_stops_wins_and_of_times_the_last() {
    let mut settled = rollout(Status::InProgress);
    settled.batches[0].counts = counts(&[(Class::Healthy, 1)]);
    settled.batches[0].completed_at = Some(at(0));
    settled.last_healthy_at = Some(at(100));
    let at_work = Rollout { batches: rollout(Status::InProgress).batches, ..settled.clone() };
    let mut failed = settled.clone();
    failed.batches[0].counts = counts(&[(Class::RolledBack, 1)]);
    let refused = Refused { why: "kept out".to_owned(), rule: StopRule::KeptOut };
    let (delay, soak) = (Gate::Delay { seconds: 60 }, Gate::Soak { seconds: 60 });
    let short_soak = Gate::Soak { seconds: 0 };
    let policy = policy(json!({}));
    let cases = [
        ("nothing", &settled, vec![], 0, None, "pass"),
        ("settled", &settled, vec![Gate::Settled, Gate::FailureRules], 0, None, "pass"),
        ("both times", &settled, vec![delay.clone(), soak.clone()], 30, None, "until 160"),
        ("in any order", &settled, vec![soak.clone(), delay.clone()], 30, None, "until 160"),
        ("one time left", &settled, vec![delay.clone(), soak.clone()], 61, None, "until 160"),
        ("the other", &settled, vec![delay.clone(), short_soak], 30, None, "until 100"),
        ("all over", &settled, vec![delay.clone(), soak.clone()], 160, None, "pass"),
        ("devices before times", &at_work, vec![delay.clone(), Gate::Settled], 0, None, "wait"),
        (
            "a refusal although devices are at work",
            &at_work,
            vec![Gate::Settled, Gate::Contents],
            0,
            Some(&refused),
            "stop",
        ),
        ("no proof", &failed, vec![delay, Gate::Settled], 0, None, "inconclusive"),
        ("a refusal before no proof", &failed, vec![Gate::Settled, Gate::Contents], 0, Some(&refused), "stop"),
    ];
    for (label, rollout, gates, now, contents, expected) in cases {
        let facts = Facts { rollout, policy: &policy, contents, now: at(now) };
        let told = match winner(&gates, &facts) {
            Verdict::Pass => "pass".to_owned(),
            Verdict::Wait { until: None, .. } => "wait".to_owned(),
            Verdict::Wait { until: Some(until), .. } => format!("until {}", until.as_second() - at(0).as_second()),
            Verdict::Stop { .. } => "stop".to_owned(),
            Verdict::Inconclusive { .. } => "inconclusive".to_owned(),
        };
        assert_eq!(told, expected, "{label}");
    }
}

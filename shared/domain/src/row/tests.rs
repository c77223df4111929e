use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::assignment::{Assignment, Progress};
use crate::testing::*;

fn row() -> Row {
    Row::planned(id("R"), uuid(1), (0, 1), (Class::Pending, None), Some(pin(1)), at(0))
}

fn entry(progress: Progress) -> LogEntry {
    Assignment { progress, ..Assignment::new(id("R"), 2, 0, 1) }.log(at(5))
}

#[test]
fn a_change_of_class_moves_one_count() {
    let mut row = row();
    let change = row.apply(1, &[entry(Progress::Offered)]).unwrap();
    assert_eq!(change.counts, [(1, counts(&[(Class::Pending, -1)])), (1, counts(&[(Class::Updating, 1)]))]);
    let change = row.apply(2, &[entry(Progress::Pulled)]).unwrap();
    assert!(change.is_empty(), "still updating");
    let moved = LogEntry { batch: Some(3), ..entry(Progress::Pulled) };
    let change = row.apply(3, &[moved]).unwrap();
    assert_eq!(change.counts, [(1, counts(&[(Class::Updating, -1)])), (3, counts(&[(Class::Updating, 1)]))]);
}

#[test]
fn a_revision_counts_once() {
    let mut row = row();
    assert!(row.apply(5, &[entry(Progress::Offered)]).is_some());
    for rev in [5, 4, 0] {
        assert_eq!(row.clone().apply(rev, &[entry(Progress::Healthy)]), None, "revision {rev}");
    }
    let foreign = LogEntry { rollout_id: id("S"), ..entry(Progress::Healthy) };
    assert!(row.apply(6, &[foreign]).unwrap().is_empty(), "another rollout's news");
    assert_eq!(row.class, Class::Updating);
}

#[test]
fn an_outcome_counts_once_and_the_truth_replaces_a_guess() {
    use Outcome as O;
    let cases = [
        (vec![O::Healthy, O::Failed], vec![O::Healthy]),
        (vec![O::Failed, O::Healthy], vec![O::Failed]),
        (vec![O::Failed, O::TimedOut], vec![O::Failed]),
        (vec![O::TimedOut, O::Recovered], vec![O::TimedOut, O::Recovered]),
        (vec![O::TimedOut, O::Healthy], vec![O::TimedOut, O::Recovered]),
        (vec![O::TimedOut, O::FailedAfterAll], vec![O::TimedOut, O::FailedAfterAll]),
        (vec![O::TimedOut, O::Recovered, O::Failed], vec![O::TimedOut, O::Recovered]),
        (vec![O::TimedOut, O::TimedOut], vec![O::TimedOut]),
        (vec![O::Recovered], vec![O::Healthy]),
        (vec![O::FailedAfterAll], vec![O::Failed]),
    ];
    for (told, counted) in cases {
        let mut row = row();
        let outcomes = (1..).zip(&told).flat_map(|(rev, outcome)| {
            row.apply(rev, &[entry(Progress::Healthy).outcome(Some(*outcome))]).unwrap().outcomes
        });
        assert_eq!(outcomes.map(|told| told.outcome).collect::<Vec<_>>(), counted, "{told:?}");
    }
}

#[test]
fn an_update_counts_once() {
    let mut row = row();
    let completed = entry(Progress::Swapping).event(DeviceEvent::UpdateCompleted);
    let updated: Vec<u32> = (1..4)
        .map(|rev| row.apply(rev, std::slice::from_ref(&completed)).unwrap())
        .map(|change| change.counts.iter().map(|(_, counts)| counts.updated()).sum())
        .collect();
    assert_eq!(updated, [1, 0, 0]);
    assert!(row.updated);
}

#[test]
fn a_history_keeps_reasons_and_stays_short() {
    let mut row = row();
    let failed = entry(failed(Reason::Unhealthy, true)).event(DeviceEvent::HealthCheckFailed).message(Some("404"));
    row.apply(1, &[failed]);
    row.apply(2, &[entry(back(Reason::Unhealthy)).event(DeviceEvent::RolledBack)]);
    assert_eq!(
        (row.reason.clone(), row.message.as_deref()),
        (Some(Reason::Unhealthy), Some("404")),
        "the reason is kept"
    );
    assert_eq!(row.first(&[DeviceEvent::RolledBack]), Some(at(5)));
    for rev in 3..200 {
        row.apply(rev, &[entry(Progress::Offered).event(DeviceEvent::ImagePulling)]);
    }
    assert_eq!(row.history.len(), HISTORY_MAX);
}

#[test]
fn a_latecomers_row_is_counted_where_it_joins() {
    let offer = LogEntry { batch: Some(3), position: Some(u32::MAX), ..entry(Progress::Offered) };
    let mut row = Row::joined(&offer, uuid(1), None);
    let mut page = Page::default();
    row.counted().add_to(&mut page);
    row.apply(9, &[offer]).unwrap().add_to(&mut page);
    assert_eq!(page.deltas, [BatchDelta { batch: 3, counts: counts(&[(Class::Updating, 1)]) }]);
}

fn entries() -> impl Strategy<Value = LogEntry> {
    let outcomes = [Outcome::Healthy, Outcome::Failed, Outcome::TimedOut, Outcome::Recovered, Outcome::FailedAfterAll];
    (
        proptest::sample::select(every_progress()),
        proptest::option::of(proptest::sample::select(DeviceEvent::ALL)),
        proptest::option::of(proptest::sample::select(outcomes.to_vec())),
        proptest::option::of(1_u32..4),
        any::<bool>(),
    )
        .prop_map(|(progress, event, outcome, batch, classed)| {
            let entry = entry(progress);
            LogEntry { event, outcome, batch, class: entry.class.filter(|_| classed), ..entry }
        })
}

/// What the journal's pages add up to, by batch.
fn total(changes: &[Change]) -> BTreeMap<u32, Counts> {
    let mut all: BTreeMap<u32, Counts> = BTreeMap::new();
    for (batch, counts) in changes.iter().flat_map(|change| &change.counts) {
        all.entry(*batch).or_default().merge(counts);
    }
    all.retain(|_, counts| !counts.is_empty());
    all
}

proptest! {
    #[test]
    fn a_repeated_prefix_changes_nothing(
        writes in proptest::collection::vec(proptest::collection::vec(entries(), 0..3), 1..12),
        again in 0_usize..12,
    ) {
        let mut once = row();
        let changes: Vec<Change> = (1..).zip(&writes).filter_map(|(rev, write)| once.apply(rev, write)).collect();
        let mut twice = row();
        let mut repeated = Vec::new();
        let prefix = again.min(writes.len());
        let revisions: Vec<(u64, &Vec<LogEntry>)> = (1..).zip(&writes).collect();
        for (rev, write) in revisions[..prefix].iter().chain(&revisions) {
            repeated.extend(twice.apply(*rev, write));
        }
        prop_assert_eq!(twice, once);
        prop_assert_eq!(repeated, changes);
    }

    #[test]
    fn the_counts_are_the_row(writes in proptest::collection::vec(proptest::collection::vec(entries(), 0..3), 0..12)) {
        let mut row = row();
        let mut changes = vec![row.counted()];
        changes.extend((1..).zip(&writes).filter_map(|(rev, write)| row.apply(rev, write)));
        let mut expected = counts(&[(row.class, 1)]);
        expected.add_updated(i64::from(row.updated));
        expected.add_ever_failed(i64::from(row.ever_failed()));
        prop_assert_eq!(total(&changes), BTreeMap::from([(row.batch, expected)]));
        let outcomes = changes.iter().map(|change| change.outcomes.len()).sum::<usize>();
        prop_assert!(outcomes <= 2, "an outcome, and the truth about it");
        prop_assert_eq!(outcomes > 0, row.outcome.is_some());
    }
}

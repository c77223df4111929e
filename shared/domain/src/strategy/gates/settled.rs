//! Every device of the stage has settled, and one of them is healthy.

use super::{Facts, Verdict};
use crate::counts::{Class, Counts};
use crate::rollout::Rollout;

pub(super) fn check(facts: &Facts<'_>) -> Verdict {
    let rollout = facts.rollout;
    let Some(counts) = rollout.current().map(|batch| &batch.counts) else { return Verdict::Pass };
    if counts.unsettled() > 0 {
        let zoneless = rollout.zones.missing.min(counts.of(Class::Pending));
        return Verdict::wait(waiting_for(counts, rollout.batch) + &without_zone(zoneless));
    }
    let proven = |counts: &Counts| counts.of(Class::Healthy) > 0;
    let last = rollout.batch as usize == rollout.batches.len();
    if proven(counts) || counts.devices() == 0 || rollout.skip_batch || (last && proven(&rollout.counts())) {
        return Verdict::Pass;
    }
    if unproven(rollout) {
        let batch = rollout.batch;
        let why = format!("batch {batch} settled with no healthy device; resume with skip_batch to go on without");
        return Verdict::Inconclusive { why };
    }
    Verdict::wait(format!(
        "every device of batch {} is offline; it goes on when one of them is back and healthy",
        rollout.batch
    ))
}

/// Whether the open batch settled, none of its devices is healthy, and nothing will come of waiting.
pub(crate) fn unproven(rollout: &Rollout) -> bool {
    rollout.current().is_some_and(|batch| {
        let counts = &batch.counts;
        counts.unsettled() == 0 && counts.of(Class::Healthy) == 0 && counts.devices() > counts.of(Class::Deferred)
    })
}

fn waiting_for(counts: &Counts, batch: u32) -> String {
    let unsettled = counts.unsettled();
    let mut parts = Vec::new();
    for (class, words) in
        [(Class::Pending, "not yet offered"), (Class::Updating, "updating"), (Class::Blocked, "locked")]
    {
        if counts.of(class) > 0 {
            parts.push(format!("{} {words}", counts.of(class)));
        }
    }
    format!("waiting for {unsettled} of {} devices in batch {batch}: {}", counts.devices(), parts.join(", "))
}

/// Of whom it was known when the rollout was planned; who told a zone since is offered the image all the same.
fn without_zone(devices: u32) -> String {
    match devices {
        0 => String::new(),
        n => format!(
            "; {n} had told no time zone when they were planned, and the policy names no fallback_timezone: until they do, \
                     their window never opens"
        ),
    }
}

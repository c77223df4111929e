//! Each operation by itself, in a fleet of a given size.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use tidegate_domain::command::Command;
use tidegate_domain::ids::RolloutId;
use tidegate_domain::planning;
use tidegate_domain::rollout::Rollout;
use tidegate_engine::commands::{self, Commanded};
use tidegate_engine::ports::Units;
use tidegate_engine::step;

use crate::error::CapacityError;
use crate::fleet::{Fleet, Work};
use crate::healthy::update;
use crate::tables::Place;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// A registry's delivery that begins a rollout, up to the answer.
    Delivery,
    /// The same delivery again.
    DeliveryAgain,
    /// The poll of a device that nothing is to happen on, the rollouts in memory.
    SettledPoll,
    /// The poll that is told of the new image, and what the recorder makes of it.
    FirstOffer,
    /// The reports before the swap in one body, and what the recorder makes of them.
    ReportProgress,
    /// The reports of the swap and the check in one body, and what the recorder makes of them.
    ReportFinal,
    /// A device's share of planning.
    PlanDevice,
    /// The step that opens the second batch.
    OpenBatch,
    /// The command.
    Pause,
    /// The command.
    Resume,
    /// The command.
    Cancel,
    /// The command.
    RollbackAll,
}

impl Operation {
    /// Every operation, in the order of the table.
    pub const ALL: [Self; 12] = [
        Self::Delivery,
        Self::DeliveryAgain,
        Self::SettledPoll,
        Self::FirstOffer,
        Self::ReportProgress,
        Self::ReportFinal,
        Self::PlanDevice,
        Self::OpenBatch,
        Self::Pause,
        Self::Resume,
        Self::Cancel,
        Self::RollbackAll,
    ];

    /// Its name in the table and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivery => "delivery",
            Self::DeliveryAgain => "delivery_again",
            Self::SettledPoll => "settled_poll",
            Self::FirstOffer => "first_offer",
            Self::ReportProgress => "report_progress",
            Self::ReportFinal => "report_final",
            Self::PlanDevice => "plan_device",
            Self::OpenBatch => "open_batch",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::RollbackAll => "rollback_all",
        }
    }

    /// Whether it controls a whole fleet: it must cost the same whatever the fleet's size.
    pub const fn controls(self) -> bool {
        match self {
            // A delivery's writes are the same as well; what it reads of a large fleet is bounded.
            Self::OpenBatch
            | Self::Pause
            | Self::Resume
            | Self::Cancel
            | Self::RollbackAll
            | Self::Delivery
            | Self::DeliveryAgain => true,
            Self::SettledPoll | Self::FirstOffer | Self::ReportProgress | Self::ReportFinal | Self::PlanDevice => false,
        }
    }
}

/// What each operation costs in a fleet of this size. A device's requests are those of one device that nobody shares a
/// journal page with: the most that they can cost.
pub async fn operations(place: Place, size: u32) -> Result<BTreeMap<Operation, Units>, CapacityError> {
    let mut fleet = Fleet::enrolled(place, size).await?;
    let (pushed, delivery) = fleet.cost(fleet.push()).await;
    let rollout_id = pushed?;
    let (again, delivery_again) = fleet.cost(fleet.push()).await;
    if again? != rollout_id {
        return Err(CapacityError::Unexpected { wanted: "the first answer", what: "another rollout".to_owned() });
    }
    fleet.settle().await?;
    let planning = fleet.cost_of(Work::Plan);
    let devices = f64::from(size);
    let plan_device = Units { reads: planning.reads / devices, writes: planning.writes / devices };

    let order = planning::order(&rollout_id, fleet.devices.clone());
    let open = fleet.rollout(&rollout_id).await?.open_to as usize;
    let [first_offer, report_progress, _, report_final, _] = update(&mut fleet, &order[..1], &rollout_id).await?;
    // Once for the rollouts to be in memory, once to be measured.
    let told = fleet.poll(order[0], &[]).await?;
    let (polled, settled_poll) = fleet.cost(fleet.poll(order[0], &[told.seen])).await;
    polled?;
    update(&mut fleet, &order[1..open], &rollout_id).await?;

    let mut costs = BTreeMap::from([
        (Operation::Delivery, delivery),
        (Operation::DeliveryAgain, delivery_again),
        (Operation::SettledPoll, settled_poll),
        (Operation::FirstOffer, first_offer),
        (Operation::ReportProgress, report_progress),
        (Operation::ReportFinal, report_final),
        (Operation::PlanDevice, plan_device),
        (Operation::OpenBatch, open_batch(&mut fleet, &rollout_id).await?),
    ]);
    let all_back = Command::RollbackAll { respect_windows: false, max_in_flight: None };
    for (operation, wanted) in [
        (Operation::Pause, Command::Pause),
        (Operation::Resume, Command::Resume { skip_batch: false }),
        (Operation::Cancel, Command::Cancel),
        (Operation::RollbackAll, all_back),
    ] {
        costs.insert(operation, command(&mut fleet, &rollout_id, &wanted).await?);
    }
    Ok(costs)
}

/// The step after the delay between the first batch and the second.
async fn open_batch(fleet: &mut Fleet, rollout_id: &RolloutId) -> Result<Units, CapacityError> {
    let before = fleet.rollout(rollout_id).await?;
    let Some(completed_at) = before.current().and_then(|batch| batch.completed_at) else {
        return Err(unexpected("a completed batch", &before));
    };
    let delay = SignedDuration::from_mins(30);
    fleet.now = completed_at.saturating_add(delay).unwrap_or(fleet.now).max(fleet.now);
    let (stepped, cost) = fleet.cost(step::run(&fleet.ports, rollout_id, fleet.now)).await;
    stepped?;
    let after = fleet.rollout(rollout_id).await?;
    if after.batch != before.batch + 1 {
        return Err(unexpected("the opening of a batch", &after));
    }
    fleet.settle().await?;
    Ok(cost)
}

async fn command(fleet: &mut Fleet, rollout_id: &RolloutId, wanted: &Command) -> Result<Units, CapacityError> {
    fleet.advance(60);
    let carried_out = commands::carry_out(&fleet.ports, rollout_id, wanted, Some("capacity"), fleet.now);
    let (commanded, cost) = fleet.cost(carried_out).await;
    match commanded? {
        Commanded::Done { changed: true, .. } => {}
        other => return Err(CapacityError::Unexpected { wanted: wanted.name(), what: format!("{other:?}") }),
    }
    fleet.settle().await?;
    Ok(cost)
}

fn unexpected(wanted: &'static str, rollout: &Rollout) -> CapacityError {
    CapacityError::Unexpected { wanted, what: format!("{rollout:?}") }
}

//! Whether a planner has a device: then its place is the planner's to give.

use tidegate_domain::ids::{DeviceUuid, RolloutId};
use tidegate_domain::planning;
use tidegate_domain::rollout::{Rollout, Status};

use crate::entities::plans;
use crate::error::EngineError;
use crate::ports::Store;

/// Whether the rollout's planner gives the device its place, or will. While the order is not frozen the planner has yet
/// to list the devices, and finds this one: it is stored already.
pub(super) async fn by_planner(store: &dyn Store, rollout: &Rollout, device: DeviceUuid) -> Result<bool, EngineError> {
    if rollout.status != Status::Pending {
        return Ok(false);
    }
    let Some(order) = plans::order(store, &rollout.rollout_id).await? else { return Ok(true) };
    // The pages are sorted: a few of them tell.
    let (mut low, mut high) = (0, order.pages());
    while low < high {
        let middle = low.midpoint(high);
        let devices = plans::page(store, &rollout.rollout_id, &order, middle).await?.unwrap_or_default();
        if devices.contains(&device) {
            return Ok(true);
        }
        match devices.first() {
            Some(first) if comes_before(&rollout.rollout_id, device, *first) => high = middle,
            Some(_) | None => low = middle + 1,
        }
    }
    Ok(false)
}

fn comes_before(rollout: &RolloutId, device: DeviceUuid, other: DeviceUuid) -> bool {
    planning::order(rollout, vec![other, device]).first() == Some(&device)
}

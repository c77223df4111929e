//! Looking through a rollout's rows for devices that are late.

use jiff::Timestamp;
use tidegate_domain::counts::Class;
use tidegate_domain::ids::RolloutId;
use tidegate_domain::lateness::{ended, overdue, without_place};
use tidegate_domain::rollout::{Rollout, Status};
use tidegate_domain::row::Row;

use crate::entities::{devices, rows};
use crate::error::EngineError;
use crate::memory::{Age, RolloutMemory};
use crate::ports::{Freshness, Ports, WriteError};

/// Checks one shard. What is late is written on the device's item; the recorder does the rest.
pub async fn check(
    ports: &Ports,
    memory: &RolloutMemory,
    rollout_id: &RolloutId,
    shard: u32,
    now: Timestamp,
) -> Result<u32, EngineError> {
    let store = &*ports.store;
    let Some(known) = memory.one(store, rollout_id, Age::Fresh, now).await? else { return Ok(0) };
    let (mut after, mut late) = (None, 0);
    loop {
        let (page, next) = rows::page(store, rollout_id, shard, after, None).await?;
        for row in page.iter().filter(|row| can_be_late(row, &known.rollout)) {
            late += u32::from(give_up(ports, memory, &known.rollout, row, now).await?);
        }
        if next.is_none() {
            return Ok(late);
        }
        after = next;
    }
}

fn can_be_late(row: &Row, rollout: &Rollout) -> bool {
    match row.class {
        Class::Pending => rollout.open_for(row.position),
        Class::Updating | Class::Blocked => true,
        Class::Healthy | Class::Failed => rollout.status == Status::RollingBack,
        Class::Reverting => matches!(rollout.status, Status::RollingBack | Status::RolledBack),
        Class::Unchanged | Class::RolledBack | Class::Stuck | Class::NotSeen | Class::Deferred | Class::Skipped => {
            false
        }
    }
}

/// Writes down that a device is late, unless it is not, or something came from it meanwhile.
async fn give_up(
    ports: &Ports,
    memory: &RolloutMemory,
    rollout: &Rollout,
    row: &Row,
    now: Timestamp,
) -> Result<bool, EngineError> {
    let store = &*ports.store;
    let Some(device) = devices::get(store, row.device_uuid, Freshness::Consistent).await? else { return Ok(false) };
    let known = memory.knowledge(store, device.rollout_ids(), Age::Remembered, now).await?;
    let late = ended(&device, &known, now).or_else(|| overdue(&device, &rollout.rollout_id, &known, now));
    let Some(next) = late.or_else(|| without_place(&device, row.class, rollout, now)) else { return Ok(false) };
    match store.write(&[devices::save(&next)]).await {
        Ok(()) => Ok(true),
        Err(WriteError::Refused(_) | WriteError::Conflict) => Ok(false),
        Err(WriteError::Store(error)) => Err(error.into()),
    }
}

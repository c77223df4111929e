//! Asking the registry which digest a rollout's tag means, and which platforms it has.

use std::collections::BTreeMap;

use tidegate_domain::ids::RolloutId;
use tidegate_domain::rollout::Status;

use crate::entities::plans::{self, Resolved};
use crate::entities::rollouts;
use crate::error::EngineError;
use crate::plan::image;
use crate::ports::{Freshness, Job, Ports, ResolveError, WriteError};

/// Asks once after the last notice, and keeps the first answer. A registry that does not answer is asked again by a later step.
pub async fn resolve(ports: &Ports, rollout_id: &RolloutId) -> Result<(), EngineError> {
    let store = &*ports.store;
    let Some(rollout) = rollouts::get(store, rollout_id, Freshness::Consistent).await? else { return Ok(()) };
    let merged = rollout.merged();
    let known = plans::resolved(store, rollout_id).await?.is_some_and(|known| known.merged >= merged);
    if rollout.status != Status::Pending || known {
        return Ok(());
    }
    let told = rollout.target.digest.clone();
    // One without access answers for a digest all the same: with that digest.
    let asked = ports.registry.may_be_asked(&rollout.repository);
    let resolved = match ports.registry.resolve(&image(&rollout)).await {
        Ok(found) => Resolved { digest: Some(found.digest), platforms: found.platforms, why_not: None, merged, asked },
        Err(ResolveError::Unavailable(error)) => {
            tracing::warn!(rollout_id = %rollout_id, error = &*error, "the registry did not answer");
            return Ok(());
        }
        Err(error) => {
            let asked = matches!(error, ResolveError::NotFound);
            Resolved { digest: told, platforms: BTreeMap::default(), why_not: Some(error.to_string()), merged, asked }
        }
    };
    match store.write(&[plans::put_resolved(rollout_id, &resolved)]).await {
        Ok(()) | Err(WriteError::Refused(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(ports.queues.send(&[Job::Step { rollout_id: rollout_id.clone() }], 0).await?)
}

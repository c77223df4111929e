//! Letting a digest in again that was kept out: by a person, with a reason.

use jiff::Timestamp;
use tidegate_domain::head::Head;
use tidegate_domain::ids::PolicyId;
use tidegate_domain::image::{Digest, Repository};

use crate::create::TRIES;
use crate::entities::events::{self, Event};
use crate::entities::heads;
use crate::error::EngineError;
use crate::ports::{Ports, WriteError};

/// Clears the digest for one policy, or for every policy that keeps it out. Answers which did.
pub async fn clear(
    ports: &Ports,
    repository: &Repository,
    digest: &Digest,
    policy: Option<&PolicyId>,
    reason: &str,
    now: Timestamp,
) -> Result<Vec<PolicyId>, EngineError> {
    let heads = heads::of_repository(&*ports.store, repository).await?;
    let mut cleared = Vec::new();
    for head in heads.into_iter().filter(|head| policy.is_none_or(|policy| *policy == head.policy_id)) {
        let policy_id = head.policy_id.clone();
        if clear_one(ports, head, digest, reason, now).await? {
            cleared.push(policy_id);
        }
    }
    Ok(cleared)
}

async fn clear_one(
    ports: &Ports,
    mut head: Head,
    digest: &Digest,
    reason: &str,
    now: Timestamp,
) -> Result<bool, EngineError> {
    for _ in 0..TRIES {
        if !head.clear(digest) {
            return Ok(false);
        }
        let event = Event::audit("image.bad_digest_cleared", now, &format!("{}-{}", head.policy_id, head.revision))
            .with("image", head.repository.as_str())
            .with("digest", digest.as_str())
            .with("policy_id", head.policy_id.as_str())
            .with("reason", reason);
        match ports.store.write(&[heads::save(&head), events::put(&event)]).await {
            Ok(()) => return Ok(true),
            Err(WriteError::Refused(_) | WriteError::Conflict) => {
                head = heads::get(&*ports.store, &head.repository, &head.policy_id).await?;
            }
            Err(WriteError::Store(error)) => return Err(error.into()),
        }
    }
    Err(EngineError::Contended { what: "the image's head" })
}

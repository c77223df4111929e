//! Storing policies: names are unique, and nobody overwrites what they have not read.

use jiff::Timestamp;
use tidegate_domain::ids::PolicyId;
use tidegate_domain::policy::{FieldError, Origin, Policy, RawPolicy};

use crate::entities::events::{self, Event};
use crate::entities::policies;
use crate::error::EngineError;
use crate::ports::{Ports, Write, WriteError};
use crate::settings::Settings;

/// Why a policy was not stored or removed.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// What was written is no policy: every mistake.
    #[error("the policy has mistakes")]
    Invalid(Vec<FieldError>),
    /// Another policy has the name.
    #[error("another policy has the name {0:?}")]
    NameTaken(String),
    /// The caller's revision is not the stored one.
    #[error("the policy is at revision {stored} now")]
    Outdated {
        /// The stored revision.
        stored: u64,
    },
    /// There is none of that id.
    #[error("there is no such policy")]
    NotFound,
    /// It could not be done.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<WriteError> for PolicyError {
    fn from(error: WriteError) -> Self {
        Self::Engine(error.into())
    }
}

/// Which policy a caller means to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The policy.
    pub id: PolicyId,
    /// The revision that the caller has seen; `None` is whichever is stored.
    pub revision: Option<u64>,
}

/// Every policy, by name.
pub async fn list(ports: &Ports) -> Result<Vec<Policy>, EngineError> {
    policies::all(&*ports.store).await
}

/// One policy.
pub async fn get(ports: &Ports, id: &PolicyId) -> Result<Policy, PolicyError> {
    policies::get(&*ports.store, id).await?.ok_or(PolicyError::NotFound)
}

/// Stores a new policy.
pub async fn create(
    ports: &Ports,
    settings: &Settings,
    raw: RawPolicy,
    origin: Origin,
    now: Timestamp,
) -> Result<Policy, PolicyError> {
    let id = PolicyId::new(now, ports.entropy.u128());
    let policy = raw.validate(&settings.policy_defaults, id, now, origin).map_err(PolicyError::Invalid)?;
    let writes = [policies::create(&policy), policies::take_name(&policy), told("policy.created", &policy, now)];
    ports.store.write(&writes).await.map_err(|error| refused(error, &policy, 1))?;
    Ok(policy)
}

/// Replaces a policy's content. What changes nothing is not stored.
pub async fn replace(
    ports: &Ports,
    settings: &Settings,
    wanted: &Wanted,
    raw: RawPolicy,
    origin: Origin,
    now: Timestamp,
) -> Result<Policy, PolicyError> {
    let stored = stored(ports, wanted).await?;
    let checked =
        raw.validate(&settings.policy_defaults, stored.id.clone(), now, origin).map_err(PolicyError::Invalid)?;
    if checked.same_content(&stored) && origin == stored.origin {
        return Ok(stored);
    }
    let policy = checked.replacing(&stored);
    let mut writes = vec![policies::save(&policy), told("policy.replaced", &policy, now)];
    if policy.name != stored.name {
        writes.extend([policies::free_name(&stored), policies::take_name(&policy)]);
    }
    match ports.store.write(&writes).await {
        Ok(()) => Ok(policy),
        Err(WriteError::Refused(0)) => Err(overtaken(ports, wanted).await),
        Err(error) => Err(refused(error, &policy, 3)),
    }
}

/// Removes a policy. Rollouts that follow it go on by the copy that they have.
pub async fn delete(ports: &Ports, wanted: &Wanted, now: Timestamp) -> Result<(), PolicyError> {
    let stored = stored(ports, wanted).await?;
    let writes = [policies::delete(&stored), policies::free_name(&stored), told("policy.deleted", &stored, now)];
    match ports.store.write(&writes).await {
        Err(WriteError::Refused(0)) => Err(overtaken(ports, wanted).await),
        done => Ok(done?),
    }
}

async fn stored(ports: &Ports, wanted: &Wanted) -> Result<Policy, PolicyError> {
    let stored = get(ports, &wanted.id).await?;
    match wanted.revision {
        Some(seen) if seen != stored.revision => Err(PolicyError::Outdated { stored: stored.revision }),
        Some(_) | None => Ok(stored),
    }
}

/// Somebody else wrote between the reading and the writing.
async fn overtaken(ports: &Ports, wanted: &Wanted) -> PolicyError {
    match stored(ports, wanted).await {
        Ok(_) => PolicyError::Engine(EngineError::Contended { what: "the policy" }),
        Err(error) => error,
    }
}

/// The write at position `name_at` is the one that takes the name.
fn refused(error: WriteError, policy: &Policy, name_at: usize) -> PolicyError {
    match error {
        WriteError::Refused(at) if at == name_at => PolicyError::NameTaken(policy.name.clone()),
        error => error.into(),
    }
}

fn told(what: &str, policy: &Policy, now: Timestamp) -> Write {
    let event = Event::audit(what, now, &format!("{what}-{}-{}", policy.id, policy.revision))
        .with("policy_id", policy.id.as_str())
        .with("policy", policy.name.as_str())
        .with("revision", policy.revision);
    events::put(&event)
}

//! Storing policies: names are unique, and nobody overwrites what they have not read.

mod apply;
mod remove;

use jiff::Timestamp;
use serde_json::Value;
use tidegate_domain::fields::FieldError;
use tidegate_domain::ids::PolicyId;
use tidegate_domain::policy::{Origin, WrittenPolicy};

use crate::create::TRIES;
use crate::entities::events::{self, Event};
use crate::entities::policies;
use crate::entities::policy_names::{self, NameRecord};
use crate::error::EngineError;
use crate::ports::{Ports, Write, WriteError};
use crate::settings::Settings;

pub use apply::{AT_ONCE, Applied, Change, Changed, Sheet, apply, look_before_apply, mistakes_of_all};
pub use remove::{Removal, delete, look_before_delete};

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
    /// More policies would change than one transaction holds.
    #[error(
        "{changes} policies would change, and at most {AT_ONCE} can at once; in_parts=true makes it {} transactions, one after another",
        changes.div_ceil(AT_ONCE)
    )]
    TooMany {
        /// How many.
        changes: usize,
    },
    /// What would be done is not what the caller was told.
    #[error("the policies were changed by somebody else since it was looked at; {done} changes were made")]
    Moved {
        /// Changes of the same call that were made before.
        done: usize,
    },
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
pub async fn list(ports: &Ports) -> Result<Vec<WrittenPolicy>, EngineError> {
    policies::all(&*ports.store).await
}

/// One policy.
pub async fn get(ports: &Ports, id: &PolicyId) -> Result<WrittenPolicy, PolicyError> {
    policies::get(&*ports.store, id).await?.ok_or(PolicyError::NotFound)
}

/// The policy that has this name, or had it last: what is known of its images is kept under this id.
pub async fn id_of_name(ports: &Ports, name: &str) -> Result<Option<PolicyId>, EngineError> {
    let record = policy_names::get(&*ports.store, name).await?;
    Ok(record.policy_id.or(record.left_id))
}

/// Stores a new policy. One that was deleted under this name is created again: under its id, as its next revision.
pub async fn create(
    ports: &Ports,
    settings: &Settings,
    body: &Value,
    origin: Origin,
    now: Timestamp,
) -> Result<WrittenPolicy, PolicyError> {
    let id = PolicyId::new(now, ports.entropy.u128());
    let new = WrittenPolicy::new(body, &settings.policy_defaults, id, now, origin).map_err(PolicyError::Invalid)?;
    for _ in 0..TRIES {
        let record = policy_names::get(&*ports.store, &new.name).await?;
        if record.policy_id.is_some() {
            return Err(PolicyError::NameTaken(new.name));
        }
        let policy = created(new.clone(), &record);
        let event = events::put(&told("policy.created", &policy, now));
        let writes = [policies::create(&policy), policy_names::take(&policy, &record), event];
        match ports.store.write(&writes).await {
            Ok(()) => return Ok(policy),
            Err(WriteError::Refused(_) | WriteError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(EngineError::Contended { what: "the policy's name" }.into())
}

/// Every mistake of a body, as the policy of this id or as a new one.
pub fn mistakes(settings: &Settings, body: &Value, id: Option<&PolicyId>, now: Timestamp) -> Vec<FieldError> {
    // A new one has no id that a body could name.
    let id = id.cloned().unwrap_or_else(|| PolicyId::trusted(""));
    WrittenPolicy::new(body, &settings.policy_defaults, id, now, Origin::Api).err().unwrap_or_default()
}

/// A new policy under a name that nobody has: what was left there, where something was.
fn created(new: WrittenPolicy, record: &NameRecord) -> WrittenPolicy {
    match record.left() {
        Some((id, revision)) => WrittenPolicy { id: id.clone(), revision: revision + 1, ..new },
        None => new,
    }
}

/// Replaces a policy's content. What changes nothing is not stored.
pub async fn replace(
    ports: &Ports,
    settings: &Settings,
    wanted: &Wanted,
    body: &Value,
    origin: Origin,
    now: Timestamp,
) -> Result<WrittenPolicy, PolicyError> {
    let stored = stored(ports, wanted).await?;
    let defaults = &settings.policy_defaults;
    let new = WrittenPolicy::new(body, defaults, stored.id.clone(), now, origin).map_err(PolicyError::Invalid)?;
    if new.same_content(&stored, defaults) && origin == stored.origin {
        return Ok(stored);
    }
    let policy = new.replacing(&stored);
    let event = events::put(&told("policy.replaced", &policy, now));
    let mut writes = vec![policies::save(&policy), event];
    writes.extend(renamed(ports, &stored, &policy).await?);
    match ports.store.write(&writes).await {
        Ok(()) => Ok(policy),
        Err(WriteError::Refused(0)) => Err(overtaken(ports, wanted).await),
        Err(WriteError::Refused(_)) => Err(EngineError::Contended { what: "the policy's name" }.into()),
        Err(error) => Err(error.into()),
    }
}

/// The writes by which a policy gets another name; none where it keeps its own. It keeps its id, whatever was deleted
/// under the new name.
async fn renamed(ports: &Ports, stored: &WrittenPolicy, policy: &WrittenPolicy) -> Result<Vec<Write>, PolicyError> {
    if policy.name == stored.name {
        return Ok(Vec::new());
    }
    let old = policy_names::get(&*ports.store, &stored.name).await?;
    let new = policy_names::get(&*ports.store, &policy.name).await?;
    if new.policy_id.is_some() {
        return Err(PolicyError::NameTaken(policy.name.clone()));
    }
    Ok(vec![policy_names::leave(stored, &old), policy_names::take_renamed(policy, &new)])
}

async fn stored(ports: &Ports, wanted: &Wanted) -> Result<WrittenPolicy, PolicyError> {
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

fn told(what: &str, policy: &WrittenPolicy, now: Timestamp) -> Event {
    Event::audit(what, now, &format!("{what}-{}-{}", policy.id, policy.revision))
        .with("policy_id", policy.id.as_str())
        .with("policy", policy.name.as_str())
        .with("revision", policy.revision)
}

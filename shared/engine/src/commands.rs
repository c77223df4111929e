//! Operators' commands: each is one write of constant size.

use jiff::Timestamp;
use tidegate_domain::command::{Command, Verdict, command};
use tidegate_domain::ids::RolloutId;
use tidegate_domain::image::{Digest, Tag};
use tidegate_domain::rollout::{By, Rollout, Status};

use crate::create::TRIES;
use crate::entities::events::{self, Event};
use crate::entities::{heads, journal, rollouts};
use crate::error::EngineError;
use crate::ports::{Freshness, Job, Ports, WriteError};

/// Who commanded something: operators' tokens have no names yet.
pub const OPERATOR: &str = By::Operator.words();

/// What a command led to.
#[derive(Debug, Clone, PartialEq)]
pub enum Commanded {
    /// The rollout as it is now; `changed` is false where the command held already.
    Done {
        /// The rollout.
        rollout: Box<Rollout>,
        /// Whether it changed.
        changed: bool,
    },
    /// The rollout's status forbids it.
    Refused {
        /// Its status.
        status: Status,
        /// The statuses that allow it.
        allowed: Vec<Status>,
        /// What else there is to say.
        because: Option<String>,
    },
    /// Only the newest rollout of an image can be rolled back: this one.
    Newer(RolloutId),
}

/// Carries out a command. It depends on the rollout's status alone, so that no step can make it lose.
pub async fn carry_out(
    ports: &Ports,
    rollout_id: &RolloutId,
    wanted: &Command,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<Commanded, EngineError> {
    let store = &*ports.store;
    for _ in 0..TRIES {
        let rollout =
            rollouts::get(store, rollout_id, Freshness::Consistent).await?.ok_or(EngineError::NotFound("rollout"))?;
        let last_page = match wanted {
            Command::Resume { .. } => journal::last(store, rollout_id).await?,
            _ => 0,
        };
        let mut head = match wanted {
            Command::RollbackAll { .. } | Command::Reject => {
                Some(heads::get(store, &rollout.repository, &rollout.policy_id).await?)
            }
            _ => None,
        };
        if let (Command::RollbackAll { .. }, Some(head)) = (wanted, &head)
            && let Some(newer) = head.rollout.as_ref().filter(|newest| *newest != rollout_id)
        {
            return Ok(Commanded::Newer(newer.clone()));
        }
        let view = crate::rollouts::folded(store, &rollout).await?;
        let changed = match command(&view, wanted, reason, last_page, now) {
            Verdict::Holds => return Ok(Commanded::Done { rollout: Box::new(rollout), changed: false }),
            Verdict::Refused { allowed, because } => {
                return Ok(Commanded::Refused { status: rollout.status, allowed, because });
            }
            Verdict::Changes(changed) => changed,
        };
        let cause = format!("{}-{:08}", wanted.name(), changed.next.revision);
        let event = Event::of_rollout(rollout_id, changed.event.name(), now, &cause)
            .with("reason", reason)
            .with("by", OPERATOR);
        let event = match wanted {
            // A yes or no is for an image.
            Command::Approve | Command::Reject => event
                .with("tag", rollout.target.tag.as_ref().map(Tag::as_str))
                .with("digest", rollout.target.digest.as_ref().map(Digest::as_str)),
            Command::Pause | Command::Resume { .. } | Command::Cancel | Command::RollbackAll { .. } => event,
        };
        let mut writes = vec![rollouts::save_command(&view, &changed.next), events::put(&event)];
        if let Some(head) = head.as_mut().filter(|_| changed.ban) {
            let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            head.ban(rollout.target.digest.as_ref(), &format!("{} by {OPERATOR}{why}", wanted.name()), now);
            head.demote(rollout_id);
            writes.push(heads::save(head));
        }
        match store.write(&writes).await {
            Ok(()) => {
                // Level-triggered: the sweep does what a lost nudge would have done sooner.
                let _ = ports.queues.send(&[Job::Step { rollout_id: rollout_id.clone() }], 0).await;
                return Ok(Commanded::Done { rollout: Box::new(changed.next), changed: true });
            }
            Err(WriteError::Refused(_) | WriteError::Conflict) => {}
            Err(WriteError::Store(error)) => return Err(error.into()),
        }
    }
    Err(EngineError::Contended { what: "the rollout" })
}

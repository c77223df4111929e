//! What a person's yes or no is for.
//!
//! A yes is for what was seen: this rollout, its image, its frozen plan, and this time of asking. All of it is in a seal,
//! which is shown with the rollout and handed back with the answer. Where the rollout knows its digest, its id alone says
//! as much, and the seal may be left out; where it does not, the tag may mean anything by now, and the seal must be there.

use sha2::{Digest as _, Sha256};

use crate::policy::Policy;
use crate::rollout::{Rollout, Status};

/// Characters of a seal.
const SEAL_LENGTH: usize = 24;

/// The seal of a rollout that can be approved, as it stands; `None` where there is nothing to approve.
pub fn seal(rollout: &Rollout, policy: &Policy) -> Option<String> {
    match rollout.status {
        Status::AwaitingApproval | Status::Expired => {}
        Status::Pending
        | Status::Scheduled
        | Status::InProgress
        | Status::Paused
        | Status::Completed
        | Status::Failed
        | Status::Cancelled
        | Status::Superseded
        | Status::Rejected
        | Status::RollingBack
        | Status::RolledBack => return None,
    }
    let ends: Vec<u32> = rollout.batches.iter().map(|batch| batch.end).collect();
    let asked = rollout.asked_at.map(jiff::Timestamp::as_millisecond);
    let seen = (
        (rollout.rollout_id.as_str(), rollout.status.name(), asked),
        (&rollout.repository, &rollout.target.tag, &rollout.target.digest),
        (policy, rollout.total, ends),
    );
    let text = serde_json::to_vec(&seen).ok()?;
    let mut seal = hex::encode(Sha256::digest(text));
    seal.truncate(SEAL_LENGTH);
    Some(seal)
}

/// Why an answer is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotBound {
    /// The digest is not known, and the answer does not say what it is for.
    #[error(
        "the digest of this rollout is not known, so the answer must say what it is for: expected the seal of its \
         `approval`"
    )]
    Needed,
    /// It is for something else.
    #[error("this is not what was seen: the rollout changed, or was asked for anew, since that seal was shown")]
    Changed,
}

/// Whether an answer with this seal (or none) is for the rollout as it stands. A rollout that cannot be approved has no
/// seal, and its status answers for itself.
pub fn bound(rollout: &Rollout, policy: &Policy, given: Option<&str>) -> Result<(), NotBound> {
    match (seal(rollout, policy), given) {
        (Some(seal), Some(given)) if seal != given => Err(NotBound::Changed),
        (Some(_), None) if rollout.target.digest.is_none() => Err(NotBound::Needed),
        (None | Some(_), _) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{at, digest, policy, rollout};

    fn asked() -> Rollout {
        Rollout { asked_at: Some(at(0)), ..rollout(Status::AwaitingApproval) }
    }

    #[test]
    fn a_seal_changes_with_what_is_seen() {
        let manual = policy(json!({"update_strategy": "manual"}));
        let first = seal(&asked(), &manual).unwrap();
        assert_eq!(
            seal(&Rollout { revision: 99, cursor: 5, ..asked() }, &manual).unwrap(),
            first,
            "progress is no change"
        );
        let mut other_tag = asked();
        other_tag.target.tag = None;
        let mut other_digest = asked();
        other_digest.target.digest = Some(digest(9));
        for (label, other) in [
            ("another tag", seal(&other_tag, &manual)),
            ("another digest", seal(&other_digest, &manual)),
            ("asked anew", seal(&Rollout { asked_at: Some(at(9)), ..asked() }, &manual)),
            ("expired", seal(&Rollout { status: Status::Expired, ..asked() }, &manual)),
            ("another plan", seal(&Rollout { total: 11, ..asked() }, &manual)),
            ("another policy", seal(&asked(), &policy(json!({"update_strategy": "manual", "max_in_flight": 3})))),
        ] {
            assert_ne!(other.unwrap(), first, "{label}");
        }
        assert_eq!(seal(&rollout(Status::InProgress), &manual), None);
    }

    #[test]
    fn an_answer_is_for_what_was_seen() {
        let manual = policy(json!({"update_strategy": "manual"}));
        let mut unpinned = asked();
        unpinned.target.digest = None;
        let right = seal(&unpinned, &manual);
        assert_eq!(bound(&unpinned, &manual, None), Err(NotBound::Needed));
        assert_eq!(bound(&unpinned, &manual, Some("0000")), Err(NotBound::Changed));
        assert_eq!(bound(&unpinned, &manual, right.as_deref()), Ok(()));
        assert_eq!(bound(&asked(), &manual, None), Ok(()), "a digest says what it is for");
        assert_eq!(bound(&asked(), &manual, right.as_deref()), Err(NotBound::Changed));
        assert_eq!(
            bound(&rollout(Status::Scheduled), &manual, Some("x")),
            Ok(()),
            "approved before: the status answers"
        );
    }
}

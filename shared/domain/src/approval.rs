//! What a person's yes or no is for.
//!
//! A yes is for what was seen: this rollout, its image, its frozen plan, and this time of asking. All of it is in a seal,
//! which is shown with the rollout and handed back with the answer. Where the rollout knows its digest, its id alone says
//! as much, and the seal may be left out; where it does not, the tag may mean anything by now, and the seal must be there.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::policy::Policy;
use crate::rollout::{Rollout, Status};

/// Characters of a seal.
const SEAL_LENGTH: usize = 24;

/// The seal of a rollout that can be approved, as it stands; `None` where there is nothing to approve. `pushed_at` is when
/// its tag was told of last since the rollout was: without a digest it brings that push.
pub fn seal(rollout: &Rollout, policy: &Policy, pushed_at: Option<Timestamp>) -> Option<String> {
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
    let asked = rollout.asked_at.map(Timestamp::as_millisecond);
    let pushed = pushed_at.map(Timestamp::as_millisecond);
    let seen = (
        (rollout.rollout_id.as_str(), rollout.status.name(), asked),
        (&rollout.repository, &rollout.target.tag, &rollout.target.digest, pushed),
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
pub fn bound(
    rollout: &Rollout,
    policy: &Policy,
    pushed_at: Option<Timestamp>,
    given: Option<&str>,
) -> Result<(), NotBound> {
    match (seal(rollout, policy, pushed_at), given) {
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
        let first = seal(&asked(), &manual, None).unwrap();
        assert_eq!(
            seal(&Rollout { revision: 99, cursor: 5, ..asked() }, &manual, None).unwrap(),
            first,
            "progress is no change"
        );
        let mut other_tag = asked();
        other_tag.target.tag = None;
        let mut other_digest = asked();
        other_digest.target.digest = Some(digest(9));
        for (label, other) in [
            ("another tag", seal(&other_tag, &manual, None)),
            ("another digest", seal(&other_digest, &manual, None)),
            ("asked anew", seal(&Rollout { asked_at: Some(at(9)), ..asked() }, &manual, None)),
            ("expired", seal(&Rollout { status: Status::Expired, ..asked() }, &manual, None)),
            ("another plan", seal(&Rollout { total: 11, ..asked() }, &manual, None)),
            ("another push of its tag", seal(&asked(), &manual, Some(at(7)))),
            ("another policy", seal(&asked(), &policy(json!({"update_strategy": "manual", "max_in_flight": 3})), None)),
        ] {
            assert_ne!(other.unwrap(), first, "{label}");
        }
        assert_eq!(seal(&rollout(Status::InProgress), &manual, None), None);
    }

    #[test]
    fn an_answer_is_for_what_was_seen() {
        let manual = policy(json!({"update_strategy": "manual"}));
        let mut unpinned = asked();
        unpinned.target.digest = None;
        let right = seal(&unpinned, &manual, None);
        assert_eq!(bound(&unpinned, &manual, None, None), Err(NotBound::Needed));
        assert_eq!(bound(&unpinned, &manual, None, Some("0000")), Err(NotBound::Changed));
        assert_eq!(bound(&unpinned, &manual, None, right.as_deref()), Ok(()));
        assert_eq!(bound(&asked(), &manual, None, None), Ok(()), "a digest says what it is for");
        assert_eq!(bound(&asked(), &manual, None, right.as_deref()), Err(NotBound::Changed));
        assert_eq!(
            bound(&rollout(Status::Scheduled), &manual, None, Some("x")),
            Ok(()),
            "approved before: the status answers"
        );
    }
}

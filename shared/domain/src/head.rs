//! Who owns an image: one record per repository and policy.

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond::required as ms;
use serde::{Deserialize, Serialize};

use crate::ids::{PolicyId, RolloutId};
use crate::image::{Digest, Repository};
use crate::pin::Pin;

/// Most contents that a head remembers as kept out; the oldest are forgotten first.
const BAD_MAX: usize = 20;

/// A head. Creating, superseding, completing, failing and rolling back a rollout change it in their transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The image.
    pub repository: Repository,
    /// The policy.
    pub policy_id: PolicyId,
    /// Its name when it last brought something, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Grows with every write.
    pub revision: u64,
    /// The newest rollout that took the live place; whether it is live is its own to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutId>,
    /// A newer one that waits for its digest, or for its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<RolloutId>,
    /// What the last completed rollout proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted: Option<Promoted>,
    /// What the completed one before it proved: promoted again when the last is rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Promoted>,
    /// What is kept out, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bad: Vec<Bad>,
}

/// A proven image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promoted {
    /// The rollout that proved it.
    pub rollout_id: RolloutId,
    /// The image.
    pub pin: Pin,
}

/// A content that is kept out until a person clears it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bad {
    /// The content; an unpinned rollout has none to keep out.
    pub digest: Digest,
    /// Why.
    pub reason: String,
    /// Since when.
    #[serde(with = "ms")]
    pub at: Timestamp,
}

/// A content that a policy keeps out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptOut {
    /// The policy.
    pub policy_id: PolicyId,
    /// Its name, or its id where no name is known.
    pub policy: String,
    /// Why.
    pub reason: String,
}

impl Head {
    /// That the policy keeps this digest out, if it does.
    pub fn keeps_out(&self, digest: &Digest) -> Option<KeptOut> {
        let bad = self.bad(digest)?;
        Some(KeptOut {
            policy_id: self.policy_id.clone(),
            policy: self.policy.clone().unwrap_or_else(|| self.policy_id.to_string()),
            reason: bad.reason.clone(),
        })
    }

    /// A head that has seen nothing.
    pub fn new(repository: Repository, policy_id: PolicyId) -> Self {
        Self {
            repository,
            policy_id,
            policy: None,
            revision: 0,
            rollout: None,
            waiting: None,
            promoted: None,
            previous: None,
            bad: Vec::new(),
        }
    }

    /// Why this digest is kept out, if it is.
    pub fn bad(&self, digest: &Digest) -> Option<&Bad> {
        self.bad.iter().find(|bad| bad.digest == *digest)
    }

    /// Keeps a digest out.
    pub fn ban(&mut self, digest: Option<&Digest>, reason: &str, at: Timestamp) {
        let Some(digest) = digest else { return };
        self.bad.retain(|bad| bad.digest != *digest);
        self.bad.push(Bad { digest: digest.clone(), reason: reason.to_owned(), at });
        let surplus = self.bad.len().saturating_sub(BAD_MAX);
        self.bad.drain(..surplus);
    }

    /// Lets a digest in again. Says whether it was kept out.
    pub fn clear(&mut self, digest: &Digest) -> bool {
        let before = self.bad.len();
        self.bad.retain(|bad| bad.digest != *digest);
        self.bad.len() != before
    }

    /// A rollout completed.
    pub fn promote(&mut self, rollout_id: &RolloutId, pin: &Pin) {
        if self.promoted.as_ref().is_some_and(|promoted| promoted.rollout_id == *rollout_id) {
            return;
        }
        if let Some(digest) = &pin.digest {
            // A person had it tried again, and it proved itself.
            self.clear(digest);
        }
        self.previous = self.promoted.take();
        self.promoted = Some(Promoted { rollout_id: rollout_id.clone(), pin: pin.clone() });
    }

    /// A rollout is rolled back: what it proved counts no more.
    pub fn demote(&mut self, rollout_id: &RolloutId) {
        if self.promoted.as_ref().is_some_and(|promoted| promoted.rollout_id == *rollout_id) {
            self.promoted = self.previous.take();
        }
    }
}

#[cfg(test)]
mod tests;

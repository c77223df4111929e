//! A rollout with what is known beside it: what decisions about a device need.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::RolloutId;
use crate::image::Digest;
use crate::policy::Policy;
use crate::rollout::Rollout;
use crate::strategy::{Stages, compile};

/// What is written once beside a rollout: the policy as it was, and what the registry said.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The policy's snapshot.
    pub policy: Policy,
    /// Of a multi-platform image, each platform's digest.
    pub platforms: BTreeMap<String, Digest>,
    /// How far it is opened, and what must hold before each opening.
    pub stages: Stages,
}

impl Plan {
    /// Of a policy, before anything else is known.
    pub fn of(policy: Policy) -> Self {
        Self { stages: compile(&policy), policy, platforms: BTreeMap::new() }
    }
}

/// A rollout with its plan: what decisions about a device need.
#[derive(Debug, Clone, PartialEq)]
pub struct RolloutContext {
    /// The rollout.
    pub rollout: Rollout,
    /// Its plan.
    pub plan: Plan,
}

impl RolloutContext {
    /// Whether a device that runs `digest` runs the target: the index itself, or its own platform's entry.
    pub fn is_target(&self, digest: &Digest, platform: Option<&str>) -> bool {
        if self.rollout.target.digest.as_ref() == Some(digest) {
            return true;
        }
        match platform.map(|platform| self.plan.platforms.get(platform)) {
            Some(Some(own)) => own == digest,
            Some(None) | None => self.plan.platforms.values().any(|entry| entry == digest),
        }
    }

    /// Whether the image has no entry for the device's platform.
    pub fn not_applicable(&self, platform: Option<&str>) -> bool {
        platform.is_some_and(|platform| !self.plan.platforms.is_empty() && !self.plan.platforms.contains_key(platform))
    }
}

/// The rollouts that a decision about a device may need, by id.
pub type RolloutContexts = BTreeMap<RolloutId, Arc<RolloutContext>>;

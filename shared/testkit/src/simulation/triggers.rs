//! Operators roll images out by hand: stricter than the policy, laxer, and laxer without saying so.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidegate_domain::image::{ImageRef, Repository, Tag};
use tidegate_domain::policy::{Safeguard, Strategy, Wish};
use tidegate_engine::trigger::{self, Retry, TriggerError, TriggerRequest, Triggered};

use super::scenario::{FLEETS, Push, REPOSITORY, digest};
use super::stage::{Owner, Stage, Value};

/// A moment in which an operator rolls an image out.
#[derive(Debug, Clone)]
pub(super) struct ByHand {
    /// Milliseconds from the start.
    pub at: i64,
    /// `v<n>`.
    pub version: u32,
    /// Whether the digest is given.
    pub pinned: bool,
    /// How the policy is to be followed.
    pub wish: Wish,
    /// Starts no earlier than so many seconds later.
    pub delayed: Option<i64>,
    /// Although the digest is kept out or proven.
    pub retry: Option<Retry>,
    /// Whether it is for the first fleet alone.
    pub narrowed: bool,
}

/// What operators of this seed trigger. It is drawn apart, so that a seed without any is the run that it would be if
/// there were no triggers at all.
pub(super) fn drawn(seed: u64, pushes: &[Push], active: i64) -> Vec<ByHand> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x7249_6767_6572);
    let count = if rng.random_range(0..2) == 0 { 0 } else { rng.random_range(1..4) };
    let strategies =
        [None, None, Some(Strategy::Auto), Some(Strategy::Staged), Some(Strategy::Manual), Some(Strategy::Scheduled)];
    let one = |_| ByHand {
        at: rng.random_range(0..active),
        version: rng.random_range(1..pushes.len() as u32 + 2),
        pinned: rng.random_range(0..2) == 0,
        wish: Wish {
            strategy: strategies[rng.random_range(0..strategies.len())],
            not_before: None,
            without: Safeguard::ALL.into_iter().filter(|_| rng.random_range(0..3) == 0).collect(),
        },
        delayed: None,
        retry: [None, None, Some(Retry::All), Some(Retry::Failed)][rng.random_range(0..4)],
        narrowed: rng.random_range(0..2) == 0,
    };
    let mut drawn: Vec<ByHand> = (0..count).map(one).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x6e6f_745f_6265);
    for by_hand in &mut drawn {
        by_hand.delayed = (rng.random_range(0..4) == 0).then(|| rng.random_range(1..14_400));
    }
    drawn
}

impl Stage {
    pub(super) fn trigger(&mut self, n: usize) {
        let by_hand = self.scenario.triggers[n].clone();
        let tag = Tag::parse(&format!("v{}", by_hand.version)).expect("a tag");
        let image = ImageRef::tagged(Repository::parse(REPOSITORY).expect("a repository"), tag);
        let mut wish = by_hand.wish;
        wish.not_before = by_hand.delayed.map(|seconds| self.time() + SignedDuration::from_secs(seconds));
        let request = TriggerRequest {
            image: if by_hand.pinned { image.pinned(digest(by_hand.version)) } else { image },
            wish,
            reason: Some("the simulation says so".to_owned()),
            retry: by_hand.retry,
            fleet_id: by_hand.narrowed.then(|| FLEETS[0].to_owned()),
            device_tags: BTreeMap::new(),
        };
        self.tell(|| format!("operator: triggers {}, {:?}", request.image, request.wish));
        let (ports, settings, now) = (self.ports.clone(), self.settings.clone(), self.time());
        self.spawn_api(Owner::Trigger(n), async move {
            Value::Triggered(trigger::trigger(&ports, &settings, &request, now).await)
        });
    }

    pub(super) fn triggered(&mut self, n: usize, result: &Result<Vec<Triggered>, TriggerError>) {
        let met = match result {
            Ok(triggered) => triggered.first().map_or("nobody", |one| one.status.as_str()).to_owned(),
            Err(TriggerError::Unsaid(_)) => "an override is missing".to_owned(),
            Err(TriggerError::Field(_)) => "does not fit the policy".to_owned(),
            Err(TriggerError::Nobody(_)) => "nobody".to_owned(),
            Err(TriggerError::Bad(_)) => "bad digest".to_owned(),
            Err(TriggerError::Engine(_)) => "fails".to_owned(),
        };
        self.coverage.met(format!("trigger: {met}"));
        let without: &BTreeSet<Safeguard> = &self.scenario.triggers[n].wish.without;
        if let Err(TriggerError::Unsaid(all)) = result
            && all.iter().any(|one| one.unsaid.is_empty() || !one.unsaid.is_disjoint(without))
        {
            self.oracle.violations.push(format!("a trigger was refused for what was said ({without:?}): {all:?}"));
        }
    }
}

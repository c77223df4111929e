//! What becomes of the notices of one repository: under each policy the newest is rolled out.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use tidegate_domain::admission::Admission;
use tidegate_domain::event::ImageEvent;
use tidegate_domain::head::{Head, KeptOut};
use tidegate_domain::ids::{PolicyId, RolloutId};
use tidegate_domain::image::{Digest, Repository};
use tidegate_domain::news::{Overtaken, Stale};
use tidegate_domain::pin::Pin;
use tidegate_domain::policy::WrittenPolicy;
use tidegate_domain::rollout::Trigger;
use tidegate_domain::webhook::IgnoreReason;

use super::audience::Affected;
use super::candidates::{Asked, Candidate};
use super::intake::{Fresh, Intake};
use super::told::{DeliveryOutcome, duplicates, outcome};
use crate::create::{Standing, Wanted, create, take_generations};
use crate::entities::deliveries::{self, Delivered};
use crate::entities::events::{self, Event};
use crate::entities::heads;
use crate::error::EngineError;
use crate::ports::Write;

/// Policies of one repository that are worked on at a time.
const POLICIES_AT_ONCE: usize = 16;

/// What became of one repository's notices.
#[derive(Default)]
pub(super) struct Settled {
    /// By their place in the delivery.
    pub told: Vec<(usize, DeliveryOutcome)>,
    /// What else there is to say.
    pub events: Vec<Event>,
    /// Rollouts that are to be stepped.
    pub steps: Vec<RolloutId>,
}

/// What was read for all policies of a repository.
#[derive(Clone, Copy)]
struct Known<'a> {
    /// What an earlier try at these notices led to, by their marks.
    before: &'a BTreeMap<String, Delivered>,
    heads: &'a [Head],
}

impl Settled {
    pub(super) fn append(&mut self, other: Self) {
        self.told.extend(other.told);
        self.events.extend(other.events);
        self.steps.extend(other.steps);
    }
}

/// The notice that was taken, of those that a policy is about.
struct Newest<'a> {
    candidate: &'a Candidate<'a>,
    /// The place of the one whose tag the rollout has.
    named: usize,
    told: DeliveryOutcome,
}

impl Newest<'_> {
    /// What is told of one of them: of another name of the same content that it is there, of another content that a newer
    /// one came with it.
    fn told_to(&self, candidate: &Candidate<'_>, entry: DeliveryOutcome) -> DeliveryOutcome {
        let (told, taken) = (&self.told, self.candidate.fresh);
        let itself = candidate.fresh.n == taken.n;
        if !itself && (self.candidate.digest().is_none() || candidate.digest() != self.candidate.digest()) {
            let newer = format!("newer_in_delivery: {}", taken.notice.tag.as_str());
            return DeliveryOutcome { status: "ignored".to_owned(), ..entry }.because(newer);
        }
        let twin = told.creates() && candidate.fresh.n != self.named;
        let status = if twin { "duplicate".to_owned() } else { told.status.clone() };
        let reason = told.reason.clone().filter(|_| !twin);
        candidate.affected.told(DeliveryOutcome {
            status,
            reason,
            rollout_id: told.rollout_id.clone(),
            bad_for: told.bad_for.clone(),
            ..entry
        })
    }
}

impl Intake<'_> {
    /// Asks these policies about the notices of one repository.
    pub(super) async fn work(&self, repository: &Repository, asked: Vec<Asked<'_>>) -> Result<Settled, EngineError> {
        let mut settled = Settled::default();
        let store = &*self.ports.store;
        let concerned: Vec<&Asked<'_>> = asked.iter().filter(|asked| asked.is_concerned()).collect();
        let before = self.before(&concerned).await?;
        let ids: Vec<&PolicyId> = concerned.iter().map(|asked| &asked.policy.id).collect();
        let heads = if ids.is_empty() { Vec::new() } else { heads::of_repository(store, repository).await? };
        let by_policy: BTreeMap<&PolicyId, &Head> = heads.iter().map(|head| (&head.policy_id, head)).collect();
        let of_policy = |id: &&PolicyId| match by_policy.get(*id) {
            Some(head) => (*head).clone(),
            None => Head::new(repository.clone(), (*id).clone()),
        };
        let mut standings = Standing::read(store, ids.iter().map(of_policy).collect()).await?.into_iter();
        let mut generation = match ids.len() {
            0 | 1 => None,
            several => Some(take_generations(store, repository, several as u64).await?),
        };
        let mut work: Vec<BoxFuture<'_, Result<Settled, EngineError>>> = Vec::new();
        for asked in asked {
            let concerned = asked.is_concerned();
            let standing = if concerned { standings.next() } else { None };
            let known = Known { before: &before, heads: &heads };
            work.push(self.roll_out(asked, known, standing, generation.filter(|_| concerned)).boxed());
            generation = generation.map(|taken| taken + u64::from(concerned));
        }
        let mut of_policies = stream::iter(work).buffered(POLICIES_AT_ONCE);
        while let Some(of_policy) = of_policies.next().await {
            settled.append(of_policy?);
        }
        Ok(settled)
    }

    /// Rolls out the newest of these under a policy. What is kept out, or older than others, is passed over for the next.
    async fn roll_out(
        &self,
        Asked { policy, candidates }: Asked<'_>,
        Known { before, heads }: Known<'_>,
        mut standing: Option<Standing>,
        generation: Option<u64>,
    ) -> Result<Settled, EngineError> {
        let mut settled = Settled::default();
        let (nobody, candidates): (Vec<_>, Vec<_>) =
            candidates.into_iter().partition(|candidate| candidate.affected.is_nobody());
        let entry = |fresh: &Fresh<'_>| DeliveryOutcome {
            policy: Some(policy.name.clone()),
            ..DeliveryOutcome::of(fresh.notice, "no_devices")
        };
        for Candidate { fresh, .. } in nobody {
            settled.told.push((fresh.n, DeliveryOutcome { affected_devices: Some(0), ..entry(fresh) }));
        }
        let effective = policy.effective(&self.settings.policy_defaults);
        let mut newest: Option<Newest<'_>> = None;
        for candidate in candidates.iter().rev() {
            let fresh = candidate.fresh;
            if let Some(newest) = &newest {
                settled.told.push((fresh.n, newest.told_to(candidate, entry(fresh))));
                continue;
            }
            // What this delivery led to under this policy is stored with the rollout itself: no repeat makes another.
            let marked = fresh.marks.iter().find_map(|key| before.get(mark(key, &policy.id).as_str()));
            if let Some(told) = marked.and_then(|before| duplicates(&before.answer).pop()) {
                settled.told.push((fresh.n, told.clone()));
                newest = Some(Newest { candidate, named: fresh.n, told });
                continue;
            }
            // Of several names of one content the first told names the rollout.
            let twins = candidates.iter().filter(|twin| twin.digest().is_some() && twin.digest() == candidate.digest());
            let named = twins.clone().min_by_key(|twin| twin.fresh.n).unwrap_or(candidate).fresh;
            let keys: Vec<&str> = match candidate.digest() {
                Some(_) => twins.flat_map(marks_of).collect(),
                None => marks_of(candidate).collect(),
            };
            let with = |id: &RolloutId| self.told_with(id, fresh, &keys, policy, candidate.affected);
            let keeps_out = |digest| heads.iter().filter_map(|head| Head::keeps_out(head, digest)).collect();
            let kept_out: Vec<KeptOut> = candidate.digest().map(keeps_out).unwrap_or_default();
            let cause = format!("{:03}", fresh.n);
            let wanted = Wanted {
                policy: &effective.policy,
                repository: &fresh.notice.repository,
                target: Pin { tag: Some(named.notice.tag.clone()), digest: fresh.notice.digest.clone() },
                news: fresh.news.clone(),
                tag_heard: fresh.tag_heard.clone(),
                triggered_by: Trigger::Webhook,
                retry_of: None,
                retry: false,
                force: self.force,
                late: self.late,
                overridden: None,
                unfit: effective.why_not(),
                kept_out: &kept_out,
                cause: &cause,
                id: RolloutId::new(self.now, self.ports.entropy.u128()),
                generation,
                with: &with,
            };
            let (created, step) = create(self.ports, &wanted, &mut standing, self.now).await?;
            settled.steps.extend(step);
            let affected = candidate.affected;
            let told = outcome(&created.admission, created.rollout_id, affected.counted(), entry(fresh));
            let told = affected.told(DeliveryOutcome { bad_for: created.bad_for, ..told });
            let told = match &created.admission {
                Admission::Bad(reason) => {
                    settled.events.push(self.kept_out(fresh, policy, reason));
                    told
                }
                Admission::Stale(stale) => {
                    settled.events.push(self.stale(fresh, policy, stale));
                    DeliveryOutcome { replay: fresh.notice.keys.first().map(|key| key.as_str().to_owned()), ..told }
                }
                Admission::Overtaken(overtaken) => {
                    settled.events.push(self.overtaken(fresh, policy, overtaken));
                    DeliveryOutcome { replay: fresh.notice.keys.first().map(|key| key.as_str().to_owned()), ..told }
                }
                _ => {
                    let taken = Newest { candidate, named: named.n, told };
                    let told = taken.told_to(candidate, entry(fresh));
                    newest = Some(taken);
                    told
                }
            };
            settled.told.push((fresh.n, told));
        }
        Ok(settled)
    }

    /// What an earlier try at these notices led to, by their marks.
    async fn before(&self, asked: &[&Asked<'_>]) -> Result<BTreeMap<String, Delivered>, EngineError> {
        let mut marks = Vec::new();
        for Asked { policy, candidates } in asked {
            marks.extend(candidates.iter().flat_map(marks_of).map(|key| mark(key, &policy.id)));
        }
        let marks: Vec<&str> = marks.iter().map(String::as_str).collect();
        deliveries::get_many(&*self.ports.store, self.source, &marks).await
    }

    /// What is written with the rollout that a notice led to: that it came, and the marks for its repeats.
    fn told_with(
        &self,
        id: &RolloutId,
        fresh: &Fresh<'_>,
        keys: &[&str],
        policy: &WrittenPolicy,
        affected: Affected,
    ) -> Vec<Write> {
        let told = DeliveryOutcome {
            policy: Some(policy.name.clone()),
            rollout_id: Some(id.clone()),
            ..DeliveryOutcome::of(fresh.notice, "duplicate")
        };
        let told = affected.told(told);
        let answer = serde_json::to_value(&told).into_iter().collect();
        let delivered = Delivered { answer, remainder: None, taken_at: Some(self.now), notice: None, sender: None };
        let received =
            Event::of_rollout(id, ImageEvent::WebhookReceived.name(), self.now, &format!("0-{}", fresh.id()))
                .with("source", self.source)
                .with("delivery_id", fresh.id())
                .with("tag", fresh.notice.tag.as_str())
                .with("replayed", self.replay.then_some(true));
        let mut writes = vec![events::put(&received)];
        let marks = keys.iter().map(|key| mark(key, &policy.id));
        writes.extend(marks.map(|mark| deliveries::put(self.source, &mark, &delivered, self.now)));
        writes
    }

    /// Recorded, and ignored: automatic means do not repeat a known mistake.
    fn kept_out(&self, fresh: &Fresh<'_>, policy: &WrittenPolicy, reason: &str) -> Event {
        self.passed_over(ImageEvent::UpdateAvailable, fresh, policy).with("ignored", reason)
    }

    fn stale(&self, fresh: &Fresh<'_>, policy: &WrittenPolicy, stale: &Stale) -> Event {
        let at = |at: jiff::Timestamp| at.to_string();
        self.passed_over(ImageEvent::UpdateStale, fresh, policy)
            .with("source", self.source)
            .with("delivery_id", fresh.id())
            .with("happened_at", fresh.news.happened_at.map(at))
            .with("newer_at", at(stale.newer_at))
            .with("newer_from", stale.sender.as_deref().unwrap_or("trigger"))
    }

    fn overtaken(&self, fresh: &Fresh<'_>, policy: &WrittenPolicy, overtaken: &Overtaken) -> Event {
        self.passed_over(ImageEvent::UpdateStale, fresh, policy)
            .with("reason", IgnoreReason::Overtaken.as_str())
            .with("source", self.source)
            .with("delivery_id", fresh.id())
            .with("taken_at", fresh.news.taken_at.to_string())
            .with("newer_at", overtaken.newer_taken_at.to_string())
            .with("newer_from", overtaken.sender.as_deref().unwrap_or("trigger"))
    }

    fn passed_over(&self, event: ImageEvent, fresh: &Fresh<'_>, policy: &WrittenPolicy) -> Event {
        Event::audit(event.name(), self.now, &format!("1-{}-{}", fresh.id(), policy.id))
            .with("image", fresh.notice.repository.as_str())
            .with("tag", fresh.notice.tag.as_str())
            .with("digest", fresh.notice.digest.as_ref().map(Digest::as_str))
            .with("policy", policy.name.as_str())
    }
}

fn marks_of<'a>(candidate: &'a Candidate<'a>) -> impl Iterator<Item = &'a str> {
    candidate.fresh.marks.iter().map(String::as_str)
}

/// What names the rollout that a delivery led to under a policy.
fn mark(key: &str, policy: &PolicyId) -> String {
    format!("{key}@{policy}")
}

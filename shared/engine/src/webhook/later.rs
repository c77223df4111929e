//! What an answer leaves for later: kept before it goes out, and gone on with behind the queue, a piece at a time.
//!
//! It is kept as unfinished before the message is sent, and the sweep sends the message again for as long as it is: then
//! neither a crash between the two, nor a lost message, nor a sender that does not repeat loses anything. What is done
//! twice is found done by its marks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tidegate_domain::image::Repository;
use tidegate_domain::news::News;
use tidegate_domain::webhook::PushNotice;

use super::candidates::Asked;
use super::intake::{Fresh, Intake};
use super::repository::Settled;
use super::told::{DeliveryOutcome, with_outcomes};
use crate::create::TRIES;
use crate::entities::remainders::{self, Left, Outcome, Part, Place, Remainder};
use crate::entities::{events, policies, tags};
use crate::error::EngineError;
use crate::ports::{Job, Ports, WriteError};
use crate::settings::Settings;

/// Notices, and what became of them, as JSON: an item holds 400 KB, and has both.
const NOTICES_BYTES: usize = 150_000;
const OUTCOMES_BYTES: usize = 150_000;

/// The policies of one repository that nobody was asked for yet.
pub(super) struct Rest<'a> {
    pub repository: &'a Repository,
    pub asked: Vec<Asked<'a>>,
}

/// What was left for later.
#[derive(Default)]
pub(super) struct Kept {
    /// Where each notice stands, by its place in the delivery.
    pub parts: BTreeMap<usize, Part>,
    /// Who goes on with it.
    pub jobs: Vec<Job>,
}

/// The rest of one repository, as it is to be kept.
struct Bundle<'a> {
    rest: &'a Rest<'a>,
    notices: Vec<&'a Fresh<'a>>,
    bytes: usize,
}

impl<'a> Bundle<'a> {
    /// The newest of the notices, as many as an item holds.
    fn of(rest: &'a Rest<'a>) -> Self {
        let candidates = rest.asked.iter().flat_map(|asked| &asked.candidates);
        let concerned = candidates.filter(|candidate| !candidate.affected.is_nobody());
        let by_place: BTreeMap<usize, &Fresh<'_>> =
            concerned.map(|candidate| (candidate.fresh.n, candidate.fresh)).collect();
        let mut notices: Vec<&Fresh<'_>> = by_place.into_values().collect();
        notices.sort_by_key(|fresh| fresh.news.happened_at.unwrap_or(fresh.news.taken_at));
        let mut bytes = 0;
        let mut newest: Vec<&Fresh<'_>> = Vec::new();
        for fresh in notices.into_iter().rev() {
            bytes += size(&left(fresh, ""));
            if bytes > NOTICES_BYTES && !newest.is_empty() {
                break;
            }
            newest.push(fresh);
        }
        newest.sort_by_key(|fresh| fresh.n);
        Self { rest, notices: newest, bytes }
    }
}

impl Intake<'_> {
    /// Keeps what is left of the delivery, and tells so.
    pub(super) async fn leave(
        &self,
        rest: &[Rest<'_>],
        told: &mut [Vec<DeliveryOutcome>],
    ) -> Result<Kept, EngineError> {
        let mut kept = Kept::default();
        let mut items: Vec<Vec<Bundle<'_>>> = Vec::new();
        for bundle in rest.iter().map(Bundle::of) {
            let bytes = |bundles: &[Bundle<'_>]| bundles.iter().map(|bundle| bundle.bytes).sum::<usize>();
            match items.last_mut() {
                Some(bundles) if bytes(bundles) + bundle.bytes <= NOTICES_BYTES => bundles.push(bundle),
                _ => items.push(vec![bundle]),
            }
        }
        for (number, bundles) in items.iter().enumerate() {
            let remainder = self.keep(self.remainder(number, bundles)).await?;
            if remainder.next.is_some() {
                kept.jobs.push(remainder.job());
            }
            for fresh in bundles.iter().flat_map(|bundle| &bundle.notices) {
                let n = remainder.place(&left(fresh, "").notice);
                let part = n.map(|n| Part { delivery_id: remainder.delivery_id.clone(), n });
                kept.parts.extend(part.map(|part| (fresh.n, part)));
            }
            for bundle in bundles {
                tell(bundle, &kept.parts, &remainder, told);
            }
        }
        Ok(kept)
    }

    /// What is kept of these. A repeat of a delivery finds its first try's: it has the same name, unless another push may
    /// have the same keys.
    fn remainder(&self, number: usize, bundles: &[Bundle<'_>]) -> Remainder {
        let notices = || bundles.iter().flat_map(|bundle| &bundle.notices);
        let marked = notices().next().and_then(|fresh| fresh.marks.first());
        let name = marked.cloned().unwrap_or_else(|| self.name());
        let delivery_id = if number == 0 { name } else { format!("{name}+{number}") };
        let first = bundles.first().map(|bundle| bundle.rest);
        let policy = first.and_then(|rest| rest.asked.first()).map(|asked| asked.policy.name.clone());
        Remainder {
            source: self.source.to_owned(),
            sender: self.sender.to_owned(),
            taken_at: self.now,
            replay: self.replay,
            force: self.force,
            notices: notices().enumerate().map(|(n, fresh)| left(fresh, &format!("{delivery_id}/{n}"))).collect(),
            next: first.zip(policy).map(|(rest, policy)| Place { repository: rest.repository.clone(), policy }),
            outcomes: Vec::new(),
            revision: 1,
            delivery_id,
        }
    }

    /// A name that nothing else has.
    fn name(&self) -> String {
        format!("{}-{:032x}", self.now.as_millisecond(), self.ports.entropy.u128())
    }

    /// Stores it, or reads what an earlier try stored.
    async fn keep(&self, mut remainder: Remainder) -> Result<Remainder, EngineError> {
        let store = &*self.ports.store;
        for _ in 0..TRIES {
            match store.write(&[remainders::create(&remainder)]).await {
                Ok(()) => return Ok(remainder),
                Err(WriteError::Refused(_) | WriteError::Conflict) => {}
                Err(WriteError::Store(error)) => return Err(error.into()),
            }
            let there = remainders::get(store, &remainder.source, &remainder.delivery_id).await?;
            match there {
                Some(there) if remainder.notices.iter().all(|left| there.place(&left.notice).is_some()) => {
                    return Ok(there);
                }
                // Policies were written between the tries, and it was about other notices.
                Some(_) => remainder.delivery_id = self.name(),
                None => {}
            }
        }
        Err(EngineError::Contended { what: "what is left of a delivery" })
    }

    /// Works on as many policies as a message may, from this place on. What became of them, and who is asked next.
    async fn go_on(&self, remainder: &Remainder, from: &Place) -> Result<(Settled, Option<Place>), EngineError> {
        let mut of_repository: BTreeMap<&Repository, Vec<(usize, &Left)>> = BTreeMap::new();
        for (n, left) in remainder.notices.iter().enumerate() {
            of_repository.entry(&left.notice.repository).or_default().push((n, left));
        }
        let store = &*self.ports.store;
        of_repository.retain(|repository, _| **repository >= from.repository);
        let repositories: Vec<&Repository> = of_repository.keys().copied().collect();
        let policies = policies::about(store, &repositories).await?;
        let mut settled = Settled::default();
        let mut left = self.settings.rollouts_per_message();
        for (repository, notices) in of_repository {
            let names: Vec<_> = notices.iter().map(|(_, left)| (&left.notice.repository, &left.notice.tag)).collect();
            let heard = tags::get_many(store, &names).await?;
            let fresh: Vec<Fresh<'_>> = notices
                .iter()
                .zip(heard)
                .map(|((n, left), heard)| Fresh {
                    n: *n,
                    notice: &left.notice,
                    news: News::told(self.sender, left.notice.event_time, remainder.taken_at),
                    tag_heard: heard.map(|heard| heard.heard()),
                    marks: left.marks.clone(),
                })
                .collect();
            let candidates = self.candidates(repository, fresh.iter().collect(), &policies).await?;
            let first = if *repository == from.repository { from.policy.as_str() } else { "" };
            let (mut now, later) = candidates.from(first).share(&mut left);
            let next = later.first().map(|asked| asked.policy.name.clone());
            now.retain(|asked| next.as_ref().is_none_or(|next| asked.policy.name < *next));
            settled.append(self.work(repository, now).await?);
            if let Some(policy) = next {
                return Ok((settled, Some(Place { repository: (*repository).clone(), policy })));
            }
        }
        Ok((settled, None))
    }
}

impl Remainder {
    /// The place of a notice among these.
    fn place(&self, notice: &PushNotice) -> Option<usize> {
        self.notices.iter().position(|left| left.notice == *notice)
    }

    /// What has somebody go on with it.
    fn job(&self) -> Job {
        Job::Deliver { source: self.source.clone(), delivery_id: self.delivery_id.clone() }
    }

    /// Takes what became of notices, as far as there is room for it.
    fn told(&mut self, told: Vec<(usize, DeliveryOutcome)>) {
        let mut bytes: usize = self.outcomes.iter().map(size).sum();
        for (n, told) in told {
            // The notice has these.
            let told = DeliveryOutcome { image: None, tag: None, digest: None, bad_for: Vec::new(), ..told };
            let Ok(told) = serde_json::to_value(&told) else { continue };
            let outcome = Outcome { n, told };
            bytes += size(&outcome);
            if bytes > OUTCOMES_BYTES {
                return;
            }
            self.outcomes.push(outcome);
        }
    }
}

/// Goes on with what is left of a delivery.
pub async fn finish(
    ports: &Ports,
    settings: &Settings,
    source: &str,
    delivery_id: &str,
    now: Timestamp,
) -> Result<(), EngineError> {
    let store = &*ports.store;
    let Some(remainder) = remainders::get(store, source, delivery_id).await? else {
        tracing::warn!(source, delivery_id, "what was left of a delivery is gone");
        return Ok(());
    };
    let Some(from) = remainder.next.clone() else { return Ok(()) };
    let Remainder { replay, force, .. } = remainder;
    let intake = Intake { ports, settings, source, sender: &remainder.sender, now, replay, force, late: true };
    let (settled, next) = intake.go_on(&remainder, &from).await?;
    let steps: Vec<Job> = settled.steps.into_iter().map(|rollout_id| Job::Step { rollout_id }).collect();
    if !steps.is_empty() {
        ports.queues.send(&steps, 0).await?;
    }
    intake.store(settled.events.iter().map(events::put).collect()).await?;
    let mut after = Remainder { next, revision: remainder.revision + 1, ..remainder.clone() };
    after.told(settled.told);
    match store.write(&[remainders::save(&after)]).await {
        Ok(()) => {}
        // Another message's work came this far, and goes on.
        Err(WriteError::Refused(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    if after.next.is_some() {
        ports.queues.send(&[after.job()], 0).await?;
    }
    Ok(())
}

/// What is told by now of repeats that were accepted only, and who is to go on with what is still left of them.
pub(super) async fn told_since(
    ports: &Ports,
    source: &str,
    parts: &BTreeMap<usize, Part>,
    told: &mut [Vec<DeliveryOutcome>],
) -> Result<Vec<Job>, EngineError> {
    let names: BTreeSet<&str> = parts.values().map(|part| part.delivery_id.as_str()).collect();
    let mut jobs = Vec::new();
    for name in names {
        let Some(remainder) = remainders::get(&*ports.store, source, name).await? else { continue };
        for (n, part) in parts.iter().filter(|(_, part)| part.delivery_id == name) {
            with_outcomes(&mut told[*n], part.n, &remainder.outcomes);
        }
        if remainder.next.is_some() {
            jobs.push(remainder.job());
        }
    }
    Ok(jobs)
}

/// Tells of everybody who was not asked.
fn tell(bundle: &Bundle<'_>, parts: &BTreeMap<usize, Part>, remainder: &Remainder, told: &mut [Vec<DeliveryOutcome>]) {
    for asked in &bundle.rest.asked {
        for candidate in &asked.candidates {
            let fresh = candidate.fresh;
            let entry = |status| DeliveryOutcome {
                policy: Some(asked.policy.name.clone()),
                ..DeliveryOutcome::of(fresh.notice, status)
            };
            if candidate.affected.is_nobody() {
                told[fresh.n].push(DeliveryOutcome { affected_devices: Some(0), ..entry("no_devices") });
                continue;
            }
            let Some(part) = parts.get(&fresh.n) else {
                let newest = asked.candidates.last().map_or("", |newest| newest.fresh.notice.tag.as_str());
                told[fresh.n].push(entry("ignored").because(format!("newer_in_delivery: {newest}")));
                continue;
            };
            let mut accepted = [candidate.affected.told(entry("accepted"))];
            with_outcomes(&mut accepted, part.n, &remainder.outcomes);
            told[fresh.n].extend(accepted);
        }
    }
    for fresh in &bundle.notices {
        told[fresh.n].sort_by(|one, other| one.policy.cmp(&other.policy));
    }
}

/// A notice as it is kept; where its keys name no rollouts, because another push may have them, this does.
fn left(fresh: &Fresh<'_>, name: &str) -> Left {
    let notice = PushNotice { media_type: None, noted_host: None, ..fresh.notice.clone() };
    let marks = if fresh.marks.is_empty() { vec![name.to_owned()] } else { fresh.marks.clone() };
    Left { notice, marks }
}

fn size(value: &impl serde::Serialize) -> usize {
    serde_json::to_string(value).map_or(0, |text| text.len())
}

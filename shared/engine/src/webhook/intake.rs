//! The notices of one delivery: which are repeats, and what becomes of the others.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use tidegate_domain::image::Repository;
use tidegate_domain::news::News;
use tidegate_domain::webhook::{DeliveryKey, IgnoreReason, PushNotice};

use super::candidates::Candidates;
use super::later::{Rest, told_since};
use super::repository::Settled;
use super::told::{DeliveryOutcome, duplicates};
use crate::entities::deliveries::{self, Delivered};
use crate::entities::{policies, tags};
use crate::error::EngineError;
use crate::ports::{Job, Ports};
use crate::settings::Settings;

/// A repeat of a push that is known by its second alone may be another push within it, until this much later, in
/// seconds.
const SAME_SECOND_SECONDS: i64 = 60;

/// Repositories of one delivery that are worked on at a time.
const REPOSITORIES_AT_ONCE: usize = 8;

/// What taking notices needs.
pub(super) struct Intake<'a> {
    pub ports: &'a Ports,
    pub settings: &'a Settings,
    pub source: &'a str,
    /// The source and its kind.
    pub sender: &'a str,
    pub now: Timestamp,
    /// A person wants it: that it came before is no reason to leave it.
    pub replay: bool,
    /// A person wants it although it is older.
    pub force: bool,
    /// It was answered before: this goes on behind the queue.
    pub late: bool,
}

/// A notice that is no repeat.
pub(super) struct Fresh<'a> {
    /// Its place in the delivery.
    pub n: usize,
    pub notice: &'a PushNotice,
    pub news: News,
    pub tag_heard: Option<News>,
    /// What the marks of its rollouts are named by: its keys. None where these are taken, and it may be another push
    /// all the same.
    pub marks: Vec<String>,
}

impl Fresh<'_> {
    /// What names it.
    pub(super) fn id(&self) -> &str {
        self.notice.keys.first().map_or(self.notice.tag.as_str(), DeliveryKey::as_str)
    }
}

impl Intake<'_> {
    /// Takes the notices of one delivery; the answers in their order.
    pub(super) async fn take(&self, notices: &[&PushNotice]) -> Result<Vec<Vec<DeliveryOutcome>>, EngineError> {
        let mut told: Vec<Vec<DeliveryOutcome>> = vec![Vec::new(); notices.len()];
        let (fresh, mut jobs) = self.fresh(notices, &mut told).await?;
        if fresh.is_empty() {
            self.send(&jobs).await?;
            return Ok(told);
        }
        let mut of_repository: BTreeMap<&Repository, Vec<&Fresh<'_>>> = BTreeMap::new();
        for fresh in &fresh {
            of_repository.entry(&fresh.notice.repository).or_default().push(fresh);
        }
        let repositories: Vec<&Repository> = of_repository.keys().copied().collect();
        let policies = policies::about(&*self.ports.store, &repositories).await?;
        let mut candidates: Vec<BoxFuture<'_, Result<Candidates<'_>, EngineError>>> = Vec::new();
        for (repository, fresh) in of_repository {
            candidates.push(self.candidates(repository, fresh, &policies).boxed());
        }
        let candidates: Vec<Candidates<'_>> =
            stream::iter(candidates).buffered(REPOSITORIES_AT_ONCE).try_collect().await?;
        let mut left = self.settings.rollouts_per_answer as usize;
        let mut work: Vec<BoxFuture<'_, Result<Settled, EngineError>>> = Vec::new();
        let mut rest = Vec::new();
        for mut candidates in candidates {
            for (n, entry) in std::mem::take(&mut candidates.told) {
                told[n].push(entry);
            }
            let repository = candidates.repository;
            let (now, later) = candidates.share(&mut left);
            work.push(self.work(repository, now).boxed());
            if !later.is_empty() {
                rest.push(Rest { repository, asked: later });
            }
        }
        let mut work = stream::iter(work).buffered(REPOSITORIES_AT_ONCE);
        let mut events = Vec::new();
        while let Some(settled) = work.next().await {
            let settled = settled?;
            jobs.extend(settled.steps.into_iter().map(|rollout_id| Job::Step { rollout_id }));
            events.extend(settled.events);
            for (n, entry) in settled.told {
                told[n].push(entry);
            }
        }
        let kept = self.leave(&rest, &mut told).await?;
        jobs.extend(kept.jobs);
        self.send(&jobs).await?;
        self.remember(&fresh, &told, &kept.parts, &events).await?;
        Ok(told)
    }

    async fn send(&self, jobs: &[Job]) -> Result<(), EngineError> {
        if !jobs.is_empty() {
            self.ports.queues.send(jobs, 0).await?;
        }
        Ok(())
    }

    /// Those that are no repeats and are allowed; the others are told at once. Also who is to go on with what is still left
    /// of repeats.
    async fn fresh<'n>(
        &self,
        notices: &[&'n PushNotice],
        told: &mut [Vec<DeliveryOutcome>],
    ) -> Result<(Vec<Fresh<'n>>, Vec<Job>), EngineError> {
        let store = &*self.ports.store;
        let all_keys: Vec<&str> = notices.iter().flat_map(|notice| &notice.keys).map(DeliveryKey::as_str).collect();
        let known =
            if self.replay { BTreeMap::new() } else { deliveries::get_many(store, self.source, &all_keys).await? };
        let (mut fresh, mut parts) = (Vec::new(), BTreeMap::new());
        for (n, notice) in notices.iter().copied().enumerate() {
            if self.settings.allowed_registries.allows(&notice.repository).is_err() {
                told[n]
                    .push(DeliveryOutcome::of(notice, "ignored").because(IgnoreReason::RepositoryNotAllowed.as_str()));
                continue;
            }
            let before = notice.keys.iter().find_map(|key| known.get(key.as_str()));
            match before {
                Some(before) if !self.may_be_another(notice, before) => {
                    told[n].extend(duplicates(&before.answer));
                    parts.extend(before.remainder.clone().map(|part| (n, part)));
                }
                Some(_) | None => {
                    let news = News::told(self.sender, notice.event_time, self.now);
                    let keys = notice.keys.iter().filter(|_| before.is_none() && !self.replay);
                    let marks = keys.map(|key| key.as_str().to_owned()).collect();
                    fresh.push(Fresh { n, notice, news, tag_heard: None, marks });
                }
            }
        }
        let names: Vec<_> = fresh.iter().map(|fresh| (&fresh.notice.repository, &fresh.notice.tag)).collect();
        let heard = tags::get_many(store, &names).await?;
        for (fresh, heard) in fresh.iter_mut().zip(heard) {
            fresh.tag_heard = heard.map(|heard| heard.heard());
        }
        let jobs = told_since(self.ports, self.source, &parts, told).await?;
        Ok((fresh, jobs))
    }

    /// Whether a notice of known keys may tell of another push, whose content nobody has looked for yet.
    fn may_be_another(&self, notice: &PushNotice, before: &Delivered) -> bool {
        let soon = |at: Timestamp| self.now.duration_since(at).as_secs() < SAME_SECOND_SECONDS;
        notice.by_second && notice.digest.is_none() && before.taken_at.is_some_and(soon)
    }
}

//! Creating rollouts: one transaction over their heads, whose conditions make twins one.

use jiff::Timestamp;
use tidegate_domain::admission::{Admission, Places, Wish, admit};
use tidegate_domain::event::ImageEvent;
use tidegate_domain::failure_rules::FailureRules;
use tidegate_domain::head::{Head, KeptOut};
use tidegate_domain::ids::{PolicyId, RolloutId};
use tidegate_domain::image::{Digest, Repository, Tag};
use tidegate_domain::news::News;
use tidegate_domain::pin::Pin;
use tidegate_domain::policy::{Policy, Safeguard};
use tidegate_domain::rollout::{By, Override, Rollout, Status, Trigger};

use crate::entities::events::{self, Event};
use crate::entities::{heads, plans, rollouts, tags};
use crate::error::EngineError;
use crate::ports::{Freshness, Ports, Store, Write, WriteError};

/// How often a change that others got in the way of is tried.
pub(crate) const TRIES: u32 = 8;

/// An image that wants to be rolled out.
#[derive(Clone)]
pub struct Wanted<'a> {
    /// The policy that it follows, as it is now.
    pub policy: &'a Policy,
    /// What is to be updated.
    pub repository: &'a Repository,
    /// To what.
    pub target: Pin,
    /// What is told of it.
    pub news: News,
    /// What was last heard of its tag.
    pub tag_heard: Option<News>,
    /// What set it off.
    pub triggered_by: Trigger,
    /// Only devices that failed in this rollout.
    pub retry_of: Option<RolloutId>,
    /// Also a digest that is kept out, or proven already.
    pub retry: bool,
    /// Also where it is older than what the head was told of.
    pub force: bool,
    /// It is acted on long after it was taken.
    pub late: bool,
    /// Safeguards of the policy that a person had passed over; `policy` goes without them.
    pub overridden: Option<Override>,
    /// Why the policy cannot be followed as things stand: its rollout fails at once.
    pub unfit: Option<String>,
    /// Who keeps the digest out.
    pub kept_out: &'a [KeptOut],
    /// Why, for the first events.
    pub cause: &'a str,
    /// The new rollout's id.
    pub id: RolloutId,
    /// A generation that was taken for it, with others for other policies: they are created side by side.
    pub generation: Option<u64>,
    /// What else is to be written with the rollout that brings it, such as the delivery that it comes from.
    pub with: &'a (dyn Fn(&RolloutId) -> Vec<Write> + Send + Sync),
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The decision.
    pub admission: Admission,
    /// The new rollout, where there is one.
    pub rollout_id: Option<RolloutId>,
    /// Other policies of the repository that keep out what it brings.
    pub bad_for: Vec<KeptOut>,
}

impl Created {
    /// No new rollout.
    const fn none(admission: Admission) -> Self {
        Self { admission, rollout_id: None, bad_for: Vec::new() }
    }
}

impl Wanted<'_> {
    /// Other policies than the one that it follows which keep the digest out: told, and no reason not to go on.
    pub(crate) fn bad_for(&self) -> Vec<KeptOut> {
        self.kept_out.iter().filter(|kept| kept.policy_id != self.policy.id).cloned().collect()
    }
}

/// A head and its rollouts, as they are stored.
pub(crate) struct Standing {
    head: Head,
    live: Option<Rollout>,
    waiting: Option<Rollout>,
    promoted: Option<Rollout>,
}

impl Standing {
    /// Reads the rollouts of these heads, in their order. Always consistent.
    pub(crate) async fn read(store: &dyn Store, heads: Vec<Head>) -> Result<Vec<Self>, EngineError> {
        let named = |head: &Head| {
            let promoted = head.promoted.as_ref().map(|promoted| promoted.rollout_id.clone());
            [head.rollout.clone(), head.waiting.clone(), promoted]
        };
        let ids: Vec<RolloutId> = heads.iter().flat_map(named).flatten().collect();
        let found = rollouts::get_many(store, &ids.iter().collect()).await?;
        let stand = |head: Head| {
            let [live, waiting, promoted] = named(&head).map(|id| found.get(&id?).cloned());
            Self { head, live, waiting, promoted }
        };
        Ok(heads.into_iter().map(stand).collect())
    }

    /// Reads that of one policy.
    pub(crate) async fn read_one(
        store: &dyn Store,
        repository: &Repository,
        policy: &PolicyId,
    ) -> Result<Self, EngineError> {
        let head = heads::get(store, repository, policy).await?;
        Self::read(store, vec![head]).await?.pop().ok_or(EngineError::NotFound("head"))
    }

    /// The newest rollout.
    pub(crate) fn newest(&self) -> Option<&RolloutId> {
        self.head.rollout.as_ref()
    }

    fn places(&self) -> Places<'_> {
        Places { live: self.live.as_ref(), waiting: self.waiting.as_ref(), promoted: self.promoted.as_ref() }
    }

    fn rollout(&self, id: &RolloutId) -> Option<&Rollout> {
        [&self.live, &self.waiting, &self.promoted].into_iter().flatten().find(|rollout| rollout.rollout_id == *id)
    }

    /// Whether the registry was asked for one of its rollouts, and answered. Only the function that asks has access.
    async fn registry_answers(&self, store: &dyn Store) -> Result<bool, EngineError> {
        for rollout in [&self.waiting, &self.live, &self.promoted].into_iter().flatten() {
            if plans::resolved(store, &rollout.rollout_id).await?.is_some_and(|resolved| resolved.asked) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What would become of it, what a rollout of it would bring, and what that was told of.
    pub(crate) async fn admit(
        &self,
        ports: &Ports,
        wanted: &Wanted<'_>,
    ) -> Result<(Admission, Pin, News), EngineError> {
        let latest = self.waiting.as_ref().or(self.live.as_ref()).filter(|latest| latest.open_content());
        let same_terms = match latest {
            Some(latest) if wanted.target.digest.is_none() && wanted.retry_of.is_none() => {
                let plan = plans::plan(&*ports.store, &latest.rollout_id).await?;
                plan.is_some_and(|plan| plan.policy == *wanted.policy) && latest.overridden == wanted.overridden
            }
            Some(_) | None => false,
        };
        let mut wish = Wish {
            target: &wanted.target,
            news: &wanted.news,
            tag_heard: wanted.tag_heard.as_ref(),
            on_newer: wanted.policy.on_newer,
            retry: wanted.retry,
            force: wanted.force,
            late: wanted.late,
            askable: false,
            same_terms,
        };
        let places = self.places();
        wish.askable = !wish.believed(places) && self.registry_answers(&*ports.store).await?;
        // One that only looks is no news: what is newer stays what later notices are compared with.
        let news = match wish.older_than(places) {
            Some(newer) => {
                let (happened_at, sender) = (Some(newer.newer_at), newer.sender);
                News { happened_at, sender, older: true, ..wanted.news.clone() }
            }
            None => wanted.news.clone(),
        };
        let heard = [&self.live, &self.waiting, &self.promoted].into_iter().flatten().map(Rollout::heard);
        let news = heard.fold(news, |news, heard| news.after(&heard));
        let admission = match kept_out(&*ports.store, wanted, &self.head).await? {
            Some(reason) => Admission::Bad(reason),
            None => admit(&self.head, places, &wish),
        };
        let admission = match (&wanted.unfit, admission) {
            (Some(why), Admission::Start | Admission::Supersede(_) | Admission::Wait { .. } | Admission::Merge(_)) => {
                Admission::Unfit(why.clone())
            }
            (_, admission) => admission,
        };
        Ok((admission, wish.content(places), news))
    }
}

/// Creates the rollout, unless there is a reason not to. What the head was just read as is tried first, and is left where
/// the rollout is refused. Answers with the rollout that is to be stepped, too; where that is not asked for, the sweep does
/// it.
pub(crate) async fn create(
    ports: &Ports,
    wanted: &Wanted<'_>,
    read: &mut Option<Standing>,
    now: Timestamp,
) -> Result<(Created, Option<RolloutId>), EngineError> {
    let store = &*ports.store;
    for _ in 0..TRIES {
        let standing = match read.take() {
            Some(standing) => standing,
            None => Standing::read_one(store, wanted.repository, &wanted.policy.id).await?,
        };
        let (admission, content, news) = standing.admit(ports, wanted).await?;
        let (writes, rollout_id, step) = match &admission {
            Admission::Unfit(why) => {
                let writes = fails(store, wanted, &standing, (content, news), why, now).await?;
                (writes, Some(wanted.id.clone()), None)
            }
            Admission::Bad(_) | Admission::Ignored(_) | Admission::Stale(_) | Admission::Overtaken(_) => {
                *read = Some(standing);
                return Ok((Created::none(admission), None));
            }
            Admission::Duplicate(twin) | Admission::UpToDate(twin) => {
                let told = standing.rollout(twin).and_then(|twin| told_later(twin, &news));
                (told.into_iter().collect(), None, None)
            }
            Admission::Merge(into) => {
                let Some(into) = standing.rollout(into) else { continue };
                let mut writes = vec![tell(into, &news, true)];
                writes.extend((wanted.with)(&into.rollout_id));
                (writes, None, Some(into.rollout_id.clone()))
            }
            Admission::Start | Admission::Supersede(_) | Admission::Wait { .. } => {
                let writes = takes_its_place(store, wanted, &standing, &admission, (content, news), now).await?;
                (writes, Some(wanted.id.clone()), Some(wanted.id.clone()))
            }
        };
        let written = if writes.is_empty() { Ok(()) } else { store.write(&writes).await };
        match written {
            Ok(()) => {
                let bad_for = if rollout_id.is_some() { wanted.bad_for() } else { Vec::new() };
                return Ok((Created { admission, rollout_id, bad_for }, step));
            }
            Err(WriteError::Refused(_) | WriteError::Conflict) => {}
            Err(WriteError::Store(error)) => return Err(error.into()),
        }
    }
    Err(EngineError::Contended { what: "the image's head" })
}

/// Takes generations for rollouts of several policies, so that these do not wait for one another; answers with the first.
pub(crate) async fn take_generations(
    store: &dyn Store,
    repository: &Repository,
    so_many: u64,
) -> Result<u64, EngineError> {
    for _ in 0..TRIES {
        let last = heads::generation(store, repository).await?;
        match store.write(&[heads::take_generations(repository, last, so_many)]).await {
            Ok(()) => return Ok(last + 1),
            Err(WriteError::Refused(_) | WriteError::Conflict) => {}
            Err(WriteError::Store(error)) => return Err(error.into()),
        }
    }
    Err(EngineError::Contended { what: "the repository's generation" })
}

/// The writes by which a new rollout takes the live place, or the one behind it.
async fn takes_its_place(
    store: &dyn Store,
    wanted: &Wanted<'_>,
    standing: &Standing,
    admission: &Admission,
    (content, news): (Pin, News),
    now: Timestamp,
) -> Result<Vec<Write>, EngineError> {
    let (head, id) = (&standing.head, &wanted.id);
    // A generation that was taken before somebody else's rollout came is too old.
    let newest = standing.live.iter().chain(&standing.waiting).map(|rollout| rollout.generation).max();
    let (generation, take) = match wanted.generation.filter(|taken| newest.is_none_or(|newest| newest < *taken)) {
        Some(taken) => (taken, None),
        None => {
            let last = heads::generation(store, wanted.repository).await?;
            (last + 1, Some(heads::take_generation(wanted.repository, last)))
        }
    };
    let old_tag = head.promoted.as_ref().and_then(|promoted| promoted.pin.tag.clone());
    let rollout = Rollout { old_tag, target: content, news: Some(news), ..draft(wanted, id, generation, now) };
    let mut next = Head { policy: Some(wanted.policy.name.clone()), ..head.clone() };
    let mut writes = vec![
        rollouts::create(&rollout),
        plans::put_policy(id, wanted.policy, wanted.retry, wanted.retry_of.as_ref()),
        events::put(&announced(wanted, &rollout, now)),
    ];
    writes.extend(take);
    writes.extend(wanted.overridden.as_ref().map(|told| events::put(&overridden(wanted, told, now))));
    let (live, waiting) = (standing.live.as_ref(), standing.waiting.as_ref());
    if let Admission::Wait { .. } = admission {
        next.waiting = Some(id.clone());
        if let Some(waiting) = waiting.filter(|waiting| waiting.status == Status::Pending) {
            writes.extend(superseded(waiting, id, now));
        }
    } else {
        next.rollout = Some(id.clone());
        next.waiting = None;
        // Whoever waited is older than this one; and an expired one gives up its place.
        let gone = live.into_iter().chain(waiting);
        for old in gone.filter(|old| old.status.live() || old.status == Status::Expired) {
            writes.extend(superseded(old, id, now));
        }
    }
    writes.push(heads::save(&next));
    writes.extend((wanted.with)(id));
    Ok(writes)
}

/// The writes of a rollout that fails as it is created, and takes nobody's place: it says why nothing was rolled out.
async fn fails(
    store: &dyn Store,
    wanted: &Wanted<'_>,
    standing: &Standing,
    (content, news): (Pin, News),
    why: &str,
    now: Timestamp,
) -> Result<Vec<Write>, EngineError> {
    let id = &wanted.id;
    let last = heads::generation(store, wanted.repository).await?;
    let rollout = Rollout {
        status: Status::Failed,
        reason: Some(why.to_owned()),
        completed_at: Some(now),
        old_tag: standing.head.promoted.as_ref().and_then(|promoted| promoted.pin.tag.clone()),
        target: content,
        news: Some(news),
        ..draft(wanted, id, last + 1, now)
    };
    let cause = format!("{}-unfit", wanted.cause);
    let failed = Event::of_rollout(id, ImageEvent::RolloutFailed.name(), now, &cause).with("reason", why);
    let mut writes = vec![
        heads::take_generation(wanted.repository, last),
        rollouts::create_ended(&rollout),
        plans::put_policy(id, wanted.policy, wanted.retry, wanted.retry_of.as_ref()),
        events::put(&announced(wanted, &rollout, now)),
        events::put(&failed),
    ];
    writes.extend((wanted.with)(id));
    Ok(writes)
}

/// Keeps the newest of what a rollout was told of, where this is newer: an older notice that comes later must not count
/// as newer than it.
fn told_later(rollout: &Rollout, news: &News) -> Option<Write> {
    let (heard, next) = (rollout.heard(), rollout.heard().with(news, false));
    let known = |news: &News| (news.happened_at, news.sender.clone(), news.before.clone());
    let other = known(&next) != known(&heard);
    // Of one without a time, when it was taken is all that tells it from one that is acted on late.
    let untimed = news.happened_at.is_none() && next.taken_at > heard.taken_at;
    (other || untimed).then(|| tell(rollout, news, false))
}

/// The write by which a rollout is told once more.
fn tell(rollout: &Rollout, news: &News, merged: bool) -> Write {
    let news = Some(rollout.heard().with(news, merged));
    rollouts::save_step(&Rollout { news, revision: rollout.revision + 1, ..rollout.clone() })
}

/// Why what a person asked for by its tag is kept out, as far as the tag's last delivery told what it means. A delivery
/// without a digest is news of the tag: what was told before it is perhaps not so any more.
async fn kept_out(store: &dyn Store, wanted: &Wanted<'_>, head: &Head) -> Result<Option<String>, EngineError> {
    if wanted.target.digest.is_some() || wanted.retry || wanted.triggered_by != Trigger::Manual || head.bad.is_empty() {
        return Ok(None);
    }
    let told = told_content(store, wanted.repository, &wanted.target).await?;
    Ok(told.and_then(|digest| head.bad(&digest).map(|bad| format!("{} ({digest})", bad.reason))))
}

/// What an image is, as far as anybody told: its digest, or what its tag's last delivery named.
pub(crate) async fn told_content(
    store: &dyn Store,
    repository: &Repository,
    image: &Pin,
) -> Result<Option<Digest>, EngineError> {
    match (&image.digest, &image.tag) {
        (Some(digest), _) => Ok(Some(digest.clone())),
        (None, Some(tag)) => Ok(tags::get(store, repository, tag).await?.and_then(|notice| notice.digest)),
        (None, None) => Ok(None),
    }
}

pub(crate) async fn find(store: &dyn Store, id: Option<&RolloutId>) -> Result<Option<Rollout>, EngineError> {
    match id {
        Some(id) => rollouts::get(store, id, Freshness::Consistent).await,
        None => Ok(None),
    }
}

/// The writes by which a newer rollout takes a rollout's place.
pub(crate) fn superseded(old: &Rollout, by: &RolloutId, now: Timestamp) -> [Write; 2] {
    let event = Event::of_rollout(&old.rollout_id, ImageEvent::RolloutSuperseded.name(), now, by.as_str());
    [
        rollouts::supersede(old, &format!("superseded by {by}"), now),
        events::put(&event.with("superseded_by", by.as_str())),
    ]
}

fn announced(wanted: &Wanted<'_>, rollout: &Rollout, now: Timestamp) -> Event {
    Event::of_rollout(&rollout.rollout_id, ImageEvent::UpdateAvailable.name(), now, wanted.cause)
        .with("image", wanted.repository.as_str())
        .with("tag", rollout.target.tag.as_ref().map(Tag::as_str))
        .with("digest", rollout.target.digest.as_ref().map(Digest::as_str))
        .with("policy", wanted.policy.name.as_str())
        .with("bad_for", bad_for(&wanted.bad_for()))
}

/// As an event tells it: the other policies' names and their reasons.
fn bad_for(others: &[KeptOut]) -> Option<serde_json::Value> {
    let told = |kept: &KeptOut| serde_json::json!({"policy": kept.policy, "reason": kept.reason});
    (!others.is_empty()).then(|| others.iter().map(told).collect())
}

/// A person's word that the policy does not hold in full: in the transaction that creates the rollout, or there is none.
fn overridden(wanted: &Wanted<'_>, told: &Override, now: Timestamp) -> Event {
    let passed_over: Vec<&str> = told.passed_over.iter().map(|safeguard| Safeguard::name(*safeguard)).collect();
    let cause = format!("{}-override", wanted.cause);
    Event::of_rollout(&wanted.id, ImageEvent::PolicyOverridden.name(), now, &cause)
        .with("policy", wanted.policy.name.as_str())
        .with("passed_over", passed_over)
        .with("reason", told.reason.as_str())
        .with("by", By::Operator.words())
}

/// A rollout that nothing was decided about yet.
pub(crate) fn draft(wanted: &Wanted<'_>, id: &RolloutId, generation: u64, now: Timestamp) -> Rollout {
    Rollout {
        rollout_id: id.clone(),
        repository: wanted.repository.clone(),
        policy_id: wanted.policy.id.clone(),
        policy: wanted.policy.name.clone(),
        generation,
        revision: 1,
        status: Status::Pending,
        resume_to: None,
        target: wanted.target.clone(),
        old_tag: None,
        strategy: wanted.policy.update_strategy,
        triggered_by: wanted.triggered_by,
        news: Some(wanted.news.clone()),
        overridden: wanted.overridden.clone(),
        created_at: now,
        started_at: None,
        completed_at: None,
        asked_at: None,
        total: 0,
        zones: tidegate_domain::counts::Zones::default(),
        open_to: 0,
        batch: 0,
        batches: Vec::new(),
        cursor: 0,
        failure_rules: FailureRules::default(),
        judged_from: 0,
        command_at: None,
        resumed_at: None,
        skip_batch: false,
        rollback: None,
        reason: None,
        decided: None,
        last_healthy_at: None,
        observed: None,
        admitted: Vec::new(),
        kept_out: Vec::new(),
        check_at: None,
        wake_at: None,
        live: None,
    }
}

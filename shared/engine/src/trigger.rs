//! A person's trigger: the devices are split by their policies, one rollout per head.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use tidegate_domain::admission::Admission;
use tidegate_domain::context::{Plan, RolloutContext};
use tidegate_domain::counts::Class;
use tidegate_domain::fields::FieldError;
use tidegate_domain::head::KeptOut;
use tidegate_domain::ids::{PolicyId, RolloutId};
use tidegate_domain::image::ImageRef;
use tidegate_domain::news::News;
use tidegate_domain::pin::Pin;
use tidegate_domain::planning::{Placed, place};
use tidegate_domain::policy::{Followed, Origin, Policy, RawPolicy, Safeguard, Wish, safeguard_names, winner};
use tidegate_domain::rollout::{Override, Trigger};
use tidegate_domain::strategy::compile;

use crate::create::{Standing, Wanted, create, told_content};
use crate::entities::device_images::{self, DeviceImage};
use crate::entities::{devices, heads, policies};
use crate::error::EngineError;
use crate::memory::{Age, RolloutMemory};
use crate::plan::DEFAULT_POLICY;
use crate::ports::{Freshness, Job, Ports, Store};
use crate::settings::Settings;
use crate::webhook::{DeliveryOutcome, outcome};

/// Which devices of an earlier rollout a retry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Those that failed in the head's last rollout.
    Failed,
    /// Every selected one.
    All,
}

/// What a person asks for.
#[derive(Debug, Clone)]
pub struct TriggerRequest {
    /// The image, checked and allowed.
    pub image: ImageRef,
    /// How the policies are to be followed, where not as they are written.
    pub wish: Wish,
    /// Why, in the person's words; never missing where the wish is to pass something over.
    pub reason: Option<String>,
    /// Although the digest is kept out, or proven.
    pub retry: Option<Retry>,
    /// Only this fleet.
    pub fleet_id: Option<String>,
    /// Only devices with these tags.
    pub device_tags: BTreeMap<String, String>,
}

/// Why nothing was triggered.
#[derive(Debug, thiserror::Error)]
pub enum TriggerError {
    /// A policy does not allow the asked strategy.
    #[error("the request does not fit a policy")]
    Field(FieldError),
    /// Policies have safeguards that it would pass over, and nobody said so.
    #[error("{}", unsaid_in_words(.0))]
    Unsaid(Vec<PassedOver>),
    /// No device is concerned.
    #[error("{0}")]
    Nobody(String),
    /// The digest is kept out: by which policies, and why.
    #[error("the digest is kept out, and nothing was begun ({0}); say retry to roll it out all the same, or clear it")]
    Bad(String),
    /// Anything else.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What a trigger passes over of one policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// The policy's name.
    pub policy: String,
    /// Its safeguards that the rollout goes without.
    pub safeguards: BTreeSet<Safeguard>,
    /// Of these, those that nobody said may be passed over: with any, a trigger is refused.
    pub unsaid: BTreeSet<Safeguard>,
}

/// What would be passed over, and how to say that it may be.
fn unsaid_in_words(all: &[PassedOver]) -> String {
    let each = all.iter().map(|one| format!("of the policy {}: {}", one.policy, safeguard_names(&one.unsaid)));
    let each = each.collect::<Vec<_>>().join("; ");
    let union: BTreeSet<Safeguard> = all.iter().flat_map(|one| one.unsaid.iter().copied()).collect();
    let said = union.iter().map(|safeguard| format!("\"{safeguard}\": true")).collect::<Vec<_>>().join(", ");
    format!("this would pass over safeguards ({each}); to do so, say \"override\": {{{said}}} and a \"reason\"")
}

/// One rollout of a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Triggered {
    /// The rollout, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout_id: Option<RolloutId>,
    /// The policy's name.
    pub policy: String,
    /// As in a webhook's answer.
    pub status: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Devices that it is for.
    pub affected_devices: u32,
    /// Other policies of the repository that keep this digest out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bad_for: Vec<KeptOut>,
}

/// What a trigger would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct DryRun {
    /// Devices that would take part.
    pub total_devices: u32,
    /// Devices per batch, one list per policy.
    pub batches: Vec<DryBatch>,
    /// What would be passed over, a policy each; policies that are followed as they are written are left out.
    pub passed_over: Vec<PassedOver>,
    /// Devices that would be skipped, by reason.
    pub skipped: BTreeMap<String, u32>,
    /// Policies of the repository that keep out what the image is known to be.
    pub bad_for: Vec<KeptOut>,
    /// What would become of it under each policy.
    pub outcomes: Vec<DryOutcome>,
}

/// What would become of a trigger under a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DryOutcome {
    /// The policy's name.
    pub policy: String,
    /// As the trigger's answer would say it. With `ignored` for a bad digest all of it is refused.
    pub status: String,
    /// Why.
    pub reason: Option<String>,
}

/// A batch of a dry run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DryBatch {
    /// The policy's name.
    pub policy: String,
    /// From 1.
    pub number: u32,
    /// Devices in it.
    pub devices: u32,
}

/// A policy with the devices that it owns.
struct Group {
    policy: Policy,
    unfit: Option<String>,
    passed_over: BTreeSet<Safeguard>,
    unsaid: BTreeSet<Safeguard>,
    devices: Vec<DeviceImage>,
}

impl Group {
    fn passes_over(&self) -> PassedOver {
        let policy = self.policy.name.clone();
        PassedOver { policy, safeguards: self.passed_over.clone(), unsaid: self.unsaid.clone() }
    }

    /// Its rollout as it is asked for, and the policy's rollouts as they stand.
    async fn wanted<'a>(
        &'a self,
        ports: &Ports,
        request: &'a TriggerRequest,
        kept_out: &'a [KeptOut],
        now: Timestamp,
    ) -> Result<(Wanted<'a>, Standing), EngineError> {
        let standing = Standing::read_one(&*ports.store, &request.image.repository, &self.policy.id).await?;
        let reason = request.reason.clone().unwrap_or_default();
        let id = RolloutId::new(now, ports.entropy.u128());
        let wanted = Wanted {
            retry_of: standing.newest().filter(|_| request.retry == Some(Retry::Failed)).cloned(),
            retry: request.retry.is_some(),
            overridden: (!self.passed_over.is_empty())
                .then(|| Override { passed_over: self.passed_over.clone(), reason }),
            unfit: self.unfit.clone(),
            kept_out,
            ..wanted(&self.policy, &request.image, id, now)
        };
        Ok((wanted, standing))
    }

    /// In the words of a delivery's answer.
    fn outcome(&self, admission: &Admission, created: Option<RolloutId>) -> DeliveryOutcome {
        outcome(admission, created, self.devices.len() as u32, DeliveryOutcome::default())
    }
}

/// Creates the rollouts.
pub async fn trigger(
    ports: &Ports,
    settings: &Settings,
    request: &TriggerRequest,
    now: Timestamp,
) -> Result<Vec<Triggered>, TriggerError> {
    let groups = groups(ports, settings, request, now).await?;
    let unsaid: Vec<PassedOver> =
        groups.iter().filter(|group| !group.unsaid.is_empty()).map(Group::passes_over).collect();
    if !unsaid.is_empty() {
        return Err(TriggerError::Unsaid(unsaid));
    }
    let store = &*ports.store;
    let kept_out = keeping_out(store, request).await?;
    let mut ready = Vec::new();
    let mut bad = Vec::new();
    // Where a policy refuses the digest, nothing is begun under the others either.
    for group in &groups {
        let (wanted, standing) = group.wanted(ports, request, &kept_out, now).await?;
        if let (Admission::Bad(why), _, _) = standing.admit(ports, &wanted).await? {
            bad.push(format!("{}: {why}", group.policy.name));
        }
        ready.push((group, wanted, standing));
    }
    if !bad.is_empty() {
        return Err(TriggerError::Bad(bad.join("; ")));
    }
    let mut triggered = Vec::new();
    let mut steps = Vec::new();
    for (group, wanted, standing) in ready {
        let (created, step) = create(ports, &wanted, &mut Some(standing), now).await?;
        steps.extend(step.map(|rollout_id| Job::Step { rollout_id }));
        let told = group.outcome(&created.admission, created.rollout_id);
        triggered.push(Triggered {
            rollout_id: told.rollout_id,
            policy: group.policy.name.clone(),
            status: told.status,
            reason: told.reason,
            affected_devices: group.devices.len() as u32,
            bad_for: created.bad_for,
        });
    }
    if !steps.is_empty() {
        ports.queues.send(&steps, 0).await.map_err(EngineError::from)?;
    }
    Ok(triggered)
}

/// Says what [`trigger`] would do. Nothing changes.
pub async fn dry_run(
    ports: &Ports,
    settings: &Settings,
    request: &TriggerRequest,
    now: Timestamp,
) -> Result<DryRun, TriggerError> {
    let store = &*ports.store;
    let memory = RolloutMemory::default();
    let bad_for = keeping_out(store, request).await?;
    let mut run = DryRun { bad_for: bad_for.clone(), ..DryRun::default() };
    for group in groups(ports, settings, request, now).await? {
        if !group.passed_over.is_empty() {
            run.passed_over.push(group.passes_over());
        }
        let (wanted, standing) = group.wanted(ports, request, &bad_for, now).await?;
        let (admission, _, _) = standing.admit(ports, &wanted).await?;
        let DeliveryOutcome { status, reason, .. } = group.outcome(&admission, None);
        run.outcomes.push(DryOutcome { policy: group.policy.name.clone(), status, reason });
        let begins = matches!(admission, Admission::Start | Admission::Supersede(_) | Admission::Wait { .. });
        if !begins {
            continue;
        }
        let new = imagined(&group.policy, &request.image, now);
        let mut total = 0;
        for device in &group.devices {
            let Some(device) = devices::get(store, device.device_uuid, Freshness::Eventual).await? else { continue };
            let old = memory.knowledge(store, device.rollout_ids(), Age::Remembered, now).await?;
            let row = match place(&device, &new, (0, 1), &old, now) {
                Placed::Skipped(row) | Placed::Known(row) => row,
                Placed::Assigned(assigned) => assigned.1,
            };
            if row.class == Class::Skipped {
                let reason = row.reason.as_ref().map_or("skipped", tidegate_domain::assignment::Reason::name);
                *run.skipped.entry(reason.to_owned()).or_default() += 1;
            } else {
                total += 1;
            }
        }
        run.total_devices += total;
        let mut before = 0;
        for (number, end) in (1..).zip(compile(&group.policy).boundaries(total)) {
            run.batches.push(DryBatch { policy: group.policy.name.clone(), number, devices: end - before });
            before = end;
        }
    }
    Ok(run)
}

fn imagined(policy: &Policy, image: &ImageRef, now: Timestamp) -> RolloutContext {
    let id = RolloutId::trusted("dry run");
    let wanted = wanted(policy, image, id, now);
    let rollout = crate::create::draft(&wanted, &wanted.id, u64::MAX, now);
    RolloutContext { rollout, plan: Plan::of(policy.clone()) }
}

/// By a person, of whom no more is known than the image.
fn wanted<'a>(policy: &'a Policy, image: &'a ImageRef, id: RolloutId, now: Timestamp) -> Wanted<'a> {
    Wanted {
        policy,
        repository: &image.repository,
        target: pin(image),
        news: News::person(now),
        tag_heard: None,
        triggered_by: Trigger::Manual,
        retry_of: None,
        retry: false,
        force: false,
        late: false,
        overridden: None,
        unfit: None,
        kept_out: &[],
        cause: "trigger",
        id,
        generation: None,
        with: &|_| Vec::new(),
    }
}

fn pin(image: &ImageRef) -> Pin {
    Pin { tag: image.tag.clone(), digest: image.digest.clone() }
}

/// Policies of the repository that keep out what the image is known to be.
async fn keeping_out(store: &dyn Store, request: &TriggerRequest) -> Result<Vec<KeptOut>, EngineError> {
    let repository = &request.image.repository;
    let content = told_content(store, repository, &pin(&request.image)).await?;
    heads::keeping_out(store, repository, content.as_ref()).await
}

/// The selected devices, by the policy that owns them; each policy narrowed to the selection.
async fn groups(
    ports: &Ports,
    settings: &Settings,
    request: &TriggerRequest,
    now: Timestamp,
) -> Result<Vec<Group>, TriggerError> {
    let store = &*ports.store;
    let all = policies::all(store).await?;
    let devices = device_images::all(store, &request.image.repository).await?;
    let known = devices.len();
    let mut groups: BTreeMap<Option<PolicyId>, Vec<DeviceImage>> = BTreeMap::new();
    for device in devices.into_iter().filter(|device| selected(request, device)) {
        let owner = winner(&all, &request.image, &device.fleet_id, &device.tags).map(|policy| policy.id.clone());
        groups.entry(owner).or_default().push(device);
    }
    if groups.is_empty() {
        return Err(TriggerError::Nobody(nobody(request, known)));
    }
    let mut result = Vec::new();
    for (owner, devices) in groups {
        let owner = owner.and_then(|id| all.iter().find(|policy| policy.id == id).cloned());
        let (policy, unfit) = match owner {
            Some(policy) => {
                let effective = policy.effective(&settings.policy_defaults);
                let unfit = effective.why_not();
                (effective.policy, unfit)
            }
            None => (default_policy(settings, &request.image, now).map_err(TriggerError::Field)?, None),
        };
        let Followed { mut policy, passed_over, unsaid } =
            policy.followed(&request.wish).map_err(TriggerError::Field)?;
        if request.fleet_id.is_some() {
            policy.selector.fleet_id.clone_from(&request.fleet_id);
        }
        policy.selector.device_tags.extend(request.device_tags.clone());
        result.push(Group { policy, unfit, passed_over, unsaid, devices });
    }
    Ok(result)
}

/// Why nobody is concerned: nobody runs it, or nobody of the selection does.
fn nobody(request: &TriggerRequest, known: usize) -> String {
    let repository = &request.image.repository;
    if known == 0 {
        return format!("no device runs {repository}");
    }
    let fleet = request.fleet_id.iter().map(|fleet| format!("in the fleet {fleet}"));
    let tags = request.device_tags.iter().map(|(key, value)| format!("tagged {key}:{value}"));
    let selection = fleet.chain(tags).collect::<Vec<_>>().join(" and ");
    format!("no device {selection} runs {repository}; elsewhere {known} do")
}

fn selected(request: &TriggerRequest, device: &DeviceImage) -> bool {
    request.fleet_id.as_ref().is_none_or(|fleet| *fleet == device.fleet_id)
        && request.device_tags.iter().all(|(key, value)| device.tags.get(key) == Some(value))
}

/// What stands in where no policy selects a device: the configured defaults.
fn default_policy(settings: &Settings, image: &ImageRef, now: Timestamp) -> Result<Policy, FieldError> {
    // Nobody else may have its name, so it is checked under another.
    let raw = RawPolicy::new("defaults", image.repository.to_string());
    let id = PolicyId::trusted(DEFAULT_POLICY);
    raw.validate(&settings.policy_defaults, id, now, Origin::Api)
        .map(|policy| Policy { name: DEFAULT_POLICY.to_owned(), ..policy })
        .map_err(|errors| errors.into_iter().next().unwrap_or_else(|| FieldError::new("/image", "cannot be used")))
}

//! A device, as operators see it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use tidegate_domain::assignment::Progress;
use tidegate_domain::context::RolloutContexts;
use tidegate_domain::device::{Device, Service};
use tidegate_domain::ids::DeviceUuid;
use tidegate_domain::pin::Pin;
use tidegate_domain::target::{ServiceTarget, target_state};
use tidegate_domain::window::{ZoneName, ZoneSource};
use tidegate_engine::queries::device_status;
use utoipa::ToSchema;

use crate::auth::DeviceToken;
use crate::schemas::{forms, words};

/// A new device's credential. The token is shown this once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeviceCredential)]
pub(crate) struct Credential {
    /// The device.
    #[schema(value_type = String, format = Uuid)]
    uuid: DeviceUuid,
    /// Its token.
    token: String,
}

impl Credential {
    /// Shows a token.
    pub(crate) fn new(uuid: DeviceUuid, token: &DeviceToken) -> Self {
        Self { uuid, token: token.expose().to_owned() }
    }
}

/// A device.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Device)]
pub(crate) struct DeviceView {
    /// Its uuid.
    #[schema(value_type = String, format = Uuid)]
    uuid: DeviceUuid,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Its fleet.
    fleet_id: String,
    /// Its tags.
    #[schema(value_type = forms::Tags)]
    tags: BTreeMap<String, String>,
    /// IANA name of its zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    /// What it means that its zone is not known, where the window of a rollout that it takes part in is in each device's
    /// own.
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone_note: Option<String>,
    /// Its platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "linux/arm64/v8")]
    platform: Option<String>,
    /// Over all its images.
    #[schema(value_type = words::DeviceStatus)]
    status: &'static str,
    /// Whether some service runs another content than it should, and no rollout moves it.
    drifted: bool,
    /// Its services.
    services: BTreeMap<String, ServiceView>,
    /// When it enrolled.
    #[schema(value_type = String, format = DateTime)]
    enrolled_at: Timestamp,
    /// When it was last heard of, to within six hours.
    #[schema(value_type = String, format = DateTime)]
    last_seen: Timestamp,
    /// Until when an operator's permission to enrol again lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    reenrolment_allowed_until: Option<Timestamp>,
}

/// A service of a device.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeviceService)]
struct ServiceView {
    /// What it runs, as far as it told.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    /// The content that it reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<forms::Digest>)]
    digest: Option<String>,
    /// The container's state, in the engine's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// Whether it is healthy; absent where it never told.
    #[serde(skip_serializing_if = "Option::is_none")]
    healthy: Option<bool>,
    /// Whether it runs another content than it should, and no rollout moves it.
    drifted: bool,
    /// What it should run.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<PinView>,
    /// The last proven image, where a rollback leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<PinView>,
    /// Its place in the newest rollout that it takes part in.
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<PlaceView>,
}

/// An image and its content.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PinnedImage)]
struct PinView {
    /// The reference.
    image: String,
    /// The content, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<forms::Digest>)]
    digest: Option<String>,
}

/// A place in a rollout.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RolloutPlace)]
struct PlaceView {
    /// The rollout.
    #[schema(value_type = forms::RolloutId)]
    rollout_id: String,
    /// The batch, from 1.
    batch: u32,
    /// As in the rollout's list of devices.
    #[schema(value_type = words::DeviceRolloutStatus)]
    status: &'static str,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::DeviceRolloutReason>)]
    status_reason: Option<&'static str>,
    /// Until when a lock on the device holds it, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    blocked_until: Option<Timestamp>,
}

impl DeviceView {
    /// A device, with the rollouts that it points to.
    pub(crate) fn new(device: &Device, known: &RolloutContexts, now: Timestamp) -> Self {
        let mut targets = target_state(device, known, now).services;
        let services: BTreeMap<String, ServiceView> = device
            .services
            .iter()
            .map(|(name, service)| (name.clone(), ServiceView::new(device, service, targets.remove(name), known)))
            .collect();
        Self {
            uuid: device.device_uuid,
            name: device.name.clone(),
            fleet_id: device.fleet_id.clone(),
            tags: device.tags.clone(),
            timezone: device.timezone.clone(),
            timezone_note: timezone_note(device, known),
            platform: device.platform.clone(),
            status: device_status(device).name(),
            drifted: services.values().any(|service| service.drifted),
            services,
            enrolled_at: device.enrolled_at,
            last_seen: device.last_seen,
            reenrolment_allowed_until: device.reenrol_until,
        }
    }
}

fn timezone_note(device: &Device, known: &RolloutContexts) -> Option<String> {
    let told = device.timezone.as_deref();
    let unknown = match told {
        Some(told) => format!("{told:?} is no time zone that is known"),
        None => "it told no time zone".to_owned(),
    };
    device.rollout_ids().filter_map(|id| known.get(id)).find_map(|known| {
        let policy = &known.plan.policy;
        let window = policy.window.as_ref()?;
        let fallback = window.zone().fallback_timezone();
        match window.zone_for(told) {
            ZoneSource::Policy(_) | ZoneSource::Device(_) => None,
            ZoneSource::Fallback(_) => {
                let zone = fallback.map(ZoneName::as_str).unwrap_or_default();
                Some(format!("{unknown}: the window of {} counts in its fallback_timezone {zone}", policy.name))
            }
            ZoneSource::Missing => Some(format!(
                "{unknown}, and {} names no fallback_timezone: its window never opens for this device",
                policy.name
            )),
        }
    })
}

impl ServiceView {
    fn new(device: &Device, service: &Service, target: Option<ServiceTarget>, known: &RolloutContexts) -> Self {
        let repository = &service.repository;
        let track = device.tracks.get(repository);
        let baseline = track.and_then(|track| track.baseline.as_ref());
        let running = service.running.as_ref();
        let told = running.map(|running| Pin { tag: running.tag.clone(), digest: running.digest.clone() });
        let place = track.and_then(|track| track.current.as_ref());
        let target_digest = target.as_ref().and_then(|target| target.digest.as_ref());
        let drifted =
            running.and_then(|running| running.digest.as_ref()).zip(target_digest).is_some_and(|(is, should)| {
                let own_platforms = place.and_then(|place| known.get(&place.rollout_id)).is_some_and(|known| {
                    known.rollout.target.digest.as_ref() == Some(should)
                        && known.is_target(is, device.platform.as_deref())
                });
                is != should && !own_platforms && target.as_ref().is_some_and(|target| target.rollout.is_none())
            });
        Self {
            image: told.as_ref().or(baseline).map(|pin| pin.image(repository)),
            digest: told.and_then(|pin| pin.digest).map(|digest| digest.to_string()),
            status: running.and_then(|running| running.status.clone()),
            healthy: running.and_then(|running| running.healthy),
            drifted,
            target: target
                .map(|target| PinView { image: target.image, digest: target.digest.map(|digest| digest.to_string()) }),
            baseline: baseline.map(|pin| PinView {
                image: pin.image(repository),
                digest: pin.digest.as_ref().map(ToString::to_string),
            }),
            rollout: place.map(|place| PlaceView {
                rollout_id: place.rollout_id.to_string(),
                batch: place.batch,
                status: place.progress.class().status(),
                status_reason: place.progress.reason().map(tidegate_domain::assignment::Reason::name),
                blocked_until: match place.progress {
                    Progress::Blocked { until, .. } => Some(until),
                    _ => None,
                },
            }),
        }
    }
}

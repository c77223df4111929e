//! Registries tell of pushes, once or more often.

use jiff::Timestamp;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidegate_domain::image::Digest;
use tidegate_domain::webhook::{Headers, Request};
use tidegate_engine::error::EngineError;
use tidegate_engine::webhook::{Ingested, ingest};

use super::scenario::digest;
use super::stage::{Event, Owner, Stage, Value};

/// In some seeds an answer has room for one rollout, or for none. It is drawn apart, so that another seed is the run that
/// it would be if every answer had room for all.
pub(super) fn rollouts_per_answer(seed: u64) -> Option<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed.rotate_left(48) ^ 0x6c65_6674);
    (rng.random_range(0..4) == 0).then(|| rng.random_range(0..2))
}

impl Stage {
    pub(super) fn push(&mut self, n: usize, repeat: usize) {
        let push = self.scenario.pushes[n].clone();
        let version = push.version;
        let at = self.scenario.start.as_millisecond() + push.at + push.clock;
        let twin = u32::from(push.has_own_id(repeat));
        let id = format!("00000000-0000-4000-8000-{twin:04}{version:08}");
        self.coverage.met(if repeat > 0 { "push: comes again" } else { "push: comes" });
        self.tell(|| format!("push of v{version}, delivery {repeat}"));
        let told = push.pinned.then(|| digest(push.content));
        let date = Timestamp::from_millisecond(at).expect("within the calendar");
        self.deliver_notice(Owner::Push(n), &id, version, told.as_ref(), date);
    }

    /// Sends a notice of a version's tag.
    pub(super) fn deliver_notice(
        &mut self,
        owner: Owner,
        id: &str,
        version: u32,
        told: Option<&Digest>,
        date: Timestamp,
    ) {
        let mut target = serde_json::json!({
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "repository": "acme/app",
            "tag": format!("v{version}"),
            "url": format!("https://docker.io/v2/acme/app/manifests/v{version}"),
        });
        if let Some(digest) = told {
            target["digest"] = digest.as_str().into();
        }
        let body = serde_json::json!({ "events": [{
            "id": id, "timestamp": date.to_string(), "action": "push", "target": target,
        }] });
        let headers: Headers =
            [("content-type", "application/vnd.docker.distribution.events.v1+json")].into_iter().collect();
        let body = body.to_string();
        let request = Request { headers: &headers, path_token: None, body: body.as_bytes() };
        let delivery = tidegate_domain::webhook::read(&request, None).expect("a delivery that can be read");
        let (ports, settings, now) = (self.ports.clone(), self.settings.clone(), self.time());
        self.spawn_api(owner, async move {
            Value::Ingested(ingest(&ports, &settings, "docker-registry", &delivery, now).await)
        });
    }

    /// What a delivery was answered; it is sent again where it was not.
    pub(super) fn ingested(&mut self, again: Event, moved: Option<u32>, result: Result<Ingested, EngineError>) {
        match result {
            Err(_) => self.after(15_000, again),
            Ok(ingested) => {
                for told in ingested.deliveries {
                    let reason = told
                        .reason
                        .as_deref()
                        .filter(|reason| ["stale", "overtaken"].contains(reason) || told.status == "duplicate");
                    let reason = reason.map(|reason| format!(", {reason}")).unwrap_or_default();
                    self.coverage.met(format!("webhook: {}{reason}", told.status));
                    if let (Some(version), Some(rollout)) = (moved, told.rollout_id) {
                        self.oracle.named_for_another(rollout, version);
                    }
                }
            }
        }
    }
}

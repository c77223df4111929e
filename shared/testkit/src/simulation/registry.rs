//! Registries tell of pushes, once or more often.

use jiff::Timestamp;
use tidegate_domain::webhook::{Headers, Request};
use tidegate_engine::error::EngineError;
use tidegate_engine::webhook::{Ingested, ingest};

use super::scenario::digest;
use super::stage::{Event, Owner, Stage, Value};

impl Stage {
    pub(super) fn push(&mut self, n: usize, repeat: usize) {
        let push = self.scenario.pushes[n].clone();
        let version = push.version;
        let at = self.scenario.start.as_millisecond() + push.at;
        let mut target = serde_json::json!({
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "repository": "acme/app",
            "tag": format!("v{version}"),
            "url": format!("https://docker.io/v2/acme/app/manifests/v{version}"),
        });
        if push.pinned {
            target["digest"] = digest(push.content).as_str().into();
        }
        let twin = u32::from(push.has_own_id(repeat));
        let body = serde_json::json!({ "events": [{
            "id": format!("00000000-0000-4000-8000-{twin:04}{version:08}"),
            "timestamp": Timestamp::from_millisecond(at).expect("within the calendar").to_string(),
            "action": "push", "target": target,
        }] });
        let headers: Headers =
            [("content-type", "application/vnd.docker.distribution.events.v1+json")].into_iter().collect();
        let body = body.to_string();
        let request = Request { headers: &headers, path_token: None, body: body.as_bytes() };
        let delivery = tidegate_domain::webhook::read(&request, None).expect("a delivery that can be read");
        self.coverage.met(if repeat > 0 { "push: comes again" } else { "push: comes" });
        self.tell(|| format!("push of v{version}, delivery {repeat}"));
        let (ports, settings, now) = (self.ports.clone(), self.settings.clone(), self.time());
        self.spawn_api(Owner::Push(n), async move {
            Value::Ingested(ingest(&ports, &settings, "docker-registry", &delivery, now).await)
        });
    }

    pub(super) fn ingested(&mut self, n: usize, result: Result<Ingested, EngineError>) {
        match result {
            Err(_) => self.after(15_000, Event::Push(n, 0)),
            Ok(ingested) => {
                for told in ingested.deliveries {
                    self.coverage.met(format!("webhook: {}", told.status));
                }
            }
        }
    }
}

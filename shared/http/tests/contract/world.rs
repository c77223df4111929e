//! A stack in this process, and a caller of it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tidegate_domain::ids::DeviceUuid;
use tidegate_domain::image::{Digest, ImageRef, Repository};
use tidegate_domain::policy::PolicyDefaults;
use tidegate_domain::webhook::Secrets;
use tidegate_engine::entities::device_images::{self, DeviceImage};
use tidegate_engine::entities::events;
use tidegate_engine::ports::Ports;
use tidegate_engine::settings::Settings;
use tidegate_engine::step;
use tidegate_http::AppState;
use tidegate_http::auth::{Access, ProvisioningKey, SigningKey, TokenHash, TokenList};
use tidegate_testkit::entropy::SeededEntropy;
use tidegate_testkit::memory::{Answer as RegistryAnswer, MemoryPorts};
use tower::ServiceExt;

pub(crate) const OPERATOR: &str = "operator-token-for-tests";
pub(crate) const PROVISIONING: &str = "provisioning-key-for-tests";
pub(crate) const NORTH_KEY: &str = "provisioning-key-of-the-north";
pub(crate) const WEBHOOK: &str = "webhook-secret-for-tests";
pub(crate) const NEXT_WEBHOOK: &str = "webhook-secret-after-the-next-rotation";
pub(crate) const SIGNING: &str = "signing-key-for-tests-0123456789abcdef";

pub(crate) const V1: &str = "docker.io/acme/app:v1";
pub(crate) const DIGEST_1: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
pub(crate) const DIGEST_2: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

/// A stack in this process.
pub(crate) struct World {
    routes: Router,
    pub(crate) ports: Ports,
    pub(crate) memory: MemoryPorts,
    settings: Settings,
    now: Arc<Mutex<Timestamp>>,
}

/// An answer, read.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body; `null` where there is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The value of a header; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Asserts the status and hands the body on.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }

    /// Asserts that it is a problem of this status whose fields include `pointer` (unless that is empty).
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, pointer: &str) -> Value {
        let problem = self.is(status);
        assert_eq!(self.header("content-type"), "application/problem+json");
        for field in ["type", "title", "status", "detail"] {
            assert!(!problem[field].is_null(), "{field} of {problem}");
        }
        assert_eq!(problem["status"], status);
        if !pointer.is_empty() {
            let errors = problem["errors"].as_array().cloned().unwrap_or_default();
            assert!(errors.iter().any(|error| error["pointer"] == pointer), "{pointer} in {problem}");
        }
        problem
    }
}

fn routes(ports: &Ports, now: &Arc<Mutex<Timestamp>>, settings: &Settings) -> Router {
    let clock = Arc::clone(now);
    let north = ProvisioningKey { fleets: Some(["north".to_owned()].into()) };
    let access = Access {
        operators: TokenList::new([(TokenHash::of(OPERATOR), ())]),
        provisioning: TokenList::new([
            (TokenHash::of(PROVISIONING), ProvisioningKey::default()),
            (TokenHash::of(NORTH_KEY), north),
        ]),
        webhooks: Some(Secrets::new([WEBHOOK, NEXT_WEBHOOK]).unwrap()),
        signing: SigningKey::new(SIGNING).unwrap(),
    };
    let state = AppState::new(ports.clone(), settings.clone(), access, Arc::new(move || *clock.lock().unwrap()));
    tidegate_http::all(state)
}

impl World {
    pub(crate) fn new() -> Self {
        crate::leaks::listen();
        let memory = MemoryPorts::default();
        let ports = memory.ports(Arc::new(SeededEntropy::new(7)));
        let now = Arc::new(Mutex::new("2026-11-23T12:00:00Z".parse().unwrap()));
        let settings = Settings::default();
        Self { routes: routes(&ports, &now, &settings), ports, memory, settings, now }
    }

    /// One whose answers have so few rollouts.
    pub(crate) fn answering(rollouts: u32) -> Self {
        let mut world = Self::new();
        world.deploy(Settings::default().with_rollouts_per_answer(rollouts));
        world
    }

    /// The stack is deployed anew, with other values for what policies leave out.
    pub(crate) fn redeploy(&mut self, defaults: PolicyDefaults) {
        self.deploy(Settings::new(defaults, Settings::default().pace));
    }

    fn deploy(&mut self, settings: Settings) {
        self.routes = routes(&self.ports, &self.now, &settings);
        self.settings = settings;
    }

    /// So many seconds from now, as bodies say it.
    pub(crate) fn time(&self, seconds: i64) -> String {
        (self.now() + SignedDuration::from_secs(seconds)).to_string()
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, seconds: i64) {
        let mut now = self.now.lock().unwrap();
        *now = now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    /// From now on a registry that can be asked says that the tag means this content, or that there is no such tag.
    pub(crate) fn registry_says(&self, image: &str, digest: Option<&str>) {
        let image = ImageRef::parse(image).unwrap();
        match digest {
            Some(digest) => {
                let digest = Digest::parse(digest).unwrap();
                self.memory.registry.set(image, RegistryAnswer::manifest(digest));
            }
            None => self.memory.registry.remove(&image),
        }
    }

    /// What became of a rollout: its status, what is said of that, and its digest.
    pub(crate) async fn rollout(&self, id: &str) -> (String, String, String) {
        let rollout = self.get(&format!("/api/v1/rollouts/{id}")).await.is(200);
        let text = |name: &str| rollout[name].as_str().unwrap_or_default().to_owned();
        (text("status"), text("waiting_for"), text("new_digest"))
    }

    /// Read units of every call so far.
    pub(crate) fn reads(&self) -> f64 {
        self.memory.store.meter().total().reads
    }

    /// Sends a request.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.routes.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    /// Sends a JSON body, or none.
    pub(crate) async fn call(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Answer {
        self.call_with(method, path, token, body, &[]).await
    }

    /// Sends a JSON body, or none, with further headers.
    pub(crate) async fn call_with(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, OPERATOR, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, OPERATOR, Some(body)).await
    }

    /// Enrols a device of a fleet that runs `app:v1`; its uuid and its token.
    pub(crate) async fn enrol(&self, fleet: &str) -> (String, String) {
        let body = json!({"fleet_id": fleet, "services": {"web": {"image": V1}}});
        let answer = self.call(Method::POST, "/api/v1/devices", PROVISIONING, Some(body)).await.is(201);
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        (text("uuid"), text("token"))
    }

    /// So many devices more of the fleet `north` that run a repository; nobody hears of them.
    pub(crate) async fn crowd(&self, repository: &str, devices: u32) {
        let repository = Repository::parse(repository).unwrap();
        for n in 0..devices {
            let random = self.ports.entropy.u128() ^ u128::from(n);
            let device_uuid = DeviceUuid(uuid::Builder::from_random_bytes(random.to_be_bytes()).into_uuid());
            let image = DeviceImage { device_uuid, fleet_id: "north".to_owned(), tags: [].into() };
            self.ports.store.write(&[device_images::put(&repository, &image)]).await.unwrap();
        }
    }

    /// A policy for `acme/app` of a fleet.
    pub(crate) async fn policy(&self, name: &str, fleet: &str) -> Value {
        let body = json!({"name": name, "image_pattern": "docker.io/acme/app:*", "fleet_id": fleet});
        self.post("/api/v1/image-policies", body).await.is(201)
    }

    /// A push of `acme/app` in the distribution's words.
    pub(crate) async fn push(&self, id: &str, tag: &str, digest: &str) -> Answer {
        let body = json!({"events": [{
            "id": id, "timestamp": self.now().to_string(), "action": "push",
            "target": {
                "mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "repository": "acme/app",
                "tag": tag, "url": format!("https://docker.io/v2/acme/app/manifests/{digest}"),
            },
            "request": {"id": "r", "host": "docker.io", "method": "PUT"},
        }]});
        let path = "/api/v1/webhooks/docker-registry";
        let kind = [("content-type", "application/vnd.docker.distribution.events.v1+json")];
        let mut request = Request::builder().method(Method::POST).uri(path);
        request = request.header(header::AUTHORIZATION, format!("Bearer {WEBHOOK}")).header(kind[0].0, kind[0].1);
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// The audit trail, oldest first.
    pub(crate) async fn audit(&self) -> Vec<Value> {
        let (events, _) = events::page(&*self.ports.store, events::AUDIT, None, None).await.unwrap();
        events.into_iter().map(|event| serde_json::to_value(event).unwrap()).collect()
    }

    /// Steps a rollout, as the sweep would.
    pub(crate) async fn nudge(&self, rollout: &str) {
        let id = tidegate_domain::ids::RolloutId::parse(rollout).unwrap();
        step::run(&self.ports, &id, self.now()).await.unwrap();
        self.settle().await;
    }

    /// Lets queues and streams run dry.
    pub(crate) async fn settle(&self) {
        self.memory.settle(&self.ports, &self.settings, self.now()).await.unwrap();
    }
}

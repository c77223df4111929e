//! Every sample delivery under `tests/fixtures/webhooks`, through authentication and reading, byte for byte.

use std::fs;
use std::path::PathBuf;

use hmac::{Hmac, Mac};
use proptest::prelude::*;
use sha2::Sha256;
use tidegate_domain::webhook::{Delivery, Entry, Headers, Kind, Proof, Refusal, Request, Secrets, authenticate, read};

const HUB_TOKEN: &str = "tg_hub_6Yc1v0m3Qn8sKz4WbTtL2xRdPqJfHe9A";
const GITHUB_SECRET: &str = "It's a Secret to Everybody 4711";

/// Every sample of the three kinds that are read.
const READ: [&str; 11] = [
    "docker-hub/push",
    "docker-hub/push-documented-shape",
    "ghcr/package-published-index",
    "ghcr/ping",
    "ghcr/registry-package-published",
    "ghcr/registry-package-untagged",
    "distribution/captured-2.8-pull",
    "distribution/captured-2.8-push-manifest",
    "distribution/captured-3.1-push-blob",
    "distribution/captured-3.1-push-index",
    "distribution/captured-3.1-push-manifest",
];

struct Sample {
    headers: Headers,
    body: Vec<u8>,
}

impl Sample {
    fn load(name: &str) -> Self {
        let base = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/webhooks");
        let headers = fs::read_to_string(base.join(format!("{name}.headers.txt"))).unwrap();
        Self {
            headers: headers.lines().filter_map(|line| line.split_once(": ")).collect(),
            body: fs::read(base.join(format!("{name}.json"))).unwrap(),
        }
    }

    fn request<'a>(&'a self, path_token: Option<&'a str>) -> Request<'a> {
        Request { headers: &self.headers, path_token, body: &self.body }
    }

    fn read(&self) -> Delivery {
        read(&self.request(None), None).unwrap()
    }
}

/// One line per entry: `push <image> @<event time>` or `<reason> <image> <tag>`.
fn told(delivery: &Delivery) -> Vec<String> {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    delivery
        .entries
        .iter()
        .map(|entry| match entry {
            Entry::Push(notice) => {
                format!("push {} at {}", notice.image(), notice.event_time.map_or("-".to_owned(), |t| t.to_string()))
            }
            Entry::Ignored(ignored) => {
                format!("{} {} {}", ignored.reason.as_str(), or_none(&ignored.image), or_none(&ignored.tag))
            }
        })
        .collect()
}

#[test]
fn the_three_kinds() {
    let cases = [
        ("docker-hub/push", Kind::DockerHub, "push docker.io/acmeiot/edge-gateway:1.4.2 at 2026-11-23T12:39:26Z"),
        (
            "docker-hub/push-documented-shape",
            Kind::DockerHub,
            "push docker.io/acmeiot/edge-gateway:1.4.3 at 2026-11-23T13:39:26Z",
        ),
        (
            "ghcr/package-published-index",
            Kind::Ghcr,
            "push ghcr.io/acme-iot/edge-gateway:1.4.2@sha256:c5d1c93e6ffaa4e20bb8427f53400b221fbcc30b3062b0c43fb8c8ca15278d8c at 2026-11-23T13:50:26Z",
        ),
        (
            "ghcr/registry-package-published",
            Kind::Ghcr,
            "push ghcr.io/acme-iot/field/sensor-bridge:0.9.2@sha256:19fd329c0a95c669bb3a6d06716f5b4712c775c38266cbb6f71a4ad926b0b946 at 2026-11-23T13:50:26Z",
        ),
        ("ghcr/registry-package-untagged", Kind::Ghcr, "untagged ghcr.io/acme-iot/edge-gateway -"),
        ("ghcr/ping", Kind::Ghcr, "ping - -"),
        (
            "distribution/captured-2.8-push-manifest",
            Kind::Distribution,
            "push 127.0.0.1:5901/acme/field/sensor-bridge:0.9.2@sha256:701eaa02115c3bcccf494963916d75219943a6dd32c433209129b3eb27e24547 at 2026-11-23T12:39:27.874243805Z",
        ),
        (
            "distribution/captured-3.1-push-manifest",
            Kind::Distribution,
            "push 127.0.0.1:5902/acme/edge-gateway:1.4.0@sha256:04a4f491621e5f4f338d35f0535b3dec0490fef30a04b7ce0ef8b8a7c0027b27 at 2026-11-23T12:50:47.573902552Z",
        ),
        (
            "distribution/captured-3.1-push-index",
            Kind::Distribution,
            "push 127.0.0.1:5902/acme/edge-gateway:1.5.0@sha256:68cd3200056730a76ac59630ae558518fb526c1dc803179c545a2c117479158f at 2026-11-23T12:50:52.068673218Z",
        ),
        ("distribution/captured-3.1-push-blob", Kind::Distribution, "not_an_image 127.0.0.1:5902/acme/edge-gateway -"),
        ("distribution/captured-2.8-pull", Kind::Distribution, "not_a_push 127.0.0.1:5901/acme/edge-gateway 1.4.0"),
        (
            "gitlab/registry-notification",
            Kind::Distribution,
            "push registry.gitlab.acme.example/acme/iot/edge-gateway:1.4.2@sha256:ea76057390296be0eb632deb572744b981e95fef9b14e18332f80813573ddf6c at 2026-11-23T12:39:26.572142325Z",
        ),
    ];
    for (name, kind, entry) in cases {
        let delivery = Sample::load(name).read();
        assert_eq!((delivery.kind, told(&delivery)), (kind, vec![entry.to_owned()]), "{name}");
    }
}

#[test]
fn other_kinds_are_recognised_and_never_misread() {
    let cases = [
        ("acr/event-grid-image-pushed", Kind::Acr),
        ("acr/event-grid-validation", Kind::Acr),
        ("acr/ping", Kind::Unknown),
        ("acr/push", Kind::Acr),
        ("alibaba/push", Kind::Alibaba),
        ("artifact-registry/insert-digest-only", Kind::ArtifactRegistry),
        ("artifact-registry/insert-tagged", Kind::ArtifactRegistry),
        ("artifactory/docker-pushed", Kind::Artifactory),
        ("cloudevents/cdevents-artifact-published", Kind::CloudEvents),
        ("cloudevents/ecr-input-transformer", Kind::CloudEvents),
        ("cloudevents/structured-image-pushed", Kind::CloudEvents),
        ("ecr/image-push", Kind::Ecr),
        ("ecr/image-push-untagged", Kind::Ecr),
        ("gitea/package-created", Kind::Gitea),
        ("gitea/package-created-by-digest", Kind::Gitea),
        ("harbor/push-artifact", Kind::Harbor),
        ("harbor/push-artifact-cloudevents", Kind::CloudEvents),
        ("harbor/push-artifact-untagged", Kind::Harbor),
        ("harbor/replication", Kind::Harbor),
        ("nexus/component-created", Kind::Nexus),
        ("quay/repo-push", Kind::Quay),
        ("quay/repo-push-several-tags", Kind::Quay),
        ("zot/image-updated", Kind::CloudEvents),
        ("zot/repository-created", Kind::CloudEvents),
    ];
    for (name, kind) in cases {
        let delivery = Sample::load(name).read();
        assert_eq!((delivery.kind, told(&delivery)), (kind, vec!["unsupported_event - -".to_owned()]), "{name}");
    }
}

#[test]
fn samples_prove_their_sender() {
    let cases = [
        ("docker-hub/push", HUB_TOKEN, Some(HUB_TOKEN), Proof::PathToken),
        ("docker-hub/push-documented-shape", HUB_TOKEN, Some(HUB_TOKEN), Proof::PathToken),
        ("ghcr/package-published-index", GITHUB_SECRET, None, Proof::Signature),
        ("ghcr/ping", GITHUB_SECRET, None, Proof::Signature),
        ("ghcr/registry-package-published", GITHUB_SECRET, None, Proof::Signature),
        ("ghcr/registry-package-untagged", GITHUB_SECRET, None, Proof::Signature),
        ("distribution/captured-2.8-push-manifest", "5f0b7f6d1c2e4f7e9a3d8c6b", None, Proof::Authorization),
        ("distribution/captured-3.1-push-index", "7c1e0c9b54b94a0fb0a2d9be6f3f5a21", None, Proof::Authorization),
        ("distribution/captured-3.1-push-index", "Bearer 7c1e0c9b54b94a0fb0a2d9be6f3f5a21", None, Proof::Authorization),
        ("gitlab/registry-notification", "gitlabRegistryToken7f3e", None, Proof::Authorization),
        ("gitea/package-created", "gitea-webhook-secret-51c2", None, Proof::Signature),
        ("artifactory/docker-pushed", "jfrog-signing-b-2c81", None, Proof::Signature),
        ("cloudevents/structured-image-pushed", "ce-hmac-b-6e2f", None, Proof::Signature),
    ];
    for (name, secret, path_token, proof) in cases {
        let mut sample = Sample::load(name);
        let secrets = Secrets::new([secret]).unwrap();
        assert_eq!(authenticate(&sample.request(path_token), &secrets), Ok(proof), "{name}");
        let rotated = Secrets::new(["the next one", secret]).unwrap();
        assert_eq!(authenticate(&sample.request(path_token), &rotated), Ok(proof), "{name}, rotating");
        let wrong = Secrets::new(["another"]).unwrap();
        assert!(authenticate(&sample.request(path_token), &wrong).is_err(), "{name}, wrong secret");
        assert!(authenticate(&sample.request(Some("another")), &secrets).is_err(), "{name}, wrong token beside it");
        if proof == Proof::Signature {
            sample.body.push(b' ');
            assert!(authenticate(&sample.request(path_token), &secrets).is_err(), "{name}, one byte more");
        }
    }
}

#[test]
fn a_form_says_what_its_json_says_and_is_signed_as_it_is() {
    let json = Sample::load("ghcr/package-published-index");
    let encoded: String = json.body.iter().flat_map(|b| ["%".to_owned(), hex::encode([*b])]).collect();
    let body = format!("payload={encoded}").into_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(GITHUB_SECRET.as_bytes()).unwrap();
    mac.update(&body);
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("X-GitHub-Event", "package"),
        ("X-GitHub-Delivery", "45c9331b-ae56-4fca-afed-4e0e972b42cb"),
        ("X-Hub-Signature-256", signature.as_str()),
    ];
    let form = Sample { headers: headers.into_iter().collect(), body };
    assert_eq!(authenticate(&form.request(None), &Secrets::new([GITHUB_SECRET]).unwrap()), Ok(Proof::Signature));
    assert_eq!(told(&form.read()), told(&json.read()));
}

#[test]
fn a_whole_push_of_two_platforms_is_one_entry() {
    let event = |name: &str| -> serde_json::Value {
        let body: serde_json::Value = serde_json::from_slice(&Sample::load(name).body).unwrap();
        body["events"][0].clone()
    };
    let index = event("distribution/captured-3.1-push-index");
    let mut platform = event("distribution/captured-3.1-push-manifest");
    platform["target"]["tag"] = serde_json::Value::Null;
    let blob = event("distribution/captured-3.1-push-blob");
    let pull = event("distribution/captured-2.8-pull");
    let body = serde_json::json!({"events": [blob, blob, pull, blob, blob, platform, platform, index]});
    let sample = Sample { body: body.to_string().into_bytes(), ..Sample::load("distribution/captured-3.1-push-blob") };
    let delivery = sample.read();
    assert_eq!(told(&delivery).len(), 1);
    assert!(told(&delivery)[0].starts_with("push 127.0.0.1:5902/acme/edge-gateway:1.5.0@"));
}

#[test]
fn what_cannot_be_parsed_is_refused_except_where_it_would_come_back_for_ever() {
    let headers = |content_type: &'static str| -> Headers { [("Content-Type", content_type)].into_iter().collect() };
    let deep = "[".repeat(100_000);
    for body in ["", "{", "{\"events\":", "\u{0}", "{} x", deep.as_str()] {
        let answer = |content_type| {
            let sample = Sample { headers: headers(content_type), body: body.as_bytes().to_vec() };
            read(&sample.request(None), None).map(|delivery| told(&delivery))
        };
        assert!(matches!(answer("application/json"), Err(Refusal::NotJson { .. })), "{body:.20}");
        for version in ["v1", "v2"] {
            let content_type = if version == "v1" {
                "application/vnd.docker.distribution.events.v1+json"
            } else {
                "application/vnd.docker.distribution.events.v2+json"
            };
            assert_eq!(answer(content_type), Ok(vec!["unreadable - -".to_owned()]), "{body:.20}, {version}");
        }
        assert_eq!(answer("text/plain"), Err(Refusal::UnsupportedMediaType), "{body:.20}");
    }
}

#[test]
fn an_envelope_under_a_plain_content_type_is_read_too() {
    let captured = Sample::load("distribution/captured-3.1-push-index");
    let headers = [("Content-Type", "application/json")].into_iter().collect();
    let plain = Sample { headers, body: captured.body.clone() };
    assert_eq!(told(&plain.read()), told(&captured.read()));
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let word = prop_oneof![
        Just("events"),
        Just("action"),
        Just("push"),
        Just("target"),
        Just("repository"),
        Just("tag"),
        Just("digest"),
        Just("package"),
        Just("registry_package"),
        Just("package_version"),
        Just("container_metadata"),
        Just("name"),
        Just("push_data"),
        Just("repo_name"),
        Just("pushed_at"),
        Just("published"),
        Just("references"),
        Just("url"),
        Just("owner"),
        Just("login"),
        Just("acme/app"),
        Just("1.4.2"),
        Just(""),
        Just("ghcr.io/:"),
        Just("://@/:"),
    ]
    .prop_map(str::to_owned);
    let text = prop_oneof![3 => word, 1 => any::<String>()];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<f64>().prop_map(|n| serde_json::json!(n)),
        any::<i64>().prop_map(|n| serde_json::json!(n)),
        text.clone().prop_map(Value::String),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((text.clone(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn some_headers() -> impl Strategy<Value = Headers> {
    let event = prop_oneof![Just("package"), Just("registry_package"), Just("ping"), Just("")];
    let content_type = prop_oneof![
        Just("application/json"),
        Just("application/vnd.docker.distribution.events.v2+json"),
        Just("application/x-www-form-urlencoded"),
    ];
    (prop::option::of(event), content_type).prop_map(|(event, content_type)| {
        event.map(|e| ("X-GitHub-Event", e)).into_iter().chain([("Content-Type", content_type)]).collect()
    })
}

fn check(headers: &Headers, body: &[u8]) {
    let request = Request { headers, path_token: None, body };
    assert!(authenticate(&request, &Secrets::new(["secret"]).unwrap()).is_err());
    if let Ok(delivery) = read(&request, None) {
        assert!(!delivery.entries.is_empty());
        let pushes = delivery.entries.iter().any(|entry| matches!(entry, Entry::Push(_)));
        assert!(pushes || delivery.entries.len() == 1);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(headers in some_headers(), body in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&headers, &body);
    }

    #[test]
    fn arbitrary_json_never_panics(headers in some_headers(), body in any_json()) {
        check(&headers, body.to_string().as_bytes());
    }

    #[test]
    fn samples_with_broken_bytes_never_panic(
        sample in 0..READ.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut sample = Sample::load(READ[sample]);
        for (at, byte) in changes {
            let at = at.index(sample.body.len());
            sample.body[at] = byte;
        }
        check(&Headers::default(), &sample.body);
        let unsigned: Headers = [("Content-Type", "application/json"), ("X-GitHub-Event", "package")].into_iter().collect();
        check(&unsigned, &sample.body);
        let _ = read(&sample.request(None), None);
    }

    #[test]
    fn samples_with_changed_members_never_panic(
        sample in 0..READ.len(),
        at in any::<prop::sample::Index>(),
        value in any_json(),
    ) {
        let sample = Sample::load(READ[sample]);
        let mut body: serde_json::Value = serde_json::from_slice(&sample.body).unwrap();
        let mut places = Vec::new();
        pointers(&body, String::new(), &mut places);
        *body.pointer_mut(&places[at.index(places.len())]).unwrap() = value;
        let sample = Sample { body: body.to_string().into_bytes(), ..sample };
        prop_assert!(!sample.read().entries.is_empty());
    }
}

/// The JSON pointer of every value.
fn pointers(value: &serde_json::Value, at: String, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            for (key, member) in members {
                pointers(member, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        serde_json::Value::Array(list) => {
            for (index, member) in list.iter().enumerate() {
                pointers(member, format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
    found.push(at);
}

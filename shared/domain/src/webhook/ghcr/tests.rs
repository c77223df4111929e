use super::*;
use serde_json::json;

const DIGEST: &str = "sha256:c5d1c93e6ffaa4e20bb8427f53400b221fbcc30b3062b0c43fb8c8ca15278d8c";
const OTHER: &str = "sha256:19fd329c0a95c669bb3a6d06716f5b4712c775c38266cbb6f71a4ad926b0b946";

/// A body as GitHub sends it, with `changes` set at their JSON pointers; `null` removes.
fn body(changes: &[(&str, Value)]) -> Value {
    let mut body = json!({
        "action": "published",
        "package": {
            "name": "edge-gateway", "namespace": "acme-iot", "package_type": "CONTAINER", "ecosystem": "CONTAINER",
            "updated_at": "2026-11-23T13:50:26Z", "owner": {"login": "Acme-IoT"},
            "package_version": {
                "version": DIGEST, "name": DIGEST, "updated_at": "0001-01-01T00:00:00Z",
                "container_metadata": {
                    "tag": {"name": "1.4.2", "digest": DIGEST},
                    "manifest": {
                        "digest": DIGEST, "media_type": "application/vnd.oci.image.manifest.v1+json",
                        "config": {"media_type": "application/vnd.oci.image.config.v1+json"},
                        "layers": [{"media_type": "application/vnd.oci.image.layer.v1.tar+gzip"}]
                    }
                },
                "package_url": "ghcr.io/Acme-IoT/edge-gateway:1.4.2"
            }
        }
    });
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        parent.insert(key.to_owned(), value.clone());
    }
    body
}

fn only(body: &Value, event: Option<&str>) -> Entry {
    let headers: Headers = event.map(|event| ("X-GitHub-Event", event)).into_iter().collect();
    let [entry] = entries(body, &headers, "b0d7", None).try_into().unwrap();
    entry
}

const TAG: &str = "/package/package_version/container_metadata/tag";
const MANIFEST: &str = "/package/package_version/container_metadata/manifest";

/// Label, changes, image.
type PushCase = (&'static str, Vec<(String, Value)>, String);

#[test]
fn pushes() {
    let name = "ghcr.io/acme-iot/edge-gateway";
    let at = |field: &str| format!("{TAG}/{field}");
    let index = "application/vnd.docker.distribution.manifest.list.v2+json";
    let cases: Vec<PushCase> = vec![
        ("as sent", vec![], format!("{name}:1.4.2@{DIGEST}")),
        ("updated", vec![("/action".into(), json!("updated"))], format!("{name}:1.4.2@{DIGEST}")),
        ("the old type", vec![("/package/package_type".into(), json!("docker"))], format!("{name}:1.4.2@{DIGEST}")),
        (
            "the type by ecosystem",
            vec![("/package/package_type".into(), json!(null))],
            format!("{name}:1.4.2@{DIGEST}"),
        ),
        (
            "no type at all",
            vec![("/package/package_type".into(), json!("")), ("/package/ecosystem".into(), json!(null))],
            format!("{name}:1.4.2@{DIGEST}"),
        ),
        (
            "an index",
            vec![(MANIFEST.into(), json!({"media_type": index, "config": {"media_type": ""}, "layers": []}))],
            format!("{name}:1.4.2@{DIGEST}"),
        ),
        (
            "name in parts",
            vec![("/package/name".into(), json!("Field/Bridge"))],
            format!("ghcr.io/acme-iot/field/bridge:1.4.2@{DIGEST}"),
        ),
        ("owner by namespace", vec![("/package/owner".into(), json!(null))], format!("{name}:1.4.2@{DIGEST}")),
        (
            "owner by URL",
            vec![("/package/owner".into(), json!({})), ("/package/namespace".into(), json!(""))],
            format!("{name}:1.4.2@{DIGEST}"),
        ),
        (
            "a namespace with a repository",
            vec![("/package/namespace".into(), json!("Acme-IoT/edge"))],
            format!("{name}:1.4.2@{DIGEST}"),
        ),
        (
            "digest of the manifest",
            vec![(at("digest"), json!("")), (format!("{MANIFEST}/digest"), json!(OTHER))],
            format!("{name}:1.4.2@{OTHER}"),
        ),
        (
            "digest by the version",
            vec![(at("digest"), json!("")), (MANIFEST.into(), json!({}))],
            format!("{name}:1.4.2@{DIGEST}"),
        ),
        (
            "a broken digest beside a good one",
            vec![(at("digest"), json!("sha256:6c62fb"))],
            format!("{name}:1.4.2@{DIGEST}"),
        ),
        (
            "no digest anywhere",
            vec![
                (at("digest"), json!(null)),
                (MANIFEST.into(), json!(null)),
                ("/package/package_version/version".into(), json!("1.4.2")),
            ],
            format!("{name}:1.4.2"),
        ),
    ];
    for (label, changes, image) in cases {
        let changes: Vec<(&str, Value)> = changes.iter().map(|(p, v)| (p.as_str(), v.clone())).collect();
        let Entry::Push(notice) = only(&body(&changes), Some("package")) else { panic!("{label}") };
        assert_eq!(notice.image().to_string(), image, "{label}");
        assert_eq!(notice.event_time, "2026-11-23T13:50:26Z".parse().ok(), "{label}");
    }
}

/// Label, event header, changes, reason.
type IgnoredCase<'a> = (&'a str, Option<&'a str>, Vec<(&'a str, Value)>, IgnoreReason);

#[test]
fn ignored() {
    use IgnoreReason::{InvalidReference, NotAPush, NotAnImage, Ping, Unreadable, UnsupportedEvent, Untagged};
    let package = Some("package");
    let tag = format!("{TAG}/name");
    let cases: Vec<IgnoredCase<'_>> = vec![
        ("ping", Some("ping"), vec![], Ping),
        ("push of commits", Some("push"), vec![], UnsupportedEvent),
        ("star", Some("star"), vec![], UnsupportedEvent),
        ("no package in it", package, vec![("/package", json!(null))], UnsupportedEvent),
        ("deleted", package, vec![("/action", json!("deleted"))], NotAPush),
        ("no action", package, vec![("/action", json!(null))], NotAPush),
        ("action of another type", package, vec![("/action", json!(7))], Unreadable),
        ("npm", package, vec![("/package/package_type", json!("npm"))], NotAnImage),
        ("untagged", package, vec![(&tag, json!(""))], Untagged),
        ("no tag", package, vec![(TAG, json!(null))], Untagged),
        (
            "a version is no tag",
            package,
            vec![(TAG, json!({})), ("/package/package_version/version", json!("1.4.2"))],
            Untagged,
        ),
        ("a digest is no tag", package, vec![(&tag, json!(DIGEST))], Untagged),
        ("signature", package, vec![(&tag, json!(format!("{}.sig", DIGEST.replace(':', "-"))))], NotAnImage),
        ("tag of another type", package, vec![(&tag, json!(1.4))], Unreadable),
        ("bad tag", package, vec![(&tag, json!("1.4/2"))], InvalidReference),
        (
            "chart",
            package,
            vec![(
                "/package/package_version/container_metadata/manifest/config",
                json!({"media_type": "application/vnd.cncf.helm.config.v1+json"}),
            )],
            NotAnImage,
        ),
        (
            "attestation",
            package,
            vec![(
                "/package/package_version/container_metadata/manifest/layers",
                json!([7, {"media_type": "application/vnd.in-toto+json"}]),
            )],
            NotAnImage,
        ),
        (
            "says that it is an artifact",
            package,
            vec![(
                "/package/package_version/container_metadata/manifest/artifact_type",
                json!("application/spdx+json"),
            )],
            NotAnImage,
        ),
        ("bad name", package, vec![("/package/name", json!("edge gateway"))], InvalidReference),
        (
            "every digest broken",
            package,
            vec![
                (TAG, json!({"name": "1", "digest": "sha256:6c"})),
                (MANIFEST, json!({})),
                ("/package/package_version/version", json!("")),
            ],
            InvalidReference,
        ),
        (
            "nobody owns it",
            package,
            vec![
                ("/package/owner", json!(null)),
                ("/package/namespace", json!(null)),
                ("/package/package_version/package_url", json!(null)),
            ],
            InvalidReference,
        ),
    ];
    for (label, event, changes, reason) in cases {
        let Entry::Ignored(entry) = only(&body(&changes), event) else { panic!("{label}") };
        assert_eq!(entry.reason, reason, "{label}");
        assert!(!entry.keys.is_empty(), "{label}");
    }
}

#[test]
fn the_missions_sample_names_no_owner() {
    let sample = json!({
        "action": "published",
        "package": {
            "name": "myapp",
            "package_version": {"version": "v2.0.1", "container_metadata": {"tag": {"name": "v2.0.1"}}}
        },
        "registry": {"url": "ghcr.io"}
    });
    let Entry::Ignored(entry) = only(&sample, None) else { panic!() };
    assert_eq!(entry.reason, IgnoreReason::InvalidReference);
    assert_eq!((entry.image.as_deref(), entry.tag.as_deref()), (Some("myapp"), Some("v2.0.1")));
}

#[test]
fn the_twin_event_says_the_same() {
    let mut twin = body(&[]);
    let package = twin.as_object_mut().unwrap().remove("package").unwrap();
    twin["registry_package"] = package;
    assert_eq!(only(&twin, Some("registry_package")), only(&body(&[]), Some("package")));
}

#[test]
fn a_foreign_host_is_noted_and_not_followed() {
    let foreign = body(&[("/package/package_version/package_url", json!("evil.example/acme-iot/edge-gateway:1.4.2"))]);
    let Entry::Push(notice) = only(&foreign, Some("package")) else { panic!() };
    assert_eq!(notice.repository.as_str(), "ghcr.io/acme-iot/edge-gateway");
    assert_eq!(notice.noted_host.as_deref(), Some("evil.example"));
}

#[test]
fn a_replay_under_a_new_id_is_known_by_its_body() {
    let keys = |id: Option<&str>, body_sha256| {
        let headers: Headers = id.map(|id| ("X-GitHub-Delivery", id)).into_iter().collect();
        keys(&headers, body_sha256)
    };
    let known = keys(Some("45c9331b"), "b0d7");
    let repeated = |later: Vec<DeliveryKey>| later.iter().any(|key| known.contains(key));
    assert!(repeated(keys(Some("45c9331b"), "b0d7")), "redelivered");
    assert!(repeated(keys(Some("99999999"), "b0d7")), "replayed under a new id");
    assert!(repeated(keys(None, "b0d7")), "replayed without an id");
    assert!(!repeated(keys(Some("99999999"), "ffff")), "another push");
}

use super::*;
use serde_json::json;

fn body(repo: &Value, push: &Value) -> Value {
    json!({"push_data": push, "repository": {"repo_name": repo}, "callback_url": "http://169.254.169.254/"})
}

fn only(body: &Value, host: Option<&str>) -> Entry {
    let [entry] = entries(body, host).try_into().unwrap();
    entry
}

#[test]
fn pushes() {
    let at = Some("2026-11-23T12:39:26Z");
    let cases: [(&str, Value, Value, &str, Option<&str>); 8] = [
        (
            "as sent",
            json!("acme/app"),
            json!({"tag": "1.4.2", "pushed_at": 1_795_437_566}),
            "docker.io/acme/app:1.4.2",
            at,
        ),
        (
            "float",
            json!("acme/app"),
            json!({"tag": "1.4.2", "pushed_at": 1.795_437_566e9}),
            "docker.io/acme/app:1.4.2",
            at,
        ),
        (
            "digits",
            json!("acme/app"),
            json!({"tag": "1.4.2", "pushed_at": "1795437566"}),
            "docker.io/acme/app:1.4.2",
            at,
        ),
        ("no time", json!("acme/app"), json!({"tag": "1.4.2"}), "docker.io/acme/app:1.4.2", None),
        (
            "time of another type",
            json!("acme/app"),
            json!({"tag": "1.4.2", "pushed_at": {"a": 1}}),
            "docker.io/acme/app:1.4.2",
            None,
        ),
        ("official image", json!("nginx"), json!({"tag": "1.4.2"}), "docker.io/library/nginx:1.4.2", None),
        (
            "official image in full",
            json!("library/nginx"),
            json!({"tag": "1.4.2"}),
            "docker.io/library/nginx:1.4.2",
            None,
        ),
        (
            "an image's config type",
            json!("acme/app"),
            json!({"tag": "1.4.2", "media_type": "application/vnd.docker.container.image.v1+json"}),
            "docker.io/acme/app:1.4.2",
            None,
        ),
    ];
    for (label, repo, push, image, time) in cases {
        let Entry::Push(notice) = only(&body(&repo, &push), None) else { panic!("{label}") };
        assert_eq!(notice.image().to_string(), image, "{label}");
        assert_eq!(notice.event_time, time.map(|t| t.parse().unwrap()), "{label}");
    }
}

#[test]
fn ignored() {
    use IgnoreReason::{InvalidReference, NotAnImage, Unreadable, Untagged};
    let signature = format!("sha256-{}.sig", "a".repeat(64));
    let cases = [
        ("no tag", json!("acme/app"), json!({"pushed_at": 1}), Untagged),
        ("empty tag", json!("acme/app"), json!({"tag": ""}), Untagged),
        ("null tag", json!("acme/app"), json!({"tag": null}), Untagged),
        ("tag of another type", json!("acme/app"), json!({"tag": 1.4}), Unreadable),
        ("bad tag", json!("acme/app"), json!({"tag": "1.4 2"}), InvalidReference),
        ("signature", json!("acme/app"), json!({"tag": signature}), NotAnImage),
        (
            "chart",
            json!("acme/app"),
            json!({"tag": "1", "media_type": "application/vnd.cncf.helm.config.v1+json"}),
            NotAnImage,
        ),
        (
            "some config",
            json!("acme/app"),
            json!({"tag": "1", "media_type": "application/vnd.acme.config.v1+json"}),
            NotAnImage,
        ),
        ("no repository", json!(null), json!({"tag": "1"}), InvalidReference),
        ("capitals", json!("Acme/app"), json!({"tag": "1"}), InvalidReference),
        ("path that climbs", json!("acme/../app"), json!({"tag": "1"}), InvalidReference),
        ("repository with a tag", json!("acme/app:2"), json!({"tag": "1"}), InvalidReference),
        ("repository of another type", json!(["acme/app"]), json!({"tag": "1"}), Unreadable),
    ];
    for (label, repo, push, reason) in cases {
        let Entry::Ignored(entry) = only(&body(&repo, &push), None) else { panic!("{label}") };
        assert_eq!(entry.reason, reason, "{label}");
    }
}

#[test]
fn keys_tell_pushes_apart() {
    let key = |push: Value| match only(&body(&json!("acme/app"), &push), None) {
        Entry::Push(notice) => notice.keys,
        Entry::Ignored(ignored) => panic!("{ignored:?}"),
    };
    let first = key(json!({"tag": "1", "pushed_at": 1_795_437_566}));
    assert_eq!(first[0].as_str(), "docker-hub/push/docker.io/acme/app:1@2026-11-23T12:39:26Z");
    assert_eq!(first, key(json!({"tag": "1", "pushed_at": 1_795_437_566.0, "pusher": "x"})), "a repeat");
    assert_ne!(first, key(json!({"tag": "1", "pushed_at": 1_795_437_567})), "a second later");
    assert_ne!(first, key(json!({"tag": "2", "pushed_at": 1_795_437_566})), "another tag");
    assert_eq!(key(json!({"tag": "1"})), [], "no time: every delivery may be a push of its own");
    assert_eq!(key(json!({"tag": "1", "pushed_at": "soon"})).len(), 1, "an odd time tells pushes apart all the same");
}

#[test]
fn a_configured_host_wins() {
    let Entry::Push(notice) = only(&body(&json!("acme/app"), &json!({"tag": "1"})), Some("https://mirror.example.com"))
    else {
        panic!()
    };
    assert_eq!(notice.repository.as_str(), "mirror.example.com/acme/app");
}

use super::*;
use serde_json::json;

const DIGEST: &str = "sha256:68cd3200056730a76ac59630ae558518fb526c1dc803179c545a2c117479158f";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A push as 3.1 sends it, with members of `target` set to others; `null` is as good as absent.
fn push(target: Value) -> Value {
    let mut event = json!({
        "id": "01a20875-9024-7a41-8936-51996536b127",
        "timestamp": "2026-11-23T12:50:52.068673218Z",
        "action": "push",
        "target": {
            "mediaType": MANIFEST, "digest": DIGEST, "size": 534, "length": 534, "repository": "acme/app",
            "url": format!("http://127.0.0.1:5902/v2/acme/app/manifests/{DIGEST}"), "tag": "1.5.0"
        },
        "request": {"id": "x", "addr": "127.0.0.1:58398", "host": "registry.example.com:5000", "method": "PUT"},
        "actor": {"name": "release-bot"},
        "source": {"addr": "vm:5902", "instanceID": "y"}
    });
    let Value::Object(members) = target else { panic!("members of target") };
    for (key, value) in members {
        event["target"][key] = value;
    }
    event
}

fn config(media_type: &str) -> Value {
    json!({"references": [{"mediaType": media_type}, {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}]})
}

#[test]
fn pushes() {
    let name = "127.0.0.1:5902/acme/app";
    let cases = [
        ("as sent, without references", json!({}), format!("{name}:1.5.0@{DIGEST}")),
        ("with references", config("application/vnd.oci.image.config.v1+json"), format!("{name}:1.5.0@{DIGEST}")),
        ("docker's config", config("application/vnd.docker.container.image.v1+json"), format!("{name}:1.5.0@{DIGEST}")),
        (
            "an index with an attestation in it",
            json!({"mediaType": INDEX, "references": [
                {"mediaType": MANIFEST, "platform": {"os": "linux", "architecture": "amd64"}},
                {"mediaType": MANIFEST, "platform": {"os": "unknown", "architecture": "unknown"}, "artifactType": "application/x"}
            ]}),
            format!("{name}:1.5.0@{DIGEST}"),
        ),
        (
            "docker's first schema",
            json!({"mediaType": "application/vnd.docker.distribution.manifest.v1+prettyjws", "references": [{"digest": DIGEST}]}),
            format!("{name}:1.5.0@{DIGEST}"),
        ),
        ("no media type", json!({"mediaType": ""}), format!("{name}:1.5.0@{DIGEST}")),
        ("no digest", json!({"digest": ""}), format!("{name}:1.5.0")),
        (
            "relative URL",
            json!({"url": "/v2/acme/app/manifests/x"}),
            format!("registry.example.com:5000/acme/app:1.5.0@{DIGEST}"),
        ),
        ("no URL", json!({"url": null}), format!("registry.example.com:5000/acme/app:1.5.0@{DIGEST}")),
        ("URL of another type", json!({"url": 7}), format!("registry.example.com:5000/acme/app:1.5.0@{DIGEST}")),
        ("one part", json!({"repository": "app"}), format!("127.0.0.1:5902/app:1.5.0@{DIGEST}")),
        ("many parts", json!({"repository": "a/b/c/d"}), format!("127.0.0.1:5902/a/b/c/d:1.5.0@{DIGEST}")),
        ("references of another type", json!({"references": {"a": 1}}), format!("{name}:1.5.0@{DIGEST}")),
        ("unknown fields", json!({"x": [1, {"y": null}]}), format!("{name}:1.5.0@{DIGEST}")),
    ];
    for (label, target, image) in cases {
        let Entry::Push(notice) = entry(&push(target), None) else { panic!("{label}") };
        assert_eq!(notice.image().to_string(), image, "{label}");
        assert_eq!(notice.event_time, "2026-11-23T12:50:52.068673218Z".parse().ok(), "{label}");
        assert_eq!(notice.keys[0].as_str(), "distribution/event/01a20875-9024-7a41-8936-51996536b127", "{label}");
    }
}

#[test]
fn ignored() {
    use IgnoreReason::{InvalidReference, NotAnImage, Unreadable, Untagged};
    let mounted = json!({"mediaType": "application/octet-stream", "tag": null, "fromRepository": "acme/base"});
    let cases = [
        ("blob", json!({"mediaType": "application/octet-stream", "tag": null}), NotAnImage),
        (
            "blob, as older ones sent it",
            json!({"mediaType": "application/vnd.docker.container.image.rootfs.diff+x-gtar", "tag": null}),
            NotAnImage,
        ),
        ("mounted blob", mounted, NotAnImage),
        ("platform of an index", json!({"tag": null}), Untagged),
        ("digest as tag", json!({"tag": DIGEST}), Untagged),
        ("chart", config("application/vnd.cncf.helm.config.v1+json"), NotAnImage),
        ("any other artifact", config("application/vnd.acme.rocket.config.v1+json"), NotAnImage),
        ("empty config", config("application/vnd.oci.empty.v1+json"), NotAnImage),
        (
            "signature under an image's config",
            json!({"references": [
                {"mediaType": "application/vnd.oci.image.config.v1+json"},
                {"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json"}
            ]}),
            NotAnImage,
        ),
        ("signature's tag", json!({"tag": format!("{}.sig", DIGEST.replace(':', "-"))}), NotAnImage),
        ("referrers' fallback tag", json!({"tag": DIGEST.replace(':', "-"), "mediaType": INDEX}), NotAnImage),
        (
            "an index of artifacts",
            json!({"mediaType": INDEX, "references": [{"mediaType": MANIFEST, "artifactType": "application/x"}]}),
            NotAnImage,
        ),
        (
            "an index of layers: a build cache",
            json!({"mediaType": INDEX, "references": [
                {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"},
                {"mediaType": "application/vnd.buildkit.cacheconfig.v0"}
            ]}),
            NotAnImage,
        ),
        ("artifact type", json!({"artifactType": "application/vnd.acme.rocket"}), NotAnImage),
        ("subject", json!({"subject": {"digest": DIGEST}}), NotAnImage),
        ("capitals", json!({"repository": "Acme/app"}), InvalidReference),
        ("no repository", json!({"repository": null}), InvalidReference),
        ("bad tag", json!({"tag": "-x"}), InvalidReference),
        ("bad digest", json!({"digest": "sha256:0123456789abcdef0"}), InvalidReference),
        ("tag of another type", json!({"tag": 15}), Unreadable),
        ("repository of another type", json!({"repository": {"name": "acme/app"}}), Unreadable),
    ];
    for (label, target, reason) in cases {
        let Entry::Ignored(entry) = entry(&push(target), None) else { panic!("{label}") };
        assert_eq!(entry.reason, reason, "{label}");
    }
}

#[test]
fn actions() {
    use IgnoreReason::{NotAPush, Unreadable};
    let with_action = |action: Value| {
        let mut event = push(json!({}));
        event["action"] = action;
        event
    };
    let deleted_tag = json!({"id": "x", "action": "delete", "target": {"repository": "acme/app", "tag": "1"}});
    let deleted_v3 = json!({"action": "delete", "target": {"mediaType": "", "digest": "", "repository": "acme/app"}});
    let cases = [
        ("pull", with_action(json!("pull")), NotAPush),
        ("mount", with_action(json!("mount")), NotAPush),
        ("delete of a tag", deleted_tag, NotAPush),
        ("delete of a repository, 3.x", deleted_v3, NotAPush),
        ("unknown action", with_action(json!("sing")), NotAPush),
        ("no action", with_action(json!(null)), Unreadable),
        ("action of another type", with_action(json!(["push"])), Unreadable),
        ("target of another type", json!({"action": "push", "target": "acme/app:1"}), Unreadable),
        ("a number", json!(7), Unreadable),
        ("a list", json!([1]), Unreadable),
        ("null", Value::Null, Unreadable),
    ];
    for (label, event, reason) in cases {
        let Entry::Ignored(entry) = entry(&event, None) else { panic!("{label}") };
        assert_eq!(entry.reason, reason, "{label}");
    }
}

#[test]
fn envelopes() {
    use IgnoreReason::Unreadable;
    let unreadable = vec![Entry::ignored(Unreadable)];
    let cases = [
        ("empty object", json!({}), vec![]),
        ("no events", json!({"events": []}), vec![]),
        ("null events", json!({"events": null}), vec![]),
        ("null", Value::Null, vec![]),
        ("events of another type", json!({"events": {"id": "x"}}), unreadable.clone()),
        ("a list without an envelope", json!([push(json!({}))]), unreadable.clone()),
        ("a number", json!(7), unreadable),
    ];
    for (label, body, expected) in cases {
        assert_eq!(entries(&body, None), expected, "{label}");
    }
}

#[test]
fn a_bad_event_spoils_no_other() {
    let body =
        json!({"events": [7, push(json!({"tag": 7})), push(json!({"tag": "2"})), {"action": "push"}, push(json!({}))]});
    let tags: Vec<String> = entries(&body, None)
        .iter()
        .filter_map(|e| if let Entry::Push(notice) = e { Some(notice.tag.to_string()) } else { None })
        .collect();
    assert_eq!(tags, ["2", "1.5.0"]);
}

#[test]
fn a_configured_host_wins_and_the_payloads_is_noted() {
    let Entry::Push(notice) = entry(&push(json!({})), Some("registry.example.com")) else { panic!() };
    assert_eq!(notice.repository.as_str(), "registry.example.com/acme/app");
    assert_eq!(notice.noted_host.as_deref(), Some("127.0.0.1:5902"));
}

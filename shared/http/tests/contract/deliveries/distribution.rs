//! The CNCF distribution registry.

use serde_json::{Value, json};

use super::{INDEX, MANIFEST, Sent, case, check, sha};

const V1: &str = "application/vnd.docker.distribution.events.v1+json";
const V2: &str = "application/vnd.docker.distribution.events.v2+json";

/// A push of a tagged manifest as 3.x tells it.
pub(super) fn push(id: &str, tag: &str, digit: char) -> Value {
    json!({
        "id": id, "timestamp": "2026-11-23T11:50:52.068673218Z", "action": "push",
        "target": {
            "mediaType": MANIFEST, "digest": sha(digit), "size": 534, "length": 534, "repository": "acme/app",
            "url": format!("https://docker.io/v2/acme/app/manifests/{}", sha(digit)), "tag": tag
        },
        "request": {
            "id": "01a20875", "addr": "127.0.0.1:58398", "host": "docker.io", "method": "PUT",
            "useragent": "docker/28.1.1 go/go1.23.8"
        },
        "actor": {}, "source": {"addr": "vm:5902", "instanceID": "01a20875-9024"}
    })
}

pub(super) fn sent(events: &Value) -> Sent {
    Sent::raw(V2, json!({ "events": events }).to_string())
}

/// A push with this member of its target set.
fn with(name: &str, value: Value) -> Value {
    let mut event = push("e1", "1.5.0", '6');
    event["target"][name] = value;
    event
}

/// The event with this member set.
fn set(mut event: Value, name: &str, value: Value) -> Value {
    event[name] = value;
    event
}

/// An event of another action, without a media type, digest or tag.
fn bare(action: &str, target: &Value) -> Value {
    json!({"id": "e9", "timestamp": "2026-11-23T11:50:52Z", "action": action, "target": target,
           "request": {"host": "docker.io", "method": "DELETE"}})
}

fn blob(action: &str) -> Value {
    json!({"id": "b1", "action": action, "target": {
        "mediaType": "application/octet-stream", "digest": sha('b'), "size": 3, "repository": "acme/app",
        "url": "https://docker.io/v2/acme/app/blobs/x"}})
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn deliveries() {
    let there = "no_policy docker.io/acme/app:1.5.0@6";
    let not_an_image = "ignored not_an_image docker.io/acme/app:1.5.0@6";
    let earlier = set(push("e2", "1.5.0", '7'), "timestamp", json!("2026-11-23T11:50:51Z"));
    let signature = format!("sha256-{}.sig", "6".repeat(64));
    let one = |event: Value| sent(&json!([event]));
    let body = json!({"events": [push("e1", "1.5.0", '6')]}).to_string();
    let platform = |digit| {
        let mut event = push("p", "x", digit);
        event["target"]["tag"] = Value::Null;
        event
    };
    let mut index = push("e1", "1.5.0", '6');
    index["target"]["mediaType"] = json!(INDEX);
    let whole = json!([blob("push"), blob("push"), blob("pull"), blob("mount"), platform('1'), platform('2'), index]);
    let reference = |types: [&str; 2]| json!([{"mediaType": types[0]}, {"mediaType": types[1]}]);
    let config = "application/vnd.oci.image.config.v1+json";
    let layer = "application/vnd.oci.image.layer.v1.tar+gzip";
    check(vec![
        case("2.x", Sent::raw(V1, body.clone()), there),
        case("3.x", Sent::raw(V2, body.clone()), there),
        case("with a parameter", Sent::raw(&format!("{V1}; charset=UTF-8"), body.clone()), there),
        case("in capitals", Sent::raw(&V2.to_uppercase(), body.clone()), there),
        case("plain JSON", Sent::raw("application/json", body.clone()), there),
        case("another +json", Sent::raw("application/problem+json", body.clone()), there),
        case("a byte order mark", Sent::raw(V2, format!("\u{feff}{body}")), there),
        case("a whole push of two platforms", sent(&whole), there),
        case("with references", one(with("references", reference([config, layer]))), there),
        case(
            "Docker's second schema",
            one(with("mediaType", json!("application/vnd.docker.distribution.manifest.v2+json"))),
            there,
        ),
        case("no media type", one(with("mediaType", json!(""))), there),
        case("no digest", one(with("digest", json!(""))), "no_policy docker.io/acme/app:1.5.0"),
        case("no time", one(set(push("e1", "1.5.0", '6'), "timestamp", Value::Null)), there),
        case("no id", one(set(push("e1", "1.5.0", '6'), "id", Value::Null)), there),
        case(
            "a time with an offset",
            one(set(push("e1", "1.5.0", '6'), "timestamp", json!("2016-03-09T14:44:26.402973972-08:00"))),
            there,
        ),
        case(
            "an actor",
            one(set(push("e1", "1.5.0", '6'), "actor", json!({"name": "ci", "user_type": "build"}))),
            there,
        ),
        case("unknown fields", one(with("x", json!({"y": 1}))), there),
        case("relative URL", one(with("url", json!("/v2/acme/app/manifests/1"))), there),
        case("no URL", one(with("url", json!(null))), there),
        case("a URL with a password", one(with("url", json!("https://docker.io@evil.example/v2/"))), there),
        case(
            "Docker Hub's other name",
            one(with("url", json!("https://index.docker.io/v2/acme/app/manifests/1"))),
            there,
        ),
        case(
            "another registry",
            one(with("url", json!("http://10.0.0.7:5000/v2/acme/app/manifests/1"))),
            "ignored repository_not_allowed 10.0.0.7:5000/acme/app:1.5.0@6",
        ),
        case(
            "many parts",
            one(with("repository", json!("a/b-c/d__e/f.g"))),
            "no_policy docker.io/a/b-c/d__e/f.g:1.5.0@6",
        ),
        case("one part", one(with("repository", json!("nginx"))), "no_policy docker.io/library/nginx:1.5.0@6"),
        case(
            "several tags",
            sent(&json!([push("e1", "1.5.0", '6'), push("e2", "latest", '6')])),
            "no_policy docker.io/acme/app:1.5.0@6, no_policy docker.io/acme/app:latest@6",
        ),
        case(
            "a tag twice: the last",
            sent(&json!([push("e1", "1.5.0", '6'), push("e2", "1.5.0", '7')])),
            "no_policy docker.io/acme/app:1.5.0@7",
        ),
        case("a tag twice: the latest", sent(&json!([push("e1", "1.5.0", '6'), earlier])), there),
        case(
            "a bad one beside a good one",
            sent(&json!([7, with("tag", json!(7)), push("e1", "1.5.0", '6')])),
            "no_policy docker.io/acme/app:1.5.0@6, ignored unreadable, ignored unreadable",
        ),
        case(
            "a signature beside its image",
            sent(&json!([push("e1", "1.5.0", '6'), with("tag", json!(signature))])),
            format!("no_policy docker.io/acme/app:1.5.0@6, ignored not_an_image docker.io/acme/app:{signature}@6"),
        ),
        case("an empty envelope", Sent::raw(V2, "{}"), "ignored not_a_push"),
        case("no events", Sent::raw(V2, r#"{"events":[]}"#), "ignored not_a_push"),
        case("null events", Sent::raw(V1, r#"{"events":null}"#), "ignored not_a_push"),
        case("a blob", one(blob("push")), "ignored not_an_image docker.io/acme/app@b"),
        case(
            "a blob and a pull",
            sent(&json!([blob("pull"), blob("push")])),
            "ignored not_an_image docker.io/acme/app@b",
        ),
        case(
            "a pull",
            one(set(push("e1", "1.5.0", '6'), "action", json!("pull"))),
            "ignored not_a_push docker.io/acme/app:1.5.0@6",
        ),
        case("a mount", one(blob("mount")), "ignored not_a_push docker.io/acme/app@b"),
        case("a platform", one(platform('1')), "ignored untagged docker.io/acme/app@1"),
        case(
            "a digest for a tag",
            one(with("tag", json!(sha('6')))),
            format!("ignored untagged docker.io/acme/app:{}@6", sha('6')),
        ),
        case(
            "a tag is deleted, 2.x",
            one(bare("delete", &json!({"repository": "acme/app", "tag": "1"}))),
            "ignored not_a_push docker.io/acme/app:1",
        ),
        case(
            "a tag is deleted, 3.x",
            one(bare(
                "delete",
                &json!({"mediaType": "", "digest": "", "size": 0, "repository": "acme/app", "tag": "1"}),
            )),
            "ignored not_a_push docker.io/acme/app:1",
        ),
        case(
            "a digest is deleted",
            one(bare("delete", &json!({"digest": sha('6'), "repository": "acme/app"}))),
            "ignored not_a_push docker.io/acme/app@6",
        ),
        case(
            "a repository is deleted",
            one(bare("delete", &json!({"mediaType": "", "digest": "", "repository": "acme/app"}))),
            "ignored not_a_push docker.io/acme/app",
        ),
        case(
            "a chart",
            one(with(
                "references",
                reference([
                    "application/vnd.cncf.helm.config.v1+json",
                    "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                ]),
            )),
            not_an_image,
        ),
        case(
            "a signature",
            one(with("references", reference([config, "application/vnd.dev.cosign.simplesigning.v1+json"]))),
            not_an_image,
        ),
        case(
            "an attestation",
            one(with("references", reference([config, "application/vnd.in-toto+json"]))),
            not_an_image,
        ),
        case(
            "an SBOM",
            one(with("references", reference(["application/vnd.oci.empty.v1+json", "application/spdx+json"]))),
            not_an_image,
        ),
        case("an artifact", one(with("artifactType", json!("application/vnd.example"))), not_an_image),
        case("a referrer", one(with("subject", json!({"digest": sha('1')}))), not_an_image),
        case(
            "no host that devices could use",
            one(set(with("url", json!("http://registry/v2/")), "request", json!({}))),
            "ignored invalid_reference acme/app:1.5.0@6",
        ),
        case("capitals", one(with("repository", json!("Acme/App"))), "ignored invalid_reference Acme/App:1.5.0@6"),
        case(
            "a broken digest",
            one(with("digest", json!("sha256:12"))),
            "ignored invalid_reference docker.io/acme/app:1.5.0@1",
        ),
        case("events of another type", Sent::raw(V2, r#"{"events":{"id":"x"}}"#), "ignored unreadable"),
        case("a list", Sent::raw(V2, "[]"), "ignored not_a_push"),
        case("cut", Sent::raw(V2, &body.as_bytes()[..200]), "ignored unreadable"),
        case("not UTF-8", Sent::raw(V1, b"{\"events\":[\"\xFF\"]}".as_slice()), "ignored unreadable"),
        case("cut, as plain JSON", Sent::raw("application/json", &body.as_bytes()[..200]), "400"),
        case(
            "cut, from GitLab",
            Sent::json(&json!(1)).with("x-gitlab-event", "Push Hook"),
            "ignored unsupported_event",
        ),
        case(
            "somebody else's events",
            Sent::json(&json!({"events": [{"type": "message"}]})),
            "ignored unsupported_event",
        ),
        case("nobody's", Sent::json(&json!({"hello": "world"})), "ignored unsupported_event"),
    ])
    .await;
}

#[tokio::test]
async fn what_cannot_be_read_is_told_to_somebody() {
    let world = crate::world::World::new();
    Sent::raw(V2, r#"{"events":["#).deliver(&world).await.is(202);
    let events = world.audit().await;
    assert_eq!(
        (events[0]["name"].as_str(), &events[0]["detail"]["unreadable"]),
        (Some("image.webhook_received"), &json!(1))
    );
    sent(&json!([push("e1", "1", '1')])).deliver(&world).await.is(202);
    assert!(world.audit().await[1]["detail"]["unreadable"].is_null());
}

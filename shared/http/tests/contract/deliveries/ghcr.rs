//! GitHub's container registry.

use serde_json::{Value, json};

use super::{INDEX, MANIFEST, PATH, Sent, case, check, sha};
use crate::world::{WEBHOOK, World};

/// The body of an event: the package under this key.
pub(super) fn body(key: &str, tag: &str, digit: char) -> Value {
    let digest = sha(digit);
    let mut body = json!({
        "action": "published",
        "repository": {"id": 1, "full_name": "Acme-IoT/edge", "owner": {"login": "Acme-IoT"}},
        "organization": {"login": "Acme-IoT"},
        "sender": {"login": "octocat", "type": "User"}
    });
    body[key] = json!({
        "id": 9_056_325, "name": "Edge-Gateway", "namespace": "Acme-IoT", "description": "", "ecosystem": "CONTAINER",
        "package_type": "CONTAINER", "html_url": "https://github.com/Acme-IoT/packages/9056325",
        "created_at": "2026-01-19T19:21:05Z", "updated_at": "2026-11-23T11:50:26Z",
        "owner": {"login": "Acme-IoT", "id": 7_076_013, "type": "Organization"},
        "package_version": {
            "id": 564_296_961, "version": digest, "name": digest, "description": "", "summary": "", "manifest": "",
            "created_at": "0001-01-01T00:00:00Z", "updated_at": "0001-01-01T00:00:00Z", "metadata": [],
            "container_metadata": {
                "tag": {"name": tag, "digest": if tag.is_empty() { "" } else { &digest }},
                "labels": {"description": "", "all_labels": {"github.internal.platforms": "[{\"architecture\":\"arm64\"}]"}},
                "manifest": {
                    "digest": digest, "media_type": MANIFEST, "uri": format!("repositories/acme-iot/edge-gateway/manifests/{digest}"),
                    "size": 685, "config": {"digest": digest, "media_type": "application/vnd.oci.image.config.v1+json", "size": 1},
                    "layers": [{"digest": digest, "media_type": "application/vnd.oci.image.layer.v1.tar+gzip", "size": 1}]
                }
            },
            "package_files": [], "installation_command": "docker pull ghcr.io/Acme-IoT/Edge-Gateway:1",
            "package_url": format!("ghcr.io/Acme-IoT/Edge-Gateway:{tag}")
        },
        "registry": {"name": "GitHub CONTAINER registry", "type": "CONTAINER", "url": "https://CONTAINER.pkg.github.com/Acme-IoT"}
    });
    body
}

fn event(name: &str, body: &Value) -> Sent {
    Sent::json(body).with("x-github-event", name).with("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
}

/// A `package` event with this member of the package set; `null` takes it away.
fn with(pointer: &str, value: &Value) -> Sent {
    let mut body = body("package", "1.4.2", 'c');
    let pointer = format!("/package{pointer}");
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[name] = value.clone();
    event("package", &body)
}

fn action(action: &str) -> Sent {
    let mut body = body("package", "1.4.2", 'c');
    body["action"] = json!(action);
    event("package", &body)
}

const METADATA: &str = "/package_version/container_metadata";

fn metadata(pointer: &str, value: &Value) -> Sent {
    with(&format!("{METADATA}{pointer}"), value)
}

fn form(payload: &Value) -> Sent {
    let encoded: String = payload.to_string().bytes().fold(String::from("payload="), |text, b| match b {
        b' ' => text + "+",
        b if b.is_ascii_alphanumeric() => text + char::from(b).to_string().as_str(),
        b => text + &format!("%{b:02X}"),
    });
    Sent::raw("application/x-www-form-urlencoded; charset=utf-8", encoded).with("x-github-event", "package")
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn deliveries() {
    let there = "no_policy ghcr.io/acme-iot/edge-gateway:1.4.2@c";
    let not_an_image = "ignored not_an_image ghcr.io/acme-iot/edge-gateway:1.4.2@c";
    let package = body("package", "1.4.2", 'c');
    let both = json!({"action": "published", "package": {}, "registry_package": package["package"]});
    let attestation = format!("sha256-{}", "a".repeat(64));
    let mut seed = json!({"action": "published", "package": {"name": "app", "package_type": "container",
        "package_version": {"version": "v2.0.1", "container_metadata": {"tag": {"name": "v2.0.1"}}}}});
    let seeds_own = Sent::json(&seed);
    seed["package"]["package_version"]["package_url"] = json!("ghcr.io/acme/app:v2.0.1");
    check(vec![
        case("a repository's hook", event("package", &package), there),
        case("an App's", event("registry_package", &body("registry_package", "1.4.2", 'c')), there),
        case("an App's under the hook's name", event("package", &body("registry_package", "1.4.2", 'c')), there),
        case("an empty twin beside it", event("package", &both), there),
        case("updated", action("updated"), there),
        case("a form", form(&package), there),
        case(
            "a form with more fields",
            Sent { body: [b"a=1&", form(&package).body.as_slice(), b"&b"].concat(), ..form(&package) },
            there,
        ),
        case(
            "a form without the header",
            Sent { fields: vec![form(&package).fields[0].clone()], ..form(&package) },
            "415",
        ),
        case("a form without a payload", Sent { body: b"a=1".to_vec(), ..form(&package) }, "400"),
        case("without the header", Sent::json(&package), there),
        case("the header in capitals", Sent::json(&package).with("X-GitHub-Event", "package"), there),
        case(
            "an index has no config",
            metadata("/manifest", &json!({"digest": sha('c'), "media_type": INDEX, "config": {}})),
            there,
        ),
        case(
            "a list of manifests",
            metadata("/manifest/media_type", &json!("application/vnd.docker.distribution.manifest.list.v2+json")),
            there,
        ),
        case("a type with a parameter", metadata("/manifest/media_type", &json!(format!("{MANIFEST}; x=y"))), there),
        case(
            "docker's config",
            metadata("/manifest/config/media_type", &json!("application/vnd.docker.container.image.v1+json")),
            there,
        ),
        case("no type at all", metadata("/manifest", &Value::Null), there),
        case("no owner, but a namespace", with("/owner", &Value::Null), there),
        case("only a URL tells the owner", Sent::json(&seed), "no_policy ghcr.io/acme/app:v2.0.1"),
        case("a namespace with more in it", with("/namespace", &json!("Acme-IoT/edge")), there),
        case("old type", with("/package_type", &json!("docker")), there),
        case(
            "a name of several parts",
            with("/name", &json!("Field/Sensor-Bridge")),
            "no_policy ghcr.io/acme-iot/field/sensor-bridge:1.4.2@c",
        ),
        case("the manifest's digest alone", metadata("/tag/digest", &json!("")), there),
        case(
            "no digest anywhere",
            {
                let mut body = package.clone();
                let version = &mut body["package"]["package_version"];
                (version["version"], version["name"]) = (json!(""), json!(""));
                version["container_metadata"] = json!({"tag": {"name": "1.4.2"}});
                event("package", &body)
            },
            "no_policy ghcr.io/acme-iot/edge-gateway:1.4.2",
        ),
        case("unknown fields", with("/x", &json!([{"y": 1}])), there),
        case(
            "untagged",
            event("package", &body("package", "", 'd')),
            "ignored untagged ghcr.io/acme-iot/edge-gateway@d",
        ),
        case("untagged, no tag", metadata("/tag", &Value::Null), "ignored untagged ghcr.io/acme-iot/edge-gateway@c"),
        case(
            "a digest for a tag",
            metadata("/tag/name", &json!(sha('c'))),
            format!("ignored untagged ghcr.io/acme-iot/edge-gateway:{}@c", sha('c')),
        ),
        case(
            "an attestation's tag",
            metadata("/tag/name", &json!(attestation)),
            format!("ignored not_an_image ghcr.io/acme-iot/edge-gateway:{attestation}@c"),
        ),
        case(
            "a chart",
            metadata("/manifest/config/media_type", &json!("application/vnd.cncf.helm.config.v1+json")),
            not_an_image,
        ),
        case(
            "a signature",
            metadata("/manifest/layers/0/media_type", &json!("application/vnd.dev.cosign.simplesigning.v1+json")),
            not_an_image,
        ),
        case(
            "an attestation",
            metadata("/manifest/layers/0/media_type", &json!("application/vnd.in-toto+json")),
            not_an_image,
        ),
        case("an SBOM", metadata("/manifest/layers/0/media_type", &json!("application/spdx+json")), not_an_image),
        case("an artifact", metadata("/manifest/artifact_type", &json!("application/vnd.example")), not_an_image),
        case(
            "an empty config",
            metadata("/manifest/config/media_type", &json!("application/vnd.oci.empty.v1+json")),
            not_an_image,
        ),
        case("another ecosystem", with("/package_type", &json!("npm")), not_an_image),
        case("deleted", action("deleted"), "ignored not_a_push ghcr.io/acme-iot/edge-gateway:1.4.2@c"),
        case("no action", action(""), "ignored not_a_push ghcr.io/acme-iot/edge-gateway:1.4.2@c"),
        case("no digest of sense", metadata("/tag/digest", &json!("sha256:xyz")), there),
        case(
            "a tag that is none",
            metadata("/tag/name", &json!("a b")),
            "ignored invalid_reference ghcr.io/acme-iot/edge-gateway:a b@c",
        ),
        case("a name that is none", with("/name", &json!("a//b")), "ignored invalid_reference acme-iot/a//b:1.4.2@c"),
        case(
            "an owner that climbs",
            with("/owner/login", &json!("..")),
            "ignored invalid_reference ../edge-gateway:1.4.2@c",
        ),
        case("the seed's own sample", seeds_own, "ignored invalid_reference app:v2.0.1"),
        case("a name of another type", with("/name", &json!(7)), "ignored unreadable"),
        case("a ping", event("ping", &json!({"zen": "Keep it logically awesome.", "hook_id": 1})), "ignored ping"),
        case("a star", event("star", &json!({"action": "created"})), "ignored unsupported_event"),
        case("a push of commits", event("push", &json!({"ref": "refs/heads/main"})), "ignored unsupported_event"),
        case("a package without one", event("package", &json!({"action": "published"})), "ignored unsupported_event"),
        case(
            "Gitea in GitHub's clothes",
            event("package", &package).with("x-gitea-event", "package"),
            "ignored unsupported_event",
        ),
        case(
            "cut",
            Sent { body: package.to_string().into_bytes()[..900].to_vec(), ..event("package", &package) },
            "400",
        ),
    ])
    .await;
}

#[tokio::test]
async fn the_signature_is_over_what_was_sent() {
    let package = body("package", "1.4.2", 'c');
    for sent in [event("package", &package), form(&package)] {
        let world = World::new();
        let right = sent.clone().signed_by(WEBHOOK);
        right.to(&world, PATH).await.is(202);
        let other = Sent { body: [right.body.as_slice(), b" "].concat(), ..right.clone() };
        other.to(&world, PATH).await.is_problem(401, "");
        let sha1 = sent.clone().with("x-hub-signature", "sha1=75726c4ec6ca73eaf11f87bdf6be5e0f046eb093");
        sha1.to(&world, PATH).await.is_problem(401, "");
        sent.with("x-hub-signature-256", "").to(&world, PATH).await.is_problem(401, "");
    }
}

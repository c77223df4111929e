//! Docker Hub.

use serde_json::{Value, json};

use super::{Sent, case, check};

fn push(repo_name: &str, tag: &Value, pushed_at: &Value) -> Value {
    json!({
        "callback_url": "https://registry.hub.docker.com/u/acme/app/hook/2141b5bi5i5b02bec211i4eeih0242eg11000a/",
        "push_data": {"images": null, "pushed_at": pushed_at, "pusher": "acme", "tag": tag},
        "repository": {
            "comment_count": 0, "date_created": 1_417_494_799, "description": "", "dockerfile": "FROM x\n",
            "full_description": "Docker Hub based automated build", "is_official": false, "is_private": true,
            "is_trusted": true, "name": "app", "namespace": "acme", "owner": "acme", "repo_name": repo_name,
            "repo_url": "https://hub.docker.com/r/acme/app/", "star_count": 0, "status": "Active"
        }
    })
}

fn sent(repo_name: &str, tag: &Value, pushed_at: &Value) -> Sent {
    Sent::json(&push(repo_name, tag, pushed_at))
}

fn tagged(tag: &str) -> Sent {
    sent("acme/app", &json!(tag), &json!(1_417_566_161))
}

/// A push with this member of `push_data` or, where there is none of that name, of the whole.
fn with(pointer: &str, value: Value) -> Sent {
    let mut body = push("acme/app", &json!("1.4.2"), &json!(1_417_566_161));
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[name] = value;
    Sent::json(&body)
}

#[tokio::test]
async fn deliveries() {
    let there = "no_policy docker.io/acme/app:1.4.2";
    let long = "a".repeat(128);
    let readme = "# Read me\n\u{1f680} \u{202e}\"quoted\" \\ {{ }} ".repeat(20_000);
    let cut = r#"{"push_data":{"tag":"1.4.2"},"repository":{"repo_name":"acme/app","full_description":"half \ud83d"}}"#;
    let signature = format!("sha256-{}.sig", "a".repeat(64));
    check(vec![
        case("as documented", tagged("1.4.2"), there),
        case("a float", sent("acme/app", &json!("1.4.2"), &json!(1.417_566_161e9)), there),
        case("a float with a fraction", sent("acme/app", &json!("1.4.2"), &json!(1_417_566_161.25)), there),
        case("a text", sent("acme/app", &json!("1.4.2"), &json!("1417566161")), there),
        case("milliseconds", sent("acme/app", &json!("1.4.2"), &json!(1_417_566_161_000_i64)), there),
        case("no time", sent("acme/app", &json!("1.4.2"), &Value::Null), there),
        case("a time of no sense", sent("acme/app", &json!("1.4.2"), &json!([])), there),
        case("a time before 1970", sent("acme/app", &json!("1.4.2"), &json!(-1)), there),
        case("a whole README", with("/repository/full_description", json!(readme)), there),
        case("half a character at the end", Sent::raw("application/json", cut), there),
        case("images", with("/push_data/images", json!([])), there),
        case("images of another type", with("/push_data/images", json!({"x": 1})), there),
        case("unknown fields", with("/push_data/x", json!({"y": [null, 1e9]})), there),
        case("unknown fields outside", with("/x", json!("y")), there),
        case("platform digests of hardened images", with("/dhi_metadata", json!({"linux/arm64": "sha256:1"})), there),
        case("a callback into somewhere", with("/callback_url", json!("http://169.254.169.254/latest/")), there),
        case(
            "a config's type",
            with("/push_data/media_type", json!("application/vnd.oci.image.config.v1+json")),
            there,
        ),
        case("official image", sent("library/nginx", &json!("1"), &json!(1)), "no_policy docker.io/library/nginx:1"),
        case("official image, short", sent("nginx", &json!("1"), &json!(1)), "no_policy docker.io/library/nginx:1"),
        case("latest", tagged("latest"), "no_policy docker.io/acme/app:latest"),
        case("a long tag", tagged(&long), format!("no_policy docker.io/acme/app:{long}")),
        case("no tag", sent("acme/app", &Value::Null, &json!(1)), "ignored untagged docker.io/acme/app"),
        case("empty tag", tagged(""), "ignored untagged docker.io/acme/app"),
        case("tag of another type", sent("acme/app", &json!(1.4), &json!(1)), "ignored unreadable"),
        case("a signature", tagged(&signature), format!("ignored not_an_image docker.io/acme/app:{signature}")),
        case(
            "a chart",
            with("/push_data/media_type", json!("application/vnd.cncf.helm.config.v1+json")),
            "ignored not_an_image docker.io/acme/app:1.4.2",
        ),
        case("a tag that is none", tagged("-x"), "ignored invalid_reference docker.io/acme/app:-x"),
        case(
            "a repository in capitals",
            sent("Acme/app", &json!("1"), &json!(1)),
            "ignored invalid_reference Acme/app:1",
        ),
        case("a repository that climbs", sent("../app", &json!("1"), &json!(1)), "ignored invalid_reference ../app:1"),
        case(
            "another host in the name",
            sent("evil.example/x", &json!("1"), &json!(1)),
            "no_policy docker.io/evil.example/x:1",
        ),
        case("no repository", sent("", &json!("1"), &json!(1)), "ignored invalid_reference:1"),
        case(
            "cut",
            Sent::raw("application/json", &push("a/b", &json!("1"), &json!(1)).to_string().as_bytes()[..120]),
            "400",
        ),
        case("no body", Sent::raw("application/json", ""), "400"),
        case("a form", Sent::raw("application/x-www-form-urlencoded", "payload=%7B%7D"), "415"),
        case("plain text", Sent::raw("text/plain", push("a/b", &json!("1"), &json!(1)).to_string()), "415"),
    ])
    .await;
}

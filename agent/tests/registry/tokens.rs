//! Tokens that a registry wants and another place issues.

use serde_json::json;
use tidegate_agent::fault::Reason;

use crate::made_up::{Answer, Asked, MadeUp};
use crate::push;
use crate::setup::{Folder, anonymous, platform, tagged, with_logins};

const CONFIG_AND_LAYER: (&str, &[u8]) = ("linux/amd64", b"layer");

/// Lets in who shows the token, which the same server issues.
fn answer(asked: &Asked, host: &str, _: usize) -> Answer {
    let path = asked.line.split(' ').nth(1).unwrap_or_default();
    if path.starts_with("/token") {
        let scope = "service=made-up&scope=repository%3Aapp%3Apull";
        let by_login =
            asked.line == format!("GET /token?{scope}") && asked.authorization.as_deref() == Some("Basic dTpw");
        let form = format!("grant_type=refresh_token&client_id=tidegate-agent&{scope}&refresh_token=let+me");
        let by_identity = asked.line == "POST /token" && asked.body == form;
        let issued = by_login || by_identity;
        return if issued { Answer::new(200, r#"{"token": "issued"}"#) } else { Answer::new(401, "") };
    }
    if asked.authorization.as_deref() != Some("Bearer issued") {
        let challenge = format!(r#"Bearer realm="http://{host}/token",service="made-up",scope="repository:all:push""#);
        return Answer::new(401, "").header("www-authenticate", &challenge);
    }
    let config = push::config(CONFIG_AND_LAYER.0);
    if path.contains("/blobs/") {
        return Answer::new(200, config);
    }
    Answer::new(200, push::manifest(&config, CONFIG_AND_LAYER.1).to_string())
}

#[tokio::test]
async fn a_token_is_asked_for_as_the_login_says_and_shown_from_then_on() {
    for (label, login, issued) in [
        ("a password", json!({"username": "u", "password": "p"}), true),
        ("an identity token", json!({"identitytoken": "let me"}), true),
        ("a wrong password", json!({"username": "u", "password": "q"}), false),
        ("no login", json!({}), false),
    ] {
        let (folder, registry) = (Folder::new(), MadeUp::start(answer).await);
        let client = with_logins(&folder, &json!({"auths": {registry.host(): login}}));
        let looked = client.look(&tagged(registry.host(), "app:v1"), &platform("linux/amd64")).await;
        match looked {
            Ok(_) => assert!(issued, "{label}"),
            Err(fault) => assert!(!issued && fault.reason == Reason::RegistryDenied, "{label}: {fault}"),
        }
        let lines: Vec<String> = registry.asked().into_iter().map(|asked| asked.line).collect();
        let tokens = lines.iter().filter(|line| line.contains("/token")).count();
        assert_eq!(tokens, 1, "one token serves manifest and config: {label}: {lines:?}");
    }
}

#[tokio::test]
async fn challenges_that_cannot_be_met_are_a_refusal() {
    for (label, challenge) in [
        ("another kind", "Negotiate"),
        ("no address", r#"Bearer realm="/token""#),
        ("no address of the web", r#"Bearer realm="file:///etc/passwd""#),
        ("a login that we do not have", r#"Basic realm="x""#),
    ] {
        let registry = MadeUp::start(move |_, _, _| Answer::new(401, "").header("www-authenticate", challenge)).await;
        let image = tagged(registry.host(), "app:v1");
        let fault = anonymous().look(&image, &platform("linux/amd64")).await.expect_err(label);
        assert_eq!(fault.reason, Reason::RegistryDenied, "{label}: {fault}");
        assert_eq!(registry.asked().len(), 1, "{label}");
    }
}

//! The registry adapter against a real registry (CNCF distribution, Debian's `docker-registry`), and against made-up
//! ones for what that does not do: tokens from elsewhere, redirects, cut manifests.
//!
//! Where the program is missing its tests say so and count as skipped, unless `TIDEGATE_REQUIRE_REGISTRY=1`.

mod made_up;
mod push;
mod real;

use serde_json::json;
use tidegate_aws::registry::HttpRegistry;
use tidegate_aws::registry_credentials::RegistryCredentials;
use tidegate_domain::image::{Digest, ImageRef};
use tidegate_engine::ports::{Registry as _, ResolveError, Resolved};

use self::push::Pushed;
use self::real::{Login, RealRegistry};

fn adapter(credentials: &serde_json::Value) -> HttpRegistry {
    HttpRegistry::new(RegistryCredentials::parse(&credentials.to_string()).expect("credentials"))
}

fn anonymous(host: &str) -> HttpRegistry {
    adapter(&json!({host: {"plain_http": true}}))
}

fn image(text: &str) -> ImageRef {
    ImageRef::parse(text).expect("a reference")
}

#[tokio::test]
async fn a_tag_of_one_manifest_means_its_digest() {
    let Some(registry) = RealRegistry::start(None) else { return };
    let pushed = Pushed::manifest(&registry, "team/app", "v1", "linux/amd64").await;
    let resolved = anonymous(registry.host()).resolve(&image(&registry.reference("team/app:v1"))).await.unwrap();
    assert_eq!(resolved, Resolved { digest: pushed.digest.clone(), platforms: [].into() });

    let by_digest = image(&registry.reference(&format!("team/app@{}", pushed.digest)));
    assert_eq!(anonymous(registry.host()).resolve(&by_digest).await.unwrap().digest, pushed.digest);
}

#[tokio::test]
async fn a_tag_of_an_index_means_the_index_and_tells_its_platforms() {
    let Some(registry) = RealRegistry::start(None) else { return };
    for kind in [push::OCI, push::DOCKER] {
        let index = Pushed::index(&registry, "team/app", "v2", kind, &["linux/amd64", "linux/arm64/v8"]).await;
        let resolved = anonymous(registry.host()).resolve(&image(&registry.reference("team/app:v2"))).await.unwrap();
        assert_eq!(resolved, Resolved { digest: index.digest, platforms: index.platforms });
    }
}

#[tokio::test]
async fn a_tag_that_moves_means_what_it_points_to_now() {
    let Some(registry) = RealRegistry::start(None) else { return };
    let (adapter, latest) = (anonymous(registry.host()), image(&registry.reference("app:latest")));
    for platform in ["linux/amd64", "linux/arm/v7"] {
        let pushed = Pushed::manifest(&registry, "app", "latest", platform).await;
        assert_eq!(adapter.resolve(&latest).await.unwrap().digest, pushed.digest);
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let Some(registry) = RealRegistry::start(None) else { return };
    Pushed::manifest(&registry, "team/app", "v1", "linux/amd64").await;
    let missing = format!("team/app@sha256:{}", "0".repeat(64));
    for reference in ["team/app:v9", "team/other:v1", &missing] {
        let result = anonymous(registry.host()).resolve(&image(&registry.reference(reference))).await;
        assert!(matches!(result, Err(ResolveError::NotFound)), "{reference}: {result:?}");
    }
}

#[tokio::test]
async fn a_login_is_shown_where_it_is_wanted() {
    let login = Login::tester();
    let Some(registry) = RealRegistry::start(Some(&login)) else { return };
    let pushed = Pushed::manifest(&registry, "team/app", "v1", "linux/amd64").await;
    let (host, reference) = (registry.host(), image(&registry.reference("team/app:v1")));
    let with = |password: &str| {
        adapter(&json!({host: {"username": login.username, "password": password, "plain_http": true}}))
    };
    assert_eq!(with(login.password).resolve(&reference).await.unwrap().digest, pushed.digest);
    for refused in [with("wrong"), anonymous(host)] {
        let result = refused.resolve(&reference).await;
        assert!(matches!(result, Err(ResolveError::NotPossible(_))), "{result:?}");
    }
}

#[tokio::test]
async fn only_hosts_with_access_are_asked() {
    let made_up = made_up::start().await;
    let elsewhere = anonymous("registry.invalid:5000");
    let reference = image(&format!("{}/team/app:open", made_up.host()));
    let result = elsewhere.resolve(&reference).await;
    assert!(matches!(result, Err(ResolveError::NotPossible(_))), "{result:?}");
    assert_eq!(made_up.asked(), 0);

    let digest = Digest::parse(&format!("sha256:{}", "a".repeat(64))).unwrap();
    let known = elsewhere.resolve(&reference.pinned(digest.clone())).await.unwrap();
    assert_eq!(known.digest, digest, "a digest needs no registry");
}

#[tokio::test]
async fn tokens_are_fetched_where_the_registry_says() {
    let made_up = made_up::start().await;
    let (host, reference) = (made_up.host(), image(&format!("{}/team/app:token", made_up.host())));
    let login = json!({host: {"username": "ci", "password": "pass", "plain_http": true}});
    let resolved = adapter(&login).resolve(&reference).await.unwrap();
    assert_eq!(resolved.digest, made_up::digest());
    let result = anonymous(host).resolve(&reference).await;
    assert!(matches!(result, Err(ResolveError::NotPossible(_))), "{result:?}");
}

#[tokio::test]
async fn odd_answers_are_told_apart() {
    let made_up = made_up::start().await;
    let login = json!({made_up.host(): {"username": "ci", "password": "pass", "plain_http": true}});
    let cases = [
        ("moved-here", "resolved"),
        ("moved-away", "not possible"),
        ("altered", "unavailable"),
        ("busy", "unavailable"),
        ("down", "unavailable"),
        ("page", "not possible"),
        ("huge", "not possible"),
    ];
    for (tag, expected) in cases {
        let result = adapter(&login).resolve(&image(&format!("{}/team/app:{tag}", made_up.host()))).await;
        let got = match &result {
            Ok(_) => "resolved",
            Err(ResolveError::NotPossible(_)) => "not possible",
            Err(ResolveError::NotFound) => "not found",
            Err(ResolveError::Unavailable(_)) => "unavailable",
        };
        assert_eq!(got, expected, "{tag}: {result:?}");
    }
}

#[tokio::test]
async fn a_registry_that_is_gone_is_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let result = anonymous(&host).resolve(&image(&format!("{host}/app:v1"))).await;
    assert!(matches!(result, Err(ResolveError::Unavailable(_))), "{result:?}");
}

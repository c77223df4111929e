//! What a reference means, at a real registry.

use serde_json::json;
use tidegate_agent::fault::Reason;
use tidegate_agent::image::Image;

use crate::push;
use crate::real::{Login, RealRegistry};
use crate::setup::{Folder, anonymous, pinned, platform, tagged, with_logins};

#[tokio::test]
async fn an_image_without_an_index_is_what_its_manifest_says() {
    let Some(registry) = RealRegistry::start(None) else { return };
    let pushed = push::image(&registry, "team/app", "v1", "linux/arm64/v8", 1000).await;
    let by_tag = Image { image: registry.reference("team/app:v1"), digest: None };
    for (label, image) in [("by tag", by_tag), ("by digest", pinned(registry.host(), "team/app:v9", &pushed.digest))] {
        let looked = anonymous().look(&image, &platform("linux/arm64")).await.expect(label);
        assert_eq!((&looked.digest, &looked.manifest), (&pushed.digest, &pushed.digest), "{label}");
        assert_eq!(looked.config.digest, pushed.config, "{label}");
        assert_eq!(looked.layers.len(), 1, "{label}");
        assert_eq!((&looked.layers[0].digest, looked.layers[0].size), (&pushed.layer, 1000), "{label}");
        assert_eq!(looked.total_bytes, 1000 + looked.config.size, "{label}");
    }
}

#[tokio::test]
async fn an_index_leads_to_the_devices_own_image() {
    let Some(registry) = RealRegistry::start(None) else { return };
    let amd64 = push::image(&registry, "app", "a", "linux/amd64", 10).await;
    let arm = push::image(&registry, "app", "b", "linux/arm/v7", 20).await;
    let index = push::index(&registry, "app", "v1", &[("linux/amd64", &amd64), ("linux/arm/v7", &arm)]).await;
    for image in [tagged(registry.host(), "app:v1"), pinned(registry.host(), "app:v1", &index)] {
        for (device, expected) in [("linux/amd64", &amd64), ("linux/arm/v7", &arm)] {
            let looked = anonymous().look(&image, &platform(device)).await.expect(device);
            assert_eq!((&looked.digest, &looked.manifest), (&index, &expected.digest), "{device}");
        }
    }
}

#[tokio::test]
async fn what_a_device_cannot_have_is_told_apart() {
    let Some(registry) = RealRegistry::start(None) else { return };
    let amd64 = push::image(&registry, "app", "one", "linux/amd64", 10).await;
    push::index(&registry, "app", "two", &[("linux/amd64", &amd64)]).await;
    let nowhere = push::digest_of(b"nothing has it");
    for (label, image, reason, says) in [
        ("no such tag", tagged(registry.host(), "app:none"), Reason::ImageNotFound, "app:none"),
        ("no such repository", tagged(registry.host(), "other:one"), Reason::ImageNotFound, "other:one"),
        ("no such digest", pinned(registry.host(), "app:one", &nowhere), Reason::ImageNotFound, "app:sha256"),
        ("an image for others", tagged(registry.host(), "app:one"), Reason::WrongPlatform, "linux/amd64"),
        ("an index for others", tagged(registry.host(), "app:two"), Reason::WrongPlatform, "linux/amd64"),
        ("no reference", tagged(registry.host(), "APP:one"), Reason::Configuration, "lower case"),
    ] {
        let fault = anonymous().look(&image, &platform("linux/arm/v7")).await.expect_err(label);
        assert_eq!(fault.reason, reason, "{label}: {fault}");
        assert!(fault.why.contains(says), "{label}: {fault}");
    }
}

#[tokio::test]
async fn a_login_is_shown_where_it_is_wanted() {
    let login = Login::tester();
    let Some(registry) = RealRegistry::start(Some(&login)) else { return };
    let pushed = push::image(&registry, "app", "v1", "linux/amd64", 10).await;
    let (folder, image) = (Folder::new(), tagged(registry.host(), "app:v1"));
    let with = |password: &str| {
        let auths = json!({registry.host(): {"username": login.username, "password": password}});
        with_logins(&folder, &json!({"auths": auths}))
    };
    let looked = with(login.password).look(&image, &platform("linux/amd64")).await.expect("let in");
    assert_eq!(looked.digest, pushed.digest);
    let denied: [(&str, _); 2] = [("a wrong password", with("wrong-one")), ("no login", anonymous())];
    for (label, client) in denied {
        let fault = client.look(&image, &platform("linux/amd64")).await.expect_err(label);
        assert_eq!(fault.reason, Reason::RegistryDenied, "{label}: {fault}");
        assert!(!fault.why.contains("wrong-one"), "{label}: {fault}");
    }
}

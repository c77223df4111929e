use proptest::prelude::*;

use super::*;

const SHA: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

#[test]
fn spellings_are_normalised() {
    let cases = [
        ("a name alone", "nginx", "docker.io/library/nginx:latest"),
        ("a tag", "nginx:1.27", "docker.io/library/nginx:1.27"),
        ("a user", "iotistic/app:1", "docker.io/iotistic/app:1"),
        ("the hub's host", "docker.io/nginx", "docker.io/library/nginx:latest"),
        ("the hub's site", "hub.docker.com/iotistic/app", "docker.io/iotistic/app:latest"),
        ("the hub's index", "index.docker.io/nginx:2", "docker.io/library/nginx:2"),
        ("the hub's API", "registry-1.docker.io/library/nginx:2", "docker.io/library/nginx:2"),
        ("a port", "registry.example.com:5000/app", "registry.example.com:5000/app:latest"),
        ("a port and a tag", "localhost:5000/app:x", "localhost:5000/app:x"),
        ("localhost", "localhost/app", "localhost/app:latest"),
        ("an address", "127.0.0.1:5000/a/b:c", "127.0.0.1:5000/a/b:c"),
        ("IPv6", "[2001:db8::1]:5000/app", "[2001:db8::1]:5000/app:latest"),
        ("IPv6 without a port", "[2001:db8::1]/app:1", "[2001:db8::1]/app:1"),
        ("a host in capitals", "GHCR.io/owner/app", "ghcr.io/owner/app:latest"),
        ("a host with a capital and no dot", "Registry/app", "registry/app:latest"),
        ("separators", "ghcr.io/a.b/c__d/e---f:1", "ghcr.io/a.b/c__d/e---f:1"),
        ("a tag in capitals", "app:V1.0_RC-1", "docker.io/library/app:V1.0_RC-1"),
        ("a deep path", "ghcr.io/a/b/c/d:1", "ghcr.io/a/b/c/d:1"),
    ];
    for (label, text, expected) in cases {
        assert_eq!(ImageRef::parse(text).map(|image| image.to_string()), Ok(expected.to_owned()), "{label}");
    }
}

#[test]
fn a_digest_takes_the_place_of_latest() {
    let image = ImageRef::parse(&format!("nginx@{SHA}")).unwrap();
    assert_eq!(image.tag, None);
    assert_eq!(image.to_string(), format!("docker.io/library/nginx@{SHA}"));
    let both = ImageRef::parse(&format!("ghcr.io/o/app:1@{SHA}")).unwrap();
    assert_eq!(both.tag.as_ref().map(Tag::as_str), Some("1"));
    assert_eq!(both.digest.as_ref().map(Digest::as_str), Some(SHA));
    assert_eq!(both, ImageRef::parse("ghcr.io/o/app:1").unwrap().pinned(Digest::parse(SHA).unwrap()));
}

#[test]
fn what_is_no_reference_is_refused_with_what_was_expected() {
    let long = "a".repeat(256);
    let id = "a".repeat(64);
    let bad_digest = format!("nginx@{}", SHA.to_uppercase());
    let cases: [(&str, &str, &str); 19] = [
        ("empty", "", "expected an image"),
        ("a URL", "https://ghcr.io/o/app", "without a scheme"),
        ("capitals in the path", "iotistic/App", "lower case"),
        ("capitals in a name alone", "Nginx", "lower case"),
        ("two dots", "x/a..b/c", "repository path"),
        ("three underscores", "x/a___b", "repository path"),
        ("a separator at the end", "x/app-", "repository path"),
        ("an empty part", "ghcr.io//app", "repository path"),
        ("a host without a path", "ghcr.io/", "repository path"),
        ("a space", "x/my app", "repository path"),
        ("another alphabet", "x/äpp", "repository path"),
        ("an empty tag", "app:", "expected a tag"),
        ("a tag with a dot first", "app:.1", "expected a tag"),
        ("a port that is no number", "host.example:port/app", "registry host"),
        ("a port too high", "host.example:70000/app", "registry host"),
        ("a host with a hyphen first", "-host.example/app", "registry host"),
        ("a path too long", &long, "at most 255"),
        ("an image's id", &id, "image id"),
        ("a digest in capitals", &bad_digest, "expected a digest"),
    ];
    for (label, text, expected) in cases {
        let error = ImageRef::parse(text).expect_err(label).to_string();
        assert!(error.contains(expected), "{label}: {error}");
    }
    assert!(Tag::parse(&"t".repeat(128)).is_ok());
    assert!(Tag::parse(&"t".repeat(129)).is_err());
}

#[test]
fn repositories_give_their_parts() {
    let repository = Repository::parse("registry.example.com:5000/team/app").unwrap();
    assert_eq!(repository.registry(), "registry.example.com:5000");
    assert_eq!(repository.path(), "team/app");
    assert_eq!(Repository::parse("nginx").unwrap().as_str(), "docker.io/library/nginx");
}

#[test]
fn digests_are_of_a_known_algorithm_and_length() {
    assert!(Digest::parse(SHA).is_ok());
    assert!(Digest::parse(&format!("sha512:{}", "0".repeat(128))).is_ok());
    for text in ["", "sha256:", "md5:00", &SHA[..70], &format!("{SHA}0"), &format!("sha512:{}", &SHA[7..])] {
        assert!(Digest::parse(text).is_err(), "{text}");
    }
}

#[test]
fn serde_checks_too() {
    let image: ImageRef = serde_json::from_str("\"nginx:1\"").unwrap();
    assert_eq!(serde_json::to_string(&image).unwrap(), "\"docker.io/library/nginx:1\"");
    assert!(serde_json::from_str::<ImageRef>("\"Nginx\"").unwrap_err().to_string().contains("lower case"));
    assert!(serde_json::from_str::<Digest>("\"sha256:0\"").is_err());
    assert!(serde_json::from_str::<Tag>("\"-\"").is_err());
}

#[test]
fn only_listed_registries_are_allowed() {
    let allowed = AllowedRegistries::parse("hub.docker.com, ghcr.io,,localhost:5000, docker.io").unwrap();
    assert_eq!(allowed.hosts(), ["docker.io", "ghcr.io", "localhost:5000"]);
    let allows = |text: &str| allowed.allows(&Repository::parse(text).unwrap());
    assert_eq!(allows("nginx"), Ok(()));
    assert_eq!(allows("localhost:5000/app"), Ok(()));
    let refusal = allows("quay.io/org/app").unwrap_err().to_string();
    assert_eq!(
        refusal,
        "images from quay.io are not allowed here; allowed registries: docker.io, ghcr.io, localhost:5000"
    );
    assert!(allows("localhost:5001/app").is_err(), "another port is another registry");
    assert!(AllowedRegistries::parse("https://ghcr.io").is_err());
}

proptest! {
    #[test]
    fn what_is_shown_is_read_back(
        host in prop::option::of("[a-z][a-z0-9]{0,5}(\\.[a-z0-9]{1,4}){1,2}(:[1-9][0-9]{0,3})?"),
        path in "[a-z0-9]{1,6}((\\.|_|__|-{1,3})[a-z0-9]{1,3})?(/[a-z0-9]{1,6}){0,3}",
        tag in prop::option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,12}"),
        digest in prop::option::of("sha256:[0-9a-f]{64}"),
    ) {
        let mut text = host.map_or(path.clone(), |host| format!("{host}/{path}"));
        if let Some(tag) = &tag {
            text = format!("{text}:{tag}");
        }
        if let Some(digest) = &digest {
            text = format!("{text}@{digest}");
        }
        let image = ImageRef::parse(&text).unwrap();
        prop_assert_eq!(ImageRef::parse(&image.to_string()).unwrap(), image.clone());
        prop_assert_eq!(Repository::parse(image.repository.as_str()).unwrap(), image.repository.clone());
        prop_assert_eq!(image.tag.is_none(), tag.is_none() && digest.is_some());
        let stored = serde_json::to_string(&image).unwrap();
        prop_assert_eq!(serde_json::from_str::<ImageRef>(&stored).unwrap(), image);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}") {
        let _ = ImageRef::parse(&text);
    }
}

use super::*;

const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const ID: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

fn image(tags: &[&str], digests: &[String]) -> ImageInspect {
    ImageInspect {
        id: Some(ID.to_owned()),
        repo_tags: Some(tags.iter().map(|&tag| tag.to_owned()).collect()),
        repo_digests: Some(digests.to_vec()),
        ..ImageInspect::default()
    }
}

#[test]
fn the_image_of_a_container() {
    let known = [format!("mirror/app@{B}"), format!("app@{A}")];
    let pinned = format!("app@{B}");
    let cases = [
        ("by tag", image(&[], &known), "app:1", ("app:1", Some(A))),
        (
            "by tag, in the long spelling",
            image(&[], &known),
            "docker.io/library/app",
            ("docker.io/library/app", Some(A)),
        ),
        ("by digest", image(&[], &known), pinned.as_str(), (pinned.as_str(), Some(B))),
        ("known elsewhere only", image(&[], &known[..1]), "app:1", ("app:1", Some(B))),
        ("built here", image(&["app:1"], &[]), "app:1", ("app:1", Some(ID))),
        ("by id", image(&["app:1"], &known), ID, ("app:1", Some(A))),
        ("by id, nameless", image(&[], &[]), ID, (ID, Some(ID))),
    ];
    for (label, found, text, (reference, digest)) in cases {
        let named = named(&found, text);
        assert_eq!((named.image.as_str(), named.digest.as_ref().map(Digest::as_str)), (reference, digest), "{label}");
    }
}

#[test]
fn platforms() {
    let cases = [
        ("its own", ("linux", "amd64"), ("linux", "amd64"), true),
        ("32 bit of the same family", ("linux", "arm"), ("linux", "arm64"), true),
        ("64 bit on 32", ("linux", "arm64"), ("linux", "arm"), false),
        ("another family", ("linux", "arm64"), ("linux", "amd64"), false),
        ("another system", ("windows", "amd64"), ("linux", "amd64"), false),
        ("imported without one", ("", ""), ("linux", "amd64"), true),
    ];
    for (label, (os, arch), (own_os, own_arch), runs) in cases {
        let image = ImageInspect { os: Some(os.to_owned()), architecture: Some(arch.to_owned()), ..image(&[], &[]) };
        let runtime =
            SystemVersion { os: Some(own_os.to_owned()), arch: Some(own_arch.to_owned()), ..SystemVersion::default() };
        assert_eq!(wrong_platform(&image, &runtime).is_none(), runs, "{label}");
    }
}

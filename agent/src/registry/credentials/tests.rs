use super::*;

/// A `config.json` of this test's own.
struct File(PathBuf);

impl File {
    fn new(text: &str) -> Self {
        let file = Self(std::env::temp_dir().join(format!("tidegate-{}.json", uuid::Uuid::new_v4())));
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.0, text).expect("a file");
    }

    fn credentials(&self) -> Credentials {
        Credentials::new(Some(self.0.clone()))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

fn basic(text: &str) -> String {
    STANDARD.encode(text)
}

#[test]
fn logins_are_found_by_host_in_any_spelling() {
    let file = File::new(&format!(
        r#"{{"auths": {{
            "https://index.docker.io/v1/": {{"auth": "{hub}"}},
            "https://index.docker.io/v1/access-token": {{"auth": "{part}"}},
            "ghcr.io": {{"username": "owner", "password": "pat"}},
            "https://registry.example:5000/v2/": {{"auth": "{colon}"}},
            "azure.example": {{"auth": "{token}", "identitytoken": "refresh"}},
            "empty.example": {{}},
            "not a host": {{"auth": "{hub}"}}
        }}, "HttpHeaders": {{"User-Agent": "x"}}}}"#,
        hub = basic("hub:secret"),
        part = basic("other:other"),
        colon = basic("u:a:b\0\0"),
        token = basic("00000000-0000-0000-0000-000000000000:"),
    ));
    let credentials = file.credentials();
    let login = |host: &str| {
        let found = credentials.for_registry(host).expect("a readable file");
        found.map(|login| (login.username, login.password, login.identity_token))
    };
    let plain = |name: &str, password: &str| Some((name.to_owned(), password.to_owned(), None));
    for (label, host, expected) in [
        ("the Hub by its one name, its own login before that of a part", "docker.io", plain("hub", "secret")),
        ("the Hub by its API's name", "registry-1.docker.io", plain("hub", "secret")),
        ("a name and a password", "GHCR.io", plain("owner", "pat")),
        ("a URL with a port, a colon in the password", "registry.example:5000", plain("u", "a:b")),
        ("another port", "registry.example", None),
        ("an empty entry", "empty.example", None),
        ("an unknown host", "quay.io", None),
        (
            "an identity token",
            "azure.example",
            Some(("00000000-0000-0000-0000-000000000000".into(), String::new(), Some("refresh".into()))),
        ),
    ] {
        assert_eq!(login(host), expected, "{label}");
    }
}

#[test]
fn a_changed_file_is_read_again() {
    let file = File::new(r#"{"auths": {"ghcr.io": {"username": "a", "password": "one"}}}"#);
    let credentials = file.credentials();
    let password = || credentials.for_registry("ghcr.io").expect("a readable file").map(|login| login.password);
    assert_eq!(password().as_deref(), Some("one"));
    file.write(r#"{"auths": {"ghcr.io": {"username": "a", "password": "two and longer"}}}"#);
    assert_eq!(password().as_deref(), Some("two and longer"));
    std::fs::remove_file(&file.0).expect("the file goes");
    assert_eq!(password(), None, "a file that is gone holds no logins");
}

#[test]
fn no_file_is_anonymous_access() {
    assert_eq!(Credentials::new(None).for_registry("ghcr.io"), Ok(None));
    assert_eq!(Credentials::new(Some("/nowhere/config.json".into())).for_registry("ghcr.io"), Ok(None));
}

#[test]
fn mistakes_are_told_without_the_secrets() {
    for (label, text, says) in [
        ("no JSON", "hunter2", "line 1"),
        ("no Base64", r#"{"auths": {"ghcr.io": {"auth": "hunter2"}}}"#, "auths, ghcr.io"),
        ("half a login", r#"{"auths": {"ghcr.io": {"password": "hunter2"}}}"#, "go together"),
        ("a store", r#"{"auths": {"ghcr.io": {}}, "credsStore": "hunter2"}"#, "credential helper"),
        ("a helper", r#"{"credHelpers": {"ghcr.io": "hunter2"}}"#, "credential helper"),
    ] {
        let file = File::new(text);
        let fault = file.credentials().for_registry("ghcr.io").expect_err(label);
        assert_eq!(fault.reason, Reason::Configuration, "{label}");
        assert!(fault.why.contains(says) && fault.why.contains(file.0.to_str().unwrap()), "{label}: {fault}");
        assert!(!fault.why.contains("hunter2"), "{label}: {fault}");
    }
}

#[test]
fn a_login_is_not_printed() {
    let file = File::new(r#"{"auths": {"ghcr.io": {"username": "owner", "password": "hunter2"}}}"#);
    let credentials = file.credentials();
    let login = credentials.for_registry("ghcr.io").expect("a readable file").expect("a login");
    assert!(!format!("{login:?}{credentials:?}").contains("hunter2"));
}

use std::os::unix::fs::symlink;

use super::*;
use crate::testing::Folder;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a time")
}

/// What locks `web` at second 100, where these files say so.
fn locked(files: &[(&str, &str)]) -> Option<Lock> {
    let folder = Folder::new();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    held(folder.path(), "web", at(100))
}

#[test]
fn files_lock() {
    let lock = |reason: Option<&str>, until| Some(Lock { reason: reason.map(str::to_owned), until });
    let until = r#"{"until": "1970-01-01T00:03:20Z"}"#;
    for (label, files, expected) in [
        ("none", &[][..], None),
        ("another service's", &[("db", "")], None),
        ("an empty one", &[("web", "")], lock(None, None)),
        ("everything's", &[("all", "")], lock(None, None)),
        ("one in words", &[("web", "calibrating\n")], lock(Some("calibrating"), None)),
        ("words that hide", &[("web", "a\u{1b}[2J\nb")], lock(Some("a [2J b"), None)),
        (
            "a whole one",
            &[("web", r#"{"reason": "why", "until": "1970-01-01T00:03:20Z", "pid": 7}"#)],
            lock(Some("why"), Some(at(200))),
        ),
        ("more than we know", &[("web", r#"{"reason": "why", "mood": 1}"#)], lock(Some("why"), None)),
        ("another shape", &[("web", "[1]")], lock(Some("[1]"), None)),
        ("an expired one", &[("web", r#"{"until": "1970-01-01T00:01:40Z"}"#)], None),
        (
            "an expired one and everything's",
            &[("web", r#"{"until": "1970-01-01T00:01:00Z"}"#), ("all", until)],
            lock(None, Some(at(200))),
        ),
        (
            "the longer of two",
            &[("web", until), ("all", r#"{"until": "1970-01-01T00:02:00Z"}"#)],
            lock(None, Some(at(200))),
        ),
        ("without end is longest", &[("web", until), ("all", "now")], lock(Some("now"), None)),
    ] {
        assert_eq!(locked(files), expected, "{label}");
    }
}

#[test]
fn tricks_lock_and_do_no_harm() {
    let folder = Folder::new();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "hunter2").expect("written");
    let path = folder.path().join("web");
    let tricks: [(&str, &dyn Fn()); 6] = [
        ("a link", &|| symlink(&secret, &path).expect("a link")),
        ("a link to nothing", &|| symlink("/nowhere", &path).expect("a link")),
        ("a link to itself", &|| symlink(&path, &path).expect("a link")),
        ("a folder", &|| std::fs::create_dir(&path).expect("a folder")),
        ("a pipe", &|| {
            let status = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
            assert!(status.success());
        }),
        ("a flood", &|| std::fs::write(&path, vec![b'x'; 1 << 20]).expect("written")),
    ];
    for (label, make) in tricks {
        make();
        let lock = held(folder.path(), "web", at(100)).unwrap_or_else(|| panic!("{label}: locks"));
        assert_eq!(lock.until, None, "{label}");
        assert!(lock.reason.is_some_and(|reason| reason.len() < 200 && !reason.contains("hunter2")), "{label}");
        if path.is_dir() { std::fs::remove_dir(&path) } else { std::fs::remove_file(&path) }.expect("gone");
    }
}

#[test]
fn a_name_leads_nowhere_else() {
    let folder = Folder::new();
    let locks = directory(folder.path());
    prepare(folder.path()).expect("made");
    std::fs::write(folder.path().join("web"), "").expect("written");
    for name in ["../web", "/etc/passwd", "..", ".", ""] {
        assert_eq!(held(&locks, name, at(100)), None, "{name:?}");
        assert!(take(folder.path(), name, &LockFile::default()).is_err(), "{name:?}");
    }
}

#[test]
fn is_taken_and_released() {
    let folder = Folder::new();
    let lock = LockFile { reason: Some("calibrating".to_owned()), until: Some(at(200)), pid: Some(7) };
    take(folder.path(), "web", &lock).expect("taken");
    let locks = directory(folder.path());
    let expected = Lock { reason: lock.reason.clone(), until: lock.until };
    assert_eq!(held(&locks, "web", at(100)), Some(expected));
    assert_eq!(held(&locks, "db", at(100)), None);
    assert!(release(folder.path(), "web").expect("released"));
    assert!(!release(folder.path(), "web").expect("there is none"));
    assert_eq!(held(&locks, "web", at(100)), None);
}

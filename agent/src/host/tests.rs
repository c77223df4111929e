use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use tidegate_domain::image::Digest;

use super::*;
use crate::hooks::Moment;
use crate::image::Image;
use crate::testing::Folder;

/// A device whose hooks are in a folder of the test's.
fn host(folder: &Folder) -> DeviceHost {
    DeviceHost {
        locks: folder.path().join("locks"),
        hooks: folder.path().to_owned(),
        hook_timeout: Duration::from_secs(20),
        restart_request: folder.path().join(RESTART_REQUEST),
        now: || Timestamp::UNIX_EPOCH,
    }
}

fn write(folder: &Folder, name: &str, script: &str) {
    let path = folder.path().join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("its owner may");
}

async fn call(host: &DeviceHost, moment: Moment) -> Result<HookAnswer, Fault> {
    let digest = Digest::parse(&format!("sha256:{}", "a".repeat(64))).ok();
    let image = Image { image: "docker.io/a/b:2".to_owned(), digest };
    let previous = Image { image: "docker.io/a/b:1".to_owned(), digest: None };
    host.hook(HookCall { moment, service: "web", image: &image, previous: Some(&previous) }).await
}

#[tokio::test]
async fn exit_codes_decide() {
    let not_now = |why: &str| Ok(HookAnswer::NotNow(why.to_owned()));
    for (label, script, expected) in [
        ("yes", "echo fine", Ok(HookAnswer::GoOn)),
        ("not now", "echo one; echo calibrating; exit 75", not_now("calibrating")),
        ("no", "echo said; echo broken >&2; exit 3", Err("says no (exit status: 3): broken")),
        ("no, in silence", "exit 1", Err("says no (exit status: 1)")),
        ("killed", "kill -9 $$", Err("signal: 9")),
        ("input", "read line && exit 1; exit 0", Ok(HookAnswer::GoOn)),
        ("a flood", "head -c 1000000 /dev/zero; echo; echo end; exit 75", not_now("end")),
    ] {
        let folder = Folder::new();
        write(&folder, "pre-update", script);
        match (call(&host(&folder), Moment::BeforeUpdate).await, expected) {
            (Ok(answer), Ok(expected)) => assert_eq!(answer, expected, "{label}"),
            (Err(fault), Err(told)) => {
                assert_eq!(fault.reason, crate::fault::Reason::HookFailed, "{label}");
                assert!(fault.why.contains(told) && fault.why.contains("pre-update"), "{label}: {fault}");
            }
            (got, expected) => panic!("{label}: {got:?}, expected {expected:?}"),
        }
    }
}

#[tokio::test]
async fn the_general_hook_runs_before_the_services_own() {
    let folder = Folder::new();
    let host = host(&folder);
    let log = folder.path().join("log");
    for name in ["pre-update", "web.pre-update", "post-update", "db.pre-update"] {
        write(&folder, name, &format!("echo {name} >> {}", log.display()));
    }
    assert_eq!(call(&host, Moment::BeforeUpdate).await, Ok(HookAnswer::GoOn));
    assert_eq!(std::fs::read_to_string(&log).expect("written"), "pre-update\nweb.pre-update\n");
    write(&folder, "pre-update", "exit 75");
    assert!(
        matches!(call(&host, Moment::BeforeUpdate).await, Ok(HookAnswer::NotNow(why)) if why.contains("pre-update"))
    );
    assert_eq!(std::fs::read_to_string(&log).expect("written"), "pre-update\nweb.pre-update\n", "the first no decides");
    assert_eq!(call(&host, Moment::AfterUpdate).await, Ok(HookAnswer::GoOn));
    let none = Folder::new();
    assert_eq!(call(&self::host(&none), Moment::BeforeUpdate).await, Ok(HookAnswer::GoOn), "no hook at all");
}

#[tokio::test]
async fn a_hook_sees_what_it_needs_and_nothing_of_the_agents() {
    let folder = Folder::new();
    let seen = folder.path().join("seen");
    write(
        &folder,
        "pre-update",
        &format!("env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= -e ^OLDPWD= | sort > {}", seen.display()),
    );
    assert_eq!(call(&host(&folder), Moment::BeforeUpdate).await, Ok(HookAnswer::GoOn));
    let seen = std::fs::read_to_string(seen).expect("written");
    let expected = [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        format!("TIDEGATE_DIGEST=sha256:{}", "a".repeat(64)),
        "TIDEGATE_IMAGE=docker.io/a/b:2".to_owned(),
        "TIDEGATE_PREVIOUS_IMAGE=docker.io/a/b:1".to_owned(),
        "TIDEGATE_SERVICE=web".to_owned(),
    ];
    assert_eq!(seen.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_hook_that_hangs_is_killed_with_all_that_it_started() {
    let folder = Folder::new();
    let started = folder.path().join("started");
    // The child says its own id, then waits far longer than the test.
    let child = format!("sh -c 'echo $$ > {}; exec sleep 600'", started.display());
    write(&folder, "pre-update", &format!("{child} & wait"));
    let host = DeviceHost { hook_timeout: Duration::from_millis(500), ..host(&folder) };
    let fault = call(&host, Moment::BeforeUpdate).await.expect_err("killed");
    assert!(fault.why.contains("was killed"), "{fault}");
    let id = std::fs::read_to_string(&started).expect("the child began").trim().to_owned();
    // Killed at once, gone when whoever inherits it has looked; a zombie is as good as gone.
    let begin = Instant::now();
    let lives = || {
        std::fs::read_to_string(Path::new("/proc").join(&id).join("stat"))
            .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with('Z')))
    };
    while lives() {
        assert!(begin.elapsed() < Duration::from_secs(10), "the child {id} lives");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_a_hook_leaves_running_does_not_hold_the_update() {
    let folder = Folder::new();
    let id = folder.path().join("id");
    write(&folder, "pre-update", &format!("sleep 600 & echo $! > {}", id.display()));
    let begin = Instant::now();
    assert_eq!(call(&host(&folder), Moment::BeforeUpdate).await, Ok(HookAnswer::GoOn));
    assert!(begin.elapsed() < Duration::from_secs(10));
    let id: i32 = std::fs::read_to_string(id).expect("written").trim().parse().expect("an id");
    let left = rustix::process::Pid::from_raw(id).expect("an id");
    rustix::process::kill_process(left, rustix::process::Signal::KILL).expect("it runs, and is this test's");
}

#[tokio::test]
async fn hooks_that_others_can_write_are_refused() {
    let folder = Folder::new();
    let host = host(&folder);
    write(&folder, "pre-update", "exit 0");
    let path = folder.path().join("pre-update");
    let chmod = |path: &Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("its owner may");
    };
    for (label, mode, above, told) in [
        ("anybody's", 0o757, 0o755, Some("chmod o-w")),
        ("in anybody's folder", 0o755, 0o777, Some("chmod o-w")),
        ("not executable", 0o644, 0o755, Some("chmod +x")),
        ("right", 0o755, 0o755, None),
    ] {
        chmod(&path, mode);
        chmod(folder.path(), above);
        let got = call(&host, Moment::BeforeUpdate).await;
        assert_eq!(got.is_err(), told.is_some(), "{label}: {got:?}");
        assert!(got.err().is_none_or(|fault| told.is_some_and(|told| fault.why.contains(told))), "{label}");
    }
    std::fs::remove_file(&path).expect("gone");
    std::os::unix::fs::symlink("/nowhere", &path).expect("a link");
    assert!(call(&host, Moment::BeforeUpdate).await.is_err(), "a link to nothing is no hook that says yes");
}

#[test]
fn locks_are_asked_of_the_devices_clock() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("locks")).expect("made");
    std::fs::write(folder.path().join("locks/web"), r#"{"until": "1970-01-01T00:00:01Z"}"#).expect("written");
    let host = host(&folder);
    assert!(host.lock("web").is_some() && host.lock("db").is_none());
    let later = DeviceHost { now: || Timestamp::MAX, ..host };
    assert_eq!(later.lock("web"), None);
}

#[test]
fn a_restart_of_the_engine_is_asked_for_by_a_file() {
    let folder = Folder::new();
    let host = host(&folder);
    assert!(host.ask_engine_restart());
    assert!(folder.path().join("restart-engine").is_file());
    let nowhere = DeviceHost { restart_request: folder.path().join("gone/restart-engine"), ..host };
    assert!(!nowhere.ask_engine_restart(), "nobody can be asked");
}

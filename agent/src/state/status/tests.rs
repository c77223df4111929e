use tidegate_domain::image::Digest;

use super::*;
use crate::testing::Folder;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a time")
}

fn status() -> Status {
    let digest = Digest::parse(&format!("sha256:{}", "0123456789abcdef".repeat(4))).ok();
    let web = ServiceStatus {
        image: Image { image: "docker.io/a/b:2".to_owned(), digest },
        state: "running".to_owned(),
        healthy: Some(true),
    };
    Status {
        version: "0.1.0".to_owned(),
        device_uuid: Some(Uuid::from_u128(7)),
        url: "https://a.example".to_owned(),
        at: at(100),
        last_contact: Some(at(40)),
        last_error: Some(LastError { at: at(90), why: "the server cannot be reached".to_owned() }),
        token: TokenState::Ok,
        services: BTreeMap::from([("web".to_owned(), web)]),
        failing: BTreeMap::from([(
            "db".to_owned(),
            Failing { why: "no room on the disk".to_owned(), tries: 2, again_at: at(180) },
        )]),
        work: Some(Work { service: "web".to_owned(), what: "pulling".to_owned(), since: at(95) }),
        lock: Some(Waiting { service: "web".to_owned(), reason: None, until: Some(at(200)) }),
        outbox: 3,
    }
}

#[test]
fn is_read_as_it_was_written_and_by_everybody() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    Status::read(folder.path()).expect_err("nothing was written yet");
    status().write(folder.path()).expect("written");
    assert_eq!(Status::read(folder.path()).expect("read"), status());
    let mode = std::fs::metadata(file(folder.path())).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn people_read_it() {
    let expected = "\
agent      0.1.0
device     00000000-0000-0000-0000-000000000007
server     https://a.example
contact    1m ago
token      ok
error      the server cannot be reached (10s ago)
failing    db: no room on the disk (tries: 2, the next in 1m 20s)
at work    web: pulling (began 5s ago)
locked     web: no reason given (until 1970-01-01T00:03:20Z)
to report  3

SERVICE  STATE       HEALTH     IMAGE
web      running     healthy    docker.io/a/b:2 sha256:0123456789ab…
";
    assert_eq!(status().shown(at(100)).to_string(), expected);
    let new = Status { services: BTreeMap::new(), last_contact: None, ..status() };
    let shown = new.shown(at(80)).to_string();
    assert!(shown.contains("contact    none yet\n") && shown.ends_with("services   none\n"), "{shown}");
    assert!(shown.contains("(in 10s)"), "a clock that was set back: {shown}");
}

use std::collections::BTreeMap;

use super::*;
use crate::server::report::Observed;
use crate::testing::Server;

const TARGET: &str = r#"{"device_uuid": "x", "services": {"web": {"image": "docker.io/a/b:1"}}}"#;

fn link(url: &str) -> HttpLink {
    let client = Client::new(url).expect("TLS can be set up");
    HttpLink::new(client, url, Uuid::from_u128(7), Secret::new("tgd_hunter2"))
}

async fn poll(answer: (&str, &[&str], &str)) -> Result<Polled, LinkError> {
    let server = Server::answering(&[answer]).await;
    link(&server.url).poll(&[]).await
}

#[tokio::test]
async fn a_poll_sends_what_is_known_and_reads_the_target() {
    let headers = ["ETag: \"h.1.2\"", "Tidegate-Poll-After: 27"];
    let server = Server::answering(&[("200 OK", &headers, TARGET), ("304 Not Modified", &headers, "")]).await;
    let mut link = link(&server.url);
    let Ok(Polled::Target { target, etag, after }) = link.poll(&[]).await else { panic!("a target") };
    assert_eq!(target.services["web"].image.image, "docker.io/a/b:1");
    assert_eq!((etag.as_deref(), after), (Some("\"h.1.2\""), Duration::from_secs(27)));

    let known = ["\"h.1.2\"".to_owned(), "\"0.3.4\"".to_owned()];
    let after = Duration::from_secs(27);
    assert_eq!(link.poll(&known).await, Ok(Polled::Unchanged { after }));
    let asked = server.asked();
    assert!(asked[0].starts_with("GET /api/v1/device/00000000-0000-0000-0000-000000000007/state "), "{}", asked[0]);
    assert!(asked[0].contains("authorization: Bearer tgd_hunter2\r\n"), "{}", asked[0]);
    assert!(asked[0].contains(concat!("user-agent: tidegate-agent/", env!("CARGO_PKG_VERSION"), "\r\n")));
    assert!(!asked[0].contains("if-none-match"));
    assert!(asked[1].contains("if-none-match: \"h.1.2\", \"0.3.4\"\r\n"), "{}", asked[1]);
}

#[tokio::test]
async fn a_report_is_sent_and_its_answer_read() {
    let answer = r#"{"accepted": 1, "duplicates": 0, "ignored": [{"id": "a", "reason": "not_assigned"}]}"#;
    let server = Server::answering(&[("200 OK", &["ETag: \"0.3.4\""], answer)]).await;
    let web = Observed { image: "a/b:1".to_owned(), digest: None, status: "running".to_owned(), healthy: true };
    let body = StateReport { services: BTreeMap::from([("web".to_owned(), web)]), reports: Vec::new() };
    let reported = link(&server.url).report(&body).await.expect("taken");
    assert_eq!(reported.taken.ignored[0].reason, "not_assigned");
    assert_eq!(reported.etag.as_deref(), Some("\"0.3.4\""));
    let asked = server.asked();
    assert!(asked[0].starts_with("PATCH ") && asked[0].contains("content-type: application/json"), "{}", asked[0]);
    assert!(asked[0].ends_with(r#"{"services":{"web":{"image":"a/b:1","status":"running","healthy":true}}}"#));
}

#[tokio::test]
async fn each_refusal_means_what_the_contract_says() {
    let problem = r#"{"type": "urn:tidegate:problem:x", "title": "T", "detail": "that is why",
        "errors": [{"pointer": "/reports/0", "detail": "expected an id"}]}"#;
    let why = "that is why; /reports/0: expected an id";
    let later = |seconds: Option<u64>, status: u16| LinkError::Later {
        after: seconds.map(Duration::from_secs),
        why: format!("{why} ({status})"),
    };
    let date = ["Date: Wed, 21 Oct 2015 07:28:00 GMT", "Retry-After: Wed, 21 Oct 2015 07:30:00 GMT"];
    let past = ["Date: Wed, 21 Oct 2015 07:28:00 GMT", "Retry-After: Wed, 21 Oct 2015 07:20:00 GMT"];
    for (status, headers, expected) in [
        ("401 Unauthorized", &[][..], LinkError::Denied(format!("{why} (401)"))),
        ("403 Forbidden", &[], LinkError::Denied(format!("{why} (403)"))),
        ("410 Gone", &[], LinkError::Deleted),
        ("400 Bad Request", &[], LinkError::Refused(format!("{why} (400)"))),
        ("413 Content Too Large", &[], LinkError::Refused(format!("{why} (413)"))),
        ("422 Unprocessable Content", &[], LinkError::Refused(format!("{why} (422)"))),
        ("404 Not Found", &[], later(Some(60), 404)),
        ("429 Too Many Requests", &["Retry-After: 90"], later(Some(90), 429)),
        ("503 Service Unavailable", &date, later(Some(120), 503)),
        ("503 Service Unavailable", &past, later(Some(0), 503)),
        ("503 Service Unavailable", &["Retry-After: soon"], later(None, 503)),
        ("500 Internal Server Error", &[], later(None, 500)),
        ("302 Found", &["Location: http://127.0.0.1:1/"], later(None, 302)),
    ] {
        assert_eq!(poll((status, headers, problem)).await, Err(expected), "{status} {headers:?}");
    }
}

#[tokio::test]
async fn what_is_no_answer_of_the_server_is_asked_again_later() {
    let page = "<html>\u{1b}[2J please log in to the hotel's network";
    let endless = "x".repeat((1 << 20) + 1);
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n{endless}\r\n0\r\n\r\n");
    let sized = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{endless}", endless.len());
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"serv".to_owned();
    for (label, said, told) in [
        ("a page", format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{page}", page.len()), "line 1"),
        ("another page", format!("HTTP/1.1 511 x\r\nContent-Length: {}\r\n\r\n{page}", page.len()), "511"),
        ("an endless body", chunked, "larger than 1 MiB"),
        ("a large one", sized, "larger than 1 MiB"),
        ("cut off", cut, "cannot be reached"),
        ("no HTTP", "SSH-2.0-OpenSSH_9.2\r\n".to_owned(), "cannot be reached"),
        ("nothing", String::new(), "cannot be reached"),
    ] {
        let server = Server::saying(vec![said]).await;
        let Err(LinkError::Later { after: None, why }) = link(&server.url).poll(&[]).await else {
            panic!("{label}: asked again later")
        };
        assert!(why.contains(told), "{label}: {why}");
        assert!(!why.contains('\u{1b}') && !why.contains("hunter2"), "{label}: {why}");
    }
}

#[tokio::test]
async fn nobody_there() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", free.local_addr().expect("it listens"));
    drop(free);
    let Err(LinkError::Later { why, .. }) = link(&url).poll(&[]).await else { panic!("later") };
    assert!(why.contains("refused"), "{why}");
}

#[test]
fn knows_its_own_machine() {
    for (url, local) in [
        ("http://localhost:8080", true),
        ("http://127.0.0.2/", true),
        ("http://[::1]:1", true),
        ("https://tidegate.example.com", false),
        ("https://127.0.0.1.example.com", false),
    ] {
        assert_eq!(is_local(url), local, "{url}");
    }
}
